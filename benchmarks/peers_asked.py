"""Ask other tools, inside a throw-away venv, what `benchmarks/peers.py` wants to know of them.

Usage: python -m benchmarks.peers_asked {files,convert,serialise,deserialise} FOLDER

FOLDER holds ``inputs.npz`` and ``tables.json``, what the test files were fitted on. One line of
JSON comes out for each file or model. No file of a model is loaded here: fickling reads opcodes,
skops refuses what is not its own, and whatever needs a live model is given one that is fitted here,
by the same functions and on the same rows as the test files (`scripts/legacy_families`).
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from scripts.legacy_families.cases import Data, Made, release

FAMILIES = ("linear", "preparing", "trees", "others", "combined", "frames", "text")
CALLS = ("predict_proba", "decision_function", "transform", "predict")
MESSAGE_CHARACTERS = 120


def models(data: Data) -> Iterator[tuple[str, Any, Any]]:
    """Fit every model that is an estimator: its name, itself, and rows to ask it with."""
    this = release()
    for family in FAMILIES:
        for case in importlib.import_module(f"scripts.legacy_families.{family}").TABLE:
            if not case.since <= this < case.until:
                continue
            built = case.build(data)
            made = built if isinstance(built, Made) else Made(built)
            rows = rows_of(made, data)
            of_mappings = isinstance(rows, list) and isinstance(rows[0], dict)
            if hasattr(made.model, "get_params") and not of_mappings:
                yield case.name, made.model, rows


def rows_of(made: Made, data: Data) -> Any:
    """Rows as its maker asked it first; numbers are those that float32 has, too."""
    name, rows = next(iter((made.sets or {"rows": data.rows}).items()))
    if rows is None and name == "frame_rows":
        rows = data.frame(name)
    elif rows is None:
        rows = data.arrays[name] if name in data.arrays else getattr(data, name)
    if isinstance(rows, np.ndarray) and rows.dtype.kind == "f":
        return rows.astype(np.float32).astype(np.float64)
    if hasattr(rows, "columns"):
        floats = [name for name in rows.columns if rows[name].dtype.kind == "f"]
        return rows.assign(**{name: rows[name].astype(np.float32).astype(float) for name in floats})
    return rows


def answers(model: Any, rows: Any) -> dict[str, Any]:
    """What a model says, by method."""
    found = {}
    for call in CALLS:
        try:
            answer = getattr(model, call)(rows)
        except (AttributeError, ValueError):
            # Not every model has every method, and some say so late.
            continue
        if not isinstance(answer, list):
            answer = answer.toarray() if hasattr(answer, "toarray") else np.asarray(answer)
            found[call] = answer.tolist()
    return found


def apart(given: Any, wanted: Any) -> float:
    """The largest difference, divided by the largest answer above 1; of labels 1 or 0."""
    given, wanted = np.asarray(given), np.asarray(wanted)
    if given.size != wanted.size:
        return float("inf")
    given = given.reshape(wanted.shape)
    if wanted.dtype.kind not in "biuf" or given.dtype.kind not in "biuf":
        return float((given.astype(str) != wanted.astype(str)).any())
    given, wanted = given.astype(float), wanted.astype(float)
    there = ~np.isnan(wanted)
    if np.isnan(given[there]).any():
        return float("inf")
    scale = max(1.0, float(np.abs(wanted[there]).max(initial=0.0)))
    return float(np.abs(given[there] - wanted[there]).max(initial=0.0)) / scale


def tell(name: str, work: Callable[[], dict[str, Any]]) -> None:
    """Print what came of one piece of work; whatever it raises is what came of it."""
    start = time.perf_counter()
    try:
        found = work()
    except Exception as error:  # noqa: BLE001 - it is another tool's, and is told
        lines = str(error).splitlines() or [""]
        found = {"failed": f"{type(error).__name__}: {lines[0][:MESSAGE_CHARACTERS]}"}
    line = {"name": name, "seconds": time.perf_counter() - start, **found}
    print(json.dumps(line), file=sys.__stdout__, flush=True)


def files(folder: Path) -> None:
    """Let fickling judge each file of a list, and skops look for its own format in it."""
    import skops.io
    from fickling.analysis import check_safety
    from fickling.fickle import Pickled

    def judged(file: Path) -> dict[str, Any]:
        with file.open("rb") as stream:
            return {"severity": check_safety(Pickled.load(stream)).severity.name}

    def read(file: Path) -> dict[str, Any]:
        return {"types": len(skops.io.get_untrusted_types(file=file))}

    for name in json.loads((folder / "files.json").read_text(encoding="utf-8")):
        tell(f"fickling {name}", lambda: judged(Path(name)))  # noqa: B023 - called at once
        tell(f"skops {name}", lambda: read(Path(name)))  # noqa: B023 - called at once


def convert(data: Data) -> None:
    """Let skl2onnx convert every live model, and hold the graph against it."""
    for name, model, rows in models(data):
        tell(name, lambda: converted(model, rows))  # noqa: B023 - called at once


def converted(model: Any, rows: Any) -> dict[str, Any]:
    """What skl2onnx made of one model."""
    from sklearn.feature_selection import SelectorMixin

    wanted = answers(model, rows)
    says = next(call for call in ("predict_proba", "predict", "transform") if call in wanted)
    if isinstance(model, SelectorMixin):
        says = "transform"
    feed = fed(rows)
    if set(feed) == {"X"} and feed["X"].dtype.kind == "i":
        try:
            return run(model, feed, says, wanted[says])
        except Exception:  # noqa: BLE001 - some converters take whole numbers as floats alone
            feed = {"X": feed["X"].astype(np.float32)}
    return run(model, feed, says, wanted[says])


def run(model: Any, feed: dict[str, Any], says: str, wanted: Any) -> dict[str, Any]:
    """Convert a model for one kind of input, and ask its graph."""
    import onnxruntime
    from skl2onnx import to_onnx

    options = {id(model): {"zipmap": False}}

    def graph(**given: Any) -> Any:
        types = [(name, kind_of(column)) for name, column in feed.items()]
        target = {"": 18, "ai.onnx.ml": 3}
        return to_onnx(model, initial_types=types, target_opset=target, **given)

    try:
        made = graph(options=options)
    except NameError:
        # What has no probabilities has no such option.
        made = graph()
    session = onnxruntime.InferenceSession(
        made.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    taken = {one.name for one in session.get_inputs()}
    out = session.run(None, {name: feed[name] for name in feed if name in taken})
    return {"off": apart(out[says == "predict_proba"], wanted), "call": says}


def fed(rows: Any) -> dict[str, Any]:
    """Rows as a graph of skl2onnx takes them: an array, or a column for each of a mixed frame."""
    if hasattr(rows, "columns"):
        if all(kind.kind in "biuf" for kind in rows.dtypes):
            return fed(rows.to_numpy())
        return {name: fed(rows[[name]].to_numpy())["X"] for name in rows.columns}
    array = rows if isinstance(rows, np.ndarray) else np.array(rows, dtype=object)
    if array.dtype.kind == "f":
        return {"X": array.astype(np.float32)}
    if array.dtype.kind in "biu":
        return {"X": array.astype(np.int64)}
    return {"X": array.astype(object).reshape(len(array), -1)}


def kind_of(column: Any) -> Any:
    """What skl2onnx calls the type of an array."""
    from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType

    kinds = {"f": FloatTensorType, "i": Int64TensorType, "O": StringTensorType}
    return kinds[column.dtype.kind]([None, *column.shape[1:]])


def serialise(data: Data, folder: Path) -> None:
    """Let sklearn-migrator write every live model, and keep what the model says beside it."""
    import sklearn_migrator

    def written(name: str, model: Any, rows: Any) -> dict[str, Any]:
        content = {"model": sklearn_migrator.serialize(model), "answers": answers(model, rows)}
        (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
        return {}

    for name, model, rows in models(data):
        tell(name, lambda: written(name, model, rows))  # noqa: B023 - called at once


def deserialise(data: Data, folder: Path) -> None:
    """Let sklearn-migrator read what it wrote in the older release, and ask the model again."""
    import sklearn_migrator

    def read(file: Path, rows: Any) -> dict[str, Any]:
        content = json.loads(file.read_text(encoding="utf-8"))
        said = answers(sklearn_migrator.deserialize(content["model"]), rows)
        wanted = content["answers"]
        silent = sorted(set(wanted) - set(said))
        if silent:
            raise ValueError(f"it no longer has {', '.join(silent)}")
        off = {call: apart(said[call], wanted[call]) for call in wanted}
        worst = max(off, key=lambda call: off[call])
        return {"off": off[worst], "call": worst}

    for name, _, rows in models(data):
        file = folder / f"{name}.json"
        if file.exists():
            tell(name, lambda: read(file, rows))  # noqa: B023 - called at once


def main() -> int:
    """Run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("task", choices=["files", "convert", "serialise", "deserialise"])
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    # What tools print by themselves is no answer.
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        ask(options.task, options.folder)
    return 0


def ask(task: str, folder: Path) -> None:
    """Carry out one task."""
    if task == "files":
        files(folder)
        return
    with np.load(str(folder / "inputs.npz"), allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    data = Data(arrays, folder / "tables.json")
    if task == "convert":
        convert(data)
    else:
        {"serialise": serialise, "deserialise": deserialise}[task](data, folder)


if __name__ == "__main__":
    sys.exit(main())
