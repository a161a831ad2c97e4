"""Reads a run of one repeated field in bulk: the lists of a forest have millions of them.

A function here takes what is in order and stops before whatever is not, be it another field, a
number longer than need be or the end: whoever called it reads on by itself from there, and refuses
what it must. So nothing here refuses anything, and nothing is let pass that one field at a time
would not.

Pieces grow from one to the next, so that a short run costs little and a long one needs little
memory beside its values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Numbers = NDArray[np.uint64]
Flags = NDArray[np.bool_]
Places = NDArray[np.int64]

_FIRST_PIECE, _LARGEST_PIECE, _GROWTH = 2**14, 2**17, 4
_CONTINUES, _SEVEN_BITS = 128, np.uint8(127)
_LONGEST_NUMBER = 10
# By how many bytes come before it, what the last byte of a number may be at most: the tenth has one
# bit left, and there is no eleventh.
_LAST_BYTES = (*[127] * 9, 1, 0)
_START = np.zeros(1, dtype=np.int64)
_FLOAT_FIELD = 5
_SHORT_TEXT = 128


def read_numbers(
    data: Bytes, place: int, end: int, tag: int | None, most: int
) -> tuple[Numbers, int]:
    """Numbers of seven bits in a byte, behind a tag each or packed without one; and where they end.

    Those in their shortest form and below 2 to the power of 64, up to the first other one. After
    more than `most` it stops at the end of a piece.
    """
    found: list[NDArray[Any]] = []
    left = most

    def take(piece: Bytes) -> tuple[int, bool]:
        nonlocal left
        firsts, lasts, is_whole = _numbers_in(piece, tag)
        found.append(_values(piece, firsts, lasts))
        left -= len(lasts)
        return _taken(lasts), is_whole and left >= 0

    place = _in_pieces(data, place, end, take)
    return _joined(found, np.uint64), place


def skip_numbers(data: Bytes, place: int, end: int, tag: int | None) -> int:
    """Where the numbers that `read_numbers` would read end."""

    def take(piece: Bytes) -> tuple[int, bool]:
        _, lasts, is_whole = _numbers_in(piece, tag)
        return _taken(lasts), is_whole

    return _in_pieces(data, place, end, take)


def skip_floats(data: Bytes, place: int, end: int, tag: int) -> int:
    """Where a run of fields of four bytes ends."""

    def take(piece: Bytes) -> tuple[int, bool]:
        tags = piece[: len(piece) // _FLOAT_FIELD * _FLOAT_FIELD : _FLOAT_FIELD] == tag
        count = _leading(tags)
        return count * _FLOAT_FIELD, count == len(tags)

    return _in_pieces(data, place, end, take)


def read_texts(data: Bytes, place: int, end: int, tag: int, sought: bytes) -> tuple[Flags, int]:
    """Which of a run of short texts equal one, and where those end that do not hold the tag.

    Such a text might be taken for two.
    """
    found: list[NDArray[Any]] = []

    def take(piece: Bytes) -> tuple[int, bool]:
        equal, taken, is_whole = _texts_of(piece, tag, sought)
        found.append(equal)
        return taken, is_whole

    place = _in_pieces(data, place, end, take)
    return _joined(found, np.bool_), place


def _in_pieces(data: Bytes, place: int, end: int, take: Callable[[Bytes], tuple[int, bool]]) -> int:
    """Give one piece after the other, until one is not taken to its last whole field."""
    size = _FIRST_PIECE
    while place < end:
        taken, is_whole = take(data[place : min(place + size, end)])
        place += taken
        if not taken or not is_whole:
            break
        size = min(size * _GROWTH, _LARGEST_PIECE)
    return place


def _joined(found: list[NDArray[Any]], kind: type) -> NDArray[Any]:
    return np.concatenate(found) if found else np.zeros(0, dtype=kind)


def _leading(flags: Flags) -> int:
    """How many are true before the first that is not."""
    return len(flags) if flags.all() else int(flags.argmin())


def _taken(lasts: Places) -> int:
    return int(lasts[-1]) + 1 if len(lasts) else 0


def _numbers_in(piece: Bytes, tag: int | None) -> tuple[Places, Places, bool]:
    """First and last byte of each number in order, and whether all that are there are."""
    pairs = piece[: len(piece) // 2 * 2].reshape(-1, 2)
    if tag is not None and (pairs[:, 0] == tag).all() and (pairs[:, 1] < _CONTINUES).all():
        # Most lists of small forests: one byte each, which needs no search.
        lasts = np.arange(1, 2 * len(pairs), 2)
        return lasts, lasts, True
    lasts = np.flatnonzero(piece < _CONTINUES)
    if tag is None:
        firsts = np.concatenate([_START, lasts[:-1] + 1])[: len(lasts)]
        good = np.ones(len(lasts), dtype=np.bool_)
    else:
        # A tag is a number of one byte: tags and numbers alternate, as long as it goes on.
        count = len(lasts) // 2
        tags, lasts = lasts[: 2 * count : 2], lasts[1 : 2 * count : 2]
        firsts = tags + 1
        good = (piece[tags] == tag) & (tags == np.concatenate([_START, lasts + 1])[:count])
    lengths = lasts - firsts
    if lengths.any():
        # Empty bytes, and bits beyond 64, are read in more than one way.
        most = np.array(_LAST_BYTES)[np.minimum(lengths, _LONGEST_NUMBER)]
        last = piece[lasts]
        good &= (last <= most) & ((last > 0) | (lengths == 0))
    count = _leading(good)
    return firsts[:count], lasts[:count], count == len(good)


def _values(piece: Bytes, firsts: Places, lasts: Places) -> Numbers:
    values: Numbers = (piece[firsts] & _SEVEN_BITS).astype(np.uint64)
    longer, step = np.flatnonzero(lasts > firsts), 1
    while len(longer):
        more = (piece[firsts[longer] + step] & _SEVEN_BITS).astype(np.uint64)
        values[longer] |= more << np.uint64(7 * step)
        step += 1
        longer = longer[lasts[longer] - firsts[longer] >= step]
    return values


def _texts_of(piece: Bytes, tag: int, sought: bytes) -> tuple[Flags, int, bool]:
    tags = np.flatnonzero(piece[:-1] == tag)
    if not len(tags) or tags[0]:
        return np.zeros(0, dtype=np.bool_), 0, False
    lengths = piece[tags + 1]
    ends = tags + 2 + lengths
    good = lengths < _SHORT_TEXT
    # A text that holds the tag's byte is left to whoever reads on.
    good[:-1] &= ends[:-1] == tags[1:]
    good[-1] &= ends[-1] <= len(piece)
    count = _leading(good)
    is_whole = count >= len(good) - 1
    equal = lengths[:count] == len(sought)
    place = np.flatnonzero(equal)
    for step, byte in enumerate(sought, start=2):
        place = place[piece[tags[place] + step] == byte]
    equal = np.zeros(count, dtype=np.bool_)
    equal[place] = True
    return equal, int(ends[count - 1]) if count else 0, is_whole
