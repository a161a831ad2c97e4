"""The law of realised volatility over a horizon: how likely it exceeds c times what iv implies.

The log-odds that it does are ``w . features - b(ln c)`` with one piecewise linear ``b`` that rises
from knot to knot: proportional odds (McCullagh 1980). So the law falls in c whatever the features
are, and its inverse, the quantiles, is written down and not searched for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import spox.opset.ai.onnx.v18 as op
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit
from spox import Var

from aegismatrix.errors import AegisError
from aegismatrix_factory.graph.expressions import Graph

FloatArray = NDArray[np.float64]

INVERSE_PENALTY = 0.03
CLIP = 4.0
KNOTS = np.array([0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98])
"""At which quantiles of the ratios that were seen the law bends."""
LEAST_RATIO = 1e-4
"""A session without a move has a volatility of 0, whose logarithm is none."""
# The knots are as good as free; exactly free, a history without features is singular.
_INVERSE_PENALTY_OF_KNOTS = 1e6
# One logistic regression with an intercept per knot would let a knot that nothing separates from
# its neighbour fall on it.
_LEAST_STEP = 1e-6


class ExceedanceShapeError(AegisError):
    """A fitted law does not fall in the volatility that is exceeded.

    Attributes
    ----------
    horizon_days : int
        Of which horizon.
    """

    def __init__(self, horizon_days: int) -> None:
        self.horizon_days = horizon_days
        super().__init__(
            f"The law of volatility over {horizon_days} days does not fall from knot to knot.",
            remedy="Train on a longer history, or on one whose closes move more often.",
        )


def fit_exceedance(
    x: FloatArray,
    ratio: FloatArray,
    weight: FloatArray,
    horizon_days: int,
    levels: FloatArray,
    inverse_penalty: float = INVERSE_PENALTY,
) -> dict[str, FloatArray]:
    """Fit the law of one horizon.

    Parameters
    ----------
    x : ndarray of shape (n, F + 1)
        Features and, last, the market indicator, from
        `aegismatrix_factory.heads.logistic.training_rows`.
    ratio : ndarray of shape (n,)
        Realised volatility over the horizon / iv.
    weight : ndarray of shape (n,)
        Of each row.
    horizon_days : int
        For the message of an error.
    levels : ndarray of shape (Q,)
        Of the quantiles that are wanted.
    inverse_penalty : float
        C of scikit-learn's logistic regression, on the features alone.

    Returns
    -------
    dict of str to ndarray
        ``mean``, ``scale``, ``weight`` of shape (F,); ``at`` and ``log_ratio`` of shape (K,), the
        log-odds of not exceeding at each knot and where it lies; ``stretch`` of shape (), by which
        `root_mean_square` has to be multiplied to be right on average over these rows.

    Raises
    ------
    ExceedanceShapeError
        If it does not fall.

    Notes
    -----
    Every row counts once for each knot, all knots together as one row. The gradient of a knot says
    that the law is right on average there, and so it falls from knot to knot.
    """
    features = x[:, :-1]
    mean = np.average(features, axis=0, weights=weight)
    scale = np.sqrt(np.average((features - mean) ** 2, axis=0, weights=weight))
    inputs = np.column_stack([np.clip((features - mean) / scale, -CLIP, CLIP), x[:, -1]])
    log_ratio = np.unique(np.log(np.maximum(np.quantile(ratio, KNOTS), LEAST_RATIO)))
    above = np.log(np.maximum(ratio, LEAST_RATIO))[:, None] > log_ratio
    fitted = _minimum(inputs, above, weight, inverse_penalty)
    count = inputs.shape[1]
    at = -fitted[count:]
    if not (np.isfinite(fitted).all() and len(at) > 1 and (np.diff(at) > _LEAST_STEP).all()):
        raise ExceedanceShapeError(horizon_days)
    law = {
        "mean": mean,
        "scale": scale,
        "weight": fitted[: count - 1],
        "at": at,
        "log_ratio": log_ratio,
        "stretch": np.array(1.0),
    }
    score = inputs @ fitted[:count]
    spread = root_mean_square(_inverse(law, score[:, None] + logit(levels)), levels)
    share = np.average((ratio / spread) ** 2, weights=weight)
    return {**law, "stretch": np.array(np.sqrt(share))}


def score_of(law: Mapping[str, FloatArray], features: FloatArray) -> FloatArray:
    """Return ``w . features`` of the market that was modelled.

    Parameters
    ----------
    law : mapping of str to ndarray
        From `fit_exceedance`.
    features : ndarray of shape (n, F)
        Feature rows.

    Returns
    -------
    ndarray of shape (n,)
    """
    scaled = np.clip((features - law["mean"]) / law["scale"], -CLIP, CLIP)
    return np.asarray((scaled * law["weight"]).sum(axis=1))


def exceedance(law: Mapping[str, FloatArray], features: FloatArray, ratio: float) -> FloatArray:
    """Return how likely realised volatility exceeds a multiple of iv.

    Parameters
    ----------
    law, features
        As for `score_of`.
    ratio : float
        The multiple, above 0.

    Returns
    -------
    ndarray of shape (n,)
    """
    return np.asarray(expit(score_of(law, features) - _log_odds(law, float(np.log(ratio)))))


def quantiles(
    law: Mapping[str, FloatArray], features: FloatArray, levels: FloatArray
) -> FloatArray:
    """Return the quantiles of realised volatility / iv, and the root of its mean square.

    Parameters
    ----------
    law : mapping of str to ndarray
        From `fit_exceedance`.
    features : ndarray of shape (n, F)
        Feature rows.
    levels : ndarray of shape (Q,)
        Between 0 and 1, rising; those that the law was fitted with.

    Returns
    -------
    ndarray of shape (n, Q + 1)
        The quantiles rise strictly; the root of the mean square stands last.
    """
    inner = _inverse(law, score_of(law, features)[:, None] + logit(levels))
    return np.column_stack([inner, law["stretch"] * root_mean_square(inner, levels)])


def quantiles_graph(
    laws: Sequence[Mapping[str, FloatArray]], levels: FloatArray, features: Var, graph: Graph
) -> Var:
    """Author `quantiles` of several horizons as a graph expression.

    Parameters
    ----------
    laws : sequence of mapping
        H times what `fit_exceedance` gives.
    levels : ndarray of shape (Q,)
        As for `quantiles`.
    features : Var
        float64 (N, F).
    graph : Graph
        Where constants live.

    Returns
    -------
    Var
        float64 (N, H, Q + 1).
    """
    constant = graph.constant

    def of_horizons(name: str) -> Var:
        return constant(np.stack([law[name] for law in laws]))

    centred = op.sub(op.unsqueeze(features, constant([1])), of_horizons("mean"))
    scaled = op.div(centred, of_horizons("scale"))
    bounded = op.min([op.max([scaled, constant(-CLIP)]), constant(CLIP)])
    score = op.reduce_sum(op.mul(bounded, of_horizons("weight")), constant([2]), keepdims=1)
    inner = op.exp(_inverse_graph(laws, op.add(score, constant(logit(levels))), graph))
    squares = op.mul(op.mul(inner, inner), constant(_shares(levels)))
    root = op.sqrt(op.reduce_sum(squares, constant([2]), keepdims=1))
    stretch = constant(np.stack([law["stretch"] for law in laws])[:, None])
    return op.concat([inner, op.mul(root, stretch)], axis=2)


def root_mean_square(inner: FloatArray, levels: FloatArray) -> FloatArray:
    """Return the root of the mean square of a law that is known at some quantiles.

    Parameters
    ----------
    inner : ndarray of shape (n, Q)
        The quantiles.
    levels : ndarray of shape (Q,)
        Which they are. Each stands for the probability that is nearer to its level than to any
        other, so that the root is too small by what lies in the tails.

    Returns
    -------
    ndarray of shape (n,)
    """
    return np.asarray(np.sqrt((inner**2 * _shares(levels)).sum(axis=1)))


def _shares(levels: FloatArray) -> FloatArray:
    edges = np.concatenate([[0.0], (levels[1:] + levels[:-1]) / 2.0, [1.0]])
    return np.asarray(np.diff(edges))


def _hinges(law: Mapping[str, FloatArray]) -> tuple[FloatArray, FloatArray]:
    """Return where the inverse bends, and by how much; the first slope stands first."""
    slopes = np.diff(law["log_ratio"]) / np.diff(law["at"])
    return law["at"][1:-1], np.concatenate([slopes[:1], np.diff(slopes)])


def _inverse(law: Mapping[str, FloatArray], at: FloatArray) -> FloatArray:
    """Return the ratio at which the law has these log-odds of not exceeding.

    Beyond the knots it goes on as between the last two.
    """
    places, bends = _hinges(law)
    beyond = np.maximum(at[..., None] - places, 0.0)
    straight = law["log_ratio"][0] + bends[0] * (at - law["at"][0])
    return np.asarray(np.exp(straight + (beyond * bends[1:]).sum(axis=-1)))


def _inverse_graph(laws: Sequence[Mapping[str, FloatArray]], at: Var, graph: Graph) -> Var:
    """The logarithms of `_inverse` of all horizons: float64 (N, H, Q)."""
    constant = graph.constant
    hinges = [_hinges(law) for law in laws]
    most = max(len(places) for places, _ in hinges)
    # Where a law has fewer knots it bends by 0 at the places that it lacks.
    places = np.array([np.pad(one, (0, most - len(one))) for one, _ in hinges])
    bends = np.array([np.pad(one, (0, most + 1 - len(one))) for _, one in hinges])

    def of_horizons(values: Sequence[float] | FloatArray) -> Var:
        return constant(np.asarray(values, dtype=np.float64)[:, None])

    steps = op.sub(at, of_horizons([float(law["at"][0]) for law in laws]))
    slopes = of_horizons([float(bend[0]) for _, bend in hinges])
    first = of_horizons([float(law["log_ratio"][0]) for law in laws])
    straight = op.add(op.mul(steps, slopes), first)
    if not most:
        return straight
    beyond = op.sub(op.unsqueeze(at, constant([3])), of_horizons(places))
    bent = op.mul(op.max([beyond, constant(0.0)]), of_horizons(bends[:, 1:]))
    return op.add(straight, op.reduce_sum(bent, constant([3]), keepdims=0))


def _log_odds(law: Mapping[str, FloatArray], log_ratio: float) -> float:
    """Return the log-odds of not exceeding at a ratio, where the features add nothing."""
    x, y = law["log_ratio"], law["at"]
    place = int(np.clip(np.searchsorted(x, log_ratio) - 1, 0, len(x) - 2))
    slope = (y[place + 1] - y[place]) / (x[place + 1] - x[place])
    return float(y[place] + slope * (log_ratio - x[place]))


def _minimum(
    inputs: FloatArray, above: NDArray[np.bool_], weight: FloatArray, inverse_penalty: float
) -> FloatArray:
    """Return the coefficients of inputs, then of knots, at the minimum of the penalised loss."""
    count, knots = inputs.shape[1], above.shape[1]
    penalty = np.concatenate(
        [
            np.full(count, 1.0 / inverse_penalty),
            np.full(knots, 1.0 / _INVERSE_PENALTY_OF_KNOTS),
        ]
    )
    share = weight[:, None] / knots

    def odds(coefficients: FloatArray) -> FloatArray:
        return np.asarray((inputs @ coefficients[:count])[:, None] + coefficients[count:])

    def loss(coefficients: FloatArray) -> float:
        z = odds(coefficients)
        total = (share * (np.logaddexp(0.0, z) - above * z)).sum()
        return float(total + 0.5 * (penalty * coefficients**2).sum())

    def gradient(coefficients: FloatArray) -> FloatArray:
        pull = share * (expit(odds(coefficients)) - above)
        parts = [inputs.T @ pull.sum(axis=1), pull.sum(axis=0)]
        return np.concatenate(parts) + penalty * coefficients

    def hessian(coefficients: FloatArray) -> FloatArray:
        probability = expit(odds(coefficients))
        curve = share * probability * (1.0 - probability)
        cross = inputs.T @ curve
        rows = inputs.T @ (inputs * curve.sum(axis=1)[:, None])
        block = np.block([[rows, cross], [cross.T, np.diag(curve.sum(axis=0))]])
        return np.asarray(block + np.diag(penalty))

    frequency = np.average(above, axis=0, weights=weight)
    start = np.concatenate([np.zeros(count), logit(np.clip(frequency, 1e-3, 1.0 - 1e-3))])
    found = minimize(
        loss, start, jac=gradient, hess=hessian, method="trust-exact", options={"gtol": 1e-9}
    )
    return np.asarray(found.x, dtype=np.float64)
