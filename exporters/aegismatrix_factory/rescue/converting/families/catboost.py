"""CatBoost's models of numbers: binary trees out of its binary form.

A row goes right where a column, as float32, is above a border. In a symmetric tree all nodes of a
level ask the same, and the answers are the bits of the leaf's number, the first level the lowest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from aegismatrix_factory.rescue.converting import ensembles
from aegismatrix_factory.rescue.converting.attributes import (
    Attributes,
    known,
    numbers,
    whole_numbers,
)
from aegismatrix_factory.rescue.converting.errors import (
    InconsistentModelError,
    UnsupportedModelError,
    UnsupportedVersionError,
)
from aegismatrix_factory.rescue.converting.family import (
    Answer,
    Family,
    Model,
    Oracle,
    Reader,
    Rows,
)
from aegismatrix_factory.rescue.converting.formulas import both, expit, softmax
from aegismatrix_factory.rescue.converting.parameters import (
    LEAF,
    Ensemble,
    FloatArray,
    IntArray,
    Tree,
)
from aegismatrix_factory.rescue.converting.trees import check_size, grow
from aegismatrix_factory.rescue.reading.catboost_binary import FORM
from aegismatrix_factory.rescue.reading.errors import clipped

LIBRARY = "catboost"
_RELEASES = ((0, 24), (1, 2))
_SUPPORTED = "0.24 to 1.2"
_RELEASE = re.compile(r"(?:tags/v|[Rr]elease )(\d+)\.(\d+)(?:\.(\d+))?")
_MOST_LEVELS = 16
_NOT_NUMBERS = (
    *("CatFeatures", "OneHotFeatures", "CtrFeatures", "TextFeatures", "EstimatedFeatures"),
    "EmbeddingFeatures",
)
_AS_TRUE = 2
"""Of a missing value: it is above every border."""

_MOVED = (
    "its predict says {} where the probability of that is above {}, which set_probability_threshold"
    " put there: the artifact answers the probability alone"
)

Link = Literal["sigmoid", "softmax", "none", "exp"]
_LOSSES: dict[str, tuple[Link, Answer]] = {
    "Logloss": ("sigmoid", "probability"),
    "CrossEntropy": ("sigmoid", "probability"),
    "MultiClass": ("softmax", "probability"),
    "RMSE": ("none", "value"),
    "MAE": ("none", "value"),
    "Quantile": ("none", "value"),
    "MAPE": ("none", "value"),
    "Huber": ("none", "value"),
    "Poisson": ("exp", "value"),
    "Tweedie": ("exp", "value"),
}
_WRAPPERS: dict[str, Answer] = {
    "CatBoostClassifier": "probability",
    "CatBoostRegressor": "value",
}


@dataclass(frozen=True, eq=False)
class _Splits:
    """Every border in the order of its number.

    Attributes
    ----------
    column : ndarray of int
    border : ndarray
    missing_left : ndarray of bool
    """

    column: IntArray
    border: FloatArray
    missing_left: Any


def _read(attributes: Attributes, reader: Reader) -> Model:
    given = attributes.get("__model")
    if not isinstance(given, bytes | bytearray):
        raise UnsupportedModelError("it was never fitted", code="not-fitted")
    content = reader.read_document(bytes(given))
    release = _release(content)
    if any(content[name] for name in _NOT_NUMBERS) or content["ModelPartIds"]:
        raise UnsupportedModelError("it has categorical features", code="categorical-splits")
    if content["Scale"] != 1.0:
        raise UnsupportedModelError("its answers are scaled")
    link, answer = _loss(content)
    # A file does not say which wrapper saved it, and is asked as that of its loss would be.
    if _WRAPPERS.get(attributes.name, answer) != answer:
        raise UnsupportedModelError(
            f"a {attributes.name} with another loss than its own", code="unsupported-objective"
        )
    totals = content["ApproxDimension"]
    classes = _classes(content) if answer == "probability" else ()
    wanted = {"softmax": len(classes), "sigmoid": 1}.get(link, 1)
    if totals != wanted or (classes and len(classes) < 2):
        raise InconsistentModelError(f"its loss answers {totals} questions at once")
    names = [one["FeatureId"] for one in content["FloatFeatures"]]
    width = len(names)
    if not width or [one["FlatIndex"] for one in content["FloatFeatures"]] != list(range(width)):
        raise InconsistentModelError("its columns are not in order")
    ensemble = Ensemble(
        trees=_trees(content, _splits(content), totals, width),
        n_features=width,
        strict=False,
        total="sum",
        base=_bias(content, totals),
        link=link,
        answer="probability" if classes else "value",
        takes_missing=True,
    )
    moved = _moved(content) if answer == "probability" else None
    named = all(names) and not all(one.isdecimal() for one in names)
    return Model(
        parameters=ensemble,
        n_features=width,
        answers=_answers(len(classes), whole=moved is None),
        classes=classes,
        takes_missing=True,
        version=release,
        feature_names=tuple(names) if named else (),
        warnings=() if moved is None else (_MOVED.format(classes[1], moved),),
        details={"loss": _document(content, "params")["loss_function"]["type"]},
    )


def _answers(classes: int, *, whole: bool) -> dict[Answer, int | None]:
    if not classes:
        return {"value": 1}
    return {"probability": classes, "label": 1} if whole else {"probability": classes}


def _moved(content: Mapping[str, Any]) -> str | None:
    """Above which probability the second class is meant, where that is not a half."""
    given = content["InfoMap"].get("binclass_probability_threshold")
    if given is None:
        return None
    try:
        limit = float(given)
    except ValueError as error:
        raise InconsistentModelError("its threshold is no number") from error
    return None if limit == 0.5 else clipped(given)


def _release(content: Mapping[str, Any]) -> str:
    """The release that saved it, which those before 1.2 do not say; empty then."""
    if content["FormatVersion"] != FORM:
        shown = f"with a model {clipped(content['FormatVersion'])}"
        raise UnsupportedVersionError(LIBRARY, shown, _SUPPORTED)
    found = _RELEASE.search(content["InfoMap"].get("catboost_version_info", ""))
    if found is None:
        return ""
    oldest, newest = _RELEASES
    if not oldest <= (int(found[1]), int(found[2])) <= newest:
        raise UnsupportedVersionError(LIBRARY, f"{found[1]}.{found[2]}", _SUPPORTED)
    return ".".join(one for one in found.groups() if one is not None)


def _document(content: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """A JSON document among what is told of the model."""
    try:
        found = json.loads(content["InfoMap"].get(key, ""))
    except (ValueError, RecursionError) as error:
        raise InconsistentModelError(f"its {key} are no document") from error
    if not isinstance(found, Mapping):
        raise InconsistentModelError(f"its {key} are no document")
    return found


def _loss(content: Mapping[str, Any]) -> tuple[Link, Answer]:
    loss = _document(content, "params").get("loss_function")
    name = loss.get("type") if isinstance(loss, Mapping) else None
    if name not in _LOSSES:
        raise UnsupportedModelError(
            f"its loss is {clipped(str(name))}, and none of {', '.join(_LOSSES)}",
            code="unsupported-objective",
        )
    return _LOSSES[name]


def _classes(content: Mapping[str, Any]) -> tuple[str, ...]:
    told = _document(content, "class_params")
    # Of a cross entropy the classes have no names.
    given = told.get("class_names") or told.get("class_to_label")
    if not isinstance(given, list) or not all(isinstance(one, str | int | float) for one in given):
        raise InconsistentModelError("its class_names are no list of labels")
    names = tuple(str(one) for one in given)
    if len(set(names)) < len(names):
        raise InconsistentModelError("its class_names name a class twice")
    return names


def _bias(content: Mapping[str, Any], totals: int) -> FloatArray:
    given = content.get("MultiBias")
    if given is None or not len(given):
        return np.full(totals, numbers([content["Bias"]], (1,), "Bias")[0])
    if content["Bias"] != 0.0:
        raise InconsistentModelError("it begins with two numbers at once")
    return numbers(given, (totals,), "MultiBias")


def _splits(content: Mapping[str, Any]) -> _Splits:
    columns, borders, left = [np.zeros(0, dtype=np.int64)], [np.zeros(0)], [np.zeros(0, np.bool_)]
    for place, feature in enumerate(content["FloatFeatures"]):
        own = numbers(feature["Borders"], feature["Borders"].shape, "Borders")
        treated = feature["NanValueTreatment"]
        if treated not in (0, 1, _AS_TRUE):
            raise UnsupportedModelError("it treats missing values in an unknown way")
        columns.append(np.full(len(own), place, dtype=np.int64))
        borders.append(own)
        left.append(np.full(len(own), treated != _AS_TRUE))
    return _Splits(np.concatenate(columns), np.concatenate(borders), np.concatenate(left))


def _trees(
    content: Mapping[str, Any], splits: _Splits, totals: int, width: int
) -> tuple[Tree, ...]:
    sizes = _line(content, "TreeSizes")
    begins = _line(content, "TreeStartOffsets")
    asked = _line(content, "TreeSplits")
    given = content.get("LeafValues")
    if given is None:
        raise InconsistentModelError("its trees have no leaves")
    values = numbers(given, given.shape, "LeafValues")
    if not len(sizes) or (sizes < 0).any() or len(values) % totals:
        raise InconsistentModelError("its trees do not make up its leaves")
    ends = np.cumsum(sizes)
    if begins.tolist() != (ends - sizes).tolist() or ends[-1] != len(asked):
        raise InconsistentModelError("its trees do not make up its splits")
    leaves = values.reshape(-1, totals)
    if len(_line(content, "NonSymmetricNodeIdToLeafId")):
        check_size(2 * len(asked), totals)
        return _uneven(content, splits, asked, begins, sizes, leaves, width)
    if sizes.max() > _MOST_LEVELS:
        raise InconsistentModelError("a tree has more levels than CatBoost grows")
    counts = 2**sizes
    check_size(int(2 * counts.sum()), totals)
    if counts.sum() != len(leaves):
        raise InconsistentModelError("its trees do not make up its leaves")
    if len(asked) and (asked.min() < 0 or asked.max() >= len(splits.column)):
        raise InconsistentModelError("a tree asks for a border that is not there")
    after = np.cumsum(counts)
    return tuple(
        _even(asked[begin : begin + size], leaves[last - 2**size : last], splits, width)
        for begin, size, last in zip(begins.tolist(), sizes.tolist(), after.tolist(), strict=True)
    )


def _line(content: Mapping[str, Any], key: str) -> IntArray:
    given = content.get(key)
    if given is None:
        return np.zeros(0, dtype=np.int64)
    return whole_numbers(given, given.shape, key)


def _even(asked: IntArray, leaves: FloatArray, splits: _Splits, width: int) -> Tree:
    """All nodes of a level ask the same; the last level asked is the first from the root."""
    levels = len(asked)
    inner = 2**levels - 1
    nodes = np.arange(inner)
    level = np.floor(np.log2(nodes + 1)).astype(np.int64)
    which = asked[levels - 1 - level] if levels else np.zeros(0, dtype=np.int64)
    ends = np.full(len(leaves), LEAF, dtype=np.int64)
    nothing = np.zeros(len(leaves))
    return grow(
        np.concatenate([splits.column[which], nothing.astype(np.int64)]),
        np.concatenate([splits.border[which], nothing]),
        np.concatenate([2 * nodes + 1, ends]),
        np.concatenate([2 * nodes + 2, ends]),
        np.concatenate([splits.missing_left[which], nothing != 0.0]),
        np.concatenate([np.zeros((inner, leaves.shape[1])), leaves]),
        width,
    )


def _uneven(
    content: Mapping[str, Any],
    splits: _Splits,
    asked: IntArray,
    begins: IntArray,
    sizes: IntArray,
    leaves: FloatArray,
    width: int,
) -> tuple[Tree, ...]:
    """Nodes with how far their children are; where that is 0 the node itself is the leaf."""
    steps = content.get("NonSymmetricStepNodes")
    identifiers = _line(content, "NonSymmetricNodeIdToLeafId")
    if steps is None or len(steps) != len(asked) or len(identifiers) != len(asked):
        raise InconsistentModelError("its nodes do not make up its trees")
    totals = leaves.shape[1]
    found = []
    for begin, size in zip(begins.tolist(), sizes.tolist(), strict=True):
        own = slice(begin, begin + size)
        places = np.arange(size)
        both_ways = [steps[side][own].astype(np.int64) for side in ("left", "right")]
        stops = [one == 0 for one in both_ways]
        ends = stops[0] & stops[1]
        leaf = identifiers[own]
        named = (stops[0] | stops[1]) & ((leaf % totals != 0) | (leaf >= totals * len(leaves)))
        which = np.where(ends, 0, asked[own])
        if named.any() or (which < 0).any() or (which[~ends] >= len(splits.column)).any():
            raise InconsistentModelError("a tree has a leaf or a border that is not there")
        # A node that is the leaf of one side alone gets a leaf of its own, behind the others.
        children = [np.where(ends, LEAF, places + one) for one in both_ways]
        extra: list[int] = []
        for child, stop in zip(children, stops, strict=True):
            lone = np.flatnonzero(stop & ~ends)
            child[lone] = size + len(extra) + np.arange(len(lone))
            extra += lone.tolist()
        values = np.zeros((size + len(extra), totals))
        values[:size][ends] = leaves[leaf[ends] // totals]
        values[size:] = leaves[leaf[extra] // totals] if extra else values[size:]
        more = np.zeros(len(extra), dtype=np.int64)
        last = np.full(len(extra), LEAF, dtype=np.int64)
        known_splits = len(splits.column) > 0
        column = splits.column[which] if known_splits else which
        border = splits.border[which] if known_splits else np.zeros(size)
        left = splits.missing_left[which] if known_splits else np.zeros(size, np.bool_)
        found.append(
            grow(
                np.concatenate([column, more]),
                np.concatenate([border, more.astype(np.float64)]),
                np.concatenate([children[0], last]),
                np.concatenate([children[1], last]),
                np.concatenate([left, more != 0]),
                values,
                width,
            )
        )
    return tuple(found)


def _oracle(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    """Tree after tree, by the numbers of leaves that the answers of the borders make."""
    content = oracle.read_document(bytes(attributes.need("__model")))
    with np.errstate(over="ignore"):
        x = np.asarray(rows, dtype=np.float64).astype(np.float32)
    bits = []
    for place, feature in enumerate(content["FloatFeatures"]):
        column = x[:, place : place + 1]
        over = column > feature["Borders"]
        if feature["NanValueTreatment"] == _AS_TRUE:
            over |= np.isnan(column)
        bits.append(over)
    # Where no column has a border, the trees are of one leaf each.
    answers = np.concatenate([*bits, np.zeros((len(x), 1), dtype=np.bool_)], axis=1)
    totals = content["ApproxDimension"]
    values = content["LeafValues"].reshape(-1, totals)
    total = np.zeros((len(x), totals))
    steps = content.get("NonSymmetricStepNodes")
    begin, first = 0, 0
    for size in content["TreeSizes"].tolist():
        asked = content["TreeSplits"][begin : begin + size]
        if steps is not None and len(steps):
            total += _stepped(content, begin, answers, values)
        else:
            reached = np.zeros(len(x), dtype=np.int64)
            for bit, one in enumerate(asked.tolist()):
                reached += answers[:, one].astype(np.int64) << bit
            total += values[first + reached]
            first += 2**size
        begin += size
    bias = content.get("MultiBias")
    total += bias if bias is not None and len(bias) else content["Bias"]
    loss = json.loads(content["InfoMap"]["params"])["loss_function"]["type"]
    if loss in ("Poisson", "Tweedie"):
        return np.exp(total)
    if loss not in ("Logloss", "CrossEntropy", "MultiClass"):
        return total
    shares = softmax(total) if loss == "MultiClass" else both(expit(total))
    return shares.argmax(axis=1).astype(np.float64)[:, None] if answer == "label" else shares


def _stepped(
    content: Mapping[str, Any], begin: int, answers: Any, values: FloatArray
) -> FloatArray:
    steps, asked = content["NonSymmetricStepNodes"], content["TreeSplits"]
    at = np.full(len(answers), begin)
    every = np.arange(len(answers))
    while True:
        there = np.minimum(asked[at], answers.shape[1] - 1)
        over = answers[every, there]
        step = np.where(over, steps["right"][at], steps["left"][at]).astype(np.int64)
        if not step.any():
            break
        at = at + step
    leaf = content["NonSymmetricNodeIdToLeafId"][at].astype(np.int64)
    return np.asarray(values[leaf // values.shape[1]])


_TRAINED = known(
    """
    _prediction_values_change _test_evals allow_const_label allow_writing_files
    approx_on_full_history
    auto_class_weights bagging_temperature best_model_min_trees boost_from_average boosting_type
    bootstrap_type border_count callback cat_features class_names class_weights classes_count
    colsample_bylevel combinations_ctr counter_calc_method ctr_description ctr_history_unit
    ctr_leaf_count_limit ctr_target_border_count custom_loss custom_metric data_partition depth
    dev_efb_max_buckets dev_score_calc_obj_block_size device_config devices dictionaries
    diffusion_temperature early_stopping_rounds embedding_features eta eval_fraction eval_metric
    feature_border_type feature_calcers feature_weights final_ctr_computation_mode
    first_feature_use_penalties fixed_binary_splits fold_len_multiplier fold_permutation_block
    gpu_cat_features_storage gpu_ram_part grow_policy has_time ignored_features input_borders
    iterations l2_leaf_reg langevin leaf_estimation_backtracking leaf_estimation_iterations
    leaf_estimation_method learning_rate logging_level loss_function max_bin max_ctr_complexity
    max_depth max_leaves metadata metric_period min_child_samples min_data_in_leaf
    model_shrink_mode model_shrink_rate model_size_reg monotone_constraints mvs_reg n_estimators
    name nan_mode num_boost_round num_leaves num_trees objective od_pval od_type od_wait
    one_hot_max_size output_borders penalties_coefficient per_feature_ctr
    per_float_feature_quantization per_object_feature_penalties pinned_memory_size
    posterior_sampling random_score_type random_seed random_state random_strength reg_lambda rsm
    sampling_frequency sampling_unit save_snapshot scale_pos_weight score_function silent
    simple_ctr snapshot_file snapshot_interval sparse_features_conflict_fraction
    store_all_simple_ctr subsample target_border task_type text_features text_processing
    thread_count tokenizers train_dir use_best_model used_ram_limit verbose
    """
)

FAMILIES = tuple(
    Family(
        name=name,
        modules=(module,),
        library=LIBRARY,
        releases=_RELEASES,
        used=known("__model"),
        harmless=harmless,
        read=_read,
        graph=ensembles.graph,
        oracle=_oracle,
        probe=ensembles.probe_part,
        takes_endless=True,
        says_release=False,
    )
    for name, module, harmless in (
        *((name, "catboost.core", _TRAINED) for name in _WRAPPERS),
        ("CatBoost", "catboost.file", known("")),
    )
)
