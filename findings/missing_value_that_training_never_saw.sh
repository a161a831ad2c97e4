#!/usr/bin/env bash
# LightGBM 4.7.0, CatBoost 1.2.10, XGBoost 3.2.0, scikit-learn 1.9.1 (numpy 2.4.6, Python 3.11): fitted on
# the same rows without a single missing value, all take a NaN at prediction, without a warning, and send
# it to four different places: LightGBM takes it for 0.0, CatBoost for the lowest value, XGBoost for the
# highest, and the trees of scikit-learn go where most training rows went.
# Output seen, one tree on x from -3 to 3; y is 1 below -1, 2 around 0, 3 above 1; most rows are below -1:
#   LightGBM 2, CatBoost 1, XGBoost 3, HistGradientBoosting 1, DecisionTree 1
# and with most rows above 1:
#   LightGBM 2, CatBoost 1, XGBoost 3, HistGradientBoosting 3, DecisionTree 3
#   as stated
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  numpy==2.4.6 scikit-learn==1.9.1 pandas==2.3.3 lightgbm==4.7.0 catboost==1.2.10 xgboost==3.2.0
"$folder/venv/bin/python" -W error::UserWarning - <<'PYTHON'
import numpy as np
from catboost import CatBoostRegressor
from lightgbm import LGBMRegressor
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.tree import DecisionTreeRegressor
from xgboost import XGBRegressor

for below, above, expected in ((400, 150, (2, 1, 3, 1, 1)), (150, 400, (2, 1, 3, 3, 3))):
    models = {
        "LightGBM": LGBMRegressor(n_estimators=1, learning_rate=1.0, n_jobs=1, verbose=-1),
        "CatBoost": CatBoostRegressor(
            iterations=1, depth=2, learning_rate=1.0, l2_leaf_reg=0.0, thread_count=1, verbose=0,
            allow_writing_files=False,
        ),
        "XGBoost": XGBRegressor(n_estimators=1, learning_rate=1.0, reg_lambda=0.0, n_jobs=1),
        "HistGradientBoosting": HistGradientBoostingRegressor(max_iter=1, learning_rate=1.0),
        "DecisionTree": DecisionTreeRegressor(),
    }
    spans = ((-3.0, -1.1, below), (-0.9, 0.9, 200), (1.1, 3.0, above))
    x = np.concatenate([np.linspace(*span) for span in spans])[:, None]
    y = np.repeat([1.0, 2.0, 3.0], [below, 200, above])
    answers = {
        name: float(model.fit(x, y).predict(np.array([[np.nan]]))[0])
        for name, model in models.items()
    }
    print(", ".join(f"{name} {answer:.0f}" for name, answer in answers.items()))
    assert np.allclose(list(answers.values()), expected, atol=0.02)
print("as stated")
PYTHON
