"""A job that repeats itself, whatever is done to the clock of its host: time here is an argument."""

from __future__ import annotations

import itertools
import random
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegismatrix.desk.job.repeat import repeat
from aegismatrix.desk.job.schedule import last_run, next_run
from aegismatrix.errors import ContractError
from aegismatrix.market.market import NIFTY

FIRST = datetime(2026, 5, 29, 12, 0, tzinfo=timezone.utc)
MIDDAY = datetime(2026, 6, 2, 6, 45, tzinfo=timezone.utc)
A_QUARTER = timedelta(minutes=15)
HALF_HOUR = timedelta(minutes=30)
NO_TIME = timedelta(0)


class Over(Exception):  # noqa: N818
    """The simulated time is over."""


@dataclass
class Simulated:
    """A host: its true time, what its clock shows, and when the job ran by true time."""

    until: datetime
    shown: Callable[[datetime], timedelta] = lambda _: NO_TIME
    takes: timedelta = timedelta(seconds=3)
    true: datetime = FIRST
    awake: float = 0.0
    ran: list[datetime] = field(default_factory=list)

    def clock(self) -> datetime:
        return self.true + self.shown(self.true)

    def steady(self) -> float:
        return self.awake

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.true += timedelta(seconds=seconds)
        self.awake += seconds
        if self.true > self.until:
            raise Over

    def run(self) -> None:
        self.ran.append(self.true)
        self.sleep(self.takes.total_seconds())

    def job(self, every: timedelta) -> list[datetime]:
        with pytest.raises(Over):
            repeat(
                self.run,
                every,
                lambda: NIFTY,
                clock=self.clock,
                steady=self.steady,
                sleep=self.sleep,
            )
        return self.ran


def steps(every: timedelta, first: datetime = FIRST, *, until: datetime) -> list[datetime]:
    """The true steps of the time that is simulated."""
    found = [next_run(first, every)]
    while found[-1] < until:
        found.append(next_run(found[-1], every))
    return found[:-1]


def jumps(at: Sequence[tuple[datetime, datetime, timedelta]]) -> Callable[[datetime], timedelta]:
    """A clock that is wrong by so much from one true moment to another."""
    starts = [start for start, _, _ in at]

    def shown(true: datetime) -> timedelta:
        place = bisect_left(starts, true) - 1
        if place >= 0:
            _, end, amount = at[place]
            if true < end:
                return amount
        return NO_TIME

    return shown


DAYS = pytest.mark.parametrize("days", [4, pytest.param(31, marks=pytest.mark.slow)])


@DAYS
def test_with_a_right_clock_every_step_is_run_once_within_a_second(days: int) -> None:
    until = FIRST + timedelta(days=days)
    ran = Simulated(until).job(HALF_HOUR)
    assert ran[0] == FIRST
    for run, step in zip(ran[1:], steps(HALF_HOUR, until=until), strict=True):
        assert NO_TIME <= run - step < timedelta(seconds=1)


AMOUNTS = [
    timedelta(hours=hours) for hours in (-72, -26, -24, -5, -3, -1, 1, 2, 3, 7, 24, 29, 72, 240)
]


@pytest.mark.parametrize("amount", AMOUNTS, ids=str)
@pytest.mark.parametrize("before", [1, 14])
@pytest.mark.parametrize("after", [1, 14])
def test_a_clock_that_jumps_around_a_run_and_is_put_right_neither_misses_nor_repeats_it(
    amount: timedelta, before: int, after: int
) -> None:
    (step,) = steps(HALF_HOUR, MIDDAY - A_QUARTER, until=MIDDAY + A_QUARTER)
    wrong = (step - timedelta(minutes=before), step + timedelta(minutes=after), amount)
    host = Simulated(step + 3 * HALF_HOUR, jumps([wrong]), true=step - 2 * HALF_HOUR)
    ran = host.job(HALF_HOUR)[1:]
    assert len([run for run in ran if abs(run - step) < timedelta(minutes=29)]) == 1
    assert_none_is_missed_and_none_is_repeated(
        ran, steps(HALF_HOUR, step - 2 * HALF_HOUR, until=host.until)
    )


def assert_none_is_missed_and_none_is_repeated(
    ran: Sequence[datetime], true_steps: Sequence[datetime]
) -> None:
    """Every true step has a run within one step of it; there are no more runs than steps."""
    for step in true_steps:
        assert min(abs(run - step) for run in ran) <= HALF_HOUR, step
    assert len(ran) <= len(true_steps) + 1
    for earlier, later in itertools.pairwise(ran):
        assert later - earlier >= A_QUARTER, (earlier, later)


@DAYS
@pytest.mark.parametrize("seed", [1, 2])
def test_a_month_of_clocks_that_jump_around_runs_misses_none_and_repeats_none(
    days: int, seed: int
) -> None:
    draw, at, until = random.Random(seed), [], FIRST + timedelta(days=days)
    true_steps = steps(HALF_HOUR, until=until)
    for step in true_steps[2::4]:
        start = step - timedelta(seconds=draw.randrange(30, 840))
        end = step + timedelta(seconds=draw.randrange(30, 840))
        at.append((start, end, draw.choice(AMOUNTS)))
    ran = Simulated(until, jumps(at)).job(HALF_HOUR)[1:]
    assert_none_is_missed_and_none_is_repeated(ran, true_steps)
