"""Strikes and expiries: what is asked in index points and dates is what the surface says."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError
from datetime import date, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import aegismatrix as am
from aegismatrix.engine.engine import Engine
from aegismatrix.errors import ArgumentError, CalendarError, ContractError, StrikeError
from aegismatrix.market.bars import Bars
from tests.raising import raising

# The last bar of NIFTY is that of Tuesday, 2024-12-31; the expiries follow its calendar.
AS_OF, WEEKLY, MONTHLY = "2024-12-31", "2025-01-02", "2025-01-30"

repeatable = settings(deadline=None, derandomize=True, database=None, max_examples=40)


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


def spot_of(bars: Bars) -> float:
    return float(bars.close[-1])


def test_a_strike_is_answered_at_its_own_distance_and_its_own_horizon(
    engine: Engine, nifty: Bars
) -> None:
    spot = spot_of(nifty)
    table = engine.touch(nifty, strike=[22_500, 24_800], by=[WEEKLY, MONTHLY])
    assert (table.as_of, table.spot) == (AS_OF, spot)
    assert table.expiries == (WEEKLY, MONTHLY)
    assert table.horizon_days == (2, 22)
    assert table.sides == ("lower", "upper")
    forecast = engine.predict(
        nifty,
        horizon_days=[2, 22],
        distance=[math.log(spot / 22_500)],
        upper_distance=[math.log(24_800 / spot)],
    )["breach"][0]
    np.testing.assert_allclose(table.probability[:, 0], forecast[1, :, 0], rtol=0, atol=1e-12)
    np.testing.assert_allclose(table.probability[:, 1], forecast[2, :, 0], rtol=0, atol=1e-12)
    ends = engine.beyond(nifty, strike=[22_500, 24_800], by=[WEEKLY, MONTHLY])
    np.testing.assert_allclose(ends.probability[:, 0], forecast[3, :, 0], rtol=0, atol=1e-12)
    np.testing.assert_allclose(ends.probability[:, 1], forecast[4, :, 0], rtol=0, atol=1e-12)
    lasts = engine.survive(nifty, lower=22_500, upper=24_800, by=[WEEKLY, MONTHLY])
    np.testing.assert_allclose(lasts.probability[:, 0], 1 - forecast[0, :, 0], rtol=0, atol=1e-12)


def test_an_expiry_is_as_many_sessions_ahead_as_the_exchange_counts(
    engine: Engine, nifty: Bars
) -> None:
    days = nifty.market.known_calendar().sessions(AS_OF, "2025-02-11")[1:31]
    table = engine.touch(nifty, strike=24_500, by=list(days))
    assert table.horizon_days == tuple(range(1, 31))
    by_days = engine.touch(nifty, strike=24_500, horizon_days=list(range(1, 31)))
    assert by_days.expiries == ()
    np.testing.assert_array_equal(table.probability, by_days.probability)
    assert (np.diff(table.probability[:, 0]) > 0.0).all()


def test_rows_are_plain_values_of_every_expiry_and_strike(engine: Engine, nifty: Bars) -> None:
    table = engine.touch(nifty, strike=[24_500, 22_500], by=[WEEKLY, MONTHLY])
    rows = table.rows()
    assert [(row["by"], row["strike"]) for row in rows] == [
        (WEEKLY, 24_500.0),
        (WEEKLY, 22_500.0),
        (MONTHLY, 24_500.0),
        (MONTHLY, 22_500.0),
    ]
    assert rows[1]["probability"] == table.probability[0, 1]
    pairs = engine.survive(nifty, lower=[22_500, 23_000], upper=24_800, by=WEEKLY).rows()
    assert [(row["lower"], row["upper"]) for row in pairs] == [(22_500, 24_800), (23_000, 24_800)]
    assert pairs[0]["probability"] > pairs[1]["probability"]


def test_a_table_cannot_be_changed(engine: Engine, nifty: Bars) -> None:
    table = engine.touch(nifty, strike=24_500, by=WEEKLY)
    with pytest.raises(FrozenInstanceError):
        table.spot = 1.0  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        table.probability[0, 0] = 0.5


@repeatable
@given(
    row=st.integers(400, 3_500),
    lower=st.floats(0.002, 0.25),
    upper=st.floats(0.002, 0.25),
    horizon_days=st.integers(1, 30),
)
def test_on_real_bars_touch_beyond_and_survive_agree_with_one_another(
    engine: Engine, nifty: Bars, row: int, lower: float, upper: float, horizon_days: int
) -> None:
    bars = nifty[row - engine.lookback_bars : row]
    spot = spot_of(bars)
    edges: dict[str, Any] = {"lower": spot * math.exp(-lower), "upper": spot * math.exp(upper)}
    asked: dict[str, Any] = {"strike": list(edges.values()), "horizon_days": horizon_days}
    touch = engine.touch(bars, **asked).probability[0]
    beyond = engine.beyond(bars, **asked).probability[0]
    survive = engine.survive(bars, **edges, horizon_days=horizon_days).probability[0, 0]
    assert (beyond <= touch).all()
    assert survive <= 1.0 - touch.max() + 1e-12
    assert survive >= 1.0 - touch.sum() - 1e-12
    assert ((beyond >= 0.0) & (touch <= 1.0)).all()
    assert 0.0 <= survive <= 1.0


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        ("not_strikes", {"strike": -24_500, "by": WEEKLY}),
        ("not_strikes", {"strike": 0, "by": WEEKLY}),
        ("not_strikes", {"strike": float("nan"), "by": WEEKLY}),
        ("not_strikes", {"strike": [], "by": WEEKLY}),
        ("not_strikes", {"strike": [[24_500.0]], "by": WEEKLY}),
        ("not_strikes", {"strike": "24500", "by": WEEKLY}),
        ("not_strikes", {"strike": [True, False], "by": WEEKLY}),
        ("not_strikes", {"strike": np.full(10_001, 24_500.0), "by": WEEKLY}),
        ("out_of_reach", {"strike": 1e-4, "by": WEEKLY}),
        ("out_of_reach", {"strike": 1e12, "by": WEEKLY}),
        ("passed", {"strike": 24_500, "by": AS_OF}),
        ("passed", {"strike": 24_500, "by": "2024-12-05"}),
        ("no_session", {"strike": 24_500, "by": "2025-01-04"}),
        ("too_far", {"strike": 24_500, "by": "2025-03-27"}),
        ("when", {"strike": 24_500}),
        ("when", {"strike": 24_500, "by": WEEKLY, "horizon_days": 2}),
        ("when", {"strike": 24_500, "by": []}),
        ("twice", {"strike": 24_500, "by": [WEEKLY, MONTHLY, WEEKLY]}),
        ("twice", {"strike": 24_500, "horizon_days": [5, 5]}),
    ],
)
@pytest.mark.parametrize("question", ["touch", "beyond"])
def test_what_cannot_be_answered_is_refused_by_kind(
    engine: Engine, nifty: Bars, question: str, kind: str, asked: dict[str, Any]
) -> None:
    with raising((StrikeError, kind)):
        getattr(engine, question)(nifty, **asked)


def test_the_last_close_is_a_strike_on_neither_side(engine: Engine, nifty: Bars) -> None:
    with raising((StrikeError, "at_spot")):
        engine.touch(nifty, strike=spot_of(nifty), by=WEEKLY)


@pytest.mark.parametrize(
    ("kind", "lower", "upper"),
    [
        ("crossed", 24_800, 22_500),
        ("crossed", 24_000, 24_800),
        ("crossed", 22_000, 22_500),
        ("unpaired", [22_000, 22_500], [24_500, 24_800, 25_000]),
        ("not_strikes", [], 24_800),
    ],
)
def test_a_pair_has_spot_between_its_strikes(
    engine: Engine, nifty: Bars, kind: str, lower: Any, upper: Any
) -> None:
    with raising((StrikeError, kind)):
        engine.survive(nifty, lower=lower, upper=upper, by=WEEKLY)


def test_days_that_are_none_and_days_beyond_the_calendar_are_refused(
    engine: Engine, nifty: Bars, sample: Bars
) -> None:
    with pytest.raises(CalendarError):
        engine.touch(nifty, strike=24_500, by="soon")
    with pytest.raises(CalendarError):
        engine.touch(nifty, strike=24_500, by="2090-01-02")
    for days in (0, 31, 2.5, "5"):
        with pytest.raises(ArgumentError):
            engine.touch(nifty, strike=24_500, horizon_days=days)  # type: ignore[arg-type]
    with pytest.raises(ContractError):
        engine.touch("bars", strike=24_500, by=WEEKLY)  # type: ignore[arg-type]
    with raising((StrikeError, "no_calendar")):
        engine.touch(sample, strike=2_600, by="2019-01-04")
    assert engine.touch(sample, strike=2_600, horizon_days=3).horizon_days == (3,)


LEGS: dict[str, Any] = {"put": 22_800.0, "call": 24_400.0}
WINGS: dict[str, Any] = {"long_put": 22_500.0, "long_call": 24_800.0}


def test_a_short_strangle_pays_its_premium_inside_and_loses_point_for_point_outside(
    engine: Engine, nifty: Bars
) -> None:
    sold = engine.short_premium(nifty, **LEGS, premium=60.0, by=WEEKLY)
    assert [sold.payoff(close) for close in (22_700, 22_800, 23_600, 24_400, 24_600)] == [
        *(-40.0, 60.0, 60.0),
        *(60.0, -140.0),
    ]
    assert (sold.breakeven_lower, sold.breakeven_upper) == (22_740.0, 24_460.0)
    ends = engine.beyond(nifty, strike=[22_740, 24_460], by=WEEKLY).probability[0]
    assert sold.probability_of_profit == pytest.approx(1.0 - ends.sum(), abs=1e-12)
    assert sold.expected_shortfall < sold.expected_payoff < 60.0
    assert sold.worst_payoff < sold.expected_shortfall


def test_a_condor_loses_no_more_than_a_wing_and_its_mean_is_better_than_the_strangles(
    engine: Engine, nifty: Bars
) -> None:
    strangle = engine.short_premium(nifty, **LEGS, premium=60.0, by=MONTHLY)
    condor = engine.short_premium(nifty, **LEGS, **WINGS, premium=60.0, by=MONTHLY)
    assert condor.worst_payoff == pytest.approx(60.0 - 400.0)
    assert condor.payoff(20_000.0) == pytest.approx(60.0 - 300.0)
    assert condor.probability_of_profit == strangle.probability_of_profit
    assert strangle.expected_payoff < condor.expected_payoff
    assert strangle.expected_shortfall < condor.expected_shortfall >= condor.worst_payoff


def test_the_mean_payoff_is_the_premium_less_the_area_below_the_distribution(
    engine: Engine, nifty: Bars
) -> None:
    """E[(K - S)+] is the integral of P(S < s) up to K, and so for calls: on a fine grid."""
    sold = engine.short_premium(nifty, **LEGS, premium=60.0, horizon_days=10)
    paid = 0.0
    for start, stop in ((sold.counted_from, sold.put), (sold.call, sold.counted_to)):
        levels = np.linspace(start, stop, 8_001)
        ends = engine.beyond(nifty, strike=levels, horizon_days=10).probability[0]
        paid += float(np.trapezoid(ends, levels))
    assert sold.expected_payoff == pytest.approx(60.0 - paid, abs=0.05)


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        ("premium", {**LEGS, "premium": -60.0}),
        ("premium", {**LEGS, "premium": 0.0}),
        ("riskless", {**LEGS, **WINGS, "premium": 400.0}),
        ("legs", {"put": 24_400.0, "call": 22_800.0, "premium": 60.0}),
        ("legs", {**LEGS, "long_put": 22_500.0, "premium": 60.0}),
        ("legs", {**LEGS, "long_put": 22_900.0, "long_call": 24_800.0, "premium": 60.0}),
        ("not_strikes", {"put": -1.0, "call": 24_400.0, "premium": 60.0}),
    ],
)
def test_legs_and_premiums_that_are_none_are_refused(
    engine: Engine, nifty: Bars, kind: str, asked: dict[str, Any]
) -> None:
    with raising((StrikeError, kind)):
        engine.short_premium(nifty, **asked, by=WEEKLY)
    with pytest.raises(am.AegisError):
        engine.short_premium(nifty, **LEGS, premium=float("nan"), by=WEEKLY)


def test_no_targets_are_refused_in_the_words_of_the_caller(engine: Engine, nifty: Bars) -> None:
    for ask in (engine.breach_distances, engine.close_returns):
        with pytest.raises(ArgumentError, match=r"targets is \[\]\. Give pairs"):
            ask(nifty, [])


def test_an_expiry_is_a_day_in_any_form_and_never_a_moment(engine: Engine, nifty: Bars) -> None:
    text = engine.touch(nifty, strike=24_500, by=WEEKLY)
    days: tuple[Any, ...] = (
        date.fromisoformat(WEEKLY),
        np.datetime64(WEEKLY),
        [WEEKLY],
        np.array([WEEKLY], "M8[D]"),
    )
    for day in days:
        assert engine.touch(nifty, strike=24_500, by=day).rows() == text.rows()
    with pytest.raises(CalendarError):
        engine.touch(nifty, strike=24_500, by=datetime(2025, 1, 2, 15, 30))


def test_distances_of_two_edges_are_those_at_which_they_are_touched_equally_often(
    engine: Engine, nifty: Bars, sample: Bars
) -> None:
    targets = [(h, p) for h in (1, 5, 20, 30) for p in (0.02, 0.2, 0.5, 0.9)]
    for bars in (nifty, sample):
        lower, upper = engine.breach_distances(bars, targets)
        for place, (horizon_days, probability) in enumerate(targets):
            either, down, up = engine.predict(
                bars,
                horizon_days=horizon_days,
                distance=lower[place],
                upper_distance=upper[place],
            )["breach"][0, :3, 0, 0]
            assert either == pytest.approx(probability, abs=1e-9)
            assert down == pytest.approx(up, abs=1e-9)


def test_the_close_ends_below_its_quantiles_as_often_as_they_say(
    engine: Engine, nifty: Bars, sample: Bars
) -> None:
    targets = [(h, p) for h in (1, 5, 20, 30) for p in (0.02, 0.1, 0.3, 0.7, 0.9, 0.98)]
    for bars in (nifty, sample):
        returns = engine.close_returns(bars, targets)
        assert (np.diff(returns.reshape(4, -1), axis=1) > 0.0).all()
        for (horizon_days, probability), end in zip(targets, returns.tolist(), strict=True):
            below, above = engine.predict(bars, horizon_days=horizon_days, distance=abs(end))[
                "breach"
            ][0, 3:, 0, 0]
            found = below if end < 0.0 else 1.0 - above
            assert found == pytest.approx(probability, abs=1e-9)
