"""The models, in the order in which they are trained, exported, sealed and listed."""

from __future__ import annotations

from exporters.breach import Breach
from exporters.head import Head
from exporters.regime import Regime
from exporters.trap import Trap

HEADS: tuple[Head, ...] = (Trap(), Regime(), Breach())
