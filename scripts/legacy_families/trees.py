"""Trees, forests, boosting, and what votes over them."""

from typing import Any, Callable, Dict

import numpy as np
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.tree import (
    DecisionTreeClassifier,
    DecisionTreeRegressor,
    ExtraTreeClassifier,
    ExtraTreeRegressor,
)

from scripts.legacy_families.cases import Case, Data, Made, fit, since

SEED = 7
TREE: Dict[str, Any] = {"max_depth": 4, "random_state": SEED}
FOREST: Dict[str, Any] = {"n_estimators": 3, "max_depth": 4, "random_state": SEED}
STAGES: Dict[str, Any] = {"n_estimators": 3, "max_depth": 2, "random_state": SEED}


def weighted(kind: Any, label: str, **settings: Any) -> Callable[[Data], Any]:
    """Return what fits with weights of the rows."""

    def build(data: Data) -> Any:
        weights = np.resize([0.5, 2.0, 1.0, 3.25], len(data.train))
        return kind(**settings).fit(data.train, getattr(data, label), sample_weight=weights)

    return build


def framed(kind: Any, label: str, **settings: Any) -> Callable[[Data], Any]:
    """Return what fits on a frame of numbers, and asks with one."""

    def build(data: Data) -> Any:
        model = kind(**settings).fit(data.numbers(data.train), getattr(data, label))
        return Made(model, {"rows": data.numbers(data.rows)})

    return build


def over(kind: Any, member: Any, label: str, **settings: Any) -> Callable[[Data], Any]:
    """Return what fits an ensemble over a member, under the parameter's name of the release."""
    name = "estimator" if since(1, 2) else "base_estimator"
    return fit(kind, label, **{name: member, "random_state": SEED, **settings})


def boosted(algorithm: str, label: str, member: Any = None, **settings: Any) -> Any:
    """Return what fits an AdaBoostClassifier of an algorithm; since 1.6 there is only one."""
    settings = {"n_estimators": 5, **settings}
    if not since(1, 6):
        settings["algorithm"] = algorithm
    member = member or DecisionTreeClassifier(max_depth=2, random_state=SEED)
    return over(AdaBoostClassifier, member, label, **settings)


def isolation(**settings: Any) -> Callable[[Data], Any]:
    """Return what fits an IsolationForest on few rows of each tree."""
    settings = {"n_estimators": 5, "max_samples": 32, "random_state": SEED, **settings}
    return fit(IsolationForest, **settings)


def histogram(kind: str, label: str, rows: str = "train", **settings: Any) -> Callable[[Data], Any]:
    """Return what fits a histogram gradient boosting, an experiment until 1.0."""
    settings = {
        "max_iter": 4,
        "max_depth": 3,
        "min_samples_leaf": 8,
        "max_bins": 24,
        "random_state": SEED,
        **settings,
    }
    if not since(0, 23):
        settings.pop("categorical_features", None)

    def build(data: Data) -> Any:
        if not since(1, 0):
            import sklearn.experimental.enable_hist_gradient_boosting  # noqa: F401
        from sklearn import ensemble

        made = getattr(ensemble, kind)(**settings)
        return made.fit(getattr(data, rows), getattr(data, label))

    return build


def histogram_of_categories(kind: str, label: str) -> Callable[[Data], Any]:
    """Return what fits with a first column that counts kinds."""

    def build(data: Data) -> Any:
        from sklearn import ensemble

        def coded(rows: Any, codes: Any) -> Any:
            return np.column_stack([codes, rows[:, 1:]])

        codes = (np.arange(len(data.train)) * 7 % 11 % 5).astype(float)
        settings = {"max_iter": 4, "max_bins": 24, "max_depth": 3, "min_samples_leaf": 5}
        model = getattr(ensemble, kind)(categorical_features=[0], random_state=SEED, **settings)
        answer = getattr(data, label).copy()
        answer[codes == 3] = answer[codes == 3][::-1].copy()
        model.fit(coded(data.train, codes), answer)
        kinds = np.resize([0.0, 1.0, 2.0, 3.0, 4.0, np.nan], len(data.rows))
        return Made(model, {"rows_coded": coded(data.rows, kinds)})

    return build


def histogram_of_odd_categories(data: Data) -> Any:
    """Fit with a column of codes, and ask with codes that are none."""
    if not since(1, 0):
        import sklearn.experimental.enable_hist_gradient_boosting  # noqa: F401
    from sklearn.ensemble import HistGradientBoostingRegressor

    place = np.arange(len(data.train))
    codes = np.array([0.0, 1.0, 3.0, 7.0, 20.0, np.nan])[place * 7 % 11 % 6]
    answer = data.target + np.nan_to_num(codes) % 4.0
    settings: Dict[str, Any] = {"max_iter": 5, "max_bins": 24, "min_samples_leaf": 4}
    model = HistGradientBoostingRegressor(categorical_features=[1], random_state=SEED, **settings)
    model.fit(np.column_stack([data.train[:, 0], codes]), answer)
    asked = np.resize([0.0, 3.0, 7.0, 2.0, 2.5, 7.9, 200.0, 255.0, np.nan, -0.5], 30)
    return Made(model, {"rows_odd": np.column_stack([np.resize(data.rows[:, 0], 30), asked])})


def histogram_of_words(data: Data) -> Any:
    """Fit on a frame whose kinds say what is a category."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    names = ["close", "regime", "gap", "note"]
    frame, rows = data.frame("frame")[names], data.frame("frame_rows")[names]
    for one in (frame, rows):
        for name in ("regime", "note"):
            one[name] = one[name].astype("category")
    settings: Dict[str, Any] = {"max_iter": 4, "min_samples_leaf": 3, "random_state": SEED}
    model = HistGradientBoostingClassifier(categorical_features="from_dtype", **settings)
    model.fit(frame, data.labels[: len(frame)])
    answers = [("predict_proba", "frame_rows", model.predict_proba(rows))]
    return Made(model, answers=answers)


def started(kind: Any, label: str, init: Any, **settings: Any) -> Callable[[Data], Any]:
    """Return what fits a boosting that starts from another model."""
    return fit(kind, label, init=init, **{**STAGES, **settings})


def stopped(kind: Any, label: str) -> Callable[[Data], Any]:
    """Return what fits a boosting that stops early, with fewer stages than it was told."""
    settings: Dict[str, Any] = {**STAGES, "n_estimators": 60, "learning_rate": 0.8}
    return fit(kind, label, n_iter_no_change=2, validation_fraction=0.3, **settings)


def two_outputs(kind: Any, label: str, **settings: Any) -> Callable[[Data], Any]:
    """Return what fits two outputs; the probabilities of each are an answer of their own."""

    def build(data: Data) -> Any:
        model = kind(**settings).fit(data.train, getattr(data, label))
        answers = []
        if hasattr(model, "predict_proba"):
            for place, probability in enumerate(model.predict_proba(data.rows)):
                answers.append((f"predict_proba_{place}", "rows", probability))
        return Made(model, answers=answers)

    return build


EARLY: Dict[str, Any] = {"early_stopping": True} if since(0, 23) else {}
SQUARED = "squared_error" if since(1, 0) else "ls"
ABSOLUTE = "absolute_error" if since(1, 0) else "lad"

TABLE = [
    Case("tree", fit(DecisionTreeClassifier, "binary", **TREE), "classifier"),
    Case("tree_three", fit(DecisionTreeClassifier, "labels", **TREE), "classifier"),
    Case(
        "tree_entropy",
        fit(DecisionTreeClassifier, "classes", criterion="entropy", min_samples_leaf=5, **TREE),
        "classifier",
    ),
    Case(
        "tree_balanced",
        fit(DecisionTreeClassifier, "classes", class_weight="balanced", **TREE),
        "classifier",
    ),
    Case("tree_weighted", weighted(DecisionTreeClassifier, "sides", **TREE), "classifier"),
    Case(
        "tree_two_outputs", two_outputs(DecisionTreeClassifier, "two_labels", **TREE), "regressor"
    ),
    Case("tree_framed", framed(DecisionTreeClassifier, "labels", **TREE), "classifier"),
    Case(
        "tree_missing",
        fit(DecisionTreeClassifier, "classes", "train_missing", **TREE),
        "classifier",
        since=(1, 3),
    ),
    Case(
        "tree_pruned",
        fit(DecisionTreeClassifier, "binary", ccp_alpha=0.004, random_state=SEED),
        "classifier",
        since=(0, 22),
    ),
    Case(
        "tree_one_leaf",
        fit(DecisionTreeClassifier, "binary", min_samples_leaf=200, random_state=SEED),
        "classifier",
    ),
    Case(
        "tree_best_first",
        fit(DecisionTreeClassifier, "binary", max_leaf_nodes=7, random_state=SEED),
        "classifier",
    ),
    Case("tree_regressor", fit(DecisionTreeRegressor, "target", **TREE), "regressor"),
    Case(
        "tree_regressor_absolute",
        fit(
            DecisionTreeRegressor,
            "target",
            criterion="absolute_error" if since(1, 0) else "mae",
            **TREE,
        ),
        "regressor",
    ),
    Case(
        "tree_regressor_two_targets", fit(DecisionTreeRegressor, "two_targets", **TREE), "regressor"
    ),
    Case(
        "tree_regressor_missing",
        fit(DecisionTreeRegressor, "target", "train_missing", **TREE),
        "regressor",
        since=(1, 3),
    ),
    Case("extra_tree", fit(ExtraTreeClassifier, "classes", **TREE), "classifier"),
    Case("extra_tree_regressor", fit(ExtraTreeRegressor, "target", **TREE), "regressor"),
    Case("forest", fit(RandomForestClassifier, "binary", **FOREST), "classifier"),
    Case("forest_three", fit(RandomForestClassifier, "labels", **FOREST), "classifier"),
    Case(
        "forest_balanced",
        fit(RandomForestClassifier, "classes", class_weight="balanced", **FOREST),
        "classifier",
    ),
    Case(
        "forest_subsample",
        fit(
            RandomForestClassifier,
            "classes",
            class_weight="balanced_subsample",
            oob_score=True,
            **{**FOREST, "n_estimators": 12, "max_depth": 2},
        ),
        "classifier",
    ),
    Case(
        "forest_two_outputs",
        two_outputs(RandomForestClassifier, "two_labels", **FOREST),
        "regressor",
    ),
    Case("forest_framed", framed(RandomForestClassifier, "labels", **FOREST), "classifier"),
    Case("forest_weighted", weighted(RandomForestClassifier, "binary", **FOREST), "classifier"),
    Case(
        "forest_missing",
        fit(RandomForestClassifier, "classes", "train_missing", **FOREST),
        "classifier",
        since=(1, 4),
    ),
    Case("forest_regressor", fit(RandomForestRegressor, "target", **FOREST), "regressor"),
    Case(
        "forest_regressor_two_targets",
        fit(RandomForestRegressor, "two_targets", **FOREST),
        "regressor",
    ),
    Case(
        "forest_regressor_missing",
        fit(RandomForestRegressor, "target", "train_missing", **FOREST),
        "regressor",
        since=(1, 4),
    ),
    Case("forest_regressor_framed", framed(RandomForestRegressor, "target", **FOREST), "regressor"),
    Case("extra_trees", fit(ExtraTreesClassifier, "classes", **FOREST), "classifier"),
    Case(
        "extra_trees_two_outputs",
        two_outputs(ExtraTreesClassifier, "two_labels", **FOREST),
        "regressor",
    ),
    Case(
        "extra_trees_missing",
        fit(ExtraTreesClassifier, "classes", "train_missing", **FOREST),
        "classifier",
        since=(1, 6),
    ),
    Case("extra_trees_regressor", fit(ExtraTreesRegressor, "target", **FOREST), "regressor"),
    Case(
        "extra_trees_regressor_two_targets",
        fit(ExtraTreesRegressor, "two_targets", **FOREST),
        "regressor",
    ),
    Case("boosting", fit(GradientBoostingClassifier, "binary", **STAGES), "classifier"),
    Case("boosting_three", fit(GradientBoostingClassifier, "labels", **STAGES), "classifier"),
    Case(
        "boosting_exponential",
        fit(GradientBoostingClassifier, "sides", loss="exponential", **STAGES),
        "classifier",
    ),
    Case(
        "boosting_subsample",
        fit(GradientBoostingClassifier, "binary", subsample=0.6, max_features=2, **STAGES),
        "classifier",
    ),
    Case("boosting_stopped", stopped(GradientBoostingClassifier, "binary"), "classifier"),
    Case("boosting_zero", started(GradientBoostingClassifier, "binary", "zero"), "classifier"),
    Case(
        "boosting_three_zero", started(GradientBoostingClassifier, "classes", "zero"), "classifier"
    ),
    Case(
        "boosting_started",
        started(GradientBoostingClassifier, "binary", LogisticRegression(solver="lbfgs")),
        "classifier",
        since=(0, 21),
    ),
    Case(
        "boosting_three_started",
        started(
            GradientBoostingClassifier,
            "classes",
            RandomForestClassifier(n_estimators=3, max_depth=2, random_state=SEED),
        ),
        "classifier",
        since=(0, 21),
    ),
    Case("boosting_framed", framed(GradientBoostingClassifier, "labels", **STAGES), "classifier"),
    Case(
        "boosting_regressor",
        fit(GradientBoostingRegressor, "target", loss=SQUARED, **STAGES),
        "regressor",
    ),
    Case(
        "boosting_regressor_absolute",
        fit(GradientBoostingRegressor, "target", loss=ABSOLUTE, **STAGES),
        "regressor",
    ),
    Case(
        "boosting_regressor_huber",
        fit(GradientBoostingRegressor, "target", loss="huber", **STAGES),
        "regressor",
    ),
    Case(
        "boosting_regressor_quantile",
        fit(GradientBoostingRegressor, "target", loss="quantile", alpha=0.8, **STAGES),
        "regressor",
    ),
    Case(
        "boosting_regressor_zero", started(GradientBoostingRegressor, "target", "zero"), "regressor"
    ),
    Case(
        "boosting_regressor_started",
        started(GradientBoostingRegressor, "target", LinearRegression()),
        "regressor",
        since=(0, 21),
    ),
    Case("boosting_regressor_stopped", stopped(GradientBoostingRegressor, "target"), "regressor"),
    Case(
        "histogram",
        histogram("HistGradientBoostingClassifier", "binary"),
        "classifier",
        since=(0, 21),
    ),
    Case(
        "histogram_three",
        histogram("HistGradientBoostingClassifier", "labels"),
        "classifier",
        since=(0, 21),
    ),
    Case(
        "histogram_missing",
        histogram("HistGradientBoostingClassifier", "classes", "train_missing"),
        "classifier",
        since=(0, 22),
    ),
    Case(
        "histogram_stopped",
        histogram(
            "HistGradientBoostingClassifier",
            "binary",
            max_iter=40,
            learning_rate=0.9,
            n_iter_no_change=2,
            validation_fraction=0.3,
            **EARLY,
        ),
        "classifier",
        since=(0, 21),
    ),
    Case(
        "histogram_regressor",
        histogram("HistGradientBoostingRegressor", "target"),
        "regressor",
        since=(0, 21),
    ),
    Case(
        "histogram_regressor_missing",
        histogram("HistGradientBoostingRegressor", "target", "train_missing"),
        "regressor",
        since=(0, 22),
    ),
    Case(
        "histogram_regressor_poisson",
        histogram("HistGradientBoostingRegressor", "spread", loss="poisson"),
        "regressor",
        since=(0, 23),
    ),
    Case(
        "histogram_regressor_quantile",
        histogram("HistGradientBoostingRegressor", "target", loss="quantile", quantile=0.7),
        "regressor",
        since=(1, 1),
    ),
    Case(
        "histogram_regressor_gamma",
        histogram("HistGradientBoostingRegressor", "spread", loss="gamma"),
        "regressor",
        since=(1, 3),
    ),
    Case(
        "histogram_categories",
        histogram_of_categories("HistGradientBoostingClassifier", "binary"),
        "classifier",
        since=(0, 24),
        expected="either",
    ),
    Case(
        "histogram_regressor_categories",
        histogram_of_categories("HistGradientBoostingRegressor", "target"),
        "regressor",
        since=(0, 24),
        expected="either",
    ),
    Case("histogram_odd_categories", histogram_of_odd_categories, "regressor", since=(0, 24)),
    Case("histogram_words", histogram_of_words, "inert", since=(1, 4)),
    Case("ada_boost_vote", boosted("SAMME", "binary"), "classifier"),
    Case("ada_boost_vote_three", boosted("SAMME", "labels"), "classifier"),
    Case("ada_boost_real", boosted("SAMME.R", "binary"), "classifier", until=(1, 6)),
    Case("ada_boost_real_three", boosted("SAMME.R", "labels"), "classifier", until=(1, 6)),
    Case(
        "ada_boost_real_one_stump",
        boosted(
            "SAMME.R",
            "sides",
            DecisionTreeClassifier(max_depth=1, random_state=SEED),
            n_estimators=1,
        ),
        "classifier",
        until=(1, 6),
    ),
    Case(
        "ada_boost_slow",
        boosted("SAMME", "classes", n_estimators=8, learning_rate=0.3),
        "classifier",
    ),
    Case(
        "ada_boost_of_logistics",
        boosted("SAMME", "binary", LogisticRegression(solver="liblinear"), n_estimators=3),
        "classifier",
    ),
    Case(
        "ada_boost_default",
        fit(AdaBoostClassifier, "binary", n_estimators=4, random_state=SEED),
        "classifier",
    ),
    Case(
        "ada_boost_regressor",
        fit(AdaBoostRegressor, "target", n_estimators=5, random_state=SEED),
        "regressor",
        expected="either",
    ),
    Case(
        "bagging",
        over(BaggingClassifier, DecisionTreeClassifier(max_depth=3), "labels", n_estimators=4),
        "classifier",
    ),
    Case(
        "bagging_of_columns",
        over(
            BaggingClassifier,
            DecisionTreeClassifier(max_depth=3),
            "binary",
            n_estimators=4,
            max_features=3,
            max_samples=0.6,
        ),
        "classifier",
    ),
    Case(
        "bagging_of_logistics",
        over(BaggingClassifier, LogisticRegression(solver="lbfgs"), "classes", n_estimators=3),
        "classifier",
    ),
    Case(
        "bagging_with_repeated_columns",
        over(
            BaggingClassifier,
            DecisionTreeClassifier(max_depth=3),
            "classes",
            n_estimators=3,
            bootstrap_features=True,
        ),
        "classifier",
    ),
    Case(
        "bagging_regressor",
        over(BaggingRegressor, DecisionTreeRegressor(max_depth=3), "target", n_estimators=4),
        "regressor",
    ),
    Case(
        "bagging_regressor_of_lines",
        over(BaggingRegressor, LinearRegression(), "target", n_estimators=3, max_features=4),
        "regressor",
    ),
    Case("isolation", isolation(contamination="auto"), "outliers", since=(0, 22)),
    Case(
        "isolation_new_auto",
        isolation(contamination="auto", behaviour="new"),
        "outliers",
        until=(0, 24),
    ),
    Case("isolation_contaminated", isolation(contamination=0.1), "outliers"),
    Case("isolation_of_columns", isolation(contamination=0.1, max_features=3), "outliers"),
    Case(
        "isolation_old",
        isolation(contamination=0.1, behaviour="old"),
        "outliers",
        until=(0, 22),
    ),
    Case(
        "isolation_new",
        isolation(contamination=0.1, behaviour="new"),
        "outliers",
        until=(0, 24),
    ),
    Case("isolation_default", isolation(), "outliers"),
]
