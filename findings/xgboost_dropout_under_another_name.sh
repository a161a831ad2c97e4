#!/usr/bin/env bash
# xgboost 3.3.0 (numpy 2.4.6, scikit-learn 1.9.1, scipy 1.18.1; needs Python 3.12, say so with
# PYTHON=python3.12): `rate_drop` on a plain tree booster trains with dropout, without a warning.
# The saved JSON calls itself "gbtree" and has its trees where a gbtree has them, with a list `weight_drop`
# beside them; the leaves, also those of get_dump and trees_to_dataframe, are without these weights. Whoever
# goes by the name and adds the leaves up gets other probabilities.
# Output seen, largest difference from predict_proba:
#   rate_drop 0.0: name gbtree, keys model name, sum of leaves 1e-07
#   rate_drop 0.3: name gbtree, keys model name weight_drop, sum of leaves 0.31, of weighted leaves 8e-08
#   as stated
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  xgboost==3.3.0 numpy==2.4.6 scikit-learn==1.9.1 scipy==1.18.1
"$folder/venv/bin/python" -W error::UserWarning - <<'PYTHON'
import json
from typing import Any

import numpy as np
from xgboost import XGBClassifier

random = np.random.default_rng(0)
x = random.normal(size=(400, 4)).astype(np.float32)
y = (x[:, 0] + x[:, 1] * x[:, 2] + random.normal(size=400) > 0).astype(int)


def leaf(tree: dict[str, Any], row: np.ndarray) -> float:
    place = 0
    while tree["left_children"][place] != -1:
        left = row[tree["split_indices"][place]] < np.float32(tree["split_conditions"][place])
        place = tree["left_children" if left else "right_children"][place]
    return tree["split_conditions"][place]


for rate in (0.0, 0.3):
    drop = {"rate_drop": rate} if rate else {}
    model = XGBClassifier(
        n_estimators=30, max_depth=3, base_score=0.5, booster="gbtree", n_jobs=1, random_state=0,
        **drop,
    ).fit(x, y)
    saved = json.loads(bytes(model.get_booster().save_raw("json")))["learner"]["gradient_booster"]
    leaves = np.array([[leaf(tree, row) for tree in saved["model"]["trees"]] for row in x])
    own = model.predict_proba(x)[:, 1]

    def off(margins: np.ndarray) -> float:
        return float(np.abs(1.0 / (1.0 + np.exp(-margins)) - own).max())

    told = f"name {saved['name']}, keys {' '.join(sorted(saved))}, sum of leaves"
    if rate:
        plain, weighted = off(leaves.sum(axis=1)), off(leaves @ np.array(saved["weight_drop"]))
        print(f"rate_drop {rate}: {told} {plain:.2f}, of weighted leaves {weighted:.0e}")
        assert plain > 0.1 and weighted < 1e-6
    else:
        print(f"rate_drop {rate}: {told} {off(leaves.sum(axis=1)):.0e}")
        assert off(leaves.sum(axis=1)) < 1e-6 and "weight_drop" not in saved
    assert saved["name"] == "gbtree"
print("as stated")
PYTHON
