"""The census: its lists hold what the issue asks of them, and files are judged by their names."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.census import kinds
from benchmarks.census.kinds import judge
from benchmarks.census.run import Verdict, summary

CENSUS = Path("benchmarks/census")
NUMBERS = b"\x80\x04]\x94(K\x01K\x02e."


def rows(name: str, repository: Path) -> list[dict[str, str]]:
    with (repository / CENSUS / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def named(module: str, name: str) -> bytes:
    """An object of a class without a state, in protocol 0."""
    return f"c{module}\n{name}\n)R.".encode()


def test_the_census_has_enough_model_files_of_enough_repositories(repository: Path) -> None:
    models = [row for row in rows("files.csv", repository) if row["kind"] == kinds.MODEL]
    assert len(models) >= 150
    assert len({row["repository"] for row in models}) >= 60


def test_every_file_is_of_a_repository_that_the_rule_took(repository: Path) -> None:
    held = rows("repositories.csv", repository)
    taken = {row["repository"] for row in held if row["verdict"] == "taken"}
    files = rows("files.csv", repository)
    assert {row["repository"] for row in files} <= taken
    assert {row["kind"] for row in files} <= set(kinds.KINDS)


def test_every_file_that_can_be_tried_has_a_verdict_and_no_other(repository: Path) -> None:
    absent = {kinds.ABSENT, kinds.POINTER, kinds.FOREIGN}
    files = [row for row in rows("files.csv", repository) if row["kind"] not in absent]
    verdicts = rows("verdicts.csv", repository)
    keys = ("repository", "path", "kind", "family", "release")
    assert [[row[key] for key in keys] for row in verdicts] == [
        [row[key] for key in keys] for row in files
    ]


def test_the_page_says_what_the_census_counted(repository: Path) -> None:
    verdicts = [
        Verdict(**{**row, "artifacts": int(row["artifacts"])}, seconds=0.0)  # type: ignore[arg-type]
        for row in rows("verdicts.csv", repository)
    ]
    counted = summary(verdicts, Counter()).splitlines()[:5]
    page = (repository / "docs" / "rescue.md").read_text(encoding="utf-8")
    shown = page.partition("<!-- census -->\n```\n")[2].partition("\n```")[0]
    assert shown.splitlines() == counted


def test_four_fifths_of_the_model_files_are_converted_and_three_fifths_of_the_repositories(
    repository: Path,
) -> None:
    models = [row for row in rows("verdicts.csv", repository) if row["kind"] == kinds.MODEL]
    converted = [row for row in models if row["verdict"] == "converted"]
    assert len(converted) >= 0.8 * len(models)
    spoilt = {row["repository"] for row in models if row["verdict"] != "converted"}
    every = {row["repository"] for row in models}
    assert len(every - spoilt) >= 0.6 * len(every)


def test_no_file_of_another_repository_was_committed(repository: Path) -> None:
    held = {file.suffix for file in (repository / CENSUS).iterdir() if file.is_file()}
    assert held == {".py", ".csv", ".md"}


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", kinds.POINTER),
        (b"", kinds.FOREIGN),
        (b"<!DOCTYPE html>\n<p>Not found.</p>", kinds.FOREIGN),
        (b"\x89HDF\r\n\x1a\n", kinds.FOREIGN),
        (NUMBERS, kinds.DATA),
        (NUMBERS[:-1], kinds.DAMAGED),
        (named("pandas.core.frame", "DataFrame"), kinds.DATA),
        (named("sklearn.svm._classes", "SVC"), kinds.MODEL),
        (named("_loss", "CyHalfBinomialLoss"), kinds.MODEL),
        (named("imblearn.pipeline", "Pipeline"), kinds.OTHER_LIBRARY),
        (named("__main__", "Model"), kinds.OWN_CLASS),
        (named("stocks.features", "Model"), kinds.OWN_CLASS),
        (named("torch.nn.modules.rnn", "LSTM"), kinds.TORCH),
        (b"PK\x03\x04", kinds.TORCH),
    ],
)
def test_a_file_is_judged_by_its_beginning_and_the_names_it_mentions(
    data: bytes, kind: str
) -> None:
    assert judge(data, frozenset({"stocks"})).kind == kind


def test_a_model_of_each_fixture_is_judged_a_model_with_its_release(repository: Path) -> None:
    folders = (repository / "tests/fixtures/legacy").glob("scikit-learn-*")
    for folder in folders:
        judged = judge((folder / "scaler.p2.pkl").read_bytes(), frozenset())
        assert judged.kind == kinds.MODEL
        assert judged.family == "StandardScaler"
        assert judged.release == folder.name.split("-")[2]


def test_shares_are_printed_with_their_denominators_and_torch_apart() -> None:
    def verdict(repository: str, kind: str, said: str) -> Verdict:
        return Verdict(repository, "a.pkl", kind, "SVC", "1.3.2", said, "", 0, 0.0)

    text = summary(
        [
            verdict("a/a", kinds.MODEL, "converted"),
            verdict("a/a", kinds.MODEL, "refused"),
            verdict("b/b", kinds.MODEL, "converted"),
            verdict("b/b", kinds.OWN_CLASS, "refused"),
            verdict("b/b", kinds.TORCH, "converted"),
        ],
        Counter({kinds.POINTER: 1}),
    )
    assert "model files converted: 2 of 3 (67 %)" in text
    assert "other libraries: 2 of 4 (50 %)" in text
    assert "repositories whole: 1 of 2 (50 %)" in text
    assert "torch files, apart: 1 of 1 (100 %)" in text
