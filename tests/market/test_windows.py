"""Windows of sessions, counted one by one, on bars with holes and special sessions."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aegismatrix.market.bars import Bars
from aegismatrix.market.market import NIFTY
from aegismatrix.market.outcomes import (
    breakout_label,
    close_above_label,
    direction_label,
    excursions,
    forward_realised_vol,
    forward_return,
    past_realised_vol,
    regime_label,
    spike_label,
    trap_label,
)
from aegismatrix.market.windows import Windows, sessions_ahead

MUHURAT = date(2024, 11, 1)
SPAN = date(2024, 9, 2), date(2025, 1, 31)

repeatable = settings(deadline=None, derandomize=True, database=None, max_examples=25)


def days_between(first: date, last: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def sessions_of(first: date, last: date) -> list[date]:
    """By hand: weekdays that the table has not as closed or special."""
    calendar = NIFTY.known_calendar()
    irregular = calendar.closed | calendar.special
    return [day for day in days_between(first, last) if day.weekday() < 5 and day not in irregular]


def made(days: list[date], seed: int = 3) -> Bars:
    random = np.random.default_rng(seed)
    close = 24_000.0 * np.exp(np.cumsum(random.normal(0.0, 0.01, len(days))))
    up, down = np.exp(np.abs(random.normal(0.0, 0.006, (2, len(days)))))
    return Bars.from_arrays(
        [day.isoformat() for day in days],
        close * up,
        close / down,
        close,
        random.uniform(11.0, 18.0, len(days)),
        today="2026-01-01",
    )


def by_hand(bars: Bars, row: int, horizon_days: int) -> tuple[list[int], bool, bool]:
    """Rows of the window after a row, whether it is over, and whether it lacks a session."""
    dates = bars.dates.tolist()
    ahead = [day for day in sessions_of(dates[0], dates[-1]) if day > dates[row]]
    if len(ahead) < horizon_days:
        return [], False, False
    promised = ahead[:horizon_days]
    inside = [i for i, day in enumerate(dates) if dates[row] < day <= promised[-1]]
    return inside, True, any(day not in dates for day in promised)


HOLES = st.lists(st.integers(1, 95), max_size=12)


@repeatable
@example(holes=[], with_muhurat=True)
@example(holes=[36, 37, 38, 39], with_muhurat=True)
@given(holes=HOLES, with_muhurat=st.booleans())
def test_a_window_is_counted_on_the_calendar_and_unknown_across_a_hole(
    holes: list[int], with_muhurat: bool
) -> None:
    sessions = sessions_of(*SPAN)
    gone = {sessions[place] for place in holes if place < len(sessions)}
    days = sorted({*sessions, *([MUHURAT] if with_muhurat else [])} - gone)
    bars = made(days)
    windows = Windows.of(bars)
    down, up = excursions(bars, 10)
    for horizon_days in (1, 2, 5, 10):
        vol, moved = forward_realised_vol(bars, horizon_days), forward_return(bars, horizon_days)
        over, whole = windows.is_over(horizon_days), windows.is_whole(horizon_days)
        for row in range(len(bars)):
            inside, is_over, lacks = by_hand(bars, row, horizon_days)
            assert over[row] == is_over
            assert whole[row] == (is_over and not lacks)
            column = horizon_days - 1
            if not is_over or lacks:
                assert math.isnan(down[row, column])
                assert math.isnan(up[row, column])
                assert math.isnan(vol[row])
                continue
            lowest, highest = bars.low[inside].min(), bars.high[inside].max()
            assert down[row, column] == pytest.approx(math.log(bars.close[row] / lowest), rel=1e-12)
            assert up[row, column] == pytest.approx(math.log(highest / bars.close[row]), rel=1e-12)
            returns = np.diff(np.log(bars.close[[row, *inside]]))
            expected = math.sqrt(252 / horizon_days * float((returns**2).sum()))
            assert vol[row] == pytest.approx(expected, rel=1e-9)
            assert moved[row] == pytest.approx(
                math.log(bars.close[inside[-1]] / bars.close[row]), rel=1e-12
            )


def test_a_special_session_is_of_the_window_and_counts_for_nothing() -> None:
    days = sorted({*sessions_of(*SPAN), MUHURAT})
    bars = made(days)
    eve = days.index(date(2024, 10, 31))
    # To the expiry of 7 November: Monday to Thursday, four sessions, and Muhurat before them.
    assert NIFTY.trading_days_to_expiry("2024-10-31") == 4
    assert bars.dates[Windows.of(bars).last_row(4)[eve]] == np.datetime64("2024-11-07")
    deep = bars.low.copy()
    deep[days.index(MUHURAT)] *= 0.9
    touched = replace(bars, low=deep)
    down, usual = excursions(touched, 4)[0][eve], excursions(bars, 4)[0][eve]
    assert (down > usual + 0.05).all()
    # Muhurat's own row looks ahead to the same sessions.
    assert Windows.of(bars).last_row(4)[eve + 1] == Windows.of(bars).last_row(4)[eve]


def test_the_close_that_a_horizon_ends_with_decides_whatever_is_missing_before() -> None:
    sessions = sessions_of(*SPAN)
    whole = made(sessions)
    kept = np.ones(len(sessions), dtype=bool)
    kept[42] = False
    holed = replace(
        whole,
        **{name: getattr(whole, name)[kept] for name in ("dates", "high", "low", "close", "iv")},
    )
    for label in (direction_label, close_above_label):
        full, cut = label(whole, 5)[kept], label(holed, 5)
        # The one that would have ended on the missing day.
        assert np.flatnonzero(np.isnan(cut) & ~np.isnan(full)).tolist() == [37]
        assert np.array_equal(cut[~np.isnan(cut)], full[~np.isnan(cut)])


def test_a_true_range_after_a_hole_is_unknown() -> None:
    sessions = sessions_of(*SPAN)
    whole = made(sessions)
    kept = np.ones(len(sessions), dtype=bool)
    kept[60] = False
    holed = replace(
        whole,
        **{name: getattr(whole, name)[kept] for name in ("dates", "high", "low", "close", "iv")},
    )
    for label in (breakout_label, spike_label):
        unknown = np.isnan(label(holed, 3)) & ~np.isnan(label(whole, 3)[kept])
        # Sessions 60, missing, and 61, whose close before is: seen from three before each.
        assert np.flatnonzero(unknown).tolist() == [57, 58]


def test_past_volatility_is_of_the_rows_that_there_are(nifty: Bars) -> None:
    assert np.isnan(past_realised_vol(nifty, 20)).sum() == 20
    assert not np.isnan(regime_label(nifty, forward=False)[300:]).any()


def test_of_a_market_without_a_calendar_each_row_is_a_session(sample: Bars) -> None:
    windows = Windows.of(sample)
    assert windows.sessions is sample.dates
    for horizon_days in (1, 7, 30):
        last = windows.last_row(horizon_days)
        assert last[:-horizon_days].tolist() == list(range(horizon_days, len(sample)))
        assert (last[-horizon_days:] == -1).all()
    down, up = excursions(sample, 30)
    for row in range(0, len(sample) - 30, 97):
        ahead = slice(row + 1, row + 31)
        assert down[row, 29] == pytest.approx(
            math.log(sample.close[row] / sample.low[ahead].min()), rel=1e-12
        )
        assert up[row, 29] == pytest.approx(
            math.log(sample.high[ahead].max() / sample.close[row]), rel=1e-12
        )


def test_real_bars_lose_the_labels_of_windows_with_a_missing_session(nifty: Bars) -> None:
    rows = replace(nifty, market="other")
    missing = set(sessions_of(*nifty.dates[[0, -1]].tolist())) - set(nifty.dates.tolist())
    assert len(missing) == 19
    for horizon_days in (5, 20):
        lost = np.isnan(trap_label(nifty, horizon_days)) & ~np.isnan(trap_label(rows, horizon_days))
        found = 0
        for row in np.flatnonzero(lost):
            _, is_over, lacks = by_hand(nifty, int(row), horizon_days)
            assert lacks or not is_over
            found += lacks
        assert found >= 4 * horizon_days


def test_sessions_ahead_end_with_what_is_declared() -> None:
    bars = made(sessions_of(date(2024, 12, 2), date(2025, 1, 31)))
    ahead = sessions_ahead(bars, 40).tolist()
    assert ahead == sessions_of(date(2025, 2, 1), date(2025, 12, 31))[:40]
    days = sessions_of(date(2026, 11, 1), date(2026, 12, 31))
    columns = {name: getattr(bars, name)[: len(days)] for name in ("high", "low", "close", "iv")}
    count = len(columns["iv"])
    at_the_end = replace(bars, dates=np.array(days[-count:], dtype="datetime64[D]"), **columns)
    assert sessions_ahead(at_the_end, 40).tolist() == []
    assert sessions_ahead(replace(bars, market="other"), 40).tolist() == []
