"""Columns as counts of thresholds, for trees whose library compares in float64.

Trees of ONNX compare in float32. How many of a column's thresholds are below a number is a small
whole number, which float32 holds, and says the same.
"""

from __future__ import annotations

from aegismatrix_factory.rescue.converting.parameters import FloatArray
from aegismatrix_factory.rescue.converting.writing import Writer


def count_below(writer: Writer, column: str, thresholds: FloatArray) -> str:
    """Write how many thresholds are below each number of a column.

    Parameters
    ----------
    writer : Writer
    column : str
        Float64 (N, 1).
    thresholds : ndarray of shape (T,)
        At least one, each once. A number is at most the k-th in order, counted from 0, where at
        most k are below it.

    Returns
    -------
    str
        Float64 (N, 1); 0 for NaN.
    """
    over = writer.doubled(writer.add("Greater", [column, writer.weight(thresholds[None])]))
    return writer.add("ReduceSum", [over, writer.axes(1)], keepdims=1)
