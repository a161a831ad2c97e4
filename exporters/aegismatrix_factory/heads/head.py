"""What a model is to the factory: one file with one `Head`, and one entry in the registry."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from aegismatrix.artifacts.manifest import ArraySpec
from aegismatrix.market.events import PROBABILITY, Output
from aegismatrix_factory.evaluate.markets import MarketRows
from aegismatrix_factory.evaluate.walkforward import Forecasts, Judgement

FloatArray = NDArray[np.float64]
Estimators = Mapping[str, Any]
Inputs = Mapping[str, FloatArray]
Progress = Callable[[], object]


@dataclass(frozen=True, eq=False)
class Past:
    """Fits that speak for the past: forecasts that did not see their windows, for any bars.

    They learn from the modelled market alone.

    Attributes
    ----------
    stretches : tuple of (first, last)
        Days, ISO 8601, that each fit speaks for; it saw nothing of them.
    inputs : tuple of ArraySpec
        Beyond ``features``; ``fit`` is the number of the stretch.
    outputs : tuple of ArraySpec
        The contract.
    build : callable
        From the names of all feature columns to the graph, not yet finished.
    predict : callable
        From inputs, ``features`` cut to what the head reads, to what the graph must give.
    examples : callable
        From a number of rows and a generator to values of what a caller chooses, beyond ``fit``.
    """

    stretches: tuple[tuple[str, str], ...]
    inputs: tuple[ArraySpec, ...]
    outputs: tuple[ArraySpec, ...]
    build: Callable[[tuple[str, ...]], onnx.ModelProto]
    predict: Callable[[Inputs], FloatArray]
    examples: Callable[[int, np.random.Generator], Inputs]


class Head(ABC):
    """One model: what it is asked, how it is fitted and judged, and its graph.

    Training, export, parity, manifest, card, command line and tests ask nothing else of a model.

    Attributes
    ----------
    name, version : str
        Name of artifact and output; version, raised whenever its numbers change.
    question : str
        What it answers, in a sentence.
    features : tuple of str
        The feature columns that it reads.
    rows : int
        Feature rows that one row of output depends on.
    columns : tuple of str
        Names of its probabilities, as in the history.
    meanings : tuple of Output
        What those columns are to readers and to monitoring that the package's catalogue does not
        have; sealed with the artifact. Without it a column is shown by its name and never scored.
    unit : str
        Unit of what it gives.
    tolerance : float
        Largest difference allowed between the graph and the trained estimators.
    pools : bool
        Whether other markets steady the fit.
    pooled_elsewhere : bool
        Whether those other markets are judged with the modelled one as their pool, or alone.
    device : str
        Where it is fitted.
    optional : bool
        Whether it needs more than the bars of a market: then it is no part of the engine, and
        training goes on without it where that is missing.
    """

    name: str
    version: str
    question: str
    features: tuple[str, ...]
    columns: tuple[str, ...]
    tolerance: float
    meanings: tuple[Output, ...] = ()
    unit: str = PROBABILITY
    rows: int = 1
    pools: bool = True
    pooled_elsewhere: bool = False
    device: str = "cpu"
    optional: bool = False

    def serves(self, market: MarketRows) -> bool:
        """Return whether a market has what it needs; yes unless a head says otherwise."""
        del market
        return True

    def given(self, market: MarketRows) -> Inputs:
        """Return what its graph is given of a market, on every row that has all of it.

        Parameters
        ----------
        market : MarketRows
            One that it `serves`.

        Returns
        -------
        mapping of str to ndarray of shape (N, ...)
            ``features``, all columns of them, and ``implied_sigma`` first, whether read or not.
        """
        return {"features": market.features, "implied_sigma": market.implied_sigma}

    @abstractmethod
    def fit(self, market: MarketRows, pool: Sequence[MarketRows]) -> Estimators:
        """Fit on all that is known.

        Parameters
        ----------
        market : MarketRows
            The market to model.
        pool : sequence of MarketRows
            Other markets that steady it.

        Returns
        -------
        mapping of str to estimator
            What skops can store and trusts.
        """

    @abstractmethod
    def walk(
        self, market: MarketRows, pool: Sequence[MarketRows], progress: Progress
    ) -> dict[str, Forecasts]:
        """Forecast by walk-forward, refitting as `fit` does.

        Parameters
        ----------
        market, pool
            As for `fit`.
        progress : callable
            Called after each refit.

        Returns
        -------
        dict of str to Forecasts
            By judged output.
        """

    @abstractmethod
    def check_shuffled(self, market: MarketRows, progress: Progress) -> None:
        """Walk forward over shuffled labels and refuse to go on if they can be forecast.

        Parameters
        ----------
        market : MarketRows
            The market.
        progress : callable
            Called after each refit.

        Raises
        ------
        JudgingError
        """

    @abstractmethod
    def judge(self, market: MarketRows, walks: Mapping[str, Forecasts]) -> list[Judgement]:
        """Judge what `walk` forecast.

        Parameters
        ----------
        market : MarketRows
            The market.
        walks : mapping of str to Forecasts
            From `walk`.

        Returns
        -------
        list of Judgement
            Together they cover every column.
        """

    def measure(self, market: MarketRows, walks: Mapping[str, Forecasts]) -> list[dict[str, Any]]:
        """Return further figures from the walk-forward, to be sealed and shown in the card.

        Parameters
        ----------
        market, walks
            As for `judge`.

        Returns
        -------
        list of dict
            JSON values; none unless a head has any.
        """
        del market, walks
        return []

    def said(self, market: MarketRows, walks: Mapping[str, Forecasts]) -> FloatArray | None:
        """Return what the walk-forward forecast, as the model's output would be.

        It travels with the release, so that a history can be had out of sample.

        Parameters
        ----------
        market, walks
            As for `judge`.

        Returns
        -------
        ndarray of shape (N, ...) or None
            Of every row of the market, NaN where nothing was forecast; of a surface at the horizons
            and distances that the engine takes by default. None if no walk bears the name of each
            column, unless a head says otherwise: no out-of-sample history has its columns then.
        """
        if not all(column in walks for column in self.columns):
            return None
        count = len(market.dates)
        return np.column_stack([walks[column].by_row(count) for column in self.columns])

    @abstractmethod
    def refits(self, market: MarketRows) -> int:
        """Return how many refits `walk` and `check_shuffled` make, for a progress bar."""

    @abstractmethod
    def base_rates(self, market: MarketRows) -> dict[str, float]:
        """Return how often each event happened, by column, over all labelled rows."""

    @abstractmethod
    def predict(self, estimators: Estimators, inputs: Inputs) -> FloatArray:
        """Forecast with the fitted estimators themselves: what the graph must equal.

        Parameters
        ----------
        estimators : mapping
            From `fit`.
        inputs : mapping of str to ndarray
            ``features``, of shape (N, len(self.features)): the columns that the head reads; and
            what `inputs` names.

        Returns
        -------
        ndarray of shape (N - rows + 1, ...)
        """

    @abstractmethod
    def build(self, estimators: Estimators, feature_names: tuple[str, ...]) -> onnx.ModelProto:
        """Author the graph, not yet finished.

        Parameters
        ----------
        estimators : mapping
            From `fit`.
        feature_names : tuple of str
            All columns of ``features``, in order.

        Returns
        -------
        ModelProto
            Inputs ``features``: float64 (N, F), and those of `inputs`; output ``probability`` as
            `outputs` says.
        """

    def inputs(self) -> tuple[ArraySpec, ...]:
        """Return the inputs beyond ``features``; none unless a head says otherwise."""
        return ()

    def examples(self) -> Inputs:
        """Return values of the inputs that a caller chooses, at which equality is proven."""
        return {}

    def disagreement(self, probabilities: Mapping[str, FloatArray]) -> float:
        """Return how far this head is from what another one says of the same event.

        Parameters
        ----------
        probabilities : mapping of str to ndarray
            Of every head of the engine, by name, on the same rows.

        Returns
        -------
        float
            The largest difference; 0 unless a head says otherwise.
        """
        del probabilities
        return 0.0

    def past(self, estimators: Estimators) -> Past | None:
        """Return the fits that speak for the past, where a report needs them."""
        del estimators
        return None

    def outputs(self, name: str = "probability") -> tuple[ArraySpec, ...]:
        """Return the outputs as they are sealed."""
        # Fewer rows out than in must not bear the same name.
        rows = "N" if self.rows == 1 or name == self.name else "M"
        return (ArraySpec(name, "float64", (rows, len(self.columns)), "probability", self.columns),)
