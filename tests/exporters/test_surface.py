"""The breach surface: its formula, its fit against scikit-learn, its shape, and its past."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from aegismatrix_factory.evaluate.markets import MarketRows, MarketSource, market_rows
from aegismatrix_factory.evaluate.walkforward import EMBARGO_DAYS, REFIT_BARS
from aegismatrix_factory.heads import surface
from aegismatrix_factory.heads.breach import PAST_WARM_UP_ROWS, Breach, _usable_before
from aegismatrix_factory.heads.head import Estimators
from aegismatrix_factory.heads.surface import (
    CLIP,
    DISTANCES_K,
    HORIZONS_DAYS,
    INVERSE_PENALTY,
    SIDES,
    Surface,
    SurfaceShapeError,
    cell_terms,
    check_shape,
    evaluate,
    fit_surface,
    touch_log_odds,
)
from aegismatrix_factory.release.staging import stage_features
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from aegismatrix.engine.engine import LONGEST_DAYS
from aegismatrix.engine.model import Model, load_models
from aegismatrix.market.bars import Bars
from aegismatrix.market.outcomes import excursions

FloatArray = NDArray[np.float64]

SLICE_ROWS = 300
ROUNDING = 1e-12
EVERY_HORIZON = np.arange(1.0, 31.0)
DISTANCES = np.log1p(np.geomspace(0.001, 0.3, 40))

each_side = pytest.mark.parametrize("side", SIDES)


@pytest.fixture(scope="module")
def staged() -> dict[str, Model]:
    return load_models()


def rows_of(bars: Bars, features: Model) -> MarketRows:
    run = features.run(high=bars.high, low=bars.low, close=bars.close, iv=bars.iv)
    dates = bars.dates[len(bars) - len(run["features"]) :]
    return MarketRows(
        name="sample",
        bars=bars,
        features=run["features"],
        implied_sigma=run["implied_sigma"],
        feature_names=features.spec.features,
        scored_from=dates[len(dates) // 2],
        scored_to=dates[-1],
    )


@pytest.fixture(scope="module")
def market(sample: Bars, staged: dict[str, Model]) -> MarketRows:
    return rows_of(sample, staged["features"])


@pytest.fixture(scope="module")
def fitted(market: MarketRows) -> Estimators:
    """Breach on the whole sample."""
    return Breach().fit(market, [])


def excursions_of(market: MarketRows, side: str) -> FloatArray:
    down, up = (market.rows_of(values) for values in excursions(market.bars, LONGEST_DAYS))
    return {"either": np.maximum(down, up), "down": down, "up": up}[side]


def few_rows(market: MarketRows, side: str) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Features, yardstick and excursions of a few real rows."""
    rows = slice(SLICE_ROWS)
    return (
        market.columns(Breach.features)[rows],
        market.implied_sigma[rows],
        excursions_of(market, side)[rows],
    )


def leave_out(horizon_days: int) -> int:
    """The rows that may be used: fewer for longer horizons."""
    return SLICE_ROWS - 10 - horizon_days


def allowed(horizon_days: int) -> NDArray[np.bool_]:
    """The same, row by row."""
    return np.arange(SLICE_ROWS) < leave_out(horizon_days)


def assert_equal_fits(one: Surface, other: Surface) -> None:
    for name, values in one.to_arrays().items():
        np.testing.assert_array_equal(values, other.to_arrays()[name])


def reflections(k: FloatArray) -> FloatArray:
    """P(a driftless Brownian path touches either edge), as docs/models.md has it."""
    j = np.arange(-60, 61)[:, None]
    inside = norm.cdf((2 * j + 1) * k) - norm.cdf((2 * j - 1) * k)
    return np.asarray(1.0 - ((-1.0) ** j * inside).sum(axis=0))


def tails(k: FloatArray) -> FloatArray:
    """The same with terms that do not cancel against 1 where a touch is unlikely."""
    j = np.arange(60)[:, None]
    return np.asarray(4.0 * ((-1.0) ** j * norm.sf((2 * j + 1) * k)).sum(axis=0))


def test_touch_is_the_series_of_reflections() -> None:
    k = np.linspace(0.15, 5.0, 2_000)
    touch = 1.0 / (1.0 + np.exp(-touch_log_odds(k)))
    np.testing.assert_allclose(touch, reflections(k), rtol=0, atol=1e-12)


def test_touch_log_odds_are_those_of_the_series_of_reflections() -> None:
    # Below, staying inside is too unlikely for the reflections to tell it from rounding.
    k = np.linspace(0.5, 3.0, 1_000)
    log_odds = np.log(tails(k)) - np.log1p(-tails(k))
    np.testing.assert_allclose(touch_log_odds(k), log_odds, rtol=0, atol=1e-12)
    # Beyond, a touch is one in a million: 1e-16 of 1 is 1e-10 of it.
    k = np.linspace(3.0, 5.0, 1_000)
    log_odds = np.log(tails(k)) - np.log1p(-tails(k))
    np.testing.assert_allclose(touch_log_odds(k), log_odds, rtol=0, atol=1e-9)


def test_touch_log_odds_fall_without_a_step_over_all_distances_that_are_not_clipped() -> None:
    log_odds = touch_log_odds(np.linspace(0.15, 5.0, 10_000))
    assert np.isfinite(log_odds).all()
    assert (np.diff(log_odds) < 0).all()
    assert (np.abs(np.diff(log_odds, 3)) < 1e-3).all()


@each_side
def test_the_slopes_that_shapes_are_checked_against_bound_those_of_the_shapes(side: str) -> None:
    k = np.linspace(0.15, 5.0, 100_001)
    slope = k * np.gradient(cell_terms(side, k, np.array(1.0))[:, 1], k, edge_order=2)
    lowest, highest = surface._SLOPES[side]
    assert slope.min() == pytest.approx(lowest, rel=1e-5)
    assert slope.max() == pytest.approx(highest, rel=1e-5)


@each_side
def test_terms_are_1_shape_log_k_and_log_horizon_with_k_clipped(side: str) -> None:
    k, horizon_days = np.array([0.01, 0.15, 0.7, 5.0, 60.0]), np.array([1.0, 2.0, 5.0, 20.0, 30.0])
    one, shape, log_k, log_horizon = cell_terms(side, k, horizon_days).T
    clipped = np.array([0.15, 0.15, 0.7, 5.0, 5.0])
    np.testing.assert_array_equal(one, 1.0)
    np.testing.assert_allclose(log_k, np.log(clipped), rtol=1e-15)
    np.testing.assert_allclose(log_horizon, np.log(horizon_days), rtol=1e-15)
    expected = touch_log_odds(clipped) if side == "either" else clipped
    np.testing.assert_allclose(shape, expected, rtol=1e-15)


def stacked_logistic(x: FloatArray, label: NDArray[np.bool_], weight: FloatArray) -> Any:
    model = LogisticRegression(C=INVERSE_PENALTY, solver="newton-cholesky", tol=1e-10, max_iter=500)
    return model.fit(x, label, sample_weight=weight)


@each_side
def test_the_fit_is_that_of_scikit_learn_on_the_stacked_table(
    market: MarketRows, side: str
) -> None:
    features, sigma, excursion = few_rows(market, side)
    cells = [(days, k) for days in HORIZONS_DAYS for k in DISTANCES_K]
    inverse = sum(1.0 / days for days in HORIZONS_DAYS)
    rows, terms, labels, weights = [], [], [], []
    for days, k in cells:
        reached = excursion[: leave_out(int(days)), int(days) - 1]
        rows.append(features[: len(reached)])
        terms.append(np.tile(cell_terms(side, np.array(k), np.array(days)), (len(reached), 1)))
        labels.append(reached > k * sigma[: len(reached)] * np.sqrt(days))
        weights.append(np.full(len(reached), 1.0 / days / inverse / len(DISTANCES_K)))
    x, label, weight = np.concatenate(rows), np.concatenate(labels), np.concatenate(weights)
    scaler = StandardScaler().fit(x, sample_weight=weight)
    scaled = np.clip(scaler.transform(x), -CLIP, CLIP)
    # Without the column of ones, which is the intercept; times 1000, so that no penalty is felt.
    stacked = np.column_stack([scaled, 1_000.0 * np.concatenate(terms)[:, 1:]])
    reference = stacked_logistic(stacked, label, weight)
    if reference.coef_[0, -1] < 0.0:
        stacked = stacked[:, :-1]
        reference = stacked_logistic(stacked, label, weight)
    expected = reference.predict_proba(stacked)[:, 1]

    found = fit_surface(side, features, sigma, excursion, allowed)
    np.testing.assert_allclose(found.mean[0], scaler.mean_, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.scale[0], scaler.scale_, rtol=1e-9)
    assert (found.terms[0, -1] == 0.0) == (stacked.shape[1] == len(Breach.features) + 2)
    log_odds = scaled @ found.weight[0] + np.concatenate(terms) @ found.terms[0]
    np.testing.assert_allclose(1.0 / (1.0 + np.exp(-log_odds)), expected, rtol=0, atol=1e-4)


@each_side
def test_labels_beyond_the_usable_rows_do_not_change_the_fit(market: MarketRows, side: str) -> None:
    features, sigma, excursion = few_rows(market, side)
    scrambled, unknown = excursion.copy(), excursion.copy()
    random = np.random.default_rng(0)
    for days in range(1, LONGEST_DAYS + 1):
        late = slice(leave_out(days), None)
        scrambled[late, days - 1] = random.uniform(0.0, 0.5, len(scrambled[late]))
        unknown[late, days - 1] = np.nan
    as_they_are = fit_surface(side, features, sigma, excursion, allowed)
    assert_equal_fits(fit_surface(side, features, sigma, scrambled, allowed), as_they_are)
    assert_equal_fits(fit_surface(side, features, sigma, unknown, allowed), as_they_are)


def test_the_last_usable_label_of_each_horizon_does_change_the_fit(market: MarketRows) -> None:
    features, sigma, excursion = few_rows(market, "either")
    as_they_are = fit_surface("either", features, sigma, excursion, allowed)
    for days in (1, 5, 30):
        other = excursion.copy()
        row = leave_out(days) - 1
        other[row, days - 1] = 0.5 if other[row, days - 1] < sigma[row] * np.sqrt(days) else 0.0
        changed = fit_surface("either", features, sigma, other, allowed)
        assert np.abs(changed.terms - as_they_are.terms).max() > 1e-7, days


@each_side
def test_a_history_that_slows_down_gets_a_horizon_term_of_exactly_0(
    market: MarketRows, monkeypatch: pytest.MonkeyPatch, side: str
) -> None:
    features, sigma, excursion = few_rows(market, side)
    # Against the square root of time, touches grow rarer.
    slower = excursion * HORIZONS_DAYS**-0.15
    tried: list[tuple[int, FloatArray]] = []

    def watched(
        minimum: Callable[..., FloatArray],
        features: FloatArray,
        terms: FloatArray,
        sign: FloatArray,
        weight: FloatArray,
    ) -> FloatArray:
        found = minimum(features, terms, sign, weight)
        tried.append((terms.shape[1], found))
        return found

    monkeypatch.setattr(surface, "_minimum", partial(watched, surface._minimum))
    fitted = fit_surface(side, features, sigma, slower, allowed)
    assert [count for count, _ in tried] == [4, 3]
    assert tried[0][1][-1] < 0.0
    assert fitted.terms[0, 3] == 0.0
    without = tried[1][1]
    np.testing.assert_array_equal(np.append(fitted.weight[0], fitted.terms[0, :3]), without)


def test_a_negative_horizon_term_is_never_kept(
    market: MarketRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    def negative(
        features: FloatArray, terms: FloatArray, sign: FloatArray, weight: FloatArray
    ) -> FloatArray:
        shape = {4: [0.0, 1.0, 0.0, -1e-9], 3: [0.25, 0.5, 0.0]}[terms.shape[1]]
        return np.array([*np.zeros(features.shape[1]), *shape])

    monkeypatch.setattr(surface, "_minimum", negative)
    found = fit_surface("either", *few_rows(market, "either"), allowed)
    np.testing.assert_array_equal(found.terms, [[0.25, 0.5, 0.0, 0.0]])


def surface_with(*terms: tuple[float, float, float, float]) -> Surface:
    count = len(terms)
    return Surface(np.zeros((count, 2)), np.ones((count, 2)), np.zeros((count, 2)), np.array(terms))


RIGHT = {
    "either": (0.3, 0.9, 0.1, 0.2),
    "down": (0.3, -0.9, -0.2, 0.2),
    "up": (-0.3, 0.1, -0.9, 0.0),
}


@each_side
def test_right_signs_are_accepted(side: str) -> None:
    check_shape(side, surface_with(RIGHT[side], RIGHT[side]))


@pytest.mark.parametrize(
    ("side", "terms"),
    [
        ("either", (0.0, -0.9, 0.0, 0.2)),
        ("either", (0.0, 0.0, 0.0, 0.2)),
        ("either", (0.0, 0.9, 3.4, 0.2)),
        ("either", (0.0, -0.01, 1.0, 0.2)),
        ("either", (0.0, 0.9, 0.1, -1e-12)),
        ("down", (0.0, 0.9, 0.0, 0.2)),
        ("down", (0.0, 0.2, -0.9, 0.2)),
        ("down", (0.0, -0.9, 0.2, 0.2)),
        ("down", (0.0, -0.9, -0.2, -0.1)),
        ("up", (0.0, 0.0, 0.0, 0.0)),
        ("up", (0.0, -0.9, 5.0, 0.0)),
        ("up", (0.0, -0.9, -0.2, -np.inf)),
        *((side, (0.0, np.nan, 0.0, 0.2)) for side in SIDES),
        *((side, (0.0, RIGHT[side][1], np.nan, 0.2)) for side in SIDES),
        *((side, (*RIGHT[side][:3], np.nan)) for side in SIDES),
    ],
)
@pytest.mark.parametrize("place", [0, 1])
def test_wrong_signs_and_nan_are_refused_in_whichever_fit(
    side: str, terms: tuple[float, float, float, float], place: int
) -> None:
    fits = [RIGHT[side], RIGHT[side]]
    fits[place] = terms
    with pytest.raises(SurfaceShapeError) as raised:
        check_shape(side, surface_with(*fits))
    assert raised.value.side == side
    np.testing.assert_array_equal(raised.value.terms, terms)
    assert f"The surface of {side} is not monotone" in raised.value.problem


def assert_monotone_and_coherent(probability: FloatArray) -> None:
    """Shape (N, 3, H, D), horizons and distances rising."""
    assert probability.min() >= 0.0
    assert probability.max() <= 1.0
    assert np.diff(probability, axis=3).max() <= ROUNDING
    assert np.diff(probability, axis=2).min() >= -ROUNDING
    either, down, up = probability.transpose(1, 0, 2, 3)
    assert (np.maximum(down, up) <= either).all()
    assert (either <= np.minimum(1.0, down + up)).all()


def made_up(market: MarketRows, row: int, spread: float, seed: int, count: int) -> FloatArray:
    """Rows about a real one, as far from it as `spread` standard deviations."""
    noise = np.random.default_rng(seed).standard_normal((count, market.features.shape[1]))
    return np.asarray(market.features[row] + spread * market.features.std(axis=0) * noise)


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(
    row=st.integers(0, 900),
    spread=st.sampled_from([0.0, 0.3, 1.0, 3.0, 30.0, 1e6]),
    seed=st.integers(0, 2**32 - 1),
    sigma=st.floats(0.001, 0.1),
)
def test_the_committed_surface_is_monotone_and_coherent_wherever_it_is_asked(
    staged: dict[str, Model], market: MarketRows, row: int, spread: float, seed: int, sigma: float
) -> None:
    features = made_up(market, row, spread, seed, 8)
    probability = staged["breach"].run(
        features=features,
        implied_sigma=np.geomspace(sigma, 2 * sigma, len(features)),
        horizon=EVERY_HORIZON,
        distance=DISTANCES,
    )["probability"]
    assert_monotone_and_coherent(probability)


@settings(max_examples=20, deadline=None, derandomize=True, database=None)
@given(
    row=st.integers(0, 900),
    spread=st.sampled_from([0.0, 0.3, 1.0, 3.0, 30.0, 1e6]),
    seed=st.integers(0, 2**32 - 1),
    sigma=st.floats(0.001, 0.1),
)
def test_the_committed_surface_of_each_stretch_of_the_past_is_monotone_and_coherent(
    staged: dict[str, Model], market: MarketRows, row: int, spread: float, seed: int, sigma: float
) -> None:
    past = staged["breach_past"]
    count = len(past.spec.stretches)
    probability = past.run(
        features=np.tile(made_up(market, row, spread, seed, 1), (count, 1)),
        implied_sigma=np.full(count, sigma),
        fit=np.arange(count),
        horizon=EVERY_HORIZON,
        distance=np.tile(DISTANCES, (count, 1)),
    )["probability"]
    assert_monotone_and_coherent(probability)


def test_a_surface_outside_of_a_graph_is_monotone_and_coherent(
    market: MarketRows, fitted: Estimators
) -> None:
    surfaces = {side: Surface(**arrays) for side, arrays in fitted["now"].items()}
    features = market.columns(Breach.features)[::20]
    sigma = market.implied_sigma[::20]
    whole = evaluate(surfaces, features, sigma, EVERY_HORIZON, DISTANCES)
    assert_monotone_and_coherent(whole)
    per_row = np.tile(DISTANCES, (len(features), 1))
    np.testing.assert_array_equal(
        evaluate(surfaces, features, sigma, EVERY_HORIZON, per_row), whole
    )


def brute_excursions(bars: Bars, longest_days: int) -> tuple[FloatArray, FloatArray]:
    down, up = np.full((2, len(bars), longest_days), np.nan)
    for day in range(len(bars)):
        for days in range(1, longest_days + 1):
            if day + days < len(bars):
                ahead = slice(day + 1, day + days + 1)
                down[day, days - 1] = np.log(bars.close[day] / min(bars.low[ahead].tolist()))
                up[day, days - 1] = np.log(max(bars.high[ahead].tolist()) / bars.close[day])
    return down, up


@pytest.mark.parametrize("count", [1, 2, 5, 30, 31, 120])
@pytest.mark.parametrize("longest_days", [1, 4, 30])
def test_excursions_are_the_lowest_low_and_the_highest_high_ahead(
    sample: Bars, count: int, longest_days: int
) -> None:
    bars = sample[700 : 700 + count]
    for found, expected in zip(
        excursions(bars, longest_days), brute_excursions(bars, longest_days), strict=True
    ):
        assert found.shape == (count, longest_days)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-15)


def test_excursions_never_shrink_with_the_horizon_and_are_unknown_until_it_has_passed(
    sample: Bars,
) -> None:
    for reached in excursions(sample, LONGEST_DAYS):
        known = ~np.isnan(reached)
        ended = len(sample) - np.arange(1, LONGEST_DAYS + 1)
        np.testing.assert_array_equal(known, np.arange(len(sample))[:, None] < ended)
        steps = np.diff(reached, axis=1)
        assert (steps[known[:, 1:]] >= 0).all()


def test_the_committed_stretches_are_ordered_without_a_day_between_them(
    staged: dict[str, Model], nifty: Bars
) -> None:
    spec = staged["breach_past"].spec
    (span,) = spec.training
    assert np.datetime64(span.last) == nifty.dates[-1]
    firsts, lasts = np.array(spec.stretches, dtype="datetime64[D]").T
    assert (firsts <= lasts).all()
    assert (lasts[:-1] < firsts[1:]).all()
    speaking = (nifty.dates[:, None] >= firsts) & (nifty.dates[:, None] <= lasts)
    begun = nifty.dates >= firsts[0]
    # One fit, and only one, for every bar from the first stretch to the last of training.
    np.testing.assert_array_equal(speaking.sum(axis=1), begun)
    assert begun[-1]
    rows = len(nifty) - spec.lookback_bars + 1
    assert int(begun.sum()) == rows - PAST_WARM_UP_ROWS
    within = firsts[firsts <= nifty.dates[-1]]
    starts = np.searchsorted(nifty.dates, within)
    np.testing.assert_array_equal(np.diff(starts), REFIT_BARS)


def test_the_stretches_of_a_fit_begin_after_a_year_of_labels(
    market: MarketRows, fitted: Estimators
) -> None:
    first, _ = fitted["stretches"][0]
    assert first == str(market.dates[252 + LONGEST_DAYS + EMBARGO_DAYS])
    for side in SIDES:
        for values in fitted["past"][side].values():
            assert len(values) == len(fitted["stretches"])


def test_a_fit_that_speaks_for_the_past_has_not_seen_the_bars_that_came_later(
    sample: Bars, staged: dict[str, Model], fitted: Estimators
) -> None:
    early = len(sample) - len(rows_of(sample, staged["features"]).dates)
    # Two stretches begin within these bars; the second one has hardly begun.
    truncated = sample[: early + PAST_WARM_UP_ROWS + REFIT_BARS + 3]
    earlier = Breach().fit(rows_of(truncated, staged["features"]), [])
    assert earlier["stretches"][0] == fitted["stretches"][0]
    assert earlier["stretches"][1][0] == fitted["stretches"][1][0]
    for side in SIDES:
        for name, values in earlier["past"][side].items():
            whole = fitted["past"][side][name]
            # Rows without weight may change in which order a sum is rounded, nothing else.
            np.testing.assert_allclose(values[:2], whole[:2], rtol=1e-9, atol=1e-12)
    # What the fits may see, they do see: the present one has more labels here than there.
    now: dict[str, Any] = earlier["now"]["either"]
    assert (now["weight"] != fitted["now"]["either"]["weight"]).any()


def test_the_labels_of_a_fit_end_an_embargo_before_the_days_that_it_speaks_for(
    market_sources: tuple[MarketSource, ...],
) -> None:
    market = market_rows(market_sources[0], stage_features()[0])
    stretches = Breach._stretches(market)
    assert stretches
    for block in stretches:
        for horizon_days in (1, 30):
            last = np.flatnonzero(_usable_before(market, block)(horizon_days))[-1]
            assert market.timeline(horizon_days).ended[last] <= block.cut
            assert block.cut == market.timeline(1).cut[block.test[0]]
