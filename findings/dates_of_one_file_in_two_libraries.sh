#!/usr/bin/env bash
# pandas 3.1.1 and polars 2.1.0 (numpy 2.4.6, Python 3.11): both read the dates of one CSV file without a
# warning, and differ. pandas takes 05-06-2026 for the 6th of May, polars for the 5th of June, which is what
# the exchanges of India write. With a 13th of June among them pandas gives the whole column back as text, also without a warning.
# Output seen:
#   05-06-2026 08-06-2026: pandas 2026-05-06 2026-08-06, polars 2026-06-05 2026-06-08
#   05-06-2026 13-06-2026: pandas 05-06-2026 13-06-2026, polars 2026-06-05 2026-06-13
#   as stated
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  pandas==3.1.1 polars==2.1.0 numpy==2.4.6
"$folder/venv/bin/python" -W error - <<'PYTHON'
import io

import pandas as pd
import polars as pl

for days, months_first in (
    (("05-06-2026", "08-06-2026"), ["2026-05-06", "2026-08-06"]),
    (("05-06-2026", "13-06-2026"), ["05-06-2026", "13-06-2026"]),
):
    text = "date,close\n" + "".join(f"{day},24000\n" for day in days)
    by_pandas = pd.read_csv(io.StringIO(text), parse_dates=["date"])["date"]
    by_polars = pl.read_csv(io.StringIO(text), try_parse_dates=True)["date"]
    one, other = ([str(cell)[:10] for cell in cells.to_list()] for cells in (by_pandas, by_polars))
    print(f"{' '.join(days)}: pandas {' '.join(one)}, polars {' '.join(other)}")
    assert one == months_first and (by_pandas.dtype == "str") == (one == list(days))
    assert other == ["-".join(reversed(day.split("-"))) for day in days]
print("as stated")
PYTHON
