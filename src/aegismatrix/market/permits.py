"""Permits: real exceptions to what bars have to be, named one by one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from aegismatrix import errors
from aegismatrix.market.arrays import whole_day

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
        if self.kind not in get_args(PermitKind):
            raise errors.PermitError(f"{self.kind}:{self.date}", kinds=get_args(PermitKind))
        try:
            object.__setattr__(self, "date", str(whole_day(self.date)))
        except errors.CalendarDayError as error:
            raise errors.PermitError(
                f"{self.kind}:{self.date}", kinds=get_args(PermitKind)
            ) from error

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
    if not isinstance(given, Iterable):
        raise errors.PermitError(str(given), kinds=kinds)
    permits: dict[Permit, None] = {}
    for one in given:
        if not isinstance(one, Permit | str):
            raise errors.PermitError(str(one), kinds=kinds)
        permits[one if isinstance(one, Permit) else _parsed(one)] = None
    return tuple(permits)


def _parsed(text: str) -> Permit:
    kind, _, day = text.partition(":")
    return Permit(kind, day)  # type: ignore[arg-type]
