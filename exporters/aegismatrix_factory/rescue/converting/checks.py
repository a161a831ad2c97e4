"""The proof of a revived model: its graph against its own parameters, where they could differ."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from aegismatrix.artifacts.manifest import ModelSpec
from aegismatrix_factory.rescue.converting.errors import UnfaithfulModelError
from aegismatrix_factory.rescue.converting.evaluation import evaluate
from aegismatrix_factory.rescue.converting.parameters import (
    LEAF,
    Ensemble,
    FloatArray,
    Recurrent,
    Revived,
    Scaler,
)

SEED = 7
RANDOM_ROWS = 256
BOUNDARY_THRESHOLDS = 256
MISSING_ROWS = 128
MISSING_SHARE = 0.2
SPREADS = (0.5, 2.0, 8.0, 1e3)
WINDOW_ROWS = (1, 7, 20)
TOLERANCE = 1e-9
NETWORK_TOLERANCE = 1e-5
"""float32 sums of a network, against the same in float64."""

_LARGEST = float(np.finfo(np.float32).max)
_NUMBERS = 2_000_000
"""As many as one batch may have, and what the trees say to it."""

Run = Callable[[FloatArray], FloatArray]


def prove(revived: Revived, spec: ModelSpec, data: bytes) -> dict[str, Any]:
    """Open the artifact again and hold it against an evaluation with numpy.

    Parameters
    ----------
    revived : Revived
        The parameters.
    spec : ModelSpec
        The contract.
    data : bytes
        The finished artifact.

    Returns
    -------
    dict
        runtime, random_rows, boundary_rows, missing_rows, largest_difference, tolerance. A
        difference is divided by the largest answer where that is above 1.

    Raises
    ------
    UnfaithfulModelError
        If they differ by more than the tolerance.
    AegisError
        If the runtime refuses the artifact, or its contract is another.
    """
    run, runtime = _runtime(spec, data)
    tolerance = NETWORK_TOLERANCE if isinstance(revived.model, Recurrent) else TOLERANCE
    random, boundary, missing = probes(revived)
    worst = 0.0
    for batch in (*random, boundary, missing):
        if not batch.size:
            continue
        expected = evaluate(revived, batch)
        given = run(batch)
        if given.shape != expected.shape:
            raise UnfaithfulModelError(worst=np.inf, tolerance=tolerance)
        scale = max(1.0, float(np.abs(expected).max(initial=0.0)))
        difference = float(np.abs(given - expected).max(initial=0.0)) / scale
        # Written so that NaN fails.
        if not difference <= tolerance:
            raise UnfaithfulModelError(worst=difference, tolerance=tolerance)
        worst = max(worst, difference)
    return {
        "runtime": runtime,
        "random_rows": sum(len(batch) for batch in random),
        "boundary_rows": len(boundary),
        "missing_rows": len(missing),
        "largest_difference": worst,
        "tolerance": tolerance,
    }


def probes(revived: Revived) -> tuple[tuple[FloatArray, ...], FloatArray, FloatArray]:
    """Return the inputs of the proof, the same for the same model.

    Parameters
    ----------
    revived : Revived
        The model.

    Returns
    -------
    random : tuple of ndarray
        Batches around what the model was fitted on.
    boundary : ndarray of shape (R, F)
        Rows with one value at a threshold, and at its neighbours in float32 and float64.
    missing : ndarray of shape (M, F)
        Rows with NaN, where the library takes it.
    """
    random = np.random.default_rng(SEED)
    width = revived.n_features
    nothing = np.zeros((0, width))
    if isinstance(revived.model, Recurrent):
        windows = [
            random.normal(size=(_rows(8, rows * width), rows, width)) for rows in WINDOW_ROWS
        ]
        return tuple(windows), nothing, nothing
    if not isinstance(revived.model, Ensemble):
        rows = _rows(RANDOM_ROWS, width)
        drawn = [random.normal(size=(rows, width)) * spread for spread in SPREADS]
        scalers = [*revived.scalers]
        if isinstance(revived.model, Scaler):
            scalers.append(revived.model)
        return tuple(_before(scalers, x) for x in drawn), nothing, nothing
    model = revived.model
    cost = max(width, len(model.trees) * len(model.base))
    feature, threshold = _thresholds(model)
    centre, spread = np.zeros(width), np.ones(width)
    # One that stands for infinity says nothing of where its column lies.
    usual = np.abs(threshold) < _LARGEST
    for column in np.unique(feature[usual]):
        own = threshold[usual & (feature == column)]
        centre[column] = own.mean()
        spread[column] = 1.5 * own.std() + 1e-3 * max(1.0, abs(float(own.mean())))
    plain = centre + spread * random.normal(size=(_rows(RANDOM_ROWS, cost), width))
    count = min(_rows(BOUNDARY_THRESHOLDS, 5 * cost), len(feature))
    boundary = nothing
    if count:
        chosen = random.choice(len(feature), size=count, replace=False)
        boundary = _at_thresholds(feature[chosen], threshold[chosen], centre, spread, random)
    missing = nothing
    if model.takes_missing:
        missing = centre + spread * random.normal(size=(_rows(MISSING_ROWS, cost), width))
        missing[random.random(missing.shape) < MISSING_SHARE] = np.nan
        missing[0] = np.nan
        missing = _before(revived.scalers, missing)
    return (_before(revived.scalers, plain),), _before(revived.scalers, boundary), missing


def _rows(wanted: int, cost: int) -> int:
    """As many rows as are wanted, or as a batch can have at so many numbers for each."""
    return max(1, min(wanted, _NUMBERS // cost))


def _thresholds(model: Ensemble) -> tuple[NDArray[np.int64], FloatArray]:
    inner = [tree.left != LEAF for tree in model.trees]
    pairs = list(zip(model.trees, inner, strict=True))
    return (
        np.concatenate([tree.feature[one] for tree, one in pairs]),
        np.concatenate([tree.threshold[one] for tree, one in pairs]),
    )


def _at_thresholds(
    feature: NDArray[np.int64],
    threshold: FloatArray,
    centre: FloatArray,
    spread: FloatArray,
    random: np.random.Generator,
) -> FloatArray:
    single = threshold.astype(np.float32)
    lower, upper = np.float32(-np.inf), np.float32(np.inf)
    with np.errstate(over="ignore"):
        around = np.stack(
            [
                threshold,
                np.nextafter(threshold, -np.inf),
                np.nextafter(threshold, np.inf),
                np.nextafter(single, lower).astype(np.float64),
                np.nextafter(single, upper).astype(np.float64),
            ]
        ).reshape(-1)
    rows = centre + spread * random.normal(size=(len(around), len(centre)))
    rows[np.arange(len(around)), np.tile(feature, 5)] = np.clip(around, -_LARGEST, _LARGEST)
    return rows


def _before(scalers: list[Scaler] | tuple[Scaler, ...], x: FloatArray) -> FloatArray:
    """Rows that the scalers bring about to where `x` is."""
    for scaler in reversed(scalers):
        if scaler.scale is not None:
            x = x * scaler.scale
        if scaler.mean is not None:
            x = x + scaler.mean
    return x


def _runtime(spec: ModelSpec, data: bytes) -> tuple[Run, str]:
    """Take onnxruntime where it is installed, else the reference implementation of the standard."""
    (said,) = spec.outputs
    if find_spec("onnxruntime") is None:
        from onnx.reference import ReferenceEvaluator

        reference = ReferenceEvaluator(onnx.load_from_string(data))

        def run_reference(x: FloatArray) -> FloatArray:
            answers: Any = reference.run([said.name], {"x": x})
            return np.asarray(answers[0])

        return run_reference, f"onnx.reference {onnx.__version__}"
    from aegismatrix.engine.model import Model

    model = Model.from_bytes(spec, data, spec.file)
    # Not before the session is open: `engine.model` says there what it may not send home.
    import onnxruntime

    def run_session(x: FloatArray) -> FloatArray:
        # Not `run`, which takes no NaN.
        return model.run_validated({"x": x})[said.name]

    return run_session, f"onnxruntime {onnxruntime.__version__}"
