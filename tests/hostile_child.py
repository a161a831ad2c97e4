"""Try every way into folders of artifacts, in a process that may take little time and memory.

Usage: python -m tests.hostile_child MEBIBYTES SECONDS USER FOLDER...

Prints one line of JSON per folder: what each way in said, ``ok`` or the name of the error's class.
Any error that is not typed ends the process with its traceback.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import aegismatrix as am
from aegismatrix.artifacts.manifest import find_artifacts, read_manifest
from aegismatrix.desk.cli.main import main as command
from aegismatrix.engine.verify import verify_manifest
from aegismatrix.errors import AegisError

LONGEST = 5_000
_MEBIBYTE = 1 << 20


def answer(way: Callable[[], object]) -> str:
    """What one way in said."""
    try:
        way()
    except AegisError as error:
        said = error
    else:
        return "ok"
    assert str(said).isprintable(), repr(str(said))
    assert len(str(said)) < LONGEST
    return type(said).__name__


def findings(folder: Path) -> str:
    """The kinds of what `verify` found; read as `aegismatrix verify` reads it."""
    try:
        found = [finding.error for finding in verify_manifest(read_manifest(folder), golden=False)]
    except AegisError as error:
        found = [error]
    assert [type(error) for error in found] == [type(one.error) for one in am.verify(folder)]
    return " ".join(sorted({type(error).__name__ for error in found})) or "ok"


def peak_mebibytes() -> int:
    """The most memory that this process has used; what getrusage tells is its parent's at first."""
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
    except FileNotFoundError:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit // _MEBIBYTE
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) // 1024


def status(*arguments: str) -> str:
    """How the command ended."""
    # As a terminal's: what cannot be written raises.
    written = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with contextlib.redirect_stdout(written), contextlib.redirect_stderr(io.StringIO()):
        ended = command(arguments)
    written.seek(0)
    assert not set(written.read()) & set("\x1b\x07\x08\r"), "it steers the terminal"
    return f"exit {ended}"


def ways(folder: Path) -> Iterator[tuple[str, str]]:
    """Every way into a folder, and what it said."""
    yield "list_models", answer(lambda: am.list_models(folder))
    yield "verify", findings(folder)
    yield "load_models", answer(lambda: am.load_models(folder))
    yield "Engine", answer(lambda: am.Engine(folder))
    yield "aegismatrix verify", status("verify", str(folder))
    yield "aegismatrix models", status("models", "--models", str(folder))


def main() -> None:
    """Take the limits, then try the folders."""
    mebibytes, seconds, user, *folders = sys.argv[1:]
    for kind, limit in (
        (resource.RLIMIT_AS, int(mebibytes) * _MEBIBYTE),
        (resource.RLIMIT_CPU, int(seconds)),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (limit, limit))
    if int(user) != os.getuid():
        # What is imported on first use may lie where another user cannot read.
        assert set(dict(ways(find_artifacts())).values()) == {"ok", "exit 0"}
        os.setuid(int(user))
    for folder in folders:
        said = dict(ways(Path(folder)))
        peak = peak_mebibytes()
        sys.stdout.write(json.dumps({"said": said, "peak_mebibytes": peak}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
