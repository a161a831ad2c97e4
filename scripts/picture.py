"""Take the README's picture: the page of the sample's report, in a headless Chromium."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import aegismatrix as am

PICTURE = Path(__file__).parents[1] / "docs" / "report.png"
WIDTH, HEIGHT, SCALE = 1400, 1330, 0.6


def main() -> int:
    """Write the picture."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        print("picture: there is no chromium on the path; install it", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        am.analyze(am.sample_bars()).to_html(page)
        subprocess.run(
            [
                browser,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
                "--disable-component-update",
                "--no-first-run",
                "--hide-scrollbars",
                f"--user-data-dir={folder}/profile",
                f"--window-size={WIDTH},{HEIGHT}",
                f"--force-device-scale-factor={SCALE}",
                f"--screenshot={PICTURE}",
                page.as_uri(),
            ],
            check=True,
            capture_output=True,
        )
    print(f"in {PICTURE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
