"""Graphs written node by node with onnx alone, from the operators that an artifact may hold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from aegismatrix_factory.rescue.converting.errors import UnsupportedModelError
from aegismatrix_factory.rescue.reading.limits import Clock

UNKNOWN = -1.0
"""What stands for a text that is not in a column's list."""
NO_PLACE = -(2**63)
"""What an integer answer is where the library would refuse the row; an index of no list."""


@dataclass(eq=False)
class Column:
    """One column of the input, whose kind its first reader decides.

    Attributes
    ----------
    name : str
        As it was fitted on; the place where it has none.
    kind : {'unread', 'number', 'text'}
        Text is given to the graph as its place in `texts`, and as `UNKNOWN` where it is not there.
    texts : list
        Text, or None for a text that is missing; it grows while the graph is written.
    """

    name: str
    kind: Literal["unread", "number", "text"] = "unread"
    texts: list[str | None] = field(default_factory=list)

    def become(self, kind: Literal["number", "text"]) -> None:
        """Say what it is read as.

        Parameters
        ----------
        kind : {'number', 'text'}

        Raises
        ------
        UnsupportedModelError
            If another step reads it as the other kind.
        """
        if self.kind not in ("unread", kind):
            raise UnsupportedModelError(
                f"its column {self.name} is read as text and as numbers", code="mixed-column"
            )
        self.kind = kind

    def place(self, text: str | None) -> int:
        """Return where a text is in the list, which it joins if it is not there yet."""
        self.become("text")
        if text not in self.texts:
            self.texts.append(text)
        return self.texts.index(text)


@dataclass(frozen=True)
class Table:
    """Rows somewhere in a graph: a float64 tensor (N, columns).

    Attributes
    ----------
    tensor : str
        Its name.
    columns : tuple of (Column or None), or None
        Which column of the input each is, unchanged, where it is one; None where nobody knows how
        many there are, which are numbers then.
    sparse : bool
        Whether the library has a sparse matrix here. A 0 of it is not kept, and xgboost takes
        what is not kept for missing.
    doubtful : bool
        Whether numbers that went in may be NaN or infinite here.
    """

    tensor: str
    columns: tuple[Column | None, ...] | None
    sparse: bool = False
    doubtful: bool = False

    def numbers(self) -> str:
        """Return the tensor, all of whose columns are read as numbers.

        Returns
        -------
        str

        Raises
        ------
        UnsupportedModelError
            If one of them is text.
        """
        for column in self.columns or ():
            if column is not None:
                column.become("number")
        return self.tensor


def computed(tensor: str, width: int | None) -> Table:
    """Return a table of numbers that the graph computed."""
    return Table(tensor, None if width is None else (None,) * width)


class Writer:
    """Nodes and weights in the order in which they are added.

    Parameters
    ----------
    clock : Clock, optional
        How long it may take.

    Attributes
    ----------
    model : ModelProto
        What is written; nothing in it is copied afterwards.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or Clock(math.inf)
        self.model = onnx.ModelProto()
        self._nodes = self.model.graph.node
        self._weights = self.model.graph.initializer
        self._refused: list[str] = []

    def add(
        self,
        operator: str,
        inputs: Sequence[str],
        *,
        output: str | None = None,
        domain: str = "",
        **attributes: Any,
    ) -> str:
        """Append a node; return the name of what it computes. A list may be an array."""
        self._clock.check()
        name = output or f"v{len(self._nodes)}"
        node = self._nodes.add(op_type=operator, input=inputs, output=[name], domain=domain)
        for key, value in sorted(attributes.items()):
            if isinstance(value, np.ndarray):
                _write_list(node.attribute.add(name=key), value)
            else:
                node.attribute.append(helper.make_attribute(key, value))
        return name

    def weight(self, values: NDArray[Any]) -> str:
        """Append a constant; return its name."""
        name = f"w{len(self._weights)}"
        self._weights.append(numpy_helper.from_array(np.array(values, order="C"), name))
        return name

    def number(self, value: float) -> str:
        """Append one float64, which is matched to any shape."""
        return self.weight(np.full(1, float(value)))

    def nan(self) -> str:
        """Append NaN, which no artifact may hold as a weight."""
        return self.add("Div", [self.number(0.0), self.number(0.0)])

    def axes(self, *axes: int) -> str:
        """Append a list of whole numbers."""
        return self.weight(np.array(axes, dtype=np.int64))

    def refuse(self, rows: str) -> None:
        """Give no answer to some rows, whatever the steps behind make of them.

        Parameters
        ----------
        rows : str
            Truth values (N, 1). The library would raise an error for such a row, while a tree, an
            imputer or the largest of several numbers behind takes NaN for a value.
        """
        self._refused.append(rows)

    def refuse_endless(self, table: Table, *, missing: bool) -> None:
        """Give no answer to rows that hold what is infinite.

        Parameters
        ----------
        table : Table
            Its columns of text hold neither.
        missing : bool
            Whether NaN is refused, too.
        """
        x = table.tensor
        if table.columns is not None:
            computed_ones = [place for place, one in enumerate(table.columns) if one is None]
            if not computed_ones:
                return
            if len(computed_ones) < len(table.columns):
                x = self.chosen(table, computed_ones).tensor
        # Of both the difference to itself is NaN.
        none = self.add("Sub", [x, x])
        strange = self.add("Not", [self.add("Equal", [none, none])])
        if not missing:
            strange = self.add("And", [strange, self.add("Equal", [x, x])])
        total = self.add("ReduceSum", [self.doubled(strange), self.axes(1)], keepdims=1)
        self.refuse(self.add("Greater", [total, self.number(0.5)]))

    def answered(self, tensor: str, *, whole: bool) -> str:
        """Return an answer (N, columns) without that to rows that were refused.

        Parameters
        ----------
        tensor : str
            Float64, or int64 if `whole`.
        whole : bool

        Returns
        -------
        str
            NaN for those rows, or `NO_PLACE`.
        """
        if not self._refused:
            return tensor
        rows = self._refused[0]
        for other in self._refused[1:]:
            rows = self.add("Or", [rows, other])
        nothing = self.axes(NO_PLACE) if whole else self.nan()
        return self.add("Where", [rows, nothing, tensor])

    def doubled(self, tensor: str) -> str:
        """Return a tensor as float64."""
        return self.add("Cast", [tensor], to=TensorProto.DOUBLE)

    def single(self, tensor: str) -> str:
        """Return a tensor rounded to float32."""
        return self.add("Cast", [tensor], to=TensorProto.FLOAT)

    def affine(self, x: str, coefficients: NDArray[np.float64], constant: Any) -> str:
        """Return ``x @ coefficients.T + constant`` (N, rows)."""
        product = self.add("MatMul", [x, self.weight(coefficients.T)])
        return self.add("Add", [product, self.weight(np.asarray(constant, dtype=np.float64))])

    def scaled(self, x: str, factors: NDArray[np.float64]) -> str:
        """Return each column (N, width) times its factor.

        onnxruntime takes a factor of one element into a product of matrices beside it, as float32.
        """
        if len(factors) == 1:
            return self.add("MatMul", [x, self.weight(factors[None])])
        return self.add("Mul", [x, self.weight(factors[None])])

    def sigmoid(self, x: str) -> str:
        """Return ``1 / (1 + exp(-x))``, exactly 0 where the exponential overflows.

        onnxruntime's own of float64 is ``1 - 1 / (1 + exp(x))`` below 0: it is 0 from -37 on, and
        shares of such numbers would be anything.
        """
        raised = self.add("Exp", [self.add("Neg", [x])])
        below = self.add("Add", [raised, self.number(1.0)])
        return self.add("Div", [self.number(1.0), below])

    def joined(self, parts: Sequence[str]) -> str:
        """Return the columns of several values of the same rows, at least one, in one."""
        return parts[0] if len(parts) == 1 else self.add("Concat", parts, axis=1)

    def both(self, second: str) -> str:
        """Return both classes' probabilities (N, 2) of the second one's (N, 1)."""
        first = self.add("Sub", [self.number(1.0), second])
        return self.add("Concat", [first, second], axis=1)

    def shares(self, each: str, count: int) -> str:
        """Return rows (N, count) divided by their sums; where a sum is 0 all have the same."""
        total = self.add("ReduceSum", [each, self.axes(1)], keepdims=1)
        none = self.add("Equal", [total, self.number(0.0)])
        divisor = self.add("Where", [none, self.number(1.0), total])
        divided = self.add("Div", [each, divisor])
        return self.add("Where", [none, self.number(1.0 / count), divided])

    def largest(self, x: str) -> str:
        """Return where the largest of each row is, the first of equals: float64 (N, 1)."""
        return self.doubled(self.top(x, 1)[1])

    def top(self, x: str, count: int) -> tuple[str, str]:
        """Return the largest of each row and where they are (int64), the first of equals first."""
        name = f"v{len(self._nodes)}"
        self._nodes.append(
            helper.make_node("TopK", [x, self.axes(count)], [f"{name}_value", name], axis=1)
        )
        return f"{name}_value", name

    def above(self, x: str, bound: float) -> str:
        """Return 1.0 where x is above a bound, else 0.0."""
        return self.doubled(self.add("Greater", [x, self.number(bound)]))

    def chosen(self, table: Table, places: Sequence[int]) -> Table:
        """Return some columns of a table, in the order of `places`."""
        picked = self.add("Gather", [table.tensor, self.axes(*places)], axis=1)
        if table.columns is None:
            return Table(picked, (None,) * len(places), table.sparse, table.doubtful)
        columns = tuple(table.columns[place] for place in places)
        return Table(picked, columns, table.sparse, table.doubtful)

    def beside(self, tables: Sequence[Table]) -> Table:
        """Return the columns of several tables in one."""
        if len(tables) == 1:
            return tables[0]
        joined = self.add("Concat", [table.tensor for table in tables], axis=1)
        sparse = any(table.sparse for table in tables)
        doubtful = any(table.doubtful for table in tables)
        columns: list[Column | None] = []
        for table in tables:
            if table.columns is None:
                return Table(joined, None, sparse, doubtful)
            columns += table.columns
        return Table(joined, tuple(columns), sparse, doubtful)


def _write_list(attribute: onnx.AttributeProto, values: NDArray[Any]) -> None:
    """Write an array of whole numbers, of float32 or of bytes into an attribute."""
    if values.dtype.kind == "f":
        attribute.type = onnx.AttributeProto.FLOATS
        attribute.floats.extend(values.tolist())
    elif values.dtype.kind == "O":
        attribute.type = onnx.AttributeProto.STRINGS
        attribute.strings.extend(values.tolist())
    else:
        attribute.type = onnx.AttributeProto.INTS
        attribute.ints.extend(values.tolist())
