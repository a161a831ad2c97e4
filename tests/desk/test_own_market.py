"""A market of the user's own, from bars to report, page, log and command."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

import aegismatrix as am
from aegismatrix.desk.cli.main import main
from aegismatrix.desk.errors import BarsBehindError, MarketClosedError
from aegismatrix.desk.job.publish import Settings, check_open, publish
from aegismatrix.desk.job.schedule import next_run
from aegismatrix.desk.monitoring.journal import Journal
from aegismatrix.desk.monitoring.monitor import monitor
from aegismatrix.desk.sources.fetched import Fetched
from aegismatrix.desk.sources.yahoo import YahooSource
from aegismatrix.errors import ContractError
from aegismatrix.market.errors import MarketError
from aegismatrix.market.market import NIFTY, OTHER
from aegismatrix.market.overnight import last_night
from tests.market.test_market import fields_of, sp500

AFTER_CLOSE = datetime(2018, 12, 31, 21, 30, tzinfo=timezone.utc)
IN_SESSION = datetime(2018, 12, 31, 20, 30, tzinfo=timezone.utc)


@pytest.fixture(scope="module")
def own(sample: am.Bars) -> am.Bars:
    """The sample as what it is: the S&P 500, with its sessions and expiries."""
    return am.Bars(**{**fields_of(sample), "market": sp500()})


@pytest.fixture(scope="module")
def engine() -> am.Engine:
    return am.Engine()


@pytest.fixture(scope="module")
def made(own: am.Bars, engine: am.Engine) -> am.Report:
    return am.analyze(own, engine=engine, now=AFTER_CLOSE)


def test_the_report_says_whose_bars_they_are(made: am.Report) -> None:
    made.validate()
    provenance = made.to_dict()["provenance"]
    assert (provenance["market"], provenance["market_title"]) == ("sp500", "S&P 500")
    assert provenance["demonstration"] == "other market, in-sample"
    assert "demonstration: other market, in-sample" in made.summary()
    page = made.to_html()
    assert "<title>S&amp;P 500, option sheet of" in page
    assert "These bars are not NIFTY 50&rsquo;s" in page


def test_sessions_and_expiries_are_those_of_its_own_calendar(
    made: am.Report, own: am.Bars, engine: am.Engine
) -> None:
    safe = made.seller.safe_range
    assert (safe.horizon_days, safe.expiry) == (13, "2019-01-18")
    horizons = made.direction.horizons
    # The first of January is a holiday, and so is the 21st.
    assert [horizons[name].target for name in ("t1", "t3", "t20")] == [
        "2019-01-02",
        "2019-01-04",
        "2019-01-30",
    ]
    by_date = am.analyze(own, engine=engine, now=AFTER_CLOSE, expiry="2019-01-18")
    assert by_date.seller == made.seller
    with pytest.raises(ContractError, match="no session"):
        am.analyze(own, engine=engine, now=AFTER_CLOSE, expiry="2019-01-21")
    with pytest.raises(ContractError, match="no such expiries"):
        am.analyze(own, engine=engine, now=AFTER_CLOSE, expiry="weekly")


def test_its_own_clock_says_whether_the_session_is_over(
    made: am.Report, own: am.Bars, engine: am.Engine
) -> None:
    assert (made.session, made.direction.today.last_update) == ("closed", "2018-12-31T21:00:00Z")
    during = am.analyze(own, engine=engine, now=IN_SESSION)
    assert (during.session, during.direction.today.last_update) == (
        "partial",
        "2018-12-31T20:30:00Z",
    )


def test_apart_from_what_a_market_decides_the_report_is_that_of_an_unknown_market(
    own: am.Bars, engine: am.Engine
) -> None:
    one, other = (
        am.analyze(bars, engine=engine, now=AFTER_CLOSE, horizon_days=13).to_dict()
        for bars in (own, replace(own, market="other"))
    )
    for of_its_own in ("market_title", "calendar"):
        one["provenance"].pop(of_its_own)
    for report in (one, other):
        report["provenance"].pop("market")
        report.pop("session")
        report.pop("publication")
        report["direction"]["today"].pop("last_update")
        for horizon in report["direction"]["horizons"].values():
            horizon.pop("target", None)
    assert one == other


def test_bars_of_the_market_that_was_modelled_demonstrate_no_other_market(
    own: am.Bars, engine: am.Engine
) -> None:
    assert engine.manifest.market == NIFTY.name
    named = am.Bars(**{**fields_of(own), "market": replace(sp500(), name=NIFTY.name)})
    assert am.analyze(named, engine=engine, now=AFTER_CLOSE).provenance.demonstration == "in-sample"


def test_five_minute_bars_go_with_a_market_of_the_same_hours(
    own: am.Bars, engine: am.Engine
) -> None:
    starts = [f"2018-12-31T09:{15 + 5 * place}:00+05:30" for place in range(9)]
    prices = [2500.0 + place for place in range(9)]
    five_minutes = am.IntradayBars.from_arrays(starts, prices, prices, prices, prices)
    with pytest.raises(ContractError, match="another market"):
        am.analyze(own, engine=engine, now=AFTER_CLOSE, intraday=five_minutes)
    nse = replace(NIFTY, name="banknifty", title="NIFTY Bank", expiries=None)
    assert YahooSource("^NSEBANK", "^INDIAVIX", market=nse).intraday
    assert not YahooSource("^GSPC", "^VIX").intraday
    with pytest.raises(ValueError, match="NIFTY"):
        YahooSource("^GSPC", "^VIX", market=sp500(), intraday=True)


def test_what_closes_in_the_night_is_of_another_market(own: am.Bars) -> None:
    # The US market has no night in which it closes itself.
    for bars, us in ((own, own), (own, replace(own, market="other"))):
        with pytest.raises(ContractError, match="closes before the US one"):
            last_night(bars, us, AFTER_CLOSE)
    sessions = NIFTY.known_calendar().sessions("2013-01-01", own.dates[-2])[1 - len(own) :]
    nifty = replace(own[:-1], dates=sessions, market="nifty")
    night = last_night(nifty, own, datetime(2019, 1, 1, tzinfo=timezone.utc))
    assert str(night.us_dates[0]) == "2018-12-28"


class Held:
    """A source of bars that are at hand."""

    description = "held"

    def __init__(self, bars: am.Bars) -> None:
        self.bars = bars

    def fetch(self) -> Fetched:
        return Fetched(self.bars, None, AFTER_CLOSE)


def test_the_job_checks_and_logs_it_by_its_own_calendar(
    own: am.Bars, engine: am.Engine, tmp_path: Path
) -> None:
    log = Journal(tmp_path / "log")
    settings = Settings(tmp_path, html=False)
    now = datetime(2019, 1, 2, 15, tzinfo=timezone.utc)
    for bars in (own[:-20], own[:-10], own):
        moment = own.market.closes_at(bars.dates[-1]).replace(minute=30)
        publish(Held(bars), settings, engine=engine, now=moment, journal=log)
    assert {run.market for run in log.runs()} == {"sp500"}
    found = monitor(log, own, manifest=engine.manifest, now=now)
    assert (found.market, found.runs, found.days) == ("sp500", 3, 3)
    assert monitor(log, replace(own, market="other"), now=now).runs == 0
    with pytest.raises(BarsBehindError) as caught:
        publish(Held(own[:-1]), settings, engine=engine, now=AFTER_CLOSE)
    assert (caught.value.last, caught.value.completed) == ("2018-12-28", "2018-12-31")


def test_the_job_runs_in_its_hours(own: am.Bars) -> None:

    half_hour = timedelta(minutes=30)
    steps = [datetime(2018, 12, 31, 13, tzinfo=timezone.utc)]
    for _ in range(15):
        steps.append(next_run(steps[-1], half_hour, own.market))
    assert [f"{one:%d %H:%M}" for one in steps[1:3]] == ["31 15:00", "31 15:30"]
    assert [f"{one:%d %H:%M}" for one in steps[-4:]] == [
        "31 20:30",
        "31 21:15",
        "02 15:00",
        "02 15:30",
    ]
    check_open(IN_SESSION, own.market)
    with pytest.raises(MarketClosedError, match=r"\d:\d\dZ; its next session is on 2019-01-02"):
        check_open(AFTER_CLOSE, own.market)
    with pytest.raises(MarketError):
        next_run(IN_SESSION, half_hour, OTHER)


def test_the_command_takes_a_market_file(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("aegismatrix.desk.job.publish.utc_now", lambda: AFTER_CLOSE)
    path = tmp_path / "sp500.json"
    path.write_text(json.dumps(sp500().to_dict()), encoding="utf-8")
    sample = repository / "src/aegismatrix/desk/sources/sample_data"
    pair = ["--index", str(sample / "sp500_daily.csv"), "--iv", str(sample / "vix_daily.csv")]
    out = ["--out", str(tmp_path)]
    assert main(["report", *pair, "--market", str(path), *out, "--no-html"]) == 0
    assert "to 2019-01-18" in capsys.readouterr().out
    written: dict[str, Any] = json.loads((tmp_path / "aegismatrix.json").read_text())
    assert written["provenance"]["market"] == "sp500"
    assert main(["history", *pair, "--market", str(path), "--out", str(tmp_path / "h.csv")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("2018-12-31  S&P 500, close 2506.85") for line in lines)
    assert lines[-1] == "demonstration: other market, in-sample"


@pytest.mark.parametrize(
    ("market", "said"),
    [
        ("sp500", "there is no market 'sp500'"),
        ("no.json", "no.json describes no market"),
        ("", "there is no market ''"),
    ],
)
def test_the_command_says_which_market_it_does_not_know(
    market: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["report", "--index", "a.csv", "--iv", "b.csv", "--market", market])
    assert caught.value.code == 2
    assert said in capsys.readouterr().err.lower()
