"""scikit-learn's support vector machines of libsvm, with kernels, and Platt's probabilities.

`_dual_coef_` and `_intercept_` have libsvm's own signs; of two classes the decision is the other
way round. Probabilities are those of libsvm, whose coupling of pairs stops once it is near enough:
its last digits are part of the answer, for two classes as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from aegismatrix_factory.rescue.converting.attributes import Attributes, known, whole_numbers
from aegismatrix_factory.rescue.converting.errors import (
    InconsistentModelError,
    OversizedModelError,
    UnsupportedModelError,
)
from aegismatrix_factory.rescue.converting.family import (
    TOLERANCE,
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
from aegismatrix_factory.rescue.converting.sparse import matrix
from aegismatrix_factory.rescue.converting.writing import Table, Writer, computed

_KERNELS = ("linear", "rbf", "poly", "sigmoid")
_MOST_CLASSES = 24
_MOST_DEGREE = 16
_MOST_NUMBERS = 6 * 2**20
_ROUNDS = 8
"""More than the coupling of pairs was ever seen to take; a row that takes more has no answer."""

_CLOSE = 1e-7
_ROUNDING, _LOOSEST = 1e-15, 1e-6


@dataclass(frozen=True, eq=False)
class Machine:
    """Kernels against support vectors, weighed for each pair of classes.

    Attributes
    ----------
    vectors : ndarray of shape (n, n_features)
    weights : ndarray of shape (pairs, n)
    intercepts : ndarray of shape (pairs,)
        With libsvm's signs: over 0 speaks for the first class of the pair.
    kernel : {'linear', 'rbf', 'poly', 'sigmoid'}
    gamma, constant : float
    degree : int
    classes : int
        0 for a regression, 1 for one class.
    slopes, offsets : ndarray of shape (pairs,), or None
        Of Platt's sigmoids.
    each_class : bool
        Whether the decision is one for each class, made of all pairs.
    decides : bool
        Whether the label is the largest decision, and not the most votes.
    """

    vectors: FloatArray
    weights: FloatArray
    intercepts: FloatArray
    kernel: str
    gamma: float
    constant: float
    degree: int
    classes: int
    slopes: FloatArray | None
    offsets: FloatArray | None
    each_class: bool
    decides: bool

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Pairs of classes, in their order."""
        return [(i, j) for i in range(self.classes) for j in range(i + 1, self.classes)]


def _tolerance(machine: Machine) -> float:
    """What is lost where large terms cancel, which is lost in the library's own sum as well."""
    if machine.kernel not in ("linear", "poly"):
        return TOLERANCE
    kernel = np.abs(machine.vectors @ machine.vectors[:256].T)
    if machine.kernel == "poly":
        with np.errstate(over="ignore"):
            kernel = (abs(machine.gamma) * kernel + abs(machine.constant)) ** machine.degree
    terms = float((np.abs(machine.weights) @ kernel).max(initial=0.0))
    return float(np.clip(_ROUNDING * terms, TOLERANCE, _LOOSEST))


def _kernel(attributes: Attributes) -> dict[str, Any]:
    kernel = attributes.need("kernel")
    if not isinstance(kernel, str) or kernel not in _KERNELS:
        raise UnsupportedModelError(f"its {attributes.name} has a kernel of its own")
    vectors = matrix(attributes.need("support_vectors_"), f"{attributes.name}.support_vectors_")
    attributes.width(vectors.shape[1])
    if vectors.size > _MOST_NUMBERS:
        raise OversizedModelError(f"its {attributes.name} keeps {len(vectors)} support vectors")
    degree = attributes.need("degree")
    if kernel == "poly" and not (type(degree) is int and 0 <= degree <= _MOST_DEGREE):
        raise UnsupportedModelError(f"its {attributes.name} has a degree out of range")
    gamma = attributes.one("_gamma")
    return {
        "vectors": vectors,
        "kernel": kernel,
        "gamma": gamma,
        "constant": attributes.one("coef0"),
        "degree": degree if kernel == "poly" else 0,
    }


def _read_values(attributes: Attributes, reader: Reader) -> Model:
    del reader
    given = _kernel(attributes)
    count = len(given["vectors"])
    weights = matrix(attributes.need("_dual_coef_"), f"{attributes.name}._dual_coef_")
    if weights.shape != (1, count):
        raise InconsistentModelError(f"{attributes.name}._dual_coef_ is not one weight a vector")
    alone = attributes.name == "OneClassSVM"
    machine = Machine(
        weights=weights,
        intercepts=attributes.numbers("_intercept_", (1,)),
        classes=1 if alone else 0,
        slopes=None,
        offsets=None,
        each_class=False,
        decides=False,
        **given,
    )
    width = given["vectors"].shape[1]
    return Model(
        parameters=machine,
        n_features=width,
        answers={"decision": 1, "label": 1} if alone else {"value": 1},
        shown=("decision", "label") if alone else (),
        classes=("-1", "1") if alone else (),
        feature_names=attributes.column_names(width),
        tolerance=_tolerance(machine),
    )


def _read_classes(attributes: Attributes, reader: Reader) -> Model:
    del reader
    given = _kernel(attributes)
    classes = attributes.labels("classes_")
    count, pairs = len(classes), len(classes) * (len(classes) - 1) // 2
    if count < 2:
        raise InconsistentModelError(f"{attributes.name} has fewer than two classes")
    if count > _MOST_CLASSES:
        raise OversizedModelError(f"its {attributes.name} has more than {_MOST_CLASSES} classes")
    weights = _pairwise(attributes, len(given["vectors"]), count)
    slopes, offsets = _platt(attributes, pairs)
    shape = attributes.text("decision_function_shape")
    if shape not in ("ovr", "ovo"):
        raise InconsistentModelError(f"{attributes.name}.decision_function_shape is unknown")
    each = count > 2 and shape == "ovr"
    machine = Machine(
        weights=weights,
        intercepts=attributes.numbers("_intercept_", (pairs,)),
        classes=count,
        slopes=slopes,
        offsets=offsets,
        each_class=each,
        decides=attributes.flag("break_ties", False) and each,
        **given,
    )
    answers: dict[Answer, int | None] = {"label": 1}
    # In 0.20 the decision of a row depended on the other rows of its batch.
    if not each or attributes.since(0, 21):
        answers = {"decision": count if each else pairs, **answers}
    shown: tuple[Answer, ...] = tuple(answers)
    if slopes is not None:
        answers = {"probability": count, **answers}
        # The most probable class is not always the one that is predicted.
        shown = ("probability", "label")
    width = given["vectors"].shape[1]
    return Model(
        parameters=machine,
        n_features=width,
        answers=answers,
        shown=shown,
        classes=classes,
        feature_names=attributes.column_names(width),
        tolerance=_tolerance(machine),
    )


def _pairwise(attributes: Attributes, vectors: int, classes: int) -> FloatArray:
    """Weights of every pair, of libsvm's table that has each class once less than there are."""
    name = attributes.name
    table = matrix(attributes.need("_dual_coef_"), f"{name}._dual_coef_")
    if table.shape != (classes - 1, vectors):
        raise InconsistentModelError(f"{name}._dual_coef_ has the shape {table.shape}")
    key = "_n_support" if attributes.has("_n_support") else "n_support_"
    counts = whole_numbers(attributes.need(key), (classes,), f"{name}.{key}")
    if (counts < 0).any() or counts.sum() != vectors:
        raise InconsistentModelError(f"{name} contradicts itself about its support vectors")
    ends = np.cumsum(counts)
    starts = ends - counts
    rows = []
    for i in range(classes):
        for j in range(i + 1, classes):
            row = np.zeros(vectors)
            row[starts[i] : ends[i]] = table[j - 1, starts[i] : ends[i]]
            row[starts[j] : ends[j]] = table[i, starts[j] : ends[j]]
            rows.append(row)
    return np.stack(rows)


def _platt(attributes: Attributes, pairs: int) -> tuple[FloatArray | None, FloatArray | None]:
    first, second = ("_probA", "_probB") if attributes.has("_probA") else ("probA_", "probB_")
    given, _ = attributes.need(first), attributes.need(second)
    asked = attributes.get("_effective_probability", attributes.get("probability"))
    if not isinstance(given, np.ndarray) or not given.size or asked is not True:
        return None, None
    return attributes.numbers(first, (pairs,)), attributes.numbers(second, (pairs,))


def _graph(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    machine: Machine = part.parameters
    kernel = _kernels(writer, machine, x.numbers())
    sums = writer.affine(kernel, machine.weights, machine.intercepts)
    if machine.classes < 2:
        return computed(writer.above(sums, 0.0) if answer == "label" else sums, 1)
    if answer == "probability":
        return computed(_probability(writer, machine, sums), machine.classes)
    if answer == "decision" or machine.decides:
        decision = _decision(writer, machine, sums)
        if answer == "label":
            return computed(writer.largest(decision), 1)
        return computed(decision, machine.classes if machine.each_class else len(machine.pairs))
    first = writer.above(sums, 0.0)
    votes = writer.affine(first, *_votes(machine))
    return computed(writer.largest(votes), 1)


def _kernels(writer: Writer, machine: Machine, value: str) -> str:
    vectors = machine.vectors
    if machine.kernel == "rbf":
        # Around the middle of the vectors, so that little is lost where large squares cancel.
        middle = vectors.mean(axis=0)
        vectors = vectors - middle
        value = writer.add("Sub", [value, writer.weight(middle)])
        squares = writer.add("Mul", [value, value])
        own = writer.add("ReduceSum", [squares, writer.axes(1)], keepdims=1)
        crossed = writer.affine(value, -2.0 * vectors, (vectors * vectors).sum(axis=1))
        distance = writer.add("Max", [writer.add("Add", [own, crossed]), writer.number(0.0)])
        return writer.add("Exp", [writer.add("Mul", [distance, writer.number(-machine.gamma)])])
    if machine.kernel == "linear":
        return writer.add("MatMul", [value, writer.weight(vectors.T)])
    # Not the product times gamma: see `Writer.scaled`.
    product = writer.add("MatMul", [value, writer.weight(machine.gamma * vectors.T)])
    moved = writer.add("Add", [product, writer.number(machine.constant)])
    if machine.kernel == "sigmoid":
        return writer.add("Tanh", [moved])
    return _power(writer, moved, machine.degree)


def _power(writer: Writer, base: str, times: int) -> str:
    """As libsvm raises, by squares."""
    total, squared, left = writer.number(1.0), base, times
    while left:
        if left % 2:
            total = writer.add("Mul", [total, squared])
        squared, left = writer.add("Mul", [squared, squared]), left // 2
    if not times:
        none = writer.add("Mul", [base, writer.number(0.0)])
        return writer.add("Add", [none, total])
    return total


def _votes(machine: Machine) -> tuple[FloatArray, FloatArray]:
    """From 1 for the first of each pair to votes for each class."""
    gains, fixed = np.zeros((machine.classes, len(machine.pairs))), np.zeros(machine.classes)
    for pair, (i, j) in enumerate(machine.pairs):
        gains[i, pair] = 1.0
        gains[j, pair] = -1.0
        fixed[j] += 1.0
    return gains, fixed


def _decision(writer: Writer, machine: Machine, sums: str) -> str:
    if machine.classes == 2:
        return writer.add("Neg", [sums])
    if not machine.each_class:
        return sums
    # A pair speaks for its second class where its sum is below 0, here for the first at 0.
    second = writer.doubled(writer.add("Less", [sums, writer.number(0.0)]))
    gains, fixed = _votes(machine)
    votes = writer.affine(second, -gains, fixed + gains.sum(axis=1))
    confidence = writer.add("MatMul", [sums, writer.weight(np.sign(gains).T)])
    room = writer.add("Add", [writer.add("Abs", [confidence]), writer.number(1.0)])
    share = writer.add("Div", [confidence, writer.add("Mul", [room, writer.number(3.0)])])
    return writer.add("Add", [votes, share])


def _probability(writer: Writer, machine: Machine, sums: str) -> str:
    """Libsvm's coupling, round after round; a row that is near enough stays as it is."""
    assert machine.slopes is not None
    assert machine.offsets is not None
    moved = writer.add("Mul", [sums, writer.weight(machine.slopes)])
    moved = writer.add("Neg", [writer.add("Add", [moved, writer.weight(machine.offsets)])])
    bounds = [writer.weight(np.array(one)) for one in (_CLOSE, 1.0 - _CLOSE)]
    first = writer.add("Clip", [writer.sigmoid(moved), *bounds])
    second = writer.add("Sub", [writer.number(1.0), first])
    count = machine.classes
    ahead: dict[tuple[int, int], str] = {}
    for pair, (i, j) in enumerate(machine.pairs):
        ahead[i, j] = writer.add("Gather", [first, writer.axes(pair)], axis=1)
        ahead[j, i] = writer.add("Gather", [second, writer.axes(pair)], axis=1)
    table: dict[tuple[int, int], str] = {}
    for i, j in machine.pairs:
        crossed = writer.add("Neg", [writer.add("Mul", [ahead[i, j], ahead[j, i]])])
        table[i, j] = table[j, i] = crossed
    for t in range(count):
        own = [writer.add("Mul", [ahead[j, t]] * 2) for j in range(count) if j != t]
        table[t, t] = _sum(writer, own)
    rows = [writer.add("Concat", [table[t, j] for j in range(count)], axis=1) for t in range(count)]
    none = writer.add("Mul", [rows[0], writer.number(0.0)])
    share = writer.add("Add", [none, writer.number(1.0 / count)])
    reached: str | None = None
    for turn in range(_ROUNDS + 1):
        pulls = [
            writer.add("ReduceSum", [writer.add("Mul", [row, share]), writer.axes(1)], keepdims=1)
            for row in rows
        ]
        pull = writer.add("Concat", pulls, axis=1)
        mean = writer.add(
            "ReduceSum", [writer.add("Mul", [pull, share]), writer.axes(1)], keepdims=1
        )
        away = writer.add("Abs", [writer.add("Sub", [pull, mean])])
        worst = writer.add("ReduceMax", [away, writer.axes(1)], keepdims=1)
        near = writer.add("Less", [worst, writer.number(0.005 / count)])
        reached = near if reached is None else writer.add("Or", [reached, near])
        if turn < _ROUNDS:
            moved_share = _round(writer, table, rows, share, pull, mean)
            share = writer.add("Where", [reached, share, moved_share])
    assert reached is not None
    writer.refuse(writer.add("Not", [reached]))
    return share


def _round(
    writer: Writer,
    table: dict[tuple[int, int], str],
    rows: list[str],
    share: str,
    pull: str,
    mean: str,
) -> str:
    """Class after class: its share is set to where it pulls as the mean does, and all divided."""
    count = len(rows)
    for t in range(count):
        own = writer.add("Gather", [pull, writer.axes(t)], axis=1)
        step = writer.add("Div", [writer.add("Sub", [mean, own]), table[t, t]])
        divisor = writer.add("Add", [step, writer.number(1.0)])
        moved = writer.add("Mul", [step, writer.weight(np.eye(count)[t])])
        share = writer.add("Div", [writer.add("Add", [share, moved]), divisor])
        squared = writer.add("Mul", [step, table[t, t]])
        twice = writer.add("Add", [squared, writer.add("Add", [own, own])])
        grown = writer.add("Add", [mean, writer.add("Mul", [step, twice])])
        mean = writer.add("Div", [writer.add("Div", [grown, divisor]), divisor])
        pulled = writer.add("Add", [pull, writer.add("Mul", [rows[t], step])])
        pull = writer.add("Div", [pulled, divisor])
    return share


def _sum(writer: Writer, each: list[str]) -> str:
    total = each[0]
    for one in each[1:]:
        total = writer.add("Add", [total, one])
    return total


def _probe(part: Part, random: np.random.Generator, rows: int) -> Probes:
    machine: Machine = part.parameters
    spread = machine.vectors.std(axis=0) + 1e-3
    chosen = machine.vectors[random.integers(0, len(machine.vectors), size=rows)]
    near = chosen + random.normal(size=chosen.shape) * spread * 0.5
    far = machine.vectors.mean(axis=0) + random.normal(size=chosen.shape) * spread * 3.0
    return Probes((near, far), machine.vectors[:128])


def _pair_sums(attributes: Attributes, rows: Rows) -> FloatArray:
    """``svm_predict_values``: row by row and pair by pair, as libsvm adds."""
    x = np.asarray(rows, dtype=np.float64)
    vectors = matrix(attributes.need("support_vectors_"), "support_vectors_")
    table = matrix(attributes.need("_dual_coef_"), "_dual_coef_")
    kernel, gamma = attributes.need("kernel"), float(attributes.need("_gamma"))
    constant = float(attributes.need("coef0"))
    values = np.empty((len(x), len(vectors)))
    for place, vector in enumerate(vectors):
        if kernel == "rbf":
            values[:, place] = np.exp(-gamma * np.sum((x - vector) ** 2, axis=1))
        else:
            values[:, place] = np.einsum("ij,j->i", x, vector)
    if kernel == "poly":
        values = (gamma * values + constant) ** attributes.need("degree")
    elif kernel == "sigmoid":
        values = np.tanh(gamma * values + constant)
    constants = np.asarray(attributes.need("_intercept_"), dtype=np.float64)
    if not attributes.has("classes_"):
        return np.asarray(values @ table.T + constants)
    counts = attributes.get("_n_support")
    counts = np.asarray(attributes.need("n_support_") if counts is None else counts)
    owner = np.repeat(np.arange(len(counts)), counts)
    out: list[FloatArray] = []
    for i in range(len(counts)):
        for j in range(i + 1, len(counts)):
            first, second = owner == i, owner == j
            total = values[:, first] @ table[j - 1, first] + values[:, second] @ table[i, second]
            out.append(total + constants[len(out)])
    return np.stack(out, axis=1)


def _value(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    del oracle
    sums = _pair_sums(attributes, rows)
    return (sums > 0.0).astype(np.float64) if answer == "label" else sums


def _classified(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    del oracle
    sums = _pair_sums(attributes, rows)
    classes = len(attributes.need("classes_"))
    if answer == "probability":
        return np.stack([_coupled(attributes, row, classes) for row in sums])
    each = attributes.need("decision_function_shape") == "ovr" and classes > 2
    if answer == "decision" or (each and attributes.get("break_ties")):
        decision = -sums if classes == 2 else _each_class(sums, classes) if each else sums
        if answer == "decision":
            return decision
        return np.asarray(decision.argmax(axis=1).astype(np.float64)[:, None])
    votes = np.zeros((len(sums), classes))
    pair = 0
    for i in range(classes):
        for j in range(i + 1, classes):
            wins = sums[:, pair] > 0.0
            votes[wins, i] += 1.0
            votes[~wins, j] += 1.0
            pair += 1
    return np.asarray(votes.argmax(axis=1).astype(np.float64)[:, None])


def _each_class(sums: FloatArray, classes: int) -> FloatArray:
    """``_ovr_decision_function``: votes, and confidences that never outweigh one."""
    votes, confidences = np.zeros((len(sums), classes)), np.zeros((len(sums), classes))
    pair = 0
    for i in range(classes):
        for j in range(i + 1, classes):
            confidence = -sums[:, pair]
            confidences[:, i] -= confidence
            confidences[:, j] += confidence
            second = sums[:, pair] < 0.0
            votes[~second, i] += 1.0
            votes[second, j] += 1.0
            pair += 1
    return votes + confidences / (3.0 * (np.abs(confidences) + 1.0))


def _coupled(attributes: Attributes, sums: FloatArray, classes: int) -> FloatArray:
    """``svm_predict_probability`` of one row."""
    slopes, offsets = attributes.get("_probA"), attributes.get("_probB")
    if slopes is None:
        slopes, offsets = attributes.need("probA_"), attributes.need("probB_")
    r = np.zeros((classes, classes))
    pair = 0
    for i in range(classes):
        for j in range(i + 1, classes):
            given = sums[pair] * slopes[pair] + offsets[pair]
            small = np.exp(-abs(given))
            share = (small if given >= 0.0 else 1.0) / (1.0 + small)
            r[i, j] = min(max(share, 1e-7), 1.0 - 1e-7)
            r[j, i] = 1.0 - r[i, j]
            pair += 1
    q = np.array([[-r[j, t] * r[t, j] for j in range(classes)] for t in range(classes)])
    for t in range(classes):
        q[t, t] = sum(r[j, t] ** 2 for j in range(classes) if j != t)
    p = np.full(classes, 1.0 / classes)
    for _ in range(max(100, classes)):
        qp = q @ p
        whole = p @ qp
        if np.abs(qp - whole).max() < 0.005 / classes:
            break
        for t in range(classes):
            step = (whole - qp[t]) / q[t, t]
            p[t] += step
            whole = (whole + step * (step * q[t, t] + 2.0 * qp[t])) / (1.0 + step) / (1.0 + step)
            qp = (qp + step * q[t]) / (1.0 + step)
            p = p / (1.0 + step)
    return p


_MODULES = ("sklearn.svm._classes", "sklearn.svm.classes")
_USED = "support_vectors_ _dual_coef_ _intercept_ kernel _gamma coef0 degree"
# What the names without an underscore hold is the same with other signs.
_TRAINED = known(
    """
    C cache_size class_weight class_weight_ dual_coef_ epsilon fit_status_ gamma intercept_ max_iter
    n_iter_ _num_iter nu random_state shape_fit_ shrinking support_ tol verbose _sparse _impl
    """
)
_VALUES = known("_n_support n_support_ probability _probA _probB probA_ probB_")
_PAIRED = (
    f"{_USED} classes_ _n_support n_support_ probability _effective_probability _probA _probB"
    " probA_ probB_ decision_function_shape break_ties"
)

FAMILIES = (
    *(
        Family(
            name=name,
            modules=_MODULES,
            library="scikit-learn",
            releases=((0, 20), (1, 9)),
            used=known(_PAIRED),
            harmless=_TRAINED,
            read=_read_classes,
            graph=_graph,
            oracle=_classified,
            probe=_probe,
        )
        for name in ("SVC", "NuSVC")
    ),
    *(
        Family(
            name=name,
            modules=_MODULES,
            library="scikit-learn",
            releases=((0, 20), (1, 9)),
            used=known(_USED),
            harmless={**_TRAINED, **_VALUES, **known("offset_ _effective_probability")},
            read=_read_values,
            graph=_graph,
            oracle=_value,
            probe=_probe,
        )
        for name in ("SVR", "NuSVR", "OneClassSVM")
    ),
)
