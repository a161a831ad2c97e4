"""Where scores are cut into labels: one table, relative to how often the event happens.

A probability of 0.3 is high for an event with a base rate of 0.2 and low for one with 0.5, so every
cut is a multiple of the base rate that is sealed beside the model.
"""

from __future__ import annotations

from collections.abc import Mapping

from aegismatrix.records import dataclass


@dataclass(frozen=True)
class Levels:
    """Three labels and the two cuts between them.

    Attributes
    ----------
    labels : tuple of str
        For a low, a middling and a high score.
    low, high : float
        Multiples of the base rate: below the first the score is low, from the second on high.
    """

    labels: tuple[str, str, str]
    low: float
    high: float

    def label(self, score: float, base_rate: float) -> str:
        """Return the label of a score.

        Parameters
        ----------
        score, base_rate : float
            Both within 0 and 1.

        Returns
        -------
        str
        """
        if score < self.low * base_rate:
            return self.labels[0]
        return self.labels[1] if score < self.high * base_rate else self.labels[2]


LEVELS: Mapping[str, Levels] = {
    "trap": Levels(("LOW", "MEDIUM", "HIGH"), 0.80, 1.25),
    "expiry_stress": Levels(("CALM", "CAUTION", "HOSTILE"), 0.80, 1.25),
    "breakout": Levels(("LOW", "MEDIUM", "HIGH"), 0.80, 1.25),
    "theta_edge": Levels(
        ("DONT_WASTE_PREMIUM", "BORDERLINE", "EDGE_JUSTIFIES_PREMIUM"), 0.80, 1.25
    ),
}
"""By signal; `docs/report.md` shows it."""

DIRECTION_LEAN = 1.01
"""A direction is named if its probability is at least so many times its base rate. The model is
shrunk to a tenth of what it would say, so a hundredth above the usual is much of it."""
