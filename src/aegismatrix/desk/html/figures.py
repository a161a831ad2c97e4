"""Numbers and days as a trader reads them."""

from __future__ import annotations

import math
from datetime import date, datetime

from aegismatrix.market.intraday import MARKET

MINUS = "\N{MINUS SIGN}"
SPACE = "\N{NO-BREAK SPACE}"
_TINY = 0.0005


def point_digits(spot: float) -> int:
    """Return how many decimals an index level of that size needs: four significant figures.

    Parameters
    ----------
    spot : float
        Index points, above 0.

    Returns
    -------
    int
    """
    return max(0, 3 - math.floor(math.log10(spot)))


def points(value: float, digits: int = 0) -> str:
    """Return index points with thousands grouped.

    Parameters
    ----------
    value : float
    digits : int
        Decimals.

    Returns
    -------
    str
    """
    text = f"{abs(value):,.{digits}f}"
    return f"{MINUS}{text}" if value < 0 and _shows_more_than_zero(text) else text


def signed_points(value: float, digits: int = 0) -> str:
    """Return index points with their sign; none where zero is what shows.

    Parameters
    ----------
    value : float
    digits : int
        Decimals.

    Returns
    -------
    str
    """
    text = points(value, digits)
    return f"+{text}" if value > 0 and _shows_more_than_zero(text) else text


def percent(fraction: float) -> str:
    """Return a probability or share as per cent: one decimal below 10, none from there on.

    A probability that only rounds to nothing or to certainty says so.

    Parameters
    ----------
    fraction : float
        0 to 1.

    Returns
    -------
    str
    """
    return f"{bare_percent(fraction)}{SPACE}%"


def bare_percent(fraction: float) -> str:
    """Return what `percent` returns without its unit, for a column whose heading names it.

    Parameters
    ----------
    fraction : float
        0 to 1.

    Returns
    -------
    str
    """
    if 0.0 < fraction < _TINY:
        return "<0.1"
    if 0.995 <= fraction < 1.0:
        return ">99"
    return f"{100.0 * fraction:.{1 if 0.0 < fraction < 0.0995 else 0}f}"


def signed_percent(fraction: float) -> str:
    """Return a change as per cent with its sign and one decimal.

    Parameters
    ----------
    fraction : float

    Returns
    -------
    str
    """
    return f"{signed_points(100.0 * fraction, 1)}{SPACE}%"


def whole_percent(fraction: float) -> str:
    """Return a stated share, such as a confidence, without decimals it does not have.

    Parameters
    ----------
    fraction : float
        0 to 1.

    Returns
    -------
    str
    """
    return f"{100.0 * fraction:.4g}{SPACE}%"


def indian_clock(iso: str) -> str:
    """Return a moment as the time of day in Mumbai, such as 09:15.

    Parameters
    ----------
    iso : str
        ISO 8601 with ``Z``.

    Returns
    -------
    str
    """
    # Python 3.10 does not read "Z".
    moment = datetime.fromisoformat(iso.replace("Z", "+00:00"))
    return f"{moment.astimezone(MARKET.clock):%H:%M}"


def long_day(iso: str) -> str:
    """Return a day in full, such as Monday 31 December 2018.

    Parameters
    ----------
    iso : str
        ISO 8601, a day or a moment.

    Returns
    -------
    str
    """
    day = date.fromisoformat(iso[:10])
    return f"{_DAYS[day.weekday()]} {day.day} {_MONTHS[day.month - 1]} {day.year}"


def short_day(iso: str) -> str:
    """Return a day in short, such as 31 Dec 2018.

    Parameters
    ----------
    iso : str
        ISO 8601, a day or a moment.

    Returns
    -------
    str
    """
    day = date.fromisoformat(iso[:10])
    return f"{day.day}{SPACE}{short_month(iso)}{SPACE}{day.year}"


def short_month(iso: str) -> str:
    """Return a month in short, such as Dec.

    Parameters
    ----------
    iso : str
        ISO 8601.

    Returns
    -------
    str
    """
    return _MONTHS[int(iso[5:7]) - 1][:3]


# Not strftime: its names follow the locale, and the page must not.
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


def _shows_more_than_zero(text: str) -> bool:
    return any(digit in text for digit in "123456789")
