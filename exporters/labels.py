"""What each model is asked to predict: forward-looking, scale-free, known only after its horizon.

Labels are arrays of one value per bar; bars whose horizon has not passed yet are NaN.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aegismatrix.bars import Bars

FloatArray = NDArray[np.float64]

TRADING_DAYS = 252


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
