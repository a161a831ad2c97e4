"""A local cache of fetched bars: one SQLite file per symbol and interval.

Every write replaces the whole content in one transaction, so that a process killed at any point
leaves the old content or the new one. A digest of the rows tells a flipped bit from a price.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timezone
from pathlib import Path
from urllib.parse import quote

import numpy as np

from aegismatrix.errors import (
    CacheBusyError,
    CacheDamagedError,
    CacheError,
    CacheUnusableError,
    ForeignCacheError,
    MissingExtraError,
)
from aegismatrix.sources.prices import COLUMNS, UNITS, Interval, Prices

FOLDER_VARIABLE = "AEGISMATRIX_CACHE"
"""The environment variable that names the cache's folder."""

APPLICATION_ID = 0x41_45_47_49
"""Marks a SQLite file as one of these: AEGI."""

VERSION = 1
"""The form of the tables; in the file it is `user_version`."""

BUSY_SECONDS = 30.0
"""How long a refresh waits for another one's transaction, which takes milliseconds."""

_SYSTEM_REASONS = ("unable to open", "readonly", "disk I/O", "disk is full")
_TABLES = (
    "CREATE TABLE bars (stamp INTEGER PRIMARY KEY, open REAL, high REAL, low REAL, close REAL)",
    "CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
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
    """

    prices: Prices
    since: date
    fetched_at: datetime


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

    def read(self) -> Stored | None:
        """Read and check the whole content.

        Returns
        -------
        Stored or None
            None if nothing has been stored yet.

        Raises
        ------
        CacheError
            One of its children: damaged, foreign, locked, unreadable.
        """
        if not self.path.exists():
            return None
        with self._opened(create=False) as file, self._transaction(file, "DEFERRED"):
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
            One of its children; the previous content is untouched then.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CacheUnusableError(
                str(self.path.parent), reason=error.strerror or str(error)
            ) from error
        with self._opened(create=True) as file, self._transaction(file, "IMMEDIATE"):
            held = self._content(file)
            if (held and _digest(held)) != (old and _digest(old)):
                return False
            if held is None:
                self._lay_out(file)
            self._write(file, new)
        return True

    @contextmanager
    def _opened(self, *, create: bool) -> Iterator[sqlite3.Connection]:
        address = f"{self.path.absolute().as_uri()}?mode={'rwc' if create else 'rw'}"
        try:
            with closing(
                sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
            ) as file:
                yield file
        except sqlite3.DatabaseError as error:
            raise self._typed(error) from error
        except UnicodeDecodeError as error:
            raise CacheDamagedError(str(self.path), reason=str(error)) from error

    def _typed(self, error: sqlite3.DatabaseError) -> CacheError:
        # Error codes are told from Python 3.11 on.
        path, text = str(self.path), str(error)
        if "locked" in text:
            return CacheBusyError(path, seconds=BUSY_SECONDS)
        if any(reason in text for reason in _SYSTEM_REASONS):
            return CacheUnusableError(path, reason=text)
        if "not a database" in text:
            return ForeignCacheError(path, reason="it is not a SQLite file")
        return CacheDamagedError(path, reason=text)

    @contextmanager
    def _transaction(self, file: sqlite3.Connection, kind: str) -> Iterator[None]:
        file.execute(f"BEGIN {kind}")
        try:
            yield
        except BaseException:
            # Some errors of SQLite have ended the transaction already.
            if file.in_transaction:
                file.execute("ROLLBACK")
            raise
        file.execute("COMMIT")

    def _content(self, file: sqlite3.Connection) -> Stored | None:
        # A process that was killed before its first commit leaves an empty file.
        if not file.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            if self.path.stat().st_size:
                raise ForeignCacheError(str(self.path), reason="it holds no tables")
            return None
        self._check_kind(file)
        for (finding,) in file.execute("PRAGMA quick_check(1)"):
            if finding != "ok":
                raise CacheDamagedError(str(self.path), reason=str(finding).partition("\n")[0])
        facts = dict(file.execute("SELECT name, value FROM facts"))
        rows = file.execute(f"SELECT stamp, {', '.join(COLUMNS)} FROM bars ORDER BY stamp")
        try:
            return self._parsed(facts, rows.fetchall())
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise CacheDamagedError(
                str(self.path), reason=f"its content cannot be read ({error})"
            ) from error

    def _check_kind(self, file: sqlite3.Connection) -> None:
        if file.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            raise ForeignCacheError(str(self.path), reason="another program made it")
        version = file.execute("PRAGMA user_version").fetchone()[0]
        if version != VERSION:
            raise ForeignCacheError(
                str(self.path), reason=f"it has version {version}, this package reads {VERSION}"
            )

    def _parsed(
        self, facts: Mapping[str, str], rows: list[tuple[int, float, float, float, float]]
    ) -> Stored:
        if facts["of"] != self._of:
            raise ForeignCacheError(
                str(self.path), reason=f"it holds {facts['of']}, not {self._of}"
            )
        stamps = np.array([row[0] for row in rows], dtype=np.int64)
        values = np.array([row[1:] for row in rows], dtype=np.float64).reshape(-1, len(COLUMNS))
        unit = UNITS[self.interval]
        stored = Stored(
            Prices(self.interval, stamps.astype(f"datetime64[{unit}]"), values),
            date.fromisoformat(facts["since"]),
            datetime.fromisoformat(facts["fetched_at"]).astimezone(timezone.utc),
        )
        if facts["sha256"] != _digest(stored):
            raise CacheDamagedError(str(self.path), reason="its rows are not those written")
        return stored

    def _lay_out(self, file: sqlite3.Connection) -> None:
        file.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        file.execute(f"PRAGMA user_version = {VERSION}")
        for table in _TABLES:
            file.execute(table)

    def _write(self, file: sqlite3.Connection, new: Stored) -> None:
        facts = {
            "of": self._of,
            "since": new.since.isoformat(),
            "fetched_at": new.fetched_at.astimezone(timezone.utc).isoformat(),
            "sha256": _digest(new),
        }
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
