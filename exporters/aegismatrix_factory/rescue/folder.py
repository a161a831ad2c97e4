"""Rescue: a folder of legacy model files to sealed ONNX artifacts, with a verdict per file.

Nothing is unpickled: files are read as inert records (`rescue.reading`), turned into parameters and
those into graphs (`rescue.converting`), and each graph is held against an evaluation of the same
parameters before it is written.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import onnx

import aegismatrix
from aegismatrix.artifacts.manifest import (
    MANIFEST_NAME,
    MANIFEST_VERSION,
    MAX_ARTIFACTS,
    MAX_FOLDER_BYTES,
    REPORT_KEY,
    read_attachment,
    read_manifest,
    render_manifest,
)
from aegismatrix.errors import AegisError
from aegismatrix_factory.rescue.reading.bare import library_of
from aegismatrix_factory.rescue.reading.limits import Limits
from aegismatrix_factory.rescue.single import DESCRIPTIONS, Task, fit, head_of, unique
from aegismatrix_factory.rescue.verdicts import OTHER, VERDICTS, Rescued
from aegismatrix_factory.rescue.workers import converting
from aegismatrix_factory.sealing import sealed_entry, sealed_folder

REPORT_NAME = "report.json"
REPORT_VERSION = 2
"""2: what a file is, all that stands in its way, and the next step."""

MODEL_SUFFIXES = frozenset(
    {
        *(".pkl", ".pickle", ".p", ".joblib", ".sav", ".pt", ".pth", ".bin"),
        *(".model", ".ubj", ".cbm"),
    }
)
"""Of what is called so there is a verdict; of another file there is one if it is a bare model."""


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


def rescue(
    old: Path,
    new: Path,
    limits: Limits | None = None,
    report: Callable[[Rescued], object] | None = None,
    *,
    jobs: int = 0,
    expect: Callable[[int], object] | None = None,
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
        Called with each file's verdict, in the order of the names.
    jobs : int, optional
        As many files are converted at once, each job in a process of its own, so that a file that
        ends its process is refused and the others are not. With 0 all are converted in this one.
        The result is the same.
    expect : callable, optional
        Called with how many files there are, before the first.

    Returns
    -------
    tuple of Rescued
        By file name. That a file is refused is no error.

    Raises
    ------
    RescueFolderError
        If a folder cannot be used: `old` must hold a model file and no more of them than one
        manifest seals, `new` must be absent, empty or of an earlier rescue.
    OutputError
        If the disk refuses. `new` stays as it was then.
    """
    limits = limits or Limits()
    old, new = _checked(old, new)
    verdicts: list[Rescued] = []
    tasks = _tasks(old)
    _countable(old, tasks)
    if expect is not None:
        expect(len(tasks))
    with sealed_folder(new) as fresh, converting(tasks, limits, jobs) as (converted, again):
        taken: set[str] = set()
        models = size_bytes = 0
        for task, verdict in zip(tasks, converted, strict=True):
            if not taken.isdisjoint(_names(verdict)):
                # Two files may have come upon one name, each for itself.
                verdict = again(replace(task, taken=task.taken | taken))
            taken |= _names(verdict)
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
            if verdict.requirements is not None:
                name_beside, needed = verdict.requirements
                (fresh / name_beside).write_text(needed, encoding="utf-8", newline="\n")
            if verdict.template is not None:
                name_beside, draft = verdict.template
                (fresh / name_beside).write_text(draft, encoding="utf-8", newline="\n")
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


def _countable(old: Path, tasks: Sequence[Task]) -> None:
    """Refuse more model files than one manifest seals before the first is converted."""
    count = sum(task.base is not None for task in tasks)
    if count > MAX_ARTIFACTS:
        raise RescueFolderError(
            str(old),
            f"it holds {count:,} model files, and one manifest seals {MAX_ARTIFACTS:,} artifacts",
            remedy=f"Split it: put at most {MAX_ARTIFACTS:,} of them in a folder, and rescue each"
            " folder to a new one of its own.",
        )


def _written_by_a_rescue(folder: Path) -> set[str] | None:
    """The names of the files in a folder that an earlier rescue wrote; None if it is no such."""
    try:
        manifest = read_manifest(folder)
        report = read_attachment(manifest, REPORT_KEY)
    except AegisError:
        return None
    if report is None:
        return None
    files = {model.file for model in manifest.models.values()}
    files |= {name for entry in manifest.content["artifacts"] for name in _beside(entry)}
    for key in ("requirements", "template"):
        files |= {name for one in _listed(report) if (name := one.get(key))}
    return {MANIFEST_NAME, REPORT_NAME, *files}


def _listed(report: bytes) -> list[dict[str, Any]]:
    files: list[dict[str, Any]] = json.loads(report).get("files", [])
    return files


def _beside(entry: Mapping[str, Any]) -> list[str]:
    """The names of the files that lie beside an artifact."""
    told = entry.get("details", {}).get("text", {})
    sealed = [told[key] for key in ("terms", "tokeniser") if key in told]
    sealed += [one["terms"] for one in told.get("documents", ())]
    return [str(one["file"]) for one in sealed]


def _tasks(old: Path) -> tuple[Task, ...]:
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
    taken = frozenset(base.casefold() for base in names.values())
    return tuple(Task(file, _shown(name), names.get(name), old, taken) for name, file in found)


def _names(verdict: Rescued) -> set[str]:
    return {str(artifact.entry["name"]).casefold() for artifact in verdict.artifacts}


def _bases(names: Sequence[str]) -> dict[str, str]:
    """What to call the artifact of each file: the least of its path that tells it from others."""
    chosen: dict[str, str] = {}
    for shorten in (
        lambda path: path.stem,
        lambda path: "-".join((*path.parts[:-1], path.stem)),
        lambda path: "-".join(path.parts),
    ):
        called = {name: fit(shorten(PurePosixPath(name))) for name in names}
        counts = Counter(one.casefold() for one in called.values())
        for name, one in called.items():
            if counts[one.casefold()] == 1:
                chosen.setdefault(name, one)
    taken = {one.casefold() for one in chosen.values()}
    return {name: chosen[name] if name in chosen else unique(fit(name), taken) for name in names}


def _is_model(file: Path) -> bool:
    if file.name.casefold().endswith(DESCRIPTIONS):
        return False
    suffixes = {suffix.lower() for suffix in file.suffixes}
    if not suffixes.isdisjoint(MODEL_SUFFIXES):
        return True
    if file.is_symlink():
        return file.is_dir()
    return file.is_file() and library_of(head_of(file)) is not None


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


def _shown(name: str) -> str:
    """A file's name as text that every reader of JSON takes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
