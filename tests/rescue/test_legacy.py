"""Legacy files are read to the values that went into them, whatever wrote them."""

from __future__ import annotations

import ast
import bz2
import gzip
import io
import json
import lzma
import math
import struct
import sys
import tracemalloc
import zlib
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis.extra.numpy as arrays
import hypothesis.strategies as st
import numpy as np
import pytest
from aegismatrix_factory.rescue.reading.containers import read_bytes, read_legacy
from aegismatrix_factory.rescue.reading.errors import ContainerError, LegacyError, UnknownClassError
from aegismatrix_factory.rescue.reading.limits import Limits
from aegismatrix_factory.rescue.reading.records import Record
from aegismatrix_factory.rescue.reading.ubjson import read_ubjson
from hypothesis import HealthCheck, given, settings

from tests import pickles
from tests.pickles import Inline, Instance

PROTOCOLS = range(6)
unhurried = settings(
    max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
READING = "aegismatrix_factory.rescue.reading"
OWN = ("aegismatrix.errors", "aegismatrix_factory.extras")
LEGACY = Path(__file__).parents[1] / "fixtures" / "legacy"
COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "zlib": zlib.compress,
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
}

numbers = st.integers(-(2**100), 2**100) | st.floats() | st.booleans() | st.none()
words = st.text(st.characters(exclude_categories=["Cs"]))
plain = st.recursive(
    numbers | words | st.binary() | st.binary().map(bytearray) | st.complex_numbers(),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.lists(inner, max_size=5).map(tuple)
        | st.dictionaries(words | st.integers(-9, 9), inner, max_size=5)
        | st.sets(words, max_size=3)
        | st.frozensets(st.integers(), max_size=3)
    ),
    max_leaves=12,
)
dtypes = (
    arrays.boolean_dtypes()
    | arrays.integer_dtypes(endianness="?")
    | arrays.unsigned_integer_dtypes(endianness="?")
    | arrays.floating_dtypes(endianness="?", sizes=(16, 32, 64))
    | arrays.complex_number_dtypes(endianness="?", sizes=(64, 128))
    | arrays.unicode_string_dtypes(endianness="?", max_len=5)
)
any_array = dtypes.flatmap(
    lambda kind: arrays.arrays(kind, arrays.array_shapes(min_dims=0, min_side=0, max_dims=3))
)


def same(left: Any, right: Any) -> bool:
    """Compare with types, and with NaN equal to itself."""
    if type(left) is not type(right):
        return False
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, float):
        return struct.pack("d", left) == struct.pack("d", right) or math.isnan(left + right)
    if isinstance(left, complex):
        return same(left.real, right.real) and same(left.imag, right.imag)
    return bool(left == right)


def assert_same_array(found: Any, wanted: np.ndarray[Any, Any]) -> None:
    assert type(found) is np.ndarray
    assert found.dtype == wanted.dtype.newbyteorder("=")
    assert found.dtype.isnative
    assert found.flags.c_contiguous
    assert found.flags.writeable
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@unhurried
@given(value=plain)
def test_plain_values_come_back_as_they_were(protocol: int, value: Any) -> None:
    legacy = read_bytes(pickles.dumps(value, protocol))
    assert same(legacy.value, value)
    assert (legacy.kind, legacy.compression) == ("pickle", None)
    assert legacy.protocol == (protocol if protocol >= 2 else 0)


@pytest.mark.parametrize("numpy_1", [False, True])
@pytest.mark.parametrize("protocol", PROTOCOLS)
@unhurried
@given(value=any_array)
def test_arrays_come_back_native_and_contiguous_under_both_names_of_numpy(
    protocol: int, numpy_1: bool, value: np.ndarray[Any, Any]
) -> None:
    both = {"plain": value, "fortran": np.asfortranarray(value), "again": value}
    found = read_bytes(pickles.dumps(both, protocol, numpy_1=numpy_1)).value
    for key in both:
        assert_same_array(found[key], value)
    assert found["again"] is found["plain"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@unhurried
@given(value=any_array.filter(lambda array: array.dtype.itemsize and array.size))
def test_scalars_and_dtypes_come_back(protocol: int, value: np.ndarray[Any, Any]) -> None:
    scalar = value.reshape(-1)[0]
    found, kind = read_bytes(pickles.dumps((scalar, value.dtype), protocol)).value
    assert type(found) is type(scalar)
    np.testing.assert_array_equal(found, scalar)
    assert kind == value.dtype


@unhurried
@given(value=any_array, alignment=st.sampled_from([None, 16, 8, 64]))
def test_arrays_that_joblib_wrote_between_the_opcodes_come_back(
    value: np.ndarray[Any, Any], alignment: int | None
) -> None:
    both = [Inline(value, alignment), "between", Inline(np.asfortranarray(value), alignment)]
    legacy = read_bytes(pickles.dumps(both, 4))
    assert legacy.kind == "joblib"
    assert_same_array(legacy.value[0], value)
    assert legacy.value[1] == "between"
    assert_same_array(legacy.value[2], value)


def test_the_nodes_of_a_tree_keep_their_fields() -> None:
    kind = np.dtype(
        {
            "names": ["left_child", "threshold", "missing_go_to_left"],
            "formats": ["<i8", "<f8", "u1"],
            "offsets": [0, 8, 16],
            "itemsize": 24,
        }
    )
    nodes = np.array([(1, 0.5, 1), (-1, -2.0, 0)], dtype=kind)
    for protocol in PROTOCOLS:
        found = read_bytes(pickles.dumps(nodes, protocol)).value
        assert found.dtype == kind
        for name in kind.names or ():
            np.testing.assert_array_equal(found[name], nodes[name])


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_object_becomes_a_record_of_its_class_and_state(protocol: int) -> None:
    mean = np.array([1.0, 2.0])
    scaler = Instance("sklearn.preprocessing._data", "StandardScaler", {"mean_": mean})
    found = read_bytes(pickles.dumps([scaler, scaler], protocol)).value
    assert isinstance(found[0], Record)
    assert (found[0].module, found[0].name) == ("sklearn.preprocessing._data", "StandardScaler")
    assert_same_array(found[0].state["mean_"], mean)
    assert found[0].arguments == ()


def objects(count: int, *items: bytes) -> bytes:
    """A pickled array of objects."""
    listed = pickles.MARK + b"".join(items) + b"l"
    kind = pickles.dtype("O8", "|")
    return pickles.array(pickles.tuple_of(pickles.integer(count)), kind, listed)


def test_an_array_of_text_numbers_and_none_stays_one() -> None:
    items = (pickles.text("São Paulo"), pickles.NONE, pickles.integer(3), b"\x88")
    found = read_bytes(pickles.pickled(objects(4, *items))).value
    assert found.dtype == object
    assert found.tolist() == ["São Paulo", None, 3, True]


def test_an_array_of_anything_else_becomes_a_record_of_its_elements() -> None:
    scaler = Instance("sklearn.preprocessing._data", "StandardScaler", {"copy": True})
    body = pickles.dumps(scaler, 2)[2:-1]
    found = read_bytes(pickles.pickled(objects(2, body, pickles.text("two")))).value
    assert isinstance(found, Record)
    assert (found.module, found.name, found.arguments) == ("numpy", "object_array", ((2,),))
    assert found.items[0].state == {"copy": True}
    assert found.items[1] == "two"


def test_an_array_of_objects_that_joblib_wrote_as_a_pickle_inside_comes_back() -> None:
    wrapper = pickles.dict_of(
        (pickles.text("subclass"), pickles.name("numpy", "ndarray")),
        (pickles.text("shape"), pickles.tuple_of(pickles.integer(1))),
        (pickles.text("order"), pickles.text("C")),
        (pickles.text("dtype"), pickles.dtype("O8", "|")),
    )
    opened = pickles.name("joblib.numpy_pickle", "NumpyArrayWrapper") + b")\x81"
    inner = pickles.pickled(objects(1, pickles.text("iv")))
    body = pickles.EMPTY_LIST + opened + wrapper + b"b" + inner + b"a" + pickles.text("x") + b"a"
    legacy = read_bytes(pickles.pickled(body))
    assert legacy.kind == "joblib"
    assert legacy.value[0].tolist() == ["iv"]
    assert legacy.value[1] == "x"


def test_an_array_that_holds_itself_is_refused() -> None:
    one, kind = pickles.integer(1), pickles.dtype("O8", "|")
    parts = (pickles.name("numpy", "ndarray"), pickles.tuple_of(one), pickles.raw_bytes(b"b"))
    empty = pickles.call("numpy._core.multiarray", "_reconstruct", *parts)
    itself = pickles.MARK + b"h\x09l"
    state = pickles.tuple_of(one, pickles.tuple_of(one), kind, b"\x89", itself)
    with pytest.raises(LegacyError) as caught:
        read_bytes(pickles.pickled(empty + b"q\x09" + state + b"b"))
    assert caught.value.code == "cycle"


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("numpy.random._pickle", "__randomstate_ctor"),
        ("pandas.core.indexes.base", "_new_Index"),
        ("datetime", "datetime"),
    ],
)
def test_what_stands_beside_models_becomes_an_inert_record(module: str, name: str) -> None:
    found = read_bytes(pickles.pickled(pickles.call(module, name, pickles.text("MT19937")))).value
    assert found == Record(module, name, ("MT19937",))


def test_times_come_back_in_their_unit() -> None:
    times = np.array(["2026-01-02", "NaT"], dtype="M8[ns]")
    metadata = pickles.tuple_of(
        pickles.EMPTY_DICT, pickles.tuple_of(pickles.raw_bytes(b"ns"), *[pickles.integer(1)] * 3)
    )
    unit = pickles.tuple_of(
        pickles.integer(4),
        pickles.text("<"),
        *[pickles.NONE] * 3,
        *[pickles.integer(-1)] * 2,
        pickles.integer(0),
        metadata,
    )
    kind = pickles.call("numpy", "dtype", pickles.text("M8")) + unit + b"b"
    shape = pickles.tuple_of(pickles.integer(2))
    data = pickles.array(shape, kind, pickles.raw_bytes(times.tobytes()))
    assert_same_array(read_bytes(pickles.pickled(data)).value, times)


def test_an_ordered_dict_becomes_a_plain_one_in_its_order() -> None:
    value = OrderedDict([("b", 1), ("a", 2)])
    for protocol in PROTOCOLS:
        found = read_bytes(pickles.dumps(value, protocol)).value
        assert type(found) is dict
        assert list(found.items()) == [("b", 1), ("a", 2)]


@pytest.mark.parametrize("compression", COMPRESSORS)
def test_each_compression_is_recognised_and_undone(compression: str) -> None:
    value = {"weights": np.arange(50_000.0)}
    legacy = read_bytes(COMPRESSORS[compression](pickles.dumps(value, 4)))
    assert (legacy.kind, legacy.compression) == ("joblib", compression)
    assert_same_array(legacy.value["weights"], value["weights"])


@pytest.mark.parametrize("compression", COMPRESSORS)
@pytest.mark.parametrize("cut", [0.1, 0.5, 0.99])
def test_a_compressed_file_that_is_cut_off_is_refused(compression: str, cut: float) -> None:
    data = COMPRESSORS[compression](pickles.dumps(np.random.default_rng(1).normal(size=9000), 4))
    with pytest.raises(LegacyError) as caught:
        read_bytes(data[: int(len(data) * cut)])
    assert caught.value.code in ("truncated", "malformed")


@pytest.mark.parametrize("compression", COMPRESSORS)
def test_bytes_after_a_compressed_pickle_are_refused(compression: str) -> None:
    data = COMPRESSORS[compression](pickles.dumps([1], 4)) + b"more"
    with pytest.raises(LegacyError, match="follow the end"):
        read_bytes(data)


def legacy_files() -> list[Path]:
    return sorted(path for path in LEGACY.glob("*/*.p*") if path.suffix in (".pkl", ".pt"))


@pytest.mark.parametrize("file", legacy_files(), ids=lambda file: f"{file.parent.name}/{file.name}")
def test_every_committed_legacy_file_is_read_or_refused_for_its_known_reason(file: Path) -> None:
    refused = {
        "foreign_class": ("unknown-class",),
        "whole_module": ("unknown-class",),
        "truncated": ("truncated", "malformed"),
    }
    if ".lz4." in file.name:
        pytest.importorskip("lz4", reason="lz4 is not installed (extra rescue)")
    wanted = refused.get(file.name.partition(".")[0])
    if wanted:
        with pytest.raises(LegacyError) as caught:
            read_legacy(file)
        assert caught.value.code in wanted
        assert caught.value.path == str(file)
        assert str(file) in str(caught.value)
        return
    legacy = read_legacy(file)
    assert isinstance(legacy.value, Record | dict)
    assert legacy.size_bytes == file.stat().st_size
    for booster in boosters(legacy.value):
        document = read_ubjson(booster.state["handle"])
        trees = document["Model"]["learner"]["gradient_booster"]
        assert trees["name"] in ("gbtree", "dart", "gblinear")


def boosters(value: Any) -> list[Record]:
    if isinstance(value, Record):
        found = [value] if value.name == "Booster" else []
        return found + boosters(value.state)
    return [one for part in value.values() for one in boosters(part)] if type(value) is dict else []


def test_the_same_forest_in_every_protocol_and_compression_reads_the_same() -> None:
    folder = LEGACY / "scikit-learn-1.9.1-numpy-2.4.6"
    first = repr(read_legacy(folder / "forest_classifier.p4.pkl").value)
    for way in ("p0", "p2", "p5", "joblib", "zlib", "gzip", "bz2", "xz", "lzma"):
        assert repr(read_legacy(folder / f"forest_classifier.{way}.pkl").value) == first, way


def test_torch_tensors_come_back_as_arrays(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed (extra train)")
    base = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    tensors = {
        "base": base,
        "view": base[1:3, ::2],
        "transposed": base.T,
        "expanded": torch.ones(1).expand(5, 3),
        "empty": torch.zeros(0, 3),
        "scalar": torch.tensor(7.5, dtype=torch.float64),
        "half": torch.tensor([1.5, -2.0], dtype=torch.float16),
        "long": torch.tensor([2**40, -1]),
        "byte": torch.tensor([0, 255], dtype=torch.uint8),
        "bool": torch.tensor([True, False]),
    }
    brain = torch.tensor([1.5, -3.25, float("inf")], dtype=torch.bfloat16)
    parameter = torch.nn.Parameter(torch.ones(2))
    path = tmp_path / "state.pt"
    torch.save({**tensors, "brain": brain, "parameter": parameter, "epoch": 3}, path)
    legacy = read_legacy(path)
    assert legacy.kind == "torch"
    for name, tensor in tensors.items():
        assert_same_array(legacy.value[name], tensor.numpy())
    assert_same_array(legacy.value["brain"], brain.float().numpy())
    assert_same_array(legacy.value["parameter"], np.ones(2, np.float32))
    assert legacy.value["epoch"] == 3
    assert legacy.notes == ("bfloat16 was widened to float32",)


def saved_in_rows(path: Path) -> bytes:
    """What torch wrote before 1.6: two tensors of one storage, others of several kinds."""
    torch = pytest.importorskip("torch", reason="torch is not installed (extra train)")
    whole = torch.arange(6, dtype=torch.float32)
    tensors = {
        "a": whole[1:3],
        "b": whole.reshape(2, 3).t(),
        "half": torch.tensor([1.5], dtype=torch.bfloat16),
        "long": torch.tensor([2**40, -1]),
        "none": torch.zeros(0, 3),
    }
    content = {"net": tensors, "epoch": 3}
    torch.save(content, path, _use_new_zipfile_serialization=False)
    return path.read_bytes()


def test_a_torch_file_of_before_1_6_is_read(tmp_path: Path) -> None:
    path = tmp_path / "old.pt"
    saved_in_rows(path)
    legacy = read_legacy(path)
    assert legacy.kind == "torch"
    assert legacy.value["epoch"] == 3
    assert legacy.notes == ("bfloat16 was widened to float32",)
    whole = np.arange(6, dtype=np.float32)
    expected = {
        "a": whole[1:3],
        "b": whole.reshape(2, 3).T,
        "half": np.array([1.5], dtype=np.float32),
        "long": np.array([2**40, -1]),
        "none": np.zeros((0, 3), dtype=np.float32),
    }
    for name, array in expected.items():
        assert_same_array(legacy.value["net"][name], array)


def test_a_torch_file_of_before_1_6_is_refused_wherever_it_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "old.pt"
    data = saved_in_rows(path)
    for size in {*range(40, len(data), 7), len(data) - 1}:
        path.write_bytes(data[:size])
        with pytest.raises(LegacyError) as error:
            read_legacy(path)
        assert error.value.code in ("truncated", "malformed")
    path.write_bytes(data + b"\x00")
    with pytest.raises(LegacyError) as error:
        read_legacy(path)
    assert error.value.code == "trailing-bytes"
    # The count of a storage is another than its tensors claim.
    path.write_bytes(data.replace((6).to_bytes(8, "little"), (7).to_bytes(8, "little")))
    with pytest.raises(LegacyError, match="another size"):
        read_legacy(path)


@pytest.mark.parametrize(
    ("start", "found"),
    [
        (b"ZF0x10", "joblib before 0.10"),
        (b"\x93NUMPY\x01\x00", "numpy"),
        (b"{L" + bytes(8), "UBJSON"),
        (b'{"learner": {}}', "JSON"),
        (b"x" * 257 + b"ustar", "tar archive"),
    ],
)
def test_other_kinds_of_files_are_refused_by_name(start: bytes, found: str) -> None:
    with pytest.raises(ContainerError, match=found):
        read_bytes(start + bytes(300))


def test_a_missing_file_is_refused_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(LegacyError) as caught:
        read_legacy(tmp_path / "gone.pkl")
    assert caught.value.code == "unreadable"
    assert caught.value.path == str(tmp_path / "gone.pkl")


def test_an_unknown_class_is_named_without_what_a_terminal_would_obey() -> None:
    hostile = pickles.name("market\x1b[31m", "Model" * 60)
    with pytest.raises(UnknownClassError) as caught:
        read_bytes(pickles.pickled(hostile[:200].replace(b"\n", b"!", 0)[:-1] + b"\n"))
    assert "\x1b" not in str(caught.value)
    assert caught.value.module == "market\\x1b[31m"
    assert len(caught.value.name) < 100


documents = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=12,
)


def ubjson(value: Any) -> bytes:
    """Write UBJSON as xgboost does."""
    if value is None:
        return b"Z"
    if isinstance(value, bool):
        return b"T" if value else b"F"
    if isinstance(value, int):
        return b"L" + struct.pack(">q", value)
    if isinstance(value, str):
        raw = value.encode()
        return b"SL" + struct.pack(">q", len(raw)) + raw
    if isinstance(value, np.ndarray):
        marker = {"f4": b"d", "f8": b"D", "i4": b"l", "u1": b"U"}[value.dtype.str[1:]]
        data = value.astype(value.dtype.newbyteorder(">")).tobytes()
        return b"[$" + marker + b"#L" + struct.pack(">q", len(value)) + data
    if isinstance(value, list):
        return b"[#L" + struct.pack(">q", len(value)) + b"".join(map(ubjson, value))
    return b"{" + b"".join(ubjson(key)[1:] + ubjson(part) for key, part in value.items()) + b"}"


@unhurried
@given(value=documents)
def test_ubjson_and_json_read_to_the_same(value: Any) -> None:
    assert same(read_ubjson(ubjson(value)), value)
    if isinstance(value, dict):
        assert same(read_ubjson(json.dumps(value).encode()), value)


@unhurried
@given(kind=st.sampled_from(["f4", "f8", "i4", "u1"]), data=st.data())
def test_typed_arrays_of_ubjson_become_numpy_arrays(kind: str, data: st.DataObject) -> None:
    value = data.draw(arrays.arrays(np.dtype(kind), st.integers(0, 20)))
    found = read_ubjson(ubjson({"weights": value}))["weights"]
    assert found.dtype == value.dtype
    np.testing.assert_array_equal(found, value)


@pytest.mark.parametrize("field", ["opcodes", "containers", "memo_entries", "depth", "array_bytes"])
def test_each_limit_is_named_when_it_is_reached(field: str) -> None:
    value: Any = [{"weights": np.ones(3)}]
    for _ in range(5):
        value = [value, [1]]
    data = pickles.dumps(value, 4)
    assert read_bytes(data).value
    with pytest.raises(LegacyError) as caught:
        read_bytes(data, Limits(**{field: 4}))
    assert caught.value.code.startswith("limit-")
    assert field in str(caught.value)


def test_the_reader_needs_numpy_and_the_standard_library_alone(repository: Path) -> None:
    allowed = {"numpy", "lz4", *sys.stdlib_module_names}
    for file in sorted((repository / "exporters/aegismatrix_factory/rescue/reading").glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                own = name in OWN or name.startswith(READING)
                assert own or name.partition(".")[0] in allowed, f"{file}: {name}"


def test_the_clock_ends_a_walk() -> None:
    data = pickles.dumps(list(range(5000)), 4)
    with pytest.raises(LegacyError) as caught:
        read_bytes(data, Limits(seconds=-1.0))
    assert caught.value.code == "limit-time"


def test_a_state_is_what_it_was_when_the_object_was_given_it() -> None:
    """The library copies it then; a change by the memo must not reach the object."""
    scaler = pickles.call(
        "copyreg",
        "_reconstructor",
        pickles.name("sklearn.preprocessing._data", "StandardScaler"),
        pickles.name("builtins", "object"),
        pickles.NONE,
    )
    state = pickles.dict_of((pickles.text("scale_"), pickles.integer(2)))
    change = b"h\x01" + pickles.text("scale_") + pickles.integer(9) + b"s0"
    data = pickles.pickled(scaler + state + b"q\x01" + b"b" + change)
    value = read_bytes(data).value
    assert isinstance(value, Record)
    assert value.state == {"scale_": 2}


def test_arrays_of_the_joblib_that_scikit_learn_brought_along_come_back() -> None:
    folder = Path(__file__).parents[1] / "fixtures/releases/scikit-learn-0.20.4-numpy-1.15.4"
    files = sorted(folder.glob("*.externals.joblib"))
    assert len(files) > 10
    kinds = [read_legacy(file).kind for file in files]
    # What holds no array is a plain pickle.
    assert kinds.count("joblib") > 10


def test_a_file_of_torch_before_1_6_is_not_copied_to_be_looked_through() -> None:
    """Once for a storage and once for its tensor, and no third time."""
    torch = pytest.importorskip("torch", reason="torch is not installed (extra train)")
    made = io.BytesIO()
    torch.save({"w": torch.ones(2**20)}, made, _use_new_zipfile_serialization=False)
    data = made.getvalue()
    tracemalloc.start()
    try:
        read_bytes(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2.2 * len(data)


def test_a_frame_of_pandas_with_texts_of_pyarrow_is_inert() -> None:
    """What the opcodes of such a frame call stands beside the model and is never called."""
    restored = Instance("pyarrow.lib", "Field", {"a": 1})
    value = read_bytes(pickles.Writer(4).dumps({"model": 1, "frame": restored})).value
    assert isinstance(value["frame"], Record)


def test_a_model_under_a_tuple_is_not_called_damaged() -> None:
    with pytest.raises(LegacyError) as caught:
        read_bytes(pickles.Writer(4).dumps({("NIFTY", 15): 1}))
    assert caught.value.code == "unsupported-key"
    assert "text for each key" in str(caught.value)
