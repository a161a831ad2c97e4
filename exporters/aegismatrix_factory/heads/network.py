"""A small bidirectional LSTM with attention over the last feature rows, in torch.

Import it inside functions: torch takes seconds to load, and most of the factory does without.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from aegismatrix.artifacts.operators import OPSET
from aegismatrix.errors import AegisError
from aegismatrix_factory.evaluate.walkforward import SEED

FloatArray = NDArray[np.float64]
Weights = Mapping[str, NDArray[Any]]

CLASSES = 3
UNKNOWN = -1
CLIP = 4.0
HIDDEN = 8
EPOCHS = 2
BATCH_WINDOWS = 256
LEARNING_RATE = 0.01
WEIGHT_DECAY = 0.01
# The network's share of its forecast, climatology has the rest. At 0 every day would be the same.
TRUST = 0.1


class NonFiniteNetworkError(AegisError):
    """A network holds NaN or infinite numbers.

    Attributes
    ----------
    parts : tuple of str
        Which of its parts.
    """

    def __init__(self, parts: tuple[str, ...]) -> None:
        self.parts = parts
        super().__init__(
            f"The network has NaN or infinite numbers in {', '.join(parts)}.",
            remedy="Look for NaN among its features and for horizons without a label, or lower the"
            " learning rate; then train again.",
        )


class DeviceUnavailableError(AegisError):
    """Torch cannot compute where it was asked to.

    Attributes
    ----------
    device : str
        What was asked for.
    reason : str
        Why not.
    """

    def __init__(self, device: str, reason: str) -> None:
        self.device = device
        self.reason = reason
        super().__init__(
            f"Torch cannot compute on {device}: {reason}.",
            remedy="Train on the processor (--device cpu), or install a build of torch and a driver"
            " that fit this machine's GPU.",
        )


class DeviceMemoryError(AegisError):
    """The GPU has not enough free memory for the network and its windows.

    Attributes
    ----------
    device : str
        Which one.
    """

    def __init__(self, device: str) -> None:
        self.device = device
        super().__init__(
            f"{device} ran out of memory.",
            remedy="Train on the processor (--device cpu), or end what else computes there.",
        )


@dataclass(frozen=True, eq=False)
class Fitted:
    """A fitted network, as plain arrays.

    Attributes
    ----------
    mean, scale : ndarray of shape (F,)
        Of the standardiser.
    climatology : ndarray of shape (horizons, 3)
        Frequencies of the classes among the training rows.
    weights : mapping of str to ndarray, float32
        As torch names them.
    """

    mean: FloatArray
    scale: FloatArray
    climatology: FloatArray
    weights: Weights

    def to_dict(self) -> dict[str, Any]:
        """Return what `Fitted` can be made of again."""
        return {**vars(self), "weights": dict(self.weights)}


class Network(nn.Module):
    """Windows of standardised features to probabilities of ordered classes, by horizon.

    Parameters
    ----------
    features : int
        Columns of a window.
    climatology : ndarray of shape (horizons, 3)
        What the forecasts are shrunk to.

    Notes
    -----
    A long short-term memory (Hochreiter, Schmidhuber 1997) reads each window in both directions
    (Schuster, Paliwal 1997); additive attention (Bahdanau, Cho, Bengio 2015) weighs its states; one
    linear head per horizon ends in a soft-max. float32 up to the heads, float64 from there.
    """

    def __init__(self, features: int, climatology: FloatArray) -> None:
        super().__init__()
        self.lstm = nn.LSTM(features, HIDDEN, batch_first=True, bidirectional=True)
        self.alignment = nn.Linear(2 * HIDDEN, HIDDEN)
        self.attention = nn.Linear(HIDDEN, 1, bias=False)
        self.heads = nn.Linear(2 * HIDDEN, climatology.size)
        self.climatology = torch.from_numpy(climatology)

    def logits(self, windows: Tensor) -> Tensor:
        """Return what the heads say, float32 (M, horizons, 3), to windows, float32 (M, rows, F)."""
        states, _ = self.lstm(windows)
        scores = self.attention(torch.tanh(self.alignment(states)))
        context = (torch.softmax(scores, dim=1) * states).sum(dim=1)
        logits: Tensor = self.heads(context)
        return logits.reshape(-1, *self.climatology.shape)

    def forward(self, windows: Tensor) -> Tensor:
        """Return probabilities, float64 (M, 3 * horizons), of windows, float32 (M, rows, F)."""
        own = torch.softmax(self.logits(windows).to(torch.float64), dim=2)
        shrunk = (1.0 - TRUST) * self.climatology + TRUST * own
        return shrunk.reshape(-1, self.climatology.numel())


def check_device(device: str) -> None:
    """Make sure that torch can compute on a device.

    Parameters
    ----------
    device : str
        As torch names it: ``cpu``, ``cuda``, ``cuda:1``.

    Raises
    ------
    DeviceUnavailableError
    DeviceMemoryError
    """
    with _typed_failures(device):
        torch.zeros(1, device=torch.device(device)).add(1.0).cpu()


def fit_network(features: FloatArray, label: FloatArray, rows: int, device: str = "cpu") -> Fitted:
    """Fit by Adam with decoupled weight decay: same data, same weights, to the last bit.

    Parameters
    ----------
    features : ndarray of shape (N, F)
        Feature rows.
    label : ndarray of shape (N, horizons)
        Classes 0, 1, 2; NaN where unknown or not to be used, and row i is a target for the window
        that ends with it.
    rows : int
        Feature rows in a window.
    device : str
        Where to compute. The promise of the same weights holds for ``cpu``; they come back from
        wherever it was, and forecasts are made on the processor.

    Returns
    -------
    Fitted

    Raises
    ------
    NonFiniteNetworkError
    DeviceUnavailableError
    DeviceMemoryError

    Notes
    -----
    Minimises the mean cross-entropy of the known labels (Loshchilov, Hutter 2019, for the decay).
    """
    known = ~np.isnan(label)
    counts = np.stack([(label == place).sum(axis=0) for place in range(CLASSES)], axis=1)
    with np.errstate(invalid="ignore"):
        climatology = counts / known.sum(axis=0)[:, None]
    seen = features[known.any(axis=1)]
    scale = seen.std(axis=0)
    scaled = Fitted(seen.mean(axis=0), np.where(scale > 0.0, scale, 1.0), climatology, {})
    windows = _windows(scaled, features, rows)
    targets = torch.from_numpy(np.where(known, label, UNKNOWN).astype(np.int64)[rows - 1 :])
    usable = torch.from_numpy(np.flatnonzero(known[rows - 1 :].any(axis=1)))
    with _repeatable(), _typed_failures(device):
        # Begun and shuffled by the processor's generator, wherever the sums are made.
        network = Network(features.shape[1], climatology).to(device)
        windows, targets = windows.to(device), targets.to(device)
        optimiser = torch.optim.AdamW(
            network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY
        )
        for _ in range(EPOCHS):
            order = usable[torch.randperm(len(usable))].to(device)
            for start in range(0, len(order), BATCH_WINDOWS):
                batch = order[start : start + BATCH_WINDOWS]
                optimiser.zero_grad()
                loss = nn.functional.cross_entropy(
                    network.logits(windows[batch]).flatten(0, 1),
                    targets[batch].flatten(),
                    ignore_index=UNKNOWN,
                )
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
    weights = {name: value.cpu().numpy().copy() for name, value in network.state_dict().items()}
    fitted = replace(scaled, weights=weights)
    _check(fitted)
    return fitted


def predict_network(fitted: Fitted, features: FloatArray, rows: int) -> FloatArray:
    """Forecast with torch itself.

    Parameters
    ----------
    fitted : Fitted
        From `fit_network`.
    features : ndarray of shape (N, F)
        Feature rows.
    rows : int
        Feature rows in a window.

    Returns
    -------
    ndarray of shape (N - rows + 1, 3 * horizons)

    Raises
    ------
    NonFiniteNetworkError
    """
    network = _network(fitted)
    with _repeatable(), torch.inference_mode():
        return np.asarray(network(_windows(fitted, features, rows)).numpy())


def network_graph(fitted: Fitted, rows: int) -> onnx.ModelProto:
    """Export the network, not the standardiser.

    Parameters
    ----------
    fitted, rows
        As for `predict_network`.

    Returns
    -------
    ModelProto
        Input ``windows``: float32 (M, rows, F); output ``probability``: float64 (M, 3 * horizons).

    Raises
    ------
    NonFiniteNetworkError
    """
    # Torch takes the sizes 0 and 1 for constants.
    example = torch.zeros(2, rows, len(fitted.mean))
    with _quiet():
        program = torch.onnx.export(
            _network(fitted),
            (example,),
            dynamo=True,
            opset_version=OPSET,
            external_data=False,
            input_names=["windows"],
            output_names=["probability"],
            dynamic_shapes=({0: torch.export.Dim("M")},),
            verbose=False,
        )
    if program is None:
        raise TypeError("torch.onnx.export returned no program")
    model: onnx.ModelProto = program.model_proto
    return model


def standardised(fitted: Fitted, features: FloatArray) -> FloatArray:
    """Return features as the network takes them, in float64.

    Parameters
    ----------
    fitted : Fitted
        From `fit_network`.
    features : ndarray of shape (N, F)
        Feature rows.

    Returns
    -------
    ndarray of shape (N, F)
    """
    return np.clip((features - fitted.mean) / fitted.scale, -CLIP, CLIP)


def _network(fitted: Fitted) -> Network:
    _check(fitted)
    network = Network(len(fitted.mean), fitted.climatology)
    network.load_state_dict(
        {name: torch.from_numpy(np.array(value)) for name, value in fitted.weights.items()}
    )
    return network.eval().requires_grad_(False)


def _windows(fitted: Fitted, features: FloatArray, rows: int) -> Tensor:
    read = standardised(fitted, features).astype(np.float32)
    views = np.lib.stride_tricks.sliding_window_view(read, rows, axis=0)
    return torch.from_numpy(np.ascontiguousarray(views.transpose(0, 2, 1)))


def _check(fitted: Fitted) -> None:
    parts = {**fitted.to_dict(), **fitted.weights}
    del parts["weights"]
    unfinite = tuple(name for name, value in parts.items() if not np.isfinite(value).all())
    if unfinite:
        raise NonFiniteNetworkError(unfinite)


@contextmanager
def _typed_failures(device: str) -> Iterator[None]:
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        raise DeviceMemoryError(device) from error
    except (AssertionError, RuntimeError) as error:
        # On the processor such an error is a fault of this module and not of the machine.
        if device == "cpu":
            raise
        reason = str(error).strip().splitlines()[0].partition(". ")[0].rstrip(".")
        raise DeviceUnavailableError(device, reason) from error


@contextmanager
def _repeatable() -> Iterator[None]:
    """One thread, since sums over threads do not repeat; a seed; and the caller's state again."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED)
            yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out what the exporter says of torch itself: its renamings, how it stores an LSTM."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The tensor attributes", UserWarning)
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        logger.setLevel(level)
