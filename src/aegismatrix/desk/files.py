"""Write files so that a reader sees the old version or the new one, never a part."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from aegismatrix.errors import OutputError, shown

_PREFIX = ".aegismatrix-"
_READER_SECONDS = 2.0
_Path = TypeVar("_Path", bound="str | os.PathLike[str]")


def write_atomically(path: str | os.PathLike[str], text: str) -> None:
    """Write text to a file in one step.

    Parameters
    ----------
    path : path-like
        The file; its folder is made if need be. A link is followed; what is not a regular file,
        such as a pipe, is written to directly.
    text : str
        Its new content, stored as UTF-8.

    Raises
    ------
    OutputError
        If the disk refuses; the previous file is untouched then.
    """
    try:
        target = Path(path)
    except Exception as error:
        # Whatever says that it is a path may fail to give it.
        raise OutputError(shown(path), "it is not a path") from error
    try:
        if target.exists() and not target.is_file() and not target.is_dir():
            with open(target, "w", encoding="utf-8", opener=_open_without_waiting) as file:
                file.write(text)
            return
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise OutputError(str(target), reason) from error
    write_together({target: text})


def _open_without_waiting(path: str, flags: int) -> int:
    # To open a pipe that nobody reads would wait for ever; whoever means to read it has a moment.
    ends = time.monotonic() + _READER_SECONDS
    while True:
        try:
            opened = os.open(path, flags | getattr(os, "O_NONBLOCK", 0), 0o666)
        except OSError as error:
            if error.errno != errno.ENXIO or time.monotonic() > ends:
                raise
            time.sleep(0.01)
        else:
            os.set_blocking(opened, True)
            return opened


def write_together(
    files: Mapping[_Path, str], once_staged: Callable[[], object] | None = None
) -> None:
    """Write several files, each in one step, and none if any of them cannot be written.

    Parameters
    ----------
    files : mapping of path-like to str
        Content by file, stored as UTF-8; folders are made if need be, links followed.
    once_staged : callable, optional
        Called when all content is on the disk and no file has been replaced yet; if it raises, none
        is.

    Raises
    ------
    OutputError
        If the disk refuses; the previous files are untouched then.
    """
    staged: list[tuple[Path, Path]] = []
    try:
        for path, text in files.items():
            with _named(path):
                staged.append(_stage(_real(Path(path)), text.encode("utf-8")))
        if once_staged is not None:
            once_staged()
        while staged:
            fresh, target = staged[0]
            with _named(target):
                fresh.replace(target)
            del staged[0]
    finally:
        for fresh, _ in staged:
            with contextlib.suppress(FileNotFoundError):
                fresh.unlink()


def remove_leftovers(folder: str | os.PathLike[str], older_than: timedelta) -> int:
    """Remove what a killed process had staged in a folder.

    Parameters
    ----------
    folder : path-like
        Where files are written.
    older_than : timedelta
        What is younger may be another process's work.

    Returns
    -------
    int
        How many files were removed.
    """
    removed = 0
    for left in Path(folder).glob(f"{_PREFIX}*"):
        with contextlib.suppress(FileNotFoundError, PermissionError):
            if left.is_file() and time.time() - left.stat().st_mtime > older_than.total_seconds():
                left.unlink()
                removed += 1
    return removed


@contextlib.contextmanager
def _named(path: str | os.PathLike[str]) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise OutputError(os.fspath(path), reason) from error


def _real(target: Path) -> Path:
    # Path.resolve raises RuntimeError on a circle of links before Python 3.13.
    real = Path(os.path.realpath(target))
    if real.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    if real.is_dir():
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
    real.parent.mkdir(parents=True, exist_ok=True)
    return real


def _stage(target: Path, data: bytes) -> tuple[Path, Path]:
    """Write the content beside its target."""
    # Imported here, since most who read a report never write one.
    import tempfile

    mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
    handle, name = tempfile.mkstemp(prefix=_PREFIX, dir=target.parent)
    fresh = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.chmod(mode)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            fresh.unlink()
        raise
    return fresh, target


def _umask() -> int:
    # The only way to read it is to set it.
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
