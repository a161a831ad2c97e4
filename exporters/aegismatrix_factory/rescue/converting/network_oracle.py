"""What a described network of torch answers, in numpy, from the tensors and the description alone.

It shares no line with the reading and the graph: it takes the description as the file has it, and
every layer as torch's documentation defines it, row after row and window after window, in float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from aegismatrix_factory.rescue.converting.formulas import sigmoid
from aegismatrix_factory.rescue.converting.parameters import FloatArray

_Answering: TypeAlias = Callable[[Any, Any, Any, Any], Any]
"""From a layer, its own tensors, all of them, and what it is given."""


def evaluate(description: Mapping[str, Any], tensors: Mapping[str, Any], x: Any) -> FloatArray:
    """Return what the network answers.

    Parameters
    ----------
    description : mapping
        As its file has it.
    tensors : mapping of str to ndarray
        A state dict.
    x : array_like
        As torch is given it, the rows first.

    Returns
    -------
    ndarray of float64
        As torch answers.
    """
    value = np.asarray(x, dtype=np.float64)
    if not any(np.asarray(one).dtype == np.float64 for one in tensors.values()):
        # Torch is given float32 where it computes in it.
        value = value.astype(np.float32).astype(np.float64)
    wide = {name: np.asarray(one).astype(np.float64) for name, one in tensors.items()}
    return _chain(description["layers"], wide, value)


def _chain(layers: Sequence[Mapping[str, Any]], tensors: Mapping[str, Any], x: Any) -> FloatArray:
    value: FloatArray = x
    for layer in layers:
        name = layer.get("weights")
        own = {} if name is None else _own(name, tensors)
        value = np.asarray(_ANSWERS[layer["kind"]](layer, own, tensors, value))
    return value


def _own(name: str, tensors: Mapping[str, Any]) -> dict[str, Any]:
    """The tensors of one layer, by what stands after its name."""
    if name in tensors:
        return {"": tensors[name]}
    prefix = f"{name}." if name else ""
    return {
        key.removeprefix(prefix): one
        for key, one in tensors.items()
        if key.startswith(prefix) and "." not in key.removeprefix(prefix)
    }


def _branches(layer: Mapping[str, Any], tensors: Mapping[str, Any], x: Any) -> list[FloatArray]:
    return [_chain(one, tensors, x) for one in layer["branches"]]


def _linear(layer: Any, own: Any, tensors: Any, x: Any) -> Any:
    del layer, tensors
    return np.einsum("...i,oi->...o", x, own["weight"]) + own.get("bias", 0.0)


def _parameter(layer: Any, own: Any, tensors: Any, x: Any) -> Any:
    del tensors
    value = own[""]
    if layer["operation"] == "matmul":
        return np.tensordot(x, value, axes=(x.ndim - 1, 0))
    return x + value if layer["operation"] == "add" else x * value


def _recurrent(layer: Any, own: Any, tensors: Any, x: Any) -> Any:
    del tensors
    windows = x if layer["batch_first"] else np.swapaxes(x, 0, 1)
    depth = sum(key.startswith("weight_hh") and not key.endswith("_reverse") for key in own)
    ends = ("", "_reverse") if "weight_hh_l0_reverse" in own else ("",)
    last: list[FloatArray] = []
    for level in range(depth):
        sides = []
        last = []
        for end in ends:
            parts = {
                part: own.get(f"{part}_l{level}{end}", np.zeros(1))
                for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            }
            order = range(windows.shape[1])
            states = np.zeros((*windows.shape[:2], parts["weight_hh"].shape[1]))
            state = memory = np.zeros((len(windows), states.shape[2]))
            for row in reversed(order) if end else order:
                state, memory = _STEPPED[layer["kind"]](
                    layer, parts, windows[:, row], state, memory
                )
                states[:, row] = state
            sides.append(states)
            last.append(state)
        windows = np.concatenate(sides, axis=2)
    if layer["output"] == "out":
        return windows if layer["batch_first"] else np.swapaxes(windows, 0, 1)
    return last[-1] if layer["output"] == "h_n[-1]" else np.concatenate(last, axis=1)


def _lstm_row(layer: Any, parts: Any, x: Any, state: Any, memory: Any) -> Any:
    del layer
    gates = x @ parts["weight_ih"].T + parts["bias_ih"] + parts["bias_hh"]
    entry, forget, candidate, out = np.split(gates + state @ parts["weight_hh"].T, 4, axis=1)
    memory = sigmoid(forget) * memory + sigmoid(entry) * np.tanh(candidate)
    return sigmoid(out) * np.tanh(memory), memory


def _gru_row(layer: Any, parts: Any, x: Any, state: Any, memory: Any) -> Any:
    del layer
    hidden = state.shape[1]
    given = x @ parts["weight_ih"].T + parts["bias_ih"]
    kept = state @ parts["weight_hh"].T + parts["bias_hh"]
    reset = sigmoid(given[:, :hidden] + kept[:, :hidden])
    update = sigmoid(given[:, hidden : 2 * hidden] + kept[:, hidden : 2 * hidden])
    fresh = np.tanh(given[:, 2 * hidden :] + reset * kept[:, 2 * hidden :])
    return (1.0 - update) * fresh + update * state, memory


def _rnn_row(layer: Any, parts: Any, x: Any, state: Any, memory: Any) -> Any:
    total = x @ parts["weight_ih"].T + parts["bias_ih"]
    total = total + state @ parts["weight_hh"].T + parts["bias_hh"]
    return np.tanh(total) if layer["nonlinearity"] == "tanh" else np.maximum(total, 0.0), memory


_STEPPED = {"lstm": _lstm_row, "gru": _gru_row, "rnn": _rnn_row}


def _multi_head(layer: Any, own: Any, tensors: Any, x: Any) -> Any:
    prefix = f"{layer['weights']}." if layer["weights"] else ""
    windows = x if layer["batch_first"] else np.swapaxes(x, 0, 1)
    width = windows.shape[2]
    entered = windows @ own["in_proj_weight"].T + own.get("in_proj_bias", 0.0)
    said = np.zeros_like(windows)
    each = width // layer["num_heads"]
    for begin in range(0, width, each):
        query, key, value = (
            entered[:, :, part * width + begin : part * width + begin + each] for part in range(3)
        )
        scores = np.einsum("nqd,nkd->nqk", query, key) / math.sqrt(each)
        raised = np.exp(scores - scores.max(axis=2, keepdims=True))
        shares = raised / raised.sum(axis=2, keepdims=True)
        said[:, :, begin : begin + each] = np.einsum("nqk,nkd->nqd", shares, value)
    said = said @ tensors[f"{prefix}out_proj.weight"].T
    said = said + tensors.get(f"{prefix}out_proj.bias", 0.0)
    return said if layer["batch_first"] else np.swapaxes(said, 0, 1)


def _convolution(layer: Any, own: Any, tensors: Any, x: Any) -> Any:
    del tensors
    weight, bias = own["weight"], own.get("bias", 0.0)
    dilation, stride, padding = layer["dilation"], layer["stride"], layer["padding"]
    reach = dilation * (weight.shape[2] - 1) + 1
    if padding == "same":
        # What is left over goes to the end.
        ends = ((reach - 1) // 2, reach - 1 - (reach - 1) // 2)
    else:
        ends = (padding, padding)
    modes = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
    mode: Any = modes[layer["padding_mode"]]
    padded = np.pad(x, ((0, 0), (0, 0), ends), mode=mode)
    said = [
        np.einsum("nck,ock->no", padded[:, :, begin : begin + reach : dilation], weight) + bias
        for begin in range(0, padded.shape[2] - reach + 1, stride)
    ]
    return np.stack(said, axis=2)


def _pooled(layer: Any, own: Any, tensors: Any, x: Any) -> Any:
    del own, tensors
    size, stride = layer["kernel_size"], layer["stride"]
    is_largest = layer["kind"] == "max_pool1d"
    padding = layer["padding"]
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding)), constant_values=-np.inf)
    reduce = np.max if is_largest else np.mean
    starts = list(range(0, padded.shape[2] - size + 1, stride))
    following = starts[-1] + stride
    if layer["ceil_mode"] and following + size - stride < padded.shape[2]:
        # A window that reaches beyond the end, unless it would begin there.
        starts += [following] if following < padded.shape[2] - padding else []
    return np.stack([reduce(padded[:, :, one : one + size], axis=2) for one in starts], axis=2)


def _adaptive(layer: Any, own: Any, tensors: Any, x: Any) -> Any:
    del own, tensors
    count, length = layer["output_size"], x.shape[2]
    parts = [
        x[:, :, math.floor(one * length / count) : math.ceil((one + 1) * length / count)]
        for one in range(count)
    ]
    return np.stack([part.mean(axis=2) for part in parts], axis=2)


def _batch_norm(layer: Any, own: Any, tensors: Any, x: Any) -> Any:
    del tensors
    # Channels last, and back again.
    value = np.moveaxis(x, 1, -1) - own["running_mean"]
    value = value / np.sqrt(own["running_var"] + layer["eps"])
    return np.moveaxis(value * own.get("weight", 1.0) + own.get("bias", 0.0), -1, 1)


def _layer_norm(layer: Any, own: Any, tensors: Any, x: Any) -> Any:
    del tensors
    flat = x.reshape(*x.shape[: x.ndim - own["weight"].ndim], -1)
    mean, variance = flat.mean(axis=-1), flat.var(axis=-1)
    spread = np.sqrt(variance + layer["eps"])
    flat = (flat - mean[..., None]) / spread[..., None]
    return flat.reshape(x.shape) * own["weight"] + own.get("bias", 0.0)


def _prelu(layer: Any, own: Any, tensors: Any, x: Any) -> Any:
    del layer, tensors
    slopes = own["weight"]
    if len(slopes) > 1:
        slopes = slopes.reshape(1, -1, *([1] * (x.ndim - 2)))
    return np.where(x >= 0, x, slopes * x)


def _elu(layer: Any, own: Any, tensors: Any, x: Any) -> Any:
    del own, tensors
    return np.where(x > 0, x, layer["alpha"] * np.expm1(np.minimum(x, 0.0)))


def _selu(layer: Any, own: Any, tensors: Any, x: Any) -> Any:
    del layer, own, tensors
    scale, alpha = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717
    return scale * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0.0)))


def _gelu(layer: Any, own: Any, tensors: Any, x: Any) -> Any:
    del own, tensors
    if layer["approximate"] == "tanh":
        return 0.5 * x * (1.0 + np.tanh(np.sqrt(2.0 / np.pi) * (x + 0.044715 * x**3)))
    shares = [0.5 * math.erfc(-one / math.sqrt(2.0)) for one in x.reshape(-1).tolist()]
    return x * np.array(shares).reshape(x.shape)


def _softplus(layer: Any, own: Any, tensors: Any, x: Any) -> Any:
    del own, tensors
    raised = x * layer["beta"]
    return np.where(raised > layer["threshold"], x, np.logaddexp(0.0, raised) / layer["beta"])


def _softmax(layer: Any, own: Any, tensors: Any, x: Any) -> Any:
    del own, tensors
    raised = np.exp(x - x.max(axis=layer["axis"], keepdims=True))
    return raised / raised.sum(axis=layer["axis"], keepdims=True)


def _attention(layer: Any, own: Any, tensors: Any, x: Any) -> Any:
    del own
    scores = _chain(layer["scores"], tensors, x).reshape(x.shape[:2])
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: NDArray[Any] = raised / raised.sum(axis=1, keepdims=True)
    return np.einsum("nt,ntf->nf", shares, x)


def _plain(does: Callable[[Any], Any]) -> _Answering:
    """A layer of which nothing is said."""

    def answer(layer: Any, own: Any, tensors: Any, x: Any) -> Any:
        del layer, own, tensors
        return does(x)

    return answer


def _said(does: Callable[[Any, Any], Any]) -> _Answering:
    """A layer without weights."""

    def answer(layer: Any, own: Any, tensors: Any, x: Any) -> Any:
        del own, tensors
        return does(layer, x)

    return answer


def _concat(layer: Any, own: Any, tensors: Any, x: Any) -> Any:
    del own
    return np.concatenate(_branches(layer, tensors, x), axis=layer["axis"])


def _sum(layer: Any, own: Any, tensors: Any, x: Any) -> Any:
    del own
    first, *others = _branches(layer, tensors, x)
    for one in others:
        first = first + one
    return first


def _matmul(layer: Any, own: Any, tensors: Any, x: Any) -> Any:
    del own
    first, second = _branches(layer, tensors, x)
    return np.matmul(first, second)


def _product(layer: Any, own: Any, tensors: Any, x: Any) -> Any:
    del own
    first, *others = _branches(layer, tensors, x)
    for one in others:
        first = first * one
    return first


def _log_softmax(layer: Any, own: Any, tensors: Any, x: Any) -> Any:
    del own, tensors
    shifted = x - x.max(axis=layer["axis"], keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=layer["axis"], keepdims=True))


def _narrow(layer: Any, own: Any, tensors: Any, x: Any) -> Any:
    del own, tensors
    start = layer["start"] + (x.shape[layer["axis"]] if layer["start"] < 0 else 0)
    return np.take(x, range(start, start + layer["length"]), axis=layer["axis"])


_ANSWERS: Mapping[str, _Answering] = {
    "linear": _linear,
    "parameter": _parameter,
    "lstm": _recurrent,
    "gru": _recurrent,
    "rnn": _recurrent,
    "multihead_attention": _multi_head,
    "conv1d": _convolution,
    "batch_norm1d": _batch_norm,
    "layer_norm": _layer_norm,
    "prelu": _prelu,
    "dropout": _plain(lambda x: x),
    "relu": _plain(lambda x: np.maximum(x, 0.0)),
    "tanh": _plain(np.tanh),
    "sigmoid": _plain(sigmoid),
    "silu": _plain(lambda x: x * sigmoid(x)),
    "selu": _selu,
    "leaky_relu": _said(lambda layer, x: np.where(x > 0, x, x * layer["negative_slope"])),
    "elu": _elu,
    "gelu": _gelu,
    "softplus": _softplus,
    "scale": _said(lambda layer, x: x * layer["factor"]),
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "mean": _said(lambda layer, x: np.mean(x, axis=layer["axis"])),
    "sum": _said(lambda layer, x: np.sum(x, axis=layer["axis"])),
    "max": _said(lambda layer, x: np.max(x, axis=layer["axis"])),
    "select": _said(lambda layer, x: np.take(x, layer["index"], axis=layer["axis"])),
    "narrow": _narrow,
    "repeat": _said(lambda layer, x: np.concatenate([x] * layer["times"], axis=layer["axis"])),
    "max_pool1d": _pooled,
    "avg_pool1d": _pooled,
    "adaptive_avg_pool1d": _adaptive,
    "flatten": _plain(lambda x: x.reshape(len(x), -1)),
    "reshape": _said(lambda layer, x: x.reshape(len(x), *layer["shape"][1:])),
    "permute": _said(lambda layer, x: np.transpose(x, layer["axes"])),
    "unsqueeze": _said(lambda layer, x: np.expand_dims(x, layer["axis"])),
    "squeeze": _said(lambda layer, x: np.squeeze(x, axis=layer["axis"])),
    "concat": _concat,
    "add": _sum,
    "multiply": _product,
    "matmul": _matmul,
    "attention": _attention,
}
