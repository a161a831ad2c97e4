"""Print what a large forest costs, as ratios of processor time measured in one run.

Usage: python benchmarks/forests.py [--nodes N ...] [--repeat N]

For each size a forest is fitted to noise, written as a pickle and rescued by the command. Then, in
turns:

- opening: `load_models` of the rescued folder, against `copy.deepcopy` of the live forest, which
  rebuilds it from its states as an unpickler does (nothing here unpickles). Each in a process of
  its own, whose memory is as fresh as that of whoever opens a model once;
- prediction: 4,000 rows in the rescued model, against the live forest, one thread each.

Each figure is the median of the ratios of neighbours. Memory is the peak of the command's process
against the size of the pickle.
"""

from __future__ import annotations

import argparse
import copy
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import onnxruntime
from sklearn.ensemble import RandomForestClassifier

import aegismatrix as am
from aegismatrix.artifacts.operators import check_content
from tests.pickles import dumps

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "ORT_DISABLE_TELEMETRY": "1"}
TREES, COLUMNS, ROWS, NODES_PER_ROW = 100, 20, 4_000, 25.5


def forest(nodes: int) -> RandomForestClassifier:
    """Fit a forest of about so many nodes."""
    random = np.random.default_rng(0)
    x = random.normal(size=(round(nodes / NODES_PER_ROW), COLUMNS))
    y = x[:, 0] + random.normal(size=len(x)) > 0.0
    fitted = RandomForestClassifier(TREES, random_state=0, n_jobs=-1).fit(x, y.astype(np.int64))
    return fitted.set_params(n_jobs=None)


def seconds(call: Callable[[], object]) -> float:
    """Processor time of one call."""
    start = time.process_time()
    # Kept until the clock was read: freeing it is not of the call.
    kept = call()
    spent = time.process_time() - start
    del kept
    return spent


def in_a_process(call: Callable[[], object]) -> float:
    """Processor time of one call in a process of its own."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)

    def run(answer: Connection) -> None:
        answer.send(seconds(call))

    child = context.Process(target=run, args=(there,))
    child.start()
    spent: float = here.recv()
    child.join()
    return spent


def ratios(
    calls: list[Callable[[], object]],
    base: Callable[[], object],
    timed: Callable[[Callable[[], object]], float],
    repeat: int,
) -> list[float]:
    """How many times longer each takes than the base."""
    rounds = []
    for _ in range(repeat):
        least = timed(base)
        rounds.append([timed(call) / least for call in calls])
    return [statistics.median(column) for column in zip(*rounds, strict=True)]


def rescued(old: Path, new: Path) -> tuple[float, int]:
    """Processor time and peak memory of the command, in bytes."""
    command = [sys.executable, "-m", "aegismatrix", "rescue", str(old), str(new)]
    process = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the rescue ended with {process.returncode}")
    unit = 1 if sys.platform == "darwin" else 1024
    return used.ru_utime + used.ru_stime, used.ru_maxrss * unit


def measure(nodes: int, repeat: int) -> None:
    """Print the figures of one size."""
    fitted = forest(nodes)
    found = sum(tree.tree_.node_count for tree in fitted.estimators_)
    with tempfile.TemporaryDirectory() as folder:
        old, new = Path(folder) / "old", Path(folder) / "new"
        old.mkdir()
        file = old / "forest.pkl"
        file.write_bytes(dumps(fitted, 5))
        spent, peak = rescued(old, new)
        size = file.stat().st_size
        data = (new / "forest.onnx").read_bytes()
        print(
            f"{found:,} nodes: pickle {size / 1e6:.0f} MB, artifact {len(data) / 1e6:.0f} MB;"
            f" converted in {spent:.1f} s with {peak / size:.1f} times the pickle's memory"
        )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        opened, session, walked = ratios(
            [
                lambda: am.load_models(new),
                lambda: onnxruntime.InferenceSession(data, options),
                lambda: check_content(data, "forest.onnx"),
            ],
            lambda: copy.deepcopy(fitted),
            in_a_process,
            repeat,
        )
        print(
            f"  opening: {opened:.1f} times the forest's own (a session of onnxruntime"
            f" {session:.1f}, the walk {walked:.1f})"
        )
        model = am.load_models(new)["forest"]
    rows = np.random.default_rng(1).normal(size=(ROWS, COLUMNS))
    model.run(x=rows)
    (predicted,) = ratios(
        [lambda: model.run(x=rows)], lambda: fitted.predict_proba(rows), seconds, 2 * repeat + 1
    )
    print(f"  prediction of {ROWS:,} rows: {predicted:.2f} times the forest's own")


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, nargs="+", default=[100_000, 2_000_000])
    parser.add_argument("--repeat", type=int, default=5)
    arguments = parser.parse_args()
    for nodes in arguments.nodes:
        measure(nodes, arguments.repeat)


if __name__ == "__main__":
    main()
