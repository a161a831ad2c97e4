"""scikit-learn's linear models: one weighted sum of the columns for each question.

How a classifier comes from sums to probabilities depends on its release: ``multi_class`` decided it
up to 1.7, 'warn' standing for 'ovr' up to 0.21; newton-cholesky fits each class by itself up to
1.5; discriminant analysis of three and more classes has soft-max since 0.21.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from aegismatrix_factory.rescue.converting.attributes import Attributes, known, numbers
from aegismatrix_factory.rescue.converting.errors import (
    InconsistentModelError,
    UnsupportedModelError,
)
from aegismatrix_factory.rescue.converting.family import (
    Answer,
    Family,
    Model,
    Oracle,
    Part,
    Reader,
    Rows,
)
from aegismatrix_factory.rescue.converting.formulas import both, expit, shares, sigmoid, softmax
from aegismatrix_factory.rescue.converting.hazards import logistic_hazards
from aegismatrix_factory.rescue.converting.parameters import FloatArray
from aegismatrix_factory.rescue.converting.writing import Table, Writer, computed
from aegismatrix_factory.rescue.reading.records import Record

Link = Literal["none", "sigmoid", "each", "divided", "softmax", "clipped", "exp"]
"""From sums to answers: as they are; the sigmoid of one; each class by itself, then divided by the
sum, all alike where that is 0, or NaN there, as until 1.8; all classes at once; each clipped to -1
and 1, moved to 0 and 1, divided by the sum; the exponential."""

_RELEASES = ((0, 20), (1, 9))
_MULTI_CLASS_UNTIL = (1, 8)


@dataclass(frozen=True, eq=False)
class Linear:
    """Weighted sums.

    Attributes
    ----------
    coefficients : ndarray of shape (rows, n_features)
        One row for one question or two classes, else one for each.
    intercepts : ndarray of shape (rows,)
        Their constants.
    link : Link
        From sums to probabilities or values.
    factor : float
        What the sums are multiplied by before the link.
    centre : ndarray of shape (n_features,) or None
        What is taken away from the columns before they are projected.
    axes : ndarray of shape (n_features, columns) or None
        What they are projected to, where it transforms.
    """

    coefficients: FloatArray
    intercepts: FloatArray
    link: Link
    factor: float = 1.0
    centre: FloatArray | None = None
    axes: FloatArray | None = None


def _sums(attributes: Attributes, rows: int | None = None) -> tuple[FloatArray, FloatArray]:
    """Coefficients and intercepts, checked against each other and the columns."""
    name = attributes.name
    given = attributes.need("coef_")
    if not isinstance(given, np.ndarray) or not 1 <= given.ndim <= 2 or not given.size:
        raise InconsistentModelError(f"{name}.coef_ is no matrix")
    shape = (1, *given.shape) if given.ndim == 1 else given.shape
    if rows is not None and shape[0] != rows:
        raise InconsistentModelError(f"{name}.coef_ has the shape {shape} for {rows} sums")
    coefficients = numbers(given, given.shape, f"{name}.coef_").reshape(shape)
    attributes.width(shape[1])
    bare = attributes.need("intercept_")
    # Fitted without an intercept: one zero for all, as an array or as a bare number.
    if isinstance(bare, int | float | np.floating | np.integer) and not isinstance(bare, bool):
        bare = np.array([float(bare)])
    if isinstance(bare, np.ndarray) and bare.ndim == 0:
        bare = bare.reshape(1)
    if isinstance(bare, np.ndarray) and bare.shape == (1,) and shape[0] > 1:
        bare = np.repeat(bare, shape[0])
    return coefficients, numbers(bare, (shape[0],), f"{name}.intercept_")


def _regression(attributes: Attributes, link: Link) -> Model:
    coefficients, intercepts = _sums(attributes)
    outputs, width = coefficients.shape
    return Model(
        parameters=Linear(coefficients, intercepts, link),
        n_features=width,
        answers={"value": outputs},
        feature_names=attributes.column_names(width),
    )


def _read_regressor(attributes: Attributes, reader: Reader) -> Model:
    del reader
    return _regression(attributes, "none")


def _read_exponential(attributes: Attributes, reader: Reader) -> Model:
    del reader
    return _regression(attributes, "exp" if _raises(attributes) else "none")


def _raises(attributes: Attributes) -> bool:
    """Whether a generalised linear model answers with the exponential of its sum."""
    link = attributes.get("link", "auto")
    if link not in ("auto", "identity", "log") or not isinstance(link, str):
        raise UnsupportedModelError(f"its {attributes.name} has a link of an unknown kind")
    if link == "auto" and attributes.name == "TweedieRegressor":
        return attributes.one("power") > 0.0
    # The link of the others is fixed: of Poisson and gamma it is the logarithm.
    return link != "identity"


def _classifier(
    attributes: Attributes,
    classes: tuple[str, ...],
    link: Link | None,
    *,
    factor: float = 1.0,
    warnings: tuple[str, ...] = (),
) -> Model:
    """A model of sums over classes; without a link it has no probabilities."""
    if len(classes) < 2:
        raise InconsistentModelError(f"{attributes.name} has fewer than two classes")
    rows = 1 if len(classes) == 2 else len(classes)
    coefficients, intercepts = _sums(attributes, rows)
    width = coefficients.shape[1]
    bare: dict[Answer, int | None] = {"decision": rows, "label": 1}
    return Model(
        parameters=Linear(coefficients, intercepts, link or "none", factor),
        n_features=width,
        answers=bare if link is None else {"probability": len(classes), **bare},
        shown=("decision", "label") if link is None else (),
        classes=classes,
        feature_names=attributes.column_names(width),
        warnings=warnings,
    )


def _each(attributes: Attributes) -> Link:
    return "each" if attributes.since(1, 9) else "divided"


def _read_logistic(attributes: Attributes, reader: Reader) -> Model:
    del reader
    classes = attributes.labels("classes_")
    count = len(classes)
    each = _fits_each_class(attributes, count)
    link: Link = "softmax"
    if count == 2:
        link = "sigmoid"
    elif each:
        link = _each(attributes)
    warned = logistic_hazards(
        (attributes.release or (0, 0, 0))[:2],
        multi_class=None
        if attributes.since(*_MULTI_CLASS_UNTIL)
        else attributes.text("multi_class"),
        each_class=each,
        classes=count,
    )
    # The soft-max of minus and plus the decision is the sigmoid of twice the decision.
    factor = 2.0 if count == 2 and not each else 1.0
    return _classifier(attributes, classes, link, factor=factor, warnings=warned)


def _fits_each_class(attributes: Attributes, classes: int) -> bool:
    """Whether each class has its own sigmoid, as that release decides it when it predicts."""
    if attributes.since(*_MULTI_CLASS_UNTIL):
        if attributes.get("multi_class") is not None:
            raise InconsistentModelError(f"{attributes.name}.multi_class is of no such release")
        return classes == 2
    chosen, solver = attributes.text("multi_class"), attributes.text("solver")
    if chosen == "warn" and not attributes.since(0, 22):
        return True
    alone = ("liblinear",) if attributes.since(1, 6) else ("liblinear", "newton-cholesky")
    if chosen in ("auto", "deprecated"):
        return classes == 2 or solver in alone
    if chosen not in ("ovr", "multinomial"):
        raise InconsistentModelError(f"{attributes.name}.multi_class is unknown")
    return chosen == "ovr"


def _read_descent(attributes: Attributes, reader: Reader) -> Model:
    del reader
    loss = attributes.text("loss")
    classes = attributes.labels("classes_")
    link: Link | None = None
    if loss in ("log", "log_loss"):
        link = "sigmoid" if len(classes) == 2 else _each(attributes)
    elif loss == "modified_huber":
        link = "clipped"
    return _classifier(attributes, classes, link)


def _read_bare(attributes: Attributes, reader: Reader) -> Model:
    del reader
    return _classifier(attributes, attributes.labels("classes_"), None)


def _read_ridge(attributes: Attributes, reader: Reader) -> Model:
    del reader
    inside = Attributes(_binarizer(attributes), _BINARIZER)
    if inside.text("y_type_") not in ("binary", "multiclass"):
        raise UnsupportedModelError("its classifier answers several questions at once")
    return _classifier(attributes, inside.labels("classes_"), None)


def _binarizer(attributes: Attributes) -> Record:
    inside = attributes.need("_label_binarizer")
    if not isinstance(inside, Record) or inside.name != "LabelBinarizer":
        raise InconsistentModelError(f"{attributes.name}._label_binarizer is none")
    return inside


def _read_discriminant(attributes: Attributes, reader: Reader) -> Model:
    del reader
    classes = attributes.labels("classes_")
    link: Link = "sigmoid"
    if len(classes) > 2:
        link = "softmax" if attributes.since(0, 21) else "divided"
    model = _classifier(attributes, classes, link)
    solver = attributes.text("solver")
    if solver not in ("svd", "eigen"):
        return model
    given, width = attributes.need("scalings_"), model.n_features or 0
    if not isinstance(given, np.ndarray) or given.ndim != 2 or given.shape[0] != width:
        raise InconsistentModelError("LinearDiscriminantAnalysis.scalings_ is no matrix")
    axes = attributes.numbers("scalings_", given.shape)[:, : attributes.count("_max_components")]
    centre = attributes.numbers("xbar_", (width,)) if solver == "svd" else None
    if not axes.size:
        raise InconsistentModelError("LinearDiscriminantAnalysis has no axes")
    return replace(
        model,
        parameters=replace(model.parameters, centre=centre, axes=axes),
        answers={**model.answers, "transformed": axes.shape[1]},
    )


def _graph(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    model: Linear = part.parameters
    if answer == "transformed":
        return _projected(model, writer, x)
    sums = writer.affine(x.numbers(), model.coefficients, model.intercepts)
    count = len(model.intercepts)
    if answer == "decision" or (answer == "value" and model.link == "none"):
        return computed(sums, count)
    if answer == "value":
        return computed(writer.add("Exp", [sums]), count)
    if answer == "label":
        found = writer.above(sums, 0.0) if count == 1 else writer.largest(sums)
        return computed(found, 1)
    if model.factor != 1.0:
        sums = writer.add("Mul", [sums, writer.number(model.factor)])
    return computed(_probability(writer, model.link, sums, count), max(count, 2))


def _projected(model: Linear, writer: Writer, x: Table) -> Table:
    assert model.axes is not None
    value = x.numbers()
    if model.centre is not None:
        value = writer.add("Sub", [value, writer.weight(model.centre)])
    return computed(writer.add("MatMul", [value, writer.weight(model.axes)]), model.axes.shape[1])


def _probability(writer: Writer, link: Link, sums: str, count: int) -> str:
    if link == "softmax":
        return writer.add("Softmax", [sums], axis=1)
    if link == "clipped":
        bounds = [writer.weight(np.array(bound)) for bound in (-1.0, 1.0)]
        clipped = writer.add("Clip", [sums, *bounds])
        moved = writer.add("Add", [clipped, writer.number(1.0)])
        each = writer.add("Div", [moved, writer.number(2.0)])
    else:
        each = writer.sigmoid(sums)
    if count == 1:
        return writer.both(each)
    if link != "divided":
        return writer.shares(each, count)
    # Where every class has exactly 0 the library divides by it: NaN, and no share is made up.
    total = writer.add("ReduceSum", [each, writer.axes(1)], keepdims=1)
    return writer.add("Div", [each, total])


def _summed(attributes: Attributes, rows: Rows) -> FloatArray:
    """The library's ``x @ coef_.T + intercept_``, row by row of the coefficients."""
    x = np.asarray(rows, dtype=np.float64)
    weights = np.atleast_2d(np.asarray(attributes.need("coef_"), dtype=np.float64))
    constant = np.asarray(attributes.need("intercept_"), dtype=np.float64).reshape(-1)
    sums = [np.einsum("ij,j->i", x, one) for one in weights]
    return np.stack(sums, axis=1) + constant


def _labelled(sums: FloatArray) -> FloatArray:
    found = (sums[:, 0] > 0.0) if sums.shape[1] == 1 else sums.argmax(axis=1)
    return found.astype(np.float64)[:, None]


def _value(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    del answer, oracle
    return _summed(attributes, rows)


def _raised(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    del answer, oracle
    sums = _summed(attributes, rows)
    link = attributes.get("link", "auto")
    if attributes.name != "TweedieRegressor" or link == "log":
        return np.exp(sums)
    return sums if link == "identity" or attributes.need("power") <= 0 else np.exp(sums)


def _bare(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    del oracle
    sums = _summed(attributes, rows)
    return sums if answer == "decision" else _labelled(sums)


def _logistic(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    if answer != "probability":
        return _bare(attributes, answer, rows, oracle)
    sums = _summed(attributes, rows)
    binary, solver = sums.shape[1] == 1, attributes.get("solver")
    chosen = attributes.get("multi_class")
    if attributes.since(1, 8):
        own = binary
    elif attributes.since(0, 22):
        alone = solver == "liblinear" or (
            solver == "newton-cholesky" and not attributes.since(1, 6)
        )
        own = chosen == "ovr" or (chosen in ("auto", "deprecated") and (binary or alone))
    else:
        own = chosen in ("ovr", "warn") or (chosen == "auto" and (binary or solver == "liblinear"))
    if own:
        return both(sigmoid(sums)) if binary else _alike(attributes, expit(sums))
    return softmax(np.concatenate([-sums, sums], axis=1) if binary else sums)


def _descent(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    if answer != "probability":
        return _bare(attributes, answer, rows, oracle)
    sums = _summed(attributes, rows)
    if attributes.need("loss") == "modified_huber":
        each = (np.minimum(np.maximum(sums, -1.0), 1.0) + 1.0) / 2.0
        return both(each) if sums.shape[1] == 1 else shares(each)
    each = expit(sums)
    return both(each) if sums.shape[1] == 1 else _alike(attributes, each)


def _alike(attributes: Attributes, each: FloatArray) -> FloatArray:
    """Since 1.9 rows of zeros share alike; before that they were divided by their sum."""
    return shares(each) if attributes.since(1, 9) else _divided(each)


def _divided(each: FloatArray) -> FloatArray:
    """Rows divided by their sums, NaN where a sum is 0."""
    with np.errstate(invalid="ignore"):
        return np.asarray(each / each.sum(axis=1, keepdims=True))


def _discriminant(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    if answer == "transformed":
        x = np.array(rows, dtype=np.float64)
        if attributes.need("solver") == "svd":
            x -= np.asarray(attributes.need("xbar_"), dtype=np.float64)
        every = x @ np.asarray(attributes.need("scalings_"), dtype=np.float64)
        return np.asarray(every[:, : attributes.need("_max_components")])
    if answer != "probability":
        return _bare(attributes, answer, rows, oracle)
    sums = _summed(attributes, rows)
    if sums.shape[1] == 1:
        return both(sigmoid(sums))
    return softmax(sums) if attributes.since(0, 21) else _divided(expit(sums))


_BINARIZER = known(
    """
    y_type_ classes_ neg_label pos_label sparse_output sparse_input_ _sklearn_version n_features_in_
    _sklearn_output_config
    """
)
_SUMS = known("coef_ intercept_")
_TRAINED = known("fit_intercept n_iter_ tol max_iter random_state verbose warm_start copy_X n_jobs")
_DESCENT = known(
    """
    alpha average early_stopping epsilon eta0 l1_ratio learning_rate n_iter n_iter_no_change penalty
    power_t shuffle t_ validation_fraction C _max_iter _tol class_weight _expanded_class_weight
    loss_function_ _loss_function_ standard_coef_ standard_intercept_ average_coef_
    average_intercept_ _standard_coef _standard_intercept _average_coef _average_intercept
    """
)
_PATH = known(
    "alpha l1_ratio positive precompute selection normalize _normalize dual_gap_ eps_ sparse_coef_"
)
_PATHS = {
    **_PATH,
    **known("alphas alphas_ alpha_ n_alphas _alphas cv eps mse_path_ l1_ratio_"),
}
_RIDGE = known("alpha normalize _normalize solver solver_ positive")
_RIDGE_PATH = known(
    """
    alphas alpha_ alpha_per_target best_score_ cv gcv_mode normalize scoring store_cv_values
    _normalize store_cv_results cv_values_ cv_results_
    """
)
_ANGLE = known(
    """
    active_ alphas_ coef_path_ eps fit_path jitter n_nonzero_coefs normalize positive precompute
    _normalize alpha method max_n_alphas cv criterion criterion_ alpha_ cv_alphas_ mse_path_
    noise_variance noise_variance_
    """
)
_BAYES = known(
    """
    X_offset_ X_scale_ alpha_ alpha_1 alpha_2 alpha_init compute_score lambda_ lambda_1 lambda_2
    lambda_init n_iter normalize _normalize scores_ sigma_ threshold_lambda
    """
)
_GENERAL = known("alpha solver _base_loss _family_instance _link_instance family")
_MACHINE = known("C dual intercept_scaling loss epsilon penalty class_weight multi_class")
_LOGISTIC = known("penalty dual C intercept_scaling class_weight l1_ratio")
_LOGISTIC_PATH = known(
    """
    C_ Cs Cs_ coefs_paths_ cv refit scores_ scoring l1_ratio_ l1_ratios l1_ratios_
    use_legacy_attributes
    """
)
_DISCRIMINANT = known(
    """
    _n_features_out covariance_ covariance_estimator explained_variance_ratio_ means_ n_components
    priors priors_ shrinkage store_covariance tol
    """
)


def _paths(*names: str) -> tuple[str, ...]:
    return tuple(f"sklearn.linear_model.{name}" for name in names)


_BASE = _paths("_base", "base")
_RIDGES = _paths("_ridge", "ridge")
_COORDINATE = _paths("_coordinate_descent", "coordinate_descent")
_ANGLES = _paths("_least_angle", "least_angle")
_BAYESIAN = _paths("_bayes", "bayes")
_STOCHASTIC = _paths("_stochastic_gradient", "stochastic_gradient")
_AGGRESSIVE = _paths("_passive_aggressive", "passive_aggressive")
_GLM = _paths("_glm.glm")
_PURSUIT = _paths("_omp", "omp")
_SVM = ("sklearn.svm._classes", "sklearn.svm.classes")

_REGRESSORS: Mapping[str, tuple[tuple[str, ...], Mapping[str, Any]]] = {
    "LinearRegression": (
        _BASE,
        known("_residues normalize _normalize positive rank_ singular_"),
    ),
    "Ridge": (_RIDGES, _RIDGE),
    "RidgeCV": (_RIDGES, _RIDGE_PATH),
    "Lasso": (_COORDINATE, _PATH),
    "ElasticNet": (_COORDINATE, _PATH),
    "LassoCV": (_COORDINATE, _PATHS),
    "ElasticNetCV": (_COORDINATE, _PATHS),
    "MultiTaskLasso": (_COORDINATE, _PATH),
    "MultiTaskElasticNet": (_COORDINATE, _PATH),
    "Lars": (_ANGLES, _ANGLE),
    "LassoLars": (_ANGLES, _ANGLE),
    "LassoLarsIC": (_ANGLES, _ANGLE),
    "BayesianRidge": (_BAYESIAN, _BAYES),
    "ARDRegression": (_BAYESIAN, _BAYES),
    "HuberRegressor": (_paths("_huber", "huber"), known("alpha epsilon outliers_ scale_")),
    "TheilSenRegressor": (
        _paths("_theil_sen", "theil_sen"),
        known("breakdown_ max_subpopulation n_subpopulation_ n_subsamples"),
    ),
    "OrthogonalMatchingPursuit": (
        _PURSUIT,
        known("n_nonzero_coefs n_nonzero_coefs_ normalize _normalize precompute"),
    ),
    "OrthogonalMatchingPursuitCV": (
        _PURSUIT,
        known("copy cv n_nonzero_coefs_ normalize _normalize"),
    ),
    "QuantileRegressor": (_paths("_quantile"), known("alpha quantile solver solver_options")),
    "SGDRegressor": (_STOCHASTIC, {**_DESCENT, **known("loss")}),
    "PassiveAggressiveRegressor": (_AGGRESSIVE, {**_DESCENT, **known("loss")}),
    "LinearSVR": (_SVM, _MACHINE),
}
_WITHOUT_PROBABILITY: Mapping[str, tuple[tuple[str, ...], Mapping[str, Any]]] = {
    "Perceptron": (_paths("_perceptron", "perceptron"), {**_DESCENT, **known("loss")}),
    "PassiveAggressiveClassifier": (_AGGRESSIVE, {**_DESCENT, **known("loss")}),
    "LinearSVC": (_SVM, _MACHINE),
}


def _family(
    name: str, modules: tuple[str, ...], used: str, harmless: Mapping[str, Any], **how: Any
) -> Family:
    return Family(
        name=name,
        modules=modules,
        library="scikit-learn",
        releases=_RELEASES,
        used={**_SUMS, **known(used)},
        harmless={**_TRAINED, **harmless},
        graph=_graph,
        **how,
    )


FAMILIES = (
    *(
        _family(name, modules, "", harmless, read=_read_regressor, oracle=_value)
        for name, (modules, harmless) in _REGRESSORS.items()
    ),
    *(
        _family(name, _GLM, used, _GENERAL, read=_read_exponential, oracle=_raised)
        for name, used in {
            "PoissonRegressor": "link",
            "GammaRegressor": "link",
            "TweedieRegressor": "link power",
        }.items()
    ),
    *(
        _family(name, modules, "classes_", harmless, read=_read_bare, oracle=_bare)
        for name, (modules, harmless) in _WITHOUT_PROBABILITY.items()
    ),
    *(
        _family(
            name,
            _paths("_logistic", "logistic"),
            "classes_ multi_class solver",
            {**_LOGISTIC, **more},
            read=_read_logistic,
            oracle=_logistic,
        )
        for name, more in {
            "LogisticRegression": {},
            "LogisticRegressionCV": _LOGISTIC_PATH,
        }.items()
    ),
    *(
        _family(
            name,
            _RIDGES,
            "_label_binarizer",
            {**harmless, **known("class_weight classes_")},
            read=_read_ridge,
            oracle=_bare,
        )
        for name, harmless in {"RidgeClassifier": _RIDGE, "RidgeClassifierCV": _RIDGE_PATH}.items()
    ),
    _family(
        "SGDClassifier",
        _STOCHASTIC,
        "classes_ loss",
        _DESCENT,
        read=_read_descent,
        oracle=_descent,
    ),
    _family(
        "LinearDiscriminantAnalysis",
        ("sklearn.discriminant_analysis",),
        "classes_ solver scalings_ xbar_ _max_components",
        _DISCRIMINANT,
        read=_read_discriminant,
        oracle=_discriminant,
    ),
)
