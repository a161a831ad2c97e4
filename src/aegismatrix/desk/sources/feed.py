"""Yahoo's chart of one symbol, asked through yfinance, every failure typed.

yfinance hides most failures by default and keeps one session for the whole process. Here it is made
to raise, and its session looks at each answer before yfinance does, since yfinance does not say
whether a web page came or a server failed.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from aegismatrix.desk.errors import SourceError, TransientSourceError
from aegismatrix.desk.sources.patience import Attempt
from aegismatrix.desk.sources.prices import COLUMNS, UNITS, Interval, Prices
from aegismatrix.errors import BarsError, MissingExtraError
from aegismatrix.market.errors import EmptyBarsError
from aegismatrix.market.readers import read_frame
from aegismatrix.market.thresholds import MAX_GAP_CALENDAR_DAYS

if TYPE_CHECKING:
    import pandas as pd

_LOG = logging.getLogger(__name__)
_CHART_PATH = "/v8/finance/chart/"
_SEEN = 60

# Session, settings and warnings of yfinance belong to the process.
_ONE_CALL = threading.Lock()


def ask_yahoo(
    symbol: str, interval: Interval, since: date, *, today: date, attempt: Attempt
) -> Prices:
    """Ask Yahoo for the bars of one symbol, from a day on to now.

    Parameters
    ----------
    symbol : str
        As Yahoo names it, such as ``^NSEI``.
    interval : {'1d', '5m'}
        Length of a bar; Yahoo keeps five-minute bars for 60 days.
    since : date
        First day wanted, on the exchange's clock.
    today : date
        The day of the request. An answer that ends more than 15 calendar days earlier is taken up
        from where it ends, as long as that leads on.
    attempt : Attempt
        The patience left.

    Returns
    -------
    Prices
        At least one row; not adjusted for splits or dividends, which indices do not have.

    Raises
    ------
    MissingExtraError
        If a package of the extra ``yahoo`` is not installed.
    SourceError
        `TransientSourceError`, for what may pass, after all of the patience.
    """
    source = f"Yahoo {symbol} {interval}"

    def page(first: date) -> Prices:
        return attempt.retry(lambda: _ask_once(symbol, interval, first, source, attempt))

    prices = page(since)
    while (today - prices.last_day()).days > MAX_GAP_CALENDAR_DAYS:
        _LOG.info("%s: the answer ends on %s, asking on from there.", source, prices.last_day())
        more = page(prices.last_day())
        if more.last_day() <= prices.last_day():
            raise SourceError(source, "ends_early", f"{prices.last_day()}, today is {today}")
        prices = prices.followed_by(more)
    return prices


def _ask_once(
    symbol: str, interval: Interval, since: date, source: str, attempt: Attempt
) -> Prices:
    yfinance = _yfinance()
    with _ONE_CALL, _raising(yfinance), _watched(source, attempt) as session:
        try:
            frame = yfinance.Ticker(symbol, session=session).history(
                start=since,
                interval=interval,
                auto_adjust=False,
                actions=False,
                keepna=True,
                timeout=attempt.patience.request,
            )
        except _provider_errors() as error:
            raise _typed(error, source, session.last) from error
    return _read(frame, interval, source).since(since)


def _yfinance() -> Any:
    try:
        import curl_cffi  # noqa: F401
        import pandas  # noqa: F401
        import peewee  # noqa: F401
        import yfinance
    except ImportError as error:
        raise MissingExtraError(error.name or "yfinance", extra="yahoo") from error
    return yfinance


@contextmanager
def _raising(yfinance: Any) -> Iterator[None]:
    """Let yfinance raise what it would log, and keep its own deprecations from the caller."""
    debug = yfinance.config.debug
    hidden = debug.hide_exceptions
    with warnings.catch_warnings():
        for category in (DeprecationWarning, FutureWarning):
            warnings.filterwarnings("ignore", category=category, module=r"yfinance(\.|$)")
        debug.hide_exceptions = False
        try:
            yield
        finally:
            debug.hide_exceptions = hidden


@cache
def _session() -> Any:
    """The process's session, as yfinance would make it, that can watch."""
    from curl_cffi import requests

    class Session(requests.Session):  # type: ignore[type-arg]
        source = ""
        attempt: Attempt | None = None
        last: tuple[int, str] | None = None

        def request(  # type: ignore[override]
            self, method: Any, url: str, **options: Any
        ) -> Any:
            if self.attempt is None:
                return super().request(method, url, **options)
            left = self.attempt.seconds_left
            if left <= 0:
                raise TransientSourceError(self.source, "unreachable", "no time was left to ask")
            # yfinance gives its requests for cookies half a minute each.
            options["timeout"] = min(self.attempt.patience.request, left)
            response = super().request(method, url, **options)
            if _CHART_PATH in response.url:
                self.last = (response.status_code, response.text[:_SEEN].strip())
                _look_at(self.last, response.headers.get("Content-Type", ""), self.source)
            return response

    return Session(impersonate="chrome")


@contextmanager
def _watched(source: str, attempt: Attempt) -> Iterator[Any]:
    session = _session()
    session.source, session.attempt, session.last = source, attempt, None
    try:
        yield session
    finally:
        # yfinance keeps the session for whatever else this process asks it for.
        session.attempt = None


def _look_at(answer: tuple[int, str], kind: str, source: str) -> None:
    status, text = answer
    if status >= 500:
        raise TransientSourceError(source, "server_failed", f"HTTP {status}")
    if status != 429 and ("html" in kind or text.startswith("<")):
        raise SourceError(source, "not_json", f"HTTP {status}, it begins with {text!r}")


def _provider_errors() -> tuple[type[Exception], ...]:
    import peewee
    from yfinance.exceptions import YFException

    # The last row is what reading an answer of another form ends in.
    return (
        YFException,
        OSError,
        peewee.PeeweeException,
        sqlite3.Error,
        *(LookupError, TypeError, ValueError, AttributeError, ArithmeticError),
    )


def _typed(error: Exception, source: str, last: tuple[int, str] | None) -> SourceError:
    import json

    import peewee
    from curl_cffi.requests.exceptions import HTTPError, IncompleteRead
    from yfinance import exceptions as theirs

    status, seen = last or (0, "")
    if isinstance(error, theirs.YFRateLimitError):
        return TransientSourceError(source, "rate_limited")
    if isinstance(error, theirs.YFTickerMissingError):
        said = f"{error.rationale}, HTTP {status}" if status >= 400 else str(error.rationale)
        return SourceError(source, "no_data", said)
    if isinstance(error, theirs.YFDataException):
        return TransientSourceError(source, "server_failed", "it says that it is down")
    if isinstance(error, peewee.PeeweeException | sqlite3.Error):
        return TransientSourceError(source, "provider_cache", str(error))
    if isinstance(error, HTTPError) and not isinstance(error, IncompleteRead):
        # Where a chart is refused yfinance looks the symbol up elsewhere, which fails in turn.
        return _refused(source, status or _status_of(error))
    if isinstance(error, OSError):
        return TransientSourceError(source, "unreachable", _first_sentence(error))
    if isinstance(error, json.JSONDecodeError):
        return SourceError(source, "not_json", f"HTTP {status}, it begins with {seen!r}")
    return SourceError(source, "schema_drift", f"{type(error).__name__}: {error}")


def _refused(source: str, status: int) -> SourceError:
    if status == 429:
        return TransientSourceError(source, "rate_limited")
    if status >= 500:
        return TransientSourceError(source, "server_failed", f"HTTP {status}")
    return SourceError(source, "no_data", f"HTTP {status}")


def _status_of(error: Any) -> int:
    return int(getattr(error.response, "status_code", 0))


def _first_sentence(error: OSError) -> str:
    return str(error).partition(". ")[0] or type(error).__name__


def _read(frame: pd.DataFrame, interval: Interval, source: str) -> Prices:
    if len(frame) and getattr(frame.index, "tz", None) is None:
        raise SourceError(source, "schema_drift", "its times have no zone")
    try:
        table = read_frame(frame, source=source, required=COLUMNS, unit=UNITS[interval])
    except EmptyBarsError as error:
        raise SourceError(source, "no_data", "an empty table") from error
    except BarsError as error:
        raise SourceError(source, "schema_drift", error.problem) from error
    if (np.diff(table.dates.astype(np.int64)) <= 0).any():
        raise SourceError(source, "schema_drift", "its rows are not in rising order")
    values = np.stack([table.columns[name] for name in COLUMNS], axis=1)
    # Yahoo writes 0 or null into all columns of a session that has no bar.
    values[((values == 0) | np.isnan(values)).all(axis=1)] = np.nan
    return Prices(interval, table.dates, values)
