"""Which outputs a set of artifacts gives, and which of them the promised report cannot do without.

The package's catalogue says what its own models' outputs are, the manifest what those of other
models are.
"""

from __future__ import annotations

from collections.abc import Iterator

from aegismatrix.artifacts.errors import UnknownModelError
from aegismatrix.artifacts.manifest import ENGINE_NAME, Manifest, ModelSpec, past_of
from aegismatrix.errors import AegisError, ContractError
from aegismatrix.market.events import (
    BREACH,
    BREAKOUT,
    DIRECTION,
    OUTPUTS,
    PROBABILITY,
    REGIME,
    SPIKE,
    THETA,
    TRAP,
    VOLATILITY,
    Event,
    Output,
)

_KINDS = ("head", "optional")
_DIRECTIONS = tuple(output for classes in DIRECTION.values() for output in classes.values())
_FIELDS: tuple[tuple[str, tuple[Output, ...]], ...] = (
    ("seller.trap", tuple(TRAP.values())),
    ("seller.expiry_stress", tuple(REGIME.values())),
    ("buyer.breakout_next", tuple(BREAKOUT.values())),
    ("buyer.spike_direction_bias", tuple(SPIKE.values())),
    ("buyer.theta_edge", (THETA,)),
    ("direction.horizons", _DIRECTIONS),
)
"""Promised fields of the report, and the outputs that each is made of."""

_MEASURED = (
    ("seller.safe_range", BREACH.head),
    ("seller.historical_hit_rate", past_of(BREACH.head)),
    ("buyer.historical_spike_rate", past_of(BREAKOUT[1].head)),
)
"""Promised fields of the report, and the model that each is measured with."""


def outputs_of(manifest: Manifest) -> dict[str, Output]:
    """Return every output of single events that the models of a manifest give.

    Parameters
    ----------
    manifest : Manifest
        What is sealed.

    Returns
    -------
    dict of str to Output
        By column, in sealed order: as the catalogue has it; else as the manifest says; else with
        nothing but its name, and no event.
    """
    return {
        column: _output(model, column)
        for model in manifest.models.values()
        if model.kind in _KINDS
        for column in _columns(model)
    }


def horizons_of(manifest: Manifest) -> dict[str, int]:
    """Return when outputs are decided.

    Parameters
    ----------
    manifest : Manifest
        What is sealed.

    Returns
    -------
    dict of str to int
        Trading days by column, without those of which nothing is known that decides them.
    """
    return {
        column: output.event.horizon_days
        for column, output in outputs_of(manifest).items()
        if output.event is not None
    }


def further_models(manifest: Manifest) -> dict[str, tuple[Output, ...]]:
    """Return what the fused artifact gives beyond the catalogue.

    Parameters
    ----------
    manifest : Manifest
        What is sealed.

    Returns
    -------
    dict of str to tuple of Output
        By model; of one that gives a surface of touches, nothing that could be said in a line.
    """
    fused = {array.name for array in manifest.model(ENGINE_NAME).outputs}
    catalogued = {BREACH.head, VOLATILITY.head, *(output.head for output in OUTPUTS.values())}
    found = {
        name: tuple(
            _output(model, column)
            for column in _columns(model)
            if name not in catalogued or column not in OUTPUTS
        )
        for name, model in manifest.models.items()
        if model.kind == "head" and name in fused
    }
    return {name: outputs for name, outputs in found.items() if outputs or name not in catalogued}


def missing_from(manifest: Manifest) -> Iterator[AegisError]:
    """Say what artifacts lack of what the promised fields of a report are made of.

    Parameters
    ----------
    manifest : Manifest
        What is sealed.

    Yields
    ------
    UnknownModelError
        For each field whose model is not sealed: it names model, folder and remedy.
    ContractError
        For each field whose model is sealed and does not give all of it.
    """
    fused = {array.name: array for array in manifest.model(ENGINE_NAME).outputs}
    for field, outputs in _FIELDS:
        name = outputs[0].head
        model = manifest.models.get(name)
        given = fused[name].columns if name in fused else ()
        if model is None:
            yield _unknown(manifest, name, field)
        else:
            lacking = [
                output.column
                for output in outputs
                if output.column not in given or output.column not in model.base_rates
            ]
            if lacking:
                yield _not_given(manifest, name, ", ".join(lacking), field)
    for field, name in _MEASURED:
        if name not in manifest.models:
            yield _unknown(manifest, name, field)
    if BREACH.head in manifest.models and BREACH.head not in fused:
        yield _not_given(manifest, BREACH.head, BREACH.head, _MEASURED[0][0])


def _unknown(manifest: Manifest, name: str, field: str) -> UnknownModelError:
    remedy = _remedy(manifest, name, field)
    folder = str(manifest.folder)
    return UnknownModelError(name, known=tuple(manifest.models), path=folder, remedy=remedy)


def _not_given(manifest: Manifest, name: str, columns: str, field: str) -> ContractError:
    reason = f"is not given, or without its base rate, by the artifacts in {manifest.folder}"
    return ContractError(name, columns, reason, remedy=_remedy(manifest, name, field))


def _remedy(manifest: Manifest, name: str, field: str) -> str:
    return (
        f"The report promises {field}, which is made of it: use artifacts that were exported with"
        f" {name}. Engine({str(manifest.folder)!r}) still gives what the other models say."
    )


def _columns(model: ModelSpec) -> tuple[str, ...]:
    return next(
        (
            array.columns
            for array in model.outputs
            if array.unit == PROBABILITY and len(array.shape) == 2
        ),
        (),
    )


def _output(model: ModelSpec, column: str) -> Output:
    known = OUTPUTS.get(column)
    if known is not None and known.head == model.name:
        return known
    meaning = model.meanings.get(column)
    if meaning is None:
        return Output(column, model.name, _judged(model, column), column, None)
    spec = meaning.event
    event = (
        None if spec is None else Event(spec.kind, spec.horizon_days, spec.classes, spec.parameters)
    )
    return Output(column, model.name, meaning.judged, meaning.wording, event)


def _judged(model: ModelSpec, column: str) -> str:
    """The judged output that a column belongs to: itself, or the beginning of its name."""
    names = [str(one["output"]) for one in model.judgements]
    return next((name for name in names if f"{column}_".startswith(f"{name}_")), column)
