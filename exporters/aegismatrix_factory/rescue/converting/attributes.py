"""Attributes out of inert records, each checked for what it must be."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from aegismatrix_factory.rescue.converting.errors import (
    InconsistentModelError,
    NonFiniteModelError,
    UnknownPartError,
    UnsupportedModelError,
)
from aegismatrix_factory.rescue.reading.errors import clipped
from aegismatrix_factory.rescue.reading.records import Record

_WIDEST = 1_000_000
Known: TypeAlias = Mapping[str, "Known | None"]
"""What a format may hold, by key: None for what is read or does not matter, else what is in it."""

Release: TypeAlias = tuple[int, int, int]
_RELEASE = re.compile(r"(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?(?:\D|$)")


class Attributes:
    """The attributes of one object.

    Parameters
    ----------
    record : Record
        The object.
    known : mapping or None
        Every attribute that it may have: read, or known not to matter to what it answers. None
        where that is checked elsewhere.

    Attributes
    ----------
    name : str
        Its class.
    module : str
        Where the class was.
    arguments : tuple
        What its constructor would have been given.
    asked : set of str
        What was asked for so far.

    Raises
    ------
    UnknownPartError
        If it has any other: a reader that overlooks what it does not know answers other numbers.
    """

    def __init__(self, record: Record, known: Known | None) -> None:
        self.name = record.name
        self.module = record.module
        self.arguments = record.arguments
        self.asked: set[str] = set()
        self._state = _state(record)
        if known is not None:
            self.refuse_unknown(known)

    @property
    def everything(self) -> Mapping[str, Any]:
        """All attributes, as they are."""
        return self._state

    @property
    def version(self) -> str:
        """The release that saved it, as text; empty where it does not say."""
        given = self._state.get("_sklearn_version", "")
        return clipped(str(given)) if self.release else ""

    @property
    def release(self) -> Release | None:
        """The release that saved it, as three numbers; None where it does not say."""
        return release(self._state.get("_sklearn_version"))

    def since(self, *version: int) -> bool:
        """Whether it was saved by that release or a newer one."""
        return self.release is not None and self.release >= version

    def refuse_unknown(self, known: Known) -> None:
        """Refuse any attribute that a table does not list."""
        refuse_unknown(self._state, known, self.name)

    def has(self, key: str) -> bool:
        """Whether there is such an attribute."""
        self.asked.add(key)
        return key in self._state

    def get(self, key: str, default: Any = None) -> Any:
        """Return an attribute as it is, or a default where it is absent."""
        self.asked.add(key)
        return self._state.get(key, default)

    def need(self, key: str) -> Any:
        """Return an attribute as it is.

        Parameters
        ----------
        key : str
            Its name.

        Returns
        -------
        object

        Raises
        ------
        UnsupportedModelError
            If it is absent: the model was never fitted, or is of a form that was never measured.
        """
        self.asked.add(key)
        if key not in self._state:
            raise UnsupportedModelError(
                f"its {self.name} has no {key}: it was never fitted, or is of an unknown form",
                code="not-fitted",
            )
        return self._state[key]

    def flag(self, key: str, default: bool | None = None) -> bool:
        """Return an attribute that is true or false; with a default, it may be absent."""
        given = self.need(key) if default is None else self.get(key, default)
        if not isinstance(given, bool | np.bool_):
            raise InconsistentModelError(f"{self.name}.{key} is neither true nor false")
        return bool(given)

    def one(self, key: str) -> float:
        """Return an attribute that is one finite number, not text."""
        given = self.need(key)
        if isinstance(given, np.ndarray) and given.size == 1:
            given = given.reshape(-1)[0]
        if isinstance(given, str | bytes | bool):
            raise InconsistentModelError(f"{self.name}.{key} is not a number")
        return number(given, f"{self.name}.{key}")

    def line(self, key: str) -> NDArray[np.float64]:
        """Return an attribute that is a finite array of numbers of one axis, not empty."""
        given = self.need(key)
        if not isinstance(given, np.ndarray) or given.ndim != 1 or not 0 < given.size <= _WIDEST:
            raise InconsistentModelError(f"{self.name}.{key} is not a line of numbers")
        return numbers(given, given.shape, f"{self.name}.{key}")

    def width(self, found: int) -> int:
        """Return how many columns it takes, which releases before 0.23 do not say.

        Parameters
        ----------
        found : int
            As its other attributes have it.

        Returns
        -------
        int

        Raises
        ------
        InconsistentModelError
            If it says another number.
        """
        if self.has("n_features_in_") and self.count("n_features_in_") != found:
            raise InconsistentModelError(f"{self.name} contradicts itself about its features")
        return found

    def column_names(self, width: int | None) -> tuple[str, ...]:
        """Return the names of the columns that it was fitted on; empty where it has none."""
        given = self.get("feature_names_in_")
        if given is None:
            return ()
        if not isinstance(given, np.ndarray) or given.ndim != 1:
            raise InconsistentModelError(f"{self.name}.feature_names_in_ is not a line of names")
        names = given.tolist()
        if len(names) != (len(names) if width is None else width) or not all(
            isinstance(name, str) for name in names
        ):
            raise InconsistentModelError(f"{self.name}.feature_names_in_ is not one name a column")
        return tuple(names)

    def text(self, key: str) -> str:
        """Return an attribute that is text."""
        given = self.need(key)
        if not isinstance(given, str):
            raise InconsistentModelError(f"{self.name}.{key} is not text")
        return given

    def count(self, key: str) -> int:
        """Return an attribute that counts something, 1 or more."""
        return counted(self.need(key), f"{self.name}.{key}")

    def numbers(self, key: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Return an attribute that is a finite array of numbers of one shape."""
        return numbers(self.need(key), shape, f"{self.name}.{key}")

    def labels(self, key: str) -> tuple[str, ...]:
        """Return an attribute that is a line of distinct labels, as text."""
        return labels(self.need(key), f"{self.name}.{key}")


def labels(given: object, what: str) -> tuple[str, ...]:
    """Return a line of distinct labels as text.

    Parameters
    ----------
    given : object
        From a file.
    what : str
        For messages.

    Returns
    -------
    tuple of str

    Raises
    ------
    InconsistentModelError
    """
    if not isinstance(given, np.ndarray) or given.ndim != 1 or given.dtype.kind not in "biufUSO":
        raise InconsistentModelError(f"{what} is not a line of labels")
    if not all(isinstance(one, str | bytes | int | float) for one in given.tolist()):
        raise InconsistentModelError(f"{what} is not a line of labels")
    found = tuple(str(label) for label in given.tolist())
    if len(set(found)) < len(found):
        raise InconsistentModelError(f"{what} names a class twice")
    return found


def known(names: str) -> dict[str, Known | None]:
    """Return names, parted by blanks, as a table of what is known.

    Parameters
    ----------
    names : str
        Such as ``"coef_ intercept_"``.

    Returns
    -------
    dict
    """
    return dict.fromkeys(names.split())


def refuse_unknown(content: object, table: Known, what: str) -> None:
    """Refuse whatever a table does not list.

    Parameters
    ----------
    content : object
        From a file; lists are looked into item by item.
    table : mapping
        What may be there.
    what : str
        For messages.

    Raises
    ------
    UnknownPartError
        Naming the first key that is not listed.
    """
    if isinstance(content, list | tuple):
        for item in content:
            refuse_unknown(item, table, what)
    if not isinstance(content, Mapping):
        return
    for key, value in content.items():
        if key not in table:
            raise UnknownPartError(what, str(key))
        inside = table[key]
        if inside is not None:
            refuse_unknown(value, inside, f"{what}.{key}")


def counted(given: object, what: str) -> int:
    """Return a number of things.

    Parameters
    ----------
    given : object
        From a file.
    what : str
        For messages.

    Returns
    -------
    int
        1 or more.

    Raises
    ------
    InconsistentModelError
        If it is not one, or beyond all measure.
    """
    if isinstance(given, np.ndarray) and given.size == 1:
        given = given.reshape(-1)[0]
    if isinstance(given, bool) or not isinstance(given, int | np.integer):
        raise InconsistentModelError(f"{what} is not a whole number")
    if not 1 <= given <= _WIDEST:
        raise InconsistentModelError(f"{what} is {int(given):.6g}")
    return int(given)


def numbers(given: object, shape: tuple[int, ...], what: str) -> NDArray[np.float64]:
    """Return an array of finite numbers.

    Parameters
    ----------
    given : object
        From a file: an array, or a flat list of numbers.
    shape : tuple of int
        The shape that it must have.
    what : str
        For messages.

    Returns
    -------
    ndarray of float64

    Raises
    ------
    InconsistentModelError, NonFiniteModelError
    """
    array = _numeric(given, what)
    if array.shape != shape:
        raise InconsistentModelError(f"{what} has the shape {array.shape}, expected is {shape}")
    with np.errstate(over="ignore", invalid="ignore"):
        values = array.astype(np.float64)
    if not np.isfinite(values).all():
        raise NonFiniteModelError(what)
    return values


def whole_numbers(given: object, shape: tuple[int, ...], what: str) -> NDArray[np.int64]:
    """Return an array of whole numbers.

    Parameters
    ----------
    given, shape, what
        As for `numbers`.

    Returns
    -------
    ndarray of int64

    Raises
    ------
    InconsistentModelError, NonFiniteModelError
    """
    values = numbers(given, shape, what)
    if not (np.abs(values) <= 2.0**53).all() or (values != np.floor(values)).any():
        raise InconsistentModelError(f"{what} has numbers that are not whole")
    return values.astype(np.int64)


def number(given: object, what: str) -> float:
    """Return one finite number, given as a number or as text.

    Parameters
    ----------
    given : object
        From a file.
    what : str
        For messages.

    Returns
    -------
    float

    Raises
    ------
    InconsistentModelError, NonFiniteModelError
    """
    try:
        value = float(given)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError) as error:
        raise InconsistentModelError(f"{what} is not a number") from error
    if not math.isfinite(value):
        raise NonFiniteModelError(what)
    return value


def release(given: object) -> Release | None:
    """Return a release as three numbers, or None if it is none.

    Parameters
    ----------
    given : object
        From a file: text such as ``1.3.2``; what is not given is 0.

    Returns
    -------
    tuple of int or None
    """
    found = _RELEASE.match(given) if isinstance(given, str) else None
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else None


def _state(record: Record) -> Mapping[str, Any]:
    state = record.state
    # With slots there are two parts.
    if isinstance(state, tuple) and len(state) == 2:
        parts = [part for part in state if part is not None]
        if all(isinstance(part, Mapping) for part in parts):
            state = {key: one for part in parts for key, one in part.items()}
    if not isinstance(state, Mapping):
        raise InconsistentModelError(f"a {record.name} has no attributes")
    return state


def _numeric(given: object, what: str) -> NDArray[Any]:
    if isinstance(given, list | tuple):
        kinds = {type(item) for item in given}
        if not kinds <= {int, float, bool}:
            raise InconsistentModelError(f"{what} is not a list of numbers")
        try:
            return np.array(given, dtype=np.float64)
        except OverflowError as error:
            raise InconsistentModelError(f"{what} has a number beyond all measure") from error
    if not isinstance(given, np.ndarray) or given.dtype.kind not in "biuf":
        raise InconsistentModelError(f"{what} is not an array of numbers")
    return given
