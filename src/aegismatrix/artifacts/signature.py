"""Signed releases: whose the manifest is, and thereby everything that it seals.

``manifest.sig`` stands beside ``manifest.json``. Signed with Ed25519 (RFC 8032) is a message of
four lines that names this use of the key, the key, the time and the sha256 of the manifest's exact
bytes (`signed_message`), so that no part of the file can be exchanged, and no signature made for
anything else can pass for one of a manifest. The file is accepted in exactly one form, byte for
byte, as the manifest is.

A key is trusted because the package lists it in ``release_keys.json``, or because the caller names
it. The list is as trustworthy as the package: whoever can write to it can also write to this
module.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import re
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from aegismatrix import errors
from aegismatrix.artifacts.manifest import (
    SIGNATURE_NAME,
    Manifest,
    parse_strict_json,
    read_manifest,
    read_regular,
)
from aegismatrix.errors import MissingExtraError, NaiveMomentError
from aegismatrix.records import dataclass

SIGNATURE_FORMAT = 1
"""1: the first format."""

CLOCK_TOLERANCE = timedelta(minutes=10)
"""How far the clock of who verifies may lag behind that of who signed."""

# The field and the curve of Ed25519 (RFC 8032, 5.1).
_P = 2**255 - 19
_D = -121665 * pow(121666, -1, _P) % _P
_PURPOSE = "aegismatrix manifest signature 1"
_SMALL_ORDER = "its point is of small order, so that anybody could sign with it"
_KEY_BYTES, _SIGNATURE_BYTES = 32, 64
_MAX_SIGNATURE_FILE_BYTES = 1024
_MAX_KEY_FILE_BYTES = 16 * 1024
_MAX_KEYS_FILE_BYTES = 256 * 1024
_STAMP = "%Y-%m-%dT%H:%M:%SZ"
_STAMP_FORM = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_SHA256_FORM = re.compile(r"[0-9a-f]{64}")
_KEY_ID_FORM = re.compile(r"[0-9a-f]{16}")
_KEYS_FILE = Path(__file__).with_name("release_keys.json")
_SIGNATURE_FIELDS = frozenset({"format", "key_id", "manifest_sha256", "signature", "signed_at"})
_KEY_FIELDS = frozenset({"id", "public_key", "valid_from", "valid_until", "revoked"})


@dataclass(frozen=True)
class ReleaseKey:
    """An Ed25519 public key of 32 bytes and the time for which it is trusted.

    `id` is its `key_id`. It is trusted from `valid_from`, UTC, to before `valid_until`; None sets
    no limit. `revoked` says why it was revoked, if it was.
    """

    id: str
    public_key: bytes
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    revoked: str | None = None


@dataclass(frozen=True)
class Signature:
    """What a signature file says: the key, the sha256 of the manifest's exact bytes, and when.

    `signed_at`, UTC, is the word of who signed.
    """

    key_id: str
    manifest_sha256: str
    signed_at: datetime
    signature: bytes


def verify_signature(
    path: str | os.PathLike[str] | Manifest | None = None,
    *,
    key: str | os.PathLike[str] | None = None,
    now: datetime | None = None,
    not_before: int = 0,
) -> Signature:
    """Check that the manifest of a folder was signed with a key that is trusted then and now.

    This says who sealed the manifest. That the files are those that it seals is what `verify`
    checks, and every load does. A `Manifest` is held against the very bytes that it was read from.
    `key` is the PEM file of a public key to trust instead of those that the package lists. The
    release of the manifest must not be below `not_before`: whoever can write to a folder could put
    an older one there, which was genuinely signed. Raise TrustError or MissingExtraError if nothing
    can be verified here.
    """
    moment = _utc(now)
    trusted: tuple[ReleaseKey, ...] = () if key is not None else release_keys()
    if key is None and not trusted:
        raise errors.TrustError("no_release_key")
    need_cryptography()
    if key is not None:
        trusted = (read_public_key(key),)
    manifest = path if isinstance(path, Manifest) else read_manifest(path)
    file = manifest.folder / SIGNATURE_NAME
    signature = read_signature(file)
    check_signature(
        signature, manifest_sha256=manifest.sha256, trusted=trusted, now=moment, path=str(file)
    )
    if manifest.release < not_before:
        reason = f"it signs release {manifest.release}, asked for is {not_before} or later"
        raise errors.SignatureError(str(file), "older_release", reason, key_id=signature.key_id)
    return signature


def check_signature(
    signature: Signature,
    *,
    manifest_sha256: str,
    trusted: Sequence[ReleaseKey],
    now: datetime,
    path: str,
) -> None:
    """Hold a signature against a manifest, the keys that are trusted, and the time.

    A key is trusted for a signature that says a time within the key's own, and only as long as that
    lasts: the time in a signature is the word of whoever holds the key, and a thief would write
    what suits him. For the same reason a revoked key is refused whatever the signature says.
    """
    need_cryptography()
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    known = {key.id: key for key in trusted}
    key = known.get(signature.key_id)
    if key is None:
        raise errors.SignatureError(path, "unknown_key", ", ".join(known), key_id=signature.key_id)
    if key.revoked is not None:
        raise errors.SignatureError(path, "revoked_key", key.revoked.rstrip("."), key_id=key.id)
    if signature.manifest_sha256 != manifest_sha256:
        reason = f"it signs sha256 {signature.manifest_sha256:.12}, here is {manifest_sha256:.12}"
        raise errors.SignatureError(path, "other_manifest", reason, key_id=key.id)
    message = signed_message(key.id, signature.signed_at, manifest_sha256)
    if is_of_small_order(key.public_key):
        raise errors.SignatureError(path, "wrong_key", key_id=key.id)
    try:
        Ed25519PublicKey.from_public_bytes(key.public_key).verify(signature.signature, message)
    except InvalidSignature as error:
        raise errors.SignatureError(path, "wrong_key", key_id=key.id) from error
    if signature.signed_at > now + CLOCK_TOLERANCE:
        reason = f"{stamp(signature.signed_at)}, and it is {stamp(now)}"
        raise errors.SignatureError(path, "future", reason, key_id=key.id)
    begins = key.valid_from is None or key.valid_from <= signature.signed_at
    lasts = key.valid_until is None or max(signature.signed_at, now) < key.valid_until
    if not begins or not lasts:
        first = "ever" if key.valid_from is None else stamp(key.valid_from)
        last = "further notice" if key.valid_until is None else stamp(key.valid_until)
        reason = (
            f"{stamp(signature.signed_at)} and it is {stamp(now)}; its key {key.id} is trusted from"
            f" {first} until {last}"
        )
        raise errors.SignatureError(path, "key_period", reason, key_id=key.id)


def signed_message(key_id: str, signed_at: datetime, manifest_sha256: str) -> bytes:
    """Return what is signed: four lines of ASCII, the first for this use of a key alone."""
    lines = (
        _PURPOSE,
        f"key {key_id}",
        f"signed-at {stamp(signed_at)}",
        f"manifest-sha256 {manifest_sha256}",
    )
    return "".join(f"{line}\n" for line in lines).encode("ascii")


def is_of_small_order(public_key: bytes) -> bool:
    """Whether a point of the curve, times 8, is the neutral one: such a key signs for anybody.

    These are the points with ``y`` 0, 1, -1 and the four with ``d y^4 + 2 y^2 = 1``, in any
    encoding (RFC 8032, 5.1).
    """
    y = (int.from_bytes(public_key, "little") & ((1 << 255) - 1)) % _P
    return y in (0, 1, _P - 1) or (_D * pow(y, 4, _P) + 2 * y * y - 1) % _P == 0


def key_id(public_key: bytes) -> str:
    """Return the name of a key: the first 16 hexadecimal digits of its sha256."""
    return hashlib.sha256(public_key).hexdigest()[:16]


def stamp(moment: datetime) -> str:
    """Return an aware moment in the one form of signatures and keys: ``2026-01-31T09:15:00Z``."""
    # Not strftime, which leaves the zeros of an early year to the platform.
    return _utc(moment).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def render_signature(signature: Signature) -> str:
    """Return a signature as the file that holds it: the only form that `read_signature` takes."""
    content = {
        "format": SIGNATURE_FORMAT,
        "key_id": signature.key_id,
        "manifest_sha256": signature.manifest_sha256,
        "signature": base64.b64encode(signature.signature).decode("ascii"),
        "signed_at": stamp(signature.signed_at),
    }
    return json.dumps(content, sort_keys=True, indent=1) + "\n"


def read_signature(path: str | os.PathLike[str]) -> Signature:
    """Read a signature file; nothing is verified yet."""
    file = os.fspath(path)
    try:
        data = read_regular(file, _MAX_SIGNATURE_FILE_BYTES)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise errors.SignatureError(file, "missing", reason) from error
    try:
        signature = _parse_signature(data)
    except (ValueError, RecursionError) as error:
        raise errors.SignatureError(file, "malformed", str(error)[:200]) from error
    return signature


def read_public_key(path: str | os.PathLike[str]) -> ReleaseKey:
    """Read a public key of the caller's own, a PEM file; it is trusted without a limit of time."""
    need_cryptography()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    file = os.fspath(path)
    try:
        data = read_regular(file, _MAX_KEY_FILE_BYTES)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise errors.TrustError("public_key", file, reason) from error
    if b"PRIVATE KEY" in data:
        raise errors.TrustError(
            "public_key", file, "it holds a private key, which does not belong here"
        )
    try:
        loaded = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise errors.TrustError(
            "public_key", file, "it is not the PEM file of a public key"
        ) from error
    if not isinstance(loaded, Ed25519PublicKey):
        raise errors.TrustError("public_key", file, "it is of another kind")
    public_key = loaded.public_bytes_raw()
    if is_of_small_order(public_key):
        raise errors.TrustError("public_key", file, _SMALL_ORDER)
    return ReleaseKey(key_id(public_key), public_key)


def release_keys() -> tuple[ReleaseKey, ...]:
    """Return the keys that this release of the package trusts, revoked and expired ones too."""
    file = str(_KEYS_FILE)
    try:
        data = read_regular(file, _MAX_KEYS_FILE_BYTES)
        # A revocation must not be undone by a second one below it.
        content = parse_strict_json(data)
        if not isinstance(content, list):
            raise ValueError("it is not a list")
        keys = tuple(_parse_key(entry) for entry in content)
    except OSError as error:
        raise errors.TrustError("release_keys", file, error.strerror or str(error)) from error
    except (ValueError, RecursionError) as error:
        raise errors.TrustError("release_keys", file, str(error)[:200]) from error
    if len({key.id for key in keys}) < len(keys):
        raise errors.TrustError("release_keys", file, "a key stands twice")
    return keys


def _parse_signature(data: bytes) -> Signature:
    if len(data) > _MAX_SIGNATURE_FILE_BYTES:
        raise ValueError(f"it is larger than {_MAX_SIGNATURE_FILE_BYTES} bytes")
    content = json.loads(data)
    if not isinstance(content, dict) or content.keys() != _SIGNATURE_FIELDS:
        raise ValueError(f"it is not an object of {', '.join(sorted(_SIGNATURE_FIELDS))}")
    if type(content["format"]) is not int or content["format"] != SIGNATURE_FORMAT:
        raise ValueError(
            f"it has format {content['format']!r}, this package reads {SIGNATURE_FORMAT}"
        )
    signature = Signature(
        key_id=_matching(_KEY_ID_FORM, content["key_id"]),
        manifest_sha256=_matching(_SHA256_FORM, content["manifest_sha256"]),
        signed_at=_moment(content["signed_at"]),
        signature=_decoded(content["signature"], _SIGNATURE_BYTES),
    )
    # Whatever JSON or base64 would let pass besides, such as a key that stands twice.
    if render_signature(signature).encode("ascii") != data:
        raise ValueError("it is not in the one form that is accepted")
    return signature


def _parse_key(entry: Any) -> ReleaseKey:
    if not isinstance(entry, dict) or entry.keys() != _KEY_FIELDS:
        raise ValueError(f"an entry is not an object of {', '.join(sorted(_KEY_FIELDS))}")
    public_key = _decoded(entry["public_key"], _KEY_BYTES)
    if is_of_small_order(public_key):
        raise ValueError(_SMALL_ORDER)
    if entry["id"] != key_id(public_key):
        raise ValueError(f"{entry['id']!r} is not the id of its key, {key_id(public_key)}")
    begins = _moment(entry["valid_from"])
    ends = None if entry["valid_until"] is None else _moment(entry["valid_until"])
    if ends is not None and ends <= begins:
        raise ValueError(f"the key {entry['id']} ends before it begins")
    revoked = entry["revoked"]
    # Also an empty reason: as a falsehood it might be taken for none.
    if revoked is not None and (not isinstance(revoked, str) or not revoked.strip()):
        raise ValueError(f"the key {entry['id']} is revoked without a reason")
    return ReleaseKey(entry["id"], public_key, begins, ends, revoked)


def _matching(form: re.Pattern[str], text: Any) -> str:
    if not isinstance(text, str) or not form.fullmatch(text):
        raise ValueError(f"{text!r} is not of the form {form.pattern}")
    return text


def _moment(text: Any) -> datetime:
    return datetime.strptime(_matching(_STAMP_FORM, text), _STAMP).replace(tzinfo=timezone.utc)


def _decoded(text: Any, size_bytes: int) -> bytes:
    if not isinstance(text, str):
        raise ValueError(f"{text!r} is not base64")
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"{text!r} is not base64") from error
    if len(data) != size_bytes or base64.b64encode(data).decode("ascii") != text:
        raise ValueError(f"{text!r} is not {size_bytes} bytes in base64")
    return data


def _utc(moment: datetime | None) -> datetime:
    if moment is None:
        return datetime.now(timezone.utc)
    if moment.tzinfo is None:
        raise NaiveMomentError(moment.isoformat())
    return moment.astimezone(timezone.utc)


def need_cryptography() -> None:
    """Raise MissingExtraError unless the extra is installed."""
    try:
        import cryptography  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("cryptography", extra="verify") from error
