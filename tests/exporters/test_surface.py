"""The breach surface: its laws, its fit against scikit-learn, its shape, and its past."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from aegismatrix_factory.evaluate.markets import MarketRows, MarketSource, market_rows
from aegismatrix_factory.evaluate.walkforward import EMBARGO_DAYS, REFIT_BARS
from aegismatrix_factory.heads.breach import PAST_WARM_UP_ROWS, Breach, _outcomes, _usable_before
from aegismatrix_factory.heads.closing import CloseShapeError, beyond, check_closing
from aegismatrix_factory.heads.edges import (
    CLIP,
    DISTANCES_K,
    HORIZONS_DAYS,
    INVERSE_PENALTY,
    LEAST_SLOPE,
    STEEPEST,
    Cells,
    Edges,
    SurfaceShapeError,
    cell_terms,
    check_edges,
    fit_edges,
    horizon_weights,
    touches,
)
from aegismatrix_factory.heads.head import Estimators
from aegismatrix_factory.heads.joint import (
    StrengthError,
    both_touched,
    check_strength,
    fit_strength,
)
from aegismatrix_factory.heads.surface import Outcomes, Surface, evaluate, fit_surface
from aegismatrix_factory.heads.textbook import haug_touch, one_touch, two_touches
from aegismatrix_factory.release.staging import stage_features
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from aegismatrix.engine.model import Model, load_models
from aegismatrix.market.arrays import LONGEST_DAYS
from aegismatrix.market.bars import Bars
from aegismatrix.market.outcomes import excursions

FloatArray = NDArray[np.float64]

SLICE_ROWS = 300
ROUNDING = 1e-12
EVERY_HORIZON = np.arange(1.0, 31.0)
DISTANCES = np.log1p(np.geomspace(0.001, 0.3, 40))

OTHER_DISTANCES = DISTANCES[::-1].copy()


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


def few_rows(market: MarketRows) -> tuple[FloatArray, FloatArray, Outcomes]:
    """Features, yardstick and outcomes of a few real rows."""
    rows = slice(SLICE_ROWS)
    features = market.columns(Breach.features)[rows]
    return features, market.implied_sigma[rows], _outcomes(market)[rows]


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


def test_two_touches_are_the_series_of_reflections() -> None:
    k = np.linspace(0.15, 5.0, 2_000)
    np.testing.assert_allclose(two_touches(k), reflections(k), rtol=0, atol=1e-12)


def test_the_libraries_touch_is_the_reflection_where_the_drift_is_small_and_leans_down() -> None:
    distance = np.linspace(0.001, 0.05, 50)
    for side in ("down", "up"):
        near = haug_touch(side, np.array(1e-3), distance)
        np.testing.assert_allclose(near, one_touch(distance / 1e-3), rtol=0, atol=5e-4)
    deviation = np.array(0.2)
    down, up = (haug_touch(side, deviation, distance) for side in ("down", "up"))
    assert (down > one_touch(distance / deviation)).all()
    assert (up < one_touch(distance / deviation)).all()


def test_the_libraries_touch_is_what_simulated_paths_do() -> None:
    random, steps, deviation, distance = np.random.default_rng(1), 2_000, 0.2, 0.15
    step = deviation / np.sqrt(steps)
    paths = np.cumsum(random.normal(-0.5 * step**2, step, (4_000, steps)), axis=1)
    # Between two steps the path goes further (Broadie, Glasserman, Kou 1997).
    nearer = distance - 0.5826 * step
    for side, reached in (("down", -paths.min(axis=1)), ("up", paths.max(axis=1))):
        touch = float(haug_touch(side, np.array(deviation), np.array(distance)))
        assert (reached > nearer).mean() == pytest.approx(touch, abs=0.03)


def test_terms_are_1_k_and_logarithms_and_those_over_the_horizon() -> None:
    k, days = np.array([0.01, 0.7, 60.0]), np.array([1.0, 4.0, 30.0])
    expected = np.column_stack([np.ones(3), k, np.log(k), np.log(days), 1.0 / days, k / days])
    np.testing.assert_allclose(cell_terms(k, days), expected, rtol=1e-15)


def test_the_horizons_of_a_fit_share_the_weight_of_all_days() -> None:
    weights = horizon_weights()
    assert weights.sum() == pytest.approx(1.0)
    total = sum(1.0 / days for days in range(1, 31))
    assert weights[0] == pytest.approx(1.0 / total)
    assert (weights > 0).all()


def cells_of(sigma: FloatArray, outcomes: Outcomes) -> tuple[Cells, list[NDArray[np.bool_]]]:
    known = ~np.isnan(outcomes.down + outcomes.up + outcomes.end)
    cells = Cells.of(sigma, known, allowed)
    sides = (outcomes.down, outcomes.up)
    return cells, [cells.of_outcome(reached) > cells.distance for reached in sides]


def test_the_fit_is_that_of_scikit_learn_on_the_stacked_table(market: MarketRows) -> None:
    features, sigma, outcomes = few_rows(market)
    cells, (down, up) = cells_of(sigma, outcomes)
    edges, found = fit_edges(features, cells, (down, up))
    # What is held, at 0 or at next to nothing, has no part in the table.
    free = [np.abs(side[0]) > LEAST_SLOPE for side in (edges.down, edges.up)]
    assert not all(of_side.all() for of_side in free), "a held term is part of what is compared"
    assert min(of_side.sum() for of_side in free) >= 2

    count = len(HORIZONS_DAYS) * len(DISTANCES_K)
    terms = np.tile(cell_terms(cells.k, cells.horizon_days), (SLICE_ROWS, 1))
    # Times 1000, so that no penalty is felt.
    below, above = (1e3 * terms[:, of_side] for of_side in free)
    weight = cells.weight.ravel()
    rows = np.repeat(features, count, axis=0)
    scaler = StandardScaler().fit(rows, sample_weight=weight)
    scaled = np.clip(scaler.transform(rows), -CLIP, CLIP)
    stacked = np.concatenate(
        [
            np.column_stack([scaled, below, np.zeros_like(above)]),
            np.column_stack([scaled, np.zeros_like(below), above]),
        ]
    )
    model = LogisticRegression(
        C=INVERSE_PENALTY, solver="newton-cholesky", tol=1e-10, max_iter=500, fit_intercept=False
    )
    label = np.concatenate([down.ravel(), up.ravel()])
    model.fit(stacked, label, sample_weight=np.tile(weight, 2))
    expected = model.predict_proba(stacked)[:, 1].reshape(2, SLICE_ROWS, count)

    np.testing.assert_allclose(edges.mean[0], scaler.mean_, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(edges.scale[0], scaler.scale_, rtol=1e-9)
    np.testing.assert_allclose(np.array(found), expected, rtol=0, atol=1e-3)


def test_labels_beyond_the_usable_rows_do_not_change_the_fit(market: MarketRows) -> None:
    features, sigma, outcomes = few_rows(market)
    parts = [values.copy() for values in (outcomes.down, outcomes.up, outcomes.end)]
    random = np.random.default_rng(0)
    for days in range(1, LONGEST_DAYS + 1):
        late = slice(leave_out(days), None)
        for values in parts:
            values[late, days - 1] = random.uniform(0.0, 0.5, len(values[late]))
    as_they_are = fit_surface(features, sigma, outcomes, allowed)
    assert_equal_fits(fit_surface(features, sigma, Outcomes(*parts), allowed), as_they_are)
    for values in parts:
        for days in range(1, LONGEST_DAYS + 1):
            values[leave_out(days) :, days - 1] = np.nan
    assert_equal_fits(fit_surface(features, sigma, Outcomes(*parts), allowed), as_they_are)


def test_the_last_usable_label_of_each_horizon_does_change_the_fit(market: MarketRows) -> None:
    features, sigma, outcomes = few_rows(market)
    as_they_are = fit_surface(features, sigma, outcomes, allowed)
    for days in (1, 5, 30):
        down, row = outcomes.down.copy(), leave_out(days) - 1
        down[row, days - 1] = 0.5 if down[row, days - 1] < sigma[row] * np.sqrt(days) else 0.0
        changed = fit_surface(features, sigma, Outcomes(down, outcomes.up, outcomes.end), allowed)
        assert np.abs(changed.edges.down - as_they_are.edges.down).max() > 1e-7, days


def test_a_history_too_thin_for_the_shape_of_a_touch_gets_it_all_the_same(
    market: MarketRows,
) -> None:
    features, sigma, outcomes = few_rows(market)
    # Against the square root of time, touches grow rarer; and some edges are never touched.
    slower = [values * np.arange(1, 31) ** -0.9 for values in (outcomes.down, outcomes.up)]
    fitted = fit_surface(features, sigma, Outcomes(slower[0], slower[1], outcomes.end), allowed)
    assert (fitted.edges.down[0, 3:] == 0.0).all()
    nowhere = np.zeros_like(outcomes.down)
    fitted = fit_surface(features, sigma, Outcomes(nowhere, outcomes.up, outcomes.end), allowed)
    check_edges(fitted.edges)
    assert fitted.edges.down[0, 1:3].max() <= -LEAST_SLOPE


RIGHT = (0.3, -2.0, -0.6, 0.1, -0.2, 0.5)


def edges_with(*terms: tuple[float, ...]) -> Edges:
    count = len(terms)
    none = np.zeros((count, 2))
    return Edges(none, np.ones((count, 2)), none, np.array(terms), np.array([RIGHT] * count))


@pytest.mark.parametrize(
    "terms",
    [
        (0.0, 0.1, -0.6, 0.1, 0.0, 0.0),
        (0.0, 0.0, -0.6, 0.1, 0.0, 0.0),
        (0.0, -1.0, 0.1, 0.1, 0.0, 0.0),
        (0.0, -1.0, -0.6, -0.31, 0.0, 0.0),
        (0.0, -1.0, -0.6, 0.1, 0.56, 0.0),
        (0.0, -1.0, -0.6, 0.1, 0.0, 0.5),
        (0.0, -1.0, -0.6, 0.1, 0.0, 1.1),
        *(
            (*RIGHT[:place], value, *RIGHT[place + 1 :])
            for place in range(6)
            for value in (np.nan, -np.inf)
        ),
    ],
)
@pytest.mark.parametrize("place", [0, 1])
def test_wrong_signs_and_nan_are_refused_in_whichever_fit(
    terms: tuple[float, ...], place: int
) -> None:
    check_edges(edges_with(RIGHT, RIGHT))
    fits: list[tuple[float, ...]] = [RIGHT, RIGHT]
    fits[place] = terms
    with pytest.raises(SurfaceShapeError) as raised:
        check_edges(edges_with(*fits))
    assert raised.value.side == "down"
    np.testing.assert_array_equal(raised.value.terms, terms)
    assert "The surface of down is not monotone" in raised.value.problem


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(
    c=st.floats(-8.0, -0.01),
    b=st.floats(-2.0, -0.01),
    m=st.floats(-1.0, 1.0),
    f=st.floats(-3.0, 3.0),
    e=st.floats(-5.0, 5.0),
    boundary=st.booleans(),
)
def test_whatever_terms_are_accepted_touches_fall_in_the_distance_and_rise_with_the_days(
    c: float, b: float, m: float, f: float, e: float, boundary: bool
) -> None:
    if boundary:
        m = max(m, b / 2)
        f, e = min(f, 2 * np.log(2) * (m - b / 2)), min(e, -STEEPEST * c, -c)
    edges = edges_with((1.0, c, b, m, f, e))
    try:
        check_edges(edges)
    except SurfaceShapeError:
        assume(False)
    distance = np.geomspace(1e-6, 0.5, 120)
    given = (np.zeros((1, 2)), np.array([0.01]), EVERY_HORIZON, (distance, distance))
    down, _ = touches(edges, *given)
    assert np.diff(down, axis=2).max() <= 0.0
    assert np.diff(down, axis=1).min() >= -ROUNDING


def probabilities() -> st.SearchStrategy[FloatArray]:
    grid = np.concatenate([np.geomspace(1e-12, 0.5, 40), 1.0 - np.geomspace(1e-12, 0.5, 40)[::-1]])
    return st.just(grid)


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(strength=st.floats(0.1, 40.0), grid=probabilities())
def test_either_keeps_its_bounds_and_rises_in_each_touch_whatever_the_strength(
    strength: float, grid: FloatArray
) -> None:
    check_strength(np.array([strength]))
    down, up = np.meshgrid(grid, grid, indexing="ij")
    either = down + up - both_touched(strength, down, up)
    assert (np.maximum(down, up) - either).max() <= ROUNDING
    assert (either - np.minimum(1.0, down + up)).max() <= ROUNDING
    assert min(np.diff(either, axis=axis).min() for axis in (0, 1)) >= -ROUNDING


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(
    strength=st.floats(0.1, 40.0),
    lean=st.floats(-0.5, 0.5),
    drift=st.floats(-0.5, 0.5),
    curves=st.tuples(st.floats(-20.0, 1.0), st.floats(-20.0, 1.0)),
    days=st.integers(1, 30),
    grid=probabilities(),
)
def test_closes_are_a_distribution_that_the_touches_bound(
    strength: float,
    lean: float,
    drift: float,
    curves: tuple[float, float],
    days: int,
    grid: FloatArray,
) -> None:
    terms = np.array([lean, drift, *curves])
    check_closing(terms[None])
    down, up = np.meshgrid(grid, grid, indexing="ij")
    below, above = beyond(terms, np.array(float(days)), down, up)
    assert (below - down).max() <= 0.0
    assert (above - up).max() <= 0.0
    assert np.diff(below, axis=0).min() >= -ROUNDING
    assert np.diff(above, axis=1).min() >= -ROUNDING
    either = down + up - both_touched(strength, down, up)
    assert (below + above - either).max() <= ROUNDING
    # At the close itself, where both edges are sure to be touched.
    assert below[-1, -1] + above[-1, -1] == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("terms", [(0.0, 0.0, 1.1, 0.0), (0.0, np.nan, 0.0, 0.0)])
def test_closes_that_are_no_distribution_are_refused(terms: tuple[float, ...]) -> None:
    with pytest.raises(CloseShapeError):
        check_closing(np.array([(0.0, 0.0, 0.0, 0.0), terms]))


@pytest.mark.parametrize("strength", [0.0, -3.0, 41.0, np.nan])
def test_a_strength_that_makes_no_copula_is_refused(strength: float) -> None:
    with pytest.raises(StrengthError):
        check_strength(np.array([7.0, strength]))


def test_the_strength_of_simulated_paths_says_how_often_they_touch_both_edges() -> None:
    random = np.random.default_rng(3)
    paths = np.cumsum(random.normal(0.0, 1.0 / 20.0, (20_000, 400)), axis=1)
    reached = -paths.min(axis=1)[:, None], paths.max(axis=1)[:, None]
    down_touched, up_touched = (side > DISTANCES_K for side in reached)
    down, up = (np.tile(side.mean(axis=0), (len(side), 1)) for side in (down_touched, up_touched))
    strength = fit_strength(down, up, down_touched, up_touched, np.ones_like(down))
    both = both_touched(strength, down[0], up[0])
    np.testing.assert_allclose(both, (down_touched & up_touched).mean(axis=0), rtol=0, atol=0.015)


def assert_monotone_and_coherent(probability: FloatArray, *, of_pairs: bool = False) -> None:
    """Shape (N, 5, H, D); horizons and lower distances rise, upper ones too or, in pairs, fall."""
    assert probability.min() >= 0.0
    assert probability.max() <= 1.0 + ROUNDING
    assert np.diff(probability[:, :3], axis=2).min() >= -ROUNDING
    either, down, up, below, above = probability.transpose(1, 0, 2, 3)
    further = -1.0 if of_pairs else 1.0
    for side, way in ((down, 1.0), (below, 1.0), (up, further), (above, further)):
        assert (way * np.diff(side, axis=2)).max() <= ROUNDING
    assert (np.maximum(down, up) - either).max() <= ROUNDING
    assert (either - np.minimum(1.0, down + up)).max() <= ROUNDING
    assert (below - down).max() <= ROUNDING
    assert (above - up).max() <= ROUNDING
    assert (below + above - either).max() <= ROUNDING


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
        lower_distance=DISTANCES,
        upper_distance=OTHER_DISTANCES,
    )["probability"]
    assert_monotone_and_coherent(probability, of_pairs=True)


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
        lower_distance=np.tile(DISTANCES, (count, 1)),
        upper_distance=np.tile(DISTANCES, (count, 1)),
    )["probability"]
    assert_monotone_and_coherent(probability)


def test_a_surface_outside_of_a_graph_is_monotone_and_coherent(
    market: MarketRows, fitted: Estimators
) -> None:
    surface = Surface.of_arrays(fitted["now"])
    features = market.columns(Breach.features)[::20]
    sigma = market.implied_sigma[::20]
    whole = evaluate(surface, features, sigma, EVERY_HORIZON, DISTANCES)
    assert_monotone_and_coherent(whole)
    pairs = evaluate(surface, features, sigma, EVERY_HORIZON, DISTANCES, OTHER_DISTANCES)
    assert_monotone_and_coherent(pairs, of_pairs=True)
    per_row = np.tile(DISTANCES, (len(features), 1))
    np.testing.assert_array_equal(evaluate(surface, features, sigma, EVERY_HORIZON, per_row), whole)


@pytest.mark.slow
@pytest.mark.parametrize("source", [0, 1])
def test_no_day_of_either_history_contradicts_itself(
    market_sources: tuple[MarketSource, ...], staged: dict[str, Model], source: int
) -> None:
    rows = market_rows(market_sources[source], stage_features()[0])
    for upper in (DISTANCES, OTHER_DISTANCES):
        for start in range(0, len(rows.features), 500):
            part = slice(start, start + 500)
            probability = staged["breach"].run(
                features=rows.features[part],
                implied_sigma=rows.implied_sigma[part],
                horizon=EVERY_HORIZON,
                lower_distance=DISTANCES,
                upper_distance=upper,
            )["probability"]
            assert_monotone_and_coherent(probability, of_pairs=upper is OTHER_DISTANCES)


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
    for values in fitted["past"].values():
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
    for name, values in earlier["past"].items():
        # Rows without weight may change in which order a sum is rounded, nothing else.
        whole = fitted["past"][name]
        np.testing.assert_allclose(values[:2], whole[:2], rtol=1e-6, atol=1e-8)
    # What the fits may see, they do see: the present one has more labels here than there.
    now: dict[str, Any] = earlier["now"]
    assert (now["weight"] != fitted["now"]["weight"]).any()


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
