"""Classifiers that answer several questions: their answers side by side in one table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aegismatrix_factory.rescue.converting.attributes import labels
from aegismatrix_factory.rescue.converting.errors import InconsistentModelError
from aegismatrix_factory.rescue.converting.parameters import FloatArray
from aegismatrix_factory.rescue.converting.writing import Writer

Questions = tuple[tuple[str, ...], ...]


def read_questions(given: object, count: int, what: str) -> Questions:
    """Return the classes of every question.

    Parameters
    ----------
    given : object
        From a file: a list of lines of labels.
    count : int
        Questions.
    what : str
        For messages.

    Returns
    -------
    tuple of tuple of str

    Raises
    ------
    InconsistentModelError
    """
    if not isinstance(given, list) or len(given) != count:
        raise InconsistentModelError(f"{what} is not one line of labels for each question")
    return tuple(labels(one, what) for one in given)


def named(questions: Questions) -> tuple[str, ...]:
    """Return a name for each class of each question, one behind the other."""
    return tuple(f"{place}: {one}" for place, own in enumerate(questions) for one in own)


def placed(writer: Writer, shares: str, counts: Sequence[int]) -> str:
    """Write where the largest share of each question is.

    Parameters
    ----------
    writer : Writer
    shares : str
        Float64 (N, classes of all questions).
    counts : sequence of int
        Classes of each question.

    Returns
    -------
    str
        Float64 (N, questions).
    """
    if len(counts) == 1:
        return writer.largest(shares)
    ends = np.cumsum(counts)
    begins = ends - np.asarray(counts)
    own = [
        writer.add("Gather", [shares, writer.axes(*range(begin, end))], axis=1)
        for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)
    ]
    return writer.joined([writer.largest(one) for one in own])


def largest_of_each(shares: FloatArray, counts: Sequence[int]) -> FloatArray:
    """Return the same in numpy, for oracles: (N, questions)."""
    parts = np.split(shares, np.cumsum(counts)[:-1], axis=1)
    return np.stack([one.argmax(axis=1) for one in parts], axis=1).astype(np.float64)
