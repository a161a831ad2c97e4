#!/usr/bin/env bash
# xgboost 3.2.0 (numpy 2.4.6, scipy 1.17.1, Python 3.11): a model of lines (`booster="gblinear"`) of three
# classes keeps one estimated `base_score` for each class, and its prediction adds that of the first class
# to all three. The raw scores are weights and bias of the file and 1.206 three times; with the scores that
# the file lists for the classes the probabilities would be others by up to 0.37. A model of trees on the same
# data adds to each class its own.
# Output seen:
#   listed for lines [1.206, -0.102, -1.104] added [1.206, 1.206, 1.206]
#   probabilities differ by up to 0.37; trees add [1.206, -0.102, -1.104]
#   as stated
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/ask.py" <<'PYTHON'
import json

import numpy as np
import xgboost

random = np.random.default_rng(0)
x = random.normal(size=(400, 2))
# Classes of very different frequency, so that their intercepts differ.
y = np.digitize(x[:, 0] + random.normal(size=400), [0.8, 1.8])
rows = xgboost.DMatrix(x, label=y)
given = {"objective": "multi:softprob", "num_class": 3, "verbosity": 0, "seed": 0}


def raw(booster: xgboost.Booster) -> tuple[np.ndarray, np.ndarray, dict]:
    """Raw scores, the intercepts that the file lists, and the rest of the file."""
    learner = json.loads(bytes(booster.save_raw("json")))["learner"]
    listed = json.loads(learner["learner_model_param"]["base_score"])
    return booster.predict(rows, output_margin=True), np.array(listed, dtype=float), learner


def shares(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


lines = xgboost.train({**given, "booster": "gblinear", "updater": "coord_descent"}, rows, 5)
scores, listed, learner = raw(lines)
weights = np.array(learner["gradient_booster"]["model"]["weights"]).reshape(3, 3)
own = x @ weights[:2] + weights[2]
added = scores - own
off = np.abs(shares(scores) - shares(own + listed)).max()
# Trees that learn nothing leave the intercepts alone.
of_trees, listed_of_trees, _ = raw(xgboost.train({**given, "max_depth": 1, "eta": 0.0}, rows, 1))
print("listed for lines", listed.round(3).tolist(), "added", added.mean(axis=0).round(3).tolist())
print(f"probabilities differ by up to {off:.2f}; trees add {of_trees[0].astype(float).round(3).tolist()}")
assert len(set(listed.round(3).tolist())) == 3
assert np.abs(added - listed[0]).max() < 1e-5
assert off > 0.05
assert np.abs(of_trees - listed_of_trees).max() < 1e-5
print("as stated")
PYTHON
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 scipy==1.17.1
# Without the library for GPUs that it asks for.
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps xgboost==3.2.0
"$folder/venv/bin/python" "$folder/ask.py"
