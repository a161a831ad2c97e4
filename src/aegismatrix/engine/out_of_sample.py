"""Which days of a history were forecast out of sample, and what was said of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from aegismatrix import errors
from aegismatrix.artifacts.forecasts import WalkForward, bar_checks
from aegismatrix.artifacts.manifest import ENGINE_NAME, ArraySpec
from aegismatrix.errors import ContractError
from aegismatrix.market.arrays import DateArray, FloatArray
from aegismatrix.market.bars import Bars
from aegismatrix.market.events import PROBABILITY

_SURFACE_AXES = 4


def sealed_cells(
    walked: WalkForward,
    head: ArraySpec,
    horizon_days: FloatArray,
    distance: FloatArray,
    upper_distance: FloatArray,
    path: str,
) -> FloatArray:
    """Return what a model said on each day of the walk-forward, of the shape of its output.

    NaN where it said nothing. A surface is cut to the horizons and distances that are asked for;
    the edges of a pair are as far away as each other in what is sealed.
    `path` is the file that the forecasts were read from.
    """
    is_surface = len(head.shape) == _SURFACE_AXES
    cells = (len(head.columns), len(walked.horizon_days), len(walked.distance))
    shape = cells if is_surface else (*(int(size) for size in head.shape[1:]),)
    values = _values_of(walked, head.name, head.columns, shape, path, head.unit)
    if not is_surface:
        return values
    if not np.array_equal(distance, upper_distance):
        raise ContractError(
            ENGINE_NAME,
            "upper_distance",
            "differs from the lower one, and no out-of-sample forecast of such a pair is sealed",
            remedy="Leave it out, or ask the fits of the past for any pair (Engine.unseen).",
        )
    places = [
        _places(name, asked, known)
        for name, asked, known in (
            ("horizon_days", horizon_days, walked.horizon_days),
            ("distance", distance, walked.distance),
        )
    ]
    return values[:, :, places[0]][..., places[1]]


def sealed_nights(
    walked: WalkForward, name: str, columns: tuple[str, ...], days: DateArray, path: str
) -> FloatArray:
    """Return what a model beside the engine said on some days of the walk-forward, by column."""
    if name not in walked.heads:
        raise errors.SealedForecastsError(path, "malformed", f"{name} is not in it")
    values = _values_of(walked, name, columns, (len(columns),), path)
    said = values[np.searchsorted(walked.dates, days)]
    missing = np.isnan(said).any(axis=1)
    if missing.any():
        raise ContractError(
            name,
            "nights",
            f"holds {int(missing.sum())} that were not forecast out of sample, the first after"
            f" {days[missing][0]}",
            remedy="Leave these nights out of the forecast and of the nights.",
        )
    return said


def _values_of(
    walked: WalkForward,
    name: str,
    columns: tuple[str, ...],
    shape: tuple[int, ...],
    path: str,
    unit: str = PROBABILITY,
) -> FloatArray:
    sealed = walked.heads[name]
    is_probability = unit == PROBABILITY
    fits = sealed.values.shape[1:] == shape and (sealed.least is None) == is_probability
    if not fits or sealed.columns != columns:
        reason = f"{name} has another shape, other columns or another unit there"
        raise errors.SealedForecastsError(path, "malformed", reason)
    values = sealed.forecasts()
    if is_probability and (values > 1.0).any():
        reason = f"a probability of {name} is above 1 there"
        raise errors.SealedForecastsError(path, "malformed", reason)
    return values


def pick_days(
    walked: WalkForward,
    sealed: Mapping[str, FloatArray],
    bars: Bars,
    days: DateArray,
    trained_until: np.datetime64,
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Choose from the days of a history those that are out of sample.

    Return which rows they are, and for each its place among the days of the walk-forward, or -1 for
    a day after the training, of which the served model speaks.
    """
    _check_bars(walked, bars)
    said = np.ones(len(walked.dates), dtype=bool)
    for values in sealed.values():
        said &= ~np.isnan(values).any(axis=tuple(range(1, values.ndim)))
    place = np.searchsorted(walked.dates, days)
    found = np.isin(days, walked.dates[said])
    rows = np.flatnonzero(found | (days > trained_until))
    if not len(rows):
        first, last = _ends(walked)
        raise errors.OutOfSampleBarsError("no_days", market=walked.market, first=first, last=last)
    return rows, np.where(found, place, -1)[rows]


def _check_bars(walked: WalkForward, bars: Bars) -> None:
    """Refuse bars that are not, day by day, those that were forecast."""
    if not len(walked.dates):
        return
    known = (walked.dates >= bars.dates[0]) & (walked.dates <= bars.dates[-1])
    rows = np.flatnonzero((bars.dates >= walked.dates[0]) & (bars.dates <= walked.dates[-1]))
    given = bar_checks(*(column[rows] for column in (bars.high, bars.low, bars.close, bars.iv)))
    there = dict(zip(bars.dates[rows].tolist(), given.tolist(), strict=True))
    sealed = dict(zip(walked.dates[known].tolist(), walked.checks[known].tolist(), strict=True))
    odd = sorted(day for day in there.keys() | sealed.keys() if there.get(day) != sealed.get(day))
    if odd:
        first, last = _ends(walked)
        raise errors.OutOfSampleBarsError(
            "other_bars",
            market=walked.market,
            first=first,
            last=last,
            dates=[day.isoformat() for day in odd],
        )


def _ends(walked: WalkForward) -> tuple[str, str]:
    days = walked.dates
    return (str(days[0]), str(days[-1])) if len(days) else ("no day", "that")


def _places(name: str, asked: FloatArray, known: Sequence[float]) -> list[int]:
    missing = [float(value) for value in asked if float(value) not in known]
    if missing:
        raise ContractError(
            ENGINE_NAME,
            name,
            f"holds {missing[0]:g}, at which no out-of-sample forecast is sealed",
            remedy=f"Choose among {[round(value, 6) for value in known]}, the values by default, or"
            " ask the fits of the past for any (Engine.unseen).",
        )
    return [known.index(float(value)) for value in asked]
