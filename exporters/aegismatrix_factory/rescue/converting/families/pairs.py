"""scikit-learn's classifier of a model for each pair of classes, and their votes."""

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
    Reader,
    Rows,
)
from aegismatrix_factory.rescue.converting.members import (
    Seat,
    ask,
    decides,
    listed,
    own_classes,
    probe_members,
    together,
)
from aegismatrix_factory.rescue.converting.parameters import FloatArray
from aegismatrix_factory.rescue.converting.writing import Table, Writer, computed


@dataclass(frozen=True, eq=False)
class Pairs:
    """A member for each pair of classes, in the order of the pairs.

    Attributes
    ----------
    seats : tuple of Seat
        Asked how sure they are of the second class.
    classes : int
    threshold : float
        Of two classes, above which decision the second is taken.
    """

    seats: tuple[Seat, ...]
    classes: int
    threshold: float

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """The two classes of each."""
        return [(i, j) for i in range(self.classes) for j in range(i + 1, self.classes)]


def _read(attributes: Attributes, reader: Reader) -> Model:
    if attributes.get("pairwise_indices_") is not None:
        raise UnsupportedModelError("its OneVsOneClassifier is given distances, not columns")
    parts = [reader.part(one) for one in listed(attributes)]
    classes = attributes.labels("classes_")
    count = len(classes)
    if len(parts) != count * (count - 1) // 2 or count < 2:
        raise InconsistentModelError("OneVsOneClassifier contradicts itself about its classes")
    seats = []
    for part in parts:
        if own_classes(part, 2, attributes.name) != (0, 1):
            raise UnsupportedModelError("a member of its OneVsOneClassifier knows other classes")
        asked: Answer = "decision" if decides(part, attributes.name) else "probability"
        ask(part, asked, 1 if asked == "decision" else 2, attributes.name)
        ask(part, "label", 1, attributes.name)
        seats.append(Seat(part, asked))
    answers: dict[Answer, int | None] = {"label": 1}
    if attributes.since(0, 21):
        # In 0.20 the decision of a row depends on the others of its call.
        answers = {"decision": 1 if count == 2 else count, "label": 1}
    # Until 1.0 it takes a vote for the first class and a share of the second for the second.
    halved = seats[0].asked == "probability" and attributes.since(1, 1)
    pairs = Pairs(tuple(seats), count, 0.5 if halved else 0.0)
    model = together(attributes, pairs, parts, answers, classes)
    return replace(model, shown=tuple(answers))


def _graph(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    given: Pairs = part.parameters
    sure, chosen = [], []
    for seat in given.seats:
        said = seat.said(writer, x)
        if seat.asked == "probability":
            said = writer.add("Gather", [said, writer.axes(1)], axis=1)
        sure.append(said)
        chosen.append(seat.part.graph("label", writer, x).numbers())
    second = np.zeros((len(given.pairs), given.classes))
    both = np.zeros_like(second)
    for place, (i, j) in enumerate(given.pairs):
        second[place, j], both[place, i], both[place, j] = 1.0, 1.0, 1.0
    first = both - second
    picked, confidence = writer.joined(chosen), writer.joined(sure)
    votes = writer.affine(picked, (second - first).T, first.sum(axis=0))
    total = writer.add("MatMul", [confidence, writer.weight(second - first)])
    room = writer.add("Add", [writer.add("Abs", [total]), writer.number(1.0)])
    threefold = writer.scaled(room, np.full(given.classes, 3.0))
    decision = writer.add("Add", [votes, writer.add("Div", [total, threefold])])
    if given.classes > 2:
        if answer == "label":
            return computed(writer.largest(decision), 1)
        return computed(decision, given.classes)
    decision = writer.add("Gather", [decision, writer.axes(1)], axis=1)
    return computed(writer.above(decision, given.threshold) if answer == "label" else decision, 1)


def _oracle(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    """Pair after pair, as ``_ovr_decision_function`` of the library counts them."""
    count = len(attributes.need("classes_"))
    votes, sums = np.zeros((len(rows), count)), np.zeros((len(rows), count))
    members = iter(attributes.need("estimators_"))
    for i in range(count):
        for j in range(i + 1, count):
            member = next(members)
            asked: Answer = "decision" if "decision" in oracle.answers(member) else "probability"
            sure = oracle.answer(member, asked, rows)[:, -1]
            label = oracle.answer(member, "label", rows)[:, 0]
            sums[:, i] -= sure
            sums[:, j] += sure
            votes[label == 0.0, i] += 1.0
            votes[label == 1.0, j] += 1.0
    decision = votes + sums / (3.0 * (np.abs(sums) + 1.0))
    if count == 2:
        decision = decision[:, 1:]
        decided = "decision" in oracle.answers(attributes.need("estimators_")[0])
        bound = 0.0 if decided or not attributes.since(1, 1) else 0.5
        return (decision > bound).astype(np.float64) if answer == "label" else decision
    return decision.argmax(axis=1).astype(np.float64)[:, None] if answer == "label" else decision


FAMILIES = (
    Family(
        name="OneVsOneClassifier",
        modules=("sklearn.multiclass",),
        library="scikit-learn",
        releases=((0, 20), (1, 9)),
        used=known("estimators_ classes_ pairwise_indices_"),
        harmless=known("estimator n_jobs"),
        read=_read,
        graph=_graph,
        oracle=_oracle,
        probe=probe_members,
        looks=False,
    ),
)
