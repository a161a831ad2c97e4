"""Make the legacy files of the tests: fit and dump in throw-away venvs.

Usage: python scripts/legacy_fixtures.py [FOLDER ...]

Two roots: tests/fixtures/legacy holds what an engine of this project pickled, and
tests/fixtures/releases a model of every family of `scripts/legacy_families` in many releases of its
library. Names of folders, as ``releases/NAME``, make those alone and keep the rest of the manifest.
Needs Python 3.6 to 3.13, of pyenv or on the path. The venvs and what is measured in them stay in
build/legacy.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import aegismatrix as am

REPOSITORY = Path(__file__).parents[1]
FIXTURES = REPOSITORY / "tests" / "fixtures" / "legacy"
RELEASES = REPOSITORY / "tests" / "fixtures" / "releases"
BUILD = REPOSITORY / "build" / "legacy"
MAKER = ("-m", "scripts.legacy_maker")

FEATURES = ("iv_z_252", "rv_22", "return_1", "return_5", "drawdown_252", "iv_change_5")
TRAIN_ROWS = 240
RECORDED_ROWS = 40
STEP_BARS = 3
HORIZONS_BARS = (1, 3, 5, 10, 15, 20)
WINDOW_ROWS = 20
RECORDED_WINDOWS = 8
COMMITTED = ("names", "rows", "rows_missing", "windows")
ASKED = ("names", "rows", "rows_missing", "counts_rows", "windows")
RANDOM_ROWS = 10
TRAINED_ROWS = 3
FRAME_ROWS = 80
RECORDED_FRAME_ROWS = 16


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
    only: str = ""

    @property
    def name(self) -> str:
        """Library and numpy with their versions."""
        pins = dict(
            pin.split("==") for pin in (*self.venv.packages, *self.venv.bare) if "==" in pin
        )
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


DRIFTING = (
    "one_hot,ada_boost,vote,tree,forest,bagging,stack,logistic,lda,isolation,bins,imputer,boosting_t,"
    "svc,columns_r,tfidf"
)
"""What changed in the releases of which this alone is made, and what stands on it."""
ERAS = (
    ("3.6", "scikit-learn==0.20.4 numpy==1.15.4 scipy==1.1.0 joblib==0.11 pandas==0.23.4", ""),
    (
        "3.7",
        "scikit-learn==0.21.3 numpy==1.16.6 scipy==1.3.3 joblib==0.13.2 pandas==0.24.2",
        "",
    ),
    (
        "3.7",
        "scikit-learn==0.22.2.post1 numpy==1.17.5 scipy==1.3.3 joblib==0.14.1 pandas==0.25.3",
        "xgboost==0.90 lightgbm==2.3.1",
    ),
    (
        "3.8",
        "scikit-learn==0.23.2 numpy==1.18.5 scipy==1.4.1 joblib==0.16.0 pandas==1.0.5",
        "xgboost==1.0.2",
    ),
    (
        "3.8",
        "scikit-learn==0.24.2 numpy==1.19.5 joblib==1.0.1 pandas==1.1.5 dill==0.3.4 "
        "cloudpickle==1.6.0",
        "xgboost==1.2.1 lightgbm==3.2.1",
    ),
    (
        "3.9",
        "scikit-learn==1.0.2 numpy==1.21.6 scipy==1.7.3 joblib==1.1.1 pandas==1.3.5",
        "xgboost==1.5.2",
    ),
    ("3.9", "scikit-learn==1.1.3 numpy==1.23.5 joblib==1.1.1 pandas==1.4.4", "xgboost==1.6.2"),
    ("3.10", "scikit-learn==1.2.0 numpy==1.23.5 joblib==1.2.0 pandas==1.5.3", ""),
    (
        "3.9",
        "scikit-learn==1.2.2 numpy==1.24.4 joblib==1.2.0 pandas==1.5.3 dill==0.3.6 "
        "cloudpickle==2.2.1",
        "xgboost==1.7.6 lightgbm==3.3.5",
    ),
    (
        "3.10",
        "scikit-learn==1.3.0 numpy==1.24.4 joblib==1.3.2 pandas==2.0.3",
        "xgboost==2.0.3 lightgbm==4.1.0",
    ),
    ("3.11", "scikit-learn==1.3.1 numpy==1.25.2 joblib==1.3.2 pandas==2.1.4", ""),
    (
        "3.11",
        "scikit-learn==1.3.2 numpy==1.26.0 joblib==1.3.2 pandas==2.1.4",
        "xgboost==2.1.4",
    ),
    (
        "3.11",
        "scikit-learn==1.4.2 numpy==1.26.4 joblib==1.4.2 pandas==2.2.2 dill==0.3.8 "
        "cloudpickle==3.0.0",
        "catboost==1.2.5 six graphviz",
    ),
    (
        "3.12",
        "scikit-learn==1.5.2 numpy==2.0.2 joblib==1.4.2 pandas==2.2.3",
        "xgboost==3.0.5",
    ),
    ("3.13", "scikit-learn==1.6.1 numpy==2.1.3 joblib==1.4.2 pandas==2.2.3", "xgboost==3.1.3"),
    (
        "3.12",
        "scikit-learn==1.7.2 numpy==2.2.6 joblib==1.5.2 pandas==2.3.3 dill==0.4.0 "
        "cloudpickle==3.1.1",
        "",
    ),
    (
        "3.13",
        "scikit-learn==1.8.0 numpy==2.3.5 joblib==1.5.3 pandas==3.0.0",
        "xgboost==3.2.0 catboost==1.2.10 six graphviz",
    ),
    (
        "3.13",
        "scikit-learn==1.9.1 numpy==2.5.1 joblib==1.6.0 pandas==3.0.2 dill==0.4.1 "
        "cloudpickle==3.1.2",
        "xgboost==3.3.0 lightgbm==4.7.0",
    ),
)
"""Python, the packages of a time, and those that are installed without what they ask for."""
PARTIAL = ("0.21.3", "0.23.2", "1.2.0", "1.3.0", "1.3.1")
"""Releases of scikit-learn at whose borders numbers change."""


def release_folders() -> tuple[Folder, ...]:
    """Return the folders of every library of every venv."""
    folders = []
    for python, packages, bare in ERAS:
        venv = Venv(python, tuple(packages.split()), tuple(bare.split()))
        pins = dict(pin.split("==") for pin in (*venv.packages, *venv.bare) if "==" in pin)
        for library in ("scikit-learn", "xgboost", "lightgbm", "catboost", "torch"):
            if library in pins:
                drifting = library == "scikit-learn" and pins[library] in PARTIAL
                folders.append(Folder(library, venv, only=DRIFTING if drifting else ""))
    return tuple(folders)


RELEASE_FOLDERS = (*release_folders(), Folder("torch", TORCH))


OLD_PIP = {"3.6": "pip==21.3.1"}
"""The pip that a Python brings along knows no wheels of today; this is its last one."""


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
    shutil.rmtree(venv.folder, ignore_errors=True)
    subprocess.run([interpreter(venv.python), "-m", "venv", venv.folder], check=True)
    install: list[str | Path] = [
        venv.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--only-binary",
        ":all:",
    ]
    if venv.python in OLD_PIP:
        subprocess.run([*install, "--upgrade", OLD_PIP[venv.python]], check=True)
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


SINGLE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def command(venv: Venv, *arguments: object, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a script in a venv, away from this process's packages."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    return subprocess.run(
        [str(venv.executable), *map(str, arguments)],
        check=check,
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
        env={**kept, **SINGLE, "PYTHONWARNINGS": "ignore", "PYTHONHASHSEED": "0"},
    )


def asked() -> dict[str, Any]:
    """Return what the tables are fitted on and asked with: new rows, trained ones, and edges."""
    data = inputs()
    spread = data["train"].std(axis=0)
    edges = np.vstack(
        [np.zeros(len(FEATURES)), np.ones(len(FEATURES)), np.full(len(FEATURES), 1e-12)]
    )
    rows = np.vstack(
        [
            data["rows"][::2][:RANDOM_ROWS],
            data["train"][:: TRAIN_ROWS // TRAINED_ROWS][:TRAINED_ROWS],
            edges,
            data["rows"][:3] * [[1e3], [-1e3], [-1.0]],
        ]
    )

    def counted(values: Any) -> Any:
        return np.floor(np.abs(values / spread * 1.5)).clip(0, 40).astype(np.int64)

    return {
        **{name: data[name] for name in ("names", "train", "binary", "classes", "target")},
        **{name: data[name] for name in data if "window" in name},
        "rows": rows,
        "rows_missing": data["rows_missing"][:12],
        "counts": counted(data["train"]),
        "counts_rows": counted(data["rows"][:RANDOM_ROWS]),
    }


def tables(data: dict[str, Any]) -> dict[str, Any]:
    """Return the frames and documents that the tables are fitted on and asked with."""
    regimes, weekdays = ("calm", "wild", "crash"), ("monday", "tuesday", "friday", "Freitag früh")
    notes = ("expiry", "São Paulo", "holiday")

    def frame(rows: Any, first: int) -> dict[str, list[Any]]:
        place = np.arange(len(rows)) + first
        level = np.searchsorted([-0.5, 0.5], rows[:, 0])
        return {
            "close": np.round(18000.0 * (1.0 + rows[:, 3]), 2).tolist(),
            "iv": [
                None if n % 9 == 4 else round(100 * v, 3)
                for n, v in zip(place, rows[:, 1], strict=True)
            ],
            "gap": [
                None if n % 11 == 7 else round(v, 6) for n, v in zip(place, rows[:, 2], strict=True)
            ],
            "regime": [regimes[one] for one in level],
            "weekday": [weekdays[n * n % 7 % 4] for n in place],
            "lots": (place * 5 % 7 + 1).tolist(),
            "note": [None if n % 5 == 2 else notes[n % 3] for n in place],
        }

    topics = {
        "calm": "nifty drifts sideways as volatility fades and option sellers collect premium",
        "crash": "markets crash on war fears, VIX jumps above 30 and puts explode in value",
        "results": "bank results beat estimates; HDFC and Reliance lift the index to a record",
    }
    extra = (
        "The RBI",
        "today",
        "über Nacht",
        "São-Paulo",
        "5-day",
        "it's",
        "don't",
        "बाज़ार",
        "a I",
        "NSE",
    )
    documents, labels = [], []
    for number in range(36):
        topic = list(topics)[number * 7 % 3]
        words = topics[topic].split()
        kept = [word for place, word in enumerate(words) if (place * 5 + number) % 4]
        documents.append(
            " ".join([extra[number % 10], *kept, extra[number * 3 % 10]]) + "." * (number % 3)
        )
        labels.append(topic)
    return {
        "frame": frame(data["train"][:FRAME_ROWS], 0),
        "frame_rows": frame(data["rows"][:RECORDED_FRAME_ROWS], 3),
        "documents": documents[:24],
        "topics": labels[:24],
        "document_rows": [
            *documents[24:],
            "",
            "nothing known here",
            "VIX vix Vix 30 30% option-sellers",
        ],
    }


def make(wanted: Sequence[str] = ()) -> None:
    """Make the folders again, or those of the wanted names, and write the manifest of each root."""
    BUILD.mkdir(parents=True, exist_ok=True)
    for root, folders, data, kept in (
        (FIXTURES, FOLDERS, inputs(), COMMITTED),
        (RELEASES, RELEASE_FOLDERS, asked(), ASKED),
    ):
        chosen = [one for one in folders if not wanted or f"{root.name}/{one.name}" in wanted]
        if not chosen:
            continue
        place = root / "manifest.json"
        known = (
            json.loads(place.read_text(encoding="utf-8"))["folders"]
            if wanted and place.exists()
            else {}
        )
        if not wanted:
            shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True, exist_ok=True)
        np.savez(BUILD / f"{root.name}.npz", **data)
        np.savez_compressed(root / "inputs.npz", **{name: data[name] for name in kept})
        if root == RELEASES:
            text = json.dumps(tables(data), indent=1, ensure_ascii=False) + "\n"
            (root / "tables.json").write_text(text, encoding="utf-8")
        for folder in chosen:
            known[folder.name] = made_folder(folder, root)
            manifest = {"inputs": digest(root / "inputs.npz"), "folders": known}
            if root == RELEASES:
                manifest["tables"] = digest(root / "tables.json")
            place.write_text(rendered(manifest), encoding="utf-8")


def made_folder(folder: Folder, root: Path) -> dict[str, Any]:
    """Make one folder again; return what the manifest says of it."""
    place = root / folder.name
    shutil.rmtree(place, ignore_errors=True)
    make_venv(folder.venv)
    arguments: list[object] = [*MAKER, BUILD / f"{root.name}.npz", place, folder.library]
    arguments += (
        ["--tables", root / "tables.json"] if root == RELEASES else ["--forms", folder.forms]
    )
    if folder.only:
        arguments += ["--only", folder.only]
    done = command(folder.venv, *arguments, check=False)
    if done.returncode:
        raise SystemExit(f"{folder.name} could not be made; what failed is written above")
    made = json.loads((place / "made.json").read_text(encoding="utf-8"))
    (place / "made.json").unlink()
    entry = {
        "library": folder.library,
        "versions": made["versions"],
        "predictions": digest(place / "predictions.npz"),
        "files": made["files"],
    }
    if made.get("of_batch"):
        entry["of_batch"] = made["of_batch"]
    if (place / "tables.json").exists():
        entry["tables"] = digest(place / "tables.json")
    return entry


def rendered(manifest: dict[str, Any]) -> str:
    """Return a manifest as JSON with one line per file, which keeps thousands of them readable."""
    lines: list[str] = []
    whole = json.loads(json.dumps(manifest))
    for folder in whole["folders"].values():
        for place, entry in enumerate(folder["files"]):
            folder["files"][place] = f"\0{len(lines)}"
            lines.append(json.dumps(entry, sort_keys=True, separators=(",", ":")))
    text = json.dumps(whole, indent=1, sort_keys=True) + "\n"
    return re.sub(r'"\\u0000(\d+)"', lambda found: lines[int(found.group(1))], text)


def main() -> int:
    """Make them all, or some."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    names = [f"{FIXTURES.name}/{folder.name}" for folder in FOLDERS]
    names += [f"{RELEASES.name}/{folder.name}" for folder in RELEASE_FOLDERS]
    parser.add_argument("folder", nargs="*", help=f"default: all of {', '.join(names)}")
    options = parser.parse_args()
    unknown = sorted(set(options.folder) - set(names))
    if unknown:
        parser.error(f"there is no folder {', '.join(unknown)}")
    make(options.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
