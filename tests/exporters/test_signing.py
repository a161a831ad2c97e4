"""A release key is made and used so that it stays secret and signs only what is in order."""

from __future__ import annotations

import getpass
import json
import shutil
import stat
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from aegismatrix_factory.release.signing import (
    FolderOffError,
    PrivateKeyError,
    UntrustedKeyError,
    WeakPassphraseError,
    load_key,
    new_key,
    sign,
)
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from aegismatrix.artifacts import signature as signature_module
from aegismatrix.artifacts.manifest import (
    MANIFEST_NAME,
    SIGNATURE_NAME,
    WALKFORWARD_KEY,
    find_artifacts,
    read_manifest,
)
from aegismatrix.artifacts.signature import key_id, verify_signature
from aegismatrix.errors import (
    ArtifactHashError,
    ArtifactsNotFoundError,
    OutputError,
    SignatureError,
)
from scripts.sign import PASSPHRASE, main
from tests.keys import (
    SIGNED_AT,
    VALID_UNTIL,
    private_key,
    public_key,
    release_key,
    signature_of,
    write_list,
    write_pem,
)
from tests.raising import raising

SECRET = b"correct horse battery staple"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the bundled artifacts, unsigned."""
    copied = Path(shutil.copytree(find_artifacts(), tmp_path / "models"))
    (copied / SIGNATURE_NAME).unlink(missing_ok=True)
    return copied


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = write_list(tmp_path / "release_keys.json", release_key())
    monkeypatch.setattr(signature_module, "_KEYS_FILE", path)
    return path


def test_a_new_key_is_encrypted_and_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    made = new_key(file, SECRET)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    data = file.read_bytes()
    assert data.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    with pytest.raises(TypeError):
        load_pem_private_key(data, None)
    assert load_key(file, SECRET).public_key().public_bytes_raw() == made.public_key
    assert new_key(tmp_path / "other.pem", SECRET).public_key != made.public_key


def test_a_new_key_replaces_nothing(tmp_path: Path) -> None:
    file, link = tmp_path / "key.pem", tmp_path / "link.pem"
    file.write_text("somebody's key")
    link.symlink_to(tmp_path / "nothing there")
    for path in (file, link, tmp_path, tmp_path / "no" / "folder.pem"):
        with pytest.raises(OutputError):
            new_key(path, SECRET)
    assert file.read_text() == "somebody's key"
    assert {one.name for one in tmp_path.iterdir()} == {"key.pem", "link.pem"}


def test_a_new_key_without_a_passphrase_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(WeakPassphraseError):
        new_key(tmp_path / "key.pem", b"")
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_up_leaves_no_part_of_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        new_key(tmp_path / "key.pem", SECRET)
    assert list(tmp_path.iterdir()) == []


def other_private_keys() -> Iterator[tuple[str, bytes, bytes | None]]:
    form = Encoding.PEM, PrivateFormat.PKCS8
    good = private_key().private_bytes(*form, BestAvailableEncryption(SECRET))
    yield "wrong passphrase", good, b"another"
    yield "no passphrase", good, None
    yield "cut", good[:-40], SECRET
    yield "empty", b"", SECRET
    yield "a passphrase too many", private_key().private_bytes(*form, NoEncryption()), SECRET
    other = X25519PrivateKey.generate()
    yield "of another kind", other.private_bytes(*form, BestAvailableEncryption(SECRET)), SECRET


@pytest.mark.parametrize(
    ("data", "passphrase"),
    [pytest.param(*one[1:], id=one[0]) for one in other_private_keys()],
)
def test_a_file_that_gives_no_key_is_refused(
    tmp_path: Path, data: bytes, passphrase: bytes | None
) -> None:
    file = tmp_path / "key.pem"
    file.write_bytes(data)
    with pytest.raises(PrivateKeyError) as raised:
        load_key(file, passphrase)
    assert raised.value.path == str(file)
    assert SECRET.decode() not in str(raised.value)
    with pytest.raises(PrivateKeyError):
        load_key(tmp_path / "none.pem", passphrase)


def test_a_signed_folder_is_verified_with_the_key_that_the_package_lists(
    folder: Path, listed: Path
) -> None:
    made = sign(private_key(), folder, now=SIGNED_AT + timedelta(microseconds=999_999))
    assert made == signature_of(folder)
    assert verify_signature(folder, now=SIGNED_AT) == made
    later = sign(private_key(), folder, now=SIGNED_AT + timedelta(days=1))
    assert verify_signature(folder, now=later.signed_at) == later


def test_a_folder_in_which_anything_is_off_is_not_signed(folder: Path, listed: Path) -> None:
    manifest = read_manifest(folder)
    for name in (manifest.model("trap").file, manifest.attachments[WALKFORWARD_KEY].file):
        file = folder / name
        data = file.read_bytes()
        file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        with pytest.raises(FolderOffError) as raised:
            sign(private_key(), folder, now=SIGNED_AT)
        (finding,) = raised.value.findings
        assert isinstance(finding.error, ArtifactHashError)
        file.write_bytes(data)
    (folder / "stranger.onnx").write_bytes(b"stranger")
    with pytest.raises(FolderOffError, match="not listed"):
        sign(private_key(), folder, now=SIGNED_AT)
    (folder / MANIFEST_NAME).unlink()
    with pytest.raises(ArtifactsNotFoundError):
        sign(private_key(), folder, now=SIGNED_AT)
    assert not (folder / SIGNATURE_NAME).exists()


def test_a_key_that_the_package_would_not_accept_signs_nothing(folder: Path, listed: Path) -> None:
    with pytest.raises(UntrustedKeyError) as raised:
        sign(private_key("stranger"), folder, now=SIGNED_AT)
    assert raised.value.key_id == key_id(public_key("stranger"))
    with raising((SignatureError, "key_period")):
        sign(private_key(), folder, now=VALID_UNTIL)
    write_list(listed, release_key(revoked="its holder lost it"))
    with raising((SignatureError, "revoked_key")):
        sign(private_key(), folder, now=SIGNED_AT)
    write_list(listed)
    with pytest.raises(UntrustedKeyError):
        sign(private_key(), folder, now=SIGNED_AT)
    assert not (folder / SIGNATURE_NAME).exists()


def test_a_key_of_ones_own_signs_if_that_is_said(
    folder: Path, listed: Path, tmp_path: Path
) -> None:
    made = sign(private_key("own"), folder, untrusted=True, now=SIGNED_AT)
    own = write_pem(tmp_path / "own.pem", "own")
    assert verify_signature(folder, key=own, now=SIGNED_AT) == made


def test_the_script_makes_the_first_key_and_signs_with_it(
    folder: Path,
    listed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The walk of docs/signing.md, from no key at all to a verified folder."""
    monkeypatch.setenv(PASSPHRASE, SECRET.decode())
    write_list(listed)
    key = ["--key", str(tmp_path / "key.pem")]
    begun = datetime.now(timezone.utc).replace(microsecond=0)
    assert main(["new-key", "--out", key[1]]) == 0
    entry = json.loads(capsys.readouterr().out)
    assert entry["valid_until"] is entry["revoked"] is None

    assert main(["sign", *key, str(folder)]) == 2
    assert "release_keys.json" in capsys.readouterr().err
    listed.write_text(json.dumps([entry]))
    assert main(["sign", *key, str(folder)]) == 0
    assert entry["id"] in capsys.readouterr().out
    made = verify_signature(folder)
    assert (made.key_id, made.signed_at >= begun) == (entry["id"], True)

    assert main(["public", *key]) == 0
    (tmp_path / "public.pem").write_text(capsys.readouterr().out)
    assert verify_signature(folder, key=tmp_path / "public.pem") == made
    assert main(["public", *key, "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert (again["id"], again["public_key"]) == (entry["id"], entry["public_key"])

    assert main(["new-key", "--out", key[1]]) == 2
    assert "File exists" in capsys.readouterr().err
    monkeypatch.setenv(PASSPHRASE, "another")
    assert main(["sign", *key, str(folder)]) == 2
    monkeypatch.setenv(PASSPHRASE, "")
    assert main(["new-key", "--out", str(tmp_path / "other.pem")]) == 2
    assert SECRET.decode() not in "".join(capsys.readouterr())
    assert not (tmp_path / "other.pem").exists()


def test_the_script_asks_for_a_passphrase_twice_and_then_once(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv(PASSPHRASE, raising=False)
    answers: list[str] = []

    def answer(prompt: str) -> str:
        assert prompt.endswith(": ")
        return answers.pop(0)

    monkeypatch.setattr(getpass, "getpass", answer)
    key = str(tmp_path / "key.pem")
    answers[:] = ["one", "two"]
    assert main(["new-key", "--out", key]) == 2
    assert not Path(key).exists()
    answers[:] = ["one", "one"]
    assert main(["new-key", "--out", key]) == 0
    answers[:] = ["one"]
    assert main(["sign", "--untrusted", "--key", key, str(folder)]) == 0
    assert (folder / SIGNATURE_NAME).exists()
    assert answers == []
    capsys.readouterr()


def test_an_interrupted_script_says_so_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(PASSPHRASE, raising=False)

    def leave(_: str) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(getpass, "getpass", leave)
    assert main(["new-key", "--out", str(tmp_path / "key.pem")]) == 130
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_no_private_key_is_in_the_repository(repository: Path) -> None:
    marks = (b"-----BEGIN " + b"PRIVATE KEY", b"-----BEGIN " + b"ENCRYPTED PRIVATE KEY")
    looked_at = 0
    for folder in ("src", "models_onnx", "tests", "examples", "docs", "scripts", "exporters"):
        for file in (repository / folder).rglob("*"):
            if file.is_file() and file.suffix not in (".pyc", ".onnx", ".npz"):
                text = file.read_bytes()
                looked_at += 1
                # A PEM file begins with the mark; code that looks for one has it inside a line.
                assert not any(line.startswith(marks) for line in text.splitlines()), file
    assert looked_at > 100
