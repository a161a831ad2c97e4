"""What stands where onnxruntime should, and in which order it was imported."""

from __future__ import annotations

import importlib.abc
import os
import subprocess
import sys
import types
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

import aegismatrix as am


class Refusing(importlib.abc.MetaPathFinder):
    """Finds an onnxruntime whose library does not load on this machine."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:
        if name == "onnxruntime":
            raise self.error
        return None


def standing_in(monkeypatch: pytest.MonkeyPatch, module: types.ModuleType | None) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", module)


def refusal() -> am.errors.OnnxruntimeError:
    with pytest.raises(am.errors.OnnxruntimeError) as refused:
        am.Engine()
    assert "pip install" in refused.value.remedy or "own" in refused.value.remedy
    return refused.value


def test_a_missing_onnxruntime_is_said_with_the_line_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    standing_in(monkeypatch, None)
    error = refusal()
    assert error.kind == "missing"
    assert isinstance(error, ImportError)


def test_what_an_uninstalled_package_left_behind_is_no_onnxruntime(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    left = types.ModuleType("onnxruntime")
    left.__path__ = [str(tmp_path / "onnxruntime")]
    left.__file__ = None
    standing_in(monkeypatch, left)
    error = refusal()
    assert (error.kind, error.place) == ("emptied", str(tmp_path / "onnxruntime"))
    # The distributions that are there are named: two of them share one folder.
    assert any(name.startswith("onnxruntime ") for name in error.installed)
    assert error.installed[0] in str(error)


def test_another_module_of_that_name_is_named_with_its_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own = types.ModuleType("onnxruntime")
    own.__file__ = str(tmp_path / "onnxruntime.py")
    standing_in(monkeypatch, own)
    error = refusal()
    assert (error.kind, error.place, error.reason) == ("replaced", own.__file__, "InferenceSession")


@pytest.mark.parametrize(
    "cause",
    [
        ImportError("libgomp.so.1: cannot open shared object file"),
        ModuleNotFoundError("No module named 'onnxruntime.capi'", name="onnxruntime.capi"),
        OSError("not a valid library"),
        AttributeError("_ARRAY_API not found"),
    ],
    ids=lambda cause: type(cause).__name__,
)
def test_an_onnxruntime_that_cannot_be_imported_says_why(
    cause: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "onnxruntime", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Refusing(cause), *sys.meta_path])
    error = refusal()
    assert (error.kind, error.reason) == ("broken", str(cause))
    assert error.__cause__ is cause


def run(code: str, home: Path, **given: str) -> subprocess.CompletedProcess[str]:
    rest = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    return subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        env={**rest, "HOME": str(home), **given},
    )


PREDICT = "am.Engine().predict(am.sample_bars()).row()"


def test_the_home_folder_stays_empty_where_the_package_is_imported_first(tmp_path: Path) -> None:
    done = run(f"import aegismatrix as am, onnxruntime; {PREDICT}", tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert done.stderr == ""


def test_an_onnxruntime_that_was_imported_first_is_said_once(tmp_path: Path) -> None:
    first = "import onnxruntime, importlib, aegismatrix as am; importlib.reload(am)"
    done = run(f"{first}; {PREDICT}", tmp_path)
    assert done.stderr.count("RuntimeWarning") == 1
    assert "ORT_DISABLE_TELEMETRY=1" in done.stderr
    for chosen in ("0", "1"):
        assert run(f"{first}; {PREDICT}", tmp_path, ORT_DISABLE_TELEMETRY=chosen).stderr == ""
