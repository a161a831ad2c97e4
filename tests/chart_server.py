"""A local server that answers as Yahoo's chart service does, for yfinance's real code to ask."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from zoneinfo import ZoneInfo

import numpy as np

from aegismatrix.desk.sources.sample import sample_bars
from aegismatrix.market.bars import Bars

Row = tuple[int, float | None, float | None, float | None, float | None]
"""Epoch seconds of the bar's start, then open, high, low, close; None where Yahoo has null."""

CHART = "/v8/finance/chart/"
NEW_YORK, KOLKATA, SYDNEY = "America/New_York", "Asia/Kolkata", "Australia/Sydney"
_OPENS = {
    NEW_YORK: timedelta(hours=9, minutes=30),
    KOLKATA: timedelta(hours=9, minutes=15),
    SYDNEY: timedelta(hours=10),
}
_LENGTHS = {
    NEW_YORK: timedelta(hours=6, minutes=30),
    KOLKATA: timedelta(hours=6, minutes=15),
    SYDNEY: timedelta(hours=6),
}


@dataclass(frozen=True)
class Asked:
    """One request for a chart, as it came in."""

    symbol: str
    interval: str
    first: int
    last: int


@dataclass
class Listing:
    """One symbol: its exchange's clock and its bars by interval."""

    zone: str
    rows: dict[str, list[Row]]


@dataclass
class Fault:
    """What is answered instead of a chart."""

    status: int = 200
    body: bytes = b""
    kind: str = "application/json"
    cut: bool = False
    seconds: float = 0.0


RATE_LIMITED = Fault(429, b"Too Many Requests\r\n", "text/plain")
SERVER_ERROR = Fault(500, b'{"chart":{"result":null,"error":{"code":"500"}}}')
BAD_GATEWAY = Fault(502, b"<html><body>Bad gateway</body></html>", "text/html")
WEB_PAGE = Fault(200, b"<!DOCTYPE html><html><body>Sign in</body></html>", "text/html")
BROKEN_OFF = Fault(cut=True)
NOT_FOUND = Fault(
    404,
    b'{"chart":{"result":null,"error":{"code":"Not Found",'
    b'"description":"No data found, symbol may be delisted"}}}',
)


@dataclass
class ChartServer:
    """What is served, what goes wrong next, and what was asked."""

    listings: dict[str, Listing] = field(default_factory=dict)
    faults: list[Fault | None] = field(default_factory=list)
    always: Fault | None = None
    longest_page: int | None = None
    amend: Callable[[dict[str, Any]], None] | None = None
    asked: list[Asked] = field(default_factory=list)
    url: str = ""

    def answer(self, path: str) -> Fault:
        """Answer one request; the path starts with the host that was meant."""
        parts = urlsplit(path)
        _, _, rest = parts.path.lstrip("/").partition("/")
        if f"/{rest}" == "/v1/test/getcrumb":
            return Fault(200, b"crumb", "text/plain")
        if not f"/{rest}".startswith(CHART):
            return Fault(404, b"", "text/plain")
        symbol = unquote(rest.rpartition("/")[2])
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if "period1" in query:
            first, last = int(query["period1"]), int(query["period2"])
            self.asked.append(Asked(symbol, query["interval"], first, last))
            fault = self.faults.pop(0) if self.faults else None
            if fault is not None:
                return fault
        if self.always is not None:
            return self.always
        if symbol not in self.listings:
            return NOT_FOUND
        chart = self._chart(symbol, query)
        if self.amend is not None:
            self.amend(chart)
        return Fault(200, json.dumps(chart).encode())

    def _chart(self, symbol: str, query: Mapping[str, str]) -> dict[str, Any]:
        listing, interval = self.listings[symbol], query["interval"]
        rows = listing.rows.get(interval, [])
        if "period1" in query:
            first, last = int(query["period1"]), int(query["period2"])
            rows = [row for row in rows if first <= row[0] < last][: self.longest_page]
        else:
            rows = rows[-1:]
        return chart_json(symbol, listing.zone, interval, rows)

    def asked_for(self, symbol: str, interval: str = "1d") -> list[Asked]:
        """The requests for one symbol's history."""
        return [one for one in self.asked if (one.symbol, one.interval) == (symbol, interval)]


def chart_json(symbol: str, zone: str, interval: str, rows: Iterable[Row]) -> dict[str, Any]:
    """The answer to a request, in the shape of v8/finance/chart."""
    kept = list(rows)
    offset = int(_offset(zone, kept[-1][0] if kept else 0).total_seconds())
    periods = {name: _session(zone, kept[-1][0] if kept else 0) for name in _PERIODS}
    meta: dict[str, Any] = {
        "currency": "USD" if zone == NEW_YORK else "INR",
        "symbol": symbol,
        "exchangeName": "SNP" if zone == NEW_YORK else "NSI",
        "instrumentType": "INDEX",
        "firstTradeDate": -1325583000,
        "regularMarketTime": kept[-1][0] if kept else 0,
        "hasPrePostMarketData": False,
        "gmtoffset": offset,
        "timezone": "EST" if zone == NEW_YORK else "IST",
        "exchangeTimezoneName": zone,
        "regularMarketPrice": kept[-1][4] if kept else 0.0,
        "chartPreviousClose": kept[0][4] if kept else 0.0,
        "priceHint": 2,
        "currentTradingPeriod": periods,
        "dataGranularity": interval,
        "range": "",
        "validRanges": ["1d", "5d", "1mo", "3mo", "6mo", "1y", "2y", "5y", "10y", "ytd", "max"],
    }
    if interval != "1d":
        days = {_session(zone, row[0])["start"]: _session(zone, row[0]) for row in kept}
        meta["tradingPeriods"] = [[days[start]] for start in sorted(days)]
    result: dict[str, Any] = {"meta": meta, "indicators": {"quote": [{}]}}
    if kept:
        names = ("open", "high", "low", "close")
        quote: dict[str, Any] = {name: [row[1 + i] for row in kept] for i, name in enumerate(names)}
        quote["volume"] = [None if row[4] is None else 0 for row in kept]
        result["timestamp"] = [row[0] for row in kept]
        result["indicators"] = {"quote": [quote], "adjclose": [{"adjclose": quote["close"]}]}
    return {"chart": {"result": [result], "error": None}}


_PERIODS = ("pre", "regular", "post")


def _offset(zone: str, moment: int) -> timedelta:
    offset = datetime.fromtimestamp(moment, ZoneInfo(zone)).utcoffset()
    assert offset is not None
    return offset


def _session(zone: str, moment: int) -> dict[str, Any]:
    local = datetime.fromtimestamp(moment, ZoneInfo(zone))
    midnight = local.replace(hour=0, minute=0, second=0)
    start = midnight + _OPENS[zone]
    end = start + _LENGTHS[zone]
    return {
        "timezone": local.tzname(),
        "start": int(start.timestamp()),
        "end": int(end.timestamp()),
        "gmtoffset": int(_offset(zone, moment).total_seconds()),
    }


def daily_rows(bars: Bars, zone: str, column: str = "close") -> list[Row]:
    """Daily bars as Yahoo stamps them, by the session's opening; of iv, its close throughout."""
    rows: list[Row] = []
    opening = bars.open if bars.open is not None else bars.close
    for place, day in enumerate(bars.dates.tolist()):
        midnight = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone))
        stamp = int((midnight + _OPENS[zone]).timestamp())
        if column == "iv":
            value = float(bars.iv[place])
            rows.append((stamp, value, value, value, value))
        else:
            values = (opening[place], bars.high[place], bars.low[place], bars.close[place])
            rows.append((stamp, *(float(value) for value in values)))  # type: ignore[arg-type]
    return rows


def five_minute_rows(days: Iterable[datetime], start: float = 26_000.0) -> list[Row]:
    """75 bars of NIFTY's session for each day, a seeded walk on quarter points."""
    draw = np.random.default_rng(5)
    rows: list[Row] = []
    price = start
    for day in days:
        opening = datetime(day.year, day.month, day.day, 3, 45, tzinfo=timezone.utc)
        for slot in range(75):
            before, price = price, price + float(draw.integers(-40, 41)) / 4
            high, low = max(before, price) + 2.5, min(before, price) - 2.5
            stamp = int(opening.timestamp()) + 300 * slot
            rows.append((stamp, before, high, low, price))
    return rows


def sample_listings(
    zone: str = NEW_YORK, names: tuple[str, str] = ("^GSPC", "^VIX")
) -> dict[str, Listing]:
    """The embedded sample as two symbols."""
    bars = sample_bars()
    return {
        names[0]: Listing(zone, {"1d": daily_rows(bars, zone)}),
        names[1]: Listing(zone, {"1d": daily_rows(bars, zone, "iv")}),
    }


@contextmanager
def chart_server(listings: dict[str, Listing]) -> Iterator[ChartServer]:
    """Serve charts on 127.0.0.1 while the block runs."""
    state = ChartServer(listings)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            answer = state.answer(self.path)
            time.sleep(answer.seconds)
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.kind)
            self.send_header("Content-Length", str(len(answer.body) + 100 * answer.cut))
            self.end_headers()
            self.wfile.write(answer.body)
            self.close_connection = answer.cut

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that was killed, or lost patience, is what some tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def led_to(url: str) -> Callable[..., Any]:
    """Return a `Session.request` for curl_cffi that goes to a local server, whatever was meant."""
    from curl_cffi import requests

    request: Callable[..., Any] = requests.Session.request

    def go(session: object, method: str, url_meant: str = "", **options: Any) -> Any:
        meant = urlsplit(options.pop("url", url_meant))
        if meant.hostname == "127.0.0.1":
            return request(session, method, meant.geturl(), **options)
        target = f"{url}/{meant.netloc}{meant.path}"
        return request(session, method, target, **{**options, "proxies": {"all": ""}})

    return go


def forget_yfinance(folder: Path) -> None:
    """Give yfinance new caches in a folder, and let it forget cookies, crumbs and answers."""
    import yfinance
    from yfinance import base, cache, data

    yfinance.set_tz_cache_location(str(folder))
    cache._TzCacheManager._tz_cache = None
    cache._CookieCacheManager._Cookie_cache = None
    data.SingletonMeta._instances.clear()
    base._tz_info_fetch_ctr = 0
