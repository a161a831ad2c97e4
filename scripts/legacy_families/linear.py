"""Linear models, one line each."""

from typing import Any, Callable, Dict

from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.linear_model import (
    BayesianRidge,
    ElasticNet,
    HuberRegressor,
    Lasso,
    LinearRegression,
    LogisticRegression,
    LogisticRegressionCV,
    Perceptron,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.svm import LinearSVC, LinearSVR

from scripts.legacy_families.cases import Case, Data, Made, fit, since

SEED = 7


def logistic(label: str, **settings: Any) -> Callable[[Data], Any]:
    """Return what fits a LogisticRegression to its end."""
    return fit(LogisticRegression, label, **{"max_iter": 500, **settings})


def searched(label: str, **settings: Any) -> Callable[[Data], Any]:
    """Return what fits a LogisticRegressionCV with few folds."""
    return fit(LogisticRegressionCV, label, Cs=3, cv=2, max_iter=300, **settings)


def framed(kind: Any, label: str) -> Callable[[Data], Any]:
    """Return what fits on a frame of numbers, and asks with one."""

    def build(data: Data) -> Any:
        model = kind().fit(data.numbers(data.train), getattr(data, label))
        return Made(model, {"rows": data.numbers(data.rows)})

    return build


def single_precision(data: Data) -> Any:
    """Fit on float32, which keeps float32 weights."""
    import numpy as np

    model = LogisticRegression(max_iter=500).fit(data.train.astype(np.float32), data.classes)
    return Made(model, {"rows_single": data.rows.astype(np.float32), "rows": None})


def sgd(loss: str, label: str, **settings: Any) -> Callable[[Data], Any]:
    """Return what fits a SGDClassifier, whose log loss has two names."""
    if loss == "log" and since(1, 1):
        loss = "log_loss"
    settings = {"max_iter": 40, "tol": 1e-3, "random_state": SEED, **settings}
    return fit(SGDClassifier, label, loss=loss, **settings)


def sgd_regressor(**settings: Any) -> Callable[[Data], Any]:
    """Return what fits a SGDRegressor."""
    return fit(SGDRegressor, "target", max_iter=60, tol=1e-3, random_state=SEED, **settings)


def normalised(kind: Any, **settings: Any) -> Callable[[Data], Any]:
    """Return what fits with columns divided by their lengths, a switch that is gone since 1.2."""
    return fit(kind, "target", normalize=True, **settings)


LASSO: Dict[str, Any] = {"l1_ratio": 1.0} if since(1, 8) else {"penalty": "l1"}
TABLE = [
    Case("linear_regression", fit(LinearRegression, "target"), "regressor"),
    Case(
        "linear_regression_without_intercept",
        fit(LinearRegression, "target", fit_intercept=False),
        "regressor",
    ),
    Case("linear_regression_two_targets", fit(LinearRegression, "two_targets"), "regressor"),
    Case("linear_regression_framed", framed(LinearRegression, "target"), "regressor"),
    Case("ridge", fit(Ridge, "target", alpha=0.5), "regressor"),
    Case("ridge_two_targets", fit(Ridge, "two_targets"), "regressor"),
    Case("ridge_normalised", normalised(Ridge), "regressor", until=(1, 2)),
    Case("lasso", fit(Lasso, "target", alpha=0.01), "regressor"),
    Case("lasso_normalised", normalised(Lasso, alpha=1e-4), "regressor", until=(1, 2)),
    Case("elastic_net", fit(ElasticNet, "target", alpha=0.01), "regressor"),
    Case("elastic_net_two_targets", fit(ElasticNet, "two_targets", alpha=0.01), "regressor"),
    Case("bayesian_ridge", fit(BayesianRidge, "target"), "regressor"),
    Case(
        "bayesian_ridge_normalised",
        normalised(BayesianRidge),
        "regressor",
        until=(1, 2),
        expected="either",
    ),
    Case("huber", fit(HuberRegressor, "target", max_iter=500), "regressor", expected="either"),
    Case(
        "linear_svr",
        fit(LinearSVR, "target", random_state=SEED, max_iter=5000),
        "regressor",
        expected="either",
    ),
    Case("sgd_regressor", sgd_regressor(), "regressor"),
    Case("sgd_regressor_huber", sgd_regressor(loss="huber", penalty="l1"), "regressor"),
    Case("sgd_regressor_average", sgd_regressor(average=True), "regressor"),
    Case("sgd_hinge", sgd("hinge", "binary"), "classifier"),
    Case("sgd_hinge_three", sgd("hinge", "labels"), "classifier"),
    Case("sgd_log", sgd("log", "binary"), "classifier"),
    Case("sgd_log_three", sgd("log", "classes"), "classifier"),
    Case("sgd_huber", sgd("modified_huber", "sides"), "classifier"),
    Case("sgd_huber_three", sgd("modified_huber", "classes"), "classifier"),
    Case("sgd_perceptron", sgd("perceptron", "classes"), "classifier"),
    Case("sgd_average", sgd("log", "binary", average=5), "classifier"),
    Case("perceptron", fit(Perceptron, "binary", tol=1e-3, max_iter=50), "classifier"),
    Case("perceptron_three", fit(Perceptron, "labels", tol=1e-3, max_iter=50), "classifier"),
    Case("logistic", logistic("binary", solver="lbfgs"), "classifier"),
    Case("logistic_default", logistic("binary"), "classifier"),
    Case("logistic_named", logistic("sides", solver="lbfgs"), "classifier"),
    Case("logistic_liblinear", logistic("binary", solver="liblinear"), "classifier"),
    Case(
        "logistic_sparse_weights",
        logistic("binary", solver="liblinear", C=0.2, **LASSO),
        "classifier",
    ),
    Case("logistic_three_default", logistic("classes"), "classifier"),
    Case("logistic_three_lbfgs", logistic("labels", solver="lbfgs"), "classifier"),
    Case(
        "logistic_three_liblinear",
        logistic("classes", solver="liblinear"),
        "classifier",
        until=(1, 8),
    ),
    Case(
        "logistic_three_ovr",
        logistic("classes", multi_class="ovr", solver="lbfgs"),
        "classifier",
        until=(1, 8),
    ),
    Case(
        "logistic_three_multinomial",
        logistic("labels", multi_class="multinomial", solver="lbfgs"),
        "classifier",
        until=(1, 8),
    ),
    Case(
        "logistic_two_multinomial",
        logistic("binary", multi_class="multinomial", solver="lbfgs"),
        "classifier",
        until=(1, 8),
    ),
    Case(
        "logistic_three_auto",
        logistic("classes", multi_class="auto", solver="newton-cg"),
        "classifier",
        until=(1, 8),
    ),
    Case(
        "logistic_balanced",
        logistic("classes", class_weight="balanced", solver="saga", tol=1e-2, random_state=SEED),
        "classifier",
    ),
    Case(
        "logistic_without_intercept",
        logistic("classes", fit_intercept=False, solver="lbfgs"),
        "classifier",
    ),
    Case("logistic_single_precision", single_precision, "classifier"),
    Case("logistic_framed", framed(LogisticRegression, "labels"), "classifier"),
    Case("logistic_cv", searched("binary"), "classifier"),
    Case("logistic_cv_three", searched("classes"), "classifier"),
    Case(
        "logistic_cv_three_ovr",
        searched("labels", multi_class="ovr"),
        "classifier",
        until=(1, 8),
    ),
    Case(
        "logistic_cv_three_multinomial",
        searched("classes", multi_class="multinomial"),
        "classifier",
        until=(1, 8),
    ),
    Case(
        "logistic_cv_two_multinomial",
        searched("binary", multi_class="multinomial"),
        "classifier",
        until=(1, 8),
    ),
    Case("ridge_classifier", fit(RidgeClassifier, "binary"), "classifier", expected="either"),
    Case("ridge_classifier_three", fit(RidgeClassifier, "labels"), "classifier", expected="either"),
    Case(
        "linear_svc",
        fit(LinearSVC, "binary", random_state=SEED, max_iter=5000),
        "classifier",
        expected="either",
    ),
    Case(
        "linear_svc_three",
        fit(LinearSVC, "labels", random_state=SEED, max_iter=5000),
        "classifier",
        expected="either",
    ),
    Case("lda", fit(LinearDiscriminantAnalysis, "binary"), "reducer"),
    Case("lda_three", fit(LinearDiscriminantAnalysis, "classes"), "reducer"),
    Case("lda_named", fit(LinearDiscriminantAnalysis, "labels", n_components=1), "reducer"),
    Case(
        "lda_shrunk",
        fit(LinearDiscriminantAnalysis, "binary", solver="lsqr", shrinkage="auto"),
        "classifier",
    ),
    Case(
        "lda_three_shrunk",
        fit(LinearDiscriminantAnalysis, "classes", solver="lsqr", shrinkage=0.2),
        "classifier",
    ),
    Case(
        "lda_three_eigen",
        fit(LinearDiscriminantAnalysis, "classes", solver="eigen", shrinkage=0.1),
        "reducer",
    ),
    Case("qda", fit(QuadraticDiscriminantAnalysis, "binary"), "classifier"),
    Case("qda_three", fit(QuadraticDiscriminantAnalysis, "labels", reg_param=0.1), "classifier"),
]
