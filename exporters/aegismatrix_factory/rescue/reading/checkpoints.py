"""Reads the zip files that torch.save writes: tensors become numpy arrays, all else is refused.

The form is that of ``torch/serialization.py``: ``data.pkl`` refers to storages by persistent ids,
and every storage is a file of its own, stored without compression.
"""

from __future__ import annotations

import codecs
import io
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aegismatrix_factory.rescue.reading.errors import (
    ArrayKindError,
    BigEndianError,
    ContainerError,
    LegacyError,
    LimitError,
    MalformedError,
)
from aegismatrix_factory.rescue.reading.limits import Budget, Limits
from aegismatrix_factory.rescue.reading.opcodes import Builder, never_called, walk
from aegismatrix_factory.rescue.reading.records import Name, RecordDraft
from aegismatrix_factory.rescue.reading.surveying import Surveyed, survey

Array = NDArray[Any]

# Names in a zip that are not UTF-8 are read in it; loaded now, so that reading imports nothing.
codecs.lookup("cp437")

_ENTRIES = 100_000
_SCRIPT = "/constants.pkl"
_AXES = 32
_KEY = re.compile(r"[0-9]{1,20}", re.ASCII)
_FILE_NAME = re.compile(r"[A-Za-z0-9_.\- ]{1,128}", re.ASCII)
_BFLOAT16 = "bfloat16"
_STORAGES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "BFloat16Storage": _BFLOAT16,
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "|i1",
    "ByteStorage": "|u1",
    "BoolStorage": "|b1",
}


@dataclass(frozen=True, slots=True, eq=False)
class _Storage:
    """The numbers of a storage, one axis."""

    flat: Array


@dataclass(frozen=True)
class Checkpoint:
    """What a torch file holds.

    Attributes
    ----------
    value : object
        Plain values and arrays.
    protocol : int
        Protocol of its pickle.
    notes : tuple of str
        What was left out.
    """

    value: Any
    protocol: int
    notes: tuple[str, ...]


class _Archive:
    """The zip file, its names checked before anything is read."""

    def __init__(self, data: bytes | bytearray, budget: Budget) -> None:
        self.budget = budget
        # Counted before the directory is read: it is made of entries that begin so.
        if data.count(b"PK\x01\x02") > _ENTRIES:
            raise LimitError("its zip has too many entries", limit="entries", allowed=_ENTRIES)
        try:
            self.zip = zipfile.ZipFile(io.BytesIO(data))
            entries = self.zip.infolist()
        except _ZIP_FAULTS as error:
            raise MalformedError("its zip directory is damaged") from error
        self.entries: dict[str, zipfile.ZipInfo] = {}
        if any(_SCRIPT in f"/{entry.filename}" for entry in entries):
            raise ContainerError(
                "a TorchScript archive, which holds a program",
                remedy="Save the state dict of the network instead: torch.save(net.state_dict()).",
            )
        roots = set()
        total_bytes = 0
        for entry in entries:
            budget.tick()
            root, _, rest = entry.filename.partition("/")
            parts = [root, *rest.split("/")]
            if any(not _FILE_NAME.fullmatch(part) or part.strip(". ") == "" for part in parts):
                raise MalformedError("its zip has a name that leads elsewhere", code="path-name")
            if rest in self.entries:
                raise MalformedError("its zip has a name twice")
            if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 0x1:
                raise MalformedError(
                    "its zip is compressed or encrypted, which torch never does",
                    code="compressed-bomb",
                )
            total_bytes += entry.file_size
            if entry.file_size != entry.compress_size or total_bytes > len(data):
                raise MalformedError(
                    "its zip claims more bytes than the file has", code="compressed-bomb"
                )
            roots.add(root)
            self.entries[rest] = entry
        if len(roots) != 1:
            raise MalformedError("its zip has more than one folder, or none")

    def read(self, name: str) -> bytes:
        entry = self.entries.get(name)
        if entry is None:
            raise MalformedError(f"its zip has no {name}", code="truncated")
        self.budget.clock()
        try:
            return self.zip.read(entry)
        except _ZIP_FAULTS as error:
            raise MalformedError(f"{name} in its zip is damaged") from error


_ZIP_FAULTS = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
)


class Tensors:
    """Storages by key, and what takes the place of torch's functions.

    Parameters
    ----------
    raw : callable
        From the key of a storage to its bytes.
    budget : Budget
        Pays for it.

    Attributes
    ----------
    notes : set of str
        What was read otherwise than it stands there.
    """

    def __init__(self, raw: Callable[[str], bytes], budget: Budget) -> None:
        self.raw = raw
        self.budget = budget
        self.storages: dict[str, tuple[str, _Storage]] = {}
        self.notes: set[str] = set()

    def names(self) -> dict[tuple[str, str], Builder]:
        """Return what takes the place of each name."""
        names: dict[tuple[str, str], Builder] = {
            ("torch", name): never_called("a storage of torch") for name in _STORAGES
        }
        names["torch._utils", "_rebuild_tensor_v2"] = self.tensor
        names["torch._utils", "_rebuild_parameter"] = self.parameter
        return names

    def storage(self, reference: Any) -> _Storage:
        """Return what a persistent id refers to."""
        kind, key, location, count = checked_reference(reference)
        if location != "cpu":
            self.notes.add("tensors of another device were read as they are")
        if key in self.storages:
            known, storage = self.storages[key]
            if known != kind or len(storage.flat) != count:
                raise MalformedError("a storage is claimed with two kinds or sizes")
            return storage
        self.storages[key] = kind, self.load(_STORAGES[kind], key, count)
        return self.storages[key][1]

    def load(self, spelling: str, key: str, count: int) -> _Storage:
        """Return the numbers of a storage."""
        raw = self.raw(key)
        self.budget.array(len(raw))
        kind = np.dtype("<u2" if spelling == _BFLOAT16 else spelling)
        if len(raw) != count * kind.itemsize:
            raise MalformedError("a storage has another size than its tensors claim")
        flat = np.frombuffer(raw, dtype=kind) if raw else np.empty(0, dtype=kind)
        if spelling == _BFLOAT16:
            self.budget.array(2 * len(raw))
            self.notes.add("bfloat16 was widened to float32")
            return _Storage((flat.astype(np.uint32) << np.uint32(16)).view(np.float32))
        if spelling == "|b1" and bool((flat.view(np.uint8) > 1).any()):
            raise MalformedError("a tensor of booleans holds other numbers than 0 and 1")
        return _Storage(flat)

    def tensor(self, arguments: tuple[Any, ...]) -> Array:
        """Return a view of a storage as an array of its own."""
        if len(arguments) not in (6, 7):
            raise _odd_tensor()
        storage, offset, shape, strides, gradient, hooks = arguments[:6]
        if len(arguments) == 7 and not _is_empty(arguments[6]):
            raise ArrayKindError("a tensor with metadata")
        if (
            not isinstance(storage, _Storage)
            or not _counts((offset,))
            or not _counts(shape)
            or not _counts(strides)
            or len(shape) != len(strides)
            or len(shape) > _AXES
            or not isinstance(gradient, bool)
            or not _is_empty(hooks)
        ):
            raise _odd_tensor()
        flat = storage.flat
        size = math.prod(shape)
        last = sum((length - 1) * step for length, step in zip(shape, strides, strict=True))
        reach = offset + last
        if (size and reach >= len(flat)) or (not size and offset > len(flat)):
            raise MalformedError("a tensor reaches beyond its storage")
        self.budget.array(size * flat.itemsize)
        if not size:
            try:
                return np.empty(shape, dtype=flat.dtype.newbyteorder("="))
            except ValueError as error:
                raise _odd_tensor() from error
        viewed = np.lib.stride_tricks.as_strided(
            flat[offset:], shape, tuple(step * flat.itemsize for step in strides), writeable=False
        )
        return np.array(viewed, dtype=flat.dtype.newbyteorder("="), order="C", copy=True)

    def parameter(self, arguments: tuple[Any, ...]) -> Array:
        """Return the tensor of a parameter."""
        if (
            len(arguments) != 3
            or not isinstance(arguments[0], np.ndarray)
            or not isinstance(arguments[1], bool)
            or not _is_empty(arguments[2])
        ):
            raise MalformedError("a parameter is not one that torch writes")
        return arguments[0]


def checked_reference(reference: object) -> tuple[str, str, str, int]:
    """Return kind, key, device and number of elements of a storage that is referred to.

    Parameters
    ----------
    reference : object
        A persistent id, of the form that torch writes into a zip.

    Returns
    -------
    tuple of (str, str, str, int)

    Raises
    ------
    MalformedError
        If it is of another form.
    """
    if not isinstance(reference, tuple) or len(reference) != 5:
        raise _foreign()
    tag, kind, key, location, count = reference
    if (
        not isinstance(tag, str)
        or tag != "storage"
        or not isinstance(kind, Name)
        or kind.module != "torch"
        or kind.name not in _STORAGES
        or not isinstance(key, str)
        or not _KEY.fullmatch(key)
        or not isinstance(location, str)
        or type(count) is not int
        or count < 0
    ):
        raise _foreign()
    return kind.name, key, location, count


def element_bytes(kind: str) -> int:
    """Return how many bytes one element of a kind of storage has."""
    spelling = _STORAGES[kind]
    return 2 if spelling == _BFLOAT16 else np.dtype(spelling).itemsize


def _foreign() -> MalformedError:
    return MalformedError(
        "it refers to something outside of itself that is no storage", code="persistent-id"
    )


def _odd_tensor() -> MalformedError:
    return MalformedError("a tensor is not one that torch writes")


def _is_empty(hooks: object) -> bool:
    return hooks is None or (isinstance(hooks, dict) and not hooks)


def _counts(value: object) -> bool:
    return isinstance(value, tuple) and all(type(n) is int and 0 <= n < 2**48 for n in value)


def read_checkpoint(data: bytes | bytearray, budget: Budget) -> Checkpoint:
    """Read the bytes of a file that torch.save wrote.

    Parameters
    ----------
    data : bytes
        The file, a zip.
    budget : Budget
        Pays for it.

    Returns
    -------
    Checkpoint
        Tensors as numpy arrays, bfloat16 widened to float32, in this machine's byte order.

    Raises
    ------
    LegacyError
        If it is damaged, asks for too much, or holds more than tensors and plain values.
    """
    archive = _Archive(data, budget)
    if "data.pkl" not in archive.entries:
        raise ContainerError(
            "a zip file, yet not one of torch.save",
            remedy="Give a file that torch.save(model.state_dict(), path) wrote.",
        )
    if "constants.pkl" in archive.entries:
        raise ContainerError(
            "a TorchScript program",
            remedy="Save model.state_dict() with torch.save where the program was made.",
        )
    if "byteorder" in archive.entries and archive.read("byteorder") != b"little":
        raise BigEndianError
    tensors = Tensors(lambda key: archive.read(f"data/{key}"), budget)
    walked = walk(
        archive.read("data.pkl"), budget, names=tensors.names(), persistent=tensors.storage
    )
    if walked.inline_arrays:
        raise MalformedError("a torch file holds arrays of joblib")
    return Checkpoint(walked.value, walked.protocol, tuple(sorted(tensors.notes)))


def survey_checkpoint(data: bytes | bytearray, budget: Budget) -> Surveyed | None:
    """Look again at a file of torch that was refused.

    Parameters
    ----------
    data : bytes
        The file, a zip.
    budget : Budget
        Pays for it.

    Returns
    -------
    Surveyed or None
        What its pickle names; None where there is none.
    """
    try:
        archive = _Archive(data, budget)
        inner = archive.read("data.pkl")
    except LegacyError:
        return None
    return survey(inner, budget, inert_names())


def inert_names() -> dict[tuple[str, str], Builder]:
    """Return what takes the place of torch's functions where no tensor is wanted."""
    return dict.fromkeys(Tensors(lambda _: b"", Budget(Limits())).names(), _inert)


def _inert(_: tuple[Any, ...]) -> RecordDraft:
    return RecordDraft("torch", "Tensor", ())
