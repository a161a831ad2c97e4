"""Golden values: real rows, one case per artifact, and other numbers are found."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from aegismatrix_factory.release.golden import (
    GOLDEN_NAME,
    GoldenInputError,
    golden_of,
    golden_values,
)
from numpy.typing import NDArray
from onnx import numpy_helper

import aegismatrix as am
from aegismatrix.artifacts.golden import (
    GoldenCase,
    GoldenOutput,
    check_golden,
    differences,
    read_golden,
)
from aegismatrix.artifacts.manifest import (
    GOLDEN_KEY,
    MANIFEST_NAME,
    ArraySpec,
    read_artifact,
    read_manifest,
    render_manifest,
)
from aegismatrix.desk.cli.main import main
from aegismatrix.engine.model import Model, load_model
from aegismatrix.errors import (
    ArtifactHashError,
    ArtifactSizeError,
    ContractError,
    GoldenMismatchError,
    GoldenValuesError,
    MissingArtifactError,
)
from tests.sealed import change_golden, drop_golden

Arrays = Mapping[str, NDArray[Any]]
NAMES = [spec.name for spec in am.list_models()]

each_artifact = pytest.mark.parametrize("name", NAMES)


@pytest.fixture
def folder(golden_folder: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(golden_folder, tmp_path / "models"))


@pytest.fixture(scope="module")
def cases(golden_folder: Path) -> dict[str, GoldenCase]:
    found = read_golden(read_manifest(golden_folder))
    assert found is not None
    return found


def replace_artifact(folder: Path, name: str, change: Callable[[onnx.ModelProto], object]) -> None:
    """Change an artifact and seal it again: another model under the same name."""
    manifest = read_manifest(folder)
    model = onnx.load_from_string(read_artifact(manifest, name))
    change(model)
    data = model.SerializeToString()
    (folder / manifest.model(name).file).write_bytes(data)
    content = json.loads(json.dumps(dict(manifest.content)))
    (entry,) = (one for one in content["artifacts"] if one["name"] == name)
    entry.update(size_bytes=len(data), sha256=sha256(data).hexdigest())
    (folder / MANIFEST_NAME).write_bytes(render_manifest(content))


class Stub:
    """Whatever runs: gives what it was made with."""

    def __init__(self, outputs: Arrays) -> None:
        self.outputs = outputs

    def run(self, **arrays: NDArray[Any]) -> Arrays:
        return self.outputs


def test_every_artifact_has_a_case_of_a_few_rows_that_anybody_can_read(
    golden_folder: Path, cases: dict[str, GoldenCase]
) -> None:
    assert list(cases) == NAMES
    data = (golden_folder / GOLDEN_NAME).read_bytes()
    assert len(data) < 150_000
    assert json.loads(data)["cases"].keys() == cases.keys()
    for spec in am.list_models(golden_folder):
        case = cases[spec.name]
        assert list(case.inputs) == [array.name for array in spec.inputs]
        assert list(case.outputs) == [array.name for array in spec.outputs]
        for array in spec.outputs:
            golden = case.outputs[array.name]
            assert 1 < len(golden.values) < 100
            forecast = array.unit in ("probability", "per cent a year")
            assert golden.tolerance == (1e-6 if forecast else 1e-12)
            # A row that does not depend on its input would be matched by a constant.
            assert np.ptp(golden.values, axis=0).max() > 0.0


def test_golden_rows_are_bars_of_the_sample_and_their_features(
    cases: dict[str, GoldenCase], sample: am.Bars
) -> None:
    features = cases["features"]
    bars = len(features.inputs["close"])
    for name in ("high", "low", "close", "iv"):
        assert np.array_equal(features.inputs[name], getattr(sample, name)[-bars:])
        assert np.array_equal(cases["engine"].inputs[name], features.inputs[name])
    rows = {row.tobytes() for row in features.outputs["features"].values}
    for name, case in cases.items():
        if "features" in case.inputs:
            assert {row.tobytes() for row in case.inputs["features"]} <= rows, name
    last = slice(-len(cases["overnight"].inputs["us_close"]), None)
    assert cases["overnight"].inputs["us_close"][last][-1] == sample.close[-1]
    assert cases["overnight"].inputs["us_close_before"][last][-1] == sample.close[-2]


@each_artifact
def test_every_committed_artifact_reproduces_its_golden_values(
    cases: dict[str, GoldenCase], repository: Path, name: str
) -> None:
    found = check_golden(load_model(read_manifest(repository / "models_onnx"), name), cases[name])
    assert found.keys() == cases[name].outputs.keys()
    for output, difference in found.items():
        assert difference <= cases[name].outputs[output].tolerance


def test_making_them_again_gives_the_same_bytes(golden_folder: Path) -> None:
    manifest = read_manifest(golden_folder)
    assert golden_of(manifest) == golden_of(manifest)


@each_artifact
def test_an_artifact_that_says_other_numbers_is_found_by_verify_alone(
    folder: Path, name: str
) -> None:
    output = am.list_models(folder)[NAMES.index(name)].outputs[-1].name

    def shrink(model: onnx.ModelProto) -> None:
        """Multiply the last output by a number just below 1."""
        (node,) = (one for one in model.graph.node if output in one.output)
        node.output[list(node.output).index(output)] = "before"
        model.graph.initializer.append(numpy_helper.from_array(np.array(0.999), "below_1"))
        model.graph.node.append(onnx.helper.make_node("Mul", ["before", "below_1"], [output]))

    replace_artifact(folder, name, shrink)
    (finding,) = am.verify(folder, golden=True)
    assert finding.artifact == name
    error = finding.error
    assert isinstance(error, GoldenMismatchError)
    assert (error.artifact, error.output) == (name, output)
    assert error.difference > error.tolerance
    assert "this environment" in error.remedy
    # What runs does not pay for it.
    am.load_models(folder)
    am.Engine(folder)


@pytest.mark.parametrize(
    ("name", "output", "tolerance"),
    [("features", "features", 1e-12), ("engine", "trap", 1e-6), ("direction", "probability", 1e-6)],
)
def test_values_may_differ_by_the_tolerance_and_no_more(
    folder: Path, name: str, output: str, tolerance: float
) -> None:
    def shift(by: float) -> Callable[[dict[str, Any]], object]:
        def change(content: dict[str, Any]) -> None:
            key = content["cases"][name]["outputs"][output]["array"]
            own = {**content["arrays"][key]}
            own["values"] = [*own["values"][:-1], own["values"][-1] + by]
            content["arrays"]["own"] = own
            content["cases"][name]["outputs"][output]["array"] = "own"

        return change

    change_golden(folder, shift(tolerance / 2))
    assert am.verify(folder, golden=True) == []
    change_golden(folder, shift(2 * tolerance))
    (finding,) = am.verify(folder, golden=True)
    assert isinstance(finding.error, GoldenMismatchError)
    assert (finding.error.artifact, finding.error.output) == (name, output)
    assert finding.error.tolerance == tolerance
    assert tolerance < finding.error.difference < 4 * tolerance


@pytest.mark.parametrize(
    "found",
    [
        {},
        {"y": np.zeros(3)},
        {"y": np.zeros((2, 1))},
        {"y": np.array([0.0, math.nan])},
        {"y": np.array([0.0, math.inf])},
        {"y": np.zeros(2), "z": np.zeros(2)},
    ],
    ids=["missing", "longer", "other shape", "nan", "infinite", "one more"],
)
def test_what_is_no_number_of_the_right_shape_is_infinitely_far_off(found: Arrays) -> None:
    case = GoldenCase("one", {}, {"y": GoldenOutput(np.zeros(2), 1e-6)})
    assert differences(Stub({"y": np.full(2, 1e-7)}), case) == {"y": 1e-7}
    assert math.inf in differences(Stub(found), case).values()
    with pytest.raises(GoldenMismatchError, match="inf"):
        check_golden(Stub(found), case)


def test_golden_values_are_sealed_like_every_other_file(folder: Path) -> None:
    file = folder / GOLDEN_NAME
    data = file.read_bytes()
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 1
    for damage, kind in (
        (lambda: file.write_bytes(flipped), ArtifactHashError),
        (lambda: file.write_bytes(data[:-1]), ArtifactSizeError),
        (lambda: file.write_bytes(data + b" "), ArtifactSizeError),
        (file.unlink, MissingArtifactError),
    ):
        damage()
        (finding,) = am.verify(folder, golden=True)
        assert finding.artifact == GOLDEN_KEY
        assert type(finding.error) is kind
    # Nothing that runs needs them.
    am.Engine(folder)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda content: content.update(golden_version=2), "version is 2"),
        (lambda content: content.update(golden_version=True), "version is True"),
        (lambda content: content.pop("arrays"), "arrays"),
        (lambda content: content.update(cases=[]), "items"),
        (lambda content: content["cases"]["trap"]["inputs"].update(features="nowhere"), "nowhere"),
        (lambda content: of_trap(content).update(tolerance=0.0), "no tolerance"),
        (lambda content: of_trap(content).update(tolerance="1"), "no tolerance"),
        (lambda content: of_trap(content).pop("tolerance"), "tolerance"),
        (lambda content: array_of(content).update(dtype="object"), "'object'"),
        (lambda content: array_of(content).update(shape=[2, 2]), "do not fill"),
        (lambda content: array_of(content).update(shape=[-9]), "do not fill"),
        (lambda content: array_of(content)["values"].append(0.5), "do not fill"),
        (lambda content: array_of(content)["values"].__setitem__(0, "0.5"), "not of float64"),
        (lambda content: array_of(content)["values"].__setitem__(0, True), "not of float64"),
        (lambda content: array_of(content)["values"].__setitem__(0, math.nan), "NaN"),
        (lambda content: content["cases"].pop("trap"), "differ in trap"),
        (
            lambda content: content["cases"]["trap"]["inputs"].update({"\ud800": "features"}),
            "printable",
        ),
        (
            lambda content: content["cases"]["trap"]["inputs"].update({"\x1b[2J": "features"}),
            "printable",
        ),
        (
            lambda content: content["cases"].update(stranger=content["cases"]["trap"]),
            "differ in stranger",
        ),
    ],
)
def test_sealed_golden_values_that_make_no_sense_are_one_finding(
    folder: Path, change: Callable[[dict[str, Any]], object], what: str
) -> None:
    change_golden(folder, change)
    (finding,) = am.verify(folder, golden=True)
    assert finding.artifact == GOLDEN_KEY
    assert isinstance(finding.error, GoldenValuesError)
    assert what in finding.error.problem


def test_an_input_may_not_stand_for_the_model_itself(folder: Path) -> None:
    change_golden(
        folder,
        lambda content: content["cases"]["trap"]["inputs"].update(
            self=next(iter(content["arrays"]))
        ),
    )
    (finding,) = am.verify(folder, golden=True)
    assert isinstance(finding.error, ContractError)


def of_trap(content: dict[str, Any]) -> dict[str, Any]:
    output: dict[str, Any] = content["cases"]["trap"]["outputs"]["probability"]
    return output


def array_of(content: dict[str, Any]) -> dict[str, Any]:
    array: dict[str, Any] = content["arrays"][of_trap(content)["array"]]
    return array


def test_an_artifact_that_is_off_is_not_a_golden_fault_too(folder: Path) -> None:
    (folder / "trap.onnx").write_bytes(b"cut")
    (finding,) = am.verify(folder, golden=True)
    assert isinstance(finding.error, ArtifactSizeError)


def test_artifacts_without_golden_values_verify_and_the_command_says_what_it_left_out(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", "--golden", str(folder)]) == 0
    *_, last, _ = capsys.readouterr().out.splitlines()
    assert last.startswith(f"ok   {GOLDEN_NAME}: ")
    drop_golden(folder)
    assert GOLDEN_KEY not in read_manifest(folder).attachments
    assert read_golden(read_manifest(folder)) is None
    assert am.verify(folder, golden=True) == []
    assert main(["verify", "--golden", str(folder)]) == 0
    *_, last, _ = capsys.readouterr().out.splitlines()
    assert last == "     golden values: not checked, this folder has none"
    assert main(["verify", "--golden", "--quiet", str(folder)]) == 0
    assert capsys.readouterr().out == ""


def test_a_graph_is_run_only_where_who_sealed_it_is_trusted(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[str] = []
    genuine = Model._run

    def counted(model: Model, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float64]]:
        ran.append(model.name)
        return genuine(model, arrays)

    monkeypatch.setattr(Model, "_run", counted)
    assert am.verify(folder) == []
    assert main(["verify", str(folder)]) == 0
    assert "golden values: not run; add --golden" in capsys.readouterr().out
    assert ran == []
    assert am.verify(folder, golden=True) == []
    assert ran == list(read_manifest(folder).models)


def test_the_command_names_the_artifact_whose_numbers_are_others(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def change(content: dict[str, Any]) -> None:
        array_of(content)["values"][0] += 0.01

    change_golden(folder, change)
    assert main(["verify", "--golden", str(folder)]) == 1
    lines = capsys.readouterr().out.splitlines()
    (off,) = (line for line in lines if line.startswith("FAIL"))
    assert off.startswith("FAIL trap: trap: probability differs from its golden values by 0.01")
    assert not [line for line in lines if GOLDEN_NAME in line]


class Drifting:
    """A model that says something else each time."""

    def __init__(self, model: Model) -> None:
        self.spec = model.spec
        self._model = model
        self._calls = 0

    def run(self, **arrays: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
        self._calls += 1
        by = 1e-5 * self._calls
        return {name: values + by for name, values in self._model.run(**arrays).items()}


def test_what_a_model_does_not_say_twice_is_no_golden_value() -> None:
    manifest = read_manifest()
    models: dict[str, Any] = {name: load_model(manifest, name) for name in ("features", "trap")}
    assert json.loads(golden_values(models))["cases"].keys() == models.keys()
    models["trap"] = Drifting(models["trap"])
    with pytest.raises(GoldenMismatchError) as raised:
        golden_values(models)
    assert raised.value.artifact == "trap"


def test_an_input_that_nothing_is_known_for_is_named() -> None:
    manifest = read_manifest()
    models: dict[str, Any] = {name: load_model(manifest, name) for name in ("features", "trap")}
    mood = ArraySpec("mood", "float64", ("N",), "smiles")
    models["trap"].spec = replace(models["trap"].spec, inputs=(*models["trap"].spec.inputs, mood))
    with pytest.raises(GoldenInputError, match="golden mood") as raised:
        golden_values(models)
    assert (raised.value.artifact, raised.value.array) == ("trap", "mood")
