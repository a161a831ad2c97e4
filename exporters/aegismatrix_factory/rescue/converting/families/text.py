"""scikit-learn's vectorisers of text. Their graphs begin at the counts of the terms.

Artifacts hold no strings, and the operators that would take strings apart are not among those that
one may hold: the terms and what takes a document apart into them lie beside the artifact.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
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
from aegismatrix_factory.rescue.converting.parameters import FloatArray
from aegismatrix_factory.rescue.converting.stopping import ENGLISH
from aegismatrix_factory.rescue.converting.writing import Table, Writer, computed
from aegismatrix_factory.rescue.reading.records import Name, Record

_RELEASES = ((0, 20), (1, 9))
_MODULES = ("sklearn.feature_extraction.text",)
_MOST_TERMS = 1_000_000
_PATTERN_CHARACTERS = 200
_SLOW = re.compile(r"\)\s*[*+{?]")
_EXACT = ("float64", "int64", "int32", "uint64", "uint32", "int", "float", "float_", "int_")


@dataclass(frozen=True, eq=False)
class Weighing:
    """Counts of terms, weighed.

    Attributes
    ----------
    binary : bool
        Whether each term counts once.
    sublinear : bool
        Whether the logarithm of a count and 1 stands for it.
    weights : ndarray of shape (terms,) or None
        What each is multiplied by.
    norm : {'l1', 'l2', None}
        What each row is divided by, unless it is 0.
    """

    binary: bool = False
    sublinear: bool = False
    weights: FloatArray | None = None
    norm: str | None = None


def _terms(attributes: Attributes) -> list[str]:
    given = attributes.need("vocabulary_")
    if not isinstance(given, dict) or not given:
        raise InconsistentModelError(f"{attributes.name}.vocabulary_ is no dict of terms")
    if len(given) > _MOST_TERMS:
        raise OversizedModelError(f"it has more than {_MOST_TERMS} terms")
    found: list[str | None] = [None] * len(given)
    for term, place in given.items():
        if (
            not isinstance(term, str)
            or isinstance(place, bool)
            or not isinstance(place, int | np.integer)
            or not 0 <= place < len(found)
            or found[int(place)] is not None
        ):
            raise InconsistentModelError(f"{attributes.name}.vocabulary_ is not one place a term")
        found[int(place)] = term
    return [term for term in found if term is not None]


def _content(attributes: Attributes) -> dict[str, Any]:
    """What takes a document apart, for the file beside the artifact."""
    name = attributes.name
    for key in ("preprocessor", "tokenizer"):
        if attributes.get(key) is not None:
            raise UnsupportedModelError(f"its {name} calls a {key} of its own, which is a program")
    analyzer = attributes.need("analyzer")
    if not isinstance(analyzer, str) or analyzer not in ("word", "char", "char_wb"):
        raise UnsupportedModelError(f"its {name} calls an analyzer of its own, which is a program")
    dtype = attributes.get("dtype")
    if not isinstance(dtype, Name) or dtype.name not in _EXACT:
        raise UnsupportedModelError(f"its {name} computes in another precision than float64")
    accents = attributes.get("strip_accents")
    if accents not in (None, "ascii", "unicode"):
        raise UnsupportedModelError(f"its {name} strips accents by a program of its own")
    given = attributes.need("ngram_range")
    if (
        not isinstance(given, tuple | list)
        or len(given) != 2
        or not all(type(one) is int and 1 <= one <= 100 for one in given)
        or given[0] > given[1]
    ):
        raise InconsistentModelError(f"{name}.ngram_range is not two numbers")
    return {
        "analyzer": analyzer,
        "lowercase": attributes.flag("lowercase"),
        "strip_accents": accents,
        "token_pattern": _pattern(attributes) if analyzer == "word" else "",
        "ngrams": list(given),
        "stop_words": _stop_words(attributes) if analyzer == "word" else None,
        "terms": _terms(attributes),
    }


def _pattern(attributes: Attributes) -> str:
    pattern = attributes.text("token_pattern")
    # A group that repeats may take forever on the text of a stranger.
    if len(pattern) > _PATTERN_CHARACTERS or _SLOW.search(pattern):
        raise UnsupportedModelError(f"its {attributes.name} finds words by a pattern that may hang")
    try:
        groups = re.compile(pattern).groups
    except (re.error, OverflowError, RecursionError) as error:
        raise InconsistentModelError(f"{attributes.name}.token_pattern is no pattern") from error
    if groups > 1:
        raise InconsistentModelError(f"{attributes.name}.token_pattern has more than one group")
    return pattern


def _stop_words(attributes: Attributes) -> list[str] | None:
    given = attributes.get("stop_words")
    if given is None:
        return None
    if isinstance(given, str):
        if given != "english":
            raise InconsistentModelError(f"{attributes.name}.stop_words is unknown")
        return list(ENGLISH)
    if isinstance(given, np.ndarray):
        given = given.tolist()
    if not isinstance(given, list | tuple | set | frozenset) or not all(
        isinstance(one, str) for one in given
    ):
        raise UnsupportedModelError(f"its {attributes.name} leaves out words in an unknown way")
    return sorted(given)


def _read_count(attributes: Attributes, reader: Reader) -> Model:
    del reader
    return _counting(attributes, Weighing(binary=attributes.flag("binary")))


def _counting(attributes: Attributes, weighing: Weighing) -> Model:
    content = _content(attributes)
    width = len(content["terms"])
    return Model(
        parameters=weighing,
        n_features=width,
        answers={"transformed": width},
        vocabulary=content,
    )


def _read_tfidf(attributes: Attributes, reader: Reader) -> Model:
    inside = attributes.need("_tfidf")
    if not isinstance(inside, Record) or inside.name != "TfidfTransformer":
        raise InconsistentModelError("TfidfVectorizer._tfidf is none")
    width = len(_terms(attributes))
    given = _weighing(reader.known(inside)[1], width)
    weighing = Weighing(attributes.flag("binary"), given.sublinear, given.weights, given.norm)
    return _counting(attributes, weighing)


def _weighing(attributes: Attributes, width: int | None) -> Weighing:
    norm = attributes.get("norm")
    if norm not in (None, "l1", "l2"):
        raise InconsistentModelError("TfidfTransformer.norm is unknown")
    weights = None
    if attributes.flag("use_idf"):
        weights = _idf(attributes, width)
    return Weighing(False, attributes.flag("sublinear_tf"), weights, norm)


def _idf(attributes: Attributes, width: int | None) -> FloatArray:
    """One weight a term: an array since 1.5, before that a matrix with them in its diagonal."""
    if attributes.has("idf_"):
        found = attributes.need("idf_")
        size = len(found) if width is None and isinstance(found, np.ndarray) else width or 0
        return numbers(found, (size,), "TfidfTransformer.idf_")
    matrix = attributes.need("_idf_diag")
    if not isinstance(matrix, Record) or matrix.name not in ("csr_matrix", "csr_array"):
        raise UnsupportedModelError("its TfidfTransformer keeps its weights in an unknown form")
    inside = Attributes(matrix, None)
    found = inside.need("data")
    size = len(found) if width is None and isinstance(found, np.ndarray) else width or 0
    order = numbers(inside.need("indices"), (size,), "_idf_diag.indices")
    rows = numbers(inside.need("indptr"), (size + 1,), "_idf_diag.indptr")
    if (order != np.arange(size)).any() or (rows != np.arange(size + 1)).any():
        raise InconsistentModelError("TfidfTransformer._idf_diag is no diagonal matrix")
    return numbers(found, (size,), "TfidfTransformer._idf_diag")


def _read_transformer(attributes: Attributes, reader: Reader) -> Model:
    del reader
    width = attributes.count("n_features_in_") if attributes.has("n_features_in_") else None
    weighing = _weighing(attributes, width)
    if weighing.weights is not None:
        width = attributes.width(len(weighing.weights))
    return Model(parameters=weighing, n_features=width, answers={"transformed": width})


def _graph(part: Part, answer: Answer, writer: Writer, x: Table) -> Table:
    del answer
    weighing: Weighing = part.parameters
    value = x.numbers()
    if weighing.binary:
        value = writer.above(value, 0.0)
    if weighing.sublinear:
        none = writer.add("Equal", [value, writer.number(0.0)])
        there = writer.add("Where", [none, writer.number(1.0), value])
        logged = writer.add("Add", [writer.add("Log", [there]), writer.number(1.0)])
        value = writer.add("Where", [none, writer.number(0.0), logged])
    if weighing.weights is not None:
        value = writer.add("Mul", [value, writer.weight(weighing.weights)])
    if weighing.norm is not None:
        axis = writer.axes(1)
        if weighing.norm == "l2":
            squares = writer.add("Mul", [value, value])
            norm = writer.add("Sqrt", [writer.add("ReduceSum", [squares, axis], keepdims=1)])
        else:
            norm = writer.add("ReduceSum", [writer.add("Abs", [value]), axis], keepdims=1)
        none = writer.add("Equal", [norm, writer.number(0.0)])
        divisor = writer.add("Where", [none, writer.number(1.0), norm])
        value = writer.add("Div", [value, divisor])
    return computed(value, part.n_features)


def _probe(part: Part, random: np.random.Generator, rows: int) -> Probes:
    """Counts of few terms, of many, and of none."""
    width = part.n_features or 3
    batches = []
    for share in (min(1.0, 20.0 / width), 0.5):
        counts = random.poisson(1.5, size=(rows, width)).astype(np.float64)
        counts[random.random(counts.shape) > share] = 0.0
        counts[0] = 0.0
        batches.append(counts)
    return Probes(tuple(batches))


def _back(part: Part, rows: FloatArray) -> FloatArray:
    weighing: Weighing = part.parameters
    if weighing.weights is None:
        return np.asarray(np.abs(rows))
    return np.asarray(np.abs(rows) / np.where(weighing.weights == 0.0, 1.0, weighing.weights))


def _counts(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    del answer, oracle
    counts = np.asarray(rows, dtype=np.float64)
    return (counts > 0.0).astype(np.float64) if attributes.need("binary") else counts


def _tfidf(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    counts = _counts(attributes, answer, rows, oracle)
    return oracle.answer(attributes.need("_tfidf"), "transformed", counts)


def _weighed(attributes: Attributes, answer: Answer, rows: Rows, oracle: Oracle) -> FloatArray:
    """``TfidfTransformer.transform``, row by row of what is not 0."""
    del answer, oracle
    out = np.zeros(rows.shape)
    idf = None
    if attributes.need("use_idf"):
        idf = attributes.get("idf_")
        if idf is None:
            idf = attributes.need("_idf_diag").state["data"]
    for row, counts in enumerate(np.asarray(rows, dtype=np.float64)):
        there = np.flatnonzero(counts)
        values = counts[there]
        if attributes.need("sublinear_tf"):
            values = np.log(values) + 1.0
        if idf is not None:
            values = values * idf[there]
        norm = attributes.get("norm")
        if norm is not None:
            length = np.abs(values).sum() if norm == "l1" else np.sqrt(np.dot(values, values))
            values = values / length if length else values
        out[row, there] = values
    return out


def _refuse(attributes: Attributes, reader: Reader) -> Model:
    del reader
    raise UnsupportedModelError(
        f"its {attributes.name} hashes text, which numbers cannot stand for: it keeps no terms"
    )


def _always(attributes: Attributes, given: bool) -> bool:
    del attributes, given
    return True


_HOW: Mapping[str, Any] = known(
    """
    decode_error encoding input max_df max_features min_df stop_words_ vocabulary
    fixed_vocabulary_ _stop_words_id
    """
)
_APART = """
    analyzer dtype lowercase ngram_range preprocessor stop_words strip_accents token_pattern
    tokenizer binary vocabulary_
"""

FAMILIES = (
    Family(
        name="CountVectorizer",
        modules=_MODULES,
        library="scikit-learn",
        releases=_RELEASES,
        used=known(_APART),
        harmless=_HOW,
        read=_read_count,
        graph=_graph,
        oracle=_counts,
        probe=_probe,
        back=_back,
        sparse=_always,
    ),
    Family(
        name="TfidfVectorizer",
        modules=_MODULES,
        library="scikit-learn",
        releases=_RELEASES,
        used=known(f"{_APART} _tfidf"),
        # What it weighs by stands in `_tfidf`, as it was fitted.
        harmless={**_HOW, **known("norm use_idf smooth_idf sublinear_tf")},
        read=_read_tfidf,
        graph=_graph,
        oracle=_tfidf,
        probe=_probe,
        back=_back,
        sparse=_always,
    ),
    Family(
        name="TfidfTransformer",
        modules=_MODULES,
        library="scikit-learn",
        releases=_RELEASES,
        used=known("use_idf sublinear_tf norm idf_ _idf_diag"),
        harmless=known("smooth_idf"),
        read=_read_transformer,
        graph=_graph,
        oracle=_weighed,
        probe=_probe,
        back=_back,
        sparse=_always,
    ),
    Family(
        name="HashingVectorizer",
        modules=(*_MODULES, "sklearn.feature_extraction.hashing"),
        library="scikit-learn",
        releases=_RELEASES,
        used={},
        harmless=known(
            f"{_APART} decode_error encoding input n_features norm alternate_sign non_negative"
            " _stop_words_id"
        ),
        read=_refuse,
        graph=_graph,
        oracle=_counts,
    ),
)
