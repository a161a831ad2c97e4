"""LightGBM's model text, of 2.3 to 4.x: lines of a key and its numbers, every key of them known."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aegismatrix_factory.rescue.converting.attributes import counted, numbers, whole_numbers
from aegismatrix_factory.rescue.converting.errors import (
    InconsistentModelError,
    UnknownPartError,
    UnsupportedModelError,
    UnsupportedVersionError,
)
from aegismatrix_factory.rescue.converting.parameters import FloatArray, IntArray
from aegismatrix_factory.rescue.converting.trees import check_size
from aegismatrix_factory.rescue.reading.errors import clipped

LIBRARY = "lightgbm"
VERSIONS = ("v3", "v4")
_OWNER = "its booster"
_LARGEST_CATEGORY = 1_000_000

_HEAD = frozenset(
    """
    version num_class num_tree_per_iteration label_index max_feature_idx objective feature_names
    monotone_constraints feature_infos tree_sizes
    """.split()
)
_TREE = frozenset(
    """
    num_leaves num_cat split_feature split_gain threshold decision_type left_child right_child
    leaf_value leaf_weight leaf_count internal_value internal_weight internal_count cat_boundaries
    cat_threshold is_linear shrinkage
    """.split()
)
_LINES = frozenset({"leaf_const", "num_features", "leaf_features", "leaf_coeff"})
_AVERAGE = "average_output"
_LAST = "end of trees"


@dataclass(frozen=True, eq=False)
class Line:
    """What a leaf says of a row: a number, and factors of some columns.

    Attributes
    ----------
    constant : float
    columns : ndarray of int
    factors : ndarray
    """

    constant: float
    columns: IntArray
    factors: FloatArray


@dataclass(frozen=True, eq=False)
class Grown:
    """One tree as the text has it; its nodes are those that split.

    Attributes
    ----------
    feature, decision, left, right : ndarray of int, shape (splits,)
        Column, how it decides in bits, and where to go: below 0 to leaf ``-1 - child``.
    threshold : ndarray of shape (splits,)
        What a number is compared with, infinite where every number goes left; or which set of
        categories.
    leaves : ndarray of shape (leaves,)
        What they say.
    sets : tuple of ndarray of int
        Categories that go left.
    lines : tuple of Line
        What leaves say instead, unless a column of theirs is missing; empty where they say numbers.
    """

    feature: IntArray
    decision: IntArray
    left: IntArray
    right: IntArray
    threshold: FloatArray
    leaves: FloatArray
    sets: tuple[IntArray, ...]
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, eq=False)
class Text:
    """A model text, read and checked.

    Attributes
    ----------
    version : str
        Of the form of the text.
    objective : str
        With its parameters, as it stands there; empty where it is the trainer's own.
    totals : int
        Sums that trees add to in turn.
    n_features : int
        Columns.
    names : tuple of str
        Of the columns.
    averages : bool
        Whether the sums are divided by the number of rounds.
    trees : tuple of Grown
        Round after round.
    categories : mapping of int to list
        What pandas had as categories, by column: their values in the order of their codes.
    """

    version: str
    objective: str
    totals: int
    n_features: int
    names: tuple[str, ...]
    averages: bool
    trees: tuple[Grown, ...]
    categories: Mapping[int, list[Any]]


def read_text(given: str) -> Text:
    """Read a model text.

    Parameters
    ----------
    given : str
        As a Booster keeps it.

    Returns
    -------
    Text

    Raises
    ------
    UnknownPartError
        If it has a key that no release that was tried writes.
    InconsistentModelError, NonFiniteModelError, OversizedModelError
    UnsupportedModelError, UnsupportedVersionError
    """
    body, found, rest = given.partition(f"\n{_LAST}\n")
    if not found:
        raise InconsistentModelError("its model text has no end of trees")
    first, *blocks = body.split("\nTree=")
    lines = first.split("\n")
    if lines[0] != "tree":
        raise InconsistentModelError("its model text does not begin as one")
    averages = _AVERAGE in lines
    head = _pairs((line for line in lines[1:] if line != _AVERAGE), _HEAD)
    version = head.get("version", "")
    if version not in VERSIONS:
        raise UnsupportedVersionError(
            LIBRARY, f"with a model text {clipped(version)}", "2.3 to 4.x"
        )
    totals = counted(_whole(head, "num_tree_per_iteration"), "num_tree_per_iteration")
    if not blocks or len(blocks) % totals:
        raise InconsistentModelError("its rounds do not make up its trees")
    width = counted(_whole(head, "max_feature_idx") + 1, "max_feature_idx")
    names = tuple(head.get("feature_names", "").split(" "))
    if len(names) != width:
        raise InconsistentModelError("feature_names has not one name per feature")
    infos = head.get("feature_infos", "").split(" ")
    if len(infos) != width or not all(infos):
        raise InconsistentModelError("feature_infos has not one range per feature")
    trees = tuple(_tree(block, place, width) for place, block in enumerate(blocks))
    check_size(sum(2 * len(tree.leaves) for tree in trees), totals)
    return Text(
        version=version,
        objective=head.get("objective", ""),
        totals=totals,
        n_features=width,
        names=names,
        averages=averages,
        trees=trees,
        categories=_categories(rest, names, infos),
    )


def _pairs(lines: Iterator[str], known: frozenset[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in lines:
        if not line:
            continue
        key, parted, value = line.partition("=")
        if not parted or key not in known:
            raise UnknownPartError(_OWNER, key)
        if key in found:
            raise InconsistentModelError(f"its model text says {key} twice")
        found[key] = value
    return found


def _tree(block: str, place: int, width: int) -> Grown:
    number, *lines = block.split("\n")
    if number != str(place):
        raise InconsistentModelError("the trees of its model text are not in order")
    pairs = _pairs(iter(lines), _TREE | _LINES)
    lined = pairs.get("is_linear", "0")
    if lined not in ("0", "1"):
        raise InconsistentModelError("is_linear of its model text is neither 0 nor 1")
    stray = _LINES & pairs.keys() if lined == "0" else set()
    if stray:
        raise UnknownPartError(_OWNER, min(stray))
    leaves = counted(_whole(pairs, "num_leaves"), "num_leaves")
    splits = leaves - 1
    sets = _sets(pairs)
    # A tree of one leaf has empty lines of splits.
    tree = Grown(
        feature=_integers(pairs, "split_feature", splits),
        decision=_integers(pairs, "decision_type", splits),
        left=_integers(pairs, "left_child", splits),
        right=_integers(pairs, "right_child", splits),
        threshold=_thresholds(pairs, splits),
        leaves=_floats(pairs, "leaf_value", leaves),
        sets=sets,
        lines=_lines(pairs, leaves, width) if lined == "1" else (),
    )
    if tree.lines and not splits and tree.lines[0].constant != tree.leaves[0]:
        raise UnsupportedModelError(
            "a tree of one leaf says two numbers", code="unsupported-booster"
        )
    if ((tree.feature < 0) | (tree.feature >= width)).any():
        raise InconsistentModelError("a tree compares a column that is not there")
    if ((tree.decision < 0) | (tree.decision > 11)).any():
        raise UnsupportedModelError("a tree decides in an unknown way")
    for child in (tree.left, tree.right):
        if ((child < -leaves) | (child >= splits)).any():
            raise InconsistentModelError("a tree has a child that is not there")
    of_sets = tree.threshold[tree.decision & 1 == 1]
    if ((of_sets < 0) | (of_sets >= len(sets)) | (of_sets != np.floor(of_sets))).any():
        raise InconsistentModelError("a tree decides by categories that are not there")
    return tree


def _lines(pairs: Mapping[str, str], leaves: int, width: int) -> tuple[Line, ...]:
    constants = _floats(pairs, "leaf_const", leaves)
    counts = _integers(pairs, "num_features", leaves)
    if (counts < 0).any() or (counts > width).any():
        raise InconsistentModelError("the lines of a tree are not in order")
    # Two blanks part the leaves, one what is inside of each.
    flat = {
        key: {key: " ".join(pairs.get(key, "").split())} for key in ("leaf_features", "leaf_coeff")
    }
    columns = _integers(flat["leaf_features"], "leaf_features", int(counts.sum()))
    factors = _floats(flat["leaf_coeff"], "leaf_coeff", int(counts.sum()))
    if ((columns < 0) | (columns >= width)).any():
        raise InconsistentModelError("a line has a column that is not there")
    ends = np.cumsum(counts)
    found = []
    for constant, begin, end in zip(
        constants.tolist(), (ends - counts).tolist(), ends.tolist(), strict=True
    ):
        own = columns[begin:end]
        if len(np.unique(own)) < len(own):
            raise InconsistentModelError("a line has a column twice")
        found.append(Line(constant, own, factors[begin:end]))
    return tuple(found)


def _sets(pairs: Mapping[str, str]) -> tuple[IntArray, ...]:
    """Return the sets of categories, each of which stands there as bits of words of 32."""
    count = _whole(pairs, "num_cat")
    if not count:
        if {"cat_boundaries", "cat_threshold"} & pairs.keys():
            raise InconsistentModelError("a tree has categories and says that it has none")
        return ()
    counted(count, "num_cat")
    bounds = _integers(pairs, "cat_boundaries", count + 1)
    if bounds[0] != 0 or (np.diff(bounds) < 0).any() or bounds[-1] * 32 > _LARGEST_CATEGORY:
        raise InconsistentModelError("the categories of a tree are not in order")
    words = _integers(pairs, "cat_threshold", int(bounds[-1]))
    if ((words < 0) | (words >= 2**32)).any():
        raise InconsistentModelError("the categories of a tree are no sets")
    bits = (words[:, None] >> np.arange(32)) & 1
    return tuple(
        np.flatnonzero(bits[low:high].reshape(-1))
        for low, high in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)
    )


def _whole(pairs: Mapping[str, str], key: str) -> int:
    given = pairs.get(key, "")
    if not 1 <= len(given) <= 9 or not given.isascii() or not given.lstrip("-").isdecimal():
        raise InconsistentModelError(f"{key} of its model text is not a whole number")
    return int(given)


def _floats(pairs: Mapping[str, str], key: str, count: int) -> FloatArray:
    return numbers(_parsed(pairs, key), (count,), key)


def _thresholds(pairs: Mapping[str, str], count: int) -> FloatArray:
    given = _parsed(pairs, "threshold")
    # Of an infinite one every number is below: what is missing goes another way alone.
    infinite = given == np.inf
    found = numbers(np.where(infinite, 0.0, given), (count,), "threshold")
    return np.where(infinite, np.inf, found)


def _integers(pairs: Mapping[str, str], key: str, count: int) -> IntArray:
    return whole_numbers(_parsed(pairs, key), (count,), key)


def _parsed(pairs: Mapping[str, str], key: str) -> NDArray[np.float64]:
    given = pairs.get(key, "")
    try:
        # Python alone takes an underline between digits.
        found = [float(one) for one in given.split(" ")] if given and "_" not in given else []
    except ValueError as error:
        raise InconsistentModelError(f"{key} of its model text is no line of numbers") from error
    return np.array(found, dtype=np.float64)


def _categories(rest: str, names: tuple[str, ...], infos: list[str]) -> dict[int, list[Any]]:
    """Return what pandas had as categories; which columns it had them in, the parameters say."""
    trained, categories, columns = False, "", ""
    for line in rest.split("\n"):
        if line == "parameters:":
            trained = True
        elif line == "end of parameters":
            trained = False
        elif trained:
            if line.startswith("[categorical_feature: "):
                columns = line.removeprefix("[categorical_feature: ").removesuffix("]")
        elif line.startswith("pandas_categorical:"):
            categories = line.removeprefix("pandas_categorical:")
        elif line and not _is_importance(line, names):
            raise UnknownPartError(_OWNER, line)
    try:
        found = json.loads(categories) if categories else None
    except (ValueError, RecursionError) as error:
        raise InconsistentModelError("its categories of pandas are no list") from error
    if not found:
        return {}
    places = [int(one) for one in columns.split(",") if one.isdecimal()]
    if not places:
        places = [place for place, info in enumerate(infos) if ":" in info and info[0] != "["]
    if not isinstance(found, list) or len(found) != len(places) or max(places) >= len(names):
        raise UnsupportedModelError(
            "nothing says which of its columns pandas had as categories", code="categorical-splits"
        )
    if not all(isinstance(one, list) for one in found):
        raise InconsistentModelError("its categories of pandas are no list of lists")
    return dict(zip(places, found, strict=True))


def _is_importance(line: str, names: tuple[str, ...]) -> bool:
    """Whether a line behind the trees says how often a column splits, or announces such lines."""
    if line in ("feature_importances:", "feature importances:"):
        return True
    name, _, times = line.rpartition("=")
    return name in names and times.replace(".", "", 1).isdecimal()
