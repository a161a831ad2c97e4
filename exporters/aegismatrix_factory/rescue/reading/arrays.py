"""Numpy arrays, dtypes and scalars, rebuilt from what their pickles give as arguments.

Only dtypes of a fixed spelling are made: numbers, booleans, text and bytes of fixed width, times,
and flat structures of numbers. What comes out is a contiguous copy in this machine's byte order. An
array of objects is looked at element by element: one of text, numbers and None alone stays an
array, any other becomes a record of its shape and its elements.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from aegismatrix_factory.rescue.reading.errors import ArrayKindError, MalformedError
from aegismatrix_factory.rescue.reading.limits import Budget
from aegismatrix_factory.rescue.reading.records import Name, RecordDraft

OBJECT_ARRAY = "object_array"
"""How the record of an array of other things than text and numbers is called."""

Dtype: TypeAlias = np.dtype[Any]
Array: TypeAlias = NDArray[Any]

_NUMBER = re.compile(r"([<>|=]?)(b1|[iu][1248]|f[248]|c8|c16)", re.ASCII)
_TEXT = re.compile(r"([<>|=]?)([US])(0|[1-9]\d{0,4})", re.ASCII)
_VOID = re.compile(r"\|?V([1-9]\d{0,4})", re.ASCII)
_OBJECT = re.compile(r"\|?O[48]?", re.ASCII)
_TIME = re.compile(r"([<>|=]?)[mM]8(\[(generic|Y|M|W|D|h|m|s|ms|us|ns)\])?", re.ASCII)
_TIME_UNITS = frozenset({"generic", "Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns"})
_ELEMENTS = (str, bytes, bool, int, float, type(None), np.generic)
_ELEMENT_BYTES = 64
_TIMES = 1_000_000
_AXES = 32
_AXIS_LENGTH = 2**40
_FIELDS = 64
_ORDERS: dict[str, Literal["<", ">", "="]] = {"<": "<", ">": ">", "|": "=", "=": "="}
_FIELD_NAME_CHARACTERS = 64
_SUBCLASSES = frozenset({("numpy", "ndarray"), ("numpy", "memmap")})


def _bad(what: str) -> MalformedError:
    return MalformedError(f"{what} is not one that numpy writes")


def _simple(spelling: str) -> Dtype:
    """Make the dtype of a number or of text, in this machine's byte order."""
    if _OBJECT.fullmatch(spelling):
        return np.dtype(object)
    if _TIME.fullmatch(spelling):
        return np.dtype(spelling)
    if not _NUMBER.fullmatch(spelling) and not _TEXT.fullmatch(spelling):
        raise ArrayKindError(spelling)
    return np.dtype(spelling)


@dataclass(slots=True, eq=False)
class DtypeDraft:
    """A dtype as a pickle makes it: named first, told its byte order and fields after.

    Attributes
    ----------
    spelling : str
        The name it was made with, such as ``f8`` or ``V64``.
    made : numpy.dtype or None
        The dtype; None for a structure before its fields are known.
    """

    spelling: str
    made: Dtype | None
    told: bool = False

    @property
    def value(self) -> Dtype:
        """The dtype.

        Raises
        ------
        ArrayKindError
            If it is a structure without fields.
        """
        if self.made is None:
            raise ArrayKindError(self.spelling)
        return self.made

    def build(self, state: object) -> None:
        """Tell the byte order and the fields.

        Parameters
        ----------
        state : object
            What ``numpy.dtype.__setstate__`` would be given.

        Raises
        ------
        MalformedError
            If it is not of numpy's form.
        ArrayKindError
            If the dtype is of an unsupported kind.
        """
        if self.told or not isinstance(state, tuple) or len(state) not in (8, 9):
            raise _bad("the state of a dtype")
        self.told = True
        version, order, parts, names, fields, size = state[:6]
        if type(version) is not int or not isinstance(order, str) or order not in _ORDERS:
            raise _bad("the state of a dtype")
        if parts is not None:
            raise ArrayKindError(self.spelling)
        if len(state) == 9 and state[8] is not None:
            if self.made is None or self.made.kind not in "mM":
                raise ArrayKindError(self.spelling)
            self.made = _time(self.made.kind, state[8])
        if self.made is not None:
            if names is not None or fields is not None:
                raise _bad("the state of a dtype")
            self.made = self.made.newbyteorder(_ORDERS[order])
            return
        self.made = _structure(names, fields, size, self.spelling)


def _time(kind: str, metadata: object) -> Dtype:
    """Make the dtype of times in a unit, which its state tells beside an empty dict."""
    if not isinstance(metadata, tuple) or len(metadata) != 2 or not isinstance(metadata[1], tuple):
        raise _bad("the unit of a dtype")
    unit, count = metadata[1][:2] if len(metadata[1]) >= 2 else (None, None)
    if isinstance(unit, bytes):
        unit = unit.decode("latin-1")
    if unit not in _TIME_UNITS or type(count) is not int or not 1 <= count <= _TIMES:
        raise _bad("the unit of a dtype")
    return np.dtype(f"{kind}8" if unit == "generic" else f"{kind}8[{count}{unit}]")


def _structure(names: object, fields: object, size: object, spelling: str) -> Dtype:
    if names is None and fields is None:
        raise ArrayKindError(spelling)
    if (
        not isinstance(names, tuple)
        or not isinstance(fields, dict)
        or type(size) is not int
        or not 0 < len(names) <= _FIELDS
        or not all(isinstance(name, str) for name in names)
        or set(fields) != set(names)
        or len(fields) != len(names)
    ):
        raise _bad("a structured dtype")
    formats: list[Dtype] = []
    offsets: list[int] = []
    for name in names:
        spec = fields[name]
        if not 0 < len(name) <= _FIELD_NAME_CHARACTERS:
            raise _bad("the name of a field")
        if not isinstance(spec, tuple) or len(spec) != 2 or not isinstance(spec[0], DtypeDraft):
            raise _bad("a field of a structured dtype")
        kind, offset = spec[0].value, spec[1]
        if kind.kind not in "iuf":
            raise ArrayKindError(spelling)
        if type(offset) is not int or not 0 <= offset <= size - kind.itemsize:
            raise _bad("the offset of a field")
        formats.append(kind)
        offsets.append(offset)
    if int(spelling.lstrip("|")[1:]) != size:
        raise _bad("the size of a structured dtype")
    return np.dtype(
        {"names": list(names), "formats": formats, "offsets": offsets, "itemsize": size}
    )


def dtype(arguments: tuple[Any, ...]) -> DtypeDraft:
    """Begin what ``numpy.dtype(*arguments)`` would make.

    Parameters
    ----------
    arguments : tuple
        The spelling, and two flags that say nothing here.

    Returns
    -------
    DtypeDraft
        To be told its byte order and fields.

    Raises
    ------
    MalformedError, ArrayKindError
        If it is not of numpy's form, or of an unsupported kind.
    """
    if not 1 <= len(arguments) <= 3 or not isinstance(arguments[0], str):
        raise _bad("a dtype")
    spelling = arguments[0]
    if _VOID.fullmatch(spelling):
        return DtypeDraft(spelling, None)
    return DtypeDraft(spelling, _simple(spelling))


def _shape(shape: object) -> tuple[int, ...]:
    if type(shape) is int:
        shape = (shape,)
    if (
        not isinstance(shape, tuple)
        or len(shape) > _AXES
        or not all(type(length) is int and 0 <= length <= _AXIS_LENGTH for length in shape)
    ):
        raise _bad("the shape of an array")
    return shape


def size_bytes(shape: object, kind: Dtype) -> int:
    """Count the bytes of an array before it is made.

    Parameters
    ----------
    shape : object
        Its shape as the file gives it.
    kind : numpy.dtype
        Its dtype.

    Returns
    -------
    int
        Bytes.

    Raises
    ------
    MalformedError
        If it is no shape.
    """
    return math.prod(_shape(shape)) * kind.itemsize


def from_bytes(
    data: bytes | bytearray | memoryview,
    shape: object,
    kind: Dtype,
    *,
    fortran: bool,
    budget: Budget,
) -> Array:
    """Make an array of the bytes of its elements.

    Parameters
    ----------
    data : bytes
        The elements, no more and no fewer.
    shape : object
        Its shape as the file gives it.
    kind : numpy.dtype
        Its dtype.
    fortran : bool
        Whether the first axis runs fastest.
    budget : Budget
        Pays for it.

    Returns
    -------
    numpy.ndarray
        Shape `shape`, contiguous, native byte order, writable.

    Raises
    ------
    MalformedError
        If the bytes do not fit the shape.
    LimitError
        If it is too large.
    """
    axes = _shape(shape)
    if kind.hasobject:
        raise ArrayKindError(kind.str, code="object-array")
    if len(data) != size_bytes(axes, kind):
        raise MalformedError(
            f"an array of shape {axes} and {kind.itemsize} bytes an element has {len(data)} bytes"
        )
    if not kind.itemsize:
        # An empty text has no bytes: nothing would bound how many there are.
        if math.prod(axes) > 1:
            raise ArrayKindError(kind.str)
        return np.zeros(axes, dtype=kind.newbyteorder("="))
    budget.array(len(data))
    budget.clock()
    flat = np.frombuffer(data, dtype=kind) if len(data) else np.empty(0, dtype=kind)
    try:
        shaped = flat.reshape(axes, order="F" if fortran else "C")
    except ValueError as error:
        raise _bad("the shape of an array") from error
    if kind.kind == "b" and len(data) and bool((flat.view(np.uint8) > 1).any()):
        raise MalformedError("an array of booleans holds other numbers than 0 and 1")
    # Text may hold code points that do not exist, on which every later look at it would fail.
    if kind.kind == "U" and len(data):
        points = flat.astype(kind.newbyteorder("="), copy=False).view(np.uint32)
        if bool(((points > 0x10FFFF) | ((points >= 0xD800) & (points <= 0xDFFF))).any()):
            raise MalformedError("an array of text holds code points that do not exist")
    return np.array(shaped, dtype=kind.newbyteorder("="), order="C", copy=True)


def of_objects(shape: object, items: object, *, fortran: bool, budget: Budget) -> Any:
    """Make an array of objects, or the record of one.

    Parameters
    ----------
    shape : object
        As the file gives it.
    items : object
        Its elements, a list in the order of the array.
    fortran : bool
        Whether the first axis runs fastest.
    budget : Budget
        Pays for it.

    Returns
    -------
    numpy.ndarray or RecordDraft
        An array of objects if all elements are text, bytes, numbers or None; else a record named
        ``numpy.object_array`` whose argument is the shape and whose items are the elements, the
        last axis running fastest.

    Raises
    ------
    MalformedError, LimitError
        If there are not as many elements as the shape says, or they are too many.
    """
    axes = _shape(shape)
    if not isinstance(items, list) or len(items) != math.prod(axes):
        raise _bad("an array of objects")
    budget.tick(len(items))
    budget.array(_ELEMENT_BYTES * len(items))
    places = np.arange(len(items)).reshape(axes, order="F" if fortran else "C").reshape(-1)
    ordered = [items[place] for place in places.tolist()] if fortran else list(items)
    if not all(isinstance(one, _ELEMENTS) for one in ordered):
        return RecordDraft("numpy", OBJECT_ARRAY, (axes,), items=ordered)
    made = np.empty(len(ordered), dtype=object)
    for place, one in enumerate(ordered):
        made[place] = one.item() if _is_plain_scalar(one) else one
    return made.reshape(axes)


def _is_plain_scalar(value: object) -> bool:
    return isinstance(value, np.generic) and value.dtype.kind in "biufUS"


@dataclass(slots=True, eq=False)
class ArrayDraft:
    """An array as a pickle makes it: empty first, filled after."""

    made: Array | RecordDraft | None = None

    @property
    def value(self) -> Array | RecordDraft:
        """The array, or the record of one that holds objects.

        Raises
        ------
        MalformedError
            If it was never filled.
        """
        if self.made is None:
            raise MalformedError("an array is used before it is filled")
        return self.made

    def build(self, state: object, budget: Budget) -> None:
        """Fill the array.

        Parameters
        ----------
        state : object
            What ``numpy.ndarray.__setstate__`` would be given.
        budget : Budget
            Pays for it.

        Raises
        ------
        MalformedError, ArrayKindError, LimitError
            If it is not of numpy's form, of an unsupported kind, or too large.
        """
        if self.made is not None or not isinstance(state, tuple) or len(state) != 5:
            raise _bad("the state of an array")
        version, shape, kind, fortran, data = state
        if type(version) is not int or version != 1 or not isinstance(kind, DtypeDraft):
            raise _bad("the state of an array")
        if not isinstance(fortran, bool | int):
            raise _bad("the state of an array")
        if kind.value.hasobject:
            self.made = of_objects(shape, data, fortran=bool(fortran), budget=budget)
            return
        self.made = from_bytes(_raw(data), shape, kind.value, fortran=bool(fortran), budget=budget)


def _raw(data: object) -> bytes | bytearray:
    """Take the bytes of an array; Python 2 wrote them as text."""
    if isinstance(data, str):
        try:
            return data.encode("latin-1")
        except UnicodeEncodeError as error:
            raise _bad("the content of an array") from error
    if not isinstance(data, bytes | bytearray):
        raise _bad("the content of an array")
    return data


def reconstruct(arguments: tuple[Any, ...]) -> ArrayDraft:
    """Begin what ``numpy.core.multiarray._reconstruct`` would make.

    Parameters
    ----------
    arguments : tuple
        The class, an empty shape and a kind that is overruled.

    Returns
    -------
    ArrayDraft
        To be filled.

    Raises
    ------
    MalformedError
        If it is not of numpy's form.
    """
    if len(arguments) != 3 or not _is_array_class(arguments[0]):
        raise _bad("the call that makes an array")
    return ArrayDraft()


def _is_array_class(value: object) -> bool:
    return isinstance(value, Name) and (value.module, value.name) in _SUBCLASSES


def scalar(arguments: tuple[Any, ...], budget: Budget) -> np.generic:
    """Make what ``numpy.core.multiarray.scalar`` would.

    Parameters
    ----------
    arguments : tuple
        A dtype and the bytes of one element.
    budget : Budget
        Pays for it.

    Returns
    -------
    numpy.generic
        The scalar.

    Raises
    ------
    MalformedError, ArrayKindError
        If it is not of numpy's form, or of an unsupported kind.
    """
    if len(arguments) != 2 or not isinstance(arguments[0], DtypeDraft):
        raise _bad("a scalar")
    kind = arguments[0].value
    if kind.names is not None:
        raise ArrayKindError(arguments[0].spelling)
    value = from_bytes(_raw(arguments[1]), (), kind, fortran=False, budget=budget)[()]
    if not isinstance(value, np.generic):
        raise _bad("a scalar")
    return value


def from_buffer(arguments: tuple[Any, ...], budget: Budget) -> Array:
    """Make what ``numpy.core.numeric._frombuffer`` would.

    Parameters
    ----------
    arguments : tuple
        Bytes, dtype, shape, order and, since numpy 2.3, the order of axes.
    budget : Budget
        Pays for it.

    Returns
    -------
    numpy.ndarray
        The array, contiguous.

    Raises
    ------
    MalformedError, ArrayKindError, LimitError
        If it is not of numpy's form, of an unsupported kind, or too large.
    """
    if len(arguments) not in (4, 5) or not isinstance(arguments[1], DtypeDraft):
        raise _bad("the call that makes an array")
    data, kind, shape, order = arguments[:4]
    axes = arguments[4] if len(arguments) == 5 else None
    if not isinstance(order, str) or order not in ("C", "F", "K", "A"):
        raise _bad("the call that makes an array")
    if not isinstance(data, bytes | bytearray):
        raise _bad("the call that makes an array")
    made = from_bytes(data, shape, kind.value, fortran=order == "F", budget=budget)
    if order != "K" or axes is None:
        return made
    if not isinstance(axes, tuple) or not all(type(axis) is int for axis in axes):
        raise _bad("the order of axes of an array")
    if sorted(axes) != list(range(made.ndim)):
        raise _bad("the order of axes of an array")
    return np.ascontiguousarray(made.transpose(axes))


@dataclass(slots=True, eq=False)
class InlineDraft:
    """Joblib's wrapper: what describes an array whose bytes follow in the file.

    Attributes
    ----------
    shape : object
        As the file gives it.
    kind : numpy.dtype or None
        Its dtype; None before the wrapper is told.
    """

    shape: object = ()
    kind: Dtype | None = None
    fortran: bool = False
    alignment: int | None = None

    def build(self, state: object) -> None:
        """Tell shape, dtype and order.

        Parameters
        ----------
        state : object
            The attributes of ``joblib.numpy_pickle.NumpyArrayWrapper``.

        Raises
        ------
        MalformedError, ArrayKindError
            If it is not of joblib's form, or the array of an unsupported kind.
        """
        if self.kind is not None or not isinstance(state, dict):
            raise MalformedError("the state of joblib's array is not one that joblib writes")
        kind, alignment = state.get("dtype"), state.get("numpy_array_alignment_bytes")
        order = state.get("order")
        if (
            not _is_array_class(state.get("subclass"))
            or not isinstance(kind, DtypeDraft)
            or not isinstance(order, str)
            or order not in ("C", "F")
            or not (alignment is None or (type(alignment) is int and 0 < alignment <= 255))
        ):
            raise MalformedError("the state of joblib's array is not one that joblib writes")
        self.shape = _shape(state.get("shape"))
        self.kind = kind.value
        self.fortran = order == "F"
        self.alignment = alignment

    def read(self, data: memoryview, position: int, budget: Budget) -> tuple[Array, int]:
        """Read the bytes that follow.

        Parameters
        ----------
        data : memoryview
            The whole file.
        position : int
            Where the wrapper ended.
        budget : Budget
            Pays for the array.

        Returns
        -------
        array : numpy.ndarray
            The array.
        position : int
            Where its bytes ended.

        Raises
        ------
        MalformedError, LimitError
            If the bytes are not there, or the array is too large.
        """
        if self.kind is None:
            raise MalformedError("joblib's array is used before it is told its shape")
        if self.alignment is not None:
            padding = data[position] if position < len(data) else 0
            position += 1
            if padding > self.alignment or bytes(data[position : position + padding]) != (
                b"\xff" * padding
            ):
                raise MalformedError("joblib's padding is not one that joblib writes")
            position += padding
        wanted = size_bytes(self.shape, self.kind)
        if wanted > len(data) - position:
            raise MalformedError(
                f"an array of {wanted} bytes is cut off", offset=position, code="truncated"
            )
        array = from_bytes(
            data[position : position + wanted],
            self.shape,
            self.kind,
            fortran=self.fortran,
            budget=budget,
        )
        return array, position + wanted
