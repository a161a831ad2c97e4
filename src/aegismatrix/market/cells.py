"""A cell as a number: what is blank becomes NaN, and what cannot be read is an error."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence

import numpy as np

from aegismatrix import errors
from aegismatrix.market.arrays import FloatArray

_BLANKS = frozenset({"", ".", "-", "--", "na", "n/a", "null", "none", "nan", "#n/a"})
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|infinity)", re.IGNORECASE)
_GROUPED_NUMBER = re.compile(r"[+-]?\d{1,3}(,\d{2,3})*,\d{3}(\.\d+)?")


def read_numbers(
    texts: Sequence[str], lines: Sequence[int], source: str, column: str
) -> FloatArray:
    """Read a column of numbers that stand in these lines, as `read_number` reads one."""
    joined = "\n".join(texts)
    # Almost every column is of digits and points: one look at all of it, and what is no number of
    # theirs fails to convert.
    if joined.isascii() and joined.replace(".", "").replace("\n", "").isdigit():
        with contextlib.suppress(ValueError):
            return np.array([*map(float, texts)])
    read = (
        read_number(text, source, line, column) for line, text in zip(lines, texts, strict=True)
    )
    return np.fromiter(read, np.float64, len(texts))


def read_number(text: str, source: str, line: int, column: str) -> float:
    """Read a number as people write it, grouped by thousands or by lakhs too."""
    cell = text.strip()
    if cell.lower() in _BLANKS:
        return np.nan
    if _GROUPED_NUMBER.fullmatch(cell):
        cell = cell.replace(",", "")
    if not _NUMBER.fullmatch(cell):
        raise errors.UnreadableCellError(
            source=source,
            line=line,
            column=column,
            text=text[:80],
            remedy="Write numbers with a decimal point, as in 23644.80.",
        )
    return float(cell)
