"""Hostile market data: real bars cut at random places and mutated, and bytes of every kind."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from aegismatrix_factory.evaluate.markets import MarketDataNotFoundError, known_sources
from hypothesis import strategies as st

import aegismatrix as am
from aegismatrix.desk.sources.sample import sample_bars
from aegismatrix.errors import AegisError
from aegismatrix.market.market import NIFTY

Columns = dict[str, Any]
Draw = Callable[[st.SearchStrategy[Any]], Any]

PRICES = ("open", "high", "low", "close")
SCALES = (1e-6, 1e-4, 1e-3, 0.01, 0.1, 10.0, 100.0, 1e4, 1e6)
EXTREMES = (0.0, -0.0, -1.0, np.nan, np.inf, -np.inf, 5e-324, 1e-308, 1e-300, 1e300, 1.7e308)
JUNK: tuple[Any, ...] = (
    *(None, "", "x", "2024-02-30", "2024", 0, 1.5, True, float("nan"), b"2024-01-01", object()),
    *(np.datetime64("NaT", "D"), np.datetime64("-0044-03-15"), np.datetime64("12024-01-01")),
    *(date.min, date.max, datetime.min, datetime.max, datetime.max.replace(tzinfo=timezone.utc)),
    *(datetime(2024, 1, 1), datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=-12)))),
    *(["2024-01-01", "2024-01-02"], [], {}, np.datetime64("2024-01-01T00:00", "m"), pd.NaT),
)
"""In place of a day or moment."""

DAYS: tuple[Any, ...] = (
    *("2015-01-05", "2016-06-30T10:00:00+05:30", date(2014, 1, 2), datetime(2017, 3, 4, 5, 6)),
    *(np.datetime64("2013-07-04"), pd.Timestamp("2016-01-01"), "2099-12-31", "1900-01-01"),
)


@dataclass(frozen=True)
class AnalysisCase:
    """What `analyze` is called with; where making one of its inputs fails, the error counts.

    Attributes
    ----------
    bars : callable
        Makes the daily bars.
    options : dict
        Keywords, those of `made` not among them.
    made : dict of str to callable
        Makes inputs that may be refused themselves: intraday, chain, overnight.
    """

    bars: Callable[[], am.Bars]
    options: dict[str, Any]
    made: Mapping[str, Callable[[am.Bars], Any]]


def chance(draw: Draw, percent: int) -> bool:
    """Happen so often: hypothesis draws the ends of a range more often than its middle."""
    drawn: int = draw(st.integers(0, 99))
    return 40 <= drawn < 40 + percent


@cache
def real_markets() -> Mapping[str, tuple[am.Bars, ...]]:
    """Real bars by market: the embedded sample always, others where they are."""
    markets: dict[str, list[am.Bars]] = {"nifty": [], "other": [sample_bars()]}
    with contextlib.suppress(MarketDataNotFoundError):
        for source in known_sources():
            bars = source.bars()
            markets[bars.market.name].append(bars)
    if not markets["nifty"]:
        # Without bars of NIFTY the sample goes through NIFTY's rules: its days, its calendar.
        (sample,) = markets["other"]
        days = NIFTY.known_calendar().sessions("2013-01-01", "2018-12-31")[-len(sample) :]
        given = {**columns_of(sample), "dates": days, "market": "nifty"}
        markets["nifty"].append(am.Bars(**given))
    return {market: tuple(of_market) for market, of_market in markets.items()}


def columns_of(bars: am.Bars) -> Columns:
    """Return bars as arrays that may be written to."""
    names = ("dates", "high", "low", "close", "iv")
    return {name: getattr(bars, name).copy() for name in names}


@st.composite
def windows(draw: Draw, market: str, least: int, most: int) -> Columns:
    """Cut real bars at a random place."""
    bars = draw(st.sampled_from(real_markets()[market]))
    rows = draw(st.integers(least, min(most, len(bars))))
    # Mostly late, where forecasts that had not seen their windows exist.
    start = len(bars) - rows - draw(st.integers(0, len(bars) - rows))
    columns = columns_of(bars[start : start + rows])
    columns["open"] = np.clip(np.roll(columns["close"], 1), columns["low"], columns["high"])
    return columns


def moved(columns: Columns, factor: Any) -> None:
    for name in PRICES:
        if name in columns:
            columns[name] = columns[name] * factor


def span_of(draw: Draw, columns: Columns) -> slice:
    """A stretch, often at the end, where it counts most."""
    rows = len(columns["close"])
    length = draw(st.integers(1, max(1, min(rows, draw(st.sampled_from((3, 20, 300)))))))
    back = draw(st.one_of(st.just(0), st.integers(0, max(0, rows - length))))
    return slice(rows - back - length, rows - back)


def scaled(draw: Draw, columns: Columns) -> None:
    moved(columns, draw(st.sampled_from(SCALES)))


def far_away(draw: Draw, columns: Columns) -> None:
    moved(columns, 10.0 ** draw(st.integers(-320, 304)))


@cache
def nse_sessions() -> Any:
    """Every session that NSE's calendar declares."""
    return NIFTY.known_calendar().sessions("2010-01-01", "2026-12-31")


def shifted(draw: Draw, columns: Columns) -> None:
    """To other years: bars of NSE to as many of its sessions, others by weeks."""
    dates, sessions = columns["dates"], nse_sessions()
    special = np.array(sorted(NIFTY.known_calendar().special), dtype="datetime64[D]")
    of_nse = np.isin(dates, sessions) | np.isin(dates, special)
    if of_nse.all() and not chance(draw, 10):
        start = draw(st.integers(0, len(sessions) - len(dates)))
        columns["dates"] = sessions[start : start + len(dates)]
        return
    weeks = draw(st.one_of(st.integers(-600, 90), st.sampled_from((-90_000, 10_000, 400_000))))
    columns["dates"] = columns["dates"] + np.timedelta64(7 * weeks, "D")


def drifting(draw: Draw, columns: Columns) -> None:
    """Up or down every day by as much, however far that leads."""
    step = draw(st.sampled_from((-0.4, -0.05, -0.003, 0.003, 0.05, 0.4)))
    moved(columns, np.exp(step * np.arange(len(columns["close"]))))


def livelier(draw: Draw, columns: Columns) -> None:
    """The same path in log, with other deviations."""
    _with_deviations(columns, draw(st.sampled_from((1e-6, 0.01, 0.3, 2.0))))


def lifeless(draw: Draw, columns: Columns) -> None:
    """With none, or with those of no market."""
    _with_deviations(columns, draw(st.sampled_from((0.0, 1e-12, 5.0))))


def _with_deviations(columns: Columns, factor: float) -> None:
    base = columns["close"][0]
    for name in PRICES:
        columns[name] = base * (columns[name] / base) ** factor


def alternating(draw: Draw, columns: Columns) -> None:
    """There and back every other day, within what the circuit breakers leave."""
    _alternate(draw, columns, (1e-9, 0.01, 0.1, 0.15))


def back_and_forth(draw: Draw, columns: Columns) -> None:
    """The same beyond them."""
    _alternate(draw, columns, (0.2, 0.45))


def _alternate(draw: Draw, columns: Columns, sizes: tuple[float, ...]) -> None:
    part = span_of(draw, columns)
    size = draw(st.sampled_from(sizes))
    for name in PRICES:
        count = len(columns[name][part])
        columns[name][part] *= np.exp(size * (np.arange(count) % 2))


def spiked(draw: Draw, columns: Columns) -> None:
    """One late row moved, within what the circuit breakers leave."""
    _spike(draw, columns, (0.88, 0.95, 1.02, 1.12))


def spiked_far(draw: Draw, columns: Columns) -> None:
    """The same beyond them."""
    _spike(draw, columns, (0.7, 1.3, 1.6))


def _spike(draw: Draw, columns: Columns, factors: tuple[float, ...]) -> None:
    row = draw(st.integers(-40, -1))
    moved_by = draw(st.sampled_from(factors))
    for name in PRICES:
        columns[name][row] *= moved_by


def wide(draw: Draw, columns: Columns) -> None:
    part = span_of(draw, columns)
    columns["high"][part] = columns["close"][part] * draw(st.sampled_from((1.0, 1.1, 1.27)))
    columns["low"][part] = columns["close"][part] / draw(st.sampled_from((1.0, 1.1, 1.27)))


def without_range(draw: Draw, columns: Columns) -> None:
    part = span_of(draw, columns)
    for name in ("open", "high", "low"):
        columns[name][part] = columns["close"][part]


def constant(draw: Draw, columns: Columns) -> None:
    """Prices that stand still, while the volatility index moves."""
    part = span_of(draw, columns)
    for name in PRICES:
        columns[name][part] = columns["close"][part][0]


def constant_iv(draw: Draw, columns: Columns) -> None:
    """A volatility index that stood still once."""
    part = span_of(draw, columns)
    part = slice(part.start, min(part.stop, len(columns["iv"]) - 10))
    columns["iv"][part] = columns["iv"][part][:1]


def stuck_iv(draw: Draw, columns: Columns) -> None:
    """One that stands still now, or always did."""
    part = span_of(draw, columns)
    columns["iv"][part] = columns["iv"][part][0]
    if draw(st.booleans()):
        columns["iv"][:] = draw(st.sampled_from((2.0, 2.0000001, 13.0, 90.0, 250.0)))


def other_iv(draw: Draw, columns: Columns) -> None:
    columns["iv"] = np.clip(columns["iv"] * draw(st.sampled_from((0.3, 0.5, 2.0, 3.0))), 2, 250)


def clipped_iv(draw: Draw, columns: Columns) -> None:
    """At the ends of what there may be."""
    columns["iv"] = np.clip(columns["iv"] * draw(st.sampled_from((0.05, 20.0))), 2, 250)


def of_weekends(draw: Draw, columns: Columns) -> None:
    columns["dates"] = columns["dates"][-1] - np.arange(len(columns["dates"]))[::-1]


def thinned(draw: Draw, columns: Columns) -> None:
    """Old days missing here and there, as feeds lack them."""
    _thin(columns, draw(st.integers(1, 9)), draw(st.integers(40, 90)), kept_days=7)


def full_of_holes(draw: Draw, columns: Columns) -> None:
    """Many days missing, late ones too."""
    _thin(columns, draw(st.integers(1, 9)), draw(st.integers(3, 40)), kept_days=1)


def _thin(columns: Columns, first: int, step: int, kept_days: int) -> None:
    keep = np.ones(len(columns["close"]), dtype=bool)
    keep[first::step] = False
    keep[-kept_days:] = True
    for name, values in columns.items():
        columns[name] = values[keep]


def hole(draw: Draw, columns: Columns) -> None:
    part = span_of(draw, columns)
    for name, values in columns.items():
        columns[name] = np.delete(values, part)


def poked(draw: Draw, columns: Columns) -> None:
    """A single value that no market has."""
    name = draw(st.sampled_from(("open", "high", "low", "close", "iv")))
    row = draw(st.integers(0, len(columns[name]) - 1)) if len(columns[name]) else None
    if row is not None:
        columns[name] = columns[name].astype(float)
        columns[name][row] = draw(st.one_of(st.sampled_from(EXTREMES), st.floats(width=64)))


def swapped(draw: Draw, columns: Columns) -> None:
    one, other = draw(st.permutations(sorted(columns)))[:2]
    columns[one], columns[other] = columns[other], columns[one]


def unsorted(draw: Draw, columns: Columns) -> None:
    order = draw(st.sampled_from((slice(None, None, -1), slice(None, None, 2))))
    columns["dates"] = np.concatenate([columns["dates"][order], columns["dates"]])[
        : len(columns["dates"])
    ]


def repeated(draw: Draw, columns: Columns) -> None:
    row = draw(st.integers(0, max(0, len(columns["close"]) - 1)))
    for name, values in columns.items():
        columns[name] = np.insert(values, row, values[row : row + 1])


def split(draw: Draw, columns: Columns) -> None:
    part = span_of(draw, columns)
    for name in PRICES:
        columns[name][part] *= draw(st.sampled_from((0.1, 0.5, 2.0, 10.0)))


def other_unit_of_iv(draw: Draw, columns: Columns) -> None:
    part = draw(st.sampled_from((slice(None), slice(-5, None), slice(0, 7))))
    columns["iv"][part] *= draw(st.sampled_from((0.01, 100.0, 1e4)))


def frozen(draw: Draw, columns: Columns) -> None:
    rows = draw(st.integers(1, 5))
    for name in (*PRICES, "iv"):
        columns[name][-rows:] = columns[name][-1]


def cut_short(draw: Draw, columns: Columns) -> None:
    rows = draw(st.integers(0, 480))
    for name, values in columns.items():
        columns[name] = values[:rows]


def of_unequal_length(draw: Draw, columns: Columns) -> None:
    name = draw(st.sampled_from(sorted(columns)))
    columns[name] = columns[name][: draw(st.integers(0, 3))]


Mutation = Callable[[Draw, Columns], None]
SURVIVABLE: tuple[Mutation, ...] = (
    *(scaled, shifted, drifting, livelier, alternating, spiked, wide, without_range),
    *(constant_iv, other_iv, thinned),
)
"""What bars may well go through and still be bars."""

DEADLY: tuple[Mutation, ...] = (
    *(hole, poked, swapped, unsorted, repeated, split, other_unit_of_iv, frozen, cut_short),
    *(of_unequal_length, far_away, lifeless, back_and_forth, spiked_far, constant, stuck_iv),
    *(clipped_iv, of_weekends, full_of_holes),
)
"""What bars should not, or seldom, go through."""


OF_PATHS: tuple[Mutation, ...] = (livelier, alternating, spiked, wide, without_range)
"""Those that need no calendar: five-minute bars go through them too."""


def mutate(draw: Draw, columns: Columns, deadly: int) -> None:
    """Let up to three survivable and so many deadly things happen to bars, in random order."""
    chosen = [draw(st.sampled_from(SURVIVABLE)) for _ in range(draw(st.integers(0, 3)))]
    chosen += [draw(st.sampled_from(DEADLY)) for _ in range(deadly)]
    for mutation in draw(st.permutations(chosen)):
        # A second mutation may meet what the first has left: dates among prices, or nothing.
        with (
            contextlib.suppress(IndexError, TypeError, ValueError, KeyError),
            np.errstate(all="ignore"),
        ):
            mutation(draw, columns)


@st.composite
def hostile_columns(draw: Draw, market: str, least: int = 1, most: int = 60) -> Columns:
    columns: Columns = draw(windows(market, least, most))
    mutate(draw, columns, draw(st.sampled_from((0, 0, 1, 2))))
    return columns


def _masked(values: Any) -> Any:
    return np.ma.masked_array(values, mask=np.arange(len(values)) == len(values) // 2)


def _strided(values: Any) -> Any:
    spread = np.empty(2 * len(values), dtype=values.dtype)
    spread[::2] = values
    return spread[::2]


def _read_only(values: Any) -> Any:
    values = values.copy()
    values.flags.writeable = False
    return values


def _swapped_bytes(values: Any) -> Any:
    return values.astype(values.dtype.newbyteorder())


FORMS: tuple[tuple[str, Callable[[Any], Any]], ...] = (
    ("list", lambda v: v.tolist()),
    ("tuple", lambda v: tuple(v.tolist())),
    ("strings", lambda v: v.astype(str)),
    ("bytes", lambda v: v.astype("S")),
    ("object", lambda v: v.astype(object)),
    ("masked", _masked),
    ("nothing masked", np.ma.masked_array),
    ("strided", _strided),
    ("read-only", _read_only),
    ("byte order", _swapped_bytes),
    ("reversed", lambda v: v[::-1][::-1]),
    ("column", lambda v: v.reshape(-1, 1)),
    ("scalar", lambda v: v[0]),
    ("none", lambda v: None),
    ("iterator", iter),
    ("dict", lambda v: dict(enumerate(v))),
    ("ragged", lambda v: [*v[:-1], [1, 2]]),
    ("series", pd.Series),
    ("categorical", lambda v: pd.Series(pd.Categorical(v))),
    ("index", pd.Index),
    ("float32", lambda v: v.astype(np.float32)),
    ("float16", lambda v: v.astype(np.float16)),
    ("long double", lambda v: v.astype(np.longdouble) * np.longdouble("1e400")),
    ("complex", lambda v: v.astype(np.complex128) + 1j),
    ("masked complex", lambda v: np.ma.masked_array(v.astype(np.complex128) + 1j)),
    ("integers", lambda v: v.astype(np.int64)),
    ("bool", lambda v: v.astype(bool)),
    ("decimals", lambda v: [Decimal(repr(float(one))) for one in v]),
    ("fractions", lambda v: [Fraction(10**400)] * len(v)),
    ("huge integers", lambda v: [10**400] * len(v)),
    ("days", lambda v: v.astype("datetime64[D]")),
    ("seconds", lambda v: v.astype("datetime64[s]")),
    ("nanoseconds", lambda v: v.astype("datetime64[ns]")),
    ("years", lambda v: (v.astype("datetime64[Y]").astype(np.int64) * 2**50).view("datetime64[Y]")),
    ("spans", lambda v: v.astype("timedelta64[D]")),
    ("junk", lambda v: [JUNK[i % len(JUNK)] for i in range(len(v))]),
    ("record", lambda v: np.array([(1, 2.0)] * len(v), dtype=[("a", int), ("b", float)])),
    ("time zone", lambda v: pd.DatetimeIndex(v).tz_localize("Asia/Kolkata")),
    ("periods", lambda v: pd.PeriodIndex(v, freq="D")),
)
"""As people hand over arrays; a form that the values do not have leaves them as they are."""

HARMLESS_FORMS = {
    *("list", "tuple", "object", "nothing masked", "strided", "read-only", "byte order"),
    *("reversed", "series", "index"),
}


def reformed(draw: Draw, columns: Columns) -> bool:
    """Give one column, or all, another form; say whether it still means the same."""
    same = True
    every = chance(draw, 10)
    chosen = draw(st.sampled_from(("none", "none", "none", *sorted(columns))))
    for name in sorted(columns) if every else [chosen]:
        if name in columns:
            label, form = draw(st.sampled_from(FORMS))
            with (
                contextlib.suppress(TypeError, ValueError, IndexError, OverflowError),
                np.errstate(all="ignore"),
            ):
                columns[name] = form(columns[name])
                same &= label in HARMLESS_FORMS
    return same


@st.composite
def day_options(draw: Draw) -> dict[str, Any]:
    """`start`, `end` and `today`, mostly left out."""
    if not chance(draw, 20):
        return {}
    given = draw(st.sets(st.sampled_from(("start", "end", "today")), min_size=1, max_size=2))
    return {name: draw(st.sampled_from((*DAYS, *JUNK))) for name in sorted(given)}


COLUMN_FORMS: tuple[Callable[[Any], Any], ...] = (
    *(lambda v: v.astype("Float64"), lambda v: v.astype(object), lambda v: v.astype(str)),
    *(lambda v: v.astype("string"), lambda v: v.astype("category"), lambda v: v.astype("float32")),
    *(lambda v: v.astype("float16"), lambda v: v.astype("Int64"), lambda v: v.astype("boolean")),
    *(lambda v: v.astype("complex128"), lambda v: v.astype(pd.SparseDtype("float64"))),
    *(
        lambda v: v.astype("Float64").mask(v.index == v.index[0]),
        lambda v: v.astype("timedelta64[s]"),
    ),
    *(lambda v: v.map(lambda one: Decimal(repr(one))), lambda v: v.map("{:,.2f}".format)),
    *(lambda v: v.map("{:.3e}".format), lambda v: v.map(lambda one: [one])),
    *(lambda v: v.map(lambda one: None), lambda v: v.astype(object).where(v > v.median(), "-")),
    *(lambda v: v.astype("longdouble") * np.longdouble("1e400"), lambda v: -v),
)
INDEX_FORMS: tuple[Callable[[Any], Any], ...] = (
    *(lambda f: f, lambda f: f.tz_localize("Asia/Kolkata"), lambda f: f.tz_localize("UTC")),
    *(lambda f: f.tz_localize("America/New_York"), lambda f: f.reset_index(names="Date")),
    *(lambda f: f.set_axis(f.index.as_unit("s")), lambda f: f.set_axis(f.index.as_unit("ns"))),
    *(lambda f: f.set_axis(f.index.to_period("D")), lambda f: f.set_axis(f.index.astype(str))),
    *(lambda f: f.set_axis(f.index + pd.Timedelta("15h30min")), lambda f: f.reset_index(drop=True)),
    *(lambda f: f.set_axis(f.index.as_unit("ns") + pd.Timedelta(7, "ns")), lambda f: f[::-1]),
    *(lambda f: f.set_axis(f.index.where(f.index != f.index[0])), lambda f: f.iloc[:0]),
    *(lambda f: f.set_axis(f.index.map(lambda one: one.date())).reset_index(names="date"),),
    *(lambda f: f.set_axis(f.index.strftime("%d-%b-%Y")).reset_index(names="trade date"),),
    *(lambda f: f.set_axis(f.index.strftime("%d/%m/%Y")).reset_index(names="date"),),
    *(lambda f: f.set_axis(f.index.tz_localize("UTC").astype(object)).reset_index(names="time"),),
    *(lambda f: f.set_axis(f.index.astype("category")), lambda f: f.T, lambda f: f.iloc[:, :0]),
    *(lambda f: f.reset_index(names="date").assign(date=f.index.to_period("D")),),
    *(lambda f: f.reset_index(names="date").astype({"date": "category"}),),
    *(lambda f: f.reset_index(names="date").astype({"date": "string"}),),
    *(lambda f: f.set_axis(pd.MultiIndex.from_product([["NIFTY"], f.index])),),
    *(lambda f: f.set_axis(far_years(f.index.as_unit("s"))),),
)
HEADER_FORMS: tuple[Callable[[Any], Any], ...] = (
    *(lambda f: f, lambda f: f.rename(columns=str.upper), lambda f: f.rename(columns={"close": 3})),
    *(lambda f: pd.concat({"^NSEI": f}, axis=1), lambda f: pd.concat({"^VIX": f}, axis=1)),
    *(
        lambda f: pd.concat({"^NSEI": f}, axis=1).swaplevel(axis=1),
        lambda f: pd.concat([f, f], axis=1),
    ),
    *(
        lambda f: f.rename(columns={"close": "Adj Close"}),
        lambda f: f.rename(columns={"iv": "VIX"}),
    ),
    *(lambda f: f.iloc[:, 0], lambda f: f.to_numpy(), lambda f: f.to_dict(), lambda f: None),
    *(lambda f: f.rename(columns={"close": None}), lambda f: f.rename(columns={"high": (1, "x")})),
    *(lambda f: f.set_axis(pd.CategoricalIndex(f.columns), axis=1), lambda f: f.iloc[:, ::-1]),
    *(lambda f: f.set_axis(pd.DatetimeIndex(["2024-01-01"] * f.shape[1]), axis=1),),
)


def far_years(index: Any) -> Any:
    """Days of years that Python's dates do not reach."""
    return pd.DatetimeIndex(index.to_numpy() + np.timedelta64(3_000_000, "D"))


@st.composite
def hostile_frames(draw: Draw, columns: Columns, names: tuple[str, ...]) -> tuple[Any, bool]:
    """Make a frame of columns, and say whether it still means the same."""
    same = True
    rows = min(len(columns[name]) for name in names[1:])
    days = columns[names[0]][:rows]
    frame: Any = pd.DataFrame({name: columns[name][:rows] for name in names[1:]})
    same &= all(len(columns[name]) == rows for name in names)
    with contextlib.suppress(TypeError, ValueError, OverflowError):
        frame.index = pd.DatetimeIndex(days)
    for form, percent in ((COLUMN_FORMS, 20), (INDEX_FORMS, 30), (HEADER_FORMS, 12)):
        if chance(draw, percent):
            chosen: Any = draw(st.sampled_from(form))
            column = draw(st.sampled_from(names[1:])) if form is COLUMN_FORMS else None
            with (
                contextlib.suppress(Exception),  # pandas itself may not know that form
                np.errstate(all="ignore"),
            ):
                if column is None:
                    frame = chosen(frame)
                else:
                    frame[column] = chosen(frame[column])
            same = False
    return frame, same


DATE_FORMS = (
    *("%Y-%m-%d", "%d-%b-%Y", "%d %b %Y", "%b %d, %Y", "%B %d, %Y", "%Y/%m/%d", "%Y%m%d"),
    *("%Y-%m-%dT00:00:00+05:30", "%Y-%m-%d 00:00:00+0530", "%Y-%m-%dT12:00:00Z"),
)
LOSSY_DATE_FORMS = ("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%y", "%Y-W%V-%u", "%s", "%Y-%m", "%j %Y")
NUMBER_FORMS: tuple[Callable[[float], str], ...] = (
    *(repr, "{:.10f}".format, "{:+.6f}".format, "{:.17e}".format, "{:,.10f}".format),
    *(lambda v: f"  {v!r}\t", lambda v: f'"{v!r}"', lambda v: f'"{v:,.6f}"'),
)
CELLS = (
    *("", " ", "-", "--", ".", "NA", "N/A", "#N/A", "null", "None", "NaN", "nan", "inf", "-inf"),
    *("Infinity", "+INF", "1e308", "1e400", "-1e400", "5e-324", "1e-400", "-0", "1_000", "0x1p3"),
    *("\uff11\uff12\uff13", "٣٤٥", "1,23,456.5", "1.234,56", "12 345", "1'234.5", "²", "½", "Ⅷ"),
    *("=1+1", "=CMD|'/C calc'!A0", "+23644", "@SUM(A1)", "23644.8%", "₹23,644.80", "(23,644)"),
    *("1e", "e5", ".", "+", "--5", "1..2", "True", "1;2", "a,b", '"', '""', '"x', "x\x00y", "\x00"),
    *("9" * 400, "1" + "," + "111" * 40, "9" * 140_000, "\ufeff", "\u2028", "\x85", "\u202e12"),
)
HEADERS = (
    *("Date", "DATE ", "date", "Timestamp", "Trade Date", "", "Unnamed: 0", "day", "time"),
    *("Open", "High", "LOW*", "Close", "Close Price", "close", "price", "Adj Close", "iv", "VIX"),
    *("India VIX", "volume", "strike", "CE OI", "PE OI", "call oi", "Put Open Interest", "İclose"),
)
DATE_OPTIONS: tuple[Any, ...] = (
    *("%d/%m/%Y", "%Y-%m-%d", "%d-%b-%Y", "%Y-%m-%m", "%", "%%", "", "%q", "%Y", "%j", "%d/%m"),
    *("%Y\0%m%d", "\ud800%Y-%m-%d", "%c", "%x", "%H:%M", "%Y-%m-%dT%H:%M:%S%z", "%d %B %Y"),
    *("[%Y", "%Y(%m)%d", "%" * 99, "%Y-%m-%d%Z", 5, b"%Y", "%G-W%V-%u", "%-d/%-m/%Y"),
)


@st.composite
def sheets(draw: Draw, columns: Columns, names: tuple[str, ...]) -> tuple[bytes, bool]:
    """Write columns as people's programs write them, then spoil the bytes; say whether not."""
    rows_written = min(len(columns[name]) for name in names)
    same = not chance(draw, 45) and all(len(columns[name]) == rows_written for name in names)
    dates = DATE_FORMS if same else (*DATE_FORMS, *LOSSY_DATE_FORMS)
    separator = draw(st.sampled_from((",", ";", "\t") if same else (",", ";", "\t", "|", " ")))
    written_date = draw(st.sampled_from(dates))
    written = draw(st.sampled_from(NUMBER_FORMS))
    rows = [[_HEADERS_WRITTEN.get(name, name) for name in names]]
    for row in range(rows_written):
        day, *numbers = (columns[name][row] for name in names)
        cells = [_date_text(day, written_date)] + [_number_text(n, written) for n in numbers]
        rows.append([f'"{c}"' if separator in c and c[0] != '"' else c for c in cells])
    if not same:
        for _ in range(draw(st.integers(0, 3))):
            _spoil_cells(draw, rows)
    line_end = draw(st.sampled_from(("\n", "\r\n", "\r")))
    text = line_end.join(separator.join(row) for row in rows)
    text = draw(st.sampled_from(("", "# a comment\n", "\n\n"))) + text
    encoding = draw(st.sampled_from(("utf-8", "utf-8-sig") if same else ENCODINGS))
    data = text.encode(encoding, "replace")
    if not same:
        for _ in range(draw(st.sampled_from((0, 0, 1, 2)))):
            data = _spoil_bytes(draw, data)
    return data, same


ENCODINGS = ("utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1", "cp1252", "utf-7")


_HEADERS_WRITTEN = {"dates": "Date", "starts": "timestamp", "iv": "Close"}


def _date_text(day: Any, written: str) -> str:
    value = day.item() if hasattr(day, "item") else day
    try:
        return str(value.strftime(written))
    except (AttributeError, ValueError):
        return str(value)


def _number_text(value: Any, written: Callable[[float], str]) -> str:
    try:
        return written(float(value))
    except (TypeError, ValueError, OverflowError):
        return str(value)


def _spoil_cells(draw: Draw, rows: list[list[str]]) -> None:
    row = draw(st.one_of(st.just(0), st.integers(0, len(rows) - 1)))
    place = draw(st.integers(0, max(0, len(rows[row]) - 1)))
    what = draw(st.sampled_from(("cell", "text", "drop", "add", "header", "swap", "blank", "row")))
    if what == "row":
        rows.insert(row, list(rows[row]))
    elif what == "blank":
        rows.insert(row, [])
    elif what == "add":
        rows[row].append(draw(st.sampled_from(CELLS)))
    elif what == "header" and rows[0]:
        rows[0][min(place, len(rows[0]) - 1)] = draw(st.sampled_from(HEADERS))
    elif rows[row]:
        place = min(place, len(rows[row]) - 1)
        if what == "drop":
            del rows[row][place]
        elif what == "swap":
            rows[row].reverse()
        elif what == "cell":
            rows[row][place] = draw(st.sampled_from(CELLS))
        else:
            rows[row][place] = draw(st.text(max_size=12))


def _spoil_bytes(draw: Draw, data: bytes) -> bytes:
    place: int = draw(st.integers(0, len(data)))
    what = draw(st.sampled_from(("cut", "head", "flip", "insert", "lines", "double", "quote")))
    if what == "cut":
        return data[:place]
    if what == "head":
        return data[place:]
    if what == "flip" and place < len(data):
        return (
            data[:place] + bytes([data[place] ^ (1 << draw(st.integers(0, 7)))]) + data[place + 1 :]
        )
    if what == "insert":
        inserted: bytes = draw(st.binary(max_size=16))
        return data[:place] + inserted + data[place:]
    if what == "lines":
        return data.replace(
            b"\n", draw(st.sampled_from((b"\r", b"\n\n", b"\x0b", b"", b"\xc2\x85"))), 3
        )
    if what == "quote":
        return data[:place] + b'"' + data[place:]
    return data + data


@st.composite
def any_bytes(draw: Draw) -> bytes:
    """Bytes that come from no table at all."""
    text = st.text(
        alphabet=st.sampled_from(",;\t\n\r\"'#.-+0123456789eE: \x00\ufeffDateCloseHighLow")
    )
    made: bytes = draw(st.one_of(st.binary(max_size=200), text.map(str.encode)))
    return made


@st.composite
def sessions_of(draw: Draw, day: Any, spot: float, previous: Any = None) -> Columns:
    """Five-minute bars of one session or two, a random walk of a drawn seed."""
    generator = np.random.default_rng(draw(st.integers(0, 2**16)))
    count = draw(st.sampled_from((1, 2, 5, 6, 7, 30, 74, 75)))
    days = [day] if previous is None or draw(st.booleans()) else [previous, day]
    starts, closes = [], []
    level = spot * draw(st.sampled_from((1.0, 1.0, 1.0, 0.97, 1.03, 0.9, 1.2)))
    for one in days:
        bars = count if one is days[-1] else 75
        opened = np.datetime64(one, "s") + np.timedelta64(3 * 3600 + 45 * 60, "s")
        starts.append(opened + 300 * np.arange(bars))
        deviation = draw(st.sampled_from((0.0, 1e-6, 1e-3, 0.01)))
        closes.append(level * np.exp(np.cumsum(deviation * generator.standard_normal(bars))))
    close = np.concatenate(closes)
    opens = np.concatenate([[level], close[:-1]])
    room = 1 + 1e-4 * generator.random(len(close))
    return {
        "starts": np.concatenate(starts),
        "open": opens,
        "high": np.maximum(opens, close) * room,
        "low": np.minimum(opens, close) / room,
        "close": close,
    }


def mutate_session(draw: Draw, columns: Columns) -> None:
    """What happens to five-minute bars: what happens to daily ones, and clocks."""
    days = columns["starts"]
    what = draw(st.sampled_from(("clock", "grid", "blank", "holes", "stray", "bars", "late")))
    if what == "clock":
        hours = draw(st.sampled_from((-5.5, 5.5, -1, 1, 24, 24 * 365 * 300)))
        columns["starts"] = days + np.timedelta64(int(hours * 3600), "s")
    elif what == "grid":
        columns["starts"] = days + np.timedelta64(draw(st.integers(-301, 301)), "s")
    elif what == "blank":
        rows = draw(st.integers(1, 80))
        for name in PRICES[: draw(st.integers(1, 4))]:
            columns[name][-rows:] = np.nan
    elif what == "holes":
        keep = np.ones(len(days), dtype=bool)
        keep[draw(st.integers(0, 3)) :: draw(st.integers(2, 9))] = False
        for name, values in columns.items():
            columns[name] = values[keep]
    elif what == "late":
        for name, values in columns.items():
            columns[name] = values[draw(st.integers(1, 40)) :]
    elif what == "stray":
        columns["starts"][0] -= np.timedelta64(draw(st.integers(1, 30)) * 300, "s")
    else:
        renamed = {"dates" if name == "starts" else name: v for name, v in columns.items()}
        # A stand-in, so that what strikes the volatility index has something to strike.
        renamed["iv"] = columns["close"].copy()
        mutation = draw(st.sampled_from((*OF_PATHS, *DEADLY)))
        with (
            contextlib.suppress(IndexError, TypeError, ValueError, KeyError),
            np.errstate(all="ignore"),
        ):
            mutation(draw, renamed)
        renamed.pop("iv")
        columns.clear()
        columns.update({"starts" if name == "dates" else name: v for name, v in renamed.items()})


@st.composite
def hostile_sessions(draw: Draw, day: Any, spot: float, previous: Any = None) -> Columns:
    columns: Columns = draw(sessions_of(day, spot, previous))
    for _ in range(draw(st.sampled_from((0, 0, 0, 1, 1, 2)))):
        with contextlib.suppress(IndexError, TypeError, ValueError, KeyError):
            mutate_session(draw, columns)
    return columns


OI_FORMS = ("even", "puts", "calls", "nothing", "one", "tiny", "huge")


@st.composite
def hostile_chains(draw: Draw, spot: float) -> Columns:
    """Strikes around spot with open interest, some of it absurd."""
    count = draw(st.sampled_from((41, 41, 41, 81, 5, 6, 7, 4, 1, 0)))
    step = draw(st.sampled_from((1e-5, 0.002, 0.05)))
    with np.errstate(all="ignore"):
        strikes = spot * (1 + step * (np.arange(count) - count // 2))
    generator = np.random.default_rng(draw(st.integers(0, 2**16)))
    columns = {"strike": strikes}
    for side in ("call oi", "put oi"):
        form = draw(st.sampled_from(OI_FORMS))
        open_interest = {
            "even": np.full(count, 100.0),
            "puts": np.arange(count, dtype=float),
            "calls": np.arange(count, dtype=float)[::-1],
            "nothing": np.zeros(count),
            "one": (np.arange(count) == count - 1) * 7.0,
            "tiny": np.full(count, 5e-324),
            "huge": np.full(count, 1e12),
        }[form]
        columns[side] = open_interest + generator.integers(0, 3, count) * (form == "even")
    if count and chance(draw, 25):
        name = draw(st.sampled_from(sorted(columns)))
        row = draw(st.sampled_from((0, count - 1, count // 2)))
        columns[name] = columns[name].copy()
        columns[name][row] = draw(st.one_of(st.sampled_from(EXTREMES), st.floats()))
    return columns


EXPIRIES: tuple[Any, ...] = ("weekly", "monthly", "2024-12-26", "2030-01-01", "yearly", "", *JUNK)
CONFIDENCES: tuple[Any, ...] = (
    *(0.5, 0.9, 0.99, 0.999999, 0.01, 1e-9, 1e-300, 1 - 1e-16, 0.0, 1.0, -1.0, float("nan")),
    *(1, "0.8", None, np.float64(0.8), np.float32(0.8), float("inf")),
)
HORIZONS: tuple[Any, ...] = (1, 2, 15, 30, 31, 0, -5, 2.0, "20", True, np.int64(7), np.uint8(9))


@st.composite
def moments(draw: Draw, day: date) -> Any:
    """The present, as a clock says it: mostly after the last bar, often on its day."""
    start = datetime(day.year, day.month, day.day, tzinfo=timezone.utc)
    kind = draw(st.sampled_from(("later", "of the day", "later", "of the day", "earlier")))
    if chance(draw, 4):
        return draw(st.sampled_from((*JUNK, datetime.min.replace(tzinfo=timezone.utc), "now")))
    span = {"later": (1440, 60 * 24 * 40), "of the day": (0, 1440), "earlier": (-10_000, 0)}[kind]
    minutes = draw(st.integers(*span))
    zone = timezone(timedelta(hours=draw(st.sampled_from((-12, -5, 0, 5.5, 14)))))
    try:
        return (start + timedelta(minutes=minutes)).astimezone(zone)
    except OverflowError:
        return start


@st.composite
def analyses(draw: Draw) -> AnalysisCase:
    """Bars long enough for a report, with every option that goes with them."""
    market = draw(st.sampled_from(("nifty", "nifty", "other")))
    columns: Columns = draw(windows(market, 470 if chance(draw, 15) else 560, 760))
    mutate(draw, columns, draw(st.sampled_from((0, 0, 0, 0, 0, 0, 1))))
    try:
        last, spot = columns["dates"][-1], float(columns["close"][-1])
        day = last.item()
        assert isinstance(day, date)
    except (AssertionError, AttributeError, IndexError, TypeError, ValueError):
        last, spot, day = np.datetime64("2024-12-31"), 20_000.0, date(2024, 12, 31)
    # Half the time days, half the time what the calendar knows.
    options: dict[str, Any] = {"horizon_days": draw(st.integers(1, 30))}
    if chance(draw, 4):
        options["horizon_days"] = draw(st.sampled_from(HORIZONS))
    elif chance(draw, 20):
        options = {}
    elif chance(draw, 5):
        options = {"expiry": draw(st.sampled_from(EXPIRIES))}
    elif chance(draw, 8):
        options = {"expiry": np.datetime64(day) + draw(st.integers(-3, 50))}
    if chance(draw, 5):
        options["confidence"] = draw(st.sampled_from(CONFIDENCES))
    elif draw(st.booleans()):
        options["confidence"] = draw(st.floats(0.05, 0.97))
    options["now"] = draw(moments(day))
    options["notes"] = draw(st.lists(st.text(max_size=8), max_size=2))
    source = draw(st.one_of(st.just("arrays"), st.text(max_size=6)))
    today = str(min(day + timedelta(days=40), date.max)) if day < date(9999, 1, 1) else date.max

    def bars() -> am.Bars:
        return am.Bars.from_arrays(**columns, market=market, today=today, source=source)

    made: dict[str, Callable[[am.Bars], Any]] = {}
    if chance(draw, 40 if market == "nifty" else 2):
        ahead = draw(st.sampled_from((0, 0, 1, 1, 2, 3, 5, 10, -1, -400)))
        with contextlib.suppress(OverflowError):
            session = draw(hostile_sessions(last + ahead, spot, last + min(ahead, 0) - 1))
            until = str(last + ahead + 9)
            made["intraday"] = lambda _: am.IntradayBars.from_arrays(**session, now=until)
    if chance(draw, 30):
        chain = draw(hostile_chains(spot))
        made["chain"] = lambda _: am.OptionChain.from_arrays(
            chain["strike"], chain["call oi"], chain["put oi"], source=source
        )
    if chance(draw, 25 if market == "nifty" else 3):
        made["overnight"] = draw(nights(last, source))
    for name in ("engine", "intraday", "chain", "overnight"):
        if chance(draw, 1):
            wrong = draw(st.sampled_from(("x", 0, [], columns)))
            made[name] = lambda _, wrong=wrong: wrong  # type: ignore[misc]
    return AnalysisCase(bars, options, made)


@st.composite
def nights(draw: Draw, last: Any, source: str) -> Callable[[am.Bars], am.Bars]:
    """Bars of the US market that end about when NIFTY's do, mostly as they should."""
    us = draw(st.sampled_from(real_markets()["other"]))
    late = draw(st.sampled_from((0, 1, 1, 2, 3, 4, 7, -1)))
    spoil = draw(st.sampled_from(SURVIVABLE)) if chance(draw, 20) else None
    try:
        stop = int(np.searchsorted(us.dates, last + late))
    except (TypeError, ValueError):
        stop = len(us)
    columns = columns_of(us[max(0, stop - 30) : stop] if stop else us[:30])
    columns["open"] = columns["close"].copy()
    if spoil is not None:
        with contextlib.suppress(IndexError, TypeError, ValueError), np.errstate(all="ignore"):
            spoil(draw, columns)
    market = "nifty" if chance(draw, 3) else "other"
    return lambda _: am.Bars.from_arrays(
        **columns, market=market, today="2999-01-01", source=source
    )


def outcome_of(call: Callable[[], Any]) -> Any:
    """Return what a call gives, or the typed error that it raises; nothing else is caught."""
    try:
        return call()
    except AegisError as error:
        return error
