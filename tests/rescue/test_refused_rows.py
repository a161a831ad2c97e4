"""A row that the library refuses has no answer, whatever stands behind the step that refuses it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from aegismatrix_factory.rescue.converting.checks import numbers
from aegismatrix_factory.rescue.converting.writing import NO_PLACE
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    BaggingClassifier,
    IsolationForest,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.naive_bayes import BernoulliNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PowerTransformer,
)
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from tests.rescue.test_fitted_today import rescued
from tests.rescue.test_releases import Rescued

PLACE = np.arange(120)
WORDS = np.array(["calm", "crash", "wild", "flat"], dtype=object)[
    np.column_stack([PLACE * 7 % 11 % 4, PLACE * 5 % 13 % 4])
]
LABELS = np.array(["put", "call", "none"])[PLACE * PLACE % 7 % 3]
KNOWN = WORDS[:12]
STRANGE = np.array([["nobody", "calm"], ["calm", "nobody"]], dtype=object)
TREE: Any = DecisionTreeClassifier(max_depth=3, random_state=0)
LINE: Any = LogisticRegression()
MEMBERS = [("tree", TREE), ("line", LINE)]


def said(model: Any, answer: Any, rows: Any) -> list[NDArray[np.float64]]:
    """What graph and oracle say, NaN for no answer."""
    single = model if isinstance(model, Rescued) else rescued(model)
    asked = single.asked(rows)
    both = (single.by_graph(answer, asked), single.by_oracle(answer, asked))
    return [numbers(np.asarray(one)) for one in both if one is not None]


@pytest.mark.parametrize(
    "behind",
    [
        (TREE,),
        (DecisionTreeRegressor(max_depth=3),),
        (RandomForestClassifier(3, max_depth=3, random_state=0),),
        (BaggingClassifier(TREE, 3, random_state=0),),
        (IsolationForest(n_estimators=3, random_state=0),),
        (KMeans(3, n_init=1, random_state=0),),
        (SVC(),),
        (RidgeClassifier(),),
        (BernoulliNB(),),
        (VotingClassifier(MEMBERS),),
        (StackingClassifier(MEMBERS, final_estimator=TREE, cv=2),),
        (Normalizer("max"), TREE),
        (Normalizer("max"),),
        (Binarizer(threshold=0.5), TREE),
        (MinMaxScaler(clip=True), TREE),
        (SimpleImputer(), LINE),
        (PCA(1), TREE),
        (OneHotEncoder(handle_unknown="ignore"), TREE),
    ],
    ids=lambda steps: "-".join(type(one).__name__ for one in steps),
)
def test_an_unknown_category_has_no_answer_whatever_stands_behind_its_encoder(
    behind: tuple[Any, ...],
) -> None:
    y = PLACE * 3 % 17 if isinstance(behind[-1], DecisionTreeRegressor) else LABELS
    model = make_pipeline(OrdinalEncoder(), *behind).fit(WORDS, y)
    with pytest.raises(ValueError, match="unknown categories"):
        (model.predict if hasattr(model, "predict") else model.transform)(STRANGE)
    single = rescued(model)
    rows = np.concatenate([KNOWN, STRANGE])
    for answer in single.model.answers:
        for given in said(single, answer, rows):
            none = np.isnan(given.reshape(len(rows), -1))
            assert none[len(KNOWN) :].all()
            assert not none[: len(KNOWN)].any()


@pytest.mark.parametrize("first", [None, "first"])
def test_an_unknown_category_of_a_column_that_gives_nothing_has_no_answer_either(
    first: str | None,
) -> None:
    words = WORDS.copy()
    words[:, 1] = "always"
    model = make_pipeline(OneHotEncoder(drop=first), TREE).fit(words, LABELS)
    rows = np.array([["calm", "always"], ["calm", "never"]], dtype=object)
    for given in said(model, "probability", rows):
        assert np.isfinite(given[0]).all()
        assert np.isnan(given[1]).all()


def test_a_place_that_is_none_is_an_index_of_no_list() -> None:
    model = make_pipeline(OrdinalEncoder(), KMeans(3, n_init=1, random_state=0)).fit(WORDS)
    single = rescued(model)
    (said_of_it,) = single.session.run(None, {"x": single.asked(STRANGE)})
    assert said_of_it.tolist() == [NO_PLACE] * 2
    with pytest.raises(IndexError):
        np.arange(3)[said_of_it]


@pytest.mark.parametrize(
    "model", [TREE, KNeighborsClassifier(3, algorithm="brute"), SimpleImputer()]
)
def test_what_is_not_finite_in_a_pipeline_has_an_answer_where_the_library_has_one(
    model: Any,
) -> None:
    x = np.column_stack([PLACE + 1.0, PLACE % 5 + 1.0])
    pipeline = make_pipeline(FunctionTransformer(np.log), model).fit(x, LABELS)
    rows = np.array([[3.0, 2.0], [0.0, 2.0], [-1.0, 2.0]])
    ask, answer = (
        (pipeline.transform, "transformed")
        if isinstance(model, SimpleImputer)
        else (pipeline.predict_proba, "probability")
    )
    with np.errstate(all="ignore"):
        answered = []
        for row in rows:
            try:
                answered.append(np.asarray(ask(row[None])[0], dtype=np.float64))
            except ValueError:
                answered.append(np.full(2 if answer == "transformed" else 3, np.nan))
        for given in said(pipeline, answer, rows):
            np.testing.assert_allclose(given, answered, rtol=1e-12)


def test_numbers_that_a_power_is_refused_of_have_no_answer_behind_it() -> None:
    x = np.column_stack([PLACE + 1.0, PLACE % 5 + 1.0])
    model = make_pipeline(PowerTransformer("box-cox"), TREE).fit(x, LABELS)
    for given in said(model, "probability", np.array([[3.0, 2.0], [0.0, 2.0], [3.0, -1.0]])):
        assert np.isnan(given).all(axis=1).tolist() == [False, True, True]


@pytest.mark.parametrize("missing", [None, np.nan])
@pytest.mark.parametrize(
    "encoder",
    [
        OrdinalEncoder(),
        OrdinalEncoder(encoded_missing_value=-7),
        OrdinalEncoder(
            encoded_missing_value=-7, handle_unknown="use_encoded_value", unknown_value=-1
        ),
        OneHotEncoder(sparse_output=False),
    ],
)
def test_a_text_that_is_missing_is_a_category_of_its_own_if_it_is_none(
    encoder: Any, missing: Any
) -> None:
    words = np.array([["a"], [missing], ["b"], ["a"]], dtype=object)
    expected = encoder.fit(words).transform(words)
    asked = np.array([["a"], [None], ["b"], ["a"]], dtype=object)
    for given in said(encoder, "transformed", asked):
        np.testing.assert_array_equal(given, expected)


@pytest.mark.parametrize("norm", ["max", "l1", "l2"])
def test_a_row_with_nan_has_a_norm_of_nan(norm: Any) -> None:
    single = rescued(Normalizer(norm=norm).fit(np.ones((2, 2))))
    rows = np.array([[np.nan, 2.0], [-4.0, 2.0]])
    given = single.by_graph("transformed", rows)
    assert given is not None
    assert np.isnan(given).tolist() == [[True, True], [False, False]]


@pytest.mark.parametrize(
    "encoder",
    [
        OneHotEncoder(sparse_output=False),
        OrdinalEncoder(),
        OrdinalEncoder(encoded_missing_value=-7),
        OneHotEncoder(sparse_output=False, handle_unknown="ignore"),
    ],
)
def test_a_number_that_is_missing_may_be_a_category_beside_zero(encoder: Any) -> None:
    x = np.array([[0.0], [np.nan], [2.0], [0.0], [5.0]])
    expected = encoder.fit(x).transform(x)
    for given in said(encoder, "transformed", x):
        np.testing.assert_array_equal(given, expected)


@pytest.mark.parametrize(
    "encoder",
    [OneHotEncoder(sparse_output=False, handle_unknown="ignore"), OrdinalEncoder()],
)
def test_dates_enter_as_text(encoder: Any) -> None:
    days = np.array([["2023-01-31"], ["2023-02-28T09:15"], ["2024-02-29"]], dtype="datetime64[ns]")
    expected = encoder.fit(days).transform(days)
    asked = np.array([["2023-01-31"], ["2023-02-28T09:15"], ["2024-02-29"]], dtype=object)
    for given in said(encoder, "transformed", asked):
        np.testing.assert_array_equal(given, expected)
