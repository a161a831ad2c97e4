"""What a driftless path with the implied volatility does: the baselines of the surface.

Distances come in deviations of the path's end, ``k = d / (implied_sigma * sqrt(horizon))``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

FloatArray = NDArray[np.float64]

SERIES_TERMS = 32

_ODD = 2.0 * np.arange(SERIES_TERMS) + 1.0
_WEIGHTS = 4.0 / np.pi * (-1.0) ** np.arange(SERIES_TERMS) / _ODD
_DECAYS = -(_ODD**2) * np.pi**2 / 8.0


def two_touches(k: FloatArray) -> FloatArray:
    """Return the probability that the path touches an edge on either side, each k away.

    Feller, An Introduction to Probability Theory, volume II, X.5: the series in eigenfunctions.

    Parameters
    ----------
    k : ndarray
        Distance over the standard deviation at the end of the path, above 0.

    Returns
    -------
    ndarray
    """
    stay = (_WEIGHTS * np.exp(np.asarray(k)[..., None] ** -2 * _DECAYS)).sum(axis=-1)
    return np.asarray(1.0 - stay)


def one_touch(k: FloatArray) -> FloatArray:
    """Return the probability that it touches one edge: twice that of ending beyond it.

    Parameters
    ----------
    k : ndarray
        Distance over the standard deviation at the end of the path, above 0.

    Returns
    -------
    ndarray
    """
    return np.asarray(2.0 * norm.sf(k))


def terminal(k: FloatArray) -> FloatArray:
    """Return the probability that it ends beyond one edge.

    Parameters
    ----------
    k : ndarray
        Distance over the standard deviation at the end of the path, above 0.

    Returns
    -------
    ndarray
    """
    return np.asarray(norm.sf(k))


def haug_touch(side: str, deviation: FloatArray, distance: FloatArray) -> FloatArray:
    """Return the probability of a touch without interest, as libraries of option formulas have it.

    A price that is a martingale has a logarithm that falls by half its variance. Haug, The Complete
    Guide to Option Pricing Formulas, 2nd edition, 4.19: the barrier hit probability.

    Parameters
    ----------
    side : {'down', 'up'}
        Which edge.
    deviation : ndarray
        Standard deviation of the path's end.
    distance : ndarray
        Log distance of the edge.

    Returns
    -------
    ndarray
    """
    lean = 0.5 * deviation if side == "down" else -0.5 * deviation
    k = distance / deviation
    growth = np.exp(2.0 * lean * k)
    return np.asarray(norm.cdf(lean - k) + growth * norm.cdf(-lean - k))
