"""Statistics of bars that signals share."""

from __future__ import annotations

import math
from random import Random

import numpy as np

from aegismatrix.tables import FloatArray

TRADING_DAYS = 252
_BOOTSTRAP_SAMPLES = 1000
_BOOTSTRAP_SEED = 20240517
_MIN_BLOCK_DAYS = 42
_MIN_BLOCKS = 3
# Half the probability of a driftless Brownian path lies within this many deviations throughout.
_MEDIAN_TOUCH = 1.1490


def realised_vol(close: FloatArray, window: int) -> FloatArray:
    """Return the annualised root mean square of log returns over a rolling window.

    Parameters
    ----------
    close : ndarray of shape (T,)
        Index points, T > window.
    window : int
        Bars.

    Returns
    -------
    ndarray of shape (T - window,)
        A fraction a year; the last element for the last bar.
    """
    squares = np.diff(np.log(close)) ** 2
    sums = np.lib.stride_tricks.sliding_window_view(squares, window).sum(axis=1)
    return np.asarray(np.sqrt(TRADING_DAYS / window * sums))


def percentile_rank(values: FloatArray) -> float:
    """Return where the last value stands among all of them.

    Parameters
    ----------
    values : ndarray of shape (n,)

    Returns
    -------
    float
        0 for the lowest, 1 for the highest; ties count half.
    """
    if len(values) < 2:
        return 0.5
    others = values[:-1]
    below = float((others < values[-1]).sum()) + 0.5 * float((others == values[-1]).sum())
    return below / len(others)


def block_days(horizon_days: int) -> int:
    """Return the length of bootstrap blocks for windows of that length."""
    return max(2 * horizon_days, _MIN_BLOCK_DAYS)


def windows_needed(horizon_days: int) -> int:
    """Return how many windows a rate needs to have an interval: three blocks of them."""
    return _MIN_BLOCKS * block_days(horizon_days)


def share_interval(values: FloatArray, horizon_days: int) -> tuple[float, float]:
    """Return a 95 % interval of the share of overlapping windows in which something held.

    Parameters
    ----------
    values : ndarray of shape (n,)
        1 or 0 per window, oldest first.
    horizon_days : int
        Length of a window; blocks are max(2 h, 42) days.

    Returns
    -------
    lower, upper : float
        From a seeded circular block bootstrap (Politis, Romano 1992): the same values give the same
        interval. Where all are alike a bootstrap has no width; the exact binomial bound (Clopper,
        Pearson 1934) on as many windows as do not overlap takes its place.
    """
    count = len(values)
    if values.min() == values.max():
        bound = 0.025 ** (1.0 / max(count / horizon_days, 1.0))
        return (bound, 1.0) if values[0] else (0.0, 1.0 - bound)
    block = min(block_days(horizon_days), count)
    whole, rest = divmod(count, block)
    # The standard library's generator: importing numpy's would cost a tenth of a cold start.
    draws = Random(_BOOTSTRAP_SEED).choices(range(count), k=_BOOTSTRAP_SAMPLES * (whole + 1))
    starts = np.array(draws).reshape(_BOOTSTRAP_SAMPLES, whole + 1)
    total = np.concatenate([[0.0], np.cumsum(np.concatenate([values, values]))])
    sums = (total[starts[:, :whole] + block] - total[starts[:, :whole]]).sum(axis=1)
    sums += total[starts[:, whole] + rest] - total[starts[:, whole]]
    lower, upper = np.quantile(sums / count, [0.025, 0.975])
    return float(lower), float(upper)


def deviation_of_median_touch(median_distance: float) -> float:
    """Return the standard deviation of a driftless path that touches +-d with probability 0.5.

    Parameters
    ----------
    median_distance : float
        The log distance d.

    Returns
    -------
    float
        Of the log return at the end of the path.
    """
    return median_distance / _MEDIAN_TOUCH


def normal_within(width: float, deviation: float) -> float:
    """Return the probability that a normal return ends within +-width."""
    return math.erf(width / (deviation * math.sqrt(2.0)))
