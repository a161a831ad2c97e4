"""Make the embedded sample from the data sets of the PyPI package `arch`.

Usage: python scripts/sample.py ARCH_WHEEL

The wheel is read as an archive, nothing of it is installed or run
(`pip download arch --no-deps` fetches it).
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import zipfile
from datetime import datetime
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "src" / "aegismatrix" / "desk" / "sources" / "sample_data"
FIRST, LAST = "2014-01-03", "2018-12-31"
SERIES = {
    "sp500_daily.csv": ("arch/data/sp500/sp500.csv.gz", ("Open", "High", "Low", "Close")),
    "vix_daily.csv": ("arch/data/vix/vix.csv.gz", ("vix",)),
}
HOLIDAY = ("", ".")
HEADERS = {"vix": "close"}
TITLES = {"sp500_daily.csv": "S&P 500, index points", "vix_daily.csv": "Cboe VIX, per cent a year"}


def main() -> None:
    """Write both files."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("wheel", type=Path, help="a wheel of the package arch")
    wheel = parser.parse_args().wheel
    FOLDER.mkdir(exist_ok=True)
    with zipfile.ZipFile(wheel) as archive:
        for name, (member, columns) in SERIES.items():
            text = gzip.decompress(archive.read(member)).decode()
            lines = [
                f"# {TITLES[name]}, {FIRST} to {LAST}: real bars as the PyPI package arch carries"
                f" them ({member}), rounded to two decimals.",
                ",".join(["date", *(HEADERS.get(c, c.lower()) for c in columns)]),
            ]
            for row in csv.DictReader(io.StringIO(text)):
                day = datetime.strptime(row["Date"], "%m/%d/%Y").date().isoformat()
                if FIRST <= day <= LAST and row[columns[0]] not in HOLIDAY:
                    lines.append(",".join([day, *(f"{float(row[c]):.2f}" for c in columns)]))
            (FOLDER / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
