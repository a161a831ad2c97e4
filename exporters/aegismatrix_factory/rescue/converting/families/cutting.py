"""scikit-learn's classifiers of two classes with a threshold of their own."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from aegismatrix_factory.rescue.converting.attributes import Attributes, known
from aegismatrix_factory.rescue.converting.errors import UnsupportedModelError
from aegismatrix_factory.rescue.converting.family import (
    Answer,
    Family,
    Model,
    Oracle,
    Part,
    Probes,
    Reader,
    Rows,
)
from aegismatrix_factory.rescue.converting.members import names_of
from aegismatrix_factory.rescue.converting.parameters import FloatArray
from aegismatrix_factory.rescue.converting.writing import Table, Writer, computed


@dataclass(frozen=True, eq=False)
class Cut:
    """A classifier whose second class is taken from a threshold up.

    Attributes
    ----------
    inner : Part
    asked : {'probability', 'decision'}
        What the threshold is of.
    threshold : float
    """

    inner: Part
    asked: Answer
    threshold: float


def _asked(attributes: Attributes, probable: bool) -> Answer:
    method = attributes.text("response_method")
    if method not in ("auto", "predict_proba", "decision_function"):
        raise UnsupportedModelError(f"its {attributes.name} asks in an unknown way")
    if method == "auto":
        return "probability" if probable else "decision"
    return "probability" if method == "predict_proba" else "decision"


def _threshold(attributes: Attributes, asked: Answer) -> float:
    if attributes.name == "TunedThresholdClassifierCV":
        return attributes.one("best_threshold_")
    if attributes.get("threshold") == "auto":
        return 0.5 if asked == "probability" else 0.0
    return attributes.one("threshold")


def _read(attributes: Attributes, reader: Reader) -> Model:
    inner = reader.part(attributes.need("estimator_"))
    given = inner.model.answers
    asked = _asked(attributes, "probability" in given)
    if len(inner.model.classes) != 2 or given.get(asked) != (2 if asked == "probability" else 1):
        raise UnsupportedModelError(f"the model in its {attributes.name} is not of two classes")
    if attributes.get("pos_label") is not None:
        raise UnsupportedModelError(f"its {attributes.name} says which class is the second")
    answers: dict[Answer, int | None] = {"label": 1}
    if "probability" in given:
        answers = {"label": 1, "probability": 2}
    return replace(
        inner.model,
        parameters=Cut(inner, asked, _threshold(attributes, asked)),
        answers=answers,
        shown=tuple(answers),
        described=f"{attributes.name} of {inner.described}",
        feature_names=names_of(attributes, inner),
    )


def _graph(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    cut: Cut = part.parameters
    if answer == "probability":
        return cut.inner.graph(answer, writer, x)
    said = cut.inner.graph(cut.asked, writer, x).numbers()
    if cut.asked == "probability":
        said = writer.add("Gather", [said, writer.axes(1)], axis=1)
    over = writer.add("GreaterOrEqual", [said, writer.number(cut.threshold)])
    return computed(writer.doubled(over), 1)


def _oracle(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    inner = attributes.need("estimator_")
    if answer == "probability":
        return oracle.answer(inner, answer, rows)
    method = attributes.need("response_method")
    shares = method == "predict_proba" or (
        method == "auto" and "probability" in oracle.answers(inner)
    )
    said = oracle.answer(inner, "probability" if shares else "decision", rows)[:, -1:]
    bound = attributes.get("best_threshold_")
    if bound is None:
        bound = attributes.need("threshold")
        bound = (0.5 if shares else 0.0) if isinstance(bound, str) else bound
    return np.asarray(said >= bound, dtype=np.float64)


def _probe(part: Part, random: np.random.Generator, rows: int) -> Probes:
    cut: Cut = part.parameters
    return cut.inner.probes(random, rows)


FAMILIES = tuple(
    Family(
        name=name,
        modules=("sklearn.model_selection._classification_threshold",),
        library="scikit-learn",
        releases=((1, 5), (1, 9)),
        used=known(f"estimator_ response_method {used}"),
        harmless=known(harmless),
        read=_read,
        graph=_graph,
        oracle=_oracle,
        probe=_probe,
        looks=False,
    )
    for name, used, harmless in (
        ("FixedThresholdClassifier", "threshold pos_label", "estimator classes_"),
        (
            "TunedThresholdClassifierCV",
            "best_threshold_",
            "estimator scoring thresholds cv refit n_jobs random_state store_cv_results"
            " cv_results_ best_score_ _curve_scorer classes_",
        ),
    )
)
