"""A network of torch is converted as its description has it, to what torch answers, or refused."""

from __future__ import annotations

import contextlib
import copy
import json
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from aegismatrix_factory.commands.rescue import summary
from aegismatrix_factory.rescue import workers
from aegismatrix_factory.rescue.converting.errors import (
    DescriptionError,
    DescriptionNeededError,
    OtherAnswersError,
)
from aegismatrix_factory.rescue.converting.network_descriptions import KINDS
from aegismatrix_factory.rescue.converting.networks import Beside, with_descriptions
from aegismatrix_factory.rescue.converting.parts import revive
from aegismatrix_factory.rescue.folder import rescue
from aegismatrix_factory.rescue.page import render_page
from aegismatrix_factory.rescue.reading.errors import LegacyError
from aegismatrix_factory.rescue.reading.limits import Limits
from aegismatrix_factory.rescue.reading.ubjson import read_ubjson
from aegismatrix_factory.rescue.single import Task, convert
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from aegismatrix.artifacts.manifest import read_manifest
from aegismatrix.engine.verify import verify
from tests.rescue.test_revival import Single, answer, finished

torch = pytest.importorskip("torch", reason="torch makes the networks, and is not installed")
nn = torch.nn

RELEASES = Path(__file__).parents[1] / "fixtures" / "releases"
MADE = RELEASES / "torch-2.13.0-numpy-2.4.6"
SEQUENCE = {"batch_first": True, "output": "out"}
LAST = {"kind": "select", "axis": 1, "index": -1}
CONVOLUTION = {"stride": 1, "padding": 0, "dilation": 1, "padding_mode": "zeros"}


def describing(shape: list[Any], *layers: Any, **more: Any) -> dict[str, Any]:
    return {
        "format": 1,
        "input": ["N", *shape],
        "in_order_of_forward": True,
        "layers": list(layers),
        **more,
    }


def read(weights: Mapping[str, Any], description: object) -> Single:
    beside = Beside("net.pt.model.json", "0" * 64, description)
    contents = revive(with_descriptions(dict(weights), beside), read_ubjson)
    (revived,) = contents.models
    return Single(revived.part, contents.oracle)


def refused(weights: Mapping[str, Any], description: object) -> DescriptionError:
    with pytest.raises(DescriptionError) as error:
        read(weights, description)
    return error.value


def weights_of(network: Any) -> dict[str, NDArray[Any]]:
    return {name: one.numpy() for name, one in network.state_dict().items()}


def stirred(network: Any) -> Any:
    """The same with weights, and statistics of norms, as after a training."""
    with torch.no_grad():
        for name, one in network.state_dict().items():
            if name.endswith("running_var"):
                one.copy_(torch.rand(one.shape) + 0.1)
            elif one.is_floating_point():
                one.copy_(torch.randn(one.shape) * 0.5)
    return network.eval()


def agrees(
    network: Any, description: dict[str, Any], forward: Callable[[Any], Any] | None = None
) -> NDArray[np.float64]:
    """Hold graph and oracle against torch, in both of its precisions."""
    random = np.random.default_rng(5)
    x = random.normal(size=[3, *description["input"][1:]]).astype(np.float32)
    x[0] = 0.0
    stirred(network)
    weights = {name: np.array(one) for name, one in weights_of(network).items()}
    forward = forward or network
    with torch.inference_mode():
        single = forward(torch.from_numpy(x)).numpy()
        network.double()
        double = forward(torch.from_numpy(x).double()).numpy()
    said = answer(read(weights, description), x.astype(np.float64))
    assert said.shape == double.shape
    scale = max(1.0, float(np.abs(double).max()))
    assert float(np.abs(said - double).max()) <= 1e-12 * scale
    assert float(np.abs(said - single).max()) <= 2e-6 * scale
    # What a runtime makes of the graph when it may rearrange it is the same.
    _, _, data = finished(read(weights, description))
    (rearranged,) = onnxruntime.InferenceSession(data).run(None, {"x": x.astype(np.float64)})
    assert float(np.abs(rearranged - double).max()) <= 1e-12 * scale
    return said


# Each step of the fixtures' manifest as the description has it.
STEPS: Mapping[str, Any] = {
    "last_step": LAST,
    "mean_of_steps": {"kind": "mean", "axis": 1},
    "largest_of_steps": {"kind": "max", "axis": 1},
    "channels_first": {"kind": "permute", "axes": [0, 2, 1]},
    "largest_of_two": {
        "kind": "max_pool1d",
        "kernel_size": 2,
        "stride": 2,
        "padding": 0,
        "dilation": 1,
        "ceil_mode": False,
    },
    "mean_of_channels": {"kind": "mean", "axis": 2},
    "flat": {"kind": "flatten"},
    "gelu": {"kind": "gelu", "approximate": "none"},
    "elu": {"kind": "elu", "alpha": 1.0},
    "leaky_relu": {"kind": "leaky_relu", "negative_slope": 0.01},
    "softmax": {"kind": "softmax", "axis": 1},
}


def layer_of(step: list[Any]) -> dict[str, Any]:
    kind, *rest = step
    name, settings = (*rest, {}, {})[:2]
    if kind == "linear":
        return {"kind": "linear", "weights": name}
    if kind == "recurrent":
        return {"kind": name, "weights": name, **SEQUENCE, **settings}
    if kind == "convolution":
        return {"kind": "conv1d", "weights": name, **CONVOLUTION, **settings}
    if kind == "norm":
        is_layer = name in ("norm", "ln1", "fc1")
        epsilon = 1e-3 if name == "ln1" else 1e-5
        return {
            "kind": "layer_norm" if is_layer else "batch_norm1d",
            "weights": name,
            "eps": epsilon,
        }
    if kind == "multi_head":
        heads = settings["heads"]
        own = {"kind": "multihead_attention", "weights": name}
        return {**own, "num_heads": heads, "batch_first": True}
    if kind == "attention":
        return {"kind": "attention", "scores": [{"kind": "linear", "weights": name}]}
    if kind == "attention_of_two_layers":
        scores = [f"{name}.0", f"{name}.2"]
        first, second = ({"kind": "linear", "weights": one} for one in scores)
        return {"kind": "attention", "scores": [first, {"kind": "tanh"}, second]}
    return dict(STEPS.get(kind, {"kind": kind}))


def recorded() -> list[dict[str, Any]]:
    manifest = json.loads((RELEASES / "manifest.json").read_text(encoding="utf-8"))
    files: list[dict[str, Any]] = manifest["folders"][MADE.name]["files"]
    return [one for one in files if one["expected"] != "refused"]


def test_every_recorded_network_answers_what_its_maker_recorded(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    inputs, predictions = (
        dict(np.load(file)) for file in (RELEASES / "inputs.npz", MADE / "predictions.npz")
    )
    for one in recorded():
        shutil.copy(MADE / one["file"], old)
        network = one["network"]
        shape = list(inputs[network["inputs"]].shape[1:])
        description = describing(shape, *(layer_of(step) for step in network["steps"]))
        (old / f"{one['file']}.model.json").write_text(json.dumps(description), encoding="utf-8")
    found = {one.file: one for one in rescue(old, new)}
    left = {one["file"] for one in recorded() if found[one["file"]].verdict != "converted"}
    assert left == {"lstm_projected.pt"}
    assert verify(new) == []
    from aegismatrix import load_models

    models = load_models(new)
    for one in recorded():
        for artifact in found[one["file"]].artifacts:
            x = inputs[one["network"]["inputs"]].astype(np.float64)
            said = models[artifact.entry["name"]].run(x=x)["output"]
            single, double = (
                predictions[one["outputs"][name]["array"]] for name in ("forward", "forward_double")
            )
            scale = max(1.0, float(np.abs(double).max()))
            assert np.abs(said - single).max() <= 1e-6 * scale, one["file"]
            # Rows that float32 does not hold are rounded to it first.
            exact = one["network"]["inputs"] == "windows" or "double" in one["file"]
            assert np.abs(said - double).max() <= (1e-12 if exact else 1e-7) * scale, one["file"]


class Recurring(nn.Module):  # type: ignore[misc, name-defined]
    """A recurrent layer; what is taken of it."""

    def __init__(self, kind: str, taken: str, **settings: Any) -> None:
        super().__init__()
        self.rnn = getattr(nn, kind)(3, 4, **settings)
        self.taken = taken

    def forward(self, x: Any) -> Any:
        out, states = self.rnn(x)
        if isinstance(states, tuple):
            states = states[0]
        if self.taken == "out":
            return out
        return states[-1] if self.taken == "h_n[-1]" else torch.cat((states[-2], states[-1]), 1)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize(
    ("taken", "settings"),
    [
        ("out", {"num_layers": 2, "bidirectional": True}),
        ("out", {"bias": False}),
        ("h_n[-1]", {"num_layers": 2, "dropout": 0.5}),
        ("h_n[-1]", {"bidirectional": True, "bias": False}),
        ("cat(h_n[-2], h_n[-1])", {"num_layers": 2, "bidirectional": True}),
    ],
)
def test_recurrent_layers_answer_as_torch_does(
    kind: str, taken: str, settings: dict[str, Any]
) -> None:
    layer: dict[str, Any] = {"kind": kind.lower(), "weights": "rnn", "batch_first": True}
    if kind == "RNN":
        layer["nonlinearity"] = "tanh"
    layer["output"] = taken
    network = Recurring(kind, taken, batch_first=True, **settings)
    agrees(network, describing([5, 3], layer))


def test_the_last_row_of_both_directions_is_not_their_last_states() -> None:
    """Backwards the last row is the first that was read."""
    torch.manual_seed(1)
    network = Recurring("GRU", "out", batch_first=True, bidirectional=True)
    layer = {"kind": "gru", "weights": "rnn", "batch_first": True}
    rows = agrees(
        network,
        describing([5, 3], {**layer, "output": "out"}, LAST),
        lambda x: network(x)[:, -1],
    )
    network.taken = "cat(h_n[-2], h_n[-1])"
    weights = {name: one.astype(np.float32) for name, one in weights_of(network).items()}
    description = describing([5, 3], {**layer, "output": network.taken})
    x = np.random.default_rng(5).normal(size=(3, 5, 3))
    x[0] = 0.0
    states = answer(read(weights, description), x.astype(np.float32).astype(np.float64))
    np.testing.assert_allclose(rows[:, :4], states[:, :4], atol=1e-12)
    assert np.abs(rows[:, 4:] - states[:, 4:]).max() > 0.01


def test_one_row_and_one_feature_are_enough() -> None:
    layer = {"kind": "lstm", "weights": "rnn", **SEQUENCE}
    network = Recurring("LSTM", "out", batch_first=True, bidirectional=True)
    network.rnn = nn.LSTM(1, 1, batch_first=True, bidirectional=True)
    agrees(network, describing([1, 1], layer))


def test_rows_that_come_first_are_permuted_as_torch_is_given_them() -> None:
    network = Recurring("LSTM", "out")
    layers = [
        {"kind": "permute", "axes": [1, 0, 2]},
        {"kind": "lstm", "weights": "rnn", "batch_first": False, "output": "out"},
        {"kind": "permute", "axes": [1, 0, 2]},
    ]
    agrees(
        network, describing([5, 3], *layers), lambda x: network(x.transpose(0, 1)).transpose(0, 1)
    )


def test_a_sequence_over_the_rows_of_a_batch_is_refused() -> None:
    """Of batch_first false that is given (N, rows, F), a fault that trains without an error."""
    weights = weights_of(Recurring("LSTM", "out"))
    layer = {"kind": "lstm", "weights": "rnn", "batch_first": False, "output": "out"}
    assert "from one row that is asked about to the next" in str(
        refused(weights, describing([5, 3], layer, LAST))
    )


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, {}),
        ({"padding": 2}, {"padding": 2}),
        ({"stride": 2, "dilation": 2, "padding": 3}, {"stride": 2, "dilation": 2, "padding": 3}),
        ({"padding": "same", "dilation": 3}, {"padding": "same", "dilation": 3}),
        ({"padding": 3, "padding_mode": "circular"}, {"padding": 3, "padding_mode": "circular"}),
        ({"padding": 2, "padding_mode": "reflect"}, {"padding": 2, "padding_mode": "reflect"}),
        ({"padding": 4, "padding_mode": "replicate"}, {"padding": 4, "padding_mode": "replicate"}),
        ({"bias": False}, {}),
    ],
)
@pytest.mark.filterwarnings("ignore:Using padding='same'")
def test_convolutions_answer_as_torch_does(settings: Any, said: dict[str, Any]) -> None:
    network = nn.Sequential(nn.Conv1d(2, 3, 4 if settings else 1, **settings))
    agrees(network, describing([2, 9], {"kind": "conv1d", "weights": "0", **CONVOLUTION, **said}))


PLAIN: Mapping[str, tuple[Any, dict[str, Any], list[int]]] = {
    "relu": (nn.ReLU(), {}, [3]),
    "tanh": (nn.Tanh(), {}, [3]),
    "sigmoid": (nn.Sigmoid(), {}, [1]),
    "silu": (nn.SiLU(), {}, [3]),
    "selu": (nn.SELU(), {}, [1]),
    "leaky_relu": (nn.LeakyReLU(0.2), {"negative_slope": 0.2}, [1]),
    "elu": (nn.ELU(0.7), {"alpha": 0.7}, [3, 2]),
    "gelu": (nn.GELU(), {"approximate": "none"}, [1]),
    "softplus": (nn.Softplus(2.0, 1.5), {"beta": 2.0, "threshold": 1.5}, [3]),
    "softmax": (nn.Softmax(-1), {"axis": -1}, [3]),
    "log_softmax": (nn.LogSoftmax(1), {"axis": 1}, [3, 2]),
    "dropout": (nn.Dropout(0.9), {}, [3]),
    "flatten": (nn.Flatten(), {}, [3, 2]),
    "max_pool1d": (
        nn.MaxPool1d(3, 2, padding=1),
        {"kernel_size": 3, "stride": 2, "padding": 1, "dilation": 1, "ceil_mode": False},
        [2, 7],
    ),
    "avg_pool1d": (
        nn.AvgPool1d(3, 2),
        {"kernel_size": 3, "stride": 2, "padding": 0, "ceil_mode": False},
        [2, 7],
    ),
    "adaptive_avg_pool1d": (nn.AdaptiveAvgPool1d(3), {"output_size": 3}, [2, 7]),
    "reshape": (lambda x: x.reshape(-1, 2, 3), {"shape": ["N", 2, 3]}, [3, 2]),
    "permute": (lambda x: x.permute(0, 2, 1), {"axes": [0, 2, 1]}, [3, 2]),
    "unsqueeze": (lambda x: x.unsqueeze(-1), {"axis": -1}, [3]),
    "squeeze": (lambda x: x.squeeze(-1), {"axis": -1}, [1]),
    "mean": (lambda x: x.mean(1), {"axis": 1}, [3, 2]),
    "sum": (lambda x: x.sum(-1), {"axis": -1}, [3, 2]),
    "max": (lambda x: x.max(1)[0], {"axis": 1}, [3, 2]),
    "select": (lambda x: x[:, -2], {"axis": 1, "index": -2}, [3, 2]),
    "narrow": (lambda x: x[:, 1:3], {"axis": 1, "start": -2, "length": 2}, [3, 2]),
    "repeat": (lambda x: x.repeat(1, 3), {"axis": 1, "times": 3}, [2]),
    "scale": (lambda x: x * 0.3, {"factor": 0.3}, [1]),
}


@pytest.mark.parametrize("kind", sorted(PLAIN))
def test_what_has_no_weights_answers_as_torch_does(kind: str) -> None:
    does, options, shape = PLAIN[kind]
    inner = nn.Linear(shape[-1], shape[-1])

    class Network(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, x: Any) -> Any:
            return does(self.inner(x) * 1.0)

    if isinstance(does, nn.Module):
        does.eval()
    linear = {"kind": "linear", "weights": "inner"}
    agrees(Network(), describing(shape, linear, {"kind": kind, **options}))


@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("stride", [2, 3, 4])
@pytest.mark.parametrize("length", [3, 8])
def test_the_largest_of_windows_that_reach_beyond_the_end(
    length: int, stride: int, padding: int
) -> None:
    options = {"kernel_size": 3, "stride": stride, "padding": padding}
    layer = {"kind": "max_pool1d", "dilation": 1, "ceil_mode": True, **options}
    network = nn.Sequential(nn.Linear(length, length), nn.MaxPool1d(**options, ceil_mode=True))
    agrees(network, describing([2, length], {"kind": "linear", "weights": "0"}, layer))


NORMS: Mapping[str, tuple[Any, dict[str, Any], list[int]]] = {
    "batch norm of rows": (nn.BatchNorm1d(3, eps=1e-3), {"eps": 1e-3}, [3]),
    "batch norm of windows": (nn.BatchNorm1d(3), {"eps": 1e-5}, [3, 4]),
    "batch norm of one channel": (nn.BatchNorm1d(1), {"eps": 1e-5}, [1]),
    "batch norm without weights": (nn.BatchNorm1d(3, affine=False), {"eps": 1e-5}, [3, 2]),
    "layer norm": (nn.LayerNorm(3, eps=0.1), {"eps": 0.1}, [2, 3]),
    "layer norm of two axes": (nn.LayerNorm([2, 3]), {"eps": 1e-5}, [2, 3]),
    "layer norm of one number": (nn.LayerNorm(1), {"eps": 1e-5}, [1]),
    "layer norm without bias": (nn.LayerNorm(3, bias=False), {"eps": 1e-5}, [3]),
    "slopes of channels": (nn.PReLU(3), {}, [3, 2]),
    "one slope": (nn.PReLU(), {}, [3]),
    "one slope of one number": (nn.PReLU(), {}, [1]),
}


@pytest.mark.parametrize("name", sorted(NORMS))
def test_norms_and_slopes_answer_as_torch_does(name: str) -> None:
    layer, options, shape = NORMS[name]
    kind = "_".join(name.split()[:2]) if "slope" not in name else "prelu"
    kind = {"batch_norm": "batch_norm1d"}.get(kind, kind)
    agrees(nn.Sequential(layer), describing(shape, {"kind": kind, "weights": "0", **options}))


class Attending(nn.Module):  # type: ignore[misc, name-defined]
    """A GRU whose rows are weighed by their product with its last state, beside that state."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(3, 4, batch_first=True)
        self.bias = nn.Parameter(torch.zeros(8))
        self.direction = nn.Parameter(torch.zeros(8, 2))
        self.out = nn.Linear(2, 1, bias=False)

    def forward(self, x: Any) -> Any:
        rows, states = self.gru(x)
        del states
        query = rows[:, -1]
        shares = torch.softmax(torch.bmm(rows, query.unsqueeze(2)) / 2.0, dim=1)
        context = torch.bmm(shares.transpose(1, 2), rows).squeeze(1)
        both = torch.cat((context, query), dim=1) + self.bias
        return self.out((torch.tanh(both) * both) @ self.direction)


def test_branches_say_what_a_chain_cannot() -> None:
    scores = [
        {"kind": "matmul", "branches": [[], [LAST, {"kind": "unsqueeze", "axis": 2}]]},
        {"kind": "scale", "factor": 0.5},
        {"kind": "softmax", "axis": 1},
        {"kind": "permute", "axes": [0, 2, 1]},
    ]
    context = [{"kind": "matmul", "branches": [scores, []]}, {"kind": "squeeze", "axis": 1}]
    description = describing(
        [5, 3],
        {"kind": "gru", "weights": "gru", **SEQUENCE},
        {"kind": "concat", "axis": 1, "branches": [context, [LAST]]},
        {"kind": "parameter", "weights": "bias", "operation": "add"},
        {"kind": "multiply", "branches": [[{"kind": "tanh"}], []]},
        {"kind": "parameter", "weights": "direction", "operation": "matmul"},
        {"kind": "linear", "weights": "out"},
    )
    agrees(Attending(), description)


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("heads", [1, 2, 4])
def test_attention_of_several_heads_answers_as_torch_does(
    heads: int, bias: bool, batch_first: bool
) -> None:
    network = nn.ModuleDict(
        {"attention": nn.MultiheadAttention(4, heads, bias=bias, batch_first=batch_first)}
    )
    layer = {"kind": "multihead_attention", "weights": "attention", "num_heads": heads}
    layers: list[Any] = [{**layer, "batch_first": batch_first}]
    swap = {"kind": "permute", "axes": [1, 0, 2]}
    if not batch_first:
        layers = [swap, *layers, swap]

    def forward(x: Any) -> Any:
        x = x if batch_first else x.transpose(0, 1)
        said = network["attention"](x, x, x, need_weights=False)[0]
        return said if batch_first else said.transpose(0, 1)

    agrees(network, describing([3, 4], *layers), forward)


def test_an_encoder_of_a_transformer_is_written_from_its_parts() -> None:
    network = nn.TransformerEncoderLayer(
        4, 2, dim_feedforward=5, activation="gelu", batch_first=True, norm_first=False
    )
    own: dict[str, Any] = {"num_heads": 2, "batch_first": True}
    inner = [
        {"kind": "linear", "weights": "linear1"},
        {"kind": "gelu", "approximate": "none"},
        {"kind": "linear", "weights": "linear2"},
    ]
    attention = {"kind": "multihead_attention", "weights": "self_attn", **own}
    description = describing(
        [3, 4],
        {"kind": "add", "branches": [[], [attention]]},
        {"kind": "layer_norm", "weights": "norm1", "eps": 1e-5},
        {"kind": "add", "branches": [[], inner]},
        {"kind": "layer_norm", "weights": "norm2", "eps": 1e-5},
    )
    agrees(network, description)


def test_a_residual_is_added() -> None:
    network = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 3))
    inner = [
        {"kind": "linear", "weights": "0"},
        {"kind": "relu"},
        {"kind": "linear", "weights": "2"},
    ]
    agrees(
        network,
        describing([3], {"kind": "add", "branches": [[], inner]}),
        lambda x: x + network(x),
    )


@st.composite
def stacks(draw: st.DrawFn) -> tuple[list[Any], list[dict[str, Any]], list[int], int]:
    """Layers of torch, their description, the shape of the input, and a seed."""
    rows, width = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    shape = [rows, width]
    modules: list[Any] = []
    layers: list[dict[str, Any]] = []
    for place in range(draw(st.integers(1, 4))):
        name = str(place)
        kind = draw(st.sampled_from(["linear", "lstm", "gru", "conv1d", "layer_norm", "act"]))
        out = draw(st.integers(1, 3))
        if kind == "linear":
            modules.append(nn.Linear(width, out))
            layers.append({"kind": kind, "weights": name})
            width = out
        elif kind in ("lstm", "gru"):
            depth, both = draw(st.integers(1, 2)), draw(st.booleans())
            made = getattr(nn, kind.upper())
            modules.append(made(width, out, depth, batch_first=True, bidirectional=both))
            layers.append({"kind": kind, "weights": name, **SEQUENCE})
            width = out * (2 if both else 1)
        elif kind == "conv1d":
            size = draw(st.integers(1, 3))
            modules.append(nn.Conv1d(width, out, size, padding="same"))
            swap = {"kind": "permute", "axes": [0, 2, 1]}
            own = {"kind": kind, "weights": name, **CONVOLUTION, "padding": "same"}
            layers += [swap, own, swap]
            width = out
        elif kind == "layer_norm":
            modules.append(nn.LayerNorm(width, eps=0.01))
            layers.append({"kind": kind, "weights": name, "eps": 0.01})
        else:
            act, said = draw(st.sampled_from([(nn.ReLU, "relu"), (nn.Tanh, "tanh")]))
            modules.append(act())
            layers.append({"kind": said})
    modules.append(nn.Linear(width, 2))
    layers.append({"kind": "linear", "weights": str(len(modules) - 1)})
    return modules, layers, shape, draw(st.integers(0, 99))


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@settings(max_examples=12, deadline=None)
@given(stacks())
def test_any_stack_answers_as_torch_does(
    made: tuple[list[Any], list[dict[str, Any]], list[int], int],
) -> None:
    modules, layers, shape, seed = made
    torch.manual_seed(seed)
    network = nn.ModuleList(modules)

    def forward(x: Any) -> Any:
        for module in modules:
            if isinstance(module, nn.Conv1d):
                x = module(x.transpose(1, 2)).transpose(1, 2)
            else:
                x = module(x)
                x = x[0] if isinstance(x, tuple) else x
        return x

    agrees(network, describing(shape, *layers), forward)


def forecaster() -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Weights and description of an LSTM whose last row is judged by a small stack."""
    torch.manual_seed(3)
    network = nn.ModuleDict(
        {
            "lstm": nn.LSTM(3, 4, batch_first=True),
            "norm": nn.LayerNorm(4),
            "fc": nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 1)),
        }
    )
    return weights_of(network), describing(
        [5, 3],
        {"kind": "lstm", "weights": "lstm", "note": "of the closes", **SEQUENCE},
        LAST,
        {"kind": "layer_norm", "weights": "norm", "eps": 1e-5},
        {"kind": "linear", "weights": "fc.0"},
        {"kind": "relu"},
        {"kind": "linear", "weights": "fc.2"},
    )


def test_an_unknown_key_anywhere_is_refused_by_its_name() -> None:
    weights, description = forecaster()
    read(weights, description)
    assert "'dropout'" in str(refused(weights, {**description, "dropout": 0.1}))
    for place in range(len(description["layers"])):
        spoilt = copy.deepcopy(description)
        spoilt["layers"][place]["momentum"] = 0.1
        error = refused(weights, spoilt)
        assert error.where == f"layers[{place}]"
        assert "'momentum'" in str(error)


def test_nothing_has_a_default() -> None:
    """Every key of every layer is asked for, and a null is none."""
    weights, description = forecaster()
    for place, layer in enumerate(description["layers"]):
        for key in set(layer) - {"note"}:
            for absent in (True, False):
                spoilt = copy.deepcopy(description)
                spoilt["layers"][place][key] = None
                if absent:
                    del spoilt["layers"][place][key]
                assert refused(weights, spoilt).where.startswith(f"layers[{place}]")
    for key in ("format", "input", "in_order_of_forward", "layers"):
        assert key in str(refused(weights, {**description, key: None}))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda layers: layers.pop(2), "layers has none that uses norm.weight"),
        (lambda layers: layers.append(layers[3]), "layers[3].weights"),
        (lambda layers: layers.insert(1, None), "layers[1] is null"),
        (lambda layers: layers.insert(3, layers.pop()), "takes 4 as the last axis"),
        (lambda layers: layers[3].update(weights="head"), "'head', which no tensor begins with"),
        (lambda layers: layers[3].update(weights="norm"), "layers[3].weights names norm"),
        (lambda layers: layers[2].update(weights="fc.2"), "is no layer_norm, but linear"),
        (lambda layers: layers[0].update(kind="gru"), "is no gru, but lstm"),
        (lambda layers: layers[4].update(kind="swish"), "'swish'"),
        (lambda layers: layers[1].update(index=5), "there is no 5 along axis 1"),
        (lambda layers: layers[1].update(axis=0), "would depend on the others"),
        (lambda layers: layers[2].update(eps="1e-5"), "no number"),
        (lambda layers: layers[0].update(output="cat(h_n[-2], h_n[-1])"), "h_n[-1], or out"),
        (lambda layers: layers.insert(1, {"kind": "softmax", "axis": 0}), "depend on the others"),
        (lambda layers: layers.insert(4, {"kind": "permute", "axes": [0, 4]}), "axes must name"),
    ],
)
def test_a_description_of_another_network_is_refused(
    change: Callable[[list[Any]], Any], reason: str
) -> None:
    weights, description = forecaster()
    spoilt = copy.deepcopy(description)
    change(spoilt["layers"])
    error = refused(weights, spoilt)
    assert error.code == "wrong-description"
    assert reason in str(error)


def test_a_batch_norm_without_running_statistics_is_not_called_a_layer_norm() -> None:
    tensors = {"a.weight": (4, 3), "a.bias": (4,), "norm.weight": (4,), "norm.bias": (4,)}
    weights = {name: np.ones(shape, dtype=np.float32) for name, shape in tensors.items()}
    norm = {"kind": "batch_norm1d", "weights": "norm", "eps": 1e-5}
    said = str(refused(weights, describing([3], {"kind": "linear", "weights": "a"}, norm)))
    assert "no running statistics" in said
    assert "but layer_norm" not in said


def test_a_head_is_left_out_by_its_name_alone() -> None:
    weights, description = forecaster()
    short = {**description, "layers": description["layers"][:-1]}
    assert "fc.2.weight" in str(refused(weights, short))
    found = read(weights, {**short, "unused": ["fc.2"]}).part.model
    assert found.output_shape == ("N", 4)
    assert "does not use fc.2" in found.warnings[1]
    for unused in (["fc.2", "fc.2"], ["fc.2", "fc.3"], ["fc.2", "norm"], ["fc.2", None], "fc.2"):
        assert refused(weights, {**short, "unused": unused}).where.startswith("unused")


def test_every_kind_of_layer_has_a_graph_an_oracle_and_a_line_in_the_document(
    repository: Path,
) -> None:
    from aegismatrix_factory.rescue.converting import network_graphs, network_oracle

    assert network_graphs._WRITTEN.keys() == KINDS.keys() == network_oracle._ANSWERS.keys()
    text = (repository / "docs" / "rescue.md").read_text(encoding="utf-8")
    for name, kind in KINDS.items():
        assert f"`{name}`" in text
        assert all(f"`{key}`" in text for key in kind.options)


@pytest.mark.parametrize("name", ["lstm.weight_hh_l0", "norm.weight", "fc.2.bias"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_is_found_first_whatever_the_names(name: str, value: float) -> None:
    weights, _ = forecaster()
    weights = {key.replace("fc", "Größe"): np.array(one) for key, one in weights.items()}
    name = name.replace("fc", "Größe")
    weights[name].reshape(-1)[-1] = value
    weights["unknown"] = np.zeros((2, 2, 2, 2, 2), dtype=np.float32)
    for beside in (None, Beside("a.model.json", "", {"format": 7})):
        with pytest.raises(LegacyError, match="1 of 11 tensors") as error:
            with_descriptions(weights, beside)
        assert error.value.code == "non-finite"


@pytest.mark.parametrize(
    ("tensors", "code"),
    [
        ({"conv.weight": (2, 3, 3, 3), "conv.bias": (2,)}, "unsupported-layer"),
        ({"up.weight": (2, 3, 3), "up.bias": (3,)}, "unsupported-layer"),
        ({"cell.weight_ih": (8, 2), "cell.weight_hh": (8, 2)}, "unsupported-layer"),
        ({"fc.weight_g": (2, 1), "fc.weight_v": (2, 3)}, "unsupported-layer"),
        ({"fc.parametrizations.weight.original0": (2, 1)}, "unsupported-layer"),
        ({"lstm.weight_ih_l0": (8, 3), "lstm.weight_hh_l0": (10, 2)}, "inconsistent-model"),
        ({"lstm.weight_ih_l0": (8, 3), "lstm.weight_hh_l0": (8, 2), "lstm.bias_hh_l0": (8,)},
         "inconsistent-model"),
        ({"gru.weight_ih_l0": (6, 3), "gru.weight_hh_l0": (6, 2), "gru.weight_ih_l1": (6, 2)},
         "inconsistent-model"),
        ({"a.in_proj_weight": (6, 2)}, "inconsistent-model"),
        ({"a.in_proj_weight": (6, 2), "a.out_proj.weight": (2, 3)}, "inconsistent-model"),
        ({"fc.weight": (2, 3), "fc.bias": (3,)}, "inconsistent-model"),
        ({"a": (2,), "a.weight": (2, 2)}, "inconsistent-model"),
        ({"fc.weight": (0, 3)}, "inconsistent-model"),
    ],
)  # fmt: skip
def test_layers_that_are_not_written_are_refused_by_name(
    tensors: Mapping[str, tuple[int, ...]], code: str
) -> None:
    weights = {name: np.ones(shape, dtype=np.float32) for name, shape in tensors.items()}
    with pytest.raises(LegacyError) as error:
        with_descriptions(weights, None)
    assert error.value.code == code


NAMES = """
a a.weight a.bias a.running_mean a.running_var a.num_batches_tracked weight bias c c.in_proj_weight
c.in_proj_bias c.out_proj.weight c.out_proj.bias l.weight_ih_l0 l.weight_hh_l0 l.bias_ih_l0
l.bias_hh_l0 l.weight_hh_l0_reverse l.weight_ih_l1
""".split()
SHAPES = st.lists(st.integers(0, 4), max_size=4).map(tuple)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES), SHAPES, min_size=1, max_size=6), st.booleans())
def test_tensors_of_any_names_and_shapes_are_of_layers_or_refused(
    shapes: dict[str, tuple[int, ...]], is_whole: bool
) -> None:
    kind = np.int64 if is_whole else np.float32
    weights = {name: np.ones(shape, dtype=kind) for name, shape in shapes.items()}
    with pytest.raises(LegacyError) as error:
        with_descriptions(weights, None)
    if isinstance(error.value, DescriptionNeededError):
        layers = json.loads(error.value.template)["layers"][::2]
        owners = [one["weights"] for one in layers]
        assert len(set(owners)) == len(owners)
        assert all(any(name.startswith(owner) for owner in owners) for name in weights)


def test_what_weights_leave_open_is_null_in_the_template() -> None:
    shapes: Mapping[str, tuple[int, ...]] = {
        "embedding.weight": (9, 4),
        "conv.weight": (4, 4, 3),
        "conv.bias": (4,),
        "wide.weight": (5, 4, 3),
        "wide.bias": (5,),
        "norm.weight": (4,),
        "norm.bias": (4,),
        "fc.weight": (1, 4),
        "fc.bias": (1,),
    }
    weights = {name: np.ones(shape, dtype=np.float32) for name, shape in shapes.items()}
    with pytest.raises(DescriptionNeededError) as error:
        with_descriptions(weights, None)
    layers = json.loads(error.value.template)["layers"]
    assert [layer["kind"] for layer in layers[::2]] == [None, None, "conv1d", None, "linear"]
    assert layers[1::2] == [None] * 5


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint as training loops save it, and a generator with its judge."""
    old = tmp_path_factory.mktemp("networks")
    weights, _ = forecaster()
    tensors = {f"module._orig_mod.{name}": torch.from_numpy(one) for name, one in weights.items()}
    moments = {0: {"step": torch.tensor(3.0), "exp_avg": torch.ones(2)}}
    whole = {
        "epoch": 3,
        "model_state_dict": tensors,
        "optimizer_state_dict": {"state": moments, "param_groups": [{"lr": 0.1, "params": [0]}]},
    }
    torch.save(whole, old / "forecaster.pt")
    torch.manual_seed(8)
    pair = {name: nn.Linear(2, 2).state_dict() for name in ("maker", "judge")}
    torch.save({"nets": pair}, old / "pair.pth")
    (old / "gone.pt.model.json").write_text("{}", encoding="utf-8")
    return old


def test_a_checkpoint_without_a_description_is_told_what_is_known_and_what_to_do(
    folder: Path, tmp_path: Path
) -> None:
    verdicts = rescue(folder, tmp_path / "new")
    found = {one.file: one for one in verdicts}
    one = found["forecaster.pt"]
    assert one.refusal is not None
    assert one.refusal.code == "needs-description"
    assert "3 features, 4 hidden, 1 layer, one way" in one.refusal.reason
    assert one.template is not None
    written = tmp_path / "new" / "forecaster.model.json.template"
    assert written.read_text(encoding="utf-8") == one.template[1]
    assert "forecaster.pt.model.json" in one.next_step
    told = one.to_dict()
    assert told["template"] == written.name
    assert [layer["kinds"] for layer in told["layers"]] == [
        ["lstm"],
        ["layer_norm"],
        ["linear"],
        ["linear"],
    ]
    assert f"template: forecaster.pt: {written.name}" in summary(verdicts)
    assert "forecaster.pt.model.json" in render_page(verdicts)
    assert found["gone.pt.model.json"].described == "describes gone.pt, which is not there"
    # A second run may write over the first.
    rescue(folder, tmp_path / "new")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    sent = json.loads(json.dumps(workers._written(one, scratch)))
    assert workers._Worker(tmp_path / "other", Limits())._read(sent) == one


def test_a_template_that_is_filled_in_converts(folder: Path, tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    shutil.copytree(folder, old)
    rescue(old, new)
    template = json.loads((new / "forecaster.model.json.template").read_text(encoding="utf-8"))
    assert template["input"] is None
    lstm, _, norm, _, first, _, second, _ = template["layers"]
    lstm.update(SEQUENCE)
    norm.update(kind="layer_norm", eps=1e-5)
    layers = [lstm, LAST, norm, first, {"kind": "relu"}, second]
    template.update(input=["N", 5, 3], in_order_of_forward=True, layers=layers)
    description = old / "forecaster.pt.model.json"
    description.write_text(json.dumps(template), encoding="utf-8")
    pair = json.loads((new / "pair.model.json.template").read_text(encoding="utf-8"))
    for one in pair["networks"].values():
        one.update(input=["N", 2], in_order_of_forward=True, layers=one["layers"][:1])
    (old / "pair.pth.model.json").write_text(json.dumps(pair), encoding="utf-8")
    verdicts = {one.file: one for one in rescue(old, new)}
    one = verdicts["forecaster.pt"]
    (artifact,) = one.artifacts
    assert one.left_out == ("optimizer_state_dict",)
    assert one.carried == {"epoch": 3}
    assert artifact.entry["details"]["description"]["file"] == description.name
    assert "no example" in one.warnings[0]
    assert [artifact.entry["name"] for artifact in verdicts["pair.pth"].artifacts] == [
        "pair-nets.maker",
        "pair-nets.judge",
    ]
    assert not list(new.glob("*.template"))
    assert read_manifest(new).models[artifact.entry["name"]].inputs[0].shape == ("N", 5, 3)


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-3, 9), st.floats(), st.text(max_size=3)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["kind", "weights", "axis", "branches"]), inner, max_size=3
        ),
    ),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_description_is_refused_or_holds(data: st.DataObject) -> None:
    """Whatever stands anywhere, what is converted is what its oracle says, and nothing breaks."""
    weights, description = forecaster()
    description["example"] = {"x": [[[0.5] * 3] * 5], "y": [[0.0]]}
    spoilt = copy.deepcopy(description)
    place: Any = spoilt
    while True:
        keys = sorted(place) if isinstance(place, dict) else range(len(place))
        key = data.draw(st.sampled_from(list(keys)))
        inner = place[key]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.integers(0, 2)) == 0:
            break
        place = inner
    place[key] = data.draw(st.one_of(JSON, st.sampled_from(list(KINDS))))
    with contextlib.suppress(LegacyError):
        answer(read(weights, spoilt), np.ones((2, 5, 3)))


def test_a_layer_that_was_saved_alone_has_no_name() -> None:
    layer = {"kind": "lstm", "weights": "", **SEQUENCE}
    network = nn.LSTM(3, 2, batch_first=True)
    agrees(network, describing([4, 3], layer), lambda x: network(x)[0])


@pytest.mark.parametrize(
    "layers",
    [
        [{"kind": "repeat", "axis": 1, "times": 60000}],
        [{"kind": "adaptive_avg_pool1d", "output_size": 65000}],
        [{"kind": "repeat", "axis": 1, "times": 9000}, {"kind": "narrow", "axis": 1, "start": 0,
                                                        "length": 9}] * 15,
    ],
)  # fmt: skip
def test_more_numbers_than_a_network_has_are_refused(layers: list[dict[str, Any]]) -> None:
    weights, description = forecaster()
    tested = {**description, "input": ["N", 9, 200], "layers": layers}
    assert "number" in str(refused(weights, tested)) or "too large" in str(refused(weights, tested))


class Forecaster(nn.Module):  # type: ignore[misc, name-defined]
    """The network of the document."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(5, 32, num_layers=2, dropout=0.2, batch_first=True)
        self.norm = nn.LayerNorm(32)
        self.fc = nn.Linear(32, 1)

    def forward(self, x: Any) -> Any:
        out, _ = self.lstm(x)
        return self.fc(torch.relu(self.norm(out[:, -1])))


def test_the_example_in_the_document_is_what_torch_answers(repository: Path) -> None:
    text = (repository / "docs" / "rescue.md").read_text(encoding="utf-8")
    template, filled = (
        re.search(rf"<!-- {name} -->\n```json\n(.*?)```\n<!-- end of {name} -->", text, re.DOTALL)
        for name in ("template", "filled")
    )
    assert template is not None
    assert filled is not None
    network = Forecaster()
    with pytest.raises(DescriptionNeededError) as error:
        with_descriptions(weights_of(network), None)
    assert error.value.template == template[1]
    agrees(network, json.loads(filled[1]))


def test_an_example_that_torch_recorded_must_be_met() -> None:
    weights, description = forecaster()
    x = np.random.default_rng(2).normal(size=(2, 5, 3)).astype(np.float32)
    y = answer(read(weights, description), x.astype(np.float64))
    example = {"x": x.tolist(), "y": y.astype(np.float32).tolist()}
    met = read(weights, {**description, "example": example})
    assert met.part.model.warnings == ()
    answer(met, x.astype(np.float64))
    other = copy.deepcopy(description)
    other["layers"][4] = {"kind": "tanh"}
    with pytest.raises(OtherAnswersError) as error:
        answer(read(weights, {**other, "example": example}), x.astype(np.float64))
    assert error.value.code == "other-answers"
    assert "example.y" in str(
        refused(weights, {**description, "example": {**example, "y": [[[1.0]]]}})
    )
    assert "2 rows of x and 1 of y" in str(
        refused(weights, {**description, "example": {**example, "y": [[1.0]]}})
    )


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", "wrong-description"),
        ('{"format": 1, "format": 1}', "wrong-description"),
        ('{"format": NaN}', "wrong-description"),
        ("[" * 100_000, "wrong-description"),
        ("[]", "wrong-description"),
        ("{}", "wrong-description"),
    ],
)
def test_a_description_that_is_none_is_refused_as_one(
    text: str, code: str, folder: Path, tmp_path: Path
) -> None:
    shutil.copy(folder / "forecaster.pt", tmp_path)
    (tmp_path / "forecaster.pt.model.json").write_text(text, encoding="utf-8")
    task = Task(tmp_path / "forecaster.pt", "forecaster.pt", "forecaster", tmp_path, frozenset())
    refusal = convert(task, Limits()).refusal
    assert refusal is not None
    assert refusal.code == code


def test_a_description_behind_a_link_out_of_the_folder_is_not_read(
    folder: Path, tmp_path: Path
) -> None:
    old = tmp_path / "old"
    old.mkdir()
    shutil.copy(folder / "forecaster.pt", old)
    (tmp_path / "secret").write_text("{}", encoding="utf-8")
    (old / "forecaster.pt.model.json").symlink_to(tmp_path / "secret")
    task = Task(old / "forecaster.pt", "forecaster.pt", "forecaster", old, frozenset())
    refusal = convert(task, Limits()).refusal
    assert refusal is not None
    assert refusal.code == "link"


def test_a_description_beside_what_is_no_checkpoint_is_said_to_be_unread(tmp_path: Path) -> None:
    made = RELEASES.parent / "legacy" / "xgboost-3.2.0-numpy-2.4.6" / "classifier.joblib.pkl"
    shutil.copy(made, tmp_path / "classifier.pkl")
    (tmp_path / "classifier.pkl.model.json").write_text("{}", encoding="utf-8")
    task = Task(tmp_path / "classifier.pkl", "classifier.pkl", "classifier", tmp_path, frozenset())
    verdict = convert(task, Limits())
    assert verdict.verdict == "converted"
    assert "classifier.pkl.model.json was not read" in verdict.notes[-1]


def test_more_rows_than_a_graph_can_have_are_refused() -> None:
    weights, description = forecaster()
    long = {**description, "input": ["N", 700, 3]}
    with pytest.raises(LegacyError) as error:
        answer(read(weights, long), np.zeros((1, 700, 3)))
    assert error.value.code == "limit-model"
