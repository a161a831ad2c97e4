"""Seal a folder: written in full beside its place, then exchanged with it in one step."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from aegismatrix.errors import OutputError

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_INSTALLED = frozenset({"dist-packages", "site-packages"})
_MARKS = frozenset({"manifest.json", "training.json"})


@contextlib.contextmanager
def sealed_folder(target: Path) -> Iterator[Path]:
    """Give an empty folder to fill, and put it in place of `target` when all went well.

    Parameters
    ----------
    target : Path
        The folder to replace; everything in it is replaced.

    Yields
    ------
    Path
        A new folder beside it.

    Raises
    ------
    OutputError
        If the disk refuses, or `target` holds what was not sealed here or lies among installed
        packages. Whatever interrupts the writing, `target` stays as it was.
    """
    check_place(target)
    try:
        target = target.resolve()
        if target.exists() and not _is_replaceable(target):
            raise OutputError(str(target), "it holds what this command did not write")
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        raise OutputError(str(target), error.strerror or str(error)) from error
    try:
        yield fresh
        fresh.chmod(0o755)
        for file in fresh.iterdir():
            _flush(file)
        _put_in_place(fresh, target)
    except OSError as error:
        raise OutputError(str(target), error.strerror or str(error)) from error
    finally:
        # After the exchange this holds what was replaced.
        shutil.rmtree(fresh, ignore_errors=True)


def check_place(target: Path) -> None:
    """Refuse a folder among installed packages: the next installation would undo what is written.

    Parameters
    ----------
    target : Path
        The folder to be written.

    Raises
    ------
    OutputError
    """
    if not _INSTALLED.isdisjoint(target.resolve().parts):
        raise OutputError(str(target), "it lies among installed packages")


def sealed_entry(name: str, data: bytes) -> dict[str, Any]:
    """Return what the manifest says of a file beside the models.

    Parameters
    ----------
    name : str
        Of the file.
    data : bytes
        Its content.

    Returns
    -------
    dict
        File name, sha256 and size.
    """
    return {"file": name, "sha256": sha256(data).hexdigest(), "size_bytes": len(data)}


def _is_replaceable(target: Path) -> bool:
    """Whether a folder is empty or was sealed before: any other is somebody's work."""
    if not target.is_dir():
        return False
    names = {entry.name for entry in target.iterdir()}
    return not names or not names.isdisjoint(_MARKS)


def _flush(file: Path) -> None:
    with file.open("rb") as opened:
        os.fsync(opened.fileno())


def _put_in_place(fresh: Path, target: Path) -> None:
    if not target.exists():
        fresh.rename(target)
    elif not _exchange(fresh, target):
        # No atomic exchange on this system: two renames, undone if the second fails.
        previous = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent)) / "previous"
        target.rename(previous)
        try:
            fresh.rename(target)
        except BaseException:
            previous.rename(target)
            raise
        finally:
            shutil.rmtree(previous.parent, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two folders in one step; False where the system cannot."""
    if not sys.platform.startswith("linux"):
        return False
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        return False
    done = renameat2(
        _AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), ctypes.c_uint(_RENAME_EXCHANGE)
    )
    if done == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.ENOSYS, errno.EINVAL):
        return False
    raise OSError(number, os.strerror(number), str(other))
