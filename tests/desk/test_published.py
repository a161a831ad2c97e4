"""What is published cannot be edited afterwards: not in place, in a copy, or in another process."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from dataclasses import replace
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any
from unicodedata import category

import numpy as np
import pytest

import aegismatrix as am
from tests.calls import patiently
from tests.published_child import faults_in, things

NOW = datetime(2019, 1, 1, 4, 0, tzinfo=timezone.utc)
STEERING = "\x1b[2J\x07\r\x9b31m\u202e\ud800"


@pytest.fixture(scope="module")
def published() -> dict[str, Any]:
    return things()


@pytest.mark.parametrize("name", things())
def test_nothing_in_it_can_be_changed_in_a_copy_either(
    name: str, published: dict[str, Any]
) -> None:
    thing = published[name]
    for one in (thing, copy.copy(thing), copy.deepcopy(thing)):
        assert not list(faults_in(one, name))


@pytest.mark.parametrize("name", things())
def test_it_is_compared_and_hashed_by_value(name: str, published: dict[str, Any]) -> None:
    thing, again = published[name], things()[name]
    assert thing is not again
    assert thing == again
    assert hash(thing) == hash(again)
    assert {thing: name}[again] == name
    assert thing != published["bars" if name != "bars" else "chain"]


def test_bars_with_one_other_bit_are_others(published: dict[str, Any]) -> None:
    bars = published["bars"]
    high = bars.high.copy()
    high[3] = np.nextafter(high[3], np.inf)
    assert replace(bars, high=high) != bars
    assert replace(bars, source="elsewhere") != bars


def test_it_comes_out_of_another_process_as_it_went_in() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.published_child"],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.split() == [f"{name}=same" for name in things()]


def test_what_was_given_can_be_changed_without_changing_what_was_made() -> None:
    closes = np.array([2510.0, 2514.0, 2512.0])
    starts = np.array(["2018-12-31T03:45", "2018-12-31T03:50", "2018-12-31T03:55"], "M8[s]")
    bars = am.IntradayBars.from_arrays(starts, closes - 1, closes + 3, closes - 4, closes)
    parameters = {"fraction": 0.02}
    event = am.Event("close_above", 5, parameters=parameters)
    closes[0], parameters["fraction"] = 1.0, 7.0
    assert (bars.close[0], event.parameters) == (2510.0, {"fraction": 0.02})


def test_control_characters_reach_neither_page_nor_summary_nor_json() -> None:
    bars = replace(am.sample_bars(), source=f"here{STEERING}", reading_notes=(f"a{STEERING}",))
    report = am.analyze(bars, now=NOW, notes=[f"noted{STEERING}"])
    page, summary, text = report.to_html(), report.summary(), report.to_json()
    for said in (page, summary, text, repr(bars), repr(report)):
        assert not {one for one in said if category(one) in ("Cc", "Cf", "Cs")} - {"\n"}
        said.encode("utf-8")
    assert r"noted\x1b[2J" in summary


@pytest.mark.parametrize(
    "read",
    [
        lambda pipe: am.Bars.from_csv(pipe, iv=pipe),
        lambda pipe: am.IntradayBars.from_csv(pipe),
        lambda pipe: am.OptionChain.from_csv(pipe),
        lambda pipe: am.Calendar.from_csv(pipe),
        lambda pipe: am.Market.from_file(pipe),
    ],
)
def test_a_pipe_in_place_of_a_file_is_refused_at_once(read: Any, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with patiently(), pytest.raises(am.AegisError, match="pipe"):
        read(pipe)


def test_days_of_the_calendar_stay_as_they_are() -> None:
    year = am.Calendar("Mine", date(2026, 1, 1), date(2026, 12, 31))
    assert not list(faults_in(year.days))
    assert copy.deepcopy(year) == year
