"""The analysis: bars in, a report on the last one out."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta, timezone
from typing import Any, get_args

import numpy as np

from aegismatrix import __version__
from aegismatrix.desk.outputs import further_models, horizons_of, missing_from
from aegismatrix.desk.report import PriceHistory, Provenance, Record, Report
from aegismatrix.desk.signals import direction as directed
from aegismatrix.desk.signals import seller as selling
from aegismatrix.desk.signals.buyer import buyer_signal
from aegismatrix.desk.signals.direction import Eve, direction_signal
from aegismatrix.desk.signals.further import further_forecasts
from aegismatrix.desk.signals.intraday import IntradaySignal, intraday_signal
from aegismatrix.desk.signals.market import market_state
from aegismatrix.desk.signals.overnight import OvernightSignal, overnight_signal
from aegismatrix.desk.signals.seller import CONFIDENCE, DISTANCE_FRACTIONS, seller_signal
from aegismatrix.engine.engine import HORIZONS_DAYS, LONGEST_DAYS, Engine, Forecast
from aegismatrix.engine.errors import InsufficientHistoryError
from aegismatrix.errors import ContractError
from aegismatrix.market.arrays import Day, FloatArray
from aegismatrix.market.bars import Bars
from aegismatrix.market.chain import OptionChain
from aegismatrix.market.errors import FutureBarsError
from aegismatrix.market.events import BREACH, BREAKOUT, LABELS
from aegismatrix.market.intraday import MARKET, IntradayBars
from aegismatrix.market.market import MARKETS, ExpiryKind, Market
from aegismatrix.market.outcomes import breakout_label
from aegismatrix.market.overnight import last_night
from aegismatrix.market.statistics import deviation_of_median_touch, windows_needed

HORIZON_DAYS = 20
HISTORY_SESSIONS = 126

# A year within those of four digits: stamps sort, whatever the time zone.
_FIRST_YEAR, _LAST_YEAR = 1001, 9998
_CLOCK_TOLERANCE = timedelta(minutes=5)
_STAMP = "%Y-%m-%dT%H:%M:%SZ"
_Row = Mapping[str, float]


def analyze(
    bars: Bars,
    *,
    engine: Engine | None = None,
    horizon_days: int | None = None,
    expiry: Day | ExpiryKind | None = None,
    confidence: float = CONFIDENCE,
    now: datetime | None = None,
    intraday: IntradayBars | None = None,
    chain: OptionChain | None = None,
    notes: Sequence[str] = (),
    overnight: Bars | None = None,
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
    horizon_days : int, optional
        Of the safe range: whole trading days, 1 to 30. Without it and without `expiry`, those to
        the market's next expiry; 20 for a market whose expiries are not known.
    expiry : date-like, 'weekly' or 'monthly', optional
        Of the safe range, instead of `horizon_days`: a session, or the market's next expiry of that
        kind; of a market with a calendar.
    confidence : float
        Of the safe range, between 0 and 1.
    now : datetime, optional
        With a time zone; by default the present.
    intraday : IntradayBars, optional
        5-minute bars of NIFTY, or of a market of the same hours: gamma windows, and the session
        under way.
    chain : OptionChain, optional
        Open interest by strike: max pain and skew.
    notes : sequence of str
        What the source of the bars has to say, such as their age; kept in the provenance.
    overnight : Bars, optional
        Of the S&P 500, with the VIX as its iv (``market="other"``), up to the last US close before
        NSE's next open: the next session given what happened in that night.

    Returns
    -------
    Report

    Raises
    ------
    InsufficientHistoryError, RateUnavailableError
        If a number cannot be computed: there is no report with a guess in it.
    ChainError
        If the option chain is not of this index.
    CalendarError
        If the next expiry lies beyond the exchange's calendar.
    StaleOvernightBarsError
        If the US bars lack a session that closes before NSE's next open.
    UnknownModelError
        If they are given and the artifacts hold no ``overnight.onnx``.
    ContractError, ArtifactError
        If an artifact is not what was sealed, or says what it must not.
    """
    _check_inputs(bars, intraday, chain, overnight)
    _check_notes(notes)
    horizon_days, expires_on = _horizon(bars, horizon_days, expiry)
    if not isinstance(confidence, float) or not 0.0 < confidence < 1.0:
        raise ContractError(
            "report", "confidence", f"is {confidence!r}", remedy="Give a share such as 0.8."
        )
    moment = _moment(now)
    if engine is not None and not isinstance(engine, Engine):
        raise ContractError(
            "report",
            "engine",
            f"is a {type(engine).__name__}",
            remedy="Give an Engine, made with Engine() or Engine(folder).",
        )
    engine = engine if engine is not None else Engine()
    for missing in missing_from(engine.manifest):
        raise missing
    need = engine.lookback_bars - 1 + horizon_days + windows_needed(horizon_days)
    if len(bars) < need:
        raise InsufficientHistoryError(need=need, have=len(bars))
    spot = float(bars.close[-1])
    points = selling.distances_in_points(spot, DISTANCE_FRACTIONS)
    distances = np.log1p(np.array(points, dtype=np.float64) / spot)
    window = bars[-(engine.lookback_bars - 1 + horizon_days + selling.HIT_WINDOWS) :]
    past = engine.history(window, horizon_days=horizon_days, distance=distances[:1])
    horizons = sorted({*HORIZONS_DAYS, horizon_days})
    today = engine.predict(bars, horizon_days=horizons, distance=distances)
    row, base_rates = today.row(), _base_rates(engine)
    market = market_state(bars)
    session = None if intraday is None else _session(intraday, bars, moment)
    edge, deviations = _deviations(engine, bars, horizon_days, confidence)
    return Report(
        generated_at=moment.strftime(_STAMP),
        as_of=str(bars.dates[-1]),
        session=session_state(bars, moment),
        market=market,
        direction=direction_signal(
            bars,
            row,
            base_rates,
            deviations=deviations,
            targets=_targets(bars),
            iv_percentile=market.iv_percentile,
            last_update=_last_update(bars, moment),
            made_at=moment.strftime(_STAMP),
            intraday=session,
            eve=_eve(engine, bars, intraday, session, moment),
        ),
        seller=seller_signal(
            bars,
            row,
            base_rates,
            safe_range=selling.safe_range(spot, edge, horizon_days, confidence, expires_on),
            surface=selling.breach_surface(today, points),
            held=_held(engine, window, past, horizon_days, confidence),
            deviation=deviations[horizon_days],
            chain=chain,
        ),
        buyer=buyer_signal(
            bars,
            row,
            base_rates,
            past_scores=engine.unseen(BREAKOUT[1].head, past)[:-1],
            happened=breakout_label(window, 1)[-len(past) : -1],
            intraday=intraday,
        ),
        intraday=session,
        price_history=PriceHistory(
            dates=tuple(bars.dates[-HISTORY_SESSIONS:].astype(str).tolist()),
            close=tuple(bars.close[-HISTORY_SESSIONS:].tolist()),
            iv_percent=tuple(bars.iv[-HISTORY_SESSIONS:].tolist()),
        ),
        provenance=_provenance(engine, bars, today, intraday, chain, overnight, notes),
        record=_record(engine, bars, today, base_rates),
        overnight=_overnight(engine, bars, overnight, today, base_rates, moment),
        further_models=further_forecasts(
            further_models(engine.manifest), row, base_rates, engine.manifest
        ),
    )


def session_state(bars: Bars, moment: datetime) -> str:
    """Say whether the session of the last bar had ended.

    NSE closes at 15:30 IST; of a market without hours only the day is known. A bar dated later than
    the clock says is one whose session has not begun, let alone ended.

    Parameters
    ----------
    bars : Bars
        The last one is looked at.
    moment : datetime
        With a time zone.

    Returns
    -------
    {'closed', 'partial'}
    """
    return bars.market.session_state(bars.dates[-1], moment)


def _check_inputs(bars: object, intraday: object, chain: object, overnight: object) -> None:
    for name, value, kind, optional, made_with in (
        ("bars", bars, Bars, False, "Bars.from_csv, from_frames or from_arrays"),
        ("intraday", intraday, IntradayBars, True, "IntradayBars.from_csv or from_frame"),
        ("chain", chain, OptionChain, True, "OptionChain.from_csv or from_frame"),
        ("overnight", overnight, Bars, True, "Bars.from_csv(..., market='other')"),
    ):
        if not isinstance(value, kind) and not (optional and value is None):
            raise ContractError(
                "report",
                name,
                f"is a {type(value).__name__}",
                remedy=f"Give {kind.__name__}, made with {made_with}.",
            )
    if (
        isinstance(intraday, IntradayBars)
        and isinstance(bars, Bars)
        and bars.market.hours != MARKET.hours
    ):
        raise ContractError(
            "report",
            "intraday",
            "goes with the bars of another market",
            remedy=f"Leave them out: 5-minute bars are read in the session of {MARKET.title}.",
        )


def _check_notes(notes: Any) -> None:
    listed = isinstance(notes, Sequence) and not isinstance(notes, (str, bytes))
    if not listed or not all(isinstance(note, str) for note in notes):
        raise ContractError(
            "report", "notes", f"is {notes!r}", remedy="Give a list of texts, or leave it out."
        )


def _overnight(
    engine: Engine, bars: Bars, us: Bars | None, today: Forecast, base_rates: _Row, moment: datetime
) -> OvernightSignal | None:
    if us is None:
        return None
    night = last_night(bars, us, moment)
    row = {name: float(values[-1]) for name, values in engine.overnight(today, night).items()}
    return overnight_signal(night, row, base_rates)


def _targets(bars: Bars) -> dict[int, str]:
    """The sessions that the horizons end with, as far as the exchange's calendar goes."""
    calendar = bars.market.calendar
    today: date = bars.dates[-1].item()
    if calendar is None or not calendar.first <= today < calendar.last:
        return {}
    ahead = calendar.sessions(today + timedelta(days=1), calendar.last)
    return {days: str(ahead[days - 1]) for days in LABELS if days <= len(ahead)}


def _session(intraday: IntradayBars, bars: Bars, moment: datetime) -> IntradaySignal:
    signal = intraday_signal(intraday, bars)
    if signal.last_bar > (moment + _CLOCK_TOLERANCE).strftime(_STAMP):
        raise FutureBarsError(
            signal.session_date,
            today=moment.strftime(_STAMP),
            rows=[],
            dates=[signal.last_bar],
        )
    return signal


def _last_update(bars: Bars, moment: datetime) -> str:
    """When the last daily bar ended, or the moment where it is still going on."""
    ends = _last_close(bars)
    if session_state(bars, moment) == "partial":
        ends = min(ends, moment.strftime(_STAMP))
    return ends


def _eve(
    engine: Engine,
    bars: Bars,
    intraday: IntradayBars | None,
    session: IntradaySignal | None,
    moment: datetime,
) -> Eve | None:
    """Forecast the session under way from the eve of a last bar that is not over yet."""
    if intraday is None or session is None or session.relation != "same":
        return None
    if session_state(bars, moment) != "partial":
        return None
    before = bars[:-1]
    median = float(engine.breach_distances(before, [(1, 0.5)], head=BREACH.head)[0])
    return Eve(
        bars=before,
        row=engine.predict(before).row(),
        deviation=deviation_of_median_touch(median),
        intraday=intraday_signal(intraday, before),
    )


def _deviations(
    engine: Engine, bars: Bars, horizon_days: int, confidence: float
) -> tuple[float, dict[int, float]]:
    """Invert the breach surface once for all: the safe range's edge, and forecast deviations."""
    days = directed.surface_days(horizon_days)
    edge, *medians = engine.breach_distances(
        bars,
        [(horizon_days, 1.0 - confidence), *((one, 0.5) for one in days)],
        head=BREACH.head,
    )
    return float(edge), directed.deviations(dict(zip(days, medians, strict=True)))


def _held(
    engine: Engine, window: Bars, past: Forecast, horizon_days: int, confidence: float
) -> FloatArray:
    """Whether each completed window stayed inside of its own safe range, where that is known."""
    reached = selling.furthest(window, horizon_days)[-len(past) :]
    # A window that never left its close is inside of any range.
    distance = np.maximum(np.nan_to_num(reached, nan=1), 1e-9)
    probability = engine.unseen(BREACH.head, past, horizon_days=horizon_days, distance=distance)
    return selling.held(reached, probability, confidence)


def _base_rates(engine: Engine) -> dict[str, float]:
    return {
        column: rate
        for model in engine.manifest.models.values()
        for column, rate in model.base_rates.items()
    }


def _last_close(bars: Bars) -> str:
    """When the last daily bar ended; of a market without hours only the day is known."""
    return bars.market.closes_at(bars.dates[-1]).strftime(_STAMP)


def _horizon(
    bars: Bars, horizon_days: int | None, expiry: Day | ExpiryKind | None
) -> tuple[int, str | None]:
    """Return the horizon in trading days and the expiry that it ends with, if any."""
    if horizon_days is not None:
        if expiry is not None:
            raise ContractError(
                "report", "expiry", "goes without horizon_days", remedy="Give one of the two."
            )
        return _whole("horizon_days", horizon_days), None
    market = bars.market
    if expiry is None and market.expiries is None:
        return HORIZON_DAYS, None
    today = str(bars.dates[-1])
    if expiry is None and market.expiries is not None:
        expiry = market.expiries.kind_on(today)
    day = _expiry_day(market, today, expiry)
    if market.calendar is None:
        raise ContractError(
            "report",
            "expiry",
            f"is {expiry!r} for bars of the market {market.name!r}",
            remedy="Give horizon_days: its sessions, and so the days to an expiry, are not known.",
        )
    if not market.calendar.is_session(day):
        raise ContractError(
            "report",
            "expiry",
            f"{day} is no session of the exchange",
            remedy="Contracts of a closed day expire on the session before it: give that.",
        )
    days = market.calendar.trading_days_between(today, day) if day.isoformat() > today else 0
    if not 1 <= days <= LONGEST_DAYS:
        raise ContractError(
            "report",
            "expiry",
            f"{day} is {days} trading days after {today}",
            remedy=f"Give a day 1 to {LONGEST_DAYS} trading days ahead.",
        )
    return days, day.isoformat()


def _expiry_day(market: Market, today: str, expiry: Day | ExpiryKind | None) -> date:
    for kind in get_args(ExpiryKind):
        if isinstance(expiry, str) and expiry == kind:
            if market.expiries is None or kind not in market.expiries.kinds:
                raise ContractError(
                    "report",
                    "expiry",
                    f"is {expiry!r} for bars of the market {market.name!r}",
                    remedy="Give horizon_days: it has no such expiries that are known.",
                )
            return market.next_expiry(today, kind)
    try:
        if isinstance(expiry, (str, date, np.datetime64)):
            # Of a datetime the day; of text nothing but a day.
            return date.fromisoformat(expiry if isinstance(expiry, str) else str(expiry)[:10])
        raise ValueError("neither a day nor text")
    except ValueError as error:
        raise ContractError(
            "report", "expiry", f"is {expiry!r}", remedy="Give a day, 'weekly' or 'monthly'."
        ) from error


def _moment(now: object) -> datetime:
    """Return a moment in UTC."""
    if now is None:
        return datetime.now(timezone.utc)
    reason = f"is {now!r}"
    # What pandas has for no moment calls itself a datetime, and is not equal to itself.
    if isinstance(now, datetime) and now == now:
        reason = "has no time zone"
        if now.utcoffset() is not None:
            if _FIRST_YEAR <= now.year <= _LAST_YEAR:
                return now.astimezone(timezone.utc)
            reason = f"is {now!r}, beyond any calendar"
    raise ContractError(
        "report", "now", reason, remedy="Give an aware datetime, such as one in timezone.utc."
    )


def _whole(name: str, days: int) -> int:
    """Return a horizon as an int; numpy's integers are not JSON."""
    try:
        if isinstance(days, bool):
            raise TypeError("a truth value")
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


def _provenance(
    engine: Engine,
    bars: Bars,
    forecast: Forecast,
    intraday: IntradayBars | None,
    chain: OptionChain | None,
    overnight: Bars | None,
    source_notes: Sequence[str],
) -> Provenance:
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
    )


def _record(engine: Engine, bars: Bars, forecast: Forecast, base_rates: _Row) -> Record:
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


def _text(name: str) -> str:
    """A name that may stand in UTF-8: a file's may be any bytes."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")
