"""What an artifact may hold: the published operators, and a walk that refuses anything else.

A hash proves that a file is the sealed one, not that it is harmless: whoever can replace a file can
seal it again. So the bytes are walked before onnxruntime sees them, by the wire format of Protocol
Buffers alone, and whatever is not of the one form in which artifacts are shipped is refused: a
loop, a branch, a function, an operator from elsewhere, weights in another file.

The walk never recurses, since nothing that it enters may hold itself, and it gives up at a number
of nodes, names and fields that no artifact comes near to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aegismatrix import errors
from aegismatrix.artifacts.runs import (
    Flags,
    Numbers,
    Places,
    read_numbers,
    read_texts,
    skip_floats,
    skip_numbers,
)

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

MOST_NODES = 20_000
"""Nodes of a graph; the largest artifact has about 1,200."""

MOST_NAMES = 200_000
"""Inputs and outputs of all nodes together, and weights."""

MOST_FIELDS = 4_000_000
"""Fields of all messages together that are read one by one, and so what a walk may cost. Of a run
of one field the first ones count, and the bytes of the others."""

MOST_TREE_NODES = 3_000_000
"""Nodes of all trees together."""

MOST_TREE_LEVELS = 1_000
"""Levels of a tree: onnxruntime opens trees by recursion, and many thousands end the process."""

_NUMBER, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5
_FLOATS, _INTEGERS, _TEXTS = 7 << 3 | _FOUR_BYTES, 8 << 3 | _NUMBER, 9 << 3 | _BYTES
_RUNS = frozenset({_FLOATS, _INTEGERS, _TEXTS})
"""Tags in an attribute that its lists repeat."""

_SHORTEST_RUN = 64
_LEAF = b"LEAF"
_NODE_BITS = 31
_LARGEST_NODE = 2**_NODE_BITS - 1
_ABSENT_NODE = "a node of a tree that is not there"
_LONGEST_NUMBER = 10
_SHOWN = 40

_Fields = Mapping[int, tuple[int, ...]]
# By message: the fields that a finished graph writes, as number and wire type. Lists of numbers
# may be packed or not.
_MODEL: _Fields = {1: (_NUMBER,), 2: (_BYTES,), 7: (_BYTES,), 8: (_BYTES,), 14: (_BYTES,)}
_OPSET_ID: _Fields = {1: (_BYTES,), 2: (_NUMBER,)}
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


_Ensemble = tuple[Numbers, Numbers, Numbers, Numbers, Flags]
"""Of each node its tree, its number and where it leads to, and whether it is a leaf."""


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

    def model(self) -> None:
        graphs, versions, opsets = [], [], []
        for number, first, last in self._fields("model", _MODEL, 0, len(self._data)):
            if number == 1:
                versions.append(first)
            elif number == 7:
                graphs.append((first, last))
            elif number == 8:
                opsets.append(self._opset(first, last))
        if len(graphs) != 1:
            raise _MalformedError(f"it has {len(graphs)} graphs")
        if versions != [IR_VERSION]:
            raise _ForbiddenError(f"IR version {versions[-1] if versions else None}")
        for domain, version in opsets:
            if (domain, version) not in (("", OPSET), (ML_DOMAIN, ML_OPSET)):
                raise _ForbiddenError(f"opset {_shown(domain) or 'ai.onnx'} {version}")
        self._graph(*graphs[0])
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
        for number, first, last in self._fields("graph", _GRAPH, start, end):
            if number == 1:
                self._node(first, last)
            elif number == 5:
                self._name()
                self._tensor(first, last)

    def _node(self, start: int, end: int) -> None:
        self._nodes_left -= 1
        if self._nodes_left < 0:
            raise _ForbiddenError(f"more than {MOST_NODES} nodes")
        operators, domains, attributes = [], [], []
        for number, first, last in self._fields("node", _NODE, start, end):
            if number == 5:
                attributes.append((first, last))
            elif number < 3:
                self._name()
            elif number == 4:
                operators.append(self._text(first, last))
            elif number == 7:
                domains.append(self._text(first, last))
        if any(operator.startswith("TreeEnsemble") for operator in operators):
            self._trees(attributes)
        else:
            for first, last in attributes:
                self._attribute(first, last)
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

    def _trees(self, attributes: list[tuple[int, int]]) -> None:
        """Read the lists of trees; they are checked at the end, all together."""
        lists: dict[str, Numbers] = {}
        leaves = np.zeros(0, dtype=np.bool_)
        for start, end in attributes:
            name, numbers, texts = self._attribute(start, end, _TREE_LISTS)
            lists[name] = numbers
            if name == "nodes_modes":
                leaves = texts
        nothing = np.zeros(0, dtype=np.uint64)
        trees, nodes, yes, no = (lists.get(name, nothing) for name in _TREE_LISTS)
        if not len(trees) == len(nodes) == len(yes) == len(no) == len(leaves):
            raise _MalformedError("the lists of a tree have different lengths")
        self._tree_nodes_left -= len(leaves)
        if self._tree_nodes_left < 0:
            raise _ForbiddenError(f"more than {MOST_TREE_NODES} nodes of trees")
        self._ensembles.append((trees, nodes, yes, no, leaves))

    def _attribute(
        self, start: int, end: int, kept: tuple[str, ...] = ()
    ) -> tuple[str, Numbers, Flags]:
        """Name of an attribute; its numbers, if they are kept; which of its texts say LEAF."""
        name = ""
        numbers: list[NDArray[Any]] = []
        texts: list[NDArray[Any]] = []
        place, last_tag, is_worth_it = start, -1, True
        while place < end:
            tag, number, first, last, place = self._field("attribute", _ATTRIBUTE, place, end)
            keeps = bool(kept) and name in ("", *kept)
            if number == 1:
                name = self._text(first, last)
            elif number == 5:
                self._tensor(first, last)
            elif number == 8 and keeps:
                numbers.append(self._packed(first, last) if last else self._one(first))
            elif number == 9 and kept:
                texts.append(np.array([self._data[first:last] == _LEAF]))
            if not is_worth_it or tag != last_tag or tag not in _RUNS:
                last_tag = tag
                continue
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
            # Runs that end at once, again and again, would cost more than field by field.
            is_worth_it = place - before >= 2 * _SHORTEST_RUN
        return name, _together(numbers, np.uint64), _together(texts, np.bool_)

    def _one(self, number: int) -> Numbers:
        return self._counted(np.array([number], dtype=np.uint64))

    def _packed(self, start: int, end: int) -> Numbers:
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

    def _tensor(self, start: int, end: int) -> None:
        for _ in self._fields("tensor", _TENSOR, start, end):
            pass

    def _name(self) -> None:
        self._names_left -= 1
        if self._names_left < 0:
            raise _ForbiddenError(f"more than {MOST_NAMES} names")

    def _text(self, first: int, last: int) -> str:
        return self._data[first:last].decode("utf-8", "backslashreplace")

    def _fields(
        self, message: str, known: _Fields, start: int, end: int
    ) -> Iterator[tuple[int, int, int]]:
        """Number, and value and 0 or the bounds of the bytes, of each field of a message."""
        place = start
        while place < end:
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
