"""The breach surface: will the index touch an edge, at any distance, within any horizon."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from scipy.stats import norm
from spox import Tensor, Var, argument, build

from aegismatrix.artifacts.manifest import ArraySpec
from aegismatrix.desk.signals.direction import UPPER_TENTH
from aegismatrix.desk.signals.seller import CONFIDENCE
from aegismatrix.engine.engine import (
    DISTANCES,
    HORIZONS_DAYS,
    LEAST_DISTANCE,
    LONGEST_DAYS,
    MOST_DISTANCE,
)
from aegismatrix.market.events import BREACH, LABELS
from aegismatrix.market.outcomes import excursions, forward_return
from aegismatrix.market.statistics import deviation_of_median_touch
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
from aegismatrix_factory.heads.surface import (
    SIDES,
    Surface,
    check_shape,
    evaluate,
    fit_surface,
    stay_probability,
    surface_graph,
)
from aegismatrix_factory.heads.trap import Trap

# What is judged is what the engine gives unless asked otherwise, and a week of days to an expiry.
JUDGED_HORIZONS_DAYS = tuple(sorted({*HORIZONS_DAYS, 2, 3, 4}))
JUDGED_DISTANCES = np.array(DISTANCES)
SHUFFLED_HORIZON_DAYS = 5
_SAFE_RANGE, _MOVE_INTERVAL = "safe range", "move interval"
SHUFFLED_K = 0.75
# The first fit that speaks for the past has seen a year of labels of the longest horizon.
PAST_WARM_UP_ROWS = 252 + LONGEST_DAYS + EMBARGO_DAYS

_HORIZON = ArraySpec(
    "horizon", "float64", ("H",), "whole trading days", minimum=1, maximum=LONGEST_DAYS
)
_SIGMA = ArraySpec("implied_sigma", "float64", ("N",), "daily standard deviation of log returns")


def _distance(*shape: str) -> ArraySpec:
    unit = "log distances of the edge from the close"
    return ArraySpec(
        "distance", "float64", shape, unit, minimum=LEAST_DISTANCE, maximum=MOST_DISTANCE
    )


class Breach(Head):
    """P(an edge is touched within h days) for any distance; either edge, the lower, the upper."""

    name = "breach"
    version = "2"
    question = (
        "Will the index touch close * exp(-d), close * exp(d), or either, within h trading days?"
    )
    features = Trap.features
    columns = SIDES
    tolerance = 1e-10
    pools = False

    def fit(self, market: MarketRows, pool: Sequence[MarketRows]) -> Estimators:
        """Fit all sides on every labelled row, and once more for each stretch of the past."""
        # Another market's rows do not help here.
        del pool
        count = len(market.dates)
        sides = _excursions(market)
        now = self._fit(market, sides, lambda _: np.ones(count, dtype=np.bool_))
        stretches = self._stretches(market)
        fits = [self._fit(market, sides, _usable_before(market, block)) for block in stretches]
        spoken_for = [
            [str(market.dates[block.test[0]]), str(market.dates[block.test[-1]])]
            for block in stretches
        ]
        # The present fit has not seen what comes after its bars.
        tomorrow = str(market.dates[-1] + np.timedelta64(1, "D"))
        return {
            "now": {side: surface.to_arrays() for side, surface in now.items()},
            "past": {side: _stacked([fit[side] for fit in (*fits, now)]) for side in SIDES},
            "stretches": [*spoken_for, [tomorrow, "9999-12-31"]],
        }

    def walk(
        self, market: MarketRows, pool: Sequence[MarketRows], progress: Progress
    ) -> dict[str, Forecasts]:
        """Walk forward once for all sides and horizons."""
        del pool
        sides = _excursions(market)
        fit_of = self._fit_once(market, sides, self.features, progress)
        plain_of = self._fit_once(market, sides, (), lambda: None)
        walked = {}
        for place, side in enumerate(SIDES):
            for horizon_days in JUDGED_HORIZONS_DAYS:
                walked[BREACH.judged(horizon_days, side)] = self._walk(
                    market, sides[side], place, horizon_days, fit_of, plain_of
                )
        for horizon_days in JUDGED_HORIZONS_DAYS:
            reached = sides["either"][:, horizon_days - 1]
            walked[f"{_SAFE_RANGE}_{horizon_days}"] = self._walk_touch(
                market, reached, horizon_days, fit_of
            )
        for horizon_days in LABELS:
            moved = market.rows_of(np.abs(forward_return(market.bars, horizon_days)))
            # The interval held where the move, in units of its end, was as near as the median touch
            # is in units of the median.
            asked = moved / deviation_of_median_touch(UPPER_TENTH)
            walked[f"{_MOVE_INTERVAL}_{horizon_days}"] = self._walk_touch(
                market, asked, horizon_days, fit_of
            )
        return walked

    def judge(self, market: MarketRows, walks: Mapping[str, Forecasts]) -> list[Judgement]:
        """Judge every side and horizon over six distances of 1 to 7 % of spot."""
        judgements = []
        for side in SIDES:
            for horizon_days in JUDGED_HORIZONS_DAYS:
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
        """Measure how often safe range and move interval held: overall, by year, by iv."""
        measures = []
        for what, horizons, least in (
            (_SAFE_RANGE, JUDGED_HORIZONS_DAYS, 1.0 - CONFIDENCE),
            (_MOVE_INTERVAL, tuple(LABELS), 0.5),
        ):
            for horizon_days in horizons:
                walked = walks[f"{what}_{horizon_days}"]
                held = (walked.model > least).astype(np.float64)
                measures.append(_held(what, market, walked, held, horizon_days))
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
            label = _label(_excursions(market)["either"], horizon_days)
            for distance, rate in zip(JUDGED_DISTANCES, np.nanmean(label, axis=0), strict=True):
                basis_points = round(float(np.expm1(distance)) * 1e4)
                rates[BREACH.column(horizon_days, basis_points)] = float(rate)
        return rates

    def predict(self, estimators: Estimators, inputs: Inputs) -> FloatArray:
        """Return the probabilities of all sides, shape (N, 3, H, D)."""
        return evaluate(
            _surfaces(estimators["now"]),
            inputs["features"],
            inputs["implied_sigma"],
            inputs["horizon"],
            inputs["distance"],
        )

    def inputs(self) -> tuple[ArraySpec, ...]:
        """Return the yardstick, and the horizons and distances that a caller chooses."""
        return _SIGMA, _HORIZON, _distance("D")

    def examples(self) -> Inputs:
        """Return horizons and distances from the shortest to the longest."""
        return {
            "horizon": np.array([1.0, 2.0, 5.0, 10.0, 20.0, 30.0]),
            "distance": np.log1p(np.array([0.001, 0.01, 0.02, 0.04, 0.07, 0.2])),
        }

    def outputs(self, name: str = "probability") -> tuple[ArraySpec, ...]:
        """Return one output: sides along axis 1, horizons and distances after it."""
        return (ArraySpec(name, "float64", ("N", 3, "H", "D"), "probability", SIDES),)

    def build(self, estimators: Estimators, feature_names: tuple[str, ...]) -> onnx.ModelProto:
        """Author the graph of the present fit."""
        return self._author(_surfaces(estimators["now"]), self.inputs(), feature_names)

    def past(self, estimators: Estimators) -> Past:
        """Return the fits that speak for the past, each for the days after what it has seen."""
        last_fit = len(estimators["stretches"]) - 1
        fit = ArraySpec("fit", "int64", ("N",), "numbers of stretches", minimum=0, maximum=last_fit)
        inputs = (_SIGMA, fit, _HORIZON, _distance("N", "D"))
        return Past(
            stretches=tuple((first, last) for first, last in estimators["stretches"]),
            inputs=inputs,
            outputs=self.outputs(),
            build=lambda feature_names: self._author(
                _surfaces(estimators["past"]), inputs, feature_names
            ),
            predict=lambda inputs: _predict_past(estimators, inputs),
            examples=lambda rows, random: {
                "horizon": np.array([1.0, 20.0, 30.0]),
                "distance": random.uniform(0.001, 0.2, (rows, 2)),
            },
        )

    def _author(
        self,
        surfaces: Mapping[str, Surface],
        inputs: tuple[ArraySpec, ...],
        feature_names: tuple[str, ...],
    ) -> onnx.ModelProto:
        """Author the graph of one fit, or, where ``fit`` is among the inputs, of many."""
        graph = Graph()
        arguments = _arguments(len(feature_names), inputs)
        probability = surface_graph(
            surfaces,
            graph,
            graph.columns(arguments["features"], feature_names, self.features),
            arguments["implied_sigma"],
            arguments["horizon"],
            arguments["distance"],
            arguments.get("fit"),
        )
        return build(arguments, {"probability": probability})

    def _fit_once(
        self,
        market: MarketRows,
        sides: Mapping[str, FloatArray],
        names: tuple[str, ...],
        progress: Progress,
    ) -> Callable[[Block], dict[str, Surface]]:
        """Return a function that fits a block when it is first asked for, and remembers."""
        fits: dict[int, dict[str, Surface]] = {}

        def fit_of(block: Block) -> dict[str, Surface]:
            first = int(block.test[0])
            if first not in fits:
                fits[first] = self._fit(market, sides, _usable_before(market, block), names)
                progress()
            return fits[first]

        return fit_of

    def _fit(
        self,
        market: MarketRows,
        sides: Mapping[str, FloatArray],
        usable_rows: Callable[[int], NDArray[np.bool_]],
        names: tuple[str, ...] = features,
    ) -> dict[str, Surface]:
        features = market.columns(names)
        return {
            side: fit_surface(side, features, market.implied_sigma, excursion, usable_rows)
            for side, excursion in sides.items()
        }

    def _walk(
        self,
        market: MarketRows,
        excursion: FloatArray,
        place: int,
        horizon_days: int,
        fit_of: Callable[[Block], dict[str, Surface]],
        plain_of: Callable[[Block], dict[str, Surface]],
    ) -> Forecasts:
        features, sigma = market.columns(self.features), market.implied_sigma
        horizon = np.array([float(horizon_days)])

        def forecaster(
            surfaces_of: Callable[[Block], dict[str, Surface]], read: FloatArray
        ) -> Forecaster:
            def forecast(block: Block) -> FloatArray:
                rows, surfaces = block.test, surfaces_of(block)
                values = evaluate(surfaces, read[rows], sigma[rows], horizon, JUDGED_DISTANCES)
                return values[:, place, 0]

            return forecast

        side = SIDES[place]
        early = len(market.bars) - len(features)
        before = _every_excursion(market)[side][:early]
        label = _label(excursion, horizon_days)
        return walk_forward(
            market.timeline(horizon_days),
            label,
            market.scored_from,
            market.scored_to,
            forecaster(fit_of, features),
            {
                "climatology": climatology(label, _label(before, horizon_days)),
                "iv reflection": _reflection(market, side, horizon_days),
                "terminal normal": _terminal(market, side, horizon_days),
                "iv calibrated": forecaster(plain_of, features[:, :0]),
            },
            effort=market.effort,
        )

    def _walk_touch(
        self,
        market: MarketRows,
        asked: FloatArray,
        horizon_days: int,
        fit_of: Callable[[Block], dict[str, Surface]],
    ) -> Forecasts:
        """Ask how likely a touch was of a distance that is known once the horizon has passed.

        The label is that distance. Beyond the longest horizon of the surface, distances are scaled
        with the square root of time.
        """
        features, sigma = market.columns(self.features), market.implied_sigma
        surface_days = min(horizon_days, LONGEST_DAYS)
        horizon = np.array([float(surface_days)])
        scaled = asked * np.sqrt(surface_days / horizon_days)

        def model(block: Block) -> FloatArray:
            rows = block.test
            # A window that never left its close, or is not over, has no distance to ask for.
            distance = np.where(scaled[rows] > 0.0, scaled[rows], 1e-9)[:, None]
            values = evaluate(fit_of(block), features[rows], sigma[rows], horizon, distance)
            return values[:, 0, 0, 0]

        return walk_forward(
            market.timeline(horizon_days),
            asked,
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
        # In deviations, so that a day's own volatility goes with it to its new place.
        mixed = {
            side: (excursion / sigma[:, None])[order] * sigma[:, None]
            for side, excursion in _excursions(market).items()
        }
        horizon = np.array([float(SHUFFLED_HORIZON_DAYS)])
        edge = SHUFFLED_K * sigma * np.sqrt(SHUFFLED_HORIZON_DAYS)

        def model(block: Block) -> FloatArray:
            rows = block.test
            surfaces = self._fit(market, mixed, _usable_before(market, block))
            progress()
            values = evaluate(surfaces, features[rows], sigma[rows], horizon, edge[rows][:, None])
            return values[:, 0, 0, 0]

        reached = mixed["either"][:, SHUFFLED_HORIZON_DAYS - 1]
        label = np.where(np.isnan(reached), np.nan, reached > edge)
        walked = walk_forward(
            market.timeline(SHUFFLED_HORIZON_DAYS),
            label,
            market.scored_from,
            market.scored_to,
            model,
            {},
            effort=market.effort,
        )
        check_shuffled(walked.model, walked.label, f"breach on {market.name}")

    @staticmethod
    def _stretches(market: MarketRows) -> list[Block]:
        warm_up = min(PAST_WARM_UP_ROWS, len(market.dates) - 1)
        spans = market.dates[warm_up], market.dates[-1]
        return list(blocks(market.timeline(LONGEST_DAYS), *spans, market.effort))


def _held(
    what: str, market: MarketRows, walked: Forecasts, held: FloatArray, horizon_days: int
) -> dict[str, Any]:
    rows = bootstrap_rows(len(held), horizon_days, market.effort.bootstrap_samples)
    lower, upper = np.quantile(held[rows].mean(axis=1), [0.025, 0.975])
    years = walked.dates.astype("datetime64[Y]").astype(str)
    sigma = market.implied_sigma[walked.rows]
    tercile = np.searchsorted(np.quantile(sigma, [1 / 3, 2 / 3]), sigma)
    return {
        "what": what,
        "market": market.name,
        "horizon_days": horizon_days,
        "confidence": CONFIDENCE,
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


def _every_excursion(market: MarketRows) -> dict[str, FloatArray]:
    """Excursions of every bar, those without features too."""
    down, up = excursions(market.bars, LONGEST_DAYS)
    return {"either": np.maximum(down, up), "down": down, "up": up}


def _excursions(market: MarketRows) -> dict[str, FloatArray]:
    return {side: market.rows_of(values) for side, values in _every_excursion(market).items()}


def _usable_before(market: MarketRows, block: Block) -> Callable[[int], NDArray[np.bool_]]:
    """Which rows have a label that ended an embargo before the block, by horizon."""
    return lambda horizon_days: market.timeline(horizon_days).ended_by(block.cut)


def _label(excursion: FloatArray, horizon_days: int) -> FloatArray:
    """Whether each judged distance was reached, shape (N, D); NaN where not known."""
    reached = excursion[:, horizon_days - 1, None]
    return np.where(np.isnan(reached), np.nan, reached > JUDGED_DISTANCES)


def _deviations(market: MarketRows, block: Block, horizon_days: int) -> FloatArray:
    sigma = market.implied_sigma[block.test, None]
    return np.asarray(JUDGED_DISTANCES / (sigma * np.sqrt(horizon_days)))


def _reflection(market: MarketRows, side: str, horizon_days: int) -> Forecaster:
    """Forecast what a driftless path with the implied volatility would do."""

    def forecast(block: Block) -> FloatArray:
        k = _deviations(market, block, horizon_days)
        return 1.0 - stay_probability(k) if side == "either" else np.asarray(2.0 * norm.sf(k))

    return forecast


def _terminal(market: MarketRows, side: str, horizon_days: int) -> Forecaster:
    """Forecast where a normal return with the implied volatility would end."""
    edges = 2.0 if side == "either" else 1.0
    return lambda block: np.asarray(edges * norm.sf(_deviations(market, block, horizon_days)))


def _stacked(surfaces: Sequence[Surface]) -> dict[str, FloatArray]:
    arrays = [surface.to_arrays() for surface in surfaces]
    return {name: np.concatenate([one[name] for one in arrays]) for name in arrays[0]}


def _surfaces(stored: Mapping[str, Mapping[str, FloatArray]]) -> dict[str, Surface]:
    """Read stored surfaces, and assert once more that they are monotone."""
    surfaces = {side: Surface(**arrays) for side, arrays in stored.items()}
    for side, surface in surfaces.items():
        check_shape(side, surface)
    return surfaces


def _predict_past(estimators: Estimators, inputs: Inputs) -> FloatArray:
    """Evaluate row by row of the fits, as `Breach.predict` does for the present one."""
    surfaces = _surfaces(estimators["past"])
    shape = (len(SIDES), len(inputs["horizon"]), inputs["distance"].shape[1])
    values = np.empty((len(inputs["fit"]), *shape))
    for fit in np.unique(inputs["fit"]):
        rows = inputs["fit"] == fit
        of_fit = {
            side: Surface(**{name: array[fit][None] for name, array in vars(surface).items()})
            for side, surface in surfaces.items()
        }
        values[rows] = evaluate(
            of_fit,
            inputs["features"][rows],
            inputs["implied_sigma"][rows],
            inputs["horizon"],
            inputs["distance"][rows],
        )
    return values


def _arguments(n_features: int, inputs: tuple[ArraySpec, ...]) -> dict[str, Var]:
    arguments = {"features": argument(Tensor(np.float64, ("N", n_features)))}
    for array in inputs:
        arguments[array.name] = argument(Tensor(np.dtype(array.dtype), array.shape))
    return arguments
