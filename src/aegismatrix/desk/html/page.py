"""A report's plain values in, one self-contained HTML file out."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from aegismatrix.desk.html import figures, wording
from aegismatrix.desk.html.breach import curve, heat_map
from aegismatrix.desk.html.price import price_chart, trace
from aegismatrix.desk.html.scales import Scale, spanning
from aegismatrix.desk.html.templates import template
from aegismatrix.desk.html.verdicts import SIGNS, Trust, skill_and_interval, trust
from aegismatrix.desk.json_text import as_json, sha256_of
from aegismatrix.desk.signals.seller import HEADLINE_TRAP_DAYS
from aegismatrix.errors import ContractError
from aegismatrix.market.events import (
    BREACH,
    BREAKOUT,
    CLASSES,
    DIRECTION,
    OVERNIGHT_DIRECTION,
    REGIME,
    REGIMES,
    THETA,
    TRAP,
    VOLATILITY,
)
from aegismatrix.market.market import MARKETS, OTHER

_FRAME_HEIGHT = 900
_HEADROOM = 1.4
# By tile, the names under which what it shows was judged.
_JUDGED = {
    "breach": BREACH.judged,
    "breakout": {offset: output.judged for offset, output in BREAKOUT.items()},
    "direction": {days: classes[CLASSES[0]].judged for days, classes in DIRECTION.items()},
    "overnight": OVERNIGHT_DIRECTION[CLASSES[0]].judged,
    "regime": REGIME[REGIMES[0]].judged,
    "theta_edge": THETA.judged,
    "trap": {str(days): output.judged for days, output in TRAP.items()},
    "volatility": VOLATILITY.judged,
}
_SPREAD_SHOWN = (0.1, 0.5, 0.9)


def render_page(report: Mapping[str, Any]) -> str:
    """Draw a report as one page (extra ``report``).

    Parameters
    ----------
    report : mapping
        As `Report.to_dict` gives it or as read from its JSON. Tiles of ``direction``, ``buyer``,
        ``price_history`` and ``intraday`` are left out where the block is absent.

    Returns
    -------
    str
        HTML without script that loads nothing: the same report gives the same text. It holds the
        sha256 of the report's JSON and when that was made, to tell whose page it is.

    Raises
    ------
    MissingExtraError
        If Jinja2 is not installed.
    ContractError
        If a number is not finite.
    """
    page = template("page.html.jinja")
    try:
        text = as_json(report)
    except ValueError as error:
        raise ContractError(
            "report",
            "page",
            "holds a number that is not finite",
            remedy="Nothing was drawn; report the bars that led here as a bug.",
        ) from error
    view = {**_view(report), "json_sha256": sha256_of(text)}
    drawn = page.render(view)
    return "\n".join(stripped for row in drawn.splitlines() if (stripped := row.strip())) + "\n"


def notebook_frame(page: str, *, height: int = _FRAME_HEIGHT) -> str:
    """Wrap a page so that a notebook shows it and its style stays its own.

    Parameters
    ----------
    page : str
        From `render_page`.
    height : int
        Pixels; the page scrolls inside.

    Returns
    -------
    str
        An ``iframe`` that carries the page and may run nothing.
    """
    return (
        f'<iframe title="aegismatrix report" sandbox="" srcdoc="{escape(page)}"'
        f' style="width:100%;height:{height}px;border:0"></iframe>'
    )


def _view(report: Mapping[str, Any]) -> dict[str, Any]:
    """Lay out what the template needs besides the report's own values."""
    market, seller = report["market"], report["seller"]
    spot, safe_range = market["spot"], seller["safe_range"]
    skill = report["provenance"]["skill"]

    def believe(verdict: str, judged: str = "", otherwise: str = "") -> Trust:
        return trust(verdict, skill.get(judged), otherwise)

    def row_verdict(days: int) -> Trust:
        judged = skill.get(BREACH.judged(days))
        return trust(judged["verdict"] if judged else "", judged)

    return {
        "report": report,
        "digits": figures.point_digits(spot),
        "fine_digits": max(2, figures.point_digits(spot)),
        "believe": believe,
        "judged": _JUDGED,
        "row_verdict": row_verdict,
        "measured": lambda detail: Trust("measured", "Measured, not forecast", detail),
        "families": _families(skill),
        "scale": Scale,
        "headline_trap_days": str(HEADLINE_TRAP_DAYS),
        "spread_shown": _spread_shown(report),
        "volatility_regimes": REGIMES,
        "regimes": wording.REGIMES,
        "buyer_regimes": wording.BUYER_REGIMES,
        "heat_map": heat_map(seller["breach_surface"]),
        "curve": curve(seller["breach_probabilities"], safe_range, spot),
        **_names(report["provenance"]),
        **_history(report),
        **_axes(report),
    }


def _spread_shown(report: Mapping[str, Any]) -> list[int]:
    """Which quantiles of volatility a table has room for."""
    levels = report.get("volatility", {}).get("levels", ())
    return [place for place, level in enumerate(levels) if level in _SPREAD_SHOWN]


def _names(provenance: Mapping[str, Any]) -> dict[str, str | None]:
    """What the market is called, and the one that was modelled, where that is another."""
    own = provenance["market"]
    modelled = next((span["market"] for span in provenance["training"]), OTHER.name)
    return {
        "name": provenance.get("market_title", _title(own)),
        "modelled": None if modelled == own else _title(modelled),
    }


def _title(market: str) -> str:
    return MARKETS[market].title if market in MARKETS else market


def _families(skill: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Judged outputs of one kind in one row, each with the sign of its verdict."""
    rows: list[dict[str, Any]] = []
    for name, judged in skill.items():
        words, days = wording.family(name)
        of = f"{judged['score']} against {judged['baseline']}, on {judged['market']}"
        if not rows or (rows[-1]["words"], rows[-1]["of"]) != (words, of):
            rows.append({"words": words, "of": of, "cells": []})
        sign = SIGNS[judged["verdict"]]
        rows[-1]["cells"].append(
            (f"{sign} {days} d" if days else sign, skill_and_interval(judged, ""))
        )
    return rows


def _history(report: Mapping[str, Any]) -> dict[str, Any]:
    if "price_history" not in report:
        return {}
    history = report["price_history"]
    safe_range, spot = report["seller"]["safe_range"], report["market"]["spot"]
    return {
        "price": price_chart(history, safe_range, spot),
        "vix_line": trace(history["iv_percent"]),
    }


def _axes(report: Mapping[str, Any]) -> dict[str, Any]:
    """One axis for all graphics of a row, so that they can be compared at a glance."""
    axes: dict[str, Any] = {}
    if "direction" in report:
        ends = [0.0]
        for horizon in report["direction"]["horizons"].values():
            ends += horizon["move_interval_80"].values()
            ends.append(horizon["expected_move_points"])
        axes["moves"] = spanning(ends, margin=0.04)
    if "buyer" in report:
        days = report["buyer"]["breakout_next"]
        highest = max(day[name] for day in days for name in ("score", "base_rate"))
        axes["breakout_axis"] = Scale(0.0, min(1.0, _HEADROOM * highest) or 1.0)
    return axes
