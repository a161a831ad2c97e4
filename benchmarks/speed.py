"""Print what the library costs, as ratios measured in one run.

Usage: python benchmarks/speed.py [--repeat N]

Each pair is timed in turns, so that a machine that speeds up or slows down does so for both; the
figure is the median of the ratios of neighbours.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
from aegismatrix_factory.evaluate.markets import MarketDataNotFoundError, known_sources
from aegismatrix_factory.graph.features import FEATURES, build_features
from aegismatrix_factory.release.parity import bars_feed
from onnx import TensorProto, helper

import aegismatrix as am
from aegismatrix.artifacts.manifest import ENGINE_NAME, read_artifact, read_manifest
from aegismatrix.artifacts.operators import IR_VERSION
from aegismatrix.engine.engine import DISTANCES, HORIZONS_DAYS
from tests.exporters.test_features import in_pandas

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "ORT_DISABLE_TELEMETRY": "1"}
FLOOR = """
import sys
import numpy
import onnxruntime
onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
"""
READ_BARS = """
import sys
import numpy as np
import aegismatrix as am
days, *columns = np.fromfile(sys.argv[1]).reshape(5, -1)
bars = am.Bars.from_arrays(days.astype("int64").astype("datetime64[D]"), *columns)
"""
COLD_PREDICTION = READ_BARS + "am.Engine().predict(bars)"
COLD_REPORT = READ_BARS + "am.analyze(bars).to_json()"


def ratio(one: Callable[[], object], other: Callable[[], object], repeat: int) -> float:
    """Return how many times longer `one` takes than `other`."""
    one()
    other()
    return statistics.median(seconds(one) / seconds(other) for _ in range(repeat))


def seconds(call: Callable[[], object]) -> float:
    """Time one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def cold_start(code: str, bars: am.Bars, repeat: int) -> float:
    """A process that runs the code, against numpy, onnxruntime and an empty session."""
    value = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, [1]) for name in ("x", "y")]
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])], "empty", value[:1], value[1:]
    )
    empty = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 18)])
    with tempfile.TemporaryDirectory() as folder:
        model, rows = Path(folder) / "empty.onnx", Path(folder) / "bars"
        model.write_bytes(empty.SerializeToString())
        days = bars.dates.astype(np.int64).astype(np.float64)
        np.stack([days, *bars_feed(bars).values()]).tofile(rows)

        def run(code: str, argument: Path) -> Callable[[], object]:
            command = [sys.executable, "-c", code, str(argument)]
            return lambda: subprocess.run(command, check=True, env=ENVIRONMENT)

        return ratio(run(code, rows), run(FLOOR, model), repeat)


def prediction(bars: am.Bars, repeat: int) -> float:
    """One prediction on validated bars, against the bare session.run of the same artifact."""
    engine = am.Engine()
    session = onnxruntime.InferenceSession(
        read_artifact(read_manifest(), ENGINE_NAME),
        session_options(),
        providers=["CPUExecutionProvider"],
    )
    last = bars[-engine.lookback_bars :]
    feed = {
        **bars_feed(last),
        "horizon": np.array(HORIZONS_DAYS, dtype=np.float64),
        "lower_distance": np.array(DISTANCES),
        "upper_distance": np.array(DISTANCES),
    }
    return ratio(lambda: engine.predict(bars), lambda: session.run(None, feed), 100 * repeat)


def features(bars: am.Bars, repeat: int) -> float:
    """The pandas implementation of the features without terciles, against their graph."""
    plain = tuple(feature for feature in FEATURES if "tercile" not in feature.name)
    built = build_features(plain).model
    built.ir_version = IR_VERSION
    session = onnxruntime.InferenceSession(
        built.SerializeToString(), session_options(), providers=["CPUExecutionProvider"]
    )
    feed = bars_feed(bars)
    return ratio(
        lambda: in_pandas(bars, terciles=False), lambda: session.run(None, feed), 5 * repeat
    )


def history(bars: am.Bars, repeat: int) -> float:
    """Every probability but the network's for every bar, against the features alone in pandas."""
    models = am.load_models()
    features = models.pop("features")
    heads = [
        model for model in models.values() if model.spec.kind == "head" and model.spec.rows == 1
    ]
    chosen = {
        "horizon": np.array(HORIZONS_DAYS, dtype=np.float64),
        "lower_distance": np.array(DISTANCES),
        "upper_distance": np.array(DISTANCES),
    }

    def all_heads() -> None:
        given = {**features.run(**bars_feed(bars)), **chosen}
        for head in heads:
            head.run(**{array.name: given[array.name] for array in head.spec.inputs})

    return ratio(all_heads, lambda: in_pandas(bars, terciles=False), 5 * repeat)


def session_options() -> onnxruntime.SessionOptions:
    """Return the options under which the package opens a session."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.enable_mem_reuse = False
    return options


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=11, help="turns of each pair (%(default)s)")
    repeat = parser.parse_args().repeat
    try:
        bars = known_sources()[0].bars()
    except MarketDataNotFoundError:
        bars = am.sample_bars()
    print(f"on {len(bars)} bars of {bars.source}, medians of ratios")
    for what, figure, goal in (
        ("cold start to a prediction / floor", cold_start(COLD_PREDICTION, bars, repeat), "<= 1.6"),
        ("cold start to a report / floor", cold_start(COLD_REPORT, bars, repeat), "<= 2.0"),
        ("prediction / bare session.run", prediction(bars, repeat), "<= 1.2"),
        ("history without the network / features in pandas", history(bars, repeat), "<= 20"),
        ("pandas / feature graph, no order statistics", features(bars, repeat), ">= 3"),
    ):
        print(f"{what:50} {figure:5.2f}   goal {goal}", flush=True)


if __name__ == "__main__":
    main()
