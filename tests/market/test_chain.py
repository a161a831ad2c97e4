"""Option chains: what is read, what is refused, and what their open interest says."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegismatrix.desk.signals.chain import (
    chain_skew,
    max_pain_strike,
    max_pain_zone,
    put_call_ratio,
)
from aegismatrix.errors import (
    BarsError,
    ChainError,
    ColumnError,
    EmptyBarsError,
    FileUnreadableError,
    LengthMismatchError,
    UnreadableCellError,
)
from aegismatrix.market.chain import MAX_OPEN_INTEREST, OptionChain
from aegismatrix.market.statistics import contrast
from tests.raising import raising

Error = TypeVar("Error", bound=BarsError)

STRIKES = (25900.0, 26000.0, 26050.0, 26100.0, 26200.0, 26300.0)
CALLS = (100.0, 400.0, 900.0, 2500.0, 4200.0, 3000.0)
PUTS = (3100.0, 4000.0, 1700.0, 800.0, 150.0, 0.0)
NAMES = ("strike", "call oi", "put oi")


def make(
    strikes: Any = STRIKES, calls: Any = CALLS, puts: Any = PUTS, **options: Any
) -> OptionChain:
    return OptionChain.from_arrays(strikes, calls, puts, **options)


def refusal(kind: type[Error] | tuple[type[Error], str], build: Callable[[], object]) -> Error:
    with raising(kind) as caught:
        build()
    assert type(caught.value) in (kind, *(kind if isinstance(kind, tuple) else ()))
    assert str(caught.value) == f"{caught.value.problem} {caught.value.remedy}"
    return caught.value


def same(one: OptionChain, other: OptionChain) -> bool:
    return all(
        getattr(one, name).tolist() == getattr(other, name).tolist()
        for name in ("strikes", "call_open_interest", "put_open_interest")
    )


def write(path: Path, header: str, rows: list[str]) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def rows_of(strikes: Any = STRIKES, calls: Any = CALLS, puts: Any = PUTS) -> list[str]:
    return [f"{c},{k},{p}" for k, c, p in zip(strikes, calls, puts, strict=True)]


def with_value(values: tuple[float, ...], row: int, value: float) -> list[float]:
    return [*values[:row], value, *values[row + 1 :]]


@st.composite
def chains(draw: st.DrawFn) -> OptionChain:
    strikes = draw(st.lists(st.integers(1, 100_000), min_size=5, max_size=40, unique=True))
    count = len(strikes)
    interest = st.lists(st.integers(0, 10**7), min_size=count, max_size=count)
    calls, puts = draw(interest), draw(interest)
    for side in (calls, puts):
        if not any(side):
            side[0] = 1
    if calls == puts:
        puts[0] += 1
    return make(sorted(strikes), calls, puts)


# Reading


@pytest.mark.parametrize(
    "header",
    [
        "call open interest,strike,put open interest",
        "Call OI,Strike Price,Put OI",
        "CALLS OI,STRIKE,PUTS OI",
        "ce_oi,strike_price,pe_oi",
        "call_open_interest,Strike,put_open_interest",
    ],
)
def test_a_header_is_known_by_any_of_its_names(tmp_path: Path, header: str) -> None:
    chain = OptionChain.from_csv(write(tmp_path / "chain.csv", header, rows_of()))
    assert same(chain, make())
    assert (chain.source, chain.expiry, len(chain)) == ("chain.csv", None, 6)


def test_a_chain_says_what_it_is() -> None:
    chain = make(expiry="2025-11-27", source="feed")
    assert repr(chain) == "OptionChain(6 strikes from feed, 25900 to 26300, expiry 2025-11-27)"
    assert repr(make()) == "OptionChain(6 strikes from arrays, 25900 to 26300)"


def test_a_frame_may_have_its_strikes_as_columns_or_index() -> None:
    frame = pd.DataFrame(dict(zip(NAMES, (STRIKES, CALLS, PUTS), strict=True)))
    assert same(OptionChain.from_frame(frame), make())
    assert same(OptionChain.from_frame(frame.set_index("strike")), make())
    assert same(OptionChain.from_frame(frame.rename(columns=str.upper)), make())


def test_cells_are_read_like_those_of_bars(tmp_path: Path) -> None:
    rows = ['"1,00,250";25,900;-', *(row.replace(",", ";") for row in rows_of()[1:])]
    path = write(tmp_path / "chain.csv", "CE OI;Strike;PE OI", rows)
    chain = OptionChain.from_csv(path)
    assert (chain.strikes[0], chain.call_open_interest[0]) == (25900.0, 100250.0)
    assert chain.put_open_interest[0] == 0.0


@pytest.mark.parametrize("blank", ["", "-", "NA"])
def test_blank_open_interest_is_none(tmp_path: Path, blank: str) -> None:
    rows = [f"{blank},25900,3100", *rows_of()[1:]]
    chain = OptionChain.from_csv(write(tmp_path / "chain.csv", "CE OI,Strike,PE OI", rows))
    assert same(chain, make(calls=with_value(CALLS, 0, np.nan)))
    assert chain.call_open_interest[0] == 0.0


@pytest.mark.parametrize("expiry", ["2025-11-27", "27-Nov-2025", date(2025, 11, 27)])
def test_an_expiry_is_a_day(tmp_path: Path, expiry: Any) -> None:
    path = write(tmp_path / "chain.csv", "CE OI,Strike,PE OI", rows_of())
    assert OptionChain.from_csv(path, expiry=expiry).expiry == "2025-11-27"
    assert make(expiry=datetime(2025, 11, 27, 15, 30)).expiry == "2025-11-27"


def test_an_expiry_that_is_no_day_is_refused() -> None:
    error = refusal(UnreadableCellError, lambda: make(expiry="27/11/2025"))
    assert error.text == "27/11/2025"


def test_arrays_are_read_only_and_copies() -> None:
    strikes = np.array(STRIKES)
    chain = make(strikes)
    strikes[:] = 1.0
    assert chain.strikes.tolist() == list(STRIKES)
    for one in (chain, copy.deepcopy(chain)):
        with pytest.raises(ValueError, match="read-only"):
            one.put_open_interest[0] = 1.0


# What is refused


@pytest.mark.parametrize("missing", NAMES)
def test_a_missing_column_names_those_of_a_chain(missing: str) -> None:
    columns = dict(zip(NAMES, (STRIKES, CALLS, PUTS), strict=True))
    frame = pd.DataFrame({name: values for name, values in columns.items() if name != missing})
    error = refusal(ColumnError, lambda: OptionChain.from_frame(frame))
    assert error.column == missing.replace(" oi", " open interest")
    assert "CE OI" in error.remedy


def test_an_ambiguous_column_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "chain.csv", "CE OI,Call OI,Strike,PE OI", ["1,2,3,4"])
    assert "more than once" in refusal(ColumnError, lambda: OptionChain.from_csv(path)).problem


def test_what_is_no_frame_is_refused() -> None:
    rows: Any = [STRIKES]
    assert refusal(ColumnError, lambda: OptionChain.from_frame(rows)).found == ("list",)
    series: Any = pd.Series(CALLS, name="call oi")
    assert refusal(ColumnError, lambda: OptionChain.from_frame(series)).column == "strike"


def test_files_without_rows_or_strikes_are_refused(tmp_path: Path) -> None:
    header = "CE OI,Strike,PE OI"
    empty = write(tmp_path / "empty.csv", header, [])
    refusal(EmptyBarsError, lambda: OptionChain.from_csv(empty))
    refusal(EmptyBarsError, lambda: make([], [], []))
    refusal(FileUnreadableError, lambda: OptionChain.from_csv(tmp_path / "none.csv"))
    totals = write(tmp_path / "totals.csv", header, [*rows_of(), "11100,Total,9750"])
    assert refusal(UnreadableCellError, lambda: OptionChain.from_csv(totals)).line == 8


def test_fewer_than_five_strikes_are_refused() -> None:
    error = refusal((ChainError, "too_few_strikes"), lambda: make(STRIKES[:4], CALLS[:4], PUTS[:4]))
    assert "has 4 strikes, a chain has at least 5" in error.problem
    assert len(make(STRIKES[:5], CALLS[:5], PUTS[:5])) == 5


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, -26100.0])
def test_a_strike_that_is_no_price_is_refused(value: float) -> None:
    error = refusal((ChainError, "strikes"), lambda: make(with_value(STRIKES, 3, value)))
    assert error.rows == (3,)
    np.testing.assert_array_equal(error.strikes, [value])


def test_disorder_and_repeated_strikes_are_refused() -> None:
    error = refusal((ChainError, "strikes"), lambda: make(with_value(STRIKES, 3, 26000.0)))
    assert (error.rows, error.strikes) == ((3,), (26000.0,))
    assert "row 3 (26000)" in error.problem
    assert "Sort" in error.remedy
    error = refusal((ChainError, "strikes"), lambda: make(with_value(STRIKES, 3, 26050.0)))
    assert (error.rows, error.strikes) == ((3,), (26050.0,))
    assert "one expiry" in error.remedy
    assert isinstance(error, ChainError)
    assert isinstance(error, ValueError)


@pytest.mark.parametrize("value", [-1.0, np.inf, -np.inf, MAX_OPEN_INTEREST * 2])
@pytest.mark.parametrize("side", ["call", "put"])
def test_open_interest_that_is_no_count_is_refused(side: str, value: float) -> None:
    given = with_value(CALLS if side == "call" else PUTS, 2, value)
    sides = {"calls" if side == "call" else "puts": given}
    error = refusal((ChainError, "open_interest"), lambda: make(**sides))
    assert (error.rows, error.strikes) == ((2,), (26050.0,))
    assert error.problem.startswith(f"arrays: {side} open interest")


@pytest.mark.parametrize("nothing", [0.0, np.nan])
def test_a_side_without_any_open_interest_is_refused(nothing: float, tmp_path: Path) -> None:
    none = [nothing] * 6
    for side, sides in (
        ("call", {"calls": none, "puts": none}),
        ("call", {"calls": none}),
        ("put", {"puts": none}),
    ):
        error = refusal((ChainError, "open_interest"), functools.partial(make, **sides))
        assert error.problem.startswith(f"arrays: no {side} ")
        assert (error.rows, error.strikes) == ((), ())
    rows = [f"{calls},{strike}," for strike, calls in zip(STRIKES, CALLS, strict=True)]
    path = write(tmp_path / "calls.csv", "CE OI,Strike,PE OI", rows)
    error = refusal((ChainError, "open_interest"), lambda: OptionChain.from_csv(path))
    assert "put" in error.problem
    assert len(make(calls=with_value((0.0,) * 6, 2, 1.0))) == 6


@pytest.mark.parametrize("path", [None, 0, 12345, 3.5, b"chain.csv", ["chain.csv"], "a\0b"])
def test_what_is_no_path_is_refused(path: Any) -> None:
    refusal(FileUnreadableError, lambda: OptionChain.from_csv(path))


def test_arrays_of_other_length_are_refused() -> None:
    refusal(LengthMismatchError, lambda: make(puts=PUTS[1:]))
    with pytest.raises(BarsError, match="not an array of numbers"):
        make(puts=["a"] * 6)


@pytest.mark.parametrize("spot", [25899.9, 26300.1, 58000.0, np.nan, np.inf])
def test_a_spot_outside_of_the_strikes_is_not_of_this_chain(spot: float) -> None:
    for ask in (make().check_spot, lambda spot: chain_skew(make(), spot)):
        with raising((ChainError, "other_index"), match="not of this index, or old") as caught:
            ask(spot)
        assert caught.value.strikes == (25900.0, 26300.0)


@pytest.mark.parametrize("spot", [25900.0, 26120.5, 26300.0])
def test_a_spot_within_the_strikes_is(spot: float) -> None:
    make().check_spot(spot)


# What it says


def payout(chain: OptionChain, strike: float) -> float:
    total: float = sum(
        calls * max(strike - k, 0.0) + puts * max(k - strike, 0.0)
        for k, calls, puts in zip(
            chain.strikes.tolist(),
            chain.call_open_interest.tolist(),
            chain.put_open_interest.tolist(),
            strict=True,
        )
    )
    return total


def test_max_pain_by_hand() -> None:
    chain = make([90, 95, 100, 105, 110], [0, 0, 10, 20, 30], [40, 20, 0, 0, 0])
    # From the highest put to the lowest call nobody is paid: the lowest strike of those counts.
    assert [payout(chain, strike) for strike in (90, 95, 100, 105)] == [100, 0, 0, 50]
    assert max_pain_strike(chain) == 95.0


@given(chain=chains())
def test_max_pain_is_the_lowest_strike_that_pays_least(chain: OptionChain) -> None:
    paid = [payout(chain, strike) for strike in chain.strikes.tolist()]
    assert max_pain_strike(chain) == chain.strikes[paid.index(min(paid))]


@given(chain=chains(), factor=st.integers(2, 1000))
def test_max_pain_does_not_depend_on_lots_or_contracts(chain: OptionChain, factor: int) -> None:
    more = make(chain.strikes, chain.call_open_interest * factor, chain.put_open_interest * factor)
    assert max_pain_strike(more) == max_pain_strike(chain)


def test_the_zone_reaches_midway_to_the_neighbours() -> None:
    assert max_pain_strike(make()) == 26050.0
    assert max_pain_zone(make()) == (26025.0, 26075.0)
    uneven = make([90, 95, 105, 120, 140], [0, 0, 0, 1, 0], [0, 0, 1, 0, 0])
    assert max_pain_strike(uneven) == 105.0
    assert max_pain_zone(uneven) == (100.0, 112.5)


def test_at_an_edge_the_zone_is_mirrored() -> None:
    strikes = [90, 95, 105, 120, 140]
    lowest = make(strikes, [2, 0, 0, 0, 0], [1, 0, 0, 0, 0])
    assert max_pain_zone(lowest) == (87.5, 92.5)
    highest = make(strikes, [0, 0, 0, 0, 1], [0, 0, 0, 0, 2])
    assert max_pain_zone(highest) == (130.0, 150.0)


@given(chain=chains())
def test_the_zone_holds_the_strike_and_no_other(chain: OptionChain) -> None:
    lower, upper = max_pain_zone(chain)
    inside = chain.strikes[(chain.strikes >= lower) & (chain.strikes <= upper)]
    assert inside.tolist() == [max_pain_strike(chain)]


def test_skew_by_hand() -> None:
    skew = chain_skew(make(), 26050.0)
    assert skew.put_skew == pytest.approx((7100 - 950) / (7100 + 950))
    assert skew.call_skew == pytest.approx((9700 - 500) / (9700 + 500))
    assert skew.net_skew == pytest.approx((9750 - 11100) / (9750 + 11100))
    assert put_call_ratio(make()) == pytest.approx(9750 / 11100)


def test_the_strike_at_spot_is_on_neither_side() -> None:
    all_at_spot = [0.0, 0.0, 0.0, 700.0, 0.0, 0.0]
    assert chain_skew(make(calls=all_at_spot, puts=all_at_spot), 26100.0) == (0.0, 0.0, 0.0)


@given(chain=chains(), share=st.floats(0.0, 1.0))
def test_skew_is_bounded_and_turns_with_its_sides(chain: OptionChain, share: float) -> None:
    low, high = float(chain.strikes[0]), float(chain.strikes[-1])
    spot = min(low + share * (high - low), high)
    skew = chain_skew(chain, spot)
    assert all(-1.0 <= value <= 1.0 for value in skew)
    turned = make(chain.strikes, chain.put_open_interest, chain.call_open_interest)
    assert chain_skew(turned, spot) == (-skew.call_skew, -skew.put_skew, -skew.net_skew)


def test_a_single_call_or_put_is_enough_for_a_ratio() -> None:
    one = [0.0, 0.0, 1.0, 0.0, 0.0, 0.0]
    assert put_call_ratio(make(calls=one)) == 9750.0
    assert put_call_ratio(make(puts=one)) == pytest.approx(1 / 11100)
    assert chain_skew(make(calls=one), 26100.0).net_skew == pytest.approx(9749 / 9751)


@pytest.mark.parametrize(
    ("one", "other", "expected"), [(0, 0, 0.0), (3, 1, 0.5), (0, 2, -1.0), (2, 0, 1.0)]
)
def test_a_contrast_lies_within_minus_1_and_1(one: float, other: float, expected: float) -> None:
    assert contrast(one, other) == expected


@pytest.mark.parametrize(("row", "strike"), [(0, 1e-310), (0, 1e-7), (5, 1.1e12), (5, 1.7e308)])
def test_strikes_that_no_index_has_ever_had_are_refused(row: int, strike: float) -> None:
    error = refusal((ChainError, "strikes"), lambda: make(with_value(STRIKES, row, strike)))
    assert error.rows == (row,)
    assert "1e-06 to 1e+12 points" in error.problem


def test_a_source_that_is_no_text_is_refused() -> None:
    refusal(BarsError, lambda: make(source=5))
