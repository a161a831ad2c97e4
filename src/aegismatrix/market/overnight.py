"""The night between two NIFTY sessions: which US closes become known in it.

A US session bears the date on which it closes, at 20:00 or 21:00 UTC: after NSE's close of that
date, 10:00 UTC, and before NSE's next open, 03:45 UTC of a later one. So the night that follows
NIFTY's session of day t holds the US sessions dated from t to the day before NIFTY's next session,
and what they moved is measured from the last US close before t.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta, timezone

import numpy as np
from numpy.typing import NDArray

from aegismatrix import errors
from aegismatrix.errors import ContractError
from aegismatrix.market.arrays import (
    ONE_DAY,
    DateArray,
    FloatArray,
    Published,
    as_kind,
    as_moment,
    read_only,
)
from aegismatrix.market.bars import Bars
from aegismatrix.market.calendars.calendar import Calendar
from aegismatrix.market.calendars.us import us_sessions
from aegismatrix.records import dataclass

INPUTS = ("us_close", "us_close_before", "us_vix", "us_vix_before")
"""The inputs of ``overnight.onnx`` that a `Nights` has: index points, and per cent a year."""

# The US close in winter, in UTC; in summer it is an hour earlier, on shortened days more.
_US_CLOSE = timedelta(hours=21)
_EARLIEST_US_CLOSE = time(17)
# Longer than any closure since 1933.
_REACH_DAYS = 15


@dataclass(frozen=True, eq=False, repr=False)
class Nights(Published):
    """What US markets did in the night after each of N NIFTY sessions, as arrays of shape (N,).

    `us_dates` are the last US sessions that close in each night or, where none does, before it.
    `sessions` counts those that close in it: 0 on a US holiday, several where NSE has holidays.
    `us_close` (S&P 500, index points) and `us_vix` (VIX, per cent a year) are the last closes;
    `us_close_before` and `us_vix_before` are those of the last US session before the day, known at
    NIFTY's own close. `known` says whether both sessions are there, each with a VIX of the same
    day; prices are NaN where they are not.
    """

    dates: DateArray
    us_dates: DateArray
    sessions: NDArray[np.int64]
    known: NDArray[np.bool_]
    us_close: FloatArray
    us_close_before: FloatArray
    us_vix: FloatArray
    us_vix_before: FloatArray

    def __len__(self) -> int:
        return len(self.dates)

    def __repr__(self) -> str:
        return f"Nights({int(self.known.sum())} of {len(self)} known, to {self.dates[-1]})"

    def inputs(self) -> dict[str, FloatArray]:
        """Return the known nights as inputs of ``overnight.onnx``, by the names of `INPUTS`."""
        return {name: np.ascontiguousarray(getattr(self, name)[self.known]) for name in INPUTS}


def align(
    dates: DateArray, following: np.datetime64, us: Bars, over: np.datetime64 | None = None
) -> Nights:
    """Find the US closes of the night after each of some rising NIFTY sessions.

    `following` is the session after the last of them; `over` is the last US session that counts as
    closed. US bars of later nights are not looked at.
    """
    due = us_sessions(dates[0] - _REACH_DAYS * ONE_DAY, following - ONE_DAY)
    there = _is_there(us, due, over)
    last = np.searchsorted(due, np.append(dates[1:], following)) - 1
    before = np.searchsorted(due, dates) - 1
    missing = np.concatenate([[0], np.cumsum(~there)])
    known = missing[last + 1] == missing[before]
    place = np.minimum(np.searchsorted(us.dates, due), len(us) - 1)

    def closes(values: FloatArray, session: NDArray[np.intp]) -> FloatArray:
        kept: FloatArray = read_only(np.where(known, values[place[session]], np.nan))
        return kept

    return Nights(
        dates=dates,
        us_dates=read_only(due[last]),
        sessions=read_only((last - before).astype(np.int64)),
        known=read_only(known),
        us_close=closes(us.close, last),
        us_close_before=closes(us.close, before),
        us_vix=closes(us.iv, last),
        us_vix_before=closes(us.iv, before),
    )


def last_night(bars: Bars, us: Bars, now: datetime | None = None) -> Nights:
    """Return the night after the last bar, up to the next session, special ones included.

    Raise ContractError if the bars are not of NIFTY (or of a market with a calendar that closes
    before the US one) and of the S&P 500. Raise StaleOvernightBarsError if a US session of the
    night, or the one before it, is missing, has no VIX of the same day, or is not certain to be
    over at `now`.
    """
    remedy = "Give Bars, made with Bars.from_csv, from_frames or from_arrays."
    as_kind(bars, Bars, "bars", remedy)
    as_kind(us, Bars, "us", remedy)
    moment = datetime.now(timezone.utc) if now is None else as_moment(now, "now")
    day, calendar = bars.dates[-1], bars.market.calendar
    us_close = datetime.combine(day.item(), _EARLIEST_US_CLOSE, timezone.utc)
    if calendar is None or bars.market.closes_at(day) >= us_close:
        raise _of_the_wrong_market("bars", bars)
    if us.market == bars.market:
        raise _of_the_wrong_market("overnight", us)
    # Counted by numpy: the first moment that Python has lies within a close of its end.
    over = (np.datetime64(moment.replace(tzinfo=None)) - np.timedelta64(_US_CLOSE)).astype(
        "datetime64[D]"
    )
    night = align(bars.dates[-1:], _next_session(calendar, day), us, over)
    if not night.known[0]:
        due = us_sessions(day - _REACH_DAYS * ONE_DAY, night.us_dates[0])
        due = due[np.searchsorted(due, day) - 1 :]
        lacking = due[~_is_there(us, due, over)]
        raise errors.StaleOvernightBarsError(
            us.source, wanted=lacking.astype(str).tolist(), last=str(us.dates[-1])
        )
    return night


def _of_the_wrong_market(name: str, bars: Bars) -> ContractError:
    return ContractError(
        "overnight",
        name,
        f"are of the market {bars.market.name!r}",
        remedy="Give bars of a market with a calendar that closes before the US one, such as"
        " market='nifty', and, as overnight, bars of the S&P 500 with the VIX (market='other').",
    )


def _is_there(us: Bars, due: DateArray, over: np.datetime64 | None) -> NDArray[np.bool_]:
    """Whether each session has a bar and a VIX of its own, and has closed."""
    carried = np.array([fill.date for fill in us.iv_fills], dtype="datetime64[D]")
    there = np.isin(due, us.dates) & ~np.isin(due, carried)
    return np.asarray(there if over is None else there & (due <= over))


def _next_session(calendar: Calendar, day: np.datetime64) -> np.datetime64:
    following: np.datetime64 = day + ONE_DAY
    # Muhurat is a session too: the index moves, and its bar may be the next one.
    while calendar.session_kind(following) == "closed":
        following += ONE_DAY
    return following
