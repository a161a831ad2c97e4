"""The breach surface inverted: from probabilities to distances and to returns."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from aegismatrix.artifacts.manifest import ENGINE_NAME
from aegismatrix.errors import ContractError
from aegismatrix.market.arrays import LEAST_DISTANCE, FloatArray

EITHER, DOWN, UP, BELOW, ABOVE = range(5)
"""Places along the surface's axis of columns."""

Surface = Callable[[Sequence[int], FloatArray, FloatArray], FloatArray]
"""Horizons, lower and upper log distances in pairs to probabilities of shape (5, H, D)."""

_NEAREST, _FURTHEST = 1e-5, 2.0
_GRID, _REFINEMENTS = 64, 4
_LEAST_PROBABILITY = 1e-300


def edges_of(
    surface: Surface, targets: Sequence[tuple[int, float]]
) -> tuple[FloatArray, FloatArray]:
    """Return lower and upper log distances of which either edge is touched as often as asked for.

    Of all such pairs it is the one whose edges are touched equally often. Each refinement lies
    within three cells of the one before; on the last, straight lines. Raise ContractError if the
    surface does not reach a probability.
    """
    horizons = sorted({horizon_days for horizon_days, _ in targets})
    rows = [horizons.index(horizon_days) for horizon_days, _ in targets]
    asked = np.array([probability for _, probability in targets])
    ends = np.tile(np.log([_NEAREST, _FURTHEST]), (2, len(targets), 1))
    results = np.empty((2, len(targets)))
    for refinement in range(_REFINEMENTS):
        # By side, target and place.
        grids = np.linspace(ends[..., 0], ends[..., 1], _GRID, axis=-1)
        alone = _by_target(surface, horizons, rows, grids)
        lower, upper = grids
        partner = np.stack(
            [
                np.interp(_log_odds(down), _log_odds(up)[::-1], places[::-1])
                for down, up, places in zip(alone[:, DOWN], alone[:, UP], upper, strict=True)
            ]
        )
        either = _by_target(surface, horizons, rows, np.stack([lower, partner]))[:, EITHER]
        first = _crossings(either, asked, targets, only_check=refinement == 0)
        at = np.arange(len(targets))
        for side, places in enumerate((lower, partner)):
            share = _share(either, first, asked)
            results[side] = places[at, first] + share * (places[at, first + 1] - places[at, first])
            room = grids[side, :, 1] - grids[side, :, 0]
            ends[side, :, 0] = places[at, first] - room
            ends[side, :, 1] = places[at, first + 1] + room
    return np.exp(results[0]), np.exp(results[1])


def returns_of(surface: Surface, targets: Sequence[tuple[int, float]]) -> FloatArray:
    """Return the log returns that the close at the end is below with given probabilities.

    Raise ContractError if the surface does not reach a probability, or not from either side.
    """
    horizons = sorted({horizon_days for horizon_days, _ in targets})
    rows = [horizons.index(horizon_days) for horizon_days, _ in targets]
    wanted = np.array([probability for _, probability in targets])
    at_spot = np.array([LEAST_DISTANCE])
    falls = wanted < surface(horizons, at_spot, at_spot)[BELOW, rows, 0]
    asked = np.where(falls, wanted, 1.0 - wanted)
    columns = np.where(falls, BELOW, ABOVE)
    ends = np.tile(np.log([_NEAREST, _FURTHEST]), (len(targets), 1))
    at = np.arange(len(targets))
    for refinement in range(_REFINEMENTS):
        grid = np.linspace(ends[:, 0], ends[:, 1], _GRID, axis=-1)
        beyond = _by_target(surface, horizons, rows, np.stack([grid, grid]))[at, columns]
        first = _crossings(beyond, asked, targets, only_check=refinement == 0)
        ends = np.stack([grid[at, first], grid[at, first + 1]], axis=-1)
    distance = np.exp(ends[:, 0] + _share(beyond, first, asked) * (ends[:, 1] - ends[:, 0]))
    return np.asarray(np.where(falls, -distance, distance))


def _by_target(
    surface: Surface, horizons: Sequence[int], rows: Sequence[int], grids: FloatArray
) -> FloatArray:
    """Probabilities by target, column and place at logarithms of distances, a grid a target."""
    lower, upper = np.exp(grids).reshape(2, -1)
    of_pairs = surface(horizons, lower, upper)
    by_target = of_pairs.reshape(*of_pairs.shape[:2], len(rows), -1)
    return np.stack([by_target[:, row, number] for number, row in enumerate(rows)])


def _crossings(
    falling: FloatArray,
    asked: FloatArray,
    targets: Sequence[tuple[int, float]],
    *,
    only_check: bool,
) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """The last place at which each row is above what is asked for, its last one excluded."""
    nearer = (falling > asked[:, None]).sum(axis=1)
    if only_check:
        for number, (horizon_days, probability) in enumerate(targets):
            if not 0 < nearer[number] < falling.shape[1]:
                raise ContractError(
                    ENGINE_NAME,
                    "breach",
                    f"does not reach a probability of {probability} in {horizon_days} days",
                    remedy="Ask for a probability further from 0 and 1.",
                )
    return np.asarray(np.clip(nearer, 1, falling.shape[1] - 1) - 1)


def _share(
    falling: FloatArray, first: np.ndarray[tuple[int], np.dtype[np.intp]], asked: FloatArray
) -> FloatArray:
    at = np.arange(len(falling))
    above, below = falling[at, first], falling[at, first + 1]
    return np.asarray((above - asked) / np.maximum(above - below, _LEAST_PROBABILITY))


def _log_odds(probability: FloatArray) -> FloatArray:
    inside = np.clip(probability, _LEAST_PROBABILITY, 1.0 - 1e-16)
    return np.asarray(np.log(inside) - np.log1p(-inside))
