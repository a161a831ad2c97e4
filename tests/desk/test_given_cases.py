"""Chains and 5-minute bars that went wrong at others' desks, each with what it must give."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import aegismatrix as am
from aegismatrix.desk.cli.main import main
from aegismatrix.market.errors import BarRowsError, ChainError

CASES = Path(__file__).parents[1] / "fixtures" / "cases"
SATURDAY = datetime(2026, 8, 8, 4, tzinfo=timezone.utc)
MONDAY_NOON = datetime(2026, 8, 10, 8, 30, tzinfo=timezone.utc)
MUHURAT = datetime(2025, 10, 21, 9, 20, tzinfo=timezone.utc)

repeatable = settings(deadline=None, derandomize=True, database=None, max_examples=30)


@pytest.fixture(scope="module")
def engine() -> am.Engine:
    return am.Engine()


@pytest.fixture(scope="module")
def bars() -> am.Bars:
    """Every NSE session from 2015-01-01 to 2026-08-07 of an invented NIFTY."""
    return am.Bars.from_csv(CASES / "base_n.csv", iv=CASES / "base_v.csv")


def chain(name: str, expiry: str | None = None) -> am.OptionChain:
    return am.OptionChain.from_csv(CASES / f"{name}.csv", expiry=expiry)


def intraday(name: str, now: datetime = MONDAY_NOON) -> am.IntradayBars:
    return am.IntradayBars.from_csv(CASES / f"{name}.csv", now=now)


def report(
    bars: am.Bars, engine: am.Engine, now: datetime = SATURDAY, **given: object
) -> am.Report:
    made = am.analyze(bars, engine=engine, now=now, **given)  # type: ignore[arg-type]
    made.validate()
    assert made.to_html()
    assert made.summary()
    return made


def test_nothing_is_noted_of_bars_without_a_fault(bars: am.Bars, engine: am.Engine) -> None:
    made = report(bars, engine)
    assert made.provenance.source_notes == ()
    assert made.seller.safe_range.expiry == "2026-08-11"


def test_a_chain_is_read_at_its_own_expiry(bars: am.Bars, engine: am.Engine) -> None:
    near = report(bars, engine, chain=chain("chain_ok", "2026-08-11"), horizon_days=20)
    far = report(bars, engine, chain=chain("chain_ok", "2026-08-25"), horizon_days=20)
    for made, expiry, days in ((near, "2026-08-11", 2), (far, "2026-08-25", 12)):
        plain = made.to_dict()["seller"]["max_pain"]
        assert (plain["expiry"], plain["horizon_days"]) == (expiry, days)
        assert made.provenance.source_notes == ()
    assert near.seller.max_pain.lower == far.seller.max_pain.lower
    # What ends 1.4 % above spot is likelier to be reached in 12 days than in 2.
    assert near.seller.max_pain.confidence != far.seller.max_pain.confidence
    whole = report(bars, engine, chain=chain("chain_ok", "2026-08-25"), horizon_days=12)
    assert far.seller.max_pain == whole.seller.max_pain


@pytest.mark.parametrize("expiry", ["2024-01-25", "2026-08-04", "2026-08-07"])
def test_a_chain_whose_expiry_has_passed_is_refused(
    bars: am.Bars, engine: am.Engine, expiry: str
) -> None:
    with pytest.raises(ChainError, match="has passed") as caught:
        report(bars, engine, chain=chain("chain_ok", expiry))
    assert expiry in caught.value.problem
    assert "--chain-expiry" in caught.value.remedy


@pytest.mark.parametrize("expiry", ["2026-08-12", "2026-08-15", "2027-06-28"])
def test_a_chain_of_a_day_on_which_nothing_expires_is_refused(
    bars: am.Bars, engine: am.Engine, expiry: str
) -> None:
    with pytest.raises(ChainError, match="nothing of NIFTY 50 expires"):
        report(bars, engine, chain=chain("chain_ok", expiry))


@pytest.mark.parametrize("expiry", ["2027-06-29", "2026-12-29", "2031-12-30"])
def test_a_chain_too_far_for_the_surface_has_no_probability_and_says_so(
    bars: am.Bars, engine: am.Engine, expiry: str
) -> None:
    made = report(bars, engine, chain=chain("chain_ok", expiry))
    plain = made.to_dict()["seller"]["max_pain"]
    assert "confidence" not in plain
    assert plain["expiry"] == expiry
    (note,) = made.provenance.source_notes
    assert "Max pain has no probability" in note
    assert expiry in note
    assert "no probability" in made.to_html()


def test_a_chain_without_an_expiry_is_said_to_have_none(bars: am.Bars, engine: am.Engine) -> None:
    made = report(bars, engine, chain=chain("chain_ok"))
    (note,) = made.provenance.source_notes
    assert "names no expiry" in note
    assert "expiry" not in made.to_dict()["seller"]["max_pain"]


def test_a_chain_whose_sides_are_one_column_is_refused() -> None:
    with pytest.raises(ChainError, match="same open interest at every strike"):
        chain("chain_same_sides")


def test_strikes_left_out_are_noted_with_how_many(bars: am.Bars, engine: am.Engine) -> None:
    made = report(bars, engine, chain=chain("chain_holes", "2026-08-11"))
    whole, holed = chain("chain_ok"), chain("chain_holes")
    (note,) = made.provenance.source_notes
    assert f"leaves out {len(whole) - len(holed)} strikes" in note
    assert len(whole) - len(holed) == 20


@repeatable
@given(gone=st.sets(st.integers(1, 39), max_size=30))
def test_every_strike_that_is_left_out_is_counted(gone: set[int]) -> None:
    whole = chain("chain_ok")
    kept = [row for row in range(len(whole)) if row not in gone]
    part = am.OptionChain.from_arrays(
        whole.strikes[kept], whole.call_open_interest[kept], whole.put_open_interest[kept]
    )
    assert part.strikes_left_out(50.0) == len(gone & set(range(len(whole))))


@pytest.mark.parametrize(("name", "minutes"), [("bars_15min", 15), ("bars_30min", 30)])
def test_coarser_bars_are_refused_by_their_interval(name: str, minutes: int) -> None:
    with pytest.raises(BarRowsError) as caught:
        intraday(name)
    assert caught.value.kind == "interval"
    assert f"bars of {minutes} minutes, not of 5" in caught.value.problem


@repeatable
@given(minutes=st.sampled_from([1, 2, 3, 10, 15, 25, 30, 60, 75]), bars=st.integers(4, 40))
def test_bars_of_any_other_interval_are_refused_by_it(minutes: int, bars: int) -> None:
    count = min(bars, 375 // minutes)
    first = np.datetime64("2026-08-10T03:45:00")
    starts = first + np.arange(count) * np.timedelta64(minutes * 60, "s")
    prices = 16_000.0 + np.arange(count)
    with pytest.raises(BarRowsError, match=f"bars of {minutes} minutes"):
        am.IntradayBars.from_arrays(starts, prices, prices, prices, prices, now=MONDAY_NOON)


def test_five_minute_bars_of_the_morning_are_half_a_session(
    bars: am.Bars, engine: am.Engine
) -> None:
    made = report(bars, engine, MONDAY_NOON, intraday=intraday("five_min"))
    assert made.intraday is not None
    assert (made.intraday.notes, made.intraday.relation) == (("HALF_SESSION",), "next")
    assert made.direction.today.basis == "5-minute bars"


def test_bars_stamped_by_their_end_are_shifted_and_it_is_said(
    bars: am.Bars, engine: am.Engine
) -> None:
    of_starts, of_ends = intraday("five_min"), intraday("five_min_end_stamped")
    assert (of_starts.shifted, of_ends.shifted) == (False, True)
    assert np.array_equal(of_starts.starts, of_ends.starts)
    one, other = (
        report(bars, engine, MONDAY_NOON, intraday=given) for given in (of_starts, of_ends)
    )
    assert one.direction == other.direction
    assert other.intraday is not None
    assert other.intraday.notes == ("HALF_SESSION", "END_STAMPS_SHIFTED")
    assert "stamped by their end" in other.to_html()


def test_where_stamps_may_be_of_either_the_question_is_asked() -> None:
    """In the evening nothing tells a missing first bar from stamps of ends."""
    evening = MONDAY_NOON + timedelta(hours=4)
    with pytest.raises(BarRowsError) as caught:
        intraday("five_min_end_stamped", evening)
    assert caught.value.kind == "stamped_by_end"
    assert "--intraday-stamps" in caught.value.remedy
    path = CASES / "five_min_end_stamped.csv"
    given = am.IntradayBars.from_csv(path, now=evening, stamps="end")
    assert np.array_equal(given.starts, intraday("five_min").starts)
    as_written = am.IntradayBars.from_csv(path, now=evening, stamps="start")
    assert as_written.starts[0] == given.starts[0] + np.timedelta64(5, "m")
    assert not as_written.shifted
    with pytest.raises(BarRowsError):
        am.IntradayBars.from_csv(path, now=evening, stamps="middle")  # type: ignore[arg-type]


def test_a_whole_session_stamped_by_its_ends_is_recognised_by_its_last_bar() -> None:
    starts = np.datetime64("2026-08-10T03:45:00") + np.arange(75) * np.timedelta64(300, "s")
    prices = 16_000.0 + np.arange(75)
    made = am.IntradayBars.from_arrays(
        starts + np.timedelta64(300, "s"),
        prices,
        prices,
        prices,
        prices,
        now=SATURDAY.replace(day=20),
    )
    assert made.shifted
    assert np.array_equal(made.starts, starts)
    assert made.dropped == 0


def until(bars: am.Bars, day: str) -> am.Bars:
    return bars[: int(np.searchsorted(bars.dates, np.datetime64(day), side="right"))]


def test_the_hour_of_muhurat_is_said_and_refines_nothing(bars: am.Bars, engine: am.Engine) -> None:
    eve = until(bars, "2025-10-20")
    plain = report(eve, engine, MUHURAT)
    made = report(eve, engine, MUHURAT, intraday=intraday("muhurat_5min", MUHURAT))
    assert made.intraday is not None
    assert "SPECIAL_SESSION" in made.intraday.notes
    assert made.intraday.relation == "special"
    assert made.direction == plain.direction
    assert made.seller == plain.seller
    assert made.buyer.gamma_windows == ()
    assert "regular session" in str(made.buyer.gamma_windows_reason)
    assert "a special session: refines nothing" in made.summary()


def test_after_muhurat_the_next_session_is_still_the_next_one(
    bars: am.Bars, engine: am.Engine
) -> None:
    """Its 5-minute bars lie between the last daily bar and the session, and are none of either."""
    eve = until(bars, "2025-10-20")
    special = intraday("muhurat_5min", MUHURAT)
    # The 22nd is a holiday, too.
    moved = np.datetime64("2025-10-23") - np.datetime64("2026-08-10")
    morning, now = intraday("five_min"), datetime(2025, 10, 23, 8, 30, tzinfo=timezone.utc)
    scale = float(eve.close[-1]) / float(morning.open[0])
    joined = am.IntradayBars.from_arrays(
        np.concatenate([special.starts, morning.starts + moved]),
        *(
            np.concatenate([getattr(special, name), getattr(morning, name) * scale])
            for name in ("open", "high", "low", "close")
        ),
        now=now,
    )
    made = report(eve, engine, now, intraday=joined)
    assert made.intraday is not None
    assert made.intraday.relation == "next"
    assert "SPECIAL_SESSION" not in made.intraday.notes
    assert made.direction.today.basis == "5-minute bars"
    assert {window.sessions for window in made.buyer.gamma_windows} == {1}


def test_the_session_after_the_next_one_is_not_taken_for_today(
    bars: am.Bars, engine: am.Engine
) -> None:
    """Thursday's bar is the last: Monday's 5-minute bars are not of the session after it."""
    thursday = until(bars, "2026-08-06")
    plain = am.analyze(thursday, engine=engine, now=MONDAY_NOON)
    made = am.analyze(thursday, engine=engine, now=MONDAY_NOON, intraday=intraday("five_min"))
    assert made.intraday is not None
    assert made.intraday.relation == "later"
    assert "NOT_OF_TODAY" in made.intraday.notes
    assert made.direction == plain.direction


def test_the_command_gives_the_expiry_of_a_chain(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = ["--index", str(CASES / "base_n.csv"), "--iv", str(CASES / "base_v.csv")]
    wanted = [*files, "--horizon", "20", "--no-html", "--out", str(tmp_path)]
    given = ["report", *wanted, "--chain", str(CASES / "chain_ok.csv")]
    assert main([*given, "--chain-expiry", "2024-01-25"]) == 2
    assert "which has passed" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
    with pytest.raises(SystemExit):
        main(["report", *wanted, "--chain-expiry", "2026-08-25"])
    assert "--chain-expiry goes with --chain" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["report", *wanted, "--intraday-stamps", "end"])


def test_a_source_of_files_takes_the_kind_of_stamps(bars: am.Bars) -> None:
    from aegismatrix.desk.sources.local import CsvSource

    source = CsvSource(
        CASES / "base_n.csv",
        CASES / "base_v.csv",
        intraday=CASES / "five_min_end_stamped.csv",
        stamps="end",
    )
    fetched = source.fetch()
    assert fetched.intraday is not None
    assert fetched.intraday.shifted
    assert fetched.bars.digest() == bars.digest()
    assert replace(source, stamps="start").fetch().intraday is not None
