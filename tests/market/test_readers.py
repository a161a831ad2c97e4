"""Reading dated tables: what is understood, what is refused, and how the refusal reads."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegismatrix.errors import (
    BarsError,
    ColumnError,
    EmptyBarsError,
    FileUnreadableError,
    MissingExtraError,
    UnreadableCellError,
)
from aegismatrix.market.arrays import as_dates
from aegismatrix.market.cells import read_number, read_numbers
from aegismatrix.market.readers import read_csv, read_csv_columns, read_frame
from aegismatrix.market.sheets import path_text

WriteCsv = Callable[[str], Path]

IST = timezone(timedelta(hours=5, minutes=30))
LAST_DAY = "2024-12-31"


@pytest.fixture
def csv_file(tmp_path: Path) -> WriteCsv:
    def write(text: str) -> Path:
        path = tmp_path / "bars.csv"
        path.write_bytes(text.encode("utf-8"))
        return path

    return write


@pytest.fixture
def frame() -> pd.DataFrame:
    index = pd.DatetimeIndex(["2024-12-30", LAST_DAY])
    columns = {"High": [2.5, 3.5], "Low": [1.5, 2.5], "Close": [2.0, 3.0]}
    table: pd.DataFrame = pd.DataFrame(columns, index=index)
    return table


def read_closes(path: Path, **options: Any) -> list[float]:
    closes: list[float] = read_csv(path, required=("close",), **options).columns["close"].tolist()
    return closes


def read_days(path: Path, **options: Any) -> list[str]:
    days: list[str] = read_csv(path, required=("close",), **options).dates.astype(str).tolist()
    return days


def refused_cell(read: Callable[[], object]) -> UnreadableCellError:
    with pytest.raises(UnreadableCellError) as caught:
        read()
    error = caught.value
    assert f"line {error.line}: {error.text!r}" in str(error)
    assert str(error).endswith(error.remedy)
    return error


def refused_column(read: Callable[[], object]) -> ColumnError:
    with pytest.raises(ColumnError) as caught:
        read()
    error = caught.value
    assert repr(error.column) in str(error)
    assert str(list(error.found)) in str(error)
    return error


@pytest.mark.parametrize(
    "header",
    [
        "date,close",
        "DATE,CLOSE",
        " Date , Close ",
        "\ufeffDate,Close",
        "Date,Close*",
        '"Trade Date","Closing  Price"',
        "timestamp,Price",
        ",Close",
        "Unnamed: 0,close_price",
    ],
)
def test_a_header_is_known_in_any_spelling(csv_file: WriteCsv, header: str) -> None:
    path = csv_file(f"{header}\n2024-12-30,2.0\n2024-12-31,3.0\n")
    assert read_closes(path) == [2.0, 3.0]
    assert read_days(path) == ["2024-12-30", LAST_DAY]


def test_columns_are_found_in_any_order_and_others_ignored(csv_file: WriteCsv) -> None:
    path = csv_file(f"Volume,Close,Low,Date,High,Open\n9,3,1,{LAST_DAY},4,2\n")
    columns = read_csv(path, required=("high", "low", "close"), optional=("open",)).columns
    assert {name: values.tolist() for name, values in columns.items()} == {
        "open": [2.0],
        "high": [4.0],
        "low": [1.0],
        "close": [3.0],
    }


def test_an_optional_column_may_be_missing(csv_file: WriteCsv) -> None:
    path = csv_file(f"date,close\n{LAST_DAY},3\n")
    assert list(read_csv(path, required=("close",), optional=("open",)).columns) == ["close"]


@pytest.mark.parametrize("name", ["Close", "Price", "IV", "VIX", "India VIX", "VIXCLS"])
def test_iv_is_a_close_by_any_of_its_names(csv_file: WriteCsv, name: str) -> None:
    path = csv_file(f"date,open,{name}\n{LAST_DAY},1,14.5\n")
    assert read_csv(path, required=("iv",)).columns["iv"].tolist() == [14.5]


@pytest.mark.parametrize("name", ["Adj Close", "Adj Close**", "adj_close", "Prev. Close"])
def test_another_close_is_never_taken_for_close(csv_file: WriteCsv, name: str) -> None:
    path = csv_file(f"Date,{name}\n{LAST_DAY},3\n")
    error = refused_column(lambda: read_closes(path))
    assert error.column == "close"
    assert error.source == str(path)
    assert "'Adj Close' is not 'close'" in error.remedy


@pytest.mark.parametrize("header", ["Date,Close*,Adj Close**", "Date,Close,Adj Close"])
def test_close_is_taken_where_adjusted_close_stands_beside_it(
    csv_file: WriteCsv, header: str
) -> None:
    assert read_closes(csv_file(f"{header}\n{LAST_DAY},3,7\n")) == [3.0]


@pytest.mark.parametrize("header", ["Date,Close,Price", "Date,Close,close"])
def test_two_columns_for_close_are_ambiguous(csv_file: WriteCsv, header: str) -> None:
    path = csv_file(f"{header}\n{LAST_DAY},3,7\n")
    error = refused_column(lambda: read_closes(path))
    assert error.column == "close"
    assert "more than once" in error.problem


def test_two_columns_of_dates_are_ambiguous(csv_file: WriteCsv) -> None:
    path = csv_file(f"Date,Time,Close\n{LAST_DAY},09:15,3\n")
    error = refused_column(lambda: read_closes(path))
    assert error.column == "date"
    assert "more than once" in error.problem


def test_a_missing_column_names_what_is_there(csv_file: WriteCsv) -> None:
    path = csv_file(f"Date,High,Close\n{LAST_DAY},4,3\n")
    error = refused_column(lambda: read_csv(path, required=("high", "low", "close")))
    assert error.column == "low"
    assert error.found == ("date", "high", "close")
    assert error.rows == ()


def test_a_missing_date_column_is_refused(csv_file: WriteCsv) -> None:
    assert refused_column(lambda: read_closes(csv_file("close,high\n3,4\n"))).column == "date"


def test_leading_comments_and_blank_lines_are_skipped(csv_file: WriteCsv) -> None:
    path = csv_file(f"# a, b, c; d\n\n  # more\ndate,close\n\n{LAST_DAY},3\n   \n")
    assert read_closes(path) == [3.0]


def test_a_byte_order_mark_hides_no_comment(csv_file: WriteCsv) -> None:
    assert read_closes(csv_file(f"\ufeff# note\ndate,close\n{LAST_DAY},3\n")) == [3.0]


def test_a_comment_below_the_header_is_refused(csv_file: WriteCsv) -> None:
    path = csv_file(f"date,close\n# note\n{LAST_DAY},3\n")
    assert refused_cell(lambda: read_closes(path)).line == 2


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_the_delimiter_is_taken_from_the_header(
    csv_file: WriteCsv, delimiter: str, ending: str
) -> None:
    lines = [("date", "high", "close"), ("2024-12-30", "4", "2.5"), (LAST_DAY, "5", "3.5")]
    path = csv_file(ending.join(delimiter.join(line) for line in lines))
    assert read_closes(path) == [2.5, 3.5]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("23644.80", 23644.8),
        (" 23644.8 ", 23644.8),
        ("+12", 12.0),
        ("-12.5", -12.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("1.2e3", 1200.0),
        ("inf", np.inf),
        ('"23,644.80"', 23644.8),
        ('"1,234,567"', 1234567.0),
        ('"1,23,456.75"', 123456.75),
    ],
)
def test_numbers_are_read_as_written(csv_file: WriteCsv, text: str, value: float) -> None:
    assert read_closes(csv_file(f"date,close\n{LAST_DAY},{text}\n")) == [value]


@pytest.mark.parametrize(
    "text",
    ["13,5", "23644,80", "23.644,80", "1_000", "0x10", "1 000", "12 %", "$5", "1e", "--1", "12a"],
)
def test_what_is_no_plain_number_is_refused_with_its_line(csv_file: WriteCsv, text: str) -> None:
    path = csv_file(f"# made by hand\ndate;close\n2024-12-30;2\n{LAST_DAY};{text}\n")
    error = refused_cell(lambda: read_closes(path))
    assert (error.line, error.column, error.text) == (4, "close", text)
    assert "decimal point" in error.remedy


def test_a_long_cell_is_quoted_in_part(csv_file: WriteCsv) -> None:
    path = csv_file(f"date,close\n{LAST_DAY},{'x' * 5000}\n")
    assert refused_cell(lambda: read_closes(path)).text == "x" * 80


@pytest.mark.parametrize("text", ["", "  ", ".", "-", "NA", "n/a", "null", "None", "NaN", "#N/A"])
def test_a_blank_cell_becomes_nan(csv_file: WriteCsv, text: str) -> None:
    path = csv_file(f"date,close\n2024-12-30,{text}\n{LAST_DAY},3\n")
    np.testing.assert_array_equal(read_closes(path), [np.nan, 3.0])


@pytest.mark.parametrize("row", [LAST_DAY, f"{LAST_DAY},3,4", f"{LAST_DAY},23,644.80"])
def test_a_ragged_row_is_refused_with_its_line(csv_file: WriteCsv, row: str) -> None:
    path = csv_file(f"# note\ndate,close\n2024-12-30,2\n\n{row}\n")
    error = refused_cell(lambda: read_closes(path))
    assert (error.line, error.column, error.text) == (5, "row of 2 cells", row)


@pytest.mark.parametrize(
    "text",
    [
        "2024-12-31",
        " 2024-12-31 ",
        "2024-12-31T10:00:00Z",
        "2024-12-31T10:00:00z",
        "2024-12-31T15:30:00+0530",
        "2024-12-31T15:30:00+05:30",
        "2024-12-31 00:00:00+05:30",
        "31-DEC-2024",
        "31-Dec-2024",
        "31 Dec 2024",
        "31-December-2024",
        '"Dec 31, 2024"',
        '"December 31, 2024"',
        "2024/12/31",
        "20241231",
    ],
)
def test_a_date_is_read_in_any_unambiguous_form(csv_file: WriteCsv, text: str) -> None:
    path = csv_file(f"date,close\n{text},3\n")
    assert read_days(path, clock=IST) == [LAST_DAY]
    assert read_days(path) == [LAST_DAY]


@pytest.mark.parametrize(
    "text",
    [
        "03/04/2024",
        "31/12/2024",
        "31.12.2024",
        "12-31-24",
        "2024-02-30",
        "2024-13-01",
        "2024-1-5",
        "45657",
        "1735603200",
        "Tuesday",
        "nan",
        "",
    ],
)
def test_a_date_that_could_be_misread_is_refused_and_explained(
    csv_file: WriteCsv, text: str
) -> None:
    path = csv_file(f"date,close\n2024-01-02,2\n{text},3\n")
    error = refused_cell(lambda: read_days(path))
    assert (error.line, error.column, error.text) == (3, "date", text)
    assert "date_format" in error.remedy


@pytest.mark.parametrize("text", ["202411", "2024111", "2024123"])
def test_a_compact_date_with_too_few_digits_is_refused(csv_file: WriteCsv, text: str) -> None:
    path = csv_file(f"date,close\n{text},3\n")
    assert refused_cell(lambda: read_days(path)).text == text


@pytest.mark.parametrize("text", ["2024-12-31123", "2024-12-31x05", "2024-12-31-0530"])
def test_a_date_with_something_stuck_to_it_is_refused(csv_file: WriteCsv, text: str) -> None:
    path = csv_file(f"date,close\n{text},3\n")
    assert refused_cell(lambda: read_days(path)).text == text


@pytest.mark.parametrize(
    ("date_format", "day"), [("%d/%m/%Y", "2024-04-03"), ("%m/%d/%Y", "2024-03-04")]
)
def test_a_date_format_settles_an_ambiguous_date(
    csv_file: WriteCsv, date_format: str, day: str
) -> None:
    path = csv_file("date,close\n03/04/2024,3\n")
    assert read_days(path, date_format=date_format) == [day]


def test_iso_dates_are_read_besides_a_date_format_and_no_others(csv_file: WriteCsv) -> None:
    path = csv_file(f"date,close\n{LAST_DAY},3\n30/12/2024,3\n")
    assert read_days(path, date_format="%d/%m/%Y") == [LAST_DAY, "2024-12-30"]
    path = csv_file("date,close\n31-Dec-2024,3\n")
    assert refused_cell(lambda: read_days(path, date_format="%d/%m/%Y")).text == "31-Dec-2024"


@pytest.mark.parametrize("date_format", ["%Y-%m-%m", "%Q", "%", "(", "%d/%m"])
def test_a_date_format_that_makes_no_sense_is_refused(csv_file: WriteCsv, date_format: str) -> None:
    path = csv_file(f"date,close\n{LAST_DAY},3\n")
    with pytest.raises(BarsError, match="does not say a day"):
        read_days(path, date_format=date_format)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2024-12-30T18:30:00Z", "2024-12-31"),
        ("2024-12-30T18:29:59Z", "2024-12-30"),
        ("2024-12-30T13:30:00-05:00", "2024-12-31"),
        ("2024-12-31T00:00:00+05:30", "2024-12-31"),
        ("2024-12-31T00:00:00+0900", "2024-12-30"),
    ],
)
def test_a_stamp_with_an_offset_is_moved_to_the_exchange(
    csv_file: WriteCsv, text: str, day: str
) -> None:
    path = csv_file(f"date,close\n{text},3\n")
    assert read_days(path, clock=IST) == [day]
    assert read_days(path) == [text[:10]]


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00"])
def test_a_stamp_at_the_end_of_the_calendar_is_refused(csv_file: WriteCsv, text: str) -> None:
    path = csv_file(f"date,close\n{text},3\n")
    assert refused_cell(lambda: read_days(path, clock=IST)).text == text


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("date,close\n2024-12-31,3\n".encode("utf-16"), "not UTF-8"),
        (b"date,close\n2024-12-31,\xff\n", "not UTF-8"),
        (b'date,close\n2024-12-31,"' + b"3" * 200_000, "field larger than field limit"),
    ],
)
def test_what_is_not_a_text_table_is_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "bars.csv"
    path.write_bytes(data)
    with pytest.raises(FileUnreadableError, match=reason) as caught:
        read_closes(path)
    assert caught.value.path == str(path)
    assert "UTF-8" in caught.value.remedy


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(FileUnreadableError, match="No such file") as missing:
        read_closes(tmp_path / "none.csv")
    assert missing.value.path == str(tmp_path / "none.csv")
    with pytest.raises(FileUnreadableError, match=r"directory|Permission"):
        read_closes(tmp_path)


def test_a_path_that_no_system_accepts_is_refused() -> None:
    with pytest.raises(FileUnreadableError, match="null"):
        read_csv("bars\0.csv", required=("close",))


@pytest.mark.parametrize("path", [None, 0, 12345, True, 3.5, b"bars.csv", {"bars.csv"}, object()])
def test_what_is_no_path_is_refused(path: Any) -> None:
    for read in (read_csv, read_csv_columns):
        with pytest.raises(FileUnreadableError, match="not a path") as caught:
            read(path, required=("close",))
        assert caught.value.path == repr(path)


def test_a_path_is_text_or_says_its_text() -> None:
    assert path_text("a/b.csv") == path_text(Path("a/b.csv")) == str(Path("a/b.csv"))


def test_a_file_beyond_the_size_limit_is_refused(
    csv_file: WriteCsv, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = csv_file(f"date,close\n{LAST_DAY},3\n")
    monkeypatch.setattr("aegismatrix.market.sheets.MAX_FILE_BYTES", path.stat().st_size)
    assert read_closes(path) == [3.0]
    monkeypatch.setattr("aegismatrix.market.sheets.MAX_FILE_BYTES", path.stat().st_size - 1)
    with pytest.raises(FileUnreadableError, match="larger than"):
        read_closes(path)


@pytest.mark.parametrize("text", ["", "\n \n", "# only a comment\n", "date,close\n", "date,close"])
def test_a_file_without_rows_is_refused(csv_file: WriteCsv, text: str) -> None:
    path = csv_file(text)
    with pytest.raises(EmptyBarsError, match="has no rows") as caught:
        read_closes(path)
    assert caught.value.source == str(path)


def test_a_frame_with_a_naive_index_is_read_as_it_stands(frame: pd.DataFrame) -> None:
    table = read_frame(frame, source="frame", required=("high", "low", "close"), clock=IST)
    assert table.dates.astype(str).tolist() == ["2024-12-30", LAST_DAY]
    assert table.columns["high"].tolist() == [2.5, 3.5]
    assert table.columns["low"].tolist() == [1.5, 2.5]
    assert table.columns["close"].tolist() == [2.0, 3.0]


@pytest.mark.parametrize(
    ("zone", "days"),
    [
        ("UTC", ["2024-12-31", "2025-01-01"]),
        ("Asia/Kolkata", ["2024-12-30", "2024-12-31"]),
    ],
)
def test_a_frame_with_an_aware_index_is_moved_to_the_exchange(
    frame: pd.DataFrame, zone: str, days: list[str]
) -> None:
    clock = frame.set_axis(pd.DatetimeIndex(frame.index) + pd.Timedelta(hours=20), axis=0)
    aware = clock.tz_localize(zone)
    table = read_frame(aware, source="frame", required=("close",), clock=IST)
    assert table.dates.astype(str).tolist() == days


@pytest.mark.parametrize(
    "days",
    [
        ["2024-12-30", LAST_DAY],
        [date(2024, 12, 30), date(2024, 12, 31)],
        pd.to_datetime(["2024-12-30", LAST_DAY]),
        ["30-DEC-2024", "31-DEC-2024"],
    ],
)
def test_a_frame_may_carry_its_dates_in_a_column(days: Sequence[object]) -> None:
    frame = pd.DataFrame({"Close": [2.0, 3.0], "Date": days})
    table = read_frame(frame, source="frame", required=("close",))
    assert table.dates.astype(str).tolist() == ["2024-12-30", LAST_DAY]
    assert table.columns["close"].tolist() == [2.0, 3.0]


@pytest.mark.parametrize("missing", [None, pd.NaT, "03/04/2024", 45657])
def test_a_frame_with_an_unreadable_date_is_refused_with_its_row(missing: object) -> None:
    days = pd.Series(["2024-12-30", missing], dtype=object)
    frame = pd.DataFrame({"date": days, "close": [2.0, 3.0]})
    error = refused_cell(lambda: read_frame(frame, source="frame", required=("close",)))
    assert (error.line, error.column, error.text) == (1, "date", str(missing))


def test_a_frame_with_a_blank_in_its_index_is_refused(frame: pd.DataFrame) -> None:
    torn = frame.set_axis(pd.DatetimeIndex(["2024-12-30", pd.NaT]), axis=0)
    error = refused_cell(lambda: read_frame(torn, source="frame", required=("close",)))
    assert (error.line, error.text) == (1, "NaT")


def test_a_series_serves_as_iv_whatever_its_name() -> None:
    index = pd.DatetimeIndex(["2024-12-30", LAST_DAY])
    series = pd.Series([14.0, 14.5], index=index, name="Adj Close")
    table = read_frame(series, source="iv", required=("iv",))
    assert table.columns["iv"].tolist() == [14.0, 14.5]


def test_a_series_cannot_serve_as_the_index(frame: pd.DataFrame) -> None:
    error = refused_column(
        lambda: read_frame(frame["Close"], source="frame", required=("high", "low", "close"))
    )
    assert (error.column, error.found) == ("high", ("Close",))


def test_what_is_no_frame_is_refused() -> None:
    rows: Any = [("2024-12-31", 3.0)]
    error = refused_column(lambda: read_frame(rows, source="frame", required=("close",)))
    assert (error.column, error.found) == ("date", ("list",))


def test_a_frame_without_rows_is_refused(frame: pd.DataFrame) -> None:
    with pytest.raises(EmptyBarsError, match="frame has no rows"):
        read_frame(frame.iloc[:0], source="frame", required=("close",))


def test_a_frame_without_dates_is_refused(frame: pd.DataFrame) -> None:
    undated = frame.reset_index(drop=True)
    error = refused_column(lambda: read_frame(undated, source="frame", required=("close",)))
    assert (error.column, error.found) == ("date", ("high", "low", "close"))


@pytest.mark.parametrize("ticker_first", [False, True])
@pytest.mark.parametrize("ticker", ["^NSEI", "^VIX"])
def test_a_download_of_one_ticker_is_read(
    frame: pd.DataFrame, ticker: str, ticker_first: bool
) -> None:
    pairs = [(ticker, name) if ticker_first else (name, ticker) for name in frame.columns]
    download = frame.set_axis(pd.MultiIndex.from_tuples(pairs), axis=1)
    table = read_frame(download, source="download", required=("high", "close"))
    assert table.columns["high"].tolist() == [2.5, 3.5]
    assert table.columns["close"].tolist() == [2.0, 3.0]
    iv = read_frame(download, source="download", required=("iv",))
    assert iv.columns["iv"].tolist() == [2.0, 3.0]


def test_a_download_of_a_single_column_is_read(frame: pd.DataFrame) -> None:
    columns = pd.MultiIndex.from_tuples([("Close", "^INDIAVIX")])
    download = frame[["Close"]].set_axis(columns, axis=1)
    table = read_frame(download, source="download", required=("iv",))
    assert table.columns["iv"].tolist() == [2.0, 3.0]


@pytest.mark.parametrize("ticker_first", [False, True])
def test_a_download_of_two_tickers_is_ambiguous(frame: pd.DataFrame, ticker_first: bool) -> None:
    pair = pd.concat({"^NSEI": frame, "^GSPC": frame}, axis=1)
    if not ticker_first:
        pair = pair.swaplevel(axis="columns")
    error = refused_column(lambda: read_frame(pair, source="pair", required=("close",)))
    assert error.column == "close"


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["23,644.80", "3"], [23644.8, 3.0]),
        (["NA", "3"], [np.nan, 3.0]),
        ([None, 3], [np.nan, 3.0]),
        ([pd.NA, 3.5], [np.nan, 3.5]),
        ([Decimal("2.5"), "3"], [2.5, 3.0]),
        (pd.array([2, None], dtype="Int64"), [2.0, np.nan]),
        (np.array([2, 3], dtype=np.int32), [2.0, 3.0]),
    ],
)
def test_a_frame_of_numbers_or_text_is_read_like_a_file(cells: Any, values: list[float]) -> None:
    index = pd.DatetimeIndex(["2024-12-30", LAST_DAY])
    if isinstance(cells, list):
        cells = pd.Series(cells, index=index, dtype=object)
    frame = pd.DataFrame({"close": cells}, index=index)
    table = read_frame(frame, source="frame", required=("close",))
    np.testing.assert_array_equal(table.columns["close"], values)


@pytest.mark.parametrize("cell", ["13,5", "1_000", "x", 1j, datetime(2024, 12, 31), True])
def test_a_frame_cell_that_is_no_number_is_refused_with_its_row(cell: object) -> None:
    index = pd.DatetimeIndex(["2024-12-30", LAST_DAY])
    frame = pd.DataFrame({"close": pd.Series(["2", cell], index=index, dtype=object)})
    error = refused_cell(lambda: read_frame(frame, source="frame", required=("close",)))
    assert (error.line, error.column, error.text) == (1, "close", str(cell))


def test_a_frame_cell_beyond_all_floats_is_infinite_as_in_a_file() -> None:
    index = pd.DatetimeIndex(["2024-12-30", LAST_DAY])
    frame = pd.DataFrame({"close": pd.Series([2, 10**400], index=index, dtype=object)})
    table = read_frame(frame, source="frame", required=("close",))
    assert table.columns["close"].tolist() == [2.0, np.inf]


def test_without_pandas_the_extra_is_named(
    frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError) as caught:
        read_frame(frame, source="frame", required=("close",))
    assert (caught.value.package, caught.value.extra) == ("pandas", "frames")
    assert "pip install -e '.[frames]'" in str(caught.value)
    assert isinstance(caught.value, ImportError)


@pytest.mark.parametrize(
    "values",
    [
        np.array(["2024-12-30", LAST_DAY], dtype="datetime64[ns]"),
        np.array(["2024-12-30", LAST_DAY]),
        ["2024-12-30", "20241231"],
        [date(2024, 12, 30), datetime(2024, 12, 31)],
        [np.datetime64("2024-12-30"), np.datetime64(LAST_DAY)],
        pd.DatetimeIndex(["2024-12-29T18:30", "2024-12-30T18:30"], tz="UTC"),
        [
            datetime(2024, 12, 29, 18, 30, tzinfo=timezone.utc),
            datetime(2024, 12, 30, 18, 30, tzinfo=timezone.utc),
        ],
    ],
)
def test_an_array_of_dates_is_read_in_any_form(values: object) -> None:
    assert as_dates(values, "days", IST).astype(str).tolist() == ["2024-12-30", LAST_DAY]


@pytest.mark.parametrize(
    ("values", "line"),
    [
        (np.array(["2024-12-30", "NaT"], dtype="datetime64[D]"), 1),
        (["2024-12-30", None], 1),
        ([20241230, 20241231], 0),
        ([1.5], 0),
        (["2024-12-30", "03/04/2024"], 1),
        ([["2024-12-30"], ["2024-12-30", LAST_DAY]], 0),
    ],
)
def test_an_array_that_holds_no_dates_is_refused(values: object, line: int) -> None:
    error = refused_cell(lambda: as_dates(values, "days"))
    assert (error.source, error.line, error.column) == ("days", line, "date")


def test_a_masked_date_is_not_read_from_under_its_mask() -> None:
    dates = np.array(["2024-12-30", LAST_DAY], dtype="datetime64[D]")
    assert as_dates(np.ma.masked_array(dates), "arrays").tolist() == dates.tolist()
    with pytest.raises(UnreadableCellError, match="masked") as caught:
        as_dates(np.ma.masked_array(dates, mask=[False, True]), "arrays")
    assert caught.value.line == 1


@pytest.mark.parametrize("day", ["-0044-03-15", "0999-12-31", "10000-01-01", "292000-01-01"])
@pytest.mark.parametrize("unit", ["D", "s"])
def test_a_day_whose_year_has_not_four_digits_is_refused(day: str, unit: Any) -> None:
    dates = np.array([LAST_DAY, day], dtype="datetime64[s]")
    with pytest.raises(UnreadableCellError) as caught:
        as_dates(dates, "arrays", unit=unit)
    assert caught.value.line == 1
    assert day[-5:] in caught.value.text
    assert len(as_dates(["1000-01-01", "9999-12-31"], "arrays", unit=unit)) == 2
    with pytest.raises(UnreadableCellError):
        as_dates([date(999, 12, 31)], "arrays", unit=unit)


def test_years_that_no_count_of_days_reaches_are_refused() -> None:
    with pytest.raises(UnreadableCellError):
        as_dates(np.array([2**62, 2**61 + 1], dtype="datetime64[Y]"), "arrays")


@pytest.mark.parametrize("as_column", [False, True])
def test_a_frame_of_days_that_python_has_not_is_refused(
    frame: pd.DataFrame, as_column: bool
) -> None:
    far = frame.index.to_numpy().astype("datetime64[s]") + np.timedelta64(3_000_000, "D")
    frame = frame.set_axis(pd.DatetimeIndex(far))
    frame = frame.reset_index(names="date") if as_column else frame
    with pytest.raises(UnreadableCellError, match="10238") as caught:
        read_frame(frame, source="frame", required=("close",))
    assert caught.value.line == 0


@pytest.mark.parametrize("as_column", [False, True])
def test_a_moment_in_a_frame_is_whole_seconds_to_the_nanosecond(
    frame: pd.DataFrame, as_column: bool
) -> None:
    frame = frame.set_axis(pd.DatetimeIndex(frame.index).as_unit("ns") + pd.Timedelta(7, "ns"))
    frame = frame.reset_index(names="date") if as_column else frame
    with pytest.raises(UnreadableCellError, match="moment"):
        read_frame(frame, source="frame", required=("close",), unit="s")


@pytest.mark.parametrize(
    "date_format", ["\ud800%Y-%m-%d", "%Y\0%m%d", 5, b"%Y-%m-%d", "%d/%m", "%d %B"]
)
def test_a_date_format_that_is_none_is_refused(csv_file: WriteCsv, date_format: Any) -> None:
    path = csv_file(f"date,close\n{LAST_DAY},2\n")
    with pytest.raises(BarsError, match="does not say a day"):
        read_csv(path, required=("close",), date_format=date_format)


@given(
    st.lists(
        st.from_regex(r"\A[0-9.]{0,6}\Z")
        | st.sampled_from(["1,234.5", " 7 ", "-", "nan", "1e3", "1_0", "\u0661", "+2", "-3.5", "x"])
    )
)
def test_a_column_is_read_as_its_cells_are_one_by_one(cells: list[str]) -> None:
    def outcome(read: Callable[[], list[float]]) -> object:
        try:
            return [str(value) for value in read()]
        except UnreadableCellError as error:
            return str(error)

    lines = range(5, 5 + len(cells))
    whole = outcome(lambda: read_numbers(cells, lines, "file.csv", "close").tolist())
    assert whole == outcome(
        lambda: [
            read_number(text, "file.csv", line, "close")
            for line, text in zip(lines, cells, strict=True)
        ]
    )
