"""torch: a state dict of the bidirectional LSTM with attention of `heads.network`, of any size.

torch keeps the gates as input, forget, cell, output; ONNX as input, output, forget, cell.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from aegismatrix_factory.rescue.converting.attributes import Attributes
from aegismatrix_factory.rescue.converting.errors import (
    InconsistentModelError,
    NonFiniteModelError,
    OversizedModelError,
    UnsupportedModelError,
)
from aegismatrix_factory.rescue.converting.family import (
    Answer,
    Family,
    Model,
    Oracle,
    Part,
    Probes,
    Reader,
    Rows,
)
from aegismatrix_factory.rescue.converting.formulas import sigmoid, softmax
from aegismatrix_factory.rescue.converting.parameters import (
    Direction,
    FloatArray,
    Recurrent,
    SingleArray,
)
from aegismatrix_factory.rescue.converting.writing import Table, Writer, computed
from aegismatrix_factory.rescue.reading.errors import clipped

MAX_LAYERS = 16
MAX_WEIGHTS = 16 * 2**20
"""What fills the largest sealed artifact."""

TOLERANCE = 1e-5
"""float32 sums of a network, against the same in float64."""

WINDOW_ROWS = (1, 7, 20)
_NUMBERS = 2_000_000
_GATES = (0, 3, 1, 2)
"""Where ONNX's input, output, forget and cell gate are among torch's."""

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


def is_own(weights: Mapping[str, Any]) -> bool:
    """Whether a state dict has the names of this project's own network, all and no other."""
    return "lstm.weight_ih_l0" in weights and not _expected(weights)[1] ^ set(weights)


def _expected(weights: Mapping[str, Any]) -> tuple[int, set[str]]:
    """How many layers there are, and the names that a network of them has."""
    depth = 0
    while f"lstm.weight_ih_l{depth}" in weights and depth <= MAX_LAYERS:
        depth += 1
    return depth, {*_HEAD} | {
        f"lstm.{part}_l{layer}{end}"
        for layer in range(depth)
        for part in _PARTS
        for end in ("", "_reverse")
    }


def _read(attributes: Attributes, reader: Reader) -> Model:
    del reader
    weights = attributes.everything
    _refuse_endless(weights)
    depth, expected = _expected(weights)
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
    return Model(
        parameters=model,
        n_features=width,
        answers={"decision": len(heads)},
        windows=True,
        output_names={"decision": "logits"},
        details=details,
        tolerance=TOLERANCE,
    )


def _refuse_endless(weights: Mapping[str, Any]) -> None:
    """Refuse NaN before anything is said of names: no network of it answers anything."""
    endless = [
        name
        for name, one in weights.items()
        if one.dtype.kind == "f" and not np.isfinite(one).all()
    ]
    if endless:
        shown = clipped(endless[0])
        raise NonFiniteModelError(f"{len(endless)} of {len(weights)} tensors, such as {shown}")


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


def _graph(part: Part, answer: Answer, graph: Writer, x: Table) -> Table:
    del answer
    model: Recurrent = part.parameters
    single = graph.single(x.tensor)
    # Rows first, (rows, N, inputs): the only layout that every runtime has.
    states = graph.add("Transpose", [single], perm=[1, 0, 2])
    for forwards, backwards in model.layers:
        ahead = _pass(graph, forwards, states)
        back = _reversed(graph, _pass(graph, backwards, _reversed(graph, states)))
        states = graph.add("Concat", [ahead, back], axis=2)
    states = graph.add("Transpose", [states], perm=[1, 0, 2])
    # No runtime has an LSTM in float64; from its states on every sum is as exact as it can be.
    states = graph.doubled(states)
    aligned = graph.add("MatMul", [states, _double(graph, model.alignment.T)])
    aligned = graph.add("Tanh", [graph.add("Add", [aligned, _double(graph, model.alignment_bias)])])
    scores = graph.add("MatMul", [aligned, _double(graph, model.attention.T)])
    shares = graph.add("Softmax", [scores], axis=1)
    weighed = graph.add("Mul", [shares, states])
    context = graph.add("ReduceSum", [weighed, graph.axes(1)], keepdims=0)
    logits = graph.add("MatMul", [context, _double(graph, model.heads.T)])
    return computed(graph.add("Add", [logits, _double(graph, model.heads_bias)]), model.n_outputs)


def _double(graph: Writer, values: SingleArray) -> str:
    return graph.weight(values.astype(np.float64))


def _pass(graph: Writer, direction: Direction, x: str) -> str:
    hidden = direction.hidden
    bias = np.concatenate([_reordered(direction.input_bias), _reordered(direction.state_bias)])
    inputs = [
        x,
        graph.weight(_reordered(direction.input_weights)[None]),
        graph.weight(_reordered(direction.state_weights)[None]),
        graph.weight(bias[None]),
    ]
    states = graph.add("LSTM", inputs, hidden_size=hidden)
    return graph.add("Squeeze", [states, graph.axes(1)])


def _reordered(gates: SingleArray) -> SingleArray:
    blocks = np.split(gates, 4)
    return np.concatenate([blocks[place] for place in _GATES])


def _reversed(graph: Writer, x: str) -> str:
    # To before the first: the end of a backward slice is left out.
    ends = [graph.axes(one) for one in (-1, np.iinfo(np.int64).min, 0, -1)]
    return graph.add("Slice", [x, *ends])


def _probe(part: Part, random: np.random.Generator, rows: int) -> Probes:
    del rows
    width = part.n_features or 1
    sizes = [(max(1, min(8, _NUMBERS // (length * width))), length) for length in WINDOW_ROWS]
    return Probes(tuple(random.normal(size=(*size, width)) for size in sizes))


def _oracle(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    """Gate by gate in float64, in torch's order of gates."""
    del answer, oracle
    weights = {name: one.astype(np.float64) for name, one in attributes.everything.items()}
    states = np.asarray(rows).astype(np.float32).astype(np.float64)
    layer = 0
    while f"lstm.weight_ih_l{layer}" in weights:
        ahead = _states(weights, f"_l{layer}", states)
        back = _states(weights, f"_l{layer}_reverse", states[:, ::-1])[:, ::-1]
        states = np.concatenate([ahead, back], axis=2)
        layer += 1
    aligned = np.tanh(states @ weights["alignment.weight"].T + weights["alignment.bias"])
    context = (softmax(aligned @ weights["attention.weight"].T) * states).sum(axis=1)
    return np.asarray(context @ weights["heads.weight"].T + weights["heads.bias"])


def _states(weights: Mapping[str, FloatArray], end: str, x: FloatArray) -> FloatArray:
    entries, recurrence = weights[f"lstm.weight_ih{end}"].T, weights[f"lstm.weight_hh{end}"].T
    bias = weights[f"lstm.bias_ih{end}"] + weights[f"lstm.bias_hh{end}"]
    state = cell = np.zeros((len(x), len(recurrence)))
    states = []
    for row in range(x.shape[1]):
        gates = x[:, row] @ entries + state @ recurrence + bias
        entry, forget, candidate, out = np.split(gates, 4, axis=1)
        cell = sigmoid(forget) * cell + sigmoid(entry) * np.tanh(candidate)
        state = sigmoid(out) * np.tanh(cell)
        states.append(state)
    return np.stack(states, axis=1)


FAMILIES = (
    Family(
        name="state_dict",
        modules=(),
        library="torch",
        releases=((1, 6), (2, 15)),
        used={},
        harmless={},
        read=_read,
        graph=_graph,
        oracle=_oracle,
        probe=_probe,
        says_release=False,
        recognises=is_state_dict,
    ),
)
