"""The engine: feature graph and every head in one file, bars in and all probabilities out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import spox.opset.ai.onnx.v18 as op
from spox import Tensor, Var, argument, build, inline

from aegismatrix.artifacts.manifest import ArraySpec
from aegismatrix_factory.graph.expressions import Graph
from aegismatrix_factory.graph.features import INPUTS
from aegismatrix_factory.heads.head import Head


def fuse(
    features: onnx.ModelProto, heads: Sequence[Head], models: Mapping[str, onnx.ModelProto]
) -> onnx.ModelProto:
    """Join the staged graphs.

    Parameters
    ----------
    features : ModelProto
        The feature graph.
    heads : sequence of Head
        In the order of their outputs.
    models : mapping of str to ModelProto
        Their graphs, by name.

    Returns
    -------
    ModelProto
        Inputs ``high, low, close, iv`` and what callers choose; outputs ``features``,
        ``implied_sigma`` and one per head, all with the same N: the head that looks back furthest
        decides.
    """
    graph = Graph()
    bars = {name: argument(Tensor(np.float64, ("T",))) for name in INPUTS}
    chosen = {
        array.name: argument(Tensor(np.float64, array.shape)) for array in chosen_inputs(heads)
    }
    market = inline(features)(**bars)
    rows = max(head.rows for head in heads)

    def cut(var: Var, rows_used: int) -> Var:
        if rows_used == rows:
            return var
        end = np.iinfo(np.int64).max
        return op.slice(
            var, graph.constant([rows - rows_used]), graph.constant([end]), graph.constant([0])
        )

    outputs = {name: cut(market[name], 1) for name in ("features", "implied_sigma")}
    # Cut before they are read: a head that needs one row is not run on the other 59.
    given = {
        rows_used: {**{name: cut(var, rows_used) for name, var in market.items()}, **chosen}
        for rows_used in {head.rows for head in heads}
    }
    for head in heads:
        wanted = ("features", *(array.name for array in head.inputs()))
        model = inline(models[head.name])(**{name: given[head.rows][name] for name in wanted})
        outputs[head.name] = model["probability"]
    # An output must be a node of this graph, not of an inlined one, to carry its own name.
    return build({**bars, **chosen}, {name: op.identity(var) for name, var in outputs.items()})


def chosen_inputs(heads: Sequence[Head]) -> tuple[ArraySpec, ...]:
    """Return the inputs of the engine that a caller chooses, each once.

    Parameters
    ----------
    heads : sequence of Head
        The registry.

    Returns
    -------
    tuple of ArraySpec
        Of all heads' inputs, those that the feature graph does not give.
    """
    named = {array.name: array for head in heads for array in head.inputs()}
    return tuple(array for name, array in named.items() if name != "implied_sigma")
