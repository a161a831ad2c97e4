"""Column transformers, alone and before a model, on frames of numbers and text and on arrays."""

from typing import Any, Callable

from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.ensemble import (
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    KBinsDiscretizer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
)
from sklearn.svm import SVC

from scripts.legacy_families.cases import Case, Data, Made, since

SEED = 7
NUMBERS = ["close", "iv", "gap"]
WORDS = ["regime", "weekday"]


def line() -> Any:
    """Return a LogisticRegression with the solver of today in every release."""
    return LogisticRegression(solver="lbfgs", max_iter=800)


def filled() -> Any:
    """Return what fills and scales numbers."""
    return make_pipeline(SimpleImputer(strategy="median"), StandardScaler())


def coded() -> Any:
    """Return what codes words."""
    return OneHotEncoder(handle_unknown="ignore")


def words_filled() -> Any:
    """Return what fills and codes words of which some are missing."""
    return Pipeline(
        [
            ("fill", SimpleImputer(strategy="constant", fill_value="none")),
            ("code", OneHotEncoder(handle_unknown="ignore")),
        ]
    )


def columns(*parts: Any, **settings: Any) -> Any:
    """Return a ColumnTransformer of named parts."""
    named = [(f"part_{place}", *part) for place, part in enumerate(parts)]
    return ColumnTransformer(named, **settings)


def alone(make: Callable[[], Any], without: Any = ()) -> Callable[[Data], Any]:
    """Return what fits a transformer on the frame."""

    def build(data: Data) -> Any:
        frame = data.frame("frame").drop(columns=list(without))
        rows = data.frame("frame_rows").drop(columns=list(without))
        model = make().fit(frame)
        return Made(model, {"frame_rows": rows})

    return build


def before(model: Any, label: str, make: Callable[[], Any]) -> Callable[[Data], Any]:
    """Return what fits a transformer and a model on the frame."""

    def build(data: Data) -> Any:
        frame = data.frame("frame")
        whole = Pipeline([("columns", make()), ("model", model)])
        whole.fit(frame, getattr(data, label)[: len(frame)])
        return Made(whole, {"frame_rows": data.frame("frame_rows")})

    return build


def of_arrays(make: Callable[[], Any], model: Any = None) -> Callable[[Data], Any]:
    """Return what fits on an array of numbers."""

    def build(data: Data) -> Any:
        if model is None:
            return make().fit(data.train)
        return make_pipeline(make(), model).fit(data.train, data.labels)

    return build


def by_name(**settings: Any) -> Callable[[], Any]:
    """Return what makes the transformer that everybody has."""
    return lambda: columns((filled(), NUMBERS), (coded(), WORDS), **settings)


def selected() -> Any:
    """Return a transformer whose columns are chosen by their kind."""
    from sklearn.compose import make_column_selector

    return columns(
        (filled(), make_column_selector(pattern="close|iv|gap")),
        (words_filled(), make_column_selector(pattern="regime|note")),
    )


def by_kind() -> Any:
    """Return what chooses numbers by numpy's name for them, and words by what they are not."""
    import numpy as np
    from sklearn.compose import make_column_selector as kind

    return columns(
        (filled(), kind(dtype_include=np.number)),
        (coded(), kind(dtype_exclude=[np.number, object])),
    )


def searched(data: Data) -> Any:
    """Fit a search over a pipeline on the frame."""
    settings = {} if since(0, 24) else {"iid": False}
    whole = Pipeline([("columns", by_name()()), ("model", line())])
    search = GridSearchCV(whole, {"model__C": [0.5, 1.0]}, cv=2, **settings)
    frame = data.frame("frame")
    search.fit(frame, data.labels[: len(frame)])
    return Made(search, {"frame_rows": data.frame("frame_rows")})


def given_frames(data: Data) -> Any:
    """Fit a transformer that was told to answer with frames."""
    model = columns((filled(), NUMBERS), remainder="drop").set_output(transform="pandas")
    return Made(model.fit(data.frame("frame")), {"frame_rows": data.frame("frame_rows")})


def histogram(data: Data) -> Any:
    """Fit a histogram boosting over codes, which takes missing numbers."""
    if not since(1, 0):
        import sklearn.experimental.enable_hist_gradient_boosting  # noqa: F401
    from sklearn.ensemble import HistGradientBoostingClassifier

    boosting = HistGradientBoostingClassifier(
        max_iter=3, max_depth=3, max_bins=16, min_samples_leaf=6, random_state=SEED
    )
    make = lambda: columns((OrdinalEncoder(), WORDS), ("passthrough", NUMBERS))  # noqa: E731
    return before(boosting, "labels", make)(data)


def forest(kind: Any) -> Any:
    """Return a small forest."""
    return kind(n_estimators=4, max_depth=3, random_state=SEED)


TABLE = [
    Case("columns", alone(by_name()), "transformer"),
    Case("columns_dense", alone(by_name(sparse_threshold=0)), "transformer"),
    Case(
        "columns_weighted",
        alone(by_name(transformer_weights={"part_0": 2.0, "part_1": 0.5})),
        "transformer",
    ),
    Case(
        "columns_rest_passed",
        alone(lambda: columns((coded(), WORDS), remainder="passthrough"), without=["note"]),
        "transformer",
    ),
    Case(
        "columns_rest_scaled",
        alone(lambda: columns((coded(), WORDS), remainder=filled()), without=["note"]),
        "transformer",
    ),
    Case(
        "columns_passed_and_dropped",
        alone(
            lambda: columns(
                (StandardScaler(), ["close"]), ("passthrough", ["lots"]), ("drop", ["iv"])
            )
        ),
        "transformer",
    ),
    Case(
        "columns_by_position",
        alone(lambda: columns((filled(), [0, 1, 2]), (coded(), [3, 4]))),
        "transformer",
    ),
    Case(
        "columns_by_slice",
        alone(lambda: columns((filled(), slice(0, 3)), (coded(), slice("regime", "weekday")))),
        "transformer",
    ),
    Case(
        "columns_by_mask",
        alone(
            lambda: columns(
                (filled(), [True, True, False, False, False, True, False]), (coded(), [-4])
            )
        ),
        "transformer",
    ),
    Case("columns_selected", alone(selected), "transformer", since=(0, 22)),
    Case("columns_by_kind", alone(by_kind, ["note"]), "transformer", since=(1, 2)),
    Case(
        "columns_one_text",
        alone(lambda: columns((TfidfVectorizer(), "regime"), (MinMaxScaler(), ["lots"]))),
        "transformer",
        expected="either",
    ),
    Case(
        "columns_made",
        alone(
            lambda: make_column_transformer(
                *(
                    [(StandardScaler(), ["close", "lots"]), (words_filled(), ["note"])]
                    if since(0, 22)
                    else [(["close", "lots"], StandardScaler()), (["note"], words_filled())]
                )
            )
        ),
        "transformer",
    ),
    Case(
        "columns_binned",
        alone(
            lambda: columns(
                (KBinsDiscretizer(n_bins=3, strategy="uniform"), ["close", "lots"]),
                (OrdinalEncoder(), WORDS),
            )
        ),
        "transformer",
    ),
    Case("columns_frames_out", given_frames, "transformer", since=(1, 2)),
    Case(
        "columns_of_array",
        of_arrays(lambda: columns((StandardScaler(), [0, 2]), (MinMaxScaler(), [1, 5]))),
        "transformer",
    ),
    Case(
        "columns_of_array_rest_passed",
        of_arrays(lambda: columns((StandardScaler(), [4, 1]), remainder="passthrough")),
        "transformer",
    ),
    Case(
        "columns_of_array_before_line",
        of_arrays(
            lambda: columns((StandardScaler(), slice(1, 4)), remainder=MinMaxScaler()), line()
        ),
        "classifier",
    ),
    Case("columns_line", before(line(), "labels", by_name()), "classifier"),
    Case("columns_line_two", before(line(), "sides", by_name()), "classifier"),
    Case(
        "columns_line_rest_passed",
        before(
            line(),
            "binary",
            lambda: columns(
                (filled(), ["iv", "gap"]),
                (words_filled(), [*WORDS, "note"]),
                remainder="passthrough",
            ),
        ),
        "classifier",
    ),
    Case(
        "columns_line_first_dropped",
        before(
            line(),
            "classes",
            lambda: columns((filled(), NUMBERS), (OneHotEncoder(drop="first"), WORDS)),
        ),
        "classifier",
        since=(0, 21),
    ),
    Case(
        "columns_forest",
        before(forest(RandomForestClassifier), "labels", by_name()),
        "classifier",
    ),
    Case(
        "columns_forest_of_codes",
        before(
            forest(RandomForestClassifier),
            "sides",
            lambda: columns(
                (SimpleImputer(), NUMBERS), (OrdinalEncoder(), WORDS), ("passthrough", ["lots"])
            ),
        ),
        "classifier",
    ),
    Case("columns_svc", before(SVC(gamma="scale"), "sides", by_name()), "classifier"),
    Case("columns_histogram", histogram, "classifier", since=(0, 22)),
    Case("columns_ridge", before(Ridge(), "target", by_name()), "regressor"),
    Case("columns_linear", before(LinearRegression(), "target", by_name()), "regressor"),
    Case(
        "columns_forest_regressor",
        before(forest(RandomForestRegressor), "target", by_name()),
        "regressor",
    ),
    Case(
        "columns_boosting_regressor",
        before(
            GradientBoostingRegressor(n_estimators=4, max_depth=2, random_state=SEED),
            "target",
            by_name(remainder="drop"),
        ),
        "regressor",
    ),
    Case("columns_search", searched, "classifier"),
    Case(
        "columns_in_columns",
        alone(
            lambda: columns(
                (columns((filled(), ["close", "iv"]), remainder="drop"), ["close", "iv", "gap"]),
                (coded(), WORDS),
            )
        ),
        "transformer",
    ),
]
