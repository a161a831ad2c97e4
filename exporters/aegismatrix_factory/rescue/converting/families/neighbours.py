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
from aegismatrix_factory.rescue.converting.questions import (
    Questions,
    largest_of_each,
    named,
    placed,
    read_questions,
)
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
    counts : tuple of int
        Classes of each question; none of a regression.
    """

    rows: FloatArray
    said: FloatArray
    count: int
    metric: str
    by_distance: bool
    counts: tuple[int, ...]


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
    questions: Questions = ()
    if name.endswith("Classifier"):
        questions, said = _classified(attributes, len(rows))
    else:
        own = attributes.need("_y")
        if not isinstance(own, np.ndarray) or own.ndim not in (1, 2) or len(own) != len(rows):
            raise InconsistentModelError(f"{name}._y is not one value a row")
        said = numbers(own, own.shape, f"{name}._y").reshape(len(rows), -1)
    counts = tuple(len(one) for one in questions)
    neighbours = Neighbours(rows, said, count, _metric(attributes), weights == "distance", counts)
    width, several = said.shape[1], attributes.flag("outputs_2d_", False)
    return Model(
        parameters=neighbours,
        n_features=rows.shape[1],
        answers={"probability": width, "label": len(counts)} if counts else {"value": width},
        shown=("probability", "label") if counts and several else (),
        classes=named(questions) if several else questions[0] if questions else (),
        questions=questions if several else (),
        feature_names=attributes.column_names(rows.shape[1]),
        warnings=(
            "where two rows that it keeps are equally far away and say different things, no"
            " answer is given: the library's depends on the order of its tree",
        ),
    )


def _classified(attributes: Attributes, count: int) -> tuple[Questions, FloatArray]:
    """The classes of each question, and a row's own of all of them as shares of 1."""
    name, own = attributes.name, attributes.need("_y")
    if not isinstance(own, np.ndarray) or own.ndim not in (1, 2) or len(own) != count:
        raise InconsistentModelError(f"{name}._y is not one class a row")
    if attributes.flag("outputs_2d_", False):
        asked = own.shape[1] if own.ndim == 2 else 0
        questions = read_questions(attributes.need("classes_"), asked, f"{name}.classes_")
    elif own.ndim == 1:
        questions = (attributes.labels("classes_"),)
    else:
        raise InconsistentModelError(f"{name}._y is not one class a row")
    said = []
    for places, classes in zip(own.reshape(count, -1).T, questions, strict=True):
        places = numbers(places, (count,), f"{name}._y")
        if not np.isin(places, np.arange(len(classes))).all():
            raise InconsistentModelError(f"{name}._y names a class that is not there")
        said.append(np.eye(len(classes))[places.astype(np.int64)])
    if not said:
        raise InconsistentModelError(f"{name} answers no question")
    return questions, np.concatenate(said, axis=1)


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
    """Which of two rows as far away as the last neighbour is asked depends on the library's tree.

    Where they say the same, or both are asked, it does not matter; else the answer is NaN.
    """
    given: Neighbours = part.parameters
    columns = given.said.shape[1]
    compared = _compared(writer, given, x.numbers())
    smallest, _ = writer.top(writer.add("Neg", [compared]), given.count)
    last = writer.add(
        "Gather", [writer.add("Neg", [smallest]), writer.axes(given.count - 1)], axis=1
    )
    near = writer.doubled(writer.add("Less", [compared, last]))
    tie = writer.doubled(writer.add("Equal", [compared, last]))
    room = writer.add("Sub", [writer.number(given.count), _total(writer, near)])
    share = _tied(writer, given, tie, room)
    weights = near
    if given.by_distance:
        weights, last_weight = _inverse(writer, given, compared, near, last)
        share = writer.add("Mul", [share, last_weight])
        room = writer.add("Mul", [room, last_weight])
    summed = writer.add("MatMul", [weights, writer.weight(given.said)])
    summed = writer.add("Add", [summed, share])
    unknown = _total(writer, summed)
    writer.refuse(writer.add("Not", [writer.add("Equal", [unknown, unknown])]))
    if answer == "label":
        return computed(placed(writer, summed, given.counts), len(given.counts))
    if answer == "probability":
        # Each by its own sum, whose last digit may be another's.
        ends = np.cumsum(given.counts)
        shares = []
        for end, count in zip(ends.tolist(), given.counts, strict=True):
            own = writer.add("Gather", [summed, writer.axes(*range(end - count, end))], axis=1)
            shares.append(writer.add("Div", [own, _total(writer, own)]))
        return computed(writer.joined(shares), columns)
    total = writer.add("Add", [_total(writer, weights), room])
    return computed(writer.add("Div", [summed, total]), columns)


def _total(writer: Writer, each: str) -> str:
    return writer.add("ReduceSum", [each, writer.axes(1)], keepdims=1)


def _compared(writer: Writer, given: Neighbours, value: str) -> str:
    """What the library compares, squared where it squares; column after column, as it adds."""
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
    return total


def _tied(writer: Writer, given: Neighbours, tie: str, room: str) -> str:
    """What the rows at the last distance say together, as many of them as there is room for."""
    count = _total(writer, tie)
    fits = writer.add("Equal", [count, room])
    every = writer.add("MatMul", [tie, writer.weight(given.said)])
    alike, shares = [], []
    for said in given.said.T:
        held = writer.weight(said[None])
        some = writer.add("Greater", [tie, writer.number(0.5)])
        edge = 2.0 * (float(np.abs(said).max()) + 1.0)
        high = writer.add("Where", [some, held, writer.number(-edge)])
        low = writer.add("Where", [some, held, writer.number(edge)])
        high = writer.add("ReduceMax", [high, writer.axes(1)], keepdims=1)
        low = writer.add("ReduceMin", [low, writer.axes(1)], keepdims=1)
        alike.append(writer.add("Equal", [high, low]))
        shares.append(writer.add("Mul", [high, room]))
    same = alike[0] if len(alike) == 1 else _all(writer, alike)
    share = writer.joined(shares)
    chosen = writer.add("Where", [same, share, writer.nan()])
    return writer.add("Where", [fits, every, chosen])


def _all(writer: Writer, flags: list[str]) -> str:
    total = flags[0]
    for flag in flags[1:]:
        total = writer.add("And", [total, flag])
    return total


def _inverse(
    writer: Writer, given: Neighbours, compared: str, near: str, last: str
) -> tuple[str, str]:
    """1 divided by each distance; where one of a row is 0, those of 0 count alone."""
    if given.metric == "euclidean":
        compared, last = writer.add("Sqrt", [compared]), writer.add("Sqrt", [last])
    zero = writer.add("Equal", [compared, writer.number(0.0)])
    some = _total(writer, writer.doubled(zero))
    same = writer.add("Greater", [some, writer.number(0.5)])
    far = writer.add("Div", [near, writer.add("Where", [zero, writer.number(1.0), compared])])
    near_zero = writer.add("Mul", [near, writer.doubled(zero)])
    weights = writer.add("Where", [same, near_zero, far])
    last_zero = writer.add("Equal", [last, writer.number(0.0)])
    last_far = writer.add(
        "Div", [writer.number(1.0), writer.add("Where", [last_zero, writer.number(1.0), last])]
    )
    last_weight = writer.add("Where", [same, writer.doubled(last_zero), last_far])
    return weights, last_weight


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
    fitted = attributes.need("_fit_X")
    if isinstance(fitted, Record):
        fitted = matrix(fitted, "_fit_X")
    fitted = np.asarray(fitted, dtype=np.float64)
    y = np.asarray(attributes.need("_y"))
    params = attributes.get("effective_metric_params_") or {}
    metric = attributes.need("effective_metric_")
    first = metric == "manhattan" or (metric == "minkowski" and params.get("p") == 1)
    classifies = attributes.name.endswith("Classifier")
    classes = attributes.need("classes_") if classifies else []
    several = bool(classifies and attributes.get("outputs_2d_"))
    counts = [len(one) for one in classes] if several else [len(classes)]
    begins = np.cumsum([0, *counts[:-1]])
    columns = sum(counts) if classifies else max(1, y.size // len(y))
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
        compared = distance
        if not first and metric != "chebyshev":
            distance = np.sqrt(distance)
        k = attributes.need("n_neighbors")
        order = np.argsort(compared, kind="stable")
        near = order[:k]
        weights = np.ones(len(near))
        if attributes.need("weights") == "distance":
            same = distance[near] == 0.0
            weights = same.astype(np.float64) if same.any() else 1.0 / distance[near]
        for weight, place in zip(weights, near, strict=True):
            if classifies:
                out[row, begins + y[place]] += weight
            else:
                out[row] += weight * y[place]
        if answer != "label":
            out[row] /= weights.sum()
        # A tie at the last place that the library's own tree decides.
        tied = np.flatnonzero(compared == compared[near[-1]])
        counted = weights[-1] != 0.0 and len(order) > k
        if counted and not set(tied) <= set(near.tolist()) and len(np.unique(y[tied], axis=0)) > 1:
            out[row] = np.nan
    oracle.refuse(np.isnan(out).any(axis=1))
    return largest_of_each(out, counts) if answer == "label" else out


_HOW = known(
    "algorithm leaf_size metric metric_params n_jobs p radius _tree _fit_method n_samples_fit_"
)
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
