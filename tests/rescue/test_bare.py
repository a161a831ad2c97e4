"""Models that no pickle holds: files in the own forms of xgboost, LightGBM and CatBoost.

They are told from other JSON and text in a folder by what is in them, whatever they are called.
"""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aegismatrix_factory.rescue.folder import RescueFolderError, rescue
from aegismatrix_factory.rescue.reading.bare import library_of
from aegismatrix_factory.rescue.reading.containers import read_bytes
from aegismatrix_factory.rescue.reading.errors import LegacyError
from aegismatrix_factory.rescue.reading.limits import Limits
from aegismatrix_factory.rescue.reading.records import Record
from aegismatrix_factory.rescue.reading.ubjson import read_ubjson
from aegismatrix_factory.rescue.verdicts import CONVERTED, OTHER, REFUSED

from tests.rescue.test_revival import answer, document, only, places, proven, refused, stump

RELEASES = Path(__file__).parents[1] / "fixtures" / "releases"
SUFFIXES = ("json", "ubj", "model", "txt", "cbm")
BARE = sorted(
    file for kind in SUFFIXES for file in RELEASES.glob(f"*/*.{kind}") if file.name != "tables.json"
)
QUIET = {
    "empty.json": b"",
    "settings.json": b'{"version": 1, "model": "xgboost"}',
    "package.json": b'{"name": "model", "version": "1.0.0"}',
    "grid.json": b'{"learner": "xgboost", "trees": [1, 2]}',
    "metrics.json": b'{"model_info": {"auc": 0.7}, "trees": 100}',
    "learner.json": b'{"learner": {"name": "xgboost"}, "version": [1, 2, 3]}',
    "list.json": b"[1, 2, 3]",
    "notes.txt": b"tree\nof the garden\n",
    "requirements.txt": b"xgboost==2.0.3\n",
    "readme.txt": b"CBM is what CatBoost calls it",
    "half": b"binf\x00\x00",
}
DUMPS = {
    "dump.txt": b"booster[0]:\n0:[f2<0.07] yes=1,no=2,missing=1\n",
    "dump.json": b'[\n  { "nodeid": 0, "depth": 0, "split": "f2" }]',
    "described.json": b'{"name":"tree","version":"v4","num_class":1}',
}


def only_of(file: Path) -> Any:
    return only(read_bytes(file.read_bytes()).value)


def filed(**changes: Any) -> Record:
    """What a file of xgboost with one document is read as."""
    value = read_bytes(json.dumps(document(**changes)).encode()).value
    assert isinstance(value, Record)
    return value


def test_every_bare_file_of_every_release_is_told_by_how_it_begins() -> None:
    assert len(BARE) > 80
    for file in BARE:
        library = file.parent.name.partition("-")[0]
        data = file.read_bytes()
        assert library_of(data) == library
        legacy = read_bytes(data)
        assert (legacy.kind, legacy.compression, legacy.protocol) == (library, None, None)


def test_a_folder_of_bare_files_is_converted_whatever_they_are_called(tmp_path: Path) -> None:
    old = tmp_path / "old"
    (old / "deep").mkdir(parents=True)
    newest = RELEASES / "xgboost-3.3.0-numpy-2.5.1"
    wanted = {
        "model.json": newest / "booster_logistic.json",
        "model.ubj": newest / "booster_logistic.ubj",
        "deep/model.json": newest / "booster_softprob.json",
        "weights.dat": RELEASES / "xgboost-0.90-numpy-1.17.5" / "booster_logistic.model",
        "old.bin": RELEASES / "xgboost-1.2.1-numpy-1.19.5" / "booster_logistic.model",
        "leaves.txt": RELEASES / "lightgbm-4.7.0-numpy-2.5.1" / "booster_binary.txt",
        "no_suffix": RELEASES / "lightgbm-2.3.1-numpy-1.17.5" / "booster_three.txt",
        "cat.cbm": RELEASES / "catboost-1.2.10-numpy-2.3.5" / "classifier.cbm",
        "cat.json": RELEASES / "catboost-1.2.10-numpy-2.3.5" / "regressor.json",
    }
    for name, file in wanted.items():
        shutil.copy(file, old / name)
    for name, content in {**QUIET, **DUMPS}.items():
        (old / name).write_bytes(content)
    verdicts = {one.file: one for one in rescue(old, tmp_path / "new")}
    assert {name for name, one in verdicts.items() if one.verdict == CONVERTED} == wanted.keys()
    assert {name for name, one in verdicts.items() if one.verdict == OTHER} == {*QUIET, *DUMPS}
    assert {verdicts[name].described for name in QUIET} == {""}
    for name in DUMPS:
        assert "save_model" in verdicts[name].next_step
    assert verdicts["leaves.txt"].container == {
        "kind": "lightgbm",
        "compression": None,
        "protocol": None,
    }
    said = {one.artifacts[0].entry["name"] for name, one in verdicts.items() if name in wanted}
    assert {"model.json", "model.ubj", "deep-model", "weights", "leaves", "no_suffix"} <= said


def test_a_folder_of_other_json_and_text_holds_no_model(tmp_path: Path) -> None:
    for name, content in {**QUIET, **DUMPS}.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(RescueFolderError, match="no model file"):
        rescue(tmp_path, tmp_path.parent / "new")


def test_a_bare_file_that_is_refused_says_its_release_and_what_loads_it(tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    (old / "own.json").write_text(json.dumps(document(objective="own:loss")), encoding="utf-8")
    (verdict,) = rescue(old, tmp_path / "new")
    assert verdict.verdict == REFUSED
    assert verdict.refusal is not None
    assert verdict.refusal.code == "unsupported-objective"
    assert (verdict.described, verdict.library, verdict.release) == ("Booster", "xgboost", "2.0.3")
    assert verdict.requirements is not None
    assert "xgboost==2.0.3" in verdict.requirements[1]


def test_a_file_of_a_booster_is_asked_as_one_and_of_a_wrapper_as_that() -> None:
    three = {"trees": [stump()] * 3, "objective": "reg:squarederror", "base_score": "0E0"}
    best = {"best_iteration": "0"}
    rows = np.zeros((1, 2))
    whole = only(filed(attributes=best, **three))
    assert answer(whole, rows) == pytest.approx([1.2], rel=1e-6)
    noted = {"scikit_learn": json.dumps({"_estimator_type": "regressor"})}
    stopped = only(filed(attributes={**best, **noted}, **three))
    assert answer(stopped, rows) == pytest.approx([0.4], rel=1e-6)


def test_a_wrapper_notes_what_is_missing_and_what_its_classes_are_called() -> None:
    told = {"missing": -1.0, "_le": {"classes_": ["down", "up"]}}
    noted = {"scikit_learn": json.dumps(told)}
    revived = only(filed(attributes=noted, trees=[stump(default_left=[0, 0, 0])]))
    assert revived.part.model.classes == ("down", "up")
    missing, there = answer(revived, np.array([[-1.0, 0.0], [-2.0, 0.0]]))[:, 1]
    assert missing < there
    assert not any("missing" in one for one in revived.part.model.warnings)
    unsaid = {"scikit_learn": json.dumps({"_estimator_type": "classifier"})}
    warnings = only(filed(attributes=unsaid)).part.model.warnings
    assert any("give NaN in place of that number" in one for one in warnings)
    other = {"scikit_learn": json.dumps({"classes_": ["one"]})}
    assert refused(filed(attributes=other)) == "inconsistent-model"
    for damaged in ("{", "[]", 3):
        assert refused(filed(attributes={"scikit_learn": damaged})) == "inconsistent-model"


def test_a_model_text_with_the_lines_of_windows_is_the_same_model() -> None:
    data = (RELEASES / "lightgbm-4.7.0-numpy-2.5.1" / "booster_binary.txt").read_bytes()
    rows = np.linspace(-1.0, 1.0, 60).reshape(10, 6)
    here = only(read_bytes(data).value)
    there = read_bytes(data.replace(b"\n", b"\r\n"))
    assert there.notes
    assert answer(only(there.value), rows).tolist() == answer(here, rows).tolist()


def test_every_bare_file_that_is_cut_off_is_refused() -> None:
    for file in BARE:
        if "3.3.0" not in file.parent.name and "logistic.model" not in file.name:
            continue
        data = file.read_bytes()
        for size in range(40, len(data), max(1, len(data) // 7)):
            with pytest.raises(LegacyError):
                only(read_bytes(data[:size]).value)


def test_a_json_of_catboost_says_what_its_binary_form_says() -> None:
    for folder in sorted(RELEASES.glob("catboost-*")):
        binary, text = (
            only_of(folder / f"classifier.{suffix}").part.parameters for suffix in ("cbm", "json")
        )
        assert [tree.threshold.tolist() for tree in binary.trees] == [
            tree.threshold.tolist() for tree in text.trees
        ]
        assert [tree.values.tolist() for tree in binary.trees] == [
            tree.values.tolist() for tree in text.trees
        ]
        assert (binary.base.tolist(), binary.link) == (text.base.tolist(), text.link)


NESTED: dict[str, Any] = {
    "split": {"border": 0.5, "float_feature_index": 0, "split_index": 0},
    "left": {"value": 1.0, "weight": 3},
    "right": {
        "split": {"border": 2.0, "float_feature_index": 1, "split_index": 1},
        "left": {"value": 2.0, "weight": 1},
        "right": {"value": 4.0, "weight": 1},
    },
}
for _node in (NESTED, NESTED["right"]):
    _node["split"]["split_type"] = "FloatFeature"


def cat(**changes: Any) -> dict[str, Any]:
    """A document of CatBoost with one tree of its own shape."""
    columns = [
        {
            "borders": [border],
            "feature_id": "",
            "feature_index": place,
            "flat_feature_index": place,
            "has_nans": False,
            "nan_value_treatment": "AsIs",
        }
        for place, border in enumerate((0.5, 2.0))
    ]
    return {
        "features_info": {"float_features": columns},
        "model_info": {"params": {"loss_function": {"type": "RMSE"}}},
        "scale_and_bias": [1, [0.25]],
        "trees": [NESTED],
        **changes,
    }


def cat_file(**changes: Any) -> Record:
    value = read_bytes(json.dumps(cat(**changes)).encode()).value
    assert isinstance(value, Record)
    return value


def test_trees_of_catboost_that_nest_are_walked_as_they_stand() -> None:
    revived = only(cat_file())
    rows = np.array([[0.5, 9.0], [0.6, 2.0], [0.6, 2.1], [math.nan, 9.0]])
    assert answer(revived, rows).tolist() == [1.25, 2.25, 4.25, 1.25]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"trees": None}, "inconsistent-model"),
        ({"oblivious_trees": []}, "malformed"),
        ({"trees": [{"value": 1.0, "weight": 1}, {**NESTED, "right": None}]}, "malformed"),
        ({"trees": [{"split": NESTED["split"], "left": NESTED["left"]}]}, "malformed"),
        ({"trees": [{"value": [1.0, 2.0]}]}, "malformed"),
        ({"trees": [{"value": "1"}]}, "malformed"),
        ({"trees": [{**NESTED, "split": {**NESTED["split"], "border": 0.6}}]}, "malformed"),
        ({"trees": [{**NESTED, "split": {**NESTED["split"], "split_index": 1}}]}, "malformed"),
        ({"trees": [{**NESTED, "split": {**NESTED["split"], "split_type": "OnlineCtr"}}]},
         "malformed"),
        ({"scale_and_bias": [1]}, "malformed"),
        ({"scale_and_bias": [2, [0.25]]}, "unsupported-model"),
        ({"model_info": {}}, "inconsistent-model"),
        ({"ctr_data": {"a": 1}}, "categorical-splits"),
    ],
)  # fmt: skip
def test_a_json_of_catboost_that_is_not_understood_is_refused(
    changes: dict[str, Any], code: str
) -> None:
    assert refused(cat_file(**changes)) == code


def test_a_json_of_catboost_with_an_unknown_key_anywhere_is_refused() -> None:
    assert only(cat_file())
    content = cat()
    read = [
        place
        for place in [(), *places(content)]
        if "model_info" not in place and isinstance(_at(content, place), dict)
    ]
    assert len(read) >= 8
    for place in read:
        spoilt = json.loads(json.dumps(content))
        _at(spoilt, place)["leaf_offset"] = 0.5
        assert refused(read_bytes(json.dumps(spoilt).encode()).value) == "unknown-part"


def _at(content: Any, place: tuple[Any, ...]) -> Any:
    for key in place:
        content = content[key]
    return content


def test_a_bare_file_asks_for_no_more_than_the_limits() -> None:
    text = (RELEASES / "lightgbm-4.7.0-numpy-2.5.1" / "booster_binary.txt").read_bytes()
    with pytest.raises(LegacyError) as error:
        read_bytes(text, Limits(text_bytes=100))
    assert error.value.code == "limit-text-bytes"
    with pytest.raises(LegacyError) as error:
        read_ubjson(json.dumps(cat()).encode(), Limits(opcodes=10))
    assert error.value.code == "limit-opcodes"


def test_a_booster_and_its_file_are_the_same_model() -> None:
    for folder in sorted(RELEASES.glob("xgboost-[23]*")):
        pickled = only_of(folder / "booster_logistic.p5.pkl").part.parameters.sums
        for form in ("json", "ubj"):
            revived = only_of(folder / f"booster_logistic.{form}")
            proven(revived)
            own = revived.part.parameters.sums
            assert own.base.tolist() == pickled.base.tolist()
            assert [one.values.tolist() for one in own.trees] == [
                one.values.tolist() for one in pickled.trees
            ]
