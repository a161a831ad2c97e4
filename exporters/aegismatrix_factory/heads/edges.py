"""The touch of one edge: a logistic law over every horizon and every distance.

With ``k = distance / (implied_sigma * sqrt(horizon))`` the log-odds that an edge is touched are

    w . x + a + c * k + b * ln k + m * ln horizon + (f + e * k) / horizon

for standardised features x. Each edge has terms of its own; the weights are the same for both. What
the features know is how far the index will go, not where: weights for each edge learn that twice,
and on 10 and 20 days were worse than none. The terms over the horizon are there for the first days,
whose moves are not like those of a month cut small.

A touch falls in the distance where b, c and c + e are below 0. It rises from each horizon to the
next, with which k falls, where ``m >= b / 2``, ``e <= -STEEPEST * c`` and
``f <= 2 * ln 2 * (m - b / 2)``: from the first day to the second, the step that asks the most.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import spox.opset.ai.onnx.v18 as op
from numpy.typing import NDArray
from spox import Var

from aegismatrix.errors import AegisError
from aegismatrix_factory.graph.expressions import Graph

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

# Equal steps of ln horizon, as far as whole days go: enough for a law that is straight in it.
HORIZONS_DAYS = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 14.0, 20.0, 30.0])
DISTANCES_K = np.array([0.2, 0.35, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0])
CLIP = 4.0
INVERSE_PENALTY = 0.03
# The terms of the law itself are as good as free; exactly free, a flat history is singular.
INVERSE_PENALTY_OF_TERMS = 1e6
LEAST_SLOPE = 1e-3
TERMS = ("1", "k", "ln k", "ln horizon", "1 / horizon", "k / horizon")

_CONSTANT, _K, _LOG_K, _LOG_HORIZON, _INVERSE, _K_INVERSE = range(len(TERMS))
_MOST_STEPS, _LEAST_STEP, _LEAST_GAIN = 200, 1e-6, 1e-15
# By how much k falls from the first day to the second, over by how much k / horizon does.
STEEPEST = float((1.0 - np.sqrt(0.5)) / (1.0 - np.sqrt(0.125)))


class SurfaceShapeError(AegisError):
    """A fitted law does not fall in the distance and rise in the horizon.

    Attributes
    ----------
    side : str
        Of which edge.
    terms : tuple of float
        Its terms.
    """

    def __init__(self, side: str, terms: FloatArray) -> None:
        self.side = side
        self.terms = tuple(float(term) for term in terms)
        super().__init__(
            f"The surface of {side} is not monotone with the terms {self.terms}.",
            remedy="Train on a longer history, or on one with larger moves.",
        )


@dataclass(frozen=True, eq=False)
class Edges:
    """The fitted laws of both edges, for each of B fits.

    Attributes
    ----------
    mean, scale, weight : ndarray of shape (B, F)
        Standardiser and weights of the features.
    down, up : ndarray of shape (B, 6)
        The terms of each edge, as `TERMS` names them.
    """

    mean: FloatArray
    scale: FloatArray
    weight: FloatArray
    down: FloatArray
    up: FloatArray

    def to_arrays(self) -> dict[str, FloatArray]:
        """Return the arrays by name, for storing."""
        return dict(vars(self))

    def at(self, fit: int) -> Edges:
        """Return one of the fits."""
        return Edges(**{name: values[fit][None] for name, values in vars(self).items()})


def cell_terms(k: FloatArray, horizon_days: FloatArray) -> FloatArray:
    """Return what the terms of an edge are multiplied with.

    Parameters
    ----------
    k, horizon_days : ndarray
        Distances in deviations of the path's end, above 0, and trading days, broadcast against each
        other.

    Returns
    -------
    ndarray of shape (..., 6)
        In the order of `TERMS`.
    """
    columns = (1.0, k, np.log(k), np.log(horizon_days), 1.0 / horizon_days, k / horizon_days)
    return np.stack(np.broadcast_arrays(*columns), axis=-1)


def horizon_weights() -> FloatArray:
    """Return the share of each of `HORIZONS_DAYS` in a fit.

    One day weighs 1 / h among all whole days, since neighbouring labels overlap, and each day goes
    to the nearest of the horizons that are fitted.
    """
    days = np.arange(1.0, HORIZONS_DAYS[-1] + 1.0)
    nearest = np.abs(np.log(days[:, None] / HORIZONS_DAYS)).argmin(axis=1)
    shares = np.bincount(nearest, weights=1.0 / days, minlength=len(HORIZONS_DAYS))
    return np.asarray(shares / shares.sum())


@dataclass(frozen=True, eq=False)
class Cells:
    """The table that is fitted: C cells of horizon and distance on each of N days.

    Attributes
    ----------
    horizon_days, k : ndarray of shape (C,)
        Of each cell.
    distance : ndarray of shape (N, C)
        Its log distance.
    weight : ndarray of shape (N, C)
        0 where what happened is not known or may not be used.
    """

    horizon_days: FloatArray
    k: FloatArray
    distance: FloatArray
    weight: FloatArray

    @classmethod
    def of(
        cls, implied_sigma: FloatArray, known: BoolArray, usable_rows: Callable[[int], BoolArray]
    ) -> Cells:
        """Lay out the cells.

        Parameters
        ----------
        implied_sigma : ndarray of shape (N,)
            The yardstick.
        known : ndarray of shape (N, LONGEST_DAYS)
            Whether what happened is known, by horizon in column h - 1.
        usable_rows : callable
            From a horizon to which rows have outcomes that may be used, shape (N,).
        """
        horizons = np.repeat(HORIZONS_DAYS, len(DISTANCES_K))
        k = np.tile(DISTANCES_K, len(HORIZONS_DAYS))
        usable = np.column_stack([usable_rows(int(days)) for days in HORIZONS_DAYS])
        usable = usable & known[:, HORIZONS_DAYS.astype(np.int64) - 1]
        share = np.repeat(horizon_weights() / len(DISTANCES_K), len(DISTANCES_K))
        return cls(
            horizons,
            k,
            implied_sigma[:, None] * np.sqrt(horizons) * k,
            np.repeat(usable, len(DISTANCES_K), axis=1) * share,
        )

    def of_outcome(self, by_horizon: FloatArray) -> FloatArray:
        """Return what happened at the horizon of each cell, of shape (N, C)."""
        return by_horizon[:, self.horizon_days.astype(np.int64) - 1]


def fit_edges(
    features: FloatArray, cells: Cells, touched: tuple[BoolArray, BoolArray]
) -> tuple[Edges, tuple[FloatArray, FloatArray]]:
    """Fit both edges at once.

    Parameters
    ----------
    features : ndarray of shape (N, F)
        Feature rows.
    cells : Cells
        Of the same days.
    touched : pair of ndarray of shape (N, C)
        Whether the lower edge of each cell was touched, and the upper.

    Returns
    -------
    Edges
        Of one fit.
    pair of ndarray of shape (N, C)
        Its probabilities, down and up.

    Raises
    ------
    SurfaceShapeError
        If it is not monotone.

    Notes
    -----
    L2 logistic regression. A row of the stacked table is a day's features beside a cell's terms, so
    loss, gradient and Hessian come from the two factors and the table is never made. Where data are
    too thin for the shape that a touch must have, terms are held: first those over the horizon at
    0, then that of its logarithm at 0 and slopes in k at `-LEAST_SLOPE`.
    """
    per_day = cells.weight.sum(axis=1)
    mean = np.average(features, axis=0, weights=per_day)
    scale = np.sqrt(np.average((features - mean) ** 2, axis=0, weights=per_day))
    scaled = np.clip((features - mean) / scale, -CLIP, CLIP)
    terms = cell_terms(cells.k, cells.horizon_days)
    signs = [np.where(side, 1.0, -1.0) for side in touched]
    # Per edge, the terms that are held and at what.
    held: list[dict[int, float]] = [{}, {}]
    while True:
        weight, *sides = _minimum(scaled, terms, signs, cells.weight, held)
        wrong = [_wrong_terms(side) for side in sides]
        new = [
            {place: value for place, value in found.items() if place not in known}
            for found, known in zip(wrong, held, strict=True)
        ]
        if not any(new):
            break
        for known, found in zip(held, new, strict=True):
            known.update(found)
    edges = Edges(mean[None], scale[None], weight[None], sides[0][None], sides[1][None])
    check_edges(edges)
    score = (scaled @ weight)[:, None]
    down, up = (1.0 / (1.0 + np.exp(-(score + terms @ side))) for side in sides)
    return edges, (down, up)


def _wrong_terms(side: FloatArray) -> dict[int, float]:
    """Which terms break the shape of a touch, and at what to hold them."""
    wrong: dict[int, float] = {}
    for place in (_K, _LOG_K):
        if side[place] > -LEAST_SLOPE:
            wrong[place] = -LEAST_SLOPE
    rise = side[_LOG_HORIZON] - 0.5 * side[_LOG_K]
    if rise < 0.0:
        wrong[_LOG_HORIZON] = 0.0
    early = {_INVERSE: 0.0, _K_INVERSE: 0.0}
    if (
        side[_K] + side[_K_INVERSE] >= 0.0
        or side[_K_INVERSE] > -STEEPEST * side[_K]
        or side[_INVERSE] > 2.0 * np.log(2.0) * rise
    ):
        wrong |= early
    # The first days may be all that is wrong.
    return early if wrong and (side[_INVERSE] or side[_K_INVERSE]) else wrong


def check_edges(edges: Edges) -> None:
    """Refuse laws that do not fall in the distance or rise in the horizon.

    Parameters
    ----------
    edges : Edges
        One or more fits.

    Raises
    ------
    SurfaceShapeError
    """
    inputs = np.concatenate([edges.mean, edges.scale, edges.weight], axis=1)
    for name, sides in (("down", edges.down), ("up", edges.up)):
        for side, of_features in zip(sides, inputs, strict=True):
            finite = np.isfinite(side).all() and np.isfinite(of_features).all()
            if not finite or _wrong_terms(side):
                raise SurfaceShapeError(name, side)


def touches(
    edges: Edges,
    features: FloatArray,
    implied_sigma: FloatArray,
    horizon_days: FloatArray,
    distances: tuple[FloatArray, FloatArray],
) -> tuple[FloatArray, FloatArray]:
    """Return the probabilities that the lower edge is touched, and that the upper one is.

    Parameters
    ----------
    edges : Edges
        Of one fit.
    features : ndarray of shape (N, F)
        Feature rows.
    implied_sigma : ndarray of shape (N,)
        The yardstick.
    horizon_days : ndarray of shape (H,)
        Trading days.
    distances : pair of ndarray of shape (D,) or (N, D)
        Log distances of the lower and of the upper edges.

    Returns
    -------
    pair of ndarray of shape (N, H, D)
    """
    scaled = np.clip((features - edges.mean) / edges.scale, -CLIP, CLIP)
    score = (scaled * edges.weight).sum(axis=1)[:, None, None]
    deviation = (implied_sigma[:, None] * np.sqrt(horizon_days))[:, :, None]
    found = []
    for terms, distance in zip((edges.down, edges.up), distances, strict=True):
        per_row = np.broadcast_to(distance, (len(features), np.shape(distance)[-1]))
        cells = cell_terms(per_row[:, None, :] / deviation, horizon_days[:, None])
        found.append(_probability(score + cells @ terms[0]))
    return found[0], found[1]


def _probability(log_odds: FloatArray) -> FloatArray:
    # Where exp overflows, the probability is 0.
    with np.errstate(over="ignore"):
        return np.asarray(1.0 / (1.0 + np.exp(-log_odds)))


def touches_graph(
    edges: Edges,
    graph: Graph,
    features: Var,
    implied_sigma: Var,
    horizon: Var,
    distances: tuple[Var, Var],
    fit: Var | None = None,
) -> tuple[Var, Var]:
    """Author `touches` as graph expressions.

    Parameters
    ----------
    edges : Edges
        One or more fits.
    graph : Graph
        Where constants live.
    features, implied_sigma, horizon : Var
        float64 (N, F), (N,) and (H,).
    distances : pair of Var
        float64 (D,) or (N, D).
    fit : Var, optional
        int64 (N,): which of the B fits speaks for a row; without it there is one.

    Returns
    -------
    pair of Var
        float64 (N, H, D).
    """
    constant = graph.constant

    def of_row(values: FloatArray) -> Var:
        table = constant(values)
        return table if fit is None else op.gather(table, fit, axis=0)

    scaled = op.div(op.sub(features, of_row(edges.mean)), of_row(edges.scale))
    bounded = op.min([op.max([scaled, constant(-CLIP)]), constant(CLIP)])
    weighted = op.mul(bounded, of_row(edges.weight))
    score = op.unsqueeze(op.reduce_sum(weighted, constant([1]), keepdims=1), constant([2]))
    deviation = op.unsqueeze(
        op.mul(
            op.unsqueeze(implied_sigma, constant([1])),
            op.unsqueeze(op.sqrt(horizon), constant([0])),
        ),
        constant([2]),
    )
    days = op.unsqueeze(horizon, constant([0, 2]))
    found = []
    for terms, distance in zip((edges.down, edges.up), distances, strict=True):
        k = op.div(op.unsqueeze(distance, constant([0, 1] if fit is None else [1])), deviation)
        log_odds = op.add(score, of_row(terms[:, None, None, _CONSTANT]))
        for place, term in (
            (_K, k),
            (_LOG_K, op.log(k)),
            (_LOG_HORIZON, op.log(days)),
            (_INVERSE, op.div(constant(1.0), days)),
            (_K_INVERSE, op.div(k, days)),
        ):
            log_odds = op.add(log_odds, op.mul(of_row(terms[:, None, None, place]), term))
        found.append(op.sigmoid(log_odds))
    return found[0], found[1]


def _minimum(
    features: FloatArray,
    terms: FloatArray,
    signs: list[FloatArray],
    weight: FloatArray,
    held: list[dict[int, float]],
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the weights of the features and the terms of each edge at the least penalised loss."""
    count, size = features.shape[1], terms.shape[1]
    penalty = np.full(count + 2 * size, 1.0 / INVERSE_PENALTY_OF_TERMS)
    penalty[:count] = 1.0 / INVERSE_PENALTY
    places = [slice(count + size * side, count + size * (side + 1)) for side in (0, 1)]
    found = np.zeros(count + 2 * size)
    free = np.ones(len(found), dtype=bool)
    for of_side, known in zip(places, held, strict=True):
        for place, value in known.items():
            found[of_side.start + place] = value
            free[of_side.start + place] = False

    def margins(coefficients: FloatArray) -> list[FloatArray]:
        score = (features @ coefficients[:count])[:, None]
        return [
            (score + terms @ coefficients[of_side]) * sign
            for of_side, sign in zip(places, signs, strict=True)
        ]

    def loss(coefficients: FloatArray, margin: list[FloatArray]) -> float:
        total = sum(float((weight * np.logaddexp(0.0, -one)).sum()) for one in margin)
        return total + 0.5 * float((penalty * coefficients**2).sum())

    # Newton's steps, halved where they go too far: the loss is convex.
    margin = margins(found)
    now = loss(found, margin)
    for _ in range(_MOST_STEPS):
        slope, curves = penalty * found, np.diag(penalty)
        for of_side, sign, one in zip(places, signs, margin, strict=True):
            missed = _probability(-one)
            pull, curve = -weight * sign * missed, weight * missed * (1.0 - missed)
            slope[:count] += features.T @ pull.sum(axis=1)
            slope[of_side] += terms.T @ pull.sum(axis=0)
            crossed = features.T @ (curve @ terms)
            curves[:count, :count] += features.T @ (features * curve.sum(axis=1)[:, None])
            curves[:count, of_side] += crossed
            curves[of_side, :count] += crossed.T
            curves[of_side, of_side] += terms.T @ (terms * curve.sum(axis=0)[:, None])
        step = np.zeros(len(found))
        step[free] = np.linalg.solve(curves[np.ix_(free, free)], -slope[free])
        promised = float(-(slope @ step))
        if not promised > _LEAST_GAIN * (1.0 + abs(now)):
            break
        part = 1.0
        while True:
            tried = found + part * step
            margin = margins(tried)
            after = loss(tried, margin)
            if after <= now - 0.1 * part * promised or part < _LEAST_STEP:
                break
            part *= 0.5
        found, now = tried, after
    return found[:count], found[places[0]], found[places[1]]
