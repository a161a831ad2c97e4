"""When a scheduled job runs, whatever the clock of its host."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegismatrix.desk.job.schedule import last_run, next_run
from aegismatrix.errors import ContractError, NaiveMomentError
from aegismatrix.market.calendars.nse import NSE
from aegismatrix.market.market import NIFTY

HALF_HOUR = timedelta(minutes=30)


@pytest.mark.parametrize(
    ("now", "run"),
    [
        ("2026-11-20T09:14:59+05:30", "2026-11-20T09:45:00+05:30"),
        ("2026-11-20T09:15:00+05:30", "2026-11-20T09:45:00+05:30"),
        ("2026-11-20T09:45:00+05:30", "2026-11-20T10:15:00+05:30"),
        ("2026-11-20T15:14:59+05:30", "2026-11-20T15:15:00+05:30"),
        ("2026-11-20T15:15:00+05:30", "2026-11-20T15:45:00+05:30"),
        ("2026-11-20T15:44:00+05:30", "2026-11-20T15:45:00+05:30"),
        ("2026-11-20T15:45:00+05:30", "2026-11-23T09:45:00+05:30"),
        ("2026-11-21T12:00:00+05:30", "2026-11-23T09:45:00+05:30"),
        ("2026-11-23T16:00:00+05:30", "2026-11-25T09:45:00+05:30"),
        ("2026-11-20T04:20:00+00:00", "2026-11-20T10:15:00+05:30"),
        ("2026-11-19T23:20:00-05:00", "2026-11-20T10:15:00+05:30"),
    ],
)
def test_half_hours_of_the_session_then_once_after_the_close_then_the_next_session(
    now: str, run: str
) -> None:
    expected = datetime.fromisoformat(run)
    assert next_run(datetime.fromisoformat(now), HALF_HOUR) == expected
    assert next_run(datetime.fromisoformat(now), HALF_HOUR).tzinfo == timezone.utc


@given(
    st.datetimes(datetime(2025, 1, 1), datetime(2026, 11, 30)),
    st.integers(min_value=1, max_value=3_000),
)
def test_a_run_is_later_in_or_just_after_a_session_and_none_is_left_out(
    moment: datetime, minutes: int
) -> None:
    now = moment.replace(tzinfo=timezone.utc)
    run = next_run(now, timedelta(minutes=minutes))
    assert run > now
    local = run.astimezone(NIFTY.clock)
    assert NSE.is_session(local.date())
    assert (9, 15) < (local.hour, local.minute) <= (15, 45)
    between = now + (run - now) / 2
    assert next_run(between, timedelta(minutes=minutes)) == run


@pytest.mark.parametrize("now", ["2026-11-20T16:00:00+05:30", "2026-11-23T09:15:00+05:30"])
def test_steps_as_long_as_the_session_lead_to_the_run_after_it_and_not_to_the_close(
    now: str,
) -> None:
    run = next_run(datetime.fromisoformat(now), timedelta(minutes=375))
    assert run == datetime.fromisoformat("2026-11-23T15:45:00+05:30")


def test_a_moment_without_a_time_zone_is_refused() -> None:
    with pytest.raises(NaiveMomentError):
        next_run(datetime(2026, 11, 20, 10, 0), HALF_HOUR)


@given(
    st.datetimes(datetime(2025, 1, 1), datetime(2026, 8, 31)),
    st.integers(min_value=1, max_value=3_000),
)
def test_the_step_before_a_moment_is_the_one_that_the_step_after_it_follows(
    moment: datetime, minutes: int
) -> None:
    now, every = moment.replace(tzinfo=timezone.utc), timedelta(minutes=minutes)
    before, after = last_run(now, every), next_run(now, every)
    assert before <= now < after
    assert next_run(before, every) == after
    assert last_run(before, every) == before
    assert last_run(after, every) == after
    assert next_run(before - timedelta.resolution, every) == before


@pytest.mark.parametrize(
    "every", [timedelta(0), timedelta(minutes=-30), timedelta.min, 30, None, "30m"]
)
def test_a_step_that_is_none_is_a_typed_error(every: timedelta) -> None:
    now = datetime(2026, 5, 29, 6, 0, tzinfo=timezone.utc)
    for ask in (next_run, last_run):
        with pytest.raises(ContractError, match="not a time above 0"):
            ask(now, every)


def test_the_longest_step_leads_to_the_run_after_the_close() -> None:
    now = datetime(2026, 5, 29, 6, 0, tzinfo=timezone.utc)
    assert next_run(now, timedelta.max) == datetime(2026, 5, 29, 10, 15, tzinfo=timezone.utc)
    assert last_run(now, timedelta.max) == datetime(2026, 5, 27, 10, 15, tzinfo=timezone.utc)
