"""What a forecast of volatility must beat: the volatility index, and the past of closes alone.

Each gives one number a day for each horizon. So that it can be held against quantiles it is
dressed: multiplied with the quantiles of realised volatility over itself among a block's own
training rows, and with the root of their mean square, which is best for QLIKE (Patton 2011).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from aegismatrix.market.bars import Bars
from aegismatrix.market.statistics import TRADING_DAYS
from aegismatrix_factory.evaluate.markets import MarketRows
from aegismatrix_factory.evaluate.walkforward import Block, Forecaster

FloatArray = NDArray[np.float64]

Yardstick = Callable[[Block], FloatArray]
"""From a block to a volatility / iv of every row of the market, shape (N,)."""

EWMA_DECAY = 0.94
"""Of daily squares (RiskMetrics 1996)."""
HAR_FEATURES = ("parkinson_1", "rv_5", "rv_22")
LEAST_VOLATILITY = 1e-4


def dressed(yardstick: Yardstick, ratio: FloatArray, levels: FloatArray) -> Forecaster:
    """Make quantiles of one number a day.

    Parameters
    ----------
    yardstick : callable
        From a block to a volatility / iv of every row.
    ratio : ndarray of shape (N,)
        Realised volatility over the horizon / iv; NaN where not known.
    levels : ndarray of shape (Q,)
        Of the quantiles.

    Returns
    -------
    callable
        From a block to forecasts of shape (len(block.test), Q + 1) in units of iv, the root of the
        mean square last.
    """

    def forecast(block: Block) -> FloatArray:
        said = yardstick(block)
        share = ratio[block.train] / said[block.train]
        share = share[~np.isnan(share)]
        cut = np.append(np.quantile(share, levels), np.sqrt(np.mean(share**2)))
        return np.asarray(said[block.test, None] * cut)

    return forecast


def implied(market: MarketRows) -> Yardstick:
    """Take the volatility index as it stands: 1 in its own units.

    Parameters
    ----------
    market : MarketRows
        The market.

    Returns
    -------
    callable
        A yardstick.
    """
    one = np.ones(len(market.dates))
    return lambda _: one


def typical(market: MarketRows) -> Yardstick:
    """Forecast the same volatility every day: what it usually was.

    Parameters
    ----------
    market : MarketRows
        The market.

    Returns
    -------
    callable
        A yardstick.
    """
    unit = 1.0 / _implied_volatility(market)
    return lambda _: unit


def ewma(market: MarketRows) -> Yardstick:
    """Smooth daily squares exponentially: the same forecast for every horizon.

    Parameters
    ----------
    market : MarketRows
        The market.

    Returns
    -------
    callable
        A yardstick.
    """
    squares = np.diff(np.log(market.bars.close)) ** 2
    variance = np.empty(len(market.bars))
    variance[:2] = squares[0]
    for place, square in enumerate(squares[1:], start=2):
        variance[place] = EWMA_DECAY * variance[place - 1] + (1.0 - EWMA_DECAY) * square
    volatility = np.sqrt(TRADING_DAYS * variance)
    of_rows = _over_iv(market, market.rows_of(volatility))
    return lambda _: of_rows


def har(market: MarketRows, ratio: FloatArray) -> Yardstick:
    """Regress variance on the day's range and on a week's and a month's volatility (Corsi 2009).

    In logarithms, under QLIKE: no day without a move weighs more than another. Without iv: it
    cancels.

    Parameters
    ----------
    market : MarketRows
        The market.
    ratio : ndarray of shape (N,)
        Realised volatility over the horizon / iv; NaN where not known.

    Returns
    -------
    callable
        A yardstick.
    """
    iv = _implied_volatility(market)
    x = np.column_stack([np.ones(len(iv)), market.columns(HAR_FEATURES) + np.log(iv)[:, None]])
    realised = ratio * iv

    def forecast(block: Block) -> FloatArray:
        rows = block.train[~np.isnan(realised[block.train])]
        coefficients = _qlike_minimum(x[rows], realised[rows] ** 2)
        return np.asarray(np.exp(x @ coefficients / 2.0) / iv)

    return forecast


def gjr(market: MarketRows, horizon_days: int) -> Yardstick:
    """Forecast by GJR-GARCH(1, 1) (Glosten, Jagannathan, Runkle 1993), refitted for each block.

    Parameters
    ----------
    market : MarketRows
        The market.
    horizon_days : int
        Trading days, at most 20.

    Returns
    -------
    callable
        A yardstick.
    """
    bars = market.bars
    iv = _implied_volatility(market)

    def forecast(block: Block) -> FloatArray:
        paths = _gjr_variances(bars, int(np.searchsorted(bars.dates, block.cut, side="right")))
        mean = market.rows_of(paths[:, :horizon_days].mean(axis=1))
        return np.maximum(np.sqrt(TRADING_DAYS * mean), LEAST_VOLATILITY) / iv

    return forecast


@lru_cache(maxsize=40)
def _gjr_variances(bars: Bars, known: int) -> FloatArray:
    """Daily variances of the next 20 sessions from every bar, by what the first `known` taught."""
    # Of the factory's extra that trains: no other command needs it.
    from arch import arch_model

    returns = 100.0 * np.diff(np.log(bars.close))
    fitted = arch_model(
        returns[: known - 1], mean="Zero", vol="GARCH", p=1, o=1, q=1, rescale=False
    ).fit(disp="off", show_warning=False)
    every = arch_model(returns, mean="Zero", vol="GARCH", p=1, o=1, q=1, rescale=False).fix(
        fitted.params
    )
    paths = every.forecast(horizon=20, start=0, reindex=False).variance.to_numpy() / 1e4
    return np.asarray(np.concatenate([paths[:1], paths]))


def _qlike_minimum(x: FloatArray, variance: FloatArray) -> FloatArray:
    """Return coefficients of a log-variance at the minimum of mean QLIKE: Newton, convex."""
    centre, spread = x[:, 1:].mean(axis=0), x[:, 1:].std(axis=0)
    scaled = np.column_stack([x[:, 0], (x[:, 1:] - centre) / spread])

    def loss(b: FloatArray) -> float:
        z = scaled @ b
        return float(np.mean(z + variance * np.exp(-z)))

    def gradient(b: FloatArray) -> FloatArray:
        return np.asarray(scaled.T @ (1.0 - variance * np.exp(-scaled @ b)) / len(scaled))

    def hessian(b: FloatArray) -> FloatArray:
        curve = variance * np.exp(-scaled @ b) / len(scaled)
        return np.asarray(scaled.T @ (scaled * curve[:, None]))

    start = np.zeros(scaled.shape[1])
    start[0] = np.log(variance.mean())
    b = minimize(loss, start, jac=gradient, hess=hessian, method="trust-exact").x
    slopes = b[1:] / spread
    return np.concatenate([[b[0] - slopes @ centre], slopes])


def _implied_volatility(market: MarketRows) -> FloatArray:
    return np.asarray(market.implied_sigma * np.sqrt(TRADING_DAYS))


def _over_iv(market: MarketRows, volatility: FloatArray) -> FloatArray:
    return np.maximum(volatility, LEAST_VOLATILITY) / _implied_volatility(market)
