"""Vectorisers of text, alone and before a model. Their rows are documents."""

from typing import Any, Callable, Dict

from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import (
    CountVectorizer,
    HashingVectorizer,
    TfidfTransformer,
    TfidfVectorizer,
)
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import ComplementNB, MultinomialNB
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.svm import SVC, LinearSVC

from scripts.legacy_families.cases import Case, Data, Made, since

SEED = 7


def words(kind: Any, **settings: Any) -> Callable[[Data], Any]:
    """Return what fits a vectoriser on the documents."""

    def build(data: Data) -> Any:
        return Made(kind(**settings).fit(data.documents), {"document_rows": None})

    return build


def topics(*steps: Any) -> Callable[[Data], Any]:
    """Return what fits steps on the documents and their topics."""

    def build(data: Data) -> Any:
        model = make_pipeline(*steps).fit(data.documents, data.topics)
        return Made(model, {"document_rows": None})

    return build


def counted(data: Data) -> Any:
    """Fit a TfidfTransformer on counts that are an array."""
    return Made(TfidfTransformer().fit(data.counts), {"counts_rows": None})


def searched(data: Data) -> Any:
    """Fit a search over a text pipeline."""
    settings = {} if since(0, 24) else {"iid": False}
    whole = make_pipeline(TfidfVectorizer(), MultinomialNB())
    search = GridSearchCV(whole, {"multinomialnb__alpha": [0.1, 1.0]}, cv=2, **settings)
    return Made(search.fit(data.documents, data.topics), {"document_rows": None})


def beside(data: Data) -> Any:
    """Fit a vectoriser and a model that lie beside one another in a dictionary."""
    vectoriser = TfidfVectorizer().fit(data.documents)
    model = LogisticRegression(solver="lbfgs").fit(
        vectoriser.transform(data.documents), data.topics
    )
    asked = vectoriser.transform(data.document_rows)
    return Made(
        {"vectorizer": vectoriser, "model": model},
        answers=[("model.predict_proba", "document_rows", model.predict_proba(asked))],
    )


def dictionaries(data: Data) -> Any:
    """Fit a DictVectorizer."""
    rows = [{"side": "put", "lots": 2.0}, {"side": "call", "lots": 1.0}, {"gap": 0.5}]
    model = DictVectorizer(sparse=False).fit(rows)
    return Made(
        model,
        {"rows_of_words": rows},
        answers=[("transform", "rows_of_words", model.transform(rows))],
    )


LINE: Dict[str, Any] = {"solver": "lbfgs", "max_iter": 500}
TABLE = [
    Case("count", words(CountVectorizer), "transformer"),
    Case("count_pairs", words(CountVectorizer, ngram_range=(1, 2)), "transformer"),
    Case(
        "count_characters",
        words(CountVectorizer, analyzer="char", ngram_range=(2, 3), max_features=80),
        "transformer",
    ),
    Case(
        "count_characters_of_words",
        words(CountVectorizer, analyzer="char_wb", ngram_range=(2, 4), max_features=80),
        "transformer",
    ),
    Case("count_binary", words(CountVectorizer, binary=True), "transformer"),
    Case("count_english", words(CountVectorizer, stop_words="english"), "transformer"),
    Case("count_stop_list", words(CountVectorizer, stop_words=["the", "und"]), "transformer"),
    Case(
        "count_limited",
        words(CountVectorizer, max_df=0.6, min_df=2, max_features=20),
        "transformer",
    ),
    Case("count_cased", words(CountVectorizer, lowercase=False), "transformer"),
    Case("count_unaccented", words(CountVectorizer, strip_accents="unicode"), "transformer"),
    Case("count_ascii", words(CountVectorizer, strip_accents="ascii"), "transformer"),
    Case("count_pattern", words(CountVectorizer, token_pattern=r"[a-z]{3,}|\d+"), "transformer"),
    Case(
        "count_vocabulary",
        words(CountVectorizer, vocabulary=["market", "nifty", "vix", "options"]),
        "transformer",
    ),
    Case("tfidf", words(TfidfVectorizer), "transformer"),
    Case("tfidf_sublinear", words(TfidfVectorizer, sublinear_tf=True), "transformer"),
    Case("tfidf_without_idf", words(TfidfVectorizer, use_idf=False), "transformer"),
    Case(
        "tfidf_plain",
        words(TfidfVectorizer, norm=None, smooth_idf=False, ngram_range=(1, 2)),
        "transformer",
    ),
    Case("tfidf_l1", words(TfidfVectorizer, norm="l1", max_features=30), "transformer"),
    Case("tfidf_counts", counted, "transformer"),
    Case(
        "hashing",
        words(HashingVectorizer, n_features=32),
        "transformer",
        expected="refused",
        why="hashing vectoriser",
    ),
    Case(
        "hashing_line",
        topics(HashingVectorizer(n_features=32), LogisticRegression(**LINE)),
        "classifier",
        expected="refused",
        why="hashing vectoriser",
    ),
    Case(
        "tokenizer_function",
        words(CountVectorizer, tokenizer=str.split, token_pattern=None),
        "transformer",
        expected="refused",
        why="tokenizer function",
    ),
    Case("dictionaries", dictionaries, "inert", expected="either"),
    Case("text_line", topics(TfidfVectorizer(), LogisticRegression(**LINE)), "classifier"),
    Case("text_bayes", topics(CountVectorizer(), MultinomialNB()), "classifier"),
    Case(
        "text_three_steps",
        topics(CountVectorizer(stop_words="english"), TfidfTransformer(), MultinomialNB(alpha=0.3)),
        "classifier",
    ),
    Case(
        "text_sgd",
        topics(
            TfidfVectorizer(ngram_range=(1, 2)),
            SGDClassifier(max_iter=30, tol=1e-3, random_state=SEED),
        ),
        "classifier",
    ),
    Case("text_complement", topics(TfidfVectorizer(), ComplementNB()), "classifier"),
    Case("text_svc", topics(TfidfVectorizer(), LinearSVC(random_state=SEED)), "classifier"),
    Case(
        "text_kernel",
        topics(TfidfVectorizer(), SVC(kernel="linear")),
        "classifier",
        expected="either",
    ),
    Case(
        "text_forest",
        topics(
            CountVectorizer(),
            RandomForestClassifier(n_estimators=3, max_depth=3, random_state=SEED),
        ),
        "classifier",
    ),
    Case(
        "text_components",
        topics(
            TfidfVectorizer(),
            TruncatedSVD(n_components=3, random_state=SEED),
            LogisticRegression(**LINE),
        ),
        "classifier",
    ),
    Case(
        "text_union",
        topics(
            FeatureUnion(
                [
                    ("words", TfidfVectorizer()),
                    ("characters", TfidfVectorizer(analyzer="char_wb", max_features=40)),
                ]
            ),
            LogisticRegression(**LINE),
        ),
        "classifier",
        expected="either",
    ),
    Case("text_search", searched, "classifier"),
    Case("text_beside", beside, "inert"),
]
