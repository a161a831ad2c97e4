"""What every source of bars is, and what it hands over."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Protocol

from aegismatrix.desk.json_text import stamp_of
from aegismatrix.market.bars import Bars
from aegismatrix.market.intraday import IntradayBars
from aegismatrix.records import dataclass


@dataclass(frozen=True)
class Fetched:
    """Bars as a source handed them over.

    Attributes
    ----------
    bars : Bars
        Daily bars with their volatility index.
    intraday : IntradayBars or None
        Five-minute bars, where the source has any.
    fetched_at : datetime
        When they were taken from where they come from, UTC; of several requests the earliest.
    stale_for : timedelta or None
        None if they were taken now. Otherwise how old they are: a fetch failed, and bars kept
        from `fetched_at` stand in, as the caller had allowed.
    notes : tuple of str
        What was left out or is odd, a sentence each.
    """

    bars: Bars
    intraday: IntradayBars | None
    fetched_at: datetime
    stale_for: timedelta | None = None
    notes: tuple[str, ...] = ()

    @property
    def freshness(self) -> str:
        """How fresh the bars are, in words."""
        moment = stamp_of(self.fetched_at)
        if self.stale_for is None:
            return f"fetched {moment}, last bar {self.bars.dates[-1]}"
        return (
            f"{age_in_words(self.stale_for)} old: from the cache, fetched {moment}, last bar"
            f" {self.bars.dates[-1]}"
        )


class BarSource(Protocol):
    """Where bars come from: anything that can describe itself and fetch."""

    @property
    def description(self) -> str:
        """What it reads, in a few words."""
        ...

    def fetch(self) -> Fetched:
        """Take the bars from where they come from.

        Returns
        -------
        Fetched

        Raises
        ------
        AegisError
            A child that says what is wrong and the remedy.
        """
        ...


def age_in_words(age: timedelta) -> str:
    """Say an age in its two largest units, rounded down."""
    minutes = int(age.total_seconds()) // 60
    days, hours, minutes = minutes // 1_440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def utc_now() -> datetime:
    """Return this machine's time, aware, UTC."""
    return datetime.now(timezone.utc)
