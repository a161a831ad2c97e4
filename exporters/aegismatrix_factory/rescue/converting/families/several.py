"""scikit-learn's models that answer several questions, a member for each, or one after another."""

from __future__ import annotations

from dataclasses import dataclass, replace

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
from aegismatrix_factory.rescue.converting.members import Seat, ask, listed, probe_members, together
from aegismatrix_factory.rescue.converting.parameters import FloatArray
from aegismatrix_factory.rescue.converting.questions import named
from aegismatrix_factory.rescue.converting.writing import Table, Writer, computed

_RELEASES = ((0, 20), (1, 9))
_MODULES = ("sklearn.multioutput",)
_FED = {"predict": "label", "predict_proba": "probability", "decision_function": "decision"}


@dataclass(frozen=True, eq=False)
class Several:
    """A member for each question."""

    seats: tuple[Seat, ...]


@dataclass(frozen=True, eq=False)
class Succession:
    """A member for each question, which is told what those before it said.

    Attributes
    ----------
    members : tuple of Part
        In the order in which they are asked; each takes the columns and one for each before it.
    order : tuple of int
        Which question each of them answers.
    fed : {'label', 'probability', 'decision'}
        What those behind a member are told of its answer.
    labels : ndarray of shape (members, 2)
        The number of each class.
    """

    members: tuple[Part, ...]
    order: tuple[int, ...]
    fed: Answer
    labels: FloatArray


def _read_values(attributes: Attributes, reader: Reader) -> Model:
    parts = [reader.part(one) for one in listed(attributes)]
    for part in parts:
        ask(part, "value", 1, attributes.name)
    several = Several(tuple(Seat(part, "value") for part in parts))
    return together(attributes, several, parts, {"value": len(parts)})


def _read_classes(attributes: Attributes, reader: Reader) -> Model:
    parts = [reader.part(one) for one in listed(attributes)]
    for part in parts:
        ask(part, "label", 1, attributes.name)
    questions = tuple(part.model.classes for part in parts)
    answers: dict[Answer, int | None] = {"label": len(parts)}
    if all(
        part.model.answers.get("probability") == len(own)
        for part, own in zip(parts, questions, strict=True)
    ):
        answers = {"probability": sum(len(own) for own in questions), **answers}
    several = Several(tuple(Seat(part, "label") for part in parts))
    model = together(attributes, several, parts, answers, named(questions))
    return replace(model, questions=questions, shown=tuple(answers))


def _graph(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    several: Several = part.parameters
    said = [seat.part.graph(answer, writer, x).numbers() for seat in several.seats]
    return computed(writer.joined(said), part.model.answers[answer])


def _oracle(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    return np.concatenate(
        [oracle.answer(one, answer, rows) for one in attributes.need("estimators_")], axis=1
    )


def _read_chain(attributes: Attributes, reader: Reader) -> Model:
    members = tuple(reader.part(one) for one in listed(attributes))
    method = attributes.get("chain_method_", "predict")
    if method not in _FED:
        raise UnsupportedModelError(
            "its ClassifierChain tells an unknown thing from one to another"
        )
    fed: Answer = _FED[method]  # type: ignore[assignment]
    order = attributes.need("order_")
    order = order.tolist() if isinstance(order, np.ndarray) else order
    if not isinstance(order, list) or sorted(order, key=str) != sorted(
        range(len(members)), key=str
    ):
        raise InconsistentModelError("ClassifierChain.order_ is not one place for each member")
    width = attributes.width(members[0].n_features or 0)
    labels = np.zeros((len(members), 2))
    for place, member in enumerate(members):
        if member.n_features != width + place:
            raise InconsistentModelError("a member of a ClassifierChain takes other columns")
        ask(member, "label", 1, attributes.name)
        if len(member.model.classes) != 2:
            raise UnsupportedModelError(
                "its ClassifierChain has a question of other than 2 classes"
            )
        ask(member, fed, {"label": 1, "probability": 2, "decision": 1}[fed], attributes.name)
        try:
            labels[place] = [float(one) for one in member.model.classes]
        except ValueError as error:
            raise UnsupportedModelError("its ClassifierChain has classes of text") from error
    questions = tuple(members[order.index(one)].model.classes for one in range(len(members)))
    answers: dict[Answer, int | None] = {"label": len(members)}
    if all(member.model.answers.get("probability") == 2 for member in members):
        answers = {"probability": len(members), **answers}
    chain = Succession(members, tuple(order), fed, labels)
    names = attributes.column_names(width)
    return Model(
        parameters=chain,
        n_features=width,
        answers=answers,
        shown=tuple(answers),
        questions=questions,
        described=f"ClassifierChain of {', '.join(dict.fromkeys(m.described for m in members))}",
        feature_names=names,
        warnings=tuple(dict.fromkeys(one for m in members for one in m.model.warnings)),
        tolerance=max(member.model.tolerance for member in members),
    )


def _graph_chain(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    chain: Succession = part.parameters
    said, told = [], x
    for member, numbers in zip(chain.members, chain.labels, strict=True):
        fed = _second(writer, member.graph(chain.fed, writer, told).numbers(), chain.fed)
        own = fed
        if answer != chain.fed:
            own = _second(writer, member.graph(answer, writer, told).numbers(), answer)
        said.append(own)
        if chain.fed == "label":
            second = writer.add("Greater", [fed, writer.number(0.5)])
            low, high = (writer.number(one) for one in numbers)
            fed = writer.add("Where", [second, high, low])
        told = writer.beside([told, computed(fed, 1)])
    ordered = [said[chain.order.index(one)] for one in range(len(said))]
    return computed(writer.joined(ordered), len(said))


def _second(writer: Writer, said: str, answer: Answer) -> str:
    if answer != "probability":
        return said
    return writer.add("Gather", [said, writer.axes(1)], axis=1)


def _chained(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    """Member after member, each told what those before it said."""
    told = np.asarray(rows, dtype=np.float64)
    out = np.zeros((len(rows), len(attributes.need("estimators_"))))
    method = attributes.get("chain_method_", "predict")
    for member, place in zip(
        attributes.need("estimators_"), list(attributes.need("order_")), strict=True
    ):
        out[:, place] = oracle.answer(member, answer, told)[:, -1]
        if method == "predict":
            classes = np.asarray(oracle.classes(member), dtype=np.float64)
            fed = classes[oracle.answer(member, "label", told)[:, 0].astype(np.int64)]
        else:
            asked: Answer = "probability" if method == "predict_proba" else "decision"
            fed = oracle.answer(member, asked, told)[:, -1]
        told = np.column_stack([told, fed])
    return out


def _probe_chain(part: Part, random: np.random.Generator, rows: int) -> Probes:
    """The rows of the first member, and those of the others without what they are told."""
    chain: Succession = part.parameters
    width = part.n_features or 1
    drawn, edges = [], []
    for member in chain.members[:8]:
        probes = member.probes(random, max(8, rows // len(chain.members)))
        drawn += [one[:, :width] for one in probes.random]
        if probes.boundary is not None:
            edges.append(probes.boundary[:128, :width])
    return Probes(tuple(drawn), np.concatenate(edges) if edges else None)


FAMILIES = (
    *(
        Family(
            name=name,
            modules=_MODULES,
            library="scikit-learn",
            releases=_RELEASES,
            used=known("estimators_"),
            harmless=known("estimator n_jobs classes_"),
            read=read,
            graph=_graph,
            oracle=_oracle,
            probe=probe_members,
            looks=False,
        )
        for name, read in (
            ("MultiOutputRegressor", _read_values),
            ("MultiOutputClassifier", _read_classes),
        )
    ),
    Family(
        name="ClassifierChain",
        modules=_MODULES,
        library="scikit-learn",
        releases=_RELEASES,
        used=known("estimators_ order_ chain_method_"),
        harmless=known(
            "base_estimator estimator order cv random_state verbose chain_method classes_"
        ),
        read=_read_chain,
        graph=_graph_chain,
        oracle=_chained,
        probe=_probe_chain,
    ),
)
