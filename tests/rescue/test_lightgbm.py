"""LightGBM's model text: what each line of it means, and that no line is overlooked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aegismatrix_factory.rescue.converting.errors import InconsistentModelError, UnknownPartError
from aegismatrix_factory.rescue.reading.errors import LegacyError
from aegismatrix_factory.rescue.reading.records import Record
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rescue.test_revival import answer, only, proven, refused

FIXTURES = Path(__file__).parents[1] / "fixtures" / "releases"
REAL = sorted(FIXTURES.glob("lightgbm-*/booster_*.txt"))
NONE, ZERO, NAN = 0, 4, 8
LEFT, SET = 2, 1
SMALL = float(np.float32(1e-35))


def tree(**changes: Any) -> dict[str, Any]:
    """One split of the second column, 1.5 to the left and 2.5 to the right."""
    return {
        "num_leaves": 2,
        "num_cat": 0,
        "split_feature": [1],
        "split_gain": [1],
        "threshold": [0.1],
        "decision_type": [NONE],
        "left_child": [-1],
        "right_child": [-2],
        "leaf_value": [1.5, 2.5],
        "leaf_weight": [1, 1],
        "leaf_count": [1, 1],
        "internal_value": [0],
        "internal_weight": [0],
        "internal_count": [2],
        "is_linear": 0,
        "shrinkage": 1,
        **changes,
    }


def text(*trees: dict[str, Any], head: str = "", behind: str = "", **changes: Any) -> str:
    """A model text of three columns."""
    said = {
        "version": "v4",
        "num_class": 1,
        "num_tree_per_iteration": 1,
        "label_index": 0,
        "max_feature_idx": 2,
        "objective": "regression",
        "feature_names": "a b c",
        "feature_infos": "[0:1] [0:1] [0:1]",
        "tree_sizes": "1",
        **changes,
    }
    pandas = said.pop("pandas", "null")
    columns = said.pop("columns", "")

    def line(key: str, value: Any) -> str:
        shown = " ".join(map(str, value)) if isinstance(value, list) else value
        return f"{key}={shown}\n"

    written = "tree\n" + "".join(line(*pair) for pair in said.items()) + head
    for place, one in enumerate(trees or (tree(),)):
        written += f"\nTree={place}\n" + "".join(line(*pair) for pair in one.items()) + "\n"
    return (
        f"{written}\nend of trees\n\nfeature_importances:\nb=1\n{behind}\nparameters:\n"
        f"[categorical_feature: {columns}]\n\nend of parameters\n\npandas_categorical:{pandas}\n"
    )


def booster(written: str, **state: Any) -> Record:
    return Record("lightgbm.basic", "Booster", state={"_handle": written, **state})


def said(written: str, values: list[Any], **state: Any) -> list[Any]:
    """What a booster says of rows with some values in their second column."""
    rows = np.zeros((len(values), 3))
    rows[:, 1] = values
    found: list[Any] = answer(only(booster(written, **state)), rows).tolist()
    return found


@pytest.mark.parametrize(
    ("decision", "values", "expected"),
    [
        (NONE, [0.1, np.nextafter(0.1, 1), np.nan, np.inf], [1.5, 2.5, 1.5, 2.5]),
        (NONE | LEFT, [np.nan, 0.0], [1.5, 1.5]),
        (NAN, [0.1, np.nan, 0.0], [1.5, 2.5, 1.5]),
        (NAN | LEFT, [0.2, np.nan], [2.5, 1.5]),
        (ZERO, [0.0, SMALL, -SMALL, np.nan, 1e-34, -1e-34], [2.5, 2.5, 2.5, 2.5, 1.5, 1.5]),
        (ZERO | LEFT, [0.0, np.nan, 0.2], [1.5, 1.5, 2.5]),
    ],
)
def test_what_is_missing_goes_where_the_node_says(
    decision: int, values: list[float], expected: list[float]
) -> None:
    assert said(text(tree(decision_type=[decision])), values) == expected


def test_a_number_too_small_to_be_kept_is_zero() -> None:
    below = text(tree(threshold=[-SMALL]))
    assert said(below, [-SMALL, np.nextafter(-SMALL, -1), 0.0]) == [2.5, 1.5, 2.5]


def test_an_infinite_threshold_parts_what_is_missing_from_the_rest() -> None:
    infinite = text(tree(threshold=["inf"], decision_type=[NAN]))
    assert said(infinite, [1e300, np.inf, -5.0, np.nan]) == [1.5, 1.5, 1.5, 2.5]


LINED: dict[str, Any] = {
    "is_linear": 1,
    "leaf_const": [10, 20],
    "num_features": [2, 1],
    "leaf_features": "0 1  2 ",
    "leaf_coeff": "2 3  4 ",
}


def test_a_leaf_may_say_factors_and_its_number_where_one_of_their_columns_is_missing() -> None:
    nan = np.nan
    rows = np.array(
        [
            [1.0, -1.0, 5.0],
            [nan, -1.0, 5.0],
            [1.0, nan, 5.0],
            [1.0, -1.0, nan],
            [1.0, 1.0, 0.5],
            [nan, 1.0, 0.5],
            [1.0, 1.0, nan],
            [SMALL, -SMALL, 0.0],
        ]
    )
    expected = [9.0, 1.5, 1.5, 9.0, 22.0, 22.0, 2.5, 10.0]
    revived = only(booster(text(tree(**LINED))))
    assert answer(revived, rows).tolist() == expected
    mixed = only(booster(text(tree(**LINED), tree())))
    plain = [1.5, 1.5, 1.5, 1.5, 2.5, 2.5, 2.5, 1.5]
    both = [one + two for one, two in zip(expected, plain, strict=True)]
    assert answer(mixed, rows).tolist() == both


def test_leaves_of_lines_are_averaged_and_parted_by_class_as_numbers_are() -> None:
    three: dict[str, Any] = {"num_class": 3, "num_tree_per_iteration": 3}
    three["objective"] = "multiclass num_class:3"
    grown = [tree(**LINED), tree(), tree(**{**LINED, "leaf_const": [0, 0]})]
    revived = only(booster(text(*grown, **three)))
    proven(revived)
    (shares,) = answer(revived, np.array([[0.1, -1.0, 0.0]]))
    raised = np.exp(np.array([7.2, 1.5, -2.8]))
    assert shares == pytest.approx(raised / raised.sum(), rel=1e-12)
    averaged = only(booster(text(tree(**LINED), tree(**LINED), head="average_output\n")))
    assert answer(averaged, np.zeros((1, 3))).tolist() == [10.0]


def test_lines_of_what_pandas_had_as_categories_and_too_many_are_refused() -> None:
    coded = text(tree(**LINED), pandas='[["a", "b"]]', columns="2")
    assert refused(booster(coded)) == "categorical-splits"
    lone = {"num_leaves": 1, "leaf_value": [1.5], "num_features": [0], "leaf_const": [2.5]}
    empty = dict.fromkeys(
        ("split_feature", "threshold", "decision_type", "left_child", "right_child"), ""
    )
    one = {**tree(**LINED), **empty, **lone, "leaf_features": "", "leaf_coeff": ""}
    assert refused(booster(text(one))) == "unsupported-booster"
    same = only(booster(text({**one, "leaf_const": [1.5]})))
    assert answer(same, np.zeros((1, 3))).tolist() == [1.5]


def test_a_category_goes_left_if_its_bit_is_set() -> None:
    bits = tree(
        decision_type=[SET],
        threshold=[0],
        num_cat=1,
        cat_boundaries=[0, 2],
        cat_threshold=[0b1010, 1],
    )
    values = [1.0, 3.7, 32.0, 0.0, 2.0, 31.0, 33.0, 1e300, -1.0, -0.5, np.nan]
    left = [1.5, 1.5, 1.5, 2.5, 2.5, 2.5, 2.5, 2.5, 2.5, 2.5, 2.5]
    assert said(text(bits), values) == left
    with_zero = {**bits, "cat_threshold": [1, 0]}
    assert said(text(with_zero), [-0.5, 0.9, np.nan, -1.0]) == [1.5, 1.5, 2.5, 2.5]


def test_categories_of_pandas_are_told_by_their_values() -> None:
    bits = tree(
        decision_type=[SET], threshold=[0], num_cat=1, cat_boundaries=[0, 1], cat_threshold=[0b10]
    )
    numbers = text(bits, columns="1", pandas="[[10, 20, 30]]")
    assert said(numbers, [20.0, 10.0, 1.0, np.nan]) == [1.5, 2.5, 2.5, 2.5]
    texts = only(booster(text(bits, columns="1", pandas='[["calm", "wild"]]')))
    proven(texts)
    undecided = text(bits, columns="1,2", pandas='[["calm"]]')
    assert refused(booster(undecided)) == "categorical-splits"


@pytest.mark.parametrize(
    ("objective", "expected"),
    [
        ("regression", 1.5),
        ("regression sqrt", 2.25),
        ("quantile", 1.5),
        ("poisson", np.exp(1.5)),
        ("cross_entropy", 1 / (1 + np.exp(-1.5))),
        ("cross_entropy_lambda", np.log1p(np.exp(1.5))),
        ("binary sigmoid:2", 1 / (1 + np.exp(-3.0))),
    ],
)
def test_an_objective_has_the_last_word(objective: str, expected: float) -> None:
    (given,) = said(text(objective=objective), [0.0])
    assert np.isclose(given[1] if isinstance(given, list) else given, expected, rtol=1e-15)


def test_rounds_are_averaged_before_the_objective_where_the_text_says_so() -> None:
    trees = (tree(), tree(leaf_value=[3.5, 0.0]))
    assert said(text(*trees), [0.0]) == [5.0]
    assert said(text(*trees, head="average_output\n"), [0.0]) == [2.5]
    raised = text(*trees, head="average_output\n", objective="gamma")
    assert np.isclose(said(raised, [0.0]), np.exp(2.5), rtol=1e-15)


def test_a_booster_answers_up_to_its_best_iteration() -> None:
    trees = (tree(), tree(leaf_value=[3.5, 0.0]), tree(leaf_value=[8.0, 0.0]))
    assert said(text(*trees), [0.0], best_iteration=2) == [5.0]
    assert said(text(*trees), [0.0], best_iteration=9) == [13.0]
    assert said(text(*trees), [0.0], best_iteration=-1) == [13.0]
    assert only(booster(text(*trees), best_iteration=2)).details["rounds_used"] == 2


def test_classes_share_the_trees_of_a_round() -> None:
    trees = [tree(leaf_value=[value, 0.0]) for value in (1.0, 2.0, 3.0, 0.5, 0.25, 0.125)]
    three: dict[str, Any] = {"num_class": 3, "num_tree_per_iteration": 3}
    (given,) = said(text(*trees, objective="multiclass num_class:3", **three), [0.0])
    raised = np.exp([1.5, 2.25, 3.125])
    assert np.allclose(given, raised / raised.sum(), rtol=1e-15)
    (each,) = said(text(*trees, objective="multiclassova num_class:3 sigmoid:1", **three), [0.0])
    assert np.allclose(each, 1 / (1 + 1 / raised), rtol=1e-15)
    assert refused(booster(text(*trees[:5], objective="multiclass num_class:3", **three))) == (
        "inconsistent-model"
    )


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"objective": ""}, "unsupported-objective"),
        ({"objective": "custom"}, "unsupported-objective"),
        ({"objective": "binary sigmoid:1 shift:2"}, "unsupported-objective"),
        ({"objective": "multiclass num_class:3"}, "unsupported-objective"),
        ({"objective": "multiclass num_class:1"}, "inconsistent-model"),
        ({"objective": "binary sigmoid:-1"}, "inconsistent-model"),
        ({"version": "v2"}, "unsupported-version"),
        ({"feature_names": "a b"}, "inconsistent-model"),
        ({"max_feature_idx": "x"}, "inconsistent-model"),
        ({"num_tree_per_iteration": 0}, "inconsistent-model"),
    ],
)
def test_a_text_that_is_not_understood_is_refused(changes: dict[str, Any], code: str) -> None:
    assert refused(booster(text(**changes))) == code


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"is_linear": 2}, "inconsistent-model"),
        ({"is_linear": 1, "leaf_const": [1, 2]}, "inconsistent-model"),
        ({**LINED, "leaf_const": [1]}, "inconsistent-model"),
        ({**LINED, "leaf_const": [1, "nan"]}, "non-finite"),
        ({**LINED, "num_features": [2, -1]}, "inconsistent-model"),
        ({**LINED, "num_features": [2, 2]}, "inconsistent-model"),
        ({**LINED, "leaf_features": "0 0  2"}, "inconsistent-model"),
        ({**LINED, "leaf_features": "0 3  2"}, "inconsistent-model"),
        ({**LINED, "leaf_coeff": "2 x  4"}, "inconsistent-model"),
        ({"leaf_coeff": [1]}, "unknown-part"),
        ({"leaf_value": [1.5, "nan"]}, "non-finite"),
        ({"threshold": ["nan"]}, "non-finite"),
        ({"threshold": ["-inf"]}, "non-finite"),
        ({"leaf_value": [1.5]}, "inconsistent-model"),
        ({"leaf_value": ["1_5", 2]}, "inconsistent-model"),
        ({"split_feature": [3]}, "inconsistent-model"),
        ({"left_child": [0]}, "inconsistent-model"),
        ({"left_child": [1]}, "inconsistent-model"),
        ({"right_child": [-1]}, "inconsistent-model"),
        ({"decision_type": [12]}, "unsupported-model"),
        ({"decision_type": [SET]}, "inconsistent-model"),
        ({"num_cat": 1, "cat_boundaries": [0, 2], "cat_threshold": [1]}, "inconsistent-model"),
        ({"num_cat": 1, "cat_boundaries": [0, 9**9], "cat_threshold": [1]}, "inconsistent-model"),
    ],
)
def test_a_tree_that_is_not_understood_is_refused(changes: dict[str, Any], code: str) -> None:
    assert refused(booster(text(tree(**changes)))) == code


def test_a_line_that_no_release_writes_is_refused_wherever_it_stands() -> None:
    assert REAL
    for file in REAL:
        whole = file.read_text(encoding="utf-8")
        only(booster(whole))
        begin, head, body = whole.partition("\nTree=0\n")
        trees, end, behind = body.partition("\nend of trees\n")
        for spoilt in (
            f"{begin}\nleaf_offset=0.5{head}{body}",
            f"{begin}{head}leaf_offset=0.5\n{trees}{end}{behind}",
            f"{begin}{head}{trees}{end}leaf_offset=1\n{behind}",
        ):
            with pytest.raises(UnknownPartError, match="leaf_offset"):
                only(booster(spoilt))


@pytest.mark.parametrize("infos", ["", "[0:1] [0:1]", "[0:1] [0:1] ", "[0:1]  [0:1]"])
def test_ranges_that_are_not_one_per_feature_are_refused(infos: str) -> None:
    with pytest.raises(InconsistentModelError, match="feature_infos"):
        only(booster(text(feature_infos=infos)))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_real_text_with_anything_anywhere_is_refused_or_proven(data: st.DataObject) -> None:
    whole = data.draw(st.sampled_from(REAL)).read_text(encoding="utf-8")
    begin, end, _ = whole.partition("\nparameters:")
    lines = begin.split("\n")
    place = data.draw(st.integers(0, len(lines) - 1))
    words = lines[place].split(" ")
    which = data.draw(st.integers(0, len(words) - 1))
    words[which] = data.draw(
        st.sampled_from(["", "-1", "0", "1", "3", "999999999", "1e308", "inf", "nan", "=", "x=1"])
    )
    lines[place] = " ".join(words)
    try:
        changed = only(booster("\n".join(lines) + end + "\npandas_categorical:null\n"))
    except LegacyError:
        return
    proven(changed)


def test_a_wrapper_that_would_stop_early_while_predicting_is_refused() -> None:
    state = {"_Booster": booster(text()), "n_estimators": 5, "verbosity": -1}
    plain = Record("lightgbm.sklearn", "LGBMRegressor", state=state)
    assert answer(only(plain), np.zeros((1, 3))).tolist() == [1.5]
    stopping = Record("lightgbm.sklearn", "LGBMRegressor", state={**state, "pred_early_stop": True})
    assert refused(stopping) == "unknown-part"


def test_a_wrapper_of_another_objective_than_its_own_is_refused() -> None:
    state = {"_Booster": booster(text()), "_classes": np.array([0, 1])}
    assert refused(Record("lightgbm.sklearn", "LGBMClassifier", state=state)) == (
        "unsupported-objective"
    )
    binary = {"_Booster": booster(text(objective="binary sigmoid:1"))}
    assert refused(Record("lightgbm.sklearn", "LGBMRegressor", state=binary)) == (
        "unsupported-objective"
    )
    three = {**binary, "_classes": np.array([0, 1, 2])}
    assert refused(Record("lightgbm.sklearn", "LGBMClassifier", state=three)) == (
        "inconsistent-model"
    )
    assert refused(Record("lightgbm.sklearn", "LGBMRegressor", state={})) == "not-fitted"


def test_the_real_texts_are_those_that_the_manifest_lists() -> None:
    made = json.loads((FIXTURES / "manifest.json").read_text(encoding="utf-8"))
    listed = {
        f"{folder}/{entry['file']}"
        for folder, one in made["folders"].items()
        for entry in one["files"]
    }
    assert {file.relative_to(FIXTURES).as_posix() for file in REAL} <= listed
