"""A local cache of fetched bars: one SQLite file per symbol and interval.

Every write replaces the whole content in one transaction, so that a process killed at any point
leaves the old content or the new one. A digest of the rows tells a flipped bit from a price.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Mapping
from datetime import date, datetime, timezone
from pathlib import Path
from urllib.parse import quote

import numpy as np

from aegismatrix.desk.database import Database, Kind
from aegismatrix.desk.errors import CacheError
from aegismatrix.desk.sources.prices import COLUMNS, UNITS, Interval, Prices
from aegismatrix.errors import MissingExtraError
from aegismatrix.records import dataclass

FOLDER_VARIABLE = "AEGISMATRIX_CACHE"
"""The environment variable that names the cache's folder."""

APPLICATION_ID = 0x41_45_47_49
"""Marks a SQLite file as one of these: AEGI."""

VERSION = 1
"""The form of the tables; in the file it is `user_version`."""

BUSY_SECONDS = 30.0
"""How long a refresh waits for another one's transaction, which takes milliseconds."""

_ASKED_AGAIN = "asked_again_at"
_TABLES = (
    "CREATE TABLE bars (stamp INTEGER PRIMARY KEY, open REAL, high REAL, low REAL, close REAL)",
    "CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
)
_KIND = Kind(
    application_id=APPLICATION_ID,
    version=VERSION,
    tables=_TABLES,
    error=CacheError,
)


@dataclass(frozen=True)
class Stored:
    """What a cache holds.

    Attributes
    ----------
    prices : Prices
        The rows, as the provider gave them.
    since : date
        The first day that was asked for; the first row may be later.
    fetched_at : datetime
        When the newest rows were fetched, UTC.
    asked_again_at : datetime or None
        When sessions that are missing or blank were last asked for again, UTC.
    """

    prices: Prices
    since: date
    fetched_at: datetime
    asked_again_at: datetime | None = None


def cache_folder(given: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder of the cache; it need not exist.

    Parameters
    ----------
    given : path-like, optional
        The folder; by default the one that AEGISMATRIX_CACHE names, else the platform's.

    Returns
    -------
    Path

    Raises
    ------
    MissingExtraError
        If the platform's folder is needed and platformdirs is not installed.
    """
    named = given or os.environ.get(FOLDER_VARIABLE)
    if named:
        return Path(named)
    try:
        import platformdirs
    except ImportError as error:
        raise MissingExtraError("platformdirs", extra="yahoo") from error
    return platformdirs.user_cache_path("aegismatrix", appauthor=False)


class PriceCache:
    """The cached bars of one symbol and interval.

    Parameters
    ----------
    folder : path-like
        Of the cache.
    provider, symbol : str
        Whose bars of what.
    interval : {'1d', '5m'}
        Length of a bar.
    """

    def __init__(
        self, folder: str | os.PathLike[str], provider: str, symbol: str, interval: Interval
    ) -> None:
        self.interval: Interval = interval
        # The content names what it is of, since a file may be renamed or copied.
        self._of = f"{provider} {symbol} {interval}"
        names = (quote(name, safe="") for name in (provider, symbol, interval))
        self.path = Path(folder) / f"{'.'.join(names)}.sqlite3"
        self._database = Database(self.path, _KIND)

    def read(self) -> Stored | None:
        """Read and check the whole content.

        Returns
        -------
        Stored or None
            None if nothing has been stored yet.

        Raises
        ------
        CacheError
            If it is damaged, unrecognised, busy or unusable.
        """
        if not self.path.exists():
            return None
        with self._database.reading(BUSY_SECONDS) as file:
            return self._content(file)

    def replace(self, new: Stored, *, old: Stored | None) -> bool:
        """Replace the whole content in one transaction, if it is still what was read.

        Parameters
        ----------
        new : Stored
            The new content.
        old : Stored or None
            What `read` returned before `new` was made of it.

        Returns
        -------
        bool
            False if another process has written in the meantime; its content stays.

        Raises
        ------
        CacheError
            If the cache cannot be written; the previous content is untouched then.
        """
        with self._database.writing(BUSY_SECONDS) as file:
            held = self._content(file)
            if (held and _digest(held)) != (old and _digest(old)):
                return False
            if held is None:
                self._database.lay_out(file)
            self._write(file, new)
        return True

    def _content(self, file: sqlite3.Connection) -> Stored | None:
        if not self._database.is_laid_out(file):
            return None
        facts = dict(file.execute("SELECT name, value FROM facts"))
        rows = file.execute(f"SELECT stamp, {', '.join(COLUMNS)} FROM bars ORDER BY stamp")
        try:
            return self._parsed(facts, rows.fetchall())
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise CacheError(
                str(self.path), "damaged", f"its content cannot be read ({error})"
            ) from error

    def _parsed(
        self, facts: Mapping[str, str], rows: list[tuple[int, float, float, float, float]]
    ) -> Stored:
        if facts["of"] != self._of:
            raise CacheError(
                str(self.path), "unrecognised", f"it holds {facts['of']}, not {self._of}"
            )
        stamps = np.array([row[0] for row in rows], dtype=np.int64)
        values = np.array([row[1:] for row in rows], dtype=np.float64).reshape(-1, len(COLUMNS))
        unit = UNITS[self.interval]
        stored = Stored(
            Prices(self.interval, stamps.astype(f"datetime64[{unit}]"), values),
            date.fromisoformat(facts["since"]),
            datetime.fromisoformat(facts["fetched_at"]).astimezone(timezone.utc),
            # Not sealed with the rows: at worst a session is asked for once more, or later.
            datetime.fromisoformat(facts[_ASKED_AGAIN]).astimezone(timezone.utc)
            if _ASKED_AGAIN in facts
            else None,
        )
        if facts["sha256"] != _digest(stored):
            raise CacheError(str(self.path), "damaged", "its rows are not those written")
        return stored

    def _write(self, file: sqlite3.Connection, new: Stored) -> None:
        facts = {
            "of": self._of,
            "since": new.since.isoformat(),
            "fetched_at": new.fetched_at.astimezone(timezone.utc).isoformat(),
            "sha256": _digest(new),
        }
        if new.asked_again_at is not None:
            facts[_ASKED_AGAIN] = new.asked_again_at.astimezone(timezone.utc).isoformat()
        stamps = new.prices.stamps.astype(np.int64).tolist()
        rows = zip(stamps, new.prices.values.tolist(), strict=True)
        file.execute("DELETE FROM bars")
        file.execute("DELETE FROM facts")
        # SQLite keeps NaN as NULL, which numpy reads as NaN.
        file.executemany(
            "INSERT INTO bars VALUES (?, ?, ?, ?, ?)", ((stamp, *row) for stamp, row in rows)
        )
        file.executemany("INSERT INTO facts VALUES (?, ?)", facts.items())


def _digest(stored: Stored) -> str:
    sha256 = hashlib.sha256(f"{stored.since} {stored.fetched_at.timestamp()}".encode())
    sha256.update(stored.prices.stamps.astype("<i8").tobytes())
    values = stored.prices.values
    sha256.update(np.where(np.isnan(values), np.nan, values).astype("<f8").tobytes())
    return sha256.hexdigest()
