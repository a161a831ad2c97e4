"""Many at once: threads and processes that share an engine get what one thread gets."""

from __future__ import annotations

import copy
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

import aegismatrix as am
from aegismatrix.errors import NotTransferableError

if sys.platform == "win32":
    pytest.skip("forks and process groups are those of POSIX", allow_module_level=True)

ROOT = Path(__file__).parents[2]
SECONDS = 240
LOAD = (sys.executable, "-m", "benchmarks.load", "--workers", "4", "--timeout", str(SECONDS))


@pytest.fixture(scope="module")
def engine() -> am.Engine:
    return am.Engine()


@pytest.mark.slow
def test_threads_forks_and_spawned_processes_get_what_one_thread_gets() -> None:
    done = subprocess.run(
        [*LOAD, "--predictions", "600"],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2_000:]
    crowds = re.findall(r"^4 (\w+).* 200 predictions, 0 different, grew", done.stdout, re.MULTILINE)
    assert crowds == ["forked", "threads", "spawned"]
    assert "600 predictions, 0 differences" in done.stdout


def members(group: int) -> set[int]:
    """The processes of a group that run."""
    listed = subprocess.run(
        ["ps", "-eo", "pid=,pgid=,stat="], capture_output=True, text=True, check=True
    )
    rows = (line.split() for line in listed.stdout.splitlines())
    return {int(pid) for pid, of, stat in rows if int(of) == group and stat[0] != "Z"}


def wait_for(group: int, least: int, most: int) -> set[int]:
    """Wait until a group has that many members."""
    until = time.monotonic() + SECONDS
    while not least <= len(found := members(group)) <= most:
        assert time.monotonic() < until, found
        time.sleep(0.1)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("to", ["the group", "the parent", "the parent, which is killed"])
def test_an_interruption_leaves_no_child(to: str) -> None:
    process = subprocess.Popen(
        [*LOAD, "--predictions", "100000000"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        cwd=ROOT,
    )
    try:
        wait_for(process.pid, 5, 5)
        # The workers are in their work, not in their making.
        time.sleep(1.0)
        if to == "the group":
            os.killpg(process.pid, signal.SIGINT)
        else:
            process.send_signal(signal.SIGINT if to == "the parent" else signal.SIGKILL)
        status = process.wait(SECONDS)
        wait_for(process.pid, 0, 0)
        assert process.stderr is not None
        said = process.stderr.read()
    finally:
        if members(process.pid):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stderr is not None:
            process.stderr.close()
    if "killed" in to:
        assert status == -signal.SIGKILL
    else:
        assert (status, said) == (130, "interrupted\n")


def last_row(bars: am.Bars) -> dict[str, float]:
    return am.Engine().predict(bars).row()


def test_an_engine_that_is_sent_to_a_process_says_what_to_do_instead(
    engine: am.Engine, sample: am.Bars
) -> None:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        with pytest.raises(NotTransferableError, match=r"Call Engine\(\) in each process"):
            pool.submit(engine.predict, sample).result(SECONDS)
        # The pool survives it, and each process may open its own.
        assert pool.submit(last_row, sample).result(SECONDS) == engine.predict(sample).row()


def test_a_process_that_would_be_spawned_with_an_engine_is_not(engine: am.Engine) -> None:
    process = multiprocessing.get_context("spawn").Process(target=repr, args=(engine,))
    with pytest.raises(NotTransferableError):
        process.start()


def test_models_and_engines_cannot_be_copied_and_say_so(engine: am.Engine) -> None:
    model = am.load_models()["trap"]
    for holder, instead in ((engine, "Engine()"), (model, "load_models()")):
        for copied in (copy.copy, copy.deepcopy):
            with pytest.raises(NotTransferableError) as raised:
                copied(holder)
            assert raised.value.holder == type(holder).__name__
            assert instead in raised.value.remedy
            assert isinstance(raised.value, TypeError)
