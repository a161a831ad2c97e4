"""What can be wrong with bars, files of bars, option chains, markets and days of a calendar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY
from typing import ClassVar

from aegismatrix.errors import AegisError, BarsError, CalendarError, Cases, list_some
from aegismatrix.records import dataclass

REPORT_BARS = 540
"""So many daily bars are enough for a report of any horizon with the bundled models."""


@dataclass(eq=False, repr=False)
class EmptyBarsError(BarsError):
    """There is not a single row."""

    problem = "{source} has no rows."
    remedy = (
        f"Give at least one row below the header; {REPORT_BARS} daily bars are enough for any"
        " report."
    )
    source: str


@dataclass(eq=False, repr=False)
class FileUnreadableError(BarsError):
    """A data file is missing, not readable, or not text."""

    problem = "{path} cannot be read: {reason}."
    path: str
    reason: str
    _: KW_ONLY
    remedy: str = "Give the path of a comma-separated text file in UTF-8 that you may read."


@dataclass(eq=False, repr=False)
class ColumnError(BarsError):
    """A column is missing or its header ambiguous; `found` are the headers that are there."""

    problem = "{source}: the column {column!r} {reason}; its headers are {headers}."
    column: str
    _: KW_ONLY
    source: str
    found: Sequence[str]
    reason: str = "is missing"
    remedy: str = (
        "Name the columns date, high, low, close and, where known, open (any case; 'Adj Close' is"
        " not 'close')."
    )

    @property
    def headers(self) -> list[str]:
        """The headers that are there, as Python writes them."""
        return list(self.found)


@dataclass(eq=False, repr=False, kw_only=True)
class UnreadableCellError(BarsError):
    """A cell is not what its column promises; `line` is 1 for the file's first."""

    problem = "{source}, line {line}: {text!r} is not a readable {column}."
    source: str
    line: int
    column: str
    text: str
    remedy: str


@dataclass(eq=False, repr=False)
class LengthMismatchError(BarsError):
    """Arrays that belong together have different lengths or more than one dimension."""

    problem = "The arrays do not fit together: {listed}."
    remedy = "Give one-dimensional arrays with one value per row."
    shapes: Mapping[str, tuple[int, ...]]

    @property
    def listed(self) -> str:
        """Every array and its shape."""
        return ", ".join(f"{name} {shape}" for name, shape in self.shapes.items())


@dataclass(eq=False, repr=False)
class BarRowsError(BarsError):
    """Some rows break a rule of bars: `kind` says which, `column` and `detail` say more."""

    cases: ClassVar[Cases] = {
        "unsorted": (
            "{source} is not in rising order of date; these are earlier than the row before them:"
            " {where}.",
            "Sort it by date, oldest first.",
        ),
        "duplicate": (
            "{source} has dates that occur more than once: {where}.",
            "Keep one bar for each; for daily bars, intraday rows must be aggregated first.",
        ),
        "contradicting": (
            "{source}: {column} is another one than in the files before it, on: {where}.",
            "Give files whose common rows are the same, or leave one of them out; the close of a"
            " day is another one before its session is over.",
        ),
        "not_finite": (
            "{source}: {column} is blank, NaN or infinite in: {where}.",
            "Drop these rows or fetch them again; a missing day of the volatility index may simply"
            " be left out.",
        ),
        "not_positive": (
            "{source}: {column} is not above 0 in: {where}.",
            "Correct these rows or drop them.",
        ),
        "inconsistent": (
            "{source}: {detail} in: {where}.",
            "Correct these rows, and check that no adjusted close stands beside unadjusted highs"
            " and lows.",
        ),
        "copied": (
            "{source}: these rows are copies of the row before, late or many: {where}.",
            "Fetch them again or drop them: no index prints the same high, low and close twice.",
        ),
        "frozen_iv": (
            "{source}: the volatility index stands still in these late rows: {where}.",
            "Fetch its prints again, or leave these days of it out.",
        ),
        "off_grid": (
            "{source}: these bars do not start on a multiple of {detail}: {where}.",
            "Stamp bars by their start, and leave out a last one that the feed stamps with the time"
            " of its last trade.",
        ),
        "interval": (
            "{source} has bars of {detail}, not of 5 minutes, beginning with: {where}.",
            "Give 5-minute bars, or leave them out: coarser ones have another volatility.",
        ),
        "stamped_by_end": (
            "{source}: each session begins at 09:20 IST, so that its bars may be stamped by their"
            " end, or lack the first one: {where}.",
            "Say which it is (stamps='end' or 'start', --intraday-stamps end).",
        ),
        "outside_session": (
            "{source}: the clock looks wrong, these bars start outside of {detail}: {where}.",
            "Stamps without an offset are read as UTC; write them with their offset, as in"
            " 2025-11-24T09:15:00+05:30, and give bars of regular sessions.",
        ),
    }
    source: str
    kind: str
    _: KW_ONLY
    column: str = ""
    detail: str = ""


@dataclass(eq=False, repr=False)
class ScaleError(BarsError):
    """Values of a column are in another unit than the one asked for; `seen` is a typical one."""

    problem = "{what}: {where}."
    column: str
    _: KW_ONLY
    seen: float
    what: str
    remedy: str


@dataclass(eq=False, repr=False, kw_only=True)
class FrozenBarsError(BarsError):
    """The last `count` rows are identical in `columns`: the feed stopped moving."""

    problem = "The last {count} bars have the same {listed}: the feed is frozen: {where}."
    remedy = "Fetch the data again; a forecast on frozen input would be a lie."
    count: int
    columns: Sequence[str] = ("high", "low", "close")

    @property
    def listed(self) -> str:
        """The columns, in words."""
        if len(self.columns) == 1:
            return self.columns[0]
        return f"{', '.join(self.columns[:-1])} and {self.columns[-1]}"


@dataclass(eq=False, repr=False)
class IntervalError(BarsError):
    """Bars are not daily ones: their stamps have another `interval`."""

    problem = "{source}: these are {interval} bars and not daily ones, as in: {where}."
    remedy = "Give one bar for every session, each stamped with its day."
    source: str
    _: KW_ONLY
    interval: str


@dataclass(eq=False, repr=False)
class StampError(BarsError):
    """Stamps of daily bars have a time of day and no time zone; `text` is the first."""

    problem = "{source} stamps days with a time of day and no time zone, such as {text}: {where}."
    remedy = (
        "Give the exchange's dates, or stamps with their offset from UTC; in pandas"
        " index.tz_localize('UTC') where they are UTC, index.normalize() where they are local."
    )
    source: str
    _: KW_ONLY
    text: str


@dataclass(eq=False, repr=False)
class MissingSessionsError(BarsError):
    """Sessions of the exchange have no bar: `kind` says whether late ones or many (`dates`)."""

    cases: ClassVar[Cases] = {
        "recent": (
            "{source} ends on {last} and lacks sessions among the {limit} before: {where}.",
            "Fetch these days from the exchange or the feed and add their rows; for a day on which"
            " the exchange was closed all the same give permit=('missing:{first}',) or --permit"
            " missing:{first}.",
        ),
        "many": (
            "{source} ends on {last} and lacks more than {limit} of the 252 sessions before:"
            " {where}.",
            "Fetch these days from the exchange or the feed and add their rows; for a day on which"
            " the exchange was closed all the same give permit=('missing:{first}',) or --permit"
            " missing:{first}.",
        ),
    }
    source: str
    kind: str
    _: KW_ONLY
    last: str
    limit: int

    @property
    def first(self) -> str:
        """The first of the days."""
        return self.dates[0] if self.dates else self.last


@dataclass(eq=False, repr=False)
class UnexpectedSessionsError(BarsError):
    """Bars are of days on which the exchange held no session; `kind` says what that looks like."""

    cases: ClassVar[Cases] = {
        "other_market": (
            "{source}: {count} of {total} bars are of days that were no sessions ({calendar}):"
            " {where}.",
            "If these are bars of another market, say so: market='other', --market other, or a"
            " market of your own.",
        ),
        "day_early": (
            "{source}: its dates are a day early, {count} of {total} bars are of days that were no"
            " sessions, most of them Sundays ({calendar}): {where}.",
            "These look like exchange midnights written in UTC: give stamps with their offset, or"
            " index.tz_convert('Asia/Kolkata').tz_localize(None) in pandas.",
        ),
        "other_iv": (
            "{source}: {count} of {total} prints of the volatility index are of days that were no"
            " sessions ({calendar}): {where}.",
            "Give the volatility index of the market that the bars are of, each print under the"
            " day of its session.",
        ),
        "filled_forward": (
            "{source}: {count} of {total} bars are of days that were no sessions ({calendar}), and"
            " show no trade: {where}.",
            "Drop these rows: they are the close of the session before, filled forward.",
        ),
    }
    source: str
    kind: str
    _: KW_ONLY
    count: int
    total: int
    calendar: str


@dataclass(eq=False, repr=False)
class SpikeError(BarsError):
    """Rows move by more than `limit`, further than a session goes."""

    cases: ClassVar[Cases] = {
        "reverted": (
            "{source}: these rows move by more than {limit}, and are back within days: {where}.",
            "Fetch these rows again; a real move is permitted by its day: permit=('move:{day}',) or"
            " --permit move:{day}.",
        ),
        "unsettled": (
            "{source}: these late rows move by more than {limit}: {where}.",
            "Fetch these rows again; a real move is permitted by its day: permit=('move:{day}',) or"
            " --permit move:{day}.",
        ),
    }
    source: str
    kind: str
    _: KW_ONLY
    limit: str

    @property
    def day(self) -> str:
        """The first of the days."""
        return self.dates[0] if self.dates else ""


@dataclass(eq=False, repr=False)
class PermitError(BarsError):
    """What should permit an exception is no kind of one with a day."""

    problem = "{given!r} permits nothing that is known."
    remedy = "Write KIND:DATE with a kind among {listed} and a day as YYYY-MM-DD."
    given: str
    _: KW_ONLY
    kinds: Sequence[str]

    @property
    def listed(self) -> str:
        """The kinds, in words."""
        return ", ".join(self.kinds)


@dataclass(eq=False, repr=False)
class FutureBarsError(BarsError):
    """A bar is dated later than today, anywhere on Earth, or starts later than now."""

    problem = "{source} has dates after {today}: {where}."
    source: str
    _: KW_ONLY
    today: str
    remedy: str = "Check the date format and the clock of this machine."


@dataclass(eq=False, repr=False)
class CalendarGapError(BarsError):
    """The history has a hole of more than `limit_days` calendar days: too long for a holiday."""

    problem = "{source} has a hole of more than {limit_days} calendar days before: {where}."
    remedy = (
        "Fill the hole, or start after it (start=..., --start): returns across a hole would pass"
        " for one day's."
    )
    source: str
    _: KW_ONLY
    limit_days: int


@dataclass(eq=False, repr=False, kw_only=True)
class IvUnavailableError(BarsError):
    """No volatility print within `carry_days` trading days for some days of the index."""

    problem = (
        "The volatility index has no print at or before these days of the index, nor one in the"
        " {carry_days} trading days before them: {where}."
    )
    remedy = (
        "Give its missing days, or cut the index to the span that it covers (start=..., --start)."
    )
    carry_days: int


@dataclass(eq=False, repr=False)
class StaleOvernightBarsError(BarsError):
    """The US bars lack sessions `wanted` (ISO days) that close before NSE opens next."""

    problem = (
        "{source} lacks US sessions that must have closed before NSE's next open, or their VIX:"
        " {listed}; its last bar is of {last}."
    )
    remedy = (
        "Fetch the US bars after 21:00 UTC and before NSE opens, or leave them out: the rest of the"
        " report needs none."
    )
    source: str
    _: KW_ONLY
    wanted: Sequence[str]
    last: str

    @property
    def listed(self) -> str:
        """The first of the missing sessions, and how many more there are."""
        return list_some(self.wanted)


@dataclass(eq=False, repr=False)
class ChainError(BarsError):
    """An option chain is wrong: `kind` says how, `strikes` and `rows` say where."""

    cases: ClassVar[Cases] = {
        "strikes": ("{source}: strikes {reason}: {listed}.", "Correct these rows."),
        "too_few_strikes": ("{source} has {reason}.", "Give all strikes of one expiry."),
        "expiries": (
            "{source} {reason}.",
            "Give the expiry of this market (expiry=..., --chain-expiry DATE).",
        ),
        "open_interest": (
            "{source}: {reason}{at_strikes}.",
            "Give the number of open contracts, or of open lots throughout, of calls and of puts;"
            " blank counts as 0.",
        ),
        "same_sides": (
            "{source}: calls and puts have the same open interest at every strike, so one column"
            " stands in for both.",
            "Give the open interest of calls and that of puts, each in its own column.",
        ),
        "expiry": (
            "The option chain {source} is of {reason}.",
            "Give the chain of an expiry to come, and its day (expiry=..., --chain-expiry DATE).",
        ),
        "other_index": (
            "{source} is not of this index, or old: its strikes are {strikes[0]:g} to"
            " {strikes[1]:g}, {reason}.",
            "Give today's chain of the same index, all strikes of one expiry.",
        ),
    }
    source: str
    kind: str
    reason: str
    _: KW_ONLY
    strikes: Sequence[float] = ()
    remedy: str = ""

    @property
    def listed(self) -> str:
        """The first of the rows with their strikes, and how many more there are."""
        pairs = zip(self.rows, self.strikes, strict=False)
        return list_some([f"row {row} ({strike:g})" for row, strike in pairs], len(self.rows))

    @property
    def at_strikes(self) -> str:
        """Where it is, or nothing where it is everywhere."""
        named = list_some([f"strike {strike:g}" for strike in self.strikes])
        return f": {named}" if named else ""


@dataclass(eq=False, repr=False)
class CalendarDayError(CalendarError):
    """What was given is not a day."""

    problem = "{given} is not a day."
    remedy = "Give the exchange's date, or ISO 8601 (2026-11-23); session_at reads moments."
    given: str


@dataclass(eq=False, repr=False)
class CalendarRangeError(CalendarError):
    """The `day` lies beyond what is known, from `first` to `last`, both included (ISO 8601)."""

    problem = "{day} asks for more than is known: {what}, {first} to {last}."
    what: str
    _: KW_ONLY
    day: str
    first: str
    last: str
    remedy: str = "Update the package, or give the horizon in trading days instead of dates."


class MarketError(AegisError, ValueError):
    """Family: a market is not one, by an unknown name or fields that do not go together."""


@dataclass(eq=False, repr=False)
class MarketFileError(MarketError):
    """A market file, or a calendar's table, does not say what it should; `reason` says where."""

    problem = "{path} describes no {what}: {reason}."
    remedy = "Write it as docs/markets.md says, one JSON object or a table of date and kind."
    path: str
    reason: str
    what: str = "market"


@dataclass(eq=False, repr=False)
class UndecidableEventError(AegisError):
    """Nothing here can say whether what is called `event` happened, for this `reason`."""

    problem = "Events of the kind {event!r} cannot be decided: {reason}."
    remedy = (
        "Install the package of the model that forecasts them, in the version that it was trained"
        " with."
    )
    event: str
    reason: str
