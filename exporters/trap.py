"""The volatility trap: will realised volatility exceed what the volatility index implies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import spox.opset.ai.onnx.v18 as op
from spox import Tensor, argument, build

from exporters.graph import Graph
from exporters.head import Estimators, FloatArray, Head, Inputs, Progress
from exporters.labels import trap_label
from exporters.logistic import (
    fit_logistic,
    logistic_forecaster,
    logistic_graph,
    predict_logistic,
    training_rows,
)
from exporters.markets import MarketRows
from exporters.walkforward import (
    Forecasts,
    Judgement,
    blocks,
    check_shuffled,
    climatology,
    constant,
    judge,
    shuffled,
    squared_error,
    walk_forward,
)

HORIZONS_DAYS = (5, 10, 20)


class Trap(Head):
    """P(realised volatility over the next h trading days > iv), h = 5, 10, 20."""

    name = "trap"
    version = "1"
    question = "Will realised volatility over the next 5, 10, 20 trading days exceed implied?"
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
    columns = tuple(f"trap_{horizon_days}" for horizon_days in HORIZONS_DAYS)
    tolerance = 1e-12

    def fit(self, market: MarketRows, pool: Sequence[MarketRows]) -> Estimators:
        """Fit one classifier per horizon on every labelled row."""
        return {
            str(horizon_days): fit_logistic(
                *training_rows(
                    market,
                    _label(market, horizon_days),
                    np.arange(len(market.dates)),
                    None,
                    [(other, _label(other, horizon_days)) for other in pool],
                    self.features,
                    horizon_days,
                )
            )
            for horizon_days in HORIZONS_DAYS
        }

    def walk(
        self, market: MarketRows, pool: Sequence[MarketRows], progress: Progress
    ) -> dict[str, Forecasts]:
        """Walk forward for each horizon."""
        return {
            column: self._walk(market, _label(market, horizon_days), pool, horizon_days, progress)
            for horizon_days, column in zip(HORIZONS_DAYS, self.columns, strict=True)
        }

    def check_shuffled(self, market: MarketRows, progress: Progress) -> None:
        """Check each horizon."""
        for horizon_days, column in zip(HORIZONS_DAYS, self.columns, strict=True):
            label = shuffled(_label(market, horizon_days))
            mixed = self._walk(market, label, (), horizon_days, progress)
            check_shuffled(mixed.model, mixed.label, f"{column} on {market.name}")

    def judge(self, market: MarketRows, walks: Mapping[str, Forecasts]) -> list[Judgement]:
        """Judge each horizon against climatology and against 'iv is fair'."""
        return [
            judge(
                walks[column],
                output=column,
                market=market.name,
                horizon_days=horizon_days,
                score="Brier skill",
                loss=squared_error,
                events=[(walks[column].model, walks[column].label)],
            )
            for horizon_days, column in zip(HORIZONS_DAYS, self.columns, strict=True)
        ]

    def refits(self, market: MarketRows) -> int:
        """Return two walk-forwards, one with shuffled labels, for each horizon."""
        return sum(
            2 * len(list(blocks(market.dates, market.scored_from, market.scored_to, horizon_days)))
            for horizon_days in HORIZONS_DAYS
        )

    def base_rates(self, market: MarketRows) -> dict[str, float]:
        """Return how often each trap was one."""
        return {
            column: float(np.nanmean(_label(market, horizon_days)))
            for horizon_days, column in zip(HORIZONS_DAYS, self.columns, strict=True)
        }

    def predict(self, estimators: Estimators, inputs: Inputs) -> FloatArray:
        """Return P(trap), shape (N, 3)."""
        return np.column_stack(
            [
                predict_logistic(estimators[str(horizon_days)], inputs["features"])[:, 1]
                for horizon_days in HORIZONS_DAYS
            ]
        )

    def build(self, estimators: Estimators, feature_names: tuple[str, ...]) -> onnx.ModelProto:
        """Author the graph: standardise, clip, three logistic regressions side by side."""
        graph = Graph()
        features = argument(Tensor(np.float64, ("N", len(feature_names))))
        read = graph.columns(features, feature_names, self.features)
        second = graph.constant([1])
        probabilities = [
            op.gather(logistic_graph(estimators[str(horizon_days)], read, graph), second, axis=1)
            for horizon_days in HORIZONS_DAYS
        ]
        return build({"features": features}, {"probability": op.concat(probabilities, axis=1)})

    def _walk(
        self,
        market: MarketRows,
        label: FloatArray,
        pool: Sequence[MarketRows],
        horizon_days: int,
        progress: Progress,
    ) -> Forecasts:
        pooled = [(other, _label(other, horizon_days)) for other in pool]
        both = logistic_forecaster(market, label, pooled, self.features, horizon_days)
        return walk_forward(
            market.dates,
            label,
            market.scored_from,
            market.scored_to,
            horizon_days,
            lambda block: both(block)[:, 1],
            {"climatology": climatology(label), "iv is fair (0.5)": constant(0.5)},
            progress,
        )


def _label(market: MarketRows, horizon_days: int) -> FloatArray:
    return market.rows_of(trap_label(market.bars, horizon_days))
