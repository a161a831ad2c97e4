"""Members of a model of models: what each is asked, and what holds for all of them.

Members answer by their own families, each by its own release.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from aegismatrix_factory.rescue.converting.attributes import Attributes
from aegismatrix_factory.rescue.converting.errors import (
    InconsistentModelError,
    UnsupportedModelError,
)
from aegismatrix_factory.rescue.converting.family import Answer, Document, Model, Part, Probes
from aegismatrix_factory.rescue.converting.parameters import FloatArray
from aegismatrix_factory.rescue.converting.writing import Table, Writer

NO_DECISION = frozenset(
    {
        *("RandomForestClassifier", "ExtraTreesClassifier", "DecisionTreeClassifier"),
        *("ExtraTreeClassifier", "GaussianNB", "MultinomialNB", "ComplementNB", "BernoulliNB"),
        *("KNeighborsClassifier", "MLPClassifier", "VotingClassifier", "XGBClassifier"),
        *("XGBRFClassifier", "LGBMClassifier", "CatBoostClassifier", "DummyClassifier"),
        "CalibratedClassifierCV",
    }
)
"""Classifiers of which a probability is asked, since their library gives them no decision."""


@dataclass(frozen=True, eq=False)
class Seat:
    """One member.

    Attributes
    ----------
    part : Part
    asked : Answer
        What it is asked for.
    places : tuple of int or None
        The columns that it takes; None for all.
    classes : tuple of int
        Which of the committee's classes each of its own is, where it has some.
    """

    part: Part
    asked: Answer
    places: tuple[int, ...] | None = None
    classes: tuple[int, ...] = ()

    def table(self, writer: Writer, x: Table) -> Table:
        """Write what it answers."""
        taken = x if self.places is None else writer.chosen(x, self.places)
        return self.part.graph(self.asked, writer, taken)

    def said(self, writer: Writer, x: Table) -> str:
        """Write what it answers, and return the tensor."""
        return self.table(writer, x).numbers()


def listed(attributes: Attributes, key: str = "estimators_") -> list[Any]:
    """Return the members of a model.

    Parameters
    ----------
    attributes : Attributes
    key : str
        Under which they are.

    Returns
    -------
    list

    Raises
    ------
    InconsistentModelError
        If there is none.
    """
    given = attributes.need(key)
    if not isinstance(given, list | tuple) or not given:
        raise InconsistentModelError(f"{attributes.name} has no members")
    return list(given)


def _width(attributes: Attributes, parts: Sequence[Part]) -> int | None:
    widths = {part.n_features for part in parts if part.n_features is not None}
    if len(widths) > 1:
        raise InconsistentModelError(f"the members of a {attributes.name} take different columns")
    return widths.pop() if widths else None


def together(
    attributes: Attributes,
    parameters: Any,
    parts: Sequence[Part],
    answers: dict[Answer, int | None],
    classes: tuple[str, ...] = (),
    width: int | None = None,
) -> Model:
    """Return a model of members with what follows from them: its columns, names and warnings.

    Parameters
    ----------
    attributes : Attributes
        Of the model.
    parameters : object
        As `Model` has them.
    parts : sequence of Part
        The members.
    answers : dict
        As `Model` has them.
    classes : tuple of str
        As `Model` has them.
    width : int or None
        Columns, where they are not those of every member.

    Returns
    -------
    Model

    Raises
    ------
    InconsistentModelError
        If the members take different columns.
    """
    texts = shared_texts(parts, attributes.name)
    width = _width(attributes, parts) if width is None else width
    names = () if parts[0].model.counts_terms else attributes.column_names(width)
    names = names or next((one.model.feature_names for one in parts if one.model.feature_names), ())
    described = dict.fromkeys(part.described for part in parts)
    return Model(
        parameters=parameters,
        n_features=width,
        answers=answers,
        classes=classes,
        takes_missing=all(part.model.takes_missing for part in parts),
        described=f"{attributes.name} of {', '.join(described)}",
        feature_names=names if len(names) == (width or 0) else (),
        warnings=tuple(dict.fromkeys(one for part in parts for one in part.model.warnings)),
        details=texts.details,
        vocabulary=texts.vocabulary,
        documents=texts.documents,
        tolerance=max(part.model.tolerance for part in parts),
    )


def decides(part: Part, owner: str) -> bool:
    """Return whether its library gives a decision of a classifier, which is asked for first.

    Parameters
    ----------
    part : Part
    owner : str
        Who asks, for messages.

    Returns
    -------
    bool
        False for one of which probabilities are asked.

    Raises
    ------
    UnsupportedModelError
        If its library gives a decision that is not converted.
    """
    if "decision" in part.model.answers:
        return True
    inner: Part | None = part
    while inner is not None:
        last, inner = inner, _within(inner)
        if inner is not None and "decision" in inner.model.answers:
            break
    if inner is not None or last.family.name not in NO_DECISION:
        raise UnsupportedModelError(
            f"the decision of the {part.described} in its {owner} is not converted"
        )
    return False


def _within(part: Part) -> Part | None:
    """The part whose answers decide whether a model of models has a decision."""
    name, given = part.family.name, part.parameters
    if name == "Pipeline":
        return cast(Part, given.steps[-1])
    if name.endswith("SearchCV") or name == "FrozenEstimator":
        return cast(Part, given)
    if name == "BaggingClassifier":
        return cast(Part, given.seats[0].part)
    if name == "OneVsRestClassifier":
        return cast(Part, given.members[0])
    if name == "StackingClassifier":
        return cast(Part, given.last)
    if name in ("FixedThresholdClassifier", "TunedThresholdClassifierCV"):
        return cast(Part, given.inner)
    return None


@dataclass(frozen=True, eq=False)
class Texts:
    """What members of one model count of the texts that all of them are given.

    Attributes
    ----------
    vocabulary, documents
        As `Model` has them.
    details : mapping
        ``columns``, where some are no text.
    """

    vocabulary: Mapping[str, Any] | None
    documents: tuple[Document, ...]
    details: Mapping[str, Any]


def names_of(attributes: Attributes, inner: Part) -> tuple[str, ...]:
    """Return the names of the columns of what answers by one model inside.

    Parameters
    ----------
    attributes : Attributes
        Of what answers.
    inner : Part
        The model inside.

    Returns
    -------
    tuple of str
        None beside counts of terms: the columns that it was fitted on are not those of the input.
    """
    if inner.model.counts_terms:
        return ()
    return inner.model.feature_names or attributes.column_names(inner.n_features)


def shared_texts(parts: Sequence[Part], owner: str) -> Texts:
    """Return what members count that are given the same texts.

    Parameters
    ----------
    parts : sequence of Part
    owner : str
        Whose members they are, for messages.

    Returns
    -------
    Texts

    Raises
    ------
    UnsupportedModelError
        If they count other terms: the same counts would say another thing to each.
    """
    first = parts[0].model
    if any(
        (part.model.vocabulary, part.model.documents) != (first.vocabulary, first.documents)
        or (first.documents and part.model.column_names != first.column_names)
        for part in parts
    ):
        raise UnsupportedModelError(f"the members of its {owner} count other terms of their text")
    details = {"columns": first.details["columns"]} if "columns" in first.details else {}
    return Texts(first.vocabulary, first.documents, details if first.documents else {})


def ask(part: Part, answer: Answer, columns: int | None, owner: str) -> None:
    """Refuse a member that does not answer, or with another number of columns.

    Parameters
    ----------
    part : Part
    answer : Answer
        What it is asked.
    columns : int or None
        Of that answer.
    owner : str
        Whose member it is, for messages.

    Raises
    ------
    UnsupportedModelError
    """
    if answer not in part.model.answers or part.model.answers[answer] != columns:
        raise UnsupportedModelError(
            f"the {part.described} in its {owner} cannot be asked for its {answer}"
        )


def own_classes(part: Part, count: int, owner: str) -> tuple[int, ...]:
    """Return which of the committee's classes, which it numbered, each of a member's own is.

    Parameters
    ----------
    part : Part
        The member.
    count : int
        Classes of the committee.
    owner : str
        Whose member it is, for messages.

    Returns
    -------
    tuple of int

    Raises
    ------
    UnsupportedModelError
        If it has others.
    """
    found = []
    for label in part.model.classes:
        try:
            place = float(label)
        except ValueError as error:
            raise UnsupportedModelError(
                f"a member of its {owner} has classes of its own"
            ) from error
        if not place.is_integer() or not 0 <= place < count:
            raise UnsupportedModelError(f"a member of its {owner} has classes of its own")
        found.append(int(place))
    return tuple(found)


def probe_members(part: Part, random: np.random.Generator, rows: int) -> Probes:
    """Draw the rows of every member, as many in all as of one (`Family.probe`).

    Parameters
    ----------
    part : Part
        Its parameters have ``seats``.
    random : Generator
    rows : int

    Returns
    -------
    Probes
    """
    seats: Sequence[Seat] = part.parameters.seats
    width = part.n_features or 3
    few = max(8, rows // len(seats))
    drawn_rows: list[FloatArray] = []
    edges: list[FloatArray] = []
    for seat in seats[:16]:
        probes = seat.part.probes(random, few)
        places = list(range(width)) if seat.places is None else list(seat.places)
        for batch in probes.random:
            spread = random.normal(size=(len(batch), width))
            spread[:, places] = batch
            drawn_rows.append(spread)
        if probes.boundary is not None:
            spread = random.normal(size=(min(len(probes.boundary), 4 * few), width))
            spread[:, places] = probes.boundary[: len(spread)]
            edges.append(spread)
    return Probes((np.concatenate(drawn_rows),), np.concatenate(edges) if edges else None)
