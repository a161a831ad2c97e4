#!/usr/bin/env bash
# sklearn-migrator 1.0.0 (scikit-learn 1.7.2, numpy 2.2.6, Python 3.11): classifiers of three named classes
# that are serialized, go through JSON as its documents show and are deserialized, in one and the same
# release. `predict` of neighbours then says 0, 1, 2 where the model says its classes, without a word;
# boosting has probabilities of two classes. Of the others probabilities are equal to the last digit, and
# `predict` of trees, forests and networks raises AttributeError, that of boosting TypeError.
# Output seen:
#   LogisticRegression: 3 columns of 3, off by 0; predict is equal
#   KNeighborsClassifier: 3 columns of 3, off by 0; predict says 0 1 2 for call flat put
#   DecisionTreeClassifier: 3 columns of 3, off by 0; predict raises AttributeError
#   RandomForestClassifier: 3 columns of 3, off by 0; predict raises AttributeError
#   MLPClassifier: 3 columns of 3, off by 0; predict raises AttributeError
#   GradientBoostingClassifier: 2 columns of 3; predict raises TypeError
#   as stated
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  sklearn-migrator==1.0.0 scikit-learn==1.7.2 numpy==2.2.6
"$folder/venv/bin/python" - <<'PYTHON'
import json
import warnings

import numpy as np
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.tree import DecisionTreeClassifier
from sklearn_migrator import deserialize, serialize

warnings.simplefilter("ignore")
x = np.random.default_rng(0).normal(size=(300, 3))
y = np.array(["put", "flat", "call"])[np.searchsorted([-0.4, 0.4], x[:, 0])]
found, columns = {}, {}


def predicted(model: object, rebuilt: object) -> str:
    """What `predict` of the rebuilt model does."""
    try:
        said = rebuilt.predict(x)
    except (AttributeError, TypeError) as error:
        return f"raises {type(error).__name__}"
    pairs = sorted({(str(one), str(other)) for one, other in zip(said, model.predict(x))})
    if all(one == other for one, other in pairs):
        return "is equal"
    return "says {} for {}".format(*(" ".join(column) for column in zip(*pairs)))


for model in (
    LogisticRegression(),
    KNeighborsClassifier(),
    DecisionTreeClassifier(max_depth=3, random_state=0),
    RandomForestClassifier(5, max_depth=3, random_state=0),
    MLPClassifier((4,), max_iter=50, random_state=0),
    GradientBoostingClassifier(n_estimators=3, random_state=0),
):
    name = type(model).__name__
    model.fit(x, y)
    rebuilt = deserialize(json.loads(json.dumps(serialize(model))))
    shares, wanted = rebuilt.predict_proba(x), model.predict_proba(x)
    columns[name], found[name] = shares.shape[1], predicted(model, rebuilt)
    off = ""
    if shares.shape == wanted.shape:
        off = f", off by {np.abs(shares - wanted).max():.0g}"
        assert np.allclose(shares, wanted, rtol=0.0, atol=1e-12)
    print(f"{name}: {columns[name]} columns of 3{off}; predict {found[name]}")
assert found["LogisticRegression"] == "is equal"
assert found["KNeighborsClassifier"] == "says 0 1 2 for call flat put"
assert sum(one.startswith("raises") for one in found.values()) == 4
assert columns.pop("GradientBoostingClassifier") == 2 and set(columns.values()) == {3}
print("as stated")
PYTHON
