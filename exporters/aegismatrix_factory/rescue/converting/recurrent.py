"""A state dict of the bidirectional LSTM with attention of `heads.network` as parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from aegismatrix_factory.rescue.converting.errors import (
    InconsistentModelError,
    NonFiniteModelError,
    OversizedModelError,
    UnsupportedModelError,
)
from aegismatrix_factory.rescue.converting.parameters import (
    Direction,
    Recurrent,
    Revived,
    SingleArray,
)
from aegismatrix_factory.rescue.reading.errors import clipped

LIBRARY = "torch"
MAX_LAYERS = 16
MAX_WEIGHTS = 16 * 2**20
"""What fills the largest sealed artifact."""
_HEAD = (
    "alignment.weight",
    "alignment.bias",
    "attention.weight",
    "heads.weight",
    "heads.bias",
)
_PARTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def is_state_dict(value: object) -> bool:
    """Whether a value is a non-empty dictionary of arrays by name."""
    return (
        isinstance(value, Mapping)
        and bool(value)
        and all(isinstance(name, str) for name in value)
        and all(isinstance(one, np.ndarray) for one in value.values())
    )


def revive_recurrent(weights: Mapping[str, Any], key: str) -> Revived:
    """Return what a state dict computes.

    Parameters
    ----------
    weights : mapping of str to ndarray
        By torch's names.
    key : str
        Where in the file it was.

    Returns
    -------
    Revived

    Raises
    ------
    LegacyError
        One of its children, saying why it is not converted.
    """
    depth = 0
    while f"lstm.weight_ih_l{depth}" in weights and depth <= MAX_LAYERS:
        depth += 1
    expected = {*_HEAD} | {
        f"lstm.{part}_l{layer}{end}"
        for layer in range(depth)
        for part in _PARTS
        for end in ("", "_reverse")
    }
    odd = sorted(expected ^ set(weights))
    if odd or not 1 <= depth <= MAX_LAYERS:
        named = clipped(odd[0]) if odd else "lstm.weight_ih_l0"
        raise UnsupportedModelError(
            "it is not the bidirectional LSTM with attention of this project"
            f" ({named} is {'too much' if odd and odd[0] in weights else 'absent'})",
            code="unknown-network",
        )
    count = sum(array.size for array in weights.values())
    if count > MAX_WEIGHTS:
        raise OversizedModelError(f"it has {count} weights, allowed are {MAX_WEIGHTS}")
    heads = _matrix(weights, "heads.weight")
    alignment = _matrix(weights, "alignment.weight")
    hidden = _matrix(weights, "lstm.weight_hh_l0").shape[1]
    width = inputs = _matrix(weights, "lstm.weight_ih_l0").shape[1]
    layers = []
    for layer in range(depth):
        layers.append(
            (
                _direction(weights, f"_l{layer}", inputs, hidden),
                _direction(weights, f"_l{layer}_reverse", inputs, hidden),
            )
        )
        inputs = 2 * hidden
    model = Recurrent(
        layers=tuple(layers),
        alignment=_shaped(weights, "alignment.weight", (len(alignment), 2 * hidden)),
        alignment_bias=_shaped(weights, "alignment.bias", (len(alignment),)),
        attention=_shaped(weights, "attention.weight", (1, len(alignment))),
        heads=_shaped(weights, "heads.weight", (len(heads), 2 * hidden)),
        heads_bias=_shaped(weights, "heads.bias", (len(heads),)),
    )
    details = {"features": width, "hidden": hidden, "layers": depth, "outputs": len(heads)}
    return Revived(key, LIBRARY, "", "state_dict", (), model, details=details)


def _direction(weights: Mapping[str, Any], end: str, inputs: int, hidden: int) -> Direction:
    gates = 4 * hidden
    return Direction(
        _shaped(weights, f"lstm.weight_ih{end}", (gates, inputs)),
        _shaped(weights, f"lstm.weight_hh{end}", (gates, hidden)),
        _shaped(weights, f"lstm.bias_ih{end}", (gates,)),
        _shaped(weights, f"lstm.bias_hh{end}", (gates,)),
    )


def _matrix(weights: Mapping[str, Any], name: str) -> SingleArray:
    array: SingleArray = weights[name]
    if array.ndim != 2 or not array.size:
        raise InconsistentModelError(f"{name} has the shape {array.shape}, which is no matrix")
    return array


def _shaped(weights: Mapping[str, Any], name: str, shape: tuple[int, ...]) -> SingleArray:
    array: SingleArray = weights[name]
    if array.shape != shape:
        raise InconsistentModelError(f"{name} has the shape {array.shape}, expected is {shape}")
    if array.dtype != np.float32:
        raise UnsupportedModelError(
            f"{name} is of {array.dtype}, and not float32", code="unsupported-precision"
        )
    if not np.isfinite(array).all():
        raise NonFiniteModelError(name)
    return array
