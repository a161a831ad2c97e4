"""Markets whose bars are fetched: kept as CSV, so that an export reads what training read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aegismatrix.desk.sources.fetched import BarSource
from aegismatrix.desk.sources.yahoo import YahooSource
from aegismatrix.market.bars import Bars
from aegismatrix_factory.evaluate.markets import MarketSource

# The days on which the committed models' bars begin: a walk-forward over a history that begins
# elsewhere differs from theirs on every day, whatever the method.
_FIRST_DAYS = {"nifty": date(2010, 7, 19), "sp500": date(2005, 4, 12)}


@dataclass(frozen=True)
class FetchedMarket:
    """A market whose bars are yet to be fetched.

    Attributes
    ----------
    name : str
        As for `MarketSource`.
    source : BarSource
        Where its bars come from.
    scored_from, scored_to : str, optional
        As for `MarketSource`.
    us : str, optional
        Name of the market, fetched with it, that closes in this one's night.
    """

    name: str
    source: BarSource
    scored_from: str | None = None
    scored_to: str | None = None
    us: str | None = None

    def store(self, folder: Path) -> MarketSource:
        """Fetch the bars and write them into a folder.

        Parameters
        ----------
        folder : Path
            Where the two CSV files are put.

        Returns
        -------
        MarketSource
            The files, with a record of where their content is from.

        Raises
        ------
        AegisError
            One of its children, if the fetch fails.
        OSError
            If the disk refuses.
        """
        fetched = self.source.fetch()
        bars = fetched.bars
        # The session of that day may have been under way; its high, low and close are not final.
        final = bars.dates < np.datetime64(fetched.fetched_at.date())
        stored = MarketSource(
            name=self.name,
            index=folder / f"{self.name}_index.csv",
            iv=folder / f"{self.name}_iv.csv",
            us_index=None if self.us is None else folder / f"{self.us}_index.csv",
            us_iv=None if self.us is None else folder / f"{self.us}_iv.csv",
            market=bars.market,
            scored_from=self.scored_from,
            scored_to=self.scored_to,
            origin={
                "source": self.source.description,
                "fetched_at": f"{fetched.fetched_at:%Y-%m-%dT%H:%M:%SZ}",
                "stale": fetched.stale_for is not None,
                "notes": list(fetched.notes),
            },
        )
        stored.index.write_text(_csv(bars, ("high", "low", "close"), final), encoding="utf-8")
        stored.iv.write_text(_csv(bars, ("iv",), final), encoding="utf-8")
        return stored


def yahoo_markets() -> tuple[FetchedMarket, ...]:
    """Return NIFTY, to model, and the S&P 500, its pool, as Yahoo has them, to the last full day.

    Returns
    -------
    tuple of FetchedMarket
        They begin and are scored from the same days as the committed models' bars.
    """
    return (
        FetchedMarket(
            "nifty",
            YahooSource(start=_FIRST_DAYS["nifty"], intraday=False),
            "2015-01-01",
            us="sp500",
        ),
        FetchedMarket(
            "sp500", YahooSource("^GSPC", "^VIX", start=_FIRST_DAYS["sp500"]), "2009-01-01"
        ),
    )


def _csv(bars: Bars, columns: Sequence[str], final: NDArray[np.bool_]) -> str:
    """Write floats as they read back, to the last bit."""
    values = np.column_stack([getattr(bars, column) for column in columns])[final].tolist()
    days = bars.dates[final].astype(str).tolist()
    rows = [",".join([day, *map(repr, row)]) for day, row in zip(days, values, strict=True)]
    return "\n".join([",".join(["date", *columns]), *rows]) + "\n"
