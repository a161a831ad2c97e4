"""Train and judge every model of the registry on real bars.

What it leaves in build/training is what scripts/export.py turns into artifacts.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tqdm import tqdm

from aegismatrix.errors import AegisError
from exporters.markets import FOLDER_VARIABLE, MarketSource, known_sources
from exporters.registry import HEADS
from exporters.training import train

DEFAULT_FOLDER = Path(__file__).parents[1] / "build" / "training"


def sources(arguments: argparse.Namespace) -> Sequence[MarketSource]:
    """Return the market to model and its pool, as the arguments say."""
    if arguments.index is None:
        return known_sources(arguments.market)
    own = MarketSource("nifty", arguments.index, arguments.iv, "nifty")
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
    parser.add_argument("--index", type=Path, help="CSV of an index, instead of --market")
    parser.add_argument("--iv", type=Path, help="CSV of its volatility index")
    parser.add_argument("--pool-index", type=Path, help="CSV of a second index to pool with")
    parser.add_argument("--pool-iv", type=Path, help="CSV of its volatility index")
    parser.add_argument("--out", type=Path, default=DEFAULT_FOLDER, help="default: %(default)s")
    arguments = parser.parse_args(argv)
    for one, other in (("index", "iv"), ("pool_index", "pool_iv")):
        if (getattr(arguments, one) is None) != (getattr(arguments, other) is None):
            parser.error(f"--{one} and --{other} go together".replace("_", "-"))
    if arguments.pool_index is not None and arguments.index is None:
        parser.error("--pool-index goes with --index")
    return arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Train."""
    arguments = parse(argv)
    try:
        judgements = train(sources(arguments), HEADS, arguments.out, progress)
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
    print(f"left in {arguments.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
