"""scikit-learn's isotonic regression: straight lines between points."""

from __future__ import annotations

from collections.abc import Mapping
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


@dataclass(frozen=True, eq=False)
class Line:
    """Straight lines between points, the ends held: ndarrays of shape (points,)."""

    x: FloatArray
    y: FloatArray


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


def followed(state: Mapping[str, Any], value: FloatArray) -> FloatArray:
    """Return where the lines of an isotonic regression are; for oracles.

    Parameters
    ----------
    state : mapping
        Attributes of its record.
    value : ndarray of shape (N,)

    Returns
    -------
    ndarray of shape (N,)
    """
    x = state.get("X_thresholds_", state.get("_necessary_X_"))
    y = state.get("y_thresholds_", state.get("_necessary_y_"))
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if len(x) == 1:
        return np.full(len(value), float(y[0]))
    return np.asarray(np.interp(value, x, y), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Isotonic:
    """A line; what is said beyond its ends.

    Attributes
    ----------
    line : Line
    beyond : {'clip', 'nan', 'raise'}
        What is said at the end, NaN, or nothing.
    """

    line: Line
    beyond: str


def _read(attributes: Attributes, reader: Reader) -> Model:
    del reader
    beyond = attributes.text("out_of_bounds")
    if beyond not in ("clip", "nan", "raise"):
        raise InconsistentModelError("IsotonicRegression.out_of_bounds is unknown")
    return Model(
        parameters=Isotonic(isotonic(attributes), beyond),
        n_features=1,
        answers={"value": 1, "transformed": 1},
        doubtful=beyond == "nan",
    )


def _graph(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    del answer
    given: Isotonic = part.parameters
    value = x.numbers()
    said = drawn(writer, value, given.line)
    if given.beyond != "clip":
        above = writer.add("GreaterOrEqual", [value, writer.number(given.line.x[0])])
        below = writer.add("LessOrEqual", [value, writer.number(given.line.x[-1])])
        within = writer.add("And", [above, below])
        if given.beyond == "raise":
            writer.refuse(writer.add("Not", [within]))
        said = writer.add("Where", [within, said, writer.nan()])
    return computed(said, 1)


def _probe(part: Part, random: np.random.Generator, rows: int) -> Probes:
    given: Isotonic = part.parameters
    low, high = given.line.x[0], given.line.x[-1]
    room = (high - low or 1.0) * 0.2
    drawn_rows = random.uniform(low - room, high + room, size=(rows, 1))
    return Probes((drawn_rows,), given.line.x[:256, None])


def _oracle(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    del answer
    value = np.asarray(rows, dtype=np.float64)[:, 0]
    said = followed({key: attributes.get(key) for key in _points(attributes)}, value)
    if attributes.need("out_of_bounds") != "clip":
        x = attributes.get("X_thresholds_")
        x = attributes.need("_necessary_X_") if x is None else x
        outside = (value < x[0]) | (value > x[-1])
        said[outside] = np.nan
        if attributes.need("out_of_bounds") == "raise":
            oracle.refuse(outside)
    return said[:, None]


def _points(attributes: Attributes) -> tuple[str, str]:
    if attributes.has("X_thresholds_"):
        return "X_thresholds_", "y_thresholds_"
    return "_necessary_X_", "_necessary_y_"


FAMILIES = (
    Family(
        name="IsotonicRegression",
        modules=("sklearn.isotonic",),
        library="scikit-learn",
        releases=((0, 20), (1, 9)),
        used=known("X_thresholds_ y_thresholds_ _necessary_X_ _necessary_y_ out_of_bounds"),
        harmless=known("X_max_ X_min_ _X_ _y_ increasing increasing_ y_max y_min f_"),
        read=_read,
        graph=_graph,
        oracle=_oracle,
        probe=_probe,
    ),
)
