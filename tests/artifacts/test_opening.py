"""What opening a graph may cost: just at each bound it passes the walk, just above it is refused.

Every graph here is harmless, at most a little larger than what is allowed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from aegismatrix.artifacts import operators
from aegismatrix.artifacts.operators import (
    LONGEST_ARGUMENT,
    LONGEST_NAME,
    METADATA_KEY,
    ML_DOMAIN,
    MOST_ATTRIBUTES,
    MOST_DIMENSIONS,
    MOST_INPUTS,
    MOST_NODES,
    MOST_PROPERTIES,
    MOST_WEIGHTS,
    check_content,
)
from aegismatrix.engine.model import _open_session
from aegismatrix.errors import ArtifactRejectedError, ForbiddenContentError
from tests.artifacts.test_runs import attribute_of, field

X = helper.make_tensor_value_info("x", TensorProto.DOUBLE, ["N"])
Y = helper.make_tensor_value_info("y", TensorProto.DOUBLE, ["N"])
LEAST_CANDIDATES, MOST_SECONDS, MOST_MEGABYTES = 2_000, 5.0, 500.0
OPSETS = [helper.make_opsetid("", 18), helper.make_opsetid(ML_DOMAIN, 3)]


def node(operator: str, *inputs: str, gives: str = "v", **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(operator, inputs, [gives], **attributes)


def weight(name: str, values: Any) -> TensorProto:
    return numpy_helper.from_array(np.asarray(values), name)


def model_of(
    *nodes: onnx.NodeProto,
    weights: tuple[TensorProto, ...] = (),
    inputs: tuple[onnx.ValueInfoProto, ...] = (),
    outputs: tuple[onnx.ValueInfoProto, ...] = (),
) -> onnx.ModelProto:
    graph = helper.make_graph(
        [node("Identity", "x", gives="y"), *nodes], "g", [X, *inputs], [Y, *outputs], weights
    )
    return helper.make_model(graph, opset_imports=OPSETS, ir_version=8)


def refusal(model: onnx.ModelProto) -> str:
    """What the walk says of it; empty if it passes."""
    try:
        check_content(model.SerializeToString(), "x.onnx")
    except ForbiddenContentError as error:
        return error.problem
    return ""


def of_dimensions(count: int) -> onnx.ModelProto:
    return model_of(node("Neg", "w"), weights=(weight("w", np.ones([1] * count)),))


def of_a_constant(count: int) -> onnx.ModelProto:
    return model_of(node("Constant", value=weight("", np.ones([1] * count))))


def of_an_input(count: int) -> onnx.ModelProto:
    shape: list[int | str] = [1] * count
    return model_of(inputs=(helper.make_tensor_value_info("z", TensorProto.DOUBLE, shape),))


def of_an_output(count: int) -> onnx.ModelProto:
    shape: list[int | str] = [1] * count
    return model_of(
        weights=(weight("z", np.ones([1] * MOST_DIMENSIONS)),),
        outputs=(helper.make_tensor_value_info("z", TensorProto.DOUBLE, shape),),
    )


def reshaped(length: int) -> onnx.ModelProto:
    return model_of(node("Reshape", "x", "w"), weights=(weight("w", [1] * length),))


def expanded(length: int) -> onnx.ModelProto:
    return model_of(node("Expand", "x", "w"), weights=(weight("w", [1] * length),))


def made(length: int) -> onnx.ModelProto:
    return model_of(node("ConstantOfShape", "w"), weights=(weight("w", [1] * length),))


def made_as_an_input_says(length: int) -> onnx.ModelProto:
    given = helper.make_tensor_value_info("z", TensorProto.INT64, [length])
    return model_of(node("ConstantOfShape", "z"), inputs=(given,))


def made_of_shapes(count: int) -> onnx.ModelProto:
    return model_of(
        node("Shape", "x", gives="s"),
        node("Concat", *["s"] * count, gives="t", axis=0),
        node("ConstantOfShape", "t"),
    )


def made_of_gathered_numbers(count: int) -> onnx.ModelProto:
    return model_of(
        node("Shape", "x", gives="s"),
        node("Gather", "s", "w", gives="t"),
        node("Add", "t", "s", gives="u"),
        node("Reshape", "x", "u"),
        weights=(weight("w", [0] * count),),
    )


def unsqueezed(count: int) -> onnx.ModelProto:
    """A vector to which dimensions are added by the axes."""
    return model_of(node("Unsqueeze", "x", "w"), weights=(weight("w", list(range(count - 1))),))


def unsqueezed_again_and_again(count: int) -> onnx.ModelProto:
    names = ["x", *(f"v{number}" for number in range(count - 1))]
    steps = [node("Unsqueeze", before, "w", gives=after) for before, after in pairwise(names)]
    return model_of(*steps, weights=(weight("w", [0]),))


def gathered(count: int) -> onnx.ModelProto:
    """As many dimensions as the places have."""
    places = weight("w", np.zeros([1] * count, dtype=np.int64))
    return model_of(node("Gather", "x", "w"), weights=(places,))


@pytest.mark.parametrize(
    "build",
    [
        of_dimensions,
        of_a_constant,
        of_an_input,
        of_an_output,
        reshaped,
        expanded,
        made,
        made_as_an_input_says,
        made_of_shapes,
        made_of_gathered_numbers,
        unsqueezed,
        unsqueezed_again_and_again,
        gathered,
    ],
)
def test_a_value_has_as_many_dimensions_as_are_allowed_and_no_more(
    build: Callable[[int], onnx.ModelProto],
) -> None:
    accepted = build(MOST_DIMENSIONS)
    assert refusal(accepted) == ""
    _open_session(accepted.SerializeToString(), "x.onnx")
    assert f"{MOST_DIMENSIONS} " in refusal(build(MOST_DIMENSIONS + 1))


def test_a_shape_whose_length_nothing_says_is_refused() -> None:
    unknown = helper.make_tensor_value_info("z", TensorProto.INT64, ["M"])
    for operator, inputs in (("Reshape", ("x", "z")), ("ConstantOfShape", ("z",))):
        assert "not known" in refusal(model_of(node(operator, *inputs), inputs=(unknown,)))


def test_a_list_that_doubles_and_doubles_is_no_shape() -> None:
    steps = [node("Concat", *["s0"] * 2, gives="s1", axis=0)]
    steps += [node("Concat", *[f"s{n}"] * 2, gives=f"s{n + 1}", axis=0) for n in range(1, 200)]
    shape = node("Shape", "x", gives="s0")
    assert refusal(model_of(shape, *steps)) == ""
    assert "not known" in refusal(model_of(shape, *steps, node("Expand", "x", "s200")))


def test_dimensions_that_are_added_and_taken_away_again_do_not_add_up() -> None:
    steps, name = [], "x"
    for number in range(3 * MOST_DIMENSIONS):
        steps.append(node("Unsqueeze", name, "w", gives=f"u{number}"))
        name = f"v{number}"
        before = f"u{number}"
        if number % 2:
            steps.append(node("Squeeze", before, "w", gives=name))
        else:
            steps.append(node("ReduceSum", before, "w", gives=name, keepdims=0))
    assert refusal(model_of(*steps, weights=(weight("w", [0]),))) == ""


def test_axes_that_are_named_twice_take_one_dimension_away_and_not_two() -> None:
    steps, name = [], "x"
    for number in range(2 * MOST_DIMENSIONS):
        steps.append(node("Unsqueeze", name, "two", gives=f"u{number}"))
        name = f"v{number}"
        steps.append(node("ReduceSum", f"u{number}", "twice", gives=name, keepdims=0))
    axes = (weight("two", [0, 1]), weight("twice", [0, 0]))
    assert "dimensions" in refusal(model_of(*steps, weights=axes))


def reduced(length: int) -> onnx.ModelProto:
    return model_of(node("ReduceSum", "x", "w"), weights=(weight("w", [0] * length),))


def sliced(length: int) -> onnx.ModelProto:
    return model_of(node("Slice", "x", "w", "w"), weights=(weight("w", [0] * length),))


def padded(length: int) -> onnx.ModelProto:
    return model_of(node("Pad", "x", "w"), weights=(weight("w", [0] * length),))


@pytest.mark.parametrize("build", [reduced, sliced, padded])
def test_a_list_of_axes_or_places_is_short(build: Callable[[int], onnx.ModelProto]) -> None:
    assert refusal(build(LONGEST_ARGUMENT)) == ""
    assert f"more than {LONGEST_ARGUMENT} numbers" in refusal(build(LONGEST_ARGUMENT + 1))


def of_nodes(count: int) -> onnx.ModelProto:
    return model_of(*(node("Neg", "x", gives=f"v{n}") for n in range(count - 1)))


def of_weights(count: int) -> onnx.ModelProto:
    return model_of(weights=tuple(weight(f"w{n}", 1.0) for n in range(count)))


def of_inputs(count: int) -> onnx.ModelProto:
    return model_of(
        inputs=tuple(
            helper.make_tensor_value_info(f"z{n}", TensorProto.DOUBLE, ["N"])
            for n in range(count - 1)
        )
    )


def of_outputs(count: int) -> onnx.ModelProto:
    model = of_inputs(1)
    model.graph.output.extend([Y] * (count - 1))
    return model


def of_attributes(count: int) -> onnx.ModelProto:
    attributes: dict[str, Any] = {f"a{n}": n for n in range(count)}
    return model_of(node("Neg", "x", **attributes))


def of_properties(count: int) -> onnx.ModelProto:
    model = model_of()
    helper.set_model_props(model, {METADATA_KEY + str(n): "" for n in range(count)})
    return model


def of_a_name(length: int) -> onnx.ModelProto:
    return model_of(node("Neg", "x", gives="v" * length))


def of_an_axis(length: int) -> onnx.ModelProto:
    return model_of(
        inputs=(helper.make_tensor_value_info("z", TensorProto.DOUBLE, ["M" * length]),)
    )


def of_a_remark(length: int) -> onnx.ModelProto:
    return model_of(node("Neg", "x", doc_string="d" * length))


@pytest.mark.parametrize(
    ("build", "most"),
    [
        (of_nodes, MOST_NODES),
        (of_weights, MOST_WEIGHTS),
        (of_inputs, MOST_INPUTS),
        (of_outputs, MOST_INPUTS),
        (of_attributes, MOST_ATTRIBUTES),
        (of_properties, MOST_PROPERTIES),
        (of_a_name, LONGEST_NAME),
        (of_an_axis, LONGEST_NAME),
        (of_a_remark, LONGEST_NAME),
    ],
)
def test_there_are_as_many_as_are_allowed_and_no_more(
    build: Callable[[int], onnx.ModelProto], most: int
) -> None:
    assert refusal(build(most)) == ""
    assert f"more than {most} " in refusal(build(most + 1))


def raw(count: int) -> onnx.ModelProto:
    return model_of(weights=(weight("w", np.ones(count // 8)),))


def one_by_one(count: int) -> onnx.ModelProto:
    """Numbers of one byte each, which take eight in memory."""
    numbers = helper.make_tensor("w", TensorProto.INT64, [count // 9], [1] * (count // 9))
    return model_of(weights=(numbers,))


def in_an_attribute(count: int) -> onnx.ModelProto:
    """Numbers of two bytes each, which take eight in memory."""
    return model_of(node("Constant", value_ints=[1] * (count // 10)))


@pytest.mark.parametrize("build", [raw, one_by_one, in_an_attribute])
def test_bytes_count_as_what_they_take_in_memory(
    build: Callable[[int], onnx.ModelProto], monkeypatch: pytest.MonkeyPatch
) -> None:
    most = 100_000
    monkeypatch.setattr(operators, "MOST_WEIGHT_BYTES", most)
    assert refusal(build(most * 95 // 100)) == ""
    assert f"more than {most} bytes" in refusal(build(most * 105 // 100))


def trees(leaves: int, weights_each: int) -> onnx.ModelProto:
    """Trees of one leaf, each of which gives so many weights."""
    given = leaves * weights_each
    tree = helper.make_node(
        "TreeEnsembleRegressor",
        ["x"],
        ["t"],
        domain=ML_DOMAIN,
        n_targets=weights_each,
        nodes_treeids=list(range(leaves)),
        nodes_nodeids=[0] * leaves,
        nodes_featureids=[0] * leaves,
        nodes_modes=["LEAF"] * leaves,
        nodes_values=[0.0] * leaves,
        nodes_truenodeids=[0] * leaves,
        nodes_falsenodeids=[0] * leaves,
        target_treeids=[number // weights_each for number in range(given)],
        target_nodeids=[0] * given,
        target_ids=[number % weights_each for number in range(given)],
        target_weights=[1.0] * given,
    )
    return model_of(tree)


def test_what_trees_may_weigh_grows_with_their_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operators, "MOST_WEIGHT_BYTES", 10_000)
    monkeypatch.setattr(operators, "MOST_TREE_BYTES", 1_000)
    assert refusal(trees(1_000, 200)) == ""
    assert refusal(trees(10, 200)) == ""
    assert "bytes for each node" in refusal(trees(10, 600))


def test_what_could_be_read_in_two_ways_is_refused() -> None:
    value = field(5, weight("", [1.0]).SerializeToString())
    with pytest.raises(ForbiddenContentError, match="two values"):
        check_content(attribute_of(field(1, b"a") + 2 * value), "x.onnx")
    named = model_of(node("Neg", "x"))
    named.graph.node[1].attribute.extend([helper.make_attribute("a", 1)] * 2)
    assert "two attributes of one name" in refusal(named)
    imported = model_of()
    imported.opset_import.append(OPSETS[0])
    assert "named twice" in refusal(imported)
    shapeless = model_of(inputs=(onnx.ValueInfoProto(name="z"),))
    assert "without one shape" in refusal(shapeless)


@pytest.mark.parametrize(
    "model",
    [
        model_of(node("Neg", "nothing")),
        model_of(node("Neg", "later", gives="v"), node("Neg", "x", gives="later")),
        model_of(node("Neg", "x", gives="y")),
        model_of(node("Neg", "x", gives="w"), weights=(weight("w", 1.0),)),
        model_of(weights=(weight("x", 1.0),)),
        model_of(node("Constant")),
    ],
    ids=["undefined", "in another order", "output", "weight", "input", "empty constant"],
)
def test_every_value_is_given_once_and_before_it_is_read(model: onnx.ModelProto) -> None:
    with pytest.raises(ArtifactRejectedError, match="it is no ONNX model") as caught:
        check_content(model.SerializeToString(), "x.onnx")
    assert type(caught.value) is ArtifactRejectedError


def test_what_the_search_found_is_within_what_is_stated(repository: Path) -> None:
    found = json.loads((repository / "benchmarks/opening.json").read_text(encoding="utf-8"))
    graphs = found["graphs"]
    assert found["candidates"] >= LEAST_CANDIDATES
    assert "crashed or beyond the limits" not in found["outcomes"]
    assert graphs["seconds"]["largest"] <= MOST_SECONDS
    assert graphs["megabytes"]["largest"] <= MOST_MEGABYTES
    text = (repository / "SECURITY.md").read_text(encoding="utf-8")
    for kind in ("seconds", "megabytes"):
        shown = " | ".join(f"{value:g}" for value in graphs[kind].values())
        assert f" | {shown} |" in text
    for bound in (MOST_NODES, MOST_DIMENSIONS, LONGEST_ARGUMENT, LONGEST_NAME, MOST_INPUTS):
        assert f"{bound:,}" in text
