"""scikit-learn's columns that say whether another one was missing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aegismatrix_factory.rescue.converting.attributes import Attributes, known, whole_numbers
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
from aegismatrix_factory.rescue.converting.parameters import FloatArray
from aegismatrix_factory.rescue.converting.writing import Table, Writer, computed

_SPREADS = (0.5, 8.0)


@dataclass(frozen=True, eq=False)
class Marks:
    """Columns of which it is told where they are missing.

    Attributes
    ----------
    places : tuple of int
    others : tuple of int
        Columns that were never missing, where a row that misses one is refused.
    missing : float
        The number that stands for missing, or NaN.
    """

    places: tuple[int, ...]
    others: tuple[int, ...]
    missing: float


def _read(attributes: Attributes, reader: Reader) -> Model:
    del reader
    key = "n_features_in_" if attributes.has("n_features_in_") else "_n_features"
    width = attributes.count(key)
    given = attributes.need("features_")
    if not isinstance(given, np.ndarray) or given.ndim != 1 or not given.size:
        raise UnsupportedModelError("its MissingIndicator gives no column")
    places = tuple(whole_numbers(given, given.shape, "MissingIndicator.features_").tolist())
    if len(set(places)) < len(places) or not all(0 <= one < width for one in places):
        raise InconsistentModelError("MissingIndicator.features_ names a column that is not there")
    missing = attributes.need("missing_values")
    plain = isinstance(missing, int | float | np.number) and not isinstance(missing, bool)
    if not plain:
        raise UnsupportedModelError("for its MissingIndicator no number stands for missing")
    kind = attributes.text("features")
    if kind not in ("all", "missing-only"):
        raise InconsistentModelError("MissingIndicator.features is unknown")
    refuses = kind == "missing-only" and attributes.flag("error_on_new")
    others = tuple(one for one in range(width) if one not in places) if refuses else ()
    return Model(
        parameters=Marks(places, others, float(missing)),
        n_features=width,
        answers={"transformed": len(places)},
        takes_missing=bool(np.isnan(float(missing))),
        fills_missing=True,
        feature_names=attributes.column_names(width),
    )


def _graph(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    del answer
    marks: Marks = part.parameters
    if marks.others:
        new = writer.doubled(_missing(writer, x, marks.others, marks.missing))
        total = writer.add("ReduceSum", [new, writer.axes(1)], keepdims=1)
        writer.refuse(writer.add("Greater", [total, writer.number(0.5)]))
    said = writer.doubled(_missing(writer, x, marks.places, marks.missing))
    return computed(said, len(marks.places))


def _missing(writer: Writer, x: Table, places: tuple[int, ...], missing: float) -> str:
    value = writer.chosen(x, places).numbers()
    if np.isnan(missing):
        return writer.add("Not", [writer.add("Equal", [value, value])])
    return writer.add("Equal", [value, writer.number(missing)])


def _oracle(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    del answer
    x = np.asarray(rows, dtype=np.float64)
    missing = float(attributes.need("missing_values"))
    mask = np.isnan(x) if missing != missing else x == missing
    chosen = [int(one) for one in attributes.need("features_")]
    if attributes.need("features") == "missing-only" and attributes.need("error_on_new"):
        oracle.refuse(np.delete(mask, chosen, axis=1).any(axis=1))
    return mask[:, chosen].astype(np.float64)


def _probe(part: Part, random: np.random.Generator, rows: int) -> Probes:
    marks: Marks = part.parameters
    width = part.n_features or 1
    drawn = []
    for spread in _SPREADS:
        batch = random.normal(size=(rows, width)) * spread
        if not np.isnan(marks.missing):
            batch[random.random(batch.shape) < 0.2] = marks.missing
        drawn.append(batch)
    return Probes(tuple(drawn))


def _gives_sparse(attributes: Attributes, given: bool) -> bool:
    wanted = attributes.get("sparse")
    return given if wanted == "auto" else bool(wanted)


FAMILIES = (
    Family(
        name="MissingIndicator",
        modules=("sklearn.impute._base", "sklearn.impute"),
        library="scikit-learn",
        releases=((0, 20), (1, 9)),
        used=known("features_ missing_values features error_on_new sparse _n_features"),
        harmless=known("_precomputed"),
        read=_read,
        graph=_graph,
        oracle=_oracle,
        probe=_probe,
        sparse=_gives_sparse,
    ),
)
