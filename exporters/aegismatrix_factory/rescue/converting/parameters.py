"""What a legacy model computes, as plain arrays that name no library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
SingleArray = NDArray[np.float32]

LEAF = -1


@dataclass(frozen=True, eq=False)
class Tree:
    """One binary tree; node 0 is its root, and every node is reached from it once.

    Attributes
    ----------
    feature, left, right : ndarray of int, shape (nodes,)
        Column that is compared, and where to go; `LEAF` in `left` and `right` of a leaf.
    threshold : ndarray of shape (nodes,)
        What it is compared with.
    missing_left : ndarray of bool, shape (nodes,)
        Whether NaN goes to the left.
    values : ndarray of shape (nodes, n_outputs)
        What a leaf says.
    """

    feature: IntArray
    threshold: FloatArray
    left: IntArray
    right: IntArray
    missing_left: NDArray[np.bool_]
    values: FloatArray


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Trees that are added up.

    Attributes
    ----------
    trees : tuple of Tree
        At least one.
    n_features : int
        Columns; each is rounded to float32 before it is compared.
    strict : bool
        A row goes left if it is less than the threshold, else also if it is equal.
    total : {'mean', 'sum', 'running'}
        The mean over the trees in float64, their sum with `base`, or a sum in float32 that begins
        with `base` and adds tree after tree.
    base : ndarray of shape (totals,)
        What a running sum begins with; zeros for a mean.
    link : {'none', 'sigmoid', 'softmax', 'exp', 'logistic'}
        From sums to answers; 'sigmoid' turns one sum into two probabilities, 'logistic' into one.
    answer : {'probability', 'value', 'label'}
        What it says.
    takes_missing : bool
        Whether its library accepts NaN.
    """

    trees: tuple[Tree, ...]
    n_features: int
    strict: bool
    total: Literal["mean", "sum", "running"]
    base: FloatArray
    link: Literal["none", "sigmoid", "softmax", "exp", "logistic"]
    answer: Literal["probability", "value", "label"]
    takes_missing: bool

    @property
    def n_outputs(self) -> int:
        """Classes, or values."""
        return 2 if self.link == "sigmoid" else len(self.base)


@dataclass(frozen=True, eq=False)
class Direction:
    """One layer of an LSTM in one direction, gates in the order of torch: input, forget, cell, out.

    Attributes
    ----------
    input_weights : ndarray of shape (4 * hidden, inputs)
    state_weights : ndarray of shape (4 * hidden, hidden)
    input_bias, state_bias : ndarray of shape (4 * hidden,)
    """

    input_weights: SingleArray
    state_weights: SingleArray
    input_bias: SingleArray
    state_bias: SingleArray

    @property
    def hidden(self) -> int:
        """Width of its state."""
        return int(self.state_weights.shape[1])


@dataclass(frozen=True, eq=False)
class Recurrent:
    """The bidirectional LSTM with attention of `aegismatrix_factory.heads.network`, of any size.

    Attributes
    ----------
    layers : tuple of (Direction, Direction)
        Forwards and backwards, from the first layer to the last.
    alignment : ndarray of shape (A, 2 * hidden)
    alignment_bias : ndarray of shape (A,)
    attention : ndarray of shape (1, A)
    heads : ndarray of shape (outputs, 2 * hidden)
    heads_bias : ndarray of shape (outputs,)
    """

    layers: tuple[tuple[Direction, Direction], ...]
    alignment: SingleArray
    alignment_bias: SingleArray
    attention: SingleArray
    heads: SingleArray
    heads_bias: SingleArray

    @property
    def n_features(self) -> int:
        """Columns of a window."""
        return int(self.layers[0][0].input_weights.shape[1])

    @property
    def n_outputs(self) -> int:
        """Logits."""
        return len(self.heads_bias)
