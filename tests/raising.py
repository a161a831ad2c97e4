"""Errors by their class, or by class and kind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import pytest

from aegismatrix.errors import AegisError

Error = TypeVar("Error", bound=AegisError)


@contextmanager
def raising(
    expected: type[Error] | tuple[type[Error], str], match: str | None = None
) -> Iterator[pytest.ExceptionInfo[Error]]:
    """`pytest.raises`, which also compares the kind where one is given."""
    error, kind = expected if isinstance(expected, tuple) else (expected, None)
    with pytest.raises(error, match=match) as caught:
        yield caught
    assert kind in (None, caught.value.kind)
