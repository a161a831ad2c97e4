"""Damaged files of every family and container end with a verdict: nothing imported, called or hung.

``AEGISMATRIX_MUTATIONS`` sets how many files are tried (20000 takes half an hour);
`benchmarks/mutations.py` tries as many as it is asked for, and prints what came of them.

Each mutated file goes the whole way of a rescue: it is read, looked at again where it is refused,
turned into parameters, a graph and an artifact, and held against its oracle. A child process does
that, whose address space and processor time the kernel bounds, under an audit hook that notes each
import, each opening of a file, and all code made at run time.
"""

from __future__ import annotations

import bz2
import collections
import gzip
import json
import lzma
import os
import random
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from aegismatrix_factory.rescue.reading.limits import Limits

from tests.rescue.test_legacy_malice import BOMBS, CALLS, REFUSED

FIXTURES = Path(__file__).parents[1] / "fixtures"
CASES = int(os.environ.get("AEGISMATRIX_MUTATIONS", "400"))
SEED = 20261130
LIMITS = Limits(seconds=20.0)
SECONDS_PER_FILE = 60.0
ADDRESS_SPACE_BYTES = 2 * 2**30
LARGEST_FILE_BYTES = 200_000
BATCH = 250
TOKENS = (
    *(b".", b"N", b")", b"]", b"}", b"0", b"2", b"(", b"b", b"R", b"\x81", b"\x85", b"h\x00"),
    *(b"cos\nsystem\n", b"cbuiltins\neval\n", b"\x8c\x02os\x8c\x06system\x93", b"q\x00", b"\x94"),
    *(
        b"\x80\x05",
        b"\x95\xff\xff\xff\xff\xff\xff\xff\x7f",
        b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f",
    ),
    *(b"K\xff", b"J\xff\xff\xff\x7f", b"G\x7f\xf8\x00\x00\x00\x00\x00\x00", b"\x88", b"\x89"),
)
WRAPPERS: dict[str, tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]] = {
    "zlib": (zlib.decompress, zlib.compress),
    "gzip": (gzip.decompress, lambda data: gzip.compress(data, mtime=0)),
    "bz2": (bz2.decompress, bz2.compress),
    "xz": (lzma.decompress, lzma.compress),
    "lzma": (
        lambda data: lzma.decompress(data, lzma.FORMAT_ALONE),
        lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
    ),
}
STARTS = {b"x": "zlib", b"\x1f": "gzip", b"B": "bz2", b"\xfd": "xz", b"]": "lzma"}


@cache
def sources() -> tuple[Path, ...]:
    """One file of each kind in each library, of all releases in turns."""
    by_kind: dict[tuple[str, str], list[Path]] = {}
    for root in ("legacy", "releases"):
        manifest = json.loads((FIXTURES / root / "manifest.json").read_text(encoding="utf-8"))
        for folder, made in manifest["folders"].items():
            for entry in made["files"]:
                file = FIXTURES / root / folder / entry["file"]
                if file.stat().st_size <= LARGEST_FILE_BYTES and ".lz4." not in file.name:
                    key = made["library"], f"{entry['holds']} {file.suffix}"
                    by_kind.setdefault(key, []).append(file)
    chance = random.Random(SEED)
    chosen = []
    for key in sorted(by_kind):
        chosen += chance.sample(by_kind[key], min(3, len(by_kind[key])))
    chance.shuffle(chosen)
    return tuple(chosen)


def unwrapped(data: bytes) -> tuple[bytes, str | None]:
    """What is inside of a compression, whose checksum would catch all damage outside."""
    kind = STARTS.get(data[:1])
    if kind is None:
        return data, None
    try:
        return WRAPPERS[kind][0](data), kind
    except (zlib.error, OSError, EOFError, lzma.LZMAError):
        return data, None


def mutated(number: int) -> tuple[Path, bytes]:
    """A real file with bits flipped, pieces cut, doubled, exchanged, or opcodes put in."""
    chance = random.Random(SEED + number)
    files = sources()
    file = files[number % len(files)]
    data, kind = unwrapped(file.read_bytes())
    if chance.random() < 0.1:
        data, kind = file.read_bytes(), None
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        at = chance.randrange(max(1, len(changed)))
        length = chance.choice((1, 1, 2, 4, 8, 32, 500))
        how = chance.randrange(8)
        if how == 0:
            changed[at : at + 1] = bytes(
                [(changed[at] if changed else 0) ^ 1 << chance.randrange(8)]
            )
        elif how == 1:
            changed[at : at + length] = chance.randbytes(length)
        elif how == 2:
            del changed[at : at + length]
        elif how == 3:
            changed[at:at] = changed[at : at + length]
        elif how == 4:
            changed[at:at] = chance.choice(TOKENS)
        elif how == 5:
            changed[at : at + 8] = chance.choice(
                (bytes(8), b"\xff" * 8, bytes(6) + b"\xf0\x7f", bytes(6) + b"\xf8\x7f")
            )
        elif how == 6:
            other = chance.randrange(max(1, len(changed)))
            piece = changed[other : other + length]
            changed[at : at + length] = piece
        elif chance.random() < 0.2:
            del changed[at:]
    return file, bytes(changed) if kind is None else WRAPPERS[kind][1](bytes(changed))


PRELUDE = """
import json, resource, sys, time, warnings
from pathlib import Path
from aegismatrix_factory.rescue.single import Task, convert, program
from tests.rescue.test_mutations import ADDRESS_SPACE_BYTES, FIXTURES, LIMITS, mutated, sources
from tests.watching import watched
# A warning would be shown with its line, read from the source.
warnings.simplefilter("ignore")
program()
# Everything that a conversion imports by itself is imported by a sound one.
for sound in {file.parent.name.partition("-")[0]: file for file in sources()}.values():
    convert(Task(sound, "sound.pkl", "sound", sound.parent, frozenset()), LIMITS)
resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))

def rescued(place):
    start = time.process_time()
    with watched(str(place)) as seen:
        verdict = convert(Task(place, "x.pkl", "x", place.parent, frozenset()), LIMITS)
    spent = time.process_time() - start
    code = verdict.refusal.code if verdict.refusal else verdict.verdict
    # An exception that nobody meant is a verdict, and a crash all the same.
    code = "crash: " + verdict.refusal.reason if code == "fault" else code
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"code": code, "seen": seen, "seconds": spent, "peak": peak}), flush=True)
"""
MUTATED = """
place = Path(sys.argv[3]) / "mutated.pkl"
for number in range(int(sys.argv[1]), int(sys.argv[2])):
    source, data = mutated(number)
    place.write_bytes(data)
    print(json.dumps({"number": number, "source": str(source.relative_to(FIXTURES))}), flush=True)
    rescued(place)
"""
GIVEN = """
for name in sys.argv[1:]:
    rescued(Path(name))
"""


def child(program: str, *arguments: str, seconds: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PRELUDE + program, *arguments],
        capture_output=True,
        text=True,
        timeout=seconds,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"},
        check=False,
    )


def tried(first: int, last: int, folder: Path) -> Iterator[dict[str, Any]]:
    """Rescue mutated files in a child process; one that it does not end is told as such."""
    seconds = SECONDS_PER_FILE * (last - first)
    done = child(MUTATED, str(first), str(last), str(folder), seconds=seconds)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    begun, ended = lines[::2], lines[1::2]
    for one, result in zip(begun, ended, strict=False):
        yield {**one, **result}
    if len(ended) < last - first:
        number = begun[-1]["number"] if begun else first
        how = f"crash {done.returncode}: {done.stderr[-1500:]}"
        yield {"number": number, "source": begun[-1]["source"] if begun else "", "code": how}


def in_batches(count: int, folder: Path) -> Iterator[dict[str, Any]]:
    first = 0
    while first < count:
        last = min(first + BATCH, count)
        for one in tried(first, last, folder):
            yield one
            first = one["number"] + 1


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's limits are those of Linux")
def test_mutated_files_end_with_a_verdict_and_touch_nothing(tmp_path: Path) -> None:
    results = list(in_batches(CASES, tmp_path))
    assert [one["number"] for one in results] == list(range(CASES))
    for one in results:
        assert not one["code"].startswith("crash"), one
        assert one["seen"] == [], one
        assert one["seconds"] < SECONDS_PER_FILE, one
    codes = collections.Counter(one["code"] for one in results)
    assert len(codes) > 5
    assert codes["converted"] < CASES


def endings(folder: Path, contents: Mapping[str, bytes]) -> dict[str, dict[str, Any]]:
    """What came of files that were made to do harm, by name."""
    places = []
    for number, content in enumerate(contents.values()):
        places.append(folder / f"{number}.pkl")
        places[-1].write_bytes(content)
    done = child(GIVEN, *map(str, places), seconds=SECONDS_PER_FILE * len(places))
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return dict(zip(contents, lines, strict=True))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's limits are those of Linux")
def test_malicious_files_end_with_a_verdict_though_they_are_looked_at_twice(
    tmp_path: Path,
) -> None:
    contents = {**CALLS, **{name: data for name, (_, data) in REFUSED.items()}}
    for name, one in endings(tmp_path, contents).items():
        assert one["code"] != "converted", name
        assert one["seen"] == [], name
        assert one["seconds"] < SECONDS_PER_FILE, name
    assert not list(tmp_path.rglob("pwned"))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's limits are those of Linux")
@pytest.mark.parametrize("kind", sorted(set(BOMBS) - {"bz2", "xz"}))
def test_bombs_end_with_a_verdict_though_they_are_looked_at_twice(
    kind: str, tmp_path: Path
) -> None:
    code, make = BOMBS[kind]
    (one,) = endings(tmp_path, {kind: make()}).values()
    assert one["code"].startswith(code)
    assert one["seen"] == []
    assert one["seconds"] < SECONDS_PER_FILE
