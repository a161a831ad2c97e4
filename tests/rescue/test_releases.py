"""Models of many releases answer as ONNX what their makers recorded in their own libraries.

One test for each folder of `tests/fixtures/releases`: every file that converts is proven, and its
graph and its oracle are both held against what the library said. What cannot be compared is
counted, and what is refused though it should convert is named below.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aegismatrix_factory.rescue.converting.checks import decoded
from aegismatrix_factory.rescue.converting.family import Answer
from aegismatrix_factory.rescue.converting.graphs import Authored
from aegismatrix_factory.rescue.converting.parts import Contents, Revived, revive
from aegismatrix_factory.rescue.converting.writing import UNKNOWN
from aegismatrix_factory.rescue.reading.containers import read_legacy
from aegismatrix_factory.rescue.reading.errors import LegacyError
from aegismatrix_factory.rescue.reading.ubjson import read_ubjson
from aegismatrix_factory.rescue.tokeniser import Vocabulary
from numpy.typing import NDArray

from tests.rescue.test_revival import Single, finished, proven

ROOT = Path(__file__).parents[1] / "fixtures" / "releases"
MADE: dict[str, Any] = json.loads((ROOT / "manifest.json").read_text(encoding="utf-8"))
FOLDERS = sorted(MADE["folders"])
NEWEST = {
    "catboost-1.2.10-numpy-2.3.5",
    "lightgbm-4.7.0-numpy-2.5.1",
    "torch-2.13.0-numpy-2.4.6",
    "xgboost-3.3.0-numpy-2.5.1",
}
EXACT, SINGLE = 1e-12, 1e-6
SINGLE_LIBRARIES = {"xgboost", "torch"}
SINGLE_MODELS = {"logistic_single_precision"}
"""scikit-learn computes these in float32 since 1.9, too."""
ANSWERS: dict[str, tuple[Answer, ...]] = {
    "transform": ("transformed",),
    "predict_proba": ("probability",),
    "decision_function": ("decision",),
    "predict": ("label", "value"),
}
PARTS = ("scaler", "vectorizer", "vectoriser")
"""What of a file stands before its model."""
NEIGHBOURS = {"neighbours", "neighbours_regressor"}


WAITING = set(
    """
    imputer_words_frequent imputer_words_constant boosting_started boosting_regressor_started
    boosting_three_started random_search bundle_numpy_strings
    """.split()
)
"""What should convert and is refused yet: answers that are text, boosting that begins with a forest
of its own, distributions of scipy, numpy's own texts."""


@dataclass
class Outcome:
    """What came of the files of a folder."""

    compared: int = 0
    not_answered: int = 0
    wrong: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    ties: dict[str, float] = field(default_factory=dict)


class Folder:
    """One folder of fixtures: its files, and what they are asked with."""

    def __init__(self, name: str) -> None:
        self.path = ROOT / name
        self.made = MADE["folders"][name]
        self.library = str(self.made["library"])
        self.predictions = arrays(self.path / "predictions.npz")
        own = self.path / "tables.json"
        self.tables = {**tables(ROOT / "tables.json"), **(tables(own) if own.exists() else {})}

    def rows(self, made: Mapping[str, Any]) -> Any:
        """What a model was asked with: an array, a frame as a mapping, or a list."""
        where, name = made.get("inputs_in", "inputs"), made["inputs"]
        if where == "tables":
            return self.tables[name]
        return (self.predictions if where == "predictions" else arrays(ROOT / "inputs.npz"))[name]


@cache
def arrays(file: Path) -> dict[str, NDArray[Any]]:
    with np.load(file, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


@cache
def tables(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return content


class Rescued:
    """One model out of a file, with its graph in a session."""

    def __init__(self, revived: Revived, contents: Contents) -> None:
        self.part, self.model = revived.part, revived.part.model
        single = Single(revived.part, contents.oracle)
        proven(single)
        # Not before aegismatrix, which says what a runtime may not send home.
        import onnxruntime

        self.oracle = contents.oracle
        self.authored, _, data = finished(single)
        self.session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])

    def asked(self, rows: Any) -> NDArray[np.float64]:
        """Rows as the graph takes them: places for texts, counts for documents."""
        if self.model.vocabulary is not None:
            vocabulary = Vocabulary(dict(self.model.vocabulary))
            documents = [str(one) for one in np.asarray(rows).reshape(-1)]
            return np.array(vocabulary.counts(documents), dtype=np.float64)
        if self.model.documents:
            return self.counted(rows)
        if isinstance(rows, Mapping):
            names = self.model.feature_names or tuple(rows)
            columns = [rows[name] for name in names]
        else:
            given = rows if isinstance(rows, np.ndarray) else np.array(rows, dtype=object)
            columns = list((given[:, None] if given.ndim == 1 else given).T)
        return np.stack(
            [coded(column, self.authored, place) for place, column in enumerate(columns)], axis=1
        )

    def counted(self, rows: Any) -> NDArray[np.float64]:
        """Rows with the counts of each text behind the other columns."""
        named = list(self.model.details.get("columns", ()))
        tables = [
            coded(rows[name], self.authored, place)[:, None] for place, name in enumerate(named)
        ]
        for one in self.model.documents:
            texts = rows[one.column] if one.column else rows
            counts = Vocabulary(dict(one.vocabulary)).counts([str(text) for text in texts])
            tables.append(np.array(counts, dtype=np.float64))
        return np.concatenate(tables, axis=1)

    def by_graph(self, answer: Answer, rows: NDArray[np.float64]) -> NDArray[Any] | None:
        if answer not in self.authored.answers:
            return None
        said = self.authored.outputs[self.authored.answers.index(answer)]
        found: list[Any] = self.session.run([said.name], {"x": rows})
        return np.asarray(found[0], dtype=np.float64)

    def by_oracle(self, answer: Answer, rows: NDArray[np.float64]) -> NDArray[Any]:
        asked = decoded(rows, self.authored.columns)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return self.oracle.answer(self.part.value, answer, asked)

    def places(self, labels: NDArray[Any]) -> NDArray[Any]:
        """Where each label is among the classes of its question."""
        if not self.model.questions:
            return places(labels, self.model.classes)
        columns = zip(labels.T, self.model.questions, strict=True)
        return np.stack([places(column, own) for column, own in columns], axis=1)

    def share(self, shares: NDArray[Any], question: int) -> NDArray[Any]:
        """What of the shares of all questions is of one."""
        ends = np.cumsum([len(one) for one in self.model.questions])
        return np.split(shares, ends[:-1], axis=1)[question]


def coded(column: Any, authored: Authored, place: int) -> NDArray[np.float64]:
    values = column.tolist() if isinstance(column, np.ndarray) else list(column)
    own = authored.columns[place] if authored.columns else None
    if own is not None and own.kind == "text":
        return np.array(
            [own.texts.index(one) if one in own.texts else UNKNOWN for one in values], dtype=float
        )
    if own is not None and own.kind == "unread" and any(isinstance(one, str) for one in values):
        return np.zeros(len(values))
    return np.array([np.nan if one is None else float(one) for one in values])


def walk(name: str) -> Outcome:
    """Convert and ask every file of a folder."""
    folder, outcome = Folder(name), Outcome()
    for entry in folder.made["files"]:
        try:
            contents = revive(read_legacy(folder.path / entry["file"]).value, read_ubjson)
            models = {one.key: Rescued(one, contents) for one in contents.models}
        except LegacyError as error:
            outcome.refused[entry["file"]] = error.code
            continue
        for call, made in entry["outputs"].items():
            compare(folder, entry, call, made, models, outcome)
    return outcome


def compare(
    folder: Folder,
    entry: Mapping[str, Any],
    call: str,
    made: Mapping[str, Any],
    models: Mapping[str, Rescued],
    outcome: Outcome,
) -> None:
    asked = made.get("call", call.rpartition(":")[2])
    key = made.get("path", "").replace("/", ".")
    before: list[Rescued] = []
    if asked.startswith("model."):
        key, asked = "model", asked.removeprefix("model.")
        before = [models[one] for one in PARTS if one in models]
    expected = folder.predictions[made["array"]]
    model = models[key]
    # The shares of one question of several.
    asked, _, question = asked.partition("proba_")
    asked += "proba" if question else ""
    answers = ANSWERS.get(asked, ())
    if entry["class"] == "Booster" or (key == "model" and "Booster" in model.part.described):
        answers = model.model.shown or tuple(model.model.answers)[:1]
        answers = answers if asked == "predict" else ()
        if expected.ndim == 1 and "probability" in model.model.answers:
            expected = np.stack([1.0 - expected, expected], axis=1)
    answers = tuple(one for one in answers if one in model.model.answers)
    if not answers:
        outcome.not_answered += 1
        return
    rows = folder.rows(made)
    for one in before:
        rows = one.by_oracle("transformed", one.asked(rows))
    rows = model.asked(rows)
    tolerance = SINGLE if single(folder, entry) else EXACT
    for answer in answers:
        wanted = model.places(expected) if answer == "label" else expected
        for who, given in (
            ("graph", model.by_graph(answer, rows)),
            ("oracle", model.by_oracle(answer, rows)),
        ):
            if given is None:
                continue
            if question:
                given = model.share(given, int(question))
            outcome.compared += 1
            where = f"{entry['file']} {call}: {who}"
            fault, ties = difference(given, wanted.astype(np.float64), tolerance)
            if ties and call.endswith("kept_rows") and model.model.warnings:
                outcome.ties[where] = ties
            elif ties:
                outcome.wrong.append(f"{where} has no answer to {ties:.0%}")
            if fault:
                outcome.wrong.append(f"{where} {fault}")


def single(folder: Folder, entry: Mapping[str, Any]) -> bool:
    return folder.library in SINGLE_LIBRARIES or entry["holds"] in SINGLE_MODELS


def places(labels: NDArray[Any], classes: tuple[str, ...]) -> NDArray[Any]:
    """Where each label is among the classes."""
    # A Booster says the number of a class as a float.
    whole = labels.dtype.kind == "f" and not any("." in one for one in classes)
    names = [
        str(one) for one in (labels.astype(np.int64) if whole else labels).reshape(-1).tolist()
    ]
    return np.array([classes.index(one) if one in classes else -9 for one in names])


def difference(given: NDArray[Any], wanted: NDArray[Any], tolerance: float) -> tuple[str, float]:
    """What is wrong, and the share of rows that have no answer though the library gave one."""
    if given.size != wanted.size:
        return f"has the shape {given.shape}, not {wanted.shape}", 0.0
    given = given.reshape(wanted.shape)
    none = np.isnan(given) & ~np.isnan(wanted)
    rows = none.reshape(len(none), -1).any(axis=1)
    if (np.isnan(wanted) & ~np.isnan(given)).any():
        return "answers where the library does not", 0.0
    there = ~np.isnan(given)
    scale = max(1.0, float(np.abs(wanted[there]).max(initial=0.0)))
    worst = float(np.abs(given[there] - wanted[there]).max(initial=0.0)) / scale
    return "" if worst <= tolerance else f"is off by {worst:.3g}", float(rows.mean())


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in NEWEST else pytest.mark.slow) for name in FOLDERS],
)
def test_every_file_that_converts_answers_what_its_maker_recorded(name: str) -> None:
    outcome = walk(name)
    assert outcome.wrong == []
    made = {entry["file"]: entry for entry in MADE["folders"][name]["files"]}
    waiting = {
        made[file]["holds"] for file in outcome.refused if made[file]["expected"] == "converted"
    }
    # Of networks only this project's own is converted.
    assert waiting <= WAITING or MADE["folders"][name]["library"] == "torch"
    to_refuse = {file for file in made if made[file]["expected"] == "refused"}
    assert to_refuse <= set(outcome.refused)
    # Of 20 rows that were kept one is equally far from two others that say different things.
    assert {where.partition(".")[0] for where in outcome.ties} <= NEIGHBOURS
    assert set(outcome.ties.values()) <= {0.05}
