"""Make the legacy files of tests/fixtures/legacy: fit and dump in throw-away venvs.

Usage: python scripts/legacy_fixtures.py

Needs uv (`pip install uv`) and Python 3.10, 3.11 and 3.12, of pyenv or on the path. The venvs and
what is measured in them stay in build/legacy.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import aegismatrix as am

REPOSITORY = Path(__file__).parents[1]
FIXTURES = REPOSITORY / "tests" / "fixtures" / "legacy"
BUILD = REPOSITORY / "build" / "legacy"
MAKER = Path(__file__).with_name("legacy_maker.py")

FEATURES = ("iv_z_252", "rv_22", "return_1", "return_5", "drawdown_252", "iv_change_5")
TRAIN_ROWS = 240
RECORDED_ROWS = 40
STEP_BARS = 3
HORIZONS_BARS = (1, 3, 5, 10, 15, 20)
WINDOW_ROWS = 20
RECORDED_WINDOWS = 8
COMMITTED = ("names", "rows", "rows_missing", "windows")


@dataclass(frozen=True)
class Venv:
    """A throw-away venv.

    Attributes
    ----------
    python : str
        Major and minor version.
    packages : tuple of str
        Exact requirements, wheels only.
    bare : tuple of str
        Requirements that are installed without what they depend on: xgboost asks for a GPU
        library of hundreds of megabytes that a processor does not need.
    """

    python: str
    packages: tuple[str, ...]
    bare: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """Where it is."""
        pins = "_".join([self.python, *self.packages, *self.bare])
        return BUILD / "venvs" / pins.replace("==", "-")

    @property
    def executable(self) -> Path:
        """Its interpreter, which exists once it was made."""
        binary = self.folder / "bin" / "python"
        return binary if os.name != "nt" else self.folder / "Scripts" / "python.exe"


@dataclass(frozen=True)
class Folder:
    """One folder of fixtures: what is made of which library in which venv."""

    library: str
    venv: Venv
    forms: str = "p4"

    @property
    def name(self) -> str:
        """Library and numpy with their versions."""
        pins = dict(pin.split("==") for pin in (*self.venv.packages, *self.venv.bare))
        return f"{self.library}-{pins[self.library]}-numpy-{pins['numpy']}"


OLD = Venv(
    "3.10",
    ("numpy==1.24.4", "scikit-learn==1.3.2", "joblib==1.1.1", "lz4==4.4.5"),
    ("xgboost==2.0.3",),
)
MIDDLE = Venv("3.11", ("numpy==1.26.4", "scikit-learn==1.5.2"), ("xgboost==3.0.5",))
RECENT = Venv("3.12", ("numpy==2.2.6", "scikit-learn==1.7.2"))
NEWEST = Venv(
    "3.11",
    ("numpy==2.4.6", "scikit-learn==1.9.1", "lz4==4.4.5", "pandas==2.3.3"),
    ("xgboost==3.2.0",),
)
# Since 3.3 dropout hides under the name of a plain booster.
UNNAMED = Venv("3.12", ("numpy==2.4.6", "scikit-learn==1.9.1"), ("xgboost==3.3.0",))
TORCH = Venv("3.11", ("numpy==2.4.6", "torch==2.13.0"))
FOLDERS = (
    Folder("scikit-learn", NEWEST, "all"),
    Folder("xgboost", NEWEST, "p2,p5,joblib,zlib"),
    Folder("torch", TORCH, "torch"),
    Folder("scikit-learn", OLD, "p2,p4,p5,joblib,zlib,gzip,bz2,xz,lzma,lz4"),
    Folder("xgboost", OLD),
    Folder("scikit-learn", MIDDLE),
    Folder("xgboost", MIDDLE),
    Folder("xgboost", UNNAMED),
    Folder("scikit-learn", RECENT),
)


def interpreter(version: str) -> Path:
    """Return a Python of that major and minor version."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = sorted(root.glob(f"versions/{version}.*/bin/python"))
    if found:
        return found[-1]
    on_path = shutil.which(f"python{version}")
    if on_path is None:
        raise FileNotFoundError(f"Python {version} is needed: pyenv install {version}")
    return Path(on_path)


def make_venv(venv: Venv) -> None:
    """Make a venv unless it is there."""
    ready = venv.folder / "ready"
    if ready.exists():
        return
    uv = shutil.which("uv")
    if uv is None:
        raise SystemExit("uv is not installed. It makes the throw-away venvs: pip install uv")
    base: list[str | Path] = [uv, "--quiet"]
    subprocess.run(
        [*base, "venv", "--clear", "--python", interpreter(venv.python), venv.folder], check=True
    )
    install = [*base, "pip", "install", "--only-binary", ":all:", "--python", venv.executable]
    subprocess.run([*install, *venv.packages], check=True)
    if venv.bare:
        subprocess.run([*install, "--no-deps", *venv.bare], check=True)
    ready.touch()


def inputs() -> dict[str, Any]:
    """Return what the makers fit on: features of the sample's bars, and what came after them."""
    bars = am.sample_bars()
    artifact = am.load_models()["features"]
    out = artifact.run(high=bars.high, low=bars.low, close=bars.close, iv=bars.iv)
    (names,) = (array.columns for array in artifact.spec.outputs if array.name == "features")
    columns = [names.index(name) for name in FEATURES]
    features = np.asarray(out["features"])[:, columns]
    sigma = np.asarray(out["implied_sigma"])
    close = np.asarray(bars.close)[-len(features) :]
    usable = len(features) - max(HORIZONS_BARS)
    moves = np.column_stack(
        [
            np.log(close[h : h + usable] / close[:usable]) / (sigma[:usable] * np.sqrt(h))
            for h in HORIZONS_BARS
        ]
    )
    classes = np.stack([np.searchsorted([-0.3, 0.3], column) for column in moves.T], axis=1)
    train = np.arange(TRAIN_ROWS) * STEP_BARS
    rows = features[train[-1] + max(HORIZONS_BARS) :][::STEP_BARS][:RECORDED_ROWS]
    missing = rows.copy()
    missing[np.arange(len(rows)), np.arange(len(rows)) % len(FEATURES)] = np.nan
    scaled = ((features - features[train].mean(axis=0)) / features[train].std(axis=0)).clip(-4, 4)
    windows = np.lib.stride_tricks.sliding_window_view(scaled, WINDOW_ROWS, axis=0)
    windows = np.ascontiguousarray(windows.transpose(0, 2, 1), dtype=np.float32)
    ends = train[train >= WINDOW_ROWS - 1]
    week = moves[train, HORIZONS_BARS.index(5)]
    return {
        "names": np.array(FEATURES),
        "train": features[train],
        "binary": (week > 0.0).astype(np.int64),
        "classes": classes[train, HORIZONS_BARS.index(5)].astype(np.int64),
        "target": week,
        "rows": rows,
        "rows_missing": missing,
        "windows": windows[-RECORDED_WINDOWS * STEP_BARS :: STEP_BARS],
        "train_windows": windows[ends - WINDOW_ROWS + 1],
        "train_window_classes": classes[ends].astype(np.int64),
    }


def digest(path: Path) -> dict[str, Any]:
    """Return hash and size of a file."""
    content = path.read_bytes()
    return {"sha256": hashlib.sha256(content).hexdigest(), "size_bytes": len(content)}


def command(venv: Venv, *arguments: object, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a script in a venv, away from this process's packages."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    return subprocess.run(
        [str(venv.executable), *map(str, arguments)],
        check=check,
        stdout=subprocess.PIPE,
        text=True,
        env={**kept, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"},
    )


def make() -> None:
    """Make every folder again and write the manifest."""
    BUILD.mkdir(parents=True, exist_ok=True)
    data = inputs()
    np.savez(BUILD / "inputs.npz", **data)
    shutil.rmtree(FIXTURES, ignore_errors=True)
    FIXTURES.mkdir(parents=True)
    np.savez_compressed(FIXTURES / "inputs.npz", **{name: data[name] for name in COMMITTED})
    folders = {}
    for folder in FOLDERS:
        place = FIXTURES / folder.name
        make_venv(folder.venv)
        arguments = (MAKER, BUILD / "inputs.npz", place, folder.library, "--forms", folder.forms)
        command(folder.venv, *arguments)
        made = json.loads((place / "made.json").read_text(encoding="utf-8"))
        (place / "made.json").unlink()
        folders[folder.name] = {
            "library": folder.library,
            "versions": made["versions"],
            "predictions": digest(place / "predictions.npz"),
            "files": made["files"],
        }
    manifest = {"inputs": digest(FIXTURES / "inputs.npz"), "folders": folders}
    text = json.dumps(manifest, indent=1, sort_keys=True) + "\n"
    (FIXTURES / "manifest.json").write_text(text, encoding="utf-8")


def main() -> int:
    """Make them all."""
    make()
    return 0


if __name__ == "__main__":
    sys.exit(main())
