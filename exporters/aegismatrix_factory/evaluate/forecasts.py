"""What the walk-forward forecast on the market that is modelled, ready to be sealed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from aegismatrix.artifacts.forecasts import (
    LEAST_VALUE,
    LOG_STEPS,
    PROBABILITY_STEPS,
    SealedForecasts,
    WalkForward,
    bar_checks,
    in_log_steps,
    in_steps,
)
from aegismatrix.engine.engine import DISTANCES, HORIZONS_DAYS
from aegismatrix.market.events import PROBABILITY
from aegismatrix_factory.evaluate.markets import MarketRows

FloatArray = NDArray[np.float64]


class Named(Protocol):
    """Whatever has a name, columns and a unit, as a head has."""

    name: str
    columns: tuple[str, ...]
    unit: str


def walk_forward_of(
    market: MarketRows, heads: Sequence[Named], said: Mapping[str, FloatArray]
) -> WalkForward:
    """Collect what heads forecast, on every day on which any of them did.

    Parameters
    ----------
    market : MarketRows
        The market that is modelled.
    heads : sequence of Head
        In the order of the registry.
    said : mapping of str to ndarray of shape (N, ...)
        By head, of every row of the market, NaN where nothing was forecast.

    Returns
    -------
    WalkForward
        Rounded up to whole steps.
    """
    count = len(market.dates)
    spoken = np.zeros(count, dtype=bool)
    for values in said.values():
        spoken |= ~np.isnan(values).all(axis=tuple(range(1, values.ndim)))
    bars = market.bars
    columns = (bars.high, bars.low, bars.close, bars.iv)
    return WalkForward(
        market=market.name,
        dates=market.dates[spoken],
        checks=bar_checks(*(market.rows_of(column)[spoken] for column in columns)),
        horizon_days=tuple(float(days) for days in HORIZONS_DAYS),
        distance=DISTANCES,
        heads={
            head.name: _sealed(head, said[head.name][spoken]) for head in heads if head.name in said
        },
    )


def _sealed(head: Named, said: FloatArray) -> SealedForecasts:
    """In steps of the value, or of its logarithm where it is no probability."""
    if head.unit == PROBABILITY:
        return SealedForecasts(head.columns, PROBABILITY_STEPS, in_steps(said, PROBABILITY_STEPS))
    steps = in_log_steps(said, LOG_STEPS, LEAST_VALUE)
    return SealedForecasts(head.columns, LOG_STEPS, steps, LEAST_VALUE)
