"""Python, numpy and onnxruntime for arm64 on another processor, under QEMU's user-mode emulation.

Debian's packages and the wheels for arm64 are downloaded and unpacked into a folder, none is
installed, and no root is needed. Where the tools are not, the reason is told.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from aegismatrix.errors import AegisError

EMULATORS = ("qemu-aarch64-static", "qemu-aarch64")
TOOLS = ("apt-get", "dpkg-deb")
WHEELS = ("manylinux_2_28_aarch64", "manylinux_2_27_aarch64", "manylinux2014_aarch64")
# Libraries look up which processor they run on, and would find that of the host.
_PROCESSOR = """\
processor\t: 0
BogoMIPS\t: 48.00
Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm asimddp
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x3
CPU part\t: 0xd0c
CPU revision\t: 1

"""


class NotEmulatedError(AegisError):
    """There is no arm64 to be had here."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"arm64 was not run: {reason}.",
            remedy="On Debian, install qemu-user-static and have apt-get reach its packages.",
        )


def emulated_python(folder: Path) -> tuple[list[str], Path]:
    """Make an arm64 Python in a folder, replacing what is there.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    command : list of str
        Runs it; arguments follow.
    site : Path
        The folder of numpy and onnxruntime, for `PYTHONPATH`.

    Raises
    ------
    NotEmulatedError
    """
    emulator = next(filter(None, map(shutil.which, EMULATORS)), None)
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if emulator is None or missing:
        lacking = [*missing, *([] if emulator else [EMULATORS[0]])]
        raise NotEmulatedError(f"{' and '.join(lacking)} not on the path")
    shutil.rmtree(folder, ignore_errors=True)
    root, site = folder / "root", folder / "site"
    root.mkdir(parents=True)
    for package in _packages(folder / "apt"):
        _run(["dpkg-deb", "-x", str(package), str(root)])
    _pretend_processor(root)
    pythons = sorted((root / "usr" / "bin").glob("python3.[0-9]*[0-9]"))
    if not pythons:
        raise NotEmulatedError("Debian's packages hold no Python")
    version = pythons[-1].name.removeprefix("python")
    platforms = [word for platform in WHEELS for word in ("--platform", platform)]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(site), *platforms]
    only = ["--python-version", version, "--implementation", "cp", "--only-binary", ":all:"]
    _run([*pip, *only, "numpy", "onnxruntime"])
    return [emulator, "-L", str(root), str(pythons[-1])], site


def _packages(folder: Path) -> list[Path]:
    """Download Python's packages for arm64 with all that they need, apart from the host's own."""
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True)
    (folder / "status").touch()
    options = {
        "APT::Architecture": "arm64",
        "APT::Architectures": "arm64",
        "APT::Sandbox::User": "",
        "Dir::State": folder,
        "Dir::State::status": folder / "status",
        "Dir::Cache": folder / "cache",
        "Debug::NoLocking": "true",
    }
    apt = ["apt-get", "-qq", *(f"-o{name}={value}" for name, value in options.items())]
    _run([*apt, "update"])
    chosen = ["--yes", "--no-install-recommends", "--download-only", "install"]
    _run([*apt, *chosen, "python3", "libstdc++6"])
    return sorted((folder / "cache" / "archives").glob("*.deb"))


def _pretend_processor(root: Path) -> None:
    places = root / "sys" / "devices" / "system" / "cpu"
    (places / "cpu0").mkdir(parents=True)
    for name in ("possible", "present", "online"):
        (places / name).write_text("0\n", encoding="ascii")
    (root / "proc").mkdir(exist_ok=True)
    (root / "proc" / "cpuinfo").write_text(_PROCESSOR, encoding="ascii")


def _run(command: Sequence[str]) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        said = re.sub(r"\s+", " ", done.stderr or done.stdout).strip()[-300:]
        raise NotEmulatedError(f"{command[0]} ended with {done.returncode}: {said}")
