"""The challenge: a new training against the artifacts that it would replace, on the same days.

Both were judged by walk-forward, so the loss of each forecast is known day by day. Where the
challenger's losses are larger than the champion's by more than chance explains, it is worse.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aegismatrix.artifacts.manifest import (
    MANIFEST_NAME,
    WALKFORWARD_KEY,
    Manifest,
    read_attachment,
    read_manifest,
)
from aegismatrix.errors import AegisError, ArtifactError
from aegismatrix.market.statistics import block_days
from aegismatrix_factory.evaluate.losses import MarketLosses, OutputLosses, parse_losses
from aegismatrix_factory.evaluate.walkforward import (
    FULL,
    Effort,
    bootstrap_means,
)

FloatArray = NDArray[np.float64]

# Of one side: the chance that any of the outputs of an equal challenger is called worse, and as
# much again for any of the heads.
ERROR_RATE = 0.025
# The corrected level asks for a quantile near 0.001; these leave some twenty resamples below it.
SAMPLES = 20_000
MIN_BLOCKS = 3
MIN_SHARE_OF_DAYS = 0.5
# Providers differ in the second decimal, and markets by multiples.
CLOSE_TOLERANCE = 0.01
NOT_WORSE, WORSE, TOO_FEW_DAYS = "not worse", "worse", "too few days"
_MEAN = "mean"
_DECIMALS = 8


@dataclass(frozen=True)
class Row:
    """One output, or the mean over a head's outputs, compared.

    Attributes
    ----------
    head, output : str
        Whose; the output of a mean over several is ``mean``.
    champion, challenger : float
        Mean loss on the days in common; of a mean over outputs, relative to the champion's losses.
    difference, lower, upper : float
        Of the mean losses, challenger - champion, with its 95 % interval: above 0 is worse.
    bound : float
        The lower bound at the corrected level, which decides.
    days : int
        Days that both scored.
    verdict : {'not worse', 'worse', 'too few days'}
    """

    head: str
    output: str
    champion: float
    challenger: float
    difference: float
    lower: float
    upper: float
    bound: float
    days: int
    verdict: str


@dataclass(frozen=True)
class Comparison:
    """A challenger beside its champion.

    Attributes
    ----------
    champion : str or None
        Digest of the champion's manifest; None if even that could not be read.
    market : str
        On which both were judged.
    outputs, heads : tuple of Row
        Every output in common, and the mean over every head's.
    output_level, head_level : float
        One-sided levels after correction for their number (Bonferroni).
    gone, new : tuple of str
        Outputs of the champion alone, and of the challenger alone: not compared.
    incomparable : str or None
        Why the two cannot be compared.
    """

    champion: str | None
    market: str
    outputs: tuple[Row, ...] = ()
    heads: tuple[Row, ...] = ()
    output_level: float = ERROR_RATE
    head_level: float = ERROR_RATE
    gone: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    incomparable: str | None = None

    @property
    def worse(self) -> tuple[str, ...]:
        """What is worse: outputs by name, then heads."""
        outputs = [row.output for row in self.outputs if row.verdict == WORSE]
        heads = [f"{row.head} ({_MEAN})" for row in self.heads if row.verdict == WORSE]
        return (*outputs, *heads)

    def to_dict(self, forced: str | None = None) -> dict[str, Any]:
        """Return the comparison as it is sealed: numbers rounded to eight decimals.

        Parameters
        ----------
        forced : str, optional
            Why the champion is replaced all the same.

        Returns
        -------
        dict of str to JSON values
        """
        return {
            "digest": self.champion,
            "market": self.market,
            "outputs": [_rounded(row) for row in self.outputs],
            "heads": [_rounded(row) for row in self.heads],
            "output_level": round(self.output_level, 8),
            "head_level": round(self.head_level, 8),
            "gone": list(self.gone),
            "new": list(self.new),
            "incomparable": self.incomparable,
            "worse": list(self.worse),
            "forced": forced,
        }


class ChallengerWorseError(AegisError):
    """The artifacts that are there forecast better than those that would replace them.

    Attributes
    ----------
    target : str
        The folder, untouched.
    comparison : Comparison
        All figures.
    """

    def __init__(self, target: str, comparison: Comparison) -> None:
        self.target = target
        self.comparison = comparison
        super().__init__(
            f"The training is worse than the artifacts in {target}, which stay:"
            f" {', '.join(comparison.worse)}.",
            remedy="Find out what changed in data or method; to replace them all the same, give a"
            " reason that is sealed with them (--force 'reason').",
        )


class ChampionIncomparableError(AegisError):
    """The artifacts that are there cannot be compared with those that would replace them.

    Attributes
    ----------
    target : str
        The folder, untouched.
    reason : str
        Why not.
    """

    def __init__(self, target: str, reason: str) -> None:
        self.target = target
        self.reason = reason
        super().__init__(
            f"The artifacts in {target} cannot be compared with the training: {reason}.",
            remedy=f"To replace them unseen, give the reason (--force {shlex.quote(reason)}), which"
            " is sealed, or export to another folder (--out).",
        )


class EmptyReasonError(AegisError, ValueError):
    """An export was to be forced without a reason."""

    def __init__(self) -> None:
        super().__init__(
            "The reason for replacing better artifacts is blank.",
            remedy="Say in words why they are replaced: it is sealed with the new ones.",
        )


def compare(target: Path, challenger: MarketLosses, effort: Effort = FULL) -> Comparison | None:
    """Compare a training with the artifacts that are in a folder.

    Parameters
    ----------
    target : Path
        The folder; neither it nor any artifact need be there.
    challenger : MarketLosses
        Of the training, on the market that it models.
    effort : Effort
        How much work was put into the challenger's judgements: a quick one replaces none but a
        quick one.

    Returns
    -------
    Comparison or None
        None if there is no manifest, and so no champion. What makes a comparison impossible is its
        `incomparable`. With a quick champion nothing is compared: it was no judgement.
    """
    # Not Path.is_file, which raises in a closed folder; the writing says then what is wrong.
    if not os.path.isfile(target / MANIFEST_NAME):  # noqa: PTH113
        return None
    manifest: Manifest | None = None
    try:
        manifest = read_manifest(target)
        champion = _losses(manifest)
        _check_same_market(champion, challenger)
        if effort.is_quick and not manifest.is_quick:
            raise ValueError(f"a quick training of {effort.refits} refits is no judgement")
    except ArtifactError as error:
        reason = error.problem.rstrip(".")
    except ValueError as error:
        reason = str(error)
    else:
        if manifest.is_quick:
            new = tuple(one.output for one in challenger.outputs)
            return Comparison(manifest.digest, challenger.market, new=new)
        return _compared(manifest.digest, champion, challenger)
    digest = manifest.digest if manifest else None
    return Comparison(digest, challenger.market, incomparable=reason)


def decide(comparison: Comparison | None, target: Path, force: str | None) -> str | None:
    """Refuse a challenger that is worse or cannot be compared, unless there is a reason.

    Parameters
    ----------
    comparison : Comparison or None
        From `compare`.
    target : Path
        For messages.
    force : str, optional
        Why to replace the champion whatever the comparison says.

    Returns
    -------
    str or None
        The reason, on one line, if it was needed.

    Raises
    ------
    ChallengerWorseError, ChampionIncomparableError, EmptyReasonError
    """
    if force is not None and not force.strip():
        raise EmptyReasonError
    if comparison is None or not (comparison.worse or comparison.incomparable):
        return None
    if force is not None:
        return " ".join(force.split())
    if comparison.incomparable:
        raise ChampionIncomparableError(str(target), comparison.incomparable)
    raise ChallengerWorseError(str(target), comparison)


def _losses(manifest: Manifest) -> MarketLosses:
    data = read_attachment(manifest, WALKFORWARD_KEY)
    if data is None:
        raise ValueError("the champion has no sealed losses")
    return parse_losses(data)[0]


def _check_same_market(champion: MarketLosses, challenger: MarketLosses) -> None:
    if champion.market != challenger.market:
        raise ValueError(
            f"the champion was judged on {champion.market}, the challenger on {challenger.market}"
        )
    _, of_champion, of_challenger = np.intersect1d(
        champion.dates, challenger.dates, return_indices=True
    )
    if not of_champion.size:
        raise ValueError("they have no scored day in common")
    ratio = challenger.close[of_challenger] / champion.close[of_champion]
    if np.median(np.abs(ratio - 1.0)) > CLOSE_TOLERANCE:
        raise ValueError(f"their closes of {champion.market} are those of two markets")


@dataclass(frozen=True, eq=False)
class _Pair:
    """The losses of one output, or of a mean over outputs, on the days that both scored."""

    head: str
    output: str
    horizon_days: int
    dates: NDArray[np.datetime64]
    champion: FloatArray
    challenger: FloatArray
    champion_days: int

    @property
    def is_enough(self) -> bool:
        """Whether a bootstrap has blocks to draw from and most of the champion's record counts."""
        days = len(self.dates)
        blocks = days / block_days(self.horizon_days)
        return blocks >= MIN_BLOCKS and days >= MIN_SHARE_OF_DAYS * self.champion_days

    def row(self, level: float) -> Row:
        """Compare, one-sided at a corrected level."""
        difference = self.challenger - self.champion
        means = bootstrap_means(difference, self.horizon_days, SAMPLES)
        lower, upper, bound = np.quantile(means, [0.025, 0.975, level])
        # Equal losses have no lower bound above 0, in floating point neither.
        verdict = WORSE if bound > 0.0 else NOT_WORSE
        return Row(
            head=self.head,
            output=self.output,
            champion=float(self.champion.mean()),
            challenger=float(self.challenger.mean()),
            difference=float(difference.mean()),
            lower=float(lower),
            upper=float(upper),
            bound=float(bound),
            days=len(self.dates),
            verdict=verdict if self.is_enough else TOO_FEW_DAYS,
        )


def _compared(digest: str, champion: MarketLosses, challenger: MarketLosses) -> Comparison:
    theirs = {_key(one): one for one in champion.outputs}
    pairs = [
        pair
        for own in challenger.outputs
        if _key(own) in theirs
        for pair in [_pair(champion, theirs[_key(own)], challenger, own)]
        if len(pair.dates)
    ]
    judged = [pair for pair in pairs if pair.is_enough]
    means = [
        _mean([pair for pair in judged if pair.head == head])
        for head in dict.fromkeys(pair.head for pair in judged)
        if sum(pair.head == head for pair in judged) > 1
    ]
    output_level = ERROR_RATE / max(len(judged), 1)
    head_level = ERROR_RATE / max(len(means), 1)
    matched = {(pair.head, pair.output) for pair in pairs}
    incomparable = None
    if not judged:
        most = max((len(pair.dates) for pair in pairs), default=0)
        incomparable = f"no output has enough scored days in common, at most {most}"
    return Comparison(
        champion=digest,
        market=challenger.market,
        outputs=tuple(pair.row(output_level) for pair in pairs),
        heads=tuple(mean.row(head_level) for mean in means),
        output_level=output_level,
        head_level=head_level,
        gone=_unmatched(champion, matched),
        new=_unmatched(challenger, matched),
        incomparable=incomparable,
    )


def _key(one: OutputLosses) -> tuple[str, str, str]:
    """Losses of two scores have no difference, so the score belongs to the name."""
    return one.head, one.output, one.score


def _unmatched(losses: MarketLosses, matched: set[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(one.output for one in losses.outputs if (one.head, one.output) not in matched)


def _pair(
    champion: MarketLosses, other: OutputLosses, challenger: MarketLosses, own: OutputLosses
) -> _Pair:
    dates, of_champion, of_challenger = np.intersect1d(
        champion.dates, challenger.dates, return_indices=True
    )
    theirs, ours = other.values[of_champion], own.values[of_challenger]
    both = ~np.isnan(theirs) & ~np.isnan(ours)
    return _Pair(
        head=own.head,
        output=own.output,
        horizon_days=max(own.horizon_days, other.horizon_days),
        dates=dates[both],
        champion=theirs[both],
        challenger=ours[both],
        champion_days=int((~np.isnan(other.values)).sum()),
    )


def _mean(pairs: Sequence[_Pair]) -> _Pair:
    """Average losses over outputs, each relative to the champion's mean loss, so that all count."""
    days = pairs[0].dates
    for pair in pairs[1:]:
        days = np.intersect1d(days, pair.dates)
    champion, challenger = [], []
    for pair in pairs:
        shared = np.isin(pair.dates, days)
        scale = float(pair.champion[shared].mean()) or 1.0
        champion.append(pair.champion[shared] / scale)
        challenger.append(pair.challenger[shared] / scale)
    return _Pair(
        head=pairs[0].head,
        output=_MEAN,
        horizon_days=max(pair.horizon_days for pair in pairs),
        dates=days,
        champion=np.asarray(np.mean(champion, axis=0)),
        challenger=np.asarray(np.mean(challenger, axis=0)),
        champion_days=max(pair.champion_days for pair in pairs),
    )


def _rounded(row: Row) -> dict[str, Any]:
    return {
        name: round(value, _DECIMALS) if isinstance(value, float) else value
        for name, value in asdict(row).items()
    }
