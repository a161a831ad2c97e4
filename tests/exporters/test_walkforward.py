"""The judge: purging, scores against textbook references, intervals, verdicts."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Sequence
from datetime import date

import numpy as np
import pytest
from aegismatrix_factory.evaluate.markets import MarketRows
from aegismatrix_factory.evaluate.walkforward import (
    EMBARGO_DAYS,
    REFIT_BARS,
    Block,
    Forecaster,
    Forecasts,
    Judgement,
    JudgingError,
    Timeline,
    auc,
    blocks,
    bootstrap_rows,
    calibration_error,
    check_shuffled,
    climatology,
    constant,
    judge,
    markov,
    ranked_probability,
    shuffled,
    skill_against,
    squared_error,
    walk_forward,
)
from aegismatrix_factory.heads.logistic import training_rows
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from sklearn.metrics import brier_score_loss, roc_auc_score

from aegismatrix.market.bars import Bars
from aegismatrix.market.market import NIFTY
from tests.timelines import every_day

FloatArray = NDArray[np.float64]
DATES = np.arange("2010-01-01", "2016-01-01", dtype="datetime64[D]")
FROM, TO = np.datetime64("2012-01-01"), np.datetime64("2015-06-30")


def judged(
    probability: FloatArray,
    label: FloatArray,
    climate: float = 0.3,
    **baselines: float,
) -> Judgement:
    """Judge forecasts of one event, a day each from the start of 2012, at a horizon of 5 days."""
    constants = {"climatology": climate, **baselines}
    walked = Forecasts(
        rows=np.arange(len(label)),
        dates=np.datetime64("2012-01-01") + np.arange(len(label)),
        label=label,
        model=probability,
        baselines={name: np.full(len(label), value) for name, value in constants.items()},
    )
    return judge(
        walked,
        output="x",
        market="m",
        horizon_days=5,
        score="Brier skill",
        loss=squared_error,
        events=[(probability, label)],
    )


@pytest.mark.parametrize("horizon_days", [1, 5, 20])
def test_no_training_label_comes_within_the_embargo_of_its_test_block(horizon_days: int) -> None:
    for block in blocks(every_day(DATES, horizon_days), FROM, TO):
        assert block.train[-1] + horizon_days + EMBARGO_DAYS == block.test[0]
        assert block.cut == DATES[block.test[0] - EMBARGO_DAYS]


# Of these, Muhurat of 2018 and 2019 are special; a year has some 245 sessions.
SESSIONS = [
    day.item()
    for day in np.arange("2017-11-01", "2019-12-31", dtype="datetime64[D]")
    if NIFTY.known_calendar().is_session(day.item())
]
SPECIAL = date(2018, 11, 7)


def bars_on(days: Sequence[date]) -> Bars:
    """Made-up bars of NIFTY."""
    random = np.random.default_rng(8)
    close = 10_000.0 * np.exp(np.cumsum(random.normal(0.0, 0.01, len(days))))
    return Bars.from_arrays(
        [day.isoformat() for day in days],
        close * 1.004,
        close / 1.005,
        close,
        random.uniform(11.0, 18.0, len(days)),
        today="2026-01-01",
    )


def counted(bars: Bars, horizon_days: int) -> tuple[list[date | None], list[date | None]]:
    """By hand, row by row: the day that an outcome ends on, and the session an embargo before."""
    days = bars.dates.tolist()
    sessions = [day for day in SESSIONS if days[0] <= day <= days[-1]]
    ended, cut = list[date | None](), list[date | None]()
    for day in days:
        over = bisect.bisect_right(sessions, day)
        place = over + horizon_days - 1
        end = sessions[place] if place < len(sessions) else None
        ended.append(end if end in set(days) else None)
        cut.append(sessions[over - 1 - EMBARGO_DAYS] if over > EMBARGO_DAYS else None)
    return ended, cut


@settings(max_examples=20, deadline=None, derandomize=True, database=None)
@example(holes=[], with_special=True, horizon_days=5)
@example(holes=[240, 250], with_special=True, horizon_days=20)
@given(
    holes=st.lists(st.integers(1, len(SESSIONS) - 2), max_size=8),
    with_special=st.booleans(),
    horizon_days=st.sampled_from([1, 5, 20]),
)
def test_an_outcome_ends_with_a_session_and_the_embargo_counts_sessions_too(
    holes: list[int], with_special: bool, horizon_days: int
) -> None:
    gone = {SESSIONS[place] for place in holes}
    bars = bars_on(sorted({*SESSIONS, *([SPECIAL] if with_special else [])} - gone))
    timeline = Timeline.of(bars, horizon_days)
    ended, cut = counted(bars, horizon_days)
    assert timeline.ended.tolist() == ended
    assert timeline.cut.tolist() == cut
    for block in blocks(timeline, bars.dates[240], bars.dates[-1]):
        first = cut[block.test[0]]
        usable = [row for row, end in enumerate(ended) if end and first and end <= first]
        assert block.train.tolist() == usable
        assert block.cut == np.datetime64(first)


def test_a_special_session_in_a_window_does_not_move_its_end_into_the_embargo() -> None:
    bars = bars_on(sorted({*SESSIONS, SPECIAL}))
    eve, horizon_days = bars.dates.tolist().index(date(2018, 11, 6)), 5
    ended = Timeline.of(bars, horizon_days).ended
    # One row more than five: Muhurat of the next day is none of the five sessions.
    assert ended[eve] == bars.dates[eve + horizon_days + 1]
    start = eve + horizon_days + EMBARGO_DAYS
    (block,) = blocks(Timeline.of(bars, horizon_days), bars.dates[start], bars.dates[start])
    assert block.train[-1] == eve - 1
    assert ended[block.train].max() == bars.dates[start - EMBARGO_DAYS]


@pytest.mark.parametrize("horizon_days", [1, 5, 20])
def test_what_followed_on_the_last_known_outcome_was_known_by_then(horizon_days: int) -> None:
    bars = bars_on(sorted({*SESSIONS, SPECIAL} - {date(2018, 10, 25)}))
    timeline = Timeline.of(bars, horizon_days)
    outcome = np.random.default_rng(9).integers(0, 2, len(bars)).astype(float)
    outcome[np.isnat(timeline.ended)] = np.nan
    test = np.arange(200, len(bars) - horizon_days)
    block = Block(np.arange(150), test, bars.dates[150])
    before = markov(outcome, timeline)(block)
    for row in range(220, 270):
        other = outcome.copy()
        other[row] = 1.0 - other[row]
        moved = test[markov(other, timeline)(block) != before]
        assert (bars.dates[moved] >= timeline.ended[row]).all()
        # Of two rows whose outcomes end on one day, the later one counts.
        replaced = timeline.ended[row + 1] == timeline.ended[row]
        assert len(moved) or replaced or np.isnan(outcome[row])


def test_rows_of_a_pool_count_once_their_outcome_ended_before_the_cut() -> None:
    pool = rows_on(bars_on(sorted({*SESSIONS, SPECIAL})))
    eve, horizon_days = pool.dates.tolist().index(date(2018, 11, 6)), 5
    label = np.zeros(len(pool.dates))
    ended = pool.timeline(horizon_days).ended
    for row in (eve - 10, eve - horizon_days, eve, eve + 1, eve + 10):
        for cut in (ended[row], ended[row] + np.timedelta64(1, "D")):
            table = training_rows(
                pool, label, np.array([0]), cut, [(pool, label)], ("return_1",), horizon_days
            )
            assert len(table[0]) == 1 + int((ended < cut).sum())
            assert (ended[: len(table[0]) - 1] < cut).all()


def rows_on(bars: Bars) -> MarketRows:
    """Rows of a single feature for every bar."""
    return MarketRows(
        name="made up",
        bars=bars,
        features=np.zeros((len(bars), 1)),
        implied_sigma=np.full(len(bars), 0.01),
        feature_names=("return_1",),
        scored_from=bars.dates[240],
        scored_to=bars.dates[-1],
    )


@pytest.mark.parametrize("name", ["model", "drift"])
def test_a_forecast_that_is_no_number_is_refused_where_its_day_is_scored(name: str) -> None:
    label = np.random.default_rng(0).integers(0, 2, len(DATES)).astype(float)
    place = int(np.searchsorted(DATES, FROM)) + 200

    def broken(block: Block) -> FloatArray:
        return np.where(block.test == place, np.nan, 0.5)

    model, drift = (broken, constant(0.5)) if name == "model" else (constant(0.5), broken)
    with pytest.raises(JudgingError, match=f"forecasts of {name} have no value"):
        walk_forward(every_day(DATES, 5), label, FROM, TO, model, {"drift": drift})
    label[place] = np.nan
    walked = walk_forward(every_day(DATES, 5), label, FROM, TO, model, {"drift": drift})
    assert place not in walked.rows


def test_blocks_cover_every_scored_day_once_and_expand() -> None:
    walked = list(blocks(every_day(DATES, 5), FROM, TO))
    tested = np.concatenate([block.test for block in walked])
    assert DATES[tested[0]] == FROM
    assert DATES[tested[-1]] == TO
    assert np.array_equal(tested, np.arange(tested[0], tested[-1] + 1))
    assert all(len(block.test) == REFIT_BARS for block in walked[:-1])
    assert all(block.train[0] == 0 for block in walked)


def test_too_short_a_history_cannot_be_judged() -> None:
    with pytest.raises(JudgingError, match="scored_from"):
        list(blocks(every_day(DATES, 5), DATES[60], TO))


def test_a_forecaster_never_sees_the_labels_of_its_test_block() -> None:
    label = np.random.default_rng(0).integers(0, 2, len(DATES)).astype(float)

    def peek(block: Block) -> FloatArray:
        assert not set(block.train) & set(block.test)
        return np.full(len(block.test), label[block.train].mean())

    baselines = {"climatology": climatology(label)}
    walked = walk_forward(every_day(DATES, 5), label, FROM, TO, peek, baselines)
    assert np.array_equal(walked.model, walked.baselines["climatology"])
    assert np.array_equal(walked.label, label[walked.rows])


def test_days_whose_label_is_unknown_are_not_scored() -> None:
    label = np.random.default_rng(0).integers(0, 2, len(DATES)).astype(float)
    end = int(np.searchsorted(DATES, TO))
    label[end - 4 :] = np.nan
    walked = walk_forward(every_day(DATES, 5), label, FROM, TO, constant(0.5), {})
    assert walked.dates[-1] == DATES[end - 5]


def markov_of_a_day(outcome: FloatArray) -> Forecaster:
    return markov(outcome, every_day(DATES[: len(outcome)], 1))


@pytest.mark.parametrize("baseline", [climatology, markov_of_a_day])
def test_a_baseline_counts_no_training_row_of_which_nothing_is_known(
    baseline: Callable[[NDArray[np.float64]], Forecaster],
) -> None:
    label = np.array([1.0, 1.0, np.nan, np.nan, 1.0, 1.0, 0.0])
    block = Block(np.arange(6), np.array([6]), np.datetime64("2020-01-01"))
    assert baseline(label)(block).tolist() == [1.0]


def test_a_history_without_the_event_cannot_be_judged() -> None:
    with pytest.raises(JudgingError, match="every label is the same"):
        walk_forward(every_day(DATES, 5), np.zeros(len(DATES)), FROM, TO, constant(0.0), {})


@settings(max_examples=100, deadline=None)
@given(
    probability=arrays(np.float64, 50, elements=st.sampled_from([0.1, 0.2, 0.2001, 0.5, 0.9])),
    label=arrays(np.float64, 50, elements=st.sampled_from([0.0, 1.0])),
)
def test_auc_equals_scikit_learn_ties_included(probability: FloatArray, label: FloatArray) -> None:
    if len(np.unique(label)) == 2:
        assert auc(probability, label) == pytest.approx(roc_auc_score(label, probability))
    else:
        assert np.isnan(auc(probability, label))


def test_brier_skill_is_one_minus_the_ratio_of_brier_scores() -> None:
    random = np.random.default_rng(1)
    label = (random.random(500) < 0.3).astype(float)
    probability = np.clip(0.3 + 0.2 * (label - 0.3) + random.normal(0, 0.05, 500), 0, 1)
    result = judged(probability, label)
    expected = 1 - brier_score_loss(label, probability) / brier_score_loss(label, np.full(500, 0.3))
    assert result.skills["climatology"].skill == pytest.approx(expected)
    assert result.auc == pytest.approx(roc_auc_score(label, probability))
    assert result.verdict == "indicated"
    assert result.p_value < 0.001
    assert (result.windows, result.corrected_p) == (11, None)


def test_climatology_itself_has_no_skill_and_none_is_demonstrated() -> None:
    label = (np.random.default_rng(2).random(800) < 0.3).astype(float)
    result = judged(np.full(800, 0.3), label)
    skill = result.skills["climatology"]
    assert (skill.skill, skill.lower, skill.upper) == (0.0, 0.0, 0.0)
    assert result.verdict == "none demonstrated"


def test_the_verdict_is_against_the_strongest_baseline() -> None:
    label = np.tile([0.0, 1.0], 400)
    weak = np.full(800, 0.5)
    result = judged(weak, label, climate=0.95, coin=0.5, worse=0.8)
    assert result.strongest == "coin"
    assert result.skills["climatology"].lower > 0
    assert result.verdict == "none demonstrated"


def test_years_add_up_to_the_whole() -> None:
    random = np.random.default_rng(4)
    label = (random.random(900) < 0.3).astype(float)
    result = judged(random.random(900), label)
    assert sum(n for n, _ in result.years.values()) == 900
    assert list(result.years) == ["2012", "2013", "2014"]


def test_an_event_that_never_comes_cannot_be_judged() -> None:
    with pytest.raises(JudgingError, match="every scored label is the same"):
        judged(np.full(300, 0.1), np.zeros(300))


def test_the_ranked_probability_loss_is_that_of_cumulated_classes() -> None:
    probability = np.array([[0.2, 0.5, 0.3], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    loss = ranked_probability(probability, np.array([0.0, 2.0, 2.0]))
    np.testing.assert_allclose(loss, [0.8**2 + 0.3**2, 0.0, 2.0])


def test_a_surface_weighs_all_its_cells_alike() -> None:
    probability = np.array([[[0.5, 0.5], [1.0, 0.0]]])
    assert squared_error(probability, np.zeros((1, 2, 2))) == pytest.approx(1.5 / 4)


@pytest.mark.parametrize(("horizon_days", "block"), [(1, 42), (21, 42), (30, 60)])
def test_bootstrap_blocks_are_circular_runs_of_the_promised_length(
    horizon_days: int, block: int
) -> None:
    rows = bootstrap_rows(300, horizon_days, samples=50)
    assert rows.shape == (50, 300)
    steps = np.diff(rows, axis=1) % 300
    within = np.arange(299) % block != block - 1
    assert (steps[:, within] == 1).all()
    assert (steps[:, ~within] != 1).any()


def test_overlapping_labels_widen_the_interval() -> None:
    random = np.random.default_rng(5)
    shocks = np.repeat(random.random(60), 40)
    wide = skill_against(shocks, np.full(len(shocks), 0.5), 20)
    narrow = skill_against(random.permutation(shocks), np.full(len(shocks), 0.5), 20)
    assert wide.upper - wide.lower > 2 * (narrow.upper - narrow.lower)


def test_calibration_error_is_zero_when_frequencies_match_and_the_shift_when_they_do_not() -> None:
    probability = np.repeat([0.0, 0.5, 1.0], 200)
    label = np.concatenate([np.zeros(200), np.tile([0.0, 1.0], 100), np.ones(200)])
    assert calibration_error(probability, label, bins=3) == 0.0
    assert calibration_error(np.full(200, 0.7), np.tile([0.0, 1.0], 100), bins=4) == pytest.approx(
        0.2
    )


def test_skill_in_shuffled_labels_is_refused() -> None:
    label = np.tile([0.0, 1.0], 1000)
    with pytest.raises(JudgingError, match="trained on and forecast"):
        check_shuffled(0.4 + 0.1 * label, label, "leak")
    chance = np.random.default_rng(6).random(2000)
    assert 0.45 <= check_shuffled(chance, label, "chance") <= 0.55


def test_shuffling_keeps_what_is_unknown_and_how_often_it_happened() -> None:
    label = np.concatenate([np.tile([0.0, 0.0, 1.0], 100), [np.nan, np.nan]])
    mixed = shuffled(label)
    assert np.isnan(mixed[-2:]).all()
    assert mixed[:-2].sum() == label[:-2].sum()
    assert (mixed[:-2] != label[:-2]).any()


def test_what_was_forecast_of_days_without_an_outcome_is_kept_apart() -> None:
    label = np.where(np.arange(len(DATES)) % 3 == 0, 1.0, 0.0)
    label[1500:] = np.nan
    walked = walk_forward(
        every_day(DATES, 5), label, FROM, TO, constant(0.25), {"climatology": climatology(label)}
    )
    first, last = np.searchsorted(DATES, [FROM, TO])
    np.testing.assert_array_equal(walked.rows, np.arange(first, 1500))
    said = walked.by_row(len(DATES))
    np.testing.assert_array_equal(np.flatnonzero(~np.isnan(said)), np.arange(first, last + 1))
    assert set(said[first : last + 1]) == {0.25}


def test_forecasts_that_were_made_by_hand_are_all_that_was_said() -> None:
    made = Forecasts(np.array([1, 3]), DATES[[1, 3]], np.zeros(2), np.full((2, 2), 0.5), {})
    np.testing.assert_array_equal(np.isnan(made.by_row(5)).all(axis=1), [1, 0, 1, 0, 1])
