"""Only verified artifacts run, only within their contract, and nothing heavy loads before."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import aegismatrix
from aegismatrix.artifacts.manifest import (
    ENGINE_NAME,
    MANIFEST_NAME,
    ModelSpec,
    find_artifacts,
    list_models,
    read_manifest,
    render_manifest,
)
from aegismatrix.engine.engine import Engine
from aegismatrix.engine.model import Model, load_model, load_models
from aegismatrix.engine.verify import Finding, verify
from aegismatrix.errors import (
    AegisError,
    ArtifactError,
    ArtifactHashError,
    ArtifactRejectedError,
    ContractError,
    InsufficientHistoryError,
    MissingArtifactError,
    NonFiniteOutputError,
    UnlistedArtifactError,
)
from aegismatrix.market.bars import Bars
from tests.examples import SIDES, chosen_input, few_of_them_quick, is_surface, tolerance_of

Arrays = dict[str, NDArray[Any]]

BARS = 360
NAMES = [spec.name for spec in list_models()]
INPUTS = [(spec.name, array.name) for spec in list_models() for array in spec.inputs]
FLOAT_INPUTS = [
    (spec.name, array.name)
    for spec in list_models()
    for array in spec.inputs
    if array.dtype == "float64"
]
TAKING_BARS = [spec.name for spec in list_models() if spec.inputs[0].shape == ("T",)]

each_model = pytest.mark.parametrize("name", NAMES)
each_input = pytest.mark.parametrize(("name", "array"), INPUTS)
each_float_input = pytest.mark.parametrize(("name", "array"), FLOAT_INPUTS)
# Where every artifact meets every one of many faults.
each_model_times = pytest.mark.parametrize("name", few_of_them_quick(NAMES))
each_input_times = pytest.mark.parametrize(("name", "array"), few_of_them_quick(INPUTS))
each_float_input_times = pytest.mark.parametrize(("name", "array"), few_of_them_quick(FLOAT_INPUTS))


@pytest.fixture(scope="module")
def models() -> dict[str, Model]:
    """Every bundled artifact, opened."""
    return {**load_models(), ENGINE_NAME: load_model(read_manifest(), ENGINE_NAME)}


@pytest.fixture(scope="module")
def arrays(models: dict[str, Model], sample: Bars) -> dict[str, Arrays]:
    """Real inputs of every artifact, made of the last bars of the sample."""
    bars = {name: getattr(sample, name)[-BARS:] for name in ("high", "low", "close", "iv")}
    known: Arrays = {**bars, **models["features"].run(**bars)}
    rows = len(known["features"])
    return {
        name: {
            array.name: known[array.name]
            if array.name in known
            else chosen_input(model.spec, array, rows)
            for array in model.spec.inputs
        }
        for name, model in models.items()
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the bundled artifacts that a test may damage."""
    return Path(shutil.copytree(find_artifacts(), tmp_path / "models"))


def spec_of(name: str) -> ModelSpec:
    return read_manifest().model(name)


def cut(spec: ModelSpec, arrays: Arrays, rows: slice | list[int]) -> Arrays:
    """Some bars, or some feature rows, with what callers chose for each; the rest as it is."""
    return {
        array.name: arrays[array.name][rows] if array.shape[0] in ("T", "N") else arrays[array.name]
        for array in spec.inputs
    }


def reseal(folder: Path, name: str, change: Callable[[dict[str, Any]], object]) -> None:
    """Change one entry of the manifest and give the manifest a right digest again."""
    file = folder / MANIFEST_NAME
    content = json.loads(file.read_bytes())
    del content["digest"]
    (entry,) = (entry for entry in content["artifacts"] if entry["name"] == name)
    change(entry)
    file.write_bytes(render_manifest(content))


def seal_bytes(folder: Path, name: str, data: bytes) -> None:
    """Put other bytes in an artifact's place, with the hash and size that belong to them."""
    (folder / spec_of(name).file).write_bytes(data)
    sha256 = hashlib.sha256(data).hexdigest()
    reseal(folder, name, lambda entry: entry.update(sha256=sha256, size_bytes=len(data)))


def rejection(folder: Path, name: str) -> ArtifactRejectedError:
    """The error with which `verify` and the entry that would run the artifact reject it."""
    errors = {finding.artifact: finding.error for finding in verify(folder)}
    entry: Callable[[Path], object] = Engine if name == ENGINE_NAME else load_models
    with pytest.raises(ArtifactRejectedError) as raised:
        entry(folder)
    assert errors.keys() == {name}
    assert str(errors[name]) == str(raised.value)
    assert raised.value.path == str(folder / spec_of(name).file)
    assert "\n" not in str(raised.value)
    return raised.value


@each_model
def test_outputs_are_those_sealed_finite_and_of_the_sealed_shapes(
    models: dict[str, Model], arrays: dict[str, Arrays], name: str
) -> None:
    spec = models[name].spec
    outputs = models[name].run(**arrays[name])
    assert list(outputs) == [array.name for array in spec.outputs]
    first = next(iter(arrays[name].values()))
    rows = len(first) - spec.lookback_bars + 1 if name in TAKING_BARS else len(first)
    sizes: dict[int | str, int] = {"N": rows, "M": rows - spec.rows + 1, "H": 3, "D": 3}
    for array in spec.outputs:
        values = outputs[array.name]
        assert values.shape == tuple(sizes.get(size, size) for size in array.shape)
        assert values.dtype == np.dtype(array.dtype)
        assert np.isfinite(values).all()
        if is_surface(array):
            assert array.columns == SIDES
            assert values.shape[1] == len(SIDES)
        elif array.columns:
            assert len(array.columns) == np.prod(values.shape[1:])


@each_model
def test_probabilities_lie_within_0_and_1(
    models: dict[str, Model], arrays: dict[str, Arrays], name: str
) -> None:
    outputs = models[name].run(**arrays[name])
    sealed = [array for array in models[name].spec.outputs if array.unit == "probability"]
    assert bool(sealed) == (models[name].spec.kind != "features" and name != "volatility")
    for array in sealed:
        assert outputs[array.name].min() >= 0.0
        assert outputs[array.name].max() <= 1.0


@each_model
def test_equal_inputs_give_equal_bits_and_are_not_written_to(
    models: dict[str, Model], arrays: dict[str, Arrays], name: str
) -> None:
    before = {key: values.copy() for key, values in arrays[name].items()}
    first, second = models[name].run(**arrays[name]), models[name].run(**arrays[name])
    for key, values in first.items():
        np.testing.assert_array_equal(values, second[key])
    for key, values in before.items():
        np.testing.assert_array_equal(values, arrays[name][key])


@each_model
def test_strided_views_give_what_copies_of_them_give(
    models: dict[str, Model], arrays: dict[str, Arrays], name: str
) -> None:
    views = {key: np.repeat(values, 2, axis=0)[::2] for key, values in arrays[name].items()}
    assert not any(values.flags.c_contiguous for values in views.values())
    given, expected = models[name].run(**views), models[name].run(**arrays[name])
    for key, values in expected.items():
        np.testing.assert_array_equal(given[key], values)


def refused_input(model: Model, arrays: Mapping[str, Any], array: str) -> ContractError:
    with pytest.raises(ContractError) as raised:
        model.run(**arrays)
    assert str(raised.value).startswith(f"{model.name}: {array} ")
    return raised.value


@each_input_times
@pytest.mark.parametrize(
    "convert",
    [
        lambda values: values.tolist(),
        lambda values: tuple(values),
        lambda values: values.astype(np.float32),
        lambda values: values.astype(np.float64 if values.dtype == np.int64 else np.int64),
        lambda values: values.astype(object),
        lambda values: values.astype(values.dtype.newbyteorder(">")),
        lambda values: values[None],
        lambda values: values[0],
        lambda values: values[:0],
        lambda values: values.reshape(len(values), -1)[:, :0],
        lambda values: None,
        lambda values: 1.0,
    ],
    ids=[
        "list",
        "tuple",
        "float32",
        "int64-or-float64",
        "object",
        "big-endian",
        "rank-more",
        "rank-less",
        "empty",
        "no-columns",
        "None",
        "number",
    ],
)
def test_an_input_of_another_type_or_shape_is_refused(
    models: dict[str, Model],
    arrays: dict[str, Arrays],
    name: str,
    array: str,
    convert: Callable[[NDArray[Any]], object],
) -> None:
    given = {**arrays[name], array: convert(arrays[name][array])}
    with pytest.raises(ContractError) as raised:
        models[name].run(**given)  # type: ignore[arg-type]
    assert str(raised.value).startswith(f"{name}: ")
    (sealed,) = (one for one in models[name].spec.inputs if one.name == array)
    assert f"Give a numpy array of {sealed.dtype}" in raised.value.remedy


@each_float_input_times
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("row", [0, -1])
def test_an_input_that_is_not_finite_is_refused_wherever_it_stands(
    models: dict[str, Model],
    arrays: dict[str, Arrays],
    name: str,
    array: str,
    value: float,
    row: int,
) -> None:
    values = arrays[name][array].copy()
    values[(row,) * values.ndim] = value
    error = refused_input(models[name], {**arrays[name], array: values}, array)
    assert "NaN or infinite" in error.problem


@each_input
def test_an_array_with_a_mask_is_refused(
    models: dict[str, Model], arrays: dict[str, Arrays], name: str, array: str
) -> None:
    values = arrays[name][array]
    mask = np.arange(values.size).reshape(values.shape) == 0
    refused_input(models[name], {**arrays[name], array: np.ma.array(values, mask=mask)}, array)


@each_float_input
def test_nan_under_a_mask_is_refused(
    models: dict[str, Model], arrays: dict[str, Arrays], name: str, array: str
) -> None:
    # onnxruntime reads what is under the mask.
    values = arrays[name][array].copy()
    values[(0,) * values.ndim] = np.nan
    refused_input(models[name], {**arrays[name], array: np.ma.masked_invalid(values)}, array)


@each_input
def test_a_missing_input_is_refused(
    models: dict[str, Model], arrays: dict[str, Arrays], name: str, array: str
) -> None:
    given = {key: values for key, values in arrays[name].items() if key != array}
    assert "is missing" in refused_input(models[name], given, array).problem


@each_model
def test_an_unknown_input_is_refused(
    models: dict[str, Model], arrays: dict[str, Arrays], name: str
) -> None:
    given = {**arrays[name], "volume": next(iter(arrays[name].values()))}
    assert "is not an input" in refused_input(models[name], given, "volume").problem


@pytest.mark.parametrize(
    ("name", "array"),
    [
        (spec.name, array.name)
        for spec in list_models()
        for place, array in enumerate(spec.inputs)
        if array.shape[0] in {earlier.shape[0] for earlier in spec.inputs[:place]}
    ],
)
def test_inputs_of_unequal_lengths_are_refused(
    models: dict[str, Model], arrays: dict[str, Arrays], name: str, array: str
) -> None:
    given = {**arrays[name], array: arrays[name][array][1:]}
    rows = len(given[array])
    assert rows > 0
    assert f"has the shape [{rows}" in refused_input(models[name], given, array).problem


@pytest.mark.parametrize(
    ("name", "array"),
    [
        (spec.name, array.name)
        for spec in list_models()
        for array in spec.inputs
        if len(array.shape) > 1 and isinstance(array.shape[-1], int)
    ],
)
@pytest.mark.parametrize("change", [-1, 1])
def test_features_with_a_column_more_or_less_are_refused(
    models: dict[str, Model], arrays: dict[str, Arrays], name: str, array: str, change: int
) -> None:
    values = arrays[name][array]
    columns = np.arange(values.shape[1] + change) % values.shape[1]
    refused_input(models[name], {**arrays[name], array: values[:, columns]}, array)


@pytest.mark.parametrize("name", TAKING_BARS)
@pytest.mark.parametrize("missing", [1, 2, 100])
def test_fewer_bars_than_the_look_back_say_how_many_are_missing(
    models: dict[str, Model], arrays: dict[str, Arrays], name: str, missing: int
) -> None:
    need = models[name].spec.lookback_bars
    short = cut(models[name].spec, arrays[name], slice(need - missing))
    with pytest.raises(InsufficientHistoryError) as raised:
        models[name].run(**short)
    assert (raised.value.need, raised.value.have) == (need, need - missing)
    assert f"by {missing} trading days" in raised.value.remedy


@pytest.mark.parametrize("name", TAKING_BARS)
def test_as_many_bars_as_the_look_back_give_one_row(
    models: dict[str, Model], arrays: dict[str, Arrays], name: str
) -> None:
    need = models[name].spec.lookback_bars
    outputs = models[name].run(**cut(models[name].spec, arrays[name], slice(need)))
    assert {len(values) for values in outputs.values()} == {1}


@pytest.mark.parametrize("name", [name for name in NAMES if name not in TAKING_BARS])
def test_a_head_gives_for_one_row_what_it_gives_among_others(
    models: dict[str, Model], arrays: dict[str, Arrays], name: str
) -> None:
    whole, spec = models[name].run(**arrays[name]), models[name].spec
    for row in (0, 17, len(next(iter(whole.values()))) - 1):
        one = models[name].run(**cut(spec, arrays[name], slice(row, row + spec.rows)))
        for key, values in one.items():
            np.testing.assert_allclose(values, whole[key][[row]], rtol=0, atol=tolerance_of(name))


class StubSession:
    """A session that answers what it is told to."""

    def __init__(self, values: list[NDArray[np.float64]]) -> None:
        self._values = values

    def run(self, names: list[str], arrays: Arrays) -> list[NDArray[np.float64]]:
        return self._values


def with_output(model: Model, arrays: Arrays, array: str, value: float) -> Model:
    """The model, but for one value of one output."""
    outputs = {key: values.copy() for key, values in model.run(**arrays).items()}
    outputs[array].flat[-1] = value
    session: Any = StubSession(list(outputs.values()))
    return Model(model.spec, session)


@pytest.mark.parametrize(
    ("name", "array"), [(spec.name, array.name) for spec in list_models() for array in spec.outputs]
)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_an_output_that_is_not_finite_is_never_handed_on(
    models: dict[str, Model], arrays: dict[str, Arrays], name: str, array: str, value: float
) -> None:
    broken = with_output(models[name], arrays[name], array, value)
    with pytest.raises(NonFiniteOutputError, match=f"^{name}: {array} "):
        broken.run(**arrays[name])


@pytest.mark.parametrize(
    ("values", "is_finite"),
    [
        ([np.inf, -np.inf], False),
        ([np.nan, 1.0], False),
        ([1.7e308, 1.7e308], True),
    ],
)
def test_whether_an_output_is_finite_is_found_without_a_warning(
    models: dict[str, Model],
    arrays: dict[str, Arrays],
    values: list[float],
    is_finite: bool,
) -> None:
    spec = models["features"].spec
    spec = replace(spec, kind="rescued", outputs=(replace(spec.outputs[0], unit="as it was"),))
    whole = models["features"].run(**arrays["features"])[spec.outputs[0].name].copy()
    whole.flat[:2] = values
    stub: Any = StubSession([whole])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if is_finite:
            assert Model(spec, stub).run(**arrays["features"])
            return
        with pytest.raises(NonFiniteOutputError, match="rescued from gives no number"):
            Model(spec, stub).run(**arrays["features"])


@pytest.mark.parametrize(
    ("name", "array"),
    [
        (spec.name, array.name)
        for spec in list_models()
        for array in spec.outputs
        if array.unit == "probability"
    ],
)
@pytest.mark.parametrize("value", [-1e-9, 1 + 1e-9])
def test_a_probability_outside_of_0_and_1_is_never_handed_on(
    models: dict[str, Model], arrays: dict[str, Arrays], name: str, array: str, value: float
) -> None:
    broken = with_output(models[name], arrays[name], array, value)
    with pytest.raises(ContractError, match=f"^{name}: {array} left the range"):
        broken.run(**arrays[name])


def test_load_models_gives_every_artifact_but_the_engine_in_sealed_order() -> None:
    loaded = load_models()
    assert list(loaded) == [name for name in NAMES if name != ENGINE_NAME]
    for name, model in loaded.items():
        assert model.name == name
        assert model.spec == spec_of(name)
        assert repr(model).startswith(f"Model({name} {model.spec.version}: ")


def test_load_models_from_a_folder_of_ones_own_gives_the_same_numbers(
    folder: Path, models: dict[str, Model], arrays: dict[str, Arrays]
) -> None:
    for name, model in load_models(str(folder)).items():
        for key, values in model.run(**arrays[name]).items():
            np.testing.assert_array_equal(values, models[name].run(**arrays[name])[key])


@pytest.mark.parametrize("name", [name for name in NAMES if name != ENGINE_NAME])
def test_load_models_gives_no_partial_result(folder: Path, name: str) -> None:
    (folder / spec_of(name).file).unlink()
    with pytest.raises(MissingArtifactError, match=re.escape(spec_of(name).file)):
        load_models(folder)


def test_nothing_is_found_in_the_bundled_folder() -> None:
    assert verify() == []


def test_each_fault_is_one_finding(folder: Path) -> None:
    faults: dict[str, type[AegisError]] = {}
    for place, spec in enumerate(list_models()):
        file = folder / spec.file
        if place % 3 == 0:
            file.unlink()
            faults[spec.name] = MissingArtifactError
        elif place % 3 == 1:
            file.write_bytes(bytes(spec.size_bytes))
            faults[spec.name] = ArtifactHashError
        else:
            seal_bytes(folder, spec.name, b"garbage")
            faults[spec.name] = ArtifactRejectedError
    (folder / "stranger.onnx").write_bytes(b"stranger")
    faults["stranger.onnx"] = UnlistedArtifactError

    findings = verify(folder)
    assert [(finding.artifact, type(finding.error)) for finding in findings] == list(faults.items())


def test_a_finding_reads_as_artifact_fault_and_remedy() -> None:
    error = MissingArtifactError("x.onnx")
    assert str(Finding("x", error)) == f"x: {error.problem} {error.remedy}"


@each_model_times
@pytest.mark.parametrize("garbage", [b"\0", b"garbage", b"\x08\x08" * 4_000], ids=len)
def test_sealed_garbage_is_rejected(folder: Path, name: str, garbage: bytes) -> None:
    seal_bytes(folder, name, garbage)
    rejection(folder, name)


@each_model
def test_a_graph_that_was_sealed_in_part_is_rejected(folder: Path, name: str) -> None:
    data = (folder / spec_of(name).file).read_bytes()
    seal_bytes(folder, name, data[: len(data) // 2])
    rejection(folder, name)


@each_model_times
@pytest.mark.parametrize("side", ["inputs", "outputs"])
@pytest.mark.parametrize(
    "change",
    [
        lambda arrays: arrays[0].update(shape=[*arrays[0]["shape"], 1]),
        lambda arrays: arrays[0].update(shape=["other", *arrays[0]["shape"][1:]]),
        lambda arrays: arrays[0].update(shape=[300, *arrays[0]["shape"][1:]]),
        lambda arrays: arrays[-1].update(shape=[]),
        lambda arrays: arrays[0].update(name="renamed"),
        lambda arrays: arrays[0].update(dtype="float32"),
        lambda arrays: arrays[0].update(dtype="int64"),
        lambda arrays: arrays[0].update(dtype="complex128"),
        lambda arrays: arrays.pop(),
        lambda arrays: arrays.append({**arrays[0], "name": "one_more"}),
        lambda arrays: arrays.insert(0, {**arrays[0], "name": "one_more"}),
    ],
    ids=[
        "rank",
        "other-axis",
        "fixed-axis",
        "scalar",
        "name",
        "float32",
        "int64",
        "unknown-type",
        "one-less",
        "one-more",
        "one-before",
    ],
)
def test_a_session_that_differs_from_the_sealed_contract_is_rejected(
    folder: Path, name: str, side: str, change: Callable[[list[dict[str, Any]]], object]
) -> None:
    reseal(folder, name, lambda entry: change(entry[side]))
    assert "its contract is" in rejection(folder, name).problem


@pytest.mark.parametrize("name", TAKING_BARS)
def test_inputs_in_another_order_than_sealed_are_rejected(folder: Path, name: str) -> None:
    reseal(folder, name, lambda entry: entry["inputs"].reverse())
    rejection(folder, name)


def test_a_head_sealed_with_the_bytes_of_the_features_is_rejected(folder: Path) -> None:
    head = next(spec for spec in list_models() if spec.kind == "head")
    (folder / spec_of("features").file).rename(folder / "kept")
    data = (folder / "kept").read_bytes()
    seal_bytes(folder, head.name, data)
    (folder / "kept").rename(folder / spec_of("features").file)
    assert "its contract is" in rejection(folder, head.name).problem


def test_every_rejection_is_an_artifact_error(folder: Path) -> None:
    seal_bytes(folder, NAMES[0], b"garbage")
    with pytest.raises(ArtifactError, match="Use a supported onnxruntime"):
        load_models(folder)


def modules_after(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter has loaded after some code."""
    code += "\nimport sys; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.splitlines()[-1].split())


def test_importing_the_package_loads_neither_onnxruntime_nor_pandas() -> None:
    loaded = modules_after("import aegismatrix")
    assert "aegismatrix" in loaded
    assert not loaded & {"onnxruntime", "pandas", "onnx", "sklearn"}


def test_importing_the_command_loads_neither_onnxruntime_nor_pandas() -> None:
    loaded = modules_after("import aegismatrix.desk.cli.main")
    assert not loaded & {"onnxruntime", "pandas", "onnx", "sklearn"}


def test_listing_models_loads_no_onnxruntime_and_forecasting_no_pandas() -> None:
    assert "onnxruntime" not in modules_after("import aegismatrix as am; am.list_models()")
    loaded = modules_after(
        "import sys; sys.modules['pandas'] = sys.modules['onnx'] = None\n"
        "import aegismatrix as am; print(am.Engine().predict(am.sample_bars()))\n"
        "del sys.modules['pandas'], sys.modules['onnx']"
    )
    assert "onnxruntime" in loaded
    assert not loaded & {"pandas", "onnx", "sklearn"}


def test_an_unknown_attribute_of_the_package_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'oracle'"):
        _ = aegismatrix.oracle
