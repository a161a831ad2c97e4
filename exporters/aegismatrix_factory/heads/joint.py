"""The touches of two edges together: a copula of the two laws.

A path that has been up there has seldom been down there too. Frank's copula with a negative
parameter says so (Frank 1979; Genest 1987), with exponentials and logarithms alone. As any copula
it keeps ``max(down, up) <= either <= min(1, down + up)``, and either edge falls in each distance
and rises in the horizon where down and up do.
"""

from __future__ import annotations

import numpy as np
import spox.opset.ai.onnx.v18 as op
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from spox import Var

from aegismatrix.errors import AegisError
from aegismatrix_factory.graph.expressions import Graph

FloatArray = NDArray[np.float64]

LEAST_STRENGTH, MOST_STRENGTH = 0.1, 40.0
_LEAST_PROBABILITY = 1e-12


class StrengthError(AegisError):
    """A fitted strength makes no copula.

    Attributes
    ----------
    strength : float
        As it was fitted.
    """

    def __init__(self, strength: float) -> None:
        self.strength = strength
        super().__init__(
            f"The touches of two edges make no joint law with the strength {strength}.",
            remedy="Train on a longer history, or on one with larger moves.",
        )


def both_touched(strength: float | FloatArray, down: FloatArray, up: FloatArray) -> FloatArray:
    """Return the probability that both edges are touched.

    Parameters
    ----------
    strength : float or ndarray
        How much one touch speaks against the other: the copula's parameter with its sign turned,
        above 0.
    down, up : ndarray
        The probabilities of one edge each.

    Returns
    -------
    ndarray
    """
    product = np.expm1(strength * down) * np.expm1(strength * up) / np.expm1(strength)
    return np.asarray(np.log1p(product) / strength)


def either_graph(strength: Var, graph: Graph, down: Var, up: Var) -> Var:
    """Author ``down + up - both_touched`` as a graph expression.

    Parameters
    ----------
    strength : Var
        float64, of a shape that spreads over those of `down` and `up`.
    graph : Graph
        Where constants live.
    down, up : Var
        float64 (N, H, D).

    Returns
    -------
    Var
        float64 (N, H, D).
    """
    one = graph.constant(1.0)

    def grown(exponent: Var) -> Var:
        return op.sub(op.exp(exponent), one)

    product = op.div(
        op.mul(grown(op.mul(strength, down)), grown(op.mul(strength, up))), grown(strength)
    )
    both = op.div(op.log(op.add(one, product)), strength)
    return op.sub(op.add(down, up), both)


def fit_strength(
    down: FloatArray,
    up: FloatArray,
    down_touched: NDArray[np.bool_],
    up_touched: NDArray[np.bool_],
    weight: FloatArray,
) -> float:
    """Return the strength under which what happened to both edges was likeliest.

    Parameters
    ----------
    down, up : ndarray of shape (N, C)
        Fitted probabilities of C pairs of edges.
    down_touched, up_touched : ndarray of shape (N, C)
        What happened.
    weight : ndarray of shape (N, C)
        Of each pair; 0 where it may not be used.

    Returns
    -------
    float
    """
    kept = weight > 0.0
    u, v, w = down[kept], up[kept], weight[kept]
    of_both = down_touched[kept] & up_touched[kept]
    of_down = down_touched[kept] & ~of_both
    of_up = up_touched[kept] & ~of_both

    def unlikely(strength: float) -> float:
        both = both_touched(strength, u, v)
        happened = np.where(
            of_both, both, np.where(of_down, u - both, np.where(of_up, v - both, 1 - u - v + both))
        )
        return float(-(w * np.log(np.maximum(happened, _LEAST_PROBABILITY))).sum())

    found = minimize_scalar(unlikely, bounds=(LEAST_STRENGTH, MOST_STRENGTH), method="bounded")
    return float(found.x)


def check_strength(strength: FloatArray) -> None:
    """Refuse a strength that makes no copula, or one beyond what is fitted.

    Parameters
    ----------
    strength : ndarray of shape (B,)
        One or more fits.

    Raises
    ------
    StrengthError
    """
    for one in strength:
        if not LEAST_STRENGTH <= one <= MOST_STRENGTH:
            raise StrengthError(float(one))
