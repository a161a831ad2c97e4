"""Theta edge: does long gamma pay within a week; the trap's estimator under its other name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from aegismatrix_factory.heads.head import FloatArray
from aegismatrix_factory.heads.trap import Trap

_PLACE = Trap.columns.index("trap_5")


class Theta(Trap):
    """P(realised volatility over the next 5 trading days > iv), as a buyer asks for it."""

    name = "theta"
    question = "Will realised volatility over the next 5 trading days exceed implied?"
    events = (replace(Trap.events[_PLACE], column="theta"),)

    def disagreement(self, probabilities: Mapping[str, FloatArray]) -> float:
        """Return the largest difference from the trap over 5 days."""
        if Trap.name not in probabilities:
            return 0.0
        difference = probabilities[self.name][:, 0] - probabilities[Trap.name][:, _PLACE]
        return float(np.abs(difference).max())
