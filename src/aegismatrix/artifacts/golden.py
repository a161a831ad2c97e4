"""Golden values: what every artifact said to a few real rows where it was sealed.

They are what "the same numbers everywhere" is held against, from any language: one strict JSON file
beside the artifacts, with inputs, outputs and how far an output may be off.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from aegismatrix import errors
from aegismatrix.artifacts import fields as entries
from aegismatrix.artifacts.manifest import GOLDEN_KEY, Manifest, parse_strict_json, read_attachment
from aegismatrix.records import dataclass

GOLDEN_VERSION = 1
"""1: the first format."""

_DTYPES = ("float64", "int64")


class Runs(Protocol):
    """Whatever can be held against golden values, as a `Model` can."""

    def run(self, **arrays: NDArray[Any]) -> Mapping[str, NDArray[Any]]:
        """Return the outputs by name for the inputs by name."""


@dataclass(frozen=True, eq=False)
class GoldenOutput:
    """The values of one output where it was sealed, and the absolute difference that is allowed."""

    values: NDArray[Any]
    tolerance: float


@dataclass(frozen=True, eq=False)
class GoldenCase:
    """What one artifact said: inputs by name, of the sealed types and shapes, and outputs."""

    artifact: str
    inputs: Mapping[str, NDArray[Any]]
    outputs: Mapping[str, GoldenOutput]


def read_golden(manifest: Manifest) -> dict[str, GoldenCase] | None:
    """Read and verify the golden values of a folder, by artifact; None if it seals none."""
    data = read_attachment(manifest, GOLDEN_KEY)
    if data is None:
        return None
    path = str(manifest.folder / manifest.attachments[GOLDEN_KEY].file)
    cases = parse_golden(data, path)
    if cases.keys() != manifest.models.keys():
        odd = sorted(cases.keys() ^ manifest.models.keys())
        raise errors.GoldenValuesError(path, f"artifacts and cases differ in {', '.join(odd)}")
    return cases


def parse_golden(data: bytes, path: str) -> dict[str, GoldenCase]:
    """Read golden values by artifact: strict JSON of the form that this package reads."""
    try:
        content = parse_strict_json(data)
        version = content["golden_version"]
        if version != GOLDEN_VERSION or isinstance(version, bool):
            raise ValueError(f"its version is {version!r}, this package reads {GOLDEN_VERSION}")
        arrays = {name: _array(entry) for name, entry in content["arrays"].items()}
        return {
            artifact: GoldenCase(
                entries.text(artifact),
                {entries.text(name): arrays[key] for name, key in case["inputs"].items()},
                {
                    entries.text(name): GoldenOutput(
                        arrays[output["array"]], _tolerance(output["tolerance"])
                    )
                    for name, output in case["outputs"].items()
                },
            )
            for artifact, case in content["cases"].items()
        }
    except (
        KeyError,
        TypeError,
        ValueError,
        OverflowError,
        AttributeError,
        RecursionError,
    ) as error:
        raise errors.GoldenValuesError(path, f"it is malformed ({error!r})"[:200]) from error


def differences(model: Runs, case: GoldenCase) -> dict[str, float]:
    """Return the largest absolute difference of each output on the golden inputs.

    It is infinite for NaN, another shape, and an output that is missing here or in the golden
    values.
    """
    outputs = model.run(**case.inputs)
    found = {
        name: _difference(outputs.get(name), golden.values) for name, golden in case.outputs.items()
    }
    return {**found, **{name: math.inf for name in outputs if name not in found}}


def check_golden(model: Runs, case: GoldenCase) -> dict[str, float]:
    """Return the `differences`, and refuse an output that is further off than its tolerance."""
    found = differences(model, case)
    for name, difference in found.items():
        tolerance = case.outputs[name].tolerance if name in case.outputs else 0.0
        if difference > tolerance:
            raise errors.GoldenMismatchError(
                case.artifact, name, difference=difference, tolerance=tolerance
            )
    return found


def _difference(values: NDArray[Any] | None, golden: NDArray[Any]) -> float:
    if values is None or values.shape != golden.shape:
        return math.inf
    largest = float(np.abs(values - golden).max())
    return math.inf if math.isnan(largest) else largest


def _array(entry: Mapping[str, Any]) -> NDArray[Any]:
    dtype, shape, values = entry["dtype"], tuple(entry["shape"]), entry["values"]
    if dtype not in _DTYPES:
        raise ValueError(f"{dtype!r} is no type of golden values")
    if any(type(size) is not int or size < 1 for size in shape) or len(values) != math.prod(shape):
        raise ValueError(f"{len(values)} values do not fill the shape {list(shape)}")
    known = (int,) if dtype == "int64" else (int, float)
    if any(type(value) not in known for value in values):
        raise ValueError(f"a value is not of {dtype}")
    array = np.array(values, dtype=dtype).reshape(shape)
    if not np.isfinite(array).all():
        raise ValueError("a value is not finite")
    return array


def _tolerance(value: object) -> float:
    if not isinstance(value, float) or not 0.0 < value < math.inf:
        raise ValueError(f"{value!r} is no tolerance")
    return value
