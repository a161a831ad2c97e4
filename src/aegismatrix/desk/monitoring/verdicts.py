"""What a log demonstrates: the terms of the walk-forward, on days that are evidence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from aegismatrix.artifacts.fields import DEMONSTRATED, INDICATED, NONE_DEMONSTRATED
from aegismatrix.desk.report import NOT_JUDGED
from aegismatrix.market.arrays import FloatArray
from aegismatrix.market.statistics import (
    gain_p_value,
    holm,
    independent_windows,
    skill_interval,
    windows_needed,
)
from aegismatrix.records import dataclass

# Chosen by benchmarks/null_verdicts.py; docs/models.md has what it found.
FAMILY_LEVEL = 0.005
"""The chance that any output of a family without skill is called demonstrated."""

LEAST_EFFECT = 0.01
"""Skill below which nothing is demonstrated."""

LEAST_WINDOWS = 40
"""Independent stretches of scored days below which nothing is demonstrated."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """The losses of one series on the days that are evidence, oldest first.

    Attributes
    ----------
    horizon_days : int
        Trading days.
    losses, reference : ndarray of shape (n,)
        Squared errors of the forecast and of the sealed base rate.
    """

    horizon_days: int
    losses: FloatArray
    reference: FloatArray


@dataclass(frozen=True)
class LiveVerdict:
    """What the log shows of one series.

    Attributes
    ----------
    verdict : {'demonstrated', 'indicated', 'none demonstrated'}
        ``demonstrated``: skill against the sealed base rate holds at 0.5 % after correction for
        all series that are scored (Holm 1979), is at least 1 % and rests on at least 40
        independent stretches of days. ``indicated``: its 95 % interval by itself is above 0.
    n, windows : int
        Days that are evidence, and how many independent stretches they make.
    skill : float or None
        On these days; None if there are none.
    corrected_p : float
        One-sided, of no gain on the base rate, after correction.
    """

    verdict: str
    n: int
    windows: int
    skill: float | None
    corrected_p: float


def live_verdicts(evidence: Mapping[str, Evidence]) -> dict[str, LiveVerdict]:
    """Reach the verdicts of all series that are scored together.

    Parameters
    ----------
    evidence : mapping of str to Evidence
        By series. What two series say alike, day by day, is judged once.

    Returns
    -------
    dict of str to LiveVerdict
    """
    p_values = {
        (one.horizon_days, one.losses.tobytes()): gain_p_value(
            one.losses, one.reference, one.horizon_days
        )
        for one in evidence.values()
    }
    corrected = dict(zip(p_values, holm(list(p_values.values())), strict=True))
    return {
        name: _verdict(one, corrected[one.horizon_days, one.losses.tobytes()])
        for name, one in evidence.items()
    }


def verdict_on(
    lower: float,
    effect: float,
    windows: int,
    corrected_p: float,
    family_level: float = FAMILY_LEVEL,
) -> str:
    """Reach one verdict: the rule of the walk-forward and of the log alike.

    Parameters
    ----------
    lower, effect : float
        The lower end of the 95 % interval of the skill by itself, and the skill.
    windows : int
        Independent stretches of days.
    corrected_p : float
        Of no gain, one-sided, after correction for all that was judged together.
    family_level : float
        The chance that any of them without skill is called demonstrated.

    Returns
    -------
    {'demonstrated', 'indicated', 'none demonstrated'}
    """
    if not lower > 0.0:
        return NONE_DEMONSTRATED
    is_known = corrected_p <= family_level and windows >= LEAST_WINDOWS
    return DEMONSTRATED if is_known and effect >= LEAST_EFFECT else INDICATED


def counted(verdicts: Sequence[str]) -> dict[str, int]:
    """Count verdicts by name.

    Parameters
    ----------
    verdicts : sequence of str
        Of every series that is scored.

    Returns
    -------
    dict of str to int
        All four, best first.
    """
    found = Counter(verdicts)
    names = (DEMONSTRATED, INDICATED, NONE_DEMONSTRATED, NOT_JUDGED)
    return {name: found[name] for name in names}


def _verdict(one: Evidence, corrected_p: float) -> LiveVerdict:
    count = len(one.losses)
    windows = independent_windows(count, one.horizon_days)
    skill = float(1.0 - one.losses.mean() / one.reference.mean()) if count else None
    verdict = NONE_DEMONSTRATED
    if skill is not None and count >= windows_needed(one.horizon_days):
        lower, _ = skill_interval(one.losses, one.reference, one.horizon_days)
        verdict = verdict_on(lower, skill, windows, corrected_p)
    return LiveVerdict(verdict, count, windows, skill, corrected_p)
