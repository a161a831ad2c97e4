"""The embedded sample: real bars, of another market, to try everything on without a network."""

from __future__ import annotations

from pathlib import Path

from aegismatrix.market.bars import Bars

_FOLDER = Path(__file__).parent / "sample_data"


def sample_bars() -> Bars:
    """Return S&P 500 bars with the Cboe VIX, January 2014 to December 2018.

    Returns
    -------
    Bars
        1,257 bars of market ``'other'``. They are part of what the bundled models were trained on,
        so forecasts on them demonstrate the walk and prove no skill.

    Notes
    -----
    As the PyPI package ``arch`` carries them (its ``sp500`` and ``vix`` data sets), rounded to two
    decimals; ``scripts/sample.py`` makes them.

    Examples
    --------
    >>> import aegismatrix as am
    >>> am.sample_bars()
    Bars(1257 of 'other' from sp500_daily.csv, 2014-01-03 to 2018-12-31, close 2506.85, iv 25.42 %)
    """
    return Bars.from_csv(_FOLDER / "sp500_daily.csv", iv=_FOLDER / "vix_daily.csv", market="other")
