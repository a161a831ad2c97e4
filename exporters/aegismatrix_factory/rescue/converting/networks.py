"""The networks in a torch checkpoint, each with what the file beside it says of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aegismatrix_factory.rescue.converting.errors import (
    DescriptionError,
    DescriptionNeededError,
    UnsupportedModelError,
)
from aegismatrix_factory.rescue.converting.families.recurrent import is_own, is_state_dict
from aegismatrix_factory.rescue.converting.network_descriptions import FORMAT, KINDS
from aegismatrix_factory.rescue.converting.network_structure import (
    Found,
    Tensors,
    check_numbers,
    inspect,
    unwrapped,
)
from aegismatrix_factory.rescue.reading.errors import clipped
from aegismatrix_factory.rescue.reading.records import Record

MODULE, CLASS = "torch", "network"
"""How a described network is called among the records."""

_NOTE = (
    'input is the shape that torch was given, such as ["N", 20, 5]. Put the layers in the order of'
    " forward() and say so with true. Fill in every null; a null between layers stands for what is"
    " done there (activation, pooling, one row of several): put it in, or delete the null. example"
    " may stay null, yet nothing else shows that this is right: x as torch was given it in eval"
    " mode, y as it answered. See docs/rescue.md."
)
_MOST_NETWORKS = 64
_MOST_DEPTH = 16
_MOST_SHOWN = 12


@dataclass(frozen=True)
class Beside:
    """The file that describes a checkpoint.

    Attributes
    ----------
    file : str
        Its name.
    sha256 : str
        Of its bytes.
    content : object
        What it says.
    """

    file: str
    sha256: str
    content: object


def with_descriptions(value: object, beside: Beside | None) -> object:
    """Put each state dict of a checkpoint together with its description.

    Parameters
    ----------
    value : object
        From the reader: a state dict, or containers that hold some.
    beside : Beside or None
        What lies beside the file; None where nothing does.

    Returns
    -------
    object
        The same with a record in the place of each state dict, but for this project's own network,
        whose names say how it computes.

    Raises
    ------
    DescriptionNeededError
        If nothing describes them.
    LegacyError
        If a number is not finite, or a layer is none that is written.
    """
    found: dict[str, Tensors] = {}
    _collect(value, "", 0, found)
    if beside is None:
        found = {path: one for path, one in found.items() if not is_own(one)}
    if not found:
        return value
    known: dict[str, tuple[Found, ...]] = {}
    for path, one in found.items():
        tensors = unwrapped(one)
        check_numbers(tensors)
        known[path] = inspect(tensors)
    if beside is None:
        raise needed(known)
    said = _each(beside.content, tuple(found))
    return _replaced(value, "", 0, {path: (found[path], said[path]) for path in found}, beside)


def layers_of(known: Mapping[str, Sequence[Found]]) -> tuple[dict[str, Any], ...]:
    """Return what is known of layers, as a report has it.

    Parameters
    ----------
    known : mapping of str to sequence of Found
        By the path of the network in its file.

    Returns
    -------
    tuple of dict
        ``network``, ``weights``, ``kinds``, ``sizes``.
    """
    return tuple(
        {
            "network": path,
            "weights": one.weights,
            "kinds": list(one.kinds),
            "is_certain": one.is_certain,
            "sizes": one.says,
        }
        for path, found in known.items()
        for one in found
    )


def needed(known: Mapping[str, Sequence[Found]]) -> DescriptionNeededError:
    """Say that a description is needed, with what is known.

    Parameters
    ----------
    known : mapping of str to sequence of Found
        By the path of the network in its file.

    Returns
    -------
    DescriptionNeededError
    """
    every = [one for found in known.values() for one in found]
    told = [
        f"{clipped(one.weights) or 'it'} ({'' if one.is_certain else 'perhaps '}"
        f"{' or '.join(one.kinds)}: {one.says})"
        for one in every[:_MOST_SHOWN]
    ]
    if len(every) > _MOST_SHOWN:
        told.append(f"and {len(every) - _MOST_SHOWN} more")
    drafts = {path: _template(found) for path, found in known.items()}
    content = next(iter(drafts.values())) if len(drafts) == 1 else {"networks": drafts}
    return DescriptionNeededError(
        "weights alone do not say in which order its layers are and what is between them:"
        f" {', '.join(told)}",
        layers=layers_of(known),
        template=_rendered(content, "") + "\n",
    )


def _rendered(content: object, indent: str) -> str:
    """JSON with one line for each layer, which is what is edited."""
    inner = indent + " "
    if isinstance(content, Mapping) and not {"kind", "weights"} <= content.keys():
        lines = [
            f"{inner}{json.dumps(key, ensure_ascii=False)}: {_rendered(one, inner)}"
            for key, one in content.items()
        ]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if isinstance(content, list) and any(isinstance(one, Mapping) for one in content):
        lines = [f"{inner}{_rendered(one, inner)}" for one in content]
        return "[\n" + ",\n".join(lines) + f"\n{indent}]"
    return json.dumps(content, ensure_ascii=False)


def _template(found: Sequence[Found]) -> dict[str, Any]:
    """A description with what is known; null where weights do not say it."""
    layers: list[dict[str, Any] | None] = []
    for one in found:
        kind = KINDS[one.kinds[0]]
        note = one.says
        if not one.is_certain:
            note += (
                f"; {' or '.join(one.kinds)}, or a layer of the same tensors, which is not written"
            )
        layers.append(
            {
                "kind": one.kinds[0] if one.is_certain else None,
                "weights": one.weights,
                "note": note,
                **dict.fromkeys(kind.options),
            }
        )
        layers.append(None)
    return {
        "format": FORMAT,
        "note": _NOTE,
        "input": None,
        "in_order_of_forward": None,
        "layers": layers,
        "example": None,
    }


def is_optimizer(value: object) -> bool:
    """Whether a value is the state of an optimiser, whose arrays are of no network."""
    return isinstance(value, Mapping) and {"state", "param_groups"} <= value.keys()


def _inside(value: object) -> list[tuple[object, object]]:
    if isinstance(value, Mapping):
        return [] if is_optimizer(value) else list(value.items())
    return list(enumerate(value)) if isinstance(value, list | tuple) else []


def _collect(value: object, path: str, depth: int, found: dict[str, Tensors]) -> None:
    if is_state_dict(value):
        if len(found) >= _MOST_NETWORKS:
            raise UnsupportedModelError(f"it holds more than {_MOST_NETWORKS} models")
        assert isinstance(value, Mapping)
        found[path] = value
    elif depth <= _MOST_DEPTH:
        for key, one in _inside(value):
            _collect(one, _joined(path, key), depth + 1, found)


def _joined(path: str, key: object) -> str:
    return f"{path}.{key}" if path else str(key)


def _each(content: object, paths: Sequence[str]) -> dict[str, object]:
    """The description of each network."""
    if len(paths) == 1 and not (isinstance(content, Mapping) and "networks" in content):
        return {paths[0]: content}
    inside = content.get("networks") if isinstance(content, Mapping) else None
    if not isinstance(inside, Mapping) or set(content) - {"networks", "note"}:  # type: ignore[call-overload]
        raise DescriptionError(
            "networks",
            f"is not one description for each of {', '.join(clipped(path) for path in paths)}",
        )
    odd = sorted(set(inside) ^ set(paths))
    if odd:
        raise DescriptionError(
            "networks",
            f"{'has no' if odd[0] in paths else 'has'} {clipped(odd[0])}; in the file there"
            f" {'is' if len(paths) == 1 else 'are'} {', '.join(clipped(path) for path in paths)}",
        )
    return dict(inside)


def _replaced(
    value: object,
    path: str,
    depth: int,
    described: Mapping[str, tuple[Tensors, object]],
    beside: Beside,
) -> object:
    if path in described and is_state_dict(value):
        tensors, said = described[path]
        source = {"file": beside.file, "sha256": beside.sha256}
        state = {"tensors": unwrapped(tensors), "description": said, "source": source}
        return Record(MODULE, CLASS, state=state)
    if depth > _MOST_DEPTH or not _inside(value):
        return value
    pairs = [
        (key, _replaced(one, _joined(path, key), depth + 1, described, beside))
        for key, one in _inside(value)
    ]
    return dict(pairs) if isinstance(value, Mapping) else [one for _, one in pairs]
