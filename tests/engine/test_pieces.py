"""Histories in pieces and of chosen heads, against one run over everything."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegismatrix.artifacts.manifest import ENGINE_NAME
from aegismatrix.engine.engine import DISTANCES, HORIZONS_DAYS, Engine
from aegismatrix.engine.model import load_model
from aegismatrix.engine.pieces import in_pieces
from aegismatrix.errors import ContractError, UnknownModelError
from aegismatrix.market.arrays import FloatArray
from aegismatrix.market.bars import Bars

ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


def test_a_history_in_pieces_is_that_of_one_run_bit_for_bit(nifty: Bars, engine: Engine) -> None:
    model = load_model(engine.manifest, ENGINE_NAME)
    asked = {
        **{name: getattr(nifty, name) for name in ("high", "low", "close", "iv")},
        "horizon": np.array(HORIZONS_DAYS, dtype=np.float64),
        "lower_distance": np.array(DISTANCES),
        "upper_distance": np.array(DISTANCES),
    }
    whole = model.run_validated({one.name: asked[one.name] for one in model.spec.inputs})
    history = engine.history(nifty)
    assert len(history) > 2 * 1024
    assert np.array_equal(history.features, whole["features"])
    for name in history:
        assert np.array_equal(history[name], whole[name]), name


@pytest.mark.parametrize("heads", [("trap",), ("breach", "trap"), ("direction",), ()])
def test_chosen_heads_say_what_they_say_among_all(
    heads: tuple[str, ...], sample: Bars, engine: Engine
) -> None:
    whole, chosen = engine.history(sample), engine.history(sample, heads=heads)
    assert sorted(chosen) == sorted(heads)
    assert list(chosen) == [name for name in whole if name in heads]
    assert np.array_equal(chosen.dates, whole.dates)
    assert np.array_equal(chosen.features, whole.features)
    for name in heads:
        assert np.array_equal(chosen[name], whole[name]), name
        assert chosen.columns[name] == whole.columns[name]


def test_a_head_that_is_not_there_is_named(sample: Bars, engine: Engine) -> None:
    with pytest.raises(UnknownModelError, match="no_such"):
        engine.history(sample, heads=("trap", "no_such"))


@settings(max_examples=100, deadline=None)
@given(
    days=st.integers(1, 60),
    lookback=st.integers(1, 9),
    piece=st.integers(1, 70),
    seed=st.integers(0),
)
def test_pieces_of_any_length_join_to_the_whole(
    days: int, lookback: int, piece: int, seed: int
) -> None:
    close = np.random.default_rng(seed).standard_normal(days + lookback - 1)

    def run(bars: dict[str, FloatArray]) -> dict[str, FloatArray]:
        windows = np.lib.stride_tricks.sliding_window_view(bars["close"], lookback)
        return {"largest": windows.max(axis=1), "windows": windows}

    joined = in_pieces(run, {"close": close}, lookback, piece)  # type: ignore[arg-type]
    whole = run({"close": close})
    for name, values in joined.items():
        assert np.array_equal(values, whole[name])
        assert not values.flags.writeable


def test_a_row_too_few_is_refused() -> None:
    with pytest.raises(ContractError, match="has 4 rows for 5 days"):
        in_pieces(lambda bars: {"x": bars["close"][1:]}, {"close": np.ones(5)}, 1)


# What getrusage says of a process begins with what its parent took when it was forked.
LONG = """
import re
import sys
from pathlib import Path
import numpy as np
import aegismatrix as am
bars = int(sys.argv[1])
days = np.arange(np.datetime64("1800-01-01"), np.datetime64("9990-01-01"))
days = days[np.is_busday(days)][:bars].copy()
close = 15000.0 * np.exp(0.05 * np.sin(np.arange(bars) / 50.0))
close *= 1.0 + 0.004 * np.random.default_rng(0).standard_normal(bars)
iv = 15.0 + 3.0 * np.sin(np.arange(bars) / 33.0)
given = am.Bars.from_arrays(
    days, close * 1.004, close * 0.996, close, iv, market="other", today=sys.argv[2]
)
del days, close, iv
am.Engine().history(given, heads=("trap",))
print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


def peak_mebibytes(bars: int) -> float:
    # The C library keeps what it thinks will be asked for again: not what this is about.
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "1000000"}
    done = subprocess.run(
        [sys.executable, "-c", LONG, str(bars), "9990-01-01"],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    return int(done.stdout) / 1024


@ON_LINUX
def test_a_longer_history_takes_the_memory_of_what_it_returns(engine: Engine) -> None:
    more = 60_000
    added = peak_mebibytes(20_000 + more) - peak_mebibytes(20_000)
    # Features, the head, and beside them the bars and what a forecast says of each day.
    numbers = len(engine.spec.features) + 3 + 12
    returned = numbers * 8 * more / 2**20
    # To make and check the bars takes about as much again.
    assert added < 3.0 * returned


@ON_LINUX
@pytest.mark.slow
def test_a_million_rows_of_one_head_stay_below_400_mebibytes() -> None:
    assert peak_mebibytes(1_000_000) < 400
