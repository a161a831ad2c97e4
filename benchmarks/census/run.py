"""Run the rescue on every file of the census, and count what it converts.

Usage: python -m benchmarks.census.run FILES [--jobs N] [--reasons CSV]

Each file is rescued alone, by the command that a user has, in a process of its own whose memory and
time are limited; one that is killed counts as refused.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from benchmarks.census.kinds import ABSENT, FOREIGN, MODEL, OTHER_LIBRARY, OWN_CLASS, POINTER, TORCH

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
CONVERTED, KILLED = "converted", "killed"
_NOT_TRIED = {ABSENT, POINTER, FOREIGN}


@dataclass(frozen=True)
class Verdict:
    """What the rescue says of one file.

    Attributes
    ----------
    repository, path, kind, family, release : str
        As files.csv has them.
    verdict : str
        ``converted``, ``refused``, ``killed`` for one that took too much, or ``not a model file``.
    code : str
        Why it was refused.
    artifacts : int
        How many came of it.
    seconds : float
        Wall time, with the start of Python.
    """

    repository: str
    path: str
    kind: str
    family: str
    release: str
    verdict: str
    code: str
    artifacts: int
    seconds: float


def limited(memory_mb: int, seconds: int) -> None:
    """Limit the process that is about to begin."""
    resource.setrlimit(resource.RLIMIT_AS, (memory_mb * 2**20,) * 2)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds,) * 2)


def tried(row: Mapping[str, str], files: Path, seconds: int, memory_mb: int) -> tuple[Verdict, str]:
    """Rescue one file; the reason of a refusal comes beside the verdict, for it quotes the file."""
    source = files / row["repository"].replace("/", "+") / row["path"]
    if sha256(source.read_bytes()).hexdigest() != row["sha256"]:
        raise SystemExit(f"{source} is not the file of files.csv: fetch the commit that it names")
    with tempfile.TemporaryDirectory() as scratch:
        old, new = Path(scratch, "old"), Path(scratch, "new")
        old.mkdir()
        shutil.copyfile(source, old / source.name)
        command = [
            sys.executable,
            str(ROOT / "scripts" / "rescue.py"),
            "--json",
            str(old),
            str(new),
        ]
        report: dict[str, Any] = {"files": []}
        began = time.perf_counter()
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                check=False,
                timeout=seconds,
                preexec_fn=partial(limited, memory_mb, seconds),
            )
            code = f"exit-{done.returncode}"
            if done.returncode < 0:
                code = signal.Signals(-done.returncode).name
            if done.stdout:
                report = json.loads(done.stdout)
        except subprocess.TimeoutExpired:
            code = "timeout"
        took = time.perf_counter() - began
    unsaid = {"code": code, "reason": "it says nothing"}
    killed: dict[str, Any] = {"verdict": KILLED, "artifacts": [], "refusal": unsaid}
    found = report["files"][0] if report["files"] else killed
    refusal = found["refusal"] or {"code": "", "reason": ""}
    verdict = Verdict(
        repository=row["repository"],
        path=row["path"],
        kind=row["kind"],
        family=row["family"],
        release=row["release"],
        verdict=found["verdict"],
        code=refusal["code"],
        artifacts=len(found["artifacts"]),
        seconds=round(took, 1),
    )
    return verdict, refusal["reason"]


def share(part: int, whole: int) -> str:
    """Write a share with its denominator."""
    return f"{part} of {whole}" + (f" ({100 * part / whole:.0f} %)" if whole else "")


def converted(verdicts: Iterable[Verdict]) -> int:
    """How many were converted."""
    return sum(one.verdict == CONVERTED for one in verdicts)


def table(counts: Counter[str]) -> list[str]:
    """One line per name, the most frequent first."""
    return [f"  {number:4}  {name}" for name, number in counts.most_common()]


def summary(verdicts: Sequence[Verdict], untried: Counter[str]) -> str:
    """Count the verdicts.

    Parameters
    ----------
    verdicts : sequence of Verdict
        Of all files that were tried.
    untried : Counter
        By kind, those that cannot be: their content is not there.

    Returns
    -------
    str
        Shares with their denominators; refusals by code and by family.
    """
    models = [one for one in verdicts if one.kind == MODEL]
    wider = [one for one in verdicts if one.kind in {MODEL, OWN_CLASS, OTHER_LIBRARY}]
    networks = [one for one in verdicts if one.kind == TORCH]
    by_repository: dict[str, list[Verdict]] = defaultdict(list)
    for one in models:
        by_repository[one.repository].append(one)
    whole = sum(converted(held) == len(held) for held in by_repository.values())
    shares = [converted(held) / len(held) for held in by_repository.values()]
    refused = [one for one in models if one.verdict != CONVERTED]
    families: dict[str, list[Verdict]] = defaultdict(list)
    for one in models:
        families[one.family].append(one)
    lines = [
        f"model files converted: {share(converted(models), len(models))}",
        f"with classes of their own and of other libraries: {share(converted(wider), len(wider))}",
        f"repositories whole: {share(whole, len(by_repository))}",
        f"mean share of a repository: {100 * sum(shares) / max(1, len(shares)):.0f} %",
        f"torch files, apart: {share(converted(networks), len(networks))}",
        f"files: {len(verdicts) + untried.total()}, of which not tried: {dict(untried)}",
        f"kinds tried: {dict(Counter(one.kind for one in verdicts))}",
        "refused model files by code:",
        *table(Counter(one.code for one in refused)),
        "by family, converted of all:",
    ]
    ordered = sorted(families.items(), key=lambda item: (-len(item[1]), item[0]))
    lines += [f"  {name}: {share(converted(held), len(held))}" for name, held in ordered]
    return "\n".join(lines)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", type=Path, metavar="FILES", help="what collect.py filled")
    parser.add_argument("--jobs", type=int, default=1, help="default: %(default)s")
    parser.add_argument("--seconds", type=int, default=120, help="default: %(default)s")
    parser.add_argument("--memory-mb", type=int, default=4096, help="default: %(default)s")
    parser.add_argument("--verdicts", type=Path, default=HERE / "verdicts.csv")
    parser.add_argument(
        "--reasons", type=Path, help="where to write the reasons, which quote files"
    )
    return parser.parse_args()


def main() -> None:
    """Try all files, write the verdicts, and print the counts."""
    arguments = parse()
    with (HERE / "files.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    wanted = [row for row in rows if row["kind"] not in _NOT_TRIED]
    untried = Counter(row["kind"] for row in rows if row["kind"] in _NOT_TRIED)
    try_one = partial(
        tried, files=arguments.files, seconds=arguments.seconds, memory_mb=arguments.memory_mb
    )
    with ThreadPoolExecutor(arguments.jobs) as pool:
        results = list(pool.map(try_one, wanted))
    verdicts = [verdict for verdict, _ in results]
    columns = [field.name for field in fields(Verdict) if field.name != "seconds"]
    with arguments.verdicts.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(verdict) for verdict in verdicts)
    if arguments.reasons is not None:
        with arguments.reasons.open("w", encoding="utf-8", newline="") as stream:
            reasons = csv.DictWriter(stream, [*columns, "seconds", "reason"], lineterminator="\n")
            reasons.writeheader()
            reasons.writerows({**asdict(one), "reason": reason} for one, reason in results)
    print(summary(verdicts, untried))


if __name__ == "__main__":
    main()
