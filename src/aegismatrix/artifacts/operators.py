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

from aegismatrix import errors

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
"""Fields of all messages together, and so what a walk may cost."""

MOST_TREE_LEVELS = 1_000
"""Levels of a tree: onnxruntime opens trees by recursion, and many thousands end the process."""

_NUMBER, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5
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
        self._fields_left = MOST_FIELDS
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
        """Refuse trees in which a node is too far below its root, or below itself."""
        lists: dict[str, list[int]] = {}
        leaves: list[bool] = []
        for start, end in attributes:
            name, numbers, texts = "", [], []
            for number, first, last in self._fields("attribute", _ATTRIBUTE, start, end):
                if number == 1:
                    name = self._text(first, last)
                elif number == 5:
                    self._tensor(first, last)
                elif number == 8:
                    numbers += self._packed(first, last) if last else [first]
                elif number == 9:
                    texts.append((first, last))
            lists[name] = numbers
            if name == "nodes_modes":
                leaves = [self._text(first, last) == "LEAF" for first, last in texts]
        trees, nodes, yes, no = (lists.get(name, []) for name in _TREE_LISTS)
        if not len(trees) == len(nodes) == len(yes) == len(no) == len(leaves):
            raise _MalformedError("the lists of a tree have different lengths")
        below = {
            (tree, node): () if leaf else ((tree, left), (tree, right))
            for tree, node, left, right, leaf in zip(trees, nodes, yes, no, leaves, strict=True)
        }
        children = {child for pair in below.values() for child in pair}
        level = [node for node in below if node not in children]
        reached, levels = 0, 0
        while level:
            reached, levels = reached + len(level), levels + 1
            if levels > MOST_TREE_LEVELS or reached > len(below):
                raise _ForbiddenError(f"trees of more than {MOST_TREE_LEVELS} levels")
            level = [child for node in level for child in below.get(node, ())]
        if reached != len(below):
            raise _ForbiddenError("nodes of trees that no root leads to")

    def _packed(self, start: int, end: int) -> list[int]:
        numbers, place = [], start
        while place < end:
            value, place = self._data[place], place + 1
            if value > 127:
                value, place = self._varint(place - 1, end)
            numbers.append(value)
        return numbers

    def _attribute(self, start: int, end: int) -> None:
        for number, first, last in self._fields("attribute", _ATTRIBUTE, start, end):
            if number == 5:
                self._tensor(first, last)

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
        data, place = self._data, start
        while place < end:
            self._fields_left -= 1
            if self._fields_left < 0:
                raise _ForbiddenError(f"more than {MOST_FIELDS} fields")
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
                    yield number, value, 0
                    continue
                size = value
            else:
                size = 4 if wire == _FOUR_BYTES else 8
            first, place = place, place + size
            if place > end:
                raise _MalformedError(f"a field runs past byte {end}")
            yield number, first, place

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


def _shown(text: str) -> str:
    return ascii(text[:_SHOWN])[1:-1]
