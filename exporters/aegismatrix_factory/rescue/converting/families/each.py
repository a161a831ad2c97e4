"""scikit-learn's classifier of a model for each class, against all others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aegismatrix_factory.rescue.converting.attributes import Attributes, known
from aegismatrix_factory.rescue.converting.errors import (
    InconsistentModelError,
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
from aegismatrix_factory.rescue.converting.members import decides, shared_texts
from aegismatrix_factory.rescue.converting.parameters import FloatArray
from aegismatrix_factory.rescue.converting.writing import Table, Writer, computed


@dataclass(frozen=True, eq=False)
class EachClass:
    """A model for each class; one alone where there are two.

    Attributes
    ----------
    members : tuple of Part
    exclusive : bool
        Whether a row is of one class, so that shares add up to 1; else it has any of several marks.
    impossible : bool
        Whether shares are 0 where no class is possible, as since 1.7; else there are none.
    first : bool
        Whether of equals the first class is taken, as since 1.8; else it is the last.
    decides : bool
        Whether members have decisions, whose largest gives the class; else their probabilities.
    """

    members: tuple[Part, ...]
    exclusive: bool
    impossible: bool
    first: bool
    decides: bool


def _read(attributes: Attributes, reader: Reader) -> Model:
    given = attributes.need("estimators_")
    if not isinstance(given, list) or not given:
        raise InconsistentModelError("OneVsRestClassifier has no members")
    members = tuple(reader.part(one) for one in given)
    binarizer = reader.known(attributes.need("label_binarizer_"))[1]
    kind = binarizer.text("y_type_")
    classes = binarizer.labels("classes_")
    exclusive = not kind.startswith("multilabel")
    if kind not in ("binary", "multiclass", "multilabel-indicator"):
        raise UnsupportedModelError(
            "its OneVsRestClassifier was fitted on an unknown kind of label"
        )
    if len(members) != (1 if len(classes) == 2 and exclusive else len(classes)):
        raise InconsistentModelError("OneVsRestClassifier contradicts itself about its classes")
    shares = all(part.model.answers.get("probability") == 2 for part in members)
    decided = all(part.model.answers.get("decision") == 1 for part in members)
    mixed = any("decision" in part.model.answers for part in members) and not decided
    if mixed or not (shares or decided):
        raise UnsupportedModelError("the members of its OneVsRestClassifier say different things")
    texts = shared_texts(members, "OneVsRestClassifier")
    widths = {part.n_features for part in members}
    if len(widths) != 1:
        raise InconsistentModelError("the members of its OneVsRestClassifier take other columns")
    answers: dict[Answer, int | None] = {}
    if shares:
        answers["probability"] = len(classes)
    if decided:
        answers["decision"] = 1 if len(members) == 1 else len(members)
    if exclusive and _says_class(members, decided=decided):
        answers["label"] = 1
    first = members[0]
    return Model(
        parameters=EachClass(
            members,
            exclusive,
            impossible=attributes.since(1, 7),
            first=attributes.since(1, 8),
            decides=decided,
        ),
        n_features=first.n_features,
        answers=answers,
        shown=() if shares else tuple(answers),
        classes=classes,
        takes_missing=all(part.model.takes_missing for part in members),
        described=f"OneVsRestClassifier of {first.described}",
        feature_names=first.model.feature_names,
        warnings=tuple(dict.fromkeys(one for part in members for one in part.model.warnings)),
        details=texts.details,
        vocabulary=texts.vocabulary,
        documents=texts.documents,
        tolerance=max(part.model.tolerance for part in members),
        # A share of nothing.
        doubtful=not attributes.since(1, 7),
    )


def _says_class(members: tuple[Part, ...], *, decided: bool) -> bool:
    """Whether a class comes from decisions that are known, or from shares as there are none."""
    try:
        return decided or not any(decides(part, "OneVsRestClassifier") for part in members)
    except UnsupportedModelError:
        return False


def _columns(writer: Writer, model: EachClass, answer: Answer, x: Table) -> str:
    found = []
    for member in model.members:
        said = member.graph(answer, writer, x).numbers()
        if answer == "probability":
            said = writer.add("Gather", [said, writer.axes(1)], axis=1)
        found.append(said)
    return writer.joined(found)


def _graph(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    model: EachClass = part.parameters
    one = len(model.members) == 1
    if answer == "decision":
        return computed(_columns(writer, model, answer, x), len(model.members))
    if answer == "probability":
        said = _columns(writer, model, answer, x)
        if one and len(part.model.classes) == 2:
            said = writer.both(said)
        if not model.exclusive:
            return computed(said, len(part.model.classes))
        total = writer.add("ReduceSum", [said, writer.axes(1)], keepdims=1)
        if model.impossible:
            none = writer.add("Equal", [total, writer.number(0.0)])
            total = writer.add("Where", [none, writer.number(1.0), total])
        return computed(writer.add("Div", [said, total]), len(part.model.classes))
    said = _columns(writer, model, "decision" if model.decides else "probability", x)
    if one:
        return computed(writer.above(said, 0.0 if model.decides else 0.5), 1)
    if model.first:
        return computed(writer.largest(said), 1)
    count = len(model.members)
    turned = writer.add("Gather", [said, writer.axes(*reversed(range(count)))], axis=1)
    place = writer.add("Sub", [writer.number(count - 1.0), writer.largest(turned)])
    return computed(place, 1)


def _oracle(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    """Member after member, as ``OneVsRestClassifier`` goes through them."""
    members = attributes.need("estimators_")
    kind = oracle.attributes(attributes.need("label_binarizer_")).need("y_type_")
    if answer == "probability":
        each = np.stack([oracle.answer(one, answer, rows)[:, 1] for one in members], axis=1)
        if len(members) == 1:
            each = np.concatenate([1.0 - each, each], axis=1)
        with np.errstate(invalid="ignore"):
            whole = each.sum(axis=1, keepdims=True)
            if attributes.since(1, 7):
                whole[whole == 0.0] = 1.0
            return each if kind.startswith("multilabel") else np.asarray(each / whole)
    if answer == "decision":
        return np.concatenate([oracle.answer(one, answer, rows) for one in members], axis=1)
    best, place = np.full(len(rows), -np.inf), np.zeros(len(rows))
    for which, one in enumerate(members):
        decides = "decision" in oracle.answers(one)
        said = oracle.answer(one, "decision" if decides else "probability", rows)[:, -1]
        if len(members) == 1:
            return np.asarray(said > (0.0 if decides else 0.5), dtype=np.float64)[:, None]
        place[said > best if attributes.since(1, 8) else said >= best] = which
        best = np.maximum(best, said)
    return place[:, None]


def _probe(part: Part, random: np.random.Generator, rows: int) -> Probes:
    model: EachClass = part.parameters
    found = [member.probes(random, max(8, rows // len(model.members))) for member in model.members]
    edges = [one.boundary[:128] for one in found if one.boundary is not None]
    drawn = tuple(batch for one in found for batch in one.random)
    return Probes(drawn, np.concatenate(edges) if edges else None)


FAMILIES = (
    Family(
        name="OneVsRestClassifier",
        modules=("sklearn.multiclass",),
        library="scikit-learn",
        releases=((0, 20), (1, 9)),
        used=known("estimators_ label_binarizer_"),
        harmless=known("estimator n_jobs classes_ verbose"),
        read=_read,
        graph=_graph,
        oracle=_oracle,
        probe=_probe,
        looks=False,
    ),
)
