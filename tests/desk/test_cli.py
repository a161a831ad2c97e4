"""The command: what it writes where, and with which status it ends."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aegismatrix_factory.evaluate.markets import MarketSource

from aegismatrix import __version__
from aegismatrix.artifacts.manifest import (
    ENGINE_NAME,
    GOLDEN_KEY,
    MANIFEST_NAME,
    ModelSpec,
    find_artifacts,
    list_models,
    read_manifest,
)
from aegismatrix.desk.cli.main import WRONG_INPUT, main
from aegismatrix.engine.engine import Engine
from aegismatrix.market.bars import Bars
from aegismatrix.market.events import BREACH
from aegismatrix.market.market import NIFTY
from tests.examples import HORIZONS_DAYS, history_columns, in_columns, is_surface

PROBABILITIES = [
    array
    for array in read_manifest().model(ENGINE_NAME).outputs
    if array.unit in ("probability", "per cent a year")
]
COLUMNS = [column for array in PROBABILITIES for column in history_columns(array)]
HEADS = [spec for spec in list_models() if spec.kind == "head"]
SEALED: list[Any] = [
    *list_models(),
    *(file for key, file in read_manifest().attachments.items() if key != GOLDEN_KEY),
]
LOOKBACK = read_manifest().model(ENGINE_NAME).lookback_bars

TOUCHES = ("either", "down", "up")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the bundled artifacts that a test may damage."""
    return Path(shutil.copytree(find_artifacts(), tmp_path / "models"))


def write_pair(folder: Path, bars: Bars, date_format: str = "%Y-%m-%d") -> list[str]:
    """Write bars as two CSV files and return the options that name them."""
    days: list[date] = bars.dates.tolist()
    index, iv = ["Date,Open,High,Low,Close"], ["Date,Close"]
    for row, day in enumerate(days):
        stamp = day.strftime(date_format)
        high, low, close = bars.high[row], bars.low[row], bars.close[row]
        index.append(f"{stamp},{close},{high},{low},{close}")
        iv.append(f"{stamp},{bars.iv[row]}")
    (folder / "index.csv").write_text("\n".join(index) + "\n")
    (folder / "iv.csv").write_text("\n".join(iv) + "\n")
    return ["--index", str(folder / "index.csv"), "--iv", str(folder / "iv.csv")]


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def assert_is_history(text: str, bars: Bars) -> None:
    header, *lines = text.splitlines()
    assert header == ",".join(["date", "close", "iv", "in_sample", *COLUMNS])
    assert len(lines) == len(bars) - LOOKBACK + 1
    forecast = Engine().history(bars)
    rows = rows_of(text)
    assert [row["date"] for row in rows] == bars.dates[LOOKBACK - 1 :].astype(str).tolist()
    for name, known in (("close", bars.close), ("iv", bars.iv)):
        assert [float(row[name]) for row in rows] == known[LOOKBACK - 1 :].tolist()
    flags = ["true" if flag else "false" for flag in forecast.in_sample]
    assert [row["in_sample"] for row in rows] == flags
    values = np.array([[float(row[column]) for column in COLUMNS] for row in rows])
    assert np.isfinite(values).all()
    expected = np.concatenate([in_columns(forecast[model]) for model in forecast], axis=1)
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-11)


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "aegismatrix", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def own_judgements(spec: ModelSpec) -> list[dict[str, Any]]:
    return [dict(one) for one in spec.judgements if one["market"] == spec.training[0].market]


def assert_judged(line: str, judgement: dict[str, Any]) -> None:
    skill = judgement["skills"][judgement["strongest"]]
    assert f"skill {judgement['verdict']}: {100 * skill['skill']:.1f} %" in line
    assert f"[{100 * skill['lower']:.1f}, {100 * skill['upper']:.1f}]" in line
    assert line.endswith(f"{judgement['strongest']} on {judgement['market']}")


def judgement_of(column: str) -> dict[str, Any]:
    """The judgement whose output is the column, or the beginning that its columns share."""
    (found,) = (
        one
        for spec in HEADS
        for one in own_judgements(spec)
        if one["output"] == column or column.startswith(f"{one['output']}_")
    )
    return found


def judged_columns(values: str) -> list[tuple[str, str]]:
    """The columns, and their values as text, in a line ``  output  [rest] value  ...``."""
    output, *cells = values.removeprefix("  ").split("  ")
    pairs = [cell.rpartition(" ") for cell in cells]
    return [(f"{output}_{rest}" if rest else output, value) for rest, _, value in pairs]


def test_history_of_the_sample_is_a_row_for_each_day(
    capsys: pytest.CaptureFixture[str], sample: Bars
) -> None:
    assert main(["history", "--sample"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert_is_history(captured.out, sample)


def test_history_of_real_nifty_files_is_a_row_for_each_day(
    capsys: pytest.CaptureFixture[str], market_sources: tuple[MarketSource, ...], nifty: Bars
) -> None:
    source = market_sources[0]
    assert main(["history", "--index", str(source.index), "--iv", str(source.iv)]) == 0
    assert_is_history(capsys.readouterr().out, nifty)


def test_history_gives_the_same_bytes_each_time_and_wherever_they_go(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["history", "--sample"]) == 0
    first = capsys.readouterr().out
    assert main(["history", "--sample", "--out", "-"]) == 0
    assert capsys.readouterr().out == first
    for name in ("one.csv", "deep/er/two.csv"):
        assert main(["history", "--sample", "--out", str(tmp_path / name)]) == 0
        assert (tmp_path / name).read_bytes() == first.encode()
    process = run("history", "--sample", cwd=tmp_path)
    assert (process.returncode, process.stderr, process.stdout) == (0, "", first)


def test_history_as_json_lines_says_what_the_csv_says(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["history", "--sample"]) == 0
    rows = rows_of(capsys.readouterr().out)
    assert main(["history", "--sample", "--json"]) == 0
    text = capsys.readouterr().out
    lines = [json.loads(line) for line in text.splitlines()]
    assert len(lines) == len(rows)
    for line, row in zip(lines, rows, strict=True):
        assert list(line) == list(row)
        assert (line["date"], line["in_sample"]) == (row["date"], row["in_sample"] == "true")
        assert [line[name] for name in ("close", "iv")] == [float(row["close"]), float(row["iv"])]
        assert [line[name] for name in COLUMNS] == [float(row[name]) for name in COLUMNS]
    out = tmp_path / "out.jsonl"
    assert main(["history", "--sample", "--json", "--out", str(out)]) == 0
    assert (capsys.readouterr().out, out.read_text()) == ("", text)


def test_bars_in_parts_are_those_of_the_whole(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, sample: Bars
) -> None:
    whole = write_pair(tmp_path, sample)
    for name in ("early", "late"):
        (tmp_path / name).mkdir()
    early = write_pair(tmp_path / "early", sample[:700])
    late = write_pair(tmp_path / "late", sample[690:])
    assert main(["history", *whole, "--market", "other"]) == 0
    expected = capsys.readouterr().out
    for parts in ([*early, *late], [*late, *early]):
        assert main(["history", *parts, "--market", "other"]) == 0
        assert capsys.readouterr().out == expected
    kept = (tmp_path / "early/iv.csv").read_bytes()
    with pytest.raises(SystemExit):
        main(["history", *late, *early, "--market", "other", "--out", early[3]])
    assert "would overwrite the bars" in capsys.readouterr().err
    assert (tmp_path / "early/iv.csv").read_bytes() == kept


def test_a_history_written_to_a_file_is_summed_up_with_a_verdict_beside_each_number(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, sample: Bars
) -> None:
    out = tmp_path / "out.csv"
    assert main(["history", "--sample", "--out", str(out)]) == 0
    counted, day, *numbers, note = capsys.readouterr().out.splitlines()
    rows = rows_of(out.read_text())
    assert counted.startswith(f"{len(rows)} days, {rows[0]['date']} to {rows[-1]['date']}, in")
    assert str(out) in counted
    bar = f"close {sample.close[-1]:.2f}, iv {sample.iv[-1]:.2f} %"
    assert day == f"{rows[-1]['date']}  Another market, {bar}"
    shown = []
    for values, verdict in zip(numbers[::2], numbers[1::2], strict=True):
        assert re.match(r"  \w", values)
        assert verdict.startswith("    skill ")
        for column, value in judged_columns(values):
            assert value == f"{float(rows[-1][column]):.3f}"
            assert_judged(verdict, judgement_of(column))
            assert values.split()[0] == judgement_of(column)["output"]
            shown.append(column)
    assert shown == COLUMNS
    assert note == "demonstration: other market, in-sample"


def test_a_day_of_nifty_that_the_models_have_seen_is_called_in_sample(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, nifty: Bars
) -> None:
    pair = write_pair(tmp_path, nifty[-LOOKBACK:])
    assert main(["history", *pair, "--out", str(tmp_path / "out.csv")]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("in-sample: ")


def test_a_day_after_training_carries_no_note_unless_its_market_is_another(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, sample: Bars
) -> None:
    last = max(np.datetime64(span.last) for spec in HEADS for span in spec.training)
    bars = sample[-LOOKBACK:]
    calendar = NIFTY.known_calendar()
    ahead = calendar.sessions(calendar.first, calendar.last)
    dates = ahead[: np.searchsorted(ahead, last) + 4][-LOOKBACK:]
    later = Bars.from_arrays(dates, bars.high, bars.low, bars.close, bars.iv, today=dates[-1])
    pair = write_pair(tmp_path, later)
    out = str(tmp_path / "out.csv")

    assert main(["history", *pair, "--out", out]) == 0
    printed = capsys.readouterr().out
    judged = {judgement_of(column)["output"] for column in COLUMNS}
    assert len(printed.splitlines()) == 2 + 2 * len(judged)
    assert "in-sample" not in printed
    assert main(["history", *pair, "--market", "other", "--out", out]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "demonstration: other market"


def test_start_and_end_choose_the_bars(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, sample: Bars
) -> None:
    pair = write_pair(tmp_path, sample)
    first, last = str(sample.dates[300]), str(sample.dates[900])
    assert main(["history", *pair, "--start", first, "--end", last, "--market", "other"]) == 0
    assert_is_history(capsys.readouterr().out, sample[300:901])


def test_a_date_format_reads_what_would_be_ambiguous(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, sample: Bars
) -> None:
    (tmp_path / "iso").mkdir()
    (tmp_path / "slashed").mkdir()
    other = ["--market", "other"]
    assert main(["history", *write_pair(tmp_path / "iso", sample), *other]) == 0
    expected = capsys.readouterr().out
    slashed = write_pair(tmp_path / "slashed", sample, "%d/%m/%Y")
    assert main(["history", *slashed, "--date-format", "%d/%m/%Y", *other]) == 0
    assert capsys.readouterr().out == expected
    assert main(["history", *slashed]) == 2
    assert "--date-format" in capsys.readouterr().err


@pytest.mark.parametrize("date_format", ["%Y-%m-%m", "%Q", "%", "("])
def test_a_date_format_that_is_none_is_wrong_input(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, sample: Bars, date_format: str
) -> None:
    pair = write_pair(tmp_path, sample)
    assert main(["history", *pair, "--date-format", date_format]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_history_uses_the_folder_of_artifacts_that_it_is_given(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    assert main(["history", "--sample"]) == 0
    expected = capsys.readouterr().out
    assert main(["history", "--sample", "--models", str(folder)]) == 0
    assert capsys.readouterr().out == expected
    (folder / MANIFEST_NAME).unlink()
    assert main(["history", "--sample", "--models", str(folder)]) == 2
    assert str(folder) in capsys.readouterr().err


def in_cell(row: int, column: int, text: str) -> Callable[[list[str]], list[str]]:
    def put(lines: list[str]) -> list[str]:
        cells = lines[row].split(",")
        cells[column] = text
        return [*lines[:row], ",".join(cells), *lines[row + 1 :]]

    return put


@pytest.mark.parametrize("file", ["index.csv", "iv.csv"])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda lines: [],
        lambda lines: lines[:1],
        lambda lines: lines[1:],
        lambda lines: [lines[0].replace("Close", "Adj Close"), *lines[1:]],
        lambda lines: [lines[0], *reversed(lines[1:-1]), lines[-1]],
        lambda lines: [*lines, lines[-1]],
        lambda lines: lines[:100],
        lambda lines: [*lines[:100], *lines[200:]],
        lambda lines: [*lines[:100], lines[100] + ",1", *lines[101:]],
        in_cell(50, -1, "high"),
        in_cell(50, -1, ""),
        in_cell(50, -1, "nan"),
        in_cell(50, -1, "inf"),
        in_cell(50, -1, "-1"),
        in_cell(50, -1, "0"),
        in_cell(50, -1, "0.135"),
        in_cell(50, -1, "1e9"),
        in_cell(50, 0, "01/02/2015"),
        in_cell(50, 0, "soon"),
        in_cell(-1, 0, "2999-01-01"),
    ],
    ids=[
        "empty",
        "header-only",
        "no-header",
        "no-close",
        "newest-first-but-one",
        "date-twice",
        "too-short",
        "hole",
        "cell-more",
        "word",
        "blank",
        "nan",
        "inf",
        "negative",
        "zero",
        "fraction",
        "huge",
        "ambiguous-date",
        "no-date",
        "future",
    ],
)
def test_wrong_input_is_one_line_and_leaves_the_previous_output(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    sample: Bars,
    file: str,
    spoil: Callable[[list[str]], list[str]],
) -> None:
    pair = write_pair(tmp_path, sample[:400])
    spoilt = tmp_path / file
    spoilt.write_text("".join(f"{line}\n" for line in spoil(spoilt.read_text().splitlines())))
    assert_refused(capsys, tmp_path, ["history", *pair, "--market", "other"])


def assert_refused(
    capsys: pytest.CaptureFixture[str], folder: Path, arguments: list[str], status: int = 2
) -> None:
    out = folder / "out.csv"
    out.write_text("the previous history")
    before = sorted(folder.iterdir())
    assert main([*arguments, "--out", str(out)]) == status
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert line.startswith("aegismatrix: ")
    assert captured.out == ""
    assert out.read_text() == "the previous history"
    assert sorted(folder.iterdir()) == before


def test_a_missing_file_is_wrong_input(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.csv")
    assert_refused(capsys, tmp_path, ["history", "--index", missing, "--iv", missing])


def test_a_folder_or_bytes_in_place_of_a_file_are_wrong_input(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, sample: Bars
) -> None:
    pair = write_pair(tmp_path, sample)
    assert_refused(capsys, tmp_path, ["history", *pair[:3], str(tmp_path)])
    (tmp_path / "iv.csv").write_bytes(bytes(range(256)))
    assert_refused(capsys, tmp_path, ["history", *pair])


def test_index_and_iv_exchanged_are_wrong_input(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, market_sources: tuple[MarketSource, ...]
) -> None:
    source = market_sources[0]
    exchanged = ["--index", str(source.iv), "--iv", str(source.index)]
    assert_refused(capsys, tmp_path, ["history", *exchanged])


@pytest.mark.parametrize(
    "options", [["--start", "2018-12-01"], ["--start", "2020-01-01"], ["--end", "2000-01-01"]]
)
def test_days_that_leave_too_little_are_wrong_input(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, sample: Bars, options: list[str]
) -> None:
    pair = write_pair(tmp_path, sample)
    assert_refused(capsys, tmp_path, ["history", *pair, "--market", "other", *options])


def test_altered_artifacts_are_refused_and_leave_the_previous_output(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, folder: Path
) -> None:
    with (folder / read_manifest().model(ENGINE_NAME).file).open("ab") as file:
        file.write(b"\0")
    assert_refused(capsys, tmp_path, ["history", "--sample", "--models", str(folder)])


def test_an_interrupted_history_leaves_the_previous_output(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(handle: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    assert_refused(capsys, tmp_path, ["history", "--sample"], status=130)


def test_an_output_that_cannot_be_written_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("not a folder")
    out = str(tmp_path / "file" / "out.csv")
    assert main(["history", "--sample", "--out", out]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"aegismatrix: {out} could not be written")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["prophesy"],
        ["history"],
        ["history", "--index", "index.csv"],
        ["history", "--iv", "iv.csv"],
        ["history", "--sample", "--index", "index.csv"],
        ["history", "--sample", "--iv", "iv.csv"],
        ["history", "--sample", "--start", "2015-01-01"],
        ["history", "--sample", "--end", "2015-01-01"],
        ["history", "--sample", "--date-format", "%Y"],
        ["history", "--sample", "--market", "mars"],
        ["history", "--sample", "--out"],
        ["history", "--index", "i.csv", "--iv", "v.csv", "--start", "yesterday"],
        ["history", "--index", "i.csv", "--iv", "v.csv", "--end", "2015-02-30"],
        ["models", "trap"],
        ["verify", "one", "two"],
        ["verify", "--key", "release.pem"],
        ["report", "--sample", "--horizon", "5", "--expiry", "weekly"],
        ["report", "--sample", "--yahoo"],
        ["report", "--yahoo", "--index", "index.csv", "--iv", "iv.csv"],
        ["report", "--yahoo", "--start", "2015-01-01"],
        ["report", "--yahoo", "--intraday", "five.csv"],
        ["report", "--yahoo", "--allow-stale", "soon"],
        ["report", "--sample", "--allow-stale", "0d"],
    ],
    ids=" ".join,
)
def test_wrong_usage_shows_the_usage(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    captured = capsys.readouterr()
    assert ended.value.code == 2
    assert captured.out == ""
    assert captured.err.startswith("usage: aegismatrix")
    assert "error: " in captured.err


def test_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"aegismatrix {__version__}\n"


def test_help_tells_the_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert "exit status: 0 done, 1 a finding, 2 wrong" in capsys.readouterr().out


def test_models_lists_each_with_its_spans_verdicts_and_intervals(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["models"]) == 0
    lines = iter(capsys.readouterr().out.splitlines())
    for spec in list_models():
        line = next(lines)
        assert line.startswith(f"{spec.name} {spec.version}: ")
        assert line.endswith("not trained") != bool(spec.training)
        for span in spec.training:
            assert f"{span.market} {span.first} to {span.last}" in line
        for judgement in own_judgements(spec) if spec.training else ():
            line = next(lines)
            assert line.split()[0] == judgement["output"]
            assert_judged(line, judgement)
    assert list(lines) == []


def test_models_shows_a_verdict_for_each_column_of_history(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["models"]) == 0
    indented = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
    # The history shows either edge of a surface; each edge alone is judged as well.
    one_edge = {
        f"{array.name}_{side}_h{days}"
        for array in PROBABILITIES
        if is_surface(array)
        for side in TOUCHES[1:]
        for days in HORIZONS_DAYS
    }
    closes = {BREACH.judged(days, side) for side in ("below", "above") for days in (5, 20)}
    days_judged = {2, 3, 4}
    edges = {"breach", *(f"breach_{side}" for side in TOUCHES[1:])}
    of_a_week = {f"{edge}_h{days}" for edge in edges for days in days_judged}
    # What needs more than the bars of one market is no part of the history.
    optional = {
        str(judgement["output"])
        for spec in list_models()
        if spec.kind == "optional"
        for judgement in spec.own_judgements()
    }
    in_history = {judgement_of(column)["output"] for column in COLUMNS}
    assert not (one_edge | closes | optional) & in_history
    shown = {line.split()[0] for line in indented}
    assert shown == in_history | one_edge | closes | of_a_week | optional


def test_models_of_a_folder_without_any_is_wrong_input(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["models", "--models", str(tmp_path)]) == 2
    captured = capsys.readouterr()
    assert (captured.out, len(captured.err.splitlines())) == ("", 1)


def test_verify_says_ok_for_the_manifest_and_each_file_that_it_seals(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["verify"]) == 0
    captured = capsys.readouterr()
    manifest, *lines, golden, note = captured.out.splitlines()
    assert "golden" in golden
    assert manifest.startswith(f"ok   manifest {read_manifest().digest[:16]}")
    assert note == "     signature: not checked; add --signature"
    for sealed, line in zip(SEALED, lines, strict=True):
        assert line == f"ok   {sealed.file}: {sealed.size_bytes} bytes, sha256 {sealed.sha256[:16]}"
    assert captured.err == ""


@pytest.mark.parametrize("name", [spec.name for spec in list_models()])
def test_verify_names_the_artifact_that_is_off_and_no_other(
    capsys: pytest.CaptureFixture[str], folder: Path, name: str
) -> None:
    (folder / read_manifest().model(name).file).write_bytes(b"cut")
    assert main(["verify", str(folder)]) == 1
    _, *lines, _ = capsys.readouterr().out.splitlines()
    lines = [line for line in lines if "golden" not in line]
    assert len(lines) == len(SEALED)
    (off,) = (line for line in lines if not line.startswith("ok   "))
    assert off.startswith(f"FAIL {name}: ")
    assert "truncated" in off


def test_verify_finds_a_foreign_model_beside_the_others(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    (folder / "stranger.onnx").write_bytes(b"stranger")
    assert main(["verify", str(folder)]) == 1
    *fine, golden, last, _ = capsys.readouterr().out.splitlines()
    assert len(fine) == 1 + len(SEALED)
    assert "golden" in golden
    assert last.startswith("FAIL stranger.onnx: ")


@pytest.mark.parametrize("damage", [Path.unlink, lambda file: file.write_text("{}")])
def test_verify_of_a_folder_whose_manifest_is_off_is_one_finding(
    capsys: pytest.CaptureFixture[str], folder: Path, damage: Callable[[Path], object]
) -> None:
    damage(folder / MANIFEST_NAME)
    assert main(["verify", str(folder)]) == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("FAIL manifest: ")


def test_models_as_json_has_the_judgements(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    for one, spec in zip(listed, list_models(), strict=True):
        assert [one[name] for name in ("name", "version", "kind", "file", "sha256")] == [
            *(spec.name, spec.version, spec.kind, spec.file, spec.sha256)
        ]
        assert one["judgements"] == json.loads(json.dumps(list(spec.own_judgements())))


def test_verify_as_json_lists_what_is_off(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    assert main(["verify", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "manifest": read_manifest().digest,
        "findings": [],
        "signature": {"status": "not asked for"},
    }
    (folder / read_manifest().model(ENGINE_NAME).file).write_bytes(b"cut")
    assert main(["verify", "--json", str(folder)]) == 1
    (found,) = json.loads(capsys.readouterr().out)["findings"]
    assert found["artifact"] == ENGINE_NAME
    assert "truncated" in found["problem"]
    assert found["remedy"]
    (folder / MANIFEST_NAME).unlink()
    assert main(["verify", "--json", str(folder)]) == 1
    said = json.loads(capsys.readouterr().out)
    assert said["manifest"] is None
    assert [one["artifact"] for one in said["findings"]] == ["manifest"]


def test_quiet_says_nothing_but_faults(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, folder: Path
) -> None:
    for arguments in (
        ["history", "--sample", "--out", str(tmp_path / "out.csv")],
        ["report", "--sample", "--no-html", "--out", str(tmp_path)],
        ["verify"],
    ):
        assert main([*arguments, "--quiet"]) == 0
        captured = capsys.readouterr()
        assert (captured.out, captured.err) == ("", "")
    assert (tmp_path / "aegismatrix.json").is_file()
    assert (tmp_path / "out.csv").is_file()
    (folder / read_manifest().model(ENGINE_NAME).file).write_bytes(b"cut")
    assert main(["verify", "-q", str(folder)]) == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("FAIL ")


def test_report_as_json_is_what_is_in_the_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["report", "--sample", "--no-html", "--json", "--out", str(tmp_path)]) == 0
    captured = capsys.readouterr()
    assert captured.out == (tmp_path / "aegismatrix.json").read_text()
    assert captured.err == ""


def test_verbose_says_what_is_done_on_standard_error(tmp_path: Path) -> None:
    plain = run("report", "--sample", "--no-html", cwd=tmp_path)
    wordy = run("report", "--sample", "--no-html", "--verbose", cwd=tmp_path)
    assert (plain.returncode, wordy.returncode) == (0, 0)
    assert plain.stdout == wordy.stdout
    assert plain.stderr == ""


def test_touch_says_of_strikes_and_expiries_what_the_engine_does(
    capsys: pytest.CaptureFixture[str], sample: Bars
) -> None:
    asked = ["touch", "--sample", "--strike", "2400", "2600", "--horizon-days", "5", "20"]
    assert main([*asked, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    engine = Engine()
    touched = engine.touch(sample, strike=[2400, 2600], horizon_days=[5, 20]).rows()
    ended = engine.beyond(sample, strike=[2400, 2600], horizon_days=[5, 20]).rows()
    assert (said["as_of"], said["spot"]) == ("2018-12-31", 2506.85)
    assert [one["touch"] for one in said["strikes"]] == [one["probability"] for one in touched]
    assert [one["beyond"] for one in said["strikes"]] == [one["probability"] for one in ended]
    assert main(asked) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "2018-12-31  close 2506.85"
    assert lines[2].split() == [
        *("5", "days", "2400"),
        f"{touched[0]['probability']:.1%}",
        f"{ended[0]['probability']:.1%}",
    ]
    assert len(lines) == 6


@pytest.mark.parametrize(
    ("when", "words"),
    [
        (["--by", "2019-01-04"], "the sessions of the market other are not known"),
        (["--horizon-days", "31"], "Give"),
    ],
)
def test_a_strike_that_cannot_be_answered_ends_in_a_sentence(
    when: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["touch", "--sample", "--strike", "2600", *when]) == 2
    told = capsys.readouterr()
    assert words in told.err
    assert told.out == ""


@pytest.mark.parametrize(
    ("expiry", "days"), [("weekly", 2), ("monthly", 22), ("2025-01-09", 7), (None, 2)]
)
def test_the_safe_range_of_a_report_lasts_until_an_expiry(
    tmp_path: Path,
    market_sources: tuple[MarketSource, ...],
    expiry: str | None,
    days: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    evening = datetime(2024, 12, 31, 12, 0, tzinfo=timezone.utc)
    monkeypatch.setattr("aegismatrix.desk.job.publish.utc_now", lambda: evening)
    source = market_sources[0]
    pair = ["--index", str(source.index), "--iv", str(source.iv)]
    option = [] if expiry is None else ["--expiry", expiry]
    assert main(["report", *pair, *option, "--no-html", "--out", str(tmp_path)]) == 0
    safe = json.loads((tmp_path / "aegismatrix.json").read_text())["seller"]["safe_range"]
    assert safe["horizon_days"] == days


@pytest.mark.parametrize("expiry", ["2024-12-31", "2025-03-27", "2025-01-26"])
def test_an_expiry_that_is_none_of_the_next_is_wrong_input(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    market_sources: tuple[MarketSource, ...],
    expiry: str,
) -> None:
    source = market_sources[0]
    pair = ["--index", str(source.index), "--iv", str(source.iv)]
    assert main(["report", *pair, "--expiry", expiry, "--out", str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("aegismatrix: ")
    assert "expiry" in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("expiry", ["soon", "2025-02-30", ""])
def test_an_expiry_that_is_no_day_is_wrong_usage(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, expiry: str
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["report", "--sample", "--expiry", expiry, "--out", str(tmp_path)])
    assert stopped.value.code == 2
    assert "--expiry" in capsys.readouterr().err


@pytest.mark.parametrize("names", [("index",), ("iv",), ("index", "iv")])
def test_a_missing_file_is_named_beside_a_previous_report(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, sample: Bars, names: tuple[str, ...]
) -> None:
    pair = write_pair(tmp_path, sample)
    (tmp_path / "aegismatrix.json").write_text("previous")
    for name in names:
        (tmp_path / f"{name}.csv").unlink()
    assert main(["report", *pair, "--market", "other", "--out", str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{names[0]}.csv cannot be read" in line
    assert (tmp_path / "aegismatrix.json").read_text() == "previous"


def test_the_command_ends_with_its_status_as_a_process(tmp_path: Path) -> None:
    wrong = run("history", "--index", "a.csv", "--iv", "b.csv", cwd=tmp_path)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith("aegismatrix: a.csv cannot be read: ")
    assert len(wrong.stderr.splitlines()) == 1
    assert run("verify", str(tmp_path), cwd=tmp_path).returncode == 1


@pytest.mark.parametrize("arguments", [["history", "--sample"], ["models"], ["verify"]])
def test_a_reader_who_has_left_is_no_error_worth_a_word(
    tmp_path: Path, arguments: list[str]
) -> None:
    # Closed before the command starts to write, so that every output meets a closed pipe.
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as pipe:
        done = subprocess.run(
            [sys.executable, "-m", "aegismatrix", *arguments],
            cwd=tmp_path,
            stdout=pipe,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )
    assert done.stderr == b""
    assert done.returncode == 141


def test_the_first_line_can_be_had_alone(
    tmp_path: Path, market_sources: tuple[MarketSource, ...]
) -> None:
    source = market_sources[0]
    command = [sys.executable, "-m", "aegismatrix", "history"]
    with subprocess.Popen(
        [*command, "--index", str(source.index), "--iv", str(source.iv)],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        head = subprocess.run(
            ["head", "-n", "1"], stdin=process.stdout, capture_output=True, check=True, timeout=60
        )
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        complaint = process.stderr.read()
        process.wait(timeout=60)
    assert head.stdout.decode() == ",".join(["date", "close", "iv", "in_sample", *COLUMNS]) + "\n"
    assert complaint == b""


@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
def test_a_full_disk_behind_standard_output_is_one_line_and_no_finding(
    tmp_path: Path, unbuffered: str
) -> None:
    pytest.importorskip("resource", reason="limits of file size are a matter of POSIX")
    # Unbuffered, Python drops what a short write leaves over without a word.
    code = (
        "import resource, sys; from aegismatrix.desk.cli.main import main\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "sys.exit(main(['history', '--sample']))"
    )
    with (tmp_path / "out.csv").open("wb") as out:
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )
    assert [line[:13] for line in done.stderr.splitlines()] == ["aegismatrix: "]
    assert done.returncode == WRONG_INPUT


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs file names of any bytes")
def test_a_file_name_that_is_no_text_can_be_written_and_named(tmp_path: Path) -> None:
    name = os.fsdecode(b"out-\xff.csv")
    done = subprocess.run(
        [sys.executable, "-m", "aegismatrix", "history", "--sample", "--out", name],
        cwd=tmp_path,
        # As Python sets it up in any locale but C and POSIX.
        env={**os.environ, "PYTHONIOENCODING": "utf-8:strict"},
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.stderr == b""
    assert done.returncode == 0
    assert (tmp_path / name).read_text().startswith("date,close,iv,in_sample,")


@pytest.mark.parametrize("option", ["--index", "--iv"])
def test_bars_are_never_overwritten_by_what_is_made_of_them(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, sample: Bars, option: str
) -> None:
    pair = write_pair(tmp_path, sample)
    source = Path(pair[pair.index(option) + 1])
    before = source.read_bytes()
    (tmp_path / "link.csv").symlink_to(source)
    with pytest.raises(SystemExit) as stopped:
        main(["history", *pair, "--market", "other", "--out", str(tmp_path / "link.csv")])
    assert stopped.value.code == 2
    assert "would overwrite" in capsys.readouterr().err
    assert source.read_bytes() == before
