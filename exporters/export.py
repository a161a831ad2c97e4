"""Export: author every artifact, prove it, seal the folder. All or nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import aegismatrix
from aegismatrix.artifacts import (
    MANIFEST_NAME,
    MANIFEST_VERSION,
    read_manifest,
    render_manifest,
)
from aegismatrix.runtime import verify_manifest
from exporters.card import model_card
from exporters.head import Head
from exporters.parity import prove_engine, prove_features, prove_head, prove_past
from exporters.seal import sealed_folder
from exporters.staging import (
    Candidate,
    engine_candidate,
    features_candidate,
    head_candidate,
    past_candidate,
)
from exporters.training import Training, read_training

CARD_NAME = "MODEL_CARD.md"


def export(
    training_folder: Path,
    heads: Sequence[Head],
    target: Path,
    report: Callable[[str], object],
) -> None:
    """Turn a training into sealed artifacts.

    Parameters
    ----------
    training_folder : Path
        What `exporters.training.train` left.
    heads : sequence of Head
        The registry.
    target : Path
        The folder to replace.
    report : callable
        Called with one line per proven artifact.

    Raises
    ------
    TrainingRecordError, ParityError, ForbiddenGraphError, OutputError
        `target` is untouched then. The same training gives the same bytes.
    """
    training = read_training(training_folder, heads)
    candidates = prove_all(training, heads, report)
    content: dict[str, Any] = {
        "manifest_version": MANIFEST_VERSION,
        "package_version": aegismatrix.__version__,
        "made_with": dict(training.made_with),
        "artifacts": [candidate.entry for candidate in candidates],
    }
    with sealed_folder(target) as fresh:
        for candidate in candidates:
            (fresh / str(candidate.entry["file"])).write_bytes(candidate.data)
        sealed = render_manifest(content)
        (fresh / MANIFEST_NAME).write_bytes(sealed)
        (fresh / CARD_NAME).write_text(model_card(json.loads(sealed)), encoding="utf-8")
        for finding in verify_manifest(read_manifest(fresh)):
            raise finding.error


def prove_all(
    training: Training, heads: Sequence[Head], report: Callable[[str], object]
) -> list[Candidate]:
    """Author every artifact and prove it against what was trained.

    Parameters
    ----------
    training : Training
        What was trained.
    heads : sequence of Head
        The registry.
    report : callable
        Called with one line per proven artifact.

    Returns
    -------
    list of Candidate
        Features, heads, their pasts, engine; each entry holds its parity figures.

    Raises
    ------
    ParityError, ForbiddenGraphError
    """
    features = features_candidate()
    _proven(features, prove_features(features.model, features.data, training.markets), report)
    staged, pasts = {}, []
    for head in heads:
        estimators = training.estimators[head.name]
        spans = training.spans if head.pools else training.spans[:1]
        candidate = head_candidate(head, estimators, features.spec, spans)
        candidate.entry["judgements"] = training.judgements[head.name]
        candidate.entry["measures"] = training.measures[head.name]
        candidate.entry["base_rates"] = training.base_rates[head.name]
        figures = prove_head(
            candidate.model, head, estimators, training.markets, training.forecasts[head.name]
        )
        _proven(candidate, figures, report)
        staged[head.name] = candidate
        past = head.past(estimators)
        if past is not None:
            candidate = past_candidate(head, past, features.spec, training.spans[:1])
            _proven(candidate, prove_past(candidate.model, head, past, training.markets), report)
            pasts.append(candidate)
    engine = engine_candidate(features, heads, staged)
    figures = prove_engine(
        engine.model,
        features.model,
        {name: candidate.model for name, candidate in staged.items()},
        heads,
        training.estimators,
        training.markets,
    )
    _proven(engine, figures, report)
    return [features, *staged.values(), *pasts, engine]


def _proven(candidate: Candidate, figures: dict[str, Any], report: Callable[[str], object]) -> None:
    candidate.entry["parity"] = figures
    shown = ", ".join(
        f"{name.replace('_', ' ')} {value:.3g}" if isinstance(value, float)
        else f"{name.replace('_', ' ')} {value}"
        for name, value in figures.items()
    )  # fmt: skip
    report(f"{candidate.name}: {shown}")
