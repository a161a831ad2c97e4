"""The sealed artifacts: find them, hash them, read them, and what their manifest says.

A folder of artifacts holds ``manifest.json`` and the files that it names. The manifest seals the
sha256 and size of every file, and its own sha256; a file that is not byte for byte what was sealed
is never handed on.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

import numpy as np

from aegismatrix import errors
from aegismatrix.artifacts import fields as entries
from aegismatrix.errors import ArtifactError, shown
from aegismatrix.records import dataclass

MANIFEST_VERSION = 1
"""1: the first format."""

MANIFEST_NAME = "manifest.json"
SIGNATURE_NAME = "manifest.sig"
ENGINE_NAME = "engine"
WALKFORWARD_KEY = "walkforward"
"""The key, in the manifest, of the sealed losses of the walk-forward."""
FORECASTS_KEY = "forecasts"
"""The key, in the manifest, of the sealed forecasts of the walk-forward."""
GOLDEN_KEY = "golden"
"""The key, in the manifest, of the sealed golden values."""
QUICK_KEY = "quick"
"""Where a manifest says that its models were judged with few refits, and how many."""
REPORT_KEY = "report"
"""The key, in the manifest of rescued models, of the sealed verdicts on the old files."""
CARD_KEY = "card"
"""The key, in the manifest, of the sealed model card."""
RELEASE_KEY = "release"
"""Where a manifest says how many times artifacts were exported to its folder, this one included."""
TRAVELS_APART = frozenset({FORECASTS_KEY})
"""Attachments that may be missing from the folder: the wheel leaves them out for their size."""
MAX_ARTIFACT_BYTES = 128 * 1024 * 1024
"""What one sealed file may have."""
MAX_FOLDER_BYTES, MAX_ARTIFACTS = 256 * 1024 * 1024, 1024
"""What all models of a manifest may have together, and how many they may be."""

_MAX_MANIFEST_BYTES = 8 * 1024 * 1024
# Top-level keys are indented by one space, and strings hold no line ends, so this stands once.
_DIGEST = re.compile(rb'^ "digest": "([0-9a-f]*)",?$', re.MULTILINE)
# By letter, whether it opens or closes a container.
_IS_OPENER, _IS_CLOSER = (np.isin(np.arange(256), [*pair]) for pair in (b"[{", b"]}"))
_MODEL_SUFFIXES = (".onnx", ".ort", ".data", ".pb")
_KEEP_LINE_ENDS = (
    "Put the line `* -text` into .gitattributes beside the artifacts, or set"
    " `git config core.autocrlf false`. Then delete these files and check them out again."
)
# Opening a pipe waits for whoever writes to it.
_WITHOUT_WAITING = getattr(os, "O_NONBLOCK", 0)


@dataclass(frozen=True)
class ArraySpec:
    """One input or output of an artifact.

    `dtype` is numpy's name. A name in `shape` stands for a size that calls choose, equal names for
    equal sizes. The `unit` ``probability`` means within 0 and 1. `columns` are names along axis 1.
    `minimum` and `maximum` limit an input.
    """

    name: str
    dtype: str
    shape: tuple[int | str, ...]
    unit: str
    columns: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True)
class TrainingSpan:
    """What a model has seen of one market: its bars, by `Bars.digest`, and the feature rows.

    `first` and `last` are the bars that a feature or a label was made of, ISO 8601.
    """

    market: str
    first: str
    last: str
    rows: int
    sha256: str


@dataclass(frozen=True)
class FeatureRange:
    """Where a feature lay over the training rows of the market that is modelled, by deciles."""

    minimum: float
    maximum: float
    deciles: tuple[float, ...]


@dataclass(frozen=True)
class EventSpec:
    """What decides one column of a model, as the manifest says it; fields as those of `Event`."""

    kind: str
    horizon_days: int
    classes: tuple[int, ...]
    parameters: Mapping[str, float]


@dataclass(frozen=True)
class Meaning:
    """What one column of a model is, as its maker says it to a reader, and what decides it.

    `judged` is the output under which the walk-forward judged it.
    """

    wording: str
    judged: str
    event: EventSpec | None


@dataclass(frozen=True, repr=False)
class ModelSpec:
    """What is sealed about one artifact.

    Attributes
    ----------
    name, version : str
        Name in the manifest, and version of the model.
    file, sha256 : str
        Its file in the folder, and the hash of that file's bytes.
    size_bytes : int
        Of the file.
    kind : {'features', 'head', 'optional', 'past', 'engine', 'rescued'}
        Bars to features, features to probabilities, the same with input that not everybody has, the
        same by fits of the past, all in one but what is optional, or a model of somebody else's
        that was converted and never judged.
    question : str
        What it answers, in a sentence.
    lookback_bars, rows : int
        Bars, and feature rows, that one row of output depends on.
    features : tuple of str
        Columns of ``features``, in order, for features and heads.
    inputs, outputs : tuple of ArraySpec
        The contract.
    training : tuple of TrainingSpan
        What it was trained on; empty where nothing was learnt.
    judgements : tuple of dict
        Walk-forward scores per output and market, as the exporters sealed them.
    base_rates : mapping of str to float
        How often each event happened on the market that was modelled, by column.
    stretches : tuple of (first, last)
        For a past: days that each fit speaks for, not having seen them.
    training_range : mapping of str to FeatureRange
        For features: by column; empty where that was not sealed.
    meanings : mapping of str to Meaning
        By column, what the maker of a model says of it; empty for models that the package knows.

    Examples
    --------
    >>> import aegismatrix as am
    >>> trap = next(spec for spec in am.list_models() if spec.name == "trap")
    >>> trap.question
    'Will realised volatility over the next 5, 10, 20 trading days exceed implied?'
    """

    name: str
    version: str
    file: str
    sha256: str
    size_bytes: int
    kind: str
    question: str
    lookback_bars: int
    rows: int
    features: tuple[str, ...]
    inputs: tuple[ArraySpec, ...]
    outputs: tuple[ArraySpec, ...]
    training: tuple[TrainingSpan, ...]
    judgements: tuple[Mapping[str, Any], ...]
    base_rates: Mapping[str, float]
    stretches: tuple[tuple[str, str], ...]
    training_range: Mapping[str, FeatureRange]
    meanings: Mapping[str, Meaning] = field(default_factory=dict)

    def own_judgements(self) -> tuple[Mapping[str, Any], ...]:
        """Return the judgements on the market that was modelled: the first one trained on.

        Examples
        --------
        >>> import aegismatrix as am
        >>> trap = next(spec for spec in am.list_models() if spec.name == "trap")
        >>> [one["output"] for one in trap.own_judgements()]
        ['trap_5', 'trap_10', 'trap_20']
        """
        return tuple(
            judgement
            for judgement in self.judgements
            if self.training and judgement["market"] == self.training[0].market
        )

    def __repr__(self) -> str:
        verdicts = ", ".join(
            f"{one['output']} on {one['market']} {one['verdict']}" for one in self.judgements
        )
        return f"ModelSpec({self.name} {self.version}, {self.kind}{verdicts and ': ' + verdicts})"


@dataclass(frozen=True)
class SealedFile:
    """An attachment: a file that is sealed with the models and that no model needs."""

    file: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Manifest:
    """A verified manifest.

    Attributes
    ----------
    folder : Path
        Where it and its artifacts are.
    digest : str
        sha256 of its canonical content: names this set of artifacts.
    models : mapping of str to ModelSpec
        By name, in sealed order.
    content : dict
        All that the file says.
    attachments : mapping of str to SealedFile
        What is sealed besides the models, by `WALKFORWARD_KEY`, `FORECASTS_KEY`, `GOLDEN_KEY`,
        `REPORT_KEY` and `CARD_KEY`; without those that were not sealed. Not read until asked for.
    sha256 : str
        Of the file's bytes as they were read: what a signature is held against.
    release : int
        How many times artifacts were exported to this folder, this one included; 0 where nobody
        counted. It never falls.

    Examples
    --------
    >>> import aegismatrix as am
    >>> manifest = am.Engine().manifest
    >>> manifest.market, manifest.is_quick, list(manifest.models)[:2]
    ('nifty', False, ['features', 'trap'])
    """

    folder: Path
    digest: str
    models: Mapping[str, ModelSpec]
    content: Mapping[str, Any]
    attachments: Mapping[str, SealedFile]
    sha256: str
    release: int = 0

    @property
    def is_quick(self) -> bool:
        """Whether the models were judged with too few refits for a judgement to rely on."""
        return self.content.get(QUICK_KEY) is not None

    def model(self, name: str) -> ModelSpec:
        """Return what is sealed about one artifact.

        Parameters
        ----------
        name : str
            One of `models`.

        Raises
        ------
        UnknownModelError
            If it is none of them.

        Examples
        --------
        >>> import aegismatrix as am
        >>> am.Engine().manifest.model("trap").file
        'trap.onnx'
        """
        if not isinstance(name, str) or name not in self.models:
            name = name if type(name) is str else shown(name)
            raise errors.UnknownModelError(name, known=tuple(self.models), path=str(self.folder))
        return self.models[name]

    @property
    def market(self) -> str | None:
        """The market that is modelled, by name; None where nothing was trained."""
        spans = (span for spec in self.models.values() for span in spec.training)
        return next((span.market for span in spans), None)


def past_of(head: str) -> str:
    """Return the name of the artifact with a head's fits that speak for the past."""
    return f"{head}_past"


def find_artifacts(path: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder that is given, or the bundled one; in a checkout that is beside ``src``."""
    here = Path(__file__).resolve()
    try:
        candidates = (
            [Path(path)]
            if path is not None
            else [here.parents[1] / "models_onnx", here.parents[3] / "models_onnx"]
        )
    except Exception as error:
        # Whatever says that it is a path may fail to give it.
        raise errors.ArtifactsNotFoundError(shown(path)) from error
    for folder in candidates:
        # Not Path.is_file, which raises on a path that is too long or in a closed folder.
        if os.path.isfile(folder / MANIFEST_NAME):  # noqa: PTH113
            return folder
    raise errors.ArtifactsNotFoundError(str(candidates[0]))


def render_manifest(content: Mapping[str, Any]) -> bytes:
    """Return a manifest's content as the file that is sealed: sorted, indented strict JSON.

    Its digest is the sha256 of these bytes with the digest left out between its quotes.
    """
    text = json.dumps(
        {**content, "digest": ""}, sort_keys=True, allow_nan=False, ensure_ascii=True, indent=1
    )
    blank = (text + "\n").encode("ascii")
    (place,) = _DIGEST.finditer(blank)
    digest = hashlib.sha256(blank).hexdigest().encode("ascii")
    return blank[: place.start(1)] + digest + blank[place.end(1) :]


def is_canonical(data: bytes, content: Mapping[str, Any]) -> bool:
    """Whether bytes that were parsed as `content` are those that `render_manifest` gives.

    Without rendering them: before Python 3.13 that takes longer than all else that is done to a
    manifest. JSON without the indents is written and compared, then the indents are looked at: one
    space for each container that is open, and every container that is not empty on lines of its
    own. Strings hold no line ends, so each of those is of the form.
    """
    flat = json.dumps(
        content, sort_keys=True, allow_nan=False, ensure_ascii=True, separators=(",\n", ": ")
    )
    letters = np.frombuffer(data, dtype=np.uint8)
    ends = np.flatnonzero(letters == ord("\n"))
    if not len(ends) or ends[-1] != len(letters) - 1:
        return False
    starts = np.concatenate([[0], ends[:-1] + 1])
    solid = np.flatnonzero(letters != ord(" "))
    first = solid[np.searchsorted(solid, starts)]
    opens, closes = _IS_OPENER[letters[ends - 1]], _IS_CLOSER[letters[first]]
    depths = np.concatenate([[0], np.cumsum(opens)[:-1]]) - np.cumsum(closes)
    # A container that ends its line has to be empty, or to begin the line with what closes it.
    last = ends - 1 - (letters[ends - 1] == ord(","))
    inline = _IS_CLOSER[letters[last]] & (last > first) & ~_IS_OPENER[letters[last - 1]]
    if inline.any() or not np.array_equal(first - starts, depths):
        return False
    edges = np.zeros(len(letters) + 1, dtype=np.int8)
    edges[starts] += 1
    edges[first] -= 1
    kept = np.cumsum(edges[:-1], dtype=np.int8) == 0
    kept[ends[opens]] = False
    kept[ends[:-1][closes[1:]]] = False
    return bool(letters[kept].tobytes() == f"{flat}\n".encode("ascii"))


def read_manifest(path: str | os.PathLike[str] | None = None) -> Manifest:
    """Read and verify the manifest of a folder, as `find_artifacts` finds it."""
    folder = find_artifacts(path)
    file = folder / MANIFEST_NAME
    data = _read(file, _MAX_MANIFEST_BYTES)
    if len(data) > _MAX_MANIFEST_BYTES:
        raise errors.ManifestError(str(file), f"it is larger than {_MAX_MANIFEST_BYTES} bytes")
    try:
        content = parse_strict_json(data)
    except (ValueError, RecursionError) as error:
        reason = f"it is not JSON, or not strict ({error})"[:200]
        raise errors.ManifestError(str(file), reason) from error
    if not isinstance(content, dict) or "digest" not in content:
        raise errors.ManifestError(str(file), "it has no digest")
    digest = content.pop("digest")
    if not _is_genuine(data, digest):
        if _is_genuine(data.replace(b"\r\n", b"\n"), digest):
            raise errors.ManifestError(
                str(file), "every line end was changed to CRLF, as git does", remedy=_KEEP_LINE_ENDS
            )
        raise errors.ManifestError(str(file), "its content does not match its own digest")
    version = content.get("manifest_version")
    if type(version) is not int or version != MANIFEST_VERSION:
        raise errors.ManifestVersionError(str(file), version=version, supported=MANIFEST_VERSION)
    if not is_canonical(data, {**content, "digest": digest}):
        raise errors.ManifestError(
            str(file), "it is not in the one form that is accepted: sorted, indented by one, ASCII"
        )
    try:
        models = [parse_model(entry) for entry in content["artifacts"]]
        # Artifacts that were sealed before there were such files have none.
        attachments = {
            key: _parse_file(content[key])
            for key in (WALKFORWARD_KEY, FORECASTS_KEY, GOLDEN_KEY, REPORT_KEY, CARD_KEY)
            if content.get(key) is not None
        }
        release = entries.expect_int(content.get(RELEASE_KEY, 0))
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        reason = f"its entries are malformed ({error!a})"[:200]
        raise errors.ManifestError(str(file), reason) from error
    for key in ("name", "file"):
        if len({getattr(model, key) for model in models}) < len(models):
            raise errors.ManifestError(str(file), f"two of its entries have the same {key}")
    if len(models) > MAX_ARTIFACTS or sum(model.size_bytes for model in models) > MAX_FOLDER_BYTES:
        raise errors.ManifestError(
            str(file), f"it names more than {MAX_ARTIFACTS} files or {MAX_FOLDER_BYTES} bytes"
        )
    by_name = {model.name: model for model in models}
    sha256 = hashlib.sha256(data).hexdigest()
    return Manifest(folder, digest, by_name, content, attachments, sha256, release)


def read_artifact(manifest: Manifest, name: str) -> bytes:
    """Read one artifact into memory and verify those bytes."""
    spec = manifest.model(name)
    path = manifest.folder / spec.file
    # As much as the largest one has: a smaller one's file may hold its bytes.
    data = _read(path, max(model.size_bytes for model in manifest.models.values()))
    actual = hashlib.sha256(data).hexdigest()
    if actual == spec.sha256 and len(data) == spec.size_bytes:
        return data
    for other in manifest.models.values():
        if actual == other.sha256:
            raise errors.ArtifactHashError(
                str(path), expected=spec.sha256, actual=actual, holds=other.name
            )
    if len(data) != spec.size_bytes:
        raise errors.ArtifactSizeError(
            str(path), expected=spec.size_bytes, actual=min(len(data), spec.size_bytes + 1)
        )
    raise errors.ArtifactHashError(str(path), expected=spec.sha256, actual=actual)


def read_attachment(manifest: Manifest, key: str) -> bytes | None:
    """Read an attachment by its key and verify those bytes; None if it was not sealed."""
    sealed = manifest.attachments.get(key)
    if sealed is None:
        return None
    path = manifest.folder / sealed.file
    data = _read(path, sealed.size_bytes)
    if len(data) != sealed.size_bytes:
        raise errors.ArtifactSizeError(str(path), expected=sealed.size_bytes, actual=len(data))
    actual = hashlib.sha256(data).hexdigest()
    if actual != sealed.sha256:
        raise errors.ArtifactHashError(str(path), expected=sealed.sha256, actual=actual)
    return data


def is_here(manifest: Manifest, key: str) -> bool:
    """Whether the folder has an attachment at all, or may and does go without it."""
    sealed = manifest.attachments.get(key)
    # Not Path.exists, which raises on a path that is too long; a broken link is something.
    return sealed is not None and (
        key not in TRAVELS_APART or os.path.lexists(manifest.folder / sealed.file)
    )


def list_models(path: str | os.PathLike[str] | None = None) -> tuple[ModelSpec, ...]:
    """Say what is sealed about each model, without opening one.

    Parameters
    ----------
    path : path-like, optional
        A folder of artifacts; by default the bundled one.

    Raises
    ------
    ArtifactsNotFoundError, ManifestError, ManifestVersionError
        If there is no manifest, or not the one that was sealed, or of another version.

    Examples
    --------
    >>> import aegismatrix as am
    >>> [spec.name for spec in am.list_models()][:3]
    ['features', 'trap', 'regime']
    """
    return tuple(read_manifest(path).models.values())


def unlisted_files(manifest: Manifest, *, all_kinds: bool = False) -> tuple[ArtifactError, ...]:
    """Return an error for each model file in the folder that the manifest does not name.

    With `all_kinds`, for each file or folder of any kind: who was promised a signed folder reads
    what lies in it, too.
    """
    sealed = {spec.file for spec in manifest.models.values()}
    if all_kinds:
        sealed |= {one.file for one in manifest.attachments.values()}
        sealed |= {MANIFEST_NAME, SIGNATURE_NAME}
    try:
        files = sorted(manifest.folder.iterdir())
    except OSError as error:
        return (errors.MissingArtifactError(str(manifest.folder), error.strerror or str(error)),)
    return tuple(
        errors.UnlistedArtifactError(str(file))
        for file in files
        if (all_kinds or file.suffix.lower() in _MODEL_SUFFIXES) and file.name not in sealed
    )


def read_regular(path: str | os.PathLike[str], size_bytes: int) -> bytes:
    """Read a regular file, or the one that a link leads to; nothing that might wait or never end.

    One byte more than `size_bytes` is read: enough to tell that there is too much.
    """
    # Asked before it is opened, since a device may act on being opened; and after, since it may be
    # another file by then.
    if stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116
        with open(path, "rb", opener=_open_without_waiting) as file:
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                # A file of the kernel may have nothing to give, yet.
                return file.read(size_bytes + 1) or b""
    raise OSError(errno.EINVAL, "it is not a regular file")


def parse_strict_json(data: bytes) -> Any:
    """Read JSON that says one thing to every reader: no NaN, no infinity, each key once."""
    return json.loads(
        data, parse_constant=_reject_constant, object_pairs_hook=_reject_duplicate_keys
    )


def parse_model(entry: Mapping[str, Any]) -> ModelSpec:
    """Read one entry of a manifest; raise KeyError, TypeError or ValueError if it is malformed."""
    sealed = _parse_file(entry)
    spec = ModelSpec(
        name=entries.text(entry["name"]),
        version=entries.text(entry["version"]),
        file=sealed.file,
        sha256=sealed.sha256,
        size_bytes=sealed.size_bytes,
        kind=entries.text(entry["kind"]),
        question=entries.text(entry["question"]),
        lookback_bars=entries.expect_int(entry["lookback_bars"], least=1),
        rows=entries.expect_int(entry["rows"], least=1),
        features=tuple(entries.text(feature["name"]) for feature in entry["features"]),
        inputs=tuple(_array_spec(array) for array in entry["inputs"]),
        outputs=tuple(_array_spec(array) for array in entry["outputs"]),
        training=tuple(_training_span(span) for span in entry["training"]),
        judgements=tuple(entries.judgement(one) for one in entry["judgements"]),
        base_rates={
            entries.text(column): entries.number(rate)
            for column, rate in entry.get("base_rates", {}).items()
        },
        stretches=tuple(
            (entries.day(first), entries.day(last)) for first, last in entry.get("stretches", ())
        ),
        training_range={
            entries.text(name): _feature_range(entry["training_range"][name])
            for name in entry.get("training_range", ())
        },
        meanings={
            entries.text(column): _meaning(meaning)
            for column, meaning in entry.get("meanings", {}).items()
        },
    )
    if spec.kind == "past" and spec.training and not _speaks_for_the_past(spec):
        raise ValueError(f"{spec.name} has no rising stretches of one market's past")
    return spec


def _meaning(entry: Mapping[str, Any]) -> Meaning:
    event = entry["event"]
    return Meaning(
        wording=entries.text(entry["wording"]),
        judged=entries.text(entry["judged"]),
        event=None if event is None else _event(event),
    )


def _event(entry: Mapping[str, Any]) -> EventSpec:
    return EventSpec(
        kind=entries.text(entry["kind"]),
        horizon_days=entries.expect_int(entry["horizon_days"], least=1),
        classes=tuple(entries.expect_int(number) for number in entry["classes"]),
        parameters={
            entries.text(name): entries.number(value) for name, value in entry["parameters"].items()
        },
    )


def _speaks_for_the_past(spec: ModelSpec) -> bool:
    days = [day for stretch in spec.stretches for day in stretch]
    return len(spec.training) == 1 and bool(days) and days == sorted(days)


def _training_span(entry: Mapping[str, Any]) -> TrainingSpan:
    return TrainingSpan(
        market=entries.text(entry["market"]),
        first=entries.day(entry["first"]),
        last=entries.day(entry["last"]),
        rows=entries.expect_int(entry["rows"]),
        sha256=entries.sha256(entry["sha256"]),
    )


def _parse_file(entry: Mapping[str, Any]) -> SealedFile:
    file = entries.plain_file_name(entry["file"])
    size = entries.expect_int(entry["size_bytes"], least=1)
    if size > MAX_ARTIFACT_BYTES:
        raise ValueError(f"{file} is sealed with {size} bytes")
    return SealedFile(file, entries.sha256(entry["sha256"]), size)


def _read(path: Path, size_bytes: int) -> bytes:
    try:
        return read_regular(path, size_bytes)
    except OSError as error:
        raise errors.MissingArtifactError(str(path), error.strerror or str(error)) from error


def _open_without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | _WITHOUT_WAITING)


def _is_genuine(data: bytes, digest: object) -> bool:
    """Whether the bytes are those that were sealed: 1e-9 and 1E-9 are one number and two files.

    The line that is left out of the hash must be the key that is read: a line like it could stand
    further in, and another digest at the key.
    """
    places = list(_DIGEST.finditer(data))
    if len(places) != 1:
        return False
    start, end = places[0].span(1)
    sha256 = hashlib.sha256(data[:start] + data[end:]).hexdigest()
    return data[start:end] == sha256.encode("ascii") and digest == sha256


def _reject_duplicate_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A key that stands twice could say one thing to the digest and another to the reader."""
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("a key stands twice")
    return content


def _reject_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _array_spec(entry: Mapping[str, Any]) -> ArraySpec:
    least, most = entry["minimum"], entry["maximum"]
    return ArraySpec(
        name=entries.text(entry["name"]),
        dtype=entries.text(entry["dtype"]),
        shape=tuple(
            entries.text(size) if isinstance(size, str) else entries.expect_int(size)
            for size in entry["shape"]
        ),
        unit=entries.text(entry["unit"]),
        columns=tuple(entries.text(column) for column in entry["columns"]),
        minimum=None if least is None else entries.number(least),
        maximum=None if most is None else entries.number(most),
    )


def _feature_range(entry: Mapping[str, Any]) -> FeatureRange:
    deciles = tuple(entries.number(value) for value in entry["deciles"])
    points = (entries.number(entry["minimum"]), *deciles, entries.number(entry["maximum"]))
    if len(deciles) != 9 or list(points) != sorted(points):
        raise ValueError("a training range does not rise in nine deciles")
    return FeatureRange(points[0], points[-1], deciles)
