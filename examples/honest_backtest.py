"""Sell the safe range, out of sample, and print what it would have brought, whatever that is.

Usage: python examples/honest_backtest.py --index nifty_daily.csv --iv india_vix_daily.csv

Every session a twentieth of the capital sells a strangle on the edges of the safe range, a put on
the lower and a call on the upper one, and holds it for 20 sessions. Three rules are compared: every
day; days of a calm trap and little stress; and the other days. Trap and stress are what the
walk-forward said, the edges those of fits that had seen nothing later, and what is calm is decided
by the forecasts made before: nothing here knows its future.

What is assumed, since there are no prices of options here: both options are worth what Black and
Scholes (1973) say with the volatility index for every strike, no rates and no dividends, both when
they are sold and at every close until they end. Real puts cost more than that and real calls less.
The buyer pays a haircut less, and each option costs a share of the index. Margins, taxes, gaps
between a close and a fill, and a volatility index that is not that of 20 sessions are left out.
Edges are as far away in log below as above.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from math import erf, sqrt

import numpy as np
from numpy.typing import NDArray

import aegismatrix as am

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

HORIZON_DAYS, CONFIDENCE = 20, 0.80
YEAR = 252
BLOCK_DAYS, SAMPLES, SEED = 2 * max(HORIZON_DAYS, 21), 2000, 20240517
_NEAREST, _FURTHEST, _HALVINGS = 1e-4, 1.0, 40
_LEAST_PAST = 60
_ERF = np.frompyfunc(erf, 1, 1)


@dataclass(frozen=True, eq=False)
class Sold:
    """Every strangle that could have been sold, one a session, in shares of the index.

    Attributes
    ----------
    dates : ndarray of shape (n,), datetime64[D]
        When each was sold.
    premium : ndarray of shape (n,)
        What was received, after the haircut and all costs.
    marked : ndarray of shape (n, HORIZON_DAYS + 1)
        What it was worth at each close from the first to the last.
    touched : ndarray of shape (n,), bool
        Whether a high or a low left the range.
    calm : ndarray of shape (n,), bool
        Whether trap and stress were at most the mean of what had been forecast before.
    """

    dates: NDArray[np.datetime64]
    premium: FloatArray
    marked: FloatArray
    touched: BoolArray
    calm: BoolArray

    def gains(self) -> FloatArray:
        """Return what each brought in the end."""
        return self.premium - self.marked[:, -1]

    def daily(self, chosen: BoolArray) -> FloatArray:
        """Return what all that are open brought from close to close, a tranche each."""
        worth = self.marked.copy()
        changes = -np.diff(worth, axis=1)
        changes[:, 0] += self.premium - worth[:, 0]
        total = np.zeros(len(worth) + HORIZON_DAYS - 1)
        for day in range(HORIZON_DAYS):
            total[day : day + len(worth)] += np.where(chosen, changes[:, day], 0.0)
        return total / HORIZON_DAYS


def strangle(
    spot: FloatArray, lower: FloatArray, upper: FloatArray, iv_percent: FloatArray, days: int
) -> FloatArray:
    """Return what a put on the lower and a call on the upper edge are worth, so many sessions on.

    Black and Scholes (1973) without rates; at the end, what they pay.
    """
    if days == 0:
        return np.maximum(lower - spot, 0.0) + np.maximum(spot - upper, 0.0)
    deviation = iv_percent / 100.0 * sqrt(days / YEAR)
    put = lower * _below(lower, spot, deviation, 0.5) - spot * _below(lower, spot, deviation, -0.5)
    call = spot * _below(spot, upper, deviation, 0.5) - upper * _below(spot, upper, deviation, -0.5)
    return put + call


def _below(one: FloatArray, other: FloatArray, deviation: FloatArray, shift: float) -> FloatArray:
    """Return the normal distribution function of ln(one / other) in deviations, shifted."""
    at = np.log(one / other) / deviation + shift * deviation
    return np.asarray(0.5 * (1.0 + _ERF(at / sqrt(2.0)).astype(np.float64)))


def edges(engine: am.Engine, forecast: am.Forecast) -> FloatArray:
    """Return the log distance at which either edge was touched with 20 %, day by day.

    By halving: P(touch) falls with the distance.
    """
    low, high = np.full(len(forecast), _NEAREST), np.full(len(forecast), _FURTHEST)
    for _ in range(_HALVINGS):
        middle = np.sqrt(low * high)
        touch = engine.unseen("breach", forecast, horizon_days=HORIZON_DAYS, distance=middle)
        nearer = touch > 1.0 - CONFIDENCE
        low, high = np.where(nearer, middle, low), np.where(nearer, high, middle)
    return np.sqrt(low * high)


def is_calm(*scores: FloatArray) -> BoolArray:
    """Say on which days each score was at most the mean of those before it."""
    calm = np.ones(len(scores[0]), dtype=bool)
    for score in scores:
        before = np.cumsum(score) - score
        count = np.arange(len(score))
        calm &= (count >= _LEAST_PAST) & (score * count <= before)
    return calm


def sell(engine: am.Engine, bars: am.Bars, haircut: float, cost: float) -> Sold:
    """Sell a strangle on every session that has a forecast out of sample and 20 sessions after it.

    Raises
    ------
    AegisError
        If the artifacts seal no forecasts of the walk-forward, or not of these bars.
    """
    forecast = engine.history(bars, out_of_sample=True)
    table = forecast.table()
    calm = is_calm(table["trap_20"], 0.5 * table["regime_medium"] + table["regime_high"])
    distance = edges(engine, forecast)
    rows = np.searchsorted(bars.dates, forecast.dates)
    # The edges of the first days may be those of no fit.
    whole = (rows + HORIZON_DAYS < len(bars)) & (distance < 0.99 * _FURTHEST)
    rows, distance, calm = rows[whole], distance[whole], calm[whole]
    spot = bars.close[rows]
    lower, upper = spot * np.exp(-distance), spot * np.exp(distance)
    marked = np.column_stack(
        [
            strangle(bars.close[rows + day], lower, upper, bars.iv[rows + day], HORIZON_DAYS - day)
            for day in range(HORIZON_DAYS + 1)
        ]
    )
    ahead = rows[:, None] + np.arange(1, HORIZON_DAYS + 1)
    touched = (bars.low[ahead].min(axis=1) < lower) | (bars.high[ahead].max(axis=1) > upper)
    marked = marked / spot[:, None]
    premium = marked[:, 0] * (1.0 - haircut) - 2.0 * cost
    return Sold(bars.dates[rows], premium, marked, touched, calm)


def interval(gains: FloatArray, chosen: BoolArray) -> tuple[float, float]:
    """Return the 95 % interval of the mean gain, by a circular block bootstrap over all days."""
    count = len(gains)
    random = np.random.default_rng(SEED)
    starts = random.integers(0, count, (SAMPLES, -(-count // BLOCK_DAYS)))
    rows = ((starts[:, :, None] + np.arange(BLOCK_DAYS)) % count).reshape(SAMPLES, -1)[:, :count]
    number = chosen[rows].sum(axis=1)
    means = np.where(chosen, gains, 0.0)[rows].sum(axis=1) / np.maximum(number, 1)
    lower, upper = np.quantile(means[number > 0], [0.025, 0.975])
    return float(lower), float(upper)


def drawdown(daily: FloatArray) -> float:
    """Return how far the sum of gains fell at most below what it had been."""
    total = np.concatenate([[0.0], np.cumsum(daily)])
    return float((np.maximum.accumulate(total) - total).max())


def lines(sold: Sold) -> list[str]:
    """Return the table: a line for each rule, figures in per cent of the index."""
    gains = sold.gains()
    said = [
        f"{len(gains)} strangles, {sold.dates[0]} to {sold.dates[-1]}, in per cent of the index",
        f"{'sold':<12} {'days':>5} {'mean gain':>9}  {'95 % interval':<18} {'won':>6} {'worst':>7}"
        f" {'a year':>7} {'drawdown':>8} {'touched':>8}",
    ]
    every = np.ones(len(gains), dtype=bool)
    for name, chosen in (("every day", every), ("calm", sold.calm), ("not calm", ~sold.calm)):
        if not chosen.any():
            said.append(f"{name:<12} {0:>5}")
            continue
        of_rule, daily = gains[chosen], sold.daily(chosen)
        lower, upper = interval(gains, chosen)
        said.append(
            f"{name:<12} {len(of_rule):>5} {of_rule.mean():>9.3%}  [{lower:>7.3%},{upper:>8.3%}]"
            f" {(of_rule > 0.0).mean():>6.1%} {of_rule.min():>7.2%}"
            f" {daily.mean() * YEAR:>7.2%} {drawdown(daily):>8.2%}"
            f" {sold.touched[chosen].mean():>8.1%}"
        )
    return [*said, f"stated: touched on {1.0 - CONFIDENCE:.0%} of days"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--index", required=True, help="daily bars as CSV, those of the training")
    parser.add_argument("--iv", required=True, help="the volatility index as CSV")
    parser.add_argument("--market", default="nifty", help="whose bars they are (%(default)s)")
    parser.add_argument("--models", help="a folder of artifacts (default: the bundled one)")
    parser.add_argument(
        "--haircut",
        type=float,
        default=0.10,
        help="share of premium not received (%(default)s)",
    )
    parser.add_argument(
        "--cost", type=float, default=0.0002, help="share of the index per option (%(default)s)"
    )
    given = parser.parse_args(arguments)
    try:
        bars = am.Bars.from_csv(given.index, iv=given.iv, market=given.market)
        sold = sell(am.Engine(given.models), bars, given.haircut, given.cost)
    except am.AegisError as error:
        print(error, file=sys.stderr)
        return 2
    print("\n".join(lines(sold)))
    print(
        f"haircut {given.haircut:.0%} of the premium, cost {given.cost:.2%} of the index an option"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
