"""What an option chain says: max pain and where open interest lies."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from aegismatrix.market.arrays import FloatArray
from aegismatrix.market.chain import OptionChain
from aegismatrix.market.statistics import contrast


class ChainSkew(NamedTuple):
    """Where open interest lies, each within -1 and 1 by construction.

    Attributes
    ----------
    put_skew : float
        Out-of-the-money against in-the-money puts, ``(otm - itm) / (otm + itm)``: strikes below
        spot against those above.
    call_skew : float
        The same for calls: strikes above spot against those below.
    net_skew : float
        All puts against all calls, ``(puts - calls) / (puts + calls)``: above 0 more puts are open.
    """

    put_skew: float
    call_skew: float
    net_skew: float


def max_pain_strike(chain: OptionChain) -> float:
    """Return the strike at which the holders of all options receive least.

    Parameters
    ----------
    chain : OptionChain
        Of one expiry.

    Returns
    -------
    float
        The strike S, in index points, that minimises ``sum(calls * max(S - K, 0)) + sum(puts *
        max(K - S, 0))`` over all strikes K; the lowest of them where several do.

    Notes
    -----
    The sum is convex in S and between two strikes its slope is the open interest of the calls at or
    below the lower one, less that of the puts at or above the upper. It is least where the slope
    stops being negative, so sums of open interest alone decide, and whole numbers decide exactly.
    """
    calls_at_or_below = np.cumsum(chain.call_open_interest)
    puts_at_or_above = np.cumsum(chain.put_open_interest[::-1])[::-1]
    slopes = calls_at_or_below[:-1] - puts_at_or_above[1:]
    return float(chain.strikes[int(np.count_nonzero(slopes < 0))])


def max_pain_zone(chain: OptionChain) -> tuple[float, float]:
    """Return the zone whose closes are nearest to the max-pain strike.

    Parameters
    ----------
    chain : OptionChain
        Of one expiry.

    Returns
    -------
    lower, upper : float
        Index points: midway to the strikes below and above; where there is no such strike, as far
        as midway to the other.
    """
    strikes = chain.strikes
    place = int(np.searchsorted(strikes, max_pain_strike(chain)))
    steps = np.diff(strikes)
    strike = float(strikes[place])
    # Strikes that grow by leaps must not push a mirrored zone to 0.
    below = min(float(steps[max(place - 1, 0)]), strike) / 2.0
    above = float(steps[min(place, len(steps) - 1)]) / 2.0
    return strike - below, strike + above


def chain_skew(chain: OptionChain, spot: float) -> ChainSkew:
    """Contrast open interest on either side of spot, and of puts with calls.

    Parameters
    ----------
    chain : OptionChain
        Of one expiry.
    spot : float
        Index points, within the strikes. A strike at spot is neither in nor out of the money.

    Returns
    -------
    ChainSkew
        0 where there is no open interest to contrast.

    Raises
    ------
    ChainError
        If spot lies outside of the strikes.
    """
    chain.check_spot(spot)
    below, above = chain.strikes < spot, chain.strikes > spot
    calls, puts = chain.call_open_interest, chain.put_open_interest
    return ChainSkew(
        put_skew=contrast(_sum(puts[below]), _sum(puts[above])),
        call_skew=contrast(_sum(calls[above]), _sum(calls[below])),
        net_skew=contrast(_sum(puts), _sum(calls)),
    )


def put_call_ratio(chain: OptionChain) -> float | None:
    """Return the open interest of all puts over that of all calls.

    Parameters
    ----------
    chain : OptionChain
        Of one expiry.

    Returns
    -------
    float or None
        At least 0; None where no call is open.
    """
    calls = _sum(chain.call_open_interest)
    return _sum(chain.put_open_interest) / calls if calls > 0.0 else None


def _sum(values: FloatArray) -> float:
    return float(values.sum())
