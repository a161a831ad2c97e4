"""Commands that other packages add to `aegismatrix`, by an entry point of their own."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aegismatrix.errors import AegisError, MissingExtraError

GROUP = "aegismatrix.commands"
"""The group of entry points: the name of one is that of a command, its object a `Command`."""

FACTORY = {"export": "train", "rescue": "rescue", "train": "train"}
"""The commands of aegismatrix-factory, and the extra that each needs."""


@dataclass(frozen=True)
class Command:
    """A command, as a package adds it.

    Attributes
    ----------
    summary : str
        What it does, in a line of the help.
    description : str
        The same at length, in its own help.
    add_arguments : callable
        Adds its arguments to a parser.
    run : callable
        From parsed arguments, ``parser`` among them, to an exit status. What it raises of
        `AegisError` is printed.
    interrupted : str
        What is said if it is interrupted.
    """

    summary: str
    description: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]
    interrupted: str = "interrupted"


class CommandUnavailableError(AegisError):
    """A package adds a command that cannot be run.

    Attributes
    ----------
    command : str
        Its name.
    """

    def __init__(self, command: str, reason: str, *, remedy: str) -> None:
        self.command = command
        super().__init__(f"The command {command} is not available: {reason}.", remedy=remedy)


def installed_commands() -> Mapping[str, Command | AegisError]:
    """Return the commands of other packages, by name in alphabetical order.

    Returns
    -------
    mapping of str to Command or AegisError
        An error stands where a command cannot be run, and where the factory is not installed.

    Examples
    --------
    >>> "train" in installed_commands()
    True
    """
    from importlib.metadata import entry_points

    found: dict[str, Command | AegisError] = {}
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        name = entry.name
        if name in found:
            found[name] = CommandUnavailableError(
                name, "two packages give it", remedy="Uninstall one of them."
            )
            continue
        whose = f"the package {entry.dist.name}" if entry.dist else "the package that gives it"
        remedy = f"Install {whose} again, or uninstall it."
        try:
            command = entry.load()
        except (ImportError, AttributeError) as error:
            found[name] = CommandUnavailableError(
                name, f"{entry.value} cannot be loaded ({error})", remedy=remedy
            )
        else:
            found[name] = (
                command
                if isinstance(command, Command)
                else CommandUnavailableError(name, f"{entry.value} is none", remedy=remedy)
            )
    for name, extra in FACTORY.items():
        found.setdefault(name, _missing_factory(extra))
    return dict(sorted(found.items()))


def _missing_factory(extra: str) -> MissingExtraError:
    package = "aegismatrix-factory"
    return MissingExtraError(package, extra=extra, distribution=package)
