"""Histogram boosting over categories answers as ONNX what it answers in its library."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from aegismatrix_factory.rescue.converting.parts import revive
from aegismatrix_factory.rescue.reading.records import Record
from aegismatrix_factory.rescue.reading.ubjson import read_ubjson
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from tests.rescue.test_fitted_today import kept, rescued
from tests.rescue.test_releases import Rescued
from tests.rescue.test_revival import refused

RANDOM = np.random.default_rng(5)
ROWS = 300
WORDS = np.array(["calm", "crash", "wild", None, "flat", "storm"], dtype=object)
CODES = RANDOM.integers(0, 6, size=ROWS)
NUMBERS = RANDOM.normal(size=(ROWS, 2))
LEVELS = RANDOM.integers(0, 9, size=ROWS).astype(float)
TARGET = np.sin(CODES * 2.0) * 3.0 + np.cos(LEVELS * 5.0) + NUMBERS[:, 0]
GROWN: dict[str, Any] = {"max_iter": 4, "max_depth": 4, "min_samples_leaf": 4, "random_state": 0}


def table() -> Any:
    """Numbers, words, numbers, levels: categories are the second and the last."""
    rows = np.empty((ROWS, 4), dtype=object)
    rows[:, 0], rows[:, 1], rows[:, 2] = NUMBERS[:, 0], WORDS[CODES], NUMBERS[:, 1]
    rows[:, 3] = np.where(np.arange(ROWS) % 17 == 3, np.nan, LEVELS)
    return rows


@pytest.mark.parametrize("kind", [HistGradientBoostingRegressor, HistGradientBoostingClassifier])
def test_categories_of_text_and_of_numbers_go_to_their_sides(kind: Any) -> None:
    rows = table()
    y = TARGET if kind is HistGradientBoostingRegressor else np.digitize(TARGET, [-1.0, 2.0])
    model = kind(categorical_features=[1, 3], **GROWN).fit(rows, y)
    nodes = np.concatenate([one.nodes for turn in model._predictors for one in turn])
    assert nodes["is_categorical"].any()
    asked = rows[:60].copy()
    asked[::5, 1], asked[1::5, 3] = "never seen", 2.5
    asked[2::5, 3], asked[3::5, 1] = -4.0, None
    single = rescued(model)
    answer: Any = "value" if kind is HistGradientBoostingRegressor else "probability"
    expected = model.predict(asked) if answer == "value" else model.predict_proba(asked)
    places = single.asked(asked)
    for said in (single.by_graph(answer, places), single.by_oracle(answer, places)):
        assert said is not None
        np.testing.assert_allclose(said.reshape(expected.shape), expected, rtol=1e-12, atol=1e-12)


def old(version: str) -> Rescued:
    """A model of whole numbers as releases before 1.4 kept it, with no encoder before it."""
    rows = np.column_stack([LEVELS * 3.0, NUMBERS])
    model = HistGradientBoostingRegressor(categorical_features=[0], **GROWN).fit(rows, TARGET)
    record = kept(model)
    record.state["_sklearn_version"] = version
    del record.state["_preprocessor"]
    mapper = record.state["_bin_mapper"].state
    codes = mapper["bin_thresholds_"][0].astype(np.int64)
    mapper["bin_thresholds_"][0] = codes * 3.0
    for turn in record.state["_predictors"]:
        for one in turn:
            bits = one.state["raw_left_cat_bitsets"]
            moved = np.zeros_like(bits)
            for row, given in enumerate(bits.tolist()):
                for code in codes.tolist():
                    if given[code // 32] >> (code % 32) & 1:
                        moved[row, code * 3 // 32] |= np.uint32(1 << (code * 3 % 32))
            one.state["raw_left_cat_bitsets"] = moved
    contents = revive(record, read_ubjson)
    return Rescued(contents.models[0], contents)


def test_before_1_4_a_number_is_cut_to_a_category_and_below_0_means_missing_since_1_2() -> None:
    asked = [np.nan, 0.0, 3.0, 3.9, 255.0, -0.5, -1.0, 256.0]
    rows = np.column_stack([asked, np.full((len(asked), 2), 0.25)])
    said = {}
    for version in ("1.1.3", "1.2.0"):
        single = old(version)
        graph, by_oracle = single.by_graph("value", rows), single.by_oracle("value", rows)
        assert graph is not None
        np.testing.assert_allclose(graph, by_oracle[:, 0], rtol=1e-12)
        said[version] = graph
        missing, zero, three, cut, unknown, negative, below, beyond = graph.tolist()
        assert three == cut
        assert zero != missing
        assert unknown == missing
        assert np.isnan(beyond)
        # What eight bits hold of a number below -1 is undefined before 1.2.
        if version == "1.1.3":
            assert negative == zero
            assert np.isnan(below)
        else:
            assert negative == below == missing


def spoilt(path: tuple[Any, ...], value: Any) -> Record:
    rows = table()
    model = HistGradientBoostingRegressor(categorical_features=[1, 3], **GROWN).fit(rows, TARGET)
    record: Record = kept(model)
    inside: Any = record
    for key in path[:-1]:
        inside = inside.state[key] if isinstance(inside, Record) else inside[key]
    state: Any = inside.state if isinstance(inside, Record) else inside
    state[path[-1]] = value(state[path[-1]])
    return record


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        (("is_categorical_",), lambda mask: ~mask, "inconsistent-model"),
        (("is_categorical_",), lambda mask: None, "inconsistent-model"),
        (("_bin_mapper", "bin_thresholds_"), lambda given: given[:-1], "inconsistent-model"),
        (("_bin_mapper", "bin_thresholds_", 0), lambda given: given[1:], "inconsistent-model"),
        (("_preprocessor", "transformers_"), lambda given: given[1:], "unsupported-model"),
        (
            ("_preprocessor", "transformer_weights"),
            lambda given: {"encoder": 2.0},
            "unsupported-model",
        ),
        (
            ("_preprocessor", "transformers_", 0, 1, "unknown_value"),
            lambda given: -1.0,
            "unsupported-model",
        ),
        (
            ("_preprocessor", "transformers_", 1, 1, "func"),
            lambda given: None,
            "unsupported-model",
        ),
        (
            ("_predictors", 0, 0, "raw_left_cat_bitsets"),
            lambda given: given | np.uint32(1 << 31),
            "inconsistent-model",
        ),
        (
            ("_predictors", 0, 0, "raw_left_cat_bitsets"),
            lambda given: given[:, :7],
            "inconsistent-model",
        ),
    ],
)
def test_categories_that_contradict_the_trees_are_refused(path: Any, value: Any, code: str) -> None:
    assert refused(spoilt(path, value)) == code
