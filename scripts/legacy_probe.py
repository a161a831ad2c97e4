"""Load what `legacy_maker.py` wrote under another library, and say how far its answers are off.

Usage: python legacy_probe.py INPUTS LIBRARY FOLDER...

The one file of this repository that unpickles. `scripts/legacy_loads.py` runs it inside throw-away
venvs; it refuses any other, and any file whose hash is not the one that the maker's process wrote
down. One line of JSON per file that the maker has answers for, each in a forked process: a file may
end its process, and XGBoost warns once in one.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np

IMPORTED = {
    "numpy": ("joblib",),
    "scikit-learn": ("joblib", "sklearn.ensemble", "sklearn.linear_model", "sklearn.pipeline"),
    "xgboost": ("joblib", "xgboost"),
}


def answer(content: Any, call: str, inputs: Any) -> Any:
    """Ask a loaded object what its maker asked it.

    Parameters
    ----------
    content : object
        What was loaded.
    call : str
        As in the maker's list of outputs.
    inputs : ndarray
        What the maker gave.

    Returns
    -------
    object
        An array, or what can be made one.
    """
    if call == "array":
        return content
    if call == "scalar":
        return [content["threshold"]]
    if call == "draws":
        return content.uniform(size=5)
    if isinstance(content, dict):
        scaled = content["scaler"].transform(inputs) if "scaler" in content else inputs
        return getattr(content["model"], call.removesuffix("_missing"))(scaled)
    if type(content).__name__ != "Booster":
        return getattr(content, call.removesuffix("_missing"))(inputs)
    import xgboost

    names = content.feature_names if call == "predict_named" else None
    matrix = xgboost.DMatrix(inputs, feature_names=names)
    if call == "predict_to_best":
        return content.predict(matrix, iteration_range=(0, content.best_iteration + 1))
    return content.predict(matrix, output_margin=call == "predict_margin")


def probe(path: Path, entry: dict[str, Any], inputs: Any, recorded: Any) -> dict[str, Any]:
    """Load one file and compare.

    Parameters
    ----------
    path : Path
        The file.
    entry : dict
        What its maker says of it.
    inputs, recorded : mapping of str to ndarray
        What the maker gave and got.

    Returns
    -------
    dict
        ``file``, ``stage`` (``load``, ``answer``, ``answered``), ``error``, ``difference`` (the
        largest, absolute, by call) and ``warnings``.
    """
    found: dict[str, Any] = {"file": path.name, "stage": "load", "error": None, "difference": {}}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        # What a foreign library raises when it reads the future cannot be listed beforehand.
        try:
            content = load(path, entry["dumped"])
            found["stage"] = "answer"
            for call, output in entry["outputs"].items():
                given = np.asarray(answer(content, call, inputs[output["inputs"]]))
                expected = recorded[output["array"]]
                if given.shape != expected.shape:
                    raise ValueError(f"{call} has the shape {given.shape}, not {expected.shape}")
                found["difference"][call] = float(np.abs(given - expected).max())
            found["stage"] = "answered"
        except Exception as error:  # noqa: BLE001
            found["error"] = f"{type(error).__name__}: {error}"
    found["warnings"] = sorted({f"{one.category.__name__}: {one.message}" for one in caught})
    return found


def load(path: Path, dumped: str) -> Any:
    """Load one file as it was dumped.

    Parameters
    ----------
    path : Path
        The file.
    dumped : str
        What the maker called.

    Returns
    -------
    object
    """
    if dumped.startswith("save_model"):
        import xgboost

        return xgboost.Booster(model_file=path)
    if dumped.startswith("joblib"):
        import joblib

        return joblib.load(path)
    import pickle

    with path.open("rb") as file:
        return pickle.load(file)  # noqa: S301


def forked(path: Path, entry: dict[str, Any], inputs: Any, recorded: Any) -> dict[str, Any]:
    """Probe in a process of its own.

    Parameters
    ----------
    path, entry, inputs, recorded
        As for `probe`.

    Returns
    -------
    dict
        As from `probe`.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        with os.fdopen(writing, "w") as stream:
            json.dump(probe(path, entry, inputs, recorded), stream)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as stream:
        text = stream.read()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code == 0:
        return dict(json.loads(text))
    error = f"the process ends with {code}"
    return {"file": path.name, "stage": "load", "error": error, "difference": {}, "warnings": []}


def main() -> int:
    """Print one line per file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("inputs", type=Path)
    parser.add_argument("library", choices=IMPORTED)
    parser.add_argument("folders", nargs="+", type=Path)
    options = parser.parse_args()
    place = Path(sys.prefix).resolve()
    if place.parents[0].name != "venvs" or place.parents[1].name != "legacy":
        parser.error("this unpickles: it runs in the venvs of build/legacy alone")
    with np.load(options.inputs, allow_pickle=False) as archive:
        inputs = {name: archive[name] for name in archive.files}
    for folder in options.folders:
        made = json.loads((folder / "made.json").read_text(encoding="utf-8"))
        for entry in made["files"]:
            content = (folder / entry["file"]).read_bytes()
            if hashlib.sha256(content).hexdigest() != entry["sha256"]:
                parser.error(f"{folder / entry['file']} is not what the maker wrote")
    # Once, before the forks: it is most of the time.
    for module in IMPORTED[options.library]:
        importlib.import_module(module)
    for folder in options.folders:
        made = json.loads((folder / "made.json").read_text(encoding="utf-8"))
        with np.load(folder / "predictions.npz", allow_pickle=False) as archive:
            recorded = {name: archive[name] for name in archive.files}
        for entry in made["files"]:
            if entry["outputs"]:
                found = forked(folder / entry["file"], entry, inputs, recorded)
                print(json.dumps({"folder": folder.name, **found}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
