"""What happened after a forecast: forward-looking, scale-free, known only after its horizon.

Models are trained on these labels and monitoring scores against them: one definition of every
event. Labels are arrays of one value per bar; bars whose horizon has not passed yet are NaN.

Horizons count the exchange's sessions where the market has a calendar, as
`aegismatrix.market.windows` says. What the bars cannot decide is NaN: a window that lacks a session
has no lowest low. That holds where a touch is seen in what is left of it, too: whoever kept these,
and left out the windows in which none was seen, would count touches too often.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from aegismatrix import errors
from aegismatrix.errors import ArgumentError, shown
from aegismatrix.market.arrays import FloatArray, as_kind, as_real, as_truth, as_whole
from aegismatrix.market.bars import Bars
from aegismatrix.market.events import (
    CLOSE_ABOVE,
    CLOSE_BELOW,
    MOST_DAYS,
    NEUTRAL_DEVIATIONS,
    RANGE_BREAKOUT,
    REALISED_ABOVE_IMPLIED,
    REGIME_HORIZON_DAYS,
    RETURN_CLASS,
    SPIKE_SIDE,
    VOLATILITY_REGIME,
    Event,
)
from aegismatrix.market.statistics import (
    BREAKOUT_RANGES,
    TRADING_DAYS,
    average_true_range,
    realised_vol,
    true_range,
)
from aegismatrix.market.windows import Windows, days_ahead

Label = Callable[..., FloatArray]
"""From T bars, a horizon in trading days and parameters by name to an answer per bar, NaN where it
is not known."""

LEAST_TIMES, MOST_TIMES = 1e-3, 1e3
"""Between what a question's multiples of a volatility, a range or a close may lie."""

_FRACTION = f"Give a fraction of the close above -1, up to {MOST_TIMES:g}: 0.02 is two per cent."

GROUP = "aegismatrix.events"
"""Entry points of this group answer further kinds of events, each by its own name."""


def forward_realised_vol(bars: Bars, horizon_days: int) -> FloatArray:
    """Return the annualised root mean square of the log returns of the next sessions, a fraction.

    Those of special sessions among them count for the window that they fall into.
    """
    horizon_days = days_ahead(horizon_days)
    windows = Windows.of(bars)
    known, last_row = windows.is_whole(horizon_days), windows.last_row(horizon_days)
    squares = np.concatenate([[0.0], np.diff(np.log(bars.close)) ** 2])
    total = np.cumsum(squares)
    realised = np.full(len(bars), np.nan)
    ahead = total[last_row[known]] - total[known]
    realised[known] = np.sqrt(TRADING_DAYS / horizon_days * ahead)
    return realised


def trap_label(bars: Bars, horizon_days: int, times: float = 1.0) -> FloatArray:
    """Return 1 where volatility over the horizon exceeds `times` what the volatility index implied.

    There a seller of volatility was paid less than what then happened: the variance risk premium
    (Bollerslev, Tauchen, Zhou 2009) with the wrong sign.
    """
    realised = forward_realised_vol(bars, horizon_days)
    limit = _positive(times, "times") * bars.iv / 100.0
    return np.where(np.isnan(realised), np.nan, realised > limit)


def past_realised_vol(bars: Bars, window: int) -> FloatArray:
    """Return the realised volatility of the last `window` log returns, NaN for the first bars."""
    window = as_whole(window, "window", least=1, most=MOST_DAYS, unit="bars")
    past = np.full(len(_checked(bars)), np.nan)
    if len(bars) > window:
        past[window:] = realised_vol(bars.close, window)
    return past


def volatility_terciles(bars: Bars, window: int = REGIME_HORIZON_DAYS) -> FloatArray:
    """Return the terciles of the last 252 values of realised volatility, of shape (T, 2)."""
    terciles = np.full((len(_checked(bars)), 2), np.nan)
    past = past_realised_vol(bars, window)
    if len(bars) >= TRADING_DAYS:
        windows = np.lib.stride_tricks.sliding_window_view(past, TRADING_DAYS)
        terciles[TRADING_DAYS - 1 :] = np.quantile(windows, [1 / 3, 2 / 3], axis=1).T
    return terciles


def regime_label(
    bars: Bars, horizon_days: int = REGIME_HORIZON_DAYS, *, forward: bool = True
) -> FloatArray:
    """Return 0, 1 or 2: LOW, MEDIUM or HIGH volatility against the terciles known at each bar.

    It is that of the days ahead, the target, or of the last ones, today's regime.
    """
    ahead = as_truth(forward, "forward")
    vol = (forward_realised_vol if ahead else past_realised_vol)(bars, horizon_days)
    terciles = volatility_terciles(bars, horizon_days)
    unknown = np.isnan(vol) | np.isnan(terciles).any(axis=1)
    return np.where(unknown, np.nan, (vol[:, None] > terciles).sum(axis=1))


def forward_return(bars: Bars, horizon_days: int) -> FloatArray:
    """Return the log return of the next `horizon_days` sessions.

    Only the session that the horizon ends with has to be there.
    """
    return np.asarray(np.log(_close_ahead(bars, horizon_days) / bars.close))


def breakout_label(bars: Bars, offset_days: int, times: float = BREAKOUT_RANGES) -> FloatArray:
    """Return 1 where the true range of one session ahead exceeds `times` average true ranges.

    The average is the 14-day one known at each bar (Wilder 1978). NaN where it, that session or the
    close before it is not known.
    """
    row = _row_with_close_before(bars, offset_days)
    mean_range = average_true_range(bars)
    known = (row > 0) & ~np.isnan(mean_range)
    label = np.full(len(bars), np.nan)
    label[known] = true_range(bars)[row[known]] > _positive(times, "times") * mean_range[known]
    return label


def spike_label(bars: Bars, offset_days: int = 1, times: float = BREAKOUT_RANGES) -> FloatArray:
    """Return 0 for no breakout of a session ahead, 1 for one that closes lower, 2 for any other."""
    breakout = breakout_label(bars, offset_days, times)
    row = np.maximum(_row_with_close_before(bars, offset_days), 1)
    falls = bars.close[row] < bars.close[row - 1]
    return np.where(breakout == 1.0, np.where(falls, 1.0, 2.0), breakout)


def _row_with_close_before(bars: Bars, offset_days: int) -> NDArray[np.int64]:
    """The row of a session ahead, or 0 where it or the session before it is not there."""
    offset_days = days_ahead(offset_days)
    windows = Windows.of(bars)
    row = np.maximum(windows.last_row(offset_days), 0)
    if offset_days > 1:
        row = np.where(windows.last_row(offset_days - 1) >= 0, row, 0)
    return row


def excursions(bars: Bars, longest_days: int) -> tuple[FloatArray, FloatArray]:
    """Return how far the index went from each close, down and up, within every horizon.

    Both have the shape (T, longest_days): ``ln(close / lowest low)`` and ``ln(highest high /
    close)`` of the next h sessions, and of special ones among them, in column h - 1. NaN where the
    horizon has not passed or a session is missing.
    """
    longest_days = days_ahead(longest_days)
    windows = Windows.of(bars)
    lowest = windows.lowest(bars.low, longest_days)
    highest = -windows.lowest(-bars.high, longest_days)
    close = bars.close[:, None]
    return np.log(close / lowest), np.log(highest / close)


def implied_deviations(bars: Bars, horizon_days: int) -> FloatArray:
    """Return ``ln(close ahead / close) / (iv / 100 * sqrt(h / 252))``: implied deviations."""
    horizon_days = days_ahead(horizon_days)
    implied = _checked(bars).iv / 100.0 * np.sqrt(horizon_days / TRADING_DAYS)
    return np.asarray(forward_return(bars, horizon_days) / implied)


def direction_label(
    bars: Bars, horizon_days: int, neutral: float = NEUTRAL_DEVIATIONS
) -> FloatArray:
    """Return 0 below -`neutral` implied deviations, 2 above `neutral`, and 1 between them."""
    deviations = implied_deviations(bars, horizon_days)
    neutral = _positive(neutral, "neutral", least=0.0)
    above = (deviations > neutral).astype(np.float64) - (deviations < -neutral)
    return np.where(np.isnan(deviations), np.nan, 1.0 + above)


def close_above_label(bars: Bars, horizon_days: int, fraction: float = 0.0) -> FloatArray:
    """Return 1 where the close at the end of the horizon is above ``close * (1 + fraction)``."""
    ahead, level = _close_ahead(bars, horizon_days), _level(bars, fraction)
    return np.where(np.isnan(ahead), np.nan, ahead > level)


def close_below_label(bars: Bars, horizon_days: int, fraction: float = 0.0) -> FloatArray:
    """Return 1 where the close at the end of the horizon is below ``close * (1 + fraction)``."""
    ahead, level = _close_ahead(bars, horizon_days), _level(bars, fraction)
    return np.where(np.isnan(ahead), np.nan, ahead < level)


def _close_ahead(bars: Bars, horizon_days: int) -> FloatArray:
    row = Windows.of(bars).last_row(horizon_days)
    return np.where(row >= 0, bars.close[row], np.nan)


def _level(bars: Bars, fraction: object) -> FloatArray:
    given = as_real(fraction, "fraction", _FRACTION)
    if not -1.0 < given <= MOST_TIMES:
        raise ArgumentError("fraction", shown(fraction), remedy=_FRACTION)
    return np.asarray(bars.close * (1.0 + given))


def _positive(value: object, name: str, least: float = LEAST_TIMES) -> float:
    remedy = f"Give a number from {least:g} to {MOST_TIMES:g}."
    given = as_real(value, name, remedy)
    if not least <= given <= MOST_TIMES:
        raise ArgumentError(name, shown(value), remedy=remedy)
    return given


def _checked(bars: Bars) -> Bars:
    remedy = "Give Bars, made with Bars.from_csv, from_frames or from_arrays."
    return as_kind(bars, Bars, "bars", remedy)


KINDS: Mapping[str, Label] = MappingProxyType(
    {
        REALISED_ABOVE_IMPLIED: trap_label,
        VOLATILITY_REGIME: regime_label,
        RANGE_BREAKOUT: breakout_label,
        SPIKE_SIDE: spike_label,
        RETURN_CLASS: direction_label,
        CLOSE_ABOVE: close_above_label,
        CLOSE_BELOW: close_below_label,
    }
)
"""By kind of event, what answers it."""


def find_label(kind: str) -> Label:
    """Return what answers a kind of event, or raise UndecidableEventError.

    Where it is none of `KINDS`, that is an entry point of the group ``aegismatrix.events``.
    """
    if kind in KINDS:
        return KINDS[kind]
    # Nothing looks for other packages until an artifact names an event of theirs.
    from importlib.metadata import entry_points

    for point in entry_points(group=GROUP, name=kind):
        try:
            label: Label = point.load()
        except Exception as error:
            raise errors.UndecidableEventError(
                kind, f"{point.value} could not be loaded ({type(error).__name__}: {error})"
            ) from error
        return label
    raise errors.UndecidableEventError(kind, "no installed package answers it")


def answers(event: Event, bars: Bars) -> FloatArray:
    """Answer an event's question at every bar by whole numbers, or raise UndecidableEventError."""
    as_kind(event, Event, "event", "Give an Event.")
    label = find_label(event.kind)
    _checked(bars)
    try:
        asked = inspect.signature(label).bind(bars, event.horizon_days, **event.parameters)
    except TypeError as error:
        raise errors.UndecidableEventError(
            event.kind, f"it is asked otherwise ({error})"
        ) from error
    try:
        found = np.asarray(label(*asked.args, **asked.kwargs), dtype=np.float64)
    except Exception as error:
        # It may be anybody's code.
        reason = f"it failed ({type(error).__name__}: {error})"
        raise errors.UndecidableEventError(event.kind, reason) from error
    if found.shape != (len(bars),):
        reason = f"its answers have the shape {found.shape} for {len(bars)} bars"
        raise errors.UndecidableEventError(event.kind, reason)
    return found


def happened(event: Event, bars: Bars) -> FloatArray:
    """Return 1 where an event happened, 0 where not, NaN where that is not known."""
    found = answers(event, bars)
    return np.where(np.isnan(found), np.nan, np.isin(found, event.classes))
