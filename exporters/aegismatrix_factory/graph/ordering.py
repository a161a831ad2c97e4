"""Order statistics of every window of a series, without sorting every window.

Windows that stand next to each other share nearly all of their elements. A run of 32 windows sorts
what all of them share once. What a shorter run has beyond that is merged into it, step by step,
until each window stands alone; of the sorted elements only those are kept that can still have a
wanted rank. Elements are chosen and never computed with, so the numbers are those of a full sort
to the last bit, whatever range of bars a window is seen in.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import spox.opset.ai.onnx.v18 as op
from numpy.typing import NDArray
from spox import Var

STRIDES = (32, 16, 4, 1)
"""Windows of a run, step by step. More steps compare less, and cost more nodes at every start."""

# An artifact holds no infinity among its weights, and no finite value is below this one.
_LEAST = np.finfo(np.float64).min

_Places = NDArray[np.int64]


def order_statistics(values: Var, window: int, ranks: Sequence[int]) -> Var:
    """Return elements of every window by their rank.

    Parameters
    ----------
    values : Var
        float64 of shape (T,), T at least `window`, finite.
    window : int
        Elements of a window, at least 1.
    ranks : sequence of int
        0 for the least element of a window, ``window - 1`` for the largest; in any order.

    Returns
    -------
    Var
        float64 of shape (T - window + 1, len(ranks)), a row for each window, oldest first.

    Raises
    ------
    ValueError
        If a window has no such rank.

    Notes
    -----
    Rank k of a sorted run A joined with m further sorted elements E is the least over i = 0 ... m
    of ``max(A[k - i], E[i - 1])``: i elements come from E, the others from A. With ``E[-1]`` the
    least of all numbers that includes i = 0.

    All axes stand before that of the runs, which is the longest: onnxruntime then copies and
    compares long rows, in half the time.
    """
    strides = usable_strides(window, ranks)
    longest = strides[0]
    length = op.squeeze(op.shape(values), _list(0))
    windows = op.sub(length, _number(window - 1))
    runs = op.div(op.add(windows, _number(longest - 1)), _number(longest))
    held = _elements(values, length, runs, longest, window)

    kept = _candidates(ranks, longest)
    core = op.slice(held, _list(longest - 1), _list(window), _list(0))
    ordered, _ = op.top_k(core, _list(int(kept[-1]) + 1), axis=0, largest=0)
    ordered = op.gather(ordered, op.constant(value=kept[None]))
    for wide, narrow in pairwise(strides):
        before, kept = kept, _candidates(ranks, narrow)
        added = _sorted_rest(held, _rest(longest, window, wide, narrow))
        taken = kept[:, None] - np.arange(wide - narrow + 1)
        places = np.searchsorted(before, taken)[None]
        chosen = op.gather(ordered, op.constant(value=places), axis=1)
        least = op.reduce_min(op.max([chosen, added]), _list(3), keepdims=0)
        ordered = op.reshape(least, _list(longest // narrow, len(kept), -1))
    wanted = op.gather(ordered, op.constant(value=np.searchsorted(kept, ranks)), axis=1)
    rows = op.reshape(op.transpose(wanted, perm=[2, 0, 1]), _list(-1, len(ranks)))
    return op.slice(rows, _list(0), op.unsqueeze(windows, _list(0)), _list(0))


def usable_strides(window: int, ranks: Sequence[int]) -> tuple[int, ...]:
    """Return the strides of runs that share enough elements for these ranks, longest first.

    Parameters
    ----------
    window : int
    ranks : sequence of int

    Returns
    -------
    tuple of int
        Of `STRIDES` those whose shared elements hold every rank that may be asked of them.

    Raises
    ------
    ValueError
        If a window has no such rank.

    Examples
    --------
    >>> usable_strides(252, (83, 168))
    (32, 16, 4, 1)
    >>> usable_strides(252, (0, 126))
    (1,)
    """
    least, most = min(ranks), max(ranks)
    if not 0 <= least <= most < window:
        raise ValueError(f"a window of {window} elements has no ranks {least} to {most}")
    return tuple(stride for stride in STRIDES if stride - 1 <= least and most <= window - stride)


def _elements(values: Var, length: Var, runs: Var, stride: int, window: int) -> Var:
    """Every element of every run, a column each; the newest value fills up the last run."""
    starts = op.mul(op.range(_number(0), runs, _number(1)), _number(stride))
    offsets = op.constant(value=np.arange(stride + window - 1, dtype=np.int64)[:, None])
    return op.gather(values, op.min([op.add(offsets, starts), op.sub(length, _number(1))]))


def _candidates(ranks: Sequence[int], stride: int) -> _Places:
    """Which ranks in what a run shares can become a wanted one in a window of it."""
    return np.unique([rank - older for rank in ranks for older in range(stride)]).astype(np.int64)


def _rest(longest: int, window: int, wide: int, narrow: int) -> _Places:
    """Where the elements are that a narrow run shares and the wide one around it does not.

    A run that starts at `start` shares the elements from ``start + stride - 1`` to
    ``start + window - 1``. Of shape (wide runs, narrow runs in each, elements).
    """
    starts = np.arange(0, longest, wide)[:, None, None]
    shifts = np.arange(0, wide, narrow)[:, None]
    older = shifts + narrow - 1 + np.arange(wide - narrow)
    newer = older - (wide - 1) + window
    return starts + np.where(older < wide - 1, older, newer)


def _sorted_rest(held: Var, places: _Places) -> Var:
    """Those elements in ascending order, with the least of all numbers before them."""
    rest, _ = op.top_k(
        op.gather(held, op.constant(value=places)), _list(places.shape[2]), axis=2, largest=0
    )
    one_before = _list(0, 0, 1, 0, 0, 0, 0, 0)
    return op.unsqueeze(op.pad(rest, one_before, op.constant(value=_LEAST)), _list(2))


def _list(*numbers: int) -> Var:
    return op.constant(value=np.array(numbers, dtype=np.int64))


def _number(value: int) -> Var:
    return op.constant(value=np.int64(value))
