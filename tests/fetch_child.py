"""Fetches, and writes to a cache, in processes that can be killed.

Run as ``python -m tests.fetch_child JOB URL FOLDER``. With the job ``once`` it fetches and prints
what it got. With ``refresh`` or ``write`` it makes a child for each moment (see `tests.faults`).
"""

from __future__ import annotations

import json
import sys
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import numpy as np

from aegismatrix.desk.sources.cache import PriceCache, Stored
from aegismatrix.desk.sources.prices import Prices
from aegismatrix.desk.sources.yahoo import YahooSource
from tests.chart_server import led_to
from tests.faults import fork_for_each_moment

NOW = datetime(2025, 11, 26, 11, 0, tzinfo=timezone.utc)
START = date(2022, 1, 3)


def source(folder: Path, now: datetime = NOW) -> YahooSource:
    """NIFTY from Yahoo with a cache in a folder, on a fixed day."""
    return YahooSource(start=START, cache_dir=folder, clock=lambda: now)


def contents() -> tuple[Stored, Stored]:
    """Two contents of different lengths that differ in every row."""
    days = np.arange("2010-01-01", "2020-01-01", dtype="datetime64[D]")
    values = np.linspace(100.0, 200.0, 4 * len(days)).reshape(-1, 4)
    first = Stored(Prices("1d", days, values), START, NOW)
    second = Stored(Prices("1d", days[:-500], values[:-500] + 1.0), START, NOW + timedelta(1))
    return first, second


def written(folder: Path) -> PriceCache:
    """The cache that the job `write` writes to."""
    return PriceCache(folder, "test", "^NSEI", "1d")


def _write_both(folder: Path) -> None:
    cache = written(folder)
    first, second = contents()
    for content in (first, second, first):
        cache.replace(content, old=cache.read())


def _lead(url: str, folder: Path) -> None:
    import yfinance
    from curl_cffi import requests

    yfinance.set_tz_cache_location(str(folder / "yfinance"))
    requests.Session.request = led_to(url)  # type: ignore[method-assign]


def main(job: str, url: str, folder: Path) -> None:
    """Do one job."""
    if job == "write":
        fork_for_each_moment(lambda: _write_both(folder), folder)
        return
    _lead(url, folder)
    if job == "refresh":
        fork_for_each_moment(lambda: source(folder).fetch(), folder)
        return
    got = source(folder).fetch()
    assert got.intraday is not None
    starts = got.intraday.starts.astype(str).tolist()
    facts = {
        "digest": got.bars.digest(),
        "days": got.bars.dates.astype(str).tolist(),
        "starts": starts,
        "notes": got.notes,
        "fetched": got.fetched_at.isoformat(),
    }
    json.dump(facts, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
