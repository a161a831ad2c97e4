"""Print, for every threshold of bars, the figure of real bars that it comes from.

``python scripts/thresholds.py`` reads the bars of known markets (``AEGISMATRIX_MARKET``), and
prints a table in Markdown: that of docs/bars.md.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from aegismatrix_factory.evaluate.markets import known_sources
from numpy.typing import NDArray

from aegismatrix.market import thresholds
from aegismatrix.market.bars import Bars
from aegismatrix.market.readers import read_csv


@dataclass(frozen=True)
class Threshold:
    """One row of the table.

    Attributes
    ----------
    name : str
        Of the constant in `aegismatrix.market.thresholds`, or of a market's field.
    value : str
        What it is.
    figure : str
        The real figure that it comes from.
    """

    name: str
    value: str
    figure: str


def measured() -> Iterator[Threshold]:
    """Measure the bars of the known markets."""
    sources = known_sources()
    markets = {source.market.name: source.bars() for source in sources}
    nifty, other = markets["nifty"], markets["other"]
    prints = {s.market.name: read_csv(s.iv, required=("iv",)) for s in sources}
    closes = {name: table.columns["iv"] for name, table in prints.items()}
    both = (nifty, other)
    calendar = nifty.market.known_calendar()
    sessions = calendar.sessions(nifty.dates[0], nifty.dates[-1])
    missing = ~np.isin(sessions, nifty.dates)
    odd_as_nifty = ~np.isin(other.dates, calendar.sessions(calendar.first, calendar.last))
    odd_as_nifty = odd_as_nifty[other.dates >= np.datetime64(calendar.first)]
    moves = [float(np.abs(np.diff(np.log(bars.close))).max()) for bars in both]
    rows = len(nifty) + len(other)
    yield _row(
        "RECENT_SESSIONS",
        f"a report on each of {len(nifty)} days, but for those within 5 sessions after one of the"
        f" {missing.sum()} that the NIFTY bars lack",
    )
    yield _row("MAX_MISSING", f"{_most(missing)} of 252 are missing at most")
    yield _row(
        "MAX_UNEXPECTED",
        f"{len(nifty.days.unexpected)} of NIFTY's {len(nifty)} bars; of the S&P 500 as NIFTY at"
        f" least {_least(odd_as_nifty)} of any 252",
    )
    copies = [len(bars.prints.copies) for bars in both]
    yield _row("MAX_COPIES, FROZEN_ROWS", f"{sum(copies)} copies in {rows} rows of both indices")
    runs = ", ".join(f"{_longest_run(values)} ({name})" for name, values in closes.items())
    yield _row(
        "FROZEN_PRINTS",
        f"equal closes in a row at most: {runs}, in {sum(map(len, closes.values()))} prints",
    )
    pauses = [int(np.diff(bars.dates.astype(np.int64)).max()) for bars in both]
    yield _row("STALE_CALENDAR_DAYS", f"the longest pause is of {max(pauses)} days")
    yield _row(
        "MAX_GAP_CALENDAR_DAYS",
        f"the longest pause is of {max(pauses)} days in these bars",
    )
    shares = [
        _least(np.diff(bars.dates.astype(np.int64)) == 1, thresholds.INTERVAL_GAPS)
        / thresholds.INTERVAL_GAPS
        for bars in both
    ]
    yield _row(
        "NEIGHBOUR_SHARE",
        f"at least {min(shares):.2f} of any {thresholds.INTERVAL_GAPS} pauses; of weekly bars and"
        " of every second session 0",
    )
    yield Threshold(
        "Market.circuit_breaker",
        f"{nifty.market.circuit_breaker:g} (NIFTY)",
        f"the largest close to close is {np.expm1(-moves[0]):.1%}, of {_worst(nifty)}",
    )
    yield _row(
        "MAX_SESSION_MOVE",
        f"the largest of the S&P 500 is {moves[1]:.3f} in log, of {_worst(other)}; on 1987-10-19 it"
        " was 0.229 (282.70 to 224.84)",
    )
    back = ", ".join(f"{_largest_reverted(bars):.3f} ({bars.market.name})" for bars in both)
    yield _row(
        "REVERTED_SHARE, REVERTED_ROWS", f"the largest move that was taken back so: {back}, in log"
    )
    for name, figure in (
        ("MIN_IV_PERCENT", min(float(values.min()) for values in closes.values())),
        ("MAX_IV_PERCENT", max(float(values.max()) for values in closes.values())),
        ("MAX_IV_LOG_MOVE", max(_largest(values) for values in closes.values())),
    ):
        yield _row(name, f"{figure:.2f}")
    yield _row("MAX_LOG_MOVE", f"{max(moves):.2f}")
    yield _row(
        "IV_CARRY_TRADING_DAYS",
        f"{max((fill.trading_days for bars in both for fill in bars.iv_fills), default=0)} at most",
    )


def _row(names: str, figure: str) -> Threshold:
    values = [getattr(thresholds, name) for name in names.split(", ")]
    return Threshold(names, ", ".join(_written(value) for value in values), figure)


def _written(value: float) -> str:
    return f"1/{1 / value:.0f}" if 1 / value == 3 else f"{value:g}"


def _most(marked: NDArray[Any]) -> int:
    window = np.ones(thresholds.WINDOW_ROWS, dtype=np.int64)
    return int(np.convolve(marked.astype(np.int64), window).max())


def _least(marked: NDArray[Any], rows: int = thresholds.WINDOW_ROWS) -> int:
    window = np.ones(rows, dtype=np.int64)
    return int(np.convolve(marked.astype(np.int64), window, "valid").min())


def _longest_run(values: NDArray[Any]) -> int:
    changes = np.flatnonzero(np.diff(values))
    return int(np.diff(np.concatenate([[-1], changes, [len(values) - 1]])).max())


def _largest(values: NDArray[Any]) -> float:
    return float(np.abs(np.diff(np.log(values))).max())


def _worst(bars: Bars) -> str:
    return str(bars.dates[1:][np.abs(np.diff(np.log(bars.close))).argmax()])


def _largest_reverted(bars: Bars) -> float:
    log = np.log(bars.close)
    largest = 0.0
    for row in range(1, len(log) - 1):
        move = abs(log[row] - log[row - 1])
        left = np.abs(log[row + 1 : row + 1 + thresholds.REVERTED_ROWS] - log[row - 1]).min()
        if left <= thresholds.REVERTED_SHARE * move:
            largest = max(largest, float(move))
    return largest


def table() -> str:
    """Return the table in Markdown."""
    rows = [f"| `{one.name}` | {one.value} | {one.figure} |" for one in measured()]
    return "\n".join(["| threshold | value | in real bars |", "|---|---|---|", *rows])


if __name__ == "__main__":
    sys.stdout.write(table() + "\n")
