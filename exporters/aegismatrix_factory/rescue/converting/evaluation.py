"""What a revived model answers, computed with numpy straight from its parameters.

Independent of the graph: trees are walked node by node with thresholds in float64, the network is
computed in float64 with torch's order of gates.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aegismatrix_factory.rescue.converting.parameters import (
    LEAF,
    Direction,
    Ensemble,
    FloatArray,
    Linear,
    Recurrent,
    Revived,
    Scaler,
    Tree,
)


def evaluate(revived: Revived, x: FloatArray) -> FloatArray:
    """Answer as the library would.

    Parameters
    ----------
    revived : Revived
        The model.
    x : ndarray of shape (N, F), or (N, rows, F) for a network
        Its input.

    Returns
    -------
    ndarray
        Of the shape that `aegismatrix_factory.rescue.converting.graphs.contract` says.
    """
    # What overflows is not finite, and the proof finds it.
    with np.errstate(over="ignore", invalid="ignore"):
        for scaler in revived.scalers:
            x = _scaled(scaler, x)
        model = revived.model
        if isinstance(model, Scaler):
            return _scaled(model, x)
        if isinstance(model, Linear):
            return _linear(model, x)
        if isinstance(model, Ensemble):
            return _ensemble(model, x)
        return _recurrent(model, x)


def _scaled(scaler: Scaler, x: FloatArray) -> FloatArray:
    shifted = x if scaler.mean is None else x - scaler.mean
    return shifted if scaler.scale is None else shifted / scaler.scale


def _linear(model: Linear, x: FloatArray) -> FloatArray:
    decision = x @ model.coefficients.T + model.intercepts
    if model.link == "softmax":
        return _softmax(decision, axis=1)
    each = _sigmoid(decision)
    if model.link == "sigmoid":
        return np.column_stack([1.0 - each, each])
    total = each.sum(axis=1, keepdims=True)
    return np.where(total == 0.0, 1.0 / each.shape[1], each / np.where(total == 0.0, 1.0, total))


def _ensemble(model: Ensemble, x: FloatArray) -> FloatArray:
    single = x.astype(np.float32).astype(np.float64)
    precision = np.float32 if model.total == "running" else np.float64
    added = np.tile(model.base.astype(precision), (len(x), 1))
    for tree in model.trees:
        added += tree.values[_reached(tree, single, model.strict)].astype(precision)
    total = added.astype(np.float64)
    if model.total == "mean":
        total /= len(model.trees)
    if model.link == "softmax":
        return _softmax(total, axis=1)
    if model.link == "sigmoid":
        second = _sigmoid(total)
        return np.concatenate([1.0 - second, second], axis=1)
    return total[:, 0] if model.answer == "value" and total.shape[1] == 1 else total


def _reached(tree: Tree, x: FloatArray, strict: bool) -> NDArray[np.int64]:
    node = np.zeros(len(x), dtype=np.int64)
    rows = np.arange(len(x))
    while True:
        rows = rows[tree.left[node[rows]] != LEAF]
        if not len(rows):
            return node
        here = node[rows]
        value, threshold = x[rows, tree.feature[here]], tree.threshold[here]
        goes_left = (value < threshold) if strict else (value <= threshold)
        goes_left = np.where(np.isnan(value), tree.missing_left[here], goes_left)
        node[rows] = np.where(goes_left, tree.left[here], tree.right[here])


def _recurrent(model: Recurrent, x: FloatArray) -> FloatArray:
    states = x.astype(np.float32).astype(np.float64)
    for forwards, backwards in model.layers:
        ahead = _states(forwards, states)
        back = _states(backwards, states[:, ::-1])[:, ::-1]
        states = np.concatenate([ahead, back], axis=2)
    aligned = np.tanh(states @ model.alignment.T.astype(np.float64) + model.alignment_bias)
    shares = _softmax(aligned @ model.attention.T.astype(np.float64), axis=1)
    context = (shares * states).sum(axis=1)
    return np.asarray(context @ model.heads.T.astype(np.float64) + model.heads_bias)


def _states(direction: Direction, x: FloatArray) -> FloatArray:
    weights = direction.input_weights.astype(np.float64)
    recurrence = direction.state_weights.astype(np.float64)
    bias = direction.input_bias.astype(np.float64) + direction.state_bias
    state = cell = np.zeros((len(x), direction.hidden))
    states = []
    for row in range(x.shape[1]):
        gates = x[:, row] @ weights.T + state @ recurrence.T + bias
        entry, forget, candidate, out = np.split(gates, 4, axis=1)
        cell = _sigmoid(forget) * cell + _sigmoid(entry) * np.tanh(candidate)
        state = _sigmoid(out) * np.tanh(cell)
        states.append(state)
    return np.stack(states, axis=1)


def _sigmoid(value: FloatArray) -> FloatArray:
    small = np.exp(-np.abs(value))
    return np.where(value >= 0.0, 1.0, small) / (1.0 + small)


def _softmax(value: FloatArray, axis: int) -> FloatArray:
    raised = np.exp(value - value.max(axis=axis, keepdims=True))
    return np.asarray(raised / raised.sum(axis=axis, keepdims=True))
