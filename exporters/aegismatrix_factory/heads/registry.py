"""The models, in the order in which they are trained, exported, sealed and listed.

To the package's own come those of installed packages, by entry points of the group
``aegismatrix.heads``, and those that a caller names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from importlib.metadata import entry_points

from aegismatrix.artifacts.manifest import ENGINE_NAME, past_of
from aegismatrix.errors import AegisError
from aegismatrix_factory.heads.breach import Breach
from aegismatrix_factory.heads.breakout import Breakout
from aegismatrix_factory.heads.direction import Direction
from aegismatrix_factory.heads.head import Head
from aegismatrix_factory.heads.overnight import Overnight
from aegismatrix_factory.heads.regime import Regime
from aegismatrix_factory.heads.spike import Spike
from aegismatrix_factory.heads.theta import Theta
from aegismatrix_factory.heads.trap import Trap
from aegismatrix_factory.heads.volatility import Volatility

GROUP = "aegismatrix.heads"
"""Entry points of this group are `Head` classes, heads, or functions that return one."""

# Outputs of the fused artifact that no model gives, and its own name.
_TAKEN = ("features", "implied_sigma", ENGINE_NAME)
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


class HeadRefusedError(AegisError):
    """A model that was to be added cannot be.

    Attributes
    ----------
    name : str
        Its entry point, or as the caller named it.
    """

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        super().__init__(
            f"The model {name!r} cannot be added: {reason}.",
            remedy="Mend or remove the package that it comes from, or leave its name out; nothing"
            " was written.",
        )


def heads_on(device: str) -> tuple[Head, ...]:
    """Return the package's own models, those with a network to be fitted on a device of torch's."""
    return (
        Trap(),
        Regime(),
        Breach(),
        Breakout(),
        Spike(),
        Theta(),
        Direction(device),
        Volatility(),
        Overnight(),
    )


HEADS: tuple[Head, ...] = heads_on("cpu")


def every_head(device: str = "cpu", named: Sequence[str] = ()) -> tuple[Head, ...]:
    """Return the package's own models, those of installed packages, and those that are named.

    Parameters
    ----------
    device : str
        Where torch fits a network.
    named : sequence of str
        Further models as ``module:name``, as in an entry point.

    Returns
    -------
    tuple of Head
        The package's own first, then by name of entry point, then as named; each class once.

    Raises
    ------
    HeadRefusedError
        If one cannot be loaded or is none, or has a name or a column that another one has.
    """
    heads = list(heads_on(device))
    for name, load in _further(named):
        try:
            found = load()
            if not isinstance(found, Head) and callable(found):
                found = found()
        except Exception as error:
            # It may be anybody's code.
            reason = f"it could not be loaded ({type(error).__name__}: {error})"
            raise HeadRefusedError(name, reason) from error
        if not isinstance(found, Head):
            raise HeadRefusedError(name, f"it is a {type(found).__name__} and no Head")
        if type(found) not in {type(head) for head in heads}:
            _check_fits(name, found, heads)
            heads.append(found)
    return tuple(heads)


def _further(named: Sequence[str]) -> Iterator[tuple[str, Callable[[], object]]]:
    for point in sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value)):
        yield point.name, point.load
    for name in named:
        yield name, lambda name=name: _imported(name)  # type: ignore[misc]


def _imported(name: str) -> object:
    module, _, attribute = name.partition(":")
    if not attribute:
        raise ValueError("it is not written as module:name")
    return getattr(import_module(module), attribute)


def _check_fits(name: str, head: Head, heads: Sequence[Head]) -> None:
    """Refuse what could not stand beside the others in a folder, a graph or a table."""
    names = {*_TAKEN, *(part for one in heads for part in (one.name, past_of(one.name)))}
    columns = {column for one in heads for column in one.columns}
    reason = None
    if not _NAME.fullmatch(head.name):
        reason = f"its name {head.name!r} is not lower-case letters, digits and underscores"
    elif {head.name, past_of(head.name)} & names:
        reason = f"the name {head.name!r} is taken"
    elif shared := sorted(columns & set(head.columns)):
        reason = f"another model has its column {shared[0]!r}"
    elif strange := [one.column for one in head.meanings if one.column not in head.columns]:
        reason = f"it says what {strange[0]!r} is and has no such column"
    elif unprintable := [
        text
        for one in head.meanings
        for text in (one.column, one.judged, one.wording)
        if not (text and text.isascii() and text.isprintable())
    ]:
        reason = f"{unprintable[0]!r} is not printable ASCII"
    if reason:
        raise HeadRefusedError(name, reason)
