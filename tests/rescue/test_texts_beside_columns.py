"""Texts beside other columns, and texts counted in several ways, answer as in their library."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from aegismatrix_factory.rescue.folder import rescue
from aegismatrix_factory.rescue.tokeniser import Vocabulary
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier, StackingClassifier, VotingClassifier
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV, KFold
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import aegismatrix as am
from tests.rescue.test_fitted_today import kept, rescued
from tests.rescue.test_revival import refused

WORDS = ("nifty drifts sideways", "vix jumps and puts explode", "bank results lift nifty", "vix")
PLACE = np.arange(80)
TEXTS = np.array([f"{WORDS[n % 4]} {WORDS[n * n % 7 % 4]}" for n in PLACE], dtype=object)
NOTES = np.array([("calm", "wild", "calm again")[n * 5 % 7 % 3] for n in PLACE], dtype=object)
LABELS = np.array(["put", "call", "none"])[PLACE * PLACE % 11 % 3]
ROWS = np.empty((80, 5), dtype=object)
for place, column in enumerate((PLACE * 7 % 13 * 1.0, TEXTS, NOTES, PLACE % 3 * 1.0, TEXTS)):
    ROWS[:, place] = column
NAMED = {str(place): ROWS[:, place] for place in range(5)}
FIXTURE = "tests/fixtures/releases/scikit-learn-1.9.1-numpy-2.5.1"


def columns(**settings: Any) -> Any:
    return ColumnTransformer(
        [
            ("text", TfidfVectorizer(), 1),
            ("number", StandardScaler(), [3, 0]),
            ("note", CountVectorizer(binary=True), 2),
            ("kind", OneHotEncoder(handle_unknown="ignore"), [2]),
            ("text_again", make_pipeline(TfidfVectorizer(analyzer="char", max_features=20)), 1),
            ("gone", "drop", 4),
        ],
        **settings,
    )


def agrees(model: Any, answer: Any, rows: Any, expected: Any) -> None:
    single = rescued(model)
    asked = single.asked(rows)
    expected = expected.toarray() if hasattr(expected, "toarray") else expected
    for said in (single.by_graph(answer, asked), single.by_oracle(answer, asked)):
        assert said is not None
        np.testing.assert_allclose(said, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("settings", [{}, {"transformer_weights": {"text": 3.0, "number": 0.5}}])
def test_texts_stand_as_counts_behind_the_other_columns(settings: Any) -> None:
    model = columns(**settings).fit(ROWS)
    agrees(model, "transformed", NAMED, model.transform(ROWS))
    single = rescued(model)
    # The third is text and a category, the second a text alone; nobody reads the last.
    assert single.model.details["columns"] == ["0", "2", "3", "4"]
    assert [one.column for one in single.model.documents] == ["1", "2", "1"]
    assert single.model.documents[0].begin == 4
    assert single.part.n_features == 4 + sum(one.terms for one in single.model.documents)


def test_a_model_behind_texts_and_columns_says_what_its_library_says() -> None:
    model = make_pipeline(columns(), LogisticRegression()).fit(ROWS, LABELS)
    agrees(model, "probability", NAMED, model.predict_proba(ROWS))


def test_a_text_that_is_counted_in_several_ways_is_counted_once_for_each() -> None:
    union = FeatureUnion(
        [
            ("words", TfidfVectorizer()),
            ("runs", TfidfVectorizer(analyzer="char_wb")),
            ("no", "drop"),
        ],
        transformer_weights={"runs": 2.0},
    )
    model = make_pipeline(union, LogisticRegression()).fit(TEXTS, LABELS)
    agrees(model, "probability", TEXTS, model.predict_proba(TEXTS))


def test_members_that_count_other_terms_are_refused_and_others_say_their_terms() -> None:
    def member(**settings: Any) -> Any:
        return make_pipeline(CountVectorizer(max_features=4, **settings), MultinomialNB())

    other = {"analyzer": "char"}
    vote = VotingClassifier([("a", member()), ("b", member(**other))], voting="soft")
    assert refused(kept(vote.fit(TEXTS, LABELS))) == "unsupported-model"
    alike = VotingClassifier([("a", member()), ("b", member())], voting="soft").fit(TEXTS, LABELS)
    agrees(alike, "probability", TEXTS, alike.predict_proba(TEXTS))
    # Every fold counts the terms of its own documents.
    halves = np.where(PLACE < 40, "calm day", "wild night").astype(object)
    folds = CalibratedClassifierCV(member(), cv=KFold(2)).fit(halves, LABELS)
    counted = [one.estimator[0].vocabulary_ for one in folds.calibrated_classifiers_]
    assert len({len(one) for one in counted}) == 1
    assert counted[0] != counted[1]
    assert refused(kept(folds)) == "unsupported-model"
    each = OneVsRestClassifier(member()).fit(TEXTS, LABELS)
    assert rescued(each).model.vocabulary is not None


def test_one_column_alone_for_what_counts_no_terms_is_refused() -> None:
    model = columns().fit(ROWS)
    record = kept(model)
    name, _, where = record.state["transformers_"][1]
    record.state["transformers_"][1] = (name, record.state["transformers_"][1][1], 3)
    assert where == [3, 0]
    assert refused(record) == "unsupported-model"


def test_terms_of_every_text_lie_beside_the_artifact(tmp_path: Path, repository: Path) -> None:
    (old,) = (repository / FIXTURE).glob("columns_one_text.*")
    (tmp_path / "old").mkdir()
    shutil.copy(old, tmp_path / "old")
    (outcome,) = rescue(tmp_path / "old", tmp_path / "new")
    assert outcome.verdict == "converted"
    (artifact,) = outcome.artifacts
    text = artifact.entry["details"]["text"]
    (document,) = text["documents"]
    others = artifact.entry["details"]["columns"]
    assert document["column"] == "regime"
    assert document["begin"] == len(others)
    beside = tmp_path / "new" / document["terms"]["file"]
    counts = Vocabulary(json.loads(beside.read_text(encoding="utf-8"))).counts(["calm wild calm"])
    assert (tmp_path / "new" / text["tokeniser"]["file"]).exists()
    # A rescue that is run again knows the files of the one before.
    assert rescue(tmp_path / "old", tmp_path / "new") == (outcome,)
    numbers = [[float(name == "lots") * 3.0 for name in others]]
    x = np.concatenate([np.array(numbers), np.array(counts)], axis=1)
    (model,) = am.load_models(tmp_path / "new").values()
    (said,) = model.run(x=x).values()
    assert np.isfinite(said).all()


FRAME = pd.DataFrame(
    {
        "text": TEXTS.tolist(),
        "vix": PLACE * 7 % 13 * 1.0,
        "kind": [("calm", "wild", "mixed")[n % 3] for n in PLACE],
        "move": PLACE % 5 * 0.5,
    }
)
SENT = {name: FRAME[name].to_numpy(dtype=object) for name in FRAME}


def of_a_frame(last: Any) -> Any:
    """Texts and categories by name, and what remains scaled, before a model."""
    columns = ColumnTransformer(
        [("words", TfidfVectorizer(), "text"), ("kind", OneHotEncoder(), ["kind"])],
        remainder=StandardScaler(),
    )
    return make_pipeline(columns, last)


FITTED = of_a_frame(RandomForestClassifier(6, random_state=0)).fit(FRAME, LABELS)


@pytest.mark.parametrize(
    "model",
    [
        FITTED,
        GridSearchCV(of_a_frame(LogisticRegression()), {"logisticregression__C": [1.0]}, cv=2),
        CalibratedClassifierCV(FrozenEstimator(FITTED)),
        CalibratedClassifierCV(of_a_frame(LogisticRegression()), cv=2),
        OneVsRestClassifier(of_a_frame(LogisticRegression())),
        VotingClassifier([("a", FITTED), ("b", of_a_frame(LogisticRegression()))], voting="soft"),
        StackingClassifier([("a", FITTED), ("b", of_a_frame(LogisticRegression()))], cv=2),
    ],
    ids=lambda model: type(model).__name__,
)
def test_what_holds_texts_of_a_frame_is_given_what_they_are_given(model: Any) -> None:
    model.fit(FRAME, LABELS)
    agrees(model, "probability", SENT, model.predict_proba(FRAME))
    names = rescued(model).model.column_names
    assert names[:3] == ("vix", "kind", "move")
    assert len(set(names)) == len(names)


def test_a_threshold_over_texts_of_a_frame_is_given_what_they_are_given() -> None:
    model = FixedThresholdClassifier(of_a_frame(LogisticRegression()), threshold=0.3)
    model.fit(FRAME, LABELS == "put")
    agrees(model, "probability", SENT, model.predict_proba(FRAME))


def test_a_stack_that_passes_texts_on_is_refused() -> None:
    members = [("a", FITTED), ("b", of_a_frame(LogisticRegression()))]
    model = StackingClassifier(members, cv=2).fit(FRAME, LABELS)
    model.passthrough = True
    assert refused(kept(model)) == "unsupported-model"


def test_a_text_of_a_frame_is_counted_in_several_ways() -> None:
    union = FeatureUnion([("words", TfidfVectorizer()), ("runs", CountVectorizer(analyzer="char"))])
    columns = ColumnTransformer([("text", union, "text"), ("number", StandardScaler(), ["vix"])])
    model = make_pipeline(columns, LogisticRegression(max_iter=1000)).fit(FRAME, LABELS)
    agrees(model, "probability", SENT, model.predict_proba(FRAME))
    told = rescued(model).model.documents
    assert [one.column for one in told] == ["text", "text"]
    assert told[1].begin == told[0].begin + told[0].terms


def test_texts_of_a_column_are_listed_under_its_name() -> None:
    """Its place among what is left beside a text is no name of it, and may be another's."""
    single = rescued(FITTED)
    assert single.model.details["columns"] == ["vix", "kind", "move"]
    listed = {one.name: one.texts for one in single.authored.columns if one.kind == "text"}
    assert listed == {"kind": ["calm", "mixed", "wild"]}
