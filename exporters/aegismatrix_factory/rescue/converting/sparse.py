"""Sparse matrices of scipy, read from their records."""

from __future__ import annotations

import numpy as np

from aegismatrix_factory.rescue.converting.attributes import Attributes, numbers, whole_numbers
from aegismatrix_factory.rescue.converting.errors import InconsistentModelError, OversizedModelError
from aegismatrix_factory.rescue.converting.parameters import FloatArray
from aegismatrix_factory.rescue.reading.records import Record

_MOST = 8 * 2**20
"""Numbers of a matrix once it is written out: what fills the largest artifact."""


def is_sparse(given: object) -> bool:
    """Whether a value is the record of a sparse matrix in rows."""
    return isinstance(given, Record) and given.name in ("csr_matrix", "csr_array")


def matrix(given: object, what: str) -> FloatArray:
    """Return a matrix written out, dense or sparse as it was.

    Parameters
    ----------
    given : object
        From a file.
    what : str
        For messages.

    Returns
    -------
    ndarray of float64 with two axes

    Raises
    ------
    InconsistentModelError, NonFiniteModelError, OversizedModelError
    """
    if not is_sparse(given):
        if not isinstance(given, np.ndarray) or given.ndim != 2 or not given.size:
            raise InconsistentModelError(f"{what} is no matrix")
        return numbers(given, given.shape, what)
    assert isinstance(given, Record)
    inside = Attributes(given, None)
    shape = inside.get("_shape", inside.get("shape"))
    if (
        not isinstance(shape, tuple)
        or len(shape) != 2
        or not all(isinstance(one, int | np.integer) and one > 0 for one in shape)
    ):
        raise InconsistentModelError(f"{what} has no shape")
    rows, columns = int(shape[0]), int(shape[1])
    if rows * columns > _MOST:
        raise OversizedModelError(f"{what} has {rows * columns} numbers once it is written out")
    given_data = inside.need("data")
    count = len(given_data) if isinstance(given_data, np.ndarray) else 0
    data = numbers(given_data, (count,), f"{what}.data")
    places = whole_numbers(inside.need("indices"), (count,), f"{what}.indices")
    starts = whole_numbers(inside.need("indptr"), (rows + 1,), f"{what}.indptr")
    if starts[0] != 0 or starts[-1] != count or (np.diff(starts) < 0).any():
        raise InconsistentModelError(f"{what}.indptr does not part its numbers into rows")
    if count and (places.min() < 0 or places.max() >= columns):
        raise InconsistentModelError(f"{what}.indices names a column that is not there")
    out = np.zeros((rows, columns))
    np.add.at(out, (np.repeat(np.arange(rows), np.diff(starts)), places), data)
    return out
