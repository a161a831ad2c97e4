"""Direction: which class is named, how far it may go, and what a session under way adds."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import entropy, foldnorm, norm, percentileofscore, truncnorm

from aegismatrix.desk.signals.direction import (
    HorizonForecast,
    Spread,
    TodayForecast,
    horizon_forecast,
    risk_score,
    spreads,
    today_forecast,
)
from aegismatrix.desk.signals.intraday import IntradaySignal, OpeningRange
from aegismatrix.desk.signals.levels import DIRECTION_LEAN
from aegismatrix.market.bars import Bars
from aegismatrix.market.events import CLASSES, LABELS

Classes = Mapping[str, float]

SPOT = 24_000.0
USUAL = {"down": 0.30, "neutral": 0.28, "up": 0.42}
GIVEN = {"down": 0.33, "neutral": 0.29, "up": 0.38}
DAILY_END, SESSION_END = "2024-12-30T10:00:00Z", "2024-12-31T05:30:00Z"
YEAR = 252
# A mean over the last 30 of 375 minutes is as uncertain as a third of them.
LEFT_AT_LEAST = 30 / 375 / 3

repeatable = settings(deadline=None, derandomize=True, database=None)

DEVIATIONS = st.floats(1e-4, 3.0)
ELAPSED = st.integers(0, 75).map(lambda bars: bars / 75)


def shares(least: float) -> st.SearchStrategy[dict[str, float]]:
    """Three probabilities, each at least so much before they are made to sum to 1."""

    def normalised(weights: tuple[float, float, float]) -> dict[str, float]:
        return {name: weight / sum(weights) for name, weight in zip(CLASSES, weights, strict=True)}

    weight = st.floats(least, 1.0)
    return st.tuples(weight, weight, weight).map(normalised)


EDGE = 0.0035


def spread_of(deviation: float) -> Spread:
    """That of a normal return."""
    lower, upper = norm.ppf([0.1, 0.9], scale=deviation)
    return Spread(float(lower), float(upper))


def one_day(
    deviation: float,
    probabilities: Classes = GIVEN,
    spot: float = SPOT,
    *,
    edge: float = EDGE,
    demonstrated: bool = True,
) -> HorizonForecast:
    return horizon_forecast(
        1, probabilities, USUAL, spot, spread_of(deviation), edge, demonstrated=demonstrated
    )


def mean_of_classes(probabilities: Classes, mean: float, deviation: float, edge: float) -> float:
    """Each class's probability times the mean of a normal return within it."""
    bounds = {"down": (-np.inf, -edge), "neutral": (-edge, edge), "up": (edge, np.inf)}
    return sum(
        probabilities[name]
        * float(truncnorm.mean((lo - mean) / deviation, (hi - mean) / deviation, mean, deviation))
        for name, (lo, hi) in bounds.items()
    )


def forecast_in(
    direction: str, deviation: float = 0.01, spot: float = SPOT, *, demonstrated: bool = True
) -> HorizonForecast:
    """A forecast whose named class is twice as likely as usual."""
    tilted = {name: USUAL[name] * (2.0 if name == direction else 1.0) for name in CLASSES}
    total = sum(tilted.values())
    probabilities = {name: value / total for name, value in tilted.items()}
    return one_day(deviation, probabilities, spot, demonstrated=demonstrated)


def session(
    relation: str, last: float, elapsed: float = 0.4, realised_vol_percent: float | None = None
) -> IntradaySignal:
    return IntradaySignal(
        session_date="2024-12-31",
        first_bar="2024-12-31T03:45:00Z",
        last_bar=SESSION_END,
        bars=21,
        missing_bars=0,
        elapsed=elapsed,
        complete=elapsed == 1.0,
        last=last,
        previous_close=None,
        previous_close_from=None,
        gap_points=None,
        gap_fraction=None,
        gap_filled=None,
        opening_range=OpeningRange(15, None, None, "FORMING", None),
        realised_vol_percent=realised_vol_percent,
        relation=relation,
        notes=(),
    )


def today(
    bars: Bars,
    intraday: IntradaySignal | None,
    next_day: HorizonForecast | None = None,
    *,
    demonstrated: bool = True,
) -> TodayForecast:
    if next_day is None:
        next_day = one_day(0.01, spot=float(bars.close[-1]), edge=edge_of(bars))
    return today_forecast(next_day, USUAL, bars, DAILY_END, intraday, demonstrated=demonstrated)


def moved(bars: Bars, so_far: float, elapsed: float, deviation: float = 0.01) -> TodayForecast:
    """The next session's forecast once the index has moved by a log return in a share of it."""
    spot = float(bars.close[-1])
    next_day = one_day(deviation, spot=spot, edge=edge_of(bars))
    return today(bars, session("next", spot * math.exp(so_far), elapsed), next_day)


def edge_of(bars: Bars) -> float:
    return 0.35 * float(bars.iv[-1]) / 100.0 / math.sqrt(YEAR)


def range_volatilities(bars: Bars) -> list[float]:
    """Per cent a year (Parkinson 1980), of each of the last 252 bars."""
    pairs = zip(bars.high[-YEAR:], bars.low[-YEAR:], strict=True)
    return [
        100.0 * math.sqrt(YEAR * math.log(high / low) ** 2 / (4.0 * math.log(2.0)))
        for high, low in pairs
    ]


def standing(value: float, others: list[float]) -> float:
    return float(percentileofscore(others, value, kind="mean")) / 100.0


@pytest.mark.parametrize("direction", CLASSES)
def test_every_direction_is_reachable_and_signs_its_move(direction: str) -> None:
    read = forecast_in(direction)
    assert read.direction == read.tendency == direction.upper()
    if direction != "neutral":
        assert np.sign(read.expected_move_points) == {"down": -1, "up": 1}[direction]
    assert read.conviction == read.probabilities[direction]


@pytest.mark.parametrize(
    ("probabilities", "named"),
    [
        ((0.38, 0.27, 0.35), "DOWN"),
        ((0.29, 0.31, 0.40), "NEUTRAL"),
        ((0.29, 0.25, 0.46), "UP"),
        ((0.45, 0.54, 0.01), "NEUTRAL"),
        ((0.43, 0.39, 0.18), "DOWN"),
    ],
)
def test_the_class_named_need_not_be_the_likeliest_but_stands_furthest_above_its_base_rate(
    probabilities: tuple[float, float, float], named: str
) -> None:
    read = one_day(0.01, dict(zip(CLASSES, probabilities, strict=True)))
    assert read.direction == read.tendency == named


def test_no_side_is_named_against_the_mean_of_the_move() -> None:
    read = one_day(0.01, {"down": 0.34, "neutral": 0.27, "up": 0.39})
    assert (read.direction, read.tendency) == ("NEUTRAL", "DOWN")
    assert read.expected_move_points > 0.0
    assert (read.conviction, read.base_rate) == (0.27, USUAL["neutral"])


@pytest.mark.parametrize("direction", CLASSES)
def test_without_demonstrated_skill_no_side_is_named_and_no_move_expected(
    sample: Bars, direction: str
) -> None:
    shown, unshown = forecast_in(direction), forecast_in(direction, demonstrated=False)
    assert unshown == replace(
        shown,
        direction="NEUTRAL",
        expected_move_points=0.0,
        conviction=shown.probabilities["neutral"],
        base_rate=USUAL["neutral"],
    )
    spot = float(sample.close[-1])
    for last in (spot * 0.95, spot, spot * 1.05):
        under_way = session("next", last, 0.9)
        read = today(sample, under_way, unshown, demonstrated=False)
        assert (read.direction, read.expected_move_points) == ("NEUTRAL", 0.0)
        assert read.move_size_points == today(sample, under_way, shown).move_size_points > 0.0
        assert read.tendency == today(sample, under_way, shown).tendency


@repeatable
@given(probabilities=shares(0.0001), usual=shares(0.01))
def test_no_other_class_stands_further_above_its_base_rate(
    probabilities: Classes, usual: Classes
) -> None:
    read = horizon_forecast(5, probabilities, usual, SPOT, spread_of(0.02), EDGE, demonstrated=True)
    named = read.tendency.lower()
    furthest = max(probabilities[name] / usual[name] for name in CLASSES)
    if furthest >= DIRECTION_LEAN:
        assert probabilities[named] / usual[named] == furthest
    else:
        assert named == "neutral"
    named = read.direction.lower()
    assert (read.conviction, read.base_rate) == (probabilities[named], usual[named])
    assert dict(read.probabilities) == dict(probabilities)


@pytest.mark.parametrize("direction", ["down", "up"])
@pytest.mark.parametrize(
    ("lean", "is_named"), [(1.0, False), (1.005, False), (1.0099, False), (1.0101, True)]
)
def test_a_side_is_named_from_a_hundredth_above_its_base_rate(
    direction: str, lean: float, is_named: bool
) -> None:
    assert DIRECTION_LEAN == 1.01
    other = "up" if direction == "down" else "down"
    gained = USUAL[direction] * (lean - 1.0)
    probabilities = {
        **USUAL,
        direction: USUAL[direction] + gained,
        other: USUAL[other] - gained,
    }
    read = one_day(0.01, probabilities)
    assert read.tendency == (direction.upper() if is_named else "NEUTRAL")


def test_what_is_usual_leans_nowhere() -> None:
    read = one_day(0.01, USUAL)
    assert (read.direction, read.tendency) == ("NEUTRAL", "NEUTRAL")
    assert (read.conviction, read.base_rate) == (USUAL["neutral"], USUAL["neutral"])


def _with_target() -> HorizonForecast:
    return horizon_forecast(
        1, GIVEN, USUAL, SPOT, spread_of(0.01), EDGE, demonstrated=False, target="2025-01-01"
    )


def test_a_horizon_carries_the_session_that_it_ends_with() -> None:
    assert one_day(0.01).target is None
    assert _with_target().target == "2025-01-01"


def test_a_rise_and_a_fall_are_expected_to_be_of_one_size() -> None:
    rise, fall = forecast_in("up"), forecast_in("down")
    assert rise.move_size_points == fall.move_size_points > 0.0
    mirrored = {"down": 0.5, "neutral": 0.2, "up": 0.3}, {"down": 0.3, "neutral": 0.2, "up": 0.5}
    fall, rise = (one_day(0.01, probabilities) for probabilities in mirrored)
    assert math.log1p(rise.expected_move_points / SPOT) == pytest.approx(
        -math.log1p(fall.expected_move_points / SPOT), rel=1e-9
    )
    assert one_day(0.01, dict.fromkeys(CLASSES, 1 / 3)).expected_move_points == 0.0


@repeatable
@given(probabilities=shares(0.0001), deviation=DEVIATIONS, edges=st.floats(0.05, 5.0))
def test_the_expected_move_weighs_each_class_by_its_probability(
    probabilities: Classes, deviation: float, edges: float
) -> None:
    read = one_day(deviation, probabilities, edge=edges * deviation)
    expected = mean_of_classes(probabilities, 0.0, deviation, edges * deviation)
    assert math.log1p(read.expected_move_points / SPOT) == pytest.approx(
        expected, rel=1e-6, abs=1e-9 * deviation
    )


@pytest.mark.parametrize(("days", "label"), LABELS.items())
def test_a_horizon_carries_its_name_and_its_deviation(days: int, label: str) -> None:
    read = horizon_forecast(
        days, GIVEN, USUAL, SPOT, spread_of(0.01 * math.sqrt(days)), EDGE, demonstrated=True
    )
    assert (read.horizon_days, read.label) == (days, label)
    assert read.deviation == pytest.approx(0.01 * math.sqrt(days))


@repeatable
@given(deviation=DEVIATIONS)
def test_the_size_is_the_mean_absolute_return_and_the_interval_holds_four_fifths(
    deviation: float,
) -> None:
    read = forecast_in("down", deviation)
    log_size = -math.log1p(-read.move_size_points / SPOT)
    assert log_size == pytest.approx(float(foldnorm.mean(0.0, scale=deviation)), rel=1e-9)
    lower = math.log1p(read.move_interval_80.lower / SPOT)
    upper = math.log1p(read.move_interval_80.upper / SPOT)
    assert lower == pytest.approx(float(norm.ppf(0.1, scale=deviation)), rel=1e-9)
    assert upper == pytest.approx(float(norm.ppf(0.9, scale=deviation)), rel=1e-9)


def test_an_interval_whose_ends_are_not_as_far_apart_is_kept_as_it_is() -> None:
    spread = Spread(-0.03, 0.02)
    read = horizon_forecast(5, GIVEN, USUAL, SPOT, spread, EDGE, demonstrated=False)
    assert read.move_interval_80.lower == pytest.approx(SPOT * (math.exp(-0.03) - 1))
    assert read.move_interval_80.upper == pytest.approx(SPOT * (math.exp(0.02) - 1))
    assert read.deviation == pytest.approx(0.05 / 2 / float(norm.ppf(0.9)))


def test_beyond_the_surface_a_spread_grows_with_the_square_root_of_time() -> None:
    found = spreads({1: (-0.01, 0.012), 30: (-0.06, 0.07)})
    assert found[1] == Spread(-0.01, 0.012)
    assert found[40].lower == pytest.approx(-0.06 * math.sqrt(40 / 30))
    assert found[40].upper == pytest.approx(0.07 * math.sqrt(40 / 30))
    assert spreads({1: (-0.01, 0.012)}) == {1: Spread(-0.01, 0.012)}


@repeatable
@given(one=DEVIATIONS, other=DEVIATIONS, direction=st.sampled_from(["down", "up"]))
def test_the_size_grows_with_the_deviation_inside_of_its_interval(
    one: float, other: float, direction: str
) -> None:
    assume(abs(one - other) > 1e-9)
    small, large = (forecast_in(direction, deviation) for deviation in sorted((one, other)))
    assert small.move_size_points < large.move_size_points
    for read in (small, large):
        interval = read.move_interval_80
        assert interval.lower < 0.0 < interval.upper
        assert interval.lower < -read.move_size_points
    assert large.move_interval_80.lower < small.move_interval_80.lower
    assert small.move_interval_80.upper < large.move_interval_80.upper


@pytest.mark.parametrize("direction", CLASSES)
def test_without_5_minute_bars_today_is_the_next_day(sample: Bars, direction: str) -> None:
    spot = float(sample.close[-1])
    probabilities = forecast_in(direction).probabilities
    expected = one_day(0.01, probabilities, spot, edge=edge_of(sample))
    read = today(sample, None, expected)
    assert read.direction == expected.direction == direction.upper()
    assert read.move_size_points == expected.move_size_points
    assert read.expected_move_points == expected.expected_move_points
    assert read.conviction == expected.conviction
    assert dict(read.probabilities) == dict(expected.probabilities)
    assert (read.basis, read.last_update) == ("daily bars", DAILY_END)


@pytest.mark.parametrize("relation", ["same", "older", "later"])
def test_a_session_that_is_not_the_next_one_refines_nothing(sample: Bars, relation: str) -> None:
    far_away = session(relation, float(sample.close[-1]) * 1.05, elapsed=0.9)
    plain, read = today(sample, None), today(sample, far_away)
    assert dict(read.probabilities) == dict(plain.probabilities)
    assert read.expected_move_points == plain.expected_move_points
    assert (read.direction, read.conviction) == (plain.direction, plain.conviction)
    assert read.basis == "daily bars"


@pytest.mark.parametrize(
    ("relation", "last_update"),
    [
        ("same", SESSION_END),
        ("next", SESSION_END),
        ("older", DAILY_END),
        ("later", DAILY_END),
    ],
)
def test_the_last_update_is_that_of_the_last_bar_used(
    sample: Bars, relation: str, last_update: str
) -> None:
    assert today(sample, session(relation, float(sample.close[-1]))).last_update == last_update


def end_classes(
    probabilities: Classes, deviation: float, edge: float, so_far: float, elapsed: float
) -> dict[str, float]:
    """Bayes' rule by integration over the end of a path, seen on its way as a Brownian bridge."""
    bounds = {
        "down": (-12.0 * deviation, -edge),
        "neutral": (-edge, edge),
        "up": (edge, 12.0 * deviation),
    }
    bridge = deviation * math.sqrt(elapsed * (1.0 - elapsed))

    def seen(end: float) -> float:
        usual = norm.pdf(end, scale=deviation)
        return float(usual * norm.pdf(so_far, loc=elapsed * end, scale=bridge))

    joint = {}
    for name, (lower, upper) in bounds.items():
        before = norm.cdf(upper, scale=deviation) - norm.cdf(lower, scale=deviation)
        mass, _ = quad(seen, lower, upper, epsabs=0.0, epsrel=1e-10, limit=200)
        joint[name] = probabilities[name] * mass / before
    total = sum(joint.values())
    return {name: mass / total for name, mass in joint.items()}


@pytest.mark.parametrize("elapsed", [5 / 75, 0.4, 0.8, 73 / 75])
@pytest.mark.parametrize("deviations", [-1.1, -0.2, 0.0, 0.3, 0.9])
@pytest.mark.parametrize("deviation", [0.004, 0.012])
def test_a_session_under_way_updates_the_classes_as_a_brownian_path_does(
    sample: Bars, elapsed: float, deviations: float, deviation: float
) -> None:
    so_far = deviations * deviation * math.sqrt(elapsed)
    expected = end_classes(GIVEN, deviation, edge_of(sample), so_far, elapsed)
    read = moved(sample, so_far, elapsed, deviation)
    assert dict(read.probabilities) == pytest.approx(expected, rel=1e-6, abs=1e-9)
    named = max(CLASSES, key=lambda name: expected[name] / USUAL[name])
    assert expected[named] / USUAL[named] > DIRECTION_LEAN
    assert read.tendency == named.upper()
    left = deviation * math.sqrt(1.0 - elapsed)
    mean = mean_of_classes(expected, so_far, left, edge_of(sample))
    assert read.expected_move_points == pytest.approx(
        float(sample.close[-1]) * math.expm1(mean), rel=1e-5, abs=1e-6
    )
    assert read.conviction == read.probabilities[read.direction.lower()]
    assert read.basis == "5-minute bars"


def test_paths_that_were_drawn_end_as_often_in_each_class_as_was_said(sample: Bars) -> None:
    deviation, elapsed, so_far = 0.009, 0.5, 0.0025
    random = np.random.default_rng(11)
    first, second = random.normal(0.0, deviation * math.sqrt(0.5), (2, 4_000_000))
    edge = edge_of(sample)
    place = np.digitize(first + second, [-edge, edge])
    usual = np.bincount(place) / len(place)
    seen = np.abs(first - so_far) < 0.0002
    weight = np.array([GIVEN[name] for name in CLASSES]) / usual
    counted = np.bincount(place[seen], minlength=3) * weight
    read = moved(sample, so_far, elapsed, deviation)
    found = [read.probabilities[name] for name in CLASSES]
    np.testing.assert_allclose(found, counted / counted.sum(), rtol=0, atol=0.01)


@pytest.mark.parametrize("elapsed", [0.2, 0.6, 0.95])
@pytest.mark.parametrize("so_far", [-0.02, -0.004, 0.004, 0.02])
def test_the_size_under_way_is_the_mean_absolute_return_of_the_whole_session(
    sample: Bars, elapsed: float, so_far: float
) -> None:
    read = moved(sample, so_far, elapsed)
    left = 0.01 * math.sqrt(1.0 - elapsed)
    mean = float(foldnorm.mean(abs(so_far) / left, scale=left))
    expected = -float(sample.close[-1]) * math.expm1(-mean)
    assert read.move_size_points == pytest.approx(expected, rel=1e-9)


def test_before_its_first_bar_a_session_says_what_the_model_says(sample: Bars) -> None:
    plain, read = today(sample, None), moved(sample, 0.0, 0.0)
    assert dict(read.probabilities) == pytest.approx(dict(plain.probabilities), rel=1e-12)
    assert read.expected_move_points == pytest.approx(plain.expected_move_points, rel=1e-12)
    assert read.direction == plain.direction


@pytest.mark.parametrize("edges", [-6.0, -1.3, -1.01, -0.99, 0.0, 0.4, 0.99, 1.01, 6.0])
@pytest.mark.parametrize("elapsed", [74 / 75, 1.0])
def test_after_its_last_bar_a_session_is_as_open_as_the_mean_of_its_last_half_hour(
    sample: Bars, edges: float, elapsed: float
) -> None:
    edge, deviation = edge_of(sample), 0.01
    so_far, left = edges * edge, deviation * math.sqrt(LEFT_AT_LEAST)
    down, up = norm.cdf((-edge - so_far) / left), norm.sf((edge - so_far) / left)
    usual = norm.cdf(-edge / deviation)
    weights = {
        "down": GIVEN["down"] * down / usual,
        "neutral": GIVEN["neutral"] * (1 - down - up) / (1 - 2 * usual),
        "up": GIVEN["up"] * up / usual,
    }
    expected = {name: weight / sum(weights.values()) for name, weight in weights.items()}
    read = moved(sample, so_far, elapsed, deviation)
    assert dict(read.probabilities) == pytest.approx(expected, rel=1e-9, abs=1e-12)
    named = max(CLASSES, key=lambda name: expected[name] / USUAL[name])
    assert read.tendency == named.upper()
    size = float(foldnorm.mean(abs(so_far) / left, scale=left))
    spot = float(sample.close[-1])
    assert read.move_size_points == pytest.approx(-spot * math.expm1(-size), rel=1e-9)


@pytest.mark.parametrize(
    ("edges", "direction"), [(-2.0, "DOWN"), (-1.1, "DOWN"), (0.0, "NEUTRAL"), (1.1, "UP")]
)
def test_after_its_last_bar_no_session_is_certain(
    sample: Bars, edges: float, direction: str
) -> None:
    read = moved(sample, edges * edge_of(sample), 1.0)
    assert read.direction == direction
    assert 0.5 < read.conviction < 1.0
    assert read.conviction == max(read.probabilities.values())


def test_a_mean_of_the_last_half_hour_is_a_third_as_uncertain_as_its_end() -> None:
    random = np.random.default_rng(3)
    steps = random.normal(0.0, 1.0, (40_000, 300)) / math.sqrt(300)
    paths = np.cumsum(steps, axis=1)
    share = float(np.var(paths.mean(axis=1)) / np.var(paths[:, -1]))
    assert share * 30 / 375 == pytest.approx(LEFT_AT_LEAST, rel=0.03)


@pytest.mark.parametrize("elapsed", [1 / 75, 0.3, 0.7, 74 / 75])
def test_a_rise_is_likelier_the_further_the_index_has_risen(sample: Bars, elapsed: float) -> None:
    reads = [moved(sample, so_far, elapsed) for so_far in np.linspace(-0.06, 0.06, 241)]
    up = np.array([read.probabilities["up"] for read in reads])
    down = np.array([read.probabilities["down"] for read in reads])
    assert np.diff(up).min() >= -1e-12
    assert np.diff(down).max() <= 1e-12
    assert up[0] < 0.01 < 0.99 < up[-1]
    assert down[-1] < 0.01 < 0.99 < down[0]
    assert {read.direction for read in reads} >= {"DOWN", "UP"}


def assert_probabilities(probabilities: Classes) -> None:
    assert set(probabilities) == set(CLASSES)
    assert all(0.0 <= value <= 1.0 for value in probabilities.values())
    assert sum(probabilities.values()) == pytest.approx(1.0, abs=1e-12)


@repeatable
@given(
    probabilities=shares(1e-6),
    so_far=st.floats(-1.5, 1.5),
    elapsed=ELAPSED,
    implied_deviations=st.floats(0.1, 5.0),
)
def test_probabilities_sum_to_1_however_far_the_session_has_gone(
    sample: Bars,
    probabilities: Classes,
    so_far: float,
    elapsed: float,
    implied_deviations: float,
) -> None:
    spot = float(sample.close[-1])
    next_day = one_day(implied_deviations * edge_of(sample) / 0.35, probabilities, spot)
    read = today(sample, session("next", spot * math.exp(so_far), elapsed), next_day)
    assert_probabilities(read.probabilities)
    assert math.isfinite(read.expected_move_points)
    assert read.conviction == read.probabilities[read.direction.lower()]


@repeatable
# 38 deviations away, a tail is 0 in floating point; a little nearer, a quotient of it is infinite.
@example(deviation=1e-4, iv=250.0, so_far=0.0, elapsed=0.4)
@example(deviation=0.0014665, iv=250.0, so_far=0.3, elapsed=0.4)
@given(
    deviation=DEVIATIONS, iv=st.floats(2.001, 250.0), so_far=st.floats(-0.5, 0.5), elapsed=ELAPSED
)
def test_probabilities_sum_to_1_however_far_forecast_and_implied_deviation_are_apart(
    sample: Bars, deviation: float, iv: float, so_far: float, elapsed: float
) -> None:
    # One print differs: five equal ones are those of a feed that stopped.
    stressed = replace(sample[-20:], iv=np.where(np.arange(20) == 18, 0.9999 * iv, iv))
    assert_probabilities(moved(stressed, so_far, elapsed, deviation).probabilities)


@pytest.mark.parametrize("missing", CLASSES)
@pytest.mark.parametrize("so_far", [-0.4, 0.0, 0.4])
def test_probabilities_sum_to_1_where_the_model_has_ruled_out_what_the_session_shows(
    sample: Bars, missing: str, so_far: float
) -> None:
    spot = float(sample.close[-1])
    probabilities = {name: 0.0 if name == missing else 0.5 for name in CLASSES}
    next_day = one_day(0.01, probabilities, spot)
    for elapsed in (0.5, 1.0):
        read = today(sample, session("next", spot * math.exp(so_far), elapsed), next_day)
        assert_probabilities(read.probabilities)


def test_the_volatility_score_is_where_the_last_range_stands_in_its_year(sample: Bars) -> None:
    for stop in range(300, 1_200, 97):
        bars = sample[:stop]
        *others, own = range_volatilities(bars)
        assert today(bars, None).intraday_volatility_score == pytest.approx(standing(own, others))


@pytest.mark.parametrize("relation", ["same", "next"])
def test_the_volatility_score_is_that_of_the_sessions_own_bars_where_they_give_one(
    sample: Bars, relation: str
) -> None:
    spot, others = float(sample.close[-1]), range_volatilities(sample)
    for realised in (0.0, *np.quantile(others, [0.2, 0.5, 0.9]).tolist(), 500.0):
        read = today(sample, session(relation, spot, realised_vol_percent=realised))
        expected = standing(realised, others)
        assert read.intraday_volatility_score == pytest.approx(expected, abs=1 / 251)
    unknown = today(sample, session(relation, spot, realised_vol_percent=None))
    assert unknown.intraday_volatility_score == today(sample, None).intraday_volatility_score


@pytest.mark.parametrize("relation", ["older", "later"])
def test_the_volatility_score_knows_nothing_of_other_sessions(sample: Bars, relation: str) -> None:
    read = today(sample, session(relation, float(sample.close[-1]), realised_vol_percent=500.0))
    assert read.intraday_volatility_score == today(sample, None).intraday_volatility_score < 1.0


def horizons_of(*probabilities: Classes) -> dict[str, HorizonForecast]:
    return {
        f"t{days}": horizon_forecast(
            days, one, USUAL, SPOT, spread_of(0.01), EDGE, demonstrated=True
        )
        for days, one in zip(LABELS, itertools.cycle(probabilities), strict=False)
    }


@repeatable
@given(
    probabilities=st.lists(shares(0.0001), min_size=6, max_size=6), iv_percentile=st.floats(0, 1)
)
def test_the_risk_score_is_the_mean_of_normalised_entropy_and_volatility(
    probabilities: list[dict[str, float]], iv_percentile: float
) -> None:
    entropies = [entropy([one[name] for name in CLASSES], base=3) for one in probabilities]
    score = risk_score(horizons_of(*probabilities), iv_percentile)
    expected = (float(np.mean(entropies)) + iv_percentile) / 2.0
    assert score == pytest.approx(expected, abs=1e-12)
    assert 0.0 <= score <= 1.0


def test_the_risk_score_reaches_both_of_its_bounds() -> None:
    certain = {"down": 0.0, "neutral": 1.0, "up": 0.0}
    assert risk_score(horizons_of(certain), 0.0) == 0.0
    highest = risk_score(horizons_of(dict.fromkeys(CLASSES, 1 / 3)), 1.0)
    assert highest == pytest.approx(1.0, abs=1e-12)
    assert highest <= 1.0


@repeatable
@given(
    probabilities=shares(0.0001),
    nearer=st.floats(0.05, 1.0),
    iv_percentile=st.floats(0.0, 0.9),
    later=st.floats(0.01, 0.1),
)
def test_the_risk_score_rises_with_ignorance_and_with_volatility(
    probabilities: Classes, nearer: float, iv_percentile: float, later: float
) -> None:
    assume(max(probabilities.values()) > 0.34)
    blurred = {name: (1 - nearer) * probabilities[name] + nearer / 3 for name in CLASSES}
    score = risk_score(horizons_of(probabilities), iv_percentile)
    assert risk_score(horizons_of(blurred), iv_percentile) > score
    assert risk_score(horizons_of(probabilities), iv_percentile + later) > score
