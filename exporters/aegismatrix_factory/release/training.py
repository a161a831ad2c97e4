"""Train every model of the registry: judge it, fit it, and leave what export needs in a folder."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skops import io as skops_io
from threadpoolctl import threadpool_limits

from aegismatrix.artifacts.forecasts import (
    FORECASTS_NAME,
    WalkForward,
    parse_forecasts,
    render_forecasts,
)
from aegismatrix.artifacts.manifest import QUICK_KEY, TrainingSpan
from aegismatrix.engine.model import Model
from aegismatrix.errors import AegisError
from aegismatrix.market.bars import Bars
from aegismatrix.market.market import Market
from aegismatrix_factory.evaluate.fetching import FetchedMarket
from aegismatrix_factory.evaluate.forecasts import walk_forward_of
from aegismatrix_factory.evaluate.losses import (
    LOSSES_NAME,
    MarketLosses,
    losses_of,
    parse_losses,
    render_losses,
)
from aegismatrix_factory.evaluate.markets import MarketRows, MarketSource, market_rows
from aegismatrix_factory.evaluate.verdicts import RULE, settled
from aegismatrix_factory.evaluate.walkforward import FULL, Effort, Judgement
from aegismatrix_factory.heads.head import Estimators, Head
from aegismatrix_factory.heads.registry import HEADS
from aegismatrix_factory.release.card import RULE_KEY
from aegismatrix_factory.release.parity import expected_of, market_feed
from aegismatrix_factory.release.staging import meanings_of, stage_features
from aegismatrix_factory.sealing import sealed_folder

FloatArray = NDArray[np.float64]

RECORD_NAME = "training.json"
RECORD_VERSION = 4
US_MARKET = "us overnight"
_LIBRARIES = (
    "arch",
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
            remedy="Run: aegismatrix train.",
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
    us_span : TrainingSpan or None
        What was seen of the US market that closes in the modelled one's night.
    made_with : mapping of str to str
        Library versions.
    losses : MarketLosses
        The walk-forward on the market that is modelled, day by day.
    walked : WalkForward
        What every head forecast in it.
    effort : Effort
        How much work was put into the judgements.
    """

    markets: tuple[MarketRows, ...]
    estimators: Mapping[str, Estimators]
    forecasts: Mapping[str, FloatArray]
    judgements: Mapping[str, list[dict[str, Any]]]
    measures: Mapping[str, list[dict[str, Any]]]
    base_rates: Mapping[str, dict[str, float]]
    spans: tuple[TrainingSpan, ...]
    us_span: TrainingSpan | None
    made_with: Mapping[str, str]
    losses: MarketLosses
    walked: WalkForward
    effort: Effort = FULL


def train(
    sources: Sequence[MarketSource | FetchedMarket],
    heads: Sequence[Head],
    folder: Path,
    progress: Callable[[str, int], Callable[[], object]],
    effort: Effort = FULL,
) -> dict[str, list[Judgement]]:
    """Judge and fit every head, and store the outcome.

    Parameters
    ----------
    sources : sequence of MarketSource or FetchedMarket
        The market to model, then its pool. What is fetched is kept in `folder`.
    heads : sequence of Head
        The registry.
    folder : Path
        Replaced as a whole, once all is done.
    progress : callable
        From a title and a number of steps to what is called after each step.
    effort : Effort
        How much work to put into the judgements. With less than `FULL` no skill is demonstrated,
        whatever the figures say, and the record says so.

    Returns
    -------
    dict of str to list of Judgement
        By head, without those optional ones whose input is not there. The market is judged as it
        is served; each other market alone or pooled in turn, as the head says: evidence that the
        procedure is not tuned to one market.

    Raises
    ------
    AegisError
        One of its children: bars that cannot be fetched or read, a model that cannot be judged, a
        device or a disk that refuses. `folder` is as it was then.
    """
    features, data = stage_features()
    judgements: dict[str, list[Judgement]] = {}
    measures: dict[str, list[dict[str, Any]]] = {}
    # One thread: the fits are small, and sums over threads would not repeat to the last bit.
    with sealed_folder(folder) as fresh, threadpool_limits(1):
        stored = [
            source.store(fresh) if isinstance(source, FetchedMarket) else source
            for source in sources
        ]
        market, *pool = (market_rows(source, features, effort) for source in stored)
        heads = [head for head in heads if head.serves(market)]
        said: dict[str, FloatArray] = {}
        for head in heads:
            served = [judged for judged in (market, *pool) if head.serves(judged)]
            steps = sum(head.refits(judged) for judged in served)
            step = progress(head.name, steps)
            steadied_by = pool if head.pools else ()
            judgements[head.name], measures[head.name] = [], []
            around = (market,) if head.pooled_elsewhere else ()
            for judged in served:
                steady = steadied_by if judged is market else around
                head.check_shuffled(judged, step)
                walks = head.walk(judged, steady, step)
                judgements[head.name] += head.judge(judged, walks)
                measures[head.name] += head.measure(judged, walks)
                forecast = head.said(judged, walks) if judged is market else None
                if forecast is not None:
                    said[head.name] = forecast
            estimators = head.fit(market, steadied_by)
            (fresh / f"{head.name}.skops").write_bytes(skops_io.dumps(dict(estimators)))
            forecasts = [_forecasts(head, estimators, judged) for judged in served]
            np.save(fresh / f"{head.name}.npy", np.concatenate(forecasts))
        # A verdict depends on all that was judged, so it comes last.
        judgements = settled(judgements, {head.name for head in HEADS}, effort)
        losses = render_losses([losses_of(judged, judgements) for judged in (market, *pool)])
        (fresh / LOSSES_NAME).write_bytes(losses)
        walked = render_forecasts(walk_forward_of(market, heads, said))
        (fresh / FORECASTS_NAME).write_bytes(walked)
        record = {
            "record_version": RECORD_VERSION,
            "losses_sha256": sha256(losses).hexdigest(),
            "walked_sha256": sha256(walked).hexdigest(),
            "features_sha256": sha256(data).hexdigest(),
            QUICK_KEY: asdict(effort) if effort.is_quick else None,
            RULE_KEY: RULE,
            "sources": [
                {
                    "name": source.name,
                    "index": _place(source.index, fresh),
                    "iv": _place(source.iv, fresh),
                    "origin": source.origin,
                    "market": source.market.to_dict(),
                    "scored_from": str(rows.scored_from),
                    "scored_to": str(rows.scored_to),
                    "sha256": rows.bars.digest(),
                    "us": _us_entry(source, rows, fresh),
                }
                for source, rows in zip(stored, (market, *pool), strict=True)
            ],
            "heads": {
                head.name: {
                    **_promised(head),
                    "device": head.device,
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
        if not isinstance(record, dict) or record.get("record_version") != RECORD_VERSION:
            reason = "it was written by another version of the exporters"
            raise TrainingRecordError(str(folder), reason)
        trained = record["heads"]
        # What is optional was left out of the training if its input was not there.
        heads = [head for head in heads if head.name in trained or not head.optional]
        for head in heads:
            if head.name not in trained:
                raise TrainingRecordError(str(folder), f"{head.name} was not trained")
        stored = {head.name: (folder / f"{head.name}.skops").read_bytes() for head in heads}
        forecasts = {head.name: (folder / f"{head.name}.npy").read_bytes() for head in heads}
        losses = (folder / LOSSES_NAME).read_bytes()
        walked = (folder / FORECASTS_NAME).read_bytes()
    except (OSError, ValueError) as error:
        raise TrainingRecordError(str(folder), str(error)) from error
    features, data = stage_features()
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
    if record["losses_sha256"] != sha256(losses).hexdigest():
        raise TrainingRecordError(str(folder), f"{LOSSES_NAME} is of another training")
    if record["walked_sha256"] != sha256(walked).hexdigest():
        raise TrainingRecordError(str(folder), f"{FORECASTS_NAME} is of another training")
    if record[RULE_KEY] != RULE:
        reason = f"its verdicts were reached by another rule, {record[RULE_KEY]}"
        raise TrainingRecordError(str(folder), reason)
    if record["made_with"] != _made_with():
        reason = f"it was made with {record['made_with']}, here are {_made_with()}"
        raise TrainingRecordError(str(folder), reason)
    quick = record.get(QUICK_KEY)
    markets = tuple(_market_as_trained(entry, features, folder) for entry in record["sources"])
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
        spans=tuple(_span(market.name, market.bars, len(market.features)) for market in markets),
        us_span=_us_span(markets[0]),
        made_with=record["made_with"],
        losses=_of_heads(parse_losses(losses)[0], heads),
        walked=_said_by(parse_forecasts(walked, str(folder / FORECASTS_NAME)), heads),
        effort=Effort(**quick) if quick else FULL,
    )


def check_known(folder: Path, heads: Sequence[Head]) -> None:
    """Refuse to leave out a model that was trained because nobody named it this time.

    Parameters
    ----------
    folder : Path
        From `train`.
    heads : sequence of Head
        What is to be exported.

    Raises
    ------
    TrainingRecordError
        If a trained model is not among them. A record that cannot be read is for `read_training` to
        refuse.
    """
    try:
        trained = json.loads((folder / RECORD_NAME).read_text(encoding="utf-8"))["heads"]
    except (OSError, ValueError, KeyError, TypeError):
        trained = {}
    for name in trained:
        if name not in {head.name for head in heads}:
            reason = f"{name} was trained, and neither an installed package nor --head has it"
            raise TrainingRecordError(str(folder), reason)


def _of_heads(losses: MarketLosses, heads: Sequence[Head]) -> MarketLosses:
    """Leave out what is trained and not exported."""
    names = {head.name for head in heads}
    return replace(losses, outputs=tuple(one for one in losses.outputs if one.head in names))


def _said_by(walked: WalkForward, heads: Sequence[Head]) -> WalkForward:
    """Leave out what is trained and not exported."""
    names = {head.name for head in heads}
    return replace(
        walked, heads={name: said for name, said in walked.heads.items() if name in names}
    )


def _place(file: Path, fresh: Path) -> str:
    """Where a file will be found: by its name where it goes with the training's folder."""
    return file.name if file.parent == fresh else str(file.resolve())


def _us_entry(source: MarketSource, rows: MarketRows, fresh: Path) -> dict[str, str] | None:
    if source.us_index is None or source.us_iv is None or rows.us_bars is None:
        return None
    return {
        "index": _place(source.us_index, fresh),
        "iv": _place(source.us_iv, fresh),
        "sha256": rows.us_bars.digest(),
    }


def _market_as_trained(entry: Mapping[str, Any], features: Model, folder: Path) -> MarketRows:
    us = entry["us"]
    source = MarketSource(
        name=entry["name"],
        index=folder / entry["index"],
        iv=folder / entry["iv"],
        market=Market.from_dict(entry["market"], path=folder / RECORD_NAME),
        scored_from=entry["scored_from"],
        scored_to=entry["scored_to"],
        us_index=folder / us["index"] if us else None,
        us_iv=folder / us["iv"] if us else None,
    )
    rows = market_rows(source, features)
    if rows.bars.digest() != entry["sha256"]:
        raise TrainingRecordError(str(folder), f"the bars in {source.index} have changed since")
    if us and rows.us_bars is not None and rows.us_bars.digest() != us["sha256"]:
        raise TrainingRecordError(str(folder), f"the bars in {source.us_index} have changed since")
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
    meanings = meanings_of(head)
    return {
        "version": head.version,
        "question": head.question,
        "features": list(head.features),
        "columns": list(head.columns),
        "rows": head.rows,
        "tolerance": head.tolerance,
        **({"meanings": meanings} if meanings else {}),
    }


def _made_with() -> dict[str, str]:
    return {name: version(name) for name in _LIBRARIES}


def _sha256(file: Path) -> str:
    return sha256(file.read_bytes()).hexdigest()


def _span(name: str, bars: Bars, rows: int) -> TrainingSpan:
    return TrainingSpan(
        market=name,
        first=str(bars.dates[0]),
        last=str(bars.dates[-1]),
        rows=rows,
        sha256=bars.digest(),
    )


def _us_span(market: MarketRows) -> TrainingSpan | None:
    """The bars of the nights that are known, as `market` sees them."""
    if market.us_bars is None or market.nights is None:
        return None
    return _span(US_MARKET, market.us_bars, int(market.nights.known.sum()))
