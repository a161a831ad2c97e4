"""Counts the terms of documents as scikit-learn's vectorisers do; this file needs Python alone.

An artifact of a text model begins at the counts of its terms, since it holds no strings. Beside it
lies a file of its terms, and this one:

    vocabulary = Vocabulary.read("spam-pipeline.terms.json")
    rows = vocabulary.counts(["free money now", "see you at nine"])

``rows`` is a list of one list of numbers for each document, the ``x`` of the artifact.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

_SPACES = re.compile(r"\s\s+")


class Vocabulary:
    """Terms, and how a document is taken apart into them.

    Parameters
    ----------
    content : dict
        analyzer, lowercase, strip_accents, token_pattern, ngrams, stop_words, and terms in the
        order of the columns.

    Examples
    --------
    >>> Vocabulary({
    ...     "analyzer": "word", "lowercase": True, "strip_accents": None, "ngrams": [1, 1],
    ...     "token_pattern": "[a-z]+", "stop_words": None, "terms": ["calm", "wild"],
    ... }).counts(["Wild, wild day"])
    [[0.0, 2.0]]
    """

    def __init__(self, content: dict[str, Any]) -> None:
        self.analyzer = content["analyzer"]
        self.lowercase = content["lowercase"]
        self.strip_accents = content["strip_accents"]
        self.pattern = re.compile(content["token_pattern"])
        self.shortest, self.longest = content["ngrams"]
        self.stop_words = frozenset(content["stop_words"] or ())
        self.terms: list[str] = content["terms"]
        self.places = {term: place for place, term in enumerate(self.terms)}

    @classmethod
    def read(cls, path: str | Path) -> Vocabulary:
        """Read what lies beside an artifact.

        Parameters
        ----------
        path : str or Path
            The file whose name ends in ``.terms.json``.

        Returns
        -------
        Vocabulary
        """
        return cls(json.loads(Path(path).read_text(encoding="utf-8")))

    def counts(self, documents: Sequence[str]) -> list[list[float]]:
        """Count the terms of documents.

        Parameters
        ----------
        documents : sequence of str
            Texts.

        Returns
        -------
        list of list of float
            One row a document, one column a term; what is no term is left out.
        """
        rows = []
        for document in documents:
            row = [0.0] * len(self.terms)
            for term in self.split(document):
                place = self.places.get(term)
                if place is not None:
                    row[place] += 1.0
            rows.append(row)
        return rows

    def split(self, document: str) -> Iterator[str]:
        """Take a document apart.

        Parameters
        ----------
        document : str
            A text.

        Yields
        ------
        str
            Words, runs of words or runs of characters, as often as they are there.
        """
        text = self._plain(document)
        if self.analyzer == "word":
            words = [word for word in self.pattern.findall(text) if word not in self.stop_words]
            for count in range(self.shortest, self.longest + 1):
                for start in range(len(words) - count + 1):
                    yield " ".join(words[start : start + count])
        elif self.analyzer == "char":
            yield from self._runs(_SPACES.sub(" ", text))
        else:
            for word in _SPACES.sub(" ", text).split():
                yield from self._runs(f" {word} ", once=True)

    def _plain(self, text: str) -> str:
        if self.lowercase:
            text = text.lower()
        if self.strip_accents is None or text.isascii():
            return text
        parted = unicodedata.normalize("NFKD", text)
        if self.strip_accents == "ascii":
            return parted.encode("ascii", "ignore").decode("ascii")
        return "".join(one for one in parted if not unicodedata.combining(one))

    def _runs(self, text: str, *, once: bool = False) -> Iterator[str]:
        """Runs of characters; with ``once``, a text too short for a run is one, and the last."""
        for count in range(self.shortest, self.longest + 1):
            if count > len(text):
                if once:
                    yield text
                    return
                continue
            for start in range(len(text) - count + 1):
                yield text[start : start + count]
            if once and count == len(text):
                return
