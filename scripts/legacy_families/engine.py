"""The objects of a pickled engine: models, bundles, and what no reader may convert."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

import numpy as np

from scripts.legacy_families.cases import installed

SEED = 7
TREES = 4
DEPTH = 4
ROUNDS = 40
PATIENCE = 4
BASE_SCORE = 0.3
EPOCHS = 30

Arrays = Mapping[str, Any]


@dataclass(frozen=True)
class Legacy:
    """One object of an old engine, and what its maker says it answers.

    Attributes
    ----------
    name : str
        Begins the file's name.
    content : object
        What is dumped.
    outputs : mapping of str to (str, ndarray)
        By the name of the call: which inputs it was given, and what it returned.
    forms : sequence of str
        How to dump it: of `EVERY_FORM` and `NATIVE`, or ``torch``.
    refused : str or None
        Why no reader may convert it.
    keep : float
        The share of the file's bytes that is kept.
    """

    name: str
    content: object
    outputs: Mapping[str, tuple[str, Any]] = field(default_factory=dict)
    forms: Sequence[str] = ("p4",)
    refused: str | None = None
    keep: float = 1.0


class TrapEngine:
    """An engine's own class around a model: no other process knows it."""

    def __init__(self, model: object) -> None:
        self.model = model


def version(package: str) -> tuple[int, ...]:
    """Return major and minor version of an installed package."""
    return tuple(int(part) for part in metadata.version(package).split(".")[:2])


def scikit_learn(data: Arrays, forms: Sequence[str]) -> list[Legacy]:
    """Return the scikit-learn objects; the forest is dumped in each of `forms`."""
    from sklearn.ensemble import (
        ExtraTreesClassifier,
        ExtraTreesRegressor,
        RandomForestClassifier,
        RandomForestRegressor,
    )
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    train, rows = data["train"], data["rows"]
    binary, classes, target = data["binary"], data["classes"], data["target"]
    shape: dict[str, Any] = {"n_estimators": TREES, "max_depth": DEPTH, "random_state": SEED}

    def probability(model: Any) -> dict[str, tuple[str, Any]]:
        return {"predict_proba": ("rows", model.predict_proba(rows))}

    def value(model: Any) -> dict[str, tuple[str, Any]]:
        return {"predict": ("rows", model.predict(rows))}

    scaler = StandardScaler().fit(train)
    scaled = scaler.transform(train)
    logistic = LogisticRegression().fit(scaled, binary)
    many = LogisticRegression(max_iter=1000).fit(train, classes)
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(C=0.5)).fit(train, classes)
    forest = RandomForestClassifier(**shape).fit(train, binary)
    balanced = RandomForestClassifier(class_weight="balanced", **shape).fit(train, classes)
    regressor = RandomForestRegressor(**shape).fit(train, target)
    extra = ExtraTreesClassifier(**shape).fit(train, classes)
    extra_regressor = ExtraTreesRegressor(**shape).fit(train, target)
    # The mean is there and not used; the labels are texts; the weights are float32.
    unshifted = StandardScaler(with_mean=False).fit(train)
    unscaled = StandardScaler(with_std=False).fit(train)
    labels = np.array(["down", "neutral", "up"])[classes]
    named_classes = LogisticRegression(max_iter=1000).fit(train, labels)
    single = LogisticRegression().fit(train.astype(np.float32), binary)
    bundle = {"model": logistic, "scaler": scaler, "features": [str(n) for n in data["names"]]}
    answers = {"predict_proba": ("rows", logistic.predict_proba(scaler.transform(rows)))}
    made = [
        Legacy("scaler", scaler, {"transform": ("rows", scaler.transform(rows))}, ("p2", "inline")),
        Legacy(
            "scaler_without_mean", unshifted, {"transform": ("rows", unshifted.transform(rows))}
        ),
        Legacy("scaler_without_scale", unscaled, {"transform": ("rows", unscaled.transform(rows))}),
        Legacy("logistic_binary", logistic, probability(logistic), ("p4",)),
        Legacy("logistic_multinomial", many, probability(many), ("p5", "inline")),
        Legacy("logistic_named_classes", named_classes, probability(named_classes), ("p2",)),
        Legacy("logistic_float32", single, probability(single), ("p4",)),
        Legacy("pipeline", pipeline, probability(pipeline), ("inline",)),
        Legacy("bundle", bundle, answers, ("p4", "zlib")),
        Legacy("forest_classifier", forest, probability(forest), forms),
        Legacy("forest_balanced", balanced, probability(balanced), ("inline",)),
        Legacy("forest_regressor", regressor, value(regressor), ("p4",)),
        Legacy("extra_classifier", extra, probability(extra), ("p2",)),
        Legacy("extra_regressor", extra_regressor, value(extra_regressor), ("gzip",)),
    ]
    if version("scikit-learn") < (1, 8):
        # Both are no soft-max of one linear layer: each class by itself, and twice the logit.
        each = LogisticRegression(multi_class="ovr").fit(train, classes)
        doubled = LogisticRegression(multi_class="multinomial").fit(train, binary)
        made += [
            Legacy("logistic_each_class", each, probability(each), ("p4",)),
            Legacy("logistic_binary_softmax", doubled, probability(doubled), ("p4",)),
        ]
    spoilt = LogisticRegression().fit(scaled, binary)
    spoilt.coef_[0, 1] = np.nan
    seeded = RandomForestClassifier(
        n_estimators=1, max_depth=2, random_state=np.random.RandomState(SEED)
    )
    seeded.fit(train, binary)
    mixed = np.array([1.0, "two", None], dtype=object)
    named = {"model": logistic, "scaler": scaler, "notes": mixed}
    made += [
        Legacy("nan_weights", spoilt, forms=("p4", "inline"), refused="nan weights"),
        Legacy("object_array", named, answers, ("p4", "inline")),
        Legacy("random_state", seeded, probability(seeded)),
        Legacy("foreign_class", TrapEngine(logistic), refused="unknown class"),
        Legacy("vector_machine", SVC().fit(train[:20], binary[:20]), refused="unknown class"),
        Legacy("truncated", forest, forms=("p4", "zlib"), refused="truncated", keep=0.7),
    ]
    if installed("pandas"):
        import pandas as pd

        framed = LogisticRegression().fit(
            pd.DataFrame(scaled, columns=[str(name) for name in data["names"]]), binary
        )
        named_rows = pd.DataFrame(scaler.transform(rows), columns=framed.feature_names_in_)
        scaled_rows = {"predict_proba": ("rows", framed.predict_proba(named_rows))}
        bundle = {"model": framed, "scaler": scaler, "columns": named_rows.columns}
        made.append(Legacy("fitted_on_a_frame", bundle, scaled_rows, ("p4", "inline")))
    return made


def xgboost(data: Arrays, forms: Sequence[str]) -> list[Legacy]:
    """Return the XGBoost objects; the logistic booster is dumped in each of `forms`."""
    import xgboost as xgb

    train, rows, missing = data["train"], data["rows"], data["rows_missing"]
    fitted, held = slice(0, -60), slice(-60, None)

    def booster(label: Any, **changes: Any) -> Any:
        parameters = {"max_depth": 3, "eta": 0.3, "seed": SEED, "nthread": 1, **changes}
        return xgb.train(
            parameters,
            xgb.DMatrix(train[fitted], label[fitted]),
            num_boost_round=ROUNDS,
            evals=[(xgb.DMatrix(train[held], label[held]), "held")],
            early_stopping_rounds=PATIENCE,
            verbose_eval=False,
        )

    def answers(model: Any) -> dict[str, tuple[str, Any]]:
        # A Booster answers with all its rounds, also with those after the best one.
        best = (0, model.best_iteration + 1)
        matrix = xgb.DMatrix(rows)
        return {
            "predict": ("rows", model.predict(matrix)),
            "predict_margin": ("rows", model.predict(matrix, output_margin=True)),
            "predict_to_best": ("rows", model.predict(matrix, iteration_range=best)),
            "predict_missing": ("rows_missing", model.predict(xgb.DMatrix(missing))),
        }

    def wrapped(
        name: str, kind: Any, label: Any, call: str, form: str = "p4", **changes: Any
    ) -> Legacy:
        # The wrapper, unlike the Booster, stops at the best round by itself.
        model = kind(
            n_estimators=ROUNDS,
            max_depth=3,
            random_state=SEED,
            n_jobs=1,
            early_stopping_rounds=PATIENCE,
            **changes,
        )
        model.fit(
            train[fitted], label[fitted], eval_set=[(train[held], label[held])], verbose=False
        )
        outputs = {
            call: ("rows", getattr(model, call)(rows)),
            f"{call}_missing": ("rows_missing", getattr(model, call)(missing)),
        }
        return Legacy(name, model, outputs, (form,))

    binary, classes, target = data["binary"], data["classes"], data["target"]
    logistic = booster(binary, objective="binary:logistic", base_score=BASE_SCORE)
    softprob = booster(classes, objective="multi:softprob", num_class=3)
    squared = booster(target, objective="reg:squarederror", base_score=BASE_SCORE)
    estimated = booster(binary, objective="binary:logistic")
    parallel = booster(classes, objective="multi:softprob", num_class=3, num_parallel_tree=2)
    unstopped = xgb.train(
        {"max_depth": 3, "objective": "binary:logistic", "seed": SEED, "nthread": 1},
        xgb.DMatrix(train, binary, feature_names=[str(name) for name in data["names"]]),
        num_boost_round=TREES,
    )
    named = xgb.DMatrix(rows, feature_names=[str(name) for name in data["names"]])
    classifier = wrapped("classifier", xgb.XGBClassifier, binary, "predict_proba", "inline")
    bundle = {"model": classifier.content, "features": [str(name) for name in data["names"]]}
    dart = booster(binary, objective="binary:logistic", booster="dart", rate_drop=0.3)
    linear = booster(binary, objective="binary:logistic", booster="gblinear", max_depth=None)
    kinds = ["c", *["float"] * (train.shape[1] - 1)]
    coded = np.column_stack([classes, train[:, 1:]])
    categorical = xgb.train(
        {"max_depth": 3, "objective": "binary:logistic", "seed": SEED, "max_cat_to_onehot": 1},
        xgb.DMatrix(coded, binary, feature_types=kinds, enable_categorical=True),
        num_boost_round=TREES,
    )
    return [
        Legacy("booster_logistic", logistic, answers(logistic), forms),
        Legacy("booster_softprob", softprob, answers(softprob), ("p4",)),
        Legacy("booster_squared", squared, answers(squared), ("p5",)),
        Legacy("booster_estimated_base", estimated, answers(estimated), ("p4",)),
        Legacy("booster_parallel_trees", parallel, answers(parallel), ("p4",)),
        Legacy(
            "booster_all_rounds", unstopped, {"predict_named": ("rows", unstopped.predict(named))}
        ),
        classifier,
        wrapped("classifier_softprob", xgb.XGBClassifier, classes, "predict_proba"),
        wrapped("regressor", xgb.XGBRegressor, target, "predict", base_score=BASE_SCORE),
        Legacy("bundle", bundle, classifier.outputs, ("zlib",)),
        Legacy("dart", dart, answers(dart)),
        Legacy("linear", linear, refused="linear booster"),
        Legacy("categorical", categorical, refused="categorical features"),
    ]


def torch(data: Arrays, forms: Sequence[str]) -> list[Legacy]:
    """Return checkpoints of this project's network, whose sizes differ."""
    import torch as library
    from torch import nn

    library.set_num_threads(1)

    class Network(nn.Module):
        def __init__(self, features: int, hidden: int, horizons: int) -> None:
            super().__init__()
            self.lstm = nn.LSTM(features, hidden, batch_first=True, bidirectional=True)
            self.alignment = nn.Linear(2 * hidden, hidden)
            self.attention = nn.Linear(hidden, 1, bias=False)
            self.heads = nn.Linear(2 * hidden, 3 * horizons)

        def forward(self, windows: Any) -> tuple[Any, Any, Any]:
            states, _ = self.lstm(windows)
            scores = self.attention(library.tanh(self.alignment(states)))
            attention = library.softmax(scores, dim=1)
            context = (attention * states).sum(dim=1)
            return attention[:, :, 0], context, self.heads(context)

    def trained(hidden: int, horizons: int) -> Any:
        library.manual_seed(SEED)
        windows = library.from_numpy(data["train_windows"])
        label = library.from_numpy(data["train_window_classes"][:, :horizons])
        network = Network(windows.shape[2], hidden, horizons)
        optimiser = library.optim.Adam(network.parameters(), lr=0.01)
        for _ in range(EPOCHS):
            optimiser.zero_grad()
            logits = network(windows)[2].reshape(-1, 3)
            nn.functional.cross_entropy(logits, label.flatten()).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        return network.eval()

    def answers(network: Any) -> dict[str, tuple[str, Any]]:
        with library.inference_mode():
            attention, context, logits = network(library.from_numpy(data["windows"]))
        shaped = logits.reshape(len(logits), -1, 3)
        probability = library.softmax(shaped.to(library.float64), dim=2)
        return {
            "attention": ("windows", attention.numpy()),
            "context": ("windows", context.numpy()),
            "logits": ("windows", shaped.numpy()),
            "probability": ("windows", probability.numpy()),
        }

    small, large = trained(8, 6), trained(32, 2)
    config = {
        "hidden": 32,
        "horizons": [1, 5],
        "rows": int(data["windows"].shape[1]),
        "features": [str(name) for name in data["names"]],
    }
    spoilt = {name: value.clone() for name, value in small.state_dict().items()}
    spoilt["heads.bias"][0] = float("nan")
    # Tensors that lie across the storage of others: by column, and from the middle on.
    views = dict(small.state_dict())
    views["heads.weight"] = views["heads.weight"].t().contiguous().t()
    together = library.cat([views["alignment.bias"], views["heads.bias"]])
    views["alignment.bias"] = together[: len(views["alignment.bias"])]
    views["heads.bias"] = together[len(views["alignment.bias"]) :]
    checkpoint = {"state_dict": large.state_dict(), "config": config}
    return [
        Legacy("network_8", small.state_dict(), answers(small), forms),
        Legacy("network_8_views", views, answers(small), forms),
        Legacy("network_32", large.state_dict(), answers(large), forms),
        Legacy("checkpoint_32", checkpoint, answers(large), forms),
        Legacy("nan_weights", spoilt, forms=forms, refused="nan weights"),
        Legacy("whole_module", small.lstm, forms=forms, refused="unknown class"),
        Legacy("truncated", small.state_dict(), forms=forms, refused="truncated", keep=0.7),
    ]


def numpy(data: Arrays, forms: Sequence[str]) -> list[Legacy]:
    """Return what every pickled engine holds somewhere: arrays, scalars, generators."""
    rows = data["rows"]
    half = np.float64(0.5)
    return [
        Legacy("array", rows, {"array": ("rows", rows)}, forms),
        Legacy("scalar", {"threshold": half}, {"scalar": ("rows", [half])}, forms),
        Legacy(
            "random_state",
            np.random.RandomState(SEED),
            {"draws": ("rows", np.random.RandomState(SEED).uniform(size=5))},
            forms,
        ),
        Legacy(
            "generator",
            np.random.default_rng(SEED),
            {"draws": ("rows", np.random.default_rng(SEED).uniform(size=5))},
            forms,
        ),
    ]


MAKERS = {"numpy": numpy, "scikit-learn": scikit_learn, "torch": torch, "xgboost": xgboost}
