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
from aegismatrix_factory.rescue.converting.errors import UnknownPartError, UnsupportedVersionError
from aegismatrix_factory.rescue.converting.family import Family
from aegismatrix_factory.rescue.reading.containers import read_legacy
from aegismatrix_factory.rescue.reading.errors import LegacyError
from aegismatrix_factory.rescue.reading.records import Record
from aegismatrix_factory.rescue.reading.ubjson import read_ubjson

LEGACY = Path(__file__).parents[1] / "fixtures" / "legacy"
READER, ORACLE = reader(read_ubjson), oracle(read_ubjson)
FAMILIES = {family.name: family for family in every_family()}


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
    for file in sorted(LEGACY.glob("*/*.p*kl")):
        if ".lz4." in file.name:
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
            kept.setdefault(record.name, []).append(record)
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
    for kept in fitted.values():
        for record in kept:
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
    for name, kept in fitted.items():
        family, asked = FAMILIES[name], set[str]()
        for record in kept:
            asked |= asked_of(family, record)
        there = {key for record in kept for key in record.state}
        assert set(family.used) & there <= asked, name


def asked_of(family: Family, record: Record) -> set[str]:
    attributes = family.attributes(record)
    model = family.read(attributes, READER)
    x: Any = np.zeros((2, model.n_features or 3))
    for answer in model.answers:
        family.oracle(attributes, answer, x, ORACLE)
    return attributes.asked
