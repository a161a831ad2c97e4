"""Count how often skill is called demonstrated where there is none.

Usage: python benchmarks/null_verdicts.py [--bars DIR] [--walks FILE] [--manifests N] [--block N]

Every model is walked forward once, as training does (minutes; `--walks` keeps the forecasts in a
file and reads them from there the next time). After that nothing is refitted. One manifest of
nothing is made of one draw of days in circular blocks, the same days for every output of a market,
so that outputs depend on each other as they do. There are two kinds:

- redrawn: what happened is that of the drawn days, and the forecasts stay where they are. No
  forecast knows anything of its outcome, so the steadiest wins, which is the baseline;
- centred: the losses of the drawn days, less the mean gain on the strongest baseline, so that the
  model and the baseline are exactly as good as each other. This is the harder one: nothing favours
  the baseline, and the gains swing and depend on each other as they really do.

Both are judged by `aegismatrix_factory.evaluate.verdicts`, as a training is. The interval that
`indicated` asks for is left out, which can only make more of them demonstrated. Then the verdicts
on the real outcomes are listed, before and after correction.

Exit status: 0 if the share of manifests in which anything is called demonstrated is at most 1 %, of
each kind and on each market, by the upper end of an exact one-sided 95 % interval (Clopper, Pearson
1934); 1 otherwise.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from aegismatrix_factory.evaluate.markets import known_sources, market_rows
from aegismatrix_factory.evaluate.verdicts import Evidence, verdicts
from aegismatrix_factory.evaluate.walkforward import (
    SEED,
    JudgingError,
    gain_p_value,
    ranked_probability,
    skill_against,
    squared_error,
)
from aegismatrix_factory.heads.registry import HEADS
from aegismatrix_factory.release.staging import stage_features
from numpy.typing import NDArray
from scipy.stats import beta
from threadpoolctl import threadpool_limits

from aegismatrix.artifacts.fields import DEMONSTRATED, INDICATED, NONE_DEMONSTRATED
from aegismatrix.desk.monitoring.verdicts import FAMILY_LEVEL, LEAST_EFFECT, LEAST_WINDOWS
from aegismatrix.market.statistics import block_days, independent_windows

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

MOST = 0.01
CONFIDENCE = 0.95
MANIFESTS = 2000
LEVELS = (0.02, 0.01, FAMILY_LEVEL, FAMILY_LEVEL / 2)
"""Corrected levels that are counted; the third decides."""
_LOSSES: Mapping[str, Callable[[FloatArray, FloatArray], FloatArray]] = {
    "Brier skill": squared_error,
    "RPS skill": ranked_probability,
}


@dataclass(frozen=True, eq=False)
class Walked:
    """The walk-forward of one output on one market, on the days that any output was scored.

    Attributes
    ----------
    market, output, score : str
        Whose, and the name of the skill score.
    horizon_days : int
        Trading days until a label is known.
    label, model : ndarray of shape (D, ...)
        What happened and what was forecast; NaN on days that were not scored.
    baselines : mapping of str to ndarray of shape (D, ...)
        What is to be beaten.
    """

    market: str
    output: str
    score: str
    horizon_days: int
    label: FloatArray
    model: FloatArray
    baselines: Mapping[str, FloatArray]

    def losses(self, days: IntArray | slice = slice(None)) -> tuple[FloatArray, FloatArray]:
        """Return the losses of the model and of the strongest baseline.

        Parameters
        ----------
        days : ndarray of int or slice
            For each day the one whose outcome it gets; each its own unless told otherwise.

        Returns
        -------
        tuple of ndarray of shape (n,)
            On the days that have a forecast and an outcome.
        """
        label = self.label[days]
        known = ~np.isnan(label.reshape(len(label), -1)).any(axis=1)
        known &= ~np.isnan(self.model.reshape(len(label), -1)).any(axis=1)
        loss = _LOSSES[self.score]
        others = [loss(baseline[known], label[known]) for baseline in self.baselines.values()]
        strongest = min(others, key=lambda other: float(other.mean()))
        return loss(self.model[known], label[known]), strongest


def walk(bars: Path | None) -> dict[str, NDArray[np.generic]]:
    """Walk every model of the package forward on both markets.

    Parameters
    ----------
    bars : Path, optional
        As for `known_sources`.

    Returns
    -------
    dict of str to ndarray
        Plain arrays by ``market/output/score/horizon/part``.
    """
    features, _ = stage_features()
    arrays: dict[str, NDArray[np.generic]] = {}
    with threadpool_limits(1):
        market, *pool = (market_rows(source, features) for source in known_sources(bars))
        for head in HEADS:
            for judged in (one for one in (market, *pool) if head.serves(one)):
                around = (market,) if head.pooled_elsewhere else ()
                steady = (tuple(pool) if head.pools else ()) if judged is market else around
                walks = head.walk(judged, steady, lambda: None)
                for one in head.judge(judged, walks):
                    of = walks[one.output]
                    name = f"{judged.name}/{one.output}/{one.score}/{one.losses.horizon_days}"
                    parts = {"dates": of.dates, "label": of.label, "model": of.model}
                    arrays |= {f"{name}/{part}": values for part, values in parts.items()}
                    arrays |= {f"{name}/vs {key}": each for key, each in of.baselines.items()}
                print(f"walked {head.name} on {judged.name}", file=sys.stderr)
    return arrays


def by_market(arrays: Mapping[str, NDArray[np.generic]]) -> dict[str, list[Walked]]:
    """Put the arrays of `walk` on one axis of days per market.

    Parameters
    ----------
    arrays : mapping of str to ndarray

    Returns
    -------
    dict of str to list of Walked

    Raises
    ------
    JudgingError
        If an output has a score whose loss is not known here.
    """
    parts: dict[str, dict[str, NDArray[np.generic]]] = {}
    for name, values in arrays.items():
        key, _, part = name.rpartition("/")
        parts.setdefault(key, {})[part] = values
    markets: dict[str, list[Walked]] = {}
    for key, of in parts.items():
        market, output, score, horizon = key.split("/")
        if score not in _LOSSES:
            raise JudgingError(
                f"{output} is scored by {score!r}, whose loss this benchmark does not know.",
                remedy="Name its loss in _LOSSES.",
            )
        own = (one["dates"] for name, one in parts.items() if name.startswith(f"{market}/"))
        days = np.unique(np.concatenate(list(own)))
        spread = {part: _on(days, of["dates"], values) for part, values in of.items()}
        markets.setdefault(market, []).append(
            Walked(
                market=market,
                output=output,
                score=score,
                horizon_days=int(horizon),
                label=spread["label"],
                model=spread["model"],
                baselines={
                    part.removeprefix("vs "): values
                    for part, values in spread.items()
                    if part.startswith("vs ")
                },
            )
        )
    return markets


def _on(
    days: NDArray[np.generic], dates: NDArray[np.generic], values: NDArray[np.generic]
) -> FloatArray:
    spread = np.full((len(days), *values.shape[1:]), np.nan)
    if values is not dates:
        spread[np.searchsorted(days, dates)] = values
    return spread


def draws(days: int, block: int, manifests: int, seed: int) -> Iterator[IntArray]:
    """Draw days in circular blocks, the same for every output, manifest by manifest.

    Parameters
    ----------
    days : int
        Days of the market.
    block : int
        Days of a block.
    manifests : int
        Draws.
    seed : int
        Of the generator.

    Yields
    ------
    ndarray of shape (days,)
    """
    random = np.random.default_rng(seed)
    for _ in range(manifests):
        starts = random.integers(0, days, -(-days // block))
        yield ((starts[:, None] + np.arange(block)) % days).ravel()[:days]


def evidence(walked: Walked, loss: FloatArray, strongest: FloatArray) -> Evidence:
    """Return what a verdict is reached from, without the interval.

    Parameters
    ----------
    walked : Walked
        Whose.
    loss, strongest : ndarray of shape (n,)
        Losses of the model and of the strongest baseline.

    Returns
    -------
    Evidence
    """
    p_value = gain_p_value(loss, strongest, walked.horizon_days)
    effect = float(1.0 - loss.mean() / strongest.mean())
    return Evidence(
        p_value=p_value,
        effect=effect,
        lower=np.inf,
        windows=independent_windows(len(loss), walked.horizon_days),
        identity=(len(loss), p_value, effect),
    )


def redrawn(outputs: Sequence[Walked], days: IntArray) -> list[Evidence]:
    """Return the evidence where every day has the outcomes of another.

    Parameters
    ----------
    outputs : sequence of Walked
        Of one market.
    days : ndarray of int
        From `draws`.

    Returns
    -------
    list of Evidence
    """
    return [evidence(one, *one.losses(days)) for one in outputs]


@dataclass(frozen=True, eq=False)
class Centred:
    """Losses of one output as they were, the model's made as large as the strongest baseline's."""

    walked: Walked
    loss: FloatArray
    strongest: FloatArray

    @classmethod
    def of(cls, walked: Walked) -> Centred:
        """Take them from a walk-forward; NaN on days that were not scored."""
        known = ~np.isnan(walked.label.reshape(len(walked.label), -1)).any(axis=1)
        losses = np.full((2, len(walked.label)), np.nan)
        losses[:, known] = walked.losses()
        model, strongest = losses
        return cls(walked, model + np.nanmean(strongest - model), strongest)

    def evidence(self, days: IntArray) -> Evidence:
        """Return the evidence of a draw of days."""
        loss, strongest = self.loss[days], self.strongest[days]
        known = ~np.isnan(loss)
        return evidence(self.walked, loss[known], strongest[known])


def counts(families: Iterable[Sequence[Evidence]]) -> dict[float, int]:
    """Count the families in which anything is called demonstrated, by level.

    Parameters
    ----------
    families : iterable of sequence of Evidence
        Of manifests of nothing.

    Returns
    -------
    dict of float to int
    """
    found = dict.fromkeys(LEVELS, 0)
    for family in families:
        for level in LEVELS:
            found[level] += any(said == DEMONSTRATED for said, _ in verdicts(family, level))
    return found


def upper_bound(found: int, of: int) -> float:
    """Return the upper end of an exact one-sided interval of a share (Clopper, Pearson 1934)."""
    return 1.0 if found == of else float(beta.ppf(CONFIDENCE, found + 1, of - found))


def before_and_after(outputs: Sequence[Walked]) -> Iterator[str]:
    """List the verdicts on what really happened, as rows of a table.

    Parameters
    ----------
    outputs : sequence of Walked
        Of one market.

    Yields
    ------
    str
    """
    judged = []
    for one in outputs:
        loss, strongest = one.losses()
        skill = skill_against(loss, strongest, one.horizon_days)
        own = evidence(one, loss, strongest)
        judged.append((one, skill, Evidence(own.p_value, skill.skill, skill.lower, own.windows,
                                            own.identity)))  # fmt: skip
    reached = verdicts([own for _, _, own in judged])
    for (one, skill, own), (verdict, corrected_p) in zip(judged, reached, strict=True):
        before = DEMONSTRATED if skill.lower > 0 else NONE_DEMONSTRATED
        if DEMONSTRATED in (before, verdict) or verdict == INDICATED:
            yield (
                f"| {one.output} | {one.market} | {100 * skill.skill:.1f}"
                f" [{100 * skill.lower:.1f}, {100 * skill.upper:.1f}] | {own.windows} |"
                f" {own.p_value:.1e} | {corrected_p:.1e} | {before} | {verdict} |"
            )


def main() -> int:
    """Simulate, print, and say whether the share is small enough."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--bars", type=Path, help="read nifty and sp500 bars from this folder")
    parser.add_argument("--walks", type=Path, help="keep the forecasts in this file")
    parser.add_argument("--manifests", type=int, default=MANIFESTS)
    parser.add_argument(
        "--block",
        type=int,
        help="draw so many days in a row (default: by the longest horizon)",
    )
    parser.add_argument("--seed", type=int, default=SEED)
    arguments = parser.parse_args()
    if arguments.walks is not None and arguments.walks.is_file():
        with np.load(arguments.walks, allow_pickle=False) as stored:
            arrays = dict(stored)
    else:
        arrays = walk(arguments.bars)
        if arguments.walks is not None:
            np.savez_compressed(arguments.walks, **arrays)  # type: ignore[arg-type]
    print(
        f"family level {FAMILY_LEVEL}, least effect {LEAST_EFFECT}, least windows {LEAST_WINDOWS}"
    )
    worst = 0.0
    markets = by_market(arrays)
    for market, outputs in markets.items():
        days = len(outputs[0].label)
        block = arguments.block or max(block_days(one.horizon_days) for one in outputs)
        centred = [Centred.of(one) for one in outputs]
        kinds: dict[str, Callable[[IntArray], list[Evidence]]] = {
            "redrawn": lambda drawn, outputs=outputs: redrawn(outputs, drawn),  # type: ignore[misc]
            "centred": lambda drawn, centred=centred: [  # type: ignore[misc]
                one.evidence(drawn) for one in centred
            ],
        }
        for kind, make in kinds.items():
            drawn = draws(days, block, arguments.manifests, arguments.seed)
            found = counts(make(each) for each in drawn)
            bounds = {level: upper_bound(n, arguments.manifests) for level, n in found.items()}
            worst = max(worst, bounds[FAMILY_LEVEL])
            print(f"{market}, {kind}: {len(outputs)} outputs, {days} days, blocks of {block} days")
            for level, n in found.items():
                print(
                    f"  level {100 * level:g} %: {n} of {arguments.manifests} manifests have one"
                    f" demonstrated, {100 * n / arguments.manifests:.2f} %, at most"
                    f" {100 * bounds[level]:.2f} %"
                )
    print("| output | market | skill [95 %] | windows | p | corrected | before | after |")
    print("|---|---|---|---|---|---|---|---|")
    for outputs in markets.values():
        for row in before_and_after(outputs):
            print(row)
    return 0 if worst <= MOST else 1


if __name__ == "__main__":
    sys.exit(main())
