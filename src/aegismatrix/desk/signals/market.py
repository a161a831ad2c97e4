"""The state of the market: spot, volatility index, and a regime by rule."""

from __future__ import annotations

import math

import numpy as np

from aegismatrix.market.bars import Bars
from aegismatrix.market.statistics import TRADING_DAYS, percentile_rank
from aegismatrix.records import dataclass

TREND_BARS = 66
STRONG_TREND = 1.0
HIGH_IV_PERCENTILE, LOW_IV_PERCENTILE = 0.70, 0.50


@dataclass(frozen=True)
class MarketState:
    """The last bar against the one before, and the regime.

    Attributes
    ----------
    spot, vix : float
        Last closes: index points, and per cent a year.
    spot_change, vix_change : float
        Against the previous session, in points.
    spot_change_pct, vix_change_pct : float
        The same as a fraction.
    regime : str
        ``HIGH_VOL_BEAR`` if iv stands in the upper 30 % of its year and the trend is down; else
        ``TREND_FOLLOWING`` if the trend exceeds one implied deviation either way; else
        ``LOW_VOL_BULL`` if iv stands in the lower half of its year and the trend is up; else
        ``SIDEWAYS_CHOP``.
    iv_percentile : float
        Where iv stands among its last 252 values, 0 to 1.
    trend : float
        Log return of 66 bars in standard deviations that iv implies.

    Examples
    --------
    >>> import aegismatrix as am
    >>> state = am.analyze(am.sample_bars()).market
    >>> state.spot, state.vix, state.regime
    (2506.85, 25.42, 'HIGH_VOL_BEAR')
    """

    spot: float
    spot_change: float
    spot_change_pct: float
    vix: float
    vix_change: float
    vix_change_pct: float
    regime: str
    iv_percentile: float
    trend: float


def market_state(bars: Bars) -> MarketState:
    """Read the state of the market off the bars.

    Parameters
    ----------
    bars : Bars
        At least 67.

    Returns
    -------
    MarketState
    """
    close, iv = bars.close, bars.iv
    iv_percentile = percentile_rank(iv[-TRADING_DAYS:])
    deviation = float(iv[-1]) / 100.0 * math.sqrt(TREND_BARS / TRADING_DAYS)
    trend = float(np.log(close[-1] / close[-1 - TREND_BARS])) / deviation
    return MarketState(
        spot=float(close[-1]),
        spot_change=float(close[-1] - close[-2]),
        spot_change_pct=float(close[-1] / close[-2] - 1.0),
        vix=float(iv[-1]),
        vix_change=float(iv[-1] - iv[-2]),
        vix_change_pct=float(iv[-1] / iv[-2] - 1.0),
        regime=_regime(iv_percentile, trend),
        iv_percentile=iv_percentile,
        trend=trend,
    )


def _regime(iv_percentile: float, trend: float) -> str:
    if iv_percentile >= HIGH_IV_PERCENTILE and trend < 0:
        return "HIGH_VOL_BEAR"
    if abs(trend) >= STRONG_TREND:
        return "TREND_FOLLOWING"
    if iv_percentile <= LOW_IV_PERCENTILE and trend > 0:
        return "LOW_VOL_BULL"
    return "SIDEWAYS_CHOP"
