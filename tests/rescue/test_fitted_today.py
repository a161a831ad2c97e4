"""Models fitted with the scikit-learn that is installed answer as ONNX what they answer there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from aegismatrix_factory.rescue.converting.parts import revive
from aegismatrix_factory.rescue.reading.errors import LegacyError
from aegismatrix_factory.rescue.reading.records import Name, Record
from aegismatrix_factory.rescue.reading.ubjson import read_ubjson
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.ensemble import AdaBoostRegressor, RandomForestRegressor, VotingClassifier
from sklearn.feature_selection import SelectFromModel
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LinearRegression,
    LogisticRegression,
    MultiTaskElasticNet,
    MultiTaskLasso,
    OrthogonalMatchingPursuitCV,
    QuantileRegressor,
    Ridge,
)
from sklearn.mixture import GaussianMixture
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from tests.rescue.test_releases import Rescued
from tests.rescue.test_revival import anything, changed, places, recorded, refused, survives

RANDOM = np.random.default_rng(11)
X = RANDOM.normal(size=(160, 4)) + (np.arange(160) % 2)[:, None] * 2.0
TARGET = X[:, 0] ** 2 + 1.0
LABELS = np.array(["calm", "crash", "wild"])[np.searchsorted([1.5, 4.0], TARGET)]
ASKED = RANDOM.normal(size=(40, 4)) * 3.0


def kept(value: Any) -> Any:
    """What a file would hold of a model, with numpy's functions by their names."""
    record = recorded(value)
    if isinstance(record, np.ufunc):
        return Name("numpy", record.__name__)
    if isinstance(record, Record):
        state = {name: kept(one) for name, one in record.state.items()}
        return Record(record.module, record.name, record.arguments, state)
    if isinstance(record, list | tuple):
        return type(record)(kept(one) for one in record)
    return record


def rescued(model: Any) -> Rescued:
    contents = revive(kept(model), read_ubjson)
    (revived,) = contents.models
    return Rescued(revived, contents)


def agrees(model: Any, answer: Any, expected: NDArray[Any]) -> None:
    single = rescued(model)
    for said in (single.by_graph(answer, ASKED), single.by_oracle(answer, ASKED)):
        if said is None:
            continue
        given = said.reshape(expected.shape)
        scale = max(1.0, float(np.abs(expected).max()))
        assert np.abs(given - expected).max() / scale <= 1e-12


@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])
@pytest.mark.parametrize("components", [1, 3])
def test_a_mixture_says_which_component_a_row_is_of(kind: Any, components: int) -> None:
    model = GaussianMixture(components, covariance_type=kind, random_state=0).fit(X)
    agrees(model, "probability", model.predict_proba(ASKED))
    agrees(model, "label", model.predict(ASKED))


def test_a_mixture_without_a_spread_or_a_weight_is_refused() -> None:
    model = GaussianMixture(2, covariance_type="diag", random_state=0).fit(X)
    record = kept(model)
    for key, value in (
        ("weights_", np.array([1.0, 0.0])),
        ("precisions_cholesky_", np.zeros((2, 4))),
        ("precisions_cholesky_", np.ones((2, 3))),
        ("means_", np.ones(4)),
    ):
        spoilt = dict(record.state)
        spoilt[key] = value
        assert refused(type(record)(record.module, record.name, state=spoilt)) == (
            "inconsistent-model"
        )
    other = {**record.state, "covariance_type": "round"}
    assert refused(type(record)(record.module, record.name, state=other)) == "unsupported-model"


def test_quadratic_discriminants_by_another_solver_are_refused() -> None:
    model = QuadraticDiscriminantAnalysis().fit(X, LABELS)
    agrees(model, "decision", model.decision_function(ASKED))
    record = kept(model)
    other = {**record.state, "solver": "eigen"}
    assert refused(type(record)(record.module, record.name, state=other)) == "unsupported-model"


@pytest.mark.parametrize(
    "change",
    [
        {"transformer": StandardScaler()},
        {"transformer": MinMaxScaler()},
        {"transformer": RobustScaler()},
        {"transformer": MaxAbsScaler()},
        {"transformer": StandardScaler(with_mean=False)},
        {"func": np.log1p, "inverse_func": np.expm1},
        {"func": np.log, "inverse_func": np.exp},
        {"func": np.sqrt, "inverse_func": np.square},
        {},
    ],
)
@pytest.mark.parametrize("targets", [1, 2])
def test_a_changed_target_is_changed_back(change: dict[str, Any], targets: int) -> None:
    y = TARGET if targets == 1 else np.column_stack([TARGET, 3.0 * TARGET + 7.0])
    model = TransformedTargetRegressor(Ridge(), **change).fit(X, y)
    agrees(model, "value", model.predict(ASKED))


def test_a_target_that_is_clipped_or_changed_by_an_own_function_is_refused() -> None:
    clipped = TransformedTargetRegressor(Ridge(), transformer=MinMaxScaler(clip=True))
    record = kept(clipped.fit(X, TARGET))
    assert refused(record) == "unsupported-model"
    bare = TransformedTargetRegressor(Ridge()).fit(X, TARGET)
    record = kept(bare)
    inside = record.state["transformer_"]
    inside.state["inverse_func"] = "numpy.exp"
    assert refused(record) == "unsupported-model"


@pytest.mark.parametrize("member", [LogisticRegression(), GaussianNB(), DecisionTreeClassifier()])
def test_a_model_for_each_class_says_shares_of_what_all_say(member: Any) -> None:
    for labels in (LABELS, LABELS == "calm"):
        model = OneVsRestClassifier(member).fit(X, labels)
        with np.errstate(invalid="ignore"):
            agrees(model, "probability", model.predict_proba(ASKED))
        single = rescued(model)
        said = single.by_oracle("label", ASKED)[:, 0].astype(int)
        assert [single.model.classes[one] for one in said] == model.predict(ASKED).astype(
            str
        ).tolist()


def test_of_equal_classes_the_first_is_taken_since_1_8_and_before_the_last() -> None:
    grown = DecisionTreeClassifier(random_state=0)
    model = OneVsRestClassifier(grown).fit(X, np.arange(len(X)) % 4)
    said = np.stack([one.predict_proba(ASKED)[:, 1] for one in model.estimators_], axis=1)
    record = kept(model)
    last = 3 - said[:, ::-1].argmax(axis=1)
    assert (last != said.argmax(axis=1)).any()
    for version, expected in (("1.8.0", said.argmax(axis=1)), ("1.7.2", last)):
        record.state["_sklearn_version"] = version
        contents = revive(record, read_ubjson)
        oracle = Rescued(contents.models[0], contents).by_oracle("label", ASKED)
        assert oracle[:, 0].astype(int).tolist() == expected.tolist()
        hard = VotingClassifier([("each", model)], voting="hard").fit(X, np.arange(len(X)) % 4)
        outer = kept(hard)
        outer.state["estimators_"] = [record]
        graph = revive(outer, read_ubjson)
        given = Rescued(graph.models[0], graph).by_graph("label", ASKED)
        assert given is not None
        assert given.astype(int).tolist() == expected.tolist()


def test_members_that_give_no_class_a_share_leave_it_at_0_since_1_7() -> None:
    model = OneVsRestClassifier(DecisionTreeClassifier(max_depth=1)).fit(X, LABELS)
    record = kept(model)
    for member in record.state["estimators_"]:
        member.state["tree_"].state["values"][:] = [[1.0, 0.0]]
    for version, share in (("1.7.0", 0.0), ("1.6.1", np.nan)):
        record.state["_sklearn_version"] = version
        contents = revive(record, read_ubjson)
        said = Rescued(contents.models[0], contents).by_graph("probability", ASKED)
        assert said is not None
        np.testing.assert_array_equal(said, np.full((len(ASKED), 3), share))


@pytest.mark.parametrize("loss", ["linear", "square", "exponential"])
@pytest.mark.parametrize("members", [1, 8])
def test_a_regressor_of_many_says_their_weighed_median(loss: Any, members: int) -> None:
    model = AdaBoostRegressor(Ridge(), n_estimators=members, loss=loss, random_state=0)
    model.fit(X, TARGET)
    agrees(model, "value", model.predict(ASKED))


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("method", ["yeo-johnson", "box-cox"])
def test_columns_are_raised_to_their_powers(method: Any, standardize: bool) -> None:
    positive = method == "box-cox"
    model = PowerTransformer(method, standardize=standardize).fit(np.exp(X) if positive else X)
    asked = np.exp(ASKED / 3.0) if positive else ASKED
    missing = asked.copy()
    missing[::3, 1] = np.nan
    single = rescued(model)
    for rows in (asked, missing):
        expected = model.transform(rows)
        for said in (
            single.by_graph("transformed", rows),
            single.by_oracle("transformed", rows),
        ):
            np.testing.assert_allclose(np.asarray(said, float), expected, rtol=1e-11, atol=1e-12)
    if positive:
        said = single.by_graph("transformed", np.array([[0.0, -1.0, 1.0, 2.0]]))
        assert said is not None
        # It raises an error for such a row.
        assert np.isnan(said).all()


@pytest.mark.parametrize("exponents", [[0.0, 2.0, 1.0], [-3.0, 0.5, 5.0]])
def test_a_power_of_0_is_a_logarithm_and_one_nearly_so_is_refused(exponents: list[float]) -> None:
    record = kept(PowerTransformer(standardize=False).fit(X[:, :3]))
    record.state["lambdas_"] = np.array(exponents)
    contents = revive(record, read_ubjson)
    Rescued(contents.models[0], contents)
    for near in (1e-9, 2.0 + 1e-6):
        record.state["lambdas_"] = np.array([near, 1.0, 1.0])
        assert refused(record) == "unsupported-model"


@pytest.mark.parametrize("rounded", [False, True])
def test_ranks_are_what_is_below_with_equal_quantiles_and_at_both_ends(rounded: bool) -> None:
    x = np.round(X) if rounded else X.copy()
    x[:, 3] = 7.0
    model = QuantileTransformer(n_quantiles=25, random_state=0).fit(x)
    rows = np.concatenate([x[:30], ASKED, model.quantiles_])
    rows[::4, 2] = np.nan
    single = rescued(model)
    expected = model.transform(rows)
    for said in (single.by_graph("transformed", rows), single.by_oracle("transformed", rows)):
        np.testing.assert_allclose(np.asarray(said, float), expected, rtol=0, atol=1e-12)


def test_trees_behind_powers_and_ranks_answer_alike() -> None:
    for first in (PowerTransformer(), QuantileTransformer(n_quantiles=40)):
        forest = RandomForestRegressor(12, random_state=0)
        model = make_pipeline(first, forest).fit(X, TARGET)
        agrees(model, "value", model.predict(ASKED))


@pytest.mark.parametrize("threshold", [None, "median", "0.7*mean", "1.1 * median", 0.05])
@pytest.mark.parametrize(
    "inside",
    [
        RandomForestRegressor(8, random_state=0),
        DecisionTreeRegressor(max_depth=4, random_state=0),
        LinearRegression(),
        Lasso(0.05),
    ],
)
@pytest.mark.parametrize("most", [None, 2])
def test_columns_that_a_model_finds_important_are_kept(
    inside: Any, threshold: Any, most: int | None
) -> None:
    model = SelectFromModel(inside, threshold=threshold, max_features=most).fit(X, TARGET)
    agrees(model, "transformed", model.transform(ASKED))


def test_columns_of_several_classes_are_weighed_by_a_norm() -> None:
    for order in (1, 2, np.inf):
        model = SelectFromModel(LogisticRegression(), norm_order=order).fit(X, LABELS)
        agrees(model, "transformed", model.transform(ASKED))


def test_a_selection_that_is_not_told_or_on_the_bound_is_refused() -> None:
    model = SelectFromModel(LinearRegression()).fit(X, TARGET)
    for changes in (
        {"importance_getter": "named_steps.clf.coef_"},
        {"threshold": "mode"},
        {"threshold": "x*mean"},
        {"max_features": "all"},
        {"threshold": float(np.abs(model.estimator_.coef_[0]))},
        {"threshold": 1e9},
    ):
        record = kept(model)
        record.state.update(changes)
        assert refused(record) == "unsupported-model"
    mixed = SelectFromModel(ElasticNet(0.01)).fit(X, TARGET)
    assert refused(kept(mixed)) == "unsupported-model"


EVERY = [
    kept(model)
    for model in (
        GaussianMixture(2, random_state=0).fit(X),
        QuadraticDiscriminantAnalysis().fit(X, LABELS),
        TransformedTargetRegressor(Ridge(), transformer=StandardScaler()).fit(X, TARGET),
        OneVsRestClassifier(GaussianNB()).fit(X, LABELS),
        AdaBoostRegressor(Ridge(), n_estimators=3, random_state=0).fit(X, TARGET),
        PowerTransformer().fit(X),
        QuantileTransformer(n_quantiles=9).fit(X),
        SelectFromModel(LinearRegression()).fit(X, TARGET),
        SelectFromModel(DecisionTreeRegressor(max_depth=2)).fit(X, TARGET),
    )
]


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_record_with_anything_anywhere_is_refused_or_proven(data: st.DataObject) -> None:
    record = data.draw(st.sampled_from(EVERY))
    place = data.draw(st.sampled_from(places(record)))
    survives(changed(record, place, data.draw(anything)), read_ubjson)


def test_a_step_that_does_not_say_its_columns_stands_behind_one_that_makes_other_ones() -> None:
    """Until 1.1 a FunctionTransformer keeps no number of columns, and draws rows of its own."""
    coded = np.column_stack([np.arange(160) % 5, np.abs(X[:, 0])])
    columns = ColumnTransformer([("codes", OneHotEncoder(sparse_output=False), [0])])
    model = make_pipeline(columns, FunctionTransformer(np.log1p), LinearRegression())
    record = kept(model.fit(coded, TARGET))
    del record.state["steps"][1][1].state["n_features_in_"]
    (revived,) = revive(record, read_ubjson).models
    single = Rescued(revived, revive(record, read_ubjson))
    said = single.by_graph("value", coded)
    assert said is not None
    assert np.abs(said.reshape(-1) - model.predict(coded)).max() <= 1e-12


@pytest.mark.parametrize("order", ["", [], [1.0], None, float("nan"), "fro", -1])
def test_the_norm_of_one_line_of_coefficients_is_of_no_matter(order: object) -> None:
    """A file that says nonsense where nothing depends on it ends no rescue."""
    model = SelectFromModel(LinearRegression()).fit(X, TARGET)
    record = kept(model)
    record.state["norm_order"] = order
    contents = revive(record, read_ubjson)
    single = Rescued(contents.models[0], contents)
    assert np.array_equal(single.by_oracle("transformed", ASKED), model.transform(ASKED))


@pytest.mark.parametrize("order", ["", [], [1.0], None, float("nan"), "fro", -1])
def test_a_norm_of_several_lines_of_coefficients_that_is_none_is_refused(order: object) -> None:
    record = kept(SelectFromModel(LogisticRegression()).fit(X, LABELS))
    record.state["norm_order"] = order
    assert refused(record) == "unsupported-model"


@pytest.mark.parametrize("weights", ["uniform", "distance"])
def test_neighbours_answer_several_questions(weights: Any) -> None:
    questions = np.column_stack([LABELS, np.where(X[:, 1] > 0.0, "up", "down")])
    model = KNeighborsClassifier(4, weights=weights).fit(X, questions)
    agrees(model, "probability", np.concatenate(model.predict_proba(ASKED), axis=1))
    single = rescued(model)
    expected = single.places(model.predict(ASKED))
    assert len(single.model.questions) == 2
    for said in (single.by_graph("label", ASKED), single.by_oracle("label", ASKED)):
        assert np.array_equal(np.asarray(said, float), expected)


def test_neighbours_of_several_questions_that_contradict_themselves_are_refused() -> None:
    questions = np.column_stack([LABELS, LABELS])
    record = kept(KNeighborsClassifier(4).fit(X, questions))
    for key, value in (
        ("_y", np.zeros(len(X), dtype=np.int64)),
        ("_y", np.full((len(X), 2), 3)),
        ("_y", np.zeros((len(X), 0), dtype=np.int64)),
        ("classes_", record.state["classes_"][:1]),
        ("outputs_2d_", False),
    ):
        spoilt = Record(record.module, record.name, state={**record.state, key: value})
        assert refused(spoilt) == "inconsistent-model"


@pytest.mark.parametrize(
    "member",
    [DecisionTreeClassifier(max_depth=2), GaussianNB(), LogisticRegression()],
    ids=lambda member: type(member).__name__,
)
def test_a_pair_of_two_classes_is_told_by_a_share_or_a_decision(member: Any) -> None:
    model = OneVsOneClassifier(member).fit(X, LABELS == "calm")
    agrees(model, "decision", model.decision_function(ASKED))
    agrees(model, "label", model.predict(ASKED))


def test_until_1_0_any_share_of_the_second_of_two_classes_is_enough() -> None:
    """``OneVsOneClassifier.predict`` compares with 0 there, whatever its member says."""
    model = OneVsOneClassifier(GaussianNB()).fit(X, LABELS == "calm")
    record = kept(model)
    decision = model.decision_function(ASKED)
    assert ((decision > 0.0) != (decision > 0.5)).any()
    for version, bound in (("1.0.2", 0.0), ("1.1.3", 0.5)):
        record.state["_sklearn_version"] = version
        contents = revive(record, read_ubjson)
        single = Rescued(contents.models[0], contents)
        for said in (single.by_graph("label", ASKED), single.by_oracle("label", ASKED)):
            assert np.array_equal(np.asarray(said).reshape(-1), decision > bound)


@pytest.mark.parametrize(
    "model", [MultiTaskLasso(0.1), MultiTaskElasticNet(0.1)], ids=lambda one: type(one).__name__
)
def test_several_targets_are_lines_of_their_own(model: Any) -> None:
    agrees(model, "value", model.fit(X, np.column_stack([TARGET, -TARGET])).predict(ASKED))


@pytest.mark.parametrize("model", [QuantileRegressor(), OrthogonalMatchingPursuitCV(cv=3)])
def test_a_line_is_a_line_however_it_was_found(model: Any) -> None:
    agrees(model, "value", model.fit(X, TARGET).predict(ASKED))


def test_neighbours_that_nothing_is_said_of_are_refused_by_name() -> None:
    with pytest.raises(LegacyError, match="NearestNeighbors has no graph: it says which rows"):
        revive(kept(NearestNeighbors().fit(X)), read_ubjson)


def test_a_calibration_by_temperature_is_refused_for_its_kind() -> None:
    model = CalibratedClassifierCV(GaussianNB(), method="temperature", cv=2).fit(X, LABELS)
    with pytest.raises(LegacyError, match="_TemperatureScaling"):
        revive(kept(model), read_ubjson)
