"""Headers of tables as people keep them: which column is which, and below which ticker.

Knows names alone: those of brokers, of the exchange's own downloads, and of the libraries that
fetch them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from aegismatrix import errors

DATE_HEADERS = (
    "date",
    "datetime",
    "timestamp",
    "time",
    "day",
    "trade date",
    "observation date",
    "historicaldate",
)
OTHER_TICKER = "of another ticker"
"""The name of a column that stands below a ticker that was not asked for."""

_HEADERS: Mapping[str, tuple[str, ...]] = {
    "open": ("open", "open price", "opening price", "open index val"),
    "high": ("high", "high price", "high index val"),
    "low": ("low", "low price", "low index val"),
    "close": ("close", "close price", "closing price", "price", "close index val"),
    "strike": ("strike", "strike price", "strikeprice"),
    "call open interest": (
        "call open interest",
        "call oi",
        "calls oi",
        "ce oi",
        "ce open interest",
        "ce openinterest",
    ),
    "put open interest": (
        "put open interest",
        "put oi",
        "puts oi",
        "pe oi",
        "pe open interest",
        "pe openinterest",
    ),
}
_IV_HEADERS = (*_HEADERS["close"], "iv", "vix", "india vix", "vixcls")
_EXPIRY_HEADERS = ("expiry", "expiry date", "expirydate", "expirydates")
_FIELDS = frozenset(
    name for column in ("open", "high", "low", "close") for name in _HEADERS[column]
) | {"adj close", "volume"}
# pandas marks a name that occurs again by a number.
_INTEREST, _CHANGE = ("oi", "oi 1"), ("chng in oi", "chng in oi 1")
_OPTION_COLUMNS = ("strike", "call open interest", "put open interest")
_OPTION_COLUMNS_REMEDY = (
    "Name the columns strike, call open interest (or CE OI) and put open interest (or PE OI), each"
    " once, in any case; the exchange's own download is read with its line CALLS,,PUTS."
)
# nselib stamps days as 14-05-2026, and names its columns as nobody else does.
_NSELIB_COLUMN, _NSELIB_DATE_FORMAT = "close index val", "%d-%m-%Y"


class Fields(NamedTuple):
    """The header of a download whose columns have two levels, as one name for each column."""

    header: list[str]
    one_of_many: bool


def normal(header: str) -> str:
    """Return a header in lower case, with one space for whatever is no letter and no digit."""
    return " ".join(re.sub(r"[^a-z0-9]+", " ", header.strip().lower()).split())


def date_place(header: Sequence[str], source: str) -> int:
    """Return which column has the dates."""
    places = [i for i, name in enumerate(header) if name in DATE_HEADERS]
    if len(places) > 1:
        raise errors.ColumnError(
            "date", source=source, found=header, reason="is there more than once"
        )
    if places:
        return places[0]
    if header and header[0] in ("", "unnamed 0"):
        return 0
    raise errors.ColumnError("date", source=source, found=header)


def date_format_of(header: Sequence[str]) -> str | None:
    """Return how dates are written below the header of a library that is known by it."""
    return _NSELIB_DATE_FORMAT if _NSELIB_COLUMN in header else None


def expiry_place(header: Sequence[str]) -> int | None:
    """Return which column of an option chain has its expiry, where exactly one has."""
    places = [i for i, name in enumerate(header) if name in _EXPIRY_HEADERS]
    return places[0] if len(places) == 1 else None


def column_places(
    header: Sequence[str], required: Sequence[str], optional: Sequence[str], source: str
) -> dict[str, int]:
    """Return which column is which; one that is required must be there, and none twice."""
    found = {}
    for column in (*required, *optional):
        places = [i for i, name in enumerate(header) if name in _names_of(column)]
        if len(places) > 1:
            raise no_column(column, source, header, "is there more than once")
        if places:
            found[column] = places[0]
        elif column in required:
            raise no_column(column, source, header, "is missing")
    return found


def no_column(column: str, source: str, header: Sequence[str], reason: str) -> errors.ColumnError:
    """Return the error of a column that is not there, or not once."""
    if column not in _OPTION_COLUMNS:
        return errors.ColumnError(column, source=source, found=header, reason=reason)
    return errors.ColumnError(
        column, source=source, found=header, reason=reason, remedy=_OPTION_COLUMNS_REMEDY
    )


def with_sides(header: Sequence[str], above: Sequence[str] = ()) -> list[str]:
    """Tell calls from puts where the exchange's download names open interest twice.

    `above` is the line above the header, which says ``CALLS,,PUTS``. Without it the change in open
    interest that stands inside of either side tells them apart.
    """
    named = list(header)
    strikes = [i for i, name in enumerate(header) if name in _HEADERS["strike"]]
    interest = [i for i, name in enumerate(header) if name in _INTEREST]
    if len(strikes) != 1 or len(interest) != 2 or not interest[0] < strikes[0] < interest[1]:
        return named
    sides = [name for name in above if name]
    left, right = interest
    if not sides and header[left + 1] in _CHANGE and header[right - 1] in _CHANGE:
        sides = ["calls", "puts"]
    if sorted(sides) == ["calls", "puts"]:
        for place, side in zip(interest, sides, strict=True):
            named[place] = f"{side} oi"
    return named


def fields_of(
    levels: Sequence[Sequence[str]], required: Sequence[str], source: str, ticker: str | None
) -> Fields:
    """Choose the columns of one ticker from a download whose columns have levels of names.

    One level says open, high, low, close, the others the ticker, in either order. A single ticker
    is taken whatever its name.
    """
    place = _level_of_fields(levels, required)
    pairs = [" ".join(names) for names in zip(*levels, strict=True)]
    if place is None:
        raise no_column(required[0], source, pairs, "is missing")
    fields = [normal(name) for name in levels[place]]
    owners = [
        " ".join(name.strip() for at, name in enumerate(names) if at != place)
        for names in zip(*levels, strict=True)
    ]
    tickers = list(dict.fromkeys(owners))
    if len(tickers) == 1:
        return Fields(fields, one_of_many=False)
    wanted = None if ticker is None else ticker.strip().upper()
    if wanted not in [name.upper() for name in tickers]:
        raise errors.ColumnError(
            required[0],
            source=source,
            found=tickers,
            reason="stands below several tickers"
            if ticker is None
            else f"does not stand below the ticker {ticker!r}",
            remedy="Say which of them is the index and which the volatility index, such as"
            " tickers=('^NSEI', '^INDIAVIX'), or give the columns of one ticker alone.",
        )
    chosen = [
        name if owner.upper() == wanted else OTHER_TICKER
        for name, owner in zip(fields, owners, strict=True)
    ]
    return Fields(chosen, one_of_many=True)


def _level_of_fields(levels: Sequence[Sequence[str]], required: Sequence[str]) -> int | None:
    """The level that says high, low, close. A ticker such as ^VIX reads as a name of iv."""
    known = [sum(normal(name) in _FIELDS for name in level) for level in levels]
    if any(known):
        return known.index(max(known))
    for place, level in enumerate(levels):
        if any(normal(name) in _names_of(column) for name in level for column in required):
            return place
    return None


def _names_of(column: str) -> tuple[str, ...]:
    return _IV_HEADERS if column == "iv" else _HEADERS[column]
