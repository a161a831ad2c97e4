"""State dicts of torch: stacks, recurrent networks, attention, convolutions, norms.

What cannot be told from weights alone, their order and the functions between, stands in the
manifest beside each: `network`, a list of steps, each a kind, the name of its weights if it has
any, and its settings.
"""

from collections import OrderedDict
from typing import Any, Callable, Dict, List, Optional, Sequence

import torch
from torch import nn

from scripts.legacy_families.cases import Case, Data, Made

SEED = 7
STEPS = 15
FEATURES = 6
HIDDEN = 8
Steps = Sequence[Any]

torch.set_num_threads(1)


class Rows(nn.Module):
    """Layers that take one row; `steps` names them and the functions between."""

    def __init__(self, steps: Steps, layers: Dict[str, nn.Module]) -> None:
        super().__init__()
        self.steps = steps
        for name, layer in layers.items():
            place: nn.Module = self
            *outer, last = name.split(".")
            for one in outer:
                if not hasattr(place, one):
                    place.add_module(one, nn.Module())
                place = getattr(place, one)
            place.add_module(last, layer)

    def forward(self, x: Any) -> Any:
        """Take one step after another."""
        for kind, *rest in self.steps:
            x = LAYERS[kind](x, self.get_submodule(rest[0])) if rest else FUNCTIONS[kind](x)
        return x


def attended(states: Any, layer: Any) -> Any:
    """Return the sum of the states, weighted by the soft-max of their scores."""
    weights = torch.softmax(layer(states), dim=1)
    return (weights * states).sum(dim=1)


def scored(states: Any, layer: Any) -> Any:
    """Return the weighted sum where the score is linear, tanh, linear."""
    scores = layer.get_submodule("2")(torch.tanh(layer.get_submodule("0")(states)))
    return (torch.softmax(scores, dim=1) * states).sum(dim=1)


LAYERS: Dict[str, Callable[[Any, Any], Any]] = {
    "linear": lambda x, layer: layer(x),
    "norm": lambda x, layer: layer(x),
    "convolution": lambda x, layer: layer(x),
    "recurrent": lambda x, layer: layer(x)[0],
    "attention": attended,
    "attention_of_two_layers": scored,
    "multi_head": lambda x, layer: layer(x, x, x, need_weights=False)[0],
}
FUNCTIONS: Dict[str, Callable[[Any], Any]] = {
    "dropout": lambda x: nn.functional.dropout(x, 0.3, training=False),
    "last_step": lambda x: x[:, -1],
    "mean_of_steps": lambda x: x.mean(dim=1),
    "largest_of_steps": lambda x: x.max(dim=1)[0],
    "channels_first": lambda x: x.transpose(1, 2),
    "largest_of_two": lambda x: nn.functional.max_pool1d(x, 2),
    "mean_of_channels": lambda x: x.mean(dim=2),
    "flat": lambda x: x.flatten(1),
    "relu": torch.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "gelu": nn.functional.gelu,
    "elu": nn.functional.elu,
    "leaky_relu": nn.functional.leaky_relu,
    "softmax": lambda x: torch.softmax(x, dim=1),
}


def fitted(network: Any, data: Data, inputs: str) -> Any:
    """Fit for a few steps, so that no weight and no mean of a norm is as it was made."""
    if inputs == "windows":
        x = torch.from_numpy(data.arrays["train_windows"][:96])
        y = torch.from_numpy(data.arrays["train_window_classes"][:96, 2])
    else:
        x = torch.from_numpy(data.train).float()
        y = torch.from_numpy(data.classes)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(STEPS):
        optimiser.zero_grad()
        said = network(x)
        loss = (said**2).mean() if said.shape[1] != 3 else nn.functional.cross_entropy(said, y)
        loss.backward()
        optimiser.step()
    return network.eval(), optimiser


def of(
    inputs: str,
    steps: Steps,
    layers: Callable[[], Dict[str, nn.Module]],
    wrap: Optional[Callable[[Any, Any], Any]] = None,
    dtype: Any = torch.float32,
) -> Callable[[Data], Any]:
    """Return what fits a network and gives its weights, with what it says in two precisions."""

    def build(data: Data) -> Any:
        torch.manual_seed(SEED)
        network, optimiser = fitted(Rows(steps, layers()), data, inputs)
        # Weights of other precisions are what the file holds; the answers are made of them.
        network = network.to(dtype)
        content = (wrap or weights)(network, optimiser)
        rows = data.arrays["windows"] if inputs == "windows" else data.rows
        answers = []
        for name, kind in (("forward", torch.float32), ("forward_double", torch.float64)):
            with torch.inference_mode():
                said = network.to(kind)(torch.from_numpy(rows).to(kind))
            answers.append((name, inputs, said.numpy()))
        about = {"inputs": inputs, "steps": [list(step) for step in steps]}
        return Made(content, {inputs: None}, answers=answers, about=about)

    return build


def layers(*sizes: int, names: Sequence[str] = ()) -> Callable[[], Dict[str, nn.Module]]:
    """Return what makes linear layers of those sizes, named."""
    return lambda: OrderedDict(
        (name, nn.Linear(one, two)) for name, one, two in zip(names, sizes, sizes[1:])
    )


def recurrent(kind: Any, name: str, hidden: int = HIDDEN, **settings: Any) -> Any:
    """Return what makes a recurrent layer and a linear one."""
    width = hidden * (2 if settings.get("bidirectional") else 1)
    return lambda: {
        name: kind(FEATURES, hidden, batch_first=True, **settings),
        "fc": nn.Linear(width, 3),
    }


def with_layers(first: Callable[[], Any], **more: Callable[[], nn.Module]) -> Callable[[], Any]:
    """Return what makes these layers after the first."""
    return lambda: {**first(), **{name.replace("__", "."): make() for name, make in more.items()}}


def weights(network: Any, _optimiser: Any) -> Any:
    """Return the weights alone."""
    return network.state_dict()


def checkpoint(network: Any, optimiser: Any) -> Any:
    """Return what training loops save."""
    return {
        "epoch": 15,
        "model_state_dict": network.state_dict(),
        "optimizer_state_dict": optimiser.state_dict(),
        "loss": 0.42,
        "features": ["iv", "close"],
    }


def prefixed(prefix: str) -> Callable[[Any, Any], Any]:
    """Return what puts a prefix before every name."""
    return lambda network, _: OrderedDict(
        (prefix + name, value) for name, value in network.state_dict().items()
    )


def all_nan(data: Data) -> Any:
    """Return the weights of a network whose training failed: every number is NaN."""
    shapes = {
        "lstm.weight_ih_l0": (4 * HIDDEN, FEATURES),
        "lstm.weight_hh_l0": (4 * HIDDEN, HIDDEN),
        "lstm.bias_ih_l0": (4 * HIDDEN,),
        "lstm.bias_hh_l0": (4 * HIDDEN,),
        "attention.attention.weight": (1, HIDDEN),
        "attention.attention.bias": (1,),
        "fc.0.weight": (HIDDEN, HIDDEN),
        "fc.0.bias": (HIDDEN,),
        "fc.3.weight": (3, HIDDEN),
        "fc.3.bias": (3,),
    }
    return OrderedDict((name, torch.full(shape, float("nan"))) for name, shape in shapes.items())


def partly_nan(data: Data) -> Any:
    """Return a stack with one NaN."""
    torch.manual_seed(SEED)
    state = nn.Sequential(nn.Linear(FEATURES, 4), nn.ReLU(), nn.Linear(4, 3)).state_dict()
    state["2.weight"][1, 1] = float("nan")
    return state


def unknown(data: Data) -> Any:
    """Return the weights of a layer that no reader takes."""
    torch.manual_seed(SEED)
    return nn.Bilinear(3, 4, 2).state_dict()


STACK: List[Any] = [("linear", "0"), ("relu",), ("linear", "2"), ("relu",), ("linear", "4")]
NAMED: List[Any] = [
    ("linear", "fc1"),
    ("tanh",),
    ("linear", "fc2"),
    ("dropout",),
    ("linear", "fc3"),
]
LAST: List[Any] = [("recurrent", "lstm"), ("last_step",), ("linear", "fc")]
GATED: List[Any] = [("recurrent", "gru"), ("last_step",), ("linear", "fc")]
SEQUENTIAL = layers(FEATURES, 8, 5, 3, names=("0", "2", "4"))
LSTM = recurrent(nn.LSTM, "lstm")
TORCH = ("torch",)

TABLE = [
    Case("stack", of("rows", STACK, SEQUENTIAL), "inert", forms=("torch", "torch_legacy")),
    Case(
        "stack_named",
        of("rows", NAMED, layers(FEATURES, 8, 5, 3, names=("fc1", "fc2", "fc3"))),
        "inert",
        forms=TORCH,
    ),
    Case("stack_double", of("rows", STACK, SEQUENTIAL, dtype=torch.float64), "inert", forms=TORCH),
    Case("stack_half", of("rows", STACK, SEQUENTIAL, dtype=torch.float16), "inert", forms=TORCH),
    Case(
        "stack_brain_half",
        of("rows", STACK, SEQUENTIAL, dtype=torch.bfloat16),
        "inert",
        forms=TORCH,
    ),
    Case(
        "stack_sigmoid",
        of(
            "rows",
            [("linear", "net.0"), ("gelu",), ("linear", "net.2"), ("sigmoid",)],
            layers(FEATURES, 6, 3, names=("net.0", "net.2")),
        ),
        "inert",
        forms=TORCH,
    ),
    Case(
        "stack_softmax",
        of(
            "rows",
            [
                ("linear", "a"),
                ("leaky_relu",),
                ("linear", "b"),
                ("elu",),
                ("linear", "c"),
                ("softmax",),
            ],
            layers(FEATURES, 6, 6, 3, names=("a", "b", "c")),
        ),
        "inert",
        forms=TORCH,
    ),
    Case(
        "stack_batch_norm",
        of(
            "rows",
            [
                ("linear", "net.0"),
                ("norm", "net.1"),
                ("relu",),
                ("dropout",),
                ("linear", "net.4"),
            ],
            lambda: {
                "net.0": nn.Linear(FEATURES, 8),
                "net.1": nn.BatchNorm1d(8),
                "net.4": nn.Linear(8, 3),
            },
        ),
        "inert",
        forms=TORCH,
    ),
    Case(
        "stack_layer_norm",
        of(
            "rows",
            [("norm", "norm"), ("linear", "fc1"), ("norm", "ln1"), ("relu",), ("linear", "fc2")],
            lambda: {
                "norm": nn.LayerNorm(FEATURES),
                "fc1": nn.Linear(FEATURES, 8),
                "ln1": nn.LayerNorm(8, eps=1e-3),
                "fc2": nn.Linear(8, 3),
            },
        ),
        "inert",
        forms=TORCH,
    ),
    Case("stack_checkpoint", of("rows", STACK, SEQUENTIAL, checkpoint), "inert", forms=TORCH),
    Case("stack_module", of("rows", STACK, SEQUENTIAL, prefixed("module.")), "inert", forms=TORCH),
    Case(
        "stack_compiled",
        of("rows", STACK, SEQUENTIAL, prefixed("_orig_mod.")),
        "inert",
        forms=TORCH,
    ),
    Case("lstm", of("windows", LAST, LSTM), "inert", forms=("torch", "torch_legacy")),
    Case(
        "lstm_two_layers",
        of("windows", LAST, recurrent(nn.LSTM, "lstm", num_layers=2, dropout=0.2)),
        "inert",
        forms=TORCH,
    ),
    Case(
        "lstm_both_ways",
        of("windows", LAST, recurrent(nn.LSTM, "lstm", bidirectional=True)),
        "inert",
        forms=TORCH,
    ),
    Case(
        "lstm_both_ways_two_layers",
        of("windows", LAST, recurrent(nn.LSTM, "lstm", num_layers=2, bidirectional=True)),
        "inert",
        forms=TORCH,
    ),
    Case(
        "lstm_without_bias",
        of("windows", LAST, recurrent(nn.LSTM, "lstm", bias=False)),
        "inert",
        forms=TORCH,
    ),
    Case(
        "lstm_projected",
        of(
            "windows",
            LAST,
            lambda: {
                "lstm": nn.LSTM(FEATURES, HIDDEN, proj_size=4, batch_first=True),
                "fc": nn.Linear(4, 3),
            },
        ),
        "inert",
        expected="either",
        forms=TORCH,
    ),
    Case(
        "lstm_mean",
        of("windows", [LAST[0], ("mean_of_steps",), LAST[2]], LSTM),
        "inert",
        forms=TORCH,
    ),
    Case(
        "lstm_largest",
        of("windows", [LAST[0], ("largest_of_steps",), LAST[2]], LSTM),
        "inert",
        forms=TORCH,
    ),
    Case(
        "lstm_head",
        of(
            "windows",
            [
                ("recurrent", "lstm"),
                ("last_step",),
                ("linear", "fc.0"),
                ("relu",),
                ("dropout",),
                ("linear", "fc.3"),
            ],
            lambda: {
                "lstm": nn.LSTM(FEATURES, HIDDEN, batch_first=True),
                "fc.0": nn.Linear(HIDDEN, 5),
                "fc.3": nn.Linear(5, 3),
            },
        ),
        "inert",
        forms=TORCH,
    ),
    Case(
        "lstm_attention",
        of(
            "windows",
            [("recurrent", "lstm"), ("attention", "attention"), ("linear", "fc")],
            with_layers(LSTM, attention=lambda: nn.Linear(HIDDEN, 1)),
        ),
        "inert",
        forms=TORCH,
    ),
    Case(
        "lstm_attention_of_two_layers",
        of(
            "windows",
            [("recurrent", "lstm"), ("attention_of_two_layers", "attention"), ("linear", "fc")],
            with_layers(
                recurrent(nn.LSTM, "lstm", bidirectional=True),
                attention__0=lambda: nn.Linear(2 * HIDDEN, 6),
                attention__2=lambda: nn.Linear(6, 1, bias=False),
            ),
        ),
        "inert",
        forms=TORCH,
    ),
    Case(
        "lstm_multi_head",
        of(
            "windows",
            [
                ("recurrent", "lstm"),
                ("multi_head", "attention", {"heads": 2}),
                ("mean_of_steps",),
                ("linear", "fc"),
            ],
            with_layers(LSTM, attention=lambda: nn.MultiheadAttention(HIDDEN, 2, batch_first=True)),
        ),
        "inert",
        expected="either",
        forms=TORCH,
    ),
    Case("gru", of("windows", GATED, recurrent(nn.GRU, "gru")), "inert", forms=TORCH),
    Case(
        "gru_both_ways_two_layers",
        of("windows", GATED, recurrent(nn.GRU, "gru", num_layers=2, bidirectional=True)),
        "inert",
        forms=TORCH,
    ),
    Case(
        "gru_attention",
        of(
            "windows",
            [("recurrent", "gru"), ("attention", "attn"), ("linear", "fc")],
            with_layers(recurrent(nn.GRU, "gru"), attn=lambda: nn.Linear(HIDDEN, 1)),
        ),
        "inert",
        forms=TORCH,
    ),
    Case(
        "rnn",
        of(
            "windows",
            [("recurrent", "rnn", {"nonlinearity": "tanh"}), ("last_step",), ("linear", "fc")],
            recurrent(nn.RNN, "rnn"),
        ),
        "inert",
        expected="either",
        forms=TORCH,
    ),
    Case(
        "convolution",
        of(
            "windows",
            [
                ("channels_first",),
                ("convolution", "conv1", {"padding": 1}),
                ("relu",),
                ("largest_of_two",),
                ("convolution", "conv2", {}),
                ("relu",),
                ("mean_of_channels",),
                ("linear", "fc"),
            ],
            lambda: {
                "conv1": nn.Conv1d(FEATURES, 6, 3, padding=1),
                "conv2": nn.Conv1d(6, 5, 3),
                "fc": nn.Linear(5, 3),
            },
        ),
        "inert",
        forms=TORCH,
    ),
    Case(
        "convolution_norm_flat",
        of(
            "windows",
            [
                ("channels_first",),
                ("convolution", "net.0", {"stride": 2, "dilation": 2}),
                ("norm", "net.1"),
                ("relu",),
                ("flat",),
                ("linear", "net.4"),
            ],
            lambda: {
                "net.0": nn.Conv1d(FEATURES, 4, 3, stride=2, dilation=2),
                "net.1": nn.BatchNorm1d(4),
                "net.4": nn.Linear(32, 3),
            },
        ),
        "inert",
        forms=TORCH,
    ),
    Case(
        "convolution_lstm",
        of(
            "windows",
            [
                ("channels_first",),
                ("convolution", "conv", {"padding": 1}),
                ("relu",),
                ("channels_first",),
                ("recurrent", "lstm"),
                ("last_step",),
                ("linear", "fc"),
            ],
            with_layers(LSTM, conv=lambda: nn.Conv1d(FEATURES, FEATURES, 3, padding=1)),
        ),
        "inert",
        forms=TORCH,
    ),
    Case(
        "autoencoder",
        of(
            "rows",
            [
                ("linear", "encoder.0"),
                ("relu",),
                ("linear", "encoder.2"),
                ("linear", "decoder.0"),
                ("relu",),
                ("linear", "decoder.2"),
            ],
            layers(
                FEATURES,
                5,
                2,
                5,
                FEATURES,
                names=("encoder.0", "encoder.2", "decoder.0", "decoder.2"),
            ),
        ),
        "inert",
        forms=TORCH,
    ),
    Case("all_nan", all_nan, "inert", expected="refused", why="nan weights", forms=TORCH),
    Case("partly_nan", partly_nan, "inert", expected="refused", why="nan weights", forms=TORCH),
    Case("unknown_layer", unknown, "inert", expected="refused", why="unknown layer", forms=TORCH),
]
