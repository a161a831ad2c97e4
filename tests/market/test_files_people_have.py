"""The files and frames that people have: each is read, or refused with the step that mends it."""

from __future__ import annotations

import datetime
import gzip
import io
import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aegismatrix.errors import (
    BarRowsError,
    BarsError,
    ChainError,
    ColumnError,
    EmptyBarsError,
    FileUnreadableError,
    MarketError,
    UnreadableCellError,
)
from aegismatrix.market.bars import Bars
from aegismatrix.market.chain import OptionChain
from aegismatrix.market.intraday import IntradayBars
from tests.raising import raising

PRICES = ("open", "high", "low", "close")
LIBRARIES = ("polars", "pyarrow")


@pytest.fixture(scope="module")
def cases(repository: Path) -> Path:
    return repository / "tests/fixtures/cases"


@pytest.fixture(scope="module")
def base(cases: Path) -> Bars:
    return Bars.from_csv(cases / "base_n.csv", iv=cases / "base_v.csv")


@pytest.fixture(scope="module")
def rows(cases: Path) -> pd.DataFrame:
    table: pd.DataFrame = pd.read_csv(cases / "base_n.csv").tail(60)
    rows: pd.DataFrame = table.reset_index(drop=True)
    return rows


@pytest.fixture(scope="module")
def prints(cases: Path) -> pd.DataFrame:
    return pd.read_csv(cases / "base_v.csv")


def foreign(library: str, frame: pd.DataFrame) -> Any:
    """The same columns as a frame of another library, made without pandas' help."""
    module = pytest.importorskip(library)
    columns = {str(name): frame[name].tolist() for name in frame.columns}
    return module.DataFrame(columns) if library == "polars" else module.table(columns)


def same(one: Bars, other: Bars, *, digits: int = 4) -> None:
    assert one.dates.tolist() == other.dates.tolist()
    for name in ("high", "low", "close", "iv"):
        np.testing.assert_allclose(
            getattr(one, name), getattr(other, name), rtol=0, atol=0.51 * 10.0**-digits
        )


# Downloads


@pytest.mark.parametrize(
    ("name", "digits", "turned"),
    [
        ("yf_download", 4, False),
        ("nse_index", 2, True),
        ("nselib_index", 4, False),
        ("jugaad_index", 4, True),
    ],
)
def test_a_download_is_read_as_the_same_bars(
    cases: Path, base: Bars, name: str, digits: int, turned: bool
) -> None:
    bars = Bars.from_csv(cases / f"{name}.csv", iv=cases / "base_v.csv")
    same(bars, base[-60:], digits=digits)
    notes = (f"{name}.csv was newest first: its rows were turned round.",) if turned else ()
    assert bars.reading_notes == notes
    assert set(notes) <= set(bars.notes)


@pytest.mark.parametrize("name", ["yf_download", "nse_index", "nselib_index", "jugaad_index"])
def test_a_download_serves_as_iv_too(cases: Path, name: str, tmp_path: Path, base: Bars) -> None:
    lines = (cases / f"{name}.csv").read_text().splitlines()
    rows = len(lines) - (3 if name == "yf_download" else 1)
    assert rows == 60
    # A hundredth of its points is a volatility index of the same shape.
    frame = pd.DataFrame({"date": base.dates[-60:], "close": base.close[-60:] / 1000})
    frame.to_csv(tmp_path / "iv.csv", index=False)
    assert len(Bars.from_csv(cases / f"{name}.csv", iv=tmp_path / "iv.csv")) == 60


def test_dates_of_nselib_are_days_before_months(cases: Path, tmp_path: Path) -> None:
    text = (cases / "nselib_index.csv").read_text()
    assert "\n05-06-2026," in text
    bars = Bars.from_csv(cases / "nselib_index.csv", iv=cases / "base_v.csv")
    assert np.datetime64("2026-06-05") in bars.dates
    other = tmp_path / "other.csv"
    other.write_text(text.replace("_INDEX_VAL", ""))
    with pytest.raises(UnreadableCellError, match="14-05-2026"):
        Bars.from_csv(other, iv=cases / "base_v.csv")


def test_a_blank_price_of_the_exchange_is_no_price(cases: Path, tmp_path: Path) -> None:
    path = tmp_path / "nse.csv"
    path.write_text((cases / "nse_index.csv").read_text().replace('"16,551.40"', '"-"'))
    with raising((BarRowsError, "not_finite"), match="close is blank"):
        Bars.from_csv(path, iv=cases / "base_v.csv")


# Newest first


@settings(max_examples=25, deadline=None, derandomize=True)
@given(first=st.integers(0, 2000), length=st.integers(2, 400), of_iv=st.booleans())
def test_newest_first_makes_the_same_bars(base: Bars, first: int, length: int, of_iv: bool) -> None:
    part = base[first : first + length]
    columns = {name: getattr(part, name) for name in ("dates", "high", "low", "close", "iv")}
    straight = Bars.from_arrays(**columns, iv_dates=part.dates)
    turned = {name: values[::-1] for name, values in columns.items()}
    both = Bars.from_arrays(**turned)
    assert both.digest() == straight.digest()
    assert len(both.reading_notes) == 2
    iv = columns["iv"][::-1] if of_iv else columns["iv"]
    iv_dates = part.dates[::-1] if of_iv else part.dates
    given_rows = columns if of_iv else turned
    one = Bars.from_arrays(**{**given_rows, "iv": iv}, iv_dates=iv_dates)
    assert one.digest() == straight.digest()
    assert one.reading_notes == (
        f"{'iv of arrays' if of_iv else 'arrays'} was newest first: its rows were turned round.",
    )


@settings(max_examples=25, deadline=None, derandomize=True)
@given(place=st.integers(0, 58), data=st.data())
def test_a_single_row_out_of_order_is_still_refused(
    base: Bars, place: int, data: st.DataObject
) -> None:
    part = base[-60:]
    order = np.arange(60)
    order[[place, place + 1]] = order[[place + 1, place]]
    if data.draw(st.booleans()):
        order = order[::-1]
    arrays = {name: getattr(part, name)[order] for name in ("dates", "high", "low", "close", "iv")}
    with raising((BarRowsError, "unsorted")):
        Bars.from_arrays(**arrays)


def test_a_copied_row_of_a_file_that_is_newest_first_is_named_a_duplicate(
    cases: Path, tmp_path: Path
) -> None:
    lines = (cases / "jugaad_index.csv").read_text().splitlines()
    path = tmp_path / "twice.csv"
    path.write_text("\n".join([*lines[:5], lines[4], *lines[5:]]))
    with raising((BarRowsError, "duplicate"), match="2026-08-04"):
        Bars.from_csv(path, iv=cases / "base_v.csv")


def test_five_minute_bars_that_are_newest_first_are_turned_round(cases: Path) -> None:
    frame = pd.read_csv(cases / "five_min.csv")
    now = "2026-08-10T08:30:00Z"
    straight = IntradayBars.from_frame(frame, now=now)
    turned = IntradayBars.from_frame(frame.iloc[::-1], now=now)
    assert turned.starts.tolist() == straight.starts.tolist()
    assert turned.close.tolist() == straight.close.tolist()
    assert (len(straight.reading_notes), len(turned.reading_notes)) == (0, 1)


# Both tickers in one table


def both_tickers(rows: pd.DataFrame, prints: pd.DataFrame, *, ticker_first: bool) -> pd.DataFrame:
    """What a download of two tickers gives: every day that either has, blank where one lacks it."""
    parts = {
        "^NSEI": rows.set_index(pd.to_datetime(rows["date"]))[list(PRICES)],
        "^INDIAVIX": prints.tail(60).set_index(pd.to_datetime(prints["date"].tail(60)))[
            list(PRICES)
        ],
    }
    for part in parts.values():
        part.columns = [str(name).capitalize() for name in part.columns]
    frame: pd.DataFrame = pd.concat(parts, axis=1, names=["Ticker", "Price"])
    frame.index.name = "Date"
    return frame if ticker_first else frame.swaplevel(axis=1)


@pytest.mark.parametrize("ticker_first", [False, True])
def test_the_columns_of_a_ticker_are_chosen_by_its_name(
    rows: pd.DataFrame, prints: pd.DataFrame, base: Bars, ticker_first: bool, tmp_path: Path
) -> None:
    frame = both_tickers(rows, prints, ticker_first=ticker_first)
    same(Bars.from_frames(frame, frame), base[-60:])
    path = tmp_path / "both.csv"
    frame.to_csv(path)
    same(Bars.from_csv(path, iv=path), base[-60:])
    other = frame.rename(columns={"^NSEI": "^GSPC", "^INDIAVIX": "^VIX"})
    with pytest.raises(ColumnError, match=r"\^GSPC") as caught:
        Bars.from_frames(other, other)
    assert "tickers=" in caught.value.remedy
    tickers = ("^gspc", "^vix")
    same(Bars.from_frames(other, other, tickers=tickers, market="other"), base[-60:])


def test_rows_of_the_other_ticker_alone_are_left_out_and_counted(
    rows: pd.DataFrame, prints: pd.DataFrame, base: Bars
) -> None:
    frame = both_tickers(rows, prints, ticker_first=True)
    frame.loc[frame.index[20], "^INDIAVIX"] = np.nan
    bars = Bars.from_frames(frame, frame)
    assert [fill.date for fill in bars.iv_fills] == [str(base.dates[-40])]
    assert bars.reading_notes == ("iv of frame: 1 rows of another ticker alone were left out.",)
    frame.loc[frame.index[30], ("^NSEI", "High")] = np.nan
    with raising((BarRowsError, "not_finite")):
        Bars.from_frames(frame, frame)


# Several files


def parts_of(rows: pd.DataFrame, tmp_path: Path, cuts: list[tuple[int, int]]) -> list[Path]:
    paths = []
    for number, (first, last) in enumerate(cuts):
        path = tmp_path / f"part{number}.csv"
        rows.iloc[first:last].to_csv(path, index=False)
        paths.append(path)
    return paths


@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(cut=st.integers(1, 59), overlap=st.integers(0, 20), swap=st.booleans(), turn=st.booleans())
def test_parts_of_a_series_make_the_whole(
    rows: pd.DataFrame,
    cases: Path,
    tmp_path: Path,
    cut: int,
    overlap: int,
    swap: bool,
    turn: bool,
) -> None:
    paths = parts_of(rows, tmp_path, [(0, 60), (0, cut), (max(cut - overlap, 0), 60)])
    if turn:
        pd.read_csv(paths[1]).iloc[::-1].to_csv(paths[1], index=False)
    whole = Bars.from_csv(paths[0], iv=cases / "base_v.csv")
    parts = paths[:0:-1] if swap else paths[1:]
    joined = Bars.from_csv(parts, iv=[cases / "base_v.csv"])
    assert joined.digest() == whole.digest()
    assert joined.open is not None
    assert joined.open.tolist() == rows["open"].tolist()
    assert joined.source == f"{parts[0].name} and {parts[1].name}"


@pytest.mark.parametrize("column", PRICES)
def test_common_rows_that_differ_are_refused(
    rows: pd.DataFrame, cases: Path, tmp_path: Path, column: str
) -> None:
    paths = parts_of(rows, tmp_path, [(0, 40), (30, 60)])
    later = pd.read_csv(paths[1])
    later[column] = np.where(np.arange(len(later)) == 3, later[column] + 0.01, later[column])
    later.to_csv(paths[1], index=False)
    with raising((BarRowsError, "contradicting"), match=column) as caught:
        Bars.from_csv(paths, iv=cases / "base_v.csv")
    assert caught.value.dates == (rows["date"][33],)
    assert "part1.csv" in caught.value.problem


def test_a_part_without_opens_leaves_them_unknown(
    rows: pd.DataFrame, cases: Path, tmp_path: Path
) -> None:
    paths = parts_of(rows, tmp_path, [(0, 40), (30, 60)])
    pd.read_csv(paths[0]).drop(columns="open").to_csv(paths[0], index=False)
    bars = Bars.from_csv(paths, iv=cases / "base_v.csv")
    assert bars.open is not None
    np.testing.assert_array_equal(np.isnan(bars.open), np.arange(60) < 30)


@pytest.mark.parametrize("given_paths", [[], (), [None], ["none.csv", 5]])
def test_a_list_that_names_no_files_is_refused(cases: Path, given_paths: Any) -> None:
    with pytest.raises(FileUnreadableError):
        Bars.from_csv(given_paths, iv=cases / "base_v.csv")


# Frames of other libraries


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("dates", ["text", "days", "midnights", "in Kolkata", "in UTC"])
def test_a_frame_of_another_library_makes_the_same_bars(
    rows: pd.DataFrame, prints: pd.DataFrame, base: Bars, library: str, dates: str
) -> None:
    days = [datetime.date.fromisoformat(day) for day in rows["date"]]
    midnights = [datetime.datetime.combine(day, datetime.time()) for day in days]
    ist = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
    moments = [one.replace(tzinfo=ist).astimezone(datetime.timezone.utc) for one in midnights]
    stamps: dict[str, list[Any]] = {
        "text": rows["date"].tolist(),
        "days": days,
        "midnights": midnights,
        "in Kolkata": moments,
        "in UTC": moments,
    }
    module = pytest.importorskip(library)
    columns = {"Date": stamps[dates], **{name: rows[name].tolist() for name in PRICES}}
    if library == "polars":
        frame = module.DataFrame(columns)
        if dates == "in Kolkata":
            frame = frame.with_columns(module.col("Date").dt.convert_time_zone("Asia/Kolkata"))
    else:
        if dates.startswith("in"):
            zone = "Asia/Kolkata" if dates == "in Kolkata" else "UTC"
            columns["Date"] = module.array(moments, module.timestamp("ns", tz=zone))
        frame = module.table(columns)
    same(Bars.from_frames(frame, foreign(library, prints)), base[-60:])
    # Of a market whose clock is not known the date is taken as it is written.
    if dates == "in Kolkata":
        iv = foreign(library, prints)
        same(Bars.from_frames(frame, iv, market="other"), base[-60:])


@pytest.mark.parametrize("library", LIBRARIES)
def test_another_library_is_read_without_pandas(
    rows: pd.DataFrame,
    prints: pd.DataFrame,
    base: Bars,
    library: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frames = foreign(library, rows), foreign(library, prints)
    monkeypatch.setitem(sys.modules, "pandas", None)
    same(Bars.from_frames(*frames), base[-60:])


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([24000, None], [24000.0, np.nan]),
        (["24,000.50", "-"], [24000.5, np.nan]),
        ([24000.5, None], [24000.5, np.nan]),
    ],
)
def test_cells_of_another_library_are_read_like_those_of_a_file(
    library: str, cells: list[Any], expected: list[float]
) -> None:
    from aegismatrix.market.readers import read_frame

    module = pytest.importorskip(library)
    columns = {"date": ["2026-08-06", "2026-08-07"], "close": cells}
    frame = module.DataFrame(columns) if library == "polars" else module.table(columns)
    table = read_frame(frame, source="frame", required=("close",))
    np.testing.assert_array_equal(table.columns["close"], expected)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("cells", [[True, False], [[1.0], [2.0]], ["12 %", "3"], [{"a": 1}] * 2])
def test_cells_of_another_library_that_are_no_numbers_are_refused(
    library: str, cells: list[Any]
) -> None:
    from aegismatrix.market.readers import read_frame

    module = pytest.importorskip(library)
    columns = {"date": ["2026-08-06", "2026-08-07"], "close": cells}
    frame = module.DataFrame(columns) if library == "polars" else module.table(columns)
    with pytest.raises((UnreadableCellError, ColumnError)) as caught:
        read_frame(frame, source="frame", required=("close",))
    assert caught.value.remedy


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_frame_of_another_library_is_refused_as_one_of_pandas_is(
    library: str, rows: pd.DataFrame, prints: pd.DataFrame
) -> None:
    iv = foreign(library, prints)
    with pytest.raises(ColumnError, match="'high' is missing"):
        Bars.from_frames(foreign(library, rows.drop(columns="high")), iv)
    with pytest.raises(ColumnError, match="'date' is missing"):
        Bars.from_frames(foreign(library, rows.drop(columns="date")), iv)
    with pytest.raises(EmptyBarsError):
        Bars.from_frames(foreign(library, rows).slice(0, 0), iv)
    blank = rows.astype({"date": object})
    blank.loc[3, "date"] = None
    with pytest.raises(UnreadableCellError, match="line 3"):
        Bars.from_frames(foreign(library, blank), iv)


def test_a_lazy_frame_and_a_series_of_polars_are_told_what_to_do(rows: pd.DataFrame) -> None:
    frame = foreign("polars", rows)
    for wrong in (frame.lazy(), frame["close"]):
        with pytest.raises(ColumnError, match=type(wrong).__name__) as caught:
            Bars.from_frames(wrong, frame)
        assert "collect()" in caught.value.remedy


def test_a_batch_of_arrow_is_read_as_a_table_is(
    rows: pd.DataFrame, prints: pd.DataFrame, base: Bars
) -> None:
    (batch,) = foreign("pyarrow", rows).to_batches()
    same(Bars.from_frames(batch, foreign("pyarrow", prints)), base[-60:])


@pytest.mark.parametrize("zone", ["Mars/Olympus", "+99:00"])
def test_a_column_of_moments_in_a_zone_that_nobody_knows_is_a_typed_error(
    rows: pd.DataFrame, prints: pd.DataFrame, zone: str
) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    moments = pyarrow.array(range(len(rows)), pyarrow.timestamp("s", tz=zone))
    table = foreign("pyarrow", rows)
    columns = {name: table[name] for name in table.column_names if name != "date"}
    table = pyarrow.table({**columns, "Date": moments})
    with pytest.raises(MarketError, match=r"zone|offset") as caught:
        Bars.from_frames(table, foreign("pyarrow", prints), market="other")
    assert "+05:30" in caught.value.remedy


@pytest.mark.parametrize("library", LIBRARIES)
def test_chains_and_five_minute_bars_of_another_library_are_read(cases: Path, library: str) -> None:
    chain = pd.read_csv(cases / "chain_ok.csv")
    read = OptionChain.from_frame(foreign(library, chain))
    assert read.call_open_interest.tolist() == chain["CE OI"].tolist()
    five = pd.read_csv(cases / "five_min.csv")
    now = "2026-08-10T08:30:00Z"
    bars = IntradayBars.from_frame(foreign(library, five), now=now)
    assert bars.starts.tolist() == IntradayBars.from_frame(five, now=now).starts.tolist()


# Option chains


def test_open_interest_left_of_the_strike_is_the_calls(cases: Path) -> None:
    read = OptionChain.from_csv(cases / "chain_nse_download.csv")
    plain = OptionChain.from_csv(cases / "chain_ok.csv")
    assert read.strikes.tolist() == plain.strikes.tolist()
    # The download has a blank for the first strike's calls.
    assert read.call_open_interest.tolist() == [0.0, *plain.call_open_interest.tolist()[1:]]
    assert read.put_open_interest.tolist() == plain.put_open_interest.tolist()


def test_the_exchanges_layout_is_known_in_a_frame_too(cases: Path) -> None:
    read = OptionChain.from_csv(cases / "chain_nse_download.csv")
    frame = pd.read_csv(cases / "chain_nse_download.csv", header=1)
    assert "OI.1" in frame.columns
    again = OptionChain.from_frame(frame)
    assert again.call_open_interest.tolist() == read.call_open_interest.tolist()
    assert again.put_open_interest.tolist() == read.put_open_interest.tolist()


def test_the_line_above_says_which_side_is_which(cases: Path, tmp_path: Path) -> None:
    text = (cases / "chain_nse_download.csv").read_text()
    turned = tmp_path / "turned.csv"
    turned.write_text(text.replace("CALLS,,PUTS", "PUTS,,CALLS"))
    read = OptionChain.from_csv(cases / "chain_nse_download.csv")
    assert (
        OptionChain.from_csv(turned).put_open_interest.tolist() == read.call_open_interest.tolist()
    )


def test_two_columns_of_open_interest_that_nothing_tells_apart_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "chain.csv"
    path.write_text("OI,STRIKE,OI\n" + "".join(f"1,{24000 + 50 * n},2\n" for n in range(6)))
    with pytest.raises(ColumnError, match="call open interest") as caught:
        OptionChain.from_csv(path)
    assert "CALLS,,PUTS" in caught.value.remedy
    path.write_text("CALLS,,PUTS\n" + path.read_text())
    assert OptionChain.from_csv(path).put_open_interest.tolist() == [2.0] * 6


def test_json_of_the_exchange_is_read_with_its_expiry(cases: Path) -> None:
    plain = OptionChain.from_csv(cases / "chain_ok.csv")
    read = OptionChain.from_csv(cases / "chain_json_normalized.csv")
    assert read.call_open_interest.tolist() == plain.call_open_interest.tolist()
    assert read.put_open_interest.tolist() == plain.put_open_interest.tolist()
    assert (plain.expiry, read.expiry) == (None, "2026-08-11")


def test_of_several_expiries_the_one_that_is_given_is_taken(cases: Path) -> None:
    week = pd.read_csv(cases / "chain_json_normalized.csv")
    month = week.assign(expiryDate="25-Aug-2026")
    month["CE.openInterest"] *= 2
    both = pd.concat([week, month]).sort_values("strikePrice", kind="stable")
    records = json.loads(both.to_json(orient="records"))
    frame = pd.json_normalize(records)
    for expiry, factor in (("2026-08-11", 1), (datetime.date(2026, 8, 25), 2)):
        chain = OptionChain.from_frame(frame, expiry=expiry)
        assert chain.expiry == str(expiry)
        assert chain.call_open_interest.tolist() == (factor * week["CE.openInterest"]).tolist()
    with raising((ChainError, "expiries"), match="2026-08-11, 2026-08-25"):
        OptionChain.from_frame(frame)
    with raising((ChainError, "expiries"), match="no row of 2026-08-18"):
        OptionChain.from_frame(frame, expiry="2026-08-18")


# What is no table


def a_zip(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, "date,close\n2026-08-07,1\n")
    return out.getvalue()


NO_TABLES: list[tuple[bytes, str, str]] = [
    (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n",
        "Git LFS",
        "git lfs pull",
    ),
    (b"<!DOCTYPE html>\n<html><body>Access Denied</body></html>", "HTML", "download"),
    (b"\xef\xbb\xbf\n\n  <HTML>\n<head></head></HTML>", "HTML", "download"),
    (gzip.compress(b"date,close\n"), "gzip", "gunzip"),
    (a_zip("nifty.csv"), "zip", "unzip"),
    (a_zip("[Content_Types].xml", "xl/workbook.xml"), "Excel", "save the sheet as CSV"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "Excel", "save the sheet as CSV"),
    (b"PAR1" + bytes(100), "Parquet", "from_frames"),
]


@pytest.mark.parametrize(("data", "what", "step"), NO_TABLES, ids=lambda one: str(one)[:12])
@pytest.mark.parametrize(
    "read",
    [
        lambda path: Bars.from_csv(path, iv=path),
        lambda path: Bars.from_csv([path, path], iv=path),
        IntradayBars.from_csv,
        OptionChain.from_csv,
    ],
    ids=["bars", "parts", "five minutes", "chain"],
)
def test_what_is_no_table_is_named_with_the_step_that_mends_it(
    tmp_path: Path, data: bytes, what: str, step: str, read: Callable[[Path], object]
) -> None:
    path = tmp_path / "nifty.csv"
    path.write_bytes(data)
    with pytest.raises(FileUnreadableError, match=what) as caught:
        read(path)
    assert step in caught.value.remedy
    assert str(caught.value).count(caught.value.remedy) == 1


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    start=st.sampled_from([data for data, _, _ in NO_TABLES]),
    length=st.integers(0, 120),
    rest=st.binary(max_size=40),
)
def test_a_torn_file_of_any_kind_is_one_typed_error(
    tmp_path: Path, start: bytes, length: int, rest: bytes
) -> None:
    path = tmp_path / "torn.csv"
    path.write_bytes(start[:length] + rest)
    for read in (lambda: Bars.from_csv(path, iv=path), lambda: OptionChain.from_csv(path)):
        with pytest.raises(BarsError):
            read()
