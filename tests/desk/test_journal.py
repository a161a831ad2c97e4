"""The forecast log: whole or as before, checked on reading, each run once."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import pytest

import aegismatrix as am
from aegismatrix.desk.monitoring import journal as journal_module
from aegismatrix.desk.monitoring.journal import Claim, Journal, Run, claims_of
from aegismatrix.desk.report import Report
from aegismatrix.errors import ContractError, JournalError
from aegismatrix.market.bars import Bars
from aegismatrix.market.events import OUTPUTS
from tests import faults
from tests.journal_child import OWN, SHARED, START, at
from tests.old_logs import digest_of, to_version_2
from tests.raising import raising

KILLS = 24
"""Moments at which a run that logs can end, at the least."""


@pytest.fixture(scope="module")
def report(sample: Bars) -> Report:
    return am.analyze(sample, now=START)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "logs" / "forecasts.sqlite3")


@pytest.fixture
def filled(journal: Journal, report: Report) -> Journal:
    for days in range(3):
        assert journal.append(at(report, START + timedelta(days=days)))
    return journal


def content(journal: Journal) -> tuple[tuple[Run, ...], tuple[tuple[Claim, ...], ...]]:
    runs = journal.runs()
    return runs, journal.claims(runs)


def test_a_report_claims_every_probability_that_its_future_decides(report: Report) -> None:
    claims = {claim.output: claim for claim in claims_of(report)}
    surface = report.seller.breach_surface
    cells = len(surface.horizon_days) * len(surface.distance_points)
    # The night is forecast where US bars are given; it is not logged.
    events = {column for column, output in OUTPUTS.items() if output.head != "overnight"}
    assert len(claims) == len(claims_of(report)) == len(events) + 3 * cells + 6 + 3
    assert events < set(claims)
    seller, buyer = report.seller, report.buyer
    assert claims["trap_10"].probability == seller.trap.score
    assert claims["trap_10"].base_rate == seller.trap.base_rate
    assert claims["regime_high"].probability == seller.expiry_stress.probabilities["high"]
    assert claims["breakout_3"].probability == buyer.breakout_next[2].score
    assert claims["breakout_3"].horizon_days == 3
    assert claims["theta"].probability == buyer.theta_edge.score
    spikes = claims["spike_up"].probability + claims["spike_down"].probability
    bias = buyer.spike_direction_bias
    assert claims["spike_up"].probability / spikes == pytest.approx(bias.up_prob, rel=1e-12)
    t40 = report.direction.horizons["t40"]
    assert claims["direction_t40_up"].probability == t40.probabilities["up"]
    assert claims["direction_t40_up"].horizon_days == 40


def test_a_touch_is_claimed_with_its_edges(report: Report) -> None:
    claims = {claim.output: claim for claim in claims_of(report)}
    surface = report.seller.breach_surface
    points = surface.distance_points[1]
    either, down, up = (
        claims[f"{name}_h20_p{points}"] for name in ("breach", "breach_down", "breach_up")
    )
    row = surface.horizon_days.index(20)
    assert either.series == "breach_h20_d200"
    assert (either.probability, either.base_rate) == (
        surface.either[row][1],
        report.record.base_rates["breach_h20_d200"],
    )
    assert (either.lower_edge, either.upper_edge) == (
        surface.lower_edges[1],
        surface.upper_edges[1],
    )
    assert (down.probability, down.lower_edge, down.upper_edge) == (
        surface.down[row][1],
        surface.lower_edges[1],
        None,
    )
    assert (up.probability, up.lower_edge, up.upper_edge, up.base_rate) == (
        surface.up[row][1],
        None,
        surface.upper_edges[1],
        None,
    )


def test_the_safe_range_is_a_claim_that_it_holds(report: Report, sample: Bars) -> None:
    claims = {claim.output: claim for claim in claims_of(report)}
    given = report.seller.safe_range
    assert claims["safe_range"] == Claim(
        "safe_range", "safe_range_h20_c80", 20, 0.8, given.lower, given.upper, None
    )
    other = am.analyze(sample, horizon_days=7, confidence=0.07)
    assert [claim.series for claim in claims_of(other)[-3:]] == [
        "safe_range_h7_c7",
        "safe_edge_lower_h7_c7",
        "safe_edge_upper_h7_c7",
    ]
    assert {claim.horizon_days for claim in claims_of(other) if "breach_h7_" in claim.output} == {7}


def test_each_edge_of_the_safe_range_is_a_claim_of_its_own(report: Report) -> None:
    claims = {claim.output: claim for claim in claims_of(report)}
    given = report.seller.safe_range
    assert claims["safe_edge_lower"] == Claim(
        *("safe_edge_lower", "safe_edge_lower_h20_c80", 20, given.edge_touch, given.lower),
        upper_edge=None,
    )
    assert claims["safe_edge_upper"] == Claim(
        *("safe_edge_upper", "safe_edge_upper_h20_c80", 20, given.edge_touch, None),
        upper_edge=given.upper,
    )
    assert 0.1 <= given.edge_touch < 0.2


def test_what_is_logged_is_read_to_the_last_bit(journal: Journal, report: Report) -> None:
    assert journal.runs() == ()
    assert not journal.path.exists()
    assert journal.append(report)
    (run,), (claims,) = content(journal)
    record = report.record
    assert run.generated_at == START
    assert run.as_of == date.fromisoformat(report.as_of)
    assert (run.session, run.market, run.in_sample) == ("closed", "other", True)
    assert run.manifest_digest == report.provenance.manifest_digest
    assert run.package_version == am.__version__
    assert (run.high, run.low, run.close, run.iv_percent) == (
        record.high,
        record.low,
        record.close,
        record.iv_percent,
    )
    assert run.features == record.features
    assert list(run.features) == list(record.features)
    assert set(claims) == set(claims_of(report))


def test_the_same_report_is_logged_once_and_another_run_on_the_same_bars_is_another(
    journal: Journal, report: Report
) -> None:
    assert journal.append(report)
    assert not journal.append(report)
    assert journal.append(at(report, START + timedelta(minutes=30)))
    first, second = journal.runs()
    assert first.bar_digest == second.bar_digest
    assert second.generated_at - first.generated_at == timedelta(minutes=30)
    claims, again = journal.claims([first, second])
    assert claims == again


def test_the_bars_digest_is_of_its_values_and_not_of_its_day(
    journal: Journal, report: Report
) -> None:
    journal.append(report)
    journal.append(replace(at(report, START + timedelta(days=1)), as_of="2026-01-05"))
    moved = replace(report.record, iv_percent=report.record.iv_percent + 0.01)
    journal.append(replace(at(report, START + timedelta(days=2)), record=moved))
    digests = [run.bar_digest for run in journal.runs()]
    assert digests[0] == digests[1] != digests[2]


def test_runs_come_by_time_and_by_market(journal: Journal, report: Report) -> None:
    of_nifty = replace(report, provenance=replace(report.provenance, market="nifty"))
    journal.append(at(report, START + timedelta(days=1)))
    journal.append(at(of_nifty, START))
    assert [run.market for run in journal.runs()] == ["nifty", "other"]
    assert [run.id for run in journal.runs("nifty")] == [2]


def test_what_is_no_report_is_refused(journal: Journal) -> None:
    with pytest.raises(ContractError, match=r"aegismatrix\.analyze"):
        journal.append({"as_of": "2024-01-01"})  # type: ignore[arg-type]
    assert not journal.path.exists()


def test_an_empty_file_left_by_a_killed_process_is_an_empty_log(
    journal: Journal, report: Report
) -> None:
    journal.path.parent.mkdir()
    journal.path.touch()
    assert journal.runs() == ()
    assert journal.append(report)
    assert len(journal.runs()) == 1


def test_no_flipped_bit_passes_for_a_forecast(filled: Journal) -> None:
    whole, held = filled.path.read_bytes(), content(filled)
    draw = random.Random(11)
    noticed = 0
    for _ in range(150):
        flipped = bytearray(whole)
        flipped[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        filled.path.write_bytes(flipped)
        try:
            again = content(filled)
        except JournalError:
            noticed += 1
            continue
        # Bits that nothing is kept in: free space, counters, unused fields of the header.
        assert again == held
    assert noticed > 75


@pytest.mark.parametrize("length", [1, 50, 511, 600, 4_096, 5_000, 12_288])
def test_a_truncated_file_is_refused_and_left_alone(
    filled: Journal, report: Report, length: int
) -> None:
    filled.path.write_bytes(filled.path.read_bytes()[:length])
    for use in (filled.runs, lambda: filled.append(report)):
        with pytest.raises(JournalError):
            use()
    assert filled.path.stat().st_size == length


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE runs SET close = close + 0.01 WHERE id = 2",
        "UPDATE runs SET features = '{}' WHERE id = 2",
        "UPDATE runs SET as_of = x'00' WHERE id = 2",
        "UPDATE claims SET probability = 0.5 WHERE run = 2 AND output = 'theta'",
        "UPDATE claims SET base_rate = 9e999 WHERE run = 2 AND output = 'theta'",
        "DELETE FROM claims WHERE run = 2 AND output = 'theta'",
        "DELETE FROM claims",
        "DROP TABLE claims",
        "DROP TABLE runs",
    ],
)
def test_what_was_changed_in_place_is_damage(filled: Journal, statement: str) -> None:
    with closing(sqlite3.connect(filled.path)) as file, file:
        file.execute(statement)
    with raising((JournalError, "damaged"), match="backup"):
        content(filled)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM runs WHERE id = 1",
        "DELETE FROM runs WHERE id = 2",
        "UPDATE runs SET id = -id",
        "UPDATE runs SET previous = NULL, report_sha256 = NULL WHERE id = 2",
        "UPDATE runs SET previous = digest WHERE id = 2",
    ],
)
def test_what_was_left_out_or_moved_is_damage(filled: Journal, statement: str) -> None:
    with closing(sqlite3.connect(filled.path)) as file, file:
        file.execute(statement)
    for use in (filled.runs, filled.head):
        with raising((JournalError, "damaged")):
            use()


def test_a_log_of_the_second_version_is_read_and_goes_on(filled: Journal, report: Report) -> None:
    before = content(filled)
    digests = to_version_2(filled)
    assert [run.digest for run in filled.runs()] == digests
    assert content(filled)[1] == before[1]
    expected = "0" * 64
    for digest in digests:
        expected = digest_of([expected, digest])
    assert filled.head() == expected
    # What is logged already is not logged again.
    assert not filled.append(at(report, START))
    assert filled.append(at(report, START + timedelta(days=9)))
    *older, newest = filled.runs()
    assert newest.previous == expected
    assert [run.digest for run in older] == digests
    assert {run.previous for run in older} == {None}
    with closing(sqlite3.connect(filled.path)) as file, file:
        file.execute("DELETE FROM runs WHERE id = 2")
    with raising((JournalError, "damaged"), match="does not follow"):
        filled.runs()


def test_a_log_whose_folder_may_not_be_entered_is_unusable_and_not_an_empty_one(
    report: Report, monkeypatch: pytest.MonkeyPatch, filled: Journal
) -> None:
    def refuse(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", refuse)
    for use in (filled.runs, filled.head, lambda: filled.holds("0" * 64)):
        with raising((JournalError, "unusable"), match="Permission denied"):
            use()


def foreign_text(path: Path, report: Report) -> None:
    path.write_text("date,close\n2024-01-01,100\n" * 100)


def foreign_database(path: Path, report: Report) -> None:
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("CREATE TABLE runs (day TEXT)")


def tableless_database(path: Path, report: Report) -> None:
    foreign_database(path, report)
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("DROP TABLE runs")


def other_version(path: Path, report: Report) -> None:
    Journal(path).append(report)
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("PRAGMA user_version = 99")


@pytest.mark.parametrize(
    "make", [foreign_text, foreign_database, tableless_database, other_version]
)
def test_what_is_no_log_is_refused_and_left_alone(
    journal: Journal, report: Report, make: Callable[[Path, Report], None]
) -> None:
    journal.path.parent.mkdir()
    make(journal.path, report)
    before = journal.path.read_bytes()
    for use in (journal.runs, lambda: journal.append(report)):
        with raising((JournalError, "unrecognised")) as caught:
            use()
        assert caught.value.reason
        assert caught.value.path == str(journal.path)
    assert journal.path.read_bytes() == before


def test_a_place_that_cannot_be_used_is_named(tmp_path: Path, report: Report) -> None:
    (tmp_path / "file").touch()
    with raising((JournalError, "unusable"), match="Make it writable"):
        Journal(tmp_path / "file" / "log").append(report)
    with raising((JournalError, "unusable")):
        Journal(tmp_path).append(report)
    with raising((JournalError, "unusable")):
        Journal(tmp_path).runs()


def test_a_log_that_another_process_holds_is_waited_for_and_then_named(
    filled: Journal, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "BUSY_SECONDS", 0.05)
    before = filled.path.read_bytes()
    with closing(sqlite3.connect(filled.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with raising((JournalError, "busy")):
            filled.runs()
        with raising((JournalError, "busy")):
            filled.append(at(report, START + timedelta(days=9)))
        other.execute("ROLLBACK")
    assert filled.path.read_bytes() == before


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
def test_a_run_killed_at_any_moment_is_logged_whole_or_not_at_all(tmp_path: Path) -> None:
    journal, between = Journal(tmp_path / "log.sqlite3"), 0
    (tmp_path / "told").touch()
    with faults.children("tests.journal_child", "kill", tmp_path) as appending:
        for _ in appending.ended():
            between += (tmp_path / "log.sqlite3-journal").exists()
            if not journal.path.exists():
                continue
            runs, claims = content(journal)
            logged = [int((run.generated_at - START).total_seconds()) for run in runs]
            told = [int(line) for line in (tmp_path / "told").read_text().split()]
            # What append had returned from is there; beyond it, one run that it was about to.
            assert set(told) <= set(logged)
            unseen = set(logged) - set(told)
            assert len({second // 10 for second in unseen}) == len(unseen)
            assert len({len(of_run) for of_run in claims}) <= 1
    assert appending.moments > KILLS
    assert between
    assert len(journal.runs()) > 2


@pytest.mark.slow
def test_several_processes_at_once_lose_nothing_and_log_nothing_twice(tmp_path: Path) -> None:
    together = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.journal_child", "many", str(tmp_path), str(number)],
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        for number in range(4)
    ]
    told = [process.communicate(timeout=120) for process in together]
    assert [process.returncode for process in together] == [0] * 4, told
    runs, claims = content(Journal(tmp_path / "log.sqlite3"))
    assert len(runs) == len({run.generated_at for run in runs}) == 4 * OWN + SHARED
    assert len(set(claims)) == 1


def test_moments_are_utc(filled: Journal) -> None:
    moments = [run.generated_at for run in filled.runs()]
    assert moments[0] == datetime(2026, 1, 5, 4, 0, tzinfo=timezone.utc)
    assert all(moment.tzinfo is timezone.utc for moment in moments)


def test_two_claims_of_one_name_are_refused(report: Report, journal: Journal) -> None:
    record = replace(
        report.record,
        probabilities={**report.record.probabilities, "safe_range": 0.5},
        horizon_days={**report.record.horizon_days, "safe_range": 5},
    )
    with pytest.raises(ContractError, match="safe_range is claimed twice"):
        journal.append(replace(report, record=record))
    assert journal.runs() == ()
