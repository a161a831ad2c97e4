"""The proof of equality: no artifact is written unless it passes every check here.

In this order, so that the first failure names the cause: names, types and shapes, then values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

from aegismatrix.artifacts.manifest import ModelSpec
from aegismatrix.engine.model import Model
from aegismatrix.errors import AegisError
from aegismatrix.market.bars import Bars
from aegismatrix_factory.evaluate.markets import MarketRows
from aegismatrix_factory.evaluate.walkforward import SEED
from aegismatrix_factory.heads.head import Estimators, Head, Past

FloatArray = NDArray[np.float64]

RANDOM_ROWS = 4096
RANDOM_SPREADS = (0.5, 2.0, 8.0, 1e3, 1e6)
RANDOM_MARKETS = 8
BATCHES = (1, 2, 7, 256)
STRETCHES = 8
SUB_RANGES = 64
RUNTIME_TOLERANCE = 1e-9


class ParityError(AegisError):
    """A graph is not the model that was trained.

    Attributes
    ----------
    artifact, check : str
        Which artifact, and which check it failed.
    worst, tolerance : float
        Largest difference found, and allowed.
    """

    def __init__(self, artifact: str, check: str, *, worst: float, tolerance: float) -> None:
        self.artifact = artifact
        self.check = check
        self.worst = worst
        self.tolerance = tolerance
        super().__init__(
            f"{artifact} fails {check}: it differs by {worst:.3g}, allowed is {tolerance:.3g}.",
            remedy="Nothing was written; mend the graph or its conversion and export again.",
        )


def open_candidate(spec: ModelSpec, data: bytes) -> Model:
    """Open an artifact that is not sealed yet; names, types and shapes are checked on the way.

    Parameters
    ----------
    spec : ModelSpec
        What it is going to be sealed as.
    data : bytes
        The artifact.

    Returns
    -------
    Model
    """
    return Model.from_bytes(spec, data, spec.file)


def prove_features(model: Model, data: bytes, markets: Sequence[MarketRows]) -> dict[str, Any]:
    """Prove the feature graph on every real bar.

    Parameters
    ----------
    model : Model
        The candidate.
    data : bytes
        Its bytes.
    markets : sequence of MarketRows
        The real bars.

    Returns
    -------
    dict
        Rows checked, sub-ranges equal bit for bit, largest difference from the reference
        implementation of the ONNX standard.

    Raises
    ------
    ParityError
    """
    reference = ReferenceEvaluator(onnx.load_from_string(data))
    random = np.random.default_rng(SEED)
    lookback = model.spec.lookback_bars
    worst, rows = 0.0, 0
    for market in markets:
        feed = bars_feed(market.bars)
        given = model.run(**feed)
        full = given["features"]
        if not np.array_equal(given["implied_sigma"], market.implied_sigma):
            raise ParityError("features", "implied_sigma", worst=np.inf, tolerance=0.0)
        standard: Any = reference.run(["features"], feed)
        difference = _largest(full - standard[0]) if full.shape == standard[0].shape else np.inf
        # Written so that NaN fails.
        if not difference <= RUNTIME_TOLERANCE:
            raise ParityError(
                "features", "the reference runtime", worst=difference, tolerance=RUNTIME_TOLERANCE
            )
        worst = max(worst, difference)
        rows += len(full)
        for _ in range(SUB_RANGES):
            start = int(random.integers(0, len(market.bars) - lookback))
            stop = int(random.integers(start + lookback, len(market.bars) + 1))
            part = model.run(**{name: values[start:stop] for name, values in feed.items()})
            same = full[start : stop - lookback + 1]
            if not np.array_equal(part["features"], same):
                raise ParityError(
                    "features",
                    f"equality of bars {start} to {stop} of {market.name}",
                    worst=_largest(part["features"] - same),
                    tolerance=0.0,
                )
    return {
        "real_rows": rows,
        "equal_sub_ranges": SUB_RANGES * len(markets),
        "reference_runtime_difference": worst,
    }


def prove_head(
    model: Model,
    head: Head,
    estimators: Estimators,
    markets: Sequence[MarketRows],
    trained: FloatArray,
) -> dict[str, Any]:
    """Prove that a head's graph equals its trained estimators.

    Parameters
    ----------
    model : Model
        The candidate.
    head : Head
        What was trained.
    estimators : mapping
        From `Head.fit`.
    markets : sequence of MarketRows
        Those that the head serves; every real row of them that has what it needs is checked.
    trained : ndarray of shape (rows of all markets, ...)
        What the estimators said to those rows when they were trained.

    Returns
    -------
    dict
        Rows checked and largest differences.

    Raises
    ------
    ParityError
        If any difference exceeds the head's declared tolerance.
    """
    given = [head.given(market) for market in markets]
    real = {name: np.concatenate([one[name] for one in given]) for name in given[0]}
    features = real["features"]
    random = np.random.default_rng(SEED)
    noise = random.standard_normal((RANDOM_ROWS, features.shape[1]))
    # From well inside the clips of the standardiser to far beyond any market.
    spread = features.std(axis=0) * np.resize(RANDOM_SPREADS, (RANDOM_ROWS, 1))
    made_up = {
        name: features.mean(axis=0) + spread * noise
        if name == "features"
        else random.uniform(values.min() / 2, values.max() * 2, RANDOM_ROWS)
        for name, values in real.items()
    }
    figures: dict[str, Any] = {"tolerance": head.tolerance}
    for kind, rows in (("real", real), ("random", made_up)):
        feed = head_feed(head, rows)
        graph = model.run(**feed)["probability"]
        expected = expected_of(head, estimators, feed, markets[0].feature_names)
        if graph.shape != expected.shape:
            raise ParityError(
                head.name, f"the shape {expected.shape}", worst=np.inf, tolerance=head.tolerance
            )
        figures[f"{kind}_rows"] = len(rows["features"])
        figures[f"{kind}_difference"] = _within(head, f"{kind} rows", graph - expected)
    if head.rows > 1:
        figures.update(_prove_batches(model, head, estimators, markets))
    now = np.concatenate(
        [model.run(**market_feed(head, market))["probability"] for market in markets]
    )
    if now.shape != trained.shape:
        raise ParityError(head.name, "its training", worst=np.inf, tolerance=head.tolerance)
    _within(head, "its training", now - trained)
    return figures


def _prove_batches(
    model: Model, head: Head, estimators: Estimators, markets: Sequence[MarketRows]
) -> dict[str, float]:
    """Prove a head that reads windows on few of them and on many, at places drawn at random.

    A graph that was traced with an example may hold the number of windows in it.
    """
    random = np.random.default_rng(SEED)
    figures = {}
    for size in BATCHES:
        kind, worst = f"batch_of_{size}", 0.0
        for market in markets:
            count = size + head.rows - 1
            for start in random.integers(0, len(market.features) - count + 1, STRETCHES):
                rows = slice(int(start), int(start) + count)
                given = {
                    "features": market.features[rows],
                    "implied_sigma": market.implied_sigma[rows],
                }
                feed = head_feed(head, given)
                graph = model.run(**feed)["probability"]
                expected = expected_of(head, estimators, feed, market.feature_names)
                if graph.shape != expected.shape:
                    raise ParityError(head.name, kind, worst=np.inf, tolerance=head.tolerance)
                worst = max(worst, _within(head, kind, graph - expected))
        figures[f"{kind}_difference"] = worst
    return figures


def prove_past(
    model: Model, head: Head, past: Past, markets: Sequence[MarketRows]
) -> dict[str, Any]:
    """Prove that the fits that speak for the past say in the graph what they say outside.

    Parameters
    ----------
    model : Model
        The candidate.
    head : Head
        Whose past it is.
    past : Past
        The fits.
    markets : sequence of MarketRows
        Every real row of them is checked, each with some fit and distances of its own.

    Returns
    -------
    dict
        Rows checked and largest difference.

    Raises
    ------
    ParityError
    """
    random = np.random.default_rng(SEED)
    worst, rows = 0.0, 0
    for market in markets:
        count = len(market.features)
        given: dict[str, NDArray[Any]] = {
            "features": market.features,
            "implied_sigma": market.implied_sigma,
            "fit": random.integers(0, len(past.stretches), count),
            **past.examples(count, random),
        }
        feed = {array.name: given[array.name] for array in model.spec.inputs}
        graph = model.run(**feed)["probability"]
        expected = past.predict(_as_read(head, feed, market.feature_names))
        worst = max(worst, _within(head, "its past", graph - expected))
        rows += count
    return {"tolerance": head.tolerance, "real_rows": rows, "real_difference": worst}


def prove_engine(
    engine: Model,
    features: Model,
    staged: Mapping[str, Model],
    heads: Sequence[Head],
    estimators: Mapping[str, Estimators],
    markets: Sequence[MarketRows],
) -> dict[str, Any]:
    """Prove that the fused file equals the staged files and the trained estimators.

    Parameters
    ----------
    engine, features : Model
        Candidates.
    staged : mapping of str to Model
        The heads' candidates.
    heads : sequence of Head
        What was trained.
    estimators : mapping of str to estimators
        From `Head.fit`, by head.
    markets : sequence of MarketRows
        Every real row is checked, and random walks.

    Returns
    -------
    dict
        Rows checked and largest differences.

    Raises
    ------
    ParityError
    """
    feeds = [bars_feed(market.bars) for market in markets]
    real_rows = 0
    walks = [random_walk(SEED + number, 600) for number in range(RANDOM_MARKETS)]
    worst_staged = worst_trained = worst_between = 0.0
    chosen = {name: values for head in heads for name, values in head.examples().items()}
    for number, feed in enumerate([*feeds, *walks]):
        fused = engine.run(**feed, **chosen)
        market = features.run(**feed)
        wanted = len(feed["close"]) - engine.spec.lookback_bars + 1
        for name, values in fused.items():
            if len(values) != wanted:
                raise ParityError("engine", f"{wanted} rows of {name}", worst=np.inf, tolerance=0.0)
        for name, values in market.items():
            if not np.array_equal(fused[name], values[-wanted:]):
                raise ParityError("engine", name, worst=np.inf, tolerance=0.0)
        real_rows += len(fused["implied_sigma"]) if number < len(feeds) else 0
        for head in heads:
            last = len(fused[head.name])
            inputs = head_feed(head, market)
            one_by_one = staged[head.name].run(**inputs)["probability"][-last:]
            difference = fused[head.name] - one_by_one
            worst_staged = max(
                worst_staged, _within(head, "equality with staged files", difference)
            )
            names = markets[0].feature_names
            trained = expected_of(head, estimators[head.name], inputs, names)[-last:]
            difference = fused[head.name] - trained
            worst_trained = max(worst_trained, _within(head, "trained estimators", difference))
            between = np.array(head.disagreement(fused))
            worst_between = max(worst_between, _within(head, "equality between heads", between))
    return {
        "real_rows": real_rows,
        "random_markets": RANDOM_MARKETS,
        "staged_difference": worst_staged,
        "trained_difference": worst_trained,
        "difference_between_heads": worst_between,
    }


def head_feed(head: Head, market: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Return the inputs of a head's graph: what the feature graph gives, and its examples."""
    wanted = {"features", *(array.name for array in head.inputs())}
    given = {**market, **head.examples()}
    return {name: values for name, values in given.items() if name in wanted}


def market_feed(head: Head, market: MarketRows) -> dict[str, FloatArray]:
    """Return the inputs of a head's graph on every row of a market that has them."""
    return head_feed(head, head.given(market))


def expected_of(
    head: Head, estimators: Estimators, feed: Mapping[str, FloatArray], names: tuple[str, ...]
) -> FloatArray:
    """Return what the trained estimators say to the inputs of the graph."""
    return head.predict(estimators, _as_read(head, feed, names))


def bars_feed(bars: Bars) -> dict[str, FloatArray]:
    """Return bars as the named inputs of a graph."""
    return {"high": bars.high, "low": bars.low, "close": bars.close, "iv": bars.iv}


def random_walk(seed: int, bars: int) -> dict[str, FloatArray]:
    """Return a made-up market as named inputs: log-normal closes, ranges and iv.

    Parameters
    ----------
    seed : int
        Of the generator.
    bars : int
        How many.

    Returns
    -------
    dict of str to ndarray of shape (bars,)
    """
    random = np.random.default_rng(seed)
    close = 10_000.0 * np.exp(np.cumsum(random.normal(0.0, 0.01, bars)))
    high = close * np.exp(np.abs(random.normal(0.0, 0.006, bars)))
    low = close * np.exp(-np.abs(random.normal(0.0, 0.006, bars)))
    iv = 15.0 * np.exp(0.3 * np.sin(np.arange(bars) / 40.0) + random.normal(0.0, 0.05, bars))
    return {"high": high, "low": low, "close": close, "iv": iv}


def _as_read(
    head: Head, feed: Mapping[str, NDArray[Any]], names: tuple[str, ...]
) -> dict[str, NDArray[Any]]:
    """The inputs of a graph with ``features`` cut to the columns that the head reads."""
    places = [names.index(name) for name in head.features]
    return {**feed, "features": feed["features"][:, places]}


def _largest(difference: FloatArray) -> float:
    return float(np.abs(difference).max())


def _within(head: Head, check: str, difference: FloatArray) -> float:
    worst = _largest(difference)
    # Written so that NaN fails.
    if not worst <= head.tolerance:
        raise ParityError(head.name, check, worst=worst, tolerance=head.tolerance)
    return worst
