"""Rows as a provider gave them, before they are checked: blank ones included."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from aegismatrix.market.arrays import DateArray, DateUnit, FloatArray
from aegismatrix.records import dataclass

Interval = Literal["1d", "5m"]

COLUMNS = ("open", "high", "low", "close")
"""The columns of `Prices.values`."""

UNITS: dict[Interval, DateUnit] = {"1d": "D", "5m": "s"}
"""What a stamp is: the exchange's day, or the bar's start in UTC."""


@dataclass(frozen=True, eq=False)
class Prices:
    """Bars of one symbol, oldest first.

    Attributes
    ----------
    interval : {'1d', '5m'}
        Length of a bar.
    stamps : ndarray of shape (T,), datetime64[D] or datetime64[s]
        The exchange's days, or when each bar starts, UTC; strictly rising.
    values : ndarray of shape (T, 4), float64
        Open, high, low and close; NaN where the provider has none.
    """

    interval: Interval
    stamps: DateArray
    values: FloatArray

    def __len__(self) -> int:
        return len(self.stamps)

    def column(self, name: str) -> FloatArray:
        """Return one of `COLUMNS`, shape (T,)."""
        values: FloatArray = self.values[:, COLUMNS.index(name)]
        return values

    def cut(self, rows: slice | NDArray[np.bool_]) -> Prices:
        """Return some of the rows, by a slice or a mask."""
        return replace(self, stamps=self.stamps[rows], values=self.values[rows])

    def since(self, day: date) -> Prices:
        """Return the rows of a day and later (of five-minute bars, by UTC)."""
        return self.cut(self.stamps >= np.datetime64(str(day), "D"))

    def followed_by(self, later: Prices) -> Prices:
        """Return the rows before another's first one, and then the other's."""
        if not len(later):
            return self
        kept = self.cut(self.stamps < later.stamps[0])
        return replace(
            self,
            stamps=np.concatenate([kept.stamps, later.stamps]),
            values=np.concatenate([kept.values, later.values]),
        )

    def last_day(self) -> date:
        """Return the day of the last row (of five-minute bars, by UTC)."""
        day: date = self.stamps[-1].astype("datetime64[D]").item()
        return day
