"""A quick training shows that every step works, demonstrates nothing, and says so everywhere."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest
from aegismatrix_factory.evaluate.challenge import ChampionIncomparableError, compare, decide
from aegismatrix_factory.evaluate.markets import MarketRows, MarketSource, market_rows
from aegismatrix_factory.evaluate.walkforward import (
    EMBARGO_DAYS,
    FULL,
    QUICK,
    REFIT_BARS,
    Forecasts,
    Judgement,
    Skill,
    Timeline,
    blocks,
)
from aegismatrix_factory.heads.head import Head, Progress
from aegismatrix_factory.heads.regime import Regime
from aegismatrix_factory.heads.registry import HEADS
from aegismatrix_factory.heads.spike import Spike
from aegismatrix_factory.release.card import model_card
from aegismatrix_factory.release.export import export
from aegismatrix_factory.release.staging import stage_features
from aegismatrix_factory.release.training import read_training, train

import aegismatrix as am
from aegismatrix.artifacts.manifest import read_manifest
from aegismatrix.desk.cli.main import main

pytestmark = pytest.mark.slow


SAMPLE = Path(am.__file__).parent / "desk" / "sources" / "sample_data"
PAIR = ["--index", str(SAMPLE / "sp500_daily.csv"), "--iv", str(SAMPLE / "vix_daily.csv")]
SOURCE = MarketSource(
    "sp500", SAMPLE / "sp500_daily.csv", SAMPLE / "vix_daily.csv", am.Market("sp500")
)
FEW: tuple[Head, ...] = (Spike(), Regime())


def no_progress(title: str, steps: int) -> Progress:
    return lambda: None


class Boastful(Spike):
    """Claims to have shown skill, whatever it forecast."""

    def judge(self, market: MarketRows, walks: Mapping[str, Forecasts]) -> list[Judgement]:
        return [
            replace(
                one,
                verdict="demonstrated",
                skills={"climatology": Skill(0.9, 0.8, 0.95)},
                strongest="climatology",
                p_value=0.0,
                windows=100,
            )
            for one in super().judge(market, walks)
        ]


@pytest.fixture(scope="module")
def refits() -> dict[str, tuple[int, int]]:
    """By model: refits announced for its bar and made, of the quick training."""
    return {}


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory, refits: dict[str, tuple[int, int]]) -> Path:
    def progress(title: str, steps: int) -> Progress:
        refits[title] = steps, 0

        def step() -> None:
            announced, made = refits[title]
            refits[title] = announced, made + 1

        return step

    folder = tmp_path_factory.mktemp("quick") / "training"
    train([SOURCE], HEADS, folder, progress, QUICK)
    return folder


@pytest.fixture(scope="module")
def models(training: Path) -> Path:
    folder = training.with_name("models_onnx")
    export(training, HEADS, folder, lambda line: None)
    return folder


@pytest.mark.parametrize("horizon_days", [1, 20])
def test_a_quick_walk_forward_refits_three_times_over_all_scored_days(
    sample: am.Bars, horizon_days: int
) -> None:
    dates, scored_from = sample.dates, sample.dates[500]
    timeline = Timeline.of(sample, horizon_days)
    walked = list(blocks(timeline, scored_from, dates[-1], QUICK))
    assert len(walked) == QUICK.refits == 3
    np.testing.assert_array_equal(
        np.concatenate([block.test for block in walked]), np.arange(500, len(dates))
    )
    for block in walked:
        assert block.train[-1] + horizon_days == block.test[0] - EMBARGO_DAYS
    fully = list(blocks(timeline, scored_from, dates[-1], FULL))
    assert all(len(block.test) == REFIT_BARS for block in fully[:-1])


@pytest.mark.parametrize("bars", [1, 2, 3, 4, 7, 378])
def test_a_quick_step_covers_few_bars_too(bars: int) -> None:
    step = QUICK.step_bars(bars)
    assert step >= 1
    assert -(-bars // step) <= 3
    assert FULL.step_bars(bars) == REFIT_BARS


def test_every_head_refits_as_often_as_its_bar_says_and_seldom(
    training: Path, refits: dict[str, tuple[int, int]]
) -> None:
    assert refits.keys() == {head.name for head in HEADS} - {"overnight"}
    for name, (announced, made) in refits.items():
        # Each output once, and once with shuffled labels; of volatility one horizon is shuffled.
        walks = {"trap": 6, "breakout": 10, "spike": 4, "volatility": 5}.get(name, 2)
        assert announced == made == 3 * walks, name


def test_the_fits_of_the_past_are_few(models: Path) -> None:
    for name in ("breach_past", "breakout_past"):
        assert len(read_manifest(models).model(name).stretches) == 4


def test_a_quick_training_demonstrates_nothing_whatever_a_head_says(tmp_path: Path) -> None:
    for effort, verdict in ((QUICK, "none demonstrated"), (FULL, "demonstrated")):
        judged = train([SOURCE], (Boastful(),), tmp_path / verdict, no_progress, effort)
        assert {one.verdict for one in judged["spike"]} == {verdict}


def test_record_manifest_card_and_commands_say_that_it_was_quick(
    training: Path, models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = {"refits": 3, "bootstrap_samples": 200}
    assert json.loads((training / "training.json").read_text())["quick"] == said
    assert read_training(training, HEADS).effort == QUICK
    manifest = read_manifest(models)
    assert manifest.is_quick
    assert manifest.content["quick"] == said
    assert {
        judgement["verdict"] for spec in manifest.models.values() for judgement in spec.judgements
    } == {"none demonstrated"}
    card = (models / "MODEL_CARD.md").read_text()
    assert "**Quick: 3 refits; not a judgement to rely on.**" in card
    assert "refit 3 times" in card
    assert "126 bars" not in card
    assert main(["models", "--models", str(models)]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first == "quick training: few refits; not a judgement to rely on"


def test_a_full_training_says_nothing_of_the_kind(capsys: pytest.CaptureFixture[str]) -> None:
    manifest = read_manifest()
    assert not manifest.is_quick
    assert "Quick" not in model_card({**manifest.content, "digest": manifest.digest})
    assert main(["models"]) == 0
    assert "quick" not in capsys.readouterr().out


def test_a_training_is_reported_under_the_name_of_its_market(
    models: Path, sample: am.Bars, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert am.verify(models) == []
    engine = am.Engine(models)
    assert engine.manifest.market == "sp500"
    bars = replace(sample, market=am.Market("sp500"))
    later = datetime(2019, 1, 2, tzinfo=timezone.utc)
    provenance = am.analyze(bars, engine=engine, now=later).to_dict()["provenance"]
    assert provenance["market"] == "sp500"
    assert {one["market"] for one in provenance["skill"].values()} == {"sp500"}
    assert {one["market"] for one in provenance["training"]} == {"sp500"}
    assert provenance["demonstration"] == "in-sample, quick training"
    elsewhere = am.analyze(sample, engine=engine, now=later).to_dict()["provenance"]
    assert elsewhere["market"] == "other"
    assert elsewhere["demonstration"] == "other market, in-sample, quick training"

    out = ["--models", str(models), "--out", str(tmp_path), "--no-html"]
    assert main(["report", *PAIR, "--market", "sp500", *out]) == 0
    assert "demonstration: in-sample, quick training" in capsys.readouterr().out
    written = json.loads((tmp_path / "aegismatrix.json").read_text())
    assert written["provenance"]["market"] == "sp500"


def test_a_name_that_the_models_do_not_know_is_refused_with_the_one_that_they_do(
    models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["report", *PAIR, "--market", "sp50", "--models", str(models)])
    assert stopped.value.code == 2
    assert "no market 'sp50'; give one of nifty, other, sp500, or" in capsys.readouterr().err


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Trainings of two models on the same bars, quick and full, and what each was exported to."""
    folder = tmp_path_factory.mktemp("few")
    for name, effort in (("quick", QUICK), ("full", FULL)):
        train([SOURCE], FEW, folder / name, no_progress, effort)
        export(folder / name, FEW, folder / f"{name}_models", lambda line: None)
    return {file.name: file for file in folder.iterdir()}


def test_a_quick_training_replaces_no_judged_artifacts_without_a_reason(
    few: dict[str, Path],
) -> None:
    target = few["full_models"]
    before = {file.name: file.read_bytes() for file in target.iterdir()}
    with pytest.raises(ChampionIncomparableError, match="a quick training of 3 refits"):
        export(few["quick"], FEW, target, lambda line: None)
    assert {file.name: file.read_bytes() for file in target.iterdir()} == before
    challenger = read_training(few["quick"], FEW)
    comparison = compare(target, challenger.losses, challenger.effort)
    assert decide(comparison, target, "to see it work") == "to see it work"


@pytest.mark.parametrize("name", ["quick", "full"])
def test_quick_artifacts_are_replaced_and_nothing_is_compared(
    few: dict[str, Path], name: str
) -> None:
    target, challenger = few["quick_models"], read_training(few[name], FEW)
    comparison = compare(target, challenger.losses, challenger.effort)
    assert comparison is not None
    assert comparison.outputs == ()
    assert comparison.new == ("spike_down", "spike_up", "regime")
    assert decide(comparison, target, None) is None


def test_artifacts_that_replaced_quick_ones_are_not_quick(
    few: dict[str, Path], tmp_path: Path
) -> None:
    target = Path(shutil.copytree(few["quick_models"], tmp_path / "models"))
    digest = read_manifest(target).digest
    export(few["full"], FEW, target, lambda line: None)
    manifest = read_manifest(target)
    assert not manifest.is_quick
    assert manifest.content["replaces"]["digest"] == digest


def test_quick_artifacts_of_another_market_are_not_replaced_in_silence(
    few: dict[str, Path],
) -> None:
    losses = replace(read_training(few["quick"], FEW).losses, market="elsewhere")
    comparison = compare(few["quick_models"], losses, QUICK)
    assert comparison is not None
    assert comparison.incomparable is not None
    assert "judged on sp500, the challenger on elsewhere" in comparison.incomparable


def test_the_effort_reaches_the_rows_of_every_market() -> None:
    features, _ = stage_features()
    assert market_rows(SOURCE, features).effort == FULL
    assert market_rows(SOURCE, features, QUICK).effort == QUICK
