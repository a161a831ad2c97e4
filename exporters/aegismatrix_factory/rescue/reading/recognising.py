"""Names what is no pickle: pointers, pages, tables, and the files of other libraries."""

from __future__ import annotations

import io
import re
import zipfile
import zlib

from aegismatrix_factory.rescue.reading.errors import ContainerError

_HEAD_BYTES = 2**16
_MOST_ENTRIES = 10_000
_LEAST_TEXT = 6
_PAGE = (b"<!doctype html", b"<html")
_SAVE_STATE = "Load it where it was made, and save its state dict with torch.save."
_NO_MODEL = "Leave it out: it holds no model."
_KERAS = "Keras models have no converter here: convert it with tf2onnx where it was made."
_UNPACK = "Unpack it, and give what is inside."
_SAVE_MODEL = "Save the model itself where it was made, with its save_model."

# By how the file begins: code, what it is, what to do.
_BEGINNINGS = (
    (
        b"version https://git-lfs.github.com/spec/",
        "pointer",
        "a pointer of Git LFS, not the file that it stands for",
        "Fetch the file itself, with git lfs pull in its repository.",
    ),
    (b"\x93NUMPY", "data-file", "an array file of numpy (npy)", _NO_MODEL),
    (b"PAR1", "data-file", "a table in Parquet", _NO_MODEL),
    (b"ARROW1", "data-file", "a table in Arrow", _NO_MODEL),
    (b"FEA1", "data-file", "a table in Feather", _NO_MODEL),
    (b"SQLite format 3\x00", "data-file", "a database of SQLite", _NO_MODEL),
    (b"%PDF-", "data-file", "a PDF document", _NO_MODEL),
    (b"\x89PNG\r\n", "data-file", "a picture (PNG)", _NO_MODEL),
    (b"Rar!", "unsupported-container", "a RAR archive", _UNPACK),
    (b"7z\xbc\xaf", "unsupported-container", "a 7z archive", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "unsupported-container", "compressed with zstd", _UNPACK),
    (b"GGUF", "unsupported-container", "a language model in GGUF", _NO_MODEL),
    (b"bs64\t", "unsupported-container", "a model of xgboost written as text", _SAVE_MODEL),
    (
        b"______LightGBM_Binary_File_Token______",
        "data-file",
        "rows that LightGBM was trained on",
        _NO_MODEL,
    ),
)
_DUMPS = (
    (
        re.compile(rb'\{\s*"name"\s*:\s*"tree"\s*,\s*"version"\s*:\s*"v'),
        "what LightGBM's dump_model says of its trees, and no model",
    ),
    (
        re.compile(rb'booster\[0\]:\r?\n|\[\s*\{\s*"nodeid"\s*:'),
        "a dump of the trees of xgboost, without what it begins with and what it says",
    ),
)
_HDF5 = b"\x89HDF\r\n\x1a\n"
_OLD_PICKLE = re.compile(rb"[(]|c[A-Za-z_][\w.]*\n|[IFLSVp]|[\x80\]})N]")
_UNPRINTED = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f\x7f]")


def refuse_recognised(data: bytes) -> None:
    """Refuse a file that says by how it begins that it is no pickle.

    Parameters
    ----------
    data : bytes
        The file, whole.

    Raises
    ------
    ContainerError
        What it is, and what to do.
    """
    for start, code, found, remedy in _BEGINNINGS:
        if data.startswith(start):
            raise ContainerError(found, remedy=remedy, code=code)
    if data.startswith(_HDF5):
        is_keras = b"keras" in data or b"model_weights" in data
        raise ContainerError(
            "a Keras model in HDF5" if is_keras else "an HDF5 file, of tables or of a Keras model",
            remedy=_KERAS if is_keras else "Leave it out, or convert it with the library it is of.",
        )
    head = data[:_HEAD_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip()
    if head[:20].lower().startswith(_PAGE):
        raise ContainerError(
            "a web page, as a download leaves that was answered with one",
            remedy="Download the file itself, by the address of its raw content.",
            code="web-page",
        )
    for form, found in _DUMPS:
        if form.match(head):
            raise ContainerError(found, remedy=_SAVE_MODEL)
    if head.startswith((b"<?xml", b"<PMML")):
        is_pmml = b"<PMML" in head
        raise ContainerError(
            "a model in PMML" if is_pmml else "an XML document",
            remedy="Export the model to ONNX where it was made." if is_pmml else _NO_MODEL,
            code="unsupported-container" if is_pmml else "data-file",
        )
    size = int.from_bytes(data[:8], "little")
    if data[8:10] == b'{"' and size < len(data) and data[7 + size : 8 + size] in (b"}", b" "):
        raise ContainerError("a file of safetensors", remedy=_SAVE_STATE)
    if data[:3] == b"\x08\x01\x12" and b"serve" in data:
        raise ContainerError("a SavedModel of TensorFlow", remedy=_KERAS)
    if data[:1] == b"\x08" and data[1:2] <= b"\x14" and data[2:3] == b"\x12":
        raise ContainerError(
            "an ONNX model, as it seems", remedy="Run it with onnxruntime as it is."
        )
    if data.startswith(b"PK"):
        _refuse_zip(data)


def _refuse_zip(data: bytes) -> None:
    """Refuse what is zipped and not of torch; a damaged directory is left to whoever reads on."""
    if data.count(b"PK\x01\x02") > _MOST_ENTRIES:
        return
    try:
        names = zipfile.ZipFile(io.BytesIO(data)).namelist()
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, LookupError, NotImplementedError):
        return
    if names and all(name.endswith(".npy") for name in names):
        raise ContainerError("arrays of numpy (npz)", remedy=_NO_MODEL, code="data-file")
    if "[Content_Types].xml" in names:
        raise ContainerError("an Office document", remedy=_NO_MODEL, code="data-file")
    if "model.weights.h5" in names:
        raise ContainerError("a model of Keras 3 (.keras)", remedy=_KERAS)
    if "schema.json" in names:
        raise ContainerError(
            "a file of skops", remedy="Load it with skops, and save the model with joblib."
        )
    if any(name.endswith("saved_model.pb") for name in names):
        raise ContainerError("a zipped SavedModel of TensorFlow", remedy=_KERAS)


def text_kind(data: bytes) -> ContainerError | None:
    """Say what kind of text a file is that could not be read as a pickle.

    Parameters
    ----------
    data : bytes
        The file, whole.

    Returns
    -------
    ContainerError or None
        None where it is no text, or may be a pickle of protocol 0 that is damaged.
    """
    head = data[:_HEAD_BYTES].removeprefix(b"\xef\xbb\xbf")
    if len(head.strip()) < _LEAST_TEXT or _UNPRINTED.search(head):
        return None
    try:
        # The last letter may be cut in two.
        text = head.decode("utf-8", "strict" if len(data) <= _HEAD_BYTES else "ignore")
    except UnicodeDecodeError:
        return None
    lines = [line for line in text.splitlines() if line.strip()]
    first, last = text.lstrip()[:1], data.rstrip()[-1:]
    if (first, last) in (("{", b"}"), ("[", b"]")):
        return ContainerError("a JSON document", remedy=_NO_MODEL, code="data-file")
    for mark in ",;\t|":
        counts = {line.count(mark) for line in lines[: max(2, len(lines) - 1)]}
        if len(lines) > 1 and len(counts) == 1 and counts != {0}:
            return ContainerError("a table in text (CSV)", remedy=_NO_MODEL, code="data-file")
    if _OLD_PICKLE.match(head) and b"." in data:
        return None
    return ContainerError("text", remedy=_NO_MODEL, code="data-file")
