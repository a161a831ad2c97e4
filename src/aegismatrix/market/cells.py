"""A cell as a number: what is blank becomes NaN, and what cannot be read is an error."""

from __future__ import annotations

import re

import numpy as np

from aegismatrix import errors

_BLANKS = frozenset({"", ".", "-", "--", "na", "n/a", "null", "none", "nan", "#n/a"})
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|infinity)", re.IGNORECASE)
_GROUPED_NUMBER = re.compile(r"[+-]?\d{1,3}(,\d{2,3})*,\d{3}(\.\d+)?")


def read_number(text: str, source: str, line: int, column: str) -> float:
    """Read a number as people write it, grouped by thousands or by lakhs too."""
    # Almost every cell is of digits and a point; what else there may be costs several searches.
    if text.isascii() and text.replace(".", "", 1).isdigit():
        return float(text)
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
