"""Print what changed in silence between releases, and what the rescue makes of models from before.

Usage: python benchmarks/drift.py [--save]

Each line is a file of tests/fixtures/releases, asked with the rows that its maker recorded. Read as
today's: the same file with the number of its release, and the attributes that newer releases
ignore, changed to what the newest one would see; the answer is that of the rescue's oracle then.
It is how far a reader is off that does not heed the release. The rescue's own answer is that of the
graph and of the oracle, whichever is farther off.

``--save`` puts the table into docs/rescue.md. Exit status: 0 if each answer is right or refused.
"""

from __future__ import annotations

import argparse
import struct
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from aegismatrix_factory.rescue.converting.parts import ReadDocument, revive
from aegismatrix_factory.rescue.reading.containers import read_legacy
from aegismatrix_factory.rescue.reading.errors import LegacyError
from aegismatrix_factory.rescue.reading.records import Record
from aegismatrix_factory.rescue.reading.ubjson import read_ubjson
from numpy.typing import NDArray

from scripts.documents import between_marks
from tests.rescue.test_releases import (
    ANSWERS,
    EXACT,
    FOLDERS,
    SINGLE,
    SINGLE_LIBRARIES,
    Folder,
    Rescued,
    places,
)

DOCUMENT = Path(__file__).parents[1] / "docs" / "rescue.md"
MARK = "drift"
NEWEST = "1.9.1"
Edit = Callable[[dict[str, Any]], None]
"""Changes the attributes of one object, or one object of a booster's document."""


@dataclass(frozen=True)
class Drift:
    """Something that changed.

    Attributes
    ----------
    what : str
        In words.
    release : str
        A library and the release that saved the file.
    asked : str
        The model and what it is asked, as the manifest calls them.
    edit : callable or None
        What else a reader of today's takes for granted, beside the release.
    classes : tuple of str
        Whose release is overlooked; of all, if there is none.
    answer : callable or None
        What such a reader answers, where changed attributes do not bring it about.
    """

    what: str
    release: str
    asked: str
    edit: Edit | None = None
    classes: tuple[str, ...] = ()
    answer: Callable[[object, NDArray[np.float64]], NDArray[np.float64]] | None = None


def without(*names: str) -> Edit:
    """Overlook attributes."""

    def edit(state: dict[str, Any]) -> None:
        for name in names:
            state.pop(name, None)

    return edit


def instead(**values: object) -> Edit:
    """Take others for attributes that are there."""

    def edit(state: dict[str, Any]) -> None:
        state.update({name: value for name, value in values.items() if name in state})

    return edit


def as_probability(state: dict[str, Any]) -> None:
    """Take the margin that 0.90 keeps for a probability, by the release in its binary form."""
    handle = state.get("handle")
    if isinstance(handle, bytes | bytearray):
        changed = bytearray(handle)
        struct.pack_into("<II", changed, 20, 1, 0)
        state["handle"] = bytes(changed)


def counts(value: object, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Take what the leaves of a forest hold for shares, as they stand there."""
    found = []
    for _, tree in records(value):
        if "nodes" in tree:
            nodes, place = tree["nodes"], np.zeros(len(rows), dtype=np.int64)
            for _ in range(tree["max_depth"]):
                at = nodes[place]
                column = np.maximum(at["feature"], 0)
                here = rows[np.arange(len(rows)), column].astype(np.float32)
                left = here <= at["threshold"]
                below = np.where(left, at["left_child"], at["right_child"])
                place = np.where(at["left_child"] < 0, place, below)
            found.append(tree["values"][place, 0])
    return np.asarray(np.mean(found, axis=0))


DRIFTS = (
    Drift(
        "logistic regression by each class alone (`ovr`), three classes: a soft-max since 1.8",
        "scikit-learn-1.7.2",
        "logistic_three_ovr.predict_proba",
        without("multi_class"),
    ),
    Drift(
        "the same by `liblinear`",
        "scikit-learn-1.7.2",
        "logistic_three_liblinear.predict_proba",
        without("multi_class"),
    ),
    Drift(
        "`multinomial` of two classes: half the log odds since 1.8",
        "scikit-learn-1.7.2",
        "logistic_two_multinomial.predict_proba",
        without("multi_class"),
    ),
    Drift(
        "the default of `multi_class` until 0.21, `warn`: each class alone",
        "scikit-learn-0.21.3",
        "logistic_three_default.predict_proba",
        without("multi_class"),
    ),
    Drift(
        "`LogisticRegressionCV` of `ovr`",
        "scikit-learn-1.7.2",
        "logistic_cv_three_ovr.predict_proba",
        without("multi_class"),
    ),
    Drift(
        "linear discriminant analysis, three classes: a soft-max since 0.21",
        "scikit-learn-0.20.4",
        "lda_three.predict_proba",
    ),
    Drift(
        "AdaBoost, `SAMME.R` of three classes: gone since 1.6",
        "scikit-learn-1.5.2",
        "ada_boost_real_three.predict_proba",
        instead(algorithm="SAMME"),
    ),
    Drift(
        "a vote over such",
        "scikit-learn-1.3.2",
        "vote_over_boosting.predict_proba",
        instead(algorithm="SAMME"),
        classes=("AdaBoostClassifier",),
    ),
    Drift(
        "AdaBoost, `SAMME` of three classes: another formula since 0.22",
        "scikit-learn-0.21.3",
        "ada_boost_vote_three.predict_proba",
    ),
    Drift(
        "the same of two classes: the log odds doubled with the patch release 1.3.1",
        "scikit-learn-1.3.0",
        "ada_boost_vote.predict_proba",
    ),
    Drift(
        "the same over logistic regressions",
        "scikit-learn-1.3.0",
        "ada_boost_of_logistics.predict_proba",
        classes=("AdaBoostClassifier",),
    ),
    Drift(
        "isolation forest: another path length in a leaf of two rows since 0.21",
        "scikit-learn-0.20.4",
        "isolation_contaminated.decision_function",
    ),
    Drift(
        "isolation forest, `behaviour='old'`: another offset and threshold until 0.21",
        "scikit-learn-0.20.4",
        "isolation_old.predict",
        without("behaviour", "_threshold_"),
    ),
    Drift(
        "boosting of exponential loss: the sigmoid of twice the score",
        "scikit-learn-1.2.2",
        "boosting_exponential.predict_proba",
        instead(loss="log_loss"),
    ),
    Drift(
        "boosting of three classes: scores are centred since 1.4",
        "scikit-learn-1.3.2",
        "boosting_three.decision_function",
    ),
    Drift(
        "a tree holds counts until 1.3, shares since",
        "scikit-learn-1.3.2",
        "tree_balanced.predict_proba",
        answer=counts,
    ),
    Drift(
        "a forest, likewise",
        "scikit-learn-1.3.2",
        "forest.predict_proba",
        answer=counts,
    ),
    Drift(
        "bins: a value close under an edge belonged to the bin above until 1.0",
        "scikit-learn-1.0.2",
        "bins_ordinal.transform_edges",
    ),
    Drift(
        "one-hot, rare categories and one dropped: `drop_idx_` counted groups until 1.2.0",
        "scikit-learn-1.2.2",
        "one_hot_infrequent_first_dropped.transform_words",
        without("_drop_idx_after_grouping"),
    ),
    Drift(
        "tf-idf: the weights of terms lay in `_idf_diag` until 1.4, which newer ones overlook",
        "scikit-learn-1.4.2",
        "tfidf.transform",
        instead(use_idf=False),
    ),
    Drift(
        "rows divided by their largest value: by its absolute value since 0.24",
        "scikit-learn-0.22.2.post1",
        "normalizer_max.transform",
    ),
    Drift(
        "quantiles: a value within 1e-7 of an end was the end in 0.20",
        "scikit-learn-0.20.4",
        "quantile_uniform.transform_ends",
    ),
    Drift(
        "xgboost: `base_score` is the margin until 0.90, a probability since",
        "xgboost-0.90",
        "classifier_base.predict_proba",
        as_probability,
    ),
    Drift(
        "xgboost: `base_score` is a list since 3.1, which older ones read as 0",
        "xgboost-3.1.3",
        "regressor_base.predict",
        instead(base_score="0"),
    ),
    Drift(
        "xgboost: dropout under the name of a plain booster since 3.3",
        "xgboost-3.3.0",
        "booster_dropout.predict",
        without("weight_drop"),
    ),
    Drift(
        "the same in `XGBClassifier`",
        "xgboost-3.3.0",
        "classifier_dropout.predict_proba",
        without("weight_drop"),
    ),
)


@dataclass(frozen=True)
class Found:
    """What came of one line: None where there is no such number."""

    drift: Drift
    as_todays: float | str
    off: float | None
    refused: str = ""
    tolerance: float = EXACT

    @property
    def right(self) -> bool:
        """Whether it is refused, or what the maker recorded."""
        return bool(self.refused) or (self.off is not None and self.off <= self.tolerance)


def records(
    value: object, name: str = "", seen: set[int] | None = None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every set of attributes in a file with its class, and every object of a document."""
    seen = set() if seen is None else seen
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, Record):
        for one in (value.state, value.items, value.entries, value.arguments):
            yield from records(one, value.name, seen)
    elif isinstance(value, dict):
        yield name, value
        for one in list(value.values()):
            yield from records(one, "", seen)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from records(one, "", seen)
    elif isinstance(value, np.ndarray) and value.dtype == object:
        yield from records(value.ravel().tolist(), "", seen)


def found(drift: Drift) -> Found:
    """Answer one line."""
    (name,) = (name for name in FOLDERS if name.startswith(f"{drift.release}-numpy-"))
    folder = Folder(name)
    holds, _, call = drift.asked.partition(".")
    entry = next(
        one
        for one in folder.made["files"]
        if one["holds"] == holds and not one["file"].endswith((".json", ".ubj", ".model"))
    )
    tolerance = SINGLE if folder.library in SINGLE_LIBRARIES else EXACT
    file = folder.path / entry["file"]
    try:
        now = Asked(read_legacy(file).value, read_ubjson)
    except LegacyError as error:
        return Found(drift, "not measured", None, error.code, tolerance)
    made = entry["outputs"][call]
    rows, method = folder.rows(made), made.get("call", call)
    answer = now.answer(method)
    recorded = folder.predictions[made["array"]]
    wanted = places(recorded, now.classes) if answer == "label" else recorded
    wanted = np.asarray(wanted, dtype=np.float64)
    if wanted.ndim == 1 and answer == "probability":
        wanted = np.stack([1.0 - wanted, wanted], axis=1)
    off = max(apart(one, wanted) for one in now.answers(answer, rows))
    return Found(drift, as_todays(drift, file, answer, rows, wanted), off, "", tolerance)


class Asked:
    """The one model of a file."""

    def __init__(self, value: object, read: ReadDocument) -> None:
        contents = revive(value, read)
        (revived,) = contents.models
        self.value = value
        self.model = Rescued(revived, contents)
        self.classes = revived.part.model.classes

    def answer(self, method: str) -> Any:
        """What of the answers a method gives."""
        model = self.model.model
        if "Booster" in self.model.part.described:
            return (model.shown or tuple(model.answers))[0]
        return next(one for one in ANSWERS[method] if one in model.answers)

    def answers(self, answer: Any, rows: Any) -> list[NDArray[np.float64]]:
        """By the graph, where it gives that answer, and by the oracle."""
        asked = self.model.asked(rows)
        both = (self.model.by_graph(answer, asked), self.model.by_oracle(answer, asked))
        return [np.asarray(one, dtype=np.float64) for one in both if one is not None]


def as_todays(
    drift: Drift, file: Path, answer: Any, rows: Any, wanted: NDArray[np.float64]
) -> float | str:
    """How far off a reader is that takes the file for one of the newest release."""
    value = read_legacy(file).value
    if drift.answer is not None:
        return apart(drift.answer(value, rows), wanted)

    def changed(given: object) -> None:
        for name, state in records(given):
            if "_sklearn_version" in state and (not drift.classes or name in drift.classes):
                state["_sklearn_version"] = NEWEST
            if drift.edit is not None:
                drift.edit(state)

    def read(data: bytes) -> Any:
        document = read_ubjson(data)
        changed(document)
        return document

    changed(value)
    try:
        given = Asked(value, read).answers(answer, rows)[-1]
    except LegacyError as error:
        return f"refused ({error.code})"
    return apart(given, wanted)


def apart(given: NDArray[np.float64], wanted: NDArray[np.float64]) -> float:
    """The largest difference, divided by the largest answer where that is above 1."""
    given = given.reshape(wanted.shape)
    if (np.isnan(given) != np.isnan(wanted)).any():
        return float("inf")
    there = ~np.isnan(wanted)
    scale = max(1.0, float(np.abs(wanted[there]).max(initial=0.0)))
    return float(np.abs(given[there] - wanted[there]).max(initial=0.0)) / scale


def table(lines: list[Found]) -> str:
    """Return the table of the document."""
    rows = ["| what changed | saved by | who does not heed it | the rescue |", "|---|---|---|---|"]
    for one in lines:
        today = one.as_todays if isinstance(one.as_todays, str) else f"off by {one.as_todays:.2g}"
        limit = f"{one.tolerance:.0e}".replace("e-0", "e-")
        mine = f"within {limit}" if one.right else f"**off by {one.off:.2g}**"
        mine = f"refused, `{one.refused}`" if one.refused else mine
        release = " ".join(one.drift.release.rsplit("-", 1))
        rows.append(f"| {one.drift.what} | {release} | {today} | {mine} |")
    return "\n".join(rows)


def main() -> int:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--save", action="store_true", help="put the table into docs/rescue.md")
    options = parser.parse_args()
    lines = [found(drift) for drift in DRIFTS]
    print(table(lines))
    if options.save:
        text = DOCUMENT.read_text(encoding="utf-8")
        DOCUMENT.write_text(between_marks(text, MARK, table(lines)), encoding="utf-8")
    return int(not all(one.right for one in lines))


if __name__ == "__main__":
    sys.exit(main())
