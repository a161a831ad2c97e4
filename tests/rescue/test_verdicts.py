"""A verdict says what a file is, everything that stands in its way, and the next step."""

from __future__ import annotations

import io
import json
import math
import os
import re
import signal
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aegismatrix_factory.commands.rescue import summary
from aegismatrix_factory.conversion import ForbiddenGraphError
from aegismatrix_factory.rescue import single, workers
from aegismatrix_factory.rescue.converting.family import Family
from aegismatrix_factory.rescue.converting.graphs import author
from aegismatrix_factory.rescue.converting.parts import revive
from aegismatrix_factory.rescue.folder import render_report, rescue
from aegismatrix_factory.rescue.page import render_page
from aegismatrix_factory.rescue.reading.containers import read_bytes
from aegismatrix_factory.rescue.reading.environments import environment
from aegismatrix_factory.rescue.reading.errors import LegacyError, LimitError
from aegismatrix_factory.rescue.reading.limits import Clock, Limits, conversion_takes_too_long
from aegismatrix_factory.rescue.reading.ubjson import read_ubjson
from aegismatrix_factory.rescue.verdicts import Rescued

from aegismatrix.engine.verify import verify
from scripts.rescue import main
from tests import pickles
from tests.pickles import Instance, Writer

FIXTURES = Path(__file__).parents[1] / "fixtures"
RELEASE = FIXTURES / "releases" / "scikit-learn-1.5.2-numpy-2.0.2"


def zipped(*names: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name in names:
            archive.writestr(name, "{}")
    return made.getvalue()


def arrays() -> bytes:
    made = io.BytesIO()
    np.savez(made, a=np.ones(3), b=np.zeros(2))
    return made.getvalue()


def safetensors() -> bytes:
    head = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    return len(head).to_bytes(8, "little") + head + bytes(4)


HDF5 = b"\x89HDF\r\n\x1a\n" + bytes(64)
NO_PICKLES = {
    "pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "pointer", "LFS"),
    "page": (b"\r\n <!DOCTYPE html>\n<html></html>", "web-page", "web page"),
    "bare page": (b"\xef\xbb\xbf<html><body>404</body></html>", "web-page", "web page"),
    "nothing": (b"", "truncated", "empty"),
    "table": (b"a;b\n1;2\n3;4\n", "data-file", "CSV"),
    "document": (b"[1,\n 2]\n", "data-file", "JSON"),
    "words": ("nur Wörter\nund mehr".encode(), "data-file", "text"),
    "markup": (b'<?xml version="1.0"?><a/>', "data-file", "XML"),
    "pmml": (b'<?xml version="1.0"?><PMML/>', "unsupported-container", "PMML"),
    "array": (b"\x93NUMPY\x01\x00", "data-file", "npy"),
    "arrays": (arrays(), "data-file", "npz"),
    "parquet": (b"PAR1" + bytes(20), "data-file", "Parquet"),
    "keras in HDF5": (HDF5 + b"model_weights", "unsupported-container", "Keras"),
    "HDF5": (HDF5, "unsupported-container", "HDF5"),
    "keras 3": (
        zipped("metadata.json", "config.json", "model.weights.h5"),
        "unsupported-container",
        "Keras 3",
    ),
    "saved model": (b"\x08\x01\x12\x40 tags serve", "unsupported-container", "SavedModel"),
    "onnx": (b"\x08\x08\x12\x07pytorch", "unsupported-container", "ONNX"),
    "safetensors": (safetensors(), "unsupported-container", "safetensors"),
    "skops": (zipped("schema.json", "1.npy"), "unsupported-container", "skops"),
    "office": (zipped("[Content_Types].xml", "xl/a.xml"), "data-file", "Office"),
}


@pytest.mark.parametrize("kind", NO_PICKLES)
def test_what_is_no_pickle_is_named_as_what_it_is(kind: str) -> None:
    data, code, said = NO_PICKLES[kind]
    with pytest.raises(LegacyError, match=said) as caught:
        read_bytes(data)
    assert caught.value.code == code
    assert caught.value.remedy.endswith(".")


@pytest.mark.parametrize("protocol", [0, 1])
def test_a_damaged_pickle_of_old_is_not_taken_for_text(protocol: int) -> None:
    state = {"alpha": 1.0, "names": ["a", "b"], "_sklearn_version": "0.24.2"}
    data = Writer(protocol).dumps(Instance("sklearn.linear_model", "Ridge", state))
    with pytest.raises(LegacyError) as caught:
        read_bytes(data.replace(b"sklearn", b"\nsklearn", 1))
    assert caught.value.code not in ("data-file", "web-page")


def found(old: Path, new: Path, **options: Any) -> dict[str, Rescued]:
    return {one.file: one for one in rescue(old, new, **options)}


@pytest.fixture
def old(tmp_path: Path) -> Path:
    folder = tmp_path / "old"
    folder.mkdir()
    return folder


@pytest.fixture
def one(old: Path) -> Path:
    """A folder of one model that converts."""
    (old / "model.pkl").write_bytes((RELEASE / "huber.p2.pkl").read_bytes())
    return old


def test_all_that_stands_in_the_way_is_said_at_once(old: Path, tmp_path: Path) -> None:
    module, version = "sklearn.preprocessing._data", {"_sklearn_version": "1.5.2"}
    scaler = {"with_mean": True, "with_std": True, "mean_": np.zeros(2), "scale_": np.ones(2)}
    steps = [
        ("own", Instance("mine.models", "Cleaner", {"a": 1})),
        ("scale", Instance(module, "StandardScaler", {**scaler, "n_features_in_": 2, **version})),
        ("spline", Instance(module, "SplineTransformer", {"degree": 3, **version})),
        ("odd", Instance(module, "StandardScaler", {**scaler, "x": 1, "y": 2, **version})),
    ]
    line = Instance("sklearn.pipeline", "Pipeline", {"steps": steps, "verbose": False, **version})
    (old / "line.pkl").write_bytes(Writer(4).dumps(line))
    verdict = found(old, tmp_path / "new")["line.pkl"]
    assert (verdict.described, verdict.library, verdict.release) == (
        "Pipeline",
        "scikit-learn",
        "1.5.2",
    )
    assert verdict.obstacles[0] == verdict.refusal
    reasons = " / ".join(one.reason for one in verdict.obstacles)
    for said in ("mine.models.Cleaner", "SplineTransformer", "has x", "has y"):
        assert reasons.count(said) == 1, reasons
    converts = {part["path"]: part["converts"] for part in verdict.parts}
    assert converts["steps.1.1"] is True
    assert converts[""] is converts["steps.2.1"] is converts["steps.3.1"] is False


@pytest.mark.parametrize(
    "name", ["hashing_line.gzip.joblib", "boosting_regressor_started.gzip.joblib"]
)
def test_an_environment_is_pinned_beside_what_is_refused(
    name: str, old: Path, tmp_path: Path
) -> None:
    (old / name).write_bytes((RELEASE / name).read_bytes())
    new = tmp_path / "new"
    verdict = found(old, new)[name]
    assert verdict.container == {"kind": "joblib", "compression": "gzip", "protocol": 4}
    assert verdict.requirements is not None
    file, content = verdict.requirements
    assert (new / file).read_text(encoding="utf-8") == content
    assert {"scikit-learn==1.5.2", "numpy==2.0.2", "joblib==1.4.2"} <= set(content.splitlines())
    assert file in verdict.next_step
    assert "Python 3.12" in verdict.next_step
    assert verify(new) == []
    # The folder is known as one of a rescue, with that file.
    rescue(old, new)


@pytest.mark.parametrize("kept", ["bare", "in a dictionary"])
def test_the_release_of_a_booster_is_read_from_its_document(
    kept: str, old: Path, tmp_path: Path
) -> None:
    made = FIXTURES / "releases" / "xgboost-3.3.0-numpy-2.5.1" / "booster_expectiles.bz2.joblib"
    value = read_bytes(made.read_bytes()).value
    booster = Instance(value.module, value.name, dict(value.state))
    (old / "line.pkl").write_bytes(Writer(5).dumps(booster if kept == "bare" else {"m": booster}))
    verdict = found(old, tmp_path / "new")["line.pkl"]
    assert verdict.requirements is not None
    assert "xgboost==3.3.0" in verdict.requirements[1].splitlines()
    assert (verdict.library, verdict.release) == ("xgboost", "3.3.0")


def test_an_environment_says_which_own_module_it_needs(old: Path, tmp_path: Path) -> None:
    (old / "own.pkl").write_bytes((RELEASE / "foreign_class.p2.pkl").read_bytes())
    verdict = found(old, tmp_path / "new")["own.pkl"]
    assert verdict.requirements is not None
    assert "scripts.legacy_families.bundles" in verdict.requirements[1]
    assert verdict.described.endswith("bundles.TrapEngine")
    assert [part["class"] for part in verdict.parts if part["converts"]] == ["LogisticRegression"]


def test_no_environment_is_guessed(old: Path, tmp_path: Path) -> None:
    names = {"cut.pkl": (RELEASE / "container.p3.pkl").read_bytes()[:900]}
    names["unsaid.pkl"] = Writer(4).dumps(Instance("lightgbm.basic", "Nothing", {"a": 1}))
    for name, data in names.items():
        (old / name).write_bytes(data)
    verdicts = found(old, tmp_path / "new")
    assert all(one.requirements is None for one in verdicts.values())
    assert verdicts["cut.pkl"].library == "scikit-learn"
    assert verdicts["cut.pkl"].release == "1.5.2"
    assert all(one.next_step.endswith(".") for one in verdicts.values())


def test_nobody_is_accused_for_what_a_file_names() -> None:
    called = {
        # dill loads types by name: it is the type that is named.
        ("dill._dill", "_load_type"): "builtins.x",
        ("builtins", "getattr"): "builtins.getattr",
        ("os", "system"): "os.system",
    }
    for pair, named in called.items():
        with pytest.raises(LegacyError) as caught:
            read_bytes(pickles.pickled(pickles.call(*pair, pickles.text("x"))))
        assert "names what this reader does not call" in caught.value.reason
        assert named in caught.value.reason
        assert "find out where" not in str(caught.value)


def test_keys_survive_in_any_script_and_length(old: Path, tmp_path: Path) -> None:
    def line(weight: float) -> Instance:
        state = {
            "n_features_in_": 1,
            "coef_": np.array([weight]),
            "intercept_": 0.0,
            "fit_intercept": True,
            "_sklearn_version": "1.8.0",
        }
        return Instance("sklearn.linear_model._base", "LinearRegression", state)

    keys = ["São Paulo", "日本" * 40, "x" * 2000 + "1", "x" * 2000 + "2", "x" * 200 + "3"]
    value = {key: line(float(place)) for place, key in enumerate(keys)}
    plain = {f"{key} told": place for place, key in enumerate(keys)}
    (old / "über.pkl").write_bytes(Writer(4).dumps({**value, **plain}))
    verdict = found(old, tmp_path / "new")["über.pkl"]
    assert verdict.verdict == "converted", verdict.refusal
    said = [str(one.entry["provenance"]["key"]) for one in verdict.artifacts]
    assert said[:2] == keys[:2]
    assert said[4] == keys[4]
    assert len(set(said)) == len({one.entry["name"] for one in verdict.artifacts}) == 5
    assert verdict.carried is not None
    assert sorted(verdict.carried.values()) == [0, 1, 2, 3, 4]
    assert verdict.carried["São Paulo told"] == 0
    assert "über.pkl" in summary([verdict])
    assert verify(tmp_path / "new") == []


def test_long_names_of_one_beginning_do_not_collide(old: Path, tmp_path: Path) -> None:
    data = (RELEASE / "container.p3.pkl").read_bytes()
    for end in "123":
        (old / f"{'n' * 120}{end}.pkl").write_bytes(data)
    names = {
        str(artifact.entry["name"]).casefold()
        for one in found(old, tmp_path / "new").values()
        for artifact in one.artifacts
    }
    assert len(names) % 3 == 0
    assert len(names) >= 3
    assert verify(tmp_path / "new") == []


def test_what_is_not_called_a_model_file_is_named_if_its_first_bytes_say_it(
    old: Path, tmp_path: Path
) -> None:
    (old / "net.h5").write_bytes(HDF5 + b"keras")
    (old / "notes.txt").write_bytes(b"words")
    (old / "line.pkl").write_bytes((RELEASE / "container.p3.pkl").read_bytes())
    verdicts = found(old, tmp_path / "new")
    assert verdicts["net.h5"].verdict == "not a model file"
    assert "Keras" in verdicts["net.h5"].described
    assert verdicts["notes.txt"].described == ""


def mixed(old: Path) -> None:
    """Several kinds of files, and two that come upon one name."""
    for name in ("container.p3.pkl", "hashing_line.gzip.joblib", "foreign_class.p2.pkl"):
        (old / name).write_bytes((RELEASE / name).read_bytes())
    line = Instance(
        "sklearn.linear_model._base",
        "LinearRegression",
        {
            "n_features_in_": 1,
            "coef_": np.ones(1),
            "intercept_": 0.0,
            "fit_intercept": True,
            "_sklearn_version": "1.8.0",
        },
    )
    (old / "a.pkl").write_bytes(Writer(4).dumps({"b-c": line}))
    (old / "a-b.pkl").write_bytes(Writer(4).dumps({"c": line}))
    (old / "page.pkl").write_bytes(b"<html></html>")
    (old / "notes.txt").write_bytes(b"words")


def test_several_jobs_give_what_one_gives(old: Path, tmp_path: Path) -> None:
    mixed(old)
    results = []
    for jobs in (0, 1, 3):
        new = tmp_path / f"new{jobs}"
        seen: list[Rescued] = []
        verdicts = rescue(old, new, report=seen.append, jobs=jobs)
        assert seen == list(verdicts)
        files = {file.name: file.read_bytes() for file in new.iterdir()}
        results.append((files, summary(verdicts), render_page(verdicts)))
        assert render_report(verdicts, Limits()) == files["report.json"]
    assert results[0] == results[1] == results[2]
    names = {name for name in results[0][0] if name.startswith("a-b-c")}
    assert names == {"a-b-c.onnx", "a-b-c-2.onnx"}


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system ends no process so")
def test_a_file_that_ends_its_process_is_refused_and_the_others_are_not(
    old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mixed(old)
    (old / "bad.pkl").write_bytes(b"whatever")
    # What a worker runs, with a fault in it.
    program = (
        "import os, signal\n"
        "from aegismatrix_factory.rescue import single, workers\n"
        "def convert(task, limits):\n"
        "    if task.name == 'bad.pkl':\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return single.convert(task, limits)\n"
        "workers.convert = convert\n"
        "workers.main()\n"
    )
    (tmp_path / "faulty_worker.py").write_text(program, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(workers, "MODULE", "faulty_worker")
    verdicts = found(old, tmp_path / "new", jobs=2)
    refusal = verdicts["bad.pkl"].refusal
    assert refusal is not None
    assert refusal.code == "ended-process"
    assert "SIGKILL" in refusal.reason
    assert verdicts["bad.pkl"].size_bytes == len(b"whatever")
    assert verdicts["a.pkl"].verdict == verdicts["container.p3.pkl"].verdict == "converted"


def test_memory_that_does_not_suffice_is_the_verdict_on_one_file(
    old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mixed(old)

    def starved(value: object, read: Any, *clock: object) -> Any:
        if isinstance(value, dict) and "b-c" in value:
            raise MemoryError
        return revive(value, read)

    monkeypatch.setattr("aegismatrix_factory.rescue.single.revive", starved)
    verdicts = found(old, tmp_path / "new")
    refusal = verdicts["a.pkl"].refusal
    assert refusal is not None
    assert refusal.code == "limit-memory"
    assert verdicts["a-b.pkl"].verdict == "converted"


def test_the_page_stands_alone_and_shows_what_files_say_as_text(old: Path, tmp_path: Path) -> None:
    mixed(old)
    (old / "<b>&x.pkl").write_bytes(b"")
    page = tmp_path / "verdicts.html"
    assert main([str(old), str(tmp_path / "new"), "--html", str(page), "--jobs", "2"]) == 1
    text = page.read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert "&lt;b&gt;&amp;x.pkl" in text
    assert "<b>" not in text
    assert not re.search(r"<script|https?:|src=|url\(", text)
    for said in ("HashingVectorizer", "LogisticRegression at model: would convert", "protocol 4"):
        assert said in text


def test_a_page_that_cannot_be_written_is_said(old: Path, tmp_path: Path) -> None:
    mixed(old)
    assert main([str(old), str(tmp_path / "new"), "--html", str(tmp_path)]) == 2


@pytest.mark.parametrize("jobs", ["-1", "65", "x"])
def test_a_number_of_jobs_that_is_none_is_refused(jobs: str, old: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([str(old), str(tmp_path / "new"), "--jobs", jobs])
    assert stopped.value.code == 2


def test_progress_is_shown_on_a_terminal_alone(
    old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tqdm", reason="tqdm is not installed (extra train)")
    mixed(old)
    main([str(old), str(tmp_path / "new")])
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    main([str(old), str(tmp_path / "new")])
    assert "7/7" in capsys.readouterr().err


def test_a_terminal_that_knows_no_other_script_gets_escapes(
    old: Path, tmp_path: Path, repository: Path
) -> None:
    import subprocess
    import sys

    (old / "日本.pkl").write_bytes((RELEASE / "container.p3.pkl").read_bytes())
    done = subprocess.run(
        [sys.executable, "-m", "aegismatrix", "rescue", str(old), str(tmp_path / "new")],
        capture_output=True,
        cwd=repository,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert b"\\u65e5\\u672c.pkl" in done.stdout


def test_the_table_names_some_of_many_models_inside_of_a_refused_one(tmp_path: Path) -> None:
    """A boosting of hundreds of trees that is refused filled the screen with them."""
    verdicts = rescue(FIXTURES / "legacy" / "torch-2.13.0-numpy-2.4.6", tmp_path / "new")
    refused = next(one for one in verdicts if one.verdict == "refused")
    trees = [{"path": f"estimators_.{n}", "class": "Tree", "converts": True} for n in range(20)]
    (line,) = (
        line
        for line in summary([replace(refused, parts=tuple(trees))]).splitlines()
        if line.startswith("inside: ")
    )
    assert line.count("Tree at") == 6
    assert line.endswith("Tree at estimators_.5, and 14 more")


@pytest.mark.parametrize("jobs", [0, 1])
def test_a_fault_of_this_package_is_the_verdict_on_one_file_and_the_exit_status_says_so(
    jobs: int, one: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(_: object, __: object) -> None:
        raise ZeroDivisionError("something of the file")

    if jobs:
        # A worker imports what lies in the first folder of the path.
        (tmp_path / "path").mkdir()
        (tmp_path / "path" / "sitecustomize.py").write_text(
            "from aegismatrix_factory.rescue.converting import family\n"
            "def wrong(*_):\n    raise ZeroDivisionError('something of the file')\n"
            "family.Family.attributes = wrong\n",
            encoding="utf-8",
        )
        monkeypatch.syspath_prepend(tmp_path / "path")
    else:
        monkeypatch.setattr(Family, "attributes", wrong)
    (one / "half.pkl").write_bytes(b"\x80\x04")
    verdicts = found(one, tmp_path / "new", jobs=jobs)
    refusal = verdicts["model.pkl"].refusal
    assert refusal is not None
    assert refusal.code == "fault"
    assert "ZeroDivisionError" in refusal.reason
    assert "something of the file" not in refusal.reason
    assert verdicts["model.pkl"].sha256
    other = verdicts["half.pkl"].refusal
    assert other is not None
    assert other.code == "truncated"
    if not jobs:
        assert main([str(one), str(tmp_path / "again")]) == 3


def test_a_conversion_that_takes_too_long_is_refused(one: Path, tmp_path: Path) -> None:
    verdicts = rescue(one, tmp_path / "new", Limits(conversion_seconds=1e-9))
    refusal = verdicts[0].refusal
    assert refusal is not None
    assert refusal.code == "limit-conversion-time"
    assert "conversion_seconds" in refusal.remedy


def test_each_step_of_a_conversion_looks_at_the_clock(one: Path) -> None:
    class Late(Clock):
        left = 10**6

        def check(self) -> None:
            self.left -= 1
            if not self.left:
                raise conversion_takes_too_long(1.0)

    value = read_bytes((one / "model.pkl").read_bytes()).value
    for allowed in (1, 2, 3):
        clock = Late(1.0)
        clock.left = allowed
        with pytest.raises(LimitError):
            author(revive(value, read_ubjson, clock).models[0].part, clock)


def test_a_worker_whose_one_step_takes_too_long_is_ended(
    one: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "_longest", lambda _: 0.01)
    (verdict,) = rescue(one, tmp_path / "new", jobs=1)
    assert verdict.refusal is not None
    assert verdict.refusal.code == "limit-conversion-time"


def test_a_graph_that_no_artifact_may_hold_is_refused_with_what_one_can_do(
    one: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_: object) -> None:
        raise ForbiddenGraphError("model", ["more than 10000 nodes."])

    monkeypatch.setattr(single, "finish", forbidden)
    (verdict,) = rescue(one, tmp_path / "new")
    assert verdict.refusal is not None
    assert verdict.refusal.code == "forbidden-graph"
    assert "more than 10000 nodes" in verdict.refusal.reason
    assert "smaller model" in verdict.refusal.remedy


@pytest.mark.parametrize(
    ("release", "python", "numpy"),
    [("0.90", "3.7", "1.17.5"), ("1.6.2", "3.9", "1.23.5"), ("3.3.0", "3.13", "2.5.1")],
)
def test_an_environment_of_xgboost_alone_pins_the_numpy_of_its_time(
    release: str, python: str, numpy: str
) -> None:
    made = environment({"xgboost": release}, ["xgboost.core"], is_joblib=False)
    assert made is not None
    assert made.python == python
    assert made.requirements[:2] == (f"xgboost=={release}", f"numpy=={numpy}")
    assert not any(line.startswith("scikit-learn") for line in made.requirements)
    wrapped = environment({"xgboost": release}, ["xgboost.sklearn"], is_joblib=False)
    assert wrapped is not None
    assert any(line.startswith("scikit-learn==") for line in wrapped.requirements)


def test_environments_pin_what_the_fixtures_of_those_releases_were_made_in() -> None:
    manifest = json.loads((FIXTURES / "releases" / "manifest.json").read_text(encoding="utf-8"))
    for name, folder in manifest["folders"].items():
        if name.startswith("xgboost-"):
            versions = folder["versions"]
            given = {"xgboost": versions["xgboost"]}
            made = environment(given, ["xgboost.sklearn"], is_joblib=False)
            assert made is not None
            assert f"numpy=={versions['numpy']}" in made.requirements
            assert f"scikit-learn=={versions['scikit-learn']}" in made.requirements
            assert versions["python"].startswith(f"{made.python}.")


def test_a_model_whose_graph_is_not_written_does_not_convert_inside_either(
    old: Path, tmp_path: Path
) -> None:
    """Its answer is text, which is found when its graph is written."""
    module, version = "sklearn.impute._base", {"_sklearn_version": "1.5.2"}
    state = {
        "missing_values": math.nan,
        "strategy": "most_frequent",
        "fill_value": None,
        "add_indicator": False,
        "keep_empty_features": False,
        "statistics_": np.array(["calm"], dtype=object),
        "_fit_dtype": np.dtype("O"),
        "indicator_": None,
        "n_features_in_": 1,
        **version,
    }
    imputer = Instance(module, "SimpleImputer", state)
    line = Instance("sklearn.pipeline", "Pipeline", {"steps": [("fill", imputer)], **version})
    (old / "line.pkl").write_bytes(Writer(4).dumps(line))
    (old / "two.pkl").write_bytes(Writer(4).dumps({"fill": imputer}))
    verdicts = found(old, tmp_path / "new")
    for name in ("line.pkl", "two.pkl"):
        assert [one.reason for one in verdicts[name].obstacles] == [
            "its answer is text, which no artifact holds"
        ]
        assert not any(part["converts"] for part in verdicts[name].parts)
    assert "inside:" not in summary(list(verdicts.values()))


def test_what_a_model_was_made_from_and_how_it_is_built_is_no_obstacle(
    old: Path, tmp_path: Path
) -> None:
    version = {"_sklearn_version": "1.5.2"}
    unfitted = Instance(
        "sklearn.compose._column_transformer", "ColumnTransformer", {"transformers": [], **version}
    )
    inner = Instance("sklearn.gaussian_process._gpc", "_BinaryGaussianProcess", {**version})
    state = {"estimator": unfitted, "base_estimator_": inner, **version}
    process = Instance("sklearn.gaussian_process._gpc", "GaussianProcessClassifier", state)
    (old / "process.pkl").write_bytes(Writer(4).dumps(process))
    verdict = found(old, tmp_path / "new")["process.pkl"]
    assert [one.reason for one in verdict.obstacles] == [
        "there is no converter for sklearn.gaussian_process._gpc.GaussianProcessClassifier"
    ]
    assert [part["class"] for part in verdict.parts] == ["GaussianProcessClassifier"]


def test_a_model_that_holds_itself_is_not_called_damaged(old: Path, tmp_path: Path) -> None:
    leaf: list[Any] = []
    leaf.append(leaf)
    tree = Instance("sklearn.cluster._birch", "Birch", {"root_": leaf, "_sklearn_version": "1.5.2"})
    (old / "birch.pkl").write_bytes(Writer(4).dumps(tree))
    verdict = found(old, tmp_path / "new")["birch.pkl"]
    assert verdict.refusal is not None
    assert verdict.refusal.code == "cycle"
    assert "backup" not in verdict.next_step
    assert verdict.described == "Birch"
