"""The calendar of the National Stock Exchange of India, for the years that it has declared.

`scripts/nse_calendar.py` makes the table; ``docs/calendar.md`` says where each day is from.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from aegismatrix.market.calendars.calendar import Calendar

FIXED_HOLIDAYS = frozenset({"01-26", "05-01", "08-15", "10-02", "12-25"})
"""Republic Day, Maharashtra Day, Independence Day, Gandhi Jayanti and Christmas: closed in every
year of the table in which they fell on a weekday."""

NSE = replace(
    Calendar.from_csv(Path(__file__).with_name("nse_calendar.csv"), name="NSE's calendar"),
    fixed_holidays=FIXED_HOLIDAYS,
)
"""Loaded with this module, which `aegismatrix.market.market.Market` imports when it is asked."""
