"""What a trader asks: this strike, by this expiry."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np

from aegismatrix.engine.errors import StrikeError
from aegismatrix.errors import shown
from aegismatrix.market.arrays import (
    LEAST_DISTANCE,
    LONGEST_DAYS,
    MOST_DISTANCE,
    FloatArray,
    Published,
    array_of,
    as_rows,
    as_whole,
    is_masked_array,
    whole_day,
)
from aegismatrix.market.bars import Bars
from aegismatrix.records import dataclass

MOST_STRIKES = 10_000
"""So many strikes at once."""

_ROWS = "Give one, or a list of them."


@dataclass(frozen=True, eq=False)
class StrikeTable(Published):
    """One probability for each expiry and strike.

    Attributes
    ----------
    question : {'touch', 'beyond'}
        A touch of the strike by the expiry, or a close beyond it on the expiry.
    as_of : str
        Day of the last bar, ISO 8601.
    spot : float
        Its close, index points.
    expiries : tuple of str
        E sessions, ISO 8601; empty where horizons were given in trading days.
    horizon_days : tuple of int
        Trading days to each of the E.
    strikes : ndarray of shape (K,), float64
        Index points.
    sides : tuple of str
        Of each strike: ``lower`` below spot, ``upper`` above it.
    probability : ndarray of shape (E, K), float64
        The answer.

    Examples
    --------
    >>> import aegismatrix as am
    >>> table = am.Engine().touch(am.sample_bars(), strike=[2400, 2600], horizon_days=5)
    >>> table.sides, table.probability.shape
    (('lower', 'upper'), (1, 2))
    """

    question: str
    as_of: str
    spot: float
    expiries: tuple[str, ...]
    horizon_days: tuple[int, ...]
    strikes: FloatArray
    sides: tuple[str, ...]
    probability: FloatArray

    def rows(self) -> list[dict[str, Any]]:
        """Return plain values for each expiry and strike.

        Examples
        --------
        >>> import aegismatrix as am
        >>> table = am.Engine().touch(am.sample_bars(), strike=2600, horizon_days=5)
        >>> [list(row) for row in table.rows()]
        [['horizon_days', 'strike', 'side', 'probability']]
        """
        return [
            {
                **_when(self.expiries, self.horizon_days, place),
                "strike": float(strike),
                "side": side,
                "probability": float(probability),
            }
            for place, of_expiry in enumerate(self.probability)
            for strike, side, probability in zip(self.strikes, self.sides, of_expiry, strict=True)
        ]


@dataclass(frozen=True, eq=False)
class SurvivalTable(Published):
    """P(neither strike is touched) for each expiry and pair of strikes.

    Attributes
    ----------
    as_of, spot, expiries, horizon_days
        As of a `StrikeTable`.
    lower, upper : ndarray of shape (P,), float64
        The pairs, index points.
    probability : ndarray of shape (E, P), float64
        That no low reaches the lower strike and no high the upper one.

    Examples
    --------
    >>> import aegismatrix as am
    >>> table = am.Engine().survive(am.sample_bars(), lower=2300, upper=2700, horizon_days=[5, 20])
    >>> table.probability.shape
    (2, 1)
    """

    as_of: str
    spot: float
    expiries: tuple[str, ...]
    horizon_days: tuple[int, ...]
    lower: FloatArray
    upper: FloatArray
    probability: FloatArray

    def rows(self) -> list[dict[str, Any]]:
        """Return plain values for each expiry and pair of strikes.

        Examples
        --------
        >>> import aegismatrix as am
        >>> table = am.Engine().survive(am.sample_bars(), lower=2300, upper=2700, horizon_days=5)
        >>> [list(row) for row in table.rows()]
        [['horizon_days', 'lower', 'upper', 'probability']]
        """
        return [
            {
                **_when(self.expiries, self.horizon_days, place),
                "lower": float(lower),
                "upper": float(upper),
                "probability": float(probability),
            }
            for place, of_expiry in enumerate(self.probability)
            for lower, upper, probability in zip(self.lower, self.upper, of_expiry, strict=True)
        ]


def _when(expiries: Sequence[str], horizon_days: Sequence[int], place: int) -> dict[str, Any]:
    expiry = {"by": expiries[place]} if expiries else {}
    return {**expiry, "horizon_days": horizon_days[place]}


def strikes_of(given: object, argument: str) -> FloatArray:
    """Return strikes as a row; raise StrikeError if they are none."""
    refused = StrikeError("not_strikes", argument=argument, what=shown(given), most=MOST_STRIKES)
    try:
        values = array_of(given)
    except Exception as error:
        # What is no array is converted by its own code, which may raise anything.
        raise refused from error
    hidden = is_masked_array(given) and np.ma.is_masked(given)
    of_truth = isinstance(given, list | tuple) and any(isinstance(one, bool) for one in given)
    fits = values.dtype.kind in "iuf" and values.ndim <= 1 and 0 < values.size <= MOST_STRIKES
    if hidden or of_truth or not fits:
        raise refused
    with np.errstate(over="ignore"):
        row = np.atleast_1d(values.astype(np.float64))
    if not (np.isfinite(row) & (row > 0.0)).all():
        raise refused
    return row


def distances_to(strikes: FloatArray, spot: float) -> FloatArray:
    """Return log distances, below 0 for a strike below spot; raise StrikeError if out of reach."""
    # A quotient may be beyond what a float holds where the strike is of another index.
    with np.errstate(divide="ignore", over="ignore"):
        signed = np.log(strikes / spot)
    for strike, distance in zip(strikes.tolist(), signed.tolist(), strict=True):
        if distance == 0.0:
            raise StrikeError("at_spot", what=f"{strike:g}")
        if not LEAST_DISTANCE <= abs(distance) <= MOST_DISTANCE:
            raise StrikeError("out_of_reach", what=f"{strike:g}", spot=spot)
    return np.asarray(signed)


def pairs_of(lower: object, upper: object, spot: float) -> tuple[FloatArray, FloatArray]:
    """Return lower and upper strikes of one length, on their own side of spot each."""
    below, above = strikes_of(lower, "lower"), strikes_of(upper, "upper")
    if len(below) != len(above) and 1 not in (len(below), len(above)):
        raise StrikeError("unpaired", what=f"{len(below)} lower and {len(above)} upper ones")
    of_pairs = np.array(np.broadcast_arrays(below, above))
    for argument, strikes, fits in (
        ("lower", of_pairs[0], of_pairs[0] < spot),
        ("upper", of_pairs[1], of_pairs[1] > spot),
    ):
        if not fits.all():
            what = f"{strikes[~fits][0]:g}"
            raise StrikeError("crossed", argument=argument, what=what, spot=spot)
    return of_pairs[0], of_pairs[1]


def horizons_of(
    bars: Bars, by: object, horizon_days: object
) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Return expiries and the trading days to each, counted by the exchange's calendar.

    Raise StrikeError if one cannot be answered, CalendarError if it lies beyond the calendar.
    """
    if (by is None) == (horizon_days is None):
        raise StrikeError("when")
    if by is None:
        days = tuple(
            as_whole(one, "horizon_days", least=1, most=LONGEST_DAYS, unit="trading days")
            for one in _listed(horizon_days, "horizon_days")
        )
        _check_different([f"{one} trading days" for one in days])
        return (), days
    expiries = [date.fromisoformat(str(whole_day(one))) for one in _listed(by, "by")]
    _check_different([day.isoformat() for day in expiries])
    return tuple(map(date.isoformat, expiries)), tuple(_days_to(bars, day) for day in expiries)


def _listed(given: object, argument: str) -> tuple[Any, ...]:
    is_row = isinstance(given, list | tuple) or (isinstance(given, np.ndarray) and given.ndim > 0)
    rows = as_rows(given, argument, _ROWS) if is_row else (given,)
    if not rows:
        raise StrikeError("when")
    return rows


def _days_to(bars: Bars, expiry: date) -> int:
    as_of: date = bars.dates[-1].item()
    calendar = bars.market.reaching(as_of).calendar
    day, last = expiry.isoformat(), as_of.isoformat()
    if calendar is None:
        raise StrikeError("no_calendar", what=day, market=bars.market.name)
    if expiry <= as_of:
        raise StrikeError("passed", what=day, as_of=last)
    if not calendar.is_session(expiry):
        raise StrikeError("no_session", what=day)
    days = calendar.trading_days_between(as_of, expiry)
    if not 1 <= days <= LONGEST_DAYS:
        raise StrikeError("too_far", what=day, as_of=last, days=days, most=LONGEST_DAYS)
    return days


def _check_different(names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise StrikeError("twice", what=name)
