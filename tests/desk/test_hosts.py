"""Hosts in any time zone give the same bytes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

FORMS = ("text", "dates", "midnights of the exchange", "their instants", "closes")


def said_on(zone: str, folder: Path) -> dict[str, Any]:
    folder.mkdir()
    child = subprocess.run(
        [sys.executable, "-m", "tests.host_child", str(folder)],
        capture_output=True,
        text=True,
        env={**os.environ, "TZ": zone},
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert child.returncode == 0, child.stderr
    found: dict[str, Any] = json.loads(child.stdout)
    return found


@pytest.fixture(scope="module")
def in_utc(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return said_on("UTC", tmp_path_factory.mktemp("hosts") / "utc")


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/New_York"])
def test_report_page_claims_and_scores_are_the_same_bytes(
    zone: str, in_utc: dict[str, Any], tmp_path: Path
) -> None:
    found = said_on(zone, tmp_path / "host")
    assert found["zone"] != in_utc["zone"]
    assert found["digests"] == in_utc["digests"]


def test_days_are_the_same_however_they_are_given(in_utc: dict[str, Any]) -> None:
    assert len({in_utc["digests"][form] for form in FORMS}) == 1
