"""The public names: what is exported, that it is documented, and that its examples run."""

from __future__ import annotations

import doctest
import functools
import inspect
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

import aegismatrix as am

NAMES = sorted(set(am.__all__) - {"__version__"})
STARTS = ("03:45", "03:50", "03:55")


def write_files(folder: Path) -> None:
    """Write the files that the examples read, the sample among them."""
    data = Path(am.__file__).parent / "desk" / "sources" / "sample_data"
    for name, sample in (("sp500.csv", "sp500_daily.csv"), ("vix.csv", "vix_daily.csv")):
        lines = (data / sample).read_text(encoding="utf-8").splitlines()
        _write(folder / name, (line for line in lines if not line.startswith("#")))
    bars = [f"2024-01-02T{start},21700,21730,21695,21710.{n}" for n, start in enumerate(STARTS)]
    _write(folder / "nifty_5min.csv", ["timestamp,open,high,low,close", *bars])
    strikes = [f"{21500 + 100 * n},{9 + n},{18 - n}" for n in range(6)]
    header = "strike,call open interest,put open interest"
    _write(folder / "option_chain.csv", [header, *strikes])
    _write(folder / "holidays.csv", ["date,kind", "2026-01-26,closed", "2026-12-25,closed"])
    described = {"name": "sp500", "title": "S&P 500", "time_zone": "-05:00"}
    _write(folder / "market.json", [json.dumps(described)])


def _write(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def own_methods(public: type) -> Iterator[tuple[str, object]]:
    """The public methods that a class itself defines."""
    for name, member in vars(public).items():
        if name.startswith("_"):
            continue
        plain = member.__func__ if isinstance(member, classmethod | staticmethod) else member
        if inspect.isfunction(plain) and plain.__qualname__ == f"{public.__name__}.{name}":
            yield name, plain


def documented(name: str) -> dict[str, object]:
    """A public name and, of a class, its methods, by qualified name."""
    public = getattr(am, name)
    methods = own_methods(public) if inspect.isclass(public) else ()
    return {name: public, **{f"{name}.{method}": member for method, member in methods}}


def test_what_is_exported_is_all_that_can_be_seen() -> None:
    assert sorted(am.__all__) == am.__all__
    assert dir(am) == sorted([*am.__all__, "errors"])
    assert 25 <= len(am.__all__) <= 36


def test_every_exported_name_resolves_to_what_bears_it() -> None:
    for name in NAMES:
        assert getattr(am, name).__name__ == name


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_is_documented_with_an_example(name: str) -> None:
    for qualified, member in documented(name).items():
        text = inspect.getdoc(member) or ""
        assert ">>> " in text, f"{qualified} has no example"
        assert "Examples\n--------\n" in text, f"{qualified} has no section of examples"
        first, _, rest = text.partition("\n")
        assert first.endswith("."), f"{qualified} does not begin with a sentence"
        if inspect.isfunction(member):
            given = set(inspect.signature(member).parameters) - {"self", "cls"}
            assert not given or "Parameters\n----------\n" in rest, qualified
            assert all(parameter in rest for parameter in given), qualified


def test_the_examples_of_the_public_names_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One engine and one report serve all of them: opened anew they would take most of the time.
    engine = am.Engine()
    analyze, sample_bars = am.analyze, am.sample_bars
    monkeypatch.setattr(am, "Engine", lambda *path: type(engine)(*path) if path else engine)
    monkeypatch.setattr(am, "sample_bars", functools.cache(sample_bars))
    monkeypatch.setattr(am, "analyze", functools.cache(functools.partial(analyze, engine=engine)))
    finder = doctest.DocTestFinder(recurse=False)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    tried = 0
    for name in NAMES:
        for qualified, member in documented(name).items():
            folder = tmp_path / qualified
            folder.mkdir()
            write_files(folder)
            monkeypatch.chdir(folder)
            public = {"analyze": analyze, "sample_bars": sample_bars, "Engine": type(engine)}
            for example in finder.find(public.get(qualified, member), qualified, globs={}):
                runner.run(example)
                tried += 1
    assert runner.summarize(verbose=False).failed == 0
    assert tried > 80
