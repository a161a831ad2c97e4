"""What a walk-forward demonstrates, what it only indicates, and what it does not show."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from aegismatrix_factory.evaluate.verdicts import (
    RULE,
    Evidence,
    holm,
    reached,
    settled,
    verdicts,
)
from aegismatrix_factory.evaluate.walkforward import (
    FULL,
    QUICK,
    Judgement,
    JudgingError,
    Losses,
    Skill,
    bootstrap_means,
    gain_p_value,
)
from aegismatrix_factory.release.card import RULE_KEY, model_card
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import t as student

from aegismatrix.artifacts.manifest import read_manifest
from aegismatrix.desk.monitoring.verdicts import FAMILY_LEVEL, LEAST_EFFECT, LEAST_WINDOWS
from aegismatrix.market.statistics import independent_windows

FloatArray = NDArray[np.float64]

STRONG = Evidence(1e-9, 0.05, 0.03, 60, ("strong",))
BUNDLED = {"trap", "theta", "spike"}


def judgement(
    output: str, p_value: float = 1e-9, market: str = "nifty", **fields: Any
) -> Judgement:
    return Judgement(
        **{
            "output": output,
            "market": market,
            "first": "2015-01-02",
            "last": "2024-12-31",
            "n": 2400,
            "base_rate": 0.2,
            "score": "Brier skill",
            "skills": {"climatology": Skill(0.05, 0.03, 0.07)},
            "strongest": "climatology",
            "auc": 0.6,
            "auc_lower": 0.55,
            "auc_upper": 0.65,
            "calibration_error": 0.01,
            "years": {},
            "p_value": p_value,
            "windows": 57,
            "verdict": "demonstrated",
            "corrected_p": None,
            "losses": Losses(np.array([], dtype="datetime64[D]"), np.array([]), 1),
            **fields,
        }
    )


def said(judged: Mapping[str, list[Judgement]]) -> dict[str, str]:
    return {one.output: one.verdict for of in judged.values() for one in of}


def test_holm_corrects_as_by_hand() -> None:
    # By size .005 x 4, .01 x 3, .03 x 2, .04 x 1, none smaller than the one before.
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm([0.7, 0.6]), [1.0, 1.0])
    assert holm([]).size == 0


evidences = st.builds(
    Evidence,
    p_value=st.sampled_from([0.0, 1e-8, FAMILY_LEVEL / 20, FAMILY_LEVEL / 3, FAMILY_LEVEL, 0.4]),
    effect=st.sampled_from([-0.1, LEAST_EFFECT, 0.2]),
    lower=st.sampled_from([-0.1, 0.0, 0.005]),
    windows=st.sampled_from([1, LEAST_WINDOWS, 99]),
    identity=st.tuples(st.integers(0, 40)),
)


def distinct(family: list[Evidence]) -> list[Evidence]:
    """One judgement for one identity: the same figures under two names are equal throughout."""
    return list({one.identity: one for one in family}.values())


@settings(max_examples=60, deadline=None)
@given(st.lists(evidences, max_size=12), st.lists(evidences, max_size=12))
def test_more_judgements_never_demonstrate_what_fewer_did_not(
    family: list[Evidence], more: list[Evidence]
) -> None:
    everything = distinct(family + more)
    family = everything[: len(distinct(family))]
    alone, among = verdicts(family), verdicts(everything)
    for (verdict, corrected_p), (later, later_p) in zip(alone, among, strict=False):
        assert later_p >= corrected_p
        assert later == verdict or (verdict, later) == ("demonstrated", "indicated")


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({}, "demonstrated"),
        ({"p_value": FAMILY_LEVEL}, "demonstrated"),
        ({"p_value": 1.01 * FAMILY_LEVEL}, "indicated"),
        ({"effect": LEAST_EFFECT}, "demonstrated"),
        ({"effect": 0.99 * LEAST_EFFECT}, "indicated"),
        ({"windows": LEAST_WINDOWS}, "demonstrated"),
        ({"windows": LEAST_WINDOWS - 1}, "indicated"),
        ({"lower": 0.0}, "none demonstrated"),
        ({"lower": float("nan")}, "none demonstrated"),
    ],
)
def test_chance_effect_and_windows_each_deny_it(change: dict[str, Any], verdict: str) -> None:
    assert verdicts([replace(STRONG, **change)])[0][0] == verdict


def test_one_judgement_under_two_names_counts_once() -> None:
    chance = 0.9 * FAMILY_LEVEL / 2
    trap, theta = judgement("trap_5", chance), judgement("theta", chance)
    other = judgement("spike_up", 0.5, base_rate=0.1)
    judged = settled({"trap": [trap], "theta": [theta], "spike": [other]}, BUNDLED, FULL)
    assert judged["trap"][0].corrected_p == judged["theta"][0].corrected_p
    assert judged["trap"][0].corrected_p == pytest.approx(2 * chance)
    assert said(judged)["trap_5"] == said(judged)["theta"] == "demonstrated"


def test_models_of_others_and_other_markets_make_no_verdict_stricter() -> None:
    many = [judgement(f"mine_{n}", 0.9, base_rate=n / 1000) for n in range(50)]
    abroad = [judgement(f"spike_{n}", 0.9, "sp500", base_rate=n / 1000) for n in range(50)]
    own = judgement("trap_5", FAMILY_LEVEL)
    judged = settled({"trap": [own], "spike": abroad, "mine": many}, BUNDLED, FULL)
    assert said(judged)["trap_5"] == "demonstrated"
    first = replace(many[0], p_value=FAMILY_LEVEL)
    judged = settled({"trap": [own], "mine": [first, *many[1:]]}, BUNDLED, FULL)
    assert said(judged)["mine_0"] == "indicated"
    assert judged["mine"][0].corrected_p == pytest.approx(50 * FAMILY_LEVEL)


def test_a_quick_training_demonstrates_and_indicates_nothing() -> None:
    judged = settled({"trap": [judgement("trap_5", 0.0)]}, BUNDLED, QUICK)
    assert said(judged) == {"trap_5": "none demonstrated"}
    assert said(settled(judged, BUNDLED, FULL)) == {"trap_5": "demonstrated"}


def test_verdicts_are_reached_anew_from_what_was_sealed() -> None:
    of = {"trap": [judgement(f"trap_{n}", 10.0**-n, base_rate=n / 99) for n in range(2, 9)]}
    judged = settled(of, BUNDLED, FULL)
    sealed = {name: [one.to_dict() for one in each] for name, each in judged.items()}
    assert reached(sealed, BUNDLED)["trap"] == [
        (one["verdict"], one["corrected_p"]) for one in sealed["trap"]
    ]
    assert {"demonstrated", "indicated"} == set(said(judged).values())
    del sealed["trap"][0]["p_value"]
    with pytest.raises(JudgingError, match="trap_2 on nifty holds no p-value"):
        reached(sealed, BUNDLED)


def test_the_chance_of_a_gain_has_the_error_of_the_bootstrap() -> None:
    random = np.random.default_rng(1)
    baseline = random.random(42 * 30)
    loss = baseline - np.repeat(random.normal(0.006, 0.02, 126), 10)
    error = bootstrap_means(baseline - loss, 1, 20_000).std() * np.sqrt(30 / 29)
    expected = student.sf((baseline - loss).mean() / error, 29)
    assert gain_p_value(loss, baseline, 1) == pytest.approx(expected, rel=0.1)
    assert 1e-6 < expected < 0.01
    assert gain_p_value(baseline, loss, 1) == pytest.approx(1 - gain_p_value(loss, baseline, 1))
    turned, against = np.roll(loss, 500), np.roll(baseline, 500)
    assert gain_p_value(turned, against, 1) == pytest.approx(
        gain_p_value(loss, baseline, 1), rel=1e-5
    )


def test_without_a_gain_or_with_too_few_days_chance_explains_all() -> None:
    flat = np.full(500, 0.25)
    assert gain_p_value(flat, flat, 1) == gain_p_value(flat, 0.5 * flat, 1) == 1.0
    assert gain_p_value(flat, 2 * flat, 1) == 0.0
    assert gain_p_value(flat[:83], 2 * flat[:83], 1) == 1.0
    assert [independent_windows(2400, days) for days in (1, 20, 21, 40)] == [57, 57, 57, 30]


def test_the_card_says_by_which_rule_its_verdicts_were_reached() -> None:
    content = json.loads(json.dumps(read_manifest().content))
    judged = [one for entry in content["artifacts"] for one in entry.get("judgements", ())]
    for one in judged:
        one.pop("corrected_p", None)
    content.pop(RULE_KEY, None)
    before = model_card(content)
    assert "only if the lower end of the 95 % interval" in before
    assert "corrected p" not in before
    content[RULE_KEY] = RULE
    judged[0] |= {"corrected_p": 0.0012345, "verdict": "indicated"}
    after = model_card(content)
    assert "holds at a level of 0.5 % after correction" in after
    assert "at least 1 % and rests on at least 40 stretches" in after
    assert "| 0.0012 | indicated |" in after
