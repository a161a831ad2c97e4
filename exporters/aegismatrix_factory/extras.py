"""The optional packages of the factory: which they are, and what brings those that are missing."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager

from aegismatrix.errors import Distribution, MissingExtraError

DISTRIBUTION: Distribution = "aegismatrix-factory"
NEEDED = {
    "rescue": ("onnx",),
    "train": (
        "arch",
        "google.protobuf",
        "onnx",
        "onnxscript",
        "scipy",
        "skl2onnx",
        "sklearn",
        "skops",
        "spox",
        "threadpoolctl",
        "torch",
        "tqdm",
    ),
}
"""What the work needs that an extra is named after, as it is imported."""

_DISTRIBUTIONS = {"google": "protobuf", "sklearn": "scikit-learn"}
_OWN = ("aegismatrix", "aegismatrix_factory")


def check_extra(extra: str) -> None:
    """Make sure, before any work is done, that nothing is missing in the middle of it.

    Parameters
    ----------
    extra : {'rescue', 'train'}
        What is to be done.

    Raises
    ------
    MissingExtraError

    Examples
    --------
    >>> check_extra("rescue")
    """
    for name in NEEDED[extra]:
        with needing(extra):
            if importlib.util.find_spec(name) is None:
                raise ModuleNotFoundError(name=name)


@contextmanager
def needing(extra: str) -> Iterator[None]:
    """Say of a package that cannot be imported within which extra brings it.

    Parameters
    ----------
    extra : {'rescue', 'train'}
        The extra.

    Raises
    ------
    MissingExtraError

    Examples
    --------
    >>> with needing("rescue"):
    ...     import onnx
    """
    try:
        yield
    except ModuleNotFoundError as error:
        name = error.name or ""
        # A module of this project that is not there is a fault of the project.
        if not name or name.partition(".")[0] in _OWN:
            raise
        package = package_of(name)
        raise MissingExtraError(package, extra=extra, distribution=DISTRIBUTION) from error


def package_of(module: str) -> str:
    """Return the name under which the package of a module is installed.

    Parameters
    ----------
    module : str
        As it is imported.

    Returns
    -------
    str

    Examples
    --------
    >>> package_of("sklearn.svm")
    'scikit-learn'
    """
    root = module.partition(".")[0]
    return _DISTRIBUTIONS.get(root, root)
