"""Monitoring: whether what was logged came true, and whether the input is what models know."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import asdict, field
from datetime import datetime, timedelta, timezone
from statistics import NormalDist
from typing import Any

import numpy as np

from aegismatrix.artifacts.manifest import FeatureRange, Manifest, read_manifest
from aegismatrix.desk.analysis import session_state
from aegismatrix.desk.monitoring.journal import MOVE_INTERVAL, SAFE_RANGE, Claim, Journal, Run
from aegismatrix.desk.monitoring.scores import (
    CATALOGUE,
    Decided,
    OutputScore,
    RangeScore,
    decide,
    gap_interval,
    is_decidable,
    matches,
    score_output,
    score_range,
    sealed_skills,
    sealed_verdicts,
    verdict_of,
)
from aegismatrix.desk.monitoring.verdicts import (
    LEAST_WINDOWS,
    Evidence,
    counted,
    live_verdicts,
)
from aegismatrix.desk.outputs import outputs_of
from aegismatrix.desk.report import NOT_JUDGED
from aegismatrix.errors import ContractError, NaiveMomentError
from aegismatrix.market.arrays import DateArray, Published, as_kind, as_moment
from aegismatrix.market.bars import Bars
from aegismatrix.market.errors import CalendarRangeError, UndecidableEventError
from aegismatrix.market.events import Event
from aegismatrix.market.market import Market
from aegismatrix.market.outcomes import happened
from aegismatrix.market.windows import Windows
from aegismatrix.records import dataclass

LEAST_DAYS = 60
"""Scored days below which neither calibration nor a safe range raises an alert."""

DRIFT_DAYS = 60
"""Days whose features are held against the training span."""

FROZEN_RUNS = 3
"""This many runs on one bar, each of which should have seen a new one, are a frozen feed."""

FROZEN_AFTER = timedelta(hours=1)
"""How long after another a run within a session should see a new bar."""

WARNING, CRITICAL = "warning", "critical"
FROZEN_INPUT = "FROZEN_INPUT"
FEATURE_OUT_OF_RANGE = "FEATURE_OUT_OF_RANGE"
CALIBRATION_BROKEN = "CALIBRATION_BROKEN"
SAFE_RANGE_BROKEN = "SAFE_RANGE_BROKEN"

_SIGNIFICANCE = 0.05
# The fused graph may differ from the one that the range was sealed with in the last digits.
_RANGE_TOLERANCE = 1e-9
_BLOCK_ALERTS, _BLOCK_OUTPUTS = 3, 5


@dataclass(frozen=True)
class Alert:
    """Something to act on.

    Attributes
    ----------
    code : str
        ``FROZEN_INPUT``, ``FEATURE_OUT_OF_RANGE``, ``CALIBRATION_BROKEN`` or ``SAFE_RANGE_BROKEN``.
    severity : {'warning', 'critical'}
        Critical is what chance or an odd day does not explain.
    sentence : str
        What is wrong, with its figures.
    names : tuple of str
        Outputs or features concerned.
    """

    code: str
    severity: str
    sentence: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Note:
    """What a reader of the figures has to know.

    Attributes
    ----------
    code : str
        ``NOTHING_TO_SCORE``, ``NOT_SEALED``, ``IN_SAMPLE``, ``LOGGED_LATE``, ``NOT_IN_BARS``,
        ``NOT_DECIDABLE``, ``UNSCORABLE`` or ``ARTIFACTS``.
    sentence : str
        In words.
    """

    code: str
    sentence: str


@dataclass(frozen=True)
class FeatureDrift:
    """Where a feature stands against the training span.

    Attributes
    ----------
    feature : str
        Column.
    latest : float
        In the last run.
    minimum, maximum : float
        Over the training rows.
    outside : bool
        Whether the last one lies beyond them.
    days, days_outside : int
        Of the last 60 logged days: how many there are, and how many lie beyond them.
    shift : float
        How far these days have left the deciles of training: the total variation distance between
        their shares and a tenth each, 0 for none, 0.9 if all lie in one decile.
    """

    feature: str
    latest: float
    minimum: float
    maximum: float
    outside: bool
    days: int
    days_outside: int
    shift: float


@dataclass(frozen=True, repr=False)
class MonitorReport(Published):
    """What became of what was logged.

    Attributes
    ----------
    through : str
        The last completed session of the bars.
    market : str
        Whose, by the market's name.
    manifest_digest : str
        Whose training span and sealed skills are held against.
    runs, days : int
        Logged runs, and closed sessions among them.
    scored_days : int
        Days with at least one decided claim.
    in_sample_days, late_days : int
        Of these, how many lie in the training span, and how many were logged after the day that
        followed: they prove nothing.
    outputs : tuple of OutputScore
        By output; empty if nothing is decided yet.
    safe_ranges : tuple of RangeScore
        By horizon and confidence.
    drift : tuple of FeatureDrift
        By feature; empty if the training range is not sealed or nothing is logged.
    alerts : tuple of Alert
        Worst first.
    notes : tuple of Note
        What to know about the figures.
    unscorable : mapping of str to int
        By reason, how many claims whose horizon has passed cannot be scored over exactly their
        sessions.
    move_intervals : tuple of RangeScore
        By horizon: how often the close at the end lay within the move interval.
    evidence_days : int
        Scored days that prove something: outside of the training span and logged in time.

    Examples
    --------
    >>> import aegismatrix as am
    >>> watched = am.monitor(am.Journal("forecasts.sqlite3"), am.sample_bars())
    >>> watched.scored_days, watched.alerts
    (0, ())
    """

    through: str
    market: str
    manifest_digest: str
    runs: int
    days: int
    scored_days: int
    in_sample_days: int
    late_days: int
    outputs: tuple[OutputScore, ...]
    safe_ranges: tuple[RangeScore, ...]
    drift: tuple[FeatureDrift, ...]
    alerts: tuple[Alert, ...]
    notes: tuple[Note, ...]
    unscorable: Mapping[str, int] = field(default_factory=dict)
    move_intervals: tuple[RangeScore, ...] = ()
    evidence_days: int = 0

    @property
    def calibration_broken(self) -> tuple[str, ...]:
        """Outputs whose calibration raised an alert."""
        found = (alert.names for alert in self.alerts if alert.code == CALIBRATION_BROKEN)
        return tuple(name for names in found for name in names)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values, unrounded.

        Returns
        -------
        dict
            Strict JSON: no NaN, no infinity.

        Examples
        --------
        >>> import aegismatrix as am
        >>> am.monitor(am.Journal("forecasts.sqlite3"), am.sample_bars()).to_dict()["through"]
        '2018-12-31'
        """
        return {
            "overview": self.overview(),
            **asdict(self),
            "unscorable": dict(self.unscorable),
        }

    def overview(self) -> dict[str, Any]:
        """Return what the rows come to, as plain values.

        Returns
        -------
        dict
            ``scored_days`` and ``evidence_days``; ``verdicts``, how many outputs the log shows to
            be demonstrated, indicated, none demonstrated and not judged on days of evidence;
            ``least_windows`` of a demonstration and ``most_windows`` that an output has;
            ``coverage``: of each safe range and move interval output, n, confidence, rate with its
            95 % interval, and whether that covers the confidence.

        Examples
        --------
        >>> import aegismatrix as am
        >>> watched = am.monitor(am.Journal("forecasts.sqlite3"), am.sample_bars())
        >>> watched.overview()["verdicts"]["demonstrated"]
        0
        """
        lives = [one.live for one in self.outputs]
        return {
            "scored_days": self.scored_days,
            "evidence_days": self.evidence_days,
            "verdicts": counted([NOT_JUDGED if one is None else one.verdict for one in lives]),
            "least_windows": LEAST_WINDOWS,
            "most_windows": max((one.windows for one in lives if one is not None), default=0),
            "coverage": [
                {**asdict(one), "covers": one.covers}
                for one in (*self.safe_ranges, *self.move_intervals)
            ],
        }

    def block(self) -> dict[str, Any]:
        """Return a handful of values for a page that has little room.

        Returns
        -------
        dict
            ``through``, ``scored_days``, ``outputs`` (how many are scored), ``calibration_broken``
            (how many), ``broken_outputs`` (the first five), ``safe_range`` (rate, confidence and n
            of the one with most windows, or None), ``alerts`` (code, severity and sentence of the
            three worst) and ``further_alerts`` (how many more).

        Examples
        --------
        >>> import aegismatrix as am
        >>> am.monitor(am.Journal("forecasts.sqlite3"), am.sample_bars()).block()["alerts"]
        []
        """
        broken = self.calibration_broken
        kept = max(self.safe_ranges, key=lambda one: one.n, default=None)
        return {
            "through": self.through,
            "scored_days": self.scored_days,
            "outputs": len(self.outputs),
            "calibration_broken": len(broken),
            "broken_outputs": list(broken[:_BLOCK_OUTPUTS]),
            "safe_range": kept
            and {"rate": round(kept.rate, 6), "confidence": kept.confidence, "n": kept.n},
            "alerts": [
                {"code": alert.code, "severity": alert.severity, "sentence": alert.sentence}
                for alert in self.alerts[:_BLOCK_ALERTS]
            ],
            "further_alerts": max(len(self.alerts) - _BLOCK_ALERTS, 0),
        }

    def summary(self) -> str:
        """Return lines for a terminal: the overview, alerts, scores by output, drift, notes.

        Examples
        --------
        >>> import aegismatrix as am
        >>> watched = am.monitor(am.Journal("forecasts.sqlite3"), am.sample_bars())
        >>> watched.summary().splitlines()[0]
        '2018-12-31  0 days scored of 0 logged in 0 runs, 0 outputs, 0 alerts'
        """
        lines = [
            f"{self.through}  {self.scored_days} days scored of {self.days} logged in"
            f" {self.runs} runs, {len(self.outputs)} outputs, {len(self.alerts)} alerts"
        ]
        if self.scored_days:
            lines += self._overview_lines()
        lines += [f"{one.severity:<8} {one.code}: {one.sentence}" for one in self.alerts]
        if self.outputs:
            lines.append(
                f"{'output':<22} {'n':>5} {'forecast':>9} {'happened':>9} {'brier':>7} {'skill':>7}"
                f" {'sealed':>7}  verdict here (sealed)"
            )
        lines += [
            f"{one.output:<22} {one.n:>5} {one.forecast:>9.1%} {one.frequency:>9.1%}"
            f" {one.brier:>7.4f} {_percent(one.skill):>7} {_percent(one.sealed_skill):>7}"
            f"  {one.live.verdict if one.live else NOT_JUDGED} ({one.sealed_verdict or NOT_JUDGED})"
            for one in self.outputs
        ]
        lines += [
            f"{one.feature}: {one.days_outside} of {one.days} days outside of training, shift"
            f" {one.shift:.2f}"
            for one in sorted(self.drift, key=lambda one: -one.shift)[:3]
        ]
        lines += [f"note: {one.sentence}" for one in self.notes]
        return "\n".join(lines)

    def _overview_lines(self) -> list[str]:
        found = self.overview()
        said = ", ".join(f"{number} {verdict}" for verdict, number in found["verdicts"].items())
        return [
            f"evidence: {self.evidence_days} of these days are outside of the training and were"
            " logged in time",
            f"verdicts on them: {said}; a demonstration needs {LEAST_WINDOWS} independent stretches"
            f" of days, the most are {found['most_windows']}",
            *(
                f"{one.output:<22} {one.n:>5} held {one.rate:.1%} [{one.lower:.1%},"
                f" {one.upper:.1%}], stated {one.confidence:.0%}:"
                f" {'as stated' if one.covers else 'NOT as stated'}"
                for one in (*self.safe_ranges, *self.move_intervals)
            ),
        ]

    def __repr__(self) -> str:
        return self.summary()


def monitor(
    journal: Journal,
    bars: Bars,
    *,
    manifest: Manifest | None = None,
    now: datetime | None = None,
) -> MonitorReport:
    """Hold what was logged against what happened.

    Parameters
    ----------
    journal : Journal
        The forecast log.
    bars : Bars
        What happened, with the year before the first logged day: regimes are measured against it.
        Runs on another market are left aside.
    manifest : Manifest, optional
        Whose training range and sealed skills are held against; by default the bundled one.
    now : datetime, optional
        With a time zone; by default the present. A last bar whose session has not ended by then
        decides nothing.

    Returns
    -------
    MonitorReport
        With nothing logged or decided, n = 0 and a note that says so.

    Raises
    ------
    JournalError
        If it is damaged, unrecognised, busy or unusable.
    ArtifactError
        If the bundled manifest is not what was sealed.
    ContractError
        If `bars` are none, `now` has no time zone, or no session has ended.

    Examples
    --------
    >>> import aegismatrix as am
    >>> journal = am.Journal("forecasts.sqlite3")
    >>> bars = am.sample_bars()
    >>> journal.append(am.analyze(bars[:-30]))
    True
    >>> watched = am.monitor(journal, bars)
    >>> watched.days, watched.scored_days, [note.code for note in watched.notes]
    (1, 1, ['IN_SAMPLE', 'LOGGED_LATE'])
    """
    as_kind(journal, Journal, "journal", "Give a Journal, made with the path of its file.")
    if manifest is not None:
        as_kind(manifest, Manifest, "manifest", "Give a Manifest, such as that of an Engine.")
    completed = _completed(bars, _moment_of(now))
    manifest = manifest or read_manifest()
    runs = journal.runs(bars.market.name)
    sessions = Windows.of(completed).sessions
    days = _one_a_day(runs, sessions)
    known = [run for run in days if matches(run, completed)]
    claims = journal.claims(known)
    events, reasons = _events(manifest, completed)
    judged = {column: output.judged for column, output in outputs_of(manifest).items()}
    decisions = decide(known, claims, completed, events)
    decided = decisions.decided
    scored = {day for one in decided.values() for day in one.dates.astype(str).tolist()}
    scored_runs = [run for run in known if run.as_of.isoformat() in scored]
    judgements = [one for model in manifest.models.values() for one in model.own_judgements()]
    sealed, verdicts = sealed_skills(judgements, events), sealed_verdicts(judgements)
    ranges = manifest.model("features").training_range
    drift = _drift(runs, days, ranges)
    ranges_of = {
        family: {name: one for name, one in decided.items() if name.startswith(family)}
        for family in (SAFE_RANGE, MOVE_INTERVAL)
    }
    kept, moves = ranges_of[SAFE_RANGE], ranges_of[MOVE_INTERVAL]
    outputs = {name: one for name, one in decided.items() if name not in {**kept, **moves}}
    late = sum(_is_late(run, sessions) for run in scored_runs)
    proving = {
        run.as_of.isoformat()
        for run in scored_runs
        if not run.in_sample and not _is_late(run, sessions)
    }
    live = live_verdicts(_evidence(outputs, proving))
    alerts = (
        *_frozen(runs, bars.market),
        *_broken(kept, SAFE_RANGE_BROKEN),
        *_broken(outputs, CALIBRATION_BROKEN),
        *_out_of_range(runs, drift),
    )
    unknown = sum(str(run.as_of) <= str(completed.dates[-1]) for run in days) - len(known)
    in_sample = sum(run.in_sample for run in scored_runs)
    return MonitorReport(
        through=str(completed.dates[-1]),
        market=bars.market.name,
        manifest_digest=manifest.digest,
        runs=len(runs),
        days=len(days),
        scored_days=len(scored),
        in_sample_days=in_sample,
        late_days=late,
        outputs=tuple(
            score_output(one, sealed.get(name), verdict_of(name, judged, verdicts), live.get(name))
            for name, one in outputs.items()
        ),
        safe_ranges=tuple(score_range(one) for one in kept.values()),
        move_intervals=tuple(score_range(one) for one in moves.values()),
        evidence_days=len(proving),
        drift=drift,
        alerts=tuple(sorted(alerts, key=lambda alert: alert.severity != CRITICAL)),
        unscorable=decisions.unscorable,
        notes=(
            *_unscorable(decisions.unscorable),
            *_notes(len(runs), len(scored), in_sample, late, unknown, scored_runs, bool(ranges)),
            *_undecidable(claims, events, reasons),
        ),
    )


def _evidence(outputs: Mapping[str, Decided], proving: Container[str]) -> dict[str, Evidence]:
    """Squared errors on the days that prove something, where a base rate is known that can lose."""
    found = {}
    for name, one in outputs.items():
        rows = np.array([day in proving for day in one.dates.astype(str).tolist()], dtype=bool)
        happened_then = one.happened[rows]
        reference = (one.base_rate[rows] - happened_then) ** 2
        # NaN where no base rate was sealed; 0 where it was certain and right.
        if len(reference) and (reference > 0.0).all():
            losses = (one.probability[rows] - happened_then) ** 2
            found[name] = Evidence(one.horizon_days, losses, reference)
    return found


def _events(manifest: Manifest, bars: Bars) -> tuple[dict[str, Event], dict[str, str]]:
    """What decides the outputs of the package and of the artifacts, and why nothing does others."""
    events, reasons = dict(CATALOGUE), {}
    for column, output in outputs_of(manifest).items():
        if column in events:
            continue
        if output.event is None:
            reasons[column] = "the artifacts seal no event of it"
            continue
        try:
            happened(output.event, bars)
        except UndecidableEventError as error:
            reasons[column] = error.problem.rstrip(".")
        else:
            events[column] = output.event
    return events, reasons


def _undecidable(
    claims: Sequence[Sequence[Claim]], events: Mapping[str, Event], reasons: Mapping[str, str]
) -> list[Note]:
    """Say what is forecast or was logged and cannot be scored, and why."""
    said = dict(reasons)
    for of_run in claims:
        for claim in of_run:
            if not is_decidable(claim, events):
                said.setdefault(claim.series, "these artifacts have no event of it at its horizon")
    named = "; ".join(f"{name}: {reason}" for name, reason in said.items())
    return [Note("NOT_DECIDABLE", f"Not scored: {named}.")] if said else []


def _completed(bars: Bars, moment: datetime) -> Bars:
    if not isinstance(bars, Bars):
        raise ContractError(
            "monitor",
            "bars",
            f"is a {type(bars).__name__}",
            remedy="Give Bars, made with Bars.from_csv, from_frames or from_arrays.",
        )
    over = len(bars)
    while over and session_state(bars[:over], moment) == "partial":
        over -= 1
    if not over:
        raise ContractError(
            "monitor", "bars", "has no session that has ended", remedy="Give earlier bars, too."
        )
    return bars[:over]


def _moment_of(now: object) -> datetime:
    if now is None:
        return datetime.now(timezone.utc)
    try:
        return as_moment(now, "now")
    except NaiveMomentError as error:
        raise ContractError(
            "monitor", "now", "has no time zone", remedy="Give one, such as timezone.utc."
        ) from error


def _is_late(run: Run, sessions: DateArray) -> bool:
    """Whether a run was made after the session that followed its own: it could have known."""
    after = int(np.searchsorted(sessions, np.datetime64(run.as_of), side="right"))
    made_on = run.generated_at.date().isoformat()
    return after < len(sessions) and made_on > str(sessions[after])


def _unscorable(counted: Mapping[str, int]) -> list[Note]:
    if not counted:
        return []
    reasons = "; ".join(f"{number}: {reason}" for reason, number in counted.items())
    return [Note("UNSCORABLE", f"Claims that cannot be scored: {reasons}.")]


def _one_a_day(runs: Sequence[Run], sessions: DateArray) -> list[Run]:
    """Return the last run on each closed session, one made in time where there is one."""
    best: dict[str, Run] = {}
    for run in runs:
        day = run.as_of.isoformat()
        held = best.get(day)
        if run.session == "closed" and (
            held is None or _is_late(held, sessions) or not _is_late(run, sessions)
        ):
            best[day] = run
    return [best[day] for day in sorted(best)]


def _frozen(runs: Sequence[Run], market: Market) -> list[Alert]:
    """Count the last runs on one bar, each long enough after the one counted before it."""
    same: list[Run] = []
    for run in reversed(runs):
        if run.bar_digest != runs[-1].bar_digest:
            break
        same.insert(0, run)
    counted = same[:1]
    for run in same[1:]:
        if _should_differ(counted[-1], run, market):
            counted.append(run)
    if len(counted) < FROZEN_RUNS:
        return []
    first, last = counted[0], counted[-1]
    behind = last.session == "partial" or _sessions_behind(last, market)
    sentence = (
        f"{len(counted)} runs from {_minute(first)} to {_minute(last)} saw the same last bar"
        f" (close {last.close:g}, iv {last.iv_percent:g}), though each should have seen a new one."
    )
    if not behind:
        sentence += " A source without the session under way looks like this until it ends."
    return [Alert(FROZEN_INPUT, CRITICAL if behind else WARNING, sentence)]


def _should_differ(earlier: Run, later: Run, market: Market) -> bool:
    if market.calendar is not None:
        try:
            before = market.session_at(earlier.generated_at)
            after = market.session_at(later.generated_at)
        except CalendarRangeError:
            return _weekdays(earlier.generated_at, later.generated_at)
        if before.completed != after.completed:
            return True
        apart = later.generated_at - earlier.generated_at > FROZEN_AFTER
        return after.is_open and (apart or before.session != after.session)
    return _weekdays(earlier.generated_at, later.generated_at)


def _weekdays(earlier: datetime, later: datetime) -> bool:
    """Whether a weekday ended between two moments: of other exchanges no calendar is known."""
    return bool(np.busday_count(earlier.date(), later.date()) > 0)


def _sessions_behind(run: Run, market: Market) -> bool:
    if market.calendar is not None:
        try:
            return market.session_at(run.generated_at).completed > run.as_of
        except CalendarRangeError:
            return True
    return True


def _minute(run: Run) -> str:
    return run.generated_at.strftime("%Y-%m-%d %H:%M UTC")


def _broken(decided: dict[str, Decided], code: str) -> list[Alert]:
    """Alert where the interval of frequency minus forecast excludes 0.

    Critical is what still does after Bonferroni's correction for the number of outputs looked at.
    """
    judged = [one for one in decided.values() if len(one.dates) >= LEAST_DAYS]
    if not judged:
        return []
    strict = NormalDist().inv_cdf(1.0 - _SIGNIFICANCE / 2.0 / len(judged))
    alerts = []
    for one in judged:
        gap = float(one.happened.mean() - one.probability.mean())
        lower, upper = gap_interval(one)
        # A range that holds more often than stated is cautious, not broken.
        if upper < 0.0 or (lower > 0.0 and code == CALIBRATION_BROKEN):
            lowest, highest = gap_interval(one, strict)
            verb = "held" if code == SAFE_RANGE_BROKEN else "happened"
            sentence = (
                f"{one.series} {verb} in {one.happened.mean():.1%} of {len(one.dates)} days,"
                f" {one.probability.mean():.1%} were forecast: off by {gap:+.1%}, 95 % interval"
                f" {lower:+.1%} to {upper:+.1%}."
            )
            severity = CRITICAL if highest < 0.0 or lowest > 0.0 else WARNING
            alerts.append(Alert(code, severity, sentence, (one.series,)))
    return alerts


def _drift(
    runs: Sequence[Run], days: Sequence[Run], ranges: Mapping[str, FeatureRange]
) -> tuple[FeatureDrift, ...]:
    if not runs:
        return ()
    found = []
    for name, known in ranges.items():
        if name not in runs[-1].features:
            continue
        latest = float(runs[-1].features[name])
        past = np.array([run.features[name] for run in days[-DRIFT_DAYS:] if name in run.features])
        past = past if len(past) else np.array([latest])
        deciles = np.searchsorted(known.deciles, past, side="right")
        shares = np.bincount(deciles, minlength=len(known.deciles) + 1) / len(past)
        found.append(
            FeatureDrift(
                feature=name,
                latest=latest,
                minimum=known.minimum,
                maximum=known.maximum,
                outside=_is_outside(latest, known),
                days=len(past),
                days_outside=sum(_is_outside(value, known) for value in past.tolist()),
                shift=float(0.5 * np.abs(shares - 1.0 / len(shares)).sum()),
            )
        )
    return tuple(found)


def _is_outside(value: float, known: FeatureRange) -> bool:
    room = _RANGE_TOLERANCE * (known.maximum - known.minimum)
    return not known.minimum - room <= value <= known.maximum + room


def _out_of_range(runs: Sequence[Run], drift: Sequence[FeatureDrift]) -> list[Alert]:
    outside = [one for one in drift if one.outside]
    if not outside:
        return []
    figures = ", ".join(
        f"{one.feature} {one.latest:.3g} (training {one.minimum:.3g} to {one.maximum:.3g})"
        for one in outside
    )
    sentence = f"The run of {_minute(runs[-1])} read what training never saw: {figures}."
    return [
        Alert(FEATURE_OUT_OF_RANGE, WARNING, sentence, tuple(one.feature for one in outside)),
    ]


def _notes(
    runs: int,
    scored: int,
    in_sample: int,
    late: int,
    unknown: int,
    counted: Sequence[Run],
    has_range: bool,
) -> tuple[Note, ...]:
    artifacts = len({run.manifest_digest for run in counted})
    said = (
        (
            not scored,
            "NOTHING_TO_SCORE",
            "Nothing is logged yet on this market."
            if not runs
            else "No logged forecast has been decided yet: n = 0 throughout. One counts if it"
            " was made after its session had closed, and once its horizon has passed in the bars.",
        ),
        (
            not has_range,
            "NOT_SEALED",
            "These artifacts seal no training range of the features: drift is not measured.",
        ),
        (
            bool(in_sample),
            "IN_SAMPLE",
            f"{in_sample} of {scored} scored days lie in the training span: they prove nothing.",
        ),
        (
            bool(late),
            "LOGGED_LATE",
            f"{late} of {scored} scored days were logged after the day that followed.",
        ),
        (
            bool(unknown),
            "NOT_IN_BARS",
            f"{unknown} logged days are missing from the bars or have another close or iv there:"
            " they are not scored.",
        ),
        (
            artifacts > 1,
            "ARTIFACTS",
            f"The scores are of {artifacts} sets of artifacts together.",
        ),
    )
    return tuple(Note(code, sentence) for applies, code, sentence in said if applies)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
