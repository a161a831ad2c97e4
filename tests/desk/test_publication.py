"""One publication is one thing, whatever fails and whenever the process is killed."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from aegismatrix.desk.job import publication as publication_module
from aegismatrix.desk.job.check import Checked, check_folder
from aegismatrix.desk.job.lock import LOCK_NAME, holding
from aegismatrix.desk.job.publication import (
    JOURNAL_NAME,
    PAGE_NAME,
    PENDING_NAME,
    REPORT_NAME,
    complete,
    put_in_place,
)
from aegismatrix.desk.monitoring.journal import START, Journal
from aegismatrix.desk.report import Report
from aegismatrix.errors import JournalError, OutputError, PublicationError
from tests import faults
from tests.publication_child import FAILED, making, sample_report
from tests.raising import raising

FORKS = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
STEPS = 15
"""Moments at which a publication can fail, at the least."""


@pytest.fixture(scope="module")
def report() -> Report:
    return sample_report()


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def journal_in(folder: Path) -> Journal:
    return Journal(folder / JOURNAL_NAME)


def published(folder: Path) -> tuple[dict[str, bytes], list[str]]:
    """What readers see, and what is logged."""
    files = {
        name: (folder / name).read_bytes()
        for name in (REPORT_NAME, PAGE_NAME)
        if (folder / name).exists()
    }
    return files, [run.digest for run in journal_in(folder).runs()]


def wrong(folder: Path, *earlier: Path) -> list[Checked]:
    return [one for one in check_folder(folder, earlier=earlier) if one.status == "FAIL"]


def put_right(folder: Path) -> None:
    """What the next run does before it publishes."""
    with holding(folder):
        complete(folder)


def hidden(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


def test_files_and_entry_belong_together_and_name_each_other(report: Report, out: Path) -> None:
    for seconds in range(3):
        before = journal_in(out).head()
        made, entry = put_in_place(out, making(report, seconds), journal_in(out))
        assert made.publication is not None
        assert made.publication.log_head == before
        assert journal_in(out).head() == entry
        assert json.loads((out / REPORT_NAME).read_bytes())["publication"]["log_head"] == before
    first, second, third = journal_in(out).runs()
    assert (first.previous, second.previous, third.previous) == (
        START,
        first.digest,
        second.digest,
    )
    assert wrong(out) == []
    assert hidden(out) == []


def test_the_same_bars_differ_in_the_stamp_and_in_the_publication_alone(
    report: Report, out: Path
) -> None:
    told = []
    for seconds in (0, 7):
        put_in_place(out, making(report, seconds), journal_in(out))
        told.append(json.loads((out / REPORT_NAME).read_bytes()))
    assert told[0]["publication"] != told[1]["publication"]
    for one in told:
        assert one.pop("generated_at") == one.pop("publication")["generated_at"]
    assert told[0] == told[1]


@FORKS
@pytest.mark.parametrize("job", ["log", "plain"])
@pytest.mark.slow
def test_killed_at_any_step_the_next_run_finishes_or_undoes_it(
    job: str, report: Report, tmp_path: Path, out: Path
) -> None:
    kept = []
    with faults.children("tests.publication_child", job, tmp_path) as publishing:
        assert publishing.run() == 0
        for _ in publishing.ended():
            before = published(out)
            is_noted = (out / PENDING_NAME).exists()
            put_right(out)
            kept.append(published(out) == before)
            if job == "log":
                assert wrong(out) == []
            else:
                page, text = (out / name for name in (PAGE_NAME, REPORT_NAME))
                stamp = json.loads(text.read_bytes())["generated_at"]
                assert stamp in page.read_text()
            assert is_noted or kept[-1]
        assert publishing.moments > STEPS
    # Some kills left new files beside old ones, some a publication that was whole.
    assert set(kept) == {True, False}


@pytest.mark.slow
@FORKS
def test_two_hundred_kills_leave_no_publication_in_part(
    report: Report, tmp_path: Path, out: Path
) -> None:
    kills = entries = 0
    with faults.children("tests.publication_child", "log", tmp_path) as publishing:
        while kills < 200:
            for _ in publishing.ended():
                kills += 1
                if out.is_dir():
                    put_right(out)
                    assert (out / REPORT_NAME).exists() == bool(journal_in(out).runs())
                    assert not (out / REPORT_NAME).exists() or wrong(out) == []
                assert entries <= len(journal_in(out).runs()) <= entries + 1
                entries = len(journal_in(out).runs())
            entries += 1


@FORKS
@pytest.mark.parametrize("job", ["log", "plain"])
@pytest.mark.parametrize("kind", [faults.REFUSED, faults.FULL])
@pytest.mark.slow
def test_refused_at_any_step_the_folder_is_as_before_or_whole_and_the_message_is_true(
    kind: str, job: str, report: Report, tmp_path: Path, out: Path
) -> None:
    with faults.children("tests.publication_child", job, tmp_path) as publishing:
        assert publishing.run() == 0
        before = published(out)
        failed = 0
        for status in publishing.refused(kind):
            after = published(out)
            if status == FAILED:
                failed += 1
                said = (tmp_path / "said").read_text()
                assert said.startswith(("OutputError", "JournalError")), said
                assert after == before, said
            else:
                assert after[0] != before[0]
                assert len(after[1]) == len(before[1]) + (job == "log")
            # A note that could not be removed stays, and the next run finds out that all is well.
            put_right(out)
            assert published(out) == after
            assert job == "plain" or wrong(out) == []
            before = after
        assert publishing.moments > STEPS
        assert failed > STEPS // 2


@FORKS
def test_refused_at_any_step_the_first_publication_leaves_nothing_to_be_read(
    report: Report, tmp_path: Path
) -> None:
    with faults.children("tests.publication_child", "log", tmp_path) as publishing:
        for status in publishing.refused(faults.FULL):
            if status != FAILED:
                break
            assert published(tmp_path / "out") == ({}, [])


def fails_at(number: int, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Let the system refuse to replace a published file, the next so many times."""
    left = [number]
    replace = Path.replace

    def refuse(self: Path, target: str | os.PathLike[str]) -> Path:
        if Path(target).name == name and left[0]:
            left[0] -= 1
            raise PermissionError(13, "Permission denied")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refuse)


def test_a_second_file_that_is_read_only_leaves_the_first_and_the_log_as_they_were(
    report: Report, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_in_place(out, making(report, 1), journal_in(out))
    before = published(out)
    fails_at(1, monkeypatch, PAGE_NAME)
    with pytest.raises(OutputError, match="any previous file is as it was") as caught:
        put_in_place(out, making(report, 2), journal_in(out))
    assert caught.value.path == str(out / PAGE_NAME)
    assert published(out) == before
    assert wrong(out) == []
    assert hidden(out) == []


def test_what_cannot_be_undone_is_said_and_put_right_by_the_next_run(
    report: Report, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_in_place(out, making(report, 1), journal_in(out))
    before = published(out)

    def refuse(*_: object) -> None:
        raise OutputError(str(out / REPORT_NAME), "Input/output error")

    with monkeypatch.context() as broken:
        fails_at(1, broken, PAGE_NAME)
        broken.setattr(publication_module, "_undo", refuse)
        with raising((PublicationError, "not_undone"), match="next run puts it right"):
            put_in_place(out, making(report, 2), journal_in(out))
    assert published(out) != before
    assert "interrupted" in wrong(out)[0].said
    put_right(out)
    assert published(out) == before
    put_in_place(out, making(report, 3), journal_in(out))
    assert wrong(out) == []
    assert hidden(out) == []


def test_a_folder_in_place_of_the_page_leaves_all_as_it_was(report: Report, out: Path) -> None:
    put_in_place(out, making(report, 1, with_page=False), journal_in(out))
    before = published(out)
    (out / PAGE_NAME).mkdir()
    with pytest.raises(OutputError, match="directory"):
        put_in_place(out, making(report, 2), journal_in(out))
    (out / PAGE_NAME).rmdir()
    assert published(out) == before


@pytest.mark.parametrize("error", [RuntimeError, OutputError, KeyboardInterrupt])
def test_nothing_is_replaced_or_logged_if_the_report_cannot_be_made(
    error: type[BaseException], report: Report, out: Path
) -> None:
    put_in_place(out, making(report, 1), journal_in(out))
    before = published(out)
    raised = OutputError("page", "full") if error is OutputError else error()

    def make(_: str | None) -> object:
        raise raised

    with pytest.raises(error) as caught:
        put_in_place(out, make, journal_in(out))  # type: ignore[arg-type]
    assert caught.value is raised
    assert published(out) == before


def test_links_are_followed_and_stay_links(report: Report, tmp_path: Path, out: Path) -> None:
    out.mkdir()
    (out / REPORT_NAME).symlink_to(tmp_path / "elsewhere.json")
    for seconds in (1, 2):
        put_in_place(out, making(report, seconds), journal_in(out))
    assert (out / REPORT_NAME).is_symlink()
    assert wrong(out) == []
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("name", [REPORT_NAME, JOURNAL_NAME, "folder"])
def test_a_folder_or_a_log_that_vanished_is_said_and_nothing_new_is_begun(
    name: str, report: Report, tmp_path: Path, out: Path
) -> None:
    _, entry = put_in_place(out, making(report, 1), journal_in(out))
    assert entry is not None
    if name == "folder":
        out.rename(tmp_path / "moved")
    else:
        (out / name).rename(tmp_path / name)
    if name == REPORT_NAME:
        put_in_place(out, making(report, 2), journal_in(out), known=entry)
        assert wrong(out) == []
        return
    with raising((JournalError, "vanished"), match="gone"):
        put_in_place(out, making(report, 2), journal_in(out), known=entry)
    assert not (out / JOURNAL_NAME).exists()
    assert out.exists() == (name != "folder")


def test_an_empty_folder_mounted_in_its_place_is_no_new_beginning(
    report: Report, tmp_path: Path, out: Path
) -> None:
    _, entry = put_in_place(out, making(report, 1), journal_in(out))
    out.rename(tmp_path / "moved")
    put_in_place(out, making(report, 2), journal_in(out))
    before = published(out)
    with raising((JournalError, "vanished"), match="is not in it"):
        put_in_place(out, making(report, 3), journal_in(out), known=entry)
    assert published(out) == before


@pytest.mark.parametrize(
    "note",
    [
        "not JSON",
        "[]",
        '{"form": 2, "moves": [], "log": null, "entry": null}',
        '{"form": 1, "moves": [], "log": 7, "entry": null}',
        '{"form": 1, "moves": [{"name": "../x", "fresh": ".aegismatrix-a", "former": null,'
        ' "sha256": ""}], "log": null, "entry": null}',
        '{"form": 1, "moves": [{"name": "aegismatrix.json", "fresh": "../../etc/passwd",'
        ' "former": null, "sha256": ""}], "log": null, "entry": null}',
        '{"form": 1, "moves": [{"name": "aegismatrix.json", "fresh": ".aegismatrix-a",'
        ' "former": ".aegismatrix-a/b", "sha256": ""}], "log": null, "entry": null}',
    ],
)
def test_a_note_that_this_package_did_not_write_leads_to_no_file(
    note: str, report: Report, out: Path
) -> None:
    put_in_place(out, making(report, 1), journal_in(out))
    before = published(out)
    (out / PENDING_NAME).write_text(note)
    with raising((PublicationError, "unreadable"), match=r"\.aegismatrix\.pending"):
        put_in_place(out, making(report, 2), journal_in(out))
    assert published(out) == before
    assert [one.what for one in wrong(out)] == [PENDING_NAME]


def many(folder: Path, rounds: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.publication_child", "many", str(folder), str(rounds)],
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


def those_named_in(folder: Path) -> tuple[str, ...]:
    """The sha256 of the JSON, and those that page and last entry name: a look that costs little."""
    with holding(folder), closing(sqlite3.connect(folder / JOURNAL_NAME)) as file:
        logged = file.execute("SELECT report_sha256 FROM runs ORDER BY id DESC LIMIT 1").fetchone()
        page = re.search("[0-9a-f]{64}", (folder / PAGE_NAME).read_text())
        assert page is not None
        return hashlib.sha256((folder / REPORT_NAME).read_bytes()).hexdigest(), page[0], *logged


@pytest.mark.parametrize("rounds", [25, pytest.param(2_000, marks=pytest.mark.slow)])
def test_two_writers_at_once_never_leave_a_mixed_pair(
    rounds: int, tmp_path: Path, out: Path
) -> None:
    mixed: list[tuple[str, ...]] = []
    looks = 0
    with many(tmp_path, rounds) as one, many(tmp_path, rounds) as other:
        while one.poll() is None or other.poll() is None:
            if (out / REPORT_NAME).exists():
                named = those_named_in(out)
                mixed += [named] if len(set(named)) > 1 else []
                looks += 1
        assert [one.communicate()[1], other.communicate()[1]] == ["", ""]
    assert mixed == []
    assert looks > 1
    assert len(journal_in(out).runs()) == 2 * rounds
    assert wrong(out) == []
    assert hidden(out) == []


def test_several_threads_take_turns(report: Report, out: Path) -> None:
    failed: list[BaseException] = []

    def publish(first: int) -> None:
        try:
            for seconds in range(first, first + 10):
                put_in_place(out, making(report, seconds), journal_in(out))
        except BaseException as error:  # noqa: BLE001
            failed.append(error)

    threads = [threading.Thread(target=publish, args=(100 * n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(journal_in(out).runs()) == 30
    assert wrong(out) == []


class TestCheck:
    """What does not belong together is found, in words."""

    def test_old_files_put_back_by_hand(self, report: Report, tmp_path: Path, out: Path) -> None:
        put_in_place(out, making(report, 1), journal_in(out))
        old = {name: (out / name).read_bytes() for name in (REPORT_NAME, PAGE_NAME)}
        put_in_place(out, making(report, 2), journal_in(out))
        (out / PAGE_NAME).write_bytes(old[PAGE_NAME])
        (page,) = wrong(out)
        assert (page.what, "another JSON, made 2026-01-05T04:00:01Z" in page.said) == (
            PAGE_NAME,
            True,
        )
        (out / REPORT_NAME).write_bytes(old[REPORT_NAME])
        (log,) = wrong(out)
        assert (log.what, "of a later JSON" in log.said) == (JOURNAL_NAME, True)

    def test_a_report_that_was_edited(self, report: Report, out: Path) -> None:
        put_in_place(out, making(report, 1), journal_in(out))
        text = (out / REPORT_NAME).read_text()
        (out / REPORT_NAME).write_text(text.replace('"HIGH_VOL_BEAR"', '"LOW_VOL_BULL"'))
        assert [one.what for one in wrong(out)] == [PAGE_NAME, JOURNAL_NAME]

    @pytest.mark.parametrize(
        "text",
        [
            *(b"", b"{", b"[]", b"\xff", b'{"as_of": NaN}', b'{"a": 1, "a": 1}'),
            b'{"generated_at": "\x1b[2J"}',
        ],
    )
    def test_what_is_no_report(self, text: bytes, report: Report, out: Path) -> None:
        put_in_place(out, making(report, 1), journal_in(out))
        (out / REPORT_NAME).write_bytes(text)
        (found,) = wrong(out)
        assert (found.what, found.said) == (REPORT_NAME, "it is not the JSON of a report")
        (out / REPORT_NAME).unlink()
        (found,) = wrong(out)
        assert found.said == "it is not there"

    @pytest.mark.parametrize("page", [b"<html></html>\n", b"\xff", b"cut"])
    def test_what_is_no_page_of_it(self, page: bytes, report: Report, out: Path) -> None:
        put_in_place(out, making(report, 1), journal_in(out))
        whole = (out / PAGE_NAME).read_bytes()
        (out / PAGE_NAME).write_bytes(whole[:-3] if page == b"cut" else page)
        assert [one.what for one in wrong(out)] == [PAGE_NAME]
        (out / PAGE_NAME).unlink()
        assert wrong(out) == []

    @pytest.mark.parametrize(
        "statement",
        [
            "DELETE FROM runs WHERE id = 1",
            "DELETE FROM runs WHERE id = 3",
            "DELETE FROM runs WHERE id > 1",
            "UPDATE runs SET id = id + 10 WHERE id = 2",
            "UPDATE runs SET id = 0 WHERE id = 3",
            "UPDATE runs SET report_sha256 = NULL, previous = NULL",
            "UPDATE runs SET previous = NULL WHERE id = 1",
            "UPDATE runs SET report_sha256 = (SELECT report_sha256 FROM runs WHERE id = 3)"
            " WHERE id = 4",
            "DELETE FROM claims WHERE run = 2",
            "DELETE FROM runs",
        ],
    )
    def test_a_log_that_was_changed(self, statement: str, report: Report, out: Path) -> None:
        for seconds in range(4):
            put_in_place(out, making(report, seconds), journal_in(out))
        assert wrong(out) == []
        with closing(sqlite3.connect(out / JOURNAL_NAME)) as file, file:
            file.execute(statement)
        found = wrong(out)
        assert [one.what for one in found] == [JOURNAL_NAME]

    def test_a_log_that_was_written_anew_does_not_hold_what_was_published_before(
        self, report: Report, tmp_path: Path, out: Path
    ) -> None:
        earlier = tmp_path / "earlier.json"
        for seconds in range(2):
            put_in_place(out, making(report, seconds), journal_in(out))
            if not seconds:
                earlier.write_bytes((out / REPORT_NAME).read_bytes())
        assert wrong(out, earlier) == []
        (out / JOURNAL_NAME).unlink()
        for seconds in (5, 6):
            put_in_place(out, making(report, seconds), journal_in(out))
        assert wrong(out) == []
        (found,) = wrong(out, earlier)
        assert (found.what, found.said) == (
            str(earlier),
            "no entry is of the JSON made 2026-01-05T04:00:00Z",
        )

    def test_a_folder_without_a_log(self, report: Report, out: Path) -> None:
        put_in_place(out, making(report, 1))
        assert [one.status for one in check_folder(out)] == ["ok", "ok", ""]
        put_in_place(out, making(report, 2), journal_in(out))
        put_in_place(out, making(report, 3))
        assert [one.what for one in wrong(out)] == [JOURNAL_NAME]

    def test_whoever_may_only_read_can_check(
        self, report: Report, out: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put_in_place(out, making(report, 1), journal_in(out))
        opened = os.open

        def refuse(path: str | Path, *given: int) -> int:
            if Path(path).name == LOCK_NAME:
                raise PermissionError(13, "Permission denied")
            return opened(path, *given)

        monkeypatch.setattr(os, "open", refuse)
        assert wrong(out) == []
