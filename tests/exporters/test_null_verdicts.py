"""The simulation of manifests without skill, on a market that was made up."""

from __future__ import annotations

import numpy as np
import pytest
from aegismatrix_factory.evaluate.verdicts import verdicts
from aegismatrix_factory.evaluate.walkforward import JudgingError
from numpy.typing import NDArray

from aegismatrix.desk.monitoring.verdicts import FAMILY_LEVEL
from benchmarks.null_verdicts import (
    Centred,
    before_and_after,
    by_market,
    counts,
    draws,
    evidence,
    redrawn,
    upper_bound,
)

DAYS = 42 * 50


@pytest.fixture(scope="module")
def arrays() -> dict[str, NDArray[np.generic]]:
    """A forecaster that knows half of what happens, beside the frequency of it."""
    dates = np.datetime64("2010-01-01") + np.arange(DAYS)
    label = (np.random.default_rng(5).random(DAYS) < 0.3).astype(np.float64)
    parts = {
        "dates": dates,
        "label": label,
        "model": 0.3 + 0.2 * (label - 0.3),
        "vs climatology": np.full(DAYS, 0.3),
    }
    few = {part: values[:-30] for part, values in parts.items()}
    return {
        **{f"m/known/Brier skill/1/{part}": values for part, values in parts.items()},
        **{f"m/fewer/Brier skill/20/{part}": values for part, values in few.items()},
    }


def test_skill_is_found_on_what_happened_and_not_on_what_was_redrawn(
    arrays: dict[str, NDArray[np.generic]],
) -> None:
    outputs = by_market(arrays)["m"]
    assert [len(one.losses()[0]) for one in outputs] == [DAYS, DAYS - 30]
    real = [evidence(one, *one.losses()) for one in outputs]
    assert {said for said, _ in verdicts(real)} == {"demonstrated"}
    rows = list(before_and_after(outputs))
    assert [row.split(" | ")[-2:] for row in rows] == [["demonstrated", "demonstrated |"]] * 2
    drawn = list(draws(DAYS, 80, 20, seed=1))
    assert counts(redrawn(outputs, days) for days in drawn)[FAMILY_LEVEL] == 0


def test_centred_losses_gain_nothing_and_keep_their_swings(
    arrays: dict[str, NDArray[np.generic]],
) -> None:
    for one in by_market(arrays)["m"]:
        loss, strongest = one.losses()
        centred = Centred.of(one)
        known = ~np.isnan(centred.loss)
        gains = centred.strongest[known] - centred.loss[known]
        assert gains.mean() == pytest.approx(0.0, abs=1e-12)
        assert gains.std() == pytest.approx((strongest - loss).std())
        assert centred.evidence(np.arange(DAYS)).p_value == pytest.approx(0.5)


def test_days_are_drawn_in_blocks_and_repeat_with_the_seed() -> None:
    (days,), (again,) = (list(draws(100, 30, 1, seed=3)) for _ in range(2))
    np.testing.assert_array_equal(days, again)
    assert (np.diff(days)[:29] % 100 == 1).all()
    assert len(days) == 100


def test_the_bound_of_a_share_is_exact() -> None:
    assert upper_bound(0, 1000) == pytest.approx(1 - 0.05 ** (1 / 1000))
    assert upper_bound(7, 7) == 1.0


def test_a_score_whose_loss_is_not_known_is_refused(
    arrays: dict[str, NDArray[np.generic]],
) -> None:
    strange = {name.replace("Brier", "moon"): values for name, values in arrays.items()}
    with pytest.raises(JudgingError, match="'moon skill'"):
        by_market(strange)
