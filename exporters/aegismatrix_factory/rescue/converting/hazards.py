"""Where the old file itself loads, in another release of its library, and answers other numbers.

Each rule is one that was measured: scripts/legacy_loads.py loads files of each release in every
other, and docs/why-pickles-fail.md has its tables. A converted model is not concerned; whoever
still loads the old file is.
"""

from __future__ import annotations

Release = tuple[int, int]

_SILENTLY = "load the old file without an error and answer other numbers"


def booster_hazards(written: Release) -> tuple[str, ...]:
    """Return what may go wrong with a file of xgboost.

    Parameters
    ----------
    written : tuple of int
        The release that wrote it.

    Returns
    -------
    tuple of str
        Warnings.
    """
    if written < (3, 1):
        return ()
    return (
        f"written by xgboost {_text(written)}, which keeps base_score as an array: releases before"
        f" 3.1 {_SILENTLY}",
    )


def forest_hazards(written: Release, *, classifies: bool) -> tuple[str, ...]:
    """Return what may go wrong with a forest of scikit-learn.

    Parameters
    ----------
    written : tuple of int
        The release that wrote it.
    classifies : bool
        Whether it is a classifier.

    Returns
    -------
    tuple of str
        Warnings.
    """
    if written > (1, 3) or not classifies:
        return ()
    return (
        f"written by scikit-learn {_text(written)}, whose trees hold counts: newer releases fail on"
        f" it, or {_SILENTLY}, counts for probabilities",
    )


def logistic_hazards(
    written: Release, *, multi_class: str | None, each_class: bool, classes: int
) -> tuple[str, ...]:
    """Return what may go wrong with a logistic regression of scikit-learn.

    Parameters
    ----------
    written : tuple of int
        The release that wrote it.
    multi_class : str or None
        Its attribute of that name; None where it has none.
    each_class : bool
        Whether each class has its own sigmoid.
    classes : int
        How many classes.

    Returns
    -------
    tuple of str
        Warnings.
    """
    found = []
    if written < (1, 8) and each_class != (classes == 2):
        found.append(
            f"written by scikit-learn {_text(written)} with multi_class, which 1.8 and newer"
            f" ignore: they {_SILENTLY}"
        )
    if multi_class == "deprecated" and each_class:
        found.append(
            f"written by scikit-learn {_text(written)}, whose default of multi_class is unknown"
            f" to 1.3 and 1.4: they {_SILENTLY}"
        )
    return tuple(found)


def _text(written: Release) -> str:
    return f"{written[0]}.{written[1]}"
