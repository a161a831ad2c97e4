"""The report: everything about the last bar, as typed values and as strict JSON."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from aegismatrix.desk.files import write_atomically
from aegismatrix.desk.json_text import as_json
from aegismatrix.desk.signals import seller as selling
from aegismatrix.desk.signals.buyer import BuyerSignal, SpikeRate
from aegismatrix.desk.signals.direction import DirectionSignal
from aegismatrix.desk.signals.further import FurtherModel
from aegismatrix.desk.signals.intraday import IntradaySignal
from aegismatrix.desk.signals.market import MarketState
from aegismatrix.desk.signals.overnight import OvernightSignal
from aegismatrix.desk.signals.seller import HitRate, SellerSignal
from aegismatrix.desk.signals.volatility import VolatilitySignal
from aegismatrix.errors import ContractError, MissingExtraError
from aegismatrix.market.arrays import Published, as_text
from aegismatrix.market.events import (
    BREACH,
    BREAKOUT,
    CLASSES,
    DIRECTION,
    OVERNIGHT_DIRECTION,
    OVERNIGHT_SPIKE,
    REGIME,
    REGIMES,
    THETA,
    TRAP,
    VOLATILITY,
)
from aegismatrix.market.thresholds import STALE_CALENDAR_DAYS
from aegismatrix.records import dataclass

FORMAT_VERSION = 3
"""The form of the report; docs/report.md lists what changed with each."""

NOT_JUDGED = "not judged"
"""In place of a verdict on what no walk-forward has scored."""

_PROBABILITY_DIGITS = 6
_DISTANCE_DIGITS = 12


@dataclass(frozen=True)
class Provenance(Published):
    """Where the numbers come from.

    Attributes
    ----------
    package_version, manifest_digest : str
        Which code, which set of artifacts.
    market : str
        Whose bars, by the market's name.
    source : str
        What they were read from.
    intraday_source, chain_source : str or None
        What 5-minute bars and option chain were read from, where given.
    source_notes : tuple of str
        What the source has to say of the bars, such as their age.
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
        Why the report proves nothing, where it does not: other market, in-sample, quick training.
    overnight_source : str or None
        What the US bars were read from, where given.
    market_title : str or None
        What a market of the user's own is called in words.
    missing_sessions : tuple of str
        Sessions of the exchange among the bars that have none.
    unexpected_days : tuple of str
        Days of bars on which its calendar has no session.
    special_sessions : tuple of str
        Days of bars of special sessions.
    permits : tuple of dict
        Exceptions that were permitted, by kind and date.
    calendar : mapping or None
        Name of the calendar whose sessions were counted, and the last day that it declares.
    """

    package_version: str
    manifest_digest: str
    market: str
    source: str
    intraday_source: str | None
    chain_source: str | None
    source_notes: tuple[str, ...]
    rows: int
    iv_fills: tuple[dict[str, Any], ...]
    artifacts: Mapping[str, Mapping[str, str]]
    training: tuple[dict[str, Any], ...]
    skill: Mapping[str, Mapping[str, Any]]
    in_sample: bool
    demonstration: str | None
    overnight_source: str | None = None
    market_title: str | None = None
    missing_sessions: tuple[str, ...] = ()
    unexpected_days: tuple[str, ...] = ()
    special_sessions: tuple[str, ...] = ()
    permits: tuple[dict[str, Any], ...] = ()
    calendar: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Publication(Published):
    """What differs between two reports on the same bars: when they were made, and after which.

    Attributes
    ----------
    generated_at : str
        ISO 8601, UTC.
    age_days : int
        Calendar days from the last bar's to that.
    age_sessions : int or None
        Sessions of the exchange that had closed since, where they are known.
    stale : bool
        Whether one had; where sessions are not known, whether the bar was older than a week.
    notes : tuple of str or None
        What else there is to say of the age, such as that a cache stood in.
    log_head : str or None
        The digest of the last entry of the forecast log before this report's own, where it is
        logged.
    """

    generated_at: str
    age_days: int
    age_sessions: int | None
    stale: bool
    notes: tuple[str, ...] | None = None
    log_head: str | None = None


@dataclass(frozen=True)
class PriceHistory(Published):
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


@dataclass(frozen=True)
class Record(Published):
    """What a log must keep of a report to judge it later, beyond what it shows.

    Attributes
    ----------
    high, low, close : float
        The last bar, index points.
    iv_percent : float
        The volatility index with it.
    features : mapping of str to float
        What the models read.
    probabilities : mapping of str to float
        By the engine's column, every probability but those of the breach surface, unrounded.
    base_rates : mapping of str to float
        As sealed, by column, those of the breach surface included.
    horizon_days : mapping of str to int
        Trading days until a probability is decided, by column; without those that nothing decides.
    sessions_ahead : tuple of str
        The sessions that the horizons of 1, 2, 3 and more trading days end with, ISO 8601, as far
        as the exchange has declared them.
    """

    high: float
    low: float
    close: float
    iv_percent: float
    features: Mapping[str, float]
    probabilities: Mapping[str, float]
    base_rates: Mapping[str, float]
    horizon_days: Mapping[str, int]
    sessions_ahead: tuple[str, ...] = ()


@dataclass(frozen=True, repr=False)
class Report(Published):
    """What `analyze` says about the last bar.

    Attributes
    ----------
    generated_at : str
        ISO 8601, UTC; two runs on the same bars and artifacts differ in it and in `publication`.
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
    record : Record
        What a log keeps; no part of the JSON.
    overnight : OvernightSignal or None
        The next session given the US close, where US bars were.
    monitoring : mapping or None
        What earlier forecasts were worth (`MonitorReport.block`), where they are logged.
    further_models : tuple of FurtherModel
        What models say that were added to the package's own.
    publication : Publication or None
        When it was made, and how old the bars were then.
    volatility : VolatilitySignal or None
        How large volatility will be, where the artifacts forecast it.

    Examples
    --------
    >>> import aegismatrix as am
    >>> report = am.analyze(am.sample_bars())
    >>> report.as_of, report.market.spot, report.provenance.demonstration
    ('2018-12-31', 2506.85, 'other market, in-sample')
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
    record: Record
    overnight: OvernightSignal | None = None
    monitoring: Mapping[str, Any] | None = None
    further_models: tuple[FurtherModel, ...] = ()
    publication: Publication | None = None
    volatility: VolatilitySignal | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values, probabilities to six digits, points to two.

        Returns
        -------
        dict
            As the shipped JSON Schema says (`schema`).

        Examples
        --------
        >>> import aegismatrix as am
        >>> report = am.analyze(am.sample_bars())
        >>> report.to_dict()["market"]["spot"]
        2506.85
        """
        plain: dict[str, Any] = {
            "format_version": FORMAT_VERSION,
            "generated_at": self.generated_at,
            "as_of": self.as_of,
            "session": self.session,
            "market": {**_rounded(asdict(self.market)), "spot": self._spot()},
            "direction": self._direction(),
            "seller": self._seller(),
            "buyer": self._buyer(),
        }
        if self.volatility is not None:
            plain["volatility"] = self._volatility(self.volatility)
        if self.intraday is not None:
            plain["intraday"] = _rounded(_present(asdict(self.intraday)))
        if self.overnight is not None:
            plain["overnight"] = self._overnight(self.overnight)
        if self.further_models:
            plain["further_models"] = [self._further(one) for one in self.further_models]
        if self.monitoring is not None:
            plain["monitoring"] = _rounded(_present(self.monitoring))
        if self.publication is not None:
            plain["publication"] = _rounded(_present(asdict(self.publication)))
        plain["price_history"] = _rounded(asdict(self.price_history))
        plain["provenance"] = _rounded(_present(asdict(self.provenance)))
        return plain

    def _direction(self) -> dict[str, Any]:
        today, direction = self.direction.today, self.direction
        return {
            "today": {**_rounded(asdict(today)), "verdict": self.verdict(_judged_direction(1))},
            "horizons": {
                name: {
                    **_rounded(_present(asdict(forecast))),
                    "verdict": self.verdict(_judged_direction(forecast.horizon_days)),
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
                "lower_log_distance": round(seller.safe_range.lower_log_distance, _DISTANCE_DIGITS),
                "upper_log_distance": round(seller.safe_range.upper_log_distance, _DISTANCE_DIGITS),
                "edge_touch": round(seller.safe_range.edge_touch, _PROBABILITY_DIGITS),
                **({"expiry": seller.safe_range.expiry} if seller.safe_range.expiry else {}),
                "verdict": self.verdict(BREACH.judged(seller.safe_range.horizon_days)),
            },
            "max_pain": {
                **self._points(seller.max_pain.lower, seller.max_pain.upper),
                **_rounded(
                    _present(
                        {
                            name: getattr(seller.max_pain, name)
                            for name in ("confidence", "horizon_days", "expiry")
                        }
                    )
                ),
                "method": seller.max_pain.method,
                "verdict": NOT_JUDGED,
            },
            "trap": {
                **_rounded(asdict(seller.trap)),
                "verdict": self.verdict(TRAP[selling.HEADLINE_TRAP_DAYS].judged),
                "verdicts": {
                    days: self.verdict(TRAP[int(days)].judged) for days in seller.trap.horizons
                },
            },
            "skew": _rounded(asdict(seller.skew)),
            "expiry_stress": {
                **_rounded(asdict(seller.expiry_stress)),
                "verdict": self.verdict(REGIME[REGIMES[0]].judged),
            },
            "breach_probabilities": [_rounded(asdict(p)) for p in seller.breach_probabilities],
            "breach_surface": {
                **_rounded(asdict(seller.breach_surface)),
                **{
                    name: [round(edge, self._edge_digits()) for edge in edges]
                    for name, edges in (
                        ("upper_edges", seller.breach_surface.upper_edges),
                        ("lower_edges", seller.breach_surface.lower_edges),
                    )
                },
                "verdicts": [
                    self.verdict(BREACH.judged(days)) for days in seller.breach_surface.horizon_days
                ],
            },
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
            {**_rounded(asdict(one)), "verdict": self.verdict(BREAKOUT[one.day_offset].judged)}
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
            "theta_edge": {
                **_rounded(asdict(buyer.theta_edge)),
                "verdict": self.verdict(THETA.judged),
            },
            "regime": buyer.regime,
            "variance_ratio": round(buyer.variance_ratio, _PROBABILITY_DIGITS),
            "buyer_environment": {
                **_rounded(asdict(buyer.buyer_environment)),
                "verdict": NOT_JUDGED,
            },
            **_measured("historical_spike_rate", buyer.spike_rate),
            "environment_state": buyer.environment_state,
        }

    def _volatility(self, volatility: VolatilitySignal) -> dict[str, Any]:
        return {
            "iv_percent": round(volatility.iv_percent, _PROBABILITY_DIGITS),
            "levels": list(volatility.levels),
            "horizons": [
                {
                    **_rounded(_present(asdict(one))),
                    "verdict": self.verdict(VOLATILITY.judged(one.horizon_days)),
                }
                for one in volatility.horizons
            ],
        }

    def _overnight(self, night: OvernightSignal) -> dict[str, Any]:
        return {
            "us_as_of": night.us_as_of,
            "us_sessions": night.us_sessions,
            "us_close": round(night.us_close, _PROBABILITY_DIGITS),
            "us_return": round(night.us_return, _PROBABILITY_DIGITS) + 0.0,
            "us_vix": round(night.us_vix, _PROBABILITY_DIGITS),
            "us_vix_change": round(night.us_vix_change, _PROBABILITY_DIGITS) + 0.0,
            "direction": {
                "probabilities": _rounded(night.probabilities),
                "base_rates": _rounded(night.base_rates),
                "verdict": self.verdict(OVERNIGHT_DIRECTION[CLASSES[0]].judged),
            },
            "spikes": {
                side: {
                    "probability": round(night.spike_probabilities[side], _PROBABILITY_DIGITS),
                    "base_rate": round(night.spike_base_rates[side], _PROBABILITY_DIGITS),
                    "verdict": self.verdict(output.judged),
                }
                for side, output in OVERNIGHT_SPIKE.items()
            },
        }

    def _further(self, model: FurtherModel) -> dict[str, Any]:
        return {
            "model": model.model,
            "version": model.version,
            "question": model.question,
            "outputs": [
                {**_rounded(_present(asdict(output))), "verdict": self.verdict(output.judged)}
                for output in model.outputs
            ],
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

        Examples
        --------
        >>> import aegismatrix as am
        >>> report = am.analyze(am.sample_bars())
        >>> text = report.to_json("aegismatrix.json")
        >>> text.startswith("{")
        True
        """
        text = as_json(self.to_dict())
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

        Examples
        --------
        >>> import aegismatrix as am
        >>> report = am.analyze(am.sample_bars())
        >>> page = report.to_html("aegismatrix.html")
        >>> "<script" in page
        False
        """
        # Imported here, since a service that only wants the JSON never draws a page.
        from aegismatrix.desk.html.page import render_page

        page = render_page(self.to_dict())
        if path is not None:
            write_atomically(path, page)
        return page

    def _repr_html_(self) -> str | None:
        """Show the page in a notebook; where Jinja2 is missing the summary is shown instead."""
        from aegismatrix.desk.html.page import notebook_frame

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

        Examples
        --------
        >>> import aegismatrix as am
        >>> report = am.analyze(am.sample_bars())
        >>> report.validate()
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
        """Return a few lines for a terminal, each forecast with its verdict.

        Examples
        --------
        >>> import aegismatrix as am
        >>> report = am.analyze(am.sample_bars())
        >>> report.summary().splitlines()[0]
        '2018-12-31 (closed)  spot 2506.85 (+0.85%), vix 25.42 (-2.92), HIGH_VOL_BEAR'
        """
        # From the values of the JSON, so that both say the same to the last digit.
        plain = self.to_dict()
        lines = [
            _head_line(plain),
            *_age_lines(plain),
            *_seller_lines(plain["seller"]),
            *_volatility_lines(plain.get("volatility")),
            *_buyer_lines(plain["buyer"]),
            *_direction_lines(plain["direction"]),
            *self._night_lines(),
            *_further_lines(plain.get("further_models", ())),
        ]
        if "intraday" in plain:
            lines.append(_intraday_line(plain["intraday"]))
        judged_on = sorted({str(one["market"]) for one in self.provenance.skill.values()})
        lines.append(
            f"In brackets: whether skill was shown, walk-forward on {', '.join(judged_on)}."
        )
        notes = (*self._age_notes(), *plain["provenance"]["source_notes"])
        lines += [f"note: {note}" for note in notes]
        if self.provenance.demonstration:
            lines.append(f"demonstration: {self.provenance.demonstration}")
        return "\n".join(lines)

    def _age_notes(self) -> tuple[str, ...]:
        return () if self.publication is None else self.publication.notes or ()

    def _night_lines(self) -> list[str]:
        night = self.overnight
        if night is None:
            return []
        classes = ", ".join(
            f"{name} {p:.0%} (usual {night.base_rates[name]:.0%})"
            for name, p in night.probabilities.items()
        )
        spikes = ", ".join(
            f"{side} {p:.0%} (usual {night.spike_base_rates[side]:.0%},"
            f" {self.verdict(OVERNIGHT_SPIKE[side].judged)})"
            for side, p in night.spike_probabilities.items()
        )
        verdict = self.verdict(OVERNIGHT_DIRECTION[CLASSES[0]].judged)
        return [
            f"overnight, US close of {night.us_as_of}: {night.us_return:+.2%}, VIX"
            f" {night.us_vix:.2f} ({night.us_vix_change:+.2f})",
            f"  next session   {classes} ({verdict}); mostly the opening gap",
            f"  spike          {spikes}",
        ]

    def verdict(self, output: str) -> str:
        """Return the verdict on a judged output, or that there is none.

        Parameters
        ----------
        output : str
            As the catalogue names what is judged (`aegismatrix.market.events`).

        Returns
        -------
        str
            ``demonstrated``, ``indicated``, ``none demonstrated`` or ``not judged``.

        Examples
        --------
        >>> import aegismatrix as am
        >>> report = am.analyze(am.sample_bars())
        >>> report.verdict("no_such_output")
        'not judged'
        """
        name = as_text(output, "output", "Give the name of a judged output, such as 'trap_5'.")
        judged = self.provenance.skill.get(name)
        return str(judged["verdict"]) if judged else NOT_JUDGED

    def _spot(self) -> float:
        """Six decimals, and more for an index so low that levels would change sides."""
        spot = self.market.spot
        return round(spot, max(_PROBABILITY_DIGITS, 8 - math.floor(math.log10(spot))))

    def _edge_digits(self) -> int:
        """As many as keep edges apart on an index however low."""
        return max(_PROBABILITY_DIGITS, 12 - math.floor(math.log10(self.market.spot)))

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


def _head_line(plain: Mapping[str, Any]) -> str:
    market = plain["market"]
    return (
        f"{plain['as_of']} ({plain['session']})  spot {market['spot']:.2f}"
        f" ({market['spot_change_pct']:+.2%}), vix {market['vix']:.2f}"
        f" ({market['vix_change']:+.2f}), {market['regime']}"
    )


def _age_lines(plain: Mapping[str, Any]) -> list[str]:
    publication = plain.get("publication")
    if publication is None or not publication["stale"]:
        return []
    closed = publication.get("age_sessions")
    if closed is None:
        return [f"stale: the last bar is more than {STALE_CALENDAR_DAYS} days old"]
    return [f"stale: sessions closed since the last bar: {closed}"]


def _seller_lines(seller: Mapping[str, Any]) -> list[str]:
    flag, trap, stress = (seller[name] for name in ("seller_flag", "trap", "expiry_stress"))
    safe, rate = seller["safe_range"], seller["historical_hit_rate"]
    interval = seller["historical_hit_rate_interval"]
    days = safe["horizon_days"]
    chances = ", ".join(
        f"{horizon} d {p:.0%} ({trap['verdicts'][horizon]})"
        for horizon, p in trap["horizons"].items()
    )
    curve = ", ".join(
        f"{point['distance']} {point['probability']:.1%}"
        for point in seller["breach_probabilities"]
    )
    until = f" to {safe['expiry']}" if "expiry" in safe else ""
    return [
        "for sellers",
        f"  seller flag    {flag['label']}: {', '.join(flag['reasons'])} ({flag['verdict']})",
        f"  trap           {trap['label']}: {chances}; usual {trap['base_rate']:.0%}",
        f"  expiry stress  {stress['label']}: {stress['score']:.2f}, high volatility"
        f" {stress['probabilities']['high']:.0%} ({stress['verdict']})",
        f"  safe range     {safe['lower']:.0f} to {safe['upper']:.0f} over {days} days{until} at"
        f" {safe['confidence']:.0%}, each edge touched with {safe['edge_touch']:.0%}"
        f" ({safe['verdict']})",
        f"  held           {rate:.0%} of the last {seller['historical_hit_rate_n']} windows"
        f" [{interval['lower']:.0%}, {interval['upper']:.0%}]",
        f"  touch          within {days} days, by points: {curve} ({safe['verdict']})",
    ]


def _volatility_lines(volatility: Mapping[str, Any] | None) -> list[str]:
    if volatility is None:
        return []
    lowest, highest = volatility["levels"][0], volatility["levels"][-1]
    spreads = ", ".join(
        f"{one['horizon_days']} d {one['mean_percent']:.1f}"
        f" [{one['percent'][0]:.1f}, {one['percent'][-1]:.1f}] ({one['verdict']})"
        for one in volatility["horizons"]
    )
    return [
        f"volatility, per cent a year with {highest - lowest:.0%} of outcomes; iv"
        f" {volatility['iv_percent']:.1f}",
        f"  realised       {spreads}",
    ]


def _buyer_lines(buyer: Mapping[str, Any]) -> list[str]:
    environment, theta = buyer["buyer_environment"], buyer["theta_edge"]
    today, levels = buyer["breakout_today"], buyer["breakout_levels"]
    bias, interval = buyer["spike_direction_bias"], buyer["historical_spike_rate_interval"]
    verdicts = sorted({one["verdict"] for one in buyer["breakout_next"]})
    chances = ", ".join(
        f"{one['day_offset']} d {one['score']:.0%}" for one in buyer["breakout_next"]
    )
    return [
        "for buyers",
        f"  environment    {environment['label']}: {', '.join(environment['reasons'])}"
        f" ({environment['verdict']})",
        f"  breakout       {today['label']}: {chances}; usual {today['base_rate']:.0%}"
        f" ({', '.join(verdicts)})",
        f"  then           up {bias['up_prob']:.0%}, down {bias['down_prob']:.0%}, to"
        f" {levels['upper']:.0f} or {levels['lower']:.0f} ({bias['verdict']})",
        f"  followed       {buyer['historical_spike_rate']:.0%} of"
        f" {buyer['historical_spike_rate_n']} days with comparable scores"
        f" [{interval['lower']:.0%}, {interval['upper']:.0%}]",
        f"  theta edge     {theta['label']}: {theta['score']:.0%}; usual {theta['base_rate']:.0%}"
        f" ({theta['verdict']})",
    ]


def _direction_lines(direction: Mapping[str, Any]) -> list[str]:
    today, horizons = direction["today"], direction["horizons"].values()
    verdicts = sorted({forecast["verdict"] for forecast in horizons})
    moves = ", ".join(
        f"{forecast['horizon_days']} d {forecast['direction']}"
        f" {forecast['expected_move_points']:+.0f}, size {forecast['move_size_points']:.0f}"
        f" [{forecast['move_interval_80']['lower']:+.0f},"
        f" {forecast['move_interval_80']['upper']:+.0f}]"
        for forecast in horizons
    )
    return [
        f"direction ({', '.join(verdicts)}), points with 80 % of outcomes",
        f"  today          {today['direction']} {today['expected_move_points']:+.0f},"
        f" {today['conviction']:.0%}, usual {today['base_rate']:.0%}, size"
        f" {today['move_size_points']:.0f}, from {today['basis']}",
        f"  ahead          {moves}",
    ]


def _further_lines(models: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = []
    for model in models:
        lines.append(f"{model['model']} {model['version']}: {model['question']}")
        for output in model["outputs"]:
            rate = f"; usual {output['base_rate']:.0%}" if "base_rate" in output else ""
            lines.append(
                f"  {output['wording']}  {output['probability']:.0%}{rate} ({output['verdict']})"
            )
    return lines


def _judged_direction(horizon_days: int) -> str:
    return DIRECTION[horizon_days][CLASSES[0]].judged


def _intraday_line(intraday: Mapping[str, Any]) -> str:
    used = {"next": "refines today", "same": "of the last daily bar's day"}
    used["special"] = "a special session: refines nothing"
    what = used.get(intraday["relation"], "not of today: refines nothing")
    notes = f" ({', '.join(intraday['notes'])})" if intraday["notes"] else ""
    return f"5-minute bars of {intraday['session_date']}, {intraday['bars']} of them: {what}{notes}"
