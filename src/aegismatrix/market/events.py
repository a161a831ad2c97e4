"""The catalogue of outputs: every probability by its column, what decides it, what it is called.

This is plain data; `aegismatrix.market.outcomes` decides the events. Heads,
monitoring, report and page take the names from here, and nobody else spells one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from types import MappingProxyType

from aegismatrix.errors import ArgumentError
from aegismatrix.market.arrays import (
    as_kind,
    as_mapping,
    as_real,
    as_rows,
    as_text,
    as_whole,
    frozen,
    printable_text,
)
from aegismatrix.records import dataclass

PROBABILITY = "probability"
"""The unit of every output of single events."""

VOLATILITY_UNIT = "per cent a year"
"""The unit of quantiles of volatility."""

TRAP_DAYS = (5, 10, 20)
"""Horizons of the volatility trap, in sessions."""

THETA_DAYS = 5
"""Horizon of the theta edge, in sessions."""

REGIME_HORIZON_DAYS = 20
"""Sessions ahead over which a volatility regime is forecast."""

REGIMES = ("low", "medium", "high")
"""Classes of the volatility regime."""

OFFSETS = (1, 2, 3, 4, 5)
"""Sessions ahead for each of which a breakout is forecast."""

SIDES = ("down", "up")
"""Sides of a spike."""

CLASSES = ("down", "neutral", "up")
"""Classes of the direction."""

LABELS = {
    1: "Tomorrow",
    3: "Next 3 Days",
    5: "This Week",
    10: "Next Week",
    20: "This Month",
    40: "Next Month",
}
"""Horizons of the direction, in sessions, and what dashboards call them."""

NEUTRAL_DEVIATIONS = 0.35
"""Returns within so many implied deviations of 0 are NEUTRAL, in the model's target too."""

REALISED_ABOVE_IMPLIED = "realised_above_implied"
VOLATILITY_REGIME = "volatility_regime"
RANGE_BREAKOUT = "range_breakout"
SPIKE_SIDE = "spike_side"
RETURN_CLASS = "return_class"
CLOSE_ABOVE = "close_above"
CLOSE_BELOW = "close_below"

MOST_DAYS = 2_520
"""The longest horizon of an event: ten years of sessions."""

_PARAMETERS = "Give finite numbers by name, such as {'fraction': 0.02}."
_JUDGED = re.compile(r"(.+?)_[a-z]?(\d+)d?")


@dataclass(frozen=True)
class Event:
    """What a probability is the probability of.

    Attributes
    ----------
    kind : str
        Which question: one of those that `aegismatrix.market.outcomes` answers, or the name of an
        entry point of the group ``aegismatrix.events``.
    horizon_days : int
        Trading days until it is decided.
    classes : tuple of int
        The answers that count as the event; most kinds answer 1 for yes and 0 for no.
    parameters : mapping of str to float
        What the question is asked with, by name.

    Examples
    --------
    >>> import aegismatrix as am
    >>> am.Event("close_above", horizon_days=5, parameters={"fraction": 0.02})
    Event(kind='close_above', horizon_days=5, classes=(1,), parameters={'fraction': 0.02})
    """

    kind: str
    horizon_days: int
    classes: tuple[int, ...] = (1,)
    parameters: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        days = as_whole(
            self.horizon_days, "horizon_days", least=1, most=MOST_DAYS, unit="trading days"
        )
        numbers = as_rows(self.classes, "classes", "Give the answers that count, such as (1,).")
        if not numbers:
            raise ArgumentError("classes", "empty", remedy="Give the answers that count.")
        given = as_mapping(self.parameters, "parameters", _PARAMETERS)
        for name, value in (
            ("kind", printable_text(self.kind, "kind")),
            ("horizon_days", days),
            ("classes", tuple(as_whole(one, "classes", least=0, most=255) for one in numbers)),
            (
                "parameters",
                {
                    as_text(key, "parameters", _PARAMETERS): as_real(one, f"{key}", _PARAMETERS)
                    for key, one in given.items()
                },
            ),
        ):
            object.__setattr__(self, name, frozen(value))


@dataclass(frozen=True)
class Output:
    """One probability of a model.

    Attributes
    ----------
    column : str
        Its name in a history, in the forecast log, and among the base rates of a manifest.
    head : str
        The model that gives it.
    judged : str
        The name under which the walk-forward judged it, alone or with the other classes of its
        question: the key of its verdict.
    wording : str
        What a reader is told that it is; outputs that differ in horizon or class share it.
    event : Event or None
        What decides it; None if nothing is known that does.
    unit : str
        Unit of the value.

    Examples
    --------
    >>> import aegismatrix as am
    >>> rally = am.Event("close_above", horizon_days=5, parameters={"fraction": 0.02})
    >>> am.Output("rally_5", "rally", "rally_5", "Two per cent up within a week", rally).unit
    'probability'
    """

    column: str
    head: str
    judged: str
    wording: str
    event: Event | None
    unit: str = PROBABILITY

    def __post_init__(self) -> None:
        for name in ("column", "head", "judged", "wording", "unit"):
            object.__setattr__(self, name, printable_text(getattr(self, name), name))
        if self.event is not None:
            as_kind(self.event, Event, "event", "Give an Event, or None where nothing decides it.")


@dataclass(frozen=True)
class Surface:
    """A model of touches and closes at any distance within any horizon; a claim's edges decide."""

    head: str
    wordings: Mapping[str, str]

    @property
    def sides(self) -> tuple[str, ...]:
        """In the order of the model's axis: ``either``, ``down``, ``up``, ``below``, ``above``."""
        return tuple(self.wordings)

    def family(self, side: str = "either") -> str:
        """Return the beginning of a side's names."""
        return self.head if side == self.sides[0] else f"{self.head}_{side}"

    def judged(self, horizon_days: int, side: str = "either") -> str:
        """Return the name under which a side is judged at a horizon."""
        return f"{self.family(side)}_h{horizon_days}"

    def column(self, horizon_days: int, basis_points: int, side: str = "either") -> str:
        """Return the name of a distance in basis points of spot: column, series and base rate."""
        return f"{self.judged(horizon_days, side)}_d{basis_points}"

    def claim(self, horizon_days: int, points: int, side: str = "either") -> str:
        """Return the name of a distance in index points, as a forecast of one day claims it."""
        return f"{self.judged(horizon_days, side)}_p{points}"


@dataclass(frozen=True)
class Spread:
    """A model of how large volatility will be: quantiles of it, and the root of its mean square."""

    head: str
    wording: str
    horizon_days: tuple[int, ...]
    levels: tuple[float, ...]

    def judged(self, horizon_days: int) -> str:
        """Return the name under which a horizon is judged."""
        return f"{self.head}_{horizon_days}d"

    def column(self, horizon_days: int, level: float | None) -> str:
        """Return the name of a quantile, or of the root of the mean square where it is None."""
        what = "mean" if level is None else f"q{round(100 * level):02}"
        return f"{self.judged(horizon_days)}_{what}"

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column, horizon by horizon: the quantiles as they rise, then the mean."""
        return tuple(
            self.column(days, level) for days in self.horizon_days for level in (*self.levels, None)
        )


def split_judged(judged: str) -> tuple[str, str | None]:
    """Split the name of a judged output, as ``trap_10`` or ``regime``, into family and days."""
    found = _JUDGED.fullmatch(judged)
    return (found[1], found[2]) if found else (judged, None)


TRAP: Mapping[int, Output] = MappingProxyType(
    {
        days: Output(
            f"trap_{days}",
            "trap",
            f"trap_{days}",
            "Volatility trap",
            Event(REALISED_ABOVE_IMPLIED, days),
        )
        for days in TRAP_DAYS
    }
)
"""P(realised volatility exceeds implied), by horizon in trading days."""

THETA = Output("theta", "theta", "theta", "Theta edge", Event(REALISED_ABOVE_IMPLIED, THETA_DAYS))
"""The trap over 5 trading days as a buyer asks for it."""

REGIME: Mapping[str, Output] = MappingProxyType(
    {
        name: Output(
            f"regime_{name}",
            "regime",
            "regime",
            "Volatility regime",
            Event(VOLATILITY_REGIME, REGIME_HORIZON_DAYS, (number,)),
        )
        for number, name in enumerate(REGIMES)
    }
)
"""P(volatility regime), by class."""

BREAKOUT: Mapping[int, Output] = MappingProxyType(
    {
        offset: Output(
            f"breakout_{offset}",
            "breakout",
            f"breakout_{offset}",
            "Breakout",
            Event(RANGE_BREAKOUT, offset),
        )
        for offset in OFFSETS
    }
)
"""P(a session leaves its usual range), by how many sessions ahead."""

SPIKE: Mapping[str, Output] = MappingProxyType(
    {
        side: Output(
            f"spike_{side}",
            "spike",
            f"spike_{side}",
            f"{side.capitalize()}-spike",
            Event(SPIKE_SIDE, 1, (number,)),
        )
        for number, side in enumerate(SIDES, start=1)
    }
)
"""P(the next session leaves its usual range to a side), by side."""

DIRECTION: Mapping[int, Mapping[str, Output]] = MappingProxyType(
    {
        days: MappingProxyType(
            {
                name: Output(
                    f"direction_t{days}_{name}",
                    "direction",
                    f"direction_t{days}",
                    "Direction",
                    Event(RETURN_CLASS, days, (number,)),
                )
                for number, name in enumerate(CLASSES)
            }
        )
        for days in LABELS
    }
)
"""P(class of the return), by horizon in trading days and class."""

OVERNIGHT_SPIKE: Mapping[str, Output] = MappingProxyType(
    {
        side: Output(
            f"overnight_{output.column}",
            "overnight",
            f"overnight_{output.judged}",
            f"{output.wording} after the US close",
            output.event,
        )
        for side, output in SPIKE.items()
    }
)
"""As `SPIKE`, with the US close in hand."""

OVERNIGHT_DIRECTION: Mapping[str, Output] = MappingProxyType(
    {
        name: Output(
            f"overnight_t1_{name}",
            "overnight",
            "overnight_t1",
            f"{output.wording} after the US close",
            output.event,
        )
        for name, output in DIRECTION[1].items()
    }
)
"""As the next session's `DIRECTION`, with the US close in hand."""

BREACH = Surface(
    "breach",
    MappingProxyType(
        {
            "either": "Touch, either edge",
            "down": "Touch, lower edge",
            "up": "Touch, upper edge",
            "below": "Close beyond, lower edge",
            "above": "Close beyond, upper edge",
        }
    ),
)
"""P(an edge is touched) and P(the close ends beyond it), for any two edges, within 1 to 30 days."""

VOLATILITY = Spread(
    "volatility",
    "Realised volatility",
    (1, 5, 10, 20),
    (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95),
)
"""Realised volatility over the next sessions, in per cent a year."""

OUTPUTS: Mapping[str, Output] = MappingProxyType(
    {
        output.column: output
        for output in (
            *TRAP.values(),
            *REGIME.values(),
            *BREAKOUT.values(),
            *SPIKE.values(),
            THETA,
            *(output for classes in DIRECTION.values() for output in classes.values()),
            *OVERNIGHT_SPIKE.values(),
            *OVERNIGHT_DIRECTION.values(),
        )
    }
)
"""By column, every output of a single event: not the breach surface, not volatility itself."""

WORDINGS: Mapping[str, str] = MappingProxyType(
    {
        **{split_judged(output.judged)[0]: output.wording for output in OUTPUTS.values()},
        **{BREACH.family(side): wording for side, wording in BREACH.wordings.items()},
        VOLATILITY.head: VOLATILITY.wording,
    }
)
"""By family, as `split_judged` has it: what a reader is told that an output is."""
