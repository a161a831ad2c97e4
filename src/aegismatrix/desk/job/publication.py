"""One publication is one thing: the files of a folder and their entry in the log, or none of it.

New files are staged beside the old ones, of which copies are kept, and a note says what takes the
place of what. Then, within the log's transaction, the files are replaced; the commit decides.
Whoever comes next finds the note of a publication that was interrupted: if the log holds its entry,
it stands, otherwise the old files are put back. Without a log the removal of the note decides.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from aegismatrix.desk.errors import JournalError, PublicationError
from aegismatrix.desk.files import (
    STAGED,
    naming,
    real_path,
    remove_leftovers,
    stage,
    sync_folder,
    write_atomically,
)
from aegismatrix.desk.job.lock import holding
from aegismatrix.desk.json_text import sha256_of
from aegismatrix.desk.report import Report
from aegismatrix.errors import OutputError
from aegismatrix.records import dataclass

if TYPE_CHECKING:
    from aegismatrix.desk.monitoring.journal import Journal

REPORT_NAME, PAGE_NAME, JOURNAL_NAME = (
    "aegismatrix.json",
    "aegismatrix.html",
    "forecasts.sqlite",
)
PENDING_NAME = ".aegismatrix.pending"
"""The note on a publication that is under way, or was interrupted."""

LEFTOVERS_KEPT = timedelta(hours=1)

_STAGED = re.compile(re.escape(STAGED) + r"\w+")
_FORM = 1

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Move:
    """One file of a publication.

    Attributes
    ----------
    name : str
        The published file, in the folder.
    fresh : str
        The staged file that takes its place, beside it.
    former : str or None
        A copy of what it holds, beside it; None where there was nothing.
    sha256 : str
        Of the new content.
    """

    name: str
    fresh: str
    former: str | None
    sha256: str


@dataclass(frozen=True)
class Pending:
    """A publication that is under way, or was interrupted.

    Attributes
    ----------
    moves : tuple of Move
        Its files.
    log : str or None
        The forecast log, seen from the folder; None where none is kept.
    entry : str or None
        The digest of its entry there.
    """

    moves: tuple[Move, ...]
    log: str | None
    entry: str | None


def put_in_place(
    folder: Path,
    make: Callable[[str | None], tuple[Report, Mapping[str, str]]],
    journal: Journal | None = None,
    known: str | None = None,
) -> tuple[Report, str | None]:
    """Replace what a folder publishes, and log it.

    Parameters
    ----------
    folder : Path
        Made if need be, unless an entry is known.
    make : callable
        From the digest of the log's last entry, None without a log, to the report and the files by
        name, the JSON among them.
    journal : Journal, optional
        Where it is logged.
    known : str, optional
        The digest of an entry that the log must hold: this job's last one.

    Returns
    -------
    report : Report
        As `make` made it.
    entry : str or None
        The digest of its entry in the log.

    Raises
    ------
    FolderBusyError
        If another process publishes there all the time.
    JournalError
        If the log cannot be used, or lacks the entry that is known.
    OutputError
        If the disk refuses.
    PublicationError
        If what failed, or an earlier publication that was interrupted, cannot be undone. After any
        other error the folder and the log are as before.
    """
    if known is None:
        with naming(folder):
            folder.mkdir(parents=True, exist_ok=True)
    elif journal is not None:
        with naming(folder):
            is_there = folder.is_dir()
        if not is_there:
            raise JournalError(str(journal.path), "vanished", f"the folder {folder} is gone")
    with holding(folder):
        complete(folder)
        entry = None
        try:
            if journal is None:
                report, files = make(None)
                _exchange(folder, files, None, None)
                _settle(folder)
            else:
                from aegismatrix.desk.monitoring.journal import entry_of

                with journal.appending(known) as log:
                    report, files = make(log.head)
                    entry = log.add(entry_of(report), sha256_of(files[REPORT_NAME]))
                    _exchange(folder, files, journal.path, entry)
        except BaseException:
            complete(folder)
            raise
        if entry is not None:
            try:
                _settle(folder)
            except OutputError as error:
                # It is published and logged; the next run finds that out from the note.
                _log.warning("%s", error)
        removed = remove_leftovers(folder, LEFTOVERS_KEPT)
    if removed:
        _log.warning("removed %d leftovers of interrupted runs from %s", removed, folder)
    return report, entry


def complete(folder: Path) -> bool:
    """Put right what an interrupted publication left: finish it if it was logged, or undo it.

    Parameters
    ----------
    folder : Path
        Its lock is held.

    Returns
    -------
    bool
        Whether there was one.

    Raises
    ------
    PublicationError
        If that cannot be done, or the log cannot be asked.
    """
    pending = read_pending(folder)
    if pending is None:
        return False
    try:
        if pending.log is not None and pending.entry is not None:
            from aegismatrix.desk.monitoring.journal import Journal

            is_logged = Journal(folder / pending.log).holds(pending.entry)
        else:
            is_logged = False
        for move in pending.moves:
            (_finish if is_logged else _undo)(folder, move)
        _settle(folder)
    except (OutputError, JournalError) as error:
        reason = f"{error.path}: {error.reason}"
        raise PublicationError(str(folder), "not_undone", reason) from error
    how = "stands, since it was logged" if is_logged else "was undone, since it was not finished"
    _log.warning("a publication in %s that was interrupted %s", folder, how)
    return True


def read_pending(folder: Path) -> Pending | None:
    """Read the note on a publication that is under way, or was interrupted.

    Parameters
    ----------
    folder : Path
        The folder.

    Returns
    -------
    Pending or None
        None where there is none.

    Raises
    ------
    PublicationError
        If there is one that cannot be read.
    """
    try:
        text = (folder / PENDING_NAME).read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise PublicationError(str(folder), "unreadable", reason) from error
    try:
        said = json.loads(text)
        if said["form"] != _FORM:
            raise ValueError(f"it has form {said['form']!r}")
        moves = tuple(Move(**move) for move in said["moves"])
        pending = Pending(moves, said["log"], said["entry"])
        _check(pending)
    except (ValueError, KeyError, TypeError) as error:
        raise PublicationError(str(folder), "unreadable", str(error)) from error
    return pending


def _check(pending: Pending) -> None:
    """Hold the names against what this package writes: a note leads to no other file."""
    for text in (pending.log, pending.entry):
        if not isinstance(text, str | None):
            raise TypeError(f"{text!r} is no text")
    for move in pending.moves:
        staged = [move.fresh] if move.former is None else [move.fresh, move.former]
        if move.name not in (REPORT_NAME, PAGE_NAME) or not all(map(_STAGED.fullmatch, staged)):
            raise ValueError(f"it names {move}")


def _exchange(folder: Path, files: Mapping[str, str], log: Path | None, entry: str | None) -> None:
    """Stage, note and replace; whoever calls undoes what the note says, if this fails."""
    moves: list[Move] = []
    left: list[Path] = []
    try:
        for name, text in files.items():
            with naming(folder / name):
                target, data = real_path(folder / name), text.encode("utf-8")
                if target.exists() and target.read_bytes() == data:
                    continue
                former = _copied(target)
                left += [] if former is None else [former]
                fresh = stage(target, data)
                left.append(fresh)
            kept = None if former is None else former.name
            moves.append(Move(name, fresh.name, kept, hashlib.sha256(data).hexdigest()))
        note = {
            "form": _FORM,
            "log": None if log is None else _seen_from(folder, log),
            "entry": entry,
            "moves": [asdict(move) for move in moves],
        }
        write_atomically(folder / PENDING_NAME, json.dumps(note, indent=1) + "\n")
    except BaseException:
        # If the note is there all the same, it does not need the files that are taken away here:
        # nothing has been replaced.
        for path in left:
            with contextlib.suppress(OSError):
                path.unlink()
        raise
    _sync(folder)
    for move in moves:
        with naming(folder / move.name):
            target = real_path(folder / move.name)
            target.with_name(move.fresh).replace(target)
            sync_folder(target.parent)


def _copied(target: Path) -> Path | None:
    """Keep what a file holds, with its times, which web servers tell versions by."""
    if not target.exists():
        return None
    former = stage(target, target.read_bytes())
    shutil.copystat(target, former)
    return former


def _seen_from(folder: Path, log: Path) -> str:
    """The log's path, such that it is found where the folder was moved together with it."""
    whole, base = log.absolute(), folder.absolute()
    return os.fspath(whole.relative_to(base) if whole.is_relative_to(base) else whole)


def _finish(folder: Path, move: Move) -> None:
    with naming(folder / move.name):
        target = real_path(folder / move.name)
        fresh = target.with_name(move.fresh)
        if fresh.exists():
            fresh.replace(target)


def _undo(folder: Path, move: Move) -> None:
    """Put the former content back, where the new one has taken its place."""
    with naming(folder / move.name):
        target = real_path(folder / move.name)
        is_new = target.exists() and hashlib.sha256(target.read_bytes()).hexdigest() == move.sha256
        if is_new and move.former is None:
            target.unlink()
        elif is_new and move.former is not None:
            target.with_name(move.former).replace(target)
        sync_folder(target.parent)


def _settle(folder: Path) -> None:
    """Remove the note, which ends the publication, then what was staged for it."""
    pending = read_pending(folder)
    with naming(folder / PENDING_NAME), contextlib.suppress(FileNotFoundError):
        (folder / PENDING_NAME).unlink()
    try:
        _sync(folder)
    except OutputError as error:
        # Should the note come back with a power cut, what it names must be there still.
        _log.warning("%s", error)
        return
    for move in () if pending is None else pending.moves:
        for name in (move.fresh, move.former):
            # What is left here is removed once it is old.
            with contextlib.suppress(OSError):
                if name is not None:
                    real_path(folder / move.name).with_name(name).unlink()


def _sync(folder: Path) -> None:
    with naming(folder):
        sync_folder(folder)
