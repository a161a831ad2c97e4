"""Claims are scored over exactly the sessions that they promised, or said to be unscorable."""

from __future__ import annotations

import itertools
import json
import math
import sqlite3
from collections import Counter, defaultdict
from contextlib import closing
from dataclasses import astuple, replace
from datetime import date, datetime, time, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest

import aegismatrix as am
from aegismatrix.desk.monitoring import journal as logs
from aegismatrix.desk.monitoring.journal import Claim, Journal, claims_of
from aegismatrix.desk.monitoring.monitor import MonitorReport, monitor
from aegismatrix.desk.monitoring.scores import (
    BEGINS_TOO_LATE,
    CALENDAR_CHANGED,
    MISSING_SESSIONS,
)
from aegismatrix.desk.report import Report
from aegismatrix.market.bars import Bars
from tests.old_logs import to_version_1

DAYS = 500
LATER = datetime(2030, 1, 1, tzinfo=timezone.utc)
COLUMNS = ("dates", "high", "low", "close", "iv")
FRACTIONS = (0.01, 0.02, 0.03, 0.04, 0.05, 0.07)


def evening(day: date) -> str:
    return f"{datetime.combine(day, time(10, 30)).isoformat()}Z"


@pytest.fixture(scope="module")
def template(nifty: Bars) -> Report:
    """One real report, whose day and numbers are then put in the place of others."""
    return am.analyze(nifty[-800:], horizon_days=20, now=LATER)


def sessions_of(bars: Bars) -> list[date]:
    """By hand: the weekdays that the exchange's table has not as closed or special."""
    calendar = bars.market.known_calendar()
    day, last, found = bars.dates[0].item(), date(2025, 12, 31), []
    while day <= last:
        if day.weekday() < 5 and day not in calendar.closed | calendar.special:
            found.append(day)
        day += timedelta(days=1)
    return found


def said_on(template: Report, bars: Bars, row: int, sessions: list[date], seed: int) -> Report:
    """A report of one day with probabilities drawn at random and levels around its close."""
    random = np.random.default_rng(seed)
    day, close = bars.dates[row].item(), float(bars.close[row])
    points = tuple(round(close * fraction) for fraction in FRACTIONS)
    surface = replace(
        template.seller.breach_surface,
        distance_points=points,
        upper_edges=tuple(close + point for point in points),
        lower_edges=tuple(close**2 / (close + point) for point in points),
    )
    ahead = [one for one in sessions if one > day]
    record = replace(
        template.record,
        high=float(bars.high[row]),
        low=float(bars.low[row]),
        close=close,
        iv_percent=float(bars.iv[row]),
        probabilities={name: float(random.random()) for name in template.record.probabilities},
        sessions_ahead=tuple(str(one) for one in ahead[:40]),
    )
    safe = replace(template.seller.safe_range, lower=close * 0.96, upper=close * 1.04)
    seller = replace(template.seller, safe_range=safe, breach_surface=surface)
    return replace(
        template,
        as_of=str(day),
        session="closed",
        generated_at=evening(day),
        seller=seller,
        record=record,
    )


def without(bars: Bars, rows: set[int]) -> Bars:
    kept = np.array([row not in rows for row in range(len(bars))])
    return replace(bars, open=None, **{name: getattr(bars, name)[kept] for name in COLUMNS})


@pytest.fixture(scope="module")
def holed(nifty: Bars) -> Bars:
    """The real bars with single sessions, three at once, and ten at once missing."""
    first = len(nifty) - DAYS - 60
    days = nifty.dates.tolist()
    tuesday = next(
        row for row in range(first + 200, len(nifty)) if _fortnight(days[row - 1 : row + 10])
    )
    alone = {first + place for place in (31, 90, 91, 92, 160, 333, 420)}
    return without(nifty, alone | set(range(tuesday, tuesday + 10)))


def _fortnight(days: list[date]) -> bool:
    """A Monday, and the ten sessions after it that end with the Monday two weeks later."""
    return days[0].weekday() == 0 and (days[-1] - days[0]).days == 14


@pytest.fixture(scope="module")
def reports(template: Report, holed: Bars) -> list[Report]:
    sessions = sessions_of(holed)
    first = len(holed) - DAYS - 45
    rows = [row for row in range(first, first + DAYS) if holed.dates[row].item() in sessions]
    return [said_on(template, holed, row, sessions, row) for row in rows]


@pytest.fixture(scope="module")
def logged(reports: list[Report], tmp_path_factory: pytest.TempPathFactory) -> Journal:
    journal = Journal(tmp_path_factory.mktemp("log") / "forecasts.sqlite3")
    for report in reports:
        assert journal.append(report)
    return journal


@pytest.fixture(scope="module")
def found(logged: Journal, holed: Bars) -> MonitorReport:
    return monitor(logged, holed, now=LATER)


class ByHand:
    """What happened, day by day, from a dict of rows and a list of sessions."""

    def __init__(self, bars: Bars) -> None:
        self.days: list[date] = bars.dates.tolist()
        self.sessions = sessions_of(bars)
        self.past_vols: dict[int, float] = {}
        rows = zip(bars.high, bars.low, bars.close, bars.iv, strict=True)
        self.rows = {day: tuple(map(float, row)) for day, row in zip(self.days, rows, strict=True)}
        self.returns = {
            day: math.log(self.rows[day][2] / self.rows[before][2])
            for before, day in itertools.pairwise(self.days)
        }
        self.ranges = {
            day: max(self.rows[day][0], self.rows[before][2])
            - min(self.rows[day][1], self.rows[before][2])
            for before, day in itertools.pairwise(self.days)
        }

    def promised(self, day: date, horizon_days: int) -> list[date]:
        return [one for one in self.sessions if one > day][:horizon_days]

    def decide(self, day: date, claim: Claim) -> float | str | None:
        """1 or 0, why not, or None while the horizon has not passed."""
        promised = self.promised(day, claim.horizon_days)
        if len(promised) < claim.horizon_days or promised[-1] > self.days[-1]:
            return None
        assert claim.ends_on == str(promised[-1])
        is_whole = all(one in self.rows for one in promised)
        inside = [one for one in self.days if day < one <= promised[-1]]
        close, iv = self.rows[day][2:]
        if claim.series.startswith("move_interval"):
            if promised[-1] not in self.rows:
                return MISSING_SESSIONS
            assert claim.lower_edge is not None
            assert claim.upper_edge is not None
            return float(claim.lower_edge <= self.rows[promised[-1]][2] <= claim.upper_edge)
        if claim.lower_edge is not None or claim.upper_edge is not None:
            if not is_whole:
                return MISSING_SESSIONS
            touched = any(
                (claim.upper_edge is not None and self.rows[one][0] > claim.upper_edge)
                or (claim.lower_edge is not None and self.rows[one][1] < claim.lower_edge)
                for one in inside
            )
            return float(touched != (claim.output == "safe_range"))
        name = claim.series
        if name.startswith(("direction", "overnight_t1")):
            if promised[-1] not in self.rows:
                return MISSING_SESSIONS
            moved = math.log(self.rows[promised[-1]][2] / close)
            moved /= iv / 100 * math.sqrt(claim.horizon_days / 252)
            side = "down" if moved < -0.35 else "up" if moved > 0.35 else "neutral"
            return float(name.endswith(side))
        if name.startswith(("breakout", "spike")):
            ahead = promised[-1]
            if not all(one in self.rows for one in promised[-2:]):
                return MISSING_SESSIONS
            place = self.days.index(day)
            usual = sum(self.ranges[one] for one in self.days[place - 13 : place + 1]) / 14
            broke = self.ranges[ahead] > 1.25 * usual
            if name.startswith("breakout"):
                return float(broke)
            falls = self.returns[ahead] < 0
            return float(broke and falls == name.endswith("down"))
        if not is_whole:
            return MISSING_SESSIONS
        squares = sum(self.returns[one] ** 2 for one in inside)
        vol = math.sqrt(252 / claim.horizon_days * squares)
        if name.startswith(("trap", "theta")):
            return float(vol > iv / 100)
        place = self.days.index(day)
        past = [self._past_vol(row) for row in range(place - 251, place + 1)]
        lower, upper = np.quantile(past, [1 / 3, 2 / 3])
        regime = "low" if vol <= lower else "medium" if vol <= upper else "high"
        return float(name.endswith(regime))

    def _past_vol(self, row: int) -> float:
        if row not in self.past_vols:
            squares = sum(self.returns[self.days[one]] ** 2 for one in range(row - 19, row + 1))
            self.past_vols[row] = math.sqrt(252 / 20 * squares)
        return self.past_vols[row]


@pytest.mark.slow
def test_500_days_are_scored_as_counted_session_by_session(
    found: MonitorReport, reports: list[Report], holed: Bars
) -> None:
    hand = ByHand(holed)
    pairs: dict[str, list[tuple[float, float]]] = defaultdict(list)
    left_out: Counter[str] = Counter()
    for report in reports:
        day = date.fromisoformat(report.as_of)
        for claim in claims_of(report):
            came = hand.decide(day, claim)
            if isinstance(came, str):
                left_out[came] += 1
            elif came is not None:
                pairs[claim.series].append((claim.probability, came))
    scores = {one.output: one for one in found.outputs}
    ranges = {one.output: one for one in (*found.safe_ranges, *found.move_intervals)}
    assert scores.keys() | ranges.keys() == pairs.keys()
    for name, said in pairs.items():
        forecast, happened = (np.array(values) for values in zip(*said, strict=True))
        if name in ranges:
            assert ranges[name].n == len(said)
            assert ranges[name].rate == pytest.approx(happened.mean(), abs=1e-12)
            continue
        assert scores[name].n == len(said), name
        assert scores[name].frequency == pytest.approx(happened.mean(), abs=1e-12), name
        brier = float(((forecast - happened) ** 2).mean())
        assert scores[name].brier == pytest.approx(brier, abs=1e-12), name
    assert found.unscorable == dict(left_out)
    assert left_out[MISSING_SESSIONS] > 4_000
    (note,) = [note for note in found.notes if note.code == "UNSCORABLE"]
    assert f"{left_out[MISSING_SESSIONS]}: {MISSING_SESSIONS}" in note.sentence
    assert note.sentence in found.summary()
    assert json.loads(json.dumps(found.to_dict()))["unscorable"] == dict(left_out)


def eve_of_the_fortnight(bars: Bars) -> int:
    gaps = np.diff(bars.dates[-DAYS:]).astype(int)
    return len(bars) - DAYS + int(np.argmax(gaps))


def test_a_claim_of_one_day_is_not_scored_over_eleven(
    template: Report, holed: Bars, tmp_path: Path
) -> None:
    row = eve_of_the_fortnight(holed)
    assert (holed.dates[row + 1] - holed.dates[row]).astype(int) == 15
    journal = Journal(tmp_path / "log")
    journal.append(said_on(template, holed, row, sessions_of(holed), 1))
    found = monitor(journal, holed, now=LATER)
    scored = {one.output for one in found.outputs}
    assert not any(one.horizon_days <= 10 for one in found.outputs)
    # Only what the close at the end of the horizon decides is known: 11 sessions and more ahead.
    assert scored == {
        f"direction_t{days}_{side}" for days in (20, 40) for side in ("down", "neutral", "up")
    }
    assert found.safe_ranges == ()
    assert found.unscorable[MISSING_SESSIONS] > 90


def test_the_claim_to_the_expiry_of_7_november_2024_ends_on_that_day(
    nifty: Bars, tmp_path: Path
) -> None:
    until = int(np.searchsorted(nifty.dates, np.datetime64("2024-10-31"))) + 1
    moment = datetime(2024, 10, 31, 11, tzinfo=timezone.utc)
    report = am.analyze(nifty[:until], expiry="2024-11-07", now=moment)
    assert report.seller.safe_range.horizon_days == 4
    journal = Journal(tmp_path / "log")
    journal.append(report)
    (claims,) = journal.claims(journal.runs())
    (claim,) = [one for one in claims if one.output == "safe_range"]
    assert claim.ends_on == "2024-11-07"
    seventh = int(np.searchsorted(nifty.dates, np.datetime64("2024-11-07")))
    assert [str(day) for day in nifty.dates[until : seventh + 1]] == [
        "2024-11-01",
        "2024-11-04",
        "2024-11-05",
        "2024-11-06",
        "2024-11-07",
    ]
    assert monitor(journal, nifty[:seventh], now=LATER).safe_ranges == ()
    (score,) = monitor(journal, nifty[: seventh + 1], now=LATER).safe_ranges
    assert (score.n, score.horizon_days) == (1, 4)
    # A touch on the last day alone, and one on the day after it.
    high = nifty.high.copy()
    high[seventh] = report.seller.safe_range.upper * 1.001
    reached = replace(nifty, high=high)
    assert monitor(journal, reached, now=LATER).safe_ranges[0].rate == 0.0
    high = nifty.high.copy()
    high[seventh + 1] = report.seller.safe_range.upper * 1.001
    assert monitor(journal, replace(nifty, high=high), now=LATER).safe_ranges[0].rate == 1.0


def test_a_touch_on_muhurat_counts(nifty: Bars, template: Report, tmp_path: Path) -> None:
    row = int(np.searchsorted(nifty.dates, np.datetime64("2024-10-31")))
    journal = Journal(tmp_path / "log")
    journal.append(said_on(template, nifty, row, sessions_of(nifty), 1))
    low = nifty.low.copy()
    low[row + 1] = nifty.close[row] * 0.95
    held = monitor(journal, nifty, now=LATER).safe_ranges[0]
    left = monitor(journal, replace(nifty, low=low), now=LATER).safe_ranges[0]
    assert (held.n, left.n) == (1, 1)
    assert left.rate == 0.0


def test_a_closure_that_was_declared_later_makes_claims_across_it_unscorable(
    template: Report, nifty: Bars, tmp_path: Path
) -> None:
    row = len(nifty) - 60
    journal = Journal(tmp_path / "log")
    journal.append(said_on(template, nifty, row, sessions_of(nifty), 1))
    before = monitor(journal, nifty, now=LATER)
    gone = row + 3
    closed = nifty.market.known_calendar().with_closed([nifty.dates[gone].item()])
    market = replace(nifty.market, calendar=closed)
    after = monitor(journal, replace(without(nifty, {gone}), market=market), now=LATER)
    assert before.unscorable == {}
    assert {one.horizon_days for one in after.outputs} == {1, 2}
    counts = {one.output: one.n for one in before.outputs}
    kept = len(after.outputs) + len(after.move_intervals)
    claimed = len(counts) + len(before.move_intervals) + 1
    assert after.unscorable == {CALENDAR_CHANGED: claimed - kept}


def test_bars_that_begin_too_late_are_said_to(
    template: Report, nifty: Bars, tmp_path: Path
) -> None:
    row = len(nifty) - 60
    journal = Journal(tmp_path / "log")
    journal.append(said_on(template, nifty, row, sessions_of(nifty), 1))
    found = monitor(journal, nifty[row - 100 :], now=LATER)
    assert found.unscorable == {BEGINS_TOO_LATE: 3}


def test_a_log_of_the_first_version_is_read_and_goes_on(
    template: Report, nifty: Bars, tmp_path: Path
) -> None:
    """Its claims have no session that they end with: the calendar of the bars says."""
    journal, row = Journal(tmp_path / "log"), len(nifty) - 60
    first, second = (
        said_on(template, nifty, one, sessions_of(nifty), one) for one in (row, row + 1)
    )
    journal.append(replace(first, record=replace(first.record, sessions_ahead=())))
    to_version_1(journal)
    (old,) = journal.claims(journal.runs())
    assert {claim.ends_on for claim in old} == {None}
    assert monitor(journal, nifty, now=LATER).scored_days == 1
    assert journal.append(second)
    older, newer = journal.claims(journal.runs())
    assert older == old
    assert newer == tuple(sorted(claims_of(second), key=lambda claim: claim.output))
    assert {claim.ends_on for claim in newer} != {None}
    assert monitor(journal, nifty, now=LATER).scored_days == 2


def test_the_session_that_a_claim_ends_with_is_sealed(
    template: Report, nifty: Bars, tmp_path: Path
) -> None:
    journal = Journal(tmp_path / "log")
    journal.append(said_on(template, nifty, len(nifty) - 60, sessions_of(nifty), 1))
    with closing(sqlite3.connect(journal.path)) as file, file:
        file.execute("UPDATE claims SET ends_on = '2024-12-01' WHERE output = 'safe_range'")
    with pytest.raises(am.errors.AegisError, match="are not those written"):
        journal.claims(journal.runs())
    assert len(astuple(claims_of(template)[0])) == len(logs._CLAIM_COLUMNS)
