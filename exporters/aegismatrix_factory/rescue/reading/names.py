"""Which classes of scikit-learn and xgboost a file may name, and what a refused name would do."""

from __future__ import annotations

import re
import sys

from aegismatrix_factory.rescue.reading.errors import (
    ContainerError,
    ForbiddenGlobalError,
    LegacyError,
    UnknownClassError,
    clipped,
)

# scikit-learn's losses call themselves by the bare name of their module.
LIBRARIES = frozenset({"sklearn", "xgboost", "lightgbm", "catboost", "imblearn", "_loss"})
"""Whatever these name becomes an inert record: what a record means is not decided here."""

DATA = (
    *("numpy.random", "numpy.ma", "pandas", "pyarrow.lib", "scipy"),
    *("datetime", "decimal", "fractions", "pytz"),
)
"""What these name stands beside a model, as a frame or a generator does, and is inert as well."""

_PYTHON = ("int", "float", "str", "bool", "dict", "list", "tuple", "long", "unicode", "object")
_WARNINGS = ("FutureWarning", "DeprecationWarning", "UserWarning")
_SCALARS = (
    *("bool_", "bool", "str_", "object_", "float16", "float32", "float64"),
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    # What columns of a frame are chosen by.
    *("number", "generic", "integer", "signedinteger", "unsignedinteger", "inexact", "floating"),
    *("datetime64", "timedelta64"),
)
_FUNCTIONS = ("log", "log1p", "log2", "log10", "exp", "expm1", "sqrt", "cbrt", "square", "absolute")

TYPES = frozenset(
    {(module, name) for module in ("builtins", "__builtin__") for name in (*_PYTHON, *_WARNINGS)}
    | {("numpy", name) for name in (*_SCALARS, *_FUNCTIONS)}
)
"""Types and functions that a model keeps as a value, such as the dtype of an encoder."""

PATHS = frozenset(
    (module, name)
    # Python 3.13 names them by the second.
    for module in ("pathlib", "pathlib._local")
    for name in ("PosixPath", "WindowsPath", "Path", "PurePosixPath", "PureWindowsPath")
)

_NO_MODELS = (
    sys.stdlib_module_names
    | {"", "numpy", "joblib", "dill", "cloudpickle", "copy_reg", "__builtin__"}
) - {"__main__"}
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def is_library(module: str) -> bool:
    """Whether a module is of a library of models."""
    return module.partition(".")[0] in LIBRARIES


def is_data(module: str) -> bool:
    """Whether a module is of a library whose objects stand beside models."""
    return any(module == one or module.startswith(f"{one}.") for one in DATA)


def names_a_class(module: str) -> bool:
    """Whether a module may hold a model's class: it is none of those that write pickles."""
    root = module.partition(".")[0]
    return root not in _NO_MODELS and not is_data(module)


def is_own(module: str) -> bool:
    """Whether a module is of whoever made the file: of no library that is known here."""
    return names_a_class(module) and not is_library(module)


def is_record(module: str, name: str) -> bool:
    """Whether a name is one of a library whose objects become inert records.

    Parameters
    ----------
    module, name : str
        The name as the file writes it.

    Returns
    -------
    bool
        False for a way through attributes, such as ``Pipeline.fit``, and for what runs code.
    """
    return (
        (is_library(module) or is_data(module))
        and all(_PLAIN_NAME.fullmatch(one) for one in (*module.split("."), name))
        and not _runs_code(module, name)
    )


# Not needed to refuse them, everything off the list is refused: these are told apart so that the
# reader of a report knows an attack from an unknown model.
_RUNS_CODE = frozenset(
    {
        "_posixsubprocess",
        "_thread",
        "asyncio",
        "bdb",
        "builtins",
        "__builtin__",
        "cffi",
        "code",
        "codecs",
        "_codecs",
        "commands",
        "copyreg",
        "copy_reg",
        "cProfile",
        "ctypes",
        "dill",
        "cloudpickle",
        "doctest",
        "functools",
        "_functools",
        "http",
        "imaplib",
        "imp",
        "importlib",
        "inspect",
        "io",
        "_io",
        "itertools",
        "marshal",
        "multiprocessing",
        "nt",
        "operator",
        "_operator",
        "os",
        "pdb",
        "pathlib",
        "pickle",
        "_pickle",
        "pip",
        "pkgutil",
        "platform",
        "posix",
        "profile",
        "pty",
        "pydoc",
        "runpy",
        "shelve",
        "shutil",
        "signal",
        "site",
        "smtplib",
        "socket",
        "sqlite3",
        "ssl",
        "subprocess",
        "sys",
        "tempfile",
        "threading",
        "timeit",
        "trace",
        "types",
        "urllib",
        "uuid",
        "venv",
        "webbrowser",
        "zipimport",
    }
)
_RUNS_CODE_BY_NAME = frozenset(
    {
        ("numpy", "load"),
        ("numpy", "memmap"),
        ("numpy", "fromfile"),
        ("torch", "load"),
        ("torch.serialization", "load"),
        ("joblib", "load"),
        ("joblib.numpy_pickle", "load"),
        ("pandas", "read_pickle"),
    }
)
_RUNS_CODE_BY_FOLDER = ("numpy.f2py", "numpy.testing", "numpy.distutils", "torch.hub", "torch.jit")
_OLD_JOBLIB = frozenset({"NDArrayWrapper", "ZNDArrayWrapper"})


def refusal(module: str, name: str) -> LegacyError:
    """Say why a name that is not on the list is refused.

    Parameters
    ----------
    module, name : str
        The name as the file writes it.

    Returns
    -------
    LegacyError
        Of the kind that fits; the caller raises it.
    """
    if module.endswith("joblib.numpy_pickle") and name in _OLD_JOBLIB:
        return ContainerError(
            f"a file of joblib before 0.10, with arrays as {clipped(name)}",
            remedy="Load it where it was made, and save it with joblib 0.10 or later.",
        )
    if _runs_code(module, name):
        return ForbiddenGlobalError(module, name)
    return UnknownClassError(module, name)


def _runs_code(module: str, name: str) -> bool:
    return (
        module.partition(".")[0] in _RUNS_CODE
        or (module, name) in _RUNS_CODE_BY_NAME
        or module.startswith(_RUNS_CODE_BY_FOLDER)
    )
