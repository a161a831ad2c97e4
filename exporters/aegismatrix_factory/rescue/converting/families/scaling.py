"""scikit-learn's scalers: every column shifted, stretched, clipped or divided by the row's norm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

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
from aegismatrix_factory.rescue.converting.writing import Table, Writer

_MODULES = ("sklearn.preprocessing._data", "sklearn.preprocessing.data")
_RELEASES = ((0, 20), (1, 9))
_SPREADS = (0.5, 2.0, 8.0, 1e3)
_SCALED: Mapping[Answer, str] = {"transformed": "scaled"}


@dataclass(frozen=True, eq=False)
class Scaling:
    """Columns shifted, divided, multiplied, shifted again, clipped, in that order.

    Attributes
    ----------
    before, divisor, factor, after : ndarray of shape (n_features,) or None
        Where there is one.
    lowest, highest : float or None
        What the result is clipped to.
    """

    before: FloatArray | None = None
    divisor: FloatArray | None = None
    factor: FloatArray | None = None
    after: FloatArray | None = None
    lowest: float | None = None
    highest: float | None = None


@dataclass(frozen=True)
class RowNorm:
    """Rows divided by their norm, unless it is 0.

    Attributes
    ----------
    norm : {'l1', 'l2', 'max'}
    signed : bool
        Whether the largest value itself, and not the largest size, is the norm 'max'.
    """

    norm: Literal["l1", "l2", "max"]
    signed: bool


@dataclass(frozen=True)
class Threshold:
    """1 above a number, else 0."""

    threshold: float


def _scaler(attributes: Attributes, scaling: Scaling, width: int | None) -> Model:
    names = attributes.column_names(width)
    return Model(
        parameters=scaling,
        n_features=width,
        answers={"transformed": None},
        takes_missing=True,
        output_names=_SCALED,
        feature_names=names,
    )


def _divisor(attributes: Attributes, key: str, width: int) -> FloatArray:
    divisor = attributes.numbers(key, (width,))
    if (divisor == 0.0).any():
        raise InconsistentModelError(f"{attributes.name}.{key} has a zero")
    return divisor


def _read_standard(attributes: Attributes, reader: Reader) -> Model:
    del reader
    with_mean, with_std = attributes.flag("with_mean"), attributes.flag("with_std")
    if not with_mean and not with_std and not attributes.has("n_features_in_"):
        # Older releases do not say how many columns they leave as they are.
        return _scaler(attributes, Scaling(), None)
    stated = "mean_" if with_mean else "scale_"
    if attributes.has("n_features_in_"):
        width = attributes.count("n_features_in_")
    else:
        width = len(attributes.line(stated))
    scaling = Scaling(
        before=attributes.numbers("mean_", (width,)) if with_mean else None,
        divisor=_divisor(attributes, "scale_", width) if with_std else None,
    )
    return _scaler(attributes, scaling, width)


def _read_range(attributes: Attributes, reader: Reader) -> Model:
    del reader
    width = attributes.width(len(attributes.line("scale_")))
    lowest = highest = None
    if attributes.flag("clip", False):
        bounds = attributes.need("feature_range")
        if not isinstance(bounds, tuple | list) or len(bounds) != 2:
            raise InconsistentModelError("MinMaxScaler.feature_range is not two numbers")
        lowest, highest = (_plain(bound, "MinMaxScaler.feature_range") for bound in bounds)
        if not lowest < highest:
            raise InconsistentModelError("MinMaxScaler.feature_range is empty")
    scaling = Scaling(
        factor=attributes.numbers("scale_", (width,)),
        after=attributes.numbers("min_", (width,)),
        lowest=lowest,
        highest=highest,
    )
    return _scaler(attributes, scaling, width)


def _plain(given: object, what: str) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float | np.floating | np.integer):
        raise InconsistentModelError(f"{what} is not made of numbers")
    if not np.isfinite(float(given)):
        raise InconsistentModelError(f"{what} is not finite")
    return float(given)


def _read_largest(attributes: Attributes, reader: Reader) -> Model:
    del reader
    width = attributes.width(len(attributes.line("scale_")))
    clips = attributes.flag("clip", False)
    scaling = Scaling(
        divisor=_divisor(attributes, "scale_", width),
        lowest=-1.0 if clips else None,
        highest=1.0 if clips else None,
    )
    return _scaler(attributes, scaling, width)


def _read_robust(attributes: Attributes, reader: Reader) -> Model:
    del reader
    centres, scales = attributes.flag("with_centering"), attributes.flag("with_scaling")
    stated = [key for key, on in (("center_", centres), ("scale_", scales)) if on]
    if not stated:
        width = attributes.count("n_features_in_")
    else:
        width = attributes.width(len(attributes.line(stated[0])))
    scaling = Scaling(
        before=attributes.numbers("center_", (width,)) if centres else None,
        divisor=_divisor(attributes, "scale_", width) if scales else None,
    )
    return _scaler(attributes, scaling, width)


def _graph_scaling(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    del answer
    scaling: Scaling = part.parameters
    value = x.numbers()
    for operator, given in (
        ("Sub", scaling.before),
        ("Div", scaling.divisor),
        ("Mul", scaling.factor),
        ("Add", scaling.after),
    ):
        if given is not None and operator == "Div" and len(given) == 1:
            value = writer.scaled(value, 1.0 / given)
        elif given is not None:
            value = writer.add(operator, [value, writer.weight(given)])
    if scaling.lowest is not None and scaling.highest is not None:
        bounds = [writer.weight(np.array(bound)) for bound in (scaling.lowest, scaling.highest)]
        # Runtimes differ in what they make of NaN between bounds.
        there = writer.add("Equal", [value, value])
        value = writer.add("Where", [there, writer.add("Clip", [value, *bounds]), value])
    return Table(value, _unnamed(x))


def _undo(part: Part, rows: FloatArray) -> FloatArray:
    scaling: Scaling = part.parameters
    if scaling.after is not None:
        rows = rows - scaling.after
    if scaling.factor is not None:
        rows = rows / np.where(scaling.factor == 0.0, 1.0, scaling.factor)
    if scaling.divisor is not None:
        rows = rows * scaling.divisor
    return rows if scaling.before is None else rows + scaling.before


def _probe_scaling(part: Part, random: np.random.Generator, rows: int) -> Probes:
    width = part.n_features or 1
    drawn = [random.normal(size=(rows, width)) * spread for spread in _SPREADS]
    scaling: Scaling = part.parameters
    boundary = None
    if scaling.lowest is not None and scaling.highest is not None:
        edges = np.array([scaling.lowest, scaling.highest])
        edges = np.concatenate([edges, np.nextafter(edges, -np.inf), np.nextafter(edges, np.inf)])
        boundary = _undo(part, np.repeat(edges[:, None], width, axis=1))
    return Probes(tuple(_undo(part, one) for one in drawn), boundary)


def _numbers(attributes: Attributes, key: str) -> Any:
    return np.asarray(attributes.need(key), dtype=np.float64)


def _standard(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    del answer, oracle
    x = np.array(rows, dtype=np.float64)
    if attributes.need("with_mean"):
        x -= _numbers(attributes, "mean_")
    if attributes.need("with_std"):
        x /= _numbers(attributes, "scale_")
    return x


def _min_max(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    del answer, oracle
    x = np.array(rows, dtype=np.float64)
    x *= _numbers(attributes, "scale_")
    x += _numbers(attributes, "min_")
    if attributes.get("clip"):
        first, last = attributes.need("feature_range")
        x = np.minimum(np.maximum(x, first), last)
    return x


def _max_abs(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    del answer, oracle
    x = np.array(rows, dtype=np.float64)
    x /= _numbers(attributes, "scale_")
    return np.minimum(np.maximum(x, -1.0), 1.0) if attributes.get("clip") else x


def _robust(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    del answer, oracle
    x = np.array(rows, dtype=np.float64)
    if attributes.need("with_centering"):
        x -= _numbers(attributes, "center_")
    if attributes.need("with_scaling"):
        x /= _numbers(attributes, "scale_")
    return x


def _any_width(attributes: Attributes, parameters: object) -> Model:
    width = attributes.count("n_features_in_") if attributes.has("n_features_in_") else None
    return Model(
        parameters=parameters,
        n_features=width,
        answers={"transformed": None},
        output_names=_SCALED,
        feature_names=attributes.column_names(width),
    )


def _read_normalizer(attributes: Attributes, reader: Reader) -> Model:
    del reader
    norms: dict[str, Literal["l1", "l2", "max"]] = {"l1": "l1", "l2": "l2", "max": "max"}
    norm = attributes.text("norm")
    if norm not in norms:
        raise InconsistentModelError("Normalizer.norm is unknown")
    return _any_width(attributes, RowNorm(norms[norm], signed=not attributes.since(0, 24)))


def _graph_normalizer(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    del answer
    given: RowNorm = part.parameters
    value, axis = x.numbers(), writer.axes(1)
    if given.norm == "l2":
        squares = writer.add("Mul", [value, value])
        norm = writer.add("Sqrt", [writer.add("ReduceSum", [squares, axis], keepdims=1)])
    elif given.norm == "l1":
        norm = writer.add("ReduceSum", [writer.add("Abs", [value]), axis], keepdims=1)
    else:
        sized = value if given.signed else writer.add("Abs", [value])
        largest = writer.add("ReduceMax", [sized, axis], keepdims=1)
        # The largest of numbers beside NaN is one of them; a sum is NaN.
        total = writer.add("ReduceSum", [value, axis], keepdims=1)
        there = writer.add("Equal", [total, total])
        norm = writer.add("Where", [there, largest, total])
    none = writer.add("Equal", [norm, writer.number(0.0)])
    divisor = writer.add("Where", [none, writer.number(1.0), norm])
    return Table(writer.add("Div", [value, divisor]), _unnamed(x))


def _unnamed(x: Table) -> tuple[None, ...] | None:
    return None if x.columns is None else (None,) * len(x.columns)


def _norms(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    del answer, oracle
    x = np.asarray(rows, dtype=np.float64)
    norm = attributes.need("norm")
    if norm == "max":
        # Until 0.23 the largest value, since then the largest size.
        length = (np.abs(x) if attributes.since(0, 24) else x).max(axis=1)
    else:
        length = np.linalg.norm(x, ord=1 if norm == "l1" else 2, axis=1)
    length[length == 0.0] = 1.0
    return np.asarray(x / length[:, None])


def _read_binarizer(attributes: Attributes, reader: Reader) -> Model:
    del reader
    return _any_width(attributes, Threshold(attributes.one("threshold")))


def _graph_binarizer(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    del answer
    given: Threshold = part.parameters
    return Table(writer.above(x.numbers(), given.threshold), _unnamed(x))


def _binary(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    del answer, oracle
    x = np.asarray(rows, dtype=np.float64)
    return np.where(x > attributes.one("threshold"), 1.0, 0.0)


def _probe_binarizer(part: Part, random: np.random.Generator, rows: int) -> Probes:
    given: Threshold = part.parameters
    width = part.n_features or 3
    middle = given.threshold
    near = np.array([middle, np.nextafter(middle, -np.inf), np.nextafter(middle, np.inf)])
    drawn = middle + random.normal(size=(rows, width))
    return Probes((drawn,), np.repeat(near[:, None], width, axis=1))


FAMILIES = (
    Family(
        name="StandardScaler",
        modules=_MODULES,
        library="scikit-learn",
        releases=_RELEASES,
        used=known("with_mean with_std mean_ scale_"),
        harmless=known("copy var_ n_samples_seen_"),
        read=_read_standard,
        graph=_graph_scaling,
        oracle=_standard,
        probe=_probe_scaling,
        back=_undo,
    ),
    Family(
        name="MinMaxScaler",
        modules=_MODULES,
        library="scikit-learn",
        releases=_RELEASES,
        used=known("scale_ min_ clip feature_range"),
        harmless=known("copy data_max_ data_min_ data_range_ n_samples_seen_"),
        read=_read_range,
        graph=_graph_scaling,
        oracle=_min_max,
        probe=_probe_scaling,
        back=_undo,
    ),
    Family(
        name="MaxAbsScaler",
        modules=_MODULES,
        library="scikit-learn",
        releases=_RELEASES,
        used=known("scale_ clip"),
        harmless=known("copy max_abs_ n_samples_seen_"),
        read=_read_largest,
        graph=_graph_scaling,
        oracle=_max_abs,
        probe=_probe_scaling,
        back=_undo,
    ),
    Family(
        name="RobustScaler",
        modules=_MODULES,
        library="scikit-learn",
        releases=_RELEASES,
        used=known("with_centering with_scaling center_ scale_"),
        # Already in scale_.
        harmless=known("copy quantile_range unit_variance"),
        read=_read_robust,
        graph=_graph_scaling,
        oracle=_robust,
        probe=_probe_scaling,
        back=_undo,
    ),
    Family(
        name="Normalizer",
        modules=_MODULES,
        library="scikit-learn",
        releases=_RELEASES,
        used=known("norm"),
        harmless=known("copy"),
        read=_read_normalizer,
        graph=_graph_normalizer,
        oracle=_norms,
    ),
    Family(
        name="Binarizer",
        modules=_MODULES,
        library="scikit-learn",
        releases=_RELEASES,
        used=known("threshold"),
        harmless=known("copy"),
        read=_read_binarizer,
        graph=_graph_binarizer,
        oracle=_binary,
        probe=_probe_binarizer,
    ),
)
