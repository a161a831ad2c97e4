"""CatBoost's binary models: what is read of them, and that nothing is overlooked."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aegismatrix_factory.rescue.converting.parts import revive
from aegismatrix_factory.rescue.reading import catboost_binary
from aegismatrix_factory.rescue.reading.containers import read_legacy
from aegismatrix_factory.rescue.reading.errors import LegacyError
from aegismatrix_factory.rescue.reading.limits import Limits
from aegismatrix_factory.rescue.reading.records import Record
from aegismatrix_factory.rescue.reading.ubjson import read_ubjson
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rescue.test_revival import Single, answer, only, proven, refused

FIXTURES = Path(__file__).parents[1] / "fixtures" / "releases" / "catboost-1.2.10-numpy-2.3.5"
HELD = ("classifier.p5.pkl", "classifier_three.xz.joblib", "regressor_lossguide.gzip.joblib")


def real(file: str = "regressor.p5.pkl") -> Record:
    record = read_legacy(FIXTURES / file).value
    assert isinstance(record, Record)
    return record


def model(record: Record) -> bytes:
    return bytes(record.state["__model"])


def with_model(record: Record, data: bytes) -> Record:
    return dataclasses.replace(record, state={**record.state, "__model": data})


def changed(record: Record, **changes: Any) -> Single:
    """The only model of a record whose model reads otherwise."""
    content = {**read_ubjson(model(record)), **changes}
    return only(record, lambda _: content)


def told(loss: str) -> dict[str, Any]:
    return {"InfoMap": {"params": f'{{"loss_function": {{"type": "{loss}"}}}}'}}


def refusal(record: Record, **changes: Any) -> str:
    with pytest.raises(LegacyError) as error:
        changed(record, **changes)
    return error.value.code


def test_a_row_goes_right_where_it_is_above_a_border_and_not_where_it_is_missing() -> None:
    feature = {"FlatIndex": 0, "Borders": np.array([0.5, 2.0], "<f4"), "FeatureId": ""}
    changes: dict[str, Any] = {
        "TreeSplits": np.array([0, 1], "<i4"),
        "TreeSizes": np.array([2], "<i4"),
        "TreeStartOffsets": np.array([0], "<i4"),
        "LeafValues": np.array([1.0, 2.0, 4.0, 8.0]),
        "MultiBias": np.array([0.25]),
    }
    asked = np.array([[0.5], [0.6], [2.0], [2.1], [np.nan]])
    for treated, missing in ((0, 1.25), (1, 1.25), (2, 8.25)):
        features = [{**feature, "NanValueTreatment": treated}]
        single = changed(real(), FloatFeatures=features, **changes)
        assert answer(single, asked).tolist() == [1.25, 2.25, 2.25, 8.25, missing]


def test_a_node_may_be_the_leaf_of_one_side_alone() -> None:
    feature = {"FlatIndex": 0, "Borders": np.array([0.5], "<f4"), "FeatureId": ""}
    single = changed(
        real("regressor_lossguide.gzip.joblib"),
        FloatFeatures=[{**feature, "NanValueTreatment": 0}],
        TreeSplits=np.array([0, 0], "<i4"),
        TreeSizes=np.array([2], "<i4"),
        TreeStartOffsets=np.array([0], "<i4"),
        LeafValues=np.array([1.0, 2.0]),
        MultiBias=np.zeros(1),
        NonSymmetricStepNodes=np.array([(0, 1), (0, 0)], catboost_binary.STEPS),
        NonSymmetricNodeIdToLeafId=np.array([0, 1], "<u4"),
    )
    assert answer(single, np.array([[0.0], [1.0]])).tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"CatFeatures": 1}, "categorical-splits"),
        ({"CtrFeatures": 1}, "categorical-splits"),
        ({"EmbeddingFeatures": 1}, "categorical-splits"),
        ({"ModelPartIds": 1}, "categorical-splits"),
        ({"Scale": 2.0}, "unsupported-model"),
        ({"Bias": 1.0}, "inconsistent-model"),
        ({"FormatVersion": "FlabuffersModel_v2"}, "unsupported-version"),
        ({"ApproxDimension": 3}, "inconsistent-model"),
        ({"FloatFeatures": []}, "inconsistent-model"),
        ({"TreeSplits": np.array([0, 1], "<i4")}, "inconsistent-model"),
        ({"TreeSizes": np.array([31], "<i4")}, "inconsistent-model"),
        ({"LeafValues": np.full(40, np.nan)}, "non-finite"),
        ({"LeafValues": np.zeros(39)}, "inconsistent-model"),
        ({"InfoMap": {}}, "inconsistent-model"),
        ({"InfoMap": {"params": "{"}}, "inconsistent-model"),
        ({"InfoMap": {"params": '{"loss_function": {"type": "Own"}}'}}, "unsupported-objective"),
        (
            {"InfoMap": {"params": '{"loss_function": {"type": "Logloss"}}'}},
            "unsupported-objective",
        ),
        ({"InfoMap": {"catboost_version_info": "Branch: tags/v2.0.1"}}, "unsupported-version"),
    ],
)
def test_a_model_that_is_not_understood_is_refused(changes: dict[str, Any], code: str) -> None:
    assert refusal(real(), **changes) == code


def test_columns_of_categories_are_refused_by_what_they_are() -> None:
    assert refused(real("classifier_of_a_frame.xz.joblib")) == "categorical-splits"


def test_an_attribute_that_no_wrapper_has_is_refused() -> None:
    record = real()
    assert refused(dataclasses.replace(record, state={**record.state, "shift": 1})) == (
        "unknown-part"
    )
    assert refused(dataclasses.replace(record, state={})) == "not-fitted"


@pytest.mark.parametrize("table", ["_CORE", "_TREES", "_FLOAT"])
def test_a_field_that_no_release_has_is_refused(
    table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = getattr(catboost_binary, table)
    last = {"_CORE": 2, "_TREES": 18, "_FLOAT": 3}[table]
    monkeypatch.setattr(catboost_binary, table, known[:last])
    with pytest.raises(LegacyError) as error:
        read_ubjson(model(real()))
    assert error.value.code == "unknown-part"


@pytest.mark.parametrize("file", HELD)
def test_a_model_that_is_cut_off_or_goes_on_is_refused(file: str) -> None:
    record = real(file)
    data = model(record)
    for size in range(4, len(data), 97):
        refused(with_model(record, data[:size]))
    assert refused(with_model(record, data + b"\0")) == "trailing-bytes"
    with pytest.raises(LegacyError):
        read_ubjson(data, Limits(array_bytes=16))


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_a_model_with_anything_anywhere_is_refused_or_proven(data: st.DataObject) -> None:
    record = real(data.draw(st.sampled_from(HELD)))
    written = bytearray(model(record))
    place = data.draw(st.integers(0, len(written) - 1))
    written[place] = data.draw(st.integers(0, 255))
    try:
        contents = revive(with_model(record, bytes(written)), read_ubjson)
    except LegacyError:
        return
    proven(Single(contents.models[0].part, contents.oracle))


def test_a_threshold_that_was_moved_leaves_the_probability_alone_and_is_said() -> None:
    record = real("classifier.p5.pkl")
    told_of = read_ubjson(model(record))["InfoMap"]
    moved = changed(record, InfoMap={**told_of, "binclass_probability_threshold": "0.8"})
    assert set(moved.part.model.answers) == {"probability"}
    assert any("above 0.8" in one for one in moved.part.model.warnings)
    even = changed(record, InfoMap={**told_of, "binclass_probability_threshold": "0.5"})
    assert "label" in even.part.model.answers
    assert not even.part.model.warnings
    with pytest.raises(LegacyError):
        changed(record, InfoMap={**told_of, "binclass_probability_threshold": "most"})
