"""Reads legacy files in a process of bounded memory and time, and says what was observed.

Arguments: the address space in bytes, the processor time in seconds, limits as JSON, and files.
Prints one JSON line for each file when it is done with it, so that a crash shows as a missing line.
"""

from __future__ import annotations

import json
import sys

from aegismatrix_factory.rescue.reading.containers import read_legacy
from aegismatrix_factory.rescue.reading.errors import LegacyError
from aegismatrix_factory.rescue.reading.limits import Limits

from tests.watching import watched


def bounded(address_space_bytes: int, seconds: int) -> None:
    """Have the kernel end this process when it asks for more (Linux alone can)."""
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (address_space_bytes, address_space_bytes))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))


def main() -> None:
    bounded(int(sys.argv[1]), int(sys.argv[2]))
    limits = Limits(**json.loads(sys.argv[3]))
    for path in sys.argv[4:]:
        with watched(path) as seen:
            try:
                read_legacy(path, limits)
                code, problem = "read", ""
            except LegacyError as error:
                code, problem = error.code, str(error)
        sys.stdout.write(json.dumps([path, code, problem, seen]) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
