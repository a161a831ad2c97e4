"""Permits: real exceptions to what bars have to be, named one by one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

import numpy as np

from aegismatrix import errors
from aegismatrix.errors import ArgumentError, shown
from aegismatrix.market.arrays import as_choice, as_rows, whole_day
from aegismatrix.records import dataclass

PermitKind = Literal["move", "copy", "frozen_iv", "missing", "unexpected"]
"""A move beyond the circuit breaker; a row that equals the one before; a volatility index that
stands still; a session of the calendar without a bar; a bar on a day without a session."""


@dataclass(frozen=True)
class Permit:
    """A real exception, by kind and day (ISO 8601); the provenance of every report keeps it.

    The kinds are ``move``, ``copy``, ``frozen_iv``, ``missing`` and ``unexpected``.
    """

    kind: PermitKind
    date: str

    def __post_init__(self) -> None:
        kinds = get_args(PermitKind)
        try:
            object.__setattr__(self, "kind", as_choice(self.kind, kinds, "the kind of a permit"))
            object.__setattr__(self, "date", str(whole_day(self.date)))
        except (ArgumentError, errors.CalendarDayError) as error:
            raise errors.PermitError(_written(self.kind, self.date), kinds=kinds) from error

    @property
    def day(self) -> np.datetime64:
        """The day, datetime64[D]."""
        day: np.datetime64 = np.datetime64(self.date)
        return day


def permits_of(given: Permit | str | Iterable[Permit | str]) -> tuple[Permit, ...]:
    """Return permits, given as such or written as ``KIND:DATE``: each once, in the order given."""
    if isinstance(given, Permit | str):
        given = (given,)
    kinds = get_args(PermitKind)
    try:
        listed = as_rows(given, "permit", "Give permits.")
    except ArgumentError as error:
        raise errors.PermitError(shown(given), kinds=kinds) from error
    permits: dict[Permit, None] = {}
    for one in listed:
        if not isinstance(one, Permit | str):
            raise errors.PermitError(shown(one), kinds=kinds)
        permits[one if isinstance(one, Permit) else _parsed(one)] = None
    return tuple(permits)


def _written(kind: object, day: object) -> str:
    """A permit as one writes it; what is no text is shown as what it is."""
    return ":".join(one if isinstance(one, str) else shown(one) for one in (kind, day))


def _parsed(text: str) -> Permit:
    written = str.__str__(text)
    kind, divided, day = written.partition(":")
    if not divided:
        raise errors.PermitError(written, kinds=get_args(PermitKind))
    return Permit(kind, day)  # type: ignore[arg-type]
