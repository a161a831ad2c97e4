"""A signature says whose a manifest is, or which of many things is wrong."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from aegismatrix_factory.sealing import sealed_folder
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aegismatrix.artifacts import signature as signature_module
from aegismatrix.artifacts.manifest import (
    CARD_KEY,
    ENGINE_NAME,
    MANIFEST_NAME,
    SIGNATURE_NAME,
    Manifest,
    find_artifacts,
    list_models,
    read_manifest,
    render_manifest,
)
from aegismatrix.artifacts.signature import (
    CLOCK_TOLERANCE,
    Signature,
    key_id,
    read_signature,
    release_keys,
    render_signature,
    signed_message,
    verify_signature,
)
from aegismatrix.desk.cli.main import main
from aegismatrix.engine.verify import verify
from aegismatrix.errors import (
    ArtifactsNotFoundError,
    ManifestError,
    MissingExtraError,
    NaiveMomentError,
    SignatureError,
    TrustError,
)
from tests.keys import (
    SIGNED_AT,
    VALID_FROM,
    VALID_UNTIL,
    entry,
    private_key,
    public_key,
    release_key,
    sign_folder,
    signature_of,
    write_list,
    write_pem,
)
from tests.raising import raising
from tests.sealed import seal_file

NOW = SIGNED_AT + timedelta(days=30)
SECOND = timedelta(seconds=1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the bundled artifacts that a test may damage, signed with the first key."""
    copied = Path(shutil.copytree(find_artifacts(), tmp_path / "models"))
    sign_folder(copied)
    return copied


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package's list of keys, which trusts the first and the second key."""
    path = write_list(tmp_path / "release_keys.json", release_key(), release_key("second"))
    monkeypatch.setattr(signature_module, "_KEYS_FILE", path)
    return path


def refusal(folder: Path | Manifest, now: datetime = NOW) -> SignatureError:
    with pytest.raises(SignatureError) as raised:
        verify_signature(folder, now=now)
    assert str(raised.value) == f"{raised.value.problem} {raised.value.remedy}"
    return raised.value


def rewrite(folder: Path, **changed: object) -> None:
    """Change fields of the signature file, which keeps its form."""
    file = folder / SIGNATURE_NAME
    content = {**json.loads(file.read_text()), **changed}
    file.write_text(json.dumps(content, sort_keys=True, indent=1) + "\n")


@pytest.mark.parametrize("release", [0, 3])
def test_an_older_release_is_refused_though_its_signature_is_genuine(
    folder: Path, listed: Path, release: int
) -> None:
    content = {**read_manifest(folder).content, "release": release}
    (folder / MANIFEST_NAME).write_bytes(render_manifest(content))
    sign_folder(folder)
    assert verify_signature(folder, now=NOW, not_before=release).key_id
    with pytest.raises(SignatureError) as raised:
        verify_signature(folder, now=NOW, not_before=release + 1)
    assert raised.value.kind == "older_release"
    assert f"release {release}" in raised.value.problem


def points_of_small_order() -> set[tuple[int, int]]:
    """The torsion of Ed25519's curve: every point whose multiple by eight is neutral."""
    p = 2**255 - 19
    d = -121665 * pow(121666, -1, p) % p

    def plus(one: tuple[int, int], two: tuple[int, int]) -> tuple[int, int]:
        (a, b), (x, y) = one, two
        product = d * a * x * b * y
        return (
            (a * y + x * b) * pow(1 + product, -1, p) % p,
            (b * y + a * x) * pow(1 - product, -1, p) % p,
        )

    def on_curve(y: int) -> tuple[int, int] | None:
        square = (y * y - 1) * pow(d * y * y + 1, -1, p) % p
        x = pow(square, (p + 3) // 8, p)
        if x * x % p != square:
            x = x * pow(2, (p - 1) // 4, p) % p
        return (x, y) if x * x % p == square else None

    # A random point times the odd factor of the group's order lies in the torsion.
    order = 2**252 + 27742317777372353535851937790883648493
    found: set[tuple[int, int]] = {(0, 1)}
    for start in range(2, 60):
        power = on_curve(start)
        if power is None:
            continue
        point, factor = (0, 1), order
        while factor:
            point = plus(point, power) if factor & 1 else point
            power, factor = plus(power, power), factor >> 1
        found.add(point)
    return found


def test_a_key_of_small_order_is_refused_wherever_it_is_given(
    folder: Path, listed: Path, tmp_path: Path
) -> None:
    points = points_of_small_order()
    assert len(points) == 8
    p = 2**255 - 19
    for x, y in points:
        # Also in an encoding that is not the reduced one, where there is room for it.
        for written in {y, y + p} if y + p < 2**255 else {y}:
            encoded = (written | (x & 1) << 255).to_bytes(32, "little")
            assert signature_module.is_of_small_order(encoded)
            made = {**entry(release_key()), "public_key": base64.b64encode(encoded).decode()}
            listed.write_text(json.dumps([{**made, "id": key_id(encoded)}]))
            with pytest.raises(TrustError, match="small order"):
                verify_signature(folder, now=NOW)
    for name in ("first", "second"):
        assert not signature_module.is_of_small_order(public_key(name))


def test_the_command_finds_what_is_not_sealed_in_a_signed_folder_and_refuses_older_releases(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = {**read_manifest(folder).content, "release": 4}
    (folder / MANIFEST_NAME).write_bytes(render_manifest(content))
    seal_file(folder, CARD_KEY, "MODEL_CARD.md")
    sign_folder(folder)
    key = str(write_pem(tmp_path / "release.pem"))
    asked = ["verify", str(folder), "--signature", "--key", key]
    assert main([*asked, "--not-before", "4"]) == 0
    assert main([*asked, "--not-before", "5"]) == 1
    (folder / "notes.txt").write_text("x")
    assert main(asked) == 1
    assert "notes.txt is not listed" in capsys.readouterr().out
    assert main(["verify", str(folder)]) == 0
    for words in ("--not-before 4", "--signature --not-before -1", "--signature --not-before x"):
        with pytest.raises(SystemExit):
            main(["verify", str(folder), *words.split()])


def test_a_genuine_signature_says_which_key_made_it_and_when(folder: Path, listed: Path) -> None:
    found = verify_signature(folder, now=NOW)
    assert found.key_id == hashlib.sha256(public_key()).hexdigest()[:16]
    assert found.signed_at == SIGNED_AT
    assert (
        found.manifest_sha256 == hashlib.sha256((folder / MANIFEST_NAME).read_bytes()).hexdigest()
    )
    assert found == signature_of(folder)
    assert verify_signature(str(folder), now=NOW) == found
    assert verify(folder) == []


def test_what_is_signed_is_four_lines_that_name_purpose_key_time_and_manifest() -> None:
    assert signed_message("0123456789abcdef", SIGNED_AT, "ab" * 32) == (
        b"aegismatrix manifest signature 1\n"
        b"key 0123456789abcdef\n"
        b"signed-at 2026-01-31T09:15:00Z\n"
        b"manifest-sha256 " + b"ab" * 32 + b"\n"
    )


def test_openssl_alone_verifies_a_signature_as_the_document_says(
    folder: Path, tmp_path: Path, repository: Path
) -> None:
    if shutil.which("openssl") is None or shutil.which("sha256sum") is None:
        pytest.skip("there is no openssl or no sha256sum on this machine")
    text = (repository / "docs" / "signing.md").read_text()
    (script,) = (block for block in text.split("```")[1::2] if "openssl pkeyutl" in block)
    write_pem(folder / "release.pem")

    def checked() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-e", "-c", script.removeprefix("sh\n")],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )

    assert "Verified Successfully" in checked().stdout
    with (folder / MANIFEST_NAME).open("ab") as manifest:
        manifest.write(b" ")
    assert checked().returncode != 0
    assert "Verified Successfully" not in checked().stdout


def test_no_flipped_bit_of_a_signature_file_is_overlooked(folder: Path, listed: Path) -> None:
    manifest = read_manifest(folder)
    file = folder / SIGNATURE_NAME
    data = file.read_bytes()
    kinds = set()
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        file.write_bytes(flipped)
        kinds.add(refusal(manifest).kind)
    assert kinds == {"malformed", "unknown_key", "other_manifest", "wrong_key"}
    file.write_bytes(data)
    assert verify_signature(manifest, now=NOW).signed_at == SIGNED_AT


def test_a_manifest_sealed_anew_is_not_the_one_that_was_signed(folder: Path, listed: Path) -> None:
    file = folder / MANIFEST_NAME
    signed = hashlib.sha256(file.read_bytes()).hexdigest()
    content = json.loads(file.read_bytes())
    del content["digest"]
    content["made_with"]["numpy"] = "0"
    file.write_bytes(render_manifest(content))
    assert verify(folder) == []
    error = refusal(folder)
    assert error.kind == "other_manifest"
    actual = hashlib.sha256(file.read_bytes()).hexdigest()
    assert error.reason == f"it signs sha256 {signed[:12]}, here is {actual[:12]}"
    rewrite(folder, manifest_sha256=actual)
    assert refusal(folder).kind == "wrong_key"


def test_the_signature_is_held_against_the_bytes_that_were_read(folder: Path, listed: Path) -> None:
    manifest = read_manifest(folder)
    (folder / MANIFEST_NAME).write_bytes(b"exchanged after it was read")
    assert verify_signature(manifest, now=NOW).manifest_sha256 == manifest.sha256
    with pytest.raises(ManifestError):
        verify_signature(folder, now=NOW)


def test_a_folder_without_a_manifest_has_nothing_to_verify(tmp_path: Path, listed: Path) -> None:
    with pytest.raises(ArtifactsNotFoundError):
        verify_signature(tmp_path / "nowhere")


def test_a_signature_that_is_not_there_is_missing(folder: Path, listed: Path) -> None:
    (folder / SIGNATURE_NAME).unlink()
    error = refusal(folder)
    assert error.kind == "missing"
    assert error.path == str(folder / SIGNATURE_NAME)


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_what_is_no_regular_file_is_no_signature_and_is_not_waited_for(
    folder: Path, listed: Path, make: Callable[[Path], None]
) -> None:
    (folder / SIGNATURE_NAME).unlink()
    make(folder / SIGNATURE_NAME)
    assert refusal(folder).kind == "missing"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b"[" * 1024,
        b'{"format": ' + b"9" * 1000 + b"}",
        b"-----BEGIN PGP SIGNATURE-----",
    ],
    ids=lambda data: repr(data[:12]),
)
def test_what_is_no_signature_is_malformed(folder: Path, listed: Path, data: bytes) -> None:
    (folder / SIGNATURE_NAME).write_bytes(data)
    assert refusal(folder).kind == "malformed"


def test_a_signature_file_beyond_a_kibibyte_is_refused_unread(folder: Path, listed: Path) -> None:
    with (folder / SIGNATURE_NAME).open("ab") as file:
        file.truncate(8 * 1024**3)
    error = refusal(folder)
    assert error.kind == "malformed"
    assert "larger than 1024 bytes" in error.problem


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("format", 2),
        ("format", True),
        ("format", 1.0),
        ("format", None),
        ("key_id", "0123456789ABCDEF"),
        ("key_id", "0123456789abcde"),
        ("key_id", 1),
        ("key_id", ["0123456789abcdef"]),
        ("manifest_sha256", "00"),
        ("manifest_sha256", None),
        ("signature", ""),
        ("signature", "****"),
        ("signature", "é"),
        ("signature", base64.b64encode(bytes(63)).decode()),
        ("signature", base64.b64encode(bytes(65)).decode()),
        ("signature", {}),
        ("signed_at", "2026-01-31"),
        ("signed_at", "2026-01-31T09:15:00+00:00"),
        ("signed_at", "2026-01-31T09:15:00.5Z"),
        ("signed_at", "2026-02-31T09:15:00Z"),
        ("signed_at", "2026-01-31T09:15:00Z\n"),
        ("signed_at", "\uff12\uff10\uff12\uff16-01-31T09:15:00Z"),
        ("signed_at", 1769850900),
        ("comment", "one field more"),
    ],
)
def test_a_field_that_is_not_what_it_must_be_is_malformed(
    folder: Path, listed: Path, field: str, value: object
) -> None:
    rewrite(folder, **{field: value})
    assert refusal(folder).kind == "malformed"


@pytest.mark.parametrize(
    "reformat",
    [
        lambda text: text + "\n",
        lambda text: text.rstrip("\n"),
        lambda text: " " + text,
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: json.dumps(json.loads(text)),
        lambda text: json.dumps(dict(reversed(json.loads(text).items())), indent=1) + "\n",
        lambda text: text.replace('"format": 1', '"format": 1, "format": 1'),
        lambda text: text.replace('"key_id"', '"key\\u005fid"'),
    ],
    ids=[
        "newline-more",
        "newline-less",
        "space-first",
        "byte-order-mark",
        "carriage-returns",
        "compact",
        "other-order",
        "key-twice",
        "escape",
    ],
)
def test_a_signature_of_equal_content_in_another_form_is_malformed(
    folder: Path, listed: Path, reformat: Callable[[str], str]
) -> None:
    file = folder / SIGNATURE_NAME
    text = file.read_text()
    file.write_bytes(reformat(text).encode())
    assert file.read_bytes() != text.encode()
    assert refusal(folder).kind == "malformed"


def with_spare_bits(text: str) -> str:
    """The same bytes in base64, with a bit set that decoders drop."""
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    end = len(text.rstrip("="))
    other = text[: end - 1] + digits[digits.index(text[end - 1]) + 1] + text[end:]
    assert base64.b64decode(other) == base64.b64decode(text)
    return other


def test_base64_whose_spare_bits_are_set_is_another_form(folder: Path, listed: Path) -> None:
    text = json.loads((folder / SIGNATURE_NAME).read_text())["signature"]
    rewrite(folder, signature=with_spare_bits(text))
    assert refusal(folder).kind == "malformed"


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
FIELDS = ("format", "key_id", "manifest_sha256", "signature", "signed_at")


@pytest.mark.slow
@settings(
    max_examples=500,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    data=st.binary(max_size=1100)
    | st.fixed_dictionaries(dict.fromkeys(FIELDS, JSON_VALUES)).map(
        lambda content: json.dumps(content, sort_keys=True, indent=1).encode() + b"\n"
    )
)
def test_whatever_stands_in_a_signature_file_is_refused_by_type(
    tmp_path: Path, data: bytes
) -> None:
    file = tmp_path / SIGNATURE_NAME
    file.write_bytes(data)
    with raising((SignatureError, "malformed")):
        read_signature(file)


@given(
    identity=st.text("0123456789abcdef", min_size=16, max_size=16),
    sha256=st.text("0123456789abcdef", min_size=64, max_size=64),
    signed_at=st.datetimes(timezones=st.just(timezone.utc)),
    made=st.binary(min_size=64, max_size=64),
)
@settings(
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_every_signature_is_read_as_it_was_written(
    tmp_path: Path, identity: str, sha256: str, signed_at: datetime, made: bytes
) -> None:
    signature = Signature(identity, sha256, signed_at.replace(microsecond=0), made)
    file = tmp_path / SIGNATURE_NAME
    file.write_text(render_signature(signature))
    assert read_signature(file) == signature


def test_a_key_that_is_not_trusted_is_unknown_and_says_which_are(
    folder: Path, listed: Path
) -> None:
    sign_folder(folder, "stranger")
    error = refusal(folder)
    assert error.kind == "unknown_key"
    assert error.key_id == key_id(public_key("stranger"))
    assert error.reason == f"{key_id(public_key())}, {key_id(public_key('second'))}"


def test_each_of_several_keys_is_trusted_as_in_a_rotation(folder: Path, listed: Path) -> None:
    for name in ("first", "second"):
        sign_folder(folder, name)
        assert verify_signature(folder, now=NOW).key_id == key_id(public_key(name))


def test_a_signature_that_names_a_key_that_did_not_make_it_is_wrong(
    folder: Path, listed: Path
) -> None:
    sign_folder(folder, "stranger")
    rewrite(folder, key_id=key_id(public_key()))
    error = refusal(folder)
    assert error.kind == "wrong_key"
    assert error.key_id == key_id(public_key())


def test_another_time_than_the_signed_one_is_wrong(folder: Path, listed: Path) -> None:
    rewrite(folder, signed_at="2026-01-31T09:15:01Z")
    assert refusal(folder).kind == "wrong_key"


def test_a_signature_made_for_something_else_is_wrong(folder: Path, listed: Path) -> None:
    manifest = (folder / MANIFEST_NAME).read_bytes()
    good = signature_of(folder)
    message = signed_message(good.key_id, SIGNED_AT, good.manifest_sha256)
    for other in (manifest, hashlib.sha256(manifest).digest(), message.split(b"\n", 1)[1]):
        made = replace(good, signature=private_key().sign(other))
        (folder / SIGNATURE_NAME).write_text(render_signature(made))
        assert refusal(folder).kind == "wrong_key"


@pytest.mark.parametrize("valid_until", [None, VALID_UNTIL])
def test_a_revoked_key_is_refused_whatever_day_its_signature_says(
    folder: Path, listed: Path, valid_until: datetime | None
) -> None:
    write_list(listed, release_key(valid_until=valid_until, revoked="its holder lost it"))
    for signed_at in (VALID_FROM, SIGNED_AT, NOW):
        sign_folder(folder, signed_at=signed_at)
        error = refusal(folder)
        assert error.kind == "revoked_key"
        assert (error.key_id, error.reason) == (key_id(public_key()), "its holder lost it")


@pytest.mark.parametrize(
    ("signed_at", "now"),
    [
        (VALID_FROM - SECOND, NOW),
        (VALID_UNTIL, VALID_UNTIL - SECOND),
        (SIGNED_AT, VALID_UNTIL),
        (VALID_UNTIL - SECOND, VALID_UNTIL),
    ],
    ids=["signed-before", "signed-after", "looked-at-after", "looked-at-just-after"],
)
def test_a_key_is_trusted_neither_before_nor_after_its_time(
    folder: Path, listed: Path, signed_at: datetime, now: datetime
) -> None:
    sign_folder(folder, signed_at=signed_at)
    error = refusal(folder, now)
    assert error.kind == "key_period"
    assert "trusted from 2026-01-01T00:00:00Z until 2028-01-01T00:00:00Z" in error.reason
    assert f"it is {now.replace(tzinfo=None).isoformat()}Z" in error.reason


@pytest.mark.parametrize(
    ("signed_at", "now"), [(VALID_FROM, VALID_FROM), (VALID_UNTIL - SECOND, VALID_UNTIL - SECOND)]
)
def test_a_key_is_trusted_from_its_first_to_its_last_second(
    folder: Path, listed: Path, signed_at: datetime, now: datetime
) -> None:
    sign_folder(folder, signed_at=signed_at)
    assert verify_signature(folder, now=now).signed_at == signed_at


def test_a_key_without_an_end_is_trusted_until_it_is_revoked(folder: Path, listed: Path) -> None:
    write_list(listed, release_key(valid_until=None))
    late = SIGNED_AT.replace(year=2226)
    assert verify_signature(folder, now=late).signed_at == SIGNED_AT


def test_a_time_that_has_not_come_is_refused_and_a_slow_clock_is_not(
    folder: Path, listed: Path
) -> None:
    assert verify_signature(folder, now=SIGNED_AT - CLOCK_TOLERANCE).signed_at == SIGNED_AT
    error = refusal(folder, SIGNED_AT - CLOCK_TOLERANCE - SECOND)
    assert error.kind == "future"
    assert error.reason == "2026-01-31T09:15:00Z, and it is 2026-01-31T09:04:59Z"


def test_the_clock_is_asked_if_no_moment_is_given(folder: Path, listed: Path) -> None:
    begun = datetime.now(timezone.utc).replace(microsecond=0)
    hour = timedelta(hours=1)
    write_list(listed, release_key(valid_from=begun - hour, valid_until=begun + hour))
    sign_folder(folder, signed_at=begun)
    assert verify_signature(folder).signed_at == begun
    sign_folder(folder, signed_at=begun + hour / 2)
    with raising((SignatureError, "future")):
        verify_signature(folder)


def test_a_moment_without_an_offset_is_refused_and_any_offset_will_do(
    folder: Path, listed: Path
) -> None:
    with pytest.raises(NaiveMomentError):
        verify_signature(folder, now=NOW.replace(tzinfo=None))
    ist = timezone(timedelta(hours=5, minutes=30))
    assert verify_signature(folder, now=NOW.astimezone(ist)).signed_at == SIGNED_AT


def test_a_key_of_ones_own_is_trusted_instead_of_the_packages(
    folder: Path, listed: Path, tmp_path: Path
) -> None:
    own = write_pem(tmp_path / "own.pem", "own")
    with raising((SignatureError, "unknown_key")):
        verify_signature(folder, key=own, now=NOW)
    sign_folder(folder, "own")
    assert verify_signature(folder, key=own, now=NOW).key_id == key_id(public_key("own"))
    assert verify_signature(folder, key=str(own), now=NOW.replace(year=2226)).signed_at == SIGNED_AT
    with raising((SignatureError, "unknown_key")):
        verify_signature(folder, now=NOW)
    with raising((SignatureError, "future")):
        verify_signature(folder, key=own, now=VALID_FROM)


def other_public_keys() -> dict[str, bytes]:
    form = Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    pem = private_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return {
        "empty": b"",
        "noise": b"\x00\xff" * 40,
        "private": pem,
        "cut": private_key().public_key().public_bytes(*form)[:-30],
        "der": private_key().public_key().public_bytes(Encoding.DER, form[1]),
        "x25519": X25519PrivateKey.generate().public_key().public_bytes(*form),
        "rsa": generate_private_key(65537, 2048).public_key().public_bytes(*form),
        "long": b"x" * 1_000_000,
    }


@pytest.mark.parametrize("name", list(other_public_keys()))
def test_a_file_that_is_no_ed25519_public_key_is_refused(
    folder: Path, tmp_path: Path, name: str
) -> None:
    file = tmp_path / "key.pem"
    file.write_bytes(other_public_keys()[name])
    with raising((TrustError, "public_key")) as raised:
        verify_signature(folder, key=file)
    assert raised.value.path == str(file)
    assert ("private key" in raised.value.problem) == (name == "private")


def test_a_key_file_that_cannot_be_read_is_refused(folder: Path, tmp_path: Path) -> None:
    for path in (tmp_path / "none.pem", tmp_path, "a\0b"):
        with raising((TrustError, "public_key")):
            verify_signature(folder, key=path)


def test_without_a_release_key_nothing_is_pretended(
    folder: Path, listed: Path, tmp_path: Path
) -> None:
    write_list(listed)
    with raising((TrustError, "no_release_key"), match="--key FILE"):
        verify_signature(folder, now=NOW)
    own = write_pem(tmp_path / "own.pem")
    assert verify_signature(folder, key=own, now=NOW).signed_at == SIGNED_AT


def test_the_list_in_the_package_is_well_formed_and_what_is_bundled_is_signed_by_it_if_at_all() -> (
    None
):
    keys = release_keys()
    assert len({key.id for key in keys}) == len(keys)
    if (find_artifacts() / SIGNATURE_NAME).exists():
        assert verify_signature().key_id in {key.id for key in keys}
    else:
        with pytest.raises((TrustError, SignatureError)):
            verify_signature()


@pytest.mark.parametrize(
    "change",
    [
        {"id": "0123456789abcdef"},
        {"id": None},
        {"public_key": base64.b64encode(bytes(31)).decode()},
        {"public_key": "key"},
        {"public_key": with_spare_bits(base64.b64encode(public_key()).decode())},
        {"public_key": 1},
        {"valid_from": None},
        {"valid_from": "2026-01-01"},
        {"valid_until": "2026-01-01T00:00:00Z"},
        {"valid_until": 0},
        {"revoked": ""},
        {"revoked": " "},
        {"revoked": False},
        {"note": "one field more"},
    ],
    ids=repr,
)
def test_an_entry_that_is_not_what_it_must_be_spoils_the_list(
    folder: Path, listed: Path, change: dict[str, object]
) -> None:
    listed.write_text(
        json.dumps([entry(release_key("second")), {**entry(release_key()), **change}])
    )
    with raising((TrustError, "release_keys")) as raised:
        verify_signature(folder, now=NOW)
    assert raised.value.path == str(listed)


@pytest.mark.parametrize("text", ["", "{}", "null", "[[]]", "[" * 5000, "\udcff"], ids=repr)
def test_what_is_no_list_of_keys_is_refused(folder: Path, listed: Path, text: str) -> None:
    listed.write_bytes(text.encode("utf-8", "surrogateescape"))
    with raising((TrustError, "release_keys")):
        verify_signature(folder, now=NOW)


def test_a_key_or_a_field_that_stands_twice_spoils_the_list(folder: Path, listed: Path) -> None:
    revoked = release_key(revoked="stolen")
    write_list(listed, revoked, release_key())
    with raising((TrustError, "release_keys"), match="twice"):
        verify_signature(folder, now=NOW)
    text = write_list(listed, revoked).read_text()
    listed.write_text(text.replace('"revoked": "stolen"', '"revoked": "stolen", "revoked": null'))
    with raising((TrustError, "release_keys"), match="twice"):
        verify_signature(folder, now=NOW)


def test_a_list_that_is_gone_is_refused(folder: Path, listed: Path) -> None:
    listed.unlink()
    with raising((TrustError, "release_keys")):
        verify_signature(folder, now=NOW)


def test_errors_keep_their_data_when_copied(folder: Path, listed: Path) -> None:
    sign_folder(folder, signed_at=VALID_FROM - SECOND)
    error = refusal(folder)
    again = copy.deepcopy(error)
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))


def test_without_the_extra_the_error_names_it(
    folder: Path, listed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    for key in (None, write_pem(tmp_path / "own.pem")):
        with pytest.raises(MissingExtraError, match=r"\.\[verify\]"):
            verify_signature(folder, key=key, now=NOW)


def test_a_new_export_drops_the_signature_of_the_old_one(folder: Path, listed: Path) -> None:
    with sealed_folder(folder) as fresh:
        for file in find_artifacts().iterdir():
            if file.name != SIGNATURE_NAME:
                shutil.copyfile(file, fresh / file.name)
    assert verify(folder) == []
    assert refusal(folder).kind == "missing"


def lines(capsys: pytest.CaptureFixture[str]) -> tuple[list[str], str]:
    captured = capsys.readouterr()
    return captured.out.splitlines(), captured.err


def test_the_command_says_whose_the_manifest_is_below_the_hash_checks(
    capsys: pytest.CaptureFixture[str], folder: Path, tmp_path: Path
) -> None:
    key = ["--key", str(write_pem(tmp_path / "own.pem"))]
    assert main(["verify", "--golden", "--signature", *key, str(folder)]) == 0
    out, err = lines(capsys)
    assert (len(out), err) == (len(list_models()) + 6, "")
    assert all(line.startswith("ok   ") for line in out)
    assert out[-1] == f"ok   signature: key {key_id(public_key())}, 2026-01-31 09:15:00 UTC"
    assert main(["verify", "--signature", *key, "--json", str(folder)]) == 0
    assert json.loads("\n".join(lines(capsys)[0])) == {
        "manifest": read_manifest(folder).digest,
        "findings": [],
        "signature": {
            "status": "ok",
            "key_id": key_id(public_key()),
            "signed_at": "2026-01-31T09:15:00Z",
        },
    }
    assert main(["verify", "--signature", *key, "--quiet", str(folder)]) == 0
    assert lines(capsys) == ([], "")


def test_the_command_lists_a_signature_that_is_off_among_the_findings(
    capsys: pytest.CaptureFixture[str], folder: Path, tmp_path: Path
) -> None:
    key = ["--key", str(write_pem(tmp_path / "own.pem"))]
    sign_folder(folder, "stranger")
    (folder / read_manifest().model(ENGINE_NAME).file).write_bytes(b"cut")
    for quiet in ([], ["--quiet"]):
        assert main(["verify", "--signature", *key, *quiet, str(folder)]) == 1
        out, err = lines(capsys)
        engine, signature = (line for line in out if line.startswith("FAIL "))
        assert engine.startswith(f"FAIL {ENGINE_NAME}: ")
        assert signature.startswith("FAIL signature: ")
        assert "trusted here" in signature
        assert err == ""
    assert main(["verify", "--signature", *key, "--json", str(folder)]) == 1
    said = json.loads("\n".join(lines(capsys)[0]))
    assert [one["artifact"] for one in said["findings"]] == [ENGINE_NAME, "signature"]
    assert said["signature"]["status"] == "off"
    assert said["signature"]["remedy"]


def cannot(name: str, listed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Make a signature impossible to check; the arguments to add, if any."""
    if name == "no key":
        write_list(listed)
    elif name == "no extra":
        monkeypatch.setitem(sys.modules, "cryptography", None)
    elif name == "no list":
        listed.unlink()
    else:
        return ["--key", str(tmp_path / "none.pem")]
    return []


@pytest.mark.parametrize("name", ["no key", "no extra", "no list", "no file"])
@pytest.mark.parametrize("damaged", [False, True])
def test_hashes_are_checked_and_shown_where_the_signature_cannot_be_and_the_command_fails(
    capsys: pytest.CaptureFixture[str],
    folder: Path,
    listed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    damaged: bool,
) -> None:
    more = cannot(name, listed, tmp_path, monkeypatch)
    if damaged:
        (folder / read_manifest().model(ENGINE_NAME).file).write_bytes(b"cut")
    assert main(["verify", "--signature", *more, str(folder)]) == 2
    out, err = lines(capsys)
    assert len(out) == len(list_models()) + 6
    assert [line for line in out if line.startswith("FAIL ")] == out[-2:-1] * damaged
    assert out[-1] == "     signature: not checked"
    (said,) = err.splitlines()
    assert said.startswith("aegismatrix: ")
    assert main(["verify", "--signature", *more, "--json", str(folder)]) == 2
    out, err = lines(capsys)
    content: dict[str, Any] = json.loads("\n".join(out))
    assert content["signature"].pop("status") == "not checked"
    assert said == f"aegismatrix: {' '.join(content['signature'].values())}"
    assert [one["artifact"] for one in content["findings"]] == [ENGINE_NAME] * damaged


def test_a_manifest_that_is_off_leaves_no_signature_to_check(
    capsys: pytest.CaptureFixture[str], folder: Path, listed: Path
) -> None:
    (folder / MANIFEST_NAME).write_text("{}")
    assert main(["verify", "--signature", str(folder)]) == 1
    (line,) = lines(capsys)[0]
    assert line.startswith("FAIL manifest: ")
    assert main(["verify", "--signature", "--json", str(folder)]) == 1
    said = json.loads("\n".join(lines(capsys)[0]))
    assert said["signature"] == {"status": "not checked"}


def test_the_command_does_not_look_at_a_signature_unless_it_is_asked_and_says_so(
    capsys: pytest.CaptureFixture[str], folder: Path, listed: Path
) -> None:
    (folder / SIGNATURE_NAME).write_bytes(b"off")
    assert main(["verify", str(folder)]) == 0
    assert lines(capsys)[0][-1] == "     signature: not checked; add --signature"
    assert main(["verify", "--json", str(folder)]) == 0
    said = json.loads("\n".join(lines(capsys)[0]))
    assert said["signature"] == {"status": "not asked for"}


def test_the_wheel_carries_the_signature_and_the_list_of_keys(
    tmp_path: Path, repository: Path
) -> None:
    source = tmp_path / "source"
    for name in ("src", "models_onnx"):
        shutil.copytree(repository / name, source / name)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copyfile(repository / name, source / name)
    signed = sign_folder(source / "models_onnx").read_bytes()
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")],
        cwd=source,
        check=True,
        capture_output=True,
    )
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    package = tmp_path / "installed" / "aegismatrix"
    assert (package / "models_onnx" / SIGNATURE_NAME).read_bytes() == signed
    assert json.loads((package / "artifacts" / "release_keys.json").read_text()) == json.loads(
        (repository / "src" / "aegismatrix" / "artifacts" / "release_keys.json").read_text()
    )
    own = write_pem(tmp_path / "own.pem")
    done = subprocess.run(
        [sys.executable, "-m", "aegismatrix", "verify", "--signature", "--key", str(own)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "installed")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert str(package / "models_onnx") in done.stdout
    assert "ok   signature: " in done.stdout


def test_errors_of_signatures_and_of_keys_are_apart() -> None:
    assert not issubclass(TrustError, SignatureError)
