"""The breach surface: two edges, each by its own law, both together, and the close at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import spox.opset.ai.onnx.v18 as op
from numpy.typing import NDArray
from spox import Var

from aegismatrix.market.events import BREACH
from aegismatrix_factory.graph.expressions import Graph
from aegismatrix_factory.heads.closing import beyond, beyond_graph, check_closing, fit_closing
from aegismatrix_factory.heads.edges import (
    DISTANCES_K,
    HORIZONS_DAYS,
    Edge,
    check_edge,
    fit_edge,
    horizon_weights,
    touch,
    touch_graph,
)
from aegismatrix_factory.heads.joint import both_touched, either_graph, fit_strength

FloatArray = NDArray[np.float64]

SIDES = BREACH.sides


@dataclass(frozen=True, eq=False)
class Surface:
    """All that is known of two edges, for each of B fits.

    Attributes
    ----------
    down, up : Edge
        The law of each edge.
    strength : ndarray of shape (B,)
        Of the copula, from `aegismatrix_factory.heads.joint`.
    closing : ndarray of shape (B, 4)
        Terms from `aegismatrix_factory.heads.closing`.
    """

    down: Edge
    up: Edge
    strength: FloatArray
    closing: FloatArray

    def to_arrays(self) -> dict[str, dict[str, FloatArray]]:
        """Return the arrays by part and name, for storing."""
        return {
            "down": self.down.to_arrays(),
            "up": self.up.to_arrays(),
            "together": {"strength": self.strength, "closing": self.closing},
        }

    @classmethod
    def of_arrays(cls, stored: Mapping[str, Mapping[str, FloatArray]]) -> Surface:
        """Read what `to_arrays` gave, and assert once more that it is a surface."""
        surface = cls(Edge(**stored["down"]), Edge(**stored["up"]), **stored["together"])
        check_edge("down", surface.down)
        check_edge("up", surface.up)
        check_closing(surface.closing)
        return surface

    def at(self, fit: int) -> Surface:
        """Return one of the fits."""
        return Surface(
            self.down.at(fit), self.up.at(fit), self.strength[fit][None], self.closing[fit][None]
        )


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What happened after each day, by horizon in column h - 1, NaN where not known.

    Attributes
    ----------
    down, up : ndarray of shape (N, LONGEST_DAYS)
        How far the index went, from `aegismatrix.market.outcomes.excursions`.
    end : ndarray of shape (N, LONGEST_DAYS)
        Where it closed: log returns.
    """

    down: FloatArray
    up: FloatArray
    end: FloatArray

    def __getitem__(self, rows: slice | NDArray[np.int64]) -> Outcomes:
        """Return the outcomes of some of the days."""
        return Outcomes(self.down[rows], self.up[rows], self.end[rows])


def fit_surface(
    features: FloatArray,
    implied_sigma: FloatArray,
    outcomes: Outcomes,
    usable_rows: Callable[[int], NDArray[np.bool_]],
) -> Surface:
    """Fit the edges, then what they do together, then the closes.

    Parameters
    ----------
    features : ndarray of shape (N, F)
        Feature rows.
    implied_sigma : ndarray of shape (N,)
        The yardstick.
    outcomes : Outcomes
        Of the same days.
    usable_rows : callable
        From a horizon to which rows have outcomes that may be used, shape (N,).

    Returns
    -------
    Surface
        Of one fit.

    Raises
    ------
    SurfaceShapeError, CloseShapeError
        If it is no surface.
    """
    down = fit_edge("down", features, implied_sigma, outcomes.down, usable_rows)
    up = fit_edge("up", features, implied_sigma, outcomes.up, usable_rows)
    horizons = np.repeat(HORIZONS_DAYS, len(DISTANCES_K))
    column = horizons.astype(np.int64) - 1
    allowed = np.column_stack([usable_rows(int(days)) for days in HORIZONS_DAYS])
    known = ~np.isnan(outcomes.down + outcomes.up + outcomes.end)[:, column]
    share = np.repeat(horizon_weights() / len(DISTANCES_K), len(DISTANCES_K))
    weight = (known & np.repeat(allowed, len(DISTANCES_K), axis=1)) * share
    # A cell's distance in deviations is the same at every horizon: one deviation a day at a time.
    of_down, of_up = (_on_grid(edge, features, implied_sigma) for edge in (down, up))
    distance = implied_sigma[:, None] * np.sqrt(horizons) * np.tile(DISTANCES_K, len(HORIZONS_DAYS))
    reached_down, reached_up = (
        reached[:, column] > distance for reached in (outcomes.down, outcomes.up)
    )
    end = outcomes.end[:, column]
    return Surface(
        down,
        up,
        np.array([fit_strength(of_down, of_up, reached_down, reached_up, weight)]),
        fit_closing(
            horizons,
            (of_down, of_up),
            (end < -distance, end > distance),
            (weight * reached_down, weight * reached_up),
        )[None],
    )


def _on_grid(edge: Edge, features: FloatArray, implied_sigma: FloatArray) -> FloatArray:
    """The law at every cell of the fit, shape (N, cells), horizon by horizon."""
    parts = [
        touch(
            edge,
            features,
            implied_sigma,
            np.array([days]),
            implied_sigma[:, None] * np.sqrt(days) * DISTANCES_K,
        )[:, 0]
        for days in HORIZONS_DAYS
    ]
    return np.concatenate(parts, axis=1)


def evaluate(
    surface: Surface,
    features: FloatArray,
    implied_sigma: FloatArray,
    horizon_days: FloatArray,
    lower_distance: FloatArray,
    upper_distance: FloatArray | None = None,
) -> FloatArray:
    """Return the probabilities of all sides.

    Parameters
    ----------
    surface : Surface
        Of one fit.
    features : ndarray of shape (N, F)
        Feature rows.
    implied_sigma : ndarray of shape (N,)
        The yardstick.
    horizon_days : ndarray of shape (H,)
        Trading days.
    lower_distance, upper_distance : ndarray of shape (D,) or (N, D)
        Log distances, in pairs; without the upper ones they are those of the lower.

    Returns
    -------
    ndarray of shape (N, 5, H, D)
        Either, down, up, below, above; ``max(down, up) <= either <= min(1, down + up)``, ``below <=
        down`` and ``above <= up``, as the law has it.
    """
    distances = lower_distance, lower_distance if upper_distance is None else upper_distance
    down, up = (
        touch(edge, features, implied_sigma, horizon_days, distance)
        for edge, distance in zip((surface.down, surface.up), distances, strict=True)
    )
    either = down + up - both_touched(surface.strength[0], down, up)
    below, above = beyond(surface.closing[0], horizon_days[:, None], down, up)
    return np.stack([either, down, up, below, above], axis=1)


def surface_graph(
    surface: Surface,
    graph: Graph,
    features: Var,
    implied_sigma: Var,
    horizon: Var,
    lower_distance: Var,
    upper_distance: Var,
    fit: Var | None = None,
) -> Var:
    """Author `evaluate` as a graph expression.

    Parameters
    ----------
    surface : Surface
        One or more fits.
    graph : Graph
        Where constants live.
    features, implied_sigma, horizon, lower_distance, upper_distance : Var
        float64 (N, F), (N,), (H,), and (D,) or (N, D) twice.
    fit : Var, optional
        int64 (N,): which of the B fits speaks for a row; without it there is one.

    Returns
    -------
    Var
        float64 (N, 5, H, D).
    """

    def column(values: FloatArray) -> Var:
        table = graph.constant(values.reshape(-1, 1, 1))
        return table if fit is None else op.gather(table, fit, axis=0)

    down, up = (
        touch_graph(edge, graph, features, implied_sigma, horizon, distance, fit)
        for edge, distance in ((surface.down, lower_distance), (surface.up, upper_distance))
    )
    either = either_graph(column(surface.strength), graph, down, up)
    m0, m1, lower_curve, upper_curve = (column(terms) for terms in surface.closing.T)
    below, above = beyond_graph((m0, m1, lower_curve, upper_curve), graph, horizon, down, up)
    axis = graph.constant([1])
    sides = (either, down, up, below, above)
    return op.concat([op.unsqueeze(side, axis) for side in sides], axis=1)
