#!/usr/bin/env bash
# QuantLib 1.44, exchange_calendars 4.13.2, pandas_market_calendars 5.5.0 (numpy 2.4.6, pandas 2.3.3,
# Python 3.11): QuantLib's calendar India(NSE), "National Stock Exchange of India", calls four weekdays of
# 2026 holidays on which the other two have a session of the exchange. For 2027, whose holidays are not
# declared, it answers without a word and knows three holidays, those of fixed date and Good Friday: nothing
# tells its guess from its knowledge. exchange_calendars refuses to go beyond the years that it knows.
# Output seen:
#   2026: 241 business days, 245 sessions in both others
#   closed in QuantLib alone: 2026-02-19 2026-03-19 2026-04-01 2026-08-26
#   2027: 258 business days, holidays 2027-01-26 2027-03-26 2027-04-14
#   exchange_calendars to 2027: ValueError
#   as stated
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  QuantLib==1.44 exchange_calendars==4.13.2 pandas_market_calendars==5.5.0 numpy==2.4.6 pandas==2.3.3
"$folder/venv/bin/python" - <<'PYTHON'
from datetime import date, timedelta

import exchange_calendars
import pandas_market_calendars
import QuantLib

nse = QuantLib.India(QuantLib.India.NSE)


def weekdays(year: int) -> list[date]:
    days = (date(year, 1, 1) + timedelta(k) for k in range(365))
    return [day for day in days if day.weekday() < 5]


def business(year: int) -> set[date]:
    return {d for d in weekdays(year) if nse.isBusinessDay(QuantLib.Date(d.day, d.month, d.year))}


def told(days: set[date]) -> str:
    return " ".join(day.isoformat() for day in sorted(days))


span = {"start": "2026-01-01", "end": "2026-12-31"}
listed = set(exchange_calendars.get_calendar("XBOM", **span).sessions.date)
third = pandas_market_calendars.get_calendar("NSE").valid_days(*span.values())
assert listed == set(third.date), "the two others agree"
known = business(2026)
print(f"2026: {len(known)} business days, {len(listed)} sessions in both others")
print(f"closed in QuantLib alone: {told(listed - known)}")
assert known < listed and len(listed - known) == 4
holidays = set(weekdays(2027)) - business(2027)
print(f"2027: {len(business(2027))} business days, holidays {told(holidays)}")
assert len(holidays) == 3
try:
    exchange_calendars.get_calendar("XBOM", start="2026-01-01", end="2027-12-31")
except ValueError as error:
    print(f"exchange_calendars to 2027: {type(error).__name__}")
else:
    raise AssertionError("exchange_calendars answers")
print("as stated")
PYTHON
