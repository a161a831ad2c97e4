"""Why a file that could be read is still not converted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aegismatrix_factory.rescue.reading.errors import ForeignNameError, LegacyError, clipped

_TAKE_ANOTHER = (
    "Train one of the models that docs/rescue.md lists, or load this one in an environment of its"
    " release, if you know who made it."
)

_MOST_TOLD = 12


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

    def __init__(
        self, reason: str, *, remedy: str = "Train a smaller model: fewer or shallower trees."
    ) -> None:
        super().__init__(reason, code="limit-model", remedy=remedy)


class UnacceptableGraphError(LegacyError):
    """The graph of the model holds what no artifact may hold, for its size or by a fault.

    Attributes
    ----------
    found : tuple of str
        What that is.
    """

    def __init__(self, found: Sequence[str]) -> None:
        self.found = tuple(found)
        named = ", ".join(one.rstrip(".") for one in found)
        super().__init__(
            f"its graph holds what no artifact may hold: {named}",
            code="forbidden-graph",
            remedy="Train a smaller model, with fewer trees, columns or categories; if it is not"
            " large, report it as a bug, with the file if you can.",
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


class WholeModuleError(LegacyError):
    """The file holds a module of torch whole: its class, and not its weights alone.

    Attributes
    ----------
    layers : tuple of dict
        What it is made of.
    """

    def __init__(self, layers: tuple[dict[str, Any], ...]) -> None:
        self.layers = layers
        told = [
            f"{clipped(one['weights']) or 'it'} ({one['kinds'][0]}"
            f"{': ' if one['sizes'] else ''}{one['sizes']})"
            for one in layers[:_MOST_TOLD]
        ]
        if len(layers) > _MOST_TOLD:
            told.append(f"and {len(layers) - _MOST_TOLD} more")
        super().__init__(
            f"it is a whole module of torch, with code that is not in the file: {', '.join(told)}",
            code="whole-module",
            remedy="Where it loads, save its state dict, torch.save(model.state_dict(), path), and"
            " run again.",
        )


class DescriptionNeededError(LegacyError):
    """The weights of a network do not say how it computes, and no file beside it does.

    Attributes
    ----------
    layers : tuple of dict
        What its tensors say: ``weights``, ``kinds``, ``sizes`` of each layer.
    template : str
        A description with what is known; null where it must be filled in.
    """

    def __init__(self, reason: str, *, layers: tuple[dict[str, Any], ...], template: str) -> None:
        self.layers = layers
        self.template = template
        super().__init__(
            reason,
            code="needs-description",
            remedy="Fill in its template in the new folder, put it beside the file as the file's"
            " name and .model.json, and run again.",
        )


class DescriptionError(LegacyError):
    """The file that describes a network is not one, or describes another network.

    Attributes
    ----------
    where : str
        Which place of it, such as ``layers[2].eps``.
    layers : tuple of dict
        As for `DescriptionNeededError`, once they are known.
    template : str
        As for `DescriptionNeededError`.
    """

    def __init__(self, where: str, reason: str) -> None:
        self.where = where
        self.layers: tuple[dict[str, Any], ...] = ()
        self.template = ""
        super().__init__(
            f"in its model.json {where} {reason}",
            code="wrong-description",
            remedy="Correct its model.json, as docs/rescue.md says, and run again.",
        )


class OtherAnswersError(LegacyError):
    """The network, as its description has it, answers otherwise than the example says.

    Attributes
    ----------
    worst, tolerance : float
        Largest difference found, and allowed.
    """

    def __init__(self, *, worst: float, tolerance: float) -> None:
        self.worst = worst
        self.tolerance = tolerance
        super().__init__(
            f"its answers differ by {worst:.3g} from the example in its model.json, allowed is"
            f" {tolerance:.3g}",
            code="other-answers",
            remedy="Hold its model.json against the code of forward(): order, activations, eps,"
            " axes; and make the example in eval mode, in float32 or float64.",
        )
