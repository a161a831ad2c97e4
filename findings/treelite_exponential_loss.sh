#!/usr/bin/env bash
# treelite 4.8.1 (scikit-learn 1.9.1, numpy 2.4.6, Python 3.11): a GradientBoostingClassifier with
# loss="exponential" is imported without a warning and answers the logistic function of the raw score. Its
# own predict_proba takes the logistic function of twice the score. With log_loss both are equal.
# Output seen, largest difference of a probability:
#   log_loss: 2.2e-16
#   exponential: 0.15, log odds times 0.5000
#   as stated
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  treelite==4.8.1 scikit-learn==1.9.1 numpy==2.4.6
"$folder/venv/bin/python" -W error::UserWarning - <<'PYTHON'
import numpy as np
import treelite
from sklearn.ensemble import GradientBoostingClassifier

x = np.random.default_rng(0).normal(size=(500, 3)).astype(np.float32)
y = (x[:, 0] + x[:, 1] * x[:, 2] > 0).astype(int)
answers = {}
for loss in ("log_loss", "exponential"):
    model = GradientBoostingClassifier(loss=loss, n_estimators=20, random_state=0).fit(x, y)
    theirs = treelite.gtil.predict(treelite.sklearn.import_model(model), x).ravel()
    answers[loss] = (model.predict_proba(x)[:, 1], theirs)


def off(loss: str) -> float:
    return float(np.abs(answers[loss][0] - answers[loss][1]).max())


odds = [np.log(p / (1.0 - p)) for p in answers["exponential"]]
times = float(np.median(odds[1] / odds[0]))
print(f"log_loss: {off('log_loss'):.1e}")
print(f"exponential: {off('exponential'):.2f}, log odds times {times:.4f}")
assert off("log_loss") < 1e-12 and 0.1 < off("exponential") < 0.2 and abs(times - 0.5) < 1e-6
print("as stated")
PYTHON
