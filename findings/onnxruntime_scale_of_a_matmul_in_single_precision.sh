#!/usr/bin/env bash
# onnxruntime 1.31.1 (onnx 1.23.2, numpy 2.4.6, CPU, Python 3.11): with its default optimisation, a
# float64 MatMul followed by a float64 Mul with a constant of one element is fused into one operator
# whose factor is a float32. The product of float64 numbers is then off in the eighth digit. With the
# optimisation off the same file gives the float64 result.
# Output seen:
#   optimisation off: 0.4666666666666666
#   default:          0.46666668057441707
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
from onnx import TensorProto, helper, numpy_helper

weights, third = np.array([[0.1], [0.2], [0.3]]), np.array([1.0 / 3.0])
graph = helper.make_graph(
    [helper.make_node("MatMul", ["x", "w"], ["a"]), helper.make_node("Mul", ["a", "c"], ["y"])],
    "scaled",
    [helper.make_tensor_value_info("x", TensorProto.DOUBLE, [None, 3])],
    [helper.make_tensor_value_info("y", TensorProto.DOUBLE, [None, 1])],
    [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(third, "c")],
)
opset = [helper.make_opsetid("", 18)]
data = helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()
levels = onnxruntime.GraphOptimizationLevel
x, answers = np.array([[1.0, 2.0, 3.0]]), []
for name, level in (("optimisation off:", levels.ORT_DISABLE_ALL), ("default:", None)):
    options = onnxruntime.SessionOptions()
    if level is not None:
        options.graph_optimization_level = level
    opened = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    answers.append(float(opened.run(None, {"x": x})[0][0, 0]))
    print(f"{name:17} {answers[-1]!r}")
true = float((x @ weights)[0, 0] / 3.0)
assert abs(answers[0] - true) < 1e-15, "without optimisation it is exact"
assert 1e-9 < abs(answers[1] - true) < 1e-7, "with it the factor is single precision"
print("as stated")
PYTHON
