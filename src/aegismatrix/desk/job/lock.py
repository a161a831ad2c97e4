"""One process at a time: the lock of an output folder.

The system holds the lock and gives it back when its process ends, however it ends, so that no dead
process is waited for. The file says who holds it, for whoever waits.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path

from aegismatrix.desk.errors import FolderBusyError
from aegismatrix.desk.files import naming
from aegismatrix.desk.json_text import stamp_of

LOCK_NAME = ".aegismatrix.lock"
WAIT_SECONDS = 60.0
"""How long a run waits for another one that publishes, which takes a second or two."""

_NAP_SECONDS, _LEFT_TO_OTHERS_SECONDS = 0.01, 0.02
_TAKEN = {errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, getattr(errno, "EDEADLOCK", errno.EAGAIN)}
# Where the lock lies on Windows, whose locks keep others from reading: far behind the text.
_BEYOND_TEXT = 1 << 20

_log = logging.getLogger(__name__)


@contextmanager
def holding(folder: Path, wait_seconds: float = WAIT_SECONDS) -> Iterator[None]:
    """Hold the lock of a folder.

    Parameters
    ----------
    folder : Path
        One that is there.
    wait_seconds : float
        How long to wait for another process, or another thread of this one.

    Yields
    ------
    None

    Raises
    ------
    FolderBusyError
        If it is held all that time; it names who holds it.
    OutputError
        If the folder cannot be locked.
    """
    path = folder / LOCK_NAME
    deadline, named = time.monotonic() + wait_seconds, ""
    while (handle := _taken(path)) is None:
        holder = holder_of(folder)
        if time.monotonic() >= deadline:
            raise FolderBusyError(str(folder), holder, f"{wait_seconds:g} s")
        if holder != named:
            _log.info("waiting for %s, which publishes to %s", holder, folder)
            named = holder
        time.sleep(_NAP_SECONDS)
    try:
        yield
    finally:
        _give_back(path, handle)
        # Longer than a nap: who waits has its turn, also where this process wants the next one.
        time.sleep(_LEFT_TO_OTHERS_SECONDS)


def holder_of(folder: Path) -> str:
    """Say in words who holds the lock of a folder.

    Parameters
    ----------
    folder : Path
        The folder.

    Returns
    -------
    str
        Process, host and since when, as the holder wrote them.
    """
    try:
        with (folder / LOCK_NAME).open("rb") as file:
            said = json.loads(file.read(_BEYOND_TEXT))
        return f"process {said['pid']:d} on {said['host']!s:.80}, since {said['since']!s:.30}"
    except (OSError, ValueError, KeyError, TypeError):
        # It has not said so yet, or has gone in the meantime.
        return "another process"


def _taken(path: Path) -> int | None:
    """Take the lock and return what holds it, or None where another one has it."""
    with naming(path):
        handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        try:
            if _locked(handle) and _is_at(path, handle):
                _sign(handle)
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
    return None


def _locked(handle: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(handle, _BEYOND_TEXT, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _TAKEN:
            return False
        raise
    return True


def _is_at(path: Path, handle: int) -> bool:
    """Whether the file is the one at the path: whoever held the lock has removed it since."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _sign(handle: int) -> None:
    since = stamp_of(datetime.now(timezone.utc))
    said = json.dumps({"pid": os.getpid(), "host": platform.node()[:80], "since": since})
    os.lseek(handle, 0, os.SEEK_SET)
    # As wide whoever holds it, since the file is not cut: Windows refuses that behind a lock.
    os.write(handle, f"{said:<600}\n".encode("ascii"))


def _give_back(path: Path, handle: int) -> None:
    if os.name == "posix":
        # Removed while it is held: who opened it before finds that it is not the one at the path.
        with suppress(OSError):
            path.unlink()
        os.close(handle)
        return
    os.close(handle)
    # An open file cannot be removed there, so this one is nobody's.
    with suppress(OSError):
        path.unlink()
