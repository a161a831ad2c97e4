"""The examples of scheduled jobs: well-formed, pinned, and made of commands that exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from aegismatrix.cli import main
from scripts import export, train

WORKFLOWS = ("publish.yml", "retrain.yml")


@pytest.fixture(params=WORKFLOWS)
def workflow(request: pytest.FixtureRequest, repository: Path) -> dict[Any, Any]:
    path = repository / "examples" / "github" / request.param
    loaded: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return loaded


def steps(workflow: dict[Any, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def understood(line: str) -> bool:
    """Whether one of this project's commands takes these arguments."""
    words = shlex.split(line.replace("${{ github.run_id }}", "1"))
    if words[0] == "aegismatrix":
        parse: Any = main
        arguments = [*words[1:], "--help"]
    elif words[:2] == ["python", "scripts/train.py"]:
        parse, arguments = train.main, [*words[2:], "--help"]
    elif words[:2] == ["python", "scripts/export.py"]:
        parse, arguments = export.main, [*words[2:], "--help"]
    else:
        return False
    with pytest.raises(SystemExit) as stopped:
        parse(arguments)
    assert stopped.value.code == 0, line
    return True


def test_a_workflow_has_a_schedule_jobs_and_least_permissions(workflow: dict[Any, Any]) -> None:
    # YAML 1.1 reads the key `on` as true.
    triggers: Any = workflow.get("on", workflow.get(True))
    assert triggers["schedule"]
    for entry in triggers["schedule"]:
        assert re.fullmatch(r"[\d,*/-]+ [\d,*/-]+ \S+ \S+ [\d,*-]+", entry["cron"])
    assert workflow["permissions"] == {"contents": "write"}
    for job in workflow["jobs"].values():
        assert job["runs-on"] == "ubuntu-24.04"
        assert job["timeout-minutes"] <= 90


def test_every_action_is_pinned_to_a_commit(workflow: dict[Any, Any]) -> None:
    used = [step["uses"] for step in steps(workflow) if "uses" in step]
    assert len(used) >= 3
    for action in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action)


def test_a_workflow_calls_only_commands_that_exist(
    workflow: dict[Any, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [line for step in steps(workflow) for line in step.get("run", "").splitlines()]
    own = [line for line in lines if understood(line)]
    assert len(own) >= 3
    rest = {shlex.split(line)[0] for line in lines if line not in own}
    assert rest <= {"git", "python"}
    for line in set(lines) - set(own):
        if line.startswith("python"):
            assert line.startswith("python -m pip install ")


def test_the_extras_that_a_workflow_installs_exist(
    workflow: dict[Any, Any], repository: Path
) -> None:
    text = (repository / "pyproject.toml").read_text(encoding="utf-8")
    installed = re.findall(r"\[([a-z,]+)\]'", " ".join(str(step) for step in steps(workflow)))
    assert installed
    for extra in ",".join(installed).split(","):
        assert re.search(rf"^{extra} = \[", text, re.MULTILINE)


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
