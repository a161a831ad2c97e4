"""From the walk-forward to an out-of-sample history: the very forecasts that were judged."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from aegismatrix_factory.evaluate.losses import LOSSES_NAME, parse_losses
from aegismatrix_factory.evaluate.markets import MarketRows, MarketSource
from aegismatrix_factory.evaluate.walkforward import QUICK, Forecasts
from aegismatrix_factory.heads.breach import Breach
from aegismatrix_factory.heads.head import FloatArray, Head, Progress
from aegismatrix_factory.heads.regime import Regime
from aegismatrix_factory.heads.spike import Spike
from aegismatrix_factory.heads.trap import Trap
from aegismatrix_factory.release.export import export
from aegismatrix_factory.release.training import TrainingRecordError, read_training, train

import aegismatrix as am
from aegismatrix.artifacts.forecasts import FORECASTS_NAME, read_forecasts
from aegismatrix.artifacts.manifest import read_manifest
from aegismatrix.engine.engine import DISTANCES, HORIZONS_DAYS
from aegismatrix.market.bars import Bars
from aegismatrix.market.events import BREACH, OUTPUTS
from aegismatrix.market.outcomes import excursions, forward_return, happened

pytestmark = pytest.mark.slow

SAMPLE = Path(am.__file__).parent / "desk" / "sources" / "sample_data"
SOURCE = MarketSource(
    "sp500", SAMPLE / "sp500_daily.csv", SAMPLE / "vix_daily.csv", am.Market("sp500")
)


class Silent(Spike):
    """Keeps what its walk-forward said to itself."""

    def said(self, market: MarketRows, walks: Mapping[str, Forecasts]) -> FloatArray | None:
        return None


HEADS: tuple[Head, ...] = (Trap(), Regime(), Breach(), Silent())


def no_progress(title: str, steps: int) -> Progress:
    return lambda: None


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("walked") / "training"
    train([SOURCE], HEADS, folder, no_progress, QUICK)
    return folder


@pytest.fixture(scope="module")
def models(training: Path) -> Path:
    folder = training.with_name("models_onnx")
    export(training, HEADS, folder, lambda line: None)
    return folder


def test_the_losses_that_were_sealed_are_those_of_the_history(models: Path) -> None:
    bars = Bars.from_csv(SOURCE.index, iv=SOURCE.iv, market=SOURCE.market)
    history = am.Engine(models).history(bars, out_of_sample=True)
    assert history.walk_forward is not None
    assert history.walk_forward.all()
    assert list(history) == ["trap", "regime", "breach"]
    row = np.searchsorted(bars.dates, history.dates)
    down, up = excursions(bars, 20)
    (losses,) = parse_losses((models / LOSSES_NAME).read_bytes())
    held = 0
    for one in losses.outputs:
        family = one.output.rpartition("_h")[0]
        if one.head == "trap":
            said = history.table()[one.output][:, None]
            event = OUTPUTS[one.output].event
            assert event is not None
            label = happened(event, bars)[row][:, None]
        elif family.startswith("breach") and one.horizon_days in HORIZONS_DAYS:
            place = [BREACH.family(side) for side in BREACH.sides].index(family)
            said = history["breach"][:, place, HORIZONS_DAYS.index(one.horizon_days)]
            day, end = one.horizon_days - 1, forward_return(bars, one.horizon_days)
            touched = [np.maximum(down, up)[:, day], down[:, day], up[:, day]]
            reached = [*touched, -end, end][place][row, None]
            label = np.where(np.isnan(reached), np.nan, reached > np.array(DISTANCES))
        else:
            continue
        held += 1
        of_day = ((said - label) ** 2).mean(axis=1)
        known = ~np.isnan(of_day)
        place_of = np.searchsorted(losses.dates, history.dates[known])
        np.testing.assert_allclose(one.values[place_of], of_day[known], atol=3e-4)
        assert known.sum() == (~np.isnan(one.values)).sum()
    # Closes are judged at two of the horizons, below and above.
    assert held == 3 + 3 * len(HORIZONS_DAYS) + 2 * 2


def test_the_history_goes_to_the_last_bar_though_its_outcome_is_not_known(models: Path) -> None:
    bars = Bars.from_csv(SOURCE.index, iv=SOURCE.iv, market=SOURCE.market)
    walked = read_forecasts(read_manifest(models))
    assert walked.dates[-1] == bars.dates[-1]
    assert (walked.market, set(walked.heads)) == ("sp500", {"trap", "regime", "breach"})
    breach = walked.heads["breach"].forecasts()
    either, down, up, below, above = np.moveaxis(breach, 1, 0)
    assert (np.maximum(down, up) <= either).all()
    assert (either <= np.minimum(1.0, down + up)).all()
    assert (below <= down).all()
    assert (above <= up).all()
    assert (np.diff(breach, axis=-1) <= 0.0).all()
    assert (np.diff(breach[:, :3], axis=-2) >= 0.0).all()


def test_the_same_training_gives_the_same_file_and_another_is_refused(
    training: Path, models: Path
) -> None:
    assert (training / FORECASTS_NAME).read_bytes() == (models / FORECASTS_NAME).read_bytes()
    few = read_training(training, HEADS[:1])
    assert list(few.walked.heads) == ["trap"]
    kept = (training / FORECASTS_NAME).read_bytes()
    (training / FORECASTS_NAME).write_bytes(kept[:-1])
    with pytest.raises(TrainingRecordError, match=FORECASTS_NAME):
        read_training(training, HEADS)
    (training / FORECASTS_NAME).write_bytes(kept)
    assert json.loads((training / "training.json").read_text())["record_version"] == 4
