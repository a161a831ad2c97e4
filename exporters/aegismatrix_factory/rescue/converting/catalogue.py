"""All families, found in their folder."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from aegismatrix_factory.rescue.converting import families
from aegismatrix_factory.rescue.converting.family import Family, Oracle, ReadDocument, Reader
from aegismatrix_factory.rescue.reading.limits import Clock


@cache
def every_family() -> tuple[Family, ...]:
    """Return all families, by the name of their module.

    Returns
    -------
    tuple of Family
    """
    return tuple(_found())


def _found() -> Iterator[Family]:
    for module in sorted(iter_modules(families.__path__), key=lambda one: one.name):
        yield from getattr(import_module(f"{families.__name__}.{module.name}"), "FAMILIES", ())


@cache
def _by_class() -> dict[tuple[str, str], Family]:
    return {(module, family.name): family for family in every_family() for module in family.modules}


def reader(read_document: ReadDocument, clock: Clock | None = None) -> Reader:
    """Return what turns records into parts.

    Parameters
    ----------
    read_document : callable
        From the bytes of a booster's document to plain values.
    clock : Clock, optional
        How long it may take.

    Returns
    -------
    Reader
    """
    recognising = tuple(one for one in every_family() if one.recognises is not None)
    return Reader(_by_class(), recognising, read_document, clock)


def oracle(read_document: ReadDocument) -> Oracle:
    """Return what answers from records alone.

    Parameters
    ----------
    read_document : callable
        As for `reader`.

    Returns
    -------
    Oracle
    """
    return Oracle(reader(read_document))
