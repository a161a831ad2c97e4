"""What stands beside models in real files is read inert, and what is no model is named."""

from __future__ import annotations

import zipfile
from collections import defaultdict
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest
from aegismatrix_factory.rescue.converting.errors import NotAModelError
from aegismatrix_factory.rescue.converting.parts import revive
from aegismatrix_factory.rescue.reading.containers import read_bytes
from aegismatrix_factory.rescue.reading.errors import LegacyError
from aegismatrix_factory.rescue.reading.records import Name, Record
from aegismatrix_factory.rescue.reading.ubjson import read_ubjson

from tests import pickles


@pytest.mark.parametrize(
    "value",
    [
        {"dtype": np.float64},
        {"kind": int},
        {"columns": slice(0, 3)},
        {"path": PurePosixPath("models/forest.pkl")},
        {"results": np.ma.masked_array([1.0, 2.0], mask=[True, False])},
        {"function": np.log1p},
    ],
)
def test_types_slices_paths_and_masked_arrays_are_inert(value: dict[str, Any]) -> None:
    (read,) = read_bytes(pickles.dumps(value, 4)).value.values()
    assert not isinstance(read, type | slice | PurePosixPath | np.ndarray)
    assert not callable(read)


@pytest.mark.parametrize("module", ["pathlib", "pathlib._local"])
def test_a_path_is_inert_under_the_name_of_every_release_of_python(module: str) -> None:
    read = read_bytes(f"\x80\x02c{module}\nPurePosixPath\nX\x01\0\0\0a\x85R.".encode("latin-1"))
    assert not isinstance(read.value, PurePosixPath)
    assert not callable(read.value)


def test_a_dictionary_of_defaults_is_a_dictionary() -> None:
    value = defaultdict(list, {"valid": [0.5, 0.25]})
    assert read_bytes(pickles.dumps(value, 4)).value == {"valid": [0.5, 0.25]}


def test_a_type_that_is_called_is_refused() -> None:
    with pytest.raises(LegacyError, match="called in a way"):
        read_bytes(b"\x80\x04cbuiltins\nint\n\x8c\x013\x85R.")


def test_a_partial_of_anything_but_data_is_refused() -> None:
    with pytest.raises(LegacyError) as caught:
        read_bytes(b"\x80\x04cfunctools\npartial\ncsklearn.svm\nSVC\n\x85R.")
    assert caught.value.code == "forbidden-global"


def test_a_frame_of_pandas_is_read_with_what_makes_its_blocks() -> None:
    data = (
        b"\x80\x04cfunctools\npartial\ncpandas.core.internals.blocks\nnew_block\n\x85RK\x01\x85R."
    )
    read = read_bytes(data).value
    assert isinstance(read, Record)
    assert read.name == "new_block"


def test_what_columns_are_chosen_by_is_data_and_is_not_called() -> None:
    for module, name in (("numpy", "number"), ("numpy", "floating"), ("builtins", "object")):
        named = f"c{module}\n{name}\n".encode()
        assert read_bytes(b"\x80\x04" + named + b".").value == Name(module, name)
        with pytest.raises(LegacyError):
            read_bytes(b"\x80\x04" + named + b"K\x01\x85R.")


def test_boosting_with_categories_is_refused_for_them_and_not_for_its_partial() -> None:
    named = b"cfunctools\npartial\ncsklearn.utils.validation\ncheck_array\n\x85R."
    assert read_bytes(b"\x80\x04" + named).value.module == "functools"


def test_a_program_of_torch_is_named_as_one(tmp_path: Path) -> None:
    file = tmp_path / "net.pt"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("data.pkl", "constants.pkl", "code/net.py"):
            archive.writestr(f"net/{name}", b"0" * 1000)
    with pytest.raises(LegacyError, match="TorchScript") as caught:
        read_bytes(file.read_bytes())
    assert caught.value.code == "unsupported-container"


def test_what_is_no_model_is_named_with_its_article() -> None:
    with pytest.raises(NotAModelError, match="but an array"):
        revive(read_bytes(pickles.dumps(np.zeros(3), 4)).value, read_ubjson)
