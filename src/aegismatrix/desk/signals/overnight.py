"""The next session as it looks once the US markets have closed."""

from __future__ import annotations

from collections.abc import Mapping

from aegismatrix.market.arrays import Published
from aegismatrix.market.events import OVERNIGHT_DIRECTION, OVERNIGHT_SPIKE
from aegismatrix.market.overnight import Nights
from aegismatrix.records import dataclass


@dataclass(frozen=True)
class OvernightSignal(Published):
    """What is said of the next session with the US close in hand.

    It is about the move from NIFTY's last close, and most of what it foresees is the opening gap:
    whoever can only trade after the open does not earn it.

    Attributes
    ----------
    us_as_of : str
        The last US session before the next one of NSE, ISO 8601.
    us_sessions : int
        US sessions that closed since NIFTY's last close: 0 on a US holiday.
    us_close : float
        The S&P 500 at that session's close, index points.
    us_return : float
        Its return since the last US close before NIFTY's last session, as a fraction.
    us_vix, us_vix_change : float
        The VIX at that close, per cent a year, and its change in points over the same time.
    probabilities, base_rates : mapping of str to float
        Of ``down``, ``neutral``, ``up``: the next session's return against 0.35 implied deviations
        either way, and how often each came.
    spike_probabilities, spike_base_rates : mapping of str to float
        Of ``down`` and ``up``: the next session leaves its usual range to that side.
    """

    us_as_of: str
    us_sessions: int
    us_close: float
    us_return: float
    us_vix: float
    us_vix_change: float
    probabilities: Mapping[str, float]
    base_rates: Mapping[str, float]
    spike_probabilities: Mapping[str, float]
    spike_base_rates: Mapping[str, float]


def overnight_signal(
    night: Nights, row: Mapping[str, float], base_rates: Mapping[str, float]
) -> OvernightSignal:
    """Read the forecast of one night.

    Parameters
    ----------
    night : Nights
        Its last one is read; it must be known.
    row, base_rates : mapping of str to float
        Probabilities and base rates by column of ``overnight.onnx``.

    Returns
    -------
    OvernightSignal
    """
    close, before = float(night.us_close[-1]), float(night.us_close_before[-1])
    vix = float(night.us_vix[-1])
    return OvernightSignal(
        us_as_of=str(night.us_dates[-1]),
        us_sessions=int(night.sessions[-1]),
        us_close=close,
        us_return=close / before - 1.0,
        us_vix=vix,
        us_vix_change=vix - float(night.us_vix_before[-1]),
        probabilities={name: row[one.column] for name, one in OVERNIGHT_DIRECTION.items()},
        base_rates={name: base_rates[one.column] for name, one in OVERNIGHT_DIRECTION.items()},
        spike_probabilities={side: row[one.column] for side, one in OVERNIGHT_SPIKE.items()},
        spike_base_rates={side: base_rates[one.column] for side, one in OVERNIGHT_SPIKE.items()},
    )
