"""Walk-forward losses, day by day, at rest: one compressed file of plain arrays."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aegismatrix_factory.evaluate.markets import MarketRows
from aegismatrix_factory.evaluate.walkforward import Judgement

FloatArray = NDArray[np.float64]
DateArray = NDArray[np.datetime64]

LOSSES_NAME = "walkforward.npz"
_PARTS = ("dates", "close", "losses", "heads", "outputs", "scores", "horizons")


@dataclass(frozen=True, eq=False)
class OutputLosses:
    """The losses of one judged output.

    Attributes
    ----------
    head, output, score : str
        Whose they are, and the name of the skill score that they make.
    horizon_days : int
        Trading days until a label is known.
    values : ndarray of shape (D,)
        Loss per day of its market, lower is better; NaN where it was not scored. Rounded to 16
        significant bits, in which they rest.
    """

    head: str
    output: str
    score: str
    horizon_days: int
    values: FloatArray


@dataclass(frozen=True, eq=False)
class MarketLosses:
    """The losses of every judged output on one market.

    Attributes
    ----------
    market : str
        Its name.
    dates : ndarray of shape (D,), datetime64[D]
        Days on which any output was scored.
    close : ndarray of shape (D,)
        The index on those days, rounded to float32: a name alone does not say which market it is.
    outputs : tuple of OutputLosses
        In the order of the registry.
    """

    market: str
    dates: DateArray
    close: FloatArray
    outputs: tuple[OutputLosses, ...]


def losses_of(market: MarketRows, judged: Mapping[str, Sequence[Judgement]]) -> MarketLosses:
    """Collect the losses of one market from its judgements.

    Parameters
    ----------
    market : MarketRows
        The market.
    judged : mapping of str to sequence of Judgement
        By head; those on other markets are left out.

    Returns
    -------
    MarketLosses
    """
    own = [
        (head, judgement)
        for head, judgements in judged.items()
        for judgement in judgements
        if judgement.market == market.name
    ]
    every_day = [judgement.losses.dates for _, judgement in own]
    dates = np.unique(np.concatenate(every_day)) if own else market.dates[:0]
    outputs = []
    for head, judgement in own:
        values = np.full(len(dates), np.nan)
        values[np.searchsorted(dates, judgement.losses.dates)] = judgement.losses.values
        outputs.append(
            OutputLosses(
                head,
                judgement.output,
                judgement.score,
                judgement.losses.horizon_days,
                at_rest(values).astype(np.float64),
            )
        )
    close = market.rows_of(market.bars.close)[np.isin(market.dates, dates)]
    rounded = close.astype(np.float32).astype(np.float64)
    return MarketLosses(market.name, dates, rounded, tuple(outputs))


def at_rest(losses: FloatArray) -> NDArray[np.float32]:
    """Round losses to the bits in which they rest.

    Parameters
    ----------
    losses : ndarray
        Of any shape; NaN stays NaN.

    Returns
    -------
    ndarray of float32
        Off by at most 2^-16 of themselves, which is far below what any comparison turns on; the
        last byte is 0 and costs nothing once it is compressed.
    """
    bits = np.array(losses, dtype=np.float32).view(np.uint32)
    return np.asarray(((bits + np.uint32(0x80)) & np.uint32(0xFFFFFF00)).view(np.float32))


def render_losses(markets: Sequence[MarketLosses]) -> bytes:
    """Return losses as the file in which they rest: the same losses give the same bytes.

    Parameters
    ----------
    markets : sequence of MarketLosses

    Returns
    -------
    bytes
        A compressed npz of plain arrays, nothing in it pickled.
    """
    arrays: dict[str, Any] = {"markets": np.array([one.market for one in markets])}
    for place, one in enumerate(markets):
        parts = {
            "dates": one.dates.astype("datetime64[D]"),
            "close": one.close.astype(np.float32),
            "losses": at_rest(np.array([each.values for each in one.outputs])),
            "heads": np.array([each.head for each in one.outputs], dtype=np.str_),
            "outputs": np.array([each.output for each in one.outputs], dtype=np.str_),
            "scores": np.array([each.score for each in one.outputs], dtype=np.str_),
            "horizons": np.array([each.horizon_days for each in one.outputs], dtype=np.int64),
        }
        arrays.update({f"{place}_{part}": parts[part] for part in _PARTS})
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def parse_losses(data: bytes) -> tuple[MarketLosses, ...]:
    """Read what `render_losses` wrote.

    Parameters
    ----------
    data : bytes
        Verified: these are the bytes that were sealed.

    Returns
    -------
    tuple of MarketLosses

    Raises
    ------
    ValueError
        If they are not such a file.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return tuple(
                _market_losses(str(name), {part: arrays[f"{place}_{part}"] for part in _PARTS})
                for place, name in enumerate(arrays["markets"])
            )
    except (zipfile.BadZipFile, KeyError, OSError, EOFError, AttributeError) as error:
        raise ValueError(f"no file of walk-forward losses ({error})") from error


def _market_losses(name: str, parts: Mapping[str, NDArray[np.generic]]) -> MarketLosses:
    labels = (parts["heads"], parts["outputs"], parts["scores"], parts["horizons"])
    return MarketLosses(
        market=name,
        dates=parts["dates"].astype("datetime64[D]"),
        close=parts["close"].astype(np.float64),
        outputs=tuple(
            OutputLosses(str(head), str(output), str(score), int(horizon), values)
            for head, output, score, horizon, values in zip(
                *labels, parts["losses"].astype(np.float64), strict=True
            )
        ),
    )
