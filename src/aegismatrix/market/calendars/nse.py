"""The calendar of the National Stock Exchange of India, for the years that it has declared.

`scripts/nse_calendar.py` makes the table; ``docs/calendar.md`` says where each day is from.
"""

from __future__ import annotations

from pathlib import Path

from aegismatrix.market.calendars.calendar import Calendar

NSE = Calendar.from_csv(Path(__file__).with_name("nse_calendar.csv"), name="NSE's calendar")
"""Loaded with this module, which `aegismatrix.market.market.Market` imports when it is asked."""
