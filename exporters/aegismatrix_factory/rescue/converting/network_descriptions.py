"""Reads the file beside a torch checkpoint that says what weights do not: `NAME.model.json`.

Each layer is one step of the network's ``forward()``, with the meaning, the axes and the names that
torch has for it; shapes are followed from the input to the output, ``N`` being the rows that are
asked about at once. Nothing has a default: what is not said is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from aegismatrix_factory.rescue.converting.errors import DescriptionError
from aegismatrix_factory.rescue.converting.network_structure import Found, Tensors
from aegismatrix_factory.rescue.reading.errors import clipped

Shape: TypeAlias = tuple[int | str, ...]
"""Lengths of the axes; `N` for that of the rows."""

ROWS = "N"
FORMAT = 1
MAX_LAYERS = 500
MAX_DEPTH = 8
MAX_NUMBERS = 2**20
"""Of one value between two layers, for one row."""

MAX_ALL_NUMBERS = 2**24
"""Of all values together, and of what is made of them on the way."""

OUTPUTS = ("out", "h_n[-1]", "cat(h_n[-2], h_n[-1])")
PADDINGS = ("zeros", "reflect", "replicate", "circular")
OPERATIONS = ("matmul", "add", "multiply")
_NETWORK = frozenset(
    {"format", "note", "input", "in_order_of_forward", "layers", "unused", "example"}
)
_LONGEST = 65_536


@dataclass(frozen=True, eq=False)
class Cell:
    """One layer of a recurrent network in one direction; gates in the order of torch.

    Attributes
    ----------
    input_weights : ndarray of shape (gates * hidden, inputs)
    state_weights : ndarray of shape (gates * hidden, hidden)
    input_bias, state_bias : ndarray of shape (gates * hidden,), or None
    """

    input_weights: NDArray[Any]
    state_weights: NDArray[Any]
    input_bias: NDArray[Any] | None
    state_bias: NDArray[Any] | None


@dataclass(frozen=True, eq=False)
class Step:
    """One layer: what it is, with what, and the shapes before and after it.

    Attributes
    ----------
    kind : str
    options : mapping
        As the description has them; axes count from the front.
    arrays : mapping of str to ndarray
        By role.
    cells : tuple of tuple of Cell
        Of a recurrent layer, its layers and in each the directions.
    branches : tuple of tuple of Step
        What is computed side by side from the same value.
    given, gives : Shape
    """

    kind: str
    options: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]]
    cells: tuple[tuple[Cell, ...], ...]
    branches: tuple[tuple[Step, ...], ...]
    given: Shape
    gives: Shape


@dataclass(frozen=True, eq=False)
class Described:
    """A network as its description has it.

    Attributes
    ----------
    input, output : Shape
        The rows are the first axis.
    steps : tuple of Step
    unused : tuple of str
        Layers that it says are not asked, such as a head that was for training.
    example : tuple of (ndarray, ndarray), or None
        Rows, and what torch answered.
    """

    input: Shape
    output: Shape
    steps: tuple[Step, ...]
    unused: tuple[str, ...]
    example: tuple[NDArray[np.float64], NDArray[np.float64]] | None


def describe(said: object, found: Sequence[Found], tensors: Tensors) -> Described:
    """Read the description of one network.

    Parameters
    ----------
    said : object
        From its file.
    found : sequence of Found
        What its tensors say.
    tensors : mapping of str to ndarray
        They themselves.

    Returns
    -------
    Described

    Raises
    ------
    DescriptionError
        Naming the place: a key that is not known or not there, a null that was left, a tensor that
        no layer or more than one uses, shapes that do not fit.
    """
    content = _object(said, "the description")
    _refuse_others(content, _NETWORK, "the description")
    if content.get("format") != FORMAT or isinstance(content.get("format"), bool):
        raise DescriptionError("format", f"is not {FORMAT}")
    if content.get("in_order_of_forward") is not True:
        raise DescriptionError(
            "in_order_of_forward",
            "is not true: put the layers in the order of forward(), and say so",
        )
    shape = _input(content.get("input"))
    parser = _Parser(found, tensors)
    steps = parser.steps(content.get("layers"), shape, "layers", 0)
    if not steps:
        raise DescriptionError("layers", "has none")
    unused = parser.check_all_used(content.get("unused"))
    gives = steps[-1].gives
    if gives[0] != ROWS:
        raise DescriptionError("layers", f"ends with the shape {_shown(gives)}; N must be first")
    return Described(shape, gives, steps, unused, _example(content.get("example"), shape, gives))


def _input(given: object) -> Shape:
    where = "input"
    if not isinstance(given, list) or not 2 <= len(given) <= 5:
        raise DescriptionError(
            where, 'is not a shape of two to five axes as torch was given it, such as ["N", 20, 5]'
        )
    if given[0] != ROWS:
        raise DescriptionError(
            where,
            'does not begin with "N", the rows; where torch was given them second, begin the layers'
            ' with {"kind": "permute", "axes": [1, 0, 2]}',
        )
    shape: Shape = (
        ROWS,
        *(_count(one, f"input[{place}]") for place, one in enumerate(given[1:], 1)),
    )
    _bounded(shape, where)
    return shape


def _example(
    given: object, shape: Shape, gives: Shape
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    if given is None:
        return None
    content = _object(given, "example")
    _refuse_others(content, {"x", "y", "note"}, "example")
    x = _numbers(content.get("x"), shape, "example.x")
    y = _numbers(content.get("y"), gives, "example.y")
    if len(x) != len(y):
        raise DescriptionError("example", f"has {len(x)} rows of x and {len(y)} of y")
    return x, y


def _numbers(given: object, shape: Shape, where: str) -> NDArray[np.float64]:
    """Nested lists of numbers."""
    flat: list[float] = []
    lengths: list[int] = []

    def take(one: object, axis: int) -> None:
        if axis == len(shape):
            flat.append(_number(one, where))
            return
        if not isinstance(one, list) or not one:
            raise DescriptionError(where, f"is not nested lists of the shape {_shown(shape)}")
        if axis == len(lengths):
            lengths.append(len(one))
        if len(one) != lengths[axis] or (shape[axis] not in (ROWS, len(one))):
            raise DescriptionError(where, f"is not nested lists of the shape {_shown(shape)}")
        for inner in one:
            take(inner, axis + 1)

    take(given, 0)
    return np.array(flat, dtype=np.float64).reshape(lengths)


class _Parser:
    """Reads layers, and counts the tensors that they use."""

    def __init__(self, found: Sequence[Found], tensors: Tensors) -> None:
        self.found = {one.weights: one for one in found}
        self.tensors = tensors
        self.used: dict[str, str] = {}
        self.count = 0
        self.numbers = 0

    def steps(self, given: object, shape: Shape, where: str, depth: int) -> tuple[Step, ...]:
        """Read one list of layers."""
        if not isinstance(given, list):
            raise DescriptionError(where, "is not a list of layers")
        if depth > MAX_DEPTH:
            raise DescriptionError(where, f"is more than {MAX_DEPTH} branches deep")
        steps: list[Step] = []
        for place, one in enumerate(given):
            steps.append(self.step(one, shape, f"{where}[{place}]", depth))
            shape = steps[-1].gives
        return tuple(steps)

    def step(self, given: object, shape: Shape, where: str, depth: int) -> Step:
        """Read one layer."""
        self.count += 1
        if self.count > MAX_LAYERS:
            raise DescriptionError(where, f"is beyond {MAX_LAYERS} layers")
        if given is None:
            raise DescriptionError(
                where, "is null: say what is done there, or delete it if that is nothing"
            )
        layer = _object(given, where)
        name = layer.get("kind")
        if name is None:
            raise DescriptionError(f"{where}.kind", "is null")
        kind = KINDS.get(name) if isinstance(name, str) else None
        if kind is None:
            raise DescriptionError(
                f"{where}.kind",
                f"is {clipped(repr(name))}, which is none of those that docs/rescue.md lists",
            )
        if len(shape) < 2:
            raise DescriptionError(where, "is given one number a row, and takes an axis of them")
        known = {"kind", "note", *kind.options, *(("weights",) if kind.weights else ())}
        known |= {kind.branches} - {""}
        _refuse_others(layer, known, where)
        options = {}
        for key, check in kind.options.items():
            if layer.get(key) is None:
                raise DescriptionError(f"{where}.{key}", "is null, or not there")
            options[key] = check(layer[key], f"{where}.{key}")
        arrays: dict[str, NDArray[Any]] = {}
        cells: tuple[tuple[Cell, ...], ...] = ()
        if kind.weights:
            owner = self.take(layer.get("weights"), name, where)
            arrays = {role: self.tensors[tensor] for role, tensor in owner.tensors.items()}
            if owner.layers:
                cells, arrays = _cells(owner, arrays), {}
        branches: tuple[tuple[Step, ...], ...] = ()
        if kind.branches:
            several = layer.get(kind.branches)
            if kind.branches == "scores":
                several = [several]
            if not isinstance(several, list) or not several or len(several) > 64:
                raise DescriptionError(f"{where}.{kind.branches}", "is not a list of branches")
            branches = tuple(
                self.steps(one, shape, f"{where}.{kind.branches}[{place}]", depth + 1)
                for place, one in enumerate(several)
            )
        draft = _Draft(name, where, shape, options, arrays, cells, branches)
        gives = kind.shape(draft)
        _bounded(gives, where)
        self.numbers += _size(gives) + draft.more
        if draft.more > MAX_NUMBERS or self.numbers > MAX_ALL_NUMBERS:
            raise DescriptionError(where, "is one of too many or too large layers")
        return Step(name, draft.options, arrays, cells, branches, shape, gives)

    def take(self, given: object, kind: str, where: str) -> Found:
        """Find the tensors that a layer names; no other may have named them."""
        where = f"{where}.weights"
        if not isinstance(given, str) or given not in self.found:
            names = ", ".join(clipped(repr(one), characters=40) for one in list(self.found)[:8])
            raise DescriptionError(
                where, f"is {clipped(repr(given))}, which no tensor begins with; there are {names}"
            )
        if given in self.used:
            raise DescriptionError(where, f"names {clipped(given)}, as {self.used[given]} does")
        owner = self.found[given]
        if kind == "batch_norm1d" and "layer_norm" in owner.kinds:
            raise DescriptionError(
                where,
                f"names {clipped(given)} ({owner.says}), which keeps no running statistics: a"
                " batch_norm1d without them answers by the other rows of a call, which no artifact"
                " can",
            )
        if kind not in owner.kinds:
            raise DescriptionError(
                where,
                f"names {clipped(given)} ({owner.says}), which is no {kind}, but"
                f" {' or '.join(owner.kinds)}",
            )
        self.used[given] = where
        return owner

    def check_all_used(self, unused: object) -> tuple[str, ...]:
        """Refuse tensors that no layer uses, but for those that are said to be unused."""
        if unused is None:
            unused = []
        if not isinstance(unused, list):
            raise DescriptionError("unused", "is not a list of what weights are called")
        for place, one in enumerate(unused):
            if not isinstance(one, str) or one not in self.found or one in unused[:place]:
                raise DescriptionError(
                    f"unused[{place}]", f"is {clipped(repr(one))}, which no tensor begins with"
                )
            if one in self.used:
                raise DescriptionError(
                    f"unused[{place}]", f"names {clipped(one)}, as {self.used[one]} does"
                )
        left = [one for one in self.found if one not in self.used and one not in unused]
        if left:
            name = next(iter(self.found[left[0]].tensors.values()))
            raise DescriptionError(
                "layers", f"has none that uses {clipped(name)}, and unused does not name it"
            )
        return tuple(unused)


@dataclass(eq=False)
class _Draft:
    """A layer whose shape is not known yet; `more` counts numbers that it makes on the way."""

    name: str
    where: str
    given: Shape
    options: dict[str, Any]
    arrays: Mapping[str, NDArray[Any]]
    cells: tuple[tuple[Cell, ...], ...]
    branches: tuple[tuple[Step, ...], ...]
    more: int = 0

    def refuse(self, reason: str) -> DescriptionError:
        """What is wrong with it, and what it is given."""
        return DescriptionError(self.where, f"is given the shape {_shown(self.given)}: {reason}")

    def length(self, axis: int) -> int:
        """The length of an axis that is not that of the rows."""
        found = self.given[axis]
        if not isinstance(found, int):
            raise self.refuse(
                f"it would go along axis {axis % len(self.given)}, and one row's answer would"
                " depend on the others"
            )
        return found

    def axis(self, *, more: int = 0) -> int:
        """Its axis, counted from the front."""
        axis = int(self.options["axis"])
        rank = len(self.given) + more
        if not -rank <= axis < rank:
            raise self.refuse(f"it has no axis {axis}")
        self.options["axis"] = axis % rank
        return axis % rank

    def branch(self, place: int) -> Shape:
        """What a branch gives; an empty one what it is given."""
        steps = self.branches[place]
        return steps[-1].gives if steps else self.given

    def channels(self, expected: int) -> int:
        """The length of windows (N, channels, rows)."""
        if len(self.given) != 3 or self.given[0] != ROWS:
            raise self.refuse('it takes ["N", channels, rows]; permute them before')
        if self.length(1) != expected:
            raise self.refuse(f"it takes {expected} channels")
        return self.length(2)


@dataclass(frozen=True)
class Kind:
    """What a layer of one kind is described by.

    Attributes
    ----------
    shape : callable
        From a draft to what it gives.
    options : mapping of str to callable
        What must be said.
    weights : bool
        Whether it names tensors.
    branches : str
        The key of its branches; empty where it has none.
    """

    shape: Callable[[Any], Shape]
    options: Mapping[str, Callable[[object, str], Any]] = field(default_factory=dict)
    weights: bool = False
    branches: str = ""


def _same(draft: _Draft) -> Shape:
    return draft.given


def _linear(draft: _Draft) -> Shape:
    outputs, inputs = draft.arrays["weight"].shape
    if draft.length(-1) != inputs:
        raise draft.refuse(f"it takes {inputs} as the last axis")
    return (*draft.given[:-1], outputs)


def _parameter(draft: _Draft) -> Shape:
    (value,) = draft.arrays.values()
    if draft.options["operation"] == "matmul":
        if value.ndim not in (1, 2):
            raise draft.refuse(f"it is multiplied by {value.ndim} axes")
        if draft.length(-1) != value.shape[0]:
            raise draft.refuse(f"it takes {value.shape[0]} as the last axis")
        return (*draft.given[:-1], *value.shape[1:])
    return _broadcast(draft, (draft.given, value.shape))


def _conv1d(draft: _Draft) -> Shape:
    outward, inward, kernel = draft.arrays["weight"].shape
    length = draft.channels(inward)
    stride, dilation = draft.options["stride"], draft.options["dilation"]
    reach = dilation * (kernel - 1)
    padding = draft.options["padding"]
    if padding == "same":
        if stride != 1:
            raise draft.refuse('torch pads "same" with a stride of 1 alone')
        before, after = reach // 2, reach - reach // 2
    else:
        before = after = padding
    mode = draft.options["padding_mode"]
    least = {"reflect": max(before, after) + 1, "circular": max(before, after)}.get(mode, 0)
    if length < least:
        raise draft.refuse(f"{mode} pads with more than there is")
    draft.options["pads"] = (before, after)
    there = length + before + after - reach - 1
    if there < 0:
        raise draft.refuse(f"it takes at least {reach + 1} rows")
    count = there // stride + 1
    draft.more = count * inward * kernel + length + before + after
    return (ROWS, outward, count)


def _pool(draft: _Draft) -> Shape:
    if len(draft.given) != 3 or draft.given[0] != ROWS:
        raise draft.refuse('it takes ["N", channels, rows]; permute them before')
    kernel, stride = draft.options["kernel_size"], draft.options["stride"]
    padding = draft.options["padding"]
    if padding * 2 > kernel:
        raise draft.refuse("it pads by more than half of its kernel")
    there = draft.length(2) + 2 * padding - kernel
    if there < 0:
        raise draft.refuse(f"it takes at least {kernel - 2 * padding} rows")
    count = there // stride + 1
    if draft.options["ceil_mode"] and there % stride:
        if draft.name == "avg_pool1d":
            raise draft.refuse("a mean of fewer rows at the end is not written")
        # The last one must begin before what was padded at the end.
        count += count * stride < draft.length(2) + padding
    # A mean is a product with a matrix, the largest one of all that is seen.
    each = draft.length(2) if draft.name == "avg_pool1d" else draft.length(1) * kernel
    draft.more = count * each
    return (ROWS, draft.length(1), count)


def _adaptive(draft: _Draft) -> Shape:
    if len(draft.given) != 3 or draft.given[0] != ROWS:
        raise draft.refuse('it takes ["N", channels, rows]; permute them before')
    draft.more = draft.length(2) * draft.options["output_size"]
    return (ROWS, draft.length(1), draft.options["output_size"])


def _batch_norm(draft: _Draft) -> Shape:
    width = len(draft.arrays["running_mean"])
    if draft.given[0] != ROWS or len(draft.given) not in (2, 3):
        raise draft.refuse('it takes ["N", channels] or ["N", channels, rows]')
    if draft.length(1) != width:
        raise draft.refuse(f"it takes {width} as the second axis")
    return draft.given


def _layer_norm(draft: _Draft) -> Shape:
    shape = draft.arrays["weight"].shape
    if len(shape) >= len(draft.given) or draft.given[-len(shape) :] != shape:
        raise draft.refuse(f"it takes {_shown(shape)} as the last axes")
    return draft.given


def _prelu(draft: _Draft) -> Shape:
    width = len(draft.arrays["weight"])
    if width > 1 and (draft.given[0] != ROWS or draft.length(1) != width):
        raise draft.refuse(f"it takes {width} as the second axis")
    return draft.given


def _recurrent(draft: _Draft) -> Shape:
    place = 0 if draft.options["batch_first"] else 1
    if len(draft.given) != 3 or draft.given[place] != ROWS:
        takes = '["N", rows, features]' if place == 0 else '[rows, "N", features]'
        raise draft.refuse(
            f"with batch_first {'true' if place == 0 else 'false'} it takes {takes}; else it would"
            " go from one row that is asked about to the next"
        )
    inputs = draft.cells[0][0].input_weights.shape[1]
    if draft.length(2) != inputs:
        raise draft.refuse(f"it takes {inputs} features")
    draft.length(1 - place)
    hidden = draft.cells[0][0].state_weights.shape[1]
    directions = len(draft.cells[0])
    output = draft.options["output"]
    if output == OUTPUTS[0]:
        return (*draft.given[:2], directions * hidden)
    if output == OUTPUTS[2] and directions == 1:
        raise draft.refuse(f"{output} of one direction would be of two layers; say h_n[-1], or out")
    return (ROWS, hidden * (1 if output == OUTPUTS[1] else 2))


def _multi_head(draft: _Draft) -> Shape:
    place = 0 if draft.options["batch_first"] else 1
    width = draft.arrays["out_proj.weight"].shape[0]
    if len(draft.given) != 3 or draft.given[place] != ROWS or draft.given[2] != width:
        takes = f'["N", rows, {width}]' if place == 0 else f'[rows, "N", {width}]'
        raise draft.refuse(f"with batch_first {'true' if place == 0 else 'false'} it takes {takes}")
    heads = draft.options["num_heads"]
    if width % heads:
        raise draft.refuse(f"{heads} heads do not share {width} evenly")
    draft.more = heads * draft.length(1 - place) ** 2
    return draft.given


def _along(draft: _Draft) -> Shape:
    """Along one axis, which stays."""
    draft.length(draft.axis())
    return draft.given


def _reduced(draft: _Draft) -> Shape:
    axis = draft.axis()
    draft.length(axis)
    return (*draft.given[:axis], *draft.given[axis + 1 :])


def _select(draft: _Draft) -> Shape:
    axis = draft.axis()
    length, index = draft.length(axis), draft.options["index"]
    if not -length <= index < length:
        raise draft.refuse(f"there is no {index} along axis {axis}")
    draft.options["index"] = index % length
    return (*draft.given[:axis], *draft.given[axis + 1 :])


def _narrow(draft: _Draft) -> Shape:
    axis = draft.axis()
    length, start, count = draft.length(axis), draft.options["start"], draft.options["length"]
    if not -length <= start < length or start % length + count > length:
        raise draft.refuse(f"there are not {count} from {start} on along axis {axis}")
    draft.options["start"] = start % length
    return (*draft.given[:axis], count, *draft.given[axis + 1 :])


def _repeat(draft: _Draft) -> Shape:
    axis = draft.axis()
    length = draft.length(axis) * draft.options["times"]
    return (*draft.given[:axis], length, *draft.given[axis + 1 :])


def _flatten(draft: _Draft) -> Shape:
    if draft.given[0] != ROWS:
        raise draft.refuse("N must be first")
    return (ROWS, math.prod(draft.length(axis) for axis in range(1, len(draft.given))))


def _reshape(draft: _Draft) -> Shape:
    shape: Shape = tuple(draft.options["shape"])
    if draft.given[0] != ROWS or shape[0] != ROWS:
        raise draft.refuse("N must be first, and stay so")
    before = math.prod(draft.length(axis) for axis in range(1, len(draft.given)))
    if before != math.prod(one for one in shape[1:] if isinstance(one, int)):
        raise draft.refuse(f"it has other numbers a row than {_shown(shape)}")
    return shape


def _permute(draft: _Draft) -> Shape:
    rank = len(draft.given)
    axes = [axis % rank for axis in draft.options["axes"] if -rank <= axis < rank]
    if sorted(axes) != list(range(rank)) or len(draft.options["axes"]) != rank:
        raise draft.refuse("axes must name each of its axes once")
    draft.options["axes"] = axes
    return tuple(draft.given[axis] for axis in axes)


def _unsqueeze(draft: _Draft) -> Shape:
    axis = draft.axis(more=1)
    return (*draft.given[:axis], 1, *draft.given[axis:])


def _squeeze(draft: _Draft) -> Shape:
    axis = draft.axis()
    if draft.length(axis) != 1:
        raise draft.refuse(f"axis {axis} is not of length 1")
    return (*draft.given[:axis], *draft.given[axis + 1 :])


def _concat(draft: _Draft) -> Shape:
    shapes = [draft.branch(place) for place in range(len(draft.branches))]
    rank = len(shapes[0])
    axis = int(draft.options["axis"])
    if not -rank <= axis < rank or any(len(shape) != rank for shape in shapes):
        raise draft.refuse(f"its branches give {_several(shapes)}")
    axis %= rank
    draft.options["axis"] = axis
    lengths = [shape[axis] for shape in shapes]
    if len({(*shape[:axis], *shape[axis + 1 :]) for shape in shapes}) > 1 or ROWS in lengths:
        raise draft.refuse(f"its branches give {_several(shapes)}")
    total = sum(one for one in lengths if isinstance(one, int))
    return (*shapes[0][:axis], total, *shapes[0][axis + 1 :])


def _broadcast_branches(draft: _Draft) -> Shape:
    return _broadcast(draft, [draft.branch(place) for place in range(len(draft.branches))])


def _broadcast(draft: _Draft, shapes: Sequence[Shape]) -> Shape:
    rank = max(len(shape) for shape in shapes)
    gives: list[int | str] = []
    for place in range(-rank, 0):
        lengths = {shape[place] for shape in shapes if len(shape) >= -place} - {1}
        if len(lengths) > 1:
            raise draft.refuse(f"{_several(shapes)} do not fit each other")
        gives.append(next(iter(lengths), 1))
    if gives.count(ROWS) != 1:
        raise draft.refuse(f"{_several(shapes)} do not fit each other")
    return tuple(gives)


def _matmul(draft: _Draft) -> Shape:
    shapes = [draft.branch(place) for place in range(len(draft.branches))]
    if len(shapes) != 2 or {len(shape) for shape in shapes} != {3}:
        raise draft.refuse("matmul takes two branches of three axes")
    (first, rows, inner), (second, other, columns) = shapes
    if first != ROWS or second != ROWS or inner != other:
        raise draft.refuse(f"{_several(shapes)} do not fit each other")
    return (ROWS, rows, columns)


def _attention(draft: _Draft) -> Shape:
    if len(draft.given) != 3 or draft.given[0] != ROWS:
        raise draft.refuse('it takes ["N", rows, features]')
    scores = draft.branch(0)
    if scores not in ((ROWS, draft.length(1), 1), (ROWS, draft.length(1))):
        raise draft.refuse(f"its scores have the shape {_shown(scores)}, not one a row")
    return (ROWS, draft.length(2))


def _object(given: object, where: str) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise DescriptionError(where, "is not an object of JSON")
    return given


def _refuse_others(
    content: Mapping[str, Any], known: set[str] | frozenset[str], where: str
) -> None:
    for key in content:
        if key not in known:
            raise DescriptionError(where, f"has {clipped(repr(key))}, which is not known there")
    if not isinstance(content.get("note", ""), str | type(None)):
        raise DescriptionError(f"{where}.note", "is not text")


def _number(given: object, where: str) -> float:
    # Written so that NaN fails.
    if isinstance(given, bool) or not isinstance(given, int | float) or not abs(given) <= 1e300:
        raise DescriptionError(where, f"is {clipped(repr(given))}, which is no number")
    return float(given)


def _positive(given: object, where: str) -> float:
    value = _number(given, where)
    if value <= 0:
        raise DescriptionError(where, "is not above 0")
    return value


def _whole(given: object, where: str) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or abs(given) > _LONGEST:
        raise DescriptionError(where, f"is {clipped(repr(given))}, which is no whole number")
    return given


def _count(given: object, where: str) -> int:
    if given is None:
        raise DescriptionError(where, "is null")
    value = _whole(given, where)
    if value < 1:
        raise DescriptionError(where, "is not 1 or more")
    return value


def _not_negative(given: object, where: str) -> int:
    value = _whole(given, where)
    if value < 0:
        raise DescriptionError(where, "is below 0")
    return value


def _padding(given: object, where: str) -> int | str:
    return "same" if given == "same" else _not_negative(given, where)


def _flag(given: object, where: str) -> bool:
    if not isinstance(given, bool):
        raise DescriptionError(where, "is neither true nor false")
    return given


def _among(*names: str) -> Callable[[object, str], str]:
    def check(given: object, where: str) -> str:
        if given not in names or not isinstance(given, str):
            raise DescriptionError(where, f"is {clipped(repr(given))}, not {' or '.join(names)}")
        return given

    return check


def _only(value: int) -> Callable[[object, str], int]:
    def check(given: object, where: str) -> int:
        if _whole(given, where) != value:
            raise DescriptionError(where, f"is {given}; {value} alone is written")
        return value

    return check


def _axes(given: object, where: str) -> list[int]:
    if not isinstance(given, list):
        raise DescriptionError(where, "is not a list of axes")
    return [_whole(one, where) for one in given]


def _shape(given: object, where: str) -> list[int | str]:
    if not isinstance(given, list) or not 2 <= len(given) <= 5 or given[0] != ROWS:
        raise DescriptionError(where, 'is not a shape that begins with "N"')
    return [ROWS, *(_count(one, where) for one in given[1:])]


def _size(shape: Shape) -> int:
    """Numbers of one row."""
    return math.prod(one for one in shape if isinstance(one, int))


def _bounded(shape: Shape, where: str) -> None:
    if len(shape) > 6 or _size(shape) > MAX_NUMBERS:
        raise DescriptionError(
            where, f"gives {_shown(shape)}, more than {MAX_NUMBERS} numbers a row"
        )


def _cells(owner: Found, arrays: Mapping[str, NDArray[Any]]) -> tuple[tuple[Cell, ...], ...]:
    return tuple(
        tuple(
            Cell(
                arrays[f"weight_ih_l{layer}{end}"],
                arrays[f"weight_hh_l{layer}{end}"],
                arrays.get(f"bias_ih_l{layer}{end}"),
                arrays.get(f"bias_hh_l{layer}{end}"),
            )
            for end in ("", "_reverse")[: owner.directions]
        )
        for layer in range(owner.layers)
    )


def _shown(shape: Sequence[int | str]) -> str:
    return f"[{', '.join(str(one) for one in shape)}]"


def _several(shapes: Sequence[Sequence[int | str]]) -> str:
    return " and ".join(_shown(shape) for shape in shapes)


_AXIS = {"axis": _whole}
_SEQUENCE = {"batch_first": _flag, "output": _among(*OUTPUTS)}
_EPS = {"eps": _positive}
_POOL = {"kernel_size": _count, "stride": _count, "ceil_mode": _flag}
KINDS: Mapping[str, Kind] = {
    "linear": Kind(_linear, weights=True),
    "lstm": Kind(_recurrent, _SEQUENCE, weights=True),
    "gru": Kind(_recurrent, _SEQUENCE, weights=True),
    "rnn": Kind(_recurrent, {"nonlinearity": _among("tanh", "relu"), **_SEQUENCE}, weights=True),
    "multihead_attention": Kind(
        _multi_head, {"num_heads": _count, "batch_first": _flag}, weights=True
    ),
    "conv1d": Kind(
        _conv1d,
        {
            "stride": _count,
            "padding": _padding,
            "dilation": _count,
            "padding_mode": _among(*PADDINGS),
        },
        weights=True,
    ),
    "batch_norm1d": Kind(_batch_norm, _EPS, weights=True),
    "layer_norm": Kind(_layer_norm, _EPS, weights=True),
    "prelu": Kind(_prelu, weights=True),
    "parameter": Kind(_parameter, {"operation": _among(*OPERATIONS)}, weights=True),
    "dropout": Kind(_same),
    "relu": Kind(_same),
    "tanh": Kind(_same),
    "sigmoid": Kind(_same),
    "silu": Kind(_same),
    "selu": Kind(_same),
    "leaky_relu": Kind(_same, {"negative_slope": _number}),
    "elu": Kind(_same, {"alpha": _number}),
    "gelu": Kind(_same, {"approximate": _among("none", "tanh")}),
    "softplus": Kind(_same, {"beta": _positive, "threshold": _number}),
    "scale": Kind(_same, {"factor": _number}),
    "softmax": Kind(_along, _AXIS),
    "log_softmax": Kind(_along, _AXIS),
    "mean": Kind(_reduced, _AXIS),
    "sum": Kind(_reduced, _AXIS),
    "max": Kind(_reduced, _AXIS),
    "select": Kind(_select, {**_AXIS, "index": _whole}),
    "narrow": Kind(_narrow, {**_AXIS, "start": _whole, "length": _count}),
    "repeat": Kind(_repeat, {**_AXIS, "times": _count}),
    "max_pool1d": Kind(_pool, {**_POOL, "padding": _not_negative, "dilation": _only(1)}),
    "avg_pool1d": Kind(_pool, {**_POOL, "padding": _only(0)}),
    "adaptive_avg_pool1d": Kind(_adaptive, {"output_size": _count}),
    "flatten": Kind(_flatten),
    "reshape": Kind(_reshape, {"shape": _shape}),
    "permute": Kind(_permute, {"axes": _axes}),
    "unsqueeze": Kind(_unsqueeze, _AXIS),
    "squeeze": Kind(_squeeze, _AXIS),
    "concat": Kind(_concat, _AXIS, branches="branches"),
    "add": Kind(_broadcast_branches, branches="branches"),
    "multiply": Kind(_broadcast_branches, branches="branches"),
    "matmul": Kind(_matmul, branches="branches"),
    "attention": Kind(_attention, branches="scores"),
}
"""All kinds of layers, by name."""
