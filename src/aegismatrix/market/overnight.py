"""The night between two NIFTY sessions: which US closes become known in it.

A US session bears the date on which it closes, at 20:00 or 21:00 UTC: after NSE's close of that
date, 10:00 UTC, and before NSE's next open, 03:45 UTC of a later one. So the night that follows
NIFTY's session of day t holds the US sessions dated from t to the day before NIFTY's next session,
and what they moved is measured from the last US close before t.
"""

from __future__ import annotations

from dataclasses import dataclass
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

INPUTS = ("us_close", "us_close_before", "us_vix", "us_vix_before")
"""The inputs of ``overnight.onnx`` that a `Nights` has: index points, and per cent a year."""

# The US close in winter, in UTC; in summer it is an hour earlier, on shortened days more.
_US_CLOSE = timedelta(hours=21)
_EARLIEST_US_CLOSE = time(17)
# Longer than any closure since 1933.
_REACH_DAYS = 15


@dataclass(frozen=True, eq=False, repr=False)
class Nights(Published):
    """What US markets did in the night after each of N NIFTY sessions.

    Attributes
    ----------
    dates : ndarray of shape (N,), datetime64[D]
        The NIFTY sessions.
    us_dates : ndarray of shape (N,), datetime64[D]
        The last US session that closes in each night or, where none does, before it.
    sessions : ndarray of shape (N,), int64
        How many close in it: 0 on a US holiday, several where NSE has holidays.
    known : ndarray of shape (N,), bool
        Whether each of them is there, and the one before, all with a VIX of the same day.
    us_close, us_vix : ndarray of shape (N,), float64
        The last closes of the S&P 500 and, in per cent a year, of the VIX; NaN where not known.
    us_close_before, us_vix_before : ndarray of shape (N,), float64
        Those of the last US session before the day, known at NIFTY's own close.
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
        """Return the known nights as inputs of ``overnight.onnx``.

        Returns
        -------
        dict of str to ndarray of shape (known.sum(),)
            By the names of `INPUTS`.
        """
        return {name: np.ascontiguousarray(getattr(self, name)[self.known]) for name in INPUTS}


def align(
    dates: DateArray, following: np.datetime64, us: Bars, over: np.datetime64 | None = None
) -> Nights:
    """Find the US closes of the night after each of some NIFTY sessions.

    Parameters
    ----------
    dates : ndarray of shape (N,), datetime64[D]
        NIFTY sessions, rising.
    following : datetime64[D]
        The session after the last of them.
    us : Bars
        Of the S&P 500, with the VIX as its iv. Bars of later nights are not looked at.
    over : datetime64[D], optional
        The last US session that counts as closed; by default all that `us` has.

    Returns
    -------
    Nights
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
    """Return the night after the last bar.

    Parameters
    ----------
    bars : Bars
        Of NIFTY, or of another market with a calendar that closes before the US one.
    us : Bars
        Of the S&P 500, with the VIX as its iv: ``Bars.from_csv(..., market="other")``.
    now : datetime, optional
        With a time zone; by default the present.

    Returns
    -------
    Nights
        One, and known. It ends with the next session of the calendar, special ones included.

    Raises
    ------
    ContractError
        If the bars are not of these markets.
    StaleOvernightBarsError
        If a US session of the night, or the one before it, is missing, has no VIX of the same day,
        or is not certain to be over at `now`.
    CalendarRangeError
        If the next session lies beyond the calendar.
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
