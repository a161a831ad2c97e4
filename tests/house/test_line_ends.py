"""A clone by a git that changes line ends, as on Windows, has every sealed byte all the same."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from aegismatrix.artifacts.manifest import MANIFEST_NAME, find_artifacts, read_manifest
from aegismatrix.engine.verify import verify
from aegismatrix.errors import ManifestError

ATTRIBUTES = ".gitattributes"
AS_BYTES = (
    "models_onnx",
    "tests/fixtures",
    "src/aegismatrix/artifacts/release_keys.json",
    "src/aegismatrix/desk/sources/sample_data",
    "src/aegismatrix/market/calendars/nse_calendar.csv",
)
"""What a seal, a hash or a golden value covers."""
AS_UNIX_TEXT = (".ci/run", "Makefile", "pyproject.toml")


def git(*arguments: str | Path) -> str:
    options = ("user.name=x", "user.email=x@x.x", "core.autocrlf=true", "core.safecrlf=false")
    command = ["git", *(word for option in options for word in ("-c", option)), *arguments]
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    return subprocess.run(
        command, check=True, capture_output=True, text=True, env=environment
    ).stdout


def cloned(origin: Path, clone: Path) -> Path:
    """Commit a folder and clone it, both by a git that changes line ends."""
    git("init", "--quiet", origin)
    git("-C", origin, "add", "--all", "--force")
    git("-C", origin, "commit", "--quiet", "--message=all")
    git("clone", "--quiet", "--config=core.autocrlf=true", origin, clone)
    return clone


@pytest.fixture(scope="module")
def clone(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("line_ends")
    origin = place / "origin"
    for name in (ATTRIBUTES, *AS_BYTES, *AS_UNIX_TEXT):
        source, target = repository / name, origin / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copyfile)(source, target)
    return cloned(origin, place / "clone")


def files_of(folder: Path, names: tuple[str, ...]) -> dict[str, bytes]:
    files = [
        file
        for name in names
        for file in ((folder / name).rglob("*") if (folder / name).is_dir() else [folder / name])
        if file.is_file()
    ]
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


@pytest.mark.slow
def test_a_clone_that_changes_line_ends_has_every_byte_of_artifacts_and_fixtures(
    repository: Path, clone: Path
) -> None:
    expected = files_of(repository, AS_BYTES)
    assert len(expected) > 200
    assert files_of(clone, AS_BYTES) == expected
    assert verify(clone / "models_onnx") == []


def test_a_clone_that_changes_line_ends_leaves_scripts_that_run(
    repository: Path, clone: Path
) -> None:
    assert files_of(clone, AS_UNIX_TEXT) == files_of(repository, AS_UNIX_TEXT)


def test_artifacts_whose_line_ends_git_changed_say_so_and_how_to_keep_them(tmp_path: Path) -> None:
    shutil.copytree(find_artifacts(), tmp_path / "origin")
    changed = cloned(tmp_path / "origin", tmp_path / "clone")
    assert b"\r\n" in (changed / MANIFEST_NAME).read_bytes()
    with pytest.raises(ManifestError, match="every line end was changed to CRLF") as caught:
        read_manifest(changed)
    assert "* -text" in caught.value.remedy
    assert "core.autocrlf false" in caught.value.remedy

    shutil.copytree(find_artifacts(), tmp_path / "kept")
    (tmp_path / "kept" / ATTRIBUTES).write_text("* -text\n")
    read_manifest(cloned(tmp_path / "kept", tmp_path / "again"))


def test_other_changes_are_not_put_down_to_line_ends(tmp_path: Path) -> None:
    shutil.copytree(find_artifacts(), tmp_path / "models")
    file = tmp_path / "models" / MANIFEST_NAME
    altered = file.read_bytes().replace(b"nifty", b"other", 1).replace(b"\n", b"\r\n")
    file.write_bytes(altered)
    with pytest.raises(ManifestError, match="does not match its own digest"):
        read_manifest(tmp_path / "models")
