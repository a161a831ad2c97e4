"""A command of the factory run by itself, as the scripts of a checkout do."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from aegismatrix.desk.cli.installed import Command
from aegismatrix.errors import AegisError

WRONG_INPUT, INTERRUPTED = 2, 130


def run_script(
    name: str,
    command: Command,
    add_arguments: Callable[[argparse.ArgumentParser], object],
    argv: Sequence[str] | None = None,
) -> int:
    """Parse the arguments of a command and run it.

    Parameters
    ----------
    name : str
        What its messages begin with.
    command : Command
        What it does.
    add_arguments : callable
        Adds its arguments to a parser, with the defaults of the script.
    argv : sequence of str, optional
        Arguments; by default those of the process.

    Returns
    -------
    int
        Exit status: that of the command, 2 for a typed error, 130 if it was interrupted.
    """
    parser = argparse.ArgumentParser(
        description=command.description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.set_defaults(parser=parser)
    add_arguments(parser)
    arguments = parser.parse_args(argv)
    try:
        return command.run(arguments)
    except AegisError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return WRONG_INPUT
    except KeyboardInterrupt:
        print(f"{name}: {command.interrupted}", file=sys.stderr)
        return INTERRUPTED
