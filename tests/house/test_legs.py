"""What `make test`, `make test-all` and the checks run: everything, and nothing twice."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import NO_SKIPS, QUICK_CPU_SECONDS

ALWAYS_SLOW = re.compile(
    "killed_at_any_moment|invariant_holds_on|half_hours_on_end|hundred_flipped|a_browser_lays"
)


def recipe(target: str, repository: Path) -> tuple[list[str], str]:
    """What a target of the Makefile needs, and its commands."""
    text = (repository / "Makefile").read_text(encoding="utf-8")
    found = re.search(rf"^{target}:(.*)\n((?:\t.*\n)+)", text, re.MULTILINE)
    assert found, target
    return found[1].split(), found[2]


def every_test(repository: Path) -> Iterator[tuple[str, ast.FunctionDef]]:
    for file in sorted((repository / "tests").rglob("test_*.py")):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield file.relative_to(repository).as_posix(), node


def is_slow(test: ast.FunctionDef) -> bool:
    return "pytest.mark.slow" in map(ast.unparse, test.decorator_list)


def test_quick_and_slow_tests_are_all_tests_and_none_runs_twice(
    repository: Path, pytestconfig: pytest.Config
) -> None:
    assert any(mark.startswith("slow:") for mark in pytestconfig.getini("markers"))
    assert "--strict-markers" in pytestconfig.getini("addopts")
    assert "-m" not in pytestconfig.getini("addopts"), "pytest by itself runs every test"
    _, quick = recipe("test", repository)
    assert '-m "not slow"' in quick
    needed, slow = recipe("test-all", repository)
    assert needed == ["test"]
    assert "-m slow" in slow
    _, quick_on_newest = recipe("newest", repository)
    assert '-m "not slow"' in quick_on_newest
    needed, slow_on_newest = recipe("newest-all", repository)
    assert needed == ["newest"]
    assert "-m slow" in slow_on_newest


def test_the_checks_run_quick_tests_slow_ones_and_the_newest_of_everything(
    repository: Path,
) -> None:
    lines = (repository / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    made = [word for line in lines if line.startswith("make ") for word in line.split()[1:]]
    assert {"test", "test-all", "newest", "lint", "types"} <= set(made)
    assert made.index("test") + 1 == made.index("test-all"), "by one make, or test runs twice"


def test_what_kills_flips_soaks_or_lays_out_pages_is_slow(repository: Path) -> None:
    found = [
        (file, test.name, is_slow(test))
        for file, test in every_test(repository)
        if ALWAYS_SLOW.search(test.name)
    ]
    assert len(found) >= 6
    assert [one for one in found if not one[-1]] == []


def test_a_test_that_takes_long_without_the_mark_fails(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        "from tests import conftest\n"
        "conftest.QUICK_CPU_SECONDS = 0.2\n"
        "pytest_pyfunc_call = conftest.pytest_pyfunc_call\n"
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n    slow: long\n")
    (tmp_path / "test_it.py").write_text(
        "import time, pytest\n"
        "def spend(seconds):\n"
        "    end = time.process_time() + seconds\n"
        "    while time.process_time() < end: pass\n"
        "def test_quick(): pass\n"
        "def test_long(): spend(0.3)\n"
        "@pytest.mark.slow\n"
        "def test_marked(): spend(0.3)\n"
    )
    assert QUICK_CPU_SECONDS > 1.0
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(repository), NO_SKIPS: "1"},
    )
    assert "1 failed, 2 passed" in run.stdout, run.stdout
    assert "test_long" in run.stdout
    assert "make it cheaper, or mark it slow" in run.stdout
