"""Flip single bits of the artifacts and their manifest, and count who refuses them.

Usage: python benchmarks/flips.py [--flips N] [--seed N]

Every file that is sealed gets flips: a hundredth of them at least, the rest by its size. After each
flip the folder is tried through `verify`, `load_models` and `Engine`. A way in counts for a file
only if it reads it: `Engine` reads the manifest and engine.onnx, `load_models` the manifest and
every other artifact, and `verify` all of them, the model card and the losses of the walk-forward,
which nothing else reads. Where a way does not read the file, it must go on as if nothing had
happened; those are counted too.

Bytes that are as sealed would be opened 12 times a flip. Their sessions are kept by their sha256;
reading and hashing are done each time, and flipped bytes would be opened for real if they came so
far, which is counted and must not happen.

Exit status: 0 if every flip was refused through every way that reads the file, 1 otherwise.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import shutil
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import aegismatrix as am
from aegismatrix.artifacts.manifest import (
    ENGINE_NAME,
    MANIFEST_NAME,
    Manifest,
    ModelSpec,
    read_manifest,
)
from aegismatrix.engine import model as runtime
from aegismatrix.errors import AegisError

WAYS = ("verify", "load_models", "Engine")
LEAST_SHARE = 0.01
OVERLOOKED = "overlooked"


@dataclass
class Tally:
    """What the ways in said to the flips of each file.

    Attributes
    ----------
    refused : mapping of (file, way) to Counter
        By the kind of error; `OVERLOOKED` where there was none.
    undisturbed : Counter
        By way, flips in files that it does not read and that it went on after.
    disturbed : Counter
        By way, flips in files that it does not read and that it refused all the same.
    flips : Counter
        By file.
    refused_by_all : int
        Flips that every way that reads the file refused.
    """

    refused: dict[tuple[str, str], Counter[str]] = field(
        default_factory=lambda: defaultdict(Counter)
    )
    undisturbed: Counter[str] = field(default_factory=Counter)
    disturbed: Counter[str] = field(default_factory=Counter)
    flips: Counter[str] = field(default_factory=Counter)
    refused_by_all: int = 0

    def is_clean(self) -> bool:
        """Whether nothing was overlooked and nobody was disturbed."""
        return self.refused_by_all == self.flips.total() and not self.disturbed


class Sessions:
    """Opened sessions of genuine bytes, kept by what they are; stands for `Model.from_bytes`."""

    def __init__(self, manifest: Manifest) -> None:
        self._open = runtime.Model.from_bytes
        self._genuine = {spec.sha256 for spec in manifest.models.values()}
        self._kept: dict[str, runtime.Model] = {}
        self.flipped_bytes_opened = 0

    def from_bytes(self, spec: ModelSpec, data: bytes, path: str) -> runtime.Model:
        """Open bytes, or hand out what was opened of the same ones."""
        sha256 = hashlib.sha256(data).hexdigest()
        if sha256 not in self._genuine:
            self.flipped_bytes_opened += 1
            return self._open(spec, data, path)
        if sha256 not in self._kept:
            self._kept[sha256] = self._open(spec, data, path)
        return self._kept[sha256]


def sealed_files(manifest: Manifest) -> dict[str, frozenset[str]]:
    """Return, by file, the ways in that read it."""
    readers = {MANIFEST_NAME: frozenset(WAYS)}
    for spec in manifest.models.values():
        way = "Engine" if spec.name == ENGINE_NAME else "load_models"
        readers[spec.file] = frozenset({"verify", way})
    for attached in manifest.attachments.values():
        readers[attached.file] = frozenset({"verify"})
    return readers


def places(folder: Path, files: list[str], flips: int, seed: int) -> list[tuple[str, int]]:
    """Choose which bits to flip.

    Parameters
    ----------
    folder : Path
        Where the files are.
    files : list of str
        Their names.
    flips : int
        How many bits.
    seed : int
        Of the choice.

    Returns
    -------
    list of (file, bit)
    """
    chance = random.Random(seed)
    sizes = {file: (folder / file).stat().st_size for file in files}
    least = max(1, int(LEAST_SHARE * flips))
    counts = dict.fromkeys(files, least)
    rest = flips - least * len(files)
    if rest < 0:
        raise SystemExit(f"{flips} flips are too few for {len(files)} files")
    for file in chance.choices(files, weights=[sizes[file] for file in files], k=rest):
        counts[file] += 1
    return [
        (file, chance.randrange(8 * sizes[file])) for file in files for _ in range(counts[file])
    ]


def refusal(way: str, folder: Path) -> str | None:
    """Return the kind of error with which a way in refuses a folder, or None."""
    if way == "verify":
        found = am.verify(folder)
        return type(found[0].error).__name__ if found else None
    enter: Callable[[Path], object] = am.Engine if way == "Engine" else am.load_models
    try:
        enter(folder)
    except AegisError as error:
        return type(error).__name__
    return None


def run(folder: Path, flips: int, seed: int) -> Tally:
    """Flip bits one at a time, and put each back.

    Parameters
    ----------
    folder : Path
        A copy of sealed artifacts that may be damaged.
    flips : int
        How many bits.
    seed : int
        Of the choice.

    Returns
    -------
    Tally
    """
    readers, tally = sealed_files(read_manifest(folder)), Tally()
    for file, bit in places(folder, list(readers), flips, seed):
        original = (folder / file).read_bytes()
        data = bytearray(original)
        data[bit // 8] ^= 1 << bit % 8
        (folder / file).write_bytes(data)
        tally.flips[file] += 1
        said = {way: refusal(way, folder) for way in WAYS}
        for way, kind in said.items():
            if way in readers[file]:
                tally.refused[file, way][kind or OVERLOOKED] += 1
            else:
                (tally.disturbed if kind else tally.undisturbed)[way] += 1
        tally.refused_by_all += all(said[way] for way in readers[file])
        (folder / file).write_bytes(original)
    return tally


def show(tally: Tally, opened: int) -> None:
    """Print the counts."""
    print(f"{'file':20} {'flips':>6}  refused by the ways that read it")
    for file, flips in tally.flips.items():
        said = []
        for way in WAYS:
            kinds = tally.refused.get((file, way))
            if kinds:
                errors = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))
                said.append(f"{way} {kinds.total() - kinds[OVERLOOKED]} ({errors})")
        print(f"{file:20} {flips:6}  {'; '.join(said)}")
    for way in WAYS:
        kinds = sum((c for (_, of), c in tally.refused.items() if of == way), Counter[str]())
        print(
            f"{way}: {kinds.total() - kinds[OVERLOOKED]} of {kinds.total()} flips in files that it"
            f" reads refused; {tally.undisturbed[way]} in files that it does not read left alone"
        )
    total = tally.flips.total()
    print(f"{tally.refused_by_all} of {total} flips refused through every way that reads the file")
    print(f"{opened} times flipped bytes reached onnxruntime")


def main() -> int:
    """Print the counts; 1 if anything was overlooked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flips", type=int, default=10_000, help="how many bits (%(default)s)")
    parser.add_argument("--seed", type=int, default=20241231, help="of the choice (%(default)s)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(shutil.copytree(read_manifest().folder, Path(place) / "models"))
        sessions = Sessions(read_manifest(folder))
        setattr(runtime.Model, "from_bytes", sessions.from_bytes)  # noqa: B010
        if am.verify(folder):
            raise SystemExit("the artifacts are not as sealed to begin with")
        tally = run(folder, arguments.flips, arguments.seed)
        show(tally, sessions.flipped_bytes_opened)
    return 0 if tally.is_clean() and not sessions.flipped_bytes_opened else 1


if __name__ == "__main__":
    sys.exit(main())
