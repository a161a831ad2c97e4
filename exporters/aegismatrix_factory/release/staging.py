"""Candidates: graphs in their final form, with the entry that the manifest will seal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import onnx

import aegismatrix
from aegismatrix.artifacts.manifest import (
    ENGINE_NAME,
    ArraySpec,
    ModelSpec,
    TrainingSpan,
    parse_model,
    past_of,
)
from aegismatrix.artifacts.operators import IR_VERSION, OPSET
from aegismatrix.engine.model import Model
from aegismatrix.market.events import OUTPUTS
from aegismatrix_factory.conversion import finish
from aegismatrix_factory.evaluate.markets import MarketRows
from aegismatrix_factory.graph.features import FEATURES, INPUTS, build_features
from aegismatrix_factory.heads.head import Estimators, Head, Past
from aegismatrix_factory.release.fuse import chosen_inputs, fuse
from aegismatrix_factory.release.parity import open_candidate
from aegismatrix_factory.sealing import sealed_entry

FEATURES_VERSION = "1"
_BAR_UNITS = {
    "high": "index points",
    "low": "index points",
    "close": "index points",
    "iv": "per cent a year",
}
_BARS = tuple(ArraySpec(name, "float64", ("T",), _BAR_UNITS[name]) for name in INPUTS)
_SIGMA = ArraySpec("implied_sigma", "float64", ("N",), "daily standard deviation of log returns")


class Candidate:
    """One artifact on its way to being sealed.

    Parameters
    ----------
    graph : ModelProto
        As authored.
    description : mapping
        What the manifest will say of it: name, version, kind, question, look-back, features.
    inputs, outputs : sequence of ArraySpec
        The contract.

    Attributes
    ----------
    data : bytes
        The file to be.
    entry : dict
        Its entry in the manifest; `model` must be proven before it is written.
    model : Model
        Opened from `data`.
    """

    def __init__(
        self,
        graph: onnx.ModelProto,
        description: Mapping[str, Any],
        inputs: Sequence[ArraySpec],
        outputs: Sequence[ArraySpec],
    ) -> None:
        name = str(description["name"])
        contract = {
            "inputs": [asdict(array) for array in inputs],
            "outputs": [asdict(array) for array in outputs],
        }
        self.name = name
        self.data = finish(graph, name, inputs, outputs, {**description, **contract})
        self.entry: dict[str, Any] = {
            **description,
            **contract,
            **sealed_entry(f"{name}.onnx", self.data),
            "ir_version": IR_VERSION,
            "opset": OPSET,
            "training": [],
            "judgements": [],
        }
        self.model = open_candidate(self.spec, self.data)

    @property
    def spec(self) -> ModelSpec:
        """The entry as the package reads it."""
        return parse_model(self.entry)

    @property
    def graph(self) -> onnx.ModelProto:
        """The finished graph."""
        return onnx.load_from_string(self.data)


def stage_features() -> tuple[Model, bytes]:
    """Return the feature graph, opened, and its bytes."""
    candidate = features_candidate()
    return candidate.model, candidate.data


def features_candidate() -> Candidate:
    """Author ``features.onnx``."""
    built = build_features()
    return Candidate(
        built.model,
        {
            "name": "features",
            "version": FEATURES_VERSION,
            "kind": "features",
            "question": "What do the last bars look like, measured against what iv implied?",
            "lookback_bars": built.lookback_bars,
            "rows": 1,
            "features": [
                {"name": feature.name, "meaning": feature.meaning} for feature in FEATURES
            ],
        },
        _BARS,
        (
            ArraySpec("features", "float64", ("N", len(built.names)), "as named", built.names),
            _SIGMA,
        ),
    )


def training_range(market: MarketRows) -> dict[str, Any]:
    """Return where each feature lay over the training rows: what monitoring holds new rows against.

    Parameters
    ----------
    market : MarketRows
        The market that is modelled.

    Returns
    -------
    dict of str to dict
        By column: minimum, nine deciles and maximum, unrounded, so that no training row is outside.
    """
    points = np.quantile(market.features, np.linspace(0.0, 1.0, 11), axis=0)
    return {
        name: {"minimum": lowest, "deciles": deciles, "maximum": highest}
        for name, (lowest, *deciles, highest) in zip(
            market.feature_names, points.T.tolist(), strict=True
        )
    }


def head_candidate(
    head: Head, estimators: Estimators, features: ModelSpec, spans: Sequence[TrainingSpan]
) -> Candidate:
    """Author one head's artifact.

    Parameters
    ----------
    head : Head
        The model.
    estimators : mapping
        From `Head.fit`.
    features : ModelSpec
        The feature graph that it reads.
    spans : sequence of TrainingSpan
        What it was trained on.

    Returns
    -------
    Candidate
    """
    matrix = next(output for output in features.outputs if output.name == "features")
    candidate = Candidate(
        head.build(estimators, features.features),
        {
            "name": head.name,
            "version": head.version,
            "kind": "optional" if head.optional else "head",
            "question": head.question,
            "lookback_bars": features.lookback_bars + head.rows - 1,
            "rows": head.rows,
            "features": [{"name": name} for name in head.features],
        },
        (matrix, *head.inputs()),
        head.outputs(),
    )
    candidate.entry["training"] = [asdict(span) for span in spans]
    meanings = meanings_of(head)
    if meanings:
        candidate.entry["meanings"] = meanings
    return candidate


def meanings_of(head: Head) -> dict[str, Any]:
    """Return what a head says of its columns that the package's catalogue does not.

    Parameters
    ----------
    head : Head
        The model.

    Returns
    -------
    dict of str to dict
        By column, as the manifest has it; empty for the package's own models.
    """
    return {
        output.column: {
            "wording": output.wording,
            "judged": output.judged,
            "event": None
            if output.event is None
            else {
                "kind": output.event.kind,
                "horizon_days": output.event.horizon_days,
                "classes": list(output.event.classes),
                "parameters": dict(output.event.parameters),
            },
        }
        for output in head.meanings
        if OUTPUTS.get(output.column) != output
    }


def past_candidate(
    head: Head, past: Past, features: ModelSpec, spans: Sequence[TrainingSpan]
) -> Candidate:
    """Author the artifact of the fits that speak for the past.

    Parameters
    ----------
    head : Head
        The model.
    past : Past
        From `Head.past`.
    features : ModelSpec
        The feature graph that it reads.
    spans : sequence of TrainingSpan
        What its fits were made from, each from the part before its stretch: the market alone.

    Returns
    -------
    Candidate
    """
    matrix = next(output for output in features.outputs if output.name == "features")
    candidate = Candidate(
        past.build(features.features),
        {
            "name": past_of(head.name),
            "version": head.version,
            "kind": "past",
            "question": f"What would {head.name} have said, fitted on what was known then?",
            "lookback_bars": features.lookback_bars + head.rows - 1,
            "rows": head.rows,
            "features": [{"name": name} for name in head.features],
            "stretches": [list(stretch) for stretch in past.stretches],
        },
        (matrix, *past.inputs),
        past.outputs,
    )
    candidate.entry["training"] = [asdict(span) for span in spans]
    return candidate


def engine_candidate(
    features: Candidate, heads: Sequence[Head], staged: Mapping[str, Candidate]
) -> Candidate:
    """Author ``engine.onnx`` out of the staged artifacts.

    Parameters
    ----------
    features : Candidate
        The feature graph.
    heads : sequence of Head
        Those of the registry that need bars alone.
    staged : mapping of str to Candidate
        Their artifacts.

    Returns
    -------
    Candidate
    """
    fused = fuse(features.graph, heads, {name: one.graph for name, one in staged.items()})
    outputs = list(features.spec.outputs)
    for head in heads:
        outputs += head.outputs(head.name)
    return Candidate(
        fused,
        {
            "name": ENGINE_NAME,
            "version": aegismatrix.__version__,
            "kind": "engine",
            "question": "All of the models in one file: raw bars in, every probability out.",
            "lookback_bars": max(staged[head.name].spec.lookback_bars for head in heads),
            "rows": max(head.rows for head in heads),
            "features": [],
        },
        (*_BARS, *chosen_inputs(heads)),
        outputs,
    )
