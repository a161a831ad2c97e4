"""What the session so far says: gap, opening range, realised volatility, and when it is highest."""

from __future__ import annotations

import math

import numpy as np

from aegismatrix.market.arrays import ONE_DAY, FloatArray
from aegismatrix.market.bars import Bars
from aegismatrix.market.errors import ScaleError
from aegismatrix.market.intraday import (
    BAR_MINUTES,
    BARS_PER_SESSION,
    OPEN_MINUTE,
    IntradayBars,
)
from aegismatrix.market.statistics import TRADING_DAYS
from aegismatrix.records import dataclass

OPENING_RANGE_MINUTES = 15
NEIGHBOUR_CALENDAR_DAYS = 7
MIN_VOL_RETURNS = 6
MAX_LOG_STEP = 0.25
"""5-minute bars further from the nearest daily close are another index's: halts come at 20 %."""

GAMMA_WINDOW_MINUTES = 30
# Official closes average the last half hour; a last bar that ends by then still stands near them.
_NEARLY_COMPLETE_BARS = BARS_PER_SESSION - 2
_OPENING_BARS = OPENING_RANGE_MINUTES // BAR_MINUTES


@dataclass(frozen=True)
class OpeningRange:
    """The range of the first 15 minutes and where the last close stands to it.

    Attributes
    ----------
    minutes : int
        15.
    lower, upper : float or None
        Index points: lowest low and highest high of the opening bars so far; None without any.
    state : {'ABOVE', 'BELOW', 'INSIDE', 'FORMING'}
        Of the last close; FORMING while the 15 minutes have not passed, and for good where one of
        their bars is missing.
    broke_at : str or None
        ``HH:MM`` IST, the end of the first bar that closed beyond either edge.
    """

    minutes: int
    lower: float | None
    upper: float | None
    state: str
    broke_at: str | None


@dataclass(frozen=True)
class IntradaySignal:
    """The latest session of five-minute bars, beside the daily bars.

    Attributes
    ----------
    session_date : str
        ISO 8601, the exchange's day.
    first_bar, last_bar : str
        ISO 8601 UTC with ``Z``: start of the first bar and end of the last.
    bars, missing_bars : int
        Bars there are, and holes between 09:15 and the last bar.
    elapsed : float
        Share of the session's 375 minutes that have passed at the end of the last bar, 0 to 1.
    complete : bool
        Whether the last bar is the session's last; holes before it are counted apart.
    last : float
        Last close, index points.
    previous_close : float or None
        Close of the session before, at most 7 calendar days ago, index points.
    previous_close_from : {'daily', 'intraday'} or None
        ``daily``: the daily bars have that session. ``intraday``: the five-minute bars have a later
        one, to within 10 minutes of its end; the exchange's own close is an average of its last
        half hour and may differ by some points.
    gap_points, gap_fraction : float or None
        First open against the previous close; None without either, or without the bar of 09:15.
    gap_filled : bool or None
        Whether the session has traded at the previous close since; True for a gap of 0.
    opening_range : OpeningRange
        Of the first 15 minutes.
    realised_vol_percent : float or None
        Per cent a year, ``100 sqrt(252 * 75 * mean(r ** 2))`` over the five-minute log returns of
        the session so far, the sum of squares scaled to a whole session (realised variance of
        Andersen, Bollerslev 1998). The night is not in it. None with fewer than 6 returns.
    relation : {'same', 'next', 'older', 'later', 'special'}
        Of the session to the last daily bar: its own day; the session after it, which a forecast
        for one day is about; one before it; or one further after: by the market's calendar, or,
        where that is not known, more than 7 calendar days or beyond another session of the
        five-minute bars. A special session, such as Muhurat, is none of these.
    notes : tuple of str
        ``HALF_SESSION`` not complete; ``HOLES`` bars are missing before the last; ``ONE_BAR`` there
        is only one; ``OPENING_MISSING`` a bar of the first 15 minutes is among the missing;
        ``OUTSIDE_SESSION_DROPPED``, ``BLANK_DROPPED`` such rows were left out of the file;
        ``GAP_UNKNOWN``; ``WEEKDAY_BETWEEN`` a day from Monday to Friday lies between the previous
        close and the session, a holiday or a missing bar; ``NOT_OF_TODAY`` the session is neither
        of the last daily bar's day nor the next; ``SPECIAL_SESSION`` it is none of the regular
        ones; ``END_STAMPS_SHIFTED`` the stamps were of the bars' ends.
    """

    session_date: str
    first_bar: str
    last_bar: str
    bars: int
    missing_bars: int
    elapsed: float
    complete: bool
    last: float
    previous_close: float | None
    previous_close_from: str | None
    gap_points: float | None
    gap_fraction: float | None
    gap_filled: bool | None
    opening_range: OpeningRange
    realised_vol_percent: float | None
    relation: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class GammaWindow:
    """One window of the day and how volatile it was.

    Attributes
    ----------
    window : str
        ``HH:MM-HH:MM``, IST.
    score : float
        Realised volatility of the window against that of the most volatile one, 0 to 1.
    sessions : int
        Sessions that have bars in it.
    """

    window: str
    score: float
    sessions: int


@dataclass(frozen=True)
class _PreviousClose:
    points: float
    day: np.datetime64
    origin: str


def intraday_signal(intraday: IntradayBars, bars: Bars) -> IntradaySignal:
    """Read the latest session of five-minute bars.

    Parameters
    ----------
    intraday : IntradayBars
        Of one session or more; the last is read, the one before may give the previous close.
    bars : Bars
        Daily bars of the same index.

    Returns
    -------
    IntradaySignal

    Raises
    ------
    ScaleError
        If the five-minute bars stand so far from the neighbouring daily close that they must be of
        another index or unit.
    """
    day = intraday.sessions[-1]
    session = intraday.session(day)
    slots = session.slots
    passed = int(slots[-1]) + 1
    missing = passed - len(session)
    complete = passed == BARS_PER_SESSION
    _check_same_index(session, day, bars)
    previous = _previous_close(intraday, day, bars)
    gap = None
    gap_filled = None
    if previous is not None and slots[0] == 0:
        gap = float(session.open[0]) - previous.points
        back = session.low <= previous.points if gap > 0 else session.high >= previous.points
        gap_filled = gap == 0 or bool(back.any())
    relation = _relation(intraday, day, bars)
    opening = _opening_range(session)
    codes = {
        "HALF_SESSION": not complete,
        "HOLES": missing > 0,
        "ONE_BAR": len(session) == 1,
        "OPENING_MISSING": opening.state == "FORMING" and passed >= _OPENING_BARS,
        "OUTSIDE_SESSION_DROPPED": intraday.dropped > 0,
        "BLANK_DROPPED": intraday.blank > 0,
        "GAP_UNKNOWN": gap is None,
        "WEEKDAY_BETWEEN": previous is not None
        and int(np.busday_count(previous.day + ONE_DAY, day)) > 0,
        "NOT_OF_TODAY": relation in ("older", "later"),
        "SPECIAL_SESSION": relation == "special",
        "END_STAMPS_SHIFTED": intraday.shifted,
    }
    return IntradaySignal(
        session_date=str(day),
        first_bar=f"{session.starts[0]}Z",
        last_bar=f"{session.starts[-1] + np.timedelta64(BAR_MINUTES, 'm')}Z",
        bars=len(session),
        missing_bars=missing,
        elapsed=passed / BARS_PER_SESSION,
        complete=complete,
        last=float(session.close[-1]),
        previous_close=None if previous is None else previous.points,
        previous_close_from=None if previous is None else previous.origin,
        gap_points=gap,
        gap_fraction=None if gap is None or previous is None else gap / previous.points,
        gap_filled=gap_filled,
        opening_range=opening,
        realised_vol_percent=_realised_vol_percent(session),
        relation=relation,
        notes=tuple(code for code, holds in codes.items() if holds),
    )


def regular_sessions(intraday: IntradayBars, bars: Bars) -> IntradayBars | None:
    """Return the five-minute bars of regular sessions, or None if there are none.

    Parameters
    ----------
    intraday : IntradayBars
        Of any sessions.
    bars : Bars
        Whose market says which are regular; all are, where it has no calendar.

    Returns
    -------
    IntradayBars or None
    """
    days = intraday.sessions
    special = np.array([_is_special(day, bars) for day in days], dtype=bool)
    return intraday.on(days[~special])


def gamma_windows(intraday: IntradayBars) -> tuple[GammaWindow, ...]:
    """Score the windows of the day by realised volatility: where it is highest, long gamma pays.

    Parameters
    ----------
    intraday : IntradayBars
        All sessions count; with few of them a score is one of these days, not of the hour.

    Returns
    -------
    tuple of GammaWindow
        Half hours from 09:15 on, the last one of 15 minutes, in that order; those without a bar are
        left out. The score is ``sqrt(mean(r ** 2))`` over the five-minute log returns of all
        sessions in the window, divided by the largest. Empty if no bar moved at all.
    """
    squares = _returns(intraday) ** 2
    slots, days = intraday.slots, intraday.days
    windows = slots * BAR_MINUTES // GAMMA_WINDOW_MINUTES
    found = np.unique(windows)
    vols = np.array([math.sqrt(float(squares[windows == place].mean())) for place in found])
    largest = float(vols.max())
    if largest == 0.0:
        return ()
    return tuple(
        GammaWindow(
            window=_window_name(int(place)),
            score=float(vol) / largest,
            sessions=len(np.unique(days[windows == place])),
        )
        for place, vol in zip(found, vols, strict=True)
    )


def _clock(minutes_since_open: int) -> str:
    hours, minutes = divmod(OPEN_MINUTE + minutes_since_open, 60)
    return f"{hours:02d}:{minutes:02d}"


def _window_name(place: int) -> str:
    start = place * GAMMA_WINDOW_MINUTES
    end = min(start + GAMMA_WINDOW_MINUTES, BARS_PER_SESSION * BAR_MINUTES)
    return f"{_clock(start)}-{_clock(end)}"


def _returns(intraday: IntradayBars) -> FloatArray:
    """Five-minute log returns, shape (T,): from the bar before, or from the open without one."""
    before = intraday.open.copy()
    adjoins = np.diff(intraday.starts) == np.timedelta64(BAR_MINUTES, "m")
    before[1:][adjoins] = intraday.close[:-1][adjoins]
    return np.asarray(np.log(intraday.close / before))


def _realised_vol_percent(session: IntradayBars) -> float | None:
    if len(session) < MIN_VOL_RETURNS:
        return None
    mean_square = float((_returns(session) ** 2).mean())
    return 100.0 * math.sqrt(TRADING_DAYS * BARS_PER_SESSION * mean_square)


def _opening_range(session: IntradayBars) -> OpeningRange:
    slots = session.slots
    opening = slots < _OPENING_BARS
    lower = upper = broke_at = None
    if opening.any():
        lower, upper = float(session.low[opening].min()), float(session.high[opening].max())
    if lower is None or upper is None or opening.sum() < _OPENING_BARS:
        return OpeningRange(OPENING_RANGE_MINUTES, lower, upper, "FORMING", None)
    beyond = (session.close > upper) | (session.close < lower)
    beyond[opening] = False
    if beyond.any():
        broke_at = _clock((int(slots[beyond][0]) + 1) * BAR_MINUTES)
    state = "INSIDE"
    if beyond[-1]:
        state = "ABOVE" if session.close[-1] > upper else "BELOW"
    return OpeningRange(OPENING_RANGE_MINUTES, lower, upper, state, broke_at)


def _previous_close(
    intraday: IntradayBars, day: np.datetime64, bars: Bars
) -> _PreviousClose | None:
    candidates = []
    place = int(np.searchsorted(bars.dates, day)) - 1
    if place >= 0:
        candidates.append(_PreviousClose(float(bars.close[place]), bars.dates[place], "daily"))
    earlier = intraday.sessions[:-1]
    if len(earlier) and (not candidates or earlier[-1] > candidates[0].day):
        # A later session than any daily bar before: without its end there is no previous close.
        rows = np.flatnonzero(intraday.days == earlier[-1])
        if intraday.slots[rows[-1]] + 1 < _NEARLY_COMPLETE_BARS:
            return None
        close = float(intraday.close[rows[-1]])
        candidates = [_PreviousClose(close, earlier[-1], "intraday")]
    if not candidates or _days_between(candidates[0].day, day) > NEIGHBOUR_CALENDAR_DAYS:
        return None
    return candidates[0]


def _relation(intraday: IntradayBars, day: np.datetime64, bars: Bars) -> str:
    last = bars.dates[-1]
    if _is_special(day, bars):
        return "special"
    if day <= last:
        return "same" if day == last else "older"
    calendar = bars.market.calendar
    if calendar is not None and calendar.days[0] <= last and day <= calendar.days[-1]:
        return "next" if calendar.trading_days_between(last, day) == 1 else "later"
    between = bool(((intraday.sessions > last) & (intraday.sessions < day)).any())
    near = _days_between(last, day) <= NEIGHBOUR_CALENDAR_DAYS
    return "next" if near and not between else "later"


def _is_special(day: np.datetime64, bars: Bars) -> bool:
    """Whether the calendar knows the day, and of no regular session on it."""
    calendar = bars.market.calendar
    if calendar is None or day < calendar.days[0] or calendar.is_provisional(day):
        return False
    return calendar.session_kind(day, traded=True) == "special"


def _check_same_index(session: IntradayBars, day: np.datetime64, bars: Bars) -> None:
    nearest = int(np.searchsorted(bars.dates, day, side="right")) - 1
    if nearest < 0 or _days_between(bars.dates[nearest], day) > NEIGHBOUR_CALENDAR_DAYS:
        return
    close = float(session.close[0])
    if abs(math.log(close / float(bars.close[nearest]))) > MAX_LOG_STEP:
        raise ScaleError(
            "close",
            seen=close,
            what=f"{session.source} and {bars.source}: five-minute bars at {close:g} and a daily"
            f" close of {float(bars.close[nearest]):g} are not of one index in one unit, in",
            remedy="Give five-minute and daily bars of the same index, both in index points.",
            rows=[nearest],
            dates=[str(bars.dates[nearest])],
        )


def _days_between(earlier: np.datetime64, later: np.datetime64) -> int:
    return int((later - earlier).astype(np.int64))
