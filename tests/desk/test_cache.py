"""The cache: whole or as before, checked on reading, and asked for as little as is safe."""

from __future__ import annotations

import logging
import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest

from aegismatrix.desk.sources import cache as cache_module
from aegismatrix.desk.sources.cache import PriceCache, Stored, cache_folder
from aegismatrix.desk.sources.prices import Interval, Prices
from aegismatrix.desk.sources.refresh import CLOSE_TOLERANCE, REREAD_DAYS, refresh
from aegismatrix.errors import CacheError, TransientSourceError
from aegismatrix.market.arrays import ONE_DAY
from aegismatrix.market.calendars.nse import NSE
from tests import faults, fetch_child
from tests.chart_server import (
    KOLKATA,
    ChartServer,
    Listing,
    chart_server,
    five_minute_rows,
    sample_listings,
)
from tests.raising import raising

NOW = datetime(2024, 3, 15, 12, 0, tzinfo=timezone.utc)
SINCE = date(2024, 1, 1)
KILLS = 10
"""Moments at which what changes a cache can end, at the least."""


def days(first: str, last: str, level: float = 100.0) -> Prices:
    """Weekdays from one to another, both included."""
    every = np.arange(first, np.datetime64(last) + ONE_DAY, dtype="datetime64[D]")
    stamps = every[np.is_busday(every)]
    close = level + stamps.astype(np.int64) % 7
    return Prices("1d", stamps, np.stack([close, close + 1, close - 1, close], axis=1))


def stored(prices: Prices, fetched_at: datetime = NOW) -> Stored:
    return Stored(prices, SINCE, fetched_at)


def same(one: Prices, other: Prices) -> bool:
    return one.stamps.tolist() == other.stamps.tolist() and np.array_equal(
        one.values, other.values, equal_nan=True
    )


@pytest.fixture
def cache(tmp_path: Path) -> PriceCache:
    return PriceCache(tmp_path / "cache", "test", "^NSEI", "1d")


@pytest.fixture
def filled(cache: PriceCache) -> PriceCache:
    assert cache.replace(stored(days("2024-01-01", "2024-03-14")), old=None)
    return cache


def test_what_is_written_is_read_blank_values_included(cache: PriceCache) -> None:
    prices = days("2024-01-01", "2024-01-31")
    prices.values[3, 1:3] = np.nan
    prices.values[5] = [0.1 + 0.2, 1e-300, 1e300, 26_000.0]
    assert cache.read() is None
    assert cache.replace(Stored(prices, SINCE, NOW), old=None)
    held = cache.read()
    assert held is not None
    assert same(held.prices, prices)
    assert (held.since, held.fetched_at, held.prices.interval) == (SINCE, NOW, "1d")


def test_five_minute_bars_keep_their_moments(tmp_path: Path) -> None:
    cache = PriceCache(tmp_path, "test", "^NSEI", "5m")
    stamps = np.array(["2024-03-15T03:45:00", "2024-03-15T03:50:00"], dtype="datetime64[s]")
    prices = Prices("5m", stamps, np.ones((2, 4)))
    cache.replace(stored(prices), old=None)
    held = cache.read()
    assert held is not None
    assert held.prices.stamps.dtype == np.dtype("datetime64[s]")
    assert same(held.prices, prices)


def test_reading_makes_no_file(cache: PriceCache) -> None:
    assert cache.read() is None
    assert not cache.path.parent.exists()


def test_every_symbol_and_interval_has_a_file_of_its_own(tmp_path: Path) -> None:
    intervals: tuple[Interval, ...] = ("1d", "5m")
    names = {
        PriceCache(tmp_path, "test", symbol, interval).path
        for symbol in ("^NSEI", "NSEI", "%5ENSEI", "../NSEI", "A/B", "A.B")
        for interval in intervals
    }
    assert len(names) == 12
    assert {path.parent for path in names} == {tmp_path}


def test_the_folder_is_the_given_one_then_the_environments_then_the_platforms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AEGISMATRIX_CACHE", str(tmp_path / "variable"))
    assert cache_folder(tmp_path / "given") == tmp_path / "given"
    assert cache_folder() == tmp_path / "variable"
    monkeypatch.delenv("AEGISMATRIX_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "platform"))
    assert cache_folder().name == "aegismatrix"


def test_an_empty_file_left_by_a_killed_process_is_an_empty_cache(cache: PriceCache) -> None:
    cache.path.parent.mkdir()
    cache.path.touch()
    assert cache.read() is None
    assert cache.replace(stored(days("2024-01-01", "2024-01-05")), old=None)
    assert cache.read() is not None


def test_no_flipped_bit_passes_for_a_price(filled: PriceCache) -> None:
    filled.replace(fetch_child.contents()[0], old=filled.read())
    whole = filled.path.read_bytes()
    held = filled.read()
    assert held is not None
    draw = random.Random(8)
    noticed = 0
    for _ in range(150):
        place, bit = draw.randrange(len(whole)), draw.randrange(8)
        flipped = bytearray(whole)
        flipped[place] ^= 1 << bit
        filled.path.write_bytes(flipped)
        try:
            again = filled.read()
        except CacheError:
            noticed += 1
            continue
        # Bits that nothing is kept in: free space, counters, unused fields of the header.
        assert again is not None
        assert same(again.prices, held.prices)
        assert (again.since, again.fetched_at) == (held.since, held.fetched_at)
    assert noticed > 100


@pytest.mark.parametrize("length", [1, 50, 511, 600, 4_096, 5_000, 8_192])
def test_a_truncated_file_is_refused(filled: PriceCache, length: int) -> None:
    filled.path.write_bytes(filled.path.read_bytes()[:length])
    with pytest.raises(CacheError):
        filled.read()


def test_a_price_changed_in_place_is_damage(filled: PriceCache) -> None:
    with closing(sqlite3.connect(filled.path)) as file, file:
        file.execute("UPDATE bars SET close = close + 0.01 WHERE stamp = 19737")
    with raising((CacheError, "damaged"), match="rows are not those written"):
        filled.read()


@pytest.mark.parametrize("statement", ["DROP TABLE facts", "DELETE FROM facts", "DROP TABLE bars"])
def test_a_missing_table_or_fact_is_damage(filled: PriceCache, statement: str) -> None:
    with closing(sqlite3.connect(filled.path)) as file, file:
        file.execute(statement)
    with raising((CacheError, "damaged")):
        filled.read()


def test_a_damaged_cache_is_not_written_to(filled: PriceCache) -> None:
    held = filled.read()
    with closing(sqlite3.connect(filled.path)) as file, file:
        file.execute("DELETE FROM bars WHERE stamp = 19737")
    before = filled.path.read_bytes()
    with raising((CacheError, "damaged")):
        filled.replace(stored(days("2024-01-01", "2024-03-15")), old=held)
    assert filled.path.read_bytes() == before


def foreign_text(cache: PriceCache) -> None:
    cache.path.write_text("date,close\n2024-01-01,100\n" * 100)


def foreign_database(cache: PriceCache) -> None:
    with closing(sqlite3.connect(cache.path)) as file, file:
        file.execute("CREATE TABLE bars (day TEXT)")


def other_version(cache: PriceCache) -> None:
    cache.replace(stored(days("2024-01-01", "2024-01-05")), old=None)
    with closing(sqlite3.connect(cache.path)) as file, file:
        file.execute("PRAGMA user_version = 99")


def other_symbol(cache: PriceCache) -> None:
    other = PriceCache(cache.path.parent, "test", "^GSPC", "1d")
    other.replace(stored(days("2024-01-01", "2024-01-05")), old=None)
    other.path.rename(cache.path)


@pytest.mark.parametrize("make", [foreign_text, foreign_database, other_version, other_symbol])
def test_what_is_not_this_cache_is_refused_and_left_alone(
    cache: PriceCache, make: Callable[[PriceCache], None]
) -> None:
    cache.path.parent.mkdir()
    make(cache)
    before = cache.path.read_bytes()
    with raising((CacheError, "unrecognised")) as caught:
        cache.read()
    assert caught.value.reason
    with raising((CacheError, "unrecognised")):
        cache.replace(stored(days("2024-01-01", "2024-01-05")), old=None)
    assert cache.path.read_bytes() == before


def test_a_folder_that_cannot_be_made_or_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    content = stored(days("2024-01-01", "2024-01-05"))
    with raising((CacheError, "unusable"), match="AEGISMATRIX_CACHE"):
        PriceCache(tmp_path / "file" / "cache", "test", "A", "1d").replace(content, old=None)
    blocked = PriceCache(tmp_path, "test", "A", "1d")
    blocked.path.mkdir()
    with raising((CacheError, "unusable")):
        blocked.read()


def test_a_cache_that_another_process_holds_is_waited_for_and_then_named(
    filled: PriceCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_module, "BUSY_SECONDS", 0.05)
    before = filled.path.read_bytes()
    with closing(sqlite3.connect(filled.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with raising((CacheError, "busy")):
            filled.read()
        with raising((CacheError, "busy")):
            filled.replace(stored(days("2024-01-01", "2024-03-15")), old=None)
        other.execute("ROLLBACK")
    assert filled.path.read_bytes() == before


def test_what_another_process_wrote_meanwhile_is_not_written_over(filled: PriceCache) -> None:
    held = filled.read()
    theirs = stored(days("2024-01-01", "2024-03-15"), NOW + timedelta(minutes=1))
    assert filled.replace(theirs, old=held)
    assert not filled.replace(stored(days("2024-01-01", "2024-03-01")), old=held)
    now = filled.read()
    assert now is not None
    assert same(now.prices, theirs.prices)


def test_a_failed_write_leaves_the_old_content(filled: PriceCache) -> None:
    held = filled.read()
    assert held is not None
    twice = held.prices.cut(np.array([True] * len(held.prices)))
    twice.stamps[1] = twice.stamps[0]
    with raising((CacheError, "damaged"), match="UNIQUE"):
        filled.replace(Stored(twice, SINCE, NOW), old=held)
    again = filled.read()
    assert again is not None
    assert same(again.prices, held.prices)


@dataclass
class Provider:
    """What a provider would answer, and what it was asked."""

    prices: Prices
    asked: list[date] = field(default_factory=list)

    def __call__(self, since: date) -> Prices:
        self.asked.append(since)
        return self.prices.since(since)


def test_the_first_refresh_asks_for_everything(cache: PriceCache) -> None:
    provider = Provider(days("2023-01-02", "2024-03-15"))
    got = refresh(cache, provider, since=SINCE, now=NOW)
    assert provider.asked == [SINCE]
    held = cache.read()
    assert held is not None
    assert same(held.prices, got.prices)
    assert same(held.prices, provider.prices.since(SINCE))


def test_a_refresh_asks_from_a_week_before_the_last_complete_day(filled: PriceCache) -> None:
    provider = Provider(days("2023-01-02", "2024-03-19"))
    got = refresh(filled, provider, since=SINCE, now=NOW + timedelta(days=5))
    # Fetched at noon of the 15th: the 14th may have been revised until then, the 13th not.
    assert provider.asked == [date(2024, 3, 14) - timedelta(days=REREAD_DAYS)]
    assert same(got.prices, provider.prices.since(SINCE))
    assert got.since == SINCE


def test_a_last_bar_that_was_under_way_is_revised_without_a_word(
    cache: PriceCache, caplog: pytest.LogCaptureFixture
) -> None:
    under_way = days("2024-01-01", "2024-03-15")
    under_way.values[-1] *= 0.9
    refresh(cache, Provider(under_way), since=SINCE, now=NOW)
    provider = Provider(days("2024-01-01", "2024-03-18"))
    with caplog.at_level(logging.WARNING, "aegismatrix"):
        got = refresh(cache, provider, since=SINCE, now=NOW + timedelta(days=3))
    assert same(got.prices, provider.prices)
    assert len(provider.asked) == 1
    assert caplog.messages == []


@pytest.mark.parametrize(("share", "asks"), [(0.5 * CLOSE_TOLERANCE, 1), (2 * CLOSE_TOLERANCE, 2)])
def test_a_revised_past_beyond_the_tolerance_fetches_everything_and_says_so(
    filled: PriceCache, caplog: pytest.LogCaptureFixture, share: float, asks: int
) -> None:
    provider = Provider(days("2023-01-02", "2024-03-15"))
    provider.prices.values[:] *= 1.0 + share
    with caplog.at_level(logging.WARNING, "aegismatrix"):
        got = refresh(filled, provider, since=SINCE, now=NOW + timedelta(hours=1))
    assert len(provider.asked) == asks
    assert ("fetching everything again" in caplog.text) == (asks == 2)
    if asks == 2:
        assert provider.asked[-1] == SINCE
        assert same(got.prices, provider.prices.since(SINCE))
    held = filled.read()
    assert held is not None
    assert same(held.prices, got.prices)


@pytest.mark.parametrize("gone", ["stored", "served"])
def test_a_complete_day_that_appears_or_vanishes_fetches_everything(
    cache: PriceCache, caplog: pytest.LogCaptureFixture, gone: str
) -> None:
    whole = days("2024-01-01", "2024-03-14")
    lacking = whole.cut(whole.stamps != np.datetime64("2024-03-11"))
    first, second = (lacking, whole) if gone == "stored" else (whole, lacking)
    refresh(cache, Provider(first), since=SINCE, now=NOW)
    provider = Provider(second)
    got = refresh(cache, provider, since=SINCE, now=NOW + timedelta(hours=1))
    assert len(provider.asked) == 2
    assert same(got.prices, second)


def test_an_earlier_first_day_fetches_everything_and_a_later_one_keeps_it(
    filled: PriceCache,
) -> None:
    provider = Provider(days("2023-01-02", "2024-03-15"))
    refresh(filled, provider, since=date(2024, 2, 1), now=NOW + timedelta(hours=1))
    held = filled.read()
    assert held is not None
    assert held.since == SINCE
    refresh(filled, provider, since=date(2023, 6, 1), now=NOW + timedelta(hours=2))
    assert provider.asked[-1] == date(2023, 6, 1)
    held = filled.read()
    assert held is not None
    assert held.since == date(2023, 6, 1)
    assert same(held.prices, provider.prices.since(date(2023, 6, 1)))


def test_a_gap_since_the_last_refresh_is_filled(filled: PriceCache) -> None:
    provider = Provider(days("2024-01-01", "2025-01-31"))
    got = refresh(filled, provider, since=SINCE, now=NOW + timedelta(days=330))
    assert same(got.prices, provider.prices)
    assert len(provider.asked) == 1


def test_five_minute_bars_that_the_provider_no_longer_has_are_let_go(tmp_path: Path) -> None:
    cache = PriceCache(tmp_path, "test", "^NSEI", "5m")
    stamps = np.arange("2024-01-01", "2024-04-01", np.timedelta64(6, "h"), dtype="datetime64[s]")
    values = np.full((len(stamps), 4), 100.0)
    provider = Provider(Prices("5m", stamps, values))
    for first, now in ((date(2024, 1, 1), NOW), (date(2024, 2, 1), NOW + timedelta(days=31))):
        refresh(cache, provider, since=first, now=now)
    held = cache.read()
    assert held is not None
    assert (str(held.prices.stamps[0]), held.since) == ("2024-02-01T00:00:00", date(2024, 2, 1))
    assert provider.asked == [date(2024, 1, 1), date(2024, 3, 7)]


def test_a_failed_fetch_leaves_the_cache_as_it_was(filled: PriceCache) -> None:
    before = filled.path.read_bytes()

    def fail(since: date) -> Prices:
        raise TransientSourceError("test", "server_failed", "HTTP 500")

    with raising((TransientSourceError, "server_failed")):
        refresh(filled, fail, since=SINCE, now=NOW + timedelta(days=1))
    assert filled.path.read_bytes() == before


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")


@pytest.mark.slow
@needs_fork
def test_a_writer_killed_at_any_moment_leaves_one_content_whole(tmp_path: Path) -> None:
    contents = fetch_child.contents()
    cache = fetch_child.written(tmp_path)
    seen: set[int] = set()
    with faults.children("tests.fetch_child", "write", "-", tmp_path) as writers:
        for _ in writers.ended():
            held = cache.read()
            if held is not None:
                place = [same(held.prices, content.prices) for content in contents].index(True)
                assert held.fetched_at == contents[place].fetched_at
                seen.add(place)
    assert writers.moments > KILLS
    assert seen == {0, 1}
    assert cache.replace(contents[0], old=cache.read())


def listings(cut: int) -> dict[str, Listing]:
    """The sample on NSE's latest days, without the last of them, and three sessions."""
    made = sample_listings(KOLKATA, ("^NSEI", "^INDIAVIX"))
    midnights = NSE.sessions(NSE.first, "2025-11-24").astype("datetime64[s]").astype(np.int64)
    for listing in made.values():
        rows = listing.rows["1d"]
        stamped = zip(midnights[-len(rows) :].tolist(), rows, strict=True)
        # As Yahoo does, by the opening: 03:45 in UTC.
        moved = [(midnight + row[0] % 86_400, *row[1:]) for midnight, row in stamped]
        listing.rows["1d"] = moved[: len(rows) - cut]
    sessions = [datetime(2025, 11, day) for day in (24, 25, 26)]
    made["^NSEI"].rows["5m"] = five_minute_rows(sessions)[: 225 - cut]
    return made


def kept(folder: Path) -> list[Prices | None]:
    pairs: list[tuple[str, Interval]] = [("^NSEI", "1d"), ("^INDIAVIX", "1d"), ("^NSEI", "5m")]
    held = [PriceCache(folder, "yahoo", symbol, interval).read() for symbol, interval in pairs]
    return [None if one is None else one.prices for one in held]


@pytest.mark.slow
@needs_fork
def test_a_refresh_killed_at_any_moment_leaves_old_or_new_and_the_next_one_recovers(
    tmp_path: Path,
) -> None:
    old, new = listings(3), listings(0)
    with (
        chart_server(old) as server,
        faults.children("tests.fetch_child", "refresh", server.url, tmp_path) as refreshers,
    ):
        contents = []
        for content in (new, old):
            server.listings = content
            assert refreshers.run() == 0
            contents.append(kept(tmp_path))
        after, before = contents
        server.listings = new
        for moment in refreshers.ended():
            # Once from old to new, once from new to old, and the next run goes to the end.
            was, will = (before, after) if moment % 2 else (after, before)
            for found, *either in zip(kept(tmp_path), was, will, strict=True):
                assert found is not None
                assert any(one is not None and same(found, one) for one in either)
            assert refreshers.run() == 0
            for found, expected in zip(kept(tmp_path), will, strict=True):
                assert found is not None
                assert expected is not None
                assert same(found, expected)
            server.listings = old if moment % 2 else new
    assert refreshers.moments > KILLS


@pytest.mark.slow
@needs_fork
def test_refreshes_of_several_processes_at_once_all_succeed(tmp_path: Path) -> None:
    server: ChartServer
    with chart_server(listings(0)) as server:
        command = [sys.executable, "-m", "tests.fetch_child", "once", server.url, str(tmp_path)]
        together = [
            subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                cwd=Path(__file__).parents[2],
            )
            for _ in range(4)
        ]
        told = [process.communicate(timeout=120) for process in together]
    assert [process.returncode for process in together] == [0] * 4, told
    assert len({out for out, _ in told}) == 1
    assert all(prices is not None for prices in kept(tmp_path))


def test_an_old_cache_keeps_what_it_has_when_only_its_end_is_new(filled: PriceCache) -> None:
    held = filled.read()
    assert held is not None
    tail = days("2024-03-07", "2024-03-20")
    refresh(filled, lambda since: tail.since(since), since=SINCE, now=NOW + timedelta(days=6))
    now = filled.read()
    assert now is not None
    assert len(now.prices) == len(held.prices) + 4
    assert replace(now, prices=held.prices).since == SINCE


SESSIONS = days("2023-01-02", "2024-03-15").stamps
"""The days that a calendar has: here every weekday."""


@dataclass
class Served:
    """Serves what it has from a day on, and remembers what it was asked for."""

    prices: Prices
    asked: list[date] = field(default_factory=list)

    def __call__(self, since: date) -> Prices:
        self.asked.append(since)
        return self.prices.since(since)


def without(prices: Prices, *gone: str) -> Prices:
    return prices.cut(~np.isin(prices.stamps, np.array(gone, dtype="datetime64[D]")))


def blanked(prices: Prices, *gone: str) -> Prices:
    values = prices.values.copy()
    values[np.isin(prices.stamps, np.array(gone, dtype="datetime64[D]"))] = np.nan
    return replace(prices, values=values)


def healing(cache: PriceCache, provider: Served, now: datetime) -> Stored:
    return refresh(cache, provider, since=SINCE, now=now, sessions=SESSIONS)


@pytest.mark.parametrize("spoiled", [without, blanked])
def test_a_session_that_is_missing_or_blank_is_asked_for_again_and_healed(
    cache: PriceCache, spoiled: Callable[..., Prices], caplog: pytest.LogCaptureFixture
) -> None:
    whole = days("2024-01-01", "2024-03-14")
    cache.replace(stored(spoiled(whole, "2024-01-17", "2024-02-06")), old=None)
    provider = Served(whole)
    with caplog.at_level(logging.INFO):
        held = healing(cache, provider, NOW)
    assert provider.asked == [date(2024, 1, 17)]
    assert "asking again for 2 sessions" in caplog.text
    assert "fetching everything" not in caplog.text
    assert same(held.prices, whole)
    # Whole again: as little is asked for as ever.
    assert same(healing(cache, provider, NOW + timedelta(minutes=30)).prices, whole)
    assert len(provider.asked) == 2
    assert provider.asked[1] > date(2024, 3, 1)


def test_a_session_that_the_provider_never_had_is_not_asked_for_at_every_refresh(
    cache: PriceCache,
) -> None:
    holed = without(days("2024-01-01", "2024-03-14"), "2024-01-17")
    cache.replace(stored(holed), old=None)
    provider = Served(holed)
    asked_at = []
    for hour in range(0, 24 * 40, 6):
        now = NOW + timedelta(hours=hour)
        before = len(provider.asked)
        held = healing(cache, provider, now)
        assert same(held.prices, holed)
        (since,) = provider.asked[before:]
        if since == date(2024, 1, 17):
            asked_at.append(hour / 24)
    # At 58 days old every 5.8 days, and less often the older it is.
    assert asked_at[0] == 0.0
    assert 4 <= len(asked_at) <= 7
    waits = np.diff(asked_at)
    assert (waits >= 5.8).all()
    assert waits[-1] >= waits[0]


def test_a_session_that_is_too_old_is_not_asked_for(tmp_path: Path) -> None:
    cache = PriceCache(tmp_path, "test", "^NSEI", "1d")
    whole = days("2023-01-02", "2024-03-14")
    since = date(2023, 1, 2)
    holed = without(whole, "2023-01-18", "2023-02-15")
    cache.replace(Stored(holed, since, NOW), old=None)
    provider = Served(whole)
    refresh(cache, provider, since=since, now=NOW, sessions=SESSIONS)
    # 2023-02-15 is 394 days old, 2023-01-18 is 422.
    assert provider.asked == [date(2023, 2, 15)]
    held = cache.read()
    assert held is not None
    assert np.datetime64("2023-02-15") in held.prices.stamps
    assert np.datetime64("2023-01-18") not in held.prices.stamps
    assert held.asked_again_at == NOW


def test_without_a_calendar_no_session_is_expected(cache: PriceCache) -> None:
    holed = without(days("2024-01-01", "2024-03-14"), "2024-01-17")
    cache.replace(stored(holed), old=None)
    provider = Served(days("2024-01-01", "2024-03-14"))
    refresh(cache, provider, since=SINCE, now=NOW)
    (since,) = provider.asked
    assert since > date(2024, 3, 1)


def test_what_was_healed_is_still_held_against_what_is_known(
    cache: PriceCache, caplog: pytest.LogCaptureFixture
) -> None:
    whole = days("2024-01-01", "2024-03-14")
    cache.replace(stored(without(whole, "2024-01-17")), old=None)
    values = whole.values.copy()
    values[40] *= 1.05
    revised = replace(whole, values=values)
    with caplog.at_level(logging.WARNING):
        held = healing(cache, Served(revised), NOW)
    assert "1 complete bars were revised" in caplog.text
    assert same(held.prices, revised)


def test_a_cache_of_an_older_package_has_asked_for_nothing_again(filled: PriceCache) -> None:
    held = filled.read()
    assert held is not None
    assert held.asked_again_at is None
    filled.replace(replace(held, asked_again_at=NOW), old=held)
    again = filled.read()
    assert again is not None
    assert again.asked_again_at == NOW
