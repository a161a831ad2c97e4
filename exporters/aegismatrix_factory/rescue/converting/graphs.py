"""Parameters to ONNX, written node by node with onnx alone.

Decisions are those of the library, to the last bit: columns are rounded to float32 as it rounds
them, and a threshold in float64 becomes the largest float32 that is not above it, which splits
float32 values in the same way. Trees answer with the number of the leaf; what the leaves say is
looked up and added as the library adds it, in float64, or in float32 from the first tree to the
last, since sums of float32 depend on their order in the digits that a small answer is made of.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from aegismatrix.artifacts.manifest import ArraySpec
from aegismatrix.artifacts.operators import ML_DOMAIN
from aegismatrix_factory.rescue.converting.errors import OversizedModelError
from aegismatrix_factory.rescue.converting.parameters import (
    LEAF,
    Direction,
    Ensemble,
    FloatArray,
    Linear,
    Recurrent,
    Revived,
    Scaler,
    SingleArray,
)

# float32, in which a tree says its leaf, counts exactly up to here.
_MAX_LEAVES = 2**24
_GATES = (0, 3, 1, 2)
"""Where ONNX's input, output, forget and cell gate are among torch's."""


def contract(revived: Revived) -> tuple[tuple[ArraySpec, ...], tuple[ArraySpec, ...]]:
    """Return the inputs and outputs that a revived model has as a graph.

    Parameters
    ----------
    revived : Revived
        The model.

    Returns
    -------
    inputs : tuple of ArraySpec
        One, ``x``: float64 (N, F), of a network (N, rows, F).
    outputs : tuple of ArraySpec
        One: ``scaled``, ``probability``, ``value`` or ``logits``, float64.
    """
    model, width = revived.model, revived.n_features
    names = revived.feature_names
    unit = "as it was fitted on"
    if isinstance(model, Recurrent):
        shape: tuple[int | str, ...] = ("N", "rows", width)
        given = ArraySpec("x", "float64", shape, f"{unit}, oldest row first")
        said = ArraySpec("logits", "float64", ("N", model.n_outputs), "logits, not normalised")
        return (given,), (said,)
    given = ArraySpec("x", "float64", ("N", width), unit, names)
    if isinstance(model, Scaler):
        said = ArraySpec("scaled", "float64", ("N", width), "standard deviations", names)
    elif isinstance(model, Linear) or model.answer == "probability":
        outputs = ("N", model.n_outputs)
        said = ArraySpec("probability", "float64", outputs, "probability", revived.classes)
    else:
        several = (model.n_outputs,) if model.n_outputs > 1 else ()
        said = ArraySpec("value", "float64", ("N", *several), "as its target was")
    return (given,), (said,)


def build(revived: Revived) -> onnx.ModelProto:
    """Author the graph of a revived model.

    Parameters
    ----------
    revived : Revived
        The model.

    Returns
    -------
    ModelProto
        With the names of `contract`, to be finished by `aegismatrix_factory.conversion.finish`.

    Raises
    ------
    OversizedModelError
        If a tree has more leaves than can be counted.
    """
    graph = _Graph()
    (given,), (said,) = contract(revived)
    x = given.name
    for scaler in revived.scalers:
        x = _scaled(graph, scaler, x)
    model = revived.model
    if isinstance(model, Scaler):
        result = _scaled(graph, model, x)
    elif isinstance(model, Linear):
        result = _linear(graph, model, x)
    elif isinstance(model, Ensemble):
        result = _ensemble(graph, model, x)
    else:
        result = _recurrent(graph, model, x)
    graph.add("Identity", [result], output=said.name)
    described = helper.make_graph(
        graph.nodes,
        "rescued",
        [helper.make_tensor_value_info(given.name, TensorProto.DOUBLE, given.shape)],
        [helper.make_tensor_value_info(said.name, TensorProto.DOUBLE, said.shape)],
        graph.initializers,
    )
    return helper.make_model(described)


class _Graph:
    """Nodes and weights in the order in which they are added."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []

    def add(
        self,
        operator: str,
        inputs: Sequence[str],
        *,
        output: str | None = None,
        domain: str = "",
        **attributes: Any,
    ) -> str:
        """Append a node; return the name of what it computes."""
        name = output or f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], domain=domain, **attributes))
        return name

    def weight(self, values: NDArray[Any]) -> str:
        """Append a constant; return its name."""
        name = f"w{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.array(values, order="C"), name))
        return name

    def axes(self, *axes: int) -> str:
        """Append a list of whole numbers."""
        return self.weight(np.array(axes, dtype=np.int64))


def _scaled(graph: _Graph, scaler: Scaler, x: str) -> str:
    if scaler.mean is not None:
        x = graph.add("Sub", [x, graph.weight(scaler.mean)])
    if scaler.scale is not None:
        x = graph.add("Div", [x, graph.weight(scaler.scale)])
    return x


def _linear(graph: _Graph, model: Linear, x: str) -> str:
    product = graph.add("MatMul", [x, graph.weight(model.coefficients.T)])
    decision = graph.add("Add", [product, graph.weight(model.intercepts)])
    if model.link == "softmax":
        return graph.add("Softmax", [decision], axis=1)
    if model.link == "sigmoid":
        return _both(graph, graph.add("Sigmoid", [decision]))
    each = graph.add("Sigmoid", [decision])
    total = graph.add("ReduceSum", [each, graph.axes(1)], keepdims=1)
    none = graph.add("Equal", [total, graph.weight(np.zeros(1))])
    # Where every sigmoid is 0 all classes are as likely, as scikit-learn has it.
    even = graph.weight(np.full(1, 1.0 / model.n_outputs))
    one = graph.weight(np.ones(1))
    share = graph.add("Div", [each, graph.add("Where", [none, one, total])])
    return graph.add("Where", [none, even, share])


def _both(graph: _Graph, probability: str) -> str:
    """Both classes' probabilities (N, 2) of the second one's (N, 1)."""
    other = graph.add("Sub", [graph.weight(np.ones(1)), probability])
    return graph.add("Concat", [other, probability], axis=1)


def _ensemble(graph: _Graph, model: Ensemble, x: str) -> str:
    single = graph.add("Cast", [x], to=TensorProto.FLOAT)
    leaves = [np.flatnonzero(tree.left == LEAF) for tree in model.trees]
    if max(len(one) for one in leaves) > _MAX_LEAVES:
        raise OversizedModelError(f"a tree has more than {_MAX_LEAVES} leaves")
    counts = np.array([len(one) for one in leaves], dtype=np.int64)
    reached = graph.add(
        "TreeEnsembleRegressor", [single], domain=ML_DOMAIN, **_tree_attributes(model, leaves)
    )
    place = graph.add("Cast", [reached], to=TensorProto.INT64)
    offsets = graph.weight(np.cumsum(counts) - counts)
    row = graph.add("Add", [place, offsets])
    said = [tree.values[one] for tree, one in zip(model.trees, leaves, strict=True)]
    total = (_mean if model.total == "mean" else _running)(graph, model, said, row)
    if model.link == "softmax":
        return graph.add("Softmax", [total], axis=1)
    if model.link == "sigmoid":
        return _both(graph, graph.add("Sigmoid", [total]))
    if model.answer == "value" and model.n_outputs == 1:
        return graph.add("Squeeze", [total, graph.axes(1)])
    return total


def _mean(graph: _Graph, model: Ensemble, said: list[FloatArray], row: str) -> str:
    # (N, trees, totals)
    each = graph.add("Gather", [graph.weight(np.concatenate(said)), row], axis=0)
    total = graph.add("ReduceSum", [each, graph.axes(1)], keepdims=0)
    return graph.add("Div", [total, graph.weight(np.array([float(len(model.trees))]))])


def _running(graph: _Graph, model: Ensemble, said: list[FloatArray], row: str) -> str:
    """A running sum adds in the order of the trees, which ReduceSum does not promise."""
    single = [one.astype(np.float32) for one in said]
    single[0] = model.base.astype(np.float32) + single[0]
    each = graph.add("Gather", [graph.weight(np.concatenate(single)), row], axis=0)
    running = graph.add("CumSum", [each, graph.weight(np.array(1, dtype=np.int64))])
    last = graph.weight(np.array(len(said) - 1, dtype=np.int64))
    return graph.add("Cast", [graph.add("Gather", [running, last], axis=1)], to=TensorProto.DOUBLE)


def _tree_attributes(model: Ensemble, leaves: Sequence[NDArray[np.int64]]) -> dict[str, Any]:
    """Return all trees as one node's attributes; tree t answers in column t with its leaf."""
    sizes = [len(tree.feature) for tree in model.trees]
    owner = np.repeat(np.arange(len(sizes)), sizes)
    left = np.concatenate([tree.left for tree in model.trees])
    right = np.concatenate([tree.right for tree in model.trees])
    leaf = left == LEAF
    threshold = np.concatenate([tree.threshold for tree in model.trees])
    missing = np.concatenate([tree.missing_left for tree in model.trees])
    counts = [len(one) for one in leaves]
    targets = np.repeat(np.arange(len(sizes)), counts)
    branch = "BRANCH_LT" if model.strict else "BRANCH_LEQ"
    return {
        "n_targets": len(sizes),
        "aggregate_function": "SUM",
        "post_transform": "NONE",
        "nodes_treeids": owner.tolist(),
        "nodes_nodeids": np.concatenate([np.arange(size) for size in sizes]).tolist(),
        "nodes_featureids": np.concatenate([tree.feature for tree in model.trees]).tolist(),
        "nodes_modes": np.where(leaf, "LEAF", branch).tolist(),
        "nodes_values": rounded_down(threshold).tolist(),
        "nodes_truenodeids": np.where(leaf, 0, left).tolist(),
        "nodes_falsenodeids": np.where(leaf, 0, right).tolist(),
        "nodes_missing_value_tracks_true": missing.astype(np.int64).tolist(),
        "target_treeids": targets.tolist(),
        "target_nodeids": np.concatenate(leaves).tolist(),
        "target_ids": targets.tolist(),
        "target_weights": np.concatenate(
            [np.arange(count, dtype=np.float32) for count in counts]
        ).tolist(),
    }


def rounded_down(threshold: FloatArray) -> SingleArray:
    """Return the largest float32 that is not above: no float32 lies between the two.

    Parameters
    ----------
    threshold : ndarray of float64
        Within the range of float32.

    Returns
    -------
    ndarray of float32
    """
    nearest = threshold.astype(np.float32)
    with np.errstate(over="ignore"):
        below = np.nextafter(nearest, np.float32(-np.inf))
    return np.where(nearest.astype(np.float64) > threshold, below, nearest)


def _recurrent(graph: _Graph, model: Recurrent, x: str) -> str:
    single = graph.add("Cast", [x], to=TensorProto.FLOAT)
    # Rows first, (rows, N, inputs): the only layout that every runtime has.
    states = graph.add("Transpose", [single], perm=[1, 0, 2])
    for forwards, backwards in model.layers:
        ahead = _direction(graph, forwards, states)
        back = _reversed(graph, _direction(graph, backwards, _reversed(graph, states)))
        states = graph.add("Concat", [ahead, back], axis=2)
    states = graph.add("Transpose", [states], perm=[1, 0, 2])
    # No runtime has an LSTM in float64; from its states on every sum is as exact as it can be.
    states = graph.add("Cast", [states], to=TensorProto.DOUBLE)
    aligned = graph.add("MatMul", [states, _double(graph, model.alignment.T)])
    aligned = graph.add("Tanh", [graph.add("Add", [aligned, _double(graph, model.alignment_bias)])])
    scores = graph.add("MatMul", [aligned, _double(graph, model.attention.T)])
    shares = graph.add("Softmax", [scores], axis=1)
    weighed = graph.add("Mul", [shares, states])
    context = graph.add("ReduceSum", [weighed, graph.axes(1)], keepdims=0)
    logits = graph.add("MatMul", [context, _double(graph, model.heads.T)])
    return graph.add("Add", [logits, _double(graph, model.heads_bias)])


def _double(graph: _Graph, values: SingleArray) -> str:
    return graph.weight(values.astype(np.float64))


def _direction(graph: _Graph, direction: Direction, x: str) -> str:
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


def _reversed(graph: _Graph, x: str) -> str:
    # To before the first: the end of a backward slice is left out.
    ends = [graph.axes(one) for one in (-1, np.iinfo(np.int64).min, 0, -1)]
    return graph.add("Slice", [x, *ends])
