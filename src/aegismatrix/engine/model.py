"""Run verified artifacts: the only module that imports onnxruntime.

A `Model` is a session made from bytes whose hash was checked, whose names, types and shapes equal
what the manifest seals, and whose every call is checked: onnxruntime itself takes NaN, infinities
and Python lists in silence.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from aegismatrix import errors
from aegismatrix.artifacts.manifest import (
    ArraySpec,
    Manifest,
    ModelSpec,
    read_artifact,
    read_manifest,
)
from aegismatrix.artifacts.operators import METADATA_KEY, check_content
from aegismatrix.errors import ArgumentError, ContractError, shown
from aegismatrix.market.arrays import as_whole

if TYPE_CHECKING:
    import onnxruntime

_ONNX_TYPES = {"float64": "tensor(double)", "float32": "tensor(float)", "int64": "tensor(int64)"}
_BARS_AXIS, _ROWS_AXIS = "T", "N"
_SHOWN_LETTERS = 300

MOST_THREADS = 64
"""That one run of a model may use. Each of them keeps memory for as long as its session is open."""

_NO_ANSWER = (
    "The model that it was rescued from gives no number for these rows either: leave out categories"
    " that it never saw, and numbers far from what it was fitted on."
)


class Model:
    """One verified artifact, ready to run. Safe to share between threads.

    Attributes
    ----------
    spec : ModelSpec
        Everything sealed about it: contract, training span, judgements.

    Examples
    --------
    >>> import aegismatrix as am
    >>> trap = am.load_models()["trap"]
    >>> trap.name, [array.name for array in trap.spec.inputs]
    ('trap', ['features'])
    """

    def __init__(self, spec: ModelSpec, session: onnxruntime.InferenceSession) -> None:
        self.spec = as_spec(spec)
        self._session = _as_session(session)
        self._home: int | None = None
        self._output_names = [output.name for output in spec.outputs]

    @classmethod
    def from_bytes(cls, spec: ModelSpec, data: bytes, path: str, *, threads: int = 1) -> Model:
        """Open a session from bytes and hold it against its contract.

        Parameters
        ----------
        spec : ModelSpec
            The contract.
        data : bytes
            The artifact, already verified.
        path : str
            For messages.
        threads : int
            That one run of it may use, 1 to `MOST_THREADS`.

        Raises
        ------
        ArtifactRejectedError
            If it holds what no artifact may hold, onnxruntime does not load it, or a name, type,
            shape or look-back differs.

        Examples
        --------
        >>> import aegismatrix as am
        >>> manifest = am.Engine().manifest
        >>> spec = manifest.model("trap")
        >>> data = (manifest.folder / spec.file).read_bytes()
        >>> am.Model.from_bytes(spec, data, spec.file).name
        'trap'
        """
        as_spec(spec)
        path = path if type(path) is str else shown(path)
        if not isinstance(data, bytes):
            raise ArgumentError("data", shown(data), remedy="Give the bytes of an artifact.")
        check_content(data, path)
        session = _open_session(data, path, threads)
        for sealed, actual in (
            (spec.inputs, session.get_inputs()),
            (spec.outputs, session.get_outputs()),
        ):
            promised = [
                (array.name, _ONNX_TYPES.get(array.dtype), list(array.shape)) for array in sealed
            ]
            found = [(node.name, node.type, list(node.shape)) for node in actual]
            if promised != found:
                raise errors.ArtifactRejectedError(
                    path, f"its contract is {found}, sealed is {promised}"
                )
        # Given fewer rows than it depends on, onnxruntime may end the process.
        needs = {"lookback_bars": spec.lookback_bars, "rows": spec.rows}
        stamp = _stamp(session, path)
        if {key: stamp.get(key) for key in needs} != needs:
            raise errors.ArtifactRejectedError(
                path, f"it does not say of itself what is sealed, {needs}"
            )
        model = cls(spec, session)
        # Threads do not follow into a forked process, and a run there would wait for them.
        model._home = os.getpid() if threads > 1 else None
        return model

    def __reduce__(self) -> NoReturn:
        raise errors.NotTransferableError("Model", "load_models()")

    @property
    def name(self) -> str:
        """Name in the manifest."""
        return self.spec.name

    def __repr__(self) -> str:
        inputs = ", ".join(
            f"{array.name}[{', '.join(str(size) for size in array.shape)}]"
            for array in self.spec.inputs
        )
        return f"Model({self.name} {self.spec.version}: {inputs})"

    def run(self, /, **arrays: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
        """Run the model and return the outputs by name.

        Parameters
        ----------
        **arrays : ndarray
            The inputs by name, of exactly the sealed types and shapes; all finite.

        Raises
        ------
        ContractError
            If an input is missing, unknown, or of another type or shape, or is not finite; if an
            output is of another shape than sealed, or a probability is outside of 0 and 1.
        InsufficientHistoryError
            If there are fewer bars than the look-back.
        NonFiniteOutputError
            If an output is NaN or infinite.
        ModelFailedError
            If onnxruntime gives up.

        Examples
        --------
        >>> import aegismatrix as am
        >>> bars, models = am.sample_bars(), am.load_models()
        >>> given = {name: getattr(bars, name) for name in ("high", "low", "close", "iv")}
        >>> features = models["features"].run(**given)["features"]
        >>> models["trap"].run(features=features)["probability"].shape[1:]
        (3,)
        """
        self._check_inputs(arrays)
        return self._run(arrays)

    def run_validated(self, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float64]]:
        """Run the model on inputs that are known to be finite, as those of `Bars` are.

        Parameters
        ----------
        arrays : mapping of str to ndarray
            The inputs by name. Their types and shapes are checked, and their values are not: given
            fewer rows than it depends on, onnxruntime may end the process.

        Raises
        ------
        NonFiniteOutputError, ContractError, ModelFailedError
            For outputs, as for `run`.

        Examples
        --------
        >>> import aegismatrix as am
        >>> bars = am.sample_bars()
        >>> given = {name: getattr(bars, name) for name in ("high", "low", "close", "iv")}
        >>> am.load_models()["features"].run_validated(given)["implied_sigma"].ndim
        1
        """
        if not isinstance(arrays, Mapping):
            remedy = "Give a dictionary of arrays by name."
            raise ContractError(self.name, "arrays", f"are {shown(arrays)}", remedy=remedy)
        self._check_inputs(arrays, values=False)
        return self._run(arrays)

    def _run(self, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float64]]:
        if self._home is not None and self._home != os.getpid():
            raise ContractError(
                self.name,
                "threads",
                "stayed in the process that opened it",
                remedy="Open an Engine in each process, or fork with one of a single thread.",
            )
        try:
            values = self._session.run(self._output_names, arrays)
        except Exception as error:
            raise errors.ModelFailedError(self.name, _first_line(error)) from error
        outputs = dict(zip(self._output_names, values, strict=True))
        for array in self.spec.outputs:
            self._check_output(array, outputs[array.name])
        return outputs

    def _check_inputs(self, arrays: Mapping[str, NDArray[Any]], *, values: bool = True) -> None:
        sizes: dict[str, int] = {}
        wanted = [array.name for array in self.spec.inputs]
        for name in arrays:
            if name not in wanted:
                said = name if type(name) is str else shown(name)
                raise ContractError(
                    self.name, said, "is not an input", remedy=f"Give exactly {wanted}."
                )
        for array in self.spec.inputs:
            if array.name not in arrays:
                raise ContractError(
                    self.name, array.name, "is missing", remedy=f"Give exactly {wanted}."
                )
            self._check_shape(array, arrays[array.name], sizes)
            if values:
                self._check_values(array, arrays[array.name])
        bars = sizes.get(_BARS_AXIS)
        if bars is not None and bars < self.spec.lookback_bars:
            raise errors.InsufficientHistoryError(need=self.spec.lookback_bars, have=bars)
        rows = sizes.get(_ROWS_AXIS)
        if rows is not None and rows < self.spec.rows:
            raise ContractError(
                self.name,
                "features",
                f"has {rows} rows, one forecast needs {self.spec.rows}",
                remedy=f"Give {self.spec.rows - rows} earlier rows too.",
            )

    def _check_shape(self, array: ArraySpec, given: object, sizes: dict[str, int]) -> None:
        remedy = f"Give a numpy array of {array.dtype} with shape {list(array.shape)}."
        # Not a subclass either: a masked array hides values from the checks, not from onnxruntime.
        if type(given) is not np.ndarray:
            raise ContractError(
                self.name, array.name, f"is a {type(given).__name__}", remedy=remedy
            )
        if given.dtype != np.dtype(array.dtype):
            raise ContractError(self.name, array.name, f"is of {given.dtype}", remedy=remedy)
        fits = given.ndim == len(array.shape) and all(
            size == (sizes.setdefault(axis, size) if isinstance(axis, str) else axis)
            for size, axis in zip(given.shape, array.shape, strict=True)
        )
        if not fits or not given.size:
            raise ContractError(
                self.name, array.name, f"has the shape {list(given.shape)}", remedy=remedy
            )

    def _check_values(self, array: ArraySpec, given: NDArray[Any]) -> None:
        # A finite sum can only come from finite values; the slow test finds a sum that overflowed.
        with np.errstate(over="ignore"):
            total = given.sum()
        if not math.isfinite(total) and not np.isfinite(given).all():
            raise ContractError(
                self.name, array.name, "has NaN or infinite values", remedy="Give finite values."
            )
        least, most = array.minimum, array.maximum
        if (least is not None and given.min() < least) or (most is not None and given.max() > most):
            raise ContractError(
                self.name,
                array.name,
                f"runs from {given.min()} to {given.max()}",
                remedy=f"Give {array.unit}, from {least} to {most}.",
            )

    def _check_output(self, array: ArraySpec, values: NDArray[np.float64]) -> None:
        # onnxruntime itself only warns of a shape that is not the declared one.
        fits = values.size and values.ndim == len(array.shape)
        if not fits or any(
            size != axis
            for size, axis in zip(values.shape, array.shape, strict=True)
            if not isinstance(axis, str)
        ):
            raise ContractError(
                self.name,
                array.name,
                f"came out with the shape {list(values.shape)}, not {list(array.shape)}",
                remedy="Nothing was published; use artifacts made by aegismatrix export.",
            )
        # Infinities of both signs, and numbers that add up to more than there are.
        with np.errstate(invalid="ignore", over="ignore"):
            total = values.sum()
        if not math.isfinite(total) and not np.isfinite(values).all():
            if self.spec.kind == "rescued":
                raise errors.NonFiniteOutputError(self.name, array.name, remedy=_NO_ANSWER)
            raise errors.NonFiniteOutputError(self.name, array.name)
        if array.unit == "probability" and not 0.0 <= values.min() <= values.max() <= 1.0:
            raise ContractError(
                self.name,
                array.name,
                "left the range 0 to 1",
                remedy="Nothing was published; report the bars that led here as a bug.",
            )


def _as_session(given: Any) -> onnxruntime.InferenceSession:
    """What is held to be an open session."""
    # A class that answers for whatever it lacks may raise what it likes.
    if not callable(getattr(type(given), "run", None)):
        raise ArgumentError(
            "session", shown(given), remedy="Use load_models, which opens one of each model."
        )
    session: onnxruntime.InferenceSession = given
    return session


def as_spec(given: object) -> ModelSpec:
    """Return what is held to be the contract of an artifact."""
    if not isinstance(given, ModelSpec):
        raise ArgumentError("spec", shown(given), remedy="Give a ModelSpec, of Manifest.model.")
    return given


def load_model(manifest: Manifest, name: str, threads: int = 1) -> Model:
    """Verify one artifact and open it, or raise an ArtifactError that says which file and why."""
    data = read_artifact(manifest, name)
    spec = manifest.model(name)
    return Model.from_bytes(spec, data, str(manifest.folder / spec.file), threads=threads)


def load_models(path: str | os.PathLike[str] | None = None) -> dict[str, Model]:
    """Verify and open every staged artifact: the features and one model per head.

    The fused engine is not among them: that is `Engine`.

    Parameters
    ----------
    path : path-like, optional
        A folder of artifacts; by default the bundled one.

    Raises
    ------
    ArtifactError
        One of its children, saying which file and why. There is no partial result.

    Examples
    --------
    >>> import aegismatrix as am
    >>> list(am.load_models())[:3]
    ['features', 'trap', 'regime']
    """
    manifest = read_manifest(path)
    return {
        name: load_model(manifest, name)
        for name, spec in manifest.models.items()
        if spec.kind != "engine"
    }


# What a prediction needs of onnxruntime; a package that was half removed lacks all of it.
_NEEDED = ("InferenceSession", "SessionOptions", "GraphOptimizationLevel")


def _runtime() -> ModuleType:
    """Import onnxruntime, or say what stands in its place."""
    try:
        import onnxruntime
    except Exception as error:
        there: dict[str, Any] = {"reason": _first_line(error), "installed": _installed()}
        if isinstance(error, ModuleNotFoundError) and error.name == "onnxruntime":
            raise errors.OnnxruntimeError("missing", **there) from error
        raise errors.OnnxruntimeError("broken", **there) from error
    lacking = [name for name in _NEEDED if not hasattr(onnxruntime, name)]
    file = getattr(onnxruntime, "__file__", None)
    if lacking and file:
        raise errors.OnnxruntimeError(
            "replaced", place=file, reason=lacking[0], installed=_installed()
        )
    if lacking:
        folders = ", ".join(getattr(onnxruntime, "__path__", ["a module without a file"]))
        raise errors.OnnxruntimeError("emptied", place=folders, installed=_installed())
    runtime: ModuleType = onnxruntime
    return runtime


def _installed() -> list[str]:
    """The distributions whose name begins with onnxruntime, with their versions."""
    from importlib.metadata import distributions

    found = {
        f"{one.name} {one.version}"
        for one in distributions()
        if (one.name or "").lower().startswith("onnxruntime")
    }
    return sorted(found)


def _open_session(data: bytes, path: str, threads: int = 1) -> onnxruntime.InferenceSession:
    workers = as_whole(threads, "threads", least=1, most=MOST_THREADS, unit="threads")
    onnxruntime = _runtime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = workers
    options.inter_op_num_threads = 1
    # The graphs are shipped as they are to be computed: rewriting them at every start would double
    # its cost and let numbers depend on the version of the optimiser. Planning memory reuse costs
    # more than it saves on many small nodes.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.enable_mem_reuse = False
    # Packed copies of weights serve whoever predicts often; one prediction does not need them, and
    # a graph that names one weight in many nodes would have each of them packed.
    options.add_session_config_entry("session.disable_prepacking", "1")
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(
            data, sess_options=options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:
        raise errors.ArtifactRejectedError(path, _first_line(error)) from error


def _stamp(session: onnxruntime.InferenceSession, path: str) -> Mapping[str, Any]:
    """What an artifact says about itself."""
    try:
        stamp = json.loads(session.get_modelmeta().custom_metadata_map.get(METADATA_KEY, "{}"))
    except (ValueError, RecursionError) as error:
        raise errors.ArtifactRejectedError(path, "what it says of itself is not JSON") from error
    return stamp if isinstance(stamp, dict) else {}


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return ascii(lines[0][:_SHOWN_LETTERS])[1:-1]
