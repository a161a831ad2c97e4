"""One old file: read, converted, proven, and if it is refused, looked at again."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import onnx

from aegismatrix.artifacts import fields as entries
from aegismatrix.artifacts.manifest import MAX_ARTIFACT_BYTES, parse_model
from aegismatrix.artifacts.operators import IR_VERSION, OPSET
from aegismatrix.errors import AegisError
from aegismatrix_factory.conversion import finish
from aegismatrix_factory.rescue import tokeniser
from aegismatrix_factory.rescue.converting.checks import prove
from aegismatrix_factory.rescue.converting.errors import OversizedModelError
from aegismatrix_factory.rescue.converting.family import Oracle
from aegismatrix_factory.rescue.converting.graphs import author, shown
from aegismatrix_factory.rescue.converting.parts import Revived, revive
from aegismatrix_factory.rescue.diagnosis import Diagnosis, diagnose
from aegismatrix_factory.rescue.reading.containers import Legacy, read_bytes, read_file
from aegismatrix_factory.rescue.reading.errors import (
    ContainerError,
    LegacyError,
    UnreadableFileError,
    clipped,
)
from aegismatrix_factory.rescue.reading.limits import Limits
from aegismatrix_factory.rescue.reading.recognising import refuse_recognised
from aegismatrix_factory.rescue.reading.ubjson import read_ubjson
from aegismatrix_factory.rescue.refusals import refusal_of
from aegismatrix_factory.rescue.verdicts import CONVERTED, OTHER, REFUSED, Artifact, Rescued
from aegismatrix_factory.sealing import sealed_entry

KIND = "rescued"
TOKENISER = "tokeniser.py"

_NAME_CHARACTERS = 80
_MOST_NAMES = 10_000
_HEAD_BYTES = 2**16
_UNFIT = re.compile(r"[^A-Za-z0-9_.-]+")


class LinkError(LegacyError):
    """The file is a link that leads out of the folder, or to a folder."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            reason, code="link", remedy="Put the file itself into the folder, if you want it there."
        )


@dataclass(frozen=True)
class Task:
    """One file of a folder.

    Attributes
    ----------
    file : Path
        Where it is.
    name : str
        Its path in the folder, with slashes.
    base : str or None
        What its artifact is called; None for no model file.
    old : Path
        The folder.
    taken : frozenset of str
        What no artifact of it may be called but by its `base`, folded to one case.
    """

    file: Path
    name: str
    base: str | None
    old: Path
    taken: frozenset[str]


def convert(task: Task, limits: Limits) -> Rescued:
    """Convert one file, or say why not.

    Parameters
    ----------
    task : Task
    limits : Limits
        What it may cost to read.

    Returns
    -------
    Rescued
    """
    if task.base is None:
        return _other(task)
    data: bytes | None = None
    container: dict[str, Any] = {}
    try:
        data = _read(task.file, task.old, limits)
        return _converted(task, data, limits, container)
    except (AegisError, MemoryError) as error:
        # Its frames hold all that was read, which is about to be read once more.
        error.__traceback__ = error.__context__ = error.__cause__ = None
        return _refused(task, data, container or None, error, limits)


def _converted(task: Task, data: bytes, limits: Limits, container: dict[str, Any]) -> Rescued:
    """The verdict on a file that is converted; `container` is filled once it could be read."""
    assert task.base is not None
    taken = set(task.taken)
    legacy = read_bytes(data, limits)
    container.update(kind=legacy.kind, compression=legacy.compression, protocol=legacy.protocol)
    contents = revive(legacy.value, partial(read_ubjson, limits=limits))
    artifacts = tuple(
        _artifact(revived, contents.oracle, legacy, task.name, task.base, taken)
        for revived in contents.models
    )
    sources = [artifact.entry["provenance"] for artifact in artifacts]
    library, _, release = str(sources[0]["saved_by"]).partition(" ")
    names = [repr(str(artifact.entry["name"])) for artifact in artifacts]
    return Rescued(
        task.name,
        CONVERTED,
        legacy.sha256,
        legacy.size_bytes,
        container=container,
        artifacts=artifacts,
        carried=contents.carried,
        left_out=contents.left_out,
        notes=legacy.notes,
        described=", ".join(dict.fromkeys(str(source["class"]) for source in sources)),
        library=library,
        release=release,
        next_step=f"Open the new folder with aegismatrix.load_models and take {', '.join(names)}.",
    )


def _other(task: Task) -> Rescued:
    """The verdict on what is not called as a model file is; its first bytes may say what it is."""
    try:
        if task.file.is_file() and not task.file.is_symlink():
            with task.file.open("rb") as stream:
                refuse_recognised(stream.read(_HEAD_BYTES))
    except ContainerError as error:
        return Rescued(task.name, OTHER, described=error.found, next_step=error.remedy)
    except OSError:
        # Nobody asked for it to be read.
        return Rescued(task.name, OTHER)
    return Rescued(task.name, OTHER)


def _refused(
    task: Task,
    data: bytes | None,
    container: Mapping[str, Any] | None,
    error: AegisError | MemoryError,
    limits: Limits,
) -> Rescued:
    found = Diagnosis((refusal_of(error),)) if data is None else diagnose(data, error, limits)
    refusal = found.obstacles[0]
    requirements = None
    step = refusal.remedy
    if found.environment is not None:
        requirements = f"{task.base}.requirements.txt", found.environment.text
        step = (
            f"Install {requirements[0]} under Python {found.environment.python}, where it loads if"
            f" you know who made it; otherwise: {step}"
        )
    described = found.described
    if not described and isinstance(error, ContainerError):
        described = error.found
    return Rescued(
        task.name,
        REFUSED,
        None if data is None else sha256(data).hexdigest(),
        None if data is None else len(data),
        container=container or found.container,
        refusal=refusal,
        described=described,
        library=found.library,
        release=found.release,
        obstacles=found.obstacles,
        parts=found.parts,
        next_step=step,
        requirements=requirements,
    )


def _read(file: Path, old: Path, limits: Limits) -> bytes:
    try:
        if not file.resolve(strict=True).is_relative_to(old):
            raise LinkError("it is a link that leads out of the folder")
        if file.is_dir():
            raise LinkError("it is a link to a folder")
    except (OSError, RuntimeError) as error:
        raise UnreadableFileError(getattr(error, "strerror", None) or str(error)) from error
    return read_file(file, limits)


def _artifact(
    revived: Revived, oracle: Oracle, legacy: Legacy, name: str, base: str, taken: set[str]
) -> Artifact:
    part, model = revived.part, revived.part.model
    if max(len(model.feature_names), len(model.classes)) > _MOST_NAMES:
        raise OversizedModelError(f"it has more than {_MOST_NAMES} names")
    called = unique(fit(f"{base}-{revived.key}"), taken) if revived.key else base
    authored = author(part)
    saved_by = f"{part.family.library} {part.version}".strip()
    details = dict(model.details)
    texts = {one.name: one.texts for one in authored.columns if one.kind == "text"}
    if texts:
        details["texts"] = texts
    beside = {} if model.vocabulary is None else _text(called, model.vocabulary)
    if beside:
        terms, program = (sealed_entry(name, content) for name, content in beside.items())
        details["text"] = {"terms": terms, "tokeniser": program}
    if model.feature_names != shown(model.feature_names):
        details["feature_names"] = list(model.feature_names)
    if model.classes:
        details["classes"] = list(model.classes)
    description = {
        "name": called,
        "version": saved_by,
        "kind": KIND,
        "question": f"What does the {part.described} of {clipped(name)} say?",
        "lookback_bars": 1,
        "rows": 1,
        "features": [{"name": feature} for feature in shown(model.feature_names)],
        "inputs": [asdict(array) for array in authored.inputs],
        "outputs": [asdict(array) for array in authored.outputs],
        "provenance": {
            "file": name,
            "sha256": legacy.sha256,
            "size_bytes": legacy.size_bytes,
            "key": revived.key,
            "class": part.described,
            "saved_by": saved_by,
        },
        "takes_missing": model.takes_missing,
        "details": details,
    }
    data = finish(authored.graph, called, authored.inputs, authored.outputs, description)
    # A forest's is as large as its file, and the proof opens it a second time.
    authored = replace(authored, graph=onnx.ModelProto())
    if len(data) > MAX_ARTIFACT_BYTES:
        raise OversizedModelError(
            f"its artifact has {len(data)} bytes, allowed are {MAX_ARTIFACT_BYTES}"
        )
    entry = {
        **description,
        **sealed_entry(f"{called}.onnx", data),
        "ir_version": IR_VERSION,
        "opset": OPSET,
        "training": [],
        "judgements": [],
        "warnings": list(model.warnings),
    }
    entry["checks"] = prove(part, authored, oracle, parse_model(entry), data)
    return Artifact(entry, data, model.warnings, beside)


def _text(called: str, vocabulary: Mapping[str, Any]) -> dict[str, bytes]:
    """What is written beside the artifact of a text model: its terms, and what counts them."""
    terms = json.dumps(vocabulary, ensure_ascii=False, sort_keys=True)
    return {f"{called}.terms.json": terms.encode("utf-8"), TOKENISER: program()}


@cache
def program() -> bytes:
    """Return what counts the terms of documents, as it lies beside the artifact of a text model."""
    return Path(tokeniser.__file__).read_bytes().replace(b"\r\n", b"\n")


def fit(name: str) -> str:
    """A name that every file system takes."""
    fit = _UNFIT.sub("_", name).strip(".-")[:_NAME_CHARACTERS] or "model"
    try:
        return entries.plain_file_name(f"{fit}.onnx").removesuffix(".onnx")
    except ValueError:
        # Some systems open a device by such a name.
        return f"model-{fit}"


def unique(name: str, taken: set[str]) -> str:
    """Return a name that is not taken yet, and take it."""
    chosen, number = name, 2
    while chosen.casefold() in taken:
        chosen, number = f"{name}-{number}", number + 1
    taken.add(chosen.casefold())
    return chosen
