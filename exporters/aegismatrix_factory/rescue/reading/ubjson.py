"""Reads documents of boosters within bounds: UBJSON, JSON, and what xgboost and CatBoost pack.

UBJSON is described at https://ubjson.org (draft 12); xgboost writes numbers in big-endian order and
arrays of numbers in the optimised form, ``[$ type # count``.
"""

from __future__ import annotations

import json
import re
import struct
from typing import Any

import numpy as np

from aegismatrix_factory.rescue.reading.catboost_binary import MAGIC, read_catboost
from aegismatrix_factory.rescue.reading.catboost_json import is_catboost, read_catboost_json
from aegismatrix_factory.rescue.reading.errors import LimitError, MalformedError
from aegismatrix_factory.rescue.reading.limits import Budget, Limits
from aegismatrix_factory.rescue.reading.xgboost_binary import is_binary, read_binary

_INTEGERS = {b"i": (1, True), b"U": (1, False), b"I": (2, True), b"l": (4, True), b"L": (8, True)}
_TYPED = {b"i": ">i1", b"U": ">u1", b"I": ">i2", b"l": ">i4", b"L": ">i8", b"d": ">f4", b"D": ">f8"}
_CONSTANTS: dict[bytes, Any] = {b"Z": None, b"T": True, b"F": False}
_JSON_START = re.compile(rb"\s*\{\s*[\"}]")
_UBJSON_START = re.compile(rb"\s*\{[iUIlL$#}]")
_JSON_DIGITS = 64


class _Reader:
    """A document, and how far it is read."""

    def __init__(self, data: memoryview, budget: Budget) -> None:
        self.data = data
        self.budget = budget
        self.position = 0
        self.values = 0

    def bad(self, what: str, *, code: str = "malformed") -> MalformedError:
        return MalformedError(f"its UBJSON {what}", offset=self.position, code=code)

    def take(self, count: int) -> memoryview:
        if count > len(self.data) - self.position:
            raise self.bad("is cut off", code="truncated")
        piece = self.data[self.position : self.position + count]
        self.position += count
        return piece

    def marker(self) -> bytes:
        piece = bytes(self.take(1))
        while piece == b"N":
            self.count_value()
            piece = bytes(self.take(1))
        return piece

    def ahead(self) -> bytes:
        return bytes(self.data[self.position : self.position + 1])

    def count_value(self) -> None:
        self.values += 1
        self.budget.tick()
        if self.values > self.budget.limits.opcodes:
            raise _too_many(self.budget.limits)

    def integer(self, marker: bytes) -> int:
        if marker not in _INTEGERS:
            raise self.bad("has no integer where one must be")
        width, signed = _INTEGERS[marker]
        return int.from_bytes(self.take(width), "big", signed=signed)

    def length(self) -> int:
        count = self.integer(self.marker())
        if count < 0:
            raise self.bad("has a negative length")
        return count

    def text(self) -> str:
        count = self.length()
        if count > self.budget.limits.text_bytes:
            raise LimitError(
                "a text is too long",
                limit="text_bytes",
                allowed=self.budget.limits.text_bytes,
            )
        try:
            return str(self.take(count), "utf-8")
        except UnicodeDecodeError as error:
            raise self.bad("has a text that is not UTF-8") from error

    def value(self, marker: bytes, depth: int) -> Any:
        self.count_value()
        if marker in _CONSTANTS:
            return _CONSTANTS[marker]
        if marker in _INTEGERS:
            return self.integer(marker)
        if marker == b"d":
            return struct.unpack(">f", self.take(4))[0]
        if marker == b"D":
            return struct.unpack(">d", self.take(8))[0]
        if marker == b"C":
            return str(self.take(1), "latin-1")
        if marker in (b"S", b"H"):
            return self.text()
        if marker not in (b"[", b"{"):
            raise self.bad("has an unknown marker")
        if depth >= self.budget.limits.depth:
            raise _too_deep(self.budget.limits)
        self.budget.container()
        return self.array(depth + 1) if marker == b"[" else self.object(depth + 1)

    def array(self, depth: int) -> Any:
        if self.ahead() == b"$":
            self.take(1)
            return self.typed()
        made: list[Any] = []
        if self.ahead() == b"#":
            self.take(1)
            # Every value takes at least a byte, so that the end comes before the count if it lies.
            for _ in range(self.length()):
                made.append(self.value(self.marker(), depth))
            return made
        while (marker := self.marker()) != b"]":
            made.append(self.value(marker, depth))
        return made

    def typed(self) -> Any:
        marker = bytes(self.take(1))
        if marker not in _TYPED:
            raise self.bad("has an array of a type that is no number")
        if bytes(self.take(1)) != b"#":
            raise self.bad("has a typed array without a count")
        kind = np.dtype(_TYPED[marker])
        size_bytes = self.length() * kind.itemsize
        if size_bytes > len(self.data) - self.position:
            raise self.bad("has an array that is cut off", code="truncated")
        self.budget.array(size_bytes)
        self.budget.clock()
        return np.frombuffer(self.take(size_bytes), dtype=kind).astype(kind.newbyteorder("="))

    def object(self, depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        if self.ahead() in (b"$", b"#"):
            counted = bytes(self.take(1)) == b"#"
            if not counted:
                raise self.bad("has a typed object, which xgboost never writes")
            for _ in range(self.length()):
                self.member(made, depth)
            return made
        while self.ahead() != b"}":
            self.member(made, depth)
        self.take(1)
        return made

    def member(self, made: dict[str, Any], depth: int) -> None:
        key = self.text()
        if key in made:
            raise self.bad("has a key twice")
        made[key] = self.value(self.marker(), depth)


def _too_many(limits: Limits) -> LimitError:
    return LimitError("it has too many values", limit="opcodes", allowed=limits.opcodes)


def _too_deep(limits: Limits) -> LimitError:
    return LimitError("it nests too deep", limit="depth", allowed=limits.depth)


def _bounded_integer(text: str) -> int:
    if len(text) > _JSON_DIGITS:
        raise ValueError("an integer is too long")
    return int(text)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key twice")
    return made


def _json(data: bytes, budget: Budget) -> Any:
    limits = budget.limits
    if sum(data.count(sign) for sign in (b",", b"[", b"{")) > limits.opcodes:
        raise _too_many(limits)
    depth = 0
    inside = False
    for found in re.finditer(rb'\\.|["\[\]{}]', data, re.DOTALL):
        budget.tick()
        sign = found.group()
        if sign == b'"':
            inside = not inside
        elif not inside and sign in b"[{":
            depth += 1
        elif not inside and sign in b"]}":
            depth -= 1
        if depth > limits.depth:
            raise _too_deep(limits)
    try:
        return json.loads(str(data, "utf-8"), parse_int=_bounded_integer, object_pairs_hook=_unique)
    except ValueError as error:
        raise MalformedError("its JSON is damaged") from error


def read_ubjson(data: bytes | bytearray, limits: Limits | None = None) -> Any:
    """Read a UBJSON or JSON document, or a binary model of xgboost before 1.3 or of CatBoost.

    Parameters
    ----------
    data : bytes
        The document, whole.
    limits : Limits, optional
        What it may cost.

    Returns
    -------
    object
        Dicts, lists, text, numbers, booleans and None; arrays of the optimised form are numpy
        arrays of one axis in this machine's byte order.

    Raises
    ------
    LegacyError
        If it is malformed or asks for more than the limits.
    """
    limits = limits or Limits()
    if len(data) > limits.decompressed_bytes:
        raise LimitError(
            "it is too large", limit="decompressed_bytes", allowed=limits.decompressed_bytes
        )
    if data.startswith(MAGIC):
        return read_catboost(data, Budget(limits))
    if _JSON_START.match(data):
        budget = Budget(limits)
        content = _json(bytes(data), budget)
        return read_catboost_json(content, budget) if is_catboost(content) else content
    if not _UBJSON_START.match(data) and is_binary(data):
        budget = Budget(limits)
        return read_binary(data, budget, lambda inside: _json(inside, budget))
    reader = _Reader(memoryview(data), Budget(limits))
    value = reader.value(reader.marker(), 0)
    if reader.position != len(data):
        raise reader.bad("goes on after its end", code="trailing-bytes")
    return value
