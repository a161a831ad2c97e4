"""The feature graph against an independent implementation in pandas, on all real bars."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from aegismatrix_factory.graph.features import FEATURES, build_features
from aegismatrix_factory.release.parity import bars_feed, random_walk
from aegismatrix_factory.release.staging import stage_features
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from aegismatrix.engine.model import Model
from aegismatrix.market.bars import Bars

FloatArray = NDArray[np.float64]
MARKETS = ("nifty", "sp500", "sample")


@pytest.fixture(scope="module")
def features() -> Model:
    return stage_features()[0]


# pandas-stubs say that numpy's functions return arrays; of a series they return a series.
log: Any = np.log
sqrt: Any = np.sqrt


def in_pandas(bars: Bars, *, terciles: bool = True) -> pd.DataFrame:
    """Every feature by its formula, with pandas' own rolling windows."""
    close, high, low = (pd.Series(values) for values in (bars.close, bars.high, bars.low))
    iv = pd.Series(bars.iv) / 100
    log_return = log(close / close.shift(1))
    log_iv = log(iv)
    squared_range = log(high / low) ** 2

    def realised(window: int) -> Any:
        squares = (log_return**2).rolling(window).sum()
        return sqrt(252 / window * squares).clip(lower=1e-4)

    def parkinson(window: int) -> Any:
        squares = squared_range.rolling(window).sum()
        return sqrt(252 / (4 * window * log(2)) * squares).clip(lower=1e-4)

    before = close.shift(1)
    true_range = pd.concat([high, before], axis=1).max(axis=1, skipna=False)
    true_range -= pd.concat([low, before], axis=1).min(axis=1, skipna=False)

    def true_range_vol(window: int) -> Any:
        mean = true_range.rolling(window).mean()
        return (mean / close * np.sqrt(252)).clip(lower=1e-4)

    def move(window: int) -> Any:
        return log(close / close.shift(window)) / (iv * np.sqrt(window / 252))

    iv_window = iv.rolling(252)
    table: pd.DataFrame = pd.DataFrame(
        {
            "rv_5": log(realised(5) / iv),
            "rv_22": log(realised(22) / iv),
            "rv_66": log(realised(66) / iv),
            "parkinson_1": log(parkinson(1) / iv),
            "parkinson_5": log(parkinson(5) / iv),
            "parkinson_22": log(parkinson(22) / iv),
            "iv_z_252": (iv - iv_window.mean()) / iv_window.std(ddof=0).clip(lower=1e-3),
            "iv_over_mean_22": log_iv - log_iv.rolling(22).mean(),
            "iv_over_rv_252": log(iv / realised(252)),
            "rv_22_over_252": log(realised(22) / realised(252)),
            "iv_change_5": log_iv - log_iv.shift(5),
            "return_1": move(1),
            "return_5": move(5),
            "return_22": move(22),
            "drawdown_252": log(close / high.rolling(252).max()) / iv,
            "iv_vol_22": log_iv.diff().rolling(22).std(ddof=0),
            "largest_return_22": log_return.abs().rolling(22).max() / iv,
        }
    )
    if terciles:
        lower, upper = (realised(20).rolling(252).quantile(part / 3) for part in (1, 2))
        for name, vol in (("iv", iv), ("rv_20", realised(20))):
            table[f"{name}_over_lower_tercile"] = log(vol / lower)
            table[f"{name}_over_upper_tercile"] = log(vol / upper)
    table["true_range_1"] = log(true_range_vol(1) / true_range_vol(14))
    table["true_range_14"] = log(true_range_vol(14) / iv)
    return table


def matrix(features: Model, bars: Bars) -> FloatArray:
    return features.run(**bars_feed(bars))["features"]


@pytest.mark.parametrize("market", MARKETS)
def test_graph_agrees_with_pandas_on_every_real_bar(
    market: str, features: Model, request: pytest.FixtureRequest
) -> None:
    bars: Bars = request.getfixturevalue(market)
    expected = in_pandas(bars)
    assert list(expected.columns) == [feature.name for feature in FEATURES]
    rows = matrix(features, bars)
    warm_up = len(bars) - len(rows)
    assert warm_up == features.spec.lookback_bars - 1
    np.testing.assert_allclose(rows, expected.to_numpy()[warm_up:], rtol=0, atol=1e-9)


@pytest.mark.parametrize("market", MARKETS)
def test_implied_sigma_is_daily_and_from_iv_alone(
    market: str, features: Model, request: pytest.FixtureRequest
) -> None:
    bars: Bars = request.getfixturevalue(market)
    sigma = features.run(**bars_feed(bars))["implied_sigma"]
    expected = (bars.iv / 100 / np.sqrt(252))[features.spec.lookback_bars - 1 :]
    np.testing.assert_allclose(sigma, expected, rtol=1e-15)


def test_the_first_row_needs_every_bar_of_the_look_back_that_pandas_needs(sample: Bars) -> None:
    complete = in_pandas(sample).notna().all(axis=1).to_numpy()
    assert build_features().lookback_bars == int(np.argmax(complete)) + 1


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_sub_range_gives_the_same_rows_bit_for_bit(
    data: st.DataObject, features: Model, sample: Bars
) -> None:
    lookback = features.spec.lookback_bars
    start = data.draw(st.integers(0, len(sample) - lookback))
    stop = data.draw(st.integers(start + lookback, len(sample)))
    feed = {name: values[start:stop] for name, values in bars_feed(sample).items()}
    whole = features.run(**bars_feed(sample))
    part = features.run(**feed)
    for name in ("features", "implied_sigma"):
        expected = whole[name][start : stop - lookback + 1]
        assert np.array_equal(part[name], expected)


def test_every_sub_range_of_one_row_is_the_same_row_on_nifty(features: Model, nifty: Bars) -> None:
    lookback = features.spec.lookback_bars
    whole = matrix(features, nifty)
    for start in range(0, len(nifty) - lookback, 37):
        one = matrix(features, nifty[start : start + lookback])
        assert np.array_equal(one, whole[start : start + 1])


@settings(max_examples=40, deadline=None)
@given(scale=st.floats(0.01, 100.0))
def test_features_do_not_know_the_level_of_the_index(
    scale: float, features: Model, sample: Bars
) -> None:
    feed = bars_feed(sample)
    scaled = {name: values * (1.0 if name == "iv" else scale) for name, values in feed.items()}
    np.testing.assert_allclose(
        features.run(**scaled)["features"], matrix(features, sample), rtol=0, atol=1e-9
    )


def changed_rows(features: Model, sample: Bars, age: int) -> int:
    """How many of the first rows change when the bar of that age is raised, volatility and all."""
    lookback = features.spec.lookback_bars
    whole = matrix(features, sample)
    changed = 0
    for row in range(0, 200, 20):
        feed = {
            name: values[row : row + lookback + 1].copy()
            for name, values in bars_feed(sample).items()
        }
        for values in feed.values():
            values[lookback - age] *= 1.5
        changed += not np.array_equal(features.run(**feed)["features"][-1], whole[row + 1])
    return changed


def test_a_bar_older_than_the_look_back_changes_nothing_and_the_oldest_within_it_something(
    features: Model, sample: Bars
) -> None:
    lookback = features.spec.lookback_bars
    assert changed_rows(features, sample, lookback) == 0
    assert changed_rows(features, sample, lookback - 1) > 0
    for age in (0, 1, 21, 65, 251):
        assert changed_rows(features, sample, age) == 10


def test_flat_markets_and_constant_iv_stay_finite(features: Model) -> None:
    bars = features.spec.lookback_bars + 5
    flat = {name: np.full(bars, level) for name, level in zip(
        ("high", "low", "close", "iv"), (100.0, 100.0, 100.0, 15.0), strict=True
    )}  # fmt: skip
    rows = features.run(**flat)["features"]
    assert np.array_equal(rows, np.repeat(rows[:1], len(rows), axis=0))
    column = features.spec.features.index("iv_z_252")
    assert np.array_equal(rows[:, column], np.zeros(len(rows)))


def test_a_constant_run_has_no_deviation_at_all(features: Model) -> None:
    feed = random_walk(seed=3, bars=600)
    feed["iv"][:] = 17.3
    column = features.spec.features.index("iv_vol_22")
    assert np.array_equal(
        features.run(**feed)["features"][:, column],
        0.0 * feed["iv"][features.spec.lookback_bars - 1 :],
    )
