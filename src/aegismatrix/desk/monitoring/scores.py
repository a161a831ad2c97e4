"""Scores of logged forecasts against what happened, output by output."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from itertools import chain
from types import MappingProxyType

import numpy as np

from aegismatrix.desk.monitoring.journal import MOVE_INTERVAL, SAFE_RANGE, Claim, Run
from aegismatrix.desk.monitoring.verdicts import LiveVerdict
from aegismatrix.market.arrays import DateArray, FloatArray
from aegismatrix.market.bars import Bars
from aegismatrix.market.events import OUTPUTS, Event
from aegismatrix.market.outcomes import excursions, happened
from aegismatrix.market.statistics import (
    TWO_SIDED_95,
    binomial_interval,
    skill_interval,
    windows_needed,
)
from aegismatrix.market.windows import Windows
from aegismatrix.records import dataclass

RELIABILITY_BINS = 10

BAR_TOLERANCE = 1e-3
"""A logged close or iv may differ by this share from that of the bars: providers round."""


@dataclass(frozen=True)
class Bin:
    """A tenth of the forecasts, from the lowest to the highest.

    Attributes
    ----------
    forecast, frequency : float
        Mean probability, and how often it happened.
    n : int
        Days.
    lower, upper : float
        95 % interval of the frequency (Wilson 1927) on as many windows as do not overlap.
    """

    forecast: float
    frequency: float
    n: int
    lower: float
    upper: float


@dataclass(frozen=True)
class OutputScore:
    """How one output did.

    Attributes
    ----------
    output : str
        As `Claim.series` names it.
    horizon_days : int
        Trading days.
    n : int
        Scored days.
    forecast, frequency : float
        Mean probability, and how often it happened.
    brier : float
        Mean squared difference of probability and outcome (Brier 1950).
    base_rate : float or None
        Mean of what was sealed as how often it happens; None where nothing was.
    skill : float or None
        1 - brier / brier of the base rate; None where that is not known, or has no loss.
    skill_lower, skill_upper : float or None
        Its 95 % interval from a circular block bootstrap (Politis, Romano 1992); None for fewer
        windows than three blocks.
    sealed_skill : float or None
        Against climatology in the walk-forward that was sealed; None where it was scored otherwise.
    gap, gap_lower, gap_upper : float
        Frequency minus mean forecast, with a 95 % interval: Wilson's of the frequency, on as many
        windows as do not overlap. Of forecasts that are right, the errors of windows that share no
        day are not correlated, so overlap cannot make the mean vary more than that.
    reliability : tuple of Bin
        At most ten.
    sealed_verdict : str or None
        That of the walk-forward that was sealed; None where it was judged otherwise or not at all.
    live : LiveVerdict or None
        The verdict on the days that are evidence; None where no base rate is known.
    """

    output: str
    horizon_days: int
    n: int
    forecast: float
    frequency: float
    brier: float
    base_rate: float | None
    skill: float | None
    skill_lower: float | None
    skill_upper: float | None
    sealed_skill: float | None
    gap: float
    gap_lower: float
    gap_upper: float
    reliability: tuple[Bin, ...]
    sealed_verdict: str | None = None
    live: LiveVerdict | None = None


@dataclass(frozen=True)
class RangeScore:
    """How often a safe range, or a move interval, held.

    Attributes
    ----------
    output : str
        As `Claim.series` names it.
    horizon_days, n : int
        Trading days of a window; windows.
    confidence, rate : float
        As stated; share of windows in which neither edge was touched by a high or a low, or, of a
        move interval, at whose end the close lay between the edges.
    lower, upper : float
        95 % interval of the rate (Wilson 1927) on as many windows as do not overlap.
    """

    output: str
    horizon_days: int
    n: int
    confidence: float
    rate: float
    lower: float
    upper: float

    @property
    def covers(self) -> bool:
        """Whether what was stated lies in the interval of what was seen."""
        return self.lower <= self.confidence <= self.upper


@dataclass(frozen=True, eq=False)
class Decided:
    """The claims of one series whose horizon has passed, one a day, oldest first.

    Attributes
    ----------
    series : str
        As `Claim` has it.
    horizon_days : int
        Trading days.
    dates : ndarray of shape (n,), datetime64[D]
        Days of forecast.
    probability, happened : ndarray of shape (n,), float64
        What was said, and 1 or 0.
    base_rate : ndarray of shape (n,), float64
        NaN where none was sealed.
    """

    series: str
    horizon_days: int
    dates: DateArray
    probability: FloatArray
    happened: FloatArray
    base_rate: FloatArray


MISSING_SESSIONS = "sessions of the horizon are missing from the bars"
CALENDAR_CHANGED = "the calendar has changed since: the horizon ends on another day"
BEGINS_TOO_LATE = "the bars begin too late to decide it"
"""Why a claim whose horizon has passed cannot be scored."""


@dataclass(frozen=True, eq=False)
class Decisions:
    """What became of the claims whose horizon has passed.

    Attributes
    ----------
    decided : mapping of str to Decided
        By series, in order of name with numbers by size; one without a decided claim is absent.
    unscorable : mapping of str to int
        By reason, how many of them cannot be scored.
    """

    decided: Mapping[str, Decided]
    unscorable: Mapping[str, int]


def matches(run: Run, bars: Bars) -> bool:
    """Say whether the bars have the bar that a run was made from.

    Parameters
    ----------
    run : Run
        A logged run.
    bars : Bars
        What happened.

    Returns
    -------
    bool
        False if the day is missing, or its close or iv is another by more than `BAR_TOLERANCE`.
    """
    day = np.datetime64(run.as_of)
    row = int(np.searchsorted(bars.dates, day))
    if row == len(bars) or bars.dates[row] != day:
        return False
    pairs = ((run.close, bars.close[row]), (run.iv_percent, bars.iv[row]))
    return all(abs(logged / known - 1.0) <= BAR_TOLERANCE for logged, known in pairs)


CATALOGUE: Mapping[str, Event] = MappingProxyType(
    {column: output.event for column, output in OUTPUTS.items() if output.event is not None}
)
"""By column, the events that the package itself knows."""


def decide(
    runs: Sequence[Run],
    claims: Sequence[Sequence[Claim]],
    bars: Bars,
    events: Mapping[str, Event] = CATALOGUE,
) -> Decisions:
    """Decide every claim whose horizon has passed, each over exactly its sessions.

    Parameters
    ----------
    runs : sequence of Run
        One a day, rising, each of which `matches` the bars.
    claims : sequence of sequence of Claim
        Of each run.
    bars : Bars
        Completed sessions.
    events : mapping of str to Event
        By series, what decides it; a claim that has neither edges nor an event of its own horizon
        among these is left aside.

    Returns
    -------
    Decisions

    Raises
    ------
    UndecidableEventError
        If nothing answers one of the events.
    """
    rows = np.searchsorted(bars.dates, np.array([run.as_of for run in runs], dtype="datetime64[D]"))
    longest = max((one.horizon_days for one in chain(*claims) if _is_touch(one)), default=1)
    down, up = excursions(bars, longest)
    windows = Windows.of(bars)
    unscorable: Counter[str] = Counter()
    labels: dict[str, FloatArray] = {}
    found: dict[str, list[tuple[int, Claim, float]]] = {}
    for row, of_run in zip(rows.tolist(), claims, strict=True):
        close = float(bars.close[row])
        for claim in of_run:
            place = int(windows.passed[row]) + claim.horizon_days - 1
            if place >= len(windows.sessions) or not is_decidable(claim, events):
                continue
            if claim.ends_on not in (None, str(windows.sessions[place])):
                unscorable[CALENDAR_CHANGED] += 1
                continue
            if _is_interval(claim):
                last = int(windows.last_row(claim.horizon_days)[row])
                came = _ended_within(claim, float(bars.close[last])) if last >= 0 else np.nan
            elif _has_edges(claim):
                column = claim.horizon_days - 1
                reached = float(down[row, column]), float(up[row, column])
                came = _touched(claim, close, *reached)
            else:
                if claim.series not in labels:
                    labels[claim.series] = happened(events[claim.series], bars)
                came = float(labels[claim.series][row])
            if not np.isnan(came):
                found.setdefault(claim.series, []).append((row, claim, came))
            elif windows.is_whole(claim.horizon_days)[row]:
                unscorable[BEGINS_TOO_LATE] += 1
            else:
                unscorable[MISSING_SESSIONS] += 1
    return Decisions(
        {series: _decided(series, found[series], bars) for series in sorted(found, key=_order)},
        dict(unscorable),
    )


def is_decidable(claim: Claim, events: Mapping[str, Event]) -> bool:
    """Say whether a claim can be decided: by its edges, or by an event of its horizon.

    Parameters
    ----------
    claim : Claim
        A logged claim.
    events : mapping of str to Event
        By series.

    Returns
    -------
    bool
    """
    if _has_edges(claim):
        return True
    event = events.get(claim.series)
    return event is not None and event.horizon_days == claim.horizon_days


def _order(series: str) -> list[str]:
    return [part.zfill(9) if part.isdigit() else part for part in re.split(r"(\d+)", series)]


def _has_edges(claim: Claim) -> bool:
    return claim.lower_edge is not None or claim.upper_edge is not None


def _is_interval(claim: Claim) -> bool:
    return claim.series.startswith(MOVE_INTERVAL)


def _is_touch(claim: Claim) -> bool:
    return _has_edges(claim) and not _is_interval(claim)


def _ended_within(claim: Claim, close: float) -> float:
    below, above = claim.lower_edge, claim.upper_edge
    return float((below is None or close >= below) and (above is None or close <= above))


def _touched(claim: Claim, close: float, down: float, up: float) -> float:
    """1 or 0, NaN while the horizon has not passed; of a safe range, whether it held."""
    if np.isnan(down):
        return float("nan")
    below, above = claim.lower_edge, claim.upper_edge
    touched = (below is not None and down > np.log(close / below)) or (
        above is not None and up > np.log(above / close)
    )
    return float(touched != (claim.output == SAFE_RANGE))


def _decided(series: str, cases: Sequence[tuple[int, Claim, float]], bars: Bars) -> Decided:
    rows = [row for row, _, _ in cases]
    base_rates = [np.nan if claim.base_rate is None else claim.base_rate for _, claim, _ in cases]
    return Decided(
        series=series,
        horizon_days=cases[0][1].horizon_days,
        dates=bars.dates[rows],
        probability=np.array([claim.probability for _, claim, _ in cases]),
        happened=np.array([happened for _, _, happened in cases]),
        base_rate=np.array(base_rates),
    )


def score_output(
    decided: Decided,
    sealed_skill: float | None = None,
    sealed_verdict: str | None = None,
    live: LiveVerdict | None = None,
) -> OutputScore:
    """Score one series.

    Parameters
    ----------
    decided : Decided
        From `decide`.
    sealed_skill : float, optional
        Its skill in the walk-forward that was sealed.
    sealed_verdict : str, optional
        Its verdict there.
    live : LiveVerdict, optional
        Its verdict here.

    Returns
    -------
    OutputScore
    """
    probability, happened = decided.probability, decided.happened
    losses = (probability - happened) ** 2
    reference = (decided.base_rate - happened) ** 2
    forecast, frequency = float(probability.mean()), float(happened.mean())
    known = not np.isnan(reference).any()
    has_reference = known and bool((reference > 0.0).all())
    interval = (
        skill_interval(losses, reference, decided.horizon_days)
        if has_reference and len(losses) >= windows_needed(decided.horizon_days)
        else (None, None)
    )
    lower, upper = gap_interval(decided)
    return OutputScore(
        output=decided.series,
        horizon_days=decided.horizon_days,
        n=len(losses),
        forecast=forecast,
        frequency=frequency,
        brier=float(losses.mean()),
        base_rate=float(decided.base_rate.mean()) if known else None,
        skill=float(1.0 - losses.mean() / reference.mean()) if has_reference else None,
        skill_lower=interval[0],
        skill_upper=interval[1],
        sealed_skill=sealed_skill,
        gap=frequency - forecast,
        gap_lower=lower,
        gap_upper=upper,
        reliability=_reliability(decided),
        sealed_verdict=sealed_verdict,
        live=live,
    )


def score_range(decided: Decided) -> RangeScore:
    """Score one safe range, or one move interval.

    Parameters
    ----------
    decided : Decided
        From `decide`.

    Returns
    -------
    RangeScore
    """
    rate = float(decided.happened.mean())
    lower, upper = _frequency_interval(rate, len(decided.happened), decided.horizon_days)
    return RangeScore(
        output=decided.series,
        horizon_days=decided.horizon_days,
        n=len(decided.happened),
        confidence=float(decided.probability.mean()),
        rate=rate,
        lower=lower,
        upper=upper,
    )


def gap_interval(decided: Decided, deviations: float = TWO_SIDED_95) -> tuple[float, float]:
    """Return the interval of frequency minus mean forecast.

    Parameters
    ----------
    decided : Decided
        From `decide`.
    deviations : float
        Standard deviations to either side, by default those of 95 %.

    Returns
    -------
    lower, upper : float
        As `OutputScore` has it.
    """
    frequency, n = float(decided.happened.mean()), len(decided.happened)
    forecast = float(decided.probability.mean())
    lower, upper = _frequency_interval(frequency, n, decided.horizon_days, deviations)
    return lower - forecast, upper - forecast


def sealed_skills(
    judgements: Sequence[Mapping[str, object]], outputs: Container[str] = CATALOGUE
) -> dict[str, float]:
    """Return the sealed skills that a score here can be held against.

    Parameters
    ----------
    judgements : sequence of mapping
        As a manifest has them.
    outputs : container of str
        Names of outputs of single events.

    Returns
    -------
    dict of str to float
        By output: those of single events, against climatology.
    """
    skills = {}
    for one in judgements:
        against = one["skills"]
        is_single = one["output"] in outputs and one["score"] == "Brier skill"
        if is_single and isinstance(against, dict) and "climatology" in against:
            skills[str(one["output"])] = float(against["climatology"]["skill"])
    return skills


def sealed_verdicts(judgements: Sequence[Mapping[str, object]]) -> dict[str, str]:
    """Return the sealed verdicts by judged output.

    Parameters
    ----------
    judgements : sequence of mapping
        As a manifest has them.

    Returns
    -------
    dict of str to str
    """
    return {str(one["output"]): str(one["verdict"]) for one in judgements}


def verdict_of(series: str, judged: Mapping[str, str], verdicts: Mapping[str, str]) -> str | None:
    """Return the sealed verdict that speaks of a series.

    Parameters
    ----------
    series : str
        A column, or a cell of a surface, which is judged with all distances of its horizon.
    judged : mapping of str to str
        By column, the name under which it was judged.
    verdicts : mapping of str to str
        From `sealed_verdicts`.

    Returns
    -------
    str or None
        None if it was not judged.
    """
    return verdicts.get(judged.get(series, series.rpartition("_d")[0]))


def _frequency_interval(
    frequency: float, n: int, horizon_days: int, deviations: float = TWO_SIDED_95
) -> tuple[float, float]:
    apart = max(n / horizon_days, 1.0)
    return binomial_interval(frequency * apart, apart, deviations)


def _reliability(decided: Decided) -> tuple[Bin, ...]:
    order = np.argsort(decided.probability, kind="stable")
    bins = []
    for part in np.array_split(order, RELIABILITY_BINS):
        if len(part):
            frequency = float(decided.happened[part].mean())
            lower, upper = _frequency_interval(frequency, len(part), decided.horizon_days)
            forecast = float(decided.probability[part].mean())
            bins.append(Bin(forecast, frequency, len(part), lower, upper))
    return tuple(bins)
