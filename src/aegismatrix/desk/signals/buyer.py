"""What a buyer of options reads."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from aegismatrix.desk.errors import RateUnavailableError
from aegismatrix.desk.signals.intraday import GammaWindow, gamma_windows
from aegismatrix.desk.signals.levels import LEVELS
from aegismatrix.market.arrays import FloatArray, Published
from aegismatrix.market.bars import Bars
from aegismatrix.market.events import BREAKOUT, SPIKE, THETA
from aegismatrix.market.intraday import IntradayBars
from aegismatrix.market.statistics import (
    BREAKOUT_RANGES,
    TRADING_DAYS,
    average_true_range,
    binomial_interval,
)
from aegismatrix.records import dataclass

VARIANCE_RATIO_DAYS = 5
COMPARABLE_DAYS = 63
NO_INTRADAY_BARS = "no 5-minute bars of a regular session were given"
_COLORS = {"PREMIUM_FRIENDLY": "GREEN", "SPECULATIVE_ONLY": "AMBER", "UNFAVOURABLE": "RED"}
_STATES = {
    "PREMIUM_FRIENDLY": "PREMIUM_FRIENDLY",
    "SPECULATIVE_ONLY": "CAUTIOUS",
    "UNFAVOURABLE": "AVOID_FULL_RISK",
}


@dataclass(frozen=True)
class Breakout:
    """P(a session's true range exceeds 1.25 times the mean of the last 14).

    Attributes
    ----------
    day_offset : int
        Which session ahead, 1 for the next.
    score : float
        The probability.
    label : {'LOW', 'MEDIUM', 'HIGH'}
        Against the base rate.
    base_rate : float
        How often it happened.
    """

    day_offset: int
    score: float
    label: str
    base_rate: float


@dataclass(frozen=True)
class SpikeBias:
    """To which side the next session breaks out, if it does.

    Attributes
    ----------
    up_prob, down_prob : float
        Given a breakout; together 1.
    """

    up_prob: float
    down_prob: float


@dataclass(frozen=True)
class BreakoutLevels:
    """The levels that a session of 1.25 mean true ranges reaches, all of it on one side.

    Attributes
    ----------
    upper, lower : float
        Index points.
    """

    upper: float
    lower: float


@dataclass(frozen=True)
class ThetaEdge:
    """P(realised volatility exceeds implied over 5 trading days): that long gamma pays.

    Attributes
    ----------
    score : float
        The probability.
    label : {'DONT_WASTE_PREMIUM', 'BORDERLINE', 'EDGE_JUSTIFIES_PREMIUM'}
        Against the base rate.
    base_rate : float
        How often it happened.
    """

    score: float
    label: str
    base_rate: float


@dataclass(frozen=True)
class BuyerEnvironment(Published):
    """The day in one word, for a buyer.

    Attributes
    ----------
    label : {'PREMIUM_FRIENDLY', 'SPECULATIVE_ONLY', 'UNFAVOURABLE'}
        PREMIUM_FRIENDLY if theta's label is EDGE_JUSTIFIES_PREMIUM and the next session's breakout
        is not LOW; UNFAVOURABLE if theta's is DONT_WASTE_PREMIUM and the breakout is not HIGH;
        otherwise SPECULATIVE_ONLY.
    color : {'GREEN', 'AMBER', 'RED'}
        In that order.
    reasons : tuple of str
        ``THETA_*``, ``BREAKOUT_*`` and ``REGIME_*`` with their labels.
    """

    label: str
    color: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class SpikeRate:
    """How often a breakout followed on comparable scores.

    Attributes
    ----------
    rate : float
        Share of the comparable days.
    n : int
        Comparable days: the 63 of the last 252 whose score, by a fit that had seen nothing later,
        stood nearest to today's.
    lower, upper : float
        95 % interval.
    """

    rate: float
    n: int
    lower: float
    upper: float


@dataclass(frozen=True)
class BuyerSignal(Published):
    """All that a buyer of options reads.

    Attributes
    ----------
    breakout_today : Breakout
        Of the next session: the one under way, once the last bar's has ended.
    breakout_next : tuple of Breakout
        Sessions 1 to 5 ahead.
    spike_direction_bias, breakout_levels, theta_edge, buyer_environment, spike_rate
        The other parts.
    gamma_windows : tuple of GammaWindow
        Realised volatility by time of day, from 5-minute bars.
    gamma_windows_reason : str or None
        Why there are none, where there are none.
    regime : {'TREND_FOLLOWING', 'MEAN_REVERT', 'CHOPPY'}
        By the variance ratio of 5 to 1 days over the last 252 returns, each in units of what the
        volatility index implied for it (Lo, MacKinlay 1988): more than a standard error above 1,
        below 1, or neither.
    variance_ratio : float
        That ratio.
    environment_state : {'PREMIUM_FRIENDLY', 'CAUTIOUS', 'AVOID_FULL_RISK'}
        The environment in the words of older tiles.

    Examples
    --------
    >>> import aegismatrix as am
    >>> buyer = am.analyze(am.sample_bars()).buyer
    >>> [session.day_offset for session in buyer.breakout_next]
    [1, 2, 3, 4, 5]
    """

    breakout_today: Breakout
    breakout_next: tuple[Breakout, ...]
    spike_direction_bias: SpikeBias
    breakout_levels: BreakoutLevels
    gamma_windows: tuple[GammaWindow, ...]
    gamma_windows_reason: str | None
    theta_edge: ThetaEdge
    regime: str
    variance_ratio: float
    buyer_environment: BuyerEnvironment
    spike_rate: SpikeRate
    environment_state: str


def buyer_signal(
    bars: Bars,
    row: Mapping[str, float],
    base_rates: Mapping[str, float],
    *,
    past_scores: FloatArray,
    happened: FloatArray,
    intraday: IntradayBars | None = None,
) -> BuyerSignal:
    """Read all that concerns a buyer of options off the last bar.

    Parameters
    ----------
    bars : Bars
        Up to the last bar.
    row, base_rates : mapping of str to float
        Probabilities and base rates by column.
    past_scores, happened
        As for `spike_rate`.
    intraday : IntradayBars, optional
        5-minute bars: gamma windows.

    Returns
    -------
    BuyerSignal

    Raises
    ------
    RateUnavailableError
        If too few past days have a score.
    """
    ahead = breakouts(
        {offset: row[output.column] for offset, output in BREAKOUT.items()},
        {offset: base_rates[output.column] for offset, output in BREAKOUT.items()},
    )
    theta = theta_edge(row[THETA.column], base_rates[THETA.column])
    ratio = variance_ratio(bars)
    regime = buyer_regime(ratio)
    environment = buyer_environment(theta.label, ahead[0].label, regime)
    windows = () if intraday is None else gamma_windows(intraday)
    return BuyerSignal(
        breakout_today=ahead[0],
        breakout_next=ahead,
        spike_direction_bias=spike_bias(row[SPIKE["down"].column], row[SPIKE["up"].column]),
        breakout_levels=breakout_levels(bars),
        gamma_windows=windows,
        gamma_windows_reason=_no_windows(intraday, windows),
        theta_edge=theta,
        regime=regime,
        variance_ratio=ratio,
        buyer_environment=environment,
        spike_rate=spike_rate(ahead[0].score, past_scores, happened),
        environment_state=older_word(environment.label),
    )


def _no_windows(intraday: IntradayBars | None, windows: Sequence[object]) -> str | None:
    if intraday is None:
        return NO_INTRADAY_BARS
    return None if windows else "the 5-minute bars given did not move"


def breakouts(
    probabilities: Mapping[int, float], base_rates: Mapping[int, float]
) -> tuple[Breakout, ...]:
    """Read the breakouts of the sessions ahead.

    Parameters
    ----------
    probabilities, base_rates : mapping of int to float
        By offset in sessions.

    Returns
    -------
    tuple of Breakout
    """
    return tuple(
        Breakout(
            day_offset=offset,
            score=score,
            label=LEVELS["breakout"].label(score, base_rates[offset]),
            base_rate=base_rates[offset],
        )
        for offset, score in sorted(probabilities.items())
    )


def spike_bias(down: float, up: float) -> SpikeBias:
    """Return the side given a breakout.

    Parameters
    ----------
    down, up : float
        P(down-spike), P(up-spike), of which one is above 0.

    Returns
    -------
    SpikeBias
    """
    share = up / (down + up)
    return SpikeBias(up_prob=share, down_prob=1.0 - share)


def breakout_levels(bars: Bars) -> BreakoutLevels:
    """Return the levels of a breakout on the next session.

    Parameters
    ----------
    bars : Bars
        At least 15.

    Returns
    -------
    BreakoutLevels
    """
    reach = BREAKOUT_RANGES * float(average_true_range(bars[-(14 + 1) :])[-1])
    spot = float(bars.close[-1])
    return BreakoutLevels(upper=spot + reach, lower=spot - reach)


def theta_edge(score: float, base_rate: float) -> ThetaEdge:
    """Read theta edge.

    Parameters
    ----------
    score, base_rate : float
        Within 0 and 1.

    Returns
    -------
    ThetaEdge
    """
    return ThetaEdge(score, LEVELS["theta_edge"].label(score, base_rate), base_rate)


def variance_ratio(bars: Bars) -> float:
    """Return the variance of 5-day returns over 5 times that of 1-day returns.

    Parameters
    ----------
    bars : Bars
        At least 253; the last 252 returns are looked at, each divided by the deviation that the
        volatility index implied the evening before.

    Returns
    -------
    float
        1 for a random walk (Lo, MacKinlay 1988, overlapping, without their small-sample factor); 1
        where the index did not move at all.
    """
    days = VARIANCE_RATIO_DAYS
    close, iv = bars.close[-(TRADING_DAYS + 1) :], bars.iv[-(TRADING_DAYS + 1) :]
    returns = np.diff(np.log(close)) / iv[:-1]
    returns = returns - returns.mean()
    single = float((returns**2).mean())
    if single == 0.0:
        return 1.0
    sums = np.lib.stride_tricks.sliding_window_view(returns, days).sum(axis=1)
    return float((sums**2).mean()) / (days * single)


def buyer_regime(ratio: float) -> str:
    """Name the regime of a variance ratio.

    Parameters
    ----------
    ratio : float
        From `variance_ratio`.

    Returns
    -------
    str
    """
    days = VARIANCE_RATIO_DAYS
    # Asymptotic standard error under a random walk (Lo, MacKinlay 1988).
    error = math.sqrt(2 * (2 * days - 1) * (days - 1) / (3 * days * TRADING_DAYS))
    if ratio > 1.0 + error:
        return "TREND_FOLLOWING"
    return "MEAN_REVERT" if ratio < 1.0 - error else "CHOPPY"


def buyer_environment(theta_label: str, breakout_label: str, regime: str) -> BuyerEnvironment:
    """Put the day in one word.

    Parameters
    ----------
    theta_label, breakout_label, regime : str
        From `theta_edge`, `breakouts` and `buyer_regime`.

    Returns
    -------
    BuyerEnvironment
    """
    if theta_label == "EDGE_JUSTIFIES_PREMIUM" and breakout_label != "LOW":
        label = "PREMIUM_FRIENDLY"
    elif theta_label == "DONT_WASTE_PREMIUM" and breakout_label != "HIGH":
        label = "UNFAVOURABLE"
    else:
        label = "SPECULATIVE_ONLY"
    reasons = (f"THETA_{theta_label}", f"BREAKOUT_{breakout_label}", f"REGIME_{regime}")
    return BuyerEnvironment(label, _COLORS[label], reasons)


def older_word(environment_label: str) -> str:
    """Return the environment in the words of older tiles."""
    return _STATES[environment_label]


def spike_rate(score: float, past_scores: FloatArray, happened: FloatArray) -> SpikeRate:
    """Measure how often a breakout followed on the days whose score was nearest to today's.

    Parameters
    ----------
    score : float
        Today's.
    past_scores : ndarray of shape (n,)
        Of past days, by fits that had seen nothing later; NaN where there was none.
    happened : ndarray of shape (n,)
        1 where a breakout followed, 0 where none did, NaN where the bars do not say.

    Returns
    -------
    SpikeRate

    Raises
    ------
    RateUnavailableError
        If fewer than 63 past days have a score.
    """
    known = np.flatnonzero(~np.isnan(past_scores) & ~np.isnan(happened))[-TRADING_DAYS:]
    if len(known) < COMPARABLE_DAYS:
        raise RateUnavailableError("spike_rate", have=len(known), need=COMPARABLE_DAYS)
    order = np.argsort(np.abs(past_scores[known] - score), kind="stable")
    outcomes = happened[known[order[:COMPARABLE_DAYS]]]
    lower, upper = binomial_interval(int(outcomes.sum()), COMPARABLE_DAYS)
    return SpikeRate(float(outcomes.mean()), COMPARABLE_DAYS, lower, upper)
