"""Frames of other libraries, column by column: pandas, Polars and Arrow.

Polars and Arrow are recognised by the module of the frame's type and read through their own way to
numpy: whoever has such a frame has the library, and nobody else needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timezone, tzinfo
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from aegismatrix import errors
from aegismatrix.errors import MissingExtraError
from aegismatrix.market.arrays import (
    DateArray,
    DateUnit,
    FloatArray,
    as_dates,
    clock_named,
    read_dates,
)
from aegismatrix.market.cells import read_numbers
from aegismatrix.market.headers import (
    date_format_of,
    date_place,
    fields_of,
    no_column,
    normal,
    with_sides,
)
from aegismatrix.records import dataclass

if TYPE_CHECKING:
    import pandas as pd

_POLARS, _ARROW = "polars", "pyarrow"


@dataclass(frozen=True)
class FrameColumns:
    """A frame's columns by normal names, whatever library made it.

    `one_of_many` says whether they are those of one of several tickers. `stamps` reads the dates of
    an index or a column; `values` returns the cells of a column by its place: numbers, or objects.
    """

    header: list[str]
    one_of_many: bool
    stamps: Callable[[tzinfo | None, DateUnit], DateArray]
    values: Callable[[int], NDArray[Any]]

    def numbers(self, places: Mapping[str, int], source: str) -> dict[str, FloatArray]:
        """Read columns of numbers; a blank cell becomes NaN, as in a file."""
        return {name: self._numbers(place, source, name) for name, place in places.items()}

    def _numbers(self, place: int, source: str, name: str) -> FloatArray:
        values = self.values(place)
        if values.dtype.kind in "iuf":
            return values.astype(np.float64)
        cells = ["" if _is_blank(cell) else str(cell) for cell in values]
        return read_numbers(cells, range(len(cells)), source, name)


def columns_of(
    frame: Any, required: Sequence[str], source: str, key: str, ticker: str | None = None
) -> FrameColumns:
    """Take apart a frame of pandas or Polars, an Arrow table, or a series of pandas.

    A series is a frame of the one required column. What is no frame is refused for want of `key`.
    """
    library = _library_of(frame)
    if library == _POLARS and hasattr(frame, "get_columns"):
        return _foreign(list(frame.columns), frame.get_columns().__getitem__, len(frame), source)
    if library == _ARROW and hasattr(frame, "column_names"):
        return _foreign(list(frame.column_names), frame.column, frame.num_rows, source)
    if library is not None:
        raise errors.ColumnError(
            key,
            source=source,
            found=[type(frame).__name__],
            reason="needs a frame",
            remedy="Give a DataFrame of Polars (after collect()) or a Table of Arrow, with its"
            " dates as a column.",
        )
    return _of_pandas(frame, required, source, key, ticker)


def _library_of(frame: object) -> str | None:
    """The library of foreign frames that a type, or one that it inherits from, is of."""
    modules = {kind.__module__.partition(".")[0] for kind in type(frame).__mro__}
    return next((name for name in (_POLARS, _ARROW) if name in modules), None)


def _foreign(
    names: list[str], column: Callable[[int], Any], rows: int, source: str
) -> FrameColumns:
    header = with_sides([normal(name) for name in names])
    if not rows:
        raise errors.EmptyBarsError(source)

    def values(place: int) -> NDArray[Any]:
        return _as_numpy(column(place), names[place], source)

    def stamps(clock: tzinfo | None, unit: DateUnit) -> DateArray:
        place = date_place(header, source)
        days = values(place)
        zone = _zone_of(column(place))
        if days.dtype.kind != "M":
            lines = list(enumerate(days.tolist()))
            told = date_format_of(header)
            return read_dates(lines, source, clock=clock, unit=unit, date_format=told)
        if zone is None or unit == "s" or np.isnat(days).any():
            return as_dates(days, source, clock, unit=unit)
        moments = days.astype("datetime64[us]").tolist()
        local = clock_named(zone) if clock is None else clock
        lines = [
            (row, moment.replace(tzinfo=timezone.utc).astimezone(local))
            for row, moment in enumerate(moments)
        ]
        return read_dates(lines, source, clock=clock, unit=unit)

    return FrameColumns(header, False, stamps, values)


def _as_numpy(column: Any, name: str, source: str) -> NDArray[Any]:
    try:
        # A column of an Arrow batch is one array, and refuses a copy that was not asked for.
        in_chunks = _library_of(column) != _ARROW or hasattr(column, "num_chunks")
        cells = column.to_numpy() if in_chunks else column.to_numpy(zero_copy_only=False)
        if np.ndim(cells) != 1:
            raise TypeError(f"{np.ndim(cells)} dimensions")
        return np.asarray(cells)
    except (NotImplementedError, TypeError, ValueError) as error:
        raise errors.ColumnError(
            name,
            source=source,
            found=[str(getattr(column, "type", getattr(column, "dtype", "")))],
            reason="has a type that is neither numbers nor text nor dates",
            remedy="Cast the column to numbers, dates or text first.",
        ) from error


def _zone_of(column: Any) -> str | None:
    """The time zone of a column of moments, whose numpy array has them in UTC."""
    kind = getattr(column, "type", None) or getattr(column, "dtype", None)
    zone = getattr(kind, "tz", None) or getattr(kind, "time_zone", None)
    return None if zone is None else str(zone)


def _of_pandas(
    frame: Any, required: Sequence[str], source: str, key: str, ticker: str | None
) -> FrameColumns:
    pandas = _pandas()
    if isinstance(frame, pandas.Series):
        if len(required) != 1:
            raise no_column(required[0], source, [str(frame.name)], "is missing")
        frame = frame.to_frame(required[0])
    elif not isinstance(frame, pandas.DataFrame):
        raise no_column(key, source, [type(frame).__name__], "needs a frame")
    table = cast("pd.DataFrame", frame)
    if not len(table):
        raise errors.EmptyBarsError(source)
    one_of_many = False
    if table.columns.nlevels > 1:
        levels = [
            [str(name) for name in table.columns.get_level_values(number)]
            for number in range(table.columns.nlevels)
        ]
        header, one_of_many = fields_of(levels, required, source, ticker)
    elif key != "date" and table.index.name is not None and table.index.name not in table.columns:
        table = table.reset_index()
        header = [normal(str(name)) for name in table.columns]
    else:
        header = [normal(str(name)) for name in table.columns]
    header = with_sides(header)

    def stamps(clock: tzinfo | None, unit: DateUnit) -> DateArray:
        if isinstance(table.index, pandas.DatetimeIndex):
            given = table.index.tolist()
        else:
            given = table.iloc[:, date_place(header, source)].tolist()
        told = date_format_of(header)
        lines = list(enumerate(given))
        return read_dates(lines, source, clock=clock, unit=unit, date_format=told)

    def values(place: int) -> NDArray[Any]:
        cells = table.iloc[:, place]
        if cells.dtype.kind in "iuf":
            return np.asarray(cells.to_numpy(dtype=np.float64, na_value=np.nan))
        return np.asarray(cells.astype(object).where(cells.notna(), None), dtype=object)

    return FrameColumns(header, one_of_many, stamps, values)


def _is_blank(cell: Any) -> bool:
    return cell is None or (isinstance(cell, float) and cell != cell)


def _pandas() -> Any:
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingExtraError("pandas", extra="frames") from error
    return pd
