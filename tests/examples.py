"""What callers choose, made up by name, and the columns that the engine's history has."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from aegismatrix_factory.heads.registry import HEADS
from numpy.typing import NDArray

from aegismatrix.artifacts.manifest import ArraySpec, ModelSpec

# As documented: the grid of the surfaces unless another is asked for.
HORIZONS_DAYS = (1, 5, 10, 20)
BASIS_POINTS = (100, 200, 300, 400, 500, 700)
SIDES = ("either", "down", "up", "below", "above")
FEW = ("features", "direction")
"""One artifact that takes bars, and one that takes several feature rows in single precision."""

_NIGHT = {"us_close": 3_000.0, "us_close_before": 2_990.0, "us_vix": 15.0, "us_vix_before": 15.5}
_CHOSEN = {
    "horizon": np.array([1.0, 5.0, 20.0]),
    "lower_distance": np.log1p(np.array([0.01, 0.03, 0.07])),
    "upper_distance": np.log1p(np.array([0.02, 0.02, 0.05])),
}


def tolerance_of(model: str) -> float:
    """How far a probability may depend on what it is computed together with.

    Double kernels: on nothing but the last bits. A network in single precision: a tenth of what its
    proof allows.
    """
    declared = {head.name: head.tolerance for head in HEADS}.get(model, 0.0)
    return 0.1 * declared if declared > 1e-8 else 1e-12


def chosen_input(spec: ModelSpec, array: ArraySpec, rows: int) -> NDArray[Any]:
    """An input that is neither bars nor what the feature graph gives."""
    if array.name == "fit":
        return np.arange(rows, dtype=array.dtype) % len(spec.stretches)
    if array.name in _NIGHT:
        return _NIGHT[array.name] * (1.0 + 0.01 * np.sin(np.arange(rows)))
    values = _CHOSEN[array.name]
    return np.tile(values, (rows, 1)) if array.shape[0] == "N" else values.copy()


# Days, sides, horizons, distances; quantiles of volatility have no sides, and columns.
_SURFACE = ("N", 3, "H", "D")


def is_surface(array: ArraySpec) -> bool:
    """Whether an output has horizons and distances, and so no columns of its own."""
    return len(array.shape) == len(_SURFACE)


def history_columns(
    array: ArraySpec,
    horizons_days: tuple[int, ...] = HORIZONS_DAYS,
    basis_points: tuple[int, ...] = BASIS_POINTS,
) -> tuple[str, ...]:
    """The columns of a probability of the engine, for whole horizons and basis points."""
    if not is_surface(array):
        return array.columns
    return tuple(
        f"{array.name}_h{days}_d{points}" for days in horizons_days for points in basis_points
    )


def in_columns(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    """The probabilities that the history shows, shape (N, columns): of a surface either edge."""
    of_cells = probability[:, 0] if probability.ndim == len(_SURFACE) else probability
    return of_cells.reshape(len(probability), -1)


def few_of_them_quick(cases: Iterable[str | tuple[str, str]]) -> list[Any]:
    """Cases by artifact, first or alone in each: those of all but two are slow."""
    named = [(case,) if isinstance(case, str) else case for case in cases]
    return [pytest.param(*case, marks=() if case[0] in FEW else pytest.mark.slow) for case in named]
