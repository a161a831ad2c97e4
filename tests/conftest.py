"""Real bars for the tests: the embedded sample always, NIFTY and the S&P 500 where they are."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator
from pathlib import Path

import pytest
from aegismatrix_factory.evaluate.markets import (
    MarketDataNotFoundError,
    MarketSource,
    known_sources,
)

from aegismatrix.desk.sources.sample import sample_bars
from aegismatrix.market.bars import Bars
from tests.sealed import copy_with_golden

NO_SKIPS = "AEGISMATRIX_NO_SKIPS"
QUICK_CPU_SECONDS = 10.0
"""What a test may take of a processor, its children included, without the mark ``slow``."""


def pytest_configure() -> None:
    """Heed ctrl-c, here and in children: what a shell runs in the background ignores it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where everything that a test may need is there, a skipped test is a failed one."""
    report = yield
    if report.skipped and os.environ.get(NO_SKIPS) and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, though {NO_SKIPS} is set: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Keep `make test` quick: what takes long is marked. A loaded machine changes no CPU time."""
    before = os.times()
    result = yield
    spent = sum(os.times()[:4]) - sum(before[:4])
    is_marked = pyfuncitem.get_closest_marker("slow") is not None
    if spent > QUICK_CPU_SECONDS and not is_marked and os.environ.get(NO_SKIPS):
        pytest.fail(f"took {spent:.0f} s of CPU: make it cheaper, or mark it slow", pytrace=False)
    return result


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Count what came of the fuzzing, where more than its short form was asked for."""
    if os.environ.get("AEGISMATRIX_FUZZ_CASES") or os.environ.get("AEGISMATRIX_CALLS"):
        for reports in terminalreporter.stats.values():
            for report in reports:
                for name, counted in getattr(report, "user_properties", ()):
                    if name == "fuzzed" and report.when == "teardown":
                        terminalreporter.write_line(f"{report.location[2]}: {counted}")


@pytest.fixture(scope="session")
def market_sources() -> tuple[MarketSource, ...]:
    """The pairs of CSV files that the committed models were trained on."""
    try:
        return known_sources()
    except MarketDataNotFoundError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def nifty(market_sources: tuple[MarketSource, ...]) -> Bars:
    """3,546 real bars of NIFTY 50 and India VIX."""
    return market_sources[0].bars()


@pytest.fixture(scope="session")
def sp500(market_sources: tuple[MarketSource, ...]) -> Bars:
    """4,713 real bars of the S&P 500 and the Cboe VIX."""
    return market_sources[1].bars()


@pytest.fixture(scope="session")
def nifty_5min(market_sources: tuple[MarketSource, ...]) -> Path:
    """224 real five-minute bars of NIFTY 50 in three sessions, one bar missing in the last."""
    path = market_sources[0].index.with_name("nifty_5min.csv")
    if not path.is_file():
        pytest.skip(f"There are no five-minute bars: {path} is missing.")
    return path


@pytest.fixture(scope="session")
def sample() -> Bars:
    """The embedded sample: 1,257 real bars of the S&P 500 and the Cboe VIX."""
    return sample_bars()


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return Path(__file__).parents[1]


@pytest.fixture(scope="session")
def golden_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled artifacts with their golden values; not to be changed."""
    return copy_with_golden(tmp_path_factory.mktemp("golden") / "models_onnx")
