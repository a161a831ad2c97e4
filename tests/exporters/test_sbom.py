"""The bill of materials lists what is shipped, by CycloneDX's rules, and can be made again."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from aegismatrix import __version__
from aegismatrix.artifacts.manifest import MANIFEST_NAME, find_artifacts, read_manifest
from scripts.sbom import EPOCH, main

NEW_YEAR_2026 = "1767225600"


@pytest.fixture(autouse=True)
def build_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(EPOCH, NEW_YEAR_2026)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "aegismatrix.cdx.json"


def written(out: Path, *arguments: str) -> dict[str, Any]:
    assert main(["--out", str(out), *arguments]) == 0
    text = out.read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    content: dict[str, Any] = json.loads(text)
    return content


def properties(component: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["value"] for one in component.get("properties", [])}


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_validator_refuses_what_is_no_bill_of_materials(out: Path) -> None:
    content = written(out)
    content["components"][0]["kind"] = "one field more"
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(content)) is not None


def test_every_sealed_file_is_listed_with_the_hash_of_its_bytes(out: Path) -> None:
    content, manifest = written(out), read_manifest()
    found = {
        properties(one)["aegismatrix:file"]: one
        for one in content["components"]
        if one["bom-ref"].startswith("artifact:")
    }
    sealed = {spec.file for spec in manifest.models.values()}
    assert found.keys() == {*sealed, *(one.file for one in manifest.attachments.values())}
    for file, one in found.items():
        assert one["hashes"] == [{"alg": "SHA-256", "content": sha256(find_artifacts() / file)}]
        assert one["type"] == ("machine-learning-model" if file in sealed else "data")
    for spec in manifest.models.values():
        assert found[spec.file]["version"] == spec.version
        assert found[spec.file]["description"] == spec.question


def test_the_package_says_which_manifest_and_what_made_the_artifacts(out: Path) -> None:
    package = written(out)["metadata"]["component"]
    manifest = read_manifest()
    assert (package["name"], package["version"]) == ("aegismatrix", __version__)
    assert package["purl"] == f"pkg:pypi/aegismatrix@{__version__}"
    assert package["licenses"] == [{"expression": "MIT"}]
    said = properties(package)
    assert said.pop("aegismatrix:manifest:digest") == manifest.digest
    assert said.pop("aegismatrix:manifest.json:sha256") == sha256(find_artifacts() / MANIFEST_NAME)
    made_with = manifest.content["made_with"]
    assert said == {f"aegismatrix:made_with:{name}": made_with[name] for name in made_with}


def test_what_the_package_needs_is_listed_as_it_is_installed_here_with_what_that_needs(
    out: Path,
) -> None:
    content = written(out)
    libraries = {one["name"]: one for one in content["components"] if one["type"] == "library"}
    assert libraries.keys() >= {"numpy", "onnxruntime", "protobuf", "flatbuffers"}
    assert "pandas" not in libraries
    for name, one in libraries.items():
        assert one["version"] == version(name)
        assert one["purl"] == one["bom-ref"] == f"pkg:pypi/{name}@{version(name)}"
        assert one["licenses"]
    needs = {one["ref"]: one.get("dependsOn", []) for one in content["dependencies"]}
    package = needs[f"pkg:pypi/aegismatrix@{__version__}"]
    assert {ref for ref in package if ref.startswith("pkg:")} == {
        libraries["numpy"]["bom-ref"],
        libraries["onnxruntime"]["bom-ref"],
    }
    assert libraries["protobuf"]["bom-ref"] in needs[libraries["onnxruntime"]["bom-ref"]]
    assert needs.keys() == {
        content["metadata"]["component"]["bom-ref"],
        *(one["bom-ref"] for one in content["components"]),
    }


@pytest.mark.slow
def test_the_same_inputs_give_the_same_bytes_and_others_another_serial_number(
    out: Path, tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = written(out)
    assert first["metadata"]["timestamp"] == "2026-01-01T00:00:00+00:00"
    data = out.read_bytes()
    for seed in ("1", "2"):
        again = tmp_path / f"again-{seed}.json"
        subprocess.run(
            [sys.executable, "scripts/sbom.py", "--out", str(again)],
            cwd=repository,
            env={
                **os.environ,
                "PYTHONHASHSEED": seed,
                "PYTHONPATH": os.pathsep.join([str(repository / "src"), str(repository)]),
            },
            check=True,
            capture_output=True,
        )
        assert again.read_bytes() == data
    monkeypatch.setenv(EPOCH, str(int(NEW_YEAR_2026) + 1))
    later = written(out)
    assert later["metadata"]["timestamp"] == "2026-01-01T00:00:01+00:00"
    assert later["serialNumber"] != first["serialNumber"]


def test_built_files_are_listed_with_their_hash(out: Path, tmp_path: Path) -> None:
    wheel = tmp_path / "aegismatrix-0-py3-none-any.whl"
    wheel.write_bytes(b"a wheel")
    (reference,) = written(out, "--dist", str(wheel))["metadata"]["component"]["externalReferences"]
    assert reference == {
        "type": "distribution",
        "url": wheel.name,
        "hashes": [{"alg": "SHA-256", "content": sha256(wheel)}],
    }


@pytest.mark.parametrize("text", [None, "", "yesterday", "1e9", "9" * 30])
def test_without_a_time_that_can_be_given_again_nothing_is_written(
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    text: str | None,
) -> None:
    if text is None:
        monkeypatch.delenv(EPOCH)
    else:
        monkeypatch.setenv(EPOCH, text)
    assert main(["--out", str(out)]) == 2
    assert f"{EPOCH}=$(git log" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize("name", ["engine.onnx", "walkforward.npz", MANIFEST_NAME])
def test_a_folder_that_is_not_as_it_was_sealed_has_no_bill_of_materials(
    out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    folder = Path(shutil.copytree(find_artifacts(), tmp_path / "models"))
    (folder / name).write_bytes(b"cut")
    assert main(["--out", str(out), "--models", str(folder)]) == 2
    assert str(folder / name) in capsys.readouterr().err
    assert not out.exists()


def test_a_built_file_that_is_not_there_is_an_error(
    out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--out", str(out), "--dist", str(tmp_path / "none.whl")]) == 2
    assert "none.whl" in capsys.readouterr().err
    assert not out.exists()


def test_without_the_extra_the_error_names_it(
    out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "cyclonedx.output.json", None)
    assert main(["--out", str(out)]) == 2
    assert ".[release]" in capsys.readouterr().err


def test_a_document_that_is_not_valid_is_not_written(
    out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(JsonStrictValidator, "validate_str", lambda *_: "a field is wrong")
    assert main(["--out", str(out)]) == 2
    assert "a field is wrong" in capsys.readouterr().err
    assert not out.exists()
