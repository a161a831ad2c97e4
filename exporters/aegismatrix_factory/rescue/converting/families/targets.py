"""scikit-learn's regressor of a changed target: what its regressor says, changed back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aegismatrix_factory.rescue.converting.attributes import Attributes, known
from aegismatrix_factory.rescue.converting.errors import (
    InconsistentModelError,
    UnsupportedModelError,
)
from aegismatrix_factory.rescue.converting.families.scaling import Scaling
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
from aegismatrix_factory.rescue.reading.records import Name, Record

_FUNCTIONS = ("exp", "expm1", "square", "sqrt", "log", "log1p")


@dataclass(frozen=True, eq=False)
class ChangedTarget:
    """A regressor, and how its answer is changed back.

    Attributes
    ----------
    regressor : Part
    scaling : Scaling or None
        What was done to the target, to be undone.
    function : str or None
        What undoes it, by numpy's name.
    """

    regressor: Part
    scaling: Scaling | None
    function: str | None


def _read(attributes: Attributes, reader: Reader) -> Model:
    regressor = reader.part(attributes.need("regressor_"))
    if "value" not in regressor.model.answers:
        raise UnsupportedModelError("its TransformedTargetRegressor has no regressor inside")
    width = regressor.model.answers["value"]
    given = attributes.need("transformer_")
    if not isinstance(given, Record):
        raise UnsupportedModelError("its target is changed by something else than a transformer")
    scaling: Scaling | None = None
    function: str | None = None
    if given.name == "FunctionTransformer":
        function = _function(reader.known(given)[1].get("inverse_func"))
    else:
        part = reader.part(given)
        scaling = part.parameters if isinstance(part.parameters, Scaling) else None
        if scaling is None or scaling.lowest is not None:
            raise UnsupportedModelError(f"its target is changed by a {part.described}")
        if part.n_features not in (None, width):
            raise InconsistentModelError("its target has another number of columns than its change")
        if scaling.factor is not None and (scaling.factor == 0.0).any():
            raise InconsistentModelError("its target was changed in a way that nothing undoes")
    return Model(
        parameters=ChangedTarget(regressor, scaling, function),
        n_features=regressor.n_features,
        answers={"value": width},
        takes_missing=regressor.model.takes_missing,
        described=f"TransformedTargetRegressor of {regressor.described}",
        version=regressor.version,
        feature_names=regressor.model.feature_names,
        warnings=regressor.model.warnings,
        details=regressor.model.details,
        vocabulary=regressor.model.vocabulary,
        documents=regressor.model.documents,
        tolerance=regressor.model.tolerance,
    )


def _function(given: object) -> str | None:
    if given is None:
        return None
    if isinstance(given, Name) and given.module == "numpy" and given.name in _FUNCTIONS:
        return given.name
    raise UnsupportedModelError("its target is changed back by a function that is not numpy's")


def _graph(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    changed: ChangedTarget = part.parameters
    value = changed.regressor.graph(answer, writer, x).numbers()
    if changed.scaling is not None:
        one = changed.scaling
        for operator, given in (
            ("Sub", one.after),
            ("Div", one.factor),
            ("Mul", one.divisor),
            ("Add", one.before),
        ):
            if given is not None and len(given) == 1 and operator in ("Mul", "Div"):
                value = writer.scaled(value, 1.0 / given if operator == "Div" else given)
            elif given is not None:
                value = writer.add(operator, [value, writer.weight(given)])
    if changed.function in ("exp", "expm1"):
        value = writer.add("Exp", [value])
    if changed.function == "expm1":
        value = writer.add("Sub", [value, writer.number(1.0)])
    if changed.function == "square":
        value = writer.add("Mul", [value, value])
    if changed.function == "sqrt":
        value = writer.add("Sqrt", [value])
    if changed.function == "log1p":
        value = writer.add("Add", [value, writer.number(1.0)])
    if changed.function in ("log", "log1p"):
        value = writer.add("Log", [value])
    return computed(value, part.model.answers["value"])


def _oracle(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    """As the transformer's own ``inverse_transform`` does."""
    said = oracle.answer(attributes.need("regressor_"), answer, rows)
    record = attributes.need("transformer_")
    given = oracle.attributes(record)
    if record.name == "FunctionTransformer":
        function = given.get("inverse_func")
        with np.errstate(all="ignore"):
            return said if function is None else np.asarray(getattr(np, function.name)(said))
    if record.name == "MinMaxScaler":
        return np.asarray((said - given.need("min_")) / given.need("scale_"))
    if record.name == "MaxAbsScaler":
        return np.asarray(said * given.need("scale_"))
    centre, on = {
        "StandardScaler": ("mean_", ("with_mean", "with_std")),
        "RobustScaler": ("center_", ("with_centering", "with_scaling")),
    }[record.name]
    if given.need(on[1]):
        said = said * given.need("scale_")
    return np.asarray(said + given.need(centre)) if given.need(on[0]) else said


def _probe(part: Part, random: np.random.Generator, rows: int) -> Probes:
    changed: ChangedTarget = part.parameters
    return changed.regressor.probes(random, rows)


FAMILIES = (
    Family(
        name="TransformedTargetRegressor",
        modules=("sklearn.compose._target",),
        library="scikit-learn",
        releases=((0, 20), (1, 9)),
        used=known("regressor_ transformer_"),
        harmless=known("regressor transformer func inverse_func check_inverse _training_dim"),
        read=_read,
        graph=_graph,
        oracle=_oracle,
        probe=_probe,
        looks=False,
    ),
)
