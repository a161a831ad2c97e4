"""Publishes in processes that are killed or refused something, or that run side by side.

Run as ``python -m tests.publication_child JOB FOLDER``. With the job ``log`` or ``plain`` it makes
a child for each moment, which publishes to FOLDER/out with or without a forecast log (see
`tests.faults`) and writes to FOLDER/said what it raised. With ``many ROUNDS`` it publishes so many
times.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import aegismatrix as am
from aegismatrix.desk.job.publication import JOURNAL_NAME, PAGE_NAME, REPORT_NAME, put_in_place
from aegismatrix.desk.json_text import sha256_of
from aegismatrix.desk.monitoring.journal import Journal
from aegismatrix.desk.report import Report
from aegismatrix.errors import AegisError

MOMENT = datetime(2026, 1, 5, 4, 0, tzinfo=timezone.utc)
FAILED = 2
Made = Callable[[str | None], tuple[Report, Mapping[str, str]]]


def sample_report() -> Report:
    """The report that all publications here are of, but for the moment."""
    return am.analyze(am.sample_bars(), now=MOMENT)


def making(report: Report, seconds: int, *, with_page: bool = True) -> Made:
    """What is published of a report made so many seconds later, with a page of two lines."""
    stamp = (MOMENT + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def make(head: str | None) -> tuple[Report, Mapping[str, str]]:
        assert report.publication is not None
        publication = replace(report.publication, generated_at=stamp, log_head=head)
        made = replace(report, generated_at=stamp, publication=publication)
        text = made.to_json()
        page = (
            f'<meta name="aegismatrix-generated-at" content="{stamp}">\n'
            f'<meta name="aegismatrix-json-sha256" content="{sha256_of(text)}"></html>\n'
        )
        return made, {REPORT_NAME: text, PAGE_NAME: page} if with_page else {REPORT_NAME: text}

    return make


def _leave_it_to_the_system() -> None:
    """Wait for no disk, since no power is cut: other processes see what is written at once."""

    def connect(*given: Any, **named: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = opened(*given, **named)
        connection.execute("PRAGMA synchronous = OFF")
        return connection

    opened = sqlite3.connect
    os.fsync, sqlite3.connect = lambda _: None, connect  # type: ignore[assignment]


def main(job: str, folder: Path, rounds: int = 0) -> None:
    """Do one job."""
    from tests.faults import fork_for_each_moment

    report, out = sample_report(), folder / "out"
    if job == "many":
        _leave_it_to_the_system()
        for number in range(rounds):
            seconds = 2 * number + os.getpid() % 2
            put_in_place(out, making(report, seconds), Journal(out / JOURNAL_NAME))
        return

    def publish() -> int:
        journal = Journal(out / JOURNAL_NAME) if job == "log" else None
        try:
            put_in_place(out, making(report, time.time_ns() % 10**9), journal)
        except (AegisError, OSError) as error:
            (folder / "said").write_text(f"{type(error).__name__}: {error}")
            return FAILED
        return 0

    fork_for_each_moment(publish, out)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *(int(number) for number in sys.argv[3:]))
