"""The same numbers in other versions and other runtimes: the short form of the benchmark."""

from __future__ import annotations

import json
import math
import os
import platform
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import aegismatrix as am
from aegismatrix.artifacts.manifest import read_manifest
from benchmarks import portability
from benchmarks.golden_values import measure
from benchmarks.portability import (
    NUMPYS,
    Combination,
    NotInstalledError,
    NoWheelError,
    available,
    install,
    largest,
    main,
    matrix_text,
    off,
    order,
    others_text,
    run_golden,
    run_web,
    series,
)
from tests.sealed import change_golden, drop_golden

NAMES = [spec.name for spec in am.list_models()]
HERE = ".".join(platform.python_version_tuple()[:2])


def assert_within(artifacts: Mapping[str, Any]) -> None:
    """Every artifact ran, features to 1e-12 and probabilities to 1e-6."""
    assert list(artifacts) == NAMES
    assert off(artifacts) == []
    assert largest(artifacts, exact=True) <= 1e-12
    assert largest(artifacts, exact=False) <= 1e-6


def installed(folder: Path, *wanted: str) -> Path:
    try:
        return install(Path(sys.executable), folder, wanted, None, folder.parent)
    except NotInstalledError as error:
        pytest.skip(str(error))


def onnxruntimes() -> list[str]:
    try:
        found = available(Path(sys.executable), "onnxruntime")
    except NotInstalledError as error:
        pytest.skip(str(error))
    return [one for one in reversed(found) if order(one) >= (1, 19)]


@pytest.mark.slow
def test_the_oldest_versions_that_the_package_allows_give_the_same_numbers(
    golden_folder: Path, tmp_path: Path
) -> None:
    oldest = onnxruntimes()[0]
    for numpy in (*NUMPYS, *portability.FIRST_NUMPY.values()):
        wanted = Combination(HERE, numpy, series(oldest)).requirements
        try:
            python = installed(tmp_path / "oldest", *wanted)
        except NoWheelError:
            continue
        break
    else:
        pytest.fail(f"no numpy of {NUMPYS} goes with onnxruntime {oldest}")
    said = run_golden(python, golden_folder)
    assert said["status"] == "ran", said
    assert said["versions"]["numpy"].startswith(numpy)
    assert series(said["versions"]["onnxruntime"]) == series(oldest)
    assert_within(said["artifacts"])


@pytest.mark.slow
def test_the_newest_versions_that_there_are_give_the_same_numbers(
    golden_folder: Path, tmp_path: Path
) -> None:
    newest = onnxruntimes()[-1]
    python = installed(tmp_path / "newest", "numpy", f"onnxruntime=={newest}")
    said = run_golden(python, golden_folder)
    assert said["status"] == "ran", said
    assert said["versions"]["onnxruntime"] == newest
    assert_within(said["artifacts"])


@pytest.mark.slow
def test_versions_without_wheels_are_no_failure_of_the_index(tmp_path: Path) -> None:
    onnxruntimes()
    with pytest.raises(NoWheelError):
        installed(tmp_path / "none", "numpy==1.24.*", "onnxruntime==1.2.*")


@pytest.mark.slow
def test_an_index_that_cannot_be_reached_is_no_missing_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A port that nothing listens on, and no other place to look.
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(NotInstalledError):
        install(Path(sys.executable), tmp_path / "none", ["numpy==2.0.*"], None, tmp_path)
    with pytest.raises(NotInstalledError):
        available(Path(sys.executable), "numpy")


def test_the_reference_implementation_of_onnx_gives_the_same_numbers(golden_folder: Path) -> None:
    said = measure(golden_folder, "reference")
    assert list(said["versions"]) == ["python", "numpy", "onnx"]
    assert_within(said["artifacts"])


@pytest.mark.slow
def test_onnxruntime_in_webassembly_gives_the_same_numbers(
    golden_folder: Path, tmp_path: Path
) -> None:
    try:
        said = run_web(golden_folder, tmp_path)
    except NotInstalledError as error:
        pytest.skip(str(error))
    assert said["status"] == "ran", said
    pinned = json.loads((portability.WEB / "package.json").read_text())["dependencies"]
    assert said["versions"]["onnxruntime-web"] == pinned["onnxruntime-web"]
    assert_within(said["artifacts"])


@pytest.mark.slow
def test_other_numbers_are_seen_through_every_runtime(golden_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(golden_folder, tmp_path / "models"))

    def change(content: dict[str, Any]) -> None:
        output = content["cases"]["regime"]["outputs"]["probability"]
        content["arrays"][output["array"]]["values"][0] += 1e-5

    change_golden(folder, change)
    for said in (run_golden(Path(sys.executable), folder), measure(folder, "reference")):
        assert off(said["artifacts"]) == ["regime"]
        assert largest(said["artifacts"], exact=False) == pytest.approx(1e-5, rel=1e-3)
    assert run_golden(Path(sys.executable), folder)["status"] == "off"
    try:
        web = run_web(folder, tmp_path)
    except NotInstalledError as error:
        pytest.skip(str(error))
    assert web["status"] == "off"
    assert off(web["artifacts"]) == ["regime"]


def test_a_combination_that_cannot_run_has_failed_and_says_why(tmp_path: Path) -> None:
    said = run_golden(Path(sys.executable), tmp_path)
    assert said["status"] == "failed"
    assert "ArtifactsNotFoundError" in said["said"]


def test_what_is_infinitely_far_off_or_did_not_run_is_off() -> None:
    fine = {"difference": 1e-7, "tolerance": 1e-6}
    artifacts: dict[str, dict[str, Any]] = {
        "fine": {"probability": fine},
        "far": {"probability": fine, "features": {"difference": None, "tolerance": 1e-12}},
        "further": {"probability": {"difference": 2e-6, "tolerance": 1e-6}},
        "failed": {"error": "no such operator"},
    }
    assert off(artifacts) == ["far", "further", "failed"]
    assert largest(artifacts, exact=True) == math.inf
    assert largest(artifacts, exact=False) == 2e-6


def result(numpy: str, onnxruntime: str, status: str, difference: float = 0.0) -> dict[str, Any]:
    return {
        "python": "3.11",
        "numpy": numpy,
        "onnxruntime": onnxruntime,
        "status": status,
        "said": "whatever | was said",
        "versions": {"python": "3.11.7", "numpy": f"{numpy}.4", "onnxruntime": f"{onnxruntime}.2"},
        "artifacts": {"trap": {"probability": {"difference": difference, "tolerance": 1e-6}}},
    }


def test_the_table_counts_what_ran_and_names_what_is_off() -> None:
    results = [
        result("1.24", "1.19", "ran", 1e-9),
        result("2.0", "1.19", "off", 2e-6),
        result("1.24", "1.31", "no wheel"),
        result("2.0", "1.31", "ran", 3e-8),
    ]
    del results[2]["versions"], results[2]["artifacts"]
    text = matrix_text(results)
    assert "3 combinations ran, 2 of them within every tolerance; 1 have no wheels" in text
    assert "| 1.24 | 3.11 | ok | no wheel |" in text
    assert "| 2.0 | 3.11 | off | ok |" in text
    assert "| probabilities | 2e-06 | 3e-08 |" in text
    assert "- Python 3.11, numpy 2.0, onnxruntime 1.19: off: trap" in text


def test_the_table_of_other_runtimes_says_what_each_lacks() -> None:
    ran = result("2.0", "1.31", "ran", 1e-9)
    lacks = {**ran, "artifacts": {"trap": {"error": "no kernel | for Erf"}}}
    text = others_text({"one": ran, "two": lacks, "three": result("2.0", "1.31", "no wheel")})
    assert "| `trap` | 1e-09 | fails |" in text
    assert "- two fails on trap: `no kernel / for Erf`" in text


def test_an_interrupted_run_goes_on_where_it_stopped(
    golden_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    document = tmp_path / "portability.md"
    document.write_text("<!-- matrix -->\n\n<!-- end of matrix -->\n")
    wanted = [Combination("3.11", numpy, "1.19") for numpy in ("1.24", "1.26", "2.0")]
    measured: list[str] = []

    def interrupted(combination: Combination, *_: object) -> dict[str, Any]:
        if combination.numpy == "2.0" and "2.0" not in measured:
            measured.append("2.0")
            raise KeyboardInterrupt
        measured.append(combination.numpy)
        return result(combination.numpy, combination.onnxruntime, "ran")

    monkeypatch.setattr(portability, "DOCUMENT", document)
    monkeypatch.setattr(portability, "interpreters", lambda: {"3.11": Path(sys.executable)})
    monkeypatch.setattr(portability, "find_uv", lambda _: None)
    monkeypatch.setattr(portability, "combinations", lambda _: wanted)
    monkeypatch.setattr(portability, "measure", interrupted)
    run = ["--models", str(golden_folder), "--cache", str(tmp_path / "cache")]
    assert main(run) == 130
    assert "run again" in capsys.readouterr().err
    assert "combinations" not in document.read_text()
    assert main(run) == 0
    assert measured == ["1.24", "1.26", "2.0", "2.0"]
    assert "3 combinations ran, 3 of them" in document.read_text()
    # Other artifacts have not run yet.
    other = Path(shutil.copytree(golden_folder, tmp_path / "models"))
    change_golden(other, lambda content: content.update(note="changed"))
    assert read_manifest(other).digest != read_manifest(golden_folder).digest
    assert main(["--models", str(other), *run[2:]]) == 0
    assert measured[4:] == ["1.24", "1.26", "2.0"]


def test_the_matrix_needs_golden_values(
    golden_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(golden_folder, tmp_path / "models"))
    drop_golden(folder)
    with pytest.raises(SystemExit):
        main(["--models", str(folder)])
    assert "seals no golden values" in capsys.readouterr().err


def test_the_committed_table_holds_enough_combinations_all_within_the_tolerances(
    repository: Path,
) -> None:
    text = (repository / "docs" / "portability.md").read_text()
    (said,) = (line for line in text.splitlines() if " combinations ran, " in line)
    ran, fine, _ = (int(word) for word in said.split() if word.isdigit())
    assert ran == fine >= 45


def test_without_an_emulator_the_reason_is_told_and_the_table_stays(
    golden_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    document = tmp_path / "portability.md"
    document.write_text("<!-- processors -->\nmeasured\n<!-- end of processors -->\n")
    monkeypatch.setattr(portability, "DOCUMENT", document)
    monkeypatch.setenv("PATH", str(tmp_path))
    run = ["--models", str(golden_folder), "--cache", str(tmp_path / "cache"), "--processors"]
    assert main(run) == 0
    said = capsys.readouterr().err
    assert "apt-get and dpkg-deb and qemu-aarch64-static not on the path" in said
    assert "install qemu-user-static" in said
    assert "\nmeasured\n" in document.read_text()


def test_the_committed_table_of_another_processor_is_within_the_tolerances(
    repository: Path,
) -> None:
    text = (repository / "docs" / "portability.md").read_text()
    table = text.split("<!-- processors -->")[1].split("<!-- end of processors -->")[0]
    assert "arm64 (python" in table
    assert "off" not in table
    assert "fails" not in table
    assert {f"`{name}`" for name in read_manifest().models} <= set(table.split())


def test_the_newest_python_is_the_newest_that_onnxruntime_has_wheels_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def available(python: Path, package: str) -> list[str]:
        if python.name in ("python3.9", "python3.14"):
            raise NotInstalledError([package], "no wheel")
        return ["1.32.0"]

    monkeypatch.setattr(portability, "available", available)
    pythons = {version: Path(f"python{version}") for version in ("3.9", "3.10", "3.13", "3.14")}
    assert portability.newest_interpreter(pythons) == Path("python3.13")
    assert "Python 3.14" in capsys.readouterr().err
    with pytest.raises(NotInstalledError, match="no Python here has wheels"):
        portability.newest_interpreter({"3.14": Path("python3.14")})
