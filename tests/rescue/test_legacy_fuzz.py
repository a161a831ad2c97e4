"""Whatever bytes come, the reader gives a value or its own error, and touches nothing outside.

``AEGISMATRIX_FUZZ_CASES`` sets how many cases each test tries (20000 takes some minutes);
``--hypothesis-show-statistics`` prints how they ended.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
from aegismatrix_factory.rescue.converting.catalogue import every_family
from aegismatrix_factory.rescue.reading.containers import read_bytes
from aegismatrix_factory.rescue.reading.errors import LegacyError
from aegismatrix_factory.rescue.reading.limits import Limits
from aegismatrix_factory.rescue.reading.records import Name, Record
from aegismatrix_factory.rescue.reading.ubjson import read_ubjson
from hypothesis import HealthCheck, Phase, event, given, settings

from tests import pickles
from tests.watching import watched

CASES = int(os.environ.get("AEGISMATRIX_FUZZ_CASES", "300"))
LIMITS = Limits(seconds=20.0)
LEGACY = Path(__file__).parents[1] / "fixtures" / "legacy"
fuzzed = settings(
    max_examples=CASES,
    deadline=None,
    database=None,
    derandomize="AEGISMATRIX_FUZZ_CASES" not in os.environ,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
)

NAMES = [
    *sorted({(family.modules[0], family.name) for family in every_family() if family.modules}),
    ("sklearn.tree._tree", "Tree"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy._core.numeric", "_frombuffer"),
    ("joblib.numpy_pickle", "NumpyArrayWrapper"),
    ("_codecs", "encode"),
    ("builtins", "object"),
    ("builtins", "set"),
    ("builtins", "frozenset"),
    ("builtins", "bytearray"),
    ("builtins", "complex"),
    ("collections", "OrderedDict"),
    ("copyreg", "_reconstructor"),
    ("torch._utils", "_rebuild_tensor_v2"),
    ("torch", "FloatStorage"),
    ("os", "system"),
    ("builtins", "getattr"),
    ("numpy.random._pickle", "__generator_ctor"),
]
WORDS = ["f8", "i4", "U3", "O8", "V16", "<", "|", "latin1", "state", "dtype", "shape", "C", "F", ""]


PLAIN = (bool, int, float, complex, str, bytes, bytearray)
SCALARS = (str, bytes, bool, int, float, type(None), np.generic)

small = st.integers(0, 7)
index = small.map(lambda number: bytes([number]))
atoms = (
    st.sampled_from([b"N", b"\x88", b"\x89", b")", b"]", b"}", b"\x8f", b"I01\n", b"F1.5\n"])
    | st.integers(-(2**31), 2**31 - 1).map(pickles.integer)
    | small.map(pickles.integer)
    | st.binary(max_size=24).map(pickles.raw_bytes)
    | st.binary(max_size=24).map(lambda raw: b"\x96" + struct.pack("<Q", len(raw)) + raw)
    | st.sampled_from(WORDS).map(pickles.text)
    | st.text(max_size=8).map(pickles.text)
    | st.binary(max_size=9).map(lambda raw: b"\x8a" + bytes([len(raw)]) + raw)
    | st.floats().map(lambda number: b"G" + struct.pack(">d", number))
    | st.sampled_from(NAMES).map(lambda pair: pickles.name(*pair))
    | index.map(lambda number: b"h" + number)
    | st.sampled_from(["f8", "i4", "b1", "U2", "O8"]).map(pickles.dtype)
)


def composed(inner: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    several = st.lists(inner, max_size=4).map(b"".join)
    call = st.tuples(st.sampled_from(NAMES).map(lambda pair: pickles.name(*pair)), several).map(
        lambda parts: parts[0] + pickles.MARK + parts[1] + b"t"
    )
    return (
        several.map(lambda body: b"(" + body + b"t")
        | several.map(lambda body: b"(" + body + b"l")
        | several.map(lambda body: b"(" + body + body + b"d")
        | several.map(lambda body: b"](" + body + b"e")
        | several.map(lambda body: b"}(" + body + body + b"u")
        | several.map(lambda body: b"\x8f(" + body + b"\x90")
        | several.map(lambda body: b"(" + body + b"\x91")
        | st.tuples(call, st.sampled_from([b"R", b"\x81", b"}\x92"])).map(b"".join)
        | st.tuples(inner, inner).map(lambda parts: parts[0] + parts[1] + b"b")
        | st.tuples(inner, index).map(lambda parts: parts[0] + b"q" + parts[1])
        | st.tuples(inner, inner).map(b"".join)
        | st.tuples(inner, st.sampled_from([b"\x94", b"2", b"0", b"1", b"Q", b"a", b"s"])).map(
            b"".join
        )
        | st.tuples(inner, inner, inner).map(
            lambda parts: pickles.array(parts[0], parts[1], parts[2])
        )
    )


streams = st.recursive(atoms, composed, max_leaves=12)
noise = st.lists(
    st.sampled_from([bytes([code]) for code in range(256)]) | atoms, min_size=1, max_size=24
).map(b"".join)


def outcome(read: Callable[[], Any]) -> None:
    """Read under the watch, and count how it ended."""
    value, ended, problem = None, "read", ""
    with watched() as seen:
        try:
            value = read()
        except LegacyError as error:
            ended, problem = error.code, str(error)
    assert seen == []
    assert_inert(value)
    assert (ended == "read") == (problem == "")
    assert len(problem) < 1000
    event(ended)


def assert_inert(value: Any) -> None:
    """Nothing comes out but plain values, arrays of numbers and text, and records."""
    todo = [value]
    while todo:
        one = todo.pop()
        if isinstance(one, np.ndarray | np.generic | np.dtype):
            if isinstance(one, np.ndarray) and one.dtype.hasobject:
                assert one.dtype == object
                assert all(isinstance(inner, SCALARS) for inner in one.reshape(-1))
            continue
        if isinstance(one, Record):
            todo += [one.arguments, one.state, one.items, one.entries]
        elif type(one) is dict:
            todo += [*one, *one.values()]
        elif type(one) in (list, tuple, set, frozenset):
            todo += one
        else:
            assert one is None or isinstance(one, Name) or type(one) in PLAIN


@fuzzed
@given(version=st.integers(0, 5), body=streams)
def test_pickles_of_a_grammar_are_read_or_refused(version: int, body: bytes) -> None:
    outcome(lambda: read_bytes(pickles.pickled(body, version), LIMITS).value)


@fuzzed
@given(body=noise)
def test_pickles_of_noise_are_read_or_refused(body: bytes) -> None:
    outcome(lambda: read_bytes(body + pickles.STOP, LIMITS).value)


def corpus() -> list[bytes]:
    files = sorted(path for path in LEGACY.glob("*/*") if path.suffix in (".pkl", ".pt"))
    if importlib.util.find_spec("lz4"):
        # Here rather than under the watch, which would see it.
        importlib.import_module("lz4.frame")
    else:
        files = [file for file in files if ".lz4." not in file.name]
    return [file.read_bytes() for file in files if file.stat().st_size < 30_000]


CORPUS = corpus()


@st.composite
def damaged(draw: st.DrawFn, contents: list[bytes]) -> bytes:
    """A real file with bits flipped, pieces cut, doubled, swapped in, or replaced."""
    data = bytearray(draw(st.sampled_from(contents)))
    for _ in range(draw(st.integers(1, 4))):
        if not data:
            break
        at = draw(st.integers(0, len(data) - 1))
        length = draw(st.integers(1, 32))
        how = draw(st.sampled_from(["flip", "set", "cut", "drop", "double", "insert", "splice"]))
        if how == "flip":
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif how == "set":
            data[at] = draw(st.integers(0, 255))
        elif how == "cut":
            del data[at:]
        elif how == "drop":
            del data[at : at + length]
        elif how == "double":
            data[at:at] = data[at : at + length]
        elif how == "insert":
            data[at:at] = draw(atoms)
        else:
            other = draw(st.sampled_from(contents))
            start = draw(st.integers(0, max(len(other) - 1, 0)))
            data[at : at + length] = other[start : start + length]
    return bytes(data)


def test_the_corpus_of_real_files_is_there() -> None:
    assert len(CORPUS) > 100


@fuzzed
@given(data=damaged(CORPUS))
def test_damaged_legacy_files_are_read_or_refused(data: bytes) -> None:
    outcome(lambda: read_bytes(data, LIMITS).value)


def plain_streams() -> list[bytes]:
    """The corpus without its compressions, whose checksums would catch most damage."""
    return [data for data in CORPUS if data[:1] == b"\x80" or data[:2] == b"PK"]


@fuzzed
@given(data=damaged(plain_streams()), compress=st.booleans())
def test_damaged_opcodes_and_zips_are_read_or_refused(data: bytes, compress: bool) -> None:
    outcome(lambda: read_bytes(zlib.compress(data) if compress else data, LIMITS).value)


def documents() -> list[bytes]:
    found = []
    for file in sorted(LEGACY.glob("xgboost*/booster*.pkl")):
        value = read_bytes(file.read_bytes()).value
        found.append(bytes(value.state["handle"]))
    return [*found, b'{"learner": {"weights": [1, 2.5, null, true, "a"]}}']


@fuzzed
@given(data=damaged(documents()))
def test_damaged_documents_of_xgboost_are_read_or_refused(data: bytes) -> None:
    outcome(lambda: read_ubjson(data, LIMITS))
