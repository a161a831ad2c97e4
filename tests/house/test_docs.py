"""What the documents say is what the library does."""

from __future__ import annotations

import pkgutil
import re
from pathlib import Path

import pytest

from aegismatrix import errors
from aegismatrix.desk.cli.main import main
from scripts.documents import documents as documents_as_generated


def fenced(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def documents(repository: Path) -> list[Path]:
    return [*repository.glob("*.md"), *repository.glob("docs/*.md")]


FOLDERS = "src|exporters|tests|scripts|benchmarks|examples|docs|findings|models_onnx"
# Groups of entry points, and files whose names begin like the package's.
NO_MODULES = {"heads", "events", "commands", "json", "html", "cdx.json", "timer", "service"}


def test_every_file_that_a_document_names_exists(repository: Path) -> None:
    named = {
        (document.name, path.rstrip("."))
        for document in documents(repository)
        # What a change log says of the past is no longer there.
        if document.name != "CHANGELOG.md"
        for path in re.findall(rf"\b((?:{FOLDERS})/[\w./-]+)", document.read_text("utf-8"))
    }
    assert len(named) > 40
    assert [pair for pair in sorted(named) if not (repository / pair[1]).exists()] == []


def test_every_module_and_object_that_a_document_names_exists(repository: Path) -> None:
    missing = []
    for document in documents(repository):
        text = document.read_text("utf-8") if document.name != "CHANGELOG.md" else ""
        for package, rest in re.findall(r"\b(aegismatrix(?:_factory)?)\.([\w.]*\w)", text):
            if rest not in NO_MODULES and not is_there(f"{package}.{rest}"):
                missing.append((document.name, f"{package}.{rest}"))
    assert missing == []


def is_there(dotted: str) -> bool:
    try:
        pkgutil.resolve_name(dotted)
    except (ImportError, AttributeError):
        return False
    return True


def test_what_is_generated_in_the_documents_is_up_to_date(repository: Path) -> None:
    for path, text in documents_as_generated().items():
        assert path.read_text() == text, f"run: python scripts/documents.py ({path.name})"


def write_nifty(folder: Path, repository: Path) -> None:
    """Write invented bars of NIFTY's sessions to the end of 2024, as the documents name them."""
    for case, name in (("base_n", "nifty_daily"), ("base_v", "india_vix_daily")):
        header, *rows = (repository / f"tests/fixtures/cases/{case}.csv").read_text().splitlines()
        kept = [header, *(row for row in rows if row < "2025")]
        (folder / f"{name}.csv").write_text("\n".join(kept) + "\n")


def test_the_python_of_the_readme_runs(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_nifty(tmp_path, repository)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    (code,) = fenced((repository / "README.md").read_text(), "python")
    exec(compile(code, "README.md", "exec"), names)
    assert names["forecast"]["trap"].shape == (1, 3)  # type: ignore[index]
    assert names["report"].seller.safe_range.lower > 0  # type: ignore[attr-defined]


def test_the_python_of_the_migration_page_runs(
    repository: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_nifty(tmp_path, repository)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    code = "\n".join(fenced((repository / "docs" / "migration.md").read_text(), "python"))
    exec(compile(code, "migration.md", "exec"), names)
    assert "There is no manifest.json in models" in capsys.readouterr().out
    assert names["models"].keys() >= {"trap", "features"}  # type: ignore[attr-defined]
    assert 0.0 < names["report"].seller.trap.score < 1.0  # type: ignore[attr-defined]


def test_links_between_documents_lead_somewhere(repository: Path) -> None:
    for document in documents(repository):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_commands_in_the_documents_exist(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    commands = set(re.findall(r"^    (\w+)  ", capsys.readouterr().out, flags=re.MULTILINE))
    targets = set(re.findall(r"^(\w+):", (repository / "Makefile").read_text(), re.MULTILINE))
    for document in documents(repository):
        code = "\n".join(fenced(document.read_text(), "sh"))
        assert set(re.findall(r"^aegismatrix (\w+)", code, re.MULTILINE)) <= commands
        assert set(re.findall(r"^make (\w+)", code, re.MULTILINE)) <= targets


def test_every_error_on_bars_and_artifacts_is_documented(repository: Path) -> None:
    text = "\n".join(document.read_text() for document in documents(repository))
    families = (errors.BarsError, errors.ArtifactError, errors.SourceError, errors.CacheError)
    named = {name: getattr(errors, name) for name in dir(errors) if name.endswith("Error")}
    assert len(named) > 40
    for name, error in named.items():
        if issubclass(error, families):
            assert error in families[:2] or f"`{name}`" in text, name
            assert [kind for kind in error.cases if f"`{kind}`" not in text] == [], name


def test_every_module_is_in_the_plan_of_the_house(repository: Path) -> None:
    text = (repository / "docs" / "design.md").read_text()
    for folder in ("src/aegismatrix", "exporters"):
        for file in (repository / folder).glob("*.py"):
            if not file.name.startswith("__"):
                assert f"`{file.name}`" in text, file


def test_every_row_of_a_table_has_as_many_cells_as_its_header(repository: Path) -> None:
    texts = [
        *repository.glob("*.md"),
        *repository.glob("docs/*.md"),
        *repository.glob("models_onnx/*.md"),
    ]
    checked = 0
    for path in texts:
        header = 0
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            cells = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0
            assert not header or not cells or cells == header, f"{path.name}, line {number}"
            checked += bool(header and cells)
            header = cells
    assert checked > 100


@pytest.mark.parametrize(
    ("package", "heading"),
    [
        ("src/aegismatrix", "## The package, `src/aegismatrix`"),
        ("exporters/aegismatrix_factory", "## The factory, `exporters/aegismatrix_factory`"),
    ],
)
def test_the_design_names_every_module_of_the_house_and_no_other(
    package: str, heading: str, repository: Path
) -> None:
    text = (repository / "docs" / "design.md").read_text(encoding="utf-8")
    section = text.split(heading)[1].split("\n## ")[0]
    named: list[str] = []
    for room in re.split(r"\n\n(?=`\w+/`,)", section):
        prefix = found[1] if (found := re.match(r"`(\w+/)`,", room)) else ""
        for row in re.findall(r"^\| (`.+?) \|", room, flags=re.MULTILINE):
            named += [f"{prefix}{name}" for name in re.findall(r"`([\w/]+(?:\.py|/))`", row)]
    folders = tuple(name for name in named if name.endswith("/"))
    modules = {
        file.relative_to(repository / package).as_posix()
        for file in (repository / package).rglob("*.py")
        if file.name != "__init__.py" or file.parent == repository / "src/aegismatrix"
    }
    assert len(named) == len(set(named))
    assert {name for name in modules if not name.startswith(folders)} == {
        name for name in named if name not in folders
    }
    assert all(any(name.startswith(folder) for name in modules) for folder in folders)
