"""CatBoost: its wrappers, with and without columns of text."""

from typing import Any, Callable, Dict

from catboost import CatBoostClassifier, CatBoostRegressor

from scripts.legacy_families.cases import Case, Data, Made

SEED = 7
SMALL: Dict[str, Any] = {
    "iterations": 5,
    "depth": 3,
    "random_seed": SEED,
    "verbose": False,
    "thread_count": 1,
    "allow_writing_files": False,
    "border_count": 16,
}


def fitted(kind: Any, label: str, missing: bool = False, **settings: Any) -> Callable[[Data], Any]:
    """Return what fits on numbers."""

    def build(data: Data) -> Any:
        rows = data.train_missing if missing else data.train
        model = kind(**{**SMALL, **settings}).fit(rows, getattr(data, label))
        sets = {"rows": None, "rows_missing": None} if missing else {"rows": None}
        raw = model.predict(data.rows, prediction_type="RawFormulaVal")
        return Made(model, sets, answers=[("predict_raw", "rows", raw)])

    return build


def of_a_frame(data: Data) -> Any:
    """Fit on a frame with columns of text."""
    frame = data.frame("frame")[["close", "iv", "regime", "weekday"]]
    model = CatBoostClassifier(cat_features=["regime", "weekday"], **SMALL)
    model.fit(frame, data.binary[: len(frame)])
    return Made(model, {"frame_rows": data.frame("frame_rows")[list(frame)]})


TABLE = [
    Case(
        "classifier",
        fitted(CatBoostClassifier, "binary"),
        "classifier",
        expected="either",
        forms=("several", "json", "cbm"),
    ),
    Case("classifier_named", fitted(CatBoostClassifier, "sides"), "classifier", expected="either"),
    Case("classifier_three", fitted(CatBoostClassifier, "labels"), "classifier", expected="either"),
    Case(
        "classifier_missing",
        fitted(CatBoostClassifier, "binary", missing=True),
        "classifier",
        expected="either",
    ),
    Case(
        "regressor",
        fitted(CatBoostRegressor, "target"),
        "regressor",
        expected="either",
        forms=("p5", "json"),
    ),
    Case(
        "regressor_lossguide",
        fitted(CatBoostRegressor, "target", grow_policy="Lossguide", max_leaves=6),
        "regressor",
        expected="either",
    ),
    Case("classifier_of_a_frame", of_a_frame, "classifier", expected="either"),
]
