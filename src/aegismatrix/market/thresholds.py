"""Thresholds: where bars stop being believed, in one place.

`docs/bars.md` holds the same table with the figure of real bars that each comes from;
``python scripts/thresholds.py`` prints these figures anew.
"""

from __future__ import annotations

WINDOW_ROWS = 252
"""What is counted is counted in this many neighbouring rows or sessions: about a year."""

RECENT_SESSIONS = 5
"""A report needs the last so many sessions before its last bar, and no made-up row in as many."""

MAX_MISSING = 8
"""Of the last 252 sessions a report does without at most this many."""

MAX_UNEXPECTED = 3
"""In 252 rows at most this many may be of days that were no sessions."""

MAX_COPIES = 3
"""In 252 rows at most this many may be copies of the row before."""

FROZEN_ROWS = 2
"""This many identical trailing rows of an index mean that the feed stopped."""

FROZEN_PRINTS = 5
"""This many equal trailing closes of a volatility index mean that its feed stopped."""

STALE_CALENDAR_DAYS = 7
"""Where sessions are not known, bars older than this are called stale."""

IV_CARRY_TRADING_DAYS = 3
"""A volatility print stands in for at most this many following trading days without one."""

MAX_GAP_CALENDAR_DAYS = 15
"""The longest pause between two bars; no closure of either market since 1945 was longer."""

INTERVAL_GAPS = 10
"""The pauses between bars are looked at in windows of this many."""

LEAST_GAPS = 5
"""Fewer pauses than this say nothing of the interval of bars."""

NEIGHBOUR_SHARE = 0.2
"""Of daily bars at least this share of any window of pauses lasts one day."""

MAX_SESSION_MOVE = 0.25
"""Of a market without a known circuit breaker: the largest move of a session, in log."""

REVERTED_SHARE = 1.0 / 3.0
"""A move of which at most this share is left has been reverted."""

REVERTED_ROWS = 5
"""A move beyond the breaker that is reverted within so many rows is no move of a market."""

MIN_IV_PERCENT, MAX_IV_PERCENT = 2.0, 250.0
"""No volatility index of an equity market has ever closed outside of these."""

MAX_IV_LOG_MOVE = 1.6
"""The volatility index has never changed fivefold between two prints."""

MAX_LOG_MOVE = 0.5
"""A larger move of an index in one session is a change of unit, not a market."""

MIN_INDEX_POINTS, MAX_INDEX_POINTS = 1e-6, 1e12
"""No index has ever stood outside of these; between them no arithmetic on prices overflows."""
