"""The page's templates are compiled once, and never by another Jinja2 than the one that draws."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import jinja2
import pytest

from aegismatrix.desk.html import templates

NAME = "greeting.txt.jinja"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one template, in which bytecode may be kept."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", None)
    monkeypatch.setattr(templates, "_FOLDER", tmp_path)
    templates._environment.cache_clear()
    (tmp_path / NAME).write_text("Good {{ part }}.", encoding="utf-8")
    return tmp_path


@pytest.fixture(autouse=True)
def _forget() -> object:
    yield
    templates._environment.cache_clear()


def drawn() -> str:
    """Draw the template as a new process would: with nothing compiled in memory."""
    templates._environment.cache_clear()
    return templates.template(NAME).render(part="morning")


def compilations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Count what Jinja2 compiles from here on."""
    compiled: list[str] = []
    inner = jinja2.Environment.compile

    def counted(self: jinja2.Environment, source: str, *given: object, **named: object) -> object:
        compiled.append(source)
        return inner(self, source, *given, **named)  # type: ignore[call-overload]

    monkeypatch.setattr(jinja2.Environment, "compile", counted)
    return compiled


def test_a_template_is_compiled_once_for_all_processes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = compilations(monkeypatch)
    assert [drawn(), drawn()] == ["Good morning."] * 2
    assert len(compiled) == 1


def test_a_template_that_changed_is_compiled_again(folder: Path) -> None:
    assert drawn() == "Good morning."
    (folder / NAME).write_text("A good {{ part }}.", encoding="utf-8")
    assert drawn() == "A good morning."


def test_code_of_another_jinja_is_not_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn()
    compiled = compilations(monkeypatch)
    monkeypatch.setattr(jinja2, "__version__", "3.9.9")
    assert drawn() == "Good morning."
    assert len(compiled) == 1


@pytest.mark.parametrize("content", [b"", b"no bytecode at all"])
def test_a_damaged_cache_is_passed_over(folder: Path, content: bytes) -> None:
    drawn()
    Path(importlib.util.cache_from_source(str(folder / NAME))).write_bytes(content)
    assert drawn() == "Good morning."


def test_where_nothing_can_be_kept_the_page_is_drawn_all_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "__pycache__").write_text("a file where the folder would be")
    compiled = compilations(monkeypatch)
    assert [drawn(), drawn()] == ["Good morning."] * 2
    assert len(compiled) == 2
