"""What a caller of the analysis gives, checked and completed before anything is computed."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from datetime import date, datetime, timedelta, timezone
from typing import get_args

import numpy as np

from aegismatrix.desk.age import Age
from aegismatrix.engine.engine import Engine
from aegismatrix.errors import ArgumentError, ContractError, NaiveMomentError, printable, shown
from aegismatrix.market.arrays import LONGEST_DAYS, Day, as_moment, as_texts, is_masked_array
from aegismatrix.market.bars import Bars
from aegismatrix.market.chain import OptionChain
from aegismatrix.market.errors import CalendarRangeError
from aegismatrix.market.intraday import MARKET, IntradayBars
from aegismatrix.market.market import ExpiryKind, Market

HORIZON_DAYS = 20
"""Of the safe range, in trading days, where no expiry is known."""

# A year within those of four digits: stamps sort, whatever the time zone.
_FIRST_YEAR, _LAST_YEAR = 1001, 9998


def check_inputs(bars: object, intraday: object, chain: object, overnight: object) -> None:
    """Refuse what is not of the type that it is given as, or of another market's hours.

    Parameters
    ----------
    bars, intraday, chain, overnight : object
        As given.

    Raises
    ------
    ContractError
    """
    for name, value, kind, optional, made_with in (
        ("bars", bars, Bars, False, "Bars.from_csv, from_frames or from_arrays"),
        ("intraday", intraday, IntradayBars, True, "IntradayBars.from_csv or from_frame"),
        ("chain", chain, OptionChain, True, "OptionChain.from_csv or from_frame"),
        ("overnight", overnight, Bars, True, "Bars.from_csv(..., market='other')"),
    ):
        if not isinstance(value, kind) and not (optional and value is None):
            raise ContractError(
                "report",
                name,
                f"is a {type(value).__name__}",
                remedy=f"Give {kind.__name__}, made with {made_with}.",
            )
    if (
        isinstance(intraday, IntradayBars)
        and isinstance(bars, Bars)
        and bars.market.hours != MARKET.hours
    ):
        raise ContractError(
            "report",
            "intraday",
            "goes with the bars of another market",
            remedy=f"Leave them out: 5-minute bars are read in the session of {MARKET.title}.",
        )


def notes_of(notes: object) -> tuple[str, ...]:
    """Return notes, each on one line that steers no terminal.

    Parameters
    ----------
    notes : object
        As given.

    Returns
    -------
    tuple of str

    Raises
    ------
    ContractError
    """
    remedy = "Give a list of texts, or leave it out."
    try:
        if not isinstance(notes, Sequence):
            raise ArgumentError("notes", shown(notes), remedy=remedy)
        return tuple(printable(note) for note in as_texts(notes, "notes", remedy))
    except ArgumentError as error:
        raise ContractError("report", "notes", f"is {shown(notes)}", remedy=remedy) from error


def confidence_of(confidence: object) -> float:
    """Return a share.

    Parameters
    ----------
    confidence : object
        As given.

    Returns
    -------
    float

    Raises
    ------
    ContractError
    """
    # A float of numpy or of one's own may compare, and be written, as it likes.
    share = float.__float__(confidence) if isinstance(confidence, float) else 0.0
    if not 0.0 < share < 1.0:
        raise ContractError(
            "report", "confidence", f"is {shown(confidence)}", remedy="Give a share such as 0.8."
        )
    return share


def check_engine(engine: object) -> None:
    """Refuse what is neither an engine nor None.

    Parameters
    ----------
    engine : object
        As given.

    Raises
    ------
    ContractError
    """
    if engine is not None and not isinstance(engine, Engine):
        raise ContractError(
            "report",
            "engine",
            f"is a {type(engine).__name__}",
            remedy="Give an Engine, made with Engine() or Engine(folder).",
        )


def horizon_of(
    bars: Bars,
    horizon_days: int | None,
    expiry: Day | ExpiryKind | None,
    moment: datetime,
    age: Age,
) -> tuple[int, str | None, tuple[str, ...]]:
    """Return the horizon of the safe range.

    Parameters
    ----------
    bars : Bars
        The last one is the day it begins on.
    horizon_days, expiry
        As for `analyze`.
    moment : aware datetime
        Now: an expiry that has passed by then is no horizon.
    age : Age
        Of the bars.

    Returns
    -------
    horizon_days : int
        Trading days.
    expiry : str or None
        The expiry that it ends with, if any, ISO 8601.
    notes : tuple of str
        Why there is none, where the bars are too old to reach one.

    Raises
    ------
    ContractError
        If it is no horizon that the surface has, or the market's calendar does not know the day.
    CalendarError
        If the next expiry lies beyond the exchange's calendar.
    """
    if horizon_days is not None:
        if expiry is not None:
            raise ContractError(
                "report", "expiry", "goes without horizon_days", remedy="Give one of the two."
            )
        return _checked_horizon("horizon_days", horizon_days), None, ()
    market = bars.market
    if expiry is None and market.expiries is None:
        return HORIZON_DAYS, None, ()
    today = str(bars.dates[-1])
    if expiry is None and market.expiries is not None:
        return _next_expiry(market, today, market.expiries.kind_on(today), moment, age)
    day = _expiry_day(market, today, expiry, moment)
    if market.calendar is None:
        raise ContractError(
            "report",
            "expiry",
            f"is {shown(expiry)} for bars of the market {market.name!r}",
            remedy="Give horizon_days: its sessions, and so the days to an expiry, are not known.",
        )
    if not market.calendar.is_session(day):
        raise ContractError(
            "report",
            "expiry",
            f"{day} is no session of the exchange",
            remedy="Contracts of a closed day expire on the session before it: give that.",
        )
    if moment >= market.closes_at(day):
        raise ContractError(
            "report",
            "expiry",
            f"{day} has passed",
            remedy="Give one that is still to come, or as now a moment before it.",
        )
    days = _days_to(market, today, day) if day.isoformat() > today else 0
    if not 1 <= days <= LONGEST_DAYS:
        raise ContractError(
            "report",
            "expiry",
            f"{day} is {days} trading days after {today}",
            remedy="Fetch newer bars, or give the horizon in trading days."
            if age.is_stale
            else f"Give a day 1 to {LONGEST_DAYS} trading days ahead.",
        )
    return days, day.isoformat(), ()


def _next_expiry(
    market: Market, today: str, kind: ExpiryKind, moment: datetime, age: Age
) -> tuple[int, str | None, tuple[str, ...]]:
    """Return the horizon to the first expiry to come, or one of no expiry and why."""
    day = _to_come(market, today, kind, moment)
    if moment < market.closes_at(day):
        days = _days_to(market, today, day)
        if days <= LONGEST_DAYS:
            return days, day.isoformat(), ()
    note = (
        f"The last bar is {age.days} days old and every expiry within {LONGEST_DAYS} trading days"
        f" of it has passed: the safe range is of {HORIZON_DAYS} trading days instead."
    )
    return HORIZON_DAYS, None, (note,)


def _to_come(market: Market, today: str, kind: ExpiryKind, moment: datetime) -> date:
    """Return the first expiry after the last bar that is not over; beyond the calendar, one is."""
    day = market.next_expiry(today, kind)
    if moment < market.closes_at(day):
        return day
    now = market.trading_day(moment)
    over = moment >= market.closes_at(now)
    try:
        return market.next_expiry(now if over else now - timedelta(days=1), kind)
    except CalendarRangeError:
        return day


def _days_to(market: Market, today: str, day: date) -> int:
    return market.known_calendar().trading_days_between(today, day)


def _expiry_day(
    market: Market, today: str, expiry: Day | ExpiryKind | None, moment: datetime
) -> date:
    for kind in get_args(ExpiryKind):
        if isinstance(expiry, str) and expiry == kind:
            if market.expiries is None or kind not in market.expiries.kinds:
                raise ContractError(
                    "report",
                    "expiry",
                    f"is {shown(expiry)} for bars of the market {market.name!r}",
                    remedy="Give horizon_days: it has no such expiries that are known.",
                )
            return _to_come(market, today, kind, moment)
    try:
        if isinstance(expiry, (str, date, np.datetime64)):
            # Of a datetime the day; of text nothing but a day.
            return date.fromisoformat(expiry if isinstance(expiry, str) else str(expiry)[:10])
        raise ValueError("neither a day nor text")
    except ValueError as error:
        raise ContractError(
            "report", "expiry", f"is {shown(expiry)}", remedy="Give a day, 'weekly' or 'monthly'."
        ) from error


def moment_of(now: object) -> datetime:
    """Return a moment in UTC, the present where none was given.

    Parameters
    ----------
    now : object
        As given.

    Returns
    -------
    datetime

    Raises
    ------
    ContractError
        If it is no datetime with a time zone, or one beyond any calendar.
    """
    if now is None:
        return datetime.now(timezone.utc)
    try:
        moment = as_moment(now, "now")
        if _FIRST_YEAR <= moment.year <= _LAST_YEAR:
            return moment
        reason = f"is {shown(now)}, beyond any calendar"
    except NaiveMomentError:
        reason = "has no time zone"
    except ArgumentError:
        reason = f"is {shown(now)}"
    raise ContractError(
        "report", "now", reason, remedy="Give an aware datetime, such as one in timezone.utc."
    )


def _checked_horizon(name: str, days: int) -> int:
    """Return a horizon as an int; numpy's integers are not JSON."""
    try:
        if isinstance(days, bool | np.bool_) or is_masked_array(days):
            raise TypeError("a truth value")
        checked = operator.index(days)
    except Exception as error:
        # What counts as a whole number may be anybody's code.
        raise ContractError(
            "report", name, f"is {shown(days)}", remedy="Give whole trading days from 1 to 30."
        ) from error
    if not 1 <= checked <= LONGEST_DAYS:
        raise ContractError(
            "report", name, f"is {shown(days)}", remedy=f"Give 1 to {LONGEST_DAYS} trading days."
        )
    return checked
