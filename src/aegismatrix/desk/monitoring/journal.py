"""The forecast log: what was said of which day, kept to be judged once the day has come.

One SQLite file. A run is appended in one transaction, so that a process killed at any point leaves
it logged or not; a digest of each run, and one of its claims, tell a flipped bit from a forecast.
Nothing that was logged is ever changed, and each run carries the digest of the one before it, so
that what was left out, put in or moved shows.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import astuple, fields
from datetime import date, datetime
from pathlib import Path
from typing import Any

from aegismatrix.desk.database import Database, Kind
from aegismatrix.desk.errors import JournalError
from aegismatrix.desk.json_text import sha256_of
from aegismatrix.desk.report import Report
from aegismatrix.desk.signals.direction import MOVE_CONFIDENCE
from aegismatrix.desk.signals.seller import DISTANCE_FRACTIONS
from aegismatrix.errors import ArgumentError, ContractError, shown
from aegismatrix.market.arrays import Published, as_kind, as_rows, as_text
from aegismatrix.market.events import BREACH
from aegismatrix.records import dataclass

_GIVE_DIGEST = "Give the digest of an entry, as `Run.digest` has it."
APPLICATION_ID = 0x41_45_47_4A
"""Marks a SQLite file as one of these: AEGJ."""

VERSION = 3
"""The form of the tables; in the file it is `user_version`."""

BUSY_SECONDS = 30.0
"""How long a run waits for others' transactions, which take milliseconds each."""

SAFE_RANGE = "safe_range"
LOWER_EDGE, UPPER_EDGE = "safe_edge_lower", "safe_edge_upper"
MOVE_INTERVAL = "move_interval"

START = "0" * 64
"""What stands for the entry before the first one."""

_TABLES = (
    "CREATE TABLE runs (id INTEGER PRIMARY KEY, generated_at TEXT NOT NULL, as_of TEXT NOT NULL,"
    " session TEXT NOT NULL, market TEXT NOT NULL, package_version TEXT NOT NULL,"
    " manifest_digest TEXT NOT NULL, in_sample INTEGER NOT NULL, high REAL NOT NULL,"
    " low REAL NOT NULL, close REAL NOT NULL, iv_percent REAL NOT NULL, bar_digest TEXT NOT NULL,"
    " features TEXT NOT NULL, claims_digest TEXT NOT NULL, digest TEXT NOT NULL UNIQUE,"
    " report_sha256 TEXT, previous TEXT)",
    "CREATE TABLE claims (run INTEGER NOT NULL REFERENCES runs, output TEXT NOT NULL,"
    " series TEXT NOT NULL, horizon_days INTEGER NOT NULL, probability REAL NOT NULL,"
    " lower_edge REAL, upper_edge REAL, base_rate REAL, ends_on TEXT,"
    " PRIMARY KEY (run, output)) WITHOUT ROWID",
)
_TO_2 = ("ALTER TABLE claims ADD COLUMN ends_on TEXT",)
_TO_3 = (
    "ALTER TABLE runs ADD COLUMN report_sha256 TEXT",
    "ALTER TABLE runs ADD COLUMN previous TEXT",
)
_KIND = Kind(
    application_id=APPLICATION_ID,
    version=VERSION,
    tables=_TABLES,
    error=JournalError,
    upgrades={1: (*_TO_2, *_TO_3), 2: _TO_3},
)


@dataclass(frozen=True)
class Claim:
    """One probability, with what decides it.

    Attributes
    ----------
    output : str
        A column, or, of the breach surface, the name with horizon and index points
        (`aegismatrix.market.events.Surface.claim`).
    series : str
        What it is scored with: its output; of the surface, whose points differ from day to day, the
        name with the distance in basis points of spot; of the safe range and of a move interval,
        the name with horizon and confidence in per cent, ``safe_range_h20_c80``.
    horizon_days : int
        Trading days until it is decided.
    probability : float
        Unrounded; of the safe range and of a move interval, that it holds.
    lower_edge, upper_edge : float or None
        Index points whose touch is the event, or, for the safe range, its failure; of a move
        interval, between which the close at the end lies if it holds.
    base_rate : float or None
        Sealed with the artifacts that said so, where there is one.
    ends_on : str or None
        The session that the horizon ends with, ISO 8601; None where the exchange had not declared
        it.
    """

    output: str
    series: str
    horizon_days: int
    probability: float
    lower_edge: float | None = None
    upper_edge: float | None = None
    base_rate: float | None = None
    ends_on: str | None = None


@dataclass(frozen=True)
class Run(Published):
    """One logged report.

    Attributes
    ----------
    id : int
        Number in the log.
    generated_at : datetime
        When, UTC.
    as_of : date
        Day of the last bar.
    session : {'closed', 'partial'}
        Whether that day's session had ended.
    market : str
        Whose bars, by the market's name.
    package_version, manifest_digest : str
        Which code, which set of artifacts.
    in_sample : bool
        Whether the last bar lies inside the training span.
    high, low, close, iv_percent : float
        The last bar.
    bar_digest : str
        sha256 of these four values, without their day: a frozen feed may put new days on old ones.
    features : mapping of str to float
        What the models read.
    report_sha256 : str or None
        Of the report's JSON; None in logs of the first two versions.
    previous : str or None
        The digest of the entry before; likewise.
    digest : str
        Of all of this and of the claims: the entry's own.
    """

    id: int
    generated_at: datetime
    as_of: date
    session: str
    market: str
    package_version: str
    manifest_digest: str
    in_sample: bool
    high: float
    low: float
    close: float
    iv_percent: float
    bar_digest: str
    features: Mapping[str, float]
    report_sha256: str | None = None
    previous: str | None = None
    digest: str = ""


_LINKS = ("report_sha256", "previous")
_RUN_COLUMNS = tuple(one.name for one in fields(Run) if one.name not in ("id", "digest", *_LINKS))
_CLAIM_COLUMNS = tuple(one.name for one in fields(Claim))
_ADD_RUN = (
    f"INSERT INTO runs ({', '.join(_RUN_COLUMNS)}, claims_digest, report_sha256, previous, digest)"
    f" VALUES ({', '.join('?' * (len(_RUN_COLUMNS) + 4))})"
)
_FIND_RUN = (
    "SELECT 1 FROM runs WHERE (report_sha256 IS NULL OR report_sha256 = ?) AND claims_digest = ?"
    f" AND {' AND '.join(f'{name} = ?' for name in _RUN_COLUMNS)}"
)
_ADD_CLAIM = (
    f"INSERT INTO claims (run, {', '.join(_CLAIM_COLUMNS)})"
    f" VALUES ({', '.join('?' * (len(_CLAIM_COLUMNS) + 1))})"
)


def claims_of(report: Report) -> tuple[Claim, ...]:
    """Return every probability of a report that its future will decide.

    Parameters
    ----------
    report : Report
        From `aegismatrix.analyze`.

    Returns
    -------
    tuple of Claim
        Events, then the breach surface, either edge and each side, then the move intervals, the
        safe range and each of its edges. What nothing is known to decide is not claimed.

    Raises
    ------
    ContractError
        If two models claim one name.
    """
    record = report.record
    events = [
        Claim(name, name, days, probability, None, None, base_rate, _end(report, days))
        for name, probability in record.probabilities.items()
        for base_rate, days in ((record.base_rates.get(name), record.horizon_days.get(name)),)
        if days is not None
    ]
    claims = (*events, *_touches(report), *_move_intervals(report), *_safe_range(report))
    for name, times in Counter(claim.output for claim in claims).items():
        if times > 1:
            raise ContractError(
                "journal",
                name,
                "is claimed twice",
                remedy="Give the column of the model that was added another name.",
            )
    return claims


def _touches(report: Report) -> Iterator[Claim]:
    surface = report.seller.breach_surface
    basis_points = [round(fraction * 1e4) for fraction in DISTANCE_FRACTIONS]
    edges = zip(surface.lower_edges, surface.upper_edges, strict=True)
    places = list(zip(basis_points, surface.distance_points, edges, strict=True))
    for name, side, lower_counts, upper_counts in (
        ("either", surface.either, True, True),
        ("down", surface.down, True, False),
        ("up", surface.up, False, True),
    ):
        for days, row in zip(surface.horizon_days, side, strict=True):
            for (distance, points, (lower, upper)), probability in zip(places, row, strict=True):
                series = BREACH.column(days, distance, name)
                yield Claim(
                    output=BREACH.claim(days, points, name),
                    series=series,
                    horizon_days=days,
                    probability=probability,
                    lower_edge=lower if lower_counts else None,
                    upper_edge=upper if upper_counts else None,
                    base_rate=report.record.base_rates.get(series),
                    ends_on=_end(report, days),
                )


def _move_intervals(report: Report) -> Iterator[Claim]:
    spot = report.market.spot
    for name, given in report.direction.horizons.items():
        days = given.horizon_days
        yield Claim(
            output=f"{MOVE_INTERVAL}_{name}",
            series=f"{MOVE_INTERVAL}_h{days}_c{MOVE_CONFIDENCE * 100:g}",
            horizon_days=days,
            probability=MOVE_CONFIDENCE,
            lower_edge=spot + given.move_interval_80.lower,
            upper_edge=spot + given.move_interval_80.upper,
            ends_on=_end(report, days),
        )


def _safe_range(report: Report) -> Iterator[Claim]:
    """That it holds, and of each edge that it is touched: one may be wrong where both agree."""
    given = report.seller.safe_range
    rule = f"h{given.horizon_days}_c{given.confidence * 100:g}"
    for name, probability, lower, upper in (
        (SAFE_RANGE, given.confidence, given.lower, given.upper),
        (LOWER_EDGE, given.edge_touch, given.lower, None),
        (UPPER_EDGE, given.edge_touch, None, given.upper),
    ):
        yield Claim(
            output=name,
            series=f"{name}_{rule}",
            horizon_days=given.horizon_days,
            probability=probability,
            lower_edge=lower,
            upper_edge=upper,
            ends_on=_end(report, given.horizon_days),
        )


def _end(report: Report, horizon_days: int) -> str | None:
    ahead = report.record.sessions_ahead
    return ahead[horizon_days - 1] if horizon_days <= len(ahead) else None


class Journal:
    """A forecast log.

    Several processes may use one file at a time.

    Parameters
    ----------
    path : path-like
        The file; the first `append` makes it, and its folder.

    Examples
    --------
    >>> import aegismatrix as am
    >>> journal = am.Journal("forecasts.sqlite3")
    >>> bars = am.sample_bars()
    >>> journal.append(am.analyze(bars))
    True
    >>> [str(run.as_of) for run in journal.runs()]
    ['2018-12-31']
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = _path_of(path)
        self._database = Database(self.path, _KIND)

    def __repr__(self) -> str:
        return f"Journal({str(self.path)!r})"

    def append(self, report: Report) -> bool:
        """Log a report and its claims in one transaction.

        Parameters
        ----------
        report : Report
            From `aegismatrix.analyze`.

        Returns
        -------
        bool
            False if this very report is in the log already; another run on the same bars, at
            another second, is a run of its own.

        Raises
        ------
        JournalError
            If it is damaged, unrecognised, busy or unusable; nothing is logged then.
        ContractError
            If it is not a report.

        Examples
        --------
        >>> import aegismatrix as am
        >>> journal = am.Journal("forecasts.sqlite3")
        >>> bars = am.sample_bars()
        >>> report = am.analyze(bars)
        >>> journal.append(report), journal.append(report)
        (True, False)
        """
        if not isinstance(report, Report):
            raise ContractError(
                "journal",
                "report",
                f"is a {type(report).__name__}",
                remedy="Give a Report, made with aegismatrix.analyze.",
            )
        entry = entry_of(report)
        report_sha256 = sha256_of(report.to_json())
        with self.appending() as log:
            if log.holds(entry, report_sha256):
                return False
            log.add(entry, report_sha256)
        return True

    def head(self) -> str:
        """Return the digest of the last entry.

        Returns
        -------
        str
            64 zeros if nothing is logged.

        Raises
        ------
        JournalError
            If it is damaged, unrecognised, busy or unusable.

        Examples
        --------
        >>> import aegismatrix as am
        >>> am.Journal("no_such_file.sqlite3").head()[:8]
        '00000000'
        """
        return _head([(run.previous, run.digest) for run in self._read()])

    def holds(self, digest: str) -> bool:
        """Say whether an entry is in the log.

        Parameters
        ----------
        digest : str
            The entry's (`Run.digest`).

        Returns
        -------
        bool
            False if there is no file.

        Raises
        ------
        JournalError
            If it is damaged, unrecognised, busy or unusable.

        Examples
        --------
        >>> import aegismatrix as am
        >>> am.Journal("no_such_file.sqlite3").holds("0" * 64)
        False
        """
        asked = as_text(digest, "digest", _GIVE_DIGEST)
        return any(run.digest == asked for run in self._read())

    def appending(self, known: str | None = None) -> AbstractContextManager[OpenLog]:
        """Open the log for one transaction, which ends with the block: whole, or not at all.

        Parameters
        ----------
        known : str, optional
            The digest of an entry that must be there; the file is not made then.

        Returns
        -------
        context manager of OpenLog
            What the block adds to.

        Raises
        ------
        JournalError
            If it is damaged, unrecognised, busy or unusable, or lacks that entry; nothing is logged
            then.

        Examples
        --------
        >>> import aegismatrix as am
        >>> journal = am.Journal("forecasts.sqlite3")
        >>> with journal.appending() as log:
        ...     log.head[:8]
        '00000000'
        """
        if known is not None:
            known = as_text(known, "digest", _GIVE_DIGEST)
        return self._appending(known)

    @contextmanager
    def _appending(self, known: str | None) -> Iterator[OpenLog]:
        if known is not None and not self._database.exists():
            gone = "its folder" if not self.path.parent.is_dir() else "the file"
            raise JournalError(str(self.path), "vanished", f"{gone} is gone")
        with self._database.writing(BUSY_SECONDS, make=known is None) as file:
            if not self._database.is_laid_out(file):
                self._database.lay_out(file)
            elif self._database.version_of(file) != VERSION:
                self._database.upgrade(file)
            links = file.execute("SELECT previous, digest FROM runs ORDER BY id").fetchall()
            if known is not None and known not in (digest for _, digest in links):
                raise JournalError(str(self.path), "vanished", f"entry {known[:16]} is not in it")
            yield OpenLog(file, _head(links))

    def runs(self, market: str | None = None) -> tuple[Run, ...]:
        """Read the logged runs.

        Parameters
        ----------
        market : str, optional
            Of the market of that name alone.

        Returns
        -------
        tuple of Run
            By time of generation; empty if there is no file yet.

        Raises
        ------
        JournalError
            If it is damaged, unrecognised, busy or unusable. A log that was reordered, or in which
            an entry was left out or written anew, is damaged.

        Examples
        --------
        >>> import aegismatrix as am
        >>> am.Journal("no_such_file.sqlite3").runs()
        ()
        """
        if market is not None:
            market = as_text(market, "market", "Give the name of a market, or leave it out.")
        kept = [run for run in self._read() if market is None or run.market == market]
        return tuple(sorted(kept, key=lambda run: (run.generated_at, run.id)))

    def claims(self, runs: Sequence[Run]) -> tuple[tuple[Claim, ...], ...]:
        """Read what some runs claimed.

        Parameters
        ----------
        runs : sequence of Run
            From `runs`.

        Returns
        -------
        tuple of tuple of Claim
            Run by run, each in order of output.

        Raises
        ------
        JournalError
            If the log cannot be read; a run without its claims is damage.

        Examples
        --------
        >>> import aegismatrix as am
        >>> journal = am.Journal("forecasts.sqlite3")
        >>> bars = am.sample_bars()
        >>> journal.append(am.analyze(bars))
        True
        >>> (claims,) = journal.claims(journal.runs())
        >>> claims[0].output, claims[0].horizon_days
        ('breach_down_h10_p100', 10)
        """
        remedy = "Give runs of this log, as Journal.runs returns them."
        runs = [as_kind(run, Run, "runs", remedy) for run in as_rows(runs, "runs", remedy)]
        if not runs:
            return ()
        sealed = "SELECT claims_digest FROM runs WHERE id = ?"
        found = []
        with self._database.reading(BUSY_SECONDS) as file:
            self._database.is_laid_out(file)
            columns = ", ".join(_CLAIM_COLUMNS)
            if self._database.version_of(file) == 1:
                columns = columns.replace("ends_on", "NULL AS ends_on")
            asked = f"SELECT {columns} FROM claims WHERE run = ? ORDER BY output"
            for run in runs:
                rows = file.execute(asked, (run.id,)).fetchall()
                (digest,) = file.execute(sealed, (run.id,)).fetchone() or ("",)
                if not _is_of(digest, [_sealed(row) for row in rows]):
                    reason = f"the claims of run {run.id} are not those written"
                    raise JournalError(str(self.path), "damaged", reason)
                found.append(tuple(Claim(*row) for row in rows))
        return tuple(found)

    def _read(self) -> list[Run]:
        """Every run in the order in which they were logged, checked."""
        if not self._database.exists():
            return []
        links = ", ".join(_LINKS)
        with self._database.reading(BUSY_SECONDS) as file:
            if not self._database.is_laid_out(file):
                return []
            if self._database.version_of(file) < VERSION:
                links = ", ".join(f"NULL AS {name}" for name in _LINKS)
            columns = f"id, {', '.join(_RUN_COLUMNS)}, claims_digest, {links}, digest"
            rows = file.execute(f"SELECT {columns} FROM runs ORDER BY id").fetchall()
        runs = [self._run(row) for row in rows]
        head = START
        for run in runs:
            if run.previous not in (None, head) or (run.previous is None and run.report_sha256):
                reason = f"run {run.id} does not follow the one before it"
                raise JournalError(str(self.path), "damaged", reason)
            head = _head([(run.previous, run.digest)], head)
        return runs

    def _run(self, row: tuple[Any, ...]) -> Run:
        number, *values, report_sha256, previous, digest = row
        # The first two versions had no links.
        links = () if previous is None else (report_sha256, previous)
        if not _is_of(digest, [*values, *links]):
            raise JournalError(str(self.path), "damaged", f"run {number} is not what was written")
        given = dict(zip(_RUN_COLUMNS, values, strict=False))
        given["generated_at"] = datetime.fromisoformat(given["generated_at"].replace("Z", "+00:00"))
        given["as_of"] = date.fromisoformat(given["as_of"])
        given["in_sample"] = bool(given["in_sample"])
        given["features"] = json.loads(given["features"])
        return Run(
            id=number, **given, report_sha256=report_sha256, previous=previous, digest=digest
        )


class OpenLog:
    """A forecast log within a transaction.

    Parameters
    ----------
    file : Connection
        Inside of its transaction.
    head : str
        The digest of its last entry.

    Attributes
    ----------
    head : str
        The digest of the last entry.
    """

    def __init__(self, file: sqlite3.Connection, head: str) -> None:
        self._file = file
        self.head = head

    def holds(self, entry: Entry, report_sha256: str) -> bool:
        """Say whether this very report is logged.

        Parameters
        ----------
        entry : Entry
            From `entry_of`.
        report_sha256 : str
            Of its JSON.

        Returns
        -------
        bool
        """
        asked = (report_sha256, entry.claims_digest, *entry.row)
        return self._file.execute(_FIND_RUN, asked).fetchone() is not None

    def add(self, entry: Entry, report_sha256: str) -> str:
        """Add an entry after the last one.

        Parameters
        ----------
        entry : Entry
            From `entry_of`.
        report_sha256 : str
            Of the JSON of the report.

        Returns
        -------
        str
            Its digest, the log's new head.
        """
        values = (*entry.row, entry.claims_digest, report_sha256, self.head)
        digest = _digest(values)
        number = self._file.execute(_ADD_RUN, (*values, digest)).lastrowid
        claims = ((number, *astuple(claim)) for claim in entry.claims)
        self._file.executemany(_ADD_CLAIM, claims)
        self.head = digest
        return digest


@dataclass(frozen=True)
class Entry:
    """What a log keeps of a report.

    Attributes
    ----------
    row : tuple
        The run's own columns.
    claims : tuple of Claim
        What it claims, in order of output.
    claims_digest : str
        Of the claims.
    """

    row: tuple[Any, ...]
    claims: tuple[Claim, ...]
    claims_digest: str


def entry_of(report: Report) -> Entry:
    """Return what a log keeps of a report.

    Parameters
    ----------
    report : Report
        From `aegismatrix.analyze`.

    Returns
    -------
    Entry

    Raises
    ------
    ContractError
        If two models claim one name.
    """
    claims = tuple(sorted(claims_of(report), key=lambda claim: claim.output))
    return Entry(_row(report), claims, _digest([_sealed(astuple(claim)) for claim in claims]))


def _head(links: Iterable[tuple[str | None, str]], head: str = START) -> str:
    """The digest of the last entry; entries without links are linked by what they were."""
    for previous, digest in links:
        head = _digest([head, digest]) if previous is None else digest
    return head


def _path_of(path: object) -> Path:
    remedy = "Give the path of a file."
    try:
        found = Path(path)  # type: ignore[arg-type]
    except Exception as error:
        # Whatever says that it is a path may fail to give it.
        raise ArgumentError("the path of a forecast log", shown(path), remedy=remedy) from error
    if "\0" in str(found):
        raise ArgumentError("the path of a forecast log", shown(path), remedy=remedy)
    return found


def _row(report: Report) -> tuple[Any, ...]:
    record, provenance = report.record, report.provenance
    bar = [record.high, record.low, record.close, record.iv_percent]
    return (
        report.generated_at,
        report.as_of,
        report.session,
        provenance.market,
        provenance.package_version,
        provenance.manifest_digest,
        int(provenance.in_sample),
        *bar,
        _digest(bar),
        json.dumps(dict(record.features), allow_nan=False),
    )


def _sealed(claim: Sequence[Any]) -> Sequence[Any]:
    """What the digest is of: the first logs had no session that a claim ends with."""
    return claim if claim[-1] is not None else claim[:-1]


def _digest(values: Sequence[Any]) -> str:
    # JSON writes a float in the shortest form that reads back as the same one.
    text = json.dumps(values, allow_nan=False, separators=(",", ":"))
    return sha256_of(text)


def _is_of(digest: str, values: Sequence[Any]) -> bool:
    try:
        return digest == _digest(values)
    except (TypeError, ValueError):
        # A flipped bit may have changed a type, or made a number infinite.
        return False
