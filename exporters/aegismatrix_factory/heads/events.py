"""Heads that forecast events side by side, each by a logistic regression of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import onnx
import spox.opset.ai.onnx.v18 as op
from spox import Tensor, argument, build

from aegismatrix.market.bars import Bars
from aegismatrix.market.events import Output
from aegismatrix.market.outcomes import answers
from aegismatrix_factory.evaluate.markets import MarketRows
from aegismatrix_factory.evaluate.walkforward import (
    Block,
    Forecaster,
    Forecasts,
    Judgement,
    JudgingError,
    Timeline,
    blocks,
    check_shuffled,
    climatology,
    judge,
    markov,
    shuffled,
    squared_error,
    walk_forward,
)
from aegismatrix_factory.graph.expressions import Graph
from aegismatrix_factory.heads.head import Estimators, FloatArray, Head, Inputs, Progress
from aegismatrix_factory.heads.logistic import (
    fit_logistic,
    logistic_forecaster,
    logistic_graph,
    predict_logistic,
    training_rows,
)


@dataclass(frozen=True)
class Event:
    """What may happen within a horizon.

    Attributes
    ----------
    column : str
        Name of its probability.
    horizon_days : int
        Trading days until it is known.
    label : callable
        From bars to an array of one value per bar: a class, 0 for nothing; NaN where that is not
        known.
    classes : tuple of int
        The classes that count as the event.
    fit : str
        Name of the classifier; events of the same label share one.
    output : Output or None
        What it is to readers and to monitoring; None if nothing but its column is known.
    """

    column: str
    horizon_days: int
    label: Callable[[Bars], FloatArray]
    classes: tuple[int, ...]
    fit: str
    output: Output | None = None

    @classmethod
    def of(cls, output: Output, fit: str | None = None) -> Event:
        """Return the event of an output: what decides it in monitoring is what it is trained on.

        Parameters
        ----------
        output : Output
            Of the catalogue, or of a model's own; it has an event.
        fit : str, optional
            Name of the classifier; by default the column.

        Returns
        -------
        Event

        Raises
        ------
        ValueError
            If the output names no event.
        """
        if output.event is None:
            raise ValueError(f"{output.column} names no event that it could be trained on")
        return cls(
            column=output.column,
            horizon_days=output.event.horizon_days,
            label=partial(answers, output.event),
            classes=output.event.classes,
            fit=fit or output.column,
            output=output,
        )

    def happened(self, label: FloatArray) -> FloatArray:
        """Return 1 where the class is one of the event's, 0 elsewhere, NaN where not known."""
        return np.where(np.isnan(label), np.nan, np.isin(label, self.classes))

    def label_rows(self, market: MarketRows) -> FloatArray:
        """Return the label of every feature row of a market, shape (N,)."""
        return market.rows_of(self.label(market.bars))


class EventsHead(Head):
    """A head whose probabilities are those of single events.

    Attributes
    ----------
    events : tuple of Event
        In the order of the columns.
    """

    events: tuple[Event, ...]
    tolerance = 1e-12

    def __init_subclass__(cls) -> None:
        cls.columns = tuple(event.column for event in cls.events)
        cls.meanings = tuple(event.output for event in cls.events if event.output is not None)

    def baselines(
        self, event: Event, outcome: FloatArray, timeline: Timeline
    ) -> Mapping[str, Forecaster]:
        """Return what forecasts of an event must beat.

        Parameters
        ----------
        event : Event
            One of the head's.
        outcome : ndarray of shape (N,)
            Of every row, 0 or 1; NaN where not known.
        timeline : Timeline
            Of the same rows, at the horizon of the event.

        Returns
        -------
        mapping of str to callable
        """
        del event
        return {"climatology": climatology(outcome), "markov": markov(outcome, timeline)}

    def fit(self, market: MarketRows, pool: Sequence[MarketRows]) -> Estimators:
        """Fit every classifier on every labelled row."""
        return {
            name: fit_logistic(
                *training_rows(
                    market,
                    event.label_rows(market),
                    np.arange(len(market.dates)),
                    None,
                    [(other, event.label_rows(other)) for other in pool],
                    self.features,
                    event.horizon_days,
                )
            )
            for name, event in {event.fit: event for event in self.events}.items()
        }

    def walk(
        self, market: MarketRows, pool: Sequence[MarketRows], progress: Progress
    ) -> dict[str, Forecasts]:
        """Walk forward for each event."""
        return {
            event.column: self.walk_event(
                event, market, event.label_rows(market), pool, self.features, progress
            )
            for event in self.events
        }

    def walk_event(
        self,
        event: Event,
        market: MarketRows,
        label: FloatArray,
        pool: Sequence[MarketRows],
        features: tuple[str, ...],
        progress: Progress,
    ) -> Forecasts:
        """Walk forward for one event.

        Parameters
        ----------
        event : Event
            One of the head's.
        market : MarketRows
            The market.
        label : ndarray of shape (N,)
            Its label, shuffled or not.
        pool : sequence of MarketRows
            Other markets that steady it.
        features : tuple of str
            The columns to read.
        progress : callable
            Called after each refit.

        Returns
        -------
        Forecasts
            Whether it happens, 0 or 1.

        Raises
        ------
        JudgingError
            If a class does not come before some block.
        """
        pooled = [(other, event.label_rows(other)) for other in pool]
        classes = logistic_forecaster(market, label, pooled, features, event.horizon_days)
        outcome, timeline = event.happened(label), market.timeline(event.horizon_days)
        known = len(np.unique(label[~np.isnan(label)]))

        def model(block: Block) -> FloatArray:
            probabilities = classes(block)
            if probabilities.shape[1] != known:
                raise JudgingError(
                    f"Before {block.cut} only {probabilities.shape[1]} of {known} classes of"
                    f" {event.column} came.",
                    remedy="Give a longer history, one in which every class occurs early.",
                )
            return np.asarray(probabilities[:, event.classes].sum(axis=1))

        return walk_forward(
            timeline,
            outcome,
            market.scored_from,
            market.scored_to,
            model,
            self.baselines(event, outcome, timeline),
            progress,
            market.effort,
        )

    def check_shuffled(self, market: MarketRows, progress: Progress) -> None:
        """Check each event."""
        for event in self.events:
            label = shuffled(event.label_rows(market))
            mixed = self.walk_event(event, market, label, (), self.features, progress)
            check_shuffled(mixed.model, mixed.label, f"{event.column} on {market.name}")

    def judge(self, market: MarketRows, walks: Mapping[str, Forecasts]) -> list[Judgement]:
        """Judge each event by its Brier skill."""
        return [
            judge(
                walks[event.column],
                output=event.column,
                market=market.name,
                horizon_days=event.horizon_days,
                score="Brier skill",
                loss=squared_error,
                events=[(walks[event.column].model, walks[event.column].label)],
                effort=market.effort,
            )
            for event in self.events
        ]

    def refits(self, market: MarketRows) -> int:
        """Return two walk-forwards, one with shuffled labels, for each event."""
        spans = market.scored_from, market.scored_to
        return sum(
            2 * len(list(blocks(market.timeline(event.horizon_days), *spans, market.effort)))
            for event in self.events
        )

    def base_rates(self, market: MarketRows) -> dict[str, float]:
        """Return how often each event happened."""
        return {
            event.column: float(np.nanmean(event.happened(event.label_rows(market))))
            for event in self.events
        }

    def predict(self, estimators: Estimators, inputs: Inputs) -> FloatArray:
        """Return the events' probabilities, shape (N, len(columns))."""
        classes = {
            name: predict_logistic(fitted, inputs["features"])
            for name, fitted in self.classifiers(estimators).items()
        }
        return np.column_stack(
            [classes[event.fit][:, event.classes].sum(axis=1) for event in self.events]
        )

    def build(self, estimators: Estimators, feature_names: tuple[str, ...]) -> onnx.ModelProto:
        """Author the graph: standardise, clip, the logistic regressions side by side."""
        graph = Graph()
        features = argument(Tensor(np.float64, ("N", len(feature_names))))
        read = graph.columns(features, feature_names, self.features)
        classes = {
            name: logistic_graph(fitted, read, graph)
            for name, fitted in self.classifiers(estimators).items()
        }
        axis = graph.constant([1])
        probabilities = []
        for event in self.events:
            happens = op.gather(classes[event.fit], graph.constant(event.classes), axis=1)
            several = len(event.classes) > 1
            probabilities.append(op.reduce_sum(happens, axis) if several else happens)
        return build({"features": features}, {"probability": op.concat(probabilities, axis=1)})

    def classifiers(self, estimators: Estimators) -> dict[str, Any]:
        """Return the classifiers among what was stored, by name."""
        return {event.fit: estimators[event.fit] for event in self.events}
