"""Portable, verified market models: raw bars in, calibrated probabilities out.

>>> import aegismatrix as am
>>> bars = am.sample_bars()
>>> am.Engine().predict(bars)["trap"].shape
(1, 3)
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aegismatrix import errors as errors
    from aegismatrix.artifacts.manifest import list_models
    from aegismatrix.desk.analysis import analyze
    from aegismatrix.desk.report import Report
    from aegismatrix.desk.signals.buyer import BuyerSignal
    from aegismatrix.desk.signals.direction import DirectionSignal
    from aegismatrix.desk.signals.market import MarketState
    from aegismatrix.desk.signals.seller import SellerSignal
    from aegismatrix.desk.sources.sample import sample_bars
    from aegismatrix.desk.sources.yahoo import bars_from_yahoo
    from aegismatrix.engine.engine import Engine, Forecast
    from aegismatrix.engine.model import Model, load_models
    from aegismatrix.engine.verify import verify
    from aegismatrix.errors import AegisError
    from aegismatrix.market.bars import Bars
    from aegismatrix.market.calendars.calendar import Calendar
    from aegismatrix.market.chain import OptionChain
    from aegismatrix.market.intraday import IntradayBars
    from aegismatrix.market.market import ExpiryRule, Market, market_named

__version__ = "0.1.0"

__all__ = [
    "AegisError",
    "Bars",
    "BuyerSignal",
    "Calendar",
    "DirectionSignal",
    "Engine",
    "ExpiryRule",
    "Forecast",
    "IntradayBars",
    "Market",
    "MarketState",
    "Model",
    "OptionChain",
    "Report",
    "SellerSignal",
    "__version__",
    "analyze",
    "bars_from_yahoo",
    "list_models",
    "load_models",
    "market_named",
    "sample_bars",
    "verify",
]

# Imported on first use, so that `import aegismatrix` costs next to nothing.
_HOMES = {
    "AegisError": "errors",
    "Bars": "market.bars",
    "BuyerSignal": "desk.signals.buyer",
    "Calendar": "market.calendars.calendar",
    "DirectionSignal": "desk.signals.direction",
    "Engine": "engine.engine",
    "ExpiryRule": "market.market",
    "Forecast": "engine.engine",
    "IntradayBars": "market.intraday",
    "Market": "market.market",
    "MarketState": "desk.signals.market",
    "Model": "engine.model",
    "OptionChain": "market.chain",
    "Report": "desk.report",
    "SellerSignal": "desk.signals.seller",
    "analyze": "desk.analysis",
    "bars_from_yahoo": "desk.sources.yahoo",
    "list_models": "artifacts.manifest",
    "load_models": "engine.model",
    "market_named": "market.market",
    "sample_bars": "desk.sources.sample",
    "verify": "engine.verify",
}

logging.getLogger(__name__).addHandler(logging.NullHandler())


def __getattr__(name: str) -> object:
    if name == "errors":
        return import_module(f"{__name__}.errors")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "errors"})
