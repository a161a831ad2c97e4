"""Run `aegismatrix train` from a checkout: what it leaves lies in the checkout's build/training."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]

try:
    from aegismatrix_factory.commands.script import run_script
    from aegismatrix_factory.commands.train import COMMAND, add_arguments
except ModuleNotFoundError as error:
    print(
        f"train: This needs {error.name}, which is not installed. Install it, in the checkout,"
        " with: pip install -e . -e './exporters[train]'.",
        file=sys.stderr,
    )
    sys.exit(2)


def main(argv: Sequence[str] | None = None) -> int:
    """Train."""
    return run_script("train", COMMAND, partial(add_arguments, home=REPOSITORY), argv)


if __name__ == "__main__":
    sys.exit(main())
