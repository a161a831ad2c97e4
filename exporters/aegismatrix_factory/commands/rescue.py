"""The command `rescue`: legacy model files as sealed ONNX, unpickling nothing."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from aegismatrix.desk.cli.installed import Command
from aegismatrix_factory.extras import check_extra, needing
from aegismatrix_factory.rescue.reading.limits import Limits

if TYPE_CHECKING:
    from aegismatrix_factory.rescue.folder import Rescued

DONE, SOME_REFUSED = 0, 1
_MOST = 2**40

_DESCRIPTION = """\
Convert a folder of legacy model files (.pkl, .joblib, .pt) to sealed ONNX, unpickling nothing.

Exit status: 0 if every model file was converted, 1 if one was refused, 2 if nothing was done."""


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
        0 if every model file was converted, 1 if one was refused.

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
    check_extra("rescue")
    with needing("rescue"):
        from aegismatrix_factory.rescue.folder import REFUSED, render_report, rescue

    limits = Limits(**given)
    verdicts = rescue(arguments.old, arguments.new, limits)
    if arguments.json:
        print(render_report(verdicts, limits).decode("ascii"), end="")
    else:
        print(summary(verdicts))
    return SOME_REFUSED if any(one.verdict == REFUSED for one in verdicts) else DONE


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
    from aegismatrix_factory.rescue.folder import VERDICTS
    from aegismatrix_factory.rescue.reading.errors import clipped

    rows: list[tuple[str, str, str]] = [
        (clipped(one.file), one.verdict, _detail(one)) for one in verdicts
    ]
    rows.insert(0, ("file", "verdict", "what was checked, or why not"))
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    lines = [
        f"{file:{widths[0]}}  {verdict:{widths[1]}}  {detail}".rstrip()
        for file, verdict, detail in rows
    ]
    concerned: dict[str, list[str]] = {}
    for one in verdicts:
        for warning in one.warnings:
            concerned.setdefault(warning, []).append(clipped(one.file))
    for warning, files in concerned.items():
        lines.append(f"warning: {', '.join(files)}: {warning}")
    remedies: dict[tuple[str, str], list[str]] = {}
    for one in verdicts:
        if one.refusal is not None:
            remedies.setdefault((one.refusal.code, one.refusal.remedy), []).append(
                clipped(one.file)
            )
    for (code, remedy), files in remedies.items():
        lines.append(f"{code}: {', '.join(files)}: {remedy}")
    counts = [f"{sum(one.verdict == kind for one in verdicts)} {kind}" for kind in VERDICTS]
    return "\n".join([*lines, ", ".join(counts)])


def _detail(one: Rescued) -> str:
    if one.refusal is not None:
        return f"{one.refusal.code}: {one.refusal.reason}"
    details = []
    for artifact in one.artifacts:
        entry = artifact.entry
        checks = entry["checks"]
        rows = checks["random_rows"] + checks["boundary_rows"] + checks["missing_rows"]
        details.append(
            f"{entry['file']}: {entry['provenance']['class']} ({entry['version']}),"
            f" {rows} rows, largest difference {checks['largest_difference']:.1g}"
        )
    return "; ".join(details)


COMMAND = Command(
    summary="convert legacy model files to sealed ONNX, unpickling nothing",
    description=_DESCRIPTION,
    add_arguments=add_arguments,
    run=run,
    interrupted="interrupted; nothing was written",
)
