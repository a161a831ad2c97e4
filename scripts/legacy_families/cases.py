"""What a table of legacy models is made of. It runs under Python 3.6 too, as all of this folder."""

import json
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

Release = Tuple[int, ...]

FIRST: Release = (0,)
NEVER: Release = (99,)

CALLS: Dict[str, Any] = {
    "classifier": ("predict", "predict_proba", "decision_function"),
    "regressor": ("predict",),
    "transformer": ("transform",),
    "clusters": ("predict", "transform"),
    "outliers": ("predict", "decision_function", "score_samples"),
    "reducer": ("predict", "predict_proba", "decision_function", "transform"),
    "inert": (),
}
"""What is asked of a model, where it has the method."""


class Data:
    """What the models are fitted on, and the rows on which their answers are recorded.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        Of `inputs.npz`.
    tables : Path
        `tables.json`: frames by column, and documents.
    """

    def __init__(self, arrays: Dict[str, Any], tables: Path) -> None:
        self.arrays = arrays
        self.train = arrays["train"]
        self.binary = arrays["binary"]
        self.classes = arrays["classes"]
        self.target = arrays["target"]
        self.names = [str(name) for name in arrays["names"]]
        self.rows = arrays["rows"]
        self.rows_missing = arrays["rows_missing"]
        self.counts = arrays["counts"]
        self.counts_rows = arrays["counts_rows"]
        self.labels = np.array(["down", "neutral", "up"], dtype=object)[self.classes]
        self.sides = np.array(["put", "call"], dtype=object)[self.binary]
        self.tables: Dict[str, Any] = json.loads(tables.read_text(encoding="utf-8"))
        self.documents = self.tables["documents"]
        self.document_rows = self.tables["document_rows"]
        self.topics = np.array(self.tables["topics"])

    @property
    def two_targets(self) -> Any:
        """Two columns of numbers to come."""
        return np.column_stack([self.target, -(self.target**2)])

    @property
    def spread(self) -> Any:
        """Numbers to come that are over zero."""
        return np.abs(self.target) + 0.1

    @property
    def two_spreads(self) -> Any:
        """Two columns of numbers to come that are over zero."""
        return np.column_stack([self.spread, self.spread**2])

    @property
    def two_marks(self) -> Any:
        """Two columns of zero and one."""
        return np.column_stack([self.binary, (self.classes == 1).astype(int)])

    @property
    def two_labels(self) -> Any:
        """Two columns of classes, of two and of three."""
        return np.column_stack([self.binary, self.classes])

    @property
    def train_missing(self) -> Any:
        """The training rows with every seventh value missing."""
        rows = self.train.copy()
        rows.ravel()[::7] = np.nan
        return rows

    @property
    def few(self) -> slice:
        """The first rows, for models that keep what they were fitted on."""
        return slice(0, 45)

    def frame(self, name: str) -> Any:
        """Return a frame of `tables.json`: ``frame`` or ``frame_rows``."""
        import pandas as pd

        columns = self.tables[name]
        frame = pd.DataFrame({column: columns[column] for column in columns}, columns=list(columns))
        for column in ("iv", "gap"):
            frame[column] = frame[column].astype(float)
        # As files of commas give it: a missing text is NaN.
        frame["note"] = [np.nan if value is None else value for value in columns["note"]]
        return frame

    def numbers(self, rows: Any) -> Any:
        """Return rows as a frame under the names of the features."""
        import pandas as pd

        return pd.DataFrame(rows, columns=self.names)


class Made(NamedTuple):
    """A model with what cannot be told from the kind of its case.

    Attributes
    ----------
    model : object
        What is dumped.
    sets : mapping of str to object
        Inputs to ask it with, instead of those of its kind: arrays, frames, lists of text; the
        name of a shared set asks with that one.
    parts : mapping of str to object
        The models inside, by the path to each: ``"models/week"``, ``"0"``.
    answers : sequence of (str, str, object)
        The name of a call, the input set, and what was answered, where it takes more than a call of
        a method.
    about : mapping or None
        What the file does not tell of a network: what it is given and the order of its steps.
    """

    model: Any
    sets: Optional[Dict[str, Any]] = None
    parts: Optional[Dict[str, Any]] = None
    answers: Sequence[Tuple[str, str, Any]] = ()
    about: Optional[Dict[str, Any]] = None


class Case(NamedTuple):
    """One line of a table.

    Attributes
    ----------
    name : str
        Begins the file's name.
    build : callable
        Takes the data, returns a fitted model or what was `Made`.
    kind : str
        Of `CALLS`.
    since, until : tuple of int
        The first release that has it, and the first that no longer has.
    expected : str
        ``converted``, ``refused``, or ``either``: right or refused.
    why : str or None
        The reason of a refusal.
    forms : sequence of str
        How to dump it, or ``every`` or ``several``; one is chosen by the name if none is given.
    """

    name: str
    build: Callable[[Data], Any]
    kind: str
    since: Release = FIRST
    until: Release = NEVER
    expected: str = "converted"
    why: Optional[str] = None
    forms: Sequence[str] = ()


def installed(package: str) -> bool:
    """Return whether this Python has the package."""
    return release(package) != FIRST


def release(package: str = "sklearn") -> Release:
    """Return the release of an installed package, ``(0,)`` if there is none."""
    import re

    try:
        module = __import__(package)
    except ImportError:
        return FIRST
    numbers: List[str] = re.findall(r"\d+", module.__version__.split("+")[0])
    return tuple(int(number) for number in numbers[:3])


def since(*first: int) -> bool:
    """Return whether scikit-learn is at least of that release."""
    return release() >= first


def fit(
    kind: Any, label: Optional[str] = None, rows: str = "train", few: bool = False, **settings: Any
) -> Callable[[Data], Any]:
    """Return what fits a class on rows and labels of the data; ``few``: on the first rows alone."""

    def build(data: Data) -> Any:
        share = data.few if few else slice(None)
        x = getattr(data, rows)[share]
        if label is None:
            return kind(**settings).fit(x)
        return kind(**settings).fit(x, getattr(data, label)[share])

    return build
