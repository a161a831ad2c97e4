"""scikit-learn's transformers that reshape how a column is spread: by powers, or by its ranks."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from onnx import TensorProto

from aegismatrix_factory.rescue.converting.attributes import Attributes, known
from aegismatrix_factory.rescue.converting.errors import (
    InconsistentModelError,
    UnsupportedModelError,
)
from aegismatrix_factory.rescue.converting.family import (
    Answer,
    Family,
    Model,
    Oracle,
    Part,
    Probes,
    Reader,
    Rows,
)
from aegismatrix_factory.rescue.converting.normal import normal_quantile
from aegismatrix_factory.rescue.converting.parameters import FloatArray
from aegismatrix_factory.rescue.converting.writing import Table, Writer, computed

_MODULES = ("sklearn.preprocessing._data", "sklearn.preprocessing.data")
_RELEASES = ((0, 20), (1, 9))
_SPREADS = (0.5, 2.0, 8.0)
_NEAREST = 1e-4
"""A power nearer to a logarithm than this loses its digits, as a graph has no ``expm1``."""
_WITHIN = 1e-7
"""What 0.20 takes for an end, and all releases before a normal distribution."""


@dataclass(frozen=True, eq=False)
class Powers:
    """Each column to a power of its own, and then scaled.

    Attributes
    ----------
    exponents : ndarray of shape (F,)
    positive : bool
        Whether it takes numbers above 0 alone ('box-cox'), else all of them ('yeo-johnson').
    scaler : Part or None
    """

    exponents: FloatArray
    positive: bool
    scaler: Part | None


@dataclass(frozen=True, eq=False)
class Ranks:
    """Each column as the share of what it was fitted on that is below.

    Attributes
    ----------
    quantiles : ndarray of shape (Q, F)
    shares : ndarray of shape (Q,)
    within : float
        How near to an end a number is taken for it, and no share comes nearer to 0 or 1.
    normal : bool
        Whether a share becomes the number below which the normal distribution has it.
    """

    quantiles: FloatArray
    shares: FloatArray
    within: float
    normal: bool


def _read_powers(attributes: Attributes, reader: Reader) -> Model:
    name = attributes.name
    exponents = attributes.line("lambdas_")
    width = attributes.width(len(exponents))
    method = attributes.text("method")
    if method not in ("box-cox", "yeo-johnson"):
        raise UnsupportedModelError(f"its {name} has an unknown method")
    positive = method == "box-cox"
    for at in (0.0,) if positive else (0.0, 2.0):
        distance = np.abs(exponents - at)
        if ((distance > np.spacing(1.0)) & (distance < _NEAREST)).any():
            raise UnsupportedModelError(f"its {name} has a power that is nearly a logarithm")
    scaler = None
    if attributes.flag("standardize"):
        scaler = reader.part(attributes.need("_scaler"))
        if scaler.n_features not in (None, width):
            raise InconsistentModelError(f"{name} contradicts itself about its columns")
    return Model(
        parameters=Powers(exponents, positive, scaler),
        n_features=width,
        answers={"transformed": width},
        takes_missing=True,
        feature_names=attributes.column_names(width),
    )


def _graph_powers(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    powers: Powers = part.parameters
    value, width = x.numbers(), len(powers.exponents)
    columns = []
    for place, exponent in enumerate(powers.exponents.tolist()):
        column = writer.add("Gather", [value, writer.axes(place)], axis=1)
        columns.append((_positive if powers.positive else _any)(writer, column, exponent))
    joined = columns[0] if width == 1 else writer.add("Concat", columns, axis=1)
    table = computed(joined, width)
    return table if powers.scaler is None else powers.scaler.graph(answer, writer, table)


def _positive(writer: Writer, column: str, exponent: float) -> str:
    zero = writer.number(0.0)
    there = writer.add("Greater", [column, zero])
    writer.refuse(writer.add("LessOrEqual", [column, zero]))
    return writer.add("Where", [there, _power(writer, column, exponent), writer.nan()])


def _any(writer: Writer, column: str, exponent: float) -> str:
    one, zero = writer.number(1.0), writer.number(0.0)
    below = writer.add("Less", [column, zero])
    # NaN is below nothing, and stays what it is on the side of the positive numbers.
    inside = writer.add("Where", [below, zero, column])
    right = _power(writer, writer.add("Add", [inside, one]), exponent)
    turned = writer.add("Where", [below, writer.add("Neg", [column]), zero])
    left = writer.add("Neg", [_power(writer, writer.add("Add", [turned, one]), 2.0 - exponent)])
    return writer.add("Where", [below, left, right])


def _power(writer: Writer, value: str, exponent: float) -> str:
    if abs(exponent) <= np.spacing(1.0):
        return writer.add("Log", [value])
    raised = writer.add("Pow", [value, writer.number(exponent)])
    return writer.add(
        "Div", [writer.add("Sub", [raised, writer.number(1.0)]), writer.number(exponent)]
    )


def _oracle_powers(
    attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle
) -> FloatArray:
    """Column after column, by ``expm1`` of a multiple of the logarithm."""
    x = np.asarray(rows, dtype=np.float64)
    out = np.full(x.shape, np.nan)

    def power(logarithm: FloatArray, exponent: float) -> FloatArray:
        near = abs(exponent) <= np.spacing(1.0)
        return logarithm if near else np.expm1(exponent * logarithm) / exponent

    with np.errstate(all="ignore"):
        for place, exponent in enumerate(attributes.need("lambdas_").tolist()):
            column = x[:, place]
            if attributes.need("method") == "box-cox":
                oracle.refuse(column <= 0.0)
                out[:, place] = np.where(column > 0.0, power(np.log(column), exponent), np.nan)
                continue
            above = power(np.log1p(column), exponent)
            below = -power(np.log1p(-column), 2.0 - exponent)
            out[:, place] = np.where(column < 0.0, below, above)
    if not attributes.need("standardize"):
        return out
    return oracle.answer(attributes.need("_scaler"), answer, out)


def _probe_powers(part: Part, random: np.random.Generator, rows: int) -> Probes:
    powers: Powers = part.parameters
    drawn = [random.normal(size=(rows, len(powers.exponents))) * one for one in _SPREADS]
    edges = np.zeros((3, len(powers.exponents)))
    edges[1:] = [[np.nextafter(0.0, -1.0)], [np.nextafter(0.0, 1.0)]]
    if powers.positive:
        drawn = [np.exp(np.clip(one, -6.0, 6.0)) for one in drawn]
        edges[2:] = 1.0
    return Probes(tuple(drawn), edges)


def _read_ranks(attributes: Attributes, reader: Reader) -> Model:
    del reader
    name = attributes.name
    distribution = attributes.text("output_distribution")
    if distribution not in ("uniform", "normal"):
        raise UnsupportedModelError(f"its {name} makes an unknown distribution")
    normal = distribution == "normal"
    shares = attributes.line("references_")
    given = attributes.need("quantiles_")
    if not isinstance(given, np.ndarray) or given.ndim != 2:
        raise InconsistentModelError(f"{name}.quantiles_ is not a column of each")
    width = attributes.width(given.shape[1])
    quantiles = attributes.numbers("quantiles_", (len(shares), width))
    if (np.diff(quantiles, axis=0) < 0.0).any() or (np.diff(shares) < 0.0).any():
        raise InconsistentModelError(f"{name} has quantiles that are not in order")
    within = 0.0 if attributes.since(0, 21) and not normal else _WITHIN
    return Model(
        parameters=Ranks(quantiles, shares, within, normal),
        n_features=width,
        answers={"transformed": width},
        takes_missing=True,
        feature_names=attributes.column_names(width),
    )


def _graph_ranks(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    del answer
    ranks: Ranks = part.parameters
    value, width = x.numbers(), ranks.quantiles.shape[1]
    columns = []
    for place in range(width):
        column = writer.add("Gather", [value, writer.axes(place)], axis=1)
        columns.append(_share(writer, column, ranks.quantiles[:, place], ranks))
    joined = writer.joined(columns)
    return computed(normal_quantile(writer, joined) if ranks.normal else joined, width)


def _share(writer: Writer, column: str, quantiles: FloatArray, ranks: Ranks) -> str:
    first, last = float(quantiles[0]), float(quantiles[-1])
    there = writer.add("Equal", [column, column])
    inside = writer.add("Where", [there, column, writer.number(first)])
    inside = writer.add("Max", [inside, writer.number(first)])
    inside = writer.add("Min", [inside, writer.number(last)])
    up = _between(writer, inside, quantiles, ranks.shares)
    down = _between(writer, writer.add("Neg", [inside]), -quantiles[::-1], -ranks.shares[::-1])
    share = writer.add("Mul", [writer.add("Sub", [up, down]), writer.number(0.5)])
    # Beyond an end it is the share at the end; at the end itself, 0 or 1.
    if ranks.within:
        near = writer.number(ranks.within)
        upper = writer.add("Greater", [writer.add("Add", [column, near]), writer.number(last)])
        lower = writer.add("Less", [writer.add("Sub", [column, near]), writer.number(first)])
    else:
        upper = writer.add("GreaterOrEqual", [column, writer.number(last)])
        lower = writer.add("LessOrEqual", [column, writer.number(first)])
    share = writer.add("Where", [upper, writer.number(1.0), share])
    share = writer.add("Where", [lower, writer.number(0.0), share])
    if ranks.within:
        least = ranks.within - np.spacing(1.0)
        share = writer.add("Max", [share, writer.number(least)])
        share = writer.add("Min", [share, writer.number(1.0 - least)])
    return writer.add("Where", [there, share, writer.nan()])


def _between(writer: Writer, value: str, points: FloatArray, heights: FloatArray) -> str:
    """Write the line through some points, the last of equal ones counting."""
    over = writer.add("GreaterOrEqual", [value, writer.weight(points[None])])
    count = writer.add("ReduceSum", [writer.doubled(over), writer.axes(1)], keepdims=1)
    place = writer.add("Cast", [count], to=TensorProto.INT64)
    place = writer.add("Sub", [place, writer.axes(1)])
    gaps, rises = np.diff(points), np.diff(heights)
    slopes = np.where(gaps > 0.0, rises / np.where(gaps > 0.0, gaps, 1.0), 0.0)
    known_ones = (points, heights, np.append(slopes, 0.0))
    at, height, slope = (
        writer.add("Gather", [writer.weight(np.ascontiguousarray(one)), place], axis=0)
        for one in known_ones
    )
    moved = writer.add("Mul", [slope, writer.add("Sub", [value, at])])
    return writer.add("Add", [moved, height])


def _oracle_ranks(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    """As ``_transform_col`` of the library goes, with numpy's own interpolation."""
    del answer, oracle
    x = np.asarray(rows, dtype=np.float64)
    out = np.full(x.shape, np.nan)
    shares = attributes.need("references_")
    for place in range(x.shape[1]):
        own, column = attributes.need("quantiles_")[:, place], x[:, place]
        there = ~np.isnan(column)
        up = np.interp(column[there], own, shares)
        down = np.interp(-column[there], -own[::-1], -shares[::-1])
        out[there, place] = 0.5 * (up - down)
        uniform = attributes.need("output_distribution") == "uniform"
        if attributes.since(0, 21) and uniform:
            lower, upper = column == own[0], column == own[-1]
        else:
            lower, upper = column - _WITHIN < own[0], column + _WITHIN > own[-1]
        out[upper, place] = 1.0
        out[lower, place] = 0.0
    if attributes.need("output_distribution") == "normal":
        return _normal(out)
    if attributes.since(0, 21):
        return out
    return np.asarray(np.clip(out, _WITHIN - np.spacing(1.0), 1.0 - (_WITHIN - np.spacing(1.0))))


def _normal(shares: FloatArray) -> FloatArray:
    """Share after share by Python's own normal distribution, its ends as scikit-learn cuts them."""
    quantile = NormalDist().inv_cdf
    end = _WITHIN - np.spacing(1.0)
    first, last = quantile(end), quantile(1.0 - end)
    found = [
        one if one != one else first if one <= end else last if one >= 1.0 - end else quantile(one)
        for one in shares.reshape(-1).tolist()
    ]
    return np.array(found).reshape(shares.shape)


def _probe_ranks(part: Part, random: np.random.Generator, rows: int) -> Probes:
    ranks: Ranks = part.parameters
    low, high = ranks.quantiles[0], ranks.quantiles[-1]
    room = 0.1 * (high - low) + 1e-3
    drawn = random.uniform(low - room, high + room, size=(rows, len(low)))
    at = ranks.quantiles[random.integers(0, len(ranks.shares), size=min(rows, 128))]
    moved = random.integers(-1, 2, size=at.shape)
    near = np.where(moved < 0, np.nextafter(at, -np.inf), np.nextafter(at, np.inf))
    return Probes((drawn,), np.where(moved == 0, at, near))


def _back_ranks(part: Part, rows: FloatArray) -> FloatArray:
    ranks: Ranks = part.parameters
    if ranks.normal:
        below = NormalDist().cdf
        rows = np.array([below(one) for one in rows.reshape(-1).tolist()]).reshape(rows.shape)
    columns = [
        np.interp(rows[:, place], ranks.shares, ranks.quantiles[:, place])
        for place in range(rows.shape[1])
    ]
    return np.stack(columns, axis=1)


FAMILIES = (
    Family(
        name="PowerTransformer",
        modules=_MODULES,
        library="scikit-learn",
        releases=_RELEASES,
        used=known("lambdas_ method standardize _scaler"),
        harmless=known("copy"),
        read=_read_powers,
        graph=_graph_powers,
        oracle=_oracle_powers,
        # No row is brought back through it: powers of two runtimes differ in their last digit, and
        # a tree behind it that is asked exactly at its thresholds would tell them apart.
        probe=_probe_powers,
    ),
    Family(
        name="QuantileTransformer",
        modules=_MODULES,
        library="scikit-learn",
        releases=_RELEASES,
        used=known("quantiles_ references_ output_distribution"),
        harmless=known(
            "n_quantiles n_quantiles_ ignore_implicit_zeros subsample random_state copy"
        ),
        read=_read_ranks,
        graph=_graph_ranks,
        oracle=_oracle_ranks,
        probe=_probe_ranks,
        back=_back_ranks,
    ),
)
