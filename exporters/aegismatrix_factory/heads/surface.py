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
    Cells,
    Edges,
    check_edges,
    fit_edges,
    touches,
    touches_graph,
)
from aegismatrix_factory.heads.joint import both_touched, check_strength, either_graph, fit_strength

FloatArray = NDArray[np.float64]

SIDES = BREACH.sides
_TOGETHER = ("strength", "closing")


@dataclass(frozen=True, eq=False)
class Surface:
    """All that is known of two edges, for each of B fits.

    Attributes
    ----------
    edges : Edges
        The law of each edge.
    strength : ndarray of shape (B,)
        Of the copula, from `aegismatrix_factory.heads.joint`.
    closing : ndarray of shape (B, 4)
        Terms from `aegismatrix_factory.heads.closing`.
    """

    edges: Edges
    strength: FloatArray
    closing: FloatArray

    def to_arrays(self) -> dict[str, FloatArray]:
        """Return the arrays by name, for storing."""
        return {**self.edges.to_arrays(), "strength": self.strength, "closing": self.closing}

    @classmethod
    def of_arrays(cls, stored: Mapping[str, FloatArray]) -> Surface:
        """Read what `to_arrays` gave, and assert once more that it is a surface."""
        of_edges = {name: values for name, values in stored.items() if name not in _TOGETHER}
        surface = cls(Edges(**of_edges), *(stored[name] for name in _TOGETHER))
        check_edges(surface.edges)
        check_strength(surface.strength)
        check_closing(surface.closing)
        return surface

    def at(self, fit: int) -> Surface:
        """Return one of the fits."""
        return Surface(self.edges.at(fit), self.strength[fit][None], self.closing[fit][None])


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
    known = ~np.isnan(outcomes.down + outcomes.up + outcomes.end)
    cells = Cells.of(implied_sigma, known, usable_rows)
    down_touched, up_touched = (
        cells.of_outcome(reached) > cells.distance for reached in (outcomes.down, outcomes.up)
    )
    edges, (down, up) = fit_edges(features, cells, (down_touched, up_touched))
    end = cells.of_outcome(outcomes.end)
    closing = fit_closing(
        cells.horizon_days,
        (down, up),
        (end < -cells.distance, end > cells.distance),
        (cells.weight * down_touched, cells.weight * up_touched),
    )
    strength = fit_strength(down, up, down_touched, up_touched, cells.weight)
    return Surface(edges, np.array([strength]), closing[None])


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
    down, up = touches(surface.edges, features, implied_sigma, horizon_days, distances)
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

    distances = lower_distance, upper_distance
    down, up = touches_graph(surface.edges, graph, features, implied_sigma, horizon, distances, fit)
    either = either_graph(column(surface.strength), graph, down, up)
    m0, m1, lower_curve, upper_curve = (column(terms) for terms in surface.closing.T)
    below, above = beyond_graph((m0, m1, lower_curve, upper_curve), graph, horizon, down, up)
    axis = graph.constant([1])
    sides = (either, down, up, below, above)
    return op.concat([op.unsqueeze(side, axis) for side in sides], axis=1)
