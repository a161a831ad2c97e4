"""One decision tree out of the arrays of a library: only what its root reaches, each node once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aegismatrix.artifacts.operators import MOST_TREE_NODES
from aegismatrix_factory.rescue.converting.errors import InconsistentModelError, OversizedModelError
from aegismatrix_factory.rescue.converting.parameters import LEAF, FloatArray, IntArray, Tree

MAX_DEPTH = 512
MAX_NODES = MOST_TREE_NODES
MAX_VALUES = 8 * 2**20
"""Of all trees of a model, nodes, and values in them: what fills the largest sealed artifact."""


def grow(
    feature: IntArray,
    threshold: FloatArray,
    left: IntArray,
    right: IntArray,
    missing_left: NDArray[np.bool_],
    values: FloatArray,
    n_features: int,
) -> Tree:
    """Return a tree, its nodes numbered anew by level.

    Parameters
    ----------
    feature, threshold, left, right, missing_left, values
        As `Tree` has them; what the root does not reach may hold anything.
    n_features : int
        Columns.

    Returns
    -------
    Tree

    Raises
    ------
    InconsistentModelError
        If it is no tree: a child that is not there, or that is reached twice.
    OversizedModelError
        If it is too deep.
    """
    size = len(feature)
    if not size:
        raise InconsistentModelError("a tree has no nodes")
    seen = np.zeros(size, dtype=np.bool_)
    levels = [np.zeros(1, dtype=np.int64)]
    while len(levels[-1]):
        level = levels[-1]
        seen[level] = True
        if len(levels) > MAX_DEPTH:
            raise OversizedModelError(f"a tree is deeper than {MAX_DEPTH} levels")
        inner = level[left[level] != LEAF]
        if (right[level[left[level] == LEAF]] != LEAF).any():
            raise InconsistentModelError("a tree has a node with one child")
        children = np.column_stack([left[inner], right[inner]]).reshape(-1)
        if ((children < 0) | (children >= size)).any():
            raise InconsistentModelError("a tree has a child that is not there")
        if seen[children].any() or len(np.unique(children)) < len(children):
            raise InconsistentModelError("a tree reaches a node twice")
        levels.append(children)
    order = np.concatenate(levels)
    places = np.full(size, LEAF, dtype=np.int64)
    places[order] = np.arange(len(order))
    leaf = left[order] == LEAF
    compared = feature[order][~leaf]
    if ((compared < 0) | (compared >= n_features)).any():
        raise InconsistentModelError("a tree compares a column that is not there")
    if (np.abs(threshold[order][~leaf]) > np.finfo(np.float32).max).any():
        raise InconsistentModelError("a tree has a threshold beyond float32")
    return Tree(
        feature=np.where(leaf, 0, feature[order]),
        threshold=np.where(leaf, 0.0, threshold[order]),
        left=np.where(leaf, LEAF, places[left[order]]),
        right=np.where(leaf, LEAF, places[right[order]]),
        missing_left=missing_left[order] & ~leaf,
        values=values[order],
    )


def check_size(nodes: int, outputs: int) -> None:
    """Refuse more nodes than an artifact can hold, before they are copied.

    Parameters
    ----------
    nodes : int
        Of all trees of a model.
    outputs : int
        Values in each.

    Raises
    ------
    OversizedModelError
    """
    if nodes > MAX_NODES or nodes * outputs > MAX_VALUES:
        raise OversizedModelError(
            f"its trees have {nodes} nodes with {outputs} values each, allowed are {MAX_NODES} and"
            f" {MAX_VALUES} values"
        )
