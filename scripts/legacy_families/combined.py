"""Models over models: calibrated, voting, stacking, searches, pipelines, unions."""

from typing import Any, Callable

from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    AdaBoostClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingClassifier,
)
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, SGDClassifier
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier, MultiOutputRegressor
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, PolynomialFeatures, RobustScaler, StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from scripts.legacy_families.cases import Case, Data, Made, fit, since

SEED = 7


def line(**settings: Any) -> Any:
    """Return a LogisticRegression with the solver of today in every release."""
    return LogisticRegression(solver="lbfgs", max_iter=500, **settings)


def tree(depth: int = 3) -> Any:
    """Return a small tree."""
    return DecisionTreeClassifier(max_depth=depth, random_state=SEED)


def forest(trees: int = 3) -> Any:
    """Return a small forest."""
    return RandomForestClassifier(n_estimators=trees, max_depth=3, random_state=SEED)


def boosting() -> Any:
    """Return a small gradient boosting."""
    return GradientBoostingClassifier(n_estimators=4, max_depth=2, random_state=SEED)


def calibrated(member: Any, method: str, label: str, **settings: Any) -> Callable[[Data], Any]:
    """Return what fits a calibration over folds."""
    name = "estimator" if since(1, 2) else "base_estimator"
    return fit(
        CalibratedClassifierCV, label, **{name: member, "method": method, "cv": 3, **settings}
    )


def calibrated_after(method: str) -> Callable[[Data], Any]:
    """Return what calibrates a model that was fitted before."""

    def build(data: Data) -> Any:
        fitted = forest().fit(data.train[:120], data.binary[:120])
        if since(1, 6):
            from sklearn.frozen import FrozenEstimator

            model = CalibratedClassifierCV(FrozenEstimator(fitted), method=method)
        else:
            model = CalibratedClassifierCV(fitted, method=method, cv="prefit")
        return model.fit(data.train[120:], data.binary[120:])

    return build


def votes(label: str, **settings: Any) -> Callable[[Data], Any]:
    """Return what fits a vote of three kinds."""
    members = [("line", line()), ("forest", forest()), ("bayes", GaussianNB())]
    return fit(VotingClassifier, label, estimators=members, **settings)


def vote_over_boosting(data: Data) -> Any:
    """Fit a vote over an AdaBoost of the release's default."""
    members = [
        ("boost", AdaBoostClassifier(n_estimators=4, random_state=SEED)),
        ("line", LogisticRegression()),
        ("gradient", GradientBoostingClassifier(n_estimators=4, max_depth=2, random_state=SEED)),
    ]
    return VotingClassifier(members, voting="soft").fit(data.train, data.classes)


def voting_regressor(data: Data) -> Any:
    """Fit a VotingRegressor."""
    from sklearn.ensemble import VotingRegressor

    members = [
        ("line", LinearRegression()),
        ("tree", DecisionTreeRegressor(max_depth=3, random_state=SEED)),
    ]
    return VotingRegressor(members, weights=[1.0, 2.0]).fit(data.train, data.target)


def stacked(label: str, final: Any = None, **settings: Any) -> Callable[[Data], Any]:
    """Return what fits a StackingClassifier."""

    def build(data: Data) -> Any:
        from sklearn.ensemble import StackingClassifier

        members = [("forest", forest()), ("bayes", GaussianNB()), ("line", line())]
        model = StackingClassifier(members, final_estimator=final, cv=3, **settings)
        return model.fit(data.train, getattr(data, label))

    return build


def stacking_regressor(**settings: Any) -> Callable[[Data], Any]:
    """Return what fits a StackingRegressor."""

    def build(data: Data) -> Any:
        from sklearn.ensemble import StackingRegressor

        members = [
            ("forest", RandomForestRegressor(n_estimators=3, max_depth=3, random_state=SEED)),
            ("ridge", Ridge()),
        ]
        return StackingRegressor(members, Ridge(), cv=3, **settings).fit(data.train, data.target)

    return build


def piped(*steps: Any, **settings: Any) -> Callable[[Data], Any]:
    """Return what fits steps one after another."""
    label = settings.pop("label", "labels")
    framed = settings.pop("framed", False)
    few = settings.pop("few", False)

    def build(data: Data) -> Any:
        model = make_pipeline(*steps)
        if not framed:
            share = data.few if few else slice(None)
            return model.fit(data.train[share], getattr(data, label)[share])
        model.fit(data.numbers(data.train), getattr(data, label))
        return Made(model, {"rows": data.numbers(data.rows)})

    return build


def union(**weights: float) -> Any:
    """Return a union of three transformations."""
    parts = [
        ("scaled", StandardScaler()),
        ("components", PCA(n_components=2)),
        ("best", make_pipeline(MinMaxScaler(), SelectKBest(f_classif, k=2))),
    ]
    return FeatureUnion(parts, transformer_weights=weights or None)


def chained(data: Data) -> Any:
    """Fit a chain of classifiers."""
    return ClassifierChain(line(), order=[1, 0]).fit(data.train, data.two_marks)


def outputs(data: Data) -> Any:
    """Fit two outputs; the probabilities of each are an answer of their own."""
    model = MultiOutputClassifier(line()).fit(data.train, data.two_labels)
    answers = [
        (f"predict_proba_{place}", "rows", probability)
        for place, probability in enumerate(model.predict_proba(data.rows))
    ]
    return Made(model, answers=answers)


def grid(member: Any, choices: Any, label: str, **settings: Any) -> Callable[[Data], Any]:
    """Return what fits a GridSearchCV."""
    settings = {"cv": 3, **settings}
    if not since(0, 24):
        settings["iid"] = False
    few = settings.pop("few", False)
    return fit(GridSearchCV, label, few=few, estimator=member, param_grid=choices, **settings)


def random_search(data: Data) -> Any:
    """Fit a RandomizedSearchCV whose state holds a distribution and a RandomState."""
    import numpy as np
    from scipy.stats import randint

    settings = {} if since(0, 24) else {"iid": False}
    search = RandomizedSearchCV(
        RandomForestClassifier(n_estimators=3, random_state=SEED),
        {"max_depth": randint(2, 4), "min_samples_leaf": [2, 5]},
        n_iter=2,
        cv=2,
        random_state=np.random.RandomState(SEED),
        **settings,
    )
    return search.fit(data.train, data.classes)


def halving(data: Data) -> Any:
    """Fit a HalvingGridSearchCV."""
    import sklearn.experimental.enable_halving_search_cv  # noqa: F401
    from sklearn.model_selection import HalvingGridSearchCV

    search = HalvingGridSearchCV(tree(), {"max_depth": [2, 3]}, cv=2, random_state=SEED)
    return search.fit(data.train, data.binary)


def tuned_threshold(data: Data) -> Any:
    """Fit a threshold that is searched over folds."""
    from sklearn.model_selection import TunedThresholdClassifierCV

    return TunedThresholdClassifierCV(line(), cv=2, thresholds=9).fit(data.train, data.binary)


def chosen_threshold(data: Data) -> Any:
    """Fit a classifier with a threshold that was given."""
    from sklearn.model_selection import FixedThresholdClassifier

    return FixedThresholdClassifier(line(), threshold=0.35).fit(data.train, data.binary)


def scaled_target(data: Data) -> Any:
    """Fit a regressor on a scaled target."""
    from sklearn.compose import TransformedTargetRegressor

    model = TransformedTargetRegressor(Ridge(), transformer=StandardScaler())
    return model.fit(data.train, data.target)


def with_nothing_between(data: Data) -> Any:
    """Fit a pipeline of which one step does nothing."""
    nothing = "passthrough" if since(0, 21) else None
    model = Pipeline([("scaler", StandardScaler()), ("none", nothing), ("model", line())])
    return model.fit(data.train, data.binary)


TABLE = [
    Case(
        "calibrated_sigmoid",
        calibrated(LinearSVC(random_state=SEED), "sigmoid", "binary"),
        "classifier",
    ),
    Case("calibrated_isotonic", calibrated(forest(), "isotonic", "binary"), "classifier"),
    Case("calibrated_three_sigmoid", calibrated(GaussianNB(), "sigmoid", "labels"), "classifier"),
    Case("calibrated_three_isotonic", calibrated(tree(), "isotonic", "classes"), "classifier"),
    Case(
        "calibrated_one_model",
        calibrated(line(), "sigmoid", "sides", ensemble=False),
        "classifier",
        since=(0, 24),
    ),
    Case("calibrated_after_sigmoid", calibrated_after("sigmoid"), "classifier"),
    Case("calibrated_after_isotonic", calibrated_after("isotonic"), "classifier"),
    Case(
        "calibrated_temperature",
        calibrated(line(), "temperature", "classes"),
        "classifier",
        since=(1, 8),
        expected="either",
    ),
    Case("vote_soft", votes("labels", voting="soft"), "classifier"),
    Case("vote_soft_weighted", votes("binary", voting="soft", weights=[2, 1, 1]), "classifier"),
    Case("vote_hard", votes("labels", voting="hard"), "classifier"),
    Case("vote_hard_weighted", votes("binary", voting="hard", weights=[1, 2, 1]), "classifier"),
    Case("vote_over_boosting", vote_over_boosting, "classifier"),
    Case("vote_regressor", voting_regressor, "regressor", since=(0, 21)),
    Case("stack", stacked("binary"), "classifier", since=(0, 22)),
    Case("stack_three", stacked("labels", line()), "classifier", since=(0, 22)),
    Case(
        "stack_passthrough",
        stacked("binary", tree(), passthrough=True),
        "classifier",
        since=(0, 22),
    ),
    Case(
        "stack_decisions",
        stacked("classes", line(), stack_method="predict"),
        "classifier",
        since=(0, 22),
    ),
    Case("stack_regressor", stacking_regressor(), "regressor", since=(0, 22)),
    Case(
        "stack_regressor_passthrough",
        stacking_regressor(passthrough=True),
        "regressor",
        since=(0, 22),
    ),
    Case("one_vs_rest", fit(OneVsRestClassifier, "labels", estimator=line()), "classifier"),
    Case("one_vs_rest_trees", fit(OneVsRestClassifier, "classes", estimator=tree()), "classifier"),
    Case(
        "one_vs_rest_svc",
        fit(OneVsRestClassifier, "classes", estimator=LinearSVC(random_state=SEED)),
        "classifier",
    ),
    Case("one_vs_rest_two", fit(OneVsRestClassifier, "binary", estimator=line()), "classifier"),
    Case(
        "one_vs_rest_marks", fit(OneVsRestClassifier, "two_marks", estimator=line()), "classifier"
    ),
    Case(
        "one_vs_one",
        fit(OneVsOneClassifier, "labels", estimator=line()),
        "classifier",
        expected="either",
    ),
    Case("multi_output", outputs, "regressor"),
    Case(
        "multi_output_regressor",
        fit(MultiOutputRegressor, "two_targets", estimator=Ridge()),
        "regressor",
    ),
    Case(
        "multi_output_trees",
        fit(
            MultiOutputRegressor,
            "two_targets",
            estimator=ExtraTreesRegressor(n_estimators=3, max_depth=3, random_state=SEED),
        ),
        "regressor",
    ),
    Case("chain", chained, "classifier", expected="either"),
    Case("grid_search", grid(line(), {"C": [0.1, 1.0]}, "labels"), "classifier"),
    Case("grid_search_forest", grid(forest(), {"max_depth": [2, 3]}, "binary"), "classifier"),
    Case(
        "grid_search_pipeline",
        grid(
            Pipeline([("scaler", StandardScaler()), ("model", SVC(gamma="scale"))]),
            {"model__C": [0.5, 2.0], "scaler": [StandardScaler(), RobustScaler()]},
            "classes",
            few=True,
        ),
        "classifier",
    ),
    Case(
        "grid_search_several_scores",
        grid(tree(), {"max_depth": [2, 3]}, "binary", scoring=["accuracy", "f1"], refit="f1"),
        "classifier",
    ),
    Case("grid_search_regressor", grid(Ridge(), {"alpha": [0.1, 1.0]}, "target"), "regressor"),
    Case("random_search", random_search, "classifier"),
    Case("halving_search", halving, "classifier", since=(0, 24), expected="either"),
    Case("fixed_threshold", chosen_threshold, "classifier", since=(1, 5), expected="either"),
    Case("tuned_threshold", tuned_threshold, "classifier", since=(1, 5)),
    Case("scaled_target", scaled_target, "regressor", expected="either"),
    Case("pipeline", piped(StandardScaler(), line()), "classifier"),
    Case("pipeline_framed", piped(StandardScaler(), line(), framed=True), "classifier"),
    Case("pipeline_forest", piped(StandardScaler(), forest()), "classifier"),
    Case("pipeline_boosting", piped(RobustScaler(), boosting()), "classifier"),
    Case(
        "pipeline_svc", piped(StandardScaler(), SVC(gamma="scale", C=0.5), few=True), "classifier"
    ),
    Case("pipeline_components", piped(StandardScaler(), PCA(n_components=3), line()), "classifier"),
    Case(
        "pipeline_polynomial",
        piped(PolynomialFeatures(2), StandardScaler(), Ridge(), label="target"),
        "regressor",
    ),
    Case(
        "pipeline_regressor",
        piped(MinMaxScaler(), LinearRegression(), label="target"),
        "regressor",
    ),
    Case(
        "pipeline_neighbours",
        piped(StandardScaler(), KNeighborsClassifier(n_neighbors=3), few=True),
        "classifier",
    ),
    Case(
        "pipeline_in_pipeline",
        piped(
            make_pipeline(StandardScaler(), PCA(n_components=4)),
            make_pipeline(RobustScaler(), line()),
        ),
        "classifier",
    ),
    Case("pipeline_with_nothing_between", with_nothing_between, "classifier"),
    Case("pipeline_of_transformers", piped(StandardScaler(), PCA(n_components=2)), "transformer"),
    Case(
        "pipeline_selected",
        piped(SelectKBest(f_classif, k=3), SGDClassifier(max_iter=50, tol=1e-3, random_state=SEED)),
        "classifier",
    ),
    Case("union", piped(union()), "transformer"),
    Case("union_weighted", piped(union(scaled=2.0, components=0.5)), "transformer"),
    Case("pipeline_union", piped(union(), line(), label="sides"), "classifier"),
    Case(
        "vote_of_pipelines",
        fit(
            VotingClassifier,
            "labels",
            voting="soft",
            estimators=[
                ("scaled", make_pipeline(StandardScaler(), line())),
                ("forest", forest()),
                ("dropped", None if not since(0, 22) else "drop"),
            ],
        ),
        "classifier",
    ),
]
