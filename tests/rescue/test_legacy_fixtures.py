"""The committed legacy files are those that their manifest describes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scripts import legacy_fixtures

LIBRARIES = {
    "numpy": {"1.24", "1.26", "2.2", "2.4"},
    "scikit-learn": {"1.3", "1.5", "1.7", "1.9"},
    "torch": {"2.13"},
    "xgboost": {"2.0", "3.0", "3.2", "3.3"},
}


@pytest.fixture(scope="module")
def legacy(repository: Path) -> Path:
    return repository / "tests" / "fixtures" / "legacy"


@pytest.fixture(scope="module")
def manifest(legacy: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((legacy / "manifest.json").read_text(encoding="utf-8"))
    return content


def test_the_folder_holds_what_the_manifest_says_and_nothing_else(
    legacy: Path, manifest: dict[str, Any]
) -> None:
    said = {"inputs.npz": manifest["inputs"]}
    for name, folder in manifest["folders"].items():
        said[f"{name}/predictions.npz"] = folder["predictions"]
        said |= {f"{name}/{entry['file']}": entry for entry in folder["files"]}
    found = {
        path.relative_to(legacy).as_posix(): path.read_bytes()
        for path in legacy.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }
    assert found.keys() == said.keys()
    for name, content in found.items():
        assert hashlib.sha256(content).hexdigest() == said[name]["sha256"], name
        assert len(content) == said[name]["size_bytes"], name


def test_the_folder_stays_small(manifest: dict[str, Any]) -> None:
    sizes = [
        entry["size_bytes"]
        for folder in manifest["folders"].values()
        for entry in (folder["predictions"], *folder["files"])
    ]
    assert sum(sizes) < 2_000_000


def test_every_version_of_every_library_is_there(manifest: dict[str, Any]) -> None:
    for library, versions in LIBRARIES.items():
        made = {
            folder["versions"][library].rpartition(".")[0]
            for folder in manifest["folders"].values()
            if library in (folder["library"], "numpy")
        }
        assert made == versions, library
    for name, folder in manifest["folders"].items():
        library = folder["library"]
        versions = folder["versions"]
        plain = versions[library].partition("+")[0]
        assert name == f"{library}-{plain}-numpy-{versions['numpy']}"


def test_what_can_be_converted_has_predictions_and_what_cannot_has_a_reason(
    legacy: Path, manifest: dict[str, Any]
) -> None:
    with np.load(legacy / "inputs.npz", allow_pickle=False) as archive:
        lengths = {name: len(archive[name]) for name in archive.files}
    for name, folder in manifest["folders"].items():
        with np.load(legacy / name / "predictions.npz", allow_pickle=False) as archive:
            recorded = {key: archive[key] for key in archive.files}
        unused = set(recorded)
        for entry in folder["files"]:
            assert entry["expected"] == ("refused" if entry["why"] else "converted"), entry
            assert bool(entry["outputs"]) == (entry["expected"] == "converted"), entry
            for output in entry["outputs"].values():
                array = recorded[output["array"]]
                assert len(array) == lengths[output["inputs"]], entry
                assert np.isfinite(array).all(), entry
                assert array.std() > 0.0, entry
            unused -= {output["array"] for output in entry["outputs"].values()}
        assert not unused, name


def test_the_recorded_inputs_are_features_of_the_sample(legacy: Path) -> None:
    made = legacy_fixtures.inputs()
    with np.load(legacy / "inputs.npz", allow_pickle=False) as archive:
        assert set(archive.files) == set(legacy_fixtures.COMMITTED)
        assert archive["names"].tolist() == made["names"].tolist()
        for name in ("rows", "rows_missing", "windows"):
            np.testing.assert_allclose(archive[name], made[name], rtol=1e-6, atol=1e-6)


def test_recorded_rows_were_not_trained_on() -> None:
    made = legacy_fixtures.inputs()
    trained = {row.tobytes() for row in made["train"]}
    assert len(trained) == legacy_fixtures.TRAIN_ROWS
    assert not trained & {row.tobytes() for row in made["rows"]}


def test_checkpoints_hold_the_parameters_of_this_projects_network(
    legacy: Path, manifest: dict[str, Any]
) -> None:
    pytest.importorskip("torch", reason="needs the extra train")
    from aegismatrix_factory.heads.network import HIDDEN, Network

    (name,) = (name for name in manifest["folders"] if name.startswith("torch-"))
    own = Network(len(legacy_fixtures.FEATURES), np.full((6, 3), 1 / 3)).state_dict()
    assert HIDDEN == 8
    # A checkpoint is a zip archive that names what it holds in plain text.
    content = (legacy / name / "network_8.pt").read_bytes()
    for parameter in own:
        assert parameter.encode() in content, parameter
    numbers = sum(value.numel() * 4 for value in own.values())
    assert numbers < len(content) < 3 * numbers
