"""Five-minute bars: what is left out, what is refused, and what a session says."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from aegismatrix.desk.signals.intraday import gamma_windows, intraday_signal
from aegismatrix.desk.sources.sample import sample_bars
from aegismatrix.errors import (
    BarRowsError,
    BarsError,
    ColumnError,
    EmptyBarsError,
    FileUnreadableError,
    FrozenBarsError,
    FutureBarsError,
    LengthMismatchError,
    ScaleError,
    UnreadableCellError,
)
from aegismatrix.market.bars import Bars
from aegismatrix.market.intraday import BARS_PER_SESSION, FROZEN_BARS, MAX_STRAY_BARS, IntradayBars
from tests.raising import raising

Columns = dict[str, Any]
Error = TypeVar("Error", bound=BarsError)

PRICES = ("open", "high", "low", "close")
IST = timezone(timedelta(hours=5, minutes=30))
# Friday, Monday, Tuesday.
DAYS = ("2025-11-21", "2025-11-24", "2025-11-25")
TODAY = DAYS[-1]


def at(day: str, clock: str) -> np.datetime64:
    """A moment on the exchange's clock, as UTC."""
    return np.datetime64(f"{day}T{clock}", "s") - np.timedelta64(330, "m")


def session_starts(day: str, count: int = BARS_PER_SESSION) -> NDArray[np.datetime64]:
    return np.asarray(at(day, "09:15") + np.arange(count) * np.timedelta64(300, "s"))


@cache
def sample_tail(count: int) -> Bars:
    return sample_bars()[-count:]


def three_sessions() -> Columns:
    """Real prices, a daily bar of the sample for each five minutes."""
    part = sample_tail(len(DAYS) * BARS_PER_SESSION)
    assert part.open is not None
    prices = {name: getattr(part, name).copy() for name in PRICES}
    return {"starts": np.concatenate([session_starts(day) for day in DAYS]), **prices}


@pytest.fixture
def columns() -> Columns:
    return three_sessions()


def only(columns: Columns, rows: Any) -> Columns:
    return {name: values[rows] for name, values in columns.items()}


def last_session(columns: Columns, count: int = BARS_PER_SESSION) -> Columns:
    return only(columns, slice(2 * BARS_PER_SESSION, 2 * BARS_PER_SESSION + count))


def make(columns: Columns, **options: Any) -> IntradayBars:
    return IntradayBars.from_arrays(**columns, **options)


def refusal(kind: type[Error] | tuple[type[Error], str], columns: Columns, **options: Any) -> Error:
    with raising(kind) as caught:
        make(columns, **options)
    assert type(caught.value) in (kind, *(kind if isinstance(kind, tuple) else ()))
    assert str(caught.value) == f"{caught.value.problem} {caught.value.remedy}"
    return caught.value


def named(columns: Columns, *rows: int) -> tuple[str, ...]:
    return tuple(f"{columns['starts'][row]}Z" for row in rows)


def daily(last_day: str, close: float | None = None) -> Bars:
    """Forty real bars, dated by weekdays up to a day."""
    part = sample_tail(40)
    dates = np.busday_offset(np.datetime64(last_day), np.arange(-39, 1), roll="backward")
    values = {name: getattr(part, name).copy() for name in ("high", "low", "close", "iv")}
    if close is not None:
        for name in ("high", "low", "close"):
            values[name][-1] = close
    return Bars.from_arrays(dates, **values)


def write(path: Path, columns: Columns, stamps: list[str]) -> Path:
    lines = ["Timestamp,Open,High,Low,Close,Volume"]
    rows = zip(stamps, *(columns[name].tolist() for name in PRICES), strict=True)
    path.write_text("\n".join([*lines, *(",".join(map(str, (*row, 0.0))) for row in rows)]) + "\n")
    return path


def same(one: IntradayBars, other: IntradayBars) -> bool:
    return all(
        getattr(one, name).tolist() == getattr(other, name).tolist() for name in ("starts", *PRICES)
    )


def written(starts: NDArray[np.datetime64], zone: timezone) -> list[str]:
    moments = [start.item().replace(tzinfo=timezone.utc) for start in starts]
    return [moment.astimezone(zone).isoformat() for moment in moments]


# Reading


def test_real_bars_are_three_sessions_with_one_hole(nifty_5min: Path) -> None:
    bars = IntradayBars.from_csv(nifty_5min)
    assert repr(bars) == (
        "IntradayBars(224 in 3 sessions from nifty_5min.csv, 2025-11-24T03:45:00Z to"
        " 2025-11-26T09:55:00Z, close 26202.7)"
    )
    assert (bars.dropped, bars.blank) == (0, 0)
    assert bars.sessions.astype(str).tolist() == ["2025-11-24", "2025-11-25", "2025-11-26"]
    last = bars.session("2025-11-26")
    assert set(range(BARS_PER_SESSION)) - set(last.slots.tolist()) == {48}


def test_files_frames_and_arrays_make_the_same_bars(columns: Columns, tmp_path: Path) -> None:
    arrays = make(columns)
    path = write(tmp_path / "five.csv", columns, [f"{start}Z" for start in columns["starts"]])
    frame = pd.DataFrame(only(columns, slice(None))).set_index("starts")
    assert same(IntradayBars.from_csv(path), arrays)
    assert same(IntradayBars.from_frame(frame), arrays)
    assert same(IntradayBars.from_frame(frame.reset_index(names="timestamp")), arrays)
    assert (IntradayBars.from_csv(path).source, arrays.source) == ("five.csv", "arrays")
    assert arrays.slots[:2].tolist() == [0, 1]
    assert arrays.slots[-1] == BARS_PER_SESSION - 1 == 74


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/New_York", "UTC"])
def test_a_frame_may_be_of_any_time_zone(columns: Columns, zone: str) -> None:
    index = pd.DatetimeIndex(columns["starts"]).tz_localize("UTC").tz_convert(zone)
    frame = pd.DataFrame({name: columns[name] for name in PRICES}, index=index)
    assert same(IntradayBars.from_frame(frame), make(columns))


@pytest.mark.parametrize("ticker_first", [False, True])
def test_a_download_of_one_ticker_is_read(columns: Columns, ticker_first: bool) -> None:
    names = [("^NSEI", name) if ticker_first else (name, "^NSEI") for name in PRICES]
    frame = pd.DataFrame(
        np.stack([columns[name] for name in PRICES], axis=1),
        index=pd.DatetimeIndex(columns["starts"]),
        columns=pd.MultiIndex.from_tuples(names),
    )
    assert same(IntradayBars.from_frame(frame), make(columns))


@pytest.mark.parametrize("zone", [timezone.utc, IST, timezone(timedelta(hours=-5))])
def test_a_stamp_may_carry_its_offset(columns: Columns, tmp_path: Path, zone: timezone) -> None:
    path = write(tmp_path / "five.csv", columns, written(columns["starts"], zone))
    assert same(IntradayBars.from_csv(path), make(columns))


def test_a_naive_stamp_is_utc(columns: Columns, tmp_path: Path) -> None:
    path = write(tmp_path / "five.csv", columns, columns["starts"].astype(str).tolist())
    assert same(IntradayBars.from_csv(path), make(columns))


@pytest.mark.parametrize(
    ("date_format", "zone"), [("%d/%m/%Y %H:%M%z", IST), ("%d/%m/%Y %I:%M %p", timezone.utc)]
)
def test_stamps_may_be_written_in_a_form_of_their_own(
    columns: Columns, tmp_path: Path, date_format: str, zone: timezone
) -> None:
    moments = [start.item().replace(tzinfo=timezone.utc) for start in columns["starts"]]
    stamps = [moment.astimezone(zone).strftime(date_format) for moment in moments]
    path = write(tmp_path / "five.csv", columns, stamps)
    assert same(IntradayBars.from_csv(path, date_format=date_format), make(columns))


@pytest.mark.parametrize("date_format", ["%d/%m/%Y", "%d/%m/%Y %I:%M"])
def test_a_format_that_does_not_say_the_minute_is_refused(
    columns: Columns, tmp_path: Path, date_format: str
) -> None:
    path = write(tmp_path / "five.csv", columns, columns["starts"].astype(str).tolist())
    with pytest.raises(BarsError, match="does not say a minute"):
        IntradayBars.from_csv(path, date_format=date_format)


def test_a_missing_open_is_refused(columns: Columns) -> None:
    frame = pd.DataFrame(columns).set_index("starts").drop(columns="open")
    with pytest.raises(ColumnError, match="'open' is missing"):
        IntradayBars.from_frame(frame)


@pytest.mark.parametrize("text", ["", "timestamp,open,high,low,close\n"])
def test_a_file_without_bars_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "five.csv"
    path.write_text(text)
    with pytest.raises(EmptyBarsError):
        IntradayBars.from_csv(path)


def test_arrays_are_read_only_and_copies(columns: Columns) -> None:
    bars = make(columns)
    before = bars.close.tolist()
    columns["close"][:] = -1.0
    assert bars.close.tolist() == before
    for one in (bars, copy.deepcopy(bars)):
        with pytest.raises(ValueError, match="read-only"):
            one.starts[0] = one.starts[1]
    with pytest.raises(dataclasses.FrozenInstanceError):
        bars.close = bars.open  # type: ignore[misc]


# What is left out


@pytest.mark.parametrize("clock", ["09:00", "09:10", "15:30", "15:55", "18:15"])
def test_a_bar_outside_of_the_session_is_left_out_and_counted(columns: Columns, clock: str) -> None:
    starts = np.append(columns["starts"], at(TODAY, clock))
    order = np.argsort(starts)
    torn = {name: np.append(columns[name], columns[name][-1] * 1.01)[order] for name in PRICES}
    bars = make({"starts": starts[order], **torn})
    assert bars.dropped == 1
    assert same(bars, make(columns))
    assert "OUTSIDE_SESSION_DROPPED" in intraday_signal(bars, daily(DAYS[1])).notes


def test_the_session_ends_before_1530_and_starts_at_0915(columns: Columns) -> None:
    bars = make(columns)
    assert bars.starts[0] == at(DAYS[0], "09:15")
    assert bars.starts[-1] == at(TODAY, "15:25")


def test_the_pre_open_may_outnumber_the_session(columns: Columns) -> None:
    starts = at(TODAY, "09:00") + np.arange(4) * np.timedelta64(300, "s")
    bars = make({**only(columns, slice(4)), "starts": starts})
    assert (len(bars), bars.dropped) == (1, 3)


def test_an_evening_session_is_left_out_beside_regular_ones(columns: Columns) -> None:
    evening = at("2025-11-22", "18:00") + np.arange(12) * np.timedelta64(300, "s")
    starts = np.concatenate([session_starts(DAYS[0]), evening, session_starts(DAYS[1], 5)])
    bars = make({**only(columns, slice(len(starts))), "starts": starts})
    assert (len(bars), bars.dropped) == (80, 12)


def test_a_row_that_is_blank_throughout_is_left_out_and_counted(columns: Columns) -> None:
    for name in PRICES:
        columns[name][[100, -1]] = np.nan
    bars = make(columns)
    assert (len(bars), bars.blank, bars.dropped) == (223, 2, 0)
    signal = intraday_signal(bars, daily(DAYS[1]))
    assert "BLANK_DROPPED" in signal.notes
    assert signal.last == columns["close"][-2]
    assert not signal.complete


@pytest.mark.parametrize("blank", PRICES)
def test_a_row_that_is_blank_in_part_is_refused(columns: Columns, blank: str) -> None:
    columns[blank][-1] = np.nan
    error = refusal((BarRowsError, "not_finite"), columns)
    assert (error.column, error.rows, error.dates) == (blank, (224,), named(columns, 224))


def test_a_blank_last_line_of_a_file_is_left_out(columns: Columns, tmp_path: Path) -> None:
    path = write(tmp_path / "five.csv", columns, [f"{start}Z" for start in columns["starts"]])
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:-1], f"{columns['starts'][-1]}Z,,,,,"]))
    assert (len(IntradayBars.from_csv(path)), IntradayBars.from_csv(path).blank) == (224, 1)


def test_nothing_but_blank_rows_is_refused(columns: Columns) -> None:
    for name in PRICES:
        columns[name][:] = np.nan
    assert "225 blank rows" in refusal(EmptyBarsError, columns).problem


# What is refused


def test_local_stamps_read_as_utc_are_refused(columns: Columns, tmp_path: Path) -> None:
    local = columns["starts"] + np.timedelta64(330, "m")
    path = write(tmp_path / "five.csv", columns, local.astype(str).tolist())
    with raising((BarRowsError, "outside_session")) as caught:
        IntradayBars.from_csv(path)
    error = caught.value
    assert "the clock looks wrong" in error.problem
    assert "offset" in error.remedy
    assert error.detail == "09:15-15:30 IST"
    # The first hour of local stamps would pass for the last of a session.
    assert at(DAYS[0], "14:45") == local[0]
    assert error.dates[0] == f"{DAYS[0]}T10:30:00Z"


def test_local_stamps_of_a_live_session_lie_in_the_future(columns: Columns) -> None:
    local = {
        **only(columns, slice(5)),
        "starts": session_starts(TODAY, 5) + np.timedelta64(330, "m"),
    }
    error = refusal(FutureBarsError, local, now=f"{TODAY}T09:40:00+05:30")
    assert error.today == f"{TODAY}T04:10:00Z"
    assert "offset" in error.remedy


def test_a_clock_that_is_one_hour_off_is_refused(columns: Columns) -> None:
    columns["starts"] += np.timedelta64(60, "m")
    assert len(refusal((BarRowsError, "outside_session"), columns).rows) == 18
    assert MAX_STRAY_BARS == 5


def test_bars_that_all_lie_outside_are_refused(columns: Columns) -> None:
    columns["starts"] += np.timedelta64(12, "h")
    assert len(refusal((BarRowsError, "outside_session"), columns).rows) == 225


def test_daily_bars_are_no_five_minute_bars(sample: Bars) -> None:
    assert sample.open is not None
    prices = {name: getattr(sample, name) for name in PRICES}
    refusal((BarRowsError, "outside_session"), {"starts": sample.dates, **prices})


def test_bars_made_directly_are_checked_too(columns: Columns) -> None:
    columns["starts"][-1] = at(TODAY, "15:30")
    with raising((BarRowsError, "outside_session")) as caught:
        IntradayBars(**columns)
    assert caught.value.rows == (224,)


@pytest.mark.parametrize("seconds", [1, 60, 299])
def test_a_bar_off_the_grid_is_refused(columns: Columns, seconds: int) -> None:
    columns["starts"][3] += np.timedelta64(seconds, "s")
    error = refusal((BarRowsError, "off_grid"), columns)
    assert (error.rows, error.dates, error.detail) == ((3,), named(columns, 3), "5 minutes")
    assert "by their start" in error.remedy


def test_a_fraction_of_a_second_is_not_cut_off(columns: Columns, tmp_path: Path) -> None:
    torn = {**columns, "starts": columns["starts"].astype("datetime64[ms]")}
    torn["starts"][3] += np.timedelta64(1, "ms")
    assert refusal(UnreadableCellError, torn).line == 3
    stamps = torn["starts"].astype(str).tolist()
    with pytest.raises(UnreadableCellError, match=r"line 5: .*03:45|line 5: .*04:00:00\.001"):
        IntradayBars.from_csv(write(tmp_path / "five.csv", columns, stamps))


def test_unsorted_and_repeated_bars_are_refused(columns: Columns) -> None:
    torn = {**columns, "starts": columns["starts"].copy()}
    torn["starts"][[10, 11]] = torn["starts"][[11, 10]]
    assert refusal((BarRowsError, "unsorted"), torn).dates == named(columns, 10)
    torn["starts"][[10, 11]] = torn["starts"][10]
    assert refusal((BarRowsError, "duplicate"), torn).dates == named(columns, 11)


def test_newest_first_is_turned_round_and_said(columns: Columns) -> None:
    turned = make(only(columns, slice(None, None, -1)))
    assert same(turned, make(columns))
    assert turned.reading_notes == ("arrays was newest first: its rows were turned round.",)


def freeze(columns: Columns, rows: slice) -> Columns:
    for name in PRICES:
        columns[name][rows] = columns["close"][rows][0]
    return columns


def test_half_an_hour_of_identical_last_bars_is_frozen(columns: Columns) -> None:
    error = refusal(FrozenBarsError, freeze(columns, slice(-FROZEN_BARS, None)))
    assert error.count == FROZEN_BARS == 6
    assert error.rows == tuple(range(219, 225))
    assert "open, high, low and close" in error.problem


def test_fewer_identical_last_bars_and_earlier_ones_are_kept(columns: Columns) -> None:
    freeze(columns, slice(-FROZEN_BARS + 1, None))
    assert len(make(freeze(columns, slice(60, BARS_PER_SESSION)))) == 225


@pytest.mark.parametrize("as_now", [str, lambda now: now, lambda now: now.item()])
def test_a_bar_after_now_is_refused_but_for_a_clock_that_differs(
    columns: Columns, as_now: Any
) -> None:
    start = columns["starts"][-1]
    now = as_now(start - np.timedelta64(5, "m"))
    assert len(make(columns, now=now)) == 225
    error = refusal(FutureBarsError, columns, now=as_now(start - np.timedelta64(301, "s")))
    assert error.dates == named(columns, 224)


def test_without_now_the_clock_decides(columns: Columns) -> None:
    tomorrow = (datetime.now(IST) + timedelta(days=1)).date().isoformat()
    refusal(FutureBarsError, {**last_session(columns), "starts": session_starts(tomorrow)})


@pytest.mark.parametrize("name", PRICES)
def test_values_are_checked_like_those_of_daily_bars(columns: Columns, name: str) -> None:
    for value, kind in ((np.inf, "not_finite"), (0.0, "not_positive")):
        torn = {**columns, name: columns[name].copy()}
        torn[name][7] = value
        assert refusal((BarRowsError, kind), torn).rows == (7,)


@pytest.mark.parametrize("name", ["open", "close"])
def test_an_open_or_close_outside_of_its_bar_is_refused(columns: Columns, name: str) -> None:
    columns[name][7] = columns["high"][7] * (1 + 2e-4)
    assert f"{name} lies outside" in refusal((BarRowsError, "inconsistent"), columns).problem
    columns[name][7] = columns["high"][7] * (1 + 5e-5)
    assert len(make(columns)) == 225


def test_crossed_bars_and_changes_of_unit_are_refused(columns: Columns) -> None:
    crossed = {**columns, "high": columns["low"], "low": columns["high"]}
    refusal((BarRowsError, "inconsistent"), crossed)
    for name in PRICES:
        columns[name][100:] /= 100
    assert refusal(ScaleError, columns).dates == named(columns, 100)


def test_arrays_of_other_length_are_refused(columns: Columns) -> None:
    error = refusal(LengthMismatchError, {**columns, "high": columns["high"][1:]})
    assert error.shapes["starts"] == (225,)
    assert error.shapes["high"] == (224,)


def test_a_session_is_cut_by_its_day(columns: Columns) -> None:
    bars = make(columns)
    assert same(bars.session(DAYS[1]), make(only(columns, slice(75, 150))))
    with pytest.raises(EmptyBarsError, match="2025-11-22"):
        bars.session("2025-11-22")


# The session


def test_the_real_session_reads_as_its_bars_say(nifty_5min: Path, nifty: Bars) -> None:
    bars = IntradayBars.from_csv(nifty_5min)
    signal = intraday_signal(bars, nifty)
    assert (signal.session_date, signal.bars, signal.missing_bars) == ("2025-11-26", 74, 1)
    assert (signal.first_bar, signal.last_bar) == ("2025-11-26T03:45:00Z", "2025-11-26T10:00:00Z")
    assert (signal.elapsed, signal.complete) == (1.0, True)
    assert (signal.relation, signal.notes) == ("later", ("HOLES", "NOT_OF_TODAY"))
    lines = [line.split(",") for line in nifty_5min.read_text().splitlines()[1:]]
    before = float([line for line in lines if line[0] < "2025-11-26"][-1][4])
    today = [[float(cell) for cell in line[1:5]] for line in lines if line[0] > "2025-11-26"]
    assert (signal.previous_close, signal.previous_close_from) == (before, "intraday")
    assert signal.gap_points == today[0][0] - before
    assert signal.gap_fraction == pytest.approx(today[0][0] / before - 1)
    assert signal.gap_filled == any(row[1] >= before for row in today)
    opening = signal.opening_range
    assert (opening.lower, opening.upper) == (
        min(row[2] for row in today[:3]),
        max(row[1] for row in today[:3]),
    )
    assert (opening.state, opening.broke_at) == ("ABOVE", "09:35")
    assert signal.realised_vol_percent is not None
    assert 5 < signal.realised_vol_percent < 20


def test_half_a_session_is_half_elapsed(columns: Columns) -> None:
    signal = intraday_signal(make(last_session(columns, 30)), daily(DAYS[1]))
    assert (signal.bars, signal.missing_bars, signal.elapsed) == (30, 0, 0.4)
    assert not signal.complete
    assert signal.last_bar == f"{TODAY}T06:15:00Z"
    assert signal.notes == ("HALF_SESSION",)
    assert signal.relation == "next"


def test_a_whole_session_has_no_notes(columns: Columns) -> None:
    signal = intraday_signal(make(columns), daily(DAYS[1]))
    assert (signal.bars, signal.elapsed, signal.complete, signal.notes) == (75, 1.0, True, ())


def test_holes_are_counted_up_to_the_last_bar(columns: Columns) -> None:
    torn = only(last_session(columns), [*range(1, 20), *range(22, 40)])
    signal = intraday_signal(make(torn, stamps="start"), daily(DAYS[1]))
    assert (signal.bars, signal.missing_bars, signal.elapsed) == (37, 3, 40 / 75)
    assert signal.gap_points is None
    assert signal.gap_filled is None
    assert signal.opening_range.state == "FORMING"
    assert signal.notes == ("HALF_SESSION", "HOLES", "OPENING_MISSING", "GAP_UNKNOWN")


def test_one_bar_says_a_gap_and_little_else(columns: Columns) -> None:
    signal = intraday_signal(make(last_session(columns, 1)), daily(DAYS[1], close=2600.0))
    assert (signal.bars, signal.elapsed) == (1, 1 / 75)
    assert signal.previous_close == 2600.0
    assert signal.gap_points == pytest.approx(columns["open"][150] - 2600.0)
    assert signal.realised_vol_percent is None
    assert signal.opening_range.state == "FORMING"
    assert signal.opening_range.upper == columns["high"][150]
    assert signal.notes == ("HALF_SESSION", "ONE_BAR")


@pytest.mark.parametrize(
    ("last_day", "relation"),
    [
        (TODAY, "same"),
        (DAYS[1], "next"),
        ("2025-11-18", "later"),
        ("2025-11-26", "older"),
    ],
)
def test_the_session_is_placed_against_the_daily_bars(
    columns: Columns, last_day: str, relation: str
) -> None:
    signal = intraday_signal(make(last_session(columns)), daily(last_day))
    assert signal.relation == relation
    assert ("NOT_OF_TODAY" in signal.notes) == (relation in ("older", "later"))


def test_a_session_behind_another_that_the_daily_bars_lack_is_not_the_next(
    columns: Columns,
) -> None:
    bars = make(columns)
    assert intraday_signal(bars, daily(DAYS[0])).relation == "later"
    assert intraday_signal(bars, daily(DAYS[1])).relation == "next"


def test_the_previous_close_comes_from_the_daily_bars_that_have_it(columns: Columns) -> None:
    for last_day in (DAYS[1], TODAY):
        days = daily(last_day)
        signal = intraday_signal(make(columns), days)
        place = days.dates.astype(str).tolist().index(DAYS[1])
        assert signal.previous_close == days.close[place]
        assert signal.previous_close_from == "daily"
        assert signal.gap_points == columns["open"][150] - days.close[place]


def test_without_it_the_close_of_the_session_before_stands_in(columns: Columns) -> None:
    signal = intraday_signal(make(columns), daily(DAYS[0]))
    assert signal.previous_close == columns["close"][149]
    assert signal.previous_close_from == "intraday"


@pytest.mark.parametrize(("missing", "known"), [(0, True), (2, True), (3, False)])
def test_a_session_before_that_is_cut_short_has_no_close(
    columns: Columns, missing: int, known: bool
) -> None:
    rows = np.r_[75 : 150 - missing, 150:225]
    signal = intraday_signal(make(only(columns, rows)), daily(DAYS[0]))
    assert (signal.previous_close is not None) == known
    assert ("GAP_UNKNOWN" in signal.notes) == (not known)


@pytest.mark.parametrize(("last_day", "known"), [("2025-11-18", True), ("2025-11-17", False)])
def test_a_close_of_more_than_a_week_ago_is_none(
    columns: Columns, last_day: str, known: bool
) -> None:
    signal = intraday_signal(make(last_session(columns)), daily(last_day))
    assert (signal.previous_close is not None) == known
    assert ("WEEKDAY_BETWEEN" in signal.notes) == known


def test_a_weekend_is_no_missing_day(columns: Columns) -> None:
    monday = only(columns, slice(75, 150))
    assert intraday_signal(make(monday), daily(DAYS[0])).notes == ()


@pytest.mark.parametrize(
    ("close", "filled"), [("below every low", False), ("last", True), ("above every high", False)]
)
def test_a_gap_is_filled_where_the_session_trades_at_the_previous_close(
    columns: Columns, close: str, filled: bool
) -> None:
    today = last_session(columns)
    level = {
        "below every low": today["low"].min() - 0.5,
        "last": today["close"][-1],
        "above every high": today["high"].max() + 0.5,
    }[close]
    signal = intraday_signal(make(today), daily(DAYS[1], close=float(level)))
    assert signal.gap_filled is filled
    assert signal.gap_points is not None
    assert signal.gap_fraction == pytest.approx(signal.gap_points / level)


def test_no_gap_is_a_filled_one(columns: Columns) -> None:
    today = last_session(columns)
    signal = intraday_signal(make(today), daily(DAYS[1], close=float(today["open"][0])))
    assert (signal.gap_points, signal.gap_filled) == (0.0, True)


def flat_then(closes: list[float]) -> Columns:
    """Opening bars within 99 and 101, then bars that close as told."""
    close = np.array([100.0, 100.5, 99.5, *closes])
    shape = {"open": close.copy(), "high": np.maximum(close, 101.0), "low": np.minimum(close, 99.0)}
    shape["high"][3:] = shape["low"][3:] = close[3:]
    return {"starts": session_starts(TODAY, len(close)), **shape, "close": close}


@pytest.mark.parametrize(
    ("closes", "state", "broke_at"),
    [
        ([], "INSIDE", None),
        ([100.0], "INSIDE", None),
        ([101.0], "INSIDE", None),
        ([101.1], "ABOVE", "09:35"),
        ([100.0, 98.9], "BELOW", "09:40"),
        ([102.0, 98.0, 100.0], "INSIDE", "09:35"),
    ],
)
def test_the_opening_range_is_left_by_a_close(
    closes: list[float], state: str, broke_at: str | None
) -> None:
    far = daily("2024-11-25")
    opening = intraday_signal(make(flat_then(closes)), far).opening_range
    assert (opening.lower, opening.upper, opening.minutes) == (99.0, 101.0, 15)
    assert (opening.state, opening.broke_at) == (state, broke_at)


def test_a_close_beyond_its_own_bar_by_rounding_does_not_leave_the_opening_range() -> None:
    columns = flat_then([])
    columns["close"][2] = 101.005
    opening = intraday_signal(make(columns), daily("2024-11-25")).opening_range
    assert (opening.state, opening.upper, opening.broke_at) == ("INSIDE", 101.0, None)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_opening_range_forms_in_fifteen_minutes(columns: Columns, count: int) -> None:
    signal = intraday_signal(make(last_session(columns, count)), daily(DAYS[1]))
    assert (signal.opening_range.state == "FORMING") == (count < 3)
    assert "OPENING_MISSING" not in signal.notes


@pytest.mark.parametrize("count", [6, 30, 75])
def test_realised_volatility_is_scaled_to_a_year(count: int) -> None:
    # Moves of 1 basis point in five minutes, up and down.
    close = 2500.0 * np.exp(1e-4 * (np.arange(count) % 2))
    open_ = np.concatenate([[close[0] * math.exp(1e-4)], close[:-1]])
    high, low = np.maximum(open_, close), np.minimum(open_, close)
    starts = session_starts(TODAY, count)
    signal = intraday_signal(
        make({"starts": starts, "open": open_, "high": high, "low": low, "close": close}),
        daily(DAYS[1]),
    )
    assert signal.realised_vol_percent == pytest.approx(100 * 1e-4 * math.sqrt(75 * 252))


def test_no_return_spans_a_hole_or_a_night(columns: Columns) -> None:
    whole = last_session(columns)
    torn = only(whole, [*range(10), *range(40, 75)])
    signal = intraday_signal(make(torn), daily(DAYS[1]))
    expected = [
        math.log(row_close / (row_open if place in (0, 40) else before))
        for place, row_open, row_close, before in zip(
            range(75), whole["open"], whole["close"], np.roll(whole["close"], 1), strict=True
        )
        if place < 10 or place >= 40
    ]
    mean_square = sum(r * r for r in expected) / len(expected)
    assert signal.realised_vol_percent == pytest.approx(100 * math.sqrt(252 * 75 * mean_square))


def test_fewer_than_six_returns_have_no_volatility(columns: Columns) -> None:
    for count, known in ((5, False), (6, True)):
        signal = intraday_signal(make(last_session(columns, count)), daily(DAYS[1]))
        assert (signal.realised_vol_percent is not None) == known


@pytest.mark.parametrize("factor", [0.4, 0.6, 1.6, 2.2])
def test_bars_of_another_index_are_refused(columns: Columns, factor: float) -> None:
    for name in PRICES:
        columns[name] *= factor
    for last_day in (DAYS[1], TODAY):
        with pytest.raises(ScaleError, match="not of one index") as caught:
            intraday_signal(make(columns), daily(last_day))
        assert caught.value.dates == (last_day,)
    assert intraday_signal(make(columns), daily("2025-10-01")).previous_close_from == "intraday"


@pytest.mark.parametrize("step", [-0.24, -0.2, 0.2, 0.24])
def test_bars_a_halt_away_from_the_daily_close_are_of_the_same_index(
    columns: Columns, step: float
) -> None:
    session = last_session(columns)
    days = daily(DAYS[1])
    factor = float(days.close[-1]) * math.exp(step) / float(session["close"][0])
    moved = {name: session[name] * factor for name in PRICES}
    signal = intraday_signal(make({"starts": session["starts"], **moved}), days)
    assert signal.relation == "next"
    further = {
        name: values * math.exp(math.copysign(0.26, step) - step) for name, values in moved.items()
    }
    with pytest.raises(ScaleError, match="not of one index"):
        intraday_signal(make({"starts": session["starts"], **further}), days)


@pytest.mark.parametrize("path", [None, 0, 12345, 3.5, b"five.csv", ["five.csv"], "a\0b"])
def test_what_is_no_path_is_refused(path: Any) -> None:
    with pytest.raises(FileUnreadableError) as caught:
        IntradayBars.from_csv(path)
    assert caught.value.remedy


@given(minutes=st.integers(-14 * 60, 14 * 60), count=st.integers(1, 75))
def test_the_signal_does_not_depend_on_the_zone_of_its_stamps(minutes: int, count: int) -> None:
    part = only(three_sessions(), slice(0, 150 + count))
    zone = timezone(timedelta(minutes=minutes))
    days = daily(DAYS[1])
    elsewhere = make({**part, "starts": written(part["starts"], zone)})
    assert intraday_signal(elsewhere, days) == intraday_signal(make(part), days)
    assert gamma_windows(elsewhere) == gamma_windows(make(part))


def sparse(part: Columns) -> IntradayBars:
    """Bars of any part of sessions, but for those that look like bars of another length."""
    try:
        return make(part, stamps="start")
    except BarRowsError as error:
        assume(error.kind != "interval")
        raise


@given(rows=st.sets(st.integers(0, 224), min_size=1))
def test_any_part_of_three_sessions_gives_a_signal_within_its_ranges(rows: set[int]) -> None:
    part = only(three_sessions(), sorted(rows))
    bars = sparse(part)
    signal = intraday_signal(bars, daily(DAYS[0]))
    session = bars.session(signal.session_date)
    assert 0 < signal.elapsed <= 1
    assert signal.bars + signal.missing_bars == round(signal.elapsed * BARS_PER_SESSION)
    assert signal.bars == len(session)
    assert ("HOLES" in signal.notes) == (signal.missing_bars > 0)
    assert (signal.gap_points is None) == ("GAP_UNKNOWN" in signal.notes)
    assert (signal.opening_range.state == "FORMING") == (not {0, 1, 2} <= set(session.slots))
    assert (signal.realised_vol_percent is None) == (len(session) < 6)
    assert signal.last == part["close"][-1]


# The day's windows


def test_the_real_day_is_liveliest_at_its_start(nifty_5min: Path) -> None:
    windows = gamma_windows(IntradayBars.from_csv(nifty_5min))
    names = [window.window for window in windows]
    assert names == [
        *("09:15-09:45", "09:45-10:15", "10:15-10:45", "10:45-11:15", "11:15-11:45"),
        *("11:45-12:15", "12:15-12:45", "12:45-13:15", "13:15-13:45", "13:45-14:15"),
        *("14:15-14:45", "14:45-15:15", "15:15-15:30"),
    ]
    assert windows[0].score == 1.0
    assert {window.sessions for window in windows} == {3}


def test_windows_without_a_bar_are_left_out(columns: Columns) -> None:
    bars = make(only(columns, [*range(75, 81), *range(150, 152), 224]))
    first, last = gamma_windows(bars)
    assert (first.window, first.sessions) == ("09:15-09:45", 2)
    assert (last.window, last.sessions) == ("15:15-15:30", 1)


def test_a_window_twice_as_volatile_scores_twice_as_much() -> None:
    # Every other bar, so that each return is from its own open.
    starts = session_starts(TODAY, 24)[::2]
    open_ = 2500.0 + np.arange(12.0)
    close = open_ * np.exp(np.where(np.arange(12) < 6, 1e-4, 2e-4))
    windows = gamma_windows(IntradayBars(starts, open_, close, open_, close))
    names = ["09:15-09:45", "09:45-10:15", "10:15-10:45", "10:45-11:15"]
    assert [window.window for window in windows] == names
    assert [window.score for window in windows] == pytest.approx([0.5, 0.5, 1.0, 1.0])


def test_a_session_that_does_not_move_has_no_windows() -> None:
    same_price = np.full(5, 2500.0)
    bars = make({"starts": session_starts(TODAY, 5), **dict.fromkeys(PRICES, same_price)})
    assert gamma_windows(bars) == ()


@given(rows=st.sets(st.integers(0, 224), min_size=1))
def test_scores_lie_within_0_and_1_and_the_highest_is_1(rows: set[int]) -> None:
    bars = sparse(only(three_sessions(), sorted(rows)))
    windows = gamma_windows(bars)
    assert max(window.score for window in windows) == 1.0
    assert all(0.0 <= window.score <= 1.0 for window in windows)
    assert len({window.window for window in windows}) == len(windows)


@given(
    row=st.integers(0, 224),
    column=st.sampled_from(("starts", *PRICES)),
    text=st.one_of(st.text(max_size=12), st.floats().map(str), st.datetimes().map(str)),
)
def test_a_corrupt_cell_causes_no_other_error(
    tmp_path_factory: pytest.TempPathFactory, row: int, column: str, text: str
) -> None:
    columns = three_sessions()
    frame = pd.DataFrame({"timestamp": [f"{start}Z" for start in columns["starts"]]}, dtype=object)
    for name in PRICES:
        frame[name] = columns[name].astype(object)
    frame.loc[row, "timestamp" if column == "starts" else column] = text
    path = tmp_path_factory.mktemp("torn") / "five.csv"
    frame.to_csv(path, index=False)
    readers: list[Callable[[], IntradayBars]] = [
        lambda: IntradayBars.from_csv(path),
        lambda: IntradayBars.from_frame(frame),
    ]
    for read in readers:
        try:
            assert len(read()) >= 224
        except BarsError as error:
            assert error.remedy  # noqa: PT017


@pytest.mark.parametrize("factor", [1e-320, 1e-300, 1e300])
def test_prices_that_no_index_has_ever_had_are_refused(columns: Columns, factor: float) -> None:
    scaled = {name: columns[name] * factor for name in PRICES}
    assert refusal(ScaleError, {**columns, **scaled}).column == "close"


@pytest.mark.parametrize("now", [[TODAY, TODAY], [], ""])
def test_a_present_that_is_no_single_moment_is_refused(columns: Columns, now: Any) -> None:
    refusal(UnreadableCellError, columns, now=now)
    present = datetime.max.replace(tzinfo=timezone.utc)
    assert len(make(columns, now=present)) == len(columns["starts"])


def test_a_session_of_no_single_day_is_refused(columns: Columns) -> None:
    with pytest.raises(UnreadableCellError):
        make(columns).session([TODAY, TODAY])  # type: ignore[arg-type]


def test_a_source_that_is_no_text_is_refused(columns: Columns) -> None:
    refusal(BarsError, columns, source=5)


def test_an_error_without_rows_names_what_it_has() -> None:
    error = FutureBarsError("bars", today=TODAY, rows=[], dates=["2025-11-26T03:45:00Z"])
    assert f"dates after {TODAY}: 2025-11-26T03:45:00Z." in error.problem
