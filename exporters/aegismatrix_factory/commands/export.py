"""The command `export`: turn a training into sealed artifacts."""

from __future__ import annotations

import argparse
from pathlib import Path

from aegismatrix.desk.cli.installed import Command
from aegismatrix_factory.commands.train import TRAINING
from aegismatrix_factory.extras import check_extra, needing

ARTIFACTS = Path("models_onnx")

_DESCRIPTION = """\
Turn a training of `train` into ONNX artifacts: convert, prove, seal, and replace in one step.

Keep the artifacts that are there already if they forecast better."""


def add_arguments(parser: argparse.ArgumentParser, home: Path = Path()) -> None:
    """Add the arguments.

    Parameters
    ----------
    parser : ArgumentParser
        Where to.
    home : Path
        The folder that the defaults lie in; the current one unless told otherwise.
    """
    parser.add_argument(
        "--training",
        type=Path,
        metavar="DIR",
        default=home / TRAINING,
        help="read the training from this folder (%(default)s)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        default=home / ARTIFACTS,
        help="write the artifacts to this folder (%(default)s)",
    )
    parser.add_argument(
        "--head",
        metavar="MODULE:NAME",
        action="append",
        default=[],
        help="export a further model, as it was given to train; may be repeated",
    )
    parser.add_argument(
        "--force",
        metavar="REASON",
        help="replace the artifacts that are there even if they are better, or cannot be compared;"
        " the reason is sealed",
    )


def run(arguments: argparse.Namespace) -> int:
    """Export.

    Parameters
    ----------
    arguments : Namespace
        As parsed.

    Returns
    -------
    int
        0.

    Raises
    ------
    AegisError
        One of its children; what was in ``--out`` is untouched then.
    """
    check_extra("train")
    with needing("train"):
        from aegismatrix_factory.heads.registry import every_head
        from aegismatrix_factory.release.export import export
        from aegismatrix_factory.release.training import check_known

    heads = every_head(named=arguments.head)
    check_known(arguments.training, heads)
    export(arguments.training, heads, arguments.out, print, arguments.force)
    print(f"sealed in {arguments.out}")
    return 0


COMMAND = Command(
    summary="turn a training into sealed artifacts",
    description=_DESCRIPTION,
    add_arguments=add_arguments,
    run=run,
    interrupted="interrupted; the previous artifacts are untouched",
)
