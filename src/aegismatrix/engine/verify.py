"""Verify a folder of artifacts: bytes, sessions, contracts and, where trusted, golden values."""

from __future__ import annotations

import os
from collections.abc import Mapping

from aegismatrix import errors
from aegismatrix.artifacts.forecasts import read_forecasts
from aegismatrix.artifacts.golden import GoldenCase, check_golden, read_golden
from aegismatrix.artifacts.manifest import (
    CARD_KEY,
    ENGINE_NAME,
    FORECASTS_KEY,
    GOLDEN_KEY,
    REPORT_KEY,
    WALKFORWARD_KEY,
    Manifest,
    is_here,
    read_attachment,
    read_manifest,
    unlisted_files,
)
from aegismatrix.engine.model import load_model
from aegismatrix.errors import AegisError, ArgumentError, shown
from aegismatrix.records import dataclass


@dataclass(frozen=True)
class Finding:
    """One check of `verify` that failed.

    Attributes
    ----------
    artifact : str
        Name of the artifact, or ``manifest``.
    error : AegisError
        What is wrong, and the remedy.

    Examples
    --------
    >>> import aegismatrix as am
    >>> (finding,) = am.verify("no_such_folder")
    >>> finding.artifact, type(finding.error).__name__
    ('manifest', 'ArtifactsNotFoundError')
    """

    artifact: str
    error: AegisError

    def __str__(self) -> str:
        return f"{self.artifact}: {self.error}"


def verify(
    path: str | os.PathLike[str] | None = None, *, golden: bool | None = None
) -> list[Finding]:
    """Check every artifact of a folder: bytes, session, contract and, if trusted, golden values.

    The list of findings is empty when all is well.

    Parameters
    ----------
    path : path-like, optional
        A folder of artifacts; by default the bundled one.
    golden : bool, optional
        Whether to run the golden values, where they are sealed: whether this environment computes
        the same numbers. To run a graph is to trust who sealed it, so that by default only the
        bundled ones are run.

    Examples
    --------
    >>> import aegismatrix as am
    >>> am.verify()
    []
    """
    if golden is not None and not isinstance(golden, bool):
        raise ArgumentError("golden", shown(golden), remedy="Give True or False, or leave it out.")
    try:
        manifest = read_manifest(path)
    except AegisError as error:
        return [Finding("manifest", error)]
    return verify_manifest(manifest, golden=path is None if golden is None else golden)


def verify_manifest(manifest: Manifest, *, golden: bool, all_kinds: bool = False) -> list[Finding]:
    """Check every file that a verified manifest names, and that there is no other model.

    With `all_kinds`, that there is no other file of any kind.
    """
    findings, of_attachments = [], []
    cases: Mapping[str, GoldenCase] = {}
    for key in (WALKFORWARD_KEY, REPORT_KEY, CARD_KEY):
        try:
            read_attachment(manifest, key)
        except AegisError as error:
            of_attachments.append(Finding(key, error))
    if is_here(manifest, FORECASTS_KEY):
        try:
            read_forecasts(manifest)
        except AegisError as error:
            of_attachments.append(Finding(FORECASTS_KEY, error))
    try:
        cases = read_golden(manifest) or {}
    except AegisError as error:
        of_attachments.append(Finding(GOLDEN_KEY, error))
    for name in manifest.models:
        try:
            model = load_model(manifest, name)
            if golden and name in cases:
                check_golden(model, cases[name])
        except AegisError as error:
            findings.append(Finding(name, error))
    unlisted = [
        Finding(os.path.basename(error.path), error)  # noqa: PTH119
        for error in unlisted_files(manifest, all_kinds=all_kinds)
    ]
    return [*findings, *_unsealed(manifest), *of_attachments, *unlisted]


def _unsealed(manifest: Manifest) -> list[Finding]:
    """Models that are fused and not sealed: they have neither base rate nor judgement."""
    engine = manifest.models.get(ENGINE_NAME)
    if engine is None:
        return []
    sealed = {name for name, model in manifest.models.items() if model.kind == "head"}
    return [
        Finding(
            ENGINE_NAME,
            errors.ArtifactRejectedError(
                str(manifest.folder / engine.file),
                f"it gives {array.name}, of which the manifest seals no model: no base rate and no"
                " judgement",
            ),
        )
        for array in engine.outputs
        if array.unit == "probability" and array.name not in sealed
    ]
