"""The rules of the house, each enforced."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from importlib.metadata import metadata, requires
from pathlib import Path

import pytest

PACKAGE = (
    "errors",
    "tables",
    "checks",
    "bars",
    "intraday",
    "chain",
    "calendar",
    "us_calendar",
    "overnight",
    "artifacts",
    "runtime",
    "engine",
    "signals",
    "outcomes",
    "files",
    "html",
    "report",
    "analysis",
    "journal",
    "scores",
    "monitor",
    "sources",
    "schedule",
    "publish",
    "commands",
    "cli",
    "__main__",
)
FACTORY = (
    "legacy",
    "graph",
    "features",
    "markets",
    "walkforward",
    "losses",
    "fetching",
    "convert",
    "head",
    "logistic",
    "events",
    "trap",
    "regime",
    "surface",
    "breach",
    "spike",
    "breakout",
    "theta",
    "network",
    "direction",
    "overnight",
    "registry",
    "fuse",
    "parity",
    "staging",
    "seal",
    "training",
    "challenge",
    "card",
    "export",
)
OPTIONAL = {
    "pandas",
    "jsonschema",
    "yfinance",
    "curl_cffi",
    "peewee",
    "tenacity",
    "platformdirs",
    "jinja2",
    "cryptography",
    "onnxruntime",
    "shtab",
}
UNPICKLERS = {"pickle", "joblib", "cloudpickle", "dill", "shelve", "marshal", "_pickle"}
# Run in throw-away venvs alone: what writes the fixtures of the rescue, and what measures which
# library still loads them.
THROWAWAY_DUMPER = "scripts/legacy_maker.py"
THROWAWAY_LOADER = "scripts/legacy_probe.py"
CODE = ("src", "exporters", "scripts", "benchmarks", "tests")


def modules(folder: Path) -> Iterator[tuple[Path, ast.Module]]:
    for file in sorted(folder.rglob("*.py")):
        yield file, ast.parse(file.read_text(encoding="utf-8"))


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported_at_the_top(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from imported(ast.Module([node], []))


def room(name: str, package: str) -> str | None:
    parts = name.split(".")
    return parts[1] if parts[0] == package and len(parts) > 1 else None


@pytest.mark.parametrize(
    ("folder", "package", "order"),
    [("src/aegismatrix", "aegismatrix", PACKAGE), ("exporters", "exporters", FACTORY)],
)
def test_a_module_imports_only_what_stands_above_it(
    folder: str, package: str, order: tuple[str, ...], repository: Path
) -> None:
    base = repository / folder
    seen = set()
    for file, tree in modules(base):
        own = file.relative_to(base).parts[0].removesuffix(".py")
        if own == "__init__":
            continue
        assert own in order, f"{file} has no place in the order of {package}"
        seen.add(own)
        for name in imported(tree):
            other = room(name, package)
            if other in order and other != own:
                assert order.index(other) < order.index(own), f"{file} imports {name}"
    assert seen == set(order)


def test_the_package_never_imports_the_factory(repository: Path) -> None:
    for file, tree in modules(repository / "src"):
        assert not [name for name in imported(tree) if name.split(".")[0] == "exporters"], file


def test_only_runtime_imports_onnxruntime(repository: Path) -> None:
    importers = {
        file.name
        for file, tree in modules(repository / "src")
        if any(name.split(".")[0] == "onnxruntime" for name in imported(tree))
    }
    assert importers == {"runtime.py"}


def test_runtime_knows_no_market(repository: Path) -> None:
    tree = ast.parse((repository / "src/aegismatrix/runtime.py").read_text())
    rooms = {room(name, "aegismatrix") for name in imported(tree)}
    assert not rooms & {"bars", "tables", "engine", "sources"}


def test_optional_packages_are_imported_inside_functions(repository: Path) -> None:
    for file, tree in modules(repository / "src"):
        names = {name.split(".")[0] for name in imported_at_the_top(tree)}
        assert not names & OPTIONAL, file


def test_the_thin_package_depends_on_two_packages(repository: Path) -> None:
    required = requires("aegismatrix") or []
    assert sorted(line for line in required if "extra ==" not in line) == [
        "numpy>=1.24",
        "onnxruntime>=1.19",
    ]
    allowed = {"numpy", "aegismatrix", *OPTIONAL, *sys.stdlib_module_names}
    for file, tree in modules(repository / "src"):
        foreign = {name.split(".")[0] for name in imported(tree)} - allowed
        assert not foreign, f"{file}: {foreign}"


def unpickling(source: str) -> list[str]:
    tree = ast.parse(source)
    found = [name for name in imported(tree) if name.split(".")[0] in UNPICKLERS]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            call = ast.unparse(node.func)
            flags = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            if call in ("torch.load", "pd.read_pickle", "pandas.read_pickle"):
                found.append(call)
            if flags.get("allow_pickle", "False") != "False":
                found.append(f"{call} with allow_pickle")
    return found


def test_nothing_unpickles_in_any_folder(repository: Path) -> None:
    for folder in CODE:
        for file, _ in modules(repository / folder):
            if file.relative_to(repository).as_posix() not in (THROWAWAY_DUMPER, THROWAWAY_LOADER):
                assert unpickling(file.read_text(encoding="utf-8")) == [], file


def test_what_makes_legacy_pickles_loads_none(repository: Path) -> None:
    text = (repository / THROWAWAY_DUMPER).read_text(encoding="utf-8")
    names = {n.attr for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Attribute)}
    assert {name for name in names if "load" in name.lower() or "pickler" in name.lower()} == {
        "load"
    }
    assert re.findall(r"[\w.]+\.load\b.*", text) == [
        "np.load(options.inputs, allow_pickle=False) as archive:"
    ]
    assert set(unpickling(text)) == {"pickle", "joblib"}


def test_no_module_imports_what_runs_in_throwaway_venvs(repository: Path) -> None:
    for folder in CODE:
        for file, tree in modules(repository / folder):
            found = {name.split(".")[-1] for name in imported(tree)}
            assert not found & {"legacy_maker", "legacy_probe"}, file


@pytest.mark.parametrize(
    "planted",
    [
        "import pickle",
        "from joblib import load",
        "def f():\n    import dill",
        "import torch\ntorch.load('x')",
        "import numpy as np\nnp.load('x', allow_pickle=True)",
        "import pandas as pd\npd.read_pickle('x')",
    ],
)
def test_a_planted_unpickler_is_found(planted: str) -> None:
    assert unpickling(planted)


def test_no_exception_is_swallowed(repository: Path) -> None:
    for folder in ("src", "exporters", "scripts"):
        for file, tree in modules(repository / folder):
            for node in ast.walk(tree):
                if isinstance(node, ast.ExceptHandler):
                    assert node.type is not None, f"{file}:{node.lineno} catches everything"
                    kept = [line for line in node.body if not isinstance(line, ast.Pass)]
                    assert kept, f"{file}:{node.lineno} ignores what it caught"


def test_print_stays_in_the_command_line(repository: Path) -> None:
    for folder in ("src", "exporters"):
        for file, tree in modules(repository / folder):
            calls = {ast.unparse(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
            assert "print" not in calls or file.name in ("cli.py", "commands.py"), file


def test_every_public_function_and_class_is_documented_with_its_errors_and_shapes(
    repository: Path,
) -> None:
    for folder in ("src/aegismatrix", "exporters"):
        for file, tree in modules(repository / folder):
            assert ast.get_docstring(tree) or file.name == "__main__.py", file
            for node in tree.body:
                if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name[0] == "_":
                    continue
                text = ast.get_docstring(node)
                assert text, f"{file}: {node.name}"
                if isinstance(node, ast.FunctionDef) and node.args.args:
                    assert re.search(r"Parameters\n-+", text) or "\n" not in text, (
                        f"{file}: {node.name} documents no parameters"
                    )


def test_every_extra_that_an_error_names_exists(repository: Path) -> None:
    extras = set(metadata("aegismatrix").get_all("Provides-Extra") or [])
    for file, tree in modules(repository / "src"):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "MissingExtraError":
                named = [ast.literal_eval(k.value) for k in node.keywords if k.arg == "extra"]
                assert set(named) <= extras, file
