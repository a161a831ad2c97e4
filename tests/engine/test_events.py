"""Spikes, breakouts, theta: one event, one probability, whichever head is asked, and their past."""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from aegismatrix_factory.evaluate.markets import MarketRows, MarketSource, market_rows
from aegismatrix_factory.evaluate.walkforward import (
    EMBARGO_DAYS,
    REFIT_BARS,
    Block,
    JudgingError,
    blocks,
    climatology,
    markov,
    paired_gain,
    skill_against,
    squared_error,
    walk_forward,
)
from aegismatrix_factory.heads import breakout as breakout_module
from aegismatrix_factory.heads.breakout import OFFSETS_DAYS, PAST_WARM_UP_ROWS, Breakout
from aegismatrix_factory.heads.events import Event, EventsHead
from aegismatrix_factory.heads.head import Estimators, Head
from aegismatrix_factory.heads.logistic import (
    CLIP,
    INVERSE_PENALTY,
    fit_logistic,
    predict_logistic,
    predict_stacked,
    stack_logistic,
)
from aegismatrix_factory.heads.regime import Regime
from aegismatrix_factory.heads.spike import Spike
from aegismatrix_factory.heads.theta import Theta
from aegismatrix_factory.heads.trap import Trap
from aegismatrix_factory.release.parity import ParityError, prove_engine, random_walk
from aegismatrix_factory.release.staging import (
    Candidate,
    engine_candidate,
    features_candidate,
    head_candidate,
    past_candidate,
)
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from aegismatrix.engine.model import Model
from aegismatrix.market.arrays import ONE_DAY
from aegismatrix.market.bars import Bars
from aegismatrix.market.outcomes import spike_label
from tests.timelines import every_day

FloatArray = NDArray[np.float64]

HEADS: tuple[Head, ...] = (Trap(), Breakout(), Spike(), Theta())
TOLERANCE = 1e-12


@dataclass(frozen=True)
class Workshop:
    """NIFTY and its pool, and every head fitted on them by itself."""

    features: Candidate
    market: MarketRows
    pool: tuple[MarketRows, ...]
    fitted: Mapping[str, Estimators]


@pytest.fixture(scope="module")
def workshop(market_sources: tuple[MarketSource, ...]) -> Workshop:
    features = features_candidate()
    market, *pool = (market_rows(source, features.model) for source in market_sources)
    return Workshop(
        features, market, tuple(pool), {head.name: head.fit(market, pool) for head in HEADS}
    )


@pytest.fixture(scope="module")
def market(workshop: Workshop) -> MarketRows:
    return workshop.market


@pytest.fixture(scope="module")
def alone(market: MarketRows) -> Estimators:
    """Breakout on NIFTY alone."""
    return Breakout().fit(market, [])


def rows_of(bars: Bars, features: Model, like: MarketRows) -> MarketRows:
    run = features.run(high=bars.high, low=bars.low, close=bars.close, iv=bars.iv)
    return replace(like, bars=bars, features=run["features"], implied_sigma=run["implied_sigma"])


def forecasts(head: Head, estimators: Estimators, market: MarketRows) -> FloatArray:
    return head.predict(estimators, {"features": market.columns(head.features)})


def side_by_side(workshop: Workshop) -> dict[str, FloatArray]:
    return {
        head.name: forecasts(head, workshop.fitted[head.name], workshop.market) for head in HEADS
    }


def assert_equal_fits(one: Mapping[str, Any], other: Mapping[str, Any]) -> None:
    for name in ("mean_", "scale_"):
        np.testing.assert_array_equal(getattr(one["scaler"], name), getattr(other["scaler"], name))
    for name in ("coef_", "intercept_", "classes_"):
        np.testing.assert_array_equal(
            getattr(one["classifier"], name), getattr(other["classifier"], name)
        )


def rows_ahead(bars: Bars, days: range, most_days: int) -> list[list[int | None]]:
    """By day, the row of each of the next sessions of NSE; None where the bars lack it."""
    row_of = {day: row for row, day in enumerate(bars.dates)}
    sessions = sorted({*row_of, *bars.days.missing} - set(bars.days.special))
    found = []
    for day in days:
        later = bisect.bisect_right(sessions, bars.dates[day])
        found.append([row_of.get(one) for one in sessions[later : later + most_days]])
    return found


def brute_classes(bars: Bars, day: int, ahead: list[int | None]) -> tuple[float, list[float]]:
    """The class of the next session, and whether each of the next five breaks out, 15 days in."""

    def reach(of: int) -> float:
        before = float(bars.close[of - 1])
        return max(float(bars.high[of]), before) - min(float(bars.low[of]), before)

    usual = sum(reach(day - back) for back in range(14)) / 14
    breaks = [
        math.nan if row is None or before is None else float(reach(row) > 1.25 * usual)
        for before, row in zip([day, *ahead], ahead, strict=False)
    ]
    if ahead[0] is None:
        return math.nan, breaks
    falls = bars.close[ahead[0]] < bars.close[ahead[0] - 1]
    return (0 if not breaks[0] else 1 if falls else 2), breaks


def test_a_breakout_is_as_likely_as_its_two_spikes_though_each_head_fits_by_itself(
    workshop: Workshop,
) -> None:
    probabilities = side_by_side(workshop)
    spikes = probabilities["spike"].sum(axis=1)
    np.testing.assert_allclose(probabilities["breakout"][:, 0], spikes, rtol=0, atol=TOLERANCE)
    assert np.ptp(spikes) > 0.1
    assert Breakout().disagreement(probabilities) <= TOLERANCE


def test_spikes_are_the_classes_of_a_multinomial_regression_on_standardised_features(
    market: MarketRows,
) -> None:
    x = market.columns(Spike.features)
    early = len(market.bars) - len(x)
    days = range(early, len(market.bars) - max(OFFSETS_DAYS))
    ahead = rows_ahead(market.bars, days, max(OFFSETS_DAYS))
    label = np.array([brute_classes(market.bars, *one)[0] for one in zip(days, ahead, strict=True)])
    # The label of four more days is known to the head; without them fits compare on equal terms.
    shorter = market.bars[: len(market.bars) - max(OFFSETS_DAYS) + 1]
    seen = replace(
        market,
        bars=shorter,
        features=market.features[: len(label) + 1],
        implied_sigma=market.implied_sigma[: len(label) + 1],
    )
    known = np.flatnonzero(~np.isnan(label))
    assert 0 < len(label) - len(known) < 20
    scaler = StandardScaler().fit(x[known])
    scaled = np.clip(scaler.transform(x), -CLIP, CLIP)
    # The market indicator is 0 throughout, so its weight is, and no other is changed by it.
    reference = LogisticRegression(C=INVERSE_PENALTY, tol=1e-10, max_iter=10_000)
    reference.fit(scaled[known], label[known])
    found = forecasts(Spike(), Spike().fit(seen, []), market)
    # The head's solver stops earlier.
    np.testing.assert_allclose(found, reference.predict_proba(scaled)[:, 1:], rtol=0, atol=2e-3)


def test_theta_is_the_trap_over_5_days_exactly(workshop: Workshop) -> None:
    assert_equal_fits(workshop.fitted["theta"]["5"], workshop.fitted["trap"]["5"])
    assert set(workshop.fitted["theta"]) == {"5"}
    assert (Theta.features, Theta.version) == (Trap.features, Trap.version)
    probabilities = side_by_side(workshop)
    np.testing.assert_array_equal(probabilities["theta"][:, 0], probabilities["trap"][:, 0])
    assert Theta().disagreement(probabilities) == 0.0
    assert Theta.columns == ("theta",)
    assert Trap.columns == ("trap_5", "trap_10", "trap_20")


def test_base_rates_are_how_often_it_happened(market: MarketRows) -> None:
    rates = {
        name: rate
        for head in HEADS
        if isinstance(head, EventsHead)
        for name, rate in head.base_rates(market).items()
    }
    early, count = len(market.bars) - len(market.features), len(market.bars)
    rows = range(early, count - max(OFFSETS_DAYS))
    ahead = rows_ahead(market.bars, rows, max(OFFSETS_DAYS))
    days = [brute_classes(market.bars, *one) for one in zip(rows, ahead, strict=True)]
    # The head knows up to four days more of the nearer sessions.
    missing = max(OFFSETS_DAYS) / len(days)
    for number, side in enumerate(("down", "up"), start=1):
        often = np.mean([one == number for one, _ in days if not math.isnan(one)])
        assert rates[f"spike_{side}"] == pytest.approx(often, abs=missing)
    for place, offset_days in enumerate(OFFSETS_DAYS):
        often = np.nanmean([breaks[place] for _, breaks in days])
        assert rates[f"breakout_{offset_days}"] == pytest.approx(often, abs=missing)
    assert rates["breakout_5"] == np.nanmean([breaks[4] for _, breaks in days])
    assert rates["breakout_1"] == pytest.approx(rates["spike_down"] + rates["spike_up"], abs=1e-15)
    returns = np.diff(np.log(market.bars.close))
    paid = [
        math.sqrt(252 / 5 * float((returns[day:last] ** 2).sum())) > market.bars.iv[day] / 100
        for day, (*between, last) in zip(rows, ahead, strict=True)
        if last is not None and None not in between
    ]
    assert rates["theta"] == rates["trap_5"] == pytest.approx(np.mean(paid), abs=1e-12)


def test_an_event_that_is_not_known_yet_has_neither_happened_nor_not() -> None:
    event = Breakout.events[0]
    happened = event.happened(np.array([0.0, 1.0, 2.0, np.nan]))
    np.testing.assert_array_equal(happened, [0.0, 1.0, 1.0, np.nan])


@pytest.mark.parametrize("difference", [-1e-9, 3e-4, math.nan])
def test_disagreement_finds_a_planted_difference(workshop: Workshop, difference: float) -> None:
    for head, column in ((Breakout(), 0), (Theta(), 0)):
        probabilities = side_by_side(workshop)
        probabilities[head.name][1234, column] += difference
        found = head.disagreement(probabilities)
        assert found == pytest.approx(abs(difference), rel=1e-3, nan_ok=True)


def test_disagreement_is_about_the_same_event_only(workshop: Workshop) -> None:
    probabilities = side_by_side(workshop)
    probabilities["breakout"][:, 1:] += 0.1
    probabilities["trap"][:, 1:] += 0.1
    assert max(head.disagreement(probabilities) for head in HEADS) <= TOLERANCE
    for head in (Breakout(), Theta()):
        assert head.disagreement({head.name: probabilities[head.name] + 0.5}) == 0.0


def prove(
    workshop: Workshop, fitted: Mapping[str, Estimators], heads: tuple[Head, ...] = HEADS
) -> dict[str, Any]:
    staged = {
        head.name: head_candidate(head, fitted[head.name], workshop.features.spec, ())
        for head in heads
    }
    return prove_engine(
        engine_candidate(workshop.features, heads, staged).model,
        workshop.features.model,
        {name: candidate.model for name, candidate in staged.items()},
        heads,
        fitted,
        [workshop.market],
    )


def test_an_engine_whose_heads_agree_is_proven(workshop: Workshop) -> None:
    figures = prove(workshop, workshop.fitted)
    assert figures["difference_between_heads"] <= TOLERANCE
    assert figures["real_rows"] == len(workshop.market.features)


def test_an_engine_whose_breakout_is_not_its_spikes_is_not_exported(
    workshop: Workshop, alone: Estimators
) -> None:
    broken = {**workshop.fitted["breakout"], "spike": alone["spike"]}
    with pytest.raises(ParityError, match="equality between heads") as caught:
        prove(workshop, {**workshop.fitted, "breakout": broken})
    assert caught.value.artifact == "breakout"
    assert caught.value.worst > 1e-4


def test_an_engine_whose_theta_is_not_its_trap_is_not_exported(workshop: Workshop) -> None:
    broken = {"5": workshop.fitted["trap"]["10"]}
    with pytest.raises(ParityError, match="equality between heads") as caught:
        prove(workshop, {**workshop.fitted, "theta": broken}, (Trap(), Theta()))
    assert caught.value.artifact == "theta"


def spike_table(market: MarketRows, count: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    label = market.rows_of(spike_label(market.bars))
    rows = np.flatnonzero(~np.isnan(label))[:count]
    x = np.column_stack([market.columns(Spike.features)[rows], np.zeros(count)])
    return x, label[rows], np.ones(count)


@pytest.fixture(scope="module")
def single(market: MarketRows) -> list[dict[str, Any]]:
    return [fit_logistic(*spike_table(market, count)) for count in (400, 1100, 2600)]


def test_each_of_the_stacked_fits_forecasts_as_it_does_alone(
    market: MarketRows, single: list[dict[str, Any]]
) -> None:
    features = market.columns(Spike.features)
    stacked = stack_logistic(single)
    expected = np.stack([predict_logistic(fitted, features) for fitted in single])
    for number in range(len(single)):
        found = predict_stacked(stacked, features, np.full(len(features), number))
        np.testing.assert_allclose(found, expected[number], rtol=0, atol=TOLERANCE)
    fit = np.random.default_rng(0).integers(0, len(single), len(features))
    mixed = predict_stacked(stacked, features, fit)
    rows = np.arange(len(features))
    np.testing.assert_allclose(mixed, expected[fit, rows], rtol=0, atol=TOLERANCE)
    assert np.abs(expected[0] - expected[1]).max() > 0.01


def test_a_stacked_graph_forecasts_each_row_by_the_fit_that_is_asked_for(
    workshop: Workshop, alone: Estimators
) -> None:
    head, market = Breakout(), workshop.market
    past = head.past(alone)
    candidate = past_candidate(head, past, workshop.features.spec, ())
    count = len(past.stretches)
    fit = np.arange(len(market.features)) % count
    found = candidate.model.run(features=market.features, fit=fit)["probability"]
    features = market.columns(head.features)
    stacked = alone["past"]
    # One softmax by hand, so that graph and `predict_stacked` are not wrong alike.
    scaled = np.clip((features - stacked["mean"][fit]) / stacked["scale"][fit], -4.0, 4.0)
    odds = np.exp((stacked["weight"][fit] @ scaled[:, :, None])[:, :, 0] + stacked["bias"][fit])
    expected = 1.0 - odds[:, 0] / odds.sum(axis=1)
    np.testing.assert_allclose(found[:, 0], expected, rtol=0, atol=TOLERANCE)
    given: dict[str, Any] = {"features": features, "fit": fit}
    np.testing.assert_allclose(past.predict(given), found, rtol=0, atol=TOLERANCE)


def test_fits_that_saw_fewer_classes_are_not_stacked(
    market: MarketRows, single: list[dict[str, Any]]
) -> None:
    x, label, weight = spike_table(market, 400)
    two = fit_logistic(x, np.minimum(label, 1.0), weight)
    with pytest.raises(JudgingError, match="not seen the same three classes"):
        stack_logistic([two, *single])


def test_fits_that_saw_as_many_but_other_classes_are_not_stacked(
    market: MarketRows, single: list[dict[str, Any]]
) -> None:
    x, label, weight = spike_table(market, 400)
    other = fit_logistic(x, np.where(label == 2.0, 3.0, label), weight)
    with pytest.raises(JudgingError):
        stack_logistic([other, *single])


def test_the_stretches_of_the_past_follow_on_each_other_after_a_year_of_labels(
    market: MarketRows, alone: Estimators
) -> None:
    *stretches, present = alone["stretches"]
    firsts = [int(np.searchsorted(market.dates, np.datetime64(first))) for first, _ in stretches]
    lasts = [int(np.searchsorted(market.dates, np.datetime64(last))) for _, last in stretches]
    assert firsts[0] == PAST_WARM_UP_ROWS == 252 + 1 + EMBARGO_DAYS
    assert lasts[-1] == len(market.dates) - 1
    np.testing.assert_array_equal(np.diff(firsts), REFIT_BARS)
    np.testing.assert_array_equal(np.array(firsts[1:]) - 1, lasts[:-1])
    assert present == [str(market.dates[-1] + ONE_DAY), "9999-12-31"]
    for values in alone["past"].values():
        assert len(values) == len(alone["stretches"])


def test_a_fit_that_speaks_for_the_past_saw_rows_before_it_and_no_pool(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    market = workshop.market
    tables: list[tuple[FloatArray, FloatArray]] = []

    def watched(x: FloatArray, y: FloatArray, weight: FloatArray) -> dict[str, Any]:
        tables.append((x, y))
        return fit_logistic(x, y, weight)

    monkeypatch.setattr(breakout_module, "fit_logistic", watched)
    estimators = Breakout().fit(market, workshop.pool)
    features, label = market.columns(Breakout.features), market.rows_of(spike_label(market.bars))
    for (first, _), (x, y) in zip(estimators["stretches"][:-1], tables[:-1], strict=True):
        # The label of the last row ends on the next, an embargo before the stretch.
        stop = int(np.searchsorted(market.dates, np.datetime64(first))) - EMBARGO_DAYS
        seen = np.flatnonzero(~np.isnan(label[:stop]))
        np.testing.assert_array_equal(x[:, :-1], features[seen])
        np.testing.assert_array_equal(x[:, -1], 0.0)
        np.testing.assert_array_equal(y, label[seen])
    assert np.isnan(label[-1])
    assert len(tables[-1][1]) == np.count_nonzero(~np.isnan(label))


def with_session(bars: Bars, day: int, stretched: float) -> Bars:
    """The same bars but for one high."""
    high = bars.high.copy()
    high[day] *= stretched
    return replace(bars, high=high)


def breakout_of(bars: Bars, workshop: Workshop) -> Estimators:
    return Breakout().fit(rows_of(bars, workshop.features.model, workshop.market), [])


def later_made_up(bars: Bars, day: int) -> Bars:
    """The same bars up to a day, and others after it."""
    later = np.arange(len(bars)) > day
    walk = random_walk(1, len(bars))
    scales = {name: getattr(bars, name)[day] / walk[name][day] for name in ("close", "iv")}
    other: dict[str, Any] = {
        name: np.where(later, values * scales.get(name, scales["close"]), getattr(bars, name))
        for name, values in walk.items()
    }
    return replace(bars, **other)


@pytest.mark.parametrize("stretch", [0, 7, 20])
@pytest.mark.parametrize("kind", ["cut off", "made up"])
def test_no_bar_that_came_later_moves_a_fit_that_speaks_for_the_past(
    workshop: Workshop, alone: Estimators, stretch: int, kind: str
) -> None:
    bars = workshop.market.bars
    first = int(np.searchsorted(bars.dates, np.datetime64(alone["stretches"][stretch][0])))
    other = bars[: first + 1] if kind == "cut off" else later_made_up(bars, first - EMBARGO_DAYS)
    found = breakout_of(other, workshop)
    for name, values in found["past"].items():
        whole = alone["past"][name]
        np.testing.assert_array_equal(values[: stretch + 1], whole[: stretch + 1])
        # The fits after it do see what changed.
        assert not np.array_equal(values[stretch + 1], whole[stretch + 1])
    assert found["stretches"][:stretch] == alone["stretches"][:stretch]


def test_the_last_session_before_the_embargo_moves_the_fit_and_the_one_after_does_not(
    workshop: Workshop, alone: Estimators
) -> None:
    bars = workshop.market.bars
    first = int(np.searchsorted(bars.dates, np.datetime64(alone["stretches"][4][0])))
    label = spike_label(bars)
    moved = []
    for day in (first - EMBARGO_DAYS, first - EMBARGO_DAYS + 1):
        # A high so far away that the session breaks out whatever it did, within what NSE allows.
        stretched = with_session(bars, day, 1.15)
        assert label[day - 1] == 0.0
        assert spike_label(stretched)[day - 1] > 0.0
        found = breakout_of(stretched, workshop)["past"]["bias"]
        moved.append(not np.array_equal(found[4], alone["past"]["bias"][4]))
        assert np.array_equal(found[3], alone["past"]["bias"][3])
    assert moved == [True, False]


DATES = np.arange("2010-01-01", "2013-01-01", dtype="datetime64[D]")
FROM, TO = np.datetime64("2011-03-01"), np.datetime64("2012-11-30")


def persistent(seed: int) -> FloatArray:
    """0 and 1 in runs."""
    random = np.random.default_rng(seed)
    changes = random.random(len(DATES)) < 0.2
    return np.asarray(np.cumsum(changes) % 2, dtype=np.float64)


def walked_markov(outcome: FloatArray, horizon_days: int) -> FloatArray:
    timeline = every_day(DATES, horizon_days)
    return walk_forward(timeline, outcome, FROM, TO, markov(outcome, timeline), {}).model


@pytest.mark.parametrize("horizon_days", [1, 3, 5])
def test_markov_is_how_often_it_followed_on_the_last_known_outcome(horizon_days: int) -> None:
    outcome = persistent(0)
    timeline = every_day(DATES, horizon_days)
    for block in blocks(timeline, FROM, TO):
        found = markov(outcome, timeline)(block)
        followed: dict[float, list[float]] = {0.0: [], 1.0: []}
        for row in block.train[horizon_days:]:
            followed[outcome[row - horizon_days]].append(float(outcome[row]))
        for row, forecast in zip(block.test, found, strict=True):
            expected = np.mean(followed[outcome[row - horizon_days]])
            assert forecast == pytest.approx(expected, abs=1e-15)
        assert len(np.unique(found)) == 2


@pytest.mark.parametrize("horizon_days", [1, 3, 5])
def test_no_outcome_that_came_later_changes_what_markov_forecast(horizon_days: int) -> None:
    outcome = persistent(1)
    first = int(np.searchsorted(DATES, FROM))
    before = walked_markov(outcome, horizon_days)
    for row in (first, first + 40, first + REFIT_BARS + 3):
        other = outcome.copy()
        other[row:] = 1.0 - other[row:]
        after = walked_markov(other, horizon_days)
        # The outcome of a row is known so many days later.
        known = row + horizon_days - first
        np.testing.assert_array_equal(after[:known], before[:known])
        assert after[known] != before[known]


def test_markov_is_climatology_after_an_outcome_that_it_has_not_seen() -> None:
    outcome = np.zeros(400)
    outcome[[295, 299]] = 1.0
    block = Block(np.arange(0, 296), np.arange(300, 310), DATES[295])
    found = markov(outcome, every_day(DATES[:400], 1))(block)
    assert found[0] == climatology(outcome)(block)[0] == 1 / 296
    np.testing.assert_allclose(found[1:], 1 / 295, rtol=1e-12)


def test_baselines_count_no_outcome_that_is_never_known() -> None:
    outcome = persistent(2)
    outcome[[100, 101, 250, 700]] = np.nan
    timeline = every_day(DATES, 1)
    block = next(blocks(timeline, FROM, TO))
    seen = outcome[block.train]
    often = np.mean(seen[~np.isnan(seen)])
    np.testing.assert_array_equal(climatology(outcome)(block), np.full(len(block.test), often))
    last, followed = np.nan, dict[float, list[float]]({0.0: [], 1.0: []})
    expected = {}
    for row, came in enumerate(outcome):
        expected[row] = last
        if row in block.train and not np.isnan(came) and row > 0:
            followed[last].append(came)
        last = last if np.isnan(came) else came
    for row, forecast in zip(block.test, markov(outcome, timeline)(block), strict=True):
        assert forecast == pytest.approx(np.mean(followed[expected[row]]), abs=1e-15)


@pytest.mark.parametrize("head", [Trap(), Regime(), Spike()], ids=lambda head: head.name)
def test_sessions_that_nifty_lacks_leave_every_forecast_and_baseline_known(
    market: MarketRows, head: Head
) -> None:
    assert market.bars.days.missing
    short = replace(market, scored_from=market.dates[-REFIT_BARS])
    for walked in head.walk(short, [], lambda: None).values():
        for forecast in (walked.model, walked.label, *walked.baselines.values()):
            assert np.isfinite(forecast).all()


def test_labels_of_a_single_class_are_refused_though_some_are_not_known() -> None:
    outcome = np.zeros(len(DATES))
    outcome[100] = np.nan
    with pytest.raises(JudgingError, match="every label is the same"):
        walked_markov(outcome, 1)


def losses(seed: int, count: int = 700) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Of a model, of a worse one and of climatology."""
    random = np.random.default_rng(seed)
    label = (random.random(count) < 0.3).astype(float)
    model = np.clip(0.3 + 0.2 * (label - 0.3) + random.normal(0.0, 0.05, count), 0.0, 1.0)
    worse = np.clip(0.3 + 0.05 * (label - 0.3) + random.normal(0.0, 0.05, count), 0.0, 1.0)
    one, other, climate = (squared_error(p, label) for p in (model, worse, np.full(count, 0.3)))
    return one, other, climate


def test_a_model_gains_nothing_over_itself() -> None:
    loss, _, climate = losses(0)
    gain = paired_gain(loss, loss, climate, 5)
    assert (gain.skill, gain.lower, gain.upper) == (0.0, 0.0, 0.0)


def test_a_paired_gain_is_the_difference_of_two_skills_with_its_sign() -> None:
    loss, worse, climate = losses(1)
    gain, lost = paired_gain(loss, worse, climate, 5), paired_gain(worse, loss, climate, 5)
    skills = (skill_against(one, climate, 5).skill for one in (loss, worse))
    assert gain.skill == pytest.approx(next(skills) - next(skills), abs=1e-12)
    assert 0.0 < gain.lower < gain.skill < gain.upper
    assert (lost.skill, lost.lower, lost.upper) == pytest.approx(
        (-gain.skill, -gain.upper, -gain.lower), abs=1e-12
    )


def test_a_paired_gain_is_surer_than_the_skills_that_it_compares() -> None:
    loss, _, climate = losses(2)
    gain = paired_gain(loss, loss + 0.01, climate, 5)
    alone = skill_against(loss, climate, 5)
    assert gain.lower > 0.0
    assert gain.upper - gain.lower < 0.5 * (alone.upper - alone.lower)


class Brief(Breakout):
    """The first and the last session ahead."""

    events = (Breakout.events[0], Breakout.events[-1])


def test_walks_judge_each_event_and_measure_what_the_true_ranges_gain(
    market: MarketRows,
) -> None:
    head = Brief()
    short = replace(market, scored_from=market.dates[-3 * REFIT_BARS])
    steps: list[None] = []
    head.check_shuffled(short, partial(steps.append, None))
    walks = head.walk(short, [], partial(steps.append, None))
    assert len(steps) == head.refits(short)
    judged = head.judge(short, walks)
    assert [one.output for one in judged] == ["breakout_1", "breakout_5"]
    assert all(set(one.skills) == {"climatology", "markov"} for one in judged)
    (measure,) = head.measure(short, walks)
    skills = [
        1.0
        - np.mean((walks[name].model - walks[name].label) ** 2)
        / np.mean((walks[name].baselines["climatology"] - walks[name].label) ** 2)
        for name in ("breakout_1", "plain")
    ]
    assert measure["gain"] == pytest.approx(skills[0] - skills[1], abs=1e-6)
    assert measure["lower"] < measure["gain"] < measure["upper"]
    assert walks["plain"].baselines.keys() == walks["breakout_1"].baselines.keys()
    assert not np.array_equal(walks["plain"].model, walks["breakout_1"].model)


def test_an_event_of_several_classes_is_walked_as_their_sum(market: MarketRows) -> None:
    short = replace(market, scored_from=market.dates[-REFIT_BARS])
    events: list[Event] = [*Spike.events, Breakout.events[0]]
    down, up, either = (
        Spike().walk_event(event, short, event.label_rows(short), (), Spike.features, lambda: None)
        for event in events
    )
    np.testing.assert_allclose(either.model, down.model + up.model, rtol=0, atol=TOLERANCE)
    np.testing.assert_array_equal(either.label, down.label + up.label)
