"""Why a file is refused, as the report says it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from aegismatrix.errors import AegisError
from aegismatrix_factory.rescue.reading.errors import LegacyError


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
