"""Publish: fetch, analyse, write; all of it or nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aegismatrix.desk.analysis import analyze
from aegismatrix.desk.errors import BarsBehindError, MarketClosedError
from aegismatrix.desk.job.publication import PAGE_NAME, REPORT_NAME, put_in_place
from aegismatrix.desk.json_text import stamp_of
from aegismatrix.desk.report import Report
from aegismatrix.desk.signals.seller import CONFIDENCE
from aegismatrix.desk.sources.fetched import BarSource, Fetched, utc_now
from aegismatrix.engine.engine import Engine
from aegismatrix.errors import MissingExtraError
from aegismatrix.market.arrays import Day
from aegismatrix.market.bars import Bars
from aegismatrix.market.chain import OptionChain
from aegismatrix.market.errors import CalendarRangeError, StaleOvernightBarsError
from aegismatrix.market.market import NIFTY, ExpiryKind, Market
from aegismatrix.market.overnight import last_night
from aegismatrix.records import dataclass

if TYPE_CHECKING:
    from aegismatrix.desk.monitoring.journal import Journal

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """What to publish, and where.

    Attributes
    ----------
    folder : Path
        For `aegismatrix.json` and `aegismatrix.html`.
    horizon_days, expiry, confidence
        As for `analyze`.
    html : bool or None
        Whether the page must be written; None: where its extra is installed.
    check_current : bool
        Whether the last session that the exchange has closed must be among the bars, where its
        calendar is known.
    allow_stale : timedelta or None
        How much older the last bar may be all the same.
    only_open : bool
        Whether to refuse while the exchange is closed.
    exchange : Market
        Whose hours those are: a market with a calendar.
    chain : OptionChain or None
        For max pain and skew.
    overnight : Bars or None
        Of the US market that closes in the night.
    validate : bool
        Whether to hold the report against the JSON Schema before anything is written (extra
        ``report``). What this package writes passes: its tests hold every kind of report to that.
        The check costs more than all the rest, so a run makes it only where it is asked for.
    """

    folder: Path
    horizon_days: int | None = None
    expiry: Day | ExpiryKind | None = None
    confidence: float = CONFIDENCE
    html: bool | None = None
    check_current: bool = True
    allow_stale: timedelta | None = None
    only_open: bool = False
    exchange: Market = NIFTY
    chain: OptionChain | None = None
    overnight: Bars | None = None
    validate: bool = False


@dataclass(frozen=True)
class Published:
    """What was published.

    Attributes
    ----------
    report : Report
        The report.
    fetched : Fetched
        The bars that it was made of.
    files : tuple of Path
        What was written.
    page_missing : MissingExtraError or None
        Why there is no page, where it was neither refused nor insisted on.
    entry : str or None
        The digest of its entry in the forecast log, where it is logged.
    """

    report: Report
    fetched: Fetched
    files: tuple[Path, ...]
    page_missing: MissingExtraError | None = None
    entry: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return a line for a log: what a desk would ask first."""
        report = self.report
        age = () if report.publication is None else report.publication.notes or ()
        return {
            "as_of": report.as_of,
            "session": report.session,
            "generated_at": report.generated_at,
            "spot": report.market.spot,
            "vix": report.market.vix,
            "seller_flag": report.seller.seller_flag.label,
            "buyer_environment": report.buyer.buyer_environment.label,
            "safe_range": [
                round(report.seller.safe_range.lower, 2),
                round(report.seller.safe_range.upper, 2),
            ],
            "horizon_days": report.seller.safe_range.horizon_days,
            "bars": self.fetched.freshness,
            "notes": [*age, *report.provenance.source_notes],
            "manifest": report.provenance.manifest_digest[:16],
            "files": [str(path) for path in self.files],
            "entry": self.entry,
        }


def publish(
    source: BarSource,
    settings: Settings,
    *,
    engine: Engine | None = None,
    journal: Journal | None = None,
    known: str | None = None,
    watch: Callable[[Bars, datetime], Mapping[str, Any]] | None = None,
    now: datetime | None = None,
) -> Published:
    """Fetch, analyse, write and log.

    Parameters
    ----------
    source : BarSource
        Where the bars come from.
    settings : Settings
        What to publish, and where.
    engine : Engine, optional
        By default one on the bundled artifacts.
    journal : Journal, optional
        The forecast log that the report goes to, with its files or not at all.
    known : str, optional
        The digest of an entry that the log must hold: that of this job's last report.
    watch : callable, optional
        From the bars and the moment to the report's block on what earlier forecasts were worth.
    now : aware datetime, optional
        By default the present.

    Returns
    -------
    Published

    Raises
    ------
    MarketClosedError
        If the exchange is closed and `only_open` is set; nothing is fetched then.
    BarsBehindError
        If a session has closed since the last bar, and no age is allowed that covers it.
    FolderBusyError
        If another process publishes to the folder all the time.
    PublicationError
        If what failed, or what an interrupted run left, cannot be undone.
    AegisError
        Whatever else fetching, analysing and writing raise. What was published and logged before is
        as it was then.
    """
    moment = now or utc_now()
    if settings.only_open:
        check_open(moment, settings.exchange)
    fetched = source.fetch()
    bars = fetched.bars
    notes = [*fetched.notes]
    age_notes = [] if fetched.stale_for is None else [fetched.freshness]
    if settings.check_current and bars.market.calendar is not None:
        age_notes += _current(bars, moment, settings)
    _log.info("%s: %d bars, %s", source.description, len(bars), fetched.freshness)
    overnight = settings.overnight
    if overnight is not None:
        try:
            last_night(bars, overnight, moment)
        except StaleOvernightBarsError as error:
            # The night has not come yet, or its bars have not: the rest of the report stands.
            notes.append(f"The overnight forecast is left out: {error.problem}")
            overnight = None
    report = analyze(
        bars,
        engine=engine,
        horizon_days=settings.horizon_days,
        expiry=settings.expiry,
        confidence=settings.confidence,
        now=moment,
        intraday=fetched.intraday,
        chain=settings.chain,
        overnight=overnight,
        notes=notes,
    )
    if watch is not None:
        report = replace(report, monitoring=watch(bars, moment))
    missing = None

    def make(log_head: str | None) -> tuple[Report, Mapping[str, str]]:
        nonlocal missing
        made = _published(report, age_notes, log_head)
        if settings.validate:
            made.validate()
        page, missing = page_of(made, settings.html)
        files = {REPORT_NAME: made.to_json()}
        return made, files if page is None else {**files, PAGE_NAME: page}

    _log.info("writing to %s", settings.folder)
    report, entry = put_in_place(settings.folder, make, journal, known)
    names = (REPORT_NAME,) if missing or settings.html is False else (REPORT_NAME, PAGE_NAME)
    files = tuple(settings.folder / name for name in names)
    return Published(report, fetched, files, missing, entry)


def _published(report: Report, age_notes: list[str], log_head: str | None) -> Report:
    """Say in the report what differs between two of them on the same bars."""
    assert report.publication is not None
    publication = replace(report.publication, notes=tuple(age_notes) or None, log_head=log_head)
    return replace(report, publication=publication)


def page_of(report: Report, wanted: bool | None) -> tuple[str | None, MissingExtraError | None]:
    """Draw the page, if it is wanted or can be.

    Parameters
    ----------
    report : Report
        What to draw.
    wanted : bool or None
        True: it must be there. False: it must not. None: where its extra is installed.

    Returns
    -------
    page : str or None
        The page.
    missing : MissingExtraError or None
        Why there is none, where `wanted` is None.

    Raises
    ------
    MissingExtraError
        If it must be there and cannot.
    """
    if wanted is False:
        return None, None
    try:
        return report.to_html(), None
    except MissingExtraError as error:
        if wanted:
            raise
        return None, error


def check_open(moment: datetime, exchange: Market = NIFTY) -> None:
    """Refuse while the exchange is closed.

    Parameters
    ----------
    moment : aware datetime
    exchange : Market
        A market with a calendar.

    Raises
    ------
    MarketClosedError
        Saying when it opens next.
    MarketError
        If the market has no calendar.
    """
    exchange = exchange.reaching(exchange.trading_day(moment))
    clock = exchange.session_at(moment)
    if not clock.is_open:
        stamp = stamp_of(moment)
        following = exchange.known_calendar().next_session(clock.session)
        raise MarketClosedError(moment=stamp, next_session=following.isoformat())


def _current(bars: Bars, moment: datetime, settings: Settings) -> list[str]:
    """Refuse bars that stand still; return what is to be said of those that are allowed."""
    last = bars.last_session
    market = bars.market.reaching(bars.market.trading_day(moment))
    try:
        completed = market.session_at(moment).completed
    except CalendarRangeError:
        # Without a calendar nobody knows which sessions have closed. Whoever gives the horizon in
        # days needs no calendar otherwise.
        if settings.horizon_days is None:
            raise
        return ["Whether the bars are current was not checked."]
    if last >= completed:
        return []
    calendar = market.known_calendar()
    missing = calendar.trading_days_between(last, completed)
    if missing == 1 and calendar.is_provisional(completed):
        # It may have been a holiday that nobody has declared here.
        return [f"The last bar is of {last}: {completed} was a holiday, or its bar is missing."]
    if settings.allow_stale is None or completed - last > settings.allow_stale:
        raise BarsBehindError(
            last=last.isoformat(), completed=completed.isoformat(), sessions=missing
        )
    return [f"The last bar is of {last}: sessions closed since: {missing}."]
