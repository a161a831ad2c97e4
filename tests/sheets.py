"""Reports as plain values with every block that a page can show, and strange ones."""

from __future__ import annotations

from copy import deepcopy
from datetime import date, timedelta
from typing import Any

Values = dict[str, Any]


def complete(report: Values) -> Values:
    """The same report with a session of 5-minute bars, an expiry and targets beside it."""
    spot, as_of = report["market"]["spot"], report["as_of"]
    whole = deepcopy(report)
    last = date.fromisoformat(as_of)
    for horizon in whole["direction"]["horizons"].values():
        # Calendar days will do: nothing that shows a report knows the exchange's.
        horizon["target"] = str(last + timedelta(days=horizon["horizon_days"]))
    whole["seller"]["safe_range"]["expiry"] = str(last + timedelta(days=28))
    whole["provenance"]["source_notes"] = ["Two hours old.", "One bar was mended."]
    del whole["buyer"]["gamma_windows_reason"]
    whole["buyer"]["gamma_windows"] = [
        {"window": "09:15-09:45", "score": 1.0, "sessions": 3},
        {"window": "13:45-14:15", "score": 0.52, "sessions": 3},
        {"window": "15:15-15:30", "score": 0.68, "sessions": 3},
    ]
    whole["intraday"] = {
        "session_date": as_of,
        "first_bar": f"{as_of}T03:45:00Z",
        "last_bar": f"{as_of}T07:10:00Z",
        "bars": 40,
        "missing_bars": 1,
        "elapsed": 0.546667,
        "complete": False,
        "last": spot * 1.002,
        "previous_close": spot * 0.997,
        "previous_close_from": "daily",
        "gap_points": -0.004 * spot,
        "gap_fraction": -0.004,
        "gap_filled": True,
        "opening_range": {
            "minutes": 15,
            "lower": spot * 0.994,
            "upper": spot * 1.001,
            "state": "ABOVE",
            "broke_at": "10:05",
        },
        "realised_vol_percent": 17.32,
        "relation": "same",
        "notes": ["HALF_SESSION", "HOLES"],
    }
    return whole


def scaled(report: Values, spot: float) -> Values:
    """The same report on an index that stands elsewhere; every other level moves with it."""
    factor = spot / report["market"]["spot"]
    points = {
        "spot",
        "spot_change",
        "lower_edges",
        "upper_edges",
        "expected_move_points",
        "move_size_points",
        "close",
        "last",
        "previous_close",
        "gap_points",
    }
    ranges = {"safe_range", "max_pain", "breakout_levels", "opening_range", "move_interval_80"}

    def moved(value: Any) -> Any:
        return [one * factor for one in value] if isinstance(value, list) else value * factor

    def walk(value: Any, inside: str = "") -> Any:
        if isinstance(value, list):
            return [walk(one, inside) for one in value]
        if not isinstance(value, dict):
            return value
        return {
            name: moved(one)
            if name in points or (inside in ranges and name in ("lower", "upper"))
            else walk(one, name)
            for name, one in value.items()
        }

    copy: Values = {
        name: value if name == "provenance" else walk(value, name) for name, value in report.items()
    }
    distances: list[int] = []
    for fraction in (0.01, 0.02, 0.03, 0.04, 0.05, 0.07):
        least = distances[-1] + 1 if distances else 1
        distances.append(max(round(spot * fraction), least))
    copy["seller"]["breach_surface"]["distance_points"] = distances
    for point, distance in zip(copy["seller"]["breach_probabilities"], distances, strict=True):
        point["distance"] = distance
    return copy
