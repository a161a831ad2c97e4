"""Trees that are added up, of any library: their graph, and the rows where they decide.

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
from numpy.typing import NDArray
from onnx import TensorProto

from aegismatrix.artifacts.operators import ML_DOMAIN
from aegismatrix_factory.rescue.converting.errors import OversizedModelError
from aegismatrix_factory.rescue.converting.family import Answer, Part, Probes
from aegismatrix_factory.rescue.converting.parameters import (
    LEAF,
    Ensemble,
    FloatArray,
    SingleArray,
    Tree,
)
from aegismatrix_factory.rescue.converting.questions import placed
from aegismatrix_factory.rescue.converting.writing import Table, Writer, computed

BOUNDARY_THRESHOLDS = 256
# float32, in which a tree says its leaf, counts exactly up to here.
_MAX_LEAVES = 2**24
_LARGEST = float(np.finfo(np.float32).max)
_GROUP_NODES = 8_192
_NUMBERS = 2_000_000
"""As many as one batch may have, and what the trees say to it."""


def write(graph: Writer, model: Ensemble, x: str) -> str:
    """Write what trees answer.

    Parameters
    ----------
    graph : Writer
    model : Ensemble
    x : str
        Rows, float64.

    Returns
    -------
    str
        Float64 (N, columns).

    Raises
    ------
    OversizedModelError
        If a tree has more leaves than can be counted.
    """
    single = graph.single(x)
    leaves = [np.flatnonzero(tree.left == LEAF) for tree in model.trees]
    if max(len(one) for one in leaves) > _MAX_LEAVES:
        raise OversizedModelError(f"a tree has more than {_MAX_LEAVES} leaves")
    counts = np.array([len(one) for one in leaves], dtype=np.int64)
    reached = [
        graph.add(
            "TreeEnsembleRegressor",
            [single],
            domain=ML_DOMAIN,
            **_tree_attributes(model.trees[group], leaves[group], strict=model.strict),
        )
        for group in _groups(model.trees)
    ]
    each = reached[0] if len(reached) == 1 else graph.add("Concat", reached, axis=1)
    place = graph.add("Cast", [each], to=TensorProto.INT64)
    offsets = graph.weight(np.cumsum(counts) - counts)
    row = graph.add("Add", [place, offsets])
    said = [tree.values[one] for tree, one in zip(model.trees, leaves, strict=True)]
    return link(
        graph, model, (_running if model.total == "running" else _whole)(graph, model, said, row)
    )


def link(graph: Writer, model: Ensemble, total: str) -> str:
    """Write what sums stand for.

    Parameters
    ----------
    graph : Writer
    model : Ensemble
    total : str
        Float64 (N, totals).

    Returns
    -------
    str
        Float64 (N, columns).
    """
    if model.link == "softmax":
        return graph.add("Softmax", [total], axis=1)
    if model.link == "sigmoid":
        return graph.both(graph.sigmoid(total))
    if model.link == "logistic":
        return graph.sigmoid(total)
    if model.link == "exp":
        raised = graph.add("Exp", [total])
        if model.total != "running":
            return raised
        # Where sums are float32, so is what is said of them: it is infinite beyond.
        beyond = graph.add("Greater", [raised, graph.number(_LARGEST)])
        infinite = graph.add("Div", [raised, graph.number(0.0)])
        return graph.add("Where", [beyond, infinite, raised])
    return total


def _whole(graph: Writer, model: Ensemble, said: list[FloatArray], row: str) -> str:
    # (N, trees, totals)
    each = graph.add("Gather", [graph.weight(np.concatenate(said)), row], axis=0)
    total = graph.add("ReduceSum", [each, graph.axes(1)], keepdims=0)
    if model.total == "sum":
        return graph.add("Add", [total, graph.weight(model.base)])
    return graph.add("Div", [total, graph.weight(np.array([float(len(model.trees))]))])


def _running(graph: Writer, model: Ensemble, said: list[FloatArray], row: str) -> str:
    """A running sum adds in the order of the trees, which ReduceSum does not promise."""
    single = [one.astype(np.float32) for one in said]
    single[0] = model.base.astype(np.float32) + single[0]
    each = graph.add("Gather", [graph.weight(np.concatenate(single)), row], axis=0)
    running = graph.add("CumSum", [each, graph.weight(np.array(1, dtype=np.int64))])
    last = graph.weight(np.array(len(said) - 1, dtype=np.int64))
    return graph.add("Cast", [graph.add("Gather", [running, last], axis=1)], to=TensorProto.DOUBLE)


def _groups(trees: Sequence[Tree]) -> list[slice]:
    """Which trees go into one node: a runtime takes each row through all of them before the next.

    So they are kept together as long as they stay in the memory next to the processor.
    """
    begins, nodes = [0], 0
    for place, tree in enumerate(trees):
        if nodes and nodes + len(tree.left) > _GROUP_NODES:
            begins.append(place)
            nodes = 0
        nodes += len(tree.left)
    return [slice(*pair) for pair in zip(begins, [*begins[1:], len(trees)], strict=True)]


def _tree_attributes(
    trees: Sequence[Tree], leaves: Sequence[NDArray[np.int64]], *, strict: bool
) -> dict[str, Any]:
    """Return trees as one node's attributes; tree t answers in column t with its leaf."""
    sizes = [len(tree.feature) for tree in trees]
    left = np.concatenate([tree.left for tree in trees])
    right = np.concatenate([tree.right for tree in trees])
    leaf = left == LEAF
    threshold = np.concatenate([tree.threshold for tree in trees])
    missing = np.concatenate([tree.missing_left for tree in trees])
    counts = [len(one) for one in leaves]
    targets = np.repeat(np.arange(len(sizes), dtype=np.int32), counts)
    modes = np.array([b"BRANCH_LT" if strict else b"BRANCH_LEQ", b"LEAF"], dtype=object)
    return {
        "n_targets": len(sizes),
        "aggregate_function": "SUM",
        "post_transform": "NONE",
        "nodes_treeids": np.repeat(np.arange(len(sizes), dtype=np.int32), sizes),
        "nodes_nodeids": np.concatenate([np.arange(size, dtype=np.int32) for size in sizes]),
        "nodes_featureids": np.concatenate([tree.feature for tree in trees]),
        "nodes_modes": modes[leaf.astype(np.intp)],
        "nodes_values": rounded_down(threshold),
        "nodes_truenodeids": np.where(leaf, 0, left),
        "nodes_falsenodeids": np.where(leaf, 0, right),
        "nodes_missing_value_tracks_true": missing.astype(np.int8),
        "target_treeids": targets,
        "target_nodeids": np.concatenate(leaves),
        "target_ids": targets,
        "target_weights": np.concatenate([np.arange(count, dtype=np.float32) for count in counts]),
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


def probe(model: Ensemble, random: np.random.Generator, rows: int) -> Probes:
    """Return rows around the thresholds of trees, and at them.

    Parameters
    ----------
    model : Ensemble
    random : Generator
    rows : int
        As many as are wanted around them.

    Returns
    -------
    Probes
        Boundary rows have one value at a threshold, and at its neighbours in float32 and float64.
    """
    width = model.n_features
    cost = max(width, len(model.trees) * len(model.base))
    feature, threshold = _thresholds(model)
    centre, spread = np.zeros(width), np.ones(width)
    # One that stands for infinity says nothing of where its column lies.
    usual = np.abs(threshold) < _LARGEST
    for column in np.unique(feature[usual]):
        own = threshold[usual & (feature == column)]
        centre[column] = own.mean()
        spread[column] = 1.5 * own.std() + 1e-3 * max(1.0, abs(float(own.mean())))
    plain = centre + spread * random.normal(size=(_rows(rows, cost), width))
    count = min(_rows(BOUNDARY_THRESHOLDS, 5 * cost), len(feature))
    if not count:
        return Probes((plain,))
    chosen = random.choice(len(feature), size=count, replace=False)
    edges = _at_thresholds(feature[chosen], threshold[chosen], centre, spread, random)
    return Probes((plain,), edges)


def _rows(wanted: int, cost: int) -> int:
    """As many rows as are wanted, or as a batch can have at so many numbers for each."""
    return max(1, min(wanted, _NUMBERS // cost))


def _thresholds(model: Ensemble) -> tuple[NDArray[np.int64], FloatArray]:
    inner = [tree.left != LEAF for tree in model.trees]
    pairs = list(zip(model.trees, inner, strict=True))
    return (
        np.concatenate([tree.feature[one] for tree, one in pairs]),
        np.concatenate([tree.threshold[one] for tree, one in pairs]),
    )


def _at_thresholds(
    feature: NDArray[np.int64],
    threshold: FloatArray,
    centre: FloatArray,
    spread: FloatArray,
    random: np.random.Generator,
) -> FloatArray:
    single = threshold.astype(np.float32)
    lower, upper = np.float32(-np.inf), np.float32(np.inf)
    with np.errstate(over="ignore"):
        around = np.stack(
            [
                threshold,
                np.nextafter(threshold, -np.inf),
                np.nextafter(threshold, np.inf),
                np.nextafter(single, lower).astype(np.float64),
                np.nextafter(single, upper).astype(np.float64),
            ]
        ).reshape(-1)
    rows = centre + spread * random.normal(size=(len(around), len(centre)))
    rows[np.arange(len(around)), np.tile(feature, 5)] = np.clip(around, -_LARGEST, _LARGEST)
    return rows


def graph(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    """Write what a model says that is its trees and nothing more (`Family.graph`)."""
    model: Ensemble = part.parameters
    said = write(writer, model, x.numbers())
    if answer == "label":
        counts = [len(one) for one in part.model.questions] or [model.n_outputs]
        return computed(placed(writer, said, counts), len(counts))
    return computed(said, model.n_outputs)


def probe_part(part: Part, random: np.random.Generator, rows: int) -> Probes:
    """Draw rows for such a model (`Family.probe`)."""
    return probe(part.parameters, random, rows)
