"""The touch of one edge: a logistic law over every horizon and every distance.

With ``k = distance / (implied_sigma * sqrt(horizon))`` the log-odds of a touch are

    a + w . x + max(b + v . x, floor) * ln horizon + c * min(k, 5) + ramps(ln k)

for standardised features x. The ramps join straight lines in ln k. All slopes in k are negative, so
the law falls in the distance; the floor is half of the least of them, so it rises in the horizon,
with which k falls.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import spox.opset.ai.onnx.v18 as op
from numpy.typing import NDArray
from spox import Var

from aegismatrix.errors import AegisError
from aegismatrix_factory.graph.expressions import Graph

FloatArray = NDArray[np.float64]

# Equal steps of ln horizon, as far as whole days go: enough for a law that is straight in it.
HORIZONS_DAYS = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 14.0, 20.0, 30.0])
DISTANCES_K = np.array([0.2, 0.35, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0])
KNOTS_K = (0.5, 1.0, 2.0)
K_HIGH = 5.0
CLIP = 4.0
INVERSE_PENALTY = 0.003
# The terms of the law itself are as good as free; exactly free, a flat history is singular.
INVERSE_PENALTY_OF_TERMS = 1e6
MOST_STEPS, LEAST_STEP, LEAST_GAIN = 200, 1e-6, 1e-15
# No slope in k is flatter.
LEAST_SLOPE = 1e-3

_KNOTS = np.log(KNOTS_K)
_SLOPES = slice(1, len(KNOTS_K) + 3)


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
class Edge:
    """The fitted law of one edge, for each of B fits.

    Attributes
    ----------
    mean, scale : ndarray of shape (B, F)
        Standardiser of the features.
    weight, tilt : ndarray of shape (B, F)
        Their weights: on all horizons, and times ln horizon.
    terms : ndarray of shape (B, 7)
        The constant, the slopes in k, and the slope in ln horizon.
    """

    mean: FloatArray
    scale: FloatArray
    weight: FloatArray
    tilt: FloatArray
    terms: FloatArray

    def to_arrays(self) -> dict[str, FloatArray]:
        """Return the arrays by name, for storing."""
        return dict(vars(self))

    def at(self, fit: int) -> Edge:
        """Return one of the fits."""
        return Edge(**{name: values[fit][None] for name, values in vars(self).items()})

    @property
    def floor(self) -> FloatArray:
        """The least slope in ln horizon at which a touch still rises with it, shape (B,)."""
        return np.asarray(0.5 * self.terms[:, 2 : _SLOPES.stop].max(axis=1))


def cell_terms(k: FloatArray) -> FloatArray:
    """Return what the slopes in k are the slopes of, and 1 before them.

    Parameters
    ----------
    k : ndarray
        Distances in standard deviations of the path's end, above 0.

    Returns
    -------
    ndarray of shape (..., 6)
        1, min(k, 5), and ln k cut into ramps.
    """
    log_k = np.log(k)
    ramps = [np.minimum(log_k, _KNOTS[0])]
    ramps += [np.clip(log_k, low, high) - low for low, high in pairwise(_KNOTS)]
    ramps.append(np.maximum(log_k, _KNOTS[-1]) - _KNOTS[-1])
    return np.stack([np.ones_like(log_k), np.minimum(k, K_HIGH), *ramps], axis=-1)


def horizon_weights() -> FloatArray:
    """Return the share of each of `HORIZONS_DAYS` in a fit.

    One day weighs 1 / h among all whole days, since neighbouring labels overlap, and each day goes
    to the nearest of the horizons that are fitted.
    """
    days = np.arange(1.0, HORIZONS_DAYS[-1] + 1.0)
    nearest = np.abs(np.log(days[:, None] / HORIZONS_DAYS)).argmin(axis=1)
    shares = np.bincount(nearest, weights=1.0 / days, minlength=len(HORIZONS_DAYS))
    return np.asarray(shares / shares.sum())


def fit_edge(
    side: str,
    features: FloatArray,
    implied_sigma: FloatArray,
    excursion: FloatArray,
    usable_rows: Callable[[int], NDArray[np.bool_]],
) -> Edge:
    """Fit the law of one edge on every day, horizon and distance.

    Parameters
    ----------
    side : {'down', 'up'}
        Which edge, for the message of an error.
    features : ndarray of shape (N, F)
        Feature rows.
    implied_sigma : ndarray of shape (N,)
        The yardstick.
    excursion : ndarray of shape (N, LONGEST_DAYS)
        From `aegismatrix.market.outcomes.excursions`.
    usable_rows : callable
        From a horizon to which rows have a label that may be used, shape (N,).

    Returns
    -------
    Edge
        Of one fit.

    Raises
    ------
    SurfaceShapeError
        If it is not finite.

    Notes
    -----
    L2 logistic regression. A row of the stacked table is a day's features beside a cell's terms, so
    loss, gradient and Hessian come from the two factors and the table is never made. A slope that
    would not be negative is held at `LEAST_SLOPE`, and the rest fitted beside it.
    """
    count_k = len(DISTANCES_K)
    horizons = np.repeat(HORIZONS_DAYS, count_k)
    distances = np.tile(DISTANCES_K, len(HORIZONS_DAYS))
    reached = excursion[:, horizons.astype(np.int64) - 1]
    allowed = np.column_stack([usable_rows(int(horizon)) for horizon in HORIZONS_DAYS])
    usable = (~np.isnan(reached) & np.repeat(allowed, count_k, axis=1)).astype(np.float64)
    weight: FloatArray = usable * np.repeat(horizon_weights() / count_k, count_k)
    edge = implied_sigma[:, None] * np.sqrt(horizons) * distances
    sign: FloatArray = np.where(reached > edge, 1.0, -1.0)
    per_day = weight.sum(axis=1)
    mean = np.average(features, axis=0, weights=per_day)
    scale = np.sqrt(np.average((features - mean) ** 2, axis=0, weights=per_day))
    scaled = np.clip((features - mean) / scale, -CLIP, CLIP)
    log_horizon = np.log(horizons)
    terms = np.column_stack([cell_terms(distances), log_horizon])
    count, slopes = features.shape[1], np.arange(_SLOPES.start, _SLOPES.stop)
    held: list[int] = []
    while True:
        free = [place for place in range(terms.shape[1]) if place not in held]
        offset = -LEAST_SLOPE * terms[:, held].sum(axis=1)
        fitted = _minimum(scaled, log_horizon, terms[:, free], offset, sign, weight)
        of_terms = np.full(terms.shape[1], -LEAST_SLOPE)
        of_terms[free] = fitted[2 * count :]
        wrong = [int(place) for place in slopes if of_terms[place] > -LEAST_SLOPE]
        if not wrong:
            break
        held += wrong
    found = Edge(
        mean[None],
        scale[None],
        fitted[None, :count],
        fitted[None, count : 2 * count],
        of_terms[None],
    )
    check_edge(side, found)
    return found


def check_edge(side: str, edge: Edge) -> None:
    """Refuse a law that does not fall in the distance, or is not finite.

    Parameters
    ----------
    side : {'down', 'up'}
        Which edge.
    edge : Edge
        One or more fits.

    Raises
    ------
    SurfaceShapeError
    """
    inputs = np.concatenate([edge.mean, edge.scale, edge.weight, edge.tilt], axis=1)
    for terms, of_features in zip(edge.terms, inputs, strict=True):
        finite = np.isfinite(terms).all() and np.isfinite(of_features).all()
        if not (finite and terms[_SLOPES].max() < 0.0):
            raise SurfaceShapeError(side, terms)


def touch(
    edge: Edge,
    features: FloatArray,
    implied_sigma: FloatArray,
    horizon_days: FloatArray,
    distance: FloatArray,
) -> FloatArray:
    """Return the probability that the edge is touched.

    Parameters
    ----------
    edge : Edge
        Of one fit.
    features : ndarray of shape (N, F)
        Feature rows.
    implied_sigma : ndarray of shape (N,)
        The yardstick.
    horizon_days : ndarray of shape (H,)
        Trading days.
    distance : ndarray of shape (D,) or (N, D)
        Log distances.

    Returns
    -------
    ndarray of shape (N, H, D)
    """
    per_row = np.broadcast_to(distance, (len(features), np.shape(distance)[-1]))
    deviation = implied_sigma[:, None] * np.sqrt(horizon_days)
    k = per_row[:, None, :] / deviation[:, :, None]
    scaled = np.clip((features - edge.mean) / edge.scale, -CLIP, CLIP)
    score = (scaled * edge.weight).sum(axis=1)
    tilt = np.maximum((scaled * edge.tilt).sum(axis=1) + edge.terms[0, -1], edge.floor)
    of_day = score[:, None] + tilt[:, None] * np.log(horizon_days)
    log_odds = of_day[:, :, None] + cell_terms(k) @ edge.terms[0, :-1]
    return np.asarray(1.0 / (1.0 + np.exp(-log_odds)))


def touch_graph(
    edge: Edge,
    graph: Graph,
    features: Var,
    implied_sigma: Var,
    horizon: Var,
    distance: Var,
    fit: Var | None = None,
) -> Var:
    """Author `touch` as a graph expression.

    Parameters
    ----------
    edge : Edge
        One or more fits.
    graph : Graph
        Where constants live.
    features, implied_sigma, horizon, distance : Var
        float64 (N, F), (N,), (H,) and (D,) or (N, D).
    fit : Var, optional
        int64 (N,): which of the B fits speaks for a row; without it there is one.

    Returns
    -------
    Var
        float64 (N, H, D).
    """
    constant = graph.constant

    def of_row(values: FloatArray) -> Var:
        table = constant(values)
        return table if fit is None else op.gather(table, fit, axis=0)

    def column(values: FloatArray) -> Var:
        return of_row(values.reshape(-1, 1, 1))

    deviation = op.mul(
        op.unsqueeze(implied_sigma, constant([1])), op.unsqueeze(op.sqrt(horizon), constant([0]))
    )
    edges = op.unsqueeze(distance, constant([0, 1] if fit is None else [1]))
    k = op.div(edges, op.unsqueeze(deviation, constant([2])))
    log_k = op.log(k)
    ramps = [op.min([log_k, constant(_KNOTS[0])])]
    for low, high in pairwise(_KNOTS):
        within = op.min([op.max([log_k, constant(low)]), constant(high)])
        ramps.append(op.sub(within, constant(low)))
    ramps.append(op.sub(op.max([log_k, constant(_KNOTS[-1])]), constant(_KNOTS[-1])))
    scaled = op.div(op.sub(features, of_row(edge.mean)), of_row(edge.scale))
    bounded = op.min([op.max([scaled, constant(-CLIP)]), constant(CLIP)])

    def scored(weight: FloatArray) -> Var:
        weighted = op.mul(bounded, of_row(weight))
        return op.reduce_sum(weighted, constant([1]), keepdims=1)

    tilt = op.add(scored(edge.tilt), of_row(edge.terms[:, -1:]))
    risen = op.max([tilt, of_row(edge.floor[:, None])])
    of_day = op.add(
        scored(edge.weight), op.mul(risen, op.unsqueeze(op.log(horizon), constant([0])))
    )
    log_odds = op.add(op.unsqueeze(of_day, constant([2])), column(edge.terms[:, 0]))
    for number, term in enumerate((op.min([k, constant(K_HIGH)]), *ramps), start=1):
        log_odds = op.add(log_odds, op.mul(column(edge.terms[:, number]), term))
    return op.sigmoid(log_odds)


def _minimum(
    features: FloatArray,
    log_horizon: FloatArray,
    terms: FloatArray,
    offset: FloatArray,
    sign: FloatArray,
    weight: FloatArray,
) -> FloatArray:
    """Return the coefficients of features, of features by horizon, and of terms, at the minimum."""
    count = features.shape[1]
    penalty = np.concatenate(
        [
            np.full(2 * count, 1.0 / INVERSE_PENALTY),
            np.full(terms.shape[1], 1.0 / INVERSE_PENALTY_OF_TERMS),
        ]
    )

    def margins(coefficients: FloatArray) -> FloatArray:
        weight_of, tilt_of = coefficients[:count], coefficients[count : 2 * count]
        cells = terms @ coefficients[2 * count :] + offset
        days = np.outer(features @ tilt_of, log_horizon) + (features @ weight_of)[:, None]
        return np.asarray((days + cells) * sign)

    def loss(coefficients: FloatArray, small: FloatArray, margin: FloatArray) -> float:
        total = (weight * (np.log1p(small) - np.minimum(margin, 0.0))).sum()
        return float(total + 0.5 * (penalty * coefficients**2).sum())

    def gradient(coefficients: FloatArray, missed: FloatArray) -> FloatArray:
        pull = -weight * sign * missed
        by_day, by_tilt = pull.sum(axis=1), pull @ log_horizon
        parts = [features.T @ by_day, features.T @ by_tilt, terms.T @ pull.sum(axis=0)]
        return np.concatenate(parts) + penalty * coefficients

    def hessian(missed: FloatArray) -> FloatArray:
        curve = weight * missed * (1.0 - missed)

        def of_features(cells: FloatArray) -> FloatArray:
            return np.asarray(features.T @ (features * (curve @ cells)[:, None]))

        plain = of_features(np.ones_like(log_horizon))
        once, twice = of_features(log_horizon), of_features(log_horizon**2)
        cross = features.T @ (curve @ terms)
        tilted = features.T @ (curve @ (terms * log_horizon[:, None]))
        cells = terms.T @ (terms * curve.sum(axis=0)[:, None])
        parts = [[plain, once, cross], [once, twice, tilted], [cross.T, tilted.T, cells]]
        return np.asarray(np.block(parts)) + np.diag(penalty)

    # Newton's steps, halved where they go too far: the loss is convex.
    found = np.zeros(2 * count + terms.shape[1])
    margin = margins(found)
    small = np.exp(-np.abs(margin))
    now = loss(found, small, margin)
    for _ in range(MOST_STEPS):
        missed = np.where(margin > 0.0, small, 1.0) / (1.0 + small)
        slope = gradient(found, missed)
        step = np.linalg.solve(hessian(missed), -slope)
        promised = float(-(slope @ step))
        if not promised > LEAST_GAIN * (1.0 + abs(now)):
            break
        size = 1.0
        while True:
            tried = found + size * step
            margin = margins(tried)
            small = np.exp(-np.abs(margin))
            after = loss(tried, small, margin)
            if after <= now - 0.1 * size * promised or size < LEAST_STEP:
                break
            size *= 0.5
        found, now = tried, after
    return found
