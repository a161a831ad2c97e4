"""Where values stand on an axis, in per cent of its length, as SVG takes them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from aegismatrix.records import dataclass

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Scale:
    """A linear axis.

    Attributes
    ----------
    first, last : float
        The values at 0 and at 100 per cent; `last` may be the smaller, and on a screen, where the
        vertical axis runs downwards, it is.
    """

    first: float
    last: float

    def __call__(self, value: float) -> float:
        """Return where a value stands, 0 to 100, to two decimals; values beyond stop at the ends.

        Parameters
        ----------
        value : float

        Returns
        -------
        float
        """
        length = self.last - self.first
        if length == 0.0:
            return 50.0
        return round(100.0 * min(max((value - self.first) / length, 0.0), 1.0), 2) + 0.0


def spanning(values: Iterable[float], margin: float = 0.0) -> Scale:
    """Return the axis that holds all values.

    Parameters
    ----------
    values : iterable of float
        At least one.
    margin : float
        Room at either end, as a share of the span.

    Returns
    -------
    Scale
    """
    held = tuple(values)
    room = margin * (max(held) - min(held))
    return Scale(min(held) - room, max(held) + room)


def round_values(scale: Scale, most: int) -> tuple[float, ...]:
    """Return round values on an axis, evenly spaced.

    Parameters
    ----------
    scale : Scale
    most : int
        How many at most, above 1.

    Returns
    -------
    tuple of float
    """
    low, high = sorted((scale.first, scale.last))
    if low == high:
        return (low,)
    least = (high - low) / most
    power = 10.0 ** math.floor(math.log10(least))
    step = next(power * factor for factor in _STEPS if power * factor >= least * (1.0 - 1e-9))
    first, last = math.ceil(low / step), math.floor(high / step)
    return tuple(step * count for count in range(first, last + 1))


def decimals_of_step(values: Sequence[float]) -> int:
    """Return how many decimals evenly spaced values need to be told apart.

    Parameters
    ----------
    values : sequence of float

    Returns
    -------
    int
    """
    if len(values) < 2:
        return 2
    step = values[1] - values[0]
    return next((n for n in range(9) if abs(step * 10**n - round(step * 10**n)) < 1e-6), 9)


def kept_apart(positions: Sequence[float], gap: float) -> tuple[float, ...]:
    """Move labels on an axis as little as it takes for none to cover its neighbour.

    Parameters
    ----------
    positions : sequence of float
        Rising, 0 to 100.
    gap : float
        The least distance between two.

    Returns
    -------
    tuple of float
    """
    placed = list(positions)
    for _ in placed:
        for index in range(1, len(placed)):
            short = gap - (placed[index] - placed[index - 1])
            if short > 0.0:
                placed[index - 1] -= short / 2.0
                placed[index] += short / 2.0
    return tuple(round(place, 2) for place in placed)
