"""The light data classes against those of the standard library."""

from __future__ import annotations

import copy
import dataclasses
import inspect
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from aegismatrix import records


def family(dataclass: Callable[..., Any]) -> dict[str, type[Any]]:
    """The same classes, made by one of both."""

    @dataclass(frozen=True)
    class Point:
        """A value."""

        x: int
        y: float = 2.5
        _: dataclasses.KW_ONLY
        tags: list[str] = dataclasses.field(default_factory=list, compare=False)
        hidden: int = dataclasses.field(default=7, repr=False)
        count: ClassVar[int] = 0

    @dataclass(frozen=True)
    class Deeper(Point):
        """One that inherits and checks."""

        depth: int = 1
        twice: int = dataclasses.field(init=False, default=0)

        def __post_init__(self) -> None:
            if self.depth < 0:
                raise ValueError("depth")
            object.__setattr__(self, "twice", 2 * self.depth)

    @dataclass
    class Open:
        """One that can be changed, and so has no hash."""

        a: int
        b: Any = None

    @dataclass(frozen=True, eq=False)
    class Itself:
        """One that equals itself alone."""

        a: int

    @dataclass(frozen=True)
    class Own:
        """One with methods of its own."""

        a: int

        def __repr__(self) -> str:
            return "own"

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Own)

        def __hash__(self) -> int:
            return 4

    @dataclass(eq=False, repr=False, kw_only=True)
    class BrokenError(Exception):
        """An error."""

        what: str
        where: str = "here"

    made = (Point, Deeper, Open, Itself, Own, BrokenError)
    return {one.__name__: one for one in made}


LIGHT, STANDARD = family(records.dataclass), family(dataclasses.dataclass)
CALLS: tuple[tuple[str, tuple[Any, ...], dict[str, Any]], ...] = (
    ("Point", (1,), {}),
    ("Point", (1, 3.0), {"tags": ["a"], "hidden": 8}),
    ("Point", (), {"x": 1}),
    ("Point", (), {}),
    ("Point", (1, 2, 3), {}),
    ("Point", (1,), {"x": 1}),
    ("Point", (1,), {"z": 1}),
    ("Deeper", (1, 2.0, 3), {}),
    ("Deeper", (1, 2.0, 3), {"twice": 1}),
    ("Deeper", (1,), {"depth": -1}),
    ("Open", (1, [2]), {}),
    ("Itself", (1,), {}),
    ("Own", (1,), {}),
    ("BrokenError", (), {"what": "all"}),
    ("BrokenError", ("all",), {}),
)


def outcome(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Exception as error:  # noqa: BLE001
        return type(error)


@pytest.mark.parametrize(("name", "args", "kwargs"), CALLS)
def test_values_are_made_shown_hashed_and_refused_as_by_the_standard_library(
    name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    light = outcome(lambda: LIGHT[name](*args, **copy.deepcopy(kwargs)))
    standard = outcome(lambda: STANDARD[name](*args, **copy.deepcopy(kwargs)))
    if isinstance(standard, type):
        assert light is standard
        return
    assert vars(light) == vars(standard)
    assert [one.name for one in dataclasses.fields(light)] == [
        one.name for one in dataclasses.fields(standard)
    ]
    assert dataclasses.asdict(light) == dataclasses.asdict(standard)
    if name not in ("Itself", "BrokenError"):
        assert repr(light) == repr(standard)
        assert outcome(lambda: hash(light)) == outcome(lambda: hash(standard))
    again = outcome(lambda: LIGHT[name](*args, **copy.deepcopy(kwargs)))
    twin = STANDARD[name](*args, **copy.deepcopy(kwargs))
    assert (light == again) is (standard == twin)
    assert (light == standard) is (name == "Own") or name == "Own"


@pytest.mark.parametrize("name", LIGHT)
def test_signatures_and_patterns_are_those_of_the_standard_library(name: str) -> None:
    light, standard = (inspect.signature(one[name]) for one in (LIGHT, STANDARD))
    assert list(light.parameters) == list(standard.parameters)
    for one, other in zip(light.parameters.values(), standard.parameters.values(), strict=True):
        assert one.kind == other.kind
        assert (one.default is one.empty) == (other.default is other.empty)
        assert one.annotation == other.annotation
    assert LIGHT[name].__match_args__ == STANDARD[name].__match_args__


@pytest.mark.parametrize("name", ["Point", "Deeper", "Own", "Itself"])
def test_a_frozen_value_cannot_be_changed(name: str) -> None:
    value = LIGHT[name](1)
    field = dataclasses.fields(value)[0].name
    for changed in (field, "other"):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, changed, 2)
    with pytest.raises(dataclasses.FrozenInstanceError):
        delattr(value, field)


def test_values_are_replaced_and_copied() -> None:
    value = LIGHT["Deeper"](1, depth=4)
    assert dataclasses.replace(value, depth=5).twice == 10
    assert copy.copy(value) == copy.deepcopy(value) == value
    LIGHT["Open"](1).a = 2


def test_a_subclass_with_a_constructor_of_its_own_shows_that_one() -> None:
    @records.dataclass
    class Open:
        """Any class."""

        a: int
        b: int

    class Other(Open):
        """One that is made of less."""

        def __init__(self, one: int) -> None:
            super().__init__(one, b=2)

    assert list(inspect.signature(Other).parameters) == ["one"]
    assert (Other(5).a, Other(5).b) == (5, 2)


def test_a_default_that_is_made_is_made_anew_each_time() -> None:
    assert LIGHT["Point"](1).tags is not LIGHT["Point"](1).tags
