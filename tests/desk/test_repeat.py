"""A job that repeats itself, whatever is done to the clock: time here is an argument."""

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
from aegismatrix.desk.job.schedule import next_run
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
    """Every true step has a run within one step of it, and no two runs are of one step."""
    for step in true_steps:
        assert min(abs(run - step) for run in ran) <= HALF_HOUR, step
    for earlier, later in itertools.pairwise(ran):
        assert later - earlier >= A_QUARTER, (earlier, later)
    # A run after the close that was made by a wrong clock is made again by the right one.
    closes = [step for step in true_steps if (step.hour, step.minute) == (10, 15)]
    assert len(ran) <= len(true_steps) + len(closes) + 1
    for step in set(true_steps) - set(closes):
        assert sum(abs(run - step) < A_QUARTER for run in ran) <= 1, step


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


@pytest.mark.parametrize("seconds", [1, 20, 59])
def test_a_clock_that_is_put_back_a_little_right_after_a_run_does_not_repeat_it(
    seconds: int,
) -> None:
    step, small = MIDDAY, timedelta(seconds=seconds)
    # A clock ahead by so much until ten seconds after the run that it makes too early.
    wrong = (step - 2 * HALF_HOUR, step - small + timedelta(seconds=10), small)
    host = Simulated(step + 2 * HALF_HOUR, jumps([wrong]), true=step - 2 * HALF_HOUR)
    ran = host.job(HALF_HOUR)[1:]
    assert [abs(run - step) <= small for run in ran].count(True) == 1
    assert len(ran) == 4


def test_a_clock_that_stays_ten_days_ahead_and_is_put_right_does_not_stop_the_job() -> None:
    put_right = MIDDAY + timedelta(hours=10)
    host = Simulated(
        put_right + timedelta(days=1),
        jumps([(MIDDAY - A_QUARTER, put_right, timedelta(days=10))]),
        true=MIDDAY - HALF_HOUR,
    )
    right = steps(HALF_HOUR, put_right, until=host.until)
    ran = [run for run in host.job(HALF_HOUR) if run > put_right]
    assert [run.replace(microsecond=0) for run in ran[-len(right) :]] == right


def test_a_host_that_slept_runs_once_for_all_that_it_slept_through() -> None:
    host = Simulated(MIDDAY + timedelta(hours=9), true=MIDDAY - HALF_HOUR)
    nap = host.sleep
    woke = MIDDAY + timedelta(hours=6, minutes=7)

    def sleep(seconds: float) -> None:
        nap(seconds)
        if MIDDAY + A_QUARTER < host.true < woke - timedelta(hours=1):
            host.true = woke

    host.sleep = sleep  # type: ignore[method-assign]
    ran = [run for run in host.job(HALF_HOUR) if run > MIDDAY + A_QUARTER]
    assert len(ran) == 1
    assert woke <= ran[0] <= woke + HALF_HOUR


@pytest.mark.parametrize("minutes", [31, 45, 100])
def test_runs_that_take_longer_than_a_step_do_not_pile_up(minutes: int) -> None:
    host = Simulated(MIDDAY + timedelta(hours=6), true=MIDDAY - 2 * HALF_HOUR)
    host.takes = timedelta(minutes=minutes)
    ran = host.job(HALF_HOUR)
    for earlier, later in itertools.pairwise(ran):
        assert later - earlier >= host.takes
    # The one after the close is made up for.
    closing = MIDDAY.replace(hour=10, minute=15)
    assert len([run for run in ran if run >= closing]) == 1


def test_a_step_of_a_minute_is_run_every_minute() -> None:
    host = Simulated(MIDDAY + HALF_HOUR, true=MIDDAY)
    assert len(host.job(timedelta(minutes=1))) == 31


def test_what_a_run_raises_ends_the_job() -> None:
    host = Simulated(MIDDAY + HALF_HOUR, true=MIDDAY, takes=timedelta(hours=1))
    assert host.job(HALF_HOUR) == [MIDDAY]


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(-10_000, 10_000)), max_size=6))
@settings(max_examples=20, deadline=None)
def test_whatever_is_done_to_the_clock_a_job_never_runs_more_often_than_its_steps(
    changes: list[tuple[int, int]],
) -> None:
    at = sorted((MIDDAY + timedelta(minutes=start), minutes) for start, minutes in changes)

    def shown(true: datetime) -> timedelta:
        return timedelta(minutes=sum(minutes for start, minutes in at if start <= true))

    host = Simulated(MIDDAY + timedelta(hours=6), shown, true=MIDDAY)
    ran = host.job(HALF_HOUR)
    # A step, and the run after the close, which follows the last step sooner.
    assert len(ran) <= 2 + 6 * 2 + len(changes)
