"""scikit-learn's ways to make other columns of columns: products, bins, components, a selection."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, combinations_with_replacement
from typing import Any

import numpy as np

from aegismatrix_factory.rescue.converting.attributes import Attributes, known, numbers
from aegismatrix_factory.rescue.converting.errors import (
    InconsistentModelError,
    OversizedModelError,
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
from aegismatrix_factory.rescue.converting.parameters import FloatArray, IntArray
from aegismatrix_factory.rescue.converting.writing import Table, Writer, computed
from aegismatrix_factory.rescue.reading.records import Record

_RELEASES = ((0, 20), (1, 9))
_MOST_PRODUCTS = 200_000
_DEEPEST = 16
_SPREADS = (0.5, 2.0, 8.0)


def _transformer(
    attributes: Attributes, parameters: Any, width: int, out: int, *, missing: bool = False
) -> Model:
    return Model(
        parameters=parameters,
        n_features=width,
        answers={"transformed": out},
        takes_missing=missing,
        feature_names=attributes.column_names(width),
    )


# Products.


@dataclass(frozen=True, eq=False)
class Products:
    """Products of columns.

    Attributes
    ----------
    factors : ndarray of shape (products, degree)
        The columns that are multiplied; one behind the last stands for 1.
    """

    factors: IntArray


def _read_polynomial(attributes: Attributes, reader: Reader) -> Model:
    del reader
    key = "n_features_in_" if attributes.has("n_features_in_") else "n_input_features_"
    width = attributes.count(key)
    lowest, highest = _degrees(attributes)
    choose = combinations
    if not attributes.flag("interaction_only"):
        choose = combinations_with_replacement  # type: ignore[assignment]
    found: list[tuple[int, ...]] = [()] if attributes.flag("include_bias") else []
    for degree in range(max(1, lowest), highest + 1):
        for one in choose(range(width), degree):
            found.append(one)
            if len(found) > _MOST_PRODUCTS:
                raise OversizedModelError(f"it has more than {_MOST_PRODUCTS} products")
    if not found or len(found) != attributes.count("n_output_features_"):
        raise InconsistentModelError("PolynomialFeatures contradicts itself about its products")
    factors = np.full((len(found), max(1, highest)), width, dtype=np.int64)
    for row, one in enumerate(found):
        factors[row, : len(one)] = one
    return _transformer(attributes, Products(factors), width, len(found))


def _degrees(attributes: Attributes) -> tuple[int, int]:
    given = attributes.need("degree")
    pair = given if isinstance(given, tuple | list) else (0, given)
    if len(pair) != 2 or not all(type(one) is int and 0 <= one <= _DEEPEST for one in pair):
        raise InconsistentModelError("PolynomialFeatures.degree is out of range")
    return pair[0], pair[1]


def _graph_polynomial(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    del answer
    given: Products = part.parameters
    value = x.numbers()
    first = writer.add("Gather", [value, writer.axes(0)], axis=1)
    # What is multiplied by 0 would stay NaN: ones are made of a comparison.
    one = writer.doubled(writer.add("Equal", [first, first]))
    wide = writer.add("Concat", [value, one], axis=1)
    total: str | None = None
    for places in given.factors.T:
        factor = writer.add("Gather", [wide, writer.weight(places)], axis=1)
        total = factor if total is None else writer.add("Mul", [total, factor])
    assert total is not None
    return computed(total, len(given.factors))


def _probe_plain(part: Part, random: np.random.Generator, rows: int) -> Probes:
    width = part.n_features or 3
    return Probes(tuple(random.normal(size=(rows, width)) * one for one in _SPREADS))


def _back_polynomial(part: Part, rows: FloatArray) -> FloatArray:
    given: Products = part.parameters
    width = part.n_features or 1
    out = np.zeros((len(rows), width))
    for place, factors in enumerate(given.factors):
        own = factors[factors < width]
        if len(own) == 1:
            out[:, own[0]] = rows[:, place]
    return out


def _polynomial(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    """Degree after degree: each column times the products of the degree before it that follow."""
    del answer, oracle
    x = np.asarray(rows, dtype=np.float64)
    lowest, highest = 0, attributes.need("degree")
    if isinstance(highest, tuple | list):
        lowest, highest = highest
    alone = attributes.need("interaction_only")
    out = [np.ones((len(x), 1))] if attributes.need("include_bias") else []
    # (first column, values) of every product of a degree, in order.
    level: list[tuple[int, FloatArray]] = [(c, x[:, c]) for c in range(x.shape[1])]
    for degree in range(1, highest + 1):
        if degree >= lowest:
            out += [values[:, None] for _, values in level]
        level = [
            (column, x[:, column] * values)
            for column in range(x.shape[1])
            for first, values in level
            if first > column or (first == column and not alone)
        ]
    return np.concatenate(out, axis=1)


# Bins.


@dataclass(frozen=True, eq=False)
class Bins:
    """Which bin each column is in.

    Attributes
    ----------
    edges : tuple of ndarray
        Inner edges of each column.
    near : bool
        Whether a number counts as moved up by a little before it is compared, as until 1.0.
    one_hot : bool
        Whether each bin becomes a column.
    """

    edges: tuple[FloatArray, ...]
    near: bool
    one_hot: bool

    @property
    def width(self) -> int:
        """Columns that come out."""
        return sum(len(one) + 1 for one in self.edges) if self.one_hot else len(self.edges)


def _read_bins(attributes: Attributes, reader: Reader) -> Model:
    del reader
    given = attributes.need("bin_edges_")
    lines: list[Any]
    if isinstance(given, Record) and given.name == "object_array":
        lines = list(given.items)
    elif isinstance(given, np.ndarray) and given.ndim == 2:
        lines = list(given.astype(np.float64))
    else:
        raise InconsistentModelError("KBinsDiscretizer.bin_edges_ is not one line a column")
    width = attributes.width(len(lines))
    edges = []
    for line in lines:
        if not isinstance(line, np.ndarray) or line.ndim != 1 or len(line) < 2:
            raise InconsistentModelError("KBinsDiscretizer.bin_edges_ is not one line a column")
        inner = numbers(line[1:-1], (len(line) - 2,), "KBinsDiscretizer.bin_edges_")
        if (np.diff(inner) < 0.0).any():
            raise InconsistentModelError("the edges of a bin are not in order")
        edges.append(inner)
    counts = attributes.need("n_bins_")
    if not isinstance(counts, np.ndarray) or counts.tolist() != [len(one) + 1 for one in edges]:
        raise InconsistentModelError("KBinsDiscretizer contradicts itself about its bins")
    encode = attributes.text("encode")
    if encode not in ("onehot", "onehot-dense", "ordinal"):
        raise InconsistentModelError("KBinsDiscretizer.encode is unknown")
    bins = Bins(tuple(edges), not attributes.since(1, 1), encode != "ordinal")
    return _transformer(attributes, bins, width, bins.width)


def _graph_bins(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    del answer
    given: Bins = part.parameters
    value = x.numbers()
    if given.near:
        share = writer.add("Mul", [writer.add("Abs", [value]), writer.number(1e-5)])
        value = writer.add("Add", [value, writer.add("Add", [share, writer.number(1e-8)])])
    out = []
    for place, edges in enumerate(given.edges):
        column = writer.add("Gather", [value, writer.axes(place)], axis=1)
        if len(edges):
            over = writer.add("GreaterOrEqual", [column, writer.weight(edges[None])])
            found = writer.add("ReduceSum", [writer.doubled(over), writer.axes(1)], keepdims=1)
        else:
            found = writer.add("Mul", [column, writer.number(0.0)])
        if given.one_hot:
            places = writer.weight(np.arange(len(edges) + 1.0)[None])
            found = writer.doubled(writer.add("Equal", [found, places]))
        out.append(found)
    joined = writer.joined(out)
    return computed(joined, given.width)


def _probe_bins(part: Part, random: np.random.Generator, rows: int) -> Probes:
    given: Bins = part.parameters
    width = len(given.edges)
    drawn, edges = np.zeros((rows, width)), []
    for place, one in enumerate(given.edges):
        low, high = (one[0], one[-1]) if len(one) else (0.0, 1.0)
        room = max(1e-3 * max(1.0, abs(low)), high - low)
        drawn[:, place] = random.uniform(low - room, high + room, size=rows)
    for moved in (0.0, 1.0, -1.0):
        row = drawn[: min(rows, 64)].copy()
        for place, one in enumerate(given.edges):
            if len(one):
                at = random.choice(one, size=len(row))
                row[:, place] = np.nextafter(at, moved * np.inf) if moved else at
        edges.append(row)
    return Probes((drawn,), np.concatenate(edges))


def _binned(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    del answer, oracle
    x = np.array(rows, dtype=np.float64)
    given = attributes.need("bin_edges_")
    lines = given.items if isinstance(given, Record) else given
    out = []
    for place, (line, count) in enumerate(zip(lines, attributes.need("n_bins_"), strict=True)):
        column = x[:, place]
        if attributes.since(1, 1):
            found = np.searchsorted(line[1:-1], column, side="right")
        else:
            moved = column + (1e-8 + 1e-5 * np.abs(column))
            found = np.clip(np.digitize(moved, line[1:]), 0, count - 1)
        if attributes.need("encode") == "ordinal":
            out.append(found.astype(np.float64)[:, None])
        else:
            out.append(np.eye(count)[found])
    return np.concatenate(out, axis=1)


# Components.


@dataclass(frozen=True, eq=False)
class Components:
    """Rows moved, then projected, then divided.

    Attributes
    ----------
    mean : ndarray of shape (n_features,) or None
    components : ndarray of shape (components, n_features)
    scale : ndarray of shape (components,) or None
    """

    mean: FloatArray | None
    components: FloatArray
    scale: FloatArray | None


def _read_components(attributes: Attributes, reader: Reader) -> Model:
    del reader
    given = attributes.need("components_")
    if not isinstance(given, np.ndarray) or given.ndim != 2 or not given.size:
        raise InconsistentModelError(f"{attributes.name}.components_ is no matrix")
    if given.dtype != np.float64:
        raise UnsupportedModelError(f"its {attributes.name} was fitted in float32")
    count, width = given.shape
    attributes.width(width)
    mean = scale = None
    if attributes.name != "TruncatedSVD":
        if attributes.get("mean_") is not None:
            mean = attributes.numbers("mean_", (width,))
        if attributes.flag("whiten"):
            scale = np.sqrt(attributes.numbers("explained_variance_", (count,)))
            if (scale <= np.finfo(np.float64).eps).any():
                raise UnsupportedModelError(f"its {attributes.name} divides by nothing")
    components = Components(mean, attributes.numbers("components_", (count, width)), scale)
    return _transformer(attributes, components, width, count)


def _graph_components(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    del answer
    given: Components = part.parameters
    value = x.numbers()
    if given.mean is not None:
        value = writer.add("Sub", [value, writer.weight(given.mean)])
    components = given.components
    if given.scale is not None:
        components = components / given.scale[:, None]
    value = writer.add("MatMul", [value, writer.weight(components.T)])
    return computed(value, len(given.components))


def _probe_components(part: Part, random: np.random.Generator, rows: int) -> Probes:
    given: Components = part.parameters
    width = part.n_features or 1
    centre = np.zeros(width) if given.mean is None else given.mean
    spread = np.maximum(np.abs(centre), 1.0)
    return Probes(
        tuple(centre + random.normal(size=(rows, width)) * spread * one for one in _SPREADS)
    )


def _back_components(part: Part, rows: FloatArray) -> FloatArray:
    given: Components = part.parameters
    if given.scale is not None:
        rows = rows * given.scale
    rows = rows @ given.components
    return np.asarray(rows if given.mean is None else rows + given.mean)


def _projected(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    del answer, oracle
    x = np.asarray(rows, dtype=np.float64)
    if attributes.get("mean_") is not None:
        x = x - attributes.need("mean_")
    out = np.stack([np.einsum("ij,j->i", x, one) for one in attributes.need("components_")], axis=1)
    if attributes.get("whiten"):
        out = out / np.sqrt(attributes.need("explained_variance_"))
    return out


# A selection.


@dataclass(frozen=True, eq=False)
class Selection:
    """Columns that are kept, in their order."""

    kept: tuple[int, ...]


def _selection(attributes: Attributes, mask: Any) -> Model:
    kept = tuple(int(one) for one in np.flatnonzero(mask))
    if not kept:
        raise UnsupportedModelError(f"its {attributes.name} keeps no column")
    return _transformer(attributes, Selection(kept), len(mask), len(kept), missing=False)


def _scores(attributes: Attributes, key: str) -> FloatArray:
    """Scores; what could not be scored is below all others."""
    given = attributes.need(key)
    if not isinstance(given, np.ndarray) or given.ndim != 1 or given.dtype.kind != "f":
        raise InconsistentModelError(f"{attributes.name}.{key} is not a line of numbers")
    attributes.width(len(given))
    found = given.astype(np.float64)
    found[np.isnan(found)] = np.finfo(np.float64).min
    return found


def _read_best(attributes: Attributes, reader: Reader) -> Model:
    del reader
    scores = _scores(attributes, "scores_")
    k = attributes.need("k")
    if isinstance(k, str) and k == "all":
        return _selection(attributes, np.ones(len(scores), dtype=np.bool_))
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise InconsistentModelError("SelectKBest.k is no count")
    mask = np.zeros(len(scores), dtype=np.bool_)
    mask[np.argsort(scores, kind="stable")[-int(k) :]] = True
    return _selection(attributes, mask)


def _read_percentile(attributes: Attributes, reader: Reader) -> Model:
    del reader
    scores, share = _scores(attributes, "scores_"), attributes.one("percentile")
    if share >= 100.0:
        return _selection(attributes, np.ones(len(scores), dtype=np.bool_))
    bound = np.percentile(scores, 100.0 - share)
    mask = scores > bound
    ties = np.flatnonzero(scores == bound)
    mask[ties[: max(0, int(len(scores) * share / 100) - int(mask.sum()))]] = True
    return _selection(attributes, mask)


def _read_rate(attributes: Attributes, reader: Reader) -> Model:
    del reader
    values = attributes.need("pvalues_")
    if not isinstance(values, np.ndarray) or values.ndim != 1 or values.dtype.kind != "f":
        raise InconsistentModelError(f"{attributes.name}.pvalues_ is not a line of numbers")
    attributes.width(len(values))
    bound = attributes.one("alpha")
    if attributes.name == "SelectFwe":
        bound /= len(values)
    return _selection(attributes, values < bound)


def _read_variance(attributes: Attributes, reader: Reader) -> Model:
    del reader
    variances = attributes.line("variances_")
    attributes.width(len(variances))
    return _selection(attributes, variances > attributes.one("threshold"))


def _read_support(attributes: Attributes, reader: Reader) -> Model:
    del reader
    given = attributes.need("support_")
    if not isinstance(given, np.ndarray) or given.ndim != 1 or given.dtype != np.bool_:
        raise InconsistentModelError(f"{attributes.name}.support_ is no mask")
    attributes.width(len(given))
    return _selection(attributes, given)


def _graph_selection(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    del answer
    given: Selection = part.parameters
    return writer.chosen(x, given.kept)


def _back_selection(part: Part, rows: FloatArray) -> FloatArray:
    given: Selection = part.parameters
    out = np.zeros((len(rows), part.n_features or rows.shape[1]))
    out[:, list(given.kept)] = rows
    return out


def _kept(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> Rows:
    """Which columns stay, one by one, as the selector of that name asks."""
    del answer, oracle
    name = attributes.name
    if name in ("RFE", "RFECV"):
        return rows[:, attributes.need("support_")]
    if name == "VarianceThreshold":
        return rows[:, attributes.need("variances_") > attributes.need("threshold")]
    if name in ("SelectFpr", "SelectFwe"):
        values = attributes.need("pvalues_")
        share = attributes.need("alpha") / (len(values) if name == "SelectFwe" else 1)
        return rows[:, [place for place, one in enumerate(values) if one < share]]
    scores = [-np.inf if one != one else one for one in attributes.need("scores_").tolist()]
    ranked = sorted(range(len(scores)), key=lambda place: (scores[place], place))
    if name == "SelectKBest":
        k = attributes.need("k")
        return rows[:, sorted(ranked if k == "all" else ranked[max(0, len(ranked) - int(k)) :])]
    share = attributes.need("percentile")
    if share >= 100:
        return rows
    finite = np.array([max(one, np.finfo(np.float64).min) for one in scores])
    bound = np.percentile(finite, 100 - share)
    above = [place for place, one in enumerate(finite) if one > bound]
    room = int(len(finite) * share / 100) - len(above)
    equal = [place for place, one in enumerate(finite) if one == bound]
    return rows[:, sorted(above + equal[: max(0, room)])]


def _modules(folder: str, *names: str) -> tuple[str, ...]:
    return tuple(f"sklearn.{folder}.{name}" for name in names)


def _selector(name: str, modules: tuple[str, ...], used: str, harmless: str, read: Any) -> Family:
    return Family(
        name=name,
        modules=modules,
        library="scikit-learn",
        releases=_RELEASES,
        used=known(used),
        harmless=known(harmless),
        read=read,
        graph=_graph_selection,
        oracle=_kept,
        probe=_probe_plain,
        back=_back_selection,
    )


_UNIVARIATE = _modules("feature_selection", "_univariate_selection", "univariate_selection")
_ELIMINATION = "estimator estimator_ n_features_ n_features_to_select ranking_ step verbose"


def _gives_sparse_bins(attributes: Attributes, given: bool) -> bool:
    del given
    return bool(attributes.get("encode") == "onehot")


def _never(attributes: Attributes, given: bool) -> bool:
    del attributes, given
    return False


FAMILIES = (
    Family(
        name="PolynomialFeatures",
        modules=_modules("preprocessing", "_polynomial", "_data", "data"),
        library="scikit-learn",
        releases=_RELEASES,
        used=known(
            "degree interaction_only include_bias n_output_features_ n_input_features_"
            " n_features_in_"
        ),
        harmless=known("order _min_degree _max_degree _n_out_full"),
        read=_read_polynomial,
        graph=_graph_polynomial,
        oracle=_polynomial,
        probe=_probe_plain,
        back=_back_polynomial,
    ),
    Family(
        name="KBinsDiscretizer",
        modules=_modules("preprocessing", "_discretization"),
        library="scikit-learn",
        releases=_RELEASES,
        used=known("bin_edges_ n_bins_ encode"),
        # The encoder makes a column of each bin in their order.
        harmless=known("n_bins strategy dtype subsample random_state quantile_method _encoder"),
        read=_read_bins,
        graph=_graph_bins,
        oracle=_binned,
        probe=_probe_bins,
        sparse=_gives_sparse_bins,
    ),
    *(
        Family(
            name=name,
            modules=modules,
            library="scikit-learn",
            releases=_RELEASES,
            used=known("components_ mean_ whiten explained_variance_"),
            harmless=known(harmless),
            read=_read_components,
            graph=_graph_components,
            oracle=_projected,
            probe=_probe_components,
            back=_back_components,
            sparse=_never,
        )
        for name, modules, harmless in (
            (
                "PCA",
                _modules("decomposition", "_pca", "pca"),
                "n_components n_components_ copy svd_solver tol iterated_power random_state"
                " explained_variance_ratio_ singular_values_ noise_variance_ n_features_"
                " n_samples_ _fit_svd_solver n_oversamples power_iteration_normalizer"
                " _n_features_out",
            ),
            (
                "IncrementalPCA",
                _modules("decomposition", "_incremental_pca", "incremental_pca"),
                "n_components n_components_ copy batch_size batch_size_ singular_values_"
                " explained_variance_ratio_ noise_variance_ n_samples_seen_ var_ _n_features_out",
            ),
        )
    ),
    Family(
        name="TruncatedSVD",
        modules=_modules("decomposition", "_truncated_svd", "truncated_svd"),
        library="scikit-learn",
        releases=_RELEASES,
        used=known("components_"),
        harmless=known(
            "algorithm n_components n_iter random_state tol explained_variance_"
            " explained_variance_ratio_ singular_values_ n_oversamples power_iteration_normalizer"
        ),
        read=_read_components,
        graph=_graph_components,
        oracle=_projected,
        probe=_probe_components,
        back=_back_components,
        sparse=_never,
    ),
    _selector("SelectKBest", _UNIVARIATE, "scores_ k", "pvalues_ score_func", _read_best),
    _selector(
        "SelectPercentile",
        _UNIVARIATE,
        "scores_ percentile",
        "pvalues_ score_func",
        _read_percentile,
    ),
    _selector("SelectFpr", _UNIVARIATE, "pvalues_ alpha", "scores_ score_func", _read_rate),
    _selector("SelectFwe", _UNIVARIATE, "pvalues_ alpha", "scores_ score_func", _read_rate),
    _selector(
        "VarianceThreshold",
        _modules("feature_selection", "_variance_threshold", "variance_threshold"),
        "variances_ threshold",
        "",
        _read_variance,
    ),
    _selector(
        "RFE",
        _modules("feature_selection", "_rfe", "rfe"),
        "support_",
        f"{_ELIMINATION} importance_getter classes_",
        _read_support,
    ),
    _selector(
        "RFECV",
        _modules("feature_selection", "_rfe", "rfe"),
        "support_",
        f"{_ELIMINATION} importance_getter cv scoring n_jobs min_features_to_select grid_scores_"
        " cv_results_ classes_",
        _read_support,
    ),
)
