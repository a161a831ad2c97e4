"""The graph of a described network of torch: float64, from operators that an artifact may hold.

The runtimes have neither an LSTM nor a GRU nor a convolution in float64. So a recurrent layer is
written row after row, which bounds how many rows there may be, and a convolution as a product of
matrices over the rows that it sees. Weights stay as the file has them and are widened in the graph.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from aegismatrix_factory.rescue.converting.errors import OversizedModelError
from aegismatrix_factory.rescue.converting.network_descriptions import (
    OUTPUTS,
    ROWS,
    Cell,
    Shape,
    Step,
)
from aegismatrix_factory.rescue.converting.parameters import FloatArray
from aegismatrix_factory.rescue.converting.writing import Writer

MOST_NODES = 9_000
"""Of a graph; an artifact may have 10,000."""

NODES_PER_ROW = {"lstm": 15, "gru": 16, "rnn": 5}
"""What one row takes of one layer, both directions together."""

SELU_SCALE, SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717
_LARGEST_ERFC = 26.0
_ERFC_TERMS = 40


def write_network(steps: Sequence[Step], writer: Writer, x: str, *, is_single: bool) -> str:
    """Write the layers of a network.

    Parameters
    ----------
    steps : sequence of Step
    writer : Writer
    x : str
        The input, float64.
    is_single : bool
        Whether torch was given float32, to which the input is rounded, therefore.

    Returns
    -------
    str
        The last value.

    Raises
    ------
    OversizedModelError
        If it has more nodes than an artifact may have.
    """
    count = _rows_of_all(steps)
    if count > MOST_NODES:
        raise _oversized(f"its recurrent layers take {count} nodes, row after row")
    author = _Author(writer)
    if is_single:
        x = writer.doubled(writer.single(x))
    said = author.chain(steps, x)
    nodes = len(writer.model.graph.node)
    if nodes > MOST_NODES:
        raise _oversized(f"its graph has {nodes} nodes")
    return said


def _oversized(reason: str) -> OversizedModelError:
    return OversizedModelError(
        f"{reason}, allowed are {MOST_NODES}",
        remedy="Use fewer rows or layers, and train the network again.",
    )


def _rows_of_all(steps: Sequence[Step]) -> int:
    count = 0
    for step in steps:
        if step.cells:
            length = step.given[1 if step.options["batch_first"] else 0]
            assert isinstance(length, int)
            count += NODES_PER_ROW[step.kind] * length * len(step.cells)
        count += sum(_rows_of_all(branch) for branch in step.branches)
    return count


_Written: TypeAlias = Callable[["_Author", Step, str], str]


class _Author:
    """Writes one layer after the other."""

    def __init__(self, writer: Writer) -> None:
        self.w = writer
        self._places: dict[int, str] = {}

    def chain(self, steps: Sequence[Step], x: str) -> str:
        for step in steps:
            x = _WRITTEN[step.kind](self, step, x)
        return x

    def branches(self, step: Step, x: str) -> list[str]:
        return [self.chain(branch, x) for branch in step.branches]

    def weights(self, values: NDArray[Any]) -> str:
        """Append weights of the file, as it has them, and widen them."""
        if values.dtype == np.float64:
            return self.w.weight(values)
        return self.w.doubled(self.w.weight(values.astype(np.float32)))

    def constant(self, value: float, shape: Shape) -> str:
        """Append a number as often as the shortest axis has it that has several.

        onnxruntime takes a factor of one element into a product of matrices beside it, as float32.
        """
        several = [one for one in shape if isinstance(one, int) and one > 1]
        place = shape.index(min(several)) if several else -1
        lengths = [min(several) if axis == place else 1 for axis in range(len(shape))]
        return self.w.weight(np.full(lengths, float(value)))

    def times(self, x: str, value: float, shape: Shape) -> str:
        if math.prod(one for one in shape if isinstance(one, int)) > 1:
            return self.w.add("Mul", [x, self.constant(value, shape)])
        factor = self.w.weight(np.full((1, 1), float(value)))
        return self.w.add("MatMul", [factor, x] if shape[-1] == ROWS else [x, factor])

    def times_each(self, x: str, factors: FloatArray, shape: Shape) -> str:
        if factors.size == 1:
            return self.times(x, float(factors.reshape(-1)[0]), shape)
        return self.w.add("Mul", [x, self.w.weight(factors)])

    def plus(self, x: str, values: NDArray[Any] | None) -> str:
        """Add what the file has, in float64; nothing where it has nothing."""
        if values is None:
            return x
        return self.w.add("Add", [x, self.w.weight(values.astype(np.float64))])

    def reduced(self, operator: str, x: str, *axes: int, keeps: bool = False) -> str:
        return self.w.add(operator, [x, self.w.axes(*axes)], keepdims=int(keeps))

    def reshaped(self, x: str, *shape: int) -> str:
        return self.w.add("Reshape", [x, self.w.axes(*shape)])

    def at(self, x: str, place: int, axis: int) -> str:
        if place not in self._places:
            self._places[place] = self.w.weight(np.array(place, dtype=np.int64))
        return self.w.add("Gather", [x, self._places[place]], axis=axis)

    def picked(self, x: str, places: Sequence[int] | NDArray[np.int64], axis: int) -> str:
        return self.w.add(
            "Gather", [x, self.w.weight(np.asarray(places, dtype=np.int64))], axis=axis
        )

    def backwards(self, x: str, axis: int) -> str:
        # To before the first: the end of a backward slice is left out.
        ends = [self.w.axes(one) for one in (-1, np.iinfo(np.int64).min, axis, -1)]
        return self.w.add("Slice", [x, *ends])


def _linear(a: _Author, step: Step, x: str) -> str:
    product = a.w.add("MatMul", [x, a.weights(step.arrays["weight"].T)])
    return a.plus(product, step.arrays.get("bias"))


def _parameter(a: _Author, step: Step, x: str) -> str:
    (value,) = step.arrays.values()
    operation = step.options["operation"]
    if operation == "matmul":
        return a.w.add("MatMul", [x, a.weights(value)])
    if operation == "add":
        return a.plus(x, value)
    return a.times_each(x, value.astype(np.float64), step.gives)


def _sequence(a: _Author, step: Step, x: str) -> str:
    first = step.options["batch_first"]
    length = step.given[1 if first else 0]
    assert isinstance(length, int)
    # Rows first, (rows, N, inputs).
    states = a.w.add("Transpose", [x], perm=[1, 0, 2]) if first else x
    last = states
    for cells in step.cells:
        every = _LAYERS[step.kind](a, step, cells, _both_ways(a, states, len(cells)), length)
        last = every[-1]
        states = _side_by_side(a, every, cells[0].state_weights.shape[1], len(cells))
    output = step.options["output"]
    if output == OUTPUTS[0]:
        return a.w.add("Transpose", [states], perm=[1, 0, 2]) if first else states
    if output == OUTPUTS[1]:
        return a.at(last, len(step.cells[-1]) - 1, 0)
    return a.w.add("Concat", [a.at(last, 0, 0), a.at(last, 1, 0)], axis=1)


def _both_ways(a: _Author, x: str, directions: int) -> str:
    """(directions, rows, N, inputs), the second from the last row to the first."""
    ahead = a.w.add("Unsqueeze", [x, a.w.axes(0)])
    if directions == 1:
        return ahead
    back = a.w.add("Unsqueeze", [a.backwards(x, 0), a.w.axes(0)])
    return a.w.add("Concat", [ahead, back], axis=0)


def _side_by_side(a: _Author, every: list[str], hidden: int, directions: int) -> str:
    """(rows, N, directions * hidden) of the states (directions, N, hidden) of each row."""
    together = a.w.add("Concat", every, axis=0)
    if directions == 1:
        return together
    together = a.reshaped(together, len(every), directions, -1, hidden)
    back = a.backwards(a.at(together, 1, 1), 0)
    return a.w.add("Concat", [a.at(together, 0, 1), back], axis=2)


def _gates(arrays: Sequence[NDArray[Any]], order: Sequence[int]) -> NDArray[Any]:
    """(gates, directions, inputs, hidden) of one matrix for each direction."""
    count = len(order)
    parted = [one.reshape(count, -1, one.shape[-1])[list(order)] for one in arrays]
    return np.asarray(np.stack(parted, axis=1).transpose(0, 1, 3, 2))


def _biases(cells: Sequence[Cell], order: Sequence[int], *, of: Sequence[str]) -> FloatArray | None:
    """(gates, directions, 1, 1, hidden): the sum of some biases, in float64."""
    if cells[0].input_bias is None:
        return None
    sums = [sum(getattr(cell, name).astype(np.float64) for name in of) for cell in cells]
    parted = [np.asarray(one).reshape(len(order), -1)[list(order)] for one in sums]
    return np.stack(parted, axis=1)[:, :, None, None, :]


def _entered(
    a: _Author, x: str, cells: Sequence[Cell], order: Sequence[int], bias: FloatArray | None
) -> str:
    """What the input says of the gates, of all rows: (gates, directions, rows, N, hidden)."""
    weights = _gates([cell.input_weights for cell in cells], order)
    return a.plus(a.w.add("MatMul", [x, a.weights(weights[:, :, None])]), bias)


def _lstm(a: _Author, step: Step, cells: Sequence[Cell], x: str, length: int) -> list[str]:
    del step
    # Input, forget and output gate first, then the cell's.
    order = (0, 1, 3, 2)
    bias = _biases(cells, order, of=("input_bias", "state_bias"))
    entered = _entered(a, x, cells, order, bias)
    recurrence = a.weights(_gates([cell.state_weights for cell in cells], order))
    bounds = [a.w.axes(one) for one in (0, 3, 0)]
    states: list[str] = []
    cell = ""
    for row in range(length):
        gates = a.at(entered, row, 2)
        if states:
            gates = a.w.add("Add", [gates, a.w.add("MatMul", [states[-1], recurrence])])
        opened = a.w.add("Sigmoid", [a.w.add("Slice", [gates, *bounds])])
        candidate = a.w.add("Tanh", [a.at(gates, 3, 0)])
        fresh = a.w.add("Mul", [a.at(opened, 0, 0), candidate])
        if cell:
            kept = a.w.add("Mul", [a.at(opened, 1, 0), cell])
            fresh = a.w.add("Add", [kept, fresh])
        cell = fresh
        states.append(a.w.add("Mul", [a.at(opened, 2, 0), a.w.add("Tanh", [cell])]))
    return states


def _gru(a: _Author, step: Step, cells: Sequence[Cell], x: str, length: int) -> list[str]:
    """Reset after the product, as torch has it: the state's bias of the new gate is inside."""
    del step
    order = (0, 1, 2)
    bias = _biases(cells, order, of=("input_bias",))
    state_bias = _biases(cells, order, of=("state_bias",))
    if bias is not None and state_bias is not None:
        bias[:2] += state_bias[:2]
    entered = _entered(a, x, cells, order, bias)
    recurrence = _gates([cell.state_weights for cell in cells], order)
    gating, renewing = a.weights(recurrence[:2]), a.weights(recurrence[2])
    inside = None if state_bias is None else a.w.weight(state_bias[2, :, 0])
    bounds = [a.w.axes(one) for one in (0, 2, 0)]
    states: list[str] = []
    for row in range(length):
        given = a.at(entered, row, 2)
        gates = a.w.add("Slice", [given, *bounds])
        fresh = a.at(given, 2, 0)
        if states:
            gates = a.w.add("Add", [gates, a.w.add("MatMul", [states[-1], gating])])
        opened = a.w.add("Sigmoid", [gates])
        again = inside
        if states:
            again = a.w.add("MatMul", [states[-1], renewing])
            again = again if inside is None else a.w.add("Add", [again, inside])
        if again is not None:
            again = a.w.add("Mul", [a.at(opened, 0, 0), again])
            fresh = a.w.add("Add", [fresh, again])
        fresh = a.w.add("Tanh", [fresh])
        update = a.at(opened, 1, 0)
        if states:
            change = a.w.add("Mul", [update, a.w.add("Sub", [states[-1], fresh])])
            states.append(a.w.add("Add", [fresh, change]))
        else:
            states.append(a.w.add("Sub", [fresh, a.w.add("Mul", [update, fresh])]))
    return states


def _rnn(a: _Author, step: Step, cells: Sequence[Cell], x: str, length: int) -> list[str]:
    bias = _biases(cells, (0,), of=("input_bias", "state_bias"))
    entered = _entered(a, x, cells, (0,), bias)
    recurrence = a.weights(_gates([cell.state_weights for cell in cells], (0,))[0])
    operator = "Tanh" if step.options["nonlinearity"] == "tanh" else "Relu"
    entered = a.at(entered, 0, 0)
    states: list[str] = []
    for row in range(length):
        given = a.at(entered, row, 1)
        if states:
            given = a.w.add("Add", [given, a.w.add("MatMul", [states[-1], recurrence])])
        states.append(a.w.add(operator, [given]))
    return states


_LAYERS = {"lstm": _lstm, "gru": _gru, "rnn": _rnn}


def _conv1d(a: _Author, step: Step, x: str) -> str:
    outward, inward, kernel = step.arrays["weight"].shape
    length, count = step.given[2], step.gives[2]
    assert isinstance(length, int)
    assert isinstance(count, int)
    before, after = step.options["pads"]
    places = np.arange(count)[:, None] * step.options["stride"]
    places = (places + np.arange(kernel) * step.options["dilation"]).reshape(-1)
    mode = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}.get(
        step.options["padding_mode"]
    )
    if mode is not None:
        places = np.pad(np.arange(length), (before, after), mode=mode)[places]  # type: ignore[call-overload]
    elif before or after:
        x = a.w.add("Pad", [x, a.w.axes(0, 0, before, 0, 0, after)])
    seen = a.reshaped(a.picked(x, places, 2), -1, inward, count, kernel)
    seen = a.w.add("Transpose", [seen], perm=[0, 2, 1, 3])
    seen = a.reshaped(seen, -1, count, inward * kernel)
    weights = step.arrays["weight"].reshape(outward, inward * kernel).T
    said = a.plus(a.w.add("MatMul", [seen, a.weights(weights)]), step.arrays.get("bias"))
    return a.w.add("Transpose", [said], perm=[0, 2, 1])


def _max_pool(a: _Author, step: Step, x: str) -> str:
    length, count = step.given[2], step.gives[2]
    assert isinstance(length, int)
    assert isinstance(count, int)
    places = np.arange(count)[:, None] * step.options["stride"] - step.options["padding"]
    # A place beyond an end stands for the end itself, which is among those that are seen there.
    places = np.clip(places + np.arange(step.options["kernel_size"]), 0, length - 1)
    seen = a.picked(x, places.reshape(-1), 2)
    channels = step.given[1]
    assert isinstance(channels, int)
    seen = a.reshaped(seen, -1, channels, count, step.options["kernel_size"])
    return a.reduced("ReduceMax", seen, 3)


def _mean_pool(a: _Author, step: Step, x: str) -> str:
    length, count = step.given[2], step.gives[2]
    assert isinstance(length, int)
    assert isinstance(count, int)
    shares = np.zeros((length, count))
    for place in range(count):
        if step.kind == "avg_pool1d":
            begin = place * step.options["stride"]
            end = begin + step.options["kernel_size"]
        else:
            begin, end = place * length // count, -(-(place + 1) * length // count)
        shares[begin:end, place] = 1.0 / (end - begin)
    return a.w.add("MatMul", [x, a.w.weight(shares)])


def _batch_norm(a: _Author, step: Step, x: str) -> str:
    ends = (-1,) + (1,) * (len(step.given) - 2)
    arrays = {role: one.astype(np.float64).reshape(ends) for role, one in step.arrays.items()}
    factor = 1.0 / np.sqrt(arrays["running_var"] + step.options["eps"])
    if "weight" in arrays:
        factor = factor * arrays["weight"]
    moved = a.w.add("Sub", [x, a.w.weight(arrays["running_mean"])])
    return a.plus(a.times_each(moved, factor, step.given), arrays.get("bias"))


def _layer_norm(a: _Author, step: Step, x: str) -> str:
    weight = step.arrays["weight"].astype(np.float64)
    axes = range(len(step.given) - weight.ndim, len(step.given))
    moved = a.w.add("Sub", [x, a.reduced("ReduceMean", x, *axes, keeps=True)])
    spread = a.reduced("ReduceMean", a.w.add("Mul", [moved, moved]), *axes, keeps=True)
    spread = a.w.add("Sqrt", [a.w.add("Add", [spread, a.w.number(step.options["eps"])])])
    scaled = a.times_each(a.w.add("Div", [moved, spread]), weight, step.given)
    return a.plus(scaled, step.arrays.get("bias"))


def _prelu(a: _Author, step: Step, x: str) -> str:
    weight = step.arrays["weight"].astype(np.float64)
    if weight.size > 1:
        weight = weight.reshape((-1,) + (1,) * (len(step.given) - 2))
    below = a.times_each(_below(a, x), weight, step.given)
    return a.w.add("Add", [_above(a, x), below])


def _above(a: _Author, x: str) -> str:
    return a.w.add("Max", [x, a.w.number(0.0)])


def _below(a: _Author, x: str) -> str:
    return a.w.add("Min", [x, a.w.number(0.0)])


def _leaky_relu(a: _Author, step: Step, x: str) -> str:
    below = a.times(_below(a, x), step.options["negative_slope"], step.given)
    return a.w.add("Add", [_above(a, x), below])


def _raised_below(a: _Author, x: str, alpha: float, shape: Shape) -> str:
    """``alpha * (exp(x) - 1)`` below 0, and 0 above."""
    raised = a.w.add("Sub", [a.w.add("Exp", [_below(a, x)]), a.w.number(1.0)])
    return a.times(raised, alpha, shape)


def _elu(a: _Author, step: Step, x: str) -> str:
    below = _raised_below(a, x, step.options["alpha"], step.given)
    return a.w.add("Add", [_above(a, x), below])


def _selu(a: _Author, step: Step, x: str) -> str:
    below = _raised_below(a, x, SELU_ALPHA, step.given)
    return a.times(a.w.add("Add", [_above(a, x), below]), SELU_SCALE, step.given)


def _silu(a: _Author, step: Step, x: str) -> str:
    del step
    return a.w.add("Mul", [x, a.w.sigmoid(x)])


def _gelu(a: _Author, step: Step, x: str) -> str:
    if step.options["approximate"] == "tanh":
        cube = a.times(a.w.add("Mul", [a.w.add("Mul", [x, x]), x]), 0.044715, step.given)
        inner = a.times(a.w.add("Add", [x, cube]), math.sqrt(2.0 / math.pi), step.given)
        share = a.w.add("Add", [a.w.add("Tanh", [inner]), a.w.number(1.0)])
        return a.times(a.w.add("Mul", [x, share]), 0.5, step.given)
    scaled = a.times(x, math.sqrt(0.5), step.given)
    tail = a.times(_erfc(a, a.w.add("Abs", [scaled]), step.given), 0.5, step.given)
    over = a.w.add("Sub", [a.w.number(1.0), tail])
    is_above = a.w.add("Greater", [x, a.w.number(0.0)])
    return a.w.add("Mul", [x, a.w.add("Where", [is_above, over, tail])])


def _erfc(a: _Author, z: str, shape: Shape) -> str:
    """The complementary error function of what is not below 0.

    ``t exp(-z^2 + P(t))`` with ``t = 2 / (2 + z)`` and a Chebyshev series P, fitted to Python's
    own; beyond 26 it is below 1e-295. No runtime has the error function in float64.
    """
    lowest = 2.0 / (2.0 + _LARGEST_ERFC)

    def exponent(u: Any) -> Any:
        t = lowest + (u + 1.0) * (1.0 - lowest) / 2.0
        z = np.maximum(2.0 / t - 2.0, 0.0)
        return np.log([math.erfc(one) for one in z]) - np.log(t) + z * z

    series = np.polynomial.chebyshev.chebinterpolate(exponent, _ERFC_TERMS)
    z = a.w.add("Min", [z, a.w.number(_LARGEST_ERFC)])
    t = a.w.add("Div", [a.w.number(2.0), a.w.add("Add", [z, a.w.number(2.0)])])
    slope = 2.0 / (1.0 - lowest)
    u = a.w.add("Add", [a.times(t, slope, shape), a.w.number(-1.0 - lowest * slope)])
    twice = a.w.add("Add", [u, u])
    # Clenshaw's recurrence.
    older, newer = a.constant(0.0, shape), a.constant(float(series[-1]), shape)
    for one in series[-2:0:-1]:
        value = a.w.add("Add", [a.w.add("Mul", [twice, newer]), a.w.number(float(one))])
        older, newer = newer, a.w.add("Sub", [value, older])
    total = a.w.add("Add", [a.w.add("Mul", [u, newer]), a.w.number(float(series[0]))])
    total = a.w.add("Sub", [total, older])
    power = a.w.add("Sub", [total, a.w.add("Mul", [z, z])])
    return a.w.add("Mul", [t, a.w.add("Exp", [power])])


def _softplus(a: _Author, step: Step, x: str) -> str:
    beta = step.options["beta"]
    z = a.times(x, beta, step.given)
    raised = a.w.add("Exp", [a.w.add("Neg", [a.w.add("Abs", [z])])])
    soft = a.w.add("Log", [a.w.add("Add", [raised, a.w.number(1.0)])])
    soft = a.times(a.w.add("Add", [_above(a, z), soft]), 1.0 / beta, step.given)
    is_linear = a.w.add("Greater", [z, a.w.number(step.options["threshold"])])
    return a.w.add("Where", [is_linear, x, soft])


def _softmax(a: _Author, step: Step, x: str) -> str:
    return a.w.add("Softmax", [x], axis=step.options["axis"])


def _log_softmax(a: _Author, step: Step, x: str) -> str:
    axis = step.options["axis"]
    moved = a.w.add("Sub", [x, a.reduced("ReduceMax", x, axis, keeps=True)])
    total = a.reduced("ReduceSum", a.w.add("Exp", [moved]), axis, keeps=True)
    return a.w.add("Sub", [moved, a.w.add("Log", [total])])


def _attention(a: _Author, step: Step, x: str) -> str:
    (scores,) = a.branches(step, x)
    steps = step.branches[0]
    if len(steps[-1].gives if steps else step.given) == 2:
        scores = a.w.add("Unsqueeze", [scores, a.w.axes(2)])
    shares = a.w.add("Softmax", [scores], axis=1)
    return a.reduced("ReduceSum", a.w.add("Mul", [shares, x]), 1)


def _multi_head(a: _Author, step: Step, x: str) -> str:
    """Of each row with all rows, itself among them, as ``attention(x, x, x)``."""
    first, heads = step.options["batch_first"], step.options["num_heads"]
    length = step.given[1 if first else 0]
    width = step.arrays["out_proj.weight"].shape[0]
    assert isinstance(length, int)
    each = width // heads
    x = x if first else a.w.add("Transpose", [x], perm=[1, 0, 2])
    entered = a.w.add("MatMul", [x, a.weights(step.arrays["in_proj_weight"].T)])
    entered = a.plus(entered, step.arrays.get("in_proj_bias"))
    parted = a.reshaped(entered, -1, length, 3, heads, each)
    # (query, key and value, N, heads, rows, each).
    parted = a.w.add("Transpose", [parted], perm=[2, 0, 3, 1, 4])
    shape = (ROWS, heads, length, each)
    query = a.times(a.at(parted, 0, 0), 1.0 / math.sqrt(each), shape)
    key = a.w.add("Transpose", [a.at(parted, 1, 0)], perm=[0, 1, 3, 2])
    shares = a.w.add("Softmax", [a.w.add("MatMul", [query, key])], axis=3)
    said = a.w.add("MatMul", [shares, a.at(parted, 2, 0)])
    said = a.reshaped(a.w.add("Transpose", [said], perm=[0, 2, 1, 3]), -1, length, width)
    said = a.w.add("MatMul", [said, a.weights(step.arrays["out_proj.weight"].T)])
    said = a.plus(said, step.arrays.get("out_proj.bias"))
    return said if first else a.w.add("Transpose", [said], perm=[1, 0, 2])


def _together(operator: str) -> _Written:
    def write(a: _Author, step: Step, x: str) -> str:
        said, *others = a.branches(step, x)
        for one in others:
            said = a.w.add(operator, [said, one])
        return said

    return write


def _reduction(operator: str) -> _Written:
    return lambda a, step, x: a.reduced(operator, x, step.options["axis"])


def _plain(operator: str) -> _Written:
    def write(a: _Author, step: Step, x: str) -> str:
        del step
        return a.w.add(operator, [x])

    return write


def _sigmoid(a: _Author, step: Step, x: str) -> str:
    del step
    return a.w.sigmoid(x)


def _nothing(a: _Author, step: Step, x: str) -> str:
    del a, step
    return x


def _rows_flat(a: _Author, step: Step, x: str) -> str:
    return a.reshaped(x, *(-1 if one == ROWS else int(one) for one in step.gives))


def _narrow(a: _Author, step: Step, x: str) -> str:
    start = step.options["start"]
    ends = (start, start + step.options["length"], step.options["axis"])
    return a.w.add("Slice", [x, *(a.w.axes(one) for one in ends)])


def _repeat(a: _Author, step: Step, x: str) -> str:
    axis = step.options["axis"]
    length = step.given[axis]
    assert isinstance(length, int)
    return a.picked(x, np.tile(np.arange(length), step.options["times"]), axis)


_WRITTEN: Mapping[str, _Written] = {
    "linear": _linear,
    "parameter": _parameter,
    "lstm": _sequence,
    "gru": _sequence,
    "rnn": _sequence,
    "multihead_attention": _multi_head,
    "conv1d": _conv1d,
    "batch_norm1d": _batch_norm,
    "layer_norm": _layer_norm,
    "prelu": _prelu,
    "dropout": _nothing,
    "relu": _plain("Relu"),
    "tanh": _plain("Tanh"),
    "sigmoid": _sigmoid,
    "silu": _silu,
    "selu": _selu,
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "gelu": _gelu,
    "softplus": _softplus,
    "scale": lambda a, step, x: a.times(x, step.options["factor"], step.given),
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "mean": _reduction("ReduceMean"),
    "sum": _reduction("ReduceSum"),
    "max": _reduction("ReduceMax"),
    "select": lambda a, step, x: a.at(x, step.options["index"], step.options["axis"]),
    "narrow": _narrow,
    "repeat": _repeat,
    "max_pool1d": _max_pool,
    "avg_pool1d": _mean_pool,
    "adaptive_avg_pool1d": _mean_pool,
    "flatten": _rows_flat,
    "reshape": _rows_flat,
    "permute": lambda a, step, x: a.w.add("Transpose", [x], perm=step.options["axes"]),
    "unsqueeze": lambda a, step, x: a.w.add("Unsqueeze", [x, a.w.axes(step.options["axis"])]),
    "squeeze": lambda a, step, x: a.w.add("Squeeze", [x, a.w.axes(step.options["axis"])]),
    "concat": lambda a, step, x: a.w.add("Concat", a.branches(step, x), axis=step.options["axis"]),
    "add": _together("Add"),
    "multiply": _together("Mul"),
    "matmul": _together("MatMul"),
    "attention": _attention,
}
