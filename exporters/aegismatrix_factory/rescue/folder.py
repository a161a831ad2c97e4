"""Rescue: a folder of legacy model files to sealed ONNX artifacts, with a verdict per file.

Nothing is unpickled: files are read as inert records (`rescue.reading`), turned into parameters and
those into graphs (`rescue.converting`), and each graph is held against an evaluation of the same
parameters before it is written.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
import onnx

import aegismatrix
from aegismatrix.artifacts import fields as entries
from aegismatrix.artifacts.manifest import (
    MANIFEST_NAME,
    MANIFEST_VERSION,
    MAX_ARTIFACT_BYTES,
    MAX_ARTIFACTS,
    MAX_FOLDER_BYTES,
    REPORT_KEY,
    parse_model,
    read_attachment,
    read_manifest,
    render_manifest,
)
from aegismatrix.artifacts.operators import IR_VERSION, OPSET
from aegismatrix.errors import AegisError
from aegismatrix_factory.conversion import finish
from aegismatrix_factory.rescue import tokeniser
from aegismatrix_factory.rescue.converting.checks import prove
from aegismatrix_factory.rescue.converting.errors import OversizedModelError
from aegismatrix_factory.rescue.converting.family import Oracle
from aegismatrix_factory.rescue.converting.graphs import author, shown
from aegismatrix_factory.rescue.converting.parts import Revived, revive
from aegismatrix_factory.rescue.reading.containers import Legacy, read_bytes, read_file
from aegismatrix_factory.rescue.reading.errors import LegacyError, UnreadableFileError, clipped
from aegismatrix_factory.rescue.reading.limits import Limits
from aegismatrix_factory.rescue.reading.ubjson import read_ubjson
from aegismatrix_factory.sealing import sealed_entry, sealed_folder

REPORT_NAME = "report.json"
REPORT_VERSION = 1
"""1: the first format."""

KIND = "rescued"
TOKENISER = "tokeniser.py"
MODEL_SUFFIXES = frozenset({".pkl", ".pickle", ".p", ".joblib", ".sav", ".pt", ".pth", ".bin"})

CONVERTED: Literal["converted"] = "converted"
REFUSED: Literal["refused"] = "refused"
OTHER: Literal["not a model file"] = "not a model file"
VERDICTS = (CONVERTED, REFUSED, OTHER)

_NAME_CHARACTERS = 80
_MOST_NAMES = 10_000
_UNFIT = re.compile(r"[^A-Za-z0-9_.-]+")


class RescueFolderError(AegisError):
    """The folders of a rescue cannot be used.

    Attributes
    ----------
    path : str
        Which one.
    """

    def __init__(self, path: str, reason: str, *, remedy: str) -> None:
        self.path = path
        super().__init__(f"{path} cannot be used: {reason}.", remedy=remedy)


class LinkError(LegacyError):
    """The file is a link that leads out of the folder, or to a folder."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            reason, code="link", remedy="Put the file itself into the folder, if you want it there."
        )


@dataclass(frozen=True)
class Refusal:
    """Why a file was refused.

    Attributes
    ----------
    code : str
        A short stable name of the kind of refusal.
    reason : str
        What is wrong, without the file's name.
    remedy : str
        What to do about it.
    """

    code: str
    reason: str
    remedy: str


@dataclass(frozen=True)
class Artifact:
    """One artifact out of a legacy file.

    Attributes
    ----------
    entry : dict
        Its entry in the manifest.
    data : bytes
        The file's content.
    warnings : tuple of str
        What whoever uses it should know.
    beside : mapping of str to bytes
        Files that lie beside it, by name; its entry holds their hashes.
    """

    entry: Mapping[str, Any]
    data: bytes
    warnings: tuple[str, ...]
    beside: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def size_bytes(self) -> int:
        """Of all its files."""
        return len(self.data) + sum(len(content) for content in self.beside.values())


@dataclass(frozen=True)
class Rescued:
    """The verdict on one file.

    Attributes
    ----------
    file : str
        Its path in the old folder, with slashes.
    verdict : {'converted', 'refused', 'not a model file'}
    sha256 : str or None
        Of the file; None where it was not read.
    size_bytes : int or None
        Of the file.
    container : dict or None
        kind, compression and protocol, where it could be read.
    refusal : Refusal or None
        Why, if it was refused.
    artifacts : tuple of Artifact
        What it became; at least one if it was converted.
    carried : dict
        Plain values beside the models, by key.
    left_out : tuple of str
        Keys of what is neither a model nor a plain value.
    notes : tuple of str
        What was read otherwise than it stands there.
    """

    file: str
    verdict: Literal["converted", "refused", "not a model file"]
    sha256: str | None = None
    size_bytes: int | None = None
    container: Mapping[str, Any] | None = None
    refusal: Refusal | None = None
    artifacts: tuple[Artifact, ...] = ()
    carried: Mapping[str, Any] | None = None
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What whoever uses its artifacts should know, each once."""
        return tuple(
            dict.fromkeys(warning for artifact in self.artifacts for warning in artifact.warnings)
        )

    def to_dict(self) -> dict[str, Any]:
        """Return it as the report has it."""
        return {
            "file": self.file,
            "verdict": self.verdict,
            "sha256": self.sha256,
            "size_bytes": self.size_bytes,
            "container": self.container,
            "refusal": None if self.refusal is None else asdict(self.refusal),
            "warnings": list(self.warnings),
            "notes": list(self.notes),
            "carried": self.carried or {},
            "left_out": list(self.left_out),
            "artifacts": [dict(artifact.entry) for artifact in self.artifacts],
        }


def rescue(
    old: Path,
    new: Path,
    limits: Limits | None = None,
    report: Callable[[Rescued], object] | None = None,
) -> tuple[Rescued, ...]:
    """Convert what can be converted of a folder, and seal it: all or nothing.

    Parameters
    ----------
    old : Path
        The folder of legacy files, with its folders. Nothing in it is written to.
    new : Path
        The folder to write, in one step: the artifacts, ``manifest.json`` and ``report.json``.
    limits : Limits, optional
        What one file may cost to read.
    report : callable, optional
        Called with each file's verdict as it is found.

    Returns
    -------
    tuple of Rescued
        By file name. That a file is refused is no error.

    Raises
    ------
    RescueFolderError
        If a folder cannot be used: `old` must hold a model file, `new` must be absent, empty or of
        an earlier rescue.
    OutputError
        If the disk refuses. `new` stays as it was then.
    """
    limits = limits or Limits()
    old, new = _checked(old, new)
    verdicts: list[Rescued] = []
    with sealed_folder(new) as fresh:
        taken: set[str] = set()
        models = size_bytes = 0
        for file, name, base in _files(old):
            verdict = _rescued(file, name, base, old, limits, taken)
            models += len(verdict.artifacts)
            size_bytes += sum(artifact.size_bytes for artifact in verdict.artifacts)
            if models > MAX_ARTIFACTS or size_bytes > MAX_FOLDER_BYTES:
                raise RescueFolderError(
                    str(old),
                    f"its models are more than {MAX_ARTIFACTS}, or than {MAX_FOLDER_BYTES} bytes"
                    " of artifacts",
                    remedy="Split it: one manifest seals no more.",
                )
            for artifact in verdict.artifacts:
                (fresh / str(artifact.entry["file"])).write_bytes(artifact.data)
                for name_beside, content in artifact.beside.items():
                    (fresh / name_beside).write_bytes(content)
            verdicts.append(verdict)
            if report is not None:
                report(verdict)
        found = tuple(verdicts)
        if all(one.verdict == OTHER for one in found):
            raise RescueFolderError(
                str(old), "there is no model file in it", remedy="Give the folder that holds some."
            )
        written = render_report(found, limits)
        (fresh / REPORT_NAME).write_bytes(written)
        (fresh / MANIFEST_NAME).write_bytes(render_manifest(_manifest(found, written)))
        read_manifest(fresh)
    return found


def render_report(verdicts: Sequence[Rescued], limits: Limits) -> bytes:
    """Return the report: strict JSON, the same for the same files on the same machine.

    Parameters
    ----------
    verdicts : sequence of Rescued
        All files.
    limits : Limits
        What each might cost.

    Returns
    -------
    bytes
        Its fields are in docs/rescue.md.
    """
    content = {
        "report_version": REPORT_VERSION,
        "made_with": _made_with(),
        "limits": asdict(limits),
        "counts": {
            verdict: sum(one.verdict == verdict for one in verdicts) for verdict in VERDICTS
        },
        "files": [one.to_dict() for one in verdicts],
    }
    text = json.dumps(content, sort_keys=True, allow_nan=False, ensure_ascii=True, indent=1)
    return (text + "\n").encode("ascii")


def _checked(old: Path, new: Path) -> tuple[Path, Path]:
    try:
        old, new = old.resolve(strict=True), new.resolve()
        if not old.is_dir():
            raise RescueFolderError(
                str(old), "it is no folder", remedy="Give the folder that holds the legacy files."
            )
    except OSError as error:
        raise RescueFolderError(
            str(old),
            error.strerror or str(error),
            remedy="Give the folder that holds the legacy files.",
        ) from error
    if old == new or old in new.parents or new in old.parents:
        raise RescueFolderError(
            str(new),
            "one of the folders is inside of the other, and the old one is never written to",
            remedy="Give a new folder elsewhere.",
        )
    try:
        held = {entry.name for entry in new.iterdir()} if new.exists() else set()
    except OSError as error:
        raise RescueFolderError(
            str(new), error.strerror or str(error), remedy="Give another folder."
        ) from error
    if held and held != _written_by_a_rescue(new):
        raise RescueFolderError(
            str(new),
            "it holds what no rescue wrote",
            remedy="Give a new folder; what is there is untouched.",
        )
    return old, new


def _written_by_a_rescue(folder: Path) -> set[str] | None:
    """The names of the files in a folder that an earlier rescue wrote; None if it is no such."""
    try:
        manifest = read_manifest(folder)
        read_attachment(manifest, REPORT_KEY)
    except AegisError:
        return None
    if REPORT_KEY not in manifest.attachments:
        return None
    files = {model.file for model in manifest.models.values()}
    files |= {name for entry in manifest.content["artifacts"] for name in _beside(entry)}
    return {MANIFEST_NAME, REPORT_NAME, *files}


def _beside(entry: Mapping[str, Any]) -> list[str]:
    """The names of the files that lie beside an artifact."""
    told = entry.get("details", {}).get("text", {})
    return [str(told[key]["file"]) for key in ("terms", "tokeniser") if key in told]


def _text(called: str, vocabulary: Mapping[str, Any]) -> dict[str, bytes]:
    """What is written beside the artifact of a text model: its terms, and what counts them."""
    terms = json.dumps(vocabulary, ensure_ascii=False, sort_keys=True)
    program = Path(tokeniser.__file__).read_bytes().replace(b"\r\n", b"\n")
    return {f"{called}.terms.json": terms.encode("utf-8"), TOKENISER: program}


def _files(old: Path) -> Iterator[tuple[Path, str, str | None]]:
    """Every file, with its name in the folder and, for a model file, what to call its artifact."""
    found: list[tuple[str, Path]] = []

    def fail(error: OSError) -> None:
        raise RescueFolderError(
            str(error.filename), error.strerror or str(error), remedy="Make it readable."
        ) from error

    for folder, folders, files in os.walk(old, onerror=fail):
        here = Path(folder)
        links = [name for name in folders if (here / name).is_symlink()]
        found += [
            ((here / name).relative_to(old).as_posix(), here / name) for name in (*files, *links)
        ]
    found.sort()
    names = _bases([name for name, file in found if _is_model(file)])
    for name, file in found:
        yield file, _shown(name), names.get(name)


def _bases(names: Sequence[str]) -> dict[str, str]:
    """What to call the artifact of each file: the least of its path that tells it from others."""
    chosen: dict[str, str] = {}
    for shorten in (
        lambda path: path.stem,
        lambda path: "-".join((*path.parts[:-1], path.stem)),
        lambda path: "-".join(path.parts),
    ):
        called = {name: _fit(shorten(PurePosixPath(name))) for name in names}
        counts = Counter(one.casefold() for one in called.values())
        for name, one in called.items():
            if counts[one.casefold()] == 1:
                chosen.setdefault(name, one)
    return {name: chosen.get(name, _fit(name)) for name in names}


def _is_model(file: Path) -> bool:
    suffixes = {suffix.lower() for suffix in file.suffixes}
    return not suffixes.isdisjoint(MODEL_SUFFIXES) or (file.is_symlink() and file.is_dir())


def _rescued(
    file: Path, name: str, base: str | None, old: Path, limits: Limits, taken: set[str]
) -> Rescued:
    if base is None:
        return Rescued(name, OTHER)
    digest: str | None = None
    size: int | None = None
    container: Mapping[str, Any] | None = None
    mine = set(taken)
    try:
        data = _read(file, old, limits)
        digest, size = sha256(data).hexdigest(), len(data)
        legacy = read_bytes(data, limits)
        container = {
            "kind": legacy.kind,
            "compression": legacy.compression,
            "protocol": legacy.protocol,
        }
        contents = revive(legacy.value, partial(read_ubjson, limits=limits))
        artifacts = tuple(
            _artifact(revived, contents.oracle, legacy, name, base, mine)
            for revived in contents.models
        )
    except (AegisError, MemoryError) as error:
        return Rescued(name, REFUSED, digest, size, container=container, refusal=_refusal(error))
    taken |= mine
    return Rescued(
        name,
        CONVERTED,
        digest,
        size,
        container=container,
        artifacts=artifacts,
        carried=contents.carried,
        left_out=contents.left_out,
        notes=legacy.notes,
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
    called = _unique(_fit(f"{base}-{revived.key}") if revived.key else base, taken)
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


def _manifest(verdicts: Sequence[Rescued], report: bytes) -> dict[str, Any]:
    return {
        "manifest_version": MANIFEST_VERSION,
        "package_version": aegismatrix.__version__,
        "made_with": _made_with(),
        "artifacts": [artifact.entry for one in verdicts for artifact in one.artifacts],
        REPORT_KEY: sealed_entry(REPORT_NAME, report),
    }


def _made_with() -> dict[str, str]:
    return {
        "aegismatrix": aegismatrix.__version__,
        "numpy": np.__version__,
        "onnx": onnx.__version__,
    }


def _refusal(error: AegisError | MemoryError) -> Refusal:
    if isinstance(error, MemoryError):
        return Refusal(
            "limit-memory",
            "this machine's memory does not suffice to convert it",
            "Convert it on a larger machine.",
        )
    if isinstance(error, LegacyError):
        return Refusal(error.code, error.reason, error.remedy)
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", type(error).__name__.removesuffix("Error")).lower()
    return Refusal(name, error.problem.rstrip("."), error.remedy)


def _shown(name: str) -> str:
    """A file's name as text that every reader of JSON takes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _fit(name: str) -> str:
    """A name that every file system takes."""
    fit = _UNFIT.sub("_", name).strip(".-")[:_NAME_CHARACTERS] or "model"
    try:
        return entries.plain_file_name(f"{fit}.onnx").removesuffix(".onnx")
    except ValueError:
        # Some systems open a device by such a name.
        return f"model-{fit}"


def _unique(name: str, taken: set[str]) -> str:
    chosen, number = name, 2
    while chosen.casefold() in taken:
        chosen, number = f"{name}-{number}", number + 1
    taken.add(chosen.casefold())
    return chosen
