"""Write files so that a reader sees the old version or the new one, never a part."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from aegismatrix.errors import OutputError, shown

STAGED = ".aegismatrix-"
"""What the name of a file begins with that is to take the place of another one."""
_READER_SECONDS = 2.0


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
    with naming(target):
        real = real_path(target)
        fresh = stage(real, text.encode("utf-8"))
        try:
            fresh.replace(real)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                fresh.unlink()
            raise


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
    for left in Path(folder).glob(f"{STAGED}*"):
        with contextlib.suppress(FileNotFoundError, PermissionError):
            if left.is_file() and time.time() - left.stat().st_mtime > older_than.total_seconds():
                left.unlink()
                removed += 1
    return removed


@contextlib.contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Say of which file it is that the system refuses something.

    Parameters
    ----------
    path : path-like
        The file.

    Yields
    ------
    None

    Raises
    ------
    OutputError
        In place of an OSError, or of a text or a name that cannot be stored.
    """
    try:
        yield
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise OutputError(os.fspath(path), reason) from error


def real_path(target: Path) -> Path:
    """Return the file that a path leads to, and make its folder.

    Parameters
    ----------
    target : Path
        Links are followed.

    Returns
    -------
    Path
        A regular file, or none yet.

    Raises
    ------
    OSError
        If it is a folder, or a circle of links.
    """
    # Path.resolve raises RuntimeError on a circle of links before Python 3.13.
    real = Path(os.path.realpath(target))
    if real.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    if real.is_dir():
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
    real.parent.mkdir(parents=True, exist_ok=True)
    return real


def stage(target: Path, data: bytes) -> Path:
    """Write content to the disk beside the file whose place it is to take.

    Parameters
    ----------
    target : Path
        From `real_path`; its permissions are kept.
    data : bytes
        The content.

    Returns
    -------
    Path
        The new file, in the same folder.

    Raises
    ------
    OSError
        If the disk refuses; no new file is left then.
    """
    # Imported here, since most who read a report never write one.
    import tempfile

    mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
    handle, name = tempfile.mkstemp(prefix=STAGED, dir=target.parent)
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
    return fresh


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk, where the system can do so.

    Parameters
    ----------
    folder : Path
        One in which files were renamed or removed.

    Raises
    ------
    OSError
        If the disk fails.
    """
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        # Some file systems, of networks above all, sync files alone.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


def _umask() -> int:
    # The only way to read it is to set it.
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
