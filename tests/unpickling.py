"""Find whatever unpickles: in Python, in notebooks, in commands, and as files."""

from __future__ import annotations

import ast
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

UNPICKLERS = frozenset(
    "pickle _pickle cPickle joblib cloudpickle dill shelve marshal jsonpickle hickle".split()
)
"""Modules that exist to unpickle; none is imported anywhere."""

INSPECTORS = frozenset({"pickletools"})
"""Modules that read a pickle without running it; only where old models are taken over."""

LOADERS = frozenset(
    """
    torch.load torch.serialization.load torch.hub.load torch.hub.load_state_dict_from_url
    torch.jit.load torch.package.PackageImporter pandas.read_pickle pandas.io.pickle.read_pickle
    pandas.compat.pickle_compat.load numpy.lib.format.read_array_pickle
    multiprocessing.reduction.ForkingPickler multiprocessing.reduction.loads
    sklearn.externals.joblib
    """.split()
)
METHODS = frozenset({"read_pickle", "to_pickle"})
NUMPY_LOADERS = {
    "numpy.load": 2,
    "numpy.lib.npyio.load": 2,
    "numpy.lib.npyio.NpzFile": 2,
    "numpy.lib.format.read_array": 1,
}
"""Position of ``allow_pickle`` among the arguments."""

TRUSTING = frozenset({"skops.io.load", "skops.io.loads"})
IMPORTERS = frozenset({"importlib.import_module", "__import__", "builtins.__import__"})
SUFFIXES = frozenset({".pkl", ".pickle", ".pt", ".pth", ".joblib", ".dill", ".p", ".ckpt"})

_MODULES = "|".join(sorted(UNPICKLERS | INSPECTORS))
_IN_TEXT = re.compile(
    rf"\b(?:import|from)\s+(?:\w+\s*,\s*)*(?:{_MODULES})\b"
    rf"|-m\s*(?:{_MODULES})\b"
    rf"|(?:__import__|import_module)\(\s*\\?['\"](?:{_MODULES})\b"
    r"|\btorch\.load\s*\(|\b(?:read|to)_pickle\b"
    r"|\ballow_pickle\s*=\s*(?!False\b)"
)


def in_python(source: str, place: str = "src/module.py") -> list[str]:
    """What a module unpickles with, by any name that it gives it."""
    tree = ast.parse(source)
    takes_over = place.startswith(("exporters/aegismatrix_factory/rescue/reading/", "tests/"))
    forbidden = UNPICKLERS if takes_over else UNPICKLERS | INSPECTORS
    names = _Names(tree)
    harmless = set(_weights_only(tree, names)) if takes_over else set()
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if _root(alias.name) in forbidden]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            full = [f"{node.module}.{alias.name}" for alias in node.names]
            found += [name for name in full if _root(name) in forbidden]
            if not takes_over:
                found += [name for name in full if name in LOADERS]
            if node.module == "torch" and "*" in {alias.name for alias in node.names}:
                found.append("everything of torch")
        elif isinstance(node, ast.Call):
            found += _in_call(node, names, forbidden)
        elif isinstance(node, ast.Dict):
            found += [
                "allow_pickle as a key"
                for key in node.keys
                if isinstance(key, ast.Constant) and key.value == "allow_pickle"
            ]
        elif not takes_over and (text := _text(node)) is not None:
            found += [f"the text {text[:40]!r}"] * (text in forbidden or bool(in_text(text)))
        if isinstance(node, ast.Attribute) and node.attr in METHODS:
            found.append(node.attr)
        if (
            isinstance(node, ast.Attribute | ast.Name)
            and node not in harmless
            and (name := names.full(node)) in LOADERS
        ):
            found.append(str(name))
    return found


def in_notebook(text: str, place: str = "examples/notebook.ipynb") -> list[str]:
    """What the cells of code of a notebook unpickle with."""
    found = []
    for cell in json.loads(text)["cells"]:
        if cell["cell_type"] == "code":
            lines = "".join(cell["source"]).splitlines()
            commands = [line for line in lines if line.lstrip().startswith(("%", "!"))]
            kept = ["pass" if line in commands else line for line in lines]
            found += in_python("\n".join(kept), place) + in_text("\n".join(commands))
    return found


def in_text(text: str) -> list[str]:
    """What the commands of a script, a Makefile or a workflow unpickle with."""
    return [match.group() for match in _IN_TEXT.finditer(text)]


def as_file(file: Path) -> list[str]:
    """Why a file is a pickle, by its name or by what it holds."""
    found = [file.suffix] if file.suffix.lower() in SUFFIXES else []
    data = file.read_bytes()
    if len(data) > 2 and data[0] == 0x80 and 2 <= data[1] <= 5 and data.endswith(b"."):
        found.append("it is a pickle")
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            found += [name for name in archive.namelist() if Path(name).suffix in SUFFIXES]
    return found


class _Names:
    """What the names of a module stand for."""

    def __init__(self, tree: ast.AST) -> None:
        self._known: dict[str, str] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    self._known[alias.asname or _root(alias.name)] = (
                        alias.name if alias.asname else _root(alias.name)
                    )
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                for alias in node.names:
                    self._known[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and (name := self.full(node.value)) is not None:
                for target in node.targets:
                    if isinstance(target, ast.Name) and name != target.id:
                        self._known.setdefault(target.id, name)

    def full(self, node: ast.AST) -> str | None:
        """The dotted name of an expression, from the module that it comes from."""
        if isinstance(node, ast.Name):
            return self._known.get(node.id, node.id)
        if isinstance(node, ast.Attribute):
            before = self.full(node.value)
            return None if before is None else f"{before}.{node.attr}"
        if isinstance(node, ast.Call) and self.full(node.func) in IMPORTERS:
            return _text(node.args[0]) if node.args else None
        if isinstance(node, ast.Call) and self.full(node.func) == "getattr" and node.args[1:]:
            before, name = self.full(node.args[0]), _text(node.args[1])
            return None if before is None or name is None else f"{before}.{name}"
        return None


def _in_call(node: ast.Call, names: _Names, forbidden: frozenset[str]) -> Iterator[str]:
    name = names.full(node.func)
    if names.full(node) in LOADERS:
        yield str(names.full(node))
    if name in IMPORTERS:
        for given in (*node.args[:1], *(word.value for word in node.keywords)):
            module = _text(given)
            if module is not None and _root(module) in forbidden:
                yield f"{name} of {module}"
    for word in node.keywords:
        if word.arg == "allow_pickle" and not _is(word.value, False):
            yield f"{ast.unparse(node.func)} with allow_pickle"
        if word.arg == "trusted" and name in TRUSTING and ast.unparse(word.value) != "[]":
            yield f"{name} that trusts"
    place = NUMPY_LOADERS.get(str(name))
    if place is not None:
        starred = any(isinstance(given, ast.Starred) for given in node.args)
        unnamed = any(word.arg is None for word in node.keywords)
        at_place = node.args[place : place + 1]
        if starred or unnamed or (at_place and not _is(at_place[0], False)):
            yield f"{name} with allow_pickle by place"
    if name in TRUSTING and len(node.args) > 1 and ast.unparse(node.args[1]) != "[]":
        yield f"{name} that trusts"


def _weights_only(tree: ast.AST, names: _Names) -> Iterator[ast.AST]:
    """The functions of calls of ``torch.load`` that say, as a literal, that they run nothing."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and names.full(node.func) == "torch.load":
            only = [word for word in node.keywords if word.arg == "weights_only"]
            if only and _is(only[0].value, True):
                yield from ast.walk(node.func)


def _is(node: ast.AST, value: bool) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def _text(node: ast.AST) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _root(name: str) -> str:
    return name.partition(".")[0]
