"""Folders without one of their models: a typed error, or the report without what it gave."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

import aegismatrix as am
from aegismatrix.artifacts.errors import UnknownModelError
from aegismatrix.artifacts.manifest import (
    ENGINE_NAME,
    GOLDEN_KEY,
    WALKFORWARD_KEY,
    find_artifacts,
    read_manifest,
)
from aegismatrix.desk.cli.main import main
from aegismatrix.desk.outputs import missing_from
from aegismatrix.errors import AegisError, ContractError
from aegismatrix.market.bars import Bars
from tests.sealed import change_entry, drop_file, drop_model

NOW = datetime(2019, 1, 2, 6, tzinfo=timezone.utc)
PROMISED = {
    "trap": "seller.trap",
    "regime": "seller.expiry_stress",
    "breach": "seller.safe_range",
    "breach_past": "seller.historical_hit_rate",
    "breakout": "buyer.breakout_next",
    "breakout_past": "buyer.historical_spike_rate",
    "spike": "buyer.spike_direction_bias",
    "theta": "buyer.theta_edge",
    "direction": "direction.horizons",
}
NAMED_BY_THE_MANIFEST = ("manifest_digest", "artifacts", "skill", "training")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(find_artifacts(), tmp_path / "models_onnx"))


def without_provenance(report: am.Report) -> dict[str, Any]:
    plain = report.to_dict()
    for key in NAMED_BY_THE_MANIFEST:
        del plain["provenance"][key]
    return plain


def test_every_model_of_the_bundled_folder_is_promised_or_optional() -> None:
    others = {"features", ENGINE_NAME, "overnight"}
    # Artifacts of before it was added have no volatility, and a report without its block.
    assert set(read_manifest().models) - {"volatility"} == {*PROMISED, *others}


@pytest.mark.parametrize(("name", "field"), PROMISED.items())
def test_a_report_says_which_model_its_promise_lacks_and_where(
    name: str, field: str, folder: Path, sample: Bars, capsys: pytest.CaptureFixture[str]
) -> None:
    drop_model(folder, name)
    engine = am.Engine(folder)
    assert len(engine.predict(sample)) == 1
    with pytest.raises(UnknownModelError) as caught:
        am.analyze(sample, engine=engine, now=NOW)
    assert caught.value.name == name
    assert str(folder) in caught.value.problem
    assert field in caught.value.remedy
    assert name not in caught.value.known
    assert main(["report", "--sample", "--models", str(folder), "--out", str(folder.parent)]) == 2
    assert f"There is no model '{name}'" in capsys.readouterr().err
    assert list(folder.parent.iterdir()) == [folder]


@pytest.mark.parametrize("dropped", ["overnight", WALKFORWARD_KEY, GOLDEN_KEY])
def test_a_report_is_the_same_without_what_it_does_not_need(
    dropped: str, folder: Path, sample: Bars
) -> None:
    whole = am.analyze(sample, engine=am.Engine(folder), now=NOW)
    if dropped == "overnight":
        drop_model(folder, dropped)
    else:
        drop_file(folder, dropped)
    assert am.verify(folder) == []
    report = am.analyze(sample, engine=am.Engine(folder), now=NOW)
    report.validate()
    assert without_provenance(report) == without_provenance(whole)
    assert "further_models" not in report.to_dict()


@pytest.mark.parametrize("name", ["theta", "breach"])
def test_verify_finds_a_model_that_is_fused_and_not_sealed(
    name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drop_model(folder, name)
    (finding,) = am.verify(folder)
    assert finding.artifact == ENGINE_NAME
    assert f"gives {name}, of which the manifest seals no model" in finding.error.problem
    assert main(["verify", str(folder)]) == 1
    said = capsys.readouterr().out
    assert f"report: cannot be made of these artifacts. There is no model '{name}'" in said


def test_verify_says_what_a_report_lacks_without_calling_it_damage(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drop_model(folder, "breach_past")
    assert main(["verify", str(folder)]) == 0
    assert "no model 'breach_past'" in capsys.readouterr().out


def test_a_model_without_one_of_its_columns_or_base_rates_is_named_with_it(
    folder: Path, sample: Bars
) -> None:
    change_entry(folder, "trap", lambda entry: entry["base_rates"].pop("trap_20"))
    with pytest.raises(ContractError, match=r"trap: trap_20 .* seller\.trap") as caught:
        am.analyze(sample, engine=am.Engine(folder), now=NOW)
    assert str(folder) in caught.value.problem


def test_a_model_that_is_sealed_and_not_fused_is_missing_too() -> None:
    manifest = read_manifest()
    engine = manifest.model(ENGINE_NAME)
    for name in ("breach", "spike"):
        outputs = tuple(array for array in engine.outputs if array.name != name)
        models: Mapping[str, Any] = {
            **manifest.models,
            ENGINE_NAME: replace(engine, outputs=outputs),
        }
        found: list[AegisError] = list(missing_from(replace(manifest, models=models)))
        assert [type(error) for error in found] == [ContractError]
        assert found[0].problem.startswith(f"{name}: ")


def test_nothing_is_missing_from_the_bundled_folder() -> None:
    assert list(missing_from(read_manifest())) == []
