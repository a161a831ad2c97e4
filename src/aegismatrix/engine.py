"""Engine: bars in, every probability out."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from aegismatrix.artifacts import ENGINE_NAME, ArraySpec, Manifest, ModelSpec, read_manifest
from aegismatrix.bars import Bars
from aegismatrix.errors import ContractError, InsufficientHistoryError, UnknownModelError
from aegismatrix.runtime import load_model
from aegismatrix.tables import DateArray, FloatArray

_PROBABILITY = "probability"


@dataclass(frozen=True, eq=False, repr=False)
class Forecast:
    """Probabilities for N days, the last row for the last bar.

    ``forecast["trap"]`` is the array of one model; `row` is one day by column name.

    Attributes
    ----------
    dates : ndarray of shape (N,), datetime64[D]
        Days of forecast: what was known at their close.
    in_sample : ndarray of shape (N,), bool
        Whether the day lies inside the span that the models were trained on: such rows demonstrate,
        they prove nothing.
    close : ndarray of shape (N,), float64
        Index points.
    iv_percent : ndarray of shape (N,), float64
        The volatility index.
    implied_sigma : ndarray of shape (N,), float64
        Daily standard deviation of log returns that it implies.
    probabilities : mapping of str to ndarray of shape (N, ...), float64
        By model name; the last axis is named by `columns`.
    columns : mapping of str to tuple of str
        By model name.
    manifest_digest : str
        Which set of artifacts said so.
    """

    dates: DateArray
    in_sample: NDArray[np.bool_]
    close: FloatArray
    iv_percent: FloatArray
    implied_sigma: FloatArray
    probabilities: Mapping[str, FloatArray]
    columns: Mapping[str, tuple[str, ...]]
    manifest_digest: str = field(default="")

    def __len__(self) -> int:
        return len(self.dates)

    def __getitem__(self, model: str) -> FloatArray:
        if model not in self.probabilities:
            raise UnknownModelError(model, known=tuple(self.probabilities), path="this forecast")
        return self.probabilities[model]

    def __iter__(self) -> Iterator[str]:
        return iter(self.probabilities)

    def row(self, position: int = -1) -> dict[str, float]:
        """Return one day's probabilities by column.

        Parameters
        ----------
        position : int
            Row, -1 for the last day.

        Returns
        -------
        dict of str to float
            In the order in which the engine gives them.
        """
        return {
            column: float(value)
            for model, values in self.probabilities.items()
            for column, value in zip(self.columns[model], values[position], strict=True)
        }

    def __repr__(self) -> str:
        last = ", ".join(f"{column} {value:.3f}" for column, value in self.row().items())
        return f"Forecast({len(self)} days to {self.dates[-1]}: {last})"


class Engine:
    """The fused artifact: raw bars to every probability, in one session.

    Safe to share between threads.

    Parameters
    ----------
    path : path-like, optional
        A folder of artifacts; by default the bundled one.

    Raises
    ------
    ArtifactError
        One of its children, saying which file and why.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        manifest = read_manifest(path)
        self._model = load_model(manifest, ENGINE_NAME)
        self._digest = manifest.digest
        self._heads = [out for out in self._model.spec.outputs if out.unit == _PROBABILITY]
        self._spans = _training_spans(manifest)

    @property
    def spec(self) -> ModelSpec:
        """What is sealed about the fused artifact."""
        return self._model.spec

    @property
    def lookback_bars(self) -> int:
        """Bars that one forecast needs."""
        return self._model.spec.lookback_bars

    @property
    def heads(self) -> tuple[ArraySpec, ...]:
        """The probabilities that it gives: names and columns."""
        return tuple(self._heads)

    def __repr__(self) -> str:
        heads = ", ".join(head.name for head in self._heads)
        return f"Engine({heads}; {self.lookback_bars} bars; manifest {self._digest[:12]})"

    def predict(self, bars: Bars) -> Forecast:
        """Forecast from the last bar.

        Parameters
        ----------
        bars : Bars
            At least `lookback_bars`; older ones are not looked at.

        Returns
        -------
        Forecast
            One day.

        Raises
        ------
        InsufficientHistoryError
            Saying how many bars are missing.
        """
        return self._forecast(bars, last_only=True)

    def history(self, bars: Bars) -> Forecast:
        """Forecast from every bar that has enough history.

        Parameters
        ----------
        bars : Bars
            T bars, at least `lookback_bars`.

        Returns
        -------
        Forecast
            T - lookback_bars + 1 days. Row i is what `predict` gives on the bars up to it.

        Raises
        ------
        InsufficientHistoryError
            Saying how many bars are missing.
        """
        return self._forecast(bars, last_only=False)

    def _forecast(self, bars: Bars, *, last_only: bool) -> Forecast:
        if not isinstance(bars, Bars):
            raise ContractError(
                ENGINE_NAME,
                "bars",
                f"is a {type(bars).__name__}",
                remedy="Give Bars, made with Bars.from_csv, from_frames or from_arrays.",
            )
        if len(bars) < self.lookback_bars:
            raise InsufficientHistoryError(need=self.lookback_bars, have=len(bars))
        first = len(bars) - self.lookback_bars if last_only else 0
        # An instance of Bars that exists is finite, float64 and of one length.
        outputs = self._model.run_validated(
            {
                "high": bars.high[first:],
                "low": bars.low[first:],
                "close": bars.close[first:],
                "iv": bars.iv[first:],
            }
        )
        start = first + self.lookback_bars - 1
        dates = bars.dates[start:]
        for name, values in outputs.items():
            if len(values) != len(dates):
                raise ContractError(
                    ENGINE_NAME,
                    name,
                    f"has {len(values)} rows for {len(dates)} days",
                    remedy="Nothing was published; use artifacts made by scripts/export.py.",
                )
        in_sample = np.zeros(len(dates), dtype=bool)
        for span_first, span_last in self._spans:
            in_sample |= (dates >= span_first) & (dates <= span_last)
        return Forecast(
            dates=dates,
            in_sample=in_sample,
            close=bars.close[start:],
            iv_percent=bars.iv[start:],
            implied_sigma=outputs["implied_sigma"],
            probabilities={head.name: outputs[head.name] for head in self._heads},
            columns={head.name: head.columns for head in self._heads},
            manifest_digest=self._digest,
        )


def _training_spans(manifest: Manifest) -> list[tuple[np.datetime64, np.datetime64]]:
    """Spans of days that any model has learnt from, on whichever market, without overlaps."""
    spans = sorted(
        (np.datetime64(span.first), np.datetime64(span.last))
        for model in manifest.models.values()
        for span in model.training
    )
    merged: list[tuple[np.datetime64, np.datetime64]] = []
    for first, last in spans:
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return merged
