"""Boosters of xgboost 0.90 to 1.5: the binary form until 1.2, and what later ones leave out."""

from __future__ import annotations

import dataclasses
import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from aegismatrix_factory.rescue.reading.containers import read_legacy
from aegismatrix_factory.rescue.reading.errors import LegacyError
from aegismatrix_factory.rescue.reading.limits import Limits
from aegismatrix_factory.rescue.reading.records import Record
from aegismatrix_factory.rescue.reading.ubjson import read_ubjson
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rescue.test_revival import (
    answer,
    booster,
    finished,
    only,
    proven,
    refused,
    sigmoid,
    wrapper,
)

FIXTURES = Path(__file__).parents[1] / "fixtures" / "releases"
RELEASES = ("0.90", "1.0.2", "1.2.1")


def real(release: str, holds: str = "booster_logistic") -> Record:
    file = next(FIXTURES.glob(f"xgboost-{release}-*/{holds}.*oblib"))
    record = read_legacy(file).value
    assert isinstance(record, Record)
    return record


def handle(record: Record) -> bytes:
    return bytes(record.state["handle"])


def with_handle(record: Record, data: bytes) -> Record:
    return dataclasses.replace(record, state={**record.state, "handle": bytearray(data)})


@pytest.mark.parametrize("release", RELEASES)
def test_the_binary_form_is_read_as_the_document_of_a_later_release(release: str) -> None:
    document = read_ubjson(handle(real(release)))
    learner = document["Model"]["learner"]
    assert learner["objective"] == {"name": "binary:logistic"}
    assert learner["learner_model_param"]["num_feature"] == "6"
    grown = learner["gradient_booster"]["model"]["trees"]
    assert len(grown) == 5
    assert all(len(tree["left_children"]) == int(tree["tree_param"]["num_nodes"]) for tree in grown)
    assert document["Model"]["version"][:2] == [int(part) for part in release.split(".")[:2]]


@pytest.mark.parametrize("release", RELEASES)
def test_a_binary_booster_that_is_cut_off_or_goes_on_is_refused(release: str) -> None:
    record = real(release)
    data = handle(record)
    for size in range(0, len(data), 37):
        refused(with_handle(record, data[:size]))
    assert refused(with_handle(real("0.90"), handle(real("0.90")) + b"\0")) == "trailing-bytes"


def test_a_binary_booster_asks_for_no_more_than_the_limits() -> None:
    with pytest.raises(LegacyError) as error:
        read_ubjson(handle(real("0.90")), Limits(array_bytes=64))
    assert error.value.code == "limit-memory"


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_binary_booster_with_anything_anywhere_is_refused_or_proven(data: st.DataObject) -> None:
    record = real(data.draw(st.sampled_from(RELEASES)))
    written = bytearray(handle(record))
    place = data.draw(st.integers(0, len(written) - 1))
    written[place] = data.draw(st.integers(0, 255))
    try:
        changed = only(with_handle(record, bytes(written)))
    except LegacyError:
        return
    proven(changed)


@pytest.mark.parametrize(
    ("version", "objective", "expected"),
    [
        ([0, 90, 0], "binary:logitraw", 0.3 + 0.4),
        ([1, 2, 0], "binary:logitraw", math.log(0.3 / 0.7) + 0.4),
        ([1, 3, 0], "binary:logitraw", 0.3 + 0.4),
        ([0, 90, 0], "reg:logistic", sigmoid(0.3 + 0.4)),
        ([1, 0, 0], "reg:logistic", sigmoid(math.log(0.3 / 0.7) + 0.4)),
        ([0, 90, 0], "count:poisson", math.exp(0.3 + 0.4)),
        ([1, 0, 0], "count:poisson", 0.3 * math.exp(0.4)),
        ([3, 3, 0], "reg:gamma", 0.3 * math.exp(0.4)),
        ([2, 0, 0], "rank:pairwise", 0.3 + 0.4),
    ],
)
def test_what_base_score_means_depends_on_release_and_objective(
    version: list[int], objective: str, expected: float
) -> None:
    changes: dict[str, Any] = {"version": version, "objective": objective, "base_score": "3E-1"}
    (said,) = answer(only(booster(**changes)), np.zeros((1, 2)))
    assert said == pytest.approx(expected, rel=3e-7)


def test_a_hinge_says_which_side_a_row_is_on() -> None:
    given = np.array([[0.4, 0.0], [0.6, 0.0]])
    hinge = only(booster(objective="binary:hinge", base_score="0E0"))
    assert answer(hinge, given).tolist() == [1, 0]


def test_a_wrapper_of_hard_classes_says_a_label_alone() -> None:
    from tests.rescue.test_revival import stump

    changes: dict[str, Any] = {"objective": "multi:softmax", "num_class": "3", "rounds": [0, 3]}
    trees = [stump(split_conditions=[0.5, leaf, 0.0]) for leaf in (0.1, 0.3, 0.2)]
    changes |= {"trees": trees, "tree_info": [0, 1, 2]}
    single = only(wrapper(**changes))
    assert answer(single, np.zeros((1, 2))).tolist() == [1]
    assert single.part.model.classes == ("0", "1", "2")


def test_a_wrapper_keeps_the_labels_that_it_was_fitted_on() -> None:
    record = wrapper()
    labels = {**record.state, "classes_": np.array(["calm", "wild"])}
    named = only(dataclasses.replace(record, state=labels))
    assert named.part.model.classes == ("calm", "wild")
    three = {**record.state, "classes_": np.array(["calm", "wild", "crash"])}
    assert refused(dataclasses.replace(record, state=three)) == "inconsistent-model"


def test_rounds_of_parallel_trees_are_counted_by_what_was_noted_of_the_best() -> None:
    from tests.rescue.test_revival import stump

    trees = [stump(split_conditions=[0.5, leaf, 0.0]) for leaf in (0.1, 0.2, 0.4, 0.8)]
    changes: dict[str, Any] = {
        "version": [1, 4, 0],
        "trees": trees,
        "tree_info": [0] * 4,
        "rounds": [],
        "model": {"gbtree_model_param": {"num_trees": "4"}},
        "attributes": {"best_iteration": "0", "best_ntree_limit": "2"},
    }
    (said,) = answer(only(wrapper(**changes)), np.zeros((1, 2)))
    assert said[1] == pytest.approx(sigmoid(0.3), rel=1e-6)
    silent = {**changes, "attributes": {"best_iteration": "0"}}
    assert refused(wrapper(**silent)) == "unsupported-model"
    uneven = {**changes, "attributes": {"best_iteration": "1", "best_ntree_limit": "3"}}
    assert refused(wrapper(**uneven)) == "inconsistent-model"


def test_a_bare_booster_goes_on_to_its_last_tree_whatever_is_in_a_round() -> None:
    from tests.rescue.test_revival import stump

    trees = [stump(split_conditions=[0.5, leaf, 0.0]) for leaf in (0.1, 0.2, 0.4)]
    silent = booster(
        version=[1, 3, 0],
        trees=trees,
        tree_info=[0] * 3,
        rounds=[],
        model={"gbtree_model_param": {"num_trees": "3"}},
        attributes={"best_iteration": "0"},
    )
    (said,) = answer(only(silent), np.zeros((1, 2)))
    assert said[1] == pytest.approx(sigmoid(0.7), rel=1e-6)


def test_a_binary_booster_may_answer_several_questions() -> None:
    record = real("1.2.1", "booster_softprob_base")
    data = handle(record)
    head = data.index(b"binf") + 4
    number = struct.Struct("<i")
    changes = ((head + 8, 0), (head + 28, 3))
    several = bytearray(data)
    for place, value in changes:
        number.pack_into(several, place, value)
    names = [(len(name).to_bytes(8, "little") + name) for name in (b"multi:softprob", b"reg:gamma")]
    size = int.from_bytes(data[head - 12 : head - 4], "little") + len(names[1]) - len(names[0])
    several[head - 12 : head - 4] = size.to_bytes(8, "little")
    told = bytes(several).replace(names[0], names[1], 1)
    rows = np.random.default_rng(4).normal(size=(20, only(record).part.model.n_features or 0))
    three, each = answer(only(record), rows), answer(only(with_handle(record, told)), rows)
    # Of one base score, whose logarithm all three questions begin with and shares leave out.
    assert each.shape == (20, 3)
    np.testing.assert_allclose(each / each.sum(axis=1, keepdims=True), three, rtol=1e-6)


def test_what_is_beyond_float32_is_infinite_as_the_library_says_it() -> None:
    from tests.rescue.test_revival import stump

    steep = [stump(split_conditions=[0.5, 88.0, 89.5])]
    given = np.array([[0.4, 0.0], [0.6, 0.0]])
    model = only(booster(objective="count:poisson", base_score="1E0", trees=steep))
    _, spec, data = finished(model)
    session = onnxruntime.InferenceSession(data)
    (said,) = session.run(None, {spec.inputs[0].name: given})
    assert said[0] == pytest.approx(math.exp(88.0), rel=1e-6)
    assert said[1] == math.inf


def test_a_line_beyond_float32_is_infinite_and_not_missing() -> None:
    line = {"weights": [3.0, 0.5, 0.25], "boosted_rounds": 1}
    changes: dict[str, Any] = {"booster": "gblinear", "whole": line, "base_score": "0E0"}
    model = only(booster(objective="reg:squarederror", **changes))
    _, spec, data = finished(model)
    session = onnxruntime.InferenceSession(data)
    (said,) = session.run(None, {spec.inputs[0].name: np.array([[3e38, 1.0], [-3e38, 1.0]])})
    assert said.tolist() == [math.inf, -math.inf]
