"""A log to look at: reports on the embedded sample, made as a job would have made them."""

from __future__ import annotations

import os
from datetime import datetime, time, timedelta, timezone
from pathlib import Path

from aegismatrix.desk.analysis import analyze
from aegismatrix.desk.monitoring.journal import Journal
from aegismatrix.desk.sources.sample import sample_bars
from aegismatrix.engine.engine import Engine
from aegismatrix.errors import OutputError
from aegismatrix.market.arrays import as_whole
from aegismatrix.market.events import LABELS

DEMO_DAYS = 21
"""A month of sessions."""

# By then a day is over on every clock: that of the sample's market is not known.
_OVER = timedelta(days=1, hours=12)


def demo_journal(
    path: str | os.PathLike[str], *, days: int = DEMO_DAYS, engine: Engine | None = None
) -> Journal:
    """Log a month of reports on the sample, each made when its day was over.

    By the end of the sample all of them are decided.

    The bundled models were trained on the sample's days, so such a log shows what monitoring says
    and proves nothing; `aegismatrix.monitor` says so too.

    Parameters
    ----------
    path : path-like
        A file that is not there yet: a demonstration must not get into a log that is in use.
    days : int
        How many reports, one a session, 1 to 250.
    engine : Engine, optional
        By default one of the bundled artifacts.

    Returns
    -------
    Journal
        To be monitored with `aegismatrix.sample_bars`.

    Raises
    ------
    OutputError
        If the file is there.
    ArgumentError
        If `days` is no such number.
    """
    count = as_whole(days, "days", least=1, most=250, unit="days")
    journal = Journal(path)
    if Path(journal.path).exists():
        raise OutputError(str(journal.path), "it is there already, and a demonstration is no log")
    bars, engine = sample_bars(), engine or Engine()
    last = len(bars) - max(LABELS)
    for end in range(last - count + 1, last + 1):
        day = datetime.combine(bars.dates[end - 1].item(), time(), tzinfo=timezone.utc)
        journal.append(analyze(bars[:end], engine=engine, horizon_days=20, now=day + _OVER))
    return journal
