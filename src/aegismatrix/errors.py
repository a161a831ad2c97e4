"""What can go wrong, as types: each error carries its data and says the remedy.

Every error reads as two sentences, what is wrong and what to do about it; both are attributes, as
are the rows, names and figures that a program would want to act on.
"""

from __future__ import annotations

from collections.abc import Sequence

_NAMED_ROWS = 5
_SHOWN_LETTERS = 40


def _and_more(items: Sequence[str], total: int) -> str:
    shown = ", ".join(items[:_NAMED_ROWS])
    hidden = total - min(total, _NAMED_ROWS)
    return f"{shown} and {hidden} more" if hidden else shown


class AegisError(Exception):
    """Base of every error that aegismatrix raises on purpose.

    Attributes
    ----------
    problem : str
        One sentence: what is wrong.
    remedy : str
        One sentence: what to do about it.
    """

    def __init__(self, problem: str, *, remedy: str) -> None:
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{problem} {remedy}")

    def __reduce__(self) -> tuple[object, ...]:
        # Subclasses take keywords, which the default protocol of exceptions would lose on the
        # way back from a worker process.
        return _restore, (type(self), self.args, dict(self.__dict__))


def _restore(
    kind: type[AegisError], args: tuple[object, ...], data: dict[str, object]
) -> AegisError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(data)
    return error


class MissingExtraError(AegisError, ImportError):
    """An optional package is needed and not installed.

    Attributes
    ----------
    package, extra : str
        The package that is missing and the extra that brings it.
    """

    def __init__(self, package: str, *, extra: str) -> None:
        self.package = package
        self.extra = extra
        super().__init__(
            f"This needs {package}, which is not installed.",
            remedy=f"Install it with: pip install 'aegismatrix[{extra}]'.",
        )


class OutputError(AegisError):
    """A file could not be written.

    Attributes
    ----------
    path : str
        The file.
    """

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        super().__init__(
            f"{path} could not be written: {reason}.",
            remedy="Choose a writable folder with free space; any previous file is untouched.",
        )


class BarsError(AegisError, ValueError):
    """Base of all that can be wrong with market data.

    Attributes
    ----------
    rows : tuple of int
        Positions of the offending rows, 0 for the first; empty where no single row is to blame.
    dates : tuple of str
        Their dates, ISO 8601, in the same order.
    """

    def __init__(
        self, problem: str, *, remedy: str, rows: Sequence[int] = (), dates: Sequence[str] = ()
    ) -> None:
        self.rows = tuple(int(row) for row in rows)
        self.dates = tuple(dates)
        super().__init__(problem, remedy=remedy)


class _RowsError(BarsError):
    """A fault of particular rows: subclasses say it in words, this class names the rows."""

    def __init__(
        self, what: str, *, remedy: str, rows: Sequence[int], dates: Sequence[str] = ()
    ) -> None:
        names = [
            f"row {row} ({date})" for row, date in zip(rows[:_NAMED_ROWS], dates, strict=False)
        ] or [f"row {row}" for row in rows[:_NAMED_ROWS]]
        # What stands in another input has a date and no row here.
        named = _and_more(names, len(rows)) if names else _and_more(dates, len(dates))
        super().__init__(f"{what}: {named}.", remedy=remedy, rows=rows, dates=dates)


class EmptyBarsError(BarsError):
    """There is not a single row."""

    def __init__(self, source: str) -> None:
        self.source = source
        super().__init__(
            f"{source} has no rows.",
            remedy="Give at least one row below the header; the models need some 250 daily bars.",
        )


class FileUnreadableError(BarsError):
    """A data file is missing, not readable, or not text.

    Attributes
    ----------
    path : str
        The file.
    """

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        super().__init__(
            f"{path} cannot be read: {reason}.",
            remedy="Give the path of a comma-separated text file in UTF-8 that you may read.",
        )


_BAR_COLUMNS = (
    "Name the columns date, high, low, close and, where known, open (any case; 'Adj Close' is not"
    " 'close')."
)


class ColumnError(BarsError):
    """A column is missing, or its header is ambiguous.

    Attributes
    ----------
    column : str
        What was looked for.
    found : tuple of str
        The headers that are there.
    """

    def __init__(
        self,
        column: str,
        *,
        source: str,
        found: Sequence[str],
        reason: str = "is missing",
        remedy: str = _BAR_COLUMNS,
    ) -> None:
        self.column = column
        self.source = source
        self.found = tuple(found)
        super().__init__(
            f"{source}: the column {column!r} {reason}; its headers are {list(found)}.",
            remedy=remedy,
        )


class UnreadableCellError(BarsError):
    """A cell is not what its column promises.

    Attributes
    ----------
    line : int
        Line number in the file, 1 for the first.
    column, text : str
        The column and what stands there.
    """

    def __init__(self, *, source: str, line: int, column: str, text: str, remedy: str) -> None:
        self.source = source
        self.line = line
        self.column = column
        self.text = text
        super().__init__(
            f"{source}, line {line}: {text!r} is not a readable {column}.", remedy=remedy
        )


class LengthMismatchError(BarsError):
    """Arrays that belong together have different lengths or more than one dimension.

    Attributes
    ----------
    shapes : dict of str to tuple of int
        The shape of every array given.
    """

    def __init__(self, shapes: dict[str, tuple[int, ...]]) -> None:
        self.shapes = dict(shapes)
        listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        super().__init__(
            f"The arrays do not fit together: {listed}.",
            remedy="Give one-dimensional arrays with one value per row.",
        )


class UnsortedBarsError(_RowsError):
    """Dates do not rise."""

    def __init__(self, source: str, *, rows: Sequence[int], dates: Sequence[str]) -> None:
        super().__init__(
            f"{source} is not in rising order of date; these are earlier than the row before them",
            remedy="Sort it by date, oldest first.",
            rows=rows,
            dates=dates,
        )


class DuplicateDateError(_RowsError):
    """A date occurs more than once."""

    def __init__(self, source: str, *, rows: Sequence[int], dates: Sequence[str]) -> None:
        super().__init__(
            f"{source} has dates that occur more than once",
            remedy="Keep one bar for each; for daily bars, intraday rows must be aggregated first.",
            rows=rows,
            dates=dates,
        )


class NonFiniteBarsError(_RowsError):
    """A value is NaN, infinite or blank."""

    def __init__(
        self, source: str, column: str, *, rows: Sequence[int], dates: Sequence[str]
    ) -> None:
        self.column = column
        super().__init__(
            f"{source}: {column} is blank, NaN or infinite in",
            remedy="Drop these rows or fetch them again; a missing day of the volatility index may"
            " simply be left out.",
            rows=rows,
            dates=dates,
        )


class NonPositiveBarsError(_RowsError):
    """A price or volatility is zero or negative."""

    def __init__(
        self, source: str, column: str, *, rows: Sequence[int], dates: Sequence[str]
    ) -> None:
        self.column = column
        super().__init__(
            f"{source}: {column} is not above 0 in",
            remedy="Correct these rows or drop them.",
            rows=rows,
            dates=dates,
        )


class InconsistentBarsError(_RowsError):
    """A bar contradicts itself: high below low, or close outside of them."""

    def __init__(self, what: str, *, rows: Sequence[int], dates: Sequence[str]) -> None:
        super().__init__(
            what,
            remedy="Correct these rows, and check that no adjusted close stands beside unadjusted"
            " highs and lows.",
            rows=rows,
            dates=dates,
        )


class ScaleError(_RowsError):
    """Values are in another unit than the one asked for.

    Attributes
    ----------
    column : str
        The column.
    seen : float
        A typical value of those rows.
    """

    def __init__(
        self,
        column: str,
        *,
        seen: float,
        what: str,
        remedy: str,
        rows: Sequence[int],
        dates: Sequence[str],
    ) -> None:
        self.column = column
        self.seen = seen
        super().__init__(what, remedy=remedy, rows=rows, dates=dates)


class FrozenBarsError(_RowsError):
    """The last rows are identical: the feed stopped moving.

    Attributes
    ----------
    count : int
        How many trailing rows are the same.
    columns : tuple of str
        What is the same in them.
    """

    def __init__(
        self,
        *,
        count: int,
        rows: Sequence[int],
        dates: Sequence[str],
        columns: Sequence[str] = ("high", "low", "close", "iv"),
    ) -> None:
        self.count = count
        self.columns = tuple(columns)
        same = f"{', '.join(self.columns[:-1])} and {self.columns[-1]}"
        super().__init__(
            f"The last {count} bars have the same {same}: the feed is frozen",
            remedy="Fetch the data again; a forecast on frozen input would be a lie.",
            rows=rows,
            dates=dates,
        )


class FutureBarsError(_RowsError):
    """A bar is dated later than today, anywhere on Earth, or starts later than now.

    Attributes
    ----------
    today : str
        The latest day, or the moment, that was taken for now.
    """

    def __init__(
        self,
        source: str,
        *,
        today: str,
        rows: Sequence[int],
        dates: Sequence[str],
        remedy: str = "Check the date format and the clock of this machine.",
    ) -> None:
        self.today = today
        super().__init__(
            f"{source} has dates after {today}",
            remedy=remedy,
            rows=rows,
            dates=dates,
        )


class OutsideSessionError(_RowsError):
    """Five-minute bars lie where the exchange does not trade: their clock is wrong.

    Attributes
    ----------
    session : str
        The exchange's session, ``HH:MM-HH:MM IST``.
    """

    def __init__(
        self, source: str, *, session: str, rows: Sequence[int], dates: Sequence[str]
    ) -> None:
        self.session = session
        super().__init__(
            f"{source}: the clock looks wrong, these bars start outside of {session}",
            remedy="Stamps without an offset are read as UTC; write them with their offset, as in"
            " 2025-11-24T09:15:00+05:30, and give bars of regular sessions.",
            rows=rows,
            dates=dates,
        )


class OffGridError(_RowsError):
    """A bar does not start on a multiple of five minutes.

    Attributes
    ----------
    minutes : int
        Length of a bar.
    """

    def __init__(
        self, source: str, *, minutes: int, rows: Sequence[int], dates: Sequence[str]
    ) -> None:
        self.minutes = minutes
        super().__init__(
            f"{source}: these bars do not start on a multiple of {minutes} minutes",
            remedy=f"Stamp bars of {minutes} minutes by their start, and leave out a last one that"
            " the feed stamps with the time of its last trade.",
            rows=rows,
            dates=dates,
        )


class CalendarGapError(_RowsError):
    """The history has a hole too long to be a holiday.

    Attributes
    ----------
    limit_days : int
        The longest gap allowed, in calendar days.
    """

    def __init__(
        self, source: str, *, limit_days: int, rows: Sequence[int], dates: Sequence[str]
    ) -> None:
        self.limit_days = limit_days
        super().__init__(
            f"{source} has a hole of more than {limit_days} calendar days before",
            remedy="Fill the hole, or start after it (start=..., --start): returns across a hole"
            " would pass for one day's.",
            rows=rows,
            dates=dates,
        )


class IvUnavailableError(_RowsError):
    """No volatility print is recent enough for some days of the index.

    Attributes
    ----------
    carry_days : int
        How many trading days a print is carried at most.
    """

    def __init__(self, *, carry_days: int, rows: Sequence[int], dates: Sequence[str]) -> None:
        self.carry_days = carry_days
        super().__init__(
            "The volatility index has no print at or before these days of the index, nor one in"
            f" the {carry_days} trading days before them",
            remedy="Give its missing days, or cut the index to the span that it covers"
            " (start=..., --start).",
            rows=rows,
            dates=dates,
        )


class NotTheLatestError(BarsError):
    """The US bars do not reach the session that closes last before NSE's next open.

    Attributes
    ----------
    source : str
        Where the US bars came from.
    wanted : tuple of str
        The sessions that are missing, ISO 8601: no bar, no print of the VIX on the day itself, or
        not over yet.
    last : str
        The last bar that is there.
    """

    def __init__(self, source: str, *, wanted: Sequence[str], last: str) -> None:
        self.source = source
        self.wanted = tuple(wanted)
        self.last = last
        super().__init__(
            f"{source} lacks US sessions that must have closed before NSE's next open, or their"
            f" VIX: {_and_more(self.wanted, len(self.wanted))}; its last bar is of {last}.",
            remedy="Fetch the US bars after 21:00 UTC and before NSE opens, or leave them out: the"
            " rest of the report needs none.",
        )


class ChainError(BarsError):
    """Base of all that can be wrong with an option chain.

    Attributes
    ----------
    source : str
        Where the chain came from.
    """

    def __init__(self, source: str, problem: str, *, remedy: str, rows: Sequence[int] = ()) -> None:
        self.source = source
        super().__init__(problem, remedy=remedy, rows=rows)


class TooFewStrikesError(ChainError):
    """There are too few strikes for a chain.

    Attributes
    ----------
    need, have : int
        Strikes.
    """

    def __init__(self, source: str, *, need: int, have: int) -> None:
        self.need = need
        self.have = have
        super().__init__(
            source,
            f"{source} has {have} strikes, a chain has at least {need}.",
            remedy="Give all strikes of one expiry.",
        )


class StrikeError(ChainError):
    """A strike is no price above 0, occurs twice, or is lower than the one before it.

    Attributes
    ----------
    strikes : tuple of float
        The offending strikes, in the order of `rows`.
    """

    def __init__(
        self, source: str, what: str, *, rows: Sequence[int], strikes: Sequence[float], remedy: str
    ) -> None:
        self.strikes = tuple(strikes)
        named = [f"row {row} ({strike:g})" for row, strike in zip(rows, strikes, strict=True)]
        super().__init__(
            source,
            f"{source}: strikes {what}: {_and_more(named, len(named))}.",
            remedy=remedy,
            rows=rows,
        )


class OpenInterestError(ChainError):
    """Open interest is negative or infinite somewhere, or nil everywhere.

    Attributes
    ----------
    strikes : tuple of float
        Where; empty if it is nil everywhere.
    """

    def __init__(
        self, source: str, what: str, *, rows: Sequence[int] = (), strikes: Sequence[float] = ()
    ) -> None:
        self.strikes = tuple(strikes)
        named = [f"strike {strike:g}" for strike in strikes]
        where = f": {_and_more(named, len(named))}" if named else ""
        super().__init__(
            source,
            f"{source}: {what}{where}.",
            remedy="Give the number of open contracts, or of open lots throughout, of calls and"
            " of puts; blank counts as 0.",
            rows=rows,
        )


class ForeignChainError(ChainError):
    """Spot lies outside of the strikes: the chain is of another index, or old.

    Attributes
    ----------
    spot, lower, upper : float
        Spot, and the lowest and the highest strike.
    """

    def __init__(self, source: str, *, spot: float, lower: float, upper: float) -> None:
        self.spot = spot
        self.lower = lower
        self.upper = upper
        super().__init__(
            source,
            f"{source} is not of this index, or old: its strikes are {lower:g} to {upper:g}, spot"
            f" is {spot:g}.",
            remedy="Give today's chain of the same index, all strikes of one expiry.",
        )


class InsufficientHistoryError(BarsError):
    """There are fewer bars than the look-back needs.

    Attributes
    ----------
    need, have : int
        Bars needed and bars given.
    """

    def __init__(self, *, need: int, have: int) -> None:
        self.need = need
        self.have = have
        super().__init__(
            f"Need {need} bars, got {have}.",
            remedy=f"Extend the history by {need - have} trading days.",
        )


class HitRateUnavailableError(BarsError):
    """Too few completed windows have a forecast that did not see them.

    Attributes
    ----------
    have, need : int
        Windows.
    """

    def __init__(self, *, have: int, need: int) -> None:
        self.have = have
        self.need = need
        super().__init__(
            f"The hit rate cannot be measured: {have} completed windows have a forecast that did"
            f" not see them, {need} are needed.",
            remedy="Give a longer history; days early in the training span have no such forecast.",
        )


class SpikeRateUnavailableError(BarsError):
    """There are too few past days with a forecast that had seen nothing later.

    Attributes
    ----------
    have, need : int
        Days.
    """

    def __init__(self, *, have: int, need: int) -> None:
        self.have = have
        self.need = need
        super().__init__(
            f"The spike rate needs {need} past days that no fit had seen, there are {have}.",
            remedy="Take a longer history, or a later last day.",
        )


class SourceError(AegisError):
    """Base of all that can go wrong while bars are fetched.

    Attributes
    ----------
    source : str
        What was asked, such as ``Yahoo ^NSEI 1d``.
    """

    def __init__(self, source: str, problem: str, *, remedy: str) -> None:
        self.source = source
        super().__init__(problem, remedy=remedy)


class TransientSourceError(SourceError):
    """A fetch failed for a reason that may pass; it was tried again until patience ended.

    Attributes
    ----------
    attempts : int
        How often it was tried.
    """

    attempts: int = 1


class RateLimitedError(TransientSourceError):
    """The provider refuses further requests for now (HTTP 429)."""

    def __init__(self, source: str) -> None:
        super().__init__(
            source,
            f"{source}: the provider limits requests (HTTP 429).",
            remedy="Wait some minutes and ask less often; one address is one client.",
        )


class ServerFailedError(TransientSourceError):
    """The provider's server failed (HTTP 5xx, or a notice that it is down).

    Attributes
    ----------
    status : int or None
        The HTTP status, if there was one.
    """

    def __init__(self, source: str, *, status: int | None) -> None:
        self.status = status
        how = "says that it is down" if status is None else f"failed (HTTP {status})"
        super().__init__(
            source, f"{source}: the provider's server {how}.", remedy="Try again later."
        )


class UnreachableError(TransientSourceError):
    """The provider was not reached, or did not answer in time.

    Attributes
    ----------
    reason : str
        What the network said.
    """

    def __init__(self, source: str, *, reason: str) -> None:
        self.reason = reason
        super().__init__(
            source,
            f"{source}: the provider could not be reached ({reason}).",
            remedy="Check network, proxy and firewall, or give CSV files instead.",
        )


class ProviderCacheError(TransientSourceError):
    """The cache that yfinance keeps for itself could not be used.

    Attributes
    ----------
    reason : str
        What its database said.
    """

    def __init__(self, source: str, *, reason: str) -> None:
        self.reason = reason
        super().__init__(
            source,
            f"{source}: yfinance cannot use its own cache ({reason}).",
            remedy="Delete the folder py-yfinance in this user's cache folder, which holds only"
            " time zones and cookies, or make it writable.",
        )


class NoDataError(SourceError):
    """The provider answered and has no bars for what was asked.

    Attributes
    ----------
    reason : str
        What it said.
    """

    def __init__(self, source: str, *, reason: str) -> None:
        self.reason = reason
        super().__init__(
            source,
            f"{source}: the provider gave no bars ({reason}).",
            remedy="Check the symbol, such as ^NSEI, and that the first day asked for is past.",
        )


class NotJsonError(SourceError):
    """The provider sent a web page or other text instead of data.

    Attributes
    ----------
    status : int
        The HTTP status.
    seen : str
        How the answer begins.
    """

    def __init__(self, source: str, *, status: int, seen: str) -> None:
        self.status = status
        self.seen = seen
        super().__init__(
            source,
            f"{source}: the provider sent no JSON (HTTP {status}) but {seen!r}.",
            remedy="A proxy, a login page or a block of this address answers in its place: open"
            " finance.yahoo.com from this machine to see which.",
        )


class SchemaDriftError(SourceError):
    """The provider's answer has not the form that is known.

    Attributes
    ----------
    detail : str
        What was missing or odd.
    """

    def __init__(self, source: str, *, detail: str) -> None:
        self.detail = detail
        super().__init__(
            source,
            f"{source}: the answer has not the form that is known ({detail}).",
            remedy="Update yfinance (pip install --upgrade yfinance); until then give CSV files.",
        )


class EndsEarlyError(SourceError):
    """The provider's history ends long before today.

    Attributes
    ----------
    last, today : str
        Its last day and the day of the request, ISO 8601.
    """

    def __init__(self, source: str, *, last: str, today: str) -> None:
        self.last = last
        self.today = today
        super().__init__(
            source,
            f"{source}: the history ends on {last}, today is {today}.",
            remedy="The answer was cut short or the symbol is no longer quoted: try again, or check"
            " the symbol and the clock of this machine.",
        )


class CacheError(AegisError):
    """Base of all that can be wrong with a file of the local cache.

    Attributes
    ----------
    path : str
        The file or folder.
    """

    def __init__(self, path: str, problem: str, *, remedy: str) -> None:
        self.path = path
        super().__init__(problem, remedy=remedy)


class CacheUnusableError(CacheError):
    """The cache cannot be read or written.

    Attributes
    ----------
    reason : str
        What the system said.
    """

    def __init__(self, path: str, *, reason: str) -> None:
        self.reason = reason
        super().__init__(
            path,
            f"The cache {path} cannot be used: {reason}.",
            remedy="Choose a writable folder with free space (cache_dir=..., AEGISMATRIX_CACHE).",
        )


class CacheBusyError(CacheError):
    """Another process holds the cache for longer than a refresh can take.

    Attributes
    ----------
    seconds : float
        How long was waited.
    """

    def __init__(self, path: str, *, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(
            path,
            f"The cache {path} was still locked by another process after {seconds:g} s.",
            remedy="Wait for that process or end it; nothing was changed.",
        )


class CacheDamagedError(CacheError):
    """A file of the cache is damaged.

    Attributes
    ----------
    reason : str
        What its check found.
    """

    def __init__(self, path: str, *, reason: str) -> None:
        self.reason = reason
        super().__init__(
            path,
            f"The cache {path} is damaged: {reason}.",
            remedy="Delete this file; the next run fetches everything again.",
        )


class ForeignCacheError(CacheError):
    """A file in the cache's place is not of this cache.

    Attributes
    ----------
    reason : str
        What it is instead.
    """

    def __init__(self, path: str, *, reason: str) -> None:
        self.reason = reason
        super().__init__(
            path,
            f"{path} is not a cache that this package reads: {reason}.",
            remedy="Move it away, or choose another folder (cache_dir=..., AEGISMATRIX_CACHE).",
        )


class BarsBehindError(BarsError):
    """The exchange has closed sessions that the bars do not hold.

    Attributes
    ----------
    last, completed : str
        Day of the last bar, and of the last session that has closed, ISO 8601.
    sessions : int
        How many are missing.
    """

    def __init__(self, *, last: str, completed: str, sessions: int) -> None:
        self.last = last
        self.completed = completed
        self.sessions = sessions
        super().__init__(
            f"The last bar is of {last}, and sessions have closed since: {sessions}, the last on"
            f" {completed}.",
            remedy="Look why the source stands still, or permit the age (--allow-stale 3d).",
        )


class MarketClosedError(AegisError):
    """The exchange is closed, and a run was asked for while it is open only.

    Attributes
    ----------
    moment, next_session : str
        When it was asked for, and the day on which the exchange opens next, ISO 8601.
    """

    def __init__(self, *, moment: str, next_session: str) -> None:
        self.moment = moment
        self.next_session = next_session
        super().__init__(
            f"The exchange is closed at {moment}; its next session is on {next_session}.",
            remedy="Run again then (--every does), or leave --only-open out.",
        )


class ContractError(AegisError, ValueError):
    """An array given to a model, or made by it, breaks the sealed contract.

    Attributes
    ----------
    model, array : str
        The model and the array's name.
    """

    def __init__(self, model: str, array: str, what: str, *, remedy: str) -> None:
        self.model = model
        self.array = array
        super().__init__(f"{model}: {array} {what}.", remedy=remedy)


class NonFiniteOutputError(ContractError):
    """A model gave NaN or infinity."""

    def __init__(self, model: str, array: str) -> None:
        super().__init__(
            model,
            array,
            "came out NaN or infinite",
            remedy="Nothing was published; report the bars that led here as a bug.",
        )


class ModelFailedError(AegisError):
    """onnxruntime gave up while it ran a model.

    Attributes
    ----------
    model : str
        The model.
    reason : str
        onnxruntime's words.
    """

    def __init__(self, model: str, reason: str) -> None:
        self.model = model
        self.reason = reason
        super().__init__(
            f"{model} did not run: {reason}.",
            remedy="Run `aegismatrix verify`, and use a supported onnxruntime (>= 1.19).",
        )


class NotTransferableError(AegisError, TypeError):
    """An object that holds an open session was to be copied or sent to another process.

    Attributes
    ----------
    kind : str
        Its class.
    """

    def __init__(self, kind: str, instead: str) -> None:
        self.kind = kind
        super().__init__(
            f"This {kind} holds an open session, which cannot be copied or sent to another"
            " process.",
            remedy=f"Call {instead} in each process; threads and forked processes can share one.",
        )


class ArtifactError(AegisError):
    """Base of all that can be wrong with model artifacts.

    Attributes
    ----------
    path : str
        The file or folder.
    """

    def __init__(self, problem: str, *, remedy: str, path: str) -> None:
        self.path = path
        super().__init__(problem, remedy=remedy)


_REINSTALL = "Restore the folder as it was released (pip install --force-reinstall aegismatrix)."


class ArtifactsNotFoundError(ArtifactError):
    """No folder of artifacts, or no manifest in it."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"There is no manifest.json in {path}.",
            remedy="Give a folder that scripts/export.py wrote, or scripts/rescue.py from one of"
            " pickles, or reinstall the package.",
            path=path,
        )


class ManifestError(ArtifactError):
    """The manifest is not the one that was sealed, or not a manifest at all."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(
            f"{path} is not a sealed manifest: {reason}.", remedy=_REINSTALL, path=path
        )


class ManifestVersionError(ArtifactError):
    """The manifest is of a version that this package does not read.

    Attributes
    ----------
    version, supported : int
        The version found and the one that this package reads.
    """

    def __init__(self, path: str, *, version: object, supported: int) -> None:
        self.version = version
        self.supported = supported
        # Whoever wrote it may have nested it deeper than it can be shown.
        is_plain = version is None or isinstance(version, int | float | str)
        shown = repr(version)[:_SHOWN_LETTERS] if is_plain else f"a {type(version).__name__}"
        super().__init__(
            f"{path} has manifest version {shown}; this package reads {supported}.",
            remedy="Use the package release that belongs to these artifacts.",
            path=path,
        )


class MissingArtifactError(ArtifactError):
    """The manifest names a file that is not there or cannot be opened."""

    def __init__(self, path: str, reason: str = "it is not there") -> None:
        super().__init__(f"{path} cannot be opened: {reason}.", remedy=_REINSTALL, path=path)


class ArtifactSizeError(ArtifactError):
    """A file is shorter or longer than sealed: truncated, or something else.

    Attributes
    ----------
    expected, actual : int
        Bytes sealed and bytes found (found stops one byte past sealed).
    """

    def __init__(self, path: str, *, expected: int, actual: int) -> None:
        self.expected = expected
        self.actual = actual
        kind = "truncated" if actual < expected else "too long"
        more = f"{actual}" if actual < expected else f"more than {expected}"
        super().__init__(
            f"{path} is {kind}: sealed with {expected} bytes, found {more}.",
            remedy=_REINSTALL,
            path=path,
        )


class ArtifactHashError(ArtifactError):
    """A file's bytes are not the sealed ones.

    Attributes
    ----------
    expected, actual : str
        sha256, hexadecimal.
    """

    def __init__(self, path: str, *, expected: str, actual: str) -> None:
        self.expected = expected
        self.actual = actual
        super().__init__(
            f"{path} is altered: sealed with sha256 {expected[:12]}, found {actual[:12]}.",
            remedy=_REINSTALL,
            path=path,
        )


class SwappedArtifactError(ArtifactHashError):
    """A file holds another sealed artifact's bytes.

    Attributes
    ----------
    holds : str
        Name of the artifact whose bytes these are.
    """

    def __init__(self, path: str, *, expected: str, actual: str, holds: str) -> None:
        super().__init__(path, expected=expected, actual=actual)
        self.holds = holds
        self.problem = f"{path} is swapped: it holds the artifact {holds!r}."
        self.args = (f"{self.problem} {self.remedy}",)


class ForeignArtifactError(ArtifactError):
    """A file is there that the manifest does not know."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"{path} is foreign: the manifest does not name it.",
            remedy="Remove it; artifacts are added by scripts/export.py alone.",
            path=path,
        )


class UnknownModelError(ArtifactError, KeyError):
    """A model was asked for that the manifest does not name.

    Attributes
    ----------
    name : str
        What was asked for.
    known : tuple of str
        What there is.
    """

    def __init__(
        self, name: str, *, known: Sequence[str], path: str, remedy: str | None = None
    ) -> None:
        self.name = name
        self.known = tuple(known)
        super().__init__(
            f"There is no model {name!r} in {path}.",
            remedy=remedy or f"Choose one of {list(known)}.",
            path=path,
        )

    def __str__(self) -> str:
        return str(self.args[0])


class ArtifactRejectedError(ArtifactError):
    """The bytes are the sealed ones, yet onnxruntime or the contract refuses them."""

    def __init__(
        self,
        path: str,
        reason: str,
        *,
        remedy: str = "Use a supported onnxruntime (>= 1.19) and artifacts made by"
        " scripts/export.py.",
    ) -> None:
        super().__init__(f"{path} was refused: {reason}.", remedy=remedy, path=path)


class ForbiddenContentError(ArtifactRejectedError):
    """An artifact holds what none may hold, whoever sealed it.

    Attributes
    ----------
    found : str
        The operator or other part.
    """

    def __init__(self, path: str, found: str) -> None:
        self.found = found
        super().__init__(
            path,
            f"it holds what no artifact may hold, {found}",
            remedy="Do not run it; use artifacts made by scripts/export.py.",
        )


class GoldenValuesError(ArtifactError):
    """The golden values are the sealed ones, yet cannot be read or belong to other artifacts."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(
            f"{path} does not hold these artifacts' golden values: {reason}.",
            remedy="Use the package release and the artifacts that belong together.",
            path=path,
        )


class GoldenMismatchError(AegisError):
    """An artifact gives other numbers here than where it was sealed.

    Attributes
    ----------
    artifact, output : str
        Which output of which artifact.
    difference, tolerance : float
        The largest difference found, infinite where a shape differs, and the one allowed.
    """

    def __init__(self, artifact: str, output: str, *, difference: float, tolerance: float) -> None:
        self.artifact = artifact
        self.output = output
        self.difference = difference
        self.tolerance = tolerance
        super().__init__(
            f"{artifact}: {output} differs from its golden values by {difference:.3g}, allowed is"
            f" {tolerance:.3g}.",
            remedy="The artifact is the sealed one: this environment computes other numbers."
            " Install versions of numpy and onnxruntime that are known to agree, or report these.",
        )


class SignatureError(ArtifactError):
    """Base of all that can be wrong with the signature of a manifest."""


_DO_NOT_TRUST = (
    "Do not trust this folder; take the package from its source again"
    " (pip install --force-reinstall aegismatrix) and ask its maintainers."
)


class MissingSignatureError(SignatureError):
    """There is no signature beside the manifest, or it cannot be read."""

    def __init__(self, path: str, reason: str = "it is not there") -> None:
        super().__init__(
            f"{path} cannot be read: {reason}.",
            remedy="Take artifacts that were released with a signature, or sign them yourself with"
            " scripts/sign.py and verify them with your own public key (--key).",
            path=path,
        )


class MalformedSignatureError(SignatureError):
    """The file beside the manifest is no signature in the one form that is accepted."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path} is not a signature: {reason}.", remedy=_DO_NOT_TRUST, path=path)


class UnknownKeyError(SignatureError):
    """The signature was made with a key that is not trusted here.

    Attributes
    ----------
    key_id : str
        The key that it names.
    known : tuple of str
        The keys that are trusted.
    """

    def __init__(self, path: str, *, key_id: str, known: Sequence[str]) -> None:
        self.key_id = key_id
        self.known = tuple(known)
        super().__init__(
            f"{path} was made with the key {key_id}; trusted here: {', '.join(known)}.",
            remedy="If the key is newer than this package, upgrade it; else do not trust the"
            " folder.",
            path=path,
        )


class RevokedKeyError(SignatureError):
    """The signature was made with a key that was revoked, whatever day it says.

    Attributes
    ----------
    key_id, reason : str
        The key, and why it was revoked.
    """

    def __init__(self, path: str, *, key_id: str, reason: str) -> None:
        self.key_id = key_id
        self.reason = reason
        super().__init__(
            f"{path} was made with the key {key_id}, which was revoked: {reason.rstrip('.')}.",
            remedy="Use a release that was signed with another key.",
            path=path,
        )


class KeyPeriodError(SignatureError):
    """The signature was made, or is looked at, outside of the time for which its key is trusted.

    Attributes
    ----------
    key_id : str
        The key.
    valid_from, valid_until, signed_at, now : str
        ISO 8601, UTC.
    """

    def __init__(
        self, path: str, *, key_id: str, valid_from: str, valid_until: str, signed_at: str, now: str
    ) -> None:
        self.key_id = key_id
        self.valid_from = valid_from
        self.valid_until = valid_until
        self.signed_at = signed_at
        self.now = now
        super().__init__(
            f"{path} says {signed_at} and it is {now}; its key {key_id} is trusted from"
            f" {valid_from} until {valid_until}.",
            remedy="Use a release that was signed with a current key, and check this machine's"
            " clock.",
            path=path,
        )


class FutureSignatureError(SignatureError):
    """The signature says that it was made at a time that has not come.

    Attributes
    ----------
    signed_at, now : str
        ISO 8601, UTC.
    """

    def __init__(self, path: str, *, signed_at: str, now: str) -> None:
        self.signed_at = signed_at
        self.now = now
        super().__init__(
            f"{path} says that it was made at {signed_at}, and it is {now}.",
            remedy="Set this machine's clock right; if it is right, do not trust the folder.",
            path=path,
        )


class ForeignSignatureError(SignatureError):
    """The signature is that of another manifest.

    Attributes
    ----------
    signed, actual : str
        sha256 of the manifest that was signed and of the one that is there, hexadecimal.
    """

    def __init__(self, path: str, *, signed: str, actual: str) -> None:
        self.signed = signed
        self.actual = actual
        super().__init__(
            f"{path} belongs to another manifest: it signs sha256 {signed[:12]}, here is"
            f" {actual[:12]}.",
            remedy=_DO_NOT_TRUST,
            path=path,
        )


class WrongSignatureError(SignatureError):
    """The signature was not made by the key that it names over what it says.

    Attributes
    ----------
    key_id : str
        The key.
    """

    def __init__(self, path: str, *, key_id: str) -> None:
        self.key_id = key_id
        super().__init__(
            f"{path} was not made by the key {key_id} over this manifest.",
            remedy=_DO_NOT_TRUST,
            path=path,
        )


class TrustError(AegisError):
    """Base of all that can be wrong with the keys to verify a signature with."""


class NoReleaseKeyError(TrustError):
    """The package knows no release key, so that it cannot say whose a signature is."""

    def __init__(self) -> None:
        super().__init__(
            "This release of aegismatrix carries no release key, so no signature can be verified"
            " with what it knows.",
            remedy="Name a public key that you trust with --key FILE (verify_signature(key=...)).",
        )


class ReleaseKeysError(TrustError):
    """The list of release keys is malformed.

    Attributes
    ----------
    path : str
        The file.
    """

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        super().__init__(
            f"{path} is no list of release keys: {reason}.",
            remedy="Reinstall the package, or write entries as scripts/sign.py prints them.",
        )


class PublicKeyError(TrustError):
    """A file is no Ed25519 public key.

    Attributes
    ----------
    path : str
        The file.
    """

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        super().__init__(
            f"{path} is no Ed25519 public key: {reason}.",
            remedy="Give a PEM file such as scripts/sign.py public --key prints.",
        )


class CalendarError(AegisError, ValueError):
    """Base of all that can be wrong with a question to the exchange's calendar."""


class CalendarDayError(CalendarError):
    """What was given is not a day.

    Attributes
    ----------
    given : str
        What was given, as Python writes it.
    """

    def __init__(self, given: object) -> None:
        self.given = repr(given)
        super().__init__(
            f"{self.given} is not a day.",
            remedy="Give the exchange's date, or ISO 8601 (2026-11-23); session_at reads moments.",
        )


class CalendarOrderError(CalendarError):
    """The later of two days is the earlier one.

    Attributes
    ----------
    first, last : str
        The days as they were given, ISO 8601.
    """

    def __init__(self, *, first: str, last: str) -> None:
        self.first = first
        self.last = last
        super().__init__(f"{last} is before {first}.", remedy="Give the earlier day first.")


class CalendarRangeError(CalendarError):
    """The answer lies beyond what the exchange had declared when the package was made.

    Attributes
    ----------
    day : str
        The day that was asked about, ISO 8601.
    first, last : str
        What is known, both included, ISO 8601.
    """

    def __init__(
        self,
        what: str,
        *,
        day: str,
        first: str,
        last: str,
        remedy: str = "Update the package, or give the horizon in trading days instead of dates.",
    ) -> None:
        self.day = day
        self.first = first
        self.last = last
        super().__init__(
            f"{day} asks for more than is known: {what}, {first} to {last}.", remedy=remedy
        )


class NaiveMomentError(CalendarError):
    """A moment has no UTC offset, so it could be any of some twenty-five.

    Attributes
    ----------
    moment : str
        The moment, ISO 8601.
    """

    def __init__(self, moment: str) -> None:
        self.moment = moment
        super().__init__(
            f"{moment} carries no UTC offset.",
            remedy="Give an aware datetime, such as datetime.now(timezone.utc).",
        )


class JournalError(AegisError):
    """Base of all that can be wrong with a forecast log.

    Attributes
    ----------
    path : str
        The file.
    """

    def __init__(self, path: str, problem: str, *, remedy: str) -> None:
        self.path = path
        super().__init__(problem, remedy=remedy)


class JournalMissingError(JournalError):
    """There is no forecast log to score."""

    def __init__(self, path: str) -> None:
        super().__init__(
            path,
            f"There is no forecast log {path}.",
            remedy="Give the one that `aegismatrix run` keeps beside its report, or run that.",
        )


class JournalUnusableError(JournalError):
    """The forecast log cannot be read or written.

    Attributes
    ----------
    reason : str
        What the system said.
    """

    def __init__(self, path: str, *, reason: str) -> None:
        self.reason = reason
        super().__init__(
            path,
            f"The forecast log {path} cannot be used: {reason}.",
            remedy="Choose a file in a writable folder with free space; what was logged is kept.",
        )


class JournalBusyError(JournalError):
    """Another process holds the forecast log for longer than an entry can take.

    Attributes
    ----------
    seconds : float
        How long was waited.
    """

    def __init__(self, path: str, *, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(
            path,
            f"The forecast log {path} was still locked by another process after {seconds:g} s.",
            remedy="Wait for that process or end it, then run again; nothing was logged.",
        )


class JournalDamagedError(JournalError):
    """The forecast log is damaged.

    Attributes
    ----------
    reason : str
        What its check found.
    """

    def __init__(self, path: str, *, reason: str) -> None:
        self.reason = reason
        super().__init__(
            path,
            f"The forecast log {path} is damaged: {reason}.",
            remedy="Restore it from a backup, or move it away and start a new one.",
        )


class ForeignJournalError(JournalError):
    """The file is not a forecast log, or one of another version.

    Attributes
    ----------
    reason : str
        What it is instead.
    """

    def __init__(self, path: str, *, reason: str) -> None:
        self.reason = reason
        super().__init__(
            path,
            f"{path} is not a forecast log of this package: {reason}.",
            remedy="Give another file name; this file was left alone.",
        )
