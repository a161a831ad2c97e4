"""What every source has in common, and the sources that are at hand."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import aegismatrix
from aegismatrix.desk.sources.fetched import BarSource, Fetched, age_in_words
from aegismatrix.desk.sources.local import CsvSource, FrameSource, SampleSource
from aegismatrix.desk.sources.patience import Patience
from aegismatrix.desk.sources.yahoo import YahooSource
from aegismatrix.errors import AegisError, CacheError, FileUnreadableError, SourceError
from aegismatrix.market.bars import Bars
from aegismatrix.market.intraday import IntradayBars
from tests.chart_server import five_minute_rows

SAMPLE = Path(aegismatrix.__file__).parent / "desk" / "sources" / "sample_data"
SESSIONS = [datetime(2025, 11, day) for day in (24, 25)]
MOMENT = datetime(2025, 11, 26, 10, 30, tzinfo=timezone.utc)


def five_minute_frame() -> pd.DataFrame:
    rows = five_minute_rows(SESSIONS)
    index = pd.DatetimeIndex([np.datetime64(row[0], "s") for row in rows], tz="UTC")
    names = ("Open", "High", "Low", "Close")
    columns = {name: [row[1 + i] for row in rows] for i, name in enumerate(names)}
    frame: pd.DataFrame = pd.DataFrame(columns, index=index)
    return frame


def daily_frames(sample: Bars) -> tuple[pd.DataFrame, pd.Series[float]]:
    index = pd.DatetimeIndex(sample.dates.astype("datetime64[s]"))
    columns = {"High": sample.high, "Low": sample.low, "Close": sample.close}
    return pd.DataFrame(columns, index=index), pd.Series(sample.iv, index=index)


def csv_source(folder: Path) -> CsvSource:
    path = folder / "five.csv"
    five_minute_frame().rename_axis("timestamp").to_csv(path)
    return CsvSource(SAMPLE / "sp500_daily.csv", SAMPLE / "vix_daily.csv", "other", path)


def test_every_source_is_described_and_fetches_the_same_kind_of_result(
    sample: Bars, tmp_path: Path
) -> None:
    index, iv = daily_frames(sample)
    sources: list[BarSource] = [
        csv_source(tmp_path),
        FrameSource(index, iv, "other", five_minute_frame(), name="mine"),
        SampleSource(),
    ]
    for source in sources:
        before = datetime.now(timezone.utc)
        got = source.fetch()
        assert got.bars.digest() == sample.digest()
        assert before <= got.fetched_at <= datetime.now(timezone.utc)
        assert got.fetched_at.utcoffset() == timedelta(0)
        assert got.stale_for is None
        assert got.freshness.endswith("last bar 2018-12-31")
        assert source.description
    live: BarSource = YahooSource()
    assert live.description == "Yahoo ^NSEI with ^INDIAVIX"


def test_csv_files_and_frames_may_bring_five_minute_bars(sample: Bars, tmp_path: Path) -> None:
    index, iv = daily_frames(sample)
    from_csv = csv_source(tmp_path).fetch().intraday
    from_frame = FrameSource(index, iv, "other", five_minute_frame()).fetch().intraday
    assert isinstance(from_csv, IntradayBars)
    assert isinstance(from_frame, IntradayBars)
    np.testing.assert_array_equal(from_csv.close, from_frame.close)
    assert len(from_csv) == 150
    assert replace(csv_source(tmp_path), intraday=None).fetch().intraday is None


def test_a_csv_file_is_read_anew_at_every_fetch(tmp_path: Path) -> None:
    text = (SAMPLE / "sp500_daily.csv").read_text()
    path = tmp_path / "index.csv"
    path.write_text(text)
    source = CsvSource(path, SAMPLE / "vix_daily.csv", "other", start="2015-01-02")
    first = source.fetch()
    path.write_text("\n".join(text.splitlines()[:-1]))
    assert len(source.fetch().bars) == len(first.bars) - 1
    assert str(first.bars.dates[0]) == "2015-01-02"
    path.unlink()
    with pytest.raises(FileUnreadableError):
        source.fetch()


def test_the_description_of_csv_files_names_them(tmp_path: Path) -> None:
    source = csv_source(tmp_path)
    assert source.description.endswith(f"vix_daily.csv, {tmp_path / 'five.csv'}")


def test_the_sample_says_that_it_proves_nothing() -> None:
    got = SampleSource().fetch()
    assert got.intraday is None
    assert "another market" in got.notes[0]


def test_a_result_cannot_be_changed(sample: Bars) -> None:
    got = Fetched(sample, None, MOMENT)
    with pytest.raises(FrozenInstanceError):
        got.stale_for = timedelta(1)  # type: ignore[misc]


def test_freshness_says_when_and_how_old(sample: Bars) -> None:
    fresh = Fetched(sample, None, MOMENT)
    assert fresh.freshness == "fetched 2025-11-26T10:30:00Z, last bar 2018-12-31"
    old = replace(fresh, stale_for=timedelta(hours=2, minutes=5))
    assert old.freshness == (
        "2 h 5 min old: from the cache, fetched 2025-11-26T10:30:00Z, last bar 2018-12-31"
    )


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (timedelta(seconds=59), "0 min"),
        (timedelta(minutes=59), "59 min"),
        (timedelta(hours=1), "1 h 0 min"),
        (timedelta(hours=23, minutes=59), "23 h 59 min"),
        (timedelta(days=3, hours=4, minutes=50), "3 d 4 h"),
    ],
)
def test_an_age_is_said_in_its_two_largest_units(age: timedelta, words: str) -> None:
    assert age_in_words(age) == words


def test_waiting_is_in_seconds_and_limited_by_default() -> None:
    patience = Patience()
    assert (patience.tries, patience.total, patience.request) == (5, 60.0, 10.0)
    assert 59.0 < patience.begin().seconds_left <= 60.0


def test_the_families_of_errors_of_a_fetch_and_of_a_cache_are_apart() -> None:
    assert issubclass(SourceError, AegisError)
    assert issubclass(CacheError, AegisError)
    assert not issubclass(SourceError, (CacheError, ValueError, OSError))
