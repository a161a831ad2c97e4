"""LightGBM: boosters and their wrappers, by objective and kind."""

import json
from typing import Any, Callable, Dict, Iterator, List, Tuple

import lightgbm as lgb
import numpy as np

from scripts.legacy_families.answers import boundary
from scripts.legacy_families.cases import Case, Data, Made, release

SEED = 7
ROUNDS = 5
THIS = release("lightgbm")
QUIET: Dict[str, Any] = {
    "verbose": -1,
    "num_threads": 1,
    "seed": SEED,
    "min_data_in_leaf": 8,
    "max_bin": 31,
}


def booster(rows: Any, label: Any, rounds: int = ROUNDS, **changes: Any) -> Any:
    """Train a Booster."""
    settings = {**QUIET, "num_leaves": 6, "learning_rate": 0.3, **changes}
    return lgb.train(settings, lgb.Dataset(rows, label), num_boost_round=rounds)


def limits_of(model: Any) -> Iterator[Tuple[int, float]]:
    """Yield column and threshold of every node that compares numbers."""

    def walk(node: Dict[str, Any]) -> Iterator[Tuple[int, float]]:
        if "split_feature" in node:
            if node["decision_type"] == "<=":
                yield node["split_feature"], float(node["threshold"])
            for side in ("left_child", "right_child"):
                yield from walk(node[side])

    whole = model.dump_model()
    for tree in (json.loads(whole) if isinstance(whole, str) else whole)["tree_info"]:
        yield from walk(tree["tree_structure"])


def asked_with(data: Data, model: Any, raw: Any) -> Dict[str, Any]:
    """Return the sets of inputs, with rows at the thresholds."""
    limits = [limit for limit in limits_of(raw) if abs(limit[1]) < 1e30]
    sets: Dict[str, Any] = {"rows": None, "rows_missing": None}
    if limits:
        sets["boundary"] = boundary(limits, data.rows)
    return sets


def answered(data: Data, model: Any) -> Any:
    """Return a Booster with what it says: values and raw scores."""
    sets = asked_with(data, model, model)
    answers: List[Tuple[str, str, Any]] = []
    for name, rows in sets.items():
        given = getattr(data, name) if rows is None else rows
        answers.append(("predict", name, model.predict(given)))
        answers.append(("predict_raw", name, model.predict(given, raw_score=True)))
    return Made(model, sets, answers=answers)


def trained(label: str, missing: bool = False, **changes: Any) -> Callable[[Data], Any]:
    """Return what trains a Booster."""

    def build(data: Data) -> Any:
        rows = data.train_missing if missing else data.train
        return answered(data, booster(rows, getattr(data, label), **changes))

    return build


def stopped(data: Data) -> Any:
    """Train a Booster that stops early."""
    settings = {**QUIET, "num_leaves": 6, "learning_rate": 0.9, "objective": "binary"}
    train = lgb.Dataset(data.train[:180], data.binary[:180])
    held = lgb.Dataset(data.train[180:], data.binary[180:], reference=train)
    if THIS >= (3, 3):
        extra: Dict[str, Any] = {"callbacks": [lgb.early_stopping(2, verbose=False)]}
    else:
        extra = {"early_stopping_rounds": 2, "verbose_eval": False}
    model = lgb.train(settings, train, num_boost_round=40, valid_sets=[held], **extra)
    return answered(data, model)


def wrapped(kind: str, label: str, **settings: Any) -> Callable[[Data], Any]:
    """Return what fits a wrapper, and asks with missing values and at thresholds, too."""
    framed = settings.pop("framed", False)

    def build(data: Data) -> Any:
        given = {
            "n_estimators": ROUNDS,
            "num_leaves": 6,
            "min_child_samples": 8,
            "max_bin": 31,
            "random_state": SEED,
            "n_jobs": 1,
            "verbose": -1,
            **settings,
        }
        model = getattr(lgb, kind)(**given)
        if framed:
            model.fit(data.numbers(data.train), getattr(data, label))
            return Made(model, {"rows": data.numbers(data.rows)})
        model.fit(data.train, getattr(data, label))
        return Made(model, asked_with(data, model, model.booster_))

    return build


def of_categories(data: Data) -> Any:
    """Train on a first column of categories."""
    codes = (np.arange(len(data.train)) * 7 % 11 % 5).astype(float)
    label = np.where(codes % 2 == 1, data.binary, 1 - data.binary)
    rows = np.column_stack([codes, data.train[:, 1:]])
    settings = {**QUIET, "objective": "binary", "num_leaves": 6, "min_data_per_group": 5}
    model = lgb.train(
        settings, lgb.Dataset(rows, label, categorical_feature=[0]), num_boost_round=4
    )
    kinds = np.resize([0.0, 1.0, 2.0, 3.0, 4.0, 9.0, np.nan, -1.0], len(data.rows))
    asked = np.column_stack([kinds, data.rows[:, 1:]])
    return Made(
        model,
        {"coded": asked},
        answers=[("predict", "coded", model.predict(asked))],
    )


def of_a_frame(data: Data) -> Any:
    """Fit on a frame with a column of pandas' categories."""
    frame = data.frame("frame")[["close", "iv", "regime"]]
    frame["regime"] = frame["regime"].astype("category")
    model = lgb.LGBMClassifier(
        n_estimators=4, num_leaves=4, min_child_samples=4, n_jobs=1, random_state=SEED, verbose=-1
    )
    model.fit(frame, data.binary[: len(frame)])
    rows = data.frame("frame_rows")[["close", "iv", "regime"]]
    rows["regime"] = rows["regime"].astype("category")
    return Made(model, {"frame_rows": rows})


def piped(data: Data) -> Any:
    """Fit a scaler and a wrapper."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = lgb.LGBMClassifier(
        n_estimators=4, num_leaves=4, n_jobs=1, random_state=SEED, verbose=-1
    )
    return make_pipeline(StandardScaler(), model).fit(data.train, data.binary)


def bundled(data: Data) -> Any:
    """Return a Booster beside names."""
    model = booster(data.train, data.binary, objective="binary")
    return Made(
        {"model": model, "features": data.names, "threshold": 0.4},
        {"rows": None},
        answers=[("model.predict", "rows", model.predict(data.rows))],
    )


TABLE = [
    Case(
        "booster_binary", trained("binary", objective="binary"), "inert", forms=("several", "txt")
    ),
    Case("booster_missing", trained("binary", missing=True, objective="binary"), "inert"),
    Case(
        "booster_zero_is_missing",
        trained("binary", missing=True, objective="binary", zero_as_missing=True),
        "inert",
    ),
    Case(
        "booster_nothing_is_missing",
        trained("binary", objective="binary", use_missing=False),
        "inert",
    ),
    Case("booster_sigmoid", trained("binary", objective="binary", sigmoid=2.0), "inert"),
    Case(
        "booster_three",
        trained("classes", objective="multiclass", num_class=3),
        "inert",
        forms=("txt",),
    ),
    Case("booster_three_each", trained("classes", objective="multiclassova", num_class=3), "inert"),
    Case("booster_regression", trained("target", objective="regression"), "inert"),
    Case(
        "booster_regression_root",
        trained("target", objective="regression", reg_sqrt=True),
        "inert",
        expected="either",
    ),
    Case("booster_absolute", trained("target", objective="regression_l1"), "inert"),
    Case("booster_huber", trained("target", objective="huber"), "inert"),
    Case("booster_quantile", trained("target", objective="quantile", alpha=0.7), "inert"),
    Case("booster_poisson", trained("spread", objective="poisson"), "inert"),
    Case("booster_gamma", trained("spread", objective="gamma"), "inert"),
    Case("booster_tweedie", trained("spread", objective="tweedie"), "inert"),
    Case("booster_cross_entropy", trained("binary", objective="cross_entropy"), "inert"),
    Case(
        "booster_forest",
        trained(
            "binary",
            objective="binary",
            boosting="rf",
            bagging_freq=1,
            bagging_fraction=0.6,
            feature_fraction=0.7,
        ),
        "inert",
    ),
    Case(
        "booster_dart",
        trained("binary", objective="binary", boosting="dart", drop_rate=0.5),
        "inert",
    ),
    Case("booster_goss", trained("binary", objective="binary", boosting="goss"), "inert"),
    Case(
        "booster_lines",
        trained("target", objective="regression", linear_tree=True),
        "inert",
        since=(3, 2),
        expected="either",
    ),
    Case("booster_stopped", stopped, "inert"),
    Case(
        "booster_one_leaf",
        trained("binary", objective="binary", min_data_in_leaf=500),
        "inert",
    ),
    Case("booster_categories", of_categories, "inert", expected="either"),
    Case("classifier", wrapped("LGBMClassifier", "binary"), "classifier"),
    Case("classifier_named_labels", wrapped("LGBMClassifier", "sides"), "classifier"),
    Case("classifier_three", wrapped("LGBMClassifier", "labels"), "classifier"),
    Case("classifier_framed", wrapped("LGBMClassifier", "labels", framed=True), "classifier"),
    Case("classifier_of_a_frame", of_a_frame, "classifier", expected="either"),
    Case("regressor", wrapped("LGBMRegressor", "target"), "regressor"),
    Case("regressor_dart", wrapped("LGBMRegressor", "target", boosting_type="dart"), "regressor"),
    Case("pipeline", piped, "classifier"),
    Case("bundle", bundled, "inert"),
]
