"""Copy the files of the census out of bare repositories, and list them by name, size and kind.

Usage: python -m benchmarks.census.collect REPOSITORIES FILES

REPOSITORIES holds a git directory ``<owner>+<name>/repo`` of each repository that repositories.csv
takes; FILES receives ``<owner>+<name>/<path>``. Nothing is unpickled, imported or run.
"""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path, PurePosixPath

from benchmarks.census.kinds import ABSENT, Judged, judge

HERE = Path(__file__).parent
COLUMNS = ("repository", "path", "commit", "sha256", "size_bytes", "kind", "family", "release")
_NAME = re.compile(
    r"\.(pkl|pickle|p|joblib|sav|pt|pth)(\.(gz|bz2|xz|lzma|z|lz4))?$", re.IGNORECASE | re.ASCII
)
_REGULAR = {"100644", "100755"}


def taken() -> list[str]:
    """The repositories of the census, in the order of the queries."""
    with (HERE / "repositories.csv").open(encoding="utf-8", newline="") as stream:
        return [row["repository"] for row in csv.DictReader(stream) if row["verdict"] == "taken"]


def git(folder: Path, *arguments: str) -> bytes | None:
    """What git says; None where it fails, as for content that the store lacks."""
    done = subprocess.run(
        ["git", f"--git-dir={folder}", *arguments], capture_output=True, check=False
    )
    return done.stdout if done.returncode == 0 else None


def matching(folder: Path) -> Iterator[tuple[str, str]]:
    """Blob and path of every file of the newest commit that the rule of inclusion takes."""
    listed = git(folder, "ls-tree", "-r", "-z", "HEAD") or b""
    for line in listed.decode("utf-8", "surrogateescape").split("\0"):
        if not line:
            continue
        described, path = line.split("\t", 1)
        mode, _, blob = described.split()
        installed = "site-packages" in PurePosixPath(path).parts
        if mode in _REGULAR and _NAME.search(path) and not installed:
            yield blob, path


def modules(folder: Path) -> frozenset[str]:
    """The names under which Python could import something of the repository."""
    listed = git(folder, "ls-tree", "-r", "-z", "--name-only", "HEAD") or b""
    found = set()
    for name in listed.decode("utf-8", "surrogateescape").split("\0"):
        path = PurePosixPath(name)
        if path.suffix in {".py", ".ipynb"}:
            found |= {path.stem, *path.parts[:-1]}
    return frozenset(found)


def collect(repositories: Path, files: Path) -> Iterator[dict[str, str | int]]:
    """Copy all files, and yield their rows."""
    for repository in taken():
        name = repository.replace("/", "+")
        folder = repositories / name / "repo"
        commit = (git(folder, "rev-parse", "HEAD") or b"").decode("ascii").strip()
        own, seen = modules(folder), set[str]()
        for blob, path in matching(folder):
            if blob in seen:
                continue
            seen.add(blob)
            data = git(folder, "cat-file", "blob", blob)
            judged = Judged(ABSENT)
            if data is not None:
                judged = judge(data, own)
                copy = files / name / path
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(data)
            yield {
                "repository": repository,
                "path": path,
                "commit": commit,
                "sha256": "" if data is None else sha256(data).hexdigest(),
                "size_bytes": "" if data is None else len(data),
                "kind": judged.kind,
                "family": judged.family,
                "release": judged.release,
            }


def main(repositories: str, files: str) -> None:
    """Collect, and write files.csv."""
    with (HERE / "files.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(collect(Path(repositories), Path(files)))


if __name__ == "__main__":
    main(*sys.argv[1:])
