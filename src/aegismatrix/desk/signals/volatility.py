"""How large volatility will be, beside what the volatility index says and what the trap says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aegismatrix.artifacts import fields as entries
from aegismatrix.artifacts.errors import ManifestError
from aegismatrix.artifacts.manifest import MANIFEST_NAME, Manifest
from aegismatrix.engine.engine import Forecast
from aegismatrix.engine.quantiles import exceedance
from aegismatrix.market.arrays import Published
from aegismatrix.market.events import TRAP, VOLATILITY
from aegismatrix.records import dataclass

DISAGREEMENT = "disagreement"
"""What the manifest calls the measure of it."""


@dataclass(frozen=True)
class VolatilityHorizon(Published):
    """Realised volatility over one horizon, per cent a year.

    Attributes
    ----------
    horizon_days : int
        Trading days.
    percent : tuple of float
        Its quantiles, rising.
    mean_percent : float
        The root of its mean square: what QLIKE judges, and what a variance is fairly sold at.
    above_iv : float
        P(it exceeds iv), read off the quantiles.
    trap : float or None
        The same probability as the trap forecasts it by itself; None at a horizon it does not have.
    trap_difference : float or None
        `above_iv` less `trap`, today.
    usual_difference, largest_difference : float or None
        Mean and largest distance between the two on the walk-forward; None where not sealed.
    """

    horizon_days: int
    percent: tuple[float, ...]
    mean_percent: float
    above_iv: float
    trap: float | None = None
    trap_difference: float | None = None
    usual_difference: float | None = None
    largest_difference: float | None = None


@dataclass(frozen=True)
class VolatilitySignal(Published):
    """Realised volatility ahead.

    Attributes
    ----------
    iv_percent : float
        The volatility index.
    levels : tuple of float
        Which quantiles are given.
    horizons : tuple of VolatilityHorizon
        1, 5, 10, 20 trading days.
    """

    iv_percent: float
    levels: tuple[float, ...]
    horizons: tuple[VolatilityHorizon, ...]


def volatility_signal(forecast: Forecast, manifest: Manifest) -> VolatilitySignal | None:
    """Read the last day's quantiles.

    Parameters
    ----------
    forecast : Forecast
        Of any days.
    manifest : Manifest
        Where it is sealed how far they and the trap are usually apart.

    Returns
    -------
    VolatilitySignal or None
        None if the artifacts forecast no volatility.

    Raises
    ------
    ManifestError
        If what is sealed of the distance is malformed.
    """
    if forecast.columns.get(VOLATILITY.head) != VOLATILITY.columns:
        return None
    cells, iv_percent = forecast[VOLATILITY.head][-1], forecast.iv_percent[-1:]
    row, apart = forecast.row(), _sealed_distances(manifest)
    horizons = []
    for days, cell in zip(VOLATILITY.horizon_days, cells, strict=True):
        above = float(exceedance(cell[None, :-1], VOLATILITY.levels, iv_percent)[0])
        trap = row.get(TRAP[days].column) if days in TRAP else None
        usual, largest = apart.get(VOLATILITY.judged(days), (None, None))
        horizons.append(
            VolatilityHorizon(
                horizon_days=days,
                percent=tuple(cell[:-1].tolist()),
                mean_percent=float(cell[-1]),
                above_iv=above,
                trap=trap,
                trap_difference=None if trap is None else above - trap,
                usual_difference=usual,
                largest_difference=largest,
            )
        )
    return VolatilitySignal(float(iv_percent[0]), VOLATILITY.levels, tuple(horizons))


def _sealed_distances(manifest: Manifest) -> dict[str, tuple[float, float]]:
    """Mean and largest distance from the trap, by judged output, on the market that is modelled."""
    try:
        return {
            entries.text(one["output"]): (
                entries.number(one["mean"]),
                entries.number(one["largest"]),
            )
            for one in _measures(manifest)
            if one["what"] == DISAGREEMENT and one["market"] == manifest.market
        }
    except (KeyError, TypeError, ValueError) as error:
        reason = f"a measure of {VOLATILITY.head} is malformed ({error!a})"
        raise ManifestError(str(manifest.folder / MANIFEST_NAME), reason) from error


def _measures(manifest: Manifest) -> list[Mapping[str, Any]]:
    return [
        one
        for entry in manifest.content["artifacts"]
        if entry["name"] == VOLATILITY.head
        for one in entry.get("measures", ())
    ]
