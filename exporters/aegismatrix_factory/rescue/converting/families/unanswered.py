"""What scikit-learn has and no graph can answer as it does, refused with the reason."""

from __future__ import annotations

from typing import NoReturn

from aegismatrix_factory.rescue.converting.attributes import Attributes, known
from aegismatrix_factory.rescue.converting.errors import UnsupportedModelError
from aegismatrix_factory.rescue.converting.family import (
    Answer,
    Family,
    Model,
    Oracle,
    Part,
    Reader,
    Rows,
)
from aegismatrix_factory.rescue.converting.parameters import FloatArray
from aegismatrix_factory.rescue.converting.writing import Table, Writer

_FACTORS = "how many steps its factors take depends on the other rows of a call"
_REASONS = {
    "NMF": _FACTORS,
    "MiniBatchNMF": _FACTORS,
    "MultiLabelBinarizer": "it takes a set of labels for each row, which no column holds",
    "KNNImputer": "a partial sort chooses among rows that are as far away as one another",
    "NearestNeighbors": "it says which rows are near, and nothing that they say",
    "DBSCAN": "it says nothing of rows that it was not fitted on",
    "AgglomerativeClustering": "it says nothing of rows that it was not fitted on",
}


def _read(attributes: Attributes, reader: Reader) -> Model:
    del reader
    raise UnsupportedModelError(f"a {attributes.name} has no graph: {_REASONS[attributes.name]}")


def _graph(part: Part, answer: Answer, writer: Writer, x: Table) -> NoReturn:
    del answer, writer, x
    raise UnsupportedModelError(f"a {part.described} has no graph")


def _oracle(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    del answer, rows, oracle
    raise UnsupportedModelError(f"a {attributes.name} has no graph")


_NMF = """
    n_components init solver beta_loss tol max_iter random_state alpha alpha_W alpha_H l1_ratio
    verbose shuffle regularization components_ n_components_ n_iter_ reconstruction_err_
    _n_features_out _n_components _beta_loss _max_iter batch_size forget_factor fresh_restarts
    fresh_restarts_max_iter max_no_improvement transform_max_iter n_steps_ _batch_size _rho _gamma
    _transform_max_iter _components_numerator _components_denominator _ewa_cost _ewa_cost_min
    _no_improvement _l1_reg_W _l1_reg_H _l2_reg_W _l2_reg_H
"""
_GROUPED = """
    n_clusters metric affinity memory connectivity compute_full_tree linkage distance_threshold
    compute_distances n_clusters_ labels_ n_leaves_ n_connected_components_ n_components_ children_
    distances_ pooling_func _metric
"""
_DENSE = """
    eps min_samples metric metric_params algorithm leaf_size p n_jobs core_sample_indices_ labels_
    components_
"""
_NEAR = """
    n_neighbors radius algorithm leaf_size metric metric_params p n_jobs _fit_X _tree _fit_method
    n_samples_fit_ effective_metric_ effective_metric_params_
"""

FAMILIES = tuple(
    Family(
        name=name,
        modules=tuple(f"sklearn.{module}" for module in modules),
        library="scikit-learn",
        releases=((0, 20), (1, 9)),
        used={},
        harmless=known(attributes),
        read=_read,
        graph=_graph,
        oracle=_oracle,
    )
    for name, modules, attributes in (
        ("NMF", ("decomposition._nmf", "decomposition.nmf"), _NMF),
        ("MiniBatchNMF", ("decomposition._nmf",), _NMF),
        (
            "MultiLabelBinarizer",
            ("preprocessing._label", "preprocessing.label"),
            "classes sparse_output classes_ _cached_dict",
        ),
        (
            "KNNImputer",
            ("impute._knn",),
            "missing_values add_indicator keep_empty_features n_neighbors weights metric copy"
            " _fit_X _mask_fit_X _valid_mask indicator_",
        ),
        ("NearestNeighbors", ("neighbors._unsupervised", "neighbors.unsupervised"), _NEAR),
        ("DBSCAN", ("cluster._dbscan", "cluster.dbscan_"), _DENSE),
        ("AgglomerativeClustering", ("cluster._agglomerative", "cluster.hierarchical"), _GROUPED),
    )
)
