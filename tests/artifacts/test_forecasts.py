"""The file of out-of-sample forecasts: what comes back of it, and what is refused."""

from __future__ import annotations

import contextlib
import json
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from aegismatrix.artifacts.forecasts import (
    LEAST_VALUE,
    LOG_STEPS,
    MARK,
    NO_FORECAST,
    PROBABILITY_STEPS,
    SealedForecasts,
    WalkForward,
    bar_checks,
    in_log_steps,
    in_steps,
    parse_forecasts,
    render_forecasts,
)
from aegismatrix.errors import SealedForecastsError

Steps = NDArray[np.uint16]
SHAPES = st.sampled_from([(), (1,), (3,), (3, 2, 2)])


@st.composite
def walks(draw: st.DrawFn) -> WalkForward:
    days = draw(st.integers(0, 9))
    gaps = draw(arrays(np.int64, days, elements=st.integers(1, 9)))
    heads = {}
    for name in draw(st.lists(st.sampled_from("abcd"), unique=True)):
        shape = (days, *draw(SHAPES))
        values = draw(arrays(np.uint16, shape, elements=st.integers(0, NO_FORECAST)))
        least = draw(st.sampled_from([None, 1e-3, 1.0]))
        steps = draw(st.integers(1 if least is None else 128, 65_534))
        heads[name] = SealedForecasts(("one", "two"), steps, values, least)
    return WalkForward(
        market="made up",
        dates=np.datetime64("2015-01-01", "D") + np.cumsum(gaps),
        checks=draw(arrays(np.uint32, days)),
        horizon_days=(1.0, 20.0),
        distance=(0.1 + 0.2,),
        heads=heads,
    )


@given(walks())
def test_what_was_rendered_is_read_to_the_last_bit(walked: WalkForward) -> None:
    read = parse_forecasts(render_forecasts(walked), "x")
    np.testing.assert_array_equal(read.dates, walked.dates)
    np.testing.assert_array_equal(read.checks, walked.checks)
    assert (read.market, read.horizon_days, read.distance) == (
        walked.market,
        walked.horizon_days,
        walked.distance,
    )
    assert list(read.heads) == list(walked.heads)
    for name, head in walked.heads.items():
        np.testing.assert_array_equal(read.heads[name].values, head.values)
        assert read.heads[name].columns == head.columns
        assert (read.heads[name].steps, read.heads[name].least) == (head.steps, head.least)
    assert render_forecasts(read) == render_forecasts(walked)


PROBABILITIES = arrays(np.float64, 20, elements=st.floats(0.0, 1.0))


@given(PROBABILITIES, PROBABILITIES, PROBABILITIES)
def test_rounding_costs_less_than_a_thousandth_and_no_order_or_sum(
    down: NDArray[np.float64], up: NDArray[np.float64], share: NDArray[np.float64]
) -> None:
    """Either edge stays between the likelier edge and both together."""
    least, most = np.maximum(down, up), np.minimum(1.0, down + up)
    either = np.minimum(least + share * (most - least), most)
    kept = [
        SealedForecasts((), PROBABILITY_STEPS, in_steps(one, PROBABILITY_STEPS)).forecasts()
        for one in (either, down, up)
    ]
    for exact, rounded in zip((either, down, up), kept, strict=True):
        assert np.abs(rounded - exact).max() < 1e-3
        assert ((rounded >= exact) & (rounded <= 1.0)).all()
    assert (np.maximum(kept[1], kept[2]) <= kept[0]).all()
    assert (kept[0] <= kept[1] + kept[2]).all()


def test_a_day_without_a_forecast_stays_without_one() -> None:
    steps = in_steps(np.array([0.5, np.nan]), PROBABILITY_STEPS)
    kept = SealedForecasts((), PROBABILITY_STEPS, steps).forecasts()
    np.testing.assert_array_equal(kept, [0.5, np.nan])


@pytest.mark.parametrize("value", [-0.1, 9.0, np.inf])
def test_what_does_not_fit_is_not_rounded_to_what_does(value: float) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        in_steps(np.array([value]), PROBABILITY_STEPS)


@given(arrays(np.float64, 20, elements=st.floats(2e-3, 1e10)))
def test_a_volatility_is_kept_to_a_thousandth_of_itself_however_small(
    values: NDArray[np.float64],
) -> None:
    steps = in_log_steps(values, LOG_STEPS, LEAST_VALUE)
    kept = SealedForecasts((), LOG_STEPS, steps, LEAST_VALUE).forecasts()
    assert (kept >= values * (1.0 - 1e-12)).all()
    assert (kept <= values * (1.0 + 5e-4)).all()
    order = np.argsort(values)
    assert (np.diff(kept[order]) >= 0.0).all()


def test_a_volatility_without_a_logarithm_is_not_rounded_to_one_that_has() -> None:
    with pytest.raises(ValueError, match="lies below"):
        in_log_steps(np.array([12.0, 0.0]), LOG_STEPS, LEAST_VALUE)
    missing = in_log_steps(np.array([np.nan, 12.0]), LOG_STEPS, LEAST_VALUE)
    assert missing[0] == NO_FORECAST


@pytest.mark.parametrize(("least", "steps"), [(0.0, 2048), (-1.0, 2048), (2.0, 2048), (1e-3, 20)])
def test_a_scale_whose_values_may_not_be_finite_is_refused(least: float, steps: int) -> None:
    values = np.full((1, 1), 5, dtype=np.uint16)
    walked = WalkForward(
        "x",
        np.array(["2020-01-01"], dtype="datetime64[D]"),
        np.zeros(1, dtype=np.uint32),
        (1.0,),
        (0.1,),
        {"a": SealedForecasts(("one",), steps, values, least)},
    )
    with pytest.raises(SealedForecastsError, match="a least value of"):
        parse_forecasts(render_forecasts(walked), "x")


def test_a_bar_is_told_from_another_by_its_last_digit() -> None:
    high = np.array([10.0, 11.0, 12.0])
    other = high.copy()
    other[1] = np.nextafter(other[1], 12.0)
    differ = bar_checks(high, high - 1.0) != bar_checks(other, high - 1.0)
    np.testing.assert_array_equal(differ, [False, True, False])


def small() -> bytes:
    values = np.arange(12, dtype=np.uint16).reshape(4, 3)
    return render_forecasts(
        WalkForward(
            "made up",
            np.arange("2015-01-05", "2015-01-09", dtype="datetime64[D]"),
            np.arange(4, dtype=np.uint32),
            (1.0,),
            (0.1,),
            {"regime": SealedForecasts(("a", "b", "c"), 100, values)},
        )
    )


def header_of(data: bytes) -> tuple[dict[str, object], bytes]:
    (length,) = struct.unpack_from("<I", data, len(MARK))
    start = len(MARK) + 4
    return json.loads(data[start : start + length]), data[start + length :]


def with_header(change: dict[str, object], stream: bytes | None = None) -> bytes:
    header, kept = header_of(small())
    text = json.dumps({**header, **change}).encode()
    return MARK + struct.pack("<I", len(text)) + text + (kept if stream is None else stream)


HEAD = {"name": "a", "columns": ["a"], "steps": 1, "shape": [1]}
BACKWARDS = np.array([4, 3, 2, 1], "<i4").tobytes() + bytes(4 * 4 + 3 * 4 * 2)
MALFORMED = {
    "nothing": b"",
    "another file": b"PK\x03\x04" + small(),
    "a header that never ends": MARK + struct.pack("<I", 1 << 31),
    "a header beyond the file": MARK + struct.pack("<I", 60_000) + b"{}",
    "a header that is no object": MARK + struct.pack("<I", 2) + b"[]",
    "another version": with_header({"forecasts_version": 2}),
    "a version that is true": with_header({"forecasts_version": True}),
    "days below zero": with_header({"days": -1}),
    "days without end": with_header({"days": 1 << 40}),
    "columns without end": with_header({"heads": [{**HEAD, "shape": [1 << 40]}]}),
    "a head that has no size": with_header({"heads": [{**HEAD, "shape": [0]}]}),
    "steps of nothing": with_header({"heads": [{**HEAD, "steps": 0}]}),
    "steps that hide a gap": with_header({"heads": [{**HEAD, "steps": NO_FORECAST}]}),
    "one name twice": with_header({"heads": [HEAD, {**HEAD, "shape": [2]}]}, header_of(small())[1]),
    "a name that steers a terminal": with_header({"market": "\x1b[2J"}),
    "a stream that is cut": small()[:-3],
    "a stream with more behind it": small() + b"x",
    "a stream that says less": with_header({}, zlib.compress(bytes(8))),
    "a stream that says more": with_header({}, zlib.compress(bytes(1 << 24))),
    "no stream": with_header({}, b""),
    "days that fall": with_header({}, zlib.compress(BACKWARDS)),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_what_is_no_such_file_is_refused_and_never_more_read_than_it_says(what: str) -> None:
    with pytest.raises(SealedForecastsError) as raised:
        parse_forecasts(MALFORMED[what], "forecasts.bin")
    assert raised.value.kind == "malformed"


@given(st.integers(0, 8 * len(small()) - 1))
def test_a_flipped_bit_ends_in_a_file_or_in_a_typed_error(bit: int) -> None:
    data = bytearray(small())
    data[bit // 8] ^= 1 << bit % 8
    with contextlib.suppress(SealedForecastsError):
        parse_forecasts(bytes(data), "forecasts.bin")
