"""Write the bill of materials of a release: CycloneDX 1.6, JSON.

It lists the package, what it needs as it is installed here, and every sealed file of the artifacts.
The same inputs give the same bytes; the time is that of SOURCE_DATE_EPOCH.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from importlib.metadata import Distribution, distribution, requires
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import NAMESPACE_OID, UUID, uuid5

from aegismatrix import __version__
from aegismatrix.artifacts.manifest import MANIFEST_NAME, Manifest, read_manifest
from aegismatrix.desk.files import write_atomically
from aegismatrix.engine.verify import verify_manifest
from aegismatrix.errors import AegisError, FileUnreadableError, MissingExtraError

if TYPE_CHECKING:
    from cyclonedx.model import HashType
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component
    from cyclonedx.model.license import DisjunctiveLicense, LicenseExpression
    from packageurl import PackageURL

EPOCH = "SOURCE_DATE_EPOCH"
_PACKAGE = "aegismatrix"
_NO_SERIAL = UUID(int=0)
_LONGEST_LICENCE_NAME = 200


class BuildTimeError(AegisError):
    """The time that the document is to say is not given, so that it could not be made again."""

    def __init__(self, text: str | None) -> None:
        super().__init__(
            f"{EPOCH} is not set." if text is None else f"{EPOCH} is {text!r}.",
            remedy=f"Set it to whole seconds since 1970, such as {EPOCH}=$(git log -1"
            " --format=%ct).",
        )


class InvalidDocumentError(AegisError):
    """The document does not keep CycloneDX's own schema."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"The document is not valid CycloneDX: {reason}.",
            remedy="Nothing was written; report this as a bug, with the versions of what is"
            " installed.",
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Write the bill of materials."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", metavar="FILE", required=True, help="file to write")
    parser.add_argument(
        "--models", metavar="DIR", help="folder of artifacts (default: the bundled one)"
    )
    parser.add_argument(
        "--dist", metavar="FILE", nargs="*", default=[], help="built files, listed with their hash"
    )
    arguments = parser.parse_args(argv)
    try:
        text = document(arguments.models, [Path(file) for file in arguments.dist], _build_time())
        write_atomically(arguments.out, text)
    except AegisError as error:
        print(f"sbom: {error}", file=sys.stderr)
        return 2
    print(f"{arguments.out}: {len(json.loads(text)['components'])} components")
    return 0


def document(
    models: str | os.PathLike[str] | None, built: Sequence[Path], made_at: datetime
) -> str:
    """Return the bill of materials.

    Parameters
    ----------
    models : path-like or None
        As for `find_artifacts`.
    built : sequence of Path
        Wheel and source distribution, if they are to be listed.
    made_at : datetime
        What the document says about when it was made, aware.

    Returns
    -------
    str
        Valid by CycloneDX's strict schema; its serial number is made of all that it says.

    Raises
    ------
    MissingExtraError, ArtifactError, FileUnreadableError, InvalidDocumentError
    """
    try:
        from cyclonedx.output.json import JsonV1Dot6
        from cyclonedx.schema import SchemaVersion
        from cyclonedx.validation.json import JsonStrictValidator
    except ImportError as error:
        raise MissingExtraError("cyclonedx-python-lib", extra="release") from error

    manifest = read_manifest(models)
    for finding in verify_manifest(manifest, golden=False):
        raise finding.error
    bom = _bom(manifest, built, made_at)
    content = JsonV1Dot6(bom).output_as_string(indent=1)
    bom.serial_number = uuid5(NAMESPACE_OID, hashlib.sha256(content.encode("utf-8")).hexdigest())
    text = JsonV1Dot6(bom).output_as_string(indent=1) + "\n"
    invalid = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if invalid is not None:
        raise InvalidDocumentError(str(invalid).splitlines()[0][:200])
    return text


def _bom(manifest: Manifest, built: Sequence[Path], made_at: datetime) -> Bom:
    from cyclonedx.model.bom import Bom, BomMetaData

    package = _package(manifest, built)
    bom = Bom(
        serial_number=_NO_SERIAL,
        metadata=BomMetaData(timestamp=made_at, component=package),
    )
    needed = {name: list(_needs(name)) for name in _closure(_PACKAGE)}
    libraries = {name: _library(distribution(name)) for name in needed if name != _PACKAGE}
    artifacts = list(_artifacts(manifest))
    bom.components.update(libraries.values(), artifacts)
    direct = [libraries[name] for name in needed[_PACKAGE]]
    bom.register_dependency(package, [*direct, *artifacts])
    for name, library in libraries.items():
        bom.register_dependency(library, [libraries[other] for other in needed[name]])
    for artifact in artifacts:
        bom.register_dependency(artifact)
    return bom


def _package(manifest: Manifest, built: Sequence[Path]) -> Component:
    from cyclonedx.model import ExternalReference, ExternalReferenceType, Property, XsUri
    from cyclonedx.model.component import Component, ComponentType

    said = {
        "manifest:digest": manifest.digest,
        f"{MANIFEST_NAME}:sha256": manifest.sha256,
        **{f"made_with:{name}": made for name, made in manifest.content["made_with"].items()},
    }
    return Component(
        name=_PACKAGE,
        version=__version__,
        type=ComponentType.LIBRARY,
        bom_ref=_purl(_PACKAGE, __version__),
        purl=_package_url(_PACKAGE, __version__),
        licenses=_licences(distribution(_PACKAGE)),
        properties=[Property(name=f"{_PACKAGE}:{name}", value=str(said[name])) for name in said],
        external_references=[
            ExternalReference(
                type=ExternalReferenceType.DISTRIBUTION,
                url=XsUri(file.name),
                hashes=[_sha256(_hash_of(file))],
            )
            for file in built
        ],
    )


def _library(found: Distribution) -> Component:
    from cyclonedx.model.component import Component, ComponentType

    name = _normal(found.metadata["Name"])
    return Component(
        name=name,
        version=found.version,
        type=ComponentType.LIBRARY,
        bom_ref=_purl(name, found.version),
        purl=_package_url(name, found.version),
        licenses=_licences(found),
        hashes=[_sha256(known) for known in _archive_hashes(found)],
    )


def _artifacts(manifest: Manifest) -> Iterator[Component]:
    """One component for each sealed file: models as such, what lies beside them as data."""
    from cyclonedx.model import Property
    from cyclonedx.model.component import Component, ComponentType

    for spec in manifest.models.values():
        said: Mapping[str, object] = {
            "file": spec.file,
            "size_bytes": spec.size_bytes,
            "kind": spec.kind,
            "trained_on": ", ".join(
                f"{span.market} {span.first} to {span.last}" for span in spec.training
            ),
        }
        yield Component(
            name=f"{_PACKAGE}/{spec.name}",
            version=spec.version,
            type=ComponentType.MACHINE_LEARNING_MODEL,
            bom_ref=f"artifact:{spec.file}",
            description=spec.question,
            hashes=[_sha256(spec.sha256)],
            properties=[
                Property(name=f"{_PACKAGE}:{name}", value=str(value))
                for name, value in said.items()
                if value
            ],
        )
    for key, entry in manifest.content.items():
        if isinstance(entry, dict) and {"file", "sha256", "size_bytes"} <= entry.keys():
            yield Component(
                name=f"{_PACKAGE}/{key}",
                version=manifest.digest[:16],
                type=ComponentType.DATA,
                bom_ref=f"artifact:{entry['file']}",
                hashes=[_sha256(entry["sha256"])],
                properties=[
                    Property(name=f"{_PACKAGE}:{name}", value=str(entry[name]))
                    for name in ("file", "size_bytes")
                ],
            )


def _closure(root: str) -> list[str]:
    """The names of all that a distribution needs here, itself first."""
    found = [root]
    for name in found:
        found += [other for other in _needs(name) if other not in found]
    return found


def _needs(name: str) -> Iterator[str]:
    try:
        from packaging.requirements import Requirement
    except ImportError as error:
        raise MissingExtraError("packaging", extra="release") from error

    for line in requires(name) or ():
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield _normal(requirement.name)


def _licences(found: Distribution) -> list[LicenseExpression | DisjunctiveLicense]:
    from cyclonedx.model.license import DisjunctiveLicense, LicenseExpression

    expression, words = (
        (found.metadata.get_all(key) or [""])[0] for key in ("License-Expression", "License")
    )
    if expression:
        return [LicenseExpression(expression)]
    # Some put the whole text of the licence there.
    if words and "\n" not in words and len(words) <= _LONGEST_LICENCE_NAME:
        return [DisjunctiveLicense(name=words)]
    return []


def _archive_hashes(found: Distribution) -> Iterator[str]:
    """The sha256 of the archive that it was installed from, where the installer has noted it."""
    noted = json.loads(found.read_text("direct_url.json") or "{}")
    known = noted.get("archive_info", {}).get("hashes", {}).get("sha256")
    if known:
        yield known


def _sha256(content: str) -> HashType:
    from cyclonedx.model import HashAlgorithm, HashType

    return HashType(alg=HashAlgorithm.SHA_256, content=content)


def _hash_of(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        raise FileUnreadableError(str(file), error.strerror or str(error)) from error


def _normal(name: str) -> str:
    from packaging.utils import canonicalize_name

    return canonicalize_name(name)


def _purl(name: str, version: str) -> str:
    return f"pkg:pypi/{name}@{version}"


def _package_url(name: str, version: str) -> PackageURL:
    from packageurl import PackageURL

    return PackageURL("pypi", name=name, version=version)


def _build_time() -> datetime:
    text = os.environ.get(EPOCH)
    try:
        return datetime.fromtimestamp(int(text or ""), timezone.utc)
    except (ValueError, OverflowError, OSError) as error:
        raise BuildTimeError(text) from error


if __name__ == "__main__":
    sys.exit(main())
