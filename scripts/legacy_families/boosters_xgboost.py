"""XGBoost: boosters and their wrappers, by objective, by kind of booster, and inside of others."""

import re
from typing import Any, Callable, Dict, List, Tuple

import numpy as np
import xgboost as xgb

from scripts.legacy_families.answers import boundary
from scripts.legacy_families.cases import Case, Data, Made, release

SEED = 7
ROUNDS = 5
THIS = release("xgboost")


def matrix(rows: Any, label: Any = None, **settings: Any) -> Any:
    """Return rows as XGBoost takes them."""
    return xgb.DMatrix(rows, label=label, **settings)


def trained(label: str, missing: bool = False, rounds: int = ROUNDS, **changes: Any) -> Any:
    """Return what trains a Booster."""

    def build(data: Data) -> Any:
        rows = data.train_missing if missing else data.train
        return answered(data, booster(rows, getattr(data, label), rounds, **changes))

    return build


def booster(rows: Any, label: Any, rounds: int = ROUNDS, **changes: Any) -> Any:
    """Train a Booster."""
    settings = {"max_depth": 3, "eta": 0.4, "seed": SEED, "nthread": 1, "verbosity": 0, **changes}
    return xgb.train(settings, matrix(rows, label), num_boost_round=rounds)


def answered(data: Data, model: Any, **asked: Any) -> Any:
    """Return a Booster with what it says: values and margins."""
    limits = limits_of(model)
    sets: Dict[str, Any] = {"rows": None, "rows_missing": None}
    if limits:
        sets["boundary"] = boundary(limits, data.rows)
    answers: List[Tuple[str, str, Any]] = []
    for name, rows in (
        ("rows", data.rows),
        ("rows_missing", data.rows_missing),
        ("boundary", sets.get("boundary")),
    ):
        if rows is not None:
            answers.append(("predict", name, model.predict(matrix(rows), **asked)))
            margin = model.predict(matrix(rows), output_margin=True, **asked)
            answers.append(("predict_margin", name, margin))
    return Made(model, sets, answers=answers)


def limits_of(model: Any) -> List[Tuple[int, float]]:
    """Return column and threshold of every node of a Booster of unnamed columns."""
    try:
        texts = model.get_dump()
    except (ValueError, xgb.core.XGBoostError):
        return []
    found = re.findall(r"\[f(\d+)<([-+.\deE]+)\]", "\n".join(texts))
    return [(int(column), float(threshold)) for column, threshold in found]


def stopped(label: str, **changes: Any) -> Callable[[Data], Any]:
    """Return what trains a Booster that stops early; it answers with all its rounds."""

    def build(data: Data) -> Any:
        settings = {"max_depth": 3, "eta": 0.9, "seed": SEED, "nthread": 1, **changes}
        y = getattr(data, label)
        model = xgb.train(
            settings,
            matrix(data.train[:180], y[:180]),
            num_boost_round=40,
            evals=[(matrix(data.train[180:], y[180:]), "held")],
            early_stopping_rounds=2,
            verbose_eval=False,
        )
        made = answered(data, model)
        rounds = int(model.best_iteration) + 1
        if THIS >= (1, 4):
            best = model.predict(matrix(data.rows), iteration_range=(0, rounds))
        else:
            best = model.predict(matrix(data.rows), ntree_limit=model.best_ntree_limit)
        return made._replace(answers=[*made.answers, ("predict_to_best", "rows", best)])

    return build


def with_dropout(**changes: Any) -> Callable[[Data], Any]:
    """Return what trains with dropout, and asks with every tree."""

    def build(data: Data) -> Any:
        label = data.binary if changes.get("objective") != "reg:squarederror" else data.target
        model = booster(data.train, label, rounds=8, rate_drop=0.4, **changes)
        if THIS >= (1, 4):
            return answered(data, model)
        # Without a limit these releases drop trees at random when they are asked, too.
        return answered(data, model, ntree_limit=8)

    return build


def wrapped(kind: str, label: str, **settings: Any) -> Callable[[Data], Any]:
    """Return what fits a wrapper, and asks with missing values and at thresholds, too."""
    early = settings.pop("early", False)
    framed = settings.pop("framed", False)
    missing = settings.pop("missing_rows", False)

    def build(data: Data) -> Any:
        given: Dict[str, Any] = {
            "n_estimators": ROUNDS,
            "max_depth": 3,
            "random_state": SEED,
            "n_jobs": 1,
        }
        given.update(settings)
        fit_settings: Dict[str, Any] = {}
        y = getattr(data, label)
        rows = data.train_missing if missing else data.train
        train, held = slice(None), slice(None)
        if early:
            train, held = slice(0, 180), slice(180, None)
            given["n_estimators"], given["learning_rate"] = 40, 0.9
            fit_settings = {"eval_set": [(rows[held], y[held])], "verbose": False}
            (given if THIS >= (1, 6) else fit_settings)["early_stopping_rounds"] = 2
        model = getattr(xgb, kind)(**given)
        x = data.numbers(rows) if framed else rows
        model.fit(x[train], y[train], **fit_settings)
        if framed:
            return Made(model, {"rows": data.numbers(data.rows)})
        sets = {"rows": None, "rows_missing": None}
        return Made(
            model, {**sets, "boundary": boundary(limits_of(model.get_booster()), data.rows)}
        )

    return build


def of_categories(one_by_one: bool = False) -> Callable[[Data], Any]:
    """Return what trains on a first column of categories, each alone or in sets."""

    def build(data: Data) -> Any:
        codes = (np.arange(len(data.train)) * 7 % 11 % 5).astype(float)
        label = np.where(codes % 2 == 1, data.binary, 1 - data.binary)
        kinds = ["c", *["float"] * (data.train.shape[1] - 1)]

        def coded(rows: Any, one: Any) -> Any:
            return np.column_stack([one, rows[:, 1:]])

        settings = {"feature_types": kinds, "enable_categorical": True}
        model = xgb.train(
            {
                "max_depth": 3,
                "objective": "binary:logistic",
                "max_cat_to_onehot": 100 if one_by_one else 1,
                "seed": SEED,
                "tree_method": "hist",
            },
            matrix(coded(data.train, codes), label, **settings),
            num_boost_round=4,
        )
        # Codes that it never saw, that no set holds, and what is no code at all.
        asked = [0.0, 1.0, 2.0, 3.0, 4.0, 1.7, 9.0, 40.0, -1.0, -0.4, 2.0**24, 1e30, np.nan]
        rows = coded(data.rows, np.resize(asked, len(data.rows)))
        return Made(
            model,
            {"coded": rows},
            answers=[("predict", "coded", model.predict(matrix(rows, **settings)))],
        )

    return build


def of_a_frame(data: Data) -> Any:
    """Train on a frame with columns of categories, whose values the library keeps since 3.1."""
    frame = data.frame("frame")[["close", "regime", "lots"]]
    rows = data.frame("frame_rows")[["close", "regime", "lots"]]
    for column in ("regime", "lots"):
        kind = frame[column].astype("category").dtype
        frame[column], rows[column] = frame[column].astype(kind), rows[column].astype(kind)
    label = (frame["lots"].astype(int) % 2 == 1) ^ (frame["regime"] == "wild")
    settings = {"objective": "binary:logistic", "max_depth": 3, "seed": SEED, "nthread": 1}
    settings["max_cat_to_onehot"] = 1
    train = matrix(frame, label.astype(int), enable_categorical=True)
    model = xgb.train(settings, train, num_boost_round=ROUNDS)
    said = model.predict(matrix(rows, enable_categorical=True))
    return Made(model, {"frame_rows": None}, answers=[("predict", "frame_rows", said)])


def marked(data: Data) -> Any:
    """Fit a wrapper for which -999 is missing."""
    train = np.where(np.isnan(data.train_missing), -999.0, data.train_missing)
    rows = np.where(np.isnan(data.rows_missing), -999.0, data.rows_missing)
    model = small(missing=-999.0).fit(train, data.binary)
    return Made(model, {"marked": rows})


def with_bounds(data: Data) -> Any:
    """Train an accelerated failure time."""
    train = matrix(data.train)
    train.set_float_info("label_lower_bound", data.spread)
    train.set_float_info("label_upper_bound", data.spread + 0.5)
    settings = {"objective": "survival:aft", "max_depth": 3, "seed": SEED, "nthread": 1}
    return answered(data, xgb.train(settings, train, num_boost_round=ROUNDS))


def ranked(objective: str, label: str = "classes") -> Callable[[Data], Any]:
    """Return what trains a ranking."""

    def build(data: Data) -> Any:
        train = matrix(data.train, getattr(data, label))
        train.set_group([60] * 4)
        settings = {"objective": objective, "max_depth": 3, "seed": SEED, "nthread": 1}
        return answered(data, xgb.train(settings, train, num_boost_round=ROUNDS))

    return build


def ranker(data: Data) -> Any:
    """Fit the wrapper of a ranking."""
    model = xgb.XGBRanker(n_estimators=ROUNDS, max_depth=3, random_state=SEED, n_jobs=1)
    return model.fit(data.train, data.classes, group=[60] * 4)


def named(data: Data) -> Any:
    """Train a Booster whose columns have names."""
    settings = {"objective": "binary:logistic", "max_depth": 3, "seed": SEED, "nthread": 1}
    train = matrix(data.train, data.binary, feature_names=data.names)
    model = xgb.train(settings, train, num_boost_round=ROUNDS)
    said = model.predict(matrix(data.rows, feature_names=data.names))
    return Made(
        model,
        {"rows": None},
        answers=[("predict", "rows", said)],
    )


def several_targets(**settings: Any) -> Callable[[Data], Any]:
    """Return what fits a wrapper of two targets."""

    def build(data: Data) -> Any:
        model = xgb.XGBRegressor(n_estimators=3, max_depth=2, random_state=SEED, **settings)
        return Made(model.fit(data.train, data.two_targets), {"rows": None, "rows_missing": None})

    return build


def small(**settings: Any) -> Any:
    """Return an unfitted small classifier."""
    return xgb.XGBClassifier(n_estimators=4, max_depth=2, random_state=SEED, n_jobs=1, **settings)


def piped(data: Data) -> Any:
    """Fit a scaler and a wrapper."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), small()).fit(data.train, data.binary)


def after_columns(data: Data) -> Any:
    """Fit a ColumnTransformer and a wrapper on a frame."""
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    columns = ColumnTransformer(
        [
            ("numbers", StandardScaler(), ["close", "lots"]),
            ("words", OneHotEncoder(handle_unknown="ignore"), ["regime"]),
        ],
        sparse_threshold=0,
    )
    frame = data.frame("frame")
    model = make_pipeline(columns, small()).fit(frame, data.binary[: len(frame)])
    return Made(model, {"frame_rows": data.frame("frame_rows")})


def words_kept(data: Data) -> Any:
    """Return columns of a frame of which the library keeps what is not 0."""
    from sklearn.compose import ColumnTransformer
    from sklearn.preprocessing import OneHotEncoder

    words = OneHotEncoder(handle_unknown="ignore")
    return ColumnTransformer(
        [("words", words, ["regime", "weekday"]), ("numbers", "passthrough", ["lots"])],
        sparse_threshold=1.0,
    )


def after_kept(data: Data) -> Any:
    """Fit a wrapper on a sparse matrix, in which it takes a 0 for missing."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MaxAbsScaler

    frame = data.frame("frame")
    label = (frame["lots"] % 2 + (frame["regime"] == "wild") == 1).astype(int)
    # Before 1.4 scikit-learn asks of a sparse matrix what scipy 1.14 no longer has.
    fits = release("sklearn") >= (1, 4) or release("scipy") < (1, 14)
    scaled = [MaxAbsScaler()] if fits else []
    model = make_pipeline(words_kept(data), *scaled, small()).fit(frame, label)
    return Made(model, {"frame_rows": data.frame("frame_rows")})


def stacked_kept(data: Data) -> Any:
    """Fit a stack on a sparse matrix, the last model of which is given a dense one."""
    from sklearn.ensemble import StackingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    frame = data.frame("frame")
    label = (frame["lots"] % 2 + (frame["regime"] == "wild") == 1).astype(int)
    members = [("boosting", small()), ("line", LogisticRegression())]
    stack = StackingClassifier(members, final_estimator=small(), cv=2)
    model = make_pipeline(words_kept(data), stack).fit(frame, label)
    return Made(model, {"frame_rows": data.frame("frame_rows")})


def after_bins(data: Data) -> Any:
    """Fit a wrapper on a sparse union of bins and numbers."""
    from sklearn.pipeline import FeatureUnion, make_pipeline
    from sklearn.preprocessing import KBinsDiscretizer, MinMaxScaler

    both = FeatureUnion([("bins", KBinsDiscretizer(4)), ("numbers", MinMaxScaler())])
    return Made(make_pipeline(both, small()).fit(data.train, data.binary), {"rows": None})


def after_terms(data: Data) -> Any:
    """Fit a wrapper on the counts of terms, in which it takes a 0 for missing."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline

    label = (np.asarray(data.topics) == "crash").astype(int)
    model = make_pipeline(TfidfVectorizer(), small(min_child_weight=0.1))
    return Made(model.fit(data.documents, label), {"document_rows": None})


def calibrated(data: Data) -> Any:
    """Fit a calibration of wrappers."""
    from sklearn.calibration import CalibratedClassifierCV

    model = CalibratedClassifierCV(small(), method="sigmoid", cv=3)
    return Made(model.fit(data.train, data.binary), {"rows": None})


def searched(data: Data) -> Any:
    """Fit a search over wrappers."""
    from sklearn.model_selection import GridSearchCV

    search = GridSearchCV(small(), {"max_depth": [2, 3]}, cv=2)
    return Made(search.fit(data.train, data.binary), {"rows": None})


def voted(data: Data) -> Any:
    """Fit a vote of a wrapper and a forest."""
    from sklearn.ensemble import RandomForestClassifier, VotingClassifier

    forest = RandomForestClassifier(n_estimators=3, max_depth=3, random_state=SEED)
    model = VotingClassifier([("boosting", small()), ("forest", forest)], voting="soft")
    return Made(model.fit(data.train, data.binary), {"rows": None})


def bundled(data: Data) -> Any:
    """Return a wrapper beside its scaler."""
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(data.train)
    model = small().fit(scaler.transform(data.train), data.binary)
    said = model.predict_proba(scaler.transform(data.rows))
    return Made(
        {"model": model, "scaler": scaler, "features": data.names},
        {"rows": None},
        answers=[("model.predict_proba", "rows", said)],
    )


SQUARED = "reg:squarederror" if THIS >= (0, 90) else "reg:linear"
LOGISTIC: Dict[str, Any] = {"objective": "binary:logistic"}
TABLE = [
    Case(
        "booster_logistic",
        trained("binary", base_score=0.3, **LOGISTIC),
        "inert",
        forms=("several", "json", "ubj", "model"),
    ),
    Case("booster_default_base", trained("binary", **LOGISTIC), "inert"),
    Case("booster_missing", trained("binary", missing=True, base_score=0.3, **LOGISTIC), "inert"),
    Case("booster_margin", trained("binary", objective="binary:logitraw"), "inert"),
    Case(
        "booster_reg_logistic", trained("binary", objective="reg:logistic", base_score=0.7), "inert"
    ),
    Case("booster_hinge", trained("binary", objective="binary:hinge"), "inert", expected="either"),
    Case(
        "booster_softprob",
        trained("classes", objective="multi:softprob", num_class=3),
        "inert",
        forms=("json",),
    ),
    Case(
        "booster_softprob_base",
        trained("classes", objective="multi:softprob", num_class=3, base_score=0.2),
        "inert",
    ),
    Case(
        "booster_softmax",
        trained("classes", objective="multi:softmax", num_class=3),
        "inert",
        expected="either",
    ),
    Case("booster_squared", trained("target", objective=SQUARED, base_score=0.3), "inert"),
    Case("booster_squared_default", trained("target", objective=SQUARED), "inert"),
    Case(
        "booster_squared_old_name",
        trained("target", objective="reg:linear"),
        "inert",
        until=(3, 0),
    ),
    Case("booster_poisson", trained("spread", objective="count:poisson", base_score=0.4), "inert"),
    Case("booster_gamma", trained("spread", objective="reg:gamma", base_score=0.4), "inert"),
    Case("booster_tweedie", trained("spread", objective="reg:tweedie", base_score=0.4), "inert"),
    Case(
        "booster_absolute",
        trained("target", objective="reg:absoluteerror"),
        "inert",
        since=(1, 7),
    ),
    Case(
        "booster_quantile",
        trained("target", objective="reg:quantileerror", quantile_alpha=0.7),
        "inert",
        since=(2, 0),
    ),
    Case(
        "booster_huber",
        trained("target", objective="reg:pseudohubererror"),
        "inert",
        since=(1, 1),
    ),
    Case("booster_ranking", ranked("rank:pairwise"), "inert"),
    Case("booster_ranking_gain", ranked("rank:ndcg"), "inert"),
    Case("booster_ranking_precision", ranked("rank:map", "binary"), "inert"),
    Case("ranker", ranker, "regressor"),
    Case("booster_hazard", trained("spread", objective="survival:cox"), "inert"),
    Case("booster_failure", with_bounds, "inert", since=(1, 2)),
    Case(
        "booster_log_error",
        trained("spread", objective="reg:squaredlogerror"),
        "inert",
        since=(1, 0),
    ),
    Case(
        "booster_expectile",
        trained("target", objective="reg:expectileerror", expectile_alpha=0.7),
        "inert",
        since=(3, 3),
    ),
    Case(
        "booster_expectiles",
        trained("target", objective="reg:expectileerror", expectile_alpha=[0.2, 0.7]),
        "inert",
        since=(3, 3),
        expected="refused",
        why="its expectiles are added up through a function that nobody tried",
    ),
    Case(
        "booster_quantiles",
        trained("target", objective="reg:quantileerror", quantile_alpha=[0.2, 0.7]),
        "inert",
        since=(2, 0),
    ),
    Case("booster_two_marks", trained("two_marks", **LOGISTIC), "inert", since=(1, 6)),
    Case(
        "booster_two_counts",
        trained("two_spreads", objective="count:poisson"),
        "inert",
        since=(3, 2),
    ),
    Case(
        "booster_parallel",
        trained("binary", num_parallel_tree=2, subsample=0.6, **LOGISTIC),
        "inert",
        forms=("zlib", "model"),
    ),
    Case(
        "booster_lossguide",
        trained("binary", tree_method="hist", grow_policy="lossguide", max_leaves=5, **LOGISTIC),
        "inert",
    ),
    Case("booster_one_leaf", trained("binary", min_child_weight=1e6, **LOGISTIC), "inert"),
    Case("booster_stopped", stopped("binary", **LOGISTIC), "inert"),
    Case(
        "booster_stopped_three",
        stopped("classes", objective="multi:softprob", num_class=3),
        "inert",
    ),
    Case("booster_named", named, "inert"),
    Case(
        "booster_dart",
        with_dropout(booster="dart", **LOGISTIC),
        "inert",
        expected="either",
        forms=("p4", "json"),
    ),
    Case(
        "booster_dart_squared",
        with_dropout(booster="dart", objective=SQUARED),
        "inert",
        expected="either",
    ),
    Case(
        "booster_dart_forest",
        with_dropout(booster="dart", normalize_type="forest", **LOGISTIC),
        "inert",
        expected="either",
    ),
    Case("booster_dropout", with_dropout(**LOGISTIC), "inert", since=(3, 3), expected="either"),
    Case(
        "booster_linear",
        trained("binary", booster="gblinear", max_depth=0, base_score=0.3, **LOGISTIC),
        "inert",
        forms=("zlib", "json", "model"),
    ),
    Case(
        "booster_linear_three",
        trained(
            "classes", booster="gblinear", max_depth=0, objective="multi:softprob", num_class=3
        ),
        "inert",
    ),
    Case("booster_categories", of_categories(), "inert", since=(1, 6)),
    Case("booster_categories_each", of_categories(one_by_one=True), "inert", since=(1, 6)),
    Case("booster_frame", of_a_frame, "inert", since=(3, 1), forms=("zlib", "json")),
    Case(
        "classifier",
        wrapped("XGBClassifier", "binary"),
        "classifier",
        forms=("zlib", "json", "model"),
    ),
    Case("classifier_marked", marked, "classifier"),
    Case("classifier_base", wrapped("XGBClassifier", "binary", base_score=0.3), "classifier"),
    Case("classifier_named_labels", wrapped("XGBClassifier", "sides"), "classifier", until=(1, 6)),
    Case("classifier_three", wrapped("XGBClassifier", "classes"), "classifier"),
    Case(
        "classifier_three_named_labels",
        wrapped("XGBClassifier", "labels"),
        "classifier",
        until=(1, 6),
    ),
    Case(
        "classifier_stopped",
        wrapped("XGBClassifier", "binary", early=True),
        "classifier",
        forms=("zlib", "json"),
    ),
    Case("classifier_three_stopped", wrapped("XGBClassifier", "classes", early=True), "classifier"),
    Case("classifier_missing", wrapped("XGBClassifier", "binary", missing_rows=True), "classifier"),
    Case(
        "classifier_weighted", wrapped("XGBClassifier", "binary", scale_pos_weight=3), "classifier"
    ),
    Case("classifier_framed", wrapped("XGBClassifier", "binary", framed=True), "classifier"),
    Case(
        "classifier_dart",
        wrapped("XGBClassifier", "binary", booster="dart", rate_drop=0.4),
        "classifier",
        since=(1, 4),
        expected="either",
    ),
    Case(
        "classifier_dropout",
        wrapped("XGBClassifier", "binary", rate_drop=0.4),
        "classifier",
        since=(3, 3),
        expected="either",
    ),
    Case("forest", wrapped("XGBRFClassifier", "binary"), "classifier"),
    Case("forest_regressor", wrapped("XGBRFRegressor", "target"), "regressor"),
    Case("regressor", wrapped("XGBRegressor", "target"), "regressor"),
    Case("regressor_base", wrapped("XGBRegressor", "target", base_score=0.3), "regressor"),
    Case("regressor_stopped", wrapped("XGBRegressor", "target", early=True), "regressor"),
    Case(
        "regressor_poisson",
        wrapped("XGBRegressor", "spread", objective="count:poisson"),
        "regressor",
    ),
    Case("regressor_two_targets", several_targets(), "regressor", since=(1, 6)),
    Case(
        "regressor_two_targets_together",
        several_targets(multi_strategy="multi_output_tree", tree_method="hist"),
        "regressor",
        since=(2, 0),
    ),
    Case("pipeline", piped, "classifier"),
    Case("pipeline_columns", after_columns, "classifier"),
    Case("sparse_columns", after_kept, "classifier", since=(1, 6)),
    Case("sparse_stack", stacked_kept, "classifier", since=(1, 6)),
    Case("sparse_union", after_bins, "classifier", since=(1, 6)),
    Case("sparse_text", after_terms, "classifier", since=(1, 6)),
    Case("calibrated", calibrated, "classifier", since=(1, 3)),
    Case("search", searched, "classifier"),
    Case("vote", voted, "classifier"),
    Case("bundle", bundled, "inert"),
]
