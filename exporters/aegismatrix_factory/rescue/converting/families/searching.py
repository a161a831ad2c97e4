"""scikit-learn's searches and frozen models, which answer as the estimator inside does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from aegismatrix_factory.rescue.converting.attributes import Attributes, known
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
from aegismatrix_factory.rescue.converting.members import names_of
from aegismatrix_factory.rescue.converting.parameters import FloatArray
from aegismatrix_factory.rescue.converting.writing import Table, Writer

_INSIDE = {"FrozenEstimator": "estimator"}
"""Where the estimator is that answers, if not under the name that all searches have."""


def _inside(attributes: Attributes) -> object:
    return attributes.need(_INSIDE.get(attributes.name, "best_estimator_"))


def _read(attributes: Attributes, reader: Reader) -> Model:
    best = reader.part(_inside(attributes))
    return replace(
        best.model,
        parameters=best,
        described=f"{attributes.name} of {best.described}",
        feature_names=names_of(attributes, best),
    )


def _graph(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    best: Part = part.parameters
    return best.graph(answer, writer, x)


def _oracle(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    return oracle.answer(_inside(attributes), answer, rows)


def _probe(part: Part, random: np.random.Generator, rows: int) -> Probes:
    best: Part = part.parameters
    return best.probes(random, rows)


_SEARCH = known(
    """
    estimator cv cv_results_ error_score best_index_ best_params_ best_score_ iid multimetric_
    n_jobs n_splits_ pre_dispatch refit refit_time_ return_train_score scorer_ scoring verbose
    fit_params _checked_cv_orig
    """
)
_HALVING = known(
    """
    random_state _n_samples_orig aggressive_elimination factor max_resources max_resources_
    min_resources min_resources_ n_candidates_ n_iterations_ n_possible_iterations_
    n_remaining_candidates_ n_required_iterations_ n_resources_ resource
    """
)
_MODULES = ("sklearn.model_selection._search",)
_HALVED = ("sklearn.model_selection._search_successive_halving",)

FAMILIES = tuple(
    Family(
        name=name,
        modules=modules,
        library="scikit-learn",
        releases=((0, 20), (1, 9)),
        used=known(_INSIDE.get(name, "best_estimator_")),
        harmless=harmless,
        read=_read,
        graph=_graph,
        oracle=_oracle,
        probe=_probe,
        looks=False,
        sparse=None,
    )
    for name, modules, harmless in (
        ("GridSearchCV", _MODULES, {**_SEARCH, **known("param_grid")}),
        (
            "RandomizedSearchCV",
            _MODULES,
            {**_SEARCH, **known("param_distributions n_iter random_state")},
        ),
        ("HalvingGridSearchCV", _HALVED, {**_SEARCH, **_HALVING, **known("param_grid")}),
        (
            "HalvingRandomSearchCV",
            _HALVED,
            {**_SEARCH, **_HALVING, **known("param_distributions n_candidates")},
        ),
        ("FrozenEstimator", ("sklearn.frozen._frozen",), {}),
    )
)
