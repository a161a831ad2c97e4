"""Forecast logs as earlier versions wrote them."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from contextlib import closing

from aegismatrix.desk.monitoring.journal import Journal


def digest_of(values: list[object]) -> str:
    return hashlib.sha256(json.dumps(values, separators=(",", ":")).encode()).hexdigest()


def to_version_2(journal: Journal) -> list[str]:
    """Turn a log into one as the second version wrote it; the digests of its entries."""
    with closing(sqlite3.connect(journal.path)) as file, file:
        for column in ("report_sha256", "previous"):
            file.execute(f"ALTER TABLE runs DROP COLUMN {column}")
        found = []
        for number, *values, _ in file.execute("SELECT * FROM runs ORDER BY id").fetchall():
            found.append(digest_of(values))
            file.execute("UPDATE runs SET digest = ? WHERE id = ?", (found[-1], number))
        file.execute("PRAGMA user_version = 2")
    return found


def to_version_1(journal: Journal) -> None:
    """Turn a log into one as the first version wrote it, whose claims had no last session."""
    to_version_2(journal)
    with closing(sqlite3.connect(journal.path)) as file, file:
        file.execute("ALTER TABLE claims DROP COLUMN ends_on")
        file.execute("PRAGMA user_version = 1")
