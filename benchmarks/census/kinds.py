"""What kind of file a file of the census is, by the names of classes that it mentions.

The opcodes are followed by the walk that the rescue reads with; every name is let through to be
listed, and whatever would be made by it becomes an inert placeholder.
"""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aegismatrix_factory.rescue.reading import arrays, containers, opcodes
from aegismatrix_factory.rescue.reading.errors import ArrayKindError, LegacyError
from aegismatrix_factory.rescue.reading.limits import Budget, Limits
from aegismatrix_factory.rescue.reading.records import Name

ABSENT, POINTER, FOREIGN, TORCH = "absent", "pointer", "foreign", "torch"
DAMAGED, DATA, OWN_CLASS, OTHER_LIBRARY = "damaged", "data", "own-class", "other-library"
MODEL = "model"
KINDS = (MODEL, OWN_CLASS, OTHER_LIBRARY, TORCH, DATA, DAMAGED, FOREIGN, POINTER, ABSENT)

Names = tuple[tuple[str, str], ...]

_POINTER = b"version https://git-lfs.github.com/spec/"
# scikit-learn names its compiled losses by the bare module.
_LIBRARIES = frozenset({"sklearn", "xgboost", "lightgbm", "catboost", "_catboost", "_loss"})
_PLAIN = frozenset({"numpy", "pandas", "__builtin__", "copy_reg"})
_ARRAYS = ("scipy.sparse", "sklearn.externals.joblib", "joblib.", "dill.", "cloudpickle.")
_JOBLIB = frozenset({"joblib.numpy_pickle", "sklearn.externals.joblib.numpy_pickle"})
_STOP, _BUILD = b".b"
_LIMITS = Limits(
    opcodes=50_000_000,
    containers=20_000_000,
    memo_entries=50_000_000,
    number_keys=10_000_000,
    seconds=600.0,
)


@dataclass(frozen=True)
class Judged:
    """What a file of the census is.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    names : tuple of tuple
        Pairs of module and name that it mentions, each once, in its own order.
    release : str
        Of scikit-learn, as the file says; empty where it does not.
    """

    kind: str
    names: Names = ()
    release: str = ""

    @property
    def family(self) -> str:
        """The first class of a library of models that it mentions: the outermost, as a rule."""
        return next((name for module, name in self.names if _top(module) in _LIBRARIES), "")


@dataclass
class _Found:
    """What a walk has met so far."""

    names: dict[tuple[str, str], None] = field(default_factory=dict)
    releases: dict[str, None] = field(default_factory=dict)


class _Placeholder:
    """Stands for whatever a name would have made."""


class _Listing(opcodes._Walk):  # The census reads with the very walk of the rescue.
    """A walk that lets every name through and makes nothing of it."""

    def __init__(self, data: bytes | bytearray, found: _Found) -> None:
        super().__init__(data, Budget(_LIMITS), {}, lambda _: _Placeholder())
        self.found = found

    def name(self, module: str, name: str) -> Name:
        self.found.names[module, name] = None
        return Name(module, name)

    def call(self, function: Any, arguments: Any) -> None:
        inline = isinstance(function, Name) and function.module in _JOBLIB
        if isinstance(function, Name) and function.name == "_reconstructor":
            function = arguments[0]
            inline = isinstance(function, Name) and function.module in _JOBLIB
        if inline and function.name == "NumpyArrayWrapper":
            self.made(arrays.InlineDraft())
        elif isinstance(function, Name) and (function.module, function.name) == ("numpy", "dtype"):
            self.made(_kind_of_numbers(arguments))
        else:
            self.made(_Placeholder())

    def check_key(self, key: Any) -> None:  # noqa: ARG002
        self.budget.tick()

    def fill(self, target: Any, flat: list[Any]) -> None:
        if type(target) is dict:
            for key, value in zip(flat[::2], flat[1::2], strict=True):
                if key == "_sklearn_version" and isinstance(value, str):
                    self.found.releases[value] = None
                target[key if isinstance(key, str | int) else id(key)] = value

    def add(self, target: Any, items: list[Any]) -> None:  # noqa: ARG002
        self.budget.tick(len(items))

    def extend(self, target: Any, items: list[Any]) -> None:
        if isinstance(target, list):
            target.extend(items)

    def run(self) -> None:
        while (opcode := self.take(1)[0]) != _STOP:
            self.budget.tick()
            action = opcodes._ACTIONS.get(opcode)
            if action is None:
                raise self.bad(f"0x{opcode:02x} is no opcode")
            if opcode == _BUILD:
                self.build()
            else:
                action(self)

    def build(self) -> None:
        state = self.pop()
        target = self.top()
        if isinstance(target, arrays.DtypeDraft):
            target.build(state)
        elif isinstance(target, arrays.InlineDraft):
            self.inline(target, state)

    def inline(self, target: arrays.InlineDraft, state: Mapping[str, Any]) -> None:
        """Step over the bytes of joblib's array, or walk the pickle of an array of objects."""
        kind = state["dtype"]
        self.stack[-1] = _Placeholder()
        if not isinstance(kind, arrays.DtypeDraft):
            nested = _Listing(bytes(self.data[self.position :]), self.found)
            nested.run()
            self.position += nested.position
            return
        target.build(state)
        _, self.position = target.read(self.data, self.position, Budget(_LIMITS))


def _kind_of_numbers(arguments: tuple[Any, ...]) -> arrays.DtypeDraft | _Placeholder:
    try:
        return arrays.dtype(arguments)
    except ArrayKindError:
        return _Placeholder()


def _listed(data: bytes) -> _Found:
    """Follow the opcodes of a plain or compressed pickle; raises `LegacyError` where it cannot."""
    compression = next(
        (name for name, start in containers._COMPRESSIONS if data.startswith(start)), None
    )
    plain: bytes | bytearray = data
    if compression is not None:
        plain = containers._decompressed(data, compression, Budget(_LIMITS))
    found = _Found()
    _Listing(plain, found).run()
    return found


def _listed_in_zip(data: bytes) -> _Found:
    """Follow the pickle in a zip of torch; nothing is found where there is no such pickle."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        inner = next((name for name in archive.namelist() if name.endswith("data.pkl")), None)
        return _listed(archive.read(inner)) if inner is not None else _Found()


def judge(data: bytes, own: frozenset[str]) -> Judged:
    """Judge one file.

    Parameters
    ----------
    data : bytes
        The file.
    own : frozenset of str
        Names of the repository's own modules and folders.

    Returns
    -------
    Judged
        Its kind, and what it mentions, where it could be read.
    """
    if data.startswith(_POINTER):
        return Judged(POINTER)
    if containers._TORCH_MAGIC in data[:32]:
        return Judged(TORCH)
    zipped = data.startswith(b"PK")
    if not zipped and not _begins_as_a_pickle(data):
        return Judged(FOREIGN)
    try:
        found = _listed_in_zip(data) if zipped else _listed(data)
    except (LegacyError, zipfile.BadZipFile):
        return Judged(TORCH if zipped else DAMAGED)
    names = tuple(found.names)
    kind = TORCH if zipped else _kind(names, own)
    return Judged(kind, names, " ".join(found.releases))


def _begins_as_a_pickle(data: bytes) -> bool:
    if data[:1] == b"\x80" and data[1:2] in b"\x02\x03\x04\x05":
        return True
    if any(data.startswith(start) for _, start in containers._COMPRESSIONS):
        return True
    # Protocols 0 and 1 begin with what they make, and end with a full stop.
    return data[:1] in b"(]}cdl" and data.rstrip()[-1:] == b"."


def _top(module: str) -> str:
    return module.partition(".")[0]


def _kind(names: Names, own: frozenset[str]) -> str:
    modules = {module for module, _ in names}
    if any(_top(module) == "torch" for module in modules):
        return TORCH
    plain = _PLAIN | sys.stdlib_module_names - {"__main__"}
    rest = {
        module for module in modules if _top(module) not in plain and not module.startswith(_ARRAYS)
    }
    if not rest:
        return DATA
    if any(_top(module) in (own | {"__main__"}) - _LIBRARIES for module in rest):
        return OWN_CLASS
    return MODEL if all(_top(module) in _LIBRARIES for module in rest) else OTHER_LIBRARY
