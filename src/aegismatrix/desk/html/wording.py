"""The report's codes in the words of a desk."""

from __future__ import annotations

from aegismatrix.market.events import WORDINGS, split_judged

REGIMES = {
    "LOW_VOL_BULL": (
        "Low-volatility bull",
        "Volatility in the lower half of its year, trend up.",
    ),
    "HIGH_VOL_BEAR": (
        "High-volatility bear",
        "Volatility in the upper 30\N{NO-BREAK SPACE}% of its year, trend down.",
    ),
    "SIDEWAYS_CHOP": (
        "Sideways chop",
        "Neither a strong trend nor a quiet rise.",
    ),
    "TREND_FOLLOWING": (
        "Trend",
        "The last 66 sessions moved further than implied volatility explains.",
    ),
}
"""Of the market: name and meaning."""

BUYER_REGIMES = {
    "TREND_FOLLOWING": ("Trend", "Moves have tended to carry on."),
    "MEAN_REVERT": ("Mean reversion", "Moves have tended to be given back."),
    "CHOPPY": ("Choppy", "Moves have neither carried on nor been given back."),
}
"""As a buyer of options reads it: name and meaning."""

REASONS = {
    "TRAP_LOW": "Volatility trap low: movement beyond what is paid for is rarer than usual.",
    "TRAP_MEDIUM": "Volatility trap medium: movement beyond what is paid for is about as usual.",
    "TRAP_HIGH": "Volatility trap high: movement beyond what is paid for is likelier than usual.",
    "STRESS_CALM": "Expiry stress calm: less volatility ahead than usual.",
    "STRESS_CAUTION": "Expiry stress middling: about as much volatility ahead as usual.",
    "STRESS_HOSTILE": "Expiry stress hostile: more volatility ahead than usual.",
    "HIT_RATE_BELOW_CONFIDENCE": "The safe range has held less often than it states.",
    "THETA_DONT_WASTE_PREMIUM": "Theta edge: premium is likelier than usual to decay unearned.",
    "THETA_BORDERLINE": "Theta edge: long premium pays about as often as usual.",
    "THETA_EDGE_JUSTIFIES_PREMIUM": "Theta edge: long premium pays more often than usual.",
    "BREAKOUT_LOW": "Breakout low: the next session is likelier than usual to stay in its range.",
    "BREAKOUT_MEDIUM": "Breakout medium: the next session leaves its range as often as usual.",
    "BREAKOUT_HIGH": "Breakout high: the next session leaves its range more often than usual.",
    "REGIME_TREND_FOLLOWING": "Moves of five days have carried on.",
    "REGIME_MEAN_REVERT": "Moves of five days have been given back.",
    "REGIME_CHOPPY": "Moves of five days have neither carried on nor been given back.",
    "HALF_SESSION": "The session is not over, or its last bars are missing.",
    "HOLES": "Bars are missing before the last one.",
    "ONE_BAR": "There is a single bar.",
    "OPENING_MISSING": "A bar of the first 15 minutes is missing.",
    "OUTSIDE_SESSION_DROPPED": "Bars outside of the exchange's hours were left out.",
    "BLANK_DROPPED": "Blank bars were left out.",
    "GAP_UNKNOWN": "The gap is not known.",
    "WEEKDAY_BETWEEN": "A weekday lies between the previous close and the session.",
    "NOT_OF_TODAY": "Neither the session of the last daily bar nor the next: it refines nothing.",
    "SPECIAL_SESSION": "A special session, such as Muhurat: it refines nothing.",
    "END_STAMPS_SHIFTED": "The bars were stamped by their end, and moved to their start.",
}
"""Of flags and notes, in a sentence."""


def plain(code: str) -> str:
    """Return a code such as ``DONT_WASTE_PREMIUM`` as words.

    Parameters
    ----------
    code : str

    Returns
    -------
    str
    """
    words = code.replace("_", " ").strip().lower()
    return words[:1].upper() + words[1:]


def reason(code: str) -> str:
    """Return a reason as a sentence; one that this page does not know as its own words.

    Parameters
    ----------
    code : str

    Returns
    -------
    str
    """
    return REASONS.get(code) or f"{plain(code)}."


def family(name: str) -> tuple[str, str | None]:
    """Split the name of a judged output into what it is and its days.

    Parameters
    ----------
    name : str

    Returns
    -------
    words : str
        Such as ``Touch, lower edge``.
    days : str or None
        Such as ``5``; None where it has no horizon of its own.
    """
    stem, days = split_judged(name)
    return WORDINGS.get(stem) or plain(stem), days
