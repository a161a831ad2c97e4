"""What SECURITY.md promises is held by tests, and what those lack is tested here."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from aegismatrix_factory.conversion import check_graph

import aegismatrix as am
from aegismatrix.artifacts.manifest import find_artifacts, list_models, read_manifest
from aegismatrix.engine import model as runtime

PROMISED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def section(text: str, title: str) -> list[list[str]]:
    """The cells of the table below a title, without its head."""
    (body,) = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    rows = [line.strip("|").split("|") for line in body.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def test_every_promise_names_tests_that_exist(repository: Path) -> None:
    text = (repository / "SECURITY.md").read_text(encoding="utf-8")
    promises = section(text, "What is promised")
    assert len(promises) >= 10
    for promise, held_by in promises:
        named = PROMISED.findall(held_by)
        assert named, promise
        assert len(named) == held_by.count("`") / 2, promise
        for file, function in named:
            tree = ast.parse((repository / file).read_text(encoding="utf-8"))
            tests = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
            assert function in tests, f"{promise}: {file}::{function}"
            assert function.startswith("test_")


def test_the_supported_versions_are_those_that_the_package_declares(repository: Path) -> None:
    text = (repository / "SECURITY.md").read_text(encoding="utf-8")
    said = dict(section(text, "Supported versions"))
    project = (repository / "pyproject.toml").read_text(encoding="utf-8")
    pythons = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', project)
    assert said["Python"] == ", ".join(pythons)
    assert f'requires-python = ">={pythons[0]}"' in project
    for package, row in (
        ("numpy", "numpy"),
        ("onnxruntime", "onnxruntime"),
        ("cryptography", "cryptography (extra `verify`)"),
    ):
        (least,) = set(re.findall(rf'"{package}>=([\d.]+)"', project))
        assert said[row] == f"{least} or newer"


def test_no_address_is_made_up(repository: Path) -> None:
    text = (repository / "SECURITY.md").read_text(encoding="utf-8")
    assert "@" not in text
    assert "://" not in text


def test_a_file_exchanged_after_it_was_hashed_is_not_what_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sample: am.Bars
) -> None:
    folder = Path(shutil.copytree(find_artifacts(), tmp_path / "models"))
    expected = am.Engine().predict(sample).row()
    opened = []
    open_session = runtime._open_session

    def exchange(data: bytes, path: str, threads: int) -> object:
        Path(path).write_bytes(b"exchanged between the hash and the session")
        opened.append(path)
        return open_session(data, path, threads)

    monkeypatch.setattr(runtime, "_open_session", exchange)
    assert am.Engine(folder).predict(sample).row() == expected
    assert opened == [str(folder / "engine.onnx")]


WATCHED = """
import sys

forbidden = {"socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.gethostbyname",
             "pickle.find_class", "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn",
             "os.fork"}
def watch(event, arguments):
    if event in forbidden:
        print("caught", event)
        sys.exit(3)
sys.addaudithook(watch)
"""

EVERYTHING = """
import aegismatrix as am
from aegismatrix.desk.cli.main import main

am.load_models()
bars = am.sample_bars()
am.Engine().history(bars)
am.analyze(bars)
assert main(["verify"]) == 0
assert main(["verify", "--signature", "--key", "none.pem"]) == 2
assert main(["models"]) == 0
assert main(["report", "--sample", "--html", "--out", "out"]) == 0
assert main(["history", "--sample", "--out", "history.csv"]) == 0
"""


def watched(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WATCHED + code],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_nothing_connects_unpickles_or_starts_a_program_unless_asked(tmp_path: Path) -> None:
    done = watched(EVERYTHING, tmp_path)
    assert "caught" not in done.stdout
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "aegismatrix.html").is_file()


@pytest.mark.parametrize(
    ("planted", "event"),
    [
        ("import socket; socket.socket().connect(('127.0.0.1', 9))", "socket.connect"),
        ("import socket; socket.getaddrinfo('localhost', 9)", "socket.getaddrinfo"),
        ("import pickle; pickle.loads(b'cos\\nsystem\\n.')", "pickle.find_class"),
        ("import subprocess, sys; subprocess.run([sys.executable])", "subprocess.Popen"),
    ],
)
def test_what_is_watched_for_is_caught_if_planted(tmp_path: Path, planted: str, event: str) -> None:
    done = watched(planted, tmp_path)
    assert (done.returncode, done.stdout.strip()) == (3, f"caught {event}")


def test_the_telemetry_of_onnxruntime_is_off_unless_it_was_asked_for() -> None:
    code = "import os, aegismatrix as am; am.Engine(); print(os.environ['ORT_DISABLE_TELEMETRY'])"
    for given, expected in (({}, "1"), ({"ORT_DISABLE_TELEMETRY": "0"}, "0")):
        rest = {key: value for key, value in os.environ.items() if key != "ORT_DISABLE_TELEMETRY"}
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**rest, **given},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == expected


@pytest.mark.parametrize("name", [spec.name for spec in list_models()])
def test_every_committed_artifact_keeps_to_the_operators_that_are_allowed(name: str) -> None:
    manifest = read_manifest()
    model = onnx.load(str(manifest.folder / manifest.model(name).file), load_external_data=False)
    assert len(model.graph.node) > 0
    check_graph(model)
