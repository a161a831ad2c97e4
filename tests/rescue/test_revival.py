"""Legacy models compute as ONNX what they computed in their libraries; what cannot is refused."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict
from hashlib import sha256
from typing import Any

import numpy as np
import pytest
from aegismatrix_factory.conversion import finish
from aegismatrix_factory.rescue.converting import trees
from aegismatrix_factory.rescue.converting.checks import probes, prove
from aegismatrix_factory.rescue.converting.ensembles import rounded_down
from aegismatrix_factory.rescue.converting.errors import (
    InconsistentModelError,
    OversizedModelError,
    UnfaithfulModelError,
    UnknownPartError,
)
from aegismatrix_factory.rescue.converting.family import Oracle, Part
from aegismatrix_factory.rescue.converting.graphs import Authored, author
from aegismatrix_factory.rescue.converting.parameters import LEAF, Recurrent
from aegismatrix_factory.rescue.converting.parts import revive
from aegismatrix_factory.rescue.reading.errors import LegacyError
from aegismatrix_factory.rescue.reading.records import Name, Record
from aegismatrix_factory.rescue.reading.ubjson import read_ubjson
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from aegismatrix.artifacts.manifest import ModelSpec, parse_model
from aegismatrix.engine.model import Model
from aegismatrix.errors import AegisError, NonFiniteOutputError

NODE = np.dtype(
    [
        ("left_child", "<i8"),
        ("right_child", "<i8"),
        ("feature", "<i8"),
        ("threshold", "<f8"),
        ("impurity", "<f8"),
        ("n_node_samples", "<i8"),
        ("weighted_n_node_samples", "<f8"),
        ("missing_go_to_left", "u1"),
    ]
)
SINGLE = st.floats(width=32, allow_nan=False, allow_infinity=False)
DOUBLE = st.floats(
    -float(np.finfo(np.float32).max),
    float(np.finfo(np.float32).max),
    allow_nan=False,
    allow_infinity=False,
)


@dataclasses.dataclass(frozen=True, eq=False)
class Single:
    """The only model of a value, and who answers for its record."""

    part: Part
    oracle: Oracle

    @property
    def described(self) -> str:
        return self.part.described

    @property
    def warnings(self) -> tuple[str, ...]:
        return self.part.model.warnings

    @property
    def details(self) -> Mapping[str, Any]:
        return self.part.model.details


def only(value: object, read: Callable[[bytes], Any] = read_ubjson) -> Single:
    contents = revive(value, read)
    (revived,) = contents.models
    return Single(revived.part, contents.oracle)


def finished(revived: Single) -> tuple[Authored, ModelSpec, bytes]:
    authored = author(revived.part)
    data = finish(
        authored.graph,
        "revived",
        authored.inputs,
        authored.outputs,
        {"lookback_bars": 1, "rows": 1},
    )
    entry: dict[str, Any] = {
        "name": "revived",
        "version": "1",
        "file": "revived.onnx",
        "sha256": sha256(data).hexdigest(),
        "size_bytes": len(data),
        "kind": "rescued",
        "question": "",
        "lookback_bars": 1,
        "rows": 1,
        "features": [],
        "inputs": [asdict(array) for array in authored.inputs],
        "outputs": [asdict(array) for array in authored.outputs],
        "training": [],
        "judgements": [],
    }
    return authored, parse_model(entry), data


def proven(revived: Single, other: Single | None = None) -> None:
    """Hold the graph of a model, or of another one, against its oracle."""
    authored, spec, data = finished(other or revived)
    prove(revived.part, authored, revived.oracle, spec, data)


def answer(revived: Single, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """What the graph says in onnxruntime, after its proof."""
    proven(revived)
    _, spec, data = finished(revived)
    (said,) = Model.from_bytes(spec, data, "revived").run_validated({"x": x}).values()
    return said


def refused(value: object) -> str:
    with pytest.raises(LegacyError) as error:
        revive(value, read_ubjson)
    return error.value.code


def scaler(**changes: Any) -> Record:
    state = {
        "with_mean": True,
        "with_std": True,
        "n_features_in_": 2,
        "mean_": np.array([1.0, 2.0]),
        "scale_": np.array([2.0, 4.0]),
        "_sklearn_version": "1.5.2",
    }
    return Record("sklearn.preprocessing._data", "StandardScaler", state={**state, **changes})


def logistic(**changes: Any) -> Record:
    state = {
        "multi_class": "auto",
        "solver": "lbfgs",
        "n_features_in_": 2,
        "classes_": np.array([0, 1]),
        "coef_": np.array([[1.0, -2.0]]),
        "intercept_": np.array([0.5]),
        "_sklearn_version": "1.3.2",
    }
    return Record(
        "sklearn.linear_model._logistic", "LogisticRegression", state={**state, **changes}
    )


def grown(nodes: list[tuple[Any, ...]], values: Any, arguments: tuple[Any, ...]) -> Record:
    table = np.array([(*node[:4], 0.0, 1, 1.0, node[4]) for node in nodes], dtype=NODE)
    state = {"max_depth": 3, "node_count": len(nodes), "nodes": table, "values": np.array(values)}
    return Record("sklearn.tree._tree", "Tree", arguments, state)


def forest(nodes: list[tuple[Any, ...]], values: Any, **changes: Any) -> Record:
    """One tree of a classifier of two classes: nodes are left, right, feature, threshold, NaN."""
    member = Record(
        "sklearn.tree._classes",
        "DecisionTreeClassifier",
        state={
            "tree_": grown(nodes, values, (2, np.array([2]), 1)),
            "_sklearn_version": changes.get("_sklearn_version", "1.5.2"),
        },
    )
    state = {
        "n_features_in_": 2,
        "n_outputs_": 1,
        "n_classes_": 2,
        "classes_": np.array(["calm", "storm"]),
        "estimators_": [member],
        "criterion": "gini",
        "_sklearn_version": "1.5.2",
    }
    return Record("sklearn.ensemble._forest", "RandomForestClassifier", state={**state, **changes})


def pipeline(steps: Any) -> Record:
    state = {"steps": steps, "_sklearn_version": "1.5.2"}
    return Record("sklearn.pipeline", "Pipeline", state=state)


STUMP = [(1, 2, 0, 0.5, 1), (LEAF, LEAF, -2, -2.0, 0), (LEAF, LEAF, -2, -2.0, 0)]
SHARES = [[[0.5, 0.5]], [[0.75, 0.25]], [[0.0, 1.0]]]


def stump(**changes: Any) -> dict[str, Any]:
    """A tree of xgboost: 0.4 below 0.5 in the first column, -0.2 from there on."""
    tree: dict[str, Any] = {
        "tree_param": {"num_nodes": "3", "size_leaf_vector": "1"},
        "split_type": [0, 0, 0],
        "categories_nodes": [],
        "split_conditions": [0.5, 0.4, -0.2],
        "split_indices": [0, 0, 0],
        "left_children": [1, -1, -1],
        "right_children": [2, -1, -1],
        "default_left": [1, 0, 0],
    }
    return {**tree, **changes}


def by_set(**changes: Any) -> dict[str, Any]:
    """A tree of xgboost: -0.2 of categories 0 and 2 of the first column, 0.4 of others."""
    sets = {
        "categories": [0, 2],
        "categories_nodes": [0],
        "categories_segments": [0],
        "categories_sizes": [2],
        "split_conditions": [math.nan, 0.4, -0.2],
    }
    return stump(split_type=[1, 0, 0], **{**sets, **changes})


def coded(**changes: Any) -> dict[str, Any]:
    """The categories of the first column as a frame had them: a, β and c."""
    own = {"offsets": [0, 1, 3, 4], "values": [97, -50, -78, 99], **changes}
    return {"cats": {"enc": [own, {"offsets": [], "values": []}], "sorted_idx": [0, 1, 2]}}


def document(**changes: Any) -> dict[str, Any]:
    """A document of xgboost with one stump; `changes` by the part that they are of."""
    grown_trees = changes.get("trees", [stump()])
    count = len(grown_trees)
    name = changes.get("booster", "gbtree")
    model = {
        "gbtree_model_param": {"num_parallel_tree": "1", "num_trees": str(count)},
        "trees": grown_trees,
        "tree_info": changes.get("tree_info", [0] * count),
        "iteration_indptr": changes.get("rounds", list(range(count + 1))),
        **changes.get("model", {}),
    }
    model = changes.get("whole", model)
    plain = {"model": model} if name != "dart" else {"gbtree": {"name": "gbtree", "model": model}}
    return {
        "version": changes.get("version", [2, 0, 3]),
        "learner": {
            "attributes": changes.get("attributes", {}),
            "feature_names": changes.get("feature_names", []),
            "feature_types": changes.get("feature_types", []),
            "objective": {"name": changes.get("objective", "binary:logistic")},
            "learner_model_param": {
                "base_score": changes.get("base_score", "5E-1"),
                "num_class": changes.get("num_class", "0"),
                "num_feature": "2",
                "num_target": changes.get("num_target", "1"),
            },
            "gradient_booster": {"name": name, **plain, **changes.get("dropout", {})},
        },
    }


def booster(**changes: Any) -> Record:
    return handled({"Model": document(**changes)})


WEIGHED: dict[str, Any] = {"dropout": {"weight_drop": [0.5]}}


def handled(content: object) -> Record:
    """A Booster of a document."""
    handle = bytearray(json.dumps(content).encode())
    return Record("xgboost.core", "Booster", state={"handle": handle})


def wrapper(name: str = "XGBClassifier", missing: float = math.nan, **changes: Any) -> Record:
    state = {"missing": missing, "_Booster": booster(**changes)}
    return Record("xgboost.sklearn", name, state=state)


def sigmoid(margin: float) -> float:
    return 1.0 / (1.0 + math.exp(-margin))


@given(threshold=DOUBLE, value=SINGLE)
def test_a_rounded_threshold_splits_every_float32_as_the_original(
    threshold: float, value: float
) -> None:
    (rounded,) = rounded_down(np.array([threshold]))
    assert rounded.dtype == np.float32
    assert (np.float32(value) <= rounded) == (value <= threshold)


@pytest.mark.parametrize("towards", [-math.inf, math.inf])
def test_a_forest_decides_at_its_threshold_as_scikit_learn_does(towards: float) -> None:
    # 0.1 is no float32: the column becomes the float32 next to it, which is above.
    threshold = math.nextafter(float(np.float32(0.1)), towards)
    revived = only(forest([(1, 2, 0, threshold, 0), *STUMP[1:]], SHARES))
    said = answer(revived, np.array([[0.1, 0.0], [threshold, 0.0]]))
    goes_left = float(np.float32(0.1)) <= threshold
    assert goes_left is (towards > 0)
    assert said.tolist() == [[0.75, 0.25] if goes_left else [0.0, 1.0]] * 2


@pytest.mark.parametrize(("release", "share"), [("1.3.2", 30.0), ("1.4.0", 1.0), ("1.9.1", 1.0)])
def test_a_forest_answers_shares_whether_its_leaves_hold_counts_or_shares(
    release: str, share: float
) -> None:
    record = forest(STUMP, np.array(SHARES) * share, _sklearn_version=release)
    said = answer(only(record), np.array([[0.5, 0.0], [0.6, 0.0]]))
    np.testing.assert_allclose(said, [[0.75, 0.25], [0.0, 1.0]], rtol=1e-15)


def test_nan_goes_where_the_forest_sends_it() -> None:
    said = answer(only(forest(STUMP, SHARES)), np.array([[math.nan, 0.0]]))
    assert said.tolist() == [[0.75, 0.25]]
    nodes = [(1, 2, 0, 0.5, 0), *STUMP[1:]]
    assert answer(only(forest(nodes, SHARES)), np.array([[math.nan, 0.0]])).tolist() == [[0.0, 1.0]]


def test_a_forest_of_single_leaves_answers_the_same_everywhere() -> None:
    said = answer(only(forest([STUMP[1]], [[[1.0, 3.0]]])), np.array([[7.0, 8.0], [0.0, 0.0]]))
    assert said.tolist() == [[0.25, 0.75]] * 2


def test_labels_of_a_classifier_become_the_columns_of_its_contract() -> None:
    (said,) = author(only(forest(STUMP, SHARES)).part).outputs
    assert (said.name, said.shape, said.columns) == ("probability", ("N", 2), ("calm", "storm"))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"_sklearn_version": "0.19.2"}, "unsupported-version"),
        ({"_sklearn_version": "1.10.0"}, "unsupported-version"),
        ({"_sklearn_version": None}, "unsupported-version"),
        ({"n_outputs_": 2}, "inconsistent-model"),
        ({"n_classes_": 3}, "inconsistent-model"),
        ({"n_features_in_": 3}, "inconsistent-model"),
        ({"n_features_in_": 10**9}, "inconsistent-model"),
        ({"classes_": np.array([1, 1])}, "inconsistent-model"),
        ({"estimators_": []}, "inconsistent-model"),
        ({"estimators_": [scaler()]}, "inconsistent-model"),
        ({"estimators_": "many"}, "inconsistent-model"),
    ],
)
def test_a_forest_that_contradicts_itself_is_refused(changes: dict[str, Any], code: str) -> None:
    assert refused(forest(STUMP, SHARES, **changes)) == code


@pytest.mark.parametrize(
    "nodes",
    [
        [(0, 2, 0, 0.5, 0), *STUMP[1:]],
        [(1, 1, 0, 0.5, 0), *STUMP[1:]],
        [(1, 3, 0, 0.5, 0), *STUMP[1:]],
        [(1, -7, 0, 0.5, 0), *STUMP[1:]],
        [(1, LEAF, 0, 0.5, 0), *STUMP[1:]],
        [(LEAF, 2, 0, 0.5, 0), *STUMP[1:]],
        [(1, 2, 2, 0.5, 0), *STUMP[1:]],
        [(1, 2, -1, 0.5, 0), *STUMP[1:]],
        [(1, 2, 0, 1e39, 0), *STUMP[1:]],
    ],
    ids=["loop", "twin", "beyond", "below", "half", "other half", "column", "no column", "wide"],
)
def test_nodes_that_are_no_tree_are_refused(nodes: list[tuple[Any, ...]]) -> None:
    assert refused(forest(nodes, SHARES)) == "inconsistent-model"


def test_a_forest_may_send_nothing_but_nan_to_the_right() -> None:
    nodes = [(1, 2, 0, math.inf, 0), *STUMP[1:]]
    largest = float(np.finfo(np.float32).max)
    said = answer(
        only(forest(nodes, SHARES)),
        np.array([[-largest, 0.0], [0.0, 0.0], [largest, 0.0], [math.nan, 0.0]]),
    )
    assert said.tolist() == [[0.75, 0.25]] * 3 + [[0.0, 1.0]]


@pytest.mark.parametrize("spoilt", [math.nan, -math.inf])
def test_a_threshold_or_a_leaf_that_is_not_finite_is_refused(spoilt: float) -> None:
    assert refused(forest([(1, 2, 0, spoilt, 0), *STUMP[1:]], SHARES)) == "non-finite"
    assert refused(forest(STUMP, [*SHARES[:2], [[0.0, spoilt]]])) == "non-finite"


def chain(depth: int) -> Record:
    """A regression tree that goes on to the right, `depth` times."""
    size = 2 * depth + 1
    nodes: list[tuple[Any, ...]] = []
    for place in range(size):
        leaf = place % 2 == 1 or place == size - 1
        ends = (LEAF, LEAF) if leaf else (place + 1, place + 2)
        nodes.append((*ends, 0, float(place), 0))
    values = np.arange(size, dtype=np.float64)[:, None, None]
    state = {
        "n_features_in_": 1,
        "n_outputs_": 1,
        "criterion": "squared_error",
        "splitter": "best",
        "tree_": grown(nodes, values, (1, np.array([1]), 1)),
        "_sklearn_version": "1.5.2",
    }
    return Record("sklearn.tree._classes", "DecisionTreeRegressor", state=state)


def test_the_deepest_tree_that_is_allowed_runs() -> None:
    revived = only(chain(trees.MAX_DEPTH - 1))
    x = np.array([[-1.0], [100.5], [1e6]])
    expected = revived.oracle.answer(revived.part.value, "value", x)[:, 0]
    assert answer(revived, x).tolist() == expected.tolist()
    with pytest.raises(OversizedModelError, match="levels"):
        only(chain(trees.MAX_DEPTH))


@pytest.mark.parametrize(
    ("release", "multi_class", "solver", "classes", "link"),
    [
        ("1.3.2", "auto", "lbfgs", 2, "sigmoid"),
        ("1.3.2", "multinomial", "lbfgs", 2, "doubled"),
        ("1.3.2", "auto", "lbfgs", 3, "softmax"),
        ("1.3.2", "ovr", "lbfgs", 3, "each"),
        ("1.3.2", "auto", "liblinear", 3, "each"),
        ("1.5.2", "deprecated", "newton-cholesky", 3, "each"),
        ("1.6.1", "deprecated", "newton-cholesky", 3, "softmax"),
        ("1.7.2", "deprecated", "lbfgs", 2, "sigmoid"),
        ("1.7.2", "deprecated", "liblinear", 3, "each"),
        ("1.8.0", None, "lbfgs", 3, "softmax"),
        ("1.9.1", None, "lbfgs", 2, "sigmoid"),
    ],
)
def test_logistic_regression_ends_as_its_release_ends_it(
    release: str, multi_class: str | None, solver: str, classes: int, link: str
) -> None:
    random = np.random.default_rng(0)
    rows = 1 if classes == 2 else classes
    record = logistic(
        _sklearn_version=release,
        multi_class=multi_class,
        solver=solver,
        classes_=np.arange(classes),
        coef_=random.normal(size=(rows, 2)),
        intercept_=random.normal(size=rows),
    )
    x = random.normal(size=(5, 2))
    decision = x @ record.state["coef_"].T + record.state["intercept_"]
    each = 1.0 / (1.0 + np.exp(-decision * (2.0 if link == "doubled" else 1.0)))
    raised = np.exp(decision)
    expected = {
        "sigmoid": np.column_stack([1.0 - each, each]),
        "doubled": np.column_stack([1.0 - each, each]),
        "each": each / each.sum(axis=1, keepdims=True),
        "softmax": raised / raised.sum(axis=1, keepdims=True),
    }[link]
    np.testing.assert_allclose(answer(only(record), x), expected, rtol=1e-12)


def test_a_bare_number_is_the_intercept_of_a_model_without_one() -> None:
    x = np.array([[0.5, -1.0], [2.0, 3.0]])
    bare, array = only(logistic(intercept_=0.0)), only(logistic(intercept_=np.zeros(1)))
    np.testing.assert_array_equal(answer(bare, x), answer(array, x))


def test_models_in_a_tuple_or_a_list_are_called_by_their_place() -> None:
    for pair in ((scaler(), logistic()), [scaler(), logistic()]):
        contents = revive(pair, read_ubjson)
        assert [one.key for one in contents.models] == ["0", "1"]


def sgd_impossible(release: str) -> Record:
    """Three classes of which none is possible far from 0."""
    state = {
        "loss": "log_loss",
        "classes_": np.arange(3),
        "coef_": np.full((3, 2), -1.0),
        "intercept_": np.zeros(3),
        "n_features_in_": 2,
        "_sklearn_version": release,
    }
    return Record("sklearn.linear_model._stochastic_gradient", "SGDClassifier", state=state)


def test_classes_that_are_all_impossible_share_alike_since_1_9_and_have_no_share_before() -> None:
    impossible = sgd_impossible("1.9.1")
    np.testing.assert_allclose(answer(only(impossible), np.full((1, 2), 1e4)), [[1 / 3] * 3])
    with pytest.raises(NonFiniteOutputError):
        answer(only(sgd_impossible("1.7.2")), np.full((1, 2), 1e4))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"coef_": np.array([[1.0, 2.0, 3.0]])}, "inconsistent-model"),
        ({"coef_": np.array([[1.0, math.nan]])}, "non-finite"),
        ({"coef_": "heavy"}, "inconsistent-model"),
        ({"intercept_": np.array([1.0, 2.0])}, "inconsistent-model"),
        ({"classes_": np.array([1])}, "inconsistent-model"),
        ({"classes_": [0, 1]}, "inconsistent-model"),
        ({"multi_class": "other"}, "inconsistent-model"),
        ({"n_features_in_": True}, "inconsistent-model"),
    ],
)
def test_a_logistic_regression_that_contradicts_itself_is_refused(
    changes: dict[str, Any], code: str
) -> None:
    assert refused(logistic(**changes)) == code


def test_an_estimator_that_was_never_fitted_is_refused() -> None:
    state = {"with_mean": True, "with_std": True, "_sklearn_version": "1.5.2"}
    assert refused(Record("sklearn.preprocessing._data", "StandardScaler", state=state)) == (
        "not-fitted"
    )
    assert refused(Record("xgboost.core", "Booster", state={"handle": None})) == "not-fitted"
    bare = Record("xgboost.sklearn", "XGBClassifier", state={"missing": math.nan})
    assert refused(bare) == "not-fitted"


@pytest.mark.parametrize(
    ("with_mean", "with_std", "expected"),
    [
        (True, True, [1.0, 0.5]),
        (False, True, [1.5, 1.0]),
        (True, False, [2.0, 2.0]),
        (False, False, [3.0, 4.0]),
    ],
)
def test_a_scaler_does_what_it_was_told_to(
    with_mean: bool, with_std: bool, expected: list[float]
) -> None:
    revived = only(scaler(with_mean=with_mean, with_std=with_std))
    assert answer(revived, np.array([[3.0, 4.0]])).tolist() == [expected]


def test_a_scaler_that_would_divide_by_zero_is_refused() -> None:
    assert refused(scaler(scale_=np.array([1.0, 0.0]))) == "inconsistent-model"


def test_a_pipeline_scales_before_it_decides_and_passes_through_the_rest() -> None:
    steps = [("scale", scaler()), ("nothing", "passthrough"), ("model", logistic())]
    revived = only(pipeline(steps))
    assert revived.described == "Pipeline of StandardScaler, LogisticRegression"
    said = answer(revived, np.array([[3.0, 4.0]]))
    assert said[0, 1] == pytest.approx(sigmoid(1.0 * 1.0 - 2.0 * 0.5 + 0.5), rel=1e-12)


def test_a_pipeline_may_end_in_a_booster_and_nan_goes_through_its_scaler() -> None:
    steps = [("scale", scaler()), ("model", wrapper())]
    said = answer(
        only(pipeline(steps)),
        np.array([[1.5, 0.0], [3.0, 0.0], [math.nan, 0.0]]),
    )
    np.testing.assert_allclose(said[:, 1], [sigmoid(0.4), sigmoid(-0.2), sigmoid(0.4)], rtol=1e-6)


@pytest.mark.parametrize(
    ("steps", "code"),
    [
        ([("model", logistic()), ("scale", scaler())], "unsupported-model"),
        ([("scale", scaler(n_features_in_=1, mean_=np.ones(1), scale_=np.ones(1))),
          ("model", logistic())], "inconsistent-model"),
        ([("nothing", "passthrough")], "not-a-model"),
        ([("odd", 3)], "unsupported-model"),
        ([], "inconsistent-model"),
        ([scaler()], "inconsistent-model"),
    ],
    ids=["model first", "widths", "nothing", "number", "empty", "nameless"],
)  # fmt: skip
def test_a_pipeline_of_anything_else_is_refused(steps: list[Any], code: str) -> None:
    assert refused(pipeline(steps)) == code


def test_a_dictionary_gives_each_model_by_itself_and_carries_plain_values() -> None:
    contents = revive(
        {
            "model": logistic(),
            "scaler": scaler(),
            "features": ["iv", "rv"],
            "rows": np.zeros((2, 2)),
            "window": 20,
        },
        read_ubjson,
    )
    assert [(one.key, one.part.described) for one in contents.models] == [
        ("model", "LogisticRegression"),
        ("scaler", "StandardScaler"),
    ]
    assert contents.carried == {"features": ["iv", "rv"], "window": 20}
    assert contents.left_out == ("rows",)


def test_models_inside_of_containers_are_called_by_their_path() -> None:
    inside = {"calm": [scaler(), (logistic(), 3)], "names": ["iv"]}
    contents = revive({"models": inside, "note": "mine"}, read_ubjson)
    assert [(one.key, one.part.described) for one in contents.models] == [
        ("models.calm.0", "StandardScaler"),
        ("models.calm.1.0", "LogisticRegression"),
    ]
    assert contents.carried == {"models.calm.1.1": 3, "models.names": ["iv"], "note": "mine"}


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (np.zeros(3), "not-a-model"),
        ({"features": ["a"]}, "not-a-model"),
        ({}, "not-a-model"),
        (["a", "b"], "not-a-model"),
        ((), "not-a-model"),
        ({"encoder": Record("sklearn.preprocessing._label", "NoEncoder", state={})},
         "unknown-class"),
        (Record("sklearn.tree._tree", "Tree", (1, 2, 3)), "unknown-class"),
        ({str(number): logistic() for number in range(65)}, "unsupported-model"),
    ],
)  # fmt: skip
def test_what_holds_no_model_that_can_be_found_is_refused(value: object, code: str) -> None:
    assert refused(value) == code


@pytest.mark.parametrize(
    ("version", "base_score", "margin"),
    [
        ([2, 0, 3], "5E-1", 0.0),
        ([2, 0, 3], "3E-1", math.log(0.3 / 0.7)),
        ([3, 1, 0], "[3E-1]", math.log(0.3 / 0.7)),
        ([3, 2, 0], "[0.3]", math.log(0.3 / 0.7)),
    ],
)
def test_a_logistic_booster_begins_with_the_logit_of_its_base_score(
    version: list[int], base_score: str, margin: float
) -> None:
    said = answer(
        only(booster(version=version, base_score=base_score)),
        np.array([[0.4, 0.0], [0.5, 0.0], [math.nan, 0.0]]),
    )
    expected = [sigmoid(margin + leaf) for leaf in (0.4, -0.2, 0.4)]
    np.testing.assert_allclose(said[:, 1], expected, rtol=2e-7)
    np.testing.assert_array_equal(said.sum(axis=1), 1.0)


def test_a_booster_of_classes_begins_with_a_base_score_for_each() -> None:
    changes = {"objective": "multi:softprob", "num_class": "3", "version": [3, 2, 0]}
    changes |= {"trees": [stump()] * 3, "tree_info": [0, 1, 2], "rounds": [0, 3]}
    revived = only(booster(base_score="[0.1,0.7,-0.2]", **changes))
    raised = np.exp(np.array([0.1, 0.7, -0.2]) + 0.4)
    expected = raised / raised.sum()
    np.testing.assert_allclose(answer(revived, np.zeros((1, 2)))[0], expected, rtol=1e-6)


def test_a_regression_adds_in_float32_and_in_the_order_of_its_trees() -> None:
    leaves = [1e8, 3.0, -1e8, 0.25]
    grown_trees = [stump(split_conditions=[0.5, leaf, 9.0]) for leaf in leaves]
    revived = only(booster(objective="reg:squarederror", base_score="1E0", trees=grown_trees))
    total = np.float32(1.0)
    for leaf in leaves:
        total = total + np.float32(leaf)
    assert float(total) != 1.0 + sum(leaves)
    assert answer(revived, np.zeros((1, 2))).tolist() == [float(total)]


@pytest.mark.parametrize(("booster_name", "release"), [("dart", [3, 2, 0]), ("gbtree", [3, 3, 0])])
def test_the_leaves_of_a_booster_with_dropout_are_weighed_whatever_it_calls_itself(
    booster_name: str, release: list[int]
) -> None:
    grown_trees = [stump(split_conditions=[0.5, leaf, 0.0]) for leaf in (0.3, 0.5)]
    changes: dict[str, Any] = {"objective": "reg:squarederror", "base_score": "[1E0]"}
    changes |= {"trees": grown_trees, "booster": booster_name, "version": release}
    revived = only(booster(dropout={"weight_drop": [0.7, 0.1]}, **changes))
    single = np.float32
    total = single(1.0) + single(0.3) * single(0.7) + single(0.5) * single(0.1)
    assert answer(revived, np.zeros((1, 2))).tolist() == [float(total)]
    assert revived.details["dropout"] is True


def test_a_wrapper_stops_at_its_best_iteration_and_a_bare_booster_does_not() -> None:
    grown_trees = [stump(split_conditions=[0.5, leaf, 0.0]) for leaf in (0.25, 0.5, 1.0)]
    changes: dict[str, Any] = {"objective": "reg:squarederror", "base_score": "0E0"}
    changes |= {"trees": grown_trees, "attributes": {"best_iteration": "1"}}
    stopped, whole = only(wrapper("XGBRegressor", **changes)), only(booster(**changes))
    x = np.zeros((1, 2))
    assert answer(stopped, x).tolist() == [0.75]
    assert answer(whole, x).tolist() == [1.75]
    assert stopped.details["best_iteration"] == whole.details["best_iteration"] == 1
    assert (stopped.details["trees_used"], whole.details["trees_used"]) == (2, 3)
    assert not stopped.warnings
    assert "best iteration" in whole.warnings[0]


@pytest.mark.parametrize("rounds", [[0, 2, 4], None])
def test_rounds_of_several_parallel_trees_count_as_one(rounds: list[int] | None) -> None:
    grown_trees = [stump(split_conditions=[0.5, leaf, 0.0]) for leaf in (1.0, 2.0, 4.0, 8.0)]
    revived = only(
        wrapper(
            "XGBRegressor",
            objective="reg:squarederror",
            base_score="0E0",
            trees=grown_trees,
            attributes={"best_iteration": "0"},
            model={
                "iteration_indptr": rounds,
                "gbtree_model_param": {"num_parallel_tree": "2", "num_trees": "4"},
            },
        )
    )
    assert answer(revived, np.zeros((1, 2))).tolist() == [3.0]


def test_what_pruning_left_behind_is_not_read() -> None:
    pruned = stump(
        tree_param={"num_nodes": "5", "size_leaf_vector": "1", "num_deleted": "2"},
        split_type=[0] * 5,
        split_conditions=[0.5, 0.4, -0.2, 1e30, 3.0],
        split_indices=[0, 0, 0, 99, 7],
        left_children=[1, -1, -1, 3, 88],
        right_children=[2, -1, -1, 3, -1],
        default_left=[0] * 5,
    )
    said = answer(only(booster(trees=[pruned])), np.zeros((1, 2)))
    assert said[0, 1] == pytest.approx(sigmoid(0.4), rel=1e-6)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"version": [0, 82, 0]}, "unsupported-version"),
        ({"version": [4, 0, 0]}, "unsupported-version"),
        ({"version": []}, "unsupported-version"),
        ({"version": "3.2"}, "unsupported-version"),
        ({"booster": "dart"}, "inconsistent-model"),
        ({"dropout": {"weight_drop": [0.5, 0.5]}}, "inconsistent-model"),
        ({"dropout": {"weight_drop": ["half"]}}, "inconsistent-model"),
        ({"dropout": {"weight_drop": [math.nan]}}, "non-finite"),
        ({"dropout": {"weight_drop": [1e39]}}, "non-finite"),
        ({"dropout": {"weight_drop": [3e38]}, "trees": [stump(split_conditions=[0.5, 9.0, 0.0])]},
         "non-finite"),
        ({"booster": "gbforest"}, "unsupported-booster"),
        ({"booster": "gblinear"}, "unknown-part"),
        ({"objective": "rank:own"}, "unsupported-objective"),
        ({"objective": "multi:softmax"}, "inconsistent-model"),
        ({"objective": "count:poisson", "base_score": "-1E0"}, "inconsistent-model"),
        ({"objective": "reg:logistic", "base_score": "1E0"}, "inconsistent-model"),
        ({"num_target": "2", "objective": "binary:hinge"}, "unsupported-booster"),
        ({"num_target": "2", "objective": "reg:expectileerror"}, "unsupported-booster"),
        ({"num_class": "3"}, "inconsistent-model"),
        ({"num_class": "three"}, "inconsistent-model"),
        ({"objective": "multi:softprob", "num_class": "999999", "trees": [stump()] * 9,
          "tree_info": [0] * 9, "rounds": [0, 9]}, "limit-model"),
        ({"base_score": "nan"}, "non-finite"),
        ({"base_score": "1E0"}, "inconsistent-model"),
        ({"base_score": "[5E-1,5E-1]"}, "inconsistent-model"),
        ({"base_score": "[[5E-1]]"}, "inconsistent-model"),
        ({"base_score": "[" * 100_000}, "inconsistent-model"),
        ({"base_score": 0.5}, "inconsistent-model"),
        ({"trees": []}, "not-fitted"),
        ({"tree_info": [1]}, "inconsistent-model"),
        ({"tree_info": [0, 0]}, "inconsistent-model"),
        ({"rounds": [0, 2]}, "inconsistent-model"),
        ({"attributes": {"best_iteration": "1"}}, "inconsistent-model"),
        ({"attributes": {"best_iteration": "-1"}}, "inconsistent-model"),
        ({"feature_names": ["one"]}, "inconsistent-model"),
        ({"feature_types": ["c", "float"], "version": [1, 5, 2]}, "categorical-splits"),
        ({"trees": [by_set()], "version": [1, 5, 2]}, "categorical-splits"),
        ({"trees": [stump()], "model": coded()}, "categorical-splits"),
        ({"trees": [by_set(categories=[3])], "model": coded()}, "inconsistent-model"),
        ({"trees": [by_set()], "model": coded(), "objective": "binary:hinge",
          "version": [3, 3, 0]}, "categorical-splits"),
        ({"model": {"cats": {"enc": [1]}}}, "inconsistent-model"),
        ({"model": {"cats": {"enc": [1, 1]}}}, "inconsistent-model"),
        ({"model": coded(offsets=[0, 2, 4])}, "inconsistent-model"),
        ({"model": coded(offsets=[0, 2, 2])}, "inconsistent-model"),
        ({"model": coded(values=[97, 256, 99])}, "inconsistent-model"),
        ({"model": coded(values=[97, 195, 99])}, "inconsistent-model"),
        ({"trees": [stump(split_type=[1, 0, 0])]}, "inconsistent-model"),
        ({"trees": [stump(split_type=[2, 0, 0])]}, "unsupported-model"),
        ({"trees": [stump(categories_nodes=[0])]}, "inconsistent-model"),
        ({"trees": [by_set(), stump(split_indices=[7, 0, 0])]}, "inconsistent-model"),
        ({"trees": [by_set(), stump(split_indices=[-7, 0, 0])]}, "inconsistent-model"),
        ({"trees": [by_set(categories_segments=[1])]}, "inconsistent-model"),
        ({"trees": [by_set(categories_sizes=[0])]}, "inconsistent-model"),
        ({"trees": [by_set(categories=[-1])]}, "inconsistent-model"),
        ({"trees": [by_set(categories=[2**24])]}, "inconsistent-model"),
        ({"trees": [stump(tree_param={"num_nodes": "3", "size_leaf_vector": "3"})]},
         "inconsistent-model"),
        ({"trees": [stump(split_conditions=[0.5, math.inf, 0.0])]}, "non-finite"),
        ({"trees": [stump(split_conditions=[0.5, 0.4])]}, "inconsistent-model"),
        ({"trees": [stump(left_children=[0, -1, -1])]}, "inconsistent-model"),
        ({"trees": [stump(left_children=[0.5, -1, -1])]}, "inconsistent-model"),
        ({"trees": ["tree"]}, "inconsistent-model"),
    ],
)  # fmt: skip
def test_a_booster_that_is_not_understood_is_refused(changes: dict[str, Any], code: str) -> None:
    assert refused(booster(**changes)) == code


def test_a_document_of_xgboost_with_an_unknown_key_anywhere_is_refused_by_its_name() -> None:
    for content in ({"Model": document()}, {"Model": document(booster="dart", **WEIGHED)}):
        assert revive(handled(content), read_ubjson).models
        objects = [
            place
            for place in [(), *places(content)]
            if isinstance(at(content, place), dict) and "attributes" not in place
        ]
        assert len(objects) >= 9
        for place in objects:
            spoilt = changed(content, place, {**at(content, place), "leaf_offset": 0.5})
            with pytest.raises(UnknownPartError, match="leaf_offset") as error:
                revive(handled(spoilt), read_ubjson)
            assert error.value.key == "leaf_offset"


def test_an_estimator_with_an_unknown_attribute_is_refused_by_its_name() -> None:
    for record in ESTIMATORS:
        owners = [
            place
            for place in [(), *places(record)]
            if isinstance(at(record, place), Record) and place != ("state", "_Booster", "state")
        ]
        assert owners
        for place in owners:
            owner = at(record, place)
            state = {**owner.state, "leaf_offset": 0.5}
            with pytest.raises(UnknownPartError, match="leaf_offset") as error:
                revive(changed(record, (*place, "state"), state), read_ubjson)
            assert error.value.owner == owner.name


@pytest.mark.parametrize("missing", [math.inf, 1e39, -math.inf])
def test_a_wrapper_whose_mark_for_missing_values_no_row_can_hold_is_refused(missing: float) -> None:
    assert refused(wrapper(missing=missing)) == "unsupported-missing"


def test_a_wrapper_may_have_its_own_mark_for_missing_values() -> None:
    """NaN is missing beside it, and so is whatever is it once it is rounded to float32."""
    asked = [-999.0, -999.000000001, math.nan, -998.9, 9.0]
    rows = np.array([[one, 0.0] for one in asked])
    revived = only(wrapper("XGBRegressor", missing=-999, objective="reg:squarederror"))
    proven(revived)
    said = answer(revived, rows)
    other = only(
        wrapper(
            "XGBRegressor",
            missing=-999,
            objective="reg:squarederror",
            trees=[stump(default_left=[0, 0, 0])],
        )
    )
    assert said == pytest.approx([0.9, 0.9, 0.9, 0.9, 0.3], rel=1e-6)
    assert answer(other, rows) == pytest.approx([0.3, 0.3, 0.3, 0.9, 0.3], rel=1e-6)


SQUARED: dict[str, Any] = {"objective": "reg:squarederror", "base_score": "0E0"}
LEFT, RIGHT = pytest.approx(0.4, rel=1e-6), pytest.approx(-0.2, rel=1e-6)


@pytest.mark.parametrize("default_left", [0, 1])
@pytest.mark.parametrize("release", [[1, 6, 2], [1, 7, 0], [3, 3, 0]])
def test_a_category_of_a_set_goes_right_and_what_no_set_holds_as_its_release_says(
    release: list[int], default_left: int
) -> None:
    trees = [by_set(default_left=[default_left, 0, 0])]
    revived = only(booster(version=release, trees=trees, **SQUARED))
    proven(revived)
    asked = [0.0, 1.0, 2.0, 2.9, -0.0, 31.0, 32.0, -1.0, -0.4, 2.0**24, 1e30, math.nan]
    said = answer(revived, np.array([[one, 0.0] for one in asked])).tolist()
    default = LEFT if default_left else RIGHT
    strange = default if release < [1, 7] else LEFT
    assert said[:6] == [RIGHT, LEFT, RIGHT, RIGHT, RIGHT, LEFT]
    assert said[6:] == [strange] * 5 + [default]


@pytest.mark.parametrize("release", [[3, 1, 3], [3, 2, 0], [3, 3, 0]])
def test_categories_of_a_frame_are_told_by_their_values(release: list[int]) -> None:
    changes = {"version": release, "model": coded(), **SQUARED}
    revived = only(booster(trees=[by_set(default_left=[1, 0, 0])], **changes))
    proven(revived)
    columns = finished(revived)[0].columns
    assert columns[0].texts == ["a", "β", "c", None]
    said = answer(revived, np.array([[place, 0.0] for place in (0, 1, 2, 3)]))
    assert said.tolist() == [RIGHT, LEFT, RIGHT, LEFT]
    with pytest.raises(NonFiniteOutputError):
        answer(revived, np.array([[-1.0, 0.0]]))


def test_categories_of_a_frame_may_be_whole_numbers() -> None:
    own = {"cats": {"enc": [{"type": 15, "values": [10, 20, 30]}, {"offsets": [], "values": []}]}}
    revived = only(booster(version=[3, 2, 0], trees=[by_set()], model=own, **SQUARED))
    proven(revived)
    said = answer(revived, np.array([[one, 0.0] for one in (10.0, 20.0, 30.0)]))
    assert said.tolist() == [RIGHT, LEFT, RIGHT]
    for unknown in (0.0, 15.0, 31.0):
        with pytest.raises(NonFiniteOutputError):
            answer(revived, np.array([[unknown, 0.0]]))
    marked: dict[str, Any] = {"version": [3, 2, 0], "trees": [by_set()], "model": own}
    assert refused(wrapper(missing=-1.0, **marked)) == "unsupported-missing"


def test_leaves_of_several_numbers_are_read_as_their_release_writes_them() -> None:
    several = {"tree_param": {"num_nodes": "3", "size_leaf_vector": "2"}}
    by_node = stump(base_weights=[9, 9, 1, 2, 3, 4], **several)
    by_leaf = stump(leaf_weights=[3, 4, 1, 2], right_children=[2, 1, 0], **several)
    for release, tree in (([2, 0, 3], by_node), ([3, 2, 0], by_leaf)):
        revived = only(booster(version=release, trees=[tree], num_target="2", **SQUARED))
        proven(revived)
        assert answer(revived, np.array([[0.0, 0.0], [1.0, 0.0]])).tolist() == [[1, 2], [3, 4]]
    astray = stump(leaf_weights=[3, 4, 1, 2], right_children=[2, 2, 0], **several)
    assert refused(booster(trees=[astray], num_target="2", **SQUARED)) == "inconsistent-model"
    short = stump(base_weights=[9, 9, 1, 2], **several)
    assert refused(booster(trees=[short], num_target="2", **SQUARED)) == "inconsistent-model"


def test_several_questions_of_a_logistic_booster_have_a_probability_each() -> None:
    changes: dict[str, Any] = {"trees": [stump(), stump()], "tree_info": [0, 1], "rounds": [0, 2]}
    revived = only(booster(num_target="2", base_score="[5E-1,2.5E-1]", **changes))
    proven(revived)
    (said,) = answer(revived, np.zeros((1, 2)))
    assert said == pytest.approx([sigmoid(0.4), sigmoid(0.4 + math.log(1 / 3))], rel=1e-6)
    assert refused(wrapper(num_target="2", **changes)) == "unsupported-objective"


def test_a_booster_of_lines_adds_up_its_columns_and_leaves_out_what_is_missing() -> None:
    changes = {"booster": "gblinear", "whole": {"weights": [2.0, -1.0, 0.25]}}
    revived = only(booster(**changes, **SQUARED))
    proven(revived)
    asked = np.array([[1.0, 1.0], [3.0, math.nan], [math.nan, math.nan]])
    assert answer(revived, asked).tolist() == [1.25, 6.25, 0.25]
    short = {"booster": "gblinear", "whole": {"weights": [2.0, -1.0]}}
    assert refused(booster(**short, **SQUARED)) == "inconsistent-model"


@pytest.mark.parametrize(
    ("name", "objective"),
    [("XGBRegressor", "binary:logistic"), ("XGBClassifier", "reg:squarederror")],
)
def test_a_wrapper_whose_objective_is_of_another_kind_is_refused(name: str, objective: str) -> None:
    assert refused(wrapper(name, objective=objective)) == "unsupported-objective"


def state_dict(layers: int, features: int, hidden: int, width: int, outputs: int) -> dict[str, Any]:
    random = np.random.default_rng(3)

    def drawn(*shape: int) -> NDArray[np.float32]:
        return random.normal(scale=0.4, size=shape).astype(np.float32)

    weights = {}
    for layer in range(layers):
        entry = features if layer == 0 else 2 * hidden
        for end in ("", "_reverse"):
            weights[f"lstm.weight_ih_l{layer}{end}"] = drawn(4 * hidden, entry)
            weights[f"lstm.weight_hh_l{layer}{end}"] = drawn(4 * hidden, hidden)
            weights[f"lstm.bias_ih_l{layer}{end}"] = drawn(4 * hidden)
            weights[f"lstm.bias_hh_l{layer}{end}"] = drawn(4 * hidden)
    weights["alignment.weight"] = drawn(width, 2 * hidden)
    weights["alignment.bias"] = drawn(width)
    weights["attention.weight"] = drawn(1, width)
    weights["heads.weight"] = drawn(outputs, 2 * hidden)
    weights["heads.bias"] = drawn(outputs)
    return weights


@pytest.mark.parametrize(
    ("layers", "features", "hidden", "width", "outputs"),
    [(1, 6, 8, 8, 9), (2, 3, 5, 4, 2), (3, 1, 1, 1, 1)],
)
def test_a_network_of_any_size_says_what_torch_says(
    layers: int, features: int, hidden: int, width: int, outputs: int
) -> None:
    torch = pytest.importorskip("torch", reason="torch trains the networks, and is not installed")
    weights = state_dict(layers, features, hidden, width, outputs)
    lstm = torch.nn.LSTM(features, hidden, layers, batch_first=True, bidirectional=True)
    own = {name.removeprefix("lstm."): one for name, one in weights.items() if "lstm." in name}
    lstm.load_state_dict({name: torch.from_numpy(one) for name, one in own.items()})
    rest = {name: torch.from_numpy(one) for name, one in weights.items() if "lstm." not in name}
    windows = np.random.default_rng(4).normal(size=(3, 11, features)).astype(np.float32)
    with torch.inference_mode():
        states, _ = lstm(torch.from_numpy(windows))
        aligned = torch.tanh(states @ rest["alignment.weight"].T + rest["alignment.bias"])
        shares = torch.softmax(aligned @ rest["attention.weight"].T, dim=1)
        context = (shares * states).sum(dim=1)
        logits = (context @ rest["heads.weight"].T + rest["heads.bias"]).numpy()
    revived = only(weights)
    assert isinstance(revived.part.parameters, Recurrent)
    np.testing.assert_allclose(answer(revived, windows.astype(np.float64)), logits, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"attention.bias": np.zeros(1, np.float32)}, "unknown-network"),
        ({"lstm.weight_hr_l0": np.zeros((1, 5), np.float32)}, "unknown-network"),
        ({"heads.bias": None}, "unknown-network"),
        ({"lstm.weight_ih_l0": None}, "unknown-network"),
        ({"heads.bias": np.zeros(3, np.float32)}, "inconsistent-model"),
        ({"heads.weight": np.zeros((2, 5), np.float32)}, "inconsistent-model"),
        ({"heads.weight": np.zeros((0, 10), np.float32)}, "inconsistent-model"),
        ({"attention.weight": np.zeros((2, 4), np.float32)}, "inconsistent-model"),
        ({"lstm.weight_hh_l1": np.zeros((20, 4), np.float32)}, "inconsistent-model"),
        ({"heads.bias": np.zeros(2)}, "unsupported-precision"),
        ({"heads.bias": np.zeros(2, np.float16)}, "unsupported-precision"),
        ({"heads.bias": np.array([0, math.nan], np.float32)}, "non-finite"),
        ({"fc.0.weight": np.full((2, 2), math.nan, np.float32)}, "non-finite"),
        ({"heads.weight": np.zeros((2**21, 10), np.float32)}, "limit-model"),
    ],
)
def test_a_state_dict_of_another_network_is_refused(change: Mapping[str, Any], code: str) -> None:
    weights = {**state_dict(2, 3, 5, 4, 2), **change}
    assert refused({name: one for name, one in weights.items() if one is not None}) == code


def test_the_proof_finds_a_graph_of_other_parameters() -> None:
    revived, other = only(forest(STUMP, SHARES)), only(forest(STUMP, SHARES[::-1]))
    with pytest.raises(UnfaithfulModelError) as error:
        proven(revived, other)
    assert error.value.worst == 0.5


def test_the_proof_finds_a_threshold_that_moved_by_one_float32() -> None:
    revived = only(booster(objective="reg:squarederror"))
    above = float(np.nextafter(np.float32(0.5), np.float32(1.0)))
    other = only(
        booster(objective="reg:squarederror", trees=[stump(split_conditions=[above, 0.4, -0.2])])
    )
    with pytest.raises(UnfaithfulModelError):
        proven(revived, other)


def test_the_proof_probes_every_threshold_on_both_sides() -> None:
    _, boundary, missing = probes(only(forest(STUMP, SHARES)).part, ())
    assert np.isnan(missing).any()
    single = boundary[:, 0].astype(np.float32)
    middle = np.float32(0.5)
    for value in (middle, np.nextafter(middle, np.float32(0)), np.nextafter(middle, np.float32(1))):
        assert value in single


def test_a_tree_without_nodes_is_refused() -> None:
    nothing = np.zeros(0, dtype=np.int64)
    with pytest.raises(InconsistentModelError, match="no nodes"):
        trees.grow(
            nothing, np.zeros(0), nothing, nothing, np.zeros(0, np.bool_), np.zeros((0, 1)), 1
        )


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=4)
    | st.binary(max_size=4)
    | st.sampled_from(
        [
            np.zeros(0),
            np.zeros((2, 2)),
            np.array(["a", "b"]),
            np.array([1 + 2j]),
            np.float32(3),
            np.int64(-1),
            np.zeros(3, dtype=NODE),
            np.array([math.nan, 1.0]),
            np.datetime64("2026-01-01"),
            "[1,2]",
            "999999999",
        ]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


def places(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in nested dictionaries, lists and records."""
    if isinstance(value, Record):
        arguments = places(value.arguments, (*path, "arguments"))
        return [(*path, "state"), *arguments, *places(value.state, (*path, "state"))]
    pairs: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        pairs = list(value.items())
    elif isinstance(value, list | tuple):
        pairs = list(enumerate(value))
    found = []
    for key, one in pairs:
        found += [(*path, key), *places(one, (*path, key))]
    return found


def at(value: Any, path: tuple[Any, ...]) -> Any:
    """What stands at one place."""
    for head in path:
        value = getattr(value, head) if isinstance(value, Record) else value[head]
    return value


def changed(value: Any, path: tuple[Any, ...], new: object) -> Any:
    """The same, with another value at one place."""
    if not path:
        return new
    head, *rest = path
    if isinstance(value, Record):
        return dataclasses.replace(value, **{head: changed(getattr(value, head), tuple(rest), new)})
    if isinstance(value, dict):
        return {**value, head: changed(value[head], tuple(rest), new)}
    inner = list(value)
    inner[head] = changed(inner[head], tuple(rest), new)
    return type(value)(inner)


def survives(value: object, read: Callable[[bytes], Any]) -> None:
    """Refused with a reason, or converted and proven; nothing else may happen."""
    try:
        contents = revive(value, read)
        for revived in contents.models:
            proven(Single(revived.part, contents.oracle))
    except AegisError:
        return
    json.dumps([contents.carried, contents.left_out], allow_nan=False)


ESTIMATORS = [
    scaler(),
    logistic(),
    forest(STUMP, SHARES),
    pipeline([("a", scaler()), ("b", logistic())]),
    wrapper(),
]


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_an_estimator_with_anything_anywhere_is_refused_or_proven(data: st.DataObject) -> None:
    record = data.draw(st.sampled_from(ESTIMATORS))
    place = data.draw(st.sampled_from(places(record)))
    survives(changed(record, place, data.draw(anything)), read_ubjson)


SEVERAL: dict[str, Any] = {"tree_param": {"num_nodes": "3", "size_leaf_vector": "2"}}
KINDS_OF_BOOSTER: list[dict[str, Any]] = [
    {},
    {"trees": [by_set(), stump()], **SQUARED},
    {"trees": [by_set()], "version": [1, 6, 0], **SQUARED},
    {"trees": [by_set()], "version": [3, 3, 0], "model": coded(), **SQUARED},
    {"trees": [stump(base_weights=[9, 9, 1, 2, 3, 4], **SEVERAL)], "num_target": "2", **SQUARED},
    {"booster": "gblinear", "whole": {"weights": [2.0, -1.0, 0.25]}, **SQUARED},
]


def test_a_booster_that_lists_no_categories_has_none() -> None:
    content = document(
        trees=[by_set()], version=[3, 3, 0], model={"cats": {"enc": None}}, **SQUARED
    )
    revived = revive(booster(), lambda _: {"Model": content})
    proven(Single(revived.models[0].part, revived.oracle))


def test_a_booster_whose_kinds_of_columns_are_no_texts_is_refused() -> None:
    content = {"Model": document(feature_types=[np.array([])])}
    with pytest.raises(InconsistentModelError, match="feature_types"):
        revive(booster(), lambda _: content)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_booster_with_anything_anywhere_is_refused_or_proven(data: st.DataObject) -> None:
    content = {"Model": document(**data.draw(st.sampled_from(KINDS_OF_BOOSTER)))}
    place = data.draw(st.sampled_from(places(content)))
    spoilt = changed(content, place, data.draw(anything))
    survives(booster(), lambda _: spoilt)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_state_dict_with_anything_anywhere_is_refused_or_proven(data: st.DataObject) -> None:
    weights = state_dict(1, 2, 2, 2, 3)
    name = data.draw(st.sampled_from(sorted(weights)))
    survives({**weights, name: data.draw(anything)}, read_ubjson)


def recorded(value: Any) -> Any:
    """What a file would hold of an object of scikit-learn."""
    if type(value).__module__.startswith("sklearn."):
        arguments = value.__reduce__()[1] if type(value).__name__ == "Tree" else ()
        given = value.__getstate__()
        # What is compiled keeps none, or a tuple.
        given = given if isinstance(given, dict) else {}
        state = {name: recorded(one) for name, one in given.items()}
        return Record(type(value).__module__, type(value).__name__, arguments, state)
    if isinstance(value, type):
        return Name(value.__module__, value.__name__)
    if isinstance(value, functools.partial):
        called = Name(value.func.__module__, value.func.__name__)
        return Record("functools", "partial", (called,), {})
    return [recorded(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    "name",
    [
        "RandomForestClassifier",
        "RandomForestRegressor",
        "ExtraTreesClassifier",
        "ExtraTreesRegressor",
    ],
)
def test_a_forest_fitted_today_answers_alike_at_its_thresholds_and_without_values(
    name: str,
) -> None:
    from sklearn import ensemble

    random = np.random.default_rng(5)
    x = random.normal(size=(400, 4))
    target = x[:, 0] + np.abs(x[:, 1]) + random.normal(scale=0.3, size=400)
    x[random.random(x.shape) < 0.1] = np.nan
    classifies = name.endswith("Classifier")
    fitted = getattr(ensemble, name)(12, random_state=5)
    fitted.fit(x, np.digitize(target, [0.0, 1.0]) if classifies else target)
    revived = only(recorded(fitted))
    (drawn,), boundary, missing = probes(revived.part, ())
    assert np.isnan(missing).any()
    ask = fitted.predict_proba if classifies else fitted.predict
    for rows in (x, drawn, boundary, missing):
        np.testing.assert_allclose(answer(revived, rows), ask(rows), rtol=1e-12, atol=1e-15)
