"""Keys for the tests, made anew from fixed bytes: none of them is worth anything."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import datetime, timezone
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from aegismatrix.artifacts.manifest import MANIFEST_NAME, SIGNATURE_NAME
from aegismatrix.artifacts.signature import (
    ReleaseKey,
    Signature,
    key_id,
    render_signature,
    signed_message,
    stamp,
)

SIGNED_AT = datetime(2026, 1, 31, 9, 15, tzinfo=timezone.utc)
VALID_FROM = datetime(2026, 1, 1, tzinfo=timezone.utc)
VALID_UNTIL = datetime(2028, 1, 1, tzinfo=timezone.utc)


def private_key(name: str = "first") -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())


def public_key(name: str = "first") -> bytes:
    return private_key(name).public_key().public_bytes_raw()


def release_key(
    name: str = "first",
    valid_from: datetime = VALID_FROM,
    valid_until: datetime | None = VALID_UNTIL,
    revoked: str | None = None,
) -> ReleaseKey:
    public = public_key(name)
    return ReleaseKey(key_id(public), public, valid_from, valid_until, revoked)


def entry(key: ReleaseKey) -> dict[str, object]:
    assert key.valid_from is not None
    return {
        "id": key.id,
        "public_key": base64.b64encode(key.public_key).decode(),
        "valid_from": stamp(key.valid_from),
        "valid_until": None if key.valid_until is None else stamp(key.valid_until),
        "revoked": key.revoked,
    }


def write_pem(path: Path, name: str = "first") -> Path:
    public = private_key(name).public_key()
    path.write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return path


def write_list(path: Path, *keys: ReleaseKey) -> Path:
    path.write_text(json.dumps([entry(key) for key in keys]))
    return path


def signature_of(folder: Path, name: str = "first", signed_at: datetime = SIGNED_AT) -> Signature:
    """A signature over the manifest of a folder, made without the code under test's `sign`."""
    sha256 = hashlib.sha256((folder / MANIFEST_NAME).read_bytes()).hexdigest()
    identity = key_id(public_key(name))
    made = private_key(name).sign(signed_message(identity, signed_at, sha256))
    return Signature(identity, sha256, signed_at, made)


def sign_folder(folder: Path, name: str = "first", signed_at: datetime = SIGNED_AT) -> Path:
    file = folder / SIGNATURE_NAME
    file.write_text(render_signature(signature_of(folder, name, signed_at)))
    return file
