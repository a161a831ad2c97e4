"""Reports on bars with holes, old bars and exceptions: what is refused, what is said, from when."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest

import aegismatrix as am
from aegismatrix.desk.age import age_of
from aegismatrix.desk.cli.main import main
from aegismatrix.desk.errors import BarsBehindError
from aegismatrix.desk.html.page import render_page
from aegismatrix.desk.job.publish import Settings, publish
from aegismatrix.desk.sources.local import CsvSource
from aegismatrix.errors import (
    MAX_MESSAGE,
    AegisError,
    ContractError,
    MissingSessionsError,
    UnexpectedSessionsError,
)
from tests.raising import raising

CASES = Path(__file__).parents[1] / "fixtures" / "cases"
SATURDAY = datetime(2026, 8, 8, 4, 0, tzinfo=timezone.utc)
WINDOW = 700


@pytest.fixture(scope="module")
def base() -> am.Bars:
    return am.Bars.from_csv(CASES / "base_n.csv", iv=CASES / "base_v.csv")


@pytest.fixture(scope="module")
def engine() -> am.Engine:
    return am.Engine()


def after(day: object) -> datetime:
    """Two hours after the close of NSE on a day."""
    return datetime.fromisoformat(str(day)).replace(hour=12, tzinfo=timezone.utc)


def test_bars_without_a_fault_give_a_report_without_a_note(
    base: am.Bars, engine: am.Engine
) -> None:
    made = am.analyze(base, engine=engine, now=SATURDAY)
    made.validate()
    plain = made.to_dict()
    assert plain["provenance"]["source_notes"] == []
    assert plain["publication"] == {
        "generated_at": "2026-08-08T04:00:00Z",
        "age_days": 1,
        "age_sessions": 0,
        "stale": False,
    }
    assert "These bars are old" not in made.to_html()
    assert "stale" not in made.summary()


def test_what_differs_between_two_reports_stands_in_one_object(
    base: am.Bars, engine: am.Engine
) -> None:
    reports = [
        am.analyze(base, engine=engine, now=SATURDAY + timedelta(hours=hours)).to_dict()
        for hours in (0, 30)
    ]
    assert reports[0]["publication"] != reports[1]["publication"]
    for report in reports:
        assert report.pop("generated_at") == report.pop("publication")["generated_at"]
    assert reports[0] == reports[1]


@pytest.mark.parametrize(
    ("moment", "days", "sessions", "expiry", "horizon"),
    [
        ("2026-08-07T12:00", 0, 0, "2026-08-11", 2),
        ("2026-08-10T09:00", 3, 0, "2026-08-11", 2),
        ("2026-08-10T10:00", 3, 1, "2026-08-11", 2),
        ("2026-08-11T09:59", 4, 1, "2026-08-11", 2),
        ("2026-08-11T10:00", 4, 2, "2026-08-18", 7),
        ("2026-09-10T12:00", 34, 24, "2026-09-15", 26),
        ("2026-12-07T12:00", 122, 81, None, 20),
    ],
)
def test_how_old_bars_are_is_said_and_no_expiry_that_passed_is_a_horizon(
    moment: str,
    days: int,
    sessions: int,
    expiry: str | None,
    horizon: int,
    base: am.Bars,
    engine: am.Engine,
) -> None:
    now = datetime.fromisoformat(moment).replace(tzinfo=timezone.utc)
    made = am.analyze(base, engine=engine, now=now)
    made.validate()
    plain = made.to_dict()
    said = plain["publication"]
    assert (said["age_days"], said["age_sessions"], said["stale"]) == (days, sessions, sessions > 0)
    safe = plain["seller"]["safe_range"]
    assert (safe.get("expiry"), safe["horizon_days"]) == (expiry, horizon)
    assert ("These bars are old" in made.to_html()) == said["stale"]
    assert (f"sessions closed since the last bar: {sessions}" in made.summary()) == said["stale"]
    notes = " ".join(plain["provenance"]["source_notes"])
    assert ("has passed" in notes) == (expiry is None)


def test_an_expiry_that_has_passed_is_refused(base: am.Bars, engine: am.Engine) -> None:
    now = datetime(2026, 8, 11, 10, 0, tzinfo=timezone.utc)
    with pytest.raises(ContractError, match="2026-08-11 has passed"):
        am.analyze(base, engine=engine, now=now, expiry="2026-08-11")
    made = am.analyze(base, engine=engine, now=now, expiry="weekly")
    assert made.seller.safe_range.expiry == "2026-08-18"


def test_where_sessions_are_not_known_the_age_is_of_days(
    sample: am.Bars, engine: am.Engine
) -> None:
    for days, stale in ((7, False), (8, True)):
        now = datetime(2018, 12, 31, 22, tzinfo=timezone.utc) + timedelta(days=days)
        made = am.analyze(sample, engine=engine, now=now)
        made.validate()
        said = made.to_dict()["publication"]
        assert (said["age_days"], said["stale"]) == (days, stale)
        assert "age_sessions" not in said
        assert ("days before this sheet was made" in render_page(made.to_dict())) == stale
        assert ("more than 7 days old" in made.summary()) == stale


def test_beyond_the_calendar_the_age_is_of_days(base: am.Bars) -> None:
    age = age_of(base, datetime(2027, 1, 5, tzinfo=timezone.utc))
    assert (age.days, age.sessions, age.is_stale) == (151, None, True)


def test_a_report_names_old_holes_special_sessions_and_placeholders(
    nifty: am.Bars, engine: am.Engine
) -> None:
    made = am.analyze(nifty, engine=engine, now=after("2024-12-31"))
    made.validate()
    origin = made.to_dict()["provenance"]
    assert len(origin["missing_sessions"]) == 19
    assert origin["missing_sessions"][-1] == "2019-03-29"
    assert origin["special_sessions"][-1] == "2024-11-01"
    assert origin["unexpected_days"] == origin["permits"] == []
    assert [fill["date"] for fill in origin["iv_fills"]] == ["2021-02-12", "2021-03-30"]
    notes = " ".join(origin["source_notes"])
    for day in ("2019-03-29", "2024-11-01", "2021-02-12"):
        assert day in notes


def test_a_hole_refuses_the_report_as_of_the_five_sessions_after_it_and_no_history(
    nifty: am.Bars, engine: am.Engine
) -> None:
    hole = np.flatnonzero(nifty.dates == np.datetime64("2019-04-01"))[0]
    for sessions in range(5):
        until = nifty[hole + sessions + 1 - WINDOW : hole + sessions + 1]
        with raising((MissingSessionsError, "recent"), match="2019-03-29"):
            am.analyze(until, engine=engine, now=after(until.dates[-1]))
    engine.history(until)
    until = nifty[hole + 6 - WINDOW : hole + 6]
    made = am.analyze(until, engine=engine, now=after(until.dates[-1]))
    assert "2019-03-29" in made.provenance.missing_sessions


def test_an_exception_that_is_permitted_stands_in_the_provenance(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["report", "--index", str(CASES / "hole1_n.csv"), "--iv", str(CASES / "hole1_v.csv")]
    given += ["--out", str(tmp_path), "--horizon", "5", "--no-html"]
    assert main(given) == 2
    assert "--permit missing:2026-08-06" in capsys.readouterr().err
    assert main([*given, "--permit", "missing:2026-08-06"]) == 0
    written = json.loads((tmp_path / "aegismatrix.json").read_text())
    assert written["provenance"]["permits"] == [{"kind": "missing", "date": "2026-08-06"}]


@pytest.mark.parametrize(
    "given", ["rain:2026-08-06", "missing", "missing:2026-02-30", "x" * 100_000]
)
def test_a_permit_that_is_none_is_wrong_usage(
    given: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["report", "--sample", "--permit", given])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "permits nothing that is known" in said
    assert len(given) > 40 or f"{given!r} permits" in said
    assert len(said.splitlines()[-1]) <= MAX_MESSAGE


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["report", "--sample", "--allow-stale", "2"], "'2' is not an age such as 30m"),
        (["run", "--sample", "--every", "0"], "'0' is not an interval such as 30m"),
    ],
)
def test_a_length_of_time_that_is_none_is_called_what_it_is(
    options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(options)
    assert said in capsys.readouterr().err


def test_a_calendar_that_cannot_be_read_is_called_a_calendar(
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = ["report", "--index", "a.csv", "--iv", "b.csv", "--calendar", "absent.csv"]
    assert main(given) == 2
    assert "absent.csv describes no calendar: it cannot be read" in capsys.readouterr().err


def test_an_expiry_that_old_bars_do_not_reach_asks_for_newer_bars(
    base: am.Bars, engine: am.Engine
) -> None:
    late = datetime(2026, 11, 30, tzinfo=timezone.utc)
    with raising(ContractError, match="Fetch newer bars"):
        am.analyze(base, engine=engine, expiry="weekly", now=late)
    with raising(ContractError, match="Give a day 1 to 30"):
        am.analyze(base, engine=engine, expiry="2026-12-29", now=after(base.dates[-1]))


def test_a_row_filled_forward_does_not_make_old_bars_current(
    base: am.Bars, engine: am.Engine, tmp_path: Path
) -> None:
    # Thursday's close filled forward over a Friday that is missing and the Saturday after it.
    cut = base[-WINDOW:-1]
    close = cut.close[-1]
    dates = np.append(cut.dates, np.datetime64("2026-08-08"))
    prices = {name: np.append(getattr(cut, name), close) for name in ("high", "low", "close")}
    high, low, close = prices.values()
    flat = am.Bars(dates, high, low, close, np.append(cut.iv, cut.iv[-1] + 0.01))
    assert str(flat.last_session) == "2026-08-06"
    assert age_of(flat, SATURDAY).sessions == 1
    with raising((UnexpectedSessionsError, "filled_forward"), match="2026-08-08"):
        am.analyze(flat, engine=engine, now=SATURDAY)
    for name, columns in (("index", prices), ("iv", {"close": flat.iv})):
        rows = [",".join(map(str, row)) for row in zip(dates, *columns.values(), strict=True)]
        (tmp_path / f"{name}.csv").write_text("\n".join([",".join(["date", *columns]), *rows]))
    source = CsvSource(tmp_path / "index.csv", tmp_path / "iv.csv")
    with pytest.raises(BarsBehindError):
        publish(source, Settings(tmp_path), engine=engine, now=SATURDAY)


@pytest.mark.parametrize("option", ["--expiry", "--index", "--models"])
def test_a_long_argument_is_not_repeated_whole(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    others = ["--iv", "iv.csv"] if option == "--index" else ["--sample"]
    status = 0
    try:
        status = main(["report", *others, option, "x" * 100_000])
    except SystemExit as ended:
        status = int(ended.code or 0)
    assert status == 2
    assert len(capsys.readouterr().err.splitlines()[-1]) <= MAX_MESSAGE + len("aegismatrix: ")


@pytest.mark.slow
def test_every_day_of_both_markets_gives_a_report_or_names_the_hole_before_it(
    nifty: am.Bars, sp500: am.Bars, engine: am.Engine
) -> None:
    refused: list[str] = []
    for bars, first in ((nifty, 1500), (sp500, 3000)):
        for stop in range(first, len(bars) + 1):
            until = bars[stop - WINDOW : stop]
            try:
                am.analyze(until, engine=engine, now=after(until.dates[-1])).to_dict()
            except MissingSessionsError as error:
                refused += error.dates
    assert set(refused) == {str(day) for day in nifty[1500 - 6 :].days.missing}


def test_a_sample_of_days_of_both_markets_gives_reports(
    nifty: am.Bars, sp500: am.Bars, engine: am.Engine
) -> None:
    for bars in (nifty, sp500):
        for stop in np.linspace(3000, len(bars), 4).astype(int).tolist():
            until = bars[stop - WINDOW : stop]
            made = am.analyze(until, engine=engine, now=after(until.dates[-1]))
            assert made.as_of == str(until.dates[-1])
            assert made.publication is not None
            assert not made.publication.stale


def test_bars_replaced_piece_by_piece_are_checked_anew(base: am.Bars) -> None:
    with pytest.raises(AegisError):
        replace(base[-300:], dates=base.dates[-300:] - np.timedelta64(1, "D"))
