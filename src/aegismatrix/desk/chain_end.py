"""When an option chain ends, seen from the last bar, and what is odd about it."""

from __future__ import annotations

from datetime import date

from aegismatrix.market.arrays import LONGEST_DAYS
from aegismatrix.market.bars import Bars
from aegismatrix.market.chain import OptionChain
from aegismatrix.market.errors import ChainError
from aegismatrix.records import dataclass


@dataclass(frozen=True)
class ChainEnd:
    """The horizon that a chain's max pain is of.

    Attributes
    ----------
    horizon_days : int or None
        Trading days to it; None where they are not known.
    expiry : str or None
        Its day, ISO 8601; None where the chain names none.
    notes : tuple of str
        What a reader has to know of the chain, a sentence each.
    """

    horizon_days: int | None
    expiry: str | None
    notes: tuple[str, ...]

    @property
    def surface_days(self) -> int | None:
        """The horizon, where the breach surface reaches as far."""
        days = self.horizon_days
        return days if days is not None and 1 <= days <= LONGEST_DAYS else None


def chain_end(chain: OptionChain, bars: Bars, horizon_days: int, *, is_over: bool) -> ChainEnd:
    """Return when a chain ends.

    Parameters
    ----------
    chain : OptionChain
        Of one expiry.
    bars : Bars
        The last one is looked at.
    horizon_days : int
        Of the safe range, for a chain that names no expiry.
    is_over : bool
        Whether the last bar's session is over, and contracts of its day gone with it.

    Returns
    -------
    ChainEnd

    Raises
    ------
    ChainError
        If its expiry has passed, or is none of the market's.
    """
    notes = _gaps(chain, bars)
    if chain.expiry is None:
        notes.append(
            f"The option chain {chain.source} names no expiry: its max pain is said of the safe"
            " range's horizon (--chain-expiry DATE says when it ends)."
        )
        return ChainEnd(horizon_days, None, tuple(notes))
    ends, today = date.fromisoformat(chain.expiry), bars.dates[-1].item()
    if ends < today or (ends == today and is_over):
        raise ChainError(chain.source, "expiry", f"{ends}, which has passed by {today}")
    days = _trading_days(chain, bars, today, ends)
    found = ChainEnd(days, chain.expiry, ())
    if found.surface_days is None:
        reason = "its trading days are not known" if days is None else f"{days} trading days ahead"
        notes.append(
            f"Max pain has no probability: the option chain expires on {ends}, {reason}, and the"
            f" breach surface reaches from 1 to {LONGEST_DAYS}."
        )
    return ChainEnd(days, chain.expiry, tuple(notes))


def _trading_days(chain: OptionChain, bars: Bars, today: date, ends: date) -> int | None:
    """Count the sessions to an expiry; None where nobody knows them."""
    market = bars.market.reaching(ends)
    calendar = market.calendar
    if calendar is None or not calendar.first <= today <= ends <= calendar.last:
        return None
    rule = market.expiries
    if rule is None:
        is_known = calendar.is_session(ends)
    else:
        is_known = any(len(market.expiry_days(ends, ends, kind)) for kind in rule.kinds)
    if not is_known:
        raise ChainError(
            chain.source,
            "expiry",
            f"{ends}, on which nothing of {market.title} expires",
            remedy="Give the day of an expiry of this market (expiry=..., --chain-expiry DATE); on"
            " a holiday it is the session before.",
        )
    return calendar.trading_days_between(today, ends)


def _gaps(chain: OptionChain, bars: Bars) -> list[str]:
    step = bars.market.strike_step_points or chain.smallest_step_points
    missing = chain.strikes_left_out(step)
    if not missing:
        return []
    return [
        f"The option chain {chain.source} leaves out {missing} strikes between"
        f" {chain.strikes[0]:g} and {chain.strikes[-1]:g}, {step:g} points apart: max pain may be"
        " off by as much."
    ]
