"""Portable, verified market models: raw bars in, calibrated probabilities out.

The names in ``__all__`` and those of `aegismatrix.errors` are public. The modules that they come
from are internal: they may move without notice.

>>> import aegismatrix as am
>>> bars = am.sample_bars()
>>> am.Engine().predict(bars)["trap"].shape
(1, 3)
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aegismatrix import errors as errors
    from aegismatrix.artifacts.manifest import Manifest, ModelSpec, list_models
    from aegismatrix.desk.analysis import analyze
    from aegismatrix.desk.monitoring.journal import Journal
    from aegismatrix.desk.monitoring.monitor import MonitorReport, monitor
    from aegismatrix.desk.report import Report
    from aegismatrix.desk.signals.buyer import BuyerSignal
    from aegismatrix.desk.signals.direction import DirectionSignal
    from aegismatrix.desk.signals.market import MarketState
    from aegismatrix.desk.signals.seller import SellerSignal
    from aegismatrix.desk.sources.local import CsvSource
    from aegismatrix.desk.sources.sample import sample_bars
    from aegismatrix.desk.sources.yahoo import YahooSource, bars_from_yahoo
    from aegismatrix.engine.engine import Engine, Forecast
    from aegismatrix.engine.model import Model, load_models
    from aegismatrix.engine.premium import ShortPremium
    from aegismatrix.engine.strikes import StrikeTable, SurvivalTable
    from aegismatrix.engine.verify import Finding, verify
    from aegismatrix.errors import AegisError
    from aegismatrix.market.bars import Bars
    from aegismatrix.market.calendars.calendar import Calendar
    from aegismatrix.market.chain import OptionChain
    from aegismatrix.market.events import Event, Output
    from aegismatrix.market.intraday import IntradayBars
    from aegismatrix.market.market import ExpiryRule, Market, market_named

__version__ = "0.1.0"

__all__ = [
    "AegisError",
    "Bars",
    "BuyerSignal",
    "Calendar",
    "CsvSource",
    "DirectionSignal",
    "Engine",
    "Event",
    "ExpiryRule",
    "Finding",
    "Forecast",
    "IntradayBars",
    "Journal",
    "Manifest",
    "Market",
    "MarketState",
    "Model",
    "ModelSpec",
    "MonitorReport",
    "OptionChain",
    "Output",
    "Report",
    "SellerSignal",
    "ShortPremium",
    "StrikeTable",
    "SurvivalTable",
    "YahooSource",
    "__version__",
    "analyze",
    "bars_from_yahoo",
    "list_models",
    "load_models",
    "market_named",
    "monitor",
    "sample_bars",
    "verify",
]

# Imported on first use, so that `import aegismatrix` costs next to nothing.
_HOMES = {
    "AegisError": "errors",
    "Bars": "market.bars",
    "BuyerSignal": "desk.signals.buyer",
    "Calendar": "market.calendars.calendar",
    "CsvSource": "desk.sources.local",
    "DirectionSignal": "desk.signals.direction",
    "Engine": "engine.engine",
    "Event": "market.events",
    "ExpiryRule": "market.market",
    "Finding": "engine.verify",
    "Forecast": "engine.engine",
    "IntradayBars": "market.intraday",
    "Journal": "desk.monitoring.journal",
    "Manifest": "artifacts.manifest",
    "Market": "market.market",
    "MarketState": "desk.signals.market",
    "Model": "engine.model",
    "ModelSpec": "artifacts.manifest",
    "MonitorReport": "desk.monitoring.monitor",
    "OptionChain": "market.chain",
    "Output": "market.events",
    "Report": "desk.report",
    "SellerSignal": "desk.signals.seller",
    "ShortPremium": "engine.premium",
    "StrikeTable": "engine.strikes",
    "SurvivalTable": "engine.strikes",
    "YahooSource": "desk.sources.yahoo",
    "analyze": "desk.analysis",
    "bars_from_yahoo": "desk.sources.yahoo",
    "list_models": "artifacts.manifest",
    "load_models": "engine.model",
    "market_named": "market.market",
    "monitor": "desk.monitoring.monitor",
    "sample_bars": "desk.sources.sample",
    "verify": "engine.verify",
}

logging.getLogger(__name__).addHandler(logging.NullHandler())

# Newer releases of onnxruntime send usage data and leave an identifier in the home folder. A
# trading desk has not asked for that; whoever wants it sets the variable to 0. It is read when
# onnxruntime is imported, and never again.
if "ORT_DISABLE_TELEMETRY" not in os.environ:
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    if "onnxruntime" in sys.modules:
        warnings.warn(
            "onnxruntime was imported before aegismatrix, so its usage data is not switched off."
            " Import aegismatrix first, or set ORT_DISABLE_TELEMETRY=1 before Python starts.",
            RuntimeWarning,
            stacklevel=2,
        )


def __getattr__(name: str) -> object:
    if name == "errors":
        return import_module(f"{__name__}.errors")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "errors"])
