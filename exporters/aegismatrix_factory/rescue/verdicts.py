"""The verdict on one old file, and the artifacts that came out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from aegismatrix_factory.rescue.refusals import Refusal

Verdict = Literal["converted", "refused", "not a model file"]
CONVERTED: Literal["converted"] = "converted"
REFUSED: Literal["refused"] = "refused"
OTHER: Literal["not a model file"] = "not a model file"
VERDICTS = (CONVERTED, REFUSED, OTHER)


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
    described, library, release : str
        Its class, or what else it is; the library of that and the release that saved it. Empty
        where the file does not say.
    obstacles : tuple of Refusal
        All that stands in the way of a conversion; the first is the refusal.
    parts : tuple of dict
        Each model inside of a refused file: ``path``, ``class``, and whether it ``converts``.
    next_step : str
        What to do with it.
    requirements : tuple of (str, str), or None
        Name and content of a ``requirements.txt`` in whose environment a refused file loads.
    layers : tuple of dict
        Of a refused network of torch, what is known of its layers.
    template : tuple of (str, str), or None
        Name and content of a description of the network, to be filled in.
    """

    file: str
    verdict: Verdict
    sha256: str | None = None
    size_bytes: int | None = None
    container: Mapping[str, Any] | None = None
    refusal: Refusal | None = None
    artifacts: tuple[Artifact, ...] = ()
    carried: Mapping[str, Any] | None = None
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    described: str = ""
    library: str = ""
    release: str = ""
    obstacles: tuple[Refusal, ...] = ()
    parts: tuple[Mapping[str, Any], ...] = ()
    next_step: str = ""
    requirements: tuple[str, str] | None = None
    layers: tuple[Mapping[str, Any], ...] = ()
    template: tuple[str, str] | None = None

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
            "class": self.described,
            "library": self.library,
            "release": self.release,
            "obstacles": [asdict(obstacle) for obstacle in self.obstacles],
            "parts": [dict(part) for part in self.parts],
            "next_step": self.next_step,
            "requirements": None if self.requirements is None else self.requirements[0],
            "layers": [dict(layer) for layer in self.layers],
            "template": None if self.template is None else self.template[0],
            "carried": self.carried or {},
            "left_out": list(self.left_out),
            "artifacts": [dict(artifact.entry) for artifact in self.artifacts],
        }
