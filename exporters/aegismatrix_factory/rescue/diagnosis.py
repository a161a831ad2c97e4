"""What a refused file is, everything that stands in its way, and the next step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from aegismatrix.errors import AegisError
from aegismatrix_factory.rescue.converting.errors import WholeModuleError
from aegismatrix_factory.rescue.converting.surveying import Surveyed, survey_models
from aegismatrix_factory.rescue.converting.whole_modules import classes_of, modules_of
from aegismatrix_factory.rescue.reading.containers import JOBLIB, TORCH, survey_bytes
from aegismatrix_factory.rescue.reading.environments import Environment, environment
from aegismatrix_factory.rescue.reading.errors import (
    ContainerError,
    ForeignNameError,
    LegacyError,
    UnknownClassError,
)
from aegismatrix_factory.rescue.reading.limits import Clock, Limits
from aegismatrix_factory.rescue.reading.names import is_library, names_a_class
from aegismatrix_factory.rescue.reading.ubjson import read_ubjson
from aegismatrix_factory.rescue.refusals import Refusal, refusal_of

_NO_SECOND_LOOK = ("limit-", "compressed-bomb")
_DAMAGED = frozenset({"truncated", "malformed", "trailing-bytes", "non-finite"})
"""What no environment mends."""

_MOST_OBSTACLES = 50


@dataclass(frozen=True)
class Diagnosis:
    """What is known of a file that is not converted.

    Attributes
    ----------
    container : dict or None
        kind, compression and protocol, as far as they are known.
    described, library, release : str
        Its outermost class, the library of that and the release that saved it; empty where the
        file does not say.
    obstacles : tuple of Refusal
        All of them, each once; the first is why it was refused.
    parts : tuple of dict
        Each model inside: ``path``, ``class``, ``converts``.
    environment : Environment or None
        In which it loads.
    layers : tuple of dict
        Of a whole module of torch, the layers that it is made of.
    """

    obstacles: tuple[Refusal, ...]
    container: Mapping[str, Any] | None = None
    described: str = ""
    library: str = ""
    release: str = ""
    parts: tuple[Mapping[str, Any], ...] = field(default=())
    environment: Environment | None = None
    layers: tuple[Mapping[str, Any], ...] = ()


def diagnose(data: bytes, error: AegisError | MemoryError, limits: Limits) -> Diagnosis:
    """Look again at a file that was refused.

    Parameters
    ----------
    data : bytes
        The file, whole.
    error : AegisError or MemoryError
        Why.
    limits : Limits
        What it may cost.

    Returns
    -------
    Diagnosis
    """
    first = refusal_of(error)
    if first.code.startswith(_NO_SECOND_LOOK) or isinstance(error, ContainerError):
        return Diagnosis((first,))
    try:
        return _diagnosed(data, error, first, limits)
    except (AegisError, MemoryError):
        # What is known already is said.
        return Diagnosis((first,))


def _diagnosed(
    data: bytes, error: AegisError | MemoryError, first: Refusal, limits: Limits
) -> Diagnosis:
    kind, compression, seen = survey_bytes(data, limits)
    if seen is None:
        packed = {"kind": JOBLIB, "compression": compression, "protocol": None}
        return Diagnosis((first,), packed if compression is not None else None)
    container = {"kind": kind, "compression": compression, "protocol": seen.protocol}
    refused = error if isinstance(error, LegacyError) else None
    clock = Clock(limits.conversion_seconds)
    models = survey_models(seen.value, partial(read_ubjson, limits=limits), refused, clock)
    found: list[AegisError | MemoryError] = [error, *seen.obstacles]
    for model in models:
        found += model.obstacles
    releases = _releases(models)
    for release in seen.releases[:1]:
        releases.setdefault("scikit-learn", release)
    layers = modules_of(seen.value) if kind == TORCH else ()
    if layers and isinstance(error, UnknownClassError):
        of_layers = classes_of(seen.value)
        found = [WholeModuleError(layers), *(one for one in found if _class(one) not in of_layers)]
    outermost = next((one for one in models if one.path == ""), models[0] if models else None)
    modules = tuple(dict.fromkeys(module for module, _ in seen.names))
    described = _first_class(seen.names)
    if kind == TORCH and isinstance(seen.value, Mapping) and not layers:
        described = "state_dict"
    elif outermost is not None:
        described = outermost.name if outermost.library else f"{outermost.module}.{outermost.name}"
    library = outermost.library if outermost is not None else ""
    if not library and any(module.startswith("sklearn.") for module in modules) and not models:
        library = "scikit-learn"
    return Diagnosis(
        _each_once(found),
        container if kind is not None else None,
        described,
        library,
        releases.get(library, ""),
        tuple(
            {
                "path": one.path,
                "class": one.name,
                "converts": not one.obstacles,
            }
            for one in models
        ),
        None
        if first.code in _DAMAGED
        else environment(releases, modules, is_joblib=kind == JOBLIB),
        layers,
    )


def _class(error: AegisError | MemoryError) -> tuple[str, str]:
    """The class that an error is about."""
    return (error.module, error.name) if isinstance(error, ForeignNameError) else ("", "")


def _each_once(found: list[AegisError | MemoryError]) -> tuple[Refusal, ...]:
    """The first first; a class that two steps refuse stands once."""
    obstacles: dict[tuple[str, str], Refusal] = {}
    for error in found:
        said = refusal_of(error)
        what = (
            f"{error.module}.{error.name}" if isinstance(error, ForeignNameError) else said.reason
        )
        obstacles.setdefault((said.code, what), said)
    return tuple(obstacles.values())[:_MOST_OBSTACLES]


def _first_class(names: tuple[tuple[str, str], ...]) -> str:
    """The class that a file begins with, where its end was not reached."""
    for module, name in names:
        if names_a_class(module):
            return name if is_library(module) else f"{module}.{name}"
    return ""


def _releases(models: tuple[Surveyed, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for model in models:
        # The part that is read says its library's name before its release.
        release = model.release.rpartition(" ")[2]
        if model.library and release:
            found.setdefault(model.library, release)
    return found
