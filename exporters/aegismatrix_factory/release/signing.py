"""The private side of `artifacts.signature`: make a release key, sign a folder with it."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from aegismatrix.artifacts.manifest import SIGNATURE_NAME, read_manifest
from aegismatrix.artifacts.signature import (
    ReleaseKey,
    Signature,
    check_signature,
    key_id,
    need_cryptography,
    release_keys,
    render_signature,
    signed_message,
    stamp,
)
from aegismatrix.desk.files import write_atomically
from aegismatrix.engine.verify import Finding, verify_manifest
from aegismatrix.errors import AegisError, OutputError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_MAX_KEY_FILE_BYTES = 16 * 1024


class SigningError(AegisError):
    """Base of what keeps a folder from being signed."""


class PrivateKeyError(SigningError):
    """A file is no private key that can be used here.

    Attributes
    ----------
    path : str
        The file.
    """

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        super().__init__(
            f"{path} cannot be used as a release key: {reason}.",
            remedy="Give a file that scripts/sign.py new-key wrote, and its passphrase.",
        )


class WeakPassphraseError(SigningError):
    """A private key would be kept without a passphrase."""

    def __init__(self) -> None:
        super().__init__(
            "The passphrase is empty.",
            remedy="Choose one: whoever gets hold of the file must not have the key.",
        )


class FolderOffError(SigningError):
    """A folder is not as it was sealed, so that it is not signed.

    Attributes
    ----------
    findings : tuple of Finding
        What is off.
    """

    def __init__(self, folder: str, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__(
            f"{folder} is not as it was sealed: {'; '.join(str(one) for one in findings)}",
            remedy="Nothing was signed; export it again, then sign it.",
        )


class UntrustedKeyError(SigningError):
    """The package does not list the key, so that nobody could verify the signature.

    Attributes
    ----------
    key_id : str
        The key.
    """

    def __init__(self, key: str) -> None:
        self.key_id = key
        super().__init__(
            f"The key {key} is not in release_keys.json of this package.",
            remedy="Nothing was signed; add the entry that `scripts/sign.py public --json`"
            " prints, or give --untrusted if those who verify have the public key.",
        )


def new_key(path: str | os.PathLike[str], passphrase: bytes) -> ReleaseKey:
    """Make a private key and keep it in a file that only its owner may read.

    Parameters
    ----------
    path : path-like
        The file; it must not exist.
    passphrase : bytes
        What the file is encrypted with.

    Returns
    -------
    ReleaseKey
        Its public side, trusted from now on.

    Raises
    ------
    WeakPassphraseError, OutputError, MissingExtraError
    """
    need_cryptography()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        PrivateFormat,
    )

    if not passphrase:
        raise WeakPassphraseError
    private = Ed25519PrivateKey.generate()
    data = private.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase)
    )
    file = os.fspath(path)
    try:
        # Fails if anything is there, be it a link to nowhere, and is never readable by others.
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise OutputError(file, error.strerror or str(error)) from error
    try:
        with os.fdopen(handle, "wb") as opened:
            opened.write(data)
            opened.flush()
            os.fsync(opened.fileno())
    except BaseException as error:
        with suppress(FileNotFoundError):
            Path(file).unlink()
        if isinstance(error, OSError):
            raise OutputError(file, error.strerror or str(error)) from error
        raise
    return _public_side(private)


def load_key(path: str | os.PathLike[str], passphrase: bytes | None) -> Ed25519PrivateKey:
    """Read a private key.

    Parameters
    ----------
    path : path-like
        PEM file, PKCS8.
    passphrase : bytes or None
        What it is encrypted with.

    Returns
    -------
    Ed25519PrivateKey

    Raises
    ------
    PrivateKeyError, MissingExtraError
    """
    need_cryptography()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    file = os.fspath(path)
    try:
        with Path(file).open("rb") as opened:
            data = opened.read(_MAX_KEY_FILE_BYTES)
    except OSError as error:
        raise PrivateKeyError(file, error.strerror or str(error)) from error
    try:
        private = load_pem_private_key(data, passphrase)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise PrivateKeyError(file, "it is no private key, or the passphrase is wrong") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise PrivateKeyError(file, "it is not an Ed25519 key")
    return private


def public_side(private: Ed25519PrivateKey) -> tuple[dict[str, str | None], str]:
    """Return the public side of a key: for the package and for people.

    Parameters
    ----------
    private : Ed25519PrivateKey
        The key.

    Returns
    -------
    entry : dict
        What to add to ``release_keys.json``; it is trusted from now on, without an end.
    pem : str
        For ``aegismatrix verify --key``.
    """
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = private.public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return key_entry(_public_side(private)), pem.decode("ascii")


def key_entry(key: ReleaseKey) -> dict[str, str | None]:
    """Return a key as an entry of ``release_keys.json``.

    Parameters
    ----------
    key : ReleaseKey
        With the time from which it is trusted.

    Returns
    -------
    dict
        JSON values.
    """
    begins = key.valid_from or datetime.now(timezone.utc)
    return {
        "id": key.id,
        "public_key": base64.b64encode(key.public_key).decode("ascii"),
        "valid_from": stamp(begins),
        "valid_until": None if key.valid_until is None else stamp(key.valid_until),
        "revoked": key.revoked,
    }


def sign(
    private: Ed25519PrivateKey,
    folder: str | os.PathLike[str] | None = None,
    *,
    untrusted: bool = False,
    now: datetime | None = None,
) -> Signature:
    """Sign the manifest of a folder, once every file in it was verified.

    Parameters
    ----------
    private : Ed25519PrivateKey
        The key.
    folder : path-like, optional
        As for `aegismatrix.artifacts.manifest.find_artifacts`.
    untrusted : bool
        Whether a key will do that the package does not list.
    now : datetime, optional
        Aware; by default the clock.

    Returns
    -------
    Signature
        As it was written beside the manifest.

    Raises
    ------
    ArtifactError, FolderOffError
        If the folder is not as it was sealed.
    UntrustedKeyError, SignatureError
        If nobody could verify the signature.
    OutputError
        If the disk refuses; a previous signature is untouched then.
    """
    manifest = read_manifest(folder)
    findings = verify_manifest(manifest, golden=True)
    if findings:
        raise FolderOffError(str(manifest.folder), findings)
    moment = (now or datetime.now(timezone.utc)).replace(microsecond=0)
    own = _public_side(private)
    trusted: Mapping[str, ReleaseKey] = {key.id: key for key in release_keys()}
    if untrusted:
        trusted = {own.id: ReleaseKey(own.id, own.public_key)}
    if own.id not in trusted:
        raise UntrustedKeyError(own.id)
    message = signed_message(own.id, moment, manifest.sha256)
    signature = Signature(own.id, manifest.sha256, moment, private.sign(message))
    file = manifest.folder / SIGNATURE_NAME
    # What is written is what those who verify will accept.
    check_signature(
        signature,
        manifest_sha256=manifest.sha256,
        trusted=tuple(trusted.values()),
        now=moment,
        path=str(file),
    )
    write_atomically(file, render_signature(signature))
    return signature


def _public_side(private: Ed25519PrivateKey) -> ReleaseKey:
    public_key = private.public_key().public_bytes_raw()
    begins = datetime.now(timezone.utc).replace(microsecond=0)
    return ReleaseKey(key_id(public_key), public_key, begins)
