"""The analysis: bars in, a report on the last one out."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import date, datetime, timedelta, timezone
from typing import Any, get_args

import numpy as np

from aegismatrix import __version__
from aegismatrix.desk.report import PriceHistory, Provenance, Record, Report
from aegismatrix.desk.signals import buyer as buying
from aegismatrix.desk.signals import direction as directed
from aegismatrix.desk.signals import seller as selling
from aegismatrix.desk.signals.buyer import BuyerSignal
from aegismatrix.desk.signals.chain import chain_skew, max_pain_zone
from aegismatrix.desk.signals.direction import DirectionSignal, HorizonForecast, TodayForecast
from aegismatrix.desk.signals.intraday import IntradaySignal, gamma_windows, intraday_signal
from aegismatrix.desk.signals.market import market_state
from aegismatrix.desk.signals.overnight import OvernightSignal, overnight_signal
from aegismatrix.desk.signals.seller import (
    BreachPoint,
    BreachSurface,
    HitRate,
    MaxPain,
    SafeRange,
    SellerSignal,
    Skew,
)
from aegismatrix.engine.engine import (
    BREACH,
    BREAKOUT,
    HORIZONS_DAYS,
    LONGEST_DAYS,
    Engine,
    Forecast,
)
from aegismatrix.engine.errors import InsufficientHistoryError
from aegismatrix.errors import ContractError
from aegismatrix.market.arrays import Day, FloatArray
from aegismatrix.market.bars import Bars
from aegismatrix.market.chain import OptionChain
from aegismatrix.market.errors import FutureBarsError
from aegismatrix.market.events import CLASSES, LABELS, OFFSETS, REGIMES, TRAP_DAYS
from aegismatrix.market.intraday import MARKET, IntradayBars
from aegismatrix.market.market import MARKETS, ExpiryKind, Market
from aegismatrix.market.outcomes import breakout_label, excursions
from aegismatrix.market.overnight import last_night
from aegismatrix.market.statistics import deviation_of_median_touch, windows_needed

HORIZON_DAYS = 20
CONFIDENCE = 0.80
DISTANCE_FRACTIONS = (0.01, 0.02, 0.03, 0.04, 0.05, 0.07)
"""Distances of the breach curve, as fractions of spot."""

HISTORY_SESSIONS = 126
NO_INTRADAY_BARS = "no 5-minute bars were given"

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
    need = engine.lookback_bars - 1 + horizon_days + windows_needed(horizon_days)
    if len(bars) < need:
        raise InsufficientHistoryError(need=need, have=len(bars))
    spot = float(bars.close[-1])
    points = selling.distances_in_points(spot, DISTANCE_FRACTIONS)
    distances = np.log1p(np.array(points, dtype=np.float64) / spot)
    horizons = tuple(sorted({*HORIZONS_DAYS, horizon_days}))
    window = bars[-(engine.lookback_bars - 1 + horizon_days + selling.HIT_WINDOWS) :]
    past = engine.history(window, horizon_days=horizon_days, distance=distances[:1])
    today = engine.predict(bars, horizon_days=horizons, distance=distances)
    row, usual = today.row(), _base_rates(engine)
    market = market_state(bars)
    session = None if intraday is None else intraday_signal(intraday, bars)
    edge, deviations = _deviations(engine, bars, horizon_days, confidence)
    horizons_ahead = _horizons_ahead(bars, row, usual, deviations)
    zone = None if chain is None else max_pain_zone(chain)
    night = None if overnight is None else _overnight(engine, bars, overnight, today, usual, moment)
    return Report(
        generated_at=moment.strftime(_STAMP),
        as_of=str(bars.dates[-1]),
        session=session_state(bars, moment),
        market=market,
        direction=DirectionSignal(
            today=_today(engine, bars, horizons_ahead["t1"], usual, intraday, session, moment),
            horizons=horizons_ahead,
            risk_score=directed.risk_score(horizons_ahead, market.iv_percentile),
        ),
        seller=_seller(
            bars,
            row,
            usual,
            selling.hit_rate(_held(engine, window, past, horizon_days, confidence), horizon_days),
            selling.safe_range(spot, edge, horizon_days, confidence, expires_on),
            selling.max_pain(spot, deviations[horizon_days], zone),
            selling.skew(bars.close) if chain is None else _chain_skew(chain, spot),
            _surface(today, horizons, points, spot),
        ),
        buyer=_buyer(engine, bars, row, usual, window, past, intraday),
        intraday=session,
        price_history=PriceHistory(
            dates=tuple(bars.dates[-HISTORY_SESSIONS:].astype(str).tolist()),
            close=tuple(bars.close[-HISTORY_SESSIONS:].tolist()),
            iv_percent=tuple(bars.iv[-HISTORY_SESSIONS:].tolist()),
        ),
        provenance=_provenance(engine, bars, today, intraday, chain, overnight, notes),
        record=_record(engine, bars, today, usual),
        overnight=night,
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
    engine: Engine, bars: Bars, us: Bars, today: Forecast, usual: _Row, moment: datetime
) -> OvernightSignal:
    night = last_night(bars, us, moment)
    row = {name: float(values[-1]) for name, values in engine.overnight(today, night).items()}
    return overnight_signal(night, row, usual)


def _horizons_ahead(
    bars: Bars, row: _Row, usual: _Row, deviations: Mapping[int, float]
) -> dict[str, HorizonForecast]:
    spot, targets = float(bars.close[-1]), _targets(bars)
    return {
        f"t{days}": directed.horizon_forecast(
            days,
            _classes(row, days),
            _classes(usual, days),
            spot,
            deviations[days],
            targets.get(days),
        )
        for days in LABELS
    }


def _targets(bars: Bars) -> dict[int, str]:
    """The sessions that the horizons end with, as far as the exchange's calendar goes."""
    calendar = bars.market.calendar
    today: date = bars.dates[-1].item()
    if calendar is None or not calendar.first <= today < calendar.last:
        return {}
    ahead = calendar.sessions(today + timedelta(days=1), calendar.last)
    return {days: str(ahead[days - 1]) for days in LABELS if days <= len(ahead)}


def _today(
    engine: Engine,
    bars: Bars,
    next_day: HorizonForecast,
    usual: _Row,
    intraday: IntradayBars | None,
    signal: IntradaySignal | None,
    moment: datetime,
) -> TodayForecast:
    """Forecast the session under way: from the eve of a last bar that is not over yet."""
    ends = _last_close(bars)
    if signal is not None and signal.last_bar > (moment + _CLOCK_TOLERANCE).strftime(_STAMP):
        raise FutureBarsError(
            signal.session_date,
            today=moment.strftime(_STAMP),
            rows=[],
            dates=[signal.last_bar],
        )
    if session_state(bars, moment) == "partial":
        ends = min(ends, moment.strftime(_STAMP))
        if intraday is not None and signal is not None and signal.relation == "same":
            eve = bars[:-1]
            signal = intraday_signal(intraday, eve)
            median = engine.breach_distances(eve, [(1, 0.5)])[0]
            next_day = directed.horizon_forecast(
                1,
                _classes(engine.predict(eve).row(), 1),
                _classes(usual, 1),
                float(eve.close[-1]),
                deviation_of_median_touch(float(median)),
            )
            bars = eve
    today = directed.today_forecast(next_day, _classes(usual, 1), bars, ends, signal)
    # A 5-minute bar that is still going on ends later than the report is made.
    return replace(today, last_update=min(today.last_update, moment.strftime(_STAMP)))


def _classes(values: _Row, days: int) -> dict[str, float]:
    return {name: values[f"direction_t{days}_{name}"] for name in CLASSES}


def _deviations(
    engine: Engine, bars: Bars, horizon_days: int, confidence: float
) -> tuple[float, dict[int, float]]:
    """Invert the breach surface once for all: the safe range's edge, and forecast deviations."""
    days = sorted({min(days, LONGEST_DAYS) for days in (horizon_days, *LABELS)})
    edge, *medians = engine.breach_distances(
        bars, [(horizon_days, 1.0 - confidence), *((one, 0.5) for one in days)]
    )
    deviations = {
        one: deviation_of_median_touch(float(median))
        for one, median in zip(days, medians, strict=True)
    }
    for beyond in LABELS:
        if beyond > LONGEST_DAYS:
            deviations[beyond] = deviations[LONGEST_DAYS] * math.sqrt(beyond / LONGEST_DAYS)
    return float(edge), deviations


def _seller(
    bars: Bars,
    row: _Row,
    usual: _Row,
    rate: HitRate,
    safe_range: SafeRange,
    max_pain: MaxPain,
    skew: Skew,
    surface: BreachSurface,
) -> SellerSignal:
    stress = selling.expiry_stress(_regimes(row), _regimes(usual))
    trap = selling.trap(
        {str(days): row[f"trap_{days}"] for days in TRAP_DAYS},
        usual[f"trap_{selling.HEADLINE_TRAP_DAYS}"],
        bars,
    )
    flag = selling.seller_flag(trap.label, stress.label, rate, safe_range.confidence)
    regime, daily_flag = selling.older_words(stress.label, flag.label)
    curve = surface.either[surface.horizon_days.index(safe_range.horizon_days)]
    return SellerSignal(
        safe_range=safe_range,
        max_pain=max_pain,
        trap=trap,
        skew=skew,
        expiry_stress=stress,
        breach_probabilities=tuple(
            BreachPoint(point, p) for point, p in zip(surface.distance_points, curve, strict=True)
        ),
        breach_surface=surface,
        seller_flag=flag,
        hit_rate=rate,
        regime=regime,
        daily_flag=daily_flag,
    )


def _regimes(values: _Row) -> dict[str, float]:
    return {name: values[f"regime_{name}"] for name in REGIMES}


def _buyer(
    engine: Engine,
    bars: Bars,
    row: _Row,
    usual: _Row,
    window: Bars,
    past: Forecast,
    intraday: IntradayBars | None,
) -> BuyerSignal:
    offsets = OFFSETS
    breakouts = buying.breakouts(
        {offset: row[f"{BREAKOUT}_{offset}"] for offset in offsets},
        {offset: usual[f"{BREAKOUT}_{offset}"] for offset in offsets},
    )
    theta = buying.theta_edge(row["theta"], usual["theta"])
    ratio = buying.variance_ratio(bars)
    regime = buying.buyer_regime(ratio)
    environment = buying.buyer_environment(theta.label, breakouts[0].label, regime)
    windows = () if intraday is None else gamma_windows(intraday)
    return BuyerSignal(
        breakout_today=breakouts[0],
        breakout_next=breakouts,
        spike_direction_bias=buying.spike_bias(row["spike_down"], row["spike_up"]),
        breakout_levels=buying.breakout_levels(bars),
        gamma_windows=windows,
        gamma_windows_reason=_no_windows(intraday, windows),
        theta_edge=theta,
        regime=regime,
        variance_ratio=ratio,
        buyer_environment=environment,
        spike_rate=buying.spike_rate(
            breakouts[0].score,
            engine.unseen_breakout(past)[:-1],
            breakout_label(window, 1)[-len(past) : -1],
        ),
        environment_state=buying.older_word(environment.label),
    )


def _no_windows(intraday: IntradayBars | None, windows: Sequence[object]) -> str | None:
    if intraday is None:
        return NO_INTRADAY_BARS
    return None if windows else "the 5-minute bars given did not move"


def _base_rates(engine: Engine) -> dict[str, float]:
    return {
        column: rate
        for model in engine.manifest.models.values()
        for column, rate in model.base_rates.items()
    }


def _last_close(bars: Bars) -> str:
    """When the last daily bar ended; of a market without hours only the day is known."""
    return bars.market.closes_at(bars.dates[-1]).strftime(_STAMP)


def _chain_skew(chain: OptionChain, spot: float) -> Skew:
    skew = chain_skew(chain, spot)
    return Skew(skew.put_skew, skew.call_skew, skew.net_skew, method="open_interest")


def _held(
    engine: Engine, bars: Bars, forecast: Forecast, horizon_days: int, confidence: float
) -> FloatArray:
    """Whether each completed window stayed inside of its own safe range, where that is known.

    The range held if and only if the furthest that the window went was less likely to be kept than
    the edge: P(touch) falls with the distance.
    """
    down, up = excursions(bars, horizon_days)
    reached = np.maximum(down, up)[-len(forecast) :, -1]
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


def _record(engine: Engine, bars: Bars, forecast: Forecast, usual: _Row) -> Record:
    names = next(out.columns for out in engine.spec.outputs if out.name == "features")
    return Record(
        high=float(bars.high[-1]),
        low=float(bars.low[-1]),
        close=float(bars.close[-1]),
        iv_percent=float(bars.iv[-1]),
        features=dict(zip(names, forecast.features[-1].tolist(), strict=True)),
        probabilities={
            column: probability
            for model, columns in forecast.columns.items()
            if model != BREACH
            for column, probability in zip(columns, forecast[model][-1].tolist(), strict=True)
        },
        base_rates=dict(usual),
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
