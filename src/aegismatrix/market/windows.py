"""Windows: which bars lie within so many sessions of the exchange after each bar.

A horizon counts the sessions that the expiry rule counts. Rows of special sessions, on holidays and
weekends, count for nothing and belong to the window that they fall into; a session that the bars
lack makes every window across it incomplete. Of a market without a calendar, and beyond what a
calendar declares, each row is a session.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from aegismatrix.market.arrays import DateArray, FloatArray, as_kind, as_whole
from aegismatrix.market.bars import Bars
from aegismatrix.market.events import MOST_DAYS
from aegismatrix.records import dataclass

_ABSENT = -1


@dataclass(frozen=True, eq=False)
class Windows:
    """The S sessions that T bars span, those without a bar included, and where they stand.

    `rows` is the row of each session, -1 where the bars lack it. `passed` says by row how many of
    the sessions are over with it.
    """

    sessions: DateArray
    rows: NDArray[np.int64]
    passed: NDArray[np.int64]

    @classmethod
    def of(cls, bars: Bars) -> Windows:
        """Return the windows of some bars; the session of the last one is over."""
        remedy = "Give Bars, made with Bars.from_csv, from_frames or from_arrays."
        dates = as_kind(bars, Bars, "bars", remedy).dates
        sessions = _sessions(bars)
        place = np.searchsorted(dates, sessions)
        present = dates[np.minimum(place, len(dates) - 1)] == sessions
        return cls(
            sessions=sessions,
            rows=np.where(present, place, _ABSENT),
            passed=np.searchsorted(sessions, dates, side="right"),
        )

    def last_row(self, horizon_days: int) -> NDArray[np.int64]:
        """Return the row that each window ends with; -1 where it has not come or is missing."""
        place = self.passed + days_ahead(horizon_days) - 1
        come = place < len(self.rows)
        return np.where(come, self.rows[np.where(come, place, 0)], _ABSENT)

    def is_over(self, horizon_days: int) -> NDArray[np.bool_]:
        """Say which windows are over, whether or not their sessions have bars."""
        return np.asarray(self.passed + days_ahead(horizon_days) <= len(self.rows))

    def is_whole(self, horizon_days: int) -> NDArray[np.bool_]:
        """Say which windows are over and have the bar of each of their sessions."""
        lacking = np.concatenate([[0], np.cumsum(self.rows == _ABSENT)])
        last = np.minimum(self.passed + days_ahead(horizon_days), len(self.rows))
        whole = lacking[last] == lacking[np.minimum(self.passed, len(self.rows))]
        return np.asarray(whole & self.is_over(horizon_days))

    def lowest(self, values: FloatArray, longest_days: int) -> FloatArray:
        """Return the lowest value by row and horizon, shape (T, longest_days); NaN if not whole."""
        longest_days = days_ahead(longest_days)
        count, most = len(values), min(longest_days, len(self.rows))
        found = np.full((count, longest_days), np.nan)
        until_next = self._until_next_session(values)
        lowest = np.full(count, np.inf)
        for horizon_days in range(1, most + 1):
            whole = self.is_whole(horizon_days)
            if not whole.any():
                break
            # What is still missing of the window begins after the row of the session before.
            before = np.arange(count) if horizon_days == 1 else self.last_row(horizon_days - 1)
            start = np.minimum(np.where(before == _ABSENT, 0, before) + 1, count - 1)
            lowest = np.minimum(lowest, until_next[start])
            found[whole, horizon_days - 1] = lowest[whole]
        return found

    def _until_next_session(self, values: FloatArray) -> FloatArray:
        """By row, the lowest from it to the next row of a session, both included."""
        found: FloatArray = values.copy()
        is_session = np.zeros(len(values), dtype=bool)
        is_session[self.rows[self.rows != _ABSENT]] = True
        for row in np.flatnonzero(~is_session[:-1])[::-1]:
            found[row] = min(found[row], found[row + 1])
        return found


def days_ahead(horizon_days: object) -> int:
    """Return a horizon in sessions, from 1 on: what lies behind a bar is no outcome."""
    return as_whole(horizon_days, "horizon_days", least=1, most=MOST_DAYS, unit="trading days")


def _sessions(bars: Bars) -> DateArray:
    dates, calendar = bars.dates, bars.market.calendar
    if calendar is None:
        return dates
    first, last = np.datetime64(calendar.first), np.datetime64(calendar.declared_to)
    start: date = max(dates[0], first).item()
    end: date = min(dates[-1], last).item()
    if start > end:
        return dates
    known = calendar.sessions(start, end)
    joined: DateArray = np.concatenate([dates[dates < first], known, dates[dates > last]])
    return joined


def sessions_ahead(bars: Bars, longest_days: int) -> DateArray:
    """Return the sessions that horizons of 1, 2, ... from the last bar end with, where declared."""
    calendar = bars.market.calendar
    today: date = bars.dates[-1].item()
    if calendar is None or not calendar.first <= today < calendar.declared_to:
        none: DateArray = np.array([], dtype="datetime64[D]")
        return none
    ahead = calendar.sessions(today + timedelta(days=1), calendar.declared_to)
    return ahead[:longest_days]
