"""A folder of artifacts that is not byte for byte what was sealed is refused, and says why."""

from __future__ import annotations

import hashlib
import json
import random
import re
import shutil
from collections import Counter
from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegismatrix.artifacts.manifest import (
    CARD_KEY,
    ENGINE_NAME,
    MANIFEST_NAME,
    MANIFEST_VERSION,
    WALKFORWARD_KEY,
    ModelSpec,
    find_artifacts,
    is_canonical,
    list_models,
    read_artifact,
    read_manifest,
    render_manifest,
    unlisted_files,
)
from aegismatrix.engine import model as runtime
from aegismatrix.engine.engine import Engine
from aegismatrix.engine.model import load_models
from aegismatrix.engine.verify import verify
from aegismatrix.errors import (
    AegisError,
    ArtifactError,
    ArtifactHashError,
    ArtifactSizeError,
    ArtifactsNotFoundError,
    ManifestError,
    ManifestVersionError,
    MissingArtifactError,
    UnknownModelError,
    UnlistedArtifactError,
)
from tests.examples import few_of_them_quick
from tests.raising import raising
from tests.sealed import seal_file

NAMES = [spec.name for spec in list_models()]
FLIPS = 1_500

each_artifact = pytest.mark.parametrize("name", NAMES)
# Where every artifact meets every one of many faults.
each_artifact_times = pytest.mark.parametrize("name", few_of_them_quick(NAMES))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the bundled artifacts that a test may damage."""
    return Path(shutil.copytree(find_artifacts(), tmp_path / "models"))


def spec_of(name: str) -> ModelSpec:
    return read_manifest().model(name)


def file_of(folder: Path, name: str) -> Path:
    return folder / spec_of(name).file


def entry_of(name: str) -> Callable[[Path], object]:
    return Engine if name == ENGINE_NAME else load_models


def refusal(folder: Path, name: str) -> AegisError:
    """The error with which `verify` and the entry that would run the artifact refuse it."""
    (finding,) = verify(folder)
    assert finding.artifact == name
    with pytest.raises(type(finding.error), match=re.escape(str(finding.error))):
        entry_of(name)(folder)
    return finding.error


def manifest_refusal(folder: Path, kind: type[ArtifactError] = ManifestError) -> AegisError:
    """The error with which every entry refuses a manifest."""
    (finding,) = verify(folder)
    assert finding.artifact == "manifest"
    assert type(finding.error) is kind
    entries: tuple[Callable[[Path], object], ...] = (list_models, load_models, Engine)
    for entry in entries:
        with pytest.raises(kind, match=re.escape(str(finding.error))):
            entry(folder)
    return finding.error


def content_of(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / MANIFEST_NAME).read_bytes())
    del content["digest"]
    return content


def reseal(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the manifest's content and give it a right digest again."""
    content = content_of(folder)
    change(content)
    (folder / MANIFEST_NAME).write_bytes(render_manifest(content))


@pytest.mark.parametrize("entry", [list_models, load_models, Engine])
def test_a_missing_folder_is_named(tmp_path: Path, entry: Callable[[Path], object]) -> None:
    with pytest.raises(ArtifactsNotFoundError) as raised:
        entry(tmp_path / "nowhere")
    assert raised.value.path == str(tmp_path / "nowhere")


def test_a_folder_without_a_manifest_is_no_folder_of_artifacts(folder: Path) -> None:
    (folder / MANIFEST_NAME).unlink()
    manifest_refusal(folder, ArtifactsNotFoundError)


def test_a_file_is_no_folder_of_artifacts(folder: Path) -> None:
    with pytest.raises(ArtifactsNotFoundError):
        list_models(folder / MANIFEST_NAME)


@pytest.mark.parametrize("path", [5, b"models", ["models"]])
def test_what_is_no_path_is_no_folder_of_artifacts(path: Any) -> None:
    with pytest.raises(ArtifactsNotFoundError):
        read_manifest(path)


def test_a_path_that_the_system_refuses_to_look_up_is_no_folder_of_artifacts(
    tmp_path: Path,
) -> None:
    with pytest.raises(ArtifactError):
        list_models(tmp_path / ("a" * 5_000))


def test_a_manifest_that_is_a_folder_is_none(folder: Path) -> None:
    (folder / MANIFEST_NAME).unlink()
    (folder / MANIFEST_NAME).mkdir()
    manifest_refusal(folder, ArtifactsNotFoundError)


@each_artifact
def test_a_missing_artifact_is_named(folder: Path, name: str) -> None:
    file_of(folder, name).unlink()
    error = refusal(folder, name)
    assert isinstance(error, MissingArtifactError)
    assert error.path == str(file_of(folder, name))


@each_artifact
def test_an_artifact_that_cannot_be_read_is_refused(folder: Path, name: str) -> None:
    # A folder in its place: root, as whom containers run tests, may read any file.
    file_of(folder, name).unlink()
    file_of(folder, name).mkdir()
    assert isinstance(refusal(folder, name), MissingArtifactError)


@each_artifact_times
@pytest.mark.parametrize("kept", [0, 1, -1])
def test_a_truncated_artifact_says_how_much_is_left(folder: Path, name: str, kept: int) -> None:
    file = file_of(folder, name)
    data = file.read_bytes()[:kept]
    file.write_bytes(data)
    error = refusal(folder, name)
    assert isinstance(error, ArtifactSizeError)
    assert (error.expected, error.actual) == (spec_of(name).size_bytes, len(data))
    assert "truncated" in error.problem


@each_artifact_times
@pytest.mark.parametrize("extra", [1, 65 * 1024 * 1024])
def test_a_longer_artifact_is_refused(folder: Path, name: str, extra: int) -> None:
    size = spec_of(name).size_bytes
    with file_of(folder, name).open("r+b") as file:
        file.truncate(size + extra)
    error = refusal(folder, name)
    assert isinstance(error, ArtifactSizeError)
    assert (error.expected, error.actual) == (size, size + 1)
    assert "too long" in error.problem


@each_artifact
def test_an_altered_artifact_says_both_hashes(folder: Path, name: str) -> None:
    file = file_of(folder, name)
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    error = refusal(folder, name)
    assert type(error) is ArtifactHashError
    assert error.expected == spec_of(name).sha256
    assert error.actual == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(("name", "holds"), few_of_them_quick(permutations(NAMES, 2)))
def test_an_artifact_that_holds_anothers_bytes_is_swapped_and_says_whose(
    folder: Path, name: str, holds: str
) -> None:
    shutil.copyfile(file_of(folder, holds), file_of(folder, name))
    with raising((ArtifactHashError, "swapped")) as raised:
        entry_of(name)(folder)
    assert raised.value.holds == holds
    assert raised.value.path == str(file_of(folder, name))
    assert f"it holds the artifact {holds!r}" in str(raised.value)


def test_two_exchanged_artifacts_are_two_findings(folder: Path) -> None:
    first, second = NAMES[0], NAMES[-1]
    one, other = file_of(folder, first).read_bytes(), file_of(folder, second).read_bytes()
    file_of(folder, first).write_bytes(other)
    file_of(folder, second).write_bytes(one)
    errors = {finding.artifact: finding.error for finding in verify(folder)}
    assert {name: getattr(error, "holds", error) for name, error in errors.items()} == {
        first: second,
        second: first,
    }


@pytest.mark.parametrize("suffix", [".onnx", ".ort", ".data", ".pb"])
def test_a_foreign_model_file_is_found_and_never_loaded(folder: Path, suffix: str) -> None:
    foreign = folder / f"stranger{suffix}"
    shutil.copyfile(file_of(folder, NAMES[0]), foreign)
    (finding,) = verify(folder)
    assert finding.artifact == foreign.name
    assert isinstance(finding.error, UnlistedArtifactError)
    assert finding.error.path == str(foreign)
    assert "stranger" not in load_models(folder)


def test_files_that_are_no_models_are_not_foreign(folder: Path) -> None:
    (folder / "notes.txt").write_text("nothing to load")
    assert verify(folder) == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not JSON",
        b"\xff\xfe\xfd",
        b"[]",
        b"null",
        b'"digest"',
        b"{}",
        b'{"digest": null}',
        b"[" * 100_000,
        b'{"digest": ' + b"9" * 10_000 + b"}",
    ],
    ids=lambda data: repr(data[:12]),
)
def test_what_is_no_json_object_with_a_digest_is_no_manifest(folder: Path, data: bytes) -> None:
    (folder / MANIFEST_NAME).write_bytes(data)
    manifest_refusal(folder)


@pytest.mark.parametrize("constant", [b"NaN", b"Infinity", b"-Infinity", b"1e999"])
def test_a_manifest_with_a_number_that_json_lacks_is_refused(folder: Path, constant: bytes) -> None:
    file = folder / MANIFEST_NAME
    data, count = re.subn(rb'("lookback_bars": )\d+', rb"\g<1>" + constant, file.read_bytes())
    assert count == len(NAMES)
    file.write_bytes(data)
    refused = manifest_refusal(folder).problem
    assert ("own digest" if constant == b"1e999" else "not JSON") in refused


def test_a_manifest_without_a_digest_is_refused(folder: Path) -> None:
    (folder / MANIFEST_NAME).write_text(json.dumps(content_of(folder), sort_keys=True, indent=1))
    assert "no digest" in manifest_refusal(folder).problem


def test_a_manifest_with_another_digest_is_refused(folder: Path) -> None:
    file = folder / MANIFEST_NAME
    digest = read_manifest().digest
    other = hashlib.sha256(b"another manifest").hexdigest()
    file.write_text(file.read_text().replace(digest, other))
    assert "its own digest" in manifest_refusal(folder).problem


def test_verdicts_of_before_and_after_their_correction_are_read(folder: Path) -> None:
    file = folder / MANIFEST_NAME
    content = {**read_manifest(folder).content}
    judged = next(one["judgements"] for one in content["artifacts"] if one["name"] == "trap")
    for one in judged:
        for key in ("p_value", "corrected_p", "windows"):
            one.pop(key, None)
    judged[0] |= {"verdict": "indicated"}
    judged[1] |= {"p_value": 1e-6, "corrected_p": 4e-5, "windows": 57}
    file.write_bytes(render_manifest(content))
    read = read_manifest(folder).model("trap").judgements
    assert [one["verdict"] for one in read[:2]] == ["indicated", judged[1]["verdict"]]
    assert read[1]["corrected_p"] == 4e-5
    assert "p_value" not in read[0]


def test_a_manifest_whose_content_changed_under_its_digest_is_refused(folder: Path) -> None:
    file = folder / MANIFEST_NAME
    text = file.read_text()
    assert '"none demonstrated"' in text
    file.write_text(text.replace('"none demonstrated"', '"demonstrated"'))
    assert "its own digest" in manifest_refusal(folder).problem


@pytest.mark.parametrize(
    "reformat",
    [
        lambda text: text + "\n",
        lambda text: text + " ",
        lambda text: text.rstrip("\n"),
        lambda text: "\n" + text,
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace(": ", ":", 1),
        lambda text: text.replace("1e-09", "1E-09"),
        lambda text: text.replace("1e-09", "1.0e-09"),
        lambda text: text.replace("1e-09", "0.000000001"),
        lambda text: text.replace('"tiny"', '"\\u0074iny"'),
        lambda text: text.replace('"tiny": ', '"tiny": 2, "tiny": '),
        lambda text: json.dumps(json.loads(text)),
        lambda text: json.dumps(dict(reversed(json.loads(text).items())), indent=1) + "\n",
    ],
    ids=[
        "newline-more",
        "space-more",
        "newline-less",
        "newline-first",
        "byte-order-mark",
        "carriage-returns",
        "space-less",
        "1E-09",
        "1.0e-09",
        "0.000000001",
        "escape",
        "key-twice",
        "compact",
        "other-order",
    ],
)
def test_a_manifest_of_equal_content_in_another_form_is_refused(
    folder: Path, reformat: Callable[[str], str]
) -> None:
    reseal(folder, lambda content: content.update(tiny=1e-9))
    assert verify(folder) == []
    file = folder / MANIFEST_NAME
    text = file.read_text()
    file.write_bytes(reformat(text).encode())
    assert file.read_bytes() != text.encode()
    manifest_refusal(folder)


def with_a_digest_of_its_own(text: str) -> bytes:
    """Whoever changes a manifest can also compute the digest of what it is then."""
    data = re.sub('(?m)^ "digest": "[0-9a-f]*"', ' "digest": ""', text).encode("utf-8")
    place = data.index(b'\n "digest": "') + len(b'\n "digest": "')
    return data[:place] + hashlib.sha256(data).hexdigest().encode() + data[place:]


@pytest.mark.parametrize(
    "reformat",
    [
        lambda text: "\ufeff" + text,
        lambda text: text + "\n",
        lambda text: text.replace('\n "made_with"', '\n  "made_with"'),
        lambda text: text.replace('\n "made_with"', '\n\n "made_with"'),
        lambda text: text.replace("1e-09", "1.0e-09"),
        lambda text: text.replace('"tiny"', '"\\u0074iny"'),
        lambda text: text.replace('"letters": "\\u00e9"', '"letters": "\u00e9"'),
        lambda text: text.replace(',\n "tiny": 1e-09', "").replace(
            '"digest"', '"tiny": 1e-09,\n "digest"', 1
        ),
        lambda text: text.replace('"manifest_version": 1', '"manifest_version": 1.0'),
        lambda text: text.replace('"lookback_bars": ', '"lookback_bars": 0.0e0, "was": ', 1),
        lambda text: re.sub(r'("size_bytes": \d+)', r"\1.0", text, count=1),
    ],
    ids=[
        "byte-order-mark",
        "line-more",
        "indented-by-two",
        "empty-line",
        "1.0e-09",
        "escape",
        "not-ascii",
        "other-order",
        "version-1.0",
        "look-back-0.0",
        "size-as-a-float",
    ],
)
def test_a_manifest_in_another_form_is_refused_with_a_digest_of_its_own(
    folder: Path, reformat: Callable[[str], str]
) -> None:
    reseal(folder, lambda content: content.update(tiny=1e-9, letters="\u00e9"))
    file = folder / MANIFEST_NAME
    text = file.read_text()
    assert with_a_digest_of_its_own(text) == text.encode()
    file.write_bytes(with_a_digest_of_its_own(reformat(text)))
    assert file.read_bytes() != text.encode()
    (finding,) = verify(folder)
    assert type(finding.error) in (ManifestError, ManifestVersionError)


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(alphabet='ab"[]{},: \\\n\u00e9', max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(alphabet='ab"[]{},: ', max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(content=st.dictionaries(st.text("abc", min_size=1), PLAIN, max_size=4), data=st.data())
def test_the_form_is_that_of_rendering_whatever_is_changed_between_the_tokens(
    content: dict[str, Any], data: st.DataObject
) -> None:
    content.pop("digest", None)
    written = render_manifest(content)
    full = json.loads(written)
    assert is_canonical(written, full)
    place = data.draw(st.integers(0, len(written)))
    if data.draw(st.booleans()):
        changed = written[:place] + data.draw(st.sampled_from([b" ", b"\n"])) + written[place:]
    else:
        taken = [n for n, letter in enumerate(written) if letter in b" \n"]
        place = data.draw(st.sampled_from(taken))
        changed = written[:place] + written[place + 1 :]
    try:
        said = json.loads(changed)
    except ValueError:
        return
    if said == full:
        assert is_canonical(changed, said) == (changed == written)


def test_the_card_is_sealed_as_the_models_are(folder: Path) -> None:
    card = folder / "MODEL_CARD.md"
    card.write_text("A very good model.\n")
    seal_file(folder, CARD_KEY, card.name)
    assert verify(folder) == []
    card.write_text("A very bad model.\n")
    (finding,) = verify(folder)
    assert finding.artifact == CARD_KEY
    assert isinstance(finding.error, ArtifactSizeError)


def test_any_file_that_is_not_sealed_is_found_where_all_kinds_count(folder: Path) -> None:
    manifest = read_manifest(folder)
    there = {error.path for error in unlisted_files(manifest, all_kinds=True)}
    (folder / "README.txt").write_text("Run me.")
    (folder / "more").mkdir()
    found = {error.path for error in unlisted_files(manifest, all_kinds=True)}
    assert found - there == {str(folder / "README.txt"), str(folder / "more")}
    assert unlisted_files(manifest) == ()


def test_a_manifest_of_more_than_eight_mebibytes_is_refused(folder: Path) -> None:
    reseal(folder, lambda content: content.update(padding="x" * (8 * 1024 * 1024)))
    assert "larger" in manifest_refusal(folder).problem


@pytest.mark.parametrize("version", [MANIFEST_VERSION + 1, 0, "2.0", None])
def test_a_sealed_manifest_of_another_version_says_which_one_is_read(
    folder: Path, version: object
) -> None:
    reseal(folder, lambda content: content.update(manifest_version=version))
    error = manifest_refusal(folder, ManifestVersionError)
    assert isinstance(error, ManifestVersionError)
    assert (error.version, error.supported) == (version, MANIFEST_VERSION)


def test_a_later_version_is_recognised_in_a_form_and_with_entries_of_its_own(
    folder: Path,
) -> None:
    file = folder / MANIFEST_NAME
    file.write_bytes(render_manifest({"manifest_version": MANIFEST_VERSION + 1, "models": []}))
    manifest_refusal(folder, ManifestVersionError)


def test_a_version_changed_under_the_digest_is_damage_and_no_later_version(folder: Path) -> None:
    file = folder / MANIFEST_NAME
    text = file.read_text()
    mark = f'"manifest_version": {MANIFEST_VERSION}'
    assert text.count(mark) == 1
    file.write_text(text.replace(mark, f'"manifest_version": {MANIFEST_VERSION + 1}'))
    manifest_refusal(folder)


@each_artifact_times
@pytest.mark.parametrize(
    "place",
    ["../x.onnx", "sub/x.onnx", "{folder}/x.onnx", "..", ".", "", "sub\\x.onnx", "x\0.onnx"],
    ids=repr,
)
def test_a_sealed_file_name_that_is_no_plain_name_is_refused_though_a_file_is_there(
    folder: Path, name: str, place: str
) -> None:
    index = NAMES.index(name)
    place = place.format(folder=folder)
    original = file_of(folder, name)
    if place.endswith("/x.onnx"):
        (folder / "sub").mkdir()
        shutil.copyfile(original, folder / place)
    reseal(folder, lambda content: content["artifacts"][index].update(file=place))
    assert "malformed" in manifest_refusal(folder).problem


@pytest.mark.parametrize("size", [0, -1, 128 * 1024 * 1024 + 1, 1e300, "many", None, [1]], ids=repr)
def test_a_sealed_size_beyond_reason_is_refused(folder: Path, size: object) -> None:
    reseal(folder, lambda content: content["artifacts"][-1].update(size_bytes=size))
    assert "malformed" in manifest_refusal(folder).problem


@pytest.mark.parametrize(
    "key",
    [
        "name",
        "version",
        "file",
        "sha256",
        "size_bytes",
        "kind",
        "question",
        "lookback_bars",
        "features",
        "inputs",
        "outputs",
        "training",
        "judgements",
    ],
)
def test_a_sealed_entry_that_lacks_something_is_refused(folder: Path, key: str) -> None:
    reseal(folder, lambda content: content["artifacts"][0].pop(key))
    assert "malformed" in manifest_refusal(folder).problem


@pytest.mark.parametrize(
    "stretches",
    [None, 1, [None], [[]], [["2012-01-02"]], [["2012-01-02", "2012-01-03", "2012-01-04"]]],
    ids=repr,
)
def test_sealed_stretches_that_are_no_pairs_of_days_are_refused(
    folder: Path, stretches: object
) -> None:
    reseal(folder, lambda content: content["artifacts"][-1].update(stretches=stretches))
    assert "malformed" in manifest_refusal(folder).problem


def rising(**changed: object) -> dict[str, object]:
    return {"minimum": -1.0, "deciles": [0.1 * n for n in range(9)], "maximum": 1.0, **changed}


def test_a_sealed_training_range_is_read_and_may_be_absent(folder: Path) -> None:
    assert read_manifest(folder).model("engine").training_range == {}
    reseal(folder, lambda content: content["artifacts"][0].update(training_range={"a": rising()}))
    (known,) = read_manifest(folder).model("features").training_range.values()
    assert (known.minimum, known.maximum, len(known.deciles)) == (-1.0, 1.0, 9)


@pytest.mark.parametrize(
    "ranges",
    [
        None,
        ["a"],
        {"a": None},
        {"a": {}},
        {"a": rising(minimum=0.05)},
        {"a": rising(deciles=[0.0] * 8)},
        {"a": rising(maximum="high")},
    ],
    ids=repr,
)
def test_a_sealed_training_range_that_does_not_rise_is_refused(
    folder: Path, ranges: object
) -> None:
    reseal(folder, lambda content: content["artifacts"][0].update(training_range=ranges))
    assert "malformed" in manifest_refusal(folder).problem


@pytest.mark.parametrize("entries", [None, 1, "entries", [None], [[]], [{}]], ids=repr)
def test_sealed_entries_that_are_no_list_of_objects_are_refused(
    folder: Path, entries: object
) -> None:
    reseal(folder, lambda content: content.update(artifacts=entries))
    assert "malformed" in manifest_refusal(folder).problem


def test_a_manifest_that_names_an_artifact_twice_is_refused(folder: Path) -> None:
    # Of two entries by one name only one would be checked.
    reseal(folder, lambda content: content["artifacts"].append(content["artifacts"][0]))
    manifest_refusal(folder)


def test_an_unknown_model_names_those_that_there_are() -> None:
    manifest = read_manifest()
    with pytest.raises(UnknownModelError) as raised:
        read_artifact(manifest, "oracle")
    assert raised.value.name == "oracle"
    assert raised.value.known == tuple(NAMES)
    assert str(raised.value).startswith("There is no model 'oracle'")


def test_a_folder_without_the_engine_says_which_model_it_lacks(folder: Path) -> None:
    def drop(content: dict[str, Any]) -> None:
        kept = [entry for entry in content["artifacts"] if entry["name"] != ENGINE_NAME]
        content["artifacts"] = kept

    reseal(folder, drop)
    with pytest.raises(UnknownModelError) as raised:
        Engine(folder)
    assert raised.value.name == ENGINE_NAME


def test_the_models_are_listed_from_the_manifest_alone(folder: Path) -> None:
    for name in NAMES:
        file_of(folder, name).unlink()
    assert list_models(folder) == list_models()
    assert list_models(str(folder)) == list_models()


def test_an_artifact_read_is_what_was_sealed(folder: Path) -> None:
    manifest = read_manifest(folder)
    for name, spec in manifest.models.items():
        data = read_artifact(manifest, name)
        assert data == (folder / spec.file).read_bytes()
        assert hashlib.sha256(data).hexdigest() == spec.sha256
        assert len(data) == spec.size_bytes


def test_the_bundled_manifest_is_rendered_to_the_same_bytes_again(folder: Path) -> None:
    file = folder / MANIFEST_NAME
    assert render_manifest(content_of(folder)) == file.read_bytes()


def flips(folder: Path) -> list[tuple[str, Path, int]]:
    """Single bits, in equal shares over all that is sealed: (name, file, bit)."""
    chance = random.Random(20241231)
    files = [("manifest", folder / MANIFEST_NAME)]
    files += [(name, file_of(folder, name)) for name in NAMES]
    files += [(WALKFORWARD_KEY, folder / "walkforward.npz")]
    flipped = []
    for turn in range(FLIPS):
        name, file = files[turn % len(files)]
        flipped.append((name, file, chance.randrange(8 * file.stat().st_size)))
    return flipped


def flip(file: Path, bit: int) -> None:
    data = bytearray(file.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    file.write_bytes(data)


@pytest.mark.slow
def test_none_of_fifteen_hundred_flipped_bits_is_overlooked_or_reaches_onnxruntime(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    # Opening the intact files would take a minute; they are opened for real in the test below.
    def open_session(spec: ModelSpec, data: bytes, path: str, threads: int = 1) -> object:
        opened.append(path)
        return spec

    monkeypatch.setattr(runtime.Model, "from_bytes", open_session)
    monkeypatch.setattr("aegismatrix.engine.verify.check_golden", lambda model, case: {})
    assert verify(folder) == []
    assert len(opened) == len(NAMES)

    kinds: Counter[str] = Counter()
    for name, file, bit in flips(folder):
        opened.clear()
        original = file.read_bytes()
        flip(file, bit)
        (finding,) = verify(folder)
        # Nothing but `verify` reads the losses of the walk-forward.
        if name != WALKFORWARD_KEY:
            with pytest.raises(type(finding.error), match=re.escape(str(finding.error))):
                entry_of(name)(folder)
        assert finding.artifact == name, bit
        assert str(file) not in opened, bit
        kinds[type(finding.error).__name__] += 1
        file.write_bytes(original)

    assert kinds.keys() == {"ArtifactHashError", "ManifestError"}
    assert kinds.total() == FLIPS
    assert verify(folder) == []


def test_flipped_bits_are_refused_with_nothing_replaced(folder: Path) -> None:
    for name, file, bit in flips(folder)[:: FLIPS // 24]:
        original = file.read_bytes()
        flip(file, bit)
        if name == "manifest":
            manifest_refusal(folder)
        elif name == WALKFORWARD_KEY:
            (finding,) = verify(folder)
            assert isinstance(finding.error, ArtifactHashError)
        else:
            assert isinstance(refusal(folder, name), ArtifactHashError)
        file.write_bytes(original)
    assert verify(folder) == []


@pytest.mark.parametrize("twin", [b' "digest" : "%s",', b' "digest" : [1],'])
def test_a_second_digest_cannot_pass_for_the_first(folder: Path, twin: bytes) -> None:
    """The line that is hashed and the key that is read must be one and the same."""
    file = folder / MANIFEST_NAME
    official = read_manifest().digest
    content = json.loads(file.read_bytes())
    del content["digest"]
    content["made_with"]["numpy"] = "0"
    lines = render_manifest(content).splitlines(keepends=True)
    planted = twin.replace(b"%s", official.encode()) + b"\n"
    place = next(n for n, line in enumerate(lines) if line.startswith(b' "digest"'))
    blank = b"".join([*lines[:place], b' "digest": "",\n', planted, *lines[place + 1 :]])
    digest = hashlib.sha256(blank).hexdigest().encode()
    file.write_bytes(blank.replace(b' "digest": ""', b' "digest": "' + digest + b'"'))
    assert "stands twice" in manifest_refusal(folder).problem
