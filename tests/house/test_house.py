"""The rules of the house, each enforced."""

from __future__ import annotations

import ast
import graphlib
import itertools
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Container, Iterator
from importlib.metadata import metadata, requires
from pathlib import Path

import pytest
from aegismatrix_factory.extras import NEEDED, package_of

import aegismatrix as am
from aegismatrix.desk.cli.installed import FACTORY as FACTORY_COMMANDS
from aegismatrix.market.events import BREACH, OUTPUTS
from tests import unpickling

# By room, what it may import beside itself and the errors. What a room shares stands below it.
PACKAGE = {
    "__init__": {"artifacts", "desk", "engine", "market"},
    "__main__": {"desk"},
    "artifacts": set[str](),
    "desk": {"", "artifacts", "engine", "market"},
    "engine": {"artifacts", "market"},
    "errors": {"records"},
    "records": set[str](),
    "market": set[str](),
}
FACTORY = {
    "__init__": set[str](),
    "commands": {"evaluate", "extras", "heads", "release", "rescue"},
    "conversion": set[str](),
    "evaluate": set[str](),
    "extras": set[str](),
    "graph": set[str](),
    "heads": {"conversion", "evaluate", "graph"},
    "release": {"conversion", "evaluate", "graph", "heads", "sealing"},
    "rescue": {"conversion", "extras", "sealing"},
    "sealing": set[str](),
}
OPTIONAL = {
    "pandas",
    "polars",
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
# Run in throw-away venvs alone: what writes the fixtures of the rescue, and what measures which
# library still loads them.
THROWAWAY_DUMPER = "scripts/legacy_maker.py"
THROWAWAY_LOADER = "scripts/legacy_probe.py"
READING = "exporters/aegismatrix_factory/rescue/reading"
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


def imported_when_run(tree: ast.Module) -> Iterator[str]:
    """Without what only a type checker reads, by which the errors name those of every room."""
    for node in tree.body:
        if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            yield from imported(node)


def imported_at_the_top(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from imported(ast.Module([node], []))


def roots(tree: ast.AST) -> set[str]:
    return {name.split(".")[0] for name in imported(tree)}


def room(name: str, package: str) -> str | None:
    parts = name.split(".")
    return parts[1] if parts[0] == package and len(parts) > 1 else None


@pytest.mark.parametrize(
    ("folder", "package", "rooms"),
    [
        ("src/aegismatrix", "aegismatrix", PACKAGE),
        ("exporters/aegismatrix_factory", "aegismatrix_factory", FACTORY),
    ],
)
def test_a_room_imports_only_the_rooms_below_it(
    folder: str, package: str, rooms: dict[str, set[str]], repository: Path
) -> None:
    seen = set()
    for file, tree in modules(repository / folder):
        own = file.relative_to(repository / folder).parts[0].removesuffix(".py")
        assert own in rooms, f"{file} stands in no room of {package}"
        seen.add(own)
        for name in imported_when_run(tree) if own == "errors" else imported(tree):
            if name == package or name.startswith(f"{package}."):
                other = room(name, package) or ""
                allowed = {own, "errors", "records", *rooms[own]}
                assert other in allowed or other not in rooms, f"{file} imports {name}"
    assert seen == set(rooms)


@pytest.mark.parametrize(
    "base", ["src/aegismatrix", "exporters/aegismatrix_factory"], ids=lambda base: Path(base).name
)
def test_no_module_imports_itself_by_way_of_others(base: str, repository: Path) -> None:
    package = Path(base).name
    arrows: dict[str, set[str]] = {}
    files = {
        module_name(file, repository / base): tree for file, tree in modules(repository / base)
    }
    for name, tree in files.items():
        named = {
            longest(one, files) or package
            for one in (imported_when_run(tree) if name == "aegismatrix.errors" else imported(tree))
            if one.startswith(package)
        }
        arrows[name] = named - {name, package}
    sorter = graphlib.TopologicalSorter(arrows)
    sorter.prepare()


def module_name(file: Path, base: Path) -> str:
    parts = file.relative_to(base.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def longest(name: str, known: Container[str]) -> str | None:
    """The module that a dotted name means: what stands in it may follow."""
    parts = name.split(".")
    ends = (".".join(parts[:end]) for end in range(len(parts), 0, -1))
    return next((end for end in ends if end in known), None)


def test_the_package_never_imports_the_factory(repository: Path) -> None:
    for file, tree in modules(repository / "src"):
        assert not [
            name for name in imported(tree) if name.split(".")[0] == "aegismatrix_factory"
        ], file


def test_one_module_imports_onnxruntime(repository: Path) -> None:
    importers = {
        file.name
        for file, tree in modules(repository / "src")
        if any(name.split(".")[0] == "onnxruntime" for name in imported(tree))
    }
    assert importers == {"model.py"}


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


def test_nothing_unpickles_in_any_folder(repository: Path) -> None:
    scanned = 0
    for folder in (*CODE, "examples"):
        for file in sorted((repository / folder).rglob("*.py")):
            place = file.relative_to(repository).as_posix()
            if place in (THROWAWAY_DUMPER, THROWAWAY_LOADER):
                continue
            assert unpickling.in_python(file.read_text(encoding="utf-8"), place) == [], file
            scanned += 1
        for file in sorted((repository / folder).rglob("*.ipynb")):
            assert unpickling.in_notebook(file.read_text(encoding="utf-8")) == [], file
            scanned += 1
    assert scanned > 100


def test_what_makes_legacy_pickles_loads_none(repository: Path) -> None:
    text = (repository / THROWAWAY_DUMPER).read_text(encoding="utf-8")
    names = {n.attr for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Attribute)}
    assert {name for name in names if "load" in name.lower() or "pickler" in name.lower()} == {
        "load"
    }
    assert re.findall(r"[\w.]+\.load\b.*", text) == [
        "np.load(str(options.inputs), allow_pickle=False) as archive:"
    ]
    found = unpickling.in_python(text, THROWAWAY_DUMPER)
    assert {one for one in found if not one.startswith("the text")} == {
        "pickle",
        "joblib",
        "sklearn.externals.joblib",
    }


def test_what_makes_legacy_pickles_runs_under_old_pythons(repository: Path) -> None:
    files = [repository / THROWAWAY_DUMPER, repository / "scripts/__init__.py"]
    files += sorted((repository / "scripts/legacy_families").glob("*.py"))
    assert len(files) > 10
    for file in files:
        # The objects of this project's own engine are made under Python 3.10 and later alone.
        if file.name != "engine.py":
            ast.parse(file.read_text(encoding="utf-8"), feature_version=(3, 6))


def test_no_module_imports_what_runs_in_throwaway_venvs(repository: Path) -> None:
    for folder in CODE:
        for file, tree in modules(repository / folder):
            found = {name.split(".")[-1] for name in imported(tree)}
            assert not found & {"legacy_maker", "legacy_probe"}, file


def test_no_command_unpickles(repository: Path) -> None:
    files = [repository / "Makefile", repository / ".ci/run", repository / "pyproject.toml"]
    for folder in (*CODE, "examples", ".ci", ".github"):
        for kind in ("*.sh", "*.yml", "*.yaml", "*.toml", "*.service", "*.timer", "Makefile"):
            files += sorted((repository / folder).rglob(kind))
    assert repository / "examples/github/publish.yml" in files
    for file in files:
        assert unpickling.in_text(file.read_text(encoding="utf-8")) == [], file


def test_no_pickle_is_kept_as_a_file(repository: Path) -> None:
    for folder in (*CODE, "examples", "models_onnx", "docs", ".ci"):
        for file in sorted((repository / folder).rglob("*")):
            is_kept = file.is_file() and "__pycache__" not in file.parts
            if is_kept and repository / "tests/fixtures" not in file.parents:
                assert unpickling.as_file(file) == [], file


PLANTED = (
    "import pickle",
    "import os, pickle as p",
    "from joblib import load",
    "def f():\n    import dill",
    "import pickletools",
    "from pickle import loads as l",
    "import torch\ntorch.load('x')",
    "import torch as t\nt.load('x')",
    "from torch import load",
    "from torch import load as l\nl('x')",
    "from torch import *",
    "import torch\nl = torch.load\nl('x')",
    "import torch\nt = torch\nt.load('x')",
    "import torch\nmap(torch.load, ['x'])",
    "import torch\ngetattr(torch, 'load')('x')",
    "import torch\ntorch.load('x', weights_only=True)",
    "import torch.serialization\ntorch.serialization.load('x')",
    "from torch.serialization import load as l",
    "import numpy as np\nnp.load('x', allow_pickle=True)",
    "import numpy as np\nnp.load('x', allow_pickle=flag)",
    "import numpy as np\nnp.load('x', allow_pickle=1)",
    "import numpy as np\nnp.load('x', None, True)",
    "import numpy as np\nnp.load('x', None, flag)",
    "import numpy as np\nnp.load(*given)",
    "import numpy as np\nnp.load('x', **given)",
    "from numpy import load as l\nl('x', allow_pickle=True)",
    "from numpy import load as l\nl('x', None, True)",
    "from numpy.lib.format import read_array\nread_array(f, True)",
    "given = {'allow_pickle': True}",
    "import importlib\nimportlib.import_module('pickle')",
    "from importlib import import_module as i\ni('joblib.memory')",
    "__import__('joblib')",
    "__import__(name='dill')",
    "name = 'pickle'",
    "import pandas as pd\npd.read_pickle('x')",
    "import pandas as data\ndata.read_pickle('x')",
    "from pandas import read_pickle",
    "frame.to_pickle('x')",
    "import pandas as pd\npd.DataFrame().to_pickle('x')",
    "from multiprocessing.reduction import ForkingPickler",
    "import skops.io\nskops.io.load('x', trusted=True)",
    "from skops import io as s\ns.loads(b'x', trusted=known)",
    "from skops.io import load as l\nl('x', ['builtins.eval'])",
    "subprocess.run(['python', '-c', 'import pickle; pickle.load(f)'])",
)


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_unpickler_is_found(planted: str) -> None:
    assert unpickling.in_python(planted)
    cell = {"cell_type": "code", "source": planted.splitlines(keepends=True)}
    assert unpickling.in_notebook(json.dumps({"cells": [cell]}))


@pytest.mark.parametrize(
    "harmless",
    [
        "import numpy as np\nnp.load('x')",
        "import numpy as np\nnp.load('x', None, False)",
        "import numpy as np\nnp.load('x', allow_pickle=False)",
        "import json\njson.load(f)",
        "import multiprocessing\nmultiprocessing.Process(target=f, args=(engine,)).start()",
        "from skops import io as s\ns.loads(b'x', trusted=[])",
        '"""Nothing here unpickles: no pickle, no joblib."""',
    ],
)
def test_what_does_not_unpickle_is_not_found(harmless: str) -> None:
    assert unpickling.in_python(harmless) == []


def test_torch_loads_weights_alone_and_only_where_old_models_are_taken_over() -> None:
    literal = "import torch\ntorch.load('x', weights_only=True)"
    renamed = "from torch import load as l\nl('x', weights_only=True)"
    for place in (f"{READING}/weights.py", "tests/rescue/test_legacy.py"):
        for source in (literal, renamed, "import pickletools"):
            assert unpickling.in_python(source, place) == []
        for value in ("False", "flag", "1"):
            assert unpickling.in_python(literal.replace("True", value), place)
        for source in (
            "import torch\ntorch.load('x')",
            "import torch\nl = torch.load\ntorch.load('x', weights_only=True)",
            "import pickle",
        ):
            assert unpickling.in_python(source, place)
    for place in (
        "exporters/aegismatrix_factory/heads/network.py",
        "src/aegismatrix/engine/model.py",
    ):
        assert unpickling.in_python(literal, place)
        assert unpickling.in_python("import pickletools", place)


@pytest.mark.parametrize(
    "planted",
    [
        "\tpython -c 'import pickle'",
        '  run: python -c "import os, joblib"',
        "python -m pickle x.bin",
        "python -m pickletools x.bin",
        "python -c 'import torch; torch.load(\"x\")'",
        "python -c 'import pandas; pandas.read_pickle(\"x\")'",
        "python -c 'import numpy; numpy.load(\"x\", allow_pickle=True)'",
        "python -c '__import__(\"dill\")'",
    ],
)
def test_a_planted_command_that_unpickles_is_found(planted: str) -> None:
    assert unpickling.in_text(planted)
    cell = {"cell_type": "code", "source": [f"!{planted.strip()}"]}
    assert unpickling.in_notebook(json.dumps({"cells": [cell]}))


def test_a_planted_pickle_is_found_by_name_and_by_content(tmp_path: Path) -> None:
    for name in ("x.pkl", "x.pt", "x.joblib", "X.PTH"):
        (tmp_path / name).write_bytes(b"anything")
        assert unpickling.as_file(tmp_path / name)
    (tmp_path / "x.dat").write_bytes(b"\x80\x04N.")
    assert unpickling.as_file(tmp_path / "x.dat") == ["it is a pickle"]
    with zipfile.ZipFile(tmp_path / "x.bin", "w") as archive:
        archive.writestr("archive/data.pkl", b"anything")
    assert unpickling.as_file(tmp_path / "x.bin") == ["archive/data.pkl"]
    (tmp_path / "x.txt").write_text("nothing")
    assert unpickling.as_file(tmp_path / "x.txt") == []


def test_no_exception_is_swallowed(repository: Path) -> None:
    for folder in ("src", "exporters", "scripts"):
        for file, tree in modules(repository / folder):
            for node in ast.walk(tree):
                if isinstance(node, ast.ExceptHandler):
                    assert node.type is not None, f"{file}:{node.lineno} catches everything"
                    kept = [line for line in node.body if not isinstance(line, ast.Pass)]
                    assert kept, f"{file}:{node.lineno} ignores what it caught"


# Where an output may be spelt: in the catalogue, and by the model that gives it.
CATALOGUE = "src/aegismatrix/market/events.py"
GIVERS = "exporters/aegismatrix_factory/heads"
# A model's name, which is that of a part of the report as well.
AMBIGUOUS = {"regime"}


def spelt_outputs(text: str, *, is_template: bool = False) -> set[str]:
    """Names of outputs that stand in a text as they are, or are put together from a beginning."""
    words = {*OUTPUTS, *(output.judged for output in OUTPUTS.values())} - AMBIGUOUS
    heads = {output.head for output in OUTPUTS.values()} | {BREACH.head}
    begun = re.compile(rf"(?<![a-z_])({'|'.join(sorted(heads))})_([a-z]+_)?[htd]?$")
    if is_template:
        quoted = re.findall(r"'([^'\n]*)'(\s*~)?", text)
        plain = {word for word, joined in quoted if not joined}
        parts = {word for word, joined in quoted if joined}
    else:
        strings = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.JoinedStr)]
        parts = {
            one.value
            for string in strings
            for one, following in itertools.pairwise(string.values)
            if isinstance(one, ast.Constant) and isinstance(following, ast.FormattedValue)
        }
        plain = {
            n.value
            for n in ast.walk(ast.parse(text))
            if isinstance(n, ast.Constant) and isinstance(n.value, str)
        }
    surface = re.compile(rf"{BREACH.head}(_[a-z]+)?_h\d+(_[dp]\d+)?")
    return {
        *(word for word in plain if word in words or surface.fullmatch(word)),
        *(part for part in parts if begun.search(part)),
    }


def test_no_module_but_the_catalogue_and_the_models_spells_an_output(repository: Path) -> None:
    scanned = 0
    for folder in ("src", "exporters", "scripts", "benchmarks"):
        for kind in ("*.py", "*.jinja"):
            for file in sorted((repository / folder).rglob(kind)):
                place = file.relative_to(repository).as_posix()
                if place == CATALOGUE or place.startswith(GIVERS):
                    continue
                text = file.read_text(encoding="utf-8")
                assert spelt_outputs(text, is_template=kind == "*.jinja") == set(), place
                scanned += 1
    assert scanned > 100


@pytest.mark.parametrize(
    "planted",
    [
        "row['theta']",
        "usual = rates['spike_down']",
        "f'trap_{days}'",
        "f'breakout_{offset}'",
        "f'regime_{name}'",
        "f'direction_t{days}_{name}'",
        "f'breach_h{days}'",
        "f'breach_{side}_h{days}'",
        "verdict('breach_down_h5')",
        "verdict('overnight_t1')",
    ],
)
def test_a_planted_output_is_found(planted: str) -> None:
    assert spelt_outputs(planted)


def test_an_output_in_a_template_is_found_and_fields_of_the_report_are_not() -> None:
    for planted in ("skill.get('trap_' ~ days)", "believe(x, 'theta')", "'direction_t' ~ days"):
        assert spelt_outputs(planted, is_template=True), planted
    for harmless in ("report['breakout_next']", "f'TRAP_{label}'", "market['regime']", "'breach'"):
        assert spelt_outputs(harmless) == set(), harmless


def test_print_stays_in_the_command_line(repository: Path) -> None:
    rooms = {"src": "aegismatrix/desk/cli", "exporters": "aegismatrix_factory/commands"}
    for folder, room_of_commands in rooms.items():
        for file, tree in modules(repository / folder):
            calls = {ast.unparse(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
            may_print = file.parent == repository / folder / room_of_commands
            assert "print" not in calls or may_print, file


def test_every_function_and_class_of_a_module_says_what_it_is_for(repository: Path) -> None:
    core = {file for file, _ in modules_of_core(repository)}
    for folder in ("src/aegismatrix", "exporters"):
        for file, tree in modules(repository / folder):
            assert ast.get_docstring(tree) or file.name == "__main__.py", file
            for node in tree.body:
                if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name[0] == "_":
                    continue
                text = ast.get_docstring(node)
                assert text, f"{file}: {node.name}"
                if isinstance(node, ast.FunctionDef) and node.args.args and file not in core:
                    assert re.search(r"Parameters\n-+", text) or "\n" not in text, (
                        f"{file}: {node.name} documents no parameters"
                    )


def test_only_what_is_public_has_sections_in_the_docstrings_of_the_core(repository: Path) -> None:
    for file, tree in modules_of_core(repository):
        for node in tree.body:
            if getattr(node, "name", "") not in am.__all__:
                assert not list(with_sections(node)), f"{file}: say it in a sentence or three"


def test_a_section_in_a_docstring_is_found() -> None:
    planted = 'def f():\n    """Do.\n\n    Returns\n    -------\n    int\n    """'
    assert list(with_sections(ast.parse(planted))) == ["f"]


def modules_of_core(repository: Path) -> Iterator[tuple[Path, ast.Module]]:
    for room in ("market", "artifacts", "engine"):
        yield from modules(repository / "src" / "aegismatrix" / room)


def with_sections(tree: ast.AST) -> Iterator[str]:
    """The names of functions and classes whose docstrings have sections of numpydoc."""
    documented = (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.ClassDef))
    for node in documented:
        if re.search(r"^-{4,}$", ast.get_docstring(node) or "", re.MULTILINE):
            yield node.name


def extras_of(distribution: str) -> set[str]:
    return set(metadata(distribution).get_all("Provides-Extra") or [])


def named_extras(tree: ast.AST, call: str) -> Iterator[str]:
    """The extras that are written out in calls of that name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == call:
            given = [*node.args[:1], *(k.value for k in node.keywords if k.arg == "extra")]
            last = given[-1]
            if isinstance(last, ast.Constant):
                yield str(last.value)


def test_every_extra_that_an_error_names_exists(repository: Path) -> None:
    found = set()
    for folder in ("src", "scripts"):
        for _, tree in modules(repository / folder):
            found |= set(named_extras(tree, "MissingExtraError"))
    assert {"completion", "frames", "release", "report", "verify", "yahoo"} <= found
    assert found <= extras_of("aegismatrix")
    found = set(FACTORY_COMMANDS.values())
    for _, tree in modules(repository / "exporters"):
        for call in ("needing", "check_extra"):
            found |= set(named_extras(tree, call))
    assert found == set(NEEDED) == extras_of("aegismatrix-factory")


def test_the_factory_checks_for_every_package_that_it_imports(repository: Path) -> None:
    checked = {package_of(name) for name in NEEDED["train"]} | {"lz4"}
    named = [re.split(r"[^\w.-]", line)[0] for line in requires("aegismatrix-factory") or []]
    assert checked == set(named) - {"aegismatrix", "numpy"}
    imports = {root for _, tree in modules(repository / "exporters") for root in roots(tree)}
    foreign = imports - sys.stdlib_module_names - {"aegismatrix", "aegismatrix_factory"}
    # Those of the package itself; signing needs its extra `verify`.
    foreign -= {"numpy", "onnxruntime", "cryptography"}
    assert {package_of(name) for name in foreign} <= checked


NAMES_OF_MARKETS = {"nifty", "other"}


def compared_texts(tree: ast.AST) -> Iterator[str]:
    """Every text that something is compared with, by an operator or a pattern."""
    for node in ast.walk(tree):
        sides: list[ast.expr] = []
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
        elif isinstance(node, ast.MatchValue):
            sides = [node.value]
        for side in sides:
            for one in ast.walk(side):
                if isinstance(one, ast.Constant) and isinstance(one.value, str):
                    yield one.value


def compared_in_a_template(text: str) -> set[str]:
    return {name for name in NAMES_OF_MARKETS if re.search(rf"(==|!=|in) *[(\[]?['\"]{name}", text)}


def test_no_market_is_told_from_others_by_its_name(repository: Path) -> None:
    for folder in ("src", "exporters", "scripts"):
        for file, tree in modules(repository / folder):
            found = NAMES_OF_MARKETS & set(compared_texts(tree))
            assert not found, f"{file} compares with {found}: ask the Market for what differs"
        for file in sorted((repository / folder).rglob("*.jinja")):
            assert not compared_in_a_template(file.read_text(encoding="utf-8")), file


@pytest.mark.parametrize(
    "planted",
    [
        "if bars.market != 'nifty': pass",
        "over = 'other' == market and late",
        "x = market in ('nifty', 'sp500')",
        "x = market not in {'other'}",
        "x = [m for m in markets if m == 'nifty']",
        "match market:\n    case 'nifty' | 'bank': pass",
    ],
)
def test_a_planted_comparison_with_the_name_of_a_market_is_found(planted: str) -> None:
    assert NAMES_OF_MARKETS & set(compared_texts(ast.parse(planted)))
    assert compared_in_a_template("{% if provenance.market != 'nifty' %}")


MOST_MODULES, MODULES_OF_FILES = 14, 4
PREDICTING = """
import subprocess
import sys
import numpy as np
from aegismatrix import Bars, Engine

days = np.arange(np.datetime64("2020-01-01"), np.datetime64("2022-01-01"))
days = days[np.is_busday(days)]
close = 100.0 + np.arange(len(days)) % 7
if len(sys.argv) > 1:
    bars = Bars.from_csv(sys.argv[1], iv=sys.argv[2], market="other")
else:
    iv = 15.0 + np.arange(len(days)) % 5
    bars = Bars.from_arrays(days, close * 1.01, close * 0.99, close, iv, market="other")
Engine().predict(bars)
loaded = [name for name in sys.modules if name.startswith("aegismatrix.")]
print(*(name for name in loaded if not hasattr(sys.modules[name], "__path__")))
"""


@pytest.mark.parametrize("from_files", [False, True], ids=["arrays", "files"])
def test_a_prediction_loads_few_modules_and_none_of_the_desk(
    from_files: bool, repository: Path
) -> None:
    sample = repository / "src/aegismatrix/desk/sources/sample_data"
    files = [str(sample / name) for name in ("sp500_daily.csv", "vix_daily.csv")]
    done = subprocess.run(
        [sys.executable, "-c", PREDICTING, *(files if from_files else ())],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = done.stdout.split()
    assert len(loaded) <= MOST_MODULES + MODULES_OF_FILES * from_files, loaded
    assert not [name for name in loaded if name.split(".")[1] in ("desk", "calendars")]


REPORTING = """
import sys
from aegismatrix.desk.cli.main import main

main(["report", "--index", sys.argv[1], "--iv", sys.argv[2], "--market", "other", "-q"])
print(*sys.modules)
"""
NOT_OF_A_REPORT = {
    "aegismatrix.desk.monitoring",
    "aegismatrix.desk.sources.yahoo",
    "jsonschema",
    "numpy.ma",
    "pandas",
    "sqlite3",
}


def test_a_report_on_files_loads_nothing_that_it_does_not_need(
    repository: Path, tmp_path: Path
) -> None:
    sample = repository / "src/aegismatrix/desk/sources/sample_data"
    files = [str(sample / name) for name in ("sp500_daily.csv", "vix_daily.csv")]
    command = [sys.executable, "-c", REPORTING, *files]
    environment = {**os.environ, "AEGISMATRIX_OUT": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert (tmp_path / "aegismatrix.json").exists()
    assert NOT_OF_A_REPORT.isdisjoint(done.stdout.split())


def test_a_database_that_is_opened_is_closed(repository: Path) -> None:
    """To leave a connection's block commits, and closes nothing: from Python 3.13 on that warns."""
    for folder in CODE:
        for file, tree in modules(repository / folder):
            for node in ast.walk(tree):
                if isinstance(node, ast.withitem):
                    opened = ast.unparse(node.context_expr)
                    assert not opened.startswith("sqlite3.connect("), f"{file}: {opened}"
