"""Rescue damaged files of every family and container, and print what came of them.

Usage: python benchmarks/mutations.py [N]

What is done to a file, and within which limits it is rescued, is in tests/rescue/test_mutations.py.

Exit status: 0 if each ended with a verdict, in time, and nothing was imported, called or touched.
"""

from __future__ import annotations

import collections
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.rescue.test_mutations import SECONDS_PER_FILE, in_batches, sources

CASES = 20_000


def main() -> int:
    """Run."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else CASES
    start = time.monotonic()
    codes: collections.Counter[str] = collections.Counter()
    longest, peak, faults = 0.0, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        for one in in_batches(count, Path(folder)):
            if is_fault(one):
                faults += 1
                print(json.dumps(one), flush=True)
                continue
            codes[one["code"]] += 1
            peak, longest = max(peak, one["peak"]), max(longest, one["seconds"])
    print(f"{count} mutations of {len(sources())} files in {time.monotonic() - start:.0f} s")
    print(f"crashes, hangs, imports and calls: {faults}")
    print(f"the longest took {longest:.1f} s, the largest process {peak / 1024:.0f} MiB")
    for code, number in codes.most_common():
        print(f"{number:6d} {code}")
    return int(faults > 0)


def is_fault(one: dict[str, Any]) -> bool:
    """Whether it ended otherwise than with a verdict in time."""
    if one["code"].startswith("crash"):
        return True
    return bool(one["seen"]) or one["seconds"] > SECONDS_PER_FILE


if __name__ == "__main__":
    sys.exit(main())
