"""The markets that models are trained and judged on, and their feature rows."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aegismatrix.engine.model import Model
from aegismatrix.errors import AegisError
from aegismatrix.market.arrays import ONE_DAY
from aegismatrix.market.bars import Bars
from aegismatrix.market.market import NIFTY, OTHER, MarketField
from aegismatrix.market.overnight import Nights, align
from aegismatrix_factory.evaluate.walkforward import FULL, Effort, Timeline

FloatArray = NDArray[np.float64]

FOLDER_VARIABLE = "AEGISMATRIX_MARKET"
# Of a checkout; of an installed package this is a folder of the interpreter's.
_REPOSITORY = Path(__file__).parents[3]
_WARM_UP_ROWS = 756


class MarketDataNotFoundError(AegisError):
    """The folder of market data is not there.

    Attributes
    ----------
    folder : str or None
        Where it was looked for; None if no place was named.
    """

    def __init__(self, folder: str | None) -> None:
        self.folder = folder
        super().__init__(
            "No market data was named."
            if folder is None
            else f"There is no market data in {folder}.",
            remedy="Give a pair of files and whose they are (--index CSV --iv CSV --market NAME),"
            f" or a folder of nifty and sp500 bars (--bars DIR or {FOLDER_VARIABLE}).",
        )


@dataclass(frozen=True)
class MarketSource:
    """Where one market's bars are and over which days forecasts on it are scored.

    Attributes
    ----------
    name : str
        ``nifty``, ``sp500``, or a name of your own.
    index, iv : Path
        The pair of CSV files.
    market : Market
        As for `Bars`; a name of one is taken too.
    scored_from, scored_to : str, optional
        First and last scored day; by default all but the first three years of feature rows.
    origin : mapping, optional
        Where and when the files' content was fetched, as JSON values.
    us_index, us_iv : Path, optional
        The pair of CSV files of the US market that closes in this one's night; of NIFTY alone.
    """

    name: str
    index: Path
    iv: Path
    market: MarketField = MarketField()  # noqa: RUF009
    scored_from: str | None = None
    scored_to: str | None = None
    origin: Mapping[str, Any] | None = None
    us_index: Path | None = None
    us_iv: Path | None = None

    def bars(self) -> Bars:
        """Read the bars."""
        return Bars.from_csv(self.index, iv=self.iv, market=self.market)

    def us_bars(self) -> Bars | None:
        """Read the bars of the US market, where there are any."""
        if self.us_index is None or self.us_iv is None:
            return None
        return Bars.from_csv(self.us_index, iv=self.us_iv, market=OTHER)


@dataclass(frozen=True, eq=False)
class MarketRows:
    """One market, ready for training: bars, and feature rows for those with enough history.

    Attributes
    ----------
    name : str
        The market's name.
    bars : Bars
        All T bars.
    features : ndarray of shape (N, F)
        Rows of ``features.onnx``; row i belongs to bar ``T - N + i``.
    implied_sigma : ndarray of shape (N,)
        Daily standard deviation that iv implies.
    feature_names : tuple of str
        The columns of `features`.
    scored_from, scored_to : datetime64[D]
        First and last day of the walk-forward's scored forecasts.
    us_bars : Bars or None
        The US market that closes in this one's night.
    nights : Nights or None
        What it did in the night after each feature row, N of them.
    effort : Effort
        How much work is put into judging a model on it.
    """

    name: str
    bars: Bars
    features: FloatArray
    implied_sigma: FloatArray
    feature_names: tuple[str, ...]
    scored_from: np.datetime64
    scored_to: np.datetime64
    us_bars: Bars | None = None
    nights: Nights | None = None
    effort: Effort = FULL

    @property
    def dates(self) -> NDArray[np.datetime64]:
        """Dates of the feature rows, shape (N,)."""
        return self.bars.dates[len(self.bars) - len(self.features) :]

    def rows_of(self, per_bar: FloatArray) -> FloatArray:
        """Cut an array of one value per bar, shape (T, ...), to the feature rows, (N, ...)."""
        return per_bar[len(self.bars) - len(self.features) :]

    def timeline(self, horizon_days: int) -> Timeline:
        """Return when the outcomes of the feature rows ended, of so many trading days each."""
        return Timeline.of(self.bars, horizon_days)[len(self.bars) - len(self.features) :]

    def columns(self, names: tuple[str, ...]) -> FloatArray:
        """Return some feature columns by name, shape (N, len(names))."""
        return self.features[:, [self.feature_names.index(name) for name in names]]


def known_sources(folder: str | os.PathLike[str] | None = None) -> tuple[MarketSource, ...]:
    """Return NIFTY, the market to model, and the S&P 500, the pool that steadies it.

    Parameters
    ----------
    folder : path-like, optional
        By default the folder that the environment variable AEGISMATRIX_MARKET names, or else, in a
        checkout, ``../shared/market`` beside it.

    Returns
    -------
    tuple of MarketSource

    Raises
    ------
    MarketDataNotFoundError
    """
    named = folder or os.environ.get(FOLDER_VARIABLE)
    if not named and not (_REPOSITORY / "exporters" / "pyproject.toml").is_file():
        raise MarketDataNotFoundError(None)
    place = Path(named or _REPOSITORY.parent / "shared" / "market")
    sources = (
        MarketSource(
            "nifty",
            place / "nifty_daily.csv",
            place / "india_vix_daily.csv",
            NIFTY,
            "2015-01-01",
            "2024-12-31",
            us_index=place / "sp500_daily.csv",
            us_iv=place / "vix_daily.csv",
        ),
        MarketSource(
            "sp500",
            place / "sp500_daily.csv",
            place / "vix_daily.csv",
            OTHER,
            "2009-01-01",
            "2023-12-31",
        ),
    )
    if not all(source.index.is_file() and source.iv.is_file() for source in sources):
        raise MarketDataNotFoundError(str(place))
    return sources


def market_rows(source: MarketSource, features: Model, effort: Effort = FULL) -> MarketRows:
    """Run the feature graph over a market's bars.

    Parameters
    ----------
    source : MarketSource
        Where the bars are.
    features : Model
        ``features.onnx``, as it is served.
    effort : Effort
        How much work is put into judging a model on it.

    Returns
    -------
    MarketRows
    """
    bars = source.bars()
    run: Mapping[str, FloatArray] = features.run(
        high=bars.high, low=bars.low, close=bars.close, iv=bars.iv
    )
    dates = bars.dates[len(bars) - len(run["features"]) :]
    us_bars = source.us_bars()
    # What follows the last bar is not known here, nor is any label of that row.
    nights = None if us_bars is None else align(dates, dates[-1] + ONE_DAY, us_bars)
    default_from = dates[min(_WARM_UP_ROWS, len(dates) - 1)]
    return MarketRows(
        name=source.name,
        bars=bars,
        features=run["features"],
        implied_sigma=run["implied_sigma"],
        feature_names=features.spec.features,
        scored_from=np.datetime64(source.scored_from or default_from, "D"),
        scored_to=np.datetime64(source.scored_to or dates[-1], "D"),
        us_bars=us_bars,
        nights=nights,
        effort=effort,
    )
