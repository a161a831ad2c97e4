"""The breach surface inverted: at which distance an edge is touched with a given probability."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from aegismatrix.artifacts.manifest import ENGINE_NAME
from aegismatrix.errors import ContractError
from aegismatrix.market.arrays import FloatArray, distinct

_NEAREST, _FURTHEST = 1e-5, 2.0
_GRID, _REFINEMENTS = 64, 3


def distances_of(
    surface: Callable[[Sequence[int], FloatArray], FloatArray],
    targets: Sequence[tuple[int, float]],
) -> FloatArray:
    """Return the log distances at which either edge is touched with given probabilities.

    `surface` gives touch probabilities by horizon in trading days and rising log distance. Three
    grids, each within a cell of the one before, then a straight line: the touch probability at the
    result is the one asked for to 1e-9. Raise ContractError if the surface does not reach it.
    """
    horizons = sorted({horizon_days for horizon_days, _ in targets})
    low, high = np.full(len(targets), _NEAREST), np.full(len(targets), _FURTHEST)
    results = np.empty(len(targets))
    for refinement in range(_REFINEMENTS):
        grids = np.geomspace(low, high, _GRID)
        distances = distinct(grids)
        probabilities = surface(horizons, distances)
        for number, (horizon_days, probability) in enumerate(targets):
            grid = grids[:, number]
            place = np.searchsorted(distances, grid)
            of_target = probabilities[horizons.index(horizon_days), place]
            nearer = int((of_target > probability).sum())
            if not 0 < nearer < _GRID:
                raise ContractError(
                    ENGINE_NAME,
                    "breach",
                    f"does not reach a probability of {probability} in {horizon_days} days",
                    remedy="Ask for a probability further from 0 and 1.",
                )
            low[number], high[number] = grid[nearer - 1], grid[nearer]
            if refinement == _REFINEMENTS - 1:
                above, below = of_target[nearer - 1], of_target[nearer]
                share = (above - probability) / (above - below)
                results[number] = low[number] + (high[number] - low[number]) * share
    return results
