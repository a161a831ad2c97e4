"""The models that the value of a legacy file holds, and what else it holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np

from aegismatrix_factory.rescue.converting.catalogue import reader
from aegismatrix_factory.rescue.converting.errors import NotAModelError, UnsupportedModelError
from aegismatrix_factory.rescue.converting.family import Oracle, Part, Reader
from aegismatrix_factory.rescue.converting.networks import is_optimizer
from aegismatrix_factory.rescue.reading.limits import Clock
from aegismatrix_factory.rescue.reading.names import is_data
from aegismatrix_factory.rescue.reading.records import Record

_CARRIED_VALUES = 1000
_MAX_PARTS = 64
_KEY_CHARACTERS = 500
_MAX_DEPTH = 16
_NO_LIBRARIES = ("numpy", "builtins", "__builtin__", "pathlib", "functools")

ReadDocument = Callable[[bytes], Any]


@dataclass(frozen=True)
class Revived:
    """One model out of a legacy file.

    Attributes
    ----------
    key : str
        Where in the file it was: keys and places joined by dots, empty for the file's only object.
    part : Part
        What it computes.
    """

    key: str
    part: Part


@dataclass(frozen=True)
class Contents:
    """What one legacy file holds.

    Attributes
    ----------
    models : tuple of Revived
        In the file's order; at least one.
    carried : dict
        Plain values beside them, such as names of features, by key: JSON values.
    left_out : tuple of str
        Keys of what is neither.
    oracle : Oracle
        Answers from the records of the file.
    """

    models: tuple[Revived, ...]
    carried: dict[str, Any]
    left_out: tuple[str, ...]
    oracle: Oracle


def revive(value: object, read: ReadDocument, clock: Clock | None = None) -> Contents:
    """Find the models in the value of a file.

    Parameters
    ----------
    value : object
        From the reader: plain values and records. A model, a state dict, or dictionaries, lists
        and tuples that hold some of these, one inside of another.
    read : callable
        From the bytes of a Booster's handle to plain values.
    clock : Clock, optional
        How long it may take, the answers of the oracle with it.

    Returns
    -------
    Contents
        A container's models each by themselves: nothing in it says which of them feeds which.

    Raises
    ------
    LegacyError
        If there is no model, or one of them cannot be converted.
    """
    using = reader(read, clock)
    search = _Search(using)
    search.look(value, "", 0)
    if not search.models:
        raise NotAModelError(f"it holds no model, but {_kind(value)}")
    return Contents(tuple(search.models), search.carried, tuple(search.left_out), Oracle(using))


class _Search:
    """What was found in a value so far."""

    def __init__(self, using: Reader) -> None:
        self.using = using
        self.models: list[Revived] = []
        self.carried: dict[str, Any] = {}
        self.left_out: list[str] = []

    def look(self, value: object, key: str, depth: int) -> None:
        if self.is_model(value):
            if len(self.models) >= _MAX_PARTS:
                raise UnsupportedModelError(f"it holds more than {_MAX_PARTS} models")
            self.models.append(Revived(key, self.using.part(value)))
        elif key and is_optimizer(value):
            self.left_out.append(key)
        elif isinstance(value, Mapping | list | tuple) and (
            not key or self.hides_a_model(value, depth)
        ):
            pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
            for name, one in pairs:
                inner = _key(name)
                self.look(one, f"{key}.{inner}" if key else inner, depth + 1)
        elif key and _is_plain(value):
            # A number and its text are two keys of one spelling.
            self.carried[key if key not in self.carried else f"{key} ({len(self.carried)})"] = value
        elif key:
            self.left_out.append(key)

    def is_model(self, value: object) -> bool:
        if isinstance(value, Record):
            # Frames, dates and generators stand beside models and are none.
            return not is_data(value.module) and value.module not in _NO_LIBRARIES
        return self.using.find(value) is not None

    def hides_a_model(self, value: object, depth: int) -> bool:
        if self.is_model(value):
            return True
        if depth > _MAX_DEPTH or not isinstance(value, Mapping | list | tuple):
            return False
        if is_optimizer(value):
            return False
        inside = value.values() if isinstance(value, Mapping) else value
        return any(self.hides_a_model(one, depth + 1) for one in inside)


def _key(name: object) -> str:
    """A key as it is; of one that is too long its beginning, and what tells it from others."""
    text = str(name)
    if len(text) <= _KEY_CHARACTERS:
        return text
    digest = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{text[:_KEY_CHARACTERS]}... ({digest[:16]})"


def _is_plain(value: object) -> bool:
    """Whether a value can be written into a report as it is."""
    budget = [_CARRIED_VALUES]

    def plain(one: object, depth: int) -> bool:
        budget[0] -= 1
        if budget[0] < 0 or depth > 4:
            return False
        if one is None or isinstance(one, bool):
            return True
        if isinstance(one, int):
            return abs(one) < 2**53
        if isinstance(one, float):
            return bool(np.isfinite(one))
        if isinstance(one, str):
            return len(one) <= 200 and one.isprintable()
        if isinstance(one, list | tuple):
            return all(plain(item, depth + 1) for item in one)
        if isinstance(one, Mapping):
            return all(
                isinstance(name, str) and plain(name, depth) and plain(item, depth + 1)
                for name, item in one.items()
            )
        return False

    return plain(value, 0)


def _kind(value: object) -> str:
    if isinstance(value, Mapping | list | tuple):
        return "a container without any"
    names = {np.ndarray: "an array", str: "a text"}
    return names.get(type(value), "a single value")
