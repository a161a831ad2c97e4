"""The overnight input: what the US close says of NIFTY's next session, before it opens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import spox.opset.ai.onnx.v18 as op
from spox import Tensor, Var, argument, build

from aegismatrix.artifacts.manifest import ArraySpec
from aegismatrix.market.events import CLASSES, OVERNIGHT_DIRECTION, OVERNIGHT_SPIKE, SPIKE
from aegismatrix.market.outcomes import direction_label
from aegismatrix.market.overnight import INPUTS, Nights
from aegismatrix.market.thresholds import MAX_IV_PERCENT, MIN_IV_PERCENT
from aegismatrix.market.windows import Windows
from aegismatrix_factory.evaluate.markets import MarketRows
from aegismatrix_factory.evaluate.walkforward import (
    Block,
    Forecaster,
    Forecasts,
    Judgement,
    JudgingError,
    Timeline,
    auc,
    blocks,
    bootstrap_rows,
    check_shuffled,
    climatology,
    judge,
    markov,
    paired_gain,
    ranked_probability,
    shuffled,
    squared_error,
    walk_forward,
)
from aegismatrix_factory.graph.expressions import Graph
from aegismatrix_factory.heads.head import Estimators, FloatArray, Head, Inputs, Progress
from aegismatrix_factory.heads.logistic import fit_logistic, logistic_graph, predict_logistic
from aegismatrix_factory.heads.spike import NEXT_SESSION, Spike

DIRECTION = OVERNIGHT_DIRECTION[CLASSES[0]].judged
WITHOUT = "without the overnight input"
_SPIKES = {
    OVERNIGHT_SPIKE[side].column: event.classes[0]
    for side, event in zip(SPIKE, Spike.events, strict=True)
}
_AS_SERVED = "{} as it is served"
_DOWN, _UP = CLASSES.index("down"), CLASSES.index("up")
_THREE = 3
# No index has ever been quoted lower; a price of 0 has no logarithm.
_LEAST_CLOSE = 0.01


class Overnight(Head):
    """P(down-spike), P(up-spike) and P(DOWN, NEUTRAL, UP) of the next session, given the US close.

    NIFTY alone. The pool is that of the spikes that it is measured against.
    """

    name = "overnight"
    version = "2"
    question = (
        "With what the US markets did after NIFTY's close: will the next session break out of its"
        " range to either side, and will it close down, about where it is, or up?"
    )
    features = Spike.features
    columns = (*_SPIKES, *(output.column for output in OVERNIGHT_DIRECTION.values()))
    tolerance = 1e-12
    optional = True

    def serves(self, market: MarketRows) -> bool:
        """Return whether any of the market's nights is known."""
        return market.nights is not None and bool(market.nights.known.any())

    def given(self, market: MarketRows) -> Inputs:
        """Return features, implied deviation and US closes of every night that is known."""
        nights = _nights(market)
        return {
            "features": market.features[nights.known],
            "implied_sigma": market.implied_sigma[nights.known],
            **nights.inputs(),
        }

    def fit(self, market: MarketRows, pool: Sequence[MarketRows]) -> Estimators:
        """Fit both classifiers on every night that is known."""
        del pool
        moves = self._moves(market)
        return {
            "spike": _fit(np.column_stack([self._daily(market), moves]), _spikes(market)),
            "direction": _fit(moves, _directions(market)),
        }

    def walk(
        self, market: MarketRows, pool: Sequence[MarketRows], progress: Progress
    ) -> dict[str, Forecasts]:
        """Walk forward for each spike and for the direction, and for the spikes without a night."""
        walks = self._walk(market, _spikes(market), _directions(market), progress)
        for output, event in zip(_SPIKES, Spike.events, strict=True):
            label = event.label_rows(market)
            served = Spike().walk_event(event, market, label, pool, Spike.features, lambda: None)
            same = np.isin(served.dates, walks[output].dates)
            walks[_AS_SERVED.format(event.column)] = replace(
                served,
                rows=served.rows[same],
                dates=served.dates[same],
                label=served.label[same],
                model=served.model[same],
                baselines={name: values[same] for name, values in served.baselines.items()},
                said=None,
            )
        return walks

    def check_shuffled(self, market: MarketRows, progress: Progress) -> None:
        """Check both spikes and P(UP)."""
        mixed = shuffled(_spikes(market)), shuffled(_directions(market))
        for output, walked in self._walk(market, *mixed, progress).items():
            area = (walked.model, walked.label)
            if output == DIRECTION:
                area = (walked.model[:, _UP], _is(walked, _UP))
            check_shuffled(*area, f"{output} on {market.name}")

    def judge(self, market: MarketRows, walks: Mapping[str, Forecasts]) -> list[Judgement]:
        """Judge each spike by its Brier skill, the direction by ranked probability."""
        of_direction = walks[DIRECTION]
        return [
            *(
                judge(
                    walks[output],
                    output=output,
                    market=market.name,
                    horizon_days=NEXT_SESSION,
                    score="Brier skill",
                    loss=squared_error,
                    events=[(walks[output].model, walks[output].label)],
                    effort=market.effort,
                )
                for output in _SPIKES
            ),
            judge(
                of_direction,
                output=DIRECTION,
                market=market.name,
                horizon_days=NEXT_SESSION,
                score="RPS skill",
                loss=ranked_probability,
                events=[(of_direction.model[:, _UP], _is(of_direction, _UP))],
                effort=market.effort,
            ),
        ]

    def measure(self, market: MarketRows, walks: Mapping[str, Forecasts]) -> list[dict[str, Any]]:
        """Measure what the night gains, and what of it is left once NSE has opened."""
        gains = []
        for output, event in zip(_SPIKES, Spike.events, strict=True):
            walked, served = walks[output], _AS_SERVED.format(event.column)
            for over, other in (
                ("the same model " + WITHOUT, walked.baselines[WITHOUT]),
                (served, walks[served].model),
            ):
                gains.append(_gain(market, walked, other, squared_error, output, over))
        of_direction = walks[DIRECTION]
        without = of_direction.baselines[WITHOUT]
        over = "the same model on the daily features instead"
        gains.append(_gain(market, of_direction, without, ranked_probability, DIRECTION, over))
        return [*gains, *_after_the_open(market, of_direction)]

    def said(self, market: MarketRows, walks: Mapping[str, Forecasts]) -> FloatArray:
        """Return the classes of the walks, which know no rows but nights that are known."""
        known = _nights(market).known
        count = int(known.sum())
        values = np.full((len(known), len(self.columns)), np.nan)
        values[known] = np.column_stack(
            [walks[output].by_row(count) for output in (*_SPIKES, DIRECTION)]
        )
        return values

    def refits(self, market: MarketRows) -> int:
        """Return four walk-forwards, two of them with shuffled labels."""
        if not self.serves(market):
            return 0
        return 4 * len(list(blocks(_timeline(market), *_scored(market), market.effort)))

    def base_rates(self, market: MarketRows) -> dict[str, float]:
        """Return how often each event happened after the nights that are known."""
        spike, direction = _spikes(market), _directions(market)
        spike, direction = spike[~np.isnan(spike)], direction[~np.isnan(direction)]
        rates = [
            *(np.mean(spike == number) for number in _SPIKES.values()),
            *(np.mean(direction == place) for place in range(_THREE)),
        ]
        return dict(zip(self.columns, map(float, rates), strict=True))

    def predict(self, estimators: Estimators, inputs: Inputs) -> FloatArray:
        """Return P(down-spike, up-spike, DOWN, NEUTRAL, UP), shape (N, 5)."""
        moves = overnight_moves(inputs)
        read = np.column_stack([inputs["features"], moves])
        spikes = predict_logistic(estimators["spike"], read)[:, list(_SPIKES.values())]
        return np.column_stack([spikes, predict_logistic(estimators["direction"], moves)])

    def build(self, estimators: Estimators, feature_names: tuple[str, ...]) -> onnx.ModelProto:
        """Author the graph: the night's two moves out of raw closes, two logistic regressions."""
        graph = Graph()
        features = argument(Tensor(np.float64, ("N", len(feature_names))))
        given = {array.name: argument(Tensor(np.float64, ("N",))) for array in self.inputs()}
        moves = _author_moves(given, graph)
        read = op.concat([graph.columns(features, feature_names, self.features), moves], axis=1)
        spike = logistic_graph(estimators["spike"], read, graph)
        spikes = op.gather(spike, graph.constant(list(_SPIKES.values())), axis=1)
        direction = logistic_graph(estimators["direction"], moves, graph)
        return build(
            {"features": features, **given},
            {"probability": op.concat([spikes, direction], axis=1)},
        )

    def inputs(self) -> tuple[ArraySpec, ...]:
        """Return the implied deviation, and the US closes as they are published."""
        return (
            ArraySpec(
                "implied_sigma", "float64", ("N",), "daily standard deviation of log returns"
            ),
            *(
                ArraySpec(
                    name,
                    "float64",
                    ("N",),
                    "per cent a year",
                    minimum=MIN_IV_PERCENT,
                    maximum=MAX_IV_PERCENT,
                )
                if name.startswith("us_vix")
                else ArraySpec(name, "float64", ("N",), "index points", minimum=_LEAST_CLOSE)
                for name in INPUTS
            ),
        )

    def _daily(self, market: MarketRows) -> FloatArray:
        return market.columns(self.features)[_nights(market).known]

    def _moves(self, market: MarketRows) -> FloatArray:
        return overnight_moves(self.given(market))

    def _walk(
        self, market: MarketRows, spike: FloatArray, direction: FloatArray, progress: Progress
    ) -> dict[str, Forecasts]:
        timeline, daily, moves = _timeline(market), self._daily(market), self._moves(market)
        came = _one_hot(spike)
        states = [markov(of_class, timeline) for of_class in came.T]
        spikes = walk_forward(
            timeline,
            spike,
            *_scored(market),
            _forecaster(np.column_stack([daily, moves]), spike),
            {
                "climatology": climatology(came),
                "markov": lambda block: np.column_stack([state(block) for state in states]),
                WITHOUT: _forecaster(daily, spike),
            },
            progress,
            market.effort,
        )
        return {
            **{
                output: replace(
                    spikes,
                    label=_is(spikes, number),
                    model=spikes.model[:, number],
                    baselines={name: said[:, number] for name, said in spikes.baselines.items()},
                    said=spikes.said and (spikes.said[0], spikes.said[1][:, number]),
                )
                for output, number in _SPIKES.items()
            },
            DIRECTION: walk_forward(
                timeline,
                direction,
                *_scored(market),
                _forecaster(moves, direction),
                {
                    "climatology": climatology(_one_hot(direction)),
                    WITHOUT: _forecaster(daily, direction),
                },
                progress,
                market.effort,
            ),
        }


def overnight_moves(inputs: Inputs) -> FloatArray:
    """Turn US closes into what the classifiers read.

    Parameters
    ----------
    inputs : mapping of str to ndarray of shape (N,)
        ``implied_sigma`` of NIFTY, and the US closes by name.

    Returns
    -------
    ndarray of shape (N, 2)
        The log return of the S&P 500 over the night in the daily deviations that India VIX implies,
        and the change of ln VIX; both 0 if no US session closed.
    """
    fell = np.log(inputs["us_close"] / inputs["us_close_before"]) / inputs["implied_sigma"]
    return np.column_stack([fell, np.log(inputs["us_vix"] / inputs["us_vix_before"])])


def _author_moves(given: Mapping[str, Var], graph: Graph) -> Var:
    index = op.log(op.div(given["us_close"], given["us_close_before"]))
    vix = op.log(op.div(given["us_vix"], given["us_vix_before"]))
    columns = [op.div(index, given["implied_sigma"]), vix]
    return op.concat([op.unsqueeze(one, graph.constant([1])) for one in columns], axis=1)


def _nights(market: MarketRows) -> Nights:
    if market.nights is None:
        raise JudgingError(
            f"{market.name} has no US bars.",
            remedy="Give them (--overnight-index CSV --overnight-iv CSV).",
        )
    return market.nights


def _timeline(market: MarketRows) -> Timeline:
    """Of the nights that are known."""
    return market.timeline(NEXT_SESSION)[_nights(market).known]


def _scored(market: MarketRows) -> tuple[np.datetime64, np.datetime64]:
    """A US holiday after the last US bar is a night that is known: not one to be judged by."""
    last = market.scored_to if market.us_bars is None else market.us_bars.dates[-1]
    return market.scored_from, min(market.scored_to, last)


def _spikes(market: MarketRows) -> FloatArray:
    return Spike.events[0].label_rows(market)[_nights(market).known]


def _directions(market: MarketRows) -> FloatArray:
    label = market.rows_of(direction_label(market.bars, NEXT_SESSION))
    return label[_nights(market).known]


def _one_hot(label: FloatArray) -> FloatArray:
    unknown = np.isnan(label)[:, None]
    return np.where(unknown, np.nan, label[:, None] == np.arange(float(_THREE)))


def _is(walked: Forecasts, place: int) -> FloatArray:
    return np.asarray(walked.label == place, dtype=np.float64)


def _fit(x: FloatArray, label: FloatArray) -> dict[str, Any]:
    known = ~np.isnan(label)
    # The market indicator is 0 throughout.
    table = np.column_stack([x[known], np.zeros(int(known.sum()))])
    fitted = fit_logistic(table, label[known], np.ones(len(table)))
    classes = fitted["classifier"].classes_.tolist()
    if len(classes) != _THREE:
        raise JudgingError(
            f"Only the classes {classes} of {_THREE} came.",
            remedy="Give a longer history, one in which every class occurs early.",
        )
    return fitted


def _forecaster(x: FloatArray, label: FloatArray) -> Forecaster:
    def forecast(block: Block) -> FloatArray:
        return predict_logistic(_fit(x[block.train], label[block.train]), x[block.test])

    return forecast


def _gain(
    market: MarketRows,
    walked: Forecasts,
    other: FloatArray,
    loss: Any,
    output: str,
    over: str,
) -> dict[str, Any]:
    gain = paired_gain(
        loss(walked.model, walked.label),
        loss(other, walked.label),
        loss(walked.baselines["climatology"], walked.label),
        NEXT_SESSION,
        market.effort,
    )
    return {
        "what": "paired gain",
        "market": market.name,
        "output": output,
        "over": over,
        "gain": round(gain.skill, 6),
        "lower": round(gain.lower, 6),
        "upper": round(gain.upper, 6),
    }


def _after_the_open(market: MarketRows, walked: Forecasts) -> list[dict[str, Any]]:
    """Rank the two parts of the next session's move: up to NSE's open, and from it."""
    bars = market.bars
    if bars.open is None:
        return []
    ranked = walked.model[:, _UP] - walked.model[:, _DOWN]
    day = np.searchsorted(bars.dates, walked.dates)
    next_session = Windows.of(bars).last_row(NEXT_SESSION)[day]
    opened = bars.open[next_session]
    parts = {
        "the opening gap": opened / bars.close[day],
        "the move from open to close": bars.close[next_session] / opened,
    }
    figures = []
    for part, ratio in parts.items():
        moved = np.isfinite(ratio) & (ratio != 1.0)
        said, rose = ranked[moved], (ratio[moved] > 1.0).astype(np.float64)
        resamples = market.effort.bootstrap_samples // 4
        samples = bootstrap_rows(len(said), NEXT_SESSION, resamples)
        areas = [auc(said[rows], rose[rows]) for rows in samples]
        lower, upper = np.quantile(areas, [0.025, 0.975])
        figures.append(
            {
                "what": "part of the move",
                "market": market.name,
                "output": DIRECTION,
                "part": part,
                "n": len(said),
                "auc": round(auc(said, rose), 6),
                "lower": round(float(lower), 6),
                "upper": round(float(upper), 6),
            }
        )
    return figures
