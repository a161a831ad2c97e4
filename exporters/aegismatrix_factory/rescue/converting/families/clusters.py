"""scikit-learn's clusters around centres: the nearest centre, and how far away each is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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
from aegismatrix_factory.rescue.converting.parameters import FloatArray
from aegismatrix_factory.rescue.converting.writing import Table, Writer, computed

_SPREADS = (0.5, 2.0, 8.0)


@dataclass(frozen=True, eq=False)
class Centres:
    """One centre a cluster: ndarray of shape (clusters, n_features)."""

    centres: FloatArray


def _read(attributes: Attributes, reader: Reader) -> Model:
    del reader
    given = attributes.need("cluster_centers_")
    if not isinstance(given, np.ndarray) or given.ndim != 2 or not given.size:
        raise InconsistentModelError(f"{attributes.name}.cluster_centers_ is no matrix")
    if given.dtype == np.float32:
        raise UnsupportedModelError(f"its {attributes.name} was fitted in float32")
    count, width = given.shape
    attributes.width(width)
    return Model(
        parameters=Centres(attributes.numbers("cluster_centers_", (count, width))),
        n_features=width,
        answers={"label": 1, "transformed": count},
        classes=tuple(str(place) for place in range(count)),
        output_names={"label": "cluster", "transformed": "distance"},
        feature_names=attributes.column_names(width),
    )


def _graph(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    given: Centres = part.parameters
    value, sums = x.numbers(), []
    for centre in given.centres:
        away = writer.add("Sub", [value, writer.weight(centre)])
        squares = writer.add("Mul", [away, away])
        sums.append(writer.add("ReduceSum", [squares, writer.axes(1)], keepdims=1))
    squared = writer.joined(sums)
    if answer == "label":
        return computed(writer.largest(writer.add("Neg", [squared])), 1)
    return computed(writer.add("Sqrt", [squared]), len(sums))


def _probe(part: Part, random: np.random.Generator, rows: int) -> Probes:
    given: Centres = part.parameters
    centre, spread = given.centres.mean(axis=0), given.centres.std(axis=0) + 1e-3
    drawn = [centre + random.normal(size=(rows, len(centre))) * spread * one for one in _SPREADS]
    return Probes(tuple(drawn), given.centres[:256])


def _oracle(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    del oracle
    x = np.asarray(rows, dtype=np.float64)
    centres = np.asarray(attributes.need("cluster_centers_"), dtype=np.float64)
    distances = np.stack([np.linalg.norm(x - one, axis=1) for one in centres], axis=1)
    if answer == "label":
        return np.asarray(distances.argmin(axis=1).astype(np.float64)[:, None])
    return distances


_RUN = """
    algorithm init max_iter n_clusters n_init random_state tol verbose inertia_ labels_ n_iter_
    _n_init _n_threads _tol _n_features_out _algorithm copy_x n_jobs precompute_distances
"""

FAMILIES = (
    Family(
        name="KMeans",
        modules=("sklearn.cluster._kmeans", "sklearn.cluster.k_means_"),
        library="scikit-learn",
        releases=((0, 20), (1, 9)),
        used=known("cluster_centers_"),
        harmless=known(_RUN),
        read=_read,
        graph=_graph,
        oracle=_oracle,
        probe=_probe,
    ),
    Family(
        name="MiniBatchKMeans",
        modules=("sklearn.cluster._kmeans", "sklearn.cluster.k_means_"),
        library="scikit-learn",
        releases=((0, 20), (1, 9)),
        used=known("cluster_centers_"),
        harmless=known(
            f"""
            {_RUN} batch_size _batch_size _counts counts_ _ewa_inertia _ewa_inertia_min init_size
            _init_size init_size_ _n_since_last_reassign _no_improvement compute_labels
            max_no_improvement n_steps_ reassignment_ratio random_state_
            """
        ),
        read=_read,
        graph=_graph,
        oracle=_oracle,
        probe=_probe,
    ),
)
