"""scikit-learn's imputers: what is missing becomes a value of its column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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
    Probes,
    Reader,
    Rows,
)
from aegismatrix_factory.rescue.converting.parameters import FloatArray
from aegismatrix_factory.rescue.converting.writing import Column, Table, Writer
from aegismatrix_factory.rescue.reading.records import Record

_SPREADS = (0.5, 2.0, 8.0, 1e3)


@dataclass(frozen=True, eq=False)
class Filling:
    """What each column is filled with.

    Attributes
    ----------
    values : tuple of (float or str or None)
        By column; None where what is missing stays missing: it was the most frequent itself.
    dropped : frozenset of int
        Columns that are left out, since nothing was there when it was fitted.
    missing : float
        The number that stands for missing, or NaN.
    marked : tuple of int
        Columns of which it is told, behind the others, where they were missing.
    """

    values: tuple[float | str | None, ...]
    dropped: frozenset[int]
    missing: float
    marked: tuple[int, ...]

    @property
    def kept(self) -> list[int]:
        """Columns that are not left out."""
        return [place for place in range(len(self.values)) if place not in self.dropped]


def _is_nan(value: object) -> bool:
    return isinstance(value, float | np.floating) and bool(np.isnan(value))


def _read(attributes: Attributes, reader: Reader) -> Model:
    del reader
    given = attributes.need("statistics_")
    if not isinstance(given, np.ndarray) or given.ndim != 1 or given.dtype.kind not in "biufUO":
        raise InconsistentModelError(f"{attributes.name}.statistics_ is not a line of values")
    if not len(given):
        raise InconsistentModelError(f"{attributes.name}.statistics_ is empty")
    if attributes.get("axis", 0) != 0:
        raise UnsupportedModelError("its Imputer fills rows from themselves")
    width = attributes.width(len(given))
    missing = _missing(attributes)
    keeps = attributes.flag("keep_empty_features", False)
    values: list[float | str | None] = []
    dropped = set()
    for place, one in enumerate(given.tolist()):
        if one is None or isinstance(one, str):
            values.append(one)
        elif _is_nan(one):
            if keeps or (attributes.text("strategy") == "constant" and not attributes.since(1, 8)):
                raise UnsupportedModelError(f"its {attributes.name} fills with what is missing")
            values.append(None)
            dropped.add(place)
        elif isinstance(one, bool | int | float) and np.isfinite(one):
            values.append(float(one))
        else:
            raise InconsistentModelError(f"{attributes.name}.statistics_ has an unfit value")
    marked = _marked(attributes, width)
    filling = Filling(tuple(values), frozenset(dropped), missing, marked)
    if not filling.kept and not marked:
        raise UnsupportedModelError(f"its {attributes.name} gives no column")
    numeric = np.isnan(missing)
    return Model(
        parameters=filling,
        n_features=width,
        answers={"transformed": len(filling.kept) + len(marked)},
        takes_missing=bool(numeric),
        fills_missing=bool(numeric),
        feature_names=attributes.column_names(width),
    )


def _missing(attributes: Attributes) -> float:
    given = attributes.need("missing_values")
    if given is None or _is_nan(given) or (isinstance(given, str) and given == "NaN"):
        return float("nan")
    if isinstance(given, str):
        raise UnsupportedModelError(f"for its {attributes.name} a text stands for missing")
    return attributes.one("missing_values")


def _marked(attributes: Attributes, width: int) -> tuple[int, ...]:
    if not attributes.flag("add_indicator", False):
        return ()
    inside = attributes.need("indicator_")
    if not isinstance(inside, Record) or inside.name != "MissingIndicator":
        raise InconsistentModelError(f"{attributes.name}.indicator_ is none")
    return _places(Attributes(inside, {**_INDICATOR, **known(_EVERY)}), width)


def _places(indicator: Attributes, width: int) -> tuple[int, ...]:
    given = indicator.need("features_")
    if not isinstance(given, np.ndarray) or given.ndim != 1 or given.dtype.kind not in "iu":
        raise InconsistentModelError("MissingIndicator.features_ is not a line of places")
    found = tuple(int(one) for one in given.tolist())
    if not all(0 <= one < width for one in found) or len(set(found)) < len(found):
        raise InconsistentModelError("MissingIndicator.features_ names a column that is not there")
    return found


def _graph(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    del answer
    filling: Filling = part.parameters
    parts: list[Table] = []
    run: list[int] = []
    for place in filling.kept:
        value = filling.values[place]
        if not isinstance(value, float):
            if run:
                parts.append(_numbers(writer, x, run, filling))
                run = []
            as_it_is = writer.chosen(x, [place])
            parts.append(as_it_is if value is None else _text(writer, x, place, filling))
        else:
            run.append(place)
    if run:
        parts.append(_numbers(writer, x, run, filling))
    parts += [_mark(writer, x, place, filling) for place in filling.marked]
    return writer.beside(parts)


def _absent(writer: Writer, value: str, missing: float) -> str:
    if np.isnan(missing):
        return writer.add("Not", [writer.add("Equal", [value, value])])
    return writer.add("Equal", [value, writer.number(missing)])


def _numbers(writer: Writer, x: Table, places: list[int], filling: Filling) -> Table:
    value = writer.chosen(x, places).numbers()
    with_what = np.array([[float(filling.values[place] or 0.0) for place in places]])
    filled = writer.add(
        "Where", [_absent(writer, value, filling.missing), writer.weight(with_what), value]
    )
    return Table(filled, (None,) * len(places))


def _text(writer: Writer, x: Table, place: int, filling: Filling) -> Table:
    """The place of the text that fills instead of the place of what is missing."""
    chosen, column = writer.chosen(x, [place]), _source(x, place)
    text = filling.values[place]
    assert isinstance(text, str)
    absent = writer.add("Equal", [chosen.tensor, writer.number(column.place(None))])
    filled = writer.add("Where", [absent, writer.number(column.place(text)), chosen.tensor])
    return Table(filled, (column,))


def _mark(writer: Writer, x: Table, place: int, filling: Filling) -> Table:
    chosen = writer.chosen(x, [place])
    if isinstance(filling.values[place], str):
        absent = writer.add("Equal", [chosen.tensor, writer.number(_source(x, place).place(None))])
    else:
        absent = _absent(writer, chosen.numbers(), filling.missing)
    return Table(writer.doubled(absent), (None,))


def _source(x: Table, place: int) -> Column:
    source = x.columns[place] if x.columns is not None else None
    if source is None:
        raise UnsupportedModelError("it reads text where numbers come out of a step")
    return source


def _probe(part: Part, random: np.random.Generator, rows: int) -> Probes:
    filling: Filling = part.parameters
    middle = np.array(
        [one if isinstance(one, float) else 0.0 for one in filling.values], dtype=np.float64
    )
    drawn = []
    for spread in _SPREADS:
        batch = middle + random.normal(size=(rows, len(middle))) * spread
        absent = random.random(batch.shape) < 0.3
        absent[:, [not isinstance(one, float) for one in filling.values]] = False
        if not np.isnan(filling.missing):
            batch[absent] = filling.missing
        drawn.append(batch)
    return Probes(tuple(drawn))


def _back(part: Part, rows: FloatArray) -> FloatArray:
    filling: Filling = part.parameters
    out = np.zeros((len(rows), len(filling.values)))
    out[:, filling.kept] = rows[:, : len(filling.kept)]
    return out


def _gone(column: Any, missing: object) -> Any:
    """Which values of a column are missing."""
    values = column.tolist()
    if missing is None or missing == "NaN" or missing != missing:
        return np.array([one is None or one != one for one in values], dtype=np.bool_)
    return np.array([one == missing for one in values], dtype=np.bool_)


def _oracle(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> Rows:
    """Column after column; one whose statistic is missing is left out."""
    del answer, oracle
    missing = attributes.need("missing_values")
    statistics = attributes.need("statistics_").tolist()
    columns = []
    for place, statistic in enumerate(statistics):
        if statistic != statistic:
            continue
        column = np.array(rows[:, place])
        column[_gone(column, missing)] = statistic
        columns.append(column)
    if attributes.get("add_indicator"):
        inside = attributes.need("indicator_").state
        for place in inside["features_"].tolist():
            columns.append(_gone(rows[:, place], missing).astype(np.float64))
    text = any(one is None or isinstance(one, str) for one in statistics)
    out = np.empty((len(rows), len(columns)), dtype=object)
    for place, column in enumerate(columns):
        out[:, place] = column
    return out if text else out.astype(np.float64)


_EVERY = "_sklearn_version n_features_in_ feature_names_in_ _sklearn_output_config"
_INDICATOR = known("features_ missing_values features error_on_new sparse _n_features _precomputed")

FAMILIES = (
    Family(
        name="SimpleImputer",
        modules=("sklearn.impute._base", "sklearn.impute"),
        library="scikit-learn",
        releases=((0, 20), (1, 9)),
        used=known(
            "statistics_ missing_values strategy keep_empty_features add_indicator indicator_"
        ),
        harmless=known("fill_value copy verbose _fit_dtype _fill_dtype"),
        read=_read,
        graph=_graph,
        oracle=_oracle,
        probe=_probe,
        back=_back,
    ),
    Family(
        name="Imputer",
        modules=("sklearn.preprocessing.imputation",),
        library="scikit-learn",
        releases=((0, 20), (0, 21)),
        used=known("statistics_ missing_values axis"),
        harmless=known("copy strategy verbose"),
        read=_read,
        graph=_graph,
        oracle=_oracle,
        probe=_probe,
        back=_back,
    ),
)
