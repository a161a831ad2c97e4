"""Run every golden case in this environment and print one JSON line: how far each output is off.

Usage: python benchmarks/golden_values.py FOLDER [--runtime NAME]

portability.py runs this in environments that hold numpy and one runtime and nothing else, with the
package's sources on the path.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import aegismatrix as am
from aegismatrix.artifacts.golden import Runs, differences, read_golden
from aegismatrix.artifacts.manifest import Manifest, read_artifact, read_manifest

Arrays = dict[str, NDArray[Any]]


class Runtime:
    """An artifact in some runtime.

    Parameters
    ----------
    run : callable
        From inputs by name to outputs by name.
    """

    def __init__(self, run: Callable[[Arrays], Arrays]) -> None:
        self._run = run

    def run(self, **arrays: NDArray[Any]) -> Arrays:
        """Return the outputs by name."""
        return self._run(arrays)


def through_package(manifest: Manifest, name: str) -> Runs:
    """The package itself, on onnxruntime."""
    from aegismatrix.engine.model import load_model

    return load_model(manifest, name)


def through_reference(manifest: Manifest, name: str) -> Runs:
    """The reference implementation of the ONNX standard, in numpy."""
    import onnx
    from onnx.reference import ReferenceEvaluator

    session = ReferenceEvaluator(onnx.load_from_string(read_artifact(manifest, name)))
    names = session.output_names
    return Runtime(lambda arrays: dict(zip(names, session.run(None, arrays), strict=True)))


def through_openvino(manifest: Manifest, name: str) -> Runs:
    """OpenVINO on the CPU, asked for the precision of the graph."""
    import openvino

    core = openvino.Core()
    model = core.read_model(read_artifact(manifest, name), b"")
    compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def run(arrays: Arrays) -> Arrays:
        found = compiled(arrays)
        return {output.get_any_name(): np.asarray(found[output]) for output in compiled.outputs}

    return Runtime(run)


def through_tract(manifest: Manifest, name: str) -> Runs:
    """Run in tract, which is written in Rust."""
    import tract

    model = tract.onnx().load(str(manifest.folder / manifest.model(name).file)).into_model()
    spec = manifest.model(name)

    def run(arrays: Arrays) -> Arrays:
        found = model.into_runnable().run([arrays[array.name] for array in spec.inputs])
        names = [array.name for array in spec.outputs]
        return {one: values.to_numpy() for one, values in zip(names, found, strict=True)}

    return Runtime(run)


RUNTIMES: Mapping[str, tuple[str, Callable[[Manifest, str], Runs]]] = {
    "onnxruntime": ("onnxruntime", through_package),
    "reference": ("onnx", through_reference),
    "openvino": ("openvino", through_openvino),
    "tract": ("tract", through_tract),
}
"""By name: the distribution that it is in, and how to open an artifact in it."""


def measure(folder: Path, runtime: str) -> dict[str, Any]:
    """Return versions, and per artifact how far each output is off, or why it cannot be run."""
    manifest = read_manifest(folder)
    cases = read_golden(manifest)
    if cases is None:
        raise SystemExit(f"{folder} seals no golden values")
    distribution, opened = RUNTIMES[runtime]
    artifacts: dict[str, Any] = {}
    for name, case in cases.items():
        try:
            found = differences(opened(manifest, name), case)
        except Exception as error:  # noqa: BLE001
            # Every runtime has exceptions of its own; whatever it says is the result.
            artifacts[name] = {"error": f"{type(error).__name__}: {_cause(str(error))}"[:300]}
            continue
        artifacts[name] = {
            output: {
                "difference": difference if math.isfinite(difference) else None,
                "tolerance": case.outputs[output].tolerance,
            }
            for output, difference in found.items()
        }
    return {
        "versions": {
            "python": platform.python_version(),
            "numpy": version("numpy"),
            distribution: version(distribution),
        },
        "artifacts": artifacts,
    }


def _cause(said: str) -> str:
    """The innermost cause, in one line, of a message that may end in a backtrace."""
    return " ".join(said.split("Stack backtrace:")[0].split("Caused by:")[-1].split())


def main() -> None:
    """Print the line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="artifacts with their golden values")
    parser.add_argument("--runtime", choices=RUNTIMES, default="onnxruntime")
    arguments = parser.parse_args()
    line = measure(arguments.folder, arguments.runtime)
    if arguments.runtime == "onnxruntime":
        # Numbers are not all: bars, engine and report must work here too, or this raises.
        report = am.analyze(am.sample_bars(), engine=am.Engine(arguments.folder))
        line["report"] = report.as_of
    print(json.dumps(line, allow_nan=False))


if __name__ == "__main__":
    main()
