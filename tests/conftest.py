"""Real bars for the tests: the embedded sample always, NIFTY and the S&P 500 where they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegismatrix.bars import Bars
from aegismatrix.sources.sample import sample_bars
from exporters.markets import MarketDataNotFoundError, MarketSource, known_sources


@pytest.fixture(scope="session")
def market_sources() -> tuple[MarketSource, ...]:
    """The pairs of CSV files that the committed models were trained on."""
    try:
        return known_sources()
    except MarketDataNotFoundError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def nifty(market_sources: tuple[MarketSource, ...]) -> Bars:
    """3,546 real bars of NIFTY 50 and India VIX."""
    return market_sources[0].bars()


@pytest.fixture(scope="session")
def sp500(market_sources: tuple[MarketSource, ...]) -> Bars:
    """4,713 real bars of the S&P 500 and the Cboe VIX."""
    return market_sources[1].bars()


@pytest.fixture(scope="session")
def sample() -> Bars:
    """The embedded sample: 1,257 real bars of the S&P 500 and the Cboe VIX."""
    return sample_bars()


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return Path(__file__).parents[1]
