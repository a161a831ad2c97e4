"""Put what is generated into the documents: tables, a report, what was measured."""

from __future__ import annotations

import contextlib
import io
import json
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

try:
    from aegismatrix_factory.release.card import skill_table

    from aegismatrix.desk.cli.main import main as aegismatrix
    from aegismatrix.desk.report import schema
    from benchmarks import peers, speed
    from scripts.legacy_loads import VENVS, tables
except ModuleNotFoundError as error:
    print(
        f"documents: This needs {error.name}, which is not installed. Install it, in the checkout,"
        " with: pip install -e '.[dev]' -e ./exporters.",
        file=sys.stderr,
    )
    sys.exit(2)

REPOSITORY = Path(__file__).parents[1]


def between_marks(document: str, name: str, content: str) -> str:
    """Replace what stands between the marks of that name."""
    marks = f"<!-- {name} -->\n", f"\n<!-- end of {name} -->"
    pattern = re.compile(re.escape(marks[0]) + "(.*?)" + re.escape(marks[1]), re.DOTALL)
    text, found = pattern.subn(lambda _: marks[0] + content + marks[1], document)
    if found != 1:
        raise ValueError(f"the document has no place marked for {name!r}")
    return text


def sample_report() -> str:
    """Return what `make report` prints, without its last line, which names a folder."""
    output = io.StringIO()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(output):
        status = aegismatrix(["report", "--sample", "--out", folder])
    if status != 0:
        raise RuntimeError("the report on the sample failed")
    lines = output.getvalue().splitlines()[:-1]
    return "```\n" + "\n".join(lines) + "\n```"


def field_rows(name: str, field: Mapping[str, Any]) -> Iterator[str]:
    """Return one row of the table for a field, and those of what is in it."""
    described = str(field.get("description", "")).replace("|", "\\|")
    yield f"| `{name}` | {kind(field)} | {described} |"
    for inner, value in field.get("properties", {}).items():
        yield from field_rows(f"{name}.{inner}" if name else inner, value)
    for key, mark in (("items", "[]"), ("additionalProperties", ".*")):
        inside = field.get(key)
        if isinstance(inside, dict) and (inside.get("type") == "object" or "items" in inside):
            for inner, value in inside.get("properties", {}).items():
                yield from field_rows(f"{name}{mark}.{inner}", value)


def kind(field: Mapping[str, Any]) -> str:
    """Return type, range or enumeration of a field in words."""
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    limits = [
        f"{words} {field[key]}"
        for key, words in (
            ("minimum", "from"),
            ("exclusiveMinimum", "above"),
            ("maximum", "to"),
            ("exclusiveMaximum", "below"),
            ("minItems", "at least"),
        )
        if key in field
    ]
    return " ".join([str(field["type"]), *limits])


def field_table() -> str:
    """Return a table of every field of the report, from the schema's descriptions."""
    rows = [
        row for name, field in schema()["properties"].items() for row in field_rows(name, field)
    ]
    return "\n".join(["| field | type | meaning |", "|---|---|---|", *rows])


def documents() -> dict[Path, str]:
    """Return each document as it should be."""
    manifest = REPOSITORY / "models_onnx" / "manifest.json"
    content = json.loads(manifest.read_text(encoding="utf-8"))
    readme, models, report, pickles, rescue, performance = (
        REPOSITORY / name
        for name in (
            *("README.md", "docs/models.md", "docs/report.md", "docs/why-pickles-fail.md"),
            "docs/rescue.md",
            "docs/performance.md",
        )
    )
    own_market = next(one for one in content["artifacts"] if one["training"])["training"][0]
    text = readme.read_text(encoding="utf-8")
    text = between_marks(text, "sample report", sample_report())
    loads = pickles.read_text(encoding="utf-8")
    for library in VENVS:
        loads = between_marks(loads, f"{library} loads", tables(library))
    return {
        pickles: loads,
        readme: between_marks(text, "skill table", skill_table(content, own_market["market"])),
        models: between_marks(
            models.read_text(encoding="utf-8"), "skill table", skill_table(content)
        ),
        rescue: between_marks(
            rescue.read_text(encoding="utf-8"),
            "peers",
            peers.table(json.loads(peers.KEPT.read_text(encoding="utf-8"))),
        ),
        performance: between_marks(
            performance.read_text(encoding="utf-8"),
            "speed",
            speed.table(json.loads(speed.KEPT.read_text(encoding="utf-8"))),
        ),
        report: between_marks(report.read_text(encoding="utf-8"), "fields", field_table()),
    }


def main() -> int:
    """Rewrite the documents."""
    for path, text in documents().items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
