"""Train and judge every model of the registry on real bars.

What it leaves in build/training is what scripts/export.py turns into artifacts.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from aegismatrix_factory.evaluate.fetching import FetchedMarket, yahoo_markets
from aegismatrix_factory.evaluate.markets import FOLDER_VARIABLE, MarketSource, known_sources
from aegismatrix_factory.heads.registry import heads_on
from aegismatrix_factory.release.training import train
from tqdm import tqdm

from aegismatrix.errors import AegisError

DEFAULT_FOLDER = Path(__file__).parents[1] / "build" / "training"


def sources(arguments: argparse.Namespace) -> Sequence[MarketSource | FetchedMarket]:
    """Return the market to model and its pool, as the arguments say."""
    if arguments.source == "yahoo":
        return yahoo_markets()
    if arguments.index is None:
        return known_sources(arguments.market)
    us = arguments.overnight_index, arguments.overnight_iv
    own = MarketSource("nifty", arguments.index, arguments.iv, "nifty", us_index=us[0], us_iv=us[1])
    if arguments.pool_index is None:
        return (own,)
    return own, MarketSource("pool", arguments.pool_index, arguments.pool_iv, "other")


def progress(title: str, steps: int) -> Callable[[], object]:
    """Show a bar on stderr."""
    return tqdm(total=steps, desc=title, unit="refit", file=sys.stderr).update


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--market",
        type=Path,
        help=f"folder of nifty and sp500 bars (default: ${FOLDER_VARIABLE}, or ../shared/market)",
    )
    parser.add_argument(
        "--source",
        choices=("yahoo",),
        help="fetch nifty and sp500 bars up to the last full day (extra yahoo), instead of --market"
        " or --index; they are kept in --out",
    )
    parser.add_argument("--index", type=Path, help="CSV of an index, instead of --market")
    parser.add_argument("--iv", type=Path, help="CSV of its volatility index")
    parser.add_argument("--pool-index", type=Path, help="CSV of a second index to pool with")
    parser.add_argument("--pool-iv", type=Path, help="CSV of its volatility index")
    parser.add_argument(
        "--overnight-index", type=Path, help="CSV of the S&P 500, for the overnight model"
    )
    parser.add_argument("--overnight-iv", type=Path, help="CSV of the VIX")
    parser.add_argument("--out", type=Path, default=DEFAULT_FOLDER, help="default: %(default)s")
    parser.add_argument(
        "--device",
        choices=("cpu", "cuda"),
        default="cpu",
        help="where torch fits the network: cpu, on which the same bars give the same weights to"
        " the last bit, or cuda (default: %(default)s)",
    )
    arguments = parser.parse_args(argv)
    if arguments.source is not None and (arguments.index or arguments.market):
        parser.error("--source goes without --market and --index")
    for one, other in (
        ("index", "iv"),
        ("pool_index", "pool_iv"),
        ("overnight_index", "overnight_iv"),
    ):
        if (getattr(arguments, one) is None) != (getattr(arguments, other) is None):
            parser.error(f"--{one} and --{other} go together".replace("_", "-"))
    for beside in ("pool_index", "overnight_index"):
        if getattr(arguments, beside) is not None and arguments.index is None:
            parser.error(f"--{beside} goes with --index".replace("_", "-"))
    return arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Train."""
    arguments = parse(argv)
    try:
        if arguments.device != "cpu":
            # Minutes of other models come before the network; torch is not loaded for the usual.
            from aegismatrix_factory.heads.network import check_device

            check_device(arguments.device)
        heads = heads_on(arguments.device)
        judgements = train(sources(arguments), heads, arguments.out, progress)
    except AegisError as error:
        print(f"train: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("train: interrupted; nothing was written", file=sys.stderr)
        return 130
    for judgement in (one for of_head in judgements.values() for one in of_head):
        skill = judgement.skills[judgement.strongest]
        print(
            f"{judgement.output:12} {judgement.market:8} {judgement.score}"
            f" {100 * skill.skill:5.1f} [{100 * skill.lower:.1f}, {100 * skill.upper:.1f}] %"
            f" against {judgement.strongest}, AUC {judgement.auc:.3f}: {judgement.verdict}"
        )
    for head in heads:
        if head.name not in judgements:
            print(f"{head.name}: left out, the bars that it needs were not given (--help)")
    print(f"left in {arguments.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
