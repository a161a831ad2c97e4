"""The breach surface: will the index touch an edge, at any distance, within any horizon."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from spox import Tensor, Var, argument, build

from aegismatrix.artifacts.manifest import ArraySpec
from aegismatrix.desk.signals.direction import MOVE_CONFIDENCE
from aegismatrix.desk.signals.seller import CONFIDENCE
from aegismatrix.engine.engine import DISTANCES, HORIZONS_DAYS
from aegismatrix.market.arrays import LEAST_DISTANCE, LONGEST_DAYS, MOST_DISTANCE
from aegismatrix.market.events import BREACH, LABELS
from aegismatrix.market.outcomes import excursions, forward_return
from aegismatrix_factory.evaluate.markets import MarketRows
from aegismatrix_factory.evaluate.walkforward import (
    EMBARGO_DAYS,
    SEED,
    Block,
    Forecaster,
    Forecasts,
    Judgement,
    blocks,
    bootstrap_rows,
    check_shuffled,
    climatology,
    judge,
    squared_error,
    walk_forward,
)
from aegismatrix_factory.graph.expressions import Graph
from aegismatrix_factory.heads.head import Estimators, FloatArray, Head, Inputs, Past, Progress
from aegismatrix_factory.heads.joint import both_touched
from aegismatrix_factory.heads.surface import (
    SIDES,
    Outcomes,
    Surface,
    evaluate,
    fit_surface,
    surface_graph,
)
from aegismatrix_factory.heads.textbook import haug_touch, one_touch, terminal, two_touches
from aegismatrix_factory.heads.trap import Trap

# What is judged is what the engine gives unless asked otherwise, and a week of days to an expiry.
JUDGED_HORIZONS_DAYS = tuple(sorted({*HORIZONS_DAYS, 2, 3, 4}))
# Of the closes a few, since every judgement makes all verdicts dearer.
JUDGED_CLOSES_DAYS = (5, 20)
_TOUCHES = ("either", "down", "up")
# What travels with the release has every side at all horizons of the engine.
WALKED_HORIZONS_DAYS = {
    side: JUDGED_HORIZONS_DAYS if side in _TOUCHES else HORIZONS_DAYS for side in SIDES
}
JUDGED_DISTANCES = np.array(DISTANCES)
SHUFFLED_HORIZON_DAYS = 5
_SAFE_RANGE, _MOVE_INTERVAL = "safe range", "move interval"
_LOWER_EDGE, _UPPER_EDGE = "lower edge", "upper edge"
# Lower and upper edge in implied deviations of the horizon.
_PAIRS = {(1.0, 1.5): "neither, nearer below", (1.5, 1.0): "neither, nearer above"}
SHUFFLED_K = 0.75
# The first fit that speaks for the past has seen a year of labels of the longest horizon.
PAST_WARM_UP_ROWS = 252 + LONGEST_DAYS + EMBARGO_DAYS

_HORIZON = ArraySpec(
    "horizon", "float64", ("H",), "whole trading days", minimum=1, maximum=LONGEST_DAYS
)
_SIGMA = ArraySpec("implied_sigma", "float64", ("N",), "daily standard deviation of log returns")


def _distances(*shape: str) -> tuple[ArraySpec, ArraySpec]:
    lower, upper = (
        ArraySpec(
            f"{side}_distance",
            "float64",
            shape,
            f"log distances of the {side} edge from the close",
            minimum=LEAST_DISTANCE,
            maximum=MOST_DISTANCE,
        )
        for side in ("lower", "upper")
    )
    return lower, upper


class Breach(Head):
    """P(an edge is touched within h days), and P(the close ends beyond it), for any two edges."""

    name = "breach"
    version = "3"
    question = (
        "Will the index touch close * exp(-lower), close * exp(upper), or either, within h trading"
        " days, and where will it close?"
    )
    features = Trap.features
    columns = SIDES
    tolerance = 1e-10
    pools = False

    def fit(self, market: MarketRows, pool: Sequence[MarketRows]) -> Estimators:
        """Fit the surface on every labelled row, and once more for each stretch of the past."""
        # Another market's rows do not help here.
        del pool
        count = len(market.dates)
        outcomes = _outcomes(market)
        now = self._fit(market, outcomes, lambda _: np.ones(count, dtype=np.bool_))
        stretches = self._stretches(market)
        fits = [self._fit(market, outcomes, _usable_before(market, block)) for block in stretches]
        spoken_for = [
            [str(market.dates[block.test[0]]), str(market.dates[block.test[-1]])]
            for block in stretches
        ]
        # The present fit has not seen what comes after its bars.
        tomorrow = str(market.dates[-1] + np.timedelta64(1, "D"))
        return {
            "now": now.to_arrays(),
            "past": _stacked([*fits, now]),
            "stretches": [*spoken_for, [tomorrow, "9999-12-31"]],
        }

    def walk(
        self, market: MarketRows, pool: Sequence[MarketRows], progress: Progress
    ) -> dict[str, Forecasts]:
        """Walk forward once for all sides and horizons."""
        del pool
        outcomes = _outcomes(market)
        fit_of = self._fit_once(market, outcomes, self.features, progress)
        plain_of = self._fit_once(market, outcomes, (), lambda: None)
        walked = {}
        for side in SIDES:
            for horizon_days in WALKED_HORIZONS_DAYS[side]:
                walked[BREACH.judged(horizon_days, side)] = self._walk(
                    market, side, horizon_days, fit_of, plain_of
                )
        for horizon_days in JUDGED_HORIZONS_DAYS:
            walked[f"{_SAFE_RANGE}_{horizon_days}"] = self._walk_reached(
                market, outcomes, horizon_days, fit_of
            )
        for pair, what in _PAIRS.items():
            for horizon_days in HORIZONS_DAYS:
                walked[f"{what}_{horizon_days}"] = self._walk_pair(
                    market, outcomes, pair, horizon_days, fit_of
                )
        for horizon_days in LABELS:
            walked[f"{_MOVE_INTERVAL}_{horizon_days}"] = self._walk_moved(
                market, horizon_days, fit_of
            )
        return walked

    def judge(self, market: MarketRows, walks: Mapping[str, Forecasts]) -> list[Judgement]:
        """Judge every side and horizon over six distances of 1 to 7 % of spot."""
        judgements = []
        for side in SIDES:
            for horizon_days in _judged_horizons(side):
                output = BREACH.judged(horizon_days, side)
                walked = walks[output]
                judgements.append(
                    judge(
                        walked,
                        output=output,
                        market=market.name,
                        horizon_days=horizon_days,
                        score="Brier skill",
                        loss=squared_error,
                        events=list(zip(walked.model.T, walked.label.T, strict=True)),
                        effort=market.effort,
                    )
                )
        return judgements

    def measure(self, market: MarketRows, walks: Mapping[str, Forecasts]) -> list[dict[str, Any]]:
        """Measure safe range, its edges, pairs of edges and move interval against what they state.

        Each overall, by year and by tercile of the volatility index.
        """
        measures = []
        for horizon_days in JUDGED_HORIZONS_DAYS:
            walked = walks[f"{_SAFE_RANGE}_{horizon_days}"]
            held = walked.model > 1.0 - CONFIDENCE
            each = 0.5 * (1.0 + CONFIDENCE)
            for what, kept, stated in (
                (_SAFE_RANGE, held[:, 0] & held[:, 1], CONFIDENCE),
                (_LOWER_EDGE, held[:, 0], each),
                (_UPPER_EDGE, held[:, 1], each),
            ):
                measures.append(_held(what, market, walked, kept, stated, horizon_days))
        for what in _PAIRS.values():
            for horizon_days in HORIZONS_DAYS:
                walked = walks[f"{what}_{horizon_days}"]
                measures.append(
                    _held(what, market, walked, walked.label, walked.model, horizon_days)
                )
        for horizon_days in LABELS:
            walked = walks[f"{_MOVE_INTERVAL}_{horizon_days}"]
            kept = walked.model > 0.5 * (1.0 - MOVE_CONFIDENCE)
            measures.append(
                _held(_MOVE_INTERVAL, market, walked, kept, MOVE_CONFIDENCE, horizon_days)
            )
        return measures

    def said(self, market: MarketRows, walks: Mapping[str, Forecasts]) -> FloatArray:
        """Return the sides at the horizons and distances that the engine takes by default."""
        count = len(market.dates)
        sides = [
            [walks[BREACH.judged(days, side)].by_row(count) for days in HORIZONS_DAYS]
            for side in SIDES
        ]
        # Sides, horizons, rows, distances.
        return np.asarray(np.moveaxis(np.array(sides), 2, 0))

    def refits(self, market: MarketRows) -> int:
        """Return two walk-forwards, one with shuffled labels."""
        timeline = market.timeline(LONGEST_DAYS)
        return 2 * len(list(blocks(timeline, market.scored_from, market.scored_to, market.effort)))

    def base_rates(self, market: MarketRows) -> dict[str, float]:
        """Return how often either edge was touched, by judged horizon and distance."""
        rates = {}
        for horizon_days in JUDGED_HORIZONS_DAYS:
            label = market.rows_of(_labels(market, "either", horizon_days))
            for distance, rate in zip(JUDGED_DISTANCES, np.nanmean(label, axis=0), strict=True):
                basis_points = round(float(np.expm1(distance)) * 1e4)
                rates[BREACH.column(horizon_days, basis_points)] = float(rate)
        return rates

    def predict(self, estimators: Estimators, inputs: Inputs) -> FloatArray:
        """Return the probabilities of all sides, shape (N, 5, H, D)."""
        return _evaluated(Surface.of_arrays(estimators["now"]), inputs)

    def inputs(self) -> tuple[ArraySpec, ...]:
        """Return the yardstick, and the horizons and distances that a caller chooses."""
        return (_SIGMA, _HORIZON, *_distances("D"))

    def examples(self) -> Inputs:
        """Return horizons and distances from the shortest to the longest."""
        return {
            "horizon": np.array([1.0, 2.0, 5.0, 10.0, 20.0, 30.0]),
            "lower_distance": np.log1p(np.array([0.001, 0.01, 0.02, 0.04, 0.07, 0.2])),
            "upper_distance": np.log1p(np.array([0.001, 0.02, 0.01, 0.04, 0.2, 0.07])),
        }

    def outputs(self, name: str = "probability") -> tuple[ArraySpec, ...]:
        """Return one output: sides along axis 1, horizons and distances after it."""
        return (ArraySpec(name, "float64", ("N", len(SIDES), "H", "D"), "probability", SIDES),)

    def build(self, estimators: Estimators, feature_names: tuple[str, ...]) -> onnx.ModelProto:
        """Author the graph of the present fit."""
        return self._author(Surface.of_arrays(estimators["now"]), self.inputs(), feature_names)

    def past(self, estimators: Estimators) -> Past:
        """Return the fits that speak for the past, each for the days after what it has seen."""
        last_fit = len(estimators["stretches"]) - 1
        fit = ArraySpec("fit", "int64", ("N",), "numbers of stretches", minimum=0, maximum=last_fit)
        inputs = (_SIGMA, fit, _HORIZON, *_distances("N", "D"))
        return Past(
            stretches=tuple((first, last) for first, last in estimators["stretches"]),
            inputs=inputs,
            outputs=self.outputs(),
            build=lambda feature_names: self._author(
                Surface.of_arrays(estimators["past"]), inputs, feature_names
            ),
            predict=lambda inputs: _predict_past(estimators, inputs),
            examples=lambda rows, random: {
                "horizon": np.array([1.0, 20.0, 30.0]),
                "lower_distance": random.uniform(0.001, 0.2, (rows, 2)),
                "upper_distance": random.uniform(0.001, 0.2, (rows, 2)),
            },
        )

    def _author(
        self,
        surface: Surface,
        inputs: tuple[ArraySpec, ...],
        feature_names: tuple[str, ...],
    ) -> onnx.ModelProto:
        """Author the graph of one fit, or, where ``fit`` is among the inputs, of many."""
        graph = Graph()
        arguments = _arguments(len(feature_names), inputs)
        probability = surface_graph(
            surface,
            graph,
            graph.columns(arguments["features"], feature_names, self.features),
            arguments["implied_sigma"],
            arguments["horizon"],
            arguments["lower_distance"],
            arguments["upper_distance"],
            arguments.get("fit"),
        )
        return build(arguments, {"probability": probability})

    def _fit_once(
        self,
        market: MarketRows,
        outcomes: Outcomes,
        names: tuple[str, ...],
        progress: Progress,
    ) -> Callable[[Block], Surface]:
        """Return a function that fits a block when it is first asked for, and remembers."""
        fits: dict[int, Surface] = {}

        def fit_of(block: Block) -> Surface:
            first = int(block.test[0])
            if first not in fits:
                fits[first] = self._fit(market, outcomes, _usable_before(market, block), names)
                progress()
            return fits[first]

        return fit_of

    def _fit(
        self,
        market: MarketRows,
        outcomes: Outcomes,
        usable_rows: Callable[[int], NDArray[np.bool_]],
        names: tuple[str, ...] = features,
    ) -> Surface:
        return fit_surface(market.columns(names), market.implied_sigma, outcomes, usable_rows)

    def _walk(
        self,
        market: MarketRows,
        side: str,
        horizon_days: int,
        fit_of: Callable[[Block], Surface],
        plain_of: Callable[[Block], Surface],
    ) -> Forecasts:
        features, sigma = market.columns(self.features), market.implied_sigma
        horizon = np.array([float(horizon_days)])
        place = SIDES.index(side)

        def forecaster(surface_of: Callable[[Block], Surface], read: FloatArray) -> Forecaster:
            def forecast(block: Block) -> FloatArray:
                rows, surface = block.test, surface_of(block)
                values = evaluate(surface, read[rows], sigma[rows], horizon, JUDGED_DISTANCES)
                return values[:, place, 0]

            return forecast

        label = _labels(market, side, horizon_days)
        early = len(label) - len(features)
        return walk_forward(
            market.timeline(horizon_days),
            label[early:],
            market.scored_from,
            market.scored_to,
            forecaster(fit_of, features),
            {
                "climatology": climatology(label[early:], label[:early]),
                **_textbook(market, side, horizon_days),
                "iv calibrated": forecaster(plain_of, features[:, :0]),
            },
            effort=market.effort,
        )

    def _walk_reached(
        self,
        market: MarketRows,
        outcomes: Outcomes,
        horizon_days: int,
        fit_of: Callable[[Block], Surface],
    ) -> Forecasts:
        """Ask how wide a safe range would just have held at each edge, by P(the range is left).

        A safe range lets each edge be touched with the same probability. The label is how far the
        index went down and up.
        """
        features, sigma = market.columns(self.features), market.implied_sigma
        horizon = np.array([float(horizon_days)])
        column = horizon_days - 1
        asked = np.column_stack([outcomes.down[:, column], outcomes.up[:, column]])

        def model(block: Block) -> FloatArray:
            rows, surface = block.test, fit_of(block)
            reached = _askable(asked[rows])
            values = evaluate(
                surface, features[rows], sigma[rows], horizon, reached[:, :1], reached[:, 1:]
            )
            share = values[:, 1:3, 0, 0]
            return np.asarray(2.0 * share - both_touched(surface.strength[0], share, share))

        return self._asked(market, asked, horizon_days, model)

    def _walk_pair(
        self,
        market: MarketRows,
        outcomes: Outcomes,
        pair: tuple[float, float],
        horizon_days: int,
        fit_of: Callable[[Block], Surface],
    ) -> Forecasts:
        """Forecast that neither edge of a pair is touched, each so many deviations away."""
        features, sigma = market.columns(self.features), market.implied_sigma
        horizon = np.array([float(horizon_days)])
        deviation = sigma[:, None] * np.sqrt(horizon)
        lower, upper = (deviation * times for times in pair)
        column = slice(horizon_days - 1, horizon_days)
        down, up = outcomes.down[:, column], outcomes.up[:, column]
        inside = np.where(np.isnan(down + up), np.nan, (down <= lower) & (up <= upper))[:, 0]

        def model(block: Block) -> FloatArray:
            rows = block.test
            values = evaluate(
                fit_of(block), features[rows], sigma[rows], horizon, lower[rows], upper[rows]
            )
            return np.asarray(1.0 - values[:, 0, 0, 0])

        return self._asked(market, inside, horizon_days, model)

    def _walk_moved(
        self, market: MarketRows, horizon_days: int, fit_of: Callable[[Block], Surface]
    ) -> Forecasts:
        """Ask how likely a close was that is as far away as, or further than, the one that came.

        The label is that move. Beyond the longest horizon of the surface, moves are scaled with the
        square root of time.
        """
        features, sigma = market.columns(self.features), market.implied_sigma
        surface_days = min(horizon_days, LONGEST_DAYS)
        horizon = np.array([float(surface_days)])
        moved = market.rows_of(forward_return(market.bars, horizon_days))
        scaled = moved * np.sqrt(surface_days / horizon_days)

        def model(block: Block) -> FloatArray:
            rows = block.test
            distance = _askable(np.abs(scaled[rows]))[:, None]
            values = evaluate(fit_of(block), features[rows], sigma[rows], horizon, distance)
            below, above = values[:, 3:, 0, 0].T
            return np.asarray(np.where(scaled[rows] < 0.0, below, above))

        return self._asked(market, moved, horizon_days, model)

    @staticmethod
    def _asked(
        market: MarketRows, label: FloatArray, horizon_days: int, model: Forecaster
    ) -> Forecasts:
        return walk_forward(
            market.timeline(horizon_days),
            label,
            market.scored_from,
            market.scored_to,
            model,
            {},
            effort=market.effort,
        )

    def check_shuffled(self, market: MarketRows, progress: Progress) -> None:
        """Check the touch of either edge at three quarters of a deviation."""
        order = np.random.default_rng(SEED).permutation(len(market.dates))
        features, sigma = market.columns(self.features), market.implied_sigma
        known, yardstick = _outcomes(market), sigma[:, None]
        # In deviations, so that a day's own volatility goes with it to its new place.
        down, up, end = (
            (values / yardstick)[order] * yardstick for values in (known.down, known.up, known.end)
        )
        mixed = Outcomes(down, up, end)
        horizon = np.array([float(SHUFFLED_HORIZON_DAYS)])
        edge = SHUFFLED_K * sigma * np.sqrt(SHUFFLED_HORIZON_DAYS)

        def model(block: Block) -> FloatArray:
            rows = block.test
            surface = self._fit(market, mixed, _usable_before(market, block))
            progress()
            values = evaluate(surface, features[rows], sigma[rows], horizon, edge[rows][:, None])
            return values[:, 0, 0, 0]

        reached = np.maximum(down, up)[:, SHUFFLED_HORIZON_DAYS - 1]
        label = np.where(np.isnan(reached), np.nan, reached > edge)
        walked = self._asked(market, label, SHUFFLED_HORIZON_DAYS, model)
        check_shuffled(walked.model, walked.label, f"breach on {market.name}")

    @staticmethod
    def _stretches(market: MarketRows) -> list[Block]:
        warm_up = min(PAST_WARM_UP_ROWS, len(market.dates) - 1)
        spans = market.dates[warm_up], market.dates[-1]
        return list(blocks(market.timeline(LONGEST_DAYS), *spans, market.effort))


def _held(
    what: str,
    market: MarketRows,
    walked: Forecasts,
    kept: NDArray[Any],
    stated: float | FloatArray,
    horizon_days: int,
) -> dict[str, Any]:
    """Compare how often something held with what was stated, which may differ from day to day."""
    held = kept.astype(np.float64)
    confidence = float(np.mean(stated))
    rows = bootstrap_rows(len(held), horizon_days, market.effort.bootstrap_samples)
    beyond = held - stated
    lower, upper = confidence + np.quantile(beyond[rows].mean(axis=1), [0.025, 0.975])
    years = walked.dates.astype("datetime64[Y]").astype(str)
    sigma = market.implied_sigma[walked.rows]
    tercile = np.searchsorted(np.quantile(sigma, [1 / 3, 2 / 3]), sigma)
    return {
        "what": what,
        "market": market.name,
        "horizon_days": horizon_days,
        "confidence": round(confidence, 6),
        "n": len(held),
        "held": round(float(held.mean()), 6),
        "lower": round(float(lower), 6),
        "upper": round(float(upper), 6),
        "years": {
            str(year): round(float(held[years == year].mean()), 6) for year in np.unique(years)
        },
        "iv_terciles": {
            name: round(float(held[tercile == place].mean()), 6)
            for place, name in enumerate(("low", "middle", "high"))
        },
    }


def _outcomes(market: MarketRows) -> Outcomes:
    down, up = excursions(market.bars, LONGEST_DAYS)
    end = [forward_return(market.bars, days) for days in range(1, LONGEST_DAYS + 1)]
    return Outcomes(market.rows_of(down), market.rows_of(up), market.rows_of(np.column_stack(end)))


def _judged_horizons(side: str) -> tuple[int, ...]:
    return JUDGED_HORIZONS_DAYS if side in _TOUCHES else JUDGED_CLOSES_DAYS


def _askable(distance: FloatArray) -> FloatArray:
    """Give a window that never left its close, or is not over, some distance to ask for."""
    return np.where(distance > LEAST_DISTANCE, distance, LEAST_DISTANCE)


def _usable_before(market: MarketRows, block: Block) -> Callable[[int], NDArray[np.bool_]]:
    """Which rows have a label that ended an embargo before the block, by horizon."""
    return lambda horizon_days: market.timeline(horizon_days).ended_by(block.cut)


def _labels(market: MarketRows, side: str, horizon_days: int) -> FloatArray:
    """Whether each judged distance was reached, of every bar, shape (T, D); NaN where not known."""
    if side in _TOUCHES:
        down, up = (values[:, -1] for values in excursions(market.bars, horizon_days))
        reached = {"either": np.maximum(down, up), "down": down, "up": up}[side]
    else:
        moved = forward_return(market.bars, horizon_days)
        reached = -moved if side == "below" else moved
    reached = reached[:, None]
    return np.where(np.isnan(reached), np.nan, reached > JUDGED_DISTANCES)


def _textbook(market: MarketRows, side: str, horizon_days: int) -> dict[str, Forecaster]:
    """What a driftless path with the implied volatility would do, by name."""

    def of(law: Callable[[FloatArray], FloatArray]) -> Forecaster:
        """A law of the deviation of the path's end, of shape (n, 1)."""

        def forecast(block: Block) -> FloatArray:
            return law(market.implied_sigma[block.test, None] * np.sqrt(horizon_days))

        return forecast

    if side not in _TOUCHES:
        return {"terminal normal": of(lambda s: terminal(JUDGED_DISTANCES / s))}
    edges = 2.0 if side == "either" else 1.0
    reflected = two_touches if side == "either" else one_touch
    known = {
        "iv reflection": of(lambda s: reflected(JUDGED_DISTANCES / s)),
        "terminal normal": of(lambda s: edges * terminal(JUDGED_DISTANCES / s)),
    }
    if side != "either":
        known["haug"] = of(lambda s: haug_touch(side, s, JUDGED_DISTANCES))
    return known


def _stacked(surfaces: Sequence[Surface]) -> dict[str, FloatArray]:
    arrays = [surface.to_arrays() for surface in surfaces]
    return {name: np.concatenate([one[name] for one in arrays]) for name in arrays[0]}


def _evaluated(surface: Surface, inputs: Inputs) -> FloatArray:
    return evaluate(
        surface,
        inputs["features"],
        inputs["implied_sigma"],
        inputs["horizon"],
        inputs["lower_distance"],
        inputs["upper_distance"],
    )


def _predict_past(estimators: Estimators, inputs: Inputs) -> FloatArray:
    """Evaluate row by row of the fits, as `Breach.predict` does for the present one."""
    surfaces = Surface.of_arrays(estimators["past"])
    shape = (len(SIDES), len(inputs["horizon"]), inputs["lower_distance"].shape[1])
    values = np.empty((len(inputs["fit"]), *shape))
    by_row = ("features", "implied_sigma", "lower_distance", "upper_distance")
    for fit in np.unique(inputs["fit"]):
        rows = inputs["fit"] == fit
        of_fit = {name: inputs[name][rows] for name in by_row}
        values[rows] = _evaluated(surfaces.at(fit), {**inputs, **of_fit})
    return values


def _arguments(n_features: int, inputs: tuple[ArraySpec, ...]) -> dict[str, Var]:
    arguments = {"features": argument(Tensor(np.float64, ("N", n_features)))}
    for array in inputs:
        arguments[array.name] = argument(Tensor(np.dtype(array.dtype), array.shape))
    return arguments
