"""Walk-forward judging: purged, embargoed, expanding; scores against baselines, with intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from aegismatrix.artifacts.fields import INDICATED, NONE_DEMONSTRATED
from aegismatrix.errors import AegisError
from aegismatrix.market.bars import Bars
from aegismatrix.market.statistics import (
    block_days,
    independent_windows,
    resampled_means,
    standardised_gain,
)
from aegismatrix.market.windows import Windows

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
DateArray = NDArray[np.datetime64]

REFIT_BARS = 126
EMBARGO_DAYS = 5
MIN_TRAINING_ROWS = 126
BOOTSTRAP_SAMPLES = 2000
SEED = 20240517
SHUFFLED_AUC_MARGIN = 0.05
SHUFFLED_AUC_DEVIATIONS = 3.0
_P_VALUE_DIGITS = 6


class JudgingError(AegisError):
    """A model could not be judged, or its judging cannot be trusted."""


@dataclass(frozen=True)
class Effort:
    """How much work is put into judging a model.

    Attributes
    ----------
    refits : int or None
        Refits of one walk-forward, evenly spread; None for one every `REFIT_BARS` bars.
    bootstrap_samples : int
        Resamples behind every interval.
    """

    refits: int | None = None
    bootstrap_samples: int = BOOTSTRAP_SAMPLES

    @property
    def is_quick(self) -> bool:
        """Whether it is too little for a judgement to rely on."""
        return self != FULL

    def step_bars(self, bars: int) -> int:
        """Return how many bars one refit forecasts, of so many."""
        return REFIT_BARS if self.refits is None else max(1, -(-bars // self.refits))


FULL = Effort()
QUICK = Effort(refits=3, bootstrap_samples=200)
"""Enough to see that every step works, and no more."""


@dataclass(frozen=True, eq=False)
class Timeline:
    """When the outcomes of some rows ended, and how far back a forecast of each may look for them.

    Attributes
    ----------
    dates : ndarray of shape (N,), datetime64[D]
        Days of the rows, in order.
    ended : ndarray of shape (N,), datetime64[D]
        Day that the outcome of each row ended on; NaT where it is still to come, or where the bars
        lack that session.
    cut : ndarray of shape (N,), datetime64[D]
        The session `EMBARGO_DAYS` before each row; NaT where the bars do not reach that far back.
    """

    dates: DateArray
    ended: DateArray
    cut: DateArray

    @classmethod
    def of(cls, bars: Bars, horizon_days: int) -> Timeline:
        """Return the timeline of some bars.

        Parameters
        ----------
        bars : Bars
            T bars.
        horizon_days : int
            Trading days until an outcome is known: sessions of the exchange, as
            `aegismatrix.market.windows` counts them.

        Returns
        -------
        Timeline
            Of T rows.
        """
        windows = Windows.of(bars)
        return cls(
            dates=bars.dates,
            ended=_days_at(bars.dates, windows.last_row(horizon_days)),
            cut=_days_at(windows.sessions, windows.passed - 1 - EMBARGO_DAYS),
        )

    def __getitem__(self, rows: slice | IntArray | NDArray[np.bool_]) -> Timeline:
        """Return the timeline of some of the rows."""
        return Timeline(self.dates[rows], self.ended[rows], self.cut[rows])

    def ended_by(self, day: np.datetime64) -> NDArray[np.bool_]:
        """Say which outcomes were known when a day had closed, shape (N,)."""
        return np.asarray(self.ended <= day)


def _days_at(days: DateArray, places: IntArray) -> DateArray:
    return np.where(places < 0, np.datetime64("NaT", "D"), days[np.maximum(places, 0)])


@dataclass(frozen=True, eq=False)
class Block:
    """One refit: rows to train on, rows to forecast.

    Attributes
    ----------
    train, test : ndarray of int
        Row numbers; the outcome of every training row had ended on `cut`.
    cut : datetime64[D]
        The session `EMBARGO_DAYS` before the first test row. Outcomes on other markets must have
        ended strictly before it.
    """

    train: IntArray
    test: IntArray
    cut: np.datetime64


Forecaster = Callable[[Block], FloatArray]


@dataclass(frozen=True, eq=False)
class Forecasts:
    """Walk-forward forecasts of one target: none of them saw its own window.

    Attributes
    ----------
    rows : ndarray of shape (n,), int
        Rows of the market that were forecast and whose outcome is known.
    dates : ndarray of shape (n,), datetime64[D]
        Their days.
    label : ndarray of shape (n, ...)
        What happened.
    model : ndarray of shape (n, ...)
        The model's probabilities.
    baselines : mapping of str to ndarray of shape (n, ...)
        What is to be beaten, forecast in the same walk.
    said : (rows, probabilities), of shapes (m,) and (m, ...), or None
        All that the model forecast, of days too whose outcome is not known; None if that is all of
        `rows` and `model`.
    """

    rows: IntArray
    dates: DateArray
    label: FloatArray
    model: FloatArray
    baselines: Mapping[str, FloatArray]
    said: tuple[IntArray, FloatArray] | None = None

    def by_row(self, count: int) -> FloatArray:
        """Return all that the model forecast, row by row of its market.

        Parameters
        ----------
        count : int
            Rows of the market.

        Returns
        -------
        ndarray of shape (count, ...)
            NaN where nothing was forecast.
        """
        rows, model = (self.rows, self.model) if self.said is None else self.said
        values = np.full((count, *model.shape[1:]), np.nan)
        values[rows] = model
        return values


@dataclass(frozen=True)
class Skill:
    """Skill against one baseline: 1 - mean loss / mean loss of the baseline.

    Attributes
    ----------
    skill, lower, upper : float
        The score and its 95 % interval from a circular block bootstrap.
    """

    skill: float
    lower: float
    upper: float


@dataclass(frozen=True, eq=False)
class Losses:
    """The loss of every scored forecast of one output: what its score is the mean of.

    Attributes
    ----------
    dates : ndarray of shape (n,), datetime64[D]
        Days that were scored.
    values : ndarray of shape (n,)
        The model's loss on each.
    horizon_days : int
        Trading days until a label is known: how far the losses of neighbours overlap.
    """

    dates: DateArray
    values: FloatArray
    horizon_days: int


@dataclass(frozen=True)
class Judgement:
    """How one output of a model did in the walk-forward on one market.

    Attributes
    ----------
    output, market : str
        Column of the output, or the beginning that its columns share; and the market.
    first, last : str
        Days of the first and the last scored forecast.
    n : int
        Forecasts scored.
    base_rate : float
        Share of forecasts whose event happened.
    score : str
        Name of the score behind the skills.
    skills : mapping of str to Skill
        By baseline.
    strongest : str
        The baseline with the smallest loss.
    auc, auc_lower, auc_upper : float
        Area under the ROC curve and its 95 % interval.
    calibration_error : float
        Mean absolute difference of forecast and frequency over ten quantile bins (ECE).
    years : mapping of str to tuple (n, skill against climatology)
        Year by year.
    p_value : float
        Of no gain on the strongest baseline, one-sided, from `gain_p_value`.
    windows : int
        How many stretches of the scored days count as independent, from
        `aegismatrix.market.statistics.independent_windows`.
    verdict : str
        What is known of this output alone: ``indicated`` if the lower bound against the strongest
        baseline is above 0. What is ``demonstrated`` depends on all that was judged beside it
        (`aegismatrix_factory.evaluate.verdicts`).
    corrected_p : float or None
        `p_value` after Holm's correction for all that was judged beside it; None before.
    losses : Losses
        What the skills were made of, day by day.
    """

    output: str
    market: str
    first: str
    last: str
    n: int
    base_rate: float
    score: str
    skills: Mapping[str, Skill]
    strongest: str
    auc: float
    auc_lower: float
    auc_upper: float
    calibration_error: float
    years: Mapping[str, tuple[int, float]]
    p_value: float
    windows: int
    verdict: str
    corrected_p: float | None
    losses: Losses = field(repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the judgement as it is sealed: figures rounded to six decimals, no losses."""
        return {
            "output": self.output,
            "market": self.market,
            "first": self.first,
            "last": self.last,
            "n": self.n,
            "base_rate": round(self.base_rate, 6),
            "score": self.score,
            "skills": {
                name: {
                    "skill": round(skill.skill, 6),
                    "lower": round(skill.lower, 6),
                    "upper": round(skill.upper, 6),
                }
                for name, skill in self.skills.items()
            },
            "strongest": self.strongest,
            "auc": round(self.auc, 6),
            "auc_lower": round(self.auc_lower, 6),
            "auc_upper": round(self.auc_upper, 6),
            "calibration_error": round(self.calibration_error, 6),
            "years": {
                year: {"n": n, "skill": round(skill, 6)} for year, (n, skill) in self.years.items()
            },
            "p_value": self.p_value,
            "windows": self.windows,
            "verdict": self.verdict,
            **({} if self.corrected_p is None else {"corrected_p": self.corrected_p}),
        }


def blocks(
    timeline: Timeline,
    scored_from: np.datetime64,
    scored_to: np.datetime64,
    effort: Effort = FULL,
) -> Iterator[Block]:
    """Walk forward through the scored days, refit by refit.

    Parameters
    ----------
    timeline : Timeline
        Of N rows, at the horizon of what is forecast.
    scored_from, scored_to : datetime64[D]
        First and last day to forecast.
    effort : Effort
        How often it refits; every `REFIT_BARS` bars unless told otherwise.

    Yields
    ------
    Block

    Raises
    ------
    JudgingError
        If fewer than `MIN_TRAINING_ROWS` rows precede the first block.
    """
    first = int(np.searchsorted(timeline.dates, scored_from))
    stop = int(np.searchsorted(timeline.dates, scored_to, side="right"))
    known = int(timeline.ended_by(timeline.cut[first]).sum()) if first < stop else 0
    if known < MIN_TRAINING_ROWS:
        raise JudgingError(
            f"Only {known} labelled rows precede the first scored day {scored_from}.",
            remedy=f"Give at least {MIN_TRAINING_ROWS}: a longer history or a later scored_from.",
        )
    step = effort.step_bars(stop - first)
    for start in range(first, stop, step):
        end = min(start + step, stop)
        cut = timeline.cut[start]
        yield Block(np.flatnonzero(timeline.ended_by(cut)), np.arange(start, end), cut)


def auc(probability: FloatArray, label: FloatArray) -> float:
    """Return the area under the ROC curve; ties count half (Mann, Whitney 1947).

    Parameters
    ----------
    probability, label : ndarray of shape (n,)
        Forecasts, and outcomes 0 or 1.

    Returns
    -------
    float
        NaN where only one class occurred.
    """
    _, place, counts = np.unique(probability, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2.0)[place]
    positives = float(label.sum())
    negatives = len(label) - positives
    if not positives or not negatives:
        return float("nan")
    rank_sum = float(ranks[label == 1].sum())
    return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives)


def calibration_error(probability: FloatArray, label: FloatArray, bins: int = 10) -> float:
    """Return the expected calibration error over quantile bins.

    Parameters
    ----------
    probability, label : ndarray of shape (n,)
        Forecasts, and outcomes 0 or 1.
    bins : int
        Bins of equal count.

    Returns
    -------
    float
        Mean over forecasts of |mean forecast - frequency| of their bin.
    """
    order = np.argsort(probability, kind="stable")
    error = sum(
        len(part) * abs(float(probability[part].mean() - label[part].mean()))
        for part in np.array_split(order, bins)
        if len(part)
    )
    return error / len(label)


def bootstrap_rows(n: int, horizon_days: int, samples: int, seed: int = SEED) -> IntArray:
    """Draw row numbers for a circular block bootstrap (Politis, Romano 1992).

    Parameters
    ----------
    n : int
        Rows.
    horizon_days : int
        Overlap of neighbouring labels; blocks are `aegismatrix.market.statistics.block_days` rows.
    samples : int
        Resamples.
    seed : int
        Of the generator.

    Returns
    -------
    ndarray of shape (samples, n)
    """
    block = min(block_days(horizon_days), n)
    starts = _block_starts(n, block, samples, seed)
    rows = (starts[:, :, None] + np.arange(block)) % n
    return rows.reshape(samples, -1)[:, :n]


def bootstrap_means(
    values: FloatArray, horizon_days: int, samples: int, seed: int = SEED
) -> FloatArray:
    """Return the means over the rows that `bootstrap_rows` draws, without drawing every row.

    Parameters
    ----------
    values : ndarray of shape (n,)
        One per row.
    horizon_days, samples, seed
        As for `bootstrap_rows`.

    Returns
    -------
    ndarray of shape (samples,)
    """
    block = min(block_days(horizon_days), len(values))
    starts = _block_starts(len(values), block, samples, seed)
    return resampled_means(values, block, starts)


def _block_starts(n: int, block: int, samples: int, seed: int) -> IntArray:
    return np.random.default_rng(seed).integers(0, n, size=(samples, -(-n // block)))


def skill_against(
    loss: FloatArray, baseline_loss: FloatArray, horizon_days: int, effort: Effort = FULL
) -> Skill:
    """Score losses against a baseline's on the same rows.

    Parameters
    ----------
    loss, baseline_loss : ndarray of shape (n,)
        Per forecast: squared error for Brier skill, ranked-probability score for RPSS.
    horizon_days : int
        As for `bootstrap_rows`.
    effort : Effort
        How often it resamples.

    Returns
    -------
    Skill
    """
    rows = bootstrap_rows(len(loss), horizon_days, effort.bootstrap_samples)
    resampled = 1.0 - loss[rows].mean(axis=1) / baseline_loss[rows].mean(axis=1)
    lower, upper = np.quantile(resampled, [0.025, 0.975])
    return Skill(float(1.0 - loss.mean() / baseline_loss.mean()), float(lower), float(upper))


def gain_p_value(loss: FloatArray, baseline_loss: FloatArray, horizon_days: int) -> float:
    """Return how likely a gain as large as this is where there is none, one-sided.

    `aegismatrix.market.statistics.standardised_gain` goes through Student's t, whose far tail scipy
    has to the last digit.

    Parameters
    ----------
    loss, baseline_loss : ndarray of shape (n,)
        Per forecast, oldest first.
    horizon_days : int
        As for `bootstrap_rows`.

    Returns
    -------
    float
        Rounded to six significant digits; 1 with fewer than two stretches.
    """
    found = standardised_gain(loss, baseline_loss, horizon_days)
    if found is None:
        return 1.0
    value, degrees = found
    return float(f"{stdtr(degrees, -value):.{_P_VALUE_DIGITS}g}")


def paired_gain(
    loss: FloatArray,
    other_loss: FloatArray,
    climatology_loss: FloatArray,
    horizon_days: int,
    effort: Effort = FULL,
) -> Skill:
    """Return how much more skill against climatology a model has than another on the same rows.

    Parameters
    ----------
    loss, other_loss, climatology_loss : ndarray of shape (n,)
        Per forecast.
    horizon_days : int
        As for `bootstrap_rows`.
    effort : Effort
        How often it resamples.

    Returns
    -------
    Skill
        The gain and its 95 % interval.
    """
    rows = bootstrap_rows(len(loss), horizon_days, effort.bootstrap_samples)
    gain = other_loss - loss
    resampled = gain[rows].mean(axis=1) / climatology_loss[rows].mean(axis=1)
    lower, upper = np.quantile(resampled, [0.025, 0.975])
    return Skill(float(gain.mean() / climatology_loss.mean()), float(lower), float(upper))


def judge(
    forecasts: Forecasts,
    *,
    output: str,
    market: str,
    horizon_days: int,
    score: str,
    loss: Callable[[FloatArray, FloatArray], FloatArray],
    events: Sequence[tuple[FloatArray, FloatArray]],
    effort: Effort = FULL,
) -> Judgement:
    """Judge forecasts against their baselines.

    Parameters
    ----------
    forecasts : Forecasts
        From `walk_forward`; one baseline is ``climatology``.
    output, market : str
        What and where.
    horizon_days : int
        Trading days until the label is known.
    score : str
        Name of the skill score that `loss` makes.
    loss : callable
        From forecasts and labels to a loss per row, shape (n,).
    events : sequence of (probability, label), each of shape (n,)
        The events whose ranking and calibration are averaged; those that always or never
        happened have none.
    effort : Effort
        How often the intervals resample.

    Returns
    -------
    Judgement

    Raises
    ------
    JudgingError
        If no event both happened and failed to.
    """
    events = [event for event in events if len(np.unique(event[1])) == 2]
    if not events:
        raise JudgingError(
            f"{output} on {market}: every scored label is the same.",
            remedy="Score a longer span, one in which the event happens and fails to.",
        )
    model_loss = loss(forecasts.model, forecasts.label)
    against = {name: loss(other, forecasts.label) for name, other in forecasts.baselines.items()}
    skills = {
        name: skill_against(model_loss, other, horizon_days, effort)
        for name, other in against.items()
    }
    strongest = min(against, key=lambda name: float(against[name].mean()))
    rows = bootstrap_rows(len(model_loss), horizon_days, effort.bootstrap_samples // 4)
    areas = [_mean_auc(events, sample) for sample in rows]
    auc_lower, auc_upper = np.nanquantile(areas, [0.025, 0.975])
    years = {}
    for year in np.unique(forecasts.dates.astype("datetime64[Y]")):
        of_year = forecasts.dates.astype("datetime64[Y]") == year
        skill = 1.0 - model_loss[of_year].mean() / against["climatology"][of_year].mean()
        years[str(year)] = (int(of_year.sum()), float(skill))
    return Judgement(
        output=output,
        market=market,
        first=str(forecasts.dates[0]),
        last=str(forecasts.dates[-1]),
        n=len(model_loss),
        base_rate=float(np.mean([y.mean() for _, y in events])),
        score=score,
        skills=skills,
        strongest=strongest,
        auc=float(np.mean([auc(p, y) for p, y in events])),
        auc_lower=float(auc_lower),
        auc_upper=float(auc_upper),
        calibration_error=float(np.mean([calibration_error(p, y) for p, y in events])),
        years=years,
        p_value=gain_p_value(model_loss, against[strongest], horizon_days),
        windows=independent_windows(len(model_loss), horizon_days),
        verdict=INDICATED if skills[strongest].lower > 0 else NONE_DEMONSTRATED,
        corrected_p=None,
        losses=Losses(forecasts.dates, model_loss, horizon_days),
    )


def _mean_auc(events: Sequence[tuple[FloatArray, FloatArray]], rows: IntArray) -> float:
    """Average over the events that both happened and failed to among these rows."""
    areas = np.array([auc(p[rows], y[rows]) for p, y in events])
    known = areas[~np.isnan(areas)]
    return float(known.mean()) if known.size else float("nan")


def squared_error(probability: FloatArray, label: FloatArray) -> FloatArray:
    """Return the Brier loss per row: the mean over further axes of squared errors.

    Parameters
    ----------
    probability, label : ndarray of shape (n, ...)
        Forecasts, and outcomes 0 or 1 (Brier 1950).

    Returns
    -------
    ndarray of shape (n,)
    """
    squares = (probability - label) ** 2
    return np.asarray(squares.reshape(len(squares), -1).mean(axis=1))


def ranked_probability(probability: FloatArray, label: FloatArray) -> FloatArray:
    """Return the ranked-probability loss per row (Epstein 1969).

    Parameters
    ----------
    probability : ndarray of shape (n, classes)
        Over ordered classes.
    label : ndarray of shape (n,)
        The class that came, 0 for the lowest.

    Returns
    -------
    ndarray of shape (n,)
    """
    came = label[:, None] <= np.arange(probability.shape[1])
    return np.asarray(((np.cumsum(probability, axis=1) - came)[:, :-1] ** 2).sum(axis=1))


def climatology(label: FloatArray, earlier: FloatArray | None = None) -> Forecaster:
    """Forecast the frequency of an event among a block's own training rows.

    Parameters
    ----------
    label : ndarray of shape (N, ...)
        Outcomes 0 or 1, row by row of the market; NaN where not known, which is not counted.
    earlier : ndarray of shape (M, ...), optional
        Outcomes of days before the first row, counted too.

    Returns
    -------
    callable
        From a block to forecasts of shape (len(block.test), ...).
    """

    def forecast(block: Block) -> FloatArray:
        known = label[block.train]
        if earlier is not None:
            known = np.concatenate([earlier, known])
        frequency = np.asarray(np.nanmean(known, axis=0))
        return np.broadcast_to(frequency, (len(block.test), *label.shape[1:]))

    return forecast


def markov(outcome: FloatArray, timeline: Timeline) -> Forecaster:
    """Forecast how often the event followed a last known outcome like today's.

    Parameters
    ----------
    outcome : ndarray of shape (N,)
        0 or 1, row by row of the market; NaN where not known.
    timeline : Timeline
        Of the same rows, at the horizon of the outcome.

    Returns
    -------
    callable
        From a block to forecasts of shape (len(block.test),).
    """
    # Where an outcome is never known, the one before it is the last.
    known = np.flatnonzero(~np.isnan(outcome) & ~np.isnat(timeline.ended))
    ended = np.searchsorted(timeline.ended[known], timeline.dates, side="right")
    today = np.full(len(outcome), np.nan)
    today[ended > 0] = outcome[known[ended[ended > 0] - 1]]

    def forecast(block: Block) -> FloatArray:
        known = block.train[~np.isnan(outcome[block.train])]
        happened, before = outcome[known], today[known]
        after = [
            happened[before == state].mean() if (before == state).any() else happened.mean()
            for state in (0.0, 1.0)
        ]
        return np.asarray(np.where(today[block.test] == 1.0, after[1], after[0]))

    return forecast


def constant(probability: float) -> Forecaster:
    """Forecast the same probability always.

    Parameters
    ----------
    probability : float

    Returns
    -------
    callable
        From a block to forecasts of shape (len(block.test),).
    """
    return lambda block: np.full(len(block.test), probability)


def walk_forward(
    timeline: Timeline,
    label: FloatArray,
    scored_from: np.datetime64,
    scored_to: np.datetime64,
    model: Forecaster,
    baselines: Mapping[str, Forecaster],
    on_block: Callable[[], object] = lambda: None,
    effort: Effort = FULL,
) -> Forecasts:
    """Forecast every scored day from what had ended before.

    Parameters
    ----------
    timeline : Timeline
        Of N rows, at the horizon of the outcomes.
    label : ndarray of shape (N, ...)
        Outcomes; NaN where not known.
    scored_from, scored_to
        As for `blocks`.
    model : callable
        From a block to forecasts for its test rows, shape (len(block.test), ...).
    baselines : mapping of str to callable
        The same, for what is to be beaten.
    on_block : callable
        Called after each block, for progress.
    effort : Effort
        As for `blocks`.

    Returns
    -------
    Forecasts
        Rows whose label is known.

    Raises
    ------
    JudgingError
        If the training rows of a block hold a single class, or if a forecast of a scored row is no
        number.
    """
    rows, of_model = [], []
    of_baselines: dict[str, list[FloatArray]] = {name: [] for name in baselines}
    dates = timeline.dates
    for block in blocks(timeline, scored_from, scored_to, effort):
        seen = label[block.train]
        if len(np.unique(seen[~np.isnan(seen)])) < 2:
            raise JudgingError(
                f"Before {dates[block.test[0]]} every label is the same.",
                remedy="Give a longer history, one in which the event happens and fails to.",
            )
        rows.append(block.test)
        of_model.append(model(block))
        for name, baseline in baselines.items():
            of_baselines[name].append(baseline(block))
        on_block()
    test = np.concatenate(rows)
    known = ~np.isnan(label[test].reshape(len(test), -1)).any(axis=1)
    forecast = {"model": of_model, **of_baselines}
    every = {name: np.concatenate(parts) for name, parts in forecast.items()}
    said = {name: values[known] for name, values in every.items()}
    for name, values in said.items():
        if np.isnan(values).any():
            raise JudgingError(
                f"The forecasts of {name} have no value on some scored days.",
                remedy="Look for an unknown outcome that is counted among the training rows.",
            )
    return Forecasts(
        rows=test[known],
        dates=dates[test][known],
        label=label[test][known],
        model=said.pop("model"),
        baselines=said,
        said=(test, every["model"]),
    )


def shuffled(label: FloatArray) -> FloatArray:
    """Return the known labels in random order, for `check_shuffled`.

    Parameters
    ----------
    label : ndarray of shape (N,)
        Outcomes; NaN stays where it is.

    Returns
    -------
    ndarray of shape (N,)
    """
    known = ~np.isnan(label)
    mixed: FloatArray = label.copy()
    mixed[known] = np.random.default_rng(SEED).permutation(label[known])
    return mixed


def check_shuffled(probability: FloatArray, label: FloatArray, what: str) -> float:
    """Refuse a procedure that forecasts labels whose order was shuffled.

    It then trains on the rows that it forecasts. A label that leaks into the features is another
    matter: that no forecast depends on later bars is tested by replacing them.

    Parameters
    ----------
    probability, label : ndarray of shape (n,)
        Of a walk-forward over labels in random order.
    what : str
        Name for the message.

    Returns
    -------
    float
        Their AUC.

    Raises
    ------
    JudgingError
        If the AUC is further from 0.5 than `SHUFFLED_AUC_MARGIN` or, on few rows, than
        `SHUFFLED_AUC_DEVIATIONS` standard deviations of chance (Hanley, McNeil 1982).
    """
    area = auc(probability, label)
    happened = float(label.sum())
    pairs = happened * (len(label) - happened)
    chance = float(np.sqrt((len(label) + 1) / (12.0 * pairs))) if pairs else 0.0
    margin = max(SHUFFLED_AUC_MARGIN, SHUFFLED_AUC_DEVIATIONS * chance)
    # Written so that NaN fails.
    if not abs(area - 0.5) <= margin:
        raise JudgingError(
            f"{what}: shuffled labels are forecast with an AUC of {area:.3f}, further than"
            f" {margin:.3f} from 0.5.",
            remedy="Look for rows that are trained on and forecast.",
        )
    return area
