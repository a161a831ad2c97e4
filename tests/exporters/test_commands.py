"""The commands that other packages add, the factory's among them, and what they say is missing."""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aegismatrix_factory.commands import export, train
from aegismatrix_factory.extras import NEEDED, check_extra, needing, package_of
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import aegismatrix as am
import scripts.export
import scripts.rescue
import scripts.sbom
import scripts.sign
import scripts.train
from aegismatrix import errors
from aegismatrix.desk.cli import main as command_line
from aegismatrix.desk.cli.installed import FACTORY, GROUP, installed_commands
from aegismatrix.desk.cli.main import main
from aegismatrix.errors import MissingExtraError
from tests.keys import private_key

LZ4 = (
    Path(__file__).parents[1]
    / "fixtures/legacy/scikit-learn-1.3.2-numpy-1.24.4/forest_classifier.lz4.pkl"
)
STRANGER = """
from aegismatrix.desk.cli.installed import Command
from aegismatrix.errors import AegisError

def run(arguments):
    if arguments.word == "wrong":
        raise AegisError("The word is wrong.", remedy="Give another.")
    if arguments.word == "stop":
        raise KeyboardInterrupt
    print(f"heard {arguments.word}")
    return 1

COMMAND = Command(
    "hear a word", "Hear a word, at length.", lambda parser: parser.add_argument("word"), run,
    interrupted="interrupted while hearing",
)
OTHER = "no command"
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put distributions with entry points of their own on the path, and no others."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, "stranger", raising=False)
    (tmp_path / "stranger.py").write_text(STRANGER)

    def installed(name: str, **entries: str) -> None:
        folder = tmp_path / f"{name}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        lines = [f"{command} = {value}" for command, value in entries.items()]
        (folder / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *lines]) + "\n")

    return installed


@pytest.fixture
def sample_pair() -> list[str]:
    folder = Path(am.__file__).parent / "desk" / "sources" / "sample_data"
    return ["--index", str(folder / "sp500_daily.csv"), "--iv", str(folder / "vix_daily.csv")]


@pytest.fixture
def factory(install: Callable[..., None]) -> None:
    """The factory as its wheel installs it, whatever is installed here."""
    modules = {name: f"aegismatrix_factory.commands.{name}:COMMAND" for name in FACTORY}
    install("aegismatrix_factory", **modules)


@pytest.fixture
def without_factory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: [])


def test_a_package_adds_a_command_by_an_entry_point(
    install: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    install("stranger", hear="stranger:COMMAND")
    assert main(["hear", "rain"]) == 1
    assert capsys.readouterr().out == "heard rain\n"
    with pytest.raises(SystemExit) as stopped:
        main(["hear", "--help"])
    assert stopped.value.code == 0
    assert "Hear a word, at length." in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["--help"])
    # How wide the column of names is depends on the release of Python.
    assert re.search(r"^    hear +hear a word$", capsys.readouterr().out, re.MULTILINE)


def test_what_an_added_command_raises_is_one_line(
    install: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    install("stranger", hear="stranger:COMMAND")
    assert main(["hear", "wrong"]) == 2
    assert capsys.readouterr().err == "aegismatrix: The word is wrong. Give another.\n"
    assert main(["hear", "stop"]) == 130
    assert capsys.readouterr().err == "aegismatrix: interrupted while hearing\n"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("stranger:OTHER", "stranger:OTHER is no Command"),
        ("stranger:MISSING", "it cannot be loaded (stranger:MISSING: "),
        ("absent.module:COMMAND", "it cannot be loaded (absent.module:COMMAND: "),
    ],
)
def test_a_command_that_cannot_be_loaded_says_whose_it_is_and_spoils_no_other(
    install: Callable[..., None], capsys: pytest.CaptureFixture[str], value: str, reason: str
) -> None:
    install("stranger", hear=value, speak="stranger:COMMAND")
    assert main(["hear", "rain"]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"aegismatrix: The command hear is not available: {reason}")
    assert "ninstall stranger" in said or "Install stranger again" in said
    assert main(["speak", "rain"]) == 1
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    assert stopped.value.code == 0


def test_a_command_of_two_packages_is_neither(
    install: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    install("one", hear="stranger:COMMAND")
    install("two", hear="stranger:COMMAND")
    assert main(["hear", "rain"]) == 2
    assert "two packages or more give it. Uninstall one or two." in capsys.readouterr().err


def test_a_package_cannot_take_the_place_of_a_command_of_this_one(
    install: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    install("stranger", models="stranger:COMMAND")
    assert main(["models"]) == 0
    assert "trained on nifty" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "hear a word" not in capsys.readouterr().out


def test_an_ordinary_command_does_not_look_for_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(**_: object) -> None:
        raise AssertionError("the installed packages were searched")

    monkeypatch.setattr(command_line, "installed_commands", refused)
    assert main(["models"]) == 0
    for name in ("report", "run", "check", "monitor", "history", "touch", "models", "verify"):
        with pytest.raises(SystemExit):
            main([name, "--help"])
    with pytest.raises(AssertionError):
        main(["--help"])


def test_the_factory_adds_its_commands_when_it_is_installed(
    factory: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert {name for name in installed_commands() if name in FACTORY} == {
        "export",
        "rescue",
        "train",
    }
    for name, option in (("export", "--force"), ("rescue", "--limit-depth"), ("train", "--quick")):
        with pytest.raises(SystemExit) as stopped:
            main([name, "--help"])
        assert stopped.value.code == 0
        assert option in capsys.readouterr().out


@pytest.mark.parametrize("name", FACTORY)
@pytest.mark.parametrize("rest", [[], ["--help"], ["old", "new"]], ids=["bare", "help", "folders"])
def test_without_the_factory_its_commands_say_what_brings_them(
    without_factory: None, capsys: pytest.CaptureFixture[str], name: str, rest: list[str]
) -> None:
    assert main([name, *rest]) == 2
    assert capsys.readouterr().err == (
        "aegismatrix: This needs aegismatrix-factory, which is not installed. Install it with:"
        f" pip install -e './exporters[{FACTORY[name]}]'.\n"
    )


def test_without_the_factory_the_help_says_so(
    without_factory: None, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    assert stopped.value.code == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "train This needs aegismatrix-factory, which is not installed." in said


def test_the_line_that_installs_fits_where_the_package_runs_from(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def lines() -> list[str]:
        found = MissingExtraError("pandas", extra="frames")
        own = MissingExtraError("tqdm", extra="train", distribution="aegismatrix-factory")
        return [found.remedy, own.remedy]

    assert lines() == [
        "Install it with: pip install -e '.[frames]'.",
        "Install it with: pip install -e './exporters[train]'.",
    ]
    monkeypatch.setattr(errors, "_CHECKOUT", tmp_path)
    assert lines() == [
        "Install it with: pip install 'aegismatrix[frames]'.",
        "Install it with: pip install 'aegismatrix-factory[train]'.",
    ]


FACTORY_RUNS: dict[str, tuple[str, list[str]]] = {
    "train": ("train", ["--index", "a.csv", "--iv", "b.csv", "--market", "sp500"]),
    "export": ("train", []),
    "rescue": ("rescue", ["old", "new"]),
}
SCRIPTS: dict[str, Any] = {
    "train": scripts.train.main,
    "export": scripts.export.main,
    "rescue": scripts.rescue.main,
}


@pytest.mark.parametrize(
    ("name", "module"),
    [(name, module) for name, (extra, _) in FACTORY_RUNS.items() for module in NEEDED[extra]],
)
def test_a_command_of_the_factory_names_a_missing_package_and_what_brings_it(
    factory: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    name: str,
    module: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, module, None)
    extra, arguments = FACTORY_RUNS[name]
    said = (
        f"This needs {package_of(module)}, which is not installed. Install it with:"
        f" pip install -e './exporters[{extra}]'.\n"
    )
    assert main([name, *arguments]) == 2
    assert capsys.readouterr().err == f"aegismatrix: {said}"
    assert SCRIPTS[name](arguments) == 2
    assert capsys.readouterr().err == f"{name}: {said}"
    assert [entry.suffix for entry in tmp_path.iterdir() if entry.name != "stranger.py"] == [
        ".dist-info"
    ]


def test_a_file_that_needs_lz4_is_refused_with_what_brings_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    old = tmp_path / "old"
    old.mkdir()
    (old / "model.pkl").write_bytes(LZ4.read_bytes())
    for module in ("lz4", "lz4.frame"):
        monkeypatch.setitem(sys.modules, module, None)
    assert scripts.rescue.main([str(old), str(tmp_path / "new")]) == 1
    assert capsys.readouterr().out.splitlines()[1:3] == [
        "model.pkl  refused  missing-extra: This needs lz4, which is not installed",
        "missing-extra: model.pkl: Install it with: pip install -e './exporters[rescue]'.",
    ]


@pytest.mark.parametrize(
    ("arguments", "module", "extra"),
    [
        (["completion", "bash"], "shtab", "completion"),
        (["report", "--sample", "--html"], "jinja2", "report"),
        (["report", "--sample", "--validate"], "jsonschema", "report"),
        (["report", "--yahoo"], "pandas", "yahoo"),
        (["report", "--yahoo"], "platformdirs", "yahoo"),
        (["report", "--yahoo"], "tenacity", "yahoo"),
        (["report", "--yahoo"], "yfinance", "yahoo"),
        (["verify", "--signature", "--key", "key.pem"], "cryptography", "verify"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_a_command_of_the_package_names_a_missing_package_and_what_brings_it(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    arguments: list[str],
    module: str,
    extra: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AEGISMATRIX_CACHE", str(tmp_path / "cache"))
    public = private_key().public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    Path("key.pem").write_bytes(pem)
    if module == "platformdirs":
        monkeypatch.delenv("AEGISMATRIX_CACHE")
    monkeypatch.setitem(sys.modules, module, None)
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert said == (
        f"aegismatrix: This needs {module}, which is not installed. Install it with:"
        f" pip install -e '.[{extra}]'.\n"
    )


@pytest.mark.parametrize(
    ("script", "arguments", "module", "extra"),
    [
        (scripts.sbom.main, ["--out", "x.json"], "cyclonedx", "release"),
        (scripts.sbom.main, ["--out", "x.json"], "packaging.requirements", "release"),
        (scripts.sign.main, ["new-key", "--out", "x.pem"], "cryptography", "verify"),
    ],
    ids=["cyclonedx", "packaging", "cryptography"],
)
def test_a_script_names_a_missing_package_and_what_brings_it(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    script: Callable[[list[str]], int],
    arguments: list[str],
    module: str,
    extra: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767225600")
    monkeypatch.setenv("AEGISMATRIX_KEY_PASSPHRASE", "a passphrase of some length")
    for name in [one for one in sys.modules if one.startswith(f"{module}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    assert script(arguments) == 2
    said = capsys.readouterr().err
    assert "which is not installed. Install it with:" in said
    assert f"pip install -e '.[{extra}]'." in said
    assert list(tmp_path.iterdir()) == []


BARE = """
import runpy, sys
blocked = sys.argv.pop(1)
class Without:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] == blocked:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Without)
sys.argv[0] = sys.argv[1]
runpy.run_path(sys.argv.pop(1), run_name="__main__")
"""


@pytest.mark.parametrize(
    ("name", "blocked"),
    [
        ("train", "aegismatrix_factory"),
        ("export", "aegismatrix_factory"),
        ("rescue", "aegismatrix_factory"),
        ("train", "aegismatrix"),
        ("sign", "aegismatrix_factory"),
        ("documents", "aegismatrix_factory"),
        ("nse_calendar", "exchange_calendars"),
    ],
)
def test_a_script_without_what_it_imports_says_what_to_install(
    name: str, blocked: str, repository: Path
) -> None:
    script = repository / "scripts" / f"{name}.py"
    done = subprocess.run(
        [sys.executable, "-c", BARE, blocked, str(script)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"{name}: This needs {blocked}, which is not installed.")
    assert "pip install -e " in line


def test_a_missing_module_of_the_project_is_no_missing_extra() -> None:
    with pytest.raises(ModuleNotFoundError) as caught, needing("train"):
        raise ModuleNotFoundError("x", name="aegismatrix_factory.absent")
    assert not isinstance(caught.value, MissingExtraError)


def test_what_is_installed_is_not_called_missing() -> None:
    for extra in NEEDED:
        check_extra(extra)


def test_the_defaults_of_an_installed_command_lie_in_the_current_folder(repository: Path) -> None:
    for home in (Path(), repository):
        of_train, of_export = argparse.ArgumentParser(), argparse.ArgumentParser()
        train.add_arguments(of_train, home=home)
        export.add_arguments(of_export, home=home)
        assert of_train.parse_args([]).out == home / "build" / "training"
        given = of_export.parse_args([])
        assert (given.training, given.out) == (home / "build" / "training", home / "models_onnx")


def test_nothing_is_written_among_installed_packages(
    tmp_path: Path, sample_pair: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    packages = tmp_path / "lib" / "site-packages"
    packages.mkdir(parents=True)
    old = tmp_path / "old"
    old.mkdir()
    (old / "model.pkl").write_bytes(b"anything")
    for name, arguments in (
        ("train", [*sample_pair, "--market", "sp500", "--out", str(packages / "training")]),
        ("export", ["--out", str(packages / "aegismatrix" / "models_onnx")]),
        ("rescue", [str(old), str(packages / "rescued")]),
    ):
        assert SCRIPTS[name](arguments) == 2
        said = capsys.readouterr().err
        assert said.startswith(f"{name}: {packages}")
        assert "it lies among installed packages" in said
    assert list(packages.iterdir()) == []


def chosen(*arguments: str) -> Any:
    parser = argparse.ArgumentParser()
    train.add_arguments(parser)
    return train.sources(parser.parse_args(arguments))


def test_the_name_of_a_training_is_the_one_that_is_given(
    sample_pair: list[str], tmp_path: Path
) -> None:
    (own,) = chosen(*sample_pair, "--market", "sp500")
    assert (own.name, own.market, own.bars().market.name) == ("sp500", am.Market("sp500"), "sp500")
    (known,) = chosen(*sample_pair, "--market", "nifty")
    assert (known.name, known.market.calendar is None) == ("nifty", False)
    described = tmp_path / "own.json"
    described.write_text(json.dumps({"name": "sp500", "title": "S&P 500"}))
    (filed,) = chosen(*sample_pair, "--market", str(described))
    assert (filed.name, filed.market.title) == ("sp500", "S&P 500")
    index, iv = sample_pair[1::2]
    beside = ["--pool-index", index, "--pool-iv", iv]
    assert [one.name for one in chosen(*sample_pair, "--market", "nifty", *beside)] == [
        "nifty",
        "pool",
    ]
    named = chosen(*sample_pair, "--market", "nifty", *beside, "--pool-market", "sp500")
    assert [one.name for one in named] == ["nifty", "sp500"]


@pytest.mark.parametrize(
    ("market", "reason"),
    [
        ("other", "does not say whose bars"),
        ("S&P 500", "no market 'S&P 500'"),
        ("", "no market ''"),
        ("absent.json", "absent.json describes no market"),
    ],
)
def test_bars_of_no_name_are_not_trained_on(
    sample_pair: list[str], market: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert scripts.train.main([*sample_pair, "--market", market]) == 2
    said = capsys.readouterr().err
    assert said.startswith("train: ")
    assert reason in said


def test_a_market_is_not_pooled_with_itself(
    sample_pair: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    beside = ["--pool-index", *sample_pair[1:2], "--pool-iv", *sample_pair[3:], "--pool-market"]
    assert scripts.train.main([*sample_pair, "--market", "sp500", *beside, "sp500"]) == 2
    assert "are both called sp500" in capsys.readouterr().err
