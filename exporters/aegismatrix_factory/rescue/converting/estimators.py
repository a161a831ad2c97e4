"""scikit-learn's records, from 1.3 on, as parameters.

What changed on the way, read off its sources and held against recorded predictions:
the values of a classification tree are counts up to 1.3 and fractions since; `multi_class` decides
how logistic regression ends up to 1.7, and is gone in 1.8; the solver newton-cholesky fits each
class by itself up to 1.5.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from aegismatrix_factory.rescue.converting.attributes import (
    Attributes,
    counted,
    known,
    numbers,
    release,
    whole_numbers,
)
from aegismatrix_factory.rescue.converting.errors import (
    InconsistentModelError,
    UnsupportedModelError,
    UnsupportedVersionError,
)
from aegismatrix_factory.rescue.converting.hazards import forest_hazards, logistic_hazards
from aegismatrix_factory.rescue.converting.parameters import (
    Ensemble,
    FloatArray,
    Linear,
    Revived,
    Scaler,
    Tree,
)
from aegismatrix_factory.rescue.converting.trees import check_size, grow
from aegismatrix_factory.rescue.reading.errors import clipped
from aegismatrix_factory.rescue.reading.records import Record

LIBRARY = "scikit-learn"
OLDEST, NEWEST = (1, 3), (1, 9)
MULTI_CLASS_UNTIL = (1, 8)

_FORESTS = {
    "RandomForestClassifier": "DecisionTreeClassifier",
    "RandomForestRegressor": "DecisionTreeRegressor",
    "ExtraTreesClassifier": "ExtraTreeClassifier",
    "ExtraTreesRegressor": "ExtraTreeRegressor",
}
# The first release whose forests accept NaN.
_MISSING_SINCE = {"RandomForest": (1, 4), "ExtraTrees": (1, 6)}
_NODE_FIELDS = (
    "left_child",
    "right_child",
    "feature",
    "threshold",
    "missing_go_to_left",
)
_EVERY = known("_sklearn_version n_features_in_ feature_names_in_ _sklearn_output_config")
_SCALER = {**_EVERY, **known("with_mean with_std mean_ scale_ var_ copy n_samples_seen_")}
_LOGISTIC = {
    **_EVERY,
    **known("multi_class solver classes_ coef_ intercept_"),
    **known(
        "penalty dual tol C fit_intercept intercept_scaling class_weight random_state max_iter"
    ),
    **known("verbose warm_start n_jobs l1_ratio n_iter_"),
}
_GROWING = known(
    """
    max_depth min_samples_split min_samples_leaf min_weight_fraction_leaf max_features random_state
    max_leaf_nodes min_impurity_decrease class_weight ccp_alpha min_impurity_split presort
    """
)
_FOREST = {
    **_EVERY,
    **_GROWING,
    **known("n_outputs_ n_classes_ classes_ estimators_ monotonic_cst criterion"),
    **known("estimator estimator_ estimator_params base_estimator base_estimator_ n_estimators"),
    **known("bootstrap oob_score n_jobs verbose warm_start max_samples _n_samples"),
    **known("_n_samples_bootstrap _sample_weight oob_score_ oob_decision_function_"),
    **known("oob_prediction_"),
}
_MEMBER = {
    **_EVERY,
    **_GROWING,
    **known("tree_ criterion splitter n_outputs_ n_classes_ classes_ max_features_ monotonic_cst"),
}
_TREE = known("max_depth node_count nodes values")
_LARGEST = float(np.finfo(np.float32).max)
_Version = tuple[int, int]


def revive_estimator(record: Record, key: str) -> Revived:
    """Return what a scikit-learn object computes.

    Parameters
    ----------
    record : Record
        StandardScaler, LogisticRegression, a forest.
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
    revivers: dict[str, Callable[[Record, str], Revived]] = {
        "StandardScaler": _revive_scaler,
        "LogisticRegression": _revive_logistic,
        **dict.fromkeys(_FORESTS, _revive_forest),
    }
    if record.name not in revivers:
        raise UnsupportedModelError(f"there is no converter for {clipped(record.name)}")
    return revivers[record.name](record, key)


def _revive_scaler(record: Record, key: str) -> Revived:
    attributes = Attributes(record, _SCALER)
    found, _ = _version(attributes)
    width = attributes.count("n_features_in_")
    mean = attributes.numbers("mean_", (width,)) if _flag(attributes, "with_mean") else None
    scale = attributes.numbers("scale_", (width,)) if _flag(attributes, "with_std") else None
    if scale is not None and (scale == 0.0).any():
        raise InconsistentModelError("StandardScaler.scale_ has a zero")
    return Revived(key, LIBRARY, found, record.name, (), Scaler(width, mean, scale))


def _revive_logistic(record: Record, key: str) -> Revived:
    attributes = Attributes(record, _LOGISTIC)
    found, version = _version(attributes)
    classes = attributes.labels("classes_")
    if len(classes) < 2:
        raise InconsistentModelError("LogisticRegression has fewer than two classes")
    rows = 1 if len(classes) == 2 else len(classes)
    width = attributes.count("n_features_in_")
    coefficients = attributes.numbers("coef_", (rows, width))
    intercepts = _intercepts(attributes, rows)
    each_class = _fits_each_class(attributes, len(classes), version)
    if each_class:
        model = Linear(coefficients, intercepts, "sigmoid" if rows == 1 else "each")
    elif rows == 1:
        # The soft-max of minus and plus the decision is the sigmoid of twice the decision.
        model = Linear(2.0 * coefficients, 2.0 * intercepts, "sigmoid")
    else:
        model = Linear(coefficients, intercepts, "softmax")
    warnings = logistic_hazards(
        version,
        multi_class=attributes.text("multi_class") if version < MULTI_CLASS_UNTIL else None,
        each_class=each_class,
        classes=len(classes),
    )
    return Revived(key, LIBRARY, found, record.name, (), model, classes=classes, warnings=warnings)


def _intercepts(attributes: Attributes, rows: int) -> FloatArray:
    given = attributes.need("intercept_")
    # Fitted without an intercept: one zero for all classes, as an array or as a bare number.
    if isinstance(given, float | np.floating):
        given = np.array([float(given)])
    if isinstance(given, np.ndarray) and given.shape == (1,) and rows > 1:
        given = np.repeat(given, rows)
    return numbers(given, (rows,), "LogisticRegression.intercept_")


def _fits_each_class(attributes: Attributes, classes: int, version: _Version) -> bool:
    """Whether each class has its own sigmoid, as that release decides it when it predicts."""
    if version >= MULTI_CLASS_UNTIL:
        return classes == 2
    chosen, solver = attributes.text("multi_class"), attributes.text("solver")
    alone = ("liblinear", "newton-cholesky") if version < (1, 6) else ("liblinear",)
    if chosen in ("auto", "deprecated"):
        return classes == 2 or solver in alone
    if chosen not in ("ovr", "multinomial"):
        raise InconsistentModelError("LogisticRegression.multi_class is unknown")
    return chosen == "ovr"


def _revive_forest(record: Record, key: str) -> Revived:
    attributes = Attributes(record, _FOREST)
    found, version = _version(attributes)
    width = attributes.count("n_features_in_")
    outputs = attributes.count("n_outputs_")
    classifies = record.name.endswith("Classifier")
    classes: tuple[str, ...] = ()
    if classifies:
        if outputs != 1:
            raise UnsupportedModelError("its classifier answers several questions at once")
        classes = attributes.labels("classes_")
        outputs = len(classes)
        if attributes.count("n_classes_") != outputs:
            raise InconsistentModelError(f"{record.name} contradicts itself about its classes")
    members = attributes.need("estimators_")
    if not isinstance(members, list) or not members:
        raise InconsistentModelError(f"{record.name} has no trees")
    grown = [_grown(member, _FORESTS[record.name]) for member in members]
    check_size(sum(one.count("node_count") for one, _ in grown), outputs)
    trees = tuple(
        _tree(one, arguments, _FORESTS[record.name], width, outputs, classifies)
        for one, arguments in grown
    )
    family = record.name.removesuffix("Classifier").removesuffix("Regressor")
    takes_missing = (
        version >= _MISSING_SINCE[family]
        and attributes.get("monotonic_cst") is None
        and attributes.text("criterion") != "absolute_error"
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
    warnings = forest_hazards(version, classifies=classifies)
    return Revived(key, LIBRARY, found, record.name, (), model, classes=classes, warnings=warnings)


def _grown(member: object, kind: str) -> tuple[Attributes, tuple[object, ...]]:
    if not isinstance(member, Record) or member.name != kind:
        raise InconsistentModelError(f"a forest holds something else than a {kind}")
    grown = Attributes(member, _MEMBER).need("tree_")
    if not isinstance(grown, Record) or grown.name != "Tree":
        raise InconsistentModelError(f"the tree of a {kind} is not one")
    return Attributes(grown, _TREE), grown.arguments


def _tree(
    attributes: Attributes,
    arguments: tuple[object, ...],
    kind: str,
    width: int,
    outputs: int,
    classifies: bool,
) -> Tree:
    nodes, values = attributes.need("nodes"), attributes.need("values")
    size = attributes.count("node_count")
    if not isinstance(nodes, np.ndarray) or nodes.shape != (size,) or nodes.dtype.names is None:
        raise InconsistentModelError(f"the nodes of a {kind} are not those of its node_count")
    absent = [name for name in _NODE_FIELDS if name not in nodes.dtype.names]
    if absent:
        raise InconsistentModelError(f"the nodes of a {kind} have no {absent[0]}")
    if len(arguments) != 3 or counted(arguments[0], "Tree.n_features") != width:
        raise InconsistentModelError(f"a {kind} contradicts its forest about its features")
    shape = (size, 1, outputs) if classifies else (size, outputs, 1)
    said = numbers(values, shape, f"{kind}.values").reshape(size, outputs)
    if classifies:
        if (said < 0.0).any():
            raise InconsistentModelError(f"{kind}.values has a negative share")
        total = said.sum(axis=1, keepdims=True)
        said = said / np.where(total == 0.0, 1.0, total)
    left = whole_numbers(nodes["left_child"], (size,), f"{kind}.left_child")
    # Infinite where only NaN goes to the right: no finite float32 is above the largest one.
    threshold = np.where(nodes["threshold"] == np.inf, _LARGEST, nodes["threshold"])
    return grow(
        whole_numbers(nodes["feature"], (size,), f"{kind}.feature"),
        numbers(threshold, (size,), f"{kind}.threshold"),
        left,
        whole_numbers(nodes["right_child"], (size,), f"{kind}.right_child"),
        whole_numbers(nodes["missing_go_to_left"], (size,), f"{kind}.missing_go_to_left") != 0,
        said,
        width,
    )


def _version(attributes: Attributes) -> tuple[str, _Version]:
    given = attributes.get("_sklearn_version")
    found = release(given)
    if found is None or not OLDEST <= found <= NEWEST:
        raise UnsupportedVersionError(
            LIBRARY,
            clipped(str(given)) if given is not None else "of a release that it does not say",
            f"{OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]}",
        )
    return clipped(str(given)), found


def _flag(attributes: Attributes, key: str) -> bool:
    given = attributes.need(key)
    if not isinstance(given, bool | np.bool_):
        raise InconsistentModelError(f"{attributes.name}.{key} is neither true nor false")
    return bool(given)
