"""scikit-learn's AdaBoost: members that are weighed, in the way of each release.

A regressor says the weighed median of what its members say, in all releases. Probabilities of
'SAMME' changed with 0.22 and again with the patch release 1.3.1; those of 'SAMME.R', which is gone
since 1.6, never did.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from onnx import TensorProto

from aegismatrix_factory.rescue.converting.attributes import Attributes, known
from aegismatrix_factory.rescue.converting.errors import (
    InconsistentModelError,
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
from aegismatrix_factory.rescue.converting.formulas import softmax
from aegismatrix_factory.rescue.converting.parameters import FloatArray
from aegismatrix_factory.rescue.converting.writing import Table, Writer, computed

Way = Literal["real", "shares", "hits", "votes"]
"""'SAMME.R'; 'SAMME' up to 0.21, up to 1.3.0, and since."""

_CLOSE = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class Adaptive:
    """Members, each with a weight.

    Attributes
    ----------
    members : tuple of Part
    weights : ndarray of shape (members,)
    way : Way
    classes : int
    """

    members: tuple[Part, ...]
    weights: FloatArray
    way: Way
    classes: int


def _read(attributes: Attributes, reader: Reader) -> Model:
    given = attributes.need("estimators_")
    if not isinstance(given, list) or not given:
        raise InconsistentModelError("AdaBoostClassifier has no members")
    parts = tuple(reader.part(one) for one in given)
    classes = attributes.labels("classes_")
    count = len(classes)
    if count < 2 or attributes.count("n_classes_") != count:
        raise InconsistentModelError("AdaBoostClassifier contradicts itself about its classes")
    way = _way(attributes)
    for part in parts:
        if part.model.classes != classes:
            raise UnsupportedModelError("a member of its AdaBoostClassifier knows other classes")
        for asked, columns in (("probability", count), ("label", 1)):
            needed = asked == "label" or way in ("real", "shares")
            if needed and part.model.answers.get(asked) != columns:  # type: ignore[call-overload]
                raise UnsupportedModelError(
                    f"a member of its AdaBoostClassifier cannot be asked for its {asked}"
                )
    kept = attributes.need("estimator_weights_")
    if not isinstance(kept, np.ndarray) or kept.ndim != 1 or len(kept) < len(parts):
        raise InconsistentModelError("AdaBoostClassifier.estimator_weights_ is no line of weights")
    weights = attributes.numbers("estimator_weights_", kept.shape)[: len(parts)]
    if weights.sum() <= 0.0:
        raise UnsupportedModelError("the weights of its AdaBoostClassifier add up to nothing")
    # The sum runs over the places of members that were never made as well.
    if attributes.numbers("estimator_weights_", kept.shape).sum() != weights.sum():
        raise InconsistentModelError("AdaBoostClassifier has more weights than members")
    width = {part.n_features for part in parts}
    if len(width) != 1:
        raise InconsistentModelError("the members of an AdaBoostClassifier take different columns")
    columns_in = width.pop()
    return Model(
        parameters=Adaptive(parts, weights, way, count),
        n_features=columns_in,
        answers={"probability": count, "decision": 1 if count == 2 else count, "label": 1},
        classes=classes,
        described=f"AdaBoostClassifier of {parts[0].described}",
        feature_names=attributes.column_names(columns_in),
    )


def _way(attributes: Attributes) -> Way:
    algorithm = attributes.get("algorithm", "SAMME")
    if algorithm == "deprecated" and attributes.since(1, 6):
        algorithm = "SAMME"
    if algorithm == "SAMME.R" and not attributes.since(1, 6):
        return "real"
    if algorithm != "SAMME":
        raise UnsupportedModelError("its AdaBoostClassifier has an unknown algorithm")
    if not attributes.since(0, 22):
        return "shares"
    return "votes" if attributes.since(1, 3, 1) else "hits"


def _graph(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    model: Adaptive = part.parameters
    if answer == "probability" and model.way == "shares":
        return computed(_old_shares(writer, model, x), model.classes)
    each = _each_class(writer, model, x)
    whole = float(model.weights.sum())
    each = writer.add("Div", [each, writer.number(whole)])
    if model.classes > 2:
        if answer == "decision":
            return computed(each, model.classes)
        if answer == "label":
            return computed(writer.largest(each), 1)
        divided = writer.add("Div", [each, writer.number(model.classes - 1.0)])
        return computed(writer.add("Softmax", [divided], axis=1), model.classes)
    first = writer.add("Gather", [each, writer.axes(0)], axis=1)
    second = writer.add("Gather", [each, writer.axes(1)], axis=1)
    decision = writer.add("Sub", [second, first])
    if answer == "decision":
        return computed(decision, 1)
    if answer == "label":
        return computed(writer.above(decision, 0.0), 1)
    return computed(writer.both(writer.sigmoid(decision)), 2)


def _each_class(writer: Writer, model: Adaptive, x: Table) -> str:
    """What all members say of each class, not yet divided."""
    total: str | None = None
    for member, weight in zip(model.members, model.weights, strict=True):
        if model.way == "real":
            said = _real(writer, model, member, x)
        else:
            found = member.graph("label", writer, x).numbers()
            places = writer.weight(np.arange(float(model.classes))[None])
            hit = writer.add("Equal", [found, places])
            lost = -weight / (model.classes - 1) if model.way == "votes" else 0.0
            said = writer.add("Where", [hit, writer.number(weight), writer.number(lost)])
        total = said if total is None else writer.add("Add", [total, said])
    assert total is not None
    return total


def _real(writer: Writer, model: Adaptive, member: Part, x: Table) -> str:
    shares = member.graph("probability", writer, x).numbers()
    logs = writer.add("Log", [writer.add("Max", [shares, writer.number(_CLOSE)])])
    mean = writer.add("ReduceMean", [logs, writer.axes(1)], keepdims=1)
    return writer.scaled(
        writer.add("Sub", [logs, mean]), np.full(model.classes, model.classes - 1.0)
    )


def _old_shares(writer: Writer, model: Adaptive, x: Table) -> str:
    """Up to 0.21: the exponential of the weighed mean of probabilities, divided by the sum."""
    total: str | None = None
    for member, weight in zip(model.members, model.weights, strict=True):
        said = member.graph("probability", writer, x).numbers()
        said = writer.scaled(said, np.full(model.classes, weight))
        total = said if total is None else writer.add("Add", [total, said])
    assert total is not None
    divisor = float(model.weights.sum()) * (model.classes - 1.0)
    return writer.shares(
        writer.add("Exp", [writer.add("Div", [total, writer.number(divisor)])]), model.classes
    )


def _probe(part: Part, random: np.random.Generator, rows: int) -> Probes:
    model: Adaptive | Median = part.parameters
    drawn, edges = [], []
    for member in model.members[:16]:
        probes = member.probes(random, max(8, rows // len(model.members)))
        drawn += list(probes.random)
        if probes.boundary is not None:
            edges.append(probes.boundary[:64])
    return Probes((np.concatenate(drawn),), np.concatenate(edges) if edges else None)


def _oracle(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    """As that release adds up what the members say."""
    members, count = attributes.need("estimators_"), len(attributes.need("classes_"))
    weights = np.asarray(attributes.need("estimator_weights_"), dtype=np.float64)
    real = attributes.get("algorithm") == "SAMME.R"
    if answer == "probability" and not real and not attributes.since(0, 22):
        mean = np.zeros((len(rows), count))
        for weight, one in zip(weights, members, strict=False):
            mean += weight * oracle.answer(one, "probability", rows)
        raised = np.exp(mean / weights.sum() / (count - 1))
        return np.asarray(raised / raised.sum(axis=1, keepdims=True))
    each = np.zeros((len(rows), count))
    for weight, one in zip(weights, members, strict=False):
        if real:
            logs = np.log(np.maximum(oracle.answer(one, "probability", rows), _CLOSE))
            each += (count - 1) * (logs - logs.sum(axis=1, keepdims=True) / count)
            continue
        found = oracle.answer(one, "label", rows)[:, 0].astype(np.int64)
        hits = np.eye(count, dtype=np.bool_)[found]
        lost = -weight / (count - 1) if attributes.since(1, 3, 1) else 0.0
        each += np.where(hits, weight, lost)
    each /= weights.sum()
    decision = each[:, 1] - each[:, 0] if count == 2 else each
    if answer == "decision":
        return decision.reshape(len(rows), -1)
    if answer == "label":
        if count == 2:
            return np.asarray(decision > 0.0, dtype=np.float64)[:, None]
        return np.asarray(decision.argmax(axis=1).astype(np.float64)[:, None])
    if count == 2:
        halves = np.stack([-decision, decision], axis=1) / 2.0
        return softmax(halves)
    return softmax(each / (count - 1))


@dataclass(frozen=True, eq=False)
class Median:
    """Members, each with a weight.

    Attributes
    ----------
    members : tuple of Part
    weights : ndarray of shape (members,)
    """

    members: tuple[Part, ...]
    weights: FloatArray


def _read_median(attributes: Attributes, reader: Reader) -> Model:
    given = attributes.need("estimators_")
    if not isinstance(given, list) or not given:
        raise InconsistentModelError("AdaBoostRegressor has no members")
    parts = tuple(reader.part(one) for one in given)
    if any(part.model.answers.get("value") != 1 for part in parts):
        raise UnsupportedModelError("a member of its AdaBoostRegressor does not say one value")
    kept = attributes.need("estimator_weights_")
    if not isinstance(kept, np.ndarray) or kept.ndim != 1 or len(kept) < len(parts):
        raise InconsistentModelError("AdaBoostRegressor.estimator_weights_ is no line of weights")
    weights = attributes.numbers("estimator_weights_", kept.shape)[: len(parts)]
    if (weights < 0.0).any() or weights.sum() <= 0.0:
        raise UnsupportedModelError("the weights of its AdaBoostRegressor add up to nothing")
    widths = {part.n_features for part in parts}
    if len(widths) != 1:
        raise InconsistentModelError("the members of an AdaBoostRegressor take different columns")
    columns_in = widths.pop()
    return Model(
        parameters=Median(parts, weights),
        n_features=columns_in,
        answers={"value": 1},
        takes_missing=all(part.model.takes_missing for part in parts),
        described=f"AdaBoostRegressor of {parts[0].described}",
        feature_names=attributes.column_names(columns_in),
        warnings=tuple(dict.fromkeys(one for part in parts for one in part.model.warnings)),
        tolerance=max(part.model.tolerance for part in parts),
    )


def _graph_median(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    model: Median = part.parameters
    count = len(model.members)
    each = [member.graph(answer, writer, x).numbers() for member in model.members]
    if count == 1:
        return computed(each[0], 1)
    said = writer.add("Concat", each, axis=1)
    # The smallest first; the weights go along.
    order = writer.top(writer.add("Neg", [said]), count)[1]
    weights = writer.add("Gather", [writer.weight(model.weights), order], axis=0)
    running = writer.add("CumSum", [weights, writer.weight(np.array(1, dtype=np.int64))])
    whole = writer.add("Gather", [running, writer.axes(count - 1)], axis=1)
    half = writer.scaled(whole, np.array([0.5]))
    before = writer.doubled(writer.add("Less", [running, half]))
    rank = writer.add("ReduceSum", [before, writer.axes(1)], keepdims=1)
    place = writer.add("GatherElements", [order, _whole(writer, rank)], axis=1)
    return computed(writer.add("GatherElements", [said, place], axis=1), 1)


def _whole(writer: Writer, number: str) -> str:
    return writer.add("Cast", [number], to=TensorProto.INT64)


def _oracle_median(
    attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle
) -> FloatArray:
    """The first of the sorted answers that half of the weights do not reach beyond."""
    members = attributes.need("estimators_")
    weights = np.asarray(attributes.need("estimator_weights_"), dtype=np.float64)[: len(members)]
    said = np.concatenate([oracle.answer(one, answer, rows) for one in members], axis=1)
    order = np.argsort(said, axis=1, kind="stable")
    running = np.cumsum(weights[order], axis=1)
    first = (running >= 0.5 * running[:, -1:]).argmax(axis=1)
    every = np.arange(len(said))
    return np.asarray(said[every, order[every, first]][:, None])


_HOW: dict[str, Any] = known(
    """
    base_estimator base_estimator_ estimator estimator_ _estimator estimator_errors_
    estimator_params learning_rate n_estimators random_state
    """
)

FAMILIES = (
    Family(
        name="AdaBoostClassifier",
        modules=("sklearn.ensemble._weight_boosting", "sklearn.ensemble.weight_boosting"),
        library="scikit-learn",
        releases=((0, 20), (1, 9)),
        used=known("estimators_ estimator_weights_ algorithm classes_ n_classes_"),
        harmless=_HOW,
        read=_read,
        graph=_graph,
        oracle=_oracle,
        probe=_probe,
    ),
    Family(
        name="AdaBoostRegressor",
        modules=("sklearn.ensemble._weight_boosting", "sklearn.ensemble.weight_boosting"),
        library="scikit-learn",
        releases=((0, 20), (1, 9)),
        used=known("estimators_ estimator_weights_"),
        harmless={**_HOW, **known("loss")},
        read=_read_median,
        graph=_graph_median,
        oracle=_oracle_median,
        probe=_probe,
    ),
)
