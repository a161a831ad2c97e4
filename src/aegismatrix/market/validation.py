"""What market data of every kind is checked for, and how its arrays are kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

import numpy as np

from aegismatrix.errors import BarsError
from aegismatrix.market.errors import BarRowsError, FrozenBarsError, LengthMismatchError, ScaleError
from aegismatrix.market.readers import DateArray, FloatArray

MAX_LOG_MOVE = 0.5
"""A larger move of an index in one session is a change of unit, not a market."""

MIN_INDEX_POINTS, MAX_INDEX_POINTS = 1e-6, 1e12
"""No index has ever stood outside of these; between them no arithmetic on prices overflows."""

_RANGE_TOLERANCE = 1e-4
# Kinds that numpy converts to floats all the same.
_NO_REAL_NUMBERS = {"c": "complex numbers", "M": "dates", "m": "durations", "b": "truth values"}


class ReadOnlyArrays:
    """Base of dataclasses of arrays: what was read-only stays so through pickle."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        # numpy forgets on its way through pickle that an array was read-only.
        self.__dict__.update(
            {k: read_only(v) if isinstance(v, np.ndarray) else v for k, v in state.items()}
        )


class NamedRows(TypedDict):
    """Rows and their dates, as errors take them."""

    rows: list[int]
    dates: list[str]


def read_only(values: Any) -> Any:
    """Return a copy that nobody can write to."""
    # A read-only view may be of an array that its owner still writes to.
    kept = values.copy()
    kept.flags.writeable = False
    return kept


def as_floats(values: Any, source: str, column: str) -> FloatArray:
    """Read an array of real numbers; a masked value becomes NaN.

    Parameters
    ----------
    values : array-like
        Of any shape.
    source, column : str
        What to call them in messages.

    Returns
    -------
    ndarray, float64

    Raises
    ------
    BarsError
        For anything that is not real numbers.
    """
    try:
        array = values if hasattr(values, "filled") else np.asarray(values)
        if array.dtype.kind in _NO_REAL_NUMBERS:
            raise TypeError(_NO_REAL_NUMBERS[array.dtype.kind])
        # A number beyond those of float64 becomes infinite, which no market data may be.
        with np.errstate(over="ignore"):
            floats = array.astype(np.float64)
        # A masked value is one that is not known; numpy would hand on what the mask hides.
        return np.asarray(floats.filled(np.nan) if hasattr(floats, "filled") else floats)
    except (TypeError, ValueError, OverflowError) as error:
        raise BarsError(
            f"{source}: {column} is not an array of numbers ({error}).",
            remedy="Give floats, one per row.",
        ) from error


def named(mask: Any, dates: DateArray) -> NamedRows:
    """Name the rows of a mask by position and ISO 8601 date or UTC moment."""
    rows = np.flatnonzero(mask)
    zone = "" if dates.dtype == np.dtype("datetime64[D]") else "Z"
    return {"rows": rows.tolist(), "dates": [f"{date}{zone}" for date in dates[rows].astype(str)]}


def check_source(source: object) -> None:
    """Refuse a source that is no text."""
    if not isinstance(source, str):
        raise BarsError(
            f"The source {source!r} is no text.", remedy="Give a name, such as that of the file."
        )


def check_lengths(arrays: Mapping[str, Any]) -> None:
    """Refuse arrays that are not one-dimensional and of one length."""
    shapes = {name: values.shape for name, values in arrays.items()}
    if len(set(shapes.values())) != 1 or any(len(shape) != 1 for shape in shapes.values()):
        raise LengthMismatchError(shapes)


def check_rising(dates: DateArray, source: str) -> None:
    """Refuse dates or moments that do not rise strictly."""
    steps = np.diff(dates.astype(np.int64), prepend=np.int64(-(2**40)))
    if (steps < 0).any():
        raise BarRowsError(source, "unsorted", **named(steps < 0, dates))
    if (steps == 0).any():
        raise BarRowsError(source, "duplicate", **named(steps == 0, dates))


def check_positive(values: FloatArray, dates: DateArray, source: str, column: str) -> None:
    """Refuse values that are not finite and above 0."""
    if not np.isfinite(values).all():
        rows = named(~np.isfinite(values), dates)
        raise BarRowsError(source, "not_finite", column=column, **rows)
    if (values <= 0).any():
        raise BarRowsError(source, "not_positive", column=column, **named(values <= 0, dates))


def check_index_scale(close: FloatArray, dates: DateArray, source: str) -> None:
    """Refuse prices that no index has had, and moves that only a change of unit explains."""
    absurd = (close < MIN_INDEX_POINTS) | (close > MAX_INDEX_POINTS)
    if absurd.any():
        rows = named(absurd, dates)
        raise ScaleError(
            "close",
            seen=float(close[rows["rows"][0]]),
            what=f"{source}: close is not within {MIN_INDEX_POINTS:g} to {MAX_INDEX_POINTS:g}"
            " points in",
            remedy="Give index points.",
            **rows,
        )
    moved = np.abs(np.diff(np.log(close), prepend=np.log(close[0])))
    if (moved > MAX_LOG_MOVE).any():
        rows = named(moved > MAX_LOG_MOVE, dates)
        raise ScaleError(
            "close",
            seen=float(close[rows["rows"][0]]),
            what=f"{source}: close moves by more than {MAX_LOG_MOVE} in log in one"
            " session, a change of unit or of series, in",
            remedy="Give one index in one unit throughout.",
            **rows,
        )


def check_bar_shape(
    high: FloatArray,
    low: FloatArray,
    inside: Mapping[str, FloatArray],
    dates: DateArray,
    source: str,
) -> None:
    """Refuse bars that contradict themselves.

    Parameters
    ----------
    high, low : ndarray of shape (T,)
        Index points.
    inside : mapping of str to ndarray of shape (T,)
        Columns that lie between them, but for rounding.
    dates : ndarray of shape (T,)
        To name rows by.
    source : str
        What to call the bars in messages.

    Raises
    ------
    BarRowsError
    """
    crossed = high < low
    if crossed.any():
        detail = "high is below low"
        raise BarRowsError(source, "inconsistent", detail=detail, **named(crossed, dates))
    for column, values in inside.items():
        outside = (values * (1 - _RANGE_TOLERANCE) > high) | (values < low * (1 - _RANGE_TOLERANCE))
        if outside.any():
            detail = f"{column} lies outside of low and high"
            raise BarRowsError(source, "inconsistent", detail=detail, **named(outside, dates))
    wide = np.log(high) - np.log(low) > MAX_LOG_MOVE
    if wide.any():
        detail = f"low and high are more than {MAX_LOG_MOVE} apart in log"
        raise BarRowsError(source, "inconsistent", detail=detail, **named(wide, dates))


def check_not_frozen(columns: Mapping[str, FloatArray], dates: DateArray, limit: int) -> None:
    """Refuse that many identical trailing rows, or more.

    Parameters
    ----------
    columns : mapping of str to ndarray of shape (T,)
        What a row consists of.
    dates : ndarray of shape (T,)
        To name rows by.
    limit : int
        Rows.

    Raises
    ------
    FrozenBarsError
    """
    rows = np.stack(list(columns.values()), axis=1)
    differs = np.flatnonzero((rows != rows[-1]).any(axis=1))
    count = len(rows) - (int(differs[-1]) + 1 if differs.size else 0)
    if count >= limit:
        same = np.arange(len(rows)) >= len(rows) - count
        raise FrozenBarsError(count=count, columns=tuple(columns), **named(same, dates))
