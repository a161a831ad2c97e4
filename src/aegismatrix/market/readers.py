"""Tables as people keep them, dated or not: CSV files and pandas frames, read into arrays.

Knows headers and cells; knows nothing about markets. A cell that is blank becomes NaN, and
a cell that cannot be read is an error: nothing is guessed.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from aegismatrix.errors import BarsError, MissingExtraError
from aegismatrix.market.arrays import DateUnit, FloatArray, Table, parsed, read_dates
from aegismatrix.market.errors import (
    ColumnError,
    EmptyBarsError,
    FileUnreadableError,
    UnreadableCellError,
)

if TYPE_CHECKING:
    import pandas as pd

_MAX_FILE_BYTES = 64 * 1024 * 1024
_DATE_HEADERS = ("date", "datetime", "timestamp", "time", "day", "trade date", "observation date")
_HEADERS: Mapping[str, tuple[str, ...]] = {
    "open": ("open", "open price", "opening price"),
    "high": ("high", "high price"),
    "low": ("low", "low price"),
    "close": ("close", "close price", "closing price", "price"),
    "strike": ("strike", "strike price"),
    "call open interest": ("call open interest", "call oi", "calls oi", "ce oi"),
    "put open interest": ("put open interest", "put oi", "puts oi", "pe oi"),
}
_OPTION_COLUMNS = ("strike", "call open interest", "put open interest")
_OPTION_COLUMNS_REMEDY = (
    "Name the columns strike, call open interest (or CE OI) and put open interest (or PE OI), each"
    " once, in any case."
)
_IV_HEADERS = (*_HEADERS["close"], "iv", "vix", "india vix", "vixcls")
_BLANKS = frozenset({"", ".", "-", "--", "na", "n/a", "null", "none", "nan", "#n/a"})
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|infinity)", re.IGNORECASE)
_GROUPED_NUMBER = re.compile(r"[+-]?\d{1,3}(,\d{2,3})*,\d{3}(\.\d+)?")


class _Sheet(NamedTuple):
    """The text of a file: its header and, with their line numbers, its rows."""

    header: list[str]
    rows: list[tuple[int, list[str]]]
    delimiter: str


def read_csv(
    path: str | os.PathLike[str],
    *,
    required: Sequence[str],
    optional: Sequence[str] = (),
    date_format: str | None = None,
    clock: tzinfo | None = None,
    unit: DateUnit = "D",
) -> Table:
    """Read a comma-, semicolon- or tab-separated file with a header and a column of dates.

    Parameters
    ----------
    path : path-like
        The file, UTF-8, at most 64 MiB. Leading lines that start with ``#`` are comments.
    required, optional : sequence of str
        Columns among ``open high low close iv``; ``iv`` is a close by any of its names.
    date_format : str, optional
        How dates are written, as for `datetime.strptime`; ISO 8601 is read besides. Without it ISO
        8601 and dates with a month's name are; ``03/04/2024`` is refused, since it means two days.
    clock : tzinfo, optional
        The exchange's: stamps that carry an offset are moved to it before the date is taken.
    unit : {'D', 's'}
        Days, or moments: then stamps that carry an offset are moved to UTC, and others are UTC.

    Returns
    -------
    Table

    Raises
    ------
    FileUnreadableError, EmptyBarsError, ColumnError, UnreadableCellError
        Naming the file and, where there is one, the line.
    """
    source = path_text(path)
    _check_date_format(date_format, source, unit)
    sheet = _read_sheet(source)
    date_place = _date_place(sheet.header, source)
    places = _column_places(sheet.header, required, optional, source)
    _check_sheet(sheet, source)
    stamps = [(line, cells[date_place]) for line, cells in sheet.rows]
    dates = read_dates(stamps, source, clock=clock, unit=unit, date_format=date_format)
    return Table(source, dates, _sheet_columns(sheet, places, source))


def read_csv_columns(
    path: str | os.PathLike[str], *, required: Sequence[str]
) -> Mapping[str, FloatArray]:
    """Read a file like those of `read_csv`, but without dates.

    Parameters
    ----------
    path : path-like
        As for `read_csv`.
    required : sequence of str
        Columns among ``strike``, ``call open interest`` and ``put open interest``.

    Returns
    -------
    mapping of str to ndarray of shape (K,), float64
        NaN where a cell was blank.

    Raises
    ------
    FileUnreadableError, EmptyBarsError, ColumnError, UnreadableCellError
        Naming the file and, where there is one, the line.
    """
    source = path_text(path)
    sheet = _read_sheet(source)
    places = _column_places(sheet.header, required, (), source)
    _check_sheet(sheet, source)
    return _sheet_columns(sheet, places, source)


def read_frame(
    frame: pd.DataFrame | pd.Series[Any],
    *,
    source: str,
    required: Sequence[str],
    optional: Sequence[str] = (),
    clock: tzinfo | None = None,
    unit: DateUnit = "D",
) -> Table:
    """Read a dated pandas frame, or a series for a single column.

    Parameters
    ----------
    frame : DataFrame or Series
        With a DatetimeIndex (naive or tz-aware) or, for frames, a column of dates. Columns by the
        names that `read_csv` knows; the two-level columns of a download of one ticker are
        accepted.
    source : str
        What to call it in messages.
    required, optional, clock, unit
        As for `read_csv`.

    Returns
    -------
    Table

    Raises
    ------
    MissingExtraError
        If pandas is not installed.
    EmptyBarsError, ColumnError, UnreadableCellError
    """
    pandas = _pandas()
    table = _one_level(frame, required, source, "date")
    header = [_normal(str(name)) for name in table.columns]
    if isinstance(table.index, pandas.DatetimeIndex):
        stamps: Iterable[object] = table.index.tolist()
    else:
        stamps = table.iloc[:, _date_place(header, source)].tolist()
    dates = read_dates(list(enumerate(stamps)), source, clock=clock, unit=unit)
    places = _column_places(header, required, optional, source)
    return Table(source, dates, _frame_columns(table, places, source))


def read_frame_columns(
    frame: pd.DataFrame, *, source: str, required: Sequence[str]
) -> Mapping[str, FloatArray]:
    """Read a pandas frame without dates.

    Parameters
    ----------
    frame : DataFrame
        Columns by the names that `read_csv` knows; an index with a name is a column too.
    source : str
        What to call it in messages.
    required : sequence of str
        As for `read_csv_columns`.

    Returns
    -------
    mapping of str to ndarray of shape (K,), float64
        NaN where a cell was blank.

    Raises
    ------
    MissingExtraError
        If pandas is not installed.
    EmptyBarsError, ColumnError, UnreadableCellError
    """
    table = _one_level(frame, required, source, required[0])
    if table.index.name is not None and table.index.name not in table.columns:
        table = table.reset_index()
    header = [_normal(str(name)) for name in table.columns]
    return _frame_columns(table, _column_places(header, required, (), source), source)


def path_text(path: object) -> str:
    """Return a path as text.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    str

    Raises
    ------
    FileUnreadableError
        If it is none.
    """
    if isinstance(path, (str, os.PathLike)):
        text = os.fspath(path)
        if isinstance(text, str):
            return text
    raise FileUnreadableError(repr(path), "it is not a path")


def _read_sheet(source: str) -> _Sheet:
    lines = _read_text(source).splitlines()
    skipped = 0
    while skipped < len(lines) and (
        not lines[skipped].strip() or lines[skipped].lstrip().startswith("#")
    ):
        skipped += 1
    if skipped == len(lines):
        raise EmptyBarsError(source)
    delimiter = max(",;\t", key=lines[skipped].count)
    reader = csv.reader(io.StringIO("\n".join(lines[skipped:])), delimiter=delimiter)
    try:
        header = [_normal(name) for name in next(reader)]
        rows = [
            (skipped + reader.line_num, cells)
            for cells in reader
            if any(cell.strip() for cell in cells)
        ]
    except csv.Error as error:
        raise FileUnreadableError(source, str(error)) from error
    return _Sheet(header, rows, delimiter)


def _check_sheet(sheet: _Sheet, source: str) -> None:
    if not sheet.rows:
        raise EmptyBarsError(source)
    for line, cells in sheet.rows:
        if len(cells) != len(sheet.header):
            raise UnreadableCellError(
                source=source,
                line=line,
                column=f"row of {len(sheet.header)} cells",
                text=sheet.delimiter.join(cells)[:80],
                remedy="Mend the line: it has more or fewer cells than the header.",
            )


def _sheet_columns(sheet: _Sheet, places: Mapping[str, int], source: str) -> dict[str, FloatArray]:
    return {
        name: np.array(
            [_read_number(cells[place], source, line, name) for line, cells in sheet.rows],
            dtype=np.float64,
        )
        for name, place in places.items()
    }


def _pandas() -> Any:
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingExtraError("pandas", extra="frames") from error
    return pd


def _one_level(
    frame: pd.DataFrame | pd.Series[Any], required: Sequence[str], source: str, key: str
) -> pd.DataFrame:
    pandas = _pandas()
    if isinstance(frame, pandas.Series):
        if len(required) != 1:
            raise _no_column(required[0], source, [str(frame.name)], "is missing")
        frame = frame.to_frame(required[0])
    elif not isinstance(frame, pandas.DataFrame):
        raise _no_column(key, source, [type(frame).__name__], "needs a frame")
    table = cast("pd.DataFrame", frame)
    if not len(table):
        raise EmptyBarsError(source)
    if table.columns.nlevels > 1:
        table = table.set_axis(_named_level(table.columns, required, source), axis=1)
    return table


def _frame_columns(
    table: pd.DataFrame, places: Mapping[str, int], source: str
) -> dict[str, FloatArray]:
    columns = {}
    for name, place in places.items():
        values = table.iloc[:, place]
        if values.dtype.kind in "iuf":
            columns[name] = values.to_numpy(dtype=np.float64, na_value=np.nan)
        else:
            cells = values.astype(object).where(values.notna(), "")
            columns[name] = np.array(
                [_read_number(str(cell), source, row, name) for row, cell in enumerate(cells)]
            )
    return columns


def _read_text(source: str) -> str:
    try:
        with Path(source).open("rb") as file:
            data = file.read(_MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise FileUnreadableError(source, reason) from error
    if len(data) > _MAX_FILE_BYTES:
        raise FileUnreadableError(source, f"it is larger than {_MAX_FILE_BYTES} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileUnreadableError(source, f"it is not UTF-8 ({error.reason})") from error


def _normal(header: str) -> str:
    return " ".join(re.sub(r"[^a-z0-9]+", " ", header.strip().lower()).split())


def _date_place(header: Sequence[str], source: str) -> int:
    places = [i for i, name in enumerate(header) if name in _DATE_HEADERS]
    if len(places) > 1:
        raise ColumnError("date", source=source, found=header, reason="is there more than once")
    if places:
        return places[0]
    if header and header[0] in ("", "unnamed 0"):
        return 0
    raise ColumnError("date", source=source, found=header)


def _column_places(
    header: Sequence[str], required: Sequence[str], optional: Sequence[str], source: str
) -> dict[str, int]:
    found = {}
    for column in (*required, *optional):
        places = [i for i, name in enumerate(header) if name in _names_of(column)]
        if len(places) > 1:
            raise _no_column(column, source, header, "is there more than once")
        if places:
            found[column] = places[0]
        elif column in required:
            raise _no_column(column, source, header, "is missing")
    return found


def _no_column(column: str, source: str, header: Sequence[str], reason: str) -> ColumnError:
    if column not in _OPTION_COLUMNS:
        return ColumnError(column, source=source, found=header, reason=reason)
    return ColumnError(
        column, source=source, found=header, reason=reason, remedy=_OPTION_COLUMNS_REMEDY
    )


def _named_level(columns: pd.Index[Any], required: Sequence[str], source: str) -> pd.Index[Any]:
    """The level of a download's columns that says high, low, close; the other says the ticker."""
    levels = [columns.get_level_values(number) for number in range(columns.nlevels)]
    # The ticker ^VIX reads as a name of iv, so the level with more distinct names goes first.
    for level in sorted(levels, key=lambda level: -level.nunique()):
        if any(_normal(str(name)) in _names_of(column) for name in level for column in required):
            return level
    raise ColumnError(required[0], source=source, found=[str(column) for column in columns])


def _names_of(column: str) -> tuple[str, ...]:
    return _IV_HEADERS if column == "iv" else _HEADERS[column]


def _read_number(text: str, source: str, line: int, column: str) -> float:
    cell = text.strip()
    if cell.lower() in _BLANKS:
        return np.nan
    if _GROUPED_NUMBER.fullmatch(cell):
        cell = cell.replace(",", "")
    if not _NUMBER.fullmatch(cell):
        raise UnreadableCellError(
            source=source,
            line=line,
            column=column,
            text=text[:80],
            remedy="Write numbers with a decimal point, as in 23644.80.",
        )
    return float(cell)


def _check_date_format(date_format: str | None, source: str, unit: DateUnit) -> None:
    if date_format is None:
        return
    probe = datetime(2024, 12, 31) if unit == "D" else datetime(2024, 12, 31, 15, 25)
    # A format with %z says a moment only together with its offset.
    for told in (probe, probe.replace(tzinfo=timezone.utc)):
        if _written_and_read(told, date_format) == told:
            return
    what, example = ("day", "%d/%m/%Y") if unit == "D" else ("minute", "%d/%m/%Y %H:%M%z")
    raise BarsError(
        f"{source}: the date format {date_format!r} does not say a {what}.",
        remedy=f"Write it as for datetime.strptime, such as {example}.",
    )


def _written_and_read(moment: datetime, date_format: object) -> datetime | None:
    if not isinstance(date_format, str):
        return None
    try:
        return parsed(moment.strftime(date_format), date_format)
    except ValueError:
        return None
