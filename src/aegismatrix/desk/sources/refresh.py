"""Keep a cache of bars up to date with as little asking as is safe."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
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

HEALED_DAYS = 400
"""A session that is missing or blank is asked for again until it is so many calendar days old: a
year of sessions, which is what a report rests on, and some weeks."""

ASKED_AGAIN_AFTER = timedelta(days=1)
"""How long to wait before it is asked for again, at least."""

ASKED_AGAIN_SHARE = 10
"""Nor is it asked for again before a tenth of its age has passed: what a provider never had would
otherwise be asked for every day."""

Ask = Callable[[date], Prices]
"""Ask the provider for the bars from a day on."""


def refresh(
    cache: PriceCache,
    ask: Ask,
    *,
    since: date,
    now: datetime,
    afresh: bool = False,
    sessions: DateArray | None = None,
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
    sessions : ndarray of datetime64[D], optional
        The days that must have a daily bar: those that the cache lacks, or has blank, are asked for
        again, though not for ever (`HEALED_DAYS`, `ASKED_AGAIN_AFTER`).

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
    holes = [] if held is None or afresh else _holes(held, sessions, now)
    asked_again = bool(holes) and _is_due(held, holes[-1], now)
    prices, first = _renewed(
        None if afresh else held, ask, since, cache, holes=holes, heal=asked_again
    )
    before = None if held is None else held.asked_again_at
    new = Stored(prices, first, now, now if asked_again else before)
    if not cache.replace(new, old=held):
        _LOG.info("%s was refreshed by another process meanwhile.", cache.path)
    return new


def _holes(held: Stored, sessions: DateArray | None, now: datetime) -> list[date]:
    """The sessions that were over at the last fetch and have no bar, rising, as old as they may."""
    if sessions is None or not len(held.prices):
        return []
    known = held.prices.cut(~np.isnan(held.prices.column("close"))).stamps
    oldest = max(held.since, now.date() - timedelta(days=HEALED_DAYS))
    wanted = sessions[
        (sessions >= np.datetime64(oldest))
        & (sessions <= _settled_by(held).astype("datetime64[D]"))
        & (sessions <= held.prices.stamps[-1])
    ]
    holes: list[date] = wanted[~np.isin(wanted, known)].tolist()
    return holes


def _is_due(held: Stored | None, newest: date, now: datetime) -> bool:
    if held is None or held.asked_again_at is None:
        return True
    age = timedelta(days=(now.date() - newest).days)
    waited = now - held.asked_again_at
    # A stamp from the future says that one of the clocks was wrong.
    return waited < timedelta(0) or waited >= max(ASKED_AGAIN_AFTER, age / ASKED_AGAIN_SHARE)


def _renewed(
    held: Stored | None,
    ask: Ask,
    since: date,
    cache: PriceCache,
    *,
    holes: Sequence[date],
    heal: bool,
) -> tuple[Prices, date]:
    if held is None or since < held.since:
        return ask(since), since
    first = since if cache.interval == "5m" else held.since
    settled = held.prices.cut(held.prices.stamps <= _settled_by(held))
    if not len(settled):
        return ask(first), first
    start = max(first, settled.last_day() - timedelta(days=REREAD_DAYS))
    if heal:
        _LOG.info("%s: asking again for %d sessions.", cache.path.name, len(holes))
        start = max(first, min(start, holes[0]))
    fresh = ask(start)
    odd = _disagreement(settled.since(start), fresh, expected=holes)
    if odd is not None:
        _LOG.warning("%s: %s; fetching everything again.", cache.path.name, odd)
        return (fresh if start == first else ask(first)), first
    return held.prices.followed_by(fresh).since(first), first


def _settled_by(held: Stored) -> np.datetime64:
    naive = held.fetched_at.replace(tzinfo=None, microsecond=0)
    latest: np.datetime64 = np.datetime64(naive - SETTLED_AFTER, "s")
    return latest


def _disagreement(settled: Prices, fresh: Prices, *, expected: Sequence[date]) -> str | None:
    """Say how the provider now tells what is past in another way, or None if it does not.

    That an expected session has appeared is what was hoped for.
    """
    before, after = _closes(settled), _closes(fresh)
    if not len(settled):
        return None
    span = (fresh.stamps <= settled.stamps[-1]) & ~np.isnan(fresh.column("close"))
    appeared = [
        stamp
        for stamp in fresh.stamps[span].tolist()
        if stamp not in before and stamp not in expected
    ]
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
