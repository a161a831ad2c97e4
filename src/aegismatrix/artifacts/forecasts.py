"""What the walk-forward forecast, at rest: one compact file beside the manifest.

Eight bytes `MARK`, four that say how long the header is, the header, strict JSON in ASCII, then one
stream of zlib: days since 1970 (int32), a check of each day's bar (uint32), and of every column the
differences from day to day of its steps (16 bits, zigzag; all high bytes, then all low ones). All
numbers are little-endian. A forecast is ``step / steps``; it was rounded up, which keeps orders and
sums of two: an edge never becomes likelier than either edge, nor either edge than both together.
What is no probability may be small or large: then the header says its least value, and a forecast
is ``least * exp(step / steps)``.
"""

from __future__ import annotations

import json
import math
import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from aegismatrix import errors
from aegismatrix.artifacts import fields as entries
from aegismatrix.artifacts.manifest import (
    FORECASTS_KEY,
    Manifest,
    is_here,
    parse_strict_json,
    read_attachment,
)
from aegismatrix.records import dataclass

FORECASTS_VERSION = 1
"""1: the first format."""

FORECASTS_NAME = "forecasts.bin"
MARK = b"AEGISFC\n"
NO_FORECAST = 0xFFFF
"""The step that stands for a day without a forecast."""
PROBABILITY_STEPS = 1 << 13
"""Steps of a probability: rounded up, it is off by less than 1 / 8192."""
LOG_STEPS = 1 << 11
"""Steps of a logarithm: rounded up, a value is off by less than 1 / 2000 of itself."""
LEAST_VALUE = 1e-3
"""What such values are multiples of; they reach beyond 1e10."""

_LENGTH = struct.Struct("<I")
_MOST_HEADER_BYTES, _MOST_DAYS, _MOST_VALUES = 1 << 16, 50_000, 1 << 25
_DAY_BYTES, _STEP_BYTES = 8, 2
_LEAST, _FEWEST_LOG_STEPS = 1e-12, 128


@dataclass(frozen=True, eq=False)
class SealedForecasts:
    """The forecasts of one model: `values`, uint16, are steps of 1 / `steps`.

    They have the shape of the model's output, days first; `NO_FORECAST` where there is none. The
    `columns` are those of the output. With `least` the steps are those of the logarithm of a
    forecast over it.
    """

    columns: tuple[str, ...]
    steps: int
    values: NDArray[np.uint16]
    least: float | None = None

    def forecasts(self) -> NDArray[np.float64]:
        """Return the forecasts, NaN where there is none."""
        exact = self.values.astype(np.float64) / self.steps
        if self.least is not None:
            exact = self.least * np.exp(exact)
        return np.where(self.values == NO_FORECAST, np.nan, exact)


@dataclass(frozen=True, eq=False)
class WalkForward:
    """What every model said in the walk-forward on the market that is modelled.

    `dates` are the days that were forecast, rising, `checks` the `bar_checks` of their bars;
    `horizon_days` and `distance` are those of surfaces.
    """

    market: str
    dates: NDArray[np.datetime64]
    checks: NDArray[np.uint32]
    horizon_days: tuple[float, ...]
    distance: tuple[float, ...]
    heads: Mapping[str, SealedForecasts]


def bar_checks(*columns: NDArray[np.float64]) -> NDArray[np.uint32]:
    """Return a number for each bar, made of its columns to the last bit (CRC-32)."""
    rows = np.ascontiguousarray(np.column_stack(columns).astype("<f8"))
    return np.array([zlib.crc32(row.tobytes()) for row in rows], dtype=np.uint32)


def in_steps(forecasts: NDArray[np.float64], steps: int) -> NDArray[np.uint16]:
    """Return forecasts rounded up to whole steps; NaN is `NO_FORECAST`."""
    missing = np.isnan(forecasts)
    known = np.where(missing, 0.0, forecasts)
    whole = np.ceil(known * steps)
    if not ((known >= 0.0) & (whole < NO_FORECAST)).all():
        raise ValueError(f"a forecast does not fit into {NO_FORECAST} steps of 1 / {steps}")
    return np.where(missing, NO_FORECAST, whole).astype(np.uint16)


def in_log_steps(forecasts: NDArray[np.float64], steps: int, least: float) -> NDArray[np.uint16]:
    """Return the logarithms of forecasts over `least` rounded up to whole steps; NaN stays none."""
    if (forecasts < least).any():
        raise ValueError(f"a forecast lies below {least}")
    return in_steps(np.log(forecasts / least), steps)


def read_forecasts(manifest: Manifest) -> WalkForward:
    """Read and verify what the walk-forward of a folder's models forecast."""
    sealed = manifest.attachments.get(FORECASTS_KEY)
    if sealed is None:
        raise errors.SealedForecastsError(str(manifest.folder), "not_sealed")
    path = manifest.folder / sealed.file
    if not is_here(manifest, FORECASTS_KEY):
        raise errors.SealedForecastsError(str(path), "not_here", sha256=sealed.sha256)
    data = read_attachment(manifest, FORECASTS_KEY)
    assert data is not None
    return parse_forecasts(data, str(path))


def parse_forecasts(data: bytes, path: str) -> WalkForward:
    """Read forecasts: nothing larger than the header says, and no header says more than a bound."""
    try:
        return _parsed(data)
    except (
        KeyError,
        TypeError,
        ValueError,
        OverflowError,
        AttributeError,
        RecursionError,
        struct.error,
        zlib.error,
    ) as error:
        reason = f"it is malformed ({error!a})"[:200]
        raise errors.SealedForecastsError(path, "malformed", reason) from error


def render_forecasts(walked: WalkForward) -> bytes:
    """Return forecasts as the file in which they rest: the same forecasts give the same bytes."""
    header = {
        "forecasts_version": FORECASTS_VERSION,
        "market": walked.market,
        "days": len(walked.dates),
        "horizon_days": list(walked.horizon_days),
        "distance": list(walked.distance),
        "heads": [
            {
                "name": name,
                "columns": list(head.columns),
                "steps": head.steps,
                "shape": list(head.values.shape[1:]),
                **({} if head.least is None else {"least": head.least}),
            }
            for name, head in walked.heads.items()
        ],
    }
    days = len(walked.dates)
    said = [
        head.values.reshape(days, math.prod(head.values.shape[1:]))
        for head in walked.heads.values()
    ]
    steps = np.concatenate([*said, np.empty((days, 0), dtype=np.uint16)], axis=1).T
    changes = np.diff(steps, axis=1, prepend=np.uint16(0)).view(np.int16)
    zigzag = ((changes << 1) ^ (changes >> 15)).view(np.uint16)
    stream = b"".join(
        [
            walked.dates.astype("datetime64[D]").astype("<i4").tobytes(),
            walked.checks.astype("<u4").tobytes(),
            (zigzag >> 8).astype(np.uint8).tobytes(),
            (zigzag & 0xFF).astype(np.uint8).tobytes(),
        ]
    )
    text = json.dumps(header, allow_nan=False, separators=(",", ":")).encode("ascii")
    return MARK + _LENGTH.pack(len(text)) + text + zlib.compress(stream, 9)


def _parsed(data: bytes) -> WalkForward:
    start = len(MARK) + _LENGTH.size
    if data[: len(MARK)] != MARK:
        raise ValueError("it does not begin as such a file")
    (length,) = _LENGTH.unpack_from(data, len(MARK))
    if length > _MOST_HEADER_BYTES:
        raise ValueError(f"its header has {length} bytes")
    header = parse_strict_json(data[start : start + length])
    if header["forecasts_version"] != FORECASTS_VERSION or header["forecasts_version"] is True:
        raise ValueError(f"this package reads version {FORECASTS_VERSION}")
    days = entries.expect_int(header["days"])
    said = [_head(entry) for entry in header["heads"]]
    columns = sum(math.prod(one.shape) for one in said)
    if days > _MOST_DAYS or columns * days > _MOST_VALUES:
        raise ValueError(f"it says that it holds {columns} columns of {days} days")
    stream = _inflated(data[start + length :], days * (_DAY_BYTES + _STEP_BYTES * columns))
    dates = np.frombuffer(stream, "<i4", days).astype("datetime64[D]")
    if (np.diff(dates) <= np.timedelta64(0, "D")).any():
        raise ValueError("its days do not rise")
    packed = np.frombuffer(stream, np.uint8, offset=_DAY_BYTES * days)
    high, low = packed.reshape(2, columns, days).astype(np.uint16)
    zigzag = (high << 8) | low
    changes = (zigzag >> 1) ^ (np.uint16(0) - (zigzag & 1))
    steps = np.cumsum(changes, axis=1, dtype=np.uint16).T
    heads, place = {}, 0
    for one in said:
        width = math.prod(one.shape)
        values = steps[:, place : place + width].reshape(days, *one.shape)
        heads[one.name] = SealedForecasts(one.columns, one.steps, values, one.least)
        place += width
    if len(heads) < len(said):
        raise ValueError("two of its models have one name")
    return WalkForward(
        market=entries.text(header["market"]),
        dates=dates,
        checks=np.frombuffer(stream, "<u4", days, offset=4 * days).astype(np.uint32),
        horizon_days=_numbers(header["horizon_days"]),
        distance=_numbers(header["distance"]),
        heads=heads,
    )


class _Head(NamedTuple):
    name: str
    columns: tuple[str, ...]
    steps: int
    shape: tuple[int, ...]
    least: float | None


def _head(entry: Mapping[str, Any]) -> _Head:
    steps = entries.expect_int(entry["steps"], least=1)
    if steps >= NO_FORECAST:
        raise ValueError(f"a unit is divided into {steps} steps")
    least = entries.number(entry["least"]) if "least" in entry else None
    # The largest step must have a finite value.
    if least is not None and not (_LEAST <= least <= 1.0 and steps >= _FEWEST_LOG_STEPS):
        raise ValueError(f"a least value of {least:g} at {steps} steps")
    return _Head(
        entries.text(entry["name"]),
        tuple(entries.text(column) for column in entry["columns"]),
        steps,
        tuple(entries.expect_int(size, least=1) for size in entry["shape"]),
        least,
    )


def _inflated(data: bytes, size: int) -> bytes:
    """Decompress exactly so many bytes, of a stream that ends with them."""
    reader = zlib.decompressobj()
    stream = reader.decompress(data, size + 1)
    if len(stream) != size or not reader.eof or reader.unused_data:
        raise ValueError(f"its values do not fill {size} bytes")
    return stream


def _numbers(values: Sequence[object]) -> tuple[float, ...]:
    return tuple(entries.number(value) for value in values)
