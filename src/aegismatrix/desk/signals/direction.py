"""Where the index may go, and how far: signs from the direction model, sizes from volatility."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np

from aegismatrix.desk.signals.intraday import IntradaySignal
from aegismatrix.desk.signals.levels import DIRECTION_LEAN
from aegismatrix.market.arrays import LONGEST_DAYS, Published
from aegismatrix.market.bars import Bars
from aegismatrix.market.events import CLASSES, DIRECTION, LABELS, NEUTRAL_DEVIATIONS
from aegismatrix.market.statistics import (
    TRADING_DAYS,
    normal_below,
    percentile_rank,
)
from aegismatrix.records import dataclass

MOVE_CONFIDENCE = 0.80
"""What a move interval states."""

UPPER_TENTH = 1.2815515655446004
"""Nine tenths of a normal distribution lie below so many deviations."""

TAILS = (0.1, 0.9)
"""Between these quantiles of the close a move interval lies."""

_MEAN_SIZE = math.sqrt(2.0 / math.pi)
_LEAST_BEFORE = 1e-12
# The exchange's close is the mean of the last half hour: a third of its variance stays open.
_CLOSE_VARIANCE = 30.0 / 375.0 / 3.0


@dataclass(frozen=True)
class Spread:
    """How far the close spreads by the end of a horizon.

    Attributes
    ----------
    lower, upper : float
        Log returns: the tenth and the ninetieth percentile of the forecast distribution.
    """

    lower: float
    upper: float

    @property
    def deviation(self) -> float:
        """Standard deviation of the normal return whose percentiles lie as far apart."""
        return (self.upper - self.lower) / (2.0 * UPPER_TENTH)


@dataclass(frozen=True)
class MoveInterval:
    """Points between which the move ends with a probability of 80 %.

    Attributes
    ----------
    lower, upper : float
        Below and above 0.
    """

    lower: float
    upper: float


@dataclass(frozen=True)
class HorizonForecast(Published):
    """Sign and size of the move over one horizon.

    Attributes
    ----------
    label : str
        Such as ``This Week``.
    horizon_days : int
        Trading days.
    direction : {'DOWN', 'NEUTRAL', 'UP'}
        The tendency where the model was shown to have skill and the expected move goes the same
        way; NEUTRAL otherwise.
    tendency : {'DOWN', 'NEUTRAL', 'UP'}
        The class whose probability stands furthest above its base rate, as a multiple of it;
        NEUTRAL if that is less than 1 % above it (`levels.DIRECTION_LEAN`). Without skill it is
        noise.
    expected_move_points : float
        Mean of the move, signed: each class's probability times the mean of a normal return with
        the forecast deviation within that class. 0 where no skill was shown.
    move_size_points : float
        How far the index typically goes, never signed: the mean absolute move of a normal return
        with the forecast deviation.
    conviction, base_rate : float
        Probability of the direction, and how often it came.
    probabilities : mapping of str to float
        ``down``, ``neutral``, ``up``: the return against 0.35 implied deviations either way.
    move_interval_80 : MoveInterval
        From the tenth to the ninetieth percentile of the close, as the breach surface has them;
        beyond its longest horizon they grow with the square root of time.
    deviation : float
        Forecast standard deviation of the log return: that of a normal return whose percentiles
        lie as far apart as these.
    target : str or None
        The session that it ends with, ISO 8601; None where the exchange's calendar does not say.
    """

    label: str
    horizon_days: int
    direction: str
    tendency: str
    expected_move_points: float
    move_size_points: float
    conviction: float
    base_rate: float
    probabilities: Mapping[str, float]
    move_interval_80: MoveInterval
    deviation: float
    target: str | None = None


@dataclass(frozen=True)
class TodayForecast(Published):
    """The session under way, or the next one where none is.

    Attributes
    ----------
    direction, tendency, expected_move_points, move_size_points, conviction, base_rate
        As for a `HorizonForecast` of one day, of the whole session against the last daily close.
    probabilities : mapping of str to float
        ``down``, ``neutral``, ``up``.
    intraday_volatility_score : float
        Where the session's volatility stands among the range volatilities of the last 252 daily
        bars, 0 to 1: that of its 5-minute returns where given, else the last daily bar's range.
    last_update : str
        End of the last bar used, ISO 8601, UTC.
    basis : {'daily bars', '5-minute bars'}
        Whether the session's own bars refined it.
    """

    direction: str
    tendency: str
    expected_move_points: float
    move_size_points: float
    conviction: float
    base_rate: float
    intraday_volatility_score: float
    last_update: str
    probabilities: Mapping[str, float]
    basis: str


@dataclass(frozen=True)
class DirectionSignal(Published):
    """All horizons.

    Attributes
    ----------
    today : TodayForecast
        The session under way.
    horizons : mapping of str to HorizonForecast
        ``t1`` to ``t40``.
    risk_score : float
        Uncertainty, 0 to 1: the mean of the horizons' normalised entropy and of the percentile at
        which the volatility index stands in its year.

    Examples
    --------
    >>> import aegismatrix as am
    >>> direction = am.analyze(am.sample_bars()).direction
    >>> list(direction.horizons)
    ['t1', 't3', 't5', 't10', 't20', 't40']
    """

    today: TodayForecast
    horizons: Mapping[str, HorizonForecast]
    risk_score: float


@dataclass(frozen=True)
class Eve:
    """What was known before the session under way: where its own bar is among the daily ones.

    Attributes
    ----------
    bars : Bars
        Without that bar.
    row : mapping of str to float
        Probabilities by column, from these bars.
    spread : Spread
        Of the close one day ahead, from these bars.
    intraday : IntradaySignal
        The session's 5-minute bars beside them.
    """

    bars: Bars
    row: Mapping[str, float]
    spread: Spread
    intraday: IntradaySignal


def direction_signal(
    bars: Bars,
    row: Mapping[str, float],
    base_rates: Mapping[str, float],
    *,
    spreads: Mapping[int, Spread],
    targets: Mapping[int, str],
    iv_percentile: float,
    last_update: str,
    made_at: str,
    demonstrated: Collection[int] = (),
    intraday: IntradaySignal | None = None,
    eve: Eve | None = None,
) -> DirectionSignal:
    """Read all horizons off the last bar.

    Parameters
    ----------
    bars : Bars
        Up to the last bar.
    row, base_rates : mapping of str to float
        Probabilities and base rates by column.
    spreads : mapping of int to Spread
        From `spreads`.
    targets : mapping of int to str
        The session that a horizon ends with, where that is known.
    iv_percentile : float
        Where iv stands in its year, 0 to 1.
    last_update, made_at : str
        End of the last daily bar, and the time of the report: ISO 8601, UTC.
    demonstrated : collection of int
        The horizons at which the walk-forward showed skill: only there is a direction named.
    intraday : IntradaySignal, optional
        Of the last session of the 5-minute bars.
    eve : Eve, optional
        Where the last daily bar is of the session under way and its 5-minute bars were given: today
        is forecast from the eve then.

    Returns
    -------
    DirectionSignal
    """
    spot = float(bars.close[-1])
    horizons = {
        f"t{days}": horizon_forecast(
            days,
            _classes(row, days),
            _classes(base_rates, days),
            spot,
            spreads[days],
            implied_edge(bars, days),
            demonstrated=days in demonstrated,
            target=targets.get(days),
        )
        for days in LABELS
    }
    next_day, day_base_rates = horizons["t1"], _classes(base_rates, 1)
    has_skill = 1 in demonstrated
    if eve is not None:
        bars, intraday = eve.bars, eve.intraday
        close = float(bars.close[-1])
        next_day = horizon_forecast(
            1,
            _classes(eve.row, 1),
            day_base_rates,
            close,
            eve.spread,
            implied_edge(bars, 1),
            demonstrated=has_skill,
        )
    today = today_forecast(
        next_day, day_base_rates, bars, last_update, intraday, demonstrated=has_skill
    )
    return DirectionSignal(
        # A 5-minute bar that is still going on ends later than the report is made.
        today=replace(today, last_update=min(today.last_update, made_at)),
        horizons=horizons,
        risk_score=risk_score(horizons, iv_percentile),
    )


def close_days(*horizon_days: int) -> tuple[int, ...]:
    """Return the horizons whose close gives all spreads, the longest as it can be.

    Parameters
    ----------
    *horizon_days : int
        Of the safe range, and of an option chain, which need one too.

    Returns
    -------
    tuple of int
        Trading days, rising.
    """
    return tuple(sorted({min(days, LONGEST_DAYS) for days in (*horizon_days, *LABELS)}))


def spreads(closes: Mapping[int, tuple[float, float]]) -> dict[int, Spread]:
    """Turn percentiles of the close into spreads.

    Parameters
    ----------
    closes : mapping of int to tuple of float
        By horizon, such as those of `close_days`: log returns at the quantiles `TAILS`.

    Returns
    -------
    dict of int to Spread
        By horizon; beyond the longest horizon of the surface, where that is given, they grow with
        the square root of time.
    """
    found = {days: Spread(lower, upper) for days, (lower, upper) in closes.items()}
    for beyond in LABELS:
        if beyond > LONGEST_DAYS and LONGEST_DAYS in found:
            longest, times = found[LONGEST_DAYS], math.sqrt(beyond / LONGEST_DAYS)
            found[beyond] = Spread(longest.lower * times, longest.upper * times)
    return found


def _classes(values: Mapping[str, float], days: int) -> dict[str, float]:
    return {name: values[output.column] for name, output in DIRECTION[days].items()}


def horizon_forecast(
    horizon_days: int,
    probabilities: Mapping[str, float],
    base_rates: Mapping[str, float],
    spot: float,
    spread: Spread,
    edge: float,
    *,
    demonstrated: bool,
    target: str | None = None,
) -> HorizonForecast:
    """Read one horizon.

    Parameters
    ----------
    horizon_days : int
        One of those of `LABELS`.
    probabilities, base_rates : mapping of str to float
        Of ``down``, ``neutral``, ``up``.
    spot : float
        Index points.
    spread : Spread
        Of the close at the end of the horizon.
    edge : float
        From `implied_edge`.
    demonstrated : bool
        Whether the walk-forward showed skill at this horizon.
    target : str, optional
        The session that the horizon ends with.

    Returns
    -------
    HorizonForecast
    """
    tendency = _tendency(probabilities, base_rates)
    deviation = spread.deviation
    mean = _mean_return(probabilities, 0.0, deviation, edge) if demonstrated else 0.0
    named = _named(tendency, mean)
    return HorizonForecast(
        label=LABELS[horizon_days],
        horizon_days=horizon_days,
        direction=named.upper(),
        tendency=tendency.upper(),
        expected_move_points=spot * math.expm1(mean),
        move_size_points=_size(spot, _MEAN_SIZE * deviation),
        conviction=probabilities[named],
        base_rate=base_rates[named],
        probabilities=dict(probabilities),
        move_interval_80=MoveInterval(
            lower=spot * math.expm1(spread.lower),
            upper=spot * math.expm1(spread.upper),
        ),
        deviation=deviation,
        target=target,
    )


def today_forecast(
    next_day: HorizonForecast,
    base_rates: Mapping[str, float],
    bars: Bars,
    last_update: str,
    intraday: IntradaySignal | None,
    *,
    demonstrated: bool,
) -> TodayForecast:
    """Forecast the session under way, refined by its 5-minute bars where there are any.

    Parameters
    ----------
    next_day : HorizonForecast
        Of one day.
    base_rates : mapping of str to float
        Of ``down``, ``neutral``, ``up`` over one day.
    bars : Bars
        For the last close and the daily range volatilities.
    last_update : str
        End of the last daily bar.
    intraday : IntradaySignal, optional
        Of the last session of the 5-minute bars.
    demonstrated : bool
        Whether the walk-forward showed skill over one day.

    Returns
    -------
    TodayForecast

    Notes
    -----
    The session's return so far updates the model's probabilities by Bayes' rule: a class gains by
    as much as a Brownian path with the forecast deviation, seen at that point, has become likelier
    to end in it. Before the first bar they are the model's. After the last one as much
    stays open as the exchange's close, the mean of its last half hour, may differ from it.
    """
    spot = float(bars.close[-1])
    probabilities, size_points = next_day.probabilities, next_day.move_size_points
    expected_points = next_day.expected_move_points
    under_way = intraday is not None and intraday.relation == "next"
    if intraday is not None and under_way:
        edge, so_far = implied_edge(bars, 1), math.log(intraday.last / spot)
        left = next_day.deviation * math.sqrt(max(1.0 - intraday.elapsed, _CLOSE_VARIANCE))
        probabilities = _updated(probabilities, edge, next_day.deviation, so_far, left)
        size_points = _size(spot, _mean_absolute(so_far, left))
        mean = _mean_return(probabilities, so_far, left, edge) if demonstrated else 0.0
        expected_points = spot * math.expm1(mean)
    volatilities = _range_volatilities(bars)
    seen = intraday is not None and intraday.relation in ("same", "next")
    if intraday is not None and seen and intraday.realised_vol_percent is not None:
        others = volatilities[:-1] if intraday.relation == "same" else volatilities
        volatilities = np.append(others, intraday.realised_vol_percent)
    tendency = _tendency(probabilities, base_rates)
    named = _named(tendency, expected_points)
    return TodayForecast(
        direction=named.upper(),
        tendency=tendency.upper(),
        expected_move_points=expected_points,
        move_size_points=size_points,
        conviction=probabilities[named],
        base_rate=base_rates[named],
        intraday_volatility_score=percentile_rank(volatilities),
        last_update=intraday.last_bar if intraday is not None and seen else last_update,
        probabilities=dict(probabilities),
        basis="5-minute bars" if under_way else "daily bars",
    )


def risk_score(horizons: Mapping[str, HorizonForecast], iv_percentile: float) -> float:
    """Return the mean of normalised entropy and volatility percentile.

    Parameters
    ----------
    horizons : mapping of str to HorizonForecast
        All horizons.
    iv_percentile : float
        Within 0 and 1.

    Returns
    -------
    float
    """
    entropies = [
        -sum(p * math.log(p) for p in forecast.probabilities.values() if p > 0.0)
        for forecast in horizons.values()
    ]
    normalised = sum(entropies) / len(entropies) / math.log(len(CLASSES))
    return min(1.0, 0.5 * normalised + 0.5 * iv_percentile)


def implied_edge(bars: Bars, horizon_days: int) -> float:
    """Return the log return either way up to which a move of some days is NEUTRAL.

    Parameters
    ----------
    bars : Bars
        The last one's iv is read.
    horizon_days : int
        Trading days.

    Returns
    -------
    float
        0.35 of the deviation that iv implies.
    """
    implied = float(bars.iv[-1]) / 100.0 * math.sqrt(horizon_days / TRADING_DAYS)
    return NEUTRAL_DEVIATIONS * implied


def _tendency(probabilities: Mapping[str, float], base_rates: Mapping[str, float]) -> str:
    ratios = {name: probabilities[name] / base_rates[name] for name in CLASSES}
    furthest = max(CLASSES, key=lambda name: ratios[name])
    return furthest if ratios[furthest] >= DIRECTION_LEAN else "neutral"


def _named(tendency: str, mean: float) -> str:
    """Name a side only where the mean move, 0 without skill, goes there too."""
    agrees = {"down": mean < 0.0, "neutral": True, "up": mean > 0.0}[tendency]
    return tendency if agrees else "neutral"


def _size(spot: float, log_size: float) -> float:
    """The smaller of a rise and a fall of that size, so that sizes grow with the horizon."""
    return -spot * math.expm1(-log_size)


def _mean_return(
    probabilities: Mapping[str, float], mean: float, deviation: float, edge: float
) -> float:
    """The mean log return: each class's probability times the mean of a normal one within it."""
    below, above = (-edge - mean) / deviation, (edge - mean) / deviation
    beyond = _density(above), _density(below)
    masses = _normal_classes(mean, deviation, edge)
    leans = {"down": -beyond[1], "neutral": beyond[1] - beyond[0], "up": beyond[0]}
    bounds = {"down": (-math.inf, -edge), "neutral": (-edge, edge), "up": (edge, math.inf)}
    total = 0.0
    for name, (lower, upper) in bounds.items():
        mass = masses[name]
        within = mean + deviation * leans[name] / mass if mass > _LEAST_BEFORE else mean
        # In a class that the normal all but rules out the mean is at its nearer bound.
        total += probabilities[name] * min(max(within, lower), upper)
    return total


def _density(deviations: float) -> float:
    return math.exp(-0.5 * deviations**2) / math.sqrt(2.0 * math.pi)


def _updated(
    probabilities: Mapping[str, float],
    edge: float,
    deviation: float,
    so_far: float,
    left: float,
) -> dict[str, float]:
    before = _normal_classes(0.0, deviation, edge)
    now = _normal_classes(so_far, left, edge)
    weights = {
        name: probabilities[name] * now[name] / max(before[name], _LEAST_BEFORE) for name in CLASSES
    }
    total = sum(weights.values())
    # What the model had ruled out has come about.
    return {name: weight / total for name, weight in weights.items()} if total > 0.0 else now


def _normal_classes(mean: float, deviation: float, edge: float) -> dict[str, float]:
    down = normal_below(-edge - mean, deviation)
    up = normal_below(mean - edge, deviation)
    # A sum of two rounded tails may exceed 1 by an ulp.
    return {"down": down, "neutral": max(0.0, 1.0 - down - up), "up": up}


def _mean_absolute(mean: float, deviation: float) -> float:
    """Mean of the absolute value of a normal variable (the folded normal; Leone et al. 1961)."""
    if deviation == 0.0:
        return abs(mean)
    ratio = mean / deviation
    tail = normal_below(-abs(ratio), 1.0)
    return deviation * _MEAN_SIZE * math.exp(-0.5 * ratio**2) + abs(mean) * (1.0 - 2.0 * tail)


def _range_volatilities(bars: Bars) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Annualised range volatility of single bars, per cent (Parkinson 1980)."""
    ranges = np.log(bars.high[-TRADING_DAYS:] / bars.low[-TRADING_DAYS:])
    return np.asarray(100.0 * math.sqrt(TRADING_DAYS / (4.0 * math.log(2.0))) * ranges)
