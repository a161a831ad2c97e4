"""From training to sealed artifacts: on the few real bars of the sample, otherwise in earnest."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from aegismatrix_factory import sealing as seal
from aegismatrix_factory.conversion import (
    ForbiddenGraphError,
    check_graph,
    classifier_to_onnx,
    finish,
)
from aegismatrix_factory.evaluate.markets import MarketSource, market_rows
from aegismatrix_factory.heads import logistic, network
from aegismatrix_factory.heads.head import Estimators, FloatArray, Head, Inputs, Progress
from aegismatrix_factory.heads.registry import HEADS
from aegismatrix_factory.heads.trap import Trap
from aegismatrix_factory.release import export as exporting
from aegismatrix_factory.release import parity, staging
from aegismatrix_factory.release.card import model_card
from aegismatrix_factory.release.export import export
from aegismatrix_factory.release.fuse import fuse
from aegismatrix_factory.release.golden import GOLDEN_NAME, golden_of, golden_values
from aegismatrix_factory.release.parity import ParityError
from aegismatrix_factory.release.staging import stage_features
from aegismatrix_factory.release.training import TrainingRecordError, read_training, train
from onnx import TensorProto, helper

import aegismatrix as am
from aegismatrix.artifacts.golden import read_golden
from aegismatrix.artifacts.manifest import ArraySpec, read_manifest
from aegismatrix.artifacts.operators import METADATA_KEY
from aegismatrix.engine.model import Model
from aegismatrix.errors import GoldenMismatchError, OutputError
from aegismatrix.market.bars import Bars

SAMPLE = Path(am.__file__).parent / "desk" / "sources" / "sample_data"


@pytest.fixture(scope="module", autouse=True)
def traced_once() -> Iterator[None]:
    """Tracing sixty steps of an LSTM takes seconds; nearly every export here is of the same one."""
    graphs: dict[bytes, bytes] = {}

    def network_graph(fitted: network.Fitted, rows: int) -> onnx.ModelProto:
        key = b"".join(one.tobytes() for one in (fitted.climatology, *fitted.weights.values()))
        if key not in graphs:
            graphs[key] = trace(fitted, rows).SerializeToString()
        return onnx.load_from_string(graphs[key])

    trace = network.network_graph
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network, "network_graph", network_graph)
        yield


def no_progress(title: str, steps: int) -> Progress:
    return lambda: None


def sample_source() -> MarketSource:
    return MarketSource("small", SAMPLE / "sp500_daily.csv", SAMPLE / "vix_daily.csv", "other")


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small") / "training"
    train([sample_source()], HEADS, folder, no_progress)
    return folder


@pytest.fixture(scope="module")
def exported(training: Path) -> Path:
    folder = training.parent / "models_onnx"
    export(training, HEADS, folder, lambda line: None)
    return folder


@pytest.fixture(scope="module")
def one_model(training: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("one") / "models_onnx"
    export(training, [Trap()], folder, lambda line: None)
    return folder


@pytest.fixture
def own_copy(training: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(training, tmp_path / "training"))


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_a_small_training_exports_to_artifacts_that_verify_and_forecast(
    exported: Path, sample: am.Bars
) -> None:
    assert am.verify(exported) == []
    history = am.Engine(exported).history(sample)
    assert len(history) == len(sample) - am.Engine(exported).lookback_bars + 1
    assert history.in_sample.all()


def test_export_seals_golden_values_of_every_artifact(exported: Path) -> None:
    manifest = read_manifest(exported)
    cases = read_golden(manifest)
    assert cases is not None
    assert list(cases) == list(manifest.models)
    assert (exported / GOLDEN_NAME).read_bytes() == golden_of(manifest)


def test_artifacts_that_do_not_say_their_golden_values_again_are_not_sealed(
    training: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nudged(models: Mapping[str, Model]) -> bytes:
        content = json.loads(golden_values(models))
        key = content["cases"]["trap"]["outputs"]["probability"]["array"]
        content["arrays"][key]["values"][0] += 1e-5
        return json.dumps(content).encode()

    monkeypatch.setattr(exporting, "golden_values", nudged)
    with pytest.raises(GoldenMismatchError, match="trap: probability"):
        export(training, [Trap()], tmp_path / "models", lambda line: None)
    assert not (tmp_path / "models").exists()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_exporting_twice_gives_the_same_bytes(exported: Path, training: Path) -> None:
    again = training.parent / "again"
    export(training, HEADS, again, lambda line: None)
    assert contents(again) == contents(exported)


@pytest.mark.slow
def test_training_twice_gives_the_same_record_and_estimators(
    training: Path, tmp_path: Path
) -> None:
    train([sample_source()], HEADS, tmp_path / "again", no_progress)
    first, second = read_training(training, HEADS), read_training(tmp_path / "again", HEADS)
    assert (training / "training.json").read_bytes() == (
        tmp_path / "again" / "training.json"
    ).read_bytes()
    trained = [head for head in HEADS if head.name in first.estimators]
    # The sample has no night to another market, so what needs one is left out.
    assert [head for head in HEADS if head not in trained] == [h for h in HEADS if h.optional]
    for head in trained:
        estimators = first.estimators[head.name], second.estimators[head.name]
        market = first.markets[0]
        feed = parity.market_feed(head, market)
        one, other = (
            parity.expected_of(head, fitted, feed, market.feature_names) for fitted in estimators
        )
        assert np.array_equal(one, other)


def test_artifacts_carry_stamp_and_metadata(exported: Path) -> None:
    for spec in am.list_models(exported):
        model = onnx.load(str(exported / spec.file))
        assert (model.ir_version, model.opset_import[0].version) == (8, 18)
        assert model.graph.name == spec.name
        metadata = {entry.key: entry.value for entry in model.metadata_props}
        stamped = json.loads(metadata[METADATA_KEY])
        assert stamped["lookback_bars"] == spec.lookback_bars
        assert tuple(feature["name"] for feature in stamped["features"]) == spec.features
        assert tuple(stamped["outputs"][-1]["columns"]) == spec.outputs[-1].columns


def test_committed_card_says_what_the_manifest_says(repository: Path) -> None:
    content = json.loads((repository / "models_onnx" / "manifest.json").read_text())
    assert (repository / "models_onnx" / "MODEL_CARD.md").read_text() == model_card(content)


def test_committed_artifacts_are_those_that_the_exporters_author_today(repository: Path) -> None:
    sealed = read_manifest(repository / "models_onnx")
    for kind in ("head", "optional"):
        versions = {head.name: head.version for head in HEADS if head.optional == (kind != "head")}
        found = {name: spec.version for name, spec in sealed.models.items() if spec.kind == kind}
        assert found == versions or (kind == "optional" and not found)
    made_with = {name: sealed.content["made_with"][name] for name in ("onnx", "spox")}
    here = {name: version(name) for name in made_with}
    if here != made_with:
        pytest.skip(f"bytes are promised for {made_with}, here are {here}")
    assert stage_features()[1] == (repository / "models_onnx" / "features.onnx").read_bytes()


class Shifted(Trap):
    """Lies by one part in a million: what was trained is not what its graph says."""

    def predict(self, estimators: Estimators, inputs: Inputs) -> FloatArray:
        return np.asarray(super().predict(estimators, inputs) + 1e-6)


class Unfinite(Trap):
    """Its trained estimators say NaN."""

    def predict(self, estimators: Estimators, inputs: Inputs) -> FloatArray:
        return np.full_like(super().predict(estimators, inputs), np.nan)


class Reversed(Trap):
    """Reads its features in another order than it was trained with."""

    features = tuple(reversed(Trap.features))


def test_a_head_that_changed_after_training_is_not_exported(
    training: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(TrainingRecordError, match="its features differs"):
        export(training, [Reversed()], tmp_path / "models", lambda line: None)
    monkeypatch.setattr(logistic, "CLIP", 0.5)
    with pytest.raises(ParityError, match="its training"):
        export(training, [Trap()], tmp_path / "models", lambda line: None)
    assert not (tmp_path / "models").exists()


def test_estimators_exchanged_after_training_are_not_exported(
    own_copy: Path, tmp_path: Path
) -> None:
    from skops import io as skops_io

    stored = dict(skops_io.loads((own_copy / "trap.skops").read_bytes(), trusted=[]))
    stored["5"], stored["20"] = stored["20"], stored["5"]
    (own_copy / "trap.skops").write_bytes(skops_io.dumps(stored))
    with pytest.raises(ParityError, match="its training"):
        export(own_copy, [Trap()], tmp_path / "models", lambda line: None)


def test_damaged_estimators_are_a_typed_error(own_copy: Path) -> None:
    content = (own_copy / "trap.skops").read_bytes()
    (own_copy / "trap.skops").write_bytes(content[:100])
    with pytest.raises(TrainingRecordError, match="damaged"):
        read_training(own_copy, HEADS)


@pytest.mark.parametrize("record", ["[]", "{}", "null"])
def test_a_record_that_is_none_is_a_typed_error(own_copy: Path, record: str) -> None:
    (own_copy / "training.json").write_text(record)
    with pytest.raises(TrainingRecordError):
        read_training(own_copy, HEADS)


def test_an_engine_that_gives_another_sigma_or_other_rows_is_not_written(
    training: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fuse

    def doubled(*given: Any) -> onnx.ModelProto:
        model = whole(*given)
        (node,) = (one for one in model.graph.node if "implied_sigma" in one.output)
        node.op_type = "Add"
        node.input.append(node.input[0])
        return model

    monkeypatch.setattr(staging, "fuse", doubled)
    with pytest.raises(ParityError, match="implied_sigma"):
        export(training, [Trap()], tmp_path / "models", lambda line: None)


def test_a_folder_that_holds_other_work_is_never_replaced(training: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("years of work")
    (tmp_path / "file").write_text("text")
    for target in ("thesis", "file"):
        with pytest.raises(OutputError, match="did not write"):
            export(training, [Trap()], tmp_path / target, lambda line: None)
    assert (tmp_path / "thesis" / "chapter.tex").read_text() == "years of work"
    assert (tmp_path / "file").read_text() == "text"


DAY = np.datetime64("2020-03-16")


@dataclass(frozen=True)
class OtherFuture(MarketSource):
    """A market whose bars after a day are made up."""

    def bars(self) -> Bars:
        real = super().bars()
        later = real.dates > DAY
        walk = parity.random_walk(1, len(real))
        last = int(np.flatnonzero(~later)[-1])
        scales = {name: getattr(real, name)[last] / walk[name][last] for name in ("close", "iv")}
        made_up: dict[str, Any] = {
            name: np.where(later, values * scales.get(name, scales["close"]), getattr(real, name))
            for name, values in walk.items()
        }
        return replace(real, **made_up)


@pytest.mark.slow
@pytest.mark.parametrize("head", HEADS, ids=lambda head: head.name)
def test_no_forecast_depends_on_bars_that_came_later(
    head: Head, market_sources: tuple[MarketSource, ...]
) -> None:
    features, _ = stage_features()
    walks = []
    for kind in (MarketSource, OtherFuture):
        sources = [kind(**vars(source)) for source in market_sources]
        market, *pool = (market_rows(source, features) for source in sources)
        walks.append(head.walk(market, pool, lambda: None))
    for output, real in walks[0].items():
        other = walks[1][output]
        past = real.dates <= DAY
        if output.startswith(("safe range", "move interval")):
            # These ask how likely the outcome was, so they know it: it must have ended by then.
            days = int(output.split("_")[-1])
            past = np.append(past[days:], np.zeros(days, dtype=bool))
        assert past.sum() > 1000
        assert np.array_equal(real.model[past], other.model[past])
        for name, baseline in real.baselines.items():
            assert np.array_equal(baseline[past], other.baselines[name][past])
        assert not np.array_equal(real.model[~past], other.model[~past])


@pytest.mark.parametrize("head", [Shifted(), Unfinite()])
def test_a_graph_that_differs_from_its_estimators_is_not_written(
    head: Head, training: Path, exported: Path
) -> None:
    before = contents(exported)
    with pytest.raises(ParityError, match="real rows") as caught:
        export(training, [head], exported, lambda line: None)
    assert caught.value.artifact == "trap"
    assert contents(exported) == before


def test_a_head_of_the_wrong_shape_is_not_written(training: Path, tmp_path: Path) -> None:
    class Narrow(Trap):
        def predict(self, estimators: Estimators, inputs: Inputs) -> FloatArray:
            return super().predict(estimators, inputs)[:, :2]

    with pytest.raises(ParityError, match="shape"):
        export(training, [Narrow()], tmp_path / "models", lambda line: None)
    assert not (tmp_path / "models").exists()


def test_an_export_that_is_interrupted_leaves_the_previous_artifacts(
    training: Path, one_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(one_model)
    neighbours = sorted(one_model.parent.iterdir())

    def interrupt(*_: object) -> Iterator[None]:
        raise KeyboardInterrupt

    for step in ("_flush", "_put_in_place"):
        with monkeypatch.context() as patch:
            patch.setattr(seal, step, interrupt)
            with pytest.raises(KeyboardInterrupt):
                export(training, [Trap()], one_model, lambda line: None)
        assert contents(one_model) == before
        assert sorted(one_model.parent.iterdir()) == neighbours


def test_a_full_disk_is_a_typed_error_and_leaves_the_previous_artifacts(
    training: Path, one_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(one_model)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(seal, "_flush", full)
    with pytest.raises(OutputError, match="No space left"):
        export(training, [Trap()], one_model, lambda line: None)
    assert contents(one_model) == before


def test_without_an_atomic_exchange_two_renames_do_and_are_undone_on_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seal, "_exchange", lambda one, other: False)
    target = tmp_path / "sealed"
    for text in ("old", "new"):
        with seal.sealed_folder(target) as fresh:
            (fresh / "manifest.json").write_text(text)
        assert (target / "manifest.json").read_text() == text
    rename = Path.rename

    def refuse(self: Path, to: Path) -> Path:
        if to == target and (self / "manifest.json").read_text() == "newer":
            raise OSError(5, "Input/output error")
        return rename(self, to)

    def write_newer() -> None:
        with seal.sealed_folder(target) as fresh:
            (fresh / "manifest.json").write_text("newer")

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(OutputError, match="Input/output"):
        write_newer()
    assert (target / "manifest.json").read_text() == "new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["sealed"]


def test_export_without_a_training_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(TrainingRecordError, match="aegismatrix train"):
        export(tmp_path / "nothing", HEADS, tmp_path / "models", lambda line: None)


def edit_record(folder: Path, **changes: Any) -> None:
    record = json.loads((folder / "training.json").read_text())
    (folder / "training.json").write_text(json.dumps({**record, **changes}))


def test_export_refuses_a_training_on_another_feature_graph(own_copy: Path) -> None:
    edit_record(own_copy, features_sha256="0" * 64)
    with pytest.raises(TrainingRecordError, match="feature graph has changed"):
        read_training(own_copy, HEADS)


def test_export_refuses_a_training_on_other_bars(own_copy: Path, tmp_path: Path) -> None:
    record = json.loads((own_copy / "training.json").read_text())
    lines = (SAMPLE / "sp500_daily.csv").read_text().splitlines()
    (tmp_path / "moved.csv").write_text("\n".join(lines[:-1]) + "\n")
    source = {**record["sources"][0], "index": str(tmp_path / "moved.csv")}
    edit_record(own_copy, sources=[source])
    with pytest.raises(TrainingRecordError, match="bars"):
        read_training(own_copy, HEADS)


def test_export_refuses_a_training_of_another_version_of_a_model(training: Path) -> None:
    class Other(Trap):
        version = "0"

    with pytest.raises(TrainingRecordError, match="trap 0 was not trained"):
        read_training(training, [Other()])


def test_an_estimator_file_with_anything_unknown_in_it_is_refused(own_copy: Path) -> None:
    from skops import io as skops_io

    (own_copy / "trap.skops").write_bytes(skops_io.dumps({"5": subprocess.Popen}))
    with pytest.raises(TrainingRecordError, match="subprocess"):
        read_training(own_copy, HEADS)


def tiny_model(node: onnx.NodeProto, domain: str = "") -> onnx.ModelProto:
    value = helper.make_tensor_value_info("x", TensorProto.DOUBLE, ["N"])
    out = helper.make_tensor_value_info("y", TensorProto.DOUBLE, ["N"])
    opsets = [helper.make_opsetid("", 18)]
    opsets += [helper.make_opsetid(domain, 1)] if domain else []
    graph = helper.make_graph([node], "tiny", [value], [out])
    return helper.make_model(graph, ir_version=8, opset_imports=opsets)


def test_operators_outside_the_allow_list_are_refused() -> None:
    for node, domain, what in (
        (helper.make_node("Erf", ["x"], ["y"]), "", "Erf"),
        (helper.make_node("RandomNormalLike", ["x"], ["y"]), "", "RandomNormalLike"),
        (helper.make_node("Gelu", ["x"], ["y"], domain="com.microsoft"), "com.microsoft", "Gelu"),
    ):
        with pytest.raises(ForbiddenGraphError, match=what):
            check_graph(tiny_model(node, domain))


def test_subgraphs_external_data_and_unfinite_weights_are_refused() -> None:
    inner = tiny_model(helper.make_node("Neg", ["x"], ["y"])).graph
    branch = helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner)
    with pytest.raises(ForbiddenGraphError, match="subgraph"):
        check_graph(tiny_model(branch))
    for weight, what in ((np.nan, "NaN"), (np.inf, "infinite")):
        model = tiny_model(helper.make_node("Add", ["x", "w"], ["y"]))
        model.graph.initializer.append(helper.make_tensor("w", TensorProto.DOUBLE, [1], [weight]))
        with pytest.raises(ForbiddenGraphError, match=what):
            check_graph(model)
    for attributes in ({"value_float": np.nan}, {"value_floats": [0.0, np.inf]}):
        with pytest.raises(ForbiddenGraphError, match="NaN or infinite"):
            check_graph(tiny_model(helper.make_node("Constant", [], ["y"], **attributes)))
    outside = tiny_model(helper.make_node("Add", ["x", "w"], ["y"]))
    tensor = helper.make_tensor("w", TensorProto.DOUBLE, [1], [1.0])
    tensor.data_location = TensorProto.EXTERNAL
    outside.graph.initializer.append(tensor)
    with pytest.raises(ForbiddenGraphError, match="external data"):
        check_graph(outside)


def test_other_stamps_are_refused() -> None:
    model = tiny_model(helper.make_node("Neg", ["x"], ["y"]))
    model.ir_version = 10
    with pytest.raises(ForbiddenGraphError, match="IR version 10"):
        check_graph(model)
    model = tiny_model(helper.make_node("Neg", ["x"], ["y"]))
    model.opset_import[0].version = 21
    with pytest.raises(ForbiddenGraphError, match="21"):
        check_graph(model)


def test_what_no_output_needs_is_pruned_and_labels_with_it() -> None:
    from sklearn.linear_model import LogisticRegression

    random = np.random.default_rng(0)
    x = random.normal(size=(200, 3))
    fitted = LogisticRegression().fit(x, (x[:, 0] > 0).astype(int))
    converted = classifier_to_onnx(fitted, 3)
    assert [output.name for output in converted.graph.output] == ["probabilities"]
    operators = {node.op_type for node in converted.graph.node}
    assert not operators & {"ArgMax", "ArrayFeatureExtractor", "ZipMap", "Cast"}


def test_what_a_converter_notes_in_a_node_is_not_shipped() -> None:
    model = tiny_model(helper.make_node("Neg", ["x"], ["y"], doc_string="/home/me/network.py"))
    model.graph.node[0].metadata_props.add(key="stack_trace", value="/home/me/network.py")
    vector = [ArraySpec(name, "float64", ("N",), "none") for name in "xy"]
    assert b"/home/me" not in finish(model, "tiny", vector[:1], vector[1:], {})


def test_a_graph_with_undeclared_inputs_is_refused() -> None:
    model = tiny_model(helper.make_node("Neg", ["x"], ["y"]))
    with pytest.raises(ForbiddenGraphError, match="inputs and outputs"):
        finish(model, "tiny", [], [], {})


def test_random_walks_repeat_and_are_valid_markets() -> None:
    one, other = parity.random_walk(7, 400), parity.random_walk(7, 400)
    assert all(np.array_equal(one[name], other[name]) for name in one)
    assert (one["high"] >= one["close"]).all()
    assert (one["low"] <= one["close"]).all()


@pytest.mark.slow
def test_the_scripts_train_and_export_any_pair_of_csv_files(
    repository: Path, tmp_path: Path
) -> None:
    run = [sys.executable, str(repository / "scripts" / "train.py")]
    pair = ["--index", str(SAMPLE / "sp500_daily.csv"), "--iv", str(SAMPLE / "vix_daily.csv")]
    pair += ["--market", "sp500"]
    trained = subprocess.run(
        [*run, *pair, "--out", str(tmp_path / "training")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert trained.returncode == 0, trained.stderr
    assert "none demonstrated" in trained.stdout
    export_script = [sys.executable, str(repository / "scripts" / "export.py")]
    folders = ["--training", str(tmp_path / "training"), "--out", str(tmp_path / "models")]
    done = subprocess.run([*export_script, *folders], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "trained difference" in done.stdout
    assert am.verify(tmp_path / "models") == []


@pytest.mark.slow
def test_training_without_market_data_says_what_to_give(repository: Path, tmp_path: Path) -> None:
    script = str(repository / "scripts" / "train.py")
    done = subprocess.run(
        [sys.executable, script, "--bars", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "AEGISMATRIX_MARKET" in done.stderr
    assert "Traceback" not in done.stderr
