"""When a scheduled job runs, whatever the clock of its host."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegismatrix.desk.job.schedule import next_run
from aegismatrix.errors import NaiveMomentError
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
