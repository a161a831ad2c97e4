"""Ask a model what it answers on rows that are recorded beside."""

from typing import Any, Dict, Iterator, List, Tuple

import numpy as np

from scripts.legacy_families.cases import CALLS, Case, Data, Made

SHARED_ARRAYS = ("rows", "rows_missing", "counts_rows", "windows")
SHARED_TABLES = ("frame_rows", "document_rows")
PLAIN_SETS = ("rows", "frame_rows", "document_rows", "windows")
THRESHOLDS = 5
PART_CALLS = ("predict", "predict_proba", "decision_function", "transform")

Output = Dict[str, str]


class Recorded:
    """What models answered, and on what they were asked.

    Attributes
    ----------
    arrays : dict of str to ndarray
        Answers and own inputs, for `predictions.npz`: numbers, or text of a fixed width.
    tables : dict of str to object
        Own inputs that are no arrays, for `tables.json`.
    of_batch : list of str
        Answers that are not kept, since they depend on the other rows of the call.
    """

    def __init__(self, data: Data) -> None:
        self.data = data
        self.arrays: Dict[str, Any] = {}
        self.tables: Dict[str, Any] = {}
        self.of_batch: List[str] = []

    def answers(self, case: Case, made: Made) -> Dict[str, Output]:
        """Ask a model and its parts; return where each answer and its inputs are."""
        outputs: Dict[str, Output] = {}
        if case.expected == "refused":
            return outputs
        sets = self._sets(made)
        for name, (rows, source, takes_missing) in sets.items():
            for call in CALLS[case.kind]:
                self._ask(case.name, outputs, made.model, call, (name, rows, source), takes_missing)
        for path, part in (made.parts or {}).items():
            for call in PART_CALLS:
                asked = ("rows", self.data.rows, "inputs")
                self._ask(case.name, outputs, part, call, asked, False, path)
        for call, name, answer in made.answers:
            source = "tables" if name in SHARED_TABLES else "inputs"
            source = sets[name][1] if name in sets else source
            self._keep(case.name, outputs, call, name, source, answer)
        asked_with = {output["inputs"] for output in outputs.values()}
        for name, (rows, source, _) in sets.items():
            own = f"{case.name}.{name}"
            if own in asked_with and source == "predictions":
                self.arrays[own] = plain(rows)
            elif own in asked_with and source == "own_tables":
                self.tables[own] = jsonable(rows)
        return outputs

    def _sets(self, made: Made) -> Dict[str, Tuple[Any, str, bool]]:
        """Return rows, where they are kept, and whether a refusal of missing values is fine."""
        data, sets = self.data, {}  # type: Data, Dict[str, Tuple[Any, str, bool]]
        if not made.sets:
            sets["rows"] = (data.rows, "inputs", False)
            sets["rows_missing"] = (data.rows_missing, "inputs", True)
            limits = list(thresholds(made.model, np.arange(data.rows.shape[1])))
            if limits:
                sets["boundary"] = (boundary(limits, data.rows), "predictions", False)
        for name, rows in (made.sets or {}).items():
            if rows is None and name == "frame_rows":
                rows = data.frame(name)
            elif rows is None:
                rows = data.arrays[name] if name in SHARED_ARRAYS else getattr(data, name)
            if name in SHARED_ARRAYS:
                source = "inputs"
            elif name in SHARED_TABLES:
                source = "tables"
            else:
                source = "own_tables" if isinstance(rows, list) else "predictions"
            sets[name] = (rows, source, False)
        return sets

    def _ask(
        self,
        holds: str,
        outputs: Dict[str, Output],
        model: Any,
        call: str,
        asked: Tuple[str, Any, str],
        may_refuse: bool,
        path: str = "",
    ) -> None:
        name, rows, source = asked
        if not hasattr(model, call):
            return
        try:
            answer = getattr(model, call)(rows)
        except AttributeError:
            # Some releases have a method for every setting, and refuse once it is called.
            return
        except (ValueError, TypeError):
            if may_refuse:
                return
            raise
        if depends_on_batch(model, call, rows, answer):
            # No function of a row: nobody can be asked to give it back.
            self.of_batch.append(f"{holds}.{call}_{name}")
            return
        if isinstance(answer, list) and not isinstance(answer[0], (str, int, float)):
            for place, one in enumerate(answer):
                self._keep(holds, outputs, f"{call}_{place}", name, source, one, path)
            return
        self._keep(holds, outputs, call, name, source, answer, path)

    def _keep(
        self,
        holds: str,
        outputs: Dict[str, Output],
        call: str,
        name: str,
        source: str,
        answer: Any,
        path: str = "",
    ) -> None:
        key = call if name in PLAIN_SETS else call + "_" + name
        key = f"{path}:{key}" if path else key
        output = {"inputs": name, "array": f"{holds}.{key}"}
        if key != call:
            output["call"] = call
        if source != "inputs":
            output["inputs_in"] = "tables" if source == "own_tables" else source
        if source in ("predictions", "own_tables"):
            output["inputs"] = f"{holds}.{name}"
        if path:
            output["path"] = path
        self.arrays[output["array"]] = plain(answer)
        outputs[key] = output


def depends_on_batch(model: Any, call: str, rows: Any, answer: Any) -> bool:
    """Return whether a row's answer is another one when fewer rows are asked with it."""
    if call != "decision_function" or not isinstance(rows, np.ndarray) or len(rows) < 2:
        return False
    halves = [getattr(model, call)(part) for part in np.array_split(rows, 2)]
    return not np.allclose(np.concatenate(halves), answer, rtol=1e-6, atol=1e-6, equal_nan=True)


def plain(answer: Any) -> Any:
    """Return an array without objects: numbers, or text of a fixed width."""
    if hasattr(answer, "toarray"):
        answer = answer.toarray()
    array = np.asarray(answer)
    if array.dtype.kind == "O":
        flat = list(array.ravel())
        if all(isinstance(value, str) or value is None for value in flat):
            array = np.array(["" if v is None else v for v in flat]).reshape(array.shape)
        else:
            array = array.astype(float)
    if array.dtype.kind == "T":
        array = array.astype("U")
    return array


def jsonable(rows: Any) -> Any:
    """Return a list as JSON has it; a frame never comes here."""
    return [list(row) if isinstance(row, tuple) else row for row in rows]


def thresholds(model: Any, columns: Any) -> Iterator[Tuple[int, float]]:
    """Yield column and threshold of every node of the trees in a model of plain columns."""
    if hasattr(model, "tree_"):
        tree = model.tree_
        for feature, threshold in zip(tree.feature, tree.threshold):
            if feature >= 0:
                yield int(columns[feature]), float(threshold)
    for stage in getattr(model, "_predictors", ()):
        for predictor in stage:
            for node in predictor.nodes:
                if not node["is_leaf"]:
                    names = node.dtype.names
                    value = node["num_threshold" if "num_threshold" in names else "threshold"]
                    yield int(columns[node["feature_idx"]]), float(value)
    members = getattr(model, "estimators_", None)
    if members is None or isinstance(members, tuple):
        return
    subsets = getattr(model, "estimators_features_", None)
    for place, member in enumerate(np.asarray(members, dtype=object).ravel()):
        inner = columns if subsets is None else np.asarray(columns)[subsets[place]]
        yield from thresholds(member, inner)


def boundary(limits: List[Tuple[int, float]], rows: Any) -> Any:
    """Return rows that stand at thresholds: on them, and one step of each precision beside."""
    finite = sorted({limit for limit in limits if np.isfinite(limit[1])})
    step = max(1, len(finite) // THRESHOLDS)
    made = []
    for place, (column, threshold) in enumerate(finite[::step][:THRESHOLDS]):
        single = np.float32(threshold)
        for value in (
            threshold,
            np.nextafter(threshold, np.inf),
            float(single),
            float(np.nextafter(single, np.float32(np.inf))),
            float(np.nextafter(single, np.float32(-np.inf))),
        ):
            row = rows[place % len(rows)].copy()
            row[column] = value
            made.append(row)
    return np.array(made)
