"""Fit models and dump them as people do. Dumps only, loads nothing.

Usage: python -m scripts.legacy_maker INPUTS FOLDER LIBRARY [--forms all]
       python -m scripts.legacy_maker INPUTS FOLDER LIBRARY --tables TABLES [--only NAME]

`scripts/legacy_fixtures.py` runs it inside throw-away venvs, which hold numpy, LIBRARY and few
others, under Python 3.6 and later. FOLDER gets the files, `predictions.npz`, and `made.json`.
Without TABLES it writes what an engine of this project pickled; with it, one model of every family
of a table in `scripts/legacy_families` that the release has.
"""

import argparse
import hashlib
import importlib
import json
import pickle
import platform
import sys
import traceback
import zlib
from pathlib import Path
from typing import Any, Dict, List, Sequence

import numpy as np

from scripts.legacy_families.answers import Recorded
from scripts.legacy_families.cases import Case, Data, Made, installed, release

PACKAGES = (
    "numpy",
    "scipy",
    "joblib",
    "scikit-learn",
    "xgboost",
    "lightgbm",
    "catboost",
    "torch",
    "lz4",
    "pandas",
    "dill",
    "cloudpickle",
)
COMPRESSORS = ("zlib", "gzip", "bz2", "xz", "lzma", "lz4")
PROTOCOLS = ("p0", "p2", "p4", "p5")
NATIVE = ("json", "ubj", "model", "txt", "cbm")
EVERY_FORM = (*PROTOCOLS, "joblib", *COMPRESSORS)

TABLES = {
    "scikit-learn": (
        "linear",
        "preparing",
        "trees",
        "others",
        "combined",
        "frames",
        "text",
        "bundles",
    ),
    "xgboost": ("boosters_xgboost",),
    "lightgbm": ("boosters_lightgbm",),
    "catboost": ("boosters_catboost",),
    "torch": ("networks",),
}
MODULES = {"scikit-learn": "sklearn"}
USUAL = ("p4", "joblib", "p3", "p2", "p5", "zlib", "gzip", "p4", "joblib", "xz", "bz2", "lzma")
"""The forms that take turns; the most common ones come twice."""
GROUPS = {
    "inline": ("joblib",),
    "every": (*EVERY_FORM, "p1", "p3", "dill", "cloudpickle", "externals"),
    "several": ("p2", "p5", "joblib", "xz"),
}
"""Forms that a table asks for by one name."""
SMALL = ("zlib", "gzip", "xz", "bz2", "lzma")
LARGE_BYTES, HUGE_BYTES = 1400, 4000
"""Five of six files over the first are compressed, and all over the other, to keep it small."""


def write(content: Any, path: Path, form: str) -> str:
    """Dump in one form; return it in words."""
    if form == "torch":
        import torch as library

        library.save(content, path)
        return "torch.save"
    if form == "torch_legacy":
        import torch as library

        library.save(content, path, _use_new_zipfile_serialization=False)
        return "torch.save, legacy"
    if form in ("json", "cbm") and type(content).__module__.startswith("catboost"):
        content.save_model(str(path), format=form)
        return f"save_model, {form}"
    if form in NATIVE:
        content.save_model(str(path))
        return f"save_model, {form}"
    if form[0] == "p" and form[1:].isdigit():
        with path.open("wb") as file:
            pickle.dump(content, file, protocol=int(form[1:]))
        return f"pickle.dump, protocol {form[1:]}"
    if form in ("dill", "cloudpickle"):
        dumper: Any = importlib.import_module(form)
        with path.open("wb") as file:
            dumper.dump(content, file)
        return f"{form}.dump"
    if form == "externals":
        from sklearn.externals import joblib as vendored

        vendored.dump(content, str(path))
        return "sklearn.externals.joblib.dump"
    import joblib

    if form == "joblib":
        joblib.dump(content, str(path))
        return "joblib.dump"
    joblib.dump(content, str(path), compress=(form, 3))
    return f"joblib.dump, {form}"


def suffix(form: str, of_a_table: bool) -> str:
    """Return the ending of a file of that form."""
    if form in NATIVE:
        return form
    if form.startswith("torch"):
        return "pt" if form == "torch" else "legacy.pt"
    if not of_a_table or form[1:].isdigit() or form in ("dill", "cloudpickle"):
        return f"{form}.pkl"
    return "joblib" if form == "joblib" else f"{form}.joblib"


def possible(form: str) -> bool:
    """Return whether this Python can dump in that form."""
    if form[0] == "p" and form[1:].isdigit():
        return int(form[1:]) <= pickle.HIGHEST_PROTOCOL
    if form in NATIVE or form.startswith("torch"):
        this = release("xgboost")
        return {
            "json": this == (0,) or this >= (1, 0),
            "ubj": this >= (1, 6),
            "model": this < (2, 0),
        }.get(form, True)
    if form == "externals":
        return (0,) < release() < (0, 23)
    if form in ("dill", "cloudpickle", "lz4"):
        return installed(form)
    return installed("joblib")


def forms_of(case: Case, library: str) -> List[str]:
    """Return how a case is dumped: as it says, or in one form by the name and the release."""
    given = [form for form in resolved(case.forms) if possible(form)]
    if given:
        return given
    turns = [form for form in (*USUAL, "externals", "dill", "cloudpickle") if possible(form)]
    return [turns[turn(case, library) % len(turns)]]


def resolved(names: Sequence[str]) -> List[str]:
    """Return forms, with the groups among the names spelt out."""
    return [form for name in names for form in GROUPS.get(name, (name,))]


def turn(case: Case, library: str) -> int:
    """Return a number that is another one for each name and release, and always the same."""
    return zlib.crc32(f"{case.name} {release(MODULES.get(library, library))}".encode())


def described(path: Path, dumped: str) -> Dict[str, Any]:
    """Return what the manifest says of every file."""
    content = path.read_bytes()
    return {
        "file": path.name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "size_bytes": len(content),
        "dumped": dumped,
    }


def versions(packages: Sequence[str]) -> Dict[str, str]:
    """Return the versions of those packages that are installed."""
    found = {}
    for place in sys.path:
        for folder in sorted(Path(place).glob("*.dist-info")) if place else ():
            name, _, version = folder.name[: -len(".dist-info")].partition("-")
            name = name.lower().replace("_", "-")
            if name in packages:
                found[name] = version
    return dict(sorted(found.items()))


def make_engine(options: Any, arrays: Dict[str, Any]) -> Dict[str, Any]:
    """Write what an engine of this project pickled."""
    engine = importlib.import_module("scripts.legacy_families.engine")
    forms = EVERY_FORM if options.forms == "all" else tuple(options.forms.split(","))
    files: List[Dict[str, Any]] = []
    predictions: Dict[str, Any] = {}
    for legacy in engine.MAKERS[options.library](arrays, forms):
        outputs = {}
        for call, (inputs, array) in legacy.outputs.items():
            key = f"{legacy.name}.{call}"
            predictions[key] = np.asarray(array)
            outputs[call] = {"inputs": inputs, "array": key}
        for form in resolved(legacy.forms):
            path = options.folder / f"{legacy.name}.{suffix(form, False)}"
            dumped = write(legacy.content, path, form)
            if legacy.keep < 1.0:
                whole = path.read_bytes()
                path.write_bytes(whole[: int(legacy.keep * len(whole))])
            files.append(
                {
                    **described(path, dumped),
                    "holds": legacy.name,
                    "class": type(legacy.content).__name__,
                    "expected": "refused" if legacy.refused else "converted",
                    "why": legacy.refused,
                    "outputs": outputs,
                }
            )
    np.savez_compressed(options.folder / "predictions.npz", **predictions)
    return {"files": files}


def make_tables(options: Any, arrays: Dict[str, Any]) -> Dict[str, Any]:
    """Write one file of every case that the release has; tell which could not be made."""
    data = Data(arrays, options.tables)
    recorded = Recorded(data)
    this = release(MODULES.get(options.library, options.library))
    files: List[Dict[str, Any]] = []
    failed: Dict[str, str] = {}
    only = tuple(options.only.split(","))
    seen = set()
    for name in TABLES[options.library]:
        module = importlib.import_module("scripts.legacy_families." + name)
        for case in module.TABLE:
            if case.name in seen:
                raise ValueError(f"two cases are called {case.name}")
            seen.add(case.name)
            if not case.since <= this < case.until or not case.name.startswith(only):
                continue
            try:
                built = case.build(data)
                made = built if isinstance(built, Made) else Made(built)
                outputs = recorded.answers(case, made)
                for form in forms_of(case, options.library):
                    path = options.folder / f"{case.name}.{suffix(form, True)}"
                    dumped = write(made.model, path, form)
                    chance = turn(case, options.library) // 64
                    size = path.stat().st_size
                    if not case.forms and size > (LARGE_BYTES if chance % 6 else HUGE_BYTES):
                        path.unlink()
                        form = SMALL[chance // 6 % len(SMALL)]
                        path = options.folder / f"{case.name}.{suffix(form, True)}"
                        dumped = write(made.model, path, form)
                    files.append(
                        {
                            **described(path, dumped),
                            "holds": case.name,
                            "class": type(made.model).__name__,
                            "expected": case.expected,
                            "why": case.why,
                            "outputs": outputs,
                            **({"network": made.about} if made.about else {}),
                        }
                    )
            except Exception:  # noqa: BLE001 - each failure is told, and fails the whole run
                failed[case.name] = traceback.format_exc()
    np.savez_compressed(options.folder / "predictions.npz", **recorded.arrays)
    if recorded.tables:
        text = json.dumps(recorded.tables, ensure_ascii=False, sort_keys=True) + "\n"
        (options.folder / "tables.json").write_text(text, encoding="utf-8")
    return {"files": files, "failed": failed, "of_batch": recorded.of_batch}


def main() -> int:
    """Write one folder of legacy files."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("inputs", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("library", choices=["numpy", *TABLES])
    parser.add_argument("--forms", default="p4", help="of the most dumped object, by commas")
    parser.add_argument("--tables", type=Path, help="tables.json: write the tables of the library")
    parser.add_argument(
        "--only", default="", help="how the names of the wanted cases begin, by commas"
    )
    options = parser.parse_args()
    with np.load(str(options.inputs), allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    options.folder.mkdir(parents=True, exist_ok=True)
    made = (make_tables if options.tables else make_engine)(options, arrays)
    made["versions"] = {"python": platform.python_version(), **versions(PACKAGES)}
    (options.folder / "made.json").write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    for name, text in made.get("failed", {}).items():
        print(f"{name}:\n{text}", file=sys.stderr)
    return 1 if made.get("failed") else 0


if __name__ == "__main__":
    sys.exit(main())
