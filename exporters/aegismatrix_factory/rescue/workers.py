"""Converts files in several processes, in their order; one that ends its process is a verdict.

What a worker found comes back as JSON and as files of its own: nothing is unpickled on the way.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from aegismatrix_factory.rescue.reading.limits import Limits, conversion_takes_too_long
from aegismatrix_factory.rescue.refusals import Refusal, refusal_of
from aegismatrix_factory.rescue.single import Task, convert
from aegismatrix_factory.rescue.verdicts import REFUSED, Artifact, Rescued

MODULE = "aegismatrix_factory.rescue.workers"
"""What a worker runs."""

_GRACE_SECONDS = 30.0

Converted = tuple[Iterable[Rescued], Callable[[Task], Rescued]]


@contextmanager
def converting(tasks: Sequence[Task], limits: Limits, jobs: int) -> Iterator[Converted]:
    """Give the verdicts on files in their order, and what converts one of them once more.

    Parameters
    ----------
    tasks : sequence of Task
        The files.
    limits : Limits
        What each may cost to read.
    jobs : int
        Processes; 0 for this one alone.

    Yields
    ------
    tuple of (iterable of Rescued, callable)
    """
    if not jobs:
        yield (convert(task, limits) for task in tasks), lambda task: convert(task, limits)
        return
    with tempfile.TemporaryDirectory(prefix="rescue-") as scratch:
        workers = [_Worker(Path(scratch) / str(place), limits) for place in range(jobs)]
        free: SimpleQueue[_Worker] = SimpleQueue()
        for worker in workers:
            free.put(worker)

        def ask(task: Task) -> Rescued:
            worker = free.get()
            try:
                return worker.convert(task)
            finally:
                free.put(worker)

        pool = ThreadPoolExecutor(jobs)
        try:
            yield pool.map(ask, tasks), ask
        finally:
            for worker in workers:
                worker.stop()
            pool.shutdown(wait=True, cancel_futures=True)


class _Worker:
    """One process, started anew after each that ended."""

    def __init__(self, scratch: Path, limits: Limits) -> None:
        scratch.mkdir()
        self._scratch = scratch
        self._limits = limits
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def convert(self, task: Task) -> Rescued:
        if self._process is None:
            self._process = self._started()
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        given = {**asdict(task), "file": str(task.file), "old": str(task.old)}
        given["taken"] = sorted(task.taken)
        line = b""
        # Its own clock is looked at between steps: what a step may take, this one holds.
        late = threading.Event()
        timer = threading.Timer(_longest(self._limits), _kill, (process, late))
        timer.daemon = True
        timer.start()
        try:
            process.stdin.write(json.dumps(given).encode("ascii") + b"\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = b""
        finally:
            timer.cancel()
        if not line.endswith(b"\n"):
            self._process = None
            status = process.wait()
            _close(process)
            return _ended(task, status, self._limits if late.is_set() else None)
        return self._read(json.loads(line))

    def stop(self) -> None:
        self._stopped = True
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            _close(self._process)

    def _started(self) -> subprocess.Popen[bytes]:
        if self._stopped:
            raise KeyboardInterrupt
        command = [sys.executable, "-m", MODULE, str(self._scratch)]
        return subprocess.Popen(
            [*command, json.dumps(asdict(self._limits))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )

    def _read(self, said: dict[str, Any]) -> Rescued:
        artifacts = tuple(
            Artifact(
                one["entry"],
                (self._scratch / one["data"]).read_bytes(),
                tuple(one["warnings"]),
                {name: (self._scratch / file).read_bytes() for name, file in one["beside"].items()},
            )
            for one in said.pop("artifacts")
        )
        refusal, obstacles = said.pop("refusal"), said.pop("obstacles")
        requirements, template = said.pop("requirements"), said.pop("template")
        texts: dict[str, Any] = {
            name: tuple(said.pop(name)) for name in ("left_out", "notes", "parts", "layers")
        }
        return Rescued(
            **said,
            **texts,
            artifacts=artifacts,
            refusal=None if refusal is None else Refusal(**refusal),
            obstacles=tuple(Refusal(**one) for one in obstacles),
            requirements=None if requirements is None else (requirements[0], requirements[1]),
            template=None if template is None else (template[0], template[1]),
        )


def _close(process: subprocess.Popen[bytes]) -> None:
    """Give back the pipes of a process that has ended."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            # What was not written yet has no reader any more.
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


def _longest(limits: Limits) -> float:
    """How long one file may take in all: it is read at most twice, and converted once."""
    return 2.0 * limits.seconds + limits.conversion_seconds + _GRACE_SECONDS


def _kill(process: subprocess.Popen[bytes], late: threading.Event) -> None:
    late.set()
    process.kill()


def _ended(task: Task, status: int, late: Limits | None) -> Rescued:
    """The verdict on a file whose conversion ended its process, or had to be ended."""
    how = f"status {status}"
    if status < 0:
        how = signal.Signals(-status).name
    refusal = Refusal(
        "ended-process",
        f"converting it ended its process ({how}), for want of memory or by a fault",
        "Convert it alone on a machine with more memory; else report it as a bug, with the file if"
        " you can.",
    )
    if late is not None:
        refusal = refusal_of(conversion_takes_too_long(late.conversion_seconds))
    digest, size = None, None
    try:
        data = task.file.read_bytes()
        digest, size = sha256(data).hexdigest(), len(data)
    except OSError:
        # It could be read a moment ago; the verdict stands without its hash.
        digest = None
    return Rescued(
        task.name,
        REFUSED,
        digest,
        size,
        refusal=refusal,
        obstacles=(refusal,),
        next_step=refusal.remedy,
    )


def _written(verdict: Rescued, scratch: Path) -> dict[str, Any]:
    """A verdict as JSON values; what its artifacts hold is in files."""
    artifacts = []
    for place, artifact in enumerate(verdict.artifacts):
        (scratch / f"{place}").write_bytes(artifact.data)
        beside = {}
        for number, (name, content) in enumerate(artifact.beside.items()):
            beside[name] = f"{place}-{number}"
            (scratch / beside[name]).write_bytes(content)
        artifacts.append(
            {
                "entry": artifact.entry,
                "data": f"{place}",
                "warnings": artifact.warnings,
                "beside": beside,
            }
        )
    plain = {
        name: getattr(verdict, name)
        for name in (
            *("file", "verdict", "sha256", "size_bytes", "container", "carried", "left_out"),
            *("notes", "described", "library", "release", "parts", "next_step", "requirements"),
            *("layers", "template"),
        )
    }
    refusal = None if verdict.refusal is None else asdict(verdict.refusal)
    obstacles = [asdict(one) for one in verdict.obstacles]
    return {**plain, "refusal": refusal, "obstacles": obstacles, "artifacts": artifacts}


def main() -> None:
    """Serve one `_Worker`: a task a line comes in, a verdict a line goes out."""
    scratch, limits = Path(sys.argv[1]), Limits(**json.loads(sys.argv[2]))
    # What a library prints is no verdict.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for line in sys.stdin.buffer:
        given = json.loads(line)
        task = Task(
            Path(given["file"]),
            given["name"],
            given["base"],
            Path(given["old"]),
            frozenset(given["taken"]),
        )
        said = _written(convert(task, limits), scratch)
        out.write(json.dumps(said).encode("ascii") + b"\n")
        out.flush()


if __name__ == "__main__":
    main()
