"""Train every model of the registry: judge it, fit it, and leave what export needs in a folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from skops import io as skops_io
from threadpoolctl import threadpool_limits

from aegismatrix.artifacts import TrainingSpan
from aegismatrix.bars import Bars
from aegismatrix.errors import AegisError
from aegismatrix.runtime import Model
from exporters.head import Estimators, Head
from exporters.markets import MarketRows, MarketSource, market_rows
from exporters.seal import sealed_folder
from exporters.staging import stage_features
from exporters.walkforward import Judgement

RECORD_NAME = "training.json"
RECORD_VERSION = 1
_LIBRARIES = ("numpy", "onnx", "onnxruntime", "scikit-learn", "skl2onnx", "skops", "spox")


class TrainingRecordError(AegisError):
    """The folder that training left is missing, or does not fit what is there now."""

    def __init__(self, folder: str, reason: str) -> None:
        self.folder = folder
        super().__init__(
            f"{folder} does not hold a training that can be exported: {reason}.",
            remedy="Run: python scripts/train.py.",
        )


@dataclass(frozen=True, eq=False)
class Training:
    """What training left: everything that an export is made of.

    Attributes
    ----------
    markets : tuple of MarketRows
        The market that is modelled, then its pool.
    estimators : mapping of str to estimators
        By head.
    judgements : mapping of str to list of dict
        By head.
    base_rates : mapping of str to dict
        By head and column.
    spans : tuple of TrainingSpan
        What was seen of each market.
    made_with : mapping of str to str
        Library versions.
    """

    markets: tuple[MarketRows, ...]
    estimators: Mapping[str, Estimators]
    judgements: Mapping[str, list[dict[str, Any]]]
    base_rates: Mapping[str, dict[str, float]]
    spans: tuple[TrainingSpan, ...]
    made_with: Mapping[str, str]


def train(
    sources: Sequence[MarketSource],
    heads: Sequence[Head],
    folder: Path,
    progress: Callable[[str, int], Callable[[], object]],
) -> dict[str, list[Judgement]]:
    """Judge and fit every head, and store the outcome.

    Parameters
    ----------
    sources : sequence of MarketSource
        The market to model, then its pool.
    heads : sequence of Head
        The registry.
    folder : Path
        Replaced as a whole, once all is done.
    progress : callable
        From a title and a number of steps to what is called after each step.

    Returns
    -------
    dict of str to list of Judgement
        By head. The market is judged as it is served; each other market alone or pooled in turn,
        as the head says: evidence that the procedure is not tuned to one market.
    """
    features, data = stage_features()
    market, *pool = (market_rows(source, features) for source in sources)
    judgements: dict[str, list[Judgement]] = {}
    # One thread: the fits are small, and sums over threads would not repeat to the last bit.
    with sealed_folder(folder) as fresh, threadpool_limits(1):
        for head in heads:
            steps = sum(head.refits(judged) for judged in (market, *pool))
            step = progress(head.name, steps)
            steadied_by = pool if head.pools else ()
            judgements[head.name] = head.judge(market, steadied_by, step)
            for other in pool:
                around = (market,) if head.pooled_elsewhere else ()
                judgements[head.name] += head.judge(other, around, step)
            stored = skops_io.dumps(dict(head.fit(market, steadied_by)))
            (fresh / f"{head.name}.skops").write_bytes(stored)
        record = {
            "record_version": RECORD_VERSION,
            "features_sha256": sha256(data).hexdigest(),
            "sources": [
                {
                    "name": source.name,
                    "index": str(source.index.resolve()),
                    "iv": str(source.iv.resolve()),
                    "market": source.market,
                    "scored_from": str(rows.scored_from),
                    "scored_to": str(rows.scored_to),
                    "sha256": rows.bars.digest(),
                }
                for source, rows in zip(sources, (market, *pool), strict=True)
            ],
            "heads": {
                head.name: {
                    "version": head.version,
                    "judgements": [one.to_dict() for one in judgements[head.name]],
                    "base_rates": {
                        column: round(rate, 6) for column, rate in head.base_rates(market).items()
                    },
                }
                for head in heads
            },
            "made_with": {name: version(name) for name in _LIBRARIES},
        }
        text = json.dumps(record, indent=1, sort_keys=True, allow_nan=False)
        (fresh / RECORD_NAME).write_text(text + "\n", encoding="utf-8")
    return judgements


def read_training(folder: Path, heads: Sequence[Head]) -> Training:
    """Read back what training left, and refuse it if anything moved since.

    Parameters
    ----------
    folder : Path
        From `train`.
    heads : sequence of Head
        The registry.

    Returns
    -------
    Training

    Raises
    ------
    TrainingRecordError
        If a file is missing, or bars, feature graph or a model's version are not those of training.
    """
    try:
        record = json.loads((folder / RECORD_NAME).read_text(encoding="utf-8"))
        stored = {head.name: (folder / f"{head.name}.skops").read_bytes() for head in heads}
    except (OSError, ValueError) as error:
        raise TrainingRecordError(str(folder), str(error)) from error
    features, data = stage_features()
    if record["record_version"] != RECORD_VERSION:
        raise TrainingRecordError(str(folder), "it was written by another version of the exporters")
    if record["features_sha256"] != sha256(data).hexdigest():
        raise TrainingRecordError(str(folder), "the feature graph has changed since")
    for head in heads:
        if record["heads"].get(head.name, {}).get("version") != head.version:
            raise TrainingRecordError(str(folder), f"{head.name} {head.version} was not trained")
    markets = tuple(_market_as_trained(entry, features, str(folder)) for entry in record["sources"])
    return Training(
        markets=markets,
        estimators={
            name: skops_io.loads(content, trusted=_trusted(name, content, folder))
            for name, content in stored.items()
        },
        judgements={head.name: record["heads"][head.name]["judgements"] for head in heads},
        base_rates={head.name: record["heads"][head.name]["base_rates"] for head in heads},
        spans=tuple(_span(market) for market in markets),
        made_with=record["made_with"],
    )


def _market_as_trained(entry: Mapping[str, str], features: Model, folder: str) -> MarketRows:
    source = MarketSource(
        name=entry["name"],
        index=Path(entry["index"]),
        iv=Path(entry["iv"]),
        market="nifty" if entry["market"] == "nifty" else "other",
        scored_from=entry["scored_from"],
        scored_to=entry["scored_to"],
    )
    rows = market_rows(source, features)
    if rows.bars.digest() != entry["sha256"]:
        raise TrainingRecordError(folder, f"the bars in {source.index} have changed since")
    return rows


def _trusted(name: str, content: bytes, folder: Path) -> list[str]:
    """Trust nothing beyond what skops itself knows to be inert: training makes nothing else."""
    unknown = skops_io.get_untrusted_types(data=content)
    if unknown:
        raise TrainingRecordError(str(folder), f"{name}.skops holds {unknown}")
    return []


def _span(market: MarketRows) -> TrainingSpan:
    bars: Bars = market.bars
    return TrainingSpan(
        market=market.name,
        first=str(bars.dates[0]),
        last=str(bars.dates[-1]),
        rows=len(market.features),
        sha256=bars.digest(),
    )
