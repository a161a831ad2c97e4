"""How much a legacy file may ask for, and the account of what it has asked for so far."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from aegismatrix_factory.rescue.reading.errors import LimitError

_CLOCK_EVERY_STEPS = 512


@dataclass(frozen=True)
class Limits:
    """What one file may cost.

    Attributes
    ----------
    file_bytes : int
        Size on disk.
    decompressed_bytes : int
        Size after decompression.
    opcodes : int
        Opcodes, or values of a UBJSON or JSON document.
    containers : int
        Lists, dicts, sets, tuples and objects made.
    memo_entries : int
        Entries of the memo, and its highest index.
    depth : int
        How deep values may nest.
    expanded_values, expanded_bytes : int
        Values and bytes when everything that is shared is written out at each place of use: no
        later walk over the values can cost more.
    array_bytes : int
        All arrays and tensors together.
    text_bytes : int
        One text.
    integer_bytes : int
        One integer.
    number_keys : int
        Keys of dicts and items of sets that are not text.
    seconds : float
        Wall time of reading.
    conversion_seconds : float
        Wall time of what follows: parameters, graph and proof.
    """

    file_bytes: int = 256 * 2**20
    decompressed_bytes: int = 256 * 2**20
    opcodes: int = 2_000_000
    containers: int = 500_000
    memo_entries: int = 1_000_000
    depth: int = 64
    expanded_values: int = 5_000_000
    expanded_bytes: int = 1024 * 2**20
    array_bytes: int = 256 * 2**20
    text_bytes: int = 64 * 2**20
    integer_bytes: int = 64
    number_keys: int = 20_000
    seconds: float = 60.0
    conversion_seconds: float = 600.0


class Clock:
    """How long the conversion of one file may take; it runs from when it is made.

    Parameters
    ----------
    seconds : float
        Wall time.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._started = time.monotonic()

    def check(self) -> None:
        """Look at it.

        Raises
        ------
        LimitError
            When the time is over.
        """
        if time.monotonic() - self._started > self._seconds:
            raise conversion_takes_too_long(self._seconds)


def conversion_takes_too_long(seconds: float) -> LimitError:
    """Return the refusal of a conversion that takes longer than it may."""
    return LimitError(
        "converting it takes too long",
        limit="conversion_seconds",
        allowed=seconds,
        code="limit-conversion-time",
    )


@dataclass
class Budget:
    """What is spent while one file is read; started when it is made.

    Attributes
    ----------
    limits : Limits
        What may be spent.
    """

    limits: Limits
    _started: float = field(default_factory=time.monotonic)
    _steps: int = 0
    _containers: int = 0
    _array_bytes: int = 0

    def tick(self, steps: int = 1) -> None:
        """Count steps of work, and look at the clock now and then.

        Parameters
        ----------
        steps : int, optional
            Steps done since the last call.

        Raises
        ------
        LimitError
            When the time is over.
        """
        before = self._steps // _CLOCK_EVERY_STEPS
        self._steps += steps
        if self._steps // _CLOCK_EVERY_STEPS != before:
            self.clock()

    def clock(self) -> None:
        """Look at the clock.

        Raises
        ------
        LimitError
            When the time is over.
        """
        if time.monotonic() - self._started > self.limits.seconds:
            raise LimitError(
                "reading it takes too long",
                limit="seconds",
                allowed=self.limits.seconds,
                code="limit-time",
            )

    def container(self) -> None:
        """Count a list, dict, set, tuple or object.

        Raises
        ------
        LimitError
            When there are too many.
        """
        self._containers += 1
        if self._containers > self.limits.containers:
            raise LimitError(
                "it holds too many objects",
                limit="containers",
                allowed=self.limits.containers,
                code="limit-memory",
            )

    def array(self, size_bytes: int) -> None:
        """Count an array before it is made.

        Parameters
        ----------
        size_bytes : int
            Its size.

        Raises
        ------
        LimitError
            When all arrays together are too large.
        """
        self._array_bytes += size_bytes
        if self._array_bytes > self.limits.array_bytes:
            raise LimitError(
                "its arrays are too large",
                limit="array_bytes",
                allowed=self.limits.array_bytes,
                code="limit-memory",
            )
