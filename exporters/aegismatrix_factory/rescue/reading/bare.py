"""Tells models that no pickle holds: files in the own forms of xgboost, LightGBM and CatBoost.

Each is told by how it begins, never by its name, so that other JSON and text beside the models of a
folder is none. A record stands for what its library would load the file as.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import Literal

from aegismatrix_factory.rescue.reading import catboost_binary, xgboost_binary
from aegismatrix_factory.rescue.reading.errors import LimitError, MalformedError
from aegismatrix_factory.rescue.reading.limits import Limits
from aegismatrix_factory.rescue.reading.records import Record

Library = Literal["xgboost", "lightgbm", "catboost"]

HEAD_BYTES = 2**12
"""As much of a file as tells what it is."""
_MODULE = "file"
"""No pickle of these libraries names a class in it."""

_LEARNER = (
    rb'"(?:attributes|feature_names|feature_types|gradient_booster|learner_model_param'
    rb'|learner_train_param|objective)"'
)
_XGBOOST_JSON = re.compile(
    rb'\s*\{\s*(?:"learner"\s*:\s*\{\s*' + _LEARNER + rb'|"version"\s*:\s*\[[\d,\s]*\]\s*,\s*'
    rb'"learner"\s*:|"(?:Config|Model)"\s*:\s*\{\s*"(?:learner|version)")'
)
_XGBOOST_UBJSON = re.compile(
    rb"\{(?:L.{8}|l.{4}|I.{2}|[iU].)(?:learner|version|Config|Model)[\[{]", re.DOTALL
)
_CATBOOST_JSON = re.compile(
    rb'\s*\{\s*"(?:ctr_data"\s*:|features_info"\s*:\s*\{\s*'
    rb'"(?:float_features|categorical_features|ctrs|text_features|embedding_features)")'
)
_LIGHTGBM = re.compile(rb"tree\r?\n(?:version=|num_class=)")
_OBJECTIVE = re.compile(rb"[a-z]+:[a-z]+\Z")
_LENGTH = struct.Struct("<Q")
_LONGEST_NAME = 64


@dataclass(frozen=True)
class Bare:
    """A model in its library's own form.

    Attributes
    ----------
    library : {'xgboost', 'lightgbm', 'catboost'}
    record : Record
        What its library would load it as.
    notes : tuple of str
        What was read otherwise than it stands there.
    """

    library: Library
    record: Record
    notes: tuple[str, ...] = ()


def library_of(head: bytes | bytearray) -> Library | None:
    r"""Return which library wrote a file, by how it begins.

    Parameters
    ----------
    head : bytes
        At least the first `HEAD_BYTES` of the file, or all of it.

    Returns
    -------
    str or None
        None where it is no model of these in a form of their own.

    Examples
    --------
    >>> from aegismatrix_factory.rescue.reading.bare import library_of
    >>> library_of(b"tree\nversion=v4\n")
    'lightgbm'
    >>> library_of(b'{"version": [1, 0, 0]}') is None
    True
    """
    start = bytes(head[:HEAD_BYTES])
    if start.startswith(catboost_binary.MAGIC) or _CATBOOST_JSON.match(start):
        return "catboost"
    if _LIGHTGBM.match(start):
        return "lightgbm"
    if _XGBOOST_JSON.match(start) or _XGBOOST_UBJSON.match(start) or _is_binary(start):
        return "xgboost"
    return None


def _is_binary(start: bytes) -> bool:
    """Whether it is xgboost's binary form, which has a mark in some releases alone.

    Behind numbers of a fixed size it names its objective, and that no other file does there.
    """
    if start.startswith(xgboost_binary.CONFIGURED):
        return True
    begin = len(xgboost_binary.MAGIC) if start.startswith(xgboost_binary.MAGIC) else 0
    if not xgboost_binary.is_binary(start[begin:]):
        return False
    begin += xgboost_binary.LEARNER_BYTES
    name = start[begin + _LENGTH.size :]
    if len(name) < _LONGEST_NAME:
        return False
    (size,) = _LENGTH.unpack_from(start, begin)
    return size <= _LONGEST_NAME and _OBJECTIVE.match(name[:size]) is not None


def read_bare(data: bytes, limits: Limits) -> Bare | None:
    """Return a model that lies bare in a file.

    Parameters
    ----------
    data : bytes
        The file, whole.
    limits : Limits
        What it may cost.

    Returns
    -------
    Bare or None
        None where it is no such file.

    Raises
    ------
    LegacyError
        If it begins as such a file and cannot be one.
    """
    library = library_of(data)
    if library is None:
        return None
    module = f"{library}.{_MODULE}"
    if library == "catboost":
        return Bare(library, Record(module, "CatBoost", state={"__model": data}))
    if library == "xgboost":
        return Bare(library, Record(module, "Booster", state={"handle": data}))
    if len(data) > limits.text_bytes:
        raise LimitError("a text is too long", limit="text_bytes", allowed=limits.text_bytes)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedError("its model text is not UTF-8") from error
    notes: tuple[str, ...] = ()
    if "\r\n" in text:
        text = text.replace("\r\n", "\n")
        notes = ("its lines end as those of Windows, which LightGBM itself never writes",)
    return Bare(library, Record(module, "Booster", state={"_handle": text}), notes)
