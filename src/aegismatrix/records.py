"""`dataclass`, without compiling source text for every class.

The one of the standard library writes each method of each class as text and compiles it, 0.4 ms
for a frozen class. A report needs a hundred and fifty of them: half of what numpy and onnxruntime
take to load. Here the standard library still finds the fields, so that `fields`, `replace` and
`asdict` work as ever, and the methods are ordinary functions that go through them.

Making a value takes a few microseconds instead of one. What is made by the thousand is a
`NamedTuple` or stands in an array.
"""

from __future__ import annotations

import dataclasses
import reprlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
    from inspect import Signature

_Method = Callable[..., Any]
_Fields = Sequence["dataclasses.Field[Any]"]


def _light(
    cls: type | None = None,
    /,
    *,
    init: bool = True,
    repr: bool = True,  # noqa: A002
    eq: bool = True,
    frozen: bool = False,
    kw_only: bool = False,
) -> Any:
    """Make a data class, as `dataclasses.dataclass` does; methods of its own stay."""

    def made(cls: type) -> type:
        dataclasses.dataclass(init=False, repr=False, eq=False, kw_only=kw_only)(cls)
        fields = dataclasses.fields(cls)
        own = vars(cls)
        if init and "__init__" not in own:
            method = _init(fields, hasattr(cls, "__post_init__"))
            _give(cls, "__init__", method)
            cls.__signature__ = _Signature(fields, method)  # type: ignore[attr-defined]
        if repr and "__repr__" not in own:
            _give(cls, "__repr__", _repr([one.name for one in fields if one.repr]))
        if eq:
            compared = [one.name for one in fields if one.compare]
            # A class that says when it is equal and not what it hashes to has None for a hash.
            has_hash = own.get("__hash__") is not None
            if "__eq__" not in own:
                _give(cls, "__eq__", _eq(compared))
            if not has_hash:
                if frozen:
                    _give(cls, "__hash__", _hash(compared))
                else:
                    cls.__hash__ = None  # type: ignore[assignment]
        if frozen:
            names = frozenset(one.name for one in fields)
            _give(cls, "__setattr__", _refusing_to_assign(cls, names))
            _give(cls, "__delattr__", _refusing_to_delete(cls, names))
        return cls

    return made if cls is None else made(cls)


if not TYPE_CHECKING:
    # Type checkers know the one of the standard library, which has the same meaning.
    dataclass = _light


def _init(fields: _Fields, is_checked: bool) -> _Method:
    positional = [one.name for one in fields if one.init and not one.kw_only]

    def make(self: Any, /, *args: Any, **kwargs: Any) -> None:
        given = dict(zip(positional, args, strict=False))
        if len(given) < len(args) or not given.keys().isdisjoint(kwargs):
            _refuse(self, args, kwargs)
        given.update(kwargs)
        left = len(given)
        for one in fields:
            if one.init and one.name in given:
                value = given[one.name]
                left -= 1
            elif one.default_factory is not dataclasses.MISSING:
                value = one.default_factory()
            elif not one.init:
                continue
            elif one.default is not dataclasses.MISSING:
                value = one.default
            else:
                _refuse(self, args, kwargs)
            object.__setattr__(self, one.name, value)
        if left:
            _refuse(self, args, kwargs)
        if is_checked:
            self.__post_init__()

    return make


def _refuse(value: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Say which arguments are missing, unknown or given twice."""
    cls = type(value)
    try:
        cls.__signature__.bind(*args, **kwargs)
    except TypeError as error:
        raise TypeError(f"{cls.__qualname__}.__init__() {error}") from None


class _Signature:
    """What `inspect.signature` reads, made when it does."""

    def __init__(self, fields: _Fields, init: _Method) -> None:
        self._fields, self._init = fields, init

    def __get__(self, value: object, cls: type) -> Signature:
        from inspect import Parameter, Signature

        if cls.__init__ is not self._init:  # type: ignore[misc]
            raise AttributeError("__signature__")
        kinds = {False: Parameter.POSITIONAL_OR_KEYWORD, True: Parameter.KEYWORD_ONLY}
        ordered = sorted(
            (one for one in self._fields if one.init), key=lambda one: bool(one.kw_only)
        )
        parameters = [
            Parameter(
                one.name, kinds[bool(one.kw_only)], default=_default_of(one), annotation=one.type
            )
            for one in ordered
        ]
        return Signature(parameters, return_annotation=None)


def _default_of(field: dataclasses.Field[Any]) -> Any:
    from inspect import Parameter

    if field.default_factory is not dataclasses.MISSING:
        return ...
    return Parameter.empty if field.default is dataclasses.MISSING else field.default


def _repr(names: Sequence[str]) -> _Method:
    @reprlib.recursive_repr()
    def said(self: Any) -> str:
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{type(self).__qualname__}({values})"

    return said


def _eq(names: Sequence[str]) -> _Method:
    def is_equal(self: Any, other: object) -> Any:
        if type(other) is not type(self):
            return NotImplemented
        return _values(self, names) == _values(other, names)

    return is_equal


def _hash(names: Sequence[str]) -> _Method:
    def hashed(self: Any) -> int:
        return hash(_values(self, names))

    return hashed


def _values(value: object, names: Sequence[str]) -> tuple[Any, ...]:
    return tuple([getattr(value, name) for name in names])


def _refusing_to_assign(cls: type, names: frozenset[str]) -> _Method:
    def assign(self: Any, name: str, value: Any) -> None:
        if type(self) is cls or name in names:
            raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")
        super(cls, self).__setattr__(name, value)  # type: ignore[arg-type]

    return assign


def _refusing_to_delete(cls: type, names: frozenset[str]) -> _Method:
    def delete(self: Any, name: str) -> None:
        if type(self) is cls or name in names:
            raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")
        super(cls, self).__delattr__(name)  # type: ignore[arg-type]

    return delete


def _give(cls: type, name: str, method: _Method) -> None:
    method.__name__ = name
    method.__qualname__ = f"{cls.__qualname__}.{name}"
    method.__module__ = cls.__module__
    setattr(cls, name, method)
