"""A report as text: the one form that is published, logged and named by its sha256."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
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
