#!/usr/bin/env bash
# scikit-learn 1.3.0 and 1.3.1 (numpy 1.26.4, scipy 1.11.4, Python 3.11): a patch release doubled the
# decisions of an AdaBoostClassifier (SAMME) of two classes, and so the log odds of its probabilities. The
# same data and seed give the same trees and the same weights under both; only the formula that adds them
# up is another. A model saved by one has no mark but the third number of its version.
# Output seen, for three rows:
#   1.3.0: probabilities 0.6551 0.7311 0.5699
#   1.3.1: probabilities 0.7829 0.8808 0.6371
#   trees and weights equal; log odds times 2.0000
#   as stated
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/fit.py" <<'PYTHON'
import json
import sys

import numpy as np
import sklearn
from sklearn.ensemble import AdaBoostClassifier

x = np.random.RandomState(0).normal(size=(300, 3))
y = (x[:, 0] + x[:, 1] > 0).astype(int)
model = AdaBoostClassifier(algorithm="SAMME", n_estimators=20, random_state=0).fit(x, y)
shares = model.predict_proba(x)[:, 1].tolist()
told = " ".join(f"{share:.4f}" for share in shares[:3])
print(f"{sklearn.__version__}: probabilities {told}")
fitted = {
    "trees": [stump.tree_.threshold.tolist() for stump in model.estimators_],
    "weights": model.estimator_weights_.tolist(),
    "shares": shares,
}
with open(sys.argv[1], "w", encoding="utf-8") as file:
    json.dump(fitted, file)
PYTHON
for version in 1.3.0 1.3.1; do
  python3 -m venv "$folder/venv-$version"
  "$folder/venv-$version/bin/pip" install --quiet --disable-pip-version-check \
    numpy==1.26.4 scipy==1.11.4 "scikit-learn==$version"
  "$folder/venv-$version/bin/python" "$folder/fit.py" "$folder/$version.json"
done
"$folder/venv-1.3.1/bin/python" - "$folder/1.3.0.json" "$folder/1.3.1.json" <<'PYTHON'
import json
import sys

import numpy as np

older, newer = (json.load(open(name, encoding="utf-8")) for name in sys.argv[1:])
assert older["trees"] == newer["trees"] and older["weights"] == newer["weights"]
before, after = (np.array(fitted["shares"]) for fitted in (older, newer))
inside = (before > 0.01) & (before < 0.99) & (np.abs(before - 0.5) > 0.01)
odds = [np.log(share[inside] / (1.0 - share[inside])) for share in (before, after)]
times = odds[1] / odds[0]
print(f"trees and weights equal; log odds times {np.median(times):.4f}")
assert np.allclose(times, 2.0, atol=1e-6)
print("as stated")
PYTHON
