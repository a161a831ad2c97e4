"""Histories out of sample: which days they have, who speaks, and which bars are refused."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import aegismatrix as am
from aegismatrix.artifacts.forecasts import (
    FORECASTS_NAME,
    render_forecasts,
)
from aegismatrix.artifacts.manifest import FORECASTS_KEY
from aegismatrix.desk.cli.main import main
from aegismatrix.engine.engine import DISTANCES
from aegismatrix.errors import (
    ContractError,
    OutOfSampleBarsError,
    SealedForecastsError,
)
from aegismatrix.market.bars import Bars
from tests.sealed import copy_with_walk, drop_file, seal_file

# Whole weeks: its days keep their names, and the last ones come after the training.
LATER = np.timedelta64(350, "W")
FIRST, LAST = 420, 900
MODELS = ("trap", "regime", "breach", "breakout", "spike", "theta")


@pytest.fixture(scope="module")
def bars(sample: Bars) -> Bars:
    return Bars.from_arrays(
        sample.dates + LATER, sample.high, sample.low, sample.close, sample.iv, market="other"
    )


@pytest.fixture(scope="module")
def engine(bars: Bars, tmp_path_factory: pytest.TempPathFactory) -> am.Engine:
    """The bundled models beside a made-up walk-forward of other numbers, with a gap of one day."""
    folder = tmp_path_factory.mktemp("walked") / "models_onnx"
    return am.Engine(copy_with_walk(folder, bars, slice(FIRST, LAST), MODELS, gap=7))


@pytest.fixture(scope="module")
def history(engine: am.Engine, bars: Bars) -> am.Forecast:
    return engine.history(bars, out_of_sample=True)


def test_the_walk_forward_speaks_of_its_days_and_the_served_model_of_those_after_the_training(
    engine: am.Engine, bars: Bars, history: am.Forecast
) -> None:
    served = engine.history(bars)
    ended = np.datetime64(max(span.last for span in engine.manifest.model("trap").training))
    kept = bars.dates > ended
    assert kept.sum() > 100
    kept[FIRST:LAST] = True
    kept[FIRST + 7] = False
    np.testing.assert_array_equal(history.dates, bars.dates[kept])
    assert history.walk_forward is not None
    assert not history.in_sample.any()
    assert served.walk_forward is None
    np.testing.assert_array_equal(history.walk_forward, history.dates <= ended)
    assert list(history) == list(MODELS), "no walk-forward of the direction is sealed"
    after = ~history.walk_forward
    for name in history:
        same = np.isin(served.dates, history.dates[after])
        np.testing.assert_array_equal(history[name][after], served[name][same])
        assert not np.isin(history[name][~after][:5], served[name]).all()
    for name, of_bars in (("close", bars.close), ("iv_percent", bars.iv)):
        np.testing.assert_array_equal(getattr(history, name), of_bars[kept])
    assert list(history.to_pandas().columns[:5]) == [
        "date",
        "close",
        "iv",
        "in_sample",
        "walk_forward",
    ]


def test_a_surface_has_its_sealed_horizons_and_distances_in_any_order(
    engine: am.Engine, bars: Bars, history: am.Forecast
) -> None:
    chosen = engine.history(
        bars, horizon_days=[20, 5], distance=[DISTANCES[4], DISTANCES[0]], out_of_sample=True
    )
    walked = chosen.walk_forward
    np.testing.assert_array_equal(
        chosen["breach"][walked], history["breach"][walked][:, :, [3, 1]][..., [4, 0]]
    )
    for name, asked in (("horizon_days", {"horizon_days": [7]}), ("distance", {"distance": [0.3]})):
        with pytest.raises(ContractError) as raised:
            engine.history(bars, out_of_sample=True, **asked)
        assert raised.value.array == name


@pytest.mark.parametrize(("start", "cut"), [(0, 300), (149, 1), (150, 40), (560, 0), (560, 300)])
def test_any_part_of_the_bars_says_the_same_of_its_days(
    engine: am.Engine, bars: Bars, history: am.Forecast, start: int, cut: int
) -> None:
    part = bars[start : len(bars) - cut]
    said = engine.history(part, out_of_sample=True)
    same = np.isin(history.dates, part.dates[engine.lookback_bars - 1 :])
    np.testing.assert_array_equal(said.dates, history.dates[same])
    np.testing.assert_allclose(said["breach"], history["breach"][same], atol=1e-9)


def changed(bars: Bars, column: str, row: int) -> Bars:
    values = {name: getattr(bars, name).copy() for name in ("high", "low", "close", "iv")}
    values[column][row] = np.nextafter(values[column][row], values["low"][row])
    return Bars.from_arrays(bars.dates, **values, market="other")


@pytest.mark.parametrize("column", ["high", "close", "iv"])
@pytest.mark.parametrize("row", [FIRST, LAST - 1])
def test_a_bar_that_differs_in_its_last_digit_is_refused_by_name(
    engine: am.Engine, bars: Bars, column: str, row: int
) -> None:
    with pytest.raises(OutOfSampleBarsError) as raised:
        engine.history(changed(bars, column, row), out_of_sample=True)
    assert raised.value.kind == "other_bars"
    assert raised.value.dates == (str(bars.dates[row]),)


def test_bars_with_a_day_less_are_refused_and_those_before_the_first_forecast_are_free(
    engine: am.Engine, bars: Bars, history: am.Forecast
) -> None:
    keep = np.arange(len(bars)) != FIRST + 3
    gap = Bars.from_arrays(
        bars.dates[keep],
        *(getattr(bars, name)[keep] for name in ("high", "low", "close", "iv")),
        market="other",
    )
    with pytest.raises(OutOfSampleBarsError) as raised:
        engine.history(gap, out_of_sample=True)
    assert raised.value.dates == (str(bars.dates[FIRST + 3]),)
    early = engine.history(changed(bars, "high", FIRST - 1), out_of_sample=True)
    np.testing.assert_array_equal(early.dates, history.dates)


def test_bars_without_a_day_that_was_forecast_are_refused(engine: am.Engine, bars: Bars) -> None:
    with pytest.raises(OutOfSampleBarsError) as raised:
        engine.history(bars[:FIRST], out_of_sample=True)
    assert raised.value.kind == "no_days"
    assert raised.value.first == str(bars.dates[FIRST])


def test_artifacts_without_the_file_say_what_to_do(
    engine: am.Engine, bars: Bars, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(engine.manifest.folder, tmp_path / "models_onnx"))
    (folder / FORECASTS_NAME).unlink()
    assert am.verify(folder) == [], "it may travel apart"
    assert main(["verify", str(folder)]) == 0
    assert f"{FORECASTS_NAME}: not here" in capsys.readouterr().out
    with pytest.raises(SealedForecastsError) as raised:
        am.Engine(folder).history(bars, out_of_sample=True)
    assert raised.value.kind == "not_here"
    assert FORECASTS_NAME in raised.value.problem
    (folder / FORECASTS_NAME).write_bytes(b"")
    drop_file(folder, FORECASTS_KEY)
    with pytest.raises(SealedForecastsError) as raised:
        am.Engine(folder).history(bars, out_of_sample=True)
    assert raised.value.kind == "not_sealed"


def test_a_file_that_was_altered_or_is_of_other_models_is_found(
    engine: am.Engine, bars: Bars, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(engine.manifest.folder, tmp_path / "models_onnx"))
    file = folder / FORECASTS_NAME
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    (finding,) = am.verify(folder)
    assert (finding.artifact, type(finding.error).__name__) == (FORECASTS_KEY, "ArtifactHashError")
    walked, _ = engine._walk_forward()
    odd = {"trap": walked.heads["regime"], "breach": walked.heads["trap"]}
    for name, head in odd.items():
        file.write_bytes(render_forecasts(replace(walked, heads={name: head})))
        seal_file(folder, FORECASTS_KEY, FORECASTS_NAME)
        with pytest.raises(SealedForecastsError, match=name) as raised:
            am.Engine(folder).history(bars, out_of_sample=True)
        assert raised.value.kind == "malformed"


def test_the_history_command_writes_it_with_the_fit_that_spoke(
    engine: am.Engine, bars: Bars, history: am.Forecast, tmp_path: Path
) -> None:
    index, iv = tmp_path / "index.csv", tmp_path / "iv.csv"
    for file, header, columns in (
        (index, "date,high,low,close", (bars.high, bars.low, bars.close)),
        (iv, "date,close", (bars.iv,)),
    ):
        rows = zip(bars.dates.astype(str), *(one.tolist() for one in columns), strict=True)
        lines = [",".join(map(str, row)) for row in rows]
        file.write_text("\n".join([header, *lines]), encoding="utf-8")
    out = tmp_path / "history.csv"
    given = ["--index", str(index), "--iv", str(iv), "--market", "other", "--out", str(out)]
    command = ["history", *given, "--models", str(engine.manifest.folder), "--quiet"]
    assert main([*command, "--out-of-sample"]) == 0
    header, *days = out.read_text(encoding="utf-8").splitlines()
    assert header.startswith("date,close,iv,in_sample,walk_forward,trap_5,")
    assert len(days) == len(history)
    assert days[0].split(",")[3:5] == ["false", "true"]
    assert days[-1].split(",")[3:5] == ["false", "false"]
