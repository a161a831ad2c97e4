"""What an artifact may hold: the published operators, and a walk that refuses anything else.

A hash proves that a file is the sealed one, not that it is harmless: whoever can replace a file can
seal it again. So the bytes are walked before onnxruntime sees them, by the wire format of Protocol
Buffers alone, and whatever is not of the one form in which artifacts are shipped is refused: a
loop, a branch, a function, an operator from elsewhere, weights in another file.

The walk never recurses, since nothing that it enters may hold itself, and it gives up at a number
of nodes, names and fields that no artifact comes near to.

Allowed operators alone do not bound what a runtime spends on opening a graph: a shape of a million
dimensions costs seconds and gigabytes in a small file. So the walk derives from above what can be
asked: how many dimensions each value has, how long the lists are that say a shape, and how many
bytes there are to copy. It refuses what is beyond the bounds stated here. `benchmarks/opening.py`
looks for the dearest graph within.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from aegismatrix import errors

if TYPE_CHECKING:
    from aegismatrix.artifacts.runs import Flags, Numbers, Places

IR_VERSION = 8
OPSET = 18
ML_OPSET = 3
ML_DOMAIN = "ai.onnx.ml"
METADATA_KEY = "aegismatrix"
"""Under which an artifact says, in JSON, what it is."""

ALLOWED_OPS = frozenset(
    """
    Abs Add And Cast Ceil Clip Concat Constant ConstantOfShape CumSum Div Equal Exp Expand Floor
    Gather GatherElements GatherND Gemm Greater GreaterOrEqual Identity LSTM Less LessOrEqual Log
    MatMul Max Min Mul Neg Not Or Pad Pow Range ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum
    Relu Reshape Shape Sigmoid Sign Slice Softmax Sqrt Squeeze Sub Tanh TopK Transpose Unsqueeze
    Where
    """.split()
)
ALLOWED_ML_OPS = frozenset(
    {"LinearClassifier", "LinearRegressor", "TreeEnsembleClassifier", "TreeEnsembleRegressor"}
)

MOST_NODES = 10_000
"""Nodes of a graph; the largest artifact has about 1,200. What onnxruntime spends on putting them
in order grows with their square."""

MOST_NAMES = 200_000
"""Inputs and outputs of all nodes together, and weights."""

MOST_FIELDS = 4_000_000
"""Fields of all messages together that are read one by one, and so what a walk may cost. Of a run
of one field the first ones count, and the bytes of the others."""

MOST_TREE_NODES = 3_000_000
"""Nodes of all trees together."""

MOST_TREE_LEVELS = 1_000
"""Levels of a tree: onnxruntime opens trees by recursion, and many thousands end the process."""

MOST_DIMENSIONS = 16
"""Dimensions of one value, derived from above; the artifacts have 4, of which 12 can be said."""

LONGEST_ARGUMENT = 2 * MOST_DIMENSIONS
"""Numbers of an argument that says axes, a part or a padding: two for each dimension."""

MOST_WEIGHTS = 10_000
"""Weights beside the constants, which are nodes; the largest artifact has none, a rescued one up to
hundreds."""

MOST_INPUTS = 256
"""Inputs of a graph, and outputs, each."""

LONGEST_NAME = 1_024
"""Bytes of a name or a remark; the longest of an artifact has 25."""

MOST_ATTRIBUTES = 64
"""Attributes of a node; a tree ensemble has 15."""

MOST_PROPERTIES = 64
"""Entries of metadata."""

MOST_WEIGHT_BYTES = 96 * 2**20
"""Bytes beside the lists of trees. Numbers of one byte and texts take more in memory and count as
much as they take."""

MOST_BYTES_PER_TREE_NODE, MOST_TREE_BYTES = 4_000, 2**20
"""Bytes of the lists of trees: so many for each node, and so many beside."""

_NUMBER, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5
_FLOATS, _INTEGERS, _TEXTS = 7 << 3 | _FOUR_BYTES, 8 << 3 | _NUMBER, 9 << 3 | _BYTES
_RUNS = frozenset({_FLOATS, _INTEGERS, _TEXTS})
"""Tags in an attribute that its lists repeat."""

_SHORTEST_RUN = 64
_SHORTEST_LIST_BYTES = 512
_LEAF = b"LEAF"
_NODE_BITS = 31
_LARGEST_NODE = 2**_NODE_BITS - 1
_ABSENT_NODE = "a node of a tree that is not there"
_LONGEST_NUMBER = 10
_SHOWN = 40
_MANY = 2**62
_LONG_NAME = f"a name of more than {LONGEST_NAME} bytes"
_TOO_MANY_DIMENSIONS = f"a value of more than {MOST_DIMENSIONS} dimensions"
_NUMBER_BYTES, _TEXT_BYTES = 8, 32
"""What a number and a text take in memory that take one byte in the file, or two."""

# Where an operator reads how many dimensions its result has: by the length of that input.
_SHAPE_ARGUMENT = {"ConstantOfShape": 0, "Reshape": 1, "Expand": 1, "Unsqueeze": 1}
# Inputs that are lists of axes, places or sizes, from the first on.
_LISTS_FROM = {
    "Slice": 1,
    "Pad": 1,
    "Squeeze": 1,
    "Range": 0,
    "TopK": 1,
    **dict.fromkeys(("ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum"), 1),
}
# What keeps of its first input no more than is there.
_KEEPS = frozenset(
    """
    Abs Cast Ceil Clip CumSum Exp Floor Identity Log Neg Not ReduceMax ReduceMean ReduceMin
    ReduceProd ReduceSum Relu Reshape Sigmoid Sign Slice Softmax Sqrt Squeeze Tanh Transpose
    Unsqueeze
    """.split()
)
_KNOWN = _KEEPS | {"Gather", "Concat", "Shape"}
_LEAST_RESULT = {
    "LSTM": 4,
    "Range": 1,
    "LinearClassifier": 2,
    "LinearRegressor": 2,
    "TreeEnsembleClassifier": 2,
    "TreeEnsembleRegressor": 2,
}
_NO_VALUE = (0, 1)
_ONE_NAME = "two values of one name"
_BROADCASTS = frozenset(
    """
    Add And Div Equal Greater GreaterOrEqual Less LessOrEqual Max Min Mul Or Pow Sub Where
    """.split()
)

_Fields = Mapping[int, tuple[int, ...]]
# By message: the fields that a finished graph writes, as number and wire type. Lists of numbers
# may be packed or not.
_MODEL: _Fields = {1: (_NUMBER,), 2: (_BYTES,), 7: (_BYTES,), 8: (_BYTES,), 14: (_BYTES,)}
_OPSET_ID: _Fields = {1: (_BYTES,), 2: (_NUMBER,)}
_VALUE: _Fields = {1: (_BYTES,), 2: (_BYTES,)}
_TYPE: _Fields = {1: (_BYTES,)}
_TENSOR_TYPE: _Fields = {1: (_NUMBER,), 2: (_BYTES,)}
_SHAPE: _Fields = {1: (_BYTES,)}
_DIMENSION: _Fields = {1: (_NUMBER,), 2: (_BYTES,)}
_GRAPH: _Fields = {1: (_BYTES,), 2: (_BYTES,), 5: (_BYTES,), 11: (_BYTES,), 12: (_BYTES,)}
_NODE = dict.fromkeys((1, 2, 3, 4, 5, 6, 7), (_BYTES,))
_ATTRIBUTE: _Fields = {
    1: (_BYTES,),
    2: (_FOUR_BYTES,),
    3: (_NUMBER,),
    4: (_BYTES,),
    5: (_BYTES,),
    7: (_FOUR_BYTES, _BYTES),
    8: (_NUMBER, _BYTES),
    9: (_BYTES,),
    20: (_NUMBER,),
}
_TENSOR: _Fields = {
    1: (_NUMBER, _BYTES),
    2: (_NUMBER,),
    4: (_FOUR_BYTES, _BYTES),
    5: (_NUMBER, _BYTES),
    7: (_NUMBER, _BYTES),
    8: (_BYTES,),
    9: (_BYTES,),
    10: (_EIGHT_BYTES, _BYTES),
}
_TREE_LISTS = ("nodes_treeids", "nodes_nodeids", "nodes_truenodeids", "nodes_falsenodeids")
_FORBIDDEN = {
    ("model", 20): "training",
    ("model", 25): "functions",
    ("graph", 15): "sparse weights",
    ("attribute", 6): "a subgraph",
    ("attribute", 11): "a subgraph",
    ("attribute", 22): "sparse weights",
    ("attribute", 23): "sparse weights",
    ("tensor", 6): "strings",
    ("tensor", 13): "external data",
    ("tensor", 14): "external data",
}


_Ensemble: TypeAlias = "tuple[Numbers, Numbers, Numbers, Numbers, Flags]"
"""Of each node its tree, its number and where it leads to, and whether it is a leaf."""


_Extent: TypeAlias = "tuple[int, int | None]"
"""At most so many dimensions, and so many elements where that is said before a graph runs."""

_Node: TypeAlias = "tuple[str, list[bytes], list[bytes], _Extent, bool]"
"""Operator, inputs, outputs, extent of a constant, and whether what is reduced stays as 1."""


class _Attribute(NamedTuple):
    """An attribute: of the lists those that are kept, and which of its texts say LEAF."""

    name: str
    numbers: Numbers
    texts: Flags
    extent: _Extent
    whole: int | None


class _MalformedError(Exception):
    """The bytes are no message of Protocol Buffers."""


class _ForbiddenError(Exception):
    """The message holds what no artifact may hold."""


def check_content(data: bytes, path: str) -> None:
    """Refuse an ONNX model that is not of the form in which artifacts are shipped.

    Raise ForbiddenContentError if it holds an operator that is not published, a subgraph, a
    function, external data, anything else that a finished graph does not, or more than any artifact
    does; raise ArtifactRejectedError if it is no ONNX model. Field numbers are those of
    ``onnx.proto``. A message that one parser could read in two ways, by a number written longer
    than need be or a field of another wire type, is refused as well.
    """
    try:
        _Walk(data).model()
    except _MalformedError as error:
        raise errors.ArtifactRejectedError(path, f"it is no ONNX model ({error})") from error
    except _ForbiddenError as error:
        raise errors.ForbiddenContentError(path, str(error)) from error


class _Walk:
    """One pass over a serialised model."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._bytes = np.frombuffer(data, dtype=np.uint8)
        self._fields_left = MOST_FIELDS
        self._tree_nodes_left = MOST_TREE_NODES
        self._ensembles: list[_Ensemble] = []
        self._numbers_left = len(_TREE_LISTS) * MOST_TREE_NODES
        self._names_left = MOST_NAMES
        self._nodes_left = MOST_NODES
        self._bytes_left = MOST_WEIGHT_BYTES - len(data)
        self._tree_bytes_left = MOST_TREE_BYTES

    def model(self) -> None:
        graphs, versions, opsets, properties = [], [], [], 0
        for number, first, last in self._fields("model", _MODEL, 0, len(self._data)):
            if number == 1:
                versions.append(first)
            elif number == 7:
                graphs.append((first, last))
            elif number == 8:
                opsets.append(self._opset(first, last))
            elif number == 14:
                properties += 1
            else:
                self._limited(first, last)
        if properties > MOST_PROPERTIES:
            raise _ForbiddenError(f"more than {MOST_PROPERTIES} entries of metadata")
        if len(opsets) != len(set(opsets)):
            raise _ForbiddenError("an opset that is named twice")
        if len(graphs) != 1:
            raise _MalformedError(f"it has {len(graphs)} graphs")
        if versions != [IR_VERSION]:
            raise _ForbiddenError(f"IR version {versions[-1] if versions else None}")
        for domain, version in opsets:
            if (domain, version) not in (("", OPSET), (ML_DOMAIN, ML_OPSET)):
                raise _ForbiddenError(f"opset {_shown(domain) or 'ai.onnx'} {version}")
        self._graph(*graphs[0])
        if self._bytes_left < 0:
            raise _ForbiddenError(
                f"more than {MOST_WEIGHT_BYTES} bytes beside trees, as they are counted in memory"
            )
        if self._tree_bytes_left < 0:
            raise _ForbiddenError(
                f"more than {MOST_BYTES_PER_TREE_NODE} bytes for each node of a tree"
            )
        if self._ensembles:
            _check_trees(self._ensembles)

    def _opset(self, start: int, end: int) -> tuple[str, int | None]:
        domain, version = "", None
        for number, first, last in self._fields("opset", _OPSET_ID, start, end):
            if number == 1:
                domain = self._text(first, last)
            else:
                version = first
        return domain, version

    def _graph(self, start: int, end: int) -> None:
        nodes: list[_Node] = []
        given: list[tuple[bytes, _Extent]] = []
        inputs, outputs = 0, 0
        for number, first, last in self._fields("graph", _GRAPH, start, end):
            if number == 1:
                nodes.append(self._node(first, last))
            elif number == 5:
                self._name(1)
                given.append(self._tensor(first, last))
            elif number == 11:
                inputs += 1
                given.append(self._value(first, last))
            elif number == 12:
                outputs += 1
                self._value(first, last)
            else:
                self._limited(first, last)
        if len(given) - inputs > MOST_WEIGHTS:
            raise _ForbiddenError(f"more than {MOST_WEIGHTS} weights")
        if max(inputs, outputs) > MOST_INPUTS:
            raise _ForbiddenError(f"more than {MOST_INPUTS} inputs or outputs of the graph")
        _check_extents(given, nodes)

    def _value(self, start: int, end: int) -> tuple[bytes, _Extent]:
        """Name and extent of an input or output."""
        name, at = b"", [(start, end)]
        for message, known in (("value", _VALUE), ("type", _TYPE), ("tensor type", _TENSOR_TYPE)):
            inner = []
            for bounds in at:
                for number, first, last in self._fields(message, known, *bounds):
                    if last and number == (1 if message == "type" else 2):
                        inner.append((first, last))
                    elif message == "value":
                        name = self._limited(first, last)
            at = inner
        if len(at) != 1:
            raise _ForbiddenError("an input or output without one shape")
        rank = 0
        elements: int | None = 1
        for _, first, last in self._fields("shape", _SHAPE, *at[0]):
            rank += 1
            size: int | None = None
            for number, begin, finish in self._fields("dimension", _DIMENSION, first, last):
                if number == 1:
                    size = begin
                else:
                    self._limited(begin, finish)
            elements = None if elements is None or size is None else min(elements * size, _MANY)
        if rank > MOST_DIMENSIONS:
            raise _ForbiddenError(_TOO_MANY_DIMENSIONS)
        return name, (rank, elements)

    def _node(self, start: int, end: int) -> _Node:
        self._nodes_left -= 1
        if self._nodes_left < 0:
            raise _ForbiddenError(f"more than {MOST_NODES} nodes")
        data = self._data
        operators, domains, attributes = [], [], []
        inputs: list[bytes] = []
        outputs: list[bytes] = []
        for number, first, last in self._fields("node", _NODE, start, end):
            if number == 5:
                attributes.append((first, last))
            elif number < 3:
                if last - first > LONGEST_NAME:
                    raise _ForbiddenError(_LONG_NAME)
                (inputs if number == 1 else outputs).append(data[first:last])
            elif number == 4:
                operators.append(self._text(first, last))
            elif number == 7:
                domains.append(self._text(first, last))
            else:
                self._limited(first, last)
        self._name(len(inputs) + len(outputs))
        if len(attributes) > MOST_ATTRIBUTES:
            raise _ForbiddenError(f"a node of more than {MOST_ATTRIBUTES} attributes")
        named: dict[str, _Attribute] = {}
        if not attributes:
            pass
        elif any(operator.startswith("TreeEnsemble") for operator in operators):
            self._trees(attributes)
        else:
            for first, last in attributes:
                attribute = self._attribute(first, last)
                named[attribute.name] = attribute
            if len(named) < len(attributes):
                raise _ForbiddenError("a node with two attributes of one name")
        if len(operators) != 1 or len(domains) > 1:
            raise _MalformedError(
                f"a node has {len(operators)} operators of {len(domains)} domains"
            )
        domain = domains[0] if domains else ""
        allowed = ALLOWED_OPS if domain == "" else ALLOWED_ML_OPS if domain == ML_DOMAIN else ()
        if operators[0] not in allowed:
            raise _ForbiddenError(
                f"the operator {_shown(domain) or 'ai.onnx'}.{_shown(operators[0])}"
            )
        if operators[0] == "Constant":
            if len(named) != 1:
                raise _MalformedError("a constant without one value")
            (attribute,) = named.values()
            return "Constant", inputs, outputs, attribute.extent, True
        keeps = "keepdims" not in named or named["keepdims"].whole != 0
        return operators[0], inputs, outputs, (0, 1), keeps

    def _trees(self, attributes: list[tuple[int, int]]) -> None:
        """Read the lists of trees; they are checked at the end, all together."""
        lists: dict[str, Numbers] = {}
        leaves = np.zeros(0, dtype=np.bool_)
        for start, end in attributes:
            name, numbers, texts, *_ = self._attribute(start, end, _TREE_LISTS)
            if name in lists:
                raise _ForbiddenError("a node with two attributes of one name")
            self._tree_bytes_left -= end - start + _TEXT_BYTES * len(texts)
            self._bytes_left += end - start
            lists[name] = numbers
            if name == "nodes_modes":
                leaves = texts
        nothing = np.zeros(0, dtype=np.uint64)
        trees, nodes, yes, no = (lists.get(name, nothing) for name in _TREE_LISTS)
        if not len(trees) == len(nodes) == len(yes) == len(no) == len(leaves):
            raise _MalformedError("the lists of a tree have different lengths")
        self._tree_nodes_left -= len(leaves)
        self._tree_bytes_left += MOST_BYTES_PER_TREE_NODE * len(leaves)
        if self._tree_nodes_left < 0:
            raise _ForbiddenError(f"more than {MOST_TREE_NODES} nodes of trees")
        self._ensembles.append((trees, nodes, yes, no, leaves))

    def _attribute(self, start: int, end: int, kept: tuple[str, ...] = ()) -> _Attribute:
        name, listed = "", 0
        extent: _Extent | None = None
        whole: int | None = None
        numbers: list[NDArray[Any]] = []
        texts: list[NDArray[Any]] = []
        place, last_tag, is_worth_it = start, -1, end - start >= _SHORTEST_LIST_BYTES
        while place < end:
            tag, number, first, last, place = self._field("attribute", _ATTRIBUTE, place, end)
            keeps = bool(kept) and name in ("", *kept)
            if number == 1:
                self._limited(first, last)
                name = self._text(first, last)
            elif number == 3:
                whole = first
            elif number == 5:
                if extent is not None:
                    # One parser would add the dimensions of both.
                    raise _ForbiddenError("an attribute with two values")
                extent = self._tensor(first, last)[1]
            elif number == 7:
                listed += 1 if tag == _FLOATS else (last - first) // 4
            elif number == 8:
                listed += self._weighed(first, last)
                if keeps:
                    numbers.append(self._packed(first, last) if last else self._one(first))
            elif number == 9:
                listed += 1
                if kept:
                    texts.append(np.array([self._data[first:last] == _LEAF]))
                self._bytes_left -= 0 if kept else _TEXT_BYTES
            if not is_worth_it or tag != last_tag or tag not in _RUNS:
                last_tag = tag
                continue
            # Few artifacts have long lists, and a prediction loads no more than it needs.
            from aegismatrix.artifacts.runs import (
                read_numbers,
                read_texts,
                skip_floats,
                skip_numbers,
            )

            self._spend(_SHORTEST_RUN)
            before = place
            if tag == _FLOATS:
                place = skip_floats(self._bytes, place, end, tag)
            elif tag == _TEXTS:
                equal, place = read_texts(self._bytes, place, end, tag, _LEAF)
                texts.append(equal)
            elif keeps:
                values, place = read_numbers(
                    self._bytes, place, end, tag, max(0, self._numbers_left)
                )
                numbers.append(self._counted(values))
            else:
                place = skip_numbers(self._bytes, place, end, tag)
            listed += place - before
            if not kept:
                self._bytes_left -= (place - before) * (
                    _TEXT_BYTES // 2 if tag == _TEXTS else _NUMBER_BYTES // 2
                )
            # Runs that end at once, again and again, would cost more than field by field.
            is_worth_it = place - before >= 2 * _SHORTEST_RUN
        if extent is None:
            extent = (1, listed) if listed else (0, 1)
        together = _together(numbers, np.uint64), _together(texts, np.bool_)
        return _Attribute(name, *together, extent, whole)

    def _weighed(self, first: int, last: int) -> int:
        """At most how many numbers a field has, one or a list of them; counted as in memory."""
        size = last - first if last else 1
        self._bytes_left -= _NUMBER_BYTES * size
        return size

    def _one(self, number: int) -> Numbers:
        return self._counted(np.array([number], dtype=np.uint64))

    def _packed(self, start: int, end: int) -> Numbers:
        from aegismatrix.artifacts.runs import read_numbers

        values, place = read_numbers(self._bytes, start, end, None, max(0, self._numbers_left))
        values = self._counted(values)
        if place < end:
            raise _MalformedError(f"a number at byte {place}")
        return values

    def _counted(self, values: Numbers) -> Numbers:
        self._numbers_left -= len(values)
        if self._numbers_left < 0:
            raise _ForbiddenError(f"more than {MOST_TREE_NODES} nodes of trees")
        return values

    def _tensor(self, start: int, end: int) -> tuple[bytes, _Extent]:
        """Name and extent of a tensor."""
        name, rank, elements = b"", 0, 1
        for number, first, last in self._fields("tensor", _TENSOR, start, end):
            if number == 1:
                place = first
                while True:
                    size, place = self._varint(place, last) if last else (first, 0)
                    rank, elements = rank + 1, min(elements * size, _MANY)
                    if place >= last:
                        break
                if rank > MOST_DIMENSIONS:
                    raise _ForbiddenError(_TOO_MANY_DIMENSIONS)
            elif number == 8:
                name = self._limited(first, last)
            elif number in (5, 7):
                self._weighed(first, last)
        return name, (rank, elements)

    def _name(self, count: int) -> None:
        self._names_left -= count
        if self._names_left < 0:
            raise _ForbiddenError(f"more than {MOST_NAMES} names")

    def _limited(self, first: int, last: int) -> bytes:
        if last - first > LONGEST_NAME:
            raise _ForbiddenError(_LONG_NAME)
        return self._data[first:last]

    def _text(self, first: int, last: int) -> str:
        return self._data[first:last].decode("utf-8", "backslashreplace")

    def _fields(
        self, message: str, known: _Fields, start: int, end: int
    ) -> Iterator[tuple[int, int, int]]:
        """Number, and value and 0 or the bounds of the bytes, of each field of a message."""
        data, place = self._data, start
        while place < end:
            tag = data[place]
            if tag & 7 == _BYTES and tag < 128 and _BYTES in known.get(tag >> 3, ()):
                # Nearly all fields: named in one byte, and their length as well.
                first = place + 2
                if first <= end and (size := data[place + 1]) < 128:
                    place = first + size
                    self._fields_left -= 1
                    if place > end:
                        raise _MalformedError(f"a field runs past byte {end}")
                    if self._fields_left < 0:
                        raise _ForbiddenError(f"more than {MOST_FIELDS} fields")
                    yield tag >> 3, first, place
                    continue
            _, number, first, last, place = self._field(message, known, place, end)
            yield number, first, last

    def _field(
        self, message: str, known: _Fields, place: int, end: int
    ) -> tuple[int, int, int, int, int]:
        """Tag and number of a field, its value and 0 or its bounds, and where it ends."""
        data = self._data
        self._spend(1)
        tag = data[place]
        place += 1
        if tag > 127:
            tag, place = self._varint(place - 1, end)
        number, wire = tag >> 3, tag & 7
        if wire not in known.get(number, ()):
            if (message, number) in _FORBIDDEN:
                raise _ForbiddenError(_FORBIDDEN[message, number])
            if number == 0 or wire not in (_NUMBER, _EIGHT_BYTES, _BYTES, _FOUR_BYTES):
                raise _MalformedError(f"at byte {place}")
            raise _ForbiddenError(f"the field {number} in a {message}")
        if wire in (_BYTES, _NUMBER):
            if place >= end:
                raise _MalformedError(f"it ends at byte {place}")
            value = data[place]
            place += 1
            if value > 127:
                value, place = self._varint(place - 1, end)
            if wire == _NUMBER:
                return tag, number, value, 0, place
            size = value
        else:
            size = 4 if wire == _FOUR_BYTES else 8
        first, place = place, place + size
        if place > end:
            raise _MalformedError(f"a field runs past byte {end}")
        return tag, number, first, place, place

    def _spend(self, fields: int) -> None:
        self._fields_left -= fields
        if self._fields_left < 0:
            raise _ForbiddenError(f"more than {MOST_FIELDS} fields")

    def _varint(self, place: int, end: int) -> tuple[int, int]:
        """A number of several bytes, seven bits in each, and where it ends."""
        value = 0
        for count, byte in enumerate(self._data[place : min(place + _LONGEST_NUMBER, end)]):
            value |= (byte & 127) << 7 * count
            if byte < 128:
                # Bits beyond 64 and empty bytes are read in more than one way.
                if byte == 0 or value >= 1 << 64:
                    break
                return value, place + count + 1
        raise _MalformedError(f"a number at byte {place}")


def _together(parts: list[NDArray[Any]], kind: type) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.zeros(0, dtype=kind)


def _check_extents(given: Sequence[tuple[bytes, _Extent]], nodes: Sequence[_Node]) -> None:
    """Refuse values of too many dimensions, by what is known before a graph runs."""
    extents = dict(given)
    constants = set(extents)
    if len(extents) < len(given):
        raise _MalformedError(_ONE_NAME)
    for node in nodes:
        operator, inputs, outputs, *_ = node
        for name in inputs:
            if name and name not in extents:
                raise _MalformedError("a node reads what nothing before it gives")
        extent = _extent(node, extents, constants)
        if extent[0] > MOST_DIMENSIONS:
            raise _ForbiddenError(_TOO_MANY_DIMENSIONS)
        for name in outputs:
            if name in extents:
                raise _MalformedError(_ONE_NAME)
            if name:
                extents[name] = extent
                if operator == "Constant":
                    constants.add(name)


def _extent(node: _Node, extents: Mapping[bytes, _Extent], constants: set[bytes]) -> _Extent:
    """The most dimensions that the values have which a node gives, and elements where known."""
    operator, inputs, _, constant, keeps = node
    if operator == "Constant":
        return constant
    of = [extents.get(name, _NO_VALUE) for name in inputs] or [_NO_VALUE]
    if operator in _LISTS_FROM and any(
        known is not None and known > LONGEST_ARGUMENT for _, known in of[_LISTS_FROM[operator] :]
    ):
        raise _ForbiddenError(f"{operator} by a list of more than {LONGEST_ARGUMENT} numbers")
    rank, elements = of[0]
    if operator in _SHAPE_ARGUMENT:
        place = _SHAPE_ARGUMENT[operator]
        length = of[place][1] if place < len(of) else 0
        if length is None or length > MOST_DIMENSIONS:
            raise _ForbiddenError(
                f"{operator} by a list that is not known to have at most {MOST_DIMENSIONS} numbers"
            )
        if operator == "Unsqueeze":
            rank += length
        else:
            rank = max(rank, length) if operator == "Expand" else length
    elif operator in _BROADCASTS:
        return _broadcast(of)
    elif operator in ("Gather", "GatherND") and len(of) > 1:
        elements = of[1][1] if rank <= 1 else None
        rank = max(0, rank + of[1][0] - 1)
    elif operator == "Concat":
        sizes = [known for _, known in of if known is not None]
        elements = min(sum(sizes), _MANY) if len(sizes) == len(of) else None
        rank = max(dimensions for dimensions, _ in of)
    elif operator == "Shape":
        rank, elements = 1, rank
    elif (operator == "Squeeze" or not keeps) and len(inputs) > 1 and inputs[1] in constants:
        # One less for certain, whichever axes are named twice.
        rank = max(0, rank - 1) if of[1][1] else rank
    elif operator not in _KEEPS:
        rank = max(_LEAST_RESULT.get(operator, 0), *(dimensions for dimensions, _ in of))
    return rank, elements if operator in _KNOWN else None


def _broadcast(of: Sequence[_Extent]) -> _Extent:
    """Extent of what is computed element by element."""
    rank = max(dimensions for dimensions, _ in of)
    sizes = [known for _, known in of if known is not None]
    if len(sizes) < len(of):
        return rank, None
    if rank <= 1:
        return rank, max(sizes)
    elements = 1
    for size in sizes:
        elements = min(elements * size, _MANY)
    return rank, elements


def _check_trees(ensembles: list[_Ensemble]) -> None:
    """Refuse nodes that are not each reached once, from a root above, within the levels."""
    # Two ensembles may call their trees the same.
    own = np.concatenate([_renumbered(trees) for trees, *_ in ensembles])
    counts = np.array([len(trees) for trees, *_ in ensembles])
    trees = own + np.repeat(np.cumsum(counts) - counts, counts)
    nodes, yes, no = (
        np.concatenate([ensemble[place] for ensemble in ensembles]) for place in (1, 2, 3)
    )
    inner = np.flatnonzero(~np.concatenate([ensemble[4] for ensemble in ensembles]))
    children = np.stack([yes[inner], no[inner]])
    if any(int(numbers.max(initial=0)) > _LARGEST_NODE for numbers in (nodes, children)):
        raise _MalformedError("a node of a tree has too large a number")
    below = np.full((2, len(nodes)), -1, dtype=np.int64)
    below[:, inner] = _places(trees, nodes.view(np.int64), inner, children.view(np.int64))
    reached_by = np.bincount(below[:, inner].reshape(-1), minlength=len(nodes))
    if (reached_by > 1).any():
        raise _ForbiddenError("a node of a tree that two others lead to")
    level = np.flatnonzero(reached_by == 0)
    reached, levels = 0, 0
    while len(level):
        reached, levels = reached + len(level), levels + 1
        if levels > MOST_TREE_LEVELS:
            raise _ForbiddenError(f"trees of more than {MOST_TREE_LEVELS} levels")
        level = below[:, level[below[0, level] >= 0]].reshape(-1)
    if reached != len(nodes):
        raise _ForbiddenError("nodes of trees that no root leads to")


def _renumbered(trees: Numbers) -> Places:
    """The same trees, numbered below how many nodes there are."""
    if not len(trees) or int(trees.max()) < len(trees):
        return trees.view(np.int64)
    return np.unique(trees, return_inverse=True)[1].reshape(-1)


def _places(trees: Places, nodes: Places, inner: Places, children: Places) -> Places:
    """Where among all nodes the children of the inner ones are."""
    every = np.arange(len(nodes))
    begins = np.flatnonzero(np.diff(trees, prepend=-1))
    sizes = np.diff(begins, append=len(nodes))
    first = np.repeat(begins, sizes)
    if (np.diff(trees) >= 0).all() and (nodes == every - first).all():
        # As nearly everybody numbers them: from 0 on in each tree, one tree after the other.
        if (children >= np.repeat(sizes, sizes)[inner]).any():
            raise _ForbiddenError(_ABSENT_NODE)
        return np.asarray(first[inner] + children)
    keys = trees << _NODE_BITS | nodes
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    if (np.diff(ordered) == 0).any():
        raise _ForbiddenError("two nodes of a tree with one number")
    wanted = trees[inner] << _NODE_BITS | children
    found = np.minimum(np.searchsorted(ordered, wanted), len(nodes) - 1)
    if (ordered[found] != wanted).any():
        raise _ForbiddenError(_ABSENT_NODE)
    return np.asarray(order[found])


def _shown(text: str) -> str:
    return ascii(text[:_SHOWN])[1:-1]
