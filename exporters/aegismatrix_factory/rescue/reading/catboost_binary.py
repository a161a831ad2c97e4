"""Reads CatBoost's binary models within bounds: a FlatBuffer behind ``CBM1`` and its size.

A table begins with the distance back to its list of fields, which has the place of each field in
it, or 0 for one that has its default. All is little-endian. A field that no list here names is
refused, since it may change every number.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from aegismatrix_factory.rescue.reading.errors import LimitError, MalformedError
from aegismatrix_factory.rescue.reading.limits import Budget

MAGIC = b"CBM1"
FORM = "FlabuffersModel_v1"
"""What it calls the form of its trees."""

_CORE = ("FormatVersion", "Trees", "InfoMap", "ModelPartIds")
_TREES = (
    *("ApproxDimension", "TreeSplits", "TreeSizes", "TreeStartOffsets", "CatFeatures"),
    *("FloatFeatures", "OneHotFeatures", "CtrFeatures", "LeafValues", "LeafWeights"),
    *("NonSymmetricStepNodes", "NonSymmetricNodeIdToLeafId", "TextFeatures"),
    *("EstimatedFeatures", "Scale", "Bias", "MultiBias", "RepackedBins", "EmbeddingFeatures"),
)
_FLOAT = ("HasNans", "Index", "FlatIndex", "Borders", "FeatureId", "NanValueTreatment")
_PAIR = ("Key", "Value")
STEPS = np.dtype([("left", "<u2"), ("right", "<u2")])
_VECTORS: dict[str, str | np.dtype[Any]] = {
    "TreeSplits": "<i4",
    "TreeSizes": "<i4",
    "TreeStartOffsets": "<i4",
    "LeafValues": "<f8",
    "NonSymmetricStepNodes": STEPS,
    "NonSymmetricNodeIdToLeafId": "<u4",
    "MultiBias": "<f8",
}
_COUNTED = (
    *("CatFeatures", "OneHotFeatures", "CtrFeatures", "TextFeatures", "EstimatedFeatures"),
    "EmbeddingFeatures",
)
"""Of these it is told how many there are."""


def read_catboost(data: bytes | bytearray, budget: Budget) -> dict[str, Any]:
    """Read a binary model.

    Parameters
    ----------
    data : bytes
        The model, whole.
    budget : Budget
        What it may cost.

    Returns
    -------
    dict
        Fields of its trees by their names in CatBoost, arrays as they are; ``FloatFeatures`` as a
        list of dicts, what is not numbers by its count, ``InfoMap`` as a dict of text,
        ``FormatVersion``, and ``ModelPartIds`` as the count of further parts.

    Raises
    ------
    LegacyError
        If it is malformed or asks for more than the limits.
    """
    if len(data) < 8:
        raise MalformedError("its model of CatBoost is cut off", code="truncated")
    size = int.from_bytes(data[4:8], "little")
    if 8 + size > len(data):
        raise MalformedError("its model of CatBoost is cut off", code="truncated")
    buffer = _Buffer(memoryview(data)[8 : 8 + size], budget)
    core = buffer.table(buffer.follow(0), _CORE)
    if "Trees" not in core:
        raise MalformedError("its model of CatBoost has no trees")
    parts = buffer.vector(core["ModelPartIds"])[1] if "ModelPartIds" in core else 0
    if not parts and 8 + size != len(data):
        raise MalformedError("its model of CatBoost goes on after its end", code="trailing-bytes")
    trees = buffer.table(buffer.follow(core["Trees"]), _TREES)
    found: dict[str, Any] = {
        name: buffer.array(trees[name], kind) for name, kind in _VECTORS.items() if name in trees
    }
    for name in _COUNTED:
        found[name] = buffer.vector(trees[name])[1] if name in trees else 0
    found["ApproxDimension"] = buffer.number("<i", trees.get("ApproxDimension"), 0)
    for name, default in (("Scale", 1.0), ("Bias", 0.0)):
        found[name] = buffer.number("<d", trees.get(name), default)
    features = buffer.tables(trees.get("FloatFeatures"), _FLOAT)
    found["FloatFeatures"] = [_feature(buffer, one) for one in features]
    pairs = [
        (buffer.text(one["Key"]), buffer.text(one["Value"]))
        for one in buffer.tables(core.get("InfoMap"), _PAIR)
        if one.keys() == set(_PAIR)
    ]
    form = buffer.text(core["FormatVersion"]) if "FormatVersion" in core else ""
    return {**found, "FormatVersion": form, "InfoMap": dict(pairs), "ModelPartIds": parts}


def _feature(buffer: _Buffer, fields: dict[str, int]) -> dict[str, Any]:
    borders = buffer.array(fields["Borders"], "<f4") if "Borders" in fields else np.zeros(0, "<f4")
    return {
        "FlatIndex": buffer.number("<i", fields.get("FlatIndex"), -1),
        "Borders": borders,
        "FeatureId": buffer.text(fields["FeatureId"]) if "FeatureId" in fields else "",
        "NanValueTreatment": buffer.number("<b", fields.get("NanValueTreatment"), 0),
    }


class _Buffer:
    """A FlatBuffer."""

    def __init__(self, data: memoryview, budget: Budget) -> None:
        self.data = data
        self.budget = budget

    def number(self, form: str, place: int | None, default: Any) -> Any:
        if place is None:
            return default
        self.budget.tick()
        if not 0 <= place <= len(self.data) - struct.calcsize(form):
            raise MalformedError("its model of CatBoost points outside of itself")
        return struct.unpack_from(form, self.data, place)[0]

    def follow(self, place: int) -> int:
        return place + int(self.number("<I", place, 0))

    def table(self, place: int, names: tuple[str, ...]) -> dict[str, int]:
        """Where each field of a table is, by its name."""
        fields = place - self.number("<i", place, 0)
        count = (self.number("<H", fields, 0) - 4) // 2
        found: dict[str, int] = {}
        for which in range(count):
            distance = self.number("<H", fields + 4 + 2 * which, 0)
            if not distance:
                continue
            if which >= len(names):
                raise MalformedError(
                    f"its model of CatBoost has a field {which} beside {names[-1]}, which no"
                    " release that was tried has",
                    code="unknown-part",
                )
            found[names[which]] = place + distance
        return found

    def vector(self, place: int) -> tuple[int, int]:
        """Where the elements of a list are, and how many."""
        begin = self.follow(place)
        return begin + 4, int(self.number("<I", begin, 0))

    def array(self, place: int, kind: str | np.dtype[Any]) -> Any:
        begin, count = self.vector(place)
        size_bytes = np.dtype(kind).itemsize * count
        if size_bytes > len(self.data) - begin:
            raise MalformedError("its model of CatBoost is cut off", code="truncated")
        self.budget.array(size_bytes)
        return np.frombuffer(self.data, dtype=kind, count=count, offset=begin)

    def tables(self, place: int | None, names: tuple[str, ...]) -> list[dict[str, int]]:
        if place is None:
            return []
        begin, count = self.vector(place)
        if 4 * count > len(self.data) - begin:
            raise MalformedError("its model of CatBoost is cut off", code="truncated")
        return [self.table(self.follow(begin + 4 * one), names) for one in range(count)]

    def text(self, place: int) -> str:
        begin, count = self.vector(place)
        if count > self.budget.limits.text_bytes:
            raise LimitError(
                "a text is too long", limit="text_bytes", allowed=self.budget.limits.text_bytes
            )
        if count > len(self.data) - begin:
            raise MalformedError("its model of CatBoost is cut off", code="truncated")
        try:
            return str(self.data[begin : begin + count], "utf-8")
        except UnicodeDecodeError as error:
            raise MalformedError("its model of CatBoost has a text that is not UTF-8") from error
