"""The example of a backtest: it sees no future, and its sums are those made by hand."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

import aegismatrix as am
from aegismatrix.market.bars import Bars
from tests.sealed import copy_with_walk

FIRST = 420


@pytest.fixture(scope="module")
def example(repository: Path) -> Any:
    path = repository / "examples" / "honest_backtest.py"
    spec = importlib.util.spec_from_file_location("honest_backtest", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # A dataclass looks its module up by name.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def engine(sample: Bars, tmp_path_factory: pytest.TempPathFactory) -> am.Engine:
    folder = tmp_path_factory.mktemp("walked") / "models_onnx"
    models = ("trap", "regime", "breach")
    return am.Engine(copy_with_walk(folder, sample, slice(FIRST, 800), models))


@pytest.fixture(scope="module")
def sold(example: Any, engine: am.Engine, sample: Bars) -> Any:
    return example.sell(engine, sample, 0.1, 0.0002)


def test_what_a_strangle_brought_is_that_of_the_textbook(
    example: Any, engine: am.Engine, sample: Bars, sold: Any
) -> None:
    forecast = engine.history(sample, out_of_sample=True)
    distance = example.edges(engine, forecast)
    touch = engine.unseen("breach", forecast, horizon_days=20, distance=distance)
    np.testing.assert_allclose(touch[: len(sold.dates)], 0.2, atol=1e-6)
    for place in (0, 100, len(sold.dates) - 1):
        row = FIRST + place
        assert sold.dates[place] == sample.dates[row]
        spot, deviation = sample.close[row], sample.iv[row] / 100.0 * np.sqrt(20 / 252)
        low, high = spot * np.exp(-distance[place]), spot * np.exp(distance[place])
        premium = 0.0
        for strike, sign in ((low, -1.0), (high, 1.0)):
            d1 = np.log(spot / strike) / deviation + deviation / 2.0
            value = spot * norm.cdf(sign * d1) - strike * norm.cdf(sign * (d1 - deviation))
            premium += sign * value
        end = sample.close[row + 20]
        paid = max(low - end, 0.0) + max(end - high, 0.0)
        by_hand = (0.9 * premium - paid) / spot - 0.0004
        np.testing.assert_allclose(sold.gains()[place], by_hand, rtol=1e-6)
        ahead = slice(row + 1, row + 21)
        left = sample.low[ahead].min() < low or sample.high[ahead].max() > high
        assert sold.touched[place] == left


def test_day_by_day_the_same_comes_out_as_in_the_end(example: Any, sold: Any) -> None:
    for chosen in (np.ones(len(sold.dates), dtype=bool), sold.calm):
        total = sold.daily(chosen).sum()
        np.testing.assert_allclose(total, sold.gains()[chosen].sum() / 20.0, rtol=1e-9)
    assert example.drawdown(np.array([1.0, -2.0, 0.5, -1.0, 4.0])) == 2.5
    assert example.drawdown(np.array([1.0, 1.0])) == 0.0


def test_what_is_calm_is_decided_by_the_past_alone(example: Any) -> None:
    scores = np.random.default_rng(5).uniform(size=(2, 300))
    calm = example.is_calm(*scores)
    assert 0 < calm.sum() < 200
    later = scores.copy()
    later[:, 200:] = 1.0 - later[:, 200:]
    np.testing.assert_array_equal(example.is_calm(*later)[:200], calm[:200])
    assert not calm[:60].any()


def test_a_mean_lies_in_its_interval_and_the_table_says_what_is_stated(
    example: Any, sold: Any
) -> None:
    lower, upper = example.interval(sold.gains(), sold.calm)
    assert lower <= sold.gains()[sold.calm].mean() <= upper
    table = example.lines(sold)
    assert [line.split()[0] for line in table[2:5]] == ["every", "calm", "not"]
    assert table[-1] == "stated: touched on 20% of days"


def test_artifacts_without_forecasts_end_it_with_the_remedy(
    example: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    data = Path(am.__file__).parent / "desk" / "sources" / "sample_data"
    pair = ["--index", str(data / "sp500_daily.csv"), "--iv", str(data / "vix_daily.csv")]
    assert example.main([*pair, "--market", "other"]) == 2
    assert capsys.readouterr().out == ""
