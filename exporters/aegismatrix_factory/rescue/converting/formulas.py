"""Formulas of the oracles, in numpy; no graph is written with them."""

from __future__ import annotations

import numpy as np

from aegismatrix_factory.rescue.converting.parameters import FloatArray


def sigmoid(value: FloatArray) -> FloatArray:
    """Return ``1 / (1 + exp(-value))`` without overflow."""
    small = np.exp(-np.abs(value))
    return np.where(value >= 0.0, 1.0, small) / (1.0 + small)


def expit(value: FloatArray) -> FloatArray:
    """Return ``1 / (1 + exp(-value))`` as it stands: exactly 0 where the exponential overflows."""
    with np.errstate(over="ignore"):
        return np.asarray(1.0 / (1.0 + np.exp(-value)))


def softmax(value: FloatArray, axis: int = 1) -> FloatArray:
    """Return ``exp(value)`` divided by its sums along an axis."""
    raised = np.exp(value - value.max(axis=axis, keepdims=True))
    return np.asarray(raised / raised.sum(axis=axis, keepdims=True))


def shares(each: FloatArray) -> FloatArray:
    """Return rows divided by their sums; where a sum is 0 all have the same."""
    total = each.sum(axis=1, keepdims=True)
    return np.where(total == 0.0, 1.0 / each.shape[1], each / np.where(total == 0.0, 1.0, total))


def both(second: FloatArray) -> FloatArray:
    """Return both classes' probabilities (N, 2) of the second one's (N, 1)."""
    return np.concatenate([1.0 - second, second], axis=1)
