"""Export what scripts/train.py left: ONNX artifacts, proven, sealed, put in place in one step.

Artifacts that are there already stay if they forecast better.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from aegismatrix_factory.heads.registry import HEADS
from aegismatrix_factory.release.export import export

from aegismatrix.errors import AegisError

REPOSITORY = Path(__file__).parents[1]


def main(argv: Sequence[str] | None = None) -> int:
    """Export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--training",
        type=Path,
        default=REPOSITORY / "build" / "training",
        help="default: %(default)s",
    )
    parser.add_argument(
        "--out", type=Path, default=REPOSITORY / "models_onnx", help="default: %(default)s"
    )
    parser.add_argument(
        "--force",
        metavar="REASON",
        help="replace the artifacts that are there even if they are better, or cannot be compared;"
        " the reason is sealed",
    )
    arguments = parser.parse_args(argv)
    try:
        export(arguments.training, HEADS, arguments.out, print, arguments.force)
    except AegisError as error:
        print(f"export: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("export: interrupted; the previous artifacts are untouched", file=sys.stderr)
        return 130
    print(f"sealed in {arguments.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
