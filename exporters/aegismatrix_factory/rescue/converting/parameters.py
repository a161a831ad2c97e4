"""What a legacy model computes, as plain arrays that name no library."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
SingleArray = NDArray[np.float32]

LEAF = -1


@dataclass(frozen=True, eq=False)
class Scaler:
    """Columns shifted, then divided.

    Attributes
    ----------
    n_features : int
        Columns.
    mean, scale : ndarray of shape (n_features,) or None
        Subtracted, and divided by, where there is one.
    """

    n_features: int
    mean: FloatArray | None
    scale: FloatArray | None


@dataclass(frozen=True, eq=False)
class Linear:
    """Logistic regression.

    Attributes
    ----------
    coefficients : ndarray of shape (rows, n_features)
        One row for two classes, else one per class.
    intercepts : ndarray of shape (rows,)
        Their constants.
    link : {'sigmoid', 'each', 'softmax'}
        Two classes; each class by itself, then divided by their sum; all classes at once.
    """

    coefficients: FloatArray
    intercepts: FloatArray
    link: Literal["sigmoid", "each", "softmax"]

    @property
    def n_features(self) -> int:
        """Columns."""
        return int(self.coefficients.shape[1])

    @property
    def n_outputs(self) -> int:
        """Classes."""
        return 2 if self.link == "sigmoid" else len(self.intercepts)


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
    total : {'mean', 'running'}
        The mean over the trees in float64, or a sum in float32 that begins with `base` and adds
        tree after tree.
    base : ndarray of shape (totals,)
        What a running sum begins with; zeros for a mean.
    link : {'none', 'sigmoid', 'softmax'}
        From sums to answers; 'sigmoid' turns one sum into two probabilities.
    answer : {'probability', 'value'}
        What it says.
    takes_missing : bool
        Whether its library accepts NaN.
    """

    trees: tuple[Tree, ...]
    n_features: int
    strict: bool
    total: Literal["mean", "running"]
    base: FloatArray
    link: Literal["none", "sigmoid", "softmax"]
    answer: Literal["probability", "value"]
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


@dataclass(frozen=True, eq=False)
class Revived:
    """One model out of a legacy file.

    Attributes
    ----------
    key : str
        Where in the file it was: dictionary keys joined by dots, empty for the file's only object.
    library, version : str
        Who saved it; the version is empty where the file does not say.
    described : str
        What it is, by its class.
    scalers : tuple of Scaler
        What a pipeline does before the model.
    model : Scaler, Linear, Ensemble or Recurrent
        The model.
    feature_names : tuple of str
        Empty where the file does not say.
    classes : tuple of str
        Labels of the classes in order; empty where there are none.
    warnings : tuple of str
        What whoever uses it should know.
    details : mapping
        What else was kept, such as the best iteration; JSON values.
    """

    key: str
    library: str
    version: str
    described: str
    scalers: tuple[Scaler, ...]
    model: Scaler | Linear | Ensemble | Recurrent
    feature_names: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def n_features(self) -> int:
        """Columns of the input."""
        return self.scalers[0].n_features if self.scalers else self.model.n_features
