"""Statistics of bars that signals share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

import numpy as np
from numpy.typing import NDArray

from aegismatrix.market.arrays import FloatArray
from aegismatrix.market.bars import Bars

TRADING_DAYS = 252
AVERAGE_RANGE_BARS = 14
BREAKOUT_RANGES = 1.25
"""A session breaks out if its true range exceeds so many average true ranges."""

_BOOTSTRAP_SAMPLES = 1000
_BOOTSTRAP_SEED = 20240517
_MIN_BLOCK_DAYS = 42
_MIN_BLOCKS = 3
TWO_SIDED_95 = 1.959963984540054
"""A normal variable is within so many deviations of its mean with a probability of 95 %."""


def realised_vol(close: FloatArray, window: int) -> FloatArray:
    """Return the annualised root mean square of log returns over each `window`, a fraction."""
    squares = np.diff(np.log(close)) ** 2
    sums = np.lib.stride_tricks.sliding_window_view(squares, window).sum(axis=1)
    return np.asarray(np.sqrt(TRADING_DAYS / window * sums))


def true_range(bars: Bars) -> FloatArray:
    """Return the true range of every bar in index points (Wilder 1978); NaN for the first."""
    ranges = np.full(len(bars), np.nan)
    before = bars.close[:-1]
    ranges[1:] = np.maximum(bars.high[1:], before) - np.minimum(bars.low[1:], before)
    return ranges


def average_true_range(bars: Bars) -> FloatArray:
    """Return the mean true range of the last 14 bars in index points; NaN for the first 14."""
    average = np.full(len(bars), np.nan)
    if len(bars) > AVERAGE_RANGE_BARS:
        windows = np.lib.stride_tricks.sliding_window_view(true_range(bars), AVERAGE_RANGE_BARS)
        average[AVERAGE_RANGE_BARS:] = windows[1:].mean(axis=1)
    return average


def percentile_rank(values: FloatArray) -> float:
    """Return where the last value stands among all: 0 lowest, 1 highest; ties count half."""
    if len(values) < 2:
        return 0.5
    others = values[:-1]
    below = float((others < values[-1]).sum()) + 0.5 * float((others == values[-1]).sum())
    return below / len(others)


def quantiles(values: FloatArray, fractions: Sequence[float]) -> tuple[float, ...]:
    """Return quantiles of values that are no NaN, as `numpy.quantile` does, to the last bit.

    Type 7 of Hyndman, Fan (1996). `numpy.quantile` loads `numpy.ma`, which costs more at every
    start than all quantiles of a report.
    """
    ordered = np.sort(values).tolist()
    found = []
    for fraction in fractions:
        position = fraction * (len(ordered) - 1)
        below = int(position)
        low, high = ordered[below], ordered[min(below + 1, len(ordered) - 1)]
        share, step = position - below, high - low
        found.append(high - step * (1.0 - share) if share >= 0.5 else low + step * share)
    return tuple(found)


def block_days(horizon_days: int) -> int:
    """Return the length of bootstrap blocks for windows of that length."""
    return max(2 * horizon_days, _MIN_BLOCK_DAYS)


def windows_needed(horizon_days: int) -> int:
    """Return how many windows a rate needs to have an interval: three blocks of them."""
    return _MIN_BLOCKS * block_days(horizon_days)


def share_interval(values: FloatArray, horizon_days: int) -> tuple[float, float]:
    """Return a 95 % interval of the share of overlapping windows in which something held.

    `values` are 1 or 0 per window, oldest first. The interval is from a seeded circular block
    bootstrap (Politis, Romano 1992), so the same values give the same one. Where all values are
    alike a bootstrap has no width; the exact binomial bound (Clopper, Pearson 1934) on as many
    windows as do not overlap takes its place.
    """
    if values.min() == values.max():
        bound = 0.025 ** (1.0 / max(len(values) / horizon_days, 1.0))
        return (bound, 1.0) if values[0] else (0.0, 1.0 - bound)
    lower, upper = quantiles(_resampled_means(values, horizon_days), (0.025, 0.975))
    return lower, upper


def skill_interval(
    losses: FloatArray, reference_losses: FloatArray, horizon_days: int
) -> tuple[float, float]:
    """Return a 95 % interval of ``1 - mean loss / mean loss of the reference``.

    Both series are of the same days, oldest first, and are resampled alike by the bootstrap of
    `share_interval`. Every circular block of the reference's sums to more than 0.
    """
    means, reference = (
        _resampled_means(values, horizon_days) for values in (losses, reference_losses)
    )
    lower, upper = quantiles(1.0 - means / reference, (0.025, 0.975))
    return lower, upper


def independent_windows(days: int, horizon_days: int) -> int:
    """Return how many stretches of overlapping windows count as independent of each other."""
    return days // block_days(horizon_days)


def gain_p_value(losses: FloatArray, reference_losses: FloatArray, horizon_days: int) -> float:
    """Return how likely a gain as large as this is where there is none, one-sided.

    The `standardised_gain` goes through Student's t. 1 with fewer than two independent windows.
    """
    found = standardised_gain(losses, reference_losses, horizon_days)
    return 1.0 if found is None else student_above(*found)


def standardised_gain(
    losses: FloatArray, reference_losses: FloatArray, horizon_days: int
) -> tuple[float, int] | None:
    """Return a mean gain over its standard error, and the degrees of freedom of that error.

    There is one degree less than there are `independent_windows`. The error is that of the circular
    block bootstrap in closed form, the means of all blocks: it draws nothing and so resolves any
    level, and no stretch begins at a favoured day. None with fewer than two such windows; infinite
    where every block has the same mean.
    """
    windows = independent_windows(len(losses), horizon_days)
    if windows < 2:
        return None
    gain, block = reference_losses - losses, block_days(horizon_days)
    total = np.concatenate([[0.0], np.cumsum(np.concatenate([gain, gain[:block]]))])
    means = (total[block : block + len(gain)] - total[: len(gain)]) / block
    mean = float(gain.mean())
    error = math.sqrt(float(((means - mean) ** 2).mean()) / (windows - 1))
    if error == 0.0:
        return (math.inf if mean > 0.0 else -math.inf), windows - 1
    return mean / error, windows - 1


def student_above(value: float, degrees: int) -> float:
    """Return the probability that Student's t with whole degrees of freedom exceeds a value.

    Abramowitz and Stegun 26.7.3 and 26.7.4: a finite series, so that no table is needed.
    """
    angle = math.atan2(abs(value), math.sqrt(degrees))
    cosine, odd = math.cos(angle), degrees % 2
    term, total = (cosine if odd else 1.0), 0.0
    for step in range(1 + odd, degrees, 2):
        total += term
        term *= cosine * cosine * step / (step + 1)
    within = math.sin(angle) * total
    if odd:
        within = 2.0 / math.pi * (angle + within)
    above = max(0.5 * (1.0 - within), 0.0)
    return above if value >= 0.0 else 1.0 - above


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for their number: any false one is as rare as a level (Holm 1979)."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    corrected, largest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min((len(order) - rank) * p_values[place], 1.0))
        corrected[place] = largest
    return corrected


def resampled_means(values: FloatArray, block: int, starts: NDArray[np.int64]) -> FloatArray:
    """Return the means of the circular blocks of a bootstrap, of shape (samples,).

    `starts`, of shape (samples, blocks), says with which value each block begins. The last block of
    a resample is cut so that it has as many values as there are.
    """
    count = len(values)
    rest = count - block * (starts.shape[1] - 1)
    total = np.concatenate([[0.0], np.cumsum(np.concatenate([values, values]))])
    sums = (total[starts[:, :-1] + block] - total[starts[:, :-1]]).sum(axis=1)
    sums += total[starts[:, -1] + rest] - total[starts[:, -1]]
    return np.asarray(sums / count)


def _resampled_means(values: FloatArray, horizon_days: int) -> FloatArray:
    count = len(values)
    block = min(block_days(horizon_days), count)
    blocks = count // block + 1
    # The standard library's generator: importing numpy's would cost a tenth of a cold start.
    draws = Random(_BOOTSTRAP_SEED).choices(range(count), k=_BOOTSTRAP_SAMPLES * blocks)
    return resampled_means(values, block, np.array(draws).reshape(_BOOTSTRAP_SAMPLES, blocks))


def binomial_interval(
    count: float, n: float, deviations: float = TWO_SIDED_95
) -> tuple[float, float]:
    """Return an interval of a share among `n` cases that do not overlap (Wilson 1927)."""
    share, z = count / n, deviations
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # Rounding must not leave the share outside of its interval at 0 and 1.
    return min(max(centre - half, 0.0), share), max(min(centre + half, 1.0), share)


def normal_below(value: float, deviation: float) -> float:
    """Return the probability that a normal log return around 0 ends below a value."""
    if deviation == 0.0:
        return 1.0 if value > 0.0 else 0.0
    return 0.5 * math.erfc(-value / (deviation * math.sqrt(2.0)))


def contrast(one: float, other: float) -> float:
    """Return ``(one - other) / (one + other)`` of amounts of at least 0; 0 where both are 0."""
    total = one + other
    return (one - other) / total if total > 0.0 else 0.0
