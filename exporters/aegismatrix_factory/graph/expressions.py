"""Causal series as graph expressions: the one place that talks to spox.

A `Series` knows how many bars it looks back. Arithmetic aligns its operands at the newest bar, so
the look-back of a formula is computed from the formula and cannot be declared wrongly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import spox.opset.ai.onnx.v18 as op
from numpy.typing import NDArray
from spox import Var

from aegismatrix_factory.graph.ordering import order_statistics

Merge = Callable[["tuple[Series, ...]", "tuple[Series, ...]", int, int], "tuple[Series, ...]"]

# onnxruntime computes the last elements of a double Log, those that do not fill a vector register,
# with another routine that differs in the last bit. The padding takes their place, so that a value
# does not depend on where in the array it stands.
_LOG_PADDING = 8


@dataclass
class Graph:
    """Constants and partial windows of one graph, each made once."""

    _constants: dict[tuple[object, ...], Var] = field(default_factory=dict)
    _partials: dict[tuple[object, ...], dict[int, tuple[Series, ...]]] = field(default_factory=dict)

    def constant(self, value: float | NDArray[np.floating[Any]] | Sequence[int]) -> Var:
        """Return a constant: float64 for a float or an array, int64 indices for a sequence."""
        is_index = isinstance(value, Sequence)
        array = np.asarray(value, dtype=np.int64 if is_index else np.float64)
        key = (str(array.dtype), array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = op.constant(value=array)
        return self._constants[key]

    def series(self, var: Var) -> Series:
        """Return raw bars, a variable of shape (T,), as a series that looks back one bar."""
        return Series(var, 1, self)

    def columns(self, matrix: Var, names: tuple[str, ...], wanted: tuple[str, ...]) -> Var:
        """Return the wanted columns of a matrix whose columns have these names."""
        places = [names.index(name) for name in wanted]
        return op.gather(matrix, self.constant(places), axis=1)

    def window_places(self, length: Var, window: int) -> Var:
        """Return the places of every run of `window` elements, oldest first.

        Parameters
        ----------
        length : Var
            How many elements there are, a scalar.
        window : int
            At least 1.

        Returns
        -------
        Var
            int64 (length - window + 1, window), to gather with.
        """
        last = op.sub(length, op.constant(value=np.int64(window - 1)))
        zero, one = (op.constant(value=np.int64(number)) for number in (0, 1))
        starts = op.unsqueeze(op.range(zero, last, one), self.constant([1]))
        return op.add(starts, self.constant(list(range(window))))

    def rolling(self, leaf: tuple[Series, ...], window: int, merge: Merge) -> tuple[Series, ...]:
        """Merge the last `window` elements of a series at every bar.

        Parameters
        ----------
        leaf : tuple of Series
            What one bar contributes, one or more components.
        window : int
            Bars, at least 1.
        merge : callable
            ``merge(older, newer, n_older, n_newer)`` of two adjacent runs of bars; associative.

        Returns
        -------
        tuple of Series
            The merged components. Computed by doubling: O(log window) merges, always in the same
            order, so that a value depends on its own window alone, to the last bit.
        """
        key = (merge, *(id(part.var) for part in leaf))
        partials = self._partials.setdefault(key, {1: leaf})
        size = 1
        while size * 2 <= window:
            if size * 2 not in partials:
                run = partials[size]
                older = tuple(part.lag(size) for part in run)
                partials[size * 2] = merge(older, run, size, size)
            size *= 2
        merged, done = partials[size], size
        while done < window:
            size = 1 << ((window - done).bit_length() - 1)
            older = tuple(part.lag(done) for part in partials[size])
            merged = merge(older, merged, size, done)
            done += size
        return merged


@dataclass(frozen=True, eq=False)
class Series:
    """A causal series: element i, counted from the newest, depends on `lookback` bars.

    Attributes
    ----------
    var : Var
        float64 of shape (T - lookback + 1,).
    lookback : int
        Bars that one element depends on, its own included.
    graph : Graph
        Where its constants live.
    """

    var: Var
    lookback: int
    graph: Graph

    def to_lookback(self, lookback: int) -> Var:
        """Return the variable without the elements that `lookback` bars could not give."""
        dropped = lookback - self.lookback
        if dropped < 0:
            raise ValueError(f"a series of look-back {self.lookback} has no look-back {lookback}")
        return self._sliced(dropped, None) if dropped else self.var

    def lag(self, bars: int) -> Series:
        """Return the series as it stood `bars` bars earlier."""
        return Series(self._sliced(0, -bars), self.lookback + bars, self.graph) if bars else self

    def log(self) -> Series:
        """Return the natural logarithm."""
        ones = self.graph.constant(np.ones(_LOG_PADDING))
        padded = self._with(op.log(op.concat([self.var, ones], axis=0)))
        return self._with(padded._sliced(0, -_LOG_PADDING))

    def sqrt(self) -> Series:
        """Return the square root."""
        return self._with(op.sqrt(self.var))

    def abs(self) -> Series:
        """Return the absolute value."""
        return self._with(op.abs(self.var))

    def maximum(self, other: Series | float) -> Series:
        """Return the larger of both, element by element."""
        return self._combine(other, lambda a, b: op.max([a, b]))

    def minimum(self, other: Series | float) -> Series:
        """Return the smaller of both, element by element."""
        return self._combine(other, lambda a, b: op.min([a, b]))

    def __add__(self, other: Series | float) -> Series:
        return self._combine(other, op.add)

    def __sub__(self, other: Series | float) -> Series:
        return self._combine(other, op.sub)

    def __mul__(self, other: Series | float) -> Series:
        return self._combine(other, op.mul)

    def __truediv__(self, other: Series | float) -> Series:
        return self._combine(other, op.div)

    def rolling_sum(self, window: int) -> Series:
        """Return the sum of the last `window` elements."""
        return self.graph.rolling((self,), window, _merge_sums)[0]

    def rolling_mean(self, window: int) -> Series:
        """Return the mean of the last `window` elements."""
        return self.rolling_sum(window) / float(window)

    def rolling_max(self, window: int) -> Series:
        """Return the largest of the last `window` elements."""
        return self.graph.rolling((self,), window, _merge_maxima)[0]

    def rolling_moments(self, window: int) -> tuple[Series, Series]:
        """Return the mean and the population standard deviation of the last `window` elements.

        Notes
        -----
        Pairwise update of mean and sum of squared deviations: Chan, Golub, LeVeque (1983). It has
        no cancellation, so a constant run has a deviation of exactly 0.
        """
        mean, squares = self.graph.rolling((self, self * 0.0), window, _merge_moments)
        return mean, (squares / float(window)).maximum(0.0).sqrt()

    def rolling_quantiles(self, window: int, fractions: Sequence[float]) -> tuple[Series, ...]:
        """Return quantiles of the last `window` elements, interpolated linearly.

        Notes
        -----
        Type 7 of Hyndman, Fan (1996), as `numpy.quantile` has it. An order statistic is no merge
        of runs, so it has a module of its own: `ordering`.
        """
        positions = [fraction * (window - 1) for fraction in fractions]
        ranks = sorted({min(int(p) + step, window - 1) for p in positions for step in (0, 1)})
        ordered = order_statistics(self.var, window, ranks)
        quantiles = []
        for position in positions:
            below = int(position)
            low, high = (
                Series(
                    op.gather(ordered, op.constant(value=np.int64(ranks.index(rank))), axis=1),
                    self.lookback + window - 1,
                    self.graph,
                )
                for rank in (below, min(below + 1, window - 1))
            )
            quantiles.append(low + (high - low) * (position - below))
        return tuple(quantiles)

    def _combine(self, other: Series | float, operation: Callable[[Var, Var], Var]) -> Series:
        if not isinstance(other, Series):
            return self._with(operation(self.var, self.graph.constant(float(other))))
        lookback = max(self.lookback, other.lookback)
        return Series(
            operation(self.to_lookback(lookback), other.to_lookback(lookback)), lookback, self.graph
        )

    def _with(self, var: Var) -> Series:
        return Series(var, self.lookback, self.graph)

    def _sliced(self, start: int, stop: int | None) -> Var:
        constant = self.graph.constant
        end = np.iinfo(np.int64).max if stop is None else stop
        return op.slice(self.var, constant([start]), constant([end]), constant([0]))


def stack(columns: Sequence[Series]) -> tuple[Var, int]:
    """Put series side by side.

    Parameters
    ----------
    columns : sequence of Series

    Returns
    -------
    matrix : Var
        float64 of shape (N, len(columns)).
    lookback : int
        The longest look-back among them.
    """
    lookback = max(column.lookback for column in columns)
    axis = columns[0].graph.constant([1])
    cells = [op.unsqueeze(column.to_lookback(lookback), axis) for column in columns]
    return op.concat(cells, axis=1), lookback


def _merge_sums(
    older: tuple[Series, ...], newer: tuple[Series, ...], n_older: int, n_newer: int
) -> tuple[Series, ...]:
    del n_older, n_newer
    return (older[0] + newer[0],)


def _merge_maxima(
    older: tuple[Series, ...], newer: tuple[Series, ...], n_older: int, n_newer: int
) -> tuple[Series, ...]:
    del n_older, n_newer
    return (older[0].maximum(newer[0]),)


def _merge_moments(
    older: tuple[Series, ...], newer: tuple[Series, ...], n_older: int, n_newer: int
) -> tuple[Series, ...]:
    n = n_older + n_newer
    step = newer[0] - older[0]
    mean = older[0] + step * (n_newer / n)
    squares = older[1] + newer[1] + step * step * (n_older * n_newer / n)
    return mean, squares
