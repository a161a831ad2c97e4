"""Forecasts: the same for a day however it is asked for, and of its last bars alone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from aegismatrix.artifacts.manifest import ENGINE_NAME, list_models, read_manifest
from aegismatrix.engine.engine import Engine, Forecast
from aegismatrix.engine.model import Model, load_models
from aegismatrix.errors import (
    ArgumentError,
    ContractError,
    InsufficientHistoryError,
    MissingExtraError,
    UnknownModelError,
)
from aegismatrix.market.arrays import ONE_DAY
from aegismatrix.market.bars import Bars
from tests.examples import (
    BASIS_POINTS,
    HORIZONS_DAYS,
    SIDES,
    history_columns,
    in_columns,
    is_surface,
    tolerance_of,
)

FloatArray = NDArray[np.float64]

TOLERANCE = 1e-12
SPANS = [
    (np.datetime64(span.first), np.datetime64(span.last))
    for spec in list_models()
    for span in spec.training
]
LAST_TRAINED = max(last for _, last in SPANS)
BAR_COLUMNS = ("high", "low", "close", "iv")


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


@pytest.fixture(scope="module")
def staged() -> dict[str, Model]:
    """The features and the heads, one by one."""
    return load_models()


@pytest.fixture(scope="module")
def nifty_history(engine: Engine, nifty: Bars) -> Forecast:
    return engine.history(nifty)


def columns_of(bars: Bars) -> dict[str, FloatArray]:
    return {name: getattr(bars, name) for name in BAR_COLUMNS}


def changed(bars: Bars, row: int, factor: float) -> Bars:
    """The bars with another price level and volatility in one row."""
    scaled = {name: values.copy() for name, values in columns_of(bars).items()}
    for values in scaled.values():
        values[row] *= factor
    return replace(bars, **scaled)


def moved(bars: Bars, last: np.datetime64) -> Bars:
    """The bars with their last day on `last` or up to six days after: weekdays stay."""
    weeks = -(-(last - bars.dates[-1]).astype(int) // 7)
    dates = bars.dates + np.timedelta64(7 * weeks, "D")
    return Bars.from_arrays(
        dates, bars.high, bars.low, bars.close, bars.iv, market=bars.market, today=dates[-1]
    )


def all_of(forecast: Forecast) -> FloatArray:
    """Every probability, each edge of a surface too, a row for each day."""
    return np.concatenate(
        [forecast[model].reshape(len(forecast), -1) for model in forecast], axis=1
    )


def table_of(forecast: Forecast) -> FloatArray:
    """Every probability that has a column, shape (N, columns)."""
    return np.concatenate([in_columns(forecast[model]) for model in forecast], axis=1)


def assert_rows_equal(forecast: Forecast, whole: Forecast, rows: slice) -> None:
    np.testing.assert_array_equal(forecast.dates, whole.dates[rows])
    np.testing.assert_array_equal(forecast.in_sample, whole.in_sample[rows])
    np.testing.assert_array_equal(forecast.close, whole.close[rows])
    np.testing.assert_array_equal(forecast.iv_percent, whole.iv_percent[rows])
    np.testing.assert_allclose(
        forecast.implied_sigma, whole.implied_sigma[rows], rtol=0, atol=TOLERANCE
    )
    assert list(forecast) == list(whole)
    for model in forecast:
        np.testing.assert_allclose(
            forecast[model], whole[model][rows], rtol=0, atol=tolerance_of(model)
        )


def test_history_has_a_row_for_each_bar_from_the_look_back_on(
    engine: Engine, nifty: Bars, nifty_history: Forecast
) -> None:
    first = engine.lookback_bars - 1
    assert len(nifty_history) == len(nifty) - first
    np.testing.assert_array_equal(nifty_history.dates, nifty.dates[first:])
    np.testing.assert_array_equal(nifty_history.close, nifty.close[first:])
    np.testing.assert_array_equal(nifty_history.iv_percent, nifty.iv[first:])
    sizes: dict[int | str, int] = {
        "N": len(nifty_history),
        "H": len(nifty_history.horizon_days),
        "D": len(nifty_history.distance),
    }
    for head in engine.heads:
        values = nifty_history[head.name]
        assert values.shape == tuple(sizes.get(size, size) for size in head.shape)
        columns = nifty_history.columns[head.name]
        assert in_columns(values).shape == (len(nifty_history), len(columns))


def test_implied_sigma_is_what_iv_says_of_one_trading_day(
    nifty_history: Forecast,
) -> None:
    ratio = nifty_history.implied_sigma / nifty_history.iv_percent
    np.testing.assert_allclose(ratio, 0.01 / np.sqrt(252), rtol=1e-3)


def test_predict_is_the_last_row_of_history(
    engine: Engine, nifty: Bars, nifty_history: Forecast
) -> None:
    for end in (engine.lookback_bars, 400, 1_000, 2_500, len(nifty)):
        forecast = engine.predict(nifty[:end])
        row = end - engine.lookback_bars
        assert len(forecast) == 1
        assert_rows_equal(forecast, nifty_history, slice(row, row + 1))
        assert_rows_equal(forecast, engine.history(nifty[:end]), slice(-1, None))


def test_features_of_the_last_bars_alone_are_the_last_row_of_all_features(
    staged: dict[str, Model], nifty: Bars
) -> None:
    features = staged["features"]
    whole = features.run(**columns_of(nifty))
    for end in (features.spec.lookback_bars, 500, 1_777, 3_000, len(nifty)):
        last = features.run(**columns_of(nifty[end - features.spec.lookback_bars : end]))
        for name, values in last.items():
            row = whole[name][end - features.spec.lookback_bars]
            np.testing.assert_allclose(values[0], row, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("first", [0, 1, 64, 500, 1_813, 2_900])
@pytest.mark.parametrize("length", [253, 254, 317, 600])
def test_a_sub_range_of_real_bars_gives_the_same_rows(
    engine: Engine, nifty: Bars, nifty_history: Forecast, first: int, length: int
) -> None:
    length = max(length, engine.lookback_bars)
    forecast = engine.history(nifty[first : first + length])
    rows = slice(first, first + length - engine.lookback_bars + 1)
    assert_rows_equal(forecast, nifty_history, rows)


def test_as_many_bars_as_the_look_back_give_one_day(engine: Engine, sample: Bars) -> None:
    bars = sample[: engine.lookback_bars]
    assert len(engine.history(bars)) == len(engine.predict(bars)) == 1


@pytest.mark.parametrize("method", ["predict", "history"])
@pytest.mark.parametrize("missing", [1, 7, 200])
def test_fewer_bars_than_the_look_back_say_how_many_are_missing(
    engine: Engine, sample: Bars, method: str, missing: int
) -> None:
    need = engine.lookback_bars
    with pytest.raises(InsufficientHistoryError) as raised:
        getattr(engine, method)(sample[: need - missing])
    assert (raised.value.need, raised.value.have) == (need, need - missing)
    assert f"by {missing} trading days" in raised.value.remedy


def test_a_bar_older_than_the_look_back_has_no_influence(engine: Engine, nifty: Bars) -> None:
    bars = nifty[-engine.lookback_bars - 3 :]
    for row in range(3):
        other = changed(bars, row, 1.05)
        assert_rows_equal(engine.predict(other), engine.predict(bars), slice(None))
        # Through the graph as well, where those bars are present.
        np.testing.assert_allclose(
            all_of(engine.history(other))[-1],
            all_of(engine.history(bars))[-1],
            rtol=0,
            atol=TOLERANCE,
        )


def test_each_bar_of_the_look_back_can_have_an_influence(engine: Engine, nifty: Bars) -> None:
    bars = nifty[-engine.lookback_bars :]
    base = all_of(engine.predict(bars))
    without = [
        row
        for row in range(len(bars))
        if np.array_equal(all_of(engine.predict(changed(bars, row, 1.05))), base)
    ]
    # The terciles make the matrix look back 272 bars, and no window of 60 rows reads them; what
    # windows do read looks back 253.
    assert without == list(range(272 - 253))


def test_a_later_bar_changes_no_earlier_day(engine: Engine, nifty: Bars) -> None:
    bars = nifty[-400:]
    other = engine.history(changed(bars, len(bars) - 1, 1.05))
    np.testing.assert_allclose(
        all_of(other)[:-1], all_of(engine.history(bars))[:-1], rtol=0, atol=TOLERANCE
    )
    assert (all_of(other)[-1] != all_of(engine.history(bars))[-1]).any()


@pytest.mark.parametrize("market", ["nifty", "sp500"])
def test_the_staged_artifacts_give_every_real_row_of_the_fused_one(
    request: pytest.FixtureRequest, engine: Engine, staged: dict[str, Model], market: str
) -> None:
    bars: Bars = request.getfixturevalue(market)
    forecast = engine.history(bars)
    features = staged["features"]
    made = features.run(**columns_of(bars))
    np.testing.assert_allclose(
        made["implied_sigma"][-len(forecast) :], forecast.implied_sigma, rtol=0, atol=TOLERANCE
    )
    heads = {name: model for name, model in staged.items() if model.spec.kind == "head"}
    assert list(heads) == list(forecast)
    given = {
        **made,
        "horizon": forecast.horizon_days,
        "lower_distance": forecast.distance,
        "upper_distance": forecast.upper_distance,
    }
    sealed = {array.name: array for array in engine.heads}
    for name, head in heads.items():
        run = head.run(**{array.name: given[array.name] for array in head.spec.inputs})
        (output,) = head.spec.outputs
        assert output.columns == sealed[name].columns
        assert history_columns(sealed[name]) == forecast.columns[name]
        last = slice(-len(forecast), None)
        np.testing.assert_allclose(
            run[output.name][last], forecast[name], rtol=0, atol=tolerance_of(name)
        )


def test_forecasts_of_different_days_differ(nifty_history: Forecast) -> None:
    values = all_of(nifty_history)
    assert len(np.unique(values, axis=0)) == len(values)
    for model in nifty_history:
        assert (nifty_history[model].std(axis=0) > 1e-3).all(), model


def test_real_probabilities_lie_within_0_and_1(nifty_history: Forecast) -> None:
    values = all_of(nifty_history)
    assert np.isfinite(values).all()
    assert values.min() >= 0.0
    assert values.max() <= 1.0


def test_days_inside_a_training_span_are_in_sample(nifty_history: Forecast) -> None:
    dates = nifty_history.dates
    inside = np.zeros(len(dates), dtype=bool)
    for first, last in SPANS:
        inside |= (dates >= first) & (dates <= last)
    assert inside.any()
    np.testing.assert_array_equal(nifty_history.in_sample, inside)


def test_the_sample_is_in_sample(engine: Engine, sample: Bars) -> None:
    assert engine.history(sample).in_sample.all()


def test_days_beyond_every_training_span_are_not_in_sample(engine: Engine, sample: Bars) -> None:
    far = moved(sample, LAST_TRAINED + (sample.dates[-1] - sample.dates[0]) + ONE_DAY)
    assert far.dates[0] > LAST_TRAINED
    assert not engine.history(far).in_sample.any()
    assert not engine.predict(far).in_sample.any()


def test_the_last_day_of_training_is_the_last_in_sample(engine: Engine, sample: Bars) -> None:
    forecast = engine.history(moved(sample, LAST_TRAINED + np.timedelta64(200, "D")))
    np.testing.assert_array_equal(forecast.in_sample, forecast.dates <= LAST_TRAINED)
    assert forecast.in_sample.any()
    assert not forecast.in_sample.all()


def test_where_bars_come_from_does_not_change_the_numbers(engine: Engine, sample: Bars) -> None:
    far = moved(sample, LAST_TRAINED + np.timedelta64(3_000, "D"))
    np.testing.assert_array_equal(all_of(engine.history(far)), all_of(engine.history(sample)))


def test_a_forecast_is_read_by_model_by_row_and_in_order(engine: Engine, sample: Bars) -> None:
    forecast = engine.history(sample)
    heads = [spec for spec in list_models() if spec.kind == "head"]
    assert list(forecast) == [head.name for head in heads]
    assert [head.name for head in engine.heads] == [head.name for head in heads]
    for head, array in zip(heads, engine.heads, strict=True):
        assert array.columns == head.outputs[0].columns
        assert forecast.columns[head.name] == history_columns(array)
    assert "trap" in list(forecast)

    columns = [column for model in forecast for column in forecast.columns[model]]
    for position in (0, 5, -1):
        row = forecast.row(position)
        assert list(row) == columns
        assert list(row.values()) == table_of(forecast)[position].tolist()
    assert forecast.row() == forecast.row(-1)


def test_a_model_that_is_not_in_a_forecast_names_those_that_are(
    engine: Engine, sample: Bars
) -> None:
    forecast = engine.predict(sample)
    with pytest.raises(UnknownModelError) as raised:
        forecast["oracle"]
    assert raised.value.name == "oracle"
    assert raised.value.known == tuple(forecast)


def test_a_forecast_names_the_artifacts_that_made_it(engine: Engine, sample: Bars) -> None:
    digest = read_manifest().digest
    assert engine.predict(sample).manifest_digest == digest
    assert digest[:12] in repr(engine)


def test_a_forecast_shows_its_last_day(engine: Engine, sample: Bars) -> None:
    forecast = engine.history(sample)
    shown = repr(forecast)
    assert f"{len(forecast)} days to {forecast.dates[-1]}" in shown
    first = [f"{column} {value:.3f}" for column, value in list(forecast.row().items())[:3]]
    assert shown.endswith(f": {', '.join(first)}, ...)")


def test_the_engine_tells_its_contract(engine: Engine) -> None:
    sealed = read_manifest().model(ENGINE_NAME)
    assert engine.spec == sealed
    assert engine.lookback_bars == sealed.lookback_bars
    assert engine.lookback_bars == max(spec.lookback_bars for spec in list_models())
    assert re.search(rf"{engine.lookback_bars} bars", repr(engine))


def test_eight_threads_that_share_an_engine_get_what_one_gets(engine: Engine, nifty: Bars) -> None:
    tasks = [nifty[first : first + 400] for first in range(0, 3_000, 50)]
    expected = [all_of(engine.history(bars)) for bars in tasks]
    with ThreadPoolExecutor(8) as pool:
        shared = list(pool.map(lambda bars: all_of(engine.history(bars)), tasks * 4))
    for values, single in zip(shared, expected * 4, strict=True):
        np.testing.assert_array_equal(values, single)


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(
    start=st.integers(0, 890),
    bars_more=st.integers(0, 30),
    price_noise=st.floats(0, 0.05),
    iv_noise=st.floats(0, 0.4),
    seed=st.integers(0, 2**32 - 1),
)
def test_shaken_real_bars_give_probabilities_within_0_and_1(
    sample: Bars,
    engine: Engine,
    start: int,
    bars_more: int,
    price_noise: float,
    iv_noise: float,
    seed: int,
) -> None:
    bars = sample[start : start + engine.lookback_bars + bars_more]
    chance = np.random.default_rng(seed)
    price = np.exp(price_noise * chance.uniform(-1, 1, len(bars)))
    iv = np.exp(iv_noise * chance.uniform(-1, 1, len(bars)))
    shaken = Bars.from_arrays(
        bars.dates,
        bars.high * price,
        bars.low * price,
        bars.close * price,
        bars.iv * iv,
        market="other",
    )
    forecast = engine.history(shaken)
    values = all_of(forecast)
    assert len(values) == bars_more + 1
    assert values.min() >= 0.0
    assert values.max() <= 1.0
    assert (forecast.implied_sigma > 0).all()


@pytest.mark.parametrize("given", ["bars.csv", {"close": [1.0]}, [1.0] * 500])
def test_what_is_not_bars_is_refused_with_how_to_make_them(engine: Engine, given: Any) -> None:
    with pytest.raises(ContractError, match="from_csv"):
        engine.predict(given)


@pytest.mark.parametrize("method", ["predict", "history"])
@pytest.mark.parametrize(
    "horizon_days",
    [0, 31, 2.5, np.nan, np.inf, -np.inf, -1, [], [1, 0], [1, 31], [5, np.nan], [[1, 5]]],
    ids=repr,
)
def test_horizons_that_are_no_whole_days_from_1_to_30_are_refused(
    engine: Engine, sample: Bars, method: str, horizon_days: Any
) -> None:
    with pytest.raises(ContractError, match=r"^engine: horizon_days ") as raised:
        getattr(engine, method)(sample, horizon_days=horizon_days)
    assert "whole trading days from 1 to 30" in raised.value.remedy


@pytest.mark.parametrize("method", ["predict", "history"])
@pytest.mark.parametrize(
    "distance",
    [0, -0.01, np.nan, np.inf, -np.inf, [], [0.01, 0.0], [0.01, -0.02], [0.01, np.nan], [[0.01]]],
    ids=repr,
)
def test_distances_that_are_not_finite_and_above_0_are_refused(
    engine: Engine, sample: Bars, method: str, distance: Any
) -> None:
    with pytest.raises(ContractError, match=r"^engine: distance ") as raised:
        getattr(engine, method)(sample, distance=distance)
    assert "ln(1 + p / close)" in raised.value.remedy


def test_the_default_grid_is_the_documented_one(engine: Engine, sample: Bars) -> None:
    forecast = engine.predict(sample)
    np.testing.assert_array_equal(forecast.horizon_days, HORIZONS_DAYS)
    np.testing.assert_allclose(np.expm1(forecast.distance) * 1e4, BASIS_POINTS, rtol=1e-12)
    surfaces = [array for array in engine.heads if is_surface(array)]
    assert [array.name for array in surfaces] == ["breach"]
    assert surfaces[0].columns == SIDES
    assert forecast["breach"].shape == (1, 5, 4, 6)
    assert forecast.columns["breach"][0] == "breach_h1_d100"
    assert forecast.columns["breach"][-1] == "breach_h20_d700"
    named = engine.predict(
        sample, horizon_days=HORIZONS_DAYS, distance=np.log1p(np.array(BASIS_POINTS) / 1e4)
    )
    np.testing.assert_allclose(all_of(named), all_of(forecast), rtol=0, atol=TOLERANCE)


def test_a_smaller_grid_is_a_part_of_a_larger_one(engine: Engine, sample: Bars) -> None:
    horizons_days = np.arange(1, 31)
    distance = np.log1p(np.linspace(0.001, 0.3, 25))
    whole = engine.history(sample, horizon_days=horizons_days, distance=distance)
    for rows, columns in (([0], [0]), ([29], [24]), ([4, 9, 19], [1, 7]), ([19, 0], [24, 3, 11])):
        part = engine.history(sample, horizon_days=horizons_days[rows], distance=distance[columns])
        expected = whole["breach"][:, :, rows][:, :, :, columns]
        np.testing.assert_allclose(part["breach"], expected, rtol=0, atol=TOLERANCE)
        for model in ("trap", "regime"):
            np.testing.assert_array_equal(part[model], whole[model])


def test_predict_with_a_grid_of_its_own_is_the_last_row_of_history_with_it(
    engine: Engine, sample: Bars
) -> None:
    grid: dict[str, Any] = {"horizon_days": [2, 30], "distance": [0.004, 0.11, 0.25]}
    whole = engine.history(sample, **grid)
    assert_rows_equal(engine.predict(sample, **grid), whole, slice(-1, None))


def test_one_horizon_and_one_distance_may_be_numbers(engine: Engine, sample: Bars) -> None:
    forecast = engine.predict(sample, horizon_days=7, distance=float(np.log1p(0.015)))
    assert forecast["breach"].shape == (1, 5, 1, 1)
    assert forecast.columns["breach"] == ("breach_h7_d150",)
    assert forecast.row()["breach_h7_d150"] == forecast["breach"][0, 0, 0, 0]


@pytest.mark.parametrize(
    ("share", "name"),
    [
        (0.01, "100"),
        (0.0123, "123"),
        (0.0025, "25"),
        (0.00125, "12.5"),
        (0.001, "10"),
        (0.07, "700"),
        (0.3, "3000"),
    ],
)
def test_columns_of_a_surface_name_horizon_and_basis_points(
    engine: Engine, sample: Bars, share: float, name: str
) -> None:
    forecast = engine.predict(sample, horizon_days=[1, 12, 30], distance=np.log1p([share]))
    expected = tuple(f"breach_h{days}_d{name}" for days in (1, 12, 30))
    assert forecast.columns["breach"] == expected


def test_table_and_row_say_what_the_arrays_say(engine: Engine, sample: Bars) -> None:
    horizons_days, basis_points = (3, 15), (50, 250, 1000)
    forecast = engine.history(
        sample, horizon_days=horizons_days, distance=np.log1p(np.array(basis_points) / 1e4)
    )
    table = forecast.table()
    columns = [
        column
        for array in engine.heads
        for column in history_columns(array, horizons_days, basis_points)
    ]
    assert list(table) == columns
    assert [column for model in forecast for column in forecast.columns[model]] == columns
    np.testing.assert_array_equal(np.stack(list(table.values()), axis=1), table_of(forecast))
    for array in engine.heads:
        if not is_surface(array):
            for place, column in enumerate(array.columns):
                np.testing.assert_array_equal(table[column], forecast[array.name][:, place])
    for row, days in enumerate(horizons_days):
        for place, points in enumerate(basis_points):
            either = forecast["breach"][:, 0, row, place]
            np.testing.assert_array_equal(table[f"breach_h{days}_d{points}"], either)
    for position in (0, 17, -1):
        expected = {column: values[position] for column, values in table.items()}
        assert forecast.row(position) == expected


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_forecast_becomes_a_frame_that_says_what_the_table_says(
    engine: Engine, sample: Bars, library: str
) -> None:
    pytest.importorskip(library)
    forecast = engine.history(sample)
    frame = forecast.to_pandas() if library == "pandas" else forecast.to_polars()
    table = forecast.table()
    assert list(frame.columns) == ["date", "close", "iv", "in_sample", *table]
    assert [str(day)[:10] for day in frame["date"].to_list()] == forecast.dates.astype(str).tolist()
    assert frame["in_sample"].to_list() == forecast.in_sample.tolist()
    assert frame["iv"].to_list() == forecast.iv_percent.tolist()
    # What was given goes out again unchanged, and can come back.
    assert frame["close"].to_list() == sample.close[-len(forecast) :].tolist()
    for name, values in table.items():
        assert frame[name].to_list() == values.tolist()


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_frame_without_its_library_names_the_extra(
    engine: Engine, sample: Bars, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    forecast = engine.predict(sample)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtraError) as caught:
        getattr(forecast, f"to_{library}")()
    assert caught.value.package == library
    assert caught.value.extra == {"pandas": "frames", "polars": "polars"}[library]


@pytest.mark.parametrize("threads", [0, -1, 65, 1.0, 2.5, True, "2", None, float("nan")])
def test_what_is_no_number_of_threads_is_refused(threads: Any) -> None:
    with pytest.raises(ArgumentError, match="threads"):
        Engine(threads=threads)


def test_two_threads_say_what_one_says(engine: Engine, sample: Bars) -> None:
    two = Engine(threads=2)
    one, other = engine.history(sample), two.history(sample)
    for head in one:
        # The network computes in float32: a row may differ with how work is shared out.
        within = 1e-8 if head == "direction" else TOLERANCE
        assert other[head] == pytest.approx(one[head], abs=within)
    past = one["breakout"][:, 0], engine.unseen("breakout", one)
    assert two.unseen("breakout", other) == pytest.approx(past[1], abs=TOLERANCE, nan_ok=True)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks are those of POSIX")
def test_an_engine_of_several_threads_is_not_waited_for_in_a_forked_process() -> None:
    forking = (
        "import os, aegismatrix as am\n"
        "bars, engine = am.sample_bars(), am.Engine(threads=2)\n"
        "engine.predict(bars)\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    try:\n"
        "        engine.predict(bars)\n"
        "    except am.errors.ContractError as error:\n"
        "        os._exit(7 if error.array == 'threads' else 8)\n"
        "    os._exit(9)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", forking],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.strip() == "7"
