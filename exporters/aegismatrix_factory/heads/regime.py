"""The volatility regime: LOW, MEDIUM or HIGH over the next 20 trading days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import spox.opset.ai.onnx.v18 as op
from spox import Tensor, argument, build

from aegismatrix.market.events import REGIME, REGIME_HORIZON_DAYS, REGIMES
from aegismatrix.market.outcomes import regime_label
from aegismatrix_factory.evaluate.markets import MarketRows
from aegismatrix_factory.evaluate.walkforward import (
    Block,
    Forecaster,
    Forecasts,
    Judgement,
    blocks,
    check_shuffled,
    climatology,
    judge,
    ranked_probability,
    shuffled,
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
from aegismatrix_factory.heads.trap import Trap

HIGH = REGIMES.index("high")
RATIOS = (
    "iv_over_lower_tercile",
    "iv_over_upper_tercile",
    "rv_20_over_lower_tercile",
    "rv_20_over_upper_tercile",
)
# The classes are cut where these ratios say, so they are all but freed from the penalty.
RATIO_GAIN = 5.0


class Regime(Head):
    """P(LOW, MEDIUM, HIGH) of forward 20-day volatility against the terciles of the past year."""

    name = "regime"
    version = "2"
    question = (
        "In which tercile of the past year's 20-day realised volatility will the next 20 days fall?"
    )
    features = (*Trap.features, *RATIOS)
    columns = tuple(output.column for output in REGIME.values())
    tolerance = 1e-12
    pooled_elsewhere = True

    def fit(self, market: MarketRows, pool: Sequence[MarketRows]) -> Estimators:
        """Fit one multinomial classifier on every labelled row."""
        rows = np.arange(len(market.dates))
        pooled = [(other, _label(other)) for other in pool]
        table = training_rows(
            market, _label(market), rows, None, pooled, self.features, REGIME_HORIZON_DAYS
        )
        return {"classes": fit_logistic(*table, gain=_gains(self.features))}

    def walk(
        self, market: MarketRows, pool: Sequence[MarketRows], progress: Progress
    ) -> dict[str, Forecasts]:
        """Walk forward."""
        return {self.name: self._walk(market, _label(market), pool, progress)}

    def check_shuffled(self, market: MarketRows, progress: Progress) -> None:
        """Check the probability of HIGH."""
        mixed = self._walk(market, shuffled(_label(market)), (), progress)
        check_shuffled(mixed.model[:, HIGH], _is_high(mixed.label), f"regime on {market.name}")

    def judge(self, market: MarketRows, walks: Mapping[str, Forecasts]) -> list[Judgement]:
        """Judge by ranked probability against climatology and the Markov chain of regimes."""
        walked = walks[self.name]
        return [
            judge(
                walked,
                output=self.name,
                market=market.name,
                horizon_days=REGIME_HORIZON_DAYS,
                score="RPS skill",
                loss=ranked_probability,
                events=[(walked.model[:, HIGH], _is_high(walked.label))],
                effort=market.effort,
            )
        ]

    def said(self, market: MarketRows, walks: Mapping[str, Forecasts]) -> FloatArray:
        """Return the classes of the one walk."""
        return walks[self.name].by_row(len(market.dates))

    def refits(self, market: MarketRows) -> int:
        """Return two walk-forwards, one with shuffled labels."""
        timeline = market.timeline(REGIME_HORIZON_DAYS)
        return 2 * len(list(blocks(timeline, market.scored_from, market.scored_to, market.effort)))

    def base_rates(self, market: MarketRows) -> dict[str, float]:
        """Return how often each regime came."""
        label = _label(market)
        known = label[~np.isnan(label)]
        return {column: float(np.mean(known == place)) for place, column in enumerate(self.columns)}

    def predict(self, estimators: Estimators, inputs: Inputs) -> FloatArray:
        """Return P(LOW, MEDIUM, HIGH), shape (N, 3)."""
        return predict_logistic(estimators["classes"], inputs["features"])

    def build(self, estimators: Estimators, feature_names: tuple[str, ...]) -> onnx.ModelProto:
        """Author the graph: standardise, clip, soft-max."""
        graph = Graph()
        features = argument(Tensor(np.float64, ("N", len(feature_names))))
        read = graph.columns(features, feature_names, self.features)
        probability = logistic_graph(estimators["classes"], read, graph)
        return build({"features": features}, {"probability": op.identity(probability)})

    def _walk(
        self,
        market: MarketRows,
        label: FloatArray,
        pool: Sequence[MarketRows],
        progress: Progress,
    ) -> Forecasts:
        pooled = [(other, _label(other)) for other in pool]
        came = np.where(np.isnan(label)[:, None], np.nan, label[:, None] == np.arange(3.0))
        return walk_forward(
            market.timeline(REGIME_HORIZON_DAYS),
            label,
            market.scored_from,
            market.scored_to,
            logistic_forecaster(
                market,
                label,
                pooled,
                self.features,
                REGIME_HORIZON_DAYS,
                _gains(self.features),
            ),
            {"climatology": climatology(came), "markov": _markov(market, came)},
            progress,
            market.effort,
        )


def _gains(features: tuple[str, ...]) -> FloatArray:
    """One for each feature and, last, for the market indicator."""
    return np.array([RATIO_GAIN if name in RATIOS else 1.0 for name in features] + [1.0])


def _markov(market: MarketRows, came: FloatArray) -> Forecaster:
    """Forecast how often each regime followed today's, among a block's training rows."""
    today = market.rows_of(regime_label(market.bars, forward=False))

    def forecast(block: Block) -> FloatArray:
        seen, before = came[block.train], today[block.train]
        followed = np.stack([np.nanmean(seen[before == state], axis=0) for state in range(3)])
        return np.asarray(followed[today[block.test].astype(np.int64)])

    return forecast


def _is_high(label: FloatArray) -> FloatArray:
    return np.asarray(label == HIGH, dtype=np.float64)


def _label(market: MarketRows) -> FloatArray:
    return market.rows_of(regime_label(market.bars))
