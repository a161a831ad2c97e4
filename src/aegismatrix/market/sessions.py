"""The time axis of daily bars: what a row has to be a row of.

Every row is one session. Bars of a market with a calendar are compared with it, day by day; of any
market the pauses between the rows say whether these are daily bars at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from aegismatrix import errors
from aegismatrix.market.arrays import DateArray, FloatArray, named
from aegismatrix.market.thresholds import (
    INTERVAL_GAPS,
    LEAST_GAPS,
    MAX_MISSING,
    MAX_UNEXPECTED,
    NEIGHBOUR_SHARE,
    RECENT_SESSIONS,
    WINDOW_ROWS,
)
from aegismatrix.records import dataclass

if TYPE_CHECKING:
    from aegismatrix.market.calendars.calendar import Calendar
    from aegismatrix.market.permits import Permit

Days = tuple[np.datetime64, ...]
BoolArray = NDArray[np.bool_]

_NAMED_DAYS = 5
# Up to which typical pause, in calendar days, bars are called so.
_INTERVALS = ((4, "every-second-session"), (10, "weekly"), (45, "monthly"), (100, "quarterly"))


@dataclass(frozen=True)
class SessionReport:
    """Bars held against the exchange's calendar.

    `missing` are the regular sessions from the first bar to the last without a bar. `unexpected`
    are days of bars that are neither a regular nor a special session; `flat` are those of them
    whose bar has no range or copies the one before, so that nobody traded. `unchecked` counts bars
    outside of the calendar, or all of a market without one: nothing is guessed of them. `calendar`
    is its name with its first and last day.
    """

    missing: Days = ()
    unexpected: Days = ()
    special: Days = ()
    flat: Days = ()
    unchecked: int = 0
    calendar: str | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of them beside a report."""
        said = [
            f"{what}: {name_days(days)}."
            for what, days in (
                ("Sessions without a bar", self.missing),
                ("Bars on days that were no sessions", self.unexpected),
                ("Bars of special sessions", self.special),
            )
            if days
        ]
        if self.unchecked and self.calendar is not None:
            said.append(
                f"Bars of days outside of the calendar {self.calendar}, which were not compared"
                f" with it: {self.unchecked}."
            )
        return tuple(said)


def compare(
    dates: DateArray, calendar: Calendar | None, idle: BoolArray | None = None
) -> SessionReport:
    """Hold the rising days of bars against a calendar; `idle` marks rows without a range."""
    if calendar is None:
        return SessionReport(unchecked=len(dates))
    first, last = calendar.days[0], np.datetime64(calendar.declared_to)
    inside = (dates >= first) & (dates <= last)
    known = dates[inside]
    name = f"{calendar.name}, {first} to {last}"
    if not len(known):
        return SessionReport(unchecked=len(dates), calendar=name)
    sessions = calendar.sessions(known[0], known[-1])
    special = np.array(sorted(calendar.special), dtype="datetime64[D]")
    regular = _among(known, sessions)
    held = _among(known, special)
    odd = ~regular & ~held
    still = odd if idle is None else odd & idle[inside]
    return SessionReport(
        missing=tuple(sessions[~_among(sessions, known)]),
        unexpected=tuple(known[odd]),
        special=tuple(known[held & ~regular]),
        flat=() if idle is None else tuple(known[still]),
        unchecked=len(dates) - len(known),
        calendar=name,
    )


def idle_rows(high: FloatArray, low: FloatArray, close: FloatArray) -> BoolArray:
    """Mark the rows without a range, and those that copy the row before."""
    idle: BoolArray = high == low
    idle[1:] |= (high[1:] == high[:-1]) & (low[1:] == low[:-1]) & (close[1:] == close[:-1])
    return idle


def check_interval(dates: DateArray, source: str) -> None:
    """Refuse bars that are not daily, anywhere, and name the interval that they have."""
    gaps = np.diff(dates.astype(np.int64))
    if len(gaps) < LEAST_GAPS:
        return
    width = min(INTERVAL_GAPS, len(gaps))
    neighbours = np.concatenate([[0], np.cumsum(gaps == 1)])
    few = (neighbours[width:] - neighbours[:-width]) < NEIGHBOUR_SHARE * width
    if few.any():
        start = int(np.flatnonzero(few)[0])
        days = float(np.median(gaps[start : start + width]))
        interval = next((name for most, name in _INTERVALS if days <= most), f"{days:g}-day")
        rows = np.isin(np.arange(len(dates)), np.arange(start, start + width + 1))
        raise errors.IntervalError(source, interval=interval, **named(rows, dates))


def check_days(
    dates: DateArray,
    days: SessionReport,
    permits: Iterable[Permit],
    source: str,
    close: FloatArray | None,
) -> None:
    """Refuse rows of which too many are of no session, and say what they look like.

    Bars whose close repeats the one before were filled forward; a volatility index gives no close.
    """
    odd = _unpermitted(days.unexpected, permits, "unexpected")
    if len(odd) <= MAX_UNEXPECTED:
        return
    marked = _among(dates, odd)
    if not too_many(marked, MAX_UNEXPECTED):
        return
    where, count, total = named(marked, dates), len(odd), len(dates)
    calendar = days.calendar or ""
    # Days of a week that ends on Friday, each a day early, are those from Sunday to Thursday.
    if 2 * int(_are_sundays(odd).sum()) > len(odd):
        raise errors.UnexpectedSessionsError(
            source, "day_early", count=count, total=total, calendar=calendar, **where
        )
    if close is None:
        raise errors.UnexpectedSessionsError(
            source, "other_iv", count=count, total=total, calendar=calendar, **where
        )
    if 2 * int((marked[1:] & (close[1:] == close[:-1])).sum()) > len(odd):
        raise errors.UnexpectedSessionsError(
            source, "filled_forward", count=count, total=total, calendar=calendar, **where
        )
    raise errors.UnexpectedSessionsError(
        source, "other_market", count=count, total=total, calendar=calendar, **where
    )


def check_print_days(
    dates: DateArray,
    iv: FloatArray,
    calendar: Calendar | None,
    permits: Iterable[Permit],
    source: str,
) -> None:
    """Refuse a volatility index of which too many prints are of no session of the bars' market.

    A print that repeats the one before says nothing new, so a series that was filled forward over
    holidays passes.
    """
    days = compare(dates, calendar)
    if not days.unexpected:
        return
    new = dates[np.concatenate([[True], iv[1:] != iv[:-1]])]
    odd = np.array(days.unexpected, dtype=dates.dtype)
    told = replace(days, unexpected=tuple(odd[_among(odd, new)]))
    check_days(dates, told, permits, source, None)


def check_reportable(
    dates: DateArray,
    days: SessionReport,
    calendar: Calendar | None,
    permits: Iterable[Permit],
    source: str,
) -> None:
    """Refuse bars that lack a late session or many of them, or have a late row without trade."""
    last = dates[-1]
    filled = _unpermitted(days.flat, permits, "unexpected")
    filled = filled[filled >= dates[-min(RECENT_SESSIONS, len(dates))]]
    if len(filled):
        raise errors.UnexpectedSessionsError(
            source,
            "filled_forward",
            count=len(filled),
            total=len(dates),
            calendar=days.calendar or "",
            **named(_among(dates, filled), dates),
        )
    missing = _unpermitted(days.missing, permits, "missing")
    if not len(missing) or calendar is None:
        return
    known = dates[dates <= np.datetime64(calendar.declared_to)]
    before = calendar.sessions(max(known[0], calendar.days[0]), known[-1])
    before = before[before < last]
    recent = missing[missing >= before[-min(RECENT_SESSIONS, len(before))]]
    if len(recent):
        raise errors.MissingSessionsError(
            source, "recent", last=str(last), limit=RECENT_SESSIONS, dates=_iso(recent)
        )
    late = missing[missing >= before[-min(WINDOW_ROWS, len(before))]]
    if len(late) > MAX_MISSING:
        raise errors.MissingSessionsError(
            source, "many", last=str(last), limit=MAX_MISSING, dates=_iso(late)
        )


def too_many(marked: BoolArray, limit: int) -> bool:
    """Say whether more than `limit` rows are marked in any `WINDOW_ROWS` neighbouring ones."""
    rows = np.flatnonzero(marked)
    if len(rows) <= limit:
        return False
    return bool((rows[limit:] - rows[:-limit] < WINDOW_ROWS).any())


def name_days(days: Days) -> str:
    """Return the latest of some days, oldest of them first, and how many there are before."""
    shown = ", ".join(str(day) for day in days[-_NAMED_DAYS:])
    before = len(days) - _NAMED_DAYS
    return f"{shown}, and {before} before" if before > 0 else shown


def _are_sundays(days: DateArray) -> BoolArray:
    # 1970-01-04 was one.
    sundays: BoolArray = days.astype(np.int64) % 7 == 3
    return sundays


def _among(days: DateArray, others: DateArray) -> BoolArray:
    """Mark those of some rising days that are among others, rising too."""
    if not len(others):
        return np.zeros(len(days), dtype=bool)
    place = np.minimum(np.searchsorted(others, days), len(others) - 1)
    found: BoolArray = others[place] == days
    return found


def _unpermitted(days: Iterable[np.datetime64], permits: Iterable[Permit], kind: str) -> DateArray:
    permitted = {permit.day for permit in permits if permit.kind == kind}
    return np.array([day for day in days if day not in permitted], dtype="datetime64[D]")


def _iso(days: DateArray) -> list[str]:
    return days.astype(str).tolist()  # type: ignore[no-any-return]
