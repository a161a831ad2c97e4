"""Signals against their definitions: labels, tails, zones, rates."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from aegismatrix.desk.signals.levels import LEVELS
from aegismatrix.desk.signals.market import market_state
from aegismatrix.desk.signals.seller import (
    HitRate,
    distances_in_points,
    expiry_stress,
    held,
    hit_rate,
    max_pain,
    older_words,
    range_through,
    safe_range,
    seller_flag,
    skew,
    trap,
)
from aegismatrix.errors import RateUnavailableError
from aegismatrix.market import statistics
from aegismatrix.market.bars import Bars
from tests.exporters.test_features import FloatArray
from tests.raising import raising

CLOSES = arrays(np.float64, 253, elements=st.floats(10.0, 20.0))


@pytest.mark.parametrize("name", LEVELS)
@pytest.mark.parametrize("base_rate", [0.05, 0.2, 0.5])
def test_labels_rise_with_the_score_and_all_three_are_reachable(
    name: str, base_rate: float
) -> None:
    levels = LEVELS[name]
    given = [levels.label(score, base_rate) for score in np.linspace(0, 1, 401)]
    order = [label for label, _ in itertools.groupby(given)]
    assert tuple(order) == levels.labels
    assert levels.label(base_rate, base_rate) == levels.labels[1]


def test_the_state_of_the_market_is_read_off_the_last_two_bars(sample: Bars) -> None:
    state = market_state(sample)
    assert state.spot == sample.close[-1]
    assert state.spot_change == pytest.approx(sample.close[-1] - sample.close[-2])
    assert state.spot_change_pct == pytest.approx(state.spot_change / sample.close[-2])
    assert state.vix_change == pytest.approx(sample.iv[-1] - sample.iv[-2])
    assert state.vix_change_pct == pytest.approx(state.vix_change / sample.iv[-2])
    below = (sample.iv[-252:-1] < sample.iv[-1]).mean()
    assert state.iv_percentile == pytest.approx(below, abs=0.01)


def test_every_regime_occurs_in_real_history_and_follows_its_rule(nifty: Bars) -> None:
    seen = set()
    for stop in range(300, len(nifty), 5):
        state = market_state(nifty[stop - 300 : stop])
        seen.add(state.regime)
        if state.regime == "HIGH_VOL_BEAR":
            assert state.iv_percentile >= 0.7
            assert state.trend < 0
        elif state.regime == "TREND_FOLLOWING":
            assert abs(state.trend) >= 1
        elif state.regime == "LOW_VOL_BULL":
            assert state.iv_percentile <= 0.5
            assert 0 < state.trend < 1
    assert seen == {"HIGH_VOL_BEAR", "TREND_FOLLOWING", "LOW_VOL_BULL", "SIDEWAYS_CHOP"}


@settings(max_examples=200, deadline=None)
@given(close=CLOSES)
def test_skew_is_bounded_by_construction(close: FloatArray) -> None:
    measured = skew(close)
    for value in (measured.put_skew, measured.call_skew, measured.net_skew):
        assert -1.0 <= value <= 1.0


def test_skew_changes_sides_with_the_market(sample: Bars) -> None:
    there, back = skew(sample.close), skew(1.0 / sample.close)
    assert back.net_skew == pytest.approx(-there.net_skew, abs=1e-9)
    assert (back.put_skew, back.call_skew) == pytest.approx(
        (there.call_skew, there.put_skew), abs=1e-9
    )


def test_a_normal_market_has_no_skew_and_a_still_one_none_either() -> None:
    returns = np.random.default_rng(0).normal(0.0, 0.01, 252)
    normal = skew(100 * np.exp(np.concatenate([[0], np.cumsum(returns)])))
    assert max(abs(normal.put_skew), abs(normal.call_skew), abs(normal.net_skew)) < 0.2
    assert skew(np.full(253, 100.0)).net_skew == 0.0


def test_max_pain_confidence_is_the_mass_of_its_zone() -> None:
    deviation = 0.04
    zone = max_pain(20_000.0, deviation)
    draws = np.random.default_rng(1).normal(0.0, deviation, 400_000)
    inside = ((20_000 * np.exp(draws) > zone.lower) & (20_000 * np.exp(draws) < zone.upper)).mean()
    assert zone.confidence == pytest.approx(inside, abs=0.003)
    narrow, wide = max_pain(20_000.0, 0.02).confidence, max_pain(20_000.0, 0.08).confidence
    assert narrow is not None
    assert wide is not None
    assert narrow > wide


def test_max_pain_takes_the_zone_of_an_option_chain_and_its_mass_from_the_forecast() -> None:
    zone = max_pain(20_000.0, 0.04, (20_475.0, 20_525.0))
    assert (zone.lower, zone.upper, zone.method) == (20_475.0, 20_525.0, "option_chain")
    width = math.log(20_525 / 20_475)
    density = math.exp(-0.5 * (math.log(20_500 / 20_000) / 0.04) ** 2) / (0.04 * math.tau**0.5)
    assert zone.confidence == pytest.approx(width * density, rel=1e-3)


def test_each_edge_of_a_safe_range_is_as_far_in_log_as_its_own_distance() -> None:
    edges = safe_range(20_000.0, (0.06, 0.05), 0.11, 20, 0.8)
    assert math.log(20_000.0 / edges.lower) == pytest.approx(0.06)
    assert math.log(edges.upper / 20_000.0) == pytest.approx(0.05)
    assert (edges.lower_log_distance, edges.upper_log_distance) == (0.06, 0.05)


def test_the_narrowest_range_that_a_window_reached_has_edges_touched_equally_often() -> None:
    """On a law that is known: the lower edge is touched as often as an upper half as far away."""

    def touch(side: str, lower: FloatArray, upper: FloatArray) -> FloatArray:
        down, up = np.exp(-lower / 0.04), np.exp(-upper / 0.02)
        return np.asarray({"down": down, "up": up, "either": down + up - down * up}[side])

    down, up = np.array([0.04, 0.08, 1e-9, 0.01]), np.array([0.04, 0.01, 1e-9, 1e-9])
    lower, upper = range_through(down, up, touch)
    assert lower == pytest.approx([0.08, 0.08, 1e-9, 0.01], rel=2e-5, abs=1e-8)
    assert upper == pytest.approx([0.04, 0.04, 1e-9, 0.005], rel=2e-5, abs=1e-8)
    over = np.array([True, True, True, False])
    inside = held(touch("either", lower, upper), over, 0.8)
    assert inside.tolist() == [1.0, 1.0, 1.0]
    assert held(touch("either", lower, upper), over, 0.7).tolist() == [0.0, 0.0, 1.0]


def test_trap_headline_is_ten_days_and_its_label_relative_to_the_base_rate(sample: Bars) -> None:
    probabilities = {"5": 0.5, "10": 0.3, "20": 0.1}
    assert trap(probabilities, 0.2, sample).label == "HIGH"
    assert trap(probabilities, 0.3, sample).label == "MEDIUM"
    assert trap(probabilities, 0.5, sample).label == "LOW"
    read = trap(probabilities, 0.2, sample)
    assert (read.score, read.base_rate, dict(read.horizons)) == (0.3, 0.2, probabilities)
    past = statistics.realised_vol(sample.close, 20)[-252:]
    assert read.rv_percentile == pytest.approx((past[:-1] < past[-1]).mean(), abs=0.01)


def test_stress_weighs_medium_half_and_high_whole() -> None:
    usual = {"low": 1 / 3, "medium": 1 / 3, "high": 1 / 3}
    assert expiry_stress({"low": 0.2, "medium": 0.4, "high": 0.4}, usual).score == pytest.approx(
        0.6
    )
    assert expiry_stress({"low": 0.9, "medium": 0.1, "high": 0.0}, usual).label == "CALM"
    assert expiry_stress(usual, usual).label == "CAUTION"
    assert expiry_stress({"low": 0.0, "medium": 0.2, "high": 0.8}, usual).label == "HOSTILE"


def test_the_flag_follows_from_trap_stress_and_hit_rate_in_every_combination() -> None:
    colors = {"FAVOURABLE": "GREEN", "CAUTION": "AMBER", "HOSTILE": "RED"}
    seen = set()
    good, bad = HitRate(0.8, 252, 0.7, 0.9), HitRate(0.5, 252, 0.4, 0.6)
    for trap_label, stress, rate in itertools.product(
        LEVELS["trap"].labels, LEVELS["expiry_stress"].labels, (good, bad)
    ):
        flag = seller_flag(trap_label, stress, rate, 0.8)
        seen.add(flag.label)
        assert flag.color == colors[flag.label]
        assert flag.reasons[:2] == (f"TRAP_{trap_label}", f"STRESS_{stress}")
        assert ("HIT_RATE_BELOW_CONFIDENCE" in flag.reasons) == (rate is bad)
        assert (flag.label == "FAVOURABLE") == (
            stress == "CALM" and trap_label != "HIGH" and rate is good
        )
        regime, daily = older_words(stress, flag.label)
        assert (regime == "HOSTILE") == (stress == "HOSTILE")
        assert (daily == "RISKY") == (flag.label == "HOSTILE")
    assert seen == set(colors)


def test_a_hit_rate_is_a_mean_with_an_interval_and_needs_windows() -> None:
    held = np.random.default_rng(2).integers(0, 2, 252).astype(float)
    rate = hit_rate(held, 20)
    assert rate.rate == held.mean()
    assert rate.lower < rate.rate < rate.upper
    assert hit_rate(held, 20) == rate
    with raising((RateUnavailableError, "hit_rate")) as caught:
        hit_rate(held[:125], 20)
    assert (caught.value.have, caught.value.need) == (125, 126)


@pytest.mark.parametrize("horizon_days", [1, 5, 20, 30])
def test_a_hit_rate_always_has_an_interval_with_width(horizon_days: int) -> None:
    need = statistics.windows_needed(horizon_days)
    one_miss = np.ones(need)
    one_miss[need // 2] = 0.0
    for kept in (np.ones(need), np.zeros(need), one_miss):
        rate = hit_rate(kept, horizon_days)
        assert rate.upper - rate.lower > 0.0
        assert rate.lower <= rate.rate <= rate.upper


def test_long_runs_of_misses_widen_the_interval() -> None:
    runs = np.repeat([1.0, 0.0, 1.0, 1.0, 0.0, 1.0], 42)
    mixed = np.random.default_rng(3).permutation(runs)
    wide, narrow = hit_rate(runs, 20), hit_rate(mixed, 20)
    assert wide.upper - wide.lower > 1.5 * (narrow.upper - narrow.lower)


@given(spot=st.floats(0.01, 1e6))
def test_distances_in_points_rise_and_are_whole(spot: float) -> None:
    points = distances_in_points(spot, (0.01, 0.02, 0.03, 0.04, 0.05, 0.07))
    assert len(points) == 6
    assert points[0] >= 1
    assert all(one < other for one, other in itertools.pairwise(points))


def test_percentile_ranks_run_from_0_to_1_and_ties_count_half() -> None:
    assert statistics.percentile_rank(np.array([1.0, 2.0, 3.0])) == 1.0
    assert statistics.percentile_rank(np.array([3.0, 2.0, 1.0])) == 0.0
    assert statistics.percentile_rank(np.array([1.0, 1.0, 1.0])) == 0.5
