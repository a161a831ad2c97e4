"""What a short strangle or condor is worth by the forecast distribution of the close."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from aegismatrix.engine.errors import StrikeError
from aegismatrix.errors import ArgumentError, shown
from aegismatrix.market.arrays import FloatArray, Published, as_real
from aegismatrix.records import dataclass

TAIL = 0.05
"""Expected shortfall is the mean of so large a share of the worst outcomes."""

FURTHEST_DEVIATIONS = 5.0
"""A close further than so many implied deviations counts as one that is as far."""

_CELLS = 1000

Below = Callable[[FloatArray], FloatArray]
"""Levels in index points to P(the close at the end is below them)."""


@dataclass(frozen=True)
class ShortPremium(Published):
    """A short strangle or, with both long legs, a short condor, held to its expiry.

    Amounts are index points for one unit of the index, before costs.

    Attributes
    ----------
    as_of : str
        Day of the last bar, ISO 8601.
    spot : float
        Its close.
    expiry : str or None
        ISO 8601; None where the horizon was given in trading days.
    horizon_days : int
        Trading days.
    put, call : float
        Strikes that are sold.
    long_put, long_call : float or None
        Strikes that are bought, of a condor.
    premium : float
        Received in all; the most that it can earn.
    breakeven_lower, breakeven_upper : float
        Between these closes it earns.
    probability_of_profit : float
        That the close on the expiry lies between them.
    expected_payoff : float
        Mean of the payoff.
    expected_shortfall : float
        Mean payoff of the worst 5 % of outcomes, below 0 where these lose.
    worst_payoff : float
        The worst payoff; of a strangle at the furthest closes that are counted.
    counted_from, counted_to : float
        Closes beyond these count as these: five implied deviations from the last close.

    Examples
    --------
    >>> import aegismatrix as am
    >>> engine, bars = am.Engine(), am.sample_bars()
    >>> sold = engine.short_premium(bars, put=2400, call=2600, premium=40, horizon_days=5)
    >>> sold.breakeven_lower, sold.breakeven_upper
    (2360.0, 2640.0)
    """

    as_of: str
    spot: float
    expiry: str | None
    horizon_days: int
    put: float
    call: float
    long_put: float | None
    long_call: float | None
    premium: float
    breakeven_lower: float
    breakeven_upper: float
    probability_of_profit: float
    expected_payoff: float
    expected_shortfall: float
    worst_payoff: float
    counted_from: float
    counted_to: float

    def payoff(self, close: float) -> float:
        """Return what it pays at the expiry, premium included.

        Parameters
        ----------
        close : float
            The close on the expiry, index points.

        Examples
        --------
        >>> import aegismatrix as am
        >>> engine, bars = am.Engine(), am.sample_bars()
        >>> sold = engine.short_premium(bars, put=2400, call=2600, premium=40, horizon_days=5)
        >>> sold.payoff(2500.0), sold.payoff(2300.0)
        (40.0, -60.0)
        """
        given = as_real(close, "close", "Give a close in index points, 0 or more.")
        if given < 0.0:
            raise ArgumentError("close", shown(close), remedy="Give one of 0 or more.")
        return float(_payoff(np.array([given]), _legs(self), self.premium)[0])


Legs = tuple[float, float, float | None, float | None]


def legs_of(put: object, call: object, long_put: object, long_call: object) -> Legs:
    """Return the four strikes; raise StrikeError if they are none, or not in their order."""

    def strike(given: object, name: str) -> float:
        value = as_real(given, name, "Give a strike in index points above 0.")
        if value <= 0.0:
            raise StrikeError("not_strikes", argument=name, what=shown(given), most=1)
        return value

    sold = strike(put, "put"), strike(call, "call")
    bought = (
        None if long_put is None else strike(long_put, "long_put"),
        None if long_call is None else strike(long_call, "long_call"),
    )
    ordered = [one for one in (bought[0], *sold, bought[1]) if one is not None]
    rising = all(one < other for one, other in pairwise(ordered))
    if not rising or (bought[0] is None) != (bought[1] is None):
        raise StrikeError("legs", what=", ".join(f"{one:g}" for one in ordered))
    return (*sold, *bought)


def premium_of(given: object, legs: Legs) -> float:
    """Return the premium; raise StrikeError if none was received, or nothing can be lost."""
    premium = as_real(given, "premium", "Give index points above 0.")
    put, call, long_put, long_call = legs
    if premium <= 0.0:
        raise StrikeError("premium", what=shown(given))
    if long_put is not None and long_call is not None:
        width = max(put - long_put, long_call - call)
        if premium >= width:
            raise StrikeError("riskless", what=f"{premium:g}", width=width)
    return premium


def breakevens_of(legs: Legs, premium: float) -> tuple[float, float]:
    """Return the closes between which it earns: 0 or infinity where a wing cannot lose."""
    put, call, long_put, long_call = legs
    lower, upper = put - premium, call + premium
    if long_put is not None and lower <= long_put:
        lower = 0.0
    if long_call is not None and upper >= long_call:
        upper = np.inf
    return max(lower, 0.0), upper


def outcomes_of(
    below: Below, legs: Legs, premium: float, counted: tuple[float, float]
) -> tuple[float, float, float]:
    """Return mean, expected shortfall and worst payoff.

    The distribution is cut into cells between levels; every strike is one, so that the payoff is a
    straight line in each, and its mean that of its ends.
    """
    strikes = [one for one in legs if one is not None and counted[0] < one < counted[1]]
    levels = np.unique(np.concatenate([np.geomspace(*counted, _CELLS), strikes]))
    at_most = below(levels)
    at_levels = _payoff(levels, legs, premium)
    mass = np.concatenate([at_most[:1], np.diff(at_most), 1.0 - at_most[-1:]])
    paid = np.concatenate([at_levels[:1], (at_levels[:-1] + at_levels[1:]) / 2, at_levels[-1:]])
    worst_first = np.argsort(paid, kind="stable")
    so_far = np.cumsum(mass[worst_first])
    taken = np.diff(np.minimum(so_far, TAIL), prepend=0.0)
    shortfall = float(taken @ paid[worst_first]) / TAIL
    return float(mass @ paid), shortfall, float(at_levels.min())


def _legs(sold: ShortPremium) -> Legs:
    return sold.put, sold.call, sold.long_put, sold.long_call


def _payoff(close: FloatArray, legs: Legs, premium: float) -> FloatArray:
    put, call, long_put, long_call = legs
    paid = premium - np.maximum(put - close, 0.0) - np.maximum(close - call, 0.0)
    if long_put is not None:
        paid += np.maximum(long_put - close, 0.0)
    if long_call is not None:
        paid += np.maximum(close - long_call, 0.0)
    return np.asarray(paid)
