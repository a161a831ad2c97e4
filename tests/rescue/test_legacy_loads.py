"""What was measured about pickles that cross versions, and what the documents say about it."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scripts.legacy_loads import MEASURED, PROBE, VENVS, outcome, tables

NUMPY_1, NUMPY_2 = ("1.24.4", "1.26.0", "1.26.1", "1.26.4"), ("2.0.2", "2.4.6")
BASE_SCORE = 0.3
UP_TO_3_0, FROM_3_1 = ("2.0.3", "2.1.4", "3.0.5"), ("3.1.3", "3.2.0")


@pytest.fixture(scope="module")
def measured() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(MEASURED.read_text(encoding="utf-8"))
    return content


def test_every_pair_of_versions_was_measured(measured: dict[str, Any]) -> None:
    assert measured.keys() == VENVS.keys()
    for library, venvs in VENVS.items():
        assert list(measured[library]) == list(venvs)
        for written in venvs:
            assert list(measured[library][written]) == list(venvs)
            files = {tuple(found) for found in measured[library][written].values()}
            assert len(files) == 1
            assert len(files.pop()) > 10


def test_under_the_version_that_dumped_it_everything_answers_as_recorded(
    measured: dict[str, Any],
) -> None:
    for library, venvs in VENVS.items():
        for version in venvs:
            for file, result in measured[library][version][version].items():
                assert outcome(result) == ("loads", None), (library, version, file)


def test_numpy_2_loads_what_numpy_1_dumped(measured: dict[str, Any]) -> None:
    for written in NUMPY_1:
        for loaded in NUMPY_2:
            for file, result in measured["numpy"][written][loaded].items():
                words, _ = outcome(result)
                assert words == ("loads, warns" if result["warnings"] else "loads"), file
                assert not result["warnings"] or ".p5." in file


def test_numpy_1_knows_the_new_name_from_1_26_1_on_and_not_all_of_it(
    measured: dict[str, Any],
) -> None:
    for written in NUMPY_2:
        for loaded in NUMPY_1:
            found = measured["numpy"][written][loaded]
            words = {file: outcome(result)[0] for file, result in found.items()}
            old = loaded in ("1.24.4", "1.26.0")
            for file in ("array.p2.pkl", "array.p4.pkl", "scalar.p4.pkl", "scalar.joblib.pkl"):
                assert words[file] == ("fails" if old else "loads"), (file, loaded)
            assert words["array.p5.pkl"] == "fails"
            assert words["array.joblib.pkl"] == "loads"
            for file, word in words.items():
                assert word == "fails" or not file.startswith(("random_state", "generator"))
            assert old == ("'numpy._core'" in str(found["scalar.p5.pkl"]["error"]))


def test_a_newer_booster_answers_without_its_intercept_under_an_older_xgboost(
    measured: dict[str, Any],
) -> None:
    shift = math.log((1 - BASE_SCORE) / BASE_SCORE)
    for written in FROM_3_1:
        for loaded in UP_TO_3_0:
            for file, result in measured["xgboost"][written][loaded].items():
                assert outcome(result)[0].startswith("**wrong by"), (file, written, loaded)
            for file in ("booster_logistic.p4.pkl", "booster_logistic.json"):
                result = measured["xgboost"][written][loaded][file]
                assert result["difference"]["predict_margin"] == pytest.approx(shift, abs=1e-5)
                assert result["difference"]["predict"] == pytest.approx(0.21, abs=0.005)
                assert bool(result["warnings"]) == file.endswith(".pkl")


def test_an_older_booster_is_right_under_a_newer_xgboost(measured: dict[str, Any]) -> None:
    for written in UP_TO_3_0:
        for loaded in (*UP_TO_3_0, *FROM_3_1):
            for file, result in measured["xgboost"][written][loaded].items():
                assert outcome(result)[0] in ("loads", "loads, warns"), (file, written, loaded)


def test_scikit_learn_warns_whether_or_not_the_numbers_change(measured: dict[str, Any]) -> None:
    words = set()
    for written, others in measured["scikit-learn"].items():
        for loaded, found in others.items():
            for result in found.values():
                assert bool(result["warnings"]) == (written != loaded)
                words.add(outcome(result)[0].partition("*")[0])
    assert {"loads, warns", ""} <= words


def test_logistic_regressions_and_forests_of_scikit_learn_fare_as_the_document_says(
    measured: dict[str, Any],
) -> None:
    pairs = measured["scikit-learn"]
    for written in ("1.5.2", "1.7.2"):
        for loaded in ("1.3.2", "1.4.2"):
            words, _ = outcome(pairs[written][loaded]["logistic_binary.p4.pkl"])
            assert words.startswith("**wrong")
    for loaded in ("1.3.2", "1.4.2", "1.5.2", "1.7.2"):
        for written in ("1.8.0", "1.9.1"):
            assert "multi_class" in pairs[written][loaded]["logistic_binary.p4.pkl"]["error"]
            for file in ("logistic_each_class.p4.pkl", "logistic_binary_softmax.p4.pkl"):
                assert outcome(pairs[loaded][written][file])[0].startswith("**wrong")
    counts = pairs["1.3.2"]["1.9.1"]["forest_classifier.p4.pkl"]["difference"]["predict_proba"]
    assert counts > 1.0
    assert "monotonic_cst" in pairs["1.3.2"]["1.5.2"]["forest_classifier.p4.pkl"]["error"]
    for written in list(pairs)[1:]:
        for loaded in pairs:
            result = pairs[written][loaded]["forest_classifier.p4.pkl"]
            assert outcome(result)[0].startswith("loads"), (written, loaded)
            assert result["error"] is None


@pytest.mark.parametrize(
    ("result", "words"),
    [
        ({"stage": "load", "error": "KeyError: 'a'", "warnings": []}, "fails"),
        (
            {"stage": "answer", "error": "KeyError: 'a'", "warnings": ["W: w"]},
            "loads, warns, fails when asked",
        ),
        (
            {"stage": "answered", "error": None, "warnings": [], "difference": {"a": 0.0, "b": 2}},
            "**wrong by 2**, silent",
        ),
        (
            {"stage": "answered", "error": None, "warnings": ["W: w"], "difference": {"a": 2e-6}},
            "**wrong by 2e-06**, warns",
        ),
        (
            {"stage": "answered", "error": None, "warnings": [], "difference": {"a": math.nan}},
            "**wrong by nan**, silent",
        ),
        (
            {"stage": "answered", "error": None, "warnings": [], "difference": {"a": 1e-7}},
            "loads",
        ),
    ],
)
def test_what_became_of_a_file_in_words(result: dict[str, Any], words: str) -> None:
    assert outcome(result)[0] == words


def test_a_table_shows_every_file_once(measured: dict[str, Any]) -> None:
    for library in VENVS:
        text = tables(library)
        files = {file for version in VENVS[library] for file in measured[library][version][version]}
        for file in files:
            assert text.count(f"`{file.removesuffix('.pkl')}`") == 1, file


def probing(python: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(python), str(PROBE), *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(np.__file__).parents[1])},
        check=False,
    )


def test_the_probe_refuses_to_unpickle_outside_its_venvs(repository: Path) -> None:
    legacy = repository / "tests" / "fixtures" / "legacy"
    done = probing(Path(sys.executable), legacy / "inputs.npz", "numpy", legacy)
    assert done.returncode == 2
    assert "venvs of build/legacy alone" in done.stderr


def test_the_probe_refuses_a_file_that_its_maker_did_not_write(
    repository: Path, tmp_path: Path
) -> None:
    legacy = repository / "tests" / "fixtures" / "legacy"
    manifest = json.loads((legacy / "manifest.json").read_text(encoding="utf-8"))
    name, folder = next(iter(manifest["folders"].items()))
    entry = folder["files"][0]
    altered = bytearray((legacy / name / entry["file"]).read_bytes())
    altered[-1] ^= 1
    (tmp_path / entry["file"]).write_bytes(altered)
    (tmp_path / "made.json").write_text(json.dumps({"files": [entry]}), encoding="utf-8")
    (tmp_path / "predictions.npz").write_bytes((legacy / name / "predictions.npz").read_bytes())
    place = tmp_path / "legacy" / "venvs" / "one"
    venv.create(place, symlinks=os.name != "nt")
    python = place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    done = probing(python, legacy / "inputs.npz", "numpy", tmp_path)
    assert done.returncode == 2
    assert "is not what the maker wrote" in done.stderr
    assert done.stdout == ""
