"""The command `train`: judge and fit every model on the bars of a market."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from aegismatrix.desk.cli.installed import Command
from aegismatrix.errors import MarketError
from aegismatrix.market.market import OTHER, Market, is_market_name, market_named
from aegismatrix_factory.extras import check_extra, needing

if TYPE_CHECKING:
    from aegismatrix_factory.evaluate.fetching import FetchedMarket
    from aegismatrix_factory.evaluate.markets import MarketSource

TRAINING = Path("build") / "training"

_DESCRIPTION = """\
Train and judge every model of the registry on real bars.

`export` turns the folder that --out names into artifacts."""


def add_arguments(parser: argparse.ArgumentParser, home: Path = Path()) -> None:
    """Add the arguments.

    Parameters
    ----------
    parser : ArgumentParser
        Where to.
    home : Path
        The folder that the default of ``--out`` lies in; the current one unless told otherwise.
    """
    parser.add_argument(
        "--index", type=Path, metavar="CSV", help="read daily bars: date, high, low, close"
    )
    parser.add_argument(
        "--iv", type=Path, metavar="CSV", help="read its volatility index: date, close in per cent"
    )
    parser.add_argument(
        "--market",
        metavar="NAME",
        help="name the market of --index and --iv; the name is sealed, such as sp500, or a market"
        " file FILE.json",
    )
    parser.add_argument(
        "--pool-index", type=Path, metavar="CSV", help="read a second index to pool with"
    )
    parser.add_argument("--pool-iv", type=Path, metavar="CSV", help="read its volatility index")
    parser.add_argument(
        "--pool-market",
        metavar="NAME",
        default="pool",
        help="name the market of the second index (default: %(default)s)",
    )
    parser.add_argument(
        "--overnight-index",
        type=Path,
        metavar="CSV",
        help="read S&P 500 bars for the overnight model",
    )
    parser.add_argument(
        "--overnight-iv", type=Path, metavar="CSV", help="read the VIX for the overnight model"
    )
    parser.add_argument(
        "--bars",
        type=Path,
        metavar="DIR",
        help="read nifty and sp500 bars from this folder instead (default: the one that"
        " AEGISMATRIX_MARKET names)",
    )
    parser.add_argument(
        "--source",
        choices=("yahoo",),
        help="fetch nifty and sp500 bars up to the last full day instead (extra 'yahoo') and keep"
        " them in --out",
    )
    parser.add_argument(
        "--head",
        metavar="MODULE:NAME",
        action="append",
        default=[],
        help="train a further model, besides those of installed packages; may be repeated",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        default=home / TRAINING,
        help="write the training to this folder (%(default)s)",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="refit a few times only, to see that every step works; manifest and card then say that"
        " no skill is demonstrated",
    )
    parser.add_argument(
        "--device",
        choices=("cpu", "cuda"),
        default="cpu",
        help="fit the network on cpu, where the same bars give the same weights to the last bit, or"
        " on cuda (default: %(default)s)",
    )


def sources(arguments: argparse.Namespace) -> Sequence[MarketSource | FetchedMarket]:
    """Return the market to model and its pool.

    Parameters
    ----------
    arguments : Namespace
        As parsed.

    Returns
    -------
    sequence of MarketSource or FetchedMarket
        The market to model first.

    Raises
    ------
    MarketDataNotFoundError, MarketError
        If no bars were named and none lie where they usually do, or a name is none.
    """
    from aegismatrix_factory.evaluate.fetching import yahoo_markets
    from aegismatrix_factory.evaluate.markets import MarketSource, known_sources

    if arguments.source == "yahoo":
        return yahoo_markets()
    if arguments.index is None:
        return known_sources(arguments.bars)
    market = modelled_market(arguments.market)
    own = MarketSource(
        market.name,
        arguments.index,
        arguments.iv,
        market,
        us_index=arguments.overnight_index,
        us_iv=arguments.overnight_iv,
    )
    if arguments.pool_index is None:
        return (own,)
    pool = modelled_market(arguments.pool_market)
    if pool.name == market.name:
        raise MarketError(
            f"The market to model and the one to pool with are both called {market.name}.",
            remedy="Give another name (--pool-market NAME).",
        )
    return own, MarketSource(pool.name, arguments.pool_index, arguments.pool_iv, pool)


def modelled_market(text: str) -> Market:
    """Return the market that models are to be trained on.

    Parameters
    ----------
    text : str
        ``nifty``, a name of your own, or the path of a market file, which ends in ``.json``.

    Returns
    -------
    Market
        Of a name that is not known, one of which nothing but its bars is known.

    Raises
    ------
    MarketError
        If it is no name, or ``other``, which is none; MarketFileError, if the file describes none.

    Examples
    --------
    >>> modelled_market("sp500").name
    'sp500'
    """
    market = Market(text) if is_market_name(text) else market_named(text)
    if market.name == OTHER.name:
        raise MarketError(
            f"The name {OTHER.name} does not say whose bars these are.",
            remedy="Give the market a name of its own, such as sp500: the models keep it.",
        )
    return market


def run(arguments: argparse.Namespace) -> int:
    """Train.

    Parameters
    ----------
    arguments : Namespace
        As parsed.

    Returns
    -------
    int
        0.

    Raises
    ------
    AegisError
        One of its children; what was in ``--out`` is untouched then.
    """
    _check(arguments)
    check_extra("train")
    with needing("train"):
        from tqdm import tqdm

        from aegismatrix_factory.evaluate.walkforward import FULL, QUICK
        from aegismatrix_factory.heads.registry import every_head
        from aegismatrix_factory.release.training import train

    def progress(title: str, steps: int) -> Callable[[], object]:
        return tqdm(total=steps, desc=title, unit="refit", file=sys.stderr).update

    if arguments.device != "cpu":
        # Minutes of other models come before the network; torch is loaded here for that alone.
        from aegismatrix_factory.heads.network import check_device

        check_device(arguments.device)
    heads = every_head(arguments.device, arguments.head)
    effort = QUICK if arguments.quick else FULL
    judgements = train(sources(arguments), heads, arguments.out, progress, effort)
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
    if arguments.quick:
        print(f"quick: {effort.refits} refits; not a judgement to rely on")
    print(f"written to {arguments.out}")
    return 0


def _check(arguments: argparse.Namespace) -> None:
    error = arguments.parser.error
    if arguments.source is not None and (arguments.index or arguments.bars):
        error("--source goes without --bars and --index")
    if arguments.index is not None and arguments.bars:
        error("--index goes without --bars")
    for one, other in (
        ("index", "iv"),
        ("pool_index", "pool_iv"),
        ("overnight_index", "overnight_iv"),
    ):
        if (getattr(arguments, one) is None) != (getattr(arguments, other) is None):
            error(f"--{one} and --{other} go together".replace("_", "-"))
    for option in ("pool_index", "overnight_index", "market"):
        if getattr(arguments, option) is not None and arguments.index is None:
            error(f"--{option} goes with --index".replace("_", "-"))
    if arguments.index is not None and arguments.market is None:
        error("--index needs --market NAME, the name that is sealed: nifty, sp500, or your own")


COMMAND = Command(
    summary="judge and fit every model on the bars of a market",
    description=_DESCRIPTION,
    add_arguments=add_arguments,
    run=run,
    interrupted="interrupted; nothing was written",
)
