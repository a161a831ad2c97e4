"""Processes that end without warning, as by a power cut, at a moment of their work that is counted.

A moment is just before a file in a folder is opened for writing, flushed, renamed or removed, or a
database there runs a statement: between two of them nothing changes on the disk. So all moments
are gone through, each once, and the same ones on any machine, however loaded.

Run as ``python -m tests.faults FOLDER ARGUMENTS...`` the job is the command `aegismatrix`.
"""

from __future__ import annotations

import itertools
import os
import signal
import sqlite3
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

NEVER = 0
_CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link"}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Children:
    """A process that forks a child for each moment; how many moments of the job there were."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.moments = 0

    def run(self, moment: int = NEVER) -> int:
        """Let a child do the job until the moment of that number, or whole; its exit status."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{moment}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def ended(self) -> Iterator[int]:
        """End a child at each moment in turn; done when one came to the end of its job."""
        for moment in itertools.count(1):
            status = self.run(moment)
            if status != -signal.SIGKILL:
                assert status == 0
                return
            self.moments = moment
            yield moment


@contextmanager
def children(module: str, *arguments: str | Path) -> Iterator[Children]:
    """Start a module of the tests that ends in `fork_for_each_moment`."""
    with subprocess.Popen(
        [sys.executable, "-m", module, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    ) as process:
        yield Children(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(30) == 0


def fork_for_each_moment(job: Callable[[], object], folder: Path) -> None:
    """Read the moment of the next child from standard input, fork it, and say how it ended."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    for line in sys.stdin:
        child = os.fork()
        if not child:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            try:
                _end_at(int(line), folder)
                job()
            except BaseException:  # noqa: BLE001
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        _, ended = os.waitpid(child, 0)
        answers.write(f"{os.waitstatus_to_exitcode(ended)}\n")
        answers.flush()


def _end_at(moment: int, folder: Path) -> None:
    """Have this process kill itself at the moment of that number; at none for `NEVER`."""
    count = itertools.count(1)
    inside = os.fspath(folder)
    alike = ("", 0)

    def come() -> None:
        if next(count) == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    def run(statement: str) -> None:
        nonlocal alike
        kind = statement[:12]
        alike = (kind, alike[1] + 1 if kind == alike[0] else 1)
        # Of thousands of rows one after another, the first, the second, the fourth and so on.
        if alike[1] & (alike[1] - 1) == 0:
            come()

    def is_inside(place: object) -> bool:
        return isinstance(place, str | Path) and os.fspath(place).startswith(inside)

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            place, _, flags = arguments
            if flags & _WRITING and is_inside(place):
                come()
        elif event in _CHANGES and is_inside(arguments[0]):
            come()

    def fsync(descriptor: int) -> None:
        come()
        flush(descriptor)

    def connect(*given: Any, **named: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = opened(*given, **named)
        connection.set_trace_callback(run)
        return connection

    flush, opened = os.fsync, sqlite3.connect
    os.fsync, sqlite3.connect = fsync, connect  # type: ignore[assignment]
    sys.addaudithook(audit)


def _command(folder: Path, arguments: Sequence[str]) -> None:
    from aegismatrix.desk.cli.main import main

    # What a run loads late is loaded once, before any child.
    with redirect_stdout(sys.stderr):
        main([*arguments, "--out", str(folder / "once")])
    fork_for_each_moment(lambda: main([*arguments, "--out", str(folder / "out")]), folder)


if __name__ == "__main__":
    _command(Path(sys.argv[1]), sys.argv[2:])
