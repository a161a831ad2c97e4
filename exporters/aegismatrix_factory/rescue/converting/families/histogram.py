"""scikit-learn's histogram gradient boosting, whose trees compare in float64.

Trees of ONNX compare in float32. So each column becomes the count of its thresholds that are below
it, which float32 holds, and a tree compares those counts. A column of categories becomes one column
for each set of them that the trees ask for (`aegismatrix_factory.rescue.converting.bitsets`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from aegismatrix_factory.rescue.converting import ensembles
from aegismatrix_factory.rescue.converting.attributes import Attributes, known, whole_numbers
from aegismatrix_factory.rescue.converting.bitsets import Coded, Sets, read_columns, unpacked
from aegismatrix_factory.rescue.converting.counting import count_below
from aegismatrix_factory.rescue.converting.errors import (
    InconsistentModelError,
    NonFiniteModelError,
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
from aegismatrix_factory.rescue.converting.parameters import LEAF, Ensemble, FloatArray
from aegismatrix_factory.rescue.converting.trees import check_size, grow
from aegismatrix_factory.rescue.converting.writing import Table, Writer, computed
from aegismatrix_factory.rescue.reading.records import Record

_PLAIN = (
    "least_squares",
    "squared_error",
    "absolute_error",
    "least_absolute_deviation",
    "quantile",
)
_RAISED = ("poisson", "gamma")
_SHARES = ("auto", "log_loss", "binary_crossentropy", "categorical_crossentropy")


@dataclass(frozen=True, eq=False)
class Histogram:
    """Trees over counts of thresholds.

    Attributes
    ----------
    columns : tuple of (int or Coded)
        What each column of the trees is in the rows.
    thresholds : tuple of ndarray
        Of each of these columns, in order.
    sets : Sets
        Those of categories, whose columns follow.
    trees : Ensemble
        Their sum; its columns are counts, and sides.
    link : {'none', 'exp', 'sigmoid', 'softmax'}
    """

    columns: tuple[int | Coded, ...]
    thresholds: tuple[FloatArray, ...]
    sets: Sets
    trees: Ensemble
    link: Literal["none", "exp", "sigmoid", "softmax"]


def _read(attributes: Attributes, reader: Reader) -> Model:
    name = attributes.name
    totals = attributes.count("n_trees_per_iteration_")
    loss = attributes.text("loss")
    classifies = name.endswith("Classifier")
    classes = attributes.labels("classes_") if classifies else ()
    link: Literal["none", "exp", "sigmoid", "softmax"] = "none"
    if classifies:
        if loss not in _SHARES or totals != (1 if len(classes) == 2 else len(classes)):
            raise UnsupportedModelError(f"its {name} has an unknown loss or number of trees")
        link = "sigmoid" if totals == 1 else "softmax"
    elif loss in _RAISED:
        link = "exp"
    elif loss not in _PLAIN:
        raise UnsupportedModelError(f"its {name} has an unknown loss")
    width = _width(attributes)
    every = [_nodes(one, name) for one in _predictors(attributes, totals)]
    check_size(sum(len(nodes) for nodes, _ in every), totals)
    columns = read_columns(attributes, reader, width)
    thresholds = _thresholds([nodes for nodes, _ in every], width)
    sets = _sets(every, columns, thresholds)
    features = sets.number()
    base = np.asarray(attributes.need("_baseline_prediction"), dtype=np.float64).reshape(-1)
    if base.shape != (totals,) or not np.isfinite(base).all():
        raise InconsistentModelError(f"{name} begins with another number of values")
    trees = tuple(
        _tree(nodes, left, thresholds, sets, (place % totals, totals, features))
        for place, (nodes, left) in enumerate(every)
    )
    missing = attributes.since(0, 22)
    histogram = Histogram(
        columns=tuple(columns),
        thresholds=thresholds,
        sets=sets,
        trees=Ensemble(
            trees=trees,
            n_features=features,
            strict=False,
            total="sum",
            base=base,
            link="none",
            answer="value",
            takes_missing=missing,
        ),
        link=link,
    )
    answers: dict[Answer, int | None] = {"value": 1}
    if classifies:
        answers = {"probability": len(classes), "decision": totals, "label": 1}
    return Model(
        parameters=histogram,
        n_features=width,
        answers=answers,
        classes=classes,
        takes_missing=missing,
        feature_names=attributes.column_names(width),
    )


def _width(attributes: Attributes) -> int:
    for key in ("n_features_in_", "_n_features", "n_features_"):
        if attributes.has(key):
            return attributes.count(key)
    raise UnsupportedModelError(f"its {attributes.name} does not say how many columns it takes")


def _predictors(attributes: Attributes, totals: int) -> list[Any]:
    given = attributes.need("_predictors")
    if not isinstance(given, list) or not given:
        raise InconsistentModelError(f"{attributes.name} has no trees")
    found = []
    for one in given:
        if not isinstance(one, list) or len(one) != totals:
            raise InconsistentModelError(f"{attributes.name} has another number of trees a round")
        found += one
    return found


def _nodes(given: object, name: str) -> tuple[Any, Any]:
    """The nodes of a tree, and the sets of categories that go to the left in it."""
    if not isinstance(given, Record) or given.name != "TreePredictor":
        raise InconsistentModelError(f"a {name} holds something else than trees")
    predictor = Attributes(given, _PREDICTOR)
    nodes = predictor.need("nodes")
    fields = nodes.dtype.names if isinstance(nodes, np.ndarray) else None
    if fields is None or nodes.ndim != 1 or not len(nodes):
        raise InconsistentModelError(f"the nodes of a {name} are none")
    if not set(_FIELDS) <= set(fields) or not {"threshold", "num_threshold"} & set(fields):
        raise InconsistentModelError(f"the nodes of a {name} have other fields")
    unknown = set(fields) - set(_FIELDS) - _MORE
    if unknown:
        raise UnsupportedModelError(f"the nodes of a {name} have {sorted(unknown)[0]}")
    left = np.zeros((0, 0), dtype=np.bool_)
    if _asks_for_sets(nodes).any():
        left = unpacked(predictor.need("raw_left_cat_bitsets"))
    if not np.isfinite(nodes["value"][nodes["is_leaf"] != 0]).all():
        raise NonFiniteModelError(f"{name}.nodes")
    return nodes, left


def _asks_for_sets(nodes: Any) -> Any:
    """Which nodes ask for a set of categories."""
    inner = nodes["is_leaf"] == 0
    if "is_categorical" not in nodes.dtype.names:
        return np.zeros(len(nodes), dtype=np.bool_)
    return inner & (nodes["is_categorical"] != 0)


def _sets(
    every: list[tuple[Any, Any]], columns: list[int | Coded], thresholds: tuple[FloatArray, ...]
) -> Sets:
    sets = Sets(len(columns))
    for nodes, left in every:
        for node in np.flatnonzero(_asks_for_sets(nodes)).tolist():
            feature, place = int(nodes["feature_idx"][node]), int(nodes["bitset_idx"][node])
            if not 0 <= feature < len(columns) or not 0 <= place < len(left):
                raise InconsistentModelError("a tree asks for a set that is not there")
            coded = columns[feature]
            if isinstance(coded, int):
                raise InconsistentModelError("a tree asks a column of numbers for categories")
            sets.gather(feature, coded, left[place])
    for coded, own in zip(columns, thresholds, strict=True):
        if isinstance(coded, Coded) and len(own):
            raise InconsistentModelError("a tree compares a column of categories")
    return sets


def _compared(nodes: Any) -> FloatArray:
    key = "num_threshold" if "num_threshold" in nodes.dtype.names else "threshold"
    return np.asarray(nodes[key], dtype=np.float64)


def _thresholds(every: list[Any], width: int) -> tuple[FloatArray, ...]:
    found: list[list[float]] = [[] for _ in range(width)]
    for nodes in every:
        inner = (nodes["is_leaf"] == 0) & ~_asks_for_sets(nodes)
        columns = whole_numbers(nodes["feature_idx"][inner], (int(inner.sum()),), "feature_idx")
        if len(columns) and (columns.min() < 0 or columns.max() >= width):
            raise InconsistentModelError("a tree compares a column that is not there")
        compared = _compared(nodes)[inner]
        if np.isnan(compared).any() or (compared == -np.inf).any():
            raise NonFiniteModelError("the thresholds of a tree")
        for column, threshold in zip(columns.tolist(), compared.tolist(), strict=True):
            # Of an infinite one every number is below: no count is above the last.
            if threshold != np.inf:
                found[column].append(threshold)
    return tuple(np.unique(np.array(one, dtype=np.float64)) for one in found)


def _tree(
    nodes: Any,
    left: Any,
    thresholds: tuple[FloatArray, ...],
    sets: Sets,
    place: tuple[int, int, int],
) -> Any:
    total, totals, features = place
    size = len(nodes)
    leaf = nodes["is_leaf"] != 0
    feature = np.where(leaf, 0, nodes["feature_idx"].astype(np.int64))
    compared = _compared(nodes)
    counts = np.zeros(size)
    for column, own in enumerate(thresholds):
        mine = ~leaf & (feature == column)
        counts[mine] = np.searchsorted(own, compared[mine], side="left")
    for node in np.flatnonzero(_asks_for_sets(nodes)).tolist():
        chosen = left[int(nodes["bitset_idx"][node])]
        feature[node], counts[node] = sets.place(int(feature[node]), chosen), 0.5
    missing = np.zeros(size, dtype=np.bool_)
    if "missing_go_to_left" in nodes.dtype.names:
        missing = nodes["missing_go_to_left"] != 0
    values = np.zeros((size, totals))
    values[:, total] = np.where(leaf, nodes["value"], 0.0)
    return grow(
        feature,
        counts,
        np.where(leaf, LEAF, nodes["left"].astype(np.int64)),
        np.where(leaf, LEAF, nodes["right"].astype(np.int64)),
        missing,
        values,
        features,
    )


def _graph(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    histogram: Histogram = part.parameters
    columns = []
    for source, own in zip(histogram.columns, histogram.thresholds, strict=True):
        if isinstance(source, Coded):
            # No tree compares it: what they ask for are its sets, behind the others.
            columns.append(writer.add("Gather", [x.tensor, writer.axes(source.column)], axis=1))
            continue
        column = writer.chosen(x, [source]).numbers()
        if len(own):
            count = count_below(writer, column, own)
            there = writer.add("Equal", [column, column])
            column = writer.add("Where", [there, count, column])
        columns.append(column)
    for feature in sorted(histogram.sets.by_column):
        coded = histogram.columns[feature]
        assert isinstance(coded, Coded)
        columns.append(coded.sides(writer, x, list(histogram.sets.by_column[feature].values())))
    counts = writer.joined(columns)
    sums = ensembles.write(writer, histogram.trees, counts)
    total = len(histogram.trees.base)
    if answer == "decision" or histogram.link == "none":
        return computed(sums, total)
    if histogram.link == "exp":
        return computed(writer.add("Exp", [sums]), 1)
    if histogram.link == "softmax":
        if answer == "label":
            return computed(writer.largest(sums), 1)
        return computed(writer.add("Softmax", [sums], axis=1), total)
    shares = writer.both(writer.sigmoid(sums))
    return computed(writer.largest(shares), 1) if answer == "label" else computed(shares, 2)


def _probe(part: Part, random: np.random.Generator, rows: int) -> Probes:
    histogram: Histogram = part.parameters
    width = len(histogram.thresholds)
    drawn = random.normal(size=(rows, width))
    edges = random.normal(size=(min(rows, 128), width))
    for column, own in zip(histogram.columns, histogram.thresholds, strict=True):
        if isinstance(column, Coded):
            drawn[:, column.column] = column.probe(random, rows)
            edges[:, column.column] = column.probe(random, len(edges))
            continue
        if not len(own):
            continue
        low, high = own[0], own[-1]
        room = 0.2 * (high - low) + 1e-3 * max(1.0, abs(low))
        drawn[:, column] = random.uniform(low - room, high + room, size=rows)
        at = random.choice(own, size=len(edges))
        moved = random.integers(-1, 2, size=len(edges))
        near = np.where(moved < 0, np.nextafter(at, -np.inf), np.nextafter(at, np.inf))
        edges[:, column] = np.where(moved == 0, at, near)
    return Probes((drawn,), edges)


def _oracle(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    """Tree after tree in float64, node by node as they stand."""
    x, seen = _coded(attributes, rows, oracle)
    base = np.asarray(attributes.need("_baseline_prediction"), dtype=np.float64).reshape(-1)
    sums = np.repeat(base[None], len(x), axis=0)
    every = np.arange(len(x))
    for turn in attributes.need("_predictors"):
        for column, predictor in enumerate(turn):
            nodes = predictor.state["nodes"]
            names = nodes.dtype.names
            compared = nodes["num_threshold" if "num_threshold" in names else "threshold"]
            at = np.zeros(len(x), dtype=np.int64)
            while True:
                inner = nodes["is_leaf"][at] == 0
                if not inner.any():
                    break
                value = x[every, np.where(inner, nodes["feature_idx"][at], 0)]
                below = value <= compared[at]
                if "missing_go_to_left" in names:
                    gone = np.isnan(value)
                    if "is_categorical" in names and nodes["is_categorical"].any():
                        asks = inner & (nodes["is_categorical"][at] != 0)
                        sets = predictor.state["raw_left_cat_bitsets"]
                        held, known_one = _held(nodes[at], sets, seen, value, asks)
                        below = np.where(asks, held, below)
                        gone |= asks & ~held & ~known_one
                    below = np.where(gone, nodes["missing_go_to_left"][at] != 0, below)
                to = np.where(below, nodes["left"][at], nodes["right"][at]).astype(np.int64)
                at = np.where(inner, to, at)
            sums[:, column] += nodes["value"][at]
    if attributes.get("classes_") is None:
        return np.exp(sums) if attributes.need("loss") in ("poisson", "gamma") else sums
    if answer == "decision":
        return sums
    shares = both(expit(sums)) if sums.shape[1] == 1 else softmax(sums)
    return shares.argmax(axis=1).astype(np.float64)[:, None] if answer == "label" else shares


def _coded(
    attributes: Attributes, rows: Rows, oracle: Oracle
) -> tuple[FloatArray, dict[int, set[int]]]:
    """The columns as the trees have them, and which categories of each were seen."""
    mask = attributes.get("is_categorical_")
    if mask is None or not mask.any():
        return np.asarray(rows, dtype=np.float64), {}
    order, where = list(range(len(mask))), np.flatnonzero(mask).tolist()
    coder = attributes.get("_preprocessor")
    if coder is None:
        x = np.array(rows, dtype=np.float64)
        asked = {
            int(one["feature_idx"])
            for turn in attributes.need("_predictors")
            for predictor in turn
            for one in predictor.state["nodes"]
            if one["is_categorical"] and not one["is_leaf"]
        }
        for place in asked:
            # What eight bits do not hold is undefined in C, and what each machine makes of it.
            beyond, negative = x[:, place] >= 256.0, x[:, place] < 0.0
            if not attributes.since(1, 2):
                beyond, negative = beyond | (x[:, place] <= -1.0), beyond
            oracle.refuse(beyond)
            x[beyond | negative, place] = np.nan
    else:
        order = where + [place for place in order if place not in where]
        x = np.empty(rows.shape)
        steps = {name: step for name, step, _ in coder.state["transformers_"]}
        listed = steps["encoder"].state["categories_"]
        for place, column in enumerate(order):
            given = rows[:, column].tolist()
            if place >= len(where):
                x[:, place] = given
                continue
            codes = {
                one: float(code) for code, one in enumerate(listed[place].tolist()) if one == one
            }
            x[:, place] = [codes.get(one, np.nan) for one in given]
    lines = attributes.need("_bin_mapper").state["bin_thresholds_"]
    count = len(where)
    places = where if coder is None else range(count)
    return x, {place: {int(one) for one in lines[place]} for place in places}


def _held(
    nodes: Any, sets: Any, seen: dict[int, set[int]], value: FloatArray, asks: Any
) -> tuple[Any, Any]:
    """Whether the category of each row is in its node's set, and whether it was ever seen."""
    held, known_one = np.zeros(len(value), dtype=np.bool_), np.zeros(len(value), dtype=np.bool_)
    for row in np.flatnonzero(asks & (value > -1.0)).tolist():
        code = int(value[row])
        word = int(sets[int(nodes["bitset_idx"][row])][code // 32])
        held[row] = word >> (code % 32) & 1
        known_one[row] = code in seen[int(nodes["feature_idx"][row])]
    return held, known_one


_PREDICTOR = known("nodes binned_left_cat_bitsets raw_left_cat_bitsets")
_FIELDS = ("value", "feature_idx", "left", "right", "is_leaf")
_MORE = frozenset(
    """
    count threshold num_threshold missing_go_to_left gain depth bin_threshold is_categorical
    bitset_idx
    """.split()
)
_GROWN = known(
    """
    bin_mapper_ _feature_subsample_rng _is_categorical_remapped _label_encoder _loss
    loss_ _random_seed _scorer scorer_ _use_validation_data categorical_features class_weight
    do_early_stopping_ early_stopping interaction_cst l2_regularization
    learning_rate max_bins max_depth max_features max_iter max_leaf_nodes min_samples_leaf
    monotonic_cst n_iter_no_change random_state scoring tol train_score_ validation_fraction
    validation_score_ verbose warm_start quantile _in_fit n_bins _raw_predictions
    """
)
_USED = (
    "_predictors _baseline_prediction n_trees_per_iteration_ loss _preprocessor is_categorical_"
    " _bin_mapper"
)

FAMILIES = tuple(
    Family(
        name=name,
        modules=("sklearn.ensemble._hist_gradient_boosting.gradient_boosting",),
        library="scikit-learn",
        releases=((0, 21), (1, 9)),
        used=known(f"{_USED} _n_features n_features_{more}"),
        harmless=_GROWN,
        read=_read,
        graph=_graph,
        oracle=_oracle,
        probe=_probe,
        takes_endless=True,
    )
    for name, more in (
        ("HistGradientBoostingClassifier", " classes_"),
        ("HistGradientBoostingRegressor", ""),
    )
)
