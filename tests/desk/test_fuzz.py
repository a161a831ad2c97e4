"""Hostile bars: whatever comes in, a value that keeps its promises or a typed error comes out.

The short form draws the same cases every time. ``AEGISMATRIX_FUZZ_CASES=20000`` draws so many new
ones, and the summary of the run counts what came of them.
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import aegismatrix as am
from aegismatrix.errors import AegisError, BarsError
from aegismatrix.market.arrays import ONE_DAY
from tests.hostile import (
    DATE_OPTIONS,
    DAYS,
    EXPIRIES,
    JUNK,
    AnalysisCase,
    analyses,
    any_bytes,
    chance,
    columns_of,
    day_options,
    hostile_chains,
    hostile_columns,
    hostile_frames,
    hostile_sessions,
    outcome_of,
    real_markets,
    reformed,
    sheets,
)
from tests.invariants import (
    assert_invariants,
    assert_invariants_of_file,
    assert_invariants_of_page,
    assert_typed,
    assert_valid_bars,
    assert_valid_chain,
    assert_valid_intraday,
)

FUZZ_CASES = "AEGISMATRIX_FUZZ_CASES"
SHORT_CASES = 600
SHARES = {"analyze": 0.2, "bars": 0.2, "frames": 0.2, "csv": 0.2, "intraday": 0.1, "chain": 0.1}
MARKETS = ("nifty", "other")
PAGES_DRAWN = 10
"""Every so many reports the page is drawn too."""


class Tally:
    """What came of the cases of one target."""

    def __init__(self) -> None:
        self.least_share = 0.1
        self.values = 0
        self.errors: Counter[str] = Counter()

    def count(self, outcome: Any, check: Callable[[Any], None]) -> None:
        """Hold an outcome against what must be true of it."""
        if isinstance(outcome, AegisError):
            assert_typed(outcome)
            self.errors[type(outcome).__name__] += 1
        else:
            check(outcome)
            self.values += 1

    @property
    def cases(self) -> int:
        return self.values + self.errors.total()

    def __str__(self) -> str:
        errors = ", ".join(f"{name} {count}" for name, count in self.errors.most_common())
        return f"{self.cases} cases, {self.values} values, {self.errors.total()} errors: {errors}"


def fuzzed(share: float) -> settings:
    """Draw that share of the cases: always the same few, or as many new ones as were asked for."""
    asked = os.environ.get(FUZZ_CASES)
    return settings(
        max_examples=max(1, round(share * int(asked or SHORT_CASES))),
        derandomize=asked is None,
        database=None,
        deadline=None,
        print_blob=True,
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture
def tally(record_property: Callable[[str, object], None]) -> Any:
    counted = Tally()
    yield counted
    record_property("fuzzed", str(counted))
    # A run of which nothing, or everything, comes through says little.
    assert counted.values > counted.least_share * counted.cases
    assert len(counted.errors) > 2


@cache
def engine() -> am.Engine:
    return am.Engine()


def assert_same(made: am.Bars, columns: dict[str, Any], market: str) -> None:
    """Another way in gives the bars that arrays give."""
    expected = am.Bars.from_arrays(
        **columns,
        market=market,
        today="9999-12-31",
    )
    assert (made.dates == expected.dates).all()
    for name in ("high", "low", "close", "iv"):
        assert getattr(made, name) == pytest.approx(getattr(expected, name), rel=1e-5, abs=1e-6)


@given(data=st.data(), market=st.sampled_from((*MARKETS, *MARKETS, *MARKETS, "x", None)))
@fuzzed(SHARES["bars"])
def test_arrays_become_valid_bars_or_a_typed_error(
    data: st.DataObject, market: Any, tally: Tally
) -> None:
    real = "nifty" if market not in MARKETS else market
    columns = data.draw(hostile_columns(real))
    plain = dict(columns)
    same = reformed(data.draw, columns)
    if chance(data.draw, 20):
        columns["iv_dates"] = columns["dates"]
        columns["dates"] = plain["dates"][1:]
    options = data.draw(day_options())
    make = am.Bars if chance(data.draw, 15) else am.Bars.from_arrays
    if make is am.Bars:
        columns.pop("iv_dates", None)
        options = {}
    outcome = outcome_of(lambda: make(**columns, market=market, **options))
    tally.count(outcome, assert_valid_bars)
    if isinstance(outcome, am.Bars) and same and not options and "iv_dates" not in columns:
        assert_same(outcome, plain, market)


@given(data=st.data(), market=st.sampled_from(MARKETS))
@fuzzed(SHARES["frames"])
def test_frames_become_valid_bars_or_a_typed_error(
    data: st.DataObject, market: Any, tally: Tally
) -> None:
    columns = data.draw(hostile_columns(market))
    index, same = data.draw(hostile_frames(columns, ("dates", "high", "low", "close", "open")))
    iv, same_iv = data.draw(hostile_frames(columns, ("dates", "iv")))
    options = data.draw(day_options())
    outcome = outcome_of(lambda: am.Bars.from_frames(index, iv, market=market, **options))
    tally.count(outcome, assert_valid_bars)
    if isinstance(outcome, am.Bars) and same and same_iv and not options:
        assert_same(outcome, columns, market)


@given(data=st.data(), market=st.sampled_from(MARKETS))
@fuzzed(SHARES["csv"])
def test_files_become_valid_bars_or_a_typed_error(
    data: st.DataObject, market: Any, tally: Tally, tmp_path_factory: pytest.TempPathFactory
) -> None:
    index, iv = (tmp_path_factory.getbasetemp() / name for name in ("index.csv", "iv.csv"))
    columns = data.draw(hostile_columns(market, most=30))
    text, same = data.draw(sheets(columns, ("dates", "high", "low", "close", "open")))
    prints, same_iv = data.draw(sheets(columns, ("dates", "iv")))
    if chance(data.draw, 6):
        text, same = data.draw(any_bytes()), False
    index.write_bytes(text)
    iv.write_bytes(prints)
    options = data.draw(day_options())
    told = data.draw(st.sampled_from(DATE_OPTIONS)) if chance(data.draw, 20) else None
    path: Any = index
    if chance(data.draw, 2):
        path = data.draw(st.sampled_from((*JUNK, index.parent, "no\0file", "x" * 5000)))
    outcome = outcome_of(
        lambda: am.Bars.from_csv(path, iv=iv, market=market, date_format=told, **options)
    )
    tally.count(outcome, assert_valid_bars)
    if isinstance(outcome, am.Bars) and same and same_iv and told is None and not options:
        assert_same(outcome, columns, market)


@given(data=st.data(), way=st.sampled_from(("arrays", "direct", "frame", "csv")))
@fuzzed(SHARES["intraday"])
def test_five_minute_bars_are_valid_or_a_typed_error(
    data: st.DataObject, way: str, tally: Tally, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.getbasetemp() / "five_minutes.csv"
    day = np.datetime64(data.draw(st.sampled_from(("2024-12-30", "2025-11-26", "1999-01-04"))))
    columns = data.draw(
        hostile_sessions(day, data.draw(st.sampled_from((24_000.0, 0.5))), day - ONE_DAY)
    )
    names = ("starts", "open", "high", "low", "close")
    now = data.draw(st.sampled_from((*DAYS, *JUNK))) if chance(data.draw, 15) else None
    told = data.draw(st.sampled_from(DATE_OPTIONS)) if chance(data.draw, 15) else None
    frame, _ = data.draw(hostile_frames(columns, names))
    text, _ = data.draw(sheets(columns, names))
    if way in ("arrays", "direct"):
        reformed(data.draw, columns)
    file.write_bytes(text)
    calls: dict[str, Callable[[], am.IntradayBars]] = {
        "arrays": lambda: am.IntradayBars.from_arrays(**columns, now=now),
        "direct": lambda: am.IntradayBars(**columns),
        "frame": lambda: am.IntradayBars.from_frame(frame, now=now),
        "csv": lambda: am.IntradayBars.from_csv(file, now=now, date_format=told),
    }
    tally.count(outcome_of(calls[way]), assert_valid_intraday)


@given(data=st.data(), way=st.sampled_from(("arrays", "frame", "csv")))
@fuzzed(SHARES["chain"])
def test_option_chains_are_valid_or_a_typed_error(
    data: st.DataObject, way: str, tally: Tally, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.getbasetemp() / "chain.csv"
    columns = data.draw(
        hostile_chains(data.draw(st.sampled_from((24_000.0, 24_000.0, 1e-3, 1e11))))
    )
    names = ("strike", "call oi", "put oi")
    expiry = data.draw(st.sampled_from(EXPIRIES)) if chance(data.draw, 15) else None
    frame, _ = data.draw(hostile_frames({"days": [], **columns}, ("days", *names)))
    with contextlib.suppress(AttributeError, KeyError, TypeError, ValueError):
        frame = frame.set_index("strike") if data.draw(st.booleans()) else frame
    text, _ = data.draw(sheets(columns, names))
    if way == "arrays":
        reformed(data.draw, columns)
    file.write_bytes(text)
    calls: dict[str, Callable[[], am.OptionChain]] = {
        "arrays": lambda: am.OptionChain.from_arrays(*columns.values(), expiry=expiry),
        "frame": lambda: am.OptionChain.from_frame(frame, expiry=expiry),
        "csv": lambda: am.OptionChain.from_csv(file, expiry=expiry),
    }
    tally.count(outcome_of(calls[way]), assert_valid_chain)


def report_of(case: AnalysisCase) -> tuple[am.Report, am.Bars]:
    bars = case.bars()
    made = {name: make(bars) for name, make in case.made.items()}
    return am.analyze(bars, **{"engine": engine(), **case.options, **made}), bars


@pytest.mark.slow
@given(case=analyses(), page=st.integers(0, PAGES_DRAWN))
@fuzzed(SHARES["analyze"])
def test_whatever_is_analysed_gives_a_report_that_holds_or_a_typed_error(
    case: AnalysisCase, page: int, tally: Tally
) -> None:
    tally.least_share = 1 / 3

    def check(outcome: tuple[am.Report, am.Bars]) -> None:
        report, bars = outcome
        assert_valid_bars(bars)
        assert_invariants(report, engine(), bars)
        assert_invariants_of_file(report)
        if page == 0:
            assert_invariants_of_page(report)

    tally.count(outcome_of(lambda: report_of(case)), check)


def test_the_bars_that_are_mutated_are_real_and_good() -> None:
    for of_market in real_markets().values():
        for bars in of_market:
            assert_valid_bars(am.Bars.from_arrays(**columns_of(bars), market=bars.market))


def test_a_fault_that_is_not_typed_is_not_taken_for_an_outcome() -> None:
    def broken() -> None:
        raise ValueError("not one of ours")

    def typed() -> None:
        raise BarsError("The bars are odd.", remedy="Give others.")

    with pytest.raises(ValueError, match="not one of ours"):
        outcome_of(broken)
    assert_typed(outcome_of(typed))
    with pytest.raises(AssertionError):
        assert_typed(BarsError("odd", remedy=""))


def test_sums_that_do_not_hold_are_found(sample: am.Bars) -> None:
    with pytest.raises(AssertionError):
        assert_valid_bars(_unchecked(sample, low=sample.high * 2))
    with pytest.raises(AssertionError):
        assert_valid_bars(_unchecked(sample, close=np.where(sample.close > 2500, np.nan, 1.0)))


@pytest.fixture(scope="module")
def report(sample: am.Bars) -> am.Report:
    return am.analyze(sample, engine=engine(), now=datetime(2026, 1, 5, tzinfo=timezone.utc))


def _seller(report: am.Report, **changed: Any) -> am.Report:
    return replace(report, seller=replace(report.seller, **changed))


def _buyer(report: am.Report, **changed: Any) -> am.Report:
    return replace(report, buyer=replace(report.buyer, **changed))


def _market(report: am.Report, **changed: Any) -> am.Report:
    return replace(report, market=replace(report.market, **changed))


def _today(report: am.Report, **changed: Any) -> am.Report:
    today = replace(report.direction.today, **changed)
    return replace(report, direction=replace(report.direction, today=today))


BROKEN: dict[str, Callable[[am.Report], am.Report]] = {
    "NaN": lambda r: _market(r, trend=float("nan")),
    "infinite": lambda r: _market(r, spot_change=float("inf")),
    "another spot": lambda r: _market(r, spot=r.market.spot + 1.0),
    "sides swapped for both": lambda r: _seller(
        r,
        breach_surface=replace(
            r.seller.breach_surface,
            either=r.seller.breach_surface.up,
            up=r.seller.breach_surface.either,
        ),
    ),
    "horizons upside down": lambda r: _seller(
        r,
        breach_surface=replace(r.seller.breach_surface, down=r.seller.breach_surface.down[::-1]),
    ),
    "rate outside of its interval": lambda r: _seller(
        r, hit_rate=replace(r.seller.hit_rate, rate=r.seller.hit_rate.upper + 0.001)
    ),
    "a safe range of another confidence": lambda r: _seller(
        r, safe_range=replace(r.seller.safe_range, confidence=0.81)
    ),
    "a label of another score": lambda r: _seller(r, trap=replace(r.seller.trap, score=0.0)),
    "a zone without end": lambda r: _seller(
        r, max_pain=replace(r.seller.max_pain, upper=float("inf"))
    ),
    "a bias beyond 1": lambda r: _buyer(
        r, spike_direction_bias=replace(r.buyer.spike_direction_bias, up_prob=1.2, down_prob=-0.2)
    ),
    "a later update": lambda r: _today(r, last_update="2027-01-01T00:00:00Z"),
    "a year without zeros": lambda r: replace(r, generated_at="999-01-01T00:00:00Z"),
    "sums beyond 1": lambda r: _today(r, probabilities={"down": 0.5, "neutral": 0.5, "up": 0.5}),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_report_that_does_not_hold_is_found(
    broken: str, report: am.Report, sample: am.Bars
) -> None:
    def check(one: am.Report) -> None:
        assert_invariants(one, engine(), sample)
        assert_invariants_of_file(one)

    check(report)
    with pytest.raises((AssertionError, ValueError, pytest.fail.Exception)):
        check(BROKEN[broken](report))


def _unchecked(bars: am.Bars, **changed: Any) -> am.Bars:
    """Bars that went through no check."""
    made = object.__new__(am.Bars)
    made.__dict__.update({**bars.__dict__, **changed})
    return made
