"""Arrays of market data: dates and numbers read from them, what they are checked for, how kept.

What callers give besides, such as numbers, texts and moments, is converted or refused here too: an
argument may be anything, and its own methods may raise whatever they like.

Knows no files and no market; the clock on which a stamp is read is given.
"""

from __future__ import annotations

import math
import operator
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from functools import lru_cache
from itertools import islice
from numbers import Real
from typing import Any, Literal, TypedDict, TypeVar

import numpy as np
from numpy.typing import NDArray

from aegismatrix import errors
from aegismatrix.errors import ArgumentError, BarsError, printable, shown
from aegismatrix.market.thresholds import MAX_INDEX_POINTS, MAX_LOG_MOVE, MIN_INDEX_POINTS
from aegismatrix.records import dataclass

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

LONGEST_DAYS = 30
"""The longest horizon that may be asked of a surface, in trading days."""

LEAST_DISTANCE, MOST_DISTANCE = 1e-9, 10.0
"""What a log distance may be."""

MAX_GIVEN = 100_000
"""No list of anything but prices is longer; what never ends is refused there."""

MAX_ROWS = 1_000_000
"""What is like a list, and neither one nor an array, may have so many rows."""

_Kind = TypeVar("_Kind")
_KNOWN = (np.ndarray, np.generic, list, tuple, str, bytes, bytearray, memoryview)
_FIRST_DATE, _LAST_DATE = 1, 9999
_LEAST_BYTES = 4
_FIXED_OFFSET = re.compile(r"(?:UTC)?([+-])(\d{2}):(\d{2})")
_RANGE_TOLERANCE = 1e-4
_SECONDS_OF_A_DAY = 86_400.0
_ISO_DAY = len("2024-12-31")
_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
# Kinds that numpy converts to floats all the same.
_NO_REAL_NUMBERS = {
    "c": "complex numbers",
    "M": "dates",
    "m": "durations",
    "b": "truth values",
    "U": "text",
    "S": "bytes",
}
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


class ReadOnlyDict(dict[Any, Any]):
    """A dictionary that nobody can write to, and that can be hashed."""

    def _refuse(self, *_: object, **__: object) -> Any:
        raise TypeError("what was published cannot be changed: make a dict of it first")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(_comparable(self))

    def __reduce__(self) -> tuple[object, ...]:
        # Made anew: pickle would write to it, and hand on arrays that can be written to.
        return frozen, (dict(self),)

    def __copy__(self) -> ReadOnlyDict:
        return self

    def __deepcopy__(self, memo: object) -> ReadOnlyDict:
        return self


class Published:
    """Base of frozen dataclasses that are handed out: nothing in them can be changed.

    Arrays are read-only for good, mappings are `ReadOnlyDict`, lists are tuples. Since nothing in
    it can change, a copy is the thing itself. Where the dataclass does not compare itself (arrays
    have no truth value), two are equal if they are of one class and every field is, arrays bit for
    bit.
    """

    def __post_init__(self) -> None:
        for one in fields(self):  # type: ignore[arg-type]
            held = self.__dict__[one.name]
            try:
                kept = frozen(held)
            except Exception as error:
                # A list may hold itself, and a mapping may be anybody's code.
                remedy = "Give plain values, in lists and mappings of a few levels."
                raise ArgumentError(one.name, shown(held), remedy=remedy) from error
            if kept is not held:
                object.__setattr__(self, one.name, kept)

    def __getstate__(self) -> dict[str, Any]:
        # What is derived is not carried to another process, where it would come out writable.
        return {one.name: self.__dict__[one.name] for one in fields(self)}  # type: ignore[arg-type]

    def __setstate__(self, state: dict[str, Any]) -> None:
        # numpy forgets on its way through pickle that an array was read-only.
        self.__dict__.update({name: frozen(value) for name, value in state.items()})

    def __copy__(self: _Kind) -> _Kind:
        return self

    def __deepcopy__(self: _Kind, memo: object) -> _Kind:
        return self

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self is other or _values_of(self) == _values_of(other)

    def __hash__(self) -> int:
        return hash(_values_of(self))


def frozen(value: Any) -> Any:
    """Return a value in which nothing can be changed: arrays, mappings and lists of such."""
    if isinstance(value, np.ndarray):
        # numpy makes writable arrays on bytes, too, when it reads them from a pickle.
        is_kept = isinstance(value.base, bytes) and not value.flags.writeable
        return value if is_kept else read_only(value)
    if isinstance(value, ReadOnlyDict):
        return value
    if isinstance(value, Mapping):
        return ReadOnlyDict({name: frozen(inner) for name, inner in value.items()})
    if type(value) in (list, tuple):
        inside = tuple(frozen(inner) for inner in value)
        is_same = type(value) is tuple and all(map(operator.is_, inside, value))
        return value if is_same else inside
    return value


def _values_of(published: Any) -> tuple[Any, ...]:
    return tuple(_comparable(published.__dict__[one.name]) for one in fields(published))


def _comparable(value: Any) -> Any:
    """What can be compared and hashed in place of a value that is frozen."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, Mapping):
        return frozenset((name, _comparable(inner)) for name, inner in value.items())
    if type(value) is tuple:
        return tuple(map(_comparable, value))
    return value


class NamedRows(TypedDict):
    """Rows and their dates, as errors take them."""

    rows: list[int]
    dates: list[str]


def read_only(values: Any) -> Any:
    """Return a copy that nobody can write to, nor make writable."""
    # Of an array that owns its memory, the flag can be set back.
    kept = np.ascontiguousarray(values)
    return np.ndarray(np.shape(values), kept.dtype, kept.tobytes())


def is_masked_array(values: object) -> bool:
    """Whether it is a masked array of numpy.

    Whoever has one has loaded `numpy.ma`. To name it here would load it for everybody else, which
    takes 9 ms.
    """
    masked = sys.modules.get("numpy.ma")
    return masked is not None and isinstance(values, masked.MaskedArray)


def distinct(values: NDArray[Any]) -> NDArray[Any]:
    """Return the different ones of values that are no NaN, rising; `np.unique` loads `numpy.ma`."""
    rising = np.sort(values, axis=None)
    is_new = np.ones(len(rising), dtype=np.bool_)
    is_new[1:] = rising[1:] != rising[:-1]
    different: NDArray[Any] = rising[is_new]
    return different


def as_floats(values: Any, source: str, column: str) -> FloatArray:
    """Read an array of real numbers, of any shape; a masked value becomes NaN."""
    try:
        array = values if is_masked_array(values) else array_of(values)
        if array.dtype.kind in _NO_REAL_NUMBERS:
            raise TypeError(_NO_REAL_NUMBERS[array.dtype.kind])
        # numpy takes a truth value among numbers for one of them.
        if isinstance(values, list | tuple) and any(type(one) is bool for one in values):
            raise TypeError(_NO_REAL_NUMBERS["b"])
        if array.dtype.kind == "f" and array.dtype.itemsize < _LEAST_BYTES:
            raise TypeError("half precision, which keeps three digits of a price")
        if array.dtype.kind == "O":
            array = _real_numbers(array)
        # A number beyond those of float64 becomes infinite, which no market data may be.
        with np.errstate(over="ignore"):
            floats = array.astype(np.float64)
        # A masked value is one that is not known; numpy would hand on what the mask hides.
        masked = is_masked_array(floats)
        return np.asarray(np.ma.filled(floats, np.nan) if masked else floats)
    except Exception as error:
        # What is no array of numpy is converted by its own code, which may raise anything.
        raise BarsError(
            f"{source}: {column} is not an array of numbers ({_said(error)}).",
            remedy="Give floats, one per row.",
        ) from error


def array_of(values: object) -> Any:
    """Return an array of what is one, or a list; of what is only like a list, as far as it ends."""
    kind = type(values)
    if isinstance(values, Mapping | bytes | bytearray | memoryview):
        # numpy would take each byte for a number.
        raise TypeError(f"a {kind.__name__}")
    like_a_list = hasattr(kind, "__len__") and hasattr(kind, "__getitem__")
    if like_a_list and not isinstance(values, _KNOWN) and not hasattr(kind, "__array__"):
        # numpy would ask it for one row after another, whatever its length says.
        rows = list(islice(values, MAX_ROWS + 1))  # type: ignore[call-overload]
        if len(rows) > MAX_ROWS:
            raise ValueError(f"more than {MAX_ROWS} rows")
        values = rows
    return np.asarray(values)


def _real_numbers(objects: Any) -> Any:
    """Refuse objects that are no numbers, though Python may make one of them; None is a blank."""
    for one in np.asarray(objects).reshape(-1).tolist():
        number = isinstance(one, Real | Decimal) and not isinstance(one, bool | np.bool_)
        if not number and one is not None and type(one).__name__ not in ("NAType", "NaTType"):
            raise TypeError(f"{shown(one)} among them")
    return objects


def _said(error: Exception) -> str:
    """What an error says; its words may be anybody's code."""
    try:
        return str(error) or type(error).__name__
    except Exception:  # noqa: BLE001
        return type(error).__name__


def as_text(value: object, name: str, remedy: str = "Give a text.") -> str:
    """Return an argument that is text, as one of that very type; ArgumentError otherwise."""
    if not isinstance(value, str):
        raise ArgumentError(name, shown(value), remedy=remedy)
    return str.__str__(value)


def as_whole(value: object, name: str, *, least: int, most: int, unit: str = "") -> int:
    """Return an argument that is a whole number within bounds; ArgumentError otherwise.

    A truth value is no number. numpy's integers become those of Python, which are JSON.
    """
    remedy = f"Give a whole number{unit and ' of ' + unit} from {least} to {most}."
    try:
        if isinstance(value, bool | np.bool_) or is_masked_array(value):
            raise TypeError("a truth value, or one that is hidden")
        number = int(operator.index(value))  # type: ignore[arg-type]
    except Exception as error:
        # What counts as a whole number may be anybody's code.
        raise ArgumentError(name, shown(value), remedy=remedy) from error
    if not least <= number <= most:
        raise ArgumentError(name, shown(value), remedy=remedy)
    return number


def as_real(value: object, name: str, remedy: str = "Give a finite number.") -> float:
    """Return an argument that is a finite number; ArgumentError otherwise.

    Neither a truth value nor text is a number.
    """
    number = math.nan
    # Half precision has no 0.8, and no 0.35.
    if isinstance(value, Real | Decimal) and not isinstance(value, bool | np.bool_ | np.float16):
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
    if not math.isfinite(number):
        raise ArgumentError(name, shown(value), remedy=remedy)
    return number


def as_truth(value: object, name: str) -> bool:
    """Return an argument that is a truth value, which 0 and 1 are not; ArgumentError otherwise."""
    if not isinstance(value, bool | np.bool_):
        raise ArgumentError(name, shown(value), remedy="Give True or False.")
    return bool(value)


def as_kind(value: object, kind: type[_Kind], name: str, remedy: str) -> _Kind:
    """Return an argument that is an instance of a class; ArgumentError otherwise."""
    # Not isinstance alone, which asks the value for its class.
    if not issubclass(type(value), kind):
        raise ArgumentError(name, shown(value), remedy=remedy)
    return value  # type: ignore[return-value]


def as_choice(value: object, choices: Sequence[str], name: str) -> str:
    """Return an argument that is one of some texts; ArgumentError otherwise."""
    text = str.__str__(value) if isinstance(value, str) else ""
    if text not in choices:
        raise ArgumentError(name, shown(value), remedy=f"Give one of {list(choices)}.")
    return text


def as_rows(values: object, name: str, remedy: str) -> tuple[Any, ...]:
    """Return what an argument holds, one by one; ArgumentError where it is no list.

    A text, bytes or a mapping is none, nor is what never ends, or fails when it is asked.
    """
    try:
        if isinstance(values, str | bytes | bytearray | Mapping):
            raise TypeError("one thing and no list")
        rows = tuple(islice(values, MAX_GIVEN + 1))  # type: ignore[call-overload]
        if len(rows) > MAX_GIVEN:
            raise ValueError("without an end")
    except Exception as error:
        raise ArgumentError(name, shown(values), remedy=remedy) from error
    return rows


def as_mapping(values: object, name: str, remedy: str) -> dict[Any, Any]:
    """Return what an argument holds by key; ArgumentError where it is no mapping."""
    try:
        if not isinstance(values, Mapping):
            raise TypeError("no mapping")
        return dict(values)
    except Exception as error:
        raise ArgumentError(name, shown(values), remedy=remedy) from error


def printable_text(value: object, name: str) -> str:
    """Return an argument that is one line of text which steers no terminal, and is not blank."""
    text = as_text(value, name)
    if not text.isprintable() or not text.strip():
        raise ArgumentError(name, shown(text), remedy="Give one line of printable text.")
    return text


def as_texts(values: object, name: str, remedy: str = "Give a list of texts.") -> tuple[str, ...]:
    """Return an argument that is a list of texts, as `as_rows` and `as_text` read them."""
    return tuple(as_text(one, name, remedy) for one in as_rows(values, name, remedy))


def as_moment(value: object, name: str) -> datetime:
    """Return an argument that is a moment, in UTC; NaiveMomentError where it has no offset.

    ArgumentError for what is no datetime, or lies beyond any calendar.
    """
    remedy = "Give an aware datetime, such as datetime.now(timezone.utc)."
    # What pandas has for no moment calls itself a datetime, and is not equal to itself.
    if not isinstance(value, datetime) or value != value:
        raise ArgumentError(name, shown(value), remedy=remedy)
    try:
        offset = value.utcoffset()
        moment = None if offset is None else value.astimezone(timezone.utc)
    except Exception as error:
        # A clock is anybody's code, and a moment may lie beyond what a calendar counts.
        raise ArgumentError(name, shown(value), remedy=remedy) from error
    if moment is None:
        raise errors.NaiveMomentError(value.replace(tzinfo=None).isoformat())
    return moment


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
    if is_masked_array(values) and np.ma.is_masked(values):
        row = int(np.flatnonzero(np.ma.getmaskarray(np.ma.asarray(values)))[0])
        raise _bad_date(source, row, "masked", unit)
    try:
        array: NDArray[Any] = array_of(values)
    except Exception as error:
        # As for prices: it may be anybody's code.
        raise _bad_date(source, 0, values, unit) from error
    if np.issubdtype(array.dtype, np.datetime64):
        try:
            dates: DateArray = array.astype(f"datetime64[{unit}]")
            years = dates.astype("datetime64[Y]").astype(np.int64) + 1970
        except (OverflowError, ValueError, TypeError) as error:
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
    read = read_dates(stamps, source, clock=clock, unit=unit, timed=timed)
    return read.reshape(array.shape)


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
    if not isinstance(value, str | date | np.datetime64):
        raise _bad_date(source, 0, value, unit)
    if isinstance(value, str):
        # numpy leaves out what stands behind a NUL.
        stamps = [(0, str.__str__(value))]
        return read_dates(stamps, source, clock=None, unit=unit, timed=True)[0]  # type: ignore[no-any-return]
    return as_dates([value], source, unit=unit, timed=True)[0]  # type: ignore[no-any-return]


def whole_day(day: object) -> np.datetime64:
    """Read a single day: a date, a datetime64 of whole days or ISO 8601; refuse anything else.

    So a datetime is refused: whose date it shows depends on where it was taken.
    """
    if isinstance(day, date) and not isinstance(day, datetime):
        return np.datetime64(day)
    if isinstance(day, np.datetime64):
        try:
            whole: np.datetime64 = day.astype("datetime64[D]")
            year = int(whole.astype("datetime64[Y]").astype(np.int64)) + 1970
        except (OverflowError, ValueError, TypeError) as error:
            raise errors.CalendarDayError(shown(day)) from error
        # Years beyond Python's have no weekday that Python could tell.
        if whole == day and _FIRST_DATE <= year <= _LAST_DATE:
            return whole
    if isinstance(day, str):
        try:
            return np.datetime64(date.fromisoformat(day))
        except ValueError as error:
            raise errors.CalendarDayError(shown(day)) from error
    raise errors.CalendarDayError(shown(day))


def named(mask: Any, dates: DateArray) -> NamedRows:
    """Name the rows of a mask by position and ISO 8601 date or UTC moment."""
    rows = np.flatnonzero(mask)
    zone = "" if dates.dtype == np.dtype("datetime64[D]") else "Z"
    return {"rows": rows.tolist(), "dates": [f"{date}{zone}" for date in dates[rows].astype(str)]}


def source_named(source: object) -> str:
    """Return what a source is called, on one line that steers no terminal."""
    if not isinstance(source, str):
        raise BarsError(
            f"The source {shown(source)} is no text.",
            remedy="Give a name, such as that of the file.",
        )
    return printable(str.__str__(source))


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
            raise _bad_date(source, line, stamp, unit)
        # A stamp of pandas counts nanoseconds besides.
        if unit == "s" and (moment.microsecond or getattr(moment, "nanosecond", 0)):
            raise _bad_date(source, line, stamp, unit)
        try:
            is_naive = moment.utcoffset() is None
            if not is_naive and clock is not None:
                moment = moment.astimezone(clock)
        except Exception as error:
            # A clock may be anybody's code, and a moment lie at the end of what can be counted.
            raise _bad_date(source, line, stamp, unit) from error
        naive.append(is_naive)
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


def _bad_date(source: str, line: int, given: object, unit: DateUnit) -> errors.UnreadableCellError:
    column = "date" if unit == "D" else "moment"
    text = given if type(given) is str else shown(given)
    return errors.UnreadableCellError(
        source=source, line=line, column=column, text=text[:80], remedy=_DATE_REMEDIES[unit]
    )
