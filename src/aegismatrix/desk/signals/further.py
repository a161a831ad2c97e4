"""What models beyond the package's own say: plain probabilities, each with its verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aegismatrix.artifacts.manifest import Manifest
from aegismatrix.market.events import Output
from aegismatrix.records import dataclass


@dataclass(frozen=True)
class FurtherOutput:
    """One probability.

    Attributes
    ----------
    column : str
        Its name in the history.
    judged : str
        The key of its verdict.
    wording : str
        What its maker calls it; the column where nothing else was sealed.
    probability : float
        Of the last bar.
    base_rate : float or None
        How often it happened on the market that was modelled; None where that was not sealed.
    horizon_days : int or None
        Trading days until it is decided; None where nothing is known that decides it.
    """

    column: str
    judged: str
    wording: str
    probability: float
    base_rate: float | None
    horizon_days: int | None


@dataclass(frozen=True)
class FurtherModel:
    """One model that was added to the package's own.

    Attributes
    ----------
    model, version, question : str
        As sealed.
    outputs : tuple of FurtherOutput
        What it says of the last bar.
    """

    model: str
    version: str
    question: str
    outputs: tuple[FurtherOutput, ...]


def further_forecasts(
    models: Mapping[str, Sequence[Output]],
    row: Mapping[str, float],
    base_rates: Mapping[str, float],
    manifest: Manifest,
) -> tuple[FurtherModel, ...]:
    """Read what further models say of the last bar.

    Parameters
    ----------
    models : mapping of str to sequence of Output
        By model: what it gives beyond the catalogue.
    row, base_rates : mapping of str to float
        Probabilities and base rates by column.
    manifest : Manifest
        What is sealed about them.

    Returns
    -------
    tuple of FurtherModel
    """
    return tuple(
        FurtherModel(
            model=name,
            version=manifest.model(name).version,
            question=manifest.model(name).question,
            outputs=tuple(
                FurtherOutput(
                    column=output.column,
                    judged=output.judged,
                    wording=output.wording,
                    probability=row[output.column],
                    base_rate=base_rates.get(output.column),
                    horizon_days=None if output.event is None else output.event.horizon_days,
                )
                for output in outputs
            ),
        )
        for name, outputs in models.items()
    )
