"""Measure what a second thread gives an engine, and what it takes.

Usage: python benchmarks/threads.py [--rounds N] [--threads N]

Engines of one thread and of several forecast from the last bar and from every bar of the same
bars, of NIFTY where they are known and of the sample otherwise. Each round measures all of them,
in turned order, so that a busy machine slows all alike: what is printed are medians of the ratios
within a round. Every number is held against that of one thread: the network of direction computes
in float32, and how work is shared out shows in its last digits. Memory is the peak of
a process that opened one engine and forecast both ways.

Exit status: 0 if no number differs by more than 1e-8, 1 otherwise.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from aegismatrix_factory.evaluate.markets import MarketDataNotFoundError, known_sources

import aegismatrix as am

REPEATS = {"last bar": 40, "every bar": 2}
_STATUS = Path("/proc/self/status")

MOST_DIFFERENCE = 1e-8


def real_bars() -> am.Bars:
    """Bars of NIFTY where they are known, and the sample otherwise."""
    try:
        return known_sources()[0].bars()
    except MarketDataNotFoundError:
        return am.sample_bars()


def forecasts(engine: am.Engine, bars: am.Bars) -> dict[str, Callable[[], am.Forecast]]:
    """The two things that are measured, by name."""
    return {"last bar": lambda: engine.predict(bars), "every bar": lambda: engine.history(bars)}


def seconds_of(forecast: Callable[[], am.Forecast], repeats: int) -> tuple[float, float]:
    """Wall and processor time of a forecast, those of all its threads included."""
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(repeats):
        forecast()
    return (time.perf_counter() - wall) / repeats, (time.process_time() - cpu) / repeats


def largest_difference(one: am.Forecast, other: am.Forecast) -> float:
    """The largest absolute difference of two forecasts of the same days."""
    return max(float(np.abs(one[head] - other[head]).max()) for head in one)


def measure(threads: Sequence[int], rounds: int) -> int:
    """Print the ratios to one thread, and return the exit status."""
    bars = real_bars()
    engines = {count: am.Engine(threads=count) for count in threads}
    lines, status = [], 0
    for what, repeats in REPEATS.items():
        calls = {count: forecasts(engine, bars)[what] for count, engine in engines.items()}
        results = {count: call() for count, call in calls.items()}
        taken: dict[int, list[tuple[float, float]]] = {count: [] for count in threads}
        for number in range(rounds):
            for count in threads if number % 2 else tuple(reversed(threads)):
                taken[count].append(seconds_of(calls[count], repeats))
        for count in threads:
            pairs = list(zip(taken[count], taken[1], strict=True))
            wall, cpu = (
                statistics.median(own[place] / one[place] for own, one in pairs) for place in (0, 1)
            )
            difference = largest_difference(results[count], results[1])
            status |= not difference <= MOST_DIFFERENCE
            said = f"largest difference {difference:.1g}"
            milliseconds = 1e3 * statistics.median(own for own, _ in taken[count])
            lines.append(
                f"{what:<10} {count:>2} threads  wall {wall:.2f}  processor {cpu:.2f}"
                f"  ({milliseconds:.2f} ms)  {said}"
            )
    for count in threads:
        lines.append(f"peak memory {count:>2} threads  {peak_of(count):.1f} MiB")
    sys.stdout.write(
        "\n".join([f"{len(bars)} bars, {rounds} rounds, against 1 thread:", *lines, ""])
    )
    return int(status)


def peak_of(threads: int) -> float:
    """Peak memory, in MiB, of a process of its own that forecasts both ways."""
    done = subprocess.run(
        [sys.executable, __file__, "--peak", str(threads)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    return float(done.stdout)


def print_peak(threads: int) -> None:
    """Forecast both ways, and print the peak memory of this process."""
    bars, engine = am.sample_bars(), am.Engine(threads=threads)
    for forecast in forecasts(engine, bars).values():
        forecast()
    (line,) = (
        line
        for line in _STATUS.read_text(encoding="utf-8").splitlines()
        if line.startswith("VmHWM:")
    )
    sys.stdout.write(f"{int(line.split()[1]) / 1024:.1f}")


def main() -> int:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peak", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak is not None:
        print_peak(options.peak)
        return 0
    return measure((1, options.threads), options.rounds)


if __name__ == "__main__":
    sys.exit(main())
