"""Arrays of market data: dates and numbers read from them, what they are checked for, how kept.

Knows no files and no market; the clock on which a stamp is read is given.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Any, Literal, TypedDict

import numpy as np
from numpy.typing import NDArray

from aegismatrix import errors
from aegismatrix.errors import BarsError
from aegismatrix.market.thresholds import MAX_INDEX_POINTS, MAX_LOG_MOVE, MIN_INDEX_POINTS

FloatArray = NDArray[np.float64]
DateArray = NDArray[np.datetime64]
ONE_DAY = np.timedelta64(1, "D")
"""A step of dates. numpy means to refuse bare integers where it means days."""

DateUnit = Literal["D", "s"]
"""Days as the exchange counts them, or moments: whole seconds in UTC."""

Day = str | date | np.datetime64
"""The exchange's day, however it is written: text is ISO 8601."""

FIRST_YEAR, LAST_YEAR = 1000, 9999
"""Days are of years of four digits: those that ISO 8601 and Python's dates write alike."""

_FIXED_OFFSET = re.compile(r"(?:UTC)?([+-])(\d{2}):(\d{2})")
_RANGE_TOLERANCE = 1e-4
_SECONDS_OF_A_DAY = 86_400.0
_ISO_DAY = len("2024-12-31")
_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
# Kinds that numpy converts to floats all the same.
_NO_REAL_NUMBERS = {"c": "complex numbers", "M": "dates", "m": "durations", "b": "truth values"}
_DATE_FORMATS = ("%d-%b-%Y", "%d %b %Y", "%b %d, %Y", "%d-%B-%Y", "%B %d, %Y", "%Y/%m/%d", "%Y%m%d")
_DATE_REMEDIES: Mapping[DateUnit, str] = {
    "D": "Write dates as YYYY-MM-DD, or say how they are written (date_format, --date-format).",
    "s": "Write moments to the second and with their offset, as in 2025-11-24T09:15:00+05:30, or"
    " say how they are written (date_format).",
}


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of numbers, one row per exchange date or UTC moment, in the order given.

    A blank cell is NaN. `notes` say what was done to read it that its rows do not show.
    """

    source: str
    dates: DateArray
    columns: Mapping[str, FloatArray]
    notes: tuple[str, ...] = ()


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
    """Read an array of real numbers, of any shape; a masked value becomes NaN."""
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


def as_dates(
    values: object,
    source: str,
    clock: tzinfo | None = None,
    *,
    unit: DateUnit = "D",
    timed: bool = False,
) -> DateArray:
    """Read dates or moments from datetime64, dates, datetimes or ISO strings.

    A day with an offset is moved to `clock`, the exchange's, before the date is taken. A moment
    (`unit` ``'s'``) is moved to UTC, and is UTC where it has no offset. Refuse a year that is not
    of four digits and a moment that is not in whole seconds. As days, refuse stamps of bars within
    days, and a time of day without an offset unless `timed`: whose day that is depends on where it
    was written.
    """
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        row = int(np.flatnonzero(np.ma.getmaskarray(values))[0])
        raise _bad_date(source, row, "masked", unit)
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise _bad_date(source, 0, str(values), unit) from error
    if np.issubdtype(array.dtype, np.datetime64):
        try:
            dates = array.astype(f"datetime64[{unit}]")
            years = dates.astype("datetime64[Y]").astype(np.int64) + 1970
        except OverflowError as error:
            raise _bad_date(source, 0, str(array.flat[0]), unit) from error
        unknown = np.isnat(dates) | (years < FIRST_YEAR) | (years > LAST_YEAR)
        if unit == "s":
            unknown |= dates != array
        if unknown.any():
            row = int(np.flatnonzero(unknown)[0])
            raise _bad_date(source, row, str(array.flat[row]), unit)
        if unit == "D" and not timed and (dates != array).any():
            check_whole_days(array.reshape(-1), dates.reshape(-1) != array.reshape(-1), source)
        return dates
    stamps = list(enumerate(array.reshape(-1).tolist()))
    return read_dates(stamps, source, clock=clock, unit=unit, timed=timed).reshape(array.shape)


@lru_cache(maxsize=64)
def clock_named(time_zone: str) -> tzinfo:
    """The clock of a fixed offset or of a name; loud where the machine knows no such name."""
    fixed = _FIXED_OFFSET.fullmatch(time_zone)
    if fixed:
        offset = timedelta(hours=int(fixed[2]), minutes=int(fixed[3]))
        if offset < timedelta(days=1):
            return timezone(-offset if fixed[1] == "-" else offset)
    elif time_zone == "UTC":
        return timezone.utc
    else:
        from zoneinfo import ZoneInfo

        try:
            return ZoneInfo(time_zone)
        except (LookupError, ValueError, OSError) as error:
            raise errors.MarketError(
                f"This machine knows no time zone {time_zone[:40]!r}.",
                remedy="Mend the name, install the package tzdata (Windows has no database of its"
                " own), or give a fixed offset such as +05:30.",
            ) from error
    raise errors.MarketError(
        f"{time_zone!r} is no offset from UTC.", remedy="Give one such as +05:30 or -03:00."
    )


def as_date(value: object, source: str, *, unit: DateUnit = "D") -> np.datetime64:
    """Read a single day or moment, as `as_dates` does; refuse more than one."""
    if isinstance(value, list | tuple) or np.ndim(value):  # type: ignore[arg-type]
        raise _bad_date(source, 0, str(value), unit)
    return as_dates([value], source, unit=unit, timed=True)[0]  # type: ignore[no-any-return]


def whole_day(day: object) -> np.datetime64:
    """Read a single day: a date, a datetime64 of whole days or ISO 8601; refuse anything else.

    So a datetime is refused: whose date it shows depends on where it was taken.
    """
    if isinstance(day, date) and not isinstance(day, datetime):
        return np.datetime64(day)
    if isinstance(day, np.datetime64):
        whole: np.datetime64 = day.astype("datetime64[D]")
        if whole == day:
            return whole
    if isinstance(day, str):
        try:
            return np.datetime64(date.fromisoformat(day))
        except ValueError as error:
            raise errors.CalendarDayError(repr(day)) from error
    raise errors.CalendarDayError(repr(day))


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
        raise errors.LengthMismatchError(shapes)


def check_rising(dates: DateArray, source: str) -> None:
    """Refuse dates or moments that do not rise strictly."""
    steps = np.diff(dates.astype(np.int64), prepend=np.int64(-(2**40)))
    if (steps < 0).any():
        raise errors.BarRowsError(source, "unsorted", **named(steps < 0, dates))
    if (steps == 0).any():
        raise errors.BarRowsError(source, "duplicate", **named(steps == 0, dates))


def oldest_first(table: Table, name: str) -> Table:
    """Turn a table round that is newest first throughout, and note it by its name."""
    steps = np.diff(table.dates.astype(np.int64))
    if not len(steps) or (steps > 0).any() or not (steps < 0).any():
        return table
    columns = {name: values[::-1] for name, values in table.columns.items()}
    note = f"{name} was newest first: its rows were turned round."
    return Table(table.source, table.dates[::-1], columns, (*table.notes, note))


def check_positive(values: FloatArray, dates: DateArray, source: str, column: str) -> None:
    """Refuse values that are not finite and above 0."""
    if not np.isfinite(values).all():
        rows = named(~np.isfinite(values), dates)
        raise errors.BarRowsError(source, "not_finite", column=column, **rows)
    if (values <= 0).any():
        raise errors.BarRowsError(
            source, "not_positive", column=column, **named(values <= 0, dates)
        )


def check_index_scale(close: FloatArray, dates: DateArray, source: str) -> None:
    """Refuse prices that no index has had, and moves that only a change of unit explains."""
    absurd = (close < MIN_INDEX_POINTS) | (close > MAX_INDEX_POINTS)
    if absurd.any():
        rows = named(absurd, dates)
        raise errors.ScaleError(
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
        raise errors.ScaleError(
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
    """Refuse bars with high below low, or an `inside` column outside of them but for rounding."""
    crossed = high < low
    if crossed.any():
        detail = "high is below low"
        raise errors.BarRowsError(source, "inconsistent", detail=detail, **named(crossed, dates))
    for column, values in inside.items():
        outside = (values * (1 - _RANGE_TOLERANCE) > high) | (values < low * (1 - _RANGE_TOLERANCE))
        if outside.any():
            detail = f"{column} lies outside of low and high"
            raise errors.BarRowsError(
                source, "inconsistent", detail=detail, **named(outside, dates)
            )
    wide = np.log(high) - np.log(low) > MAX_LOG_MOVE
    if wide.any():
        detail = f"low and high are more than {MAX_LOG_MOVE} apart in log"
        raise errors.BarRowsError(source, "inconsistent", detail=detail, **named(wide, dates))


def check_not_frozen(columns: Mapping[str, FloatArray], dates: DateArray, limit: int) -> None:
    """Refuse `limit` identical trailing rows, or more."""
    rows = np.stack(list(columns.values()), axis=1)
    differs = np.flatnonzero((rows != rows[-1]).any(axis=1))
    count = len(rows) - (int(differs[-1]) + 1 if differs.size else 0)
    if count >= limit:
        same = np.arange(len(rows)) >= len(rows) - count
        raise errors.FrozenBarsError(count=count, columns=tuple(columns), **named(same, dates))


def read_dates(
    stamps: Sequence[tuple[int, object]],
    source: str,
    *,
    clock: tzinfo | None,
    unit: DateUnit,
    date_format: str | None = None,
    timed: bool = False,
) -> DateArray:
    """Read the stamps of a table, each with the number of its line, as `as_dates` reads values."""
    if unit == "s":
        clock = timezone.utc
    elif date_format is None:
        plain = _plain_days([stamp for _, stamp in stamps])
        if plain is not None:
            return plain
    dates: list[datetime] = []
    naive: list[bool] = []
    for line, stamp in stamps:
        moment = _parse_stamp(stamp, date_format)
        if moment is None or not FIRST_YEAR <= moment.year <= LAST_YEAR:
            raise _bad_date(source, line, str(stamp), unit)
        # A stamp of pandas counts nanoseconds besides.
        if unit == "s" and (moment.microsecond or getattr(moment, "nanosecond", 0)):
            raise _bad_date(source, line, str(stamp), unit)
        if moment.tzinfo is not None and clock is not None:
            try:
                moment = moment.astimezone(clock)
            except OverflowError as error:
                raise _bad_date(source, line, str(stamp), unit) from error
        naive.append(moment.tzinfo is None)
        dates.append(moment.replace(tzinfo=None))
    moments = np.array(dates, dtype="datetime64[us]")
    days = moments.astype(f"datetime64[{unit}]")
    if unit == "D" and not timed and (moments != days).any():
        check_whole_days(moments, np.array(naive) & (moments != days), source)
    return days


def check_whole_days(moments: DateArray, unplaced: NDArray[np.bool_], source: str) -> None:
    """Refuse stamps that are of bars within days, or of no certain day (`unplaced`)."""
    days = moments.astype("datetime64[D]")
    apart = np.diff(np.sort(moments.astype("datetime64[s]").astype(np.int64)))
    typical = float(np.median(apart)) if len(apart) > 1 else 0.0
    if 0.0 < typical < _SECONDS_OF_A_DAY and len(np.unique(days)) < len(days):
        interval = interval_in_words(typical)
        raise errors.IntervalError(source, interval=interval, **named(np.ones(len(days)), days))
    if unplaced.any():
        text = str(moments[np.flatnonzero(unplaced)[0]].astype("datetime64[s]"))
        raise errors.StampError(source, text=text, **named(unplaced, days))


def interval_in_words(seconds: float) -> str:
    """Return a length of time as one writes it of bars: ``5-minute``."""
    size, unit = next((one for one in _UNITS if seconds >= one[0]), _UNITS[-1])
    return f"{seconds / size:g}-{unit}"


def _plain_days(stamps: Sequence[object]) -> DateArray | None:
    """Read stamps that are all written as 2024-12-31, at once; None where one is not, or no day."""
    texts = [stamp for stamp in stamps if type(stamp) is str and len(stamp) == _ISO_DAY]
    joined, count = "".join(texts), len(stamps)
    dashes = "-" * count
    if (
        not count
        or len(texts) < count
        or not joined.isascii()
        or not joined.replace("-", "").isdigit()
        or not joined[4::_ISO_DAY] == joined[7::_ISO_DAY] == dashes
        or joined.count("-") > 2 * count
        or min(texts) < str(FIRST_YEAR)
    ):
        return None
    try:
        return np.array(texts, dtype="datetime64[D]")
    except ValueError:
        # No such day: which line it stands in is found one by one.
        return None


def _parse_stamp(stamp: object, date_format: str | None) -> datetime | None:
    # NaT is an instance of datetime that is not equal to itself.
    if isinstance(stamp, datetime):
        return stamp if stamp == stamp else None
    if isinstance(stamp, date):
        return datetime.combine(stamp, time())
    if not isinstance(stamp, str):
        return None
    text = stamp.strip()
    as_told = parsed(text, date_format) if date_format is not None else None
    if as_told is not None:
        return as_told
    if re.match(r"\d{4}-\d{2}-\d{2}([T ]|$)", text):
        # Python 3.10 reads neither "Z" nor "+0530".
        text = re.sub(r"[zZ]$", "+00:00", text)
        text = re.sub(r"([+-]\d{2})(\d{2})$", r"\1:\2", text) if len(text) > 10 else text
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            return None
    if date_format is not None or (text.isdecimal() and len(text) != 8):
        return None  # %Y%m%d would read 202411 as the first of January.
    for known in _DATE_FORMATS:
        moment = parsed(text, known)
        if moment is not None:
            return moment
    return None


def parsed(text: str, date_format: str) -> datetime | None:
    """Return what a text says in a format of `datetime.strptime`; None where it says nothing."""
    try:
        return datetime.strptime(text, date_format)
    # re.error: a directive that occurs twice, as in %Y-%m-%m. DeprecationWarning, where warnings
    # are errors: a day without a year, from Python 3.13 on.
    except (ValueError, re.error, DeprecationWarning):
        return None


def _bad_date(source: str, line: int, text: str, unit: DateUnit) -> errors.UnreadableCellError:
    column = "date" if unit == "D" else "moment"
    return errors.UnreadableCellError(
        source=source, line=line, column=column, text=text[:80], remedy=_DATE_REMEDIES[unit]
    )
