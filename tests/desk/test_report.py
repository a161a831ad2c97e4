"""The report: its contract, its invariants on every day of both markets, its bytes."""

from __future__ import annotations

import itertools
import json
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pandas as pd
import pytest
from aegismatrix_factory.evaluate.markets import MarketSource

import aegismatrix as am
from aegismatrix.desk.cli.main import main
from aegismatrix.desk.html.page import render_page
from aegismatrix.desk.report import schema
from aegismatrix.errors import (
    CalendarRangeError,
    ChainError,
    ContractError,
    EmptyBarsError,
    FutureBarsError,
    InsufficientHistoryError,
    MissingExtraError,
    MissingSessionsError,
    OutputError,
    RateUnavailableError,
    ScaleError,
)
from aegismatrix.market.calendars.nse import NSE
from aegismatrix.market.errors import REPORT_BARS
from aegismatrix.market.market import NIFTY, ExpiryKind
from aegismatrix.market.statistics import windows_needed
from tests.invariants import assert_invariants, assert_invariants_of_file
from tests.raising import raising

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=timezone.utc)
BEYOND = np.timedelta64(7301, "D")
"""Twenty years, in whole weeks: all of NIFTY's bars lie beyond the calendar then."""

FAR_WEST = timezone(timedelta(hours=-10))
LOOKBACK = 331
WINDOW = LOOKBACK + 252 + 20 + 5
PRICES = ("open", "high", "low", "close")


def opening(day: str) -> datetime:
    """09:15 in Mumbai."""
    return datetime.fromisoformat(f"{day}T03:45:00+00:00")


@pytest.fixture(scope="module")
def engine() -> am.Engine:
    return am.Engine()


@pytest.fixture(scope="module")
def report(engine: am.Engine, nifty: am.Bars) -> am.Report:
    return am.analyze(nifty, engine=engine, horizon_days=20, now=NOW)


@pytest.fixture(scope="module")
def five_minutes(nifty_5min: Path) -> am.IntradayBars:
    return am.IntradayBars.from_csv(nifty_5min)


def numbers_of(report: am.Report) -> tuple[float, ...]:
    """What must differ from one day to the next."""
    seller = report.seller
    return (
        seller.trap.score,
        seller.expiry_stress.score,
        seller.breach_probabilities[2].probability,
        seller.safe_range.lower_log_distance,
        seller.safe_range.upper_log_distance,
        seller.safe_range.edge_touch,
        seller.max_pain.confidence or 0.0,
        *(one.score for one in report.buyer.breakout_next),
        report.buyer.spike_direction_bias.up_prob,
        report.buyer.theta_edge.score,
        report.direction.risk_score,
        *(
            number
            for forecast in report.direction.horizons.values()
            for number in (
                *forecast.probabilities.values(),
                forecast.move_interval_80.upper,
                forecast.move_size_points,
            )
        ),
    )


def test_the_touch_of_an_edge_is_rounded_as_other_probabilities_are(nifty: am.Bars) -> None:
    report = am.analyze(nifty)
    stated = report.to_dict()["seller"]["safe_range"]["edge_touch"]
    assert stated != report.seller.safe_range.edge_touch
    assert stated == round(report.seller.safe_range.edge_touch, 6)


@pytest.mark.slow
@pytest.mark.parametrize(("market", "part"), [(m, p) for m in ("nifty", "sp500") for p in range(3)])
def test_every_invariant_holds_on_every_day_of_both_markets(
    market: str, part: int, engine: am.Engine, request: pytest.FixtureRequest
) -> None:
    bars: am.Bars = request.getfixturevalue(market)
    past = am.load_models()["breach_past"].spec
    (span,) = past.training
    # Windows across the sessions that NIFTY lacks have no outcome: 12 days more than its rows.
    unmeasured = np.datetime64(span.first), np.datetime64(past.stretches[0][0]) + 242
    first = LOOKBACK - 1 + 20 + 126
    days = np.array_split(np.arange(first, len(bars) + 1), 3)[part]
    before: tuple[float, ...] = ()
    written = refused = 0
    for stop in days:
        until = bars[max(0, stop - WINDOW) : stop]
        try:
            report = am.analyze(until, engine=engine, horizon_days=20, now=NOW)
        except RateUnavailableError:
            assert unmeasured[0] <= until.dates[-1] <= unmeasured[1]
            continue
        except MissingSessionsError:
            refused += 1
            continue
        written += 1
        assert_invariants(report, engine, until)
        if written % 10 == 1:
            assert_invariants_of_file(report)
        else:
            json.dumps(report.to_dict(), allow_nan=False)
        now = numbers_of(report)
        assert not before or all(one != other for one, other in zip(before, now, strict=True))
        before = now
    last_days = bars.dates[days - 1]
    outside = (last_days < unmeasured[0]) | (last_days > unmeasured[1])
    assert written + refused >= outside.sum() > 0
    assert refused <= 5 * len(bars.days.missing)


def test_the_report_on_the_last_day_of_nifty_is_valid_and_says_2024_12_31(
    report: am.Report,
) -> None:
    report.validate()
    assert (report.as_of, report.session) == ("2024-12-31", "closed")
    assert report.provenance.rows == 3546
    assert report.seller.safe_range.expiry is None
    assert report.provenance.demonstration == "in-sample"
    assert report.seller.hit_rate.n == 252


def test_the_same_day_twice_gives_the_same_bytes_but_for_when(nifty: am.Bars) -> None:
    first = am.analyze(nifty, now=NOW).to_json()
    second = am.analyze(nifty, now=NOW.replace(hour=13)).to_json()
    assert first != second
    lines = [
        [line for line in text.splitlines() if "generated_at" not in line]
        for text in (first, second)
    ]
    assert lines[0] == lines[1]


def test_older_bars_than_it_needs_change_nothing_but_their_count(
    report: am.Report, engine: am.Engine, nifty: am.Bars
) -> None:
    short = am.analyze(nifty[-WINDOW:], engine=engine, horizon_days=20, now=NOW).to_dict()
    whole = report.to_dict()
    assert short["provenance"].pop("rows") == WINDOW
    assert whole["provenance"].pop("rows") == len(nifty)
    # What is said of older rows is said of the whole alone.
    for name in ("source_notes", "iv_fills", "missing_sessions", "special_sessions"):
        older = [str(one) for one in whole["provenance"].pop(name)]
        late = [str(one) for one in short["provenance"].pop(name)]
        assert name == "source_notes" or set(late) <= set(older)
    assert short == whole


def test_the_safe_range_widens_with_horizon_and_confidence(
    engine: am.Engine, nifty: am.Bars
) -> None:
    def distances(horizon_days: int, confidence: float) -> tuple[float, float]:
        made = am.analyze(
            nifty, engine=engine, horizon_days=horizon_days, confidence=confidence, now=NOW
        )
        return made.seller.safe_range.lower_log_distance, made.seller.safe_range.upper_log_distance

    by_horizon = [distances(days, 0.8) for days in range(1, 31)]
    by_confidence = [distances(20, share) for share in (0.5, 0.7, 0.8, 0.9, 0.95)]
    for side in (0, 1):
        for rising in (by_horizon, by_confidence):
            assert all(one[side] < other[side] for one, other in itertools.pairwise(rising))


def test_the_hit_rate_is_what_counting_touches_by_hand_gives(
    engine: am.Engine, nifty: am.Bars
) -> None:
    """On days outside of the training span the unseen forecast is the engine's own."""
    shifted = replace(nifty, dates=nifty.dates + BEYOND)
    window = shifted[-700:]
    report = am.analyze(window, engine=engine, horizon_days=10, now=NOW)
    held = []
    for stop in range(len(window) - 10 - 252 + 1, len(window) - 10 + 1):
        until = window[:stop]
        (lower,), (upper,) = engine.breach_distances(until, [(10, 0.2)])
        close = until.close[-1]
        ahead = slice(stop, stop + 10)
        inside = window.high[ahead].max() < close * np.exp(upper)
        held.append(inside and window.low[ahead].min() > close * np.exp(-lower))
    assert report.seller.hit_rate.n == 252
    assert report.seller.hit_rate.rate == np.mean(held)
    assert report.provenance.in_sample is False
    assert report.provenance.demonstration is None


def test_inside_the_training_span_the_hit_rate_is_not_that_of_the_present_fit(
    engine: am.Engine, nifty: am.Bars
) -> None:
    forecast = engine.history(nifty[-900:-300], horizon_days=20, distance=0.05)
    unseen = engine.unseen(
        "breach", forecast, horizon_days=20, distance=np.full(len(forecast), 0.05)
    )
    assert np.isfinite(unseen).all()
    assert (unseen != forecast["breach"][:, 0, 0, 0]).all()


def test_every_day_is_spoken_for_by_the_fit_that_had_seen_nothing_of_it(
    engine: am.Engine, nifty: am.Bars
) -> None:
    past = am.load_models()["breach_past"]
    (span,) = past.spec.training
    for years in (0, -20, 20):
        moved = replace(nifty, dates=nifty.dates + np.timedelta64(365 * years, "D"))
        forecast = engine.history(moved, horizon_days=10, distance=0.04)
        unseen = engine.unseen(
            "breach", forecast, horizon_days=10, distance=np.full(len(forecast), 0.04)
        )
        fits = []
        for day in forecast.dates.astype(str):
            of_day = [n for n, (first, last) in enumerate(past.spec.stretches) if day >= first]
            before_all = day < span.first
            fits.append(len(past.spec.stretches) - 1 if before_all else (of_day or [-1])[-1])
        fit = np.array(fits)
        expected = past.run(
            features=forecast.features,
            implied_sigma=forecast.implied_sigma,
            fit=np.maximum(fit, 0),
            horizon=np.array([10.0]),
            lower_distance=np.full((len(fit), 1), 0.04),
            upper_distance=np.full((len(fit), 1), 0.04),
        )["probability"][:, 0, 0, 0]
        assert np.array_equal(np.isnan(unseen), fit < 0)
        assert np.array_equal(unseen[fit >= 0], expected[fit >= 0])
        assert (fit < 0).any() == (years == 0)


def test_there_is_no_report_where_no_window_has_a_forecast_that_did_not_see_it(
    nifty: am.Bars, engine: am.Engine
) -> None:
    with raising((RateUnavailableError, "hit_rate"), match="longer history"):
        am.analyze(nifty[:480], engine=engine, horizon_days=20, now=NOW)


def test_too_few_bars_are_said_with_the_number_missing(sample: am.Bars, engine: am.Engine) -> None:
    need = engine.lookback_bars - 1 + 20 + 126
    am.analyze(sample[-need:], engine=engine, now=NOW)
    with pytest.raises(InsufficientHistoryError) as caught:
        am.analyze(sample[-need + 1 :], engine=engine, now=NOW)
    assert (caught.value.need, caught.value.have) == (need, need - 1)
    assert f"; {REPORT_BARS} bars are enough" in caught.value.remedy


def test_one_number_of_bars_is_enough_for_every_horizon(
    engine: am.Engine, repository: Path, sample: am.Bars
) -> None:
    needs = [engine.lookback_bars - 1 + days + windows_needed(days) for days in range(1, 31)]
    assert max(needs) == REPORT_BARS
    assert am.analyze(sample[-REPORT_BARS:], engine=engine, horizon_days=30, now=NOW)
    for name in ("README.md", "docs/bars.md"):
        text = (repository / name).read_text(encoding="utf-8")
        assert f"{REPORT_BARS} daily bars" in text, name
    for told in (EmptyBarsError("a.csv"), InsufficientHistoryError(need=457, have=0)):
        assert f"{REPORT_BARS} " in told.remedy
    for kind in ("hit_rate", "spike_rate"):
        assert f"{REPORT_BARS} bars" in RateUnavailableError(kind, have=1, need=2).remedy


@pytest.mark.parametrize(
    ("moment", "session"),
    [
        ("2024-12-31T09:59:00+00:00", "partial"),
        ("2024-12-31T10:00:00+00:00", "closed"),
        ("2024-12-31T15:29:00+05:30", "partial"),
        ("2024-12-31T04:00:00-05:00", "partial"),
        ("2025-01-01T00:00:00+00:00", "closed"),
        ("2024-12-30T17:00:00+00:00", "partial"),
    ],
)
def test_a_session_is_over_at_half_past_three_in_mumbai_whatever_the_clock_of_the_host(
    moment: str, session: str, nifty: am.Bars, engine: am.Engine
) -> None:
    made = am.analyze(nifty[-WINDOW:], engine=engine, now=datetime.fromisoformat(moment))
    assert made.session == session
    assert made.generated_at.endswith("Z")


def test_a_report_on_the_sample_says_what_it_is(sample: am.Bars, engine: am.Engine) -> None:
    made = am.analyze(sample, engine=engine, now=NOW)
    assert made.provenance.demonstration == "other market, in-sample"
    made.validate()


def test_provenance_names_artifacts_and_a_verdict_for_each_output(report: am.Report) -> None:
    provenance = report.to_dict()["provenance"]
    specs = {spec.name: spec for spec in am.list_models()}
    assert {name: one["sha256"] for name, one in provenance["artifacts"].items()} == {
        name: spec.sha256 for name, spec in specs.items()
    }
    judged = {one["output"]: one for spec in specs.values() for one in spec.own_judgements()}
    assert {name: one["verdict"] for name, one in provenance["skill"].items()} == {
        name: one["verdict"] for name, one in judged.items()
    }


def test_what_is_only_indicated_stands_apart_from_what_is_demonstrated(report: am.Report) -> None:
    skill = {
        output: {**one, "verdict": "none demonstrated"}
        for output, one in report.provenance.skill.items()
    }
    said = {output: {**skill[output], "verdict": "indicated"} for output in ("trap_10", "theta")}
    hinted = replace(report, provenance=replace(report.provenance, skill={**skill, **said}))
    hinted.validate()
    assert hinted.verdict("trap_10") == "indicated"
    (line,) = [one for one in hinted.summary().splitlines() if one.startswith("  trap ")]
    assert re.search(r"5 d \d+% \([\w ]+\), 10 d \d+% \(indicated\)", line)
    page = render_page(hinted.to_dict())
    assert page.count("Skill indicated, not demonstrated") == 2
    assert "\N{CIRCLE WITH LEFT HALF BLACK} 10 d" in page


def test_a_report_that_breaks_its_schema_is_refused(report: am.Report) -> None:
    wrong = replace(report, session="open")
    with pytest.raises(ContractError, match="session"):
        wrong.validate()


def test_validation_without_jsonschema_names_the_extra(
    report: am.Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "jsonschema", None)
    with pytest.raises(MissingExtraError, match="report"):
        report.validate()


def test_the_schema_describes_every_field_and_is_itself_valid(report: am.Report) -> None:
    jsonschema.Draft202012Validator.check_schema(schema())

    def described(field: dict[str, Any], value: Any, name: str) -> None:
        assert field.get("description"), name
        if isinstance(value, dict):
            known = field.get("properties", {})
            rest = field.get("additionalProperties")
            for key, inner in value.items():
                assert key in known or rest, f"{name}.{key} is not in the schema"
                described(known.get(key, rest), inner, f"{name}.{key}")
        elif isinstance(value, list) and value:
            described(field["items"], value[0], f"{name}[]")

    for key, value in report.to_dict().items():
        described(schema()["properties"][key], value, key)


def test_every_forecast_of_the_summary_has_a_verdict(report: am.Report) -> None:
    lines = report.summary().splitlines()
    judged = (("trap ", 3), ("expiry stress", 1), ("safe range", 1), ("touch", 1))
    for words, count in (*judged, ("breakout", 1), ("theta edge", 1), ("direction", 1)):
        (line,) = (line for line in lines if line.strip().startswith(words))
        assert len(re.findall(r"demonstrated\)|indicated\)", line)) == count
    for words in ("seller flag", "environment", "then"):
        (line,) = (line for line in lines if line.strip().startswith(words))
        assert line.endswith("(not judged)")
    assert "walk-forward on nifty" in report.summary()
    assert repr(report) == report.summary()


def figures_of(plain: dict[str, Any]) -> dict[str, list[float]]:
    """The numbers that each line of a summary must show, by how the line begins."""
    market, seller, buyer = plain["market"], plain["seller"], plain["buyer"]
    trap, stress, safe = seller["trap"], seller["expiry_stress"], seller["safe_range"]
    held, today = seller["historical_hit_rate_interval"], plain["direction"]["today"]
    spikes, theta = buyer["historical_spike_rate_interval"], buyer["theta_edge"]
    bias, levels = buyer["spike_direction_bias"], buyer["breakout_levels"]
    curve = [(one["distance"], one["probability"]) for one in seller["breach_probabilities"]]
    breakouts = [(one["day_offset"], one["score"]) for one in buyer["breakout_next"]]
    moves = [
        (
            one["horizon_days"],
            one["expected_move_points"],
            one["move_size_points"],
            one["move_interval_80"]["lower"],
            one["move_interval_80"]["upper"],
        )
        for one in plain["direction"]["horizons"].values()
    ]
    publication, volatility = plain["publication"], plain.get("volatility")
    spreads = [
        (one["horizon_days"], one["mean_percent"], one["percent"][0], one["percent"][-1])
        for one in (volatility or {"horizons": []})["horizons"]
    ]
    return {
        "volatility": [0.9, volatility["iv_percent"]] if volatility else [],
        "realised": [*itertools.chain(*spreads)],
        "stale": [publication.get("age_sessions", 7)] if publication["stale"] else [],
        "spot": [market[name] for name in ("spot", "spot_change_pct", "vix", "vix_change")],
        "trap": [
            *(float(one) for pair in trap["horizons"].items() for one in pair),
            trap["base_rate"],
        ],
        "expiry stress": [stress["score"], stress["probabilities"]["high"]],
        "safe range": [
            safe[name] for name in ("lower", "upper", "horizon_days", "confidence", "edge_touch")
        ],
        "held": [
            seller["historical_hit_rate"],
            seller["historical_hit_rate_n"],
            held["lower"],
            held["upper"],
        ],
        "touch": [safe["horizon_days"], *itertools.chain(*curve)],
        "breakout": [*itertools.chain(*breakouts), buyer["breakout_today"]["base_rate"]],
        "then": [bias["up_prob"], bias["down_prob"], levels["upper"], levels["lower"]],
        "followed": [
            buyer["historical_spike_rate"],
            buyer["historical_spike_rate_n"],
            spikes["lower"],
            spikes["upper"],
        ],
        "theta edge": [theta["score"], theta["base_rate"]],
        "today": [
            today[name]
            for name in ("expected_move_points", "conviction", "base_rate", "move_size_points")
        ],
        "ahead": [*itertools.chain(*moves)],
        "bars of": [plain["intraday"]["bars"]] if "intraday" in plain else [],
    }


def assert_summary_agrees(report: am.Report) -> None:
    """Each number of the summary is that of the JSON, rounded to the digits that are shown."""
    expected = figures_of(json.loads(report.to_json()))
    for line in report.summary().splitlines():
        # A note speaks of days, and of how many of them there are.
        if line.startswith("note: "):
            continue
        # What has digits and is no figure of the report.
        words = re.sub(r"^.*(?=spot )|5-minute|80 %|\d{4}-\d\d-\d\d", "", line).strip()
        shown = re.findall(r"[-+]?\d+(?:\.\d+)?%?", words)
        starts = [name for name in expected if words.startswith(name)]
        values = expected.pop(starts[0]) if starts else []
        assert len(shown) == len(values), line
        for text, value in zip(shown, values, strict=True):
            sign = "+" if text[0] == "+" else ""
            digits = len(text.rstrip("%").partition(".")[2])
            kind = "%" if text.endswith("%") else "f"
            assert text == f"{value:{sign}.{digits}{kind}}", line
    assert not any(expected.values()), "a line is missing"


def test_every_number_of_the_summary_is_that_of_the_json(
    report: am.Report,
    engine: am.Engine,
    nifty: am.Bars,
    sample: am.Bars,
    five_minutes: am.IntradayBars,
) -> None:
    assert_summary_agrees(report)
    assert_summary_agrees(am.analyze(sample, engine=engine, now=NOW, notes=["one of them"]))
    for stop in (900, 1700, 2438, 3000, 3546):
        until = nifty[stop - WINDOW : stop]
        made = am.analyze(until, engine=engine, now=after(str(until.dates[-1])))
        assert f"to {made.seller.safe_range.expiry} at 80%" in made.summary()
        assert_summary_agrees(made)
        made = am.analyze(until, engine=engine, now=NOW, intraday=five_minutes)
        assert "over 20 days at 80%" in made.summary()
        assert_summary_agrees(made)


def test_the_summary_says_which_5_minute_bars_were_not_used(
    report: am.Report, engine: am.Engine, nifty: am.Bars, five_minutes: am.IntradayBars
) -> None:
    assert "5-minute" not in report.summary()
    made = am.analyze(nifty, engine=engine, horizon_days=20, now=NOW, intraday=five_minutes)
    (line,) = (one for one in made.summary().splitlines() if "5-minute" in one)
    assert line.startswith("5-minute bars of 2025-11-26, 74 of them: not of today: refines nothing")
    assert "NOT_OF_TODAY" in line


def test_what_a_source_had_to_say_is_kept_and_shown(engine: am.Engine, sample: am.Bars) -> None:
    made = am.analyze(sample, engine=engine, now=NOW, notes=["from the cache", "of \udcff"])
    made.validate()
    notes = ["from the cache", "of \\udcff"]
    assert json.loads(made.to_json())["provenance"]["source_notes"] == notes
    assert [f"note: {note}" in made.summary() for note in notes] == [True, True]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs file names of any bytes")
def test_names_of_files_that_are_no_text_are_escaped(tmp_path: Path, engine: am.Engine) -> None:
    data = Path(am.__file__).parent / "desk" / "sources" / "sample_data"
    index = tmp_path / os.fsdecode(b"index-\xff.csv")
    index.write_bytes((data / "sp500_daily.csv").read_bytes())
    bars = am.Bars.from_csv(index, iv=data / "vix_daily.csv", market="other")
    made = am.analyze(bars, engine=engine, now=NOW)
    made.validate()
    text = made.to_json(tmp_path / "report.json")
    assert (tmp_path / "report.json").read_bytes() == text.encode()
    assert "index-\\udcff.csv" in json.loads(text)["provenance"]["source"]
    assert "index-\\udcff.csv" in made.to_html()


def test_the_command_writes_a_valid_report_and_a_second_one_over_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        assert main(["report", "--sample", "--out", str(tmp_path / "out")]) == 0
        text = (tmp_path / "out" / "aegismatrix.json").read_text()
        jsonschema.validate(json.loads(text), schema())
    written = sorted(file.name for file in (tmp_path / "out").iterdir())
    assert written == ["aegismatrix.html", "aegismatrix.json"]
    assert "demonstration: other market, in-sample" in capsys.readouterr().out


def test_a_report_that_fails_leaves_the_previous_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "aegismatrix.json").write_text("previous")
    missing = ["--index", str(tmp_path / "no.csv"), "--iv", str(tmp_path / "no.csv")]
    assert main(["report", *missing, "--out", str(tmp_path)]) == 2
    assert (tmp_path / "aegismatrix.json").read_text() == "previous"
    assert "cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize("options", [["--horizon", "31"], ["--confidence", "1"]])
def test_options_out_of_range_are_wrong_usage(options: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["report", "--sample", *options])
    assert stopped.value.code == 2


def until(bars: am.Bars, day: str) -> am.Bars:
    """The bars up to a day, and no more of them than a report needs."""
    stop = int(np.searchsorted(bars.dates, np.datetime64(day), side="right"))
    assert str(bars.dates[stop - 1]) == day
    return bars[stop - WINDOW : stop]


def after(day: str) -> datetime:
    """Two hours after the close of NSE on a day."""
    return datetime.fromisoformat(day).replace(hour=12, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("day", "kind", "expiry"),
    [
        ("2014-09-25", "monthly", "2014-10-30"),
        ("2016-11-07", "monthly", "2016-11-24"),
        ("2019-02-08", "monthly", "2019-02-28"),
        ("2019-02-11", "weekly", "2019-02-14"),
        ("2021-11-03", "weekly", "2021-11-11"),
        ("2023-06-21", "weekly", "2023-06-22"),
        ("2024-12-31", "weekly", "2025-01-02"),
    ],
)
def test_by_default_the_safe_range_lasts_until_the_next_expiry(
    day: str, kind: ExpiryKind, expiry: str, nifty: am.Bars, engine: am.Engine
) -> None:
    now = after(day)
    made = am.analyze(until(nifty, day), engine=engine, now=now)
    made.validate()
    safe = made.to_dict()["seller"]["safe_range"]
    assert safe["horizon_days"] == NIFTY.trading_days_to_expiry(day, kind)
    assert safe["expiry"] == expiry == str(NIFTY.next_expiry(day, kind))
    given = am.analyze(until(nifty, day), engine=engine, now=now, horizon_days=safe["horizon_days"])
    assert given.seller.safe_range == replace(made.seller.safe_range, expiry=None)
    assert "expiry" not in given.to_dict()["seller"]["safe_range"]


@pytest.mark.parametrize(
    ("expiry", "days", "said"),
    [
        ("weekly", 2, "2025-01-02"),
        ("monthly", 22, "2025-01-30"),
        ("2025-01-09", 7, "2025-01-09"),
        (date(2025, 1, 9), 7, "2025-01-09"),
        (np.datetime64("2025-01-09"), 7, "2025-01-09"),
    ],
)
def test_an_expiry_may_be_asked_for(
    expiry: Any, days: int, said: str, nifty: am.Bars, engine: am.Engine
) -> None:
    made = am.analyze(nifty, engine=engine, now=after("2024-12-31"), expiry=expiry)
    made.validate()
    safe = made.seller.safe_range
    assert (safe.horizon_days, safe.expiry) == (days, said)


@pytest.mark.parametrize(
    "expiry",
    [
        *("2024-12-31", "2024-12-30", "2010-01-04", "2025-02-14", "2026-12-31", "2025-02-30"),
        *("yearly", "", 3.5, True, np.datetime64("NaT", "D"), np.zeros((2, 2))),
    ],
)
def test_an_expiry_that_is_past_too_far_or_no_day_is_refused(
    expiry: Any, nifty: am.Bars, engine: am.Engine
) -> None:
    with pytest.raises(ContractError, match="expiry"):
        am.analyze(nifty, engine=engine, now=after("2024-12-31"), expiry=expiry)


def test_an_expiry_goes_without_a_horizon(nifty: am.Bars, engine: am.Engine) -> None:
    for expiry in ("weekly", "2025-01-02"):
        with pytest.raises(ContractError, match="one of the two"):
            am.analyze(nifty, engine=engine, now=NOW, expiry=expiry, horizon_days=2)


def test_a_market_without_a_calendar_has_no_expiries(sample: am.Bars, engine: am.Engine) -> None:
    kinds: tuple[ExpiryKind, ...] = ("weekly", "monthly")
    for kind in kinds:
        with pytest.raises(ContractError, match="horizon_days"):
            am.analyze(sample, engine=engine, now=NOW, expiry=kind)
    # Its sessions are not known, so the days to a day are not either: those of NSE are others.
    with pytest.raises(ContractError, match="sessions"):
        am.analyze(sample, engine=engine, now=NOW, expiry="2019-01-18")
    made = am.analyze(sample, engine=engine, now=NOW)
    assert (made.seller.safe_range.horizon_days, made.seller.safe_range.expiry) == (20, None)
    assert {one.target for one in made.direction.horizons.values()} == {None}


def test_beyond_the_exchanges_calendar_a_horizon_must_be_given(
    nifty: am.Bars, engine: am.Engine
) -> None:
    later = replace(nifty, dates=nifty.dates + BEYOND)[-WINDOW:]
    for expiry in (None, "weekly", "2040-01-05"):
        with pytest.raises(CalendarRangeError, match="horizon in trading days"):
            am.analyze(later, engine=engine, now=NOW, expiry=expiry)
    made = am.analyze(later, engine=engine, now=NOW, horizon_days=20)
    made.validate()
    assert {one.target for one in made.direction.horizons.values()} == {None}
    assert "target" not in made.to_dict()["direction"]["horizons"]["t1"]


def test_each_horizon_names_the_session_that_it_ends_with(report: am.Report) -> None:
    ahead = NSE.sessions("2025-01-01", "2025-12-31").astype(str).tolist()
    horizons = report.direction.horizons.values()
    assert [one.target for one in horizons] == [ahead[one.horizon_days - 1] for one in horizons]
    plain = report.to_dict()["direction"]["horizons"]
    assert plain["t1"]["target"] == "2025-01-01"


@pytest.mark.parametrize("horizon_days", [0, 31, 2.5, 20.0, "20", True, np.bool_(True)])
def test_a_horizon_that_is_no_number_of_days_is_refused(
    horizon_days: Any, nifty: am.Bars, engine: am.Engine
) -> None:
    with pytest.raises(ContractError, match="horizon_days"):
        am.analyze(nifty, engine=engine, horizon_days=horizon_days)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 80, "0.8", float("nan")])
def test_a_confidence_that_is_no_share_is_refused(
    confidence: Any, nifty: am.Bars, engine: am.Engine
) -> None:
    with pytest.raises(ContractError, match="confidence"):
        am.analyze(nifty, engine=engine, confidence=confidence)


def test_a_clock_without_a_time_zone_is_refused(nifty: am.Bars, engine: am.Engine) -> None:
    with pytest.raises(ContractError, match="time zone"):
        am.analyze(nifty, engine=engine, now=datetime(2026, 1, 5))


@pytest.mark.parametrize(
    "now",
    [
        *("2025-01-01", 5, date(2026, 1, 5), datetime.max.replace(tzinfo=FAR_WEST)),
        *(datetime.max.replace(tzinfo=timezone.utc), datetime.min.replace(tzinfo=timezone.utc)),
        datetime(999, 12, 31, tzinfo=timezone.utc),
        pd.NaT,
    ],
)
def test_a_clock_that_is_no_moment_is_refused(now: Any, nifty: am.Bars, engine: am.Engine) -> None:
    with pytest.raises(ContractError, match="now"):
        am.analyze(nifty, engine=engine, now=now)


@pytest.mark.parametrize("notes", [None, 5, [5], "one note", [b"bytes"]])
def test_notes_that_are_no_texts_are_refused(notes: Any, nifty: am.Bars, engine: am.Engine) -> None:
    with pytest.raises(ContractError, match="notes"):
        am.analyze(nifty, engine=engine, now=NOW, notes=notes)


def test_the_name_of_the_us_bars_is_text_whatever_the_file_was_called(
    nifty: am.Bars, sp500: am.Bars, engine: am.Engine
) -> None:
    bars = until(nifty, "2022-06-01")
    us = replace(sp500, source="us-\udcff.csv")
    made = am.analyze(bars, engine=engine, now=NOW, overnight=us)
    made.validate()
    assert made.to_dict()["provenance"]["overnight_source"] == "us-\\udcff.csv"


@pytest.mark.parametrize("wrong", ["x", am.Engine, 0, False])
def test_an_engine_that_is_none_is_refused(wrong: Any, nifty: am.Bars) -> None:
    with pytest.raises(ContractError, match="engine"):
        am.analyze(nifty, engine=wrong, now=NOW)


@pytest.mark.parametrize("path", [3.5, b"report.json", ["report.json"], "a\0b", ""])
def test_a_path_that_is_none_is_an_output_error(path: Any, report: am.Report) -> None:
    for write in (report.to_json, report.to_html):
        with pytest.raises(OutputError):
            write(path)


def test_numpy_integers_are_horizons_and_still_json(nifty: am.Bars, engine: am.Engine) -> None:
    made = am.analyze(nifty, engine=engine, horizon_days=np.int64(5), now=NOW)
    assert json.loads(made.to_json())["seller"]["safe_range"]["horizon_days"] == 5


def test_a_horizon_that_was_not_judged_says_so(nifty: am.Bars, engine: am.Engine) -> None:
    made = am.analyze(nifty, engine=engine, horizon_days=15, now=NOW)
    assert made.to_dict()["seller"]["safe_range"]["verdict"] == "not judged"
    made.validate()


def test_a_report_never_overwrites_the_bars_it_was_made_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = Path(am.__file__).parent / "desk" / "sources" / "sample_data"
    bars = tmp_path / "aegismatrix.json"
    bars.write_bytes((data / "sp500_daily.csv").read_bytes())
    pair = ["--index", str(bars), "--iv", str(data / "vix_daily.csv"), "--market", "other"]
    with pytest.raises(SystemExit) as stopped:
        main(["report", *pair, "--out", str(tmp_path)])
    assert stopped.value.code == 2
    assert "would overwrite" in capsys.readouterr().err
    assert bars.read_bytes() == (data / "sp500_daily.csv").read_bytes()


def test_bars_that_are_taken_for_nifty_unasked_are_said_to_be_and_others_refused(
    market_sources: tuple[MarketSource, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nifty = market_sources[0]
    pair = ["--index", str(nifty.index), "--iv", str(nifty.iv)]
    assert main(["report", *pair, "--out", str(tmp_path)]) == 0
    assert "taken as NIFTY" in capsys.readouterr().out
    data = Path(am.__file__).parent / "desk" / "sources" / "sample_data"
    pair = ["--index", str(data / "sp500_daily.csv"), "--iv", str(data / "vix_daily.csv")]
    assert main(["report", *pair, "--out", str(tmp_path)]) == 2
    assert "--market other" in capsys.readouterr().err


@pytest.mark.slow
def test_all_labels_are_reached_on_real_days(engine: am.Engine, nifty: am.Bars) -> None:
    seen: dict[str, set[str]] = {}
    refused: dict[str, Sequence[str]] = {}
    stops = range(1500, len(nifty) + 1, 6)
    for stop in stops:
        until = nifty[stop - WINDOW : stop]
        try:
            made = am.analyze(until, engine=engine, horizon_days=20, now=NOW)
        except MissingSessionsError as error:
            refused[str(until.dates[-1])] = error.dates
            continue
        for name, word in (
            ("flag", made.seller.seller_flag.label),
            ("environment", made.buyer.buyer_environment.label),
            ("market", made.market.regime),
            ("buyer regime", made.buyer.regime),
            ("breakout", made.buyer.breakout_today.label),
            ("theta", made.buyer.theta_edge.label),
            ("tomorrow", made.direction.horizons["t1"].tendency),
            ("next month", made.direction.horizons["t40"].tendency),
        ):
            seen.setdefault(name, set()).add(word)
    assert {name: len(words) for name, words in seen.items()} == {
        name: 4 if name == "market" else 3 for name in seen
    }
    # Those days alone are refused that come within five sessions after a hole.
    sessions = nifty.market.known_calendar().sessions("2010-01-01", "2024-12-31")
    for day in nifty.dates[np.array(stops) - 1]:
        recent = sessions[sessions < day][-5:]
        lacks = set(np.setdiff1d(recent, nifty.dates).astype(str))
        assert set(refused.get(str(day), ())) >= lacks
        assert lacks or str(day) not in refused


def test_the_spike_rate_is_what_counting_the_nearest_scores_by_hand_gives(
    engine: am.Engine, nifty: am.Bars
) -> None:
    """On days outside of the training span the unseen forecast is the last fit's own."""
    window = replace(nifty, dates=nifty.dates + BEYOND)[-WINDOW:]
    made = am.analyze(window, engine=engine, horizon_days=20, now=NOW)
    history = engine.history(window)
    scores = engine.unseen("breakout", history)
    pairs = []
    for row in range(len(history) - 1):
        day = len(window) - len(history) + row
        ranges = [
            max(window.high[d], window.close[d - 1]) - min(window.low[d], window.close[d - 1])
            for d in range(day - 13, day + 2)
        ]
        happened = ranges[-1] > 1.25 * sum(ranges[:-1]) / 14
        pairs.append((abs(scores[row] - made.buyer.breakout_today.score), happened))
    nearest = sorted(pairs[-252:])[:63]
    assert made.buyer.spike_rate.n == 63
    assert made.buyer.spike_rate.rate == pytest.approx(np.mean([hit for _, hit in nearest]))


def test_five_minute_bars_of_another_year_are_shown_but_refine_nothing(
    report: am.Report, engine: am.Engine, nifty: am.Bars, five_minutes: am.IntradayBars
) -> None:
    made = am.analyze(nifty, engine=engine, horizon_days=20, now=NOW, intraday=five_minutes)
    made.validate()
    assert made.intraday is not None
    assert made.intraday.relation == "later"
    assert made.direction == report.direction
    assert len(made.buyer.gamma_windows) == 13
    assert max(window.score for window in made.buyer.gamma_windows) == 1.0
    assert "gamma_windows_reason" not in made.to_dict()["buyer"]
    assert made.to_dict()["provenance"]["intraday_source"] == "nifty_5min.csv"


def test_the_session_under_way_refines_today_and_nothing_else(
    engine: am.Engine, nifty: am.Bars, five_minutes: am.IntradayBars
) -> None:
    day = five_minutes.session(five_minutes.sessions[-1])
    eve = np.datetime64(str(five_minutes.sessions[-2]), "D")
    bars = replace(nifty, dates=NSE.sessions(NSE.first, eve)[-len(nifty) :])
    spot = float(bars.close[-1])
    daily = am.analyze(bars, engine=engine, now=NOW)
    for factor in (0.97, 1.03):
        scaled = {
            name: getattr(day, name) * spot * factor / day.close[-1]
            for name in ("open", "high", "low", "close")
        }
        made = am.analyze(bars, engine=engine, now=NOW, intraday=replace(day, **scaled))
        made.validate()
        assert made.intraday is not None
        assert made.intraday.relation == "next"
        today = made.direction.today
        assert today.basis == "5-minute bars"
        assert today.tendency == ("UP" if factor > 1 else "DOWN")
        assert 0.99 < today.probabilities[today.tendency.lower()] <= 1.0
        # No skill was demonstrated over a day: no side is named, however far the session has come.
        assert (today.direction, today.expected_move_points) == ("NEUTRAL", 0.0)
        assert today.move_size_points > 0.02 * spot
        assert today.last_update == made.intraday.last_bar
        assert made.direction.horizons == daily.direction.horizons
        assert made.seller == daily.seller


def five_minutes_of(
    session: am.IntradayBars, bars: am.Bars, count: int, factor: float
) -> am.IntradayBars:
    """Real 5-minute bars, the first of their session, moved to the day of the last daily bar."""
    day = bars.dates[-1]
    scale = float(bars.close[-2]) * factor / float(session.close[count - 1])
    prices = {name: getattr(session, name)[:count] * scale for name in PRICES}
    starts = session.starts[:count] + (day - session.days[0])
    return am.IntradayBars.from_arrays(starts, **prices, source="nifty_5min.csv")


@pytest.mark.parametrize("day", ["2017-03-14", "2020-03-23", "2024-12-31"])
@pytest.mark.parametrize(("count", "factor"), [(27, 0.98), (27, 1.02), (73, 1.0), (1, 1.001)])
def test_a_daily_bar_of_the_session_under_way_is_no_forecast_of_that_session(
    day: str,
    count: int,
    factor: float,
    engine: am.Engine,
    nifty: am.Bars,
    five_minutes: am.IntradayBars,
) -> None:
    whole = until(nifty, day)
    session = five_minutes.session(five_minutes.sessions[0])
    intraday = five_minutes_of(session, whole, count, factor)
    now = opening(day) + timedelta(minutes=5 * count)
    made = am.analyze(whole, engine=engine, horizon_days=20, now=now, intraday=intraday)
    made.validate()
    assert made.session == "partial"
    assert made.intraday is not None
    assert made.intraday.relation == "same"
    today = made.direction.today
    assert today.basis == "5-minute bars"
    assert today.last_update == made.intraday.last_bar <= made.generated_at
    if abs(factor - 1) > 0.01:
        assert today.tendency == ("UP" if factor > 1 else "DOWN")
    # What was said of that session when its eve was the last bar.
    before = am.analyze(
        whole[:-1], engine=engine, horizon_days=20, now=now, intraday=intraday
    ).direction.today
    assert today == before
    # The rest is of the last bar, whatever its 5-minute bars say.
    daily = am.analyze(whole, engine=engine, horizon_days=20, now=now)
    assert made.seller == daily.seller
    assert made.direction.horizons == daily.direction.horizons
    assert_summary_agrees(made)


@pytest.mark.parametrize("minutes", [0, 1, 374])
def test_a_daily_bar_that_is_not_over_ends_by_the_time_of_the_report(
    minutes: int, engine: am.Engine, nifty: am.Bars
) -> None:
    now = opening("2024-12-31") + timedelta(minutes=minutes)
    made = am.analyze(nifty[-WINDOW:], engine=engine, horizon_days=20, now=now)
    today = made.direction.today
    assert made.session == "partial"
    assert today.last_update == made.generated_at == now.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert today.basis == "daily bars"
    later = am.analyze(nifty[-WINDOW:], engine=engine, horizon_days=20, now=NOW)
    assert later.direction.today.last_update == "2024-12-31T10:00:00Z"


def test_once_the_session_is_over_its_5_minute_bars_refine_nothing_more(
    engine: am.Engine, nifty: am.Bars, five_minutes: am.IntradayBars
) -> None:
    session = five_minutes.session(five_minutes.sessions[0])
    intraday = five_minutes_of(session, nifty, 75, 1.01)
    now = opening("2024-12-31") + timedelta(minutes=375)
    made = am.analyze(nifty, engine=engine, horizon_days=20, now=now, intraday=intraday)
    plain = am.analyze(nifty, engine=engine, horizon_days=20, now=now)
    assert made.session == "closed"
    assert made.direction.today.basis == "daily bars"
    assert made.direction.today.probabilities == plain.direction.today.probabilities
    assert made.direction.today.last_update == "2024-12-31T10:00:00Z" == made.generated_at


@pytest.mark.parametrize("last_bar_is", ["same", "next"])
def test_5_minute_bars_that_end_later_than_now_are_refused(
    last_bar_is: str, engine: am.Engine, nifty: am.Bars, five_minutes: am.IntradayBars
) -> None:
    session = five_minutes.session(five_minutes.sessions[0])
    intraday = five_minutes_of(session, nifty, 30, 1.0)
    bars = nifty[-WINDOW:] if last_bar_is == "same" else nifty[-WINDOW - 1 : -1]
    ends = opening("2024-12-31") + timedelta(minutes=150)
    for early in (timedelta(minutes=5, seconds=1), timedelta(hours=1), timedelta(days=1)):
        with pytest.raises(FutureBarsError, match="2024-12-31 has dates after") as caught:
            am.analyze(bars, engine=engine, horizon_days=20, now=ends - early, intraday=intraday)
        assert caught.value.dates == ("2024-12-31T06:15:00Z",)
    am.analyze(
        bars, engine=engine, horizon_days=20, now=ends - timedelta(minutes=5), intraday=intraday
    )


@pytest.mark.parametrize("minutes", [1, 4])
def test_a_5_minute_bar_that_is_not_over_ends_by_the_time_of_the_report(
    minutes: int, engine: am.Engine, nifty: am.Bars, five_minutes: am.IntradayBars
) -> None:
    session = five_minutes.session(five_minutes.sessions[0])
    intraday = five_minutes_of(session, nifty, 30, 1.0)
    now = opening("2024-12-31") + timedelta(minutes=145 + minutes)
    for bars in (nifty[-WINDOW:], nifty[-WINDOW - 1 : -1]):
        made = am.analyze(bars, engine=engine, horizon_days=20, now=now, intraday=intraday)
        assert made.direction.today.last_update <= made.generated_at


@pytest.mark.parametrize("factor", [0.7, 1.4])
def test_5_minute_bars_of_another_index_are_refused(
    factor: float, engine: am.Engine, nifty: am.Bars, five_minutes: am.IntradayBars
) -> None:
    session = five_minutes.session(five_minutes.sessions[0])
    intraday = five_minutes_of(session, nifty, 75, factor)
    with pytest.raises(ScaleError, match="not of one index"):
        am.analyze(nifty, engine=engine, horizon_days=20, now=NOW, intraday=intraday)


def test_an_option_chain_gives_max_pain_and_skew_and_the_method_says_so(
    report: am.Report, engine: am.Engine, nifty: am.Bars
) -> None:
    strikes = np.arange(22_000.0, 26_001.0, 50.0)
    calls = np.where(strikes >= 24_000, 100.0, 1.0)
    puts = np.where(strikes <= 24_000, 100.0, 1.0)
    chain = am.OptionChain.from_arrays(strikes, calls, puts)
    made = am.analyze(nifty, engine=engine, horizon_days=20, now=NOW, chain=chain)
    made.validate()
    assert made.seller.max_pain.method == "option_chain"
    assert (made.seller.max_pain.lower, made.seller.max_pain.upper) == (23_975.0, 24_025.0)
    assert made.seller.skew.method == "open_interest"
    assert made.seller.skew.put_skew > 0.5
    assert report.seller.max_pain.method == "distribution"
    assert report.seller.skew.method == "returns"
    with raising((ChainError, "other_index")):
        am.analyze(nifty[:-700], engine=engine, horizon_days=20, now=NOW, chain=chain)


def test_five_minute_bars_beside_another_market_are_refused(
    engine: am.Engine, sample: am.Bars, five_minutes: am.IntradayBars
) -> None:
    with pytest.raises(ContractError, match="another market"):
        am.analyze(sample, engine=engine, intraday=five_minutes)


def test_the_page_shows_the_report_and_so_does_a_notebook(
    report: am.Report, tmp_path: Path
) -> None:
    page = report.to_html(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == page
    assert report.as_of in page
    assert len(page.encode()) < 60_000
    shown = report._repr_html_()
    assert shown is not None
    assert shown.startswith("<iframe")


def without_jinja2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "jinja2", None)


def test_without_the_extra_the_json_is_written_and_one_line_names_the_extra(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    without_jinja2(monkeypatch)
    assert main(["report", "--sample", "--out", str(tmp_path)]) == 0
    assert [file.name for file in tmp_path.iterdir()] == ["aegismatrix.json"]
    (line,) = capsys.readouterr().err.splitlines()
    assert ".[report]" in line


def test_a_page_that_is_insisted_on_and_cannot_be_made_is_an_error_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    without_jinja2(monkeypatch)
    assert main(["report", "--sample", "--html", "--out", str(tmp_path)]) == 2
    assert list(tmp_path.iterdir()) == []
    assert ".[report]" in capsys.readouterr().err


def test_an_older_page_beside_a_new_report_is_said_to_be_older(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "aegismatrix.html").write_text("of yesterday")
    without_jinja2(monkeypatch)
    assert main(["report", "--sample", "--out", str(tmp_path)]) == 0
    assert "is an older one" in capsys.readouterr().err


def test_a_page_that_is_not_wanted_is_not_written(tmp_path: Path) -> None:
    assert main(["report", "--sample", "--no-html", "--out", str(tmp_path)]) == 0
    assert [file.name for file in tmp_path.iterdir()] == ["aegismatrix.json"]


def test_a_notebook_without_the_extra_shows_the_summary(
    report: am.Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_jinja2(monkeypatch)
    assert report._repr_html_() is None


def test_levels_lie_around_spot_on_an_index_however_low(sample: am.Bars, engine: am.Engine) -> None:
    close = 0.003086419725 * (1 + 1e-6 * (np.arange(700) % 2))
    low = am.Bars.from_arrays(
        sample.dates[-700:],
        close * (1 + 1e-7),
        close * (1 - 1e-7),
        close,
        sample.iv[-700:],
        market="other",
    )
    assert_invariants_of_file(am.analyze(low, engine=engine))
