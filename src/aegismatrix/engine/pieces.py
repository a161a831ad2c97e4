"""A long history in pieces, so that it takes the memory of what it returns and little more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from io import BytesIO

import numpy as np

from aegismatrix.artifacts.manifest import ENGINE_NAME
from aegismatrix.engine.model import Model
from aegismatrix.errors import ContractError
from aegismatrix.market.arrays import FloatArray

PIECE_DAYS = 1024
"""Days of a piece: less takes more time, more does not take less."""

Run = Callable[[Mapping[str, FloatArray]], Mapping[str, FloatArray]]
"""From high, low, close and iv to outputs with a row for each day that has enough history."""


def in_pieces(
    run: Run, bars: Mapping[str, FloatArray], lookback_bars: int, piece_days: int = PIECE_DAYS
) -> dict[str, FloatArray]:
    """Run a model over bars of any length; a piece begins `lookback_bars` - 1 bars before its days.

    What a day is told depends on its look-back alone, to the last bit, so pieces say what the whole
    would. The arrays are read-only for good. Raise ContractError if a row is missing or too many.
    """
    days = len(bars["close"]) - lookback_bars + 1
    # A file in memory hands out what was written to it without a copy of it.
    written: dict[str, BytesIO] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    for start in range(0, days, piece_days):
        stop = min(start + piece_days, days)
        part = {name: values[start : stop + lookback_bars - 1] for name, values in bars.items()}
        for name, values in run(part).items():
            if len(values) != stop - start:
                raise ContractError(
                    ENGINE_NAME,
                    name,
                    f"has {len(values)} rows for {stop - start} days",
                    remedy="Nothing was published; use artifacts made by aegismatrix export.",
                )
            if name not in written:
                shapes[name] = values.shape[1:]
                written[name] = _room(days * values[0].nbytes)
            written[name].write(np.ascontiguousarray(values).data)
    return {
        name: np.ndarray((days, *shapes[name]), np.float64, file.getvalue())
        for name, file in written.items()
    }


def _room(size_bytes: int) -> BytesIO:
    """A file in memory that will not have to grow."""
    file = BytesIO()
    file.seek(size_bytes - 1)
    file.write(b"\0")
    file.seek(0)
    return file


def staged(
    features: Model, heads: Mapping[str, Model], asked: Mapping[str, FloatArray], lookback_bars: int
) -> Run:
    """Return what runs the features and some heads alone, each from a file of its own.

    onnxruntime computes every head of the fused file, fetched or not. `asked` are the horizons and
    distances of surfaces, and `lookback_bars` what a day takes with every head: the days are the
    same whichever are chosen.
    """

    def run(bars: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        seen = features.run_validated(bars)
        days = len(bars["close"]) - lookback_bars + 1
        outputs = {name: values[-days:] for name, values in seen.items()}
        for name, head in heads.items():
            known = {key: values[-(days + head.spec.rows - 1) :] for key, values in seen.items()}
            given = {**known, **asked}
            (answer,) = head.run_validated(
                {array.name: given[array.name] for array in head.spec.inputs}
            ).values()
            outputs[name] = answer
        return outputs

    return run
