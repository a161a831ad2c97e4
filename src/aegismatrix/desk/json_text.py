"""A report as text: the one form that is published, logged and named by its sha256."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any


def as_json(plain: Mapping[str, Any]) -> str:
    """Return a report's plain values as strict JSON.

    Parameters
    ----------
    plain : mapping
        As `Report.to_dict` gives it, or as read from this very text.

    Returns
    -------
    str
        No NaN, no infinity; one trailing line end.

    Raises
    ------
    ValueError
        If a number is not finite.
    """
    return json.dumps(plain, indent=2, allow_nan=False) + "\n"


def stamp_of(moment: datetime) -> str:
    """Return an aware moment as reports and logs write it: UTC, whole seconds, ``Z``.

    Parameters
    ----------
    moment : datetime
        In any time zone.

    Returns
    -------
    str
        Such as ``2026-01-31T09:15:00Z``.
    """
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def sha256_of(text: str) -> str:
    """Return the sha256 of a text as it is stored, in UTF-8.

    Parameters
    ----------
    text : str
        Such as a report's JSON.

    Returns
    -------
    str
        In hexadecimal digits.
    """
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
