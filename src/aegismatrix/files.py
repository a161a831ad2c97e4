"""Write files so that a reader sees the old version or the new one, never a part."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from aegismatrix.errors import OutputError


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
    target = Path(path)
    try:
        if target.exists() and not target.is_file() and not target.is_dir():
            target.write_text(text, encoding="utf-8")
            return
        # Path.resolve raises RuntimeError on a circle of links before Python 3.13.
        target = Path(os.path.realpath(target))
        if target.is_symlink():
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        target.parent.mkdir(parents=True, exist_ok=True)
        _replace(target, text.encode("utf-8"))
    except OSError as error:
        raise OutputError(os.fspath(path), error.strerror or str(error)) from error


def _replace(target: Path, data: bytes) -> None:
    # Imported here, since most who read a report never write one.
    import tempfile

    mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
    handle, name = tempfile.mkstemp(prefix=".aegismatrix-", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode)
        Path(name).replace(target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()
        raise


def _umask() -> int:
    # The only way to read it is to set it.
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
