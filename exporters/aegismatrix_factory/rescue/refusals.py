"""Why a file is refused, as the report says it."""

from __future__ import annotations

import re
import traceback
from dataclasses import dataclass
from pathlib import PurePath

from aegismatrix.errors import AegisError
from aegismatrix_factory.rescue.reading.errors import LegacyError

FAULT = "fault"
"""The code of what this package did wrong."""

_PACKAGE = "aegismatrix"


@dataclass(frozen=True)
class Refusal:
    """Why a file was refused.

    Attributes
    ----------
    code : str
        A short stable name of the kind of refusal.
    reason : str
        What is wrong, without the file's name.
    remedy : str
        What to do about it.
    """

    code: str
    reason: str
    remedy: str


def refusal_of(error: AegisError | MemoryError) -> Refusal:
    """Return what an error says.

    Parameters
    ----------
    error : AegisError or MemoryError
        That ended a conversion.

    Returns
    -------
    Refusal
    """
    if isinstance(error, MemoryError):
        return Refusal(
            "limit-memory",
            "this machine's memory does not suffice to convert it",
            "Convert it on a larger machine.",
        )
    if isinstance(error, LegacyError):
        return Refusal(error.code, error.reason, error.remedy)
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", type(error).__name__.removesuffix("Error")).lower()
    return Refusal(name, error.problem.rstrip("."), error.remedy)


def fault_of(error: Exception) -> Refusal:
    """Return what is said of an exception that no code of this package means to raise.

    Parameters
    ----------
    error : Exception
        That ended a conversion.

    Returns
    -------
    Refusal
        With its class and its place, and nothing of what it says, which may be of the file.
    """
    place = "an unknown place"
    for frame in traceback.extract_tb(error.__traceback__):
        parts = PurePath(frame.filename).parts
        inside = [at for at, part in enumerate(parts) if part.startswith(_PACKAGE)]
        if inside:
            place = f"{'/'.join(parts[inside[-1] :])}, line {frame.lineno}"
    return Refusal(
        FAULT,
        f"a fault of this package: {type(error).__name__} in {place}",
        "Report it as a bug, with this line, and with the file if you can.",
    )
