"""Search for the dearest graph that is accepted, and keep what opening it costs.

Usage: python benchmarks/opening.py [--candidates N] [--seed N] [--jobs N] [--minutes N] [--save]

Graphs are put together at random from parts, each of which asks a runtime for much in its own way,
and the dearest ones are varied. Every graph is built in one process, and walked and opened in
another under limits of memory and processor time. What opening costs is counted from before the
bytes are read: processor time of the walk and the session, and memory beside what the process had.

Tree ensembles are searched beside the other graphs, and their cost is counted for each of their
bytes too: it grows with their nodes, and what is allowed of them is far more.

Only the costs are kept (``benchmarks/opening.json``), never a graph. Linux alone: memory is read
from /proc.
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import os
import random
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from aegismatrix.artifacts.operators import (
    IR_VERSION,
    LONGEST_ARGUMENT,
    LONGEST_NAME,
    ML_DOMAIN,
    ML_OPSET,
    MOST_DIMENSIONS,
    MOST_INPUTS,
    MOST_NODES,
    OPSET,
    check_content,
)
from aegismatrix.engine.model import _open_session
from aegismatrix.errors import ArtifactRejectedError, ForbiddenContentError

KEPT = Path(__file__).with_suffix(".json")
MOST_SECONDS, MOST_MEGABYTES = 5.0, 500.0
LIMIT_SECONDS, LIMIT_BYTES = 60, 6 * 2**30
ELITE, RANDOM_SHARE, TREES_SHARE = 24, 0.35, 0.1
SMALLEST_TREES = 1_000_000
MOST_PARTS = 4
UNARY = ("Identity", "Neg", "Abs", "Floor", "Cast", "Shape", "Softmax", "Transpose", "CumSum")
BINARY = ("Add", "Mul", "Max", "Min", "MatMul", "Gemm", "Where", "Equal", "Pow", "Concat")

Part: TypeAlias = "tuple[str, int, int, int]"
"""Name of a builder, how many nodes it makes, and two numbers that it may use."""


class Builder:
    """A graph under construction."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.inputs = [helper.make_tensor_value_info("x", TensorProto.DOUBLE, ["N"])]
        self.count = 0
        self.name_length = 0

    def name(self) -> str:
        """Give a name that no other value has."""
        self.count += 1
        return f"v{self.count}".ljust(self.name_length, "_")

    def weight(self, values: Any) -> str:
        """Add weights."""
        name = self.name()
        self.weights.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def node(self, operator: str, *inputs: str, outputs: int = 1, **attributes: Any) -> str:
        """Add a node."""
        if operator == "Cast":
            attributes["to"] = TensorProto.DOUBLE
        if operator == "CumSum":
            inputs = (*inputs, self.weight(np.int64(0)))
        given = [self.name() for _ in range(outputs)]
        self.nodes.append(helper.make_node(operator, inputs, given, **attributes))
        return given[0]

    def model(self) -> bytes:
        """Serialise it."""
        self.nodes.append(helper.make_node("Identity", ["x"], ["y"]))
        output = helper.make_tensor_value_info("y", TensorProto.DOUBLE, ["N"])
        graph = helper.make_graph(self.nodes, "g", self.inputs, [output], self.weights)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(ML_DOMAIN, ML_OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
        data: bytes = model.SerializeToString()
        return data


def varint(number: int) -> bytes:
    """A number of seven bits in a byte."""
    rest, last = divmod(number, 128)
    return bytes([128 | last]) + varint(rest) if rest else bytes([last])


def source(graph: Builder, choice: int) -> str:
    """Give something to read: the input, or weights of some dimensions."""
    rank = choice % (MOST_DIMENSIONS + 1)
    return graph.weight(np.ones([1] * rank)) if choice % 3 else "x"


def chain(graph: Builder, count: int, first: int, second: int) -> None:
    """Let each node read the one before it."""
    value = source(graph, second)
    for _ in range(count):
        value = graph.node(UNARY[first % len(UNARY)], value)


def star(graph: Builder, count: int, first: int, second: int) -> None:
    """Let nodes read a few values."""
    hubs = [source(graph, second) for _ in range(1 + first % 40)]
    for number in range(count):
        graph.node(UNARY[second % len(UNARY)], hubs[number % len(hubs)])


def ladder(graph: Builder, count: int, first: int, second: int) -> None:
    """Let each node read the two before it."""
    values = [source(graph, second), source(graph, second)]
    operator = BINARY[first % len(BINARY)]
    extra = {"axis": 0} if operator == "Concat" else {}
    for _ in range(count):
        values.append(graph.node(operator, values[-1], values[-2], **extra))


def wide(graph: Builder, count: int, first: int, second: int) -> None:
    """Let few nodes read much."""
    each = 1 + first % 5_000
    names = [graph.weight(np.ones(1)) for _ in range(min(each, 1 + second % 1_000))]
    for _ in range(max(1, min(count, 60_000 // each))):
        inputs = [names[number % len(names)] for number in range(each)]
        if second % 2:
            graph.node("Concat", *inputs, axis=0)
        else:
            graph.node("Max", *inputs)


def constants(graph: Builder, count: int, first: int, second: int) -> None:
    """Make constants, each of its own dimensions."""
    rank = first % (MOST_DIMENSIONS + 1)
    for _ in range(count):
        value = numpy_helper.from_array(np.ones([1] * rank))
        made = graph.node("Constant", value=value)
        if second % 2:
            graph.node("Neg", made)


def weights(graph: Builder, count: int, first: int, second: int) -> None:
    """Make weights that a node reads, or none."""
    rank = first % (MOST_DIMENSIONS + 1)
    for _ in range(count):
        made = graph.weight(np.ones([1] * rank, dtype=np.float32))
        if second % 2 and len(graph.nodes) < MOST_NODES - 1:
            graph.node("Neg", made)


def shapes(graph: Builder, count: int, first: int, second: int) -> None:
    """Compute a shape, and ask for it."""
    length = 1 + first % MOST_DIMENSIONS
    shape = graph.node("Shape", "x")
    target = graph.node("Concat", *[shape] * length, axis=0)
    ways: tuple[Callable[[], str], ...] = (
        lambda: graph.node("ConstantOfShape", target),
        lambda: graph.node("Expand", "x", target),
        lambda: graph.node("Reshape", "x", target),
        lambda: graph.node("Unsqueeze", "x", graph.weight(np.arange(length - 1))),
        lambda: graph.node("Gather", target, shape),
        lambda: graph.node("Neg", graph.node("Expand", "x", graph.weight([2**40] * length))),
    )
    for _ in range(count):
        ways[second % len(ways)]()


def doubled(graph: Builder, count: int, first: int, second: int) -> None:
    """Let a list grow beyond all bounds, and take a little of it."""
    value = graph.node("Shape", "x") if second % 2 else graph.weight(np.arange(1 + first % 5_000))
    steps = 1 + first % 60
    for _ in range(min(steps, count)):
        value = graph.node("Concat", value, value, axis=0)
    zero, one = graph.weight(np.array([0])), graph.weight(np.array([1]))
    for _ in range(max(0, count - steps)):
        if second % 5:
            graph.node("Gather", value, zero)
        else:
            graph.node("ConstantOfShape", graph.node("Gather", graph.node("Add", value, one), zero))


def long_lists(graph: Builder, count: int, first: int, second: int) -> None:
    """Let many nodes read the longest lists that are allowed, or long ones elsewhere."""
    length = 1 + first % LONGEST_ARGUMENT
    axes = graph.weight(np.arange(length) % max(1, length // 2))
    many = graph.weight(np.zeros(1 + first % 200_000, dtype=np.int64))
    ways: tuple[Callable[[], str], ...] = (
        lambda: graph.node("ReduceSum", "x", axes),
        lambda: graph.node("Squeeze", "x", axes),
        lambda: graph.node("Slice", "x", axes, axes, axes),
        lambda: graph.node("Pad", "x", axes),
        lambda: graph.node("Gather", many, many),
        lambda: graph.node("Add", many, many),
        lambda: graph.node("Concat", many, many, axis=0),
        lambda: graph.node("TopK", "x", axes, outputs=2),
        lambda: graph.node("Range", axes, axes, axes),
    )
    for _ in range(count):
        ways[second % len(ways)]()


def shared(graph: Builder, count: int, first: int, second: int) -> None:
    """Let many nodes compute with the same large weights."""
    size = 1 + first % 1_500
    kind = (np.float32, np.float64)[second % 2]
    if second % 3 == 0:
        hidden = 1 + first % 300
        cells = graph.weight(np.ones((1, 4 * hidden, hidden), np.float32))
        row = graph.weight(np.ones((1, 1, hidden), np.float32))
        for _ in range(count):
            graph.node("LSTM", row, cells, cells, hidden_size=hidden)
        return
    square = graph.weight(np.ones((size, size), kind))
    for _ in range(count):
        graph.node(("MatMul", "Gemm")[second // 3 % 2], square, square)


def bytes_of_weights(graph: Builder, count: int, first: int, second: int) -> None:
    """Bring as many bytes as may be, in every form in which numbers are written."""
    size = min(first, 90 * 2**20) // (1 + count % 3)
    form = second % 5
    for _ in range(count % 3):
        graph.node("Neg", graph.weight(np.ones(size // 8)))
    if form == 0:
        graph.node("Neg", graph.weight(np.ones(size // 8)))
    elif form == 1:
        value = numpy_helper.from_array(np.ones(size // 8))
        graph.node("Neg", graph.node("Constant", value=value))
    elif form == 2:
        length = size // 12
        name = graph.name()
        # A field of many numbers of one byte; to add them one by one would take long.
        tensor = TensorProto.FromString(b"\x3a" + varint(length) + b"\x01" * length)
        tensor.MergeFrom(TensorProto(name=name, data_type=TensorProto.INT64, dims=[length]))
        graph.weights.append(tensor)
        graph.node("Neg", name)
    elif form == 3:
        made = graph.node("Constant")
        ints = onnx.AttributeProto.FromString(b"\x40\x01" * (size // 12))
        ints.name, ints.type = "value_ints", onnx.AttributeProto.INTS
        graph.nodes[-1].attribute.append(ints)
        graph.node("Neg", made)
    else:
        square = math.isqrt(size // 4 // 2) + 1
        one = graph.weight(np.ones((square, square), np.float32))
        graph.node("MatMul", one, one)


def texts(graph: Builder, count: int, first: int, second: int) -> None:
    """Give every value and axis as long a name as may be."""
    graph.name_length = max(graph.name_length, first % LONGEST_NAME)
    axes = [str(number).ljust(graph.name_length, "_") for number in range(MOST_DIMENSIONS)]
    for _ in range(1 + second % (MOST_INPUTS - 1)):
        if len(graph.inputs) >= MOST_INPUTS:
            return
        name = graph.name()
        graph.inputs.append(helper.make_tensor_value_info(name, TensorProto.DOUBLE, axes))
        for _ in range(count // MOST_INPUTS):
            graph.node("Neg" if second % 2 else "Identity", name)


PARTS: dict[str, Callable[[Builder, int, int, int], None]] = {
    part.__name__: part
    for part in (
        chain,
        star,
        ladder,
        wide,
        constants,
        weights,
        shapes,
        doubled,
        long_lists,
        shared,
        bytes_of_weights,
        texts,
    )
}


def ensemble(count: int, first: int, second: int) -> bytes:
    """Trees of one split or one leaf each, or chains of splits, with weights for each leaf."""
    depth = 1 + first % 200
    splits = np.arange(depth)
    nodes = 2 * depth + 1
    trees = max(1, count // nodes)
    targets = 1 + second % 20
    onward = np.append(splits[1:], 2 * depth)
    leaves = np.arange(depth, nodes)
    padding = np.zeros(depth + 1, np.int64)
    repeated = np.repeat(np.arange(trees), (depth + 1) * targets)
    node = helper.make_node(
        ("TreeEnsembleRegressor", "TreeEnsembleClassifier")[second % 2],
        ["x"],
        ["t", "p"][: 1 + second % 2],
        domain=ML_DOMAIN,
        nodes_treeids=np.repeat(np.arange(trees), nodes),
        nodes_nodeids=np.tile(np.arange(nodes), trees),
        nodes_featureids=np.zeros(nodes * trees, np.int64),
        nodes_modes=(["BRANCH_LEQ"] * depth + ["LEAF"] * (depth + 1)) * trees,
        nodes_values=np.zeros(nodes * trees, np.float32),
        nodes_truenodeids=np.tile(np.append(onward, padding), trees),
        nodes_falsenodeids=np.tile(np.append(leaves[:depth], padding), trees),
        **weights_of(("target", "class")[second % 2], repeated, leaves, trees, targets),
    )
    graph = Builder()
    graph.nodes.append(node)
    graph.inputs[0] = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 1])
    graph.node("Neg", "t")
    return graph.model()


def weights_of(
    prefix: str, trees_of: np.ndarray[Any, Any], leaves: np.ndarray[Any, Any], trees: int, each: int
) -> dict[str, Any]:
    """Weights of every leaf."""
    ids = np.tile(np.arange(each), len(leaves) * trees)
    labels = {"n_targets": each} if prefix == "target" else {"classlabels_int64s": range(each)}
    return {
        f"{prefix}_treeids": trees_of,
        f"{prefix}_nodeids": np.tile(np.repeat(leaves, each), trees),
        f"{prefix}_ids": ids,
        f"{prefix}_weights": np.ones(len(ids), np.float32),
        **labels,
    }


def built(parts: list[Part]) -> bytes:
    """Serialise the graph of these parts."""
    if parts[0][0] == "ensemble":
        return ensemble(*parts[0][1:])
    graph = Builder()
    for name, count, first, second in parts:
        PARTS[name](graph, count, first, second)
    return graph.model()


def in_a_child(work: Callable[[], bytes]) -> bytes:
    """What a process of its own under limits wrote; nothing if it died."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        try:
            resource.setrlimit(resource.RLIMIT_AS, (LIMIT_BYTES, LIMIT_BYTES))
            resource.setrlimit(resource.RLIMIT_CPU, (LIMIT_SECONDS, LIMIT_SECONDS))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            with os.fdopen(writing, "wb") as pipe:
                pipe.write(work())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        written = pipe.read()
    os.waitpid(child, 0)
    return written


def peak_megabytes() -> float:
    """The most memory since the last reset."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    (line,) = (line for line in lines if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 / 1e6


def opened(file: Path) -> bytes:
    """Walk and open a graph; what came of it, seconds and megabytes."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before, start, said = peak_megabytes(), time.process_time(), "opened"
    try:
        data = file.read_bytes()
        check_content(data, "graph")
        said = "opened"
        try:
            session = _open_session(data, "graph")
        except ArtifactRejectedError:
            said = "refused by onnxruntime"
        else:
            session.get_inputs()
    except ForbiddenContentError:
        said = "refused by the walk: forbidden"
    except ArtifactRejectedError:
        said = "refused by the walk: malformed"
    spent = time.process_time() - start
    return json.dumps([said, spent, peak_megabytes() - before, file.stat().st_size]).encode()


def some_parts(chance: random.Random) -> list[Part]:
    """Parts at random."""

    def size(most: float) -> int:
        return round(math.exp(chance.uniform(0.0, math.log(most))))

    if chance.random() < 0.1:
        return [("ensemble", size(150_000), chance.randrange(10**6), chance.randrange(10**6))]
    count = chance.randint(1, MOST_PARTS)
    return [
        (
            chance.choice(list(PARTS)),
            size(MOST_NODES / count),
            size(10**8) if chance.random() < 0.7 else chance.randrange(10**8),
            chance.randrange(10**6),
        )
        for _ in range(count)
    ]


def varied(parts: list[Part], chance: random.Random) -> list[Part]:
    """One part made larger, smaller or another, or one more or less."""
    parts = list(parts)
    place = chance.randrange(len(parts))
    name, count, first, second = parts[place]
    way = chance.random()
    if name == "ensemble":
        grown = min(400_000, round(count * chance.uniform(0.7, 1.5)) + 1)
        return [(name, grown, first + chance.randint(-5, 5), second + chance.randint(-5, 5))]
    if way < 0.2 and len(parts) < MOST_PARTS and (new := some_parts(chance)[0])[0] != "ensemble":
        parts.append(new)
    elif way < 0.3 and len(parts) > 1:
        del parts[place]
    elif way < 0.7:
        parts[place] = (name, max(1, round(count * chance.uniform(0.6, 1.6))), first, second)
    elif way < 0.85:
        parts[place] = (name, count, max(0, round(first * chance.uniform(0.6, 1.6))), second)
    else:
        parts[place] = (name, count, first, max(0, second + chance.randint(-3, 3)))
    return parts


def quantiles(values: list[float]) -> dict[str, float]:
    """The distribution of costs."""
    places = {"median": 0.5, "90 %": 0.9, "99 %": 0.99, "largest": 1.0}
    return {
        name: float(f"{np.quantile(values, place):.3g}") if values else 0.0
        for name, place in places.items()
    }


class Found(NamedTuple):
    """What a search found: outcomes by name, and seconds, megabytes and bytes of each graph."""

    outcomes: Counter[str]
    costs: list[tuple[bool, list[str], float, float, int]]


def search(candidates: int, seed: int, folder: str, minutes: float) -> Found:
    """Try that many graphs, at random and near the dearest."""
    chance, scratch = random.Random(seed), Path(folder) / f"{seed}.onnx"
    elites: dict[bool, list[tuple[float, list[Part]]]] = {False: [], True: []}
    found = Found(Counter(), [])
    end = time.monotonic() + 60 * minutes
    for number in range(candidates):
        if time.monotonic() > end:
            break
        pool = elites[chance.random() < TREES_SHARE]
        if not pool or chance.random() < RANDOM_SHARE:
            parts = some_parts(chance)
        else:
            parts = varied(chance.choice(pool)[1], chance)
        data = in_a_child(functools.partial(built, parts))
        if not data:
            found.outcomes["not built"] += 1
            continue
        scratch.write_bytes(data)
        del data
        answer = in_a_child(functools.partial(opened, scratch))
        if not answer:
            found.outcomes["crashed or beyond the limits"] += 1
            print(f"{seed}/{number}: crashed or beyond the limits", flush=True)
            continue
        outcome, seconds, megabytes, size = json.loads(answer)
        found.outcomes[outcome] += 1
        if outcome.startswith("refused by the walk"):
            continue
        is_trees = parts[0][0] == "ensemble"
        found.costs.append(
            (is_trees, sorted({part[0] for part in parts}), seconds, megabytes, size)
        )
        score = max(seconds / MOST_SECONDS, megabytes / MOST_MEGABYTES)
        if is_trees:
            score /= size / 1e6 + 1.0
        elite = elites[is_trees]
        elite.append((score, parts))
        elite.sort(key=lambda one: -one[0])
        if elite[0][1] is parts:
            shown = ", ".join(name for name, *_ in parts)
            print(f"{seed}/{number}: {seconds:.2f} s, {megabytes:.0f} MB: {shown}", flush=True)
        del elite[ELITE:]
    return found


def summary(found: Sequence[Found]) -> dict[str, Any]:
    """What is kept: the distribution of costs."""
    outcomes: Counter[str] = Counter()
    for one in found:
        outcomes += one.outcomes
    costs = [cost for one in found for cost in one.costs]
    graphs = [cost for cost in costs if not cost[0]]
    trees = [cost for cost in costs if cost[0] and cost[4] >= SMALLEST_TREES]
    names = sorted({name for _, parts, *_ in costs for name in parts})
    return {
        "onnxruntime": onnxruntime.__version__,
        "candidates": outcomes.total(),
        "outcomes": dict(sorted(outcomes.items())),
        "graphs": {
            "opened or refused by onnxruntime": len(graphs),
            "seconds": quantiles([cost[2] for cost in graphs]),
            "megabytes": quantiles([cost[3] for cost in graphs]),
        },
        "tree ensembles, for each megabyte of their file": {
            "opened or refused by onnxruntime": len(trees),
            "seconds": quantiles([cost[2] / cost[4] * 1e6 for cost in trees]),
            "megabytes": quantiles([cost[3] / cost[4] * 1e6 for cost in trees]),
        },
        "dearest with a part": {
            name: {
                "seconds": round(max(cost[2] for cost in costs if name in cost[1]), 2),
                "megabytes": round(max(cost[3] for cost in costs if name in cost[1])),
            }
            for name in names
        },
    }


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--candidates", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=120.0, help="stop after so long")
    parser.add_argument("--save", action="store_true", help="keep the costs in opening.json")
    arguments = parser.parse_args()
    each = math.ceil(arguments.candidates / arguments.jobs)
    seeds = [arguments.seed + number for number in range(arguments.jobs)]
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(arguments.jobs) as pool:
        searches = [pool.submit(search, each, seed, folder, arguments.minutes) for seed in seeds]
        found = [one.result() for one in searches]
    text = json.dumps(summary(found), indent=2) + "\n"
    print(text)
    if arguments.save:
        KEPT.write_text(text, encoding="utf-8")
    missed = [cost for one in found for cost in one.costs if not cost[0]]
    if max(cost[2] for cost in missed) > MOST_SECONDS:
        raise SystemExit(f"a graph that is accepted took more than {MOST_SECONDS} s")
    if max(cost[3] for cost in missed) > MOST_MEGABYTES:
        raise SystemExit(f"a graph that is accepted took more than {MOST_MEGABYTES} MB")


if __name__ == "__main__":
    main()
