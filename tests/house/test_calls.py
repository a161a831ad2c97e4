"""Typed, whoever calls: one hostile argument at a time, at every public callable.

The short form tries the same calls every time. ``AEGISMATRIX_CALLS=50000`` draws so many of all
there are, from the seed in ``AEGISMATRIX_CALLS_SEED``, and prints what came of them.
"""

from __future__ import annotations

import dataclasses
import inspect
import os
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from numbers import Real
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

import aegismatrix as am
from aegismatrix.desk.sources import yahoo
from aegismatrix.desk.sources.patience import Patience
from aegismatrix.desk.sources.prices import Prices
from aegismatrix.engine.model import _open_session
from aegismatrix.errors import AegisError, shown
from aegismatrix.market import outcomes
from aegismatrix.market.bars import IvFill
from aegismatrix.market.overnight import last_night
from aegismatrix.market.permits import Permit
from tests.calls import Outcome, Target, further_targets, outcome_of, patiently, targets
from tests.hostile import columns_of
from tests.hostile_arguments import ARGUMENTS, FORMS, SAME, lay_out
from tests.house.test_doctests import write_files
from tests.invariants import assert_typed

CALLS, SEED = "AEGISMATRIX_CALLS", "AEGISMATRIX_CALLS_SEED"
ANSWERS = frozenset(
    "BuyerSignal DirectionSignal Finding Forecast Manifest MarketState Model ModelSpec"
    " MonitorReport Report SellerSignal ShortPremium StrikeTable SurvivalTable".split()
)
"""Classes that the package makes and hands out: what they are made with is not for callers."""

AS_THEY_ARE = ANSWERS | {"AegisError", "Model.from_bytes", "verify"}
"""What takes its arguments as they are: answers, what is only said of others, and findings."""

FURTHER = (
    last_night,
    outcomes.forward_realised_vol,
    outcomes.trap_label,
    outcomes.past_realised_vol,
    outcomes.volatility_terciles,
    outcomes.regime_label,
    outcomes.forward_return,
    outcomes.breakout_label,
    outcomes.spike_label,
    outcomes.excursions,
    outcomes.implied_deviations,
    outcomes.direction_label,
    outcomes.close_above_label,
    outcomes.close_below_label,
    outcomes.happened,
)
"""Beside the public names, what issues were found in and packages of events call."""

World = SimpleNamespace
"""What calls are made with, by name."""

ALL = {one.name: one for one in (*targets(), *further_targets(FURTHER))}
STRIDES = {
    "verify": 12,
    "load_models": 8,
    "Engine": 8,
    "Engine.history": 3,
    "Engine.overnight": 3,
    "analyze": 9,
    "Bars.from_csv": 4,
    "Bars.from_yahoo": 3,
    "bars_from_yahoo": 3,
    "Model.from_bytes": 12,
    "Report.to_html": 30,
    "Report.to_json": 4,
}
"""Of what takes long every so manieth argument is tried in the short form."""

NOW = datetime(2019, 1, 1, 4, 0, tzinfo=timezone.utc)
STARTS = ("2018-12-31T03:45", "2018-12-31T03:50", "2018-12-31T03:55")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """What calls are made with: valid values, receivers, and a folder of hostile files."""
    folder = tmp_path_factory.mktemp("calls")
    lay_out(folder / "hostile")
    write_files(folder)
    before = Path.cwd()
    os.chdir(folder)
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setenv("AEGISMATRIX_CACHE", str(folder / "cache"))
    made = _world(folder)
    monkeypatch.setattr(yahoo, "ask_yahoo", _answer_of(made))
    yield made
    monkeypatch.undo()
    os.chdir(before)


def _world(folder: Path) -> World:
    bars = am.sample_bars()
    # The sample on NSE's days: real bars of NIFTY are not at hand everywhere.
    days = am.market_named("nifty").known_calendar().sessions("2013-01-01", "2018-12-31")
    nifty = am.Bars(**{**columns_of(bars), "dates": days[-len(bars) :], "market": "nifty"})
    engine = am.Engine()
    report = am.analyze(bars, engine=engine, now=NOW)
    journal = am.Journal(folder / "forecasts.sqlite3")
    journal.append(am.analyze(bars[:-30], engine=engine, now=NOW))
    closes = np.array([2510.0, 2514.0, 2512.0])
    starts = np.array(STARTS, dtype="datetime64[s]")
    intraday = am.IntradayBars.from_arrays(starts, closes - 1, closes + 3, closes - 4, closes)
    strikes = np.arange(2300.0, 2701.0, 50.0)
    chain = am.OptionChain(strikes, np.arange(9.0) + 1, 20 - np.arange(9.0))
    spec = engine.manifest.model("trap")
    data = (engine.manifest.folder / spec.file).read_bytes()
    features = np.ascontiguousarray(engine.predict(bars).features)
    return SimpleNamespace(
        folder=folder,
        bars=bars,
        nifty=nifty,
        engine=engine,
        forecast=engine.history(bars[-350:]),
        report=report,
        journal=journal,
        watched=am.monitor(journal, bars),
        intraday=intraday,
        chain=chain,
        spec=spec,
        data=data,
        model=am.Model.from_bytes(spec, data, spec.file),
        session=_open_session(data, spec.file),
        features={"features": np.repeat(features, spec.rows, axis=0)},
        market=nifty.market,
        calendar=nifty.market.known_calendar(),
        rule=nifty.market.expiries,
        event=am.Event("close_above", 5, parameters={"fraction": 0.02}),
        index=pd.read_csv(folder / "sp500.csv"),
        vix=pd.read_csv(folder / "vix.csv"),
        five=pd.read_csv(folder / "nifty_5min.csv"),
        table=pd.read_csv(folder / "option_chain.csv"),
    )


def _answer_of(world: World) -> Callable[..., Prices]:
    """What stands in for Yahoo: the sample, up to the day that is asked on."""

    def ask(symbol: str, interval: Any, first: date, *, today: date, attempt: Any) -> Prices:
        if interval != "1d":
            raise am.errors.SourceError(symbol, "no_data", "nothing is traded")
        bars = world.bars
        close = bars.iv if "VIX" in symbol else bars.close
        shift = np.datetime64(today) - bars.dates[-1]
        values = np.stack([close, close, close, close], axis=1)
        return Prices(interval, bars.dates + shift, values).since(first)

    return ask


Make = Callable[[World], Any]


def _field_of_intraday(name: str) -> Make:
    return lambda w: getattr(w.intraday, name)


def _now() -> datetime:
    return NOW


def _constantly(value: Any) -> Make:
    return lambda w: value


VALID: Mapping[str, Make] = {
    "bars": lambda w: w.bars,
    "analyze.intraday": lambda w: w.intraday,
    "analyze.overnight": lambda w: w.bars,
    "analyze.now": lambda w: NOW,
    "us": lambda w: w.bars,
    "last_night.bars": lambda w: w.nifty,
    "last_night.now": lambda w: NOW + timedelta(days=3),
    "now": lambda w: np.datetime64("2024-01-02T05:00"),
    "monitor.now": lambda w: NOW,
    "engine": lambda w: w.engine,
    "forecast": lambda w: w.forecast,
    "nights": lambda w: last_night(w.nifty[:-4], w.bars, NOW),
    "Engine.overnight.forecast": lambda w: w.engine.predict(w.nifty[:-4]),
    "head": lambda w: "breach",
    "Output.head": lambda w: "rally",
    "targets": lambda w: [(5, 0.5), (20, 0.5)],
    "horizon_days": lambda w: 5,
    "offset_days": lambda w: 1,
    "longest_days": lambda w: 5,
    "window": lambda w: 20,
    "times": lambda w: 1.25,
    "neutral": lambda w: 0.35,
    "fraction": lambda w: 0.02,
    "forward": lambda w: True,
    "Engine.predict.horizon_days": lambda w: [1, 5, 20],
    "Engine.history.horizon_days": lambda w: [5],
    "Engine.history.bars": lambda w: w.bars[-350:],
    "distance": lambda w: [0.01, 0.02],
    "upper_distance": lambda w: [0.02, 0.02],
    "side": lambda w: "down",
    "Engine.history.distance": lambda w: [0.01],
    "Engine.history.upper_distance": lambda w: [0.02],
    "Engine.unseen.upper_distance": lambda w: np.full(len(w.forecast), 0.03),
    "Engine.unseen.distance": lambda w: np.full(len(w.forecast), 0.02),
    "strike": lambda w: [2400.0, 2600.0],
    "by": lambda w: None,
    "put": lambda w: 2400.0,
    "call": lambda w: 2600.0,
    "long_put": lambda w: 2300.0,
    "long_call": lambda w: 2700.0,
    "premium": lambda w: 40.0,
    "Engine.survive.lower": lambda w: [2300.0],
    "Engine.survive.upper": lambda w: [2700.0],
    "ShortPremium.payoff.close": lambda w: 2450.0,
    "expiry": lambda w: "2024-01-04",
    "analyze.expiry": lambda w: None,
    "confidence": lambda w: 0.8,
    "chain": lambda w: w.chain,
    "notes": lambda w: ["a note"],
    "journal": lambda w: w.journal,
    "manifest": lambda w: w.engine.manifest,
    "report": lambda w: w.report,
    "runs": lambda w: w.journal.runs(),
    "position": lambda w: -1,
    "threads": lambda w: 1,
    "dates": lambda w: w.bars.dates[-40:],
    "high": lambda w: w.bars.high[-40:],
    "low": lambda w: w.bars.low[-40:],
    "close": lambda w: w.bars.close[-40:],
    "iv": lambda w: w.bars.iv[-40:],
    "open": lambda w: w.bars.close[-40:],
    "iv_dates": lambda w: w.bars.dates[-40:],
    "iv_low": lambda w: w.bars.iv[-40:],
    "market": lambda w: "other",
    "Journal.runs.market": lambda w: "other",
    "Journal.holds.digest": lambda w: w.journal.runs()[-1].digest,
    "Journal.appending.known": lambda w: w.journal.runs()[-1].digest,
    "source": lambda w: "here",
    "iv_fills": lambda w: (IvFill("2018-12-31", "2018-12-28", 1),),
    "permits": lambda w: (Permit("copy", "2018-12-31"),),
    "permit": lambda w: ["copy:2018-12-31"],
    "reading_notes": lambda w: ("turned round",),
    "start": lambda w: "2018-11-01",
    "end": lambda w: "2018-12-31",
    "today": lambda w: "2019-01-01",
    "index": lambda w: "sp500.csv",
    "CsvSource.iv": lambda w: "vix.csv",
    "Bars.from_csv.iv": lambda w: "vix.csv",
    "Bars.from_frames.index": lambda w: w.index,
    "Bars.from_frames.iv": lambda w: w.vix,
    "date_format": lambda w: "%Y-%m-%d",
    "tickers": lambda w: ("^GSPC", "^VIX"),
    "IntradayBars.from_csv.date_format": lambda w: "%Y-%m-%dT%H:%M",
    "intraday": lambda w: "nifty_5min.csv",
    "stamps": lambda w: "start",
    "frame": lambda w: w.table,
    "IntradayBars.from_frame.frame": lambda w: w.five,
    "IntradayBars.session.day": lambda w: "2018-12-31",
    "IntradayBars.on.days": lambda w: w.intraday.sessions,
    "starts": lambda w: w.intraday.starts,
    **{
        f"IntradayBars{method}.{name}": _field_of_intraday(name)
        for method in ("", ".from_arrays")
        for name in ("open", "high", "low", "close")
    },
    "dropped": lambda w: 0,
    "blank": lambda w: 0,
    "shifted": lambda w: False,
    "OptionChain.from_csv.path": lambda w: "option_chain.csv",
    "IntradayBars.from_csv.path": lambda w: "nifty_5min.csv",
    "Calendar.from_csv.path": lambda w: "holidays.csv",
    "Market.from_file.path": lambda w: "market.json",
    "Market.from_dict.path": lambda w: "market.json",
    "Journal.path": lambda w: "other.sqlite3",
    "Report.to_json.path": lambda w: "report.json",
    "Report.to_html.path": lambda w: "report.html",
    "Model.from_bytes.path": lambda w: "trap.onnx",
    "path": lambda w: w.engine.manifest.folder,
    "golden": lambda w: False,
    "out_of_sample": lambda w: False,
    "heads": lambda w: ("trap",),
    "strikes": lambda w: w.chain.strikes,
    "call_open_interest": lambda w: w.chain.call_open_interest,
    "put_open_interest": lambda w: w.chain.put_open_interest,
    "step_points": lambda w: 50.0,
    "spot": lambda w: 2500.0,
    "name": lambda w: "mine",
    "Manifest.model.name": lambda w: "trap",
    "first": lambda w: "2018-01-01",
    "last": lambda w: "2018-12-31",
    "closed": lambda w: frozenset({date(2018, 1, 26)}),
    "special": lambda w: frozenset({date(2018, 11, 7)}),
    "Calendar.clock_on.closed": lambda w: False,
    "opened": lambda w: True,
    "fixed_holidays": lambda w: frozenset({"08-15"}),
    "provisional_from": lambda w: date(2018, 12, 1),
    "day": lambda w: "2018-06-14",
    "later": lambda w: "2018-06-28",
    "until": lambda w: "2028-06-14",
    "days": lambda w: w.calendar.days,
    "Calendar.with_closed.days": lambda w: ["2018-06-15"],
    "newer": lambda w: am.Calendar("Newer", date(2019, 1, 1), date(2019, 12, 31)),
    "traded": lambda w: False,
    "kind": lambda w: "monthly",
    "moment": lambda w: NOW,
    "weekday_since": lambda w: ((date(2019, 1, 1), 3),),
    "weekly_since": lambda w: date(2019, 2, 11),
    "week_of_month": lambda w: -1,
    "title": lambda w: "Mine",
    "time_zone": lambda w: "+05:30",
    "opens": lambda w: w.market.opens,
    "closes": lambda w: w.market.closes,
    "calendar": lambda w: "nse",
    "expiries": lambda w: w.rule,
    "strike_step_points": lambda w: 50.0,
    "circuit_breaker": lambda w: 0.2,
    "description": lambda w: w.market.to_dict(),
    "given": lambda w: "nifty",
    "event": lambda w: w.event,
    "Event.kind": lambda w: "close_above",
    "Event.classes": lambda w: (1,),
    "Event.parameters": lambda w: {"fraction": 0.02},
    "column": lambda w: "rally_5",
    "judged": lambda w: "rally_5",
    "wording": lambda w: "A rally",
    "unit": lambda w: "probability",
    "output": lambda w: "trap_5",
    "problem": lambda w: "Something is wrong.",
    "remedy": lambda w: "Mend it at once.",
    "spec": lambda w: w.spec,
    "data": lambda w: w.data,
    "session": lambda w: w.session,
    "arrays": lambda w: w.features,
    **{
        f"{place}.{name}": _constantly(value)
        for place in ("Bars.from_yahoo", "bars_from_yahoo", "YahooSource")
        for name, value in (
            ("index", "^GSPC"),
            ("iv", "^VIX"),
            ("start", date(2018, 1, 2)),
            ("permit", ()),
        )
    },
    "YahooSource.intraday": lambda w: False,
    "allow_stale": lambda w: timedelta(hours=12),
    "cached": lambda w: True,
    "cache_dir": lambda w: "cache",
    "patience": lambda w: Patience(),
    "clock": lambda w: _now,
    "Bars.__getitem__.other": lambda w: slice(-5, None),
    "Bars.__contains__.other": lambda w: "2018-06-14",
    "Forecast.__getitem__.other": lambda w: "trap",
    "other": lambda w: "trap",
}
"""By parameter, or by callable and parameter where they differ: what is right to give."""

LEFT_OUT = frozenset(
    "analyze.chain analyze.intraday analyze.overnight analyze.expiry Bars.iv_fills"
    " Bars.permits Bars.from_csv.tickers CsvSource.tickers Bars.from_frames.tickers"
    " CsvSource.intraday Bars.from_csv.permit".split()
)
"""What is given when it is the hostile one, and left out of the other calls of its callable."""

RECEIVERS: Mapping[str, Make] = {
    "AegisError": lambda w: AegisError("It is wrong.", remedy="Mend it at once."),
    "Bars": lambda w: w.bars,
    "BuyerSignal": lambda w: w.report.buyer,
    "Calendar": lambda w: w.calendar,
    "CsvSource": lambda w: am.CsvSource("sp500.csv", "vix.csv", market="other"),
    "DirectionSignal": lambda w: w.report.direction,
    "Engine": lambda w: w.engine,
    "Event": lambda w: w.event,
    "ExpiryRule": lambda w: w.rule,
    "Finding": lambda w: am.verify("no_such_folder")[0],
    "Forecast": lambda w: w.forecast,
    "IntradayBars": lambda w: w.intraday,
    "Journal": lambda w: w.journal,
    "Manifest": lambda w: w.engine.manifest,
    "Market": lambda w: w.market,
    "MarketState": lambda w: w.report.market,
    "Model": lambda w: w.model,
    "ModelSpec": lambda w: w.spec,
    "MonitorReport": lambda w: w.watched,
    "OptionChain": lambda w: w.chain,
    "Output": lambda w: am.Output("rally_5", "rally", "rally_5", "A rally", w.event),
    "Report": lambda w: w.report,
    "SellerSignal": lambda w: w.report.seller,
    "ShortPremium": lambda w: w.engine.short_premium(
        w.bars, put=2400, call=2600, premium=40, horizon_days=5
    ),
    "StrikeTable": lambda w: w.engine.touch(w.bars, strike=[2400, 2600], horizon_days=5),
    "SurvivalTable": lambda w: w.engine.survive(w.bars, lower=2300, upper=2700, horizon_days=5),
    "YahooSource": lambda w: am.YahooSource("^GSPC", "^VIX", cache_dir=w.folder / "cache"),
}
"""By class, an instance whose methods are called."""


def valid(target: Target, parameter: str, world: World) -> Any:
    """What is right to give; of the fields of an answer what one of them holds."""
    if target.name in ANSWERS and dataclasses.is_dataclass(getattr(am, target.name)):
        return getattr(RECEIVERS[target.name](world), parameter)
    make = VALID.get(f"{target.name}.{parameter}") or VALID[parameter]
    return make(world)


def arguments(target: Target, world: World, hostile: str = "") -> dict[str, Any]:
    """The valid arguments of a call."""
    return {
        name: valid(target, name, world)
        for name in target.parameters
        if name != hostile and f"{target.name}.{name}" not in LEFT_OUT
    }


def receiver(target: Target, world: World) -> object:
    return RECEIVERS[target.owner](world) if target.needs_receiver else None


def hostile(target: Target, parameter: str, label: str, world: World) -> Any:
    """Make a hostile argument anew; KeyError where a valid value has no such form."""
    if label in ARGUMENTS:
        return ARGUMENTS[label](world.folder / "hostile")
    with np.errstate(all="ignore"):
        return FORMS[label](valid(target, parameter, world))


def tried(target: Target, parameter: str, label: str, world: World) -> tuple[Any, Outcome] | None:
    """Call with one hostile argument; None where there is no such argument."""
    try:
        value = hostile(target, parameter, label, world)
    except Exception:  # noqa: BLE001
        # A form that this value does not have.
        return None
    given = arguments(target, world, parameter)
    if target.parameters[parameter].kind is inspect.Parameter.VAR_KEYWORD:
        given[parameter] = {**valid(target, parameter, world)}
        given[parameter]["features"] = value
    else:
        given[parameter] = value
    return value, outcome_of(target, receiver(target, world), given)


PANDAS = pd.Series | pd.DataFrame


def is_day(value: object) -> bool:
    return isinstance(value, str | date | np.datetime64)


def is_array(value: object) -> bool:
    plain = isinstance(value, list | tuple | np.ndarray | np.generic | PANDAS | float | int)
    return plain and not isinstance(value, bool)


def is_row(value: object) -> bool:
    rows = hasattr(value, "__iter__") or hasattr(value, "__getitem__")
    return rows and not isinstance(value, str | bytes | dict)


def is_number(value: object) -> bool:
    return isinstance(value, Real | Decimal) and not isinstance(value, bool | np.bool_)


def is_whole(value: object) -> bool:
    return np.ndim(value) == 0 and np.asarray(value).dtype.kind in "iu"  # type: ignore[arg-type]


TAKES: Mapping[str, Callable[[Any], bool]] = {
    "None": lambda value: value is None,
    "str": lambda value: isinstance(value, str),
    "bytes": lambda value: isinstance(value, bytes),
    "bool": lambda value: isinstance(value, bool | np.bool_),
    "int": is_whole,
    "float": is_number,
    "ArrayLike": lambda value: is_array(value) or is_day(value),
    "FloatArray": is_array,
    "DateArray": lambda value: is_array(value) or is_day(value),
    "date": is_day,
    "Day": is_day,
    "Moment": is_day,
    "datetime": lambda value: isinstance(value, datetime),
    "time": lambda value: isinstance(value, type(NOW.time())),
    "timedelta": lambda value: isinstance(value, timedelta),
    "Files": lambda value: isinstance(value, str | os.PathLike | list | tuple),
    "os.PathLike": lambda value: isinstance(value, os.PathLike),
    "Sequence": is_row,
    "Iterable": is_row,
    "tuple": is_row,
    "frozenset": is_row,
    "Mapping": lambda value: isinstance(value, Mapping),
    "Callable": callable,
    "pd.DataFrame": lambda value: isinstance(value, pd.DataFrame),
    "pd.Series": lambda value: isinstance(value, pd.Series),
    "NDArray": lambda value: False,
    "Any": lambda value: False,
    "ExpiryKind": lambda value: isinstance(value, str),
    "Stamps": lambda value: isinstance(value, str),
    "MarketField": lambda value: isinstance(value, str),
    "CalendarField": lambda value: isinstance(value, str),
}
"""By what an annotation says, whether a value is of that; of other names a class that bears it."""


def is_of(annotation: str, value: object) -> bool:
    """Whether a value is what an annotation says, whatever stands within brackets."""
    plain = annotation
    while "[" in plain:
        plain = re.sub(r"\[[^\[\]]*\]", "", plain)
    for said in plain.split(" | "):
        takes = TAKES.get(said)
        if takes is None:
            assert re.fullmatch(r"[A-Z]\w*", said), f"nothing is known of the annotation {said!r}"
        if type(value).__name__ == said or (takes is not None and takes(value)):
            return True
    return False


def alike(one: object, other: object) -> bool:
    """Whether two answers say the same."""
    if isinstance(one, np.ndarray):
        return np.array_equal(one, np.asarray(other), equal_nan=one.dtype.kind == "f")
    if isinstance(one, tuple | list) and isinstance(other, tuple | list):
        return len(one) == len(other) and all(map(alike, one, other))
    if type(one) is not type(other):
        return False
    return type(one).__eq__ is object.__eq__ or bool(one == other)


def fault_of_answer(
    target: Target, parameter: str, label: str, value: object, answer: object, world: World
) -> str:
    """What is wrong with an answer: of an argument of another type, or of one that means more."""
    annotation = target.parameters[parameter].annotation
    if (target.name, parameter) == ("OptionChain", "expiry"):
        annotation = "Day | None"
    if target.name in AS_THEY_ARE or not isinstance(annotation, str):
        return ""
    if not is_of(annotation, value):
        return f"it took {shown(value)} for {annotation}"
    # A list of letters is another thing than the text.
    means_it = label == "as a text of numpy" or not isinstance(valid(target, parameter, world), str)
    if label in SAME and means_it:
        given = {**arguments(target, world, parameter), parameter: valid(target, parameter, world)}
        if not alike(outcome_of(target, receiver(target, world), given).answer, answer):
            return "it is another answer than of what the argument means"
    return ""


def fault_of(
    target: Target, parameter: str, label: str, world: World, tally: Counter[str]
) -> str | None:
    """What is wrong with the outcome of a call, if anything; the outcome is counted."""
    made = tried(target, parameter, label, world)
    if made is None:
        return None
    value, outcome = made
    tally["calls"] += 1
    said = f"{target.name}({parameter}={label}): "
    if outcome.fault:
        return said + outcome.fault
    if outcome.error is not None:
        tally["typed errors"] += 1
        return None
    tally["answers"] += 1
    fault = fault_of_answer(target, parameter, label, value, outcome.answer, world)
    return said + fault if fault else None


def unknown_of(target: Target) -> list[str]:
    """The parameters of which no valid value is known."""
    if target.name in ANSWERS and dataclasses.is_dataclass(getattr(am, target.name)):
        return []
    known = (
        name for name in target.parameters if f"{target.name}.{name}" in VALID or name in VALID
    )
    return sorted(set(target.parameters) - set(known))


@pytest.mark.parametrize("name", sorted(ALL))
def test_a_valid_value_is_known_of_every_parameter(name: str, world: World) -> None:
    target = ALL[name]
    assert not target.needs_receiver or target.owner in RECEIVERS, f"no {target.owner} is known"
    assert not unknown_of(target), f"no valid value is known of {name}: {unknown_of(target)}"
    outcome = outcome_of(target, receiver(target, world), arguments(target, world))
    assert not outcome.fault
    assert outcome.error is None, outcome.error


LABELS = (*ARGUMENTS, *FORMS)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(name for name in ALL if ALL[name].parameters))
def test_a_hostile_argument_ends_in_a_typed_error_or_a_right_answer(
    name: str, world: World
) -> None:
    target, tally = ALL[name], Counter[str]()
    stride = STRIDES.get(name, 1) * max(1, len(target.parameters) // 2)
    faults = [
        fault_of(target, parameter, label, world, tally)
        for place, parameter in enumerate(target.parameters)
        for label in LABELS[place % stride :: stride]
    ]
    assert tally["calls"] > 5
    assert not any(faults), "\n".join(filter(None, faults))


@pytest.mark.slow
def test_as_many_calls_as_are_asked_for_are_typed(
    world: World, record_property: Callable[[str, object], None]
) -> None:
    """Draw from all calls there are; what takes long is drawn seldom, and never left out."""
    asked, seed = int(os.environ.get(CALLS, "3000")), int(os.environ.get(SEED, "0"))
    drawn = random.Random(seed)
    names = sorted(name for name in ALL if ALL[name].parameters)
    weights = [len(ALL[name].parameters) / STRIDES.get(name, 1) for name in names]
    tally, faults = Counter[str](), list[str]()
    while tally["calls"] < asked:
        target = ALL[drawn.choices(names, weights)[0]]
        parameter = drawn.choice(list(target.parameters))
        fault = fault_of(target, parameter, drawn.choice(LABELS), world, tally)
        if fault:
            faults.append(fault)
    said = ", ".join(f"{count} {what}" for what, count in sorted(tally.items()))
    record_property("fuzzed", f"{said}, {len(faults)} faults, seed {seed}")
    assert not faults, "\n".join(faults)


NOTHING: Any = None

NAMED: Mapping[str, Callable[[World], object]] = {
    "distances as texts": lambda w: w.engine.predict(w.bars, distance=["0.01", "0.02"]),
    "distances of None": lambda w: w.engine.predict(w.bars, distance=[None, 0.02]),
    "no distance": lambda w: w.engine.predict(w.bars, distance=None),
    "no distance for what was unseen": lambda w: w.engine.unseen(
        "breach", w.forecast, horizon_days=5, distance=None
    ),
    "no horizon for what was unseen": lambda w: w.engine.unseen(
        "breach", w.forecast, horizon_days=None, distance=np.full(len(w.forecast), 0.02)
    ),
    "distances of what was unseen as texts": lambda w: w.engine.unseen(
        "breach", w.forecast, horizon_days=5, distance=["0.02"] * len(w.forecast)
    ),
    "several horizons, of which the first alone was answered": lambda w: w.engine.unseen(
        "breach", w.forecast, horizon_days=[20, 5], distance=np.full(len(w.forecast), 0.02)
    ),
    "what was unseen of no forecast": lambda w: w.engine.unseen("breakout", None),
    "what was unseen of no model": lambda w: w.engine.unseen(None, w.forecast),
    "the last night without bars": lambda w: last_night(NOTHING, w.bars),
    "the last night without US bars": lambda w: last_night(w.nifty, NOTHING),
    "the last night at no moment": lambda w: last_night(w.nifty, w.bars, cast("Any", "2024-01-02")),
    "the last night at a naive moment": lambda w: last_night(
        w.nifty, w.bars, NOW.replace(tzinfo=None)
    ),
    "a session at no moment": lambda w: w.market.session_at(None),
    "a session at a text": lambda w: w.market.session_at("2024-01-02T10:00Z"),
    "monitoring without a log": lambda w: am.monitor(NOTHING, w.bars),
    "monitoring of a path": lambda w: am.monitor(cast("Any", "forecasts.sqlite3"), w.bars),
    "monitoring at no moment": lambda w: am.monitor(w.journal, w.bars, now=cast("Any", "now")),
    "monitoring at zero": lambda w: am.monitor(w.journal, w.bars, now=cast("Any", 0)),
    "monitoring with a path for a manifest": lambda w: am.monitor(
        w.journal, w.bars, manifest=cast("Any", "models_onnx")
    ),
    "no symbol": lambda w: am.YahooSource(index=NOTHING),
    "no symbol of a volatility index": lambda w: am.YahooSource(iv=cast("Any", 5)),
    "a log whose path holds a NUL": lambda w: am.Journal("a\0b"),
    "a number of fills": lambda w: am.Bars(
        **columns_of(w.bars), market="other", iv_fills=cast("Any", 5)
    ),
    "a horizon below zero": lambda w: outcomes.forward_return(w.bars, -5),
    "a horizon of no days": lambda w: outcomes.trap_label(w.bars, 0),
    "a volatility of days to come": lambda w: outcomes.past_realised_vol(w.bars, -3),
    "an event of a horizon below zero": lambda w: am.Event("close_above", -5),
    "prices as texts": lambda w: _with_close(w, [str(one) for one in w.bars.close]),
    "prices as bytes": lambda w: _with_close(w, w.bars.close.astype("S")),
    "prices as objects that are texts": lambda w: _with_close(
        w, w.bars.close.astype(str).astype(object)
    ),
    "prices of half precision": lambda w: _with_close(w, w.bars.close.astype(np.float16)),
    "distances of half precision": lambda w: w.engine.predict(w.bars, distance=np.float16(0.02)),
    "days of bars by their place": lambda w: w.bars[0],
    "a number in bars": lambda w: 5 in w.bars,
    "rows of a model that it does not depend on alone": lambda w: w.model.run_validated(
        {"features": np.zeros((0, 23))}
    ),
    "a pipe as a file of bars": lambda w: am.Bars.from_csv(
        w.folder / "hostile/pipe.csv", iv="vix.csv"
    ),
    "a pipe as five-minute bars": lambda w: am.IntradayBars.from_csv(w.folder / "hostile/pipe"),
    "a pipe as a chain": lambda w: am.OptionChain.from_csv(w.folder / "hostile/pipe"),
    "a pipe as a table of holidays": lambda w: am.Calendar.from_csv(w.folder / "hostile/pipe"),
    "a pipe as a market": lambda w: am.market_named(str(w.folder / "hostile/pipe.json")),
    "a report into a pipe that nobody reads": lambda w: w.report.to_json(w.folder / "hostile/pipe"),
}
"""What issues named: each was an untyped error, a wait, or a number that was none."""


def _with_close(world: World, close: Any) -> am.Bars:
    return am.Bars(**{**columns_of(world.bars), "close": close}, market="other")


@pytest.mark.parametrize("what", NAMED)
def test_what_was_untyped_once_is_refused(what: str, world: World) -> None:
    with patiently(), pytest.raises(AegisError) as refused:
        NAMED[what](world)
    assert_typed(refused.value)


def test_horizons_in_any_order_have_each_its_own_answer(world: World) -> None:
    rising = world.engine.predict(world.bars, horizon_days=[5, 20])["breach"]
    falling = world.engine.predict(world.bars, horizon_days=[20, 5])["breach"]
    assert (falling == rising[:, :, ::-1]).all()


def test_numbers_as_objects_are_the_numbers(world: World) -> None:
    assert (_with_close(world, world.bars.close.astype(object)).close == world.bars.close).all()


def test_a_new_parameter_without_a_valid_value_is_named(world: World) -> None:
    def planted(bars: am.Bars, unheard_of: str) -> None:
        """Stand in for what somebody adds."""

    (target,) = further_targets([planted])
    assert unknown_of(target) == ["unheard_of"]


def test_a_fault_of_every_kind_is_found(world: World) -> None:
    def planted(day: str) -> str:
        return str(1 / 0) if day == "abc" else str(day)

    (target,) = further_targets([planted])
    tally = Counter[str]()
    found = [fault_of(target, "day", label, world, tally) for label in ("bytes", "a text", "a set")]
    assert ["took" in str(one) or "Error" in str(one) for one in found] == [True, True, True]
