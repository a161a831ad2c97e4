"""A file is replaced whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from aegismatrix.desk.files import remove_leftovers, write_atomically
from aegismatrix.errors import OutputError


def test_writes_a_new_file_as_utf8_without_changing_line_ends(tmp_path: Path) -> None:
    write_atomically(tmp_path / "new.csv", "día,§\r\n1\n")
    assert (tmp_path / "new.csv").read_bytes() == "día,§\r\n1\n".encode()


def test_replaces_a_longer_file_completely(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    target.write_text("old " * 1_000)
    write_atomically(str(target), "new")
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_an_empty_text_makes_an_empty_file(tmp_path: Path) -> None:
    write_atomically(tmp_path / "empty", "")
    assert (tmp_path / "empty").read_bytes() == b""


def test_makes_the_folders_above(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a" / "b" / "out.csv", "text")
    assert (tmp_path / "a" / "b" / "out.csv").read_text() == "text"


def test_a_relative_path_belongs_to_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_atomically("out.csv", "text")
    assert (tmp_path / "out.csv").read_text() == "text"


def test_a_link_is_followed_and_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    target = tmp_path / "elsewhere" / "real.csv"
    target.write_text("old")
    link = tmp_path / "link.csv"
    link.symlink_to(target)
    write_atomically(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_a_link_to_nothing_yet_makes_what_it_points_to(tmp_path: Path) -> None:
    link = tmp_path / "link.csv"
    link.symlink_to(tmp_path / "later.csv")
    write_atomically(link, "new")
    assert link.is_symlink()
    assert (tmp_path / "later.csv").read_text() == "new"


def test_links_in_a_circle_are_an_output_error_and_stay(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.symlink_to(other)
    other.symlink_to(one)
    with pytest.raises(OutputError):
        write_atomically(one, "text")
    assert one.is_symlink()
    assert other.is_symlink()


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755])
def test_the_mode_of_a_replaced_file_is_kept(tmp_path: Path, mode: int) -> None:
    target = tmp_path / "out.csv"
    target.write_text("old")
    target.chmod(mode)
    write_atomically(target, "new")
    assert stat.S_IMODE(target.stat().st_mode) == mode


def test_a_new_file_has_the_mode_that_any_new_file_would_have(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    write_atomically(tmp_path / "out.csv", "new")
    plain, written = (tmp_path / "plain").stat(), (tmp_path / "out.csv").stat()
    assert written.st_mode == plain.st_mode


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    received: list[str] = []
    # A daemon, so that a writer that never opens the pipe fails the test and does not hang it.
    reader = threading.Thread(target=lambda: received.append(pipe.read_text()), daemon=True)
    reader.start()
    write_atomically(pipe, "text")
    reader.join(timeout=10)
    assert received == ["text"]
    assert pipe.is_fifo()
    assert list(tmp_path.iterdir()) == [pipe]


@pytest.mark.parametrize("step", ["fsync", "replace", "chmod"])
def test_a_failing_write_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    target = tmp_path / "out.csv"
    target.write_text("old")

    def refuse(*args: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os if step == "fsync" else Path, step, refuse)
    with pytest.raises(OutputError, match="No space left on device") as raised:
        write_atomically(target, "new")
    assert raised.value.path == str(target)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_an_interrupted_write_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "out.csv"
    target.write_text("old")

    def interrupt(handle: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(target, "new")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_text_that_utf8_cannot_hold_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    target.write_text("old")
    with pytest.raises(OutputError, match="surrogates not allowed"):
        write_atomically(target, "\udcff")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_path_below_a_regular_file_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OutputError, match="could not be written"):
        write_atomically(tmp_path / "file" / "out.csv", "text")
    assert (tmp_path / "file").read_text() == "not a folder"


def test_a_folder_is_not_replaced(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    target.mkdir()
    with pytest.raises(OutputError):
        write_atomically(target, "text")
    assert target.is_dir()
    assert list(tmp_path.iterdir()) == [target]


@pytest.fixture
def ordinary_user() -> Iterator[None]:
    """Modes do not bind root, so as root the test runs as nobody."""
    if os.name != "posix":
        pytest.skip("this system has no modes")
    before = os.geteuid()
    os.seteuid(before or 65534)
    yield
    os.seteuid(before)


def test_a_folder_that_may_not_be_written_to_is_an_output_error(ordinary_user: None) -> None:
    # Not in tmp_path, which other users may not enter.
    with tempfile.TemporaryDirectory() as folder:
        closed = Path(folder) / "closed"
        closed.mkdir(mode=0o555)
        with pytest.raises(OutputError, match="Permission denied"):
            write_atomically(closed / "out.csv", "text")


def test_the_longest_name_that_the_system_allows_can_be_written(tmp_path: Path) -> None:
    target = tmp_path / ("x" * 255)
    write_atomically(target, "text")
    assert target.read_text() == "text"


def test_readers_see_one_version_or_the_other_and_never_a_part(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    versions = {letter * 200_000 for letter in "abcd"}
    write_atomically(target, min(versions))
    done = threading.Event()
    seen: set[str] = set()

    def read() -> None:
        while not done.is_set():
            seen.add(target.read_text())

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for _ in range(10):
            for version in sorted(versions):
                write_atomically(target, version)
    finally:
        done.set()
        reader.join()
    assert seen <= versions
    assert target.read_text() == max(versions)


@pytest.mark.parametrize("text", ["\udcff", "\ud800 half"])
def test_a_text_that_utf8_cannot_hold_leaves_the_file(text: str, tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    target.write_text("old")
    with pytest.raises(OutputError):
        write_atomically(target, text)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"out.csv": "old"}


@pytest.mark.parametrize("failing", ["os.fsync", "pathlib.Path.replace"])
def test_a_file_that_the_disk_refuses_is_as_it_was(
    failing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "out.csv"
    target.write_text("old")

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(failing, refuse)
    with pytest.raises(OutputError, match="No space left") as caught:
        write_atomically(target, "new")
    assert caught.value.path == str(target)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"out.csv": "old"}


def test_only_old_leftovers_are_removed(tmp_path: Path) -> None:
    now = time.time()
    ages = {".aegismatrix-old": 7200, ".aegismatrix-older": 90_000, ".aegismatrix-young": 60}
    others = {"aegismatrix.json": 90_000, ".aegismatrixrc": 90_000, "x.aegismatrix-y": 90_000}
    for name, age in (ages | others).items():
        (tmp_path / name).write_text("x")
        os.utime(tmp_path / name, (now - age, now - age))
    assert remove_leftovers(tmp_path, timedelta(hours=1)) == 2
    kept = {".aegismatrix-young", *others}
    assert {path.name for path in tmp_path.iterdir()} == kept
    assert remove_leftovers(str(tmp_path), timedelta(hours=1)) == 0
    assert remove_leftovers(tmp_path / "missing", timedelta(hours=1)) == 0


def test_a_leftover_that_is_no_file_stays(tmp_path: Path) -> None:
    (tmp_path / ".aegismatrix-folder").mkdir()
    os.utime(tmp_path / ".aegismatrix-folder", (0, 0))
    assert remove_leftovers(tmp_path, timedelta(hours=1)) == 0
    assert (tmp_path / ".aegismatrix-folder").is_dir()


def test_what_a_killed_process_leaves_is_what_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "out.csv"
    staged: list[Path] = []

    def keep(fresh: Path, _: Path) -> Path:
        staged.append(fresh)
        return fresh

    monkeypatch.setattr(Path, "replace", keep)
    write_atomically(target, "new")
    (left,) = staged
    os.utime(left, (0, 0))
    assert remove_leftovers(tmp_path, timedelta(days=1)) == 1
    assert list(tmp_path.iterdir()) == []
