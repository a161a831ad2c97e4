"""The days on which an exchange's contracts expire, by its rule and its calendar."""

from __future__ import annotations

from datetime import date
from functools import lru_cache

import numpy as np

from aegismatrix.market.arrays import DateArray, distinct, read_only
from aegismatrix.market.calendars.calendar import Calendar, weekdays

LAST_WEEK = -1


@lru_cache(maxsize=32)
def weekly_expiries(
    calendar: Calendar, weekday_since: tuple[tuple[date, int], ...], since: date
) -> DateArray:
    """Return the rising weekly expiries that a calendar knows, monthly ones among them.

    Each is the weekday in force, 0 for Monday, or the session before it.
    """
    nominal = _nominal(calendar, weekday_since)
    return _rolled_back(calendar, nominal[nominal >= np.datetime64(since)])


@lru_cache(maxsize=32)
def monthly_expiries(
    calendar: Calendar, weekday_since: tuple[tuple[date, int], ...], week_of_month: int
) -> DateArray:
    """Return the rising monthly expiries that a calendar knows; `week_of_month` is 1 to 4 or -1."""
    nominal = _nominal(calendar, weekday_since)
    months = nominal.astype("datetime64[M]")
    _, starts, counts = np.unique(months, return_index=True, return_counts=True)
    if week_of_month == LAST_WEEK:
        return _rolled_back(calendar, nominal[starts + counts - 1])
    return _rolled_back(calendar, nominal[starts[counts >= week_of_month] + week_of_month - 1])


def _nominal(calendar: Calendar, weekday_since: tuple[tuple[date, int], ...]) -> DateArray:
    """The days of the weekday that is in force on them, sessions or not, in whole months."""
    first = np.datetime64(calendar.first, "M").astype("datetime64[D]")
    beyond = (np.datetime64(calendar.last, "M") + np.timedelta64(1, "M")).astype("datetime64[D]")
    days: DateArray = np.arange(first, beyond, dtype="datetime64[D]")
    wanted = np.full(len(days), -1, dtype=np.int64)
    for since, weekday in weekday_since:
        wanted[days >= np.datetime64(since)] = weekday
    found: DateArray = days[weekdays(days) == wanted]
    return found


def _rolled_back(calendar: Calendar, nominal: DateArray) -> DateArray:
    """The last session at or before each day that the calendar knows; none before its first."""
    known = nominal[(nominal >= calendar.days[0]) & (nominal <= calendar.days[-1])]
    sessions = calendar.sessions(calendar.first, calendar.last)
    place = np.searchsorted(sessions, known, side="right") - 1
    kept: DateArray = read_only(distinct(sessions[place[place >= 0]]))
    return kept
