"""scikit-learn's nearest neighbours: the rows that it was fitted on, and what they say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aegismatrix_factory.rescue.converting.attributes import Attributes, known, numbers
from aegismatrix_factory.rescue.converting.errors import (
    InconsistentModelError,
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
from aegismatrix_factory.rescue.converting.parameters import FloatArray
from aegismatrix_factory.rescue.converting.sparse import is_sparse, matrix
from aegismatrix_factory.rescue.converting.writing import Table, Writer, computed
from aegismatrix_factory.rescue.reading.records import Record

_METRICS = ("euclidean", "manhattan", "chebyshev")
_MOST_COLUMNS = 2000
_MOST_NUMBERS = 6 * 2**20


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The rows that are near, and what each says.

    Attributes
    ----------
    rows : ndarray of shape (n, n_features)
    said : ndarray of shape (n, columns)
        A share of each class, or values.
    count : int
        How many are asked.
    metric : {'euclidean', 'manhattan', 'chebyshev'}
    by_distance : bool
        Whether each has the weight of 1 divided by its distance.
    """

    rows: FloatArray
    said: FloatArray
    count: int
    metric: str
    by_distance: bool


def _read(attributes: Attributes, reader: Reader) -> Model:
    del reader
    name = attributes.name
    given = attributes.need("_fit_X")
    if not is_sparse(given) and (not isinstance(given, np.ndarray) or given.dtype == np.float32):
        raise UnsupportedModelError(f"its {name} was fitted in float32")
    rows = matrix(given, f"{name}._fit_X")
    attributes.width(rows.shape[1])
    if rows.size > _MOST_NUMBERS or rows.shape[1] > _MOST_COLUMNS:
        raise OversizedModelError(f"its {name} keeps {rows.shape[0]} rows of {rows.shape[1]}")
    count = attributes.count("n_neighbors")
    if count > len(rows):
        raise InconsistentModelError(f"{name} asks more neighbours than it has")
    weights = attributes.need("weights")
    if not isinstance(weights, str) or weights not in ("uniform", "distance"):
        raise UnsupportedModelError(f"its {name} weighs neighbours by a program of its own")
    classes: tuple[str, ...] = ()
    if name.endswith("Classifier"):
        if attributes.flag("outputs_2d_", False):
            raise UnsupportedModelError("its classifier answers several questions at once")
        classes = attributes.labels("classes_")
        own = attributes.need("_y")
        if not isinstance(own, np.ndarray) or own.shape != (len(rows),):
            raise InconsistentModelError(f"{name}._y is not one class a row")
        places = numbers(own, own.shape, f"{name}._y")
        if not np.isin(places, np.arange(len(classes))).all():
            raise InconsistentModelError(f"{name}._y names a class that is not there")
        said = np.eye(len(classes))[places.astype(np.int64)]
    else:
        own = attributes.need("_y")
        if not isinstance(own, np.ndarray) or own.ndim not in (1, 2) or len(own) != len(rows):
            raise InconsistentModelError(f"{name}._y is not one value a row")
        said = numbers(own, own.shape, f"{name}._y").reshape(len(rows), -1)
    neighbours = Neighbours(rows, said, count, _metric(attributes), weights == "distance")
    width = said.shape[1]
    return Model(
        parameters=neighbours,
        n_features=rows.shape[1],
        answers={"probability": width, "label": 1} if classes else {"value": width},
        classes=classes,
        feature_names=attributes.column_names(rows.shape[1]),
    )


def _metric(attributes: Attributes) -> str:
    metric, given = attributes.text("effective_metric_"), attributes.get("effective_metric_params_")
    power = given.get("p", 2) if isinstance(given, dict) else 2
    if metric == "minkowski":
        metric = {1: "manhattan", 2: "euclidean"}.get(power, "minkowski")
    others = set(given or ()) - {"p"} if isinstance(given, dict) else set()
    if metric not in _METRICS or others:
        raise UnsupportedModelError(f"its {attributes.name} measures distance in an unknown way")
    return metric


def _graph(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    given: Neighbours = part.parameters
    distance = _distances(writer, given, x.numbers())
    nearest, place = _nearest(writer, distance, given.count)
    said = writer.add("Gather", [writer.weight(given.said), place], axis=0)
    if given.by_distance:
        weights = _inverse(writer, nearest)
        spread = writer.add("Unsqueeze", [weights, writer.axes(2)])
        said = writer.add("Mul", [said, spread])
        total = writer.add("ReduceSum", [weights, writer.axes(1)], keepdims=1)
    else:
        total = writer.number(given.count)
    summed = writer.add("ReduceSum", [said, writer.axes(1)], keepdims=0)
    if answer == "label":
        return computed(writer.largest(summed), 1)
    return computed(writer.add("Div", [summed, total]), given.said.shape[1])


def _distances(writer: Writer, given: Neighbours, value: str) -> str:
    """Column after column, in the order in which the library adds: ties stay ties."""
    total: str | None = None
    for place, column in enumerate(given.rows.T):
        own = writer.add("Gather", [value, writer.axes(place)], axis=1)
        away = writer.add("Sub", [own, writer.weight(column[None])])
        if given.metric == "euclidean":
            part = writer.add("Mul", [away, away])
        else:
            part = writer.add("Abs", [away])
        if total is None:
            total = part
        else:
            total = writer.add("Max" if given.metric == "chebyshev" else "Add", [total, part])
    assert total is not None
    return writer.add("Sqrt", [total]) if given.metric == "euclidean" else total


def _nearest(writer: Writer, distance: str, count: int) -> tuple[str, str]:
    """The smallest of each row and where they are, the first of equals first."""
    negative = writer.add("Neg", [distance])
    largest, place = writer.top(negative, count)
    return writer.add("Neg", [largest]), place


def _inverse(writer: Writer, distance: str) -> str:
    """1 divided by each distance; where one of a row is 0, those of 0 count alone."""
    zero = writer.add("Equal", [distance, writer.number(0.0)])
    none = writer.doubled(zero)
    there = writer.add("ReduceMax", [none, writer.axes(1)], keepdims=1)
    some = writer.add("Greater", [there, writer.number(0.0)])
    safe = writer.add("Where", [zero, writer.number(1.0), distance])
    return writer.add("Where", [some, none, writer.add("Div", [writer.number(1.0), safe])])


def _probe(part: Part, random: np.random.Generator, rows: int) -> Probes:
    given: Neighbours = part.parameters
    spread = given.rows.std(axis=0) + 1e-3
    count = max(1, min(rows, 8_000_000 // max(1, given.rows.size)))
    chosen = given.rows[random.integers(0, len(given.rows), size=count)]
    drawn = chosen + random.normal(size=chosen.shape) * spread
    far = given.rows.mean(axis=0) + random.normal(size=chosen.shape) * spread * 4.0
    return Probes((drawn, far), given.rows[: min(count, 128)])


def _oracle(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    """Row by row: all distances, a stable sort, and the vote or the mean of the first."""
    del oracle
    fitted = attributes.need("_fit_X")
    if isinstance(fitted, Record):
        fitted = matrix(fitted, "_fit_X")
    fitted = np.asarray(fitted, dtype=np.float64)
    y = np.asarray(attributes.need("_y"))
    params = attributes.get("effective_metric_params_") or {}
    metric = attributes.need("effective_metric_")
    first = metric == "manhattan" or (metric == "minkowski" and params.get("p") == 1)
    classifies = attributes.name.endswith("Classifier")
    columns = len(attributes.need("classes_")) if classifies else max(1, y.size // len(y))
    out = np.zeros((len(rows), columns))
    for row, x in enumerate(np.asarray(rows, dtype=np.float64)):
        away = np.abs(fitted - x)
        if metric == "chebyshev":
            distance = away.max(axis=1)
        else:
            parts = away if first else away * away
            distance = np.zeros(len(fitted))
            for column in parts.T:
                distance = distance + column
            distance = distance if first else np.sqrt(distance)
        near = np.argsort(distance, kind="stable")[: attributes.need("n_neighbors")]
        weights = np.ones(len(near))
        if attributes.need("weights") == "distance":
            same = distance[near] == 0.0
            weights = same.astype(np.float64) if same.any() else 1.0 / distance[near]
        for weight, place in zip(weights, near, strict=True):
            if classifies:
                out[row, int(y[place])] += weight
            else:
                out[row] += weight * y[place]
        if answer != "label":
            out[row] /= weights.sum()
    return out.argmax(axis=1).astype(np.float64)[:, None] if answer == "label" else out


_HOW = known("algorithm leaf_size metric metric_params n_jobs p radius _tree _fit_method n_samples_fit_")
_USED = "_fit_X _y n_neighbors weights effective_metric_ effective_metric_params_"

FAMILIES = (
    Family(
        name="KNeighborsClassifier",
        modules=("sklearn.neighbors._classification", "sklearn.neighbors.classification"),
        library="scikit-learn",
        releases=((0, 20), (1, 9)),
        used=known(f"{_USED} classes_ outputs_2d_"),
        harmless=_HOW,
        read=_read,
        graph=_graph,
        oracle=_oracle,
        probe=_probe,
    ),
    Family(
        name="KNeighborsRegressor",
        modules=("sklearn.neighbors._regression", "sklearn.neighbors.regression"),
        library="scikit-learn",
        releases=((0, 20), (1, 9)),
        used=known(_USED),
        harmless=_HOW,
        read=_read,
        graph=_graph,
        oracle=_oracle,
        probe=_probe,
    ),
)
