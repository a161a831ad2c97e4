#!/usr/bin/env bash
# xgboost 2.1.4 and 3.2.0 (numpy 2.4.6, scipy 1.17.1, Python 3.11): of `binary:logitraw`, whose answers are
# log odds, the intercept that is estimated when `base_score` is not given is a share of the labels since
# 3.0, and is added to the log odds as it is. Where a quarter of the labels are 1, a model starts at log
# odds of 0.25 and not of -1.1, and a few rounds do not make up for it. `binary:logistic` on the same data
# takes the logit of its intercept, and an intercept that is given means the same in both releases.
# Output seen, share of ones in the labels and mean probability that two rounds say of them:
#   2.1.4: labels 0.255; logistic 0.268, logitraw 0.268; starts at -0.98
#   3.2.0: labels 0.255; logistic 0.259, logitraw 0.411; starts at 0.255
#   as stated
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/fit.py" <<'PYTHON'
import json
import sys

import numpy as np
import xgboost

random = np.random.default_rng(0)
x = random.normal(size=(200, 2))
y = (x[:, 0] + random.normal(size=200) > 0.8).astype(int)
rows = xgboost.DMatrix(x, label=y)


def fitted(objective: str, **settings: float) -> tuple[np.ndarray, float]:
    """Log odds of the training rows, and the intercept."""
    given = {"objective": objective, "max_depth": 2, "verbosity": 0, **settings}
    booster = xgboost.train(given, rows, 2)
    kept = json.loads(booster.save_config())["learner"]["learner_model_param"]["base_score"]
    return booster.predict(rows, output_margin=True), float(kept.strip("[]"))


def mean(odds: np.ndarray) -> float:
    return float((1.0 / (1.0 + np.exp(-odds))).mean())


logistic, _ = fitted("binary:logistic")
raw, start = fitted("binary:logitraw")
told, _ = fitted("binary:logitraw", base_score=0.5)
print(
    f"{xgboost.__version__}: labels {y.mean():.3f}; logistic {mean(logistic):.3f},"
    f" logitraw {mean(raw):.3f}; starts at {start:.3g}"
)
with open(sys.argv[1], "w", encoding="utf-8") as file:
    json.dump({"share": y.mean(), "mean": mean(raw), "start": start, "told": told.tolist()}, file)
PYTHON
for version in 2.1.4 3.2.0; do
  python3 -m venv "$folder/venv-$version"
  "$folder/venv-$version/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 scipy==1.17.1
  # Without the library for GPUs that it asks for.
  "$folder/venv-$version/bin/pip" install --quiet --disable-pip-version-check --no-deps \
    "xgboost==$version"
  "$folder/venv-$version/bin/python" "$folder/fit.py" "$folder/$version.json"
done
"$folder/venv-3.2.0/bin/python" - "$folder/2.1.4.json" "$folder/3.2.0.json" <<'PYTHON'
import json
import sys

import numpy as np

older, newer = (json.load(open(name, encoding="utf-8")) for name in sys.argv[1:])
assert older["start"] < -0.9 and abs(older["mean"] - older["share"]) < 0.02
assert abs(newer["start"] - newer["share"]) < 1e-3 and newer["mean"] - newer["share"] > 0.1
assert np.allclose(older["told"], newer["told"], atol=1e-5)
print("as stated")
PYTHON
