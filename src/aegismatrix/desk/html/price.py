"""The closes of the last half year, and the safe range that lies ahead of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aegismatrix.desk.html.figures import point_digits, points, short_month
from aegismatrix.desk.html.scales import Scale, decimals_of_step, kept_apart, round_values, spanning
from aegismatrix.records import dataclass

_MARGIN = 0.06
_PRICE_TICKS = 5
# Per cent of the height that a line of text takes in the lowest chart.
_LINE = 8.0
# Per cent of the width that a month's name takes, and where the last one may stand: the axis names
# the horizon at its right end. Then the same on a phone, beside levels of many digits.
_MONTH, _LAST_MONTH = 13.0, 78.0
_NARROW_MONTH, _NARROW_LAST_MONTH = 20.0, 66.0


@dataclass(frozen=True)
class Label:
    """A text beside an axis.

    Attributes
    ----------
    at : float
        Per cent of the axis.
    text : str
    spare : bool
        Left out on a phone, where it would stand over another.
    """

    at: float
    text: str
    spare: bool = False


@dataclass(frozen=True)
class PriceChart:
    """The chart, in per cent of its width and height; the vertical axis runs downwards.

    Attributes
    ----------
    line : str
        The closes, as the ``points`` of a polyline.
    now, spot : float
        The last close.
    upper, lower : float
        The edges of the safe range, from `now` to the right end.
    prices, months : tuple of Label
        Of the axes.
    ahead : tuple of Label
        Upper edge, last close and lower edge, none over another.
    lowest, highest : float
        Of the closes, index points.
    """

    line: str
    now: float
    spot: float
    upper: float
    lower: float
    prices: tuple[Label, ...]
    months: tuple[Label, ...]
    ahead: tuple[Label, ...]
    lowest: float
    highest: float


def price_chart(
    history: Mapping[str, Any], safe_range: Mapping[str, Any], spot: float
) -> PriceChart:
    """Lay out the closes and the safe range.

    Parameters
    ----------
    history : mapping
        ``price_history`` of a report: ``dates`` and ``close``, oldest first.
    safe_range : mapping
        ``seller.safe_range`` of a report.
    spot : float
        The last close, index points.

    Returns
    -------
    PriceChart
    """
    close: Sequence[float] = history["close"]
    lower, upper = safe_range["lower"], safe_range["upper"]
    sessions = Scale(0, len(close) - 1 + safe_range["horizon_days"])
    rising = spanning([*close, lower, upper], _MARGIN)
    height = Scale(rising.last, rising.first)
    ticks = round_values(rising, _PRICE_TICKS)
    digits = decimals_of_step(ticks)
    ahead = (upper, spot, lower)
    places = kept_apart([height(value) for value in ahead], _LINE)
    return PriceChart(
        line=line([sessions(n) for n in range(len(close))], [height(one) for one in close]),
        now=sessions(len(close) - 1),
        spot=height(spot),
        upper=height(upper),
        lower=height(lower),
        prices=tuple(Label(height(tick), points(tick, digits)) for tick in ticks),
        months=_months(history["dates"], sessions),
        ahead=tuple(
            Label(place, points(value, point_digits(spot)))
            for place, value in zip(places, ahead, strict=True)
        ),
        lowest=min(close),
        highest=max(close),
    )


def trace(values: Sequence[float]) -> str:
    """Return a series as the ``points`` of a polyline that fills a square of 100 by 100.

    Parameters
    ----------
    values : sequence of float
        Oldest first.

    Returns
    -------
    str
    """
    across = Scale(0, max(len(values) - 1, 1))
    rising = spanning(values, _MARGIN)
    height = Scale(rising.last, rising.first)
    return line([across(n) for n in range(len(values))], [height(one) for one in values])


def line(across: Sequence[float], down: Sequence[float]) -> str:
    """Return places as the ``points`` of a polyline.

    Parameters
    ----------
    across, down : sequence of float
        0 to 100.

    Returns
    -------
    str
    """
    # A thousandth of the chart is less than a pixel.
    return " ".join(f"{round(x, 1):g},{round(y, 1):g}" for x, y in zip(across, down, strict=True))


def _months(dates: Sequence[str], sessions: Scale) -> tuple[Label, ...]:
    """Name the months that begin where there is room for a name."""
    labels: list[Label] = []
    last_kept = -_NARROW_MONTH
    for index in range(1, len(dates)):
        if dates[index][:7] == dates[index - 1][:7]:
            continue
        place = sessions(index)
        if place <= _LAST_MONTH and (not labels or place - labels[-1].at >= _MONTH):
            spare = place > _NARROW_LAST_MONTH or place - last_kept < _NARROW_MONTH
            last_kept = last_kept if spare else place
            labels.append(Label(place, short_month(dates[index]), spare))
    return tuple(labels)
