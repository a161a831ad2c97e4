"""scikit-learn's dummies, which say the same of every row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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
    Reader,
    Rows,
)
from aegismatrix_factory.rescue.converting.parameters import FloatArray
from aegismatrix_factory.rescue.converting.writing import Table, Writer, computed

_RELEASES = ((0, 20), (1, 9))


@dataclass(frozen=True, eq=False)
class Always:
    """What is said of every row.

    Attributes
    ----------
    said : ndarray of shape (columns,)
    label : int
        The place of the class.
    """

    said: FloatArray
    label: int = 0


def _width(attributes: Attributes) -> int | None:
    return attributes.count("n_features_in_") if attributes.get("n_features_in_") else None


def _read_classes(attributes: Attributes, reader: Reader) -> Model:
    del reader
    if attributes.get("n_outputs_", 1) != 1:
        raise UnsupportedModelError("its DummyClassifier answers several questions at once")
    classes = attributes.labels("classes_")
    prior = attributes.numbers("class_prior_", (len(classes),))
    strategy = attributes.text("strategy")
    if strategy == "stratified":
        raise UnsupportedModelError("its DummyClassifier answers by chance")
    place = int(prior.argmax())
    if strategy == "constant":
        given = str(_single(attributes.need("constant")))
        if given not in classes:
            raise InconsistentModelError("DummyClassifier.constant is none of its classes")
        place = classes.index(given)
    if strategy in ("most_frequent", "constant"):
        said = np.eye(len(classes))[place]
    elif strategy == "uniform":
        said = np.full(len(classes), 1.0 / len(classes))
    elif strategy == "prior":
        said = prior
    else:
        raise UnsupportedModelError("its DummyClassifier answers in an unknown way")
    answers: dict[Answer, int | None] = {"probability": len(classes)}
    if strategy != "uniform":
        # Its class would be one by chance.
        answers["label"] = 1
    width = _width(attributes)
    return Model(
        parameters=Always(said, place),
        n_features=width,
        answers=answers,
        classes=classes,
        takes_missing=True,
        feature_names=attributes.column_names(width),
    )


def _single(given: object) -> object:
    found = np.asarray(given, dtype=object).reshape(-1)
    if len(found) != 1:
        raise UnsupportedModelError("its dummy has several constants")
    return found.tolist()[0]


def _read_value(attributes: Attributes, reader: Reader) -> Model:
    del reader
    given = attributes.need("constant_")
    if not isinstance(given, np.ndarray) or not given.size or given.ndim > 2:
        raise InconsistentModelError("DummyRegressor.constant_ is no number")
    said = attributes.numbers("constant_", given.shape).reshape(-1)
    width = _width(attributes)
    return Model(
        parameters=Always(said),
        n_features=width,
        answers={"value": len(said)},
        takes_missing=True,
        feature_names=attributes.column_names(width),
    )


def _graph(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    always: Always = part.parameters
    # One number for each row, whatever stands there.
    first = writer.add("Gather", [x.tensor, writer.axes(0)], axis=1)
    same = writer.doubled(writer.add("Equal", [first, first]))
    none = writer.add("Mul", [same, writer.number(0.0)])
    if answer == "label":
        return computed(writer.add("Add", [none, writer.number(always.label)]), 1)
    said = writer.add("Add", [none, writer.weight(always.said[None])])
    return computed(said, len(always.said))


def _classes(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    del oracle
    classes = list(attributes.need("classes_"))
    prior = np.asarray(attributes.need("class_prior_"), dtype=np.float64)
    strategy = attributes.need("strategy")
    place = classes.index(_single(attributes.need("constant"))) if strategy == "constant" else None
    place = int(np.argmax(prior)) if place is None else place
    if answer == "label":
        return np.full((len(rows), 1), float(place))
    if strategy == "prior":
        return np.repeat(prior[None], len(rows), axis=0)
    out = np.zeros((len(rows), len(classes)))
    if strategy == "uniform":
        out += 1.0 / len(classes)
    else:
        out[:, place] = 1.0
    return out


def _value(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    del answer, oracle
    return np.repeat(np.reshape(attributes.need("constant_"), (1, -1)), len(rows), axis=0) * 1.0


FAMILIES = (
    Family(
        name="DummyClassifier",
        modules=("sklearn.dummy",),
        library="scikit-learn",
        releases=_RELEASES,
        used=known("strategy classes_ class_prior_ n_outputs_ constant"),
        harmless=known("n_classes_ random_state sparse_output_ output_2d_ outputs_2d_ _strategy"),
        read=_read_classes,
        graph=_graph,
        oracle=_classes,
        looks=False,
    ),
    Family(
        name="DummyRegressor",
        modules=("sklearn.dummy",),
        library="scikit-learn",
        releases=_RELEASES,
        used=known("constant_"),
        harmless=known("strategy constant quantile n_outputs_ output_2d_ outputs_2d_"),
        read=_read_value,
        graph=_graph,
        oracle=_value,
        looks=False,
    ),
)
