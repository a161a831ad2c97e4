"""Every public callable with one hostile argument at a time, found by its signature.

Nothing here names a function: what there is to call is read from `aegismatrix.__all__`, what can be
given from `inspect.signature`. What no valid value is known of is named by `unknown`.
"""

from __future__ import annotations

import contextlib
import inspect
import operator
import os
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aegismatrix as am
from aegismatrix.errors import AegisError
from tests.invariants import assert_typed

OPERATORS: Mapping[str, Callable[[Any, Any], object]] = {
    "__getitem__": operator.getitem,
    "__contains__": operator.contains,
    "__eq__": operator.eq,
    "__lt__": operator.lt,
    "__le__": operator.le,
    "__gt__": operator.gt,
    "__ge__": operator.ge,
    "__add__": operator.add,
    "__sub__": operator.sub,
    "__and__": operator.and_,
    "__or__": operator.or_,
    "__matmul__": operator.matmul,
    "__format__": format,
}
PATIENCE_SECONDS = 20.0
"""What waits longer, such as for whoever writes to a pipe, has failed."""


@dataclass(frozen=True)
class Target:
    """Something public that can be called.

    Attributes
    ----------
    name : str
        ``analyze``, ``Bars`` for its constructor, ``Bars.from_arrays`` or ``Bars.__getitem__``.
    owner : str
        The class that it is of; empty for a function.
    parameters : mapping of str to Parameter
        What can be given.
    call : callable
        From a receiver, which only methods and operators look at, and arguments to an answer.
    """

    name: str
    owner: str
    parameters: Mapping[str, inspect.Parameter]
    call: Callable[[Any, Mapping[str, Any]], object]
    needs_receiver: bool = False


def targets() -> Iterator[Target]:
    """Everything that can be called, by name."""
    for name in sorted(set(am.__all__) - {"__version__"}):
        public = getattr(am, name)
        if not inspect.isclass(public):
            yield _of_function(name, "", public)
            continue
        yield _of_function(name, name, public)
        yield from _members(name, public)


def further_targets(functions: Iterable[Callable[..., object]]) -> Iterator[Target]:
    """Functions that packages beside this one call, by name."""
    for function in functions:
        yield _of_function(function.__name__, "", function)


def _members(owner: str, public: type) -> Iterator[Target]:
    seen: set[str] = set()
    if hasattr(public, "__getitem__") or hasattr(public, "__iter__"):
        # Python looks for rows, and then for places, in what says nothing of `in` itself.
        seen.add("__contains__")
        yield _contains(owner)
    for kind in public.__mro__:
        if not kind.__module__.startswith("aegismatrix"):
            continue
        for name, member in vars(kind).items():
            if name in seen:
                continue
            seen.add(name)
            qualified = f"{owner}.{name}"
            if name in OPERATORS:
                yield Target(
                    qualified,
                    owner,
                    {"other": inspect.Parameter("other", inspect.Parameter.POSITIONAL_ONLY)},
                    _operated(OPERATORS[name]),
                    needs_receiver=True,
                )
            elif name.startswith("_"):
                continue
            elif isinstance(member, classmethod | staticmethod):
                yield _of_function(qualified, owner, getattr(public, name))
            elif inspect.isfunction(member) and member.__qualname__ == f"{kind.__name__}.{name}":
                yield _of_method(qualified, owner, member)


def _contains(owner: str) -> Target:
    parameters = {"other": inspect.Parameter("other", inspect.Parameter.POSITIONAL_ONLY)}
    return Target(f"{owner}.__contains__", owner, parameters, _operated(operator.contains), True)


def _operated(operate: Callable[[Any, Any], object]) -> Callable[[Any, Mapping[str, Any]], object]:
    return lambda receiver, given: operate(receiver, given["other"])


def _of_function(name: str, owner: str, function: Callable[..., object]) -> Target:
    parameters = inspect.signature(function).parameters
    return Target(name, owner, parameters, lambda _, given: function(**_spread(given, parameters)))


def _of_method(name: str, owner: str, method: Callable[..., object]) -> Target:
    (_, *rest) = inspect.signature(method).parameters.items()
    parameters = dict(rest)

    def call(receiver: Any, given: Mapping[str, Any]) -> object:
        return getattr(receiver, name.rpartition(".")[2])(**_spread(given, parameters))

    return Target(name, owner, parameters, call, needs_receiver=True)


def _spread(
    given: Mapping[str, Any], parameters: Mapping[str, inspect.Parameter]
) -> dict[str, Any]:
    """The arguments by keyword; of ``**arrays`` those that it holds."""
    spread: dict[str, Any] = {}
    for name, value in given.items():
        if parameters[name].kind is inspect.Parameter.VAR_KEYWORD:
            spread.update(value)
        else:
            spread[name] = value
    return spread


def properties(public: type) -> Iterator[str]:
    """The names of what can be read of an instance."""
    for kind in public.__mro__:
        if kind.__module__.startswith("aegismatrix"):
            for name, member in vars(kind).items():
                if not name.startswith("_") and (
                    isinstance(member, property) or hasattr(member, "func")
                ):
                    yield name


class Waited(BaseException):
    """A call waited for something that never comes."""


@contextlib.contextmanager
def patiently() -> Iterator[None]:
    """End a call that waits; one that nothing can interrupt is ended with the process."""

    def give_up(*_: object) -> None:
        raise Waited

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


@dataclass(frozen=True)
class Outcome:
    """What came of a call: an answer, a typed error, or what must not be."""

    answer: object = None
    error: AegisError | None = None
    fault: str = ""


def outcome_of(target: Target, receiver: object, given: Mapping[str, Any]) -> Outcome:
    """Call, and say what came of it."""
    try:
        with patiently():
            answer = target.call(receiver, given)
    except AegisError as error:
        return Outcome(error=error, fault=_faults_of(error))
    except Exception as error:  # noqa: BLE001
        # What the other side of a comparison raises when it is asked itself is its own.
        said, is_operator = _where(error), target.name.rpartition(".")[2] in OPERATORS
        return Outcome(fault="" if is_operator and said.endswith(" in ") else said)
    except Waited as error:
        return Outcome(fault=f"it waited: {_where(error)}")
    return Outcome(answer=answer)


def _faults_of(error: AegisError) -> str:
    """What is wrong with a typed error itself."""
    try:
        assert_typed(error)
    except AssertionError as broken:
        return f"{type(error).__name__} is no good error: {broken}"
    return "" if str(error).isprintable() else f"it steers the terminal: {str(error)!r}"


def _where(error: BaseException) -> str:
    """An error and the last line of the package that it came through."""
    trace, place = error.__traceback__, ""
    root = str(Path(am.__file__).parent)
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file.startswith(root):
            place = f"{os.path.relpath(file, root)}:{trace.tb_lineno}"
        trace = trace.tb_next
    said = ascii(error)[:160] if type(error).__module__ == "builtins" else type(error).__name__
    return f"{said} in {place}"
