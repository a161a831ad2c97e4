"""The feature graph: raw bars to scale-free features, written once, used to train and to serve.

Causal, with a finite look-back, and without any raw price or raw iv level: everything is
measured against what the volatility index implied. Training runs the exported file, so what a model
was fitted on and what it is served with cannot drift apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx
from spox import Tensor, argument, build

from aegismatrix_factory.graph.expressions import Graph, Series, stack

TRADING_DAYS = 252
VOLATILITY_FLOOR = 1e-4
DEVIATION_FLOOR = 1e-3
INPUTS = ("high", "low", "close", "iv")


@dataclass(frozen=True)
class Feature:
    """One column of the feature matrix.

    Attributes
    ----------
    name : str
        Column name; numbers in it are windows in bars.
    meaning : str
        Formula in words and its unit.
    series : callable
        From the market's series to the feature.
    """

    name: str
    meaning: str
    series: Callable[[MarketSeries], Series]


class MarketSeries:
    """What the features are made of, each series built once per graph.

    Parameters
    ----------
    high, low, close, iv : Series
        Raw bars: index points, and the volatility index in per cent a year.
    """

    def __init__(self, high: Series, low: Series, close: Series, iv: Series) -> None:
        self.high = high
        self.close = close
        self.iv = iv / 100.0
        self.log_iv = self.iv.log()
        # The logarithm of a ratio, not the difference of logarithms: an index at 20,000 would cost
        # two digits of every small return.
        self.log_return = (close / close.lag(1)).log()
        self._squared_return = self.log_return * self.log_return
        log_range = (high / low).log()
        self._squared_range = log_range * log_range
        before = close.lag(1)
        self._true_range = high.maximum(before) - low.minimum(before)
        self._terciles: tuple[Series, Series] | None = None

    def implied_sigma(self) -> Series:
        """Return the daily standard deviation of log returns that the volatility index implies."""
        return self.iv / math.sqrt(TRADING_DAYS)

    def realised_vol(self, window: int) -> Series:
        """Return the annualised root mean square of the last `window` log returns."""
        mean_square = self._squared_return.rolling_sum(window) * (TRADING_DAYS / window)
        return mean_square.sqrt().maximum(VOLATILITY_FLOOR)

    def parkinson_vol(self, window: int) -> Series:
        """Return the annualised range volatility of the last `window` bars (Parkinson 1980)."""
        scale = TRADING_DAYS / (4.0 * window * math.log(2.0))
        return (self._squared_range.rolling_sum(window) * scale).sqrt().maximum(VOLATILITY_FLOOR)

    def true_range_vol(self, window: int) -> Series:
        """Return the mean true range of the last `window` bars over close, a fraction a year."""
        mean = self._true_range.rolling_mean(window)
        return (mean / self.close * math.sqrt(TRADING_DAYS)).maximum(VOLATILITY_FLOOR)

    def terciles(self) -> tuple[Series, Series]:
        """Return the terciles of the last 252 values of 20-bar realised volatility."""
        if self._terciles is None:
            low, high = self.realised_vol(20).rolling_quantiles(TRADING_DAYS, (1 / 3, 2 / 3))
            self._terciles = low, high
        return self._terciles

    def log_over_iv(self, vol: Series) -> Series:
        """Return ln(vol / iv)."""
        return (vol / self.iv).log()

    def move(self, window: int) -> Series:
        """Return the return over `window` bars in implied standard deviations."""
        move = self.log_return if window == 1 else (self.close / self.close.lag(window)).log()
        return move / (self.iv * math.sqrt(window / TRADING_DAYS))

    def iv_change(self, window: int) -> Series:
        """Return the change of ln(iv) over `window` bars."""
        return (self.iv / self.iv.lag(window)).log()

    def iv_z_score(self, window: int) -> Series:
        """Return iv against the mean and deviation of its last `window` values."""
        mean, deviation = self.iv.rolling_moments(window)
        return (self.iv - mean) / deviation.maximum(DEVIATION_FLOOR)


def _realised_over_iv(window: int) -> Feature:
    return Feature(
        f"rv_{window}",
        f"ln({window}-bar realised volatility / iv)",
        lambda market: market.log_over_iv(market.realised_vol(window)),
    )


def _parkinson_over_iv(window: int) -> Feature:
    return Feature(
        f"parkinson_{window}",
        f"ln({window}-bar Parkinson volatility / iv)",
        lambda market: market.log_over_iv(market.parkinson_vol(window)),
    )


def _return(window: int) -> Feature:
    return Feature(
        f"return_{window}",
        f"{window}-bar log return in implied standard deviations",
        lambda market: market.move(window),
    )


def _over_tercile(
    name: str, words: str, vol: Callable[[MarketSeries], Series], number: int
) -> Feature:
    which = ("lower", "upper")[number]
    return Feature(
        f"{name}_over_{which}_tercile",
        f"ln({words} / {which} tercile of the last 252 values of 20-bar realised volatility)",
        lambda market: (vol(market) / market.terciles()[number]).log(),
    )


FEATURES = (
    _realised_over_iv(5),
    _realised_over_iv(22),
    _realised_over_iv(66),
    _parkinson_over_iv(1),
    _parkinson_over_iv(5),
    _parkinson_over_iv(22),
    Feature(
        "iv_z_252",
        "iv in standard deviations from its 252-bar mean",
        lambda market: market.iv_z_score(252),
    ),
    Feature(
        "iv_over_mean_22",
        "ln(iv) minus its 22-bar mean",
        lambda market: market.log_iv - market.log_iv.rolling_mean(22),
    ),
    Feature(
        "iv_over_rv_252",
        "ln(iv / 252-bar realised volatility)",
        lambda market: (market.iv / market.realised_vol(252)).log(),
    ),
    Feature(
        "rv_22_over_252",
        "ln(22-bar / 252-bar realised volatility)",
        lambda market: (market.realised_vol(22) / market.realised_vol(252)).log(),
    ),
    Feature(
        "iv_change_5",
        "change of ln(iv) over 5 bars",
        lambda market: market.iv_change(5),
    ),
    _return(1),
    _return(5),
    _return(22),
    Feature(
        "drawdown_252",
        "ln(close / 252-bar high) over iv",
        lambda market: (market.close / market.high.rolling_max(252)).log() / market.iv,
    ),
    Feature(
        "iv_vol_22",
        "standard deviation of the last 22 daily changes of ln(iv)",
        lambda market: market.iv_change(1).rolling_moments(22)[1],
    ),
    Feature(
        "largest_return_22",
        "largest absolute log return of 22 bars over iv",
        lambda market: market.log_return.abs().rolling_max(22) / market.iv,
    ),
    _over_tercile("iv", "iv", lambda market: market.iv, 0),
    _over_tercile("iv", "iv", lambda market: market.iv, 1),
    _over_tercile("rv_20", "20-bar realised volatility", lambda market: market.realised_vol(20), 0),
    _over_tercile("rv_20", "20-bar realised volatility", lambda market: market.realised_vol(20), 1),
    Feature(
        "true_range_1",
        "ln(true range / mean true range of 14 bars)",
        lambda market: (market.true_range_vol(1) / market.true_range_vol(14)).log(),
    ),
    Feature(
        "true_range_14",
        "ln(mean true range of 14 bars over close, a year / iv)",
        lambda market: market.log_over_iv(market.true_range_vol(14)),
    ),
)


@dataclass(frozen=True)
class FeatureGraph:
    """The feature graph before it is stamped.

    Attributes
    ----------
    model : ModelProto
        Inputs ``high, low, close, iv``: float64 (T,); outputs ``features``: float64 (N, F) and
        ``implied_sigma``: float64 (N,).
    lookback_bars : int
        Bars that give exactly one row: N = T - lookback_bars + 1.
    names : tuple of str
        The columns of ``features``, in order.
    """

    model: onnx.ModelProto
    lookback_bars: int
    names: tuple[str, ...]


def build_features(features: tuple[Feature, ...] = FEATURES) -> FeatureGraph:
    """Author the feature graph.

    Parameters
    ----------
    features : tuple of Feature
        The columns, in order.

    Returns
    -------
    FeatureGraph
    """
    arguments = {name: argument(Tensor(np.float64, ("T",))) for name in INPUTS}
    graph = Graph()
    market = MarketSeries(**{name: graph.series(var) for name, var in arguments.items()})
    matrix, lookback = stack([feature.series(market) for feature in features])
    outputs = {
        "features": matrix,
        "implied_sigma": market.implied_sigma().to_lookback(lookback),
    }
    return FeatureGraph(
        build(arguments, outputs), lookback, tuple(feature.name for feature in features)
    )
