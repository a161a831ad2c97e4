"""Verdicts: what a walk-forward demonstrates, what it only indicates, and what it does not show.

Whoever judges fifty outputs at 2.5 % finds skill where there is none. So a verdict is reached over
all judgements of one market together (Holm 1979), and asks for an effect that is worth having and
for enough independent stretches of days to know it from.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aegismatrix.artifacts.fields import NONE_DEMONSTRATED
from aegismatrix.desk.monitoring.verdicts import (
    FAMILY_LEVEL,
    LEAST_EFFECT,
    LEAST_WINDOWS,
    verdict_on,
)
from aegismatrix.market import statistics
from aegismatrix_factory.evaluate.walkforward import Effort, Judgement, JudgingError

FloatArray = NDArray[np.float64]

RULE = {
    "family_level": FAMILY_LEVEL,
    "least_effect": LEAST_EFFECT,
    "least_windows": LEAST_WINDOWS,
}
"""As it is sealed."""


@dataclass(frozen=True)
class Evidence:
    """What a verdict on one output is reached from.

    Attributes
    ----------
    p_value : float
        Of no gain on the strongest baseline, one-sided, by itself.
    effect, lower : float
        Skill against the strongest baseline, and the lower end of its 95 % interval.
    windows : int
        Independent stretches of scored days.
    identity : tuple
        What only the same judgement under another name has in common with this one.
    """

    p_value: float
    effect: float
    lower: float
    windows: int
    identity: tuple[Any, ...]

    @classmethod
    def of(cls, sealed: Mapping[str, Any]) -> Evidence:
        """Take the evidence from a judgement as it is sealed.

        Parameters
        ----------
        sealed : mapping
            From `Judgement.to_dict`, or out of a manifest.

        Returns
        -------
        Evidence

        Raises
        ------
        JudgingError
            If it was sealed before verdicts were corrected: it has no p-value.
        """
        if "p_value" not in sealed:
            raise JudgingError(
                f"The judgement of {sealed['output']} on {sealed['market']} holds no p-value.",
                remedy="Train again: verdicts were not corrected when this one was sealed.",
            )
        skill = sealed["skills"][sealed["strongest"]]
        figures = ("first", "last", "n", "base_rate", "score", "auc", "calibration_error")
        return cls(
            p_value=sealed["p_value"],
            effect=skill["skill"],
            lower=skill["lower"],
            windows=sealed["windows"],
            identity=(sealed["p_value"], *skill.values(), *(sealed[name] for name in figures)),
        )


def holm(p_values: Sequence[float]) -> FloatArray:
    """Correct p-values for their number so that any false one is as rare as a level (Holm 1979).

    Parameters
    ----------
    p_values : sequence of float
        Of one family, each by itself; they may depend on each other in any way.

    Returns
    -------
    ndarray of shape (len(p_values),)
        The smallest level of the whole family at which each would be rejected; six significant
        digits.
    """
    return np.array([float(f"{one:.6g}") for one in statistics.holm(p_values)])


def verdicts(
    family: Sequence[Evidence], family_level: float = FAMILY_LEVEL
) -> list[tuple[str, float]]:
    """Reach the verdicts of one family.

    Parameters
    ----------
    family : sequence of Evidence
        All that was judged together. One judgement under two names, as trap over 5 days and theta
        are, counts once and gets one verdict.
    family_level : float
        The chance that any output of the family without skill is called demonstrated.

    Returns
    -------
    list of (verdict, corrected p-value)
        In the order of `family`. ``demonstrated``: the corrected p-value is at most
        `family_level`, the effect at least `LEAST_EFFECT`, the windows at least `LEAST_WINDOWS`.
        ``indicated``: the interval by itself is above 0, no more. ``none demonstrated``: the rest.
        The rule is `aegismatrix.desk.monitoring.verdicts.verdict_on`.
    """
    judged_once = {one.identity: one.p_value for one in family}
    corrected = dict(zip(judged_once, holm(list(judged_once.values())).tolist(), strict=True))
    return [
        (
            verdict_on(one.lower, one.effect, one.windows, corrected[one.identity], family_level),
            corrected[one.identity],
        )
        for one in family
    ]


def settled(
    judged: Mapping[str, Sequence[Judgement]], bundled: Collection[str], effort: Effort
) -> dict[str, list[Judgement]]:
    """Give every judgement of a training its verdict, whatever its head says of itself.

    Parameters
    ----------
    judged : mapping of str to sequence of Judgement
        By head.
    bundled : collection of str
        Names of the package's own heads: on each market they are one family, and all others are
        another, so that nobody's models make the verdicts on somebody else's stricter.
    effort : Effort
        How much work was put into the judgements; less than `FULL` demonstrates nothing.

    Returns
    -------
    dict of str to list of Judgement
        By head, in the same order.
    """
    said = reached({name: [one.to_dict() for one in of] for name, of in judged.items()}, bundled)
    return {
        name: [
            replace(
                one,
                verdict=NONE_DEMONSTRATED if effort.is_quick else verdict,
                corrected_p=corrected_p,
            )
            for one, (verdict, corrected_p) in zip(of, said[name], strict=True)
        ]
        for name, of in judged.items()
    }


def reached(
    sealed: Mapping[str, Sequence[Mapping[str, Any]]], bundled: Collection[str]
) -> dict[str, list[tuple[str, float]]]:
    """Reach all verdicts anew from judgements as they are sealed.

    Parameters
    ----------
    sealed : mapping of str to sequence of mapping
        By head: judgements from `Judgement.to_dict`, or out of a manifest.
    bundled : collection of str
        As for `settled`.

    Returns
    -------
    dict of str to list of (verdict, corrected p-value)
        By head, in the same order. Of a quick training they say what they would be in full.

    Raises
    ------
    JudgingError
        If one was sealed before verdicts were corrected.
    """
    families: dict[tuple[bool, str], list[tuple[str, int, Evidence]]] = {}
    for name, judgements in sealed.items():
        for place, one in enumerate(judgements):
            members = families.setdefault((name in bundled, one["market"]), [])
            members.append((name, place, Evidence.of(one)))
    found = {
        (name, place): outcome
        for members in families.values()
        for (name, place, _), outcome in zip(
            members, verdicts([evidence for _, _, evidence in members]), strict=True
        )
    }
    return {name: [found[name, place] for place in range(len(of))] for name, of in sealed.items()}
