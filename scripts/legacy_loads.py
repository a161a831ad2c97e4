"""Measure which library still loads what another one dumped, and what it then answers.

Usage: python scripts/legacy_loads.py

Every pair of versions, in throw-away venvs (`scripts/legacy_fixtures.py` says what they need). The
rest of a venv is the same for all versions of a library, so that a failure is this library's.
`scripts/documents.py` puts the tables into docs/why-pickles-fail.md.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scripts.legacy_fixtures import BUILD, MAKER, REPOSITORY, Venv, command, inputs, make_venv

PROBE = Path(__file__).with_name("legacy_probe.py")
MEASURED = REPOSITORY / "tests" / "fixtures" / "legacy_loads.json"
TOLERANCE = 1e-6
LETTERS = "abcdefghijklmnopqrstuvwxyz"
MESSAGE_CHARACTERS = 160

VENVS: Mapping[str, Mapping[str, Venv]] = {
    "numpy": {
        version: Venv("3.11", (f"numpy=={version}", "joblib==1.5.2"))
        for version in ("1.24.4", "1.26.0", "1.26.4", "2.0.2", "2.4.6")
    },
    "scikit-learn": {
        version: Venv("3.11", ("numpy==1.26.4", f"scikit-learn=={version}", "joblib==1.5.2"))
        for version in ("1.3.2", "1.5.2", "1.7.2", "1.9.1")
    },
    "xgboost": {
        version: Venv(
            "3.11",
            ("numpy==1.26.4", "scikit-learn==1.5.2", "joblib==1.5.2"),
            (f"xgboost=={version}",),
        )
        for version in ("2.0.3", "2.1.4", "3.0.5", "3.1.3", "3.2.0")
    },
}
FORMS = {"numpy": "p2,p4,p5,joblib", "scikit-learn": "p4", "xgboost": "p4"}


def measure() -> dict[str, Any]:
    """Return what became of every file under every version, by library."""
    BUILD.mkdir(parents=True, exist_ok=True)
    np.savez(BUILD / "inputs.npz", **inputs())
    shutil.rmtree(BUILD / "written", ignore_errors=True)
    found: dict[str, Any] = {}
    for library, venvs in VENVS.items():
        found[library] = {}
        for written, venv in venvs.items():
            folder = BUILD / "written" / f"{library}-{written}"
            make_venv(venv)
            arguments = (MAKER, BUILD / "inputs.npz", folder, library, "--forms", FORMS[library])
            command(venv, *arguments, check=True)
            made = json.loads((folder / "made.json").read_text(encoding="utf-8"))
            asked = [entry for entry in made["files"] if entry["outputs"]]
            found[library][written] = {}
            for loaded, other in venvs.items():
                found[library][written][loaded] = dict(probed(other, folder, asked))
    return found


def probed(venv: Venv, folder: Path, asked: Sequence[dict[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Load the files in a venv; one that ends the process is said to, and the next one follows."""
    make_venv(venv)
    waiting = [entry["file"] for entry in asked]
    while waiting:
        done = command(venv, PROBE, BUILD / "inputs.npz", folder, *waiting, check=False)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        for line in lines:
            yield line.pop("file"), line
        if done.returncode > 0:
            raise subprocess.CalledProcessError(done.returncode, done.args)
        waiting = waiting[len(lines) :]
        if done.returncode < 0:
            error = f"the process ends with signal {-done.returncode}"
            yield waiting.pop(0), {"stage": "load", "error": error, "warnings": []}


def outcome(result: Mapping[str, Any]) -> tuple[str, str | None]:
    """Return what became of one file in words, and the message if there is one."""
    if result["error"] is not None:
        words = "fails" if result["stage"] == "load" else "loads, fails when asked"
        message = " ".join(str(result["error"]).split())
        return words, message[:MESSAGE_CHARACTERS]
    wrong = max(result["difference"].values())
    if wrong > TOLERANCE:
        return f"loads, wrong by {wrong:.2g}", None
    return ("loads, warns" if result["warnings"] else "loads"), None


def tables(library: str) -> str:
    """Return the measured tables of a library: files that fare alike share one."""
    measured = json.loads(MEASURED.read_text(encoding="utf-8"))[library]
    versions = list(measured)
    files = list(measured[versions[0]][versions[0]])
    fates: dict[tuple[tuple[str, str | None], ...], list[str]] = {}
    for file in files:
        cells = [
            outcome(measured[written][loaded][file])
            for written in versions
            for loaded in versions
            if file in measured[written][loaded]
        ]
        if len(cells) == len(versions) ** 2:
            fates.setdefault(tuple(cells), []).append(file.removesuffix(".pkl"))
    texts = []
    for fate, alike in fates.items():
        notes: dict[str, str] = {}
        rows = iter(fate)
        lines = [
            f"{', '.join(f'`{name}`' for name in alike)}:",
            "",
            "| written under | " + " | ".join(f"loaded under {name}" for name in versions) + " |",
            "|---" * (len(versions) + 1) + "|",
        ]
        for written in versions:
            fates_of_row: list[str] = []
            for _ in versions:
                words, message = next(rows)
                if message is not None:
                    note = notes.setdefault(message, LETTERS[len(notes)])
                    words = f"{words} ({note})"
                fates_of_row.append(words)
            lines.append(f"| {written} | " + " | ".join(fates_of_row) + " |")
        lines += [""] if notes else []
        lines += [f"- ({note}) `{message}`" for message, note in notes.items()]
        texts.append("\n".join(lines))
    return "\n\n".join(texts)


def main() -> int:
    """Measure all."""
    text = json.dumps(measure(), indent=1, sort_keys=False) + "\n"
    MEASURED.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
