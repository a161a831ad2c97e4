"""Errors: the families that a program catches, and the public place to import any error from.

Every error reads as two sentences, what is wrong and what to do about it. A class declares both as
templates over its own data, which are attributes for a program to act on; a class with several
`cases` says in `kind` which of them it is. What one room alone raises is declared in that room
(`aegismatrix.market.errors` and so on) and can be imported from here just as well. The core imports
an error from here when it raises it: a prediction that succeeds loads no room's errors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY
from importlib import import_module
from pathlib import Path
from reprlib import Repr
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from aegismatrix.records import dataclass

if TYPE_CHECKING:
    from aegismatrix.artifacts.errors import *  # noqa: F403
    from aegismatrix.desk.errors import *  # noqa: F403
    from aegismatrix.engine.errors import *  # noqa: F403
    from aegismatrix.market.errors import *  # noqa: F403

# In a checkout this file lies two folders below the root, and the factory beside it.
_CHECKOUT = Path(__file__).parents[2]
Distribution = Literal["aegismatrix", "aegismatrix-factory"]
"""What can be installed: the package, and the factory beside it."""

_PLACES = {"aegismatrix": ".", "aegismatrix-factory": "./exporters"}
_ROOMS = ("market", "artifacts", "engine", "desk")
_NAMED_ROWS = 5

MAX_MESSAGE = 2000
"""No message is longer, in characters, whatever was given."""

# Both sentences and the space between them stay below that.
_MAX_PROBLEM, _MAX_REMEDY, _MAX_VALUE, _MAX_SHOWN = 1300, 690, 400, 80

_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = _MAX_SHOWN

# By kind: what is wrong, and the remedy.
Cases = Mapping[str, tuple[str, str]]


def list_some(items: Sequence[str], total: int | None = None) -> str:
    """Join the first few names and say how many more there are."""
    count = len(items) if total is None else total
    shown = ", ".join(items[:_NAMED_ROWS])
    hidden = count - min(count, _NAMED_ROWS)
    return f"{shown} and {hidden} more" if hidden else shown


def clipped(text: str, most: int) -> str:
    """Return a text with its middle left out, where it is longer than so many characters."""
    if len(text) <= most:
        return text
    mark = f"[... {len(text)} characters ...]"
    head = (2 * (most - len(mark))) // 3
    return f"{text[:head]}{mark}{text[len(text) - (most - len(mark) - head) :]}"


def printable(text: str) -> str:
    r"""Return a text with what would steer a terminal written out, as in ``\x1b``."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def shown(value: object) -> str:
    """Return what a value looks like, on one line, whatever its own words do."""
    try:
        return printable(clipped(_SHORT.repr(value), _MAX_SHOWN))
    except Exception:  # noqa: BLE001
        # Its words are anybody's code. What it is can be said all the same.
        return f"a {type(value).__name__}"


class AegisError(Exception):
    """Base of every error that aegismatrix raises on purpose.

    Attributes
    ----------
    problem : str
        One sentence: what is wrong.
    remedy : str
        One sentence: what to do about it.
    kind : str
        A stable code for the case, where a class has several; empty otherwise.

    Examples
    --------
    >>> import aegismatrix as am
    >>> try:
    ...     am.Engine("no_such_folder")
    ... except am.AegisError as error:
    ...     print(error.problem)
    There is no manifest.json in no_such_folder.
    """

    problem: str
    remedy: str
    kind: str
    cases: ClassVar[Cases] = {}

    def __init__(self, problem: str, *, remedy: str) -> None:
        given = [one if type(one) is str else shown(one) for one in (problem, remedy)]
        self.problem = printable(clipped(given[0], _MAX_PROBLEM))
        self.remedy = printable(clipped(given[1], _MAX_REMEDY))
        vars(self).setdefault("kind", "")
        super().__init__(f"{self.problem} {self.remedy}")

    def __post_init__(self) -> None:
        """Fill in the templates; what a raiser worded itself stays as it is."""
        data = vars(self)
        data.setdefault("kind", "")
        data.update({name: tuple(value) for name, value in data.items() if type(value) is list})
        for place, name in enumerate(("problem", "remedy")):
            if not data.get(name):
                own = self.cases[self.kind][place] if self.cases else getattr(type(self), name)
                setattr(self, name, own.format_map(_Data(self)))
        self.problem = printable(clipped(self.problem, _MAX_PROBLEM))
        self.remedy = printable(clipped(self.remedy, _MAX_REMEDY))
        super().__init__(f"{self.problem} {self.remedy}")

    def __reduce__(self) -> tuple[object, ...]:
        # Subclasses take keywords, which the default protocol of exceptions would lose on the
        # way back from a worker process.
        return _restore, (type(self), self.args, dict(self.__dict__))


class _Data:
    """The attributes of an error, for its templates."""

    def __init__(self, error: AegisError) -> None:
        self._error = error

    def __getitem__(self, name: str) -> Any:
        value = getattr(self._error, name)
        return clipped(value, _MAX_VALUE) if isinstance(value, str) else value


def _restore(
    error_class: type[AegisError], args: tuple[object, ...], data: dict[str, object]
) -> AegisError:
    error = error_class.__new__(error_class, *args)
    error.args = args
    error.__dict__.update(data)
    return error


@dataclass(eq=False, repr=False)
class MissingExtraError(AegisError, ImportError):
    """An optional `package` is needed and not installed; an `extra` of `distribution` brings it."""

    problem = "This needs {package}, which is not installed."
    remedy = "Install it with: {install_line}."
    package: str
    _: KW_ONLY
    extra: str
    distribution: Distribution = "aegismatrix"

    @property
    def install_line(self) -> str:
        """What brings the extra: of the installed wheel, or of the checkout that this runs from."""
        place = _PLACES.get(self.distribution)
        if place and (_CHECKOUT / "exporters" / "pyproject.toml").is_file():
            return f"pip install -e '{place}[{self.extra}]'"
        return f"pip install '{self.distribution}[{self.extra}]'"


@dataclass(eq=False, repr=False)
class OutputError(AegisError):
    """The file `path` could not be written, for this `reason`."""

    problem = "{path} could not be written: {reason}."
    remedy = "Choose a writable folder with free space; any previous file is as it was."
    path: str
    reason: str


@dataclass(eq=False, repr=False, init=False, kw_only=True)
class BarsError(AegisError, ValueError):
    """Family: market data is wrong, in these `rows` (from 0) of these `dates` (ISO 8601)."""

    rows: Sequence[int] = ()
    dates: Sequence[str] = ()

    def __init__(
        self, problem: str, *, remedy: str, rows: Sequence[int] = (), dates: Sequence[str] = ()
    ) -> None:
        self.rows, self.dates = tuple(rows), tuple(dates)
        super().__init__(problem, remedy=remedy)

    @property
    def where(self) -> str:
        """The first of the rows with their dates, and how many more there are."""
        named = [f"row {row} ({date})" for row, date in zip(self.rows, self.dates, strict=False)]
        # What stands in another input has a date and no row here.
        return list_some(
            named or [f"row {row}" for row in self.rows] or self.dates,
            len(self.rows) or len(self.dates),
        )


class CalendarError(AegisError, ValueError):
    """Family: a question to the exchange's calendar cannot be answered."""


@dataclass(eq=False, repr=False)
class NaiveMomentError(CalendarError):
    """A moment has no UTC offset, so it could be any of some twenty-five."""

    problem = "{moment} carries no UTC offset."
    remedy = "Give an aware datetime, such as datetime.now(timezone.utc)."
    moment: str


@dataclass(eq=False, repr=False)
class ContractError(AegisError, ValueError):
    """An `array` given to a `model`, or made by it, breaks the sealed contract."""

    problem = "{model}: {array} {what}."
    model: str
    array: str
    what: str
    _: KW_ONLY
    remedy: str


@dataclass(eq=False, repr=False)
class ArgumentError(AegisError, TypeError, ValueError):
    """An `argument` is of another type, or none of the values, that it can have."""

    problem = "What was given as {argument} is {what}."
    argument: str
    what: str
    _: KW_ONLY
    remedy: str


@dataclass(eq=False, repr=False)
class ArtifactError(AegisError):
    """Family: model artifacts are wrong, or not those that were sealed; `path` says where."""

    path: str


def _declared(room: str) -> dict[str, Any]:
    module = import_module(f"aegismatrix.{room}.errors")
    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type) and value.__module__ == module.__name__
    }


def __getattr__(name: str) -> Any:
    for room in () if name.startswith("_") else _ROOMS:
        found = _declared(room).get(name)
        if found is not None:
            return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *(name for room in _ROOMS for name in _declared(room))})
