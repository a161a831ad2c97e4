"""Theta edge: does long gamma pay within a week; the trap's estimator under its other name."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from aegismatrix.market.events import THETA, THETA_DAYS, TRAP
from aegismatrix_factory.heads.events import Event
from aegismatrix_factory.heads.head import FloatArray
from aegismatrix_factory.heads.trap import Trap

_PLACE = Trap.columns.index(TRAP[THETA_DAYS].column)


class Theta(Trap):
    """P(realised volatility over the next 5 trading days > iv), as a buyer asks for it."""

    name = "theta"
    question = "Will realised volatility over the next 5 trading days exceed implied?"
    events = (Event.of(THETA, fit=Trap.events[_PLACE].fit),)

    def disagreement(self, probabilities: Mapping[str, FloatArray]) -> float:
        """Return the largest difference from the trap over 5 days."""
        if Trap.name not in probabilities:
            return 0.0
        difference = probabilities[self.name][:, 0] - probabilities[Trap.name][:, _PLACE]
        return float(np.abs(difference).max())
