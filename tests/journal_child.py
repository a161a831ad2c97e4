"""Appends to a forecast log in processes that can be killed, or that run side by side.

Run as ``python -m tests.journal_child JOB FOLDER``. With the job ``kill`` it makes one report, then
reads from standard input how many seconds the next child may live, forks it, kills it and says how
it ended. With ``many NUMBER`` it appends reports of its own and some that every other one appends.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import aegismatrix as am
from aegismatrix.desk.monitoring.journal import Journal
from aegismatrix.desk.report import Report

START = datetime(2026, 1, 5, 4, 0, tzinfo=timezone.utc)
OWN, SHARED = 20, 10


def at(report: Report, moment: datetime) -> Report:
    """The report as if generated at another moment."""
    return replace(report, generated_at=moment.strftime("%Y-%m-%dT%H:%M:%SZ"))


def _append_for_ever(folder: Path, report: Report, first: int) -> None:
    journal = Journal(folder / "log.sqlite3")
    told = os.open(folder / "told", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number in range(first, first + 100_000):
        journal.append(at(report, START + timedelta(seconds=number)))
        os.write(told, f"{number}\n".encode())


def _fork_and_kill(folder: Path, report: Report) -> None:
    for number, line in enumerate(sys.stdin):
        child = os.fork()
        if not child:
            _append_for_ever(folder, report, 100_000 * number)
        time.sleep(float(line))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def main(job: str, folder: Path, number: int = 0) -> None:
    """Do one job."""
    report = am.analyze(am.sample_bars(), now=START)
    if job == "kill":
        _fork_and_kill(folder, report)
        return
    journal = Journal(folder / "log.sqlite3")
    for step in range(OWN):
        journal.append(at(report, START + timedelta(days=1 + number, seconds=step)))
        if step < SHARED:
            journal.append(at(report, START + timedelta(seconds=step)))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *(int(number) for number in sys.argv[3:]))
