"""To ONNX: convert fitted estimators, and bring every graph to the one form that is shipped.

skl2onnx and spox stamp what suits them; `finish` makes IR, opset, names and metadata what
this project promises, and refuses any operator that it does not; what the package would refuse to
open is refused here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from aegismatrix.artifacts.manifest import ArraySpec
from aegismatrix.artifacts.operators import (
    ALLOWED_ML_OPS,
    ALLOWED_OPS,
    IR_VERSION,
    METADATA_KEY,
    ML_DOMAIN,
    ML_OPSET,
    OPSET,
    check_content,
)
from aegismatrix.errors import AegisError, ArtifactRejectedError

_ELEMENT_TYPES = {
    "float64": TensorProto.DOUBLE,
    "float32": TensorProto.FLOAT,
    "int64": TensorProto.INT64,
}


class ForbiddenGraphError(AegisError):
    """A graph holds what no artifact may hold.

    Attributes
    ----------
    artifact : str
        The graph's name.
    found : tuple of str
        Operators, or other parts, that are not allowed.
    """

    def __init__(self, artifact: str, found: Sequence[str]) -> None:
        self.artifact = artifact
        self.found = tuple(found)
        super().__init__(
            f"{artifact} holds what no artifact may hold: {', '.join(found)}.",
            remedy="Author it from the allowed operators (aegismatrix/operators.py).",
        )


def classifier_to_onnx(estimator: Any, n_inputs: int) -> onnx.ModelProto:
    """Convert a fitted scikit-learn classifier, in double precision.

    Parameters
    ----------
    estimator : classifier
        Fitted on `n_inputs` columns.
    n_inputs : int
        Columns.

    Returns
    -------
    ModelProto
        Input ``x``: float64 (N, n_inputs); output ``probabilities``: float64 (N, classes). No
        labels.
    """
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import DoubleTensorType

    model: onnx.ModelProto = to_onnx(
        estimator,
        name="classifier",
        initial_types=[("x", DoubleTensorType([None, n_inputs]))],
        target_opset={"": OPSET, ML_DOMAIN: ML_OPSET},
        options={"zipmap": False},
    )
    kept = [output for output in model.graph.output if output.name == "probabilities"]
    del model.graph.output[:]
    model.graph.output.extend(kept)
    _prune(model.graph)
    return model


def finish(
    model: onnx.ModelProto,
    name: str,
    inputs: Sequence[ArraySpec],
    outputs: Sequence[ArraySpec],
    metadata: Mapping[str, Any],
) -> bytes:
    """Bring a graph to the form that is shipped: same graph, same bytes.

    Parameters
    ----------
    model : ModelProto
        The graph; its inputs and outputs have the declared names. It becomes what is shipped: a
        forest is too large to be copied at every step.
    name : str
        Name of the graph.
    inputs, outputs : sequence of ArraySpec
        The contract to stamp.
    metadata : mapping
        JSON values, stamped under ``aegismatrix`` where any language can read them.

    Returns
    -------
    bytes
        The serialised model.

    Raises
    ------
    ForbiddenGraphError
        If it holds an operator that is not allowed, a subgraph, a function, a custom domain or
        external data.
    """
    graph = model.graph
    _prune(graph)
    declared = [node.name for node in graph.input], [node.name for node in graph.output]
    if declared != ([array.name for array in inputs], [array.name for array in outputs]):
        raise ForbiddenGraphError(name, [f"inputs and outputs {declared}"])
    _rename(graph)
    _keep(graph, "node", "initializer")
    graph.name = name
    graph.input.extend(_value_info(array) for array in inputs)
    graph.output.extend(_value_info(array) for array in outputs)
    _keep(model, "graph")
    model.ir_version = IR_VERSION
    model.producer_name = "aegismatrix"
    model.opset_import.append(helper.make_opsetid("", OPSET))
    if any(node.domain == ML_DOMAIN for node in graph.node):
        model.opset_import.append(helper.make_opsetid(ML_DOMAIN, ML_OPSET))
    helper.set_model_props(
        model, {METADATA_KEY: json.dumps(metadata, sort_keys=True, allow_nan=False)}
    )
    check_graph(model)
    data = bytes(model.SerializeToString(deterministic=True))
    try:
        check_content(data, name)
    except ArtifactRejectedError as error:
        raise ForbiddenGraphError(name, [error.problem]) from error
    return data


def check_graph(model: onnx.ModelProto) -> None:
    """Refuse a model whose stamp or content is not what the project promises.

    Parameters
    ----------
    model : ModelProto
        A finished model.

    Raises
    ------
    ForbiddenGraphError
    """
    graph, found = model.graph, []
    if model.ir_version != IR_VERSION:
        found.append(f"IR version {model.ir_version}")
    allowed_opsets = {("", OPSET), (ML_DOMAIN, ML_OPSET)}
    for opset in model.opset_import:
        if (opset.domain, opset.version) not in allowed_opsets:
            found.append(f"opset {opset.domain or 'ai.onnx'} {opset.version}")
    if model.functions:
        found.append("functions")
    for node in graph.node:
        allowed = {"": ALLOWED_OPS, ML_DOMAIN: ALLOWED_ML_OPS}.get(node.domain, frozenset())
        if node.op_type not in allowed:
            found.append(f"{node.domain or 'ai.onnx'}.{node.op_type}")
        for attribute in node.attribute:
            if attribute.HasField("g") or attribute.graphs:
                found.append(f"a subgraph in {node.op_type}")
            found.extend(_faults([attribute.t] if attribute.HasField("t") else []))
            floats = np.fromiter(attribute.floats, np.float64, len(attribute.floats))
            if not np.isfinite(attribute.f) or not np.isfinite(floats).all():
                found.append("NaN or infinite weights")
    found.extend(_faults(graph.initializer))
    if found:
        raise ForbiddenGraphError(graph.name, sorted(set(found)))
    onnx.checker.check_model(model, full_check=True)


def _value_info(array: ArraySpec) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(array.name, _ELEMENT_TYPES[array.dtype], array.shape)


def _faults(tensors: Sequence[onnx.TensorProto]) -> list[str]:
    faults = []
    for tensor in tensors:
        if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
            faults.append("external data")
        elif tensor.data_type == TensorProto.STRING:
            faults.append("strings")
        elif not np.isfinite(onnx.numpy_helper.to_array(tensor)).all():
            faults.append("NaN or infinite weights")
    return faults


def _prune(graph: onnx.GraphProto) -> None:
    """Remove what no output needs."""
    needed = {output.name for output in graph.output}
    for place in reversed(range(len(graph.node))):
        if needed.intersection(graph.node[place].output):
            needed.update(graph.node[place].input)
        else:
            del graph.node[place]
    for place in reversed(range(len(graph.initializer))):
        if graph.initializer[place].name not in needed:
            del graph.initializer[place]


def _keep(message: onnx.ModelProto | onnx.GraphProto, *kept: str) -> None:
    """Clear all fields but some."""
    for field in message.DESCRIPTOR.fields:
        if field.name not in kept:
            message.ClearField(field.name)


def _rename(graph: onnx.GraphProto) -> None:
    """Give nodes and inner values short names in graph order."""
    names = {value.name: value.name for value in (*graph.input, *graph.output)}
    names[""] = ""
    for number, tensor in enumerate(graph.initializer):
        names[tensor.name] = tensor.name = f"weight_{number}"
    for number, node in enumerate(graph.node):
        node.name = f"{node.op_type}_{number}"
        # The exporter of torch leaves stack traces with the paths of this machine.
        node.doc_string = ""
        del node.metadata_props[:]
        for position, value in enumerate(node.input):
            node.input[position] = names[value]
        for position, value in enumerate(node.output):
            names.setdefault(value, f"value_{number}_{position}")
            node.output[position] = names[value]
