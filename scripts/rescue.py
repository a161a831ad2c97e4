"""Convert a folder of legacy model files (.pkl, .joblib, .pt) to sealed ONNX, unpickling nothing.

Exit status: 0 if every model file was converted, 1 if one was refused, 2 if nothing was done.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from aegismatrix.errors import AegisError, MissingExtraError

DONE, SOME_REFUSED, UNUSABLE, INTERRUPTED = 0, 1, 2, 130
_MOST = 2**40

try:
    from aegismatrix_factory.rescue.folder import REFUSED, VERDICTS, Rescued, render_report, rescue
    from aegismatrix_factory.rescue.reading.errors import clipped
    from aegismatrix_factory.rescue.reading.limits import Limits
except ModuleNotFoundError as error:
    if error.name == "aegismatrix_factory":
        print("rescue: run it in a checkout: pip install -e '.[rescue]'", file=sys.stderr)
    else:
        print(f"rescue: {MissingExtraError(str(error.name), extra='rescue')}", file=sys.stderr)
    sys.exit(UNUSABLE)


def summary(verdicts: Sequence[Rescued]) -> str:
    """Return the verdicts as a table."""
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


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("old", type=Path, metavar="OLD_DIR", help="is never written to")
    parser.add_argument("new", type=Path, metavar="NEW_DIR", help="absent, empty, or of a rescue")
    parser.add_argument("--json", action="store_true", help="print the report, not the table")
    limits = parser.add_argument_group("limits", "what one file may cost to read")
    for field in fields(Limits):
        kind = type(field.default)
        limits.add_argument(
            f"--limit-{field.name.replace('_', '-')}",
            dest=field.name,
            type=kind,
            default=field.default,
            metavar="N",
            help="default: %(default)s",
        )
    arguments = parser.parse_args(argv)
    for field in fields(Limits):
        # Written so that NaN fails.
        if not 0 < getattr(arguments, field.name) <= _MOST:
            parser.error(f"--limit-{field.name.replace('_', '-')} must be above 0, at most {_MOST}")
    return arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Rescue."""
    arguments = parse(argv)
    limits = Limits(**{field.name: getattr(arguments, field.name) for field in fields(Limits)})
    try:
        verdicts = rescue(arguments.old, arguments.new, limits)
    except AegisError as error:
        print(f"rescue: {error}", file=sys.stderr)
        return UNUSABLE
    except KeyboardInterrupt:
        print("rescue: interrupted; nothing was written", file=sys.stderr)
        return INTERRUPTED
    if arguments.json:
        print(render_report(verdicts, limits).decode("ascii"), end="")
    else:
        print(summary(verdicts))
    if any(one.verdict == REFUSED for one in verdicts):
        return SOME_REFUSED
    return DONE


if __name__ == "__main__":
    sys.exit(main())
