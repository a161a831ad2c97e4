"""The models, in the order in which they are trained, exported, sealed and listed."""

from __future__ import annotations

from exporters.breach import Breach
from exporters.breakout import Breakout
from exporters.direction import Direction
from exporters.head import Head
from exporters.regime import Regime
from exporters.spike import Spike
from exporters.theta import Theta
from exporters.trap import Trap

HEADS: tuple[Head, ...] = (
    Trap(),
    Regime(),
    Breach(),
    Breakout(),
    Spike(),
    Theta(),
    Direction(),
)
