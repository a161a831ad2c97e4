"""The text of a file of rows: decoded, split into cells, its header found.

What is no text is named as what it is, with the step that makes text of it.
"""

from __future__ import annotations

import csv
import errno
import io
import os
import stat
from pathlib import Path
from typing import NamedTuple

from aegismatrix import errors
from aegismatrix.errors import shown
from aegismatrix.market.headers import DATE_HEADERS, normal

MAX_FILE_BYTES = 64 * 1024 * 1024
"""No file of this kind is larger."""

_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_SAVE_AS_CSV = "Open it in a spreadsheet and save the sheet as CSV in UTF-8."
_GIVE_FRAME = "Read it with pandas or Polars and give the frame: Bars.from_frames(...)."
# By how a file begins: what it is, and what makes a table of it.
_NO_TEXT: tuple[tuple[bytes, str, str], ...] = (
    (
        _LFS_POINTER,
        "it is a pointer of Git LFS, and not the file itself",
        "Fetch the file itself: git lfs pull.",
    ),
    (b"\x1f\x8b", "it is compressed with gzip", "Unpack it with gunzip, and give what comes out."),
    (b"BZh", "it is compressed with bzip2", "Unpack it with bunzip2, and give what comes out."),
    (b"\xfd7zXZ\x00", "it is compressed with xz", "Unpack it with unxz, and give what comes out."),
    (b"\x28\xb5\x2f\xfd", "it is compressed with zstd", "Unpack it with unzstd."),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "it is an old Excel workbook", _SAVE_AS_CSV),
    (b"PAR1", "it is a Parquet file", _GIVE_FRAME),
    (b"ARROW1", "it is an Arrow file", _GIVE_FRAME),
)
_ZIP = b"PK\x03\x04"
_PAGES = (b"<!doctype", b"<html", b"<head", b"<body", b"<?xml", b"<script", b"<!--")


class Sheet(NamedTuple):
    """The text of a file: its header and, with their line numbers, its rows.

    `levels` are the names of the columns but for the first, where the header has two lines of them;
    `above` is the line above the header that says which side is which.
    """

    header: list[str]
    rows: list[tuple[int, list[str]]]
    delimiter: str
    levels: tuple[list[str], ...] = ()
    above: tuple[str, ...] = ()


def path_text(path: object) -> str:
    """Return a path as text, and refuse anything else."""
    try:
        text = os.fspath(path)  # type: ignore[call-overload]
    except Exception as error:
        # Whatever says that it is a path may fail to give it.
        raise errors.FileUnreadableError(shown(path), "it is not a path") from error
    if isinstance(text, str):
        return str.__str__(text)
    raise errors.FileUnreadableError(shown(path), "it is not a path")


def read_regular(path: str, most_bytes: int) -> bytes:
    """Read a regular file, one byte more than it may have, and nothing that might wait."""
    # Asked before it is opened, since opening a pipe waits for whoever writes to it.
    mode = os.stat(path).st_mode  # noqa: PTH116
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is a pipe or a device, and not a file")
    with Path(path).open("rb") as file:
        return file.read(most_bytes + 1)


def read_sheet(source: str) -> Sheet:
    """Read the cells of a file, without the comments that stand above them."""
    lines = _read_text(source).splitlines()
    skipped = 0
    while skipped < len(lines) and (
        not lines[skipped].strip() or lines[skipped].lstrip().startswith("#")
    ):
        skipped += 1
    if skipped == len(lines):
        raise errors.EmptyBarsError(source)
    delimiter = max(",;\t", key=lines[skipped].count)
    reader = csv.reader(io.StringIO("\n".join(lines[skipped:])), delimiter=delimiter)
    try:
        rows = [(skipped + reader.line_num, cells) for cells in reader if "".join(cells).strip()]
    except csv.Error as error:
        raise errors.FileUnreadableError(source, str(error)) from error
    if not rows:
        raise errors.EmptyBarsError(source)
    header = [normal(name) for name in rows[0][1]]
    if sorted(filter(None, header)) == ["calls", "puts"] and len(rows) > 1:
        below = [normal(name) for name in rows[1][1]]
        return Sheet(below, rows[2:], delimiter, above=tuple(filter(None, header)))
    if _has_levels(rows):
        levels = tuple(cells[1:] for _, cells in rows[:2])
        first = [normal(rows[2][1][0]), *(normal(name) for name in levels[0])]
        return Sheet(first, rows[3:], delimiter, levels=levels)
    return Sheet(header, rows[1:], delimiter)


def check_sheet(sheet: Sheet, source: str) -> None:
    """Refuse a sheet without rows, and a row that has not as many cells as the header."""
    if not sheet.rows:
        raise errors.EmptyBarsError(source)
    for line, cells in sheet.rows:
        if len(cells) != len(sheet.header):
            raise errors.UnreadableCellError(
                source=source,
                line=line,
                column=f"row of {len(sheet.header)} cells",
                text=sheet.delimiter.join(cells)[:80],
                remedy="Mend the line: it has more or fewer cells than the header.",
            )


def _has_levels(rows: list[tuple[int, list[str]]]) -> bool:
    """Whether these are the three lines that pandas writes of columns with two levels."""
    if len(rows) < 3:
        return False
    (_, first), (_, second), (_, third) = rows[:3]
    return (
        len(first) == len(second) > 1
        and normal(third[0]) in DATE_HEADERS
        and not any(cell.strip() for cell in third[1:])
    )


def _read_text(source: str) -> str:
    try:
        data = read_regular(source, MAX_FILE_BYTES)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise errors.FileUnreadableError(source, reason) from error
    _check_is_text(data, source)
    if len(data) > MAX_FILE_BYTES:
        raise errors.FileUnreadableError(source, f"it is larger than {MAX_FILE_BYTES} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise errors.FileUnreadableError(source, f"it is not UTF-8 ({error.reason})") from error


def _check_is_text(data: bytes, source: str) -> None:
    for start, what, remedy in _NO_TEXT:
        if data.startswith(start):
            raise errors.FileUnreadableError(source, what, remedy=remedy)
    if data.startswith(_ZIP):
        # A workbook is a zip file of XML files, those of Excel below xl/.
        if b"xl/" in data or b"[Content_Types].xml" in data:
            raise errors.FileUnreadableError(source, "it is an Excel workbook", remedy=_SAVE_AS_CSV)
        raise errors.FileUnreadableError(
            source, "it is a zip file", remedy="Unpack it with unzip, and give the CSV file in it."
        )
    beginning = data[:1024].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if beginning.startswith(_PAGES):
        raise errors.FileUnreadableError(
            source,
            "it is an HTML page, and not a table",
            remedy="Open its address in a browser, download the CSV file itself and give that; a"
            " server sends a page instead of a file that has moved or needs a login.",
        )
