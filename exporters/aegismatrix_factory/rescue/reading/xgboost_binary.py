"""Reads the binary form of xgboost's boosters until 1.2, as the document of later releases.

All of it is little-endian. Since 1.0 a Booster is pickled as ``CONFIG-offset:``, a number of eight
bytes, so many bytes of the binary form, and a JSON document of how it was configured.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from aegismatrix_factory.rescue.reading.errors import LimitError, MalformedError
from aegismatrix_factory.rescue.reading.limits import Budget

CONFIGURED = b"CONFIG-offset:"
MAGIC = b"binf"
_LEARNER = struct.Struct("<fIiiiII27i")
LEARNER_BYTES = _LEARNER.size
_ENSEMBLE = struct.Struct("<iiiiqii32i")
_TREE = struct.Struct("<6i31i")
_STATISTICS_BYTES = 16
_NODE = np.dtype(
    [("parent", "<i4"), ("left", "<i4"), ("right", "<i4"), ("split", "<u4"), ("value", "<f4")]
)
_LEFT_BIT = 2**31
_MOST_TREES = 1_000_000
_LINES = struct.Struct("<Ii32i")
_BOOSTERS = ("gbtree", "dart", "gblinear")
_MOST_WEIGHTS = 2**26
_PARALLEL_SINCE = (1, 4)
"""How many trees of each class a round has stands where the roots of a tree were counted before."""
_BEFORE_RELEASES = (0, 0)
"""What 0.90 and older write for their release."""
_OLDEST = [0, 90, 0]


def is_binary(data: bytes | bytearray) -> bool:
    """Whether bytes begin as the binary form does.

    Parameters
    ----------
    data : bytes
        A Booster's handle.

    Returns
    -------
    bool
        A guess where there is no mark, which 0.90 does not write: the number of columns and of
        classes, and then what is 0 or 1 twice.
    """
    if data.startswith((CONFIGURED, MAGIC)):
        return True
    if len(data) < _LEARNER.size:
        return False
    _, columns, classes, attributes, metrics, *_ = _LEARNER.unpack_from(data)
    return columns < 2**24 and 0 <= classes < 2**24 and {attributes, metrics} <= {0, 1}


def read_binary(data: bytes | bytearray, budget: Budget, read: Callable[[bytes], Any]) -> Any:
    """Read the binary form.

    Parameters
    ----------
    data : bytes
        A Booster's handle, whole.
    budget : Budget
        What it may cost.
    read : callable
        From the bytes of a JSON document to plain values.

    Returns
    -------
    dict
        ``Model`` and ``Config`` as xgboost writes them since 1.3. The release of ``Model`` is
        0.90 where it says none; its ``base_score`` is a margin then.

    Raises
    ------
    LegacyError
        If it is malformed or asks for more than the limits.
    """
    config: Any = {}
    if data.startswith(CONFIGURED):
        begin = len(CONFIGURED) + 8
        if len(data) < begin:
            raise MalformedError("its booster is cut off", code="truncated")
        size = int.from_bytes(data[len(CONFIGURED) : begin], "little")
        if begin + size > len(data):
            raise MalformedError("its booster is cut off", code="truncated")
        config = read(bytes(data[begin + size :]))
        data = data[begin : begin + size]
    if data.startswith(MAGIC):
        data = data[len(MAGIC) :]
    model = _Binary(memoryview(data), budget).model()
    version = config.get("version") if isinstance(config, dict) else None
    if version is not None:
        model["version"] = version
    return {"Config": config, "Model": model}


class _Binary:
    """The bytes, and how far they are read."""

    def __init__(self, data: memoryview, budget: Budget) -> None:
        self.data = data
        self.budget = budget
        self.position = 0

    def take(self, count: int) -> memoryview:
        if not 0 <= count <= len(self.data) - self.position:
            raise MalformedError("its booster is cut off", code="truncated")
        self.budget.tick()
        piece = self.data[self.position : self.position + count]
        self.position += count
        return piece

    def unpack(self, form: struct.Struct) -> tuple[Any, ...]:
        return form.unpack(self.take(form.size))

    def count(self) -> int:
        return int.from_bytes(self.take(8), "little")

    def text(self) -> str:
        count = self.count()
        if count > self.budget.limits.text_bytes:
            raise LimitError(
                "a text is too long", limit="text_bytes", allowed=self.budget.limits.text_bytes
            )
        try:
            return str(self.take(count), "utf-8")
        except UnicodeDecodeError as error:
            raise MalformedError("its booster has a text that is not UTF-8") from error

    def array(self, kind: str | np.dtype[Any], count: int) -> Any:
        size_bytes = np.dtype(kind).itemsize * count
        piece = self.take(size_bytes)
        self.budget.array(size_bytes)
        return np.frombuffer(piece, dtype=kind)

    def model(self) -> dict[str, Any]:
        head = self.unpack(_LEARNER)
        base, columns, classes, attributes, metrics, major, minor, targets, estimated, *rest = head
        if estimated not in (0, 1) or any(rest):
            raise MalformedError(
                "its booster has a number that no release that was tried writes",
                code="unknown-part",
            )
        older = (major, minor) == _BEFORE_RELEASES
        objective, booster = self.text(), self.text()
        content: dict[str, Any] = {"name": booster}
        if booster in _BOOSTERS:
            trees = self.lines() if booster == "gblinear" else self.trees((major, minor))
            if booster != "dart":
                content["model"] = trees
            else:
                content["gbtree"] = {"name": "gbtree", "model": trees}
                content["weight_drop"] = self.array("<f4", self.bounded(self.count()))
            said = self.pairs() if attributes else {}
            if objective == "count:poisson" and older:
                # How far a step of training could go.
                self.text()
            for _ in range(self.bounded(self.count()) if metrics else 0):
                self.text()
            if self.position != len(self.data):
                raise MalformedError("its booster goes on after its end", code="trailing-bytes")
        else:
            # What a booster of another kind holds is not read, since it is refused by its name.
            said = {}
        return {
            "version": list(_OLDEST) if older else [major, minor, 0],
            "learner": {
                "attributes": said,
                "feature_names": [],
                "feature_types": [],
                "gradient_booster": content,
                "learner_model_param": {
                    "base_score": repr(float(base)),
                    "num_class": str(classes),
                    "num_feature": str(columns),
                    # Several since 1.6; before that there was no such number.
                    "num_target": str(max(targets, 1)),
                },
                "objective": {"name": objective},
            },
        }

    def bounded(self, count: int) -> int:
        if count > _MOST_TREES:
            raise MalformedError("its booster is cut off", code="truncated")
        return count

    def pairs(self) -> dict[str, str]:
        return {self.text(): self.text() for _ in range(self.bounded(self.count()))}

    def lines(self) -> dict[str, Any]:
        self.unpack(_LINES)
        count = self.count()
        if count > _MOST_WEIGHTS:
            raise MalformedError("its booster is cut off", code="truncated")
        return {"weights": self.array("<f4", count)}

    def trees(self, release: tuple[int, int]) -> dict[str, Any]:
        count, roots, _, _, _, _, leaf_size, *_ = self.unpack(_ENSEMBLE)
        if not 0 <= count <= _MOST_TREES:
            raise MalformedError("its booster has another number of trees than it can hold")
        parallel = {}
        if release >= _PARALLEL_SINCE:
            parallel = {"num_parallel_tree": str(roots)}
        elif roots > 1:
            raise MalformedError("its trees have several roots")
        grown = [self.tree() for _ in range(count)]
        return {
            "gbtree_model_param": {
                "num_trees": str(count),
                "size_leaf_vector": str(leaf_size),
                **parallel,
            },
            "tree_info": self.array("<i4", count).astype(np.int64),
            "trees": grown,
        }

    def tree(self) -> dict[str, Any]:
        roots, count, deleted, _, columns, leaf_size, *_ = self.unpack(_TREE)
        if roots != 1 or count < 1:
            raise MalformedError("a tree of its booster has no nodes, or several roots")
        nodes = self.array(_NODE, count)
        self.take(_STATISTICS_BYTES * count)
        leaf = nodes["left"] == -1
        inner = nodes["split"] & (_LEFT_BIT - 1)
        return {
            "tree_param": {
                "num_nodes": str(count),
                "num_deleted": str(deleted),
                "num_feature": str(columns),
                "size_leaf_vector": str(leaf_size),
            },
            "left_children": nodes["left"].astype(np.int64),
            # A leaf keeps something else where another node has its right child.
            "right_children": np.where(leaf, -1, nodes["right"]).astype(np.int64),
            "split_indices": np.where(leaf, 0, inner).astype(np.int64),
            "split_conditions": nodes["value"].astype(np.float32),
            "default_left": (nodes["split"] >= _LEFT_BIT).astype(np.int64),
        }
