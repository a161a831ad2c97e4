"""Bars: validated daily bars of an index, aligned with its volatility index.

The index's days rule. The volatility index is the last print at or before each of them, days that
the index lacks included, carried over at most three trading days; every carry is recorded.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, fields, replace
from datetime import date, datetime, timedelta, timezone
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aegismatrix import errors
from aegismatrix.errors import ArgumentError, printable, shown
from aegismatrix.market.arrays import (
    MAX_GIVEN,
    ONE_DAY,
    DateArray,
    Day,
    FloatArray,
    Published,
    Table,
    as_date,
    as_dates,
    as_floats,
    as_kind,
    as_rows,
    as_texts,
    as_whole,
    check_bar_shape,
    check_index_scale,
    check_lengths,
    check_positive,
    check_rising,
    named,
    oldest_first,
    read_only,
    source_named,
    whole_day,
)
from aegismatrix.market.market import NIFTY, Market, MarketField, market_named
from aegismatrix.market.prints import (
    PrintReport,
    check_late,
    check_not_ending_frozen,
    check_prints,
    look,
    without_placeholders,
)
from aegismatrix.market.sessions import (
    SessionReport,
    check_days,
    check_interval,
    check_print_days,
    check_reportable,
    compare,
    idle_rows,
    name_days,
)
from aegismatrix.market.thresholds import (
    IV_CARRY_TRADING_DAYS,
    MAX_GAP_CALENDAR_DAYS,
    MAX_IV_LOG_MOVE,
    MAX_IV_PERCENT,
    MIN_IV_PERCENT,
)
from aegismatrix.records import dataclass

if TYPE_CHECKING:
    import pandas as pd

    from aegismatrix.market.permits import Permit

Files = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
"""The path of a file, or those of the parts of one series."""

# By market: what Yahoo calls the index and its volatility index.
_TICKERS: Mapping[str, tuple[str | None, str | None]] = {"nifty": ("^NSEI", "^INDIAVIX")}


@dataclass(frozen=True)
class IvFill:
    """A day (ISO 8601) whose iv is an earlier print: it had none of its own, or a placeholder."""

    date: str
    printed_on: str
    trading_days: int

    def __post_init__(self) -> None:
        for name in ("date", "printed_on"):
            object.__setattr__(self, name, str(whole_day(getattr(self, name))))
        days = as_whole(self.trading_days, "trading_days", least=1, most=MAX_GIVEN)
        object.__setattr__(self, "trading_days", days)


@dataclass(frozen=True, eq=False, repr=False)
class Bars(Published):
    """Daily bars, oldest first; an instance that exists is valid.

    Make one with `from_csv`, `from_frames` or `from_arrays`. A slice (``bars[-300:]``) is again
    `Bars`, and is not refused for what the whole was allowed. What a report on the last bar needs
    besides is checked by `check_reportable`; `docs/bars.md` says what is checked where.

    Attributes
    ----------
    dates : ndarray of shape (T,), datetime64[D]
        Exchange dates, strictly rising.
    high, low, close : ndarray of shape (T,), float64
        Index points.
    iv : ndarray of shape (T,), float64
        The volatility index at its close, in per cent a year.
    open : ndarray of shape (T,), float64, or None
        Index points as given, NaN where unknown; no model uses it.
    market : Market
        Whose bars these are; a name of one is taken too.
    source : str
        Where they came from.
    iv_fills : tuple of IvFill
        The days whose iv was carried forward.
    permits : tuple of Permit
        Real exceptions to what bars have to be; given as ``KIND:DATE`` too.
    reading_notes : tuple of str
        What was done to read them that their rows do not show, such as rows turned round.

    Examples
    --------
    >>> import aegismatrix as am
    >>> bars = am.sample_bars()
    >>> len(bars), str(bars.dates[-1]), float(bars.close[-1])
    (1257, '2018-12-31', 2506.85)
    >>> bars[-300:]
    Bars(300 of 'other' from sp500_daily.csv, 2017-10-20 to 2018-12-31, close 2506.85, iv 25.42 %)
    """

    dates: DateArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    iv: FloatArray
    open: FloatArray | None = None
    market: MarketField = MarketField()
    source: str = "arrays"
    iv_fills: tuple[IvFill, ...] = field(default=())
    permits: tuple[Permit, ...] = field(default=())
    reading_notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        object.__setattr__(self, "source", source_named(self.source))
        object.__setattr__(self, "iv_fills", _fills_of(self.iv_fills))
        notes = as_texts(self.reading_notes, "reading_notes")
        object.__setattr__(self, "reading_notes", tuple(map(printable, notes)))
        object.__setattr__(self, "permits", _permits_of(self.permits))
        object.__setattr__(self, "dates", read_only(as_dates(self.dates, self.source)))
        for name in ("high", "low", "close", "iv", "open"):
            values = getattr(self, name)
            if name != "open" or values is not None:
                object.__setattr__(self, name, read_only(as_floats(values, self.source, name)))
        check_lengths(self._arrays())
        if not len(self.dates):
            raise errors.EmptyBarsError(self.source)
        check_rising(self.dates, self.source)
        for name in ("high", "low", "close", "iv"):
            check_positive(getattr(self, name), self.dates, self.source, name)
        check_index_scale(self.close, self.dates, self.source)
        check_bar_shape(self.high, self.low, {"close": self.close}, self.dates, self.source)
        _check_iv_scale(self.iv, self.dates, self.source)
        check_interval(self.dates, self.source)
        _check_gaps(self.dates, self.source)
        check_days(self.dates, self.days, self.permits, self.source, self.close)
        check_prints(
            self.dates,
            self.prints,
            self._printed,
            self.permits,
            self.market.circuit_breaker,
            self.source,
        )

    @cached_property
    def days(self) -> SessionReport:
        """The bars held against the exchange's calendar."""
        idle = idle_rows(self.high, self.low, self.close)
        return compare(self.dates, self.market.calendar, idle)

    @cached_property
    def prints(self) -> PrintReport:
        """The rows that no market shows."""
        return look(
            self.dates,
            self.high,
            self.low,
            self.close,
            self.iv,
            self._printed,
            self.market.circuit_breaker,
        )

    @property
    def last_session(self) -> date:
        """The day of the last bar that shows a session: a row filled forward is none."""
        idle = {*self.days.flat}
        traded = next((day for day in self.dates[::-1] if day not in idle), self.dates[-1])
        last: date = traded.item()
        return last

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of these bars beside whatever is made of them."""
        filled = tuple(np.datetime64(fill.date) for fill in self.iv_fills)
        of_iv = f"Days without a print of the volatility index of their own: {name_days(filled)}."
        return (
            *self.reading_notes,
            *self.days.notes,
            *self.prints.notes,
            *((of_iv,) if filled else ()),
        )

    def check_reportable(self) -> None:
        """Refuse bars that cannot carry a report on the last of them.

        Raises
        ------
        MissingSessionsError
            If one of the five sessions before the last bar is missing, or more than eight of the
            252 before it.
        UnexpectedSessionsError
            If one of the last five bars is of a day without a session, and shows no trade.
        FrozenBarsError, BarRowsError
            If the last rows of the index, or of its volatility index, stand still, or one of the
            last five does.
        SpikeError
            If one of the last five rows moves beyond the market's circuit breaker.

        Examples
        --------
        >>> import aegismatrix as am
        >>> am.sample_bars().check_reportable()
        """
        calendar = self.market.calendar
        check_reportable(self.dates, self.days, calendar, self.permits, self.source)
        check_not_ending_frozen(self.dates, self.prints, self._printed, self.permits)
        breaker = self.market.circuit_breaker
        check_late(self.dates, self.prints, self.permits, breaker, self.source)

    @classmethod
    def from_arrays(
        cls,
        dates: ArrayLike,
        high: ArrayLike,
        low: ArrayLike,
        close: ArrayLike,
        iv: ArrayLike,
        *,
        open: ArrayLike | None = None,  # noqa: A002
        iv_dates: ArrayLike | None = None,
        iv_low: ArrayLike | None = None,
        market: Market | str = NIFTY,
        source: str = "arrays",
        start: Day | None = None,
        end: Day | None = None,
        today: Day | None = None,
        permit: Permit | str | Iterable[Permit | str] = (),
    ) -> Bars:
        """Make bars from arrays.

        Parameters
        ----------
        dates : array-like of shape (T,)
            datetime64, dates or ISO strings, rising.
        high, low, close, open : array-like of shape (T,)
            Index points.
        iv : array-like of shape (T,) or (V,)
            Volatility index in per cent a year: 13.5, not 0.135.
        iv_dates : array-like of shape (V,), optional
            The volatility index's own days; without them `iv` belongs to `dates`.
        iv_low : array-like of shape (T,) or (V,), optional
            The volatility index's lows, where they are known: a low of 0 beside the close of the
            day before is a placeholder and no print.
        market : Market or str
            Whose bars these are: ``'nifty'``, ``'other'``, or a `Market` of your own. On its clock,
            where that is known, stamps with a UTC offset are read; otherwise their date is taken as
            it is written.
        source : str
            What to call them in messages and reports.
        start, end : date-like, optional
            Keep only the days from `start` to `end`, both included.
        today : date-like, optional
            No bar may be later; by default the latest date anywhere on Earth.
        permit : Permit, str, or iterable of them
            Real exceptions, such as ``"missing:2026-01-15"``.

        Raises
        ------
        BarsError
            One of its children, naming rows and remedy.
        MarketError
            If there is no such market.

        Examples
        --------
        >>> import aegismatrix as am
        >>> days = ["2024-01-02", "2024-01-03"]
        >>> high, low, close = [21756, 21678], [21555, 21500], [21666, 21517]
        >>> am.Bars.from_arrays(days, high, low, close, iv=[14.6, 14.1])
        Bars(2 of 'nifty' from arrays, 2024-01-02 to 2024-01-03, close 21517, iv 14.1 %)
        """
        market, source = market_named(market), source_named(source)
        columns = {"high": high, "low": low, "close": close}
        if open is not None:
            columns["open"] = open
        index = Table(
            source,
            as_dates(dates, source, market.clock),
            {name: as_floats(values, source, name) for name, values in columns.items()},
        )
        iv_source = f"iv of {source}"
        iv_days = index.dates if iv_dates is None else as_dates(iv_dates, iv_source, market.clock)
        prices = {"iv": as_floats(iv, iv_source, "iv")}
        if iv_low is not None:
            prices["low"] = as_floats(iv_low, iv_source, "low")
        prints = Table(iv_source, iv_days, prices)
        return cls._join(index, prints, market, source, start, end, today, permit)

    @classmethod
    def from_csv(
        cls,
        index: Files,
        *,
        iv: Files,
        market: Market | str = NIFTY,
        date_format: str | None = None,
        tickers: tuple[str, str] | None = None,
        start: Day | None = None,
        end: Day | None = None,
        today: Day | None = None,
        permit: Permit | str | Iterable[Permit | str] = (),
    ) -> Bars:
        """Make bars from CSV files.

        Parameters
        ----------
        index : path-like, or sequence of them
            Columns date, high, low, close and, where known, open, in any order and case. Several
            files are the parts of one series, such as its years; rows that they share must be
            equal. A file that is newest first throughout is turned round.
        iv : path-like, or sequence of them
            Columns date and close: the volatility index in per cent.
        date_format : str, optional
            How dates are written, as for `datetime.strptime`; needed for forms like 03/04/2024.
        tickers : (str, str), optional
            Of the index and of the volatility index, where a download has the columns of several;
            by default those that Yahoo has for NIFTY, for no other market.
        market, start, end, today, permit
            As for `from_arrays`.

        Raises
        ------
        BarsError
            One of its children, naming file, rows and remedy.
        MarketError
            If there is no such market.

        Examples
        --------
        >>> import aegismatrix as am
        >>> am.Bars.from_csv("sp500.csv", iv="vix.csv", market="other", start="2018-01-01")
        Bars(251 of 'other' from sp500.csv, 2018-01-02 to 2018-12-31, close 2506.85, iv 25.42 %)
        """
        from aegismatrix.market.readers import name_of, read_csv

        market = market_named(market)
        index_ticker, iv_ticker = _tickers_of(tickers, market)
        return cls._join(
            read_csv(
                index,
                required=("high", "low", "close"),
                optional=("open",),
                date_format=date_format,
                clock=market.clock,
                ticker=index_ticker,
            ),
            read_csv(
                iv,
                required=("iv",),
                optional=("open", "low"),
                date_format=date_format,
                clock=market.clock,
                ticker=iv_ticker,
            ),
            market,
            source_named(name_of(index)),
            start,
            end,
            today,
            permit,
        )

    @classmethod
    def from_frames(
        cls,
        index: pd.DataFrame | Any,
        iv: pd.DataFrame | pd.Series[Any] | Any,
        *,
        market: Market | str = NIFTY,
        source: str = "frame",
        tickers: tuple[str, str] | None = None,
        start: Day | None = None,
        end: Day | None = None,
        today: Day | None = None,
        permit: Permit | str | Iterable[Permit | str] = (),
    ) -> Bars:
        """Make bars from frames of pandas (extra ``frames``) or Polars, or from Arrow tables.

        Parameters
        ----------
        index : DataFrame or Table
            A column of dates, or in pandas a DatetimeIndex, naive or tz-aware; high, low, close
            and, where known, open.
        iv : DataFrame, Table or Series
            The volatility index's close, in per cent; a series of pandas alone. One frame that has
            the columns of both tickers is given twice.
        tickers : (str, str), optional
            As for `from_csv`.
        market, source, start, end, today, permit
            As for `from_arrays`.

        Raises
        ------
        MissingExtraError
            If pandas is not installed, and the frame is of no other library that is known.
        BarsError, MarketError
            As for `from_arrays`.

        Examples
        --------
        >>> import pandas as pd
        >>> import aegismatrix as am
        >>> index, iv = pd.read_csv("sp500.csv"), pd.read_csv("vix.csv")
        >>> len(am.Bars.from_frames(index, iv, market="other"))
        1257
        """
        from aegismatrix.market.readers import read_frame

        market, source = market_named(market), source_named(source)
        index_ticker, iv_ticker = _tickers_of(tickers, market)
        return cls._join(
            read_frame(
                index,
                source=source,
                required=("high", "low", "close"),
                optional=("open",),
                clock=market.clock,
                ticker=index_ticker,
            ),
            read_frame(
                iv,
                source=f"iv of {source}",
                required=("iv",),
                optional=("open", "low"),
                clock=market.clock,
                ticker=iv_ticker,
            ),
            market,
            source,
            start,
            end,
            today,
            permit,
        )

    @classmethod
    def _join(
        cls,
        index: Table,
        prints: Table,
        market: Market,
        source: str,
        start: Day | None,
        end: Day | None,
        today: Day | None,
        permit: Permit | str | Iterable[Permit | str],
    ) -> Bars:
        permits = _permits_of(permit)
        for table in (index, prints):
            check_lengths({"date": table.dates, **table.columns})
            if not len(table.dates):
                raise errors.EmptyBarsError(table.source)
        index, prints = oldest_first(index, source), oldest_first(prints, f"iv of {source}")
        for table in (index, prints):
            check_rising(table.dates, table.source)
            _check_not_future(table, today)
        known_days = index.dates
        index = _between(index, start, end)
        # Prints before `start` still serve its first days.
        prints = _between(prints, None, end)
        for table, bounds in ((index, (start, end)), (prints, (None, end))):
            if not len(table.dates):
                named = zip(("from", "to"), bounds, strict=True)
                cut = " ".join(f"{word} {day}" for word, day in named if day is not None)
                raise errors.EmptyBarsError(f"{table.source}, cut {cut},")
        # Weekly bars, or those of another market, lack prints too: that is not what is wrong.
        check_interval(index.dates, index.source)
        days = compare(index.dates, market.calendar)
        check_days(index.dates, days, permits, index.source, index.columns["close"])
        prints = without_placeholders(prints)
        check_positive(prints.columns["iv"], prints.dates, prints.source, "iv")
        _check_iv_scale(prints.columns["iv"], prints.dates, prints.source)
        serves = prints.dates >= index.dates[0]
        check_print_days(
            prints.dates[serves],
            prints.columns["iv"][serves],
            market.calendar,
            permits,
            prints.source,
        )
        iv, fills = _last_prints(index.dates, prints.dates, prints.columns["iv"], known_days)
        return cls(
            dates=index.dates,
            high=index.columns["high"],
            low=index.columns["low"],
            close=index.columns["close"],
            open=index.columns.get("open"),
            iv=iv,
            market=market,
            source=source,
            iv_fills=fills,
            permits=permits,
            reading_notes=(*index.notes, *prints.notes),
        )

    @classmethod
    def from_yahoo(
        cls,
        index: str = "^NSEI",
        iv: str = "^INDIAVIX",
        *,
        market: Market | str | None = None,
        start: Day | None = None,
        allow_stale: timedelta | None = None,
        permit: Sequence[Permit | str] = (),
    ) -> Bars:
        """Fetch bars from Yahoo, by way of its cache on this machine (extra ``yahoo``).

        A last session that is under way is the last bar, as far as it has come; what the fetch had
        to say is in `notes`.

        Parameters
        ----------
        index, iv : str
            Symbols, NIFTY 50 and India VIX by default.
        market : Market or str, optional
            Whose bars these are; by default ``'nifty'`` for ``^NSEI`` alone, else ``'other'``.
        start : date-like, optional
            First day; by default 2015-01-01.
        allow_stale : timedelta, optional
            How old bars of the cache may be that stand in where a fetch fails.
        permit : sequence of Permit or str
            As for `from_arrays`.

        Raises
        ------
        MissingExtraError
            If a package of the extra ``yahoo`` is not installed.
        AegisError
            A child of it, if nothing could be fetched, or what was fetched are no valid bars.

        Examples
        --------
        >>> import aegismatrix as am
        >>> am.Bars.from_yahoo("^GSPC", "^VIX").market.name  # doctest: +SKIP
        'other'
        """
        # The package's public name: this room stands below the desk, which knows Yahoo.
        from aegismatrix import bars_from_yahoo

        return bars_from_yahoo(
            index, iv, market=market, start=start, allow_stale=allow_stale, permit=permit
        )

    def __len__(self) -> int:
        return len(self.dates)

    def __contains__(self, day: object) -> bool:
        return bool((self.dates == whole_day(day)).any())

    def __getitem__(self, rows: slice) -> Bars:
        try:
            if not isinstance(rows, slice) or rows.step not in (None, 1):
                raise TypeError("no slice without a step")
            dates = self.dates[rows]
        except Exception as error:
            # The ends of a slice may be anything.
            raise ArgumentError(
                "a cut of Bars",
                shown(rows),
                remedy="Bars take slices without a step, such as bars[-300:].",
            ) from error
        if not len(dates):
            raise errors.EmptyBarsError(self.source)
        kept = set(dates.astype(str).tolist()) if self.iv_fills else set()
        cut: dict[str, Any] = {
            **{one.name: self.__dict__[one.name] for one in fields(self)},
            **{name: read_only(values[rows]) for name, values in self._arrays().items()},
            "dates": read_only(dates),
            "iv_fills": tuple(fill for fill in self.iv_fills if fill.date in kept),
        }
        # Valid as the whole is: a part must not be refused for what the whole was allowed.
        part = object.__new__(type(self))
        part.__dict__.update({one.name: cut[one.name] for one in fields(self)})
        return part

    def __repr__(self) -> str:
        return (
            f"Bars({len(self)} of {self.market.name!r} from {self.source}, {self.dates[0]} to"
            f" {self.dates[-1]}, close {self.close[-1]:g}, iv {self.iv[-1]:g} %)"
        )

    def digest(self) -> str:
        """Hash what a model sees, dates, high, low, close and iv: the sha256 in hexadecimal.

        Examples
        --------
        >>> import aegismatrix as am
        >>> am.sample_bars().digest()[:16]
        '5bdab8cf3f6aadf8'
        """
        sha256 = hashlib.sha256()
        sha256.update(np.ascontiguousarray(self.dates.astype("<M8[D]")).tobytes())
        for values in (self.high, self.low, self.close, self.iv):
            sha256.update(np.ascontiguousarray(values.astype("<f8")).tobytes())
        return sha256.hexdigest()

    @property
    def _printed(self) -> NDArray[np.bool_]:
        """Which rows have a print of the volatility index of their own."""
        filled = np.array([fill.date for fill in self.iv_fills], dtype="datetime64[D]")
        printed: NDArray[np.bool_] = ~np.isin(self.dates, filled)
        return printed

    def _arrays(self) -> dict[str, FloatArray | DateArray]:
        arrays: dict[str, FloatArray | DateArray] = {"date": self.dates}
        for name in ("high", "low", "close", "iv", "open"):
            if getattr(self, name) is not None:
                arrays[name] = getattr(self, name)
        return arrays


def _check_not_future(table: Table, today: Day | None) -> None:
    # The date is latest at UTC+14, anywhere else it is that or the day before.
    if today is None:
        today = (datetime.now(timezone.utc) + timedelta(hours=14)).date()
    latest = _day(today)
    if (table.dates > latest).any():
        late = named(table.dates > latest, table.dates)
        raise errors.FutureBarsError(table.source, today=str(latest), **late)


def _check_iv_scale(iv: FloatArray, dates: DateArray, source: str) -> None:
    for wrong, what, remedy in (
        (
            iv < MIN_IV_PERCENT,
            f"{source}: iv is below {MIN_IV_PERCENT:g} %, which looks like a fraction, in",
            "Give per cent a year, as published: 13.5, not 0.135.",
        ),
        (
            iv > MAX_IV_PERCENT,
            f"{source}: iv is above {MAX_IV_PERCENT:g} %, which looks like basis points or like an"
            " index, in",
            "Give per cent a year, as published; check that index and iv are not swapped.",
        ),
        (
            np.abs(np.diff(np.log(iv), prepend=np.log(iv[0]))) > MAX_IV_LOG_MOVE,
            f"{source}: iv changes more than fivefold between two prints, a change of unit, in",
            "Give one unit throughout, per cent a year.",
        ),
    ):
        if wrong.any():
            rows = named(wrong, dates)
            seen = float(iv[rows["rows"][0]])
            raise errors.ScaleError("iv", seen=seen, what=what, remedy=remedy, **rows)


def _check_gaps(dates: DateArray, source: str) -> None:
    gaps = np.diff(dates.astype(np.int64), prepend=dates[:1].astype(np.int64))
    holes = gaps > MAX_GAP_CALENDAR_DAYS
    if holes.any():
        raise errors.CalendarGapError(
            source, limit_days=MAX_GAP_CALENDAR_DAYS, **named(holes, dates)
        )


def _tickers_of(tickers: object, market: Market) -> tuple[str | None, str | None]:
    """The tickers given, or those that Yahoo has for the market."""
    if tickers is None:
        return _TICKERS.get(market.name) or (None, None)
    return tickers_of(tickers)


def tickers_of(tickers: object) -> tuple[str, str]:
    """Return the tickers of an index and of its volatility index; ArgumentError for others."""
    remedy = "Give those of the index and of its volatility index, such as ('^NSEI', '^INDIAVIX')."
    given = as_texts(tickers, "tickers", remedy)
    if len(given) != 2:
        raise ArgumentError("tickers", shown(given), remedy=remedy)
    return given[0], given[1]


def _fills_of(given: object) -> tuple[IvFill, ...]:
    if type(given) is tuple and not given:
        return ()
    remedy = "Leave them out; Bars.from_arrays(..., iv_dates=...) finds them."
    fills = as_rows(given, "iv_fills", remedy)
    return tuple(as_kind(one, IvFill, "iv_fills", remedy) for one in fills)


def _permits_of(given: Permit | str | Iterable[Permit | str]) -> tuple[Permit, ...]:
    if isinstance(given, tuple) and not given:
        return ()
    # Few bars need one, and a prediction loads no more than it needs.
    from aegismatrix.market.permits import permits_of

    return permits_of(given)


def _day(day: Day) -> np.datetime64:
    return as_date(day, "start, end or today")


def _between(table: Table, start: Day | None, end: Day | None) -> Table:
    kept = np.ones(len(table.dates), dtype=bool)
    if start is not None:
        kept &= table.dates >= _day(start)
    if end is not None:
        kept &= table.dates <= _day(end)
    columns = {name: values[kept] for name, values in table.columns.items()}
    return replace(table, dates=table.dates[kept], columns=columns)


def _last_prints(
    dates: DateArray, print_dates: DateArray, iv: FloatArray, trading_days: DateArray
) -> tuple[FloatArray, tuple[IvFill, ...]]:
    place = np.searchsorted(print_dates, dates, side="right") - 1
    printed_on = print_dates[np.maximum(place, 0)]
    # Counted on all days of the index: a cut must not make a print younger.
    carried = np.searchsorted(trading_days, dates, side="right") - np.searchsorted(
        trading_days, printed_on, side="right"
    )
    stale = printed_on < trading_days[0] - MAX_GAP_CALENDAR_DAYS * ONE_DAY
    unknown = (place < 0) | (carried > IV_CARRY_TRADING_DAYS) | stale
    if unknown.any():
        raise errors.IvUnavailableError(carry_days=IV_CARRY_TRADING_DAYS, **named(unknown, dates))
    fills = tuple(
        IvFill(str(dates[row]), str(printed_on[row]), int(carried[row]))
        for row in np.flatnonzero(printed_on != dates)
    )
    return iv[place], fills
