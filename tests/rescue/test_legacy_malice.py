"""Hostile legacy files are refused in bounded time and memory, and leave nothing behind.

Every file is read in a child process whose memory and processor time the kernel bounds, under an
audit hook that notes every import, every opening of a file, and all code made at run time.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from aegismatrix_factory.rescue.reading.containers import read_bytes
from aegismatrix_factory.rescue.reading.errors import LegacyError
from aegismatrix_factory.rescue.reading.ubjson import read_ubjson

from tests import pickles
from tests.pickles import (
    APPEND,
    BUILD,
    EMPTY_DICT,
    EMPTY_LIST,
    EMPTY_TUPLE,
    MARK,
    NONE,
    REDUCE,
    array,
    call,
    dict_of,
    dtype,
    integer,
    name,
    pickled,
    raw_bytes,
    text,
    tuple_of,
)
from tests.watching import watched

ADDRESS_SPACE_BYTES = 1024 * 2**20
PROCESSOR_SECONDS = 60
TREE = ("sklearn.tree._tree", "Tree")
SCALER = ("sklearn.preprocessing._data", "StandardScaler")
TOUCH = text("touch pwned")
PYTHON = text("open('pwned', 'w')")


def scaler(state: bytes) -> bytes:
    return name(*SCALER) + EMPTY_TUPLE + b"\x81" + state + BUILD


def joblib_objects() -> bytes:
    """What joblib writes before the pickle of an array of objects, of one element."""
    state = dict_of(
        (text("subclass"), name("numpy", "ndarray")),
        (text("shape"), tuple_of(integer(1))),
        (text("order"), text("C")),
        (text("dtype"), dtype("O8", "|")),
        (text("allow_mmap"), b"\x89"),
    )
    return name("joblib.numpy_pickle", "NumpyArrayWrapper") + EMPTY_TUPLE + b"\x81" + state + BUILD


def stack_name(module: str, attribute: str) -> bytes:
    return b"".join(b"\x8c" + bytes([len(part)]) + part.encode() for part in (module, attribute))


CALLS = {
    "os.system": pickled(call("os", "system", TOUCH)),
    "posix.system": pickled(call("posix", "system", TOUCH)),
    "nt.system": pickled(call("nt", "system", TOUCH)),
    "os.system by STACK_GLOBAL": pickled(
        stack_name("os", "system") + b"\x93" + tuple_of(TOUCH) + REDUCE, 4
    ),
    "os.system by INST": MARK + TOUCH + b"ios\nsystem\n.",
    "os.system by OBJ": MARK + name("os", "system") + TOUCH + b"o.",
    "os.system by NEWOBJ": pickled(name("os", "system") + tuple_of(TOUCH) + b"\x81"),
    "os.system by NEWOBJ_EX": pickled(
        name("os", "system") + tuple_of(TOUCH) + EMPTY_DICT + b"\x92", 4
    ),
    "subprocess.Popen": pickled(call("subprocess", "Popen", TOUCH)),
    "subprocess.check_output": pickled(call("subprocess", "check_output", TOUCH)),
    "builtins.eval": pickled(call("builtins", "eval", PYTHON)),
    "builtins.exec": pickled(call("builtins", "exec", PYTHON)),
    "__builtin__.eval": pickled(call("__builtin__", "eval", PYTHON)),
    "builtins.open": pickled(call("builtins", "open", text("pwned"), text("w"))),
    "builtins.__import__": pickled(call("builtins", "__import__", text("antigravity"))),
    "os.system by dill": pickled(
        call(
            "dill._dill",
            "_get_attr",
            call("dill._dill", "_import_module", text("os")),
            text("system"),
        )
        + tuple_of(TOUCH)
        + REDUCE
    ),
    "a way through attributes by dill": pickled(
        call("dill._dill", "_get_attr", name("numpy", "dtype"), text("__class__"))
    ),
    "builtins.eval by dill": pickled(
        call("dill._dill", "_load_type", text("eval")) + tuple_of(PYTHON) + REDUCE
    ),
    "builtins.getattr": pickled(call("builtins", "getattr", name("os", "path"), text("join"))),
    "builtins.getattr of what is allowed": pickled(
        call("builtins", "getattr", name("numpy", "dtype"), text("__class__"))
    ),
    "a dotted way through what is allowed": pickled(
        stack_name("numpy", "dtype.__class__.__base__") + b"\x93", 4
    ),
    "operator.attrgetter": pickled(call("operator", "attrgetter", text("system"))),
    "functools.partial": pickled(call("functools", "partial", name("numpy", "dtype"))),
    "importlib.import_module": pickled(call("importlib", "import_module", text("antigravity"))),
    "runpy.run_path": pickled(call("runpy", "run_path", text("pwned"))),
    "numpy.load": pickled(call("numpy", "load", text("pwned"))),
    "numpy.f2py": pickled(call("numpy.f2py.diagnose", "run_command", TOUCH)),
    "numpy.testing runstring": pickled(
        call("numpy.testing._private.utils", "runstring", PYTHON, EMPTY_DICT)
    ),
    "torch.load": pickled(call("torch", "load", text("pwned"))),
    "joblib.load": pickled(call("joblib", "load", text("pwned"))),
    "pickle.loads": pickled(call("pickle", "loads", raw_bytes(b"N."))),
    "webbrowser.open": pickled(call("webbrowser", "open", text("http://localhost"))),
    "socket.socket": pickled(call("socket", "socket")),
    "sys.modules": pickled(name("sys", "modules")),
    "an import of a file in the folder": pickled(call("bait", "spring")),
    "a call in the arguments of an allowed call": pickled(
        call("numpy", "dtype", call("os", "system", TOUCH))
    ),
    "a call in the state of an allowed class": pickled(
        scaler(dict_of((text("mean_"), call("os", "system", TOUCH))))
    ),
    "a call among the nodes of a tree": pickled(
        call(*TREE, integer(2), call("os", "system", TOUCH), integer(1))
    ),
    "a call that is popped again": pickled(call("os", "system", TOUCH) + b"0" + NONE),
    "a call of what a call returned": pickled(
        call("builtins", "getattr", name("os", "path"), text("x")) + tuple_of(TOUCH) + REDUCE
    ),
    "an array wrapped by joblib of before 0.10": pickled(
        name("joblib.numpy_pickle", "NDArrayWrapper") + EMPTY_TUPLE + b"\x81"
    ),
}


def checkpoint(pickle: bytes, files: dict[str, bytes] | None = None, how: int = 0) -> bytes:
    """Write a torch file with a given pickle."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", how) as archive:
        archive.writestr("archive/data.pkl", pickle)
        archive.writestr("archive/version", b"3\n")
        for path, content in (files or {"archive/data/0": bytes(16)}).items():
            archive.writestr(path, content)
    return out.getvalue()


def storage(
    kind: bytes = name("torch", "FloatStorage"),
    key: str = "0",
    count: bytes = integer(4),
    tag: str = "storage",
) -> bytes:
    return tuple_of(text(tag), kind, text(key), text("cpu"), count) + b"Q"


def tensor(
    of: bytes,
    shape: tuple[int, ...] = (4,),
    strides: tuple[int, ...] = (1,),
    offset: bytes = integer(0),
) -> bytes:
    def axes(lengths: tuple[int, ...]) -> bytes:
        return tuple_of(*[b"\x8a\x08" + struct.pack("<q", length) for length in lengths])

    return call(
        "torch._utils", "_rebuild_tensor_v2", of, offset, axes(shape), axes(strides), b"\x89", NONE
    )


def lying_zip(field: int, claimed: int) -> bytes:
    """Change the size that the central directory claims for the first entry."""
    data = bytearray(checkpoint(pickled(tensor(storage()))))
    start = data.index(b"PK\x01\x02")
    data[start + field : start + field + 4] = struct.pack("<I", claimed)
    return bytes(data)


SMALL_ARRAY = array(tuple_of(integer(2)), dtype("f8"), raw_bytes(bytes(16)))
REFUSED: dict[str, tuple[str, bytes]] = {
    "a dict for the state of a class": ("hostile-state", pickled(scaler(EMPTY_LIST))),
    "a state that names __class__": (
        "hostile-state",
        pickled(scaler(dict_of((text("__class__"), integer(1))))),
    ),
    "a state that names __setstate__": (
        "hostile-state",
        pickled(scaler(dict_of((text("__setstate__"), name("numpy", "dtype"))))),
    ),
    "slots that name __dict__": (
        "hostile-state",
        pickled(scaler(tuple_of(NONE, dict_of((text("__dict__"), EMPTY_DICT))))),
    ),
    "a state told twice": (
        "hostile-state",
        pickled(scaler(dict_of((text("a"), NONE))) + dict_of((text("b"), NONE)) + BUILD),
    ),
    "a state for a list": ("malformed", pickled(EMPTY_LIST + EMPTY_DICT + BUILD)),
    "a state for a class": ("malformed", pickled(name(*SCALER) + EMPTY_DICT + BUILD)),
    "a class for a value": (
        "class-as-value",
        pickled(EMPTY_LIST + name("builtins", "set") + APPEND),
    ),
    "a call of a list": ("malformed", pickled(EMPTY_LIST + EMPTY_TUPLE + REDUCE)),
    "a call of a record": (
        "malformed",
        pickled(scaler(dict_of((text("a"), NONE))) + EMPTY_TUPLE + REDUCE),
    ),
    "keywords for a class": (
        "malformed",
        pickled(name(*SCALER) + EMPTY_TUPLE + dict_of((text("copy"), NONE)) + b"\x92", 4),
    ),
    "_reconstructor of itself": (
        "malformed",
        pickled(
            call(
                "copyreg",
                "_reconstructor",
                name("copyreg", "_reconstructor"),
                name("builtins", "object"),
                NONE,
            )
        ),
    ),
    "_codecs.encode with another codec": (
        "malformed",
        pickled(call("_codecs", "encode", text("x"), text("zip"))),
    ),
    "bytearray of a number": ("malformed", pickled(call("builtins", "bytearray", integer(2**30)))),
    "bytes of a number": ("malformed", pickled(call("builtins", "bytes", integer(2**30)))),
    "memo read before it is written": ("malformed", pickled(b"h\x05")),
    "memo with a huge index": ("limit-memo-entries", pickled(NONE + b"r\xff\xff\xff\x7f")),
    "memo with a huge index in text": ("limit-memo-entries", b"Np99999999999999\n."),
    "memo with a negative index": ("limit-memo-entries", b"Np-1\n."),
    "memo of an empty stack": ("malformed", pickled(b"q\x00" + NONE)),
    "a list in itself": ("cycle", pickled(EMPTY_LIST + b"q\x00h\x00" + APPEND)),
    "a dict in itself": ("cycle", pickled(EMPTY_DICT + b"q\x00" + text("a") + b"h\x00s")),
    "a record in its state": (
        "cycle",
        pickled(
            name(*SCALER) + EMPTY_TUPLE + b"\x81q\x00" + dict_of((text("a"), b"h\x00")) + BUILD
        ),
    ),
    "a tuple in itself by a list": (
        "cycle",
        pickled(EMPTY_LIST + b"q\x00" + b"h\x00\x85" + b"\x94" + APPEND, 4),
    ),
    "a persistent id": ("persistent-id", pickled(text("0") + b"Q")),
    "a persistent id of protocol 0": ("persistent-id", b"P../../etc/passwd\n."),
    "extension code 1": ("extension-code", pickled(b"\x82\x01")),
    "extension code 2": ("extension-code", pickled(b"\x83\x01\x00")),
    "extension code 4": ("extension-code", pickled(b"\x84\x01\x00\x00\x00")),
    "a buffer from outside": ("out-of-band-buffer", pickled(b"\x97", 5)),
    "a buffer from outside, read-only": ("out-of-band-buffer", pickled(NONE + b"\x98", 5)),
    "LONG4 of 2 GB": ("limit-integer-bytes", pickled(b"\x8b\xff\xff\xff\x7f" + bytes(100))),
    "LONG4 of a negative size": ("malformed", pickled(b"\x8b\xff\xff\xff\xff" + bytes(100))),
    "LONG1 of 255 bytes": ("limit-integer-bytes", pickled(b"\x8a\xff" + bytes(255))),
    "a million digits": ("limit-text", b"I" + b"9" * 10**6 + b"\n."),
    "a million digits of LONG": ("limit-text", b"L" + b"9" * 10**6 + b"L\n."),
    "two hundred digits": ("limit-integer-bytes", b"I" + b"9" * 200 + b"\n."),
    "digits with underscores": ("malformed", b"I1_000\n."),
    "digits of another script": ("malformed", "I\u0661\n.".encode()),
    "a number that is none": ("malformed", b"F1e5e5\n."),
    "a number with a payload": ("malformed", b"Fnan(1)\n."),
    "a number of a thousand digits": ("limit-text", b"F" + b"1" * 1000 + b"\n."),
    "BINBYTES8 of 2**63 bytes": ("truncated", pickled(b"\x8e" + bytes(7) + b"\x80", 4)),
    "BINUNICODE8 of 2**63 bytes": ("limit-text-bytes", pickled(b"\x8d" + bytes(7) + b"\x80", 4)),
    "BYTEARRAY8 of 1 TB": ("truncated", pickled(b"\x96" + struct.pack("<Q", 2**40), 5)),
    "FRAME of 2**64 bytes": ("truncated", pickled(b"\x95" + b"\xff" * 8 + NONE, 4)),
    "BINSTRING of a negative size": ("limit-text-bytes", pickled(b"T\xff\xff\xff\xff" + NONE)),
    "text that is not UTF-8": ("malformed", pickled(b"X\x02\x00\x00\x00\xff\xfe")),
    "text with a lone surrogate": ("malformed", pickled(text("\ud800"))),
    "text with a lone surrogate in protocol 0": ("malformed", b"V\\ud800\n."),
    "text beyond Unicode in protocol 0": ("malformed", b"V\\U00110000\n."),
    "a quoted text with a strange escape": ("malformed", b"S'\\N{BULLET}'\n."),
    "a quoted text without its quote": ("malformed", b"S'abc\n."),
    "protocol 6": ("malformed", b"\x80\x06N."),
    "an opcode that is none": ("malformed", b"\x80\x04\xff."),
    "a stack that runs empty": ("malformed", b"0."),
    "a mark that is not there": ("malformed", b"t."),
    "a value taken from beyond the mark": ("malformed", pickled(NONE + MARK + b"\x85t")),
    "a mark that is left": ("malformed", pickled(NONE + MARK)),
    "two values at the end": ("malformed", pickled(NONE + NONE)),
    "no value at the end": ("malformed", b"."),
    "an empty file": ("truncated", b""),
    "a second pickle behind the first": ("trailing-bytes", pickled(NONE) + pickled(NONE)),
    "a key without a value": ("malformed", pickled(MARK + text("a") + b"d")),
    "a list for a key": ("malformed", pickled(dict_of((EMPTY_LIST, NONE)))),
    "an array for a key": ("malformed", pickled(dict_of((SMALL_ARRAY, NONE)))),
    "a class for an item of a set": ("malformed", pickled(b"\x8f(" + name(*SCALER) + b"\x90", 4)),
    "numbers that collide for keys": (
        "limit-number-keys",
        pickled(
            EMPTY_DICT
            + MARK
            + b"".join(
                b"\x8a\x0a" + (n * (2**61 - 1)).to_bytes(10, "little") + NONE
                for n in range(100_000)
            )
            + b"u"
        ),
    ),
    "an object array with too few elements": (
        "malformed",
        pickled(array(tuple_of(integer(1)), dtype("O8", "|"), EMPTY_LIST)),
    ),
    "an object array of bytes": (
        "malformed",
        pickled(array(tuple_of(integer(1)), dtype("O8", "|"), raw_bytes(bytes(8)))),
    ),
    "an object array of more elements than any": (
        "malformed",
        pickled(array(tuple_of(integer(2**30)), dtype("O8", "|"), EMPTY_LIST)),
    ),
    "an object from a buffer": (
        "object-array",
        pickled(
            call(
                "numpy._core.numeric",
                "_frombuffer",
                raw_bytes(bytes(8)),
                dtype("O8", "|"),
                tuple_of(integer(1)),
                text("C"),
            )
        ),
    ),
    "an object for a scalar": (
        "object-array",
        pickled(call("numpy._core.multiarray", "scalar", dtype("O8", "|"), raw_bytes(bytes(8)))),
    ),
    "an object array of joblib inside of its own": (
        "malformed",
        pickled(
            joblib_objects()
            + pickled(
                joblib_objects()
                + pickled(array(tuple_of(integer(0)), dtype("O8", "|"), EMPTY_LIST))
            )
        ),
    ),
    "an object array of joblib that is another": (
        "malformed",
        pickled(
            joblib_objects() + pickled(array(tuple_of(integer(0)), dtype("O8", "|"), EMPTY_LIST))
        ),
    ),
    "dates of an unknown unit": (
        "malformed",
        pickled(
            call("numpy", "dtype", text("M8"))
            + tuple_of(
                integer(4),
                text("<"),
                NONE,
                NONE,
                NONE,
                *[integer(-1)] * 2,
                integer(0),
                tuple_of(EMPTY_DICT, tuple_of(raw_bytes(b"ages"), *[integer(1)] * 3)),
            )
            + BUILD
        ),
    ),
    "a frame that is read from elsewhere": (
        "forbidden-global",
        pickled(call("pandas", "read_pickle", text("other.pkl"))),
    ),
    "a way through what stands beside models": (
        "unknown-class",
        pickled(call("numpy.random._pickle", "sys.modules", text("os"))),
    ),
    "raw memory": ("unsupported-array", pickled(call("numpy", "dtype", text("V8")))),
    "long doubles": ("unsupported-array", pickled(dtype("f16"))),
    "a dtype with a comma": ("unsupported-array", pickled(dtype("f8,f8"))),
    "a dtype of a hostile spelling": ("unsupported-array", pickled(dtype("(1000000000,)f8"))),
    "an array with too few bytes": (
        "malformed",
        pickled(array(tuple_of(integer(2**30)), dtype("f8"), raw_bytes(bytes(16)))),
    ),
    "an array with a negative axis": (
        "malformed",
        pickled(array(tuple_of(integer(-1), integer(-2)), dtype("f8"), raw_bytes(bytes(16)))),
    ),
    "an array of no bytes and endless axes": (
        "malformed",
        pickled(
            array(
                tuple_of(integer(0), *[b"\x8a\x05" + struct.pack("<q", 2**38)[:5]] * 8),
                dtype("f8"),
                raw_bytes(b""),
            )
        ),
    ),
    "an array of empty texts without end": (
        "unsupported-array",
        pickled(array(tuple_of(integer(2**30)), dtype("U0"), raw_bytes(b""))),
    ),
    "an array of text beyond Unicode": (
        "malformed",
        pickled(array(tuple_of(integer(1)), dtype("U1"), raw_bytes(b"\xff\xff\xff\xff"))),
    ),
    "an array of text with a lone surrogate": (
        "malformed",
        pickled(array(tuple_of(integer(1)), dtype("U1"), raw_bytes(b"\x00\xd8\x00\x00"))),
    ),
    "an array of booleans that are neither": (
        "malformed",
        pickled(array(tuple_of(integer(1)), dtype("b1", "|"), raw_bytes(b"\x02"))),
    ),
    "an array that is never filled": (
        "malformed",
        pickled(
            call(
                "numpy.core.multiarray",
                "_reconstruct",
                name("numpy", "ndarray"),
                tuple_of(integer(0)),
                raw_bytes(b"b"),
            )
        ),
    ),
    "an array of another class": (
        "malformed",
        pickled(
            call(
                "numpy.core.multiarray",
                "_reconstruct",
                name(*SCALER),
                tuple_of(integer(0)),
                raw_bytes(b"b"),
            )
        ),
    ),
    "a zlib stream of rubbish": ("malformed", b"x\x9c" + bytes(range(200))),
    "a zip of rubbish": ("malformed", b"PK\x03\x04" + bytes(range(200))),
    "a checkpoint that calls": (
        "forbidden-global",
        checkpoint(pickled(call("os", "system", TOUCH))),
    ),
    "a checkpoint with a foreign reference": (
        "persistent-id",
        checkpoint(pickled(tuple_of(text("module"), NONE, text("0"), text("cpu"), NONE) + b"Q")),
    ),
    "a checkpoint with a reference in text": ("persistent-id", checkpoint(b"Pstorage\n.")),
    "a storage whose key is a path": (
        "persistent-id",
        checkpoint(pickled(tensor(storage(key="../../../etc/passwd")))),
    ),
    "a storage of a class that is no storage": (
        "persistent-id",
        checkpoint(pickled(tensor(storage(kind=name("numpy", "dtype"))))),
    ),
    "a storage that is not there": ("truncated", checkpoint(pickled(tensor(storage(key="7"))))),
    "a storage that claims more": (
        "malformed",
        checkpoint(pickled(tensor(storage(count=integer(2**30))))),
    ),
    "a tensor beyond its storage": ("malformed", checkpoint(pickled(tensor(storage(), (5,))))),
    "a tensor before its storage": (
        "malformed",
        checkpoint(pickled(tensor(storage(), (2,), (-1,)))),
    ),
    "a tensor of one number, expanded to terabytes": (
        "limit-memory",
        checkpoint(pickled(tensor(storage(), (2**40,), (0,)))),
    ),
    "a tensor of nothing with endless axes": (
        "malformed",
        checkpoint(pickled(tensor(storage(), (0, 2**40, 2**40), (0, 0, 0)))),
    ),
    "a storage for a value": ("malformed", checkpoint(pickled(storage()))),
    "a call of a storage": ("malformed", checkpoint(pickled(call("torch", "FloatStorage")))),
    "a checkpoint with a name that leads elsewhere": (
        "path-name",
        checkpoint(pickled(NONE), {"archive/../../pwned": b"x"}),
    ),
    "a checkpoint with an absolute name": (
        "path-name",
        checkpoint(pickled(NONE), {"/pwned": b"x"}),
    ),
    "a compressed checkpoint": (
        "compressed-bomb",
        checkpoint(pickled(NONE), {"archive/data/0": bytes(2**24)}, zipfile.ZIP_DEFLATED),
    ),
    "a zip that claims more than it has": ("compressed-bomb", lying_zip(24, 2**31)),
    "a zip whose checksum lies": ("malformed", lying_zip(16, 12345)),
    "a zip whose entry starts elsewhere": ("malformed", lying_zip(42, 2**30)),
}


def nested(opening: bytes, closing: bytes, depth: int) -> bytes:
    return pickled(opening * depth + NONE + closing * depth)


def laughs(levels: int) -> bytes:
    """Ten lists of ten lists of ten lists, each written once."""
    out = EMPTY_LIST + b"q\x00"
    for level in range(levels):
        out += EMPTY_LIST + b"q" + bytes([level + 1])
        out += MARK + (b"h" + bytes([level])) * 10 + b"e"
    return pickled(EMPTY_LIST + MARK + out + b"e")


def shared_arrays() -> bytes:
    """One array of a megabyte, referred to from two thousand places."""
    one = array(tuple_of(integer(2**17)), dtype("f8"), raw_bytes(bytes(2**20)))
    return pickled(EMPTY_LIST + MARK + one + b"q\x00" + b"h\x00" * 2000 + b"e")


def bomb(compress: Callable[[bytes], bytes]) -> bytes:
    return compress(pickled(raw_bytes(bytes(300 * 2**20))))


BOMBS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "a million lists in each other": ("limit-", lambda: nested(EMPTY_LIST, APPEND, 10**6)),
    "a hundred thousand lists in each other": (
        "limit-depth",
        lambda: nested(EMPTY_LIST, APPEND, 10**5),
    ),
    "tuples in each other": ("limit-", lambda: nested(b"", b"\x85", 10**6)),
    "deep tuples for a key": (
        "unsupported-key",
        lambda: pickled(EMPTY_DICT + NONE + b"\x85" * 400_000 + NONE + b"s"),
    ),
    "marks without end": ("limit-opcodes", lambda: pickled(MARK * 10**7)),
    "values without end": ("limit-opcodes", lambda: pickled(NONE * 10**7)),
    "copies without end": ("limit-opcodes", lambda: pickled(NONE + b"2" * 10**7)),
    "sets without end": ("limit-memory", lambda: pickled(b"\x8f" * 10**7, 4)),
    "memo without end": ("limit-", lambda: pickled(NONE + b"\x94" * 10**7, 4)),
    "dtypes without end": (
        "limit-",
        lambda: pickled(dtype("f8") * 10**6),
    ),
    "a billion laughs": ("limit-expanded-values", lambda: laughs(60)),
    "one array a thousand times": ("limit-expanded-bytes", shared_arrays),
    "one set a hundred thousand times": (
        "limit-expanded-values",
        lambda: pickled(
            EMPTY_LIST
            + MARK
            + (b"\x8f(" + b"".join(text(str(number)) for number in range(50_000)) + b"\x90q\x00")
            + b"h\x00" * 100_000
            + b"e",
            4,
        ),
    ),
    "one list made a set again and again": (
        "limit-memory",
        lambda: pickled(
            (b"](" + b"".join(text(str(number)) for number in range(50_000)) + b"e\x85q\x00")
            + (name("builtins", "set") + b"h\x00R0") * 10_000
            + b"0N"
        ),
    ),
    "bytes made a bytearray again and again": (
        "limit-memory",
        lambda: pickled(
            (raw_bytes(bytes(10**7)) + b"\x85q\x00")
            + (name("builtins", "bytearray") + b"h\x00R") * 10_000
        ),
    ),
    "text made bytes again and again": (
        "limit-memory",
        lambda: pickled(
            (text("x" * 10**7) + text("latin1") + b"\x86q\x00")
            + (name("_codecs", "encode") + b"h\x00R") * 10_000
        ),
    ),
    "a zip of empty files without end": (
        "limit-entries",
        lambda: b"PK\x03\x04" + b"PK\x01\x02" * 10**6,
    ),
    "zlib": ("compressed-bomb", lambda: bomb(zlib.compress)),
    "gzip": ("compressed-bomb", lambda: bomb(gzip.compress)),
    "bz2": ("compressed-bomb", lambda: bomb(lambda data: bz2.compress(data[: 40 * 2**20], 1))),
    "xz": (
        "compressed-bomb",
        lambda: bomb(lambda data: lzma.compress(data[: 40 * 2**20], preset=0)),
    ),
    "a text of 200 MB": (
        "limit-text-bytes",
        lambda: pickled(b"X" + struct.pack("<I", 200 * 2**20) + bytes(200 * 2**20)),
    ),
}


def observed(
    folder: Path, files: list[Path], limits: dict[str, float] | None = None
) -> dict[str, tuple[str, str, list[str]]]:
    """Read files in a bounded child that stands in a folder of its own."""
    stand = folder / "stand"
    stand.mkdir()
    bait = stand / "bait.py"
    bait.write_text("def spring():\n    open('pwned', 'w')\n", encoding="utf-8")
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            # The folder that the child stands in is on its path, as it is for a user's script.
            "import sys; from tests.legacy_child import main; sys.path.insert(0, ''); main()",
            str(ADDRESS_SPACE_BYTES),
            str(PROCESSOR_SECONDS),
            json.dumps(limits or {}),
            *map(str, files),
        ],
        cwd=stand,
        env={
            "PYTHONPATH": ":".join(path for path in (*ROOTS, *sys.path) if path),
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "TMPDIR": str(stand),
            "HOME": str(stand),
        },
        capture_output=True,
        text=True,
        timeout=5 * PROCESSOR_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert [path.name for path in stand.iterdir()] == ["bait.py"]
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line[0] for line in lines] == [str(file) for file in files]
    return {Path(path).stem: (code, problem, seen) for path, code, problem, seen in lines}


ROOTS = [str(Path(__file__).parents[2] / "src"), str(Path(__file__).parents[2])]


def written(folder: Path, contents: dict[str, bytes]) -> list[Path]:
    files = []
    for index, content in enumerate(contents.values()):
        files.append(folder / f"{index}.pkl")
        files[-1].write_bytes(content)
    return files


def test_calls_are_refused_by_their_name_and_never_made(tmp_path: Path) -> None:
    results = observed(tmp_path, written(tmp_path, CALLS))
    codes = dict(zip(CALLS, (result[0] for result in results.values()), strict=True))
    others = {
        "numpy.testing runstring": "forbidden-global",
        "an import of a file in the folder": "unknown-class",
        "a dotted way through what is allowed": "unknown-class",
        "an array wrapped by joblib of before 0.10": "unsupported-container",
    }
    assert codes == {key: others.get(key, "forbidden-global") for key in CALLS}
    assert [result[2] for result in results.values()] == [[]] * len(CALLS)
    problems = dict(zip(CALLS, (result[1] for result in results.values()), strict=True))
    assert "posix.system" in problems["posix.system"]
    assert "bait.spring" in problems["an import of a file in the folder"]


def test_malformed_and_hostile_files_are_refused_each_for_its_reason(tmp_path: Path) -> None:
    results = observed(tmp_path, written(tmp_path, {key: REFUSED[key][1] for key in REFUSED}))
    found = zip(REFUSED, (result[0] for result in results.values()), strict=True)
    assert dict(found) == {key: code for key, (code, _) in REFUSED.items()}
    assert [result[2] for result in results.values()] == [[]] * len(REFUSED)


@pytest.mark.slow
@pytest.mark.parametrize("kind", BOMBS)
def test_bombs_are_refused_within_a_gigabyte_and_a_minute(kind: str, tmp_path: Path) -> None:
    code, make = BOMBS[kind]
    # These two take long to make: a smaller bomb against a smaller limit is the same.
    limits = {"decompressed_bytes": 2.0**24} if kind in ("bz2", "xz") else {}
    (result,) = observed(tmp_path, written(tmp_path, {kind: make()}), limits).values()
    assert result[0].startswith(code), result[1]
    assert result[2] == []


def test_the_watch_sees_what_it_is_there_to_see(tmp_path: Path) -> None:
    with watched() as seen:
        (tmp_path / "trace").write_text("x", encoding="utf-8")
        with pytest.raises(ModuleNotFoundError):
            exec("import a_module_that_is_not_there")
        subprocess.run([sys.executable, "-c", ""], check=True)
    events = {event.split(" ")[0] for event in seen}
    assert {"compile", "exec", "import", "open", "subprocess.Popen"} <= events


def test_a_pickle_that_is_cut_anywhere_is_refused() -> None:
    value = {"weights": np.arange(3.0), "text": "abc", "items": [1, (2.5, None), b"x" * 300]}
    for protocol in range(6):
        data = pickles.dumps(value, protocol)
        for end in range(len(data)):
            with pytest.raises(LegacyError):
                read_bytes(data[:end])


def test_a_checkpoint_that_is_cut_anywhere_is_refused() -> None:
    data = checkpoint(pickled(tensor(storage())))
    np.testing.assert_array_equal(read_bytes(data).value, np.zeros(4, np.float32))
    for end in range(len(data)):
        with pytest.raises(LegacyError):
            read_bytes(data[:end])


LENGTH = struct.Struct(">q")
DOCUMENTS = {
    "arrays in each other": ("limit-depth", b"[" * 10**6),
    "objects in each other": ("limit-depth", b"{i\x01a" * 10**6),
    "JSON in each other": ("limit-depth", b'{"a":' * 10**6),
    "JSON with endless digits": ("malformed", b'{"a": ' + b"9" * 10**6 + b"}"),
    "JSON that is cut": ("malformed", b'{"a": [1, 2'),
    "JSON with a key twice": ("malformed", b'{"a": 1, "a": 2}'),
    "JSON that is not UTF-8": ("malformed", b'{"\xff": 1}'),
    "an array of 2**62 numbers": ("truncated", b"[$d#L" + LENGTH.pack(2**62)),
    "an array of 2**62 nothings": ("malformed", b"[$Z#L" + LENGTH.pack(2**62)),
    "an array of 2**62 values": ("truncated", b"[#L" + LENGTH.pack(2**62) + b"Z"),
    "an array of a negative length": ("malformed", b"[$d#L" + LENGTH.pack(-1)),
    "an object of 2**62 members": ("truncated", b"{#L" + LENGTH.pack(2**62)),
    "a text of 2**62 bytes": ("limit-text-bytes", b"SL" + LENGTH.pack(2**62)),
    "a text that is not UTF-8": ("malformed", b"SU\x01\xff"),
    "a text with a surrogate": ("malformed", b"SU\x03\xed\xa0\x80"),
    "nothings without end": ("limit-opcodes", b"[" + b"N" * 10**7),
    "an unknown marker": ("malformed", b"?"),
    "a high-precision number": ("malformed", b"[$H#U\x01U\x011"),
    "a key twice": ("malformed", b"{U\x01aZU\x01aZ}"),
    "more behind the end": ("trailing-bytes", b"ZZ"),
    "nothing": ("truncated", b""),
}


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_hostile_documents_are_refused_each_for_its_reason(kind: str) -> None:
    code, data = DOCUMENTS[kind]
    with watched() as seen, pytest.raises(LegacyError) as caught:
        read_ubjson(data)
    assert caught.value.code == code
    assert seen == []
