"""The breach surface as a heat map, and its row at the safe range's horizon as a curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aegismatrix.desk.html.price import line
from aegismatrix.desk.html.scales import Scale
from aegismatrix.records import dataclass

SHADES = 7
"""Steps of the heat map; each keeps its number readable."""


@dataclass(frozen=True)
class Cell:
    """One number of the heat map.

    Attributes
    ----------
    probability : float
        P(either edge is touched).
    shade : int
        0 to `SHADES` - 1, by probability.
    """

    probability: float
    shade: int


@dataclass(frozen=True)
class Curve:
    """P(touch) over distance, in per cent of width and height; the vertical axis runs downwards.

    Attributes
    ----------
    line : str
        As the ``points`` of a polyline.
    across, down : tuple of float
        The points, one by one.
    threshold : float
        Height at which either edge of the safe range is touched: 1 - confidence.
    edges : tuple of float
        The safe range's edges, the nearer first, those that lie within the last distance.
    """

    line: str
    across: tuple[float, ...]
    down: tuple[float, ...]
    threshold: float
    edges: tuple[float, ...]


def heat_map(surface: Mapping[str, Any]) -> tuple[tuple[int, tuple[Cell, ...]], ...]:
    """Shade the surface.

    Parameters
    ----------
    surface : mapping
        ``seller.breach_surface`` of a report.

    Returns
    -------
    tuple of (int, tuple of Cell)
        A row per horizon in trading days, a cell per distance.
    """
    return tuple(
        (days, tuple(Cell(p, min(int(SHADES * p), SHADES - 1)) for p in row))
        for days, row in zip(surface["horizon_days"], surface["either"], strict=True)
    )


def curve(
    touches: Sequence[Mapping[str, Any]], safe_range: Mapping[str, Any], spot: float
) -> Curve:
    """Lay out the breach curve.

    Parameters
    ----------
    touches : sequence of mapping
        ``seller.breach_probabilities`` of a report.
    safe_range : mapping
        ``seller.safe_range`` of a report.
    spot : float
        Index points.

    Returns
    -------
    Curve
    """
    distance = Scale(0.0, float(touches[-1]["distance"]))
    height = Scale(1.0, 0.0)
    across = tuple(distance(touch["distance"]) for touch in touches)
    down = tuple(height(touch["probability"]) for touch in touches)
    # Distances count upwards: a lower edge stands where an upper one as far away in log would.
    reach = sorted((safe_range["upper"] - spot, spot * spot / safe_range["lower"] - spot))
    return Curve(
        line=line(across, down),
        across=across,
        down=down,
        threshold=height(1.0 - safe_range["confidence"]),
        edges=tuple(distance(one) for one in reach if one <= distance.last),
    )
