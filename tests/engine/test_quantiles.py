"""Quantiles read backwards."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from aegismatrix.engine.quantiles import exceedance
from aegismatrix.market.events import VOLATILITY

LEVELS = VOLATILITY.levels

rows = st.lists(st.floats(0.01, 2.0), min_size=len(LEVELS), max_size=len(LEVELS)).map(
    lambda steps: 0.5 * np.exp(np.cumsum(steps))[None]
)


@given(rows)
def test_each_quantile_is_exceeded_with_what_its_level_leaves(
    quantiles: NDArray[np.float64],
) -> None:
    for place, level in enumerate(LEVELS):
        found = exceedance(quantiles, LEVELS, quantiles[:, place])
        np.testing.assert_allclose(found, 1.0 - level, atol=1e-9)


@given(rows, st.floats(1e-3, 1e6), st.floats(1.001, 1e3))
def test_the_larger_the_value_the_rarer_it_is_exceeded(
    quantiles: NDArray[np.float64], value: float, times: float
) -> None:
    less, more = (
        float(exceedance(quantiles, LEVELS, np.array([one]))[0]) for one in (value, value * times)
    )
    assert 0.0 <= more <= less <= 1.0


def test_rows_are_read_each_by_itself() -> None:
    quantiles = np.outer([1.0, 2.0, 40.0], np.arange(1.0, len(LEVELS) + 1.0))
    together = exceedance(quantiles, LEVELS, np.array([0.2, 7.0, 1e4]))
    alone = [
        float(exceedance(row[None], LEVELS, np.array([value]))[0])
        for row, value in zip(quantiles, (0.2, 7.0, 1e4), strict=True)
    ]
    assert together.tolist() == alone
