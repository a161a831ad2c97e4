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
    from aegismatrix.analysis import analyze
    from aegismatrix.artifacts import list_models
    from aegismatrix.bars import Bars
    from aegismatrix.chain import OptionChain
    from aegismatrix.engine import Engine, Forecast
    from aegismatrix.errors import AegisError
    from aegismatrix.intraday import IntradayBars
    from aegismatrix.report import Report
    from aegismatrix.runtime import Model, load_models, verify
    from aegismatrix.signals.buyer import BuyerSignal
    from aegismatrix.signals.direction import DirectionSignal
    from aegismatrix.signals.market import MarketState
    from aegismatrix.signals.seller import SellerSignal
    from aegismatrix.sources.sample import sample_bars

__version__ = "0.1.0"

__all__ = [
    "AegisError",
    "Bars",
    "BuyerSignal",
    "DirectionSignal",
    "Engine",
    "Forecast",
    "IntradayBars",
    "MarketState",
    "Model",
    "OptionChain",
    "Report",
    "SellerSignal",
    "__version__",
    "analyze",
    "list_models",
    "load_models",
    "sample_bars",
    "verify",
]

# Imported on first use, so that `import aegismatrix` costs next to nothing.
_HOMES = {
    "AegisError": "errors",
    "Bars": "bars",
    "BuyerSignal": "signals.buyer",
    "DirectionSignal": "signals.direction",
    "Engine": "engine",
    "Forecast": "engine",
    "IntradayBars": "intraday",
    "MarketState": "signals.market",
    "Model": "runtime",
    "OptionChain": "chain",
    "Report": "report",
    "SellerSignal": "signals.seller",
    "analyze": "analysis",
    "list_models": "artifacts",
    "load_models": "runtime",
    "sample_bars": "sources.sample",
    "verify": "runtime",
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
