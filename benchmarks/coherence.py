"""Count, on every day of both markets' histories, where the breach surface contradicts itself.

Run: python benchmarks/coherence.py
"""

from __future__ import annotations

import numpy as np
from aegismatrix_factory.evaluate.markets import known_sources, market_rows
from aegismatrix_factory.release.staging import stage_features
from numpy.typing import NDArray

from aegismatrix.engine.model import load_models

HORIZONS_DAYS = np.arange(1.0, 31.0)
LOWER = np.log1p(np.geomspace(0.001, 0.3, 20))
PAIRS = {"equal": LOWER, "unequal": LOWER[::-1].copy()}
ROUNDING = 1e-12
ROWS = 500


def contradictions(probability: NDArray[np.float64], *, equal: bool) -> int:
    """Count cells of shape (N, 5, H, D) that break a bound or an order by more than rounding."""
    either, down, up, below, above = probability.transpose(1, 0, 2, 3)
    way = 1.0 if equal else -1.0
    broken = (
        np.maximum(down, up) - either,
        either - np.minimum(1.0, down + up),
        below - down,
        above - up,
        below + above - either,
        -np.diff(probability[:, :3], axis=2),
        *(np.diff(side, axis=2) for side in (down, below)),
        *(way * np.diff(side, axis=2) for side in (up, above)),
    )
    return sum(int((gap > ROUNDING).sum()) for gap in broken)


def main() -> None:
    """Print the count for each market and kind of pair."""
    features, _ = stage_features()
    breach = load_models()["breach"]
    for source in known_sources():
        market = market_rows(source, features)
        for name, upper in PAIRS.items():
            found = cells = 0
            for start in range(0, len(market.features), ROWS):
                part = slice(start, start + ROWS)
                probability = breach.run(
                    features=market.features[part],
                    implied_sigma=market.implied_sigma[part],
                    horizon=HORIZONS_DAYS,
                    lower_distance=LOWER,
                    upper_distance=upper,
                )["probability"]
                found += contradictions(probability, equal=name == "equal")
                cells += probability.size
            print(
                f"{market.name}, {name} pairs: {found} contradictions in {cells} probabilities"
                f" of {len(market.features)} days"
            )


if __name__ == "__main__":
    main()
