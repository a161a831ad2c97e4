"""The models, in the order in which they are trained, exported, sealed and listed."""

from __future__ import annotations

from aegismatrix_factory.heads.breach import Breach
from aegismatrix_factory.heads.breakout import Breakout
from aegismatrix_factory.heads.direction import Direction
from aegismatrix_factory.heads.head import Head
from aegismatrix_factory.heads.overnight import Overnight
from aegismatrix_factory.heads.regime import Regime
from aegismatrix_factory.heads.spike import Spike
from aegismatrix_factory.heads.theta import Theta
from aegismatrix_factory.heads.trap import Trap


def heads_on(device: str) -> tuple[Head, ...]:
    """Return the models, those with a network to be fitted on a device of torch's."""
    return (
        Trap(),
        Regime(),
        Breach(),
        Breakout(),
        Spike(),
        Theta(),
        Direction(device),
        Overnight(),
    )


HEADS: tuple[Head, ...] = heads_on("cpu")
