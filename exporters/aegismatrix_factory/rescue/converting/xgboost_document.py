"""A document of xgboost, read and checked: what its trees or its lines compute, as parameters.

A Booster is pickled as a UBJSON document, until 1.5 as a JSON one, and until 1.2 in a binary form
that is read as such a document. `base_score` is an answer, such as a probability for logistic loss,
and becomes a margin; until 0.90 it is one. Since 3.1 it is an array, one number per class. A column
of categories holds their codes, since 3.1 also values by which a frame is coded; a set of codes
goes right. The wrappers for scikit-learn stop at the best iteration, a bare Booster goes on to its
last round.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from aegismatrix_factory.rescue.converting.attributes import (
    Attributes,
    Known,
    counted,
    known,
    number,
    numbers,
    refuse_unknown,
    whole_numbers,
)
from aegismatrix_factory.rescue.converting.categories import Categories, categories
from aegismatrix_factory.rescue.converting.errors import (
    InconsistentModelError,
    NonFiniteModelError,
    OversizedModelError,
    UnsupportedModelError,
    UnsupportedVersionError,
)
from aegismatrix_factory.rescue.converting.family import Answer, Model
from aegismatrix_factory.rescue.converting.hazards import booster_hazards
from aegismatrix_factory.rescue.converting.parameters import (
    LEAF,
    Ensemble,
    FloatArray,
    IntArray,
    SingleArray,
    Tree,
)
from aegismatrix_factory.rescue.converting.trees import check_size, grow
from aegismatrix_factory.rescue.reading.errors import clipped

LIBRARY = "xgboost"
SUPPORTED = "0.90 to 3.x"

Link = Literal["none", "sigmoid", "softmax", "exp", "logistic"]
Says = Literal["probability", "value", "label"]
Begins = Literal["none", "logit", "log"]
"""From ``base_score`` to a margin."""

OBJECTIVES: dict[str, tuple[Link, Says, Begins]] = {
    "binary:logistic": ("sigmoid", "probability", "logit"),
    "binary:logitraw": ("none", "value", "logit"),
    "binary:hinge": ("none", "label", "none"),
    "multi:softprob": ("softmax", "probability", "none"),
    "multi:softmax": ("none", "label", "none"),
    "reg:squarederror": ("none", "value", "none"),
    "reg:linear": ("none", "value", "none"),
    "reg:absoluteerror": ("none", "value", "none"),
    "reg:quantileerror": ("none", "value", "none"),
    "reg:pseudohubererror": ("none", "value", "none"),
    "reg:squaredlogerror": ("none", "value", "none"),
    "reg:expectileerror": ("none", "value", "none"),
    "rank:pairwise": ("none", "value", "none"),
    "rank:ndcg": ("none", "value", "none"),
    "rank:map": ("none", "value", "none"),
    "reg:logistic": ("logistic", "value", "logit"),
    "count:poisson": ("exp", "value", "log"),
    "reg:gamma": ("exp", "value", "log"),
    "reg:tweedie": ("exp", "value", "log"),
    "survival:cox": ("exp", "value", "log"),
    "survival:aft": ("exp", "value", "log"),
}
# Of losses: they shape the training, and what is said of a margin does not ask for them.
_TRAINED: Known = {
    "poisson_regression_param": known("max_delta_step"),
    "tweedie_regression_param": known("tweedie_variance_power"),
    "quantile_loss_param": known("quantile_alpha"),
    "expectile_loss_param": known("expectile_alpha"),
    "aft_loss_param": known("aft_loss_distribution aft_loss_distribution_scale"),
    "pseudo_huber_param": known("huber_slope"),
    # So it is spelt in 1.6.
    "pseduo_huber_param": known("huber_slope"),
    "lambda_rank_param": None,
    "lambdarank_param": None,
}
_TREE: Known = {
    **known("split_type split_conditions split_indices left_children right_children default_left"),
    **known("categories categories_nodes categories_segments categories_sizes"),
    # What leaves of several numbers say; of others it is a statistic, as the following are.
    **known("base_weights leaf_weights"),
    **known("id leaf_child_counts loss_changes parents sum_hessian"),
    "tree_param": known("num_nodes size_leaf_vector num_deleted num_feature"),
}
_GBTREE: Known = {
    **known("tree_info iteration_indptr"),
    "gbtree_model_param": known("num_parallel_tree num_trees size_leaf_vector"),
    "trees": _TREE,
    "cats": {
        # The others say the same of all columns at once.
        "enc": known("type offsets values"),
        **known("feature_segments sorted_idx"),
    },
}


def _layout(booster: Known) -> Known:
    learner: Known = {
        # Notes of whoever trained it, but for the best iteration.
        "attributes": None,
        **known("feature_names feature_types"),
        "gradient_booster": booster,
        "learner_model_param": known(
            "base_score boost_from_average num_class num_feature num_target"
        ),
        # The weight of a positive case matters while training.
        "objective": {
            "name": None,
            "reg_loss_param": known("scale_pos_weight"),
            "softmax_multiclass_param": known("num_class"),
            **_TRAINED,
        },
    }
    # How it was trained, and with what: what it computes stands in the model.
    return {"Config": None, "Model": {"version": None, "learner": learner}}


_BOOSTERS = {
    "gbtree": _layout({**known("name weight_drop"), "model": _GBTREE}),
    "dart": _layout(
        {**known("name weight_drop"), "gbtree": {"name": None, "model": _GBTREE}},
    ),
    "gblinear": _layout({"name": None, "model": known("weights boosted_rounds")}),
}
_CATEGORIES_SINCE = (1, 6)
_REFUSING_SINCE = (3, 1)
"""Of a value that a column of categories did not have: until 3.3 xgboost takes most for another."""
_FIRST_ALONE_SINCE = (3, 1)
"""All sums of lines begin with what the first class has in `base_score`, as the library has it."""
_STAYING_UNTIL = (1, 7)
"""A code that no set could hold goes the way of what is missing before, and left from then on."""
_WORD_BITS = 32
_LARGEST_CODE = 2**20
_MOST_SETS = 50_000_000
"""Codes of a column, times the sets of them that its nodes ask for."""
ABSENT = 2.0
"""In a `Membership`: as if it were missing."""


@dataclass(frozen=True, eq=False)
class Membership:
    """One column of the rows as the sets of categories that it may be in.

    Attributes
    ----------
    column : int
    inside : ndarray of shape (codes + 1, sets)
        1 where a code is in a set, 0 where it is not, and `ABSENT`; the last row is for any other.
    values : Categories or None
        What a frame had for each code; None where the column holds the codes.
    """

    column: int
    inside: FloatArray
    values: Categories | None


@dataclass(frozen=True, eq=False)
class Lines:
    """A booster of lines.

    Attributes
    ----------
    weights : ndarray of shape (columns, totals)
    bias : ndarray of shape (totals,)
    """

    weights: SingleArray
    bias: SingleArray


@dataclass(frozen=True, eq=False)
class Boosted:
    """What a booster computes.

    Attributes
    ----------
    sums : Ensemble
        Its trees; of one of lines only what it begins with and how it ends.
    lines : Lines or None
        Instead of trees.
    compared : tuple of int, or None
        Which columns the first columns of the trees are; None where all are as they stand. Those
        behind are of `memberships`, one for each set.
    memberships : tuple of Membership
    refuses : bool
        Whether a value that a column of categories did not have is refused.
    missing : float
        What counts as missing, beside NaN; NaN where nothing does.
    """

    sums: Ensemble
    lines: Lines | None = None
    compared: tuple[int, ...] | None = None
    memberships: tuple[Membership, ...] = ()
    refuses: bool = False
    missing: float = float("nan")

    @property
    def n_outputs(self) -> int:
        """Classes, or values."""
        return self.sums.n_outputs


def document_of(content: Any) -> Any:
    """Return a document of ``Model`` and ``Config``, of which a file holds the first alone."""
    bare = isinstance(content, Mapping) and "learner" in content and "Model" not in content
    return {"Model": content} if bare else content


class Document:
    """A Booster's document, read and checked.

    Parameters
    ----------
    content : object
        As it was read.
    noted : Attributes
        Of the Booster, which noted some things itself.
    wrapped : bool
        Whether it stops at its best iteration.

    Raises
    ------
    LegacyError
        One of its children, saying why it is not converted.
    """

    def __init__(self, content: object, noted: Attributes, wrapped: bool) -> None:
        document = _part(content, "Model")
        self.version = _version(document)
        learner = _part(document, "learner")
        booster = _part(learner, "gradient_booster")
        name = _text(booster, "name")
        if name not in _BOOSTERS:
            raise UnsupportedModelError(
                f"its booster is {clipped(name)}, and none of {', '.join(_BOOSTERS)}",
                code="unsupported-booster",
            )
        refuse_unknown(content, _BOOSTERS[name], "its booster")
        self._answer(learner)
        self.names = _names(learner, self.n_features)
        self.base_score = _base_score(
            _text(_part(learner, "learner_model_param"), "base_score"), self.groups
        )
        self.best: int | None = None
        self.lines: Lines | None = None
        self.compared: tuple[int, ...] | None = None
        self.memberships: tuple[Membership, ...] = ()
        self.trees: tuple[Tree, ...] = ()
        self.width = self.n_features
        if name == "gblinear":
            self.lines = _lines(_part(booster, "model"), self.n_features, self.groups)
            self.rounds = np.zeros(1, dtype=np.int64)
            self.trees_kept = self.trees_found = 0
            self.dropout = False
            return
        # Until 3.2 dropout made a booster of its own name around a plain one; since 3.3 the plain
        # one keeps the weights beside its trees, under its own name.
        model = _part(_part(booster, "gbtree") if name == "dart" else booster, "model")
        grown = _at(model, "trees")
        if not isinstance(grown, list):
            raise InconsistentModelError("it has no trees")
        if not grown:
            raise UnsupportedModelError(
                "it has no trees, since it was trained for no round", code="not-fitted"
            )
        parallel = _parallel(model, learner, noted, wrapped=wrapped)
        self.rounds = _rounds(model, len(grown), self.groups, parallel)
        self.best = _best(learner, len(self.rounds) - 1)
        stop = int(self.rounds[self.best + 1]) if wrapped and self.best is not None else len(grown)
        self.trees_kept, self.trees_found = stop, len(grown)
        self._grow(learner, model, grown, _weights(booster, name, len(grown)))

    def _answer(self, learner: Mapping[Any, Any]) -> None:
        """Read what it says, and to how many questions."""
        objective = _text(_part(learner, "objective"), "name")
        if objective not in OBJECTIVES:
            raise UnsupportedModelError(
                f"its objective is {clipped(objective)}, and none of {', '.join(OBJECTIVES)}",
                code="unsupported-objective",
            )
        self.objective = objective
        self.link, self.answer, self.begins = OBJECTIVES[objective]
        parameters = _part(learner, "learner_model_param")
        self.n_features = counted(_whole(_at(parameters, "num_feature")), "num_feature")
        classes = _whole(_at(parameters, "num_class"))
        self.targets = _whole(parameters.get("num_target", "1"))
        if self.targets > 1:
            if objective == "binary:logistic":
                # Each question has a probability of its own.
                self.link, self.answer = "logistic", "value"
            # Several expectiles are sums of what the margins stand for, which nobody tried.
            if self.answer != "value" or objective == "reg:expectileerror":
                raise UnsupportedModelError(
                    f"it answers {self.targets} questions at once with {objective}",
                    code="unsupported-booster",
                )
        if objective.startswith("multi:") != (classes > 1):
            raise InconsistentModelError(f"its objective {objective} has {classes} classes")
        self.groups = counted(max(classes, self.targets, 1), "num_class")

    def _grow(
        self,
        learner: Mapping[Any, Any],
        model: Mapping[Any, Any],
        grown: list[Any],
        weights: SingleArray | None,
    ) -> None:
        """Read its trees up to the last that is kept."""
        group = whole_numbers(_at(model, "tree_info"), (len(grown),), "tree_info")
        if ((group < 0) | (group >= self.groups)).any():
            raise InconsistentModelError("tree_info names a class that is not there")
        self.dropout = weights is not None
        check_size(sum(_nodes(tree) for tree in grown), self.groups)
        splits = [_Splits(tree, self.n_features) for tree in grown[: self.trees_kept]]
        columns = self._columns(learner, model, splits)
        self.trees = tuple(
            _tree(
                tree,
                one,
                int(group[place]),
                self.groups,
                None if weights is None else weights[place],
                columns,
            )
            for place, (tree, one) in enumerate(zip(grown, splits, strict=False))
        )

    def _columns(
        self, learner: Mapping[Any, Any], model: Mapping[Any, Any], splits: Sequence[_Splits]
    ) -> _Columns:
        """Say which columns the trees ask for, where some are of categories."""
        kinds = _texts(learner.get("feature_types"), "feature_types")
        named = _values(model, self.n_features)
        by_set = any(one.sets for one in splits)
        if not by_set and not named and "c" not in kinds:
            return _Columns(None, {}, self.n_features)
        if self.version[:2] < _CATEGORIES_SINCE:
            raise UnsupportedModelError("it has categorical features", code="categorical-splits")
        asked: dict[int, dict[bytes, IntArray]] = {}
        plain: set[int] = set()
        for one in splits:
            for node, chosen in one.sets.items():
                asked.setdefault(int(one.feature[node]), {})[chosen.tobytes()] = chosen
            plain |= set(one.feature[one.numeric].tolist())
        if plain & named.keys():
            raise UnsupportedModelError(
                "it compares categories as numbers", code="categorical-splits"
            )
        self.compared = tuple(sorted(plain))
        older = self.version[:2] < _STAYING_UNTIL
        self.memberships = tuple(
            _membership(column, list(asked[column].values()), named.get(column), older)
            for column in sorted(asked)
        )
        sets: dict[tuple[int, bytes], int] = {}
        for column in sorted(asked):
            for key in asked[column]:
                sets[column, key] = len(self.compared) + len(sets)
        self.width = max(len(self.compared) + len(sets), 1)
        return _Columns({column: at for at, column in enumerate(self.compared)}, sets, self.width)

    def model(self, missing: float) -> Model:
        """Return it with what is worth saying of it.

        Parameters
        ----------
        missing : float
            What its wrapper takes for missing beside NaN; NaN where it takes nothing.

        Returns
        -------
        Model
        """
        named = [one for one in self.memberships if one.values is not None]
        refuses = bool(named) and self.version[:2] >= _REFUSING_SINCE
        if refuses and self.answer == "label":
            raise UnsupportedModelError(
                f"{self.objective} of categories has no answer to one that is unknown",
                code="categorical-splits",
            )
        if named and missing == missing:
            raise UnsupportedModelError(
                f"it takes {missing:g} for a missing value, and has categories by their values",
                code="unsupported-missing",
            )
        sums = Ensemble(
            trees=self.trees,
            n_features=self.width,
            strict=True,
            total="running",
            base=self._margins(),
            link=self.link,
            answer=self.answer,
            takes_missing=True,
        )
        known_classes = 0 if self.answer == "value" else max(sums.n_outputs, 2)
        outputs = sums.n_outputs
        answers: dict[Answer, int | None] = {self.answer: 1 if self.answer == "label" else outputs}
        if self.answer == "probability":
            answers["label"] = 1
        written = ".".join(str(part) for part in self.version)
        return Model(
            parameters=Boosted(sums, self.lines, self.compared, self.memberships, refuses, missing),
            n_features=self.n_features,
            answers=answers,
            classes=tuple(str(place) for place in range(known_classes)),
            # Before 1.0 rows with NaN were refused where something else is missing.
            takes_missing=self.version >= (1, 0) or missing != missing,
            version=written if self.version >= (1, 0) else "0.90 or older",
            feature_names=self.names,
            warnings=self._warnings(),
            details=self._details(missing),
        )

    def _warnings(self) -> tuple[str, ...]:
        warnings = [*booster_hazards((self.version[0], self.version[1]))]
        if (
            self.best is not None
            and self.trees_kept == self.trees_found > self.rounds[self.best + 1]
        ):
            warnings.append(
                "a bare Booster, which predicts with all of its trees and not up to its best"
                " iteration: so does its artifact"
            )
        if self.lines is not None and len(set(self._each_margin().tolist())) > 1:
            warnings.append(
                "a gblinear of several classes, whose base_score xgboost 3.1 and newer takes of the"
                " first class for all of them: so does its artifact"
            )
        if any(one.values is None for one in self.memberships):
            warnings.append(
                "trained on codes of categories, whose values the file does not hold: give the"
                " codes that the categories had, from 0 on"
            )
        return tuple(warnings)

    def _details(self, missing: float) -> dict[str, Any]:
        details: dict[str, Any] = {
            "objective": self.objective,
            "base_score": self.base_score.tolist(),
        }
        if missing == missing:
            details["missing"] = missing
        if self.lines is not None:
            return {**details, "booster": "gblinear"}
        return {
            **details,
            "best_iteration": self.best,
            "trees": self.trees_found,
            "trees_used": self.trees_kept,
            "dropout": self.dropout,
        }

    def _margins(self) -> FloatArray:
        margins = self._each_margin()
        if self.lines is not None and self.version[:2] >= _FIRST_ALONE_SINCE:
            return np.full(self.groups, margins[0])
        return margins

    def _each_margin(self) -> FloatArray:
        # Until 0.90 it was written as the margin that it is used as, and since 1.3 that of raw
        # margins is one again.
        raw = self.objective == "binary:logitraw" and self.version >= (1, 3)
        if self.begins == "none" or self.version < (1, 0) or raw:
            return self.base_score
        given = self.base_score.astype(np.float32)
        if (given <= 0.0).any() or (self.begins == "logit" and (given >= 1.0).any()):
            raise InconsistentModelError(f"its base_score is no answer of {self.objective}")
        # As ProbToMargin of xgboost's losses: in float32, but for the logarithm, which the C
        # library rounds correctly and numpy's of float32 does not.
        if self.begins == "log":
            return np.log(given.astype(np.float64)).astype(np.float32).astype(np.float64)
        one = np.float32(1.0)
        odds = (one / given - one).astype(np.float64)
        return np.asarray(-np.log(odds)).astype(np.float32).astype(np.float64)


def _nodes(tree: object) -> int:
    return counted(_whole(_at(_part(tree, "tree_param"), "num_nodes")), "num_nodes")


def _weights(booster: Mapping[Any, Any], name: str, trees: int) -> SingleArray | None:
    """What dropout left each tree's leaves to be multiplied by; None where there was none."""
    if name != "dart" and "weight_drop" not in booster:
        return None
    given = numbers(_at(booster, "weight_drop"), (trees,), "weight_drop")
    with np.errstate(over="ignore"):
        weights = given.astype(np.float32)
    if not np.isfinite(weights).all():
        raise NonFiniteModelError("weight_drop")
    return weights


class _Splits:
    """What the nodes of one tree ask, checked.

    Attributes
    ----------
    feature, left, right : ndarray of int
    numeric : ndarray of bool
        Where a number is compared.
    sets : dict of int to ndarray of int
        The codes that go right, by node, of those that ask for categories.
    """

    def __init__(self, tree: object, n_features: int) -> None:
        size = _nodes(tree)
        self.size = size
        self.feature = whole_numbers(_at(tree, "split_indices"), (size,), "split_indices")
        self.left = whole_numbers(_at(tree, "left_children"), (size,), "left_children")
        self.right = whole_numbers(_at(tree, "right_children"), (size,), "right_children")
        inner = self.left != LEAF
        # What pruning left behind may ask for anything; of the others `grow` refuses it.
        inner &= (self.feature >= 0) & (self.feature < n_features)
        # Files of 1.0 to 1.2 are older than categories, and do not mention them.
        given = tree.get("split_type") if isinstance(tree, Mapping) else None
        given = np.zeros(size, dtype=np.int64) if given is None else given
        kinds = whole_numbers(given, (size,), "split_type")
        if ((kinds < 0) | (kinds > 1)).any():
            raise UnsupportedModelError("a tree splits in an unknown way")
        self.numeric = inner & (kinds == 0)
        self.sets = self._sets(tree)
        if set(np.flatnonzero(inner & (kinds == 1)).tolist()) != self.sets.keys():
            raise InconsistentModelError("a tree decides by categories that are not there")

    def _sets(self, tree: object) -> dict[int, IntArray]:
        if not isinstance(tree, Mapping) or "categories_nodes" not in tree:
            return {}
        nodes = _integers(tree, "categories_nodes")
        if not len(nodes):
            return {}
        begins = _integers(tree, "categories_segments")
        sizes = _integers(tree, "categories_sizes")
        codes = _integers(tree, "categories")
        if len(begins) != len(nodes) or len(sizes) != len(nodes) or len(set(nodes)) < len(nodes):
            raise InconsistentModelError("the categories of a tree are not in order")
        ends = begins + sizes
        if (begins < 0).any() or (sizes < 1).any() or (ends > len(codes)).any():
            raise InconsistentModelError("the categories of a tree are not in order")
        if ((codes < 0) | (codes >= _LARGEST_CODE)).any():
            raise InconsistentModelError("a tree asks for a category beyond all measure")
        return {
            node: np.unique(codes[begin:end])
            for node, begin, end in zip(nodes.tolist(), begins.tolist(), ends.tolist(), strict=True)
        }


@dataclass(frozen=True)
class _Columns:
    """Where among the columns of the trees a node finds what it asks for.

    Attributes
    ----------
    compared : mapping of int to int, or None
        By column of the rows; None where they are the same.
    sets : mapping of (int, bytes) to int
        By column, and the codes that go right.
    width : int
        Of the trees' columns.
    """

    compared: Mapping[int, int] | None
    sets: Mapping[tuple[int, bytes], int]
    width: int


def _tree(
    tree: object,
    splits: _Splits,
    group: int,
    groups: int,
    weight: np.float32 | None,
    columns: _Columns,
) -> Tree:
    size = splits.size
    vectors = _whole(_part(tree, "tree_param").get("size_leaf_vector", "1"))
    given = _conditions(tree, splits, vectors > 1)
    right = splits.right
    if vectors > 1:
        values, right = _vectors(tree, splits, vectors, groups)
    else:
        values = np.zeros((size, groups))
        values[:, group] = given
    if weight is not None:
        with np.errstate(over="ignore"):
            values = (values.astype(np.float32) * weight).astype(np.float64)
        if not np.isfinite(values).all():
            raise NonFiniteModelError("weight_drop")
    feature = splits.feature
    if columns.compared is not None:
        # A node that asks for a column that is not there is refused where the root reaches it.
        feature = np.where(splits.left == LEAF, 0, -1)
        for node in np.flatnonzero(splits.numeric).tolist():
            feature[node] = columns.compared[int(splits.feature[node])]
        for node, codes in splits.sets.items():
            feature[node] = columns.sets[int(splits.feature[node]), codes.tobytes()]
            given[node] = 0.5
    return grow(
        feature,
        given,
        splits.left,
        right,
        whole_numbers(_at(tree, "default_left"), (size,), "default_left") != 0,
        values,
        columns.width,
    )


def _conditions(tree: object, splits: _Splits, vectors: bool) -> FloatArray:
    """What numbers are compared with, and what leaves say; 0 of those that have none."""
    listed = _at(tree, "split_conditions")
    unread = set(splits.sets)
    if vectors:
        unread |= set(np.flatnonzero(splits.left == LEAF).tolist())
    if unread:
        # There is NaN in some releases.
        if isinstance(listed, np.ndarray):
            listed = listed.tolist()
        if isinstance(listed, list):
            listed = [
                0.0 if node in unread and isinstance(one, float) else one
                for node, one in enumerate(listed)
            ]
    given = numbers(listed, (splits.size,), "split_conditions")
    # A JSON document has them in as many digits as a float32 needs.
    with np.errstate(over="ignore"):
        conditions = given.astype(np.float32).astype(np.float64)
    if not np.isfinite(conditions).all():
        raise NonFiniteModelError("split_conditions")
    return conditions


def _vectors(tree: object, splits: _Splits, count: int, groups: int) -> tuple[FloatArray, IntArray]:
    """What leaves of several numbers say, and the right children of the others.

    Until 3.1 each node has its numbers; since 3.2 a leaf has the place of its own where another
    node has its right child.
    """
    if count != groups:
        raise InconsistentModelError(f"its leaves say {count} numbers of {groups}")
    leaf = splits.left == LEAF
    values = np.zeros((splits.size, groups))
    if isinstance(tree, Mapping) and "leaf_weights" in tree:
        own = _floats(tree, "leaf_weights")
        places = splits.right[leaf]
        if len(own) % groups or ((places < 0) | (places >= len(own) // groups)).any():
            raise InconsistentModelError("a tree has a leaf that is not there")
        values[leaf] = own.reshape(-1, groups)[places]
    else:
        own = _floats(tree, "base_weights", np.repeat(leaf, groups))
        values[leaf] = own.reshape(-1, groups)[leaf]
    return values, np.where(leaf, LEAF, splits.right)


def _floats(tree: object, key: str, where: NDArray[np.bool_] | None = None) -> FloatArray:
    """A line of numbers, all of them finite, or those at some places; 0 elsewhere."""
    given = _at(tree, key)
    count = len(given) if isinstance(given, list | np.ndarray) else 0
    if where is not None:
        if count != len(where):
            raise InconsistentModelError(f"{key} has {count} numbers, expected are {len(where)}")
        listed = given.tolist() if isinstance(given, np.ndarray) else given
        # Of nodes that are no leaves it is a statistic, and NaN in some.
        given = [
            one if wanted or not isinstance(one, float) else 0.0
            for one, wanted in zip(listed, where, strict=True)
        ]
    with np.errstate(over="ignore"):
        found = numbers(given, (count,), key).astype(np.float32).astype(np.float64)
    if not np.isfinite(found).all():
        raise NonFiniteModelError(key)
    return found


def _integers(tree: object, key: str) -> IntArray:
    given = _at(tree, key)
    count = len(given) if isinstance(given, list | np.ndarray) else 0
    return whole_numbers(given, (count,), key)


def _membership(
    column: int, sets: list[IntArray], values: Categories | None, older: bool
) -> Membership:
    codes = 1 + max(int(one.max()) for one in sets)
    if values is not None and codes > len(values):
        raise InconsistentModelError("a tree asks for a category that is not there")
    # Before 1.7 a set tells what it could hold by the words of bits that it is kept in.
    limits = [_WORD_BITS * (int(one.max()) // _WORD_BITS + 1) for one in sets]
    codes = max(limits) if older else codes if values is None else len(values)
    if codes * len(sets) > _MOST_SETS:
        raise OversizedModelError(f"its trees ask for {len(sets)} sets of {codes} categories")
    inside = np.zeros((codes + 1, len(sets)))
    for place, (one, limit) in enumerate(zip(sets, limits, strict=True)):
        inside[one, place] = 1.0
        if older:
            inside[limit:, place] = ABSENT
    return Membership(column, inside, values)


def _values(model: Mapping[Any, Any], n_features: int) -> dict[int, Categories]:
    """What a frame had as categories, by column, in the order of their codes; kept since 3.1."""
    listed = _listed(_part(model, "cats").get("enc")) if "cats" in model else []
    if not listed:
        return {}
    if len(listed) != n_features:
        raise InconsistentModelError("it has not one list of categories per feature")
    found: dict[int, Categories] = {}
    for column, one in enumerate(listed):
        given = _integers(one, "values")
        what = f"column {column}"
        if isinstance(one, Mapping) and "offsets" in one:
            bounds = _integers(one, "offsets")
            if not len(bounds) and not len(given):
                continue
            if not len(bounds) or bounds[0] != 0 or (np.diff(bounds) < 0).any():
                raise InconsistentModelError("the categories of a column are not in order")
            if bounds[-1] != len(given) or (np.abs(given) > 255).any():
                raise InconsistentModelError("the categories of a column are no text")
            whole = (given & 255).astype(np.uint8).tobytes()
            try:
                texts = [
                    whole[begin:end].decode("utf-8")
                    for begin, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)
                ]
            except UnicodeDecodeError as error:
                raise InconsistentModelError("the categories of a column are no text") from error
            own = np.empty(len(texts), dtype=object)
            own[:] = texts
            found[column] = categories(own, what)
        elif len(given):
            found[column] = categories(given, what)
    return found


def _lines(model: Mapping[Any, Any], n_features: int, groups: int) -> Lines:
    """The weights of columns, and behind them what each total begins with."""
    given = numbers(_at(model, "weights"), ((n_features + 1) * groups,), "weights")
    with np.errstate(over="ignore"):
        weights = given.astype(np.float32).reshape(n_features + 1, groups)
    if not np.isfinite(weights).all():
        raise NonFiniteModelError("weights")
    return Lines(weights[:-1], weights[-1])


def _version(document: object) -> tuple[int, ...]:
    given = _at(document, "version")
    listed = isinstance(given, list | tuple | np.ndarray) and len(given) <= 8
    whole = listed and all(isinstance(one, int | np.integer) for one in given)
    version = tuple(int(one) for one in given) if whole else ()
    if len(version) < 2 or not (0, 90) <= version[:2] < (4, 0):
        shown = ".".join(clipped(str(part)) for part in version) or "of an unknown release"
        raise UnsupportedVersionError(LIBRARY, shown, SUPPORTED)
    return version


def _base_score(given: str, groups: int) -> FloatArray:
    if given.lstrip().startswith("["):
        try:
            listed = json.loads(given)
        except (ValueError, RecursionError) as error:
            raise InconsistentModelError("base_score is no list of numbers") from error
    else:
        listed = [given]
    if not isinstance(listed, list) or len(listed) not in (1, groups):
        raise InconsistentModelError("base_score has not one number per class")
    values = np.array([number(one, "base_score") for one in listed])
    # It is a float32 inside, written in as many digits as that needs.
    with np.errstate(over="ignore"):
        rounded = values.astype(np.float32).astype(np.float64)
    if not np.isfinite(rounded).all():
        raise NonFiniteModelError("base_score")
    return np.repeat(rounded, groups) if len(rounded) < groups else rounded


def _parallel(
    model: Mapping[Any, Any], learner: Mapping[Any, Any], noted: Attributes, *, wrapped: bool
) -> int:
    """How many trees of each class a round has."""
    given = _part(model, "gbtree_model_param").get("num_parallel_tree")
    if given is not None:
        return counted(_whole(given), "num_parallel_tree")
    # Until 1.5 the trees up to the best iteration are noted instead: it matters there alone.
    told = _part(learner, "attributes")
    limit = told.get("best_ntree_limit", noted.get("best_ntree_limit"))
    best = told.get("best_iteration", noted.get("best_iteration"))
    if limit is None or best is None:
        # A bare Booster goes on to its last tree, however many there are in a round.
        if wrapped and told.get("best_iteration") is not None:
            raise UnsupportedModelError("it does not say how many trees are in a round")
        return 1
    rounds = counted(_whole(best) + 1, "best_iteration")
    parallel, rest = divmod(counted(_whole(limit), "best_ntree_limit"), rounds)
    if rest:
        raise InconsistentModelError("its best iteration is no whole number of trees")
    return counted(parallel, "num_parallel_tree")


def _rounds(model: Mapping[Any, Any], trees: int, groups: int, parallel: int) -> IntArray:
    """Where each boosting round begins among the trees, and at last where the last one ends."""
    given = _listed(model.get("iteration_indptr"))
    if not given:
        bounds = np.arange(0, trees + 1, parallel * groups)
    else:
        bounds = whole_numbers(given, (len(given),), "iteration_indptr")
    if bounds[0] != 0 or bounds[-1] != trees or (np.diff(bounds) <= 0).any():
        raise InconsistentModelError("its rounds do not make up its trees")
    return bounds


def _best(learner: Mapping[Any, Any], rounds: int) -> int | None:
    given = _part(learner, "attributes").get("best_iteration")
    if given is None:
        return None
    best = _whole(given)
    if not 0 <= best < rounds:
        raise InconsistentModelError(f"its best iteration is {best} of {rounds}")
    return best


def _names(learner: Mapping[Any, Any], n_features: int) -> tuple[str, ...]:
    given = _texts(learner.get("feature_names"), "feature_names")
    if given and len(given) != n_features:
        raise InconsistentModelError("feature_names has not one name per feature")
    return tuple(given)


def _at(content: object, key: str) -> Any:
    if not isinstance(content, Mapping) or key not in content:
        raise InconsistentModelError(f"its document has no {key}")
    return content[key]


def _part(content: object, key: str) -> Mapping[Any, Any]:
    part = _at(content, key)
    if not isinstance(part, Mapping):
        raise InconsistentModelError(f"its document has no {key} that is an object")
    return part


def _text(content: object, key: str) -> str:
    given = _at(content, key)
    if not isinstance(given, str):
        raise InconsistentModelError(f"its document has no {key} that is text")
    return given


def _listed(given: object) -> list[Any]:
    """A list that may be absent; numbers come as an array where the document is UBJSON."""
    if given is None:
        return []
    if isinstance(given, np.ndarray):
        return list(given.reshape(-1).tolist())
    if not isinstance(given, list):
        raise InconsistentModelError("its document has something else where a list belongs")
    return given


def _texts(given: object, what: str) -> list[str]:
    """A list of texts that may be absent."""
    listed = _listed(given)
    if not all(isinstance(one, str) for one in listed):
        raise InconsistentModelError(f"{what} is no list of texts")
    return listed


def _whole(given: object) -> int:
    """Return a whole number, which xgboost writes as text."""
    text = given if isinstance(given, str) else str(given)
    if not 1 <= len(text) <= 12 or not text.isascii() or not text.lstrip("-").isdecimal():
        raise InconsistentModelError(f"{clipped(text)} is not a whole number")
    return int(text)
