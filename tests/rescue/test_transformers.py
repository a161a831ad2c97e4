"""Transformers, dummies and thresholds fitted today answer as ONNX what they answer there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from aegismatrix_factory.rescue.converting.errors import UnsupportedModelError
from aegismatrix_factory.rescue.converting.parts import revive
from aegismatrix_factory.rescue.reading.ubjson import read_ubjson
from numpy.typing import NDArray
from sklearn.cluster import DBSCAN, AgglomerativeClustering
from sklearn.decomposition import NMF
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import KNNImputer, MissingIndicator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MultiLabelBinarizer, QuantileTransformer, TargetEncoder
from sklearn.svm import LinearSVC

from tests.rescue.test_fitted_today import ASKED, LABELS, TARGET, X, kept, rescued
from tests.rescue.test_releases import Rescued
from tests.rescue.test_revival import refused

WORDS = np.array([["calm"], ["crash"], [None], ["wild"]], dtype=object)[np.arange(len(X)) * 7 % 4]
SIDES = TARGET > 2.0


def agrees(model: Any, answer: Any, rows: Any, expected: NDArray[Any]) -> None:
    single = model if isinstance(model, Rescued) else rescued(model)
    asked = single.asked(rows)
    for said in (single.by_graph(answer, asked), single.by_oracle(answer, asked)):
        if said is None:
            continue
        given = np.asarray(said, dtype=np.float64).reshape(np.shape(expected))
        np.testing.assert_allclose(given, expected.astype(np.float64), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("solver", ["svd", "eigen"])
@pytest.mark.parametrize("components", [None, 1])
def test_discriminants_project_what_stands_before_a_model(solver: Any, components: Any) -> None:
    step = LinearDiscriminantAnalysis(solver=solver, n_components=components)
    agrees(step.fit(X * 1e3, LABELS), "transformed", ASKED * 1e3, step.transform(ASKED * 1e3))
    model = make_pipeline(step, RandomForestClassifier(3, max_depth=3, random_state=0))
    model.fit(X, LABELS)
    agrees(model, "probability", ASKED, model.predict_proba(ASKED))


def test_discriminants_without_axes_still_classify() -> None:
    model = LinearDiscriminantAnalysis(solver="lsqr").fit(X, LABELS)
    assert "transformed" not in rescued(model).model.answers


def test_ranks_become_normal_with_their_ends_cut() -> None:
    model = QuantileTransformer(n_quantiles=50, output_distribution="normal").fit(X)
    ends = np.concatenate([model.quantiles_, model.quantiles_[[0, -1]] + 9e-8, ASKED * 9.0])
    ends[3::11, 1] = np.nan
    agrees(model, "transformed", ends, model.transform(ends))


@pytest.mark.parametrize("target", [TARGET, SIDES, LABELS])
def test_a_category_becomes_the_mean_of_its_target(target: Any) -> None:
    model = TargetEncoder(random_state=0).fit(WORDS, target)
    rows = np.concatenate([WORDS[:4], [["never seen"]]])
    agrees(model, "transformed", rows, model.transform(rows))


@pytest.mark.parametrize("strategy", ["prior", "most_frequent", "constant", "uniform"])
def test_a_dummy_says_the_same_of_every_row(strategy: Any) -> None:
    constant = "wild" if strategy == "constant" else None
    model = DummyClassifier(strategy=strategy, constant=constant).fit(X, LABELS)
    single = rescued(model)
    agrees(single, "probability", ASKED, model.predict_proba(ASKED))
    assert ("label" in single.model.answers) == (strategy != "uniform")
    if strategy != "uniform":
        agrees(single, "label", ASKED, single.places(model.predict(ASKED)))


@pytest.mark.parametrize("targets", [TARGET, np.column_stack([TARGET, -TARGET])])
def test_a_dummy_says_the_same_number_of_every_row(targets: Any) -> None:
    model = DummyRegressor(strategy="median").fit(X, targets)
    agrees(model, "value", ASKED, model.predict(ASKED))


@pytest.mark.parametrize("member", [LogisticRegression(), LinearSVC()])
@pytest.mark.parametrize("threshold", ["auto", 0.3])
def test_a_threshold_decides_between_two_classes(member: Any, threshold: Any) -> None:
    model = FixedThresholdClassifier(member, threshold=threshold).fit(X, SIDES)
    agrees(model, "label", ASKED, model.predict(ASKED))


def test_a_threshold_that_was_searched_decides() -> None:
    model = TunedThresholdClassifierCV(LogisticRegression(), cv=2, thresholds=9).fit(X, SIDES)
    agrees(model, "label", ASKED, model.predict(ASKED))
    agrees(model, "probability", ASKED, model.predict_proba(ASKED))


@pytest.mark.parametrize("features", ["all", "missing-only"])
@pytest.mark.parametrize("missing", [np.nan, 0.0])
def test_marks_say_what_is_missing(features: Any, missing: float) -> None:
    rows = X.copy()
    rows[::5, 1], rows[1::5, 3] = missing, missing
    model = MissingIndicator(features=features, missing_values=missing, error_on_new=False)
    agrees(model.fit(rows), "transformed", rows, model.transform(rows))
    strict = MissingIndicator(features=features, missing_values=missing).fit(rows)
    new = rows[:3].copy()
    new[1, 0] = missing
    expected = strict.transform(rows[:3]).astype(np.float64)
    if features == "missing-only":
        expected[1] = np.nan
    else:
        expected[1, 0] = 1.0
    agrees(strict, "transformed", new, expected)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (NMF(2, init="random", random_state=0, max_iter=3, tol=1e9).fit(np.abs(X)), "other rows"),
        (KNNImputer().fit(X), "as far away"),
        (DBSCAN().fit(X), "not fitted on"),
        (AgglomerativeClustering().fit(X), "not fitted on"),
        (MultiLabelBinarizer().fit([["a"], ["b", "c"]]), "a set of labels"),
        (DummyClassifier(strategy="stratified").fit(X, LABELS), "by chance"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_no_graph_can_answer_is_refused_with_the_reason(model: Any, reason: str) -> None:
    assert refused(kept(model)) == "unsupported-model"
    with pytest.raises(UnsupportedModelError, match=reason):
        revive(kept(model), read_ubjson)
