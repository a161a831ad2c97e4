"""The overnight input: which US closes a night holds, what is made of them, and what is not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aegismatrix_factory.evaluate.markets import MarketRows, MarketSource, market_rows
from aegismatrix_factory.evaluate.walkforward import Forecasts
from aegismatrix_factory.heads.head import Estimators
from aegismatrix_factory.heads.overnight import DIRECTION, WITHOUT, Overnight, overnight_moves
from aegismatrix_factory.heads.trap import Trap
from aegismatrix_factory.release.card import model_card
from aegismatrix_factory.release.export import export
from aegismatrix_factory.release.parity import expected_of, market_feed, prove_head
from aegismatrix_factory.release.staging import features_candidate, head_candidate
from aegismatrix_factory.release.training import TrainingRecordError, read_training, train
from scipy.special import softmax

import aegismatrix as am
from aegismatrix.artifacts.manifest import read_manifest, render_manifest
from aegismatrix.engine.model import Model
from aegismatrix.errors import ContractError, StaleOvernightBarsError, UnknownModelError
from aegismatrix.market.arrays import ONE_DAY
from aegismatrix.market.bars import Bars
from aegismatrix.market.calendars.us import us_sessions
from aegismatrix.market.outcomes import direction_label, spike_label
from aegismatrix.market.overnight import INPUTS, Nights, align, last_night
from scripts.train import main as train_script

HEAD = Overnight()
DAY = np.datetime64("2020-03-16")
LATER = datetime(2026, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Workshop:
    """NIFTY with its nights, the head fitted on them, and its graph."""

    market: MarketRows
    estimators: Estimators
    trained: np.ndarray[Any, np.dtype[np.float64]]
    walks: dict[str, Forecasts]
    model: Model
    folder: Path


@pytest.fixture(scope="module")
def workshop(
    market_sources: tuple[MarketSource, ...],
    repository: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Workshop:
    features = features_candidate()
    market = market_rows(market_sources[0], features.model)
    estimators = HEAD.fit(market, [])
    walks = HEAD.walk(market, [], lambda: None)
    candidate = head_candidate(HEAD, estimators, features.spec, ())
    trained = expected_of(HEAD, estimators, market_feed(HEAD, market), market.feature_names)
    # Beside the committed artifacts, whether or not they hold one of their own.
    folder = tmp_path_factory.mktemp("overnight") / "models_onnx"
    shutil.copytree(repository / "models_onnx", folder)
    content = json.loads((folder / "manifest.json").read_text())
    del content["digest"]
    # They are of the committed model, and this one is fitted anew.
    content.pop("golden", None)
    others = [entry for entry in content["artifacts"] if entry["name"] != HEAD.name]
    span = others[1]["training"][0]
    entry = {
        **candidate.entry,
        "training": [span],
        "judgements": [one.to_dict() for one in HEAD.judge(market, walks)],
        "measures": HEAD.measure(market, walks),
        "base_rates": HEAD.base_rates(market),
        "parity": prove_head(candidate.model, HEAD, estimators, [market], trained),
    }
    content["artifacts"] = [*others, entry]
    (folder / "overnight.onnx").write_bytes(candidate.data)
    (folder / "manifest.json").write_bytes(render_manifest(content))
    return Workshop(market, estimators, trained, walks, candidate.model, folder)


@pytest.fixture(scope="module")
def nights(nifty: Bars, sp500: Bars) -> Nights:
    return align(nifty.dates, nifty.dates[-1] + ONE_DAY, sp500)


def with_bars(us: Bars, of: Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]) -> Bars:
    """The same days with other bars where `of` says so."""
    scale = np.where(of(us.dates), 1.07, 1.0)
    return replace(
        us, high=us.high * scale, low=us.low * scale, close=us.close * scale, iv=us.iv * scale
    )


def without_days(us: Bars, *days: str) -> Bars:
    kept = ~np.isin(us.dates, np.array(days, dtype="datetime64[D]"))
    return Bars.from_arrays(
        us.dates[kept], us.high[kept], us.low[kept], us.close[kept], us.iv[kept], market="other"
    )


def without_vix(us: Bars, *days: str) -> Bars:
    kept = ~np.isin(us.dates, np.array(days, dtype="datetime64[D]"))
    return Bars.from_arrays(
        us.dates, us.high, us.low, us.close, us.iv[kept], iv_dates=us.dates[kept], market="other"
    )


def until(bars: Bars, day: str) -> Bars:
    return bars[: int(np.searchsorted(bars.dates, np.datetime64(day), side="right"))]


def row(nights: Nights, day: str) -> int:
    (place,) = np.flatnonzero(nights.dates == np.datetime64(day))
    return int(place)


def test_the_rules_of_us_holidays_name_every_real_session(sp500: Bars) -> None:
    np.testing.assert_array_equal(us_sessions(sp500.dates[0], sp500.dates[-1]), sp500.dates)


@pytest.mark.parametrize(
    ("day", "trades"),
    [
        ("2021-12-31", True),
        ("2023-01-02", False),
        ("2024-11-29", True),
        ("2025-01-09", False),
        ("2026-04-03", False),
        ("2026-06-19", False),
        ("2026-07-03", False),
        ("2027-06-18", False),
        ("2027-12-24", False),
        ("2028-12-25", False),
        ("2028-12-26", True),
    ],
)
def test_holidays_that_the_bars_do_not_reach(day: str, trades: bool) -> None:
    when = np.datetime64(day)
    assert bool(len(us_sessions(when, when))) == trades


def test_nights_are_what_a_plain_search_of_both_calendars_finds(
    nifty: Bars, sp500: Bars, nights: Nights
) -> None:
    closes = dict(zip(sp500.dates.tolist(), sp500.close.tolist(), strict=True))
    vix = dict(zip(sp500.dates.tolist(), sp500.iv.tolist(), strict=True))
    us_days = sorted(closes)
    days = nifty.dates.tolist()
    for place, (day, following) in enumerate(pairwise(days)):
        if following > us_days[-1]:
            break
        of_night = [one for one in us_days if day <= one < following]
        before = max(one for one in us_days if one < day)
        last = max(of_night, default=before)
        assert nights.known[place]
        assert nights.us_dates[place].item() == last
        assert nights.sessions[place] == len(of_night)
        assert nights.us_close[place] == closes[last]
        assert nights.us_close_before[place] == closes[before]
        assert (nights.us_vix[place], nights.us_vix_before[place]) == (vix[last], vix[before])
    assert place > 3000


def test_no_night_holds_a_close_from_before_nifty_closed_or_after_it_opens(
    nights: Nights,
) -> None:
    known = np.flatnonzero(nights.known[:-1])
    opens = nights.dates[known + 1] + np.timedelta64(3 * 60 + 45, "m")
    latest_close = nights.us_dates[known] + np.timedelta64(21, "h")
    assert (latest_close < opens).all()
    fresh = known[nights.sessions[known] > 0]
    nse_close = nights.dates[fresh] + np.timedelta64(10, "h")
    assert (nights.us_dates[fresh] + np.timedelta64(18, "h") > nse_close).all()


def test_moves_of_consecutive_nights_add_up_to_that_of_the_us_market(nights: Nights) -> None:
    known = nights.known & (np.arange(len(nights)) > 0)
    moves = np.log(nights.us_close[known] / nights.us_close_before[known])
    # The session before a day may have closed in an earlier night, of a day without US session.
    overlap = np.log(nights.us_close[known][:-1] / nights.us_close_before[known][1:])
    whole = np.log(nights.us_close[known][-1] / nights.us_close_before[known][0])
    assert moves.sum() - overlap.sum() == pytest.approx(whole, abs=1e-9)
    assert np.abs(overlap).max() == 0.0


@pytest.mark.parametrize(
    ("day", "us_day", "sessions"),
    [
        ("2023-12-27", "2023-12-27", 1),
        ("2023-12-22", "2023-12-22", 1),
        # Independence Day: NSE trades, the US does not.
        ("2023-07-04", "2023-07-03", 0),
        # Holi on Tuesday: the US sessions of Monday and of Tuesday.
        ("2023-03-06", "2023-03-07", 2),
        # Good Friday: neither trades.
        ("2023-04-06", "2023-04-06", 1),
        # Diwali's evening session ends the night before it.
        ("2022-10-21", "2022-10-21", 1),
        ("2022-10-24", "2022-10-24", 1),
        ("2022-10-25", "2022-10-26", 2),
    ],
)
def test_nights_around_holidays(nights: Nights, day: str, us_day: str, sessions: int) -> None:
    place = row(nights, day)
    assert str(nights.us_dates[place]) == us_day
    assert nights.sessions[place] == sessions
    if sessions == 0:
        assert nights.us_close[place] == nights.us_close_before[place]


def test_later_us_closes_change_no_earlier_night(nifty: Bars, sp500: Bars, nights: Nights) -> None:
    for place in np.flatnonzero(nights.known[:-1])[::250]:
        opens = nifty.dates[place + 1]
        other = with_bars(sp500, lambda dates, opens=opens: dates >= opens)  # type: ignore[misc]
        changed = align(nifty.dates, nifty.dates[-1] + ONE_DAY, other)
        for name in INPUTS:
            same, found = (getattr(one, name)[: place + 1] for one in (nights, changed))
            np.testing.assert_array_equal(same, found)
            assert getattr(nights, name)[place + 1] != getattr(changed, name)[place + 1] or (
                name.endswith("before") or nights.sessions[place + 1] == 0
            )


@pytest.mark.slow
def test_no_walk_forward_forecast_depends_on_later_us_closes(
    workshop: Workshop, sp500: Bars
) -> None:
    market = workshop.market
    noise = np.exp(np.random.default_rng(3).normal(0.0, 0.02, len(sp500)))
    scale = np.where(sp500.dates > DAY, noise, 1.0)
    later = replace(
        sp500,
        high=sp500.high * scale,
        low=sp500.low * scale,
        close=sp500.close * scale,
        iv=sp500.iv * scale,
    )
    other = replace(market, nights=align(market.dates, market.dates[-1] + ONE_DAY, later))
    walks = HEAD.walk(other, [], lambda: None)
    for output in ("overnight_spike_down", "overnight_spike_up", DIRECTION):
        real, changed = workshop.walks[output], walks[output]
        # The US session of that day closes in the night after it and is known by NSE's open.
        past = real.dates <= DAY
        assert past.sum() > 1000
        assert np.array_equal(real.model[past], changed.model[past])
        assert not np.array_equal(real.model[~past], changed.model[~past])


def test_a_missing_session_or_print_makes_its_nights_unknown(
    nifty: Bars, sp500: Bars, nights: Nights
) -> None:
    for other in (without_days(sp500, "2019-05-15"), without_vix(sp500, "2019-05-15")):
        found = align(nifty.dates, nifty.dates[-1] + ONE_DAY, other)
        lost = nights.dates[nights.known & ~found.known]
        # It closes in the night after the 15th, and the night after the 16th is measured from it.
        assert lost.astype(str).tolist() == ["2019-05-15", "2019-05-16"]
        assert np.isnan(found.us_close[row(found, "2019-05-15")])
    assert len(found.inputs()["us_close"]) == found.known.sum()
    assert found.known.any()


def test_nights_before_and_after_the_us_bars_are_unknown(nifty: Bars, sp500: Bars) -> None:
    middle = sp500[2000:2100]
    found = align(nifty.dates, nifty.dates[-1] + ONE_DAY, middle)
    known = found.dates[found.known]
    assert middle.dates[0] < known[0] <= middle.dates[0] + 7 * ONE_DAY
    assert middle.dates[-1] - 7 * ONE_DAY <= known[-1] <= middle.dates[-1]


def test_the_last_night_is_that_of_the_history(nifty: Bars, sp500: Bars, nights: Nights) -> None:
    for day in ("2023-12-27", "2023-07-04", "2023-03-06", "2023-04-06", "2022-10-21", "2022-10-24"):
        night = last_night(until(nifty, day), sp500, LATER)
        place = row(nights, day)
        for name in ("us_dates", "sessions", *INPUTS):
            assert getattr(night, name)[0] == getattr(nights, name)[place], (day, name)


@pytest.mark.parametrize(
    ("day", "us_until", "wanted"),
    [
        ("2023-12-27", "2023-12-26", ["2023-12-27"]),
        ("2023-12-27", "2023-12-22", ["2023-12-26", "2023-12-27"]),
        # Monday's session alone is half of the night over Holi.
        ("2023-03-06", "2023-03-06", ["2023-03-07"]),
        ("2023-07-04", "2023-06-30", ["2023-07-03"]),
    ],
)
def test_us_bars_that_end_too_early_are_an_error_that_names_what_is_missing(
    nifty: Bars, sp500: Bars, day: str, us_until: str, wanted: list[str]
) -> None:
    with pytest.raises(StaleOvernightBarsError) as caught:
        last_night(until(nifty, day), until(sp500, us_until), LATER)
    assert caught.value.wanted == tuple(wanted)
    assert caught.value.last == us_until
    assert caught.value.source == "sp500_daily.csv"
    assert "leave them out" in caught.value.remedy
    assert wanted[0] in caught.value.problem


def test_a_vix_that_was_carried_forward_is_not_the_latest(nifty: Bars, sp500: Bars) -> None:
    with pytest.raises(StaleOvernightBarsError) as caught:
        last_night(until(nifty, "2023-12-27"), without_vix(sp500, "2023-12-27"), LATER)
    assert caught.value.wanted == ("2023-12-27",)


def test_a_us_session_still_going_on_does_not_count(nifty: Bars, sp500: Bars) -> None:
    bars, us = until(nifty, "2023-12-27"), until(sp500, "2023-12-27")
    before, after = (
        datetime(2023, 12, 27, hour, minute, tzinfo=timezone.utc)
        for hour, minute in ((20, 59), (21, 0))
    )
    with pytest.raises(StaleOvernightBarsError):
        last_night(bars, us, before)
    assert last_night(bars, us, after).known.all()


def test_bars_of_the_wrong_markets_are_refused(nifty: Bars, sp500: Bars) -> None:
    for bars, us in ((sp500, sp500), (nifty, nifty), (sp500, nifty)):
        with pytest.raises(ContractError, match="S&P 500"):
            last_night(bars, us, LATER)


def test_the_graph_is_the_trained_model_on_every_real_night(workshop: Workshop) -> None:
    market = workshop.market
    figures = prove_head(workshop.model, HEAD, workshop.estimators, [market], workshop.trained)
    assert market.nights is not None
    assert figures["real_rows"] == market.nights.known.sum() > 2900
    assert max(figures["real_difference"], figures["random_difference"]) <= 1e-12


def test_the_graph_is_two_softmaxes_of_raw_numbers(workshop: Workshop) -> None:
    market, nights = workshop.market, workshop.market.nights
    assert nights is not None
    given = HEAD.given(market)
    known = nights.known
    moves = np.column_stack(
        [
            np.log(nights.us_close[known] / nights.us_close_before[known])
            / market.implied_sigma[known],
            np.log(nights.us_vix[known] / nights.us_vix_before[known]),
        ]
    )
    np.testing.assert_array_equal(overnight_moves(given), moves)
    daily = market.columns(HEAD.features)[known]
    expected = []
    for name, x in (("spike", np.column_stack([daily, moves])), ("direction", moves)):
        scaler, classifier = (workshop.estimators[name][key] for key in ("scaler", "classifier"))
        scaled = np.clip((x - scaler.mean_) / scaler.scale_, -4.0, 4.0)
        logits = scaled @ classifier.coef_[:, :-1].T + classifier.intercept_
        expected.append(softmax(logits, axis=1))
    found = workshop.model.run(**market_feed(HEAD, market))["probability"]
    np.testing.assert_allclose(
        found, np.column_stack([expected[0][:, 1:], expected[1]]), rtol=0, atol=1e-12
    )


def test_probabilities_are_coherent_and_fall_and_rise_with_the_us_market(
    workshop: Workshop,
) -> None:
    feed = market_feed(HEAD, workshop.market)
    found = workshop.model.run(**feed)["probability"]
    columns = workshop.model.spec.outputs[0].columns
    assert columns == HEAD.columns
    np.testing.assert_allclose(found[:, 2:].sum(axis=1), 1.0, rtol=0, atol=1e-12)
    assert (found[:, :2].sum(axis=1) < 1.0).all()
    worse = {**feed, "us_close": feed["us_close"] * 0.98, "us_vix": feed["us_vix"] * 1.1}
    change = workshop.model.run(**worse)["probability"] - found
    moved = dict(zip(columns, change.mean(axis=0), strict=True))
    assert moved["overnight_spike_down"] > 0.01
    assert moved["overnight_t1_down"] > 0.05 > -0.05 > moved["overnight_t1_up"]


@pytest.mark.parametrize(
    ("name", "value"), [("us_vix", 0.135), ("us_vix_before", 1350.0), ("us_close", 0.0)]
)
def test_numbers_that_are_not_what_the_graph_wants_are_refused(
    workshop: Workshop, name: str, value: float
) -> None:
    feed = market_feed(HEAD, workshop.market)
    with pytest.raises(ContractError, match=name):
        workshop.model.run(**{**feed, name: np.full_like(feed[name], value)})


def test_labels_are_those_of_spike_and_direction_where_the_night_is_known(
    workshop: Workshop,
) -> None:
    market, nights = workshop.market, workshop.market.nights
    assert nights is not None
    rates = HEAD.base_rates(market)
    spike = market.rows_of(spike_label(market.bars))[nights.known]
    direction = market.rows_of(direction_label(market.bars, 1))[nights.known]
    # Where the next session has no bar, what came of it is not known.
    assert rates["overnight_spike_down"] == np.mean(spike[~np.isnan(spike)] == 1)
    assert rates["overnight_t1_up"] == np.mean(direction[~np.isnan(direction)] == 2)
    assert sum(rates[f"{DIRECTION}_{name}"] for name in ("down", "neutral", "up")) == 1.0


def test_the_night_is_worth_what_the_judgement_says_and_the_open_takes_it(
    workshop: Workshop,
) -> None:
    judged = {one.output: one for one in HEAD.judge(workshop.market, workshop.walks)}
    for one in judged.values():
        assert {"climatology", WITHOUT} <= set(one.skills)
        assert one.last <= "2023-12-29"
        assert one.n > 2200
    assert judged["overnight_spike_down"].skills[WITHOUT].lower > 0
    assert judged[DIRECTION].skills["climatology"].lower > 0
    assert judged[DIRECTION].auc > 0.595
    gap, rest = (
        one
        for one in HEAD.measure(workshop.market, workshop.walks)
        if one["what"] == "part of the move"
    )
    assert gap["auc"] > 0.7
    # Once NSE has opened nothing is left that an interval would tell from chance.
    assert rest["lower"] < 0.5 < rest["upper"]


def test_shuffled_labels_are_not_forecast(workshop: Workshop) -> None:
    HEAD.check_shuffled(workshop.market, lambda: None)


def test_a_report_has_the_block_where_us_bars_are_given_and_is_else_the_same(
    workshop: Workshop, nifty: Bars, sp500: Bars
) -> None:
    engine = am.Engine(workshop.folder)
    bars = until(nifty, "2023-12-27")
    plain = am.analyze(bars, engine=engine, now=LATER).to_dict()
    report = am.analyze(bars, engine=engine, now=LATER, overnight=sp500)
    report.validate()
    found = report.to_dict()
    block = found.pop("overnight")
    assert found["provenance"].pop("overnight_source") == "sp500_daily.csv"
    assert found == plain
    assert "overnight" not in plain
    assert block["us_as_of"] == "2023-12-27"
    assert block["us_sessions"] == 1
    assert block["us_return"] == pytest.approx(4781.58 / 4774.75 - 1, abs=1e-5)
    assert block["us_vix"] == sp500.iv[-3]
    assert sum(block["direction"]["probabilities"].values()) == pytest.approx(1.0, abs=2e-6)
    night = last_night(bars, sp500, LATER)
    # The row of the training history: what was fitted is what is served.
    assert workshop.market.nights is not None
    known = workshop.market.nights.dates[workshop.market.nights.known]
    (place,) = np.flatnonzero(known == bars.dates[-1])
    expected = dict(zip(HEAD.columns, workshop.trained[place], strict=True))
    spikes = block["spikes"]
    for side in ("down", "up"):
        assert spikes[side]["probability"] == round(expected[f"overnight_spike_{side}"], 6)
    for name, p in block["direction"]["probabilities"].items():
        assert p == round(expected[f"overnight_t1_{name}"], 6)
    # Judged by themselves, beside nothing that a verdict would be corrected for.
    assert spikes["down"]["verdict"] == block["direction"]["verdict"] == "indicated"
    assert "overnight, US close of 2023-12-27" in report.summary()
    assert "overnight" not in am.analyze(bars, engine=engine, now=LATER).summary()
    with pytest.raises(ContractError, match="known ones after the days"):
        engine.overnight(engine.predict(bars[:-1]), night)


def test_a_report_with_stale_us_bars_is_not_written(
    workshop: Workshop, nifty: Bars, sp500: Bars
) -> None:
    engine = am.Engine(workshop.folder)
    with pytest.raises(StaleOvernightBarsError):
        am.analyze(nifty, engine=engine, overnight=sp500)
    stranger: Any = "sp500.csv"
    with pytest.raises(ContractError, match="overnight"):
        am.analyze(nifty, engine=engine, overnight=stranger)


def test_artifacts_without_the_model_say_so_only_when_it_is_asked_for(
    workshop: Workshop, nifty: Bars, sp500: Bars, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(workshop.folder, tmp_path / "models"))
    content = json.loads((folder / "manifest.json").read_text())
    del content["digest"]
    content["artifacts"] = [one for one in content["artifacts"] if one["name"] != "overnight"]
    (folder / "manifest.json").write_bytes(render_manifest(content))
    (folder / "overnight.onnx").unlink()
    assert am.verify(folder) == []
    engine = am.Engine(folder)
    bars = until(nifty, "2023-12-27")
    am.analyze(bars, engine=engine)
    with pytest.raises(UnknownModelError, match="'overnight'") as caught:
        am.analyze(bars, engine=engine, overnight=sp500)
    assert caught.value.name == "overnight"
    assert "leave the overnight bars out" in caught.value.remedy


def test_the_sealed_folder_verifies_lists_and_loads_it_beside_the_engine(
    workshop: Workshop,
) -> None:
    assert am.verify(workshop.folder) == []
    model = am.load_models(workshop.folder)["overnight"]
    assert model.spec.kind == "optional"
    assert [array.name for array in model.spec.inputs][2:] == list(INPUTS)
    engine = am.Engine(workshop.folder)
    assert "overnight" not in {head.name for head in engine.heads}
    card = model_card(json.loads((workshop.folder / "manifest.json").read_text()))
    assert f"## overnight {model.spec.version}" in card
    assert "ranks the move from open to close" in card
    assert f"over the same model {WITHOUT}, paired" in card


@pytest.fixture(scope="module")
def small_source(
    market_sources: tuple[MarketSource, ...], tmp_path_factory: pytest.TempPathFactory
) -> MarketSource:
    """Six years of NIFTY, to walk the whole way in seconds."""
    source, folder = market_sources[0], tmp_path_factory.mktemp("six_years")
    for name, file in (("index", source.index), ("iv", source.iv)):
        lines = file.read_text().splitlines()
        kept = [lines[0], *(line for line in lines[1:] if line < "2016-07")]
        (folder / f"{name}.csv").write_text("\n".join(kept) + "\n")
    return replace(
        source,
        index=folder / "index.csv",
        iv=folder / "iv.csv",
        scored_from="2015-01-01",
        scored_to="2016-06-30",
    )


def no_progress(title: str, steps: int) -> Callable[[], object]:
    return lambda: None


@pytest.mark.slow
def test_training_with_us_bars_exports_it_beside_the_engine(
    small_source: MarketSource, tmp_path: Path
) -> None:
    heads = (Trap(), HEAD)
    train([small_source], heads, tmp_path / "training", no_progress)
    training = read_training(tmp_path / "training", heads)
    assert training.us_span is not None
    assert training.us_span.market == "us overnight"
    lines: list[str] = []
    export(tmp_path / "training", heads, tmp_path / "models", lines.append)
    assert am.verify(tmp_path / "models") == []
    sealed = read_manifest(tmp_path / "models").models
    assert list(sealed) == ["features", "trap", "overnight", "engine"]
    assert [span.market for span in sealed["overnight"].training] == ["nifty", "us overnight"]
    assert [out.name for out in sealed["engine"].outputs] == ["features", "implied_sigma", "trap"]
    assert any(line.startswith("overnight: ") for line in lines)
    record = tmp_path / "training" / "training.json"
    record.write_text(record.read_text().replace(training.us_span.sha256, "0" * 64))
    with pytest.raises(TrainingRecordError, match=r"sp500_daily\.csv have changed"):
        read_training(tmp_path / "training", heads)


@pytest.mark.slow
def test_training_without_us_bars_leaves_it_out(small_source: MarketSource, tmp_path: Path) -> None:
    heads = (Trap(), HEAD)
    source = replace(small_source, us_index=None, us_iv=None)
    assert list(train([source], heads, tmp_path / "training", no_progress)) == ["trap"]
    export(tmp_path / "training", heads, tmp_path / "models", lambda line: None)
    assert list(read_manifest(tmp_path / "models").models) == ["features", "trap", "engine"]


def test_the_training_script_takes_us_bars_in_pairs_and_with_an_index(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for arguments, message in (
        (["--overnight-index", "a.csv"], "--overnight-index and --overnight-iv go together"),
        (
            ["--overnight-index", "a.csv", "--overnight-iv", "b.csv"],
            "--overnight-index goes with --index",
        ),
    ):
        with pytest.raises(SystemExit):
            train_script(arguments)
        assert message in capsys.readouterr().err
