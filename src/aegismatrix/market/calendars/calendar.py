"""An exchange's calendar: which days are sessions, for the years that it has declared.

A session is a weekday's regular one. Special sessions, on holidays or weekends, are known by day
but are no sessions here: nothing expires on them, and no horizon counts them. Beyond the calendar
every question raises; nothing is guessed, unless a provisional end was asked for (`provisional`),
which the calendar then says of itself.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from dataclasses import fields, replace
from datetime import date, timedelta
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from aegismatrix import errors
from aegismatrix.errors import CalendarError, printable, shown
from aegismatrix.market.arrays import (
    ONE_DAY,
    DateArray,
    Day,
    as_dates,
    as_kind,
    as_rows,
    as_text,
    as_texts,
    as_truth,
    read_only,
    whole_day,
)
from aegismatrix.market.sheets import path_text, read_regular
from aegismatrix.records import dataclass

SessionKind = Literal["regular", "special", "closed"]

SATURDAY = 5

_DAYS = np.dtype("datetime64[D]")
_KINDS = ("closed", "special")
_HEADER = ["date", "kind"]
_WHAT = "calendar"
_MAX_FILE_BYTES = 1024 * 1024

MOST_YEARS_AHEAD = 100
"""How far a provisional end may lie after the declared one."""


@dataclass(frozen=True)
class SessionClock:
    """Where a moment stands against the exchange's regular sessions.

    `session` is the latest that has opened, be it still going on; `completed` is the latest that
    has closed, whose daily bar is final. `special` says whether a special session is held on that
    day; its hours are not known, so `is_open` says nothing of it.
    """

    session: date
    completed: date
    special: bool

    @property
    def is_open(self) -> bool:
        """Whether the session is going on."""
        return self.session != self.completed


@dataclass(frozen=True, repr=False)
class Calendar:
    """The days of an exchange, from one day to another; a value, compared and hashed as one.

    Days are given as a date, a datetime64 of whole days or ISO 8601. What is no day is a
    CalendarDayError, and a day beyond the calendar is a CalendarRangeError.

    Attributes
    ----------
    name : str
        What to call it in messages.
    first, last : date
        The days that it knows, both included.
    closed : frozenset of date
        Weekdays without a regular session, and whatever else has none.
    special : frozenset of date
        Days, weekends among them, of a special session; not regular ones.
    fixed_holidays : frozenset of str
        Days of every year without a session, ``MM-DD``: all that is known of years to come.
    provisional_from : date or None
        The first day that no exchange has declared yet; None where all are declared.

    Raises
    ------
    CalendarError
        If `last` is before `first`, a day lies outside of them, no weekday in them is a session, or
        a fixed holiday is none.

    Examples
    --------
    >>> from datetime import date
    >>> import aegismatrix as am
    >>> year = am.Calendar("Mine", date(2026, 1, 1), date(2026, 12, 31), {date(2026, 1, 26)})
    >>> year.next_session("2026-01-23")
    datetime.date(2026, 1, 27)
    """

    name: str
    first: date
    last: date
    closed: frozenset[date] = frozenset()
    special: frozenset[date] = frozenset()
    fixed_holidays: frozenset[str] = frozenset()
    provisional_from: date | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", printable(as_text(self.name, "name")))
        for name in ("first", "last"):
            object.__setattr__(self, name, _date(whole_day(getattr(self, name))))
        for name in ("closed", "special"):
            object.__setattr__(self, name, _days(getattr(self, name)))
        if self.last < self.first:
            raise _backwards(self.first, self.last)
        beyond = sorted(
            day for day in self.closed | self.special if not self.first <= day <= self.last
        )
        if beyond:
            raise CalendarError(
                f"{self.name} is of {self.first} to {self.last}, and {beyond[0]} lies outside.",
                remedy="Leave that day out, or let the calendar reach as far.",
            )
        remedy = "Give month and day of each, such as 08-15."
        fixed = frozenset(as_texts(self.fixed_holidays, "fixed_holidays", remedy))
        object.__setattr__(self, "fixed_holidays", fixed)
        for holiday in sorted(fixed):
            if not _is_day_of_a_year(holiday):
                raise CalendarError(
                    f"The fixed holiday {holiday[:40]!r} of {self.name} is no day of a year.",
                    remedy="Give month and day, such as 08-15.",
                )
        if self.provisional_from is not None:
            began = _date(whole_day(self.provisional_from))
            object.__setattr__(self, "provisional_from", began)
            if not self.first < began <= self.last:
                raise CalendarError(
                    f"{self.name} is provisional from {began}, which lies outside of it.",
                    remedy=f"Give a day after {self.first}, up to {self.last}.",
                )
        if not len(self._sessions):
            raise CalendarError(
                f"{self.name} has no session from {self.first} to {self.last}.",
                remedy="Give it the span of whole years that the exchange has declared.",
            )

    def __reduce__(self) -> tuple[object, ...]:
        # What is derived is not carried to another process: arrays would come out writable.
        return Calendar, tuple(getattr(self, one.name) for one in fields(self))

    def __repr__(self) -> str:
        began = self.provisional_from
        guessed = "" if began is None else f", provisional from {began}"
        return (
            f"Calendar({self.name}, {self.first} to {self.last}, {len(self._sessions)} sessions"
            f"{guessed})"
        )

    @property
    def declared_to(self) -> date:
        """The last day that the exchange has declared."""
        began = self.provisional_from
        return self.last if began is None else began - timedelta(days=1)

    def is_provisional(self, day: Day) -> bool:
        """Say whether no exchange has declared a day yet, which may lie beyond the calendar.

        Parameters
        ----------
        day : date-like

        Examples
        --------
        >>> import aegismatrix as am
        >>> am.market_named("nifty").calendar.is_provisional("2024-06-03")
        False
        """
        return _date(whole_day(day)) > self.declared_to

    def provisional(self, until: Day) -> Calendar:
        """Go on after the end with weekdays, less the fixed holidays.

        Feasts that move with the moon, and special sessions, are not in it; `provisional_from` says
        where it begins. A calendar that reaches as far is returned as it is.

        Parameters
        ----------
        until : date-like
            At least so far.

        Examples
        --------
        >>> import aegismatrix as am
        >>> declared = am.market_named("nifty").calendar
        >>> declared.provisional("2027-03-31").next_session("2027-01-25")
        datetime.date(2027, 1, 27)
        """
        end = _date(whole_day(until))
        if end <= self.last:
            return self
        if end.year > self.last.year + MOST_YEARS_AHEAD:
            raise CalendarError(
                f"{end} is more than {MOST_YEARS_AHEAD} years after {self.name} ends.",
                remedy=f"Give a day up to {self.last.year + MOST_YEARS_AHEAD}: nobody declares"
                " holidays that far ahead.",
            )
        began = self.last + timedelta(days=1)
        ahead = (began + timedelta(days=n) for n in range((end - self.last).days))
        holidays = {day for day in ahead if day.strftime("%m-%d") in self.fixed_holidays}
        return replace(
            self,
            last=end,
            closed=self.closed | holidays,
            provisional_from=self.provisional_from or began,
        )

    def followed_by(self, newer: Calendar) -> Calendar:
        """Take another table for its own days, and keep the days outside of it.

        The result has the newer one's name and the fixed holidays of both. What was provisional of
        this one is gone.

        Parameters
        ----------
        newer : Calendar
            Of days that overlap with these or adjoin them.

        Raises
        ------
        CalendarError
            If days lie between the two that neither knows.

        Examples
        --------
        >>> from datetime import date
        >>> import aegismatrix as am
        >>> year = am.Calendar.from_csv("holidays.csv")
        >>> year.followed_by(am.Calendar("Mine", date(2027, 1, 1), date(2027, 12, 31)))
        Calendar(Mine, 2026-01-01 to 2027-12-31, 520 sessions)
        """
        newer = as_kind(newer, Calendar, "newer", "Give a Calendar.")
        held = self if self.provisional_from is None else self._cut(self.first, self.declared_to)
        day = timedelta(days=1)
        if newer.first > held.last + day or newer.last < held.first - day:
            raise CalendarError(
                f"{newer.name} is of {newer.first} to {newer.last}, and {held.name} of"
                f" {held.first} to {held.last}: nobody knows the days between.",
                remedy="Give a table of all years that lie between them, too.",
            )

        def joined(own: Iterable[date], of_newer: frozenset[date]) -> frozenset[date]:
            return of_newer.union(one for one in own if not newer.first <= one <= newer.last)

        return Calendar(
            newer.name,
            min(held.first, newer.first),
            max(held.last, newer.last),
            joined(held.closed, newer.closed),
            joined(held.special, newer.special),
            self.fixed_holidays | newer.fixed_holidays,
            newer.provisional_from if newer.last >= held.last else None,
        )

    def with_closed(self, days: Iterable[Day]) -> Calendar:
        """Add days on which there is no session after all; the name then says how many.

        Parameters
        ----------
        days : iterable of date-like
            Such as of an election. After the calendar's end they belong to its provisional years.

        Examples
        --------
        >>> import aegismatrix as am
        >>> year = am.Calendar.from_csv("holidays.csv")
        >>> year.with_closed(["2026-01-27"]).is_session("2026-01-27")
        False
        """
        closed = _days(days)
        if not closed:
            return self
        latest = max(closed)
        reached = self if latest <= self.last else self.provisional(date(latest.year, 12, 31))
        for day in closed:
            reached._known(day)
        return replace(
            reached,
            name=f"{self.name} with closures added ({len(closed)})",
            closed=reached.closed | closed,
            special=reached.special - closed,
        )

    def _cut(self, first: date, last: date) -> Calendar:
        def within(days: Iterable[date]) -> frozenset[date]:
            return frozenset(day for day in days if first <= day <= last)

        return replace(
            self,
            first=first,
            last=last,
            closed=within(self.closed),
            special=within(self.special),
            provisional_from=None,
        )

    @classmethod
    def from_csv(cls, path: str | os.PathLike[str], *, name: str | None = None) -> Calendar:
        """Read a table of the days that are not as their weekday says.

        Parameters
        ----------
        path : path-like
            A CSV file with the columns ``date`` (ISO 8601) and ``kind``, ``closed`` or ``special``;
            lines that start with ``#`` are comments. The calendar is of the whole years from that
            of the first closed day to that of the last, since an exchange declares years.
        name : str, optional
            What to call it in messages; by default the file's name.

        Raises
        ------
        MarketFileError
            If it cannot be read, or a line is not of that form.

        Examples
        --------
        >>> import aegismatrix as am
        >>> am.Calendar.from_csv("holidays.csv", name="Mine")
        Calendar(Mine, 2026-01-01 to 2026-12-31, 259 sessions)
        """
        text = read_small_file(path, _WHAT)
        called = os.path.basename(path_text(path)) if name is None else as_text(name, "name")  # noqa: PTH119
        lines = [
            (number, line)
            for number, line in enumerate(text.splitlines(), 1)
            if line.strip() and not line.startswith("#")
        ]
        rows = list(csv.reader(line for _, line in lines))
        if not rows or rows[0] != _HEADER:
            raise errors.MarketFileError(str(path), "its header is not date,kind", _WHAT)
        days: dict[str, set[date]] = {kind: set() for kind in _KINDS}
        for (number, line), row in zip(lines[1:], rows[1:], strict=True):
            day = _parsed(row)
            if day is None:
                raise errors.MarketFileError(str(path), f"line {number} is {line[:80]!r}", _WHAT)
            if any(day in of_kind for of_kind in days.values()):
                raise errors.MarketFileError(str(path), f"line {number} repeats {day}", _WHAT)
            days[row[1]].add(day)
        if not days["closed"]:
            said = "it names no closed day, so it is of no year"
            raise errors.MarketFileError(str(path), said, _WHAT)
        first, last = min(days["closed"]).year, max(days["closed"]).year
        outside = [day for day in days["special"] if not first <= day.year <= last]
        if outside:
            raise errors.MarketFileError(
                str(path), f"{min(outside)} lies outside of the years {first} to {last}", _WHAT
            )
        return cls(
            called,
            date(first, 1, 1),
            date(last, 12, 31),
            frozenset(days["closed"]),
            frozenset(days["special"]),
        )

    def is_session(self, day: Day) -> bool:
        """Say whether a day has a regular session.

        Parameters
        ----------
        day : date-like

        Examples
        --------
        >>> import aegismatrix as am
        >>> am.market_named("nifty").calendar.is_session("2024-01-26")
        False
        """
        when = self._known(day)
        return self._opened(when) > self._opened(when - ONE_DAY)

    def session_kind(self, day: Day, *, traded: bool = False) -> SessionKind:
        """Say whether a day has a regular session, a special one or none.

        Parameters
        ----------
        day : date-like
        traded : bool
            Whether there is a bar of that day. On a weekend or a holiday that makes it special:
            such sessions are announced weeks ahead, so the calendar need not know them all.

        Examples
        --------
        >>> import aegismatrix as am
        >>> nse = am.market_named("nifty").calendar
        >>> nse.session_kind("2024-01-26"), nse.session_kind("2024-01-26", traded=True)
        ('closed', 'special')
        """
        has_bar = as_truth(traded, "traded")
        if self.is_session(day):
            return "regular"
        return "special" if has_bar or _date(self._known(day)) in self.special else "closed"

    def sessions(self, first: Day, last: Day) -> DateArray:
        """Return the regular sessions from one day to another, both included, as datetime64[D].

        Parameters
        ----------
        first, last : date-like

        Raises
        ------
        CalendarError
            If `last` is before `first`.

        Examples
        --------
        >>> import aegismatrix as am
        >>> am.market_named("nifty").calendar.sessions("2024-01-25", "2024-01-29")
        array(['2024-01-25', '2024-01-29'], dtype='datetime64[D]')
        """
        return self.between(self._sessions, first, last)

    def next_session(self, day: Day) -> date:
        """Return the first regular session that is later than a day.

        Parameters
        ----------
        day : date-like

        Raises
        ------
        CalendarRangeError
            If the day, or the session after it, lies beyond the calendar.

        Examples
        --------
        >>> import aegismatrix as am
        >>> am.market_named("nifty").calendar.next_session("2024-01-25")
        datetime.date(2024, 1, 29)
        """
        return self.first_after(self._sessions, day)

    def trading_days_between(self, day: Day, later: Day) -> int:
        """Count the regular sessions after one day, up to and including another.

        That is the horizon in trading days from the close of `day` to that of `later`; 0 for the
        same day.

        Parameters
        ----------
        day, later : date-like

        Raises
        ------
        CalendarError
            If `later` is before `day`.

        Examples
        --------
        >>> import aegismatrix as am
        >>> am.market_named("nifty").calendar.trading_days_between("2024-01-25", "2024-02-01")
        4
        """
        start, end = self._in_order(day, later)
        return self._opened(end) - self._opened(start)

    def clock_on(self, day: Day, *, opened: bool, closed: bool) -> SessionClock:
        """Return the session that a moment belongs to, and the last one that is over by then.

        Parameters
        ----------
        day : date-like
            The moment's day on the exchange's clock.
        opened, closed : bool
            Whether the hour of opening, and that of the close, have come.

        Raises
        ------
        CalendarRangeError
            If the day, or the last session closed by then, lies beyond the calendar.

        Examples
        --------
        >>> import aegismatrix as am
        >>> nse = am.market_named("nifty").calendar
        >>> nse.clock_on("2024-01-29", opened=True, closed=False).is_open
        True
        """
        when = self._known(day)
        has_opened, has_closed = as_truth(opened, "opened"), as_truth(closed, "closed")
        begun = self._opened(when if has_opened else when - ONE_DAY)
        over = self._opened(when if has_closed else when - ONE_DAY)
        if not over:
            raise self._beyond(when)
        return SessionClock(
            session=_date(self._sessions[begun - 1]),
            completed=_date(self._sessions[over - 1]),
            special=_date(when) in self.special,
        )

    def between(self, days: DateArray, first: Day, last: Day) -> DateArray:
        """Return those of some days of this calendar that lie between two, both included.

        Parameters
        ----------
        days : ndarray of shape (D,), datetime64[D]
            Rising.
        first, last : date-like

        Raises
        ------
        CalendarError
            If `last` is before `first`.

        Examples
        --------
        >>> import aegismatrix as am
        >>> nse = am.market_named("nifty").calendar
        >>> nse.between(nse.days, "2024-01-25", "2024-01-26")
        array(['2024-01-25', '2024-01-26'], dtype='datetime64[D]')
        """
        start, end = self._in_order(first, last)
        among = _rising(days)
        return among[(among >= start) & (among <= end)]

    def first_after(self, days: DateArray, day: Day) -> date:
        """Return the first of some days of this calendar that is later than one.

        Parameters
        ----------
        days : ndarray of shape (D,), datetime64[D]
            Rising.
        day : date-like

        Raises
        ------
        CalendarRangeError
            If the day, or the one after it, lies beyond the calendar.

        Examples
        --------
        >>> import aegismatrix as am
        >>> nse = am.market_named("nifty").calendar
        >>> nse.first_after(nse.days, "2024-01-25")
        datetime.date(2024, 1, 26)
        """
        when, among = self._known(day), _rising(days)
        place = int(np.searchsorted(among, when, side="right"))
        if place == len(among):
            raise self._beyond(when)
        return _date(among[place])

    @cached_property
    def days(self) -> DateArray:
        """Every day that it knows, rising, datetime64[D]."""
        first, last = np.datetime64(self.first), np.datetime64(self.last)
        days: DateArray = read_only(np.arange(first, last + ONE_DAY))
        return days

    @cached_property
    def _sessions(self) -> DateArray:
        irregular = np.array(sorted(self.closed | self.special), dtype="datetime64[D]")
        places = (irregular - self.days[0]).astype(np.int64)
        is_regular = weekdays(self.days) < SATURDAY
        is_regular[places[(places >= 0) & (places < len(self.days))]] = False
        regular: DateArray = read_only(self.days[is_regular])
        return regular

    def _known(self, day: Day) -> np.datetime64:
        when = whole_day(day)
        if not self.days[0] <= when <= self.days[-1]:
            raise self._beyond(when)
        return when

    def _in_order(self, first: Day, last: Day) -> tuple[np.datetime64, np.datetime64]:
        start, end = self._known(first), self._known(last)
        if end < start:
            raise _backwards(start, end)
        return start, end

    def _opened(self, day: np.datetime64) -> int:
        """Count the sessions up to and including a day."""
        return int(np.searchsorted(self._sessions, day, side="right"))

    def _beyond(self, day: np.datetime64) -> errors.CalendarRangeError:
        known = {"first": self.first.isoformat(), "last": self.last.isoformat()}
        if day < self.days[0]:
            remedy = "Give a calendar that begins earlier, or the horizon in trading days."
            return errors.CalendarRangeError(self.name, day=str(day), **known, remedy=remedy)
        return errors.CalendarRangeError(self.name, day=str(day), **known)


def weekdays(days: DateArray) -> NDArray[np.int64]:
    """Return the weekday of each day, 0 for Monday to 6 for Sunday."""
    # 1970-01-01 was a Thursday.
    found: NDArray[np.int64] = (days.astype(np.int64) + 3) % 7
    return found


def _backwards(first: object, last: object) -> CalendarError:
    return CalendarError(f"{last} is before {first}.", remedy="Give the earlier day first.")


def _date(day: np.datetime64) -> date:
    return date.fromisoformat(str(day))


def _days(given: Iterable[Day]) -> frozenset[date]:
    days = as_rows(given, "a list of days", "Give days, such as ['2026-01-26'].")
    return frozenset(_date(whole_day(day)) for day in days)


def _rising(days: DateArray) -> DateArray:
    """Days that are given, held to be days in one rising row."""
    # The calendar's own are known to be.
    own = type(days) is np.ndarray and days.dtype == _DAYS and days.ndim == 1
    if own and not days.flags.writeable:
        return days
    checked = as_dates(days, "days")
    if checked.ndim != 1 or (np.diff(checked.astype(np.int64)) <= 0).any():
        raise CalendarError(
            f"The days {shown(days)} do not rise in one row.", remedy="Sort them, each once."
        )
    return checked


def _is_day_of_a_year(text: str) -> bool:
    try:
        # A leap year has every day that there is.
        return date.fromisoformat(f"2000-{text}").strftime("%m-%d") == text
    except ValueError:
        return False


def _parsed(row: list[str]) -> date | None:
    if len(row) != len(_HEADER) or row[1] not in _KINDS:
        return None
    try:
        day = date.fromisoformat(row[0])
    except ValueError:
        return None
    return day if day.isoformat() == row[0] else None


def read_small_file(path: str | os.PathLike[str], what: str = "market") -> str:
    """Read the text of a file that describes a market or its days: UTF-8, at most 1 MiB."""
    place = path_text(path)
    try:
        data = read_regular(place, _MAX_FILE_BYTES)
        if len(data) > _MAX_FILE_BYTES:
            raise errors.MarketFileError(place, f"it is larger than {_MAX_FILE_BYTES} bytes", what)
        return data.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise errors.MarketFileError(place, f"it cannot be read ({reason})", what) from error
