#!/usr/bin/env bash
# scikit-learn 1.7.2 and 1.8.0 (numpy 2.3.5, scipy 1.16.3, Python 3.11): where two classes of a
# OneVsRestClassifier are equally likely, `predict` said the last of them and says the first since 1.8.
# Members of the same data and seed are equal under both. With trees, whose shares are few, equals are
# common. Until 1.7 `predict` and the largest of `predict_proba` were at odds there.
# Output seen, rows where the largest shares are equal, and rows where the class is that of the first of them:
#   1.7.2: 2000 rows, 21 with equals, 0 of them the first
#   1.8.0: 2000 rows, 21 with equals, 21 of them the first
#   members equal; 21 classes differ
#   as stated
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/fit.py" <<'PYTHON'
import json
import sys

import numpy as np
import sklearn
from sklearn.multiclass import OneVsRestClassifier
from sklearn.tree import DecisionTreeClassifier

random = np.random.RandomState(0)
x = random.normal(size=(300, 2))
y = (x[:, 0] > 0).astype(int) + (x[:, 1] > 0)
member = DecisionTreeClassifier(max_depth=3, random_state=0)
model = OneVsRestClassifier(member).fit(x, y)
rows = random.normal(size=(2000, 2))
shares = np.stack([tree.predict_proba(rows)[:, 1] for tree in model.estimators_], axis=1)
equal = (shares == shares.max(axis=1, keepdims=True)).sum(axis=1) > 1
said = model.predict(rows)
first = said[equal] == shares[equal].argmax(axis=1)
print(
    f"{sklearn.__version__}: {len(rows)} rows, {equal.sum()} with equals,"
    f" {first.sum()} of them the first"
)
# Elsewhere both releases say the class of the largest share.
assert (said[~equal] == shares[~equal].argmax(axis=1)).all()
with open(sys.argv[1], "w", encoding="utf-8") as file:
    json.dump({"shares": shares.tolist(), "said": said.tolist(), "first": first.tolist()}, file)
PYTHON
for version in 1.7.2 1.8.0; do
  python3 -m venv "$folder/venv-$version"
  "$folder/venv-$version/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.3.5 scipy==1.16.3 "scikit-learn==$version"
  "$folder/venv-$version/bin/python" "$folder/fit.py" "$folder/$version.json"
done
"$folder/venv-1.8.0/bin/python" - "$folder/1.7.2.json" "$folder/1.8.0.json" <<'PYTHON'
import json
import sys

import numpy as np

older, newer = (json.load(open(name, encoding="utf-8")) for name in sys.argv[1:])
assert older["shares"] == newer["shares"]
differ = int((np.array(older["said"]) != np.array(newer["said"])).sum())
print(f"members equal; {differ} classes differ")
assert not any(older["first"]) and all(newer["first"])
assert differ == len(older["first"]) > 0
print("as stated")
PYTHON
