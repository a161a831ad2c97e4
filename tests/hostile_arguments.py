"""Arguments that nobody means: of another type, that raise, that lie, that wait, that never end."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd


class RefusalError(Exception):
    """What a hostile object raises: of no family that anybody expects."""


def _raising(*names: str) -> type:
    """A class whose instances raise when they are asked for what these methods give."""

    def refuse(self: object, *_: object, **__: object) -> Any:
        raise RefusalError

    return type("Raising", (), dict.fromkeys(names, refuse))


def _lying(**answers: object) -> type:
    """A class whose instances answer what these methods must not."""

    def lie(answer: object) -> Callable[..., object]:
        return lambda self, *_, **__: answer

    return type("Lying", (), {name: lie(answer) for name, answer in answers.items()})


_NUMBERS = ("__float__", "__int__", "__index__", "__bool__", "__complex__")
_ROWS = ("__len__", "__iter__", "__getitem__", "__contains__")
_COMPARED = ("__lt__", "__gt__", "__le__", "__ge__", "__eq__", "__hash__")
_SHOWN = ("__str__", "__repr__", "__format__")


class NoOffset(tzinfo):
    """A clock that does not know its offset."""

    def utcoffset(self, moment: datetime | None) -> timedelta | None:
        return None

    def dst(self, moment: datetime | None) -> timedelta | None:
        return None

    def tzname(self, moment: datetime | None) -> str | None:
        return None


class RaisingZone(NoOffset):
    """A clock that fails."""

    def utcoffset(self, moment: datetime | None) -> timedelta | None:
        raise RefusalError


class FarZone(NoOffset):
    """A clock that is off by no whole second."""

    def utcoffset(self, moment: datetime | None) -> timedelta | None:
        return timedelta(hours=23, minutes=59, seconds=59, microseconds=999_999)


class SubText(str):
    """A text that says another when it is asked."""

    def __str__(self) -> str:
        return "\x1b[31mother"

    def __repr__(self) -> str:
        return "\x1b[31mother"


class SubFloat(float):
    """A number that compares as another."""

    def __lt__(self, other: object) -> bool:
        return True

    __gt__ = __le__ = __ge__ = __eq__ = __lt__
    __hash__ = float.__hash__


def _deep() -> list[Any]:
    deep: list[Any] = []
    for _ in range(5_000):
        deep = [deep]
    return deep


def _endless() -> list[Any]:
    one: list[Any] = []
    one.append(one)
    return one


def _objects(values: object) -> Any:
    made = np.empty(1, dtype=object)
    made[0] = values
    return made


ARGUMENTS: Mapping[str, Callable[[Path], Any]] = {
    "None": lambda _: None,
    "no text": lambda _: "",
    "a text": lambda _: "abc",
    "a digit as text": lambda _: "5",
    "a day as text": lambda _: "2018-06-14",
    "no day as text": lambda _: "2018-02-30",
    "a year of five digits": lambda _: "12018-01-01",
    "long text": lambda _: "x" * 200_000,
    "control characters": lambda _: "a\x1b[2J\x07\r\n\x9b31mb",
    "a text with NUL": lambda _: "a\0b",
    "a lone surrogate": lambda _: "a\ud800b",
    "a text that turns round": lambda _: "a\u202eb",
    "a text that says another": lambda _: SubText("nifty"),
    "a name of numpy": lambda _: np.str_("nifty"),
    "bytes": lambda _: b"2018-01-01",
    "a bytearray": lambda _: bytearray(b"abc"),
    "a memoryview": lambda _: memoryview(b"abc"),
    "NaN": lambda _: float("nan"),
    "infinity": lambda _: float("inf"),
    "minus infinity": lambda _: float("-inf"),
    "zero": lambda _: 0,
    "minus zero": lambda _: -0.0,
    "minus one": lambda _: -1,
    "a half": lambda _: 0.5,
    "three": lambda _: 3,
    "3.0": lambda _: 3.0,
    "a million": lambda _: 1_000_000,
    "beyond 64 bits": lambda _: 1 << 63,
    "beyond any float": lambda _: 10**400,
    "the largest float": lambda _: 1.7e308,
    "the smallest float": lambda _: 5e-324,
    "a number that compares as another": lambda _: SubFloat(-5.0),
    "True": lambda _: True,
    "False": lambda _: False,
    "complex": lambda _: 1 + 2j,
    "a decimal": lambda _: Decimal("5"),
    "a signalling decimal": lambda _: Decimal("sNaN"),
    "a fraction": lambda _: Fraction(10**400, 3),
    "half precision": lambda _: np.float16(0.3),
    "an integer of numpy": lambda _: np.int64(5),
    "a small unsigned integer": lambda _: np.uint8(5),
    "a truth of numpy": lambda _: np.bool_(True),
    "long double": lambda _: np.longdouble("1e400"),
    "a set": lambda _: {1, 2},
    "an empty set": lambda _: frozenset(),
    "a dictionary": lambda _: {"a": 1},
    "an empty dictionary": lambda _: {},
    "a dictionary of odd keys": lambda _: {None: object(), ("a",): {}},
    "an empty list": lambda _: [],
    "an empty tuple": lambda _: (),
    "a ragged list": lambda _: [[1.0], [1.0, 2.0]],
    "a list of None": lambda _: [None, None, None],
    "a list of texts": lambda _: ["1", "2", "3"],
    "a list of truths": lambda _: [True, False],
    "a list of objects": lambda _: [object(), object()],
    "a list with huge numbers": lambda _: [10**400, 1.0],
    "a list in itself": lambda _: _endless(),
    "a deep list": lambda _: _deep(),
    "pairs": lambda _: [(5, 0.5), (20, 0.5)],
    "horizons out of order": lambda _: [20, 5],
    "a generator": lambda _: (number for number in (1, 2)),
    "an iterator that raises": lambda _: (1 / number for number in (1, 0)),
    "a range": lambda _: range(3),
    "a slice": lambda _: slice(None, None, 2),
    "a slice of text": lambda _: slice("a", "b"),
    "an ellipsis": lambda _: ...,
    "an object": lambda _: object(),
    "a class": lambda _: int,
    "a module": lambda _: os,
    "an exception": lambda _: ValueError("x"),
    "a file": lambda _: io.StringIO("date,close\n"),
    "a function": lambda _: len,
    "an array that raises": lambda _: _raising("__array__")(),
    "a number that raises": lambda _: _raising(*_NUMBERS)(),
    "a length that raises": lambda _: _raising("__len__")(),
    "rows that raise": lambda _: _raising(*_ROWS)(),
    "a comparison that raises": lambda _: _raising(*_COMPARED)(),
    "words that raise": lambda _: _raising(*_SHOWN)(),
    "a path that raises": lambda _: _raising("__fspath__")(),
    "an attribute that raises": lambda _: _raising("__getattr__")(),
    "everything raises": lambda _: _raising(
        *_NUMBERS, *_ROWS, *_COMPARED[:4], *_SHOWN, "__array__", "__fspath__"
    )(),
    "an array that is a text": lambda _: _lying(__array__="abc", __len__=3)(),
    "an array of objects that lies": lambda _: _lying(__array__=_objects({}))(),
    "a number that is a text": lambda _: _lying(__float__="1", __index__="1", __int__="1")(),
    "a length below zero": lambda _: _lying(__len__=-1, __iter__=iter(()))(),
    "a length that is huge": lambda _: _lying(__len__=1 << 62, __getitem__=1.0)(),
    "rows that are none": lambda _: _lying(__iter__=5)(),
    "a path that is bytes": lambda _: _lying(__fspath__=b"abc")(),
    "a path that is a number": lambda _: _lying(__fspath__=5)(),
    "an interface that lies": lambda _: type(
        "Lying", (), {"__array_interface__": {"shape": (2,), "typestr": "<f8", "version": 3}}
    )(),
    "a shape that lies": lambda _: type("Lying", (), {"dtype": "x", "shape": 5, "filled": 3})(),
    "an array of objects": lambda _: np.array([None, {}, object()], dtype=object),
    "an array of an object that raises": lambda _: _objects(_raising(*_NUMBERS, *_ROWS)()),
    "an array of texts": lambda _: np.array(["21710", "21724"]),
    "an array of bytes": lambda _: np.array([b"21710", b"21724"]),
    "an array of half precision": lambda _: np.array([1.0, 2.0], dtype=np.float16),
    "an array of single precision": lambda _: np.array([1.0, 2.0], dtype=np.float32),
    "a complex array": lambda _: np.array([1 + 1j, 2]),
    "an array of truths": lambda _: np.array([True, False]),
    "a masked array": lambda _: np.ma.masked_array([1.0, 2.0], mask=[True, False]),
    "a masked number": lambda _: np.ma.masked,
    "an array of two dimensions": lambda _: np.ones((2, 2)),
    "an array of no dimension": lambda _: np.array(5.0),
    "an empty array": lambda _: np.array([]),
    "an array of NaN": lambda _: np.array([np.nan, np.nan]),
    "an array of infinities": lambda _: np.array([np.inf, -np.inf]),
    "an array out of order": lambda _: np.array([20.0, 5.0]),
    "a negative array": lambda _: np.array([-5, -1]),
    "a record": lambda _: np.array([(1, 2.0)], dtype=[("a", int), ("b", float)]),
    "a day of numpy": lambda _: np.datetime64("2018-06-14"),
    "a moment of numpy": lambda _: np.datetime64("2018-06-14T12:00"),
    "not a time": lambda _: np.datetime64("NaT", "D"),
    "not a day of pandas": lambda _: pd.NaT,
    "a day long ago": lambda _: np.datetime64("-0044-03-15"),
    "a day far ahead": lambda _: np.datetime64("12024-01-01"),
    "years beyond counting": lambda _: np.datetime64(2**60, "Y"),
    "a generic time": lambda _: np.array(5, dtype="datetime64")[()],
    "a span of numpy": lambda _: np.timedelta64(5, "D"),
    "an array of days": lambda _: np.array(["2018-06-14", "2018-06-15"], dtype="datetime64[D]"),
    "an array of days and none": lambda _: np.array(["2018-06-14", "NaT"], dtype="datetime64[D]"),
    "a day": lambda _: date(2018, 6, 14),
    "the first day": lambda _: date.min,
    "the last day": lambda _: date.max,
    "a time": lambda _: time(9, 15),
    "a span": lambda _: timedelta(days=1),
    "a span below zero": lambda _: timedelta(days=-1),
    "the longest span": lambda _: timedelta.max,
    "a moment without a zone": lambda _: datetime(2018, 6, 14, 12),
    "a moment": lambda _: datetime(2018, 6, 14, 12, tzinfo=timezone.utc),
    "the first moment": lambda _: datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
    "the last moment": lambda _: datetime.max.replace(tzinfo=timezone(timedelta(hours=-14))),
    "a moment of no offset": lambda _: datetime(2018, 6, 14, 12, tzinfo=NoOffset()),
    "a moment whose clock raises": lambda _: datetime(2018, 6, 14, 12, tzinfo=RaisingZone()),
    "a moment of a far clock": lambda _: datetime(2018, 6, 14, 12, tzinfo=FarZone()),
    "a stamp of pandas": lambda _: pd.Timestamp("2018-06-14T12:00:00.123456789Z"),
    "a frame": lambda _: pd.DataFrame({"date": ["2018-06-14"], "close": [1.0]}),
    "an empty frame": lambda _: pd.DataFrame(),
    "a series": lambda _: pd.Series([1.0, 2.0]),
    "a path with NUL": lambda _: Path("a\0b"),
    "a folder": lambda folder: folder,
    "the root": lambda _: "/",
    "a pipe": lambda folder: folder / "pipe",
    "a pipe of CSV": lambda folder: str(folder / "pipe.csv"),
    "a pipe of JSON": lambda folder: str(folder / "pipe.json"),
    "a device that never ends": lambda _: "/dev/zero",
    "a full device": lambda _: "/dev/full",
    "a file below a file": lambda folder: folder / "plain.txt" / "below",
    "a missing file": lambda folder: folder / "missing" / "file.csv",
    "a file of zeros": lambda folder: folder / "zeros",
    "a circle of links": lambda folder: folder / "circle",
    "a long name": lambda folder: folder / ("x" * 5_000),
}
"""By what it is, from a folder of `lay_out` to an argument; made anew for every call."""


def lay_out(folder: Path) -> None:
    """Lay out the files that hostile paths lead to."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("pipe", "pipe.csv", "pipe.json"):
        os.mkfifo(folder / name)
    (folder / "plain.txt").write_text("plain", encoding="utf-8")
    (folder / "zeros").write_bytes(bytes(4096))
    (folder / "circle").symlink_to(folder / "circle")


def _each(change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Change every element of a list."""
    return lambda value: [change(one) for one in np.asarray(value).tolist()]


def _many_times(value: Any) -> Any:
    if isinstance(value, pd.DataFrame):
        raise TypeError("pandas takes its time for long cells of text")
    return value * 200_000


FORMS: Mapping[str, Callable[[Any], Any]] = {
    "as text": str,
    "as bytes": lambda value: str(value).encode(),
    "in a list": lambda value: [value],
    "in a tuple": lambda value: (value,),
    "in an array": lambda value: np.array(value),
    "in an array of objects": _objects,
    "in an array of one": lambda value: np.array([value]),
    "as a list": list,
    "as a set": set,
    "as an iterator": iter,
    "as objects": lambda value: np.asarray(value).astype(object),
    "as texts": lambda value: np.asarray(value).astype(str),
    "as a list of texts": _each(str),
    "as decimals": _each(lambda one: Decimal(repr(float(one)))),
    "as half precision": lambda value: np.asarray(value).astype(np.float16),
    "as single precision": lambda value: np.asarray(value).astype(np.float32),
    "as complex numbers": lambda value: np.asarray(value).astype(np.complex128),
    "masked": lambda value: np.ma.masked_array(
        value, mask=np.arange(np.size(value)).reshape(np.shape(value)) == 0
    ),
    "with None in it": lambda value: [*np.asarray(value).tolist()[:-1], None],
    "with a truth in it": lambda value: [*np.asarray(value).tolist()[:-1], True],
    "with NaN in it": lambda value: [*np.asarray(value).tolist()[:-1], float("nan")],
    "with a text in it": lambda value: [*np.asarray(value).tolist()[:-1], "x"],
    "turned round": lambda value: value[::-1],
    "twice": lambda value: [*value, *value],
    "all but the last": lambda value: value[:-1],
    "as a column": lambda value: np.asarray(value).reshape(-1, 1),
    "as a frame": pd.DataFrame,
    "as a series": pd.Series,
    "below zero": lambda value: -value,
    "many times": _many_times,
    "as a float of numpy": np.float64,
    "as a number of numpy": np.int32,
    "as a text of numpy": np.str_,
    "as a text that says another": SubText,
    "with a control character": lambda value: value + "\x1b[31m",
    "with NUL": lambda value: value + "\0",
    "in capitals": lambda value: value.upper(),
    "with spaces": lambda value: f" {value} ",
    "as a moment": lambda value: f"{value}T12:00",
    "as seconds": lambda value: np.asarray(value).astype("datetime64[s]"),
    "as nanoseconds": lambda value: np.asarray(value).astype("datetime64[ns]"),
}
"""What a valid value is turned into; a form that it does not have is left out."""

SAME = frozenset({"as a list", "as objects", "as a text of numpy", "as a series"})
"""Forms that mean what the value means: the answer is the same, or a typed error."""
