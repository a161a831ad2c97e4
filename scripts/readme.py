"""Put the skill table of the committed manifest into README.md."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from exporters.card import skill_table

REPOSITORY = Path(__file__).parents[1]
TABLE = re.compile(r"(?<=<!-- skill table -->\n)(.*?)(?=\n<!-- end of skill table -->)", re.DOTALL)


def main() -> int:
    """Rewrite the table between its marks."""
    content = json.loads((REPOSITORY / "models_onnx" / "manifest.json").read_text(encoding="utf-8"))
    readme = REPOSITORY / "README.md"
    text, found = TABLE.subn(lambda _: skill_table(content), readme.read_text(encoding="utf-8"))
    if found != 1:
        print("readme: README.md has no place marked for the skill table", file=sys.stderr)
        return 2
    readme.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
