"""Which environment loads an old file, by the releases that the file names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aegismatrix_factory.rescue.reading.errors import clipped
from aegismatrix_factory.rescue.reading.names import is_own

# By release of scikit-learn: Python and packages of its time, in which the fixtures of this project
# were made (tests/fixtures/releases/manifest.json).
_TRIED: Mapping[tuple[int, int], tuple[str, str, str, str]] = {
    (0, 20): ("3.6", "1.15.4", "1.1.0", "0.11"),
    (0, 21): ("3.7", "1.16.6", "1.3.3", "0.13.2"),
    (0, 22): ("3.7", "1.17.5", "1.3.3", "0.14.1"),
    (0, 23): ("3.8", "1.18.5", "1.4.1", "0.16.0"),
    (0, 24): ("3.8", "1.19.5", "1.10.1", "1.0.1"),
    (1, 0): ("3.9", "1.21.6", "1.7.3", "1.1.1"),
    (1, 1): ("3.9", "1.23.5", "1.13.1", "1.1.1"),
    (1, 2): ("3.10", "1.23.5", "1.15.3", "1.2.0"),
    (1, 3): ("3.11", "1.26.0", "1.16.3", "1.3.2"),
    (1, 4): ("3.11", "1.26.4", "1.17.1", "1.4.2"),
    (1, 5): ("3.12", "2.0.2", "1.18.1", "1.4.2"),
    (1, 6): ("3.13", "2.1.3", "1.18.1", "1.4.2"),
    (1, 7): ("3.12", "2.2.6", "1.18.1", "1.5.2"),
    (1, 8): ("3.13", "2.3.5", "1.18.1", "1.5.3"),
    (1, 9): ("3.13", "2.5.1", "1.18.1", "1.6.0"),
}
# By library and its first release that has them beside it: Python, numpy, scipy, and the
# scikit-learn that its wrappers need. Newer ones lack what older libraries ask of them.
_BESIDE: Mapping[str, tuple[tuple[tuple[int, int], tuple[str, str, str, str]], ...]] = {
    "xgboost": (
        ((0, 90), ("3.7", "1.17.5", "1.3.3", "0.22.2.post1")),
        ((1, 0), ("3.8", "1.18.5", "1.4.1", "0.23.2")),
        ((1, 1), ("3.8", "1.19.5", "1.10.1", "0.24.2")),
        ((1, 3), ("3.9", "1.21.6", "1.7.3", "1.0.2")),
        ((1, 6), ("3.9", "1.23.5", "1.13.1", "1.1.3")),
        ((1, 7), ("3.9", "1.24.4", "1.13.1", "1.2.2")),
        ((2, 0), ("3.10", "1.24.4", "1.15.3", "1.3.0")),
        ((2, 1), ("3.11", "1.26.0", "1.16.3", "1.3.2")),
        ((3, 0), ("3.12", "2.0.2", "1.17.1", "1.5.2")),
        ((3, 1), ("3.13", "2.1.3", "1.18.1", "1.6.1")),
        ((3, 2), ("3.13", "2.3.5", "1.18.1", "1.8.0")),
        ((3, 3), ("3.13", "2.5.1", "1.18.1", "1.9.1")),
    ),
    "catboost": (
        ((0, 24), ("3.8", "1.19.5", "1.10.1", "0.24.2")),
        ((1, 0), ("3.9", "1.21.6", "1.7.3", "1.0.2")),
        ((1, 2), ("3.11", "1.26.4", "1.17.1", "1.4.2")),
    ),
}
_PACKAGES = {
    "pandas": "pandas",
    "pyarrow": "pyarrow",
    "xgboost": "xgboost",
    "lightgbm": "lightgbm",
    "catboost": "catboost",
    "imblearn": "imbalanced-learn",
    "torch": "torch",
    "dill": "dill",
    "cloudpickle": "cloudpickle",
    "statsmodels": "statsmodels",
    "category_encoders": "category-encoders",
}
_RELEASE = re.compile(
    r"(\d{1,3})\.(\d{1,3})(?:\.\d{1,4})?(?:\.?(?:post|rc|a|b|dev)\d{0,4})?", re.ASCII
)


@dataclass(frozen=True)
class Environment:
    """What to install to load a file.

    Attributes
    ----------
    python : str
        Which Python, major and minor.
    requirements : tuple of str
        Lines of a ``requirements.txt``.
    own : tuple of str
        Modules that no package brings.
    """

    python: str
    requirements: tuple[str, ...]
    own: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The content of a ``requirements.txt``."""
        head = (
            f"# For Python {self.python}. Loading a pickle calls what it names: do it only if you",
            "# know who made the file.",
        )
        own = tuple(f"# It needs {module} beside it, of who made it." for module in self.own)
        return "\n".join((*head, *own, *self.requirements)) + "\n"


def _beside(library: str, release: str) -> tuple[str, str, str, str] | None:
    """Python, numpy, scipy and scikit-learn of the time of a release."""
    found = _RELEASE.fullmatch(release)
    assert found is not None
    known = (int(found[1]), int(found[2]))
    older = [what for first, what in _BESIDE.get(library, ()) if first <= known]
    return older[-1] if older else None


def environment(
    releases: Mapping[str, str], modules: Iterable[str], *, is_joblib: bool
) -> Environment | None:
    """Return the environment in which a file loads.

    Parameters
    ----------
    releases : mapping of str to str
        By library, the release that the file names.
    modules : iterable of str
        Modules that the file mentions.
    is_joblib : bool
        Whether joblib wrote it.

    Returns
    -------
    Environment or None
        None where the file names no release that says anything: a guess would be no help.
    """
    pinned = {name: one for name, one in releases.items() if _RELEASE.fullmatch(one)}
    if not pinned:
        return None
    modules = tuple(modules)
    roots = {module.partition(".")[0] for module in modules}
    found = _RELEASE.fullmatch(pinned.get("scikit-learn", ""))
    tried = _TRIED.get((int(found[1]), int(found[2]))) if found is not None else None
    beside = next((_beside(name, one) for name, one in sorted(pinned.items())), None)
    lines = [f"{name}=={one}" for name, one in sorted(pinned.items())]
    python = "3.12"
    if tried is not None:
        python, numpy, scipy, joblib = tried
        # Only numpy 2 calls its inner module so.
        needs_newer = numpy.startswith("1.") and any(
            one.startswith("numpy._core") for one in modules
        )
        lines += ["numpy>=2,<3"] if needs_newer else [f"numpy=={numpy}", f"scipy=={scipy}"]
        if is_joblib or "joblib" in roots:
            lines.append(f"joblib=={joblib}")
    elif beside is not None:
        python, numpy, scipy, wrapped = beside
        lines += [f"numpy=={numpy}", f"scipy=={scipy}"]
        if any(root in _BESIDE and f"{root}.sklearn" in modules for root in roots):
            lines.append(f"scikit-learn=={wrapped}")
        if is_joblib or "joblib" in roots:
            lines.append("joblib")
    elif is_joblib or "joblib" in roots:
        lines.append("joblib")
    known = {line.partition("==")[0].partition(">")[0] for line in lines}
    lines += sorted({_PACKAGES[root] for root in roots if root in _PACKAGES} - known)
    own = [
        clipped(module)
        for module in modules
        if is_own(module) and module.partition(".")[0] not in _PACKAGES
    ]
    return Environment(python, tuple(lines), tuple(dict.fromkeys(own)))
