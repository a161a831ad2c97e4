#!/usr/bin/env bash
# numpy 2.5.5 (needs Python 3.12, say so with PYTHON=python3.12): the deprecation of bare integers beside
# dates reaches the usual check that dates rise, `np.diff(dates) > 0`, and the step of np.arange over dates,
# both announced to become errors. The same integers in an array, a list or as a numpy scalar are
# taken without a word: whether a line is affected depends on the type of the integer, not on what it means.
# Output seen:
#   np.diff(dates) > 0: DeprecationWarning
#   np.diff(dates) == 0: DeprecationWarning
#   dates + 1: DeprecationWarning
#   np.arange(first, last, 7): DeprecationWarning
#   dates + np.int64(1): nothing
#   dates + [1]: nothing
#   dates + np.arange(1): nothing
#   np.diff(dates) > np.timedelta64(0, 'D'): nothing
#   as stated
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.5.5
"$folder/venv/bin/python" - <<'PYTHON'
import warnings

import numpy as np

dates = np.arange("2026-11-23", "2026-11-28", dtype="datetime64[D]")
first, last = dates[0], dates[-1]
warn = {
    "np.diff(dates) > 0": lambda: np.diff(dates) > 0,
    "np.diff(dates) == 0": lambda: np.diff(dates) == 0,
    "dates + 1": lambda: dates + 1,
    "np.arange(first, last, 7)": lambda: np.arange(first, last, 7),
}
silent = {
    "dates + np.int64(1)": lambda: dates + np.int64(1),
    "dates + [1]": lambda: dates + [1],
    "dates + np.arange(1)": lambda: dates + np.arange(1),
    "np.diff(dates) > np.timedelta64(0, 'D')": lambda: np.diff(dates) > np.timedelta64(0, "D"),
}
for name, act in (warn | silent).items():
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        act()
    kinds = [warning.category.__name__ for warning in heard]
    print(f"{name}: {' '.join(kinds) or 'nothing'}")
    assert kinds == (["DeprecationWarning"] if name in warn else [])
print("as stated")
PYTHON
