"""Bars from Yahoo, through yfinance and a local cache (extra ``yahoo``)."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from datetime import date, datetime, timedelta, timezone

import numpy as np
from numpy.typing import NDArray

from aegismatrix.desk.errors import SourceError
from aegismatrix.desk.sources.cache import PriceCache, Stored, cache_folder
from aegismatrix.desk.sources.feed import ask_yahoo
from aegismatrix.desk.sources.fetched import Fetched, age_in_words, utc_now
from aegismatrix.desk.sources.patience import Attempt, Patience
from aegismatrix.desk.sources.prices import COLUMNS, Interval, Prices
from aegismatrix.desk.sources.refresh import refresh
from aegismatrix.errors import ArgumentError, BarsError, shown
from aegismatrix.market.arrays import DateArray, Day, as_date, as_kind, as_text, as_truth
from aegismatrix.market.bars import Bars
from aegismatrix.market.intraday import BAR_MINUTES, MARKET, IntradayBars
from aegismatrix.market.market import OTHER, Market, market_named
from aegismatrix.market.permits import Permit, permits_of
from aegismatrix.market.sheets import path_text
from aegismatrix.market.thresholds import MAX_GAP_CALENDAR_DAYS
from aegismatrix.records import dataclass

_LOG = logging.getLogger(__name__)

NIFTY_SYMBOL, INDIA_VIX_SYMBOL = "^NSEI", "^INDIAVIX"
"""NIFTY 50 and India VIX, as Yahoo names them."""

FIRST_DAY = date(2015, 1, 1)
"""The default beginning of the daily history: enough for every rate that a report measures."""

INTRADAY_DAYS = 58
"""Yahoo refuses five-minute bars that are older than 60 days."""

_PROVIDER = "yahoo"
_SYMBOL = re.compile(r"[\x21-\x7e]{1,30}")


@dataclass(frozen=True)
class YahooSource:
    """An index and its volatility index from Yahoo.

    Attributes
    ----------
    index, iv : str
        Symbols, NIFTY 50 and India VIX by default; ``^GSPC`` and ``^VIX`` are another pair.
    market : Market or str, optional
        Whose bars these are; by default ``'nifty'`` for ``^NSEI`` alone, else ``'other'``.
    start : date
        First day of the daily bars.
    intraday : bool, optional
        Whether to fetch five-minute bars as well, which are read in the session of NIFTY; by
        default where `market` has the same hours.
    cached : bool
        Whether to keep what was fetched and fetch only what is new.
    cache_dir : path-like, optional
        The cache's folder; by default the one that AEGISMATRIX_CACHE names, else the platform's.
    allow_stale : timedelta, optional
        If a fetch fails, take bars from the cache that were fetched at most this long ago, and say
        so. By default a failed fetch is an error.
    permit : sequence of Permit or str
        As for `Bars.from_arrays`.
    patience : Patience
        How long and how often to try.
    clock : callable
        The time, aware; tests give their own.

    Raises
    ------
    ArgumentError
        For five-minute bars of another market, `allow_stale` without a cache, or a field that is
        none of these.

    Examples
    --------
    >>> import aegismatrix as am
    >>> source = am.YahooSource("^GSPC", "^VIX")
    >>> source.description, source.market.name
    ('Yahoo ^GSPC with ^VIX', 'other')
    """

    index: str = NIFTY_SYMBOL
    iv: str = INDIA_VIX_SYMBOL
    market: Market | str | None = None
    start: date = FIRST_DAY
    intraday: bool | None = None
    cached: bool = True
    cache_dir: str | os.PathLike[str] | None = None
    allow_stale: timedelta | None = None
    permit: Sequence[Permit | str] = ()
    patience: Patience = field(default_factory=Patience)
    clock: Callable[[], datetime] = field(default=utc_now, repr=False)

    def __post_init__(self) -> None:
        for name in ("index", "iv"):
            # yfinance asks in capitals, and the cache must not keep a symbol twice.
            object.__setattr__(self, name, _symbol(getattr(self, name), name))
        object.__setattr__(self, "start", date.fromisoformat(str(as_date(self.start, "start"))))
        object.__setattr__(self, "cached", as_truth(self.cached, "cached"))
        if self.intraday is not None:
            object.__setattr__(self, "intraday", as_truth(self.intraday, "intraday"))
        if self.cache_dir is not None:
            object.__setattr__(self, "cache_dir", _folder(self.cache_dir))
        if self.allow_stale is not None:
            _check_age(self.allow_stale)
        object.__setattr__(self, "permit", permits_of(self.permit))
        as_kind(self.patience, Patience, "patience", "Give a Patience, or leave it out.")
        if not callable(self.clock):
            raise ArgumentError("clock", shown(self.clock), remedy="Leave it out.")
        of_symbol = MARKET if self.index == NIFTY_SYMBOL else OTHER
        market = of_symbol if self.market is None else market_named(self.market)
        object.__setattr__(self, "market", market)
        if self.intraday is None:
            object.__setattr__(self, "intraday", market.hours == MARKET.hours)
        if self.intraday and market.hours != MARKET.hours:
            raise ArgumentError(
                "intraday",
                f"True for the market {market.name!r}",
                remedy="Leave it out: five-minute bars are read in the session of NIFTY alone.",
            )
        if self.allow_stale is not None and not self.cached:
            raise ArgumentError(
                "allow_stale",
                "given without a cache",
                remedy="Leave it out, or keep what is fetched: cached=True.",
            )

    @property
    def description(self) -> str:
        """The symbols."""
        return f"Yahoo {self.index} with {self.iv}"

    def fetch(self) -> Fetched:
        """Fetch what is new, and return daily and, where wanted, five-minute bars.

        Returns
        -------
        Fetched
            A last session that is under way is the last bar, as far as it has come.

        Raises
        ------
        MissingExtraError
            If a package of the extra ``yahoo`` is not installed.
        SourceError
            If a fetch failed and `allow_stale` does not permit the cache.
        CacheError
            If the cache is damaged, unrecognised, busy or unusable.
        BarsError
            One of its children, if what was fetched are no valid bars.

        Examples
        --------
        >>> import aegismatrix as am
        >>> from datetime import timedelta
        >>> source = am.YahooSource(allow_stale=timedelta(hours=18))
        >>> fetched = source.fetch()  # doctest: +SKIP
        >>> fetched.freshness  # doctest: +SKIP
        'fetched 2025-11-26T11:00:00Z, last bar 2025-11-26'
        """
        attempt = self.patience.begin()
        try:
            return self._fetched(attempt, afresh=False)
        except BarsError as error:
            if not self.cached:
                raise
            # The fault may be in an old row that the provider has mended since.
            _LOG.warning("%s: %s Fetching everything again.", self.description, error.problem)
            return self._fetched(attempt, afresh=True)

    def _fetched(self, attempt: Attempt, *, afresh: bool) -> Fetched:
        now = self.clock().astimezone(timezone.utc)
        failures: dict[str, SourceError] = {}

        def take(symbol: str, interval: Interval, since: date) -> Stored:
            def ask(first: date) -> Prices:
                return ask_yahoo(symbol, interval, first, today=now.date(), attempt=attempt)

            if not self.cached:
                return Stored(ask(since), since, now)
            cache = PriceCache(cache_folder(self.cache_dir), _PROVIDER, symbol, interval)
            try:
                return refresh(
                    cache,
                    ask,
                    since=since,
                    now=now,
                    afresh=afresh,
                    sessions=_sessions(self.market, now) if interval == "1d" else None,
                )
            except SourceError as error:
                stored = self._permitted(cache, since, now)
                if stored is None:
                    raise
                failures[f"{symbol} {interval}"] = error
                return stored

        # A print of iv from before the first day still serves it.
        earlier = self.start - timedelta(days=MAX_GAP_CALENDAR_DAYS)
        index = take(self.index, "1d", self.start)
        iv = take(self.iv, "1d", earlier)
        parts = [index, iv]
        if self.intraday:
            first = now.date() - timedelta(days=INTRADAY_DAYS)
            parts.append(take(self.index, "5m", first))
        fetched_at = min(part.fetched_at for part in parts)
        stale_for = now - fetched_at if failures else None

        notes: list[str] = _failure_notes(failures, stale_for)
        bars = self._daily(index, iv, now, notes)
        intraday = self._five_minutes(parts[2].prices, now, notes) if self.intraday else None
        for note in notes:
            _LOG.info("%s: %s", self.description, note)
        return Fetched(bars, intraday, fetched_at, stale_for, tuple(notes))

    def _permitted(self, cache: PriceCache, since: date, now: datetime) -> Stored | None:
        if self.allow_stale is None:
            return None
        stored = cache.read()
        if stored is None or (cache.interval == "1d" and stored.since > since):
            return None
        age = now - stored.fetched_at
        # A cache from the future says that one of the clocks was wrong, and so not how old it is.
        if timedelta(0) <= age <= self.allow_stale:
            return stored
        _LOG.warning("%s is %s old, which is not permitted.", cache.path, age_in_words(abs(age)))
        return None

    def _daily(self, stored: Stored, stored_iv: Stored, now: datetime, notes: list[str]) -> Bars:
        index = stored.prices.since(self.start)
        index = _without_blanks(index, ("high", "low", "close"), self.index, notes)
        iv = _without_blanks(stored_iv.prices, ("close",), self.iv, notes)
        for prices, symbol, of in ((index, self.index, stored), (iv, self.iv, stored_iv)):
            _check_end(prices, f"Yahoo {symbol} 1d", of.fetched_at.date())
        first = index.stamps[0].item()
        if first > self.start + timedelta(days=MAX_GAP_CALENDAR_DAYS):
            notes.append(f"{self.index} begins on {first}, later than asked ({self.start}).")
        last, last_iv = index.last_day(), iv.last_day()
        if last != last_iv:
            notes.append(
                f"The last bars are of different days: {self.index} {last}, {self.iv} {last_iv}."
            )
        assert self.market is not None
        return Bars.from_arrays(
            index.stamps,
            index.column("high"),
            index.column("low"),
            index.column("close"),
            iv.column("close"),
            open=index.column("open"),
            iv_dates=iv.stamps,
            iv_low=iv.column("low"),
            market=self.market,
            source=self.description,
            today=(now + timedelta(hours=14)).date(),
            permit=self.permit,
        )

    def _five_minutes(self, prices: Prices, now: datetime, notes: list[str]) -> IntradayBars:
        # Blank rows between others are left out and counted by IntradayBars.
        prices = _without_blank_end(prices, COLUMNS, f"{self.index} 5m", notes)
        if len(prices) and int(prices.stamps[-1].astype(np.int64)) % (60 * BAR_MINUTES):
            notes.append(
                f"{self.index} 5m: the last row, stamped {prices.stamps[-1]}Z with the last trade,"
                " was left out."
            )
            prices = prices.cut(slice(None, -1))
        if not len(prices):
            raise SourceError(f"Yahoo {self.index} 5m", "no_data", "every row is blank")
        columns = {name: prices.column(name) for name in COLUMNS}
        return IntradayBars.from_arrays(
            prices.stamps, **columns, source=f"Yahoo {self.index}", now=now, stamps="start"
        )


def _symbol(given: object, name: str) -> str:
    remedy = "Give a symbol as Yahoo writes it, such as '^NSEI'."
    symbol = as_text(given, name, remedy)
    if not _SYMBOL.fullmatch(symbol):
        raise ArgumentError(name, shown(symbol), remedy=remedy)
    return symbol.upper()


def _folder(given: object) -> str:
    folder = path_text(given)
    if "\0" in folder:
        raise ArgumentError("cache_dir", shown(folder), remedy="Give the path of a folder.")
    return folder


def _check_age(given: object) -> None:
    remedy = "Give a length of time, such as timedelta(hours=18)."
    if as_kind(given, timedelta, "allow_stale", remedy) < timedelta(0):
        raise ArgumentError("allow_stale", shown(given), remedy=remedy)


def _sessions(market: Market | str | None, now: datetime) -> DateArray | None:
    """The days that must have a bar by now, where the market's calendar is known."""
    if not isinstance(market, Market) or market.calendar is None:
        return None
    calendar = market.calendar
    today = market.trading_day(now)
    if today < calendar.first:
        return None
    return calendar.sessions(calendar.first, min(today, calendar.declared_to))


def _check_end(prices: Prices, source: str, asked_on: date) -> None:
    # The provider may have answered to the end, and with blank rows.
    if not len(prices):
        raise SourceError(source, "no_data", "every row is blank")
    last = prices.last_day()
    if (asked_on - last).days > MAX_GAP_CALENDAR_DAYS:
        raise SourceError(source, "ends_early", f"{last}, today is {asked_on}")


def _failure_notes(failures: Mapping[str, SourceError], stale_for: timedelta | None) -> list[str]:
    if stale_for is None:
        return []
    return [
        f"{name} is from the cache, up to {age_in_words(stale_for)} old, since its fetch failed:"
        f" {error.problem}"
        for name, error in failures.items()
    ]


def _without_blanks(
    prices: Prices, columns: tuple[str, ...], name: str, notes: list[str]
) -> Prices:
    prices = _without_blank_end(prices, columns, name, notes)
    blank = np.flatnonzero(_blank(prices, columns).all(axis=0))
    if not blank.size:
        return prices
    days = ", ".join(str(day) for day in prices.stamps[blank][-3:])
    notes.append(f"{name}: {blank.size} blank rows were left out, the last of them {days}.")
    return prices.cut(~np.isin(np.arange(len(prices)), blank))


def _without_blank_end(
    prices: Prices, columns: tuple[str, ...], name: str, notes: list[str]
) -> Prices:
    """Leave out last rows that are blank in any column: bars that are not there yet."""
    filled = np.flatnonzero(~_blank(prices, columns).any(axis=0))
    length = int(filled[-1]) + 1 if filled.size else 0
    for stamp in prices.stamps[length : length + 1]:
        rows = "row is" if len(prices) == length + 1 else f"{len(prices) - length} rows are"
        notes.append(f"{name}: the last {rows} blank, from {stamp} on, and left out.")
    return prices.cut(slice(None, length))


def _blank(prices: Prices, columns: tuple[str, ...]) -> NDArray[np.bool_]:
    blank: NDArray[np.bool_] = np.isnan(np.stack([prices.column(column) for column in columns]))
    return blank


def bars_from_yahoo(
    index: str = NIFTY_SYMBOL,
    iv: str = INDIA_VIX_SYMBOL,
    *,
    market: Market | str | None = None,
    start: Day | None = None,
    allow_stale: timedelta | None = None,
    permit: Sequence[Permit | str] = (),
) -> Bars:
    """Fetch daily bars, as `Bars.from_yahoo` does, which calls this.

    Parameters
    ----------
    index, iv, market, allow_stale, permit
        As for `YahooSource`.
    start : date-like, optional
        First day; by default 2015-01-01.

    Returns
    -------
    Bars
        What the fetch had to say is in their notes.

    Raises
    ------
    MissingExtraError, SourceError, CacheError, BarsError
        As for `YahooSource.fetch`.

    Examples
    --------
    >>> import aegismatrix as am
    >>> bars = am.bars_from_yahoo("^GSPC", "^VIX")  # doctest: +SKIP
    >>> bars.market.name  # doctest: +SKIP
    'other'
    """
    first = FIRST_DAY if start is None else date.fromisoformat(str(as_date(start, "start")))
    source = YahooSource(
        index,
        iv,
        market=market,
        start=first,
        intraday=False,
        allow_stale=allow_stale,
        permit=permit,
    )
    fetched = source.fetch()
    notes = (*fetched.notes, *fetched.bars.reading_notes)
    return replace(fetched.bars, reading_notes=notes)
