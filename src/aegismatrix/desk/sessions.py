"""What a report says of the exchange's calendar: its end, and what is only provisional."""

from __future__ import annotations

from datetime import date
from typing import Any

from aegismatrix.market.bars import Bars
from aegismatrix.market.events import LABELS
from aegismatrix.market.market import market_named
from aegismatrix.market.windows import sessions_ahead

CALENDAR_WARNING_DAYS = 45
"""So many calendar days before its end a calendar is said to end."""


def calendar_notes(bars: Bars, expiry: str | None = None) -> list[str]:
    """Say that the calendar ends soon, or has ended.

    Parameters
    ----------
    bars : Bars
        The last one is looked at, not the clock: the same bars give the same notes.
    expiry : str, optional
        That the safe range ends with, ISO 8601.

    Returns
    -------
    list of str
        A sentence each.
    """
    calendar = bars.market.calendar
    if calendar is None:
        return []
    today: date = bars.dates[-1].item()
    ends = calendar.declared_to
    notes = []
    if (ends - today).days <= CALENDAR_WARNING_DAYS:
        ended = "ended" if today > ends else "ends"
        # A newer package has a newer table of its own exchange alone.
        shipped = market_named("nifty").calendar
        newer = ", or update the package" if calendar == shipped else ""
        notes.append(
            f"The exchange's calendar {calendar.name} {ended} on {ends}: give a newer table"
            f" (--calendar FILE){newer}."
        )
    if today > ends or (expiry is not None and calendar.is_provisional(expiry)):
        notes.append(
            f"Sessions after {ends} are provisional, weekdays less fixed holidays: an expiry may be"
            " on another day, and a horizon end on another one."
        )
    return notes


def calendar_facts(bars: Bars) -> dict[str, Any] | None:
    """Return which calendar the sessions were counted on.

    Parameters
    ----------
    bars : Bars
        Of any market.

    Returns
    -------
    dict or None
        ``name`` and ``declared_to``; None of a market without a calendar.
    """
    calendar = bars.market.calendar
    if calendar is None:
        return None
    return {"name": calendar.name, "declared_to": calendar.declared_to.isoformat()}


def targets(bars: Bars) -> dict[int, str]:
    """Return the sessions that the horizons of the direction end with.

    Parameters
    ----------
    bars : Bars
        The last one is looked at.

    Returns
    -------
    dict of int to str
        By horizon, ISO 8601; those beyond what is declared are left out.
    """
    ahead = sessions_ahead(bars, max(LABELS))
    return {days: str(ahead[days - 1]) for days in LABELS if days <= len(ahead)}
