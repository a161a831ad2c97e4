"""The analysis: bars in, a report on the last one out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from aegismatrix.artifacts.fields import DEMONSTRATED
from aegismatrix.desk.age import age_of
from aegismatrix.desk.arguments import (
    check_engine,
    check_inputs,
    confidence_of,
    horizon_of,
    moment_of,
    notes_of,
)
from aegismatrix.desk.chain_end import chain_end
from aegismatrix.desk.json_text import stamp_of
from aegismatrix.desk.outputs import further_models, missing_from
from aegismatrix.desk.provenance import provenance_of, record_of
from aegismatrix.desk.report import PriceHistory, Publication, Report
from aegismatrix.desk.sessions import calendar_notes, targets
from aegismatrix.desk.signals import direction as directed
from aegismatrix.desk.signals import seller as selling
from aegismatrix.desk.signals.buyer import buyer_signal
from aegismatrix.desk.signals.direction import Eve, Spread, direction_signal
from aegismatrix.desk.signals.further import further_forecasts
from aegismatrix.desk.signals.intraday import (
    IntradaySignal,
    intraday_signal,
    regular_sessions,
)
from aegismatrix.desk.signals.market import market_state
from aegismatrix.desk.signals.overnight import OvernightSignal, overnight_signal
from aegismatrix.desk.signals.seller import CONFIDENCE, DISTANCE_FRACTIONS, seller_signal
from aegismatrix.desk.signals.volatility import volatility_signal
from aegismatrix.engine.engine import HORIZONS_DAYS, Engine, Forecast
from aegismatrix.engine.errors import InsufficientHistoryError
from aegismatrix.market.arrays import LEAST_DISTANCE, Day, FloatArray
from aegismatrix.market.bars import Bars
from aegismatrix.market.chain import OptionChain
from aegismatrix.market.errors import FutureBarsError
from aegismatrix.market.events import BREACH, BREAKOUT, CLASSES, DIRECTION
from aegismatrix.market.intraday import IntradayBars
from aegismatrix.market.market import ExpiryKind
from aegismatrix.market.outcomes import breakout_label
from aegismatrix.market.overnight import last_night
from aegismatrix.market.statistics import windows_needed

HISTORY_SESSIONS = 126

_CLOCK_TOLERANCE = timedelta(minutes=5)
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
        the market's next expiry that is still to come; 20 where none is known, or where the bars
        are too old to reach it.
    expiry : date-like, 'weekly' or 'monthly', optional
        Of the safe range, instead of `horizon_days`: a session, or the market's next expiry of that
        kind; of a market with a calendar. One that has passed `now` is no horizon.
    confidence : float
        Of the safe range, between 0 and 1.
    now : datetime, optional
        With a time zone; by default the present. It decides how old the bars are and which
        expiries are still to come.
    intraday : IntradayBars, optional
        5-minute bars of NIFTY, or of a market of the same hours: gamma windows, and the session
        under way.
    chain : OptionChain, optional
        Open interest by strike: max pain and skew. Its max pain is said of its own expiry.
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
    MissingSessionsError, UnexpectedSessionsError, FrozenBarsError, SpikeError
        If the last bars are not such that a report can be made on them (`Bars.check_reportable`).
    ChainError
        If the option chain is not of this index, its expiry has passed, or is none.
    CalendarError
        If the next expiry lies beyond the exchange's calendar.
    StaleOvernightBarsError
        If the US bars lack a session that closes before NSE's next open.
    UnknownModelError
        If they are given and the artifacts hold no ``overnight.onnx``.
    ContractError, ArtifactError
        If an artifact is not what was sealed, or says what it must not.

    Examples
    --------
    >>> import aegismatrix as am
    >>> report = am.analyze(am.sample_bars())
    >>> report.as_of, report.seller.safe_range.horizon_days
    ('2018-12-31', 20)
    """
    check_inputs(bars, intraday, chain, overnight)
    said = notes_of(notes)
    moment = moment_of(now)
    bars.check_reportable()
    market = bars.market.reaching(bars.dates[-1])
    bars = bars if market is bars.market else replace(bars, market=market)
    age = age_of(bars, moment)
    horizon_days, expires_on, unreached = horizon_of(bars, horizon_days, expiry, moment, age)
    confidence = confidence_of(confidence)
    check_engine(engine)
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
    state = market_state(bars)
    session = None if intraday is None else _session(intraday, bars, moment)
    regular = None if intraday is None else regular_sessions(intraday, bars)
    is_over = session_state(bars, moment) == "closed"
    end = None if chain is None else chain_end(chain, bars, horizon_days, is_over=is_over)
    pain_days = horizon_days if end is None else end.surface_days
    edges = _edges(engine, bars, horizon_days, confidence)
    spreads = _spreads(engine, bars, *directed.close_days(horizon_days, pain_days or horizon_days))
    return Report(
        generated_at=stamp_of(moment),
        as_of=str(bars.dates[-1]),
        session=session_state(bars, moment),
        market=state,
        direction=direction_signal(
            bars,
            row,
            base_rates,
            spreads=spreads,
            targets=targets(bars),
            iv_percentile=state.iv_percentile,
            last_update=_last_update(bars, moment),
            made_at=stamp_of(moment),
            demonstrated=_demonstrated(engine),
            intraday=session,
            eve=_eve(engine, bars, intraday, session, moment),
        ),
        seller=seller_signal(
            bars,
            row,
            base_rates,
            safe_range=selling.safe_range(spot, *edges, horizon_days, confidence, expires_on),
            surface=selling.breach_surface(today, points),
            held=_held(engine, window, past, horizon_days, confidence),
            deviation=None if pain_days is None else spreads[pain_days].deviation,
            chain=chain,
            end=end,
        ),
        buyer=buyer_signal(
            bars,
            row,
            base_rates,
            past_scores=engine.unseen(BREAKOUT[1].head, past)[:-1],
            happened=breakout_label(window, 1)[-len(past) : -1],
            intraday=regular,
        ),
        intraday=session,
        price_history=PriceHistory(
            dates=tuple(bars.dates[-HISTORY_SESSIONS:].astype(str).tolist()),
            close=tuple(bars.close[-HISTORY_SESSIONS:].tolist()),
            iv_percent=tuple(bars.iv[-HISTORY_SESSIONS:].tolist()),
        ),
        provenance=provenance_of(
            engine,
            bars,
            today,
            intraday,
            chain,
            overnight,
            [
                *said,
                *unreached,
                *bars.notes,
                *(() if intraday is None else intraday.reading_notes),
                *calendar_notes(bars, expires_on),
                *(() if end is None else end.notes),
            ],
        ),
        record=record_of(engine, bars, today, base_rates),
        overnight=_overnight(engine, bars, overnight, today, base_rates, moment),
        further_models=further_forecasts(
            further_models(engine.manifest), row, base_rates, engine.manifest
        ),
        volatility=volatility_signal(today, engine.manifest),
        publication=Publication(
            generated_at=stamp_of(moment),
            age_days=age.days,
            age_sessions=age.sessions,
            stale=age.is_stale,
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


def _overnight(
    engine: Engine, bars: Bars, us: Bars | None, today: Forecast, base_rates: _Row, moment: datetime
) -> OvernightSignal | None:
    if us is None:
        return None
    night = last_night(bars, us, moment)
    row = {name: float(values[-1]) for name, values in engine.overnight(today, night).items()}
    return overnight_signal(night, row, base_rates)


def _session(intraday: IntradayBars, bars: Bars, moment: datetime) -> IntradaySignal:
    signal = intraday_signal(intraday, bars)
    if signal.last_bar > stamp_of(moment + _CLOCK_TOLERANCE):
        raise FutureBarsError(
            signal.session_date,
            today=stamp_of(moment),
            rows=[],
            dates=[signal.last_bar],
        )
    return signal


def _last_update(bars: Bars, moment: datetime) -> str:
    """When the last daily bar ended, or the moment where it is still going on."""
    ends = _last_close(bars)
    if session_state(bars, moment) == "partial":
        ends = min(ends, stamp_of(moment))
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
    return Eve(
        bars=before,
        row=engine.predict(before).row(),
        spread=_spreads(engine, before, 1)[1],
        intraday=intraday_signal(intraday, before),
    )


def _edges(
    engine: Engine, bars: Bars, horizon_days: int, confidence: float
) -> tuple[tuple[float, float], float]:
    """The safe range's edges as log distances, and how often each is touched."""
    asked = [(horizon_days, 1.0 - confidence)]
    lower, upper = engine.breach_distances(bars, asked, head=BREACH.head)
    touched = engine.predict(bars, horizon_days=horizon_days, distance=lower, upper_distance=upper)
    edge_touch = float(touched[BREACH.head][-1, BREACH.sides.index("down"), 0, 0])
    return (float(lower[0]), float(upper[0])), edge_touch


def _spreads(engine: Engine, bars: Bars, *horizon_days: int) -> dict[int, Spread]:
    """How far the close spreads by the end of each horizon."""
    ends = engine.close_returns(
        bars, [(days, tail) for days in horizon_days for tail in directed.TAILS], head=BREACH.head
    ).reshape(-1, 2)
    by_horizon = zip(horizon_days, ends, strict=True)
    return directed.spreads({days: (float(low), float(high)) for days, (low, high) in by_horizon})


def _held(
    engine: Engine, window: Bars, past: Forecast, horizon_days: int, confidence: float
) -> FloatArray:
    """Whether each completed window stayed inside of its own safe range, where that is known."""
    down, up = (side[-len(past) :] for side in selling.reached(window, horizon_days))

    def touch(side: str, lower: FloatArray, upper: FloatArray) -> FloatArray:
        return engine.unseen(
            BREACH.head,
            past,
            horizon_days=horizon_days,
            distance=lower,
            upper_distance=upper,
            side=side,
        )

    # A window that never left its close is inside of any range.
    went = [np.maximum(np.nan_to_num(side, nan=1.0), LEAST_DISTANCE) for side in (down, up)]
    lower, upper = selling.range_through(went[0], went[1], touch)
    return selling.held(touch("either", lower, upper), ~np.isnan(down), confidence)


def _demonstrated(engine: Engine) -> set[int]:
    """The horizons at which the walk-forward showed that the direction model has skill."""
    verdicts = {
        one["output"]: one["verdict"]
        for model in engine.manifest.models.values()
        for one in model.own_judgements()
    }
    return {
        days
        for days, classes in DIRECTION.items()
        if verdicts.get(classes[CLASSES[0]].judged) == DEMONSTRATED
    }


def _base_rates(engine: Engine) -> dict[str, float]:
    return {
        column: rate
        for model in engine.manifest.models.values()
        for column, rate in model.base_rates.items()
    }


def _last_close(bars: Bars) -> str:
    """When the last daily bar ended; of a market without hours only the day is known."""
    return stamp_of(bars.market.closes_at(bars.dates[-1]))
