"""How far a number is to be trusted, in a line that a trader understands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aegismatrix.artifacts.fields import DEMONSTRATED, INDICATED, NONE_DEMONSTRATED
from aegismatrix.desk.html.figures import MINUS, SPACE
from aegismatrix.records import dataclass

SIGNS = {
    DEMONSTRATED: "\N{BLACK CIRCLE}",
    INDICATED: "\N{CIRCLE WITH LEFT HALF BLACK}",
    NONE_DEMONSTRATED: "\N{WHITE CIRCLE}",
}
"""Of verdicts, in a table whose caption explains them."""

_WORDS = {
    DEMONSTRATED: "Skill demonstrated",
    INDICATED: "Skill indicated, not demonstrated",
    NONE_DEMONSTRATED: "Skill: none demonstrated",
}
_MARKS = {DEMONSTRATED: "shown", INDICATED: "hinted", NONE_DEMONSTRATED: "unshown"}


@dataclass(frozen=True)
class Trust:
    """A verdict as the page says it.

    Attributes
    ----------
    mark : {'shown', 'hinted', 'unshown', 'unjudged', 'measured'}
        Which sign stands before it.
    words : str
        The verdict.
    detail : str
        The evidence, one sentence.
    """

    mark: str
    words: str
    detail: str


def trust(verdict: str, judged: Mapping[str, Any] | None, otherwise: str = "") -> Trust:
    """Put a verdict and its evidence into words.

    Parameters
    ----------
    verdict : str
        ``demonstrated``, ``indicated``, ``none demonstrated`` or ``not judged``.
    judged : mapping or None
        The output's entry of ``provenance.skill``, where it has one.
    otherwise : str
        What to say where there is no such entry.

    Returns
    -------
    Trust
    """
    words = _WORDS.get(verdict, "Not judged")
    mark = _MARKS.get(verdict, "unjudged")
    if verdict not in _WORDS or judged is None:
        return Trust(mark, words, otherwise)
    return Trust(mark, words, _evidence(verdict, judged))


def skill_and_interval(judged: Mapping[str, Any], unit: str = f"{SPACE}%") -> str:
    """Return a skill with its 95 % interval, in per cent.

    Parameters
    ----------
    judged : mapping
        An entry of ``provenance.skill``.
    unit : str
        After each figure.

    Returns
    -------
    str
    """
    skill, lower, upper = (
        f"{_signed(judged[figure])}{unit}" for figure in ("skill", "lower", "upper")
    )
    return f"{skill} [{lower}, {upper}]"


def _signed(fraction: float) -> str:
    """One decimal, with its sign even where that is a zero: the sign is the verdict."""
    return f"{100.0 * fraction:+.1f}".replace("-", MINUS) if fraction else "0.0"


def _evidence(verdict: str, judged: Mapping[str, Any]) -> str:
    measured = f"{skill_and_interval(judged)} against {judged['baseline']}"
    if verdict == DEMONSTRATED:
        return f"{measured}; walk-forward on {judged['market']}."
    if verdict == INDICATED:
        return f"{measured}; too little to count among all that was judged beside it."
    if judged["upper"] < 0.0:
        return f"{measured}: it did worse."
    if judged["lower"] > 0.0:
        return f"{measured}: from too few refits to count."
    return f"{measured}: the interval does not clear zero."
