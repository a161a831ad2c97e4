"""The direction: down, neutral or up over the coming days, with calibrated humility."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import onnx
import spox.opset.ai.onnx.v18 as op
from scipy.stats import norm
from spox import Tensor, argument, build, inline

from aegismatrix.market.events import CLASSES, DIRECTION, NEUTRAL_DEVIATIONS
from aegismatrix.market.outcomes import direction_label, implied_deviations
from aegismatrix_factory.evaluate.markets import MarketRows
from aegismatrix_factory.evaluate.walkforward import (
    SEED,
    Block,
    Forecaster,
    Forecasts,
    Judgement,
    blocks,
    check_shuffled,
    climatology,
    judge,
    ranked_probability,
    walk_forward,
)
from aegismatrix_factory.graph.expressions import Graph
from aegismatrix_factory.heads.head import Estimators, FloatArray, Head, Inputs, Progress
from aegismatrix_factory.heads.trap import Trap

HORIZONS_DAYS = tuple(DIRECTION)
UP = CLASSES.index("up")
_OUTPUTS = tuple(classes[CLASSES[UP]].judged for classes in DIRECTION.values())


class Direction(Head):
    """P(DOWN, NEUTRAL, UP) of the return over h trading days, h = 1, 3, 5, 10, 20, 40."""

    name = "direction"
    version = "2"
    question = (
        "Will the index be down, about where it is, or up in 1, 3, 5, 10, 20, 40 trading days?"
    )
    features = Trap.features
    columns = tuple(one.column for classes in DIRECTION.values() for one in classes.values())
    # The kernels of an LSTM are float32.
    tolerance = 1e-6
    rows = 60
    pools = False

    def __init__(self, device: str = "cpu") -> None:
        self.device = device

    def fit(self, market: MarketRows, pool: Sequence[MarketRows]) -> Estimators:
        """Fit one network for all horizons on every labelled row."""
        del pool
        from aegismatrix_factory.heads.network import fit_network

        features = market.columns(self.features)
        return fit_network(features, _labels(market), self.rows, self.device).to_dict()

    def walk(
        self, market: MarketRows, pool: Sequence[MarketRows], progress: Progress
    ) -> dict[str, Forecasts]:
        """Walk forward for each horizon, all with the same networks."""
        del pool
        return self._walk(market, _labels(market), progress)

    def check_shuffled(self, market: MarketRows, progress: Progress) -> None:
        """Check P(UP) at each horizon, the labels of all horizons exchanged together."""
        label = _labels(market)
        known = np.flatnonzero(~np.isnan(label).any(axis=1))
        mixed = np.full_like(label, np.nan)
        mixed[known] = label[np.random.default_rng(SEED).permutation(known)]
        for output, walked in self._walk(market, mixed, progress).items():
            check_shuffled(walked.model[:, UP], _is_up(walked), f"{output} on {market.name}")

    def judge(self, market: MarketRows, walks: Mapping[str, Forecasts]) -> list[Judgement]:
        """Judge by ranked probability against climatology and against a normal with drift."""
        return [
            judge(
                walks[output],
                output=output,
                market=market.name,
                horizon_days=horizon_days,
                score="RPS skill",
                loss=ranked_probability,
                events=[(walks[output].model[:, UP], _is_up(walks[output]))],
                effort=market.effort,
            )
            for horizon_days, output in zip(HORIZONS_DAYS, _OUTPUTS, strict=True)
        ]

    def said(self, market: MarketRows, walks: Mapping[str, Forecasts]) -> FloatArray:
        """Return the classes horizon by horizon."""
        count = len(market.dates)
        return np.column_stack([walks[output].by_row(count) for output in _OUTPUTS])

    def refits(self, market: MarketRows) -> int:
        """Return two walk-forwards, one with shuffled labels, that serve all horizons."""
        timeline = market.timeline(max(HORIZONS_DAYS))
        return 2 * len(list(blocks(timeline, market.scored_from, market.scored_to, market.effort)))

    def base_rates(self, market: MarketRows) -> dict[str, float]:
        """Return how often each class came at each horizon."""
        label = _labels(market)
        shares = [
            float(np.mean(of_horizon[~np.isnan(of_horizon)] == place))
            for of_horizon in label.T
            for place in range(len(CLASSES))
        ]
        return dict(zip(self.columns, shares, strict=True))

    def predict(self, estimators: Estimators, inputs: Inputs) -> FloatArray:
        """Return P(DOWN, NEUTRAL, UP) horizon by horizon, shape (N - 59, 18)."""
        from aegismatrix_factory.heads.network import Fitted, predict_network

        return predict_network(Fitted(**estimators), inputs["features"], self.rows)

    def build(self, estimators: Estimators, feature_names: tuple[str, ...]) -> onnx.ModelProto:
        """Author the graph: standardise and clip in float64, lay out windows, the network."""
        from aegismatrix_factory.heads.network import CLIP, Fitted, network_graph

        fitted = Fitted(**estimators)
        graph = Graph()
        features = argument(Tensor(np.float64, ("N", len(feature_names))))
        read = graph.columns(features, feature_names, self.features)
        scaled = op.div(op.sub(read, graph.constant(fitted.mean)), graph.constant(fitted.scale))
        clipped = op.min([op.max([scaled, graph.constant(-CLIP)]), graph.constant(CLIP)])
        length = op.squeeze(op.shape(features, end=1), graph.constant([0]))
        places = graph.window_places(length, self.rows)
        windows = op.gather(op.cast(clipped, to=np.float32), places)
        probability = inline(network_graph(fitted, self.rows))(windows=windows)["probability"]
        # The gates of onnxruntime's LSTM are clamped: NaN goes in and a plausible number comes out.
        # This adds 0 to a probability, or NaN, which the runtime refuses.
        total = op.reduce_sum(windows, graph.constant([1, 2]), keepdims=0)
        nothing = op.mul(op.cast(total, to=np.float64), graph.constant(0.0))
        loud = op.add(probability, op.unsqueeze(nothing, graph.constant([1])))
        return build({"features": features}, {"probability": loud})

    def _walk(
        self, market: MarketRows, label: FloatArray, progress: Progress
    ) -> dict[str, Forecasts]:
        forecast = self._forecast_once(market, label, progress)
        walks = {}
        for place, (horizon_days, output) in enumerate(zip(HORIZONS_DAYS, _OUTPUTS, strict=True)):
            of_horizon = label[:, place]
            came = np.where(
                np.isnan(of_horizon)[:, None], np.nan, of_horizon[:, None] == np.arange(3.0)
            )
            walks[output] = walk_forward(
                market.timeline(horizon_days),
                of_horizon,
                market.scored_from,
                market.scored_to,
                lambda block, place=place: forecast(block)[:, place],  # type: ignore[misc]
                {
                    "climatology": climatology(came),
                    "normal with drift": _drift(market, horizon_days),
                },
                effort=market.effort,
            )
        return walks

    def _forecast_once(
        self, market: MarketRows, label: FloatArray, progress: Progress
    ) -> Callable[[Block], FloatArray]:
        """Return a function that fits a block when it is first asked for, and remembers.

        Its forecasts have the shape (len(block.test), horizons, 3).
        """
        from aegismatrix_factory.heads.network import fit_network, predict_network

        features = market.columns(self.features)
        timelines = [market.timeline(horizon_days) for horizon_days in HORIZONS_DAYS]
        forecasts: dict[int, FloatArray] = {}

        def forecast(block: Block) -> FloatArray:
            first, last = int(block.test[0]), int(block.test[-1])
            if first not in forecasts:
                ended = [timeline.ended_by(block.cut) for timeline in timelines]
                usable = np.where(np.column_stack(ended), label, np.nan)
                fitted = fit_network(features[:first], usable[:first], self.rows, self.device)
                given = features[first - self.rows + 1 : last + 1]
                said = predict_network(fitted, given, self.rows)
                forecasts[first] = said.reshape(len(said), len(HORIZONS_DAYS), len(CLASSES))
                progress()
            return forecasts[first]

        return forecast


def _labels(market: MarketRows) -> FloatArray:
    """Classes by row and horizon."""
    return np.column_stack(
        [market.rows_of(direction_label(market.bars, days)) for days in HORIZONS_DAYS]
    )


def _drift(market: MarketRows, horizon_days: int) -> Forecaster:
    """Forecast a normal return in implied deviations, with its mean and spread until now."""
    deviations = market.rows_of(implied_deviations(market.bars, horizon_days))

    def forecast(block: Block) -> FloatArray:
        past = deviations[block.train]
        edges = (np.array([-NEUTRAL_DEVIATIONS, NEUTRAL_DEVIATIONS]) - past.mean()) / past.std()
        shares = np.asarray(np.diff(norm.cdf(edges), prepend=0.0, append=1.0))
        return np.broadcast_to(shares, (len(block.test), len(CLASSES)))

    return forecast


def _is_up(walked: Forecasts) -> FloatArray:
    return np.asarray(walked.label == UP, dtype=np.float64)
