"""Measure which library still loads what another one dumped, and what it then answers.

Usage: python scripts/legacy_loads.py [LIBRARY ...]

Every pair of versions, in throw-away venvs (`scripts/legacy_fixtures.py` says what they need), on a
system that forks. The rest of a venv is the same for all versions of a library, so that a failure
is this library's.
`scripts/documents.py` puts the tables into docs/why-pickles-fail.md.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from scripts.legacy_fixtures import BUILD, MAKER, REPOSITORY, Venv, command, inputs, make_venv

PROBE = Path(__file__).with_name("legacy_probe.py")
MEASURED = REPOSITORY / "tests" / "fixtures" / "legacy_loads.json"
TOLERANCE = 1e-6
LETTERS = "abcdefghijklmnopqrstuvwxyz"
KEPT_CHARACTERS = 200

VENVS: Mapping[str, Mapping[str, Venv]] = {
    "numpy": {
        version: Venv("3.11", (f"numpy=={version}", "joblib==1.5.2"))
        for version in ("1.24.4", "1.26.0", "1.26.1", "1.26.4", "2.0.2", "2.4.6")
    },
    "scikit-learn": {
        version: Venv("3.11", ("numpy==1.26.4", f"scikit-learn=={version}", "joblib==1.5.2"))
        for version in ("1.3.2", "1.4.2", "1.5.2", "1.7.2", "1.8.0", "1.9.1")
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
FORMS = {"numpy": "p2,p4,p5,joblib", "scikit-learn": "p4", "xgboost": "p4,json,ubj"}


def write(library: str) -> None:
    """Let every version of a library write its files."""
    work = BUILD / "written" / library
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    np.savez(work / "inputs.npz", **inputs())
    for version, venv in VENVS[library].items():
        make_venv(venv)
        command(
            venv, *MAKER, work / "inputs.npz", work / version, library, "--forms", FORMS[library]
        )


def load(library: str) -> dict[str, Any]:
    """Return what became of every file, by the version that wrote it and the one that loads."""
    work = BUILD / "written" / library
    versions = tuple(VENVS[library])
    found: dict[str, Any] = {written: {loaded: {} for loaded in versions} for written in versions}
    for loaded, venv in VENVS[library].items():
        folders = [work / written for written in versions]
        for line in command(
            venv, PROBE, work / "inputs.npz", library, *folders
        ).stdout.splitlines():
            result = json.loads(line)
            # Their texts hold paths and the time of day.
            result["warnings"] = sorted({text.partition(":")[0] for text in result["warnings"]})
            found[result.pop("folder")][loaded][result.pop("file")] = result
    return found


def outcome(result: Mapping[str, Any]) -> tuple[str, str | None]:
    """Return what became of one file in words, and the message if there is one."""
    warned = ", warns" if result["warnings"] else ""
    if result["error"] is not None:
        words = "fails" if result["stage"] == "load" else f"loads{warned}, fails when asked"
        return words, " ".join(str(result["error"]).split())[:KEPT_CHARACTERS]
    wrong = max(result["difference"].values())
    if not wrong <= TOLERANCE:
        return f"**wrong by {wrong:.2g}**{warned or ', silent'}", None
    return f"loads{warned}", None


def tables(library: str) -> str:
    """Return the measured tables of a library: files that fare alike share one."""
    measured = json.loads(MEASURED.read_text(encoding="utf-8"))[library]
    versions = list(measured)
    files = dict.fromkeys(file for written in versions for file in measured[written][written])
    fates: dict[tuple[tuple[str, str | None], ...], list[str]] = {}
    for file in files:
        fate = tuple(
            outcome(measured[written][loaded][file])
            if file in measured[written][written]
            else ("not written", None)
            for written in versions
            for loaded in versions
        )
        fates.setdefault(fate, []).append(file.removesuffix(".pkl"))
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
    """Measure what is asked for and keep the rest."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("library", nargs="*", help=f"default: {', '.join(VENVS)}")
    options = parser.parse_args()
    for library in options.library or VENVS:
        write(library)
        found = load(library)
        known = json.loads(MEASURED.read_text(encoding="utf-8")) if MEASURED.exists() else {}
        ordered = {name: found if name == library else known.get(name, {}) for name in VENVS}
        MEASURED.write_text(json.dumps(ordered, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
