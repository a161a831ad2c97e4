"""LightGBM's boosters, which keep their model as text, and their wrappers for scikit-learn.

Trees compare in float64, and a column enters them as what it is compared with: the count of its
thresholds that are below it, or whether it is in a set of categories. What is missing depends on
the node: NaN, NaN and 0, or nothing, and then NaN is 0. A Booster answers up to its best iteration.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from aegismatrix_factory.rescue.converting import ensembles
from aegismatrix_factory.rescue.converting.attributes import Attributes, known, number
from aegismatrix_factory.rescue.converting.categories import Categories, categories
from aegismatrix_factory.rescue.converting.counting import count_below
from aegismatrix_factory.rescue.converting.errors import (
    InconsistentModelError,
    OversizedModelError,
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
from aegismatrix_factory.rescue.converting.formulas import both, expit, softmax
from aegismatrix_factory.rescue.converting.lightgbm_text import LIBRARY, Grown, Text, read_text
from aegismatrix_factory.rescue.converting.parameters import (
    LEAF,
    Ensemble,
    FloatArray,
    IntArray,
    Tree,
)
from aegismatrix_factory.rescue.converting.trees import check_size, grow
from aegismatrix_factory.rescue.converting.writing import Table, Writer, computed
from aegismatrix_factory.rescue.reading.errors import clipped
from aegismatrix_factory.rescue.reading.records import Record

Link = Literal["none", "exp", "square", "sigmoid", "softmax", "each", "softplus"]
Missing = Literal["none", "zero", "nan"]

_ZERO = float(np.float32(1e-35))
"""LightGBM drops numbers up to here from a row: they are 0."""
_MISSING: tuple[Missing, ...] = ("none", "zero", "nan")
_MOST_FACTORS = 20_000
"""Trees, times the columns that their leaves multiply: numbers that a row makes on its way."""
_MOST_SETS = 50_000_000
"""Categories of a column, times the sets of them that its nodes ask for."""

_OBJECTIVES: dict[str, tuple[Link, Answer]] = {
    "binary": ("sigmoid", "probability"),
    "multiclass": ("softmax", "probability"),
    "multiclassova": ("each", "probability"),
    "regression": ("none", "value"),
    "regression_l1": ("none", "value"),
    "huber": ("none", "value"),
    "fair": ("none", "value"),
    "quantile": ("none", "value"),
    "mape": ("none", "value"),
    "lambdarank": ("none", "value"),
    "rank_xendcg": ("none", "value"),
    "poisson": ("exp", "value"),
    "gamma": ("exp", "value"),
    "tweedie": ("exp", "value"),
    "cross_entropy": ("sigmoid", "value"),
    "cross_entropy_lambda": ("softplus", "value"),
}


@dataclass(frozen=True, eq=False)
class Compared:
    """One column of the rows as some nodes of the trees compare it.

    Attributes
    ----------
    column : int
    missing : {'none', 'zero', 'nan'}
        What of it goes the way of what is missing.
    thresholds : ndarray
        In order, finite.
    """

    column: int
    missing: Missing
    thresholds: FloatArray


@dataclass(frozen=True, eq=False)
class Membership:
    """One column of the rows as the sets of categories that it may be in.

    Attributes
    ----------
    column : int
    outside : ndarray of shape (categories, sets)
        1 where a code is outside of a set, 0 where it is inside.
    values : Categories or None
        What pandas had for each code; None where the column holds the codes.
    """

    column: int
    outside: FloatArray
    values: Categories | None


@dataclass(frozen=True, eq=False)
class Leafwise:
    """What a model text computes.

    Attributes
    ----------
    compared : tuple of Compared
        The first columns of the trees.
    memberships : tuple of Membership
        The following ones, one for each set.
    trees : Ensemble
        Their sums, or means.
    link : Link
    steepness : float
        Of a sigmoid.
    divisor : float
        Of the sums: the rounds, where they are averaged.
    lined : tuple of int
        Columns that leaves multiply. The trees say of each total a number and a factor of each.
    """

    compared: tuple[Compared, ...]
    memberships: tuple[Membership, ...]
    trees: Ensemble
    link: Link
    steepness: float
    divisor: float
    lined: tuple[int, ...] = ()

    @property
    def totals(self) -> int:
        """Sums."""
        return len(self.trees.base) // (1 + len(self.lined))


def _read_booster(attributes: Attributes, reader: Reader) -> Model:
    del reader
    text = _text(attributes)
    found = len(text.trees) // text.totals
    kept = _rounds(attributes, found)
    link, answer, steepness = _objective(text)
    if (link in ("softmax", "each")) != (text.totals > 1):
        raise InconsistentModelError(f"its objective answers {text.totals} questions at once")
    trees = text.trees[: kept * text.totals]
    compared, memberships = _compared(trees), _memberships(text, trees)
    lined = _lined(text, trees)
    parameters = Leafwise(
        compared=compared,
        memberships=memberships,
        trees=_ensemble(trees, text.totals, _Layout(compared, memberships, lined)),
        link=link,
        steepness=steepness,
        divisor=float(kept) if text.averages else 1.0,
        lined=lined,
    )
    shares = answer == "probability"
    classes = max(text.totals, 2) if shares else 0
    made_up = tuple(f"Column_{place}" for place in range(text.n_features))
    return Model(
        parameters=parameters,
        n_features=text.n_features,
        answers={"probability": classes, "label": 1} if shares else {"value": 1},
        classes=tuple(str(place) for place in range(classes)),
        takes_missing=True,
        feature_names=() if text.names == made_up else text.names,
        details={
            "objective": text.objective,
            "rounds": found,
            "rounds_used": kept,
            "text": text.version,
        },
    )


def _read_wrapper(attributes: Attributes, reader: Reader) -> Model:
    inside = attributes.get("_Booster")
    if not isinstance(inside, Record):
        raise UnsupportedModelError("it was never fitted", code="not-fitted")
    part = reader.part(inside)
    classifies = attributes.name == "LGBMClassifier"
    wanted: Answer = "probability" if classifies else "value"
    if not isinstance(part.parameters, Leafwise) or wanted not in part.model.answers:
        raise UnsupportedModelError(
            f"a {attributes.name} with another objective than its own",
            code="unsupported-objective",
        )
    classes = attributes.labels("_classes") if classifies else ()
    if len(classes) != len(part.model.classes):
        raise InconsistentModelError(f"{attributes.name} contradicts itself about its classes")
    return replace(part.model, parameters=part, classes=classes)


def _text(attributes: Attributes) -> Text:
    # It has another name since 4.0.
    for key in ("_handle", "handle"):
        given = attributes.get(key)
        if isinstance(given, str):
            return read_text(given)
    raise UnsupportedModelError("its booster was never fitted", code="not-fitted")


def _rounds(attributes: Attributes, found: int) -> int:
    """How many rounds it answers with."""
    best = attributes.get("best_iteration", 0)
    if isinstance(best, bool) or not isinstance(best, int | np.integer):
        raise InconsistentModelError("its best iteration is no whole number")
    return min(int(best), found) if best > 0 else found


def _objective(text: Text) -> tuple[Link, Answer, float]:
    name, *options = text.objective.split(" ")
    if name not in _OBJECTIVES:
        shown = clipped(name) or "a function of whoever trained it"
        raise UnsupportedModelError(
            f"its objective is {shown}, and none of {', '.join(_OBJECTIVES)}",
            code="unsupported-objective",
        )
    link, answer = _OBJECTIVES[name]
    steepness = 1.0
    for option in options:
        key, _, value = option.partition(":")
        if key == "sigmoid" and name in ("binary", "multiclassova"):
            steepness = number(value, "sigmoid")
        elif option == "sqrt" and name == "regression":
            link = "square"
        elif key != "num_class" or value != str(text.totals):
            raise UnsupportedModelError(
                f"its objective {name} has {clipped(option)}", code="unsupported-objective"
            )
    if steepness <= 0.0:
        raise InconsistentModelError("its sigmoid does not rise")
    return link, answer, steepness


def _lined(text: Text, trees: Sequence[Grown]) -> tuple[int, ...]:
    """What columns the leaves multiply."""
    columns = {column for tree in trees for line in tree.lines for column in line.columns.tolist()}
    if columns & text.categories.keys():
        raise UnsupportedModelError(
            "it multiplies what pandas had as categories", code="categorical-splits"
        )
    size = len(trees) * (1 + len(columns))
    if columns and size > _MOST_FACTORS:
        raise OversizedModelError(f"its leaves have {size} factors of a row")
    return tuple(sorted(columns))


def _compared(trees: Sequence[Grown]) -> tuple[Compared, ...]:
    """What of each column the trees compare, each threshold once."""
    found: dict[tuple[int, Missing], list[FloatArray]] = {}
    for tree in trees:
        for kind, missing in enumerate(_MISSING):
            own = (tree.decision & 1 == 0) & (tree.decision >> 2 == kind)
            for column in np.unique(tree.feature[own]).tolist():
                thresholds = tree.threshold[own & (tree.feature == column)]
                found.setdefault((column, missing), []).append(thresholds)
    # No count is above all thresholds, so an infinite one need not be among them.
    every = {key: np.unique(np.concatenate(own)) for key, own in sorted(found.items())}
    return tuple(Compared(*key, own[np.isfinite(own)]) for key, own in every.items())


def _memberships(text: Text, trees: Sequence[Grown]) -> tuple[Membership, ...]:
    """What sets of categories the trees ask for, each once."""
    found: dict[int, dict[bytes, IntArray]] = {}
    for tree in trees:
        if (
            text.categories
            and np.isin(tree.feature[tree.decision & 1 == 0], list(text.categories)).any()
        ):
            raise UnsupportedModelError(
                "it compares what pandas had as categories", code="categorical-splits"
            )
        for node in np.flatnonzero(tree.decision & 1).tolist():
            chosen = tree.sets[int(tree.threshold[node])]
            found.setdefault(int(tree.feature[node]), {})[chosen.tobytes()] = chosen
    return tuple(
        _membership(column, list(found[column].values()), text.categories.get(column))
        for column in sorted(found)
    )


def _membership(column: int, sets: list[IntArray], given: list[Any] | None) -> Membership:
    values = None
    if given is not None:
        array = np.empty(len(given), dtype=object)
        array[:] = given
        values = categories(array, f"column {column} of pandas")
    codes = 1 + max((int(one.max()) for one in sets if len(one)), default=0)
    if values is not None and codes > len(values):
        raise InconsistentModelError("a tree asks for a category that pandas did not have")
    codes = codes if values is None else len(values)
    if codes * len(sets) > _MOST_SETS:
        raise OversizedModelError(f"its trees ask for {len(sets)} sets of {codes} categories")
    outside = np.ones((codes, len(sets)))
    for place, one in enumerate(sets):
        outside[one, place] = 0.0
    return Membership(column, outside, values)


class _Layout:
    """Where among the columns of the trees a node finds what it asks for."""

    def __init__(
        self,
        compared: Sequence[Compared],
        memberships: Sequence[Membership],
        lined: Sequence[int] = (),
    ) -> None:
        self.compared = {(one.column, one.missing): one.thresholds for one in compared}
        self.places = {key: place for place, key in enumerate(self.compared)}
        begin = len(compared)
        self.sets: dict[tuple[int, bytes], int] = {}
        for one in memberships:
            for place in range(one.outside.shape[1]):
                inside = np.flatnonzero(one.outside[:, place] == 0.0)
                self.sets[one.column, inside.tobytes()] = begin + place
            begin += one.outside.shape[1]
        # Where each column that leaves multiply is 1 where it is missing.
        self.absent = {column: begin + place for place, column in enumerate(lined)}
        self.factors = {column: 1 + place for place, column in enumerate(lined)}
        self.width = max(begin + len(lined), 1)

    def find(self, tree: Grown, node: int) -> tuple[int, float]:
        """Return the column and what it is compared with."""
        column, decision = int(tree.feature[node]), int(tree.decision[node])
        threshold = float(tree.threshold[node])
        if decision & 1:
            return self.sets[column, tree.sets[int(threshold)].tobytes()], 0.5
        key = (column, _MISSING[decision >> 2])
        return self.places[key], float(np.searchsorted(self.compared[key], threshold))


def _ensemble(trees: Sequence[Grown], totals: int, layout: _Layout) -> Ensemble:
    return Ensemble(
        trees=tuple(
            _tree(tree, place % totals, totals, layout) for place, tree in enumerate(trees)
        ),
        n_features=layout.width,
        strict=False,
        total="sum",
        base=np.zeros(totals * (1 + len(layout.factors))),
        link="none",
        answer="value",
        takes_missing=True,
    )


def _tree(tree: Grown, total: int, totals: int, layout: _Layout) -> Tree:
    if layout.factors:
        return _lined_tree(tree, total, totals, layout)
    splits, leaves = len(tree.feature), len(tree.leaves)
    feature, threshold = np.zeros(splits + leaves, dtype=np.int64), np.zeros(splits + leaves)
    for node in range(splits):
        feature[node], threshold[node] = layout.find(tree, node)
    values = np.zeros((splits + leaves, totals))
    values[splits:, total] = tree.leaves
    missing = np.zeros(splits + leaves, dtype=np.bool_)
    missing[:splits] = tree.decision & 2 != 0
    ends = np.full(leaves, LEAF, dtype=np.int64)

    def children(given: IntArray) -> IntArray:
        return np.concatenate([np.where(given < 0, splits - 1 - given, given), ends])

    return grow(
        feature,
        threshold,
        children(tree.left),
        children(tree.right),
        missing,
        values,
        layout.width,
    )


def _lined_tree(tree: Grown, total: int, totals: int, layout: _Layout) -> Tree:
    """The same with leaves of factors, which say their number where a column of theirs is missing.

    Each asks its columns for that in turn.
    """
    splits, each = len(tree.feature), 1 + len(layout.factors)
    nodes: list[tuple[int, float, int, int, bool]] = []
    for node in range(splits):
        column, threshold = layout.find(tree, node)
        left, right = (
            int(one if one >= 0 else splits - 1 - one)
            for one in (tree.left[node], tree.right[node])
        )
        nodes.append((column, threshold, left, right, bool(tree.decision[node] & 2)))
    nodes += [(0, 0.0, LEAF, LEAF, False)] * len(tree.leaves)
    said: dict[int, dict[int, float]] = {}
    for leaf, value in enumerate(tree.leaves.tolist()):
        here = splits + leaf
        line = tree.lines[leaf] if tree.lines else None
        columns = [] if line is None else line.columns.tolist()
        for column in columns:
            there, gone = len(nodes), len(nodes) + 1
            nodes += [(0, 0.0, LEAF, LEAF, False)] * 2
            nodes[here] = (layout.absent[column], 0.5, there, gone, False)
            said[gone] = {0: value}
            here = there
        said[here] = {0: value if line is None else line.constant}
        if line is not None:
            said[here] |= {
                layout.factors[column]: factor
                for column, factor in zip(columns, line.factors.tolist(), strict=True)
            }
    check_size(len(nodes), totals * each)
    values = np.zeros((len(nodes), totals * each))
    for node, numbers in said.items():
        for place, one in numbers.items():
            values[node, total * each + place] = one
    feature, threshold_of, left_of, right_of, missing = zip(*nodes, strict=True)
    return grow(
        np.array(feature, dtype=np.int64),
        np.array(threshold_of, dtype=np.float64),
        np.array(left_of, dtype=np.int64),
        np.array(right_of, dtype=np.int64),
        np.array(missing, dtype=np.bool_),
        values,
        layout.width,
    )


def _graph_booster(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    model: Leafwise = part.parameters
    columns = [_counts(writer, one, x) for one in model.compared]
    columns += [_outside(writer, one, x) for one in model.memberships]
    if model.lined:
        given = writer.chosen(x, model.lined).numbers()
        there = writer.add("Equal", [given, given])
        columns.append(writer.doubled(writer.add("Not", [there])))
    if not columns:
        # Trees of one leaf ask for nothing, and the number of rows is told by a column.
        columns = [writer.chosen(x, [0]).numbers()]
    counts = writer.joined(columns)
    sums = ensembles.write(writer, model.trees, counts)
    if model.lined:
        sums = _multiplied(writer, model, sums, given, there)
    if model.divisor != 1.0:
        sums = writer.add("Div", [sums, writer.number(model.divisor)])
    if model.steepness != 1.0:
        sums = writer.scaled(sums, np.full(model.totals, model.steepness))
    said = _linked(writer, model.link, sums)
    if answer == "value":
        return computed(said, 1)
    if model.totals == 1:
        said = writer.both(said)
    if answer == "label":
        return computed(writer.largest(said), 1)
    return computed(said, max(model.totals, 2))


def _multiplied(writer: Writer, model: Leafwise, sums: str, given: str, there: str) -> str:
    """Write each total: its number, and its factors times the columns that they are of."""
    zero = writer.number(0.0)
    small = writer.add("LessOrEqual", [writer.add("Abs", [given]), writer.number(_ZERO)])
    kept = writer.add("Where", [there, writer.add("Where", [small, zero, given]), zero])
    each = 1 + len(model.lined)
    totals = []
    for total in range(model.totals):
        begin = total * each
        number_of = writer.add("Gather", [sums, writer.axes(begin)], axis=1)
        factors = writer.add("Gather", [sums, writer.axes(*range(begin + 1, begin + each))], axis=1)
        moved = writer.add("Mul", [factors, kept])
        added = writer.add("ReduceSum", [moved, writer.axes(1)], keepdims=1)
        totals.append(writer.add("Add", [number_of, added]))
    return writer.joined(totals)


def _linked(writer: Writer, link: Link, sums: str) -> str:
    if link == "exp":
        return writer.add("Exp", [sums])
    if link == "square":
        return writer.add("Mul", [sums, writer.add("Abs", [sums])])
    if link in ("sigmoid", "each"):
        return writer.sigmoid(sums)
    if link == "softmax":
        return writer.add("Softmax", [sums], axis=1)
    if link == "softplus":
        raised = writer.add("Add", [writer.add("Exp", [sums]), writer.number(1.0)])
        return writer.add("Log", [raised])
    return sums


def _counts(writer: Writer, one: Compared, x: Table) -> str:
    value = writer.chosen(x, [one.column]).numbers()
    zero = writer.number(0.0)
    small = writer.add("LessOrEqual", [writer.add("Abs", [value]), writer.number(_ZERO)])
    value = writer.add("Where", [small, zero, value])
    there = writer.add("Equal", [value, value])
    if one.missing != "nan":
        value = writer.add("Where", [there, value, zero])
    if len(one.thresholds):
        count = count_below(writer, value, one.thresholds)
    else:
        count = writer.add("Where", [there, zero, zero])
    if one.missing == "none":
        return count
    if one.missing == "zero":
        there = writer.add("Not", [writer.add("Equal", [value, zero])])
    return writer.add("Where", [there, count, writer.nan()])


def _outside(writer: Writer, one: Membership, x: Table) -> str:
    """Write (N, sets): 0 where the category of a row is in the set."""
    codes = len(one.outside)
    if one.values is not None:
        inside = writer.weight(1.0 - one.outside)
        hits = writer.add("MatMul", [one.values.matches(writer, x, one.column), inside])
        return writer.add("Sub", [writer.number(1.0), hits])
    value = writer.chosen(x, [one.column]).numbers()
    # Towards 0, so that what is above -1 is category 0; NaN is above nothing.
    low = writer.add("Greater", [value, writer.number(-1.0)])
    high = writer.add("Less", [value, writer.number(float(codes))])
    whole = writer.add("Floor", [writer.add("Max", [value, writer.number(0.0)])])
    there = writer.add("And", [low, high])
    place = writer.add("Where", [there, whole, writer.number(float(codes))])
    place = writer.add("Squeeze", [place, writer.axes(1)])
    place = writer.add("Cast", [place], to=TensorProto.INT64)
    table = np.concatenate([one.outside, np.ones((1, one.outside.shape[1]))])
    return writer.add("Gather", [writer.weight(table), place], axis=0)


def _probe_booster(part: Part, random: np.random.Generator, rows: int) -> Probes:
    model: Leafwise = part.parameters
    width = part.model.n_features or 1
    drawn, edges = random.normal(size=(rows, width)), random.normal(size=(min(rows, 128), width))
    for one in model.compared:
        at = np.concatenate([one.thresholds, [0.0, _ZERO, -_ZERO]])
        low, high = float(at.min()), float(at.max())
        room = 0.2 * (high - low) + 1e-3 * max(1.0, abs(low))
        drawn[:, one.column] = random.uniform(low - room, high + room, size=rows)
        chosen = random.choice(at, size=len(edges))
        edges[:, one.column] = _near(chosen, random)
    for member in model.memberships:
        for batch in (drawn, edges):
            batch[:, member.column] = _categories_near(member, random, len(batch))
    return Probes((drawn,), edges)


def _near(at: FloatArray, random: np.random.Generator) -> FloatArray:
    moved = random.integers(-1, 2, size=len(at))
    near = np.where(moved < 0, np.nextafter(at, -np.inf), np.nextafter(at, np.inf))
    return np.where(moved == 0, at, near)


def _categories_near(one: Membership, random: np.random.Generator, rows: int) -> FloatArray:
    if one.values is not None:
        return one.values.probe(random, rows)
    codes = random.integers(-2, len(one.outside) + 2, size=rows)
    return np.asarray(codes + random.choice([0.0, 0.0, 0.4, -0.4], size=rows))


def _graph_wrapper(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    inside: Part = part.parameters
    return inside.graph(answer, writer, x)


def _probe_wrapper(part: Part, random: np.random.Generator, rows: int) -> Probes:
    inside: Part = part.parameters
    return inside.probes(random, rows)


def _oracle_wrapper(
    attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle
) -> FloatArray:
    return oracle.answer(attributes.need("_Booster"), answer, rows)


def _oracle_booster(
    attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle
) -> FloatArray:
    """Tree after tree from the lines of the text, node by node as they stand."""
    del oracle
    text = attributes.get("_handle") or attributes.need("handle")
    before, _, behind = text.partition("\nend of trees\n")
    begin, *blocks = before.split("\nTree=")
    said = dict(line.split("=", 1) for line in begin.split("\n") if "=" in line)
    totals, best = int(said["num_tree_per_iteration"]), attributes.get("best_iteration", 0)
    if best > 0:
        blocks = blocks[: best * totals]
    x = _coded(rows, behind, said["feature_infos"].split(" "))
    sums = np.zeros((len(x), totals))
    for place, block in enumerate(blocks):
        tree = dict(line.split("=", 1) for line in block.split("\n")[1:] if line)
        sums[:, place % totals] += _walked(tree, x)
    if "\naverage_output\n" in begin:
        sums /= len(blocks) // totals
    name, *options = said["objective"].split(" ")
    given = dict(one.partition(":")[::2] for one in options)
    if name in ("poisson", "gamma", "tweedie"):
        return np.exp(sums)
    if name == "cross_entropy_lambda":
        return np.log1p(np.exp(sums))
    if name == "cross_entropy":
        return expit(sums)
    if name in ("binary", "multiclass", "multiclassova"):
        shares = (
            softmax(sums) if name == "multiclass" else expit(float(given.get("sigmoid", 1)) * sums)
        )
        shares = both(shares) if totals == 1 else shares
        return shares.argmax(axis=1).astype(np.float64)[:, None] if answer == "label" else shares
    return np.sign(sums) * sums**2 if "sqrt" in given else sums


def _coded(rows: Rows, behind: str, infos: list[str]) -> FloatArray:
    """Rows with the codes of what pandas had as categories."""
    lines = behind.split("\n")
    (listed,) = (line for line in lines if line.startswith("pandas_categorical:"))
    values = json.loads(listed.partition(":")[2]) or []
    trained = [line for line in lines if line.startswith("[categorical_feature:")]
    columns = [int(one) for one in re.findall(r"\d+", "".join(trained))]
    columns = columns or [place for place, one in enumerate(infos) if one[0] not in "[n"]
    x = np.zeros((len(rows), rows.shape[1]))
    for place in range(rows.shape[1]):
        if values and place in columns:
            own = values[columns.index(place)]
            given = rows[:, place].tolist()
            x[:, place] = [own.index(one) if one in own else np.nan for one in given]
        else:
            x[:, place] = rows[:, place].astype(np.float64)
    return x


def _walked(tree: Mapping[str, str], x: FloatArray) -> FloatArray:
    values = np.array(tree["leaf_value"].split(" "), dtype=np.float64)
    if len(values) == 1:
        return _lines_of(tree, x, np.zeros(len(x), dtype=np.int64), np.repeat(values, len(x)))
    feature, decision, left, right = (
        np.array(tree[key].split(" "), dtype=np.int64)
        for key in ("split_feature", "decision_type", "left_child", "right_child")
    )
    limit = np.array(tree["threshold"].split(" "), dtype=np.float64)
    at, every = np.zeros(len(x), dtype=np.int64), np.arange(len(x))
    while (at >= 0).any():
        node = np.maximum(at, 0)
        value, missing = x[every, feature[node]], decision[node] // 4
        value = np.where(np.abs(value) <= _ZERO, 0.0, value)
        value = np.where(np.isnan(value) & (missing < 2), 0.0, value)
        absent = np.isnan(value) | ((missing == 1) & (value == 0.0))
        to_left = np.where(absent, decision[node] & 2 != 0, value <= limit[node])
        for one in np.unique(node[decision[node] % 2 == 1]):
            mine = node == one
            to_left[mine] = _in_set(tree, int(limit[one]), x[mine, feature[one]])
        at = np.where(at < 0, at, np.where(to_left, left[node], right[node]))
    return _lines_of(tree, x, -1 - at, values[-1 - at])


def _lines_of(
    tree: Mapping[str, str], x: FloatArray, leaf: IntArray, values: FloatArray
) -> FloatArray:
    """What a leaf says of each row where it is a line: its number where a column is missing."""
    if tree.get("is_linear", "0") != "1":
        return np.asarray(values)
    constants = [float(one) for one in tree["leaf_const"].split(" ")]
    counts = [int(one) for one in tree["num_features"].split(" ")]
    columns, factors = tree["leaf_features"].split(), tree["leaf_coeff"].split()
    said = np.array(values)
    for row, one in enumerate(leaf.tolist()):
        begin = sum(counts[:one])
        own = [int(column) for column in columns[begin : begin + counts[one]]]
        given = np.where(np.abs(x[row, own]) <= _ZERO, 0.0, x[row, own])
        if not np.isnan(given).any():
            by = np.array(factors[begin : begin + counts[one]], dtype=np.float64)
            said[row] = constants[one] + float((given * by).sum())
    return said


def _in_set(tree: Mapping[str, str], which: int, value: FloatArray) -> NDArray[np.bool_]:
    bounds = [int(one) for one in tree["cat_boundaries"].split(" ")]
    words = [int(one) for one in tree["cat_threshold"].split(" ")][bounds[which] :]
    words = words[: bounds[which + 1] - bounds[which]]
    whole = sum(word << 32 * place for place, word in enumerate(words))
    top = 32.0 * len(words)
    # NaN is neither.
    codes = [int(one) if -1.0 < one < top else -1 for one in value.tolist()]
    return np.array([one >= 0 and bool(whole >> one & 1) for one in codes], dtype=np.bool_)


_BOOSTER = known(
    """
    _Booster__attr _Booster__higher_better_inner_eval _Booster__init_predictor
    _Booster__inner_predict_buffer _Booster__is_predicted_cur_iter _Booster__name_inner_eval
    _Booster__need_reload_eval_info _Booster__num_class _Booster__num_dataset
    _Booster__num_inner_eval _Booster__set_objective_to_none _network _train_data_name best_score
    name_valid_sets network pandas_categorical params train_set_version
    """
)
_FITTED = known(
    """
    _best_iteration _best_score _class_map _class_weight _eval_at _evals_result
    _fitted_with_feature_names
    _fobj _le _n_classes _n_features _n_features_in _objective _other_params class_weight fitted_
    importance_type silent
    """
)
# Every parameter of a training, since a wrapper keeps whatever it was given; those of a prediction,
# such as `pred_early_stop`, would change its answers and are left out.
_TRAINED = known(
    """
    alpha app application auc_mu_weights bagging bagging_by_query bagging_fraction
    bagging_fraction_seed bagging_freq bagging_seed bin_construct_sample_cnt blacklist boost
    boost_from_average boosting boosting_type bundle cat_column cat_feature cat_l2 cat_smooth
    categorical_column categorical_feature categorical_features cegb_penalty_feature_coupled
    cegb_penalty_feature_lazy cegb_penalty_split cegb_tradeoff colsample_bynode colsample_bytree
    config config_file convert_model convert_model_file convert_model_language data
    data_filename data_random_seed data_sample_strategy data_seed deterministic device
    device_type drop_rate drop_seed early_stopping early_stopping_min_delta early_stopping_round
    early_stopping_rounds enable_bundle enable_sparse eta eval_at extra_seed extra_tree
    extra_trees fair_c fc feature_contri feature_contrib feature_fraction
    feature_fraction_bynode feature_fraction_seed feature_penalty feature_pre_filter
    first_metric_only force_col_wise force_row_wise forced_splits forced_splits_file
    forced_splits_filename forcedbins_filename forcedsplits_filename fp fs gpu_device_id
    gpu_device_id_list gpu_platform_id gpu_use_dp group group_column group_id has_header header
    hist_pool_size histogram_pool_size ignore_column ignore_feature interaction_constraints
    is_enable_bundle is_enable_sparse is_pre_partition is_provide_training_metric is_save_binary
    is_save_binary_file is_sparse is_training_metric is_unbalance l1_regularization
    l2_regularization label label_column label_gain lambda lambda_l1 lambda_l2 lambdarank_norm
    lambdarank_position_bias_regularization lambdarank_truncation_level learning_rate
    linear_lambda linear_tree linear_trees local_listen_port local_port loss machine_list
    machine_list_file machine_list_filename machines map_at map_eval_at max_bin
    max_bin_by_feature max_bins max_cat_threshold max_cat_to_onehot max_delta_step max_depth
    max_drop max_iter max_leaf max_leaf_nodes max_leaf_output max_leaves max_tree_output mc
    mc_method mc_penalty metric metric_freq metric_types metrics min_child_samples
    min_child_weight min_data min_data_in_bin min_data_in_leaf min_data_per_group
    min_data_per_leaf min_gain_to_split min_hessian min_samples_leaf min_split_gain
    min_sum_hessian min_sum_hessian_in_leaf min_sum_hessian_per_leaf mlist model_out
    model_output monotone_constraining_method monotone_constraint monotone_constraints
    monotone_constraints_method monotone_penalty monotone_splits_penalty monotonic_cst
    ms_penalty multi_error_top_k n_estimators n_iter n_iter_no_change n_jobs ndcg_at
    ndcg_eval_at neg_bagging neg_bagging_fraction neg_sub_row neg_subsample nodes nrounds
    nthread nthreads num_boost_round num_class num_classes num_gpu num_grad_quant_bins
    num_iteration num_iterations num_leaf num_leaves num_machine num_machines num_round
    num_rounds num_thread num_threads num_tree num_trees objective objective_seed objective_type
    other_rate output_freq output_model output_result parser_config_file path_smooth
    poisson_max_delta_step port pos_bagging pos_bagging_fraction pos_sub_row pos_subsample
    pre_partition precise_float_parser quant_train_renew_leaf query query_column query_id
    random_seed random_state rate_drop refit_decay_rate reg_alpha reg_lambda reg_sqrt
    save_binary save_period saved_feature_importance_type scale_pos_weight seed shrinkage_rate
    sigmoid skip_drop snapshot_freq sparse stochastic_rounding sub_feature sub_feature_bynode
    sub_row subsample subsample_for_bin subsample_freq task task_type test test_data
    test_data_file time_out top_k top_rate topk train train_data train_data_file train_metric
    training_metric tree tree_learner tree_learner_type tree_type tweedie_variance_power
    two_round two_round_loading unbalance unbalanced_sets uniform_drop use_missing
    use_quantized_grad use_two_round_loading valid valid_data valid_data_file valid_filenames
    verbose verbosity weight weight_column workers xgboost_dart_mode zero_as_missing
    """
)

FAMILIES = (
    Family(
        name="Booster",
        # The other is a file of its own, which is loaded as a Booster.
        modules=("lightgbm.basic", "lightgbm.file"),
        library=LIBRARY,
        releases=((2, 3), (4, 7)),
        used=known("_handle handle best_iteration"),
        harmless=_BOOSTER,
        read=_read_booster,
        graph=_graph_booster,
        oracle=_oracle_booster,
        probe=_probe_booster,
        takes_endless=True,
        says_release=False,
    ),
    *(
        Family(
            name=name,
            modules=("lightgbm.sklearn",),
            library=LIBRARY,
            releases=((2, 3), (4, 7)),
            used=known(f"_Booster{more}"),
            harmless={**_TRAINED, **_FITTED, **({} if more else known("_classes"))},
            read=_read_wrapper,
            graph=_graph_wrapper,
            oracle=_oracle_wrapper,
            probe=_probe_wrapper,
            takes_endless=True,
            says_release=False,
        )
        for name, more in (
            ("LGBMClassifier", " _classes"),
            ("LGBMRegressor", ""),
            ("LGBMRanker", ""),
        )
    ),
)
