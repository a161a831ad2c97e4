"""Print what the library costs beside its floor and its peers, side by side.

Usage: python benchmarks/speed.py [--repeat N] [--keep]

CPU time, user and system. Each pair is measured in turns, so that a machine that speeds up or slows
down does so for both; the ratio is the median of the ratios of neighbours. Starts are measured with
bytecode compiled, as installers leave it, and without any, as in a container that forbids to write
it. `--keep` writes benchmarks/speed.json, from which scripts/documents.py makes the table of
docs/performance.md; without it, what is much dearer than was kept is said, and nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from aegismatrix_factory.evaluate.markets import MarketDataNotFoundError, known_sources
from aegismatrix_factory.graph.features import FEATURES, Feature, build_features
from aegismatrix_factory.release.parity import bars_feed
from onnx import TensorProto, helper

import aegismatrix as am
from aegismatrix.artifacts.manifest import ENGINE_NAME, read_artifact, read_manifest
from aegismatrix.artifacts.operators import IR_VERSION
from aegismatrix.engine.engine import DISTANCES, HORIZONS_DAYS
from tests.exporters.test_features import in_pandas

KEPT = Path(__file__).with_name("speed.json")
MUCH_DEARER = 1.5
"""How many times the kept ratio is worth a warning: machines and releases of Python differ."""

SAMPLE = Path(am.__file__).parent / "desk" / "sources" / "sample_data"
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
days, *columns = np.fromfile(sys.argv[2]).reshape(5, -1)
bars = am.Bars.from_arrays(days.astype("int64").astype("datetime64[D]"), *columns)
"""
STARTS = {
    "`aegismatrix report --index A --iv B --out D`": """
import sys
from aegismatrix.desk.cli.main import main
files = ["--index", sys.argv[3], "--iv", sys.argv[4], "--market", sys.argv[5]]
main(["report", *files, "--out", sys.argv[6], "--quiet"])
""",
    "report through Python": READ_BARS + "am.analyze(bars).to_json()",
    "prediction through Python": READ_BARS + "am.Engine().predict(bars)",
}
THE_FLOOR = "Python, numpy, onnxruntime and an empty session"


@dataclass(frozen=True)
class Row:
    """One line of the table: CPU milliseconds of this and of that, and the ratio of neighbours."""

    work: str
    against: str
    bytecode: str
    milliseconds: float
    other_milliseconds: float
    ratio: float


def measured(
    work: str,
    against: str,
    calls: tuple[Callable[[], object], Callable[[], object]],
    repeat: int,
    *,
    bytecode: str = "",
) -> Row:
    """Measure one thing against another, in turns, after one of each that does not count."""
    for call in calls:
        call()
    pairs = [[cpu_milliseconds(call) for call in calls] for _ in range(repeat)]
    one, other = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(first / second for first, second in pairs)
    return Row(work, against, bytecode, round(one, 3), round(other, 3), round(ratio, 2))


def cpu_milliseconds(call: Callable[[], object]) -> float:
    """Return what one call costs, the processes that it ended included."""
    before = used()
    call()
    return 1e3 * (used() - before)


def used() -> float:
    """Return the CPU seconds of this process and of its children that ended."""
    of_children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + of_children.ru_utime + of_children.ru_stime


def starts(bars: am.Bars, repeat: int) -> Iterator[Row]:
    """Yield processes that do one thing, against the floor: with bytecode and without."""
    value = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, [1]) for name in ("x", "y")]
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])], "empty", value[:1], value[1:]
    )
    empty = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 18)])
    with tempfile.TemporaryDirectory() as folder:
        model, rows, cache = (Path(folder) / name for name in ("empty.onnx", "bars", "cache"))
        model.write_bytes(empty.SerializeToString())
        days = bars.dates.astype(np.int64).astype(np.float64)
        np.stack([days, *bars_feed(bars).values()]).tofile(rows)
        given = [model, rows, *files_of_bars(), Path(folder) / "out"]

        def process(code: str, settings: Mapping[str, str]) -> Callable[[], object]:
            command = [sys.executable, "-c", code, *map(str, given)]
            # Bytecode that the checkout happens to have is nobody's case.
            environment = {**os.environ, "OMP_NUM_THREADS": "1", "ORT_DISABLE_TELEMETRY": "1"}
            environment.pop("PYTHONDONTWRITEBYTECODE", None)
            environment.update(settings)
            return lambda: subprocess.run(
                command, check=True, env=environment, stdout=subprocess.DEVNULL
            )

        nowhere = {"PYTHONPYCACHEPREFIX": f"{cache}.none", "PYTHONDONTWRITEBYTECODE": "1"}
        for bytecode, settings in (
            ("compiled", {"PYTHONPYCACHEPREFIX": str(cache)}),
            ("none", nowhere),
        ):
            for work, code in STARTS.items():
                calls = process(code, settings), process(FLOOR, settings)
                times = repeat if bytecode == "compiled" else max(1, repeat // 3)
                yield measured(work, THE_FLOOR, calls, times, bytecode=bytecode)


def files_of_bars() -> tuple[str, str, str]:
    """Return files of an index and of its volatility index, and the name of their market."""
    market = os.environ.get("AEGISMATRIX_MARKET")
    if market and (Path(market) / "nifty_daily.csv").exists():
        return f"{market}/nifty_daily.csv", f"{market}/india_vix_daily.csv", "nifty"
    return str(SAMPLE / "sp500_daily.csv"), str(SAMPLE / "vix_daily.csv"), "other"


def prediction(bars: am.Bars, repeat: int) -> Row:
    """One prediction on validated bars, against the bare session.run of the same artifact."""
    engine = am.Engine()
    session = onnxruntime.InferenceSession(
        read_artifact(read_manifest(), ENGINE_NAME),
        session_options(),
        providers=["CPUExecutionProvider"],
    )
    last = bars[-engine.lookback_bars :]
    asked = {
        **bars_feed(last),
        "horizon": np.array(HORIZONS_DAYS, dtype=np.float64),
        "lower_distance": np.array(DISTANCES),
        "upper_distance": np.array(DISTANCES),
    }
    feed = {one.name: asked[one.name] for one in session.get_inputs()}
    calls = (lambda: engine.predict(bars)), (lambda: session.run(None, feed))
    return measured("prediction, engine open", "the bare `session.run`", calls, 100 * repeat)


def features(bars: am.Bars, repeat: int) -> Iterator[Row]:
    """Yield the graph of the features against pandas: all of them, and those without terciles."""
    plain = tuple(feature for feature in FEATURES if "tercile" not in feature.name)
    feed = bars_feed(bars)

    def graph(chosen: Sequence[Feature]) -> Callable[[], object]:
        built = build_features(tuple(chosen)).model
        built.ir_version = IR_VERSION
        session = onnxruntime.InferenceSession(
            built.SerializeToString(), session_options(), providers=["CPUExecutionProvider"]
        )
        return lambda: session.run(None, feed)

    for chosen in (FEATURES, plain):
        terciles = chosen is FEATURES
        words = f"{len(chosen)} features{'' if terciles else ', without terciles'}"
        calls = graph(chosen), lambda terciles=terciles: in_pandas(bars, terciles=terciles)
        yield measured(f"{words}, of {len(bars):,} bars", "pandas", calls, 5 * repeat)


def history(bars: am.Bars, repeat: int) -> Row:
    """Every probability for every bar, against the features alone in pandas."""
    engine = am.Engine()
    calls = (lambda: engine.history(bars)), (lambda: in_pandas(bars))
    words = f"history of {len(bars):,} bars, all heads"
    return measured(words, "the features alone in pandas", calls, repeat)


def session_options() -> onnxruntime.SessionOptions:
    """Return the options under which the package opens a session."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.enable_mem_reuse = False
    return options


def table(kept: Mapping[str, Any]) -> str:
    """Return the kept rows as a table of Markdown."""
    lines = [
        f"On {kept['bars']}; {kept['versions']}.",
        "",
        "| what | against | bytecode | ms | ms of the other | ratio |",
        "|---|---|---|---|---|---|",
    ]
    for row in kept["rows"]:
        one = Row(**row)
        lines.append(
            f"| {one.work} | {one.against} | {one.bytecode or 'either'} | {one.milliseconds:.1f}"
            f" | {one.other_milliseconds:.1f} | {one.ratio:.2f} |"
        )
    return "\n".join(lines)


def warnings(rows: Sequence[Row], kept: Mapping[str, Any]) -> Iterator[str]:
    """Say which rows have become much dearer than the kept ones."""
    before = {(row["work"], row["bytecode"]): row["ratio"] for row in kept["rows"]}
    for row in rows:
        known = before.get((row.work, row.bytecode))
        if known is not None and row.ratio > MUCH_DEARER * known:
            yield f"warning: {row.work}: {row.ratio:.2f} where {known:.2f} was kept"


def main() -> None:
    """Print the table, and keep it or hold it against the one that was kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=11, help="turns of each pair (%(default)s)")
    parser.add_argument("--keep", action="store_true", help="write benchmarks/speed.json")
    arguments = parser.parse_args()
    repeat = arguments.repeat
    try:
        bars = known_sources()[0].bars()
    except MarketDataNotFoundError:
        bars = am.sample_bars()
    python = ".".join(map(str, sys.version_info[:3]))
    made = {
        "bars": f"{len(bars):,} bars of {bars.source}",
        "versions": f"Python {python}, numpy {np.__version__}, onnxruntime"
        f" {onnxruntime.__version__}, one thread",
    }
    rows = []
    print(f"on {made['bars']}; {made['versions']}; CPU milliseconds, medians")
    for row in (
        *starts(bars, repeat),
        prediction(bars, repeat),
        history(bars, repeat),
        *features(bars, repeat),
    ):
        rows.append(row)
        print(
            f"{row.work:48} {row.milliseconds:8.2f}  {row.against:48} {row.other_milliseconds:8.2f}"
            f"  {row.ratio:5.2f} x  {row.bytecode}",
            flush=True,
        )
    if arguments.keep:
        text = json.dumps({**made, "rows": [asdict(row) for row in rows]}, indent=1)
        KEPT.write_text(text + "\n", encoding="utf-8")
    elif KEPT.exists():
        for line in warnings(rows, json.loads(KEPT.read_text(encoding="utf-8"))):
            print(line)


if __name__ == "__main__":
    main()
