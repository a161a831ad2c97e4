"""Order statistics of windows against a full sort of each window."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from aegismatrix_factory.graph.expressions import Graph
from aegismatrix_factory.graph.ordering import STRIDES, order_statistics, usable_strides
from aegismatrix_factory.release.parity import bars_feed
from aegismatrix_factory.release.staging import stage_features
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnxruntime import InferenceSession
from spox import Tensor, Var, argument, build

from aegismatrix.errors import ContractError
from aegismatrix.market.bars import Bars
from aegismatrix.market.outcomes import volatility_terciles

FloatArray = NDArray[np.float64]
TERCILE_RANKS = (83, 84, 167, 168)


def opened(values: Var, answer: Var) -> InferenceSession:
    model = build({"x": values}, {"y": answer})
    model.ir_version = 8
    return InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


@cache
def selection(window: int, ranks: tuple[int, ...]) -> InferenceSession:
    values = argument(Tensor(np.float64, ("T",)))
    return opened(values, order_statistics(values, window, ranks))


def selected(values: FloatArray, window: int, ranks: tuple[int, ...]) -> FloatArray:
    answer: FloatArray = selection(window, ranks).run(None, {"x": values})[0]
    return answer


def by_sorting(values: FloatArray, window: int, ranks: tuple[int, ...]) -> FloatArray:
    windows = np.lib.stride_tricks.sliding_window_view(values, window)
    ordered: FloatArray = np.sort(windows, axis=1)[:, list(ranks)]
    return ordered


def drawn(data: st.DataObject, length: int) -> FloatArray:
    """Values of every size, or few different ones, which tie."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    if data.draw(st.booleans()):
        return rng.choice([-1e300, -2.0, 0.0, 5e-324, 1.0, 1.7e308], length)
    return rng.standard_normal(length) * 10.0 ** rng.integers(-300, 300, length)


@settings(max_examples=150, deadline=None)
@given(data=st.data(), windows=st.integers(1, 200))
def test_terciles_are_chosen_as_a_full_sort_chooses_them(data: st.DataObject, windows: int) -> None:
    values = drawn(data, 251 + windows)
    chosen = selected(values, 252, TERCILE_RANKS)
    assert np.array_equal(chosen, by_sorting(values, 252, TERCILE_RANKS))


@settings(max_examples=40, deadline=None)
@given(data=st.data(), window=st.integers(1, 90), windows=st.integers(1, 70))
def test_any_ranks_of_any_window_are_those_of_a_full_sort(
    data: st.DataObject, window: int, windows: int
) -> None:
    ranks = tuple(data.draw(st.lists(st.integers(0, window - 1), min_size=1, max_size=4)))
    values = drawn(data, window - 1 + windows)
    assert np.array_equal(selected(values, window, ranks), by_sorting(values, window, ranks))


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_a_window_has_the_same_terciles_in_every_range_of_values(data: st.DataObject) -> None:
    values = drawn(data, 500)
    start = data.draw(st.integers(0, 500 - 252))
    stop = data.draw(st.integers(start + 252, 500))
    part = selected(values[start:stop], 252, TERCILE_RANKS)
    assert np.array_equal(part, selected(values, 252, TERCILE_RANKS)[start : stop - 251])


@pytest.mark.parametrize("window", [1, 2, 3, 4, 63, 64, 65, 252])
@pytest.mark.parametrize("fractions", [(0.5,), (1 / 3, 2 / 3), (0.0, 1.0)])
def test_rolling_quantiles_are_those_of_numpy(window: int, fractions: tuple[float, ...]) -> None:
    values = np.random.default_rng(window).lognormal(size=window + 70)
    graph, given_values = Graph(), argument(Tensor(np.float64, ("T",)))
    quantiles = graph.series(given_values).rolling_quantiles(window, fractions)
    assert {series.lookback for series in quantiles} == {window}
    windows = np.lib.stride_tricks.sliding_window_view(values, window)
    for series, fraction in zip(quantiles, fractions, strict=True):
        answer = opened(given_values, series.var).run(None, {"x": values})[0]
        np.testing.assert_allclose(answer, np.quantile(windows, fraction, axis=1), rtol=1e-15)


@pytest.mark.parametrize("ranks", [(-1,), (5,), (0, 5)])
def test_ranks_that_a_window_does_not_have_are_refused(ranks: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="a window of 5 elements has no ranks"):
        usable_strides(5, ranks)


def test_terciles_of_a_year_take_every_step_and_extremes_sort_every_window() -> None:
    assert usable_strides(252, TERCILE_RANKS) == STRIDES
    assert usable_strides(252, (0,)) == usable_strides(252, (251,)) == (1,)


def test_features_stand_on_the_terciles_that_training_labels_are_made_of(nifty: Bars) -> None:
    features = stage_features()[0]
    answered = features.run(**bars_feed(nifty))["features"]
    warm_up = features.spec.lookback_bars - 1
    for number, which in enumerate(("lower", "upper")):
        column = features.spec.features.index(f"iv_over_{which}_tercile")
        tercile = volatility_terciles(nifty)[warm_up:, number]
        expected = np.log(nifty.iv[warm_up:] / 100 / tercile)
        np.testing.assert_allclose(answered[:, column], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("missing", [np.nan, np.inf])
@pytest.mark.parametrize("column", ["high", "low", "close", "iv"])
def test_a_missing_value_never_reaches_the_graph(column: str, missing: float, sample: Bars) -> None:
    feed = {name: values.copy() for name, values in bars_feed(sample).items()}
    feed[column][len(sample) // 2] = missing
    with pytest.raises(ContractError, match="NaN or infinite values"):
        stage_features()[0].run(**feed)
