"""What is in the two wheels, and that they are all that is needed to train, export and rescue."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from aegismatrix.artifacts.forecasts import FORECASTS_NAME
from aegismatrix.artifacts.manifest import find_artifacts, read_manifest

pytestmark = pytest.mark.slow


LEGACY = Path(__file__).parents[1] / "fixtures" / "legacy"
PICKLES = (
    LEGACY / "scikit-learn-1.3.2-numpy-1.24.4" / "logistic_binary.p4.pkl",
    LEGACY / "xgboost-3.2.0-numpy-2.4.6" / "classifier.joblib.pkl",
)
INSTALL_SECONDS, RUN_SECONDS = 1800, 900


@pytest.fixture(scope="module")
def wheels(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Both wheels, by the name of what they install, built from copies of their sources."""
    folder = tmp_path_factory.mktemp("wheels")
    hidden = shutil.ignore_patterns(".*", "__pycache__", "build", "dist", "out", "tests", "docs")
    source = shutil.copytree(repository, folder / "source", ignore=hidden)
    for place in (source, source / "exporters"):
        subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
            cwd=place,
            check=True,
            capture_output=True,
            timeout=300,
        )
    shutil.rmtree(source)
    found = {wheel.name.partition("-")[0]: wheel for wheel in folder.glob("*.whl")}
    assert found.keys() == {"aegismatrix", "aegismatrix_factory"}
    return found


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if not name.endswith("/")}


def read(wheel: Path, end: str) -> str:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (one for one in archive.namelist() if one.endswith(end))
        return archive.read(name).decode("utf-8")


def test_each_wheel_installs_one_package_named_after_the_project(wheels: dict[str, Path]) -> None:
    for package, wheel in wheels.items():
        tops = {name.partition("/")[0] for name in names(wheel)}
        assert {top for top in tops if not top.endswith(".dist-info")} == {package}
        assert len(tops) == 2


def test_each_wheel_holds_every_module_and_its_licence(
    wheels: dict[str, Path], repository: Path
) -> None:
    sources = {"aegismatrix": repository / "src", "aegismatrix_factory": repository / "exporters"}
    for package, wheel in wheels.items():
        made = {
            file.relative_to(sources[package]).as_posix()
            for file in (sources[package] / package).rglob("*")
            if file.is_file() and "__pycache__" not in file.parts
        }
        assert made <= names(wheel)
        assert "MIT License" in read(wheel, "/licenses/LICENSE")
        metadata = Parser().parsestr(read(wheel, "/METADATA"))
        assert metadata["License-Expression"] == "MIT"
        assert metadata["Requires-Python"] == ">=3.10"


def test_the_package_carries_the_artifacts_and_the_factory_none(wheels: dict[str, Path]) -> None:
    sealed = {
        f"aegismatrix/models_onnx/{file.name}"
        for file in find_artifacts().iterdir()
        if file.name != FORECASTS_NAME
    }
    assert wheels["aegismatrix"].stat().st_size < 1_000_000
    assert {n for n in names(wheels["aegismatrix"]) if "/models_onnx/" in n} == sealed
    assert not [n for n in names(wheels["aegismatrix_factory"]) if n.endswith((".onnx", ".csv"))]


def test_the_wheels_say_what_they_need_and_what_they_add(wheels: dict[str, Path]) -> None:
    metadata = {name: Parser().parsestr(read(one, "/METADATA")) for name, one in wheels.items()}
    (version,) = {one["Version"] for one in metadata.values()}
    needed = [
        line
        for line in metadata["aegismatrix_factory"].get_all("Requires-Dist") or []
        if "extra ==" not in line
    ]
    assert f"aegismatrix=={version}" in needed
    assert {re.split(r"[^\w-]", line)[0] for line in needed} == {"aegismatrix", "numpy", "onnx"}
    assert set(metadata["aegismatrix_factory"].get_all("Provides-Extra") or []) == {
        "rescue",
        "train",
    }
    assert read(wheels["aegismatrix_factory"], "/entry_points.txt").split() == [
        "[aegismatrix.commands]",
        *"export = aegismatrix_factory.commands.export:COMMAND".split(),
        *"rescue = aegismatrix_factory.commands.rescue:COMMAND".split(),
        *"train = aegismatrix_factory.commands.train:COMMAND".split(),
    ]
    assert "aegismatrix = aegismatrix.desk.cli.main:main" in read(
        wheels["aegismatrix"], "/entry_points.txt"
    )


REPORT = """
import sys
from datetime import datetime, timezone
from pathlib import Path
import aegismatrix as am

assert "site-packages" in am.__file__
market = am.Market("sp500")
bars = am.Bars.from_csv(sys.argv[2], iv=sys.argv[3], market=market)
engine = am.Engine(sys.argv[1])
report = am.analyze(bars, engine=engine, now=datetime(2019, 1, 2, tzinfo=timezone.utc))
report.to_json("report.json")
"""


def test_wheels_alone_report_rescue_train_and_export(
    wheels: dict[str, Path], repository: Path, tmp_path: Path
) -> None:
    constraints = str(repository / "constraints.txt")
    commands = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin")
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AEGISMATRIX_", "PYTHON", "VIRTUAL_ENV"))
    }
    environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

    def run(
        *words: str, seconds: int = RUN_SECONDS, status: int = 0
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(commands / words[0]), *words[1:]],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == status, done.stderr[-3000:]
        assert "Traceback" not in done.stderr
        return done

    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    pip = ("python", "-m", "pip", "install", "--quiet", "--constraint", constraints)

    run(*pip, str(wheels["aegismatrix"]), seconds=INSTALL_SECONDS)
    missing = run("aegismatrix", "train", status=2).stderr
    assert "pip install 'aegismatrix-factory[train]'" in missing
    assert "in_sample" not in run("aegismatrix", "report", "--sample", "--no-html").stdout

    run(*pip, str(wheels["aegismatrix_factory"]), seconds=INSTALL_SECONDS)
    old = tmp_path / "old"
    old.mkdir()
    for place, pickle in enumerate(PICKLES):
        shutil.copy(pickle, old / f"model_{place}.pkl")
    said = run("aegismatrix", "rescue", "old", "rescued").stdout
    assert said.splitlines()[-1].startswith("2 converted, 0 refused")
    run("aegismatrix", "verify", "rescued")
    missing = run("aegismatrix", "export", status=2).stderr
    assert "pip install 'aegismatrix-factory[train]'" in missing

    run(*pip, f"{wheels['aegismatrix_factory']}[train]", seconds=INSTALL_SECONDS)
    packages = next((tmp_path / "venv").rglob("aegismatrix/desk/sources/sample_data"))
    pair = str(packages / "sp500_daily.csv"), str(packages / "vix_daily.csv")
    bars = ("--index", pair[0], "--iv", pair[1])
    trained = run("aegismatrix", "train", "--market", "sp500", *bars, "--quick").stdout
    assert "quick: 3 refits; not a judgement to rely on" in trained
    assert "sealed in models_onnx" in run("aegismatrix", "export").stdout
    run("aegismatrix", "verify", "models_onnx", "--golden")
    assert read_manifest(tmp_path / "models_onnx").is_quick

    (tmp_path / "report.py").write_text(REPORT)
    run("python", "report.py", "models_onnx", *pair)
    provenance = json.loads((tmp_path / "report.json").read_text())["provenance"]
    assert provenance["market"] == "sp500"
    assert {one["market"] for one in provenance["skill"].values()} == {"sp500"}
    assert provenance["demonstration"] == "in-sample, quick training"
