"""Breakouts: will a session's range exceed the usual one, tomorrow and on the days after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import spox.opset.ai.onnx.v18 as op
from spox import Tensor, argument, build

from aegismatrix.artifacts.manifest import ArraySpec
from aegismatrix.market.events import BREAKOUT
from aegismatrix_factory.evaluate.markets import MarketRows
from aegismatrix_factory.evaluate.walkforward import (
    EMBARGO_DAYS,
    Block,
    Forecasts,
    blocks,
    paired_gain,
    squared_error,
)
from aegismatrix_factory.graph.expressions import Graph
from aegismatrix_factory.heads.events import Event, EventsHead
from aegismatrix_factory.heads.head import Estimators, FloatArray, Inputs, Past, Progress
from aegismatrix_factory.heads.logistic import (
    fit_logistic,
    predict_stacked,
    stack_logistic,
    stacked_graph,
    training_rows,
)
from aegismatrix_factory.heads.spike import NEXT_SESSION, Spike
from aegismatrix_factory.heads.trap import Trap

OFFSETS_DAYS = tuple(BREAKOUT)
# The first fit that speaks for the past has seen a year.
PAST_WARM_UP_ROWS = 252 + NEXT_SESSION + EMBARGO_DAYS

_PAST = "past"


class Breakout(EventsHead):
    """P(true range of the j-th session ahead > 1.25 mean true ranges), j = 1 to 5."""

    name = "breakout"
    version = "2"
    question = (
        "Will the true range of the next session, and of each of the four after it, exceed 1.25"
        " times the 14-day mean?"
    )
    # The next session's breakout is its two spikes, of one classifier.
    events = (
        replace(
            Event.of(BREAKOUT[NEXT_SESSION], fit="spike"),
            label=Spike.events[0].label,
            classes=tuple(number for spike in Spike.events for number in spike.classes),
        ),
        *(Event.of(BREAKOUT[days], fit=f"{days}") for days in OFFSETS_DAYS[1:]),
    )
    features = Spike.features

    def fit(self, market: MarketRows, pool: Sequence[MarketRows]) -> Estimators:
        """Fit every classifier, and the next session's once more for each stretch of the past."""
        stretches = _stretches(market)
        spoken_for = [
            [str(market.dates[block.test[0]]), str(market.dates[block.test[-1]])]
            for block in stretches
        ]
        # The present fit has not seen what comes after its bars.
        tomorrow = str(market.dates[-1] + np.timedelta64(1, "D"))
        rows = [*(block.train for block in stretches), np.arange(len(market.dates))]
        # Alone: a pool's days would have been seen by the fits that are to speak for them.
        fits = [
            fit_logistic(
                *training_rows(
                    market,
                    self.events[0].label_rows(market),
                    of_fit,
                    None,
                    (),
                    self.features,
                    NEXT_SESSION,
                )
            )
            for of_fit in rows
        ]
        return {
            **super().fit(market, pool),
            _PAST: stack_logistic(fits),
            "stretches": [*spoken_for, [tomorrow, "9999-12-31"]],
        }

    def walk(
        self, market: MarketRows, pool: Sequence[MarketRows], progress: Progress
    ) -> dict[str, Forecasts]:
        """Walk forward for each session ahead, and once without the true ranges."""
        event = self.events[0]
        label = event.label_rows(market)
        return {
            **super().walk(market, pool, progress),
            "plain": self.walk_event(event, market, label, pool, Trap.features, lambda: None),
        }

    def measure(self, market: MarketRows, walks: Mapping[str, Forecasts]) -> list[dict[str, Any]]:
        """Measure what the true ranges among the features gain."""
        gained, plain = walks[self.events[0].column], walks["plain"]
        gain = paired_gain(
            squared_error(gained.model, gained.label),
            squared_error(plain.model, plain.label),
            squared_error(gained.baselines["climatology"], gained.label),
            NEXT_SESSION,
            market.effort,
        )
        return [
            {
                "what": "paired gain",
                "market": market.name,
                "output": self.events[0].column,
                "over": "the same model without the true ranges",
                "gain": round(gain.skill, 6),
                "lower": round(gain.lower, 6),
                "upper": round(gain.upper, 6),
            }
        ]

    def disagreement(self, probabilities: Mapping[str, FloatArray]) -> float:
        """Return the largest difference of a breakout from the sum of its spikes."""
        if Spike.name not in probabilities:
            return 0.0
        spikes = probabilities[Spike.name].sum(axis=1)
        return float(np.abs(probabilities[self.name][:, 0] - spikes).max())

    def past(self, estimators: Estimators) -> Past:
        """Return the fits of the next session that speak for the past."""
        last_fit = len(estimators["stretches"]) - 1
        fit = ArraySpec("fit", "int64", ("N",), "numbers of stretches", minimum=0, maximum=last_fit)
        column = self.events[0].column
        return Past(
            stretches=tuple((first, last) for first, last in estimators["stretches"]),
            inputs=(fit,),
            outputs=(ArraySpec("probability", "float64", ("N", 1), "probability", (column,)),),
            build=lambda feature_names: self._author_past(estimators[_PAST], feature_names),
            predict=lambda inputs: _breaks_out(
                predict_stacked(estimators[_PAST], inputs["features"], inputs["fit"])
            ),
            examples=lambda *_: {},
        )

    def _author_past(self, stacked: Inputs, feature_names: tuple[str, ...]) -> onnx.ModelProto:
        graph = Graph()
        features = argument(Tensor(np.float64, ("N", len(feature_names))))
        fit = argument(Tensor(np.int64, ("N",)))
        read = graph.columns(features, feature_names, self.features)
        classes = stacked_graph(stacked, read, fit, graph)
        ways = op.gather(classes, graph.constant(self.events[0].classes), axis=1)
        return build(
            {"features": features, "fit": fit},
            {"probability": op.reduce_sum(ways, graph.constant([1]))},
        )


def _breaks_out(classes: FloatArray) -> FloatArray:
    return np.asarray(classes[:, Breakout.events[0].classes].sum(axis=1, keepdims=True))


def _stretches(market: MarketRows) -> list[Block]:
    warm_up = min(PAST_WARM_UP_ROWS, len(market.dates) - 1)
    spans = market.dates[warm_up], market.dates[-1]
    return list(blocks(market.timeline(NEXT_SESSION), *spans, market.effort))
