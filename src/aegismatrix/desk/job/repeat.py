"""A job that runs again and again, at the steps of the exchange's session, until it is ended."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from aegismatrix.desk.job.schedule import Agenda
from aegismatrix.desk.sources.fetched import utc_now
from aegismatrix.market.market import Market

LONGEST_NAP_SECONDS = 30.0
"""How long a clock that is corrected goes unnoticed."""

_log = logging.getLogger(__name__)


def repeat(
    run: Callable[[], object],
    every: timedelta,
    exchange: Callable[[], Market],
    *,
    clock: Callable[[], datetime] = utc_now,
    steady: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> None:
    """Run at once, and then at every step of the exchange's sessions (`Agenda`).

    Parameters
    ----------
    run : callable
        One run; what it raises ends the job.
    every : timedelta
        Above 0.
    exchange : callable
        Whose sessions, asked after each run: a market with a calendar.
    clock, steady, sleep : callable
        The time, aware; seconds of a clock that nobody corrects; and what waits for some of them.

    Raises
    ------
    ContractError
        If `every` is not above 0.
    CalendarRangeError
        If the next session lies beyond the exchange's calendar.
    MarketError
        If the market has no calendar.
    """
    agenda = Agenda.started(every, exchange(), clock(), steady())
    while True:
        run()
        now = clock()
        agenda = replace(agenda, exchange=exchange()).ended(now).woken(now)
        told = None
        while (left := agenda.seconds_left(now, steady())) > 0:
            following = now + timedelta(seconds=round(left))
            if told is None or abs(following - told) > timedelta(seconds=2):
                _log.info("next run at %s", following.isoformat(timespec="seconds"))
                told = following
            sleep(min(left, LONGEST_NAP_SECONDS))
            now = clock()
            agenda = agenda.woken(now)
        agenda = agenda.running(now, steady())
