"""Tells what kind of file a legacy file is, unwraps it, and has it read."""

from __future__ import annotations

import bz2
import hashlib
import lzma
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from aegismatrix.errors import AegisError
from aegismatrix_factory.extras import needing
from aegismatrix_factory.rescue.reading.bare import read_bare
from aegismatrix_factory.rescue.reading.checkpoints import read_checkpoint, survey_checkpoint
from aegismatrix_factory.rescue.reading.errors import (
    ContainerError,
    LegacyError,
    LimitError,
    MalformedError,
    UnreadableFileError,
)
from aegismatrix_factory.rescue.reading.limits import Budget, Limits
from aegismatrix_factory.rescue.reading.opcodes import walk
from aegismatrix_factory.rescue.reading.recognising import refuse_recognised, text_kind
from aegismatrix_factory.rescue.reading.row_checkpoints import read_rows, survey_rows
from aegismatrix_factory.rescue.reading.surveying import Surveyed, survey

JOBLIB = "joblib"
"""The kind of what joblib wrote."""

TORCH = "torch"
"""The kind of what torch.save wrote."""

_CHUNK_BYTES = 2**18
_LZMA_MEMORY_BYTES = 160 * 2**20
_TORCH_MAGIC = bytes.fromhex("6cfc9c46f9206aa85019")
_COMPRESSIONS = (
    ("zlib", b"x"),
    ("gzip", b"\x1f\x8b"),
    ("bz2", b"BZ"),
    ("xz", b"\xfd7zXZ"),
    ("lzma", b"\x5d\x00"),
    ("lz4", b"\x04\x22\x4d\x18"),
)
_SAVE_AGAIN = "Load it where it was made, and save it again as the docs say."
_FOREIGN = (
    (b"ZF", "a compressed file of joblib before 0.10"),
    (b"{L", "a document in UBJSON"),
    (b'{"', "a JSON document"),
)


@dataclass(frozen=True)
class Legacy:
    """A legacy file, read.

    Attributes
    ----------
    kind : str
        ``pickle``, ``joblib`` or ``torch``; the library of a model that lies bare in its file.
    compression : str or None
        ``zlib``, ``gzip``, ``bz2``, ``xz``, ``lzma``, ``lz4`` or None.
    protocol : int or None
        The pickle protocol that it declares.
    value : object
        Plain values, numpy arrays and scalars, and `Record` for all else.
    sha256 : str
        Of the file, hexadecimal.
    size_bytes : int
        Of the file.
    notes : tuple of str
        What was read otherwise than it stands there.
    """

    kind: str
    compression: str | None
    protocol: int | None
    value: Any
    sha256: str
    size_bytes: int
    notes: tuple[str, ...] = ()


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class _Deflate:
    """A decompressor of zlib with the manners of those of bz2 and lzma."""

    def __init__(self, window_bits: int) -> None:
        self.inner = zlib.decompressobj(window_bits)

    @property
    def eof(self) -> bool:
        return self.inner.eof

    @property
    def needs_input(self) -> bool:
        return not self.inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self.inner.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        return self.inner.decompress(self.inner.unconsumed_tail + data, max_length)


def _lz4() -> _Decompressor:
    with needing("rescue"):
        import lz4.frame
    decompressor: _Decompressor = lz4.frame.LZ4FrameDecompressor()
    return decompressor


_DECOMPRESSORS: dict[str, Callable[[], _Decompressor]] = {
    "zlib": lambda: _Deflate(zlib.MAX_WBITS),
    "gzip": lambda: _Deflate(zlib.MAX_WBITS | 16),
    "bz2": bz2.BZ2Decompressor,
    "xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_LZMA_MEMORY_BYTES),
    "lzma": lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_LZMA_MEMORY_BYTES),
    "lz4": _lz4,
}
_FAULTS = (zlib.error, lzma.LZMAError, OSError, EOFError, RuntimeError, ValueError)


def _decompressed(data: bytes, compression: str, budget: Budget) -> bytearray:
    decompressor = _DECOMPRESSORS[compression]()
    allowed = budget.limits.decompressed_bytes
    out = bytearray()
    position = 0
    while not decompressor.eof:
        chunk = b""
        if decompressor.needs_input:
            chunk = data[position : position + _CHUNK_BYTES]
            position += len(chunk)
        before = len(out)
        try:
            out += decompressor.decompress(chunk, _CHUNK_BYTES)
        except _FAULTS as error:
            raise MalformedError(f"its {compression} compression is damaged") from error
        if len(out) > allowed:
            raise LimitError(
                f"its {compression} compression unfolds to too much",
                limit="decompressed_bytes",
                allowed=allowed,
                code="compressed-bomb",
            )
        budget.clock()
        if decompressor.eof:
            break
        if decompressor.needs_input and position >= len(data) and len(out) == before:
            raise MalformedError(f"its {compression} compression is cut off", code="truncated")
    if position < len(data) or decompressor.unused_data:
        raise MalformedError(
            f"bytes follow the end of its {compression} compression", code="trailing-bytes"
        )
    return out


def _refuse_foreign(data: bytes) -> None:
    for prefix, found in _FOREIGN:
        if data.startswith(prefix):
            raise ContainerError(found, remedy=_SAVE_AGAIN)
    if data[257:262] == b"ustar":
        raise ContainerError("a tar archive", remedy=_SAVE_AGAIN)


def _read(data: bytes, budget: Budget) -> Legacy:
    if not data:
        raise ContainerError("empty", remedy="Copy or download it again.", code="truncated")
    digest = hashlib.sha256(data).hexdigest()
    bare = read_bare(data, budget.limits)
    if bare is not None:
        return Legacy(bare.library, None, None, bare.record, digest, len(data), bare.notes)
    refuse_recognised(data)
    if data.startswith(b"PK") or _TORCH_MAGIC in data[:32]:
        reading = read_checkpoint if data.startswith(b"PK") else read_rows
        checkpoint = reading(data, budget)
        return Legacy(
            TORCH,
            None,
            checkpoint.protocol,
            checkpoint.value,
            digest,
            len(data),
            checkpoint.notes,
        )
    _refuse_foreign(data)
    compression = next((name for name, start in _COMPRESSIONS if data.startswith(start)), None)
    plain: bytes | bytearray = data
    if compression is not None:
        plain = _decompressed(data, compression, budget)
    try:
        walked = walk(plain, budget)
    except MalformedError as error:
        is_text = compression is None and error.code in ("malformed", "truncated", "trailing-bytes")
        text = text_kind(data) if is_text else None
        if text is not None:
            raise text from error
        raise
    kind = JOBLIB if walked.inline_arrays or compression else "pickle"
    return Legacy(kind, compression, walked.protocol, walked.value, digest, len(data))


def survey_bytes(data: bytes, limits: Limits) -> tuple[str | None, str | None, Surveyed | None]:
    """Look again at a file that was refused.

    Parameters
    ----------
    data : bytes
        The file, whole.
    limits : Limits
        What looking may cost.

    Returns
    -------
    kind, compression : str or None
        As `Legacy` has them; no kind where it is no pickle.
    surveyed : Surveyed or None
        What it names and what stands in its way; None where it is no pickle.
    """
    budget = Budget(limits)
    try:
        bare = read_bare(data, limits)
        if bare is not None:
            return bare.library, None, Surveyed(None, (), (), bare.record)
        refuse_recognised(data)
        if data.startswith(b"PK"):
            return TORCH, None, survey_checkpoint(data, budget)
        if _TORCH_MAGIC in data[:32]:
            return TORCH, None, survey_rows(data, budget)
        _refuse_foreign(data)
    except LegacyError:
        return None, None, None
    compression = next((name for name, start in _COMPRESSIONS if data.startswith(start)), None)
    plain: bytes | bytearray = data
    try:
        if compression is not None:
            plain = _decompressed(data, compression, budget)
    except AegisError:
        return None, compression, None
    surveyed = survey(plain, budget)
    is_joblib = compression or any(name == "NumpyArrayWrapper" for _, name in surveyed.names)
    if not is_joblib and not surveyed.names and surveyed.value is None:
        # Nothing says that it is a pickle but where it was looked for.
        return None, None, surveyed
    return JOBLIB if is_joblib else "pickle", compression, surveyed


def read_bytes(data: bytes, limits: Limits | None = None) -> Legacy:
    """Read the bytes of a legacy file.

    Parameters
    ----------
    data : bytes
        The file, whole.
    limits : Limits, optional
        What it may cost.

    Returns
    -------
    Legacy
        What it holds.

    Raises
    ------
    LegacyError
        If it is refused, with the reason.
    MissingExtraError
        If it is compressed with lz4 and lz4 is not installed.
    """
    limits = limits or Limits()
    _check_size(data, limits)
    try:
        return _read(data, Budget(limits))
    except MemoryError as error:
        raise LimitError(
            "this machine's memory does not suffice for it",
            limit="array_bytes",
            allowed=limits.array_bytes,
            code="limit-memory",
        ) from error


def read_file(file: Path, limits: Limits) -> bytes:
    """Read the bytes of a regular file; a pipe would be waited for, and is refused.

    Parameters
    ----------
    file : Path
        The file.
    limits : Limits
        How large it may be.

    Returns
    -------
    bytes

    Raises
    ------
    UnreadableFileError, LimitError
    """
    if not file.is_file():
        raise UnreadableFileError("it is not there, or no regular file")
    try:
        with file.open("rb") as stream:
            data = stream.read(min(file.stat().st_size, limits.file_bytes) + 1)
    except OSError as error:
        raise UnreadableFileError(error.strerror or str(error)) from error
    _check_size(data, limits)
    return data


def _check_size(data: bytes, limits: Limits) -> None:
    if len(data) > limits.file_bytes:
        raise LimitError("it is too large", limit="file_bytes", allowed=limits.file_bytes)


def read_legacy(path: str | Path, limits: Limits | None = None) -> Legacy:
    """Read a legacy file.

    Parameters
    ----------
    path : str or Path
        The file.
    limits : Limits, optional
        What it may cost.

    Returns
    -------
    Legacy
        What it holds.

    Raises
    ------
    LegacyError
        If it is refused, with the file, a code and the reason.
    MissingExtraError
        If it is compressed with lz4 and lz4 is not installed.
    """
    limits = limits or Limits()
    file = Path(path)
    try:
        return read_bytes(read_file(file, limits), limits)
    except LegacyError as error:
        error.locate(str(file))
        raise
