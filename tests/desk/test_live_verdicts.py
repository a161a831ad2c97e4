"""What a log demonstrates, on the terms of the walk-forward, and the log that anyone can make."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import false_discovery_control, t

import aegismatrix as am
from aegismatrix.desk.cli.main import main
from aegismatrix.desk.monitoring.demo import demo_journal
from aegismatrix.desk.monitoring.journal import MOVE_INTERVAL, Journal
from aegismatrix.desk.monitoring.monitor import MonitorReport, monitor
from aegismatrix.desk.monitoring.verdicts import (
    LEAST_WINDOWS,
    Evidence,
    live_verdicts,
)
from aegismatrix.errors import OutputError
from aegismatrix.market.bars import Bars
from aegismatrix.market.statistics import block_days, gain_p_value, holm, student_above

DEMO_DAYS = 5


@given(st.floats(-40.0, 40.0), st.integers(1, 300))
def test_the_tail_of_students_t_is_that_of_scipy(value: float, degrees: int) -> None:
    assert math.isclose(
        student_above(value, degrees), float(t.sf(value, degrees)), rel_tol=1e-6, abs_tol=1e-13
    )


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=30))
def test_holms_correction_keeps_order_and_lies_between_none_and_bonferronis(
    p_values: list[float],
) -> None:
    corrected = holm(p_values)
    by_size = sorted(range(len(p_values)), key=p_values.__getitem__)
    assert [corrected[place] for place in by_size] == sorted(corrected)
    for given_p, found in zip(p_values, corrected, strict=True):
        assert given_p <= found <= min(1.0, len(p_values) * given_p) + 1e-12
    assert corrected[by_size[0]] == min(1.0, len(p_values) * p_values[by_size[0]])
    # The less strict control of false discoveries never corrects more.
    assert (false_discovery_control(p_values) <= np.array(corrected) + 1e-12).all()


def evidence(days: int, gain: float, seed: int = 1) -> Evidence:
    """Losses whose mean is that much below the reference's, at a horizon of one day."""
    random = np.random.default_rng(seed)
    reference: NDArray[np.float64] = random.uniform(0.2, 0.3, days)
    losses = reference * (1.0 - gain) + random.normal(0.0, 0.02, days)
    return Evidence(1, losses, reference)


ENOUGH = LEAST_WINDOWS * block_days(1)


@pytest.mark.parametrize(
    ("days", "gain", "verdict"),
    [
        (ENOUGH, 0.10, "demonstrated"),
        (ENOUGH - 1, 0.10, "indicated"),
        (ENOUGH, 0.0095, "indicated"),
        (ENOUGH, 0.0, "none demonstrated"),
        (ENOUGH, -0.10, "none demonstrated"),
        (125, 0.10, "none demonstrated"),
        (0, 0.0, "none demonstrated"),
    ],
)
def test_a_demonstration_needs_windows_effect_and_more_than_chance(
    days: int, gain: float, verdict: str
) -> None:
    found = live_verdicts({"one": evidence(days, gain)})["one"]
    assert found.verdict == verdict
    assert (found.n, found.windows) == (days, days // block_days(1))


def test_what_is_beyond_chance_alone_may_not_be_among_many() -> None:
    lucky = evidence(ENOUGH, 0.011, seed=4)
    p_value = gain_p_value(lucky.losses, lucky.reference, 1)
    many = {f"null {n}": evidence(ENOUGH, 0.0, seed=n) for n in range(10, 60)}
    together = live_verdicts({"lucky": lucky, **many})["lucky"]
    assert together.corrected_p == min(1.0, 51 * p_value)
    twice = live_verdicts({"lucky": lucky, "under another name": lucky})
    assert {one.corrected_p for one in twice.values()} == {p_value}


def test_two_halves_of_nothing_have_no_p_value_to_speak_of() -> None:
    assert gain_p_value(np.zeros(60), np.ones(60), 1) == 1.0
    assert gain_p_value(np.zeros(90), np.ones(90), 1) == 0.0
    assert gain_p_value(np.ones(90), np.ones(90), 1) == 1.0


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Journal:
    return demo_journal(tmp_path_factory.mktemp("demo") / "demo.sqlite3", days=DEMO_DAYS)


@pytest.fixture(scope="module")
def watched(journal: Journal, sample: Bars) -> MonitorReport:
    return monitor(journal, sample)


def test_the_demonstration_is_decided_in_full_and_called_in_sample(
    journal: Journal, watched: MonitorReport
) -> None:
    assert len(journal.runs()) == watched.scored_days == watched.in_sample_days == DEMO_DAYS
    assert (watched.evidence_days, watched.late_days, watched.unscorable) == (0, 0, {})
    assert {one.n for one in watched.outputs} == {DEMO_DAYS}
    verdicts = watched.overview()["verdicts"]
    assert verdicts["not judged"] == len(watched.outputs) == sum(verdicts.values())
    with pytest.raises(OutputError, match="already"):
        demo_journal(journal.path)


def test_a_move_interval_holds_where_the_close_at_its_end_lies_within(
    journal: Journal, watched: MonitorReport, sample: Bars
) -> None:
    held: dict[int, list[bool]] = {}
    runs = journal.runs()
    for run, claims in zip(runs, journal.claims(runs), strict=True):
        row = int(np.searchsorted(sample.dates, np.datetime64(run.as_of)))
        for claim in claims:
            if claim.output.startswith(MOVE_INTERVAL):
                end = float(sample.close[row + claim.horizon_days])
                assert claim.lower_edge is not None
                assert claim.upper_edge is not None
                within = claim.lower_edge <= end <= claim.upper_edge
                held.setdefault(claim.horizon_days, []).append(within)
    assert sorted(held) == [1, 3, 5, 10, 20, 40]
    assert {one.horizon_days: one.rate for one in watched.move_intervals} == {
        days: float(np.mean(cases)) for days, cases in held.items()
    }
    assert {one.confidence for one in watched.move_intervals} == {0.8}


def test_the_overview_comes_before_the_rows_and_first_in_the_json(watched: MonitorReport) -> None:
    lines = watched.summary().splitlines()
    assert lines[1].startswith("evidence: 0 of these days")
    assert lines[2].startswith("verdicts on them: 0 demonstrated, 0 indicated")
    coverage = watched.overview()["coverage"]
    assert [one["output"] for one in coverage] == [line.split()[0] for line in lines[3:10]]
    assert coverage[0]["output"] == "safe_range_h20_c80"
    for one in coverage:
        assert one["covers"] == (one["lower"] <= one["confidence"] <= one["upper"])
    plain = json.loads(json.dumps(watched.to_dict(), allow_nan=False))
    assert next(iter(plain)) == "overview"
    assert plain["overview"] == watched.overview()
    (trap,) = (one for one in watched.outputs if one.output == "trap_10")
    sealed = {one["output"]: one["verdict"] for one in am.list_models()[1].own_judgements()}
    assert trap.sealed_verdict == sealed["trap_10"]
    assert next(one for one in watched.outputs if one.output == "breach_h20_d200").sealed_verdict


@pytest.mark.slow
def test_the_command_makes_the_log_and_shows_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "demo.sqlite3"
    assert main(["monitor", "--demo", "--journal", str(log)]) in (0, 1)
    assert "21 days scored of 21 logged in 21 runs" in capsys.readouterr().out
    assert main(["monitor", "--demo", "--journal", str(log)]) == 2
    assert "already" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["monitor", "--demo", "--yahoo", "--journal", str(log)])
