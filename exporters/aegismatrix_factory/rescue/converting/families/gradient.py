"""scikit-learn's gradient boosting: trees on residuals, added up from where they began.

Leaves already hold what the line search found. What the first tree was fitted on is told by
`init_`, in another form before 0.21.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from aegismatrix_factory.rescue.converting import ensembles
from aegismatrix_factory.rescue.converting.attributes import Attributes, known, number
from aegismatrix_factory.rescue.converting.errors import (
    InconsistentModelError,
    UnsupportedModelError,
)
from aegismatrix_factory.rescue.converting.families.trees import grown_tree, leaf_of, read_tree
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
from aegismatrix_factory.rescue.converting.formulas import both, expit, softmax
from aegismatrix_factory.rescue.converting.parameters import Ensemble, FloatArray, Tree
from aegismatrix_factory.rescue.converting.trees import check_size
from aegismatrix_factory.rescue.converting.writing import Table, Writer, computed
from aegismatrix_factory.rescue.reading.records import Record

_CLOSE, _CLOSER = float(np.finfo(np.float32).eps), float(np.finfo(np.float64).eps)
_LOSSES = ("deviance", "log_loss", "exponential")


@dataclass(frozen=True, eq=False)
class Boosted:
    """Trees, what they begin with, and how sums become answers.

    Attributes
    ----------
    trees : Ensemble
        Their sum, with what it begins with where that is a number.
    began : Part or None
        A model of its own that the sum begins with.
    link : {'none', 'sigmoid', 'softmax'}
    factor : float
        What a sum is multiplied by before the sigmoid.
    modern : bool
        Whether it is of 1.4 or later: a sum of exactly 0 is the second class, and the logarithms
        that several classes begin with are around their mean.
    close : float
        How near to 0 and 1 a probability may be that the sum begins with.
    """

    trees: Ensemble
    began: Part | None
    link: Literal["none", "sigmoid", "softmax"]
    factor: float
    modern: bool
    close: float


def _read(attributes: Attributes, reader: Reader) -> Model:
    classifies = attributes.name.endswith("Classifier")
    classes = attributes.labels("classes_") if classifies else ()
    loss = attributes.text("loss")
    if classifies and (loss not in _LOSSES or len(classes) < 2):
        raise UnsupportedModelError(f"its {attributes.name} has the loss {loss!r}")
    totals = len(classes) if len(classes) > 2 else 1
    key = "n_features_in_" if attributes.has("n_features_in_") else "n_features_"
    width = attributes.count(key)
    began, base = _begun(attributes, reader, width, totals)
    ensemble = Ensemble(
        trees=_trees(attributes, reader, width, totals),
        n_features=width,
        strict=False,
        total="sum",
        base=base,
        link="none",
        answer="value",
        takes_missing=False,
    )
    boosted = Boosted(
        trees=ensemble,
        began=began,
        link="none" if not classifies else "softmax" if totals > 1 else "sigmoid",
        factor=2.0 if loss == "exponential" else 1.0,
        modern=attributes.since(1, 4),
        close=_close(attributes),
    )
    answers: dict[Answer, int | None] = {"value": 1}
    if classifies:
        answers = {"probability": len(classes), "decision": totals, "label": 1}
    return Model(
        parameters=boosted,
        n_features=width,
        answers=answers,
        classes=classes,
        feature_names=attributes.column_names(width),
    )


def _members(attributes: Attributes) -> tuple[int, int, list[Any]]:
    given = attributes.need("estimators_")
    if not isinstance(given, Record) or given.name != "object_array" or not given.arguments:
        raise InconsistentModelError(f"{attributes.name}.estimators_ is no array of trees")
    shape = given.arguments[0]
    if not isinstance(shape, tuple) or len(shape) != 2 or not shape[0] or not shape[1]:
        raise InconsistentModelError(f"{attributes.name}.estimators_ is no array of trees")
    return shape[0], shape[1], given.items


def _trees(attributes: Attributes, reader: Reader, width: int, totals: int) -> tuple[Tree, ...]:
    _, columns, members = _members(attributes)
    if columns != totals:
        raise InconsistentModelError(f"{attributes.name} has {columns} trees a round")
    rate = attributes.one("learning_rate")
    grown = []
    for member in members:
        if not isinstance(member, Record) or member.name != "DecisionTreeRegressor":
            raise InconsistentModelError("gradient boosting holds something else than trees")
        grown.append(grown_tree(reader.known(member)[1]))
    check_size(sum(one.count("node_count") for one in grown), totals)
    trees = []
    for place, one in enumerate(grown):
        tree = read_tree(one, width, 1)
        values = np.zeros((len(tree.values), totals))
        values[:, place % totals] = rate * tree.values[:, 0]
        trees.append(
            Tree(tree.feature, tree.threshold, tree.left, tree.right, tree.missing_left, values)
        )
    return tuple(trees)


def _begun(
    attributes: Attributes, reader: Reader, width: int, totals: int
) -> tuple[Part | None, FloatArray]:
    init = attributes.need("init_")
    if isinstance(init, str) and init == "zero":
        return None, np.zeros(totals)
    if not isinstance(init, Record):
        raise InconsistentModelError(f"{attributes.name}.init_ is no estimator")
    if init.name in _OLD:
        return None, _old(init, totals)
    if init.name == "DummyClassifier":
        inside = Attributes(init, _DUMMY)
        if inside.text("strategy") != "prior":
            raise UnsupportedModelError(
                "its boosting begins with a DummyClassifier of another kind"
            )
        prior = inside.numbers("class_prior_", (max(2, totals),))
        return None, _raw(attributes, prior[None])[0]
    if init.name == "DummyRegressor":
        constant = Attributes(init, _DUMMY).need("constant_")
        if not isinstance(constant, np.ndarray) or constant.size != 1:
            raise InconsistentModelError("DummyRegressor.constant_ is not one number")
        return None, np.array([number(constant.reshape(-1)[0], "DummyRegressor.constant_")])
    if any(_is_single(init, key) for key in ("coef_", "_fit_X", "coefs_", "theta_")):
        raise UnsupportedModelError("its boosting begins with a model that computes in float32")
    part = reader.part(init)
    wanted: Answer = "probability" if attributes.has("classes_") else "value"
    if part.width(wanted, width) != (max(2, totals) if wanted == "probability" else 1):
        raise InconsistentModelError("its boosting begins with a model of other answers")
    return part, np.zeros(totals)


def _is_single(record: Record, key: str) -> bool:
    given = record.state.get(key) if isinstance(record.state, dict) else None
    return isinstance(given, np.ndarray) and given.dtype == np.float32


def _old(init: Record, totals: int) -> FloatArray:
    """Before 0.21: log odds, already halved where they are, or probabilities, or one number."""
    inside = Attributes(init, known("prior priors mean quantile alpha n_classes"))
    if init.name == "ZeroEstimator":
        return np.zeros(totals)
    if init.name == "PriorProbabilityEstimator":
        return inside.numbers("priors", (totals,))
    key = {"MeanEstimator": "mean", "QuantileEstimator": "quantile"}.get(init.name, "prior")
    return np.array([inside.one(key)])


def _close(attributes: Attributes) -> float:
    """How near to 0 and 1 a probability may be that the sum begins with."""
    return _CLOSER if attributes.since(1, 8) else _CLOSE


def _raw(attributes: Attributes, shares: FloatArray) -> FloatArray:
    """From probabilities to sums, as the loss has it."""
    close = _close(attributes)
    clipped = np.clip(shares, close, 1.0 - close)
    if shares.shape[1] > 2:
        logs = np.asarray(np.log(clipped))
        # Around their mean since 1.4: the decision shows it, the probabilities do not.
        return logs - logs.mean(axis=1, keepdims=True) if attributes.since(1, 4) else logs
    odds = np.log(clipped[:, 1:] / (1.0 - clipped[:, 1:]))
    return np.asarray(odds * 0.5 if attributes.text("loss") == "exponential" else odds)


def _graph(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    boosted: Boosted = part.parameters
    value = x.numbers()
    sums = ensembles.write(writer, boosted.trees, value)
    count = len(boosted.trees.base)
    if boosted.began is not None:
        began = _began(boosted, boosted.began, writer, value)
        sums = writer.add("Add", [began, sums])
    if answer in ("value", "decision"):
        return computed(sums, count)
    if boosted.link == "softmax":
        if answer == "label":
            return computed(writer.largest(sums), 1)
        return computed(writer.add("Softmax", [sums], axis=1), count)
    if answer == "label" and boosted.modern:
        found = writer.add("GreaterOrEqual", [sums, writer.number(0.0)])
        return computed(writer.doubled(found), 1)
    if boosted.factor != 1.0:
        sums = writer.add("Mul", [sums, writer.number(boosted.factor)])
    shares = writer.both(writer.sigmoid(sums))
    return computed(writer.largest(shares), 1) if answer == "label" else computed(shares, 2)


def _began(boosted: Boosted, part: Part, writer: Writer, value: str) -> str:
    """What a model of its own says to the columns as float32."""
    rounded = computed(writer.doubled(writer.single(value)), part.n_features)
    if boosted.link == "none":
        return part.graph("value", writer, rounded).numbers()
    shares = part.graph("probability", writer, rounded).numbers()
    bounds = [writer.weight(np.array(one)) for one in (boosted.close, 1.0 - boosted.close)]
    clipped = writer.add("Clip", [shares, *bounds])
    if boosted.link == "softmax":
        logs = writer.add("Log", [clipped])
        if not boosted.modern:
            return logs
        mean = writer.add("ReduceMean", [logs, writer.axes(1)], keepdims=1)
        return writer.add("Sub", [logs, mean])
    second = writer.add("Gather", [clipped, writer.axes(1)], axis=1)
    first = writer.add("Sub", [writer.number(1.0), second])
    odds = writer.add("Log", [writer.add("Div", [second, first])])
    if boosted.factor == 1.0:
        return odds
    return writer.add("Div", [odds, writer.number(boosted.factor)])


def _probe(part: Part, random: np.random.Generator, rows: int) -> Probes:
    boosted: Boosted = part.parameters
    return ensembles.probe(boosted.trees, random, rows)


def _oracle(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    """Round after round, tree after tree, as ``predict_stages`` adds."""
    single = np.asarray(rows, dtype=np.float64).astype(np.float32)
    rounds, columns, members = _members(attributes)
    sums = _initial(attributes, single, columns, oracle)
    rate = attributes.need("learning_rate")
    for place in range(rounds):
        for column in range(columns):
            tree = oracle.attributes(members[place * columns + column]).need("tree_").state
            values = tree["values"][:, 0, 0].astype(np.float64)
            sums[:, column] += rate * values[leaf_of(tree["nodes"], single)]
    if answer in ("value", "decision"):
        return sums
    if columns > 1:
        if answer == "label":
            return np.asarray(sums.argmax(axis=1).astype(np.float64)[:, None])
        return softmax(sums)
    if answer == "label" and attributes.since(1, 4):
        return (sums >= 0.0).astype(np.float64)
    twice = 2.0 if attributes.need("loss") == "exponential" else 1.0
    shares = both(expit(twice * sums))
    if answer == "label":
        return np.asarray(shares.argmax(axis=1).astype(np.float64)[:, None])
    return shares


def _initial(attributes: Attributes, single: Rows, columns: int, oracle: Oracle) -> FloatArray:
    init = attributes.need("init_")
    count = len(single)
    if isinstance(init, str):
        return np.zeros((count, columns))
    state = init.state
    if init.name in _OLD:
        value = state.get("priors", state.get("prior", state.get("mean", state.get("quantile", 0))))
        return np.zeros((count, columns)) + np.asarray(value, dtype=np.float64)
    if init.name == "DummyRegressor":
        return np.full((count, 1), float(np.ravel(state["constant_"])[0]))
    if attributes.get("classes_") is None:
        return np.array(oracle.answer(init, "value", single.astype(np.float64)))
    if init.name == "DummyClassifier":
        shares = np.repeat(np.asarray(state["class_prior_"])[None], count, axis=0)
    else:
        shares = oracle.answer(init, "probability", single.astype(np.float64))
    eps = float(np.finfo(np.float64 if attributes.since(1, 8) else np.float32).eps)
    shares = np.minimum(np.maximum(shares, eps), 1.0 - eps)
    if columns > 1:
        # ``MultinomialLogit.link`` since 1.4: divided by the geometric mean.
        mean = np.exp(np.mean(np.log(shares), axis=1))[:, None] if attributes.since(1, 4) else 1.0
        return np.asarray(np.log(shares / mean))
    odds = np.log(shares[:, 1] / (1.0 - shares[:, 1]))[:, None]
    return np.asarray(odds / 2.0 if attributes.need("loss") == "exponential" else odds)


_OLD = (
    "LogOddsEstimator",
    "ScaledLogOddsEstimator",
    "PriorProbabilityEstimator",
    "MeanEstimator",
    "QuantileEstimator",
    "ZeroEstimator",
)
_DUMMY = known(
    """
    strategy class_prior_ constant constant_ quantile classes_ n_classes_ n_outputs_ random_state
    sparse_output_ output_2d_ outputs_2d_ _strategy n_features_in_ feature_names_in_
    _sklearn_version
    """
)
_GROWN = known(
    """
    alpha ccp_alpha criterion init max_depth max_features max_features_ max_leaf_nodes
    min_impurity_decrease min_impurity_split min_samples_leaf min_samples_split
    min_weight_fraction_leaf n_estimators n_estimators_ n_iter_no_change n_trees_per_iteration_
    oob_improvement_ oob_score_ oob_scores_ presort random_state subsample tol train_score_
    validation_fraction verbose warm_start _rng _loss loss_ _n_classes n_classes_
    """
)
_MODULES = ("sklearn.ensemble._gb", "sklearn.ensemble.gradient_boosting")

FAMILIES = tuple(
    Family(
        name=name,
        modules=_MODULES,
        library="scikit-learn",
        releases=((0, 20), (1, 9)),
        used=known(f"estimators_ init_ learning_rate loss n_features_{more}"),
        harmless=_GROWN,
        read=_read,
        graph=_graph,
        oracle=_oracle,
        probe=_probe,
    )
    for name, more in (
        ("GradientBoostingClassifier", " classes_"),
        ("GradientBoostingRegressor", ""),
    )
)
