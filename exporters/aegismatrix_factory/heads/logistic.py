"""Pooled, standardised, clipped L2 logistic regression: the default family of every model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import spox.opset.ai.onnx.v18 as op
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from spox import Var, inline

from aegismatrix_factory.conversion import classifier_to_onnx
from aegismatrix_factory.evaluate.markets import MarketRows
from aegismatrix_factory.evaluate.walkforward import Block, Forecaster, JudgingError
from aegismatrix_factory.graph.expressions import Graph

FloatArray = NDArray[np.float64]

INVERSE_PENALTY = 0.03
POOL_WEIGHT = 0.5
CLIP = 4.0
MAX_ITERATIONS = 1000


def training_rows(
    market: MarketRows,
    label: FloatArray,
    rows: NDArray[np.int64],
    cut: np.datetime64 | None,
    pool: Sequence[tuple[MarketRows, FloatArray]],
    features: tuple[str, ...],
    horizon_days: int,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Stack a market's rows with those of its pool.

    Parameters
    ----------
    market : MarketRows
        The market to model.
    label : ndarray of shape (N,)
        Its outcomes, NaN where unknown.
    rows : ndarray of int
        Which of its rows may be used.
    cut : datetime64[D] or None
        A pool's row counts only if its label ended strictly before; None lifts the limit.
    pool : sequence of (MarketRows, labels)
        Other markets.
    features : tuple of str
        Columns.
    horizon_days : int
        Trading days until a label is known; each row weighs 1 / horizon_days, since neighbouring
        labels overlap.

    Returns
    -------
    x : ndarray of shape (n, len(features) + 1)
        Features and, last, the market indicator: 0 for `market`, 1 for its pool.
    y, weight : ndarray of shape (n,)
        Labels and weights.
    """
    rows = rows[~np.isnan(label[rows])]
    x = [np.column_stack([market.columns(features)[rows], np.zeros(len(rows))])]
    y = [label[rows]]
    weight = [np.full(len(rows), 1.0 / horizon_days)]
    for other, other_label in pool:
        usable = ~np.isnan(other_label)
        if cut is not None:
            usable &= other.timeline(horizon_days).ended < cut
        x.append(np.column_stack([other.columns(features)[usable], np.ones(int(usable.sum()))]))
        y.append(other_label[usable])
        weight.append(np.full(int(usable.sum()), POOL_WEIGHT / horizon_days))
    return np.concatenate(x), np.concatenate(y), np.concatenate(weight)


def fit_logistic(
    x: FloatArray, y: FloatArray, weight: FloatArray, gain: FloatArray | None = None
) -> dict[str, Any]:
    """Fit scaler and classifier.

    Parameters
    ----------
    x : ndarray of shape (n, F + 1)
        From `training_rows`.
    y, weight : ndarray of shape (n,)
        Labels, binary or classes, and weights.
    gain : ndarray of shape (F + 1,), optional
        Divides the penalty of a column by its square; all 1 by default.

    Returns
    -------
    dict
        ``scaler`` over the F features and ``classifier`` over F + 1 inputs.
    """
    gains = np.ones(x.shape[1]) if gain is None else gain
    scaler = StandardScaler().fit(x[:, :-1], sample_weight=weight)
    classifier = LogisticRegression(C=INVERSE_PENALTY, max_iter=MAX_ITERATIONS)
    classifier.fit(_standardised(scaler, x) * gains, y.astype(np.int64), sample_weight=weight)
    classifier.coef_ = classifier.coef_ * gains
    return {"scaler": scaler, "classifier": classifier}


def predict_logistic(fitted: dict[str, Any], features: FloatArray) -> FloatArray:
    """Forecast for the market that was modelled, indicator 0.

    Parameters
    ----------
    fitted : dict
        From `fit_logistic`.
    features : ndarray of shape (n, F)
        Feature rows.

    Returns
    -------
    ndarray of shape (n, classes)
    """
    x = np.column_stack([features, np.zeros(len(features))])
    probabilities: FloatArray = fitted["classifier"].predict_proba(
        _standardised(fitted["scaler"], x)
    )
    return probabilities


def logistic_forecaster(
    market: MarketRows,
    label: FloatArray,
    pool: Sequence[tuple[MarketRows, FloatArray]],
    features: tuple[str, ...],
    horizon_days: int,
    gain: FloatArray | None = None,
) -> Forecaster:
    """Refit for each block of a walk-forward.

    Parameters
    ----------
    market, label, pool, features, horizon_days
        As for `training_rows`.
    gain
        As for `fit_logistic`.

    Returns
    -------
    callable
        From a block to forecasts of shape (len(block.test), classes).
    """

    def forecast(block: Block) -> FloatArray:
        table = training_rows(market, label, block.train, block.cut, pool, features, horizon_days)
        fitted = fit_logistic(*table, gain=gain)
        return predict_logistic(fitted, market.columns(features)[block.test])

    return forecast


def logistic_graph(fitted: dict[str, Any], features: Var, graph: Graph) -> Var:
    """Author the same forecast as a graph expression.

    Parameters
    ----------
    fitted : dict
        From `fit_logistic`.
    features : Var
        float64 (N, F).
    graph : Graph
        Where constants live.

    Returns
    -------
    Var
        float64 (N, classes).
    """
    scaler, classifier = fitted["scaler"], fitted["classifier"]
    centred = op.sub(features, graph.constant(scaler.mean_))
    scaled = op.div(centred, graph.constant(scaler.scale_))
    clipped = op.min([op.max([scaled, graph.constant(-CLIP)]), graph.constant(CLIP)])
    # The market indicator is 0 for the market that is served.
    inputs = op.pad(clipped, graph.constant([0, 0, 0, 1]), graph.constant(0.0))
    model = classifier_to_onnx(classifier, len(scaler.mean_) + 1)
    return inline(model)(x=inputs)["probabilities"]


def stack_logistic(fits: Sequence[dict[str, Any]]) -> dict[str, FloatArray]:
    """Put fits of the same classes side by side.

    Parameters
    ----------
    fits : sequence of dict
        S times what `fit_logistic` gives, on three classes or more.

    Returns
    -------
    dict of str to ndarray
        ``mean`` and ``scale`` of shape (S, F), ``weight`` of shape (S, classes, F), ``bias`` of
        shape (S, classes); for the market that was modelled, indicator 0.

    Raises
    ------
    JudgingError
        If the fits have not seen the same classes.
    """
    seen = {tuple(fitted["classifier"].classes_.tolist()) for fitted in fits}
    if len(seen) != 1 or len(min(seen)) < 3:
        raise JudgingError(
            f"The fits have not seen the same three classes or more, but {sorted(seen)}.",
            remedy="Give a longer history, one in which every class occurs early.",
        )
    return {
        "mean": np.stack([fitted["scaler"].mean_ for fitted in fits]),
        "scale": np.stack([fitted["scaler"].scale_ for fitted in fits]),
        "weight": np.stack([fitted["classifier"].coef_[:, :-1] for fitted in fits]),
        "bias": np.stack([fitted["classifier"].intercept_ for fitted in fits]),
    }


def predict_stacked(
    stacked: Mapping[str, FloatArray], features: FloatArray, fit: NDArray[Any]
) -> FloatArray:
    """Forecast each row by a fit of its own.

    Parameters
    ----------
    stacked : mapping of str to ndarray
        From `stack_logistic`.
    features : ndarray of shape (n, F)
        Feature rows.
    fit : ndarray of shape (n,), int
        Number of the fit.

    Returns
    -------
    ndarray of shape (n, classes)
    """
    scaled = (features - stacked["mean"][fit]) / stacked["scale"][fit]
    clipped = np.clip(scaled, -CLIP, CLIP)
    logits = np.einsum("nf,ncf->nc", clipped, stacked["weight"][fit]) + stacked["bias"][fit]
    return np.asarray(softmax(logits, axis=1))


def stacked_graph(stacked: Mapping[str, FloatArray], features: Var, fit: Var, graph: Graph) -> Var:
    """Author `predict_stacked` as a graph expression.

    Parameters
    ----------
    stacked : mapping of str to ndarray
        From `stack_logistic`.
    features : Var
        float64 (N, F).
    fit : Var
        int64 (N,).
    graph : Graph
        Where constants live.

    Returns
    -------
    Var
        float64 (N, classes).
    """
    of_row = {name: op.gather(graph.constant(array), fit) for name, array in stacked.items()}
    scaled = op.div(op.sub(features, of_row["mean"]), of_row["scale"])
    clipped = op.min([op.max([scaled, graph.constant(-CLIP)]), graph.constant(CLIP)])
    products = op.mul(op.unsqueeze(clipped, graph.constant([1])), of_row["weight"])
    logits = op.add(op.reduce_sum(products, graph.constant([2]), keepdims=0), of_row["bias"])
    return op.softmax(logits, axis=1)


def _standardised(scaler: StandardScaler, x: FloatArray) -> FloatArray:
    scaled = np.clip((x[:, :-1] - scaler.mean_) / scaler.scale_, -CLIP, CLIP)
    return np.column_stack([scaled, x[:, -1]])
