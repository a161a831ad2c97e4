"""One old file: read, converted, proven, and if it is refused, looked at again."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import onnx

from aegismatrix.artifacts import fields as entries
from aegismatrix.artifacts.manifest import MAX_ARTIFACT_BYTES, parse_model, parse_strict_json
from aegismatrix.artifacts.operators import IR_VERSION, OPSET
from aegismatrix.errors import AegisError
from aegismatrix_factory.conversion import ForbiddenGraphError, finish
from aegismatrix_factory.rescue import tokeniser
from aegismatrix_factory.rescue.converting.checks import prove
from aegismatrix_factory.rescue.converting.errors import (
    DescriptionError,
    DescriptionNeededError,
    OversizedModelError,
    UnacceptableGraphError,
)
from aegismatrix_factory.rescue.converting.family import Model, Oracle
from aegismatrix_factory.rescue.converting.graphs import author, shown
from aegismatrix_factory.rescue.converting.networks import Beside, with_descriptions
from aegismatrix_factory.rescue.converting.parts import Revived, revive
from aegismatrix_factory.rescue.diagnosis import Diagnosis, diagnose
from aegismatrix_factory.rescue.reading.containers import TORCH, Legacy, read_bytes, read_file
from aegismatrix_factory.rescue.reading.errors import (
    ContainerError,
    LegacyError,
    UnreadableFileError,
    clipped,
)
from aegismatrix_factory.rescue.reading.limits import Clock, Limits
from aegismatrix_factory.rescue.reading.recognising import refuse_recognised
from aegismatrix_factory.rescue.reading.ubjson import read_ubjson
from aegismatrix_factory.rescue.refusals import fault_of, refusal_of
from aegismatrix_factory.rescue.verdicts import CONVERTED, OTHER, REFUSED, Artifact, Rescued
from aegismatrix_factory.sealing import sealed_entry

_LOG = logging.getLogger("aegismatrix.rescue")

KIND = "rescued"
DESCRIPTION = ".model.json"
"""After the whole name of a torch checkpoint, what describes its network."""

TEMPLATE = f"{DESCRIPTION}.template"
DESCRIPTIONS = (DESCRIPTION, TEMPLATE)
TOKENISER = "tokeniser.py"

_NAME_CHARACTERS = 80
_DESCRIPTION_BYTES = 2**24
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
        try:
            data = _read(task.file, task.old, limits)
            return _converted(task, data, limits, container)
        except (AegisError, MemoryError) as error:
            # Its frames hold all that was read, which is about to be read once more.
            error.__traceback__ = error.__context__ = error.__cause__ = None
            return _refused(task, data, container or None, error, limits)
    except Exception as error:  # noqa: BLE001 - it is this file's verdict, and the exit status says so
        _LOG.exception("a fault of this package ended the conversion of %s", task.name)
        return _faulty(task, data, container or None, error)


def _converted(task: Task, data: bytes, limits: Limits, container: dict[str, Any]) -> Rescued:
    """The verdict on a file that is converted; `container` is filled once it could be read."""
    assert task.base is not None
    taken = set(task.taken)
    legacy = read_bytes(data, limits)
    container.update(kind=legacy.kind, compression=legacy.compression, protocol=legacy.protocol)
    clock = Clock(limits.conversion_seconds)
    value, notes = legacy.value, legacy.notes
    if legacy.kind == TORCH:
        value = with_descriptions(value, _description(task))
    elif os.path.lexists(_beside(task)):
        notes = (*notes, f"{_beside(task).name} was not read: this is no checkpoint of torch")
    contents = revive(value, partial(read_ubjson, limits=limits), clock)
    artifacts = tuple(
        _artifact(revived, contents.oracle, legacy, task.name, task.base, taken, clock)
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
        notes=notes,
        described=", ".join(dict.fromkeys(str(source["class"]) for source in sources)),
        library=library,
        release=release,
        next_step=f"Open the new folder with aegismatrix.load_models and take {', '.join(names)}.",
    )


def _beside(task: Task) -> Path:
    """Where the description of a checkpoint is, if it has one."""
    return task.file.with_name(f"{task.file.name}{DESCRIPTION}")


def _description(task: Task) -> Beside | None:
    """What lies beside a checkpoint and describes it; None where nothing does."""
    file = _beside(task)
    if not os.path.lexists(file):
        return None
    data = _read(file, task.old, Limits(file_bytes=_DESCRIPTION_BYTES))
    try:
        content = parse_strict_json(data)
    except (ValueError, RecursionError) as error:
        raise DescriptionError(
            "what stands there", f"is no JSON ({clipped(str(error))})"
        ) from error
    return Beside(file.name, sha256(data).hexdigest(), content)


def _other(task: Task) -> Rescued:
    """The verdict on what is not called as a model file is; its first bytes may say what it is."""
    if task.file.name.casefold().endswith(DESCRIPTION):
        about = task.file.with_name(task.file.name[: -len(DESCRIPTION)])
        if os.path.lexists(about):
            return Rescued(task.name, OTHER, described=f"describes {about.name}")
        return Rescued(
            task.name,
            OTHER,
            described=f"describes {about.name}, which is not there",
            next_step="Name it after its checkpoint's whole name, the suffix with it.",
        )
    try:
        if task.file.is_file() and not task.file.is_symlink():
            refuse_recognised(head_of(task.file))
    except ContainerError as error:
        return Rescued(task.name, OTHER, described=error.found, next_step=error.remedy)
    return Rescued(task.name, OTHER)


def head_of(file: Path) -> bytes:
    """Return how a file begins; nothing where it cannot be read, since nobody asked for it."""
    try:
        with file.open("rb") as stream:
            return stream.read(_HEAD_BYTES)
    except OSError:
        return b""


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
    template = None
    layers = found.layers
    if isinstance(error, DescriptionNeededError):
        template, layers = (f"{task.base}{TEMPLATE}", error.template), error.layers
        about = f"{task.file.name}{DESCRIPTION}"
        step = (
            f"Fill in {template[0]} of the new folder, put it beside {task.file.name} as {about},"
            " and run again."
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
        layers=layers,
        template=template,
    )


def _faulty(
    task: Task, data: bytes | None, container: Mapping[str, Any] | None, error: Exception
) -> Rescued:
    """The verdict on a file whose conversion met a fault of this package; others are converted."""
    refusal = fault_of(error)
    return Rescued(
        task.name,
        REFUSED,
        None if data is None else sha256(data).hexdigest(),
        None if data is None else len(data),
        container=container,
        refusal=refusal,
        obstacles=(refusal,),
        next_step=refusal.remedy,
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
    revived: Revived,
    oracle: Oracle,
    legacy: Legacy,
    name: str,
    base: str,
    taken: set[str],
    clock: Clock,
) -> Artifact:
    part, model = revived.part, revived.part.model
    if max(len(model.feature_names), len(model.classes)) > _MOST_NAMES:
        raise OversizedModelError(f"it has more than {_MOST_NAMES} names")
    called = unique(fit(f"{base}-{revived.key}"), taken) if revived.key else base
    authored = author(part, clock)
    saved_by = f"{part.family.library} {part.version}".strip()
    details = dict(model.details)
    texts = {one.name: one.texts for one in authored.columns if one.kind == "text"}
    if texts:
        details["texts"] = texts
    beside, told = _counting(called, model)
    if told:
        details["text"] = told
    if model.feature_names != shown(model.feature_names):
        details["feature_names"] = list(model.feature_names)
    if model.questions:
        details["classes"] = [list(one) for one in model.questions]
    elif model.classes:
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
    clock.check()
    try:
        data = finish(authored.graph, called, authored.inputs, authored.outputs, description)
    except ForbiddenGraphError as error:
        raise UnacceptableGraphError(error.found) from error
    clock.check()
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


def _counting(called: str, model: Model) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Files that count the terms of a model's texts, and what the manifest says of them."""
    beside: dict[str, bytes] = {}

    def sealed(file: str, content: bytes) -> dict[str, Any]:
        beside[file] = content
        return sealed_entry(file, content)

    told: dict[str, Any] = {}
    if model.vocabulary is not None:
        told["terms"] = sealed(f"{called}.terms.json", _terms(model.vocabulary))
    elif model.documents:
        told["documents"] = [
            {
                "column": one.column,
                "begin": one.begin,
                "terms": sealed(f"{called}.{place}.terms.json", _terms(one.vocabulary)),
            }
            for place, one in enumerate(model.documents)
        ]
    if told:
        told["tokeniser"] = sealed(TOKENISER, program())
    return beside, told


def _terms(vocabulary: Mapping[str, Any]) -> bytes:
    """What is written beside the artifact of a text model, to count its terms."""
    return json.dumps(vocabulary, ensure_ascii=False, sort_keys=True).encode("utf-8")


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
