"""Whether the files of a folder belong together: the JSON, its page and its entry in the log."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from aegismatrix.artifacts.manifest import parse_strict_json
from aegismatrix.desk.errors import JournalError, PublicationError
from aegismatrix.desk.job.lock import holding
from aegismatrix.desk.job.publication import (
    JOURNAL_NAME,
    PAGE_NAME,
    PENDING_NAME,
    REPORT_NAME,
    read_pending,
)
from aegismatrix.desk.json_text import stamp_of
from aegismatrix.desk.monitoring.journal import Journal, Run
from aegismatrix.errors import OutputError
from aegismatrix.market.errors import FileUnreadableError
from aegismatrix.records import dataclass

_STAMP, _SHA256 = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "[0-9a-f]{64}"
_MADE = re.compile(f'<meta name="aegismatrix-generated-at" content="({_STAMP})">')
_DRAWN_FROM = re.compile(f'<meta name="aegismatrix-json-sha256" content="({_SHA256})">')


@dataclass(frozen=True)
class Checked:
    """What was found of one file.

    Attributes
    ----------
    what : str
        The file's name.
    said : str
        What it is, or what is wrong, in words.
    status : {'ok', 'FAIL', ''}
        Empty where there is nothing to check.
    remedy : str
        What to do about it, where something is wrong.
    """

    what: str
    said: str
    status: str = "ok"
    remedy: str = ""


@dataclass(frozen=True)
class _Published:
    """The JSON of a folder, as far as it is compared."""

    sha256: str
    generated_at: str
    as_of: str
    log_head: str | None


def check_folder(
    folder: Path, journal: Path | None = None, earlier: Sequence[Path] = ()
) -> tuple[Checked, ...]:
    """Say whether what a folder publishes is one publication, and whether its log was changed.

    Parameters
    ----------
    folder : Path
        What `aegismatrix run` publishes to. Where it can be written, its lock is held meanwhile, so
        that a publication is seen before or after it, never in the midst.
    journal : Path, optional
        The forecast log; by default the one in the folder.
    earlier : sequence of Path
        Copies of the JSON as it was published earlier: each must be in the log, where it was.

    Returns
    -------
    tuple of Checked
        The JSON, the page, the log, then each earlier JSON.

    Raises
    ------
    FileUnreadableError
        If there is no such folder.
    FolderBusyError
        If it is published to all the time.
    """
    if not folder.is_dir():
        raise FileUnreadableError(
            str(folder),
            "there is no such folder",
            remedy="Give the folder that `aegismatrix run` publishes to (--out).",
        )
    with contextlib.ExitStack() as stack:
        # Whoever may only read, looks without the lock.
        with contextlib.suppress(OutputError):
            stack.enter_context(holding(folder))
        return tuple(_checks(folder, journal, earlier))


def _checks(folder: Path, journal: Path | None, earlier: Sequence[Path]) -> Iterator[Checked]:
    try:
        if read_pending(folder) is not None:
            yield Checked(
                PENDING_NAME,
                "a publication was interrupted",
                "FAIL",
                "The next run finishes it if it was logged, and undoes it if not.",
            )
    except PublicationError as error:
        yield Checked(PENDING_NAME, error.problem, "FAIL", error.remedy)
    try:
        published = _read(folder / REPORT_NAME)
    except ValueError as error:
        yield Checked(REPORT_NAME, str(error), "FAIL", "Publish again (aegismatrix run).")
        published = None
    if published is not None:
        facts = f"made {published.generated_at} of bars to {published.as_of}"
        yield Checked(REPORT_NAME, f"{facts}, sha256 {published.sha256[:16]}")
        yield _page(folder / PAGE_NAME, published)
    yield from _log(folder, journal, published, earlier)


def _read(path: Path) -> _Published:
    """Read a published JSON; raises ValueError that says what is wrong."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ValueError("it is not there") from None
    except OSError as error:
        raise ValueError(f"it cannot be read: {error.strerror or error}") from error
    try:
        said = parse_strict_json(data)
        publication: Mapping[str, Any] = said.get("publication", {})
        made = _text(said["generated_at"], _STAMP)
        _text(publication.get("generated_at", made), re.escape(made))
        head = publication.get("log_head")
        return _Published(
            hashlib.sha256(data).hexdigest(),
            made,
            _text(said["as_of"], r"\d{4}-\d\d-\d\d"),
            None if head is None else _text(head, _SHA256),
        )
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise ValueError("it is not the JSON of a report") from error


def _text(given: object, form: str) -> str:
    if not isinstance(given, str) or not re.fullmatch(form, given, re.ASCII):
        raise ValueError(f"{given!r} has not the form {form}")
    return given


def _page(path: Path, published: _Published) -> Checked:
    again = "Publish again (aegismatrix run --html), or delete the page."
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Checked(PAGE_NAME, "there is no page", "")
    except (OSError, ValueError) as error:
        return Checked(PAGE_NAME, f"it cannot be read: {error}", "FAIL", again)
    drawn_from, stamped = _DRAWN_FROM.search(text), _MADE.search(text)
    if drawn_from is None or stamped is None:
        return Checked(PAGE_NAME, "it does not say which JSON it was drawn from", "FAIL", again)
    sha256, made = drawn_from[1], stamped[1]
    if (sha256, made) != (published.sha256, published.generated_at):
        said = f"it was drawn from another JSON, made {made}, sha256 {sha256[:16]}"
        return Checked(PAGE_NAME, said, "FAIL", again)
    if not text.endswith("</html>\n"):
        return Checked(PAGE_NAME, "its end is missing", "FAIL", again)
    return Checked(PAGE_NAME, "drawn from this JSON")


def _log(
    folder: Path, journal: Path | None, published: _Published | None, earlier: Sequence[Path]
) -> Iterator[Checked]:
    log = Journal(journal or folder / JOURNAL_NAME)
    name, restore = log.path.name, "Restore the log from a backup, or publish again."
    try:
        runs = sorted(log.runs(), key=lambda run: run.id)
        log.claims(runs)
    except JournalError as error:
        yield Checked(name, error.problem, "FAIL", error.remedy)
        return
    if published is not None:
        if published.log_head is None and not runs:
            yield Checked(name, "there is no log, and this JSON was not logged", "")
        elif (wrong := _missing(published, runs)) is not None:
            yield Checked(name, wrong, "FAIL", restore)
        elif runs[-1].report_sha256 != published.sha256 and journal is None:
            later = f"its last entry, made {_stamp(runs[-1])}, is of a later JSON than this one"
            yield Checked(name, later, "FAIL", "Put the files back that belong to it.")
        else:
            yield Checked(name, f"{_counted(runs)}, this JSON's among them")
    for path in earlier:
        try:
            wrong = _missing(_read(path), runs)
        except ValueError as error:
            wrong = str(error)
        if wrong is None:
            yield Checked(str(path), "logged, after the entry that it names")
        else:
            yield Checked(str(path), wrong, "FAIL", "The log was changed, or this file was.")


def _missing(published: _Published, runs: Sequence[Run]) -> str | None:
    """What speaks against a JSON's being in the log where it says that it is."""
    entry = next((run for run in runs if run.report_sha256 == published.sha256), None)
    if entry is None:
        return f"no entry is of the JSON made {published.generated_at}"
    if published.log_head not in (None, entry.previous):
        return f"entry {entry.id} does not follow the entry that its JSON names"
    if (_stamp(entry), str(entry.as_of)) != (published.generated_at, published.as_of):
        return f"entry {entry.id} is of another moment than its JSON"
    return None


def _stamp(run: Run) -> str:
    return stamp_of(run.generated_at)


def _counted(runs: Sequence[Run]) -> str:
    unlinked = sum(run.previous is None for run in runs)
    older = f" ({unlinked} of an older form)" if unlinked else ""
    return f"{len(runs)} entries{older}, each after the one before it"
