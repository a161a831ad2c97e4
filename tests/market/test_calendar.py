"""The exchange's calendar: sessions, expiries, and where knowledge ends."""

from __future__ import annotations

import copy
import csv
import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone
from pathlib import Path
from typing import Any, get_args
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegismatrix.errors import (
    AegisError,
    CalendarDayError,
    CalendarError,
    CalendarRangeError,
    NaiveMomentError,
)
from aegismatrix.market.arrays import LONGEST_DAYS, ONE_DAY
from aegismatrix.market.bars import Bars
from aegismatrix.market.calendars.nse import NSE
from aegismatrix.market.market import NIFTY, ExpiryKind

IST = NIFTY.clock
assert IST is not None
assert NIFTY.expiries is not None
assert NIFTY.expiries.weekly_since is not None
WEEKLY_SINCE = NIFTY.expiries.weekly_since
is_session, session_kind, sessions = NSE.is_session, NSE.session_kind, NSE.sessions
next_session, trading_days_between = NSE.next_session, NSE.trading_days_between
session_at, expiries = NIFTY.session_at, NIFTY.expiry_days
next_expiry, trading_days_to_expiry = NIFTY.next_expiry, NIFTY.trading_days_to_expiry

FIRST, LAST = NSE.first, NSE.last
DAY = timedelta(days=1)
TABLE = "src/aegismatrix/market/calendars/nse_calendar.csv"
LAST_SESSION = date.fromisoformat(str(sessions(FIRST, LAST)[-1]))
LAST_EXPIRY = {
    kind: date.fromisoformat(str(expiries(FIRST, LAST, kind)[-1])) for kind in get_args(ExpiryKind)
}

# NIFTY's bars of 2010-07-19 to 2024-12-31 lack these sessions, while India VIX has a print on each:
# gaps of the feed, not holidays.
MISSING_BARS = set(
    """2011-05-31 2011-07-14 2011-11-24 2011-12-26 2012-01-02 2012-05-21 2012-08-28 2012-10-26
    2013-01-01 2014-01-01 2014-02-17 2015-01-01 2015-04-15 2016-01-01 2016-08-12 2018-01-01
    2019-01-01 2019-02-13 2019-03-29""".split()
)
# Muhurat that the feed has a bar of; of the others, and of weekends, it has none.
SPECIAL_BARS = {"2017-10-19", "2018-11-07", "2021-11-04", "2022-10-24", "2024-11-01"}

days = st.dates(FIRST, LAST)
days_with_weekly_contracts = st.dates(WEEKLY_SINCE, LAST_EXPIRY["weekly"] - DAY)


def at(day: str, clock: str) -> datetime:
    """A moment on the exchange's clock."""
    return datetime.combine(date.fromisoformat(day), time.fromisoformat(clock), IST)


def as_dates(array: Any) -> list[date]:
    return [date.fromisoformat(str(day)) for day in array]


@pytest.mark.parametrize(
    ("expiry", "nominal", "kinds"),
    [
        ("2025-08-28", "2025-08-28", ("weekly", "monthly")),
        ("2025-09-02", "2025-09-02", ("weekly",)),
        ("2025-10-20", "2025-10-21", ("weekly",)),
        ("2026-03-02", "2026-03-03", ("weekly",)),
        ("2026-11-23", "2026-11-24", ("weekly", "monthly")),
    ],
    ids=["last Thursday", "first Tuesday", "Diwali", "Holi", "Guru Nanak Jayanti"],
)
def test_nifty_expires_on_its_weekday_or_on_the_session_before(
    expiry: str, nominal: str, kinds: tuple[str, ...]
) -> None:
    assert is_session(nominal) == (nominal == expiry)
    assert date.fromisoformat(nominal).weekday() == (3 if nominal < "2025-09-01" else 1)
    for kind in get_args(ExpiryKind):
        found = [str(day) for day in expiries(expiry, nominal, kind)]
        assert found == ([expiry] if kind in kinds else []), kind


@pytest.mark.parametrize(
    ("expiry", "reason"),
    [
        ("2011-10-25", "Diwali on Wednesday, Balipratipada on Thursday: two days back"),
        ("2014-04-23", "elections in Mumbai"),
        ("2014-12-24", "Christmas"),
        ("2023-06-28", "Bakri Id, moved to the Thursday by a circular of that week"),
        ("2024-11-28", "the last Thursday"),
        ("2025-09-30", "the first monthly Tuesday"),
        ("2026-03-30", "Mahavir Jayanti"),
    ],
)
def test_monthly_contracts_expire_on_the_month_s_last_weekday(expiry: str, reason: str) -> None:
    month = np.datetime64(expiry, "M")
    next_month = month + np.timedelta64(1, "M")
    last = next_month.astype("M8[D]") - ONE_DAY
    found = expiries(str(month.astype("M8[D]")), str(last), "monthly")
    assert [str(day) for day in found] == [expiry], reason


def test_the_next_expiry_is_after_the_day_s_close() -> None:
    assert next_expiry("2026-11-20") == date(2026, 11, 23)
    assert next_expiry("2026-11-23") == date(2026, 12, 1)
    assert next_expiry("2026-11-23", "monthly") == date(2026, 12, 29)
    assert trading_days_to_expiry("2026-11-20") == 1
    # The 24th is Guru Nanak Jayanti.
    assert trading_days_to_expiry("2026-11-23") == 5
    # From a special session on a Saturday or Sunday, just as from the Friday before.
    assert trading_days_to_expiry("2026-02-01") == trading_days_to_expiry("2026-01-30") == 2


def test_between_the_last_thursday_and_the_first_tuesday_are_three_sessions() -> None:
    assert trading_days_to_expiry("2025-08-28") == 3
    assert next_expiry("2025-08-28", "monthly") == date(2025, 9, 30)


def test_weekly_contracts_begin_in_february_2019() -> None:
    assert next_expiry("2019-02-11") == date(2019, 2, 14)
    assert [str(day) for day in expiries("2019-01-01", "2019-02-22")] == [
        "2019-02-14",
        "2019-02-21",
    ]
    with pytest.raises(CalendarRangeError, match="kind='monthly'") as caught:
        next_expiry("2019-02-08")
    assert (caught.value.day, caught.value.first) == ("2019-02-08", "2019-02-11")
    assert next_expiry("2019-02-08", "monthly") == date(2019, 2, 28)


def test_an_unknown_kind_of_expiry_is_refused() -> None:
    with pytest.raises(CalendarError, match="quarterly"):
        next_expiry("2026-11-20", "quarterly")  # type: ignore[arg-type]


def test_every_week_has_one_weekly_expiry() -> None:
    known = as_dates(expiries(WEEKLY_SINCE, LAST))
    weeks = [day.isocalendar()[:2] for day in known]
    monday, expected = WEEKLY_SINCE, []
    while monday <= LAST_EXPIRY["weekly"]:
        expected.append(monday.isocalendar()[:2])
        monday += 7 * DAY
    assert weeks == expected


def test_every_month_has_one_monthly_expiry_which_is_a_weekly_one_too() -> None:
    monthly = expiries(FIRST, LAST, "monthly")
    months = np.unique(np.arange(str(FIRST), str(LAST), dtype="M8[D]").astype("M8[M]"))
    assert (monthly.astype("M8[M]") == months).all()
    since = monthly[monthly >= np.datetime64(WEEKLY_SINCE)]
    assert np.isin(since, expiries(WEEKLY_SINCE, LAST)).all()


def test_a_weekly_expiry_that_rolls_into_the_month_before_is_not_its_monthly_one() -> None:
    # 1 May is Maharashtra Day.
    assert [str(day) for day in expiries("2025-04-20", "2025-05-02")] == [
        "2025-04-24",
        "2025-04-30",
    ]
    assert next_expiry("2025-04-20", "monthly") == date(2025, 4, 24)
    assert next_expiry("2025-04-24", "monthly") == date(2025, 5, 29)


@pytest.mark.parametrize("kind", ["weekly", "monthly"])
def test_expiries_are_sessions_and_rise(kind: ExpiryKind) -> None:
    known = expiries(FIRST, LAST, kind)
    assert (np.diff(known) > np.timedelta64(0, "D")).all()
    assert all(map(is_session, known))


@pytest.mark.parametrize(("kind", "shortest", "longest"), [("weekly", 1, 5), ("monthly", 1, 25)])
def test_every_horizon_to_expiry_is_within_the_breach_surface(
    kind: ExpiryKind, shortest: int, longest: int
) -> None:
    first = WEEKLY_SINCE if kind == "weekly" else FIRST
    horizons = [
        trading_days_to_expiry(day, kind) for day in sessions(first, LAST_EXPIRY[kind] - DAY)
    ]
    assert (min(horizons), max(horizons)) == (shortest, longest)
    assert longest <= LONGEST_DAYS


@given(days_with_weekly_contracts)
def test_the_next_weekly_expiry_is_at_most_eight_days_away(day: date) -> None:
    expiry = next_expiry(day)
    assert day < expiry <= day + 8 * DAY
    assert is_session(expiry)
    assert expiry <= next_expiry(day, "monthly")


@given(st.lists(days, min_size=3, max_size=3))
def test_trading_days_add_up(three: list[date]) -> None:
    first, middle, last = sorted(three)
    whole = trading_days_between(first, last)
    assert whole == trading_days_between(first, middle) + trading_days_between(middle, last)
    assert whole == len(sessions(first, last)) - is_session(first)


@given(st.dates(FIRST, LAST_SESSION - DAY))
def test_the_next_session_is_one_trading_day_away(day: date) -> None:
    later = next_session(day)
    assert is_session(later)
    assert later > day
    assert trading_days_between(day, later) == 1
    assert next_session(later - DAY) == later


@pytest.mark.parametrize(
    ("day", "kind"),
    [
        ("2026-11-20", "regular"),
        ("2026-11-22", "closed"),
        ("2026-11-24", "closed"),
        ("2026-01-15", "closed"),
        ("2024-05-20", "closed"),
        ("2024-11-20", "closed"),
        ("2024-01-22", "closed"),
        ("2013-11-14", "regular"),
        ("2013-11-15", "closed"),
        ("2010-11-05", "special"),
        ("2011-10-26", "special"),
        ("2012-11-13", "special"),
        ("2024-03-02", "special"),
        ("2025-10-21", "special"),
        ("2026-02-01", "special"),
        ("2026-11-08", "special"),
    ],
)
def test_days_are_regular_special_or_closed(day: str, kind: str) -> None:
    assert session_kind(day) == kind
    assert is_session(day) == (kind == "regular")
    assert session_kind(day, traded=True) == ("regular" if kind == "regular" else "special")


@given(days, st.sampled_from(["D", "s", "ns"]))
def test_a_day_is_the_same_however_it_is_written(day: date, unit: str) -> None:
    kinds = {session_kind(day), session_kind(day.isoformat())}
    kinds.add(session_kind(np.datetime64(day).astype(f"datetime64[{unit}]")))
    assert len(kinds) == 1


@pytest.mark.parametrize(
    "given_instead",
    [
        datetime(2026, 11, 20, tzinfo=timezone.utc),
        datetime(2026, 11, 20),
        pd.Timestamp("2026-11-20"),
        np.datetime64("2026-11-20T10:00"),
        np.datetime64("NaT", "D"),
        "20 November 2026",
        "2026-11-20T10:00",
        "2026-02-30",
        20261120,
        None,
    ],
    ids=repr,
)
def test_what_is_not_a_day_is_refused(given_instead: Any) -> None:
    with pytest.raises(CalendarDayError) as caught:
        is_session(given_instead)
    assert caught.value.given == repr(given_instead)


def test_days_in_the_wrong_order_are_refused() -> None:
    for ask in (sessions, expiries, trading_days_between):
        with pytest.raises(CalendarError, match="2026-11-20 is before 2026-11-23"):
            ask("2026-11-23", "2026-11-20")


@pytest.mark.parametrize("day", [FIRST - DAY, LAST + DAY, date(1999, 1, 1), date(2031, 6, 5)])
def test_beyond_the_table_nothing_is_guessed(day: date) -> None:
    questions: list[Callable[[], object]] = [
        lambda: is_session(day),
        lambda: session_kind(day, traded=True),
        lambda: next_session(day),
        lambda: sessions(min(day, FIRST), max(day, FIRST)),
        lambda: expiries(min(day, FIRST), max(day, FIRST)),
        lambda: trading_days_between(min(day, FIRST), max(day, FIRST)),
        lambda: next_expiry(day, "monthly"),
        lambda: trading_days_to_expiry(day, "monthly"),
        lambda: session_at(datetime.combine(day, time(12), IST)),
    ]
    for ask in questions:
        remedy = "begins earlier" if day < FIRST else "Update the package"
        with pytest.raises(CalendarRangeError, match=rf"{remedy}.*horizon") as caught:
            ask()
        error = caught.value
        assert isinstance(error, AegisError)
        assert (error.day, error.first, error.last) == (str(day), str(FIRST), str(LAST))
        assert str(copy.deepcopy(error)) == str(error)


def test_the_table_s_last_days_know_what_they_know() -> None:
    assert (date(2010, 1, 1), date(2026, 12, 31)) == (FIRST, LAST)
    assert next_session("2026-12-30") == LAST == LAST_SESSION
    assert trading_days_between("2026-12-28", LAST) == 3
    assert next_expiry("2026-12-28") == date(2026, 12, 29)
    for ask in (next_expiry, trading_days_to_expiry):
        for kind in ("weekly", "monthly"):
            with pytest.raises(CalendarRangeError, match="2026-12-29 asks for more"):
                ask("2026-12-29", kind)
    with pytest.raises(CalendarRangeError):
        next_session(LAST)
    assert session_at(at("2026-12-31", "23:59")).completed == LAST
    with pytest.raises(CalendarRangeError):
        session_at(at("2027-01-01", "00:00"))
    # 2026-12-31 in London is 2027 in India.
    with pytest.raises(CalendarRangeError):
        session_at(datetime(2026, 12, 31, 18, 30, tzinfo=timezone.utc))


def test_the_first_session_has_none_before_it() -> None:
    assert next_session(FIRST) == date(2010, 1, 4)
    with pytest.raises(CalendarRangeError):
        session_at(at("2010-01-04", "15:29"))
    assert session_at(at("2010-01-04", "15:30")).completed == date(2010, 1, 4)


@pytest.mark.parametrize(
    ("day", "clock", "session", "completed", "is_open"),
    [
        ("2026-11-20", "00:00", "2026-11-19", "2026-11-19", False),
        ("2026-11-20", "09:14:59", "2026-11-19", "2026-11-19", False),
        ("2026-11-20", "09:15", "2026-11-20", "2026-11-19", True),
        ("2026-11-20", "15:29:59", "2026-11-20", "2026-11-19", True),
        ("2026-11-20", "15:30", "2026-11-20", "2026-11-20", False),
        ("2026-11-22", "12:00", "2026-11-20", "2026-11-20", False),
        ("2026-11-23", "10:00", "2026-11-23", "2026-11-20", True),
        ("2026-11-24", "10:00", "2026-11-23", "2026-11-23", False),
        ("2025-10-23", "09:20", "2025-10-23", "2025-10-20", True),
    ],
)
def test_a_moment_belongs_to_the_latest_session_that_has_opened(
    day: str, clock: str, session: str, completed: str, is_open: bool
) -> None:
    moment = at(day, clock)
    zones = [IST, timezone.utc, ZoneInfo("America/New_York"), ZoneInfo("Pacific/Auckland")]
    for zone in zones:
        found = session_at(moment.astimezone(zone))
        assert (str(found.session), str(found.completed)) == (session, completed), zone
        assert found.is_open is is_open
        assert not found.special


def test_on_the_day_of_a_special_session_the_clock_says_so() -> None:
    clock = session_at(at("2025-10-21", "14:00"))
    assert clock.special
    assert not clock.is_open
    assert clock.session == clock.completed == date(2025, 10, 20)


@given(st.datetimes(datetime(2010, 1, 5), datetime.combine(LAST, time(23)), timezones=st.just(IST)))
def test_the_clock_and_the_days_agree(moment: datetime) -> None:
    clock = session_at(moment)
    assert trading_days_between(clock.completed, clock.session) == clock.is_open
    assert clock.session == moment.date() or not clock.is_open
    assert trading_days_between(clock.session, moment.date()) <= 1
    assert clock.special == (session_kind(moment.date()) == "special")


def test_a_moment_without_its_offset_is_refused() -> None:
    with pytest.raises(NaiveMomentError, match="aware") as caught:
        session_at(datetime(2026, 11, 20, 10))
    assert caught.value.moment == "2026-11-20T10:00:00"


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/New_York"])
def test_the_machine_s_time_zone_plays_no_part(zone: str) -> None:
    program = """
from datetime import datetime, timezone
from aegismatrix.market.market import NIFTY
next_expiry, session_at = NIFTY.next_expiry, NIFTY.session_at
trading_days_to_expiry = NIFTY.trading_days_to_expiry
for hour in (3, 4, 9, 10, 19):
    aware = datetime(2026, 11, 20, hour, tzinfo=timezone.utc)
    print(session_at(aware) == session_at(aware.astimezone()), session_at(aware))
print(next_expiry("2026-11-20"), trading_days_to_expiry("2026-11-20", "monthly"))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "TZ": zone},
        capture_output=True,
        text=True,
        check=True,
    )
    *clocks, expiry = done.stdout.splitlines()
    assert all(line.startswith("True") for line in clocks)
    friday, thursday = date(2026, 11, 20), date(2026, 11, 19)
    for line, (session, completed) in zip(
        clocks,
        [(thursday, thursday), *2 * [(friday, thursday)], *2 * [(friday, friday)]],
        strict=True,
    ):
        assert f"session={session!r}, completed={completed!r}" in line
    assert expiry == "2026-11-23 1"


def test_the_real_bars_and_the_table_agree(nifty: Bars) -> None:
    bars = {str(day) for day in nifty.dates}
    known = {str(day) for day in sessions(nifty.dates[0], nifty.dates[-1])}
    assert known - bars == MISSING_BARS
    assert bars - known == SPECIAL_BARS
    assert {session_kind(day, traded=True) for day in SPECIAL_BARS} == {"special"}
    assert {session_kind(day) for day in SPECIAL_BARS} == {"special"}


def test_the_volatility_index_was_printed_on_every_session_and_on_special_ones_alone(
    nifty: Bars, market_sources: Any
) -> None:
    with market_sources[0].iv.open(encoding="utf-8") as file:
        prints = {row["date"] for row in csv.DictReader(file)}
    known = {str(day) for day in sessions(nifty.dates[0], nifty.dates[-1])}
    assert known <= prints
    assert {session_kind(day) for day in prints - known} == {"special"}


def test_the_table_is_the_one_that_the_script_makes(repository: Path) -> None:
    pytest.importorskip("exchange_calendars")
    script = importlib.import_module("scripts.nse_calendar")
    made = script.table()
    kept = (repository / TABLE).read_text(encoding="utf-8")
    if f" {script.version('exchange_calendars')} (XBOM)" in kept:
        assert kept == made, "run: python scripts/nse_calendar.py"
    # A newer release knows more days, and should say of these what its elder said.
    rows = made.splitlines()[3:]
    assert kept.splitlines()[3:] == [row for row in rows if row[:10] <= str(LAST)]


@pytest.mark.filterwarnings("ignore:Series.values returning")
def test_on_weekdays_sessions_are_those_of_exchange_calendars_but_for_the_corrections() -> None:
    exchange_calendars = pytest.importorskip("exchange_calendars")
    script = importlib.import_module("scripts.nse_calendar")
    theirs = {
        str(session.date())
        for session in exchange_calendars.get_calendar("XBOM", start=str(FIRST)).sessions
        if session.date() <= LAST and session.date().weekday() < 5
    }
    ours = {str(day) for day in sessions(FIRST, LAST)}
    assert ours - theirs == {"2013-11-14"}
    assert theirs - ours == {"2013-11-15", "2010-11-05", "2011-10-26", "2012-11-13"}
    assert ours - theirs <= set(script.CORRECTIONS)
    assert theirs - ours <= {*script.CORRECTIONS, *script.SPECIAL_SESSIONS}


def test_a_year_of_which_single_days_are_known_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("exchange_calendars")
    xbom = importlib.import_module("exchange_calendars.exchange_calendar_xbom").XBOMExchangeCalendar
    script = importlib.import_module("scripts.nse_calendar")
    early = pd.DatetimeIndex([f"{LAST.year}-12-25", f"{LAST.year + 1}-01-26"])
    known = xbom.precomputed_holidays()
    monkeypatch.setattr(xbom, "precomputed_holidays", lambda: known.append(early))
    assert max(script.closures()) == date(LAST.year, 12, 25)


def test_the_package_needs_no_calendar_but_its_own() -> None:
    program = (
        "import sys; sys.modules['exchange_calendars'] = sys.modules['pandas'] = None;"
        "from aegismatrix.market.market import NIFTY; print(NIFTY.next_expiry('2026-11-20'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "2026-11-23"


def test_the_document_says_until_when(repository: Path) -> None:
    text = (repository / "docs" / "calendar.md").read_text(encoding="utf-8")
    assert f"**from {FIRST} to {LAST}**" in text
