"""What stands where an object stood: its class by name, its arguments and its state, inert."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Record:
    """An object of an allowed class, never constructed.

    Attributes
    ----------
    module, name : str
        Its class, as the file names it.
    arguments : tuple
        What its constructor would have been given.
    state : None, dict or tuple
        Its attributes, as the file holds them.
    items : list
        What would have been appended.
    entries : list of tuple
        Pairs of key and value that would have been set.
    """

    module: str
    name: str
    arguments: tuple[Any, ...] = ()
    state: Any = None
    items: list[Any] = field(default_factory=list)
    entries: list[tuple[Any, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Name:
    """An allowed name that the file mentions, such as a dtype's; nothing is looked up by it."""

    module: str
    name: str


@dataclass(slots=True, eq=False)
class RecordDraft:
    """A record while the file is still adding to it."""

    module: str
    name: str
    arguments: tuple[Any, ...]
    state: Any = None
    items: list[Any] = field(default_factory=list)
    entries: list[tuple[Any, Any]] = field(default_factory=list)


class OrderedDraft(dict[Any, Any]):
    """A `collections.OrderedDict` while it is read; it ends as a plain dict."""
