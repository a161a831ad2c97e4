"""Statistics that stand in for those of numpy which load more than they save."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from aegismatrix.market.arrays import distinct, is_masked_array
from aegismatrix.market.statistics import quantiles

FLOATS = st.floats(-1e9, 1e9)


@given(
    values=st.lists(FLOATS, min_size=1, max_size=60),
    fractions=st.lists(st.floats(0, 1), min_size=1, max_size=6),
)
def test_quantiles_are_those_of_numpy_to_the_last_bit(
    values: list[float], fractions: list[float]
) -> None:
    expected = np.quantile(np.array(values), fractions)
    assert np.array_equal(quantiles(np.array(values), fractions), expected)


@given(values=st.lists(FLOATS | st.sampled_from([1.0, 2.0]), max_size=60))
def test_distinct_values_are_those_of_numpy(values: list[float]) -> None:
    given_values = np.array(values).reshape(1, -1)
    assert np.array_equal(distinct(given_values), np.unique(given_values))


def test_a_masked_array_is_known_as_one() -> None:
    assert is_masked_array(np.ma.masked_array([1.0, 2.0], mask=[False, True]))
    assert not is_masked_array(np.array([1.0]))
    assert not is_masked_array("a text")
