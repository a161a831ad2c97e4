"""Run `aegismatrix export` from a checkout: the defaults are folders of the checkout."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]

try:
    from aegismatrix_factory.commands.export import COMMAND, add_arguments
    from aegismatrix_factory.commands.script import run_script
except ModuleNotFoundError as error:
    print(
        f"export: This needs {error.name}, which is not installed. Install it, in the checkout,"
        " with: pip install -e . -e './exporters[train]'.",
        file=sys.stderr,
    )
    sys.exit(2)


def main(argv: Sequence[str] | None = None) -> int:
    """Export."""
    return run_script("export", COMMAND, partial(add_arguments, home=REPOSITORY), argv)


if __name__ == "__main__":
    sys.exit(main())
