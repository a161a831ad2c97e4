"""torch: any network of layers that are known, as the file beside its state dict describes it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

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
from aegismatrix_factory.rescue.converting.network_descriptions import Described, describe
from aegismatrix_factory.rescue.converting.network_graphs import write_network
from aegismatrix_factory.rescue.converting.network_oracle import evaluate
from aegismatrix_factory.rescue.converting.network_structure import check_numbers, inspect
from aegismatrix_factory.rescue.converting.parameters import FloatArray
from aegismatrix_factory.rescue.converting.writing import Table, Writer, computed
from aegismatrix_factory.rescue.reading.errors import clipped

_NUMBERS = 2_000_000
_SPREADS = (0.5, 2.0, 30.0)
_BATCH = 7
NOT_SHOWN = (
    "Its model.json has no example: that it describes the network as torch ran it is shown by"
    " nothing."
)
COARSER = "Its weights are of half precision and it computes in float64: torch may have rounded."


def _read(attributes: Attributes, reader: Reader) -> Model:
    del reader
    tensors = attributes.need("tensors")
    if not isinstance(tensors, Mapping) or not tensors:
        raise InconsistentModelError("a network has no tensors")
    check_numbers(tensors)
    kinds = {str(one.dtype) for one in tensors.values() if one.dtype.kind == "f"}
    if "float64" in kinds and len(kinds) > 1:
        raise UnsupportedModelError(
            "its tensors are of float64 and of less", code="unsupported-precision"
        )
    described = describe(attributes.need("description"), inspect(tensors), tensors)
    warnings = [] if described.example is not None else [NOT_SHOWN]
    if described.unused:
        named = ", ".join(clipped(one) for one in described.unused[:8])
        warnings.append(f"Its model.json says that what it answers does not use {named}.")
    if "float16" in kinds:
        warnings.append(COARSER)
    width = described.output[-1]
    return Model(
        parameters=(described, "float64" not in kinds),
        n_features=_count(described.input[-1]),
        answers={"value": width if isinstance(width, int) else 1},
        windows=True,
        output_names={"value": "output"},
        input_shape=described.input,
        output_shape=described.output,
        example=described.example,
        warnings=tuple(warnings),
        details={
            "description": attributes.need("source"),
            "layers": [step.kind for step in described.steps],
            "weights": sum(one.size for one in tensors.values()),
        },
    )


def _count(length: int | str) -> int:
    assert isinstance(length, int)
    return length


def _graph(part: Part, answer: Answer, graph: Writer, x: Table) -> Table:
    described: Described
    described, is_single = part.parameters
    said = write_network(described.steps, graph, x.tensor, is_single=is_single)
    return computed(said, part.model.answers[answer])


def _probe(part: Part, random: np.random.Generator, rows: int) -> Probes:
    del rows
    described: Described
    described, _ = part.parameters
    shape = [_count(one) for one in described.input[1:]]
    count = max(1, min(_BATCH, _NUMBERS // math.prod(shape)))
    batches = [random.normal(size=(count, *shape)) * spread for spread in _SPREADS]
    return Probes(tuple(batches), np.zeros((1, *shape)))


def _oracle(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    del answer, oracle
    everything: Mapping[str, Any] = attributes.everything
    return evaluate(everything["description"], everything["tensors"], rows)


FAMILIES = (
    Family(
        name="network",
        modules=("torch",),
        library="torch",
        releases=((1, 6), (2, 15)),
        used=known("tensors description source"),
        harmless={},
        read=_read,
        graph=_graph,
        oracle=_oracle,
        probe=_probe,
        says_release=False,
    ),
)
