"""Run `aegismatrix rescue` from a checkout."""

from __future__ import annotations

import sys
from collections.abc import Sequence

try:
    from aegismatrix_factory.commands.rescue import COMMAND, add_arguments
    from aegismatrix_factory.commands.script import run_script
except ModuleNotFoundError as error:
    print(
        f"rescue: This needs {error.name}, which is not installed. Install it, in the checkout,"
        " with: pip install -e . -e './exporters[rescue]'.",
        file=sys.stderr,
    )
    sys.exit(2)


def main(argv: Sequence[str] | None = None) -> int:
    """Rescue."""
    return run_script("rescue", COMMAND, add_arguments, argv)


if __name__ == "__main__":
    sys.exit(main())
