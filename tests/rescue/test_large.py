"""Large forests: the same numbers whatever nodes their trees are written to, in bounded memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aegismatrix_factory.rescue.converting import ensembles
from aegismatrix_factory.rescue.folder import rescue

from aegismatrix.engine.model import load_models
from tests.pickles import Instance, Writer

NODE = np.dtype(
    {
        "names": ["left_child", "right_child", "feature", "threshold", "missing_go_to_left"],
        "formats": ["<i8", "<i8", "<i8", "<f8", "u1"],
        "offsets": [0, 8, 16, 24, 56],
        "itemsize": 64,
    }
)
COLUMNS = 5
MEMORY_PER_BYTE = 12


def full_tree(levels: int, random: np.random.Generator) -> Instance:
    """A tree whose leaves all have one depth, numbered by level."""
    size, inner = 2 ** (levels + 1) - 1, 2**levels - 1
    nodes = np.zeros(size, dtype=NODE)
    every = np.arange(size)
    for name, step in (("left_child", 1), ("right_child", 2)):
        nodes[name] = np.where(every < inner, 2 * every + step, -1)
    nodes["feature"] = np.where(every < inner, random.integers(0, COLUMNS, size), -2)
    nodes["threshold"] = np.where(every < inner, random.normal(size=size), -2.0)
    tree = Tree(
        {
            "max_depth": levels,
            "node_count": size,
            "nodes": nodes,
            "values": random.normal(size=(size, 1, 1)),
        }
    )
    state = {
        "criterion": "squared_error",
        "splitter": "best",
        "monotonic_cst": None,
        "n_features_in_": COLUMNS,
        "n_outputs_": 1,
        "tree_": tree,
        "_sklearn_version": "1.9.0",
    }
    return Instance("sklearn.tree._classes", "DecisionTreeRegressor", state)


class Tree:
    """Pickled as scikit-learn's own is: by its class, three arguments and a state."""

    __module__ = "sklearn.tree._tree"

    def __init__(self, state: dict[str, Any]) -> None:
        self.state = state

    def __reduce_ex__(self, _: object) -> tuple[Any, ...]:
        return Tree, (COLUMNS, np.array([1], dtype=np.int64), 1), self.state


def forest(trees: int, levels: int) -> bytes:
    random = np.random.default_rng(7)
    state = {
        "criterion": "squared_error",
        "monotonic_cst": None,
        "n_features_in_": COLUMNS,
        "n_outputs_": 1,
        "estimators_": [full_tree(levels, random) for _ in range(trees)],
        "_sklearn_version": "1.9.0",
    }
    return Writer(5).dumps(Instance("sklearn.ensemble._forest", "RandomForestRegressor", state))


def folder_of(content: bytes, path: Path) -> Path:
    path.mkdir()
    (path / "forest.pkl").write_bytes(content)
    return path


def test_trees_that_are_written_apart_answer_what_they_answer_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = folder_of(forest(9, 6), tmp_path / "old")
    rows = np.random.default_rng(1).normal(size=(500, COLUMNS))
    answers = []
    for nodes in (10**9, 300, 1):
        monkeypatch.setattr(ensembles, "_GROUP_NODES", nodes)
        (verdict,) = rescue(old, tmp_path / "new")
        assert verdict.verdict == "converted", verdict.refusal
        answers.append(load_models(tmp_path / "new")["forest"].run(x=rows)["value"])
    assert len(np.unique(answers[0])) > 100
    assert all((answer == answers[0]).all() for answer in answers)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "wait4"), reason="this system does not say what a child took")
def test_two_million_nodes_convert_in_memory_that_their_file_bounds(tmp_path: Path) -> None:
    old = folder_of(forest(16, 16), tmp_path / "old")
    size = (old / "forest.pkl").stat().st_size
    command = [sys.executable, "-m", "aegismatrix", "rescue", str(old), str(tmp_path / "new")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    peak = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    assert peak < MEMORY_PER_BYTE * size
    model = load_models(tmp_path / "new")["forest"]
    assert len(np.unique(model.run(x=np.random.default_rng(1).normal(size=(99, 5)))["value"])) > 90
