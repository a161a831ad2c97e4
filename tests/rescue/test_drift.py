"""What changed in silence between releases is heeded, or the file is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import drift
from scripts.documents import between_marks


@pytest.mark.slow
def test_every_silent_change_between_releases_is_heeded_and_told_in_the_document(
    repository: Path,
) -> None:
    lines = [drift.found(one) for one in drift.DRIFTS]
    assert [one.drift.asked for one in lines if not one.right] == []
    unharmed = [one.drift.asked for one in lines if one.as_todays == 0.0]
    assert unharmed == [], "this is no change of numbers"
    text = (repository / "docs" / "rescue.md").read_text(encoding="utf-8")
    assert between_marks(text, drift.MARK, drift.table(lines)) == text, "run benchmarks/drift.py"
