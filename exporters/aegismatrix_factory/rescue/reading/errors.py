"""Why a legacy file was refused, as types that carry the file, a short code and the reason."""

from __future__ import annotations

from aegismatrix.errors import AegisError

_MADE_AGAIN = "Train the model again with aegismatrix train, or save it again as the docs say."
_CLIPPED_CHARACTERS = 80


def clipped(text: str, *, characters: int = _CLIPPED_CHARACTERS) -> str:
    """Write foreign text as plain ASCII without control characters, cut to a length.

    Parameters
    ----------
    text : str
        Text from a file that is not trusted.
    characters : int, optional
        The longest to keep.

    Returns
    -------
    str
        Printable ASCII, with three dots where something was cut.
    """
    shown = ascii(text[: characters + 1])[1:-1]
    return shown if len(shown) <= characters else f"{shown[:characters]}..."


class LegacyError(AegisError):
    """A legacy file was refused.

    Attributes
    ----------
    path : str
        The file; empty while the reader works on bytes alone.
    code : str
        A short stable name of the kind of refusal, such as ``unknown-class``.
    reason : str
        What is wrong, without the file's name.
    """

    def __init__(self, reason: str, *, code: str, remedy: str = _MADE_AGAIN) -> None:
        self.path = ""
        self.code = code
        self.reason = reason
        super().__init__(f"The file was refused: {reason}.", remedy=remedy)

    def locate(self, path: str) -> None:
        """Name the file, once it is known.

        Parameters
        ----------
        path : str
            The file.
        """
        self.path = path
        self.problem = f"{path} was refused: {self.reason}."
        self.args = (f"{self.problem} {self.remedy}",)


class UnreadableFileError(LegacyError):
    """The file is missing or may not be read."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"it cannot be read: {reason}",
            code="unreadable",
            remedy="Give a file that is there and that you may read.",
        )


class MalformedError(LegacyError):
    """The bytes are not what they claim to be.

    Attributes
    ----------
    offset : int or None
        Where in the (decompressed) bytes, 0 for the first.
    """

    def __init__(self, reason: str, *, offset: int | None = None, code: str = "malformed") -> None:
        self.offset = offset
        where = "" if offset is None else f" (at byte {offset})"
        super().__init__(
            f"{reason}{where}",
            code=code,
            remedy="Restore the file from a backup, or train the model again.",
        )


class KeyKindError(LegacyError):
    """A dict has keys that name no artifact, such as tuples."""

    def __init__(self) -> None:
        super().__init__(
            "a key is neither text nor a number",
            code="unsupported-key",
            remedy="Save it with text for each key, such as 'NIFTY 15'.",
        )


class CycleError(LegacyError):
    """A value holds itself, as no model does that is converted."""

    def __init__(self) -> None:
        super().__init__(
            "a value holds itself",
            code="cycle",
            remedy="Save the model itself, one of those that docs/rescue.md lists.",
        )


class LimitError(LegacyError):
    """The file asks for more than a limit allows.

    Attributes
    ----------
    limit : str
        Field of `Limits`.
    allowed : float
        Its value.
    """

    def __init__(self, reason: str, *, limit: str, allowed: float, code: str | None = None) -> None:
        self.limit = limit
        self.allowed = allowed
        super().__init__(
            f"{reason}; the limit is {allowed:g} ({limit})",
            code=code or f"limit-{limit.replace('_', '-')}",
            remedy=f"If you made this file yourself, raise the limit {limit}.",
        )


class ForeignNameError(LegacyError):
    """The file names a class or function that is not on the list.

    Attributes
    ----------
    module, name : str
        What it names, clipped and escaped.
    """

    def __init__(self, module: str, name: str, what: str, *, code: str, remedy: str) -> None:
        self.module = clipped(module)
        self.name = clipped(name)
        super().__init__(f"{what} {self.module}.{self.name}", code=code, remedy=remedy)


class UnknownClassError(ForeignNameError):
    """The file holds an object of a class that the reader does not know."""

    def __init__(self, module: str, name: str) -> None:
        super().__init__(
            module,
            name,
            "it holds an unknown class or function,",
            code="unknown-class",
            remedy="Save the model itself, one of those that docs/rescue.md lists.",
        )


class ForbiddenGlobalError(ForeignNameError):
    """The file names a callable that this reader does not call: an unpickler would."""

    def __init__(self, module: str, name: str) -> None:
        super().__init__(
            module,
            name,
            "it names what this reader does not call,",
            code="forbidden-global",
            remedy="An unpickler would call it: load the file only if you know who made it, and"
            " save the bare model from there.",
        )


class ArrayKindError(LegacyError):
    """The file holds an array of a kind that is not numbers or text of fixed width.

    Attributes
    ----------
    kind : str
        The dtype as the file writes it, clipped and escaped.
    """

    def __init__(self, kind: str, *, code: str = "unsupported-array") -> None:
        self.kind = clipped(kind)
        if code == "object-array":
            reason = (
                f"it holds an object array ({self.kind}), such as the names of a frame's columns"
            )
            remedy = (
                "Where it was made, delete the model's feature_names_in_ if it was fitted on a"
                " frame, or turn the array into one of numbers or of text, and save it again."
            )
        else:
            reason = f"it holds an array of an unsupported kind ({self.kind})"
            remedy = "Save the model with arrays of numbers."
        super().__init__(reason, code=code, remedy=remedy)


class ContainerError(LegacyError):
    """The file is of a known kind that the reader does not read.

    Attributes
    ----------
    found : str
        What it is.
    """

    def __init__(self, found: str, *, remedy: str, code: str = "unsupported-container") -> None:
        self.found = found
        super().__init__(f"it is {found}", code=code, remedy=remedy)


class BigEndianError(ContainerError):
    """A file of torch whose numbers stand in the other order."""

    def __init__(self) -> None:
        super().__init__(
            "a torch file in big-endian order", remedy="Save it again on a little-endian machine."
        )
