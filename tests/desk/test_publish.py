"""Publishing: all of it or nothing, whatever fails and whenever the process is killed."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import jsonschema
import numpy as np
import pytest

import aegismatrix as am
from aegismatrix.desk.cli import commands
from aegismatrix.desk.cli.main import main
from aegismatrix.desk.job.check import check_folder
from aegismatrix.desk.job.ending import Terminated, ended_by_signals
from aegismatrix.desk.job.publish import Settings, publish
from aegismatrix.desk.monitoring.journal import Journal
from aegismatrix.desk.report import schema
from aegismatrix.desk.sources.fetched import Fetched
from aegismatrix.desk.sources.local import SampleSource
from aegismatrix.errors import (
    BarsBehindError,
    CalendarRangeError,
    ContractError,
    MarketClosedError,
    MissingExtraError,
    OutputError,
    TransientSourceError,
)
from tests import faults

EVENING = datetime(2024, 12, 31, 12, 0, tzinfo=timezone.utc)
KILLS = 10
"""Moments at which a run can end, at the least."""


@dataclass(frozen=True, eq=False)
class Held:
    """A source that hands over the bars that it holds."""

    bars: am.Bars
    error: Exception | None = None

    @property
    def description(self) -> str:
        return "held bars"

    def fetch(self) -> Fetched:
        if self.error is not None:
            raise self.error
        return Fetched(self.bars, None, EVENING)


@pytest.fixture(scope="module")
def engine() -> am.Engine:
    return am.Engine()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


def test_a_run_checks_the_schema_only_where_it_is_asked_to(
    nifty: am.Bars, engine: am.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A report that says what the schema does not know.
    monkeypatch.setattr(
        "aegismatrix.desk.job.publish.analyze",
        lambda *given, **named: replace(am.analyze(*given, **named), session="sideways"),
    )
    out = tmp_path / "out"
    with pytest.raises(ContractError, match="sideways"):
        publish(Held(nifty), Settings(out, html=False, validate=True), engine=engine, now=EVENING)
    assert contents(out) == {}
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    publish(Held(nifty), Settings(out, html=False), engine=engine, now=EVENING)
    with pytest.raises(MissingExtraError, match="jsonschema"):
        publish(Held(nifty), Settings(out, html=False, validate=True), engine=engine, now=EVENING)


def test_a_run_writes_report_page_and_journal(
    nifty: am.Bars, engine: am.Engine, tmp_path: Path
) -> None:
    journal = Journal(tmp_path / "forecasts.sqlite")
    published = publish(
        Held(nifty), Settings(tmp_path), engine=engine, journal=journal, now=EVENING
    )
    report = json.loads((tmp_path / "aegismatrix.json").read_text(encoding="utf-8"))
    jsonschema.validate(report, schema())
    assert report["as_of"] in (tmp_path / "aegismatrix.html").read_text(encoding="utf-8")
    assert [str(run.as_of) for run in journal.runs()] == ["2024-12-31"]
    line = json.loads(json.dumps(published.to_dict(), allow_nan=False))
    assert line["horizon_days"] == report["seller"]["safe_range"]["horizon_days"] == 2
    assert line["safe_range"] == [
        report["seller"]["safe_range"]["lower"],
        report["seller"]["safe_range"]["upper"],
    ]


def fails(*_: object) -> None:
    raise OutputError("the log", "no space left")


@pytest.mark.parametrize("what", ["fetch", "analysis", "page", "journal", "disk"])
def test_whatever_fails_leaves_what_was_published_before(
    what: str,
    nifty: am.Bars,
    engine: am.Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "public"
    publish(Held(nifty[:-1]), Settings(folder, check_current=False), engine=engine, now=EVENING)
    before = contents(folder)
    source, journal = Held(nifty), None
    if what == "fetch":
        source = Held(nifty, TransientSourceError("a host", "unreachable", "it is not there"))
    elif what == "analysis":
        source = Held(nifty[-300:])
    elif what == "page":
        monkeypatch.setattr(am.Report, "to_html", fails)
    elif what == "journal":
        journal = Journal(tmp_path / "no_log.sqlite")
        journal.path.write_text("not a log" * 100)
    else:
        monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(am.AegisError):
        publish(source, Settings(folder), engine=engine, journal=journal, now=EVENING)
    assert contents(folder) == before


def test_bars_that_stand_still_are_refused_unless_an_age_is_allowed(
    nifty: am.Bars, engine: am.Engine, tmp_path: Path
) -> None:
    late = EVENING + timedelta(days=3)
    with pytest.raises(BarsBehindError) as raised:
        publish(Held(nifty), Settings(tmp_path), engine=engine, now=late)
    assert (raised.value.last, raised.value.completed) == ("2024-12-31", "2025-01-03")
    assert raised.value.sessions == 3
    assert contents(tmp_path) == {}
    allowed = Settings(tmp_path, allow_stale=timedelta(days=3))
    assert publish(Held(nifty), allowed, engine=engine, now=late).report.as_of == "2024-12-31"
    with pytest.raises(BarsBehindError):
        publish(
            Held(nifty),
            replace(allowed, allow_stale=timedelta(days=2)),
            engine=engine,
            now=late,
        )


def test_what_is_stale_by_leave_says_so_in_the_report(
    nifty: am.Bars, engine: am.Engine, tmp_path: Path
) -> None:
    allowed = Settings(tmp_path, allow_stale=timedelta(days=3))
    late = EVENING + timedelta(days=3)
    report = publish(Held(nifty), allowed, engine=engine, now=late).report
    assert report.publication is not None
    assert report.publication.notes is not None
    (note,) = report.publication.notes
    assert report.provenance.source_notes == nifty.notes
    assert f"note: {note}" in report.summary()
    report.validate()
    assert "2024-12-31" in note
    assert "3" in note


def test_beyond_the_calendar_a_horizon_in_days_still_publishes_and_says_what_was_not_checked(
    nifty: am.Bars, engine: am.Engine, tmp_path: Path
) -> None:
    ahead = nifty.market.known_calendar().sessions("2011-01-01", "2026-12-31")
    moved = replace(nifty, dates=ahead[-len(nifty) :])
    # For a year the provisional calendar says which sessions must have closed.
    soon = datetime(2027, 1, 5, 12, 0, tzinfo=timezone.utc)
    with pytest.raises(BarsBehindError):
        publish(Held(moved), Settings(tmp_path, horizon_days=5), engine=engine, now=soon)
    now = datetime(2028, 2, 1, 12, 0, tzinfo=timezone.utc)
    with pytest.raises(CalendarRangeError):
        publish(Held(moved), Settings(tmp_path), engine=engine, now=now)
    made = publish(Held(moved), Settings(tmp_path, horizon_days=5), engine=engine, now=now)
    assert made.report.publication is not None
    assert made.report.publication.notes == ("Whether the bars are current was not checked.",)
    assert any("ends on 2026-12-31" in note for note in made.report.provenance.source_notes)


def test_us_bars_that_cannot_be_there_yet_leave_the_overnight_block_out_and_say_so(
    nifty: am.Bars, sp500: am.Bars, engine: am.Engine, tmp_path: Path
) -> None:
    bars = nifty[: int(np.searchsorted(nifty.dates, np.datetime64("2023-12-29"))) + 1]
    us = sp500[: int(np.searchsorted(sp500.dates, np.datetime64("2023-12-28"))) + 1]
    now = datetime(2023, 12, 29, 12, 0, tzinfo=timezone.utc)
    settings = Settings(tmp_path, overnight=us)
    early = publish(Held(bars), settings, engine=engine, now=now).report
    assert early.overnight is None
    assert any("overnight" in note for note in early.provenance.source_notes)
    late = publish(
        Held(bars), replace(settings, overnight=sp500), engine=engine, now=now.replace(hour=23)
    ).report
    assert late.overnight is not None
    assert late.provenance.source_notes == bars.notes


def test_a_closed_market_is_an_error_of_its_own_where_an_open_one_is_asked_for(
    nifty: am.Bars, engine: am.Engine, tmp_path: Path
) -> None:
    with pytest.raises(MarketClosedError) as raised:
        publish(
            Held(nifty, AssertionError("fetched")),
            Settings(tmp_path, only_open=True),
            engine=engine,
            now=datetime(2025, 10, 21, 6, 0, tzinfo=timezone.utc),
        )
    assert raised.value.next_session == "2025-10-23"


def test_leftovers_of_a_killed_run_are_removed_once_they_are_old(
    nifty: am.Bars, engine: am.Engine, tmp_path: Path
) -> None:
    old, young = tmp_path / ".aegismatrix-old", tmp_path / ".aegismatrix-young"
    for path in (old, young):
        path.write_text("half")
    os.utime(old, (0, 0))
    publish(Held(nifty), Settings(tmp_path), engine=engine, now=EVENING)
    assert not old.exists()
    assert young.exists()


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/New_York"])
def test_the_host_s_time_zone_changes_nothing(zone: str, tmp_path: Path) -> None:
    code = (
        "import aegismatrix as am; from datetime import datetime, timezone;"
        "now = datetime(2026, 1, 5, 12, tzinfo=timezone.utc);"
        "print(am.analyze(am.sample_bars(), now=now).to_json())"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "TZ": zone},
        capture_output=True,
        check=True,
        text=True,
    )
    now = datetime(2026, 1, 5, 12, tzinfo=timezone.utc)
    assert json.loads(ran.stdout) == am.analyze(am.sample_bars(), now=now).to_dict()


def test_the_command_prints_one_structured_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "--sample", "--out", str(tmp_path)]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    said = json.loads(line)
    assert said["event"] == "published"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "aegismatrix.html",
        "aegismatrix.json",
        "forecasts.sqlite",
    ]
    missing = ["--index", str(tmp_path / "no.csv"), "--iv", str(tmp_path / "no.csv")]
    assert main(["run", *missing, "--out", str(tmp_path)]) == 2
    said = json.loads(capsys.readouterr().out)
    assert (said["event"], said["error"]) == ("failed", "FileUnreadableError")
    assert main(["run", "--sample", "--chain", "no.csv", "--out", str(tmp_path)]) == 2
    said = json.loads(capsys.readouterr().out)
    assert (said["event"], said["error"]) == ("failed", "FileUnreadableError")


def test_a_log_that_is_not_there_is_no_healthy_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["monitor", "--sample", "--journal", str(tmp_path / "no.sqlite")]) == 2
    said = capsys.readouterr().err
    assert "no forecast log" in said
    assert "aegismatrix run" in said


def test_a_log_of_one_run_is_monitored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--sample", "--out", str(tmp_path)]) == 0
    capsys.readouterr()
    log = str(tmp_path / "forecasts.sqlite")
    assert main(["monitor", "--sample", "--journal", log, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["runs"], said["scored_days"]) == (1, 0)


@contextmanager
def heeding_ctrl_c() -> Iterator[None]:
    """Start processes that end at ctrl-c: what a shell starts in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("number", "status", "word"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
def test_a_job_that_repeats_itself_ends_when_it_is_asked_to_with_what_it_published(
    number: signal.Signals, status: int, word: str, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "aegismatrix", "run", "--sample", "--out", str(tmp_path)]
    with heeding_ctrl_c():
        process = subprocess.Popen(
            [*command, "--every", "1d"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    assert process.stdout is not None
    line = json.loads(process.stdout.readline())
    assert line["event"] == "published"
    process.send_signal(number)
    out, err = process.communicate()
    # A status and no signal: the first process of a container has no default to die of.
    assert process.returncode == status
    assert (out, err) == ("", f"aegismatrix: {word}\n")
    assert {one.status for one in check_folder(tmp_path)} == {"ok"}


def test_a_request_to_end_that_a_library_swallows_is_heeded_at_the_next_step() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with ended_by_signals() as ending:
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        with pytest.raises(Terminated):
            ending.check()
    assert signal.getsignal(signal.SIGTERM) == before


class Repeated:
    """A job of several runs at once: what happens between them, and the lines that it prints."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(
        self, out: Path, *between: Callable[[], object], status: int = 0
    ) -> list[dict[str, str]]:
        def repeat(run: Callable[[], object], *_: object, **__: object) -> None:
            run()
            for happens in between:
                happens()
                run()

        self._monkeypatch.setattr("aegismatrix.desk.job.repeat.repeat", repeat)
        assert main(["run", "--sample", "--out", str(out), "--every", "30m"]) == status
        said = self._capsys.readouterr()
        lines = [json.loads(line) for line in said.out.splitlines()]
        failed = [line for line in lines if line["event"] == "failed"]
        assert said.err.count("aegismatrix: ") == len(failed)
        return lines


@pytest.fixture
def repeated(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Repeated:
    return Repeated(monkeypatch, capsys)


def events(lines: list[dict[str, str]]) -> list[str]:
    return [line["event"] for line in lines]


def test_a_folder_that_vanishes_is_said_at_each_run_until_it_is_back(
    repeated: Repeated, tmp_path: Path
) -> None:
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    seen: list[bool] = []

    def come_back() -> None:
        seen.append(out.exists())
        elsewhere.rename(out)

    lines = repeated(out, lambda: out.rename(elsewhere), lambda: None, come_back)
    assert events(lines) == ["published", "failed", "failed", "published"]
    assert (lines[1]["error"], lines[1]["kind"]) == ("JournalError", "vanished")
    assert str(out) in lines[1]["problem"]
    assert seen == [False]
    assert {one.status for one in check_folder(out)} == {"ok"}
    assert len(Journal(out / "forecasts.sqlite").runs()) == 2


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError(5, "I/O")])
def test_whatever_the_system_refuses_a_run_the_job_goes_on(
    error: OSError, repeated: Repeated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = SampleSource.fetch

    def refuse(_: SampleSource) -> Fetched:
        raise error

    lines = repeated(
        tmp_path,
        lambda: monkeypatch.setattr(SampleSource, "fetch", refuse),
        lambda: monkeypatch.setattr(SampleSource, "fetch", fetch),
    )
    assert events(lines) == ["published", "failed", "published"]
    assert lines[1]["error"] == type(error).__name__
    assert str(error.strerror) in lines[1]["problem"]


def test_a_log_of_the_job_on_a_full_disk_does_not_end_it(
    repeated: Repeated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = commands._line

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    lines = repeated(
        tmp_path,
        lambda: monkeypatch.setattr(commands, "_line", refuse),
        lambda: monkeypatch.setattr(commands, "_line", line),
    )
    assert events(lines) == ["published", "published"]
    assert len(Journal(tmp_path / "forecasts.sqlite").runs()) == 3


def test_whoever_reads_what_the_job_says_and_leaves_ends_it(
    repeated: Repeated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leave(*_: object) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(commands, "drop_output", lambda: None)
    breaks = (lambda: monkeypatch.setattr(commands, "_line", leave), lambda: None)
    assert events(repeated(tmp_path, *breaks, status=141)) == ["published"]
    assert len(Journal(tmp_path / "forecasts.sqlite").runs()) == 2


def test_a_first_run_that_fails_ends_the_job(tmp_path: Path) -> None:
    missing = ["--index", str(tmp_path / "no.csv"), "--iv", str(tmp_path / "no.csv")]
    assert main(["run", *missing, "--out", str(tmp_path), "--every", "30m"]) == 2


def test_a_file_that_the_system_refuses_is_not_called_standard_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(_: SampleSource) -> Fetched:
        raise PermissionError(13, "Permission denied", "/some/folder/file")

    monkeypatch.setattr(SampleSource, "fetch", refuse)
    assert main(["run", "--sample", "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err == "aegismatrix: /some/folder/file: Permission denied.\n"


def test_the_page_says_which_json_it_was_drawn_from(tmp_path: Path) -> None:
    assert main(["run", "--sample", "-q", "--out", str(tmp_path)]) == 0
    data = (tmp_path / "aegismatrix.json").read_bytes()
    page = (tmp_path / "aegismatrix.html").read_text(encoding="utf-8")
    assert f'content="{hashlib.sha256(data).hexdigest()}"' in page
    assert f'content="{json.loads(data)["generated_at"]}"' in page


def test_the_command_check_says_in_words_and_by_its_status_whether_files_belong_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        assert main(["run", "--sample", "-q", "--out", str(tmp_path)]) == 0
    assert main(["check", str(tmp_path)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line[:5] for line in said] == ["ok   "] * 3
    (tmp_path / "forecasts.sqlite").unlink()
    assert main(["check", str(tmp_path)]) == 1
    assert capsys.readouterr().out.splitlines()[-1].startswith("FAIL forecasts.sqlite: no entry")
    assert main(["check", str(tmp_path), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [one["status"] for one in found["files"]] == ["ok", "ok", "fail"]
    assert not found["belong_together"]
    assert main(["check", str(tmp_path / "no")]) == 2
    assert "no such folder" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
def test_killed_at_any_moment_the_files_are_old_or_new_and_the_next_run_recovers(
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    journal, runs = Journal(out / "forecasts.sqlite"), 0
    with faults.children("tests.faults", tmp_path, "run", "--sample") as publishing:
        for moment in publishing.ended():
            present = {path.name for path in out.iterdir()} if out.exists() else set()
            if "aegismatrix.json" in present:
                report = json.loads((out / "aegismatrix.json").read_text(encoding="utf-8"))
                jsonschema.validate(report, schema())
            if "aegismatrix.html" in present:
                page = (out / "aegismatrix.html").read_text(encoding="utf-8")
                assert page.startswith("<!DOCTYPE html>")
                assert page.endswith("</html>\n")
            assert len(journal.runs()) >= runs
            if moment % 4 == 0:
                assert publishing.run() == 0
                assert {one.status for one in check_folder(out)} == {"ok"}
            runs = len(journal.runs())
        assert publishing.moments > KILLS
    assert {one.status for one in check_folder(out)} == {"ok"}
    assert len(journal.claims(journal.runs())) == len(journal.runs()) > 1
