"""XGBoost's boosters of 0.90 to 3.x, alone, in files of their own, and in their wrappers.

Each is a document, which `converting.xgboost_document` reads. Trees and lines are added up in
float32 in the order in which the library adds them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from aegismatrix_factory.rescue.converting import ensembles
from aegismatrix_factory.rescue.converting.attributes import (
    Attributes,
    known,
    number,
)
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
from aegismatrix_factory.rescue.converting.formulas import both, sigmoid, softmax
from aegismatrix_factory.rescue.converting.parameters import FloatArray, SingleArray
from aegismatrix_factory.rescue.converting.writing import Table, Writer, computed
from aegismatrix_factory.rescue.converting.xgboost_document import (
    ABSENT,
    LIBRARY,
    Boosted,
    Document,
    Lines,
    Membership,
    Says,
    document_of,
)
from aegismatrix_factory.rescue.reading.errors import clipped
from aegismatrix_factory.rescue.reading.records import Record

_RELEASES = ((0, 90), (3, 3))
_WRAPPERS: dict[str, tuple[Says, ...]] = {
    "XGBClassifier": ("probability", "label"),
    "XGBRFClassifier": ("probability", "label"),
    "XGBRegressor": ("value",),
    "XGBRFRegressor": ("value",),
    "XGBRanker": ("value",),
}
_NOTE = "scikit_learn"
"""What a wrapper notes in a file of its own."""
_NOTED_MOST = 2**20
_RAISED = (*("count:poisson", "reg:gamma", "reg:tweedie", "survival:cox", "survival:aft"),)

_NOTED = known("best_score booster feature_names feature_types")
_BOOSTER = {**known("handle best_iteration best_ntree_limit"), **_NOTED}
# What a wrapper was told for training, and what it kept of it. Of these `base_score`, `booster`,
# `n_classes_` and others stand in the document as they were used.
_WRAPPER = known(
    """
    _features_count _le base_score best_iteration best_ntree_limit best_score booster callbacks
    colsample_bylevel colsample_bynode colsample_bytree device
    early_stopping_rounds enable_categorical eval_metric evals_result_ feature_types feature_weights
    gamma gpu_id grow_policy importance_type interaction_constraints kwargs learning_rate
    max_bin max_cat_threshold max_cat_to_onehot max_delta_step max_depth max_leaves min_child_weight
    monotone_constraints multi_strategy n_classes_ n_estimators n_features_in_ n_jobs nthread
    num_parallel_tree objective predictor random_state reg_alpha reg_lambda sampling_method
    scale_pos_weight seed silent subsample tree_method use_label_encoder validate_parameters
    verbosity
    """
)


_MISSING_UNSAID = (
    "saved by a wrapper of xgboost 2.0 or newer, whose file does not keep what it took for missing:"
    " only NaN is missing here, as where the file is loaded again. If the wrapper was made with"
    " missing=..., give NaN in place of that number"
)


def _read_wrapper(attributes: Attributes, reader: Reader) -> Model:
    missing = _missing(attributes.need("missing"), f"{attributes.name}.missing")
    inside = attributes.need("_Booster")
    if not isinstance(inside, Record):
        raise UnsupportedModelError("it was never fitted", code="not-fitted")
    if inside.name != "Booster":
        raise UnsupportedModelError(f"there is no converter for {clipped(inside.name)}")
    document = _document(Attributes(inside, _BOOSTER), reader, wrapped=True)
    if document.answer not in _WRAPPERS[attributes.name]:
        several = f" for {document.targets} questions at once" if document.targets > 1 else ""
        raise UnsupportedModelError(
            f"a {attributes.name} with the objective {document.objective}{several}",
            code="unsupported-objective",
        )
    model = document.model(missing)
    # Since 1.6 classes are the numbers from 0 on, and since 2.0 it does not keep them.
    if not model.classes or not attributes.has("classes_"):
        return model
    classes = attributes.labels("classes_")
    if len(classes) != len(model.classes):
        raise InconsistentModelError(f"{attributes.name} contradicts itself about its classes")
    return replace(model, classes=classes)


def _read_booster(attributes: Attributes, reader: Reader) -> Model:
    return _document(attributes, reader, wrapped=False).model(math.nan)


def _read_file(attributes: Attributes, reader: Reader) -> Model:
    """Read a file as its wrapper loads it, where one saved it, else as a Booster does."""
    content = document_of(reader.read_document(bytes(attributes.need("handle"))))
    noted = _noted(content)
    if noted is None:
        return _document(attributes, reader, wrapped=False).model(math.nan)
    # Until 1.2 it notes itself how many trees there are up to the best iteration.
    limits = {key: noted[key] for key in ("best_iteration", "best_ntree_limit") if key in noted}
    state = {"handle": attributes.need("handle"), **limits}
    inside = Attributes(Record(attributes.module, attributes.name, state=state), None)
    model = _document(inside, reader, wrapped=True).model(
        _missing(noted.get("missing"), "its missing")
    )
    if "missing" not in noted:
        model = replace(model, warnings=(*model.warnings, _MISSING_UNSAID))
    model = replace(model, described="Booster of a wrapper")
    classes = _noted_classes(noted)
    if not model.classes or classes is None:
        return model
    if len(classes) != len(model.classes) or len(set(classes)) < len(classes):
        raise InconsistentModelError("its wrapper noted other classes than it has")
    return replace(model, classes=classes)


def _noted_classes(noted: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The labels of its classes, which wrappers until 1.5 noted."""
    given = noted.get("classes_")
    inside = noted.get("_le")
    if given is None and isinstance(inside, Mapping):
        given = inside.get("classes_")
    if not isinstance(given, list) or not all(isinstance(one, str | int | float) for one in given):
        return None
    return tuple(str(one) for one in given)


def _noted(content: Any) -> Mapping[str, Any] | None:
    """What a wrapper noted; None where no wrapper saved the file."""
    told: Any = content
    for key in ("Model", "learner", "attributes"):
        told = told.get(key) if isinstance(told, Mapping) else None
    said = told.get(_NOTE) if isinstance(told, Mapping) else None
    if said is None:
        return None
    try:
        noted = json.loads(said) if isinstance(said, str) and len(said) < _NOTED_MOST else None
    except (ValueError, RecursionError) as error:
        raise InconsistentModelError("what its wrapper noted is no document") from error
    if not isinstance(noted, Mapping):
        raise InconsistentModelError("what its wrapper noted is no document")
    return noted


def _missing(given: object, what: str) -> float:
    """Return what counts as missing beside NaN, as a float32; NaN where nothing does."""
    if given is None or (isinstance(given, float | np.floating) and bool(np.isnan(given))):
        return math.nan
    if isinstance(given, float | np.floating) and bool(np.isinf(given)):
        raise UnsupportedModelError(
            "it takes infinite numbers for missing values", code="unsupported-missing"
        )
    if isinstance(given, str | bool) or not np.isscalar(given):
        raise InconsistentModelError(f"{what} is not a number")
    with np.errstate(over="ignore"):
        rounded = float(np.float32(number(given, what)))
    if math.isinf(rounded):
        raise UnsupportedModelError(
            "it takes numbers beyond float32 for missing values", code="unsupported-missing"
        )
    return rounded


def _document(attributes: Attributes, reader: Reader, *, wrapped: bool) -> Document:
    handle = attributes.need("handle")
    if not isinstance(handle, bytes | bytearray):
        raise UnsupportedModelError("its booster was never fitted", code="not-fitted")
    return Document(document_of(reader.read_document(bytes(handle))), attributes, wrapped)


def _graph(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    model: Boosted = part.parameters
    unseen = _unseen(writer, model, x) if model.refuses else None
    if model.lines is not None:
        sums = _along(writer, model, model.lines, _there(writer, model, x))
        said = ensembles.link(writer, model.sums, sums)
    elif model.compared is None:
        said = ensembles.write(writer, model.sums, _there(writer, model, x))
    else:
        said = ensembles.write(writer, model.sums, _columns(writer, model, x))
    width = model.n_outputs
    if answer == "label":
        said = writer.above(said, 0.0) if width == 1 else writer.largest(said)
        width = 1
    if unseen is not None:
        said = writer.add("Where", [unseen, writer.nan(), said])
    return computed(said, width)


def _there(writer: Writer, model: Boosted, x: Table) -> str:
    """Write columns of numbers, with NaN for whatever is missing."""
    given = x.numbers()
    if x.sparse:
        none = writer.add("Equal", [given, writer.number(0.0)])
        given = writer.add("Where", [none, writer.nan(), given])
    if model.missing == model.missing:
        one = writer.weight(np.full(1, model.missing, dtype=np.float32))
        absent = writer.add("Equal", [writer.single(given), one])
        given = writer.add("Where", [absent, writer.nan(), given])
    return given


def _along(writer: Writer, model: Boosted, lines: Lines, given: str) -> str:
    """Write sums of products in float32 from the first column to the last, as xgboost adds them."""
    single = writer.add("Unsqueeze", [writer.single(given), writer.axes(2)])
    product = writer.add("Mul", [single, writer.weight(lines.weights[None])])
    there = writer.add("Equal", [product, product])
    nothing = writer.weight(np.zeros(1, dtype=np.float32))
    product = writer.add("Where", [there, product, nothing])
    begin = (lines.bias + model.sums.base.astype(np.float32))[None, None]
    # One for each row: no product is NaN here, and an infinite one would be if it were multiplied.
    first = _first(writer, product)
    every_row = writer.add("Equal", [first, first])
    begins = writer.add("Where", [every_row, writer.weight(begin), first])
    every = writer.add("Concat", [begins, product], axis=1)
    running = writer.add("CumSum", [every, writer.weight(np.array(1, dtype=np.int64))])
    last = writer.weight(np.array(len(lines.weights), dtype=np.int64))
    return writer.doubled(writer.add("Gather", [running, last], axis=1))


def _first(writer: Writer, tensor: str) -> str:
    return writer.add("Gather", [tensor, writer.axes(0)], axis=1)


def _columns(writer: Writer, model: Boosted, x: Table) -> str:
    """Write the columns that the trees compare: numbers, and 1 where a category is in a set."""
    columns = []
    if model.compared:
        columns.append(_there(writer, model, writer.chosen(x, model.compared)))
    columns += [_inside(writer, model, one, x) for one in model.memberships]
    if not columns:
        # Trees of one leaf ask for nothing, and the number of rows is told by a column.
        return writer.add("Gather", [x.tensor, writer.axes(0)], axis=1)
    return writer.joined(columns)


def _inside(writer: Writer, model: Boosted, one: Membership, x: Table) -> str:
    codes = len(one.inside) - 1
    if one.values is not None:
        hits = writer.add(
            "MatMul", [one.values.matches(writer, x, one.column), writer.weight(one.inside[:-1])]
        )
        return writer.add("Where", [_absent(writer, one, x), writer.nan(), hits])
    value = writer.single(_there(writer, model, writer.chosen(x, [one.column])))
    value = writer.doubled(value)
    there = writer.add("Equal", [value, value])
    high = writer.add("Less", [value, writer.number(float(codes))])
    low = writer.add("GreaterOrEqual", [value, writer.number(0.0)])
    known_code = writer.add("And", [low, high])
    place = writer.add("Where", [known_code, value, writer.number(float(codes))])
    place = writer.add("Cast", [writer.add("Floor", [place])], to=TensorProto.INT64)
    place = writer.add("Squeeze", [place, writer.axes(1)])
    found = writer.add("Gather", [writer.weight(one.inside), place], axis=0)
    if (one.inside == ABSENT).any():
        stays = writer.add("Equal", [found, writer.number(ABSENT)])
        found = writer.add("Where", [stays, writer.nan(), found])
    return writer.add("Where", [there, found, writer.nan()])


def _absent(writer: Writer, one: Membership, x: Table) -> str:
    """Write where a column of categories has none."""
    assert one.values is not None
    column = writer.chosen(x, [one.column])
    if one.values.texts is None:
        value = column.numbers()
        return writer.add("Not", [writer.add("Equal", [value, value])])
    source = x.columns[one.column] if x.columns is not None else None
    if source is None:
        raise UnsupportedModelError("it reads text where numbers come out of a step")
    return writer.add("Equal", [column.tensor, writer.number(float(source.place(None)))])


def _unseen(writer: Writer, model: Boosted, x: Table) -> str:
    """Write (N, 1) where some column of categories has a value that it did not have before."""
    found = None
    for one in model.memberships:
        if one.values is None:
            continue
        hits = one.values.matches(writer, x, one.column)
        count = writer.add("ReduceSum", [hits, writer.axes(1)], keepdims=1)
        none = writer.add("Equal", [count, writer.number(0.0)])
        own = writer.add("And", [none, writer.add("Not", [_absent(writer, one, x)])])
        found = own if found is None else writer.add("Or", [found, own])
    assert found is not None
    return found


def _probe(part: Part, random: np.random.Generator, rows: int) -> Probes:
    model: Boosted = part.parameters
    width = part.model.n_features or 1
    if model.lines is None and model.compared is None:
        found = ensembles.probe(model.sums, random, rows)
        batches = [*found.random]
        edges = found.boundary
    else:
        batches = [random.normal(size=(rows, width)), 1e3 * random.normal(size=(rows, width))]
        edges = None
        if model.compared is not None:
            inner = ensembles.probe(model.sums, random, rows)
            edges = random.normal(size=(rows, width))
            for batch, source in ((batches[0], inner.random[0]), (edges, inner.boundary)):
                if source is not None and len(model.compared):
                    picked = source[random.integers(0, len(source), size=len(batch))]
                    batch[:, list(model.compared)] = picked[:, : len(model.compared)]
            for one in model.memberships:
                for batch in (*batches, edges):
                    batch[:, one.column] = _codes_near(one, random, len(batch))
    if model.missing == model.missing:
        marked = np.array(batches[0][: ensembles.BOUNDARY_THRESHOLDS])
        near = np.float32(model.missing)
        values = [
            model.missing,
            float(np.nextafter(near, np.float32(np.inf))),
            float(np.nextafter(model.missing, np.inf)),
        ]
        chosen = random.random(marked.shape) < 0.5
        marked[chosen] = random.choice(values, size=int(chosen.sum()))
        edges = marked if edges is None else np.concatenate([edges, marked])
    return Probes(tuple(batches), edges)


def _codes_near(one: Membership, random: np.random.Generator, rows: int) -> FloatArray:
    if one.values is not None:
        return one.values.probe(random, rows)
    codes = random.integers(-2, len(one.inside) + 2, size=rows).astype(np.float64)
    codes += random.choice([0.0, 0.0, 0.0, 0.4, -0.4], size=rows)
    strange = random.random(rows) < 0.1
    codes[strange] = random.choice([-0.0, 2.0**24 - 1.0, 2.0**24, 1e30, 31.0, 32.0], size=rows)[
        strange
    ]
    return codes


def _wrapped(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    inside = Attributes(attributes.need("_Booster"), None)
    given = attributes.need("missing")
    return _added(inside, answer, rows, oracle, wrapped=True, missing=given)


def _bare(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    return _added(attributes, answer, rows, oracle, wrapped=False, missing=None)


def _filed(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    content = oracle.read_document(bytes(attributes.need("handle")))
    said = content.get("Model", content)["learner"].get("attributes", {}).get(_NOTE)
    if said is None:
        return _added(attributes, answer, rows, oracle, wrapped=False, missing=None)
    noted = json.loads(said)
    state = {"handle": attributes.need("handle"), "best_ntree_limit": noted.get("best_ntree_limit")}
    inside = Attributes(Record(attributes.module, attributes.name, state=state), None)
    return _added(inside, answer, rows, oracle, wrapped=True, missing=noted.get("missing"))


def _added(
    attributes: Attributes,
    answer: Answer,
    rows: Rows,
    oracle: Oracle,
    *,
    wrapped: bool,
    missing: Any,
) -> FloatArray:
    """From ``base_score`` tree after tree in float32, as the document stands."""
    document = oracle.read_document(bytes(attributes.need("handle")))
    document = document.get("Model", document)
    version, learner = document["version"], document["learner"]
    booster, parameters = learner["gradient_booster"], learner["learner_model_param"]
    release = tuple(int(one) for one in version[:2])
    content = booster.get("gbtree", booster)["model"]
    objective = learner["objective"]["name"]
    targets = int(parameters.get("num_target", 1))
    groups = max(int(parameters["num_class"]), targets, 1)
    margin = np.atleast_1d(np.asarray(json.loads(parameters["base_score"]), dtype=np.float32))
    if release >= (1, 0):
        odds_of = ("binary:logistic", "reg:logistic")
        if objective in odds_of or (objective == "binary:logitraw" and release < (1, 3)):
            odds = np.float32(1.0) / margin - np.float32(1.0)
            margin = -np.log(odds.astype(np.float64)).astype(np.float32)
        if objective in _RAISED:
            margin = np.log(margin.astype(np.float64)).astype(np.float32)
    total = np.tile(np.broadcast_to(margin, (groups,)), (len(rows), 1)).astype(np.float32)
    x, strange = _coded(rows, content.get("cats", {}).get("enc"), oracle.sparse)
    if missing is not None and not np.isnan(missing):
        x[x == np.float32(missing)] = np.nan
    if "weights" in content:
        unknown = strange.any(axis=1)
        lines = np.asarray(content["weights"], dtype=np.float32).reshape(-1, groups)
        # Since 3.1 each class begins with what the first one has.
        total[:] = (margin[:1] if release >= (3, 1) else margin) + lines[-1]
        for column, weights in enumerate(lines[:-1]):
            moved = x[:, column, None] * weights
            total += np.where(np.isnan(moved), np.float32(0.0), moved)
    else:
        trees = content["trees"]
        trees = trees[: _last(attributes, learner, content, groups)] if wrapped else trees
        weights = booster.get("weight_drop")
        for place, tree in enumerate(trees):
            said = _said(tree, x, release)
            if weights is not None:
                said = said * np.float32(weights[place])
            if said.shape[1] > 1:
                total += said
            else:
                total[:, int(content["tree_info"][place])] += said[:, 0]
        unknown = strange[:, _of_categories(trees)].any(axis=1)
    margins = total.astype(np.float64)
    if objective == "binary:hinge":
        answers = np.asarray(margins > 0.0, dtype=np.float64)
    elif objective == "binary:logistic" and targets < 2:
        answers = both(sigmoid(margins))
    elif objective == "multi:softprob":
        answers = softmax(margins)
    elif objective in ("reg:logistic", "binary:logistic"):
        answers = sigmoid(margins)
    elif objective in _RAISED:
        with np.errstate(over="ignore"):
            answers = np.exp(margins)
        answers[answers > np.finfo(np.float32).max] = np.inf
    else:
        answers = margins
    if answer == "label" and objective != "binary:hinge":
        answers = answers.argmax(axis=1).astype(np.float64)[:, None]
    if release >= (3, 1):
        answers[unknown] = np.nan
    return answers


def _last(
    attributes: Attributes, learner: Mapping[str, Any], content: Mapping[str, Any], groups: int
) -> int | None:
    """How many trees there are up to the best iteration; None where that is all of them."""
    told = learner.get("attributes", {})
    best = told.get("best_iteration")
    if best is None:
        return None
    rounds = content.get("iteration_indptr")
    if rounds is not None and len(rounds):
        return int(rounds[int(best) + 1])
    parallel = content["gbtree_model_param"].get("num_parallel_tree")
    if parallel is None:
        limit = told.get("best_ntree_limit", attributes.get("best_ntree_limit"))
        parallel = int(limit) // (int(best) + 1)
    return (int(best) + 1) * int(parallel) * groups


def _coded(
    rows: Rows, enc: list[Any] | None, sparse: bool
) -> tuple[SingleArray, NDArray[np.bool_]]:
    """Rows with the codes of what a frame had as categories, and where it did not have one."""
    x = np.zeros(rows.shape, dtype=np.float64)
    strange = np.zeros(rows.shape, dtype=np.bool_)
    for place in range(rows.shape[1]):
        own = enc[place] if enc is not None and len(enc) else {"values": []}
        if not len(own["values"]):
            x[:, place] = rows[:, place].astype(np.float64)
            continue
        known_values: list[Any] = [int(one) for one in own["values"]]
        if "offsets" in own:
            whole = bytes(one % 256 for one in known_values)
            ends = [int(one) for one in own["offsets"]]
            known_values = [whole[begin:end].decode() for begin, end in pairwise(ends)]
        codes = {one: float(code) for code, one in enumerate(known_values)}
        for row, one in enumerate(rows[:, place].tolist()):
            absent = one is None or one != one
            x[row, place] = np.nan if absent else codes.get(one, -1.0)
            strange[row, place] = not absent and one not in codes
    if sparse:
        x = np.where(x != 0.0, x, np.nan)
    with np.errstate(over="ignore"):
        return x.astype(np.float32), strange


def _of_categories(trees: list[Any]) -> list[int]:
    """The columns of which some tree asks for a set."""
    found = set()
    for tree in trees:
        nodes = np.asarray(tree.get("categories_nodes", []), dtype=np.int64)
        found |= set(np.asarray(tree["split_indices"], dtype=np.int64)[nodes].tolist())
    return sorted(found)


def _said(tree: Mapping[str, Any], x: SingleArray, release: tuple[int, ...]) -> SingleArray:
    """What the leaf of each row says: one number, or one for each target."""
    children = ("left_children", "right_children")
    left, right = (np.asarray(tree[name], dtype=np.int64) for name in children)
    split = np.asarray(tree["split_indices"], dtype=np.int64)
    condition = np.asarray(tree["split_conditions"], dtype=np.float32)
    to_left = np.asarray(tree["default_left"])
    at = np.zeros(len(x), dtype=np.int64)
    every = np.arange(len(x))
    for _ in range(len(left)):
        inner = left[at] != -1
        if not inner.any():
            break
        value = x[every, np.where(inner, split[at], 0)]
        below = np.where(np.isnan(value), to_left[at] != 0, value < condition[at])
        for which, node in enumerate(np.asarray(tree.get("categories_nodes", [])).tolist()):
            mine = inner & (at == node) & ~np.isnan(value)
            if mine.any():
                below[mine] = _left_of_set(tree, which, value[mine], to_left[node] != 0, release)
        at = np.where(inner, np.where(below, left[at], right[at]), at)
    targets = int(tree["tree_param"].get("size_leaf_vector", 1))
    if targets < 2:
        return np.asarray(condition[at][:, None])
    if "leaf_weights" in tree:
        leaves = np.asarray(tree["leaf_weights"], dtype=np.float32).reshape(-1, targets)
        return np.asarray(leaves[right[at]])
    nodes = np.asarray(tree["base_weights"], dtype=np.float32).reshape(-1, targets)
    return np.asarray(nodes[at])


def _left_of_set(
    tree: Mapping[str, Any],
    which: int,
    value: SingleArray,
    default: bool,
    release: tuple[int, ...],
) -> NDArray[np.bool_]:
    begin = int(tree["categories_segments"][which])
    end = begin + int(tree["categories_sizes"][which])
    chosen = {int(one) for one in tree["categories"][begin:end]}
    words = max(chosen) // 32 + 1
    found = []
    for one in value.tolist():
        invalid = one < 0.0 or one >= 2**24
        if release < (1, 7) and (invalid or one >= 32 * words):
            found.append(default)
        else:
            found.append(invalid or int(one) not in chosen)
    return np.array(found, dtype=np.bool_)


FAMILIES = (
    Family(
        name="Booster",
        modules=("xgboost.core",),
        library=LIBRARY,
        releases=_RELEASES,
        used=known("handle best_iteration best_ntree_limit"),
        harmless=_NOTED,
        read=_read_booster,
        graph=_graph,
        oracle=_bare,
        probe=_probe,
        says_release=False,
    ),
    Family(
        name="Booster",
        modules=("xgboost.file",),
        library=LIBRARY,
        releases=_RELEASES,
        used=known("handle"),
        harmless={},
        read=_read_file,
        graph=_graph,
        oracle=_filed,
        probe=_probe,
        says_release=False,
    ),
    *(
        Family(
            name=name,
            modules=("xgboost.sklearn",),
            library=LIBRARY,
            releases=_RELEASES,
            used=known("missing _Booster classes_"),
            harmless=_WRAPPER,
            read=_read_wrapper,
            graph=_graph,
            oracle=_wrapped,
            probe=_probe,
            says_release=False,
        )
        for name in _WRAPPERS
    ),
)
