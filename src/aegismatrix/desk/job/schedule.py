"""When a scheduled job runs: at fixed steps of the exchange's session, and once after it.

The clock of a host is corrected now and then, by seconds or by days, and hosts sleep. So what is
kept between two looks at the clock is which step was run last, not when to wake.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from aegismatrix.errors import ContractError
from aegismatrix.market.market import NIFTY, Market
from aegismatrix.records import dataclass

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
    ContractError
        If `every` is not above 0.
    NaiveMomentError
        If the moment carries no UTC offset.
    CalendarRangeError
        If the next session lies beyond the exchange's calendar.
    MarketError
        If the market has no calendar.
    """
    _check(every)
    exchange = exchange.reaching(exchange.trading_day(moment))
    session = exchange.session_at(moment).session
    if moment >= exchange.closes_at(session) + SETTLED:
        # The session that the moment belongs to is over, so the next one opens later.
        session = exchange.known_calendar().next_session(session)
    opens, closes = exchange.opens_at(session), exchange.closes_at(session)
    if moment >= closes or every >= closes - opens:
        return closes + SETTLED
    step = opens + (max(moment - opens, timedelta(0)) // every + 1) * every
    return step if step < closes else closes + SETTLED


def last_run(moment: datetime, every: timedelta, exchange: Market = NIFTY) -> datetime:
    """Return the step at or before a moment.

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
        UTC: the latest moment that is not later and that `next_run` returns of an earlier one.

    Raises
    ------
    ContractError, NaiveMomentError, CalendarRangeError, MarketError
        As for `next_run`.
    """
    _check(every)
    exchange = exchange.reaching(exchange.trading_day(moment))
    session = exchange.session_at(moment).session
    opens, closes = exchange.opens_at(session), exchange.closes_at(session)
    if moment >= closes + SETTLED:
        return closes + SETTLED
    if every < closes - opens and moment >= opens + every:
        within = min(moment, closes - timedelta.resolution) - opens
        return opens + within // every * every
    return exchange.closes_at(exchange.session_at(opens).completed) + SETTLED


@dataclass(frozen=True)
class Agenda:
    """Which steps of a repeating job were run; what is due, whatever was done to the clock.

    A step that comes right after the one that was run last is due at once. Where steps were
    passed over, since the host slept or its clock was put forward, one run makes up for them, but
    not before `every` has passed since the last run began by a clock that nobody corrects: what put
    the clock forward may be put right soon. Where the clock was put back, its steps come again,
    but for the one that was run last.

    Attributes
    ----------
    every : timedelta
        Above 0.
    exchange : Market
        Whose sessions.
    done : datetime
        The step that was run last.
    began : float
        When that run began, in seconds of a clock that nobody corrects.
    """

    every: timedelta
    exchange: Market
    done: datetime
    began: float

    @classmethod
    def started(cls, every: timedelta, exchange: Market, now: datetime, steady: float) -> Agenda:
        """Begin with a run at a moment.

        Parameters
        ----------
        every : timedelta
            Above 0.
        exchange : Market
            Whose sessions: one with a calendar.
        now : aware datetime
            The moment.
        steady : float
            The same in seconds of a clock that nobody corrects.

        Returns
        -------
        Agenda

        Raises
        ------
        ContractError, NaiveMomentError, CalendarRangeError, MarketError
            As for `next_run`.
        """
        return cls(every, exchange, last_run(now, every, exchange), steady)

    def running(self, now: datetime, steady: float) -> Agenda:
        """Return the agenda as a run begins.

        Parameters
        ----------
        now : aware datetime
            The moment.
        steady : float
            The same by the other clock.

        Returns
        -------
        Agenda
            What makes up for steps that were passed over also stands for the next one, if that is
            nearer than half a step and not the one after the close.
        """
        step = last_run(now, self.every, self.exchange)
        if step != next_run(self.done, self.every, self.exchange):
            coming = next_run(now, self.every, self.exchange)
            if 2 * (coming - now) < self.every and coming != self._settled(coming):
                step = coming
        return replace(self, done=step, began=steady)

    def ended(self, now: datetime) -> Agenda:
        """Return the agenda as a run ends.

        Parameters
        ----------
        now : aware datetime
            The moment.

        Returns
        -------
        Agenda
            Steps of the session that passed meanwhile are not made up for; the run after its close
            is.
        """
        done = self.done
        while (step := next_run(done, self.every, self.exchange)) <= now:
            if step == self._settled(step):
                break
            done = step
        return replace(self, done=done)

    def woken(self, now: datetime) -> Agenda:
        """Return the agenda as the clock is looked at: a clock that was put back is believed.

        Parameters
        ----------
        now : aware datetime
            The moment.

        Returns
        -------
        Agenda
        """
        step = last_run(now, self.every, self.exchange)
        if step < self.done and next_run(now, self.every, self.exchange) != self.done:
            return replace(self, done=step)
        return self

    def seconds_left(self, now: datetime, steady: float) -> float:
        """Return how long it is until the next run, if the clock stays as it is.

        Parameters
        ----------
        now : aware datetime
            The moment, after `woken`.
        steady : float
            The same by the other clock.

        Returns
        -------
        float
            0 or less if it is due.
        """
        step = last_run(now, self.every, self.exchange)
        following = next_run(self.done, self.every, self.exchange)
        if step > following:
            return self.began + self.every.total_seconds() - steady
        return (following - now).total_seconds()

    def _settled(self, step: datetime) -> datetime:
        """The run after the close of the step's session."""
        day = self.exchange.trading_day(step)
        exchange = self.exchange.reaching(day)
        return exchange.closes_at(exchange.session_at(step).session) + SETTLED


def _check(every: timedelta) -> None:
    if not isinstance(every, timedelta) or every <= timedelta(0):
        raise ContractError(
            "schedule",
            "every",
            f"is {every!r}, not a time above 0",
            remedy="Give a timedelta such as timedelta(minutes=30).",
        )
