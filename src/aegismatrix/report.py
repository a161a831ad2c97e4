"""The report: everything about the last bar, as typed values and as strict JSON."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from aegismatrix.engine import BREACH, BREAKOUT
from aegismatrix.errors import ContractError, MissingExtraError
from aegismatrix.files import write_atomically
from aegismatrix.html.page import notebook_frame, render_page
from aegismatrix.signals import seller as selling
from aegismatrix.signals.buyer import BuyerSignal, SpikeRate
from aegismatrix.signals.direction import DirectionSignal
from aegismatrix.signals.intraday import IntradaySignal
from aegismatrix.signals.market import MarketState
from aegismatrix.signals.seller import HitRate, SellerSignal

NOT_JUDGED = "not judged"
"""In place of a verdict on what no walk-forward has scored."""

_PROBABILITY_DIGITS = 6
_DISTANCE_DIGITS = 12


@dataclass(frozen=True)
class Provenance:
    """Where the numbers come from.

    Attributes
    ----------
    package_version, manifest_digest : str
        Which code, which set of artifacts.
    market : {'nifty', 'other'}
        Whose bars.
    source : str
        What they were read from.
    intraday_source, chain_source : str or None
        What 5-minute bars and option chain were read from, where given.
    rows : int
        Bars.
    iv_fills : tuple of dict
        Days whose iv was carried forward.
    artifacts : mapping of str to dict
        File, version and sha256 of each artifact.
    training : tuple of dict
        Markets and spans that the models were trained on.
    skill : mapping of str to dict
        By judged output: verdict, skill with its 95 % interval, baseline, market.
    in_sample : bool
        Whether the last bar lies inside the training span.
    demonstration : str or None
        Why the report proves nothing, where it does not: another market, in-sample.
    """

    package_version: str
    manifest_digest: str
    market: str
    source: str
    intraday_source: str | None
    chain_source: str | None
    rows: int
    iv_fills: tuple[dict[str, Any], ...]
    artifacts: Mapping[str, Mapping[str, str]]
    training: tuple[dict[str, Any], ...]
    skill: Mapping[str, Mapping[str, Any]]
    in_sample: bool
    demonstration: str | None


@dataclass(frozen=True)
class PriceHistory:
    """The last sessions, for a chart.

    Attributes
    ----------
    dates : tuple of str
        ISO 8601, rising; the last one is that of the report.
    close : tuple of float
        Index points.
    iv_percent : tuple of float
        The volatility index.
    """

    dates: tuple[str, ...]
    close: tuple[float, ...]
    iv_percent: tuple[float, ...]


@dataclass(frozen=True, repr=False)
class Report:
    """What `analyze` says about the last bar.

    Attributes
    ----------
    generated_at : str
        ISO 8601, UTC: the only field that two runs on the same bars and artifacts may differ in.
    as_of : str
        Day of the last bar.
    session : {'closed', 'partial'}
        Whether that day's session had ended when the report was made.
    market : MarketState
        Spot, volatility index, regime.
    direction : DirectionSignal
        Sign and size of the moves ahead.
    seller : SellerSignal
        What a seller of options reads.
    buyer : BuyerSignal
        What a buyer of options reads.
    intraday : IntradaySignal or None
        The last session of the 5-minute bars, where given.
    price_history : PriceHistory
        The last sessions.
    provenance : Provenance
        Where the numbers come from.
    """

    generated_at: str
    as_of: str
    session: str
    market: MarketState
    direction: DirectionSignal
    seller: SellerSignal
    buyer: BuyerSignal
    intraday: IntradaySignal | None
    price_history: PriceHistory
    provenance: Provenance

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values, probabilities to six digits, points to two.

        Returns
        -------
        dict
            As the shipped JSON Schema says (`schema`).
        """
        plain: dict[str, Any] = {
            "generated_at": self.generated_at,
            "as_of": self.as_of,
            "session": self.session,
            "market": _rounded(asdict(self.market)),
            "direction": self._direction(),
            "seller": self._seller(),
            "buyer": self._buyer(),
        }
        if self.intraday is not None:
            plain["intraday"] = _rounded(_present(asdict(self.intraday)))
        plain["price_history"] = _rounded(asdict(self.price_history))
        plain["provenance"] = _rounded(_present(asdict(self.provenance)))
        return plain

    def _direction(self) -> dict[str, Any]:
        today, direction = self.direction.today, self.direction
        return {
            "today": {**_rounded(asdict(today)), "verdict": self.verdict("direction_t1")},
            "horizons": {
                name: {
                    **_rounded(asdict(forecast)),
                    "verdict": self.verdict(f"direction_{name}"),
                }
                for name, forecast in direction.horizons.items()
            },
            "risk_score": round(direction.risk_score, _PROBABILITY_DIGITS),
        }

    def _seller(self) -> dict[str, Any]:
        seller = self.seller
        return {
            "safe_range": {
                **self._points(seller.safe_range.lower, seller.safe_range.upper),
                "horizon_days": seller.safe_range.horizon_days,
                "confidence": seller.safe_range.confidence,
                "log_distance": round(seller.safe_range.log_distance, _DISTANCE_DIGITS),
                "verdict": self.verdict(f"{BREACH}_h{seller.safe_range.horizon_days}"),
            },
            "max_pain": {
                **self._points(seller.max_pain.lower, seller.max_pain.upper),
                "confidence": round(seller.max_pain.confidence, _PROBABILITY_DIGITS),
                "method": seller.max_pain.method,
                "verdict": NOT_JUDGED,
            },
            "trap": {
                **_rounded(asdict(seller.trap)),
                "verdict": self.verdict(f"trap_{selling.HEADLINE_TRAP_DAYS}"),
            },
            "skew": _rounded(asdict(seller.skew)),
            "expiry_stress": {
                **_rounded(asdict(seller.expiry_stress)),
                "verdict": self.verdict("regime"),
            },
            "breach_probabilities": [_rounded(asdict(p)) for p in seller.breach_probabilities],
            "breach_surface": _rounded(asdict(seller.breach_surface)),
            "seller_flag": {**_rounded(asdict(seller.seller_flag)), "verdict": NOT_JUDGED},
            **_measured("historical_hit_rate", seller.hit_rate),
            "regime": seller.regime,
            "daily_flag": seller.daily_flag,
        }

    def _buyer(self) -> dict[str, Any]:
        buyer = self.buyer
        bias = buyer.spike_direction_bias
        up_prob = round(bias.up_prob, _PROBABILITY_DIGITS)
        next_sessions = [
            {**_rounded(asdict(one)), "verdict": self.verdict(f"{BREAKOUT}_{one.day_offset}")}
            for one in buyer.breakout_next
        ]
        reason = buyer.gamma_windows_reason
        return {
            "breakout_today": {
                name: value for name, value in next_sessions[0].items() if name != "day_offset"
            },
            "breakout_next": next_sessions,
            "spike_direction_bias": {
                "up_prob": up_prob,
                "down_prob": round(1.0 - up_prob, _PROBABILITY_DIGITS),
                "verdict": NOT_JUDGED,
            },
            "breakout_levels": self._points(
                buyer.breakout_levels.lower, buyer.breakout_levels.upper
            ),
            "gamma_windows": [_rounded(asdict(window)) for window in buyer.gamma_windows],
            **({"gamma_windows_reason": reason} if reason is not None else {}),
            "theta_edge": {**_rounded(asdict(buyer.theta_edge)), "verdict": self.verdict("theta")},
            "regime": buyer.regime,
            "variance_ratio": round(buyer.variance_ratio, _PROBABILITY_DIGITS),
            "buyer_environment": {
                **_rounded(asdict(buyer.buyer_environment)),
                "verdict": NOT_JUDGED,
            },
            **_measured("historical_spike_rate", buyer.spike_rate),
            "environment_state": buyer.environment_state,
        }

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """Return the report as strict JSON, and write it to a file in one step.

        Parameters
        ----------
        path : path-like, optional
            The file; without it nothing is written.

        Returns
        -------
        str
            No NaN, no infinity; one trailing line end.

        Raises
        ------
        OutputError
            If the file cannot be written; the previous one is untouched then.
        """
        text = json.dumps(self.to_dict(), indent=2, allow_nan=False) + "\n"
        if path is not None:
            write_atomically(path, text)
        return text

    def to_html(self, path: str | os.PathLike[str] | None = None) -> str:
        """Return the report as one self-contained page, and write it to a file in one step.

        Parameters
        ----------
        path : path-like, optional
            The file; without it nothing is written.

        Returns
        -------
        str
            HTML that needs no script and no network.

        Raises
        ------
        MissingExtraError
            If Jinja2 is not installed (extra ``report``).
        OutputError
            If the file cannot be written; the previous one is untouched then.
        """
        page = render_page(self.to_dict())
        if path is not None:
            write_atomically(path, page)
        return page

    def _repr_html_(self) -> str | None:
        """Show the page in a notebook; where Jinja2 is missing the summary is shown instead."""
        try:
            return notebook_frame(self.to_html())
        except MissingExtraError:
            return None

    def validate(self) -> None:
        """Hold the report against the shipped JSON Schema (extra ``report``).

        Raises
        ------
        MissingExtraError
            If jsonschema is not installed.
        ContractError
            If a field is missing, of another type or out of its range.
        """
        try:
            import jsonschema
        except ImportError as error:
            raise MissingExtraError("jsonschema", extra="report") from error
        try:
            jsonschema.validate(self.to_dict(), schema(), format_checker=jsonschema.FormatChecker())
        except jsonschema.ValidationError as error:
            raise ContractError(
                "report",
                error.json_path,
                error.message,
                remedy="Nothing was published; report the bars that led here as a bug.",
            ) from error

    def summary(self) -> str:
        """Return a few lines for a terminal, each probability with its verdict."""
        market, seller = self.market, self.seller
        safe, stress = seller.safe_range, seller.expiry_stress
        trap = ", ".join(
            f"{days} d {p:.0%} ({self.verdict(f'trap_{days}')})"
            for days, p in seller.trap.horizons.items()
        )
        curve = ", ".join(
            f"{point.distance} {point.probability:.1%}" for point in seller.breach_probabilities
        )
        today, buyer = self.direction.today, self.buyer
        moves = ", ".join(
            f"{forecast.horizon_days} d {forecast.direction}"
            f" {forecast.expected_move_points:+.0f}"
            f" [{forecast.move_interval_80.lower:+.0f}, {forecast.move_interval_80.upper:+.0f}]"
            for forecast in self.direction.horizons.values()
        )
        verdicts = sorted({self.verdict(f"direction_{name}") for name in self.direction.horizons})
        breakouts = ", ".join(f"{one.day_offset} d {one.score:.0%}" for one in buyer.breakout_next)
        environment, rate = buyer.buyer_environment, buyer.spike_rate
        lines = [
            f"{self.as_of} ({self.session})  spot {market.spot:.2f}"
            f" ({market.spot_change_pct:+.2%}), vix {market.vix:.2f} ({market.vix_change:+.2f}),"
            f" {market.regime}",
            "for sellers",
            f"  seller flag    {seller.seller_flag.label}: {', '.join(seller.seller_flag.reasons)}"
            f" ({NOT_JUDGED})",
            f"  trap           {seller.trap.label}: {trap}; usual {seller.trap.base_rate:.0%}",
            f"  expiry stress  {stress.label}: {stress.score:.2f}, high volatility"
            f" {stress.probabilities['high']:.0%} ({self.verdict('regime')})",
            f"  safe range     {safe.lower:.0f} to {safe.upper:.0f} over {safe.horizon_days} days"
            f" at {safe.confidence:.0%} ({self.verdict(f'{BREACH}_h{safe.horizon_days}')})",
            f"  held           {seller.hit_rate.rate:.0%} of the last {seller.hit_rate.n} windows"
            f" [{seller.hit_rate.lower:.0%}, {seller.hit_rate.upper:.0%}]",
            f"  touch          within {safe.horizon_days} days, by points: {curve}",
            "for buyers",
            f"  environment    {environment.label}: {', '.join(environment.reasons)}"
            f" ({NOT_JUDGED})",
            f"  breakout       {buyer.breakout_today.label}: {breakouts}; usual"
            f" {buyer.breakout_today.base_rate:.0%} ({self.verdict(f'{BREAKOUT}_1')})",
            f"  then           up {buyer.spike_direction_bias.up_prob:.0%}, to"
            f" {buyer.breakout_levels.upper:.0f} or {buyer.breakout_levels.lower:.0f}"
            f" ({NOT_JUDGED})",
            f"  followed       {rate.rate:.0%} of {rate.n} days with comparable scores"
            f" [{rate.lower:.0%}, {rate.upper:.0%}]",
            f"  theta edge     {buyer.theta_edge.label}: {buyer.theta_edge.score:.0%}; usual"
            f" {buyer.theta_edge.base_rate:.0%} ({self.verdict('theta')})",
            f"direction ({', '.join(verdicts)}), points with 80 % of outcomes",
            f"  today          {today.direction} {today.expected_move_points:+.0f},"
            f" {today.conviction:.0%}, usual {today.base_rate:.0%}, from {today.basis}",
            f"  ahead          {moves}",
            f"In brackets: whether skill was shown, walk-forward on {self._judged_on()}.",
        ]
        if self.provenance.demonstration:
            lines.append(f"demonstration: {self.provenance.demonstration}")
        return "\n".join(lines)

    def verdict(self, output: str) -> str:
        """Return the verdict on a judged output, or that there is none.

        Parameters
        ----------
        output : str
            Such as ``trap_10``, ``regime`` or ``breach_h20``.

        Returns
        -------
        str
            ``demonstrated``, ``none demonstrated`` or ``not judged``.
        """
        judged = self.provenance.skill.get(output)
        return str(judged["verdict"]) if judged else NOT_JUDGED

    def _judged_on(self) -> str:
        return ", ".join(sorted({str(one["market"]) for one in self.provenance.skill.values()}))

    def _points(self, lower: float, upper: float) -> dict[str, float]:
        """Two decimals, and more for an index so low that they would merge."""
        digits = max(2, 5 - math.floor(math.log10(self.market.spot)))
        return {"lower": round(lower, digits), "upper": round(upper, digits)}

    def __repr__(self) -> str:
        return self.summary()


@cache
def schema() -> dict[str, Any]:
    """Return the JSON Schema of a report (draft 2020-12), with a description of every field.

    Returns
    -------
    dict
    """
    text = (Path(__file__).parent / "report.schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def _rounded(value: Any) -> Any:
    """Round every float among plain values."""
    if isinstance(value, float):
        # Adding 0 makes -0.0 plain.
        return round(value, _PROBABILITY_DIGITS) + 0.0
    if isinstance(value, Mapping):
        return {name: _rounded(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(inner) for inner in value]
    return value


def _present(values: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is not known, inside of mappings too."""
    return {
        name: _present(value) if isinstance(value, Mapping) else value
        for name, value in values.items()
        if value is not None
    }


def _measured(name: str, rate: HitRate | SpikeRate) -> dict[str, Any]:
    """A measured rate with its number of cases and its interval."""
    return {
        name: round(rate.rate, _PROBABILITY_DIGITS),
        f"{name}_n": rate.n,
        f"{name}_interval": {
            "lower": round(rate.lower, _PROBABILITY_DIGITS),
            "upper": round(rate.upper, _PROBABILITY_DIGITS),
        },
    }
