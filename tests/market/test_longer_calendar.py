"""A calendar that is replaced, extended, closed for a day, and provisional beyond its end."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest

import aegismatrix as am
from aegismatrix.desk.cli.main import main
from aegismatrix.desk.job.publish import Settings, check_open, publish
from aegismatrix.desk.job.schedule import next_run
from aegismatrix.desk.sessions import CALENDAR_WARNING_DAYS, calendar_notes
from aegismatrix.desk.sources.fetched import Fetched
from aegismatrix.errors import CalendarError, CalendarRangeError
from aegismatrix.market.bars import Bars
from aegismatrix.market.calendars.calendar import Calendar
from aegismatrix.market.calendars.nse import FIXED_HOLIDAYS, NSE
from aegismatrix.market.errors import MarketError, MarketFileError
from aegismatrix.market.market import NIFTY, Market
from scripts.nse_calendar import main as make_table

CASES = Path(__file__).parents[1] / "fixtures" / "cases"
NEW_YEAR = date(2027, 1, 1)
TABLE_2027 = """\
# NSE 2027, as an example.
date,kind
2027-01-26,closed
2027-03-22,closed
2027-03-26,closed
2027-04-14,closed
2027-10-29,special
2027-12-24,closed
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "nse_2027.csv"
    path.write_text(TABLE_2027)
    return path


@pytest.fixture(scope="module")
def bars() -> Bars:
    return Bars.from_csv(CASES / "base_n.csv", iv=CASES / "base_v.csv")


@pytest.fixture(scope="module")
def engine() -> am.Engine:
    return am.Engine()


def ended_on(bars: Bars, last: str, calendar: Calendar | None = None) -> Bars:
    """The same prices on the sessions up to a later day."""
    known = (calendar or NSE).provisional(last)
    days = known.sessions("2015-01-01", last)[-len(bars) :]
    market = bars.market if calendar is None else replace(bars.market, calendar=calendar)
    cut = len(bars) - len(days)
    columns = {name: getattr(bars, name)[cut:] for name in ("high", "low", "close", "iv")}
    return replace(bars, dates=days, open=None, market=market, **columns)


def at(day: object, hours: float = 11) -> datetime:
    return datetime.fromisoformat(str(day)).replace(tzinfo=timezone.utc) + timedelta(hours=hours)


def test_the_fixed_holidays_are_those_of_every_year_of_the_table() -> None:
    for year in range(NSE.first.year, NSE.last.year + 1):
        for holiday in FIXED_HOLIDAYS:
            assert not NSE.is_session(f"{year}-{holiday}"), (year, holiday)


def test_a_provisional_calendar_is_weekdays_less_the_fixed_holidays() -> None:
    longer = NSE.provisional("2027-12-31")
    assert (longer.last, longer.declared_to, longer.provisional_from) == (
        date(2027, 12, 31),
        NSE.last,
        NEW_YEAR,
    )
    expected = [
        day
        for day in (NEW_YEAR + timedelta(days=n) for n in range(365))
        if day.weekday() < 5 and day.strftime("%m-%d") not in FIXED_HOLIDAYS
    ]
    assert longer.sessions(NEW_YEAR, longer.last).tolist() == expected
    before = longer.sessions(NSE.first, NSE.last)
    assert np.array_equal(before, NSE.sessions(NSE.first, NSE.last))
    assert longer.is_provisional("2027-01-01")
    assert not longer.is_provisional("2026-12-31")
    assert NSE.is_provisional("2027-01-01")
    assert "provisional from 2027-01-01" in repr(longer)
    again = longer.provisional("2028-02-29")
    assert (again.provisional_from, again.last) == (NEW_YEAR, date(2028, 2, 29))
    assert NSE.provisional("2026-12-31") is NSE
    for same in (copy.copy(longer), copy.deepcopy(longer)):
        assert same == longer
        assert same.declared_to == NSE.last


def test_a_calendar_of_ones_own_without_fixed_holidays_goes_on_with_weekdays() -> None:
    own = Calendar("Mine", date(2026, 1, 1), date(2026, 12, 31))
    ahead = own.provisional("2027-01-31").sessions("2027-01-01", "2027-01-31").tolist()
    assert date(2027, 1, 26) in ahead
    assert len(ahead) == 21


def test_a_market_reaches_beyond_its_calendar_for_a_year_at_most() -> None:
    assert NIFTY.reaching("2026-08-07") is NIFTY
    assert NIFTY.next_expiry("2026-12-28") == date(2026, 12, 29)
    longer = NIFTY.reaching("2026-12-30")
    assert longer.next_expiry("2026-12-30") == date(2027, 1, 5)
    assert longer.next_expiry("2026-12-30", "monthly") == date(2027, 1, 25)
    assert longer.name == "nifty"
    assert NIFTY.reaching("2027-12-30").next_expiry("2027-12-30") == date(2028, 1, 4)
    beyond = NIFTY.reaching("2028-01-10")
    assert beyond is NIFTY
    with pytest.raises(CalendarRangeError):
        beyond.next_expiry("2028-01-10")
    assert am.Market("plain").reaching("2030-01-01") == am.Market("plain")


def test_a_newer_table_takes_the_place_of_its_own_years(table: Path) -> None:
    newer = Calendar.from_csv(table)
    joined = NSE.followed_by(newer)
    assert (joined.first, joined.last, joined.name) == (NSE.first, newer.last, "nse_2027.csv")
    assert np.array_equal(joined.sessions(NSE.first, NSE.last), NSE.sessions(NSE.first, NSE.last))
    assert not joined.is_session("2027-03-22")
    assert joined.session_kind("2027-10-29") == "special"
    # Not a fixed holiday by guess where the exchange has declared the year.
    assert joined.is_session("2027-10-01")
    assert joined.fixed_holidays == FIXED_HOLIDAYS
    assert joined.provisional_from is None
    over_provisional = NSE.provisional("2027-06-30").followed_by(newer)
    assert over_provisional == joined
    election = frozenset({date(2026, 1, 15)})
    corrected = Calendar("2026 again", date(2026, 1, 1), date(2026, 12, 31), election)
    again = joined.followed_by(corrected)
    assert again.is_session("2026-01-26")
    assert not again.is_session("2027-03-22")


@pytest.mark.parametrize(("first", "last"), [(2028, 2028), (2001, 2008)])
def test_years_that_nobody_knows_between_two_tables_are_refused(first: int, last: int) -> None:
    far = Calendar("far", date(first, 1, 1), date(last, 12, 31))
    with pytest.raises(CalendarError, match="nobody knows the days between"):
        NSE.followed_by(far)


def test_single_closures_are_added_beyond_the_table_too() -> None:
    election = NSE.with_closed(["2026-09-02"])
    assert NSE.is_session("2026-09-02")
    assert not election.is_session("2026-09-02")
    assert election.last == NSE.last
    assert NIFTY.trading_days_to_expiry("2026-09-01") == 5
    assert replace(NIFTY, calendar=election).trading_days_to_expiry("2026-09-01") == 4
    ahead = NSE.with_closed(["2027-03-04"])
    assert not ahead.is_session("2027-03-04")
    assert ahead.is_session("2027-03-03")
    assert ahead.declared_to == NSE.last
    assert "closures added (1)" in ahead.name
    moved = NSE.with_closed(["2026-11-08", "2026-11-09"])
    assert moved.session_kind("2026-11-08") == "closed"
    assert NSE.with_closed([]) is NSE
    with pytest.raises(CalendarRangeError):
        NSE.with_closed(["2009-12-31"])


@pytest.mark.parametrize("holiday", ["13-01", "1-26", "26 January", "02-30", ""])
def test_a_fixed_holiday_is_a_day_of_a_year(holiday: str) -> None:
    with pytest.raises(CalendarError, match="no day of a year"):
        replace(NSE, fixed_holidays=frozenset({holiday}))


def test_a_provisional_calendar_goes_through_a_market_file() -> None:
    market = NIFTY.reaching("2026-12-30")
    again = Market.from_dict(market.to_dict())
    assert again == market
    assert again.known_calendar().declared_to == NSE.last


@pytest.mark.parametrize(
    ("last", "said"),
    [
        ("2026-11-13", []),
        ("2026-11-16", ["ends on 2026-12-31"]),
        ("2026-12-22", ["ends on 2026-12-31"]),
        ("2026-12-29", ["ends on 2026-12-31", "Sessions after 2026-12-31 are provisional"]),
        ("2027-01-04", ["ended on 2026-12-31", "Sessions after 2026-12-31 are provisional"]),
    ],
)
def test_a_report_says_that_the_calendar_ends_and_what_is_provisional(
    bars: Bars, engine: am.Engine, last: str, said: list[str]
) -> None:
    assert CALENDAR_WARNING_DAYS == 45
    given = ended_on(bars, last)
    made = am.analyze(given, engine=engine, now=at(last))
    made.validate()
    notes = made.provenance.source_notes
    notes = tuple(note for note in notes if "were not compared with it" not in note)
    assert len(notes) == len(said)
    for note, words in zip(notes, said, strict=True):
        assert words in note
    assert made.to_dict()["provenance"]["calendar"] == {
        "name": "NSE's calendar",
        "declared_to": "2026-12-31",
    }
    assert made.seller.safe_range.expiry is not None
    assert 1 <= made.seller.safe_range.horizon_days <= 5
    declared = [one.target for one in made.direction.horizons.values() if one.target]
    assert all(target <= "2026-12-31" for target in declared)
    assert all(day <= "2026-12-31" for day in made.record.sessions_ahead)


@pytest.mark.parametrize(("own", "said"), [(False, "or update the package."), (True, "FILE).")])
def test_only_the_packages_own_calendar_gets_longer_with_the_package(
    bars: Bars, own: bool, said: str
) -> None:
    given = ended_on(bars, "2026-11-16")
    if own:
        given = replace(given, market=replace(NIFTY, calendar=replace(NSE, name="Mine")))
    (note,) = calendar_notes(given)
    assert note.endswith(said)


def test_with_a_newer_table_nothing_is_provisional(
    bars: Bars, engine: am.Engine, table: Path
) -> None:
    calendar = NSE.followed_by(Calendar.from_csv(table))
    made = am.analyze(ended_on(bars, "2027-01-04", calendar), engine=engine, now=at("2027-01-04"))
    assert made.provenance.source_notes == ()
    assert made.seller.safe_range.expiry == "2027-01-05"
    assert made.direction.horizons["t20"].target == "2027-02-02"
    assert made.to_dict()["provenance"]["calendar"]["declared_to"] == "2027-12-31"


def test_the_job_goes_on_beyond_the_calendar(bars: Bars, engine: am.Engine, tmp_path: Path) -> None:
    given = ended_on(bars, "2027-01-08")

    class Source:
        description = "made"

        def fetch(self) -> Fetched:
            return Fetched(given, None, at("2027-01-08"))

    settings = Settings(folder=tmp_path, html=False)
    made = publish(Source(), settings, engine=engine, now=at("2027-01-08"))
    assert "Sessions after 2026-12-31 are provisional" in made.report.provenance.source_notes[-1]
    # One session that nobody declared may have been a holiday; two are bars that stand still.
    later = publish(Source(), settings, engine=engine, now=at("2027-01-11"))
    assert any("was a holiday, or its bar is missing" in n for n in later.to_dict()["notes"])
    with pytest.raises(am.errors.AegisError, match="sessions have closed since: 2"):
        publish(Source(), settings, engine=engine, now=at("2027-01-12"))
    step = next_run(at("2026-12-31", 12), timedelta(minutes=30))
    assert step == datetime(2027, 1, 1, 4, 15, tzinfo=timezone.utc)
    check_open(datetime(2027, 1, 4, 5, tzinfo=timezone.utc))


def report_with(*words: str, out: Path) -> int:
    files = ["--index", str(CASES / "base_n.csv"), "--iv", str(CASES / "base_v.csv")]
    return main(["report", *files, "--no-html", "--out", str(out), *words])


def test_the_command_takes_tables_and_closures(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parser_errors = [
        (["--sample", "--calendar", str(table)], "goes without options of other bars"),
        (["--sample", "--closed", "2027-03-04"], "goes without options of other bars"),
    ]
    for words, said in parser_errors:
        with pytest.raises(SystemExit):
            main(["report", *words, "--out", str(tmp_path)])
        assert said in capsys.readouterr().err
    table.write_text("date,kind\n2027-13-01,closed\n")
    assert report_with("--calendar", str(table), out=tmp_path) == 2
    said = capsys.readouterr().err
    assert "line 2" in said
    assert "nse_2027.csv" in said
    assert report_with("--calendar", str(tmp_path / "none.csv"), out=tmp_path) == 2
    table.write_text("date,kind\n2029-01-26,closed\n")
    assert report_with("--calendar", str(table), out=tmp_path) == 2
    assert "nobody knows the days between" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        report_with("--market", "other", "--closed", "2027-03-04", out=tmp_path)


def test_a_market_without_hours_takes_no_calendar(table: Path, tmp_path: Path) -> None:
    with pytest.raises(MarketError, match="lacks opens and closes"):
        replace(am.Market("plain"), calendar=Calendar.from_csv(table))
    assert report_with("--market", "other", "--calendar", str(table), out=tmp_path) == 2


def test_a_table_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    for text in ("", "day,kind\n", "date,kind\n", "date,kind\n2027-01-26,open\n"):
        path.write_text(text)
        with pytest.raises(MarketFileError):
            Calendar.from_csv(path)


HOLIDAYS_2027 = """\
# From a circular, as an example.
1, 26-Jan-2027, Tuesday, Republic Day
2, 22-Mar-2027, Monday, Holi
3, 26-Mar-2027, Friday, Good Friday
4, 14-Apr-2027, Wednesday, Ambedkar Jayanti
5, 01-May-2027, Saturday, Maharashtra Day
2027-05-17
17 June 2027, Thursday, Muharram
8, 06-Sep-2027, Monday, Ganesh Chaturthi
9, 29-Oct-2027, Friday, Diwali (Muhurat trading)
10, 01-Nov-2027, Monday, Diwali Balipratipada
11, 15-Nov-2027, Monday, Guru Nanak Jayanti
12, 25-Dec-2027, Saturday, Christmas
"""


def test_a_stranger_makes_the_table_of_a_new_year_from_the_circular(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    holidays, out = tmp_path / "holidays.txt", tmp_path / "table.csv"
    holidays.write_text(HOLIDAYS_2027)
    assert make_table(["--holidays", str(holidays), "--out", str(out)]) == 0
    assert "2010-01-01 to 2027-12-31" in capsys.readouterr().out
    made = Calendar.from_csv(out)
    days = (NSE.first, NSE.last)
    assert np.array_equal(made.sessions(*days), NSE.sessions(*days))
    closed = {day for day in made.closed if day.year == 2027}
    assert closed == {
        *(date(2027, 1, 26), date(2027, 3, 22), date(2027, 3, 26), date(2027, 4, 14)),
        *(date(2027, 5, 17), date(2027, 6, 17), date(2027, 9, 6), date(2027, 11, 1)),
        date(2027, 11, 15),
    }
    assert made.session_kind("2027-10-29") == "special"
    assert NSE.followed_by(made).last == date(2027, 12, 31)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("22-Mar-2027, Monday", "22-Mar-2027, Tuesday", "line 3: 2027-03-22 is a Monday"),
        ("22-Mar-2027, Monday", "Holi, Monday", "line 3 names no day"),
        ("22-Mar-2027, Monday", "32-Mar-2027", "line 3: '32-Mar-2027' is no day"),
        ("22-Mar-2027, Monday", "22-Mar-2028", "2028-03-22 is not of 2027"),
        ("22-Mar-2027, Monday", "26-Jan-2027", "line 3 repeats 2027-01-26"),
        ("2, 22-Mar-2027, Monday, Holi\n", "", "8 weekdays are closed"),
        ("26-Jan-2027, Tuesday", "27-Jan-2027", "2027-01-26 is closed in every year"),
        (" (Muhurat trading)", "", "no line is of Muhurat"),
    ],
)
def test_a_list_that_no_exchange_declared_makes_no_table(
    old: str, new: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert old in HOLIDAYS_2027
    holidays, out = tmp_path / "holidays.txt", tmp_path / "table.csv"
    holidays.write_text(HOLIDAYS_2027.replace(old, new))
    assert make_table(["--holidays", str(holidays), "--out", str(out)]) == 2
    assert said in capsys.readouterr().err
    assert not out.exists()
