"""The words of a verdict that table and page share."""

from __future__ import annotations

from aegismatrix_factory.rescue.verdicts import Rescued


def printable(text: str) -> str:
    r"""Return text in any script without what steers a terminal.

    Parameters
    ----------
    text : str
        From a file that is not trusted.

    Returns
    -------
    str
        As it is; what is not printable as an escape.

    Examples
    --------
    >>> printable("São Paulo \x1b[31m")
    'São Paulo \\x1b[31m'
    """
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def what(one: Rescued) -> str:
    """Return what a file is: its class, the library of that and the release that saved it.

    Parameters
    ----------
    one : Rescued
        A verdict.

    Returns
    -------
    str
        Empty where nobody knows.
    """
    release = f"{one.library} {one.release}".strip()
    return f"{one.described} ({release})" if release and one.described else one.described


def checked(one: Rescued) -> list[str]:
    """Return what was checked of each artifact.

    Parameters
    ----------
    one : Rescued
        A verdict.

    Returns
    -------
    list of str
        One for each.
    """
    details = []
    for artifact in one.artifacts:
        entry = artifact.entry
        checks = entry["checks"]
        rows = checks["random_rows"] + checks["boundary_rows"] + checks["missing_rows"]
        said = (
            f"{entry['file']}: {entry['provenance']['class']} ({entry['version']}),"
            f" {rows} rows, largest difference {checks['largest_difference']:.1g}"
        )
        if "example_rows" in checks:
            said += (
                f"; example of {checks['example_rows']} rows,"
                f" difference {checks['example_difference']:.1g}"
            )
        details.append(said)
    return details
