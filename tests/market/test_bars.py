"""Bars: what makes an instance valid, how iv is aligned, and how each fault is told."""

from __future__ import annotations

import copy
import csv
import dataclasses
import multiprocessing
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import pytest
from aegismatrix_factory.evaluate.markets import MarketSource
from hypothesis import given, settings
from hypothesis import strategies as st

from aegismatrix.errors import (
    BarRowsError,
    BarsError,
    CalendarGapError,
    ChainError,
    ColumnError,
    EmptyBarsError,
    FileUnreadableError,
    FrozenBarsError,
    FutureBarsError,
    InsufficientHistoryError,
    IvUnavailableError,
    LengthMismatchError,
    MarketError,
    MissingExtraError,
    ScaleError,
    UnreadableCellError,
)
from aegismatrix.market.arrays import ONE_DAY
from aegismatrix.market.bars import (
    Bars,
    IvFill,
)
from aegismatrix.market.thresholds import (
    FROZEN_PRINTS,
    FROZEN_ROWS,
    IV_CARRY_TRADING_DAYS,
    MAX_GAP_CALENDAR_DAYS,
)
from tests.raising import raising

Columns = dict[str, Any]
Error = TypeVar("Error", bound=BarsError)

ROWS = 40
PRICES = ("high", "low", "close")


def columns_of(bars: Bars) -> Columns:
    names = ("dates", "open", *PRICES, "iv")
    return {name: getattr(bars, name).copy() for name in names}


@pytest.fixture
def columns(sample: Bars) -> Columns:
    return columns_of(sample[-ROWS:])


@pytest.fixture(scope="module")
def worker() -> Iterator[ProcessPoolExecutor]:
    # Spawned, since forking a process that runs threads is deprecated and would warn.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


@pytest.mark.parametrize("market", ["bse", None, 5, np.array(["nifty"])])
def test_what_names_no_market_is_refused(columns: Columns, market: Any) -> None:
    with pytest.raises(MarketError, match="no market"):
        make(columns, market=market)


def make(columns: Columns, **options: Any) -> Bars:
    return Bars.from_arrays(**columns, **{"market": "other", **options})


def refusal(kind: type[Error] | tuple[type[Error], str], columns: Columns, **options: Any) -> Error:
    with raising(kind) as caught:
        make(columns, **options)
    error = caught.value
    assert type(error) in (kind, *(kind if isinstance(kind, tuple) else ()))
    assert str(error) == f"{error.problem} {error.remedy}"
    return error


def assert_names(error: BarsError, columns: Columns, *rows: int, dates: str = "dates") -> None:
    days = [str(columns[dates][row]) for row in rows]
    assert error.rows == rows
    assert error.dates == tuple(days)
    for row, day in list(zip(rows, days, strict=True))[:5]:
        assert f"row {row} ({day})" in error.problem


def without_prints(columns: Columns, *rows: int) -> Columns:
    dates = np.delete(columns["dates"], rows)
    return {**columns, "iv_dates": dates, "iv": np.delete(columns["iv"], rows)}


def without_days(columns: Columns, *rows: int) -> Columns:
    cut = {name: np.delete(columns[name], rows) for name in ("dates", "open", *PRICES)}
    return {**cut, "iv_dates": columns["dates"], "iv": columns["iv"]}


def fill(columns: Columns, row: int, printed: int, trading_days: int) -> IvFill:
    return IvFill(str(columns["dates"][row]), str(columns["dates"][printed]), trading_days)


def csv_text(columns: Columns) -> str:
    lines = [",".join(columns)]
    lines += [",".join(map(str, row)) for row in zip(*columns.values(), strict=True)]
    return "\n".join(lines) + "\n"


def write_pair(folder: Path, columns: Columns) -> tuple[Path, Path]:
    index, iv = folder / "index.csv", folder / "iv.csv"
    prices = {name: columns[name].tolist() for name in ("open", *PRICES)}
    index.write_text(csv_text({"date": columns["dates"], **prices}), encoding="utf-8")
    iv_days = columns.get("iv_dates", columns["dates"])
    iv.write_text(csv_text({"date": iv_days, "close": columns["iv"].tolist()}), encoding="utf-8")
    return index, iv


def same(one: Bars, other: Bars) -> bool:
    return one.digest() == other.digest() and one.iv_fills == other.iv_fills


def test_the_sample_is_what_its_readme_says(sample: Bars) -> None:
    assert repr(sample) == (
        "Bars(1257 of 'other' from sp500_daily.csv, 2014-01-03 to 2018-12-31,"
        " close 2506.85, iv 25.42 %)"
    )
    assert len(sample) == 1257
    assert sample.iv_fills == ()


def test_real_bars_carry_the_prints_of_their_own_files(
    market_sources: tuple[MarketSource, ...], nifty: Bars, sp500: Bars
) -> None:
    for source, bars in zip(market_sources, (nifty, sp500), strict=True):
        with source.index.open() as index_file, source.iv.open() as iv_file:
            index = {row["date"]: row for row in csv.DictReader(index_file)}
            prints = {row["date"]: float(row["close"]) for row in csv.DictReader(iv_file)}
        assert bars.dates.astype(str).tolist() == list(index)
        assert len(prints) > len(bars)
        for name in PRICES:
            assert getattr(bars, name).tolist() == [float(row[name]) for row in index.values()]
        assert bars.iv.tolist() == [prints[day] for day in index]
    placeholders = (
        IvFill("2021-02-12", "2021-02-11", 1),
        IvFill("2021-03-30", "2021-03-26", 1),
    )
    assert (nifty.iv_fills, sp500.iv_fills) == (placeholders, ())


def test_a_print_of_a_day_that_the_index_lacks_serves_the_next_day(
    market_sources: tuple[MarketSource, ...], nifty: Bars, tmp_path: Path
) -> None:
    source = market_sources[0]
    lines = source.iv.read_text().splitlines()
    days = [line.split(",")[0] for line in lines]
    special = days.index("2012-03-03")
    assert "2012-03-03" not in set(nifty.dates.astype(str))
    iv = tmp_path / "iv.csv"
    iv.write_text("\n".join(lines[: special + 1] + lines[special + 2 :]))
    bars = Bars.from_csv(source.index, iv=iv)
    assert bars.iv_fills == (IvFill(days[special + 1], "2012-03-03", 1), *nifty.iv_fills)
    row = bars.dates.astype(str).tolist().index(days[special + 1])
    assert bars.iv[row] == float(lines[special].split(",")[-1])
    assert bars.iv[row] != nifty.iv[row]


@pytest.mark.parametrize("missing", [1, 2, 3])
def test_a_print_is_carried_up_to_three_trading_days_and_recorded(
    columns: Columns, missing: int
) -> None:
    rows = range(10, 10 + missing)
    bars = make(without_prints(columns, *rows))
    assert bars.iv_fills == tuple(fill(columns, row, 9, row - 9) for row in rows)
    expected = columns["iv"].copy()
    expected[list(rows)] = columns["iv"][9]
    assert bars.iv.tolist() == expected.tolist()
    assert bars.dates.tolist() == columns["dates"].tolist()


def test_a_fourth_day_without_a_print_is_refused(columns: Columns) -> None:
    error = refusal(IvUnavailableError, without_prints(columns, 10, 11, 12, 13, 14))
    assert_names(error, columns, 13, 14)
    assert error.carry_days == IV_CARRY_TRADING_DAYS == 3
    assert "start=..." in error.remedy


def test_carrying_starts_anew_at_a_print_that_the_index_lacks(columns: Columns) -> None:
    only_prints = without_days(columns, 12)
    keep = ~np.isin(np.arange(ROWS), [10, 11, 13, 14, 15])
    only_prints["iv_dates"] = columns["dates"][keep]
    only_prints["iv"] = columns["iv"][keep]
    assert make(only_prints).iv_fills == (
        fill(columns, 10, 9, 1),
        fill(columns, 11, 9, 2),
        fill(columns, 13, 12, 1),
        fill(columns, 14, 12, 2),
        fill(columns, 15, 12, 3),
    )


def test_days_before_the_first_print_are_refused(columns: Columns) -> None:
    assert_names(refusal(IvUnavailableError, without_prints(columns, 0, 1)), columns, 0, 1)


def test_a_print_after_the_last_day_is_not_used(columns: Columns) -> None:
    bars = make(without_days(columns, ROWS - 1))
    assert bars.iv.tolist() == columns["iv"][:-1].tolist()


def test_a_print_before_the_start_serves_the_first_day(columns: Columns) -> None:
    bars = make(without_prints(columns, 10), start=columns["dates"][10])
    assert bars.iv_fills == (fill(columns, 10, 9, 1),)


def test_a_cut_does_not_make_a_print_younger(columns: Columns) -> None:
    bars = make(without_prints(columns, 8, 9, 10), start=columns["dates"][9])
    assert bars.iv_fills == (fill(columns, 9, 7, 2), fill(columns, 10, 7, 3))


def test_a_cut_does_not_revive_a_print_that_is_too_old(columns: Columns) -> None:
    torn = without_prints(columns, *range(5, 11))
    error = refusal(IvUnavailableError, torn, start=columns["dates"][10])
    assert error.dates == (str(columns["dates"][10]),)


def test_a_print_of_years_ago_stands_in_for_nothing(columns: Columns) -> None:
    stale = without_prints(columns, 0)
    stale["iv_dates"] = np.insert(stale["iv_dates"], 0, columns["dates"][0] - 2000 * ONE_DAY)
    stale["iv"] = np.insert(stale["iv"], 0, columns["iv"][0])
    assert_names(refusal(IvUnavailableError, stale), columns, 0)


def test_unsorted_rows_are_refused(columns: Columns) -> None:
    columns["dates"][[10, 11]] = columns["dates"][[11, 10]]
    error = refusal((BarRowsError, "unsorted"), columns)
    assert_names(error, columns, 11)
    assert "oldest first" in error.remedy


def test_disorder_throughout_is_refused_and_names_the_first_few_rows(columns: Columns) -> None:
    # Newest first but for the last row: what is that throughout is turned round.
    order = [*range(ROWS - 2, -1, -1), ROWS - 1]
    backwards = {name: values[order] for name, values in columns.items()}
    error = refusal((BarRowsError, "unsorted"), backwards)
    assert_names(error, backwards, *range(1, ROWS - 1))
    assert "row 5 (" in error.problem
    assert "row 6 (" not in error.problem
    assert f"and {ROWS - 7} more." in error.problem


def test_a_duplicate_date_is_refused(columns: Columns) -> None:
    columns["dates"][11] = columns["dates"][10]
    error = refusal((BarRowsError, "duplicate"), columns)
    assert_names(error, columns, 11)
    assert "intraday rows must be aggregated" in error.remedy


def test_two_stamps_of_one_day_are_a_duplicate(columns: Columns) -> None:
    stamps = [f"{day}T00:00+00:00" for day in columns["dates"]]
    stamps[11] = stamps[10].replace("T00:00", "T09:15")
    error = refusal((BarRowsError, "duplicate"), {**columns, "dates": stamps})
    assert error.rows == (11,)


@pytest.mark.parametrize("kind", ["unsorted", "duplicate"])
def test_disorder_of_the_prints_is_blamed_on_iv(columns: Columns, kind: str) -> None:
    days = columns["dates"].copy()
    days[11] = days[10] - ONE_DAY if kind == "unsorted" else days[10]
    error = refusal((BarRowsError, kind), {**columns, "iv_dates": days}, source="feed")
    assert error.rows == (11,)
    assert error.problem.startswith("iv of feed")


@pytest.mark.parametrize("name", [*PRICES, "iv"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_refused(columns: Columns, name: str, value: float) -> None:
    columns[name][[10, 12]] = value
    error = refusal((BarRowsError, "not_finite"), columns)
    assert error.column == name
    assert name in error.problem
    assert_names(error, columns, 10, 12)
    assert "Drop these rows" in error.remedy


@pytest.mark.parametrize("name", [*PRICES, "iv"])
@pytest.mark.parametrize("value", [0.0, -0.0, -13.5])
def test_zero_and_below_are_refused(columns: Columns, name: str, value: float) -> None:
    columns[name][10] = value
    error = refusal((BarRowsError, "not_positive"), columns)
    assert error.column == name
    assert_names(error, columns, 10)


def test_high_below_low_is_refused(columns: Columns) -> None:
    columns["high"][10], columns["low"][10] = columns["low"][10], columns["high"][10]
    error = refusal((BarRowsError, "inconsistent"), columns)
    assert "high is below low" in error.problem
    assert_names(error, columns, 10)


@pytest.mark.parametrize(("name", "factor"), [("high", 1 + 2e-4), ("low", 1 - 2e-4)])
def test_a_close_outside_of_the_bar_is_refused(columns: Columns, name: str, factor: float) -> None:
    columns["close"][10] = columns[name][10] * factor
    error = refusal((BarRowsError, "inconsistent"), columns)
    assert "close lies outside" in error.problem
    assert "adjusted close" in error.remedy
    assert_names(error, columns, 10)


@pytest.mark.parametrize(("name", "factor"), [("high", 1 + 5e-5), ("low", 1 - 5e-5)])
def test_a_close_outside_by_rounding_is_kept(columns: Columns, name: str, factor: float) -> None:
    columns["close"][10] = columns[name][10] * factor
    assert make(columns).close[10] == columns["close"][10]


@pytest.mark.parametrize(
    ("name", "value"), [("high", 1e5), ("high", sys.float_info.max), ("low", 1.0), ("low", 5e-324)]
)
def test_a_bar_of_absurd_width_is_refused(columns: Columns, name: str, value: float) -> None:
    columns[name][10] = value
    error = refusal((BarRowsError, "inconsistent"), columns)
    assert "more than 0.5 apart in log" in error.problem
    assert_names(error, columns, 10)


def test_a_fraction_for_per_cent_is_refused_and_explained(columns: Columns) -> None:
    columns["iv"] /= 100
    error = refusal(ScaleError, columns)
    assert error.column == "iv"
    assert error.seen == columns["iv"][0]
    assert "looks like a fraction" in error.problem
    assert "13.5, not 0.135" in error.remedy
    assert_names(error, columns, *range(ROWS))
    assert f"and {ROWS - 5} more." in error.problem


def test_basis_points_for_per_cent_are_refused(columns: Columns) -> None:
    columns["iv"] *= 100
    error = refusal(ScaleError, columns)
    assert error.column == "iv"
    assert error.seen == columns["iv"][0]
    assert "basis points" in error.problem
    assert_names(error, columns, *range(ROWS))


def test_a_swap_of_index_and_iv_is_refused(
    market_sources: tuple[MarketSource, ...],
) -> None:
    for source in market_sources:
        with pytest.raises(ScaleError, match="not swapped") as caught:
            Bars.from_csv(source.iv, iv=source.index, market=source.market)
        assert caught.value.column == "iv"
        assert caught.value.seen > 250


@pytest.mark.parametrize("factor", [5.0, 0.2])
def test_a_single_fivefold_slip_of_iv_is_refused(columns: Columns, factor: float) -> None:
    columns["iv"][9:12] = 20.0
    columns["iv"][10] = 20.0 * factor
    error = refusal(ScaleError, columns)
    assert (error.column, error.seen) == ("iv", 20.0 * factor)
    assert "fivefold" in error.problem
    assert_names(error, columns, 10, 11)


def test_a_print_that_less_than_quintuples_is_kept(columns: Columns) -> None:
    columns["iv"][9:12] = 20.0, 98.0, 20.0
    assert make(columns).iv[9:12].tolist() == [20.0, 98.0, 20.0]


def test_a_slip_of_a_print_that_the_index_lacks_is_refused(columns: Columns) -> None:
    columns["iv"][10] /= 100
    torn = without_days(columns, 10)
    assert_names(refusal(ScaleError, torn), torn, 10, dates="iv_dates")


@pytest.mark.parametrize("factor", [0.01, 0.1, 10.0, 100.0])
def test_a_change_of_the_price_scale_is_refused(columns: Columns, factor: float) -> None:
    for name in ("open", *PRICES):
        columns[name][20:] *= factor
    error = refusal(ScaleError, columns)
    assert (error.column, error.seen) == ("close", columns["close"][20])
    assert "one unit" in error.remedy
    assert_names(error, columns, 20)


def test_two_identical_last_rows_of_the_index_are_frozen(columns: Columns) -> None:
    for name in PRICES:
        columns[name][-FROZEN_ROWS:] = columns[name][-1]
    error = refusal(FrozenBarsError, columns)
    assert error.count == FROZEN_ROWS == 2
    assert error.columns == ("high", "low", "close")
    assert_names(error, columns, ROWS - 2, ROWS - 1)
    assert "Fetch the data again" in error.remedy


@pytest.mark.parametrize("count", [4, 5, 9])
def test_five_equal_last_prints_of_the_volatility_index_are_frozen(
    columns: Columns, count: int
) -> None:
    columns["iv"][-count:] = columns["iv"][-1]
    if count < FROZEN_PRINTS:
        assert len(make(columns)) == ROWS
        return
    error = refusal(FrozenBarsError, columns)
    assert (error.count, error.columns) == (count, ("iv",))
    assert_names(error, columns, *range(ROWS - count, ROWS))


def test_prints_that_are_carried_are_not_taken_for_a_frozen_feed(columns: Columns) -> None:
    columns["iv"][-5:] = columns["iv"][-1]
    bars = make(without_prints(columns, ROWS - 1, ROWS - 2, ROWS - 3))
    assert bars.prints.frozen_iv == ()
    bars.check_reportable()


def test_identical_rows_before_the_last_are_noted_and_many_of_them_refused(
    columns: Columns,
) -> None:
    for name in (*PRICES, "iv"):
        columns[name][-5:-1] = columns[name][-5]
    bars = make(columns)
    assert bars.prints.copies == tuple(columns["dates"][-4:-1])
    assert f"copy the row before: {columns['dates'][-4]}" in bars.notes[0]
    for name in PRICES:
        columns[name][-6] = columns[name][-5]
    error = refusal((BarRowsError, "copied"), columns)
    assert_names(error, columns, *range(ROWS - 5, ROWS - 1))


def test_a_feed_that_was_frozen_throughout_counts_every_row(columns: Columns) -> None:
    for name in (*PRICES, "iv"):
        columns[name][:] = columns[name][0]
    assert refusal(FrozenBarsError, columns).count == ROWS


def test_no_rows_are_refused() -> None:
    nothing: Columns = {name: [] for name in ("dates", *PRICES, "iv")}
    assert refusal(EmptyBarsError, nothing, source="feed").source == "feed"


def test_no_prints_are_refused(columns: Columns) -> None:
    error = refusal(EmptyBarsError, {**columns, "iv": [], "iv_dates": []}, source="feed")
    assert error.source == "iv of feed"


def test_an_empty_cut_is_refused_with_its_bounds(columns: Columns) -> None:
    error = refusal(EmptyBarsError, columns, start="2010-01-01", end="2010-12-31")
    assert "2010-01-01" in error.problem
    assert "2010-12-31" in error.problem


def test_prints_that_all_lie_after_the_cut_are_blamed_on_iv(columns: Columns) -> None:
    late = without_prints(columns, *range(20))
    with pytest.raises((EmptyBarsError, IvUnavailableError), match=r"(?i)iv of|volatility index"):
        make(late, end=columns["dates"][10])


@pytest.mark.parametrize("as_day", [str, lambda day: day, lambda day: day.item()])
def test_a_bar_after_today_is_refused(columns: Columns, as_day: Any) -> None:
    error = refusal(FutureBarsError, columns, today=as_day(columns["dates"][-3]))
    assert error.today == str(columns["dates"][-3])
    assert error.today in error.problem
    assert "date format" in error.remedy
    assert_names(error, columns, ROWS - 2, ROWS - 1)
    assert len(make(columns, today=as_day(columns["dates"][-1]))) == ROWS


def test_a_print_after_today_is_refused(columns: Columns) -> None:
    torn = without_days(columns, ROWS - 1)
    error = refusal(FutureBarsError, torn, today=columns["dates"][-2], source="feed")
    assert error.problem.startswith("iv of feed")
    assert_names(error, torn, ROWS - 1, dates="iv_dates")


def test_without_today_the_clock_decides(columns: Columns) -> None:
    today = date.today()
    columns["dates"] += np.datetime64(today - timedelta(days=2)) - columns["dates"][-1]
    assert len(make(columns)) == ROWS
    columns["dates"][-1] = np.datetime64(today + timedelta(days=3))
    assert_names(refusal(FutureBarsError, columns), columns, ROWS - 1)


def with_hole(columns: Columns, days: int) -> Columns:
    dates = columns["dates"].copy()
    dates[20:] += days * ONE_DAY - (dates[20] - dates[19])
    return {**columns, "dates": dates}


def test_a_hole_too_long_for_a_holiday_is_refused(columns: Columns) -> None:
    torn = with_hole(columns, MAX_GAP_CALENDAR_DAYS + 1)
    error = refusal(CalendarGapError, torn)
    assert error.limit_days == MAX_GAP_CALENDAR_DAYS == 15
    assert "--start" in error.remedy
    assert_names(error, torn, 20)


def test_the_longest_closure_allowed_is_kept(columns: Columns) -> None:
    bars = make(with_hole(columns, MAX_GAP_CALENDAR_DAYS))
    assert (bars.dates[20] - bars.dates[19]).astype(int) == MAX_GAP_CALENDAR_DAYS


def test_starting_after_a_hole_helps_as_its_remedy_says(columns: Columns) -> None:
    torn = with_hole(columns, 400)
    assert len(make(torn, start=refusal(CalendarGapError, torn).dates[0])) == ROWS - 20


@pytest.mark.parametrize("name", ["high", "iv", "open"])
def test_arrays_of_other_length_are_refused_with_their_shapes(columns: Columns, name: str) -> None:
    columns[name] = columns[name][:-1]
    error = refusal(LengthMismatchError, columns)
    assert error.shapes[name] == (ROWS - 1,)
    assert error.shapes["date"] == (ROWS,)
    assert f"{name} ({ROWS - 1},)" in error.problem
    assert error.rows == ()


@pytest.mark.parametrize("name", ["dates", "close", "iv"])
def test_arrays_of_two_dimensions_are_refused(columns: Columns, name: str) -> None:
    columns[name] = columns[name].reshape(2, -1)
    error = refusal(LengthMismatchError, columns)
    assert (2, ROWS // 2) in error.shapes.values()
    assert "one-dimensional" in error.remedy


@pytest.mark.parametrize(
    "value", ["high", 1j, 10**400, [1.0]], ids=["text", "complex", "huge", "nested"]
)
def test_what_is_no_array_of_numbers_is_refused(columns: Columns, value: object) -> None:
    columns["high"] = [*columns["high"][:-1].tolist(), value]
    with pytest.raises(BarsError, match="high is not an array of numbers"):
        make(columns)


def test_a_masked_value_is_not_known(columns: Columns) -> None:
    columns["high"] = np.ma.masked_array(columns["high"], mask=np.arange(ROWS) == 10)
    assert_names(refusal((BarRowsError, "not_finite"), columns), columns, 10)


def test_complex_numbers_are_not_cut_down_to_reals(columns: Columns) -> None:
    columns["high"] = columns["high"] + 1j
    with pytest.raises(BarsError, match="high is not an array of numbers"):
        make(columns)


def test_another_market_is_refused(columns: Columns) -> None:
    with pytest.raises(MarketError, match=r"no market 'nasdaq'.*nifty.*other"):
        make(columns, market="nasdaq")


def test_faults_outside_of_the_cut_do_not_matter(columns: Columns) -> None:
    dates = columns["dates"]
    whole = make(columns, start=dates[10], end=dates[29])
    assert (len(whole), whole.dates[0], whole.dates[-1]) == (20, dates[10], dates[29])
    columns["high"][3] = np.nan
    columns["close"][4] *= 100
    columns["low"][35] = -1.0
    columns["iv"][36] = 0.2
    assert make(columns, start=str(dates[10]), end=dates[29].item()).digest() == whole.digest()


@pytest.mark.parametrize("row", [4, 35])
def test_disorder_outside_of_the_cut_still_matters(columns: Columns, row: int) -> None:
    # What lies inside of a cut is not defined for rows without an order.
    days = columns["dates"].copy()
    columns["dates"][[row, row + 1]] = days[[row + 1, row]]
    assert refusal((BarRowsError, "unsorted"), columns, start=days[10], end=days[29]).rows == (
        row + 1,
    )


def test_a_bound_that_is_no_date_is_refused(columns: Columns) -> None:
    assert refusal(UnreadableCellError, columns, start="03/04/2018").text == "03/04/2018"


def test_files_frames_and_arrays_make_the_same_bars(columns: Columns, tmp_path: Path) -> None:
    torn = without_prints(columns, 10, 11)
    arrays = make(torn)
    index, iv = write_pair(tmp_path, torn)
    files = Bars.from_csv(index, iv=iv, market="other")
    days = pd.DatetimeIndex(torn["dates"])
    frame = pd.DataFrame({name: torn[name] for name in ("open", *PRICES)}, index=days)
    series = pd.Series(torn["iv"], index=pd.DatetimeIndex(torn["iv_dates"]))
    frames = Bars.from_frames(frame, series, market="other")
    assert same(files, arrays)
    assert same(frames, arrays)
    for bars in (files, frames, arrays):
        assert bars.open is not None
        assert bars.open.tolist() == columns["open"].tolist()
    assert (files.source, frames.source, arrays.source) == ("index.csv", "frame", "arrays")


def test_a_nifty_file_of_utc_stamps_is_read_on_the_exchange_clock(tmp_path: Path) -> None:
    index, iv = tmp_path / "index.csv", tmp_path / "iv.csv"
    index.write_text("timestamp,high,low,close\n2024-12-30T18:30:00Z,23689.85,23460.45,23644.8\n")
    iv.write_text("timestamp,close\n2024-12-30T18:30:00+00:00,14.4475\n")
    nifty = Bars.from_csv(index, iv=iv, market="nifty")
    other = Bars.from_csv(index, iv=iv, market="other")
    assert nifty.dates.astype(str).tolist() == ["2024-12-31"]
    assert other.dates.astype(str).tolist() == ["2024-12-30"]


def test_a_date_format_holds_for_both_files(tmp_path: Path) -> None:
    index, iv = tmp_path / "index.csv", tmp_path / "iv.csv"
    index.write_text("date,high,low,close\n03/04/2024,2475.1,2446.9,2453.6\n")
    iv.write_text("date,close\n03/04/2024,11.37\n")
    with pytest.raises(UnreadableCellError, match=r"index\.csv, line 2: '03/04/2024'"):
        Bars.from_csv(index, iv=iv)
    bars = Bars.from_csv(index, iv=iv, date_format="%d/%m/%Y")
    assert bars.dates.astype(str).tolist() == ["2024-04-03"]


def test_frames_without_pandas_name_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pd.DataFrame()
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError, match=r"\.\[frames\]"):
        Bars.from_frames(frame, frame)


@pytest.mark.parametrize("name", ["dates", *PRICES, "iv"])
def test_the_digest_sees_every_column(columns: Columns, name: str) -> None:
    before = make(columns).digest()
    if name == "dates":
        columns["dates"] -= ONE_DAY
    else:
        columns[name][7] = np.nextafter(columns[name][7], np.inf)
    assert make(columns).digest() != before


def test_the_digest_ignores_what_no_model_sees(columns: Columns) -> None:
    bars = make(columns)
    without_open = {name: values for name, values in columns.items() if name != "open"}
    assert make(without_open, market="nifty", source="elsewhere").digest() == bars.digest()


def test_an_open_may_be_unknown(columns: Columns) -> None:
    columns["open"][3] = np.nan
    bars = make(columns)
    assert bars.open is not None
    assert np.flatnonzero(np.isnan(bars.open)).tolist() == [3]


def test_without_an_open_there_is_none(columns: Columns) -> None:
    del columns["open"]
    assert make(columns).open is None
    assert make(columns)[5:].open is None


@pytest.mark.parametrize(
    "rows", [slice(None), slice(-10, None), slice(5, 12), slice(None, 11), slice(11, 13)]
)
def test_a_slice_is_bars_with_its_own_rows_and_fills(columns: Columns, rows: slice) -> None:
    bars = make(without_prints(columns, 10, 11))
    part = bars[rows]
    for name in ("dates", "open", *PRICES, "iv"):
        assert getattr(part, name).tolist() == getattr(bars, name)[rows].tolist()
    kept = range(ROWS)[rows]
    fills = {10: fill(columns, 10, 9, 1), 11: fill(columns, 11, 9, 2)}
    assert part.iv_fills == tuple(fills[row] for row in (10, 11) if row in kept)
    assert (part.market, part.source, len(part)) == (bars.market, bars.source, len(kept))


@pytest.mark.parametrize("rows", [0, -1, slice(None, None, 2), slice(None, None, -1)])
def test_bars_are_sliced_without_a_step(sample: Bars, rows: Any) -> None:
    with pytest.raises(TypeError, match="without a step"):
        sample[rows]


def test_an_empty_slice_is_refused(sample: Bars) -> None:
    with pytest.raises(EmptyBarsError):
        sample[5:5]


@pytest.mark.parametrize("name", ["dates", "open", *PRICES, "iv"])
def test_arrays_are_read_only(sample: Bars, name: str) -> None:
    values = getattr(sample[-ROWS:], name)
    with pytest.raises(ValueError, match="read-only"):
        values[0] = values[1]
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(sample, name, values)


def test_arrays_stay_read_only_in_copies(columns: Columns, worker: ProcessPoolExecutor) -> None:
    bars = make(without_prints(columns, 10))
    for again in (copy.deepcopy(bars), worker.submit(copy.copy, bars).result(timeout=60)):
        assert same(again, bars)
        with pytest.raises(ValueError, match="read-only"):
            again.close[0] = 1.0


def scramble(columns: Columns) -> None:
    for name, values in columns.items():
        values[:] = np.datetime64("1999-01-01") if name.endswith("dates") else -1.0


def test_what_the_caller_does_to_his_arrays_changes_nothing(columns: Columns) -> None:
    columns["iv_dates"] = columns["dates"].copy()
    bars = make(columns)
    before = bars.digest()
    opened = columns["open"].tolist()
    scramble(columns)
    assert bars.digest() == before
    assert bars.open is not None
    assert bars.open.tolist() == opened


@pytest.mark.parametrize("read_only_view", [False, True])
def test_bars_made_directly_keep_copies(columns: Columns, read_only_view: bool) -> None:
    given_arrays = {name: values[:] for name, values in columns.items()}
    for values in given_arrays.values():
        values.flags.writeable = not read_only_view
    bars = Bars(**given_arrays, market="other")
    before = bars.digest()
    scramble(columns)
    assert bars.digest() == before


@pytest.mark.parametrize("name", ["close", "iv"])
def test_bars_made_directly_are_checked_too(columns: Columns, name: str) -> None:
    columns[name][10] = np.nan
    with raising((BarRowsError, "not_finite")) as caught:
        Bars(**columns)
    assert_names(caught.value, columns, 10)


def test_a_frame_of_the_caller_is_left_alone(columns: Columns) -> None:
    days = pd.DatetimeIndex(columns["dates"])
    frame = pd.DataFrame({name: columns[name] for name in PRICES}, index=days)
    untouched = frame.copy(deep=True)
    bars = Bars.from_frames(frame, pd.Series(columns["iv"], index=days), market="other")
    before = bars.digest()
    pd.testing.assert_frame_equal(frame, untouched)
    frame.loc[:, "close"] = 0.0
    assert bars.digest() == before


def errors() -> list[BarsError]:
    where: dict[str, Any] = {"rows": [3, 4], "dates": ["2024-01-04", "2024-01-05"]}
    return [
        BarsError("Wrong.", remedy="Mend it.", **where),
        EmptyBarsError("feed"),
        FileUnreadableError("a.csv", "it is not UTF-8"),
        ColumnError("close", source="a.csv", found=["date"]),
        UnreadableCellError(source="a.csv", line=2, column="close", text="x", remedy="Mend it."),
        LengthMismatchError({"date": (3,), "close": (2, 2)}),
        BarRowsError("feed", "unsorted", **where),
        BarRowsError("feed", "duplicate", **where),
        BarRowsError("feed", "not_finite", column="close", **where),
        BarRowsError("feed", "not_positive", column="iv", **where),
        BarRowsError("feed", "inconsistent", detail="high is below low", **where),
        BarRowsError("feed", "outside_session", detail="09:15-15:30 IST", **where),
        BarRowsError("feed", "off_grid", detail="5 minutes", **where),
        ScaleError("iv", seen=0.135, what="iv is low in", remedy="Give per cent.", **where),
        FrozenBarsError(count=3, **where),
        FutureBarsError("feed", today="2024-01-01", **where),
        CalendarGapError("feed", limit_days=15, **where),
        IvUnavailableError(carry_days=3, **where),
        InsufficientHistoryError(need=253, have=40),
        ChainError("chain", "too_few_strikes", "4 strikes, a chain has at least 5"),
        ChainError("chain", "strikes", "fall", rows=[1], strikes=[24000.0], remedy="Sort it."),
        ChainError("chain", "open_interest", "below 0 at", rows=[1], strikes=[24000.0]),
        ChainError("chain", "other_index", "spot is 24000", strikes=[50000.0, 60000.0]),
    ]


@pytest.mark.parametrize("error", errors(), ids=lambda one: f"{type(one).__name__} {one.kind}")
def test_every_error_is_a_value_error_that_crosses_processes(
    worker: ProcessPoolExecutor, error: BarsError
) -> None:
    again = worker.submit(copy.copy, error).result(timeout=60)
    assert type(again) is type(error)
    assert vars(again) == vars(error)
    assert str(again) == str(error) == f"{error.problem} {error.remedy}"
    assert isinstance(again, ValueError)


def test_errors_raised_in_another_process_come_back_whole(
    columns: Columns, worker: ProcessPoolExecutor
) -> None:
    frozen = {name: values.copy() for name, values in columns.items()}
    for name in (*PRICES, "iv"):
        frozen[name][-3:] = frozen[name][-1]
    faulty = {
        ScaleError: {**columns, "iv": columns["iv"] / 100},
        IvUnavailableError: without_prints(columns, 10, 11, 12, 13),
        FrozenBarsError: frozen,
        LengthMismatchError: {**columns, "iv": columns["iv"][1:]},
    }
    for kind, bad in faulty.items():
        with pytest.raises(kind) as remote:
            worker.submit(Bars.from_arrays, **bad).result(timeout=60)
        here: BarsError = refusal(kind, bad)
        assert vars(remote.value) == vars(here)
        assert str(remote.value) == str(here)


def reference_join(
    days: list[str], prints: dict[str, float]
) -> tuple[list[float], list[IvFill]] | None:
    values, fills = [], []
    printed_on, age = "", 0
    for day in days:
        age += 1
        if day in prints:
            printed_on, age = day, 0
        if not printed_on or age > 3:
            return None
        values.append(prints[printed_on])
        if age:
            fills.append(IvFill(day, printed_on, age))
    return values, fills


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    holes=st.lists(st.tuples(st.integers(0, 99), st.integers(1, 5)), max_size=8),
    first=st.integers(0, 1100),
)
def test_iv_is_joined_as_a_plain_loop_would(
    sample: Bars, holes: list[tuple[int, int]], first: int
) -> None:
    columns = columns_of(sample[first : first + 100])
    missing = sorted({row for start, n in holes for row in range(start, min(start + n, 100))})
    days = columns["dates"].astype(str).tolist()
    prints = {
        day: value
        for row, (day, value) in enumerate(zip(days, columns["iv"].tolist(), strict=True))
        if row not in missing
    }
    expected = reference_join(days, prints)
    torn = without_prints(columns, *missing)
    if expected is None:
        refusal(IvUnavailableError, torn)
    else:
        bars = make(torn)
        assert (bars.iv.tolist(), list(bars.iv_fills)) == expected


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    first=st.integers(0, 1200),
    count=st.integers(1, 50),
    delimiter=st.sampled_from(",;\t"),
    number=st.sampled_from(["{!r}", "{:.2f}", '"{:,.2f}"', "{:.10e}"]),
    day=st.sampled_from(["%Y-%m-%d", "%d-%b-%Y", "%Y%m%d", "%Y-%m-%dT00:00:00"]),
)
def test_real_rows_survive_the_way_through_a_file(
    sample: Bars,
    tmp_path_factory: pytest.TempPathFactory,
    first: int,
    count: int,
    delimiter: str,
    number: str,
    day: str,
) -> None:
    bars = sample[first : first + count]
    folder = tmp_path_factory.mktemp("roundtrip")
    for file, names in (("index.csv", PRICES), ("iv.csv", ("iv",))):
        lines = [delimiter.join(("date", *names))]
        for row, stamp in enumerate(bars.dates.tolist()):
            cells = (number.format(float(getattr(bars, name)[row])) for name in names)
            lines.append(delimiter.join((stamp.strftime(day), *cells)))
        (folder / file).write_text("\n".join(lines), encoding="utf-8")
    again = Bars.from_csv(folder / "index.csv", iv=folder / "iv.csv", market="other")
    assert same(again, bars)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(order=st.permutations(range(6)) | st.just(list(range(6))))
def test_rows_in_another_order_never_make_other_bars(sample: Bars, order: list[int]) -> None:
    columns = columns_of(sample[:6])
    shuffled = {name: values[order] for name, values in columns.items()}
    if order in (sorted(order), sorted(order, reverse=True)):
        assert same(make(shuffled), make(columns))
    else:
        rows = tuple(row for row in range(1, 6) if order[row] < order[row - 1])
        assert refusal((BarRowsError, "unsorted"), shuffled).rows == rows


CORRUPT_NUMBERS = ("", "x", "nan", "inf", "-1", "0", "1_000", "1e999", "1.7e308", "1e-320", "1,5")
CORRUPT_DATES = (
    "",
    "x",
    "0",
    "NaT",
    "2018-13-01",
    "03/04/2018",
    "2999-01-01",
    "20181",
    "2018-12-0315",
)


def with_cell(path: Path, row: int, place: int, text: str) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    cells = lines[row + 1].split(",")
    cells[place] = text
    lines[row + 1] = ",".join(cells)
    path.write_text("\n".join(lines), encoding="utf-8")


def bars_or_error(index: Path, iv: Path) -> Bars | None:
    try:
        return Bars.from_csv(index, iv=iv, market="other")
    except BarsError:
        return None


@settings(max_examples=150, deadline=None, derandomize=True)
@given(data=st.data(), row=st.integers(0, 19), market=st.sampled_from(["nifty", "other"]))
def test_a_corrupt_cell_is_a_bars_error(
    sample: Bars,
    tmp_path_factory: pytest.TempPathFactory,
    data: st.DataObject,
    row: int,
    market: Any,
) -> None:
    index, iv = write_pair(tmp_path_factory.mktemp("corrupt"), columns_of(sample[-20:]))
    path, place = data.draw(st.sampled_from([(index, 0), (index, 2), (index, 3), (index, 4)]))
    if data.draw(st.booleans()):
        path, place = iv, min(place, 1)
    corrupt = CORRUPT_NUMBERS if place else CORRUPT_DATES
    with_cell(path, row, place, data.draw(st.sampled_from(corrupt)))
    with pytest.raises(BarsError) as caught:
        Bars.from_csv(index, iv=iv, market=market)
    assert caught.value.remedy


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    text=st.text(max_size=12) | st.text('0123456789-+.,eT:Z"; ', max_size=12),
    place=st.integers(0, 4),
    row=st.integers(-1, 19),
)
def test_no_text_in_a_cell_causes_another_error(
    sample: Bars, tmp_path_factory: pytest.TempPathFactory, text: str, place: int, row: int
) -> None:
    index, iv = write_pair(tmp_path_factory.mktemp("text"), columns_of(sample[-20:]))
    with_cell(index, row, place, text)
    bars = bars_or_error(index, iv)
    assert bars is None or np.isin(sample[-20:].close, bars.close).sum() >= 19


@settings(max_examples=100, deadline=None, derandomize=True)
@given(data=st.binary(max_size=60))
def test_no_bytes_for_a_file_cause_another_error(
    sample: Bars, tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    index, iv = write_pair(tmp_path_factory.mktemp("bytes"), columns_of(sample[-5:]))
    for prefix in (b"", b"date,close\n", b"date,close\n2018-12-31,"):
        iv.write_bytes(prefix + data)
        bars = bars_or_error(index, iv)
        assert bars is None or bars.dates.tolist() == sample[-5:].dates.tolist()


@pytest.mark.parametrize("wrong", [None, 0, 12345, True, 3.5, b"index.csv", {"index.csv"}])
def test_what_is_no_path_is_refused(wrong: Any, market_sources: tuple[MarketSource, ...]) -> None:
    source = market_sources[0]
    with pytest.raises(FileUnreadableError, match="not a path") as caught:
        Bars.from_csv(wrong, iv=source.iv)
    assert caught.value.path == repr(wrong)
    with pytest.raises(FileUnreadableError, match="not a path"):
        Bars.from_csv(source.index, iv=wrong)


@pytest.mark.parametrize(
    "values",
    [
        np.array(["2024-12-30", "2024-12-31"], dtype="datetime64[D]"),
        np.array([20_000, 20_100], dtype="timedelta64[D]"),
        np.array([True, True]),
        np.array([100.0, 101.0]) + 1j,
        np.ma.masked_array(np.array([100.0, 101.0]) + 1j),
    ],
    ids=lambda values: f"{type(values).__name__} of {values.dtype}",
)
def test_what_is_no_real_number_is_no_price(values: Any) -> None:
    days = ["2024-12-30", "2024-12-31"]
    with pytest.raises(BarsError, match="not an array of numbers"):
        Bars.from_arrays(days, values, values, values, [13.0, 14.0])


def test_a_number_beyond_floats_is_infinite_and_refused() -> None:
    beyond = np.array([1, 1], dtype=np.longdouble) * np.longdouble("1e400")
    with raising((BarRowsError, "not_finite")):
        Bars.from_arrays(["2024-12-30", "2024-12-31"], beyond, beyond, beyond, [13.0, 14.0])


@pytest.mark.parametrize("factor", [1e-320, 1e-300, 1e-12, 1e10, 1e300])
def test_prices_that_no_index_has_ever_had_are_refused(columns: Columns, factor: float) -> None:
    for name in PRICES:
        columns[name] = columns[name] * factor
    columns["open"] = columns["open"] * factor
    error = refusal(ScaleError, columns)
    assert error.column == "close"
    assert error.rows == tuple(range(ROWS))
    assert "1e-06 to 1e+12 points" in error.problem


@pytest.mark.parametrize("name", ["start", "end", "today"])
@pytest.mark.parametrize("day", [["2018-01-02", "2018-01-03"], [], 0, "", False, ("2018-01-02",)])
def test_a_bound_that_is_no_single_day_is_refused(columns: Columns, name: str, day: Any) -> None:
    error = refusal(UnreadableCellError, columns, **{name: day})
    assert error.column == "date"


def test_a_source_that_is_no_text_is_refused(columns: Columns) -> None:
    error = refusal(BarsError, columns, source=5)
    assert "source" in error.problem


@pytest.mark.parametrize("name", ["dates", *PRICES, "iv"])
def test_bars_made_directly_lack_nothing_but_the_open(columns: Columns, name: str) -> None:
    assert Bars(**{**columns, "open": None}).open is None
    with pytest.raises(BarsError):
        Bars(**{**columns, name: None})
