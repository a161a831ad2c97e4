"""When a scheduled job runs: at fixed steps of the exchange's session, and once after it."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from datetime import time as clock_time

from aegismatrix.market.calendars.nse import IST, next_session, session_at
from aegismatrix.market.intraday import CLOSE_MINUTE, OPEN_MINUTE

SETTLED = timedelta(minutes=15)
"""After the close, until the day's last figures have settled."""


def next_run(moment: datetime, every: timedelta) -> datetime:
    """Return when to run next.

    Parameters
    ----------
    moment : aware datetime
        Now, in any time zone.
    every : timedelta
        Above 0.

    Returns
    -------
    datetime
        UTC, strictly later: the next multiple of `every` after the opening at 09:15 IST while the
        session lasts, then 15 minutes after its close, then in the session after it.

    Raises
    ------
    NaiveMomentError
        If the moment carries no UTC offset.
    CalendarRangeError
        If the next session lies beyond the exchange's calendar.
    """
    session = session_at(moment).session
    opens, closes = _hours(session)
    if moment < closes:
        step = opens + ((moment - opens) // every + 1) * every
    elif moment < closes + SETTLED:
        step = closes
    else:
        # The session that the moment belongs to is over, so the next one opens later.
        opens, closes = _hours(next_session(session))
        step = opens + every
    return (step if step < closes else closes + SETTLED).astimezone(timezone.utc)


def _hours(session: date) -> tuple[datetime, datetime]:
    midnight = datetime.combine(session, clock_time(), tzinfo=IST)
    return midnight + timedelta(minutes=OPEN_MINUTE), midnight + timedelta(minutes=CLOSE_MINUTE)
