"""scikit-learn's calibrations: curves on what models say, and their mean over the folds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from aegismatrix_factory.rescue.converting.attributes import Attributes, known
from aegismatrix_factory.rescue.converting.errors import (
    InconsistentModelError,
    UnsupportedModelError,
)
from aegismatrix_factory.rescue.converting.families.isotonic import Line, drawn, followed, isotonic
from aegismatrix_factory.rescue.converting.family import (
    Answer,
    Family,
    Model,
    Oracle,
    Part,
    Reader,
    Rows,
)
from aegismatrix_factory.rescue.converting.formulas import expit
from aegismatrix_factory.rescue.converting.members import (
    NO_DECISION,
    Seat,
    ask,
    decides,
    listed,
    probe_members,
    together,
)
from aegismatrix_factory.rescue.converting.parameters import FloatArray
from aegismatrix_factory.rescue.converting.writing import Table, Writer, computed
from aegismatrix_factory.rescue.reading.records import Record


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

    @property
    def seats(self) -> tuple[Seat, ...]:
        """The members alone."""
        return tuple(seat for seat, _ in self.folds)


def _read(attributes: Attributes, reader: Reader) -> Model:
    classes = attributes.labels("classes_")
    if len(classes) < 2:
        raise UnsupportedModelError("its calibration has one class")
    folds, parts = [], []
    for one in listed(attributes, "calibrated_classifiers_"):
        if not isinstance(one, Record) or one.name != "_CalibratedClassifier":
            raise InconsistentModelError("a fold of a calibration is none")
        inside = Attributes(one, _FOLD)
        # A kind of curve that is not known numbers the classes in its own way.
        curves = tuple(_curve(curve, reader) for curve in _curves(inside))
        part = reader.part(_inner(inside))
        if part.model.classes != classes:
            raise UnsupportedModelError("a fold of its calibration knows other classes")
        asked: Answer = "decision" if decides(part, attributes.name) else "probability"
        if len(curves) != (1 if len(classes) == 2 else len(classes)):
            raise UnsupportedModelError("a fold of its calibration has another number of curves")
        columns = len(classes) if asked == "probability" or len(classes) > 2 else 1
        ask(part, asked, columns, attributes.name)
        folds.append((Seat(part, asked), curves))
        parts.append(part)
    model = Calibrated(tuple(folds), len(classes))
    answers: dict[Answer, int | None] = {"probability": len(classes), "label": 1}
    return together(attributes, model, parts, answers, classes)


def _inner(inside: Attributes) -> Any:
    for key in ("estimator", "base_estimator"):
        if isinstance(inside.get(key), Record):
            return inside.get(key)
    raise InconsistentModelError("a fold of a calibration has no model")


def _curves(inside: Attributes) -> list[Any]:
    key = "calibrators" if inside.has("calibrators") else "calibrators_"
    return listed(inside, key)


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


def _graph(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
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


def _oracle(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
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


_WITHIN = {
    "Pipeline": "steps",
    "FrozenEstimator": "estimator",
    "GridSearchCV": "best_estimator_",
    "RandomizedSearchCV": "best_estimator_",
    "HalvingGridSearchCV": "best_estimator_",
    "HalvingRandomSearchCV": "best_estimator_",
    "BaggingClassifier": "estimators_",
    "OneVsRestClassifier": "estimators_",
    "StackingClassifier": "final_estimator_",
    "FixedThresholdClassifier": "estimator_",
    "TunedThresholdClassifierCV": "estimator_",
}


def _said(record: Record, rows: Rows, oracle: Oracle, count: int) -> FloatArray:
    """The decision where there is one, else the probabilities, of two classes the second's."""
    inner = record
    while inner.name in _WITHIN:
        inner = inner.state[_WITHIN[inner.name]]
        if isinstance(inner, list):
            inner = inner[-1][1] if isinstance(inner[-1], tuple) else inner[0]
    if inner.name in NO_DECISION:
        said = oracle.answer(record, "probability", rows)
        return said[:, 1:] if count == 2 else said
    return oracle.answer(record, "decision", rows)


def _followed(state: dict[str, Any], value: FloatArray) -> FloatArray:
    if "a_" in state:
        return expit(-(state["a_"] * value + state["b_"]))
    return followed(state, value)


_FOLD = known(
    """
    base_estimator estimator calibrators calibrators_ classes classes_ method label_encoder_
    """
)

FAMILIES = (
    Family(
        name="CalibratedClassifierCV",
        modules=("sklearn.calibration",),
        library="scikit-learn",
        releases=((0, 20), (1, 9)),
        used=known("calibrated_classifiers_ classes_"),
        harmless=known("base_estimator estimator cv ensemble method n_jobs"),
        read=_read,
        graph=_graph,
        oracle=_oracle,
        probe=probe_members,
        looks=False,
    ),
)
