"""The proof of a model: its graph against the oracle of its record, where they could differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from aegismatrix.artifacts.manifest import ModelSpec
from aegismatrix.errors import NonFiniteOutputError
from aegismatrix_factory.rescue.converting.errors import (
    OtherAnswersError,
    UnfaithfulModelError,
)
from aegismatrix_factory.rescue.converting.family import Oracle, Part, Probes, Rows
from aegismatrix_factory.rescue.converting.graphs import Authored
from aegismatrix_factory.rescue.converting.parameters import FloatArray
from aegismatrix_factory.rescue.converting.writing import NO_PLACE, UNKNOWN, Column

SEED = 7
RANDOM_ROWS = 256
MISSING_ROWS = 128
MISSING_SHARE = 0.2
EXAMPLE_TOLERANCE = 5e-6
"""float32 sums of a network, against the same in float64."""

STRANGE_TEXT = "no text of the file\x00"
_NUMBERS = 2_000_000

Run = Callable[[FloatArray], Mapping[str, NDArray[Any]]]


def prove(
    part: Part, authored: Authored, oracle: Oracle, spec: ModelSpec, data: bytes
) -> dict[str, Any]:
    """Open the artifact again and hold it against the oracle of its record.

    Parameters
    ----------
    part : Part
        What was read.
    authored : Authored
        What was written of it.
    oracle : Oracle
        Answers from records.
    spec : ModelSpec
        The contract.
    data : bytes
        The finished artifact.

    Returns
    -------
    dict
        runtime, random_rows, boundary_rows, missing_rows, largest_difference, tolerance; with an
        example also example_rows and example_difference. A difference is divided by the largest
        answer where that is above 1.

    Raises
    ------
    UnfaithfulModelError
        If they differ by more than the tolerance.
    OtherAnswersError
        If the example says otherwise.
    AegisError
        If the runtime refuses the artifact, or its contract is another.
    """
    run, runtime = _runtime(spec, data)
    random, boundary, missing = probes(part, authored.columns)
    worst = 0.0
    for batch in (*random, boundary, missing):
        if not batch.size:
            continue
        given = run(batch)
        asked = decoded(batch, authored.columns)
        for answer, said in zip(authored.answers, authored.outputs, strict=True):
            # What overflows is not finite, and is found below.
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                expected = oracle.answer(part.value, answer, asked)
            is_flat = expected.ndim == 2 or bool(part.model.output_shape)
            if not is_flat or len(expected) != len(batch):
                raise UnfaithfulModelError(worst=np.inf, tolerance=part.model.tolerance)
            if len(said.shape) == 1 and not part.model.output_shape:
                expected = expected[:, 0]
            difference = _difference(numbers(given[said.name]), expected)
            # Written so that NaN fails.
            if not difference <= part.model.tolerance:
                raise UnfaithfulModelError(worst=difference, tolerance=part.model.tolerance)
            worst = max(worst, difference)
    shown = {} if part.model.example is None else _exemplified(part.model.example, authored, run)
    return {
        "runtime": runtime,
        "random_rows": sum(len(batch) for batch in random),
        "boundary_rows": len(boundary),
        "missing_rows": len(missing),
        "largest_difference": worst,
        "tolerance": part.model.tolerance,
        **shown,
    }


def numbers(given: NDArray[Any]) -> FloatArray:
    """Return an answer as float64, NaN where an integer says that there is none.

    Parameters
    ----------
    given : ndarray
        Of the graph.

    Returns
    -------
    ndarray of float64
    """
    return np.where(given == NO_PLACE, np.nan, given.astype(np.float64))


def _exemplified(
    example: tuple[FloatArray, FloatArray], authored: Authored, run: Run
) -> dict[str, Any]:
    """Hold the graph against what the library answered where the model was made."""
    x, y = example
    given = np.asarray(run(x)[authored.outputs[0].name], dtype=np.float64)
    difference = _difference(given, y)
    if not difference <= EXAMPLE_TOLERANCE:
        raise OtherAnswersError(worst=difference, tolerance=EXAMPLE_TOLERANCE)
    return {"example_rows": len(x), "example_difference": difference}


def _difference(given: FloatArray, expected: FloatArray) -> float:
    """The largest one, divided by the largest answer above 1.

    NaN agrees with NaN alone, and what overflows with what overflows in the same direction.
    """
    if given.shape != expected.shape or (np.isnan(given) != np.isnan(expected)).any():
        return np.inf
    endless = np.isinf(expected)
    if (given[endless] != expected[endless]).any():
        return np.inf
    there = np.isfinite(expected)
    given, expected = given[there], expected[there]
    scale = max(1.0, float(np.abs(expected).max(initial=0.0)))
    with np.errstate(invalid="ignore"):
        return float(np.abs(given - expected).max(initial=0.0)) / scale


def probes(
    part: Part, columns: Sequence[Column]
) -> tuple[tuple[FloatArray, ...], FloatArray, FloatArray]:
    """Return the inputs of the proof, the same for the same model.

    Parameters
    ----------
    part : Part
        What was read.
    columns : sequence of Column
        Of the input, once the graph is written.

    Returns
    -------
    random : tuple of ndarray
        Batches around what the model was fitted on.
    boundary : ndarray of shape (R, F)
        Rows where it decides.
    missing : ndarray of shape (M, F)
        Rows with NaN, where the library takes it.
    """
    random = np.random.default_rng(SEED)
    width = part.n_features or 3
    found: Probes = part.probes(random, max(1, min(RANDOM_ROWS, _NUMBERS // width)))
    batches = [_texts(batch, columns, random) for batch in found.random]
    nothing = np.zeros((0, width))
    boundary = nothing if found.boundary is None else _texts(found.boundary, columns, random)
    missing = nothing
    if part.model.takes_missing and not part.model.windows:
        missing = np.array(batches[0][:MISSING_ROWS])
        absent = random.random(missing.shape) < MISSING_SHARE
        absent[0] = True
        absent[:, [column.kind == "text" for column in columns]] = False
        missing[absent] = np.nan
    return tuple(batches), boundary, missing


def _texts(rows: FloatArray, columns: Sequence[Column], random: np.random.Generator) -> FloatArray:
    """The same rows with places of texts, known and strange, where a column is text."""
    rows = np.array(rows)
    for place, column in enumerate(columns):
        if column.kind == "text":
            drawn = random.integers(-1, len(column.texts), size=len(rows))
            rows[:, place] = np.where(drawn < 0, UNKNOWN, drawn)
    return rows


def decoded(rows: FloatArray, columns: Sequence[Column]) -> Rows:
    """Return rows as the library would be given them: texts where a column is text.

    Parameters
    ----------
    rows : ndarray of shape (N, F)
        As the graph takes them.
    columns : sequence of Column
        Of the input.

    Returns
    -------
    ndarray of shape (N, F)
        float64, or objects where there is text.
    """
    if not any(column.kind == "text" for column in columns):
        return rows
    asked = rows.astype(object)
    for place, column in enumerate(columns):
        if column.kind == "text":
            asked[:, place] = [
                column.texts[int(one)] if one != UNKNOWN else STRANGE_TEXT for one in rows[:, place]
            ]
    return asked


def _runtime(spec: ModelSpec, data: bytes) -> tuple[Run, str]:
    """Take onnxruntime where it is installed, else the reference implementation of the standard."""
    names = [said.name for said in spec.outputs]
    if find_spec("onnxruntime") is None:
        from onnx.reference import ReferenceEvaluator

        reference = ReferenceEvaluator(onnx.load_from_string(data))

        def run_reference(x: FloatArray) -> Mapping[str, NDArray[Any]]:
            answers: Any = reference.run(names, {"x": x})
            return dict(zip(names, answers, strict=True))

        return run_reference, f"onnx.reference {onnx.__version__}"
    from aegismatrix.engine.model import Model

    model = Model.from_bytes(spec, data, spec.file)
    # Not before the session is open: `engine.model` says there what it may not send home.
    import onnxruntime

    @cache
    def plain() -> onnxruntime.InferenceSession:
        return onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])

    def run_session(x: FloatArray) -> Mapping[str, NDArray[Any]]:
        try:
            # Not `run`, which takes no NaN.
            return model.run_validated({"x": x})
        except NonFiniteOutputError:
            # What is not there goes in, and what the library would refuse comes out, as NaN.
            return dict(zip(names, plain().run(names, {"x": x}), strict=True))

    return run_session, f"onnxruntime {onnxruntime.__version__}"
