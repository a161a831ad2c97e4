"""What Yahoo may answer, and what becomes of it: yfinance's real path against a local server."""

from __future__ import annotations

import functools
import json
import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from curl_cffi import requests

from aegismatrix.desk.sources.feed import ask_yahoo
from aegismatrix.desk.sources.fetched import BarSource
from aegismatrix.desk.sources.patience import Patience
from aegismatrix.desk.sources.yahoo import YahooSource
from aegismatrix.errors import (
    BarRowsError,
    IvUnavailableError,
    MissingExtraError,
    SourceError,
    TransientSourceError,
)
from aegismatrix.market.bars import Bars
from aegismatrix.market.calendars.nse import NSE
from aegismatrix.market.intraday import IntradayBars
from aegismatrix.market.market import NIFTY, OTHER
from tests.chart_server import (
    BAD_GATEWAY,
    BROKEN_OFF,
    KOLKATA,
    NOT_FOUND,
    RATE_LIMITED,
    SERVER_ERROR,
    SYDNEY,
    WEB_PAGE,
    ChartServer,
    Fault,
    Listing,
    Row,
    chart_server,
    five_minute_rows,
    forget_yfinance,
    led_to,
    sample_listings,
)
from tests.raising import raising

AFTER_SAMPLE = datetime(2019, 1, 2, 1, 0, tzinfo=timezone.utc)
AFTER_NIFTY = datetime(2025, 11, 26, 11, 0, tzinfo=timezone.utc)
SESSIONS = [datetime(2025, 11, day) for day in (24, 25, 26)]
SPX = "^GSPC"


@dataclass
class Waits:
    """A clock that only waiting moves, and the waits."""

    taken: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.taken.append(seconds)

    def clock(self) -> float:
        return sum(self.taken)

    def patience(self, **limits: Any) -> Patience:
        return Patience(sleep=self.sleep, clock=self.clock, **limits)


@pytest.fixture
def yahoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ChartServer]:
    """The sample as ^GSPC and ^VIX, and as ^NSEI and ^INDIAVIX on NSE's latest days."""
    with chart_server({**sample_listings(), **nifty_listings()}) as server:
        forget_yfinance(tmp_path / "yfinance")
        monkeypatch.setattr(requests.Session, "request", led_to(server.url))
        yield server


def nifty_listings() -> dict[str, Listing]:
    listings = sample_listings(KOLKATA, ("^NSEI", "^INDIAVIX"))
    midnights = NSE.sessions(NSE.first, "2025-11-24").astype("datetime64[s]").astype(np.int64)
    for listing in listings.values():
        rows = listing.rows["1d"]
        stamped = zip(midnights[-len(rows) :].tolist(), rows, strict=True)
        # As Yahoo does, by the opening: 03:45 in UTC.
        listing.rows["1d"] = [(midnight + row[0] % 86_400, *row[1:]) for midnight, row in stamped]
    listings["^NSEI"].rows["5m"] = five_minute_rows(SESSIONS)
    return listings


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def spx(tmp_path: Path, waits: Waits) -> YahooSource:
    """The S&P 500 with a cache, the day after the sample ends."""
    return YahooSource(
        SPX,
        "^VIX",
        start=date(2014, 1, 3),
        cache_dir=tmp_path / "cache",
        patience=waits.patience(),
        clock=lambda: AFTER_SAMPLE,
    )


@pytest.fixture
def nifty_source(tmp_path: Path, waits: Waits) -> YahooSource:
    """NIFTY with a cache, an hour after a session's end."""
    return YahooSource(
        start=date(2021, 1, 4),
        cache_dir=tmp_path / "cache",
        patience=waits.patience(),
        clock=lambda: AFTER_NIFTY,
    )


def later(source: YahooSource, **by: float) -> YahooSource:
    moment = source.clock() + timedelta(**by)
    return replace(source, clock=lambda: moment)


def blank(row: Row) -> Row:
    return (row[0], None, None, None, None)


def test_daily_bars_and_their_volatility_index_are_those_served(
    yahoo: ChartServer, spx: YahooSource, sample: Bars
) -> None:
    source: BarSource = spx
    got = source.fetch()
    assert got.bars.dates.tolist() == sample.dates.tolist()
    for name in ("open", "high", "low", "close", "iv"):
        np.testing.assert_array_equal(getattr(got.bars, name), getattr(sample, name))
    assert (got.bars.market, got.intraday, got.stale_for, got.notes) == (OTHER, None, None, ())
    assert got.fetched_at == AFTER_SAMPLE
    assert source.description == got.bars.source == "Yahoo ^GSPC with ^VIX"
    assert got.freshness == "fetched 2019-01-02T01:00:00Z, last bar 2018-12-31"


def test_nifty_is_the_default_and_comes_with_its_five_minute_bars(
    yahoo: ChartServer, nifty_source: YahooSource
) -> None:
    got = nifty_source.fetch()
    assert (nifty_source.index, nifty_source.iv) == ("^NSEI", "^INDIAVIX")
    assert got.bars.market == NIFTY
    assert str(got.bars.dates[-1]) == "2025-11-24"
    assert got.intraday is not None
    assert len(got.intraday) == 225
    assert got.intraday.sessions.astype(str).tolist() == ["2025-11-24", "2025-11-25", "2025-11-26"]
    assert str(got.intraday.starts[0]) == "2025-11-24T03:45:00"
    rows = yahoo.listings["^NSEI"].rows["5m"]
    np.testing.assert_array_equal(got.intraday.close, [row[4] for row in rows])


def test_real_five_minute_bars_come_through_unchanged(
    yahoo: ChartServer, nifty_source: YahooSource, nifty_5min: Path
) -> None:
    real = IntradayBars.from_csv(nifty_5min)
    stamps = real.starts.astype(np.int64).tolist()
    columns = (real.open.tolist(), real.high.tolist(), real.low.tolist(), real.close.tolist())
    yahoo.listings["^NSEI"].rows["5m"] = list(zip(stamps, *columns, strict=True))
    got = nifty_source.fetch().intraday
    assert got is not None
    assert got.starts.tolist() == real.starts.tolist()
    for name in ("open", "high", "low", "close"):
        np.testing.assert_array_equal(getattr(got, name), getattr(real, name))


def test_it_asks_from_the_first_day_on_and_for_five_minutes_within_yahoos_60_days(
    yahoo: ChartServer, nifty_source: YahooSource
) -> None:
    nifty_source.fetch()
    (daily,) = yahoo.asked_for("^NSEI")
    (five,) = yahoo.asked_for("^NSEI", "5m")
    midnight = datetime(2021, 1, 4, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert daily.first == midnight.timestamp()
    age = AFTER_NIFTY - datetime.fromtimestamp(five.first, timezone.utc)
    assert timedelta(days=57) < age < timedelta(days=60)


def test_five_minute_bars_of_another_market_are_refused() -> None:
    with pytest.raises(ValueError, match="NIFTY"):
        YahooSource(SPX, "^VIX", intraday=True)
    assert YahooSource("^nsei").intraday is True
    assert YahooSource(intraday=False).market == NIFTY


BROKEN_JSON = Fault(200, b'{"chart":{"result":[{"meta":')
DOWN = Fault(200, b"Will be right back", "text/plain")
NO_RESULT = Fault(200, b'{"chart":{"result":[],"error":null}}')
OTHER_JSON = Fault(200, b'{"finance":{"result":null,"error":{"code":"x","description":"y"}}}')
LIST_JSON = Fault(200, b'{"chart":{"result":[[]],"error":null}}')
FORBIDDEN = Fault(403, b"<html>no</html>", "text/html")


@pytest.mark.parametrize(
    ("fault", "kind", "tries"),
    [
        pytest.param(RATE_LIMITED, "rate_limited", 5, id="429"),
        pytest.param(SERVER_ERROR, "server_failed", 5, id="500"),
        pytest.param(BAD_GATEWAY, "server_failed", 5, id="502 with a web page"),
        pytest.param(DOWN, "server_failed", 5, id="a notice that it is down"),
        pytest.param(
            BROKEN_OFF,
            "unreachable",
            5,
            id="connection closed within the answer",
        ),
        pytest.param(WEB_PAGE, "not_json", 1, id="a web page"),
        pytest.param(FORBIDDEN, "not_json", 1, id="403 with a web page"),
        pytest.param(BROKEN_JSON, "not_json", 1, id="half of a JSON text"),
        pytest.param(NO_RESULT, "no_data", 1, id="no result"),
        pytest.param(NOT_FOUND, "no_data", 1, id="404 for an unknown symbol"),
        pytest.param(OTHER_JSON, "no_data", 1, id="an answer without a chart"),
        pytest.param(LIST_JSON, "schema_drift", 1, id="a list where an object was"),
    ],
)
def test_every_failure_has_its_type_and_remedy_and_only_what_may_pass_is_tried_again(
    yahoo: ChartServer,
    spx: YahooSource,
    waits: Waits,
    fault: Fault,
    kind: str,
    tries: int,
) -> None:
    # yfinance asks again by itself after any status from 400 on.
    yahoo.faults = [fault] * 10
    with pytest.raises(SourceError) as caught:
        spx.fetch()
    assert caught.value.kind == kind
    assert isinstance(caught.value, TransientSourceError) == (tries > 1)
    assert caught.value.source == "Yahoo ^GSPC 1d"
    assert caught.value.remedy.endswith(".")
    assert len(waits.taken) == tries - 1
    if isinstance(caught.value, TransientSourceError):
        assert caught.value.attempts == tries


@pytest.mark.parametrize("fault", [RATE_LIMITED, SERVER_ERROR, WEB_PAGE])
def test_a_failure_of_the_first_request_for_the_time_zone_has_the_same_type(
    yahoo: ChartServer, spx: YahooSource, fault: Fault
) -> None:
    yahoo.always = fault
    with pytest.raises(SourceError):
        spx.fetch()
    assert not yahoo.asked


def test_a_symbol_that_yahoo_does_not_know_is_named(yahoo: ChartServer, spx: YahooSource) -> None:
    with raising((SourceError, "no_data"), match=r"Yahoo \^NOSUCH 1d"):
        replace(spx, index="^NOSUCH").fetch()


def test_the_status_and_the_beginning_of_a_web_page_are_told(
    yahoo: ChartServer, spx: YahooSource
) -> None:
    yahoo.faults = [WEB_PAGE]
    with raising((SourceError, "not_json")) as caught:
        spx.fetch()
    assert caught.value.reason.startswith("HTTP 200, it begins with '<!DOCTYPE html>")


def test_no_network_is_told_as_such(
    yahoo: ChartServer, spx: YahooSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    monkeypatch.undo()
    monkeypatch.setattr(requests.Session, "request", led_to(f"http://127.0.0.1:{port}"))
    with raising((TransientSourceError, "unreachable")) as caught:
        spx.fetch()
    assert caught.value.attempts == 5
    assert "connect" in caught.value.reason


@pytest.mark.parametrize("lost", ["high", "close", "timestamp", "meta", "indicators"])
def test_an_answer_that_lacks_a_part_is_schema_drift(
    yahoo: ChartServer, spx: YahooSource, waits: Waits, lost: str
) -> None:
    def amend(chart: dict[str, Any]) -> None:
        (result,) = chart["chart"]["result"]
        if len(result.get("timestamp", ())) > 1:
            place = result["indicators"]["quote"][0] if lost in ("high", "close") else result
            del place[lost]

    yahoo.amend = amend
    with raising((SourceError, "schema_drift")) as caught:
        spx.fetch()
    assert caught.value.reason
    assert waits.taken == []


def test_a_table_without_a_column_is_schema_drift(
    yahoo: ChartServer, spx: YahooSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    import yfinance

    history = yfinance.Ticker.history

    def renamed(ticker: Any, **options: Any) -> Any:
        return history(ticker, **options).rename(columns={"Low": "Lowest"})

    monkeypatch.setattr(yfinance.Ticker, "history", renamed)
    with raising((SourceError, "schema_drift"), match="'low' is missing"):
        spx.fetch()


def test_a_table_without_time_zone_is_schema_drift(
    yahoo: ChartServer, spx: YahooSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    import yfinance

    history = yfinance.Ticker.history

    def naive(ticker: Any, **options: Any) -> Any:
        return history(ticker, **options).tz_localize(None)

    monkeypatch.setattr(yfinance.Ticker, "history", naive)
    with raising((SourceError, "schema_drift"), match="zone"):
        spx.fetch()


def test_an_empty_table_is_no_data(
    yahoo: ChartServer, spx: YahooSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    import yfinance

    history = yfinance.Ticker.history
    monkeypatch.setattr(yfinance.Ticker, "history", lambda t, **o: history(t, **o).iloc[:0])
    with raising((SourceError, "no_data"), match="empty"):
        spx.fetch()


def test_yfinances_own_cache_may_fail_and_is_named(
    yahoo: ChartServer, spx: YahooSource, tmp_path: Path
) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "tkr-tz.db").write_bytes(b"no database " * 100)
    forget_yfinance(folder)
    with raising((TransientSourceError, "provider_cache"), match="not a database"):
        spx.fetch()


def test_waits_double_with_jitter_until_a_request_succeeds(
    yahoo: ChartServer, spx: YahooSource, waits: Waits, caplog: pytest.LogCaptureFixture
) -> None:
    yahoo.faults = [SERVER_ERROR, BROKEN_OFF, SERVER_ERROR]
    with caplog.at_level(logging.WARNING, "aegismatrix"):
        got = spx.fetch()
    assert str(got.bars.dates[-1]) == "2018-12-31"
    assert len(waits.taken) == len(caplog.messages) == 3
    for place, wait in enumerate(waits.taken):
        assert 2.0**place <= wait <= 2.0**place + 1.0
    assert got.notes == ()


def test_waits_are_never_longer_than_asked_and_end_with_the_total_time(
    yahoo: ChartServer, spx: YahooSource, waits: Waits
) -> None:
    yahoo.always = SERVER_ERROR
    patience = waits.patience(tries=1_000, total=30.0, longest_wait=4.0)
    with raising((TransientSourceError, "server_failed")) as caught:
        replace(spx, patience=patience).fetch()
    assert max(waits.taken) <= 5.0
    assert 24.0 < sum(waits.taken) < 30.0
    assert caught.value.attempts == len(waits.taken) + 1


def test_the_total_time_covers_all_symbols_together(
    yahoo: ChartServer, spx: YahooSource, waits: Waits
) -> None:
    yahoo.faults = [SERVER_ERROR] * 3 + [None] + [SERVER_ERROR] * 9
    with raising((TransientSourceError, "server_failed")) as caught:
        replace(spx, patience=waits.patience(tries=8, total=12.0, draw=lambda: 0.0)).fetch()
    assert caught.value.source == "Yahoo ^VIX 1d"
    assert waits.taken == [1.0, 2.0, 4.0, 1.0, 2.0]


def test_a_server_that_never_answers_holds_nobody_beyond_the_total_time(
    yahoo: ChartServer, spx: YahooSource
) -> None:
    yahoo.always = Fault(seconds=8.0)
    begun = time.monotonic()
    with raising((TransientSourceError, "unreachable")):
        replace(spx, patience=Patience(total=1.0, request=0.3, first_wait=0.01, jitter=0.0)).fetch()
    assert time.monotonic() - begun < 4.0


def test_a_blank_last_bar_is_left_out_and_said(yahoo: ChartServer, spx: YahooSource) -> None:
    rows = yahoo.listings[SPX].rows["1d"]
    rows[-1] = blank(rows[-1])
    rows[-2] = (*rows[-2][:4], None)
    got = spx.fetch()
    assert str(got.bars.dates[-1]) == "2018-12-27"
    assert got.notes[0] == "^GSPC: the last 2 rows are blank, from 2018-12-28 on, and left out."


def test_a_blank_last_print_of_the_volatility_index_is_carried_and_said(
    yahoo: ChartServer, spx: YahooSource
) -> None:
    rows = yahoo.listings["^VIX"].rows["1d"]
    rows[-1] = blank(rows[-1])
    got = spx.fetch()
    assert [fill.printed_on for fill in got.bars.iv_fills] == ["2018-12-28"]
    assert got.notes == (
        "^VIX: the last row is blank, from 2018-12-31 on, and left out.",
        "The last bars are of different days: ^GSPC 2018-12-31, ^VIX 2018-12-28.",
    )


def test_a_volatility_index_that_is_a_day_ahead_is_said_and_not_used(
    yahoo: ChartServer, spx: YahooSource
) -> None:
    yahoo.listings[SPX].rows["1d"].pop()
    got = spx.fetch()
    assert str(got.bars.dates[-1]) == "2018-12-28"
    assert got.notes == ("The last bars are of different days: ^GSPC 2018-12-28, ^VIX 2018-12-31.",)


def test_a_volatility_index_that_stopped_a_week_ago_is_refused(
    yahoo: ChartServer, spx: YahooSource
) -> None:
    del yahoo.listings["^VIX"].rows["1d"][-5:]
    with pytest.raises(IvUnavailableError):
        spx.fetch()


@pytest.mark.parametrize("value", [None, 0.0])
def test_blank_rows_between_others_are_left_out_and_said(
    yahoo: ChartServer, spx: YahooSource, value: float | None
) -> None:
    rows = yahoo.listings[SPX].rows["1d"]
    rows[100] = (rows[100][0], value, value, value, value)
    got = spx.fetch()
    assert len(got.bars) == 1_256
    assert got.notes == ("^GSPC: 1 blank rows were left out, the last of them 2014-05-29.",)


def test_a_bar_that_is_blank_in_part_is_refused_and_none_made_up(
    yahoo: ChartServer, spx: YahooSource
) -> None:
    rows = yahoo.listings[SPX].rows["1d"]
    rows[100] = (*rows[100][:2], None, *rows[100][3:])
    with raising((BarRowsError, "not_finite")) as caught:
        spx.fetch()
    assert caught.value.dates == ("2014-05-29",)


def test_a_missing_open_costs_no_bar(yahoo: ChartServer, spx: YahooSource) -> None:
    rows = yahoo.listings[SPX].rows["1d"]
    rows[-1] = (rows[-1][0], None, *rows[-1][2:])
    got = spx.fetch()
    assert str(got.bars.dates[-1]) == "2018-12-31"
    assert got.bars.open is not None
    assert np.isnan(got.bars.open[-1])


def test_a_session_under_way_is_the_last_bar(yahoo: ChartServer, nifty_source: YahooSource) -> None:
    noon = int(datetime(2025, 11, 26, 6, 42, 7, tzinfo=timezone.utc).timestamp())
    yahoo.listings["^NSEI"].rows["1d"].append((noon, 2510.0, 2521.0, 2503.5, 2518.25))
    yahoo.listings["^INDIAVIX"].rows["1d"].append((noon, 24.0, 24.5, 23.5, 24.25))
    got = nifty_source.fetch()
    assert str(got.bars.dates[-1]) == "2025-11-26"
    assert (got.bars.high[-1], got.bars.close[-1], got.bars.iv[-1]) == (2521.0, 2518.25, 24.25)
    assert got.notes == ()


def test_a_session_told_twice_is_one_bar_with_the_later_close(
    yahoo: ChartServer, spx: YahooSource
) -> None:
    rows = yahoo.listings[SPX].rows["1d"]
    stamp, opening, high, low, close = rows[-1]
    assert close is not None
    rows.append((stamp + 3_600, opening, high, low, close + 1.0))
    got = spx.fetch()
    assert len(got.bars) == 1_257
    assert got.bars.close[-1] == close + 1.0


def test_a_blank_last_five_minutes_is_left_out_and_said(
    yahoo: ChartServer, nifty_source: YahooSource
) -> None:
    rows = yahoo.listings["^NSEI"].rows["5m"]
    rows[-1] = blank(rows[-1])
    rows[10] = blank(rows[10])
    got = nifty_source.fetch()
    assert got.intraday is not None
    assert (len(got.intraday), got.intraday.blank) == (223, 1)
    assert got.notes == (
        "^NSEI 5m: the last row is blank, from 2025-11-26T09:55:00 on, and left out.",
    )


def test_a_last_row_stamped_with_the_last_trade_is_left_out_and_said(
    yahoo: ChartServer, nifty_source: YahooSource
) -> None:
    rows = yahoo.listings["^NSEI"].rows["5m"]
    del rows[-20:]
    rows.append((rows[-1][0] + 307, *rows[-1][1:]))
    got = nifty_source.fetch()
    assert got.intraday is not None
    assert len(got.intraday) == 205
    assert len(got.notes) == 1
    assert "last trade" in got.notes[0]


def test_an_answer_that_ends_early_is_taken_up_from_there(
    yahoo: ChartServer, spx: YahooSource, sample: Bars
) -> None:
    yahoo.longest_page = 400
    got = spx.fetch()
    assert got.bars.digest() == sample.digest()
    assert [len(yahoo.asked_for(name)) for name in (SPX, "^VIX")] == [4, 4]


def test_a_history_that_ends_early_and_does_not_lead_on_is_refused(
    yahoo: ChartServer, spx: YahooSource
) -> None:
    del yahoo.listings[SPX].rows["1d"][600:]
    with raising((SourceError, "ends_early")) as caught:
        spx.fetch()
    assert caught.value.reason == "2016-05-20, today is 2019-01-02"
    assert len(yahoo.asked_for(SPX)) == 2


def test_blank_rows_do_not_pass_for_a_history_up_to_today(
    yahoo: ChartServer, spx: YahooSource
) -> None:
    rows = yahoo.listings[SPX].rows["1d"]
    rows[-40:] = [blank(row) for row in rows[-40:]]
    with raising((SourceError, "ends_early")):
        spx.fetch()
    yahoo.listings[SPX].rows["1d"] = [blank(row) for row in rows]
    with raising((SourceError, "no_data"), match="every row is blank"):
        replace(spx, cached=False).fetch()


def test_a_history_that_begins_later_than_asked_is_said(
    yahoo: ChartServer, spx: YahooSource
) -> None:
    got = replace(spx, start=date(2000, 1, 3)).fetch()
    assert got.notes == ("^GSPC begins on 2014-01-03, later than asked (2000-01-03).",)


def test_the_first_day_asked_for_cuts_the_bars_and_keeps_their_prints(
    yahoo: ChartServer, spx: YahooSource
) -> None:
    got = replace(spx, start=date(2018, 1, 2)).fetch()
    assert str(got.bars.dates[0]) == "2018-01-02"


def test_yfinance_is_left_as_it_was_found(yahoo: ChartServer, spx: YahooSource) -> None:
    import yfinance

    yahoo.faults = [SERVER_ERROR] * 5
    with raising((TransientSourceError, "server_failed")):
        spx.fetch()
    assert yfinance.config.debug.hide_exceptions is True
    # The caller's own requests share yfinance's session, and must see no errors of this package.
    yahoo.faults = [WEB_PAGE, None]
    assert yfinance.Ticker(SPX).history(start="2018-12-03").empty


@pytest.mark.parametrize("package", ["yfinance", "tenacity", "curl_cffi", "platformdirs"])
def test_a_missing_package_names_the_extra(
    yahoo: ChartServer, spx: YahooSource, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.delenv("AEGISMATRIX_CACHE", raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    source = replace(spx, cache_dir=None) if package == "platformdirs" else spx
    with pytest.raises(MissingExtraError, match=r"\.\[yahoo\]") as caught:
        source.fetch()
    assert caught.value.package == package


def test_the_second_fetch_asks_for_the_last_days_alone(
    yahoo: ChartServer, spx: YahooSource
) -> None:
    first = spx.fetch()
    yahoo.asked.clear()
    second = later(spx, hours=2).fetch()
    assert second.bars.digest() == first.bars.digest()
    assert second.fetched_at == AFTER_SAMPLE + timedelta(hours=2)
    for name in (SPX, "^VIX"):
        (asked,) = yahoo.asked_for(name)
        age = AFTER_SAMPLE - datetime.fromtimestamp(asked.first, timezone.utc)
        assert timedelta(days=7) < age < timedelta(days=15)


def test_a_bad_row_that_was_mended_since_does_not_stay_in_the_cache(
    yahoo: ChartServer, spx: YahooSource, caplog: pytest.LogCaptureFixture, sample: Bars
) -> None:
    rows = yahoo.listings[SPX].rows["1d"]
    good = rows[100]
    rows[100] = (*good[:2], None, *good[3:])
    with raising((BarRowsError, "not_finite")):
        spx.fetch()
    rows[100] = good
    caplog.clear()
    with caplog.at_level(logging.WARNING, "aegismatrix"):
        assert later(spx, hours=1).fetch().bars.digest() == sample.digest()
    assert "Fetching everything again" in caplog.text
    yahoo.asked.clear()
    later(spx, hours=2).fetch()
    assert len(yahoo.asked) == 2


def test_without_a_cache_everything_is_asked_for_and_nothing_is_kept(
    yahoo: ChartServer, spx: YahooSource, tmp_path: Path
) -> None:
    for _ in range(2):
        replace(spx, cached=False).fetch()
    assert len({asked.first for asked in yahoo.asked_for(SPX)}) == 1
    assert not (tmp_path / "cache").exists()


def test_a_failed_fetch_is_an_error_though_there_is_a_cache(
    yahoo: ChartServer, spx: YahooSource
) -> None:
    spx.fetch()
    yahoo.always = SERVER_ERROR
    with raising((TransientSourceError, "server_failed")):
        later(spx, minutes=1).fetch()


@pytest.mark.parametrize("fault", [RATE_LIMITED, SERVER_ERROR, WEB_PAGE, BROKEN_OFF])
def test_where_an_age_is_allowed_the_cache_stands_in_and_says_how_old_it_is(
    yahoo: ChartServer, spx: YahooSource, fault: Fault
) -> None:
    first = spx.fetch()
    yahoo.always = fault
    got = later(replace(spx, allow_stale=timedelta(hours=30)), hours=27, minutes=5).fetch()
    assert got.bars.digest() == first.bars.digest()
    assert got.fetched_at == AFTER_SAMPLE
    assert got.stale_for == timedelta(hours=27, minutes=5)
    assert got.freshness.startswith("1 d 3 h old: from the cache, fetched 2019-01-02T01:00:00Z")
    assert len(got.notes) == 2
    assert got.notes[0].startswith("^GSPC 1d is from the cache, up to 1 d 3 h old, since its fetch")


def test_a_cache_older_than_allowed_does_not_stand_in(
    yahoo: ChartServer, spx: YahooSource, caplog: pytest.LogCaptureFixture
) -> None:
    spx.fetch()
    yahoo.always = RATE_LIMITED
    with (
        caplog.at_level(logging.WARNING, "aegismatrix"),
        raising((TransientSourceError, "rate_limited")),
    ):
        later(replace(spx, allow_stale=timedelta(hours=1)), hours=1, seconds=1).fetch()
    assert "which is not permitted" in caplog.text


def test_a_cache_from_the_future_does_not_stand_in(yahoo: ChartServer, spx: YahooSource) -> None:
    spx.fetch()
    yahoo.always = SERVER_ERROR
    with raising((TransientSourceError, "server_failed")):
        later(replace(spx, allow_stale=timedelta(days=9)), hours=-1).fetch()


def test_a_cache_that_begins_too_late_does_not_stand_in(
    yahoo: ChartServer, spx: YahooSource
) -> None:
    replace(spx, start=date(2016, 1, 4)).fetch()
    yahoo.always = SERVER_ERROR
    with raising((TransientSourceError, "server_failed")):
        replace(spx, allow_stale=timedelta(days=9)).fetch()


def test_an_age_is_allowed_only_where_there_is_a_cache(
    yahoo: ChartServer, spx: YahooSource
) -> None:
    with pytest.raises(ValueError, match="cache"):
        replace(spx, cached=False, allow_stale=timedelta(1))
    yahoo.always = SERVER_ERROR
    with raising((TransientSourceError, "server_failed")):
        replace(spx, allow_stale=timedelta(days=9)).fetch()


def test_where_one_symbol_fails_the_age_is_that_of_the_older_part(
    yahoo: ChartServer, spx: YahooSource
) -> None:
    spx.fetch()
    yahoo.faults = [None] + [SERVER_ERROR] * 5
    got = later(replace(spx, allow_stale=timedelta(days=1)), hours=3).fetch()
    assert got.stale_for == timedelta(hours=3)
    assert [note.split(" is ")[0] for note in got.notes] == ["^VIX 1d"]


@pytest.mark.slow
def test_the_cache_serves_five_minute_bars_too(
    yahoo: ChartServer, nifty_source: YahooSource
) -> None:
    rows = yahoo.listings["^NSEI"].rows["5m"]
    today = rows[-75:]
    del rows[-40:]
    early = later(nifty_source, hours=-4).fetch()
    rows[-35:] = today
    full = nifty_source.fetch()
    assert early.intraday is not None
    assert full.intraday is not None
    assert (len(early.intraday), len(full.intraday)) == (185, 225)
    yahoo.always = RATE_LIMITED
    got = later(replace(nifty_source, allow_stale=timedelta(days=1)), hours=1).fetch()
    assert got.intraday is not None
    assert got.intraday.starts.tolist() == full.intraday.starts.tolist()
    assert len(got.notes) == 3


@pytest.mark.slow
@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/New_York"])
def test_the_host_clocks_zone_changes_nothing(
    yahoo: ChartServer, tmp_path: Path, zone: str
) -> None:
    facts = []
    for number, name in enumerate(("UTC", zone)):
        folder = tmp_path / str(number)
        child = subprocess.run(
            [sys.executable, "-m", "tests.fetch_child", "once", yahoo.url, str(folder)],
            capture_output=True,
            text=True,
            env={**os.environ, "TZ": name},
            cwd=Path(__file__).parents[2],
            check=False,
        )
        assert child.returncode == 0, child.stderr
        facts.append(json.loads(child.stdout))
    assert facts[0] == facts[1]
    assert facts[0]["days"][-1] == "2025-11-24"
    assert facts[0]["starts"][0] == "2025-11-24T03:45:00"


def test_days_are_the_exchanges_where_the_opening_is_another_day_in_utc(
    yahoo: ChartServer, spx: YahooSource
) -> None:
    for name in (SPX, "^VIX"):
        listing = yahoo.listings[name]
        listing.zone = SYDNEY
        rows = listing.rows["1d"]
        listing.rows["1d"] = [(row[0] // 86_400 * 86_400 - 3_600, *row[1:]) for row in rows]
    got = spx.fetch()
    assert str(got.bars.dates[-1]) == "2018-12-31"


def test_a_fetch_needs_no_cache_nor_source_to_be_asked_on_its_own(
    yahoo: ChartServer, waits: Waits
) -> None:
    prices = ask_yahoo(
        "^VIX", "1d", date(2018, 12, 3), today=AFTER_SAMPLE.date(), attempt=waits.patience().begin()
    )
    assert len(prices) == 19
    assert str(prices.stamps[0]) == "2018-12-03"


def test_bars_come_from_yahoo_by_one_call(
    yahoo: ChartServer, spx: YahooSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AEGISMATRIX_CACHE", str(tmp_path / "notebook"))
    at_its_time = functools.partial(YahooSource, clock=lambda: AFTER_SAMPLE)
    monkeypatch.setattr("aegismatrix.desk.sources.yahoo.YahooSource", at_its_time)
    bars = Bars.from_yahoo(SPX, "^VIX", start="2014-01-03")
    assert bars.digest() == spx.fetch().bars.digest()
    assert (bars.market.name, bars.source) == ("other", "Yahoo ^GSPC with ^VIX")
    assert (tmp_path / "notebook").exists()
