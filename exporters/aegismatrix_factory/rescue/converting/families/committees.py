"""scikit-learn's votes and bags: several models whose answers become one.

Members answer by their own families, each by its own release; what is written here is only how
their answers become one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from aegismatrix_factory.rescue.converting.attributes import (
    Attributes,
    known,
    numbers,
    whole_numbers,
)
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
    listed,
    own_classes,
    probe_members,
    together,
)
from aegismatrix_factory.rescue.converting.parameters import FloatArray
from aegismatrix_factory.rescue.converting.writing import Table, Writer, computed

_RELEASES = ((0, 20), (1, 9))


@dataclass(frozen=True, eq=False)
class Committee:
    """Members, and what each one's word weighs."""

    seats: tuple[Seat, ...]
    weights: FloatArray
    outputs: int


def _weights(attributes: Attributes, count: int) -> FloatArray:
    given = attributes.get("weights")
    if given is None:
        return np.ones(count)
    found = numbers(given, (count,), f"{attributes.name}.weights")
    if (found < 0.0).any() or found.sum() <= 0.0:
        raise UnsupportedModelError(f"its {attributes.name} has weights below 0")
    return found


def _read_vote(attributes: Attributes, reader: Reader) -> Model:
    parts = [reader.part(one) for one in listed(attributes)]
    classes = attributes.labels("classes_")
    soft = attributes.text("voting") == "soft"
    given = attributes.get("weights")
    kept = attributes.get("estimators")
    if given is not None and isinstance(kept, list) and len(kept) != len(parts):
        raise UnsupportedModelError("its vote weighs members that were dropped")
    seats = []
    for part in parts:
        if own_classes(part, len(classes), attributes.name) != tuple(range(len(classes))):
            raise UnsupportedModelError("a member of its vote knows other classes")
        asked: Answer = "probability" if soft else "label"
        ask(part, asked, len(classes) if soft else 1, attributes.name)
        seats.append(Seat(part, asked))
    committee = Committee(tuple(seats), _weights(attributes, len(parts)), len(classes))
    answers: dict[Answer, int | None] = {"label": 1}
    if soft:
        answers = {"probability": len(classes), "label": 1}
    return together(attributes, committee, parts, answers, classes)


def _read_mean(attributes: Attributes, reader: Reader) -> Model:
    parts = [reader.part(one) for one in listed(attributes)]
    for part in parts:
        ask(part, "value", 1, attributes.name)
    seats = tuple(Seat(part, "value") for part in parts)
    committee = Committee(seats, _weights(attributes, len(parts)), 1)
    return together(attributes, committee, parts, {"value": 1})


def _graph_vote(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    committee: Committee = part.parameters
    total: str | None = None
    for seat, weight in zip(committee.seats, committee.weights, strict=True):
        said = seat.said(writer, x)
        if seat.asked == "label":
            places = writer.weight(np.arange(float(committee.outputs))[None])
            said = writer.doubled(writer.add("Equal", [said, places]))
        if weight != 1.0:
            said = writer.scaled(said, np.full(committee.outputs, weight))
        total = said if total is None else writer.add("Add", [total, said])
    assert total is not None
    if answer == "label":
        return computed(writer.largest(total), 1)
    whole = writer.number(float(committee.weights.sum()))
    return computed(writer.add("Div", [total, whole]), committee.outputs)


def _vote(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    members = attributes.need("estimators_")
    given = attributes.get("weights")
    weights = np.ones(len(members)) if given is None else np.asarray(given, dtype=np.float64)
    if attributes.name == "VotingRegressor":
        said = [oracle.answer(one, "value", rows) for one in members]
        return np.asarray(np.average(said, axis=0, weights=weights))
    if attributes.need("voting") == "soft":
        said = [oracle.answer(one, "probability", rows) for one in members]
        mean = np.asarray(np.average(said, axis=0, weights=weights))
        return mean.argmax(axis=1).astype(np.float64)[:, None] if answer == "label" else mean
    count = len(attributes.need("classes_"))
    votes = np.zeros((len(rows), count))
    for one, weight in zip(members, weights, strict=True):
        found = oracle.answer(one, "label", rows)[:, 0].astype(np.int64)
        votes[np.arange(len(rows)), found] += weight
    return np.asarray(votes.argmax(axis=1).astype(np.float64)[:, None])


def _read_bag(attributes: Attributes, reader: Reader) -> Model:
    members, chosen = listed(attributes), listed(attributes, "estimators_features_")
    if len(members) != len(chosen):
        raise InconsistentModelError(f"{attributes.name} has columns for other members")
    key = "n_features_in_" if attributes.has("n_features_in_") else "n_features_"
    width = attributes.count(key)
    classifies = attributes.name == "BaggingClassifier"
    classes = attributes.labels("classes_") if classifies else ()
    parts, seats = [], []
    for member, columns in zip(members, chosen, strict=True):
        part = reader.part(member)
        places = _columns(columns, width)
        if part.n_features not in (None, len(places)):
            raise InconsistentModelError(f"a member of a {attributes.name} takes other columns")
        own: tuple[int, ...] = ()
        asked: Answer = "value"
        if classifies:
            own = own_classes(part, len(classes), attributes.name)
            asked = "probability"
        ask(part, asked, len(own) if classifies else 1, attributes.name)
        parts.append(part)
        seats.append(Seat(part, asked, places, own))
    outputs = len(classes) if classifies else 1
    committee = Committee(tuple(seats), np.ones(len(seats)), outputs)
    answers: dict[Answer, int | None] = {"value": 1}
    if classifies:
        answers = {"probability": outputs, "label": 1}
    return together(attributes, committee, parts, answers, classes, width)


def _columns(given: object, width: int) -> tuple[int, ...]:
    if not isinstance(given, np.ndarray) or given.ndim != 1 or not len(given):
        raise InconsistentModelError("a member of a bag has no columns")
    found = whole_numbers(given, given.shape, "estimators_features_")
    if (found < 0).any() or (found >= width).any():
        raise InconsistentModelError("a member of a bag has a column that is not there")
    return tuple(int(one) for one in found)


def _graph_bag(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    committee: Committee = part.parameters
    total: str | None = None
    for seat in committee.seats:
        said = seat.said(writer, x)
        if seat.classes and seat.classes != tuple(range(committee.outputs)):
            said = writer.add(
                "MatMul", [said, writer.weight(np.eye(committee.outputs)[list(seat.classes)])]
            )
        total = said if total is None else writer.add("Add", [total, said])
    assert total is not None
    mean = writer.add("Div", [total, writer.number(len(committee.seats))])
    return (
        computed(writer.largest(mean), 1)
        if answer == "label"
        else computed(mean, committee.outputs)
    )


def _bagged(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    members = attributes.need("estimators_")
    classes = attributes.get("classes_")
    total = np.zeros((len(rows), 1 if classes is None else len(classes)))
    for member, columns in zip(members, attributes.need("estimators_features_"), strict=True):
        if classes is None:
            total += oracle.answer(member, "value", rows[:, columns])
            continue
        said = oracle.answer(member, "probability", rows[:, columns])
        own = oracle.attributes(member).get("classes_")
        if said.shape[1] == total.shape[1]:
            total += said
        else:
            total[:, np.asarray(own, dtype=np.int64)] += said
    total /= len(members)
    return total.argmax(axis=1).astype(np.float64)[:, None] if answer == "label" else total


_BAG = known(
    """
    base_estimator base_estimator_ estimator estimator_ _estimator estimator_params bootstrap
    bootstrap_features max_features _max_features max_samples _max_samples n_estimators n_jobs
    oob_score oob_score_ oob_decision_function_ oob_prediction_ random_state verbose warm_start
    _n_samples _seeds _sample_weight n_classes_
    """
)


def _family(name: str, modules: tuple[str, ...], used: str, harmless: Any, **how: Any) -> Family:
    return Family(
        name=name,
        modules=modules,
        library="scikit-learn",
        releases=_RELEASES,
        used=known(used),
        harmless=harmless,
        probe=probe_members,
        looks=False,
        **how,
    )


_VOTES = (
    "sklearn.ensemble._voting",
    "sklearn.ensemble.voting",
    "sklearn.ensemble.voting_classifier",
)
_BAGS = ("sklearn.ensemble._bagging", "sklearn.ensemble.bagging")

FAMILIES = (
    _family(
        "VotingClassifier",
        _VOTES,
        "estimators_ classes_ voting weights estimators",
        known("flatten_transform le_ n_jobs named_estimators_ verbose"),
        read=_read_vote,
        graph=_graph_vote,
        oracle=_vote,
    ),
    _family(
        "VotingRegressor",
        _VOTES,
        "estimators_ weights",
        known("estimators n_jobs named_estimators_ verbose"),
        read=_read_mean,
        graph=_graph_vote,
        oracle=_vote,
    ),
    _family(
        "BaggingClassifier",
        _BAGS,
        "estimators_ estimators_features_ n_features_ classes_",
        _BAG,
        read=_read_bag,
        graph=_graph_bag,
        oracle=_bagged,
    ),
    _family(
        "BaggingRegressor",
        _BAGS,
        "estimators_ estimators_features_ n_features_",
        _BAG,
        read=_read_bag,
        graph=_graph_bag,
        oracle=_bagged,
    ),
)
