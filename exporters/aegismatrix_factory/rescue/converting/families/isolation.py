"""scikit-learn's isolation forest: how soon a row is alone, averaged over trees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from aegismatrix_factory.rescue.converting import ensembles
from aegismatrix_factory.rescue.converting.attributes import (
    Attributes,
    known,
    numbers,
    whole_numbers,
)
from aegismatrix_factory.rescue.converting.errors import (
    InconsistentModelError,
    UnsupportedModelError,
)
from aegismatrix_factory.rescue.converting.families.trees import grown_tree, leaf_of
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
from aegismatrix_factory.rescue.converting.parameters import LEAF, Ensemble, FloatArray, Tree
from aegismatrix_factory.rescue.converting.trees import check_size, grow
from aegismatrix_factory.rescue.converting.writing import Table, Writer, computed
from aegismatrix_factory.rescue.reading.records import Record

_EULER = float(np.euler_gamma)


@dataclass(frozen=True, eq=False)
class Isolation:
    """Path lengths of trees.

    Attributes
    ----------
    trees : Ensemble
        Their sum.
    whole : float
        What the sum is divided by: the length that is to be expected, of all trees.
    offset : float
        What is taken from the score for the decision.
    bound : float
        A decision below it is an outlier.
    """

    trees: Ensemble
    whole: float
    offset: float
    bound: float


def _expected(count: FloatArray, modern: bool) -> FloatArray:
    """The expected length of a path that ends among so many rows."""
    safe = np.maximum(count, 2.0)
    found = 2.0 * (np.log(safe - 1.0) + _EULER) - 2.0 * (safe - 1.0) / safe
    if modern:
        return np.where(count <= 1.0, 0.0, np.where(count == 2.0, 1.0, found))
    return np.where(count <= 1.0, 1.0, found)


def _read(attributes: Attributes, reader: Reader) -> Model:
    members, chosen = attributes.need("estimators_"), attributes.need("estimators_features_")
    if not isinstance(members, list) or not members or not isinstance(chosen, list):
        raise InconsistentModelError("an IsolationForest has no trees")
    if len(chosen) != len(members):
        raise InconsistentModelError("an IsolationForest has columns for other trees")
    key = "n_features_in_" if attributes.has("n_features_in_") else "n_features_"
    width = attributes.count(key)
    modern = attributes.since(0, 21)
    grown = []
    for member in members:
        if not isinstance(member, Record) or member.name != "ExtraTreeRegressor":
            raise InconsistentModelError("an IsolationForest holds something else than trees")
        grown.append(grown_tree(reader.known(member)[1]))
    check_size(sum(one.count("node_count") for one in grown), 1)
    trees = tuple(
        _tree(one, _columns(own, width), width, modern)
        for one, own in zip(grown, chosen, strict=True)
    )
    sampled = attributes.need("max_samples_")
    if isinstance(sampled, bool) or not isinstance(sampled, int | np.integer) or sampled < 2:
        raise UnsupportedModelError("its IsolationForest was fitted on one row a tree")
    whole = len(trees) * float(_expected(np.array(float(sampled)), modern))
    old = attributes.get("behaviour") == "old" and not attributes.since(0, 22)
    isolation = Isolation(
        trees=Ensemble(
            trees=trees,
            n_features=width,
            strict=False,
            total="sum",
            base=np.zeros(1),
            link="none",
            answer="value",
            takes_missing=attributes.since(1, 6),
        ),
        whole=whole,
        offset=attributes.one("offset_"),
        bound=attributes.one("_threshold_") if old else 0.0,
    )
    return Model(
        parameters=isolation,
        n_features=width,
        answers={"decision": 1, "label": 1},
        shown=("decision", "label"),
        classes=("-1", "1"),
        takes_missing=attributes.since(1, 6),
        feature_names=attributes.column_names(width),
    )


def _columns(given: object, width: int) -> Any:
    if not isinstance(given, np.ndarray) or given.ndim != 1 or not len(given):
        raise InconsistentModelError("a tree of an IsolationForest has no columns")
    found = whole_numbers(given, given.shape, "IsolationForest.estimators_features_")
    if (found < 0).any() or (found >= width).any():
        raise InconsistentModelError("a tree of an IsolationForest has a column that is not there")
    return found


def _tree(attributes: Attributes, columns: Any, width: int, modern: bool) -> Tree:
    nodes, size = attributes.need("nodes"), attributes.count("node_count")
    if (
        not isinstance(nodes, np.ndarray)
        or nodes.shape != (size,)
        or not set(_FIELDS) <= set(nodes.dtype.names or ())
    ):
        raise InconsistentModelError("the nodes of a tree are not those of its node_count")
    left = whole_numbers(nodes["left_child"], (size,), "Tree.left_child")
    right = whole_numbers(nodes["right_child"], (size,), "Tree.right_child")
    feature = whole_numbers(nodes["feature"], (size,), "Tree.feature")
    inner = left != LEAF
    if (feature[inner] < 0).any() or (feature[inner] >= len(columns)).any():
        raise InconsistentModelError("a tree compares a column that is not there")
    samples = whole_numbers(nodes["n_node_samples"], (size,), "Tree.n_node_samples")
    missing = np.zeros(size, dtype=np.int64)
    if "missing_go_to_left" in (nodes.dtype.names or ()):
        missing = whole_numbers(nodes["missing_go_to_left"], (size,), "Tree.missing_go_to_left")
    tree = grow(
        np.where(inner, columns[np.where(inner, feature, 0)], 0),
        numbers(nodes["threshold"], (size,), "Tree.threshold"),
        left,
        right,
        missing != 0,
        _expected(samples.astype(np.float64), modern)[:, None],
        width,
    )
    depth = np.zeros(len(tree.feature))
    # Numbered by level, so that every node comes before those below it.
    for node in np.flatnonzero(tree.left != LEAF):
        depth[tree.left[node]] = depth[tree.right[node]] = depth[node] + 1.0
    values = tree.values + depth[:, None]
    return Tree(tree.feature, tree.threshold, tree.left, tree.right, tree.missing_left, values)


def _graph(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    isolation: Isolation = part.parameters
    length = ensembles.write(writer, isolation.trees, x.numbers())
    power = writer.add("Div", [length, writer.number(-isolation.whole / np.log(2.0))])
    score = writer.add("Neg", [writer.add("Exp", [power])])
    decision = writer.add("Sub", [score, writer.number(isolation.offset)])
    if answer == "decision":
        return computed(decision, 1)
    found = writer.add("GreaterOrEqual", [decision, writer.number(isolation.bound)])
    return computed(writer.doubled(found), 1)


def _probe(part: Part, random: np.random.Generator, rows: int) -> Probes:
    isolation: Isolation = part.parameters
    return ensembles.probe(isolation.trees, random, rows)


def _oracle(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    """Tree after tree, node after node on the way down."""
    single = np.asarray(rows, dtype=np.float64).astype(np.float32)
    modern = attributes.since(0, 21)
    total = np.zeros(len(single))
    members = attributes.need("estimators_")
    for member, columns in zip(members, attributes.need("estimators_features_"), strict=True):
        nodes = oracle.attributes(member).need("tree_").state["nodes"]
        leaves = leaf_of(nodes, single[:, columns])
        parents = {}
        for place, node in enumerate(nodes):
            for child in (node["left_child"], node["right_child"]):
                if node["left_child"] != node["right_child"]:
                    parents[int(child)] = place
        for leaf in np.unique(leaves):
            length, at = 0.0, int(leaf)
            while at in parents:
                length, at = length + 1.0, parents[at]
            total[leaves == leaf] += length + _mean_path(int(nodes["n_node_samples"][leaf]), modern)
    whole = len(members) * _mean_path(int(attributes.need("max_samples_")), modern)
    decision = -(2.0 ** (-total / whole)) - attributes.need("offset_")
    if answer == "decision":
        return np.asarray(decision[:, None])
    bound = 0.0
    if attributes.get("behaviour") == "old" and not attributes.since(0, 22):
        bound = attributes.need("_threshold_")
    return np.asarray((decision >= bound).astype(np.float64)[:, None])


def _mean_path(count: int, modern: bool) -> float:
    if count <= 1:
        return 0.0 if modern else 1.0
    if count == 2 and modern:
        return 1.0
    return 2.0 * (float(np.log(count - 1.0)) + _EULER) - 2.0 * (count - 1.0) / count


_FIELDS = ("left_child", "right_child", "feature", "threshold", "n_node_samples")
_GROWN = known(
    """
    base_estimator base_estimator_ estimator estimator_ _estimator estimator_params bootstrap
    bootstrap_features contamination _contamination max_features _max_features max_samples
    _max_samples n_estimators n_jobs oob_score random_state verbose warm_start _n_samples _seeds
    _sample_weight _average_path_length_per_tree _decision_path_lengths estimators_samples_
    """
)

FAMILIES = (
    Family(
        name="IsolationForest",
        modules=("sklearn.ensemble._iforest", "sklearn.ensemble.iforest"),
        library="scikit-learn",
        releases=((0, 20), (1, 9)),
        used=known(
            "estimators_ estimators_features_ max_samples_ offset_ behaviour _threshold_"
            " n_features_"
        ),
        harmless=_GROWN,
        read=_read,
        graph=_graph,
        oracle=_oracle,
        probe=_probe,
    ),
)
