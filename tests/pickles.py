"""Writes pickles opcode by opcode, well-formed and hostile ones, without the module that does."""

from __future__ import annotations

import copyreg
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

STOP = b"."
MARK = b"("
REDUCE = b"R"
BUILD = b"b"
EMPTY_LIST = b"]"
EMPTY_DICT = b"}"
EMPTY_TUPLE = b")"
NONE = b"N"
APPEND = b"a"


def proto(version: int) -> bytes:
    return b"\x80" + bytes([version])


def name(module: str, attribute: str) -> bytes:
    return b"c" + f"{module}\n{attribute}\n".encode()


def text(value: str) -> bytes:
    raw = value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(raw)) + raw


def raw_bytes(value: bytes) -> bytes:
    return b"B" + struct.pack("<I", len(value)) + value


def integer(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def tuple_of(*parts: bytes) -> bytes:
    return MARK + b"".join(parts) + b"t"


def dict_of(*pairs: tuple[bytes, bytes]) -> bytes:
    return MARK + b"".join(key + value for key, value in pairs) + b"d"


def call(module: str, attribute: str, *arguments: bytes) -> bytes:
    return name(module, attribute) + tuple_of(*arguments) + REDUCE


def pickled(body: bytes, version: int = 2) -> bytes:
    return proto(version) + body + STOP


def dtype(spelling: str, order: str = "<") -> bytes:
    """Write a dtype of numbers as numpy does."""
    state = tuple_of(integer(3), text(order), NONE, NONE, NONE, *[integer(-1)] * 2, integer(0))
    return call("numpy", "dtype", text(spelling), integer(0), integer(1)) + state + BUILD


def array(shape: bytes, kind: bytes, data: bytes, fortran: bytes = b"\x89") -> bytes:
    """Write an array as numpy does below protocol 5."""
    empty = call(
        "numpy._core.multiarray",
        "_reconstruct",
        name("numpy", "ndarray"),
        tuple_of(integer(0)),
        raw_bytes(b"b"),
    )
    return empty + tuple_of(integer(1), shape, kind, fortran, data) + BUILD


@dataclass(frozen=True)
class Instance:
    """An object of a named class with a state."""

    module: str
    name: str
    state: Any


@dataclass(frozen=True)
class Inline:
    """An array that joblib writes between the opcodes."""

    array: NDArray[Any]
    alignment: int | None = 16


class Writer:
    """Writes one value in one protocol, as CPython's pickler does, with a memo."""

    def __init__(self, protocol: int, *, numpy_1: bool = False) -> None:
        self.protocol = protocol
        self.numpy_1 = numpy_1
        self.out = bytearray()
        self.memo: dict[int, int] = {}
        self.kept: list[Any] = []

    def dumps(self, value: Any) -> bytes:
        if self.protocol >= 2:
            self.out += proto(self.protocol)
        self.save(value)
        return bytes(self.out) + STOP

    def memoize(self, value: Any) -> None:
        index = len(self.memo)
        self.memo[id(value)] = index
        self.kept.append(value)
        if self.protocol >= 4:
            self.out += b"\x94"
        elif self.protocol == 0:
            self.out += b"p%d\n" % index
        else:
            self.out += b"q" + bytes([index]) if index < 256 else b"r" + struct.pack("<I", index)

    def save(self, value: Any) -> None:
        if id(value) in self.memo:
            index = self.memo[id(value)]
            if self.protocol == 0:
                self.out += b"g%d\n" % index
            else:
                self.out += (
                    b"h" + bytes([index]) if index < 256 else b"j" + struct.pack("<I", index)
                )
        elif value is None:
            self.out += NONE
        elif isinstance(value, bool):
            signs = (b"\x89", b"\x88") if self.protocol >= 2 else (b"I00\n", b"I01\n")
            self.out += signs[value]
        elif type(value) is int:
            self.save_int(value)
        elif type(value) is float:
            short = b"F" + repr(value).encode() + b"\n"
            self.out += short if self.protocol == 0 else b"G" + struct.pack(">d", value)
        elif type(value) is str:
            self.save_text(value)
            self.memoize(value)
        elif type(value) is bytes and self.protocol >= 3:
            short = b"C" + bytes([len(value) & 255]) + value
            self.out += short if len(value) < 256 else raw_bytes(value)
        elif type(value) is bytes:
            self.save_name("_codecs", "encode")
            self.save((value.decode("latin-1"), "latin1"))
            self.out += REDUCE
        elif type(value) is bytearray and self.protocol >= 5:
            self.out += b"\x96" + struct.pack("<Q", len(value)) + value
        elif type(value) is tuple:
            self.save_tuple(value)
        elif type(value) is list:
            self.out += EMPTY_LIST if self.protocol else b"(l"
            self.memoize(value)
            self.fill(b"a", b"e", [[item] for item in value])
        elif type(value) is dict:
            self.out += EMPTY_DICT if self.protocol else b"(d"
            self.memoize(value)
            self.fill(b"s", b"u", [list(pair) for pair in value.items()])
        elif type(value) in (set, frozenset) and self.protocol >= 4:
            self.save_set(value)
        elif isinstance(value, Inline):
            self.save_inline(value)
        elif isinstance(value, Instance):
            self.save_name(value.module, value.name)
            self.out += EMPTY_TUPLE + b"\x81" if self.protocol >= 2 else b"(tR"
            self.save(value.state)
            self.out += BUILD
        elif isinstance(value, type) or callable(value):
            self.save_name(value.__module__, value.__qualname__)
        elif type(value).__name__ == "PickleBuffer":
            self.save(bytes(value))
        else:
            self.save_reduced(value)

    def save_int(self, value: int) -> None:
        if self.protocol == 0:
            self.out += b"L%dL\n" % value
        elif -(2**31) <= value < 2**31:
            self.out += integer(value)
        elif self.protocol == 1:
            self.out += b"L%dL\n" % value
        else:
            raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
            self.out += b"\x8a" + bytes([len(raw)]) + raw

    def save_text(self, value: str) -> None:
        if self.protocol == 0:
            for sign in ("\\", "\0", "\n", "\r", "\x1a"):
                value = value.replace(sign, f"\\u{ord(sign):04x}")
            self.out += b"V" + value.encode("raw-unicode-escape") + b"\n"
        elif self.protocol >= 4 and len(value.encode()) < 256:
            self.out += b"\x8c" + bytes([len(value.encode())]) + value.encode()
        else:
            self.out += text(value)

    def save_name(self, module: str, attribute: str) -> None:
        if self.numpy_1:
            module = module.replace("numpy._core", "numpy.core")
        if self.protocol >= 4:
            self.save(module)
            self.save(attribute)
            self.out += b"\x93"
        else:
            self.out += name(module, attribute)

    def save_tuple(self, value: tuple[Any, ...]) -> None:
        if not value and self.protocol:
            self.out += EMPTY_TUPLE
            return
        short = self.protocol >= 2 and len(value) <= 3
        self.out += b"" if short else MARK
        for part in value:
            self.save(part)
        self.out += bytes([0x84 + len(value)]) if short else b"t"
        self.memoize(value)

    def save_set(self, value: set[Any] | frozenset[Any]) -> None:
        self.out += MARK if type(value) is frozenset else b"\x8f("
        for item in value:
            self.save(item)
        self.out += b"\x91" if type(value) is frozenset else b"\x90"

    def save_inline(self, value: Inline) -> None:
        contiguous = value.array.flags.f_contiguous and not value.array.flags.c_contiguous
        state = {
            "subclass": np.ndarray,
            "shape": value.array.shape,
            "order": "F" if contiguous else "C",
            "dtype": value.array.dtype,
            "allow_mmap": True,
        }
        if value.alignment is not None:
            state["numpy_array_alignment_bytes"] = value.alignment
        self.save(Instance("joblib.numpy_pickle", "NumpyArrayWrapper", state))
        if value.alignment is not None:
            padding = value.alignment - (len(self.out) + 1) % value.alignment
            self.out += bytes([padding]) + b"\xff" * padding
        self.out += value.array.tobytes(order="F" if contiguous else "C")

    def save_reduced(self, value: Any) -> None:
        registered = copyreg.dispatch_table.get(type(value))
        reduced = registered(value) if registered else value.__reduce_ex__(self.protocol)
        assert isinstance(reduced, tuple)
        function, arguments, *rest = reduced
        self.kept.append((function, arguments, rest))
        if function is getattr(copyreg, "__newobj__"):  # noqa: B009
            self.save_name(arguments[0].__module__, arguments[0].__qualname__)
            self.save(arguments[1:])
            self.out += b"\x81"
        else:
            self.save(function)
            self.save(arguments)
            self.out += REDUCE
        self.memoize(value)
        state, items, pairs = (*rest, None, None, None)[:3]
        self.fill(b"a", b"e", [[item] for item in items or ()])
        self.fill(b"s", b"u", [list(pair) for pair in pairs or ()])
        if state is not None:
            self.save(state)
            self.out += BUILD

    def fill(self, one: bytes, many: bytes, groups: list[list[Any]]) -> None:
        if len(groups) > 1 and self.protocol:
            self.out += MARK
            for group in groups:
                for part in group:
                    self.save(part)
            self.out += many
            return
        for group in groups:
            for part in group:
                self.save(part)
            self.out += one


def dumps(value: Any, protocol: int, *, numpy_1: bool = False) -> bytes:
    """Pickle a value; `numpy_1` writes numpy's functions under their names before numpy 2."""
    return Writer(protocol, numpy_1=numpy_1).dumps(value)
