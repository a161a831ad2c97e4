"""The models that the value of a legacy file holds, and what else it holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from aegismatrix_factory.rescue.converting.attributes import Attributes, known
from aegismatrix_factory.rescue.converting.boosters import revive_booster
from aegismatrix_factory.rescue.converting.errors import (
    InconsistentModelError,
    NotAModelError,
    UnsupportedModelError,
)
from aegismatrix_factory.rescue.converting.estimators import revive_estimator
from aegismatrix_factory.rescue.converting.parameters import Revived, Scaler
from aegismatrix_factory.rescue.converting.recurrent import is_state_dict, revive_recurrent
from aegismatrix_factory.rescue.reading.errors import clipped
from aegismatrix_factory.rescue.reading.records import Record

_CARRIED_VALUES = 1000
_MAX_PARTS = 64
_PIPELINE = known("steps memory verbose transform_input _sklearn_version _sklearn_output_config")

ReadDocument = Callable[[bytes], Any]


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
    """

    models: tuple[Revived, ...]
    carried: dict[str, Any]
    left_out: tuple[str, ...]


def revive(value: object, read: ReadDocument) -> Contents:
    """Find the models in the value of a file.

    Parameters
    ----------
    value : object
        From the reader: plain values and records. A model, a pipeline, a state dict, or a
        dictionary, list or tuple that holds some of these; of the latter two the key is the place.
    read : callable
        From the bytes of a Booster's handle to plain values.

    Returns
    -------
    Contents
        A dictionary's models each by themselves: nothing in it says which of them feeds which.

    Raises
    ------
    LegacyError
        If there is no model, or one of them cannot be converted.
    """
    if isinstance(value, Record):
        return Contents((_model(value, "", read),), {}, ())
    if is_state_dict(value):
        assert isinstance(value, Mapping)
        return Contents((revive_recurrent(value, ""),), {}, ())
    if isinstance(value, list | tuple):
        value = dict(enumerate(value))
    if not isinstance(value, Mapping):
        raise NotAModelError(f"it holds no model, but a {_kind(value)}")
    models: list[Revived] = []
    carried: dict[str, Any] = {}
    left_out: list[str] = []
    for name, one in value.items():
        key = clipped(str(name))
        if len(models) >= _MAX_PARTS:
            raise UnsupportedModelError(f"it holds more than {_MAX_PARTS} models")
        if isinstance(one, Record):
            models.append(_model(one, key, read))
        elif is_state_dict(one):
            models.append(revive_recurrent(one, key))
        elif _is_plain(one):
            carried[key] = one
        elif isinstance(one, Mapping | list | tuple) and _hides_a_model(one):
            raise UnsupportedModelError(f"{key} holds models inside of another container")
        else:
            left_out.append(key)
    if not models:
        raise NotAModelError("it holds no model, but a container without any")
    return Contents(tuple(models), carried, tuple(left_out))


def _model(record: Record, key: str, read: ReadDocument) -> Revived:
    if record.module.partition(".")[0] == "xgboost":
        return revive_booster(record, key, read)
    if record.name == "Pipeline":
        return _pipeline(record, key, read)
    return revive_estimator(record, key)


def _pipeline(record: Record, key: str, read: ReadDocument) -> Revived:
    """A pipeline says what feeds what, so its scalers go in front of its model."""
    steps = Attributes(record, _PIPELINE).need("steps")
    if not isinstance(steps, list) or not steps:
        raise InconsistentModelError("a Pipeline has no steps")
    revived = []
    for step in steps:
        if not isinstance(step, tuple | list) or len(step) != 2:
            raise InconsistentModelError("a step of a Pipeline is not a name and an object")
        if step[1] is None or (isinstance(step[1], str) and step[1] == "passthrough"):
            continue
        if not isinstance(step[1], Record) or step[1].name == "Pipeline":
            raise UnsupportedModelError("a step of its Pipeline is neither a scaler nor a model")
        revived.append(_model(step[1], key, read))
    if not revived:
        raise NotAModelError("it holds a Pipeline that does nothing")
    *before, last = revived
    scalers = []
    for one in before:
        if not isinstance(one.model, Scaler):
            raise UnsupportedModelError(f"its Pipeline has a {one.described} before its last step")
        scalers.append(one.model)
    if len({one.n_features for one in revived}) > 1:
        raise InconsistentModelError("the steps of its Pipeline have different numbers of features")
    described = f"Pipeline of {', '.join(one.described for one in revived)}"
    version = ", ".join(
        dict.fromkeys(f"{one.library} {one.version}" for one in revived if one.version)
    )
    if len({one.library for one in revived}) == 1:
        version = last.version
    return replace(last, described=described, scalers=tuple(scalers), version=version)


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


def _hides_a_model(value: object, depth: int = 0) -> bool:
    if isinstance(value, Record) or is_state_dict(value):
        return True
    if depth > 8:
        return False
    if isinstance(value, Mapping):
        return any(_hides_a_model(one, depth + 1) for one in value.values())
    return isinstance(value, list | tuple) and any(_hides_a_model(one, depth + 1) for one in value)


def _kind(value: object) -> str:
    names = {np.ndarray: "array", list: "list", tuple: "tuple", str: "text"}
    return names.get(type(value), "single value")
