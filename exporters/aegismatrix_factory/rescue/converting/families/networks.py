"""scikit-learn's small networks: layer after layer of weighted sums."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aegismatrix_factory.rescue.converting.attributes import Attributes, known, numbers
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
from aegismatrix_factory.rescue.converting.formulas import both, expit, softmax
from aegismatrix_factory.rescue.converting.parameters import FloatArray
from aegismatrix_factory.rescue.converting.writing import Table, Writer, computed
from aegismatrix_factory.rescue.reading.records import Record

_BETWEEN = ("identity", "logistic", "tanh", "relu")
_LAST = ("identity", "logistic", "softmax")


@dataclass(frozen=True, eq=False)
class Layers:
    """Layers of weighted sums.

    Attributes
    ----------
    weights : tuple of (ndarray of shape (inputs, outputs), ndarray of shape (outputs,))
    between, last : str
        What sums become within, and at the end.
    """

    weights: tuple[tuple[FloatArray, FloatArray], ...]
    between: str
    last: str


def _layers(attributes: Attributes) -> Layers:
    name = attributes.name
    coefficients, intercepts = attributes.need("coefs_"), attributes.need("intercepts_")
    if (
        not isinstance(coefficients, list)
        or not isinstance(intercepts, list)
        or not coefficients
        or len(coefficients) != len(intercepts)
    ):
        raise InconsistentModelError(f"{name} has no layers")
    found: list[tuple[FloatArray, FloatArray]] = []
    for weight, constant in zip(coefficients, intercepts, strict=True):
        if not isinstance(weight, np.ndarray) or weight.ndim != 2 or not weight.size:
            raise InconsistentModelError(f"{name}.coefs_ has a layer that is no matrix")
        if found and len(found[-1][1]) != weight.shape[0]:
            raise InconsistentModelError(f"the layers of a {name} do not fit one another")
        found.append(
            (
                numbers(weight, weight.shape, f"{name}.coefs_"),
                numbers(constant, (weight.shape[1],), f"{name}.intercepts_"),
            )
        )
    between, last = attributes.text("activation"), attributes.text("out_activation_")
    if between not in _BETWEEN or last not in _LAST:
        raise InconsistentModelError(f"{name} has an unknown activation")
    return Layers(tuple(found), between, last)


def _read_values(attributes: Attributes, reader: Reader) -> Model:
    del reader
    layers = _layers(attributes)
    if layers.last != "identity":
        raise UnsupportedModelError("its MLPRegressor ends in no identity")
    width = attributes.width(len(layers.weights[0][0]))
    return Model(
        parameters=layers,
        n_features=width,
        answers={"value": len(layers.weights[-1][1])},
        feature_names=attributes.column_names(width),
    )


def _read_classes(attributes: Attributes, reader: Reader) -> Model:
    layers = _layers(attributes)
    binarizer = attributes.need("_label_binarizer")
    if not isinstance(binarizer, Record) or binarizer.name != "LabelBinarizer":
        raise InconsistentModelError("MLPClassifier._label_binarizer is none")
    kind = reader.known(binarizer)[1].text("y_type_")
    if kind not in ("binary", "multiclass", "multilabel-indicator"):
        raise UnsupportedModelError("its MLPClassifier was fitted on an unknown kind of label")
    classes = attributes.labels("classes_")
    outputs = len(layers.weights[-1][1])
    width = attributes.width(len(layers.weights[0][0]))
    if kind == "multilabel-indicator":
        return _marks(attributes, layers, classes, width)
    if (outputs, layers.last) != (
        (1, "logistic") if len(classes) == 2 else (len(classes), "softmax")
    ):
        raise InconsistentModelError("MLPClassifier contradicts itself about its classes")
    return Model(
        parameters=layers,
        n_features=width,
        answers={"probability": len(classes), "label": 1},
        classes=classes,
        feature_names=attributes.column_names(width),
    )


def _marks(attributes: Attributes, layers: Layers, classes: tuple[str, ...], width: int) -> Model:
    """A network that says of each of several marks whether a row has it."""
    count = len(classes)
    if (len(layers.weights[-1][1]), layers.last) != (count, "logistic"):
        raise InconsistentModelError("MLPClassifier contradicts itself about its classes")
    return Model(
        parameters=layers,
        n_features=width,
        answers={"probability": count, "label": count},
        shown=("probability", "label"),
        classes=classes,
        questions=(("0", "1"),) * count,
        feature_names=attributes.column_names(width),
    )


def _graph(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    layers: Layers = part.parameters
    value = x.numbers()
    for place, (weight, constant) in enumerate(layers.weights):
        value = writer.affine(value, weight.T, constant)
        last = place == len(layers.weights) - 1
        value = _activated(writer, layers.last if last else layers.between, value)
    count = len(layers.weights[-1][1])
    if part.model.questions:
        return computed(writer.above(value, 0.5) if answer == "label" else value, count)
    if layers.last == "logistic":
        if answer == "label":
            return computed(writer.above(value, 0.5), 1)
        return computed(writer.both(value), 2)
    if answer == "label":
        return computed(writer.largest(value), 1)
    return computed(value, count)


def _activated(writer: Writer, kind: str, value: str) -> str:
    if kind == "identity":
        return value
    if kind == "logistic":
        return writer.sigmoid(value)
    if kind == "softmax":
        return writer.add("Softmax", [value], axis=1)
    return writer.add({"tanh": "Tanh", "relu": "Relu"}[kind], [value])


def _oracle(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    value = np.asarray(rows, dtype=np.float64)
    coefficients, intercepts = attributes.need("coefs_"), attributes.need("intercepts_")
    for place, (weight, constant) in enumerate(zip(coefficients, intercepts, strict=True)):
        value = value @ np.asarray(weight, dtype=np.float64) + constant
        if place < len(coefficients) - 1:
            kind = attributes.need("activation")
            if kind == "relu":
                value = np.maximum(value, 0.0)
            elif kind == "tanh":
                value = np.tanh(value)
            elif kind == "logistic":
                value = expit(value)
    kind = attributes.need("out_activation_")
    if kind == "logistic" and _has_marks(attributes, oracle):
        value = expit(value)
        return (value > 0.5).astype(np.float64) if answer == "label" else value
    if kind == "logistic":
        value = both(expit(value))
        if answer == "label":
            return (value[:, 1:] > 0.5).astype(np.float64)
    elif kind == "softmax":
        value = softmax(value)
    return value.argmax(axis=1).astype(np.float64)[:, None] if answer == "label" else value


def _has_marks(attributes: Attributes, oracle: Oracle) -> bool:
    kind = oracle.attributes(attributes.need("_label_binarizer")).need("y_type_")
    return bool(kind == "multilabel-indicator")


_TRAINED = known(
    """
    alpha batch_size beta_1 beta_2 early_stopping epsilon hidden_layer_sizes learning_rate
    learning_rate_init loss loss_ loss_curve_ max_fun max_iter momentum n_iter_ n_iter_no_change
    n_layers_ n_outputs_ nesterovs_momentum power_t random_state shuffle solver t_ tol
    validation_fraction validation_scores_ verbose warm_start best_loss_ best_validation_score_
    _best_coefs _best_intercepts _coef_indptr _intercept_indptr _no_improvement_count _optimizer
    _random_state
    """
)
_MODULES = (
    "sklearn.neural_network._multilayer_perceptron",
    "sklearn.neural_network.multilayer_perceptron",
)
_USED = "coefs_ intercepts_ activation out_activation_"

FAMILIES = (
    Family(
        name="MLPClassifier",
        modules=_MODULES,
        library="scikit-learn",
        releases=((0, 20), (1, 9)),
        used=known(f"{_USED} classes_ _label_binarizer"),
        harmless=_TRAINED,
        read=_read_classes,
        graph=_graph,
        oracle=_oracle,
    ),
    Family(
        name="MLPRegressor",
        modules=_MODULES,
        library="scikit-learn",
        releases=((0, 20), (1, 9)),
        used=known(_USED),
        harmless={**_TRAINED, **known("_label_binarizer")},
        read=_read_values,
        graph=_graph,
        oracle=_oracle,
    ),
)
