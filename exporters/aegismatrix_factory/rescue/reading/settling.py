"""Turns what a walk has put together into plain values and records, and bounds what they cost.

Every value that comes out has no cycle, a bounded depth and a bounded size even when everything
shared is written out, so that whoever walks it afterwards needs no precautions.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from aegismatrix_factory.rescue.reading.arrays import ArrayDraft, DtypeDraft
from aegismatrix_factory.rescue.reading.errors import (
    CycleError,
    LimitError,
    MalformedError,
    clipped,
)
from aegismatrix_factory.rescue.reading.limits import Budget
from aegismatrix_factory.rescue.reading.names import TYPES, is_record
from aegismatrix_factory.rescue.reading.records import Name, Record, RecordDraft

_PLAIN = (type(None), bool, int, float, complex, str, bytes, bytearray, np.generic, np.ndarray)
_VALUE_BYTES = 8


@dataclass(slots=True)
class _Settled:
    value: Any
    values: int
    size_bytes: int
    depth: int


def _leaf(value: object) -> _Settled | None:
    """Settle what holds nothing else; None for what does."""
    if isinstance(value, DtypeDraft):
        return _Settled(value.value, 1, _VALUE_BYTES, 0)
    if isinstance(value, ArrayDraft) and not isinstance(value.value, RecordDraft):
        value = value.value
    if isinstance(value, np.ndarray) and value.dtype.hasobject:
        texts = sum(len(one) for one in value.reshape(-1) if isinstance(one, str | bytes))
        return _Settled(value, 1 + value.size, _VALUE_BYTES * value.size + texts, 0)
    if isinstance(value, np.ndarray):
        return _Settled(value, 1, value.nbytes, 0)
    if isinstance(value, _PLAIN):
        size = len(value) if isinstance(value, str | bytes | bytearray) else _VALUE_BYTES
        return _Settled(value, 1, size, 0)
    if isinstance(value, Name):
        known = is_record(value.module, value.name) or (value.module, value.name) in TYPES
        if not known and value.module != "numpy":
            raise MalformedError(
                f"the class {clipped(value.module)}.{clipped(value.name)} stands where a value"
                " must",
                code="class-as-value",
            )
        return _Settled(value, 1, len(value.module) + len(value.name), 0)
    if not _is_branch(value):
        raise MalformedError("something half-made stands where a value must")
    return None


def _children(value: object) -> Iterable[Any]:
    if isinstance(value, ArrayDraft):
        return (value.value,)
    if isinstance(value, dict):
        return value.values()
    if isinstance(value, RecordDraft):
        return (value.arguments, value.state, value.items, value.entries)
    # The items of a set are scalars, which the walk saw to.
    return value if isinstance(value, list | tuple) else ()


def _copy(value: Any, parts: list[Any]) -> Any:
    if isinstance(value, dict):
        return dict(zip(value, parts, strict=True))
    if isinstance(value, ArrayDraft):
        return parts[0]
    if isinstance(value, RecordDraft):
        return Record(value.module, value.name, *parts)
    if isinstance(value, set | frozenset):
        return type(value)(value)
    return tuple(parts) if isinstance(value, tuple) else parts


def settle(root: object, budget: Budget) -> Any:
    """Finish a value.

    Parameters
    ----------
    root : object
        What the walk left, drafts included.
    budget : Budget
        Pays for it.

    Returns
    -------
    object
        Plain values, numpy arrays and `Record` alone; shared values stay shared.

    Raises
    ------
    LegacyError
        If it holds itself, nests too deep, is too large when written out, or holds something
        unfinished.
    """
    limits = budget.limits
    # Keyed by identity: every object named here is held by the root until the end.
    done: dict[int, _Settled] = {}
    opened: set[int] = set()
    top = _leaf(root)
    if top is not None:
        return top.value
    stack: list[Any] = [root]
    while stack:
        value = stack[-1]
        key = id(value)
        if key in done:
            stack.pop()
            continue
        parts = _children(value)
        if key not in opened:
            opened.add(key)
            if len(opened) - len(done) > 4 * limits.depth:
                raise _too_deep(limits.depth)
            waiting = []
            for part in parts:
                budget.tick()
                if id(part) in opened and id(part) not in done:
                    raise CycleError
                if id(part) not in done and _is_branch(part):
                    waiting.append(part)
            if waiting:
                stack.extend(waiting)
                continue
        stack.pop()
        done[key] = _finish(value, parts, done, budget)
    return done[id(root)].value


def _is_branch(value: object) -> bool:
    if isinstance(value, ArrayDraft):
        return isinstance(value.value, RecordDraft)
    return isinstance(value, list | tuple | dict | set | frozenset | RecordDraft)


def _too_deep(depth: int) -> LimitError:
    return LimitError("it nests too deep", limit="depth", allowed=depth)


def _finish(
    value: object, parts: Iterable[Any], done: dict[int, _Settled], budget: Budget
) -> _Settled:
    limits = budget.limits
    values, size_bytes, depth = 1, _VALUE_BYTES, 0
    finished: list[Any] = []
    for part in parts:
        budget.tick()
        settled = done[id(part)] if _is_branch(part) else _leaf(part)
        assert settled is not None
        finished.append(settled.value)
        values += settled.values
        size_bytes += settled.size_bytes
        depth = max(depth, settled.depth)
    if isinstance(value, dict | set | frozenset):
        size_bytes += sum(len(key) for key in value if isinstance(key, str | bytes))
        values += len(value)
        budget.tick(len(value))
    if depth + 1 > limits.depth:
        raise _too_deep(limits.depth)
    if values > limits.expanded_values:
        raise LimitError(
            "it is too large once everything shared is written out",
            limit="expanded_values",
            allowed=limits.expanded_values,
        )
    if size_bytes > limits.expanded_bytes:
        raise LimitError(
            "it is too large once everything shared is written out",
            limit="expanded_bytes",
            allowed=limits.expanded_bytes,
        )
    return _Settled(_copy(value, finished), values, size_bytes, depth + 1)
