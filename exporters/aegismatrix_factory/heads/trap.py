"""The volatility trap: will realised volatility exceed what the volatility index implies."""

from __future__ import annotations

from collections.abc import Mapping

from aegismatrix.market.events import TRAP
from aegismatrix_factory.evaluate.walkforward import Forecaster, Timeline, climatology, constant
from aegismatrix_factory.heads.events import Event, EventsHead
from aegismatrix_factory.heads.head import FloatArray


class Trap(EventsHead):
    """P(realised volatility over the next h trading days > iv), h = 5, 10, 20."""

    name = "trap"
    version = "2"
    question = "Will realised volatility over the next 5, 10, 20 trading days exceed implied?"
    events = tuple(Event.of(output, fit=str(days)) for days, output in TRAP.items())
    features: tuple[str, ...] = (
        "rv_5",
        "rv_22",
        "rv_66",
        "parkinson_1",
        "parkinson_5",
        "parkinson_22",
        "iv_z_252",
        "iv_over_mean_22",
        "iv_over_rv_252",
        "rv_22_over_252",
        "iv_change_5",
        "return_1",
        "return_5",
        "return_22",
        "drawdown_252",
        "iv_vol_22",
        "largest_return_22",
    )

    def baselines(
        self, event: Event, outcome: FloatArray, timeline: Timeline
    ) -> Mapping[str, Forecaster]:
        """Return climatology and 'iv is fair'."""
        del event, timeline
        return {"climatology": climatology(outcome), "iv is fair (0.5)": constant(0.5)}
