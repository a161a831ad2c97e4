"""scikit-learn's classes and clusters of a normal distribution each: the most likely one."""

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
    Probes,
    Reader,
    Rows,
)
from aegismatrix_factory.rescue.converting.formulas import softmax
from aegismatrix_factory.rescue.converting.parameters import FloatArray
from aegismatrix_factory.rescue.converting.writing import Table, Writer, computed

_SPREADS = (0.5, 2.0, 8.0)


@dataclass(frozen=True, eq=False)
class Normals:
    """A normal distribution for each class.

    Attributes
    ----------
    means : tuple of ndarray of shape (F,)
    whitening : tuple of ndarray of shape (F, k)
        What turns a row around its mean into independent numbers of variance 1.
    constants : ndarray of shape (classes,)
        What is added to minus half of the sum of their squares: a log likelihood.
    """

    means: tuple[FloatArray, ...]
    whitening: tuple[FloatArray, ...]
    constants: FloatArray


def _model(attributes: Attributes, normals: Normals, classes: tuple[str, ...]) -> Model:
    width = len(normals.means[0])
    answers: dict[Answer, int | None] = {"probability": len(classes)}
    if attributes.name == "QuadraticDiscriminantAnalysis":
        answers["decision"] = 1 if len(classes) == 2 else len(classes)
    return Model(
        parameters=normals,
        n_features=width,
        answers={**answers, "label": 1},
        classes=classes,
        feature_names=attributes.column_names(width),
    )


def _read_classes(attributes: Attributes, reader: Reader) -> Model:
    del reader
    name = attributes.name
    if attributes.get("solver", "svd") != "svd":
        raise UnsupportedModelError(f"its {name} was solved in another way than by 'svd'")
    classes = attributes.labels("classes_")
    count = len(classes)
    priors = attributes.numbers("priors_", (count,))
    if count < 2 or (priors <= 0.0).any():
        raise InconsistentModelError(f"{name} has a class that is impossible, or one alone")
    given = attributes.need("means_")
    width = given.shape[1] if isinstance(given, np.ndarray) and given.ndim == 2 else 0
    width = attributes.width(width)
    means = attributes.numbers("means_", (count, width))
    whitening, constants = [], []
    for place in range(count):
        scales, turn = (_of(attributes, key, place, count) for key in ("scalings_", "rotations_"))
        kept = len(scales) if isinstance(scales, np.ndarray) else 0
        scale = numbers(scales, (kept,), f"{name}.scalings_")
        turned = numbers(turn, (width, kept), f"{name}.rotations_")
        if not kept or (scale <= 0.0).any():
            raise InconsistentModelError(f"{name} has a class without a spread")
        whitening.append(turned * scale**-0.5)
        constants.append(np.log(priors[place]) - 0.5 * np.log(scale).sum())
    return _model(attributes, Normals(tuple(means), tuple(whitening), np.array(constants)), classes)


def _of(attributes: Attributes, key: str, place: int, count: int) -> object:
    given = attributes.need(key)
    if not isinstance(given, list) or len(given) != count:
        raise InconsistentModelError(f"{attributes.name}.{key} is not one array a class")
    found: object = given[place]
    return found


def _read_mixture(attributes: Attributes, reader: Reader) -> Model:
    del reader
    name = attributes.name
    kind = attributes.text("covariance_type")
    given = attributes.need("means_")
    if not isinstance(given, np.ndarray) or given.ndim != 2 or not given.size:
        raise InconsistentModelError(f"{name}.means_ is not a row for each component")
    count, width = given.shape
    attributes.width(width)
    means = attributes.numbers("means_", (count, width))
    weights = attributes.numbers("weights_", (count,))
    if (weights <= 0.0).any():
        raise InconsistentModelError(f"{name} has a component without a weight")
    shapes = {
        "full": (count, width, width),
        "tied": (width, width),
        "diag": (count, width),
        "spherical": (count,),
    }
    if kind not in shapes:
        raise UnsupportedModelError(f"its {name} has covariances of an unknown kind")
    roots = attributes.numbers("precisions_cholesky_", shapes[kind])
    if kind == "diag":
        roots = np.stack([np.diag(one) for one in roots])
    elif kind == "spherical":
        roots = np.stack([one * np.eye(width) for one in roots])
    elif kind == "tied":
        roots = np.stack([roots] * count)
    diagonals = np.diagonal(roots, axis1=1, axis2=2)
    if (diagonals <= 0.0).any():
        raise InconsistentModelError(f"{name} has a component without a spread")
    constants = np.log(diagonals).sum(axis=1) + np.log(weights)
    components = tuple(str(place) for place in range(count))
    return _model(attributes, Normals(tuple(means), tuple(roots), constants), components)


def _graph(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    normals: Normals = part.parameters
    value = x.numbers()
    each = []
    for mean, whitening in zip(normals.means, normals.whitening, strict=True):
        around = writer.add("Sub", [value, writer.weight(mean[None])])
        turned = writer.add("MatMul", [around, writer.weight(whitening)])
        squares = writer.add("Mul", [turned, turned])
        each.append(writer.add("ReduceSum", [squares, writer.axes(1)], keepdims=1))
    count = len(each)
    joined = each[0] if count == 1 else writer.add("Concat", each, axis=1)
    halves = writer.scaled(joined, np.full(count, -0.5))
    likelihood = writer.add("Add", [halves, writer.weight(normals.constants[None])])
    if answer == "label":
        return computed(writer.largest(likelihood), 1)
    if answer == "probability":
        return computed(writer.add("Softmax", [likelihood], axis=1), count)
    if count > 2:
        return computed(likelihood, count)
    first = writer.add("Gather", [likelihood, writer.axes(0)], axis=1)
    second = writer.add("Gather", [likelihood, writer.axes(1)], axis=1)
    return computed(writer.add("Sub", [second, first]), 1)


def _oracle_classes(
    attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle
) -> FloatArray:
    """As ``_decision_function`` of the library goes through the classes."""
    del oracle
    squares, logs = [], []
    for mean, scales, turn in zip(
        attributes.need("means_"),
        attributes.need("scalings_"),
        attributes.need("rotations_"),
        strict=True,
    ):
        turned = np.dot(np.asarray(rows, dtype=np.float64) - mean, turn * (scales ** (-0.5)))
        squares.append(np.sum(turned**2, axis=1))
        logs.append(np.sum(np.log(scales)))
    said = -0.5 * (np.array(squares).T + np.array(logs)) + np.log(attributes.need("priors_"))
    return _said(said, answer)


def _oracle_mixture(
    attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle
) -> FloatArray:
    """Densities as they stand in textbooks, from the precisions' square roots."""
    del oracle
    x = np.asarray(rows, dtype=np.float64)
    kind, roots = attributes.need("covariance_type"), attributes.need("precisions_cholesky_")
    said = np.zeros((len(x), len(attributes.need("weights_"))))
    for place, (mean, weight) in enumerate(
        zip(attributes.need("means_"), attributes.need("weights_"), strict=True)
    ):
        root = roots if kind == "tied" else roots[place]
        around = x - mean
        if kind in ("full", "tied"):
            turned, spread = around @ root, np.log(np.diag(root)).sum()
        else:
            turned = around * root
            spread = np.log(root * np.ones(x.shape[1])).sum()
        said[:, place] = spread + np.log(weight) - 0.5 * (turned**2).sum(axis=1)
    return _said(said, answer)


def _said(likelihood: FloatArray, answer: Answer) -> FloatArray:
    if answer == "label":
        return np.asarray(likelihood.argmax(axis=1).astype(np.float64)[:, None])
    if answer == "probability":
        return softmax(likelihood)
    if likelihood.shape[1] == 2:
        return likelihood[:, 1:] - likelihood[:, :1]
    return likelihood


def _probe(part: Part, random: np.random.Generator, rows: int) -> Probes:
    normals: Normals = part.parameters
    chosen = np.stack(normals.means)[random.integers(0, len(normals.means), size=rows)]
    spread = np.stack(normals.means).std(axis=0) + 1e-3 * (1.0 + np.abs(chosen).mean(axis=0))
    drawn = [chosen + spread * one * random.normal(size=chosen.shape) for one in _SPREADS]
    return Probes(tuple(drawn), np.stack(normals.means))


_RELEASES = ((0, 20), (1, 9))

FAMILIES = (
    Family(
        name="QuadraticDiscriminantAnalysis",
        modules=("sklearn.discriminant_analysis",),
        library="scikit-learn",
        releases=_RELEASES,
        used=known("classes_ priors_ means_ scalings_ rotations_ solver"),
        harmless=known(
            """
            priors reg_param store_covariance store_covariances covariance_ tol shrinkage
            covariance_estimator
            """
        ),
        read=_read_classes,
        graph=_graph,
        oracle=_oracle_classes,
        probe=_probe,
    ),
    Family(
        name="GaussianMixture",
        modules=("sklearn.mixture._gaussian_mixture", "sklearn.mixture.gaussian_mixture"),
        library="scikit-learn",
        releases=_RELEASES,
        used=known("covariance_type means_ weights_ precisions_cholesky_"),
        harmless=known(
            """
            converged_ covariances_ init_params lower_bound_ lower_bounds_ max_iter means_init
            n_components n_init n_iter_ precisions_ precisions_init random_state reg_covar tol
            verbose verbose_interval warm_start weights_init
            """
        ),
        read=_read_mixture,
        graph=_graph,
        oracle=_oracle_mixture,
        probe=_probe,
    ),
)
