"""What the tensors of a torch network say of its layers: from the ends of names, and shapes.

A name is taken apart at its last dot: what stands before it is the layer, what stands after it the
role, which torch gives and nobody else. What the layer is called says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from aegismatrix_factory.rescue.converting.errors import (
    InconsistentModelError,
    NonFiniteModelError,
    OversizedModelError,
    UnsupportedModelError,
)
from aegismatrix_factory.rescue.reading.errors import clipped

Tensors: TypeAlias = Mapping[str, NDArray[Any]]

MAX_WEIGHTS = 16 * 2**20
"""What fills the largest sealed artifact."""

MAX_TENSORS = 2_000
MAX_RECURRENT_LAYERS = 16
WRAPPERS = ("module.", "_orig_mod.")
"""What torch's wrappers put before every name: parallel and compiled networks."""

RECURRENT = {4: "lstm", 3: "gru", 1: "rnn"}
"""By how many rows a state's weights have for each number of the state."""

_SMALLER = "Train a smaller network."
_RECURRENT_ROLE = re.compile(r"(weight_ih|weight_hh|bias_ih|bias_hh)_l(\d{1,2})(_reverse)?")
_NORM = frozenset({"running_mean", "running_var"})
_TRACKED = "num_batches_tracked"
_WITHOUT_GRAPH = (
    (re.compile(r"weight_hr_l\d+(_reverse)?"), "an LSTM with proj_size"),
    (re.compile(r"[qkv]_proj_weight|bias_[kv]"), "attention whose keys are of another width"),
    (re.compile(r"(weight|bias)_(ih|hh)"), "a cell that the network's own code steps through"),
    (re.compile(r"weight_[gv]|original\d*"), "a weight that is computed from others"),
)


@dataclass(frozen=True)
class Found:
    """One layer, as far as its tensors say.

    Attributes
    ----------
    weights : str
        What its tensors are called before the last dot; of a bare parameter its whole name.
    tensors : mapping of str to str
        The name of each tensor by its role.
    kinds : tuple of str
        What it may be, of what is written as a graph.
    is_certain : bool
        Whether torch has no other layer with such tensors.
    says : str
        Its sizes, for people.
    layers : int
        Of a recurrent layer, those on top of one another.
    directions : int
        Of a recurrent layer, 1 or 2.
    """

    weights: str
    tensors: Mapping[str, str]
    kinds: tuple[str, ...]
    is_certain: bool
    says: str
    layers: int = field(default=0)
    directions: int = field(default=0)


def unwrapped(tensors: Tensors) -> dict[str, NDArray[Any]]:
    """Return the same tensors without what a wrapper put before every name.

    Parameters
    ----------
    tensors : mapping of str to ndarray
        A state dict.

    Returns
    -------
    dict
    """
    names = dict(tensors)
    while True:
        for prefix in WRAPPERS:
            if names and all(len(name) > len(prefix) and name.startswith(prefix) for name in names):
                names = {name.removeprefix(prefix): one for name, one in names.items()}
                break
        else:
            return names


def check_numbers(tensors: Tensors) -> None:
    """Refuse NaN, infinite numbers and what is no floating number, whatever the names.

    Parameters
    ----------
    tensors : mapping of str to ndarray
        A state dict.

    Raises
    ------
    LegacyError
    """
    endless = [
        name
        for name, one in tensors.items()
        if one.dtype.kind == "f" and not np.isfinite(one).all()
    ]
    if endless:
        shown = clipped(endless[0])
        raise NonFiniteModelError(f"{len(endless)} of {len(tensors)} tensors, such as {shown}")
    if len(tensors) > MAX_TENSORS:
        raise OversizedModelError(
            f"it has {len(tensors)} tensors, allowed are {MAX_TENSORS}", remedy=_SMALLER
        )
    count = sum(one.size for one in tensors.values())
    if count > MAX_WEIGHTS:
        raise OversizedModelError(
            f"it has {count} weights, allowed are {MAX_WEIGHTS}", remedy=_SMALLER
        )
    for name, one in tensors.items():
        is_count = name.rpartition(".")[2] == _TRACKED and one.dtype.kind == "i"
        if not is_count and one.dtype not in (np.float16, np.float32, np.float64):
            raise UnsupportedModelError(
                f"{clipped(name)} is of {one.dtype}, and not of floating numbers",
                code="unsupported-precision",
            )
        if not is_count and not one.size:
            raise InconsistentModelError(f"{clipped(name)} is empty")


def inspect(tensors: Tensors) -> tuple[Found, ...]:
    """Return the layers that the tensors are of, in the order in which the file has them.

    Parameters
    ----------
    tensors : mapping of str to ndarray
        A state dict, without what wrappers put before its names.

    Returns
    -------
    tuple of Found
        Each tensor is of one of them.

    Raises
    ------
    LegacyError
        If there is a layer that no graph is written for, or one whose shapes contradict each other.
    """
    groups: dict[str, dict[str, str]] = {}
    for name in tensors:
        owner, _, role = name.rpartition(".")
        for pattern, what in _WITHOUT_GRAPH:
            if pattern.fullmatch(role):
                raise _without_graph(name, what)
        groups.setdefault(owner, {})[role] = name
    found: list[Found] = []
    for owner, roles in list(groups.items()):
        if "in_proj_weight" in roles:
            out = groups.pop(f"{owner}.out_proj" if owner else "out_proj", {})
            roles.update({f"out_proj.{role}": name for role, name in out.items()})
    for owner, roles in groups.items():
        found += _group(owner, roles, tensors)
    names = [one.weights for one in found]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InconsistentModelError(f"two of its layers are called {clipped(twice)}")
    return tuple(found)


def _group(owner: str, roles: dict[str, str], tensors: Tensors) -> list[Found]:
    layers: list[Found] = []
    recurrent = {role: name for role, name in roles.items() if _RECURRENT_ROLE.fullmatch(role)}
    if recurrent:
        layers.append(_recurrent(owner, recurrent, tensors))
    rest = {role: name for role, name in roles.items() if role not in recurrent}
    if "in_proj_weight" in rest:
        layers.append(_multi_head(owner, rest, tensors))
        return layers
    own = {role: rest[role] for role in ("weight", "bias", *_NORM, _TRACKED) if role in rest}
    if "weight" in own or own.keys() >= _NORM:
        known = _plain(owner, own, tensors)
        if known is not None:
            layers.append(known)
            rest = {role: name for role, name in rest.items() if role not in known.tensors}
    for name in rest.values():
        layers.append(
            Found(name, {"": name}, ("parameter",), True, f"a parameter of {_size(tensors[name])}")
        )
    return layers


def _plain(owner: str, roles: dict[str, str], tensors: Tensors) -> Found | None:
    """What has a weight, a bias or statistics; None where that is no layer of torch's."""
    if roles.keys() & _NORM:
        return _batch_norm(owner, roles, tensors)
    if not roles.keys() <= {"weight", "bias"}:
        return None
    weight = tensors[roles["weight"]]
    bias = tensors[roles["bias"]] if "bias" in roles else None
    size = _size(weight)
    if bias is not None and bias.shape == weight.shape:
        # A norm of one axis may be of groups of channels, and of one row's channels each.
        return Found(owner, roles, ("layer_norm",), weight.ndim > 1, f"a norm of {size}")
    if weight.ndim == 1 and bias is None:
        return Found(owner, roles, ("prelu", "layer_norm"), False, f"a weight of {size}")
    if weight.ndim == 2 and (bias is None or bias.shape == weight.shape[:1]):
        said = f"{weight.shape[1]} to {weight.shape[0]}"
        # Without a bias it may be an embedding, or a matrix that own code multiplies by.
        return Found(owner, roles, ("linear",), bias is not None, said)
    if weight.ndim == 3:
        outward, inward, _ = weight.shape
        if bias is None or bias.shape == (outward,):
            certain = bias is not None and outward != inward
            said = f"{inward} to {outward} channels, kernel of {weight.shape[2]}"
            return Found(owner, roles, ("conv1d",), certain, said)
        if bias.shape == (inward,):
            raise _without_graph(roles["weight"], "a transposed convolution")
    if weight.ndim in (4, 5):
        raise _without_graph(roles["weight"], f"a convolution of {weight.ndim - 2} axes")
    if bias is None:
        return None
    raise InconsistentModelError(
        f"{clipped(roles['weight'])} has the shape {weight.shape} and its bias {bias.shape}, which"
        " no layer has"
    )


def _multi_head(owner: str, roles: dict[str, str], tensors: Tensors) -> Found:
    weight = tensors[roles["in_proj_weight"]]
    width = weight.shape[-1] if weight.ndim else 0
    wanted: dict[str, tuple[int, ...]] = {
        "in_proj_weight": (3 * width, width),
        "out_proj.weight": (width, width),
    }
    if "in_proj_bias" in roles:
        wanted |= {"in_proj_bias": (3 * width,), "out_proj.bias": (width,)}
    for role in sorted(wanted.keys() | roles.keys()):
        if role not in roles or role not in wanted or tensors[roles[role]].shape != wanted[role]:
            raise InconsistentModelError(
                f"{clipped(owner) or 'it'} is multi-head attention, and its {clipped(role)} is"
                " absent, too much, or of another shape"
            )
    return Found(owner, roles, ("multihead_attention",), True, f"of {width}")


def _batch_norm(owner: str, roles: dict[str, str], tensors: Tensors) -> Found:
    shapes = {tensors[name].shape for role, name in roles.items() if role != _TRACKED}
    if not roles.keys() >= _NORM or len(shapes) != 1 or len(next(iter(shapes))) != 1:
        raise InconsistentModelError(
            f"{clipped(owner)} has statistics as a batch norm has, of other shapes or not all"
        )
    if ("weight" in roles) != ("bias" in roles):
        raise InconsistentModelError(f"{clipped(owner)} is a batch norm with half of its weights")
    if (tensors[roles["running_var"]] < 0).any():
        raise InconsistentModelError(f"{clipped(roles['running_var'])} has negative variances")
    if _TRACKED in roles and tensors[roles[_TRACKED]].size != 1:
        raise InconsistentModelError(f"{clipped(roles[_TRACKED])} is not one number")
    (width,) = next(iter(shapes))
    return Found(owner, roles, ("batch_norm1d",), True, f"of {width}")


def _recurrent(owner: str, roles: dict[str, str], tensors: Tensors) -> Found:
    what = clipped(owner or "the network")
    if "weight_hh_l0" not in roles or tensors[roles["weight_hh_l0"]].ndim != 2:
        raise InconsistentModelError(f"{what} is recurrent, and has no weight_hh_l0 of two axes")
    rows, hidden = tensors[roles["weight_hh_l0"]].shape
    if rows % hidden or rows // hidden not in RECURRENT:
        raise InconsistentModelError(f"{what} has {rows} rows of state weights for {hidden} states")
    directions = 2 if "weight_hh_l0_reverse" in roles else 1
    first = roles.get("weight_ih_l0", "")
    if not first or tensors[first].ndim != 2:
        raise InconsistentModelError(f"{what} is recurrent, and has no weight_ih_l0 of two axes")
    inputs = width = tensors[first].shape[1]
    biases = ("bias_ih", "bias_hh") if "bias_ih_l0" in roles else ()
    depth = 0
    wanted: dict[str, tuple[int, ...]] = {}
    while depth < MAX_RECURRENT_LAYERS and f"weight_hh_l{depth}" in roles:
        for end in ("", "_reverse")[:directions]:
            wanted[f"weight_ih_l{depth}{end}"] = (rows, width)
            wanted[f"weight_hh_l{depth}{end}"] = (rows, hidden)
            wanted |= {f"{bias}_l{depth}{end}": (rows,) for bias in biases}
        width = hidden * directions
        depth += 1
    odd = sorted(wanted.keys() ^ roles.keys())
    if odd:
        raise InconsistentModelError(
            f"{what} has {'no ' if odd[0] in wanted else ''}{clipped(odd[0])}, unlike its others"
        )
    for role, shape in wanted.items():
        if tensors[roles[role]].shape != shape:
            raise InconsistentModelError(
                f"{clipped(roles[role])} has the shape {tensors[roles[role]].shape}, expected is"
                f" {shape}"
            )
    kind = RECURRENT[rows // hidden]
    said = (
        f"{inputs} features, {hidden} hidden, {depth} layer{'s' if depth > 1 else ''},"
        f" {'both ways' if directions == 2 else 'one way'}{'' if biases else ', without biases'}"
    )
    return Found(owner, roles, (kind,), True, said, depth, directions)


def _without_graph(name: str, what: str) -> UnsupportedModelError:
    return UnsupportedModelError(
        f"{clipped(name)} is of {what}, for which no graph is written", code="unsupported-layer"
    )


def _size(tensor: NDArray[Any]) -> str:
    return " x ".join(str(length) for length in tensor.shape) or "one number"
