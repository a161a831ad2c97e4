"""A folder of real legacy files becomes sealed artifacts that answer as their makers recorded."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aegismatrix_factory.commands.rescue import summary
from aegismatrix_factory.rescue.folder import RescueFolderError, render_report, rescue
from aegismatrix_factory.rescue.reading.limits import Limits
from aegismatrix_factory.rescue.verdicts import CONVERTED, Rescued
from numpy.typing import NDArray

from aegismatrix.artifacts.manifest import read_manifest
from aegismatrix.desk.cli.main import main as command
from aegismatrix.engine.model import Model, load_models
from aegismatrix.engine.verify import verify
from aegismatrix.errors import ContractError
from scripts import legacy_loads
from scripts.rescue import main
from tests.pickles import Instance, Writer

LEGACY = Path(__file__).parents[1] / "fixtures" / "legacy"
MADE: dict[str, Any] = json.loads((LEGACY / "manifest.json").read_text(encoding="utf-8"))
FILES = {
    f"{folder}/{entry['file']}": (folder, made["library"], entry)
    for folder, made in MADE["folders"].items()
    for entry in made["files"]
}
TO_CONVERT = sorted(name for name, made in FILES.items() if made[2]["expected"] == "converted")
# These had no converter when the manifest was made.
CONVERTED_SINCE = {"vector_machine", "linear", "categorical"}
TO_REFUSE = sorted(
    name
    for name, made in FILES.items()
    if made[2]["expected"] == "refused" and made[2]["holds"] not in CONVERTED_SINCE
)
CODES = {
    "nan weights": {"non-finite"},
    "unknown class": {"unknown-class", "whole-module"},
    "truncated": {"truncated", "malformed"},
}
TOLERANCE = 1e-6
# What a maker recorded beside what its model says: parts of the way there, or of fewer rounds.
OTHER_CALLS = {"attention", "context", "predict_margin", "predict_to_best"}

Answers = Mapping[str, NDArray[Any]]


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("rescued") / "new"
    return folder


@pytest.fixture(scope="module")
def verdicts(new: Path) -> dict[str, Rescued]:
    return {one.file: one for one in rescue(LEGACY, new)}


@pytest.fixture(scope="module")
def models(new: Path, verdicts: dict[str, Rescued]) -> dict[str, Model]:
    assert verdicts
    return load_models(new)


@pytest.fixture(scope="module")
def inputs() -> Answers:
    with np.load(LEGACY / "inputs.npz", allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A small folder: a forest, a pipeline, an engine of a class of its own, a note."""
    folder = tmp_path / "old"
    (folder / "deep").mkdir(parents=True)
    made = LEGACY / "scikit-learn-1.5.2-numpy-1.26.4"
    for name, target in (
        ("forest_classifier.p4.pkl", "forest.pkl"),
        ("pipeline.joblib.pkl", "deep/pipeline.joblib"),
        ("foreign_class.p4.pkl", "trap.pkl"),
    ):
        (folder / target).write_bytes((made / name).read_bytes())
    (folder / "notes.txt").write_text("mine", encoding="utf-8")
    return folder


def needs_lz4(name: str) -> None:
    if ".lz4." in name:
        pytest.importorskip("lz4", reason="lz4 is not installed (extra rescue)")


def hashes(folder: Path) -> dict[str, str]:
    return {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def said(models: Mapping[str, Model], verdict: Rescued, x: NDArray[np.float64]) -> NDArray[Any]:
    """What the rescued models of a file say; a scaler beside a model is applied by hand."""
    (result,) = _others(models, verdict, x)
    return result


def _others(models: Mapping[str, Model], verdict: Rescued, x: NDArray[Any]) -> list[NDArray[Any]]:
    own = {one.entry["provenance"]["key"]: models[one.entry["name"]] for one in verdict.artifacts}
    if "scaler" in own:
        x = own.pop("scaler").run(x=x)["scaled"]
    return [next(iter(model.run_validated({"x": x}).values())) for model in own.values()]


@pytest.mark.parametrize("name", TO_CONVERT)
def test_a_converted_model_answers_what_its_maker_recorded(
    name: str, verdicts: dict[str, Rescued], models: dict[str, Model], inputs: Answers
) -> None:
    needs_lz4(name)
    folder, _, entry = FILES[name]
    verdict = verdicts[name]
    assert verdict.verdict == "converted", verdict.refusal
    assert verdict.sha256 == entry["sha256"]
    calls = {call: made for call, made in entry["outputs"].items() if call not in OTHER_CALLS}
    assert calls
    with np.load(LEGACY / folder / "predictions.npz", allow_pickle=False) as recorded:
        for made in calls.values():
            expected = recorded[made["array"]].astype(np.float64)
            given = said(models, verdict, inputs[made["inputs"]].astype(np.float64))
            if made["array"].endswith(".probability"):
                raised = np.exp(given.reshape(expected.shape))
                given = raised / raised.sum(axis=2, keepdims=True)
            elif made["array"].endswith(".logits"):
                given = given.reshape(expected.shape)
            elif expected.ndim < given.ndim:
                given = given[:, 1]
            assert given.shape == expected.shape
            regression = "Regressor" in entry["class"] or "squared" in name
            scale = np.abs(expected) if regression else 1.0
            assert (np.abs(given - expected) <= TOLERANCE * scale).all()


def test_the_best_iteration_of_the_recorded_boosters_matters() -> None:
    for folder in (one for one in MADE["folders"] if one.startswith("xgboost")):
        with np.load(LEGACY / folder / "predictions.npz", allow_pickle=False) as recorded:
            whole, best = (recorded[f"booster_logistic.predict{end}"] for end in ("", "_to_best"))
        assert np.abs(whole - best).max() > 0.01


@pytest.mark.parametrize("name", TO_REFUSE)
def test_what_cannot_be_converted_is_refused_with_its_reason(
    name: str, verdicts: dict[str, Rescued]
) -> None:
    verdict = verdicts[name]
    assert verdict.verdict == "refused"
    assert verdict.refusal is not None
    assert verdict.refusal.code in CODES[FILES[name][2]["why"]]
    assert verdict.refusal.reason
    assert verdict.refusal.remedy.endswith(".")
    assert verdict.artifacts == ()


@pytest.mark.parametrize("name", TO_CONVERT)
def test_a_file_that_was_measured_to_load_and_lie_carries_a_warning(
    name: str, verdicts: dict[str, Rescued]
) -> None:
    needs_lz4(name)
    folder, library, entry = FILES[name]
    measured = json.loads(legacy_loads.MEASURED.read_text(encoding="utf-8"))
    written = MADE["folders"][folder]["versions"][library]
    loaded = measured.get(library, {}).get(written, {})
    alike = {one["file"] for _, _, one in FILES.values() if one["holds"] == entry["holds"]}
    fates = [
        legacy_loads.outcome(outcome)[0]
        for files in loaded.values()
        for file, outcome in files.items()
        if file in alike
    ]
    lies = any("wrong" in fate for fate in fates)
    warned = any("answer other numbers" in warning for warning in verdicts[name].warnings)
    if lies:
        assert warned
    elif fates:
        assert not warned


def test_the_new_folder_is_sealed_as_the_library_seals(
    new: Path, verdicts: dict[str, Rescued], inputs: Answers
) -> None:
    assert verify(new) == []
    manifest = read_manifest(new)
    sealed = sum(len(one.artifacts) for one in verdicts.values())
    assert len(manifest.models) == sealed > 100
    for spec in manifest.models.values():
        assert (spec.kind, spec.rows, spec.lookback_bars) == ("rescued", 1, 1)
        assert (spec.training, spec.judgements) == ((), ())
    listed = json.loads((new / "report.json").read_bytes())
    report = manifest.content["report"]
    assert report["sha256"] == hashlib.sha256((new / "report.json").read_bytes()).hexdigest()
    provenance = {
        entry["name"]: entry["provenance"]["sha256"]
        for file in listed["files"]
        for entry in file["artifacts"]
    }
    assert provenance == {
        entry["name"]: entry["provenance"]["sha256"] for entry in manifest.content["artifacts"]
    }


def test_a_rescued_model_runs_in_the_package_and_takes_no_nan(
    models: dict[str, Model], verdicts: dict[str, Rescued], inputs: Answers
) -> None:
    (artifact,) = verdicts["xgboost-3.2.0-numpy-2.4.6/classifier.joblib.pkl"].artifacts
    model = models[artifact.entry["name"]]
    assert model.run(x=inputs["rows"])["probability"].shape == (len(inputs["rows"]), 2)
    assert artifact.entry["takes_missing"] is True
    with pytest.raises(ContractError, match="NaN"):
        model.run(x=inputs["rows_missing"])


def test_every_proof_says_what_it_ran_and_how_close_it_came(
    verdicts: dict[str, Rescued],
) -> None:
    checks = [
        (artifact.entry, artifact.entry["checks"])
        for one in verdicts.values()
        for artifact in one.artifacts
    ]
    for entry, check in checks:
        assert check["runtime"].startswith("onnxruntime ")
        assert check["random_rows"] >= 24
        assert check["largest_difference"] <= check["tolerance"] <= 1e-5
        kind = entry["provenance"]["class"]
        bounded = any(one in kind for one in ("Forest", "Extra", "SVC"))
        trees = "xgboost" in entry["version"] and "booster" not in entry["details"]
        assert (check["boundary_rows"] > 0) == (bounded or trees)
        assert (check["missing_rows"] > 0) == entry["takes_missing"]


def test_the_old_folder_is_left_as_it_was(old: Path, tmp_path: Path) -> None:
    before = hashes(old)
    rescue(old, tmp_path / "new")
    assert hashes(old) == before
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["new", "old"]


def test_every_file_of_the_old_folder_has_a_verdict(old: Path, tmp_path: Path) -> None:
    found = {one.file: one.verdict for one in rescue(old, tmp_path / "new")}
    assert found == {
        "deep/pipeline.joblib": "converted",
        "forest.pkl": "converted",
        "notes.txt": "not a model file",
        "trap.pkl": "refused",
    }
    assert sorted(entry.name for entry in (tmp_path / "new").iterdir()) == [
        "forest.onnx",
        "manifest.json",
        "pipeline.onnx",
        "report.json",
        "trap.requirements.txt",
    ]


def test_the_report_is_strict_json_and_the_same_each_time(old: Path, tmp_path: Path) -> None:
    found = rescue(old, tmp_path / "new")
    first = hashes(tmp_path / "new")
    written = (tmp_path / "new" / "report.json").read_bytes()
    assert written == render_report(found, Limits())
    content = json.loads(written, parse_constant=pytest.fail)
    assert content["counts"] == {"converted": 2, "refused": 1, "not a model file": 1}
    assert [file["file"] for file in content["files"]] == [one.file for one in found]
    refusal = next(one for one in content["files"] if one["file"] == "trap.pkl")["refusal"]
    assert refusal.keys() == {"code", "reason", "remedy"}
    rescue(old, tmp_path / "new")
    assert hashes(tmp_path / "new") == first


def test_files_of_one_name_get_artifacts_of_different_names(old: Path, tmp_path: Path) -> None:
    data = (old / "forest.pkl").read_bytes()
    (old / "deep" / "FOREST.pkl").write_bytes(data)
    (old / "deep" / "forest.pickle").write_bytes(data)
    (old / "deep-forest.pkl").write_bytes(data)
    (old / "a b\t.pkl").write_bytes(data)
    found = rescue(old, tmp_path / "new")
    names = [str(artifact.entry["file"]) for one in found for artifact in one.artifacts]
    assert len({name.casefold() for name in names}) == len(names) == 6
    assert "a_b_.onnx" in names
    assert verify(tmp_path / "new") == []


def test_names_that_are_not_ascii_are_written_with_escapes(old: Path, tmp_path: Path) -> None:
    named = LEGACY / "scikit-learn-1.5.2-numpy-1.26.4" / "logistic_named_classes.p2.pkl"
    down, escape = (f"{first}own".encode("utf-32-le") for first in ("d", "\x1b"))
    data = named.read_bytes()
    assert down in data
    data = data.replace(down, escape)
    (old / "modèle\n.pkl").write_bytes(data)
    (verdict,) = (one for one in rescue(old, tmp_path / "new") if one.file.startswith("mod"))
    assert verdict.verdict == CONVERTED
    assert "\\x1bown" in verdict.artifacts[0].entry["outputs"][0]["columns"]
    assert verdict.artifacts[0].entry["question"].endswith("of mod\\xe8le\\n.pkl say?")
    assert verify(tmp_path / "new") == []


def test_names_of_columns_and_classes_in_any_script_and_length_are_kept(
    old: Path, tmp_path: Path
) -> None:
    columns = ["Alkoholunfälle", "日本" * 60]
    classes = ["São Paulo", "São Tomé", "x" * 300 + "1", "x" * 300 + "2"]
    state = {
        "n_features_in_": 2,
        "feature_names_in_": np.array(columns),
        "classes_": np.array(classes),
        "coef_": np.arange(8.0).reshape(4, 2),
        "intercept_": np.zeros(4),
        "_sklearn_version": "1.8.0",
    }
    model = Instance("sklearn.linear_model._logistic", "LogisticRegression", state)
    (old / "named.pkl").write_bytes(Writer(4).dumps(model))
    found = {one.file: one for one in rescue(old, tmp_path / "new")}
    assert found["named.pkl"].verdict == CONVERTED, found["named.pkl"].refusal
    (artifact,) = found["named.pkl"].artifacts
    assert artifact.entry["details"]["feature_names"] == columns
    assert artifact.entry["details"]["classes"] == classes
    assert len(set(artifact.entry["outputs"][0]["columns"])) == 4
    assert verify(tmp_path / "new") == []


def test_a_part_of_a_dictionary_does_not_take_the_name_of_another_file(
    old: Path, tmp_path: Path
) -> None:
    made = LEGACY / "scikit-learn-1.5.2-numpy-1.26.4" / "bundle.p4.pkl"
    (old / "forest-model.pkl").write_bytes((old / "forest.pkl").read_bytes())
    (old / "forest.pkl").write_bytes(made.read_bytes())
    found = rescue(old, tmp_path / "new")
    names = {one.file: [a.entry["file"] for a in one.artifacts] for one in found if one.artifacts}
    assert names["forest-model.pkl"] == ["forest-model.onnx"]
    assert names["forest.pkl"] == ["forest-model-2.onnx", "forest-scaler.onnx"]
    assert verify(tmp_path / "new") == []


def test_an_artifact_says_which_file_it_came_from(old: Path, tmp_path: Path) -> None:
    import onnx

    found = {one.file: one for one in rescue(old, tmp_path / "new")}
    (artifact,) = found["forest.pkl"].artifacts
    graph = onnx.load_from_string((tmp_path / "new" / "forest.onnx").read_bytes())
    stamped = json.loads({prop.key: prop.value for prop in graph.metadata_props}["aegismatrix"])
    digest = hashlib.sha256((old / "forest.pkl").read_bytes()).hexdigest()
    assert stamped["provenance"] == artifact.entry["provenance"]
    assert stamped["provenance"]["sha256"] == digest == found["forest.pkl"].sha256


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes among its files")
def test_links_that_lead_out_and_what_is_no_file_are_refused(old: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.pkl").write_bytes((old / "forest.pkl").read_bytes())
    (old / "out.pkl").symlink_to(outside / "secret.pkl")
    (old / "folder").symlink_to(outside)
    (old / "inside.pkl").symlink_to(old / "forest.pkl")
    (old / "broken.pkl").symlink_to(old / "gone.pkl")
    (old / "round.pkl").symlink_to(old / "round.pkl")
    os.mkfifo(old / "pipe.pkl")
    found = {one.file: one for one in rescue(old, tmp_path / "new")}
    codes = {name: one.refusal.code for name, one in found.items() if one.refusal is not None}
    assert codes == {
        "out.pkl": "link",
        "folder": "link",
        "broken.pkl": "unreadable",
        "round.pkl": "unreadable",
        "pipe.pkl": "unreadable",
        "trap.pkl": "unknown-class",
    }
    assert found["inside.pkl"].verdict == "converted"


@pytest.mark.parametrize("place", ["old", "old/new", "."])
def test_a_new_folder_that_touches_the_old_one_is_refused(
    place: str, old: Path, tmp_path: Path
) -> None:
    before = hashes(tmp_path)
    with pytest.raises(RescueFolderError, match="inside of the other"):
        rescue(old, tmp_path / place)
    assert hashes(tmp_path) == before


def test_artifacts_that_no_rescue_wrote_are_never_replaced(
    old: Path, tmp_path: Path, repository: Path
) -> None:
    sealed = tmp_path / "sealed"
    shutil.copytree(repository / "models_onnx", sealed)
    with pytest.raises(RescueFolderError, match="no rescue wrote"):
        rescue(old, sealed)
    assert hashes(sealed) == hashes(repository / "models_onnx")
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "work.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(RescueFolderError, match="no rescue wrote"):
        rescue(old, mine)
    assert hashes(mine) == {"work.txt": hashlib.sha256(b"mine").hexdigest()}


def held(path: Path, files: dict[str, str]) -> Path:
    path.mkdir()
    for name, content in files.items():
        (path / name).write_text(content, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "files",
    [
        {"training.json": "{}", "estimators.npz": "mine"},
        {"manifest.json": "x", "report.json": "x", "precious": "mine"},
    ],
)
def test_a_folder_that_only_looks_like_one_of_a_rescue_is_left_alone(
    files: dict[str, str], old: Path, tmp_path: Path
) -> None:
    new = held(tmp_path / "new", files)
    before = hashes(new)
    with pytest.raises(RescueFolderError, match="no rescue wrote"):
        rescue(old, new)
    assert hashes(new) == before


def test_somebodys_file_beside_rescued_models_is_left_alone(old: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    rescue(old, new)
    rescue(old, new)
    (new / "precious").write_text("mine", encoding="utf-8")
    with pytest.raises(RescueFolderError, match="no rescue wrote"):
        rescue(old, new)
    assert (new / "precious").read_text(encoding="utf-8") == "mine"


def test_the_verdicts_are_verified_with_the_models(old: Path, tmp_path: Path) -> None:
    rescue(old, tmp_path / "new")
    (tmp_path / "new" / "report.json").write_text("{}", encoding="utf-8")
    (finding,) = verify(tmp_path / "new")
    assert finding.artifact == "report"


def test_a_name_that_some_systems_take_for_a_device_is_avoided(old: Path, tmp_path: Path) -> None:
    data = (old / "forest.pkl").read_bytes()
    for name in ("CON.pkl", "nul.joblib", "com1.x.pkl"):
        (old / name).write_bytes(data)
    names = {a.entry["file"] for one in rescue(old, tmp_path / "new") for a in one.artifacts}
    assert {"model-CON.onnx", "model-nul.onnx", "model-com1.x.onnx"} <= names
    assert verify(tmp_path / "new") == []


def test_more_models_than_one_manifest_seals_are_refused_in_time(
    old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aegismatrix_factory.rescue.folder.MAX_ARTIFACTS", 1)
    seen: list[object] = []
    with pytest.raises(RescueFolderError, match=r"one manifest seals .* Split it: put"):
        rescue(old, tmp_path / "new", report=seen.append)
    assert seen == []
    assert not (tmp_path / "new").exists()


def test_artifacts_that_weigh_more_than_one_manifest_seals_are_refused(
    old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aegismatrix_factory.rescue.folder.MAX_FOLDER_BYTES", 1)
    with pytest.raises(RescueFolderError, match="Split it"):
        rescue(old, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_folder_without_a_model_file_leaves_nothing(tmp_path: Path) -> None:
    held(tmp_path / "old", {"notes.txt": "mine"})
    with pytest.raises(RescueFolderError, match="no model file"):
        rescue(tmp_path / "old", tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("limit", ["inf", "nan", "0", "99999999999999999999"])
def test_a_limit_that_is_none_is_refused(limit: str, old: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([str(old), str(tmp_path / "new"), "--limit-seconds", limit])
    assert stopped.value.code == 2


def test_a_new_folder_whose_name_no_system_takes_is_refused(old: Path, tmp_path: Path) -> None:
    with pytest.raises(RescueFolderError):
        rescue(old, tmp_path / ("n" * 300))


@pytest.mark.parametrize("place", ["nowhere", "old/forest.pkl"])
def test_an_old_folder_that_is_none_is_refused(place: str, old: Path, tmp_path: Path) -> None:
    with pytest.raises(RescueFolderError, match="cannot be used"):
        rescue(tmp_path / place, tmp_path / "new")


def test_an_interrupted_rescue_leaves_what_was_there(old: Path, tmp_path: Path) -> None:
    rescue(old, tmp_path / "new")
    before = hashes(tmp_path)

    def interrupt(one: Rescued) -> None:
        if one.verdict == "converted":
            raise KeyboardInterrupt

    for target in ("new", "other"):
        with pytest.raises(KeyboardInterrupt):
            rescue(old, tmp_path / target, report=interrupt)
    assert hashes(tmp_path) == before
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["new", "old"]


def test_a_file_beyond_a_limit_is_refused_and_the_others_are_not(old: Path, tmp_path: Path) -> None:
    small = (old / "deep" / "pipeline.joblib").stat().st_size
    found = {one.file: one for one in rescue(old, tmp_path / "new", Limits(file_bytes=small))}
    refusal = found["forest.pkl"].refusal
    assert refusal is not None
    assert refusal.code == "limit-file-bytes"
    assert found["deep/pipeline.joblib"].verdict == "converted"


def test_a_model_that_no_library_could_have_written_is_refused(tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    state = {
        "with_mean": True,
        "with_std": True,
        "n_features_in_": 2,
        "mean_": np.array([1.0, math.inf]),
        "scale_": np.ones(2),
        "_sklearn_version": "1.5.2",
    }
    spoilt = Instance("sklearn.preprocessing._data", "StandardScaler", state)
    (old / "spoilt.pkl").write_bytes(Writer(4).dumps(spoilt))
    huge = Instance("sklearn.preprocessing._data", "StandardScaler", {**state, "mean_": None})
    (old / "huge.pkl").write_bytes(Writer(2).dumps(huge))
    found = {one.file: one.refusal for one in rescue(old, tmp_path / "new")}
    assert found["spoilt.pkl"] is not None
    assert found["spoilt.pkl"].code == "non-finite"
    assert found["huge.pkl"] is not None
    assert found["huge.pkl"].code == "inconsistent-model"


def test_the_table_names_each_file_its_verdict_and_why(old: Path, tmp_path: Path) -> None:
    lines = summary(rescue(old, tmp_path / "new")).splitlines()
    assert lines[0].split() == ["file", "verdict", "what", "was", "checked,", "or", "why", "not"]
    assert [line.split()[0] for line in lines[1:5]] == [
        "deep/pipeline.joblib",
        "forest.pkl",
        "notes.txt",
        "trap.pkl",
    ]
    assert "forest.onnx: RandomForestClassifier (scikit-learn 1.5.2)" in lines[2]
    assert "unknown-class: it holds an unknown class" in lines[4]
    assert lines[-1] == "2 converted, 1 refused, 1 not a model file"


def test_the_table_shows_no_control_characters_of_a_file_name(old: Path, tmp_path: Path) -> None:
    (old / "a\x1b[31m.pkl").write_bytes(b"")
    table = summary(rescue(old, tmp_path / "new"))
    assert "\x1b" not in table
    assert "\\x1b[31m.pkl" in table


def test_the_script_exits_by_what_it_found(
    old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(old), str(tmp_path / "new")]) == 1
    assert capsys.readouterr().out.endswith("2 converted, 1 refused, 1 not a model file\n")
    (old / "trap.pkl").unlink()
    assert main([str(old), str(tmp_path / "new"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["counts"]["converted"] == 2
    empty = tmp_path / "empty"
    empty.mkdir()
    assert main([str(empty), str(tmp_path / "none")]) == 2
    assert "no model file" in capsys.readouterr().err
    assert main([str(tmp_path / "gone"), str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err.startswith("rescue: ")


@pytest.mark.parametrize(
    "options",
    [["--limit-seconds", "0"], ["--limit-depth", "-1"], ["--limit-seconds", "nan"], ["x"]],
)
def test_arguments_that_make_no_sense_end_with_status_2(options: list[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        main([str(tmp_path), str(tmp_path / "new"), *options])
    assert ended.value.code == 2


def test_a_limit_can_be_given_on_the_command_line(
    old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(old), str(tmp_path / "new"), "--limit-opcodes", "5", "--json"]) == 1
    content = json.loads(capsys.readouterr().out)
    assert content["limits"]["opcodes"] == 5
    assert content["counts"]["refused"] == 3


def test_the_command_line_says_that_a_rescued_model_was_never_judged(
    old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rescue(old, tmp_path / "new")
    assert command(["models", "--models", str(tmp_path / "new")]) == 0
    assert (
        "forest scikit-learn 1.5.2: rescued: training data unknown, never"
        " judged" in capsys.readouterr().out
    )
    assert command(["verify", str(tmp_path / "new")]) == 0


WITHOUT = """
import sys
from importlib.machinery import PathFinder

class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            return None
        return super().find_spec(name, path, target)

BLOCKED = set(sys.argv.pop(1).split(","))
sys.meta_path = [Without if finder is PathFinder else finder for finder in sys.meta_path]
from scripts.rescue import main
status = main(sys.argv[1:])
foreign = {name.partition(".")[0] for name in sys.modules} & BLOCKED
print(sorted(foreign), file=sys.stderr)
sys.exit(status)
"""


@pytest.mark.parametrize("runtime", ["onnxruntime", "onnx.reference"])
def test_a_rescue_needs_numpy_and_onnx_alone(
    runtime: str, old: Path, tmp_path: Path, repository: Path
) -> None:
    made = LEGACY / "xgboost-3.2.0-numpy-2.4.6" / "classifier.joblib.pkl"
    (old / "classifier.pkl").write_bytes(made.read_bytes())
    made = LEGACY / "torch-2.13.0-numpy-2.4.6" / "network_8.pt"
    (old / "network.pt").write_bytes(made.read_bytes())
    blocked = "sklearn,xgboost,torch,skl2onnx,spox,scipy,pandas,joblib,skops,onnxscript,pickle5"
    if runtime == "onnx.reference":
        blocked += ",onnxruntime"
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, blocked, str(old), str(tmp_path / "new"), "--json"],
        cwd=repository,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert done.stderr.splitlines()[-1] == "[]"
    content = json.loads(done.stdout)
    assert content["counts"] == {"converted": 4, "refused": 1, "not a model file": 1}
    runtimes = {
        artifact["checks"]["runtime"].partition(" ")[0]
        for file in content["files"]
        for artifact in file["artifacts"]
    }
    assert runtimes == {runtime}


def test_the_script_runs_by_itself(old: Path, tmp_path: Path, repository: Path) -> None:
    done = subprocess.run(
        [sys.executable, "scripts/rescue.py", str(old), str(tmp_path / "new")],
        cwd=repository,
        env={**os.environ, "PYTHONPATH": f"{repository / 'src'}{os.pathsep}{repository}"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert done.stdout.endswith("2 converted, 1 refused, 1 not a model file\n")
    assert verify(tmp_path / "new") == []


def test_the_example_in_the_document_is_what_the_script_prints(
    tmp_path: Path, repository: Path
) -> None:
    text = (repository / "docs" / "rescue.md").read_text(encoding="utf-8")
    shown = re.search(r"<!-- rescue -->\n```\n(.*?)\n```\n<!-- end of rescue -->", text, re.DOTALL)
    assert shown is not None
    printed = summary(rescue(LEGACY / "torch-2.13.0-numpy-2.4.6", tmp_path / "new"))
    # How close a runtime comes differs between machines; that it comes as close does not.
    figure = re.compile(r"difference \S+")
    assert figure.sub("", shown[1]) == figure.sub("", printed)


def test_every_code_of_a_refusal_is_in_the_document(repository: Path) -> None:
    text = (repository / "docs" / "rescue.md").read_text(encoding="utf-8")
    for file in (repository / "exporters/aegismatrix_factory/rescue/converting").rglob("*.py"):
        for code in re.findall(r'code="([a-z-]+)"', file.read_text(encoding="utf-8")):
            assert f"`{code}`" in text or code.startswith("limit-"), code


def test_the_report_has_the_fields_that_the_document_names(
    verdicts: dict[str, Rescued], repository: Path
) -> None:
    text = (repository / "docs" / "rescue.md").read_text(encoding="utf-8")
    content = json.loads(render_report(tuple(verdicts.values()), Limits()))
    fields = set(content) | {f"files[].{name}" for name in content["files"][0]}
    fields = {"files[].artifacts[]" if name == "files[].artifacts" else name for name in fields}
    for name in fields - {"files"}:
        assert f"`{name}`" in text, name
