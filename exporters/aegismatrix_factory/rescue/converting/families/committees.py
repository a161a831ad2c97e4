"""scikit-learn's models of models: votes, stacks, bags, calibrations and one model a class.

Members answer by their own families, each by its own release; what is written here is only how
their answers become one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

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
from aegismatrix_factory.rescue.converting.formulas import expit
from aegismatrix_factory.rescue.converting.parameters import FloatArray
from aegismatrix_factory.rescue.converting.writing import Table, Writer, computed
from aegismatrix_factory.rescue.reading.records import Record

_RELEASES = ((0, 20), (1, 9))
_NO_DECISION = frozenset(
    {
        *("RandomForestClassifier", "ExtraTreesClassifier", "DecisionTreeClassifier"),
        *("ExtraTreeClassifier", "GaussianNB", "MultinomialNB", "ComplementNB", "BernoulliNB"),
        *("KNeighborsClassifier", "MLPClassifier", "VotingClassifier", "XGBClassifier"),
    }
)
"""Classifiers of which a probability is asked, since their library gives them no decision."""


@dataclass(frozen=True, eq=False)
class Seat:
    """One member.

    Attributes
    ----------
    part : Part
    asked : Answer
        What it is asked for.
    places : tuple of int or None
        The columns that it takes; None for all.
    classes : tuple of int
        Which of the committee's classes each of its own is, where it has some.
    """

    part: Part
    asked: Answer
    places: tuple[int, ...] | None = None
    classes: tuple[int, ...] = ()

    def said(self, writer: Writer, x: Table) -> str:
        """Write what it answers."""
        table = x if self.places is None else writer.chosen(x, self.places)
        return self.part.graph(self.asked, writer, table).numbers()


@dataclass(frozen=True, eq=False)
class Committee:
    """Members, and what each one's word weighs."""

    seats: tuple[Seat, ...]
    weights: FloatArray
    outputs: int


@dataclass(frozen=True, eq=False)
class Stack:
    """A last model on what the members say.

    Attributes
    ----------
    seats : tuple of Seat
    dropped : tuple of bool
        Whether the first column of a member's answer is left out.
    passes : bool
        Whether the columns themselves follow.
    last : Part
    """

    seats: tuple[Seat, ...]
    dropped: tuple[bool, ...]
    passes: bool
    last: Part


def _listed(attributes: Attributes, key: str = "estimators_") -> list[Any]:
    given = attributes.need(key)
    if not isinstance(given, list | tuple) or not given:
        raise InconsistentModelError(f"{attributes.name} has no members")
    return list(given)


def _width(attributes: Attributes, parts: Sequence[Part]) -> int | None:
    widths = {part.n_features for part in parts if part.n_features is not None}
    if len(widths) > 1:
        raise InconsistentModelError(f"the members of a {attributes.name} take different columns")
    return widths.pop() if widths else None


def _together(
    attributes: Attributes,
    parameters: Any,
    parts: Sequence[Part],
    answers: dict[Answer, int | None],
    classes: tuple[str, ...] = (),
    width: int | None = None,
) -> Model:
    width = _width(attributes, parts) if width is None else width
    names = attributes.column_names(width) or next(
        (one.model.feature_names for one in parts if one.model.feature_names), ()
    )
    described = dict.fromkeys(part.described for part in parts)
    return Model(
        parameters=parameters,
        n_features=width,
        answers=answers,
        classes=classes,
        takes_missing=all(part.model.takes_missing for part in parts),
        described=f"{attributes.name} of {', '.join(described)}",
        feature_names=names if len(names) == (width or 0) else (),
        warnings=tuple(dict.fromkeys(one for part in parts for one in part.model.warnings)),
        tolerance=max(part.model.tolerance for part in parts),
    )


def _ask(part: Part, answer: Answer, columns: int | None, owner: str) -> None:
    if answer not in part.model.answers or part.model.answers[answer] != columns:
        raise UnsupportedModelError(
            f"the {part.described} in its {owner} cannot be asked for its {answer}"
        )


def _own_classes(part: Part, count: int, owner: str) -> tuple[int, ...]:
    """Which of the committee's classes, which it numbered, each of a member's own is."""
    found = []
    for label in part.model.classes:
        try:
            place = float(label)
        except ValueError as error:
            raise UnsupportedModelError(
                f"a member of its {owner} has classes of its own"
            ) from error
        if not place.is_integer() or not 0 <= place < count:
            raise UnsupportedModelError(f"a member of its {owner} has classes of its own")
        found.append(int(place))
    return tuple(found)


def _weights(attributes: Attributes, count: int) -> FloatArray:
    given = attributes.get("weights")
    if given is None:
        return np.ones(count)
    found = numbers(given, (count,), f"{attributes.name}.weights")
    if (found < 0.0).any() or found.sum() <= 0.0:
        raise UnsupportedModelError(f"its {attributes.name} has weights below 0")
    return found


# Votes.


def _read_vote(attributes: Attributes, reader: Reader) -> Model:
    parts = [reader.part(one) for one in _listed(attributes)]
    classes = attributes.labels("classes_")
    soft = attributes.text("voting") == "soft"
    given = attributes.get("weights")
    kept = attributes.get("estimators")
    if given is not None and isinstance(kept, list) and len(kept) != len(parts):
        raise UnsupportedModelError("its vote weighs members that were dropped")
    seats = []
    for part in parts:
        if _own_classes(part, len(classes), attributes.name) != tuple(range(len(classes))):
            raise UnsupportedModelError("a member of its vote knows other classes")
        asked: Answer = "probability" if soft else "label"
        _ask(part, asked, len(classes) if soft else 1, attributes.name)
        seats.append(Seat(part, asked))
    committee = Committee(tuple(seats), _weights(attributes, len(parts)), len(classes))
    answers: dict[Answer, int | None] = {"label": 1}
    if soft:
        answers = {"probability": len(classes), "label": 1}
    return _together(attributes, committee, parts, answers, classes)


def _read_mean(attributes: Attributes, reader: Reader) -> Model:
    parts = [reader.part(one) for one in _listed(attributes)]
    for part in parts:
        _ask(part, "value", 1, attributes.name)
    seats = tuple(Seat(part, "value") for part in parts)
    committee = Committee(seats, _weights(attributes, len(parts)), 1)
    return _together(attributes, committee, parts, {"value": 1})


def _graph_vote(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    committee: Committee = part.parameters
    total: str | None = None
    for seat, weight in zip(committee.seats, committee.weights, strict=True):
        said = seat.said(writer, x)
        if seat.asked == "label":
            places = writer.weight(np.arange(float(committee.outputs))[None])
            said = writer.doubled(writer.add("Equal", [said, places]))
        if weight != 1.0:
            said = writer.scaled(said, np.full(committee.outputs, weight))
        total = said if total is None else writer.add("Add", [total, said])
    assert total is not None
    if answer == "label":
        return computed(writer.largest(total), 1)
    whole = writer.number(float(committee.weights.sum()))
    return computed(writer.add("Div", [total, whole]), committee.outputs)


def _vote(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    members = attributes.need("estimators_")
    given = attributes.get("weights")
    weights = np.ones(len(members)) if given is None else np.asarray(given, dtype=np.float64)
    if attributes.name == "VotingRegressor":
        said = [oracle.answer(one, "value", rows) for one in members]
        return np.asarray(np.average(said, axis=0, weights=weights))
    if attributes.need("voting") == "soft":
        said = [oracle.answer(one, "probability", rows) for one in members]
        mean = np.asarray(np.average(said, axis=0, weights=weights))
        return mean.argmax(axis=1).astype(np.float64)[:, None] if answer == "label" else mean
    count = len(attributes.need("classes_"))
    votes = np.zeros((len(rows), count))
    for one, weight in zip(members, weights, strict=True):
        found = oracle.answer(one, "label", rows)[:, 0].astype(np.int64)
        votes[np.arange(len(rows)), found] += weight
    return np.asarray(votes.argmax(axis=1).astype(np.float64)[:, None])


# Stacks.


def _read_stack(attributes: Attributes, reader: Reader) -> Model:
    parts = [reader.part(one) for one in _listed(attributes)]
    methods = _listed(attributes, "stack_method_")
    if len(methods) != len(parts):
        raise UnsupportedModelError("its stack dropped some of its members")
    last = reader.part(attributes.need("final_estimator_"))
    classifies = attributes.name == "StackingClassifier"
    classes = attributes.labels("classes_") if classifies else ()
    seats, dropped = [], []
    for part, method in zip(parts, methods, strict=True):
        asked = _method(part, method, classifies)
        count = part.model.answers.get(asked)
        if count is None:
            raise UnsupportedModelError(f"a member of its stack cannot be asked for its {asked}")
        if classifies and _own_classes(part, len(classes), attributes.name) != tuple(
            range(len(classes))
        ):
            raise UnsupportedModelError("a member of its stack knows other classes")
        seats.append(Seat(part, asked))
        dropped.append(asked == "probability" and count == 2)
    stack = Stack(tuple(seats), tuple(dropped), attributes.flag("passthrough", False), last)
    if classifies and len(last.model.classes) != len(classes):
        raise UnsupportedModelError("the last model of its stack knows other classes")
    model = _together(attributes, stack, parts, dict(last.model.answers), classes)
    return replace(
        model,
        shown=last.shown,
        output_names=last.model.output_names,
        described=f"{model.described}, then {last.described}",
        takes_missing=model.takes_missing and (last.model.takes_missing or not stack.passes),
        tolerance=max(model.tolerance, last.model.tolerance),
    )


def _method(part: Part, method: object, classifies: bool) -> Answer:
    if method == "predict":
        return "label" if classifies else "value"
    if method == "predict_proba":
        return "probability"
    if method == "decision_function":
        return "decision"
    raise UnsupportedModelError(
        f"a member of its stack is asked in an unknown way: {part.described}"
    )


def _graph_stack(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    stack: Stack = part.parameters
    columns = []
    for seat, dropped in zip(stack.seats, stack.dropped, strict=True):
        said = seat.said(writer, x)
        count = seat.part.model.answers[seat.asked]
        if dropped:
            said = writer.add("Gather", [said, writer.axes(1)], axis=1)
        columns.append(computed(said, 1 if dropped else count))
    if stack.passes:
        columns.append(x)
    return stack.last.graph(answer, writer, writer.beside(columns))


def _stacked(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    blocks: list[Any] = []
    classifies = attributes.get("classes_") is not None
    members = attributes.need("estimators_")
    for member, method in zip(members, attributes.need("stack_method_"), strict=True):
        if method == "predict_proba":
            said = oracle.answer(member, "probability", rows)
            blocks.append(said[:, 1:] if said.shape[1] == 2 else said)
        elif method == "decision_function":
            blocks.append(oracle.answer(member, "decision", rows))
        else:
            blocks.append(oracle.answer(member, "label" if classifies else "value", rows))
    if attributes.get("passthrough"):
        blocks.append(rows)
    meta = np.concatenate(blocks, axis=1).astype(np.float64)
    behind = oracle.given(sparse=oracle.sparse and bool(attributes.get("passthrough")))
    return behind.answer(attributes.need("final_estimator_"), answer, meta)


# Bags.


def _read_bag(attributes: Attributes, reader: Reader) -> Model:
    members, chosen = _listed(attributes), _listed(attributes, "estimators_features_")
    if len(members) != len(chosen):
        raise InconsistentModelError(f"{attributes.name} has columns for other members")
    key = "n_features_in_" if attributes.has("n_features_in_") else "n_features_"
    width = attributes.count(key)
    classifies = attributes.name == "BaggingClassifier"
    classes = attributes.labels("classes_") if classifies else ()
    parts, seats = [], []
    for member, columns in zip(members, chosen, strict=True):
        part = reader.part(member)
        places = _columns(columns, width)
        if part.n_features not in (None, len(places)):
            raise InconsistentModelError(f"a member of a {attributes.name} takes other columns")
        own: tuple[int, ...] = ()
        asked: Answer = "value"
        if classifies:
            own = _own_classes(part, len(classes), attributes.name)
            asked = "probability"
        _ask(part, asked, len(own) if classifies else 1, attributes.name)
        parts.append(part)
        seats.append(Seat(part, asked, places, own))
    outputs = len(classes) if classifies else 1
    committee = Committee(tuple(seats), np.ones(len(seats)), outputs)
    answers: dict[Answer, int | None] = {"value": 1}
    if classifies:
        answers = {"probability": outputs, "label": 1}
    return _together(attributes, committee, parts, answers, classes, width)


def _columns(given: object, width: int) -> tuple[int, ...]:
    if not isinstance(given, np.ndarray) or given.ndim != 1 or not len(given):
        raise InconsistentModelError("a member of a bag has no columns")
    found = whole_numbers(given, given.shape, "estimators_features_")
    if (found < 0).any() or (found >= width).any():
        raise InconsistentModelError("a member of a bag has a column that is not there")
    return tuple(int(one) for one in found)


def _graph_bag(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    committee: Committee = part.parameters
    total: str | None = None
    for seat in committee.seats:
        said = seat.said(writer, x)
        if seat.classes and seat.classes != tuple(range(committee.outputs)):
            said = writer.add(
                "MatMul", [said, writer.weight(np.eye(committee.outputs)[list(seat.classes)])]
            )
        total = said if total is None else writer.add("Add", [total, said])
    assert total is not None
    mean = writer.add("Div", [total, writer.number(len(committee.seats))])
    return (
        computed(writer.largest(mean), 1)
        if answer == "label"
        else computed(mean, committee.outputs)
    )


def _bagged(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    members = attributes.need("estimators_")
    classes = attributes.get("classes_")
    total = np.zeros((len(rows), 1 if classes is None else len(classes)))
    for member, columns in zip(members, attributes.need("estimators_features_"), strict=True):
        if classes is None:
            total += oracle.answer(member, "value", rows[:, columns])
            continue
        said = oracle.answer(member, "probability", rows[:, columns])
        own = oracle.attributes(member).get("classes_")
        if said.shape[1] == total.shape[1]:
            total += said
        else:
            total[:, np.asarray(own, dtype=np.int64)] += said
    total /= len(members)
    return total.argmax(axis=1).astype(np.float64)[:, None] if answer == "label" else total


# Calibrations.


@dataclass(frozen=True, eq=False)
class Line:
    """Straight lines between points, the ends held: ndarrays of shape (points,)."""

    x: FloatArray
    y: FloatArray


@dataclass(frozen=True, eq=False)
class Curve:
    """``1 / (1 + exp(slope * x + offset))``."""

    slope: float
    offset: float


@dataclass(frozen=True, eq=False)
class Calibrated:
    """Members with one curve a class, or one for two classes."""

    folds: tuple[tuple[Seat, tuple[Line | Curve, ...]], ...]
    outputs: int


def _read_calibrated(attributes: Attributes, reader: Reader) -> Model:
    classes = attributes.labels("classes_")
    if len(classes) < 2:
        raise UnsupportedModelError("its calibration has one class")
    folds, parts = [], []
    for one in _listed(attributes, "calibrated_classifiers_"):
        if not isinstance(one, Record) or one.name != "_CalibratedClassifier":
            raise InconsistentModelError("a fold of a calibration is none")
        inside = Attributes(one, _FOLD)
        part = reader.part(_inner(inside))
        if part.model.classes != classes:
            raise UnsupportedModelError("a fold of its calibration knows other classes")
        asked: Answer = "decision" if _decides(part) else "probability"
        curves = tuple(_curve(curve, reader) for curve in _curves(inside))
        if len(curves) != (1 if len(classes) == 2 else len(classes)):
            raise UnsupportedModelError("a fold of its calibration has another number of curves")
        columns = len(classes) if asked == "probability" or len(classes) > 2 else 1
        _ask(part, asked, columns, attributes.name)
        folds.append((Seat(part, asked), curves))
        parts.append(part)
    model = Calibrated(tuple(folds), len(classes))
    answers: dict[Answer, int | None] = {"probability": len(classes), "label": 1}
    return _together(attributes, model, parts, answers, classes)


def _inner(inside: Attributes) -> Any:
    for key in ("estimator", "base_estimator"):
        if isinstance(inside.get(key), Record):
            return inside.get(key)
    raise InconsistentModelError("a fold of a calibration has no model")


def _curves(inside: Attributes) -> list[Any]:
    key = "calibrators" if inside.has("calibrators") else "calibrators_"
    return _listed(inside, key)


def _decides(part: Part) -> bool:
    """Whether its library has a decision of it, which is what a calibration asks for first."""
    if "decision" in part.model.answers:
        return True
    inner = part
    while inner.family.name in (
        "Pipeline",
        "GridSearchCV",
        "RandomizedSearchCV",
        "FrozenEstimator",
    ):
        inner = inner.parameters.steps[-1] if inner.family.name == "Pipeline" else inner.parameters
    if inner.family.name not in _NO_DECISION:
        raise UnsupportedModelError(
            f"the decision of the {part.described} in its calibration is not converted"
        )
    return False


def _curve(given: object, reader: Reader) -> Line | Curve:
    if not isinstance(given, Record):
        raise InconsistentModelError("a curve of a calibration is none")
    if given.name == "_SigmoidCalibration":
        inside = Attributes(given, known("a_ b_ _sklearn_version"))
        return Curve(inside.one("a_"), inside.one("b_"))
    if given.name != "IsotonicRegression":
        raise UnsupportedModelError(f"its calibration has a curve of the kind {given.name}")
    attributes = reader.known(given)[1]
    if attributes.text("out_of_bounds") != "clip":
        raise InconsistentModelError("a curve of a calibration does not hold its ends")
    return isotonic(attributes)


def isotonic(attributes: Attributes) -> Line:
    """Read the points of an isotonic regression, under the names of its release.

    Parameters
    ----------
    attributes : Attributes
        Of an IsotonicRegression.

    Returns
    -------
    Line

    Raises
    ------
    InconsistentModelError
        If the points are not in order.
    """
    old = not attributes.has("X_thresholds_")
    x = attributes.line("_necessary_X_" if old else "X_thresholds_")
    y = attributes.numbers("_necessary_y_" if old else "y_thresholds_", (len(x),))
    if (np.diff(x) <= 0.0).any():
        raise InconsistentModelError("the points of an IsotonicRegression are not in order")
    return Line(x, y)


def drawn(writer: Writer, value: str, line: Line) -> str:
    """Write where lines between points are at a column, the ends held.

    Parameters
    ----------
    writer : Writer
    value : str
        Float64 (N, 1).
    line : Line

    Returns
    -------
    str
        Float64 (N, 1).
    """
    if len(line.x) == 1:
        none = writer.add("Equal", [value, value])
        return writer.add("Where", [none, writer.number(line.y[0]), writer.nan()])
    bounds = [writer.weight(np.array(one)) for one in (line.x[0], line.x[-1])]
    held = writer.add("Clip", [value, *bounds])
    inner = line.x[1:-1]
    if len(inner):
        over = writer.doubled(writer.add("Greater", [held, writer.weight(inner[None])]))
        place = writer.add("ReduceSum", [over, writer.axes(1)], keepdims=1)
    else:
        place = writer.add(
            "Mul", [writer.doubled(writer.add("Equal", [held, held])), writer.number(0.0)]
        )
    place = writer.add("Cast", [place], to=7)
    slopes = np.diff(line.y) / np.diff(line.x)
    start = writer.add("Gather", [writer.weight(line.x[:-1]), place])
    height = writer.add("Gather", [writer.weight(line.y[:-1]), place])
    slope = writer.add("Gather", [writer.weight(slopes), place])
    risen = writer.add("Mul", [slope, writer.add("Sub", [held, start])])
    return writer.add("Add", [risen, height])


def _graph_calibrated(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    model: Calibrated = part.parameters
    total: str | None = None
    for seat, curves in model.folds:
        said = seat.said(writer, x)
        each = []
        for place, curve in enumerate(curves):
            column = said
            if model.outputs > 2 or seat.asked == "probability":
                own = place if model.outputs > 2 else 1
                column = writer.add("Gather", [said, writer.axes(own)], axis=1)
            each.append(_curved(writer, column, curve))
        if model.outputs == 2:
            share = writer.both(each[0])
        else:
            share = writer.shares(writer.add("Concat", each, axis=1), model.outputs)
        total = share if total is None else writer.add("Add", [total, share])
    assert total is not None
    mean = writer.add("Div", [total, writer.number(len(model.folds))])
    return computed(writer.largest(mean), 1) if answer == "label" else computed(mean, model.outputs)


def _curved(writer: Writer, column: str, curve: Line | Curve) -> str:
    if isinstance(curve, Line):
        return drawn(writer, column, curve)
    risen = writer.add("Mul", [column, writer.number(-curve.slope)])
    return writer.sigmoid(writer.add("Sub", [risen, writer.number(curve.offset)]))


def _calibrated(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    """The mean over the folds of curves on what each fold's model says."""
    count = len(attributes.need("classes_"))
    total = np.zeros((len(rows), count))
    folds = attributes.need("calibrated_classifiers_")
    for fold in folds:
        state = fold.state
        inner = state.get("estimator")
        inner = inner if isinstance(inner, Record) else state["base_estimator"]
        said = _said(inner, rows, oracle, count)
        curves = state.get("calibrators", state.get("calibrators_"))
        shares = np.zeros((len(rows), count))
        for place, curve in enumerate(curves):
            shares[:, place + (count == 2)] = _followed(curve.state, said[:, place])
        if count == 2:
            shares[:, 0] = 1.0 - shares[:, 1]
        else:
            whole = shares.sum(axis=1)
            shares[whole == 0.0] = 1.0 / count
            shares[whole != 0.0] /= whole[whole != 0.0, None]
        total += shares
    total /= len(folds)
    return total.argmax(axis=1).astype(np.float64)[:, None] if answer == "label" else total


def _said(record: Record, rows: Rows, oracle: Oracle, count: int) -> FloatArray:
    """The decision where there is one, else the probabilities, of two classes the second's."""
    inner = record
    while inner.name in ("Pipeline", "GridSearchCV", "RandomizedSearchCV", "FrozenEstimator"):
        key = {"Pipeline": "steps", "FrozenEstimator": "estimator"}.get(inner.name)
        inner = inner.state["best_estimator_" if key is None else key]
        inner = inner[-1][1] if isinstance(inner, list) else inner
    if inner.name in _NO_DECISION:
        said = oracle.answer(record, "probability", rows)
        return said[:, 1:] if count == 2 else said
    return oracle.answer(record, "decision", rows)


def _followed(state: dict[str, Any], value: FloatArray) -> FloatArray:
    if "a_" in state:
        return expit(-(state["a_"] * value + state["b_"]))
    x = state.get("X_thresholds_", state.get("_necessary_X_"))
    y = state.get("y_thresholds_", state.get("_necessary_y_"))
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if len(x) == 1:
        return np.full(len(value), float(y[0]))
    return np.asarray(np.interp(value, x, y), dtype=np.float64)


# An isotonic regression by itself.


@dataclass(frozen=True, eq=False)
class Isotonic:
    """A line; whether its ends are held, or nothing is said beyond them."""

    line: Line
    held: bool


def _read_isotonic(attributes: Attributes, reader: Reader) -> Model:
    del reader
    held = attributes.text("out_of_bounds") == "clip"
    return Model(
        parameters=Isotonic(isotonic(attributes), held),
        n_features=1,
        answers={"value": 1, "transformed": 1},
    )


def _graph_isotonic(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    del answer
    given: Isotonic = part.parameters
    value = x.numbers()
    said = drawn(writer, value, given.line)
    if not given.held:
        above = writer.add("GreaterOrEqual", [value, writer.number(given.line.x[0])])
        below = writer.add("LessOrEqual", [value, writer.number(given.line.x[-1])])
        said = writer.add("Where", [writer.add("And", [above, below]), said, writer.nan()])
    return computed(said, 1)


def _probe_isotonic(part: Part, random: np.random.Generator, rows: int) -> Probes:
    given: Isotonic = part.parameters
    low, high = given.line.x[0], given.line.x[-1]
    room = (high - low or 1.0) * (0.2 if given.held else 0.0)
    drawn_rows = random.uniform(low - room, high + room, size=(rows, 1))
    return Probes((drawn_rows,), given.line.x[:256, None])


def _isotonic(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    del answer, oracle
    value = np.asarray(rows, dtype=np.float64)[:, 0]
    said = _followed({key: attributes.get(key) for key in _points(attributes)}, value)
    if attributes.need("out_of_bounds") != "clip":
        x = attributes.get("X_thresholds_")
        x = attributes.need("_necessary_X_") if x is None else x
        said[(value < x[0]) | (value > x[-1])] = np.nan
    return said[:, None]


def _points(attributes: Attributes) -> tuple[str, str]:
    if attributes.has("X_thresholds_"):
        return "X_thresholds_", "y_thresholds_"
    return "_necessary_X_", "_necessary_y_"


# What passes on what it is asked.


def _read_frozen(attributes: Attributes, reader: Reader) -> Model:
    inner = reader.part(attributes.need("estimator"))
    return replace(inner.model, parameters=inner, described=f"FrozenEstimator of {inner.described}")


def _graph_frozen(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    inner: Part = part.parameters
    return inner.graph(answer, writer, x)


def _probe_frozen(part: Part, random: np.random.Generator, rows: int) -> Probes:
    inner: Part = part.parameters
    return inner.probes(random, rows)


def _frozen(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    return oracle.answer(attributes.need("estimator"), answer, rows)


# Several questions.


def _read_several(attributes: Attributes, reader: Reader) -> Model:
    parts = [reader.part(one) for one in _listed(attributes)]
    for part in parts:
        _ask(part, "value", 1, attributes.name)
    seats = tuple(Seat(part, "value") for part in parts)
    committee = Committee(seats, np.ones(len(parts)), len(parts))
    return _together(attributes, committee, parts, {"value": len(parts)})


def _graph_several(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    del answer
    committee: Committee = part.parameters
    said = [seat.said(writer, x) for seat in committee.seats]
    joined = writer.joined(said)
    return computed(joined, committee.outputs)


def _several(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    return np.concatenate(
        [oracle.answer(one, answer, rows) for one in attributes.need("estimators_")], axis=1
    )


def _probe(part: Part, random: np.random.Generator, rows: int) -> Probes:
    """The rows of every member, as many in all as of one."""
    given = part.parameters
    seats = [seat for seat, _ in given.folds] if isinstance(given, Calibrated) else given.seats
    width = part.n_features or 3
    few = max(8, rows // len(seats))
    drawn_rows: list[FloatArray] = []
    edges: list[FloatArray] = []
    for seat in seats[:16]:
        probes = seat.part.probes(random, few)
        places = list(range(width)) if seat.places is None else list(seat.places)
        for batch in probes.random:
            spread = random.normal(size=(len(batch), width))
            spread[:, places] = batch
            drawn_rows.append(spread)
        if probes.boundary is not None:
            spread = random.normal(size=(min(len(probes.boundary), 4 * few), width))
            spread[:, places] = probes.boundary[: len(spread)]
            edges.append(spread)
    return Probes((np.concatenate(drawn_rows),), np.concatenate(edges) if edges else None)


_FOLD = known(
    """
    base_estimator estimator calibrators calibrators_ classes classes_ method label_encoder_
    """
)
_BAG = known(
    """
    base_estimator base_estimator_ estimator estimator_ _estimator estimator_params bootstrap
    bootstrap_features max_features _max_features max_samples _max_samples n_estimators n_jobs
    oob_score oob_score_ oob_decision_function_ oob_prediction_ random_state verbose warm_start
    _n_samples _seeds _sample_weight n_classes_
    """
)


def _family(name: str, modules: tuple[str, ...], used: str, harmless: Any, **how: Any) -> Family:
    return Family(
        name=name,
        modules=modules,
        library="scikit-learn",
        releases=_RELEASES,
        used=known(used),
        harmless=harmless,
        **{"probe": _probe, **how},
    )


_VOTES = (
    "sklearn.ensemble._voting",
    "sklearn.ensemble.voting",
    "sklearn.ensemble.voting_classifier",
)
_STACKS = ("sklearn.ensemble._stacking",)
_BAGS = ("sklearn.ensemble._bagging", "sklearn.ensemble.bagging")
_STACK = known(
    """
    cv estimators final_estimator n_jobs named_estimators_ stack_method verbose _n_feature_outs
    _label_encoder _le
    """
)

FAMILIES = (
    _family(
        "VotingClassifier",
        _VOTES,
        "estimators_ classes_ voting weights estimators",
        known("flatten_transform le_ n_jobs named_estimators_ verbose"),
        read=_read_vote,
        graph=_graph_vote,
        oracle=_vote,
    ),
    _family(
        "VotingRegressor",
        _VOTES,
        "estimators_ weights",
        known("estimators n_jobs named_estimators_ verbose"),
        read=_read_mean,
        graph=_graph_vote,
        oracle=_vote,
    ),
    _family(
        "StackingClassifier",
        _STACKS,
        "estimators_ stack_method_ final_estimator_ passthrough classes_",
        _STACK,
        read=_read_stack,
        graph=_graph_stack,
        oracle=_stacked,
    ),
    _family(
        "StackingRegressor",
        _STACKS,
        "estimators_ stack_method_ final_estimator_ passthrough",
        _STACK,
        read=_read_stack,
        graph=_graph_stack,
        oracle=_stacked,
    ),
    _family(
        "BaggingClassifier",
        _BAGS,
        "estimators_ estimators_features_ n_features_ classes_",
        _BAG,
        read=_read_bag,
        graph=_graph_bag,
        oracle=_bagged,
    ),
    _family(
        "BaggingRegressor",
        _BAGS,
        "estimators_ estimators_features_ n_features_",
        _BAG,
        read=_read_bag,
        graph=_graph_bag,
        oracle=_bagged,
    ),
    _family(
        "CalibratedClassifierCV",
        ("sklearn.calibration",),
        "calibrated_classifiers_ classes_",
        known("base_estimator estimator cv ensemble method n_jobs"),
        read=_read_calibrated,
        graph=_graph_calibrated,
        oracle=_calibrated,
    ),
    _family(
        "IsotonicRegression",
        ("sklearn.isotonic",),
        "X_thresholds_ y_thresholds_ _necessary_X_ _necessary_y_ out_of_bounds",
        known("X_max_ X_min_ _X_ _y_ increasing increasing_ y_max y_min f_"),
        read=_read_isotonic,
        graph=_graph_isotonic,
        oracle=_isotonic,
        probe=_probe_isotonic,
    ),
    _family(
        "FrozenEstimator",
        ("sklearn.frozen._frozen",),
        "estimator",
        {},
        read=_read_frozen,
        graph=_graph_frozen,
        oracle=_frozen,
        sparse=None,
        probe=_probe_frozen,
    ),
    _family(
        "MultiOutputRegressor",
        ("sklearn.multioutput",),
        "estimators_",
        known("estimator n_jobs"),
        read=_read_several,
        graph=_graph_several,
        oracle=_several,
    ),
)
