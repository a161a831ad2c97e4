"""Option chains: open interest of calls and puts by strike, of one expiry, validated."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from aegismatrix import errors
from aegismatrix.errors import ArgumentError, list_some, shown
from aegismatrix.market.arrays import (
    FloatArray,
    Published,
    as_date,
    as_floats,
    as_real,
    check_lengths,
    read_only,
    source_named,
)
from aegismatrix.market.readers import Undated, read_csv_columns, read_frame_columns
from aegismatrix.market.sheets import path_text
from aegismatrix.market.thresholds import MAX_INDEX_POINTS, MIN_INDEX_POINTS
from aegismatrix.records import dataclass

if TYPE_CHECKING:
    import pandas as pd

MIN_STRIKES = 5
"""Fewer are a piece of a chain, not one."""

LEAST_STEP_POINTS = 0.01
"""No exchange lists strikes closer than a paisa or a cent."""

MAX_OPEN_INTEREST = 1e12
"""More contracts than any exchange has ever had open; up to it sums over strikes are exact."""

_STEP = "Give index points above 0, such as 50.0."
_COLUMNS = ("strike", "call open interest", "put open interest")


@dataclass(frozen=True, eq=False, repr=False)
class OptionChain(Published):
    """Open interest by strike; an instance that exists is valid.

    Make one with `from_csv`, `from_frame` or `from_arrays`.

    Attributes
    ----------
    strikes : ndarray of shape (K,), float64
        Index points, strictly rising, K at least 5.
    call_open_interest, put_open_interest : ndarray of shape (K,), float64
        Open contracts, or lots, at least 0; 0 where it was blank.
    source : str
        Where the chain came from.
    expiry : str or None
        When its options expire, ISO 8601.

    Examples
    --------
    >>> import aegismatrix as am
    >>> am.OptionChain.from_csv("option_chain.csv").strikes
    array([21500., 21600., 21700., 21800., 21900., 22000.])
    """

    strikes: FloatArray
    call_open_interest: FloatArray
    put_open_interest: FloatArray
    source: str = "arrays"
    expiry: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "source", source_named(self.source))
        for name in ("strikes", "call_open_interest", "put_open_interest"):
            values = as_floats(getattr(self, name), self.source, name)
            if name != "strikes":
                values = np.where(np.isnan(values), 0.0, values)
            object.__setattr__(self, name, read_only(values))
        check_lengths(
            {
                "strikes": self.strikes,
                "call_open_interest": self.call_open_interest,
                "put_open_interest": self.put_open_interest,
            }
        )
        if not len(self.strikes):
            raise errors.EmptyBarsError(self.source)
        self._check_strikes()
        self._check_open_interest()
        if self.expiry is not None:
            day = as_date(self.expiry, f"expiry of {self.source}")
            object.__setattr__(self, "expiry", str(day))

    @classmethod
    def from_arrays(
        cls,
        strikes: ArrayLike,
        call_open_interest: ArrayLike,
        put_open_interest: ArrayLike,
        *,
        expiry: str | date | None = None,
        source: str = "arrays",
    ) -> OptionChain:
        """Make a chain from arrays.

        Parameters
        ----------
        strikes : array-like of shape (K,)
            Index points, rising.
        call_open_interest, put_open_interest : array-like of shape (K,)
            Open contracts, or lots; NaN counts as 0.
        expiry : str or date, optional
            When the options expire.
        source : str
            What to call the chain in messages and reports.

        Raises
        ------
        ChainError, LengthMismatchError, UnreadableCellError, BarsError
            Naming rows and remedy.

        Examples
        --------
        >>> import aegismatrix as am
        >>> strikes = [21500, 21600, 21700, 21800, 21900, 22000]
        >>> calls, puts = [9, 12, 20, 31, 28, 15], [18, 30, 25, 14, 8, 3]
        >>> am.OptionChain.from_arrays(strikes, calls, puts, expiry="2024-01-04")
        OptionChain(6 strikes from arrays, 21500 to 22000, expiry 2024-01-04)
        """
        source = source_named(source)
        return cls(
            as_floats(strikes, source, "strikes"),
            as_floats(call_open_interest, source, "call_open_interest"),
            as_floats(put_open_interest, source, "put_open_interest"),
            source,
            None if expiry is None else str(as_date(expiry, f"expiry of {source}")),
        )

    @classmethod
    def from_csv(
        cls, path: str | os.PathLike[str], *, expiry: str | date | None = None
    ) -> OptionChain:
        """Make a chain from a CSV file.

        Parameters
        ----------
        path : path-like
            Columns strike (or strike price), call open interest (or call OI, calls OI, CE OI) and
            put open interest (or put OI, puts OI, PE OI), in any order and case; or NSE's own
            download, whose open interest left of STRIKE is the calls'; or its JSON as pandas
            normalises it.
        expiry : str or date, optional
            When the options expire. Where a column expiryDate says it of every row, the rows of
            that day are taken; give it if there are several.

        Raises
        ------
        BarsError
            One of its children, naming file, rows and remedy.

        Examples
        --------
        >>> import aegismatrix as am
        >>> am.OptionChain.from_csv("option_chain.csv", expiry="2024-01-04").expiry
        '2024-01-04'
        """
        name = os.path.basename(path_text(path))  # noqa: PTH119
        return cls._of(read_csv_columns(path, required=_COLUMNS), expiry, source_named(name))

    @classmethod
    def from_frame(
        cls, frame: pd.DataFrame | Any, *, expiry: str | date | None = None, source: str = "frame"
    ) -> OptionChain:
        """Make a chain from a frame of pandas (extra ``frames``) or Polars, or an Arrow table.

        Parameters
        ----------
        frame : DataFrame or Table
            Columns as for `from_csv`; in pandas the strike may be the index.
        expiry, source
            As for `from_csv` and `from_arrays`.

        Raises
        ------
        MissingExtraError
            If pandas is not installed, and the frame is of no other library that is known.
        BarsError
            As for `from_csv`.

        Examples
        --------
        >>> import pandas as pd
        >>> import aegismatrix as am
        >>> len(am.OptionChain.from_frame(pd.read_csv("option_chain.csv")))
        6
        """
        source = source_named(source)
        columns = read_frame_columns(frame, source=source, required=_COLUMNS)
        return cls._of(columns, expiry, source)

    @classmethod
    def _of(cls, table: Undated, expiry: str | date | None, source: str) -> OptionChain:
        columns = [table.columns[name] for name in _COLUMNS]
        if table.expiries is not None:
            said = [str(as_date(day, f"expiry of {source}")) for day in table.expiries]
            expiry = _expiry_among(said, expiry, source)
            kept = np.array([day == expiry for day in said])
            columns = [values[kept] for values in columns]
        strikes, calls, puts = columns
        return cls.from_arrays(strikes, calls, puts, expiry=expiry, source=source)

    def __len__(self) -> int:
        return len(self.strikes)

    def __repr__(self) -> str:
        expiry = "" if self.expiry is None else f", expiry {self.expiry}"
        return (
            f"OptionChain({len(self)} strikes from {self.source}, {self.strikes[0]:g} to"
            f" {self.strikes[-1]:g}{expiry})"
        )

    @property
    def smallest_step_points(self) -> float:
        """The smallest distance of two neighbouring strikes, index points."""
        return float(np.diff(self.strikes).min())

    def strikes_left_out(self, step_points: float) -> int:
        """Count the strikes that are not there between the first and the last.

        Parameters
        ----------
        step_points : float
            From one strike to the next on the exchange, index points.

        Examples
        --------
        >>> import aegismatrix as am
        >>> am.OptionChain.from_csv("option_chain.csv").strikes_left_out(50.0)
        5
        """
        step = as_real(step_points, "step_points", _STEP)
        if not LEAST_STEP_POINTS <= step <= MAX_INDEX_POINTS:
            raise ArgumentError("step_points", shown(step_points), remedy=_STEP)
        steps = np.rint(np.diff(self.strikes) / step).astype(np.int64)
        return int(np.maximum(steps - 1, 0).sum())

    def check_spot(self, spot: float) -> None:
        """Refuse a spot that these strikes cannot belong to.

        Parameters
        ----------
        spot : float
            Index points.

        Raises
        ------
        ChainError
            If spot does not lie within the strikes.

        Examples
        --------
        >>> import aegismatrix as am
        >>> am.OptionChain.from_csv("option_chain.csv").check_spot(21710.0)
        """
        lower, upper = float(self.strikes[0]), float(self.strikes[-1])
        given = spot if type(spot) is float else as_real(spot, "spot", "Give index points.")
        if not lower <= given <= upper:
            reason = f"spot is {given:g}"
            raise errors.ChainError(self.source, "other_index", reason, strikes=(lower, upper))

    def _check_strikes(self) -> None:
        strikes = self.strikes
        unusable = ~(np.isfinite(strikes) & (strikes > 0))
        if unusable.any():
            raise self._strike_error(
                "are blank, infinite or not above 0",
                unusable,
                "Correct these rows or drop them; a line of totals is no strike.",
            )
        absurd = (strikes < MIN_INDEX_POINTS) | (strikes > MAX_INDEX_POINTS)
        if absurd.any():
            raise self._strike_error(
                f"are not within {MIN_INDEX_POINTS:g} to {MAX_INDEX_POINTS:g} points",
                absurd,
                "Give strikes in index points; a line of totals is no strike.",
            )
        steps = np.diff(strikes, prepend=-np.inf)
        if (steps == 0).any():
            raise self._strike_error(
                "occur more than once", steps == 0, "Give one row for each strike, of one expiry."
            )
        if (steps < 0).any():
            raise self._strike_error(
                "are not in rising order; these are lower than the row before them",
                steps < 0,
                "Sort the chain by strike, lowest first, and give one expiry alone.",
            )
        if len(strikes) < MIN_STRIKES:
            reason = f"{len(strikes)} strikes, a chain has at least {MIN_STRIKES}"
            raise errors.ChainError(self.source, "too_few_strikes", reason)

    def _strike_error(self, what: str, mask: Any, remedy: str) -> errors.ChainError:
        rows = np.flatnonzero(mask).tolist()
        strikes = self.strikes[mask].tolist()
        return errors.ChainError(
            self.source, "strikes", what, rows=rows, strikes=strikes, remedy=remedy
        )

    def _check_open_interest(self) -> None:
        sides = {"call": self.call_open_interest, "put": self.put_open_interest}
        for side, values in sides.items():
            unusable = ~((values >= 0) & (values <= MAX_OPEN_INTEREST))
            if unusable.any():
                raise errors.ChainError(
                    self.source,
                    "open_interest",
                    f"{side} open interest is below 0 or not a number of contracts at",
                    rows=np.flatnonzero(unusable).tolist(),
                    strikes=self.strikes[unusable].tolist(),
                )
        for side, values in sides.items():
            if not values.any():
                raise errors.ChainError(
                    self.source, "open_interest", f"no {side} is open at any strike"
                )
        is_open = int(np.count_nonzero(self.call_open_interest))
        if is_open >= MIN_STRIKES and np.array_equal(sides["call"], sides["put"]):
            raise errors.ChainError(self.source, "same_sides", "both sides are equal")


def _expiry_among(said: Sequence[str], given: str | date | None, source: str) -> str:
    """Return the expiry to take of those that the rows of a chain name."""
    expiries = sorted(set(said))
    wanted = None if given is None else str(as_date(given, f"expiry of {source}"))
    if wanted is None and len(expiries) == 1:
        return expiries[0]
    if wanted in expiries:
        return wanted
    listed = list_some(expiries)
    if wanted is None:
        raise errors.ChainError(source, "expiries", f"has rows of several expiries: {listed}")
    raise errors.ChainError(source, "expiries", f"has no row of {wanted}, but of {listed}")
