"""What an artifact of a part says of its inputs and outputs, and its graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from onnx import ModelProto, TensorProto, helper

from aegismatrix.artifacts.manifest import ArraySpec
from aegismatrix_factory.rescue.converting.errors import UnsupportedModelError
from aegismatrix_factory.rescue.converting.family import Answer, Part
from aegismatrix_factory.rescue.converting.writing import Column, Table, Writer
from aegismatrix_factory.rescue.reading.errors import clipped
from aegismatrix_factory.rescue.reading.limits import Clock

_UNITS = {
    "transformed": "as its transformer makes it",
    "probability": "probability",
    "decision": "as its decision function says it",
    "label": "place among its classes",
    "value": "as its target was",
}
_UNITS_BY_NAME = {
    "scaled": "standard deviations",
    "logits": "logits, not normalised",
    "output": "as its last layer gives it",
}
_FLAT: tuple[Answer, ...] = ("decision", "label", "value")
"""One column of these is no axis."""

_NAME_CHARACTERS = 1000
_ELEMENTS = {"float64": TensorProto.DOUBLE, "int64": TensorProto.INT64}


@dataclass(frozen=True, eq=False)
class Authored:
    """A part as a graph.

    Attributes
    ----------
    graph : ModelProto
        To be finished by `aegismatrix_factory.conversion.finish`.
    inputs, outputs : tuple of ArraySpec
        One input, ``x``: float64 (N, F), of a network (N, rows, F).
    answers : tuple of Answer
        What each output answers.
    columns : tuple of Column
        Of the input; empty where any number will do, or for windows.
    """

    graph: ModelProto
    inputs: tuple[ArraySpec, ...]
    outputs: tuple[ArraySpec, ...]
    answers: tuple[Answer, ...]
    columns: tuple[Column, ...]


def author(part: Part, clock: Clock | None = None) -> Authored:
    """Write the graph of a part.

    Parameters
    ----------
    part : Part
        What was read.
    clock : Clock, optional
        How long it may take.

    Returns
    -------
    Authored

    Raises
    ------
    LegacyError
        If the part cannot be written.
    """
    model = part.model
    given = _input(part)
    columns: tuple[Column, ...] = ()
    if isinstance(part.n_features, int) and not model.windows:
        columns = tuple(Column(name) for name in model.column_names)
    writer = Writer(clock)
    x = Table(given.name, columns or None)
    outputs = []
    for answer in part.shown:
        said = _output(part, answer)
        table = part.graph(answer, writer, x)
        if any(column is not None and column.kind == "text" for column in table.columns or ()):
            raise UnsupportedModelError("its answer is text, which no artifact holds")
        tensor = table.numbers()
        whole = said.dtype == "int64"
        if whole:
            tensor = writer.add("Cast", [tensor], to=TensorProto.INT64)
        tensor = writer.answered(tensor, whole=whole)
        if len(said.shape) == 1 and not part.model.output_shape:
            tensor = writer.add("Squeeze", [tensor, writer.axes(1)])
        writer.add("Identity", [tensor], output=said.name)
        outputs.append(said)
    if len({said.name for said in outputs}) < len(outputs):
        raise UnsupportedModelError("two of its answers have one name")
    graph = writer.model.graph
    graph.input.append(helper.make_tensor_value_info(given.name, TensorProto.DOUBLE, given.shape))
    graph.output.extend(
        helper.make_tensor_value_info(said.name, _ELEMENTS[said.dtype], said.shape)
        for said in outputs
    )
    return Authored(writer.model, (given,), tuple(outputs), part.shown, columns)


def shown(names: Sequence[str]) -> tuple[str, ...]:
    """Return names as a manifest takes them, in ASCII; the details keep them as they are.

    Parameters
    ----------
    names : sequence of str
        Of columns or classes, in any script.

    Returns
    -------
    tuple of str
        What is not ASCII as escapes.
    """
    return tuple(clipped(name, characters=_NAME_CHARACTERS) for name in names)


def _input(part: Part) -> ArraySpec:
    unit = "as it was fitted on"
    width: int | str = "F" if part.n_features is None else part.n_features
    if part.model.input_shape:
        return ArraySpec("x", "float64", part.model.input_shape, "as the network was trained on")
    if part.model.windows:
        return ArraySpec("x", "float64", ("N", "rows", width), f"{unit}, oldest row first")
    return ArraySpec("x", "float64", ("N", width), unit, shown(part.model.feature_names))


def _output(part: Part, answer: Answer) -> ArraySpec:
    model = part.model
    name = model.output_names.get(answer, answer)
    width = part.width(answer, part.n_features)
    shape: tuple[int | str, ...] = ("N", "F" if width is None else width)
    if width == 1 and answer in _FLAT and not model.windows:
        shape = ("N",)
    if model.output_shape:
        shape = model.output_shape
    unit = _UNITS_BY_NAME.get(name, _UNITS[answer])
    columns: tuple[str, ...] = ()
    if len(shape) == 2:
        if width == len(model.classes) and answer in ("probability", "decision"):
            columns = model.classes
        elif answer == "transformed" and model.answers[answer] is None:
            columns = model.feature_names
    return ArraySpec(name, "int64" if answer == "label" else "float64", shape, unit, shown(columns))
