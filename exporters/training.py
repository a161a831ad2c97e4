"""Train every model of the registry: judge it, fit it, and leave what export needs in a folder."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skops import io as skops_io
from threadpoolctl import threadpool_limits

from aegismatrix.artifacts import TrainingSpan
from aegismatrix.bars import Bars
from aegismatrix.errors import AegisError
from aegismatrix.runtime import Model
from exporters.head import Estimators, Head
from exporters.markets import MarketRows, MarketSource, market_rows
from exporters.parity import expected_of, market_feed
from exporters.seal import sealed_folder
from exporters.staging import stage_features
from exporters.walkforward import Judgement

FloatArray = NDArray[np.float64]

RECORD_NAME = "training.json"
RECORD_VERSION = 1
_LIBRARIES = (
    "numpy",
    "onnx",
    "onnxruntime",
    "onnxscript",
    "scikit-learn",
    "skl2onnx",
    "skops",
    "spox",
    "torch",
)


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
    forecasts : mapping of str to ndarray
        By head: what its estimators said in training, on every row of every market.
    judgements : mapping of str to list of dict
        By head.
    measures : mapping of str to list of dict
        By head: further figures from the walk-forward.
    base_rates : mapping of str to dict
        By head and column.
    spans : tuple of TrainingSpan
        What was seen of each market.
    made_with : mapping of str to str
        Library versions.
    """

    markets: tuple[MarketRows, ...]
    estimators: Mapping[str, Estimators]
    forecasts: Mapping[str, FloatArray]
    judgements: Mapping[str, list[dict[str, Any]]]
    measures: Mapping[str, list[dict[str, Any]]]
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
    measures: dict[str, list[dict[str, Any]]] = {}
    # One thread: the fits are small, and sums over threads would not repeat to the last bit.
    with sealed_folder(folder) as fresh, threadpool_limits(1):
        for head in heads:
            steps = sum(head.refits(judged) for judged in (market, *pool))
            step = progress(head.name, steps)
            steadied_by = pool if head.pools else ()
            judgements[head.name], measures[head.name] = [], []
            around = (market,) if head.pooled_elsewhere else ()
            for judged, steady in ((market, steadied_by), *((other, around) for other in pool)):
                head.check_shuffled(judged, step)
                walks = head.walk(judged, steady, step)
                judgements[head.name] += head.judge(judged, walks)
                measures[head.name] += head.measure(judged, walks)
            estimators = head.fit(market, steadied_by)
            (fresh / f"{head.name}.skops").write_bytes(skops_io.dumps(dict(estimators)))
            forecasts = [_forecasts(head, estimators, judged) for judged in (market, *pool)]
            np.save(fresh / f"{head.name}.npy", np.concatenate(forecasts))
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
                    **_promised(head),
                    "forecasts_sha256": _sha256(fresh / f"{head.name}.npy"),
                    "judgements": [one.to_dict() for one in judgements[head.name]],
                    "measures": measures[head.name],
                    "base_rates": {
                        column: round(rate, 6) for column, rate in head.base_rates(market).items()
                    },
                }
                for head in heads
            },
            "made_with": _made_with(),
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
        forecasts = {head.name: (folder / f"{head.name}.npy").read_bytes() for head in heads}
    except (OSError, ValueError) as error:
        raise TrainingRecordError(str(folder), str(error)) from error
    features, data = stage_features()
    if not isinstance(record, dict) or record.get("record_version") != RECORD_VERSION:
        raise TrainingRecordError(str(folder), "it was written by another version of the exporters")
    if record["features_sha256"] != sha256(data).hexdigest():
        raise TrainingRecordError(str(folder), "the feature graph has changed since")
    for head in heads:
        trained = record["heads"].get(head.name, {})
        for key, value in _promised(head).items():
            if trained.get(key) != value:
                reason = f"{head.name} {head.version} was not trained: its {key} differs"
                raise TrainingRecordError(str(folder), reason)
        if trained["forecasts_sha256"] != sha256(forecasts[head.name]).hexdigest():
            raise TrainingRecordError(str(folder), f"{head.name}.npy is of another training")
    if record["made_with"] != _made_with():
        reason = f"it was made with {record['made_with']}, here are {_made_with()}"
        raise TrainingRecordError(str(folder), reason)
    markets = tuple(_market_as_trained(entry, features, str(folder)) for entry in record["sources"])
    return Training(
        markets=markets,
        estimators={
            name: _load_estimators(name, content, folder) for name, content in stored.items()
        },
        forecasts={
            name: np.load(io.BytesIO(content), allow_pickle=False)
            for name, content in forecasts.items()
        },
        judgements={head.name: record["heads"][head.name]["judgements"] for head in heads},
        measures={head.name: record["heads"][head.name]["measures"] for head in heads},
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


def _load_estimators(name: str, content: bytes, folder: Path) -> Estimators:
    """Trust nothing beyond what skops itself knows to be inert: training makes nothing else."""
    try:
        unknown = skops_io.get_untrusted_types(data=content)
        if not unknown:
            return dict(skops_io.loads(content, trusted=[]))
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError) as error:
        reason = f"{name}.skops is damaged ({error})"
        raise TrainingRecordError(str(folder), reason) from error
    raise TrainingRecordError(str(folder), f"{name}.skops holds {unknown}")


def _forecasts(head: Head, estimators: Estimators, market: MarketRows) -> FloatArray:
    return expected_of(head, estimators, market_feed(head, market), market.feature_names)


def _promised(head: Head) -> dict[str, Any]:
    """What export must find unchanged: a judgement is of this head and of no other."""
    return {
        "version": head.version,
        "question": head.question,
        "features": list(head.features),
        "columns": list(head.columns),
        "rows": head.rows,
        "tolerance": head.tolerance,
    }


def _made_with() -> dict[str, str]:
    return {name: version(name) for name in _LIBRARIES}


def _sha256(file: Path) -> str:
    return sha256(file.read_bytes()).hexdigest()


def _span(market: MarketRows) -> TrainingSpan:
    bars: Bars = market.bars
    return TrainingSpan(
        market=market.name,
        first=str(bars.dates[0]),
        last=str(bars.dates[-1]),
        rows=len(market.features),
        sha256=bars.digest(),
    )
