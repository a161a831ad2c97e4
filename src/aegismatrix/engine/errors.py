"""What can go wrong when models run."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from aegismatrix.errors import AegisError, BarsError, ContractError
from aegismatrix.market.errors import REPORT_BARS


@dataclass(eq=False, repr=False, kw_only=True)
class InsufficientHistoryError(BarsError):
    """There are fewer bars than the look-back needs."""

    problem = "Need {need} bars, got {have}."
    remedy = (
        "Extend the history by {missing} trading days; {enough} bars are enough for any report."
    )
    need: int
    have: int

    @property
    def missing(self) -> int:
        """How many bars more it takes."""
        return self.need - self.have

    @property
    def enough(self) -> int:
        """How many bars are enough for a report of any horizon."""
        return max(REPORT_BARS, self.need)


@dataclass(eq=False, repr=False)
class NonFiniteOutputError(ContractError):
    """A model gave NaN or infinity."""

    what: str = "came out NaN or infinite"
    _: KW_ONLY
    remedy: str = "Nothing was published; report the bars that led here as a bug."


@dataclass(eq=False, repr=False)
class ModelFailedError(AegisError):
    """onnxruntime gave up while it ran a model; `reason` is its words."""

    problem = "{model} did not run: {reason}."
    remedy = "Run `aegismatrix verify`, and use a supported onnxruntime (>= 1.19)."
    model: str
    reason: str


@dataclass(eq=False, repr=False)
class NotTransferableError(AegisError, TypeError):
    """A `holder` of an open session was to be copied or sent to another process."""

    problem = (
        "This {holder} holds an open session, which cannot be copied or sent to another process."
    )
    remedy = "Call {instead} in each process; threads and forked processes can share one."
    holder: str
    instead: str
