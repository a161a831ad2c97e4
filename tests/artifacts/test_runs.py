"""A run of one field, read in bulk, gives and refuses what field by field does."""

from __future__ import annotations

import random
import time

import hypothesis.strategies as st
import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from onnx import helper

from aegismatrix.artifacts import operators
from aegismatrix.artifacts.errors import ArtifactRejectedError, ForbiddenContentError
from aegismatrix.artifacts.operators import MOST_FIELDS, check_content
from aegismatrix.artifacts.runs import read_numbers, read_texts, skip_floats, skip_numbers

TAG = 0x40
MANY = 10**9


def varint(number: int) -> bytes:
    rest, last = divmod(number, 128)
    return (bytes([128 | last]) + varint(rest)) if rest else bytes([last])


def field(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def one_by_one(data: bytes, tag: int | None) -> tuple[list[int], int]:
    """Numbers in their shortest form, below 2 to the power of 64, and where they end."""
    found: list[int] = []
    place = 0
    while place < len(data):
        start = place
        if tag is not None:
            if data[place] != tag:
                return found, place
            place += 1
        value = count = 0
        while place < len(data) and data[place] > 127 and count < 10:
            value |= (data[place] & 127) << 7 * count
            place, count = place + 1, count + 1
        if place >= len(data) or count >= 10 or (count and not data[place]):
            return found, start
        value |= data[place] << 7 * count
        if value >= 1 << 64:
            return found, start
        found, place = [*found, value], place + 1
    return found, place


numbers = st.integers(0, 127) | st.integers(0, 2**64 - 1) | st.sampled_from([2**63, 2**64 - 1, 128])
strange = st.binary(max_size=12) | st.sampled_from(
    [b"\x80\x00", b"\xff" * 9 + b"\x02", b"\xff" * 10 + b"\x01", b"\x80" * 9 + b"\x00"]
)


@settings(deadline=None, max_examples=300)
@given(
    values=st.lists(numbers, max_size=400),
    odd=strange,
    at=st.integers(0, 400),
    tagged=st.booleans(),
)
def test_numbers_in_bulk_are_those_read_one_by_one_up_to_the_first_strange_one(
    values: list[int], odd: bytes, at: int, tagged: bool
) -> None:
    tag = TAG if tagged else None
    parts = [bytes([TAG]) * tagged + varint(value) for value in values]
    parts.insert(min(at, len(parts)), odd)
    data = b"".join(parts)
    expected, end = one_by_one(data, tag)
    bulk = np.frombuffer(data, dtype=np.uint8)
    found, place = read_numbers(bulk, 0, len(data), tag, MANY)
    assert found.tolist() == expected
    assert place == skip_numbers(bulk, 0, len(data), tag) == end


@pytest.mark.parametrize("size", [511, 512, 513, 2**13, 3 * 2**19 + 1])
def test_a_run_goes_on_from_piece_to_piece(size: int) -> None:
    values = np.arange(size) * 37 % 3_000_000
    data = b"".join(b"\x40" + varint(value) for value in values.tolist()) + b"\xa0\x01\x07"
    bulk = np.frombuffer(data, dtype=np.uint8)
    found, place = read_numbers(bulk, 0, len(data), TAG, MANY)
    assert (found == values).all()
    assert place == len(data) - 3
    floats = np.frombuffer(b"=1234" * size + b"=12", dtype=np.uint8)
    assert skip_floats(floats, 0, len(floats), ord("=")) == 5 * size
    modes = [b"LEAF" if value % 3 else b"BRANCH_LEQ" for value in values.tolist()]
    texts = b"".join(b"\x4a" + varint(len(mode)) + mode for mode in modes)
    bulk = np.frombuffer(texts + b"\x4a\x05LEAF", dtype=np.uint8)
    equal, place = read_texts(bulk, 0, len(bulk), 0x4A, b"LEAF")
    assert place == len(texts)
    assert equal.tolist() == [mode == b"LEAF" for mode in modes]


@settings(deadline=None, max_examples=200)
@given(texts=st.lists(st.binary(max_size=9) | st.just(b"LEAF") | st.just(b"LEAFS"), max_size=200))
def test_texts_in_bulk_are_compared_up_to_the_first_that_holds_the_byte_of_the_tag(
    texts: list[bytes],
) -> None:
    data = b"".join(b"\x4a" + varint(len(text)) + text for text in texts)
    bulk = np.frombuffer(data, dtype=np.uint8)
    equal, place = read_texts(bulk, 0, len(data), 0x4A, b"LEAF")
    assert equal.tolist() == [text == b"LEAF" for text in texts[: len(equal)]]
    assert place == sum(2 + len(text) for text in texts[: len(equal)])
    held = next((at for at, text in enumerate(texts) if b"\x4a" in text), len(texts))
    assert len(equal) >= held


def of_trees(trees: int = 3, levels: int = 6, first: int = 0) -> onnx.ModelProto:
    """Full trees, numbered by level."""
    nodes = 2 ** (levels + 1) - 1
    inner = 2**levels - 1
    every = np.arange(nodes)
    left = np.where(every < inner, 2 * every + 1 + first, 0)
    right = np.where(every < inner, 2 * every + 2 + first, 0)
    leaves = list(range(inner + first, nodes + first))
    node = helper.make_node(
        "TreeEnsembleRegressor",
        ["x"],
        ["y"],
        domain="ai.onnx.ml",
        n_targets=1,
        nodes_treeids=np.repeat(np.arange(trees), nodes).tolist(),
        nodes_nodeids=np.tile(every + first, trees).tolist(),
        nodes_featureids=[0] * (trees * nodes),
        nodes_modes=(["BRANCH_LEQ"] * inner + ["LEAF"] * (nodes - inner)) * trees,
        nodes_values=[0.5] * (trees * nodes),
        nodes_truenodeids=np.tile(left, trees).tolist(),
        nodes_falsenodeids=np.tile(right, trees).tolist(),
        target_treeids=np.repeat(np.arange(trees), len(leaves)).tolist(),
        target_nodeids=leaves * trees,
        target_ids=[0] * (trees * len(leaves)),
        target_weights=[1.0] * (trees * len(leaves)),
    )
    values = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["N", 1]) for name in "xy"
    ]
    graph = helper.make_graph([node], "trees", values[:1], values[1:])
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, ir_version=8, opset_imports=opsets)


def changed(**lists: object) -> bytes:
    """One full tree of three levels, of which some nodes are others."""
    model = of_trees(1, 3)
    for attribute in model.graph.node[0].attribute:
        for place, value in dict(lists.get(attribute.name) or {}).items():  # type: ignore[call-overload]
            kind = attribute.strings if attribute.name == "nodes_modes" else attribute.ints
            kind[place] = value
    return bytes(model.SerializeToString())


def verdict(data: bytes) -> str:
    try:
        check_content(data, "trees.onnx")
    except ArtifactRejectedError as error:
        return f"{type(error).__name__}: {error}"
    return "passed"


@pytest.mark.slow
def test_damaged_trees_get_the_verdict_that_field_by_field_gives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sources = [of_trees().SerializeToString(), of_trees(2, 7, first=500).SerializeToString()]
    chance = random.Random(20261130)
    damaged = []
    for turn in range(1_500):
        data = bytearray(sources[turn % 2])
        for _ in range(chance.randrange(3)):
            place = chance.randrange(len(data))
            data[place : place + chance.randrange(2)] = chance.randbytes(chance.randrange(3))
        damaged.append(bytes(data))
    bulk = [verdict(data) for data in damaged]
    monkeypatch.setattr(operators, "_RUNS", frozenset())
    assert bulk == [verdict(data) for data in damaged]
    assert 200 < bulk.count("passed") < 1_300


@pytest.mark.parametrize("first", [0, 1, 200, 2**30])
def test_trees_may_number_their_nodes_as_they_like(first: int) -> None:
    assert verdict(of_trees(first=first).SerializeToString()) == "passed"


@pytest.mark.parametrize(
    ("lists", "said"),
    [
        ({"nodes_truenodeids": {1: 0}}, "levels|two others|root"),
        ({"nodes_truenodeids": {0: 2}}, "two others"),
        ({"nodes_truenodeids": {3: 40}}, "not there"),
        ({"nodes_nodeids": {3: 4}}, "one number"),
        ({"nodes_treeids": {14: 1}}, "not there"),
        ({"nodes_nodeids": {3: 2**31}}, "too large"),
        ({"nodes_falsenodeids": {0: -1}}, "too large"),
        ({"nodes_truenodeids": {0: 0}, "nodes_falsenodeids": {0: 0}}, "two others"),
        ({"nodes_modes": {3: b"LEAF"}}, "two others|root|levels|not there|passed"),
    ],
)
def test_what_is_no_tree_is_refused(lists: dict[str, object], said: str) -> None:
    found = verdict(changed(**lists))
    assert any(one in found for one in said.split("|")), found


def test_more_nodes_of_trees_than_are_allowed_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = of_trees(2, 6).SerializeToString()
    monkeypatch.setattr(operators, "MOST_TREE_NODES", 254)
    assert verdict(data) == "passed"
    monkeypatch.setattr(operators, "MOST_TREE_NODES", 253)
    assert "more than 253 nodes of trees" in verdict(data)
    monkeypatch.setattr(operators, "MOST_TREE_NODES", 100)
    assert "more than 100 nodes of trees" in verdict(data)


def attribute_of(content: bytes) -> bytes:
    """A model whose only node has one attribute of these bytes."""
    node = field(1, b"x") + field(2, b"y") + field(4, b"Neg") + field(5, content)
    shape = field(1, b"\x08\x0b" + field(2, field(1, field(2, b"N"))))
    graph = field(1, node) + field(2, b"g") + field(11, field(1, b"x") + field(2, shape))
    return b"\x08\x08" + field(7, graph) + field(8, field(1, b"") + b"\x10\x12")


@pytest.mark.slow
@pytest.mark.parametrize(
    "content",
    [
        b"\x40\x00\x40\x00=1234=1234" * 600_000,
        b"\x4a\x01J\x4a\x01J" * 2_000_000,
        (b"\x40\x01" * 16 + b"\xa0\x01\x07") * 400_000,
        (b"\x4a\x04LEAF" * 17 + b"\x4a\x01J") * 120_000,
    ],
    ids=["alternating", "texts of the tag", "short runs", "short runs of texts"],
)
def test_runs_made_to_end_soon_cost_no_more_than_the_fields_that_are_allowed(
    content: bytes,
) -> None:
    data = attribute_of(content)
    start = time.process_time()
    found = verdict(data)
    assert time.process_time() - start < 30.0
    assert found == "passed" or f"more than {MOST_FIELDS} fields" in found


def test_a_forest_of_a_million_fields_is_not_too_many() -> None:
    data = of_trees(8, 16).SerializeToString()
    assert len(data) > 30_000_000
    start = time.process_time()
    assert verdict(data) == "passed"
    assert time.process_time() - start < 10.0


def test_a_strange_field_after_a_run_is_refused_as_before_it() -> None:
    for odd in (b"\x40\x80\x00", b"\x40" + b"\xff" * 9 + b"\x02", b"\x40", b"\x32\x00", b"\x4b"):
        for run in (b"", b"\x40\x01" * 5, b"\x40\x01" * 5_000):
            with pytest.raises((ArtifactRejectedError, ForbiddenContentError)):
                check_content(attribute_of(run + odd), "x.onnx")
