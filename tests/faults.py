"""Processes that fail at a counted moment of their work: ended as by a power cut, or refused.

A moment is just before a file in a folder is opened for writing, flushed, renamed or removed, or a
database there runs a statement: between two of them nothing changes on the disk. So all moments
are gone through, each once, and the same ones on any machine, however loaded.

What is refused is refused once, as by a disk that fails, or from that moment on, as by one that is
full: then nothing is written any more, while files can still be renamed and removed.

Run as ``python -m tests.faults FOLDER ARGUMENTS...`` the job is the command `aegismatrix`.
"""

from __future__ import annotations

import errno
import itertools
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

NEVER = 0
KILLED, REFUSED, FULL = "killed", "refused", "full"
"""What comes at the moment: the end, one refusal, or a disk that is full from then on."""

_TOLD = 100
_CHANGING = ("INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP", "PRAGMA user_version =")
_CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link"}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Children:
    """A process that forks a child for each moment; how many moments of the job there were."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.moments = 0

    def run(self, moment: int = NEVER, kind: str = KILLED) -> int:
        """Let a child do the job until the moment of that number, or whole; its exit status."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{moment} {kind}\n")
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

    def refused(self, kind: str) -> Iterator[int]:
        """Refuse a child something at each moment in turn; the status that its job ends with."""
        for moment in itertools.count(1):
            status = self.run(moment, kind)
            if status < _TOLD:
                assert status == 0
                return
            self.moments = moment
            yield status - _TOLD


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
            moment, kind = line.split()
            try:
                faults = _fail_at(int(moment), kind, folder)
                told = job()
            except BaseException:  # noqa: BLE001
                traceback.print_exc()
                os._exit(1)
            status = told if isinstance(told, int) else 0
            os._exit((_TOLD if faults.came and kind != KILLED else 0) + status)
        _, ended = os.waitpid(child, 0)
        answers.write(f"{os.waitstatus_to_exitcode(ended)}\n")
        answers.flush()


class _Faults:
    """What is counted, and what comes at the moment."""

    def __init__(self, moment: int, kind: str) -> None:
        self._count = itertools.count(1)
        self._moment, self._kind = moment, kind
        self.came = False

    def come(self, error: Exception, *, needs_space: bool = True) -> None:
        """Count a moment; let happen what is to happen."""
        number = next(self._count)
        if number == self._moment and self._kind == KILLED:
            os.kill(os.getpid(), signal.SIGKILL)
        first = number == self._moment and self._kind != KILLED
        if first or (self.came and self._kind == FULL):
            self.came = True
            if needs_space or self._kind == REFUSED:
                raise error


def _fail_at(moment: int, kind: str, folder: Path) -> _Faults:
    """Have this process killed or refused something at the moment of that number, or never."""
    faults = _Faults(moment, kind)
    inside = os.fspath(folder)
    alike = ("", 0)

    def full() -> OSError:
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def run(statement: str) -> None:
        nonlocal alike
        begin = statement[:12]
        alike = (begin, alike[1] + 1 if begin == alike[0] else 1)
        # Of thousands of rows one after another, the first, the second, the fourth and so on.
        if alike[1] & (alike[1] - 1) == 0:
            faults.come(sqlite3.OperationalError("never"))

    def is_inside(place: object) -> bool:
        return isinstance(place, str | Path) and os.fspath(place).startswith(inside)

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            place, _, flags = arguments
            if flags & _WRITING and is_inside(place):
                faults.come(full())
        elif event in _CHANGES and is_inside(arguments[0]):
            refusal = OSError(errno.EACCES, os.strerror(errno.EACCES))
            faults.come(refusal, needs_space=event == "os.mkdir")

    def fsync(descriptor: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        faults.come(full(), needs_space=not is_folder)
        flush(descriptor)

    class Refusing(sqlite3.Connection):
        has_changed = False

        def execute(self, statement: str, *given: Any) -> sqlite3.Cursor:
            self._meet(statement)
            return super().execute(statement, *given)

        def executemany(self, statement: str, *given: Any) -> sqlite3.Cursor:
            self._meet(statement)
            return super().executemany(statement, *given)

        def _meet(self, statement: str) -> None:
            self.has_changed |= statement.startswith(_CHANGING)
            if statement.startswith(_CHANGING) or (self.has_changed and statement == "COMMIT"):
                faults.come(sqlite3.OperationalError("database or disk is full"))

    def connect(*given: Any, **named: Any) -> sqlite3.Connection:
        if kind != KILLED:
            return opened(*given, **named, factory=Refusing)
        connection: sqlite3.Connection = opened(*given, **named)
        connection.set_trace_callback(run)
        return connection

    flush, opened = os.fsync, sqlite3.connect
    os.fsync, sqlite3.connect = fsync, connect  # type: ignore[assignment]
    sys.addaudithook(audit)
    return faults


def _command(folder: Path, arguments: Sequence[str]) -> None:
    from aegismatrix.desk.cli.main import main

    # What a run loads late is loaded once, before any child.
    with redirect_stdout(sys.stderr):
        main([*arguments, "--out", str(folder / "once")])
    fork_for_each_moment(lambda: main([*arguments, "--out", str(folder / "out")]), folder)


if __name__ == "__main__":
    _command(Path(sys.argv[1]), sys.argv[2:])
