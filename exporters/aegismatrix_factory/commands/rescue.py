"""The command `rescue`: legacy model files as sealed ONNX, unpickling nothing."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from aegismatrix.desk.cli.installed import Command
from aegismatrix.errors import OutputError
from aegismatrix_factory.extras import check_extra, needing
from aegismatrix_factory.rescue.reading.limits import Limits
from aegismatrix_factory.rescue.verdicts import Rescued
from aegismatrix_factory.rescue.wording import checked, printable, what

DONE, SOME_REFUSED, FAULTY = 0, 1, 3
_MOST = 2**40
_MOST_JOBS = 64
_SHOWN_CHARACTERS = 40
_MOST_INSIDE = 6

_DESCRIPTION = """\
Convert a folder of legacy model files (.pkl, .joblib, .pt) to sealed ONNX, unpickling nothing.

Exit status: 0 if every model file was converted, 1 if one was refused, 2 if nothing was done, 3 if
a fault of this package ended the conversion of one."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments.

    Parameters
    ----------
    parser : ArgumentParser
        Where to.
    """
    parser.add_argument(
        "old",
        type=Path,
        metavar="OLD_DIR",
        help="read legacy files from this folder; it is never written to",
    )
    parser.add_argument(
        "new",
        type=Path,
        metavar="NEW_DIR",
        help="write to this folder: a new or empty one, or one of an earlier rescue",
    )
    parser.add_argument(
        "--json", action="store_true", help="print the report as JSON instead of the table"
    )
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="write the verdicts as a page to this file, too"
    )
    parser.add_argument(
        "--jobs",
        type=int,
        default=0,
        metavar="N",
        help="convert N files at once, each in a process of its own: one that ends its process is"
        " refused and the others are not (default: all in this process)",
    )
    limits = parser.add_argument_group("limits", "what one file may cost to read")
    for field in fields(Limits):
        limits.add_argument(
            f"--limit-{field.name.replace('_', '-')}",
            dest=field.name,
            type=type(field.default),
            default=field.default,
            metavar="N",
            help="default: %(default)s",
        )


def run(arguments: argparse.Namespace) -> int:
    """Rescue.

    Parameters
    ----------
    arguments : Namespace
        As parsed.

    Returns
    -------
    int
        0 if every model file was converted, 1 if one was refused, 3 if a fault of this package
        ended the conversion of one.

    Raises
    ------
    AegisError
        One of its children; nothing was written then.
    """
    given = {field.name: getattr(arguments, field.name) for field in fields(Limits)}
    for name, value in given.items():
        # Written so that NaN fails.
        if not 0 < value <= _MOST:
            option = f"--limit-{name.replace('_', '-')}"
            arguments.parser.error(f"{option} must be above 0, at most {_MOST}")
    if not 0 <= arguments.jobs <= _MOST_JOBS:
        arguments.parser.error(f"--jobs must be from 0 to {_MOST_JOBS}")
    check_extra("rescue")
    with needing("rescue"):
        from aegismatrix_factory.rescue.folder import render_report, rescue
        from aegismatrix_factory.rescue.page import render_page
        from aegismatrix_factory.rescue.refusals import FAULT
        from aegismatrix_factory.rescue.verdicts import REFUSED

    limits = Limits(**given)
    with _progress() as bar:
        verdicts = rescue(
            arguments.old,
            arguments.new,
            limits,
            bar.found,
            jobs=arguments.jobs,
            expect=bar.expect,
        )
    if arguments.html is not None:
        try:
            arguments.html.write_text(render_page(verdicts), encoding="utf-8", newline="\n")
        except OSError as error:
            raise OutputError(str(arguments.html), error.strerror or str(error)) from error
    if arguments.json:
        print(render_report(verdicts, limits).decode("ascii"), end="")
    else:
        # A terminal may know less than every script.
        encoding = sys.stdout.encoding or "ascii"
        print(summary(verdicts).encode(encoding, "backslashreplace").decode(encoding))
    if any(one.refusal is not None and one.refusal.code == FAULT for one in verdicts):
        return FAULTY
    return SOME_REFUSED if any(one.verdict == REFUSED for one in verdicts) else DONE


class _Bar:
    """A progress bar on a terminal where tqdm is installed, else nothing."""

    def __init__(self) -> None:
        self._shown: Any = None

    def expect(self, count: int) -> None:
        """Begin."""
        if sys.stderr is not None and sys.stderr.isatty() and find_spec("tqdm") is not None:
            from tqdm import tqdm

            self._shown = tqdm(
                total=count, unit="file", leave=False, file=sys.stderr, mininterval=0, miniters=1
            )

    def found(self, one: Rescued) -> None:
        """Count a file."""
        if self._shown is not None:
            self._shown.set_postfix_str(printable(one.file)[-_SHOWN_CHARACTERS:], refresh=False)
            self._shown.update()

    def close(self) -> None:
        """End."""
        if self._shown is not None:
            self._shown.close()


@contextmanager
def _progress() -> Iterator[_Bar]:
    bar = _Bar()
    try:
        yield bar
    finally:
        bar.close()


def summary(verdicts: Sequence[Rescued]) -> str:
    """Return the verdicts as a table.

    Parameters
    ----------
    verdicts : sequence of Rescued
        From `aegismatrix_factory.rescue.folder.rescue`.

    Returns
    -------
    str
        One line per file, then warnings, remedies and counts.
    """
    from aegismatrix_factory.rescue.verdicts import VERDICTS

    rows: list[tuple[str, str, str]] = [
        (printable(one.file), one.verdict, printable(_detail(one))) for one in verdicts
    ]
    rows.insert(0, ("file", "verdict", "what was checked, or why not"))
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    lines = [
        f"{file:{widths[0]}}  {verdict:{widths[1]}}  {detail}".rstrip()
        for file, verdict, detail in rows
    ]
    lines += _grouped("warning", [(one, warning) for one in verdicts for warning in one.warnings])
    for one in verdicts:
        name = printable(one.file)
        lines += [f"also: {name}: {more.code}: {more.reason}" for more in one.obstacles[1:]]
        inside = [
            f"{part['class']} at {part['path']}"
            for part in one.parts
            if part["converts"] and part["path"]
        ]
        if len(inside) > _MOST_INSIDE:
            inside[_MOST_INSIDE:] = [f"and {len(inside) - _MOST_INSIDE} more"]
        if inside:
            lines.append(printable(f"inside: {one.file}: would convert: {', '.join(inside)}"))
        if one.requirements is not None:
            lines.append(f"environment: {name}: {one.requirements[0]}")
        if one.template is not None:
            lines.append(f"template: {name}: {one.template[0]}")
    refused = [(one, one.refusal) for one in verdicts if one.refusal is not None]
    for code in dict.fromkeys(refusal.code for _, refusal in refused):
        lines += _grouped(code, [(one, said.remedy) for one, said in refused if said.code == code])
    counts = [f"{sum(one.verdict == kind for one in verdicts)} {kind}" for kind in VERDICTS]
    return "\n".join([*lines, ", ".join(counts)])


def _grouped(head: str, said: Sequence[tuple[Rescued, str]]) -> list[str]:
    """One line for each text, with the files that it concerns."""
    concerned: dict[str, list[str]] = {}
    for one, text in said:
        concerned.setdefault(text, []).append(printable(one.file))
    return [f"{head}: {', '.join(files)}: {text}" for text, files in concerned.items()]


def _detail(one: Rescued) -> str:
    if one.refusal is not None:
        known = f"{what(one)}: " if what(one) and what(one) not in one.refusal.reason else ""
        return f"{known}{one.refusal.code}: {one.refusal.reason}"
    return "; ".join(checked(one)) or one.described


COMMAND = Command(
    summary="convert legacy model files to sealed ONNX, unpickling nothing",
    description=_DESCRIPTION,
    add_arguments=add_arguments,
    run=run,
    interrupted="interrupted; nothing was written",
)
