"""What a buyer reads, against definitions computed by other means."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binomtest, norm

from aegismatrix.desk.signals.buyer import (
    breakout_levels,
    breakouts,
    buyer_environment,
    buyer_regime,
    older_word,
    spike_bias,
    spike_rate,
    theta_edge,
    variance_ratio,
)
from aegismatrix.errors import RateUnavailableError
from aegismatrix.market.bars import Bars
from aegismatrix.market.statistics import (
    average_true_range,
    binomial_interval,
    contrast,
    normal_below,
    true_range,
)
from tests.raising import raising

FloatArray = NDArray[np.float64]

YEAR = 252
COMPARABLE = 63
AMOUNTS = st.floats(0.0, 1e12, allow_subnormal=False)

repeatable = settings(deadline=None, derandomize=True, database=None)


def market_of(returns: FloatArray, iv: FloatArray) -> Bars:
    """Bars that close after these log returns; the range of each holds both of its closes.

    No two neighbours have the same high: a row that copies the one before is none of a market.
    """
    close = 10_000.0 * np.exp(np.concatenate([[0.0], np.cumsum(returns)]))
    before = np.concatenate([close[:1], close[:-1]])
    return Bars(
        dates=np.busday_offset("2020-01-01", np.arange(len(close)), roll="forward"),
        high=np.maximum(close, before) + np.arange(len(close)) % 2,
        low=np.minimum(close, before),
        close=close,
        iv=iv,
        market="other",
    )


def autoregressive(slope: float, seed: int, count: int = YEAR) -> FloatArray:
    shocks = np.random.default_rng(seed).normal(0.0, 0.01, count + 50)
    returns = np.zeros(count + 50)
    for day in range(1, count + 50):
        returns[day] = slope * returns[day - 1] + shocks[day]
    return returns[50:]


def calm(returns: FloatArray) -> Bars:
    """Bars of an implied volatility that moves so little that nothing else sees it."""
    moves = (np.arange(len(returns) + 1) % 2).astype(np.float64)
    return market_of(returns, 15.0 + 1e-12 * moves)


def test_breakouts_are_labelled_against_the_base_rate_of_their_own_session() -> None:
    scores = dict.fromkeys((3, 1, 2, 5, 4), 0.25)
    read = breakouts(scores, {1: 0.15, 2: 0.2, 3: 0.25, 4: 0.3125, 5: 0.35})
    assert [one.day_offset for one in read] == [1, 2, 3, 4, 5]
    assert [one.label for one in read] == ["HIGH", "HIGH", "MEDIUM", "MEDIUM", "LOW"]
    assert [one.base_rate for one in read] == [0.15, 0.2, 0.25, 0.3125, 0.35]
    assert {one.score for one in read} == {0.25}


@pytest.mark.parametrize(
    ("score", "label"),
    [
        (0.0, "DONT_WASTE_PREMIUM"),
        (0.3999, "DONT_WASTE_PREMIUM"),
        (0.4, "BORDERLINE"),
        (0.6249, "BORDERLINE"),
        (0.625, "EDGE_JUSTIFIES_PREMIUM"),
        (1.0, "EDGE_JUSTIFIES_PREMIUM"),
    ],
)
def test_theta_is_labelled_against_its_base_rate(score: float, label: str) -> None:
    read = theta_edge(score, 0.5)
    assert (read.score, read.label, read.base_rate) == (score, label, 0.5)


@repeatable
@given(down=st.floats(0.0, 1.0), up=st.floats(1e-300, 1.0))
def test_the_sides_of_a_spike_sum_to_exactly_1(down: float, up: float) -> None:
    bias, mirrored = spike_bias(down, up), spike_bias(up, down)
    assert bias.up_prob + bias.down_prob == 1.0
    assert 0.0 <= bias.up_prob <= 1.0
    share = Fraction(up) / (Fraction(down) + Fraction(up))
    assert bias.up_prob == pytest.approx(float(share), rel=1e-12)
    assert mirrored.down_prob == pytest.approx(bias.up_prob, abs=1e-15)


def test_a_spike_that_can_go_one_way_only_goes_that_way() -> None:
    assert (spike_bias(0.0, 0.2).up_prob, spike_bias(0.2, 0.0).up_prob) == (1.0, 0.0)
    assert spike_bias(0.1, 0.1).up_prob == 0.5


def pandas_true_range(bars: Bars) -> pd.Series[float]:
    frame = pd.DataFrame({"high": bars.high, "low": bars.low, "close": bars.close})
    before = frame["close"].shift(1)
    reaches = pd.concat(
        [
            frame["high"] - frame["low"],
            (frame["high"] - before).abs(),
            (frame["low"] - before).abs(),
        ],
        axis=1,
    )
    widest: pd.Series[float] = reaches.max(axis=1).where(before.notna())
    return widest


def test_the_true_range_is_wilders_and_unknown_for_the_first_bar(sample: Bars) -> None:
    found = true_range(sample)
    np.testing.assert_allclose(found, pandas_true_range(sample), rtol=1e-12)
    assert np.isnan(found[0])
    assert (found[1:] > sample.high[1:] - sample.low[1:]).any()


@pytest.mark.parametrize("count", [1, 2, 14, 15, 16, 300])
def test_the_average_true_range_is_the_mean_of_14_and_unknown_before(
    sample: Bars, count: int
) -> None:
    bars = sample[:count]
    found = average_true_range(bars)
    assert found.shape == (count,)
    assert np.isnan(found[:14]).all()
    assert not np.isnan(found[14:]).any()
    np.testing.assert_allclose(found, pandas_true_range(bars).rolling(14).mean(), rtol=1e-9)


@pytest.mark.parametrize("stop", [15, 400, 1257])
def test_breakout_levels_are_five_quarters_of_the_mean_range_either_way(
    sample: Bars, stop: int
) -> None:
    bars = sample[:stop]
    total = 0.0
    for day in range(stop - 14, stop):
        before = bars.close[day - 1]
        total += max(bars.high[day], before) - min(bars.low[day], before)
    levels = breakout_levels(bars)
    assert levels.upper == pytest.approx(bars.close[-1] + 1.25 * total / 14, rel=1e-12)
    assert levels.lower == pytest.approx(bars.close[-1] - 1.25 * total / 14, rel=1e-12)


def pandas_variance_ratio(bars: Bars) -> float:
    frame = pd.DataFrame({"log": np.log(bars.close), "iv": bars.iv})
    returns = (frame["log"].diff() / frame["iv"].shift(1)).iloc[-YEAR:]
    centred = returns - returns.mean()
    of_five = centred.rolling(5).sum().dropna()
    return float((of_five**2).mean() / (5 * (centred**2).mean()))


@pytest.mark.parametrize("stop", [253, 600, 1000, 1257])
def test_the_variance_ratio_is_that_of_the_last_252_returns_in_units_of_implied_volatility(
    sample: Bars, stop: int
) -> None:
    assert variance_ratio(sample[:stop]) == pytest.approx(pandas_variance_ratio(sample[:stop]))
    assert variance_ratio(sample[stop - 253 : stop]) == variance_ratio(sample[:stop])


def test_volatility_that_was_foreseen_does_not_move_the_variance_ratio() -> None:
    surprises = autoregressive(0.1, seed=4)
    iv = 15.0 * np.exp(0.8 * np.sin(np.arange(YEAR + 1) / 9.0))
    foreseen = market_of(surprises * iv[:-1] / 15.0, iv)
    assert variance_ratio(foreseen) == pytest.approx(variance_ratio(calm(surprises)), rel=1e-9)
    assert variance_ratio(foreseen) != pytest.approx(
        variance_ratio(calm(surprises * iv[:-1] / 15.0)), rel=1e-3
    )


def test_an_index_that_did_not_move_has_a_variance_ratio_of_1() -> None:
    still = market_of(np.zeros(YEAR), 15.0 + np.arange(YEAR + 1) / 100.0)
    assert variance_ratio(still) == 1.0
    assert buyer_regime(variance_ratio(still)) == "CHOPPY"


@pytest.mark.parametrize(
    ("slope", "regime"), [(0.5, "TREND_FOLLOWING"), (-0.5, "MEAN_REVERT"), (0.0, "CHOPPY")]
)
def test_each_regime_is_that_of_a_market_made_for_it(slope: float, regime: str) -> None:
    assert buyer_regime(variance_ratio(calm(autoregressive(slope, seed=2)))) == regime


def test_two_random_walks_in_three_are_within_a_standard_error_and_choppy() -> None:
    regimes = [buyer_regime(variance_ratio(calm(autoregressive(0.0, seed)))) for seed in range(300)]
    assert 0.60 < np.mean([regime == "CHOPPY" for regime in regimes]) < 0.76
    assert np.mean([regime == "TREND_FOLLOWING" for regime in regimes]) > 0.08
    assert np.mean([regime == "MEAN_REVERT" for regime in regimes]) > 0.08


def test_regimes_are_cut_a_standard_error_from_1() -> None:
    # Lo, MacKinlay 1988: 2 (2q - 1) (q - 1) / (3 q n) with q = 5, n = 252.
    error = math.sqrt(2 * 9 * 4 / (3 * 5 * 252))
    assert buyer_regime(1.0 + 1.001 * error) == "TREND_FOLLOWING"
    assert buyer_regime(1.0 + 0.999 * error) == "CHOPPY"
    assert buyer_regime(1.0 - 0.999 * error) == "CHOPPY"
    assert buyer_regime(1.0 - 1.001 * error) == "MEAN_REVERT"


ENVIRONMENTS = {
    ("DONT_WASTE_PREMIUM", "LOW"): "UNFAVOURABLE",
    ("DONT_WASTE_PREMIUM", "MEDIUM"): "UNFAVOURABLE",
    ("DONT_WASTE_PREMIUM", "HIGH"): "SPECULATIVE_ONLY",
    ("BORDERLINE", "LOW"): "SPECULATIVE_ONLY",
    ("BORDERLINE", "MEDIUM"): "SPECULATIVE_ONLY",
    ("BORDERLINE", "HIGH"): "SPECULATIVE_ONLY",
    ("EDGE_JUSTIFIES_PREMIUM", "LOW"): "SPECULATIVE_ONLY",
    ("EDGE_JUSTIFIES_PREMIUM", "MEDIUM"): "PREMIUM_FRIENDLY",
    ("EDGE_JUSTIFIES_PREMIUM", "HIGH"): "PREMIUM_FRIENDLY",
}
COLORS = {"PREMIUM_FRIENDLY": "GREEN", "SPECULATIVE_ONLY": "AMBER", "UNFAVOURABLE": "RED"}
OLDER_WORDS = {
    "PREMIUM_FRIENDLY": "PREMIUM_FRIENDLY",
    "SPECULATIVE_ONLY": "CAUTIOUS",
    "UNFAVOURABLE": "AVOID_FULL_RISK",
}
REGIMES = ("TREND_FOLLOWING", "MEAN_REVERT", "CHOPPY")


@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize("labels", ENVIRONMENTS)
def test_the_environment_follows_from_theta_and_breakout_in_every_combination(
    labels: tuple[str, str], regime: str
) -> None:
    theta_label, breakout_label = labels
    read = buyer_environment(theta_label, breakout_label, regime)
    assert read.label == ENVIRONMENTS[labels]
    assert read.color == COLORS[read.label]
    assert read.reasons == (
        f"THETA_{theta_label}",
        f"BREAKOUT_{breakout_label}",
        f"REGIME_{regime}",
    )
    assert older_word(read.label) == OLDER_WORDS[read.label]


def past_days(seed: int, count: int = 500) -> tuple[FloatArray, FloatArray]:
    """Scores with holes, and outcomes that are not known where there is a hole."""
    random = np.random.default_rng(seed)
    scores = random.uniform(0.05, 0.6, count)
    happened = (random.random(count) < scores).astype(float)
    holes = random.random(count) < 0.2
    return np.where(holes, np.nan, scores), np.where(holes, np.nan, happened)


@pytest.mark.parametrize("score", [0.0, 0.2, 0.35, 0.9])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_spike_rate_is_that_of_the_63_nearest_of_the_last_252_known_scores(
    score: float, seed: int
) -> None:
    scores, happened = past_days(seed)
    known = [
        (abs(past - score), outcome)
        for past, outcome in zip(scores.tolist(), happened.tolist(), strict=True)
        if not math.isnan(past)
    ]
    nearest = sorted(known[-YEAR:], key=lambda day: day[0])[:COMPARABLE]
    count = int(sum(outcome for _, outcome in nearest))
    read = spike_rate(score, scores, happened)
    assert read.n == COMPARABLE
    assert read.rate == pytest.approx(count / COMPARABLE)
    expected = binomtest(count, COMPARABLE).proportion_ci(method="wilson")
    assert (read.lower, read.upper) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert 0.0 <= read.lower <= read.rate <= read.upper <= 1.0


def test_the_spike_rate_forgets_what_is_older_than_252_known_days() -> None:
    scores, happened = past_days(3)
    read = spike_rate(0.3, scores, happened)
    oldest = np.flatnonzero(~np.isnan(scores))[-YEAR]
    scores[:oldest], happened[:oldest] = 0.3, 1.0
    assert spike_rate(0.3, scores, happened) == read
    scores[oldest] = 0.3
    rates = []
    for outcome in (0.0, 1.0):
        happened[oldest] = outcome
        rates.append(spike_rate(0.3, scores, happened).rate)
    assert rates[1] - rates[0] == pytest.approx(1 / COMPARABLE)


def test_higher_scores_are_followed_by_more_breakouts_where_they_are_right() -> None:
    scores, happened = past_days(5)
    assert spike_rate(0.55, scores, happened).rate > spike_rate(0.08, scores, happened).rate + 0.2


def test_days_as_near_as_each_other_are_taken_oldest_first() -> None:
    scores = np.full(400, 0.25)
    happened = np.zeros(400)
    happened[400 - YEAR : 400 - YEAR + COMPARABLE] = 1.0
    for score in (0.1, 0.25, 0.9):
        assert spike_rate(score, scores, happened).rate == 1.0


@pytest.mark.parametrize("seed", range(20))
def test_ties_are_broken_by_age_whatever_stands_between(seed: int) -> None:
    random = np.random.default_rng(seed)
    scores, happened = random.choice([0.2, 0.3, 0.4, np.nan], 400), random.integers(0, 2, 400)
    known = np.flatnonzero(~np.isnan(scores))[-YEAR:].tolist()
    nearest = sorted(known, key=lambda day: (abs(scores[day] - 0.3), day))[:COMPARABLE]
    read = spike_rate(0.3, scores, happened.astype(float))
    assert read.rate == pytest.approx(happened[nearest].mean())


@pytest.mark.parametrize("have", [0, 1, 62])
def test_fewer_than_63_known_days_have_no_spike_rate(have: int) -> None:
    scores = np.full(300, np.nan)
    scores[100 : 100 + have] = 0.25
    with raising((RateUnavailableError, "spike_rate"), match=f"63.*{have}") as caught:
        spike_rate(0.25, scores, np.zeros(300))
    assert (caught.value.have, caught.value.need) == (have, COMPARABLE)


def test_63_known_days_are_enough() -> None:
    scores = np.full(300, np.nan)
    scores[100 : 100 + COMPARABLE] = 0.25
    read = spike_rate(0.9, scores, np.ones(300))
    assert (read.rate, read.n, read.upper) == (1.0, COMPARABLE, 1.0)
    assert 0.9 < read.lower < 1.0


@pytest.mark.parametrize("n", [1, 2, 5, 63, 252])
def test_the_binomial_interval_is_wilsons_and_holds_the_share(n: int) -> None:
    for count in range(n + 1):
        lower, upper = binomial_interval(count, n)
        expected = binomtest(count, n).proportion_ci(confidence_level=0.95, method="wilson")
        assert (lower, upper) == pytest.approx((expected.low, expected.high), abs=1e-12)
        assert 0.0 <= lower <= count / n <= upper <= 1.0
        assert upper - lower > 0.0


@repeatable
@given(deviations=st.floats(-35.0, 35.0), deviation=st.floats(1e-4, 3.0))
def test_normal_below_is_the_normal_distribution_far_into_its_lower_tail(
    deviations: float, deviation: float
) -> None:
    value = deviations * deviation
    expected = float(norm.cdf(value, scale=deviation))
    assert normal_below(value, deviation) == pytest.approx(expected, rel=1e-9, abs=0.0)
    assert 0.0 <= normal_below(value, deviation) <= 1.0


def test_a_return_without_deviation_is_0_for_certain() -> None:
    assert [normal_below(value, 0.0) for value in (-0.1, -1e-300, 1e-300, 0.1)] == [0, 0, 1, 1]


@repeatable
@given(one=AMOUNTS, other=AMOUNTS)
def test_a_contrast_is_bounded_antisymmetric_and_without_unit(one: float, other: float) -> None:
    found = contrast(one, other)
    assert -1.0 <= found <= 1.0
    assert contrast(other, one) == -found
    assert contrast(8.0 * one, 8.0 * other) == found
    assert np.sign(found) == np.sign(one - other)


def test_a_contrast_compares_with_the_sum_and_is_0_where_both_are() -> None:
    assert contrast(3.0, 1.0) == 0.5
    assert (contrast(2.0, 0.0), contrast(0.0, 2.0), contrast(0.0, 0.0)) == (1.0, -1.0, 0.0)
