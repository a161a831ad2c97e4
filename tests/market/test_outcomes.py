"""Labels against their definitions, bar by bar."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

import aegismatrix as am
from aegismatrix.market.bars import Bars
from aegismatrix.market.events import OUTPUTS
from aegismatrix.market.outcomes import (
    breakout_label,
    direction_label,
    forward_realised_vol,
    forward_return,
    happened,
    implied_deviations,
    past_realised_vol,
    regime_label,
    spike_label,
    trap_label,
)

EVENTS = {column: output.event for column, output in OUTPUTS.items() if output.event is not None}


@pytest.mark.parametrize("horizon_days", [1, 5, 10, 20])
def test_forward_realised_vol_is_the_formula_on_every_tenth_day(
    sample: Bars, horizon_days: int
) -> None:
    realised = forward_realised_vol(sample, horizon_days)
    for day in range(0, len(sample) - horizon_days, 10):
        squares = [
            math.log(sample.close[day + ahead] / sample.close[day + ahead - 1]) ** 2
            for ahead in range(1, horizon_days + 1)
        ]
        expected = math.sqrt(252 / horizon_days * sum(squares))
        assert realised[day] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("horizon_days", [5, 10, 20])
def test_labels_are_unknown_until_the_horizon_has_passed(sample: Bars, horizon_days: int) -> None:
    label = trap_label(sample, horizon_days)
    assert np.isnan(label[-horizon_days:]).all()
    assert set(np.unique(label[:-horizon_days])) == {0.0, 1.0}


def test_a_label_looks_ahead_only(sample: Bars) -> None:
    day = 600
    shortened = trap_label(sample[: day + 11], 10)
    assert shortened[day] == trap_label(sample[day:], 10)[0] == trap_label(sample, 10)[day]


def test_trap_means_that_more_happened_than_was_paid_for(nifty: Bars) -> None:
    label, realised = trap_label(nifty, 10), forward_realised_vol(nifty, 10)
    known = ~np.isnan(label)
    assert np.array_equal(label[known] == 1, realised[known] * 100 > nifty.iv[known])
    assert 0.15 < label[known].mean() < 0.25


def test_a_history_shorter_than_the_horizon_has_no_label(sample: Bars) -> None:
    assert np.isnan(trap_label(sample[:10], 10)).all()


def test_regime_compares_the_next_20_days_with_the_terciles_of_what_was_known(
    sample: Bars,
) -> None:
    label, past = regime_label(sample), past_realised_vol(sample, 20)
    for day in range(271, len(sample) - 20, 40):
        known = sorted(past[day - 251 : day + 1])
        lower, upper = np.quantile(known, [1 / 3, 2 / 3])
        ahead = forward_realised_vol(sample, 20)[day]
        assert label[day] == (0 if ahead <= lower else 1 if ahead <= upper else 2)


def test_todays_regime_is_the_regime_that_was_forecast_20_days_ago_but_for_its_terciles(
    sample: Bars,
) -> None:
    today = regime_label(sample, forward=False)
    past = past_realised_vol(sample, 20)
    assert past[300] == pytest.approx(forward_realised_vol(sample, 20)[280], rel=1e-12)
    assert np.isnan(today[:271]).all()
    assert not np.isnan(today[271:]).any()


def test_regime_is_unknown_without_a_year_of_volatility(sample: Bars) -> None:
    label = regime_label(sample)
    assert np.isnan(label[:271]).all()
    assert np.isnan(label[-20:]).all()
    assert set(np.unique(label[271:-20])) == {0.0, 1.0, 2.0}
    assert np.isnan(regime_label(sample[:200])).all()


def true_range(bars: Bars, day: int) -> float:
    before = bars.close[day - 1]
    return float(max(bars.high[day], before) - min(bars.low[day], before))


@pytest.mark.parametrize("offset_days", [1, 2, 5])
def test_a_breakout_is_a_true_range_of_more_than_five_quarters_of_the_mean_of_14(
    sample: Bars, offset_days: int
) -> None:
    label = breakout_label(sample, offset_days)
    for day in range(14, len(sample) - offset_days, 7):
        usual = sum(true_range(sample, day - back) for back in range(14)) / 14
        assert label[day] == (true_range(sample, day + offset_days) > 1.25 * usual)
    assert np.isnan(label[:14]).all()
    assert np.isnan(label[-offset_days:]).all()
    assert not np.isnan(label[14:-offset_days]).any()


def test_a_spike_is_a_breakout_with_the_side_of_its_close(nifty: Bars) -> None:
    spike, breakout = spike_label(nifty), breakout_label(nifty, 1)
    known = ~np.isnan(breakout)
    assert np.array_equal(spike[known] > 0, breakout[known] == 1)
    falls = forward_return(nifty, 1) < 0
    assert falls[spike == 1].all()
    assert not falls[spike == 2].any()
    assert 0.2 < np.mean(spike[known] > 0) < 0.3


def test_a_history_without_a_mean_true_range_has_no_breakouts(sample: Bars) -> None:
    assert np.isnan(breakout_label(sample[:14], 1)).all()
    assert np.isnan(spike_label(sample[:14])).all()
    assert np.isnan(breakout_label(sample[:4], 5)).all()


def test_a_forward_return_is_known_once_its_horizon_has_passed(sample: Bars) -> None:
    ahead = forward_return(sample, 20)
    assert ahead[100] == pytest.approx(math.log(sample.close[120] / sample.close[100]))
    assert np.isnan(ahead[-20:]).all()
    assert np.isnan(forward_return(sample[:20], 20)).all()


@pytest.mark.parametrize("horizon_days", [1, 3, 5, 10, 20, 40])
def test_direction_is_the_return_in_implied_deviations_cut_at_a_third_and_a_bit(
    sample: Bars, horizon_days: int
) -> None:
    label = direction_label(sample, horizon_days)
    for day in range(0, len(sample) - horizon_days, 10):
        deviation = sample.iv[day] / 100 * math.sqrt(horizon_days / 252)
        z = math.log(sample.close[day + horizon_days] / sample.close[day]) / deviation
        assert label[day] == (0 if z < -0.35 else 2 if z > 0.35 else 1)
        assert implied_deviations(sample, horizon_days)[day] == pytest.approx(z, rel=1e-12)
    assert np.isnan(label[-horizon_days:]).all()
    assert set(np.unique(label[:-horizon_days])) == {0.0, 1.0, 2.0}
    assert np.isnan(direction_label(sample[:horizon_days], horizon_days)).all()


def test_a_mirrored_market_has_mirrored_directions(sample: Bars) -> None:
    mirrored = replace(
        sample, close=1e6 / sample.close, high=1e6 / sample.low, low=1e6 / sample.high
    )
    label, other = direction_label(sample, 5), direction_label(mirrored, 5)
    np.testing.assert_array_equal(label, 2.0 - other)


def test_every_probability_without_edges_has_an_event(sample: Bars) -> None:
    engine = am.Engine()
    columns = {
        column: model.name
        for model in engine.manifest.models.values()
        for column in model.base_rates
        if model.name != "breach"
    }
    assert {column: output.head for column, output in OUTPUTS.items()} == columns
    assert set(EVENTS) == set(columns)


@pytest.mark.parametrize("output", sorted(EVENTS))
def test_an_event_is_decided_when_its_horizon_has_passed_and_not_before(
    sample: Bars, output: str
) -> None:
    event = EVENTS[output]
    day = 700
    label = happened(event, sample)
    through = day + event.horizon_days
    assert label[day] in (0.0, 1.0)
    assert happened(event, sample[: through + 1])[day] == label[day]
    assert np.isnan(happened(event, sample[:through])[day])


@pytest.mark.parametrize("outputs", ["regime_", "direction_t1_", "direction_t40_"])
def test_of_several_classes_one_happens(sample: Bars, outputs: str) -> None:
    total = sum(
        happened(event, sample) for name, event in EVENTS.items() if name.startswith(outputs)
    )
    known = np.asarray(total)[~np.isnan(total)]
    assert len(known) > 700
    assert (known == 1.0).all()


def test_the_headlines_rates_are_those_sealed(nifty: Bars) -> None:
    rates = {
        column: rate
        for model in am.Engine().manifest.models.values()
        for column, rate in model.base_rates.items()
    }
    rows = len(nifty) - am.Engine().manifest.model("features").lookback_bars + 1
    for output, event in EVENTS.items():
        rate = float(np.nanmean(happened(event, nifty)[-rows:]))
        # The overnight model's are of the nights that are known.
        close = 5e-3 if output.startswith("overnight") else 1e-6
        assert rate == pytest.approx(rates[output], abs=close), output
