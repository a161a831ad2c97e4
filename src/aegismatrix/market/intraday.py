"""Five-minute bars of NIFTY: validated, on the exchange's grid, inside of its sessions.

The session is 09:15 to 15:30 IST, UTC+05:30 all the year round, so no database of time zones is
needed. Rows that are blank throughout are a feed's gaps and left out, as are bars outside of the
session; both are counted.
"""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aegismatrix import errors
from aegismatrix.errors import ArgumentError, printable, shown
from aegismatrix.market.arrays import (
    MAX_GIVEN,
    DateArray,
    Day,
    FloatArray,
    Published,
    Table,
    as_date,
    as_dates,
    as_floats,
    as_texts,
    as_truth,
    as_whole,
    check_bar_shape,
    check_index_scale,
    check_lengths,
    check_not_frozen,
    check_positive,
    check_rising,
    named,
    oldest_first,
    read_only,
    source_named,
)
from aegismatrix.market.market import NIFTY
from aegismatrix.market.readers import read_csv, read_frame
from aegismatrix.market.sheets import path_text
from aegismatrix.records import dataclass

if TYPE_CHECKING:
    import pandas as pd

Moment = str | datetime | np.datetime64
Stamps = Literal["start", "end"]

BAR_MINUTES = 5
"""Length of a bar."""

MARKET = NIFTY
"""In whose session the bars lie; markets of the same `hours` share it."""

OPEN_MINUTE, CLOSE_MINUTE = (
    60 * of_day.hour + of_day.minute for of_day in (MARKET.opens, MARKET.closes) if of_day
)
"""The session in minutes after midnight, IST."""

BARS_PER_SESSION = (CLOSE_MINUTE - OPEN_MINUTE) // BAR_MINUTES
"""75, where none is missing."""

FROZEN_BARS = 6
"""Half an hour of identical trailing bars means that the feed stopped."""

CLOCK_TOLERANCE_MINUTES = 5
"""A bar may start this much after now: clocks differ."""

MAX_STRAY_BARS = 5
"""More bars than these, on one day of trading, before 09:00 or from 16:00 on are no stray prints
but another clock. Between are the pre-open and the closing session, which feeds may show."""

# So many neighbours, each as far from the other, are no accident of a feed.
_STEPS_OF_AN_INTERVAL = 3
_PRE_OPEN_MINUTE, _POST_CLOSE_MINUTE = 9 * 60, 16 * 60
_SESSION = "09:15-15:30 IST"
_UTC_OFFSET_SECONDS = 19_800
_PRICES = ("open", "high", "low", "close")


@dataclass(frozen=True, eq=False, repr=False)
class IntradayBars(Published):
    """Five-minute bars, oldest first; an instance that exists is valid.

    Make one with `from_csv`, `from_frame` or `from_arrays`, which leave out what is blank or
    outside of the session; in bars made directly nothing may be either.

    Attributes
    ----------
    starts : ndarray of shape (T,), datetime64[s]
        When each bar starts, UTC, strictly rising, on multiples of five minutes.
    open, high, low, close : ndarray of shape (T,), float64
        Index points.
    source : str
        Where they came from.
    dropped : int
        Bars outside of the session that were left out.
    blank : int
        Rows blank in all four columns that were left out.
    shifted : bool
        Whether their stamps were those of their ends, and were moved to their starts.
    reading_notes : tuple of str
        What was done to read them that their rows do not show, such as rows turned round.

    Examples
    --------
    >>> import aegismatrix as am
    >>> am.IntradayBars.from_csv("nifty_5min.csv").slots
    array([0, 1, 2])
    """

    starts: DateArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    source: str = "arrays"
    dropped: int = 0
    blank: int = 0
    shifted: bool = False
    reading_notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "source", source_named(self.source))
        for name in ("dropped", "blank"):
            count = as_whole(getattr(self, name), name, least=0, most=MAX_GIVEN, unit="rows")
            object.__setattr__(self, name, count)
        object.__setattr__(self, "shifted", as_truth(self.shifted, "shifted"))
        notes = as_texts(self.reading_notes, "reading_notes")
        object.__setattr__(self, "reading_notes", tuple(map(printable, notes)))
        starts = as_dates(self.starts, self.source, unit="s")
        object.__setattr__(self, "starts", read_only(starts))
        for name in _PRICES:
            values = as_floats(getattr(self, name), self.source, name)
            object.__setattr__(self, name, read_only(values))
        columns = {name: getattr(self, name) for name in _PRICES}
        check_lengths({"starts": starts, **columns})
        if not len(starts):
            raise errors.EmptyBarsError(self.source)
        check_rising(starts, self.source)
        outside = ~_in_session(starts)
        if outside.any():
            raise _outside(self.source, outside, starts)
        off_grid = starts.astype(np.int64) % (60 * BAR_MINUTES) != 0
        if off_grid.any():
            raise errors.BarRowsError(
                self.source, "off_grid", detail=f"{BAR_MINUTES} minutes", **named(off_grid, starts)
            )
        for name, values in columns.items():
            check_positive(values, starts, self.source, name)
        check_index_scale(self.close, starts, self.source)
        inside = {name: columns[name] for name in ("open", "close")}
        check_bar_shape(self.high, self.low, inside, starts, self.source)
        check_not_frozen(columns, starts, FROZEN_BARS)

    @classmethod
    def from_arrays(
        cls,
        starts: ArrayLike,
        open: ArrayLike,  # noqa: A002
        high: ArrayLike,
        low: ArrayLike,
        close: ArrayLike,
        *,
        source: str = "arrays",
        now: Moment | None = None,
        stamps: Stamps | None = None,
    ) -> IntradayBars:
        """Make bars from arrays.

        Parameters
        ----------
        starts : array-like of shape (T,)
            When each bar starts, rising: datetime64, datetimes or ISO strings. UTC, unless a stamp
            carries its offset.
        open, high, low, close : array-like of shape (T,)
            Index points; NaN in all four where a bar is not known.
        source : str
            What to call them in messages and reports.
        now : str, datetime or datetime64, optional
            No bar may start more than five minutes later; by default the clock of this machine.
        stamps : {'start', 'end'}, optional
            What the stamps are of; by default their start, unless a session that begins at 09:20
            and has a bar at 15:30, or one that would start now, shows that they are of the end.

        Raises
        ------
        BarsError
            One of its children, naming rows and remedy.

        Examples
        --------
        >>> import aegismatrix as am
        >>> starts = ["2024-01-02T03:45", "2024-01-02T09:20+05:30"]
        >>> open, high, low, close = [21706, 21710], [21716, 21730], [21701, 21705], [21710, 21724]
        >>> am.IntradayBars.from_arrays(starts, open, high, low, close).slots
        array([0, 1])
        """
        source = source_named(source)
        prices = zip(_PRICES, (open, high, low, close), strict=True)
        columns = {name: as_floats(values, source, name) for name, values in prices}
        return cls._cut(Table(source, as_dates(starts, source, unit="s"), columns), now, stamps)

    @classmethod
    def from_csv(
        cls,
        path: str | os.PathLike[str],
        *,
        now: Moment | None = None,
        date_format: str | None = None,
        stamps: Stamps | None = None,
    ) -> IntradayBars:
        """Make bars from a CSV file.

        Parameters
        ----------
        path : path-like
            Columns timestamp (by any name that daily bars' dates have), open, high, low and close,
            in any order and case; others are ignored. Stamps are UTC, unless they carry an offset.
        date_format : str, optional
            How stamps are written, as for `datetime.strptime`; ISO 8601 is read besides.
        now, stamps
            As for `from_arrays`.

        Raises
        ------
        BarsError
            One of its children, naming file, rows and remedy.

        Examples
        --------
        >>> import aegismatrix as am
        >>> len(am.IntradayBars.from_csv("nifty_5min.csv"))
        3
        """
        table = read_csv(path, required=_PRICES, date_format=date_format, unit="s")
        name = os.path.basename(path_text(path))  # noqa: PTH119
        return cls._cut(replace(table, source=source_named(name)), now, stamps)

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame | Any,
        *,
        source: str = "frame",
        now: Moment | None = None,
        stamps: Stamps | None = None,
    ) -> IntradayBars:
        """Make bars from a frame of pandas (extra ``frames``) or Polars, or an Arrow table.

        Parameters
        ----------
        frame : DataFrame or Table
            A column of stamps, or in pandas a DatetimeIndex, in any time zone or naive for UTC;
            open, high, low and close. The two-level columns of a download of one ticker are
            accepted.
        source, now, stamps
            As for `from_arrays`.

        Raises
        ------
        MissingExtraError
            If pandas is not installed, and the frame is of no other library that is known.
        BarsError
            As for `from_arrays`.

        Examples
        --------
        >>> import pandas as pd
        >>> import aegismatrix as am
        >>> len(am.IntradayBars.from_frame(pd.read_csv("nifty_5min.csv")))
        3
        """
        table = read_frame(frame, source=source_named(source), required=_PRICES, unit="s")
        return cls._cut(table, now, stamps)

    @classmethod
    def _cut(cls, table: Table, now: Moment | None, stamps: Stamps | None) -> IntradayBars:
        check_lengths({"starts": table.dates, **table.columns})
        if not len(table.dates):
            raise errors.EmptyBarsError(table.source)
        table = oldest_first(table, table.source)
        blank = np.isnan(np.stack([table.columns[name] for name in _PRICES])).all(axis=0)
        starts = table.dates[~blank]
        if not len(starts):
            raise errors.EmptyBarsError(
                f"{table.source}, its {int(blank.sum())} blank rows left out,"
            )
        check_rising(starts, table.source)
        _check_interval(starts, table.source)
        shifted = _is_of_ends(starts, table.source, now, stamps)
        if shifted:
            starts = starts - np.timedelta64(BAR_MINUTES, "m")
        _check_not_future(starts, table.source, now)
        inside = _in_session(starts)
        other_clock = _of_another_clock(starts, inside)
        if other_clock.any() or not inside.any():
            wrong = other_clock if other_clock.any() else ~inside
            raise _outside(table.source, wrong, starts)
        return cls(
            starts=starts[inside],
            **{name: table.columns[name][~blank][inside] for name in _PRICES},
            source=table.source,
            dropped=int((~inside).sum()),
            blank=int(blank.sum()),
            shifted=shifted,
            reading_notes=table.notes,
        )

    def __len__(self) -> int:
        return len(self.starts)

    def __repr__(self) -> str:
        return (
            f"IntradayBars({len(self)} in {len(self.sessions)} sessions from {self.source},"
            f" {self.starts[0]}Z to {self.starts[-1]}Z, close {self.close[-1]:g})"
        )

    @property
    def days(self) -> DateArray:
        """The session's day of each bar, IST, datetime64[D] of shape (T,)."""
        return _exchange_clock(self.starts).astype("datetime64[D]")

    @property
    def slots(self) -> NDArray[np.int64]:
        """The place of each bar in a full session, 0 to 74, shape (T,)."""
        return (_minutes(self.starts) - OPEN_MINUTE) // BAR_MINUTES

    @property
    def sessions(self) -> DateArray:
        """The days that have bars, rising, datetime64[D] of shape (S,)."""
        return np.unique(self.days)

    def session(self, day: Day) -> IntradayBars:
        """Return the bars of one session; what was left out of all is not counted again.

        Parameters
        ----------
        day : date-like
            The exchange's day.

        Raises
        ------
        EmptyBarsError
            If that day has no bars.
        FrozenBarsError
            If that session ends in half an hour of identical bars.

        Examples
        --------
        >>> import aegismatrix as am
        >>> len(am.IntradayBars.from_csv("nifty_5min.csv").session("2024-01-02"))
        3
        """
        wanted = as_date(day, "day of a session")
        of_day = self.days == wanted
        if not of_day.any():
            raise errors.EmptyBarsError(f"{self.source}, cut to {wanted},")
        return replace(self._of(of_day), dropped=0, blank=0)

    def on(self, days: DateArray) -> IntradayBars | None:
        """Return the bars of some of the exchange's days, or None if there are none.

        Parameters
        ----------
        days : ndarray of datetime64[D]

        Examples
        --------
        >>> import aegismatrix as am
        >>> bars = am.IntradayBars.from_csv("nifty_5min.csv")
        >>> len(bars.on(bars.sessions[-1:]))
        3
        """
        of_days = np.isin(self.days, as_dates(days, "the days to keep"))
        if of_days.all():
            return self
        return self._of(of_days) if of_days.any() else None

    def _of(self, rows: NDArray[np.bool_]) -> IntradayBars:
        return replace(self, **{name: getattr(self, name)[rows] for name in ("starts", *_PRICES)})


def _exchange_clock(starts: DateArray) -> DateArray:
    return starts + np.timedelta64(_UTC_OFFSET_SECONDS, "s")


def _minutes(starts: DateArray) -> NDArray[np.int64]:
    """Whole minutes after midnight, IST."""
    seconds: NDArray[np.int64] = _exchange_clock(starts).astype(np.int64)
    return seconds % 86_400 // 60


def _in_session(starts: DateArray) -> NDArray[np.bool_]:
    minutes = _minutes(starts)
    return (minutes >= OPEN_MINUTE) & (minutes < CLOSE_MINUTE)


def _of_another_clock(starts: DateArray, inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    # Local stamps read as UTC lie in part inside of the session, and would pass for its last hour.
    # A special session in the evening lies outside as a whole, and is merely left out.
    minutes = _minutes(starts)
    beyond = (minutes < _PRE_OPEN_MINUTE) | (minutes >= _POST_CLOSE_MINUTE)
    days = _exchange_clock(starts).astype("datetime64[D]")
    known, of_day = np.unique(days, return_inverse=True)
    strays = np.bincount(of_day, weights=beyond, minlength=len(known))
    trades = np.bincount(of_day, weights=inside, minlength=len(known)) > 0
    return beyond & ((strays > MAX_STRAY_BARS) & trades)[of_day]


def _check_interval(starts: DateArray, source: str) -> None:
    """Refuse bars of another length: none follows another by five minutes, most by as much."""
    same_day = np.diff(_exchange_clock(starts).astype("datetime64[D]")) == np.timedelta64(0, "D")
    steps = np.diff(starts).astype("timedelta64[s]").astype(np.int64)[same_day]
    if len(steps) < _STEPS_OF_AN_INTERVAL or (steps == 60 * BAR_MINUTES).any():
        return
    lengths, counts = np.unique(steps, return_counts=True)
    usual = int(lengths[np.argmax(counts)])
    if usual % 60 == 0 and counts.max() > len(steps) / 2:
        detail = f"{usual // 60} minutes"
        first = np.arange(len(starts)) < 1
        raise errors.BarRowsError(source, "interval", detail=detail, **named(first, starts))


def _is_of_ends(starts: DateArray, source: str, now: Moment | None, stamps: Stamps | None) -> bool:
    """Say whether bars are stamped by their end: none at 09:15, and one where none can start."""
    if stamps is not None:
        if not isinstance(stamps, str) or stamps not in get_args(Stamps):
            raise errors.BarRowsError(
                source,
                "stamped_by_end",
                **named(np.arange(len(starts)) < 1, starts),
            )
        return stamps == "end"
    minutes = _minutes(starts)
    inside = (minutes >= OPEN_MINUTE) & (minutes <= CLOSE_MINUTE)
    days = _exchange_clock(starts).astype("datetime64[D]")
    known, first = np.unique(days[inside], return_index=True)
    opening = minutes[inside][first]
    if not len(known) or (opening != OPEN_MINUTE + BAR_MINUTES).any():
        return False
    if (minutes[inside] == CLOSE_MINUTE).any():
        return True
    moment = _whole_seconds(datetime.now(timezone.utc) if now is None else now)
    if starts[-1] >= moment:
        return True
    raise errors.BarRowsError(
        source,
        "stamped_by_end",
        **named(inside & (minutes == OPEN_MINUTE + BAR_MINUTES), starts),
    )


def _outside(source: str, mask: NDArray[np.bool_], starts: DateArray) -> errors.BarRowsError:
    return errors.BarRowsError(source, "outside_session", detail=_SESSION, **named(mask, starts))


def _check_not_future(starts: DateArray, source: str, now: Moment | None) -> None:
    moment = _whole_seconds(datetime.now(timezone.utc) if now is None else now)
    latest = moment + np.timedelta64(timedelta(minutes=CLOCK_TOLERANCE_MINUTES))
    if (starts > latest).any():
        raise errors.FutureBarsError(
            source,
            today=f"{moment}Z",
            remedy="Write stamps with their offset, since those without one are read as UTC, and"
            " check the clock of this machine.",
            **named(starts > latest, starts),
        )


def _whole_seconds(now: Moment) -> np.datetime64:
    if isinstance(now, datetime) and now == now:
        now = now.replace(microsecond=0)
    elif isinstance(now, np.datetime64):
        try:
            now = now.astype("datetime64[s]")
        except (OverflowError, ValueError, TypeError) as error:
            raise ArgumentError(
                "now", shown(now), remedy="Give a moment with its offset, or leave it out."
            ) from error
    return as_date(now, "now", unit="s")
