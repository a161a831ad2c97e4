"""Scalers, encoders, imputers, features: what stands before a model."""

from typing import Any, Callable

import numpy as np
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.feature_selection import (
    RFE,
    SelectFromModel,
    SelectKBest,
    SelectPercentile,
    VarianceThreshold,
    f_classif,
    f_regression,
)
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    LabelBinarizer,
    LabelEncoder,
    MaxAbsScaler,
    MinMaxScaler,
    MultiLabelBinarizer,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

from scripts.legacy_families.cases import Case, Data, Made, fit, since

SEED = 7
WORDS = np.array(
    [
        ["calm", "monday"],
        ["wild", "friday"],
        ["crash", "monday"],
        ["calm", "tuesday"],
        ["calm", "friday"],
        ["wild", "monday"],
        ["calm", "Freitag, früh"],
        ["शांत", "friday"],
    ],
    dtype=object,
)
UNKNOWN = np.array([["calm", "sunday"], ["quiet", "monday"], ["wild", "friday"]], dtype=object)
CODES = np.array([[0, 10, 3], [1, 20, 3], [2, 10, 5], [0, 30, 7], [5, 20, 3], [1, 10, 7]])


def dense(**settings: Any) -> Any:
    """Return the settings with the dense output under the name of the release."""
    return {("sparse_output" if since(1, 2) else "sparse"): False, **settings}


def of_words(make: Callable[[], Any], unknown: bool = False) -> Callable[[Data], Any]:
    """Return what fits on columns of text; ``unknown``: asks with words it never saw, too."""

    def build(data: Data) -> Any:
        sets = {"words": WORDS}
        if unknown:
            sets["words_unknown"] = UNKNOWN
        return Made(make().fit(WORDS), sets)

    return build


def of_codes(make: Callable[[], Any], unknown: bool = False, dtype: Any = np.int64) -> Any:
    """Return what fits on columns of whole numbers."""

    def build(data: Data) -> Any:
        codes = CODES.astype(dtype)
        sets = {"codes": codes}
        if unknown:
            sets["codes_unknown"] = np.array([[9, 10, 3], [1, 11, 7]]).astype(dtype)
        return Made(make().fit(codes), sets)

    return build


def of_rare_words(make: Callable[[], Any]) -> Callable[[Data], Any]:
    """Return what fits on words of which some are rare."""

    def build(data: Data) -> Any:
        column = np.repeat(["b", "a", "d", "c", "e", "f"], [9, 1, 7, 2, 5, 1]).astype(object)
        other = np.resize(np.array(["x", "y", "x", "z", "x"], dtype=object), len(column))
        words = np.column_stack([column, other])
        seen = np.array(
            [[one, two] for one in "abcdef" for two in "xyz"] + [["g", "x"]], dtype=object
        )
        model = make().fit(words)
        return Made(model, {"words": seen if model.handle_unknown != "error" else seen[:-1]})

    return build


def legacy_codes(data: Data) -> Any:
    """Fit the OneHotEncoder of integers as releases before 0.22 did without being asked."""
    model = OneHotEncoder(sparse=False, n_values="auto", handle_unknown="ignore").fit(CODES)
    return Made(model, {"codes": CODES})


def labels(kind: Any, values: Any, asked: Any = None) -> Callable[[Data], Any]:
    """Return what fits on a column of labels."""

    def build(data: Data) -> Any:
        return Made(kind().fit(values), {"labels": values if asked is None else asked})

    return build


def imputer(rows: str = "train_missing", **settings: Any) -> Callable[[Data], Any]:
    """Return what fits a SimpleImputer and asks with missing values."""

    def build(data: Data) -> Any:
        from sklearn.impute import SimpleImputer

        model = SimpleImputer(**settings).fit(getattr(data, rows))
        return Made(model, {"rows_missing": None})

    return build


def imputer_of_words(strategy: str) -> Callable[[Data], Any]:
    """Return what fits a SimpleImputer on text with None in it."""

    def build(data: Data) -> Any:
        from sklearn.impute import SimpleImputer

        words = WORDS.copy()
        words[2, 0] = words[5, 1] = None
        settings = {"fill_value": "none"} if strategy == "constant" else {}
        model = SimpleImputer(strategy=strategy, missing_values=None, **settings).fit(words)
        return Made(model, {"words_missing": words})

    return build


def imputer_of_an_empty_column(**settings: Any) -> Callable[[Data], Any]:
    """Return what fits a SimpleImputer on rows of which one column has no value."""

    def build(data: Data) -> Any:
        from sklearn.impute import SimpleImputer

        rows = data.train_missing[data.few].copy()
        rows[:, 2] = np.nan
        return Made(SimpleImputer(**settings).fit(rows), {"rows_missing": None})

    return build


def imputer_of_zeros(data: Data) -> Any:
    """Fit a SimpleImputer for which zero is missing."""
    from sklearn.impute import SimpleImputer

    counts = data.counts.astype(float)
    return Made(SimpleImputer(missing_values=0, strategy="mean").fit(counts), {"counts_rows": None})


def old_imputer(strategy: str, axis: int = 0) -> Callable[[Data], Any]:
    """Return what fits the Imputer of preprocessing, gone since 0.22."""

    def build(data: Data) -> Any:
        from sklearn.preprocessing import Imputer

        model = Imputer(strategy=strategy, axis=axis).fit(data.train_missing)
        return Made(model, {"rows_missing": None})

    return build


def discriminants(**settings: Any) -> Callable[[Data], Any]:
    """Return what fits discriminants that project, and not only classify."""

    def build(data: Data) -> Any:
        from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

        return LinearDiscriminantAnalysis(**settings).fit(data.train, data.labels)

    return build


def before_a_forest(data: Data) -> Any:
    """Fit discriminants as a step before a forest."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import make_pipeline

    forest = RandomForestClassifier(n_estimators=3, max_depth=3, random_state=SEED)
    return make_pipeline(LinearDiscriminantAnalysis(), forest).fit(data.train, data.labels)


def dummy(kind: str, label: str, **settings: Any) -> Callable[[Data], Any]:
    """Return what fits a model that says the same of every row."""

    def build(data: Data) -> Any:
        import sklearn.dummy

        return getattr(sklearn.dummy, kind)(**settings).fit(data.train, getattr(data, label))

    return build


def means_of_words(label: str) -> Callable[[Data], Any]:
    """Return what fits a TargetEncoder, and asks with words that it never saw."""

    def build(data: Data) -> Any:
        from sklearn.preprocessing import TargetEncoder

        words = WORDS[np.arange(len(data.train)) * 5 % 8]
        model = TargetEncoder(random_state=SEED).fit(words, getattr(data, label))
        return Made(model, {"words": WORDS, "words_unknown": UNKNOWN})

    return build


def factors(data: Data) -> Any:
    """Fit a NMF."""
    from sklearn.decomposition import NMF

    return NMF(2, init="nndsvd", max_iter=400).fit(np.abs(data.train))


def of_words_and_none(make: Callable[[], Any]) -> Callable[[Data], Any]:
    """Return what fits on words of which some are None."""

    def build(data: Data) -> Any:
        words = WORDS.copy()
        words[2, 0] = words[5, 1] = None
        model = make().fit(words)
        # As a list, since an array of text holds no None.
        return Made(model, {"words_none": words.tolist()})

    return build


def indicator(data: Data) -> Any:
    """Fit a MissingIndicator."""
    from sklearn.impute import MissingIndicator

    return Made(MissingIndicator(features="all").fit(data.train_missing), {"rows_missing": None})


def nearest_imputer(data: Data) -> Any:
    """Fit a KNNImputer."""
    from sklearn.impute import KNNImputer

    model = KNNImputer(n_neighbors=3).fit(data.train_missing[data.few])
    return Made(model, {"rows_missing": None})


def bins(edges: bool = True, **settings: Any) -> Callable[[Data], Any]:
    """Return what fits a KBinsDiscretizer and asks at the edges of its bins, and close by."""

    def build(data: Data) -> Any:
        # The newest default of the quantiles differs; it is fitted, not asked.
        if since(1, 7) and settings.get("strategy") == "quantile":
            settings["quantile_method"] = "averaged_inverted_cdf"
        scaled = np.round(data.train * 24000.0, 2) if edges else data.train
        model = KBinsDiscretizer(**settings).fit(scaled)
        rows = [data.rows * 24000.0 if edges else data.rows]
        for moved in (0.0, -1e-9, 1e-9, -0.1, -0.2, 0.1):
            row = np.array([model.bin_edges_[c][1:-1] + moved for c in range(scaled.shape[1])])
            rows.append(row.T)
        return Made(model, {"edges": np.vstack(rows)})

    return build


def polynomial(**settings: Any) -> Callable[[Data], Any]:
    """Return what fits PolynomialFeatures of three columns."""

    def build(data: Data) -> Any:
        model = PolynomialFeatures(**settings).fit(data.train[:, :3])
        return Made(model, {"three_columns": data.rows[:, :3]})

    return build


def quantiles(distribution: str) -> Callable[[Data], Any]:
    """Return what fits a QuantileTransformer and asks at its ends, too."""

    def build(data: Data) -> Any:
        model = QuantileTransformer(
            n_quantiles=20, output_distribution=distribution, random_state=SEED
        ).fit(data.train)
        ends = model.quantiles_[[0, -1]]
        near = np.vstack([ends, ends + 5e-8, ends - 5e-8, ends + 2e-7, ends - 2e-7])
        return Made(model, {"rows": None, "ends": near})

    return build


def framed(make: Callable[[], Any]) -> Callable[[Data], Any]:
    """Return what fits on a frame of numbers and asks with one."""

    def build(data: Data) -> Any:
        return Made(make().fit(data.numbers(data.train)), {"rows": data.numbers(data.rows)})

    return build


def positive(make: Callable[[], Any]) -> Callable[[Data], Any]:
    """Return what fits on counts."""

    def build(data: Data) -> Any:
        model = make().fit(data.counts.astype(float) + 1.0)
        return Made(model, {"counts_over_zero": data.counts_rows + 1.0})

    return build


def selected_by_a_model(data: Data) -> Any:
    """Fit SelectFromModel over trees."""
    trees = ExtraTreesClassifier(n_estimators=3, max_depth=2, random_state=SEED)
    return SelectFromModel(trees).fit(data.train, data.binary)


def infrequent(**settings: Any) -> Any:
    """Return what makes a OneHotEncoder that puts rare words together."""
    return lambda: OneHotEncoder(**dense(min_frequency=3, **settings))


def categories(kind: Any, **settings: Any) -> Any:
    """Return an encoder that takes whole numbers as categories in every release."""
    if not since(0, 22):
        settings["categories"] = "auto"
    return kind(**settings)


TABLE = [
    Case("standard", fit(StandardScaler), "transformer"),
    Case("standard_without_mean", fit(StandardScaler, with_mean=False), "transformer"),
    Case("standard_without_scale", fit(StandardScaler, with_std=False), "transformer"),
    Case("standard_framed", framed(StandardScaler), "transformer"),
    Case("standard_missing", fit(StandardScaler, rows="train_missing"), "transformer"),
    Case("min_max", fit(MinMaxScaler), "transformer"),
    Case("min_max_range", fit(MinMaxScaler, feature_range=(-1, 1)), "transformer"),
    Case("min_max_clipped", fit(MinMaxScaler, clip=True), "transformer", since=(0, 24)),
    Case("min_max_framed", framed(MinMaxScaler), "transformer"),
    Case("robust", fit(RobustScaler), "transformer"),
    Case("robust_centre_alone", fit(RobustScaler, with_scaling=False), "transformer"),
    Case("robust_unit_variance", fit(RobustScaler, unit_variance=True), "transformer", (0, 24)),
    Case("max_abs", fit(MaxAbsScaler), "transformer"),
    Case("max_abs_clipped", fit(MaxAbsScaler, clip=True), "transformer", since=(1, 8)),
    Case("normalizer", fit(Normalizer), "transformer"),
    Case("normalizer_l1", fit(Normalizer, norm="l1"), "transformer"),
    Case("normalizer_max", fit(Normalizer, norm="max"), "transformer"),
    Case("binarizer", fit(Binarizer, threshold=0.1), "transformer", expected="either"),
    Case(
        "function_identity",
        fit(FunctionTransformer, validate=False),
        "transformer",
        expected="either",
    ),
    Case(
        "function_log",
        positive(lambda: FunctionTransformer(np.log1p, validate=True)),
        "transformer",
        expected="either",
    ),
    Case("power", fit(PowerTransformer), "transformer", expected="either"),
    Case(
        "power_box_cox",
        positive(lambda: PowerTransformer(method="box-cox")),
        "transformer",
        expected="either",
    ),
    Case("quantile_uniform", quantiles("uniform"), "transformer", expected="either"),
    Case("quantile_normal", quantiles("normal"), "transformer", expected="either"),
    Case("one_hot", of_words(lambda: OneHotEncoder(handle_unknown="ignore"), True), "transformer"),
    Case("one_hot_dense", of_words(lambda: OneHotEncoder(**dense())), "transformer"),
    Case(
        "one_hot_codes",
        of_codes(lambda: categories(OneHotEncoder, **dense(handle_unknown="ignore")), True),
        "transformer",
    ),
    Case(
        "one_hot_numbers",
        of_codes(lambda: categories(OneHotEncoder, **dense()), dtype=np.float64),
        "transformer",
    ),
    Case(
        "one_hot_legacy_codes",
        legacy_codes,
        "transformer",
        until=(0, 22),
        expected="either",
    ),
    Case(
        "one_hot_first_dropped",
        of_words(lambda: OneHotEncoder(**dense(drop="first"))),
        "transformer",
        since=(0, 21),
    ),
    Case(
        "one_hot_dropped_if_binary",
        of_codes(lambda: OneHotEncoder(**dense(drop="if_binary"))),
        "transformer",
        since=(0, 23),
    ),
    Case(
        "one_hot_given_dropped",
        of_words(lambda: OneHotEncoder(**dense(drop=["wild", "friday"]))),
        "transformer",
        since=(0, 21),
    ),
    Case(
        "one_hot_infrequent",
        of_rare_words(infrequent(handle_unknown="infrequent_if_exist")),
        "transformer",
        since=(1, 1),
    ),
    Case(
        "one_hot_infrequent_first_dropped",
        of_rare_words(infrequent(drop="first")),
        "transformer",
        since=(1, 1),
    ),
    Case(
        "one_hot_infrequent_given_dropped",
        of_rare_words(infrequent(drop=np.array(["d", "x"], dtype=object))),
        "transformer",
        since=(1, 1),
    ),
    Case("ordinal", of_words(OrdinalEncoder), "transformer"),
    Case("ordinal_codes", of_codes(OrdinalEncoder), "transformer"),
    Case(
        "ordinal_unknown",
        of_words(
            lambda: OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), True
        ),
        "transformer",
        since=(0, 24),
    ),
    Case("ordinal_none", of_words_and_none(OrdinalEncoder), "transformer", since=(0, 24)),
    Case("one_hot_none", of_words_and_none(OneHotEncoder), "transformer", since=(0, 24)),
    Case("target_means", means_of_words("target"), "transformer", since=(1, 3)),
    Case("target_means_two", means_of_words("sides"), "transformer", since=(1, 3)),
    Case("target_means_three", means_of_words("labels"), "transformer", since=(1, 4)),
    Case("discriminants", discriminants(), "transformer"),
    Case("discriminants_eigen", discriminants(solver="eigen", n_components=1), "transformer"),
    Case("discriminants_forest", before_a_forest, "classifier"),
    Case("dummy_prior", dummy("DummyClassifier", "labels", strategy="prior"), "classifier"),
    Case(
        "dummy_frequent",
        dummy("DummyClassifier", "classes", strategy="most_frequent"),
        "classifier",
    ),
    Case(
        "dummy_constant",
        dummy("DummyClassifier", "sides", strategy="constant", constant="put"),
        "classifier",
    ),
    Case(
        "dummy_by_chance",
        dummy("DummyClassifier", "labels", strategy="stratified", random_state=SEED),
        "classifier",
        expected="refused",
        why="it answers by chance",
    ),
    Case("dummy_mean", dummy("DummyRegressor", "two_targets"), "regressor"),
    Case(
        "dummy_quantile",
        dummy("DummyRegressor", "target", strategy="quantile", quantile=0.3),
        "regressor",
    ),
    Case("factors", factors, "transformer", expected="refused", why="rows depend on one another"),
    Case("label_encoder", labels(LabelEncoder, WORDS[:, 0]), "transformer"),
    Case("label_encoder_codes", labels(LabelEncoder, CODES[:, 1]), "transformer"),
    Case("label_encoder_fixed_text", labels(LabelEncoder, WORDS[:, 0].astype("U")), "transformer"),
    Case("label_binarizer", labels(LabelBinarizer, WORDS[:, 0]), "transformer"),
    Case("label_binarizer_two", labels(LabelBinarizer, CODES[:, 1] > 10), "transformer"),
    Case(
        "label_binarizer_signs",
        labels(lambda: LabelBinarizer(neg_label=-1, pos_label=2), CODES[:, 1]),
        "transformer",
    ),
    Case(
        "multi_label_binarizer",
        labels(MultiLabelBinarizer, [["a", "b"], ["b"], ["c", "a"], []]),
        "transformer",
        expected="either",
    ),
    Case("imputer_mean", imputer(strategy="mean"), "transformer"),
    Case("imputer_median", imputer(strategy="median"), "transformer"),
    Case("imputer_frequent", imputer(strategy="most_frequent"), "transformer"),
    Case("imputer_constant", imputer(strategy="constant", fill_value=-1.5), "transformer"),
    Case(
        "imputer_indicator",
        imputer(strategy="mean", add_indicator=True),
        "transformer",
        since=(0, 21),
    ),
    Case("imputer_words_frequent", imputer_of_words("most_frequent"), "transformer"),
    Case("imputer_words_constant", imputer_of_words("constant"), "transformer"),
    Case("imputer_zeros", imputer_of_zeros, "transformer"),
    Case("imputer_empty_mean", imputer_of_an_empty_column(strategy="mean"), "transformer"),
    Case(
        "imputer_empty_constant",
        imputer_of_an_empty_column(strategy="constant", fill_value=0.5),
        "transformer",
    ),
    Case(
        "imputer_empty_kept",
        imputer_of_an_empty_column(strategy="mean", keep_empty_features=True),
        "transformer",
        since=(1, 2),
    ),
    Case(
        "imputer_empty_constant_kept",
        imputer_of_an_empty_column(strategy="constant", fill_value=0.5, keep_empty_features=True),
        "transformer",
        since=(1, 2),
    ),
    Case("old_imputer", old_imputer("mean"), "transformer", until=(0, 22)),
    Case("old_imputer_median", old_imputer("median"), "transformer", until=(0, 22)),
    Case(
        "old_imputer_rows", old_imputer("mean", 1), "transformer", until=(0, 22), expected="either"
    ),
    Case("missing_indicator", indicator, "transformer", expected="either"),
    Case("nearest_imputer", nearest_imputer, "transformer", since=(0, 22), expected="either"),
    Case("polynomial", polynomial(degree=2), "transformer"),
    Case("polynomial_three", polynomial(degree=3, include_bias=False), "transformer"),
    Case("polynomial_interactions", polynomial(degree=3, interaction_only=True), "transformer"),
    Case("polynomial_range", polynomial(degree=(2, 3)), "transformer", since=(1, 0)),
    Case("bins_ordinal", bins(n_bins=5, encode="ordinal", strategy="uniform"), "transformer"),
    Case("bins_quantile", bins(n_bins=4, encode="ordinal", strategy="quantile"), "transformer"),
    Case("bins_one_hot", bins(n_bins=4, encode="onehot", strategy="quantile"), "transformer"),
    Case(
        "bins_one_hot_dense",
        bins(n_bins=3, encode="onehot-dense", strategy="kmeans"),
        "transformer",
    ),
    Case("bins_small", bins(False, n_bins=5, encode="ordinal", strategy="uniform"), "transformer"),
    Case("pca", fit(PCA, n_components=3), "transformer"),
    Case("pca_whitened", fit(PCA, n_components=3, whiten=True), "transformer"),
    Case("pca_share", fit(PCA, n_components=0.9, svd_solver="full"), "transformer"),
    Case("pca_framed", framed(lambda: PCA(n_components=2)), "transformer"),
    Case("truncated_svd", fit(TruncatedSVD, n_components=3, random_state=SEED), "transformer"),
    Case("select_k_best", fit(SelectKBest, "classes", score_func=f_classif, k=3), "transformer"),
    Case(
        "select_k_best_regression",
        fit(SelectKBest, "target", score_func=f_regression, k=2),
        "transformer",
    ),
    Case("select_percentile", fit(SelectPercentile, "classes", percentile=50), "transformer"),
    Case("variance_threshold", fit(VarianceThreshold, threshold=0.01), "transformer"),
    Case("select_from_model", selected_by_a_model, "transformer", expected="either"),
    Case(
        "rfe",
        fit(RFE, "target", estimator=LinearRegression(), n_features_to_select=3),
        "reducer",
        expected="either",
    ),
]
