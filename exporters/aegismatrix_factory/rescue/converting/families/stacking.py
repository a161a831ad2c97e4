"""scikit-learn's stacks: a last model on what others say."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from aegismatrix_factory.rescue.converting.attributes import Attributes, known
from aegismatrix_factory.rescue.converting.errors import UnsupportedModelError
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
    listed,
    own_classes,
    probe_members,
    together,
)
from aegismatrix_factory.rescue.converting.parameters import FloatArray
from aegismatrix_factory.rescue.converting.writing import Table, Writer


@dataclass(frozen=True, eq=False)
class Stack:
    """A last model on what the members say.

    Attributes
    ----------
    seats : tuple of Seat
    dropped : tuple of bool
        Whether the first column of a member's answer is left out.
    passes : bool
        Whether the columns themselves follow.
    last : Part
    """

    seats: tuple[Seat, ...]
    dropped: tuple[bool, ...]
    passes: bool
    last: Part


def _read(attributes: Attributes, reader: Reader) -> Model:
    parts = [reader.part(one) for one in listed(attributes)]
    methods = listed(attributes, "stack_method_")
    if len(methods) != len(parts):
        raise UnsupportedModelError("its stack dropped some of its members")
    last = reader.part(attributes.need("final_estimator_"))
    classifies = attributes.name == "StackingClassifier"
    classes = attributes.labels("classes_") if classifies else ()
    seats, dropped = [], []
    for part, method in zip(parts, methods, strict=True):
        asked = _method(part, method, classifies)
        count = part.model.answers.get(asked)
        if count is None:
            raise UnsupportedModelError(f"a member of its stack cannot be asked for its {asked}")
        if classifies and own_classes(part, len(classes), attributes.name) != tuple(
            range(len(classes))
        ):
            raise UnsupportedModelError("a member of its stack knows other classes")
        seats.append(Seat(part, asked))
        dropped.append(asked == "probability" and count == 2)
    stack = Stack(tuple(seats), tuple(dropped), attributes.flag("passthrough", False), last)
    if stack.passes and parts[0].model.counts_terms:
        raise UnsupportedModelError(
            "its stack passes on the texts themselves, and nothing else than counts enters"
        )
    if classifies and len(last.model.classes) != len(classes):
        raise UnsupportedModelError("the last model of its stack knows other classes")
    model = together(attributes, stack, parts, dict(last.model.answers), classes)
    return replace(
        model,
        shown=last.shown,
        output_names=last.model.output_names,
        described=f"{model.described}, then {last.described}",
        takes_missing=model.takes_missing and (last.model.takes_missing or not stack.passes),
        tolerance=max(model.tolerance, last.model.tolerance),
    )


def _method(part: Part, method: object, classifies: bool) -> Answer:
    if method == "predict":
        return "label" if classifies else "value"
    if method == "predict_proba":
        return "probability"
    if method == "decision_function":
        return "decision"
    raise UnsupportedModelError(
        f"a member of its stack is asked in an unknown way: {part.described}"
    )


def _graph(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    stack: Stack = part.parameters
    columns = []
    for seat, dropped in zip(stack.seats, stack.dropped, strict=True):
        said = seat.table(writer, x)
        columns.append(writer.chosen(said, [1]) if dropped else said)
    if stack.passes:
        columns.append(x)
    return stack.last.graph(answer, writer, writer.beside(columns))


def _oracle(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    blocks: list[Any] = []
    classifies = attributes.get("classes_") is not None
    members = attributes.need("estimators_")
    for member, method in zip(members, attributes.need("stack_method_"), strict=True):
        if method == "predict_proba":
            said = oracle.answer(member, "probability", rows)
            blocks.append(said[:, 1:] if said.shape[1] == 2 else said)
        elif method == "decision_function":
            blocks.append(oracle.answer(member, "decision", rows))
        else:
            blocks.append(oracle.answer(member, "label" if classifies else "value", rows))
    if attributes.get("passthrough"):
        blocks.append(rows)
    meta = np.concatenate(blocks, axis=1).astype(np.float64)
    behind = oracle.given(sparse=oracle.sparse and bool(attributes.get("passthrough")))
    return behind.answer(attributes.need("final_estimator_"), answer, meta)


_STACK = known(
    """
    cv estimators final_estimator n_jobs named_estimators_ stack_method verbose _n_feature_outs
    _label_encoder _le
    """
)


FAMILIES = tuple(
    Family(
        name=name,
        modules=("sklearn.ensemble._stacking",),
        library="scikit-learn",
        releases=((0, 20), (1, 9)),
        used=known(f"estimators_ stack_method_ final_estimator_ passthrough{more}"),
        harmless=_STACK,
        read=_read,
        graph=_graph,
        oracle=_oracle,
        probe=probe_members,
        looks=False,
    )
    for name, more in (("StackingClassifier", " classes_"), ("StackingRegressor", ""))
)
