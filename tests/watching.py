"""Watches what a piece of code does to the outside: imports, files, processes, code made at run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

# Asks for an identity, as every walk over shared values must.
_HARMLESS = frozenset({"builtins.id"})

_seen: list[str] | None = None
_readable: str | None = None
_installed = False


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if _seen is None or event in _HARMLESS:
        return
    if event == "open" and arguments[0] == _readable and arguments[1] in ("r", "rb"):
        return
    _seen.append(f"{event} {arguments!r:.200}")


@contextmanager
def watched(readable: str | None = None) -> Iterator[list[str]]:
    """Collect every audit event of this block but the reading of one file."""
    global _seen, _readable, _installed
    if not _installed:
        sys.addaudithook(_hook)
        _installed = True
    seen: list[str] = []
    _seen, _readable = seen, readable
    try:
        yield seen
    finally:
        _seen, _readable = None, None
