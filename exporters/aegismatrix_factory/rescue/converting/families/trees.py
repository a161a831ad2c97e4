"""scikit-learn's decision trees and the forests that average them.

A node of a classification tree holds weighted counts up to 1.3 and fractions since: divided by
their sum they are the same. Nodes have no ``missing_go_to_left`` before 1.3.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from aegismatrix_factory.rescue.converting import ensembles
from aegismatrix_factory.rescue.converting.attributes import (
    Attributes,
    counted,
    known,
    numbers,
    whole_numbers,
)
from aegismatrix_factory.rescue.converting.errors import (
    InconsistentModelError,
)
from aegismatrix_factory.rescue.converting.family import (
    Answer,
    Family,
    Model,
    Oracle,
    Reader,
    Rows,
)
from aegismatrix_factory.rescue.converting.hazards import forest_hazards
from aegismatrix_factory.rescue.converting.parameters import Ensemble, FloatArray, Tree
from aegismatrix_factory.rescue.converting.questions import (
    Questions,
    largest_of_each,
    named,
    read_questions,
)
from aegismatrix_factory.rescue.converting.trees import check_size, grow
from aegismatrix_factory.rescue.reading.records import Record

_FORESTS = {
    "RandomForestClassifier": "DecisionTreeClassifier",
    "RandomForestRegressor": "DecisionTreeRegressor",
    "ExtraTreesClassifier": "ExtraTreeClassifier",
    "ExtraTreesRegressor": "ExtraTreeRegressor",
}
# The first release that accepts NaN.
_MISSING_SINCE = {
    "RandomForest": (1, 4),
    "ExtraTrees": (1, 6),
    "DecisionTree": (1, 3),
    "ExtraTree": (1, 6),
}
_NODE_FIELDS = ("left_child", "right_child", "feature", "threshold")
_LARGEST = float(np.finfo(np.float32).max)


def _read_forest(attributes: Attributes, reader: Reader) -> Model:
    members = attributes.need("estimators_")
    if not isinstance(members, list) or not members:
        raise InconsistentModelError(f"{attributes.name} has no trees")
    kind = _FORESTS[attributes.name]
    inside = []
    for member in members:
        if not isinstance(member, Record) or member.name != kind:
            raise InconsistentModelError(f"a forest holds something else than a {kind}")
        inside.append(reader.known(member)[1])
    return _model(attributes, inside)


def _read_tree(attributes: Attributes, reader: Reader) -> Model:
    del reader
    return _model(attributes, [attributes])


def _model(attributes: Attributes, members: list[Attributes]) -> Model:
    """What one tree, or the mean of several, computes."""
    name = attributes.name
    key = "n_features_in_" if attributes.has("n_features_in_") else "n_features_"
    width = attributes.count(key)
    outputs = attributes.count("n_outputs_")
    classifies = name.endswith("Classifier")
    classes: tuple[str, ...] = ()
    questions: Questions = ()
    groups: tuple[int, ...] | None = None
    if classifies and outputs == 1:
        classes = attributes.labels("classes_")
        groups = (len(classes),)
        if attributes.count("n_classes_") != len(classes):
            raise InconsistentModelError(f"{name} contradicts itself about its classes")
    elif classifies:
        questions = read_questions(attributes.need("classes_"), outputs, f"{name}.classes_")
        groups, classes = tuple(len(one) for one in questions), named(questions)
        given = attributes.need("n_classes_")
        counts = given.tolist() if isinstance(given, np.ndarray) else given
        if not isinstance(counts, list) or counts != list(groups):
            raise InconsistentModelError(f"{name} contradicts itself about its classes")
    labels = outputs
    outputs = outputs if groups is None else sum(groups)
    grown = [grown_tree(member) for member in members]
    check_size(sum(one.count("node_count") for one in grown), outputs)
    trees = tuple(read_tree(one, width, outputs, groups) for one in grown)
    takes_missing = (
        attributes.since(*_MISSING_SINCE[name.removesuffix("Classifier").removesuffix("Regressor")])
        and attributes.get("monotonic_cst") is None
        and attributes.text("criterion") != "absolute_error"
        and (attributes.get("splitter", "best") == "best" or attributes.since(1, 6))
    )
    model = Ensemble(
        trees=trees,
        n_features=width,
        strict=False,
        total="mean",
        base=np.zeros(outputs),
        link="none",
        answer="probability" if classifies else "value",
        takes_missing=takes_missing,
    )
    return Model(
        parameters=model,
        n_features=width,
        answers={"probability": outputs, "label": labels} if classifies else {"value": outputs},
        shown=("probability", "label") if questions else (),
        classes=classes,
        questions=questions,
        takes_missing=takes_missing,
        feature_names=attributes.column_names(width),
        warnings=forest_hazards((attributes.release or (0, 0, 0))[:2], classifies=classifies),
    )


def grown_tree(member: Attributes) -> Attributes:
    """Return the arrays of a fitted tree.

    Parameters
    ----------
    member : Attributes
        Of the decision tree.

    Returns
    -------
    grown : Attributes
        Of its `tree_`.

    Raises
    ------
    InconsistentModelError, UnsupportedModelError
        If it has none.
    """
    grown = member.need("tree_")
    if not isinstance(grown, Record) or grown.name != "Tree":
        raise InconsistentModelError(f"the tree of a {member.name} is not one")
    return Attributes(grown, _TREE)


def read_tree(
    attributes: Attributes, width: int, outputs: int, groups: tuple[int, ...] | None = None
) -> Tree:
    """Read the arrays of a fitted tree.

    Parameters
    ----------
    attributes : Attributes
        Of its `tree_`.
    width, outputs : int
        Columns, and classes of all questions or values.
    groups : tuple of int or None
        Classes of each question, whose values are counts or shares; None of a regression.

    Returns
    -------
    Tree

    Raises
    ------
    LegacyError
        If it is no tree of that kind.
    """
    nodes, values = attributes.need("nodes"), attributes.need("values")
    size = attributes.count("node_count")
    if not isinstance(nodes, np.ndarray) or nodes.shape != (size,) or nodes.dtype.names is None:
        raise InconsistentModelError("the nodes of a tree are not those of its node_count")
    absent = [name for name in _NODE_FIELDS if name not in nodes.dtype.names]
    if absent:
        raise InconsistentModelError(f"the nodes of a tree have no {absent[0]}")
    arguments = attributes.arguments
    if len(arguments) != 3 or counted(arguments[0], "Tree.n_features") != width:
        raise InconsistentModelError("a tree contradicts its model about its features")
    # One question has as many values as the one with most classes, the rest is 0.
    shape = (size, outputs, 1) if groups is None else (size, len(groups), max(groups))
    given = numbers(values, shape, "Tree.values")
    said = given.reshape(size, -1)
    if groups is not None:
        if (given < 0.0).any():
            raise InconsistentModelError("Tree.values has a negative share")
        total = given.sum(axis=2, keepdims=True)
        shares = given / np.where(total == 0.0, 1.0, total)
        said = np.concatenate([shares[:, i, :one] for i, one in enumerate(groups)], axis=1)
    # Infinite where only NaN goes to the right: no finite float32 is above the largest one.
    threshold = np.where(nodes["threshold"] == np.inf, _LARGEST, nodes["threshold"])
    missing = np.zeros(size, dtype=np.int64)
    if "missing_go_to_left" in nodes.dtype.names:
        missing = whole_numbers(nodes["missing_go_to_left"], (size,), "Tree.missing_go_to_left")
    return grow(
        whole_numbers(nodes["feature"], (size,), "Tree.feature"),
        numbers(threshold, (size,), "Tree.threshold"),
        whole_numbers(nodes["left_child"], (size,), "Tree.left_child"),
        whole_numbers(nodes["right_child"], (size,), "Tree.right_child"),
        missing != 0,
        said,
        width,
    )


def _one(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    del oracle
    return _answered(attributes, answer, _walked([attributes], attributes, rows))


def _all(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    members = [oracle.attributes(member) for member in attributes.need("estimators_")]
    return _answered(attributes, answer, _walked(members, attributes, rows))


def _answered(attributes: Attributes, answer: Answer, mean: FloatArray) -> FloatArray:
    if answer != "label":
        return mean
    classes = attributes.need("classes_")
    counts = [len(one) for one in classes] if isinstance(classes, list) else [len(classes)]
    return largest_of_each(mean, counts)


def _walked(members: list[Attributes], attributes: Attributes, rows: Rows) -> FloatArray:
    """The mean of what the leaves hold that each row ends in, node by node as they stand."""
    single = np.asarray(rows, dtype=np.float64).astype(np.float32)
    classifies = attributes.name.endswith("Classifier")
    total: FloatArray | None = None
    for nodes, values in _stored(members):
        held = values[leaf_of(nodes, single)]
        # (N, questions, classes) of a classifier, (N, outputs, 1) of a regression.
        if classifies:
            whole = held.sum(axis=2, keepdims=True)
            held = held / np.where(whole == 0.0, 1.0, whole)
            classes = attributes.need("classes_")
            each = classes if isinstance(classes, list) else [classes]
            held = np.concatenate([held[:, i, : len(one)] for i, one in enumerate(each)], axis=1)
        else:
            held = held[:, :, 0]
        total = held if total is None else total + held
    assert total is not None
    return np.asarray(total / len(members))


def _stored(members: list[Attributes]) -> Iterator[tuple[NDArray[np.void], FloatArray]]:
    for member in members:
        state: Mapping[str, NDArray[np.void]] = member.need("tree_").state
        yield state["nodes"], state["values"].astype(np.float64)


def leaf_of(nodes: NDArray[np.void], x: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the leaf that each row ends in; for oracles, which walk the nodes as they stand.

    Parameters
    ----------
    nodes : structured ndarray
        As the library keeps them.
    x : ndarray of float32, shape (N, F)

    Returns
    -------
    ndarray of int64, shape (N,)
    """
    left, right = nodes["left_child"], nodes["right_child"]
    to_left = (
        nodes["missing_go_to_left"]
        if "missing_go_to_left" in (nodes.dtype.names or ())
        else np.zeros(len(nodes), dtype=np.uint8)
    )
    at = np.zeros(len(x), dtype=np.int64)
    every = np.arange(len(x))
    for _ in range(len(nodes)):
        inner = left[at] != right[at]
        if not inner.any():
            break
        value = x[every, np.where(inner, nodes["feature"][at], 0)].astype(np.float64)
        below = np.where(np.isnan(value), to_left[at] != 0, value <= nodes["threshold"][at])
        at = np.where(inner, np.where(below, left[at], right[at]), at)
    return at


_TREE = known("max_depth node_count nodes values")
_GROWING = known(
    """
    max_depth min_samples_split min_samples_leaf min_weight_fraction_leaf max_features random_state
    max_leaf_nodes min_impurity_decrease min_impurity_split class_weight ccp_alpha presort
    """
)
_MEMBER = {**_GROWING, **known("max_features_")}
_AVERAGED = {
    **_GROWING,
    **known(
        """
        estimator estimator_ _estimator estimator_params base_estimator base_estimator_ n_estimators
        bootstrap
        oob_score n_jobs verbose warm_start max_samples _n_samples _n_samples_bootstrap
        _sample_weight oob_score_ oob_decision_function_ oob_prediction_
        """
    ),
}
_USED = "n_features_ n_outputs_ monotonic_cst criterion"
_CLASSES = " classes_ n_classes_"


def _used(name: str, more: str) -> str:
    return f"{_USED} {more}{_CLASSES if name.endswith('Classifier') else ''}"


FAMILIES = (
    *(
        Family(
            name=name,
            modules=("sklearn.ensemble._forest", "sklearn.ensemble.forest"),
            library="scikit-learn",
            releases=((0, 20), (1, 9)),
            used=known(_used(name, "estimators_")),
            harmless=_AVERAGED,
            read=_read_forest,
            graph=ensembles.graph,
            oracle=_all,
            probe=ensembles.probe_part,
        )
        for name in _FORESTS
    ),
    *(
        Family(
            name=name,
            modules=("sklearn.tree._classes", "sklearn.tree.tree"),
            library="scikit-learn",
            releases=((0, 20), (1, 9)),
            used=known(_used(name, "tree_ splitter")),
            # A regression tree of old keeps a number of classes as well.
            harmless=_MEMBER
            if "Classifier" in name
            else {**_MEMBER, **known("n_classes_ classes_")},
            read=_read_tree,
            graph=ensembles.graph,
            oracle=_one,
            probe=ensembles.probe_part,
        )
        for name in _FORESTS.values()
    ),
)
