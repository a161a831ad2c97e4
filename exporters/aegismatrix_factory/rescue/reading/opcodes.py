"""Walks the opcodes of a pickle of protocol 0 to 5; nothing is imported, called or looked up.

The opcodes are those of CPython's ``Lib/pickletools.py``. A name that a pickle mentions is compared
with a list; a call of it becomes a `Record`, or goes to one of the few functions here that rebuild
arrays and plain containers.
"""

from __future__ import annotations

import codecs
import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from aegismatrix_factory.rescue.reading import arrays
from aegismatrix_factory.rescue.reading.errors import KeyKindError, LimitError, MalformedError
from aegismatrix_factory.rescue.reading.limits import Budget
from aegismatrix_factory.rescue.reading.names import (
    PATHS,
    TYPES,
    is_data,
    is_record,
    refusal,
)
from aegismatrix_factory.rescue.reading.records import Name, OrderedDraft, RecordDraft
from aegismatrix_factory.rescue.reading.settling import settle

Builder = Callable[[tuple[Any, ...]], Any]

HIGHEST_PROTOCOL = 5
_NAME_BYTES = 256
_ITEM_BYTES = 128
_LINE_BYTES = 256
_LINE_FLOAT_BYTES = 64
_TEXTS = (str, bytes)
_KEYS = (str, bytes, bool, int, float, type(None))
_INTEGER = re.compile(rb"[+-]?[0-9]+")
_FLOAT = re.compile(rb"[+-]?([0-9]+\.?[0-9]*([eE][+-]?[0-9]+)?|\.[0-9]+([eE][+-]?[0-9]+)?|inf|nan)")
_QUOTED = re.compile(rb"(?:[^\\]|\\(?:[\\'\"nrt]|x[0-9a-fA-F]{2}))*", re.DOTALL)
_LATIN = frozenset({"latin1", "latin-1", "iso-8859-1"})
_BUILTINS = ("builtins", "__builtin__")
_VENDORED = "sklearn.externals.joblib."
_PREPARED = {("sklearn.utils.validation", "check_array")}
"""What boosting by histograms gives its columns of numbers to, where there are categories, too."""
_RECONSTRUCTORS = (("copyreg", "_reconstructor"), ("copy_reg", "_reconstructor"))
_NUMPY = ("numpy.core", "numpy._core")
_COMPILED_FUNCTIONS = tuple(f"{folder}._multiarray_umath" for folder in _NUMPY)
# Compiled, their states are no attributes: the trees of neighbours, and losses.
_COMPILED = ("sklearn.neighbors.", "sklearn.metrics.", "sklearn._loss.", "_loss")


@dataclass(frozen=True)
class Walked:
    """What a pickle holds.

    Attributes
    ----------
    value : object
        Plain values, arrays and records.
    protocol : int
        The protocol it declares, 0 where it declares none.
    inline_arrays : int
        Arrays whose bytes joblib wrote between the opcodes.
    """

    value: Any
    protocol: int
    inline_arrays: int


def never_called(what: str) -> Builder:
    """Make what takes the place of a name that libraries mention and never call.

    Parameters
    ----------
    what : str
        The name, for the refusal.

    Returns
    -------
    callable
        Raises `MalformedError`.
    """

    def refuse(_: tuple[Any, ...]) -> Any:
        raise MalformedError(f"{what} is called in a way that no library writes")

    return refuse


def _latin(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError as error:
        raise MalformedError("text that stands for bytes is not latin-1") from error


def _bytes(arguments: tuple[Any, ...]) -> bytes:
    if arguments == ():
        return b""
    raise MalformedError("bytes is called in a way that no library writes")


def _complex(arguments: tuple[Any, ...]) -> complex:
    if len(arguments) == 2 and all(type(part) is float for part in arguments):
        return complex(*arguments)
    raise MalformedError("complex is called in a way that no library writes")


class _Walk:
    """One pickle, its stack and its memo."""

    def __init__(
        self,
        data: bytes | bytearray | memoryview,
        budget: Budget,
        names: Mapping[tuple[str, str], Builder],
        persistent: Callable[[Any], Any] | None,
    ) -> None:
        self.data = memoryview(data)
        self.budget = budget
        self.limits = budget.limits
        self.persistent = persistent
        self.position = 0
        self.protocol = 0
        self.inline_arrays = 0
        self.number_keys = 0
        self.steps = 0
        self.is_nested = False
        self.extra = names
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        self.builders: dict[tuple[str, str], Builder] = {
            ("numpy", "ndarray"): never_called("numpy.ndarray"),
            ("numpy", "memmap"): never_called("numpy.memmap"),
            ("numpy", "vectorize"): partial(self._inert, "numpy", "vectorize"),
            ("numpy", "dtype"): arrays.dtype,
            ("_codecs", "encode"): self._encode,
            ("collections", "OrderedDict"): self._ordered,
            ("joblib.numpy_pickle", "NumpyArrayWrapper"): self._inline,
        }
        for folder in _NUMPY:
            self.builders[f"{folder}.multiarray", "_reconstruct"] = arrays.reconstruct
            self.builders[f"{folder}.multiarray", "scalar"] = partial(arrays.scalar, budget=budget)
            self.builders[f"{folder}.numeric", "_frombuffer"] = partial(
                arrays.from_buffer, budget=budget
            )
            self.builders[folder, "_ufunc_reconstruct"] = self._function
        for module in _BUILTINS:
            self.builders[module, "object"] = never_called("object")
            self.builders[module, "bytes"] = _bytes
            self.builders[module, "bytearray"] = self._bytearray
            self.builders[module, "complex"] = _complex
            self.builders[module, "set"] = self._set
            self.builders[module, "frozenset"] = self._frozen
            self.builders[module, "slice"] = partial(self._inert, module, "slice")
        for module, kind in TYPES:
            self.builders.setdefault((module, kind), never_called(kind))
        for module, kind in PATHS:
            self.builders[module, kind] = partial(self._inert, module, kind)
        self.builders["collections", "defaultdict"] = self._default
        self.builders["functools", "partial"] = self._partial
        self.builders["dill._dill", "_create_array"] = self._dilled
        self.builders["dill._dill", "_load_type"] = self._dilled_type
        self.builders["dill._dill", "_import_module"] = partial(
            self._inert, "dill._dill", "_import_module"
        )
        self.builders["dill._dill", "_get_attr"] = self._dilled_name
        for pair in _RECONSTRUCTORS:
            self.builders[pair] = self._reconstructor
        self.builders.update(names)

    # The bytes.

    def bad(self, what: str, *, code: str = "malformed") -> MalformedError:
        return MalformedError(what, offset=self.position, code=code)

    def take(self, count: int) -> memoryview:
        if count > len(self.data) - self.position:
            raise self.bad("it is cut off", code="truncated")
        piece = self.data[self.position : self.position + count]
        self.position += count
        return piece

    def unsigned(self, width: int) -> int:
        return int.from_bytes(self.take(width), "little")

    def signed(self, width: int) -> int:
        return int.from_bytes(self.take(width), "little", signed=True)

    def newline(self, longest: int) -> int:
        """Where the line ends; -1 where it is longer than it may be, or the file ends."""
        begin, size = self.position, _LINE_BYTES
        stop = min(len(self.data), begin + longest + 1)
        while begin < stop:
            piece = bytes(self.data[begin : min(begin + size, stop)])
            place = piece.find(b"\n")
            if place >= 0:
                return begin + place
            begin, size = begin + len(piece), 2 * size
        return -1

    def line(self, longest: int, what: str) -> bytes:
        end = self.newline(longest)
        if end < 0:
            if len(self.data) - self.position <= longest:
                raise self.bad("it is cut off", code="truncated")
            raise self.bad(f"{what} is too long", code="limit-text")
        piece = bytes(self.data[self.position : end])
        self.position = end + 1
        return piece

    def text(self, width: int) -> str:
        count = self.unsigned(width)
        if count > self.limits.text_bytes:
            raise LimitError(
                "a text is too long", limit="text_bytes", allowed=self.limits.text_bytes
            )
        return self.decoded(self.take(count))

    def decoded(self, raw: memoryview | bytes) -> str:
        try:
            return str(raw, "utf-8")
        except UnicodeDecodeError as error:
            raise self.bad("a text is not UTF-8") from error

    def long(self, width: int) -> int:
        count = self.unsigned(width) if width == 1 else self.signed(width)
        if count < 0:
            raise self.bad("an integer has a negative length")
        if count > self.limits.integer_bytes:
            raise self.overlong()
        return int.from_bytes(self.take(count), "little", signed=True)

    def overlong(self) -> LimitError:
        return LimitError(
            "an integer is too long", limit="integer_bytes", allowed=self.limits.integer_bytes
        )

    def decimal(self, raw: bytes) -> int:
        if not _INTEGER.fullmatch(raw):
            raise self.bad("an integer is not written in digits")
        # Ten bits of a number need a little more than three digits.
        if len(raw) > 3 * self.limits.integer_bytes:
            raise self.overlong()
        return int(raw)

    def index(self) -> int:
        return self.decimal(self.line(_LINE_FLOAT_BYTES, "an index"))

    # The stack.

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise self.bad("it takes more from its stack than is there")
        return self.stack.pop()

    def top(self) -> Any:
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise self.bad("it takes more from its stack than is there")
        return self.stack[-1]

    def pop_mark(self) -> list[Any]:
        if not self.marks:
            raise self.bad("it goes back to a mark that is not there")
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        self.budget.tick(len(items) + 1)
        return items

    def made(self, value: Any) -> None:
        self.budget.container()
        self.stack.append(value)

    def put(self, index: int) -> None:
        if not 0 <= index < self.limits.memo_entries:
            raise LimitError(
                "its memo is too large", limit="memo_entries", allowed=self.limits.memo_entries
            )
        self.memo[index] = self.top()

    def get(self, index: int) -> None:
        if index not in self.memo:
            raise self.bad("it takes from its memo what was never put there")
        self.stack.append(self.memo[index])

    # Names and calls.

    def name(self, module: str, name: str) -> Name:
        if len(module) > _NAME_BYTES or len(name) > _NAME_BYTES:
            raise refusal(module, name)
        if module in _COMPILED_FUNCTIONS and ("numpy", name) in TYPES:
            module = "numpy"
        # Until 0.22 scikit-learn brought its own copy of joblib along.
        if module.startswith(_VENDORED):
            module = module.removeprefix("sklearn.externals.")
        if (module, name) not in self.builders:
            if not is_record(module, name):
                raise refusal(module, name)
            self.builders[module, name] = partial(self._record, module, name)
        return Name(module, name)

    def name_line(self) -> Name:
        module = self.decoded(self.line(_NAME_BYTES, "a name"))
        name = self.decoded(self.line(_NAME_BYTES, "a name"))
        return self.name(module, name)

    def call(self, function: Any, arguments: Any) -> None:
        if isinstance(function, RecordDraft) and function.module == "functools":
            function = function.arguments[0]
        if not isinstance(function, Name) or not isinstance(arguments, tuple):
            raise self.bad("it calls what is no function")
        self.made(self.builders[function.module, function.name](arguments))

    def _record(self, module: str, name: str, arguments: tuple[Any, ...]) -> RecordDraft:
        return RecordDraft(module, name, arguments)

    def _inert(self, module: str, name: str, arguments: tuple[Any, ...]) -> RecordDraft:
        return RecordDraft(module, name, arguments)

    def _default(self, arguments: tuple[Any, ...]) -> OrderedDraft:
        """A dict of defaults, which are of no matter to who reads what is there."""
        if len(arguments) > 1 or not all(isinstance(one, Name) for one in arguments):
            raise self.bad("defaultdict is called in a way that no library writes")
        return OrderedDraft()

    def _partial(self, arguments: tuple[Any, ...]) -> RecordDraft:
        """What pandas makes its blocks with, or boosting its columns; a call makes a record."""
        if len(arguments) != 1 or not isinstance(arguments[0], Name):
            raise self.bad("partial is called in a way that no library writes")
        whole = (arguments[0].module, arguments[0].name)
        if not is_data(arguments[0].module) and whole not in _PREPARED:
            raise refusal("functools", "partial")
        return RecordDraft("functools", "partial", arguments)

    def _function(self, arguments: tuple[Any, ...]) -> Name:
        if len(arguments) != 2 or ("numpy", arguments[1]) not in TYPES:
            raise self.bad("_ufunc_reconstruct names no function that is known")
        return Name("numpy", arguments[1])

    def _dilled(self, arguments: tuple[Any, ...]) -> arrays.ArrayDraft:
        """An array as dill makes it: how it is begun, its state, and further attributes."""
        if len(arguments) not in (3, 4) or (len(arguments) == 4 and arguments[3]):
            raise self.bad("dill's array is made in a way that dill does not")
        begin, given, state = arguments[:3]
        if (
            not isinstance(begin, Name)
            or begin.name != "_reconstruct"
            or begin.module not in {f"{folder}.multiarray" for folder in _NUMPY}
            or not isinstance(given, tuple)
        ):
            raise self.bad("dill's array is made in a way that dill does not")
        made = arrays.reconstruct(given)
        made.build(state, self.budget)
        return made

    def _dilled_type(self, arguments: tuple[Any, ...]) -> Name:
        """A type of Python by its name, which has to be one that a file may name itself."""
        if len(arguments) != 1 or not isinstance(arguments[0], str):
            raise self.bad("dill names a type in a way that dill does not")
        return self.name("builtins", arguments[0])

    def _dilled_name(self, arguments: tuple[Any, ...]) -> Name:
        """What a module holds by that name, which has to be one that a file may name itself."""
        if len(arguments) != 2 or not isinstance(arguments[1], str):
            raise self.bad("dill names a function in a way that dill does not")
        module = arguments[0]
        if not isinstance(module, RecordDraft) or module.name != "_import_module":
            raise refusal("dill._dill", "_get_attr")
        if len(module.arguments) != 1 or not isinstance(module.arguments[0], str):
            raise self.bad("dill names a module in a way that dill does not")
        found = module.arguments[0]
        # Where numpy compiles what its `multiarray` is the public place of.
        if found in _COMPILED_FUNCTIONS and arguments[1] in ("_reconstruct", "scalar"):
            found = found.replace("_multiarray_umath", "multiarray")
        return self.name(found, arguments[1])

    def _reconstructor(self, arguments: tuple[Any, ...]) -> Any:
        if (
            len(arguments) != 3
            or not all(isinstance(argument, Name) for argument in arguments[:2])
            or arguments[1].module not in _BUILTINS
            or arguments[1].name != "object"
            or arguments[2] is not None
            or (arguments[0].module, arguments[0].name) in _RECONSTRUCTORS
        ):
            raise self.bad("_reconstructor is called in a way that no library writes")
        return self.builders[arguments[0].module, arguments[0].name](())

    def _inline(self, arguments: tuple[Any, ...]) -> arrays.InlineDraft:
        if arguments:
            raise self.bad("joblib's array is made in a way that joblib does not")
        return arrays.InlineDraft()

    # Each of the following may be called again and again on one large argument.

    def _encode(self, arguments: tuple[Any, ...]) -> bytes:
        if (
            len(arguments) != 2
            or not all(isinstance(argument, str) for argument in arguments)
            or arguments[1] not in _LATIN
        ):
            raise self.bad("_codecs.encode is called in a way that no library writes")
        self.budget.array(len(arguments[0]))
        return _latin(arguments[0])

    def _bytearray(self, arguments: tuple[Any, ...]) -> bytearray:
        if arguments == ():
            return bytearray()
        if len(arguments) == 1 and isinstance(arguments[0], bytes):
            self.budget.array(len(arguments[0]))
            return bytearray(arguments[0])
        if len(arguments) == 2:
            return bytearray(self._encode(arguments))
        raise self.bad("bytearray is called in a way that no library writes")

    def _ordered(self, arguments: tuple[Any, ...]) -> OrderedDraft:
        made = OrderedDraft()
        if arguments == ():
            return made
        if len(arguments) != 1 or not isinstance(arguments[0], list):
            raise self.bad("OrderedDict is called in a way that no library writes")
        self.budget.array(_ITEM_BYTES * len(arguments[0]))
        flat: list[Any] = []
        for pair in arguments[0]:
            if not isinstance(pair, list | tuple) or len(pair) != 2:
                raise self.bad("OrderedDict is called in a way that no library writes")
            flat.extend(pair)
        self.fill(made, flat)
        return made

    def _set(self, arguments: tuple[Any, ...]) -> set[Any]:
        made: set[Any] = set()
        if arguments == ():
            return made
        if len(arguments) != 1 or not isinstance(arguments[0], list):
            raise self.bad("set is called in a way that no library writes")
        self.budget.array(_ITEM_BYTES * len(arguments[0]))
        self.add(made, arguments[0])
        return made

    def _frozen(self, arguments: tuple[Any, ...]) -> frozenset[Any]:
        return frozenset(self._set(arguments))

    # Containers. Keys are scalars: the hash of a deep tuple would overflow the C stack.

    def key(self, key: Any) -> Any:
        """A key as a plain value: a scalar of numpy hashes as the number or text that it is."""
        self.budget.tick()
        if isinstance(key, np.generic) and key.dtype.kind in "biufU":
            key = key.item()
        if type(key) not in _KEYS:
            if isinstance(key, tuple | RecordDraft):
                raise KeyKindError
            raise self.bad("a key is neither text nor a number")
        if type(key) not in _TEXTS:
            # Numbers hash to themselves, so that many can be chosen to collide.
            self.number_keys += 1
            if self.number_keys > self.limits.number_keys:
                raise LimitError(
                    "it has too many keys that are numbers",
                    limit="number_keys",
                    allowed=self.limits.number_keys,
                )
        return key

    def fill(self, target: Any, flat: list[Any]) -> None:
        if len(flat) % 2:
            raise self.bad("a key has no value")
        if isinstance(target, RecordDraft):
            target.entries.extend(zip(flat[::2], flat[1::2], strict=True))
            return
        if not isinstance(target, dict):
            raise self.bad("it sets an item of what is no dict")
        for position in range(0, len(flat), 2):
            target[self.key(flat[position])] = flat[position + 1]

    def add(self, target: Any, items: list[Any]) -> None:
        if not isinstance(target, set):
            raise self.bad("it adds to what is no set")
        for item in items:
            target.add(self.key(item))

    def extend(self, target: Any, items: list[Any]) -> None:
        if isinstance(target, RecordDraft):
            target.items.extend(items)
        elif isinstance(target, list):
            target.extend(items)
        else:
            raise self.bad("it appends to what is no list")

    def build(self) -> None:
        state = self.pop()
        target = self.top()
        if isinstance(target, arrays.DtypeDraft):
            target.build(state)
        elif isinstance(target, arrays.ArrayDraft):
            target.build(state, self.budget)
        elif isinstance(target, arrays.InlineDraft):
            target.build(state)
            if target.kind is not None and target.kind.hasobject:
                self.stack[-1] = self.nested(target)
            else:
                self.stack[-1], self.position = target.read(self.data, self.position, self.budget)
            self.inline_arrays += 1
        elif isinstance(target, OrderedDraft):
            # The attributes of an ordered dict, such as the versions of torch's modules.
            if type(state) is not dict:
                raise self.bad("an ordered dict is given a state that no library writes")
        elif isinstance(target, RecordDraft):
            if not self.is_opaque(target, state):
                self.check_state(state)
            if target.state is not None:
                raise self.bad("an object is given its state twice", code="hostile-state")
            # As `__dict__.update` does: what is done to the dict afterwards is not of the object.
            target.state = dict(state) if type(state) is dict else state
        else:
            raise self.bad("it gives a state to what has none")

    def nested(self, target: arrays.InlineDraft) -> Any:
        """An array of objects, which joblib writes as a pickle of its own between the opcodes."""
        if self.is_nested:
            raise self.bad("joblib's pickle inside of a pickle holds another one")
        inner = _Walk(self.data, self.budget, self.extra, None)
        inner.is_nested, inner.position, inner.steps = True, self.position, self.steps
        inner.number_keys = self.number_keys
        value = inner.run()
        self.position, self.steps = inner.position, inner.steps
        self.number_keys = inner.number_keys
        made = value.value if isinstance(value, arrays.ArrayDraft) else None
        shape = made.arguments[0] if isinstance(made, RecordDraft) else getattr(made, "shape", None)
        if made is None or shape != target.shape:
            raise self.bad("joblib's pickle inside of a pickle is not the array that it says")
        return made

    def is_opaque(self, target: RecordDraft, state: Any) -> bool:
        """Whether a state is of no class of models, and no attributes are made of it."""
        if target.module.startswith(_COMPILED):
            return isinstance(state, tuple) and not (
                len(state) == 2 and all(one is None or isinstance(one, dict) for one in state)
            )
        return is_data(target.module) or target.module == "functools"

    def check_state(self, state: Any) -> None:
        parts = state if isinstance(state, tuple) and len(state) == 2 else (state,)
        for part in parts:
            if part is None and len(parts) == 2:
                continue
            if not isinstance(part, dict):
                raise self.bad("the state of an object is no dict", code="hostile-state")
            for key in part:
                self.budget.tick()
                if not isinstance(key, str) or (key.startswith("__") and key.endswith("__")):
                    raise self.bad(
                        "the state of an object sets what is no attribute of a model",
                        code="hostile-state",
                    )

    # The walk.

    def run(self) -> Any:
        while True:
            self.steps += 1
            if self.steps > self.limits.opcodes:
                raise LimitError(
                    "it has too many opcodes", limit="opcodes", allowed=self.limits.opcodes
                )
            self.budget.tick()
            opcode = self.take(1)[0]
            if opcode == 0x2E:
                break
            action = _ACTIONS.get(opcode)
            if action is None:
                raise self.bad(f"0x{opcode:02x} is no opcode")
            action(self)
        value = self.pop()
        if self.stack or self.marks:
            raise self.bad("it ends with more than one value")
        return value


def _text_line(walk: _Walk) -> None:
    raw = walk.line(walk.limits.text_bytes, "a text")
    try:
        text = codecs.raw_unicode_escape_decode(raw)[0]
        text.encode("utf-8")
    except UnicodeError as error:
        raise walk.bad("a text is not written as Python writes it") from error
    walk.push(text)


def _quoted_line(walk: _Walk) -> None:
    raw = walk.line(walk.limits.text_bytes, "a text")
    if len(raw) < 2 or raw[:1] != raw[-1:] or raw[:1] not in (b"'", b'"'):
        raise walk.bad("a text is not quoted")
    if not _QUOTED.fullmatch(raw, 1, len(raw) - 1):
        raise walk.bad("a text is not written as Python writes it")
    walk.push(str(codecs.escape_decode(raw[1:-1])[0], "latin-1"))


def _short_text(walk: _Walk, width: int) -> None:
    count = walk.unsigned(1) if width == 1 else walk.signed(4)
    if not 0 <= count <= walk.limits.text_bytes:
        raise LimitError("a text is too long", limit="text_bytes", allowed=walk.limits.text_bytes)
    walk.push(str(walk.take(count), "latin-1"))


def _float_line(walk: _Walk) -> None:
    raw = walk.line(_LINE_FLOAT_BYTES, "a number")
    if not _FLOAT.fullmatch(raw):
        raise walk.bad("a number is not written as Python writes it")
    walk.push(float(raw))


def _integer_line(walk: _Walk) -> None:
    raw = walk.line(4 * walk.limits.integer_bytes, "an integer")
    walk.push({b"00": False, b"01": True}[raw] if raw in (b"00", b"01") else walk.decimal(raw))


def _long_line(walk: _Walk) -> None:
    walk.push(walk.decimal(walk.line(4 * walk.limits.integer_bytes, "an integer").rstrip(b"L")))


def _protocol(walk: _Walk) -> None:
    version = walk.unsigned(1)
    if version > HIGHEST_PROTOCOL:
        raise walk.bad(f"it declares protocol {version}")
    walk.protocol = max(walk.protocol, version)


def _frame(walk: _Walk) -> None:
    if walk.unsigned(8) > len(walk.data) - walk.position:
        raise walk.bad("a frame is longer than the file", code="truncated")


def _stack_name(walk: _Walk) -> None:
    name, module = walk.pop(), walk.pop()
    if not isinstance(name, str) or not isinstance(module, str):
        raise walk.bad("a name is no text")
    walk.push(walk.name(module, name))


def _reduce(walk: _Walk) -> None:
    arguments, function = walk.pop(), walk.pop()
    walk.call(function, arguments)


def _new_with_keywords(walk: _Walk) -> None:
    keywords, arguments, function = walk.pop(), walk.pop(), walk.pop()
    if type(keywords) is not dict or keywords:
        raise walk.bad("an object is made with keywords")
    walk.call(function, arguments)


def _instance(walk: _Walk) -> None:
    function = walk.name_line()
    walk.call(function, tuple(walk.pop_mark()))


def _object(walk: _Walk) -> None:
    items = walk.pop_mark()
    if not items:
        raise walk.bad("it calls what is no function")
    walk.call(items[0], tuple(items[1:]))


def _tuple(walk: _Walk, count: int) -> None:
    items = [walk.pop() for _ in range(count)]
    walk.made(tuple(reversed(items)))


def _dict(walk: _Walk) -> None:
    made: dict[Any, Any] = {}
    walk.fill(made, walk.pop_mark())
    walk.made(made)


def _set_item(walk: _Walk) -> None:
    value, key = walk.pop(), walk.pop()
    walk.fill(walk.top(), [key, value])


def _set_items(walk: _Walk) -> None:
    items = walk.pop_mark()
    walk.fill(walk.top(), items)


def _append(walk: _Walk) -> None:
    item = walk.pop()
    walk.extend(walk.top(), [item])


def _appends(walk: _Walk) -> None:
    items = walk.pop_mark()
    walk.extend(walk.top(), items)


def _add_items(walk: _Walk) -> None:
    items = walk.pop_mark()
    walk.add(walk.top(), items)


def _frozen_set(walk: _Walk) -> None:
    made: set[Any] = set()
    walk.add(made, walk.pop_mark())
    walk.made(frozenset(made))


def _pop(walk: _Walk) -> None:
    if walk.marks and len(walk.stack) == walk.marks[-1]:
        walk.marks.pop()
    else:
        walk.pop()


def _pop_mark(walk: _Walk) -> None:
    walk.pop_mark()


def _mark(walk: _Walk) -> None:
    walk.marks.append(len(walk.stack))


def _persistent(walk: _Walk) -> None:
    if walk.persistent is None:
        raise walk.bad("it refers to something outside of itself", code="persistent-id")
    walk.made(walk.persistent(walk.pop()))


def _persistent_line(walk: _Walk) -> None:
    raise walk.bad("it refers to something outside of itself", code="persistent-id")


def _extension(walk: _Walk) -> None:
    raise walk.bad("it names a class by a registered number", code="extension-code")


def _buffer(walk: _Walk) -> None:
    raise walk.bad("it keeps its arrays outside of itself", code="out-of-band-buffer")


_ACTIONS: dict[int, Callable[[_Walk], None]] = {
    ord("("): _mark,
    ord("0"): _pop,
    ord("1"): _pop_mark,
    ord("2"): lambda walk: walk.push(walk.top()),
    ord("F"): _float_line,
    ord("I"): _integer_line,
    ord("J"): lambda walk: walk.push(walk.signed(4)),
    ord("K"): lambda walk: walk.push(walk.unsigned(1)),
    ord("L"): _long_line,
    ord("M"): lambda walk: walk.push(walk.unsigned(2)),
    ord("N"): lambda walk: walk.push(None),
    ord("P"): _persistent_line,
    ord("Q"): _persistent,
    ord("R"): _reduce,
    ord("S"): _quoted_line,
    ord("T"): partial(_short_text, width=4),
    ord("U"): partial(_short_text, width=1),
    ord("V"): _text_line,
    ord("X"): lambda walk: walk.push(walk.text(4)),
    ord("a"): _append,
    ord("b"): _Walk.build,
    ord("c"): lambda walk: walk.push(walk.name_line()),
    ord("d"): _dict,
    ord("}"): lambda walk: walk.made({}),
    ord("e"): _appends,
    ord("g"): lambda walk: walk.get(walk.index()),
    ord("h"): lambda walk: walk.get(walk.unsigned(1)),
    ord("i"): _instance,
    ord("j"): lambda walk: walk.get(walk.unsigned(4)),
    ord("l"): lambda walk: walk.made(walk.pop_mark()),
    ord("]"): lambda walk: walk.made([]),
    ord("o"): _object,
    ord("p"): lambda walk: walk.put(walk.index()),
    ord("q"): lambda walk: walk.put(walk.unsigned(1)),
    ord("r"): lambda walk: walk.put(walk.unsigned(4)),
    ord("s"): _set_item,
    ord("t"): lambda walk: walk.made(tuple(walk.pop_mark())),
    ord(")"): lambda walk: walk.push(()),
    ord("u"): _set_items,
    ord("G"): lambda walk: walk.push(struct.unpack(">d", walk.take(8))[0]),
    0x80: _protocol,
    0x81: _reduce,
    0x82: _extension,
    0x83: _extension,
    0x84: _extension,
    0x85: partial(_tuple, count=1),
    0x86: partial(_tuple, count=2),
    0x87: partial(_tuple, count=3),
    0x88: lambda walk: walk.push(True),
    0x89: lambda walk: walk.push(False),
    0x8A: lambda walk: walk.push(walk.long(1)),
    0x8B: lambda walk: walk.push(walk.long(4)),
    ord("B"): lambda walk: walk.push(bytes(walk.take(walk.unsigned(4)))),
    ord("C"): lambda walk: walk.push(bytes(walk.take(walk.unsigned(1)))),
    0x8C: lambda walk: walk.push(walk.text(1)),
    0x8D: lambda walk: walk.push(walk.text(8)),
    0x8E: lambda walk: walk.push(bytes(walk.take(walk.unsigned(8)))),
    0x8F: lambda walk: walk.made(set()),
    0x90: _add_items,
    0x91: _frozen_set,
    0x92: _new_with_keywords,
    0x93: _stack_name,
    0x94: lambda walk: walk.put(len(walk.memo)),
    0x95: _frame,
    0x96: lambda walk: walk.push(bytearray(walk.take(walk.unsigned(8)))),
    0x97: _buffer,
    0x98: _buffer,
}


def walk(
    data: bytes | bytearray | memoryview,
    budget: Budget,
    *,
    names: Mapping[tuple[str, str], Builder] | None = None,
    persistent: Callable[[Any], Any] | None = None,
) -> Walked:
    """Read one pickle.

    Parameters
    ----------
    data : bytes
        The pickle, all of it, with joblib's arrays between its opcodes if it has some.
    budget : Budget
        Pays for it.
    names : mapping of (module, name) to callable, optional
        Further names that it may mention, each with what takes the place of a call of it.
    persistent : callable, optional
        Takes a persistent id; without it, one is refused.

    Returns
    -------
    Walked
        What it holds.

    Raises
    ------
    LegacyError
        If it is malformed, asks for more than the limits, or names what is not allowed.
    """
    walked, end = walk_first(data, budget, names=names, persistent=persistent)
    if end != len(data):
        raise MalformedError(
            f"{len(data) - end} bytes follow its end", offset=end, code="trailing-bytes"
        )
    return walked


def walk_first(
    data: bytes | bytearray | memoryview,
    budget: Budget,
    *,
    names: Mapping[tuple[str, str], Builder] | None = None,
    persistent: Callable[[Any], Any] | None = None,
) -> tuple[Walked, int]:
    """Read the first of several pickles in a row.

    Parameters
    ----------
    data, budget, names, persistent
        As for `walk`, and what follows the pickle.

    Returns
    -------
    Walked
        What it holds.
    int
        Where it ends.

    Raises
    ------
    LegacyError
        As for `walk`.
    """
    one = _Walk(data, budget, names or {}, persistent)
    value = one.run()
    return Walked(settle(value, budget), one.protocol, one.inline_arrays), one.position
