"""What a whole module of torch, which is refused, says of the layers that it is made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aegismatrix_factory.rescue.reading.errors import clipped
from aegismatrix_factory.rescue.reading.records import Record

_MOST_LAYERS = 200
_MOST_DEPTH = 32
_SETTINGS = (
    *("input_size", "hidden_size", "num_layers", "bias", "batch_first", "bidirectional"),
    *("proj_size", "nonlinearity", "in_features", "out_features", "in_channels", "out_channels"),
    *("kernel_size", "stride", "padding", "dilation", "groups", "padding_mode", "ceil_mode"),
    *("num_features", "normalized_shape", "eps", "affine", "negative_slope", "alpha", "beta"),
    *("threshold", "approximate", "dim", "start_dim", "end_dim", "output_size", "num_parameters"),
    *("embed_dim", "num_heads", "num_embeddings", "embedding_dim", "elementwise_affine"),
)
"""What torch's layers keep that decides what they compute."""


def modules_of(value: object) -> tuple[dict[str, Any], ...]:
    """Return the layers of the modules in a file, with the settings that they keep.

    Parameters
    ----------
    value : object
        From a survey of what was refused.

    Returns
    -------
    tuple of dict
        ``network``, ``weights``, ``kinds``, ``is_certain`` and ``sizes``, as for a state dict; the
        kind is the layer's class. Empty where there is no module.
    """
    return tuple(_found(value, "", 0))[:_MOST_LAYERS]


def classes_of(value: object) -> frozenset[tuple[str, str]]:
    """Return the classes of the modules in a file, of those too that hold others."""
    return frozenset((one.module, one.name) for one in _modules(value, 0))


def _parts(record: Record) -> Mapping[str, Any] | None:
    state = record.state
    parts = state.get("_modules") if isinstance(state, Mapping) else None
    return parts if isinstance(parts, Mapping) else None


def _inside(value: object) -> list[tuple[str, object]]:
    if isinstance(value, Mapping):
        return [(str(key), one) for key, one in value.items()]
    if isinstance(value, list | tuple):
        return [(str(place), one) for place, one in enumerate(value)]
    return []


def _modules(value: object, depth: int) -> Iterator[Record]:
    if depth > _MOST_DEPTH:
        return
    parts = _parts(value) if isinstance(value, Record) else None
    if isinstance(value, Record) and parts is not None:
        yield value
        value = parts
    for _, one in _inside(value):
        yield from _modules(one, depth + 1)


def _found(value: object, path: str, depth: int) -> Iterator[dict[str, Any]]:
    if depth > _MOST_DEPTH:
        return
    if isinstance(value, Record) and _parts(value) is not None:
        yield from _layers(value, path, "", depth)
        return
    for key, one in _inside(value):
        yield from _found(one, f"{path}.{key}" if path else key, depth + 1)


def _layers(record: Record, network: str, name: str, depth: int) -> Iterator[dict[str, Any]]:
    parts = _parts(record) or {}
    if parts and depth <= _MOST_DEPTH:
        for key, one in parts.items():
            if isinstance(one, Record):
                yield from _layers(one, network, f"{name}.{key}" if name else str(key), depth + 1)
        return
    state = record.state if isinstance(record.state, Mapping) else {}
    said = [f"{key} {_shown(state[key])}" for key in _SETTINGS if _is_plain(state.get(key))]
    yield {
        "network": network,
        "weights": name,
        "kinds": [record.name],
        "is_certain": True,
        "sizes": ", ".join(said),
    }


def _is_plain(value: object) -> bool:
    if isinstance(value, tuple):
        return len(value) <= 4 and all(isinstance(one, int) for one in value)
    return isinstance(value, bool | int | float | str)


def _shown(value: object) -> str:
    if isinstance(value, tuple) and len(value) == 1:
        value = value[0]
    return str(value) if isinstance(value, bool | int | float | tuple) else clipped(str(value))
