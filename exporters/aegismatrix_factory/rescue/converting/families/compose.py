"""scikit-learn's pipelines: what feeds what, and the steps themselves of any other family."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from aegismatrix_factory.rescue.converting.attributes import Attributes, known
from aegismatrix_factory.rescue.converting.errors import (
    InconsistentModelError,
    NotAModelError,
    UnsupportedModelError,
)
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
from aegismatrix_factory.rescue.converting.parameters import FloatArray
from aegismatrix_factory.rescue.converting.writing import Table, Writer
from aegismatrix_factory.rescue.reading.records import Record


@dataclass(frozen=True, eq=False)
class Chain:
    """Steps of which each takes what the one before it gives.

    Attributes
    ----------
    steps : tuple of Part
        At least one; all but the last transform.
    """

    steps: tuple[Part, ...]


def _named(attributes: Attributes) -> list[object]:
    steps = attributes.need("steps")
    if not isinstance(steps, list) or not steps:
        raise InconsistentModelError("a Pipeline has no steps")
    found = []
    for step in steps:
        if not isinstance(step, tuple | list) or len(step) != 2:
            raise InconsistentModelError("a step of a Pipeline is not a name and an object")
        if step[1] is None or (isinstance(step[1], str) and step[1] == "passthrough"):
            continue
        found.append(step[1])
    return found


def _read(attributes: Attributes, reader: Reader) -> Model:
    parts = []
    for step in _named(attributes):
        if not isinstance(step, Record):
            raise UnsupportedModelError("a step of its Pipeline is neither a scaler nor a model")
        parts.append(reader.part(step))
    if not parts:
        raise NotAModelError("it holds a Pipeline that does nothing")
    last = parts[-1]
    width: int | None = None
    first: int | None = None
    for part in parts:
        if None not in (width, part.n_features) and width != part.n_features:
            raise InconsistentModelError(
                "the steps of its Pipeline have different numbers of features"
            )
        width = part.n_features if width is None else width
        first = width if first is None else first
        if part is last:
            break
        if "transformed" not in part.model.answers:
            raise UnsupportedModelError(f"its Pipeline has a {part.described} before its last step")
        width = part.width("transformed", width)
    names = next((part.model.feature_names for part in parts if part.model.feature_names), ())
    # What stands behind counts of terms may know the names of what they became.
    if parts[0].model.documents or len(names) != (first or len(names)):
        names = ()
    alike = len({part.family.library for part in parts}) == 1
    versions = (f"{part.family.library} {part.version}" for part in parts if part.version)
    return Model(
        parameters=Chain(tuple(parts)),
        n_features=first,
        answers={answer: last.width(answer, width) for answer in last.model.answers},
        shown=last.shown,
        classes=last.model.classes,
        questions=last.model.questions,
        takes_missing=_takes_missing(parts),
        fills_missing=any(part.model.fills_missing for part in parts),
        output_names=last.model.output_names,
        described=f"Pipeline of {', '.join(part.described for part in parts)}",
        version=last.version if alike else ", ".join(dict.fromkeys(versions)),
        feature_names=names,
        warnings=tuple(dict.fromkeys(warning for part in parts for warning in part.model.warnings)),
        details={key: one for part in parts for key, one in part.model.details.items()},
        vocabulary=parts[0].model.vocabulary,
        documents=parts[0].model.documents,
        tolerance=max(part.model.tolerance for part in parts),
    )


def _takes_missing(parts: list[Part]) -> bool:
    """Whether NaN passes every step, up to one that leaves none."""
    for part in parts:
        if not part.model.takes_missing:
            return False
        if part.model.fills_missing:
            return True
    return True


def _graph(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    chain: Chain = part.parameters
    for step in chain.steps[:-1]:
        x = step.graph("transformed", writer, x)
    return chain.steps[-1].graph(answer, writer, x)


def _oracle(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    *before, last = (
        step for _, step in attributes.need("steps") if step is not None and step != "passthrough"
    )
    for step in before:
        rows = oracle.answer(step, "transformed", rows)
        oracle = oracle.given(sparse=_leaves_sparse(step, oracle.sparse))
    return oracle.answer(last, answer, rows)


_ALWAYS_SPARSE = ("CountVectorizer", "TfidfVectorizer", "TfidfTransformer")
_NEVER_SPARSE = ("PCA", "IncrementalPCA", "TruncatedSVD")


def _leaves_sparse(step: Any, given: bool) -> bool:
    """Whether ``transform`` of the library returns a sparse matrix, from the record alone."""
    if not isinstance(step, Record):
        return given
    inside = Attributes(step, None)
    if step.name in _ALWAYS_SPARSE or step.name in _NEVER_SPARSE:
        return step.name in _ALWAYS_SPARSE
    if step.name == "OneHotEncoder":
        return bool(inside.get("sparse_output", inside.get("sparse", True)))
    if step.name == "LabelBinarizer":
        return bool(inside.get("sparse_output"))
    if step.name == "KBinsDiscretizer":
        return bool(inside.get("encode") == "onehot")
    if step.name == "ColumnTransformer":
        return bool(inside.get("sparse_output_"))
    if step.name == "FeatureUnion":
        branches = [one for _, one in inside.need("transformer_list") if one not in (None, "drop")]
        return any(_leaves_sparse(one, given) for one in branches)
    if step.name == "Pipeline":
        for _, one in inside.need("steps"):
            given = _leaves_sparse(one, given)
    return given


def _probe(part: Part, random: np.random.Generator, rows: int) -> Probes:
    """The rows of every step, brought back to where the pipeline begins, as far as they can be."""
    chain: Chain = part.parameters
    width = part.n_features
    drawn: list[FloatArray] = []
    edges: list[FloatArray] = []
    for place, step in enumerate(chain.steps):
        before = chain.steps[:place]
        if any(one.family.back is None for one in before):
            break
        probes = step.probes(random, rows)
        # A step that does not say how many columns it takes draws some number of them.
        drawn += [_back(before, one) for one in probes.random if _fits(one, width)]
        if probes.boundary is not None and _fits(probes.boundary, width):
            edges.append(_back(before, probes.boundary))
        if "transformed" in step.model.answers:
            width = step.width("transformed", width)
    width = part.n_features
    fit = [one for one in drawn if width is None or one.shape[1] == width]
    kept = [one for one in edges if width is None or one.shape[1] == width]
    if not fit:
        fit = [random.normal(size=(rows, width or 1))]
    return Probes(tuple(fit), np.concatenate(kept) if kept else None)


def _fits(rows: FloatArray, width: int | None) -> bool:
    return width is None or rows.shape[1] == width


def _back(before: tuple[Part, ...], rows: FloatArray) -> FloatArray:
    for step in reversed(before):
        assert step.family.back is not None
        rows = step.family.back(step, rows)
    return rows


FAMILIES = (
    Family(
        name="Pipeline",
        modules=("sklearn.pipeline",),
        library="scikit-learn",
        releases=((0, 20), (1, 9)),
        used=known("steps"),
        harmless=known("memory verbose transform_input"),
        read=_read,
        graph=_graph,
        oracle=_oracle,
        probe=_probe,
        looks=False,
        sparse=None,
    ),
)
