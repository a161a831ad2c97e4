"""The quickstart notebook runs as it is committed, and is committed without its outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbclient
import nbformat
import pytest


@pytest.fixture(scope="module")
def quickstart() -> Any:
    path = Path(__file__).parents[2] / "examples" / "quickstart.ipynb"
    text = path.read_text(encoding="utf-8")
    return nbformat.reads(text, as_version=4)  # type: ignore[no-untyped-call]


def code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_the_notebook_is_committed_without_outputs(quickstart: Any) -> None:
    assert len(code_cells(quickstart)) > 5
    for cell in code_cells(quickstart):
        assert cell.outputs == []
        assert cell.execution_count is None


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_notebook_runs_from_bars_to_a_reliability_diagram(
    quickstart: Any, tmp_path: Path
) -> None:
    executed = nbclient.NotebookClient(
        quickstart.copy(),
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    ).execute()
    shown = [output for cell in code_cells(executed) for output in cell.outputs if "data" in output]
    pages = [output.data["text/html"] for output in shown if "text/html" in output.data]
    assert len(pages) == 1
    assert "<iframe" in pages[0]
    assert sum("image/png" in output.data for output in shown) == 2
    assert "aegismatrix.html" in shown[-1].data["text/plain"]
    printed = "".join(
        output.text for cell in code_cells(executed) for output in cell.outputs if "text" in output
    )
    assert "none demonstrated" in printed
