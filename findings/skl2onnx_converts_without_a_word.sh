#!/usr/bin/env bash
# skl2onnx 1.20.0 (scikit-learn 1.9.1, onnx 1.23.2, onnxruntime 1.31.1, numpy 2.4.6, Python 3.11): three
# ordinary classifiers of two classes convert and run without a warning, and most rows get another
# probability. Linear discriminant analysis: the log odds are exactly doubled (of three classes it is right).
# Sigmoid calibration of a pipeline: the sigmoid is laid over the pipeline's probability, while it was fitted
# to the decision function; without the pipeline it is right. A forest fitted with missing values: rows
# with one go down other branches.
# Output seen, largest difference of a probability and share of rows that differ by more than 0.001:
#   LinearDiscriminantAnalysis 0.15, 99 %; log odds times 2.0000
#   CalibratedClassifierCV of a pipeline 0.50, 100 %; of the bare model 0.00, 0 %
#   RandomForestClassifier, NaN in training 1.00, 39 %
#   as stated
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  skl2onnx==1.20.0 scikit-learn==1.9.1 onnx==1.23.2 onnxruntime==1.31.1 numpy==2.4.6
export ORT_DISABLE_TELEMETRY=1
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import onnxruntime
from skl2onnx import to_onnx
from sklearn.base import ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

random = np.random.default_rng(0)
x = random.normal(size=(400, 2)).astype(np.float32)
y = (x[:, 0] + random.normal(size=400) > 0).astype(int)
holes = np.where(random.random(x.shape) < 0.2, np.float32(np.nan), x)


def both(model: ClassifierMixin, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities by scikit-learn and by the converted model."""
    model.fit(rows, y)
    data = to_onnx(model, rows[:1], options={"zipmap": False}, target_opset=18)
    opened = onnxruntime.InferenceSession(
        data.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return model.predict_proba(rows), opened.run(None, {"X": rows})[1]


def apart(given: tuple[np.ndarray, np.ndarray]) -> tuple[float, float]:
    off = np.abs(given[0] - given[1]).max(axis=1)
    return float(off.max()), float((off > 1e-3).mean())


def told(given: tuple[float, float]) -> str:
    return f"{given[0]:.2f}, {100 * given[1]:.0f} %"


analysis = both(LinearDiscriminantAnalysis(), x)
odds = [np.log(shares[:, 1] / shares[:, 0]) for shares in analysis]
times = float(np.median(odds[1] / odds[0]))
print(f"LinearDiscriminantAnalysis {told(apart(analysis))}; log odds times {times:.4f}")
assert apart(analysis)[0] > 0.1 and abs(times - 2.0) < 1e-3
inner = make_pipeline(StandardScaler(), LogisticRegression())
piped = apart(both(CalibratedClassifierCV(inner, cv=3), x))
bare = apart(both(CalibratedClassifierCV(LogisticRegression(), cv=3), x))
print(f"CalibratedClassifierCV of a pipeline {told(piped)}; of the bare model {told(bare)}")
assert piped[0] > 0.3 and piped[1] > 0.9 and bare[0] < 1e-5
forest = apart(both(RandomForestClassifier(30, random_state=0), holes))
print(f"RandomForestClassifier, NaN in training {told(forest)}")
assert forest[0] > 0.3 and forest[1] > 0.2
print("as stated")
PYTHON
