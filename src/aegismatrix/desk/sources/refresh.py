"""Keep a cache of bars up to date with as little asking as is safe."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import date, datetime, timedelta

import numpy as np

from aegismatrix.desk.sources.cache import PriceCache, Stored
from aegismatrix.desk.sources.prices import Prices
from aegismatrix.market.arrays import DateArray

_LOG = logging.getLogger(__name__)

REREAD_DAYS = 7
"""Calendar days before the last complete one that are asked for again."""

SETTLED_AFTER = timedelta(hours=36)
"""A bar is complete this long after its day, or its five minutes, began in UTC: wherever the
exchange is, its session was over and its late corrections are in."""

CLOSE_TOLERANCE = 1e-3
"""A complete close that differs by a larger share on asking again is of another series."""

Ask = Callable[[date], Prices]
"""Ask the provider for the bars from a day on."""


def refresh(
    cache: PriceCache, ask: Ask, *, since: date, now: datetime, afresh: bool = False
) -> Stored:
    """Bring a cache up to date and return its content.

    Parameters
    ----------
    cache : PriceCache
        Where bars are kept.
    ask : callable
        Asks the provider for all bars from a day on.
    since : date
        First day wanted. Of daily bars an earlier history stays in the cache; five-minute bars
        before it are let go, since the provider no longer has them to compare with.
    now : datetime
        The time of this refresh, aware.
    afresh : bool
        Ask for everything, whatever is there.

    Returns
    -------
    Stored
        Possibly with days before `since`.

    Raises
    ------
    SourceError
        If the provider fails; the cache is as it was.
    CacheError
        If the cache is damaged, unrecognised, busy or unusable.
    """
    held = cache.read()
    prices, first = _renewed(None if afresh else held, ask, since, cache)
    new = Stored(prices, first, now)
    if not cache.replace(new, old=held):
        _LOG.info("%s was refreshed by another process meanwhile.", cache.path)
    return new


def _renewed(held: Stored | None, ask: Ask, since: date, cache: PriceCache) -> tuple[Prices, date]:
    if held is None or since < held.since:
        return ask(since), since
    first = since if cache.interval == "5m" else held.since
    settled = held.prices.cut(held.prices.stamps <= _settled_by(held))
    if not len(settled):
        return ask(first), first
    start = max(first, settled.last_day() - timedelta(days=REREAD_DAYS))
    fresh = ask(start)
    odd = _disagreement(settled.since(start), fresh)
    if odd is not None:
        _LOG.warning("%s: %s; fetching everything again.", cache.path.name, odd)
        return (fresh if start == first else ask(first)), first
    return held.prices.followed_by(fresh).since(first), first


def _settled_by(held: Stored) -> np.datetime64:
    naive = held.fetched_at.replace(tzinfo=None, microsecond=0)
    latest: np.datetime64 = np.datetime64(naive - SETTLED_AFTER, "s")
    return latest


def _disagreement(settled: Prices, fresh: Prices) -> str | None:
    """Say how the provider now tells what is past in another way, or None if it does not."""
    before, after = _closes(settled), _closes(fresh)
    if not len(settled):
        return None
    span = (fresh.stamps <= settled.stamps[-1]) & ~np.isnan(fresh.column("close"))
    appeared = [stamp for stamp in fresh.stamps[span].tolist() if stamp not in before]
    vanished = [stamp for stamp in before if stamp not in after]
    if vanished or appeared:
        return f"{len(vanished)} complete bars have vanished and {len(appeared)} appeared"
    moved = [s for s, close in before.items() if abs(after[s] / close - 1) > CLOSE_TOLERANCE]
    if moved:
        return (
            f"{len(moved)} complete bars were revised, that of {moved[0]} from"
            f" {before[moved[0]]:g} to {after[moved[0]]:g}"
        )
    return None


def _closes(prices: Prices) -> dict[date, float]:
    closes = prices.column("close")
    known = ~np.isnan(closes)
    stamps: DateArray = prices.stamps[known]
    return dict(zip(stamps.tolist(), closes[known].tolist(), strict=True))
