"""The report: everything about the last bar, as typed values and as strict JSON."""

from __future__ import annotations

import json
import math
import operator
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone
from datetime import time as clock_time
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from aegismatrix import __version__
from aegismatrix.bars import Bars
from aegismatrix.engine import BREACH, HORIZONS_DAYS, LONGEST_DAYS, Engine, Forecast
from aegismatrix.errors import ContractError, InsufficientHistoryError, MissingExtraError
from aegismatrix.files import write_atomically
from aegismatrix.signals import seller as selling
from aegismatrix.signals.market import MarketState, market_state
from aegismatrix.signals.seller import BreachPoint, BreachSurface, SellerSignal
from aegismatrix.signals.statistics import windows_needed
from aegismatrix.tables import FloatArray

HORIZON_DAYS = 20
CONFIDENCE = 0.80
DISTANCE_FRACTIONS = (0.01, 0.02, 0.03, 0.04, 0.05, 0.07)
"""Distances of the breach curve, as fractions of spot."""

NOT_JUDGED = "not judged"
"""In place of a verdict on what no walk-forward has scored."""

_EXCHANGE_OFFSET = timedelta(hours=5, minutes=30)
_EXCHANGE_CLOSE = clock_time(15, 30)
_PROBABILITY_DIGITS = 6
_DISTANCE_DIGITS = 12


@dataclass(frozen=True)
class Provenance:
    """Where the numbers come from.

    Attributes
    ----------
    package_version, manifest_digest : str
        Which code, which set of artifacts.
    market : {'nifty', 'other'}
        Whose bars.
    source : str
        What they were read from.
    rows : int
        Bars.
    iv_fills : tuple of dict
        Days whose iv was carried forward.
    artifacts : mapping of str to dict
        File, version and sha256 of each artifact.
    training : tuple of dict
        Markets and spans that the models were trained on.
    skill : mapping of str to dict
        By judged output: verdict, skill with its 95 % interval, baseline, market.
    in_sample : bool
        Whether the last bar lies inside the training span.
    demonstration : str or None
        Why the report proves nothing, where it does not: another market, in-sample.
    """

    package_version: str
    manifest_digest: str
    market: str
    source: str
    rows: int
    iv_fills: tuple[dict[str, Any], ...]
    artifacts: Mapping[str, Mapping[str, str]]
    training: tuple[dict[str, Any], ...]
    skill: Mapping[str, Mapping[str, Any]]
    in_sample: bool
    demonstration: str | None


@dataclass(frozen=True, repr=False)
class Report:
    """What `analyze` says about the last bar.

    Attributes
    ----------
    generated_at : str
        ISO 8601, UTC: the only field that two runs on the same bars and artifacts may differ in.
    as_of : str
        Day of the last bar.
    session : {'closed', 'partial'}
        Whether that day's session had ended when the report was made.
    market : MarketState
        Spot, volatility index, regime.
    seller : SellerSignal
        What a seller of options reads.
    provenance : Provenance
        Where the numbers come from.
    """

    generated_at: str
    as_of: str
    session: str
    market: MarketState
    seller: SellerSignal
    provenance: Provenance

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values, probabilities to six digits, points to two.

        Returns
        -------
        dict
            As the shipped JSON Schema says (`schema`).
        """
        seller = self.seller
        return {
            "generated_at": self.generated_at,
            "as_of": self.as_of,
            "session": self.session,
            "market": _rounded(asdict(self.market)),
            "seller": {
                "safe_range": {
                    **self._points(seller.safe_range.lower, seller.safe_range.upper),
                    "horizon_days": seller.safe_range.horizon_days,
                    "confidence": seller.safe_range.confidence,
                    "log_distance": round(seller.safe_range.log_distance, _DISTANCE_DIGITS),
                    "verdict": self.verdict(f"{BREACH}_h{seller.safe_range.horizon_days}"),
                },
                "max_pain": {
                    **self._points(seller.max_pain.lower, seller.max_pain.upper),
                    "confidence": round(seller.max_pain.confidence, _PROBABILITY_DIGITS),
                    "method": seller.max_pain.method,
                    "verdict": NOT_JUDGED,
                },
                "trap": {
                    **_rounded(asdict(seller.trap)),
                    "verdict": self.verdict(f"trap_{selling.HEADLINE_TRAP_DAYS}"),
                },
                "skew": _rounded(asdict(seller.skew)),
                "expiry_stress": {
                    **_rounded(asdict(seller.expiry_stress)),
                    "verdict": self.verdict("regime"),
                },
                "breach_probabilities": [_rounded(asdict(p)) for p in seller.breach_probabilities],
                "breach_surface": _rounded(asdict(seller.breach_surface)),
                "seller_flag": {**_rounded(asdict(seller.seller_flag)), "verdict": NOT_JUDGED},
                "historical_hit_rate": round(seller.hit_rate.rate, _PROBABILITY_DIGITS),
                "historical_hit_rate_n": seller.hit_rate.n,
                "historical_hit_rate_interval": {
                    "lower": round(seller.hit_rate.lower, _PROBABILITY_DIGITS),
                    "upper": round(seller.hit_rate.upper, _PROBABILITY_DIGITS),
                },
                "regime": seller.regime,
                "daily_flag": seller.daily_flag,
            },
            "provenance": {
                name: value
                for name, value in _rounded(asdict(self.provenance)).items()
                if value is not None
            },
        }

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """Return the report as strict JSON, and write it to a file in one step.

        Parameters
        ----------
        path : path-like, optional
            The file; without it nothing is written.

        Returns
        -------
        str
            No NaN, no infinity; one trailing line end.

        Raises
        ------
        OutputError
            If the file cannot be written; the previous one is untouched then.
        """
        text = json.dumps(self.to_dict(), indent=2, allow_nan=False) + "\n"
        if path is not None:
            write_atomically(path, text)
        return text

    def validate(self) -> None:
        """Hold the report against the shipped JSON Schema (extra ``report``).

        Raises
        ------
        MissingExtraError
            If jsonschema is not installed.
        ContractError
            If a field is missing, of another type or out of its range.
        """
        try:
            import jsonschema
        except ImportError as error:
            raise MissingExtraError("jsonschema", extra="report") from error
        try:
            jsonschema.validate(self.to_dict(), schema(), format_checker=jsonschema.FormatChecker())
        except jsonschema.ValidationError as error:
            raise ContractError(
                "report",
                error.json_path,
                error.message,
                remedy="Nothing was published; report the bars that led here as a bug.",
            ) from error

    def summary(self) -> str:
        """Return a few lines for a terminal, each probability with its verdict."""
        market, seller = self.market, self.seller
        safe, stress = seller.safe_range, seller.expiry_stress
        trap = ", ".join(
            f"{days} d {p:.0%} ({self.verdict(f'trap_{days}')})"
            for days, p in seller.trap.horizons.items()
        )
        curve = ", ".join(
            f"{point.distance} {point.probability:.1%}" for point in seller.breach_probabilities
        )
        lines = [
            f"{self.as_of} ({self.session})  spot {market.spot:.2f}"
            f" ({market.spot_change_pct:+.2%}), vix {market.vix:.2f} ({market.vix_change:+.2f}),"
            f" {market.regime}",
            f"  seller flag    {seller.seller_flag.label}: {', '.join(seller.seller_flag.reasons)}"
            f" ({NOT_JUDGED})",
            f"  trap           {seller.trap.label}: {trap}; usual {seller.trap.base_rate:.0%}",
            f"  expiry stress  {stress.label}: {stress.score:.2f}, high volatility"
            f" {stress.probabilities['high']:.0%} ({self.verdict('regime')})",
            f"  safe range     {safe.lower:.0f} to {safe.upper:.0f} over {safe.horizon_days} days"
            f" at {safe.confidence:.0%} ({self.verdict(f'{BREACH}_h{safe.horizon_days}')})",
            f"  held           {seller.hit_rate.rate:.0%} of the last {seller.hit_rate.n} windows"
            f" [{seller.hit_rate.lower:.0%}, {seller.hit_rate.upper:.0%}]",
            f"  touch          within {safe.horizon_days} days, by points: {curve}",
            f"In brackets: whether skill was shown, walk-forward on {self._judged_on()}.",
        ]
        if self.provenance.demonstration:
            lines.append(f"demonstration: {self.provenance.demonstration}")
        return "\n".join(lines)

    def verdict(self, output: str) -> str:
        """Return the verdict on a judged output, or that there is none.

        Parameters
        ----------
        output : str
            Such as ``trap_10``, ``regime`` or ``breach_h20``.

        Returns
        -------
        str
            ``demonstrated``, ``none demonstrated`` or ``not judged``.
        """
        judged = self.provenance.skill.get(output)
        return str(judged["verdict"]) if judged else NOT_JUDGED

    def _judged_on(self) -> str:
        return ", ".join(sorted({str(one["market"]) for one in self.provenance.skill.values()}))

    def _points(self, lower: float, upper: float) -> dict[str, float]:
        """Two decimals, and more for an index so low that they would merge."""
        digits = max(2, 5 - math.floor(math.log10(self.market.spot)))
        return {"lower": round(lower, digits), "upper": round(upper, digits)}

    def __repr__(self) -> str:
        return self.summary()


def analyze(
    bars: Bars,
    *,
    engine: Engine | None = None,
    horizon_days: int = HORIZON_DAYS,
    confidence: float = CONFIDENCE,
    now: datetime | None = None,
) -> Report:
    """Say everything about the last bar.

    Parameters
    ----------
    bars : Bars
        At least the engine's look-back, and three blocks of windows more to measure the hit rate
        (146 trading days for a horizon of 20); the last 252 completed windows are measured where
        there are as many.
    engine : Engine, optional
        By default one on the bundled artifacts.
    horizon_days : int
        Of the safe range: whole trading days, 1 to 30.
    confidence : float
        Of the safe range, between 0 and 1.
    now : datetime, optional
        With a time zone; by default the present.

    Returns
    -------
    Report

    Raises
    ------
    InsufficientHistoryError, HitRateUnavailableError
        If a number cannot be computed: there is no report with a guess in it.
    ContractError, ArtifactError
        If an artifact is not what was sealed, or says what it must not.
    """
    if not isinstance(bars, Bars):
        raise ContractError(
            "report",
            "bars",
            f"is a {type(bars).__name__}",
            remedy="Give Bars, made with Bars.from_csv, from_frames or from_arrays.",
        )
    horizon_days = _whole("horizon_days", horizon_days)
    if not isinstance(confidence, float) or not 0.0 < confidence < 1.0:
        raise ContractError(
            "report", "confidence", f"is {confidence!r}", remedy="Give a share such as 0.8."
        )
    if now is not None and now.tzinfo is None:
        raise ContractError(
            "report", "now", "has no time zone", remedy="Give one, such as timezone.utc."
        )
    engine = engine or Engine()
    need = engine.lookback_bars - 1 + horizon_days + windows_needed(horizon_days)
    if len(bars) < need:
        raise InsufficientHistoryError(need=need, have=len(bars))
    moment = now or datetime.now(timezone.utc)
    spot = float(bars.close[-1])
    points = selling.distances_in_points(spot, DISTANCE_FRACTIONS)
    distances = np.log1p(np.array(points, dtype=np.float64) / spot)
    horizons = tuple(sorted({*HORIZONS_DAYS, horizon_days}))
    window = bars[-(engine.lookback_bars - 1 + horizon_days + selling.HIT_WINDOWS) :]
    past = engine.history(window, horizon_days=horizon_days, distance=distances[:1])
    today = engine.predict(bars, horizon_days=horizons, distance=distances)
    models = engine.manifest.models
    row = today.row()

    trap_days = [column.split("_")[1] for column in today.columns["trap"]]
    stress = selling.expiry_stress(
        {name: row[f"regime_{name}"] for name in ("low", "medium", "high")},
        {name: models["regime"].base_rates[f"regime_{name}"] for name in ("low", "medium", "high")},
    )
    trap = selling.trap(
        {days: row[f"trap_{days}"] for days in trap_days},
        models["trap"].base_rates[f"trap_{selling.HEADLINE_TRAP_DAYS}"],
        bars,
    )
    rate = selling.hit_rate(_held(engine, window, past, horizon_days, confidence), horizon_days)
    flag = selling.seller_flag(trap.label, stress.label, rate, confidence)
    regime, daily_flag = selling.older_words(stress.label, flag.label)
    edge = engine.breach_distance(bars, horizon_days=horizon_days, probability=1.0 - confidence)
    median = engine.breach_distance(bars, horizon_days=horizon_days, probability=0.5)
    surface = _surface(today, horizons, points, spot)
    curve = surface.either[horizons.index(horizon_days)]
    return Report(
        generated_at=moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        as_of=str(bars.dates[-1]),
        session=_session(bars, moment),
        market=market_state(bars),
        seller=SellerSignal(
            safe_range=selling.safe_range(spot, edge, horizon_days, confidence),
            max_pain=selling.max_pain(spot, median),
            trap=trap,
            skew=selling.skew(bars.close),
            expiry_stress=stress,
            breach_probabilities=tuple(
                BreachPoint(point, p) for point, p in zip(points, curve, strict=True)
            ),
            breach_surface=surface,
            seller_flag=flag,
            hit_rate=rate,
            regime=regime,
            daily_flag=daily_flag,
        ),
        provenance=_provenance(engine, bars, today),
    )


@cache
def schema() -> dict[str, Any]:
    """Return the JSON Schema of a report (draft 2020-12), with a description of every field.

    Returns
    -------
    dict
    """
    text = (Path(__file__).parent / "report.schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def _held(
    engine: Engine, bars: Bars, forecast: Forecast, horizon_days: int, confidence: float
) -> FloatArray:
    """Whether each completed window stayed inside of its own safe range, where that is known.

    The range held if and only if the furthest that the window went was less likely to be kept than
    the edge: P(touch) falls with the distance.
    """
    first = len(bars) - len(forecast)
    reached = np.full(len(forecast), np.nan)
    for row in range(len(forecast) - horizon_days):
        ahead = slice(first + row + 1, first + row + 1 + horizon_days)
        close = bars.close[first + row]
        highest, lowest = bars.high[ahead].max(), bars.low[ahead].min()
        reached[row] = max(math.log(highest / close), math.log(close / lowest))
    complete = ~np.isnan(reached)
    # A window that never left its close is inside of any range.
    probability = engine.unseen_breach(
        forecast,
        horizon_days=horizon_days,
        distance=np.maximum(np.nan_to_num(reached, nan=1), 1e-9),
    )
    known = complete & ~np.isnan(probability)
    held = probability[known] > 1.0 - confidence
    return np.asarray(held[-selling.HIT_WINDOWS :], dtype=np.float64)


def _surface(
    forecast: Forecast, horizons: tuple[int, ...], points: tuple[int, ...], spot: float
) -> BreachSurface:
    either, down, up = (
        tuple(tuple(float(p) for p in of_horizon) for of_horizon in side)
        for side in forecast[BREACH][-1]
    )
    return BreachSurface(
        horizon_days=horizons,
        distance_points=points,
        upper_edges=tuple(spot + point for point in points),
        lower_edges=tuple(spot * spot / (spot + point) for point in points),
        either=either,
        down=down,
        up=up,
    )


def _whole(name: str, days: int) -> int:
    """Return a horizon as an int; numpy's integers are not JSON."""
    try:
        whole = operator.index(days)
    except TypeError as error:
        raise ContractError(
            "report", name, f"is {days!r}", remedy="Give whole trading days from 1 to 30."
        ) from error
    if not 1 <= whole <= LONGEST_DAYS:
        raise ContractError(
            "report", name, f"is {days!r}", remedy=f"Give 1 to {LONGEST_DAYS} trading days."
        )
    return whole


def _session(bars: Bars, moment: datetime) -> str:
    """NSE closes at 15:30 IST; of another market only the day is known.

    A bar dated later than the clock says is one whose session has not begun, let alone ended.
    """
    offset = _EXCHANGE_OFFSET if bars.market == "nifty" else timedelta(0)
    local = moment.astimezone(timezone(offset))
    day, today = str(bars.dates[-1]), local.date().isoformat()
    over = bars.market == "nifty" and local.time() >= _EXCHANGE_CLOSE
    return "closed" if day < today or (day == today and over) else "partial"


def _provenance(engine: Engine, bars: Bars, forecast: Forecast) -> Provenance:
    models = engine.manifest.models.values()
    in_sample = bool(forecast.in_sample[-1])
    notes = ["other market"] if bars.market != "nifty" else []
    notes += ["in-sample"] if in_sample else []
    spans = {(span.market, span.first, span.last): span for m in models for span in m.training}
    return Provenance(
        package_version=__version__,
        manifest_digest=engine.manifest.digest,
        market=bars.market,
        source=bars.source,
        rows=len(bars),
        iv_fills=tuple(asdict(fill) for fill in bars.iv_fills),
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


def _rounded(value: Any) -> Any:
    """Round every float among plain values."""
    if isinstance(value, float):
        # Adding 0 makes -0.0 plain.
        return round(value, _PROBABILITY_DIGITS) + 0.0
    if isinstance(value, Mapping):
        return {name: _rounded(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(inner) for inner in value]
    return value
