#!/usr/bin/env bash
# onnxruntime 1.31.1 (onnx 1.23.2, numpy 2.4.6, CPU, x86_64, Python 3.11): ReduceMax and ReduceMin, float32
# and float64, answer NaN only where the NaN is the first of the values that they reduce. Anywhere else they
# answer a number in silence, and not always the largest of the others: a value beside the NaN can be lost
# with it. The reference implementation of ONNX answers NaN wherever it stands, and so does onnxruntime's
# own Max of the same values as separate inputs.
# Output seen, of 1, 2, 3, 4 (for ReduceMin negated), NaN standing in place of each in turn:
#   float32 ReduceMax: onnxruntime nan 3 4 3, reference nan nan nan nan
#   float32 ReduceMin: onnxruntime nan -3 -4 -3, reference nan nan nan nan
#   float64 ReduceMax: onnxruntime nan 3 4 3, reference nan nan nan nan
#   float64 ReduceMin: onnxruntime nan -3 -4 -3, reference nan nan nan nan
#   float64 Max of four inputs: onnxruntime nan nan nan nan
#   as stated
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  numpy==2.4.6 onnx==1.23.2 onnxruntime==1.31.1
export ORT_DISABLE_TELEMETRY=1
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import onnxruntime
from onnx import ModelProto, TensorProto, helper
from onnx.reference import ReferenceEvaluator


def graph(operator: str, kind: int, names: list[str]) -> ModelProto:
    inputs = [helper.make_tensor_value_info(name, kind, [None]) for name in names]
    output = helper.make_tensor_value_info("y", kind, None)
    node = helper.make_node(operator, names, ["y"])
    opset = [helper.make_opsetid("", 18)]
    made = helper.make_graph([node], operator, inputs, [output])
    return helper.make_model(made, opset_imports=opset, ir_version=8)


def session(model: ModelProto) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )


def rows(kind: type) -> list[np.ndarray]:
    values = np.tile(np.arange(1, 5, dtype=kind), (4, 1))
    np.fill_diagonal(values, np.nan)
    return list(values)


def told(answers: list[float]) -> str:
    return " ".join(f"{answer:g}" for answer in answers)


for kind, code in ((np.float32, TensorProto.FLOAT), (np.float64, TensorProto.DOUBLE)):
    for operator, sign in (("ReduceMax", 1), ("ReduceMin", -1)):
        model = graph(operator, code, ["x"])
        opened, reference = session(model), ReferenceEvaluator(model)
        given = [{"x": sign * row} for row in rows(kind)]
        ours = [opened.run(None, one)[0].item() for one in given]
        standard = [np.asarray(reference.run(None, one)[0]).item() for one in given]
        print(f"{kind.__name__} {operator}: onnxruntime {told(ours)}, reference {told(standard)}")
        assert np.isnan(ours[0]) and not np.isnan(ours[1:]).any(), "onnxruntime differs"
        assert sign * ours[1] == 3, "the largest of the others is 4"
        assert np.isnan(standard).all(), "the reference differs"
names = list("abcd")
apart = session(graph("Max", TensorProto.DOUBLE, names))
largest = [
    float(apart.run(None, {name: row[[k]] for k, name in enumerate(names)})[0][0])
    for row in rows(np.float64)
]
print(f"float64 Max of four inputs: onnxruntime {told(largest)}")
assert np.isnan(largest).all(), "Max differs"
print("as stated")
PYTHON
