"""What a column of categories may hold, in order, and where in it a row's value is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from aegismatrix_factory.rescue.converting.errors import (
    InconsistentModelError,
    UnsupportedModelError,
)
from aegismatrix_factory.rescue.converting.parameters import FloatArray
from aegismatrix_factory.rescue.converting.writing import Table, Writer

_MOST = 1_000_000
_EXACT = 2.0**53


@dataclass(frozen=True, eq=False)
class Categories:
    """The values that a column may have.

    Attributes
    ----------
    texts : tuple of (str or None), or None
        Where they are text; None among them stands for text that is missing.
    numbers : ndarray or None
        Where they are numbers; NaN among them stands for a number that is missing.
    counted : bool
        Whether the missing text is None, which scikit-learn's encoders count like any other, and
        not NaN, which they do not.
    """

    texts: tuple[str | None, ...] | None
    numbers: FloatArray | None
    counted: bool = False

    def __len__(self) -> int:
        if self.texts is not None:
            return len(self.texts)
        return 0 if self.numbers is None else len(self.numbers)

    @property
    def missing(self) -> int | None:
        """Where the missing value is among them, if it is one of them."""
        if self.texts is not None:
            return self.texts.index(None) if None in self.texts else None
        assert self.numbers is not None
        found = np.flatnonzero(np.isnan(self.numbers))
        return int(found[0]) if len(found) else None

    @property
    def nowhere(self) -> int | None:
        """Where the missing value is among them, if it is one that is not counted."""
        return None if self.counted else self.missing

    def matches(self, writer: Writer, x: Table, place: int) -> str:
        """Write which of them each row of a column is.

        Parameters
        ----------
        writer : Writer
        x : Table
        place : int
            Which column of the table.

        Returns
        -------
        str
            Float64 (N, categories): 1 where it is that one; all 0 where it is none of them.
        """
        column = writer.chosen(x, [place])
        if self.texts is not None:
            source = x.columns[place] if x.columns is not None else None
            if source is None:
                raise UnsupportedModelError("it reads text where numbers come out of a step")
            places = np.array([[float(source.place(text)) for text in self.texts]])
            return writer.doubled(writer.add("Equal", [column.tensor, writer.weight(places)]))
        assert self.numbers is not None
        value = column.numbers()
        # No artifact holds NaN; a number in its place is taken out again.
        equal = writer.add("Equal", [value, writer.weight(np.nan_to_num(self.numbers)[None])])
        if self.missing is not None:
            absent = writer.add("Not", [writer.add("Equal", [value, value])])
            own = writer.weight(np.isnan(self.numbers)[None])
            equal = writer.add("And", [equal, writer.weight(~np.isnan(self.numbers)[None])])
            equal = writer.add("Or", [equal, writer.add("And", [absent, own])])
        return writer.doubled(equal)

    def probe(self, random: np.random.Generator, rows: int) -> FloatArray:
        """Return rows (N,) of numbers that are among them, between them and beyond; 0 for text."""
        if self.numbers is None:
            return np.zeros(rows)
        there = self.numbers[~np.isnan(self.numbers)]
        if not len(there):
            return np.zeros(rows)
        drawn = random.choice(there, size=rows)
        moved = np.where(random.random(rows) < 0.2, random.normal(size=rows), 0.0)
        return np.asarray(drawn + moved)

    def value(self, place: FloatArray) -> FloatArray:
        """Return the numbers at some places; 0 for text, which is drawn from its list."""
        if self.numbers is None:
            return np.zeros(len(place))
        filled = np.where(np.isnan(self.numbers), 0.0, self.numbers)
        return np.asarray(filled[place.astype(np.int64)])


def categories(given: object, what: str) -> Categories:
    """Read the categories of a column.

    Parameters
    ----------
    given : object
        From a file: a line of text, or of numbers, of which one may be missing.
    what : str
        For messages.

    Returns
    -------
    Categories

    Raises
    ------
    InconsistentModelError, UnsupportedModelError
    """
    given = written(given)
    if not isinstance(given, np.ndarray) or given.ndim != 1 or given.dtype.kind not in "biufUSO":
        raise InconsistentModelError(f"{what} is not a line of categories")
    if not 0 < len(given) <= _MOST:
        raise InconsistentModelError(f"{what} has {len(given)} categories")
    values: list[Any] = given.tolist()
    if any(isinstance(one, str) for one in values):
        texts = tuple(None if _is_missing(one) else one for one in values)
        if not all(one is None or isinstance(one, str) for one in texts):
            raise UnsupportedModelError(f"{what} has text and numbers in one column")
        if len(set(texts)) < len(texts):
            raise InconsistentModelError(f"{what} has a category twice")
        return Categories(texts, None, any(one is None for one in values))
    if all(one is None for one in values):
        return Categories((None,), None, counted=True)
    if not all(isinstance(one, bool | int | float) for one in values):
        raise UnsupportedModelError(f"{what} has categories that are neither text nor numbers")
    if any(abs(one) > _EXACT for one in values if isinstance(one, int)):
        raise UnsupportedModelError(f"{what} has whole numbers that float64 does not hold")
    numbers = np.array([float(one) for one in values])
    if np.isinf(numbers).any():
        raise UnsupportedModelError(f"{what} has an infinite category")
    if len(set(numbers[~np.isnan(numbers)].tolist())) + int(np.isnan(numbers).sum() > 0) < len(
        numbers
    ):
        raise InconsistentModelError(f"{what} has a category twice")
    return Categories(None, numbers)


def written(given: Any) -> Any:
    """Return dates as text, the way in which a graph takes them: 2023-01-31, or with a time.

    Parameters
    ----------
    given : object
        From a file.

    Returns
    -------
    object
        A line of text and NaN, or what is no line of dates as it is.
    """
    if not isinstance(given, np.ndarray) or given.ndim != 1 or given.dtype.kind != "M":
        return given
    texts = [np.datetime_as_string(one, unit="auto") for one in given]
    found = np.empty(len(given), dtype=object)
    found[:] = [
        np.nan if gone else str(one) for one, gone in zip(texts, np.isnat(given), strict=True)
    ]
    return found


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and np.isnan(value))
