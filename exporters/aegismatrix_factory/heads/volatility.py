"""Volatility in its own units: quantiles of what the next days will realise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import spox.opset.ai.onnx.v18 as op
from spox import Tensor, argument, build

from aegismatrix.artifacts.manifest import ArraySpec
from aegismatrix.engine.quantiles import exceedance
from aegismatrix.market.events import TRAP, VOLATILITY, VOLATILITY_UNIT
from aegismatrix.market.outcomes import forward_realised_vol
from aegismatrix.market.statistics import TRADING_DAYS
from aegismatrix_factory.evaluate.markets import MarketRows
from aegismatrix_factory.evaluate.walkforward import (
    Block,
    Forecaster,
    Forecasts,
    Judgement,
    blocks,
    bootstrap_rows,
    check_shuffled,
    judge,
    shuffled,
    walk_forward,
)
from aegismatrix_factory.graph.expressions import Graph
from aegismatrix_factory.heads import yardsticks
from aegismatrix_factory.heads.exceedance import fit_exceedance, quantiles, quantiles_graph
from aegismatrix_factory.heads.head import Estimators, FloatArray, Head, Inputs, Progress
from aegismatrix_factory.heads.logistic import training_rows
from aegismatrix_factory.heads.trap import Trap

HORIZONS_DAYS = VOLATILITY.horizon_days
LEVELS = np.array(VOLATILITY.levels)
SHUFFLED_HORIZON_DAYS = 5
# Of volatility / iv: a session without a move has no finite QLIKE.
LEAST_RATIO = 1e-3
_PER_CENT_OF_SIGMA = 100.0 * float(np.sqrt(TRADING_DAYS))
_SIGMA = ArraySpec("implied_sigma", "float64", ("N",), "daily standard deviation of log returns")


class Volatility(Head):
    """Seven quantiles of realised volatility over 1, 5, 10, 20 days, and its root mean square."""

    name = VOLATILITY.head
    version = "1"
    question = (
        "How large will realised volatility be over the next 1, 5, 10, 20 trading days, in per cent"
        " a year?"
    )
    features = Trap.features
    columns = VOLATILITY.columns
    unit = VOLATILITY_UNIT
    tolerance = 1e-10

    def fit(self, market: MarketRows, pool: Sequence[MarketRows]) -> Estimators:
        """Fit the law of every horizon on every labelled row."""
        rows = np.arange(len(market.dates))
        return {str(days): self._fit(market, pool, rows, None, days) for days in HORIZONS_DAYS}

    def walk(
        self, market: MarketRows, pool: Sequence[MarketRows], progress: Progress
    ) -> dict[str, Forecasts]:
        """Walk forward in units of iv, and beside it as the trap does, to be held against it."""
        walked = {
            VOLATILITY.judged(days): self._walk(market, _ratio(market, days), pool, days, progress)
            for days in HORIZONS_DAYS
        }
        return {**walked, **Trap().walk(market, pool, lambda: None)}

    def check_shuffled(self, market: MarketRows, progress: Progress) -> None:
        """Check how likely iv is exceeded."""
        mixed = shuffled(_ratio(market, SHUFFLED_HORIZON_DAYS))
        walked = walk_forward(
            market.timeline(SHUFFLED_HORIZON_DAYS),
            mixed,
            market.scored_from,
            market.scored_to,
            self._forecaster(market, (), SHUFFLED_HORIZON_DAYS, mixed),
            {},
            progress,
            market.effort,
        )
        check_shuffled(
            _beyond_iv(walked.model), _is_beyond(walked.label), f"volatility on {market.name}"
        )

    def judge(self, market: MarketRows, walks: Mapping[str, Forecasts]) -> list[Judgement]:
        """Judge the quantiles of every horizon by pinball loss, in units of iv."""
        return [
            judge(
                walks[VOLATILITY.judged(days)],
                output=VOLATILITY.judged(days),
                market=market.name,
                horizon_days=days,
                score="pinball skill",
                loss=pinball,
                events=[
                    (
                        _beyond_iv(walks[VOLATILITY.judged(days)].model),
                        _is_beyond(walks[VOLATILITY.judged(days)].label),
                    )
                ],
                effort=market.effort,
            )
            for days in HORIZONS_DAYS
        ]

    def measure(self, market: MarketRows, walks: Mapping[str, Forecasts]) -> list[dict[str, Any]]:
        """Measure QLIKE against each baseline, coverage by year, how far the trap disagrees."""
        walked = {days: walks[VOLATILITY.judged(days)] for days in HORIZONS_DAYS}
        return [
            *(_qlike_gains(market, one, days) for days, one in walked.items()),
            *(_coverage(market, one, days) for days, one in walked.items()),
            *(
                _disagreement(market, walked[days], walks[output.column], days)
                for days, output in TRAP.items()
            ),
        ]

    def said(self, market: MarketRows, walks: Mapping[str, Forecasts]) -> FloatArray:
        """Return the quantiles of every horizon in per cent a year."""
        count = len(market.dates)
        by_horizon = [walks[VOLATILITY.judged(days)].by_row(count) for days in HORIZONS_DAYS]
        return np.stack(by_horizon, axis=1) * _iv_percent(market.implied_sigma)[:, None, None]

    def refits(self, market: MarketRows) -> int:
        """Return a walk-forward for each horizon, and one with shuffled labels."""
        days = [*HORIZONS_DAYS, SHUFFLED_HORIZON_DAYS]
        return sum(
            len(
                list(
                    blocks(
                        market.timeline(one), market.scored_from, market.scored_to, market.effort
                    )
                )
            )
            for one in days
        )

    def base_rates(self, market: MarketRows) -> dict[str, float]:
        """Return nothing: none of its columns is an event."""
        del market
        return {}

    def predict(self, estimators: Estimators, inputs: Inputs) -> FloatArray:
        """Return quantiles and root mean squares in per cent a year, shape (N, 4, 8)."""
        laws = [estimators[str(days)] for days in HORIZONS_DAYS]
        of_iv = [quantiles(law, inputs["features"], LEVELS) for law in laws]
        iv = _iv_percent(inputs["implied_sigma"])
        return np.stack(of_iv, axis=1) * iv[:, None, None]

    def inputs(self) -> tuple[ArraySpec, ...]:
        """Return the yardstick, iv a day."""
        return (_SIGMA,)

    def outputs(self, name: str = "probability") -> tuple[ArraySpec, ...]:
        """Return one output: horizons along axis 1, quantiles and root mean square after it."""
        shape = ("N", len(HORIZONS_DAYS), len(LEVELS) + 1)
        return (ArraySpec(name, "float64", shape, VOLATILITY_UNIT, self.columns),)

    def build(self, estimators: Estimators, feature_names: tuple[str, ...]) -> onnx.ModelProto:
        """Author the graph: standardise, clip, invert the law, times iv."""
        graph = Graph()
        features = argument(Tensor(np.float64, ("N", len(feature_names))))
        sigma = argument(Tensor(np.float64, ("N",)))
        read = graph.columns(features, feature_names, self.features)
        laws = [estimators[str(days)] for days in HORIZONS_DAYS]
        iv = op.mul(op.unsqueeze(sigma, graph.constant([1, 2])), graph.constant(_PER_CENT_OF_SIGMA))
        volatility = op.mul(quantiles_graph(laws, LEVELS, read, graph), iv)
        return build({"features": features, "implied_sigma": sigma}, {"probability": volatility})

    def _fit(
        self,
        market: MarketRows,
        pool: Sequence[MarketRows],
        rows: Any,
        cut: np.datetime64 | None,
        days: int,
        ratio: FloatArray | None = None,
    ) -> dict[str, FloatArray]:
        table = training_rows(
            market,
            _ratio(market, days) if ratio is None else ratio,
            rows,
            cut,
            [(other, _ratio(other, days)) for other in pool],
            self.features,
            days,
        )
        return fit_exceedance(*table, days, LEVELS)

    def _forecaster(
        self, market: MarketRows, pool: Sequence[MarketRows], days: int, ratio: FloatArray
    ) -> Forecaster:
        features = market.columns(self.features)

        def forecast(block: Block) -> FloatArray:
            law = self._fit(market, pool, block.train, block.cut, days, ratio)
            return quantiles(law, features[block.test], LEVELS)

        return forecast

    def _walk(
        self,
        market: MarketRows,
        ratio: FloatArray,
        pool: Sequence[MarketRows],
        days: int,
        progress: Progress,
    ) -> Forecasts:
        baselines = {
            "climatology": yardsticks.typical(market),
            "scaled iv": yardsticks.implied(market),
            "EWMA": yardsticks.ewma(market),
            "HAR-RV": yardsticks.har(market, ratio),
            "GJR-GARCH": yardsticks.gjr(market, days),
        }
        return walk_forward(
            market.timeline(days),
            ratio,
            market.scored_from,
            market.scored_to,
            self._forecaster(market, pool, days, ratio),
            {
                name: yardsticks.dressed(baseline, ratio, LEVELS)
                for name, baseline in baselines.items()
            },
            progress,
            market.effort,
        )


def pinball(forecast: FloatArray, realised: FloatArray) -> FloatArray:
    """Return the mean pinball loss of the quantiles, per row (Koenker, Bassett 1978).

    Parameters
    ----------
    forecast : ndarray of shape (n, Q + 1)
        Quantiles, and the root mean square, which is not looked at.
    realised : ndarray of shape (n,)
        What came, in the same unit.

    Returns
    -------
    ndarray of shape (n,)
        Twice the mean over the levels: the more there are, the nearer to the continuous ranked
        probability score.
    """
    above = realised[:, None] - forecast[:, :-1]
    return np.asarray(2.0 * np.maximum(LEVELS * above, (LEVELS - 1.0) * above).mean(axis=1))


def qlike(forecast: FloatArray, realised: FloatArray) -> FloatArray:
    """Return the QLIKE loss of the root mean square, per row (Patton 2011).

    Parameters
    ----------
    forecast, realised
        As for `pinball`; a volatility below a thousandth of iv counts as that.

    Returns
    -------
    ndarray of shape (n,)
        ``v - ln v - 1`` of v, realised over forecast variance: least in expectation for the
        expected variance, and 0 where it came.
    """
    share = (np.maximum(realised, LEAST_RATIO) / forecast[:, -1]) ** 2
    return np.asarray(share - np.log(share) - 1.0)


def _ratio(market: MarketRows, days: int) -> FloatArray:
    """Realised volatility of the days ahead / iv, shape (N,); NaN where it is not known."""
    bars = market.bars
    return market.rows_of(forward_realised_vol(bars, days) / (bars.iv / 100.0))


def _iv_percent(implied_sigma: FloatArray) -> FloatArray:
    return np.asarray(implied_sigma * _PER_CENT_OF_SIGMA)


def _beyond_iv(forecast: FloatArray) -> FloatArray:
    """How likely iv is exceeded, of quantiles in units of iv."""
    return exceedance(forecast[:, :-1], VOLATILITY.levels, np.ones(len(forecast)))


def _is_beyond(ratio: FloatArray) -> FloatArray:
    return np.asarray(ratio > 1.0, dtype=np.float64)


def _interval(values: FloatArray, days: int, market: MarketRows) -> tuple[float, float]:
    rows = bootstrap_rows(len(values), days, market.effort.bootstrap_samples)
    lower, upper = np.quantile(values[rows].mean(axis=1), [0.025, 0.975])
    return round(float(lower), 6), round(float(upper), 6)


def _qlike_gains(market: MarketRows, walked: Forecasts, days: int) -> dict[str, Any]:
    model = qlike(walked.model, walked.label)
    over = {}
    for name, forecast in walked.baselines.items():
        gain = qlike(forecast, walked.label) - model
        lower, upper = _interval(gain, days, market)
        over[name] = {"gain": round(float(gain.mean()), 6), "lower": lower, "upper": upper}
    return {
        "what": "qlike gain",
        "output": VOLATILITY.judged(days),
        "market": market.name,
        "n": len(model),
        "qlike": round(float(model.mean()), 6),
        "over": over,
    }


def _coverage(market: MarketRows, walked: Forecasts, days: int) -> dict[str, Any]:
    """How often volatility stayed at or below each quantile."""
    years = walked.dates.astype("datetime64[Y]").astype(str)
    below = (walked.label[:, None] <= walked.model[:, :-1]).astype(np.float64)
    return {
        "what": "quantile coverage",
        "output": VOLATILITY.judged(days),
        "market": market.name,
        "n": len(below),
        "levels": [
            {
                "level": level,
                "held": round(float(held.mean()), 6),
                **dict(zip(("lower", "upper"), _interval(held, days, market), strict=True)),
                "years": {
                    str(year): round(float(held[years == year].mean()), 6)
                    for year in np.unique(years)
                },
            }
            for level, held in zip(VOLATILITY.levels, below.T, strict=True)
        ],
    }


def _disagreement(
    market: MarketRows, walked: Forecasts, trap: Forecasts, days: int
) -> dict[str, Any]:
    """How far the quantiles are from the trap, which forecasts P(volatility > iv) by itself."""
    count = len(market.dates)
    implied = _beyond_iv(walked.by_row(count))
    apart = np.abs(implied - trap.by_row(count))
    apart = apart[~np.isnan(apart)]
    return {
        "what": "disagreement",
        "output": VOLATILITY.judged(days),
        "with": TRAP[days].column,
        "market": market.name,
        "n": len(apart),
        "mean": round(float(apart.mean()), 6),
        "largest": round(float(apart.max()), 6),
    }
