"""The errors: each in its room, each from one place, each with two sentences and its data."""

from __future__ import annotations

import ast
import copy
import dataclasses
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aegismatrix import errors
from aegismatrix.errors import AegisError
from tests.invariants import assert_typed

ROOMS = ("artifacts", "desk", "engine", "market")
VALUES: dict[str, object] = {
    "int": 7,
    "float": 0.5,
    "Distribution": "aegismatrix-factory",
    "object": {"deep": {}},
    "Mapping[str, tuple[int, ...]]": {"close": (3,)},
    "Sequence[str]": ["2024-01-05", "2024-01-08"],
    "Sequence[int]": [1, 4],
    "Sequence[float]": [24000.0, 24050.0],
}
ALL = {name: getattr(errors, name) for name in dir(errors) if name.endswith("Error")}


def examples() -> list[AegisError]:
    """One of every class and kind whose words are its own."""
    made: list[AegisError] = []
    for error in ALL.values():
        fields = [one for one in dataclasses.fields(error) if one.init] if is_data(error) else []
        given = {one.name: VALUES.get(str(one.type), "some words.") for one in fields}
        for kind in error.cases or [None]:
            if error.cases and "kind" in given:
                made.append(error(**{**given, "kind": kind}))
            elif is_data(error) and (error.cases or hasattr(error, "problem")):
                made.append(error(**given))
    return made


def is_data(error: type[AegisError]) -> bool:
    return (
        "__dataclass_fields__" in vars(error)
        and "__init__" in vars(error)
        and ("problem" not in error.__init__.__annotations__)
    )


@pytest.mark.parametrize("error", examples(), ids=lambda one: f"{type(one).__name__} {one.kind}")
def test_every_error_says_what_is_wrong_and_the_remedy_from_its_data(error: AegisError) -> None:
    assert_typed(error)
    assert "{" not in str(error).replace("{'deep': {}}", "")
    assert vars(copy.copy(error)) == vars(error)
    assert not [name for name, value in vars(error).items() if isinstance(value, list)]


def test_what_the_data_says_is_never_taken_for_a_template() -> None:
    odd = "{path} {0} {remedy} {"
    assert odd in str(errors.OutputError(odd, odd))
    assert odd in str(errors.SignatureError(odd, "missing", odd))


def raised(repository: Path) -> Iterator[tuple[str, set[str]]]:
    """Every call of a class with kinds by its name, with the words that it is given."""
    for file in (repository / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func).replace("self.kind.error", "CacheError")
                name = called.removeprefix("errors.")
                if name in ALL and ALL[name].cases:
                    yield name, {str(a.value) for a in node.args if isinstance(a, ast.Constant)}


def test_every_kind_that_is_raised_is_declared_and_every_declared_one_raised(
    repository: Path,
) -> None:
    # These find their kind from their data.
    unnamed = {"ArtifactHashError", "ArtifactSizeError"}
    found: dict[str, set[str]] = {}
    for name, words in raised(repository):
        kinds = words & set(ALL[name].cases)
        assert kinds or name in unnamed, f"a kind of {name} is not declared: {words}"
        found.setdefault(name, set()).update(kinds)
    found["JournalError"] |= found["CacheError"]
    declared = {name: set(one.cases) for name, one in ALL.items() if name not in unnamed}
    assert {name: found.get(name, set()) for name in declared} == declared


def test_every_room_declares_what_it_raises_and_all_is_found_in_one_place() -> None:
    for name, error in ALL.items():
        home = error.__module__.removeprefix("aegismatrix.").removesuffix(".errors")
        assert home in (*ROOMS, "errors"), name
    with pytest.raises(AttributeError, match="NoSuchError"):
        errors.NoSuchError  # noqa: B018


def test_to_name_an_error_of_the_core_does_not_load_the_desk() -> None:
    code = (
        "import sys; from aegismatrix.errors import BarRowsError, ModelFailedError, SignatureError;"
        "print(sorted(name for name in sys.modules if name.startswith('aegismatrix.desk')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


LONG = ["x" * 50_000, "\u0939" * 30_000, "two words " * 20_000, "'\"\\" * 20_000]


@pytest.mark.parametrize("long", LONG, ids=["letters", "script", "words", "quotes"])
@pytest.mark.parametrize("error", ALL.values())
def test_no_message_is_longer_than_two_thousand_characters(
    error: type[AegisError], long: str
) -> None:
    made = []
    if is_data(error):
        fields = [one for one in dataclasses.fields(error) if one.init]  # type: ignore[arg-type]
        values = {**VALUES, "Sequence[str]": [long] * 9, "object": long, "str": long}
        given: dict[str, Any] = {one.name: values.get(str(one.type), long) for one in fields}
        kinds = [*error.cases] if error.cases and "kind" in given else [None]
        if error.cases or hasattr(error, "problem") or "problem" in given:
            given_kinds = [{} if kind is None else {"kind": kind} for kind in kinds]
            made = [error(**given | kind) for kind in given_kinds]
    else:
        made.append(error(long, remedy=long))
    for one in made:
        for said in (str(one), str(copy.copy(one)), f"{one.problem} {one.remedy}"):
            assert len(said) <= errors.MAX_MESSAGE
        assert one.problem
        assert one.remedy


def test_a_message_keeps_both_ends_of_what_was_given() -> None:
    said = str(errors.OutputError("first " + "x" * 10_000 + " last", "no room"))
    assert "first" in said
    assert "last could not be written: no room." in said
    assert "10011 characters" in said
    assert said.endswith("any previous file is as it was.")


def test_a_short_message_is_whole() -> None:
    path = "x" * 400
    assert path in str(errors.OutputError(path, "no room"))
