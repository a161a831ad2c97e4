"""Make a release key, show its public side, and sign a folder of artifacts with it.

The passphrase of the key is asked for, or taken from AEGISMATRIX_KEY_PASSPHRASE.
"""

from __future__ import annotations

import argparse
import getpass
import json
import os
import sys
from collections.abc import Sequence

try:
    from aegismatrix_factory.release.signing import (
        WeakPassphraseError,
        key_entry,
        load_key,
        new_key,
        public_side,
        sign,
    )

    from aegismatrix.artifacts.manifest import SIGNATURE_NAME
    from aegismatrix.artifacts.signature import stamp
    from aegismatrix.errors import AegisError
except ModuleNotFoundError as error:
    print(
        f"sign: This needs {error.name}, which is not installed. Install it, in the checkout,"
        " with: pip install -e '.[verify]' -e ./exporters.",
        file=sys.stderr,
    )
    sys.exit(2)

PASSPHRASE = "AEGISMATRIX_KEY_PASSPHRASE"


def main(argv: Sequence[str] | None = None) -> int:
    """Make a key, show its public side, or sign."""
    arguments = _parser().parse_args(argv)
    try:
        status: int = arguments.run(arguments)
    except AegisError as error:
        print(f"sign: {error}", file=sys.stderr)
        return 2
    except (KeyboardInterrupt, EOFError):
        print("sign: interrupted; nothing was written", file=sys.stderr)
        return 130
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    make = commands.add_parser("new-key", help="make a private key")
    make.add_argument("--out", metavar="PEM", required=True, help="file to write; must not exist")
    make.set_defaults(run=_new_key)

    show = commands.add_parser("public", help="print the public side of a key")
    show.add_argument("--key", metavar="PEM", required=True, help="private key")
    show.add_argument("--json", action="store_true", help="as entry of release_keys.json")
    show.set_defaults(run=_public)

    signs = commands.add_parser("sign", help="verify a folder, then sign its manifest")
    signs.add_argument(
        "folder", nargs="?", metavar="DIR", help="folder of artifacts (default: the bundled one)"
    )
    signs.add_argument("--key", metavar="PEM", required=True, help="private key")
    signs.add_argument(
        "--untrusted", action="store_true", help="even if the package does not list the key"
    )
    signs.set_defaults(run=_sign)
    return parser


def _new_key(arguments: argparse.Namespace) -> int:
    passphrase = _passphrase("Passphrase for the new key: ")
    if PASSPHRASE not in os.environ and passphrase != _passphrase("The same again: "):
        print("sign: the two differ; nothing was written", file=sys.stderr)
        return 2
    made = new_key(arguments.out, passphrase)
    print(json.dumps(key_entry(made), indent=1))
    print(
        f"{arguments.out} is the private key: keep it offline and twice, its passphrase apart.\n"
        "The entry above goes into the list in src/aegismatrix/artifacts/release_keys.json.",
        file=sys.stderr,
    )
    return 0


def _public(arguments: argparse.Namespace) -> int:
    entry, pem = public_side(load_key(arguments.key, _passphrase()))
    print(json.dumps(entry, indent=1) if arguments.json else pem, end="")
    if arguments.json:
        print()
    return 0


def _sign(arguments: argparse.Namespace) -> int:
    private = load_key(arguments.key, _passphrase())
    signature = sign(private, arguments.folder, untrusted=arguments.untrusted)
    print(
        f"{SIGNATURE_NAME}: sha256 of manifest.json {signature.manifest_sha256[:16]},"
        f" key {signature.key_id}, {stamp(signature.signed_at)}"
    )
    return 0


def _passphrase(prompt: str = "Passphrase of the key: ") -> bytes:
    given = os.environ.get(PASSPHRASE)
    text = getpass.getpass(prompt) if given is None else given
    if not text:
        raise WeakPassphraseError
    return text.encode("utf-8")


if __name__ == "__main__":
    sys.exit(main())
