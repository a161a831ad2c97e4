"""Make the package's table of NSE's days, or a longer one from the exchange's circular.

Usage: python scripts/nse_calendar.py
       python scripts/nse_calendar.py --holidays nse_2027.txt --out nse_calendar_2027.csv

Without arguments the package's own table is made anew from the calendar XBOM of exchange_calendars.
With a list of holidays, which needs no other package, a year is added to the table that is there;
``docs/calendar.md`` says what the list looks like.

The capital and derivatives segments of NSE and BSE keep the same holidays. Where that calendar says
otherwise than NSE did, `CORRECTIONS` has the day and the reason.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime
from importlib.metadata import version
from pathlib import Path

from aegismatrix.errors import AegisError
from aegismatrix.market.calendars.calendar import Calendar
from aegismatrix.market.calendars.nse import FIXED_HOLIDAYS

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
    from exchange_calendars.exchange_calendar_xbom import XBOMExchangeCalendar

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


class ListError(ValueError):
    """A list of holidays is not what the exchange could have declared."""


def read_holidays(text: str) -> dict[date, str]:
    """Read a list of holidays: a day on each line, its weekday and what it is called if you like.

    Parameters
    ----------
    text : str
        Lines such as ``26-Jan-2027, Tuesday, Republic Day`` or ``2027-01-26``, as a circular has
        them, a running number before them or not; those that start with ``#`` are comments. A line
        with the word ``Muhurat`` or ``special`` is of a special session.

    Returns
    -------
    dict of date to str
        ``closed`` or ``special``.

    Raises
    ------
    ListError
        If a line names no day, another weekday than that of its day, or a day for a second time.
    """
    days: dict[date, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = _DAY.search(line)
        if found is None:
            raise ListError(f"line {number} names no day: {line.strip()[:80]!r}")
        day = _parsed(found[0], number)
        named = [name for name in _WEEKDAYS if name in line.lower()]
        if named and named != [_WEEKDAYS[day.weekday()]]:
            raise ListError(f"line {number}: {day} is a {_WEEKDAYS[day.weekday()].capitalize()}")
        if day in days:
            raise ListError(f"line {number} repeats {day}")
        days[day] = "special" if _SPECIAL.search(line) else "closed"
    return days


def _parsed(text: str, number: int) -> date:
    for form in ("%Y-%m-%d", "%d-%b-%Y", "%d-%B-%Y"):
        try:
            return datetime.strptime(re.sub(r"[\s/]+", "-", text), form).date()
        except ValueError:
            continue
    raise ListError(f"line {number}: {text!r} is no day")


def check_year(days: dict[date, str], following: int) -> None:
    """Refuse a list that is not of one whole year, the one after those of the table.

    Parameters
    ----------
    days : dict of date to str
        From `read_holidays`.
    following : int
        The year after the table's last.

    Raises
    ------
    ListError
        Saying which day is missing or too many.
    """
    others = sorted(day for day in days if day.year != following)
    if others:
        raise ListError(f"{others[0]} is not of {following}, the year after those of the table")
    closed = [day for day, kind in days.items() if kind == "closed" and day.weekday() < SATURDAY]
    if len(closed) < FEWEST_CLOSURES:
        raise ListError(
            f"{len(closed)} weekdays are closed; no year since {FIRST.year} had fewer than"
            f" {FEWEST_CLOSURES}, so the list is not whole"
        )
    fixed = (date.fromisoformat(f"{following}-{holiday}") for holiday in sorted(FIXED_HOLIDAYS))
    missing = [day for day in fixed if day.weekday() < SATURDAY and day not in days]
    if missing:
        raise ListError(f"{missing[0]} is closed in every year, and missing from the list")
    if "special" not in days.values():
        raise ListError("no line is of Muhurat: add its day, with the word Muhurat")


def longer_table(text: str, days: dict[date, str]) -> str:
    """Add a year to a table.

    Parameters
    ----------
    text : str
        The table that is there.
    days : dict of date to str
        From `read_holidays`, checked; weekend holidays are left out, since nothing opens then.

    Returns
    -------
    str
    """
    added = sorted(
        (day, kind) for day, kind in days.items() if kind == "special" or day.weekday() < SATURDAY
    )
    year = added[0][0].year
    comments = [line for line in text.splitlines() if line.startswith("#")]
    rows = [line for line in text.splitlines() if line and not line.startswith("#")]
    lines = [
        *(re.sub(r" to \d{4}-12-31", f" to {year}-12-31", line) for line in comments),
        f"# {year} added by scripts/nse_calendar.py from a list of the exchange's holidays.",
        *rows,
        *(f"{day},{kind}" for day, kind in added),
    ]
    return "\n".join(lines) + "\n"


_DAY = re.compile(r"\d{4}-\d{2}-\d{2}|\d{1,2}[-\s/][A-Za-z]{3,9}[-\s/,]+\d{4}")
_SPECIAL = re.compile(r"muhurat|\bspecial\b", re.IGNORECASE)
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def main(argv: Sequence[str] | None = None) -> int:
    """Write a table."""
    parser = argparse.ArgumentParser(description="Make a table of NSE's days.")
    parser.add_argument("--holidays", metavar="FILE", type=Path, help="of the year after the table")
    parser.add_argument("--table", metavar="CSV", type=Path, default=TABLE, help="to add it to")
    parser.add_argument("--out", metavar="CSV", type=Path, help="to write, for --calendar")
    arguments = parser.parse_args(argv)
    if (arguments.holidays is None) != (arguments.out is None):
        parser.error("--holidays and --out go together")
    if arguments.holidays is None:
        try:
            TABLE.write_text(table(), encoding="utf-8")
        except ModuleNotFoundError as error:
            print(
                f"nse_calendar: This needs {error.name}, which is not installed. Install it, in the"
                " checkout, with: pip install -e '.[dev]'.",
                file=sys.stderr,
            )
            return 2
        return 0
    try:
        held = Calendar.from_csv(arguments.table)
        days = read_holidays(arguments.holidays.read_text(encoding="utf-8"))
        check_year(days, held.last.year + 1)
        text = longer_table(arguments.table.read_text(encoding="utf-8"), days)
    except (ListError, OSError, UnicodeDecodeError, AegisError) as error:
        print(f"nse_calendar: {error}", file=sys.stderr)
        return 2
    arguments.out.write_text(text, encoding="utf-8")
    made = Calendar.from_csv(arguments.out)
    sessions = made.sessions(date(made.last.year, 1, 1), made.last)
    print(
        f"{arguments.out}: {made.first} to {made.last}, {len(sessions)} sessions in the last year"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
