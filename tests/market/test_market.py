"""Market: a value that knows name, clock, hours, calendar, expiries and strikes."""

from __future__ import annotations

import copy
import json
import multiprocessing
import subprocess
import sys
import zoneinfo
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import date, datetime, time, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegismatrix.errors import CalendarError, NaiveMomentError
from aegismatrix.market.bars import Bars
from aegismatrix.market.calendars.calendar import Calendar
from aegismatrix.market.calendars.nse import NSE
from aegismatrix.market.calendars.us import us_sessions
from aegismatrix.market.errors import (
    CalendarDayError,
    CalendarRangeError,
    MarketError,
    MarketFileError,
)
from aegismatrix.market.intraday import BARS_PER_SESSION, CLOSE_MINUTE, MARKET, OPEN_MINUTE
from aegismatrix.market.market import (
    FRIDAY,
    MARKETS,
    NIFTY,
    OTHER,
    ExpiryRule,
    Market,
    market_named,
)

DAY = timedelta(days=1)
HOURS = {"time_zone": "America/New_York", "opens": time(9, 30), "closes": time(16, 0)}
ZONES = ("UTC", "Asia/Kolkata", "America/New_York", "Pacific/Auckland")


def us_calendar() -> Calendar:
    first, last = np.datetime64("2014-01-01"), np.datetime64("2019-12-31")
    days = np.arange(first, last + np.timedelta64(1, "D"))
    closed = days[np.is_busday(days) & ~np.isin(days, us_sessions(first, last))]
    return Calendar("The NYSE's calendar", str(first), str(last), closed.tolist())  # type: ignore[arg-type]


def sp500(**changes: Any) -> Market:
    given: dict[str, Any] = {
        "name": "sp500",
        "title": "S&P 500",
        **HOURS,
        "calendar": us_calendar(),
        "expiries": ExpiryRule(((date(2000, 1, 1), FRIDAY),), week_of_month=3),
        "strike_step_points": 5.0,
    }
    return Market(**{**given, **changes})


calendars = st.builds(
    lambda first, length, places, special: Calendar(
        "A calendar",
        first,
        first + length * DAY,
        frozenset(first + place % length * DAY for place in places),
        frozenset(first + place % length * DAY for place in special),
    ),
    st.dates(date(1990, 1, 1), date(2040, 1, 1)),
    st.integers(120, 1_500),
    st.lists(st.integers(0, 1_500), max_size=40),
    st.lists(st.integers(0, 1_500), max_size=5),
)
rules = st.builds(
    lambda since, weekly, week: ExpiryRule(tuple(sorted(since.items())), weekly, week),
    st.dictionaries(
        st.one_of(st.just(date.min), st.dates(date(1990, 1, 1), date(2044, 1, 1))),
        st.integers(0, 6),
        min_size=1,
        max_size=3,
    ),
    st.none() | st.dates(date(1990, 1, 1), date(2044, 1, 1)),
    st.sampled_from((-1, 1, 2, 3, 4)),
)
hours = st.tuples(st.times(), st.times()).map(sorted).filter(lambda pair: pair[0] < pair[1])


@st.composite
def markets(draw: Any) -> Market:
    given: dict[str, Any] = {"name": draw(st.sampled_from(("sp500", "dax", "n-225_x")))}
    given["title"] = draw(st.sampled_from(("", "S&P 500", "日経225")))
    given["strike_step_points"] = draw(st.none() | st.floats(0.01, 1e4))
    if draw(st.booleans()):
        given["time_zone"] = draw(st.sampled_from(("+05:30", "UTC", "-03:00", *ZONES)))
        given["opens"], given["closes"] = draw(hours)
        if draw(st.booleans()):
            given["calendar"] = draw(st.just("nse") | calendars)
            given["expiries"] = draw(st.none() | rules)
    return Market(**given)


@given(markets(), markets())
@settings(deadline=None)
def test_a_market_is_a_value(one: Market, other: Market) -> None:
    for again in (
        copy.copy(one),
        copy.deepcopy(one),
        replace(one),
        Market.from_dict(json.loads(json.dumps(one.to_dict(), allow_nan=False))),
    ):
        assert again == one
        assert hash(again) == hash(one)
    assert (one == other) == (one.to_dict() == other.to_dict())
    assert one != one.name


@given(calendars)
def test_a_calendar_is_a_value(calendar: Calendar) -> None:
    again = copy.deepcopy(calendar)
    assert again == calendar
    assert hash(again) == hash(calendar)
    span = (calendar.first, calendar.last)
    np.testing.assert_array_equal(again.sessions(*span), calendar.sessions(*span))
    assert all(calendar.is_session(day) for day in calendar.sessions(*span))
    assert {calendar.session_kind(day) for day in calendar.special} <= {"special"}


def test_every_field_counts(nse_read: Market) -> None:
    whole = sp500()
    changes: dict[str, Any] = {
        "name": "spx",
        "title": "SPX",
        "time_zone": "America/Chicago",
        "opens": time(9),
        "closes": time(16, 15),
        "calendar": replace(us_calendar(), last=date(2018, 12, 31), closed=frozenset()),
        "expiries": None,
        "strike_step_points": None,
    }
    assert {name: replace(whole, **{name: value}) == whole for name, value in changes.items()} == (
        dict.fromkeys(changes, False)
    )
    assert nse_read == NIFTY
    assert len({whole, sp500(), NIFTY, nse_read, OTHER}) == 3


@pytest.fixture
def nse_read() -> Market:
    """NIFTY with the calendar that its name stands for."""
    return replace(NIFTY, calendar=NSE)


def test_the_package_s_calendar_is_read_when_it_is_asked_for() -> None:
    program = """
import copy, sys
from aegismatrix.market.market import NIFTY, OTHER
copied = copy.deepcopy(NIFTY)
assert copied == NIFTY and hash(copied) == hash(NIFTY) and NIFTY != OTHER
repr(NIFTY), NIFTY.session_state("2026-11-20", NIFTY.closes_at("2026-11-20")), NIFTY.to_dict
read = "aegismatrix.market.calendars.nse"
assert read not in sys.modules
assert NIFTY.calendar is copied.calendar is not None
assert read in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def weekday_in_force(rule: ExpiryRule, day: date) -> int | None:
    since = [weekday for first, weekday in rule.weekday_since if first <= day]
    return since[-1] if since else None


@given(calendars, rules)
@settings(deadline=None)
def test_expiries_are_their_weekday_or_the_session_before_it(
    calendar: Calendar, rule: ExpiryRule
) -> None:
    market = sp500(calendar=calendar, expiries=rule)
    known = calendar.sessions(calendar.first, calendar.last)
    for kind in rule.kinds:
        days = market.expiry_days(calendar.first, calendar.last, kind)
        assert np.isin(days, known).all()
        assert (np.diff(days) > np.timedelta64(0, "D")).all()
        for expiry in days.tolist():
            nominal = expiry
            while weekday_in_force(rule, nominal) != nominal.weekday():
                nominal += DAY
                assert not calendar.is_session(nominal)
            assert kind == "monthly" or nominal >= (rule.weekly_since or date.max)


@given(st.data())
@settings(deadline=None)
def test_a_monthly_expiry_is_found_in_whole_months_alone(data: st.DataObject) -> None:
    week = data.draw(st.sampled_from((-1, 1, 2, 3, 4)))
    weekday = data.draw(st.integers(0, 4))
    first = data.draw(st.dates(date(2015, 1, 1), date(2016, 12, 31)))
    last = first + data.draw(st.integers(60, 500)) * DAY
    cut = Calendar("Cut", first, last)
    whole = Calendar("Whole", "2010-01-01", "2030-12-31")  # type: ignore[arg-type]
    rule = ExpiryRule(((date.min, weekday),), week_of_month=week)
    found, expected = (
        sp500(calendar=one, expiries=rule).expiry_days(first, last, "monthly")
        for one in (cut, whole)
    )
    # A month of which a part is known has the expiry that the whole month has, or none.
    assert found.tolist() == expected.tolist()


def test_the_third_friday_of_each_month_is_that_of_the_us_contracts() -> None:
    market = sp500()
    days = [str(day) for day in market.expiry_days("2014-01-01", "2014-12-31", "monthly")]
    # Good Friday of 2014 is the third Friday of April.
    assert days[:5] == ["2014-01-17", "2014-02-21", "2014-03-21", "2014-04-17", "2014-05-16"]
    assert market.next_expiry("2018-12-31", "monthly") == date(2019, 1, 18)
    assert market.trading_days_to_expiry("2018-12-31", "monthly") == 13
    with pytest.raises(MarketError, match="No weekly expiries of S&P 500"):
        market.next_expiry("2018-12-31")


@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2040, 1, 1), timezones=st.just(timezone.utc)),
    st.sampled_from([NIFTY, sp500(), sp500(time_zone="+09:00"), sp500(time_zone="UTC")]),
)
def test_a_moment_has_one_trading_day_in_whatever_zone_it_is_written(
    moment: datetime, market: Market
) -> None:
    found = {
        market.trading_day(moment.astimezone(zoneinfo.ZoneInfo(zone)))
        for zone in ("UTC", "Asia/Kolkata", "America/New_York")
    }
    assert found == {moment.astimezone(market.clock).date()}
    stamps = [moment.astimezone(zoneinfo.ZoneInfo(zone)).isoformat() for zone in ZONES]
    read = Bars.from_arrays(
        stamps[:1], [1.1], [1.0], [1.05], [15.0], market=market, today="2999-01-01"
    )
    for stamp in stamps:
        again = Bars.from_arrays(
            [stamp], [1.1], [1.0], [1.05], [15.0], market=market, today="2999-01-01"
        )
        assert again.dates.tolist() == read.dates.tolist() == [*found]


def test_a_market_without_a_clock_takes_the_day_that_is_written() -> None:
    for text in ("2024-12-30T20:00:00+00:00", "2024-12-30T20:00:00-05:00"):
        assert OTHER.trading_day(datetime.fromisoformat(text)) == date(2024, 12, 30)
    with pytest.raises(NaiveMomentError):
        OTHER.trading_day(datetime(2024, 12, 30))
    with pytest.raises(NaiveMomentError):
        NIFTY.trading_day(datetime(2024, 12, 30))


@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2040, 1, 1), timezones=st.just(timezone.utc)),
    st.integers(-3, 3),
    st.sampled_from([NIFTY, OTHER, sp500(), sp500(time_zone="+09:00")]),
)
def test_a_session_is_closed_from_its_close_on(
    moment: datetime, after: int, market: Market
) -> None:
    day = moment.date() + after * DAY
    over = market.closes_at(day)
    if market.closes is None:
        over += timedelta(seconds=1)
    assert market.session_state(day, moment) == ("closed" if moment >= over else "partial")
    assert market.opens_at(day) < market.closes_at(day)
    assert market.trading_day(market.opens_at(day)) == day or market.clock is None


def test_summer_time_moves_the_close() -> None:
    assert sp500().closes_at("2018-12-31") == datetime(2018, 12, 31, 21, tzinfo=timezone.utc)
    assert sp500().closes_at("2018-07-02") == datetime(2018, 7, 2, 20, tzinfo=timezone.utc)
    clock = sp500().session_at(datetime(2018, 7, 2, 19, 59, tzinfo=timezone.utc))
    assert (clock.session, clock.is_open) == (date(2018, 7, 2), True)


def test_five_minute_bars_lie_in_the_session_of_their_market() -> None:
    assert MARKET.opens is not None
    assert MARKET.closes is not None
    assert (60 * MARKET.opens.hour + MARKET.opens.minute, BARS_PER_SESSION) == (OPEN_MINUTE, 75)
    assert 60 * MARKET.closes.hour + MARKET.closes.minute == CLOSE_MINUTE
    assert MARKET.clock == timezone(timedelta(hours=5, minutes=30))


def test_a_market_without_a_calendar_says_so() -> None:
    moment = datetime(2024, 12, 31, tzinfo=timezone.utc)
    asked: list[Callable[[], object]] = [
        lambda: OTHER.session_at(moment),
        lambda: OTHER.next_expiry("2024-12-31", "monthly"),
        lambda: OTHER.expiry_days("2024-01-01", "2024-12-31"),
        lambda: OTHER.trading_days_to_expiry("2024-12-31"),
    ]
    for ask in asked:
        with pytest.raises(MarketError, match="sessions of Another market are not known"):
            ask()
    with pytest.raises(MarketError, match="No monthly expiries"):
        sp500(expiries=None).next_expiry("2018-12-31", "monthly")
    with pytest.raises(CalendarError, match="yearly"):
        NIFTY.next_expiry("2018-12-31", "yearly")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": ""}, "name"),
        ({"name": "S&P 500"}, "name"),
        ({"name": "../nifty"}, "name"),
        ({"name": "x" * 31}, "name"),
        ({"name": None}, "name"),
        ({"title": "two\nlines"}, "title"),
        ({"title": 500}, "title"),
        ({"time_zone": "+25:00"}, "offset"),
        ({"time_zone": "Mars/Olympus"}, "time zone"),
        ({"time_zone": "../../etc/passwd"}, "time zone"),
        ({"opens": None}, "both"),
        ({"opens": None, "closes": None}, "calendar"),
        ({"time_zone": None}, "time_zone"),
        ({"opens": time(16)}, "opens before"),
        ({"opens": "09:30"}, "time of day"),
        ({"closes": time(16, tzinfo=timezone.utc)}, "time of day"),
        ({"calendar": "nyse"}, "no calendar"),
        ({"calendar": 5}, "no calendar"),
        ({"calendar": None}, "expiries"),
        ({"expiries": "third Friday"}, "ExpiryRule"),
        ({"strike_step_points": 0.0}, "above 0"),
        ({"strike_step_points": float("nan")}, "above 0"),
        ({"strike_step_points": True}, "above 0"),
    ],
    ids=repr,
)
def test_fields_that_do_not_make_a_market_are_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(MarketError, match=said) as caught:
        sp500(**fields)
    assert str(copy.deepcopy(caught.value)) == str(caught.value)


@pytest.mark.parametrize(
    "rule",
    [
        {"weekday_since": ()},
        {"weekday_since": ((date.min, 7),)},
        {"weekday_since": ((date(2020, 1, 1), 1), (date(2019, 1, 1), 3))},
        {"weekday_since": ((date.min, 1), (date.min, 3))},
        {"weekday_since": ((date.min, 1),), "week_of_month": 0},
        {"weekday_since": ((date.min, 1),), "week_of_month": 5},
    ],
    ids=repr,
)
def test_what_is_no_rule_of_expiries_is_refused(rule: dict[str, Any]) -> None:
    with pytest.raises(MarketError):
        ExpiryRule(**rule)


def test_a_machine_without_time_zones_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise zoneinfo.ZoneInfoNotFoundError(name)

    monkeypatch.setattr(zoneinfo, "ZoneInfo", missing)
    with pytest.raises(MarketError, match=r"Asia/Tokyo.*tzdata.*fixed offset"):
        sp500(time_zone="Asia/Tokyo")
    assert replace(NIFTY, title="NIFTY 50") == NIFTY
    assert sp500(time_zone="+09:00").closes_at("2018-07-02").hour == 7


def test_a_calendar_that_contradicts_itself_is_refused() -> None:
    whole: dict[str, Any] = {"name": "x", "first": "2024-01-01", "last": "2024-12-31"}
    for changes, error in (
        ({"last": "2023-12-31"}, CalendarError),
        ({"first": "2024"}, CalendarDayError),
        ({"closed": ["2025-01-01"]}, CalendarError),
        ({"special": [datetime(2024, 1, 1)]}, CalendarDayError),
        ({"first": "2024-01-06", "last": "2024-01-07"}, CalendarError),
    ):
        with pytest.raises(error):
            Calendar(**{**whole, **changes})
    with pytest.raises(CalendarRangeError, match="mine, 2024-01-01"):
        Calendar(**{**whole, "name": "mine"}).is_session("2025-01-01")


def test_names_mean_markets() -> None:
    assert {market_named(name) for name in MARKETS} == {NIFTY, OTHER}
    assert market_named(NIFTY) is NIFTY
    for stranger in ("NIFTY", "sp500", "", None, 5):
        with pytest.raises(MarketError, match="nifty"):
            market_named(stranger)  # type: ignore[arg-type]


def test_bars_of_a_market_of_ones_own_keep_it(sample: Bars) -> None:
    mine = sp500()
    bars = Bars(**{**fields_of(sample), "market": mine})
    for again in (bars[-300:], copy.deepcopy(bars)):
        assert again.market == mine
    assert "of 'sp500' from" in repr(bars)
    named = replace(bars, market="other")
    assert named.market is OTHER
    assert bars.digest() == named.digest()


def next_expiry_of(bars: Bars) -> tuple[Bars, int, date]:
    """What a worker makes of bars that were sent to it, and the bars back."""
    return bars, hash(bars.market), bars.market.next_expiry(bars.dates[-1], "monthly")


def test_bars_of_a_market_of_ones_own_go_to_other_processes_and_come_back(sample: Bars) -> None:
    mine = sp500()
    bars = Bars(**{**fields_of(sample), "market": mine})
    # Spawned, since forking a process that runs threads is deprecated and would warn.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        back, _, expiry = pool.submit(next_expiry_of, bars).result()
        sessions = NIFTY.known_calendar().sessions("2013-01-01", "2018-12-31")[-len(bars) :]
        as_nifty = replace(bars, dates=sessions, market="nifty")
        niftys = pool.submit(next_expiry_of, as_nifty).result()
    assert (back.market, hash(back.market), expiry) == (mine, hash(mine), date(2019, 1, 18))
    assert (niftys[0].market, niftys[2]) == (NIFTY, date(2019, 1, 31))


def fields_of(bars: Bars) -> dict[str, Any]:
    names = ("dates", "high", "low", "close", "iv", "open", "source", "iv_fills")
    return {name: getattr(bars, name) for name in names}


def test_a_market_file_is_read_with_the_table_beside_it(tmp_path: Path) -> None:
    described = {**sp500().to_dict(), "calendar": "holidays.csv"}
    (tmp_path / "sp500.json").write_text(json.dumps(described), encoding="utf-8")
    closed = sorted(us_calendar().closed)
    rows = "".join(f"{day},closed\n" for day in closed)
    (tmp_path / "holidays.csv").write_text(f"# made here\ndate,kind\n{rows}", encoding="utf-8")
    read = market_named(str(tmp_path / "sp500.json"))
    assert (
        read
        == replace(sp500(), calendar=replace(us_calendar(), name="holidays.csv"))
        == Market.from_file(tmp_path / "sp500.json")
    )
    assert market_named("nifty") is NIFTY
    with pytest.raises(MarketError, match=r"no market 'sp500'.*\.json"):
        market_named("sp500")


def test_the_file_of_the_documents_describes_a_market(repository: Path, tmp_path: Path) -> None:
    text = (repository / "docs" / "markets.md").read_text(encoding="utf-8")
    (shown,) = (part.split("```")[0] for part in text.split("```json\n")[1:])
    path = tmp_path / "market.json"
    path.write_text(shown, encoding="utf-8")
    (tmp_path / "nyse.csv").write_text("date,kind\n2026-01-01,closed\n", encoding="utf-8")
    read = Market.from_file(path)
    assert set(read.to_dict()) == set(json.loads(shown))
    assert read.next_expiry("2026-11-20", "monthly") == date(2026, 12, 18)


FILES: dict[str, str] = {
    "empty": "",
    "not JSON": "name = 'sp500'",
    "a list": "[]",
    "deep": "[" * 100_000,
    "twice": '{"name": "sp500", "name": "dax"}',
    "no number": '{"name": "sp500", "strike_step_points": NaN}',
    "no name": '{"title": "S&P 500"}',
    "unknown key": '{"name": "sp500", "holidays": []}',
    "a name of two words": '{"name": "S&P 500"}',
    "a number for a name": '{"name": 500}',
    "no time": '{"name": "sp500", "time_zone": "UTC", "opens": "9am", "closes": "16:00"}',
    "no calendar": '{"name": "sp500", "calendar": "no.csv"}',
    "another's calendar": '{"name": "sp500", "calendar": "nyse"}',
    "no days": '{"name": "sp500", "calendar": {"name": "x", "first": 1, "last": 2}}',
    "too little of a calendar": '{"name": "sp500", "calendar": {"name": "x"}}',
    "half of the hours": '{"name": "sp500", "time_zone": "UTC", "opens": "09:30"}',
    "an unknown zone": '{"name": "sp500", "time_zone": "New York"}',
    "expiries in words": '{"name": "sp500", "expiries": "third Friday"}',
    "no weekday": '{"name": "sp500", "expiries": {"week_of_month": 3}}',
    "an unknown weekday": '{"name": "sp500", "expiries": {"weekday_since": {"2000-01-01": "fri"}}}',
    "a list of weekdays": '{"name": "sp500", "expiries": {"weekday_since": ["friday"]}}',
    "an unknown key of expiries": '{"name": "sp500", "expiries": {"weekday": "friday"}}',
    "expiries without a calendar": (
        '{"name": "sp500", "expiries": {"weekday_since": {"2000-01-01": "friday"}}}'
    ),
    "a truth value": '{"name": "sp500", "strike_step_points": true}',
    "large": '{"name": "sp500"' + " " * (1 << 20) + "}",
}


@pytest.mark.parametrize("text", FILES.values(), ids=FILES)
def test_a_file_that_describes_no_market_is_refused_by_name(text: str, tmp_path: Path) -> None:
    path = tmp_path / "market.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(MarketFileError, match=r"docs/markets\.md") as caught:
        Market.from_file(path)
    assert caught.value.path in (str(path), str(tmp_path / "no.csv"))
    assert len(str(caught.value)) < 2_000


@pytest.mark.parametrize(
    "text",
    [
        "",
        "day,kind\n2024-01-01,closed\n",
        "date,kind\n",
        "date,kind\n2024-01-01,holiday\n",
        "date,kind\n2024-01-32,closed\n",
        "date,kind\n20240101,closed\n",
        "date,kind\n2024-01-01\n",
        "date,kind\n2024-01-01,closed\n2024-01-01,special\n",
        "date,kind\n2024-11-01,special\n",
        "date,kind\n2024-01-01,closed\n2025-01-01,special\n",
    ],
    ids=repr,
)
def test_a_table_of_days_that_says_something_else_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "days.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(MarketFileError):
        Calendar.from_csv(path)


@pytest.mark.parametrize("name", ["no.json", "folder", "bytes.json"])
def test_a_file_that_cannot_be_read_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "bytes.json").write_bytes(b'{"name": "\xff"}')
    for read in (Market.from_file, Calendar.from_csv):
        with pytest.raises(MarketFileError):
            read(tmp_path / name)
