"""Monitoring against what anyone can compute by hand from the same bars."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from aegismatrix_factory.evaluate.markets import MarketRows
from aegismatrix_factory.release.staging import training_range

import aegismatrix as am
from aegismatrix.artifacts.manifest import FeatureRange, Manifest
from aegismatrix.desk.monitoring.journal import Claim, Journal, claims_of
from aegismatrix.desk.monitoring.monitor import MonitorReport, monitor
from aegismatrix.desk.monitoring.scores import Decided, gap_interval, score_output, score_range
from aegismatrix.desk.report import Report
from aegismatrix.errors import ContractError
from aegismatrix.market.bars import Bars

REPORTS, AFTER = 150, 45
# 16:00 IST: half an hour after the session.
EVENING = timedelta(hours=10, minutes=30)
LATER = datetime(2030, 1, 1, tzinfo=timezone.utc)


def on(day: object, time: timedelta = EVENING) -> datetime:
    return datetime.fromisoformat(str(day)).replace(tzinfo=timezone.utc) + time


def stamped(report: Report, moment: datetime) -> Report:
    return replace(report, generated_at=moment.strftime("%Y-%m-%dT%H:%M:%SZ"))


@pytest.fixture(scope="module")
def nifty(nifty: Bars) -> Bars:
    """Without the rows of Muhurat, so that sessions can be counted as rows by hand."""
    calendar = nifty.market.known_calendar()
    kept = np.array([day not in calendar.special for day in nifty.dates.tolist()])
    columns = {name: getattr(nifty, name)[kept] for name in ("dates", "high", "low", "close", "iv")}
    return replace(nifty, open=None, **columns)


@pytest.fixture(scope="module")
def engine() -> am.Engine:
    return am.Engine()


@pytest.fixture(scope="module")
def reports(nifty: Bars, engine: am.Engine) -> list[Report]:
    """One a day, each made on its evening."""
    ends = range(len(nifty) - REPORTS - AFTER + 1, len(nifty) - AFTER + 1)
    return [
        am.analyze(
            nifty[end - 800 : end], engine=engine, horizon_days=20, now=on(nifty.dates[end - 1])
        )
        for end in ends
    ]


@pytest.fixture(scope="module")
def logged(reports: list[Report], tmp_path_factory: pytest.TempPathFactory) -> Journal:
    journal = Journal(tmp_path_factory.mktemp("log") / "forecasts.sqlite3")
    for report in reports:
        assert journal.append(report)
    return journal


@pytest.fixture(scope="module")
def found(logged: Journal, nifty: Bars) -> MonitorReport:
    return monitor(logged, nifty, now=LATER)


@pytest.fixture(scope="module")
def sealed(nifty: Bars, engine: am.Engine) -> Manifest:
    """The bundled manifest, with the training range that the next export will seal."""
    forecast = engine.history(nifty)
    names = engine.manifest.model("features").features
    day = nifty.dates[-1]
    rows = MarketRows("nifty", nifty, forecast.features, forecast.implied_sigma, names, day, day)
    ranges = {
        name: FeatureRange(one["minimum"], one["maximum"], tuple(one["deciles"]))
        for name, one in training_range(rows).items()
    }
    models = dict(engine.manifest.models)
    models["features"] = replace(models["features"], training_range=ranges)
    return replace(engine.manifest, models=models)


def by_hand(bars: Bars) -> dict[str, pd.Series[float]]:
    """What happened after every day, from the definitions, with pandas alone."""
    day = pd.DatetimeIndex(bars.dates)
    close, high, low, iv = (
        pd.Series(values, index=day) for values in (bars.close, bars.high, bars.low, bars.iv)
    )
    squares: pd.Series[float] = (close / close.shift(1)).apply(math.log) ** 2
    outcomes = {}

    def known(label: pd.Series[bool], horizon_days: int) -> pd.Series[float]:
        happened = label.astype(float)
        happened.iloc[-horizon_days:] = np.nan
        return happened

    def vol(days: int) -> pd.Series[float]:
        return (squares.rolling(days).sum() * 252 / days) ** 0.5

    for days in (5, 10, 20):
        outcomes[f"trap_{days}"] = known(vol(days).shift(-days) > iv / 100, days)
    outcomes["theta"] = outcomes["trap_5"]
    lower, upper = (vol(20).rolling(252).quantile(share) for share in (1 / 3, 2 / 3))
    ahead = vol(20).shift(-20)
    outcomes["regime_low"] = known(ahead <= lower, 20)
    outcomes["regime_medium"] = known((ahead > lower) & (ahead <= upper), 20)
    outcomes["regime_high"] = known(ahead > upper, 20)
    before = close.shift(1)
    spread = high.where(high > before, before) - low.where(low < before, before)
    usual = spread.rolling(14).mean()
    for days in range(1, 6):
        outcomes[f"breakout_{days}"] = known(spread.shift(-days) > 1.25 * usual, days)
    broke, falls = outcomes["breakout_1"], close.shift(-1) < close
    outcomes["spike_down"] = known((broke == 1) & falls, 1)
    outcomes["spike_up"] = known((broke == 1) & ~falls, 1)
    for days in (1, 3, 5, 10, 20, 40):
        z = np.log(close.shift(-days) / close) / (iv / 100 * math.sqrt(days / 252))
        outcomes[f"direction_t{days}_down"] = known(z < -0.35, days)
        outcomes[f"direction_t{days}_neutral"] = known(z.abs() <= 0.35, days)
        outcomes[f"direction_t{days}_up"] = known(z > 0.35, days)
    return outcomes


def touched(bars: Bars, day: str, days: int, lower: float | None, upper: float | None) -> bool:
    start = bars.dates.tolist().index(datetime.fromisoformat(day).date()) + 1
    highest, lowest = max(bars.high[start : start + days]), min(bars.low[start : start + days])
    return (upper is not None and highest > upper) or (lower is not None and lowest < lower)


def pairs_by_hand(bars: Bars, reports: list[Report]) -> dict[str, list[tuple[float, float]]]:
    """Probability and outcome of every claim, by series, from the reports themselves."""
    outcomes = by_hand(bars)
    pairs: dict[str, list[tuple[float, float]]] = {}

    def add(series: str, probability: float, happened: float) -> None:
        pairs.setdefault(series, []).append((probability, float(happened)))

    for report in reports:
        day, seller, buyer = report.as_of, report.seller, report.buyer
        said = {f"trap_{days}": p for days, p in seller.trap.horizons.items()}
        said |= {f"regime_{name}": p for name, p in seller.expiry_stress.probabilities.items()}
        said |= {f"breakout_{one.day_offset}": one.score for one in buyer.breakout_next}
        said["theta"] = buyer.theta_edge.score
        for name in ("down", "up"):
            said[f"spike_{name}"] = report.record.probabilities[f"spike_{name}"]
        for name, forecast in report.direction.horizons.items():
            said |= {f"direction_{name}_{side}": p for side, p in forecast.probabilities.items()}
        for output, probability in said.items():
            add(output, probability, outcomes[output][day])
        surface = seller.breach_surface
        for row, days in enumerate(surface.horizon_days):
            for column, basis_points in enumerate((100, 200, 300, 400, 500, 700)):
                lower, upper = surface.lower_edges[column], surface.upper_edges[column]
                place = f"h{days}_d{basis_points}"
                for name, side, edges in (
                    ("breach", surface.either, (lower, upper)),
                    ("breach_down", surface.down, (lower, None)),
                    ("breach_up", surface.up, (None, upper)),
                ):
                    add(f"{name}_{place}", side[row][column], touched(bars, day, days, *edges))
        safe = seller.safe_range
        edges = safe.lower, safe.upper
        add("safe_range_h20_c80", 0.8, not touched(bars, day, safe.horizon_days, *edges))
        for name, one in (("lower", (safe.lower, None)), ("upper", (None, safe.upper))):
            happened = touched(bars, day, safe.horizon_days, *one)
            add(f"safe_edge_{name}_h20_c80", safe.edge_touch, happened)
    return pairs


Pairs = dict[str, list[tuple[float, float]]]


@pytest.fixture(scope="module")
def pairs(nifty: Bars, reports: list[Report]) -> Pairs:
    return pairs_by_hand(nifty, reports)


def wilson(share: float, n: float) -> tuple[float, float]:
    z = 1.959963984540054
    centre = (share + z**2 / 2 / n) / (1 + z**2 / n)
    half = z * math.sqrt(share * (1 - share) / n + (z / 2 / n) ** 2) / (1 + z**2 / n)
    return centre - half, centre + half


def test_every_score_is_that_computed_by_hand(
    found: MonitorReport, pairs: Pairs, engine: am.Engine
) -> None:
    rates = {c: r for m in engine.manifest.models.values() for c, r in m.base_rates.items()}
    outputs = {one.output: one for one in found.outputs}
    assert set(outputs) | {one.output for one in found.safe_ranges} == set(pairs)
    for name, score in outputs.items():
        table = pd.DataFrame(pairs[name], columns=["p", "y"])
        assert score.n == REPORTS == table.y.notna().sum(), name
        brier = ((table.p - table.y) ** 2).mean()
        assert score.brier == pytest.approx(brier, abs=1e-12), name
        assert score.forecast == pytest.approx(table.p.mean(), abs=1e-12)
        assert score.frequency == pytest.approx(table.y.mean(), abs=1e-12)
        assert score.gap == pytest.approx(table.y.mean() - table.p.mean(), abs=1e-12)
        apart = REPORTS / score.horizon_days
        interval = [end - table.p.mean() for end in wilson(table.y.mean(), apart)]
        assert [score.gap_lower, score.gap_upper] == pytest.approx(interval, abs=1e-12), name
        if name in rates:
            usual = ((rates[name] - table.y) ** 2).mean()
            assert score.base_rate == pytest.approx(rates[name], abs=1e-12)
            if rates[name] < 1.0:
                assert score.skill == pytest.approx(1 - brier / usual, abs=1e-12), name
        else:
            assert score.base_rate is score.skill is score.skill_lower is None


def test_reliability_is_that_computed_by_hand(found: MonitorReport, pairs: Pairs) -> None:
    for score in found.outputs:
        ordered = sorted(pairs[score.output], key=lambda pair: pair[0])
        assert [one.n for one in score.reliability] == [REPORTS // 10] * 10
        for number, one in enumerate(score.reliability):
            part = ordered[number * REPORTS // 10 : (number + 1) * REPORTS // 10]
            forecast, frequency = (sum(values) / len(part) for values in zip(*part, strict=True))
            assert one.forecast == pytest.approx(forecast, abs=1e-12)
            assert one.frequency == pytest.approx(frequency, abs=1e-12), score.output
            interval = wilson(frequency, max(len(part) / score.horizon_days, 1.0))
            assert (one.lower, one.upper) == pytest.approx(interval, abs=1e-12)


def test_the_hit_rate_of_the_safe_range_is_that_counted_by_hand(
    found: MonitorReport, pairs: Pairs
) -> None:
    (score,) = found.safe_ranges
    held = [happened for _, happened in pairs["safe_range_h20_c80"]]
    assert (score.n, score.horizon_days) == (REPORTS, 20)
    assert score.confidence == pytest.approx(0.8, abs=1e-15)
    assert score.rate == pytest.approx(sum(held) / REPORTS, abs=1e-12)
    assert (score.lower, score.upper) == pytest.approx(wilson(score.rate, REPORTS / 20), abs=1e-12)


def test_sealed_skills_stand_beside_the_scores(found: MonitorReport, engine: am.Engine) -> None:
    outputs = {one.output: one for one in found.outputs}
    (trap,) = [
        one for one in engine.manifest.model("trap").own_judgements() if one["output"] == "trap_10"
    ]
    assert outputs["trap_10"].sealed_skill == trap["skills"]["climatology"]["skill"]
    assert outputs["regime_low"].sealed_skill is None
    assert outputs["breach_h20_d200"].sealed_skill is None


def test_a_skill_lies_in_its_interval_where_there_are_three_blocks(found: MonitorReport) -> None:
    outputs = {one.output: one for one in found.outputs}
    score = outputs["breakout_1"]
    assert score.skill is not None
    assert score.skill_lower is not None
    assert score.skill_upper is not None
    assert score.skill_lower < score.skill < score.skill_upper
    assert outputs["direction_t40_up"].skill is not None
    assert outputs["direction_t40_up"].skill_lower is None


def test_the_report_says_what_it_rests_on(found: MonitorReport, nifty: Bars) -> None:
    assert (found.runs, found.days, found.scored_days) == (REPORTS, REPORTS, REPORTS)
    assert (found.in_sample_days, found.late_days) == (REPORTS, 0)
    assert found.through == str(nifty.dates[-1])
    assert [note.code for note in found.notes] == ["IN_SAMPLE"]
    assert {one.feature for one in found.drift} == set(am.list_models()[0].features)
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["runs"] == REPORTS
    summary = found.summary()
    assert f"{REPORTS} days scored" in summary
    assert "trap_10" in summary
    assert len(json.dumps(found.block())) < 1_500


def test_a_claim_counts_once_its_horizon_has_passed(
    logged: Journal, reports: list[Report], nifty: Bars
) -> None:
    last = len(nifty) - AFTER
    found = monitor(logged, nifty[: last + 7], now=LATER)
    counts = {one.output: one.n for one in found.outputs}
    assert counts["breakout_1"] == counts["breakout_5"] == counts["trap_5"] == REPORTS
    assert counts["trap_10"] == REPORTS - 3
    assert counts["breach_h20_d200"] == counts["regime_low"] == REPORTS - 13
    assert counts["direction_t40_up"] == REPORTS - 33
    # A session that has not ended decides nothing.
    early = monitor(logged, nifty[: last + 7], now=on(nifty.dates[last + 6], timedelta(hours=6)))
    assert early.through == str(nifty.dates[last + 5])
    assert {one.output: one.n for one in early.outputs}["trap_10"] == REPORTS - 4


def test_nothing_to_score_yet_is_no_error(
    tmp_path: Path, reports: list[Report], nifty: Bars
) -> None:
    journal = Journal(tmp_path / "log")
    empty = monitor(journal, nifty, now=LATER)
    assert (empty.runs, empty.scored_days, empty.outputs, empty.alerts) == (0, 0, (), ())
    assert "Nothing is logged yet" in empty.summary()
    journal.append(reports[-1])
    young = monitor(journal, nifty[: len(nifty) - AFTER], now=LATER)
    assert (young.runs, young.scored_days, young.outputs) == (1, 0, ())
    assert "n = 0" in young.summary()
    assert young.block()["safe_range"] is None


def test_half_hour_runs_of_one_day_are_scored_once_by_the_last_one(
    tmp_path: Path, reports: list[Report], nifty: Bars
) -> None:
    journal = Journal(tmp_path / "log")
    for report in reports[:3]:
        opening = on(report.as_of, timedelta(hours=4))
        for half_hours in range(12):
            moment = opening + half_hours * timedelta(minutes=30)
            wrong = replace(report.record, close=report.record.close + half_hours)
            journal.append(replace(stamped(report, moment), session="partial", record=wrong))
        probabilities = {**report.record.probabilities, "theta": 0.0}
        revised = replace(report.record, probabilities=probabilities)
        journal.append(replace(report, record=revised))
        journal.append(stamped(report, on(report.as_of, timedelta(hours=12))))
        # Made when the outcome was known: it must not take the place of what was said in time.
        journal.append(replace(stamped(report, LATER), record=revised))
    found = monitor(journal, nifty, now=LATER)
    assert (found.runs, found.days, found.scored_days, found.late_days) == (45, 3, 3, 0)
    (theta,) = [one for one in found.outputs if one.output == "theta"]
    assert theta.n == 3
    said = [report.record.probabilities["theta"] for report in reports[:3]]
    assert theta.forecast == pytest.approx(sum(said) / 3, abs=1e-15)


def test_what_was_logged_late_or_on_other_bars_is_told(
    tmp_path: Path, reports: list[Report], nifty: Bars
) -> None:
    journal = Journal(tmp_path / "log")
    journal.append(stamped(reports[0], LATER))
    journal.append(reports[1])
    moved = replace(reports[2].record, close=reports[2].record.close * 1.002)
    journal.append(replace(reports[2], record=moved))
    journal.append(replace(reports[3], as_of="2010-01-02"))
    other = replace(reports[4].provenance, market="other")
    journal.append(replace(reports[4], provenance=other))
    found = monitor(journal, nifty, now=LATER)
    assert (found.runs, found.days, found.scored_days, found.late_days) == (4, 4, 2, 1)
    codes = [note.code for note in found.notes]
    assert "LOGGED_LATE" in codes
    (unknown,) = [note for note in found.notes if note.code == "NOT_IN_BARS"]
    assert unknown.sentence.startswith("2 logged days")


def frozen(tmp_path: Path, report: Report, moments: list[datetime], nifty: Bars) -> MonitorReport:
    journal = Journal(tmp_path / f"{len(list(tmp_path.iterdir()))}")
    for moment in moments:
        journal.append(stamped(report, moment))
    return monitor(journal, nifty, now=LATER)


def test_the_same_bar_thrice_is_a_frozen_feed(
    tmp_path: Path, reports: list[Report], nifty: Bars
) -> None:
    report = reports[0]
    days = nifty.dates[nifty.dates >= np.datetime64(report.as_of)]
    thrice = [on(day) for day in days[:3]]
    (alert,) = frozen(tmp_path, report, thrice, nifty).alerts
    assert (alert.code, alert.severity) == ("FROZEN_INPUT", "critical")
    assert alert.sentence.startswith("3 runs from ")
    assert frozen(tmp_path, report, thrice[:2], nifty).alerts == ()
    # Thrice on one evening, or over a weekend, no new bar was due.
    evening = [on(days[0], EVENING + timedelta(hours=hours)) for hours in range(3)]
    assert frozen(tmp_path, report, evening, nifty).alerts == ()


def test_within_a_session_a_bar_should_move_every_hour(
    tmp_path: Path, reports: list[Report], nifty: Bars
) -> None:
    report = replace(reports[0], session="partial")
    opening = on(report.as_of, timedelta(hours=4))
    hourly = [opening + timedelta(minutes=61) * number for number in range(3)]
    (alert,) = frozen(tmp_path, report, hourly, nifty).alerts
    assert (alert.code, alert.severity) == ("FROZEN_INPUT", "critical")
    quick = [opening + timedelta(minutes=15) * number for number in range(8)]
    assert frozen(tmp_path, report, quick, nifty).alerts == ()
    # Yesterday's bar all day: the feed has stopped, or has no session under way.
    days = nifty.dates[nifty.dates > np.datetime64(report.as_of)]
    next_day = [on(days[0], timedelta(hours=4 + hours)) for hours in (0.0, 1.5, 3.0)]
    (alert,) = frozen(tmp_path, reports[0], next_day, nifty).alerts
    assert (alert.code, alert.severity) == ("FROZEN_INPUT", "warning")


def test_a_feed_that_moved_again_is_frozen_no_more(
    tmp_path: Path, reports: list[Report], nifty: Bars
) -> None:
    journal = Journal(tmp_path / "log")
    for report in (*(stamped(reports[0], on(one.as_of)) for one in reports[:3]), reports[3]):
        journal.append(report)
    assert monitor(journal, nifty, now=LATER).alerts == ()


def test_without_a_calendar_weekdays_stand_in(
    tmp_path: Path, reports: list[Report], nifty: Bars
) -> None:
    friday = datetime(2027, 1, 1, 12, tzinfo=timezone.utc)
    weekend = [friday + timedelta(days=number) for number in (0, 1, 2)]
    assert frozen(tmp_path, reports[0], weekend, nifty).alerts == ()
    week = [friday + timedelta(days=number) for number in (0, 3, 4)]
    (alert,) = frozen(tmp_path, reports[0], week, nifty).alerts
    assert alert.severity == "critical"


def test_a_scaled_iv_is_out_of_range(
    tmp_path: Path, nifty: Bars, engine: am.Engine, sealed: Manifest
) -> None:
    journal = Journal(tmp_path / "log")
    bars = nifty[-800:]
    journal.append(am.analyze(bars, engine=engine, now=on(bars.dates[-1])))
    sound = monitor(journal, nifty, manifest=sealed, now=LATER)
    assert sound.alerts == ()
    assert {one.feature for one in sound.drift} == set(engine.manifest.model("features").features)
    assert not any(one.outside or one.days_outside for one in sound.drift)
    iv = bars.iv.copy()
    iv[-1] *= 4.0
    spiked = replace(bars, iv=iv)
    journal.append(am.analyze(spiked, engine=engine, now=on(bars.dates[-1], timedelta(hours=11))))
    found = monitor(journal, nifty, manifest=sealed, now=LATER)
    (alert,) = found.alerts
    assert alert.code == "FEATURE_OUT_OF_RANGE"
    assert "iv_over_mean_22" in alert.names
    assert all(name in alert.sentence for name in alert.names)
    assert set(alert.names) == {one.feature for one in found.drift if one.outside}


def test_drift_is_that_counted_by_hand(
    logged: Journal, reports: list[Report], nifty: Bars, sealed: Manifest
) -> None:
    found = monitor(logged, nifty, manifest=sealed, now=LATER)
    ranges = sealed.model("features").training_range
    assert "NOT_SEALED" not in [note.code for note in found.notes]
    for one in found.drift:
        known = ranges[one.feature]
        values = [report.record.features[one.feature] for report in reports[-60:]]
        counts = [0] * 10
        for value in values:
            counts[sum(value >= decile for decile in known.deciles)] += 1
        shift = sum(abs(count / 60 - 0.1) for count in counts) / 2
        assert one.shift == pytest.approx(shift, abs=1e-12)
        assert (one.latest, one.days, one.days_outside) == (values[-1], 60, 0)


def simulated(
    claims: Mapping[str, np.ndarray[tuple[int], np.dtype[np.float64]]],
    said: float,
    horizon_days: int = 1,
) -> list[Decided]:
    days = np.arange("2020-01-01", "2030-01-01", dtype="datetime64[D]")
    return [
        Decided(
            series,
            horizon_days,
            days[: len(happened)],
            np.full(len(happened), said),
            happened,
            np.full(len(happened), said),
        )
        for series, happened in claims.items()
    ]


def relogged(
    reports: list[Report], nifty: Bars, path: Path, shift: float, seed: int
) -> MonitorReport:
    """Log probabilities of breakouts that were made from what happened: right but for a shift."""
    journal, draw = Journal(path), np.random.default_rng(seed)
    by_day = by_hand(nifty)["breakout_1"]
    came = [bool(by_day[report.as_of]) for report in reports]
    rate = sum(came) / len(came)
    # Bayes' rule: of a sign seen in 0.7 of the days on which it came and in 0.3 of the others.
    likely = 0.7 * rate / (0.7 * rate + 0.3 * (1.0 - rate))
    unlikely = 0.3 * rate / (0.3 * rate + 0.7 * (1.0 - rate))
    for report, happened in zip(reports, came, strict=True):
        sign = draw.random() < (0.7 if happened else 0.3)
        probability = (likely if sign else unlikely) + shift
        kept = replace(report.record, probabilities={"breakout_1": probability})
        journal.append(replace(report, record=kept))
    return monitor(journal, nifty, now=LATER)


@pytest.mark.slow
def test_planted_wrong_probabilities_break_calibration_and_right_ones_do_not(
    tmp_path: Path, reports: list[Report], nifty: Bars
) -> None:
    wrong = relogged(reports, nifty, tmp_path / "wrong", 0.3, 1)
    (alert,) = [one for one in wrong.alerts if "breakout_1" in one.names]
    assert (alert.code, alert.severity) == ("CALIBRATION_BROKEN", "critical")
    assert "breakout_1" in wrong.calibration_broken
    score = next(one for one in wrong.outputs if one.output == "breakout_1")
    assert score.gap_upper < 0.0
    assert f"{score.gap:+.1%}" in alert.sentence
    assert wrong.block()["alerts"][0]["code"] == "CALIBRATION_BROKEN"
    for seed in range(2, 5):
        right = relogged(reports, nifty, tmp_path / f"right {seed}", 0.0, seed)
        assert "breakout_1" not in right.calibration_broken
        score = next(one for one in right.outputs if one.output == "breakout_1")
        assert score.gap_lower < 0.0 < score.gap_upper


@pytest.mark.parametrize("horizon_days", [1, 5, 20])
@pytest.mark.parametrize("said", [0.05, 0.2, 0.6])
def test_right_probabilities_leave_the_interval_as_seldom_as_it_says(
    horizon_days: int, said: float
) -> None:
    draw = np.random.default_rng(3)
    broken, trials = 0, 400
    threshold = math.sqrt(horizon_days) * {0.05: 1.6448536, 0.2: 0.8416212, 0.6: -0.2533471}[said]
    for _ in range(trials):
        noise = draw.standard_normal(250 + horizon_days)
        # Overlapping sums: the strongest dependence that windows of this length can have.
        sums = np.convolve(noise, np.ones(horizon_days), mode="valid")[:250]
        (decided,) = simulated({"x": (sums > threshold).astype(float)}, said, horizon_days)
        lower, upper = gap_interval(decided)
        broken += lower > 0.0 or upper < 0.0
    assert broken / trials < 0.085


def test_a_right_forecast_raises_no_alert_and_59_days_are_too_few(
    tmp_path: Path, reports: list[Report], nifty: Bars
) -> None:
    few = relogged(reports[:59], nifty, tmp_path / "few", 0.3, 1)
    assert few.calibration_broken == ()
    draw = np.random.default_rng(4)
    (right,) = simulated({"x": (draw.random(400) < 0.3).astype(float)}, 0.3)
    lower, upper = gap_interval(right)
    assert lower < 0.0 < upper
    assert score_output(right).skill == pytest.approx(0.0, abs=1e-12)


def test_a_safe_range_that_fails_is_told_and_a_cautious_one_is_not(
    tmp_path: Path, reports: list[Report], nifty: Bars
) -> None:
    for name, room, codes in (("narrow", 0.002, {"SAFE_RANGE_BROKEN"}), ("wide", 0.9, set())):
        journal = Journal(tmp_path / name)
        for report in reports:
            spot = report.record.close
            given = replace(
                report.seller.safe_range, lower=spot * (1 - room), upper=spot * (1 + room)
            )
            journal.append(replace(report, seller=replace(report.seller, safe_range=given)))
        found = monitor(journal, nifty, now=LATER)
        assert {one.code for one in found.alerts if one.code.startswith("SAFE")} == codes
        assert found.safe_ranges[0].rate == (0.0 if codes else 1.0)


def test_a_certain_base_rate_leaves_no_skill_to_measure() -> None:
    (decided,) = simulated({"x": np.ones(80)}, 1.0)
    score = score_output(decided)
    assert (score.brier, score.skill, score.gap) == (0.0, None, 0.0)
    assert score_range(decided).rate == 1.0


def test_a_claim_that_this_version_cannot_decide_is_left_aside(
    tmp_path: Path, reports: list[Report], nifty: Bars, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path / "log")
    of_later = Claim("crash_90", "crash_90", 90, 0.5)
    monkeypatch.setattr(
        "aegismatrix.desk.monitoring.journal.claims_of",
        lambda report: (*claims_of(report), of_later),
    )
    journal.append(reports[0])
    found = monitor(journal, nifty, now=LATER)
    assert found.scored_days == 1
    assert "crash_90" not in {one.output for one in found.outputs}


def test_what_is_no_input_is_refused(logged: Journal, nifty: Bars) -> None:
    with pytest.raises(ContractError, match="Give Bars"):
        monitor(logged, [1, 2])  # type: ignore[arg-type]
    with pytest.raises(ContractError, match="time zone"):
        monitor(logged, nifty, now=datetime(2026, 1, 1))
    with pytest.raises(ContractError, match="no session that has ended"):
        monitor(logged, nifty[:3], now=datetime(2009, 1, 1, tzinfo=timezone.utc))
