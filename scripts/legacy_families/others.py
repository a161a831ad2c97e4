"""Clusters, naive Bayes, neighbours, support vectors, small networks."""

from typing import Any, Callable, Dict

import numpy as np
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.isotonic import IsotonicRegression
from sklearn.naive_bayes import BernoulliNB, ComplementNB, GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor, NearestCentroid
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.svm import SVC, SVR, NuSVC, NuSVR, OneClassSVM

from scripts.legacy_families.cases import Case, Data, Made, fit

SEED = 7
KERNEL: Dict[str, Any] = {"gamma": "scale"}


def of_counts(kind: Any, label: str, **settings: Any) -> Callable[[Data], Any]:
    """Return what fits on counts."""

    def build(data: Data) -> Any:
        model = kind(**settings).fit(data.counts, getattr(data, label))
        return Made(model, {"counts_rows": None})

    return build


def near(kind: Any, label: str, **settings: Any) -> Callable[[Data], Any]:
    """Return what fits neighbours on few rows, and asks on rows that it keeps, too."""

    def build(data: Data) -> Any:
        rows = np.round(data.train[data.few], 3)
        model = kind(**settings).fit(rows, getattr(data, label)[data.few])
        middle = (rows[:8] + rows[1:9]) / 2.0
        return Made(model, {"rows": None, "kept_rows": np.vstack([rows[:12], middle])})

    return build


def vectors(kind: Any, label: str, **settings: Any) -> Callable[[Data], Any]:
    """Return what fits support vectors on few rows."""
    return fit(kind, label, few=True, **settings)


def one_class(**settings: Any) -> Callable[[Data], Any]:
    """Return what fits a OneClassSVM on few rows."""
    return fit(OneClassSVM, few=True, nu=0.2, **settings)


def sparse_vectors(data: Data) -> Any:
    """Fit support vectors on a sparse matrix, which keeps sparse ones."""
    from scipy.sparse import csr_matrix

    rows = data.counts[data.few].astype(float)
    model = SVC(kernel="rbf", gamma=0.1).fit(csr_matrix(rows), data.classes[data.few])
    asked = data.counts_rows.astype(float)
    return Made(
        model,
        answers=[("predict", "counts_rows", model.predict(csr_matrix(asked)))],
    )


def network(kind: Any, label: str, **settings: Any) -> Callable[[Data], Any]:
    """Return what fits a small network for few rounds."""
    settings = {"hidden_layer_sizes": (5,), "max_iter": 40, "random_state": SEED, **settings}
    return fit(kind, label, **settings)


def isotonic(**settings: Any) -> Callable[[Data], Any]:
    """Return what fits an IsotonicRegression, which takes one column."""

    def build(data: Data) -> Any:
        column = np.round(data.train[:, 0], 2)
        model = IsotonicRegression(**settings).fit(column, data.target)
        asked = np.concatenate([data.rows[:, 0], column[:20], [column.min(), column.max()]])
        if settings.get("out_of_bounds") == "clip":
            asked = np.concatenate([asked, [-50.0, 50.0]])
        else:
            asked = asked.clip(column.min(), column.max())
        return Made(model, {"one_column": asked})

    return build


def framed(kind: Any, label: str, **settings: Any) -> Callable[[Data], Any]:
    """Return what fits on a frame of few rows, and asks with one."""

    def build(data: Data) -> Any:
        frame = data.numbers(data.train).iloc[data.few]
        model = kind(**settings).fit(frame, getattr(data, label)[data.few])
        return Made(model, {"rows": data.numbers(data.rows)})

    return build


CLUSTERS: Dict[str, Any] = {"n_clusters": 4, "n_init": 2, "random_state": SEED}

TABLE = [
    Case("k_means", fit(KMeans, few=True, **CLUSTERS), "clusters"),
    Case("k_means_elkan", fit(KMeans, few=True, algorithm="elkan", **CLUSTERS), "clusters"),
    Case(
        "mini_batch_k_means",
        fit(MiniBatchKMeans, few=True, batch_size=30, **CLUSTERS),
        "clusters",
        expected="either",
    ),
    Case("gaussian_bayes", fit(GaussianNB, "binary"), "classifier"),
    Case("gaussian_bayes_three", fit(GaussianNB, "labels"), "classifier"),
    Case("gaussian_bayes_priors", fit(GaussianNB, "binary", priors=[0.3, 0.7]), "classifier"),
    Case("multinomial_bayes", of_counts(MultinomialNB, "labels"), "classifier"),
    Case("multinomial_bayes_two", of_counts(MultinomialNB, "binary", alpha=0.1), "classifier"),
    Case(
        "multinomial_bayes_even", of_counts(MultinomialNB, "classes", fit_prior=False), "classifier"
    ),
    Case("complement_bayes", of_counts(ComplementNB, "labels"), "classifier"),
    Case("complement_bayes_norm", of_counts(ComplementNB, "binary", norm=True), "classifier"),
    Case("bernoulli_bayes", of_counts(BernoulliNB, "labels", binarize=1.0), "classifier"),
    Case("bernoulli_bayes_two", fit(BernoulliNB, "binary"), "classifier"),
    Case("neighbours", near(KNeighborsClassifier, "labels"), "classifier"),
    Case(
        "neighbours_distance",
        near(KNeighborsClassifier, "classes", n_neighbors=4, weights="distance"),
        "classifier",
    ),
    Case(
        "neighbours_brute",
        near(KNeighborsClassifier, "binary", n_neighbors=3, algorithm="brute", p=1),
        "classifier",
    ),
    Case(
        "neighbours_ball",
        near(KNeighborsClassifier, "sides", n_neighbors=3, algorithm="ball_tree"),
        "classifier",
    ),
    Case("neighbours_regressor", near(KNeighborsRegressor, "target"), "regressor"),
    Case(
        "neighbours_regressor_distance",
        near(KNeighborsRegressor, "target", n_neighbors=3, weights="distance"),
        "regressor",
    ),
    Case("neighbours_framed", framed(KNeighborsClassifier, "labels", n_neighbors=3), "classifier"),
    Case("nearest_centroid", fit(NearestCentroid, "classes"), "regressor", expected="either"),
    Case("svc", vectors(SVC, "binary", **KERNEL), "classifier"),
    Case("svc_three", vectors(SVC, "labels", **KERNEL), "classifier"),
    Case("svc_linear", vectors(SVC, "binary", kernel="linear"), "classifier"),
    Case("svc_linear_three", vectors(SVC, "classes", kernel="linear"), "classifier"),
    Case("svc_poly", vectors(SVC, "sides", kernel="poly", coef0=0.5, **KERNEL), "classifier"),
    Case("svc_sigmoid", vectors(SVC, "binary", kernel="sigmoid", **KERNEL), "classifier"),
    Case("svc_auto", vectors(SVC, "binary", gamma="auto", C=3.0), "classifier"),
    Case(
        "svc_three_pairs",
        vectors(SVC, "classes", decision_function_shape="ovo", **KERNEL),
        "classifier",
    ),
    Case(
        "svc_break_ties",
        vectors(SVC, "classes", break_ties=True, **KERNEL),
        "classifier",
        since=(0, 22),
    ),
    Case(
        "svc_probability",
        vectors(SVC, "binary", probability=True, random_state=SEED, **KERNEL),
        "classifier",
    ),
    Case(
        "svc_three_probability",
        vectors(SVC, "labels", probability=True, random_state=SEED, **KERNEL),
        "classifier",
    ),
    Case("svc_balanced", vectors(SVC, "classes", class_weight="balanced", **KERNEL), "classifier"),
    Case("svc_framed", framed(SVC, "labels", **KERNEL), "classifier"),
    Case("svc_sparse", sparse_vectors, "inert", expected="either"),
    Case("nu_svc", vectors(NuSVC, "binary", nu=0.3, **KERNEL), "classifier", expected="either"),
    Case("svr", vectors(SVR, "target", **KERNEL), "regressor"),
    Case("svr_linear", vectors(SVR, "target", kernel="linear", C=0.1), "regressor"),
    Case("svr_poly", vectors(SVR, "target", kernel="poly", degree=2, **KERNEL), "regressor"),
    Case("nu_svr", vectors(NuSVR, "target", **KERNEL), "regressor", expected="either"),
    Case("one_class", one_class(**KERNEL), "outliers"),
    Case("one_class_linear", one_class(kernel="linear"), "outliers"),
    Case("one_class_sigmoid", one_class(kernel="sigmoid", **KERNEL), "outliers"),
    Case("network", network(MLPClassifier, "binary"), "classifier"),
    Case(
        "network_three",
        network(MLPClassifier, "labels", hidden_layer_sizes=(6, 4), activation="tanh"),
        "classifier",
    ),
    Case("network_sgd", network(MLPClassifier, "sides", solver="sgd"), "classifier"),
    Case(
        "network_logistic",
        network(MLPClassifier, "classes", solver="lbfgs", activation="logistic"),
        "classifier",
    ),
    Case(
        "network_stopped",
        network(MLPClassifier, "binary", early_stopping=True, activation="identity"),
        "classifier",
    ),
    Case("network_two_labels", network(MLPClassifier, "two_marks"), "classifier"),
    Case("network_regressor", network(MLPRegressor, "target"), "regressor"),
    Case(
        "network_regressor_two_targets",
        network(MLPRegressor, "two_targets", activation="tanh", hidden_layer_sizes=(4, 4)),
        "regressor",
    ),
    Case("isotonic", isotonic(), "regressor", expected="either"),
    Case("isotonic_clipped", isotonic(out_of_bounds="clip"), "reducer", expected="either"),
    Case(
        "isotonic_falling",
        isotonic(increasing=False, out_of_bounds="clip"),
        "regressor",
        expected="either",
    ),
]
