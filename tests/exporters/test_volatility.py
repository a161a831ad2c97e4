"""Volatility in its own units: its law, its graph, its yardsticks, and what becomes of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aegismatrix_factory.evaluate.markets import MarketRows, MarketSource
from aegismatrix_factory.evaluate.walkforward import QUICK, Block, Timeline, blocks
from aegismatrix_factory.heads import yardsticks
from aegismatrix_factory.heads.exceedance import (
    CLIP,
    ExceedanceShapeError,
    exceedance,
    fit_exceedance,
    quantiles,
    score_of,
)
from aegismatrix_factory.heads.head import Estimators, Progress
from aegismatrix_factory.heads.trap import Trap
from aegismatrix_factory.heads.volatility import (
    HORIZONS_DAYS,
    LEVELS,
    Volatility,
    _ratio,
    pinball,
    qlike,
)
from aegismatrix_factory.release.export import export
from aegismatrix_factory.release.training import train
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import aegismatrix as am
from aegismatrix.artifacts.forecasts import read_forecasts
from aegismatrix.artifacts.manifest import MANIFEST_NAME, read_manifest, render_manifest
from aegismatrix.desk.signals.volatility import volatility_signal
from aegismatrix.engine.model import load_models
from aegismatrix.errors import ManifestError, SealedForecastsError
from aegismatrix.market.bars import Bars
from aegismatrix.market.events import VOLATILITY, VOLATILITY_UNIT
from aegismatrix.market.outcomes import forward_realised_vol
from tests.sealed import change_entry

FloatArray = NDArray[np.float64]

SAMPLE = Path(am.__file__).parent / "desk" / "sources" / "sample_data"
SOURCE = MarketSource(
    "sp500", SAMPLE / "sp500_daily.csv", SAMPLE / "vix_daily.csv", am.Market("sp500")
)
HEADS = (Trap(), Volatility())


def no_progress(title: str, steps: int) -> Progress:
    return lambda: None


@pytest.fixture(scope="module")
def market(sample: Bars) -> MarketRows:
    features = load_models()["features"]
    run = features.run(high=sample.high, low=sample.low, close=sample.close, iv=sample.iv)
    dates = sample.dates[len(sample) - len(run["features"]) :]
    return MarketRows(
        name="sample",
        bars=sample,
        features=run["features"],
        implied_sigma=run["implied_sigma"],
        feature_names=features.spec.features,
        scored_from=dates[len(dates) // 2],
        scored_to=dates[-1],
        effort=QUICK,
    )


@pytest.fixture(scope="module")
def fitted(market: MarketRows) -> Estimators:
    return Volatility().fit(market, [])


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trap and volatility, trained on the sample and sealed."""
    training = tmp_path_factory.mktemp("volatility") / "training"
    train([SOURCE], HEADS, training, no_progress, QUICK)
    export(training, HEADS, training.with_name("models_onnx"), lambda line: None)
    return training.with_name("models_onnx")


@pytest.fixture(scope="module")
def bars() -> Bars:
    return Bars.from_csv(SOURCE.index, iv=SOURCE.iv, market=SOURCE.market)


@pytest.fixture(scope="module")
def history(models: Path, bars: Bars) -> am.Forecast:
    return am.Engine(models).history(bars)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(-1e6, 1e6), min_size=17, max_size=17), st.sampled_from(HORIZONS_DAYS))
def test_quantiles_rise_strictly_whatever_the_features_are(
    fitted: Estimators, row: list[float], days: int
) -> None:
    found = quantiles(fitted[str(days)], np.array([row]), LEVELS)
    assert (np.diff(found[0, :-1]) > 0.0).all()
    assert found[0, 0] > 0.0
    assert found[0, 0] < found[0, -1]


@pytest.mark.parametrize("days", HORIZONS_DAYS)
def test_a_quantile_is_exceeded_with_what_its_level_leaves(
    market: MarketRows, fitted: Estimators, days: int
) -> None:
    law, features = fitted[str(days)], market.columns(Volatility.features)[::97]
    found = quantiles(law, features, LEVELS)
    for place, level in enumerate(LEVELS):
        exceeded = [
            exceedance(law, features[[row]], float(found[row, place]))[0]
            for row in range(len(features))
        ]
        np.testing.assert_allclose(exceeded, 1.0 - level, atol=1e-12)


def test_the_law_falls_in_the_volatility_that_is_exceeded(
    market: MarketRows, fitted: Estimators
) -> None:
    features = market.columns(Volatility.features)
    for days in HORIZONS_DAYS:
        falls = [
            exceedance(fitted[str(days)], features, ratio) for ratio in np.geomspace(0.3, 3.0, 60)
        ]
        assert (np.diff(falls, axis=0) < 0.0).all()


@pytest.mark.parametrize("days", HORIZONS_DAYS)
def test_the_law_is_right_on_average_at_every_knot(
    market: MarketRows, fitted: Estimators, days: int
) -> None:
    law, ratio = fitted[str(days)], _ratio(market, days)
    features = market.columns(Volatility.features)
    known = ~np.isnan(ratio)
    for log_ratio in law["log_ratio"]:
        said = exceedance(law, features[known], float(np.exp(log_ratio))).mean()
        # The knot lies on a value that was seen, which rounding may put on either side of it.
        assert said == pytest.approx((ratio[known] > np.exp(log_ratio)).mean(), abs=2e-3)


def test_the_mean_is_right_on_average_over_the_training_rows(
    market: MarketRows, fitted: Estimators
) -> None:
    for days in HORIZONS_DAYS:
        ratio = _ratio(market, days)
        mean = quantiles(fitted[str(days)], market.columns(Volatility.features), LEVELS)[:, -1]
        assert np.nanmean((ratio / mean) ** 2) == pytest.approx(1.0, rel=1e-9)


def test_closes_that_never_move_are_refused_and_not_made_a_law_of() -> None:
    x = np.random.default_rng(1).normal(size=(200, 4))
    with pytest.raises(ExceedanceShapeError, match="over 5 days") as caught:
        fit_exceedance(x, np.zeros(200), np.ones(200), 5, LEVELS)
    assert caught.value.horizon_days == 5


def test_features_far_outside_count_as_four_deviations(fitted: Estimators) -> None:
    law = fitted["5"]
    far, clipped = (law["mean"] + times * law["scale"] for times in (1e9, CLIP))
    np.testing.assert_allclose(score_of(law, far[None]), score_of(law, clipped[None]))


def test_the_fit_is_the_minimum_that_a_logistic_regression_with_intercepts_has(
    market: MarketRows, fitted: Estimators
) -> None:
    # The gradient with respect to the weights, by hand: rows share a weight of 1 over the knots.
    law, ratio = fitted["10"], _ratio(market, 10)
    features = market.columns(Volatility.features)
    known = ~np.isnan(ratio)
    scaled = np.clip((features[known] - law["mean"]) / law["scale"], -CLIP, CLIP)
    odds = (scaled @ law["weight"])[:, None] - law["at"]
    above = ratio[known][:, None] > np.exp(law["log_ratio"])
    missed = 1.0 / (1.0 + np.exp(-odds)) - above
    gradient = scaled.T @ missed.mean(axis=1) / 10.0 + law["weight"] / 0.03
    assert np.abs(gradient).max() < 1e-6


def test_pinball_is_least_at_the_quantiles_and_qlike_at_the_variance() -> None:
    realised = np.random.default_rng(2).lognormal(0.0, 0.5, 20_000)
    best = np.append(np.quantile(realised, LEVELS), np.sqrt(np.mean(realised**2)))
    forecast = np.tile(best, (len(realised), 1))
    for times in (0.8, 1.25):
        off = forecast * times
        assert pinball(off, realised).mean() > pinball(forecast, realised).mean()
        assert qlike(off, realised).mean() > qlike(forecast, realised).mean()
    assert (qlike(realised[:, None], realised) == 0.0).all()


def one_block(market: MarketRows, days: int) -> Block:
    return next(blocks(market.timeline(days), market.scored_from, market.scored_to, market.effort))


def yardsticks_of(market: MarketRows, days: int) -> Mapping[str, yardsticks.Yardstick]:
    return {
        "implied": yardsticks.implied(market),
        "typical": yardsticks.typical(market),
        "ewma": yardsticks.ewma(market),
        "har": yardsticks.har(market, _ratio(market, days)),
        "gjr": yardsticks.gjr(market, days),
    }


def test_every_yardstick_is_dressed_so_that_it_is_right_on_its_training_rows(
    market: MarketRows,
) -> None:
    block, ratio = one_block(market, 5), _ratio(market, 5)
    within = replace(block, test=block.train)
    for name, yardstick in yardsticks_of(market, 5).items():
        found = yardsticks.dressed(yardstick, ratio, LEVELS)(within)
        seen = ratio[block.train]
        below = (seen[:, None] <= found[:, :-1]).mean(axis=0)
        np.testing.assert_allclose(below, LEVELS, atol=2.0 / len(seen), err_msg=name)
        assert np.mean((seen / found[:, -1]) ** 2) == pytest.approx(1.0), name


def test_no_yardstick_sees_what_comes_after_the_day(market: MarketRows, sample: Bars) -> None:
    block = one_block(market, 5)
    kept = len(sample) - len(market.features) + int(block.test[0]) + 1
    later = sample.close.copy()
    later[kept:] *= np.linspace(1.0, 1.1, len(later) - kept)
    # Of the changed bars only closes are read, and by the yardsticks alone.
    changed = Bars.from_arrays(
        dates=sample.dates,
        high=np.maximum(sample.high, later),
        low=np.minimum(sample.low, later),
        close=later,
        iv=sample.iv,
        market=sample.market,
    )
    other = replace(market, bars=changed)
    ratio = np.where(np.isin(np.arange(len(market.dates)), block.train), _ratio(market, 5), np.nan)
    for name, (one, two) in {
        "ewma": (yardsticks.ewma(market), yardsticks.ewma(other)),
        "har": (yardsticks.har(market, ratio), yardsticks.har(other, ratio)),
        "gjr": (yardsticks.gjr(market, 5), yardsticks.gjr(other, 5)),
    }.items():
        upto = int(block.test[0]) + 1
        np.testing.assert_allclose(one(block)[:upto], two(block)[:upto], rtol=1e-9, err_msg=name)


def test_gjr_forecasts_the_variance_that_its_own_recursion_leads_to(market: MarketRows) -> None:
    block = one_block(market, 1)
    one, twenty = (yardsticks.gjr(market, days)(block) for days in (1, 20))
    # Over a longer horizon variance goes back to its mean: what is far out comes nearer.
    assert np.std(np.log(twenty)) > 0.0
    level = np.log(one * market.implied_sigma) - np.mean(np.log(one * market.implied_sigma))
    longer = np.log(twenty * market.implied_sigma) - np.mean(np.log(twenty * market.implied_sigma))
    far = np.abs(level) > np.quantile(np.abs(level), 0.9)
    assert (np.abs(longer[far]) < np.abs(level[far])).all()


def test_the_engine_gives_quantiles_in_per_cent_a_year(
    history: am.Forecast, models: Path, bars: Bars
) -> None:
    volatility = history["volatility"]
    assert volatility.shape == (len(history), len(HORIZONS_DAYS), len(LEVELS) + 1)
    assert (np.diff(volatility[:, :, :-1], axis=2) > 0.0).all()
    (array,) = (one for one in am.Engine(models).heads if one.name == "volatility")
    assert (array.unit, array.columns) == (VOLATILITY_UNIT, VOLATILITY.columns)
    table = history.table()
    assert table["volatility_5d_q50"].tolist() == volatility[:, 1, 3].tolist()
    assert table["volatility_20d_mean"].tolist() == volatility[:, 3, 7].tolist()
    realised = 100.0 * forward_realised_vol(bars, 5)[-len(history) :]
    known = ~np.isnan(realised)
    # The model was fitted on these days: a wrong unit or order would be far off.
    below = (realised[known, None] <= volatility[known, 1, :-1]).mean(axis=0)
    np.testing.assert_allclose(below, LEVELS, atol=0.03)
    assert history.to_pandas().columns[-1] == "volatility_20d_mean"


def test_the_history_out_of_sample_gives_quantiles_to_a_thousandth(
    models: Path, bars: Bars, market: MarketRows
) -> None:
    sealed = read_forecasts(read_manifest(models)).heads["volatility"]
    past = am.Engine(models).history(bars, out_of_sample=True)
    assert past.walk_forward is not None
    assert past.walk_forward.all()
    assert (np.diff(past["volatility"][:, :, :-1], axis=2) > 0.0).all()
    features = market.columns(Volatility.features)
    rows = replace(market, name="sp500", bars=bars, scored_from=past.dates[0])
    walked = Volatility()._walk(rows, _ratio(rows, 5), (), 5, lambda: None)
    said = walked.by_row(len(features)) * rows.implied_sigma[:, None] * 100.0 * np.sqrt(252.0)
    of_days = said[np.isin(rows.dates, past.dates)]
    np.testing.assert_allclose(past["volatility"][:, 1], of_days, rtol=1e-3)
    assert sealed.least is not None


def test_quantiles_that_were_sealed_as_probabilities_are_refused(models: Path, bars: Bars) -> None:
    engine = am.Engine(models)
    walked = read_forecasts(engine.manifest)
    heads = {**walked.heads, "volatility": replace(walked.heads["volatility"], least=None)}
    engine._walked = replace(walked, heads=heads)
    with pytest.raises(SealedForecastsError, match="another unit"):
        engine.history(bars, out_of_sample=True)


def test_what_was_judged_and_measured_covers_every_horizon(models: Path) -> None:
    entry = next(
        one for one in read_manifest(models).content["artifacts"] if one["name"] == "volatility"
    )
    outputs = [VOLATILITY.judged(days) for days in HORIZONS_DAYS]
    assert [one["output"] for one in entry["judgements"]] == outputs
    of: dict[str, list[Any]] = {}
    for measure in entry["measures"]:
        of.setdefault(measure["what"], []).append(measure)
    assert [one["output"] for one in of["qlike gain"]] == outputs
    for one in of["quantile coverage"]:
        assert [row["level"] for row in one["levels"]] == LEVELS.tolist()
        held = [row["held"] for row in one["levels"]]
        assert held == sorted(held)
    assert [one["with"] for one in of["disagreement"]] == ["trap_5", "trap_10", "trap_20"]
    assert all(0.0 < one["mean"] < one["largest"] < 1.0 for one in of["disagreement"])
    card = (models / "MODEL_CARD.md").read_text()
    assert "P(volatility > iv) read off volatility_5d and trap_5 are" in card


def test_the_quantiles_and_the_trap_are_said_to_be_as_far_apart_as_they_are(
    history: am.Forecast, models: Path
) -> None:
    signal = volatility_signal(history, read_manifest(models))
    assert signal is not None
    assert [one.horizon_days for one in signal.horizons] == list(HORIZONS_DAYS)
    assert signal.iv_percent == history.iv_percent[-1]
    assert signal.horizons[0].trap is None
    for one in signal.horizons[1:]:
        assert one.trap == history.row()[f"trap_{one.horizon_days}"]
        assert one.trap_difference == one.above_iv - one.trap
        assert one.usual_difference is not None
        assert one.largest_difference is not None
        assert abs(one.trap_difference) < 0.3


def test_a_malformed_distance_is_an_error_and_no_gap(
    history: am.Forecast, models: Path, tmp_path: Path
) -> None:
    manifest = read_manifest(models)
    content = json.loads(json.dumps(manifest.content))
    for entry in content["artifacts"]:
        for measure in entry.get("measures", ()):
            if measure["what"] == "disagreement":
                measure["largest"] = "far"
    (tmp_path / MANIFEST_NAME).write_bytes(render_manifest(content))
    with pytest.raises(ManifestError, match="a measure of volatility is malformed"):
        volatility_signal(history, read_manifest(tmp_path))


def test_artifacts_without_it_have_no_such_block(sample: Bars, models: Path) -> None:
    history = am.Engine(models).history(sample)
    without = replace(history, columns={"trap": history.columns["trap"]})
    assert volatility_signal(without, read_manifest(models)) is None


def test_an_engine_whose_quantiles_lack_a_column_is_refused(
    models: Path, tmp_path: Path, bars: Bars
) -> None:
    folder = Path(shutil.copytree(models, tmp_path / "models"))

    def cut(entry: dict[str, Any]) -> None:
        for array in entry["outputs"]:
            if array["name"] == "volatility":
                array["columns"] = array["columns"][:-1]

    change_entry(folder, "engine", cut)
    with pytest.raises(am.errors.ArtifactError):
        am.Engine(folder)


def test_a_timeline_of_labels_ends_where_the_last_session_of_the_horizon_does(
    market: MarketRows,
) -> None:
    timeline = market.timeline(20)
    assert isinstance(timeline, Timeline)
    unknown = np.isnan(_ratio(market, 20))
    assert (np.isnat(timeline.ended) == unknown).all()
