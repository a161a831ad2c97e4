"""Quantiles read backwards: how likely a value is exceeded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aegismatrix.market.arrays import FloatArray


def exceedance(quantiles: FloatArray, levels: Sequence[float], value: FloatArray) -> FloatArray:
    """Return how likely each value is exceeded, in shape (N,).

    `quantiles`, of shape (N, Q), are above 0 and rise along each row; `levels` say which they are,
    and the values are in their unit. The log-odds of a level are interpolated along the logarithm
    of the value, and go on beyond the outer quantiles as they do between the last two.

    >>> import numpy as np
    >>> rows = np.array([[8.0, 10.0, 14.0]])
    >>> exceedance(rows, (0.1, 0.5, 0.9), np.array([10.0])).round(6).tolist()
    [0.5]
    """
    x, at = np.log(quantiles), np.log(value)
    shares = np.asarray(levels, dtype=np.float64)
    log_odds = np.log(shares / (1.0 - shares))
    row = np.arange(len(x))
    left = np.clip((x <= at[:, None]).sum(axis=1) - 1, 0, len(shares) - 2)
    slope = (log_odds[left + 1] - log_odds[left]) / (x[row, left + 1] - x[row, left])
    below = log_odds[left] + slope * (at - x[row, left])
    # The larger exponential would overflow.
    small = np.exp(-np.abs(below))
    return np.asarray(np.where(below > 0.0, small, 1.0) / (1.0 + small))
