"""Labels against their definitions, bar by bar."""

from __future__ import annotations

import math

import numpy as np
import pytest

from aegismatrix.bars import Bars
from exporters.labels import forward_realised_vol, trap_label


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
