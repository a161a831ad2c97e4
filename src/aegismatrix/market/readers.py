"""Tables as people keep them, dated or not: CSV files and frames, read into arrays.

Knows headers and cells; knows nothing about markets. A cell that is blank becomes NaN, and
a cell that cannot be read is an error: nothing is guessed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone, tzinfo
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from aegismatrix import errors
from aegismatrix.errors import BarsError, shown
from aegismatrix.market.arrays import (
    DateArray,
    DateUnit,
    FloatArray,
    Table,
    check_rising,
    named,
    oldest_first,
    parsed,
    read_dates,
)
from aegismatrix.market.cells import read_numbers
from aegismatrix.market.headers import (
    column_places,
    date_format_of,
    date_place,
    expiry_place,
    fields_of,
    with_sides,
)
from aegismatrix.market.sheets import Sheet, check_sheet, path_text, read_sheet

if TYPE_CHECKING:
    import pandas as pd

    from aegismatrix.market.frames import FrameColumns

_LONGEST_FORMAT = 100

FilePath = str | os.PathLike[str]
"""The path of a file."""


class Undated(NamedTuple):
    """Columns of numbers without dates, and what the column of expiries says, row by row."""

    columns: Mapping[str, FloatArray]
    expiries: tuple[str, ...] | None


def read_csv(
    path: FilePath | Sequence[FilePath],
    *,
    required: Sequence[str],
    optional: Sequence[str] = (),
    date_format: str | None = None,
    clock: tzinfo | None = None,
    unit: DateUnit = "D",
    ticker: str | None = None,
) -> Table:
    """Read comma-, semicolon- or tab-separated files with a header and a column of dates.

    Each file is UTF-8, of at most 64 MiB; leading lines that start with ``#`` are comments. Several
    files are the parts of one series; they are joined oldest first, and must not contradict each
    other. Columns are among ``open high low close iv``, where ``iv`` is a close by any of its
    names. Dates are read as ISO 8601 or `date_format`; without that, dates with a month's name are
    read too, and those of libraries that are known by their headers, but not ``03/04/2024``, which
    means two days. `clock` and `unit` are as for `as_dates`.
    """
    sources = paths_of(path)
    _check_date_format(date_format, sources[0], unit)
    tables = [
        _read_file(source, required, optional, date_format, clock, unit, ticker)
        for source in sources
    ]
    return tables[0] if len(tables) == 1 else _merged(tables, required)


def read_csv_columns(path: FilePath, *, required: Sequence[str]) -> Undated:
    """Read the strikes and open interest of a file, as `read_csv` reads files, without dates."""
    source = path_text(path)
    sheet = read_sheet(source)
    header = with_sides(sheet.header, sheet.above)
    places = column_places(header, required, (), source)
    check_sheet(sheet, source)
    place = expiry_place(header)
    expiries = None if place is None else tuple(cells[place] for _, cells in sheet.rows)
    return Undated(_sheet_columns(sheet, places, source), expiries)


def read_frame(
    frame: pd.DataFrame | pd.Series[Any] | Any,
    *,
    source: str,
    required: Sequence[str],
    optional: Sequence[str] = (),
    clock: tzinfo | None = None,
    unit: DateUnit = "D",
    ticker: str | None = None,
) -> Table:
    """Read a dated frame, as `read_csv` reads files, or a series for a single column.

    Dates are a DatetimeIndex of pandas, naive or tz-aware, or a column; a download's two levels of
    columns are accepted.
    """
    from aegismatrix.market.frames import columns_of

    columns = columns_of(frame, required, source, "date", ticker)
    dates = columns.stamps(clock, unit)
    places = column_places(columns.header, required, optional, source)
    table = Table(source, dates, columns.numbers(places, source))
    return _without_rows_of_others(table) if columns.one_of_many else table


def read_frame_columns(
    frame: pd.DataFrame | Any, *, source: str, required: Sequence[str]
) -> Undated:
    """Read a frame without dates; a named index is a column too, and a blank cell is NaN."""
    from aegismatrix.market.frames import columns_of

    columns = columns_of(frame, required, source, required[0])
    places = column_places(columns.header, required, (), source)
    return Undated(columns.numbers(places, source), _expiries(columns))


def paths_of(given: FilePath | Sequence[FilePath]) -> tuple[str, ...]:
    """Return the paths of the files of one series; refuse what is no path, and no path at all."""
    if not isinstance(given, list | tuple):
        return (path_text(given),)
    if not given:
        raise errors.FileUnreadableError(shown(given), "it names no file")
    return tuple(path_text(one) for one in given)


def name_of(paths: FilePath | Sequence[FilePath]) -> str:
    """Return the names of the files of one series, without their folders."""
    names = [os.path.basename(path) for path in paths_of(paths)]  # noqa: PTH119
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _read_file(
    source: str,
    required: Sequence[str],
    optional: Sequence[str],
    date_format: str | None,
    clock: tzinfo | None,
    unit: DateUnit,
    ticker: str | None,
) -> Table:
    sheet = read_sheet(source)
    header, one_of_many = sheet.header, False
    if sheet.levels:
        fields, one_of_many = fields_of(sheet.levels, required, source, ticker)
        header = [header[0], *fields]
    stamped = date_place(header, source)
    places = column_places(header, required, optional, source)
    check_sheet(sheet, source)
    stamps = [(line, cells[stamped]) for line, cells in sheet.rows]
    told = date_format or date_format_of(header)
    dates = read_dates(stamps, source, clock=clock, unit=unit, date_format=told)
    table = Table(source, dates, _sheet_columns(sheet, places, source))
    return _without_rows_of_others(table) if one_of_many else table


def _merged(tables: Sequence[Table], required: Sequence[str]) -> Table:
    """Join the parts of one series; a row that several have must be the same in all of them."""
    parts = [oldest_first(table, name_of(table.source)) for table in tables]
    for part in parts:
        check_rising(part.dates, part.source)
    whole = parts[0]
    for part in parts[1:]:
        whole = _joined(whole, part, required)
    return replace(whole, source=", ".join(table.source for table in tables))


def _joined(one: Table, other: Table, required: Sequence[str]) -> Table:
    _, in_one, in_other = np.intersect1d(
        one.dates, other.dates, assume_unique=True, return_indices=True
    )
    new = np.setdiff1d(np.arange(len(other.dates)), in_other)
    dates: DateArray = np.concatenate([one.dates, other.dates[new]])
    order = np.argsort(dates, kind="stable")
    columns = {}
    for name in dict.fromkeys([*one.columns, *other.columns]):
        known = one.columns.get(name, np.full(len(one.dates), np.nan))
        added = other.columns.get(name, np.full(len(other.dates), np.nan))
        before, after = known[in_one], added[in_other]
        differ = ~((before == after) | (np.isnan(before) & np.isnan(after)))
        if name not in required:
            differ &= ~(np.isnan(before) | np.isnan(after))
        if differ.any():
            rows = named(np.isin(np.arange(len(one.dates)), in_one[differ]), one.dates)
            raise errors.BarRowsError(
                other.source, "contradicting", column=name, dates=rows["dates"]
            )
        filled = known.copy()
        filled[in_one] = np.where(np.isnan(before), after, before)
        columns[name] = np.concatenate([filled, added[new]])[order]
    notes = dict.fromkeys([*one.notes, *other.notes])
    return Table(one.source, dates[order], columns, tuple(notes))


def _without_rows_of_others(table: Table) -> Table:
    """Leave out the days of a download on which this ticker has nothing and another has."""
    blank = np.isnan(np.stack(list(table.columns.values()))).all(axis=0)
    if not blank.any():
        return table
    columns = {name: values[~blank] for name, values in table.columns.items()}
    note = (
        f"{name_of(table.source)}: {int(blank.sum())} rows of another ticker alone were left out."
    )
    return Table(table.source, table.dates[~blank], columns, (*table.notes, note))


def _expiries(columns: FrameColumns) -> tuple[str, ...] | None:
    place = expiry_place(columns.header)
    return None if place is None else tuple(str(cell) for cell in columns.values(place).tolist())


def _sheet_columns(sheet: Sheet, places: Mapping[str, int], source: str) -> dict[str, FloatArray]:
    lines = [line for line, _ in sheet.rows]
    return {
        name: read_numbers([cells[place] for _, cells in sheet.rows], lines, source, name)
        for name, place in places.items()
    }


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
        f"{source}: the date format {shown(date_format)} does not say a {what}.",
        remedy=f"Write it as for datetime.strptime, such as {example}.",
    )


def _written_and_read(moment: datetime, date_format: object) -> datetime | None:
    if not isinstance(date_format, str) or len(date_format) > _LONGEST_FORMAT:
        return None
    try:
        return parsed(moment.strftime(date_format), date_format)
    except (ValueError, MemoryError):
        # No such directive, or one that asks for a text of any width.
        return None
