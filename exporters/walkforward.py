"""Walk-forward judging: purged, embargoed, expanding; scores against baselines, with intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aegismatrix.errors import AegisError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
DateArray = NDArray[np.datetime64]

REFIT_BARS = 126
EMBARGO_BARS = 5
MIN_TRAINING_ROWS = 126
BOOTSTRAP_SAMPLES = 2000
MIN_BLOCK_BARS = 42
SEED = 20240517
SHUFFLED_AUC_MARGIN = 0.05
SHUFFLED_AUC_DEVIATIONS = 3.0
DEMONSTRATED, NONE_DEMONSTRATED = "demonstrated", "none demonstrated"


class JudgingError(AegisError):
    """A model could not be judged, or its judging cannot be trusted."""


@dataclass(frozen=True, eq=False)
class Block:
    """One refit: rows to train on, rows to forecast.

    Attributes
    ----------
    train, test : ndarray of int
        Row numbers; every training row's label ended at least `EMBARGO_BARS` bars before the first
        test row.
    cut : datetime64[D]
        Rows of other markets must have ended strictly before this date.
    """

    train: IntArray
    test: IntArray
    cut: np.datetime64


@dataclass(frozen=True, eq=False)
class Forecasts:
    """Walk-forward forecasts of one target: none of them saw its own window.

    Attributes
    ----------
    dates : ndarray of shape (n,), datetime64[D]
        Days of forecast.
    probability : ndarray of shape (n, ...)
        The model's.
    climatology : ndarray of shape (n, ...)
        Frequencies in each block's own training rows.
    label : ndarray of shape (n,)
        What happened.
    """

    dates: DateArray
    probability: FloatArray
    climatology: FloatArray
    label: FloatArray


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


@dataclass(frozen=True)
class Judgement:
    """How one output of a model did in the walk-forward on one market.

    Attributes
    ----------
    output, market : str
        Column of the output, and the market.
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
    verdict : str
        ``demonstrated`` only if the lower bound against the strongest baseline is above 0.
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
    verdict: str

    def to_dict(self) -> dict[str, Any]:
        """Return the judgement as it is sealed: figures rounded to six decimals."""
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
            "verdict": self.verdict,
        }


def blocks(
    dates: DateArray, scored_from: np.datetime64, scored_to: np.datetime64, horizon_days: int
) -> Iterator[Block]:
    """Walk forward through the scored days in steps of `REFIT_BARS`.

    Parameters
    ----------
    dates : ndarray of shape (N,)
        Dates of the rows.
    scored_from, scored_to : datetime64[D]
        First and last day to forecast.
    horizon_days : int
        Trading days until a label is known.

    Yields
    ------
    Block

    Raises
    ------
    JudgingError
        If fewer than `MIN_TRAINING_ROWS` rows precede the first block.
    """
    first = int(np.searchsorted(dates, scored_from))
    stop = int(np.searchsorted(dates, scored_to, side="right"))
    known = first - horizon_days - EMBARGO_BARS + 1
    if known < MIN_TRAINING_ROWS or stop <= first:
        raise JudgingError(
            f"Only {max(known, 0)} labelled rows precede the first scored day {scored_from}.",
            remedy=f"Give at least {MIN_TRAINING_ROWS}: a longer history or a later scored_from.",
        )
    for start in range(first, stop, REFIT_BARS):
        end = min(start + REFIT_BARS, stop)
        train = np.arange(start - horizon_days - EMBARGO_BARS + 1)
        yield Block(train, np.arange(start, end), dates[start - EMBARGO_BARS])


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
        Overlap of neighbouring labels; blocks are max(2 h, `MIN_BLOCK_BARS`) rows.
    samples : int
        Resamples.
    seed : int
        Of the generator.

    Returns
    -------
    ndarray of shape (samples, n)
    """
    block = min(max(2 * horizon_days, MIN_BLOCK_BARS), n)
    count = -(-n // block)
    starts = np.random.default_rng(seed).integers(0, n, size=(samples, count))
    rows = (starts[:, :, None] + np.arange(block)) % n
    return rows.reshape(samples, -1)[:, :n]


def skill_against(loss: FloatArray, baseline_loss: FloatArray, horizon_days: int) -> Skill:
    """Score losses against a baseline's on the same rows.

    Parameters
    ----------
    loss, baseline_loss : ndarray of shape (n,)
        Per forecast: squared error for Brier skill, ranked-probability score for RPSS.
    horizon_days : int
        As for `bootstrap_rows`.

    Returns
    -------
    Skill
    """
    rows = bootstrap_rows(len(loss), horizon_days, BOOTSTRAP_SAMPLES)
    resampled = 1.0 - loss[rows].mean(axis=1) / baseline_loss[rows].mean(axis=1)
    lower, upper = np.quantile(resampled, [0.025, 0.975])
    return Skill(float(1.0 - loss.mean() / baseline_loss.mean()), float(lower), float(upper))


def judge_binary(
    forecasts: Forecasts,
    *,
    output: str,
    market: str,
    horizon_days: int,
    baselines: Mapping[str, float] | None = None,
) -> Judgement:
    """Judge forecasts of an event by Brier skill.

    Parameters
    ----------
    forecasts : Forecasts
        With probability and climatology of shape (n,).
    output, market : str
        What and where.
    horizon_days : int
        Trading days until the label is known.
    baselines : mapping of str to float, optional
        Constant forecasts to beat besides climatology.

    Returns
    -------
    Judgement
    """
    label, probability = forecasts.label, forecasts.probability
    if len(np.unique(label)) < 2:
        raise JudgingError(
            f"{output} on {market}: every scored label is the same.",
            remedy="Score a longer span, one in which the event happens and fails to.",
        )
    loss = (probability - label) ** 2
    against = {"climatology": (forecasts.climatology - label) ** 2}
    for name, constant in (baselines or {}).items():
        against[name] = (constant - label) ** 2
    skills = {name: skill_against(loss, other, horizon_days) for name, other in against.items()}
    strongest = min(against, key=lambda name: float(against[name].mean()))
    rows = bootstrap_rows(len(label), horizon_days, BOOTSTRAP_SAMPLES // 4)
    auc_lower, auc_upper = np.nanquantile(
        [auc(probability[sample], label[sample]) for sample in rows], [0.025, 0.975]
    )
    years = {}
    for year in np.unique(forecasts.dates.astype("datetime64[Y]")):
        of_year = forecasts.dates.astype("datetime64[Y]") == year
        skill = 1.0 - loss[of_year].mean() / against["climatology"][of_year].mean()
        years[str(year)] = (int(of_year.sum()), float(skill))
    return Judgement(
        output=output,
        market=market,
        first=str(forecasts.dates[0]),
        last=str(forecasts.dates[-1]),
        n=len(label),
        base_rate=float(label.mean()),
        score="Brier skill",
        skills=skills,
        strongest=strongest,
        auc=auc(probability, label),
        auc_lower=float(auc_lower),
        auc_upper=float(auc_upper),
        calibration_error=calibration_error(probability, label),
        years=years,
        verdict=DEMONSTRATED if skills[strongest].lower > 0 else NONE_DEMONSTRATED,
    )


def walk_forward(
    dates: DateArray,
    label: FloatArray,
    scored_from: np.datetime64,
    scored_to: np.datetime64,
    horizon_days: int,
    fit_and_forecast: Callable[[Block], FloatArray],
    on_block: Callable[[], object] = lambda: None,
) -> Forecasts:
    """Forecast every scored day from a model that was fitted on what had ended before.

    Parameters
    ----------
    dates : ndarray of shape (N,)
        Dates of the rows.
    label : ndarray of shape (N,)
        Outcomes; NaN where not known yet.
    scored_from, scored_to, horizon_days
        As for `blocks`.
    fit_and_forecast : callable
        From a block to forecasts for its test rows, shape (len(block.test), ...).
    on_block : callable
        Called after each block, for progress.

    Returns
    -------
    Forecasts
        Rows whose label is known.
    """
    rows, probability, climatology = [], [], []
    for block in blocks(dates, scored_from, scored_to, horizon_days):
        if len(np.unique(label[block.train])) < 2:
            raise JudgingError(
                f"Before {dates[block.test[0]]} every label is the same.",
                remedy="Give a longer history, one in which the event happens and fails to.",
            )
        rows.append(block.test)
        probability.append(fit_and_forecast(block))
        climatology.append(np.full(len(block.test), label[block.train].mean()))
        on_block()
    test = np.concatenate(rows)
    known = ~np.isnan(label[test])
    return Forecasts(
        dates[test][known],
        np.concatenate(probability)[known],
        np.concatenate(climatology)[known],
        label[test][known],
    )


def check_shuffled(forecasts: Forecasts, what: str) -> float:
    """Refuse a procedure that finds skill in shuffled labels: information must be leaking.

    Parameters
    ----------
    forecasts : Forecasts
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
    area = auc(forecasts.probability, forecasts.label)
    happened = float(forecasts.label.sum())
    pairs = happened * (len(forecasts.label) - happened)
    chance = float(np.sqrt((len(forecasts.label) + 1) / (12.0 * pairs))) if pairs else 0.0
    margin = max(SHUFFLED_AUC_MARGIN, SHUFFLED_AUC_DEVIATIONS * chance)
    # Written so that NaN fails.
    if not abs(area - 0.5) <= margin:
        raise JudgingError(
            f"{what}: shuffled labels are forecast with an AUC of {area:.3f}, further than"
            f" {margin:.3f} from 0.5.",
            remedy="Look for a label, or a look-ahead, among the features.",
        )
    return area
