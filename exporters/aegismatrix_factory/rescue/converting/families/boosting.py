"""XGBoost's documents, of 0.90 to 3.x, as parameters.

A Booster is pickled as a UBJSON document, until 1.5 as a JSON one, and until 1.2 in a binary form
that is read as such a document. `base_score` is an answer, such as a probability for logistic loss,
and becomes a margin; until 0.90 it is one. Since 3.1 it is an array, one number per class. The
wrappers for scikit-learn stop at the best iteration, a bare Booster goes on to its last round.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from aegismatrix_factory.rescue.converting import ensembles
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
from aegismatrix_factory.rescue.converting.errors import (
    InconsistentModelError,
    NonFiniteModelError,
    UnsupportedModelError,
    UnsupportedVersionError,
)
from aegismatrix_factory.rescue.converting.family import (
    Answer,
    Family,
    Model,
    Oracle,
    Part,
    Reader,
    Rows,
)
from aegismatrix_factory.rescue.converting.formulas import both, sigmoid, softmax
from aegismatrix_factory.rescue.converting.hazards import booster_hazards
from aegismatrix_factory.rescue.converting.parameters import (
    Ensemble,
    FloatArray,
    IntArray,
    SingleArray,
    Tree,
)
from aegismatrix_factory.rescue.converting.trees import check_size, grow
from aegismatrix_factory.rescue.converting.writing import Table, Writer, computed
from aegismatrix_factory.rescue.reading.errors import clipped
from aegismatrix_factory.rescue.reading.records import Record

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
    "rank:pairwise": ("none", "value", "none"),
    "reg:logistic": ("logistic", "value", "logit"),
    "count:poisson": ("exp", "value", "log"),
    "reg:gamma": ("exp", "value", "log"),
    "reg:tweedie": ("exp", "value", "log"),
}
_WRAPPERS: dict[str, tuple[Says, ...]] = {
    "XGBClassifier": ("probability", "label"),
    "XGBRFClassifier": ("probability", "label"),
    "XGBRegressor": ("value",),
    "XGBRFRegressor": ("value",),
}

# Of losses: they shape the training, and what is said of a margin does not ask for them.
_TRAINED: Known = {
    "poisson_regression_param": known("max_delta_step"),
    "tweedie_regression_param": known("tweedie_variance_power"),
    "quantile_loss_param": known("quantile_alpha"),
    "pseudo_huber_param": known("huber_slope"),
    # So it is spelt in 1.6.
    "pseduo_huber_param": known("huber_slope"),
    "lambda_rank_param": None,
    "lambdarank_param": None,
}
_TREE: Known = {
    **known("split_type split_conditions split_indices left_children right_children default_left"),
    **known("categories_nodes"),
    # Statistics of the training, and what belongs to the categories that are refused.
    **known("base_weights categories categories_segments categories_sizes id loss_changes parents"),
    **known("sum_hessian"),
    "tree_param": known("num_nodes size_leaf_vector num_deleted num_feature"),
}
_GBTREE: Known = {
    **known("tree_info iteration_indptr"),
    "gbtree_model_param": known("num_parallel_tree num_trees size_leaf_vector"),
    "trees": _TREE,
    "cats": known("enc feature_segments sorted_idx"),
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
}
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


def _read_wrapper(attributes: Attributes, reader: Reader) -> Model:
    missing = number_or_nan(attributes.need("missing"), f"{attributes.name}.missing")
    if not math.isnan(missing):
        raise UnsupportedModelError(
            f"it takes {missing:g} for a missing value", code="unsupported-missing"
        )
    inside = attributes.need("_Booster")
    if not isinstance(inside, Record):
        raise UnsupportedModelError("it was never fitted", code="not-fitted")
    if inside.name != "Booster":
        raise UnsupportedModelError(f"there is no converter for {clipped(inside.name)}")
    document = _document(Attributes(inside, _BOOSTER), reader, wrapped=True)
    if document.answer not in _WRAPPERS[attributes.name]:
        raise UnsupportedModelError(
            f"a {attributes.name} with the objective {document.objective}",
            code="unsupported-objective",
        )
    model = document.model()
    # Since 1.6 classes are the numbers from 0 on, and since 2.0 it does not keep them.
    if not model.classes or not attributes.has("classes_"):
        return model
    classes = attributes.labels("classes_")
    if len(classes) != len(model.classes):
        raise InconsistentModelError(f"{attributes.name} contradicts itself about its classes")
    return replace(model, classes=classes)


def _read_booster(attributes: Attributes, reader: Reader) -> Model:
    return _document(attributes, reader, wrapped=False).model()


def _document(attributes: Attributes, reader: Reader, *, wrapped: bool) -> _Document:
    handle = attributes.need("handle")
    if not isinstance(handle, bytes | bytearray):
        raise UnsupportedModelError("its booster was never fitted", code="not-fitted")
    return _Document(reader.read_document(bytes(handle)), attributes, wrapped)


def _graph(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    model: Ensemble = part.parameters
    given = x.numbers()
    if x.sparse:
        none = writer.add("Equal", [given, writer.number(0.0)])
        given = writer.add("Where", [none, writer.nan(), given])
    said = ensembles.write(writer, model, given)
    if answer != "label":
        return computed(said, model.n_outputs)
    one = model.n_outputs == 1
    return computed(writer.above(said, 0.0) if one else writer.largest(said), 1)


def _wrapped(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    inside = Attributes(attributes.need("_Booster"), None)
    return _added(inside, answer, rows, oracle, wrapped=True)


def _bare(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    return _added(attributes, answer, rows, oracle, wrapped=False)


def _added(
    attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle, *, wrapped: bool
) -> FloatArray:
    """From ``base_score`` tree after tree in float32, as the document stands."""
    document = oracle.read_document(bytes(attributes.need("handle")))
    version, learner = document["Model"]["version"], document["Model"]["learner"]
    booster, parameters = learner["gradient_booster"], learner["learner_model_param"]
    content = booster.get("gbtree", booster)["model"]
    weights = booster.get("weight_drop")
    trees = content["trees"]
    objective = learner["objective"]["name"]
    groups = max(int(parameters["num_class"]), int(parameters.get("num_target", 1)), 1)
    margin = np.atleast_1d(np.asarray(json.loads(parameters["base_score"]), dtype=np.float32))
    if int(version[0]) > 0:
        older = tuple(int(one) for one in version[:2]) < (1, 3)
        if objective in ("binary:logistic", "reg:logistic", "binary:logitraw" if older else ""):
            odds = np.float32(1.0) / margin - np.float32(1.0)
            margin = -np.log(odds.astype(np.float64)).astype(np.float32)
        if objective in ("count:poisson", "reg:gamma", "reg:tweedie"):
            margin = np.log(margin.astype(np.float64)).astype(np.float32)
    total = np.tile(np.broadcast_to(margin, (groups,)), (len(rows), 1)).astype(np.float32)
    kept = np.asarray(rows, dtype=np.float64)
    if oracle.sparse:
        kept = np.where(kept != 0.0, kept, np.nan)
    x = kept.astype(np.float32)
    told = learner.get("attributes", {})
    best = told.get("best_iteration")
    last = len(trees)
    if wrapped and best is not None:
        parallel = content["gbtree_model_param"].get("num_parallel_tree")
        if parallel is None:
            limit = told.get("best_ntree_limit", attributes.get("best_ntree_limit"))
            parallel = int(limit) // (int(best) + 1)
        last = (int(best) + 1) * int(parallel) * groups
        rounds = content.get("iteration_indptr")
        if rounds is not None and len(rounds):
            last = int(rounds[int(best) + 1])
    for place in range(last):
        said = _said(trees[place], x)
        if weights is not None:
            said = said * np.float32(weights[place])
        total[:, int(content["tree_info"][place])] += said
    margins = total.astype(np.float64)
    if objective == "binary:hinge":
        return np.asarray(margins > 0.0, dtype=np.float64)
    if objective == "binary:logistic":
        answers = both(sigmoid(margins))
    elif objective == "multi:softprob":
        answers = softmax(margins)
    elif objective == "reg:logistic":
        answers = sigmoid(margins)
    elif objective in ("count:poisson", "reg:gamma", "reg:tweedie"):
        answers = np.exp(margins)
    else:
        answers = margins
    return answers.argmax(axis=1).astype(np.float64)[:, None] if answer == "label" else answers


def _said(tree: Mapping[str, Any], x: SingleArray) -> SingleArray:
    left, right = (np.asarray(tree[name]) for name in ("left_children", "right_children"))
    split = np.asarray(tree["split_indices"])
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
        at = np.where(inner, np.where(below, left[at], right[at]), at)
    return condition[at]


def number_or_nan(given: object, what: str) -> float:
    """Return a number that may be NaN.

    Parameters
    ----------
    given : object
        From a file.
    what : str
        For messages.

    Returns
    -------
    float

    Raises
    ------
    InconsistentModelError, NonFiniteModelError
    """
    is_nan = isinstance(given, float | np.floating) and bool(np.isnan(given))
    return math.nan if is_nan else number(given, what)


class _Document:
    """A Booster's document, read and checked."""

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
        targets = _whole(parameters.get("num_target", "1"))
        if targets != 1 and objective != "reg:squarederror":
            raise UnsupportedModelError(
                f"it answers {targets} questions at once", code="unsupported-booster"
            )
        if objective.startswith("multi:") != (classes > 1):
            raise InconsistentModelError(f"its objective {objective} has {classes} classes")
        self.groups = counted(max(classes, targets, 1), "num_class")
        self.names = _names(learner, self.n_features)
        self.base_score = _base_score(_text(parameters, "base_score"), self.groups)
        # Until 3.2 dropout made a booster of its own name around a plain one; since 3.3 the plain
        # one keeps the weights beside its trees, under its own name.
        model = _part(_part(booster, "gbtree") if name == "dart" else booster, "model")
        self._refuse_categories(learner, model)
        grown = _at(model, "trees")
        if not isinstance(grown, list) or not grown:
            raise InconsistentModelError("it has no trees")
        group = whole_numbers(_at(model, "tree_info"), (len(grown),), "tree_info")
        if ((group < 0) | (group >= self.groups)).any():
            raise InconsistentModelError("tree_info names a class that is not there")
        self.rounds = _rounds(model, len(grown), self.groups, _parallel(model, learner, noted))
        self.best = _best(learner, len(self.rounds) - 1)
        weights = _weights(booster, name, len(grown))
        self.dropout = weights is not None
        stop = int(self.rounds[self.best + 1]) if wrapped and self.best is not None else len(grown)
        self.trees_kept, self.trees_found = stop, len(grown)
        nodes = sum(_nodes(tree) for tree in grown)
        check_size(nodes, self.groups)
        self.trees = tuple(
            _tree(
                tree,
                int(group[place]),
                self.groups,
                self.n_features,
                None if weights is None else weights[place],
            )
            for place, tree in enumerate(grown[:stop])
        )

    def model(self) -> Model:
        """Return it with what is worth saying of it."""
        base = self._margins()
        ensemble = Ensemble(
            trees=self.trees,
            n_features=self.n_features,
            strict=True,
            total="running",
            base=base,
            link=self.link,
            answer=self.answer,
            takes_missing=True,
        )
        known_classes = 0 if self.answer == "value" else max(ensemble.n_outputs, 2)
        classes = tuple(str(place) for place in range(known_classes))
        details = {
            "objective": self.objective,
            "base_score": self.base_score.tolist(),
            "best_iteration": self.best,
            "trees": self.trees_found,
            "trees_used": self.trees_kept,
            "dropout": self.dropout,
        }
        written = ".".join(str(part) for part in self.version)
        if self.version < (1, 0):
            written = "0.90 or older"
        warnings = [*booster_hazards((self.version[0], self.version[1]))]
        if (
            self.best is not None
            and self.trees_kept == self.trees_found > self.rounds[self.best + 1]
        ):
            warnings.append(
                "a bare Booster, which predicts with all of its trees and not up to its best"
                " iteration: so does its artifact"
            )
        outputs = ensemble.n_outputs
        answers: dict[Answer, int | None] = {self.answer: 1 if self.answer == "label" else outputs}
        if self.answer == "probability":
            answers["label"] = 1
        return Model(
            parameters=ensemble,
            n_features=self.n_features,
            answers=answers,
            classes=classes,
            takes_missing=True,
            version=written,
            feature_names=self.names,
            warnings=tuple(warnings),
            details=details,
        )

    def _margins(self) -> FloatArray:
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

    def _refuse_categories(self, learner: Mapping[Any, Any], model: Mapping[Any, Any]) -> None:
        # Coders of categories came with 3.1.
        coded = _part(model, "cats").get("enc") if "cats" in model else None
        kinds = {kind for kind in _listed(learner.get("feature_types")) if isinstance(kind, str)}
        if "c" in kinds or _listed(coded):
            raise UnsupportedModelError("it has categorical features", code="categorical-splits")


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


def _tree(
    tree: object, group: int, groups: int, n_features: int, weight: np.float32 | None
) -> Tree:
    parameters = _part(tree, "tree_param")
    size = _nodes(tree)
    if _whole(parameters.get("size_leaf_vector", "1")) > 1:
        raise UnsupportedModelError("its leaves are vectors", code="multi-output-trees")
    splits = whole_numbers(_at(tree, "split_type"), (size,), "split_type")
    if splits.any() or _listed(_at(tree, "categories_nodes")):
        raise UnsupportedModelError("it has categorical splits", code="categorical-splits")
    given = numbers(_at(tree, "split_conditions"), (size,), "split_conditions")
    # A JSON document has them in as many digits as a float32 needs.
    with np.errstate(over="ignore"):
        conditions = given.astype(np.float32).astype(np.float64)
    if not np.isfinite(conditions).all():
        raise NonFiniteModelError("split_conditions")
    left = whole_numbers(_at(tree, "left_children"), (size,), "left_children")
    values = np.zeros((size, groups))
    values[:, group] = conditions
    if weight is not None:
        with np.errstate(over="ignore"):
            values = (values.astype(np.float32) * weight).astype(np.float64)
        if not np.isfinite(values).all():
            raise NonFiniteModelError("weight_drop")
    return grow(
        whole_numbers(_at(tree, "split_indices"), (size,), "split_indices"),
        conditions,
        left,
        whole_numbers(_at(tree, "right_children"), (size,), "right_children"),
        whole_numbers(_at(tree, "default_left"), (size,), "default_left") != 0,
        values,
        n_features,
    )


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


def _parallel(model: Mapping[Any, Any], learner: Mapping[Any, Any], noted: Attributes) -> int:
    """How many trees of each class a round has."""
    given = _part(model, "gbtree_model_param").get("num_parallel_tree")
    if given is not None:
        return counted(_whole(given), "num_parallel_tree")
    # Until 1.5 the trees up to the best iteration are noted instead: it matters there alone.
    told = _part(learner, "attributes")
    limit = told.get("best_ntree_limit", noted.get("best_ntree_limit"))
    best = told.get("best_iteration", noted.get("best_iteration"))
    if limit is None or best is None:
        if told.get("best_iteration") is not None:
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
    given = _listed(learner.get("feature_names"))
    if not given:
        return ()
    if len(given) != n_features or not all(isinstance(name, str) for name in given):
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


def _whole(given: object) -> int:
    """Return a whole number, which xgboost writes as text."""
    text = given if isinstance(given, str) else str(given)
    if not 1 <= len(text) <= 12 or not text.isascii() or not text.lstrip("-").isdecimal():
        raise InconsistentModelError(f"{clipped(text)} is not a whole number")
    return int(text)


FAMILIES = (
    Family(
        name="Booster",
        modules=("xgboost.core",),
        library=LIBRARY,
        releases=((0, 90), (3, 3)),
        used=known("handle best_iteration best_ntree_limit"),
        harmless=_NOTED,
        read=_read_booster,
        graph=_graph,
        oracle=_bare,
        probe=ensembles.probe_part,
        says_release=False,
    ),
    *(
        Family(
            name=name,
            modules=("xgboost.sklearn",),
            library=LIBRARY,
            releases=((0, 90), (3, 3)),
            used=known("missing _Booster classes_"),
            harmless=_WRAPPER,
            read=_read_wrapper,
            graph=_graph,
            oracle=_wrapped,
            probe=ensembles.probe_part,
            says_release=False,
        )
        for name in _WRAPPERS
    ),
)
