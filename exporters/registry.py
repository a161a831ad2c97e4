"""The models, in the order in which they are trained, exported, sealed and listed."""

from __future__ import annotations

from exporters.breach import Breach
from exporters.breakout import Breakout
from exporters.direction import Direction
from exporters.head import Head
from exporters.overnight import Overnight
from exporters.regime import Regime
from exporters.spike import Spike
from exporters.theta import Theta
from exporters.trap import Trap


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
