"""Classifiers of several questions, and of a model for each pair, answer as their library does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from aegismatrix_factory.rescue.reading.records import Record
from numpy.typing import NDArray
from sklearn.ensemble import BaggingClassifier, ExtraTreesClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from tests.rescue.test_fitted_today import ASKED, LABELS, TARGET, X, kept, rescued
from tests.rescue.test_releases import Rescued
from tests.rescue.test_revival import refused

SIDES = np.array(["put", "call"])[(X[:, 1] > 1.0).astype(int)]
QUESTIONS = np.column_stack([LABELS, SIDES]).astype(object)
MARKS = np.column_stack([TARGET > 2.0, X[:, 1] > 1.0, X[:, 2] > 0.5]).astype(int)
FOREST: dict[str, Any] = {"n_estimators": 4, "max_depth": 4, "random_state": 0}


def agrees(
    model: Any, rows: NDArray[np.float64], expected: Any, answer: Any, wanted: Any = None
) -> None:
    single = model if isinstance(model, Rescued) else rescued(model)
    wanted = single.places(np.asarray(expected)) if wanted is None else wanted
    for said in (single.by_graph(answer, rows), single.by_oracle(answer, rows)):
        assert said is not None
        given = np.asarray(said, dtype=np.float64).reshape(np.shape(wanted))
        np.testing.assert_allclose(given, wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "model",
    [
        DecisionTreeClassifier(max_depth=4),
        RandomForestClassifier(**FOREST, class_weight="balanced"),
        ExtraTreesClassifier(**FOREST),
        MultiOutputClassifier(LogisticRegression()),
        MultiOutputClassifier(GaussianNB()),
        make_pipeline(StandardScaler(), RandomForestClassifier(**FOREST)),
    ],
    ids=lambda model: type(model).__name__,
)
def test_every_question_has_its_shares_and_its_class(model: Any) -> None:
    model.fit(X, QUESTIONS)
    shares = np.concatenate(model.predict_proba(ASKED), axis=1)
    single = rescued(model)
    agrees(single, ASKED, None, "probability", shares)
    agrees(single, ASKED, model.predict(ASKED), "label")
    assert single.model.questions == (("calm", "crash", "wild"), ("call", "put"))
    assert single.authored.outputs[0].columns == (
        *("0: calm", "0: crash", "0: wild"),
        *("1: call", "1: put"),
    )
    assert single.authored.outputs[1].shape == ("N", 2)


def test_trees_of_several_questions_send_what_is_missing_where_the_library_does() -> None:
    rows = X.copy()
    rows[::7, 2] = np.nan
    model = RandomForestClassifier(**FOREST).fit(rows, QUESTIONS)
    shares = np.concatenate(model.predict_proba(rows), axis=1)
    agrees(model, rows, None, "probability", shares)


def test_members_without_shares_give_their_classes_alone() -> None:
    model = MultiOutputClassifier(LinearSVC()).fit(X, QUESTIONS)
    assert rescued(model).authored.answers == ("label",)
    agrees(model, ASKED, model.predict(ASKED), "label")


@pytest.mark.parametrize("told", ["predict", "predict_proba", "decision_function"])
def test_a_chain_tells_each_member_what_those_before_it_said(told: Any) -> None:
    model = ClassifierChain(LogisticRegression(), order=[2, 0, 1], chain_method=told)
    model.fit(X, MARKS)
    single = rescued(model)
    agrees(single, ASKED, None, "probability", model.predict_proba(ASKED))
    agrees(single, ASKED, model.predict(ASKED).astype(int), "label")


def test_a_chain_of_trees_of_other_numbers_is_told_those_numbers() -> None:
    model = ClassifierChain(DecisionTreeClassifier(max_depth=3, random_state=0))
    model.fit(X, MARKS * 7.0 - 1.0)
    agrees(model, ASKED, None, "probability", model.predict_proba(ASKED))


def test_a_chain_of_pipelines_is_told_the_classes_of_their_last_steps() -> None:
    member = make_pipeline(StandardScaler(), LogisticRegression())
    model = ClassifierChain(member, order=[1, 2, 0]).fit(X, MARKS * 3.0 - 1.0)
    agrees(model, ASKED, None, "probability", model.predict_proba(ASKED))


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_a_network_says_of_every_mark_how_likely_it_is() -> None:
    model = MLPClassifier((4,), max_iter=20, random_state=0).fit(X, MARKS)
    agrees(model, ASKED, None, "probability", model.predict_proba(ASKED))
    agrees(model, ASKED, model.predict(ASKED), "label")


@pytest.mark.parametrize("labels", [LABELS, np.digitize(TARGET, [1.2, 2.0, 4.0]), SIDES])
@pytest.mark.parametrize("member", [LogisticRegression(), DecisionTreeClassifier(max_depth=2)])
def test_a_model_for_each_pair_votes(member: Any, labels: Any) -> None:
    model = OneVsOneClassifier(member).fit(X, labels)
    decision = model.decision_function(ASKED)
    single = rescued(model)
    agrees(single, ASKED, None, "decision", decision)
    agrees(single, ASKED, model.predict(ASKED), "label")


@pytest.mark.parametrize(
    ("model", "key", "value", "code"),
    [
        (RandomForestClassifier(**FOREST), "n_classes_", [3, 3], "inconsistent-model"),
        (RandomForestClassifier(**FOREST), "n_classes_", 3, "inconsistent-model"),
        (RandomForestClassifier(**FOREST), "classes_", LABELS[:3], "inconsistent-model"),
        (RandomForestClassifier(**FOREST), "n_outputs_", 3, "inconsistent-model"),
        (ClassifierChain(LogisticRegression()), "order_", [0, 0], "inconsistent-model"),
        (ClassifierChain(LogisticRegression()), "order_", [0, 2], "inconsistent-model"),
        (ClassifierChain(LogisticRegression()), "chain_method_", "sing", "unsupported-model"),
    ],
)
def test_what_contradicts_its_questions_is_refused(
    model: Any, key: str, value: Any, code: str
) -> None:
    y = MARKS[:, :2] if isinstance(model, ClassifierChain) else QUESTIONS
    record = kept(model.fit(X, y))
    assert refused(Record(record.module, record.name, state={**record.state, key: value})) == code


@pytest.mark.parametrize("kind", [OneVsOneClassifier, OneVsRestClassifier])
def test_a_decision_that_is_not_converted_is_not_taken_from_shares(kind: Any) -> None:
    lines = kind(BaggingClassifier(LogisticRegression(), 2, random_state=0)).fit(X, LABELS)
    trees = kind(BaggingClassifier(DecisionTreeClassifier(max_depth=2), 2, random_state=0))
    trees.fit(X, LABELS)
    # The library decides by the mean decision of the lines, and by the mean share of the trees.
    if kind is OneVsOneClassifier:
        assert refused(kept(lines)) == "unsupported-model"
    else:
        assert "label" not in rescued(lines).model.answers
    single = rescued(trees)
    said = single.by_oracle("label", ASKED)[:, 0]
    assert said.tolist() == single.places(trees.predict(ASKED)).tolist()
