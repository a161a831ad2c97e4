"""What must hold of every error, of every kind of market data and of every report."""

from __future__ import annotations

import copy
import json
import math
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from itertools import pairwise
from typing import Any

import jsonschema
import numpy as np
import pytest

import aegismatrix as am
from aegismatrix.desk.report import schema
from aegismatrix.desk.signals.direction import HorizonForecast, TodayForecast
from aegismatrix.desk.signals.levels import DIRECTION_LEAN, LEVELS
from aegismatrix.engine.engine import HORIZONS_DAYS
from aegismatrix.errors import AegisError, BarsError
from aegismatrix.market.chain import MIN_STRIKES
from aegismatrix.market.intraday import BARS_PER_SESSION
from aegismatrix.market.statistics import BREAKOUT_RANGES, average_true_range
from aegismatrix.market.thresholds import MAX_GAP_CALENDAR_DAYS, MAX_IV_PERCENT, MIN_IV_PERCENT

COLORS = {"FAVOURABLE": "GREEN", "CAUTION": "AMBER", "HOSTILE": "RED"}
ENVIRONMENT_COLORS = {
    "PREMIUM_FRIENDLY": "GREEN",
    "SPECULATIVE_ONLY": "AMBER",
    "UNFAVOURABLE": "RED",
}
# Probabilities are rounded to six digits in the file, so sums and bounds hold to this.
ROUNDING = 2e-6
SHARES = {
    *("conviction", "base_rate", "probability", "iv_percentile", "rv_percentile", "risk_score"),
    *("up_prob", "down_prob", "confidence", "elapsed", "intraday_volatility_score", "score"),
    *("historical_hit_rate", "historical_spike_rate"),
}
SHARES_BY_NAME = {"probabilities", "base_rates", "either", "down", "up"}
# What a model or a rule says; the blocks that hold none of its numbers need no verdict.
SPOKEN = (
    *(("direction", "today"), ("seller", "safe_range"), ("seller", "max_pain"), ("seller", "trap")),
    *(("seller", "expiry_stress"), ("seller", "seller_flag"), ("buyer", "breakout_today")),
    *(("buyer", "spike_direction_bias"), ("buyer", "theta_edge"), ("buyer", "buyer_environment")),
)
NO_NUMBER = re.compile(r"\b(nan|inf)\b")
VERDICTS = {"demonstrated", "indicated", "none demonstrated", "not judged"}


def assert_typed(error: AegisError) -> None:
    """An error says what is wrong and what to do, and carries both wherever it goes."""
    for sentence in (error.problem, error.remedy):
        assert isinstance(sentence, str)
        assert sentence.strip().endswith("."), sentence
        assert len(sentence) > 10, sentence
    assert str(error) == f"{error.problem} {error.remedy}"
    again = copy.copy(error)
    assert type(again) is type(error)
    assert (str(again), again.__dict__.keys()) == (str(error), error.__dict__.keys())
    if isinstance(error, BarsError):
        assert all(type(row) is int and row >= 0 for row in error.rows)
        assert all(isinstance(day, str) for day in error.dates)


def assert_kept(arrays: Mapping[str, np.ndarray[Any, Any]], rows: int) -> None:
    """Arrays are of one length, of this package's own making, and nobody can write to them."""
    for name, values in arrays.items():
        assert values.shape == (rows,), name
        assert not values.flags.writeable, name
        assert isinstance(values.base, bytes), f"{name} can be made writable"
        if name not in ("dates", "starts"):
            assert values.dtype == np.float64, name


def assert_valid_bars(bars: am.Bars) -> None:
    """Everything that `Bars` promises of an instance that exists."""
    prices = {name: getattr(bars, name) for name in ("high", "low", "close", "iv")}
    known_open = {} if bars.open is None else {"open": bars.open}
    assert len(bars) > 0
    assert_kept({"dates": bars.dates, **prices, **known_open}, len(bars))
    assert bars.dates.dtype == np.dtype("datetime64[D]")
    steps = np.diff(bars.dates).astype(int)
    assert (steps > 0).all()
    assert (steps <= MAX_GAP_CALENDAR_DAYS).all()
    for name, values in prices.items():
        assert np.isfinite(values).all(), name
        assert (values > 0).all(), name
    assert (bars.low <= bars.high).all()
    assert (bars.close <= bars.high * 1.00011).all()
    assert (bars.close >= bars.low * 0.99989).all()
    assert ((bars.iv >= MIN_IV_PERCENT) & (bars.iv <= MAX_IV_PERCENT)).all()
    days = set(bars.dates.astype(str).tolist())
    for fill in bars.iv_fills:
        assert fill.date in days
        assert fill.printed_on < fill.date
        # A print on a day that the index lacks is carried over no trading day at all.
        assert 0 <= fill.trading_days <= 3
    assert bars.source in repr(bars)
    assert len(bars.digest()) == 64
    assert len(bars[:1]) == 1
    assert bars[:] is not bars
    assert bars[:].digest() == bars.digest()


def assert_valid_intraday(bars: am.IntradayBars) -> None:
    """Everything that `IntradayBars` promises of an instance that exists."""
    prices = {name: getattr(bars, name) for name in ("open", "high", "low", "close")}
    assert len(bars) > 0
    assert_kept({"starts": bars.starts, **prices}, len(bars))
    assert bars.starts.dtype == np.dtype("datetime64[s]")
    assert (np.diff(bars.starts).astype(int) > 0).all()
    assert (bars.starts.astype(np.int64) % 300 == 0).all()
    assert ((bars.slots >= 0) & (bars.slots < BARS_PER_SESSION)).all()
    for name, values in prices.items():
        assert np.isfinite(values).all(), name
        assert (values > 0).all(), name
    assert (bars.low <= bars.high).all()
    for values in (bars.open, bars.close):
        assert (values <= bars.high * 1.00011).all()
        assert (values >= bars.low * 0.99989).all()
    assert bars.dropped >= 0
    assert bars.blank >= 0
    assert len(bars.sessions) == len(set(bars.days.astype(str).tolist()))
    assert len(bars.session(bars.sessions[-1])) <= BARS_PER_SESSION
    assert bars.source in repr(bars)


def assert_valid_chain(chain: am.OptionChain) -> None:
    """Everything that `OptionChain` promises of an instance that exists."""
    sides = (chain.call_open_interest, chain.put_open_interest)
    assert len(chain) >= MIN_STRIKES
    arrays = {"strikes": chain.strikes, "calls": sides[0], "puts": sides[1]}
    assert_kept(arrays, len(chain))
    assert (np.diff(chain.strikes) > 0).all()
    assert chain.strikes[0] > 0
    assert np.isfinite(chain.strikes).all()
    for side in sides:
        assert np.isfinite(side).all()
        assert (side >= 0).all()
        assert side.any()
    if chain.expiry is not None:
        assert str(np.datetime64(chain.expiry, "D")) == chain.expiry
    assert chain.source in repr(chain)


@cache
def validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(
        schema(), format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )


def assert_invariants(report: am.Report, engine: am.Engine, bars: am.Bars) -> None:
    """Everything that must hold of a report on any day."""
    spot = report.market.spot
    assert (spot, report.market.vix) == (bars.close[-1], bars.iv[-1])
    assert_invariants_of_seller(report, engine, bars)
    assert_invariants_of_direction(report)
    assert_invariants_of_buyer(report, bars)
    assert_invariants_of_intraday(report)
    assert_invariants_of_overnight(report)
    history = report.price_history
    assert (history.dates[-1], history.close[-1]) == (report.as_of, spot)
    assert list(history.dates) == sorted(set(history.dates))
    assert len(history.dates) == len(history.close) == len(history.iv_percent) == 126
    record = report.record
    for probability in (*record.probabilities.values(), *record.base_rates.values()):
        assert 0 <= probability <= 1
    assert all(map(math.isfinite, record.features.values()))


def assert_invariants_of_seller(report: am.Report, engine: am.Engine, bars: am.Bars) -> None:
    seller, spot = report.seller, report.market.spot
    safe = seller.safe_range
    assert safe.lower < spot < safe.upper
    assert math.log(spot / safe.lower) == pytest.approx(safe.lower_log_distance)
    assert math.log(safe.upper / spot) == pytest.approx(safe.upper_log_distance)
    touched = engine.predict(
        bars,
        horizon_days=safe.horizon_days,
        distance=safe.lower_log_distance,
        upper_distance=safe.upper_log_distance,
    )["breach"][0, :3, 0, 0]
    stated = [1 - safe.confidence, safe.edge_touch, safe.edge_touch]
    assert touched == pytest.approx(stated, abs=1e-6)
    surface = seller.breach_surface
    either, down, up = (np.array(side) for side in (surface.either, surface.down, surface.up))
    assert np.log(np.array(surface.upper_edges) / spot) == pytest.approx(
        -np.log(np.array(surface.lower_edges) / spot)
    )
    for side in (either, down, up):
        assert side.shape == (len(surface.horizon_days), len(surface.distance_points))
        assert ((side >= 0) & (side <= 1)).all()
        assert (np.diff(side, axis=1) <= 0).all(), "breach rises with distance"
        assert (np.diff(side, axis=0) >= 0).all(), "breach falls with horizon"
    assert (np.maximum(down, up) <= either).all()
    assert (either <= np.minimum(1.0, down + up)).all()
    curve = [point.probability for point in seller.breach_probabilities]
    assert curve == list(either[surface.horizon_days.index(safe.horizon_days)])
    distances = [point.distance for point in seller.breach_probabilities]
    assert distances == sorted(set(distances))
    assert distances == list(surface.distance_points)
    assert distances[0] >= 1
    assert list(surface.horizon_days) == sorted({*HORIZONS_DAYS, safe.horizon_days})
    assert seller.trap.label == LEVELS["trap"].label(seller.trap.score, seller.trap.base_rate)
    assert seller.trap.score == seller.trap.horizons["10"]
    stress = seller.expiry_stress
    assert sum(stress.probabilities.values()) == pytest.approx(1.0, abs=1e-9)
    assert stress.score == pytest.approx(
        0.5 * stress.probabilities["medium"] + stress.probabilities["high"]
    )
    flag, rate = seller.seller_flag, seller.hit_rate
    assert flag.color == COLORS[flag.label]
    assert flag.reasons[:2] == (f"TRAP_{seller.trap.label}", f"STRESS_{stress.label}")
    missed = rate.upper < safe.confidence
    assert ("HIT_RATE_BELOW_CONFIDENCE" in flag.reasons) == missed
    assert 0 <= rate.lower <= rate.rate <= rate.upper <= 1
    assert 42 <= rate.n <= 252
    pain = seller.max_pain
    assert 0 < pain.lower < pain.upper < math.inf
    assert pain.method == ("distribution" if report.provenance.chain_source is None else CHAIN)
    assert pain.method == CHAIN or pain.lower < spot < pain.upper
    assert pain.confidence is not None or pain.method == CHAIN
    assert 0 <= (pain.confidence or 0.0) <= 1
    for skew in (seller.skew.put_skew, seller.skew.call_skew, seller.skew.net_skew):
        assert -1 <= skew <= 1


CHAIN = "option_chain"


def assert_invariants_of_direction(report: am.Report) -> None:
    signs = {"DOWN": -1, "NEUTRAL": 0, "UP": 1}
    horizons = list(report.direction.horizons.values())
    assert [forecast.horizon_days for forecast in horizons] == [1, 3, 5, 10, 20, 40]
    today = report.direction.today
    both: list[HorizonForecast | TodayForecast] = [*horizons, today]
    for one in both:
        assert one.direction in (one.tendency, "NEUTRAL")
        if one.direction != "NEUTRAL":
            assert np.sign(one.expected_move_points) == signs[one.direction]
        assert 0.0 < one.move_size_points < report.market.spot
        assert sum(one.probabilities.values()) == pytest.approx(1.0, abs=1e-6)
        assert all(0 <= p <= 1 for p in one.probabilities.values())
        assert one.conviction == one.probabilities[one.direction.lower()]
        if one.direction != "NEUTRAL":
            assert one.conviction >= DIRECTION_LEAN * one.base_rate
    for name, forecast in report.direction.horizons.items():
        if report.verdict(f"direction_{name}") != "demonstrated":
            assert (forecast.direction, forecast.expected_move_points) == ("NEUTRAL", 0.0)
    if report.verdict("direction_t1") != "demonstrated":
        assert (today.direction, today.expected_move_points) == ("NEUTRAL", 0.0)
    for forecast in horizons:
        interval = forecast.move_interval_80
        assert interval.lower < forecast.expected_move_points < interval.upper
        assert interval.lower < 0 < interval.upper
        assert -report.market.spot < interval.lower
        assert forecast.target is None or forecast.target > report.as_of
    sizes = [one.move_size_points for one in horizons]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]
    widths = [one.move_interval_80.upper - one.move_interval_80.lower for one in horizons]
    assert widths == sorted(widths)
    intraday = report.intraday
    of_the_eve = (
        report.session == "partial" and intraday is not None and intraday.relation == "same"
    )
    if today.basis == "daily bars" and not of_the_eve:
        assert today.probabilities == horizons[0].probabilities
    if today.basis != "daily bars":
        assert intraday is not None
        assert intraday.relation == "next" or of_the_eve
    assert 0 <= report.direction.risk_score <= 1
    assert 0 <= today.intraday_volatility_score <= 1
    moments = [datetime.fromisoformat(f"{text.rstrip('Z')}+00:00") for text in stamps(report)]
    assert moments == sorted(moments)


def stamps(report: am.Report) -> tuple[str, str]:
    return report.direction.today.last_update, report.generated_at


def assert_invariants_of_buyer(report: am.Report, bars: am.Bars) -> None:
    buyer, spot = report.buyer, report.market.spot
    assert [one.day_offset for one in buyer.breakout_next] == [1, 2, 3, 4, 5]
    assert buyer.breakout_today == buyer.breakout_next[0]
    for one in buyer.breakout_next:
        assert one.label == LEVELS["breakout"].label(one.score, one.base_rate)
    bias = buyer.spike_direction_bias
    assert bias.up_prob + bias.down_prob == pytest.approx(1.0, abs=1e-12)
    levels, reach = buyer.breakout_levels, BREAKOUT_RANGES * average_true_range(bars)[-1]
    assert (levels.lower, levels.upper) == pytest.approx((spot - reach, spot + reach))
    if reach > spot * 1e-12:
        assert levels.lower < spot < levels.upper
    theta = buyer.theta_edge
    assert theta.score == report.seller.trap.horizons["5"]
    assert theta.label == LEVELS["theta_edge"].label(theta.score, theta.base_rate)
    rate = buyer.spike_rate
    assert 0 <= rate.lower <= rate.rate <= rate.upper <= 1
    assert buyer.variance_ratio >= 0
    environment = buyer.buyer_environment
    assert environment.color == ENVIRONMENT_COLORS[environment.label]
    if buyer.gamma_windows:
        assert report.intraday is not None
        assert buyer.gamma_windows_reason is None
        assert max(window.score for window in buyer.gamma_windows) == 1.0
        names = [window.window for window in buyer.gamma_windows]
        assert names == sorted(set(names))
    else:
        assert buyer.gamma_windows_reason


def assert_invariants_of_intraday(report: am.Report) -> None:
    session = report.intraday
    assert (session is None) == (report.provenance.intraday_source is None)
    if session is None:
        return
    assert session.first_bar < session.last_bar
    assert session.bars + session.missing_bars == round(session.elapsed * BARS_PER_SESSION)
    assert session.complete == (session.elapsed == 1.0)
    assert ("GAP_UNKNOWN" in session.notes) == (session.gap_points is None)
    assert ("HALF_SESSION" in session.notes) == (not session.complete)
    assert ("NOT_OF_TODAY" in session.notes) == (session.relation in ("older", "later"))
    opening = session.opening_range
    if opening.state != "FORMING":
        assert opening.lower is not None
        assert opening.upper is not None
        assert opening.lower <= opening.upper
        inside = opening.lower <= session.last <= opening.upper
        assert (opening.state == "INSIDE") == inside


def assert_invariants_of_overnight(report: am.Report) -> None:
    night = report.overnight
    assert (night is None) == (report.provenance.overnight_source is None)
    if night is None:
        return
    assert sum(night.probabilities.values()) == pytest.approx(1.0, abs=1e-9)
    spikes = (*night.spike_probabilities.values(), *night.spike_base_rates.values())
    assert all(0 <= p <= 1 for p in (*night.probabilities.values(), *spikes))
    # A holiday there: nothing closed since the last close here, so nothing moved.
    assert night.us_sessions > 0 or (night.us_return, night.us_vix_change) == (0.0, 0.0)
    assert (night.us_as_of >= report.as_of) == (night.us_sessions > 0)


def walk(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every mapping, array and value of a report, with its path."""
    yield path, value
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from walk(inner, (*path, name))
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner, path)


def assert_invariants_of_file(report: am.Report) -> None:
    """Everything that must hold of what is written, rounded as it is."""
    text = report.to_json()
    text.encode()
    plain = json.loads(text, parse_constant=pytest.fail)
    assert plain == report.to_dict()
    broken = [f"{one.json_path}: {one.message}" for one in validator().iter_errors(plain)]
    assert not broken
    for path, value in walk(plain):
        if isinstance(value, float):
            assert math.isfinite(value), path
        if isinstance(value, str):
            value.encode()
        if isinstance(value, (int, float)) and path[-1] in SHARES:
            assert 0 <= value <= 1, path
        if isinstance(value, (int, float)) and "provenance" not in path:
            share = SHARES_BY_NAME.intersection(path)
            assert not share or 0 <= value <= 1, path
        if isinstance(value, dict) and {"lower", "upper"} <= value.keys():
            assert value["lower"] <= value["upper"], path
        if isinstance(value, dict) and path[-1:] == ("probabilities",):
            assert sum(value.values()) == pytest.approx(1.0, abs=ROUNDING), path
        if path and path[-1] == "verdict":
            assert value in VERDICTS, path
    assert_verdicts(plain)
    assert_file_of_seller(plain)
    bias = plain["buyer"]["spike_direction_bias"]
    assert bias["up_prob"] + bias["down_prob"] == pytest.approx(1.0, abs=1e-12)
    said, *_ = report.summary().partition("In brackets")
    assert said.startswith(report.as_of)
    assert not NO_NUMBER.search(said)


def assert_invariants_of_page(report: am.Report) -> None:
    """The page is whole, and nothing on it is no number."""
    page = report.to_html()
    page.encode()
    assert page.rstrip().endswith("</html>")
    assert report.as_of[:4] in page
    assert not NO_NUMBER.search(page)


def assert_verdicts(plain: dict[str, Any]) -> None:
    blocks = [plain[part][name] for part, name in SPOKEN]
    blocks += plain["direction"]["horizons"].values()
    blocks += plain["buyer"]["breakout_next"]
    if "overnight" in plain:
        night = plain["overnight"]
        blocks += [night["direction"], *night["spikes"].values()]
    assert all(block["verdict"] in VERDICTS for block in blocks)
    surface, trap = plain["seller"]["breach_surface"], plain["seller"]["trap"]
    assert len(surface["verdicts"]) == len(surface["horizon_days"])
    assert trap["verdicts"].keys() == trap["horizons"].keys()


def assert_file_of_seller(plain: dict[str, Any]) -> None:
    spot, seller, buyer = plain["market"]["spot"], plain["seller"], plain["buyer"]
    assert seller["safe_range"]["lower"] < spot < seller["safe_range"]["upper"]
    levels = buyer["breakout_levels"]
    assert levels["lower"] <= spot * (1 + 1e-5)
    assert levels["upper"] >= spot * (1 - 1e-5)
    surface = seller["breach_surface"]
    for side in ("either", "down", "up"):
        rows = surface[side]
        assert all(a >= b for row in rows for a, b in pairwise(row))
        assert all(a <= b for one, other in pairwise(rows) for a, b in zip(one, other, strict=True))
    for either, down, up in zip(surface["either"], surface["down"], surface["up"], strict=True):
        for e, d, u in zip(either, down, up, strict=True):
            assert max(d, u) <= e <= d + u + ROUNDING
    assert surface["upper_edges"] == sorted(set(surface["upper_edges"]))
    assert surface["lower_edges"] == sorted(set(surface["lower_edges"]), reverse=True)
    assert surface["lower_edges"][-1] > 0
    assert surface["lower_edges"][0] < spot < surface["upper_edges"][0]
    points = seller["breach_probabilities"]
    assert all(a["distance"] < b["distance"] for a, b in pairwise(points))
    assert all(a["probability"] >= b["probability"] for a, b in pairwise(points))
    for name in ("historical_hit_rate", "historical_spike_rate"):
        block = seller if name in seller else buyer
        interval = block[f"{name}_interval"]
        assert interval["lower"] <= block[name] <= interval["upper"]
    for forecast in plain["direction"]["horizons"].values():
        interval = forecast["move_interval_80"]
        assert interval["lower"] <= forecast["expected_move_points"] <= interval["upper"]
