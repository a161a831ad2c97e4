"""CatBoost's models in JSON, as the same fields that its binary form has.

A split there names its border, which the binary form has by its number among all borders; trees of
a `grow_policy` of their own nest, and become rows of nodes with the steps to their children.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from aegismatrix_factory.rescue.reading.catboost_binary import FORM, STEPS
from aegismatrix_factory.rescue.reading.errors import MalformedError, clipped
from aegismatrix_factory.rescue.reading.limits import Budget

_HEAD = frozenset(
    {"ctr_data", "features_info", "model_info", "oblivious_trees", "trees", "scale_and_bias"}
)
_FEATURES = frozenset(
    {
        *("float_features", "categorical_features", "cat_features_hash", "ctrs"),
        *("text_features", "embedding_features"),
    }
)
_FLOAT = frozenset(
    {
        *("borders", "feature_id", "feature_index", "flat_feature_index", "has_nans"),
        "nan_value_treatment",
    }
)
_SPLIT = frozenset({"border", "float_feature_index", "split_index", "split_type"})
_OBLIVIOUS = frozenset({"leaf_values", "leaf_weights", "splits"})
_LEAF = frozenset({"value", "weight"})
_INNER = frozenset({"left", "right", "split", "value", "weight"})
_TREATMENTS = ("AsIs", "AsFalse", "AsTrue")
_FARTHEST = 2**16


def is_catboost(content: object) -> bool:
    """Whether a document is one of CatBoost.

    Parameters
    ----------
    content : object
        A JSON document, read.

    Returns
    -------
    bool
    """
    return isinstance(content, Mapping) and {"features_info", "model_info"} <= content.keys()


def read_catboost_json(content: Mapping[str, Any], budget: Budget) -> dict[str, Any]:
    """Return the fields of a model as `catboost_binary.read_catboost` has them.

    Parameters
    ----------
    content : mapping
        The document, read.
    budget : Budget
        What it may cost.

    Returns
    -------
    dict

    Raises
    ------
    MalformedError
        If it is not what CatBoost writes; with the code ``unknown-part`` if it has a key that no
        release that was tried has.
    """
    _known(content, _HEAD, "its model of CatBoost")
    told = _mapping(content, "features_info")
    _known(told, _FEATURES, "its features_info")
    numbers = [_feature(one) for one in _list(told, "float_features")]
    borders = _Borders(numbers)
    others = {
        "CatFeatures": len(_list(told, "categorical_features")),
        "OneHotFeatures": 0,
        "CtrFeatures": len(_list(told, "ctrs")),
        "TextFeatures": len(_list(told, "text_features")),
        "EmbeddingFeatures": len(_list(told, "embedding_features")),
        "EstimatedFeatures": 0,
    }
    scale, bias = _scale(content)
    found: dict[str, Any] = {
        **others,
        "ApproxDimension": len(bias),
        "Scale": scale,
        "Bias": 0.0,
        "MultiBias": bias,
        "FloatFeatures": numbers,
        "FormatVersion": FORM,
        "InfoMap": {
            str(key): one if isinstance(one, str) else json.dumps(one)
            for key, one in _mapping(content, "model_info").items()
        },
        "ModelPartIds": int(bool(content.get("ctr_data"))),
    }
    if any(others.values()):
        # What its splits ask is refused by what it has, and is not read.
        return found
    if ("oblivious_trees" in content) == ("trees" in content):
        raise MalformedError("its model of CatBoost has no trees, or two kinds of them")
    if "oblivious_trees" in content:
        return {**found, **_even(_list(content, "oblivious_trees"), borders, budget)}
    return {**found, **_uneven(_list(content, "trees"), borders, len(bias), budget)}


def _scale(content: Mapping[str, Any]) -> tuple[float, Any]:
    given = _list(content, "scale_and_bias")
    if len(given) != 2:
        raise MalformedError("its scale and bias are not two")
    scale, bias = given
    # Before 1.0 there is one number.
    listed = bias if isinstance(bias, list) else [bias]
    return float(_numbers([scale])[0]), _numbers(listed)


class _Borders:
    """The place of each border among those of all columns."""

    def __init__(self, features: list[dict[str, Any]]) -> None:
        self.places: dict[tuple[int, float], int] = {}
        for column, feature in enumerate(features):
            for border in feature["Borders"].tolist():
                self.places.setdefault((column, border), len(self.places))

    def find(self, split: object) -> int:
        if not isinstance(split, Mapping):
            raise MalformedError("a split of its trees is none")
        _known(split, _SPLIT, "a split")
        if split.get("split_type") != "FloatFeature":
            raise MalformedError(f"a split is a {clipped(str(split.get('split_type')))}")
        column, border = split.get("float_feature_index"), split.get("border")
        if not isinstance(column, int) or not isinstance(border, int | float):
            raise MalformedError("a split of its trees is none")
        with np.errstate(over="ignore"):
            place = self.places.get((column, float(np.float32(border))))
        if place is None or split.get("split_index", place) != place:
            raise MalformedError("a split of its trees has a border that is not there")
        return place


def _feature(given: object) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise MalformedError("a column of its model of CatBoost is none")
    _known(given, _FLOAT, "a column")
    treatment, name = given.get("nan_value_treatment", "AsIs"), given.get("feature_id", "")
    if treatment not in _TREATMENTS or not isinstance(name, str):
        raise MalformedError("a column of its model of CatBoost is none")
    place = given.get("flat_feature_index", -1)
    with np.errstate(over="ignore"):
        borders = _numbers(given.get("borders") or []).astype(np.float32)
    return {
        "FlatIndex": place if isinstance(place, int) else -1,
        "Borders": borders,
        "FeatureId": name,
        "NanValueTreatment": _TREATMENTS.index(treatment),
    }


def _even(trees: list[Any], borders: _Borders, budget: Budget) -> dict[str, Any]:
    sizes, asked, leaves = [], [], []
    for tree in trees:
        budget.tick()
        if not isinstance(tree, Mapping):
            raise MalformedError("a tree of its model of CatBoost is none")
        _known(tree, _OBLIVIOUS, "a tree")
        # A tree of one leaf has null where others have their splits.
        own = [borders.find(one) for one in _list(tree, "splits")]
        sizes.append(len(own))
        asked += own
        leaves.append(_numbers(_list(tree, "leaf_values")))
    return {
        **_trees(sizes, asked),
        "LeafValues": np.concatenate([np.zeros(0), *leaves]),
    }


def _uneven(trees: list[Any], borders: _Borders, totals: int, budget: Budget) -> dict[str, Any]:
    sizes: list[int] = []
    asked: list[int] = []
    steps: list[tuple[int, int]] = []
    identifiers: list[int] = []
    leaves: list[Any] = []

    def grow(root: object) -> int:
        """Write a node behind its parent, its left children before its right ones."""
        begin = len(asked)
        waiting: list[tuple[object, int, int]] = [(root, -1, 0)]
        while waiting:
            node, parent, side = waiting.pop()
            budget.tick()
            here = len(asked)
            if parent >= 0:
                both = list(steps[parent])
                both[side] = here - parent
                if here - parent >= _FARTHEST:
                    raise MalformedError("a tree of its model of CatBoost is too large")
                steps[parent] = (both[0], both[1])
            if not isinstance(node, Mapping):
                raise MalformedError("a node of its trees is none")
            steps.append((0, 0))
            if "split" in node:
                _known(node, _INNER, "a node")
                asked.append(borders.find(node["split"]))
                identifiers.append(0)
                if "left" not in node or "right" not in node:
                    raise MalformedError("a node of its trees has one child")
                waiting += [(node["right"], here, 1), (node["left"], here, 0)]
                continue
            _known(node, _LEAF, "a leaf")
            given = node.get("value")
            asked.append(0)
            identifiers.append(len(leaves) * totals)
            leaves.append(_numbers(given if isinstance(given, list) else [given]))
        return len(asked) - begin

    for tree in trees:
        sizes.append(grow(tree))
    if any(len(one) != totals for one in leaves):
        raise MalformedError("a leaf of its trees says another number of things")
    return {
        **_trees(sizes, asked),
        "LeafValues": np.concatenate([np.zeros(0), *leaves]),
        "NonSymmetricStepNodes": np.array(steps, dtype=STEPS),
        "NonSymmetricNodeIdToLeafId": np.array(identifiers, dtype=np.uint32),
    }


def _trees(sizes: list[int], asked: list[int]) -> dict[str, Any]:
    whole = np.array(sizes, dtype=np.int32)
    return {
        "TreeSizes": whole,
        "TreeStartOffsets": (np.cumsum(whole) - whole).astype(np.int32),
        "TreeSplits": np.array(asked, dtype=np.int32),
    }


def _known(given: Mapping[str, Any], names: frozenset[str], what: str) -> None:
    for key in given:
        if key not in names:
            raise MalformedError(
                f"{what} has {clipped(str(key))}, which no release that was tried has",
                code="unknown-part",
            )


def _mapping(given: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = given.get(key)
    if not isinstance(found, Mapping):
        raise MalformedError(f"its model of CatBoost has no {key}")
    return found


def _list(given: Mapping[str, Any], key: str) -> list[Any]:
    found = given.get(key)
    if found is None:
        return []
    if not isinstance(found, list):
        raise MalformedError(f"{key} of its model of CatBoost is no list")
    return found


def _numbers(given: list[Any]) -> Any:
    if not isinstance(given, list) or not all(type(one) in (int, float) for one in given):
        raise MalformedError("its model of CatBoost has something else where numbers belong")
    try:
        return np.array(given, dtype=np.float64)
    except OverflowError as error:
        raise MalformedError("its model of CatBoost has a number beyond all measure") from error
