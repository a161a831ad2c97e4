"""Golden values: what every artifact says to a few real rows, for everyone to hold theirs against.

The rows are of the embedded sample, so that whoever has the package has the bars, and anybody may
have them. Its market stands in for both where an artifact reads two.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aegismatrix.artifacts.golden import GOLDEN_VERSION, check_golden, parse_golden
from aegismatrix.artifacts.manifest import ArraySpec, Manifest
from aegismatrix.desk.sources.sample import sample_bars
from aegismatrix.engine.model import Model, load_model
from aegismatrix.errors import AegisError
from aegismatrix.market.arrays import ONE_DAY
from aegismatrix.market.bars import Bars
from aegismatrix.market.events import PROBABILITY, VOLATILITY_UNIT
from aegismatrix.market.overnight import Nights, align
from aegismatrix_factory.release.parity import bars_feed

Arrays = dict[str, NDArray[Any]]

GOLDEN_NAME = "golden.json"
ROWS = 3
"""Rows of output per case."""
TOLERANCES = {PROBABILITY: 1e-6, VOLATILITY_UNIT: 1e-6}
TOLERANCE = 1e-12
"""Of anything else: features and the standard deviation that iv implies."""

# What a caller chooses, well inside of what is allowed.
_CHOSEN = {
    "horizon": np.array([1.0, 5.0, 20.0]),
    "lower_distance": np.array([0.005, 0.02, 0.05, 0.1]),
    "upper_distance": np.array([0.005, 0.05, 0.02, 0.1]),
}
_BARS_AXIS, _ROWS_AXIS = "T", "N"


class GoldenInputError(AegisError):
    """An artifact takes an input that no golden value is known for.

    Attributes
    ----------
    artifact, array : str
        Which artifact, and its input.
    """

    def __init__(self, artifact: str, array: str) -> None:
        self.artifact = artifact
        self.array = array
        super().__init__(
            f"{artifact}: nothing is known to give as golden {array}.",
            remedy="Nothing was written; say in aegismatrix_factory/release/golden.py where it"
            " comes from.",
        )


def golden_values(models: Mapping[str, Model]) -> bytes:
    """Run every artifact on a few real rows and render inputs and outputs.

    Parameters
    ----------
    models : mapping of str to Model
        Every artifact of a folder by name, ``features`` among them.

    Returns
    -------
    bytes
        The file: strict JSON, each distinct array once.

    Raises
    ------
    GoldenInputError
        If an artifact takes an input that is not known here.
    GoldenMismatchError
        If a model does not reproduce what the file says.
    """
    bars = sample_bars()
    # One row per bar less what the longest look-back takes: ROWS of the artifact that has it.
    bars = bars[-(max(model.spec.lookback_bars for model in models.values()) + ROWS - 1) :]
    feed = bars_feed(bars)
    rows: Arrays = dict(models["features"].run(**feed))
    count = len(rows["implied_sigma"])
    nights = align(bars.dates[-count:], bars.dates[-1] + ONE_DAY, bars)
    arrays: dict[str, Any] = {}
    cases = {}
    for name, model in models.items():
        spec = model.spec
        inputs = _inputs(name, spec.inputs, spec.rows, feed, rows, nights)
        outputs = model.run(**inputs)
        cases[name] = {
            "inputs": {
                array: _placed(arrays, f"{name}/{array}", values)
                for array, values in inputs.items()
            },
            "outputs": {
                array.name: {
                    "array": _placed(arrays, f"{name}/{array.name}", outputs[array.name]),
                    "tolerance": TOLERANCES.get(array.unit, TOLERANCE),
                }
                for array in spec.outputs
            },
        }
    content = {
        "golden_version": GOLDEN_VERSION,
        "compare": "abs(value - golden) <= tolerance, for each value of an output",
        "bars": _described(bars),
        "arrays": arrays,
        "cases": cases,
    }
    data = (json.dumps(content, allow_nan=False, ensure_ascii=True, indent=1) + "\n").encode()
    for name, case in parse_golden(data, GOLDEN_NAME).items():
        check_golden(models[name], case)
    return data


def golden_of(manifest: Manifest) -> bytes:
    """Return the golden values of artifacts that are sealed already.

    Parameters
    ----------
    manifest : Manifest
        What is sealed.

    Returns
    -------
    bytes
        As from `golden_values`.

    Raises
    ------
    ArtifactError
        If an artifact is not what was sealed.
    GoldenInputError, GoldenMismatchError
        As for `golden_values`.
    """
    return golden_values({name: load_model(manifest, name) for name in manifest.models})


def _described(bars: Bars) -> dict[str, str]:
    return {
        "source": "the embedded sample, sample_bars(): S&P 500 and Cboe VIX",
        "first": str(bars.dates[0]),
        "last": str(bars.dates[-1]),
    }


def _inputs(
    artifact: str,
    contract: Sequence[ArraySpec],
    window: int,
    feed: Mapping[str, NDArray[Any]],
    rows: Mapping[str, NDArray[Any]],
    nights: Nights,
) -> Arrays:
    """What an artifact is given: all bars, or rows as far apart as there are, or a few windows."""
    known = np.flatnonzero(nights.known)
    apart = known[np.linspace(0, len(known) - 1, ROWS).round().astype(int)]
    given = {**rows, **{name: _spread(values, nights) for name, values in nights.inputs().items()}}
    inputs: Arrays = {}
    for array in contract:
        of_rows = array.shape[0] == _ROWS_AXIS
        if array.name in feed and array.shape == (_BARS_AXIS,):
            inputs[array.name] = feed[array.name]
        elif of_rows and array.name in given:
            values = given[array.name]
            inputs[array.name] = values[apart] if window == 1 else values[-(window + ROWS - 1) :]
        elif of_rows and array.dtype == "int64" and array.maximum is not None:
            # Numbers of fits: the first, the last, and what is between.
            chosen = np.linspace(array.minimum or 0, array.maximum, ROWS)
            inputs[array.name] = chosen.astype(np.int64)
        elif array.name in _CHOSEN:
            chosen = _CHOSEN[array.name]
            # Where each row has values of its own they differ.
            scale = np.linspace(0.5, 1.5, ROWS)
            inputs[array.name] = np.outer(scale, chosen) if of_rows else chosen
        else:
            raise GoldenInputError(artifact, array.name)
    return inputs


def _spread(values: NDArray[Any], nights: Nights) -> NDArray[Any]:
    """Values of the known nights at the places of their rows."""
    placed = np.full(len(nights), np.nan)
    placed[nights.known] = values
    return placed


def _placed(arrays: dict[str, Any], key: str, values: NDArray[Any]) -> str:
    """Keep an array under a name, or find the name under which an equal one is kept."""
    entry = {
        "dtype": str(values.dtype),
        "shape": list(values.shape),
        "values": values.ravel().tolist(),
    }
    for other, kept in arrays.items():
        if kept == entry:
            return other
    arrays[key] = entry
    return key
