"""Where the numbers of a report come from, and what a log keeps of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from aegismatrix import __version__
from aegismatrix.desk.outputs import horizons_of
from aegismatrix.desk.report import Provenance, Record
from aegismatrix.desk.sessions import calendar_facts
from aegismatrix.engine.engine import Engine, Forecast
from aegismatrix.market.bars import Bars
from aegismatrix.market.chain import OptionChain
from aegismatrix.market.events import LABELS
from aegismatrix.market.intraday import IntradayBars
from aegismatrix.market.market import MARKETS
from aegismatrix.market.windows import sessions_ahead


def provenance_of(
    engine: Engine,
    bars: Bars,
    forecast: Forecast,
    intraday: IntradayBars | None,
    chain: OptionChain | None,
    overnight: Bars | None,
    source_notes: Sequence[str],
) -> Provenance:
    """Say where the numbers of a report come from.

    Parameters
    ----------
    engine : Engine
        What forecast.
    bars : Bars
        What it was forecast from.
    forecast : Forecast
        Of the last bar.
    intraday, chain, overnight
        What else was given.
    source_notes : sequence of str
        What is to be said of the bars.

    Returns
    -------
    Provenance
    """
    models = engine.manifest.models.values()
    in_sample = bool(forecast.in_sample[-1])
    notes = ["other market"] if bars.market.name != engine.manifest.market else []
    notes += ["in-sample"] if in_sample else []
    notes += ["quick training"] if engine.manifest.is_quick else []
    spans = {(span.market, span.first, span.last): span for m in models for span in m.training}
    return Provenance(
        package_version=__version__,
        manifest_digest=engine.manifest.digest,
        market=bars.market.name,
        source=_text(bars.source),
        intraday_source=None if intraday is None else _text(intraday.source),
        chain_source=None if chain is None else _text(chain.source),
        source_notes=tuple(_text(note) for note in source_notes),
        rows=len(bars),
        iv_fills=tuple(asdict(fill) for fill in bars.iv_fills),
        missing_sessions=_iso(bars.days.missing),
        unexpected_days=_iso(bars.days.unexpected),
        special_sessions=_iso(bars.days.special),
        permits=tuple(asdict(permit) for permit in bars.permits),
        artifacts={
            model.name: {"file": model.file, "version": model.version, "sha256": model.sha256}
            for model in models
        },
        training=tuple(
            {"market": span.market, "first": span.first, "last": span.last, "rows": span.rows}
            for span in spans.values()
        ),
        skill={one["output"]: _skill(one) for model in models for one in model.own_judgements()},
        in_sample=in_sample,
        demonstration=", ".join(notes) or None,
        overnight_source=None if overnight is None else _text(overnight.source),
        market_title=None if bars.market.name in MARKETS else bars.market.title,
        calendar=calendar_facts(bars),
    )


def record_of(
    engine: Engine, bars: Bars, forecast: Forecast, base_rates: Mapping[str, float]
) -> Record:
    """Return what a log must keep of a report.

    Parameters
    ----------
    engine : Engine
        What forecast.
    bars : Bars
        What it was forecast from.
    forecast : Forecast
        Of the last bar.
    base_rates : mapping of str to float
        As sealed, by column.

    Returns
    -------
    Record
    """
    names = next(out.columns for out in engine.spec.outputs if out.name == "features")
    horizons = horizons_of(engine.manifest)
    probabilities = {
        column: probability
        for model, columns in forecast.columns.items()
        if forecast[model].ndim == 2
        for column, probability in zip(columns, forecast[model][-1].tolist(), strict=True)
    }
    return Record(
        high=float(bars.high[-1]),
        low=float(bars.low[-1]),
        close=float(bars.close[-1]),
        iv_percent=float(bars.iv[-1]),
        features=dict(zip(names, forecast.features[-1].tolist(), strict=True)),
        probabilities=probabilities,
        base_rates=dict(base_rates),
        horizon_days={name: days for name, days in horizons.items() if name in probabilities},
        sessions_ahead=tuple(sessions_ahead(bars, max(LABELS)).astype(str).tolist()),
    )


def _skill(judgement: Mapping[str, Any]) -> dict[str, Any]:
    against = judgement["skills"][judgement["strongest"]]
    return {
        "verdict": judgement["verdict"],
        "score": judgement["score"],
        **against,
        "baseline": judgement["strongest"],
        "market": judgement["market"],
    }


def _iso(days: Sequence[np.datetime64]) -> tuple[str, ...]:
    return tuple(str(day) for day in days)


def _text(name: str) -> str:
    """A name that may stand in UTF-8: a file's may be any bytes."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")
