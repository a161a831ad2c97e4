"""How old bars are at a moment: in sessions where these are known, in days always."""

from __future__ import annotations

from datetime import datetime

from aegismatrix.market.bars import Bars
from aegismatrix.market.errors import CalendarRangeError
from aegismatrix.market.thresholds import STALE_CALENDAR_DAYS
from aegismatrix.records import dataclass


@dataclass(frozen=True)
class Age:
    """How old the last bar is.

    Attributes
    ----------
    days : int
        Calendar days of the exchange since its day, at least 0.
    sessions : int or None
        Sessions that have closed since, at least 0; None where they are not known.
    """

    days: int
    sessions: int | None

    @property
    def is_stale(self) -> bool:
        """Whether a session has closed since; where they are not known, whether a week has gone."""
        return self.days > STALE_CALENDAR_DAYS if self.sessions is None else self.sessions > 0


def age_of(bars: Bars, moment: datetime) -> Age:
    """Return how old bars are.

    Parameters
    ----------
    bars : Bars
        The last one that shows a session counts; a row filled forward does not.
    moment : aware datetime
        Now.

    Returns
    -------
    Age

    Examples
    --------
    >>> from datetime import datetime, timezone
    >>> import aegismatrix as am
    >>> from aegismatrix.desk.age import age_of
    >>> age_of(am.sample_bars(), datetime(2019, 1, 31, tzinfo=timezone.utc)).days
    31
    """
    market, last = bars.market, bars.last_session
    days = max(0, (market.trading_day(moment) - last).days)
    if market.calendar is None:
        return Age(days, None)
    try:
        completed = market.session_at(moment).completed
        sessions = market.calendar.trading_days_between(last, completed) if last < completed else 0
    except CalendarRangeError:
        return Age(days, None)
    return Age(days, sessions)
