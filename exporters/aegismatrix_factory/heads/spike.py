"""Spikes: will the next session break out of its usual range, and to which side."""

from __future__ import annotations

from aegismatrix.market.events import SPIKE
from aegismatrix_factory.heads.events import Event, EventsHead
from aegismatrix_factory.heads.trap import Trap

NEXT_SESSION = 1


class Spike(EventsHead):
    """P(down-spike), P(up-spike) in the next session: two classes of three, the third is none."""

    name = "spike"
    version = "2"
    question = (
        "Will the next session's true range exceed 1.25 times the 14-day mean, on a lower close,"
        " on a higher one?"
    )
    events = tuple(Event.of(output, fit="spike") for output in SPIKE.values())
    features = (*Trap.features, "true_range_1", "true_range_14")
