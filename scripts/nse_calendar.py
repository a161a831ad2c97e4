"""Make the package's table of NSE's days from the calendar XBOM of exchange_calendars.

Usage: python scripts/nse_calendar.py

The capital and derivatives segments of NSE and BSE keep the same holidays. Where that calendar says
otherwise than NSE did, `CORRECTIONS` has the day and the reason.
"""

from __future__ import annotations

import sys
from collections import Counter
from datetime import date
from importlib.metadata import version
from pathlib import Path

try:
    from exchange_calendars.exchange_calendar_xbom import XBOMExchangeCalendar
except ModuleNotFoundError as error:
    print(
        f"nse_calendar: This needs {error.name}, which is not installed. Install it, in the"
        " checkout, with: pip install -e '.[dev]'.",
        file=sys.stderr,
    )
    sys.exit(2)

TABLE = (
    Path(__file__).parents[1] / "src" / "aegismatrix" / "market" / "calendars" / "nse_calendar.csv"
)
FIRST = date(2010, 1, 1)
SATURDAY = 5

FEWEST_CLOSURES = 9
"""Of a year with fewer closures on weekdays only single days are known yet: it is left out. No year
since 2010 had fewer than 11."""

CORRECTIONS = {
    "2013-11-14": ("regular", "Muharram was moved to the 15th, by circular of that week"),
    "2013-11-15": ("closed", "Muharram"),
}
"""Days on which XBOM and NSE differ: what NSE did and why."""

_MUHURAT = "Muhurat, an hour or so on the evening or afternoon of Diwali"
_TEST = "live test of the trading system or of the disaster recovery site"
_BUDGET = "Union budget, full hours"

SPECIAL_SESSIONS = {
    "2010-11-05": _MUHURAT,
    "2011-10-26": _MUHURAT,
    "2012-01-07": _TEST,
    "2012-03-03": _TEST,
    "2012-04-28": _TEST,
    "2012-09-08": _TEST,
    "2012-11-13": _MUHURAT,
    "2013-05-11": _TEST,
    "2013-11-03": _MUHURAT,
    "2014-03-22": _TEST,
    "2014-10-23": _MUHURAT,
    "2015-02-28": _BUDGET,
    "2015-11-11": _MUHURAT,
    "2016-10-30": _MUHURAT,
    "2017-10-19": _MUHURAT,
    "2018-11-07": _MUHURAT,
    "2019-10-27": _MUHURAT,
    "2020-02-01": _BUDGET,
    "2020-11-14": _MUHURAT,
    "2021-11-04": _MUHURAT,
    "2022-10-24": _MUHURAT,
    "2023-11-12": _MUHURAT,
    "2024-01-20": "in place of Monday, 22 January, full hours",
    "2024-03-02": _TEST,
    "2024-05-18": _TEST,
    "2024-11-01": _MUHURAT,
    "2025-02-01": _BUDGET,
    "2025-10-21": _MUHURAT,
    "2026-02-01": _BUDGET,
    "2026-11-08": _MUHURAT,
}
"""Sessions on holidays and weekends. XBOM takes Muhurat of 2010, 2011 and 2012 for ordinary days,
by which NIFTY of October 2011 would have expired on Diwali, the 26th, and not on the 25th."""


def closures() -> set[date]:
    """Return the weekdays on which NSE had no regular session, those of a special one included."""
    # The class's own table: a calendar made of it warns under newer releases of pandas.
    holidays = {day.date() for day in XBOMExchangeCalendar.precomputed_holidays()}
    holidays |= {date.fromisoformat(day) for day in SPECIAL_SESSIONS}
    for day, (kind, _) in CORRECTIONS.items():
        (holidays.add if kind == "closed" else holidays.remove)(date.fromisoformat(day))
    weekdays = {day for day in holidays if day >= FIRST and day.weekday() < SATURDAY}
    years = Counter(day.year for day in weekdays)
    last_declared = max(year for year, count in years.items() if count >= FEWEST_CLOSURES)
    return {day for day in weekdays if day.year <= last_declared}


def table() -> str:
    """Return the table: every weekday without a regular session, and every special session."""
    closed = closures()
    days = dict.fromkeys(closed, "closed")
    days.update({date.fromisoformat(day): "special" for day in SPECIAL_SESSIONS})
    lines = [
        f"# NSE, {FIRST} to {max(closed).year}-12-31: weekdays without a regular session, and"
        " special sessions on holidays and weekends.",
        "# Made by scripts/nse_calendar.py from exchange_calendars"
        f" {version('exchange_calendars')} (XBOM) and the corrections that stand there.",
        "date,kind",
        *(f"{day},{days[day]}" for day in sorted(days)),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the table."""
    TABLE.write_text(table(), encoding="utf-8")


if __name__ == "__main__":
    main()
