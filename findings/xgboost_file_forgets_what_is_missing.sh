#!/usr/bin/env bash
# xgboost 3.2.0 (numpy 1.26.4, scipy 1.11.4, scikit-learn 1.3.2, Python 3.11): the JSON file of a wrapper that
# was made with `missing=-999.0` does not keep that number. Loaded again it takes -999 for a number, without a
# warning, and probabilities of rows with missing values differ by up to 0.99. A file of 1.7.6 keeps it, and
# 1.7.6 answers the same after loading. So does a pickle of either.
# Output seen:
#   1.7.6 missing after loading: -999.0, probabilities differ by up to 0.00
#   3.2.0 missing after loading: nan, probabilities differ by up to 0.99
#   as stated
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/ask.py" <<'PYTHON'
import pickle
import sys
import warnings

import numpy as np
import xgboost

folder = sys.argv[1]
random = np.random.default_rng(0)
x = random.normal(size=(600, 2))
# What is missing means the same as a high value, and -999 as a number would be a low one.
absent = random.random(600) < 0.3
y = (absent | (x[:, 0] > 0.5)).astype(int)
x[absent, 0] = -999.0
model = xgboost.XGBClassifier(n_estimators=20, max_depth=2, missing=-999.0, n_jobs=1).fit(x, y)
said = model.predict_proba(x)
model.save_model(f"{folder}/model.json")
loaded = xgboost.XGBClassifier()
with warnings.catch_warnings():
    warnings.simplefilter("error")
    loaded.load_model(f"{folder}/model.json")
    again = loaded.predict_proba(x)
off = np.abs(again - said).max()
version = xgboost.__version__
print(f"{version} missing after loading: {loaded.missing}, probabilities differ by up to {off:.2f}")
unpickled = pickle.loads(pickle.dumps(model))
assert np.array_equal(unpickled.predict_proba(x), said)
if version.startswith("1."):
    assert loaded.missing == -999.0 and off == 0.0
else:
    assert np.isnan(loaded.missing) and off > 0.5
PYTHON
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  numpy==1.26.4 scipy==1.11.4 scikit-learn==1.3.2
for release in 1.7.6 3.2.0; do
  # Without the library for GPUs that it asks for.
  "$folder/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps "xgboost==$release"
  "$folder/venv/bin/python" "$folder/ask.py" "$folder"
done
echo "as stated"
