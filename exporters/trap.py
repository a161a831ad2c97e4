"""The volatility trap: will realised volatility exceed what the volatility index implies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import spox.opset.ai.onnx.v18 as op
from numpy.typing import NDArray
from spox import Tensor, argument, build

from exporters.graph import Graph
from exporters.head import Estimators, FloatArray, Head, Progress
from exporters.labels import trap_label
from exporters.logistic import fit_logistic, logistic_graph, predict_logistic, training_rows
from exporters.markets import MarketRows
from exporters.walkforward import (
    SEED,
    Block,
    Forecasts,
    Judgement,
    blocks,
    check_shuffled,
    judge_binary,
    walk_forward,
)

HORIZONS_DAYS = (5, 10, 20)
IV_IS_FAIR = {"iv is fair (0.5)": 0.5}


class Trap(Head):
    """P(realised volatility over the next h trading days > iv), h = 5, 10, 20."""

    name = "trap"
    version = "1"
    question = "Will realised volatility over the next 5, 10, 20 trading days exceed implied?"
    features = (
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

    def judge(
        self, market: MarketRows, pool: Sequence[MarketRows], progress: Progress
    ) -> list[Judgement]:
        """Judge each horizon against climatology and against 'iv is fair'."""
        judgements = []
        for horizon_days, column in zip(HORIZONS_DAYS, self.columns, strict=True):
            label = _label(market, horizon_days)
            forecasts = self._forecasts(market, label, pool, horizon_days, progress)
            order = np.random.default_rng(SEED).permutation(int((~np.isnan(label)).sum()))
            shuffled = np.where(np.isnan(label), np.nan, 0.0)
            shuffled[~np.isnan(label)] = label[~np.isnan(label)][order]
            check_shuffled(
                self._forecasts(market, shuffled, (), horizon_days, progress),
                f"{column} on {market.name}",
            )
            judgements.append(
                judge_binary(
                    forecasts,
                    output=column,
                    market=market.name,
                    horizon_days=horizon_days,
                    baselines=IV_IS_FAIR,
                )
            )
        return judgements

    def refits(self, market: MarketRows) -> int:
        """Return two walk-forwards, one with shuffled labels, for each horizon."""
        return sum(
            2 * len(list(blocks(market.dates, market.scored_from, market.scored_to, horizon_days)))
            for horizon_days in HORIZONS_DAYS
        )

    def predict(self, estimators: Estimators, features: FloatArray) -> FloatArray:
        """Return P(trap), shape (N, 3)."""
        return np.column_stack(
            [
                predict_logistic(estimators[str(horizon_days)], features)[:, 1]
                for horizon_days in HORIZONS_DAYS
            ]
        )

    def build(self, estimators: Estimators, feature_names: tuple[str, ...]) -> onnx.ModelProto:
        """Author the graph: standardise, clip, three logistic regressions side by side."""
        graph = Graph()
        features = argument(Tensor(np.float64, ("N", len(feature_names))))
        places = [feature_names.index(name) for name in self.features]
        read = op.gather(features, graph.constant(places), axis=1)
        second = graph.constant([1])
        probabilities = [
            op.gather(logistic_graph(estimators[str(horizon_days)], read, graph), second, axis=1)
            for horizon_days in HORIZONS_DAYS
        ]
        return build({"features": features}, {"probability": op.concat(probabilities, axis=1)})

    def _forecasts(
        self,
        market: MarketRows,
        label: NDArray[np.float64],
        pool: Sequence[MarketRows],
        horizon_days: int,
        progress: Progress,
    ) -> Forecasts:
        pooled = [(other, _label(other, horizon_days)) for other in pool]
        features = market.columns(self.features)

        def fit_and_forecast(block: Block) -> FloatArray:
            fitted = fit_logistic(
                *training_rows(
                    market, label, block.train, block.cut, pooled, self.features, horizon_days
                )
            )
            return predict_logistic(fitted, features[block.test])[:, 1]

        return walk_forward(
            market.dates,
            label,
            market.scored_from,
            market.scored_to,
            horizon_days,
            fit_and_forecast,
            progress,
        )


def _label(market: MarketRows, horizon_days: int) -> NDArray[np.float64]:
    return market.rows_of(trap_label(market.bars, horizon_days))
