"""Five hundred half-hours of publishing: no growth, no failed write, scores that add up."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import jsonschema
import numpy as np
import pytest

import aegismatrix as am
from aegismatrix.desk.job.publish import Settings, publish
from aegismatrix.desk.monitoring.journal import Journal
from aegismatrix.desk.monitoring.monitor import monitor
from aegismatrix.desk.report import schema
from aegismatrix.desk.sources.fetched import Fetched
from aegismatrix.market.calendars.nse import NSE
from aegismatrix.market.market import NIFTY

HALF_HOURS = 500
A_SESSION = 13
ALLOWED_GROWTH = 1.05


@dataclass(frozen=True, eq=False)
class Replayed:
    """What a source would have handed over at one moment of the past."""

    bars: am.Bars
    intraday: am.IntradayBars
    moment: datetime

    @property
    def description(self) -> str:
        return "replayed bars"

    def fetch(self) -> Fetched:
        return Fetched(self.bars, self.intraday, self.moment)


def session_of(day: np.datetime64, level: float, shape: am.IntradayBars) -> am.IntradayBars:
    """The shape of a real session, moved to another day and level."""
    factor = level / shape.open[0]
    return replace(
        shape,
        starts=shape.starts + (day - shape.days[0]),
        **{name: getattr(shape, name) * factor for name in ("open", "high", "low", "close")},
    )


def half_hours(nifty: am.Bars, shapes: list[am.IntradayBars]) -> Iterator[Replayed]:
    """Real days until now, and the first half-hours of the next one."""
    days = math.ceil(HALF_HOURS / A_SESSION)
    rows = [row for row in range(len(nifty)) if NSE.is_session(str(nifty.dates[row]))][-days:]
    for number, row in enumerate(rows):
        eve, day = nifty[:row], nifty.dates[row]
        whole = session_of(day, float(eve.close[-1]), shapes[number % len(shapes)])
        opens = datetime.fromisoformat(f"{day}T09:15:00").replace(tzinfo=NIFTY.clock)
        for step in range(1, A_SESSION + 1):
            moment = min(opens + step * timedelta(minutes=30), opens + timedelta(minutes=375))
            now = np.datetime64(int(moment.timestamp()), "s")
            seen = whole.starts + np.timedelta64(300, "s") <= now
            part = {
                name: getattr(whole, name)[seen]
                for name in ("starts", "open", "high", "low", "close")
            }
            yield Replayed(eve, replace(whole, **part), moment)


def resident_kilobytes() -> int:
    """What this process holds in memory now."""
    text = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("VmRSS"))


@pytest.mark.slow
@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="memory is read from /proc, which is not here"
)
def test_half_hours_on_end_leave_memory_files_and_scores_in_order(
    nifty: am.Bars, nifty_5min: Path, tmp_path: Path
) -> None:
    real = am.IntradayBars.from_csv(nifty_5min)
    shapes = [real.session(day) for day in real.sessions]
    engine, journal = am.Engine(), Journal(tmp_path / "forecasts.sqlite")
    settings = Settings(tmp_path, check_current=False, html=True)
    validator = jsonschema.Draft202012Validator(schema())
    started = runs = 0
    expected: dict[str, dict[str, float]] = defaultdict(dict)
    for source in half_hours(nifty, shapes):
        if runs == HALF_HOURS:
            break
        published = publish(source, settings, engine=engine, journal=journal, now=source.moment)
        runs += 1
        report = json.loads((tmp_path / "aegismatrix.json").read_text(encoding="utf-8"))
        validator.validate(report)
        assert report["direction"]["today"]["basis"] == "5-minute bars"
        day = published.report.as_of
        expected["trap_5"][day] = published.report.seller.trap.horizons["5"]
        expected["breakout_1"][day] = published.report.buyer.breakout_today.score
        if runs == HALF_HOURS // 5:
            started = resident_kilobytes()
    held = resident_kilobytes()
    assert runs == HALF_HOURS
    assert len(journal.runs()) == HALF_HOURS
    assert held <= ALLOWED_GROWTH * started
    result = monitor(
        journal, nifty, manifest=engine.manifest, now=source.moment + timedelta(days=1)
    )
    scores = {score.output: score for score in result.outputs}
    for output, happened in (("trap_5", trapped), ("breakout_1", broke_out)):
        pairs = [
            (p, outcome)
            for day, p in expected[output].items()
            if (outcome := happened(nifty, day)) is not None
        ]
        score = scores[output]
        assert score.n == len(pairs) > 20
        assert score.brier == pytest.approx(np.mean([(p - y) ** 2 for p, y in pairs]), abs=1e-12)


def trapped(bars: am.Bars, day: str) -> float | None:
    """Whether five days moved more than iv implied, by hand."""
    row = bars.dates.astype(str).tolist().index(day)
    if row + 5 >= len(bars):
        return None
    moves = [math.log(bars.close[row + n] / bars.close[row + n - 1]) ** 2 for n in range(1, 6)]
    return float(math.sqrt(252 / 5 * sum(moves)) > bars.iv[row] / 100)


def broke_out(bars: am.Bars, day: str) -> float | None:
    """Whether the next true range exceeded 1.25 times the mean of 14, by hand."""
    row = bars.dates.astype(str).tolist().index(day)
    if row + 1 >= len(bars):
        return None
    ranges = [
        max(bars.high[n], bars.close[n - 1]) - min(bars.low[n], bars.close[n - 1])
        for n in range(row - 13, row + 2)
    ]
    return float(ranges[-1] > 1.25 * sum(ranges[:-1]) / 14)
