"""Appends to a forecast log in processes that can be killed, or that run side by side.

Run as ``python -m tests.journal_child JOB FOLDER``. With the job ``kill`` it makes one report, and
then a child for each moment, which appends it twice (see `tests.faults`). With ``many NUMBER`` it
appends reports of its own and some that every other one appends.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import aegismatrix as am
from aegismatrix.desk.monitoring.journal import Journal
from aegismatrix.desk.report import Report
from tests.faults import fork_for_each_moment

START = datetime(2026, 1, 5, 4, 0, tzinfo=timezone.utc)
OWN, SHARED = 20, 10


def at(report: Report, moment: datetime) -> Report:
    """The report as if generated at another moment."""
    return replace(report, generated_at=moment.strftime("%Y-%m-%dT%H:%M:%SZ"))


def _append_twice(folder: Path, report: Report) -> None:
    journal = Journal(folder / "log.sqlite3")
    told = os.open(folder / "told", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    # A moment of its own for every process.
    first = 10 * os.getpid()
    for number in (first, first + 1):
        journal.append(at(report, START + timedelta(seconds=number)))
        os.write(told, f"{number}\n".encode())


def main(job: str, folder: Path, number: int = 0) -> None:
    """Do one job."""
    report = am.analyze(am.sample_bars(), now=START)
    if job == "kill":
        fork_for_each_moment(lambda: _append_twice(folder, report), folder)
        return
    journal = Journal(folder / "log.sqlite3")
    for step in range(OWN):
        journal.append(at(report, START + timedelta(days=1 + number, seconds=step)))
        if step < SHARED:
            journal.append(at(report, START + timedelta(seconds=step)))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *(int(number) for number in sys.argv[3:]))
