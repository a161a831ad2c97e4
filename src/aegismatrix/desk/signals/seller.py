"""What a seller of options reads."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from aegismatrix.desk.chain_end import ChainEnd
from aegismatrix.desk.errors import RateUnavailableError
from aegismatrix.desk.signals.chain import chain_skew, max_pain_zone
from aegismatrix.desk.signals.levels import LEVELS
from aegismatrix.engine.engine import Forecast
from aegismatrix.market.arrays import FloatArray, Published
from aegismatrix.market.bars import Bars
from aegismatrix.market.chain import OptionChain
from aegismatrix.market.events import BREACH, REGIME, TRAP
from aegismatrix.market.outcomes import excursions
from aegismatrix.market.statistics import (
    TRADING_DAYS,
    contrast,
    normal_below,
    percentile_rank,
    quantiles,
    realised_vol,
    share_interval,
    windows_needed,
)
from aegismatrix.records import dataclass

CONFIDENCE = 0.80
DISTANCE_FRACTIONS = (0.01, 0.02, 0.03, 0.04, 0.05, 0.07)
"""Distances of the breach curve, as fractions of spot."""

HEADLINE_TRAP_DAYS = 10
REALISED_WINDOW = 20
ZONE_WIDTH = 0.01
HIT_WINDOWS = 252
# Log distances between which the other edge of a range is looked for, and how often it is halved.
_NEAREST, _FURTHEST, _HALVINGS = 1e-9, 10.0, 24
# Ratio of the 95th to the 75th quantile of a normal distribution.
_NORMAL_TAIL = 2.4387
_FLAGS = {"FAVOURABLE": "GREEN", "CAUTION": "AMBER", "HOSTILE": "RED"}
_REGIMES = {"CALM": "CALM", "CAUTION": "CAUTIOUS", "HOSTILE": "HOSTILE"}
_DAILY_FLAGS = {"FAVOURABLE": "FAVOURABLE", "CAUTION": "NEUTRAL", "HOSTILE": "RISKY"}


@dataclass(frozen=True)
class SafeRange:
    """The range that neither a high nor a low leaves, with the stated confidence.

    Attributes
    ----------
    lower, upper : float
        Index points, ``spot * exp(-d)`` and ``spot * exp(d)`` of each edge's own d. Of all ranges
        of that confidence it is the one whose two edges are touched equally often.
    horizon_days : int
        Trading days.
    confidence : float
        1 - P(either edge is touched).
    lower_log_distance, upper_log_distance : float
        d of each edge, unrounded.
    edge_touch : float
        P(the lower edge is touched), which is that of the upper.
    expiry : str or None
        The expiry that the horizon ends with, ISO 8601; None if it was given in days.
    """

    lower: float
    upper: float
    horizon_days: int
    confidence: float
    lower_log_distance: float
    upper_log_distance: float
    edge_touch: float
    expiry: str | None = None


@dataclass(frozen=True)
class MaxPain:
    """Where the index is likeliest to end.

    Attributes
    ----------
    lower, upper : float
        Index points.
    confidence : float or None
        Probability that it ends there; None where the chain ends beyond the breach surface.
    method : {'option_chain', 'distribution'}
        ``option_chain``: around the strike at which the holders of all options receive least, half
        the way to its neighbours. ``distribution``: 1 % of spot on either side of it, the mode of
        a driftless normal whose deviation is that of the forecast distribution of the close, by
        its tenth and ninetieth percentiles; the width is fixed, the probability is what changes.
        The probability comes from that normal either way.
    horizon_days : int or None
        Trading days to its end; None where they are not known.
    expiry : str or None
        The day that the chain expires, ISO 8601, where it is known.
    """

    lower: float
    upper: float
    confidence: float | None
    method: str
    horizon_days: int | None = None
    expiry: str | None = None


@dataclass(frozen=True)
class Trap(Published):
    """P(realised volatility exceeds implied).

    Attributes
    ----------
    score : float
        Over 10 trading days.
    label : {'LOW', 'MEDIUM', 'HIGH'}
        Against the base rate.
    iv_percentile, rv_percentile : float
        Where iv and 20-day realised volatility stand among their last 252 values, 0 to 1.
    horizons : mapping of str to float
        Over 5, 10 and 20 trading days.
    base_rate : float
        How often it happened, over 10 trading days.
    """

    score: float
    label: str
    iv_percentile: float
    rv_percentile: float
    horizons: Mapping[str, float]
    base_rate: float


@dataclass(frozen=True)
class Skew:
    """What weighs below against what weighs above; each within -1 and 1 by construction.

    Attributes
    ----------
    put_skew, call_skew : float
        By returns, how much longer the lower, and the upper, 5 % tail of the last 252 daily log
        returns is than a normal distribution with the same quartile would have it: (tail - normal
        tail) / (tail + normal tail). By open interest, puts (calls) out of the money against those
        in it, (out - in) / (out + in).
    net_skew : float
        By returns, the lower against the upper tail, (lower - upper) / (lower + upper): above 0
        falls are longer than rises (the quantile skewness of Hinkley 1975). By open interest, puts
        against calls, (puts - calls) / (puts + calls).
    method : {'returns', 'open_interest'}
        Open interest where an option chain is given.
    """

    put_skew: float
    call_skew: float
    net_skew: float
    method: str = "returns"


@dataclass(frozen=True)
class ExpiryStress(Published):
    """Stress over the next 20 trading days, from the regime model.

    Attributes
    ----------
    score : float
        0.5 P(MEDIUM) + P(HIGH).
    label : {'CALM', 'CAUTION', 'HOSTILE'}
        Against the score of the base rates.
    probabilities : mapping of str to float
        ``low``, ``medium``, ``high``.
    """

    score: float
    label: str
    probabilities: Mapping[str, float]


@dataclass(frozen=True)
class BreachPoint:
    """P(either edge is touched) at one distance.

    Attributes
    ----------
    distance : int
        Index points.
    probability : float
        Within the horizon of the safe range.
    """

    distance: int
    probability: float


@dataclass(frozen=True)
class BreachSurface(Published):
    """P(touch) over horizons and distances.

    Attributes
    ----------
    horizon_days : tuple of int
        Trading days.
    distance_points : tuple of int
        Index points upwards.
    upper_edges, lower_edges : tuple of float
        Where the edges are: ``spot + p`` and, as far away in log, ``spot ** 2 / (spot + p)``.
    either, down, up : tuple of tuple of float
        A row per horizon, a column per distance.
    """

    horizon_days: tuple[int, ...]
    distance_points: tuple[int, ...]
    upper_edges: tuple[float, ...]
    lower_edges: tuple[float, ...]
    either: tuple[tuple[float, ...], ...]
    down: tuple[tuple[float, ...], ...]
    up: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class SellerFlag(Published):
    """The day in one word.

    Attributes
    ----------
    label : {'FAVOURABLE', 'CAUTION', 'HOSTILE'}
        HOSTILE if stress is HOSTILE and the trap is not LOW, or the trap is HIGH and stress is not
        CALM; FAVOURABLE if stress is CALM, the trap is not HIGH and the hit rate is not below the
        stated confidence beyond its interval; otherwise CAUTION.
    color : {'GREEN', 'AMBER', 'RED'}
        In that order.
    reasons : tuple of str
        ``TRAP_*`` and ``STRESS_*`` with their labels; ``HIT_RATE_BELOW_CONFIDENCE`` if it is.
    """

    label: str
    color: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class HitRate:
    """How often the same safe-range rule held over the last completed windows.

    Attributes
    ----------
    rate : float
        Share of windows in which neither edge was touched by a high or a low, each edge forecast by
        a fit that had not seen its window.
    n : int
        Windows, at most 252.
    lower, upper : float
        95 % interval.
    """

    rate: float
    n: int
    lower: float
    upper: float


@dataclass(frozen=True)
class SellerSignal(Published):
    """All that a seller of options reads.

    Attributes
    ----------
    safe_range, max_pain, trap, skew, expiry_stress, breach_surface, seller_flag, hit_rate
        The parts.
    breach_probabilities : tuple of BreachPoint
        The surface's row at the safe range's horizon.
    regime : {'CALM', 'CAUTIOUS', 'HOSTILE'}
        Expiry stress in the words of older tiles.
    daily_flag : {'FAVOURABLE', 'NEUTRAL', 'RISKY'}
        The flag in the words of older tiles.

    Examples
    --------
    >>> import aegismatrix as am
    >>> seller = am.analyze(am.sample_bars()).seller
    >>> list(seller.trap.horizons)
    ['5', '10', '20']
    >>> seller.safe_range.lower < 2506.85 < seller.safe_range.upper
    True
    """

    safe_range: SafeRange
    max_pain: MaxPain
    trap: Trap
    skew: Skew
    expiry_stress: ExpiryStress
    breach_probabilities: tuple[BreachPoint, ...]
    breach_surface: BreachSurface
    seller_flag: SellerFlag
    hit_rate: HitRate
    regime: str
    daily_flag: str


def seller_signal(
    bars: Bars,
    row: Mapping[str, float],
    base_rates: Mapping[str, float],
    *,
    safe_range: SafeRange,
    surface: BreachSurface,
    held: FloatArray,
    deviation: float | None,
    chain: OptionChain | None = None,
    end: ChainEnd | None = None,
) -> SellerSignal:
    """Read all that concerns a seller of options off the last bar.

    Parameters
    ----------
    bars : Bars
        Up to the last bar.
    row, base_rates : mapping of str to float
        Probabilities and base rates by column.
    safe_range : SafeRange
        From `safe_range`.
    surface : BreachSurface
        From `breach_surface`, the horizon of the safe range among its own.
    held : ndarray of shape (n,)
        From `held`.
    deviation : float or None
        Forecast standard deviation of the log return to the end of max pain: that of the chain, or
        of the safe range; None where the breach surface does not reach as far.
    chain : OptionChain, optional
        Open interest by strike: max pain and skew.
    end : ChainEnd, optional
        When the chain ends.

    Returns
    -------
    SellerSignal

    Raises
    ------
    RateUnavailableError
        If there are fewer windows than an interval needs.
    ChainError
        If spot lies outside of the chain's strikes.
    """
    spot = float(bars.close[-1])
    rate = hit_rate(held, safe_range.horizon_days)
    stress = expiry_stress(
        {name: row[output.column] for name, output in REGIME.items()},
        {name: base_rates[output.column] for name, output in REGIME.items()},
    )
    premium = trap(
        {str(days): row[output.column] for days, output in TRAP.items()},
        base_rates[TRAP[HEADLINE_TRAP_DAYS].column],
        bars,
    )
    flag = seller_flag(premium.label, stress.label, rate, safe_range.confidence)
    regime, daily_flag = older_words(stress.label, flag.label)
    curve = surface.either[surface.horizon_days.index(safe_range.horizon_days)]
    return SellerSignal(
        safe_range=safe_range,
        max_pain=replace(
            max_pain(spot, deviation, None if chain is None else max_pain_zone(chain)),
            horizon_days=safe_range.horizon_days if end is None else end.horizon_days,
            expiry=None if end is None else end.expiry,
        ),
        trap=premium,
        skew=skew(bars.close) if chain is None else skew_of_chain(chain, spot),
        expiry_stress=stress,
        breach_probabilities=tuple(
            BreachPoint(point, p) for point, p in zip(surface.distance_points, curve, strict=True)
        ),
        breach_surface=surface,
        seller_flag=flag,
        hit_rate=rate,
        regime=regime,
        daily_flag=daily_flag,
    )


def breach_surface(forecast: Forecast, distance_points: Sequence[int]) -> BreachSurface:
    """Read the last day's surface.

    Parameters
    ----------
    forecast : Forecast
        At the log distances of these points.
    distance_points : sequence of int
        Index points upwards.

    Returns
    -------
    BreachSurface
    """
    spot = float(forecast.close[-1])
    either, down, up = (
        tuple(tuple(float(p) for p in of_horizon) for of_horizon in side)
        for side in forecast[BREACH.head][-1, :3]
    )
    return BreachSurface(
        horizon_days=tuple(int(days) for days in forecast.horizon_days),
        distance_points=tuple(distance_points),
        upper_edges=tuple(spot + point for point in distance_points),
        lower_edges=tuple(spot * spot / (spot + point) for point in distance_points),
        either=either,
        down=down,
        up=up,
    )


def reached(bars: Bars, horizon_days: int) -> tuple[FloatArray, FloatArray]:
    """Return how far each window went from its close to either side.

    Parameters
    ----------
    bars : Bars
        T bars.
    horizon_days : int
        Length of a window.

    Returns
    -------
    down, up : ndarray of shape (T,)
        Log distances; NaN where the window is not over.
    """
    down, up = excursions(bars, horizon_days)
    return down[:, -1], up[:, -1]


def range_through(
    down: FloatArray, up: FloatArray, touch: Callable[[str, FloatArray, FloatArray], FloatArray]
) -> tuple[FloatArray, FloatArray]:
    """Return the narrowest range of the rule, edges touched equally often, that a window reached.

    Of the two distances that a window went, the one less likely to be reached is one edge; the
    other edge is found as far away as makes it equally likely, to a few parts in a million.

    Parameters
    ----------
    down, up : ndarray of shape (n,)
        Log distances above 0 that each window went.
    touch : callable
        ``(side, lower, upper)`` to probabilities of shape (n,), by a fit that had not seen its
        window; NaN where there is none.

    Returns
    -------
    lower, upper : ndarray of shape (n,)
        Log distances of the edges.
    """
    of_down, of_up = touch("down", down, up), touch("up", down, up)
    by_lower = of_down <= of_up
    rarer = np.minimum(of_down, of_up)
    near, far = np.full(len(down), math.log(_NEAREST)), np.full(len(down), math.log(_FURTHEST))
    for _ in range(_HALVINGS):
        middle = 0.5 * (near + far)
        other = np.exp(middle)
        lower, upper = np.where(by_lower, down, other), np.where(by_lower, other, up)
        of_other = np.where(by_lower, touch("up", lower, upper), touch("down", lower, upper))
        nearer = of_other > rarer
        near, far = np.where(nearer, middle, near), np.where(nearer, far, middle)
    return lower, upper


def held(probability: FloatArray, is_over: NDArray[np.bool_], confidence: float) -> FloatArray:
    """Say whether each completed window stayed inside of its own safe range.

    The range held if and only if the narrowest range of the same rule that the window reached is
    likelier to be touched than the safe range: P(touch) falls as a range widens.

    Parameters
    ----------
    probability : ndarray of shape (n,)
        P(either edge of `range_through` is touched), oldest first, by a fit that had not seen its
        window; NaN where there is none.
    is_over : ndarray of shape (n,), bool
        Whether the window is over.
    confidence : float
        That the rule states.

    Returns
    -------
    ndarray
        1 or 0 for each of the last 252 windows that are over and have a fit.
    """
    known = is_over & ~np.isnan(probability)
    inside = probability[known] > 1.0 - confidence
    return np.asarray(inside[-HIT_WINDOWS:], dtype=np.float64)


def safe_range(
    spot: float,
    log_distances: tuple[float, float],
    edge_touch: float,
    horizon_days: int,
    confidence: float,
    expiry: str | None = None,
) -> SafeRange:
    """Turn an inverted breach surface into a range.

    Parameters
    ----------
    spot : float
        Index points.
    log_distances : tuple of float
        Of the lower and the upper edge, either of which is touched with probability
        1 - confidence.
    edge_touch : float
        P(the lower edge is touched), which is that of the upper.
    horizon_days : int
        Trading days.
    confidence : float
        Within 0 and 1.
    expiry : str, optional
        That the horizon ends with.

    Returns
    -------
    SafeRange
    """
    lower, upper = log_distances
    return SafeRange(
        lower=spot * math.exp(-lower),
        upper=spot * math.exp(upper),
        horizon_days=horizon_days,
        confidence=confidence,
        lower_log_distance=lower,
        upper_log_distance=upper,
        edge_touch=edge_touch,
        expiry=expiry,
    )


def max_pain(
    spot: float, deviation: float | None, chain_zone: tuple[float, float] | None = None
) -> MaxPain:
    """Return where the index is likeliest to end.

    Parameters
    ----------
    spot : float
        Index points.
    deviation : float or None
        Forecast standard deviation of the log return over the horizon, where it is known.
    chain_zone : tuple of float, optional
        Lower and upper end of the zone of least payout, index points; without it the modal zone of
        the forecast distribution is taken.

    Returns
    -------
    MaxPain
    """
    lower, upper = chain_zone or (spot * math.exp(-ZONE_WIDTH), spot * math.exp(ZONE_WIDTH))
    confidence = None
    if deviation is not None:
        below, within = (normal_below(math.log(edge / spot), deviation) for edge in (lower, upper))
        confidence = within - below
    return MaxPain(
        lower=lower,
        upper=upper,
        confidence=confidence,
        method="distribution" if chain_zone is None else "option_chain",
    )


def trap(probabilities: Mapping[str, float], base_rate: float, bars: Bars) -> Trap:
    """Read the volatility trap.

    Parameters
    ----------
    probabilities : mapping of str to float
        By horizon in days, ``'10'`` among them.
    base_rate : float
        Of the headline horizon.
    bars : Bars
        For the percentiles.

    Returns
    -------
    Trap
    """
    score = probabilities[str(HEADLINE_TRAP_DAYS)]
    past = realised_vol(bars.close[-(TRADING_DAYS + REALISED_WINDOW) :], REALISED_WINDOW)
    return Trap(
        score=score,
        label=LEVELS["trap"].label(score, base_rate),
        iv_percentile=percentile_rank(bars.iv[-TRADING_DAYS:]),
        rv_percentile=percentile_rank(past),
        horizons=dict(probabilities),
        base_rate=base_rate,
    )


def skew(close: FloatArray) -> Skew:
    """Measure the tails of daily log returns.

    Parameters
    ----------
    close : ndarray of shape (T,)
        Index points; the last 253 are looked at.

    Returns
    -------
    Skew
    """
    returns = np.diff(np.log(close[-(TRADING_DAYS + 1) :]))
    q05, q25, q50, q75, q95 = quantiles(returns, (0.05, 0.25, 0.5, 0.75, 0.95))
    lower, upper = q50 - q05, q95 - q50
    return Skew(
        put_skew=contrast(lower, _NORMAL_TAIL * (q50 - q25)),
        call_skew=contrast(upper, _NORMAL_TAIL * (q75 - q50)),
        net_skew=contrast(lower, upper),
    )


def skew_of_chain(chain: OptionChain, spot: float) -> Skew:
    """Contrast open interest on either side of spot.

    Parameters
    ----------
    chain : OptionChain
        Of one expiry.
    spot : float
        Index points, within the strikes.

    Returns
    -------
    Skew

    Raises
    ------
    ChainError
        If spot lies outside of the strikes.
    """
    found = chain_skew(chain, spot)
    return Skew(found.put_skew, found.call_skew, found.net_skew, method="open_interest")


def expiry_stress(
    probabilities: Mapping[str, float], base_rates: Mapping[str, float]
) -> ExpiryStress:
    """Read the stress off the regime probabilities.

    Parameters
    ----------
    probabilities, base_rates : mapping of str to float
        Of ``low``, ``medium`` and ``high``.

    Returns
    -------
    ExpiryStress
    """
    score, base_rate = (0.5 * of["medium"] + of["high"] for of in (probabilities, base_rates))
    return ExpiryStress(
        score=score,
        label=LEVELS["expiry_stress"].label(score, base_rate),
        probabilities=dict(probabilities),
    )


def hit_rate(held: FloatArray, horizon_days: int) -> HitRate:
    """Average how often the rule held.

    Parameters
    ----------
    held : ndarray of shape (n,)
        1 where neither edge was touched, 0 where one was; oldest first.
    horizon_days : int
        Length of a window.

    Returns
    -------
    HitRate

    Raises
    ------
    RateUnavailableError
        If there are fewer windows than an interval needs.
    """
    need = windows_needed(horizon_days)
    if len(held) < need:
        raise RateUnavailableError("hit_rate", have=len(held), need=need)
    lower, upper = share_interval(held, horizon_days)
    return HitRate(rate=float(held.mean()), n=len(held), lower=lower, upper=upper)


def seller_flag(trap_label: str, stress_label: str, rate: HitRate, confidence: float) -> SellerFlag:
    """Put the day in one word.

    Parameters
    ----------
    trap_label, stress_label : str
        From `trap` and `expiry_stress`.
    rate : HitRate
        Of the safe-range rule.
    confidence : float
        That the rule states.

    Returns
    -------
    SellerFlag
    """
    missed = rate.upper < confidence
    reasons = [f"TRAP_{trap_label}", f"STRESS_{stress_label}"]
    if missed:
        reasons.append("HIT_RATE_BELOW_CONFIDENCE")
    if (stress_label == "HOSTILE" and trap_label != "LOW") or (
        trap_label == "HIGH" and stress_label != "CALM"
    ):
        label = "HOSTILE"
    elif stress_label == "CALM" and trap_label != "HIGH" and not missed:
        label = "FAVOURABLE"
    else:
        label = "CAUTION"
    return SellerFlag(label, _FLAGS[label], tuple(reasons))


def older_words(stress_label: str, flag_label: str) -> tuple[str, str]:
    """Return regime and daily flag in the words of older tiles."""
    return _REGIMES[stress_label], _DAILY_FLAGS[flag_label]


def distances_in_points(spot: float, fractions: Sequence[float]) -> tuple[int, ...]:
    """Return whole points for fractions of spot, rising, at least 1.

    Parameters
    ----------
    spot : float
        Index points.
    fractions : sequence of float
        Rising.

    Returns
    -------
    tuple of int
    """
    points: list[int] = []
    for fraction in fractions:
        points.append(max(round(spot * fraction), 1, points[-1] + 1 if points else 1))
    return tuple(points)
