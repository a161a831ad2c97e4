"""The terms of documents, counted as the vectorisers of scikit-learn count them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aegismatrix_factory.rescue.converting.stopping import ENGLISH
from aegismatrix_factory.rescue.tokeniser import Vocabulary

text = pytest.importorskip("sklearn.feature_extraction.text")

DOCUMENTS = [
    "It's the RBI: Nifty drifts sideways, and option sellers collect premium",
    "über Nacht  the market crash in São-Paulo; VIX jumps 30!",
    "बाज़ार Nifty record a I don't 5-day",
    "",
    "a",
]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"ngram_range": (1, 3)},
        {"ngram_range": (2, 2), "stop_words": "english"},
        {"stop_words": ["the", "nifty"]},
        {"lowercase": False},
        {"strip_accents": "ascii"},
        {"strip_accents": "unicode"},
        {"token_pattern": r"[a-z]{3,}|\d+"},
        {"token_pattern": r"(\w)\w+"},
        {"analyzer": "char", "ngram_range": (1, 4)},
        {"analyzer": "char_wb", "ngram_range": (2, 6)},
    ],
)
def test_terms_are_counted_as_the_library_counts_them(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    library = text.CountVectorizer(**settings).fit(DOCUMENTS)
    stop_words = settings.get("stop_words")
    content = {
        "analyzer": library.analyzer,
        "lowercase": library.lowercase,
        "strip_accents": library.strip_accents,
        "token_pattern": library.token_pattern,
        "ngrams": list(library.ngram_range),
        "stop_words": list(ENGLISH) if stop_words == "english" else stop_words,
        "terms": library.get_feature_names_out().tolist(),
    }
    file = tmp_path / "model.terms.json"
    file.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    counted = Vocabulary.read(file).counts(DOCUMENTS)
    assert np.array_equal(counted, library.transform(DOCUMENTS).toarray())


def test_the_english_stop_words_are_those_of_the_library() -> None:
    assert set(ENGLISH) == text.ENGLISH_STOP_WORDS
