"""Rows that nobody printed: copies, a volatility index that stands still, spikes that revert."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from aegismatrix import errors
from aegismatrix.market.arrays import DateArray, FloatArray, Table, named
from aegismatrix.market.sessions import BoolArray, Days, name_days, too_many
from aegismatrix.market.thresholds import (
    FROZEN_PRINTS,
    FROZEN_ROWS,
    MAX_COPIES,
    MAX_SESSION_MOVE,
    RECENT_SESSIONS,
    REVERTED_ROWS,
    REVERTED_SHARE,
)
from aegismatrix.records import dataclass

if TYPE_CHECKING:
    from aegismatrix.market.permits import Permit


@dataclass(frozen=True)
class PrintReport:
    """The days of rows that no market shows.

    `copies` have the high, low and close of the row before; `frozen_iv` have a volatility print
    that equals the four before. `moves` go beyond the circuit breaker and were not taken back;
    `spikes` were, within days or within the row.
    """

    copies: Days = ()
    frozen_iv: Days = ()
    moves: Days = ()
    spikes: Days = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of them beside a report."""
        return tuple(
            f"{what}: {name_days(days)}."
            for what, days in (
                ("Rows that copy the row before", self.copies),
                ("Rows on which the volatility index stands still", self.frozen_iv),
                ("Rows that move beyond the circuit breaker", (*self.moves, *self.spikes)),
            )
            if days
        )


def look(
    dates: DateArray,
    high: FloatArray,
    low: FloatArray,
    close: FloatArray,
    iv: FloatArray,
    printed: BoolArray,
    breaker: float | None,
) -> PrintReport:
    """Find the rows that no market shows; `printed` says which days have an iv of their own."""
    copied = np.zeros(len(dates), dtype=bool)
    copied[1:] = (high[1:] == high[:-1]) & (low[1:] == low[:-1]) & (close[1:] == close[:-1])
    spikes, moves = _beyond(high, low, close, breaker)
    frozen = np.zeros(len(dates), dtype=bool)
    own = np.flatnonzero(printed)
    frozen[own[_repeats(iv[own]) >= FROZEN_PRINTS]] = True
    return PrintReport(
        copies=tuple(dates[copied]),
        frozen_iv=tuple(dates[frozen]),
        moves=tuple(dates[moves]),
        spikes=tuple(dates[spikes]),
    )


def check_prints(
    dates: DateArray,
    found: PrintReport,
    printed: BoolArray,
    permits: Iterable[Permit],
    breaker: float | None,
    source: str,
) -> None:
    """Refuse bars that end frozen, hold many copies, or a spike that was taken back."""
    permits = tuple(permits)
    spikes = _marked(dates, found.spikes, permits, "move")
    if spikes.any():
        raise errors.SpikeError(
            source, "reverted", limit=limit_in_words(breaker), **named(spikes, dates)
        )
    check_not_ending_frozen(dates, found, printed, permits)
    copies = _marked(dates, found.copies, permits, "copy")
    if too_many(copies, MAX_COPIES):
        raise errors.BarRowsError(source, "copied", **named(copies, dates))


def check_not_ending_frozen(
    dates: DateArray, found: PrintReport, printed: BoolArray, permits: Iterable[Permit]
) -> None:
    """Refuse bars whose last rows stand still."""
    permits = tuple(permits)
    copies = _marked(dates, found.copies, permits, "copy")
    if copies[-1]:
        count = 1 + _trailing(copies)
        same = np.arange(len(dates)) >= len(dates) - max(count, FROZEN_ROWS)
        raise errors.FrozenBarsError(
            count=count, columns=("high", "low", "close"), **named(same, dates)
        )
    own = np.flatnonzero(printed)
    frozen = _marked(dates, found.frozen_iv, permits, "frozen_iv")[own]
    if len(own) and frozen[-1]:
        count = FROZEN_PRINTS - 1 + _trailing(frozen)
        same = np.isin(np.arange(len(dates)), own[-count:])
        raise errors.FrozenBarsError(count=count, columns=("iv",), **named(same, dates))


def check_late(
    dates: DateArray,
    found: PrintReport,
    permits: Iterable[Permit],
    breaker: float | None,
    source: str,
) -> None:
    """Refuse late rows that nobody printed, and late moves that had no time to be taken back."""
    permits = tuple(permits)
    copies = _marked(dates, found.copies, permits, "copy")
    copies[:-RECENT_SESSIONS] = False
    if copies.any():
        raise errors.BarRowsError(source, "copied", **named(copies, dates))
    frozen = _marked(dates, found.frozen_iv, permits, "frozen_iv")
    frozen[:-RECENT_SESSIONS] = False
    if frozen.any():
        raise errors.BarRowsError(source, "frozen_iv", **named(frozen, dates))
    late = _marked(dates, found.moves, permits, "move")
    late[:-REVERTED_ROWS] = False
    if late.any():
        raise errors.SpikeError(
            source, "unsettled", limit=limit_in_words(breaker), **named(late, dates)
        )


def limit_in_words(breaker: float | None) -> str:
    """Return the largest move of a session in words."""
    if breaker is None:
        return f"{MAX_SESSION_MOVE:g} in log, which no market on record does and takes back"
    return f"{breaker:.0%}, where the exchange stops trading"


def without_placeholders(table: Table) -> Table:
    """Drop prints of a volatility index that a feed made up where there was none.

    Their open or low is 0 and their close is the one before; the exchange's own files hold such
    rows.
    """
    columns = table.columns
    close = columns["iv"]
    zero = np.zeros(len(close), dtype=bool)
    for name in ("open", "low"):
        if name in columns:
            zero |= columns[name] == 0.0
    zero[1:] &= close[1:] == close[:-1]
    zero[:1] = False
    if not zero.any():
        return table
    kept = {name: values[~zero] for name, values in columns.items()}
    return Table(table.source, table.dates[~zero], kept)


def _beyond(
    high: FloatArray, low: FloatArray, close: FloatArray, breaker: float | None
) -> tuple[list[int], list[int]]:
    """Return the rows that move beyond the breaker and are taken back, and those that are not."""
    up = MAX_SESSION_MOVE if breaker is None else math.log1p(breaker)
    down = MAX_SESSION_MOVE if breaker is None else -math.log1p(-breaker)
    log = np.log(close)
    before = log[:-1]
    moved = np.diff(log)
    beyond = (moved > up) | (moved < -down)
    within = (np.log(high[1:]) - before > up) | (np.log(low[1:]) - before < -down)
    spikes, moves, back_until = [], [], 0
    for row in (np.flatnonzero(beyond | within) + 1).tolist():
        if not beyond[row - 1]:
            spikes.append(row)
            continue
        # The move back of a spike is part of it.
        if row <= back_until:
            continue
        left = np.abs(log[row + 1 : row + 1 + REVERTED_ROWS] - log[row - 1])
        back = np.flatnonzero(left <= REVERTED_SHARE * abs(moved[row - 1]))
        if back.size:
            spikes.append(row)
            back_until = row + 1 + int(back[0])
        else:
            moves.append(row)
    return spikes, moves


def _repeats(values: FloatArray) -> NDArray[np.int64]:
    """How many values up to each one equal it without a break, itself included."""
    starts = np.concatenate([[True], values[1:] != values[:-1]])[: len(values)]
    rows = np.arange(len(values))
    counted: NDArray[np.int64] = rows - np.maximum.accumulate(np.where(starts, rows, 0)) + 1
    return counted


def _trailing(marked: BoolArray) -> int:
    plain = np.flatnonzero(~marked)
    return len(marked) - (int(plain[-1]) + 1 if plain.size else 0)


def _marked(dates: DateArray, days: Days, permits: Iterable[Permit], kind: str) -> BoolArray:
    permitted = {permit.day for permit in permits if permit.kind == kind}
    kept = np.array([day for day in days if day not in permitted], dtype="datetime64[D]")
    return np.isin(dates, kept) if len(kept) else np.zeros(len(dates), dtype=bool)
