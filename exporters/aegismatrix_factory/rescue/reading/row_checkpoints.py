"""Reads the files that torch.save wrote before 1.6: five pickles in a row, then the storages.

The form is that of ``_legacy_save`` in ``torch/serialization.py``: a magic number, the version of
the form, what the machine was, the object, the keys of its storages, and in their order the number
of elements of each and its bytes.
"""

from __future__ import annotations

from typing import Any

from aegismatrix_factory.rescue.reading.checkpoints import (
    Checkpoint,
    Tensors,
    checked_reference,
    element_bytes,
    inert_names,
)
from aegismatrix_factory.rescue.reading.errors import (
    BigEndianError,
    ContainerError,
    LegacyError,
    LimitError,
    MalformedError,
)
from aegismatrix_factory.rescue.reading.limits import Budget
from aegismatrix_factory.rescue.reading.opcodes import walk, walk_first
from aegismatrix_factory.rescue.reading.records import RecordDraft
from aegismatrix_factory.rescue.reading.surveying import Surveyed, survey

MAGIC = 0x1950A86A20F9469CFC6C
_FORM = 1001
_HEAD_BYTES = 2**16
_COUNT_BYTES = 8
_MOST_STORAGES = 100_000


def read_rows(data: bytes | bytearray, budget: Budget) -> Checkpoint:
    """Read the bytes of a file that torch.save wrote before 1.6, or in that form later.

    Parameters
    ----------
    data : bytes
        The file.
    budget : Budget
        Pays for it.

    Returns
    -------
    Checkpoint
        As of a zip.

    Raises
    ------
    LegacyError
        If it is damaged, asks for too much, or holds more than tensors and plain values.
    """
    begin = _begin(data, budget)
    claimed: dict[str, tuple[str, int]] = {}

    def claim(reference: Any) -> RecordDraft:
        kind, key, _, count = checked_reference(_shortened(reference))
        if claimed.setdefault(key, (kind, count)) != (kind, count):
            raise MalformedError("a storage is claimed with two kinds or sizes")
        if len(claimed) > _MOST_STORAGES:
            raise LimitError("it has too many storages", limit="entries", allowed=_MOST_STORAGES)
        return RecordDraft("torch", "Storage", ())

    # What follows says where a storage is, so the object is read for its end first.
    rest = memoryview(data)[begin:]
    _, length = walk_first(rest, budget, names=inert_names(), persistent=claim)
    inner, rest = rest[:length], rest[length:]
    keys, place = walk_first(rest, budget)
    found = _found(rest, place, keys.value, claimed, budget)

    def raw(key: str) -> bytes:
        first, last = found[key]
        return bytes(rest[first:last])

    tensors = Tensors(raw, budget)
    walked = walk(
        inner,
        budget,
        names=tensors.names(),
        persistent=lambda reference: tensors.storage(_shortened(reference)),
    )
    if walked.inline_arrays or keys.inline_arrays:
        raise MalformedError("a torch file holds arrays of joblib")
    return Checkpoint(walked.value, walked.protocol, tuple(sorted(tensors.notes)))


def survey_rows(data: bytes | bytearray, budget: Budget) -> Surveyed | None:
    """Look again at such a file that was refused.

    Parameters
    ----------
    data : bytes
        The file.
    budget : Budget
        Pays for it.

    Returns
    -------
    Surveyed or None
        What its pickle names; None where there is none.
    """
    try:
        begin = _begin(data, budget)
    except LegacyError:
        return None
    return survey(memoryview(data)[begin:], budget, inert_names())


def _begin(data: bytes | bytearray, budget: Budget) -> int:
    """Where the object begins, behind what says how it was written."""
    place = 0
    said: list[Any] = []
    for _ in range(3):
        walked, end = walk_first(data[place : place + _HEAD_BYTES], budget)
        said.append(walked.value)
        place += end
    magic, form, machine = said
    if type(magic) is not int or magic != MAGIC or type(form) is not int or form != _FORM:
        raise MalformedError("it begins as a file of torch, and is of no form that torch writes")
    if not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise BigEndianError
    return place


def _shortened(reference: object) -> object:
    """A persistent id as a zip has it: without a view, which torch wrote until 0.4."""
    if isinstance(reference, tuple) and len(reference) == 6:
        if reference[5] is not None:
            raise ContainerError(
                "a torch file whose storages are parts of others, as before 0.4",
                remedy="Load it where it was made, and save it with torch 1.6 or later.",
            )
        return reference[:5]
    return None


def _found(
    rest: memoryview,
    place: int,
    keys: object,
    claimed: dict[str, tuple[str, int]],
    budget: Budget,
) -> dict[str, tuple[int, int]]:
    """Where the bytes of each storage are."""
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise MalformedError("the storages of a torch file have no list of keys")
    if len(set(keys)) != len(keys) or set(keys) != claimed.keys():
        raise MalformedError("the storages of a torch file are others than its tensors claim")
    found: dict[str, tuple[int, int]] = {}
    for key in keys:
        budget.tick()
        kind, count = claimed[key]
        first = place + _COUNT_BYTES
        if int.from_bytes(rest[place:first], "little", signed=True) != count:
            raise MalformedError("a storage has another size than its tensors claim")
        place = first + count * element_bytes(kind)
        if place > len(rest):
            raise MalformedError("a storage ends after the file does", code="truncated")
        found[key] = (first, place)
    if place != len(rest):
        raise MalformedError(f"{len(rest) - place} bytes follow its end", code="trailing-bytes")
    return found
