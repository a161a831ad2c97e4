"""One SQLite file of a known kind: opened, checked and laid out, every failure typed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import field
from pathlib import Path

from aegismatrix.desk.errors import StoreError
from aegismatrix.records import dataclass

_SYSTEM_REASONS = ("unable to open", "readonly", "disk I/O", "disk is full")


@dataclass(frozen=True)
class Kind:
    """What tells a file from other programs' files, and what its failures are called.

    Attributes
    ----------
    application_id : int
        Marks the file.
    version : int
        The form of the tables; in the file it is `user_version`.
    tables : tuple of str
        The statements that make them.
    error : type of StoreError
        What says that the file cannot be used.
    upgrades : mapping of int to tuple of str
        By an older version that can be read too, the statements that make this one of it.
    """

    application_id: int
    version: int
    tables: tuple[str, ...]
    error: type[StoreError]
    upgrades: Mapping[int, tuple[str, ...]] = field(default_factory=dict)


class Database:
    """A file of one kind, which several processes may use at a time.

    Parameters
    ----------
    path : Path
        The file.
    kind : Kind
        What it is to be.
    """

    def __init__(self, path: Path, kind: Kind) -> None:
        self.path = path
        self.kind = kind

    @contextmanager
    def reading(self, busy_seconds: float) -> Iterator[sqlite3.Connection]:
        """Open the file for one transaction that only reads.

        Parameters
        ----------
        busy_seconds : float
            How long to wait for others' transactions.

        Yields
        ------
        Connection

        Raises
        ------
        StoreError
            Of the kind's own class.
        """
        with self._opened("rw", busy_seconds) as file, _transaction(file, "DEFERRED"):
            yield file

    @contextmanager
    def writing(self, busy_seconds: float, *, make: bool = True) -> Iterator[sqlite3.Connection]:
        """Open the file, or make it and its folder, for one transaction that writes.

        Parameters
        ----------
        busy_seconds : float
            How long to wait for others' transactions.
        make : bool
            Whether to make what is not there.

        Yields
        ------
        Connection

        Raises
        ------
        StoreError
            Of the kind's own class; the content is as it was then.
        """
        if make:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise self._unusable(error) from error
        mode = "rwc" if make else "rw"
        with self._opened(mode, busy_seconds) as file, _transaction(file, "IMMEDIATE"):
            yield file

    def exists(self) -> bool:
        """Say whether there is such a file.

        Returns
        -------
        bool

        Raises
        ------
        StoreError
            If that cannot be known: a folder above it may not be entered.
        """
        try:
            self.path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise self._unusable(error) from error
        return True

    def is_laid_out(self, file: sqlite3.Connection) -> bool:
        """Say whether there are tables, of this kind and sound.

        Parameters
        ----------
        file : Connection
            From `reading` or `writing`.

        Returns
        -------
        bool
            False for the empty file that a process leaves which was killed before its first commit.

        Raises
        ------
        StoreError
            If it is unrecognised or damaged.
        """
        path, kind = str(self.path), self.kind
        if not file.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            if self.path.stat().st_size:
                raise kind.error(path, "unrecognised", "it holds no tables")
            return False
        if file.execute("PRAGMA application_id").fetchone()[0] != kind.application_id:
            raise kind.error(path, "unrecognised", "another program made it")
        version = self.version_of(file)
        if version != kind.version and version not in kind.upgrades:
            reason = f"it has version {version}, this package reads {kind.version}"
            raise kind.error(path, "unrecognised", reason)
        for (finding,) in file.execute("PRAGMA quick_check(1)"):
            if finding != "ok":
                raise kind.error(path, "damaged", str(finding).partition("\n")[0])
        return True

    def version_of(self, file: sqlite3.Connection) -> int:
        """Return the form of the tables that are there.

        Parameters
        ----------
        file : Connection
            From `reading` or `writing`.

        Returns
        -------
        int
        """
        version: int = file.execute("PRAGMA user_version").fetchone()[0]
        return version

    def upgrade(self, file: sqlite3.Connection) -> None:
        """Bring tables of an older version to this one; rows stay as they are.

        Parameters
        ----------
        file : Connection
            From `writing`, laid out.
        """
        for statement in self.kind.upgrades.get(self.version_of(file), ()):
            file.execute(statement)
        file.execute(f"PRAGMA user_version = {self.kind.version}")

    def lay_out(self, file: sqlite3.Connection) -> None:
        """Mark the file and make its tables.

        Parameters
        ----------
        file : Connection
            From `writing`.
        """
        file.execute(f"PRAGMA application_id = {self.kind.application_id}")
        file.execute(f"PRAGMA user_version = {self.kind.version}")
        for table in self.kind.tables:
            file.execute(table)

    @contextmanager
    def _opened(self, mode: str, busy_seconds: float) -> Iterator[sqlite3.Connection]:
        address = f"{self.path.absolute().as_uri()}?mode={mode}"
        try:
            with closing(
                sqlite3.connect(address, uri=True, timeout=busy_seconds, isolation_level=None)
            ) as file:
                yield file
        except sqlite3.DatabaseError as error:
            raise self._typed(error, busy_seconds) from error
        except UnicodeDecodeError as error:
            raise self.kind.error(str(self.path), "damaged", str(error)) from error

    def _unusable(self, error: OSError) -> StoreError:
        return self.kind.error(str(self.path), "unusable", error.strerror or str(error))

    def _typed(self, error: sqlite3.DatabaseError, busy_seconds: float) -> StoreError:
        # Error codes are told from Python 3.11 on.
        path, text = str(self.path), str(error)
        if "locked" in text:
            return self.kind.error(path, "busy", f"{busy_seconds:g} s")
        if any(reason in text for reason in _SYSTEM_REASONS):
            return self.kind.error(path, "unusable", text)
        if "not a database" in text:
            return self.kind.error(path, "unrecognised", "it is not a SQLite file")
        return self.kind.error(path, "damaged", text)


@contextmanager
def _transaction(file: sqlite3.Connection, kind: str) -> Iterator[None]:
    file.execute(f"BEGIN {kind}")
    try:
        yield
    except BaseException:
        # Some errors of SQLite have ended the transaction already.
        if file.in_transaction:
            file.execute("ROLLBACK")
        raise
    file.execute("COMMIT")
