"""What can be wrong with a folder of artifacts, its manifest and its signature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, field
from typing import ClassVar

from aegismatrix.errors import AegisError, ArtifactError, Cases
from aegismatrix.records import dataclass

_SHOWN_LETTERS = 40
_REINSTALL = "Restore the folder as it was released (pip install --force-reinstall aegismatrix)."
_DO_NOT_TRUST = (
    "Do not trust this folder; take the package from its source again"
    " (pip install --force-reinstall aegismatrix) and ask its maintainers."
)


@dataclass(eq=False, repr=False)
class ArtifactsNotFoundError(ArtifactError):
    """No folder of artifacts, or no manifest in it."""

    problem = "There is no manifest.json in {path}."
    remedy = (
        "Give a folder that aegismatrix export wrote, or aegismatrix rescue from one of pickles, or"
        " reinstall the package."
    )


@dataclass(eq=False, repr=False)
class ManifestError(ArtifactError):
    """The manifest is not the one that was sealed, or not a manifest at all."""

    problem = "{path} is not a sealed manifest: {reason}."
    reason: str
    _: KW_ONLY
    remedy: str = _REINSTALL


@dataclass(eq=False, repr=False)
class ManifestVersionError(ArtifactError):
    """The manifest is of a version that this package does not read."""

    problem = "{path} has manifest version {shown}; this package reads {supported}."
    remedy = "Use the package release that belongs to these artifacts."
    _: KW_ONLY
    version: object
    supported: int

    @property
    def shown(self) -> str:
        """The version found, in a few letters."""
        # Whoever wrote it may have nested it deeper than it can be shown.
        if self.version is None or isinstance(self.version, int | float | str):
            return repr(self.version)[:_SHOWN_LETTERS]
        return f"a {type(self.version).__name__}"


@dataclass(eq=False, repr=False)
class MissingArtifactError(ArtifactError):
    """The manifest names a file that is not there or cannot be opened."""

    problem = "{path} cannot be opened: {reason}."
    remedy = _REINSTALL
    reason: str = "it is not there"


@dataclass(eq=False, repr=False)
class ArtifactSizeError(ArtifactError):
    """A file has `actual` bytes (at most one more than sealed) instead of `expected`."""

    cases: ClassVar[Cases] = {
        "truncated": (
            "{path} is truncated: sealed with {expected} bytes, found {actual}.",
            _REINSTALL,
        ),
        "too_long": (
            "{path} is too long: sealed with {expected} bytes, found more than {expected}.",
            _REINSTALL,
        ),
    }
    _: KW_ONLY
    expected: int
    actual: int

    def __post_init__(self) -> None:
        self.kind = "truncated" if self.actual < self.expected else "too_long"
        super().__post_init__()


@dataclass(eq=False, repr=False)
class ArtifactHashError(ArtifactError):
    """A file's sha256 is not the sealed one, or that of the sealed artifact that it `holds`."""

    cases: ClassVar[Cases] = {
        "altered": (
            "{path} is altered: sealed with sha256 {expected:.12}, found {actual:.12}.",
            _REINSTALL,
        ),
        "swapped": ("{path} is swapped: it holds the artifact {holds!r}.", _REINSTALL),
    }
    _: KW_ONLY
    expected: str
    actual: str
    holds: str = ""

    def __post_init__(self) -> None:
        self.kind = "swapped" if self.holds else "altered"
        super().__post_init__()


@dataclass(eq=False, repr=False)
class UnlistedArtifactError(ArtifactError):
    """A file is there that the manifest does not name."""

    problem = "{path} is not listed: the manifest does not name it."
    remedy = "Remove it; artifacts are added by aegismatrix export alone."


@dataclass(eq=False, repr=False)
class UnknownModelError(ArtifactError, KeyError):
    """A model was asked for that the manifest does not name; `known` are its models."""

    problem = "There is no model {name!r} in {path}."
    path: str = field(kw_only=True)
    name: str
    _: KW_ONLY
    known: Sequence[str]
    remedy: str = ""

    def __post_init__(self) -> None:
        self.remedy = self.remedy or f"Choose one of {list(self.known)}."
        super().__post_init__()

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(eq=False, repr=False)
class ArtifactRejectedError(ArtifactError):
    """The bytes are the sealed ones, yet onnxruntime or the contract refuses them."""

    problem = "{path} was refused: {reason}."
    remedy = "Use a supported onnxruntime (>= 1.19) and artifacts made by aegismatrix export."
    reason: str


@dataclass(eq=False, repr=False)
class ForbiddenContentError(ArtifactRejectedError):
    """An artifact holds what none may hold, whoever sealed it: `found` is that part."""

    problem = "{path} was refused: {reason}, {found}."
    remedy = "Do not run it; use artifacts made by aegismatrix export."
    reason: str = field(init=False, default="it holds what no artifact may hold")
    found: str


@dataclass(eq=False, repr=False)
class GoldenValuesError(ArtifactError):
    """The golden values are the sealed ones, yet malformed or of other artifacts."""

    problem = "{path} does not hold these artifacts' golden values: {reason}."
    remedy = "Use the package release and the artifacts that belong together."
    reason: str


@dataclass(eq=False, repr=False)
class SealedForecastsError(ArtifactError):
    """There are no out-of-sample forecasts to read: `kind` says why."""

    cases: ClassVar[Cases] = {
        "not_sealed": (
            "The artifacts in {path} seal no forecasts of their walk-forward.",
            "Train and export them again with this release (aegismatrix train, aegismatrix export),"
            " or ask a model with sealed fits of the past (Engine.unseen).",
        ),
        "not_here": (
            "{path} is sealed (sha256 {sha256:.16}) and not here: the wheel leaves it out for its"
            " size.",
            "Take that file from models_onnx/ in the source distribution or repository of the same"
            " release (pip download --no-deps --no-binary aegismatrix aegismatrix) and put it"
            " there.",
        ),
        "malformed": (
            "{path} does not hold these artifacts' forecasts: {reason}.",
            "Use the package release and the artifacts that belong together.",
        ),
    }
    kind: str
    reason: str = ""
    _: KW_ONLY
    sha256: str = ""


@dataclass(eq=False, repr=False)
class GoldenMismatchError(AegisError):
    """An artifact gives other numbers here than where it was sealed (infinite for a shape)."""

    problem = (
        "{artifact}: {output} differs from its golden values by {difference:.3g}, allowed is"
        " {tolerance:.3g}."
    )
    remedy = (
        "The artifact is the sealed one: this environment computes other numbers. Install versions"
        " of numpy and onnxruntime that are known to agree, or report these."
    )
    artifact: str
    output: str
    _: KW_ONLY
    difference: float
    tolerance: float


@dataclass(eq=False, repr=False)
class SignatureError(ArtifactError):
    """The signature of a manifest cannot be trusted: `kind` says why, `key_id` whose it is."""

    cases: ClassVar[Cases] = {
        "missing": (
            "{path} cannot be read: {reason}.",
            "Take artifacts that were released with a signature, or sign them yourself with"
            " scripts/sign.py and verify them with your own public key (--key).",
        ),
        "malformed": ("{path} is not a signature: {reason}.", _DO_NOT_TRUST),
        "unknown_key": (
            "{path} was made with the key {key_id}; trusted here: {reason}.",
            "If the key is newer than this package, upgrade it; else do not trust the folder.",
        ),
        "revoked_key": (
            "{path} was made with the key {key_id}, which was revoked: {reason}.",
            "Use a release that was signed with another key.",
        ),
        "key_period": (
            "{path} says {reason}.",
            "Use a release that was signed with a current key, and check this machine's clock.",
        ),
        "future": (
            "{path} says that it was made at {reason}.",
            "Set this machine's clock right; if it is right, do not trust the folder.",
        ),
        "other_manifest": ("{path} belongs to another manifest: {reason}.", _DO_NOT_TRUST),
        "older_release": (
            "{path} is of an older release: {reason}.",
            "Take the newer release; if it was withdrawn, ask for less with --not-before.",
        ),
        "wrong_key": ("{path} was not made by the key {key_id} over this manifest.", _DO_NOT_TRUST),
    }
    kind: str
    reason: str = ""
    _: KW_ONLY
    key_id: str = ""


@dataclass(eq=False, repr=False)
class TrustError(AegisError):
    """The keys to verify a signature with are wrong: `kind` says which."""

    cases: ClassVar[Cases] = {
        "no_release_key": (
            "This release of aegismatrix carries no release key, so no signature can be verified"
            " with what it knows.",
            "Name a public key that you trust with --key FILE (verify_signature(key=...)).",
        ),
        "release_keys": (
            "{path} is no list of release keys: {reason}.",
            "Reinstall the package, or write entries as scripts/sign.py prints them.",
        ),
        "public_key": (
            "{path} is no Ed25519 public key: {reason}.",
            "Give a PEM file such as scripts/sign.py public --key prints.",
        ),
    }
    kind: str
    path: str = ""
    reason: str = ""
