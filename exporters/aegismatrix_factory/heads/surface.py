"""A breach surface: one logistic model over every horizon and every distance.

With ``k = distance / (implied_sigma * sqrt(horizon))`` the log-odds of a breach are

    w . features + a + b1 * shape(k) + b2 * ln k + b3 * ln horizon

where ``shape`` is the log-odds that a driftless Brownian path touches either edge, or, for one
edge, k itself. For the right signs the surface falls in the distance and rises in the horizon.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import spox.opset.ai.onnx.v18 as op
from numpy.typing import NDArray
from scipy.optimize import minimize
from spox import Var

from aegismatrix.engine.engine import LONGEST_DAYS
from aegismatrix.errors import AegisError
from aegismatrix.market.events import BREACH
from aegismatrix_factory.graph.expressions import Graph

FloatArray = NDArray[np.float64]

SIDES = BREACH.sides
HORIZONS_DAYS = np.arange(1.0, LONGEST_DAYS + 1.0)
DISTANCES_K = np.array([0.2, 0.35, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0])
K_LOW, K_HIGH = 0.15, 5.0
CLIP = 4.0
INVERSE_PENALTY = 0.03
# The terms of the surface itself are as good as free; exactly free, a flat history is singular.
INVERSE_PENALTY_OF_TERMS = 1e6
SERIES_TERMS = 32

_ODD = 2.0 * np.arange(SERIES_TERMS) + 1.0
_WEIGHTS = 4.0 / np.pi * (-1.0) ** np.arange(SERIES_TERMS) / _ODD
_DECAYS = -(_ODD**2) * np.pi**2 / 8.0
# Range of k * d shape / dk over the clipped k, for the two shapes.
_SLOPES = {"either": (-109.6623, -3.716771), "down": (K_LOW, K_HIGH), "up": (K_LOW, K_HIGH)}


class SurfaceShapeError(AegisError):
    """A fitted surface does not fall in the distance and rise in the horizon.

    Attributes
    ----------
    side : str
        Which surface.
    terms : tuple of float
        Its a, b1, b2, b3.
    """

    def __init__(self, side: str, terms: FloatArray) -> None:
        self.side = side
        self.terms = tuple(float(term) for term in terms)
        super().__init__(
            f"The surface of {side} is not monotone with the terms {self.terms}.",
            remedy="Train on a longer history, or on one with larger moves.",
        )


@dataclass(frozen=True, eq=False)
class Surface:
    """Fitted surfaces of one side, one for each of B fits.

    Attributes
    ----------
    mean, scale, weight : ndarray of shape (B, F)
        Standardiser and weights of the features.
    terms : ndarray of shape (B, 4)
        a, b1, b2, b3.
    """

    mean: FloatArray
    scale: FloatArray
    weight: FloatArray
    terms: FloatArray

    def to_arrays(self) -> dict[str, FloatArray]:
        """Return the arrays by name, for storing."""
        return dict(vars(self))


def stay_probability(k: FloatArray) -> FloatArray:
    """Return the probability that a driftless Brownian path stays within k deviations.

    Parameters
    ----------
    k : ndarray
        Distance over the standard deviation at the end of the path, 0.15 to 5.

    Returns
    -------
    ndarray
        1 - touch. Feller, An Introduction to Probability Theory, volume II, X.5: the series in
        eigenfunctions, which converges where the one in reflections cancels.
    """
    exponents = np.asarray(k)[..., None] ** -2 * _DECAYS
    return np.asarray((_WEIGHTS * np.exp(exponents)).sum(axis=-1))


def touch_log_odds(k: FloatArray) -> FloatArray:
    """Return the log-odds that the path touches either edge; as for `stay_probability`."""
    stay = stay_probability(k)
    return np.asarray(np.log1p(-stay) - np.log(stay))


def cell_terms(side: str, k: FloatArray, horizon_days: FloatArray) -> FloatArray:
    """Return 1, shape(k), ln k and ln horizon.

    Parameters
    ----------
    side : {'either', 'down', 'up'}
        Which surface.
    k, horizon_days : ndarray
        Broadcast against each other; k is clipped.

    Returns
    -------
    ndarray of shape (..., 4)
    """
    clipped = np.clip(k, K_LOW, K_HIGH)
    shape = touch_log_odds(clipped) if side == "either" else clipped
    columns = np.broadcast_arrays(1.0, shape, np.log(clipped), np.log(horizon_days))
    return np.stack(columns, axis=-1)


def fit_surface(
    side: str,
    features: FloatArray,
    implied_sigma: FloatArray,
    excursion: FloatArray,
    usable_rows: Callable[[int], NDArray[np.bool_]],
) -> Surface:
    """Fit one side on every day, horizon and distance.

    Parameters
    ----------
    side : {'either', 'down', 'up'}
        Which surface.
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
    Surface
        Of one fit.

    Raises
    ------
    SurfaceShapeError
        If it is not monotone.

    Notes
    -----
    L2 logistic regression. A row of the stacked table is a day's features beside a cell's terms, so
    loss, gradient and Hessian come from the two factors and the table of some million rows is
    never made; the minimum is that of the table to rounding. A day's cells weigh 1 together, each
    horizon 1 / h of the rest, since neighbouring labels overlap.
    """
    horizons = np.repeat(HORIZONS_DAYS, len(DISTANCES_K))
    distances = np.tile(DISTANCES_K, LONGEST_DAYS)
    reached = excursion[:, horizons.astype(np.int64) - 1]
    allowed = np.column_stack([usable_rows(int(horizon)) for horizon in HORIZONS_DAYS])
    usable = ~np.isnan(reached) & np.repeat(allowed, len(DISTANCES_K), axis=1)
    share = 1.0 / horizons / len(DISTANCES_K) / (1.0 / HORIZONS_DAYS).sum()
    weight = usable * share
    edge = implied_sigma[:, None] * np.sqrt(horizons) * distances
    sign = np.where(reached > edge, 1.0, -1.0)
    per_day = weight.sum(axis=1)
    mean = np.average(features, axis=0, weights=per_day)
    scale = np.sqrt(np.average((features - mean) ** 2, axis=0, weights=per_day))
    scaled = np.clip((features - mean) / scale, -CLIP, CLIP)
    terms = cell_terms(side, distances, horizons)
    fitted = _minimum(scaled, terms, sign, weight)
    if fitted[-1] < 0.0:
        # The longer the horizon the likelier the touch: data too thin to say so must not deny it.
        fitted = np.append(_minimum(scaled, terms[:, :3], sign, weight), 0.0)
    count = features.shape[1]
    surface = Surface(mean[None], scale[None], fitted[None, :count], fitted[None, count:])
    check_shape(side, surface)
    return surface


def check_shape(side: str, surface: Surface) -> None:
    """Refuse a surface that does not fall in the distance or rise in the horizon.

    Parameters
    ----------
    side : {'either', 'down', 'up'}
        Which surface.
    surface : Surface
        One or more fits.

    Raises
    ------
    SurfaceShapeError
    """
    inputs = np.concatenate([surface.mean, surface.scale, surface.weight], axis=1)
    for terms, of_features in zip(surface.terms, inputs, strict=True):
        _, shape, log_k, log_horizon = terms
        steepest = max(shape * slope for slope in _SLOPES[side])
        finite = np.isfinite(terms).all() and np.isfinite(of_features).all()
        # Outside of the clipped k the horizon's own term stands alone.
        if not (finite and steepest + log_k < 0.0 and log_horizon >= 0.0):
            raise SurfaceShapeError(side, terms)


def evaluate(
    surfaces: Mapping[str, Surface],
    features: FloatArray,
    implied_sigma: FloatArray,
    horizon_days: FloatArray,
    distance: FloatArray,
) -> FloatArray:
    """Return the coherent probabilities of all sides.

    Parameters
    ----------
    surfaces : mapping of str to Surface
        By side, of one fit.
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
    ndarray of shape (N, 3, H, D)
        Either, down, up; ``max(down, up) <= either <= min(1, down + up)``.
    """
    per_row = np.broadcast_to(distance, (len(features), np.shape(distance)[-1]))
    deviation = implied_sigma[:, None] * np.sqrt(horizon_days)
    k = per_row[:, None, :] / deviation[:, :, None]
    sides = []
    for side in SIDES:
        surface = surfaces[side]
        scaled = np.clip((features - surface.mean) / surface.scale, -CLIP, CLIP)
        score = (scaled * surface.weight).sum(axis=1)
        cells = cell_terms(side, k, horizon_days[None, :, None]) @ surface.terms[0]
        sides.append(1.0 / (1.0 + np.exp(-(score[:, None, None] + cells))))
    either, down, up = sides
    either = np.minimum(np.maximum(either, np.maximum(down, up)), np.minimum(1.0, down + up))
    return np.stack([either, down, up], axis=1)


def surface_graph(
    surfaces: Mapping[str, Surface],
    graph: Graph,
    features: Var,
    implied_sigma: Var,
    horizon: Var,
    distance: Var,
    fit: Var | None = None,
) -> Var:
    """Author `evaluate` as a graph expression.

    Parameters
    ----------
    surfaces : mapping of str to Surface
        By side.
    graph : Graph
        Where constants live.
    features, implied_sigma, horizon, distance : Var
        float64 (N, F), (N,), (H,) and (D,) or (N, D).
    fit : Var, optional
        int64 (N,): which of the B fits speaks for a row; without it there is one.

    Returns
    -------
    Var
        float64 (N, 3, H, D).
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
    clipped = op.min([op.max([k, constant(K_LOW)]), constant(K_HIGH)])
    log_k = op.log(clipped)
    log_horizon = op.unsqueeze(op.log(horizon), constant([0, 2]))
    inverse_square = op.unsqueeze(op.div(constant(1.0), op.mul(clipped, clipped)), constant([3]))
    series = op.mul(op.exp(op.mul(inverse_square, constant(_DECAYS))), constant(_WEIGHTS))
    stay = op.reduce_sum(series, constant([3]), keepdims=0)
    shapes = {
        "either": op.sub(op.log(op.sub(constant(1.0), stay)), op.log(stay)),
        "down": clipped,
        "up": clipped,
    }
    sides = []
    for side in SIDES:
        surface = surfaces[side]
        scaled = op.div(op.sub(features, of_row(surface.mean)), of_row(surface.scale))
        bounded = op.min([op.max([scaled, constant(-CLIP)]), constant(CLIP)])
        weighted = op.mul(bounded, of_row(surface.weight))
        score = op.reduce_sum(weighted, constant([1]), keepdims=1)
        log_odds = op.add(op.unsqueeze(score, constant([2])), column(surface.terms[:, 0]))
        for number, term in enumerate((shapes[side], log_k, log_horizon), start=1):
            log_odds = op.add(log_odds, op.mul(column(surface.terms[:, number]), term))
        sides.append(op.sigmoid(log_odds))
    either, down, up = sides
    least, most = op.max([down, up]), op.min([op.add(down, up), constant(1.0)])
    coherent = op.min([op.max([either, least]), most])
    axis = constant([1])
    return op.concat([op.unsqueeze(side, axis) for side in (coherent, down, up)], axis=1)


def _minimum(
    features: FloatArray, terms: FloatArray, sign: FloatArray, weight: FloatArray
) -> FloatArray:
    """Return the coefficients of features and terms at the minimum of the penalised loss."""
    count = features.shape[1]
    penalty = np.concatenate(
        [
            np.full(count, 1.0 / INVERSE_PENALTY),
            np.full(terms.shape[1], 1.0 / INVERSE_PENALTY_OF_TERMS),
        ]
    )

    def margins(coefficients: FloatArray) -> FloatArray:
        score = (features @ coefficients[:count])[:, None] + terms @ coefficients[count:]
        return score * sign

    def missed(coefficients: FloatArray) -> FloatArray:
        margin = margins(coefficients)
        small = np.exp(-np.abs(margin))
        return np.where(margin > 0, small, 1.0) / (1.0 + small)

    def loss(coefficients: FloatArray) -> float:
        total = (weight * np.logaddexp(0.0, -margins(coefficients))).sum()
        return float(total + 0.5 * (penalty * coefficients**2).sum())

    def gradient(coefficients: FloatArray) -> FloatArray:
        pull = -weight * sign * missed(coefficients)
        parts = [features.T @ pull.sum(axis=1), terms.T @ pull.sum(axis=0)]
        return np.concatenate(parts) + penalty * coefficients

    def hessian(coefficients: FloatArray) -> FloatArray:
        miss = missed(coefficients)
        curve = weight * miss * (1.0 - miss)
        cross = features.T @ (curve @ terms)
        rows = features.T @ (features * curve.sum(axis=1)[:, None])
        cells = terms.T @ (terms * curve.sum(axis=0)[:, None])
        return np.asarray(np.block([[rows, cross], [cross.T, cells]])) + np.diag(penalty)

    start = np.zeros(count + terms.shape[1])
    found = minimize(
        loss, start, jac=gradient, hess=hessian, method="trust-exact", options={"gtol": 1e-9}
    )
    return np.asarray(found.x, dtype=np.float64)
