"""Share one engine between threads and processes, and compare every bit with what one thread gets.

Usage: python benchmarks/load.py [--predictions N] [--workers N] [--timeout SECONDS]

Windows of real bars, of NIFTY where they are known and of the sample otherwise, are predicted once
by a single thread. Then three crowds predict them again, each its share of all predictions: forked
processes that use the engine of their parent, threads that share it, and spawned processes that
open their own, since an open session cannot be sent to another process. Every prediction is held
against the first one bit for bit.

The growth of a process is its resident memory at the end against what it was after the first tenth
of its work. Whoever outlives the timeout is ended by the system. Ctrl-C ends all
workers; those whose parent was killed end by themselves.

Exit status: 0 if nothing differed, no process grew by more than 16 MiB and all came to an end,
1 otherwise, 130 if interrupted.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
from aegismatrix_factory.evaluate.markets import MarketDataNotFoundError, known_sources

import aegismatrix as am
from aegismatrix.market.arrays import FloatArray

MOST_GROWTH_MEBIBYTES = 16.0
INTERRUPTED = 130
_MOST_WINDOWS = 1_000
_STATM = Path("/proc/self/statm")
_MEBIBYTE = 1 << 20


@dataclass(frozen=True, eq=False)
class Work:
    """What every crowd has to reproduce.

    Attributes
    ----------
    bars : Bars
        Window k is its bars from k on.
    lookback_bars : int
        Length of a window.
    expected : ndarray of shape (K, values)
        Everything that a single thread forecast for each of K windows.
    """

    bars: am.Bars
    lookback_bars: int
    expected: FloatArray

    def differences(self, engine: am.Engine, numbers: range, is_over: Callable[[], bool]) -> int:
        """Predict the windows of these numbers again, and count what is not equal bit for bit."""
        different = 0
        for number in numbers:
            if is_over():
                break
            window = number % len(self.expected)
            got = values_of(engine, self.bars, window, self.lookback_bars)
            different += got.tobytes() != self.expected[window].tobytes()
        return different


@dataclass(frozen=True)
class Outcome:
    """What one worker, or one crowd of threads, came to.

    Attributes
    ----------
    predictions, different : int
        How many were made, and how many were not bit for bit the expected ones.
    growth_mebibytes : float
        Of its process after the first tenth.
    """

    predictions: int
    different: int
    growth_mebibytes: float


def values_of(engine: am.Engine, bars: am.Bars, first: int, lookback_bars: int) -> FloatArray:
    """Return everything that is forecast from one window, in one row."""
    forecast = engine.predict(bars[first : first + lookback_bars])
    parts = [forecast.features, forecast.implied_sigma, *(forecast[name] for name in forecast)]
    return np.concatenate([part.ravel() for part in parts])


def resident_mebibytes() -> float:
    """Return the memory of this process that is in use; its peak where that is not told."""
    if _STATM.exists():
        return int(_STATM.read_text().split()[1]) * resource.getpagesize() / _MEBIBYTE
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / _MEBIBYTE


def measured(numbers: range, differences: Callable[[range], int]) -> Outcome:
    """Do the first tenth, then the rest with an eye on memory."""
    tenth = max(1, len(numbers) // 10)
    different = differences(numbers[:tenth])
    before = resident_mebibytes()
    different += differences(numbers[tenth:])
    return Outcome(len(numbers), different, resident_mebibytes() - before)


def by_threads(engine: am.Engine, work: Work, numbers: range, workers: int) -> list[Outcome]:
    """Let threads share an engine."""
    stop = threading.Event()

    def differences(numbers: range) -> int:
        with ThreadPoolExecutor(workers) as pool:
            shares = [numbers[worker::workers] for worker in range(workers)]
            try:
                return sum(
                    pool.map(lambda share: work.differences(engine, share, stop.is_set), shares)
                )
            except BaseException:
                # Else the pool would wait until its threads have done their share.
                stop.set()
                raise

    return [measured(numbers, differences)]


def serve(
    engine: am.Engine | None, work: Work, numbers: range, timeout: float, out: Connection
) -> None:
    """Be a worker process: predict, compare and report."""
    # Ctrl-C reaches the whole group; the parent ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.alarm(math.ceil(timeout))
    parent = os.getppid()
    own = am.Engine() if engine is None else engine

    def is_orphan() -> bool:
        return os.getppid() != parent

    out.send(measured(numbers, lambda some: work.differences(own, some, is_orphan)))
    out.close()


def by_processes(
    context: BaseContext,
    engine: am.Engine | None,
    work: Work,
    numbers: range,
    workers: int,
    timeout: float,
) -> list[Outcome]:
    """Let processes share an engine, or open their own where it is None."""
    until = time.monotonic() + timeout
    outcomes = []
    with crowd() as processes:
        waiting: dict[Connection, BaseProcess] = {}
        for worker in range(workers):
            receiving, sending = context.Pipe(duplex=False)
            share = numbers[worker::workers]
            process = context.Process(  # type: ignore[attr-defined]
                target=serve, args=(engine, work, share, timeout, sending), daemon=True
            )
            process.start()
            sending.close()
            processes.append(process)
            waiting[receiving] = process
        while waiting:
            left = max(0.0, until - time.monotonic())
            ready = [one for one in wait(list(waiting), left) if isinstance(one, Connection)]
            if not ready:
                raise SystemExit(f"{len(waiting)} workers did not come to an end")
            for receiving in ready:
                process = waiting.pop(receiving)
                try:
                    outcomes.append(receiving.recv())
                except EOFError:
                    process.join(timeout)
                    raise SystemExit(f"a worker ended with {process.exitcode}") from None
    return outcomes


@contextmanager
def crowd() -> Iterator[list[BaseProcess]]:
    """Processes that do not outlive the block, whatever ends it."""
    processes: list[BaseProcess] = []
    try:
        yield processes
        for process in processes:
            process.join(60)
    finally:
        for process in processes:
            if process.is_alive():
                process.kill()
            process.join()


def show(how: str, outcomes: list[Outcome], seconds: float) -> bool:
    """Print what a crowd came to, and return whether it is as it should be."""
    predictions = sum(one.predictions for one in outcomes)
    different = sum(one.different for one in outcomes)
    growth = max(one.growth_mebibytes for one in outcomes)
    print(
        f"{how:24} {predictions:7} predictions, {different} different,"
        f" grew by {growth:.1f} MiB at most, {seconds:.0f} s",
        flush=True,
    )
    return not different and growth <= MOST_GROWTH_MEBIBYTES


def main() -> int:
    """Print the counts; 1 if anything differed or grew."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--predictions", type=int, default=100_000, help="in all (%(default)s)")
    parser.add_argument("--workers", type=int, default=8, help="of each crowd (%(default)s)")
    parser.add_argument("--timeout", type=float, default=3_600, help="seconds (%(default)s)")
    arguments = parser.parse_args()
    # The system's own alarm ends a process even where every thread of it is stuck.
    signal.alarm(math.ceil(arguments.timeout))
    workers, timeout = arguments.workers, arguments.timeout
    try:
        bars = known_sources()[0].bars()
    except MarketDataNotFoundError:
        bars = am.sample_bars()

    engine = am.Engine()
    lookback = engine.lookback_bars
    windows = min(len(bars) - lookback + 1, _MOST_WINDOWS, arguments.predictions)
    bars = bars[-(windows + lookback - 1) :]
    expected = np.stack([values_of(engine, bars, first, lookback) for first in range(windows)])
    work = Work(bars, lookback, expected)
    print(f"{windows} windows of {bars.source}, {expected.shape[1]} values each", flush=True)

    third = arguments.predictions // 3

    def processes(kind: str, engine: am.Engine | None, numbers: range) -> list[Outcome]:
        context = multiprocessing.get_context(kind)
        return by_processes(context, engine, work, numbers, workers, timeout)

    crowds: dict[str, tuple[range, Callable[[range], list[Outcome]]]] = {
        f"{workers} forked processes": (range(third), partial(processes, "fork", engine)),
        f"{workers} threads": (
            range(third, 2 * third),
            lambda numbers: by_threads(engine, work, numbers, workers),
        ),
        f"{workers} spawned processes": (
            range(2 * third, arguments.predictions),
            partial(processes, "spawn", None),
        ),
    }
    is_well, total, different = True, 0, 0
    try:
        for how, (numbers, crowd_of) in crowds.items():
            start = time.monotonic()
            outcomes = crowd_of(numbers)
            is_well &= show(how, outcomes, time.monotonic() - start)
            total += sum(one.predictions for one in outcomes)
            different += sum(one.different for one in outcomes)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    print(f"{total} predictions, {different} differences")
    return 0 if is_well and total == arguments.predictions else 1


if __name__ == "__main__":
    sys.exit(main())
