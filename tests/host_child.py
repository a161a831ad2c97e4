"""Makes a report, a log and its scores, and prints what they are: the same on every host.

Run as ``python -m tests.host_child FOLDER`` with TZ set.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import aegismatrix as am
from aegismatrix.desk.monitoring.journal import Journal
from aegismatrix.desk.monitoring.monitor import monitor
from aegismatrix.market.bars import Bars

CASES = Path(__file__).parent / "fixtures" / "cases"
NOW = datetime(2026, 8, 10, 8, 30, tzinfo=timezone.utc)
IST = timezone(timedelta(hours=5, minutes=30))


def forms(bars: Bars) -> dict[str, Bars]:
    """The same bars with their days given as text, dates, midnights and instants."""
    days: list[date] = bars.dates.tolist()
    midnights = [datetime(day.year, day.month, day.day, tzinfo=IST) for day in days]
    given: dict[str, Any] = {
        "text": [day.isoformat() for day in days],
        "dates": days,
        "midnights of the exchange": midnights,
        "their instants": [one.astimezone(timezone.utc) for one in midnights],
        "closes": [one + timedelta(hours=15, minutes=30) for one in midnights],
    }
    return {
        name: Bars.from_arrays(stamps, bars.high, bars.low, bars.close, bars.iv, today="2026-08-10")
        for name, stamps in given.items()
    }


def main(folder: Path) -> None:
    """Print digests."""
    bars = Bars.from_csv(CASES / "base_n.csv", iv=CASES / "base_v.csv")
    engine, journal = am.Engine(), Journal(folder / "log.sqlite3")
    five_minutes = am.IntradayBars.from_csv(CASES / "five_min.csv", now=NOW)
    chain = am.OptionChain.from_csv(CASES / "chain_ok.csv", expiry="2026-08-25")
    report = am.analyze(bars, engine=engine, now=NOW, intraday=five_minutes, chain=chain)
    earlier = bars[:-30]
    moment = datetime.combine(earlier.dates[-1].item(), NOW.time(), timezone.utc)
    journal.append(am.analyze(earlier, engine=engine, now=moment + timedelta(hours=3)))
    (claims,) = journal.claims(journal.runs())
    said = {
        "report": report.to_json(),
        "page": report.to_html(),
        "claims": repr(claims),
        "scores": json.dumps(monitor(journal, bars, now=NOW).to_dict()),
        **{name: given.digest() for name, given in forms(bars).items()},
    }
    digests = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in said.items()}
    sys.stdout.write(json.dumps({"zone": time.tzname[0], "digests": digests}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
