"""A row of bars is a session, or it is said: holes, other days, other intervals, invented rows."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from aegismatrix_factory.evaluate.markets import MarketSource
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aegismatrix.errors import (
    BarRowsError,
    BarsError,
    FrozenBarsError,
    IntervalError,
    MarketError,
    MissingSessionsError,
    PermitError,
    SpikeError,
    StampError,
    UnexpectedSessionsError,
)
from aegismatrix.market.bars import Bars, IvFill
from aegismatrix.market.calendars.calendar import weekdays
from aegismatrix.market.market import NIFTY, Market
from aegismatrix.market.permits import Permit, permits_of
from aegismatrix.market.thresholds import MAX_MISSING, RECENT_SESSIONS, WINDOW_ROWS
from tests.raising import raising

CASES = Path(__file__).parents[1] / "fixtures" / "cases"
CALENDAR = NIFTY.known_calendar()
SESSIONS = CALENDAR.sessions(CALENDAR.first, CALENDAR.last)
PRICES = ("open", "high", "low", "close")
ROWS = 600
Columns = dict[str, Any]
Expected = type[BarsError] | tuple[type[BarsError], str]


def case(index: str, iv: str = "base_v") -> Bars:
    return Bars.from_csv(CASES / f"{index}.csv", iv=CASES / f"{iv}.csv")


def columns_of(bars: Bars) -> Columns:
    return {name: getattr(bars, name).copy() for name in ("dates", *PRICES, "iv")}


def made(columns: Columns, market: Any = "nifty", **options: Any) -> Bars:
    return Bars.from_arrays(**columns, iv_dates=columns["dates"], market=market, **options)


def without(columns: Columns, *rows: int) -> Columns:
    return {name: np.delete(values, rows) for name, values in columns.items()}


@pytest.fixture(scope="module")
def base() -> Bars:
    """Every session of NSE from 2015-01-01 to 2026-08-07, of an invented index."""
    return case("base_n")


@pytest.fixture
def columns(base: Bars) -> Columns:
    return columns_of(base[-ROWS:])


def test_bars_of_every_session_have_nothing_to_be_said_of(base: Bars) -> None:
    base.check_reportable()
    assert base.notes == ()
    assert base.days.missing == base.days.unexpected == base.days.special == ()
    assert base.days.unchecked == 0


@pytest.mark.parametrize(
    ("index", "iv", "expected", "day"),
    [
        ("hole1_n", "hole1_v", (MissingSessionsError, "recent"), "2026-08-06"),
        ("copied_last_n", "copied_last_v", FrozenBarsError, "2026-08-07"),
        ("base_n", "frozen_vix_v", FrozenBarsError, "2026-07-13"),
        ("spike_revert_n", "base_v", (SpikeError, "reverted"), "2026-06-29"),
        ("weekly_mon_n", "base_v", IntervalError, "2014-12-29"),
    ],
)
def test_what_went_wrong_in_public_is_refused_by_its_name(
    index: str, iv: str, expected: Expected, day: str
) -> None:
    with raising(expected, match=day) as caught:
        case(index, iv).check_reportable()
    assert day in caught.value.dates


def test_weekly_bars_are_refused_as_weekly_bars() -> None:
    with raising(IntervalError, match="weekly") as caught:
        case("weekly_mon_n")
    assert caught.value.interval == "weekly"


@pytest.mark.parametrize(
    ("name", "interval"),
    [
        ("weekly by friday", "weekly"),
        ("every second session", "every-second-session"),
        ("monthly", "monthly"),
    ],
)
@pytest.mark.parametrize("where", ["all", "first", "last"])
@pytest.mark.parametrize("market", ["nifty", "other"])
def test_bars_that_are_not_daily_are_refused_by_their_interval(
    columns: Columns, name: str, interval: str, where: str, market: str
) -> None:
    dates = columns["dates"]
    months = dates.astype("datetime64[M]")
    kept = {
        "weekly by friday": weekdays(dates) == 4,
        "every second session": np.arange(ROWS) % 2 == 0,
        "monthly": np.append(months[1:] != months[:-1], True),
    }[name]
    half = ROWS // 2
    if where != "all":
        kept = kept | (np.arange(ROWS) >= half if where == "first" else np.arange(ROWS) < half)
    with raising(IntervalError) as caught:
        made(without(columns, *np.flatnonzero(~kept)), market)
    assert caught.value.interval == interval


def test_five_minute_bars_are_refused_as_daily_ones(columns: Columns) -> None:
    first = np.datetime64("2026-08-07T03:45")
    stamps = first + np.arange(60) * np.timedelta64(5, "m")
    cut = {name: values[-60:] for name, values in columns.items()}
    for dates in (stamps, [f"{stamp}Z" for stamp in stamps]):
        with raising(IntervalError, match="5-minute"):
            made({**cut, "dates": dates})


def midnights(columns: Columns) -> pd.DatetimeIndex:
    days = pd.DatetimeIndex(columns["dates"].astype("datetime64[ns]"))
    placed: pd.DatetimeIndex = days.tz_localize("Asia/Kolkata")
    return placed


def test_exchange_midnights_with_a_zone_land_on_the_exchanges_day(columns: Columns) -> None:
    prices = {name: columns[name] for name in PRICES}
    index = midnights(columns).tz_convert("UTC")
    bars = Bars.from_frames(
        pd.DataFrame(prices, index=index), pd.Series(columns["iv"], index=index)
    )
    assert bars.dates.tolist() == columns["dates"].tolist()
    text = [stamp.isoformat() for stamp in index]
    assert made({**columns, "dates": text}).dates.tolist() == columns["dates"].tolist()


def test_naive_instants_of_exchange_midnights_are_refused(columns: Columns) -> None:
    prices = {name: columns[name] for name in PRICES}
    naive = midnights(columns).tz_convert("UTC").tz_localize(None)
    with raising(StampError, match="18:30"):
        Bars.from_frames(pd.DataFrame(prices, index=naive), pd.Series(columns["iv"], index=naive))
    for dates in (
        midnights(columns).tz_convert(None).to_numpy(),
        naive.to_pydatetime(),
        [str(one) for one in naive],
    ):
        with raising(StampError, match="tz_localize"):
            made({**columns, "dates": dates})


def test_days_that_lost_their_midnight_are_refused_as_a_day_early(columns: Columns) -> None:
    early = {**columns, "dates": columns["dates"] - np.timedelta64(1, "D")}
    for market_bars in (early, {name: values[-40:] for name, values in early.items()}):
        with raising((UnexpectedSessionsError, "day_early"), match="tz_convert"):
            made(market_bars)


def test_another_index_is_refused_as_this_ones(sp500: Bars) -> None:
    given = {name: getattr(sp500, name) for name in ("dates", "high", "low", "close", "iv")}
    for prices in (given, given | {"high": given["close"], "low": given["close"]}):
        with raising((UnexpectedSessionsError, "other_market"), match="market='other'") as caught:
            Bars.from_arrays(**prices)
        assert caught.value.count == len(caught.value.rows)


def test_bars_that_were_filled_forward_over_closed_days_are_called_so(base: Bars) -> None:
    bars = base[-ROWS:]
    every = np.arange(bars.dates[0], bars.dates[-1] + np.timedelta64(1, "D"))
    every = every[weekdays(every) < 5]
    rows = np.searchsorted(bars.dates, every, side="right") - 1
    filled = {name: getattr(bars, name)[rows] for name in ("high", "low", "close", "iv")}
    for flat in (filled, filled | {"high": filled["close"], "low": filled["close"]}):
        with raising((UnexpectedSessionsError, "filled_forward"), match="Drop these rows"):
            Bars.from_arrays(dates=every, **flat, iv_dates=every)


def joined(bars: Bars, prints: Bars, days_off: int = 0) -> Bars:
    """The bars with the closes of another volatility index, or with its days moved."""
    dates = prints.dates + np.timedelta64(days_off, "D")
    within = (dates >= bars.dates[0]) & (dates <= bars.dates[-1])
    kept = (bars.dates >= dates[within][0]) & (bars.dates <= dates[within][-1])
    index = {name: getattr(bars, name)[kept] for name in ("dates", "high", "low", "close")}
    return Bars.from_arrays(**index, iv=prints.iv[within], iv_dates=dates[within])


def test_the_volatility_index_of_another_market_is_refused(nifty: Bars, sp500: Bars) -> None:
    with raising((UnexpectedSessionsError, "other_iv"), match="of the market that the bars") as one:
        joined(nifty, sp500)
    assert one.value.count == len(one.value.rows)


@pytest.mark.parametrize(("days_off", "kind"), [(-1, "day_early"), (1, "other_iv")])
@pytest.mark.parametrize("rows", [40, ROWS])
def test_prints_of_a_volatility_index_under_the_wrong_days_are_refused(
    base: Bars, days_off: int, kind: str, rows: int
) -> None:
    with raising((UnexpectedSessionsError, kind)):
        joined(base[-rows:], base[-rows:], days_off)


def test_prints_that_are_filled_forward_over_closed_days_are_the_same_bars(base: Bars) -> None:
    bars = base[-ROWS:]
    every = np.arange(bars.dates[0], bars.dates[-1] + np.timedelta64(1, "D"))
    filled = bars.iv[np.searchsorted(bars.dates, every, side="right") - 1]
    index = {name: getattr(bars, name) for name in ("dates", "high", "low", "close")}
    again = Bars.from_arrays(**index, iv=filled, iv_dates=every)
    assert np.array_equal(again.iv, bars.iv)
    assert again.iv_fills == ()


def test_prints_of_no_session_from_before_the_bars_begin_or_that_are_permitted_pass(
    base: Bars,
) -> None:
    bars = base[-ROWS:]
    index = {name: getattr(bars, name) for name in ("dates", "high", "low", "close")}
    saturdays = bars.dates[weekdays(bars.dates) == 4][:5] + np.timedelta64(1, "D")
    dates = np.sort(np.concatenate([bars.dates, saturdays]))
    iv = 15.0 + np.arange(len(dates)) % 7
    with raising((UnexpectedSessionsError, "other_iv")):
        Bars.from_arrays(**index, iv=iv, iv_dates=dates)
    permits = [f"unexpected:{day}" for day in saturdays]
    Bars.from_arrays(**index, iv=iv, iv_dates=dates, permit=permits)
    later = {name: values[bars.dates > saturdays[-1]] for name, values in index.items()}
    assert len(Bars.from_arrays(**later, iv=iv, iv_dates=dates))


def refused_as_of(bars: Bars) -> list[str]:
    refused = []
    for stop in range(2, len(bars) + 1):
        until = bars[max(0, stop - WINDOW_ROWS - 70) : stop]
        try:
            until.check_reportable()
        except MissingSessionsError:
            refused.append(str(until.dates[-1]))
    return refused


def test_of_all_real_days_those_soon_after_a_hole_alone_are_refused(
    nifty: Bars, sp500: Bars
) -> None:
    calendar = [str(day) for day in SESSIONS]
    days = nifty.dates.astype(str).tolist()
    missing = set(calendar[bisect_left(calendar, days[0]) :]) - set(days)
    missing = {day for day in missing if day < days[-1]}
    assert len(missing) == 19
    expected = [
        day
        for day in days
        if missing & set(calendar[: bisect_left(calendar, day)][-RECENT_SESSIONS:])
    ]
    assert refused_as_of(nifty) == expected
    assert 19 * 3 < len(expected) <= 19 * RECENT_SESSIONS
    assert refused_as_of(sp500) == []


def test_real_bars_name_their_old_holes_special_sessions_and_placeholders(
    nifty: Bars, sp500: Bars
) -> None:
    assert len(nifty.days.missing) == 19
    assert nifty.days.special == tuple(
        np.array(
            ["2017-10-19", "2018-11-07", "2021-11-04", "2022-10-24", "2024-11-01"], "datetime64[D]"
        )
    )
    said = " ".join(nifty.notes)
    for day in ("2019-03-29", "14 before", "2024-11-01", "2021-02-12", "2021-03-30"):
        assert day in said
    assert sp500.notes == ()
    assert sp500.days.calendar is None
    assert sp500.days.unchecked == len(sp500)


def test_an_old_hole_refuses_no_slice_and_no_history_but_the_report_as_of_it(nifty: Bars) -> None:
    row = nifty.dates.tolist().index(date(2019, 4, 1))
    until = nifty[: row + 1]
    assert until.days.missing[-1] == np.datetime64("2019-03-29")
    with raising((MissingSessionsError, "recent"), match="2019-03-29"):
        until.check_reportable()
    nifty[: row + RECENT_SESSIONS + 1].check_reportable()
    assert len(nifty[row : row + 300]) == 300


def test_many_missing_sessions_of_the_last_year_are_refused_and_old_ones_noted(
    columns: Columns,
) -> None:
    late = [ROWS - 20 - 10 * one for one in range(MAX_MISSING + 1)]
    with raising((MissingSessionsError, "many")) as caught:
        made(without(columns, *late)).check_reportable()
    assert sorted(caught.value.dates) == sorted(str(columns["dates"][row]) for row in late)
    made(without(columns, *late[1:])).check_reportable()
    old = [20 + 10 * one for one in range(MAX_MISSING + 20)]
    bars = made(without(columns, *old))
    bars.check_reportable()
    assert len(bars.days.missing) == len(old)


def test_beyond_the_calendar_nothing_is_guessed_and_it_is_said(columns: Columns) -> None:
    # Seven years of whole weeks later: weekdays stay what they are.
    later = columns["dates"] + np.timedelta64(7 * 53 * 7, "D")
    bars = made({**columns, "dates": later}, today="2040-01-01")
    bars.check_reportable()
    assert (bars.days.unchecked, bars.days.missing) == (ROWS, ())
    assert "2026-12-31" in bars.notes[0]


def with_row(columns: Columns, day: str, **prices: float) -> Columns:
    place = int(np.searchsorted(columns["dates"], np.datetime64(day)))
    before = {name: columns[name][place - 1] for name in columns}
    row = {**before, "dates": np.datetime64(day), **prices}
    return {name: np.insert(values, place, row[name]) for name, values in columns.items()}


def test_a_flat_row_on_a_day_without_a_session_is_no_session(columns: Columns) -> None:
    close = columns["close"][-1]
    for flat in (
        with_row(columns, "2026-08-08", open=close, high=close, low=close, close=close),
        with_row(columns, "2026-08-08", high=close + 1, low=close - 9),
    ):
        bars = made(flat)
        assert bars.days.unexpected == (np.datetime64("2026-08-08"),)
        if bars.days.flat:
            assert bars.last_session == date(2026, 8, 7)
            with raising((UnexpectedSessionsError, "filled_forward"), match="2026-08-08"):
                bars.check_reportable()
        else:
            # A row with a range of its own: a weekend session that the calendar does not know.
            assert bars.last_session == date(2026, 8, 8)
            bars.check_reportable()
            assert "2026-08-08" in bars.notes[0]


def test_a_copied_row_on_a_weekend_is_frozen(columns: Columns) -> None:
    with raising(FrozenBarsError, match="2026-08-08"):
        made(with_row(columns, "2026-08-08"))


@pytest.mark.parametrize("factor", [1.21, 1.3, 1.5, 0.75, 0.68])
@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("row", [1, 300, ROWS - 6])
def test_a_move_beyond_the_breaker_that_is_back_within_days_is_refused(
    columns: Columns, factor: float, rows: int, row: int
) -> None:
    for name in PRICES:
        columns[name][row : row + rows] *= factor
    with raising((SpikeError, "reverted")) as caught:
        made(columns)
    day = str(columns["dates"][row])
    assert caught.value.dates == (day,)
    bars = made(columns, permit=f"move:{day}")
    assert bars.permits == (Permit("move", day),)
    assert day in bars.notes[0]


def test_a_high_beyond_the_breaker_in_a_row_that_closes_inside_is_a_spike(
    columns: Columns,
) -> None:
    columns["high"][200] *= 1.4
    with raising((SpikeError, "reverted")) as caught:
        made(columns)
    assert caught.value.rows == (200,)


def test_a_late_move_beyond_the_breaker_is_refused_in_a_report_and_an_old_one_noted(
    columns: Columns,
) -> None:
    for back in (1, 3, 5):
        late = {name: values.copy() for name, values in columns.items()}
        for name in PRICES:
            late[name][ROWS - back :] *= 1.3
        bars = made(late)
        with raising((SpikeError, "unsettled")):
            bars.check_reportable()
        day = str(late["dates"][ROWS - back])
        made(late, permit=[f"move:{day}"]).check_reportable()
    for name in PRICES:
        columns[name][300:] *= 1.3
    bars = made(columns)
    bars.check_reportable()
    assert bars.prints.moves == (columns["dates"][300],)
    assert str(columns["dates"][300]) in bars.notes[0]


def test_the_crash_of_1987_is_a_move_of_a_market_without_a_breaker(sample: Bars) -> None:
    # S&P 500, closes of 1987-10-14 to 26, between days as they were before and after.
    closes = np.array([305.23, 298.08, 282.70, 224.84, 236.83, 258.38, 248.25, 248.22, 227.67])
    columns = {name: getattr(sample, name)[-60:].copy() for name in ("high", "low", "close", "iv")}
    calm = columns["close"][:30] / columns["close"][29] * closes[0]
    close = np.concatenate([calm[:-1], closes, np.linspace(229.0, 245.0, 22)])
    low = np.minimum(close, np.append(close[:1], close[:-1])) * 0.995
    high = np.maximum(close, np.append(close[:1], close[:-1])) * 1.005
    bars = Bars.from_arrays(
        sample.dates[-60:], high, low, close, columns["iv"], market="other", source="1987"
    )
    bars.check_reportable()
    assert bars.prints.spikes == ()


@pytest.mark.parametrize("breaker", [0.0, 1.0, -0.2, float("nan"), True, "0.2"])
def test_a_circuit_breaker_that_is_no_fraction_is_refused(breaker: Any) -> None:
    with pytest.raises(MarketError, match="circuit_breaker"):
        Market("mine", circuit_breaker=breaker)


def test_a_circuit_breaker_is_kept_in_a_market_file() -> None:
    assert Market.from_dict(NIFTY.to_dict()) == NIFTY
    assert NIFTY.to_dict()["circuit_breaker"] == 0.2


def test_a_placeholder_of_the_volatility_index_is_recorded_as_a_fill(
    columns: Columns, tmp_path: Path
) -> None:
    day, before = columns["dates"][400], columns["dates"][399]
    columns["iv"][400] = columns["iv"][399]
    lows = columns["iv"] * 0.98
    lows[400] = 0.0
    fills = (IvFill(str(day), str(before), 1),)
    assert made(columns, iv_low=lows).iv_fills == fills
    index = columns["dates"]
    iv = pd.DataFrame({"low": lows, "close": columns["iv"]}, index=pd.DatetimeIndex(index))
    prices = pd.DataFrame({name: columns[name] for name in PRICES}, index=pd.DatetimeIndex(index))
    bars = Bars.from_frames(prices, iv)
    assert bars.iv_fills == fills
    assert str(day) in bars.notes[-1]
    iv.to_csv(tmp_path / "iv.csv", index_label="date")
    prices.to_csv(tmp_path / "index.csv", index_label="date")
    assert Bars.from_csv(tmp_path / "index.csv", iv=tmp_path / "iv.csv").iv_fills == fills
    # A close of its own is a print, whatever the low says.
    columns["iv"][400] += 0.01
    assert made(columns, iv_low=lows).iv_fills == ()


def test_every_exception_can_be_permitted_by_kind_and_day(columns: Columns) -> None:
    dates = columns["dates"].astype(str)
    hole = without(columns, ROWS - 2)
    made(hole, permit=Permit("missing", dates[-2])).check_reportable()
    copied = {name: values.copy() for name, values in columns.items()}
    for name in PRICES:
        copied[name][-1] = copied[name][-2]
    made(copied, permit=f"copy:{dates[-1]}").check_reportable()
    still = {**columns, "iv": columns["iv"].copy()}
    still["iv"][-5:] = still["iv"][-1]
    made(still, permit=(f"frozen_iv:{dates[-1]}",)).check_reportable()
    close = columns["close"][-1]
    flat = with_row(columns, "2026-08-08", open=close, high=close, low=close, close=close)
    made(flat, permit=["unexpected:2026-08-08"]).check_reportable()


def test_a_permit_of_another_day_permits_nothing(columns: Columns) -> None:
    hole = without(columns, ROWS - 2)
    wrong = str(columns["dates"][-3])
    with raising(MissingSessionsError):
        made(hole, permit=Permit("missing", wrong)).check_reportable()


@pytest.mark.parametrize(
    "given",
    [
        "",
        "move",
        "move:",
        "move:2024-02-30",
        "rain:2024-01-01",
        "missing:yesterday",
        5,
        [None],
    ],
)
def test_what_permits_nothing_that_is_known_is_refused(given: Any) -> None:
    with raising(PermitError, match="KIND:DATE"):
        permits_of(given)


def test_slices_keep_permits_and_are_not_checked_anew(columns: Columns) -> None:
    for name in PRICES:
        columns[name][301] = columns[name][300]
    bars = made(columns, permit="missing:2026-01-15")
    cut = bars[:302]
    assert cut.permits == bars.permits
    assert cut.prints.copies == (columns["dates"][301],)
    with raising(FrozenBarsError):
        cut.check_reportable()
    with raising(FrozenBarsError):
        replace(cut, source="made anew")


Fault = Callable[[Columns, int, Any], tuple[Columns, list[str]]]


def lose(columns: Columns, row: int, draw: Any) -> tuple[Columns, list[str]]:
    count = draw(st.integers(1, 6))
    rows = [one for one in range(row, row + count) if one < len(columns["dates"]) - 1]
    return without(columns, *rows), columns["dates"][rows].astype(str).tolist()


def copy(columns: Columns, row: int, draw: Any) -> tuple[Columns, list[str]]:
    for name in PRICES:
        columns[name][row] = columns[name][row - 1]
    return columns, [str(columns["dates"][row])]


def freeze_iv(columns: Columns, row: int, draw: Any) -> tuple[Columns, list[str]]:
    row = min(row, len(columns["dates"]) - 5)
    stop = row + draw(st.integers(5, 25))
    columns["iv"][row:stop] = columns["iv"][row]
    return columns, columns["dates"][row + 4 : stop].astype(str).tolist()


def spike(columns: Columns, row: int, draw: Any) -> tuple[Columns, list[str]]:
    factor = draw(st.sampled_from((1.45, 1.55, 0.66, 0.63)))
    for name in PRICES:
        columns[name][row : row + draw(st.integers(1, 3))] *= factor
    return columns, [str(columns["dates"][row])]


def fill_forward(columns: Columns, row: int, draw: Any) -> tuple[Columns, list[str]]:
    saturday = columns["dates"][row] + np.timedelta64(
        int(5 - weekdays(columns["dates"][row : row + 1])[0]), "D"
    )
    place = int(np.searchsorted(columns["dates"], saturday))
    close = columns["close"][place - 1]
    prices = dict.fromkeys(PRICES, close)
    return with_row(columns, str(saturday), **prices), [str(saturday)]


def high_alone(columns: Columns, row: int, draw: Any) -> tuple[Columns, list[str]]:
    columns["high"][row] *= draw(st.sampled_from((1.35, 1.5)))
    return columns, [str(columns["dates"][row])]


FAULTS: tuple[Fault, ...] = (lose, copy, freeze_iv, spike, fill_forward, high_alone)


@settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    data=st.data(), fault=st.sampled_from(FAULTS), place=st.sampled_from(("start", "mid", "end"))
)
def test_a_fault_anywhere_in_real_bars_is_refused_or_named_never_silent(
    data: st.DataObject, fault: Fault, place: str, nifty: Bars, sp500: Bars
) -> None:
    bars = data.draw(st.sampled_from((nifty, sp500)))
    start = data.draw(st.integers(0, len(bars) - ROWS))
    bars = bars[start : start + ROWS]
    low, high = {"start": (1, 9), "mid": (200, 400), "end": (ROWS - 5, ROWS - 1)}[place]
    # A row whose own move, on the wrong side, would hide what is put upon it is no market's either.
    row = data.draw(st.integers(low, high))
    columns, days = fault(columns_of(bars), row, data.draw)
    calendar = bars.market.calendar is not None
    if not days or (not calendar and fault in (lose, fill_forward)):
        return
    said = dict.fromkeys(days, False)
    try:
        again = made(columns, bars.market)
        named = {
            str(day)
            for of in (again.days, again.prints)
            for days_of in vars(of).values()
            if isinstance(days_of, tuple)
            for day in days_of
        }
        said = {day: day in named for day in days}
        again.check_reportable()
    except BarsError:
        return
    assert all(said.values()), (fault, days, said)
    assert again.notes
    assert place != "end", f"{fault} in the last rows gives a report"


def test_a_sheet_of_both_faults_names_the_interval_first(market_sources: Any) -> None:
    source: MarketSource = market_sources[0]
    bars = source.bars()
    kept = np.flatnonzero(weekdays(bars.dates) == 0)
    given = {name: getattr(bars, name)[kept] for name in ("high", "low", "close")}
    with raising(IntervalError, match="weekly"):
        Bars.from_arrays(
            bars.dates[kept], **given, iv=bars.iv[:3], iv_dates=bars.dates[:3], market="nifty"
        )


def test_copies_beyond_a_slip_are_refused_by_their_rows(columns: Columns) -> None:
    rows = (100, 150, 200, 250)
    for row in rows:
        for name in PRICES:
            columns[name][row] = columns[name][row - 1]
    with raising((BarRowsError, "copied")) as caught:
        made(columns)
    assert caught.value.rows == rows


def test_what_a_clock_says_does_not_move_a_day(columns: Columns) -> None:
    stamps = [datetime.fromisoformat(str(day)) for day in columns["dates"]]
    placed = [stamp.replace(tzinfo=timezone.utc) for stamp in stamps]
    assert made({**columns, "dates": placed}).digest() == made(columns).digest()
