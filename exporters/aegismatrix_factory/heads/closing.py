"""Where the close ends: the share of touches after which the close is still beyond the edge.

By the reflection principle it is one half for a driftless Brownian path. Here its log-odds are

    lower edge: -(m0 + m1 * sqrt(horizon)) + c * (1 - down)
    upper edge: +(m0 + m1 * sqrt(horizon)) + c' * (1 - up)

so that at the close itself, where a touch is certain, the two shares make 1. With c up to 1 the
product with the touch falls in the distance as the touch does.
"""

from __future__ import annotations

import numpy as np
import spox.opset.ai.onnx.v18 as op
from numpy.typing import NDArray
from scipy.optimize import minimize
from spox import Var

from aegismatrix.errors import AegisError
from aegismatrix_factory.graph.expressions import Graph

FloatArray = NDArray[np.float64]

MOST_CURVE = 1.0
"""Beyond it a product with the touch might rise in the distance."""

LEAST_CURVE, MOST_DRIFT = -20.0, 0.5


class CloseShapeError(AegisError):
    """A fitted distribution of the close is no distribution.

    Attributes
    ----------
    terms : tuple of float
        m0, m1, c and c'.
    """

    def __init__(self, terms: FloatArray) -> None:
        self.terms = tuple(float(term) for term in terms)
        super().__init__(
            f"The closes are no distribution with the terms {self.terms}.",
            remedy="Train on a longer history, or on one with larger moves.",
        )


def beyond(
    terms: FloatArray, horizon_days: FloatArray, down: FloatArray, up: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the probabilities that the close ends below the lower and above the upper edge.

    Parameters
    ----------
    terms : ndarray of shape (4,)
        m0, m1, c and c'.
    horizon_days : ndarray
        Trading days, of a shape that spreads over those of `down` and `up`.
    down, up : ndarray
        The probabilities of touches.

    Returns
    -------
    tuple of ndarray
        ``below <= down`` and ``above <= up``.
    """
    drift = terms[0] + terms[1] * np.sqrt(horizon_days)
    below = down / (1.0 + np.exp(drift - terms[2] * (1.0 - down)))
    above = up / (1.0 + np.exp(-drift - terms[3] * (1.0 - up)))
    return np.asarray(below), np.asarray(above)


def beyond_graph(
    terms: tuple[Var, Var, Var, Var], graph: Graph, horizon: Var, down: Var, up: Var
) -> tuple[Var, Var]:
    """Author `beyond` as graph expressions.

    Parameters
    ----------
    terms : tuple of Var
        float64, each of a shape that spreads over those of `down` and `up`.
    graph : Graph
        Where constants live.
    horizon : Var
        float64 (H,).
    down, up : Var
        float64 (N, H, D).

    Returns
    -------
    tuple of Var
        float64 (N, H, D) each.
    """
    one = graph.constant(1.0)
    root = op.unsqueeze(op.sqrt(horizon), graph.constant([0, 2]))
    drift = op.add(terms[0], op.mul(terms[1], root))

    def share(lean: Var, curve: Var, touched: Var) -> Var:
        return op.sigmoid(op.add(lean, op.mul(curve, op.sub(one, touched))))

    below = op.mul(down, share(op.neg(drift), terms[2], down))
    above = op.mul(up, share(drift, terms[3], up))
    return below, above


def fit_closing(
    horizon_days: FloatArray,
    touches: tuple[FloatArray, FloatArray],
    closed: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    weights: tuple[FloatArray, FloatArray],
) -> FloatArray:
    """Fit the shares on all touches that happened.

    Parameters
    ----------
    horizon_days : ndarray of shape (C,)
        Of C cells.
    touches : pair of ndarray of shape (N, C)
        Fitted probabilities, down and up.
    closed : pair of ndarray of shape (N, C)
        Whether the close ended beyond the edge.
    weights : pair of ndarray of shape (N, C)
        Of each touch that happened; 0 of all else.

    Returns
    -------
    ndarray of shape (4,)
        m0, m1, c and c'.

    Raises
    ------
    CloseShapeError
        If they make no distribution.
    """
    rows, signs, sizes = [], [], []
    for place, (lean, touched, beyond_it, weight) in enumerate(
        zip((-1.0, 1.0), touches, closed, weights, strict=True)
    ):
        kept = weight > 0.0
        spread = np.broadcast_to(horizon_days, touched.shape)[kept]
        curves = np.zeros((2, len(spread)))
        curves[place] = 1.0 - touched[kept]
        rows.append(np.stack([np.full(len(spread), lean), lean * np.sqrt(spread), *curves]))
        signs.append(np.where(beyond_it[kept], 1.0, -1.0))
        sizes.append(weight[kept])
    table, sign, size = (np.concatenate(parts, axis=-1) for parts in (rows, signs, sizes))
    scale = size.sum()

    def loss(terms: FloatArray) -> tuple[float, FloatArray]:
        margin = (terms @ table) * sign
        pull = -size * sign / (1.0 + np.exp(margin))
        return (
            float((size * np.logaddexp(0.0, -margin)).sum() / scale),
            np.asarray(table @ pull / scale),
        )

    bounds = [(-MOST_DRIFT, MOST_DRIFT)] * 2 + [(LEAST_CURVE, MOST_CURVE)] * 2
    options = {"ftol": 1e-15, "gtol": 1e-9, "maxiter": 500}
    found = minimize(loss, np.zeros(4), jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    terms = np.asarray(found.x, dtype=np.float64)
    check_closing(terms[None])
    return terms


def check_closing(terms: FloatArray) -> None:
    """Refuse shares that do not make a distribution of the close.

    Parameters
    ----------
    terms : ndarray of shape (B, 4)
        One or more fits.

    Raises
    ------
    CloseShapeError
    """
    for one in terms:
        if not (np.isfinite(one).all() and one[2:].max() <= MOST_CURVE):
            raise CloseShapeError(one)
