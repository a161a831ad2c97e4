"""Reads on where the reader refuses: what a refused file names, and all that stands in its way.

Nothing is imported or called here either. What is refused becomes a record, which no converter ever
sees: it serves for saying what there is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aegismatrix_factory.rescue.reading import arrays, opcodes
from aegismatrix_factory.rescue.reading.errors import (
    ForeignNameError,
    LegacyError,
    LimitError,
)
from aegismatrix_factory.rescue.reading.limits import Budget
from aegismatrix_factory.rescue.reading.records import RecordDraft
from aegismatrix_factory.rescue.reading.settling import settle

_MOST_OBSTACLES = 100
_MOST_NAMES = 2_000


@dataclass(frozen=True)
class Surveyed:
    """What was seen of a pickle.

    Attributes
    ----------
    protocol : int or None
        That it declares; None of what is no pickle.
    names : tuple of tuple
        Pairs of module and name, in the file's order.
    obstacles : tuple of LegacyError
        Each once, in the file's order.
    value : object or None
        What it holds, where its end was reached.
    releases : tuple of str
        Of scikit-learn, each that is mentioned.
    """

    protocol: int | None
    names: tuple[tuple[str, str], ...]
    obstacles: tuple[LegacyError, ...]
    value: Any
    releases: tuple[str, ...] = ()


class _Surveying(opcodes._Walk):  # The very walk that refused it.
    """A walk that notes what it would refuse, and goes on."""

    def __init__(
        self,
        data: bytes | bytearray | memoryview,
        budget: Budget,
        names: Mapping[tuple[str, str], opcodes.Builder],
    ) -> None:
        super().__init__(data, budget, names, lambda _: RecordDraft("torch", "Storage", ()))
        self.obstacles: dict[str, LegacyError] = {}
        self.names: dict[tuple[str, str], None] = {}
        self.releases: dict[str, None] = {}

    def note(self, error: LegacyError) -> None:
        if len(self.obstacles) < _MOST_OBSTACLES:
            self.obstacles.setdefault(error.reason, error)

    def name(self, module: str, name: str) -> Any:
        if len(self.names) < _MOST_NAMES:
            self.names[module, name] = None
        try:
            return super().name(module, name)
        except ForeignNameError as error:
            self.note(error)
            # A record stands wherever a value may; a name does not.
            return _Refused(error.module, error.name, ())

    def call(self, function: Any, arguments: Any) -> None:
        if isinstance(function, _Refused):
            given = arguments if isinstance(arguments, tuple) else ()
            self.made(RecordDraft(function.module, function.name, given))
            return
        try:
            super().call(function, arguments)
        except LimitError:
            raise
        except LegacyError as error:
            self.note(error)
            module, name = getattr(function, "module", ""), getattr(function, "name", "")
            self.made(RecordDraft(module, name, ()))

    def fill(self, target: Any, flat: list[Any]) -> None:
        for key, value in zip(flat[::2], flat[1::2], strict=False):
            if isinstance(key, str) and key == "_sklearn_version" and isinstance(value, str):
                self.releases[value] = None
        super().fill(target, flat)

    def build(self) -> None:
        target = self.stack[-2] if len(self.stack) > 1 else None
        if isinstance(target, arrays.InlineDraft):
            super().build()
            return
        try:
            super().build()
        except LimitError:
            raise
        except LegacyError as error:
            self.note(error)
            if isinstance(target, arrays.ArrayDraft | arrays.DtypeDraft):
                self.stack[-1] = RecordDraft("numpy", "ndarray", ())


class _Refused(RecordDraft):
    """Stands for a name that was refused."""


def survey(
    data: bytes | bytearray | memoryview,
    budget: Budget,
    names: Mapping[tuple[str, str], opcodes.Builder] | None = None,
) -> Surveyed:
    """Read a pickle that was refused, as far as it goes.

    Parameters
    ----------
    data : bytes
        The pickle.
    budget : Budget
        Pays for it.
    names : mapping of (module, name) to callable, optional
        As for `aegismatrix_factory.rescue.reading.opcodes.walk`.

    Returns
    -------
    Surveyed
    """
    one = _Surveying(data, budget, names or {})
    value = None
    try:
        value = settle(one.run(), budget)
    except LegacyError as error:
        one.note(error)
    return Surveyed(
        one.protocol, tuple(one.names), tuple(one.obstacles.values()), value, tuple(one.releases)
    )
