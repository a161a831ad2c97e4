"""What the values of a manifest's entries may be: each function takes a JSON value or refuses it.

Whoever can replace a manifest can give it a right digest. What it says is printed, used as a file
name, compared with days and multiplied, so every value is held to its type before it is believed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import date
from typing import Any

DEMONSTRATED, INDICATED, NONE_DEMONSTRATED = "demonstrated", "indicated", "none demonstrated"
"""The verdicts of a judgement: how far the walk-forward showed skill."""

_VERDICTS = frozenset([DEMONSTRATED, INDICATED, NONE_DEMONSTRATED])
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
# Windows opens a device by these names, whatever stands behind the first dot.
_DEVICES = frozenset(
    ["con", "prn", "aux", "nul"]
    + [f"{port}{number}" for port in ("com", "lpt") for number in range(10)]
)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DAY_LETTERS = 10
_LARGEST = 1 << 53


def text(value: object) -> str:
    """Return a value that is one line of printable ASCII: nothing that would steer a terminal."""
    if not isinstance(value, str):
        raise TypeError(f"a {type(value).__name__} stands where text should")
    if not (value.isascii() and value.isprintable()):
        raise ValueError(f"{value[:40]!a} is not printable ASCII")
    return value


def expect_int(value: object, *, least: int = 0) -> int:
    """Return a value that is a whole number, at least `least`."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"a {type(value).__name__} stands where a whole number should")
    if not least <= value <= _LARGEST:
        raise ValueError(f"a number is not within {least} and {_LARGEST}")
    return value


def number(value: object) -> float:
    """Return a value that is a finite number."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(f"a {type(value).__name__} stands where a number should")
    if not math.isfinite(value):
        raise ValueError("a number is not finite")
    return float(value)


def day(value: object) -> str:
    """Return a value that is a day in ISO 8601, ``YYYY-MM-DD``."""
    written = text(value)
    # Python 3.11 and later read more forms than numpy does.
    if len(written) != _DAY_LETTERS or date.fromisoformat(written).isoformat() != written:
        raise ValueError(f"{written[:40]!a} is not a day")
    return written


def plain_file_name(value: object) -> str:
    """Return a value that names a file in the folder itself on every system: no path, no device."""
    name = text(value)
    stem = name.partition(".")[0].lower()
    if not _FILE.fullmatch(name) or name.endswith(".") or stem in _DEVICES:
        raise ValueError(f"{name[:40]!a} is not a plain file name")
    return name


def sha256(value: object) -> str:
    """Return a value that is a sha256 in lower-case hexadecimal."""
    written = text(value)
    if not _SHA256.fullmatch(written):
        raise ValueError(f"{written[:40]!a} is not a sha256")
    return written


def judgement(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a value that is a judgement: who judged what, against what, and the verdict."""
    for key in ("output", "market", "score", "strongest"):
        text(value[key])
    if text(value["verdict"]) not in _VERDICTS:
        raise ValueError(f"{value['verdict'][:40]!a} is no verdict")
    # Artifacts that were sealed before verdicts were corrected have neither.
    for key in ("p_value", "corrected_p"):
        if not 0.0 <= number(value.get(key, 0.0)) <= 1.0:
            raise ValueError(f"a {key} is not within 0 and 1")
    expect_int(value.get("windows", 0))
    for baseline, skill in value["skills"].items():
        text(baseline)
        for key in ("skill", "lower", "upper"):
            number(skill[key])
    if value["strongest"] not in value["skills"]:
        raise ValueError("a judgement names a baseline that it was not held against")
    return value
