"""What is forecast: the horizons and classes that labels, heads and signals share."""

from __future__ import annotations

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
