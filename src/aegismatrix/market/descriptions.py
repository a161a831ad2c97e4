"""Markets as plain values: market files, and what a record keeps of a market.

The form is that of ``docs/markets.md``. Whatever is not of it is an error that names the place.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from datetime import date, time
from pathlib import Path
from typing import Any

from aegismatrix import errors
from aegismatrix.errors import AegisError, shown
from aegismatrix.market.calendars.calendar import Calendar, read_small_file
from aegismatrix.market.sheets import path_text

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_TABLE_SUFFIX = ".csv"


def read_description(path: str | os.PathLike[str]) -> Mapping[str, Any]:
    """Read a market file, which is one JSON object that says each thing once."""
    place = path_text(path)
    try:
        content = json.loads(read_small_file(path), parse_constant=_refuse, object_pairs_hook=_once)
    except errors.MarketFileError:
        raise
    except (ValueError, RecursionError) as error:
        raise errors.MarketFileError(place, f"it is not strict JSON ({error})") from error
    if not isinstance(content, dict):
        raise errors.MarketFileError(place, "it is not a JSON object")
    return content


def market_fields(
    description: Mapping[str, Any], path: str | os.PathLike[str]
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Return what a description says as arguments of `Market` and of its `ExpiryRule`, if any.

    A calendar's table is looked for beside `path`.
    """
    place = path_text(path)
    if not isinstance(description, Mapping):
        raise errors.MarketFileError(place, f"it is {shown(description)}")
    readers: Mapping[str, Callable[[Any], Any]] = {
        "name": _text,
        "title": _text,
        "time_zone": _text,
        "opens": _clock_time,
        "closes": _clock_time,
        "calendar": lambda value: _calendar(value, place),
        "strike_step_points": _number,
        "circuit_breaker": _number,
    }
    try:
        plain = {key: value for key, value in description.items() if value is not None}
    except Exception as error:
        raise errors.MarketFileError(place, f"it is {shown(description)}") from error
    rule = plain.pop("expiries", None)
    market = _read(plain, readers, "", place)
    if "name" not in market:
        raise errors.MarketFileError(place, "it gives no name")
    if rule is None:
        return market, None
    of_rule: Mapping[str, Callable[[Any], Any]] = {
        "weekday_since": _weekday_since,
        "weekly_since": _day,
        "week_of_month": _expect_int,
    }
    given = {key: value for key, value in _object(rule, place).items() if value is not None}
    read = _read(given, of_rule, "expiries.", place)
    if "weekday_since" not in read:
        raise errors.MarketFileError(place, "its expiries give no weekday_since")
    return market, read


def plain_market(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a market as strict JSON; those that are None are left out."""
    calendar, rule = fields["calendar"], fields["expiries"]
    plain = {
        "name": fields["name"],
        "title": fields["title"],
        "time_zone": fields["time_zone"],
        "opens": fields["opens"] and fields["opens"].isoformat(),
        "closes": fields["closes"] and fields["closes"].isoformat(),
        "calendar": _plain_calendar(calendar) if isinstance(calendar, Calendar) else calendar,
        "expiries": rule
        and {
            "weekday_since": {
                since.isoformat(): WEEKDAYS[weekday] for since, weekday in rule.weekday_since
            },
            "weekly_since": rule.weekly_since and rule.weekly_since.isoformat(),
            "week_of_month": rule.week_of_month,
        },
        "strike_step_points": fields["strike_step_points"],
        "circuit_breaker": fields["circuit_breaker"],
    }
    return {key: value for key, value in plain.items() if value is not None}


def _read(
    plain: Mapping[str, Any],
    readers: Mapping[str, Callable[[Any], Any]],
    prefix: str,
    place: str,
) -> dict[str, Any]:
    unknown = sorted(map(shown, set(plain) - set(readers)))
    if unknown:
        raise errors.MarketFileError(place, f"it has the unknown key {prefix}{unknown[0]}")
    read = {}
    for key, value in plain.items():
        try:
            read[key] = readers[key](value)
        except errors.MarketFileError:
            raise
        except (TypeError, ValueError, KeyError, AttributeError, AegisError) as error:
            said = f"its {prefix}{key} is {shown(value)}"
            raise errors.MarketFileError(place, said) from error
    return read


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _number(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError
    return float(value)


def _expect_int(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError
    return value


def _clock_time(value: Any) -> time:
    return time.fromisoformat(_text(value))


def _day(value: Any) -> date:
    return date.fromisoformat(_text(value))


def _object(value: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise errors.MarketFileError(place, f"its expiries are {shown(value)}")
    return value


def _weekday_since(value: Any) -> tuple[tuple[date, int], ...]:
    given = ((_day(since), WEEKDAYS.index(_text(name).lower())) for since, name in value.items())
    return tuple(sorted(given))


def _calendar(value: Any, place: str) -> Calendar | str:
    """A table beside the file, a calendar as plain values, or the name of one of the package's."""
    if isinstance(value, dict):
        return Calendar(**value)
    text = _text(value)
    if text.lower().endswith(_TABLE_SUFFIX):
        return Calendar.from_csv(Path(place).parent / text)
    return text


def _plain_calendar(calendar: Calendar) -> dict[str, Any]:
    plain = {
        "name": calendar.name,
        "first": calendar.first.isoformat(),
        "last": calendar.last.isoformat(),
        "closed": sorted(day.isoformat() for day in calendar.closed),
        "special": sorted(day.isoformat() for day in calendar.special),
        "fixed_holidays": sorted(calendar.fixed_holidays),
    }
    if not calendar.fixed_holidays:
        del plain["fixed_holidays"]
    if calendar.provisional_from is not None:
        plain["provisional_from"] = calendar.provisional_from.isoformat()
    return plain


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("a key stands twice")
    return content


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is not JSON")
