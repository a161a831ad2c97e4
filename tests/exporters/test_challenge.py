"""Retraining: a training that is worse than the artifacts that are there does not replace them."""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from aegismatrix_factory import sealing as seal
from aegismatrix_factory.commands import train as training_command
from aegismatrix_factory.evaluate import challenge, fetching
from aegismatrix_factory.evaluate.challenge import (
    ChallengerWorseError,
    ChampionIncomparableError,
    EmptyReasonError,
    compare,
)
from aegismatrix_factory.evaluate.fetching import FetchedMarket, yahoo_markets
from aegismatrix_factory.evaluate.losses import (
    LOSSES_NAME,
    MarketLosses,
    parse_losses,
    render_losses,
)
from aegismatrix_factory.evaluate.markets import MarketRows, MarketSource
from aegismatrix_factory.evaluate.walkforward import SEED, bootstrap_means, bootstrap_rows, shuffled
from aegismatrix_factory.heads import events, logistic, network, registry
from aegismatrix_factory.heads.head import FloatArray, Head, Progress
from aegismatrix_factory.heads.network import (
    DeviceMemoryError,
    DeviceUnavailableError,
    check_device,
    fit_network,
)
from aegismatrix_factory.heads.regime import Regime
from aegismatrix_factory.heads.registry import heads_on
from aegismatrix_factory.heads.spike import Spike
from aegismatrix_factory.release import export as exporting
from aegismatrix_factory.release.export import export
from aegismatrix_factory.release.staging import Candidate
from aegismatrix_factory.release.training import Training, TrainingRecordError, read_training, train

import aegismatrix as am
import scripts.export
import scripts.train
from aegismatrix.artifacts.manifest import MANIFEST_NAME, read_manifest, render_manifest
from aegismatrix.desk.sources.fetched import Fetched
from aegismatrix.errors import (
    AegisError,
    ArtifactHashError,
    MissingArtifactError,
    OutputError,
    SourceError,
)
from aegismatrix.market.arrays import ONE_DAY
from tests.sealed import change_golden, drop_golden

SAMPLE = Path(am.__file__).parent / "desk" / "sources" / "sample_data"
HEADS: tuple[Head, ...] = (Spike(), Regime())
OUTPUTS = ("spike_down", "spike_up", "regime")
REASON = "the old model is\nnot allowed any more"


@pytest.fixture(scope="module", autouse=True)
def proven_once() -> Iterator[None]:
    """Proofs take a second each and are not what is asked here; equal trainings share one."""
    proven: dict[tuple[object, ...], list[Candidate]] = {}
    prove = exporting.prove_all

    def prove_all(training: Training, heads: Sequence[Head], report: Any) -> list[Candidate]:
        key = (*(head.name for head in heads), render_losses([training.losses]))
        if key not in proven:
            proven[key] = prove(training, heads, report)
        return proven[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exporting, "prove_all", prove_all)
        yield


def no_progress(title: str, steps: int) -> Progress:
    return lambda: None


def sample_source(**changes: Any) -> MarketSource:
    """The sample, scored from as early as can be, so that a difference has days to show in."""
    source = MarketSource("small", SAMPLE / "sp500_daily.csv", SAMPLE / "vix_daily.csv", "other")
    return replace(source, scored_from="2015-12-01", **changes)


def trained(folder: Path, heads: tuple[Head, ...] = HEADS, **changes: Any) -> Path:
    train([sample_source(**changes)], heads, folder, no_progress)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def replaces(models: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((models / MANIFEST_NAME).read_text())["replaces"]
    return found


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("champion") / "training")


@pytest.fixture(scope="module")
def champion(training: Path) -> Path:
    models = training.with_name("models_onnx")
    export(training, HEADS, models, lambda line: None)
    return models


@pytest.fixture
def models(champion: Path, tmp_path: Path) -> Path:
    """The champion's artifacts, to be replaced or not."""
    return Path(shutil.copytree(champion, tmp_path / "models_onnx"))


@pytest.fixture
def losses(training: Path) -> MarketLosses:
    return read_training(training, HEADS).losses


class Noisy(Spike):
    """Reads noise in place of its features while it is judged."""

    def walk(self, market: MarketRows, *given: Any) -> Any:
        noise = np.random.default_rng(0).normal(size=market.features.shape)
        return super().walk(replace(market, features=noise), *given)


def with_noise(patch: pytest.MonkeyPatch) -> tuple[Head, ...]:
    return Noisy(), Regime()


def with_shuffled_labels(patch: pytest.MonkeyPatch) -> tuple[Head, ...]:
    def forecaster(market: MarketRows, label: FloatArray, *given: Any) -> Any:
        return logistic.logistic_forecaster(market, shuffled(label), *given)

    patch.setattr(events, "logistic_forecaster", forecaster)
    return HEADS


def with_wrong_penalty(patch: pytest.MonkeyPatch) -> tuple[Head, ...]:
    patch.setattr(logistic, "INVERSE_PENALTY", 100.0)
    return HEADS


Spoilt = Callable[[pytest.MonkeyPatch], tuple[Head, ...]]


@pytest.fixture(scope="module")
def worse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        return trained(tmp_path_factory.mktemp("worse") / "training", with_noise(patch))


def test_the_same_training_again_differs_by_nothing_and_gives_the_same_bytes(
    models: Path, champion: Path, tmp_path: Path
) -> None:
    said: list[str] = []
    export(trained(tmp_path / "again"), HEADS, models, said.append)
    assert said[0].count("+0.000000 [+0.000000, +0.000000]") == len(OUTPUTS) + 1
    assert contents(models) == contents(champion)
    assert replaces(models) is None


def test_artifacts_that_get_golden_values_keep_what_they_replaced(
    models: Path, champion: Path, training: Path
) -> None:
    drop_golden(models)
    assert contents(models) != contents(champion)
    export(training, HEADS, models, lambda line: None)
    assert contents(models) == contents(champion)
    change_golden(models, lambda content: content.update(note="of another machine"))
    export(training, HEADS, models, lambda line: None)
    assert contents(models) == contents(champion)


@pytest.mark.slow
def test_a_training_of_some_models_is_compared_on_those_and_the_others_are_listed(
    models: Path, champion: Path, training: Path
) -> None:
    export(training, HEADS[:1], models, lambda line: None)
    sealed = replaces(models)
    assert sealed["digest"] == read_manifest(champion).digest
    assert [row["output"] for row in sealed["outputs"]] == ["spike_down", "spike_up"]
    for row in (*sealed["outputs"], *sealed["heads"]):
        assert row["difference"] == row["lower"] == row["upper"] == row["bound"] == 0.0
        assert row["champion"] == row["challenger"]
    assert sealed["gone"] == ["regime"]
    assert sealed["forced"] is None
    card = (models / "MODEL_CARD.md").read_text()
    assert "Outputs of the champion alone, not compared: regime." in card
    export(training, HEADS, models, lambda line: None)
    assert replaces(models)["new"] == ["regime"]


@pytest.mark.slow
@pytest.mark.parametrize("spoil", [with_noise, with_shuffled_labels, with_wrong_penalty])
def test_a_worse_training_is_refused_and_the_table_is_told(
    spoil: Spoilt, models: Path, champion: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        trained(tmp_path / "training", spoil(patch))
    said: list[str] = []
    with pytest.raises(ChallengerWorseError, match=r"which stay: .*spike_up") as caught:
        export(tmp_path / "training", HEADS, models, said.append)
    assert "--force" in caught.value.remedy
    assert caught.value.target == str(models)
    assert "spike_up" in caught.value.comparison.worse
    (table,) = said
    assert all(f"| {output} |" in table for output in OUTPUTS)
    assert contents(models) == contents(champion)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["models_onnx", "training"]


@pytest.mark.slow
def test_the_script_prints_the_table_and_ends_with_2(
    worse: Path,
    models: Path,
    champion: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(registry, "heads_on", lambda device: HEADS)
    run = ["--training", str(worse), "--out", str(models)]
    assert scripts.export.main(run) == 2
    out, err = capsys.readouterr()
    assert "| spike | spike_up |" in out
    assert err.startswith("export: The training is worse than the artifacts")
    assert scripts.export.main([*run, "--force", " "]) == 2
    assert "blank" in capsys.readouterr().err
    assert contents(models) == contents(champion)


@pytest.mark.slow
def test_a_worse_training_that_is_forced_is_sealed_with_reason_and_table(
    worse: Path,
    models: Path,
    champion: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(registry, "heads_on", lambda device: HEADS)
    run = ["--training", str(worse), "--out", str(models), "--force", REASON]
    assert scripts.export.main(run) == 0
    sealed = replaces(models)
    assert sealed["forced"] == "the old model is not allowed any more"
    assert sealed["digest"] == read_manifest(champion).digest
    assert "spike_up" in sealed["worse"]
    assert "spike (mean)" in sealed["worse"]
    card = (models / "MODEL_CARD.md").read_text()
    assert "## Last comparison" in card
    assert "The reason given: the old model is not allowed any more" in card
    assert "| worse |" in card
    assert am.verify(models) == []


@pytest.mark.slow
def test_a_better_training_replaces_a_worse_one_and_needs_no_force(
    worse: Path, training: Path, tmp_path: Path
) -> None:
    models = tmp_path / "models_onnx"
    export(worse, HEADS, models, lambda line: None)
    assert replaces(models) is None
    assert "These artifacts replaced none." in (models / "MODEL_CARD.md").read_text()
    export(training, HEADS, models, lambda line: None, force="not needed")
    sealed = replaces(models)
    (spike_up,) = (row for row in sealed["outputs"] if row["output"] == "spike_up")
    assert spike_up["upper"] < 0.0
    assert sealed["worse"] == []
    assert sealed["forced"] is None


def test_a_flipped_bit_in_the_losses_is_found_by_verify_and_by_the_next_export(
    models: Path, training: Path
) -> None:
    data = bytearray((models / LOSSES_NAME).read_bytes())
    data[len(data) // 2] ^= 1
    (models / LOSSES_NAME).write_bytes(data)
    (finding,) = am.verify(models)
    assert finding.artifact == "walkforward"
    assert isinstance(finding.error, ArtifactHashError)
    before = contents(models)
    with pytest.raises(ChampionIncomparableError, match="altered"):
        export(training, HEADS, models, lambda line: None)
    assert contents(models) == before
    export(training, HEADS, models, lambda line: None, force="a bit was flipped")
    assert "altered" in replaces(models)["incomparable"]
    assert am.verify(models) == []


def test_verify_misses_losses_that_are_gone_and_the_engine_does_not(models: Path) -> None:
    (models / LOSSES_NAME).unlink()
    (finding,) = am.verify(models)
    assert isinstance(finding.error, MissingArtifactError)
    am.Engine(models)


def test_losses_of_another_length_and_a_malformed_seal_are_found(models: Path) -> None:
    whole = (models / LOSSES_NAME).read_bytes()
    for data, what in ((whole[:-1], "truncated"), (whole + b" ", "too long")):
        (models / LOSSES_NAME).write_bytes(data)
        (finding,) = am.verify(models)
        assert what in finding.error.problem
    content = dict(read_manifest(models).content)
    content["walkforward"] = {**content["walkforward"], "file": "../elsewhere"}
    (models / MANIFEST_NAME).write_bytes(render_manifest(content))
    (finding,) = am.verify(models)
    assert "malformed" in finding.error.problem


def test_a_champion_without_losses_is_replaced_only_with_a_reason(
    models: Path, training: Path
) -> None:
    content = dict(read_manifest(models).content)
    del content["walkforward"], content["replaces"]
    (models / MANIFEST_NAME).write_bytes(render_manifest(content))
    (models / LOSSES_NAME).unlink()
    assert am.verify(models) == []
    reason = "the champion has no sealed losses"
    with pytest.raises(ChampionIncomparableError, match=reason) as caught:
        export(training, HEADS, models, lambda line: None)
    assert f"--force '{reason}'" in caught.value.remedy
    assert caught.value.reason == reason
    export(training, HEADS, models, lambda line: None, force=reason)
    assert replaces(models)["incomparable"] == replaces(models)["forced"] == reason
    assert f"They could not be compared: {reason}." in (models / "MODEL_CARD.md").read_text()


def test_a_champion_whose_manifest_is_damaged_is_replaced_only_with_a_reason(
    models: Path, training: Path
) -> None:
    (models / MANIFEST_NAME).write_text("{}")
    with pytest.raises(ChampionIncomparableError, match="no digest"):
        export(training, HEADS, models, lambda line: None)
    export(training, HEADS, models, lambda line: None, force="it is damaged")
    assert replaces(models)["digest"] is None
    assert am.verify(models) == []


def moved(losses: MarketLosses, **changes: Any) -> MarketLosses:
    return replace(losses, **changes)


def test_other_days_another_market_or_too_few_days_cannot_be_compared(
    champion: Path, losses: MarketLosses
) -> None:
    decade = np.timedelta64(3653, "D")
    few = slice(0, 100)
    short = [replace(one, values=one.values[few]) for one in losses.outputs]
    renamed = [replace(one, output=f"{one.output}_2") for one in losses.outputs]
    for other, reason in (
        (moved(losses, dates=losses.dates + decade), "no scored day in common"),
        (moved(losses, market="nifty"), "was judged on small"),
        (moved(losses, close=losses.close * 2.0), "two markets"),
        (
            moved(losses, dates=losses.dates[few], close=losses.close[few], outputs=tuple(short)),
            "at most 100",
        ),
        (moved(losses, outputs=tuple(renamed)), "at most 0"),
    ):
        comparison = compare(champion, other)
        assert comparison is not None
        assert reason in str(comparison.incomparable)
        with pytest.raises(ChampionIncomparableError, match=reason):
            challenge.decide(comparison, champion, None)


def test_a_champion_judged_on_many_more_days_cannot_be_compared(
    champion: Path, losses: MarketLosses
) -> None:
    late = losses.dates > np.datetime64("2017-09-01")
    parts = [replace(one, values=np.where(late, one.values, np.nan)) for one in losses.outputs]
    assert late.sum() > challenge.MIN_BLOCKS * 42
    comparison = compare(champion, moved(losses, outputs=tuple(parts)))
    assert comparison is not None
    assert {row.verdict for row in comparison.outputs} == {challenge.TOO_FEW_DAYS}
    assert comparison.incomparable


def test_losses_of_another_score_are_not_subtracted(champion: Path, losses: MarketLosses) -> None:
    first, *rest = losses.outputs
    comparison = compare(champion, moved(losses, outputs=(replace(first, score="log"), *rest)))
    assert comparison is not None
    assert comparison.gone == comparison.new == (first.output,)


def test_days_that_only_one_scored_do_not_count(champion: Path, losses: MarketLosses) -> None:
    cut = [replace(one, values=np.append(one.values[5:], 9.0)) for one in losses.outputs]
    dates = np.append(losses.dates[5:], losses.dates[-1:] + ONE_DAY)
    close = np.append(losses.close[5:], losses.close[-1:])
    later = moved(losses, dates=dates, close=close, outputs=tuple(cut))
    comparison = compare(champion, later)
    assert comparison is not None
    days = [int((~np.isnan(one.values)).sum()) - 5 for one in losses.outputs]
    assert [row.days for row in comparison.outputs] == days
    assert all(row.difference == 0.0 for row in comparison.outputs)


def test_a_challenger_that_is_as_good_is_seldom_called_worse_and_a_worse_one_always(
    champion: Path, losses: MarketLosses
) -> None:
    called = 0
    for seed in range(40):
        random = np.random.default_rng(seed)
        noisy = [
            replace(one, values=one.values + random.normal(0.0, 0.05, one.values.size))
            for one in losses.outputs
        ]
        comparison = compare(champion, moved(losses, outputs=tuple(noisy)))
        assert comparison is not None
        called += bool(comparison.worse)
    # Five in a hundred are allowed.
    assert called <= 6
    shifted = [replace(one, values=one.values + 1e-4) for one in losses.outputs]
    comparison = compare(champion, moved(losses, outputs=tuple(shifted)))
    assert comparison is not None
    assert comparison.worse == (*OUTPUTS, "spike (mean)")
    assert comparison.output_level == pytest.approx(0.025 / 3)
    assert comparison.head_level == pytest.approx(0.025)


def test_means_of_resamples_are_those_of_the_rows_that_the_judge_draws() -> None:
    for n, horizon_days in ((500, 5), (500, 40), (30, 5), (84, 1), (1, 1)):
        values = np.random.default_rng(n).normal(size=n)
        rows = bootstrap_rows(n, horizon_days, 50, SEED)
        means = bootstrap_means(values, horizon_days, 50, SEED)
        np.testing.assert_allclose(means, values[rows].mean(axis=1), rtol=0, atol=1e-14)


def test_losses_read_back_and_give_the_same_bytes(losses: MarketLosses) -> None:
    data = render_losses([losses])
    (back,) = parse_losses(data)
    assert render_losses([back]) == data
    assert back.market == losses.market
    assert np.array_equal(back.dates, losses.dates)
    for one, other in zip(back.outputs, losses.outputs, strict=True):
        assert (one.head, one.output, one.horizon_days) == (
            other.head,
            other.output,
            other.horizon_days,
        )
        assert np.array_equal(one.values, other.values, equal_nan=True)
    for damaged in (b"", data[:200], b"PK\x03\x04" + data[4:100]):
        with pytest.raises(ValueError, match="no file of walk-forward losses"):
            parse_losses(damaged)


def test_sealed_losses_are_what_the_sealed_skills_were_made_of(
    champion: Path, losses: MarketLosses
) -> None:
    judged = {
        judgement["output"]: judgement
        for name in ("spike", "regime")
        for judgement in read_manifest(champion).models[name].judgements
    }
    (sealed,) = parse_losses((champion / LOSSES_NAME).read_bytes())
    assert {one.output for one in sealed.outputs} == set(judged) == set(OUTPUTS)
    for one in sealed.outputs:
        scored = ~np.isnan(one.values)
        assert scored.sum() == judged[one.output]["n"]
        assert str(sealed.dates[scored][0]) == judged[one.output]["first"]
        assert str(sealed.dates[scored][-1]) == judged[one.output]["last"]


def test_losses_of_another_training_are_refused(training: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(training, tmp_path / "training"))
    (copy / LOSSES_NAME).write_bytes(b"other")
    with pytest.raises(TrainingRecordError, match=LOSSES_NAME):
        read_training(copy, HEADS)


@pytest.mark.slow
def test_training_leaves_the_losses_of_every_market(tmp_path: Path) -> None:
    source = sample_source()
    head = Regime()
    train([source, replace(source, name="pool")], [head], tmp_path / "training", no_progress)
    markets = parse_losses((tmp_path / "training" / LOSSES_NAME).read_bytes())
    assert [one.market for one in markets] == ["small", "pool"]
    export(tmp_path / "training", [head], tmp_path / "models", lambda line: None)
    (sealed,) = parse_losses((tmp_path / "models" / LOSSES_NAME).read_bytes())
    assert sealed.market == "small"


@pytest.mark.parametrize("step", ["compare", "decide", "prove_all", "render_manifest"])
def test_an_interruption_leaves_the_champion(
    step: str,
    models: Path,
    champion: Path,
    training: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupt(*_: object) -> Iterator[None]:
        raise KeyboardInterrupt

    monkeypatch.setattr(exporting, step, interrupt)
    monkeypatch.setattr(registry, "heads_on", lambda device: HEADS)
    run = ["--training", str(training), "--out", str(models)]
    assert scripts.export.main(run) == 130
    assert "untouched" in capsys.readouterr().err
    assert contents(models) == contents(champion)
    assert [file.name for file in models.parent.iterdir()] == ["models_onnx"]


def test_no_permission_to_write_the_models_is_told_with_a_remedy(
    models: Path, champion: Path, training: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied")

    for owner, step in ((tempfile, "mkdtemp"), (seal, "_put_in_place"), (Path, "iterdir")):
        with monkeypatch.context() as patch:
            patch.setattr(owner, step, denied)
            with pytest.raises(OutputError, match="Permission denied") as caught:
                export(training, HEADS, models, lambda line: None)
        assert "writable folder" in caught.value.remedy
    assert contents(models) == contents(champion)


@pytest.mark.slow
def test_a_full_disk_is_told_with_a_remedy_and_leaves_what_was_there(
    models: Path, champion: Path, training: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    before = contents(training)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(OutputError, match="No space left") as caught:
            export(training, HEADS, models, lambda line: None)
        assert "free space" in caught.value.remedy
    for step in ("write_bytes", "write_text"):
        with monkeypatch.context() as patch:
            patch.setattr(Path, step, full)
            with pytest.raises(OutputError, match="No space left"):
                train([sample_source()], HEADS[1:], training, no_progress)
    assert contents(models) == contents(champion)
    assert contents(training) == before
    assert {file.name for file in training.parent.iterdir()} == {"training", "models_onnx"}


NOW = datetime(2018, 12, 31, 15, 0, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Provider:
    """A source that hands over the sample, its last session under way, or fails."""

    error: AegisError | None = None

    @property
    def description(self) -> str:
        return "a provider"

    def fetch(self) -> Fetched:
        if self.error is not None:
            raise self.error
        return Fetched(am.sample_bars(), None, NOW, timedelta(hours=2), ("A note.",))


@pytest.mark.slow
def test_fetched_bars_are_kept_with_the_training_and_export_reads_them_again(
    tmp_path: Path,
) -> None:
    market = FetchedMarket("fetched", Provider(), scored_from="2015-12-01")
    folder = tmp_path / "training"
    train([market], [Regime()], folder, no_progress)
    record = json.loads((folder / "training.json").read_text())
    assert record["sources"][0]["origin"] == {
        "source": "a provider",
        "fetched_at": "2018-12-31T15:00:00Z",
        "stale": True,
        "notes": ["A note."],
    }
    # The training may be exported elsewhere than where it was made.
    folder = folder.rename(tmp_path / "elsewhere")
    (rows,) = read_training(folder, [Regime()]).markets
    whole = am.sample_bars()
    final = whole.dates < np.datetime64("2018-12-31")
    assert np.array_equal(rows.bars.dates, whole.dates[final])
    for name in ("high", "low", "close", "iv"):
        assert np.array_equal(getattr(rows.bars, name), getattr(whole, name)[final])
    export(folder, [Regime()], tmp_path / "models", lambda line: None)
    lines = (folder / "fetched_iv.csv").read_text().splitlines()
    (folder / "fetched_iv.csv").write_text("\n".join([*lines[:-1], "2018-12-28,30.0"]) + "\n")
    with pytest.raises(TrainingRecordError, match="have changed"):
        read_training(folder, [Regime()])


def test_a_fetch_that_fails_ends_with_2_and_leaves_the_last_training(
    training: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = Path(shutil.copytree(training, tmp_path / "training"))
    failing = FetchedMarket("nifty", Provider(SourceError("Yahoo ^NSEI 1d", "no_data", "HTTP 404")))
    monkeypatch.setattr(fetching, "yahoo_markets", lambda: (failing,))
    assert scripts.train.main(["--source", "yahoo", "--out", str(folder)]) == 2
    assert capsys.readouterr().err.startswith("train: Yahoo ^NSEI 1d: the provider gave no bars")
    assert contents(folder) == contents(training)


def test_the_source_yahoo_is_nifty_steadied_by_the_sp500_as_the_committed_models_are() -> None:
    markets = yahoo_markets()
    assert [one.name for one in markets] == ["nifty", "sp500"]
    assert [one.source.description for one in markets] == [
        "Yahoo ^NSEI with ^INDIAVIX",
        "Yahoo ^GSPC with ^VIX",
    ]
    parser = argparse.ArgumentParser()
    training_command.add_arguments(parser)
    chosen = training_command.sources(parser.parse_args(["--source", "yahoo"]))
    assert list(chosen) == list(markets)


@pytest.mark.parametrize(
    "given",
    [
        ["--source", "yahoo", "--bars", "."],
        ["--index", "a", "--iv", "b", "--market", "nifty", "--bars", "."],
        ["--index", "a", "--iv", "b"],
        ["--market", "sp500"],
        ["--source", "yahoo", "--index", "a", "--iv", "b"],
        ["--source", "elsewhere"],
        ["--device", "potato"],
    ],
)
def test_arguments_that_contradict_each_other_are_refused(given: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        scripts.train.main(given)
    assert caught.value.code == 2


def test_a_device_that_torch_does_not_have_is_told_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def absent(*_: object, **__: object) -> None:
        raise AssertionError("Torch not compiled with CUDA enabled")

    monkeypatch.setattr(torch, "zeros", absent)
    with pytest.raises(DeviceUnavailableError, match="not compiled with CUDA") as caught:
        check_device("cuda")
    assert caught.value.device == "cuda"
    assert "--device cpu" in caught.value.remedy
    folder = tmp_path / "training"
    run = ["--device", "cuda", "--bars", str(tmp_path), "--out", str(folder)]
    assert scripts.train.main(run) == 2
    assert "Torch cannot compute on cuda" in capsys.readouterr().err
    assert not folder.exists()


def test_a_gpu_that_runs_out_of_memory_is_a_typed_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr(network.Network, "to", full)
    features = np.random.default_rng(0).normal(size=(80, 3))
    label = np.tile([[0.0], [1.0]], (40, 1))
    with pytest.raises(DeviceMemoryError, match="ran out of memory") as caught:
        fit_network(features, label, 60, "cuda")
    assert caught.value.device == "cuda"
    assert "--device cpu" in caught.value.remedy


def test_a_fault_on_the_processor_is_not_blamed_on_the_device(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("shapes differ")

    monkeypatch.setattr(torch, "zeros", broken)
    with pytest.raises(RuntimeError, match="shapes differ"):
        check_device("cpu")


def test_the_network_alone_is_fitted_on_the_device() -> None:
    assert {head.name: head.device for head in heads_on("cuda") if head.device != "cpu"} == {
        "direction": "cuda"
    }


def test_a_blank_reason_is_none(models: Path, training: Path) -> None:
    with pytest.raises(EmptyReasonError):
        export(training, HEADS, models, lambda line: None, force="\n")
