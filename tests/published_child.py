"""Send what is published to another process and back, as a pool of processes does.

Usage: python -m tests.published_child

Prints one word per thing, ``name=same`` if it came out equal, of the same hash, and unchangeable.
A pool pickles what it sends: what is read there was written by this program a moment before, and
nothing else is.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timezone
from functools import cache
from multiprocessing import get_context
from typing import Any

import numpy as np

import aegismatrix as am
from aegismatrix.errors import AegisError
from aegismatrix.market.market import Market

NOW = datetime(2019, 1, 1, 4, 0, tzinfo=timezone.utc)
IMMUTABLE = (str, int, float, bool, type(None), date, np.generic, bytes, frozenset, AegisError)
"""Types of which nothing can be changed."""


@cache
def _engine() -> am.Engine:
    return am.Engine()


def things() -> dict[str, Any]:
    """One of each thing that is published, made anew."""
    bars, engine = am.sample_bars(), _engine()
    strikes = np.arange(2300.0, 2701.0, 50.0)
    closes = np.array([2510.0, 2514.0, 2512.0])
    starts = np.array(["2018-12-31T03:45", "2018-12-31T03:50", "2018-12-31T03:55"], "M8[s]")
    journal = am.Journal("no_such_file.sqlite3")
    return {
        "bars": bars,
        "forecast": engine.history(bars[-350:]),
        "report": am.analyze(bars, engine=engine, now=NOW),
        "chain": am.OptionChain(strikes, np.arange(9.0) + 1, 20 - np.arange(9.0)),
        "intraday": am.IntradayBars(starts, closes - 1, closes + 3, closes - 4, closes),
        "watched": am.monitor(journal, bars, now=NOW),
        "event": am.Event("close_above", 5, parameters={"fraction": 0.02}),
    }


def faults_in(thing: Any, place: str = "") -> Iterator[str]:
    """Where something inside of a thing can be changed."""
    if isinstance(thing, np.ndarray):
        try:
            thing.flags.writeable = True
        except ValueError:
            return
        yield f"{place} can be made writable"
    elif isinstance(thing, Market):
        return
    elif dataclasses.is_dataclass(thing):
        try:
            setattr(thing, dataclasses.fields(thing)[0].name, None)
        except dataclasses.FrozenInstanceError:
            for one in dataclasses.fields(thing):
                yield from faults_in(getattr(thing, one.name), f"{place}.{one.name}")
        else:
            yield f"{place} can be set"
    elif isinstance(thing, Mapping):
        try:
            thing["planted"] = 1  # type: ignore[index]
        except TypeError:
            for name, inner in thing.items():
                yield from faults_in(inner, f"{place}[{name!r}]")
        else:
            yield f"{place} takes what is new"
    elif isinstance(thing, tuple):
        for number, inner in enumerate(thing):
            yield from faults_in(inner, f"{place}[{number}]")
    elif not isinstance(thing, IMMUTABLE):
        yield f"{place} is a {type(thing).__name__}"


def received(name: str, thing: Any) -> tuple[str, Any]:
    """Say what came into another process, and send it back."""
    made = things()[name]
    same = thing == made and hash(thing) == hash(made) and repr(thing) == repr(made)
    return "same" if same and not list(faults_in(thing)) else "another", thing


def main() -> None:
    """Send each thing to a process and back, and say what came out."""
    with get_context("spawn").Pool(1) as pool:
        for name, thing in things().items():
            said, back = pool.apply(received, (name, thing))
            same = said == "same" and back == thing and not list(faults_in(back))
            sys.stdout.write(f"{name}={'same' if same else 'another'}\n")


if __name__ == "__main__":
    main()
