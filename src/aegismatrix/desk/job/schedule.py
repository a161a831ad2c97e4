"""When a scheduled job runs: at fixed steps of the exchange's session, and once after it."""

from __future__ import annotations

from datetime import datetime, timedelta

from aegismatrix.market.market import NIFTY, Market

SETTLED = timedelta(minutes=15)
"""After the close, until the day's last figures have settled."""


def next_run(moment: datetime, every: timedelta, exchange: Market = NIFTY) -> datetime:
    """Return when to run next.

    Parameters
    ----------
    moment : aware datetime
        Now, in any time zone.
    every : timedelta
        Above 0.
    exchange : Market
        Whose sessions: one with a calendar.

    Returns
    -------
    datetime
        UTC, strictly later: the next multiple of `every` after the opening, 09:15 IST for NSE,
        while the session lasts, then 15 minutes after its close, then in the session after it.

    Raises
    ------
    NaiveMomentError
        If the moment carries no UTC offset.
    CalendarRangeError
        If the next session lies beyond the exchange's calendar.
    MarketError
        If the market has no calendar.
    """
    exchange = exchange.reaching(exchange.trading_day(moment))
    session = exchange.session_at(moment).session
    opens, closes = exchange.opens_at(session), exchange.closes_at(session)
    if moment < closes:
        step = opens + ((moment - opens) // every + 1) * every
    elif moment < closes + SETTLED:
        step = closes
    else:
        # The session that the moment belongs to is over, so the next one opens later.
        session = exchange.known_calendar().next_session(session)
        opens, closes = exchange.opens_at(session), exchange.closes_at(session)
        step = opens + every
    return step if step < closes else closes + SETTLED
