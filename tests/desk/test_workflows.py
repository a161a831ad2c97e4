"""The examples of jobs: well-formed, pinned, and made of commands that exist."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from aegismatrix import __version__
from aegismatrix.desk.cli.main import main
from scripts import export, sbom, sign, train

WORKFLOWS = {
    "publish.yml": {"git", "python"},
    "retrain.yml": {"git", "python"},
    "release.yml": {"cd", "cp", "export", "gh", "install", "printenv", "python", "rm"},
}
"""By file, what it runs that is not this project's."""

SCRIPTS = {
    f"scripts/{name}.py": script.main
    for name, script in {"export": export, "sbom": sbom, "sign": sign, "train": train}.items()
}


def read(repository: Path, name: str) -> dict[Any, Any]:
    text = (repository / "examples" / "github" / name).read_text(encoding="utf-8")
    loaded: dict[Any, Any] = yaml.safe_load(text)
    # YAML 1.1 reads the key `on` as true.
    loaded["on"] = loaded.pop(True)
    return loaded


@pytest.fixture(params=WORKFLOWS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def workflow(name: str, repository: Path) -> dict[Any, Any]:
    return read(repository, name)


@pytest.fixture
def release(repository: Path) -> dict[Any, Any]:
    return read(repository, "release.yml")


def steps(workflow: dict[Any, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def understood(line: str) -> bool:
    """Whether one of this project's commands takes these arguments."""
    words = shlex.split(line.replace("${{ github.run_id }}", "1"))
    if words[0].removeprefix("fresh/bin/") == "aegismatrix":
        parse: Any = main
        arguments = [*words[1:], "--help"]
    elif words[0] == "python" and words[1] in SCRIPTS:
        parse, arguments = SCRIPTS[words[1]], [*words[2:], "--help"]
    else:
        return False
    with pytest.raises(SystemExit) as stopped:
        parse(arguments)
    assert stopped.value.code == 0, line
    return True


def test_a_scheduled_workflow_has_times_that_cron_reads(repository: Path) -> None:
    for name in ("publish.yml", "retrain.yml"):
        schedule = read(repository, name)["on"]["schedule"]
        assert schedule
        for entry in schedule:
            assert re.fullmatch(r"[\d,*/-]+ [\d,*/-]+ \S+ \S+ [\d,*-]+", entry["cron"])


def test_a_workflow_has_jobs_that_end_and_least_permissions(workflow: dict[Any, Any]) -> None:
    assert workflow["permissions"] == {"contents": "write"}
    for job in workflow["jobs"].values():
        assert job["runs-on"] == "ubuntu-24.04"
        assert job["timeout-minutes"] <= 90


def test_every_action_is_pinned_to_a_commit(workflow: dict[Any, Any]) -> None:
    used = [step["uses"] for step in steps(workflow) if "uses" in step]
    assert len(used) >= 3
    for action in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action)


def commands(steps: list[dict[str, Any]]) -> list[str]:
    return [line for step in steps for line in step.get("run", "").splitlines()]


def test_a_workflow_calls_only_commands_that_exist(
    name: str, workflow: dict[Any, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    lines = commands(steps(workflow))
    own = [line for line in lines if understood(line)]
    assert len(own) >= 3
    rest = [line for line in lines if line not in own]
    fresh = [line for line in rest if line.startswith('"$RUNNER_TEMP/fresh/bin/python"')]
    assert {shlex.split(line)[0] for line in rest if line not in fresh} <= WORKFLOWS[name]
    modules = {"pip", "venv", "build", "pytest"} if name == "release.yml" else {"pip"}
    for line in rest:
        if shlex.split(line)[0].endswith("python") and shlex.split(line)[1] == "-m":
            assert shlex.split(line)[2] in modules


def test_a_release_is_tested_then_signed_then_built_verified_and_attached(
    release: dict[Any, Any],
) -> None:
    assert release["on"] == {"push": {"tags": ["v*"]}}
    lines = commands(steps(release))
    marks = (
        "-m pytest",
        "scripts/sign.py sign",
        "-m build",
        "-m venv",
        "fresh/bin/aegismatrix verify --signature",
        "scripts/sbom.py",
        "gh release create",
    )
    places = [next(n for n, line in enumerate(lines) if mark in line) for mark in marks]
    assert places == sorted(places)
    # Nothing of this may go on after a failure but tidying up.
    assert [step["name"] for step in steps(release) if "if" in step] == ["Forget the key"]
    assert not any("continue-on-error" in step for step in steps(release))


def test_the_release_key_is_known_to_one_step_and_gone_after_it(release: dict[Any, Any]) -> None:
    known = [step for step in steps(release) if "secrets." in str(step)]
    assert [step["name"] for step in known] == ["Sign"]
    assert "secrets." not in str({key: release[key] for key in release if key != "jobs"})
    place = steps(release).index(known[0])
    forget = steps(release)[place + 1]
    (removed,) = re.findall(r"rm -f (\S+)", forget["run"])
    assert f"--key {removed} " in known[0]["run"]
    assert forget["if"] == "always()"


def test_a_tag_that_is_not_the_version_stops_the_release(
    release: dict[Any, Any], repository: Path
) -> None:
    (line,) = (line for line in commands(steps(release)) if line.startswith("python -c"))
    for tag, status in ((f"v{__version__}", 0), ("v0.0.0", 1)):
        done = subprocess.run(
            [sys.executable, *shlex.split(line)[1:]],
            env={
                **os.environ,
                "GITHUB_REF_NAME": tag,
                "PYTHONPATH": str(repository / "src"),
            },
            check=False,
            capture_output=True,
        )
        assert done.returncode == status


def test_the_extras_that_a_workflow_installs_exist(
    workflow: dict[Any, Any], repository: Path
) -> None:
    text = " ".join(str(step) for step in steps(workflow))
    installed = re.findall(r"(\./exporters|)\[([a-z,]+)\]['\"]", text)
    assert installed
    for place, extras in installed:
        project = (repository / place / "pyproject.toml").read_text(encoding="utf-8")
        for extra in extras.split(","):
            assert re.search(rf"^{extra} = \[", project, re.MULTILINE), (place, extra)


def test_the_timer_starts_a_service_that_calls_a_command_that_exists(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = repository / "examples" / "systemd"
    timer = (folder / "aegismatrix.timer").read_text(encoding="utf-8")
    times = re.findall(r"^OnCalendar=(.*)$", timer, re.MULTILINE)
    assert times
    assert all(time.startswith("Mon..Fri") and time.endswith("Asia/Kolkata") for time in times)
    service = (folder / "aegismatrix.service").read_text(encoding="utf-8")
    (command,) = re.findall(r"^ExecStart=/opt/aegismatrix/bin/(.*)$", service, re.MULTILINE)
    assert understood(command)
