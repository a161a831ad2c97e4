#!/usr/bin/env bash
# arch 8.0.0 (numpy 2.4.6, pandas 2.3.3, scipy 1.17.1, Python 3.11): the recursion of the conditional
# volatility starts from a weighted mean of the first 75 squared returns, so the volatility of the first
# days knows returns that were not there yet, even with fixed parameters. In a GJR-GARCH, another return on
# day 60 changes the volatility from day 0 on; on day 80 it changes only the days after it.
# Output seen, a return of 8 in place of one of about 1:
#   day 60: volatility of day 0 from 0.8235 to 0.8749, first day that changes 0
#   day 80: volatility of day 0 from 0.8235 to 0.8235, first day that changes 81
#   as stated
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  arch==8.0.0 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
from arch import arch_model

returns = np.random.default_rng(0).normal(size=500)


def volatility(of: np.ndarray) -> np.ndarray:
    """Of parameters that are given: nothing is estimated."""
    model = arch_model(of, mean="Zero", p=1, o=1, q=1, rescale=False)
    return model.fix([0.05, 0.05, 0.05, 0.85]).conditional_volatility


before = volatility(returns)
for day, first in ((60, 0), (80, 81)):
    other = returns.copy()
    other[day] = 8.0
    after = volatility(other)
    changes = int(np.flatnonzero(before != after)[0])
    print(
        f"day {day}: volatility of day 0 from {before[0]:.4f} to {after[0]:.4f}, "
        f"first day that changes {changes}"
    )
    assert changes == first
print("as stated")
PYTHON
