"""Rescue all test files, and ask other tools what they make of the same files and models.

Usage: python -m benchmarks.peers

The rescue goes through every folder of tests/fixtures, as its command does, and is timed and
weighed file by file. Beside it, in throw-away venvs with the versions below:

- fickling judges the same files by their opcodes, and pickles that call what they should not;
- skops looks for its own format in them;
- sklearn-migrator and skl2onnx need live models. Nothing here unpickles, so they are given models
  that are fitted in the venv by what made the test files: for the migrator under scikit-learn
  1.3.2, to be rebuilt under 1.7.2, the newest that it names; for skl2onnx under 1.7.2. Each is held
  against the live model, on rows that float32 has, too.

What came out is kept in ``benchmarks/peers.json``, from which ``scripts/documents.py`` puts the
tables into docs/rescue.md. Linux alone: memory is read from /proc, and a locale is made.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scripts.legacy_fixtures import (
    FIXTURES,
    RELEASES,
    REPOSITORY,
    SINGLE,
    Venv,
    asked,
    make_venv,
    tables,
)

ROOTS = (FIXTURES, RELEASES)
MODEL_SUFFIXES = {".pkl", ".joblib", ".pt"}
KEPT = Path(__file__).with_suffix(".json")
MIGRATOR = "sklearn-migrator==1.0.0"
OLD = Venv(
    "3.11",
    (
        *("numpy==1.26.0", "scipy==1.11.4", "pandas==2.1.4", "joblib==1.3.2"),
        *("scikit-learn==1.3.2", MIGRATOR),
    ),
)
NEW = Venv(
    "3.11",
    (
        *("numpy==2.2.6", "scipy==1.15.3", "pandas==2.3.3", "joblib==1.5.2"),
        *("scikit-learn==1.7.2", MIGRATOR, "skl2onnx==1.20.0", "onnx==1.23.2"),
        *("onnxruntime==1.31.1", "skops==0.16.0", "fickling==0.1.12"),
    ),
)
SAME = {OLD: "scikit-learn-1.3.2-numpy-1.26.0", NEW: "scikit-learn-1.7.2-numpy-2.2.6"}
"""The folder of test files that hold the models which are fitted in a venv."""
LOCALE = "en_US.UTF-8"
"""onnxruntime asks the system for it before it splits text."""
EQUAL, CLOSE = 1e-6, 1e-3
SAFE = {"LIKELY_SAFE"}
MIB = 2**20


def main() -> int:
    """Run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--each", type=Path, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.each:
        each(*options.each)
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        found = measured(Path(scratch))
    KEPT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(table(found))
    return 0


def measured(scratch: Path) -> dict[str, Any]:
    """Ask all."""
    for venv in (OLD, NEW):
        make_venv(venv)
    malice = scratch / "malice"
    plant(malice)
    folders = [one for root in ROOTS for one in sorted(root.iterdir()) if one.is_dir()]
    named = [file for folder in folders for file in sorted(folder.iterdir())]
    judged = judgements([str(one) for one in named if one.suffix in MODEL_SUFFIXES], scratch)
    judged_calls = judgements([str(one) for one in sorted(malice.iterdir())], scratch)
    data = asked()
    np.savez(scratch / "inputs.npz", **data)
    (scratch / "tables.json").write_text(json.dumps(tables(data)), encoding="utf-8")
    mine = {name: own(name) for name in SAME.values()}
    migrator = of_models(migrated(scratch), mine[SAME[OLD]])
    skl2onnx = of_models(converted(scratch), mine[SAME[NEW]])
    calls, _ = rescued([malice], scratch)
    verdicts, cost = rescued(folders, scratch)
    return {
        "versions": dict(pin.split("==") for pin in NEW.packages),
        "cost": cost,
        "verdicts": dict(Counter(verdicts.values())),
        "calls": dict(Counter(calls.values())),
        "fickling": fickling(judged),
        "fickling_calls": fickling(judged_calls),
        "skops": sum("types" in one for one in judged if one["name"].startswith("skops ")),
        "migrator": migrator,
        "skl2onnx": skl2onnx,
    }


def plant(folder: Path) -> None:
    """Write the pickles of the tests that call what they should not; nothing ever loads them."""
    from tests.rescue.test_legacy_malice import CALLS

    folder.mkdir()
    for number, content in enumerate(CALLS.values()):
        (folder / f"{number}.pkl").write_bytes(content)


def each(old: Path, new: Path) -> None:
    """Rescue a folder as the command does; print what each file cost."""
    from aegismatrix_factory.rescue.folder import rescue
    from aegismatrix_factory.rescue.verdicts import Rescued

    moments = [time.perf_counter()]
    held = resident()
    forget_peak()

    def tell(verdict: Rescued) -> None:
        nonlocal held
        now, peak = time.perf_counter(), resident("VmHWM")
        line = {"file": verdict.file, "verdict": verdict.verdict, "seconds": now - moments[-1]}
        print(json.dumps({**line, "grown": max(0, peak - held)}), flush=True)
        held = resident()
        forget_peak()
        moments.append(time.perf_counter())

    rescue(old, new, report=tell)


def resident(field: str = "VmRSS") -> int:
    """Memory of this process in bytes: what it has, or VmHWM, the most since the last reset."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1]) * 1024


def forget_peak() -> None:
    """Let the system measure the most memory anew."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def rescued(folders: Sequence[Path], scratch: Path) -> tuple[dict[str, str], dict[str, Any]]:
    """The verdict on each file, and what all of them and each one cost."""
    verdicts: dict[str, str] = {}
    lines: list[dict[str, Any]] = []
    spent, peak, start = 0.0, 0, time.perf_counter()
    for folder in folders:
        new = scratch / "new"
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.peers", "--each", str(folder), str(new)],
            stdout=subprocess.PIPE,
            cwd=REPOSITORY,
            env={**os.environ, **SINGLE},
            text=True,
        )
        assert process.stdout is not None
        for line in process.stdout:
            told = json.loads(line)
            file = str(folder / told["file"])
            verdicts[file] = told["verdict"]
            if told["verdict"] != "not a model file":
                lines.append({**told, "file": f"{folder.name}/{told['file']}"})
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"the rescue of {folder.name} ended with {process.returncode}")
        spent += used.ru_utime + used.ru_stime
        peak = max(peak, used.ru_maxrss * 1024)
        shutil.rmtree(new)
    size = sum(Path(file).stat().st_size for file in verdicts)
    seconds = sorted(one["seconds"] for one in lines)
    slowest, largest = (max(lines, key=lambda one: one[key]) for key in ("seconds", "grown"))
    return verdicts, {
        "folders": len(folders),
        "files": len(lines),
        "megabytes": round(size / 1e6),
        "seconds": round(time.perf_counter() - start),
        "processor_seconds": round(spent),
        "peak_mib": round(peak / MIB),
        "median_milliseconds": round(1e3 * statistics.median(seconds)),
        "most_of_them_milliseconds": round(1e3 * seconds[int(0.99 * len(seconds))]),
        "slowest": [slowest["file"], round(slowest["seconds"], 2)],
        "median_grown_mib": round(statistics.median(one["grown"] for one in lines) / MIB, 1),
        "largest": [largest["file"], round(largest["grown"] / MIB)],
    }


def ask(venv: Venv, task: str, scratch: Path) -> list[dict[str, Any]]:
    """Ask inside of a venv; return its lines."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    locales = scratch / "locales"
    done = subprocess.run(
        [str(venv.executable), "-m", "benchmarks.peers_asked", task, str(scratch)],
        check=True,
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
        env={**kept, **SINGLE, "LOCPATH": str(locales), "ORT_DISABLE_TELEMETRY": "1"},
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def judgements(files: Sequence[str], scratch: Path) -> list[dict[str, Any]]:
    """What fickling and skops say of files."""
    (scratch / "files.json").write_text(json.dumps(files), encoding="utf-8")
    return ask(NEW, "files", scratch)


def fickling(judged: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Count its verdicts."""
    lines = [one for one in judged if one["name"].startswith("fickling ")]
    return {
        "files": len(lines),
        "safe": sum(one.get("severity") in SAFE for one in lines),
        "unsafe": sum("severity" in one and one["severity"] not in SAFE for one in lines),
        "unread": sum("failed" in one for one in lines),
    }


def migrated(scratch: Path) -> list[dict[str, Any]]:
    """What became of each model of the older release in the newer one."""
    written = ask(OLD, "serialise", scratch)
    refused = [one for one in written if "failed" in one]
    return [*refused, *ask(NEW, "deserialise", scratch)]


def converted(scratch: Path) -> list[dict[str, Any]]:
    """What became of each live model as ONNX, with the locale that splitting text needs."""
    locales = scratch / "locales"
    locales.mkdir()
    subprocess.run(
        ["localedef", "-i", "en_US", "-f", "UTF-8", str(locales / LOCALE)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return ask(NEW, "convert", scratch)


def own(name: str) -> dict[str, str]:
    """What the rescue makes of the files of a folder, by model: equal, off or a code."""
    from tests.rescue.test_releases import Folder, walk

    outcome = walk(name)
    wrong = {line.partition(" ")[0].removesuffix(":") for line in outcome.wrong}
    found: dict[str, str] = {}
    for entry in Folder(name).made["files"]:
        file = entry["file"]
        fate = outcome.refused.get(file, "off" if file in wrong else "equal")
        if found.get(entry["holds"], "equal") == "equal":
            found[entry["holds"]] = fate
    return found


def of_models(lines: Sequence[Mapping[str, Any]], mine: Mapping[str, str]) -> dict[str, Any]:
    """Count what became of live models, beside what the rescue makes of their files."""
    lines = [one for one in lines if one["name"] in mine]
    off = {one["name"]: one["off"] for one in lines if "off" in one}
    names = [one["name"] for one in lines]
    equal = {name for name, by in off.items() if by <= EQUAL}
    return {
        "models": len(names),
        "equal": len(equal),
        "close": sum(EQUAL < by <= CLOSE for by in off.values()),
        "off": {name: shown(by) for name, by in off.items() if by > CLOSE},
        "failed": {one["name"]: one["failed"] for one in lines if "failed" in one},
        "rescue_equal": sum(mine[name] == "equal" for name in names),
        "rescue_off": sum(mine[name] == "off" for name in names),
        "right_where_the_rescue_refuses": sorted(
            name for name in equal if mine[name] not in ("equal", "off")
        ),
    }


def shown(off: float) -> str:
    """A difference in words."""
    return "another shape or NaN" if off == float("inf") else f"{off:.2g}"


def table(found: Mapping[str, Any]) -> str:
    """Return what the document says, from what is kept."""
    return "\n".join(_lines(found))


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    cost, versions = found["cost"], found["versions"]
    verdicts, calls = found["verdicts"], found["calls"]
    yield "| all test files, one after another | |"
    yield "|---|---|"
    size = f"{cost['megabytes']} MB, in {cost['folders']} folders"
    yield f"| model files | {cost['files']:,}, {size} |"
    yield f"| processor time | {cost['processor_seconds']} s, with a new process for each folder |"
    yield f"| peak of the largest process | {cost['peak_mib']} MiB |"
    yield (
        f"| one file, by the clock | {cost['median_milliseconds']} ms in the median,"
        f" {cost['most_of_them_milliseconds']} ms at most in 99 of 100;"
        f" {cost['slowest'][1]} s for `{cost['slowest'][0]}` |"
    )
    yield (
        f"| memory that one file adds at its peak | {cost['median_grown_mib']} MiB in the median;"
        f" {cost['largest'][1]} MiB for `{cost['largest'][0]}` |"
    )
    yield ""
    judged, judged_calls = found["fickling"], found["fickling_calls"]
    yield f"| the same files | {judged['files']:,} | {judged_calls['files']} that call |"
    yield "|---|---|---|"
    yield (
        f"| `aegismatrix rescue` | {verdicts['converted']:,} converted, {verdicts['refused']:,}"
        f" refused | {calls.get('refused', 0)} refused |"
    )
    yield (
        f"| fickling {versions['fickling']}, which converts none |"
        f" {judged['safe']:,} called safe, {judged['unsafe']:,} unsafe,"
        f" {judged['unread']:,} not read |"
        f" {judged_calls['safe']} called safe, {judged_calls['unsafe']} unsafe,"
        f" {judged_calls['unread']} not read |"
    )
    yield (
        f"| skops {versions['skops']}, which reads its own format alone |"
        f" {found['skops']} read | none read |"
    )
    yield ""
    yield (
        "| the same models | models | equal to 1e-6 | off by up to 0.001 | off by more |"
        " refused or failed |"
    )
    yield "|---|---|---|---|---|---|"
    for name, key, what in (
        ("sklearn-migrator", "migrator", "live in 1.3.2, rebuilt in 1.7.2"),
        ("skl2onnx", "skl2onnx", "live in 1.7.2"),
    ):
        given = found[key]
        rest = given["models"] - given["rescue_equal"] - given["rescue_off"]
        release = what.partition(",")[0].removeprefix("live in ")
        yield (
            f"| {name} {versions[name]}, {what} | {given['models']} | {given['equal']} |"
            f" {given['close']} | {len(given['off'])} | {len(given['failed'])} |"
        )
        yield (
            f"| `aegismatrix rescue`, from the files of {release} | {given['models']} |"
            f" {given['rescue_equal']} | 0 | {given['rescue_off']} | {rest} |"
        )
    for name, key in (("sklearn-migrator", "migrator"), ("skl2onnx", "skl2onnx")):
        given = found[key]
        right = ", ".join(f"`{one}`" for one in given["right_where_the_rescue_refuses"])
        wrong = ", ".join(f"`{one}` ({off})" for one, off in given["off"].items())
        yield ""
        yield f"{name} is right where the rescue refuses: {right or 'nowhere'}."
        yield f"It is off by more than 0.001 without an error: {wrong or 'nowhere'}."


if __name__ == "__main__":
    sys.exit(main())
