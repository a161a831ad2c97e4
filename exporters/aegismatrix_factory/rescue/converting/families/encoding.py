"""scikit-learn's encoders: columns of text or numbers as places in lists, or as one column each.

Text enters a graph as its place in the column's list, which is sealed beside; one that is in no
list is `UNKNOWN`. Where the library would refuse an unknown category, the answer is NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from aegismatrix_factory.rescue.converting.attributes import (
    Attributes,
    known,
    numbers,
    whole_numbers,
)
from aegismatrix_factory.rescue.converting.categories import Categories, categories, written
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

_RELEASES = ((0, 20), (1, 9))
_MODULES = ("sklearn.preprocessing._encoders",)
_LABELS = ("sklearn.preprocessing._label", "sklearn.preprocessing.label")


@dataclass(frozen=True, eq=False)
class Coded:
    """One column, each category a row of numbers.

    Attributes
    ----------
    categories : Categories
        What it may hold.
    codes : ndarray of shape (categories, columns)
        What each becomes.
    unknown : ndarray of shape (columns,), or None
        What any other becomes; None where the library refuses it.
    """

    categories: Categories
    codes: FloatArray
    unknown: FloatArray | None


@dataclass(frozen=True, eq=False)
class Coding:
    """Every column by itself."""

    columns: tuple[Coded, ...]

    @property
    def width(self) -> int:
        """Columns that come out."""
        return sum(one.codes.shape[1] for one in self.columns)


def _listed(attributes: Attributes) -> list[Categories]:
    given = attributes.need("categories_")
    if not isinstance(given, list) or not given:
        raise InconsistentModelError(f"{attributes.name}.categories_ is no list")
    attributes.width(len(given))
    return [categories(one, f"{attributes.name}.categories_") for one in given]


def _model(attributes: Attributes, coding: Coding, *, fills: bool) -> Model:
    width = len(coding.columns)
    return Model(
        parameters=coding,
        n_features=width,
        answers={"transformed": coding.width},
        takes_missing=attributes.since(0, 24),
        fills_missing=fills,
        doubtful=not fills,
        feature_names=attributes.column_names(width),
    )


def _read_one_hot(attributes: Attributes, reader: Reader) -> Model:
    del reader
    if attributes.get("_legacy_mode"):
        raise UnsupportedModelError(
            "its OneHotEncoder counts whole numbers as releases before 0.22 could"
        )
    listed = _listed(attributes)
    handling = attributes.text("handle_unknown")
    if handling not in ("error", "ignore", "infrequent_if_exist", "warn"):
        raise InconsistentModelError("OneHotEncoder.handle_unknown is unknown")
    groups = _groups(attributes, listed)
    dropped = _dropped(attributes, [int(one.max()) + 1 for one in groups])
    columns: list[Coded] = []
    for one, group, drop in zip(listed, groups, dropped, strict=True):
        count = int(group.max()) + 1
        codes = np.zeros((len(one), count))
        codes[np.arange(len(one)), group] = 1.0
        unknown = np.zeros(count)
        # Categories that are rare share the last column, and only then there are fewer of them.
        if handling in ("infrequent_if_exist", "warn") and _has_rare(attributes, len(columns)):
            unknown[count - 1] = 1.0
        if drop is not None:
            codes, unknown = np.delete(codes, drop, axis=1), np.delete(unknown, drop)
        columns.append(Coded(one, codes, None if handling == "error" else unknown))
    return _model(attributes, Coding(tuple(columns)), fills=True)


def _gives_sparse(attributes: Attributes, given: bool) -> bool:
    del given
    return bool(attributes.get("sparse_output", attributes.get("sparse", True)))


def _gives_sparse_marks(attributes: Attributes, given: bool) -> bool:
    del given
    return bool(attributes.get("sparse_output"))


def _has_rare(attributes: Attributes, place: int) -> bool:
    if not attributes.get("_infrequent_enabled", False):
        return False
    return attributes.need("_default_to_infrequent_mappings")[place] is not None


def _groups(attributes: Attributes, listed: list[Categories]) -> list[Any]:
    """For each column, which output column each category belongs to."""
    groups: list[Any] = [np.arange(len(one)) for one in listed]
    if not attributes.get("_infrequent_enabled", False):
        return groups
    given = attributes.need("_default_to_infrequent_mappings")
    if not isinstance(given, list) or len(given) != len(listed):
        raise InconsistentModelError("OneHotEncoder has no mappings of rare categories")
    for place, mapping in enumerate(given):
        if mapping is None:
            continue
        found = whole_numbers(mapping, (len(listed[place]),), "OneHotEncoder.mappings")
        if set(found.tolist()) != set(range(int(found.max()) + 1)):
            raise InconsistentModelError("a mapping of rare categories has gaps")
        groups[place] = found
    return groups


def _dropped(attributes: Attributes, counts: list[int]) -> list[int | None]:
    # Since 1.2.2 `drop_idx_` counts categories before they are grouped.
    key = "drop_idx_"
    if attributes.has("_drop_idx_after_grouping"):
        key = "_drop_idx_after_grouping"
    given = attributes.get(key)
    if given is None:
        return [None] * len(counts)
    if not isinstance(given, np.ndarray) or given.shape != (len(counts),):
        raise InconsistentModelError(f"OneHotEncoder.{key} is not one place a column")
    found: list[int | None] = []
    for one, count in zip(given.tolist(), counts, strict=True):
        if one is not None and not (isinstance(one, int) and 0 <= one < count):
            raise InconsistentModelError(f"OneHotEncoder.{key} names no category")
        found.append(one)
    return found


def _read_ordinal(attributes: Attributes, reader: Reader) -> Model:
    del reader
    if attributes.get("_infrequent_enabled", False):
        raise UnsupportedModelError("its OrdinalEncoder puts rare categories together")
    listed = _listed(attributes)
    handling = attributes.get("handle_unknown", "error")
    unknown = None
    if handling == "use_encoded_value":
        unknown = np.array([_number_or_nan(attributes, "unknown_value")])
    elif handling != "error":
        raise InconsistentModelError("OrdinalEncoder.handle_unknown is unknown")
    columns = []
    for one in listed:
        codes = np.arange(float(len(one)))
        if one.nowhere is not None:
            if not attributes.since(1, 0):
                raise UnsupportedModelError("its OrdinalEncoder was fitted on missing values")
            absent = np.nan
            if attributes.since(1, 1):
                absent = _number_or_nan(attributes, "encoded_missing_value")
            codes[one.nowhere] = absent
        columns.append(Coded(one, codes[:, None], unknown))
    finite = all(np.isfinite(one.codes).all() for one in columns)
    # Since then what is unknown may be NaN, and is no category.
    finite = finite and (unknown is None or bool(np.isfinite(unknown).all()))
    return _model(attributes, Coding(tuple(columns)), fills=finite)


def _number_or_nan(attributes: Attributes, key: str) -> float:
    given = attributes.need(key)
    if isinstance(given, bool) or not isinstance(given, int | float | np.number):
        raise InconsistentModelError(f"{attributes.name}.{key} is not a number")
    return float(given)


def _read_target(attributes: Attributes, reader: Reader) -> Model:
    del reader
    listed = _listed(attributes)
    given, kind = attributes.need("encodings_"), attributes.text("target_type_")
    if kind not in ("continuous", "binary", "multiclass"):
        raise InconsistentModelError("TargetEncoder.target_type_ is unknown")
    each = len(attributes.labels("classes_")) if kind == "multiclass" else 1
    if attributes.get("_infrequent_enabled", False):
        raise UnsupportedModelError("its TargetEncoder puts rare categories together")
    if not isinstance(given, list) or len(given) != each * len(listed):
        raise InconsistentModelError("TargetEncoder.encodings_ is not one line a column")
    mean = np.asarray(attributes.need("target_mean_")).reshape(-1)
    unknown = numbers(mean, (each,), "TargetEncoder.target_mean_")
    columns = []
    for place, one in enumerate(listed):
        own = given[place * each : (place + 1) * each]
        codes = [numbers(line, (len(one),), "TargetEncoder.encodings_") for line in own]
        columns.append(Coded(one, np.stack(codes, axis=1), unknown))
    return _model(attributes, Coding(tuple(columns)), fills=True)


def _read_label(attributes: Attributes, reader: Reader) -> Model:
    del reader
    found = categories(attributes.need("classes_"), "LabelEncoder.classes_")
    coded = Coded(found, np.arange(float(len(found)))[:, None], None)
    return _labels(attributes, found, Coding((coded,)))


def _labels(attributes: Attributes, found: Categories, coding: Coding) -> Model:
    return Model(
        parameters=coding,
        n_features=1,
        answers={"transformed": coding.width},
        takes_missing=found.numbers is not None and found.missing is not None,
        fills_missing=True,
        details={"labels": attributes.need("classes_").tolist()} if found.texts is None else {},
    )


def _read_binarizer(attributes: Attributes, reader: Reader) -> Model:
    del reader
    kind = attributes.text("y_type_")
    if kind not in ("binary", "multiclass"):
        raise UnsupportedModelError("its LabelBinarizer takes several labels at once")
    found = categories(attributes.need("classes_"), "LabelBinarizer.classes_")
    if len(found) < 2 or found.missing is not None:
        raise UnsupportedModelError("its LabelBinarizer was fitted on one class, or on none")
    no, yes = attributes.one("neg_label"), attributes.one("pos_label")
    codes = np.where(np.eye(len(found)) > 0.0, yes, no)
    if len(found) == 2:
        codes = codes[:, 1:]
    coded = Coded(found, codes, np.full(codes.shape[1], no))
    return _labels(attributes, found, Coding((coded,)))


def _graph(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    del answer
    coding: Coding = part.parameters
    out = [_column(writer, x, place, one) for place, one in enumerate(coding.columns)]
    kept = [one for one in out if one is not None]
    if not kept:
        raise UnsupportedModelError(f"its {part.described} gives no column")
    joined = writer.joined(kept)
    return computed(joined, coding.width)


def _column(writer: Writer, x: Table, place: int, coded: Coded) -> str | None:
    if not coded.codes.shape[1] and coded.unknown is not None:
        return None
    matches = coded.categories.matches(writer, x, place)
    total = writer.add("ReduceSum", [matches, writer.axes(1)], keepdims=1)
    if coded.unknown is None:
        writer.refuse(writer.add("Less", [total, writer.number(0.5)]))
    if not coded.codes.shape[1]:
        return None
    codes = np.nan_to_num(coded.codes)
    said = writer.add("MatMul", [matches, writer.weight(codes)])
    if np.isnan(coded.codes).any():
        absent = coded.categories.missing
        assert absent is not None
        own = writer.add("Gather", [matches, writer.axes(absent)], axis=1)
        there = writer.add("Greater", [own, writer.number(0.5)])
        said = writer.add("Where", [there, writer.nan(), said])
    if coded.unknown is None:
        return said
    found = writer.add("Greater", [total, writer.number(0.5)])
    strange = writer.nan() if np.isnan(coded.unknown).any() else writer.weight(coded.unknown[None])
    return writer.add("Where", [found, said, strange])


def _probe(part: Part, random: np.random.Generator, rows: int) -> Probes:
    coding: Coding = part.parameters
    drawn = [one.categories.probe(random, rows) for one in coding.columns]
    return Probes((np.column_stack(drawn),))


def _back(part: Part, rows: FloatArray) -> FloatArray:
    """The category whose codes are nearest."""
    coding: Coding = part.parameters
    found, start = [], 0
    for one in coding.columns:
        given = rows[:, start : start + one.codes.shape[1]]
        start += one.codes.shape[1]
        score = given @ np.nan_to_num(one.codes).T
        if one.codes.shape[1] == 1:
            score = -np.abs(given - np.nan_to_num(one.codes)[:, 0])
        found.append(one.categories.value(score.argmax(axis=1).astype(np.float64)))
    return np.column_stack(found)


def _same(value: Any, category: Any) -> bool:
    """Whether a value of a row is a category; what is missing is the same as what is missing."""
    gone = [one is None or (isinstance(one, float) and one != one) for one in (value, category)]
    if any(gone):
        return all(gone)
    if isinstance(value, str) or isinstance(category, str):
        return isinstance(value, str) and isinstance(category, str) and value == category
    return float(value) == float(category)


def _index(rows: Rows, place: int, listed: list[Any]) -> list[int]:
    """Where in its list each row's value is, -1 for nowhere."""
    seen: dict[Any, int] = {}
    found = []
    for value in rows[:, place].tolist():
        key = "missing" if value is None or value != value else (isinstance(value, str), value)
        if key not in seen:
            seen[key] = next((i for i, one in enumerate(listed) if _same(value, one)), -1)
        found.append(seen[key])
    return found


def _one_hot(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    """Column after column as ``OneHotEncoder.transform`` fills its matrix of ones."""
    del answer
    handling = attributes.need("handle_unknown")
    after = attributes.get("_drop_idx_after_grouping")
    drops = attributes.get("drop_idx_") if after is None else after
    grouped = attributes.get("_infrequent_enabled", False)
    blocks = []
    for place, listed in enumerate(attributes.need("categories_")):
        mapping = attributes.need("_default_to_infrequent_mappings")[place] if grouped else None
        count = len(listed) if mapping is None else int(np.max(mapping)) + 1
        drop = None if drops is None else drops[place]
        kept = [one for one in range(count) if one != drop]
        block = np.zeros((len(rows), len(kept)))
        where_each = _index(rows, place, written(listed).tolist())
        if handling == "error":
            oracle.refuse(np.array(where_each) < 0)
        for row, found in enumerate(where_each):
            if found < 0 and handling == "error":
                block[row] = np.nan
                continue
            if found < 0:
                rare = handling in ("infrequent_if_exist", "warn") and mapping is not None
                where = count - 1 if rare else None
            else:
                where = found if mapping is None else int(mapping[found])
            if where in kept:
                block[row, kept.index(where)] = 1.0
        blocks.append(block)
    return np.concatenate(blocks, axis=1)


def _ordinal(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    del answer
    out = np.empty((len(rows), len(attributes.need("categories_"))))
    for place, given in enumerate(attributes.need("categories_")):
        listed = written(given)
        found = np.array(_index(rows, place, listed.tolist()), dtype=np.float64)
        # None is a category like any other.
        absent = [i for i, one in enumerate(listed.tolist()) if one != one]
        unknown = found < 0
        for one in absent:
            found[found == one] = float(attributes.get("encoded_missing_value", np.nan))
        value = attributes.get("unknown_value")
        if attributes.get("handle_unknown", "error") == "error":
            oracle.refuse(unknown)
        found[unknown] = np.nan if value is None else float(value)
        out[:, place] = found
    return out


def _targets(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    """Line after line of ``encodings_``: for every column one, or one for every class."""
    del answer, oracle
    listed, lines = attributes.need("categories_"), attributes.need("encodings_")
    means = np.asarray(attributes.need("target_mean_"), dtype=np.float64).reshape(-1)
    each = len(lines) // len(listed)
    out = np.empty((len(rows), len(lines)))
    for place, line in enumerate(lines):
        column = place // each
        found = _index(rows, column, written(listed[column]).tolist())
        out[:, place] = [means[place % each] if one < 0 else line[one] for one in found]
    return out


def _label(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    del answer
    found = np.array(
        _index(rows, 0, written(attributes.need("classes_")).tolist()), dtype=np.float64
    )
    oracle.refuse(found < 0)
    found[found < 0] = np.nan
    return found[:, None]


def _binarized(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    del answer, oracle
    listed = written(attributes.need("classes_")).tolist()
    out = np.full((len(rows), len(listed)), float(attributes.need("neg_label")))
    for row, found in enumerate(_index(rows, 0, listed)):
        if found >= 0:
            out[row, found] = float(attributes.need("pos_label"))
    return out[:, 1:] if attributes.need("y_type_") == "binary" else out


FAMILIES = (
    Family(
        name="OneHotEncoder",
        modules=_MODULES,
        library="scikit-learn",
        releases=_RELEASES,
        used=known(
            "sparse sparse_output"
            " categories_ handle_unknown drop_idx_ _drop_idx_after_grouping _infrequent_enabled"
            " _default_to_infrequent_mappings _legacy_mode"
        ),
        harmless=known(
            "categories drop dtype min_frequency max_categories"
            " feature_name_combiner _infrequent_indices _n_features_outs n_values"
            " categorical_features _n_values _categorical_features _categories"
            " _missing_indices"
        ),
        read=_read_one_hot,
        graph=_graph,
        oracle=_one_hot,
        probe=_probe,
        back=_back,
        sparse=_gives_sparse,
    ),
    Family(
        name="OrdinalEncoder",
        modules=_MODULES,
        library="scikit-learn",
        releases=_RELEASES,
        used=known(
            "categories_ handle_unknown unknown_value encoded_missing_value _infrequent_enabled"
        ),
        # Where the missing value is stands in categories_ as well.
        harmless=known(
            "categories dtype min_frequency max_categories _missing_indices _categories"
            " _infrequent_indices _default_to_infrequent_mappings"
        ),
        read=_read_ordinal,
        graph=_graph,
        oracle=_ordinal,
        probe=_probe,
        back=_back,
    ),
    Family(
        name="TargetEncoder",
        modules=("sklearn.preprocessing._target_encoder",),
        library="scikit-learn",
        releases=((1, 3), (1, 9)),
        used=known("categories_ encodings_ target_mean_ target_type_ classes_ _infrequent_enabled"),
        harmless=known(
            "categories target_type smooth cv shuffle random_state _label_encoder _missing_indices"
        ),
        read=_read_target,
        graph=_graph,
        oracle=_targets,
        probe=_probe,
        back=_back,
    ),
    Family(
        name="LabelEncoder",
        modules=_LABELS,
        library="scikit-learn",
        releases=_RELEASES,
        used=known("classes_"),
        harmless={},
        read=_read_label,
        graph=_graph,
        oracle=_label,
        probe=_probe,
        back=_back,
    ),
    Family(
        name="LabelBinarizer",
        modules=_LABELS,
        library="scikit-learn",
        releases=_RELEASES,
        used=known("classes_ neg_label pos_label y_type_ sparse_output"),
        harmless=known("sparse_input_"),
        read=_read_binarizer,
        graph=_graph,
        oracle=_binarized,
        probe=_probe,
        back=_back,
        sparse=_gives_sparse_marks,
    ),
)
