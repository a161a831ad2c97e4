"""Engine: bars in, every probability out."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aegismatrix import errors
from aegismatrix.artifacts.manifest import (
    ENGINE_NAME,
    FORECASTS_KEY,
    ArraySpec,
    Manifest,
    ModelSpec,
    past_of,
    read_manifest,
)
from aegismatrix.engine.model import MOST_THREADS, Model, load_model
from aegismatrix.engine.pieces import Run, in_pieces, staged
from aegismatrix.errors import ArgumentError, ContractError, MissingExtraError, shown
from aegismatrix.market.arrays import (
    LEAST_DISTANCE,
    LONGEST_DAYS,
    MAX_GIVEN,
    MOST_DISTANCE,
    DateArray,
    Day,
    FloatArray,
    Published,
    array_of,
    as_floats,
    as_kind,
    as_real,
    as_rows,
    as_text,
    as_texts,
    as_truth,
    as_whole,
    is_masked_array,
)
from aegismatrix.market.bars import Bars
from aegismatrix.records import dataclass

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

    from aegismatrix.artifacts.forecasts import WalkForward
    from aegismatrix.engine.premium import ShortPremium
    from aegismatrix.engine.strikes import StrikeTable, SurvivalTable
    from aegismatrix.engine.surface import Surface
    from aegismatrix.market.overnight import Nights

HORIZONS_DAYS = (1, 5, 10, 20)
"""Horizons of the breach surface unless others are asked for."""

DISTANCES = tuple(math.log1p(basis_points / 1e4) for basis_points in (100, 200, 300, 400, 500, 700))
"""Its log distances unless others are asked for: 1, 2, 3, 4, 5 and 7 % of spot."""

_DEFAULT_HORIZONS = np.array(HORIZONS_DAYS, dtype=np.float64)
_DEFAULT_DISTANCES = np.array(DISTANCES)
for _values in (_DEFAULT_HORIZONS, _DEFAULT_DISTANCES):
    _values.flags.writeable = False

OVERNIGHT = "overnight"

_TARGETS = (
    f"Give pairs of whole trading days, 1 to {LONGEST_DAYS}, and a probability between 0 and 1."
)
_LEAST_BYTES = 4

_PROBABILITY = "probability"
_VOLATILITY = "per cent a year"
_FORECAST_UNITS = (_PROBABILITY, _VOLATILITY)
_INPUTS = frozenset({"high", "low", "close", "iv", "horizon", "lower_distance", "upper_distance"})
_SURFACE_SHAPE = ("N", 5, "H", "D")


@dataclass(frozen=True, eq=False, repr=False)
class Forecast(Published):
    """Probabilities for N days, the last row for the last bar.

    ``forecast["trap"]`` is the array of one model; `row` is one day by column name, `table` all of
    them.

    Attributes
    ----------
    dates : ndarray of shape (N,), datetime64[D]
        Days of forecast: what was known at their close.
    in_sample : ndarray of shape (N,), bool
        Whether the day lies inside the span that the models were trained on: such rows demonstrate,
        they prove nothing.
    close, iv_percent : ndarray of shape (N,), float64
        Index points, and the volatility index in per cent a year.
    implied_sigma : ndarray of shape (N,), float64
        Daily standard deviation of log returns that it implies.
    features : ndarray of shape (N, F), float64
        What the models read; their names are those of ``Engine.spec``'s output.
    horizon_days : ndarray of shape (H,), float64
        Horizons of the surfaces.
    distance, upper_distance : ndarray of shape (D,), float64
        Log distances of the surfaces, in pairs: the edges are ``close * exp(-distance)`` and
        ``close * exp(upper_distance)``.
    probabilities : mapping of str to ndarray, float64
        By model name: shape (N, len(columns)), and (N, 5, H, D) for a surface. Along axis 1 come a
        touch of either edge, of the lower and of the upper, then a close below the lower and one
        above the upper at the end. Quantiles of volatility stand among them in per cent a year, of
        shape (N, horizons, quantiles), the root of the mean square last.
    columns : mapping of str to tuple of str
        By model name: the columns of `table`.
    manifest_digest : str
        Which set of artifacts said so.
    walk_forward : ndarray of shape (N,), bool, or None
        Of an out-of-sample history, which fit spoke: one of the walk-forward's, or, where False,
        the served model, of a day after its training. None in any other forecast.

    Examples
    --------
    >>> import aegismatrix as am
    >>> forecast = am.Engine().predict(am.sample_bars())
    >>> list(forecast)[:3]
    ['trap', 'regime', 'breach']
    >>> forecast["breach"].shape
    (1, 5, 4, 6)
    """

    dates: DateArray
    in_sample: NDArray[np.bool_]
    close: FloatArray
    iv_percent: FloatArray
    implied_sigma: FloatArray
    features: FloatArray
    horizon_days: FloatArray
    distance: FloatArray
    upper_distance: FloatArray
    probabilities: Mapping[str, FloatArray]
    columns: Mapping[str, tuple[str, ...]]
    manifest_digest: str
    walk_forward: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.dates)

    def __getitem__(self, model: str) -> FloatArray:
        name = as_text(model, "model", f"Give one of {list(self.probabilities)}.")
        if name not in self.probabilities:
            raise errors.UnknownModelError(
                name, known=tuple(self.probabilities), path="this forecast"
            )
        return self.probabilities[name]

    def __contains__(self, model: object) -> bool:
        return isinstance(model, str) and str.__str__(model) in self.probabilities

    def __iter__(self) -> Iterator[str]:
        return iter(self.probabilities)

    def table(self) -> dict[str, FloatArray]:
        """Return every forecast as a column of shape (N,), in the engine's own order.

        Of a surface it is the probability of either edge, with the distance named in basis points
        of spot.

        Examples
        --------
        >>> import aegismatrix as am
        >>> list(am.Engine().predict(am.sample_bars()).table())[:3]
        ['trap_5', 'trap_10', 'trap_20']
        """
        return {
            column: values
            for model, columns in self.columns.items()
            for column, values in zip(columns, _flat(self.probabilities[model]).T, strict=True)
        }

    def row(self, position: int = -1) -> dict[str, float]:
        """Return one day's probabilities by column, as `table` has them.

        Parameters
        ----------
        position : int
            Row, -1 for the last day.

        Examples
        --------
        >>> import aegismatrix as am
        >>> 0.0 < am.Engine().predict(am.sample_bars()).row()["trap_5"] < 1.0
        True
        """
        place = as_whole(position, "position", least=-len(self), most=len(self) - 1)
        return {column: float(values[place]) for column, values in self.table().items()}

    def to_pandas(self) -> pd.DataFrame:
        """Return every day and every probability as a pandas frame of N rows (extra ``frames``).

        Its columns are date, close, iv and in_sample, of an out-of-sample history walk_forward,
        then those of `table`.

        Raises
        ------
        MissingExtraError
            If pandas is not installed.

        Examples
        --------
        >>> import aegismatrix as am
        >>> am.Engine().history(am.sample_bars()).to_pandas().columns[:4].tolist()
        ['date', 'close', 'iv', 'in_sample']
        """
        try:
            import pandas
        except ImportError as error:
            raise MissingExtraError("pandas", extra="frames") from error
        frame: pd.DataFrame = pandas.DataFrame(self._columns())
        return frame

    def to_polars(self) -> pl.DataFrame:
        """Return what `to_pandas` does as a Polars frame (extra ``polars``).

        Raises
        ------
        MissingExtraError
            If Polars is not installed.

        Examples
        --------
        >>> import aegismatrix as am
        >>> am.Engine().history(am.sample_bars()).to_polars().columns[:4]  # doctest: +SKIP
        ['date', 'close', 'iv', 'in_sample']
        """
        try:
            import polars
        except ImportError as error:
            raise MissingExtraError("polars", extra="polars") from error
        frame: pl.DataFrame = polars.DataFrame(self._columns())
        return frame

    def _columns(self) -> dict[str, NDArray[Any]]:
        """Every column by its name: of the bars, and of `table`."""
        known = {"date": self.dates, "close": self.close, "iv": self.iv_percent}
        fits = {} if self.walk_forward is None else {"walk_forward": self.walk_forward}
        return {**known, "in_sample": self.in_sample, **fits, **self.table()}

    def __repr__(self) -> str:
        last = ", ".join(f"{column} {value:.3f}" for column, value in list(self.row().items())[:3])
        return f"Forecast({len(self)} days to {self.dates[-1]}: {last}, ...)"


def _flat(probability: FloatArray) -> FloatArray:
    """One row per day; of a surface, either edge."""
    of_cells = probability[:, 0] if probability.ndim == len(_SURFACE_SHAPE) else probability
    return of_cells.reshape(len(probability), -1)


class Engine:
    """The fused artifact: raw bars to every probability, in one session.

    Safe to share between threads.

    Parameters
    ----------
    path : path-like, optional
        A folder of artifacts; by default the bundled one.
    threads : int
        That one forecast may use, 1 to 64. One is the best where many are made at a time;
        `docs/artifacts.md` has what was measured.

    Attributes
    ----------
    manifest : Manifest
        Everything sealed about its artifacts.

    Raises
    ------
    ArtifactError
        One of its children, saying which file and why.
    ArgumentError
        If `threads` is no such number.

    Examples
    --------
    >>> import aegismatrix as am
    >>> engine = am.Engine()
    >>> [head.name for head in engine.heads][:3]
    ['trap', 'regime', 'breach']
    """

    def __init__(self, path: str | os.PathLike[str] | None = None, *, threads: int = 1) -> None:
        self._threads = as_whole(threads, "threads", least=1, most=MOST_THREADS, unit="threads")
        self.manifest = manifest = read_manifest(path)
        self._model = load_model(manifest, ENGINE_NAME, self._threads)
        _check_engine(manifest)
        self._opened: dict[str, Model] = {}
        self._walked: WalkForward | None = None
        self._heads = [out for out in self._model.spec.outputs if out.unit in _FORECAST_UNITS]
        self._inputs = {array.name for array in self._model.spec.inputs}
        self._spans = _training_spans(manifest)

    def __reduce__(self) -> NoReturn:
        raise errors.NotTransferableError("Engine", "Engine()")

    @property
    def spec(self) -> ModelSpec:
        """What is sealed about the fused artifact."""
        return self._model.spec

    @property
    def lookback_bars(self) -> int:
        """Bars that one forecast needs."""
        return self._model.spec.lookback_bars

    @property
    def heads(self) -> tuple[ArraySpec, ...]:
        """What it forecasts, probabilities and quantiles of volatility: names and columns."""
        return tuple(self._heads)

    def __repr__(self) -> str:
        heads = ", ".join(head.name for head in self._heads)
        return f"Engine({heads}; {self.lookback_bars} bars; manifest {self.manifest.digest[:12]})"

    def predict(
        self,
        bars: Bars,
        *,
        horizon_days: ArrayLike = HORIZONS_DAYS,
        distance: ArrayLike = DISTANCES,
        upper_distance: ArrayLike | None = None,
    ) -> Forecast:
        """Forecast one day, from the last bar.

        Parameters
        ----------
        bars : Bars
            At least `lookback_bars`; older ones are not looked at.
        horizon_days : array-like of shape (H,)
            Horizons of the breach surface: whole trading days, 1 to 30.
        distance : array-like of shape (D,)
            Its log distances, above 0; p points are ``ln(1 + p / close)``.
        upper_distance : array-like of shape (D,), optional
            Those of the upper edges, each of a pair with the lower edge at the same place; by
            default as far away as the lower ones.

        Raises
        ------
        InsufficientHistoryError
            Saying how many bars are missing.

        Examples
        --------
        >>> import aegismatrix as am
        >>> am.Engine().predict(am.sample_bars(), horizon_days=[7], distance=[0.02])["breach"].shape
        (1, 5, 1, 1)
        """
        return self._forecast(bars, horizon_days, distance, upper_distance, last_only=True)

    def history(
        self,
        bars: Bars,
        *,
        horizon_days: ArrayLike = HORIZONS_DAYS,
        distance: ArrayLike = DISTANCES,
        upper_distance: ArrayLike | None = None,
        out_of_sample: bool = False,
        heads: Sequence[str] | None = None,
    ) -> Forecast:
        """Forecast from every bar that has enough history: T - lookback_bars + 1 days.

        Row i is what `predict` gives on the bars up to it.

        Parameters
        ----------
        bars, horizon_days, distance, upper_distance
            As for `predict`.
        out_of_sample : bool
            Whether to leave out what the served model says of days that it has learnt from. On
            those days its walk-forward speaks, with fits that had seen nothing later, as it was
            sealed: to 1/8192, volatility to 1/2000 of itself, of the models that `SealedForecasts`
            are of, and at no horizons and distances but those that stand here by default. After the
            training the served model speaks. `Forecast.walk_forward` says which,
            `Forecast.in_sample` is False throughout.
            Days before the first scored one, and any other day of the training that was not
            forecast, are left out.
        heads : sequence of str, optional
            The models to ask, by name; by default all of them. Those that are left out cost
            nothing, the days are the same. A long history is computed in pieces, and takes little
            more memory than what it returns.

        Raises
        ------
        InsufficientHistoryError
            Saying how many bars are missing.
        UnknownModelError
            If the engine has no such head.
        SealedForecastsError
            If the artifacts seal no such forecasts, or the file is not here.
        OutOfSampleBarsError
            If these are other bars than those that were forecast, or none of them was.
        ContractError
            If a surface is asked for at horizons or distances that were not sealed.

        Examples
        --------
        >>> import aegismatrix as am
        >>> engine = am.Engine()
        >>> past = engine.history(am.sample_bars()[-400:])
        >>> len(past) == 400 - engine.lookback_bars + 1, past.in_sample.all().item()
        (True, True)
        """
        given = None if heads is None else self._chosen(heads)
        forecast = self._forecast(
            bars, horizon_days, distance, upper_distance, last_only=False, heads=given
        )
        if not as_truth(out_of_sample, "out_of_sample"):
            return forecast
        return self._out_of_sample(forecast, bars)

    def breach_distances(
        self, bars: Bars, targets: Sequence[tuple[int, float]], *, head: str | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Return two edges of which either is touched with given probabilities.

        They are read from the surface of the last bar, a pair for each target, as log distances:
        the lower edge is ``close * exp(-lower)``, the upper ``close * exp(upper)``. Of all pairs it
        is the one whose two edges are touched equally often.

        Parameters
        ----------
        bars : Bars
            At least `lookback_bars`.
        targets : sequence of (horizon_days, probability)
            Whole trading days, 1 to 30, and a probability between 0 and 1, both excluded.
        head : str, optional
            Whose surface; by default the first that the artifacts give.

        Returns
        -------
        lower, upper : ndarray of shape (n,)
            Log distances, above 0.

        Raises
        ------
        InsufficientHistoryError
            Saying how many bars are missing.
        ContractError
            If the artifacts give no surface, or it does not reach a probability.

        Examples
        --------
        >>> import aegismatrix as am
        >>> lower, upper = am.Engine().breach_distances(am.sample_bars(), [(5, 0.5), (20, 0.5)])
        >>> bool(lower[0] < lower[1]), bool(upper[0] < upper[1])
        (True, True)
        """
        from aegismatrix.engine.surface import edges_of

        name = self._surface(head)
        wanted = _targets(targets)
        return edges_of(self._last_surface(bars, name), wanted)

    def close_returns(
        self, bars: Bars, targets: Sequence[tuple[int, float]], *, head: str | None = None
    ) -> FloatArray:
        """Return the quantiles of the log return to the close at the end of a horizon.

        They are read from the surface of the last bar: below the n-th the close ends with the n-th
        probability.

        Parameters
        ----------
        bars, head
            As for `breach_distances`.
        targets : sequence of (horizon_days, probability)
            As for `breach_distances`.

        Returns
        -------
        ndarray of shape (n,)
            Log returns from the last close.

        Raises
        ------
        InsufficientHistoryError, ContractError
            As for `breach_distances`.

        Examples
        --------
        >>> import aegismatrix as am
        >>> low, high = am.Engine().close_returns(am.sample_bars(), [(5, 0.1), (5, 0.9)])
        >>> bool(low < 0 < high)
        True
        """
        from aegismatrix.engine.surface import returns_of

        name = self._surface(head)
        wanted = _targets(targets)
        return returns_of(self._last_surface(bars, name), wanted)

    def touch(
        self,
        bars: Bars,
        *,
        strike: ArrayLike,
        by: Day | Sequence[Day] | None = None,
        horizon_days: int | Sequence[int] | None = None,
        head: str | None = None,
    ) -> StrikeTable:
        """Say how likely each strike is touched by each expiry.

        A strike below the last close is touched by a low, one above it by a high, on any session
        after the last bar up to and including the expiry.

        Parameters
        ----------
        bars : Bars
            At least `lookback_bars`.
        strike : array-like of shape (K,), or one number
            Index points.
        by : date-like, or several
            Sessions of the exchange, after the last bar and at most 30 trading days ahead.
        horizon_days : int, or several
            Trading days instead, 1 to 30, such as for a market without a calendar.
        head : str, optional
            Whose surface; by default the first that the artifacts give.

        Raises
        ------
        StrikeError
            If a strike, an expiry or both together cannot be answered; its `kind` says why.
        InsufficientHistoryError, CalendarError, ContractError
            As for `breach_distances`, and where an expiry lies beyond the exchange's calendar.

        Examples
        --------
        >>> import aegismatrix as am
        >>> table = am.Engine().touch(am.sample_bars(), strike=[2400, 2600], horizon_days=[5, 20])
        >>> table.probability.shape, bool((table.probability[1] > table.probability[0]).all())
        ((2, 2), True)
        """
        return self._asked("touch", bars, strike, by, horizon_days, head)

    def beyond(
        self,
        bars: Bars,
        *,
        strike: ArrayLike,
        by: Day | Sequence[Day] | None = None,
        horizon_days: int | Sequence[int] | None = None,
        head: str | None = None,
    ) -> StrikeTable:
        """Say how likely the close on each expiry lies beyond each strike.

        Beyond a strike below the last close is below it, beyond one above it above. That is never
        likelier than a touch.

        Parameters
        ----------
        bars, strike, by, horizon_days, head
            As for `touch`.

        Raises
        ------
        StrikeError, InsufficientHistoryError, CalendarError, ContractError
            As for `touch`.

        Examples
        --------
        >>> import aegismatrix as am
        >>> engine, bars = am.Engine(), am.sample_bars()
        >>> ends = engine.beyond(bars, strike=2600, horizon_days=5).probability
        >>> bool((ends <= engine.touch(bars, strike=2600, horizon_days=5).probability).all())
        True
        """
        return self._asked("beyond", bars, strike, by, horizon_days, head)

    def survive(
        self,
        bars: Bars,
        *,
        lower: ArrayLike,
        upper: ArrayLike,
        by: Day | Sequence[Day] | None = None,
        horizon_days: int | Sequence[int] | None = None,
        head: str | None = None,
    ) -> SurvivalTable:
        """Say how likely neither of two strikes is touched by each expiry.

        Parameters
        ----------
        bars, by, horizon_days, head
            As for `touch`.
        lower, upper : array-like of shape (P,), or one number
            Strikes in pairs, below and above the last close; one number pairs with all others.

        Raises
        ------
        StrikeError, InsufficientHistoryError, CalendarError, ContractError
            As for `touch`; also if a strike is on the wrong side of the last close.

        Examples
        --------
        >>> import aegismatrix as am
        >>> engine, bars = am.Engine(), am.sample_bars()
        >>> table = engine.survive(bars, lower=[2200, 2300], upper=2700, horizon_days=5)
        >>> bool(table.probability[0, 0] > table.probability[0, 1])
        True
        """
        from aegismatrix.engine import strikes
        from aegismatrix.engine.surface import EITHER

        surface, spot = self._last_surface(bars, self._surface(head)), float(bars.close[-1])
        below, above = strikes.pairs_of(lower, upper, spot)
        expiries, days = strikes.horizons_of(bars, by, horizon_days)
        distances = -strikes.distances_to(below, spot), strikes.distances_to(above, spot)
        return strikes.SurvivalTable(
            as_of=str(bars.dates[-1]),
            spot=spot,
            expiries=expiries,
            horizon_days=days,
            lower=below,
            upper=above,
            probability=1.0 - surface(days, *distances)[EITHER],
        )

    def short_premium(
        self,
        bars: Bars,
        *,
        put: float,
        call: float,
        premium: float,
        long_put: float | None = None,
        long_call: float | None = None,
        by: Day | None = None,
        horizon_days: int | None = None,
        head: str | None = None,
    ) -> ShortPremium:
        """Say what a short strangle or condor pays at its expiry, by the distribution of the close.

        Parameters
        ----------
        bars, head
            As for `touch`.
        put, call : float
            Strikes that are sold, index points.
        premium : float
            Received for all legs together, index points above 0.
        long_put, long_call : float, optional
            Strikes that are bought further out: both, or neither.
        by, horizon_days
            As for `touch`, one.

        Raises
        ------
        StrikeError
            Also if the legs are not in order, no premium was received, or it cannot lose.
        InsufficientHistoryError, CalendarError, ContractError
            As for `touch`.

        Examples
        --------
        >>> import aegismatrix as am
        >>> sold = am.Engine().short_premium(
        ...     am.sample_bars(), put=2400, call=2600, premium=40, horizon_days=5
        ... )
        >>> sold.breakeven_lower, sold.breakeven_upper, 0 < sold.probability_of_profit < 1
        (2360.0, 2640.0, True)
        """
        from aegismatrix.engine import premium as selling
        from aegismatrix.engine import strikes
        from aegismatrix.engine.surface import ABOVE, BELOW

        legs = selling.legs_of(put, call, long_put, long_call)
        received = selling.premium_of(premium, legs)
        surface, spot = self._last_surface(bars, self._surface(head)), float(bars.close[-1])
        expiries, days = strikes.horizons_of(
            bars,
            None if by is None else (by,),
            None if horizon_days is None else (horizon_days,),
        )
        deviation = float(self.predict(bars).implied_sigma[-1]) * math.sqrt(days[0])
        reach = selling.FURTHEST_DEVIATIONS * deviation
        counted = spot * math.exp(-reach), spot * math.exp(reach)

        def below(levels: FloatArray) -> FloatArray:
            signed = np.log(np.clip(levels, *counted) / spot)
            distance = np.clip(np.abs(signed), LEAST_DISTANCE, MOST_DISTANCE)
            ends = surface(days, distance, distance)[:, 0]
            return np.asarray(np.where(signed < 0.0, ends[BELOW], 1.0 - ends[ABOVE]))

        lower, upper = selling.breakevens_of(legs, received)
        edges = below(np.array([lower, upper]))
        # Beyond the furthest close that is counted there is nothing.
        low = edges[0] if lower > counted[0] else 0.0
        high = edges[1] if upper < counted[1] else 1.0
        mean, shortfall, worst = selling.outcomes_of(below, legs, received, counted)
        return selling.ShortPremium(
            as_of=str(bars.dates[-1]),
            spot=spot,
            expiry=expiries[0] if expiries else None,
            horizon_days=days[0],
            put=legs[0],
            call=legs[1],
            long_put=legs[2],
            long_call=legs[3],
            premium=received,
            breakeven_lower=lower,
            breakeven_upper=upper,
            probability_of_profit=float(high - low),
            expected_payoff=mean,
            expected_shortfall=shortfall,
            worst_payoff=worst,
            counted_from=counted[0],
            counted_to=counted[1],
        )

    def _asked(
        self,
        question: str,
        bars: Bars,
        strike: object,
        by: object,
        horizon_days: object,
        head: str | None,
    ) -> StrikeTable:
        from aegismatrix.engine import strikes
        from aegismatrix.engine.surface import ABOVE, BELOW, DOWN, UP

        surface, spot = self._last_surface(bars, self._surface(head)), float(bars.close[-1])
        given = strikes.strikes_of(strike, "strike")
        signed = strikes.distances_to(given, spot)
        expiries, days = strikes.horizons_of(bars, by, horizon_days)
        columns = surface(days, np.abs(signed), np.abs(signed))
        lower, upper = (DOWN, UP) if question == "touch" else (BELOW, ABOVE)
        return strikes.StrikeTable(
            question=question,
            as_of=str(bars.dates[-1]),
            spot=spot,
            expiries=expiries,
            horizon_days=days,
            strikes=given,
            sides=tuple("lower" if one < 0.0 else "upper" for one in signed.tolist()),
            probability=np.where(signed < 0.0, columns[lower], columns[upper]),
        )

    def _last_surface(self, bars: Bars, name: str) -> Surface:
        """The surface of the last bar at any horizons and pairs of distances."""
        self._check_bars(bars)
        last = bars[-self.lookback_bars :]
        of_bars = {"high": last.high, "low": last.low, "close": last.close, "iv": last.iv}

        def surface(
            horizon_days: Sequence[int], lower: FloatArray, upper: FloatArray
        ) -> FloatArray:
            given = {
                **of_bars,
                "horizon": np.array(horizon_days, dtype=np.float64),
                "lower_distance": np.ascontiguousarray(lower),
                "upper_distance": np.ascontiguousarray(upper),
            }
            outputs = self._model.run_validated(
                {key: values for key, values in given.items() if key in self._inputs}
            )
            return np.asarray(outputs[name][0])

        return surface

    def unseen(
        self,
        head: str,
        forecast: Forecast,
        *,
        horizon_days: int | None = None,
        distance: FloatArray | None = None,
        upper_distance: FloatArray | None = None,
        side: str | None = None,
    ) -> FloatArray:
        """Say what was or would have been forecast without a look at the outcome, in shape (N,).

        For days outside of the training span these are the model's probabilities, inside of it
        those of the fits that had seen nothing later; NaN where there is no such fit. They are of
        the model's first column or, of a surface, of either edge or the side that is asked for.

        Parameters
        ----------
        head : str
            A model whose fits of the past are sealed beside it.
        forecast : Forecast
            N days.
        horizon_days : int, optional
            Of a surface: whole trading days, 1 to 30.
        distance, upper_distance : ndarray of shape (N,), optional
            Of a surface: a log distance for each day, of the upper edge by default the same.
        side : str, optional
            Of a surface: one of its columns, by default the first.

        Raises
        ------
        UnknownModelError
            If no such fits are sealed.

        Examples
        --------
        >>> import aegismatrix as am
        >>> engine = am.Engine()
        >>> past = engine.history(am.sample_bars()[-400:])
        >>> engine.unseen("breakout", past).shape == (len(past),)
        True
        """
        past = self._open(past_of(as_text(head, "head", "Give the name of a model.")))
        as_kind(forecast, Forecast, "forecast", "Give a Forecast, made with Engine.history.")
        starts = np.array([first for first, _ in past.spec.stretches], dtype="datetime64[D]")
        fit = np.searchsorted(starts, forecast.dates, side="right") - 1
        (span,) = past.spec.training
        # What came before the first bar of training was not seen by the last fit either.
        fit = np.where(forecast.dates < np.datetime64(span.first), len(starts) - 1, fit)
        given: dict[str, NDArray[Any]] = {}
        if horizon_days is not None or distance is not None:
            horizon = as_whole(
                horizon_days, "horizon_days", least=1, most=LONGEST_DAYS, unit="trading days"
            )
            given = {
                "implied_sigma": forecast.implied_sigma,
                "horizon": np.array([float(horizon)]),
                "lower_distance": _one_a_day(distance, len(forecast)),
                "upper_distance": _one_a_day(
                    distance if upper_distance is None else upper_distance, len(forecast)
                ),
            }
        outputs = past.run(features=forecast.features, fit=np.maximum(fit, 0), **given)
        columns = past.spec.outputs[0].columns
        choice = f"Give one of {list(columns)}."
        wanted = columns[0] if side is None else as_text(side, "side", choice)
        if wanted not in columns:
            raise ArgumentError("side", shown(side), remedy=choice)
        place = columns.index(wanted)
        by_column = outputs[_PROBABILITY].reshape(len(forecast), len(columns), -1)
        unseen: FloatArray = by_column[:, place, 0].copy()
        unseen[fit < 0] = np.nan
        return unseen

    def overnight(self, forecast: Forecast, nights: Nights) -> dict[str, FloatArray]:
        """Forecast the session after each night from what the US markets did in it.

        The result is by column of ``overnight.onnx``, which is no part of the fused artifact, in
        shape (N,). On the days of an out-of-sample history on which the walk-forward speaks, it is
        what the walk-forward said.

        Parameters
        ----------
        forecast : Forecast
            N days.
        nights : Nights
            Those after the same days, all known.

        Raises
        ------
        UnknownModelError
            If the artifacts hold no ``overnight.onnx``: it is made where US bars are at hand.
        ContractError
            If nights and days differ, or one is not known.

        Examples
        --------
        >>> import aegismatrix as am
        >>> "overnight" in am.Engine().manifest.models
        True
        """
        if OVERNIGHT not in self.manifest.models:
            raise errors.UnknownModelError(
                OVERNIGHT,
                known=tuple(self.manifest.models),
                path=str(self.manifest.folder),
                remedy="Use artifacts trained with US bars, or leave the overnight bars out.",
            )
        as_kind(forecast, Forecast, "forecast", "Give a Forecast, made with Engine.history.")
        _check_nights(nights)
        if not np.array_equal(forecast.dates, nights.dates) or not nights.known.all():
            raise ContractError(
                OVERNIGHT,
                "nights",
                f"are not {len(forecast)} known ones after the days of the forecast",
                remedy="Align the US bars with the same days and keep those that are known.",
            )
        model = self._open(OVERNIGHT)
        probability = model.run(
            features=np.ascontiguousarray(forecast.features),
            implied_sigma=np.ascontiguousarray(forecast.implied_sigma),
            **nights.inputs(),
        )[_PROBABILITY]
        if forecast.walk_forward is not None:
            from aegismatrix.engine.out_of_sample import sealed_nights

            walked, path = self._walk_forward()
            days, columns = forecast.dates[forecast.walk_forward], model.spec.outputs[0].columns
            probability = probability.copy()
            probability[forecast.walk_forward] = sealed_nights(
                walked, OVERNIGHT, columns, days, path
            )
        return dict(zip(model.spec.outputs[0].columns, probability.T, strict=True))

    def _walk_forward(self) -> tuple[WalkForward, str]:
        """Read what the walk-forward forecast, when it is first asked for, and say from where."""
        from aegismatrix.artifacts.forecasts import read_forecasts

        if self._walked is None:
            self._walked = read_forecasts(self.manifest)
        sealed = self.manifest.attachments[FORECASTS_KEY]
        return self._walked, str(self.manifest.folder / sealed.file)

    def _out_of_sample(self, forecast: Forecast, bars: Bars) -> Forecast:
        from aegismatrix.engine.out_of_sample import pick_days, sealed_cells

        walked, path = self._walk_forward()
        asked = forecast.horizon_days, forecast.distance, forecast.upper_distance
        sealed = {
            head.name: sealed_cells(walked, head, *asked, path)
            for head in self._heads
            if head.name in walked.heads and head.name in forecast
        }
        if not sealed:
            raise errors.SealedForecastsError(
                path, "malformed", "none of its models is the engine's"
            )
        trained_until = self._spans[-1][1] if self._spans else forecast.dates[-1]
        rows, places = pick_days(walked, sealed, bars, forecast.dates, trained_until)
        by_walk = places >= 0
        probabilities = {}
        for name, values in sealed.items():
            kept = forecast[name][rows].copy()
            kept[by_walk] = values[places[by_walk]]
            probabilities[name] = kept
        return replace(
            forecast,
            dates=forecast.dates[rows],
            in_sample=np.zeros(len(rows), dtype=bool),
            close=forecast.close[rows],
            iv_percent=forecast.iv_percent[rows],
            implied_sigma=forecast.implied_sigma[rows],
            features=forecast.features[rows],
            probabilities=probabilities,
            columns={name: forecast.columns[name] for name in probabilities},
            walk_forward=by_walk,
        )

    def _open(self, name: str) -> Model:
        """Open an artifact beside the fused one, when it is first asked for."""
        if name not in self._opened:
            self._opened[name] = load_model(self.manifest, name, self._threads)
        return self._opened[name]

    def _surface(self, head: str | None) -> str:
        wanted = None if head is None else as_text(head, "head", "Give the name of a model.")
        for given in self._heads:
            if given.shape == _SURFACE_SHAPE and wanted in (None, given.name):
                return given.name
        raise ContractError(
            ENGINE_NAME,
            wanted or "distance",
            f"needs a surface of touches: the artifacts in {self.manifest.folder} give none",
            remedy="Use artifacts that were exported with one.",
        )

    def _check_bars(self, bars: Bars) -> None:
        if not isinstance(bars, Bars):
            raise ContractError(
                ENGINE_NAME,
                "bars",
                f"is a {type(bars).__name__}",
                remedy="Give Bars, made with Bars.from_csv, from_frames or from_arrays.",
            )
        if len(bars) < self.lookback_bars:
            raise errors.InsufficientHistoryError(need=self.lookback_bars, have=len(bars))

    def _forecast(
        self,
        bars: Bars,
        horizon_days: ArrayLike,
        distance: ArrayLike,
        upper_distance: ArrayLike | None,
        *,
        last_only: bool,
        heads: Sequence[ArraySpec] | None = None,
    ) -> Forecast:
        self._check_bars(bars)
        first = len(bars) - self.lookback_bars if last_only else 0
        lower = _distances(distance)
        chosen = {
            "horizon": _horizons(horizon_days),
            "lower_distance": lower,
            "upper_distance": _upper_distances(upper_distance, lower),
        }
        # An instance of Bars that exists is finite, float64 and of one length.
        given = {
            "high": bars.high[first:],
            "low": bars.low[first:],
            "close": bars.close[first:],
            "iv": bars.iv[first:],
        }
        outputs = in_pieces(self._run(heads, chosen), given, self.lookback_bars)
        start = first + self.lookback_bars - 1
        dates = bars.dates[start:]
        asked = self._heads if heads is None else heads
        in_sample = np.zeros(len(dates), dtype=bool)
        for span_first, span_last in self._spans:
            in_sample |= (dates >= span_first) & (dates <= span_last)
        return Forecast(
            dates=dates,
            in_sample=in_sample,
            close=bars.close[start:],
            iv_percent=bars.iv[start:],
            implied_sigma=outputs["implied_sigma"],
            features=outputs["features"],
            horizon_days=chosen["horizon"],
            distance=lower,
            upper_distance=chosen["upper_distance"],
            probabilities={head.name: outputs[head.name] for head in asked},
            columns={head.name: _columns(head, chosen["horizon"], lower) for head in asked},
            manifest_digest=self.manifest.digest,
        )

    def _chosen(self, heads: Sequence[str]) -> list[ArraySpec]:
        """The heads of these names, in the engine's own order."""
        known = {head.name: head for head in self._heads}
        names = as_texts(heads, "heads")
        for name in names:
            if name not in known:
                raise errors.UnknownModelError(
                    name, known=tuple(known), path=str(self.manifest.folder)
                )
        return [head for name, head in known.items() if name in names]

    def _run(self, heads: Sequence[ArraySpec] | None, asked: Mapping[str, FloatArray]) -> Run:
        """What computes these heads: the fused file all of them, staged files a choice."""
        if heads is not None:
            opened = {head.name: self._open(head.name) for head in heads}
            return staged(self._open("features"), opened, asked, self.lookback_bars)
        chosen = {name: values for name, values in asked.items() if name in self._inputs}

        def run(bars: Mapping[str, FloatArray]) -> Mapping[str, FloatArray]:
            known = {name: values for name, values in bars.items() if name in self._inputs}
            return self._model.run_validated({**known, **chosen})

        return run


def _check_engine(manifest: Manifest) -> None:
    """Refuse a fused artifact that keeps its own contract but not the one of an engine."""
    spec = manifest.model(ENGINE_NAME)
    shapes = {array.name: array.shape for array in spec.outputs}
    features = shapes.get("features", ())
    faults = [array.name for array in spec.inputs if array.name not in _INPUTS]
    faults += [array.name for array in spec.inputs if len(array.shape) != 1]
    if len(features) != 2 or features[0] != "N":
        faults.append("features")
    if shapes.get("implied_sigma") != ("N",):
        faults.append("implied_sigma")
    for array in spec.outputs:
        of_columns = array.shape == ("N", len(array.columns))
        of_surface = array.shape == _SURFACE_SHAPE
        if array.unit == _PROBABILITY and not (of_columns or of_surface):
            faults.append(array.name)
        if array.unit == _VOLATILITY and not _is_spread(array):
            faults.append(array.name)
    faults += [array.name for array in (*spec.inputs, *spec.outputs) if array.dtype != "float64"]
    # A table has one place for each column, whichever model gives it.
    columns = [
        column
        for array in spec.outputs
        if array.unit in _FORECAST_UNITS and array.shape != _SURFACE_SHAPE
        for column in array.columns
    ]
    faults += [column for column in columns if columns.count(column) > 1]
    if faults:
        raise errors.ArtifactRejectedError(
            str(manifest.folder / spec.file),
            f"its contract is not that of an engine, by {', '.join(dict.fromkeys(faults))}"[:300],
        )


def _is_spread(array: ArraySpec) -> bool:
    """Whether it has a column for each quantile of each horizon."""
    rows, *cells = array.shape
    sizes = [size for size in cells if isinstance(size, int)]
    return rows == "N" and len(sizes) == len(cells) == 2 and math.prod(sizes) == len(array.columns)


def _horizons(horizon_days: ArrayLike) -> FloatArray:
    if horizon_days is HORIZONS_DAYS:
        return _DEFAULT_HORIZONS
    horizons = _numbers(horizon_days)
    if (
        horizons is None
        or not ((horizons >= 1) & (horizons <= LONGEST_DAYS)).all()
        or (horizons != np.floor(horizons)).any()
    ):
        raise ContractError(
            ENGINE_NAME,
            "horizon_days",
            f"is {shown(horizon_days)}",
            remedy=f"Give one or more different whole trading days from 1 to {LONGEST_DAYS}.",
        )
    return horizons


def _distances(distance: ArrayLike) -> FloatArray:
    if distance is DISTANCES:
        return _DEFAULT_DISTANCES
    distances = _numbers(distance)
    if (
        distances is None
        or not ((distances >= LEAST_DISTANCE) & (distances <= MOST_DISTANCE)).all()
    ):
        raise ContractError(
            ENGINE_NAME,
            "distance",
            f"is {shown(distance)}",
            remedy="Give one or more different log distances above 0, from"
            f" {LEAST_DISTANCE} to {MOST_DISTANCE}: p points are ln(1 + p / close).",
        )
    return distances


def _upper_distances(distance: ArrayLike | None, lower: FloatArray) -> FloatArray:
    """As many as of the lower edges; the same one may stand in several pairs."""
    if distance is None:
        return lower
    distances = _numbers(distance, different=False)
    if (
        distances is None
        or distances.shape != lower.shape
        or not ((distances >= LEAST_DISTANCE) & (distances <= MOST_DISTANCE)).all()
    ):
        raise ContractError(
            ENGINE_NAME,
            "upper_distance",
            f"is {shown(distance)}",
            remedy=f"Give {len(lower)} log distances above 0, one for each lower edge, from"
            f" {LEAST_DISTANCE} to {MOST_DISTANCE}.",
        )
    return distances


def _numbers(values: ArrayLike, *, different: bool = True) -> FloatArray | None:
    """One number, or a row of different ones, as a row of floats; None where it is neither."""
    try:
        given = array_of(values)
    except Exception:  # noqa: BLE001
        # What is no array is converted by its own code, which may raise anything.
        return None
    # Half precision has no 0.01, and a masked array numbers that it hides.
    if isinstance(values, list | tuple) and any(type(one) is bool for one in values):
        return None
    halved = given.dtype.kind == "f" and given.dtype.itemsize < _LEAST_BYTES
    hidden = is_masked_array(values) and np.ma.is_masked(values)
    if (
        given.dtype.kind not in "iuf"
        or halved
        or hidden
        or given.ndim > 1
        or not 0 < given.size <= MAX_GIVEN
    ):
        return None
    with np.errstate(over="ignore"):
        row = np.atleast_1d(given.astype(np.float64))
    return row if not different or len(set(row.tolist())) == row.size else None


def _targets(given: object) -> list[tuple[int, float]]:
    """One target or more."""
    wanted = [_target(one) for one in as_rows(given, "targets", _TARGETS)]
    if not wanted:
        raise ArgumentError("targets", shown(given), remedy=_TARGETS)
    return wanted


def _target(given: object) -> tuple[int, float]:
    """A horizon and a probability, as `Engine.breach_distances` takes them."""
    pair = as_rows(given, "a target", _TARGETS)
    if len(pair) != 2:
        raise ArgumentError("a target", shown(given), remedy=_TARGETS)
    days = as_whole(pair[0], "a horizon", least=1, most=LONGEST_DAYS, unit="trading days")
    probability = as_real(pair[1], "a probability", _TARGETS)
    if not 0.0 < probability < 1.0:
        raise ArgumentError("a probability", shown(pair[1]), remedy=_TARGETS)
    return days, probability


def _one_a_day(distance: object, days: int) -> FloatArray:
    """A log distance for each day, as a column."""
    distances = None if distance is None else as_floats(distance, "unseen", "distance")
    if (
        distances is None
        or distances.shape != (days,)
        or not ((distances >= LEAST_DISTANCE) & (distances <= MOST_DISTANCE)).all()
    ):
        raise ContractError(
            ENGINE_NAME,
            "distance",
            f"is {shown(distance)}",
            remedy=f"Give one log distance above 0 for each of the {days} days, with horizon_days.",
        )
    return np.ascontiguousarray(distances[:, None])


def _check_nights(nights: object) -> None:
    from aegismatrix.market.overnight import Nights

    as_kind(nights, Nights, "nights", "Give nights, made with last_night or align.")


def _columns(head: ArraySpec, horizon_days: FloatArray, distance: FloatArray) -> tuple[str, ...]:
    if head.shape != _SURFACE_SHAPE:
        return head.columns
    return _surface_columns(head.name, tuple(horizon_days.tolist()), tuple(distance.tolist()))


@lru_cache(maxsize=64)
def _surface_columns(
    name: str, horizon_days: tuple[float, ...], distance: tuple[float, ...]
) -> tuple[str, ...]:
    points = [_basis_points(one) for one in distance]
    return tuple(f"{name}_h{horizon:g}_d{point}" for horizon in horizon_days for point in points)


def _basis_points(distance: float) -> str:
    """Whole basis points where it is some to rounding, all digits where it is not."""
    points = math.expm1(distance) * 1e4
    return f"{round(points)}" if abs(points - round(points)) < 1e-6 else repr(points)


def _training_spans(manifest: Manifest) -> list[tuple[np.datetime64, np.datetime64]]:
    """Spans of days that any model has learnt from, on whichever market, without overlaps."""
    spans = sorted(
        (np.datetime64(span.first), np.datetime64(span.last))
        for model in manifest.models.values()
        for span in model.training
    )
    merged: list[tuple[np.datetime64, np.datetime64]] = []
    for first, last in spans:
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return merged
