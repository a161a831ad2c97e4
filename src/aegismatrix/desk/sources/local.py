"""Sources that are at hand: CSV files, frames and the embedded sample."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, get_args

from aegismatrix.desk.sources.fetched import Fetched, utc_now
from aegismatrix.desk.sources.sample import sample_bars
from aegismatrix.errors import printable
from aegismatrix.market.arrays import Day, as_choice, as_date, as_text
from aegismatrix.market.bars import Bars, Files, tickers_of
from aegismatrix.market.intraday import IntradayBars, Stamps
from aegismatrix.market.market import MarketField
from aegismatrix.market.permits import Permit, permits_of
from aegismatrix.market.readers import paths_of
from aegismatrix.market.sheets import path_text
from aegismatrix.records import dataclass

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class CsvSource:
    """CSV files, read anew at every fetch.

    Attributes
    ----------
    index, iv : path-like, or sequence of them
        Daily bars and their volatility index, as `Bars.from_csv` reads them.
    market : Market
        Whose bars these are; a name of one is taken too.
    intraday : path-like, optional
        Five-minute bars, as `IntradayBars.from_csv` reads them.
    stamps : {'start', 'end'}, optional
        What the stamps of the five-minute bars are of; by default recognised.
    date_format, start, end
        As for `Bars.from_csv`; they do not concern the five-minute bars.
    permit, tickers
        As for `Bars.from_csv`.

    Examples
    --------
    >>> import aegismatrix as am
    >>> source = am.CsvSource("sp500.csv", "vix.csv", market="other")
    >>> source.description
    'CSV files sp500.csv, vix.csv'
    """

    index: Files
    iv: Files
    market: MarketField = MarketField()
    intraday: str | os.PathLike[str] | None = None
    stamps: Stamps | None = None
    date_format: str | None = None
    start: Day | None = None
    end: Day | None = None
    permit: Sequence[Permit | str] = ()
    tickers: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        for name in ("index", "iv"):
            # As it was given, but for a list, which its owner may still change.
            given = getattr(self, name)
            paths = paths_of(given)
            object.__setattr__(self, name, paths if isinstance(given, list | tuple) else paths[0])
        if self.intraday is not None:
            object.__setattr__(self, "intraday", path_text(self.intraday))
        if self.stamps is not None:
            object.__setattr__(self, "stamps", as_choice(self.stamps, get_args(Stamps), "stamps"))
        if self.date_format is not None:
            object.__setattr__(self, "date_format", as_text(self.date_format, "date_format"))
        for name in ("start", "end"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, str(as_date(getattr(self, name), name)))
        object.__setattr__(self, "permit", permits_of(self.permit))
        if self.tickers is not None:
            object.__setattr__(self, "tickers", tickers_of(self.tickers))

    @property
    def description(self) -> str:
        """The files' paths."""
        paths = [*paths_of(self.index), *paths_of(self.iv)]
        if self.intraday is not None:
            paths.append(path_text(self.intraday))
        return printable(f"CSV files {', '.join(paths)}")

    def fetch(self) -> Fetched:
        """Read the files.

        Returns
        -------
        Fetched
            Taken now: how old a file's content is shows in its last bar.

        Raises
        ------
        BarsError
            One of its children, naming file, rows and remedy.

        Examples
        --------
        >>> import aegismatrix as am
        >>> len(am.CsvSource("sp500.csv", "vix.csv", market="other").fetch().bars)
        1257
        """
        now = utc_now()
        bars = Bars.from_csv(
            self.index,
            iv=self.iv,
            market=self.market,
            date_format=self.date_format,
            start=self.start,
            end=self.end,
            permit=self.permit,
            tickers=self.tickers,
        )
        intraday = None
        if self.intraday is not None:
            intraday = IntradayBars.from_csv(self.intraday, stamps=self.stamps)
        return Fetched(bars, intraday, now)


@dataclass(frozen=True, eq=False)
class FrameSource:
    """Frames of pandas (extra ``frames``) or Polars, or Arrow tables, checked at every fetch.

    Attributes
    ----------
    index, iv : DataFrame, or Series for `iv`
        Daily bars and their volatility index, as `Bars.from_frames` reads them.
    market : Market
        Whose bars these are; a name of one is taken too.
    intraday : DataFrame, optional
        Five-minute bars, as `IntradayBars.from_frame` reads them.
    name : str
        What to call them in messages and reports.
    permit : sequence of Permit or str
        As for `Bars.from_frames`.
    """

    index: pd.DataFrame | Any
    iv: pd.DataFrame | pd.Series[Any] | Any
    market: MarketField = MarketField()
    intraday: pd.DataFrame | Any | None = None
    name: str = "frame"
    permit: Sequence[Permit | str] = ()

    @property
    def description(self) -> str:
        """The frames' name and lengths."""
        return f"frames {self.name}: {len(self.index)} rows, {len(self.iv)} of iv"

    def fetch(self) -> Fetched:
        """Read the frames.

        Returns
        -------
        Fetched
            Taken now.

        Raises
        ------
        MissingExtraError
            If pandas is not installed.
        BarsError
            One of its children, naming rows and remedy.
        """
        now = utc_now()
        bars = Bars.from_frames(
            self.index, self.iv, market=self.market, source=self.name, permit=self.permit
        )
        intraday = None
        if self.intraday is not None:
            intraday = IntradayBars.from_frame(self.intraday, source=self.name)
        return Fetched(bars, intraday, now)


@dataclass(frozen=True)
class SampleSource:
    """The embedded sample: real bars of another market, for trying things out."""

    @property
    def description(self) -> str:
        """What the sample is."""
        return "embedded sample: S&P 500 with the Cboe VIX, 2014 to 2018"

    def fetch(self) -> Fetched:
        """Read the sample.

        Returns
        -------
        Fetched
            Without five-minute bars; its notes say that it proves no skill.
        """
        note = "The sample is of another market and part of what the models were trained on."
        return Fetched(sample_bars(), None, utc_now(), notes=(note,))
