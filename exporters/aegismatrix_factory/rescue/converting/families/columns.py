"""scikit-learn's ways to send columns through several transformers side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from aegismatrix_factory.rescue.converting.attributes import Attributes, known
from aegismatrix_factory.rescue.converting.errors import (
    InconsistentModelError,
    UnsupportedModelError,
)
from aegismatrix_factory.rescue.converting.family import (
    Answer,
    Document,
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
from aegismatrix_factory.rescue.reading.records import Name, Record

_RELEASES = ((0, 20), (1, 9))
_MOST = 1_000_000


@dataclass(frozen=True, eq=False)
class Branch:
    """Some columns through one transformer.

    Attributes
    ----------
    part : Part or None
        None where they pass as they are.
    places : tuple of int or None
        Which columns; None for all.
    weight : float
        What comes out is multiplied by it.
    """

    part: Part | None
    places: tuple[int, ...] | None
    weight: float

    def width(self, given: int | None) -> int | None:
        """Columns that come out."""
        taken = given if self.places is None else len(self.places)
        return taken if self.part is None else self.part.width("transformed", taken)


@dataclass(frozen=True, eq=False)
class Branches:
    """Transformers side by side, their columns one behind the other."""

    branches: tuple[Branch, ...]


def _triples(attributes: Attributes) -> Iterator[tuple[str, Any, Any]]:
    given = attributes.need("transformers_")
    if not isinstance(given, list):
        raise InconsistentModelError("ColumnTransformer.transformers_ is no list")
    for one in given:
        if not isinstance(one, tuple | list) or len(one) != 3 or not isinstance(one[0], str):
            raise InconsistentModelError("a branch of a ColumnTransformer is not of three parts")
        yield one[0], one[1], one[2]


def _names(attributes: Attributes) -> tuple[str, ...]:
    """The names of the columns that it was fitted on, under the attribute of its release."""
    names = attributes.column_names(None)
    if names:
        return names
    given = attributes.get("_feature_names_in")
    if given is None:
        given = _indexed(attributes.get("_df_columns"))
    if given is None:
        return ()
    found = given.tolist() if isinstance(given, np.ndarray) else given
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise InconsistentModelError("the columns of a ColumnTransformer are not named by text")
    return tuple(found)


def _indexed(given: object) -> object:
    """The labels of a pandas index."""
    if not isinstance(given, Record):
        return given
    for one in given.arguments:
        if isinstance(one, dict) and "data" in one:
            return one["data"]
    raise UnsupportedModelError("its columns are given by an index of an unknown form")


def _places(given: object, names: Sequence[str], width: int) -> tuple[int, ...]:
    """Which columns a branch takes, given by name, place, mask or slice."""
    given = _indexed(given) if _is_index(given) else given
    if isinstance(given, Record) and given.name == "_RemainderColsList":
        given = given.state.get("data") if isinstance(given.state, dict) else None
    if isinstance(given, Record) and given.name == "slice":
        return _sliced(given.arguments, names, width)
    if isinstance(given, np.ndarray):
        given = given.tolist()
    if not isinstance(given, list | tuple):
        raise UnsupportedModelError(
            "its ColumnTransformer gives one column alone to a transformer, as text is given"
        )
    if given and all(isinstance(one, bool | np.bool_) for one in given):
        if len(given) != width:
            raise InconsistentModelError("a mask of a ColumnTransformer is not of its columns")
        return tuple(place for place, one in enumerate(given) if one)
    return tuple(_place(one, names, width) for one in given)


def _is_index(given: object) -> bool:
    return isinstance(given, Record) and given.module.startswith("pandas")


def _place(given: object, names: Sequence[str], width: int) -> int:
    if isinstance(given, str):
        if names.count(given) != 1:
            raise UnsupportedModelError("its ColumnTransformer names a column that is not known")
        return names.index(given)
    if isinstance(given, bool) or not isinstance(given, int | np.integer):
        raise UnsupportedModelError("its ColumnTransformer chooses columns in an unknown way")
    if not -width <= given < width:
        raise InconsistentModelError("a ColumnTransformer takes a column that is not there")
    return int(given) % width


def _sliced(given: Sequence[Any], names: Sequence[str], width: int) -> tuple[int, ...]:
    if len(given) != 3 or any(isinstance(one, bool) for one in given):
        raise InconsistentModelError("a slice of a ColumnTransformer is none")
    start, stop, step = given
    if isinstance(start, str) or isinstance(stop, str):
        first = 0 if start is None else _place(start, names, width)
        last = width if stop is None else _place(stop, names, width) + 1
        start, stop = first, last
    if not all(one is None or isinstance(one, int) for one in (start, stop, step)) or step == 0:
        raise InconsistentModelError("a slice of a ColumnTransformer is none")
    return tuple(range(width)[slice(start, stop, step)])


def _weights(attributes: Attributes, name: str) -> float:
    given = attributes.get("transformer_weights")
    if given is None:
        return 1.0
    if not isinstance(given, dict):
        raise InconsistentModelError(f"{attributes.name}.transformer_weights is no dict")
    weight = given.get(name, 1.0)
    if weight is None:
        return 1.0
    if isinstance(weight, bool) or not isinstance(weight, int | float | np.number):
        raise InconsistentModelError(f"{attributes.name}.transformer_weights is not of numbers")
    return float(weight)


def _count(attributes: Attributes, names: Sequence[str]) -> int:
    for key in ("n_features_in_", "_n_features"):
        if attributes.has(key):
            return attributes.count(key)
    if not names:
        raise UnsupportedModelError("its ColumnTransformer does not say how many columns it takes")
    return len(names)


def _read_columns(attributes: Attributes, reader: Reader) -> Model:
    # Said first of what was never fitted.
    attributes.need("transformers_")
    names = _names(attributes)
    width = _count(attributes, names)
    if not 0 < width <= _MOST or (names and len(names) != width):
        raise InconsistentModelError("a ColumnTransformer contradicts itself about its columns")
    layout = _Layout(attributes, reader, names, width)
    branches = []
    for name, transformer, columns in _triples(attributes):
        if isinstance(transformer, str) and transformer == "drop":
            continue
        if _alone(columns):
            text, begin = layout.documents[name]
            places = tuple(range(begin, begin + (text.n_features or 0)))
            branches.append(Branch(text, places, _weights(attributes, name)))
            continue
        places = _places(columns, names, width)
        if not places:
            continue
        part = None
        if not (isinstance(transformer, str) and transformer == "passthrough"):
            part = _part(transformer, reader)
            if part.n_features not in (None, len(places)):
                raise InconsistentModelError("a ColumnTransformer gives a branch other columns")
        places = tuple(layout.kept.index(place) for place in places)
        branches.append(Branch(part, places, _weights(attributes, name)))
    if not layout.documents:
        return _model(attributes, branches, width, names)
    model = _model(attributes, branches, layout.width, ())
    labels = names or tuple(str(place) for place in range(width))
    columns = [labels[place] for place in layout.kept]
    return replace(
        model,
        documents=layout.texts(labels),
        details={**model.details, "columns": columns},
    )


def _alone(given: object) -> bool:
    """Whether a branch is given one column by itself, as vectorisers of text are."""
    return isinstance(given, str | int | np.integer) and not isinstance(given, bool)


class _Layout:
    """Where the input has its columns: those that are no text, and then the counts of each text."""

    def __init__(
        self, attributes: Attributes, reader: Reader, names: Sequence[str], width: int
    ) -> None:
        self.documents: dict[str, tuple[Part, int]] = {}
        self._columns: dict[str, int] = {}
        texts: list[tuple[str, Part]] = []
        others: set[int] = set()
        for name, transformer, columns in _triples(attributes):
            if isinstance(transformer, str) and transformer == "drop":
                continue
            if not _alone(columns):
                others.update(_places(columns, names, width))
                continue
            part = None if not isinstance(transformer, Record) else reader.part(transformer)
            if part is None or not _counts_one_text(part) or name in self._columns:
                raise UnsupportedModelError(
                    "its ColumnTransformer gives one column alone to what counts no terms of text"
                )
            if "transformed" not in part.model.answers:
                raise UnsupportedModelError(f"it has a {part.described} among its transformers")
            self._columns[name] = _place(columns, names, width)
            texts.append((name, part))
        gone = set(self._columns.values()) - others
        self.kept = [place for place in range(width) if place not in gone]
        self.width = len(self.kept)
        for name, part in texts:
            self.documents[name] = (part, self.width)
            self.width += part.n_features or 0

    def texts(self, labels: Sequence[str]) -> tuple[Document, ...]:
        """The texts, in the order of their counts."""
        found = []
        for name, (part, begin) in self.documents.items():
            own = part.model.documents or (Document("", 0, part.model.vocabulary or {}),)
            label = labels[self._columns[name]]
            found += [Document(label, begin + one.begin, one.vocabulary) for one in own]
        return tuple(found)


def _counts_one_text(part: Part) -> bool:
    """Whether all that it is given are counts of one text, be it counted in several ways."""
    told = part.model.documents
    return part.model.vocabulary is not None or (
        bool(told)
        and not any(one.column for one in told)
        and part.n_features == sum(one.terms for one in told)
    )


def _part(value: object, reader: Reader) -> Part:
    if not isinstance(value, Record):
        raise UnsupportedModelError("one of its transformers is none")
    part = reader.part(value)
    if "transformed" not in part.model.answers:
        raise UnsupportedModelError(f"it has a {part.described} among its transformers")
    if part.model.vocabulary is not None or part.model.documents:
        raise UnsupportedModelError(f"it has a {part.described} of text beside other columns")
    return part


def _model(
    attributes: Attributes, branches: list[Branch], width: int | None, names: tuple[str, ...]
) -> Model:
    if not branches:
        raise UnsupportedModelError(f"its {attributes.name} gives no column")
    widths = [one.width(width) for one in branches]
    known_widths = [one for one in widths if one is not None]
    parts = [one.part for one in branches if one.part is not None]
    details: dict[str, Any] = {}
    for part in parts:
        details.update(part.model.details)
    return Model(
        parameters=Branches(tuple(branches)),
        n_features=width,
        answers={"transformed": sum(known_widths) if len(known_widths) == len(widths) else None},
        takes_missing=all(one.part is None or one.part.model.takes_missing for one in branches),
        fills_missing=all(
            one.part is not None and one.part.model.fills_missing for one in branches
        ),
        described=f"{attributes.name} of {', '.join(_described(one) for one in branches)}",
        feature_names=names,
        warnings=tuple(dict.fromkeys(one for part in parts for one in part.model.warnings)),
        details=details,
        tolerance=max((part.model.tolerance for part in parts), default=1e-9),
    )


def _described(branch: Branch) -> str:
    return "columns as they are" if branch.part is None else branch.part.described


def _read_union(attributes: Attributes, reader: Reader) -> Model:
    texts = _texts(attributes, reader)
    if texts is not None:
        return texts
    branches = []
    width: int | None = None
    names: tuple[str, ...] = ()
    for name, transformer in _pairs(attributes):
        if transformer is None or (isinstance(transformer, str) and transformer == "drop"):
            continue
        part = None
        if not (isinstance(transformer, str) and transformer == "passthrough"):
            part = _part(transformer, reader)
            if part.n_features is not None:
                if width not in (None, part.n_features):
                    raise InconsistentModelError("the branches of a FeatureUnion differ in width")
                width = part.n_features
            names = names or part.model.feature_names
        branches.append(Branch(part, None, _weights(attributes, name)))
    if width is None:
        raise UnsupportedModelError("its FeatureUnion does not say how many columns it takes")
    return _model(attributes, branches, width, names)


def _texts(attributes: Attributes, reader: Reader) -> Model | None:
    """A union of vectorisers, each of which counts its own terms of the same text."""
    given = [
        (name, one)
        for name, one in _pairs(attributes)
        if one is not None and not (isinstance(one, str) and one == "drop")
    ]
    parts = [reader.part(one) for _, one in given if isinstance(one, Record)]
    if not parts or len(parts) < len(given) or any(one.model.vocabulary is None for one in parts):
        return None
    branches, documents, begin = [], [], 0
    for (name, _), part in zip(given, parts, strict=True):
        if "transformed" not in part.model.answers:
            raise UnsupportedModelError(f"it has a {part.described} among its transformers")
        places = tuple(range(begin, begin + (part.n_features or 0)))
        branches.append(Branch(part, places, _weights(attributes, name)))
        documents.append(Document("", begin, part.model.vocabulary or {}))
        begin += len(places)
    return replace(_model(attributes, branches, begin, ()), documents=tuple(documents))


def _pairs(attributes: Attributes) -> Iterator[tuple[str, Any]]:
    given = attributes.need("transformer_list")
    if not isinstance(given, list):
        raise InconsistentModelError("FeatureUnion.transformer_list is no list")
    for one in given:
        if not isinstance(one, tuple | list) or len(one) != 2 or not isinstance(one[0], str):
            raise InconsistentModelError("a branch of a FeatureUnion is not a name and an object")
        yield one[0], one[1]


def _graph(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    del answer
    model: Branches = part.parameters
    tables = []
    for branch in model.branches:
        table = x if branch.places is None else writer.chosen(x, branch.places)
        if branch.part is not None:
            table = branch.part.graph("transformed", writer, table)
        if branch.weight != 1.0:
            width = branch.width(part.n_features)
            if width is None:
                raise UnsupportedModelError("a weighed transformer does not say its columns")
            scaled = writer.scaled(table.numbers(), np.full(width, branch.weight))
            table = replace(table, tensor=scaled, columns=(None,) * width, sparse=False)
        tables.append(table)
    return writer.beside(tables)


def _probe(part: Part, random: np.random.Generator, rows: int) -> Probes:
    """Each branch's own rows in its columns."""
    model: Branches = part.parameters
    width = part.n_features or 1
    found = [
        (branch, branch.part.probes(random, rows))
        for branch in model.branches
        if branch.part is not None
    ]
    count = max((len(probes.random) for _, probes in found), default=1)
    batches = []
    for number in range(count):
        batch = random.normal(size=(rows, width))
        for branch, probes in found:
            _put(batch, branch, probes.random[number % len(probes.random)])
        batches.append(batch)
    edges = []
    for branch, probes in found:
        if probes.boundary is not None and len(probes.boundary):
            base = batches[0][random.integers(0, rows, size=len(probes.boundary))]
            _put(base, branch, probes.boundary)
            edges.append(base)
    return Probes(tuple(batches), np.concatenate(edges) if edges else None)


def _put(batch: FloatArray, branch: Branch, rows: FloatArray) -> None:
    places = list(range(batch.shape[1])) if branch.places is None else list(branch.places)
    if rows.shape[1] == len(places) and len(rows):
        batch[:, places] = rows[np.arange(len(batch)) % len(rows)]


def _back(part: Part, rows: FloatArray) -> FloatArray:
    """Column after column, as far as its branch can be undone."""
    model: Branches = part.parameters
    width = part.n_features or rows.shape[1]
    out, start = np.zeros((len(rows), width)), 0
    for branch in model.branches:
        count = branch.width(width) or 0
        given = rows[:, start : start + count] / (branch.weight or 1.0)
        start += count
        places = list(range(width)) if branch.places is None else list(branch.places)
        if branch.part is None:
            out[:, places] = given
        elif branch.part.family.back is not None:
            before = branch.part.family.back(branch.part, given)
            if before.shape[1] == len(places):
                out[:, places] = before
    return out


def _chosen(columns: Any, names: list[str], width: int) -> list[int]:
    """The oracle's own way from what a branch was given to places."""
    if isinstance(columns, Record) and columns.name == "slice":
        first, last, step = columns.arguments
        if isinstance(first, str):
            first = names.index(first)
        if isinstance(last, str):
            last = names.index(last) + 1
        return list(range(width))[first:last:step]
    if isinstance(columns, Record) and columns.name == "_RemainderColsList":
        columns = columns.state["data"]
    elif isinstance(columns, Record):
        columns = next(one["data"] for one in columns.arguments if isinstance(one, dict))
    listed = list(columns)
    if listed and isinstance(listed[0], bool | np.bool_):
        return [place for place, one in enumerate(listed) if one]
    return [names.index(one) if isinstance(one, str) else range(width)[int(one)] for one in listed]


def _gives_sparse(attributes: Attributes, given: bool) -> bool:
    del given
    return bool(attributes.get("sparse_output_"))


def _columns(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> Rows:
    """``ColumnTransformer.transform``: the branches in their order, beside one another."""
    del answer
    names = attributes.get("feature_names_in_")
    if names is None:
        names = attributes.get("_feature_names_in")
    if names is None:
        index = attributes.get("_df_columns")
        names = (
            next(one["data"] for one in index.arguments if isinstance(one, dict))
            if isinstance(index, Record)
            else []
        )
    weights = attributes.get("transformer_weights") or {}
    branches = [one for one in attributes.need("transformers_") if not _is_drop(one[1])]
    counted = {name: _counted(one) for name, one, where in branches if _is_single(where)}
    if counted:
        branches = _moved(branches, list(names), attributes, counted)
    blocks = []
    for name, transformer, columns in branches:
        places = _chosen(columns, list(names), rows.shape[1])
        if not places:
            continue
        block = _plain(rows[:, places])
        if not isinstance(transformer, str):
            block = oracle.answer(transformer, "transformed", block)
        blocks.append(_weighted(block, weights.get(name)))
    return np.concatenate(blocks, axis=1)


def _union(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> Rows:
    """``FeatureUnion.transform``."""
    del answer
    weights = attributes.get("transformer_weights") or {}
    blocks = []
    texts = [one for _, one in attributes.need("transformer_list") if not _is_drop(one)]
    sizes = [_counted(one) for one in texts]
    begin = 0
    for name, transformer in attributes.need("transformer_list"):
        if _is_drop(transformer):
            continue
        given = rows
        if all(sizes):
            given = rows[:, begin : begin + _counted(transformer)]
            begin += given.shape[1]
        block = (
            rows
            if isinstance(transformer, str)
            else oracle.answer(transformer, "transformed", given)
        )
        blocks.append(_weighted(block, weights.get(name)))
    return np.concatenate(blocks, axis=1)


def _is_drop(transformer: Any) -> bool:
    return transformer is None or (isinstance(transformer, str) and transformer == "drop")


def _is_single(where: Any) -> bool:
    return isinstance(where, str | int | np.integer)


def _counted(transformer: Any) -> int:
    """How many terms a vectoriser counts, or what begins with some; 0 of another."""
    while isinstance(transformer, Record) and transformer.name == "Pipeline":
        transformer = transformer.state["steps"][0][1]
    if isinstance(transformer, Record) and transformer.name == "FeatureUnion":
        listed = transformer.state["transformer_list"]
        return sum(_counted(one) for _, one in listed if not _is_drop(one))
    if not isinstance(transformer, Record) or not isinstance(transformer.state, dict):
        return 0
    return len(transformer.state.get("vocabulary_", ()))


def _moved(
    branches: list[Any], names: list[str], attributes: Attributes, counted: dict[str, int]
) -> list[Any]:
    """The branches with their columns where the graph has them: the texts behind, as counts."""
    width = int(attributes.get("n_features_in_") or attributes.get("_n_features") or len(names))
    where = {
        name: _chosen([columns] if _is_single(columns) else columns, names, width)
        for name, _, columns in branches
    }
    others = {place for name in where if name not in counted for place in where[name]}
    texts = {where[name][0] for name in counted} - others
    kept = [place for place in range(width) if place not in texts]
    begin, found = len(kept), []
    for name, transformer, _ in branches:
        if name in counted:
            found.append((name, transformer, list(range(begin, begin + counted[name]))))
            begin += counted[name]
        else:
            found.append((name, transformer, [kept.index(place) for place in where[name]]))
    return found


def _weighted(block: Rows, weight: float | None) -> Rows:
    return block if weight is None else np.asarray(block * weight)


def _plain(block: Rows) -> Rows:
    """Numbers as numbers, where columns of text stood beside them."""
    if block.dtype != object or any(isinstance(one, str | None) for one in block.flat):
        return block
    return block.astype(np.float64)


_CHANGES = ("log", "log1p", "log2", "log10", "exp", "expm1", "sqrt", "square", "absolute")


@dataclass(frozen=True)
class Change:
    """A function of numpy, of each number by itself; None leaves it as it is."""

    function: str | None


def _read_function(attributes: Attributes, reader: Reader) -> Model:
    del reader
    function = attributes.need("func")
    if function is not None and not (
        isinstance(function, Name) and function.module == "numpy" and function.name in _CHANGES
    ):
        raise UnsupportedModelError("its FunctionTransformer calls a function that is not numpy's")
    if attributes.get("kw_args"):
        raise UnsupportedModelError("its FunctionTransformer gives its function more arguments")
    width = attributes.count("n_features_in_") if attributes.has("n_features_in_") else None
    return Model(
        parameters=Change(None if function is None else function.name),
        n_features=width,
        answers={"transformed": None},
        takes_missing=not attributes.flag("validate", False),
        doubtful=function is not None,
        feature_names=attributes.column_names(width),
    )


def _graph_function(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    del answer
    change: Change = part.parameters
    if change.function is None:
        return x
    value = x.numbers()
    if change.function == "log1p":
        value = writer.add("Add", [value, writer.number(1.0)])
    if change.function in ("log", "log1p", "log2", "log10"):
        value = writer.add("Log", [value])
        if change.function in ("log2", "log10"):
            if x.columns is None:
                raise UnsupportedModelError("its FunctionTransformer does not say its columns")
            base = {"log2": 2.0, "log10": 10.0}[change.function]
            value = writer.scaled(value, np.full(len(x.columns), 1.0 / np.log(base)))
    elif change.function in ("exp", "expm1"):
        value = writer.add("Exp", [value])
        if change.function == "expm1":
            value = writer.add("Sub", [value, writer.number(1.0)])
    elif change.function == "square":
        value = writer.add("Mul", [value, value])
    else:
        value = writer.add({"sqrt": "Sqrt", "absolute": "Abs"}[change.function], [value])
    return Table(value, x.columns and (None,) * len(x.columns))


def _function(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> Rows:
    del answer, oracle
    function = attributes.need("func")
    if function is None:
        return rows
    value = np.asarray(rows, dtype=np.float64)
    with np.errstate(all="ignore"):
        changed: Rows = getattr(np, function.name)(value)
    return changed


def _probe_function(part: Part, random: np.random.Generator, rows: int) -> Probes:
    change: Change = part.parameters
    width = part.n_features or 3
    spreads = (0.5, 2.0, 8.0) if change.function in ("exp", "expm1") else (0.5, 2.0, 8.0, 1e3)
    drawn = [random.normal(size=(rows, width)) * spread for spread in spreads]
    if change.function is not None and change.function not in ("exp", "expm1", "square"):
        # Of what is below 0 there is no logarithm.
        drawn = [np.abs(one) + 1e-3 for one in drawn]
    return Probes(tuple(drawn))


def _back_function(part: Part, rows: FloatArray) -> FloatArray:
    change: Change = part.parameters
    if change.function is None:
        return rows
    undo: Mapping[str, Callable[[Any], Any]] = {
        "log": np.exp,
        "log1p": np.expm1,
        "log2": np.exp2,
        "log10": lambda value: np.power(10.0, value),
        "exp": lambda value: np.log(np.abs(value) + 1e-3),
        "expm1": lambda value: np.log1p(np.abs(value)),
        "sqrt": np.square,
        "square": lambda value: np.sqrt(np.abs(value)),
        "absolute": np.abs,
    }
    with np.errstate(all="ignore"):
        undone = undo[change.function](rows)
    return np.asarray(np.clip(undone, -1e12, 1e12), dtype=np.float64)


FAMILIES = (
    Family(
        name="ColumnTransformer",
        modules=("sklearn.compose._column_transformer",),
        library="scikit-learn",
        releases=_RELEASES,
        used=known(
            "transformers_ transformer_weights _feature_names_in _df_columns _n_features"
            " sparse_output_"
        ),
        harmless=known(
            "transformers remainder sparse_threshold n_jobs verbose verbose_feature_names_out"
            " force_int_remainder_cols _columns _remainder output_indices_"
            " _transformer_to_input_indices _name_to_fitted_passthrough _has_str_cols"
            " _transformers_feature_names_out"
        ),
        read=_read_columns,
        graph=_graph,
        oracle=_columns,
        probe=_probe,
        back=_back,
        looks=False,
        sparse=_gives_sparse,
    ),
    Family(
        name="FeatureUnion",
        modules=("sklearn.pipeline",),
        library="scikit-learn",
        releases=_RELEASES,
        used=known("transformer_list transformer_weights"),
        harmless=known("n_jobs verbose verbose_feature_names_out"),
        read=_read_union,
        graph=_graph,
        oracle=_union,
        probe=_probe,
        back=_back,
        looks=False,
        sparse=None,
    ),
    Family(
        name="FunctionTransformer",
        modules=("sklearn.preprocessing._function_transformer",),
        library="scikit-learn",
        releases=_RELEASES,
        used=known("func kw_args validate"),
        harmless=known(
            "inverse_func inv_kw_args accept_sparse check_inverse feature_names_out pass_y"
            " _validate"
        ),
        read=_read_function,
        graph=_graph_function,
        oracle=_function,
        probe=_probe_function,
        back=_back_function,
        looks=False,
    ),
)
