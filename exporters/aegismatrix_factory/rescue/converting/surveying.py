"""All models inside of a value, one by one: what each is, and what stands in its way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from aegismatrix_factory.rescue.converting.catalogue import reader
from aegismatrix_factory.rescue.converting.errors import UnknownModelError, UnknownPartError
from aegismatrix_factory.rescue.converting.family import Family, Part, ReadDocument, Reader
from aegismatrix_factory.rescue.converting.graphs import author
from aegismatrix_factory.rescue.reading.errors import LegacyError
from aegismatrix_factory.rescue.reading.limits import Clock
from aegismatrix_factory.rescue.reading.names import is_data, is_own
from aegismatrix_factory.rescue.reading.records import Record

_MOST_PARTS = 200
_MOST_VALUES = 20_000
_MOST_DEPTH = 48
_MOST_KEYS = 20
_LIBRARIES = {
    "sklearn": "scikit-learn",
    "_loss": "scikit-learn",
    "imblearn": "imbalanced-learn",
    "xgboost": "xgboost",
    "lightgbm": "lightgbm",
    "catboost": "catboost",
}
_BOOSTERS = frozenset({"xgboost", "lightgbm", "catboost"})


@dataclass(frozen=True)
class Surveyed:
    """One model inside of a file.

    Attributes
    ----------
    path : str
        Where it is: keys, attributes and places joined by dots; empty for the outermost.
    module, name : str
        Its class, as the file names it.
    library, release : str
        Which library it is of, and the release that saved it; empty where the file does not say.
    obstacles : tuple of LegacyError
        Why it is not converted by itself; empty if it would be.
    """

    path: str
    module: str
    name: str
    library: str
    release: str
    obstacles: tuple[LegacyError, ...]


def survey_models(
    value: object,
    read_document: ReadDocument,
    refused: LegacyError | None = None,
    clock: Clock | None = None,
) -> tuple[Surveyed, ...]:
    """Look at every model in a value, also inside of those that are refused.

    Parameters
    ----------
    value : object
        From the reader, or from a survey of what it refused.
    read_document : callable
        From the bytes of a booster's document to plain values.
    refused : LegacyError, optional
        Why the value is refused. The outermost model is, even if it is read without an error: its
        graph may not be written, or not agree.
    clock : Clock, optional
        How long it may take.

    Returns
    -------
    tuple of Surveyed
        From the outside in; at most 200. What is inside of one that would be converted is not
        listed.
    """
    survey = _Survey(reader(read_document, clock), refused)
    survey.look(value, "", 0)
    return tuple(survey.found)


class _Survey:
    """What was found so far."""

    def __init__(self, using: Reader, refused: LegacyError | None) -> None:
        self.using = using
        self.refused = refused
        self.found: list[Surveyed] = []
        self.values_left = _MOST_VALUES

    def look(self, value: object, path: str, depth: int) -> None:
        self.values_left -= 1
        if self.values_left < 0 or depth > _MOST_DEPTH or len(self.found) >= _MOST_PARTS:
            return
        if self.is_model(value) and self.converts(value, path):
            return
        for name, one in _inside(value):
            if isinstance(one, Record | Mapping | list | tuple):
                self.look(one, f"{path}.{name}" if path else name, depth + 1)

    def is_model(self, value: object) -> bool:
        if not isinstance(value, Record):
            return self.using.find(value) is not None
        if self.using.find(value) is not None:
            return True
        if is_data(value.module) or (value.name.startswith("_") and _library(value)):
            return False
        state = value.state
        if isinstance(state, Mapping) and "_sklearn_version" in state:
            return True
        root = _root(value.module)
        return root in _BOOSTERS or (root != "torch" and is_own(value.module))

    def converts(self, value: object, path: str) -> bool:
        family = self.using.find(value)
        obstacles: list[LegacyError] = []
        library, release = _library(value), self.release(value)
        if family is None:
            assert isinstance(value, Record)
            obstacles.append(UnknownModelError(value.module, value.name))
        else:
            library = family.library
            try:
                part = self.using.part(value)
                release = part.version
            except LegacyError as error:
                if path and error.code == "not-fitted":
                    # What a search or a chain was made from, and never asks.
                    return True
                obstacles += [error, *_unknown_keys(family, value)]
            else:
                obstacles += self.unwritten(part, path)
        module, name = "", family.name if family is not None else ""
        if isinstance(value, Record):
            module, name = value.module, value.name
        self.found.append(Surveyed(path, module, name, library, release, tuple(obstacles)))
        return not obstacles

    def unwritten(self, part: Part, path: str) -> list[LegacyError]:
        """Why the graph of what was read is none."""
        if not path and self.refused is not None:
            return [self.refused]
        try:
            author(part, self.using.clock)
        except LegacyError as error:
            return [error]
        return []

    def release(self, value: object) -> str:
        """The release that saved it, which scikit-learn says, and xgboost in its document."""
        state = value.state if isinstance(value, Record) else None
        if not isinstance(state, Mapping):
            return ""
        said = state.get("_sklearn_version")
        if isinstance(said, str | np.str_):
            return str(said)
        handle = state.get("handle")
        if _library(value) != "xgboost" or not isinstance(handle, bytes | bytearray):
            return ""
        try:
            document = self.using.read_document(bytes(handle))
        except LegacyError:
            return ""
        return _written_by(document)


def _written_by(document: object) -> str:
    """The version in a document of xgboost, of a model alone or beside its configuration."""
    for key in (None, "Model", "Config"):
        inner = document if key is None or not isinstance(document, Mapping) else document.get(key)
        said = inner.get("version") if isinstance(inner, Mapping) else None
        if isinstance(said, list | tuple | np.ndarray) and len(said) == 3:
            return ".".join(str(one) for one in said if isinstance(one, int | np.integer))
    return ""


def _inside(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, Record):
        state = value.state
        parts = state if isinstance(state, tuple) else (state,)
        for part in parts:
            if isinstance(part, Mapping):
                yield from ((str(key), one) for key, one in part.items())
        for place, one in enumerate((*value.arguments, *value.items)):
            yield str(place), one
        for key, one in value.entries:
            yield str(key), one
    elif isinstance(value, Mapping):
        yield from ((str(key), one) for key, one in value.items())
    elif isinstance(value, list | tuple):
        yield from ((str(place), one) for place, one in enumerate(value))


def _unknown_keys(family: Family, value: object) -> list[LegacyError]:
    """One error for each attribute that no release has; the first may be known already."""
    state = value.state if isinstance(value, Record) else None
    if not isinstance(state, Mapping):
        return []
    unknown = [str(key) for key in state if key not in family.known]
    return [UnknownPartError(family.name, key) for key in unknown[:_MOST_KEYS]]


def _root(module: str) -> str:
    return module.partition(".")[0]


def _library(value: object) -> str:
    return _LIBRARIES.get(_root(value.module), "") if isinstance(value, Record) else ""
