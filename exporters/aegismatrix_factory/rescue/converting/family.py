"""What a family of models declares, and what comes out of one record of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from aegismatrix_factory.rescue.converting.attributes import (
    Attributes,
    Known,
    Release,
    known,
)
from aegismatrix_factory.rescue.converting.errors import (
    InconsistentModelError,
    UnknownModelError,
    UnsupportedModelError,
    UnsupportedVersionError,
)
from aegismatrix_factory.rescue.converting.parameters import FloatArray
from aegismatrix_factory.rescue.converting.writing import Table, Writer
from aegismatrix_factory.rescue.reading.limits import Clock
from aegismatrix_factory.rescue.reading.records import Record

Answer: TypeAlias = Literal["transformed", "probability", "decision", "label", "value"]
"""What may be asked of a model, as its library's methods: transform, predict_proba,
decision_function, predict of a classifier (the place of the class among its classes), and predict
of anything else."""

Rows: TypeAlias = NDArray[Any]
"""Rows that an oracle is asked about: float64 (N, F), or objects where a column is text."""

Sparse: TypeAlias = Callable[[Attributes, bool], bool]
"""From a transformer, and whether it is given a sparse matrix, to whether it gives one."""

ReadDocument = Callable[[bytes], Any]

TOLERANCE = 1e-9
EVERY_ESTIMATOR = "_sklearn_version n_features_in_ feature_names_in_ _sklearn_output_config"


def sparse_as_given(attributes: Attributes, given: bool) -> bool:
    """Say that a sparse matrix stays one, and what is none becomes none."""
    del attributes
    return given


_PROBE_SPREADS = (0.5, 2.0, 8.0, 1e3)


@dataclass(frozen=True)
class Document:
    """A text whose terms are counted in columns of the input.

    Attributes
    ----------
    column : str
        Where it stood when the model was fitted; empty where there was nothing else.
    begin : int
        The first column of its counts.
    vocabulary : mapping
        As `Model` has it.
    """

    column: str
    begin: int
    vocabulary: Mapping[str, Any]

    @property
    def terms(self) -> int:
        """Columns of its counts."""
        return len(self.vocabulary["terms"])


@dataclass(frozen=True, eq=False)
class Model:
    """What one record computes.

    Attributes
    ----------
    parameters : object
        Of the family's own class; its graph is written from them alone.
    n_features : int or None
        Columns of the input; None where any number will do.
    answers : mapping of Answer to (int or None)
        What may be asked, each with the columns of its answer; None where as many come out as
        went in. An artifact answers the first.
    shown : tuple of Answer
        What an artifact answers, where that is not the first alone.
    classes : tuple of str
        Labels of the classes in order; empty where there are none.
    questions : tuple of tuple of str
        Where it answers several: the classes of each. A label is the place of one for each of them.
    takes_missing : bool
        Whether its library accepts NaN.
    fills_missing : bool
        Whether no NaN comes out, whatever goes in.
    doubtful : bool
        Whether numbers may become NaN or infinite in it, as they do in its library.
    windows : bool
        Whether the input is (N, rows, F).
    output_names : mapping of Answer to str
        What an artifact calls an answer, where that is another name.
    described, version : str
        Where its class and its ``_sklearn_version`` do not say it.
    warnings : tuple of str
        What whoever uses it should know.
    details : mapping
        What else was kept; JSON values.
    vocabulary : mapping or None
        Where the graph begins at the counts of terms: the terms and how a document is taken apart
        into them, as `aegismatrix_factory.rescue.tokeniser` reads it.
    documents : tuple of Document
        Where some columns are the counts of terms of texts that stood in columns of their own.
    tolerance : float
        What graph and oracle may differ by, divided by the largest answer where that is above 1.
    input_shape, output_shape : tuple of (int or str)
        Where rows are not (N, F), or windows not (N, rows, F): the shapes, N first.
    example : tuple of (ndarray, ndarray), or None
        Rows, and what the library answered where the model was made.
    """

    parameters: Any
    n_features: int | None
    answers: Mapping[Answer, int | None]
    shown: tuple[Answer, ...] = ()
    classes: tuple[str, ...] = ()
    questions: tuple[tuple[str, ...], ...] = ()
    takes_missing: bool = False
    fills_missing: bool = False
    doubtful: bool = False
    windows: bool = False
    output_names: Mapping[Answer, str] = field(default_factory=dict)
    described: str = ""
    version: str = ""
    feature_names: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    vocabulary: Mapping[str, Any] | None = None
    documents: tuple[Document, ...] = ()
    tolerance: float = TOLERANCE
    input_shape: tuple[int | str, ...] = ()
    output_shape: tuple[int | str, ...] = ()
    example: tuple[FloatArray, FloatArray] | None = None

    @property
    def column_names(self) -> tuple[str, ...]:
        """What the columns of the input are called; beside counts of terms, those that are none.

        A column without a name is called by its place.
        """
        named = self.feature_names
        if self.documents:
            named = tuple(self.details.get("columns", ()))
        return (*named, *(str(place) for place in range(len(named), self.n_features or 0)))

    @property
    def counts_terms(self) -> bool:
        """Whether it is given counts of terms, where its library is given texts."""
        return self.vocabulary is not None or bool(self.documents)


@dataclass(frozen=True)
class Probes:
    """Rows at which graph and oracle are compared; numbers, NaN comes in later.

    Attributes
    ----------
    random : tuple of ndarray
        Batches around what the model was fitted on.
    boundary : ndarray or None
        Rows where it decides, and their neighbours in float32 and float64.
    """

    random: tuple[FloatArray, ...]
    boundary: FloatArray | None = None


@dataclass(frozen=True, eq=False)
class Family:
    """One class of a library: how its records are read, written as graphs and held against.

    Attributes
    ----------
    name : str
        The class.
    modules : tuple of str
        Where the class was, in any release.
    library : str
        As it is called in messages.
    releases : tuple of Release
        The oldest and the newest that were tried, major and minor.
    used, harmless : Known
        The attributes that are read, and those that do not matter to what it answers. A record
        with any other is refused by name.
    read : callable
        ``read(attributes, reader) -> Model``: checks every attribute and makes the parameters;
        records inside go through ``reader.part``.
    graph : callable
        ``graph(part, answer, writer, x) -> Table`` writes what the parameters say.
    oracle : callable
        ``oracle(attributes, answer, rows, oracle) -> ndarray`` of shape (N, columns) computes the
        same in numpy from the record alone, by that release's own definition. It shares no code
        with `read` and `graph` but checked access to attributes; records inside go through
        ``oracle.answer``.
    probe : callable
        ``probe(part, random, rows) -> Probes``, by default rows around 0.
    back : callable or None
        ``back(part, rows) -> rows`` that a transformer brings about to there.
    says_release : bool
        Whether its records carry ``_sklearn_version``.
    recognises : callable or None
        Tells its values, where they are no records of a class.
    looks : bool
        Whether its library looks itself for NaN among the rows, and refuses it where the model does
        not take it; else what is inside of it does.
    takes_endless : bool
        Whether its library takes infinite numbers where it takes NaN.
    sparse : callable or None
        ``sparse(attributes, given) -> bool``: whether its library gives a sparse matrix when it
        transforms; None where that is said by the parts that its graph is written from.
    """

    name: str
    modules: tuple[str, ...]
    library: str
    releases: tuple[tuple[int, int], tuple[int, int]]
    used: Known
    harmless: Known
    read: Callable[[Attributes, Reader], Model]
    graph: Callable[[Part, Answer, Writer, Table], Table]
    oracle: Callable[[Attributes, Answer, Rows, Oracle], FloatArray]
    probe: Callable[[Part, np.random.Generator, int], Probes] | None = None
    back: Callable[[Part, FloatArray], FloatArray] | None = None
    says_release: bool = True
    recognises: Callable[[object], bool] | None = None
    looks: bool = True
    takes_endless: bool = False
    sparse: Sparse | None = sparse_as_given

    @property
    def known(self) -> Known:
        """All that a record of it may have."""
        every = known(EVERY_ESTIMATOR) if self.says_release else {}
        return {**every, **self.harmless, **self.used}

    def attributes(self, value: object) -> Attributes:
        """Return the attributes of a value, all of them known and of a release that was tried.

        Parameters
        ----------
        value : object
            A record of its class, or what it recognises.

        Raises
        ------
        UnknownPartError, UnsupportedVersionError
        """
        if not isinstance(value, Record):
            return Attributes(Record("", self.name, state=value), None)
        attributes = Attributes(value, None)
        if self.says_release:
            self.check_release(attributes.release, attributes.get("_sklearn_version"))
        attributes.refuse_unknown(self.known)
        return attributes

    def check_release(self, found: Release | None, shown: object) -> None:
        """Refuse a release that was not tried.

        Parameters
        ----------
        found : tuple of int or None
            As it was understood.
        shown : object
            As the file has it.

        Raises
        ------
        UnsupportedVersionError
        """
        oldest, newest = self.releases
        if found is None or not oldest <= found[:2] <= newest:
            raise UnsupportedVersionError(
                self.library,
                shown,
                f"{oldest[0]}.{oldest[1]} to {newest[0]}.{newest[1]}",
            )


@dataclass(frozen=True, eq=False)
class Part:
    """A record that was read: what it computes, by which family.

    Attributes
    ----------
    family : Family
    attributes : Attributes
        Of the record.
    value : object
        The record itself, for the oracle.
    model : Model
    """

    family: Family
    attributes: Attributes
    value: object
    model: Model

    @property
    def parameters(self) -> Any:
        """What its graph is written from."""
        return self.model.parameters

    @property
    def n_features(self) -> int | None:
        """Columns of the input; None where any number will do."""
        return self.model.n_features

    @property
    def described(self) -> str:
        """What it is, by its class."""
        return self.model.described or self.family.name

    @property
    def version(self) -> str:
        """The release that saved it; empty where the file does not say."""
        return self.model.version or self.attributes.version

    @property
    def refuses_missing(self) -> bool:
        """Whether its library raises an error for a row that holds NaN."""
        return self.family.looks and not self.model.takes_missing

    @property
    def refuses_endless(self) -> bool:
        """Whether its library raises an error for a row that holds an infinite number."""
        return self.refuses_missing or (self.family.looks and not self.family.takes_endless)

    @property
    def shown(self) -> tuple[Answer, ...]:
        """What an artifact of it answers."""
        return self.model.shown or tuple(self.model.answers)[:1]

    def width(self, answer: Answer, given: int | None) -> int | None:
        """Return the columns of an answer.

        Parameters
        ----------
        answer : Answer
        given : int or None
            Columns that go in.

        Returns
        -------
        int or None

        Raises
        ------
        UnsupportedModelError
            If it cannot be asked that.
        """
        if answer not in self.model.answers:
            raise UnsupportedModelError(f"a {self.described} cannot be asked for its {answer}")
        own = self.model.answers[answer]
        return given if own is None else own

    def graph(self, answer: Answer, writer: Writer, x: Table) -> Table:
        """Write what it answers to the rows of a table; a part inside of another goes this way."""
        given = None if x.columns is None else len(x.columns)
        self.width(answer, given)
        if given is not None and self.n_features not in (None, given):
            raise InconsistentModelError(
                f"its {self.described} takes {self.n_features} columns and is given {given}"
            )
        if x.doubtful and self.refuses_endless:
            writer.refuse_endless(x, missing=self.refuses_missing)
        table = self.family.graph(self, answer, writer, x)
        if self.model.doubtful or (x.doubtful and not self.model.fills_missing):
            table = replace(table, doubtful=True)
        if answer != "transformed" or self.family.sparse is None:
            return table
        return replace(table, sparse=self.family.sparse(self.attributes, x.sparse))

    def probes(self, random: np.random.Generator, rows: int) -> Probes:
        """Return rows at which graph and oracle are compared."""
        if self.family.probe is not None:
            return self.family.probe(self, random, rows)
        width = self.n_features or 3
        return Probes(tuple(random.normal(size=(rows, width)) * one for one in _PROBE_SPREADS))


class Reader:
    """Turns records into parts.

    Parameters
    ----------
    families : mapping of (module, name) to Family
        By class.
    recognising : tuple of Family
        Those whose values are no records.
    read_document : callable
        From the bytes of a booster's document to plain values.
    clock : Clock, optional
        How long it may take.
    """

    def __init__(
        self,
        families: Mapping[tuple[str, str], Family],
        recognising: tuple[Family, ...],
        read_document: ReadDocument,
        clock: Clock | None = None,
    ) -> None:
        self.clock = clock or Clock(math.inf)
        self._families = families
        self._recognising = recognising
        self.read_document = read_document

    def find(self, value: object) -> Family | None:
        """Return the family of a value, or None where no family knows it."""
        if isinstance(value, Record):
            return self._families.get((value.module, value.name))
        for family in self._recognising:
            if family.recognises is not None and family.recognises(value):
                return family
        return None

    def part(self, value: object) -> Part:
        """Read a record.

        Parameters
        ----------
        value : object
            From a file.

        Returns
        -------
        Part

        Raises
        ------
        LegacyError
            One of its children, saying why it is not converted.
        """
        self.clock.check()
        family, attributes = self.known(value)
        return Part(family, attributes, value, family.read(attributes, self))

    def known(self, value: object) -> tuple[Family, Attributes]:
        """Return the family and the attributes of a value that must have one."""
        family = self.find(value)
        if family is None:
            if isinstance(value, Record):
                raise UnknownModelError(value.module, value.name)
            raise UnsupportedModelError("something else stands where a model must")
        return family, family.attributes(value)


class Oracle:
    """Answers from records alone.

    Parameters
    ----------
    reader : Reader
        Knows the families.
    sparse : bool
        Whether the rows of whoever is asked through it are a sparse matrix in its library.
    refused : list of ndarray, or None
        Rows that were refused so far by the records inside of the one that was asked; None for who
        asks that one.
    """

    def __init__(
        self, reader: Reader, sparse: bool = False, refused: list[NDArray[np.bool_]] | None = None
    ) -> None:
        self._reader = reader
        self._refused = refused
        self.sparse = sparse
        self.read_document = reader.read_document

    def given(self, *, sparse: bool) -> Oracle:
        """Return the same for rows that are a sparse matrix, or are none."""
        return Oracle(self._reader, sparse, self._refused)

    def refuse(self, rows: Any) -> None:
        """Give no answer to some rows, whatever other records make of them.

        Parameters
        ----------
        rows : ndarray of bool, shape (N,)
            Those for which the library would raise an error.
        """
        if self._refused is not None:
            self._refused.append(rows)

    def answer(self, value: object, answer: Answer, rows: Rows) -> FloatArray:
        """Answer as the library would.

        Parameters
        ----------
        value : object
            The record.
        answer : Answer
            What is asked.
        rows : ndarray of shape (N, F)
            float64, or objects where a column is text.

        Returns
        -------
        ndarray of float64, shape (N, columns)
            NaN where the library would raise.
        """
        self._reader.clock.check()
        family, attributes = self._reader.known(value)
        if self._refused is not None:
            self._refuse_missing(value, rows)
            return family.oracle(attributes, answer, rows, self)
        refused: list[NDArray[np.bool_]] = []
        said = family.oracle(attributes, answer, rows, Oracle(self._reader, self.sparse, refused))
        return np.where(np.any(refused, axis=0)[:, None], np.nan, said) if refused else said

    def _refuse_missing(self, value: object, rows: Rows) -> None:
        if rows.dtype != np.float64 or np.isfinite(rows).all():
            return
        part = self._reader.part(value)
        if part.refuses_missing:
            self.refuse(np.isnan(rows).any(axis=1))
        if part.refuses_endless:
            self.refuse(np.isinf(rows).any(axis=1))

    def attributes(self, value: object) -> Attributes:
        """Return the attributes of a record inside of another."""
        return self._reader.known(value)[1]

    def classes(self, value: object) -> tuple[str, ...]:
        """Return the classes of a record inside of another, which may hold them deeper inside."""
        return self._reader.part(value).model.classes

    def answers(self, value: object) -> Mapping[Answer, int | None]:
        """Return what may be asked of a record inside of another."""
        return self._reader.part(value).model.answers
