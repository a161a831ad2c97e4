"""Export: author every artifact, prove it, seal the folder. All or nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import aegismatrix
from aegismatrix.artifacts.forecasts import FORECASTS_NAME, render_forecasts
from aegismatrix.artifacts.manifest import (
    CARD_KEY,
    FORECASTS_KEY,
    GOLDEN_KEY,
    MANIFEST_NAME,
    MANIFEST_VERSION,
    QUICK_KEY,
    RELEASE_KEY,
    WALKFORWARD_KEY,
    TrainingSpan,
    read_manifest,
    render_manifest,
)
from aegismatrix.engine.verify import verify_manifest
from aegismatrix_factory.evaluate.challenge import Comparison, compare, decide
from aegismatrix_factory.evaluate.losses import LOSSES_NAME, render_losses
from aegismatrix_factory.evaluate.verdicts import RULE
from aegismatrix_factory.heads.head import Head
from aegismatrix_factory.release.card import RULE_KEY, comparison_text, model_card
from aegismatrix_factory.release.golden import GOLDEN_NAME, golden_values
from aegismatrix_factory.release.parity import prove_engine, prove_features, prove_head, prove_past
from aegismatrix_factory.release.staging import (
    Candidate,
    engine_candidate,
    features_candidate,
    head_candidate,
    past_candidate,
    training_range,
)
from aegismatrix_factory.release.training import Training, read_training
from aegismatrix_factory.sealing import check_place, sealed_entry, sealed_folder

CARD_NAME = "MODEL_CARD.md"
REPLACES_KEY = "replaces"


def export(
    training_folder: Path,
    heads: Sequence[Head],
    target: Path,
    report: Callable[[str], object],
    force: str | None = None,
) -> None:
    """Turn a training into sealed artifacts.

    Parameters
    ----------
    training_folder : Path
        What `aegismatrix_factory.release.training.train` left.
    heads : sequence of Head
        The registry.
    target : Path
        The folder to replace.
    report : callable
        Called with the comparison with the artifacts in `target`, if there are any, then with one
        line per proven artifact.
    force : str, optional
        Why to replace the artifacts in `target` even if they are better, or cannot be compared;
        sealed where it was needed.

    Raises
    ------
    TrainingRecordError, ChallengerWorseError, ChampionIncomparableError, EmptyReasonError,
    ParityError, ForbiddenGraphError, GoldenInputError, GoldenMismatchError, OutputError
        `target` is untouched then. The same training gives the same bytes.
    """
    check_place(target)
    training = read_training(training_folder, heads)
    effort = training.effort
    comparison = compare(target, training.losses, effort)
    if comparison is not None:
        report(comparison_text(comparison.to_dict()))
    forced = decide(comparison, target, force)
    losses, walked = render_losses([training.losses]), render_forecasts(training.walked)
    heads = [head for head in heads if head.name in training.estimators]
    candidates = prove_all(training, heads, report)
    golden = golden_values({candidate.name: candidate.model for candidate in candidates})
    report(f"golden values: {len(candidates)} artifacts, {len(golden)} bytes")
    content: dict[str, Any] = {
        "manifest_version": MANIFEST_VERSION,
        "package_version": aegismatrix.__version__,
        "made_with": dict(training.made_with),
        "artifacts": [candidate.entry for candidate in candidates],
        WALKFORWARD_KEY: {
            **sealed_entry(LOSSES_NAME, losses),
            "market": training.losses.market,
        },
        FORECASTS_KEY: sealed_entry(FORECASTS_NAME, walked),
        GOLDEN_KEY: sealed_entry(GOLDEN_NAME, golden),
        RULE_KEY: RULE,
    }
    if effort.is_quick:
        content[QUICK_KEY] = asdict(effort)
    content.update(_succession(content, comparison, forced, target))
    card = model_card(json.loads(render_manifest(content))).encode()
    content[CARD_KEY] = sealed_entry(CARD_NAME, card)
    with sealed_folder(target) as fresh:
        for candidate in candidates:
            (fresh / str(candidate.entry["file"])).write_bytes(candidate.data)
        (fresh / LOSSES_NAME).write_bytes(losses)
        (fresh / FORECASTS_NAME).write_bytes(walked)
        (fresh / GOLDEN_NAME).write_bytes(golden)
        (fresh / CARD_NAME).write_bytes(card)
        (fresh / MANIFEST_NAME).write_bytes(render_manifest(content))
        for finding in verify_manifest(read_manifest(fresh), golden=True, all_kinds=True):
            raise finding.error


def _succession(
    content: Mapping[str, Any], comparison: Comparison | None, forced: str | None, target: Path
) -> dict[str, Any]:
    """What the new artifacts replace, and the number of their release.

    The champion sealed once more keeps both. Of a folder that cannot be read nobody knows how often
    it was replaced: the count begins anew, and a signature of it says so (``--not-before``).
    """
    if comparison is None:
        return {REPLACES_KEY: None, RELEASE_KEY: 1}
    if comparison.champion is None:
        return {REPLACES_KEY: comparison.to_dict(forced), RELEASE_KEY: 1}
    champion = read_manifest(target)
    if comparison.incomparable is None:
        before, fresh = dict(champion.content), json.loads(json.dumps(content))
        replaced = before.pop(REPLACES_KEY, None)
        # Golden values and the card are what is said of models, no part of them.
        for key in (GOLDEN_KEY, CARD_KEY, RELEASE_KEY):
            before.pop(key, None)
            fresh.pop(key, None)
        if before == fresh:
            return {REPLACES_KEY: replaced, RELEASE_KEY: max(champion.release, 1)}
    return {REPLACES_KEY: comparison.to_dict(forced), RELEASE_KEY: champion.release + 1}


def prove_all(
    training: Training, heads: Sequence[Head], report: Callable[[str], object]
) -> list[Candidate]:
    """Author every artifact and prove it against what was trained.

    Parameters
    ----------
    training : Training
        What was trained.
    heads : sequence of Head
        Those that were trained.
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
    features.entry["training_range"] = training_range(training.markets[0])
    _proven(features, prove_features(features.model, features.data, training.markets), report)
    staged, pasts = {}, []
    for head in heads:
        estimators = training.estimators[head.name]
        served = [market for market in training.markets if head.serves(market)]
        spans = _spans(training, head)
        candidate = head_candidate(head, estimators, features.spec, spans)
        candidate.entry["judgements"] = training.judgements[head.name]
        candidate.entry["measures"] = training.measures[head.name]
        candidate.entry["base_rates"] = training.base_rates[head.name]
        figures = prove_head(
            candidate.model, head, estimators, served, training.forecasts[head.name]
        )
        _proven(candidate, figures, report)
        staged[head.name] = candidate
        past = head.past(estimators)
        if past is not None:
            candidate = past_candidate(head, past, features.spec, training.spans[:1])
            _proven(candidate, prove_past(candidate.model, head, past, training.markets), report)
            pasts.append(candidate)
    fused = [head for head in heads if not head.optional]
    engine = engine_candidate(features, fused, staged)
    figures = prove_engine(
        engine.model,
        features.model,
        {name: candidate.model for name, candidate in staged.items()},
        fused,
        training.estimators,
        training.markets,
    )
    _proven(engine, figures, report)
    return [features, *staged.values(), *pasts, engine]


def _spans(training: Training, head: Head) -> tuple[TrainingSpan, ...]:
    if head.optional and training.us_span is not None:
        return training.spans[0], training.us_span
    return training.spans if head.pools else training.spans[:1]


def _proven(candidate: Candidate, figures: dict[str, Any], report: Callable[[str], object]) -> None:
    candidate.entry["parity"] = figures
    shown = ", ".join(
        f"{name.replace('_', ' ')} {value:.3g}" if isinstance(value, float)
        else f"{name.replace('_', ' ')} {value}"
        for name, value in figures.items()
    )  # fmt: skip
    report(f"{candidate.name}: {shown}")
