"""NSE's sessions and NIFTY's expiries, for the years whose holidays the exchange has declared.

A session is a weekday's regular one, 09:15 to 15:30 IST. Special sessions, on holidays such as
Diwali or on weekends, are known by name but are no sessions here: nothing expires on them, and no
horizon counts them. Beyond the table every question raises; nothing is guessed.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from aegismatrix.errors import CalendarError, NaiveMomentError
from aegismatrix.market.errors import CalendarDayError, CalendarRangeError
from aegismatrix.market.intraday import CLOSE_MINUTE, OPEN_MINUTE, Day
from aegismatrix.market.readers import DateArray
from aegismatrix.market.validation import read_only

ExpiryKind = Literal["weekly", "monthly"]
SessionKind = Literal["regular", "special", "closed"]

IST = timezone(timedelta(hours=5, minutes=30), "IST")
"""The exchange's clock, the same all the year round."""

TUESDAY, THURSDAY, SATURDAY = 1, 3, 5

EXPIRY_WEEKDAYS = ((date.min, THURSDAY), (date(2025, 9, 1), TUESDAY))
"""Since when NIFTY's contracts expire on which weekday, by the day of expiry."""

WEEKLY_SINCE = date(2019, 2, 11)
"""The first day on which weekly NIFTY options were traded; before, contracts were monthly."""

_TABLE = Path(__file__).with_name("nse_calendar.csv")


@dataclass(frozen=True)
class SessionClock:
    """Where a moment stands against the exchange's regular sessions.

    Attributes
    ----------
    session : date
        The session that the moment belongs to: the latest that has opened, be it still going on.
    completed : date
        The latest session that has closed: the last one whose daily bar is final.
    special : bool
        Whether a special session is held on the moment's day. Its hours are not known here, so
        `is_open` says nothing of it.
    """

    session: date
    completed: date
    special: bool

    @property
    def is_open(self) -> bool:
        """Whether the session is going on."""
        return self.session != self.completed


@dataclass(frozen=True)
class _Table:
    first: np.datetime64
    last: np.datetime64
    sessions: DateArray
    special: frozenset[np.datetime64]


def calendar_span() -> tuple[date, date]:
    """Return the first and the last day that the calendar knows.

    Returns
    -------
    tuple of date
        Both included.
    """
    table = _table()
    return _date(table.first), _date(table.last)


def is_session(day: Day) -> bool:
    """Say whether a day has a regular session.

    Parameters
    ----------
    day : date-like
        The exchange's day: a date, a datetime64 of whole days or ISO 8601.

    Returns
    -------
    bool

    Raises
    ------
    CalendarDayError
        If it is not a day.
    CalendarRangeError
        If it lies beyond the table.
    """
    when = _known(day)
    return _opened(when) > _opened(when - 1)


def session_kind(day: Day, *, traded: bool = False) -> SessionKind:
    """Say whether a day has a regular session, a special one or none.

    Parameters
    ----------
    day : date-like
        As for `is_session`.
    traded : bool
        Whether there is a bar of that day. On a weekend or a holiday that makes it special: such
        sessions are announced weeks ahead, so the table need not know them all.

    Returns
    -------
    {'regular', 'special', 'closed'}

    Raises
    ------
    CalendarDayError, CalendarRangeError
        As for `is_session`.
    """
    if is_session(day):
        return "regular"
    return "special" if traded or _known(day) in _table().special else "closed"


def sessions(first: Day, last: Day) -> DateArray:
    """Return the regular sessions from one day to another.

    Parameters
    ----------
    first, last : date-like
        Both included.

    Returns
    -------
    ndarray of shape (S,), datetime64[D]

    Raises
    ------
    CalendarDayError, CalendarRangeError
        As for `is_session`.
    CalendarError
        If `last` is before `first`.
    """
    return _between(_table().sessions, first, last)


def next_session(day: Day) -> date:
    """Return the first regular session after a day.

    Parameters
    ----------
    day : date-like
        As for `is_session`.

    Returns
    -------
    date
        Strictly later.

    Raises
    ------
    CalendarDayError
        As for `is_session`.
    CalendarRangeError
        If the day, or the session after it, lies beyond the table.
    """
    return _first_after(_table().sessions, _known(day))


def trading_days_between(day: Day, later: Day) -> int:
    """Count the regular sessions after one day, up to and including another.

    Parameters
    ----------
    day, later : date-like
        As for `is_session`.

    Returns
    -------
    int
        The horizon in trading days from the close of `day` to that of `later`; 0 for the same day.

    Raises
    ------
    CalendarDayError, CalendarRangeError
        As for `is_session`.
    CalendarError
        If `later` is before `day`.
    """
    start, end = _in_order(day, later)
    return _opened(end) - _opened(start)


def session_at(moment: datetime) -> SessionClock:
    """Say which session a moment belongs to, and whether it is going on.

    Parameters
    ----------
    moment : aware datetime
        In any time zone; the machine's own plays no part.

    Returns
    -------
    SessionClock
        A session is open from 09:15:00 to before 15:30:00 IST.

    Raises
    ------
    NaiveMomentError
        If the moment carries no UTC offset.
    CalendarRangeError
        If its day in India, or the last session closed by then, lies beyond the table.
    """
    if moment.utcoffset() is None:
        raise NaiveMomentError(moment.isoformat())
    local = moment.astimezone(IST)
    day = _known(local.date())
    minute = 60 * local.hour + local.minute
    opened = _opened(day if minute >= OPEN_MINUTE else day - 1)
    closed = _opened(day if minute >= CLOSE_MINUTE else day - 1)
    if not closed:
        raise _beyond(day)
    table = _table()
    return SessionClock(
        session=_date(table.sessions[opened - 1]),
        completed=_date(table.sessions[closed - 1]),
        special=day in table.special,
    )


def expiries(first: Day, last: Day, kind: ExpiryKind = "weekly") -> DateArray:
    """Return the days from one to another on which NIFTY contracts expire.

    Parameters
    ----------
    first, last : date-like
        Both included.
    kind : {'weekly', 'monthly'}
        One a week, monthly ones among them, and none before 2019-02-11; or those of the last
        expiry weekday of each month alone.

    Returns
    -------
    ndarray of shape (E,), datetime64[D]
        Sessions, rising.

    Raises
    ------
    CalendarDayError, CalendarRangeError
        As for `is_session`.
    CalendarError
        If `last` is before `first`.
    CalendarError
        If there is no such kind.
    """
    return _between(_expiries(kind), first, last)


def next_expiry(day: Day, kind: ExpiryKind = "weekly") -> date:
    """Return the first expiry after a day.

    Parameters
    ----------
    day : date-like
        The day of the last bar. Its own expiry, if it has one, is over with its close.
    kind : {'weekly', 'monthly'}
        As for `expiries`.

    Returns
    -------
    date
        A session, strictly later.

    Raises
    ------
    CalendarDayError
        As for `is_session`.
    CalendarRangeError
        If the day, or the expiry after it, lies beyond the table, or if there were no weekly
        contracts yet.
    CalendarError
        If there is no such kind.
    """
    known = _expiries(kind)
    when = _known(day)
    if kind == "weekly" and when < np.datetime64(WEEKLY_SINCE):
        raise CalendarRangeError(
            "weekly expiries of NIFTY",
            day=str(when),
            first=WEEKLY_SINCE.isoformat(),
            last=str(known[-1]),
            remedy="Ask for kind='monthly': there were no weekly contracts before.",
        )
    return _first_after(known, when)


def trading_days_to_expiry(day: Day, kind: ExpiryKind = "weekly") -> int:
    """Count the regular sessions after a day, up to and including the next expiry.

    Parameters
    ----------
    day : date-like
        The day of the last bar.
    kind : {'weekly', 'monthly'}
        As for `expiries`.

    Returns
    -------
    int
        At least 1: a horizon for the breach surface.

    Raises
    ------
    CalendarDayError, CalendarRangeError, CalendarError
        As for `next_expiry`.
    """
    return trading_days_between(day, next_expiry(day, kind))


@cache
def _table() -> _Table:
    lines = _TABLE.read_text(encoding="utf-8").splitlines()
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    irregular = np.array([row["date"] for row in rows], dtype="datetime64[D]")
    closed = [row["date"] for row in rows if row["kind"] == "closed"]
    # The exchange declares a calendar year at a time, so the table ends with a year.
    first = np.datetime64(f"{closed[0][:4]}-01-01", "D")
    last = np.datetime64(f"{closed[-1][:4]}-12-31", "D")
    days = np.arange(first, last + 1)
    regular = days[(_weekdays(days) < SATURDAY) & ~np.isin(days, irregular)]
    special = frozenset(irregular[[row["kind"] == "special" for row in rows]])
    return _Table(first, last, read_only(regular), special)


@cache
def _expiries(kind: ExpiryKind) -> DateArray:
    if kind not in get_args(ExpiryKind):
        raise CalendarError(
            f"There is no kind of expiry {kind!r}.",
            remedy=f"Choose one of {list(get_args(ExpiryKind))}.",
        )
    table = _table()
    days = np.arange(table.first, table.last + 1)
    weekdays = np.zeros(len(days), dtype=np.int64)
    for since, weekday in EXPIRY_WEEKDAYS:
        weekdays[days >= np.datetime64(since)] = weekday
    nominal = days[_weekdays(days) == weekdays]
    if kind == "weekly":
        nominal = nominal[nominal >= np.datetime64(WEEKLY_SINCE)]
    else:
        months = nominal.astype("datetime64[M]")
        nominal = nominal[np.append(months[1:] != months[:-1], True)]
    at_or_before = np.searchsorted(table.sessions, nominal, side="right") - 1
    known: DateArray = read_only(table.sessions[at_or_before])
    return known


def _weekdays(days: DateArray) -> NDArray[np.int64]:
    # 1970-01-01 was a Thursday.
    weekdays: NDArray[np.int64] = (days.astype(np.int64) + THURSDAY) % 7
    return weekdays


def _known(day: Day) -> np.datetime64:
    when = _whole_day(day)
    table = _table()
    if not table.first <= when <= table.last:
        raise _beyond(when)
    return when


def _whole_day(day: Day) -> np.datetime64:
    # A datetime is a date to Python, yet whose date it shows depends on where it was taken.
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
            raise CalendarDayError(repr(day)) from error
    raise CalendarDayError(repr(day))


def _in_order(first: Day, last: Day) -> tuple[np.datetime64, np.datetime64]:
    start, end = _known(first), _known(last)
    if end < start:
        raise CalendarError(f"{end} is before {start}.", remedy="Give the earlier day first.")
    return start, end


def _opened(day: np.datetime64) -> int:
    """Count the table's sessions up to and including a day."""
    return int(np.searchsorted(_table().sessions, day, side="right"))


def _between(days: DateArray, first: Day, last: Day) -> DateArray:
    start, end = _in_order(first, last)
    return days[(days >= start) & (days <= end)]


def _first_after(days: DateArray, day: np.datetime64) -> date:
    place = int(np.searchsorted(days, day, side="right"))
    if place == len(days):
        raise _beyond(day)
    return _date(days[place])


def _date(day: np.datetime64) -> date:
    return date.fromisoformat(str(day))


def _beyond(day: np.datetime64) -> CalendarRangeError:
    first, last = calendar_span()
    return CalendarRangeError(
        "NSE's calendar", day=str(day), first=first.isoformat(), last=last.isoformat()
    )
