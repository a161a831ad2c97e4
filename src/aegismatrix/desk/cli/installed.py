"""Commands that other packages add to `aegismatrix`, by an entry point of their own."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from aegismatrix.errors import AegisError, CommandUnavailableError, Distribution, MissingExtraError
from aegismatrix.records import dataclass

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

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

    entries: dict[str, list[EntryPoint]] = {name: [] for name in FACTORY}
    for entry in entry_points(group=GROUP):
        entries.setdefault(entry.name, []).append(entry)
    return {name: _loaded(name, given) for name, given in sorted(entries.items())}


def _loaded(name: str, entries: Sequence[EntryPoint]) -> Command | AegisError:
    if not entries:
        return _missing_factory(FACTORY[name])
    whose = " or ".join(sorted(one.dist.name if one.dist else one.value for one in entries))
    if len(entries) > 1:
        return CommandUnavailableError(name, "ambiguous", whose=whose)
    (entry,) = entries
    try:
        command = entry.load()
    except (ImportError, AttributeError) as error:
        reason = f"{entry.value}: {error}"
        return CommandUnavailableError(name, "not_loaded", whose=whose, reason=reason)
    if isinstance(command, Command):
        return command
    return CommandUnavailableError(name, "no_command", whose=whose, reason=entry.value)


def _missing_factory(extra: str) -> MissingExtraError:
    package: Distribution = "aegismatrix-factory"
    return MissingExtraError(package, extra=extra, distribution=package)
