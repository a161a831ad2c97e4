"""Why a file that could be read is still not converted."""

from __future__ import annotations

from aegismatrix_factory.rescue.reading.errors import ForeignNameError, LegacyError, clipped

_TAKE_ANOTHER = (
    "Train one of the models that docs/rescue.md lists, or load this one in an environment of its"
    " release, if you know who made it."
)


class NotAModelError(LegacyError):
    """The file holds no model at all."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            reason, code="not-a-model", remedy="Leave it out, or take its values over."
        )


class UnsupportedModelError(LegacyError):
    """The file holds a model of a kind that has no converter."""

    def __init__(self, reason: str, *, code: str = "unsupported-model") -> None:
        super().__init__(reason, code=code, remedy=_TAKE_ANOTHER)


class UnknownModelError(ForeignNameError):
    """The file holds an object of a class that has no converter."""

    def __init__(self, module: str, name: str) -> None:
        super().__init__(
            module,
            name,
            "there is no converter for",
            code="unknown-class",
            remedy=_TAKE_ANOTHER,
        )


class UnknownPartError(LegacyError):
    """The model holds something that nobody measured, and that may change what it answers.

    Attributes
    ----------
    owner, key : str
        What holds it, and its name, clipped and escaped.
    """

    def __init__(self, owner: str, key: str) -> None:
        self.owner = owner
        self.key = clipped(key)
        super().__init__(
            f"{owner} has {self.key}, which no release that was tried has",
            code="unknown-part",
            remedy="Delete it where the file was made, if it is your own, and save it again.",
        )


class UnsupportedVersionError(LegacyError):
    """The model was saved by a release whose attributes were never measured.

    Attributes
    ----------
    library : str
        Which library.
    found : str
        The release that the file names.
    """

    def __init__(self, library: str, found: object, supported: str) -> None:
        self.library = library
        self.found = "of a release that it does not say" if found is None else clipped(str(found))
        super().__init__(
            f"it was saved by {library} {self.found}; supported is {supported}",
            code="unsupported-version",
            remedy=f"Load it with the release that saved it, then save it again with {supported}.",
        )


class InconsistentModelError(LegacyError):
    """The parts of the model contradict each other."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            reason,
            code="inconsistent-model",
            remedy="Restore the file from a backup, or train the model again.",
        )


class NonFiniteModelError(LegacyError):
    """The model holds NaN or infinite numbers.

    Attributes
    ----------
    part : str
        Where.
    """

    def __init__(self, part: str) -> None:
        self.part = part
        super().__init__(
            f"it has NaN or infinite numbers in {part}",
            code="non-finite",
            remedy="Look for NaN among its training data, and train the model again.",
        )


class OversizedModelError(LegacyError):
    """The model is larger than an artifact may be."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            reason, code="limit-model", remedy="Train a smaller model: fewer or shallower trees."
        )


class UnfaithfulModelError(LegacyError):
    """The converted model computes other numbers than its parameters say.

    Attributes
    ----------
    worst, tolerance : float
        Largest difference found, and allowed.
    """

    def __init__(self, *, worst: float, tolerance: float) -> None:
        self.worst = worst
        self.tolerance = tolerance
        super().__init__(
            f"its conversion differs by {worst:.3g} from its own parameters, allowed is"
            f" {tolerance:.3g}",
            code="unfaithful",
            remedy="Report it as a bug, with the file if you can.",
        )
