"""The catalogue of outputs against what is sealed, forecast, logged and described."""

from __future__ import annotations

import importlib.metadata
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import aegismatrix as am
from aegismatrix.artifacts.manifest import read_manifest
from aegismatrix.desk.html.wording import family
from aegismatrix.desk.report import schema
from aegismatrix.market.bars import Bars
from aegismatrix.market.errors import UndecidableEventError
from aegismatrix.market.events import (
    BREACH,
    CLASSES,
    CLOSE_ABOVE,
    DIRECTION,
    LABELS,
    OFFSETS,
    OUTPUTS,
    PROBABILITY,
    REGIMES,
    SIDES,
    TRAP,
    VOLATILITY,
    VOLATILITY_UNIT,
    WORDINGS,
    Event,
    split_judged,
)
from aegismatrix.market.outcomes import (
    KINDS,
    answers,
    close_above_label,
    close_below_label,
    find_label,
    happened,
    spike_label,
)


def test_every_output_is_forecast_by_its_model_under_its_column_in_its_unit(sample: Bars) -> None:
    manifest = read_manifest()
    for column, output in OUTPUTS.items():
        (array,) = manifest.model(output.head).outputs
        assert column == output.column
        assert column in array.columns
        assert output.unit == array.unit == PROBABILITY
    heads = {output.head for output in OUTPUTS.values()} | {BREACH.head}
    given = {name for name, one in manifest.models.items() if one.kind in ("head", "optional")}
    # Artifacts of before it was added have no volatility.
    assert heads == given - {VOLATILITY.head}
    if VOLATILITY.head in given:
        (array,) = manifest.model(VOLATILITY.head).outputs
        assert (array.columns, array.unit) == (VOLATILITY.columns, VOLATILITY_UNIT)
    assert BREACH.sides == manifest.model(BREACH.head).outputs[0].columns


def test_every_output_is_judged_under_its_key_and_every_judgement_has_a_wording() -> None:
    judged = {one["output"] for model in am.list_models() for one in model.own_judgements()}
    singles = {output.judged for output in OUTPUTS.values()}
    assert singles < judged
    spreads = {VOLATILITY.judged(days) for days in VOLATILITY.horizon_days}
    assert judged - singles - spreads == {
        BREACH.judged(days, side)
        for side in BREACH.sides
        for days in ((5, 20) if side in ("below", "above") else (1, 2, 3, 4, 5, 10, 20))
    }
    assert spreads.isdisjoint(judged) or spreads < judged
    assert family("volatility_10d") == ("Realised volatility", "10")
    for name in judged:
        stem, days = split_judged(name)
        assert family(name) == (WORDINGS[stem], days)


def test_the_surface_is_named_as_the_engine_names_it(sample: Bars) -> None:
    row = am.Engine().predict(sample, horizon_days=7, distance=math.log1p(0.025)).row()
    assert BREACH.column(7, 250) in row
    rates = read_manifest().model(BREACH.head).base_rates
    assert BREACH.column(20, 200) in rates


def test_the_schema_describes_the_catalogue() -> None:
    fields = schema()["properties"]
    seller, buyer = fields["seller"]["properties"], fields["buyer"]["properties"]
    horizons = fields["direction"]["properties"]["horizons"]["properties"]
    assert list(horizons) == [f"t{days}" for days in LABELS] == [f"t{days}" for days in DIRECTION]
    for days, label in LABELS.items():
        of_horizon = horizons[f"t{days}"]["properties"]
        assert of_horizon["label"]["enum"] == [label]
        assert list(of_horizon["probabilities"]["properties"]) == list(CLASSES)
        assert [name.lower() for name in of_horizon["direction"]["enum"]] == list(CLASSES)
    assert list(seller["trap"]["properties"]["horizons"]["properties"]) == [
        str(days) for days in TRAP
    ]
    assert list(seller["expiry_stress"]["properties"]["probabilities"]["properties"]) == list(
        REGIMES
    )
    ahead = buyer["breakout_next"]["items"]["properties"]["day_offset"]
    assert (ahead["minimum"], ahead["maximum"]) == (min(OFFSETS), max(OFFSETS))
    assert list(fields["overnight"]["properties"]["spikes"]["properties"]) == list(SIDES)
    of_surface = [side for side in BREACH.sides if side in seller["breach_surface"]["properties"]]
    assert of_surface == [side for side in BREACH.sides if side not in ("below", "above")]


def test_every_kind_of_the_catalogue_is_answered_by_the_package_itself(
    monkeypatch: pytest.MonkeyPatch, sample: Bars
) -> None:
    def entry_points(**asked: Any) -> None:
        raise AssertionError(f"looked for {asked}")

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)
    assert {output.event.kind for output in OUTPUTS.values() if output.event} < set(KINDS)
    am.analyze(sample)


def test_a_close_beyond_a_level_is_counted_at_the_end_of_the_horizon(sample: Bars) -> None:
    above, below = close_above_label(sample, 3, 0.01), close_below_label(sample, 3, -0.01)
    for day in range(0, len(sample) - 3, 7):
        ahead = sample.close[day + 3] / sample.close[day] - 1.0
        assert above[day] == (ahead > 0.01)
        assert below[day] == (ahead < -0.01)
    assert np.isnan(above[-3:]).all()
    assert np.isnan(below[-3:]).all()
    assert 0 < np.nansum(above) < len(sample)
    assert 0 < np.nansum(below) < len(sample)


def test_a_spike_further_ahead_is_the_next_sessions_seen_from_days_before(nifty: Bars) -> None:
    # Each row is a session there, so that rows can be shifted.
    bars = replace(nifty, market="other")
    third, first = spike_label(bars, 3), spike_label(bars)
    assert np.isnan(third[-3:]).all()
    # Against the mean range that is known now, not the one of the eve: sides agree, sizes need not.
    both = (third[:-3] > 0) & (first[2:-1] > 0)
    assert both.sum() > 200
    assert np.array_equal(third[:-3][both], first[2:-1][both])


def test_parameters_move_an_event_and_unknown_ones_are_refused(sample: Bars) -> None:
    rare = happened(Event(CLOSE_ABOVE, 5, parameters={"fraction": 0.03}), sample)
    common = happened(Event(CLOSE_ABOVE, 5), sample)
    assert np.nanmean(rare) < np.nanmean(common)
    assert (common[rare == 1.0] == 1.0).all()
    with pytest.raises(UndecidableEventError, match="asked otherwise"):
        answers(Event(CLOSE_ABOVE, 5, parameters={"bogus": 1.0}), sample)


def test_an_event_that_nobody_answers_is_a_typed_error_with_its_remedy() -> None:
    with pytest.raises(UndecidableEventError, match="no installed package") as caught:
        find_label("phase_of_the_moon")
    assert caught.value.event == "phase_of_the_moon"
    assert "Install" in caught.value.remedy
