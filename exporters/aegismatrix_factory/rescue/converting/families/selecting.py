"""scikit-learn's selection of the columns that a model finds important.

Which they are is not kept: it follows from the coefficients of the model, or from what the splits
of its trees gained.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from aegismatrix_factory.rescue.converting.attributes import Attributes, counted, known, numbers
from aegismatrix_factory.rescue.converting.errors import (
    InconsistentModelError,
    UnsupportedModelError,
)
from aegismatrix_factory.rescue.converting.families.features import Selection
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
from aegismatrix_factory.rescue.converting.parameters import FloatArray
from aegismatrix_factory.rescue.converting.writing import Table, Writer
from aegismatrix_factory.rescue.reading.records import Record

_FORESTS = (
    *("RandomForestClassifier", "RandomForestRegressor"),
    *("ExtraTreesClassifier", "ExtraTreesRegressor"),
)
_TREES = (
    *("DecisionTreeClassifier", "DecisionTreeRegressor"),
    *("ExtraTreeClassifier", "ExtraTreeRegressor"),
)
_LEAST = 1e-5
"""Below which a coefficient of a model that makes some of them 0 is none."""
_NEAR = 1e-9


def _read(attributes: Attributes, reader: Reader) -> Model:
    name = attributes.name
    getter = attributes.get("importance_getter", "auto")
    if not isinstance(getter, str) or getter != "auto":
        raise UnsupportedModelError(f"its {name} takes importance from somewhere else")
    given = attributes.get("estimator_", attributes.get("estimator"))
    if not isinstance(given, Record):
        raise UnsupportedModelError(f"its {name} was never fitted", code="not-fitted")
    part = reader.part(given)
    scores = _importance(given, attributes)
    if part.n_features not in (None, len(scores)):
        raise InconsistentModelError(f"{name} contradicts itself about its columns")
    bound = _bound(attributes, given, scores)
    if (np.abs(scores - bound) <= _NEAR * np.abs(bound)).any():
        raise UnsupportedModelError(f"its {name} has a column that is as important as the bound")
    kept = scores >= bound
    most = attributes.get("max_features")
    if most is not None:
        if isinstance(most, bool) or not isinstance(most, int | np.integer) or most < 0:
            raise UnsupportedModelError(f"its {name} keeps an unknown number of columns")
        first = np.zeros(len(scores), dtype=np.bool_)
        first[np.argsort(-scores, kind="stable")[: int(most)]] = True
        kept &= first
    if not kept.any():
        raise UnsupportedModelError(f"its {name} keeps no column")
    return Model(
        parameters=Selection(tuple(np.flatnonzero(kept).tolist())),
        n_features=len(scores),
        answers={"transformed": int(kept.sum())},
        takes_missing=part.model.takes_missing,
        feature_names=attributes.column_names(len(scores)) or part.model.feature_names,
    )


def _importance(record: Record, attributes: Attributes) -> FloatArray:
    state: Any = record.state
    if record.name in _FORESTS:
        found = [one for one in map(_gained, state["estimators_"]) if one is not None]
        if not found:
            raise UnsupportedModelError("its forest has no splits")
        mean = np.mean(found, axis=0)
        return np.asarray(mean / mean.sum())
    if record.name in _TREES:
        alone = _gained(record)
        if alone is None:
            raise UnsupportedModelError("its tree has no splits")
        return alone
    coefficients = state.get("coef_") if record.module.startswith("sklearn.") else None
    if not isinstance(coefficients, np.ndarray) or coefficients.ndim not in (1, 2):
        raise UnsupportedModelError(f"nothing says what its {record.name} finds important")
    weights = numbers(coefficients, coefficients.shape, "coef_")
    if weights.ndim == 1:
        return np.asarray(np.abs(weights))
    order = attributes.get("norm_order", 1)
    if isinstance(order, bool) or not isinstance(order, int | float) or not order > 0:
        raise UnsupportedModelError(f"its {attributes.name} has an unknown norm")
    return np.asarray(np.linalg.norm(weights, axis=0, ord=order))


def _gained(member: Record) -> FloatArray | None:
    """What the splits of a tree gained by column, adding up to 1; None where it has none."""
    state: Any = member.state
    tree = state["tree_"]
    nodes = tree.state["nodes"]
    inner = np.flatnonzero(nodes["left_child"] != -1)
    if not len(inner):
        return None
    if not {"weighted_n_node_samples", "impurity"} <= set(nodes.dtype.names):
        raise InconsistentModelError("the nodes of a tree do not say what they gained")
    mass = nodes["weighted_n_node_samples"] * nodes["impurity"]
    left, right = nodes["left_child"][inner], nodes["right_child"][inner]
    found = np.zeros(counted(tree.arguments[0], "n_features"))
    columns = nodes["feature"][inner]
    for given, most in ((left, len(nodes)), (right, len(nodes)), (columns, len(found))):
        if (given < 0).any() or (given >= most).any():
            raise InconsistentModelError("a tree has a node or a column that is not there")
    np.add.at(found, columns, mass[inner] - mass[left] - mass[right])
    total = found.sum()
    if not np.isfinite(found).all() or not total > 0.0:
        raise UnsupportedModelError("the splits of its trees gained nothing")
    return np.asarray(found / total)


def _bound(attributes: Attributes, record: Record, scores: FloatArray) -> float:
    given = attributes.get("threshold")
    if given is None:
        state: Any = record.state
        penalty, share = state.get("penalty"), state.get("l1_ratio")
        sparse = "Lasso" in record.name or (isinstance(penalty, str) and penalty == "l1")
        # Newer releases tell a mixture of penalties by its share.
        mixed = isinstance(penalty, str) and penalty == "elasticnet"
        if not sparse and (mixed or not (share is None or _is_nothing(share))):
            raise UnsupportedModelError("its bound depends on a mixture of penalties")
        given = _LEAST if sparse else "mean"
    if isinstance(given, str):
        factor, star, reference = given.rpartition("*")
        kind = reference.strip()
        if kind not in ("mean", "median"):
            raise UnsupportedModelError("its bound is neither a number nor a mean or median")
        try:
            times = float(factor) if star else 1.0
        except ValueError as error:
            raise UnsupportedModelError("its bound is a multiple of no number") from error
        return float(times * (np.mean(scores) if kind == "mean" else np.median(scores)))
    return float(numbers([given], (1,), "threshold")[0])


def _is_nothing(share: object) -> bool:
    told = isinstance(share, str) and share in ("deprecated", "warn")
    return told or (isinstance(share, int | float) and share == 0)


def _graph(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    del answer
    chosen: Selection = part.parameters
    return writer.chosen(x, chosen.kept)


def _oracle(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> Rows:
    """Column after column, split after split, as the library adds up what they gained."""
    del answer, oracle
    record = attributes.get("estimator_", attributes.get("estimator"))
    state = record.state
    members = state.get("estimators_", [record])
    if "coef_" in state:
        weights = state["coef_"]
        if weights.ndim == 1:
            scores = [abs(float(one)) for one in weights]
        else:
            order = attributes.get("norm_order", 1)
            scores = [float(np.linalg.norm(one, ord=order)) for one in weights.T]
    else:
        each = [_by_column(one) for one in members if len(one.state["tree_"].state["nodes"]) > 1]
        whole = [sum(one[column] for one in each) for column in range(len(each[0]))]
        scores = [one / sum(whole) for one in whole]
    bound = attributes.get("threshold")
    if bound is None:
        some = "Lasso" in record.name or state.get("penalty") == "l1"
        bound = _LEAST if some else "mean"
    if isinstance(bound, str):
        *factor, kind = bound.split("*")
        ordered, half = sorted(scores), len(scores) // 2
        middle = ordered[half] if len(scores) % 2 else (ordered[half - 1] + ordered[half]) / 2.0
        at = sum(scores) / len(scores) if kind.strip() == "mean" else middle
        bound = at * (float(factor[0]) if factor else 1.0)
    most = attributes.get("max_features")
    ranked = sorted(range(len(scores)), key=lambda place: -scores[place])
    room = set(ranked if most is None else ranked[:most])
    return rows[:, [place for place, one in enumerate(scores) if one >= bound and place in room]]


def _by_column(member: Record) -> list[float]:
    state: Any = member.state
    nodes = state["tree_"].state["nodes"]
    found = [0.0] * int(state["tree_"].arguments[0])
    for node in nodes:
        if node["left_child"] == -1:
            continue
        sides = (nodes[node["left_child"]], nodes[node["right_child"]])
        gained = node["weighted_n_node_samples"] * node["impurity"]
        for side in sides:
            gained -= side["weighted_n_node_samples"] * side["impurity"]
        found[node["feature"]] += gained
    whole = sum(found)
    return [one / whole for one in found]


def _probe(part: Part, random: np.random.Generator, rows: int) -> Probes:
    return Probes((random.normal(size=(rows, part.n_features or 1)),))


def _back(part: Part, rows: FloatArray) -> FloatArray:
    chosen: Selection = part.parameters
    out = np.zeros((len(rows), part.n_features or rows.shape[1]))
    out[:, list(chosen.kept)] = rows
    return out


FAMILIES = (
    Family(
        name="SelectFromModel",
        modules=("sklearn.feature_selection._from_model", "sklearn.feature_selection.from_model"),
        library="scikit-learn",
        releases=((0, 20), (1, 9)),
        used=known("estimator_ estimator threshold norm_order max_features importance_getter"),
        harmless=known("prefit max_features_"),
        read=_read,
        graph=_graph,
        oracle=_oracle,
        probe=_probe,
        back=_back,
    ),
)
