"""Market: whose bars these are, and all that the package has to know of an exchange.

Whatever differs between markets is asked of a `Market`, never of its name: a market without a
calendar has no sessions to hold bars against, one without expiries has no contracts to count to.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from aegismatrix import errors
from aegismatrix.errors import ArgumentError, CalendarError, shown
from aegismatrix.market.arrays import (
    DateArray,
    Day,
    as_moment,
    as_real,
    as_rows,
    as_text,
    as_whole,
    clock_named,
    whole_day,
)
from aegismatrix.records import dataclass

if TYPE_CHECKING:
    from aegismatrix.market.calendars.calendar import Calendar, SessionClock

ExpiryKind = Literal["weekly", "monthly"]
SessionState = Literal["closed", "partial"]

MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY, SATURDAY, SUNDAY = range(7)

_CALENDARS = {"nse": ("aegismatrix.market.calendars.nse", "NSE")}
"""Calendars that the package holds, by name: read when they are first asked for."""

_PAIRS = "Give one pair or more of a day and of the weekday in force since, 0 for Monday."
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,29}")
# Expiries and horizons of up to 40 sessions lie within.
_AHEAD = timedelta(days=100)
_PROVISIONAL = timedelta(days=366)
# Of a market whose hours are not known a session lasts until its day is over.
_DAY_OVER = time(23, 59, 59)


@dataclass(frozen=True)
class ExpiryRule:
    """On which days an index's option contracts expire.

    Attributes
    ----------
    weekday_since : tuple of (date, int)
        Since when they expire on which weekday, 0 for Monday, by the day of expiry; rising.
    weekly_since : date or None
        The first day on which weekly contracts were traded; None where all are monthly.
    week_of_month : int
        Which of the month's such weekdays is the monthly one: 1 to 4, or -1 for the last.

    Raises
    ------
    MarketError
        If there is no weekday, they are not in order, or one of the numbers is none of these.

    Examples
    --------
    >>> from datetime import date
    >>> import aegismatrix as am
    >>> thursdays = am.ExpiryRule(((date(2019, 1, 1), 3),), weekly_since=date(2019, 2, 11))
    >>> thursdays.kinds
    ('weekly', 'monthly')
    """

    weekday_since: tuple[tuple[date, int], ...]
    weekly_since: date | None = None
    week_of_month: int = -1

    def __post_init__(self) -> None:
        rows = map(_pair, as_rows(self.weekday_since, "weekday_since", _PAIRS))
        pairs = tuple((_plain_day(since), _weekday(weekday)) for since, weekday in rows)
        object.__setattr__(self, "weekday_since", pairs)
        if self.weekly_since is not None:
            object.__setattr__(self, "weekly_since", _plain_day(self.weekly_since))
        since = [day for day, _ in pairs]
        if not since or since != sorted(set(since)):
            raise errors.MarketError(
                "The weekdays of an expiry rule are none, or their days do not rise.",
                remedy=_PAIRS,
            )
        week = _within(self.week_of_month, -1, 4)
        if not week:
            raise errors.MarketError(
                f"The week of the month is {shown(self.week_of_month)}.",
                remedy="Give 1 to 4, or -1 for the last such weekday of the month.",
            )
        object.__setattr__(self, "week_of_month", week)

    @property
    def kinds(self) -> tuple[ExpiryKind, ...]:
        """The kinds of contracts that there are."""
        return ("monthly",) if self.weekly_since is None else ("weekly", "monthly")

    def kind_on(self, day: Day) -> ExpiryKind:
        """Return the kind of the contracts that expire first, as they were traded on a day.

        Parameters
        ----------
        day : date-like

        Raises
        ------
        CalendarDayError
            If it is not a day.

        Examples
        --------
        >>> import aegismatrix as am
        >>> am.market_named("nifty").expiries.kind_on("2018-12-31")
        'monthly'
        """
        since = self.weekly_since
        return "monthly" if since is None or whole_day(day) < np.datetime64(since) else "weekly"


class CalendarField:
    """A field that takes a `Calendar` or the name of one of the package's, and holds the former."""

    def __get__(self, instance: Market | None, owner: type) -> Calendar | None:
        if instance is None:
            return None
        held: Calendar | str | None = instance.__dict__["calendar"]
        return _bundled(held) if isinstance(held, str) else held

    def __set__(self, instance: Market, value: Calendar | str | None) -> None:
        value = str.__str__(value) if isinstance(value, str) else value
        known = value in _CALENDARS if isinstance(value, str) else value is None
        if not known and not _is_calendar(value):
            raise errors.MarketError(
                f"{shown(value)} is no calendar.",
                remedy=f"Give a Calendar, or the name of the package's: {', '.join(_CALENDARS)}.",
            )
        instance.__dict__["calendar"] = value


@dataclass(frozen=True, eq=False, repr=False)
class Market:
    """One market: name, clock, hours, calendar, expiries and strikes.

    A value: two of the same fields are equal, and it goes through `copy` and `pickle` as it is.
    `NIFTY` and `OTHER` are two of them; ``market="nifty"`` and ``market="other"`` name them. Its
    methods take the exchange's day as a date, a datetime64 of whole days or ISO 8601, and a moment
    as an aware datetime in any time zone; anything else is a CalendarDayError or a
    NaiveMomentError.

    Attributes
    ----------
    name : str
        What it is called in reports, logs and manifests: lower-case letters, digits, ``_`` and
        ``-``, a letter first, at most 30.
    title : str
        What it is called on the page; by default its name.
    time_zone : str or None
        The exchange's clock: a fixed offset such as ``+05:30``, or a name of the time zone database
        such as ``America/New_York``. Without it, stamps keep the date that is written.
    opens, closes : time or None
        Of the regular session, on that clock.
    calendar : Calendar or None
        The exchange's sessions; given as one, or as ``"nse"``, which is read when it is first asked
        for. It needs `time_zone` and hours.
    expiries : ExpiryRule or None
        When option contracts expire; needs `calendar`.
    strike_step_points : float or None
        From one strike to the next, in index points.
    circuit_breaker : float or None
        The move of the index, as a fraction of the close before, at which the exchange stops
        trading for the day.

    Raises
    ------
    MarketError
        If a field is none of these, or lacks another that it needs.

    Examples
    --------
    >>> import aegismatrix as am
    >>> from datetime import time
    >>> am.Market("sp500", time_zone="-05:00", opens=time(9, 30), closes=time(16, 0))
    Market('sp500', sp500, -05:00, 09:30 to 16:00)
    """

    name: str
    title: str = ""
    time_zone: str | None = None
    opens: time | None = None
    closes: time | None = None
    calendar: CalendarField = CalendarField()
    expiries: ExpiryRule | None = None
    strike_step_points: float | None = None
    circuit_breaker: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise errors.MarketError(
                f"A market cannot have the name {shown(self.name)}.",
                remedy="Give lower-case letters, digits, _ and -, a letter first, at most 30.",
            )
        object.__setattr__(self, "name", str.__str__(self.name))
        if not isinstance(self.title, str) or not self.title.isprintable():
            raise self._unfit("title", "Give one line of text.")
        object.__setattr__(self, "title", str.__str__(self.title) or self.name)
        if self.time_zone is not None:
            zone = as_text(self.time_zone, "time_zone", "Give an offset such as +05:30, or a name.")
            object.__setattr__(self, "time_zone", zone)
            clock_named(zone)
        for name in ("opens", "closes"):
            given = getattr(self, name)
            if given is not None and (not isinstance(given, time) or given.tzinfo is not None):
                raise self._unfit(name, "Give a time of day on its own clock, such as time(9, 15).")
        if not isinstance(self.expiries, ExpiryRule | None):
            raise self._unfit("expiries", "Give an ExpiryRule.")
        for name, least, most, remedy in (
            ("strike_step_points", 0.0, math.inf, "Give index points above 0."),
            ("circuit_breaker", 0.0, 1.0, "Give a fraction between 0 and 1, such as 0.2."),
        ):
            given = getattr(self, name)
            if given is not None:
                try:
                    number = as_real(given, name, remedy)
                except ArgumentError as error:
                    raise self._unfit(name, remedy) from error
                if not least < number < most:
                    raise self._unfit(name, remedy)
                object.__setattr__(self, name, number)
        self._check_needs()

    def _check_needs(self) -> None:
        """Refuse a field without those that it cannot be used without."""
        has_calendar = self.__dict__["calendar"] is not None
        for given, need, complete in (
            ("opens or closes", "both", (self.opens is None) == (self.closes is None)),
            ("hours", "time_zone", self.opens is None or self.time_zone is not None),
            ("a calendar", "opens and closes", not has_calendar or self.opens is not None),
            ("expiries", "a calendar", self.expiries is None or has_calendar),
        ):
            if not complete:
                raise errors.MarketError(
                    f"The market {self.name} has {given} and lacks {need}.",
                    remedy=f"Give {need}, or leave {given} out.",
                )
        if self.opens is not None and self.closes is not None and self.closes <= self.opens:
            raise self._unfit("closes", "Give hours of one day: it opens before it closes.")

    def _unfit(self, field: str, remedy: str) -> errors.MarketError:
        given = shown(getattr(self, field))
        return errors.MarketError(f"The market {self.name} has {field} {given}.", remedy=remedy)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Market):
            return NotImplemented
        return self is other or all(
            self.__dict__[one.name] == other.__dict__[one.name]
            or getattr(self, one.name) == getattr(other, one.name)
            for one in fields(self)
        )

    def __hash__(self) -> int:
        # Without the calendar: the package's would have to be read to be hashed by value.
        return hash((self.name, self.title, self.time_zone, self.opens, self.closes, self.expiries))

    def __repr__(self) -> str:
        hours = f", {self.opens:%H:%M} to {self.closes:%H:%M}" if self.opens and self.closes else ""
        zone = "" if self.time_zone is None else f", {self.time_zone}"
        # What the package holds is not read to be shown.
        held = self.__dict__["calendar"]
        days = "" if held is None else f", calendar {held if isinstance(held, str) else held.name}"
        return f"Market({self.name!r}, {self.title}{zone}{hours}{days})"

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Market:
        """Read a market of your own from a file.

        Parameters
        ----------
        path : path-like
            A JSON file, as ``docs/markets.md`` describes it.

        Raises
        ------
        MarketFileError
            If it cannot be read, is not of that form, or describes no market.

        Examples
        --------
        >>> import aegismatrix as am
        >>> am.Market.from_file("market.json").title
        'S&P 500'
        """
        from aegismatrix.market.descriptions import read_description

        return cls.from_dict(read_description(path), path=path)

    @classmethod
    def from_dict(
        cls, description: Mapping[str, Any], *, path: str | os.PathLike[str] = "market.json"
    ) -> Market:
        """Make a market from plain values, as `to_dict` and market files have them.

        Parameters
        ----------
        description : mapping
            As ``docs/markets.md`` describes it.
        path : path-like
            The file that they are from: a calendar's table is looked for in its folder.

        Raises
        ------
        MarketFileError
            If they describe no market.

        Examples
        --------
        >>> import aegismatrix as am
        >>> am.Market.from_dict({"name": "sp500", "title": "S&P 500"})
        Market('sp500', S&P 500)
        """
        from aegismatrix.market.descriptions import market_fields
        from aegismatrix.market.sheets import path_text

        try:
            given, rule = market_fields(description, path_text(path))
            return cls(**given, expiries=None if rule is None else ExpiryRule(**rule))
        except errors.MarketFileError:
            raise
        except errors.MarketError as error:
            raise errors.MarketFileError(path_text(path), error.problem.rstrip(".")) from error

    def to_dict(self) -> dict[str, Any]:
        """Return the market as strict JSON, of which `from_dict` makes an equal one.

        Examples
        --------
        >>> import aegismatrix as am
        >>> am.Market("sp500", title="S&P 500").to_dict()
        {'name': 'sp500', 'title': 'S&P 500'}
        """
        from aegismatrix.market.descriptions import plain_market

        return plain_market(self.__dict__)

    @property
    def clock(self) -> tzinfo | None:
        """The exchange's clock; None where it is not known."""
        return None if self.time_zone is None else clock_named(self.time_zone)

    @property
    def hours(self) -> tuple[str | None, time | None, time | None]:
        """Clock, opening and close: markets that trade together have the same."""
        return self.time_zone, self.opens, self.closes

    def reaching(self, day: Day) -> Market:
        """Return the market with a calendar that knows some hundred days after one.

        The market itself, where its calendar reaches as far or there is none, or where the day lies
        more than a year beyond it; otherwise one whose calendar goes on provisionally
        (`Calendar.provisional`).

        Parameters
        ----------
        day : date-like
            Such as that of the last bar.

        Examples
        --------
        >>> import aegismatrix as am
        >>> nifty = am.market_named("nifty")
        >>> nifty.reaching("2018-12-31") is nifty
        True
        """
        calendar, when = self.calendar, _plain_day(day)
        if calendar is None or when - calendar.declared_to > _PROVISIONAL:
            return self
        longer = calendar.provisional(when + _AHEAD)
        return self if longer is calendar else replace(self, calendar=longer)

    def known_calendar(self) -> Calendar:
        """Return the calendar, which has to be there.

        Raises
        ------
        MarketError
            If the market has none.

        Examples
        --------
        >>> import aegismatrix as am
        >>> am.market_named("nifty").known_calendar().is_session("2024-01-26")
        False
        """
        calendar = self.calendar
        if calendar is None:
            raise errors.MarketError(
                f"The sessions of {self.title} are not known.",
                remedy="Give a market with a calendar, or horizons in trading days.",
            )
        return calendar

    def trading_day(self, moment: datetime) -> date:
        """Return the day of a moment on the exchange's clock.

        Where that is not known, it is the date that is written.

        Parameters
        ----------
        moment : aware datetime

        Examples
        --------
        >>> from datetime import datetime, timezone
        >>> import aegismatrix as am
        >>> evening = datetime(2024, 1, 1, 19, 0, tzinfo=timezone.utc)
        >>> am.market_named("nifty").trading_day(evening)
        datetime.date(2024, 1, 2)
        """
        clock = self.clock
        return (_aware(moment) if clock is None else _on(clock, moment)).date()

    def opens_at(self, day: Day) -> datetime:
        """Return when the session of a day begins, in UTC.

        Where the hours are not known, that is when the day begins.

        Parameters
        ----------
        day : date-like

        Examples
        --------
        >>> import aegismatrix as am
        >>> str(am.market_named("nifty").opens_at("2024-01-02"))
        '2024-01-02 03:45:00+00:00'
        """
        return self._at(day, self.opens or time())

    def closes_at(self, day: Day) -> datetime:
        """Return when the session of a day is over, in UTC.

        Where the hours are not known, that is the last second of the day.

        Parameters
        ----------
        day : date-like

        Examples
        --------
        >>> import aegismatrix as am
        >>> str(am.market_named("nifty").closes_at("2024-01-02"))
        '2024-01-02 10:00:00+00:00'
        """
        return self._at(day, self.closes or _DAY_OVER)

    def session_state(self, day: Day, moment: datetime) -> SessionState:
        """Say whether the session of a day was over at some moment.

        Where the hours are not known, a day is over once it is.

        Parameters
        ----------
        day : date-like
            Such as that of a bar. One later than the moment's is not over.
        moment : aware datetime

        Examples
        --------
        >>> import aegismatrix as am
        >>> nifty = am.market_named("nifty")
        >>> nifty.session_state("2024-01-02", nifty.opens_at("2024-01-02"))
        'partial'
        """
        local = _on(self.clock or timezone.utc, moment)
        when, today = whole_day(day), np.datetime64(local.date())
        over = self.closes is not None and local.time() >= self.closes
        return "closed" if when < today or (when == today and over) else "partial"

    def session_at(self, moment: datetime) -> SessionClock:
        """Say which session a moment belongs to, and whether it is going on.

        A session is going on from its opening to before its close.

        Parameters
        ----------
        moment : aware datetime

        Raises
        ------
        CalendarRangeError
            If its day, or the last session closed by then, lies beyond the calendar.
        MarketError
            If the market has no calendar.

        Examples
        --------
        >>> import aegismatrix as am
        >>> nifty = am.market_named("nifty")
        >>> clock = nifty.session_at(nifty.opens_at("2024-01-02"))
        >>> clock.is_open, str(clock.completed)
        (True, '2024-01-01')
        """
        calendar = self.known_calendar()
        local = _on(self.clock or timezone.utc, moment)
        day, of_day = local.date(), local.time()
        return calendar.clock_on(
            day,
            opened=self.opens is not None and of_day >= self.opens,
            closed=self.closes is not None and of_day >= self.closes,
        )

    def expiry_days(self, first: Day, last: Day, kind: ExpiryKind = "weekly") -> DateArray:
        """Return the sessions of expiry from one day to another, both included, as datetime64[D].

        Parameters
        ----------
        first, last : date-like
        kind : {'weekly', 'monthly'}
            One a week, monthly ones among them, and none before there were any; or those of each
            month alone.

        Raises
        ------
        CalendarRangeError
            If a day lies beyond the calendar.
        CalendarError
            If `last` is before `first`, or there is no such kind.
        MarketError
            If the market has no calendar or no expiries.

        Examples
        --------
        >>> import aegismatrix as am
        >>> am.market_named("nifty").expiry_days("2024-01-01", "2024-01-31", "monthly")
        array(['2024-01-25'], dtype='datetime64[D]')
        """
        return self.known_calendar().between(self._expiries(kind), first, last)

    def next_expiry(self, day: Day, kind: ExpiryKind = "weekly") -> date:
        """Return the session of the first expiry that is later than a day.

        Parameters
        ----------
        day : date-like
            The day of the last bar. Its own expiry, if it has one, is over with its close.
        kind : {'weekly', 'monthly'}
            As for `expiry_days`.

        Raises
        ------
        CalendarRangeError
            If the day, or the expiry after it, lies beyond the calendar, or if there were no weekly
            contracts yet.
        CalendarError, MarketError
            As for `expiry_days`.

        Examples
        --------
        >>> import aegismatrix as am
        >>> am.market_named("nifty").next_expiry("2024-01-02")
        datetime.date(2024, 1, 4)
        """
        calendar, known = self.known_calendar(), self._expiries(kind)
        since = None if self.expiries is None else self.expiries.weekly_since
        if kind == "weekly" and since is not None and whole_day(day) < np.datetime64(since):
            raise errors.CalendarRangeError(
                f"weekly expiries of {self.title}",
                day=str(whole_day(day)),
                first=since.isoformat(),
                last=str(known[-1]) if len(known) else calendar.last.isoformat(),
                remedy="Ask for kind='monthly': there were no weekly contracts before.",
            )
        return calendar.first_after(known, day)

    def trading_days_to_expiry(self, day: Day, kind: ExpiryKind = "weekly") -> int:
        """Count the regular sessions after a day, up to and including the next expiry.

        At least 1: a horizon for the breach surface.

        Parameters
        ----------
        day, kind
            As for `next_expiry`.

        Raises
        ------
        CalendarRangeError, CalendarError, MarketError
            As for `next_expiry`.

        Examples
        --------
        >>> import aegismatrix as am
        >>> am.market_named("nifty").trading_days_to_expiry("2024-01-02")
        2
        """
        return self.known_calendar().trading_days_between(day, self.next_expiry(day, kind))

    def _expiries(self, kind: ExpiryKind) -> DateArray:
        from aegismatrix.market.calendars.expiries import monthly_expiries, weekly_expiries

        calendar, rule = self.known_calendar(), self.expiries
        if not isinstance(kind, str) or kind not in get_args(ExpiryKind):
            raise CalendarError(
                f"There is no kind of expiry {shown(kind)}.",
                remedy=f"Choose one of {list(get_args(ExpiryKind))}.",
            )
        if rule is None or kind not in rule.kinds:
            raise errors.MarketError(
                f"No {kind} expiries of {self.title} are known.",
                remedy="Give a market with an expiry rule that has them, or horizons in trading"
                " days.",
            )
        if kind == "weekly" and rule.weekly_since is not None:
            return weekly_expiries(calendar, rule.weekday_since, rule.weekly_since)
        return monthly_expiries(calendar, rule.weekday_since, rule.week_of_month)

    def _at(self, day: Day, clock_time: time) -> datetime:
        local = datetime.combine(_plain_day(day), clock_time, self.clock or timezone.utc)
        try:
            return local.astimezone(timezone.utc)
        except OverflowError as error:
            # The first or the last day that can be counted, on a clock far from UTC.
            raise errors.CalendarDayError(shown(day)) from error


def _aware(moment: object) -> datetime:
    """Return a moment as it is written, held to be one."""
    as_moment(moment, "moment")
    assert isinstance(moment, datetime)
    return moment


def _on(clock: tzinfo, moment: object) -> datetime:
    """Return a moment on a clock."""
    try:
        return as_moment(moment, "moment").astimezone(clock)
    except OverflowError as error:
        raise ArgumentError(
            "moment", shown(moment), remedy="Give one of a day that a calendar counts."
        ) from error


def _within(given: object, least: int, most: int) -> int | None:
    """A whole number within bounds; None where it is none."""
    try:
        return as_whole(given, "a number", least=least, most=most)
    except ArgumentError:
        return None


def _weekday(given: object) -> int:
    weekday = _within(given, MONDAY, SUNDAY)
    if weekday is None:
        raise errors.MarketError(f"{shown(given)} is no weekday.", remedy=_PAIRS)
    return weekday


def _pair(given: object) -> tuple[Any, Any]:
    pair = as_rows(given, "a pair of weekday_since", _PAIRS)
    if len(pair) != 2:
        raise ArgumentError("a pair of weekday_since", shown(given), remedy=_PAIRS)
    return pair[0], pair[1]


def _plain_day(day: Day) -> date:
    return date.fromisoformat(str(whole_day(day)))


def _is_calendar(value: object) -> bool:
    from aegismatrix.market.calendars.calendar import Calendar

    return isinstance(value, Calendar)


def _bundled(name: str) -> Calendar:
    module, attribute = _CALENDARS[name]
    calendar: Calendar = getattr(import_module(module), attribute)
    return calendar


NIFTY = Market(
    "nifty",
    title="NIFTY 50",
    # The same all the year round, so that no database of time zones is needed.
    time_zone="+05:30",
    opens=time(9, 15),
    closes=time(15, 30),
    calendar="nse",
    expiries=ExpiryRule(
        weekday_since=((date.min, THURSDAY), (date(2025, 9, 1), TUESDAY)),
        weekly_since=date(2019, 2, 11),
    ),
    # Of weekly and near monthly contracts, at all levels, since 2013-08-30; docs/markets.md.
    strike_step_points=50.0,
    # Trading ends for the day at a move of 20 %, since 2001-07-02; docs/bars.md.
    circuit_breaker=0.20,
)
"""NIFTY 50 on the National Stock Exchange of India."""

OTHER = Market("other", title="Another market")
"""Any other market, of which nothing but its bars is known."""

MARKETS: Mapping[str, Market] = {market.name: market for market in (NIFTY, OTHER)}
"""The markets that a name means."""


class MarketField:
    """A field of a dataclass that takes a `Market` or the name of one, and holds a `Market`."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: object, owner: type) -> Market:
        if instance is None:
            return NIFTY
        held: Market = instance.__dict__[self._name]
        return held

    def __set__(self, instance: object, value: Market | str) -> None:
        instance.__dict__[self._name] = market_named(value)


def is_market_name(text: str) -> bool:
    """Return whether a market of one's own may have this name."""
    return text not in MARKETS and _NAME.fullmatch(text) is not None


def market_named(given: Market | str) -> Market:
    """Return the market that is given or named.

    Parameters
    ----------
    given : Market or str
        A market; ``nifty`` or ``other``; or the path of a market file, which ends in ``.json``.

    Raises
    ------
    MarketError
        If there is no such market; MarketFileError, if the file describes none.

    Examples
    --------
    >>> import aegismatrix as am
    >>> am.market_named("nifty").strike_step_points
    50.0
    """
    if isinstance(given, Market):
        return given
    name = str.__str__(given) if isinstance(given, str) else ""
    if name in MARKETS:
        return MARKETS[name]
    if name.lower().endswith(".json"):
        return Market.from_file(name)
    raise errors.MarketError(
        f"There is no market {shown(given)}.",
        remedy=f"Choose one of {list(MARKETS)}, or give a Market of your own or the path of its"
        " file, which ends in .json.",
    )
