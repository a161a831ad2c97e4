"""scikit-learn's naive Bayes: one joint logarithm a class, then soft-max."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from aegismatrix_factory.rescue.converting.attributes import Attributes, known
from aegismatrix_factory.rescue.converting.errors import InconsistentModelError
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
from aegismatrix_factory.rescue.converting.writing import Table, Writer, computed

_RELEASES = ((0, 20), (1, 9))
_MODULES = ("sklearn.naive_bayes",)
_SPREADS = (0.5, 2.0, 8.0)


@dataclass(frozen=True, eq=False)
class Counted:
    """Joint logarithms that are linear in the columns.

    Attributes
    ----------
    weights : ndarray of shape (classes, n_features)
    constants : ndarray of shape (classes,)
    above : float or None
        Columns become 1 above it, else 0, where there is one.
    """

    weights: FloatArray
    constants: FloatArray
    above: float | None = None


@dataclass(frozen=True, eq=False)
class Bells:
    """Joint logarithms of one normal distribution for each class and column.

    Attributes
    ----------
    means, variances : ndarray of shape (classes, n_features)
    constants : ndarray of shape (classes,)
    """

    means: FloatArray
    variances: FloatArray
    constants: FloatArray


def _model(attributes: Attributes, parameters: Any, classes: tuple[str, ...], width: int) -> Model:
    return Model(
        parameters=parameters,
        n_features=width,
        answers={"probability": len(classes), "label": 1},
        classes=classes,
        feature_names=attributes.column_names(width),
    )


def _matrix(attributes: Attributes, key: str, rows: int) -> FloatArray:
    given = attributes.need(key)
    if not isinstance(given, np.ndarray) or given.ndim != 2 or not given.size:
        raise InconsistentModelError(f"{attributes.name}.{key} is no matrix")
    attributes.width(given.shape[1])
    return attributes.numbers(key, (rows, given.shape[1]))


def _prior(attributes: Attributes, count: int) -> FloatArray:
    return attributes.numbers("class_log_prior_", (count,))


def _read_multinomial(attributes: Attributes, reader: Reader) -> Model:
    del reader
    classes = attributes.labels("classes_")
    weights = _matrix(attributes, "feature_log_prob_", len(classes))
    counted = Counted(weights, _prior(attributes, len(classes)))
    return _model(attributes, counted, classes, weights.shape[1])


def _read_complement(attributes: Attributes, reader: Reader) -> Model:
    del reader
    classes = attributes.labels("classes_")
    weights = _matrix(attributes, "feature_log_prob_", len(classes))
    constants = np.zeros(len(classes))
    if len(classes) == 1:
        constants = _prior(attributes, 1)
    return _model(attributes, Counted(weights, constants), classes, weights.shape[1])


def _read_bernoulli(attributes: Attributes, reader: Reader) -> Model:
    del reader
    classes = attributes.labels("classes_")
    there = _matrix(attributes, "feature_log_prob_", len(classes))
    absent = np.log(1.0 - np.exp(there))
    if not np.isfinite(absent).all():
        raise InconsistentModelError("BernoulliNB.feature_log_prob_ has a certain column")
    above = None
    if attributes.get("binarize") is not None:
        above = attributes.one("binarize")
    constants = _prior(attributes, len(classes)) + absent.sum(axis=1)
    return _model(attributes, Counted(there - absent, constants, above), classes, there.shape[1])


def _read_gaussian(attributes: Attributes, reader: Reader) -> Model:
    del reader
    classes = attributes.labels("classes_")
    means = _matrix(attributes, "theta_", len(classes))
    variances = _matrix(attributes, _variances(attributes), len(classes))
    prior = attributes.numbers("class_prior_", (len(classes),))
    if (variances <= 0.0).any() or (prior <= 0.0).any():
        raise InconsistentModelError("GaussianNB has a variance or a prior that is not over 0")
    constants = np.log(prior) - 0.5 * np.log(2.0 * np.pi * variances).sum(axis=1)
    return _model(attributes, Bells(means, variances, constants), classes, means.shape[1])


def _variances(attributes: Attributes) -> str:
    return "var_" if attributes.has("var_") else "sigma_"


def _graph(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    given = part.parameters
    value = x.numbers()
    joint = (
        _bells(writer, given, value) if isinstance(given, Bells) else _counts(writer, given, value)
    )
    if answer == "label":
        return computed(writer.largest(joint), 1)
    return computed(writer.add("Softmax", [joint], axis=1), len(given.constants))


def _counts(writer: Writer, given: Counted, value: str) -> str:
    if given.above is not None:
        value = writer.above(value, given.above)
    return writer.affine(value, given.weights, given.constants)


def _bells(writer: Writer, given: Bells, value: str) -> str:
    """Class by class: no batch is held as often as there are classes."""
    sums = []
    for means, variances in zip(given.means, given.variances, strict=True):
        away = writer.add("Sub", [value, writer.weight(means)])
        squares = writer.add("Div", [writer.add("Mul", [away, away]), writer.weight(variances)])
        sums.append(writer.add("ReduceSum", [squares, writer.axes(1)], keepdims=1))
    joined = writer.joined(sums)
    halved = writer.add("Mul", [joined, writer.number(-0.5)])
    return writer.add("Add", [halved, writer.weight(given.constants)])


def _probe(part: Part, random: np.random.Generator, rows: int) -> Probes:
    width = part.n_features or 1
    given = part.parameters
    if isinstance(given, Bells):
        centre, spread = given.means.mean(axis=0), np.sqrt(given.variances).max(axis=0)
        around = given.means.std(axis=0) + spread
        return Probes(
            tuple(centre + random.normal(size=(rows, width)) * around * one for one in _SPREADS)
        )
    counts = random.poisson(1.0, size=(rows, width)).astype(np.float64)
    shares = np.abs(random.normal(size=(rows, width)))
    if given.above is None:
        return Probes((counts, shares))
    near = np.array(
        [given.above, np.nextafter(given.above, np.inf), np.nextafter(given.above, -np.inf)]
    )
    edges = random.choice(near, size=(min(rows, 64), width))
    return Probes((counts, given.above + random.normal(size=(rows, width))), edges)


def _answered(joint: FloatArray, answer: Answer) -> FloatArray:
    if answer == "label":
        return np.asarray(joint.argmax(axis=1).astype(np.float64)[:, None])
    largest = joint.max(axis=1, keepdims=True)
    total = np.log(np.exp(joint - largest).sum(axis=1, keepdims=True)) + largest
    return np.asarray(np.exp(joint - total))


def _multinomial(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    del oracle
    x = np.asarray(rows, dtype=np.float64)
    logs = np.asarray(attributes.need("feature_log_prob_"), dtype=np.float64)
    joint = np.stack([x @ one for one in logs], axis=1)
    alone = attributes.name == "ComplementNB" and len(logs) > 1
    return _answered(joint if alone else joint + attributes.need("class_log_prior_"), answer)


def _bernoulli(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    del oracle
    x = np.asarray(rows, dtype=np.float64)
    if attributes.get("binarize") is not None:
        x = (x > float(attributes.need("binarize"))).astype(np.float64)
    logs = np.asarray(attributes.need("feature_log_prob_"), dtype=np.float64)
    joint = []
    for one, prior in zip(logs, attributes.need("class_log_prior_"), strict=True):
        joint.append(x @ one + (1.0 - x) @ np.log(1.0 - np.exp(one)) + prior)
    return _answered(np.stack(joint, axis=1), answer)


def _gaussian(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    del oracle
    x = np.asarray(rows, dtype=np.float64)
    variances = attributes.get("var_")
    if variances is None:
        variances = attributes.need("sigma_")
    joint = []
    for prior, mean, variance in zip(
        attributes.need("class_prior_"), attributes.need("theta_"), variances, strict=True
    ):
        density = -0.5 * np.sum(np.log(2.0 * np.pi * variance))
        joint.append(np.log(prior) + density - 0.5 * np.sum((x - mean) ** 2 / variance, axis=1))
    return _answered(np.stack(joint, axis=1), answer)


_COUNTED = known("alpha fit_prior class_prior class_count_ feature_count_ n_features_ force_alpha")

FAMILIES = (
    Family(
        name="MultinomialNB",
        modules=_MODULES,
        library="scikit-learn",
        releases=_RELEASES,
        used=known("classes_ feature_log_prob_ class_log_prior_"),
        harmless={**_COUNTED, **known("coef_ intercept_")},
        read=_read_multinomial,
        graph=_graph,
        oracle=_multinomial,
        probe=_probe,
    ),
    Family(
        name="ComplementNB",
        modules=_MODULES,
        library="scikit-learn",
        releases=_RELEASES,
        used=known("classes_ feature_log_prob_"),
        # The prior is asked for where there is one class alone.
        harmless={**_COUNTED, **known("class_log_prior_ norm feature_all_")},
        read=_read_complement,
        graph=_graph,
        oracle=_multinomial,
        probe=_probe,
    ),
    Family(
        name="BernoulliNB",
        modules=_MODULES,
        library="scikit-learn",
        releases=_RELEASES,
        used=known("classes_ feature_log_prob_ class_log_prior_ binarize"),
        harmless=_COUNTED,
        read=_read_bernoulli,
        graph=_graph,
        oracle=_bernoulli,
        probe=_probe,
    ),
    Family(
        name="GaussianNB",
        modules=_MODULES,
        library="scikit-learn",
        releases=_RELEASES,
        used=known("classes_ class_prior_ theta_ var_ sigma_"),
        # Already in the variances.
        harmless=known("priors var_smoothing epsilon_ class_count_"),
        read=_read_gaussian,
        graph=_graph,
        oracle=_gaussian,
        probe=_probe,
    ),
)
