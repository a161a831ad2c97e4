"""What can go wrong at the desk: fetching, keeping, publishing, and rates of the past."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import ClassVar

from aegismatrix.errors import AegisError, BarsError, Cases
from aegismatrix.market.errors import REPORT_BARS
from aegismatrix.records import dataclass


@dataclass(eq=False, repr=False)
class RateUnavailableError(BarsError):
    """Too few windows or days of the past have a forecast that had not seen them."""

    cases: ClassVar[Cases] = {
        "hit_rate": (
            "The hit rate cannot be measured: {have} completed windows have a forecast that did not"
            " see them, {need} are needed.",
            f"Give a longer history: {REPORT_BARS} bars are enough, but for days early in the"
            " training span, which have no such forecast.",
        ),
        "spike_rate": (
            "The spike rate needs {need} past days that no fit had seen, there are {have}.",
            f"Take a longer history, or a later last day: {REPORT_BARS} bars are enough, but for"
            " days early in the training span.",
        ),
    }
    kind: str
    _: KW_ONLY
    have: int
    need: int


@dataclass(eq=False, repr=False)
class SourceError(AegisError):
    """Bars could not be fetched from `source`, such as ``Yahoo ^NSEI 1d``; `kind` says why."""

    cases: ClassVar[Cases] = {
        "no_data": (
            "{source}: the provider gave no bars ({reason}).",
            "Check the symbol, such as ^NSEI, and that the first day asked for is past.",
        ),
        "not_json": (
            "{source}: the provider sent no JSON ({reason}).",
            "A proxy, a login page or a block of this address answers in its place: open"
            " finance.yahoo.com from this machine to see which.",
        ),
        "schema_drift": (
            "{source}: the answer has not the form that is known ({reason}).",
            "Update yfinance (pip install --upgrade yfinance); until then give CSV files.",
        ),
        "ends_early": (
            "{source}: the history ends on {reason}.",
            "The answer was cut short or the symbol is no longer quoted: try again, or check the"
            " symbol and the clock of this machine.",
        ),
    }
    source: str
    kind: str
    reason: str = ""


@dataclass(eq=False, repr=False)
class TransientSourceError(SourceError):
    """A fetch failed for a reason that may pass, `attempts` times, until patience ended."""

    cases: ClassVar[Cases] = {
        "rate_limited": (
            "{source}: the provider limits requests (HTTP 429).",
            "Wait some minutes and ask less often; one address is one client.",
        ),
        "server_failed": ("{source}: the provider's server failed ({reason}).", "Try again later."),
        "unreachable": (
            "{source}: the provider could not be reached ({reason}).",
            "Check network, proxy and firewall, or give CSV files instead.",
        ),
        "provider_cache": (
            "{source}: yfinance cannot use its own cache ({reason}).",
            "Delete the folder py-yfinance in this user's cache folder, which holds only time zones"
            " and cookies, or make it writable.",
        ),
    }
    _: KW_ONLY
    attempts: int = 1


@dataclass(eq=False, repr=False)
class StoreError(AegisError):
    """Family: a SQLite file of this package cannot be used; `kind` says why."""

    path: str
    kind: str
    reason: str = ""


@dataclass(eq=False, repr=False)
class CacheError(StoreError):
    """A file of the local cache of bars cannot be used."""

    cases: ClassVar[Cases] = {
        "unusable": (
            "The cache {path} cannot be used: {reason}.",
            "Choose a writable folder with free space (cache_dir=..., AEGISMATRIX_CACHE).",
        ),
        "busy": (
            "The cache {path} was still locked by another process after {reason}.",
            "Wait for that process or end it; nothing was changed.",
        ),
        "damaged": (
            "The cache {path} is damaged: {reason}.",
            "Delete this file; the next run fetches everything again.",
        ),
        "unrecognised": (
            "{path} is not a cache that this package reads: {reason}.",
            "Move it away, or choose another folder (cache_dir=..., AEGISMATRIX_CACHE).",
        ),
    }


@dataclass(eq=False, repr=False)
class JournalError(StoreError):
    """A forecast log cannot be used."""

    cases: ClassVar[Cases] = {
        "missing": (
            "There is no forecast log {path}.",
            "Give the one that `aegismatrix run` keeps beside its report, or run that.",
        ),
        "unusable": (
            "The forecast log {path} cannot be used: {reason}.",
            "Make it writable, or give another file (--journal) in a folder with free space; what"
            " was logged is kept.",
        ),
        "vanished": (
            "The forecast log {path} is not the one that this job has written to: {reason}.",
            "Bring the folder or the file back, or start the job again to begin with what is"
            " there; nothing was published.",
        ),
        "busy": (
            "The forecast log {path} was still locked by another process after {reason}.",
            "Wait for that process or end it, then run again; nothing was logged.",
        ),
        "damaged": (
            "The forecast log {path} is damaged: {reason}.",
            "Restore it from a backup, or move it away and start a new one.",
        ),
        "unrecognised": (
            "{path} is not a forecast log of this package: {reason}.",
            "Give another file name; this file was left alone.",
        ),
    }


@dataclass(eq=False, repr=False)
class FolderBusyError(AegisError):
    """A `folder` was being published to by its `holder` for all of the time that was `waited`."""

    problem = "{folder} is still being published to after {waited}, by {holder}."
    remedy = "Wait for that process or end it, then run again; nothing was published."
    folder: str
    holder: str
    waited: str


@dataclass(eq=False, repr=False)
class PublicationError(AegisError):
    """What an interrupted publication left in a `folder` could not be put right."""

    cases: ClassVar[Cases] = {
        "not_undone": (
            "A publication in {folder} did not succeed and could not be undone: {reason}.",
            "Until then the folder may hold files of two publications: mend its permissions or its"
            " space, and the next run puts it right.",
        ),
        "unreadable": (
            "What an interrupted publication left in {folder} cannot be read: {reason}.",
            "Look at the folder (aegismatrix check), delete the file .aegismatrix.pending in it and"
            " run again.",
        ),
    }
    folder: str
    kind: str
    reason: str = ""


@dataclass(eq=False, repr=False, kw_only=True)
class BarsBehindError(BarsError):
    """The exchange has closed `sessions` that the bars do not hold."""

    problem = (
        "The last bar is of {last}, and sessions have closed since: {sessions}, the last on"
        " {completed}."
    )
    remedy = "Look why the source stands still, or permit the age (--allow-stale 3d)."
    last: str
    completed: str
    sessions: int


@dataclass(eq=False, repr=False, kw_only=True)
class MarketClosedError(AegisError):
    """The exchange is closed, and a run was asked for while it is open only."""

    problem = "The exchange is closed at {moment}; its next session is on {next_session}."
    remedy = "Run again then (--every does), or leave --only-open out."
    moment: str
    next_session: str


@dataclass(eq=False, repr=False)
class CommandUnavailableError(AegisError):
    """A `command` of other packages, `whose` it is, cannot be run; `kind` says why."""

    cases: ClassVar[Cases] = {
        "not_loaded": (
            "The command {command} is not available: it cannot be loaded ({reason}).",
            "Install {whose} again, or uninstall it.",
        ),
        "no_command": (
            "The command {command} is not available: {reason} is no Command.",
            "Uninstall {whose}, or ask its authors.",
        ),
        "ambiguous": (
            "The command {command} is not available: two packages or more give it.",
            "Uninstall {whose}.",
        ),
    }
    command: str
    kind: str
    _: KW_ONLY
    whose: str
    reason: str = ""
