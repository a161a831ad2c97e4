"""Columns of categories in scikit-learn's histogram boosting: which sets a category is in.

A node keeps the categories that go to the left as 256 bits. Each set that the nodes of a column ask
for becomes one column of the trees: 0 to the left, 1 to the right, NaN to where what is missing
goes. That is where NaN goes, and a category that was never seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from aegismatrix_factory.rescue.converting.attributes import Attributes, known, whole_numbers
from aegismatrix_factory.rescue.converting.categories import Categories, categories
from aegismatrix_factory.rescue.converting.errors import (
    InconsistentModelError,
    OversizedModelError,
    UnsupportedModelError,
)
from aegismatrix_factory.rescue.converting.family import Reader
from aegismatrix_factory.rescue.converting.parameters import FloatArray
from aegismatrix_factory.rescue.converting.writing import Table, Writer
from aegismatrix_factory.rescue.reading.records import Name, Record

BITS = 256
_MOST_SETS = 4096

Below = Literal["coded", "zero", "missing"]
"""What a number below 0 is: none, since categories are coded by an encoder; 0 if it is above -1,
and refused else; or missing."""


@dataclass(frozen=True, eq=False)
class Coded:
    """A column of categories.

    Attributes
    ----------
    column : int
        Of the rows.
    values : Categories
        Those that were seen.
    there : ndarray of shape (categories,)
        0 for one that stands for what is missing, else 1.
    codes : ndarray of int, shape (categories,)
        The bit of each; of no use for one that is missing.
    below : Below
    """

    column: int
    values: Categories
    there: FloatArray
    codes: Any
    below: Below

    def sides(self, writer: Writer, x: Table, sets: Sequence[Any]) -> str:
        """Write to which side each row goes, for every set.

        Parameters
        ----------
        writer : Writer
        x : Table
        sets : sequence of ndarray of bool, shape (256,)
            The bits that go to the left.

        Returns
        -------
        str
            Float64 (N, sets): 0 to the left, 1 to the right, NaN where it is missing.
        """
        matches = self._matches(writer, x)
        right = np.stack([~one[self.codes] for one in sets], axis=1) * self.there[:, None]
        side = writer.add("MatMul", [matches, writer.weight(right.astype(np.float64))])
        found = writer.add("MatMul", [matches, writer.weight(self.there[:, None])])
        some = writer.add("Greater", [found, writer.number(0.5)])
        return writer.add("Where", [some, side, writer.nan()])

    def _matches(self, writer: Writer, x: Table) -> str:
        if self.below == "coded":
            return self.values.matches(writer, x, self.column)
        value = writer.chosen(x, [self.column]).numbers()
        # Beyond eight bits it is undefined which category a number is.
        writer.refuse(writer.add("GreaterOrEqual", [value, writer.number(BITS)]))
        negative = writer.add("Less", [value, writer.number(0.0)])
        instead = writer.number(0.0) if self.below == "zero" else writer.nan()
        if self.below == "zero":
            writer.refuse(writer.add("LessOrEqual", [value, writer.number(-1.0)]))
        whole = writer.add("Floor", [writer.add("Where", [negative, instead, value])])
        listed = writer.weight(self.codes.astype(np.float64)[None])
        return writer.doubled(writer.add("Equal", [whole, listed]))

    def probe(self, random: np.random.Generator, rows: int) -> FloatArray:
        """Return rows (N,) of categories, of others, and of what is none; 0 for text."""
        if self.values.numbers is None:
            return np.zeros(rows)
        strange = np.array([-1.5, -1.0, -0.5, 0.5, 7.0, 100.5, 255.0, 255.5, 256.0, 1e6])
        drawn = self.values.probe(random, rows)
        return np.where(random.random(rows) < 0.2, random.choice(strange, size=rows), drawn)


def read_columns(attributes: Attributes, reader: Reader, width: int) -> list[int | Coded]:
    """Return what each column of the trees is in the rows.

    Parameters
    ----------
    attributes : Attributes
        Of the model.
    reader : Reader
    width : int
        Columns of the rows.

    Returns
    -------
    list of (int or Coded)
        The place of a column of numbers, or a column of categories.

    Raises
    ------
    LegacyError
        If they are given otherwise than the releases that were tried do.
    """
    marked = _mask(attributes.get("is_categorical_"), width)
    coder = attributes.get("_preprocessor")
    if marked is None or not marked.any():
        if coder is not None:
            raise InconsistentModelError(f"{attributes.name} codes categories and has none")
        return list(range(width))
    mapper = attributes.need("_bin_mapper")
    if not isinstance(mapper, Record) or mapper.name != "_BinMapper":
        raise InconsistentModelError(f"{attributes.name}._bin_mapper is none")
    seen = Attributes(mapper, _MAPPER).need("bin_thresholds_")
    if not isinstance(seen, list) or len(seen) != width:
        raise InconsistentModelError("_BinMapper.bin_thresholds_ is not one line a column")
    if not attributes.since(1, 4):
        below: Below = "missing" if attributes.since(1, 2) else "zero"
        return [
            _known_codes(place, seen[place], below) if marked[place] else place
            for place in range(width)
        ]
    # Since 1.4 an encoder codes the categories first, and puts them before the numbers.
    order = [*np.flatnonzero(marked).tolist(), *np.flatnonzero(~marked).tolist()]
    listed = _encoded(attributes, reader, marked)
    found: list[int | Coded] = []
    for place, column in enumerate(order):
        if place >= len(listed):
            found.append(column)
            continue
        given = categories(listed[place], "OrdinalEncoder.categories_")
        codes = np.arange(len(given))
        there = np.ones(len(given))
        if given.nowhere is not None:
            there[given.nowhere] = 0.0
        known_codes = _codes(seen[place]).tolist()
        # What is missing is the last of them.
        if there[:-1].min(initial=1.0) < 1.0 or known_codes != codes[: int(there.sum())].tolist():
            raise InconsistentModelError("the categories of a column are not those of its encoder")
        codes = np.minimum(codes, BITS - 1)
        found.append(Coded(column, given, there, codes, "coded"))
    return found


def _known_codes(column: int, given: object, below: Below) -> Coded:
    codes = _codes(given)
    values = Categories(None, codes.astype(np.float64))
    return Coded(column, values, np.ones(len(codes)), codes, below)


def _codes(given: object) -> Any:
    if not isinstance(given, np.ndarray) or given.ndim != 1 or not given.size:
        raise InconsistentModelError("a column of categories has none")
    codes = whole_numbers(given, given.shape, "_BinMapper.bin_thresholds_")
    if codes.min() < 0 or codes.max() >= BITS or (np.diff(codes) <= 0).any():
        raise InconsistentModelError("the categories of a column are not in order")
    return codes


def _mask(given: object, width: int) -> Any:
    if given is None:
        return None
    if not isinstance(given, np.ndarray) or given.shape != (width,) or given.dtype != np.bool_:
        raise InconsistentModelError("it does not say of every column whether it has categories")
    return given


def _encoded(attributes: Attributes, reader: Reader, marked: Any) -> list[Any]:
    """The categories of each column, in the order of the encoder of the releases since 1.4."""
    coder = attributes.need("_preprocessor")
    if not isinstance(coder, Record) or coder.name != "ColumnTransformer":
        raise InconsistentModelError(f"{attributes.name}._preprocessor is none")
    inside = reader.known(coder)[1]
    steps = inside.need("transformers_")
    if inside.get("transformer_weights") is not None or not isinstance(steps, list):
        raise UnsupportedModelError(f"its {attributes.name} codes categories in an unknown way")
    given = {one[0]: one[1:] for one in steps if isinstance(one, tuple) and len(one) == 3}
    # What remains is listed since 1.7; there is nothing.
    rest = given.pop("remainder", ("drop", []))
    dropped = isinstance(rest[0], str) and rest[0] == "drop"
    if list(given) != ["encoder", "numerical"] or len(steps) > 3 or not dropped:
        raise UnsupportedModelError(f"its {attributes.name} codes categories in an unknown way")
    for name, mask in (("encoder", marked), ("numerical", ~marked)):
        own = given[name][1]
        if not isinstance(own, np.ndarray) or own.dtype != np.bool_ or own.tolist() != list(mask):
            raise InconsistentModelError(f"{attributes.name} codes other columns")
    encoder, numerical = given["encoder"][0], given["numerical"][0]
    if not _passes(numerical) or not isinstance(encoder, Record):
        raise UnsupportedModelError(f"its {attributes.name} changes its numbers first")
    coded = reader.known(encoder)[1]
    ways = (coded.get("unknown_value"), coded.get("encoded_missing_value"))
    plain = all(isinstance(one, float) and np.isnan(one) for one in ways)
    if encoder.name != "OrdinalEncoder" or not plain or coded.get("_infrequent_enabled", False):
        raise UnsupportedModelError(f"its {attributes.name} codes categories in an unknown way")
    listed = coded.need("categories_")
    if not isinstance(listed, list) or len(listed) != int(marked.sum()):
        raise InconsistentModelError(f"{attributes.name} codes other columns")
    return listed


def _passes(given: object) -> bool:
    """Whether a step only looks whether its numbers are numbers."""
    function = given.state.get("func") if isinstance(given, Record) else None
    if isinstance(given, str) or not isinstance(function, Record) or function.name != "partial":
        return False
    called = function.arguments[0] if function.arguments else None
    return called == Name("sklearn.utils.validation", "check_array")


class Sets:
    """The sets that the trees ask for, each once, and the columns that they become.

    Parameters
    ----------
    begin : int
        The first of these columns.
    """

    def __init__(self, begin: int) -> None:
        self._places: dict[tuple[int, bytes], int] = {}
        self._begin = begin
        self._count = 0
        self.by_column: dict[int, dict[bytes, Any]] = {}

    def gather(self, feature: int, coded: Coded, left: Any) -> None:
        """Take a set that a node of a column asks for."""
        allowed = np.zeros(BITS, dtype=np.bool_)
        allowed[coded.codes[coded.there > 0.0]] = True
        if (left & ~allowed).any():
            raise InconsistentModelError("a tree asks for a category that was never seen")
        own = self.by_column.setdefault(feature, {})
        if left.tobytes() not in own:
            own[left.tobytes()] = left
            self._count += 1
        if self._count > _MOST_SETS:
            raise OversizedModelError(f"its trees ask for more than {_MOST_SETS} sets")

    def number(self) -> int:
        """Give every set its column, and return how many columns there are in all."""
        at = self._begin
        for feature in sorted(self.by_column):
            for left in self.by_column[feature]:
                self._places[feature, left] = at
                at += 1
        return at

    def place(self, feature: int, left: Any) -> int:
        """Return the column of a set."""
        return self._places[feature, left.tobytes()]


def unpacked(rows: object) -> Any:
    """Return sets of categories, eight words of 32 bits each, as truth values.

    Parameters
    ----------
    rows : object
        From a file: uint32 (sets, 8).

    Returns
    -------
    ndarray of bool, shape (sets, 256)

    Raises
    ------
    InconsistentModelError
        If they are none.
    """
    words = BITS // 32
    if (
        not isinstance(rows, np.ndarray)
        or rows.ndim != 2
        or rows.shape[1] != words
        or rows.dtype.kind != "u"
        or rows.dtype.itemsize != 4
    ):
        raise InconsistentModelError("the sets of categories of a tree are none")
    shifts = np.arange(32, dtype=np.uint32)
    return ((rows[:, :, None] >> shifts) & 1).reshape(len(rows), BITS) != 0


_MAPPER = known(
    """
    n_bins subsample is_categorical known_categories random_state n_threads bin_thresholds_
    n_bins_non_missing_ is_categorical_ missing_values_bin_idx_ _sklearn_version
    """
)
