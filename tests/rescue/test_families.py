"""What holds for every family: nothing unknown passes, and what it says it uses it uses."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aegismatrix_factory.rescue.converting.catalogue import every_family, oracle, reader
from aegismatrix_factory.rescue.converting.checks import decoded
from aegismatrix_factory.rescue.converting.errors import UnknownPartError, UnsupportedVersionError
from aegismatrix_factory.rescue.converting.family import Family, Part
from aegismatrix_factory.rescue.converting.graphs import author
from aegismatrix_factory.rescue.reading.containers import read_legacy
from aegismatrix_factory.rescue.reading.errors import LegacyError
from aegismatrix_factory.rescue.reading.records import Record
from aegismatrix_factory.rescue.reading.ubjson import read_ubjson

FIXTURES = Path(__file__).parents[1] / "fixtures"
FOLDERS = (
    "legacy/*",
    *(f"releases/{name}-*" for name in ("scikit-learn-0.20.4", "scikit-learn-1.9.1")),
    *(f"releases/{name}-*" for name in ("xgboost-0.90", "xgboost-1.5.2", "xgboost-3.3.0")),
    *(f"releases/{name}-*" for name in ("lightgbm-2.3.1", "lightgbm-4.7.0")),
    "releases/catboost-1.2.10-*",
)
"""Where a record of every family is, of the oldest and the newest release."""
ELSEWHERE = {
    "OrdinalEncoder": {"encoded_missing_value"},
    "HistGradientBoostingClassifier": {"_n_features"},
    "HistGradientBoostingRegressor": {"_n_features"},
    "SelectFromModel": {"norm_order"},
}
"""What is asked for of models that are not in these folders: fitted on missing text, of 0.21, or on
coefficients."""
READER, ORACLE = reader(read_ubjson), oracle(read_ubjson)
FAMILIES = {
    f"{module}.{family.name}": family for family in every_family() for module in family.modules
}


def records(value: object) -> Iterator[Record]:
    """Every record that a family knows, in a value."""
    if isinstance(value, Record):
        if READER.find(value) is not None:
            yield value
        value = value.state
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for one in value:
            yield from records(one)


def found() -> dict[str, list[Record]]:
    """The records of the committed files by class, of every release."""
    kept: dict[str, list[Record]] = {}
    files = [file for folder in FOLDERS for file in FIXTURES.glob(f"{folder}/*")]
    for file in sorted(files):
        if file.suffix not in (".pkl", ".joblib", ".pickle") or ".lz4." in file.name:
            continue
        try:
            value = read_legacy(file).value
        except LegacyError:
            continue
        for record in records(value):
            try:
                READER.part(record)
            except LegacyError:
                continue
            kept.setdefault(f"{record.module}.{record.name}", []).append(record)
    return kept


@pytest.fixture(scope="module")
def fitted() -> dict[str, list[Record]]:
    return found()


def test_no_class_has_two_families() -> None:
    counts = Counter(
        (module, family.name) for family in every_family() for module in family.modules
    )
    assert max(counts.values()) == 1


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_what_a_family_uses_it_does_not_call_harmless(name: str) -> None:
    family = FAMILIES[name]
    assert not set(family.used) & set(family.harmless)
    assert family.releases[0] <= family.releases[1]
    assert family.modules or family.recognises is not None


def test_an_unknown_attribute_of_any_record_is_refused_by_its_name(
    fitted: dict[str, list[Record]],
) -> None:
    assert len(fitted) > 100
    for kept in fitted.values():
        for record in kept[:4]:
            spoilt = dataclasses.replace(record, state={**record.state, "leaf_offset_": 0.5})
            with pytest.raises(UnknownPartError, match="leaf_offset_"):
                READER.part(spoilt)


def test_a_release_that_was_not_tried_is_refused(fitted: dict[str, list[Record]]) -> None:
    for name, kept in fitted.items():
        if not FAMILIES[name].says_release:
            continue
        for given in ("0.19.2", "1.10.0", None, "one"):
            state = {**kept[0].state, "_sklearn_version": given}
            with pytest.raises(UnsupportedVersionError):
                READER.part(dataclasses.replace(kept[0], state=state))


def test_an_attribute_that_is_said_to_be_used_is_asked_for(
    fitted: dict[str, list[Record]],
) -> None:
    asked: dict[tuple[str, str], set[str]] = {}
    there: dict[tuple[str, str], set[str]] = {}
    for name, kept in fitted.items():
        family = FAMILIES[name]
        key = (family.library, family.name)
        for record in kept:
            asked.setdefault(key, set()).update(asked_of(family, record))
            there.setdefault(key, set()).update(record.state)
    for family in FAMILIES.values():
        key = (family.library, family.name)
        used = set(family.used) - ELSEWHERE.get(family.name, set())
        assert used & there.get(key, set()) <= asked.get(key, set()), key


def asked_of(family: Family, record: Record) -> set[str]:
    attributes = family.attributes(record)
    part = Part(family, attributes, record, family.read(attributes, READER))
    x: Any = np.zeros((2, part.n_features or 3))
    try:
        columns = author(part).columns
    except LegacyError:
        # It answers text, which no artifact holds.
        columns = ()
    rows = decoded(x, columns)
    for answer in part.model.answers if columns or part.n_features is None else ():
        family.oracle(attributes, answer, rows, ORACLE)
    return attributes.asked
