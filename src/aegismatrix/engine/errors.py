"""What can go wrong when models run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY
from typing import ClassVar

from aegismatrix.errors import AegisError, BarsError, Cases, ContractError, list_some
from aegismatrix.market.errors import REPORT_BARS
from aegismatrix.records import dataclass


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
class OutOfSampleBarsError(BarsError):
    """These bars have no out-of-sample history: `kind` says why, `dates` on which days."""

    cases: ClassVar[Cases] = {
        "other_bars": (
            "These are other bars than those that were forecast ({market}, {first} to {last}): a"
            " bar differs, is missing or is one too many on: {where}.",
            "Give the bars of the training, to the last digit; of any other bars the models have"
            " no out-of-sample history, so train on them (aegismatrix train).",
        ),
        "no_days": (
            "None of these bars was forecast out of sample: that begins on {first} ({market}) and,"
            " after {last}, goes on once the training has ended.",
            "Give bars that reach further; Engine.history(bars) alone gives every day.",
        ),
    }
    kind: str
    _: KW_ONLY
    market: str
    first: str
    last: str
    rows: Sequence[int] = ()
    dates: Sequence[str] = ()


@dataclass(eq=False, repr=False)
class StrikeError(AegisError, ValueError):
    """Nothing can be said of such strikes, days or premiums: `kind` says why, `what` was given."""

    cases: ClassVar[Cases] = {
        "not_strikes": (
            "What was given as {argument} is {what}.",
            "Give one strike, or a row of 1 to {most} of them, in index points above 0.",
        ),
        "unpaired": (
            "The strikes do not pair: {what}.",
            "Give as many lower as upper strikes, or one of either.",
        ),
        "crossed": (
            "The {argument} strike is {what}, and the last close is {spot:g}.",
            "Give a lower strike below the last close and an upper one above it.",
        ),
        "at_spot": (
            "The strike {what} is the last close and lies on neither side of it.",
            "Give a strike above or below it.",
        ),
        "out_of_reach": (
            "The strike {what} is too far from the last close, {spot:g}, or too near to it.",
            "Give strikes of the same index, in its points.",
        ),
        "passed": (
            "The expiry {what} is not after the last bar, {as_of}.",
            "Give a later session, or bars that end before it.",
        ),
        "too_far": (
            "The expiry {what} is {days} trading days after {as_of}.",
            "Give a session 1 to {most} trading days ahead.",
        ),
        "no_session": (
            "The exchange has no session on {what}.",
            "Contracts of a closed day expire on the session before it: give that.",
        ),
        "no_calendar": (
            "The expiry is {what}, and the sessions of the market {market} are not known.",
            "Give a market with a calendar, or horizon_days instead.",
        ),
        "when": (
            "An expiry and horizon_days were both given, or neither.",
            "Give one of the two.",
        ),
        "twice": (
            "The same expiry or horizon, {what}, is given more than once.",
            "Give different ones.",
        ),
        "premium": (
            "The premium is {what}.",
            "Give what was received in all, in index points above 0.",
        ),
        "riskless": (
            "The premium is {what} and the widest wing {width:g} points: it cannot lose.",
            "Give the premium received less the premium paid, per unit of the index.",
        ),
        "legs": (
            "The legs are {what}.",
            "Give them in order: the long put below the put, the put below the call, and the call"
            " below the long call, with both long ones or neither.",
        ),
    }
    kind: str
    _: KW_ONLY
    argument: str = ""
    what: str = ""
    spot: float = 0.0
    as_of: str = ""
    days: int = 0
    most: int = 0
    width: float = 0.0
    market: str = ""


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
class OnnxruntimeError(AegisError, ImportError):
    """There is no onnxruntime to run models with; `reason` says what is there instead.

    `installed` names the distributions of it that are installed, with their versions.
    """

    cases: ClassVar[Cases] = {
        "missing": (
            "onnxruntime, which runs the models, is not installed; {named}.",
            "Install it with: pip install 'onnxruntime>=1.19'.",
        ),
        "emptied": (
            "{place} holds no onnxruntime but what another one left behind; {named}.",
            "Remove every onnxruntime package, then install one again with: pip install"
            " --force-reinstall 'onnxruntime>=1.19'.",
        ),
        "replaced": (
            "{place} is imported as onnxruntime and lacks {reason}; {named}.",
            "Rename or remove it if it is your own; otherwise install onnxruntime >= 1.19 again.",
        ),
        "broken": (
            "onnxruntime cannot be imported: {reason}; {named}.",
            "Install one that fits this Python and processor with: pip install --force-reinstall"
            " 'onnxruntime>=1.19'.",
        ),
    }

    kind: str
    _: KW_ONLY
    place: str = ""
    reason: str = ""
    installed: Sequence[str] = ()

    @property
    def named(self) -> str:
        """Which distributions there are, in words."""
        if not self.installed:
            return "no package of it is installed"
        return f"installed is {list_some(self.installed)}"


@dataclass(eq=False, repr=False)
class NotTransferableError(AegisError, TypeError):
    """A `holder` of an open session was to be copied or sent to another process."""

    problem = (
        "This {holder} holds an open session, which cannot be copied or sent to another process."
    )
    remedy = "Call {instead} in each process; threads and forked processes can share one."
    holder: str
    instead: str
