"""What happened after a forecast: forward-looking, scale-free, known only after its horizon.

Models are trained on these labels and monitoring scores against them: one definition of every
event. Labels are arrays of one value per bar; bars whose horizon has not passed yet are NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import numpy as np

from aegismatrix.market.arrays import FloatArray
from aegismatrix.market.bars import Bars
from aegismatrix.market.events import (
    CLASSES,
    LABELS,
    NEUTRAL_DEVIATIONS,
    OFFSETS,
    REGIME_HORIZON_DAYS,
    REGIMES,
    SIDES,
    THETA_DAYS,
    TRAP_DAYS,
)
from aegismatrix.market.statistics import (
    BREAKOUT_RANGES,
    TRADING_DAYS,
    average_true_range,
    true_range,
)


@dataclass(frozen=True)
class Event:
    """What a probability without edges is the probability of.

    Attributes
    ----------
    horizon_days : int
        Sessions until it is decided.
    happened : callable
        From T bars to an array of shape (T,): 1 where it happened, 0 where not, NaN where that is
        not known.
    """

    horizon_days: int
    happened: Callable[[Bars], FloatArray]


def forward_realised_vol(bars: Bars, horizon_days: int) -> FloatArray:
    """Return the annualised root mean square of the next `horizon_days` log returns.

    Parameters
    ----------
    bars : Bars
        T bars.
    horizon_days : int
        Trading days ahead.

    Returns
    -------
    ndarray of shape (T,)
        A fraction a year; NaN for the last `horizon_days` bars.
    """
    squares = np.concatenate([[0.0], np.diff(np.log(bars.close)) ** 2])
    total = np.cumsum(squares)
    realised = np.full(len(bars), np.nan)
    if horizon_days < len(bars):
        ahead = total[horizon_days:] - total[:-horizon_days]
        realised[:-horizon_days] = np.sqrt(TRADING_DAYS / horizon_days * ahead)
    return realised


def trap_label(bars: Bars, horizon_days: int) -> FloatArray:
    """Return 1 where volatility over the horizon exceeds what the volatility index implied.

    Parameters
    ----------
    bars : Bars
        T bars.
    horizon_days : int
        Trading days ahead.

    Returns
    -------
    ndarray of shape (T,)
        0 or 1; NaN where the horizon has not passed. A seller of volatility was paid less than what
        then happened where it is 1: the variance risk premium (Bollerslev, Tauchen, Zhou 2009)
        with the wrong sign.
    """
    realised = forward_realised_vol(bars, horizon_days)
    return np.where(np.isnan(realised), np.nan, realised > bars.iv / 100.0)


def realised_vol(bars: Bars, window: int) -> FloatArray:
    """Return the annualised root mean square of the last `window` log returns.

    Parameters
    ----------
    bars : Bars
        T bars.
    window : int
        Bars.

    Returns
    -------
    ndarray of shape (T,)
        A fraction a year; NaN for the first `window` bars.
    """
    ahead = forward_realised_vol(bars, window)
    return np.concatenate([np.full(window, np.nan), ahead[:-window]])[: len(bars)]


def volatility_terciles(bars: Bars) -> FloatArray:
    """Return the terciles of the last 252 values of 20-bar realised volatility.

    Parameters
    ----------
    bars : Bars
        T bars.

    Returns
    -------
    ndarray of shape (T, 2)
        NaN until there are 252 values.
    """
    terciles = np.full((len(bars), 2), np.nan)
    past = realised_vol(bars, REGIME_HORIZON_DAYS)
    if len(bars) >= TRADING_DAYS:
        windows = np.lib.stride_tricks.sliding_window_view(past, TRADING_DAYS)
        terciles[TRADING_DAYS - 1 :] = np.quantile(windows, [1 / 3, 2 / 3], axis=1).T
    return terciles


def regime_label(bars: Bars, *, forward: bool = True) -> FloatArray:
    """Return the class of 20-day realised volatility against the terciles known at each bar.

    Parameters
    ----------
    bars : Bars
        T bars.
    forward : bool
        Of the next 20 days, the target; otherwise of the last 20, today's regime.

    Returns
    -------
    ndarray of shape (T,)
        0 for LOW, 1 for MEDIUM, 2 for HIGH; NaN where not known.
    """
    vol = (forward_realised_vol if forward else realised_vol)(bars, REGIME_HORIZON_DAYS)
    terciles = volatility_terciles(bars)
    unknown = np.isnan(vol) | np.isnan(terciles).any(axis=1)
    return np.where(unknown, np.nan, (vol[:, None] > terciles).sum(axis=1))


def forward_return(bars: Bars, horizon_days: int) -> FloatArray:
    """Return the log return of the next `horizon_days` bars.

    Parameters
    ----------
    bars : Bars
        T bars.
    horizon_days : int
        Trading days ahead.

    Returns
    -------
    ndarray of shape (T,)
        NaN for the last `horizon_days` bars.
    """
    ahead = np.full(len(bars), np.nan)
    if horizon_days < len(bars):
        ahead[:-horizon_days] = np.log(bars.close[horizon_days:] / bars.close[:-horizon_days])
    return ahead


def breakout_label(bars: Bars, offset_days: int) -> FloatArray:
    """Return 1 where the true range of one session ahead exceeds 1.25 average true ranges.

    Parameters
    ----------
    bars : Bars
        T bars.
    offset_days : int
        Which session ahead: 1 for the next.

    Returns
    -------
    ndarray of shape (T,)
        0 or 1, against the 14-day average that is known at each bar (Wilder 1978); NaN where that
        average or that session is not known.
    """
    label = np.full(len(bars), np.nan)
    if offset_days < len(bars):
        usual = average_true_range(bars)[:-offset_days]
        ahead = true_range(bars)[offset_days:]
        known = ~np.isnan(usual)
        label[:-offset_days][known] = (ahead > BREAKOUT_RANGES * usual)[known]
    return label


def spike_label(bars: Bars) -> FloatArray:
    """Return the side to which the next session breaks out.

    Parameters
    ----------
    bars : Bars
        T bars.

    Returns
    -------
    ndarray of shape (T,)
        0 for no breakout, 1 for a down-spike (a breakout that closes lower), 2 for an up-spike; NaN
        where not known.
    """
    breakout = breakout_label(bars, 1)
    falls = np.append(bars.close[1:] < bars.close[:-1], False)
    return np.where(breakout == 1.0, np.where(falls, 1.0, 2.0), breakout)


def excursions(bars: Bars, longest_days: int) -> tuple[FloatArray, FloatArray]:
    """Return how far the index went from each close, down and up, within every horizon.

    Parameters
    ----------
    bars : Bars
        T bars.
    longest_days : int
        The longest horizon.

    Returns
    -------
    down, up : ndarray of shape (T, longest_days)
        ``ln(close / lowest low)`` and ``ln(highest high / close)`` of the next h bars in column
        h - 1; NaN where the horizon has not passed.
    """
    count = len(bars)
    down, up = np.full((2, count, longest_days), np.nan)
    lowest, highest = np.full(count, np.inf), np.full(count, -np.inf)
    for horizon_days in range(1, min(longest_days, count - 1) + 1):
        known = count - horizon_days
        lowest[:known] = np.minimum(lowest[:known], bars.low[horizon_days:])
        highest[:known] = np.maximum(highest[:known], bars.high[horizon_days:])
        down[:known, horizon_days - 1] = np.log(bars.close[:known] / lowest[:known])
        up[:known, horizon_days - 1] = np.log(highest[:known] / bars.close[:known])
    return down, up


def implied_deviations(bars: Bars, horizon_days: int) -> FloatArray:
    """Return the log return over the horizon, in the standard deviations that iv implied for it.

    Parameters
    ----------
    bars : Bars
        T bars.
    horizon_days : int
        Trading days ahead.

    Returns
    -------
    ndarray of shape (T,)
        ``ln(close ahead / close) / (iv / 100 * sqrt(h / 252))``; NaN where the horizon has not
        passed.
    """
    implied = bars.iv / 100.0 * np.sqrt(horizon_days / TRADING_DAYS)
    return np.asarray(forward_return(bars, horizon_days) / implied)


def direction_label(bars: Bars, horizon_days: int) -> FloatArray:
    """Return the class of the return over the horizon: DOWN, NEUTRAL or UP.

    Parameters
    ----------
    bars : Bars
        T bars.
    horizon_days : int
        Trading days ahead.

    Returns
    -------
    ndarray of shape (T,)
        `implied_deviations` below -`NEUTRAL_DEVIATIONS` 0, above `NEUTRAL_DEVIATIONS` 2, else 1;
        NaN where the horizon has not passed.
    """
    deviations = implied_deviations(bars, horizon_days)
    above = (deviations > NEUTRAL_DEVIATIONS).astype(np.float64) - (
        deviations < -NEUTRAL_DEVIATIONS
    )
    return np.where(np.isnan(deviations), np.nan, 1.0 + above)


def _is(label: Callable[[Bars], FloatArray], wanted: int, bars: Bars) -> FloatArray:
    found = label(bars)
    return np.where(np.isnan(found), np.nan, found == wanted)


def _events() -> dict[str, Event]:
    events = {
        f"trap_{days}": Event(days, partial(trap_label, horizon_days=days)) for days in TRAP_DAYS
    }
    for number, name in enumerate(REGIMES):
        events[f"regime_{name}"] = Event(REGIME_HORIZON_DAYS, partial(_is, regime_label, number))
    for offset in OFFSETS:
        events[f"breakout_{offset}"] = Event(offset, partial(breakout_label, offset_days=offset))
    for number, name in enumerate(SIDES, start=1):
        events[f"spike_{name}"] = Event(1, partial(_is, spike_label, number))
    events["theta"] = Event(THETA_DAYS, partial(trap_label, horizon_days=THETA_DAYS))
    for days in LABELS:
        label = partial(direction_label, horizon_days=days)
        for number, name in enumerate(CLASSES):
            events[f"direction_t{days}_{name}"] = Event(days, partial(_is, label, number))
    return events


EVENTS: Mapping[str, Event] = MappingProxyType(_events())
"""By the engine's column, every event but the touches of the breach surface: those have edges."""
