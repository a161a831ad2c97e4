"""Run the golden values in every Python, numpy and onnxruntime that go together, one after another.

Usage: python benchmarks/portability.py [--models FOLDER] [--again]
         [--others | --processors | --newest]

Each combination is installed from wheels into an environment of its own, thrown away afterwards.
What it gave is kept in build/portability, so that an interrupted run goes on where it stopped; the
table goes to docs/portability.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from aegismatrix.artifacts.manifest import GOLDEN_KEY, find_artifacts, read_manifest
from aegismatrix.desk.files import write_atomically
from aegismatrix.errors import AegisError
from benchmarks.emulation import NotEmulatedError, emulated_python
from scripts.documents import between_marks

REPOSITORY = Path(__file__).parents[1]
CACHE = REPOSITORY / "build" / "portability"
DOCUMENT = REPOSITORY / "docs" / "portability.md"
CHILD = REPOSITORY / "benchmarks" / "golden_values.py"
WEB = REPOSITORY / "benchmarks" / "web"

PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
NUMPYS = ("1.24", "1.26", "2.0")
"""Beside these, the newest that a Python has."""
FIRST_NUMPY = {"3.13": "2.1", "3.14": "2.3"}
"""Where the first with wheels is none of those."""
FIRST_ONNXRUNTIME = 19
OTHERS: Mapping[str, tuple[str, ...]] = {
    "reference": ("onnx",),
    "openvino": ("openvino",),
    "tract": ("tract",),
}

RAN, OFF, FAILED, NO_WHEEL = "ran", "off", "failed", "no wheel"
_EXACT = ("features", "implied_sigma")
# What uv and pip say when no set of wheels fits, and what pip adds when it reached no index.
_UNSOLVABLE = re.compile(
    "No solution found|ResolutionImpossible|No matching distribution|conflicting dependencies"
)
_UNREACHABLE = re.compile("from versions: none|Retrying")
_CHILD_SECONDS = 600


class NoWheelError(AegisError):
    """The index has no wheels that go together."""

    def __init__(self, wanted: Sequence[str], said: str) -> None:
        self.said = said
        super().__init__(
            f"There are no wheels of {' and '.join(wanted)} that go together.",
            remedy="Choose other versions.",
        )


class NotInstalledError(AegisError):
    """An environment could not be made, and the versions are not why."""

    def __init__(self, wanted: Sequence[str], said: str) -> None:
        super().__init__(
            f"{' and '.join(wanted)} could not be installed: {said}.",
            remedy="See that the package index can be reached and the disk has space; run again.",
        )


@dataclass(frozen=True)
class Combination:
    """Versions to install: a Python, and a series of numpy and of onnxruntime each."""

    python: str
    numpy: str
    onnxruntime: str

    @property
    def key(self) -> str:
        """Name of the file that keeps what it gave."""
        return f"python{self.python}-numpy{self.numpy}-onnxruntime{self.onnxruntime}"

    @property
    def requirements(self) -> tuple[str, str]:
        """What is asked of the index."""
        return f"numpy=={self.numpy}.*", f"onnxruntime=={self.onnxruntime}.*"


def interpreters() -> dict[str, Path]:
    """Return the Pythons of this machine by minor version: on the path, or pyenv's."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found: dict[str, Path] = {}
    for version in PYTHONS:
        on_path = shutil.which(f"python{version}")
        candidates = [*sorted(pyenv.glob(f"{version}.*/bin/python{version}"), reverse=True)]
        candidates += [Path(on_path)] if on_path else []
        for candidate in candidates:
            # A shim of pyenv is there for versions that it does not run.
            asked = [str(candidate), "-c", "import ensurepip, venv"]
            if subprocess.run(asked, capture_output=True, check=False).returncode == 0:
                found[version] = candidate
                break
    return found


def newest_interpreter(pythons: Mapping[str, Path]) -> Path:
    """Return the newest of these Pythons that onnxruntime has wheels for.

    Raises
    ------
    NotInstalledError
        If it has none for any of them.
    """
    for version in sorted(pythons, key=order, reverse=True):
        try:
            available(pythons[version], "onnxruntime")
        except NotInstalledError as error:
            print(f"portability: Python {version}: {error}", file=sys.stderr)
        else:
            return pythons[version]
    raise NotInstalledError(["onnxruntime"], "no Python here has wheels of it")


def find_uv(cache: Path) -> Path | None:
    """Return uv: the one on the path, or one installed from the index; None if there is none."""
    on_path = shutil.which("uv")
    if on_path:
        return Path(on_path)
    uv = cache / "uv" / "bin" / "uv"
    if not uv.exists():
        subprocess.run([sys.executable, "-m", "venv", str(cache / "uv")], check=True)
        pip = [str(uv.with_name("python")), "-m", "pip", "install", "--quiet", "uv"]
        subprocess.run([*pip, "--only-binary", ":all:"], capture_output=True, check=False)
    return uv if uv.exists() else None


def install(
    python: Path, folder: Path, wanted: Sequence[str], uv: Path | None, cache: Path
) -> Path:
    """Make an environment of wheels, replacing the one that is there, and return its Python.

    Raises
    ------
    NoWheelError, NotInstalledError
    """
    shutil.rmtree(folder, ignore_errors=True)
    inside = folder / "bin" / "python"
    if uv is not None:
        make = [str(uv), "venv", "--quiet", "--python", str(python), str(folder)]
        fill = [str(uv), "pip", "install", "--quiet", "--python", str(inside)]
    else:
        make = [str(python), "-m", "venv", str(folder)]
        fill = [str(inside), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    environment = {**os.environ, "UV_CACHE_DIR": str(cache / "wheels")}
    for command in (make, [*fill, "--only-binary", ":all:", *wanted]):
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        if done.returncode:
            said = " ".join((done.stderr or done.stdout).split())[:600]
            if _UNSOLVABLE.search(said) and not _UNREACHABLE.search(said):
                raise NoWheelError(wanted, said)
            raise NotInstalledError(wanted, said)
    return inside


def available(python: Path, package: str) -> list[str]:
    """Return the versions of a package that a Python can have, newest first.

    Raises
    ------
    NotInstalledError
    """
    command = [str(python), "-m", "pip", "index", "versions", package]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"Available versions: (.*)", done.stdout)
    if found is None:
        raise NotInstalledError([package], " ".join(done.stderr.split())[-300:])
    return found.group(1).split(", ")


def combinations(pythons: Mapping[str, Path]) -> Iterator[Combination]:
    """Yield every combination to try: each series of numpy with each minor of onnxruntime."""
    minors = sorted(
        {
            series(version)
            for path in pythons.values()
            for version in available(path, "onnxruntime")
        },
        key=order,
    )
    for python, path in pythons.items():
        last = series(available(path, "numpy")[0])
        first = [FIRST_NUMPY[python]] if python in FIRST_NUMPY else []
        for numpy in sorted({*NUMPYS, *first, last}, key=order):
            for minor in minors:
                if order(minor) >= (1, FIRST_ONNXRUNTIME):
                    yield Combination(python, numpy, minor)


def run_golden(python: Path, models: Path, runtime: str = "onnxruntime") -> dict[str, Any]:
    """Run every golden case with some Python and return what `golden_values.py` prints.

    Returns
    -------
    dict
        With ``status``: ran, off (a difference beyond its tolerance) or failed (and ``said``).
    """
    return _read_golden([str(python)], models, runtime)


def run_processors(models: Path, cache: Path) -> dict[str, dict[str, Any]]:
    """Run every golden case on another processor than this machine's, emulated.

    Raises
    ------
    NotEmulatedError
    """
    command, site = emulated_python(cache / "arm64")
    result = _read_golden(command, models, "onnxruntime", site)
    print(f"arm64: {_outcome(result)}", flush=True)
    return {"arm64": result}


def _read_golden(
    python: Sequence[str], models: Path, runtime: str, *folders: Path
) -> dict[str, Any]:
    # The package by its path: of what an environment holds, numpy and the runtime alone vary.
    path = os.pathsep.join(map(str, (REPOSITORY / "src", *folders)))
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    command = [*python, str(CHILD), str(models), "--runtime", runtime]
    return _read_line(command, environment)


def run_web(models: Path, cache: Path) -> dict[str, Any]:
    """Run every golden case through onnxruntime-web in Node, installed as its lock file says.

    Raises
    ------
    NotInstalledError
        If there is no npm, or the registry cannot be reached.
    """
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        raise NotInstalledError(["onnxruntime-web"], "node and npm are not on the path")
    folder = cache / "web"
    shutil.copytree(WEB, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules"))
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotInstalledError(["onnxruntime-web"], " ".join(done.stderr.split())[-300:])
    return _read_line([node, str(folder / "golden.mjs"), str(models)], dict(os.environ))


def _read_line(command: Sequence[str], environment: dict[str, str]) -> dict[str, Any]:
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            env=environment,
            timeout=_CHILD_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return {"status": FAILED, "said": f"no answer in {_CHILD_SECONDS} s"}
    if done.returncode:
        return {"status": FAILED, "said": " ".join(done.stderr.split())[-600:]}
    line: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {"status": OFF if off(line["artifacts"]) else RAN, **line}


def off(artifacts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the names of the artifacts that were not run, or differ beyond a tolerance."""
    return [
        name
        for name, outputs in artifacts.items()
        if "error" in outputs
        or any(
            one["difference"] is None or one["difference"] > one["tolerance"]
            for one in outputs.values()
        )
    ]


def largest(artifacts: Mapping[str, Mapping[str, Any]], *, exact: bool) -> float:
    """Return the largest difference of features and implied_sigma, or of probabilities."""
    return max(
        (
            float("inf") if one["difference"] is None else float(one["difference"])
            for outputs in artifacts.values()
            if "error" not in outputs
            for name, one in outputs.items()
            if (name in _EXACT) == exact
        ),
        default=0.0,
    )


def measure(
    combination: Combination, python: Path, models: Path, uv: Path | None, cache: Path
) -> dict[str, Any]:
    """Install one combination, run it and say what came of it."""
    try:
        inside = install(python, cache / "venv", combination.requirements, uv, cache)
    except NoWheelError as error:
        return {**asdict(combination), "status": NO_WHEEL, "said": error.said}
    return {**run_golden(inside, models), **asdict(combination)}


def kept(file: Path, digest: str) -> dict[str, Any] | None:
    """Return what a combination gave on these artifacts before, if it is known."""
    if not file.exists():
        return None
    result: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return result if result["manifest"] == digest else None


def run_all(models: Path, cache: Path, *, again: bool) -> list[dict[str, Any]]:
    """Run every combination that is not kept, one after another."""
    pythons = interpreters()
    uv = find_uv(cache)
    digest = read_manifest(models).digest
    wanted = list(combinations(pythons))
    results = []
    for number, combination in enumerate(wanted, start=1):
        file = cache / "results" / f"{combination.key}.json"
        result = None if again else kept(file, digest)
        if result is None:
            result = measure(combination, pythons[combination.python], models, uv, cache)
            result["manifest"] = digest
            _keep(file, result)
        results.append(result)
        print(f"{number}/{len(wanted)} {combination.key}: {_outcome(result)}", flush=True)
    return results


def run_others(models: Path, cache: Path) -> dict[str, dict[str, Any]]:
    """Run the golden values through other implementations than onnxruntime's for Python."""
    uv = find_uv(cache)
    results: dict[str, dict[str, Any]] = {}
    for runtime, distributions in OTHERS.items():
        try:
            wanted = ["numpy", *distributions]
            inside = install(Path(sys.executable), cache / "venv", wanted, uv, cache)
            results[runtime] = run_golden(inside, models, runtime)
        except NoWheelError as error:
            results[runtime] = {"status": NO_WHEEL, "said": error.said}
        print(f"{runtime}: {_outcome(results[runtime])}", flush=True)
    results["web"] = run_web(models, cache)
    print(f"web: {_outcome(results['web'])}", flush=True)
    _keep(cache / "others.json", results)
    return results


def _keep(file: Path, result: Mapping[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, json.dumps(result, indent=1) + "\n")


def _outcome(result: Mapping[str, Any]) -> str:
    if result["status"] in (NO_WHEEL, FAILED):
        return f"{result['status']} ({result['said'][:120]})"
    artifacts = result["artifacts"]
    names = ", ".join(off(artifacts))
    features, probabilities = (largest(artifacts, exact=exact) for exact in (True, False))
    return (
        f"{result['status']}{names and ': ' + names}, features {features:.1g},"
        f" probabilities {probabilities:.1g}"
    )


def matrix_text(results: Sequence[Mapping[str, Any]]) -> str:
    """Return the summary and the table of all combinations."""
    run = [one for one in results if one["status"] != NO_WHEEL]
    fine = [one for one in run if one["status"] == RAN]
    minors = sorted({one["onnxruntime"] for one in results}, key=order)
    rows = sorted({(one["numpy"], one["python"]) for one in results}, key=_row_order)
    by_place = {(one["numpy"], one["python"], one["onnxruntime"]): one for one in results}
    versions = sorted(
        {one["versions"]["onnxruntime"] for one in run if "versions" in one}, key=order
    )
    numpys = sorted({one["versions"]["numpy"] for one in run if "versions" in one}, key=order)
    pythons = sorted({one["versions"]["python"] for one in run if "versions" in one}, key=order)
    lines = [
        f"{len(run)} combinations ran, {len(fine)} of them within every tolerance;"
        f" {len(results) - len(run)} have no wheels that go together.",
        f"On {platform.system()} {platform.machine()}: Python {', '.join(pythons)};"
        f" numpy {', '.join(numpys)}; onnxruntime {', '.join(versions)}.",
        "",
        *_table(
            ["numpy", "Python", *minors],
            [
                [numpy, python, *(_cell(by_place.get((numpy, python, one))) for one in minors)]
                for numpy, python in rows
            ],
        ),
        "",
        "The largest differences found in a column:",
        "",
        *_table(
            ["", *minors],
            [
                [
                    what,
                    *(
                        _worst((one for one in run if one["onnxruntime"] == minor), exact=exact)
                        for minor in minors
                    ),
                ]
                for what, exact in (("features", True), ("probabilities", False))
            ],
        ),
    ]
    bad = [one for one in run if one["status"] != RAN]
    lines += [""] if bad else []
    lines += [
        f"- Python {one['python']}, numpy {one['numpy']}, onnxruntime {one['onnxruntime']}:"
        f" {_outcome(one)}"
        for one in bad
    ]
    return "\n".join(lines)


def others_text(results: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the table of other implementations: the largest difference per artifact."""
    run = {name: one for name, one in results.items() if "artifacts" in one}
    names = list(dict.fromkeys(name for one in run.values() for name in one["artifacts"]))
    said: list[str] = []
    rows = []
    for name in names:
        cells = []
        for one in run.values():
            outputs = one["artifacts"].get(name, {"error": "not run"})
            if "error" in outputs:
                cells.append("fails")
            else:
                worst = max(largest({name: outputs}, exact=exact) for exact in (True, False))
                cells.append(_figure(worst) + (" (off)" if off({name: outputs}) else ""))
        rows.append([f"`{name}`", *cells])
    for runtime, one in run.items():
        reasons: dict[str, list[str]] = {}
        for name, outputs in one["artifacts"].items():
            if "error" in outputs:
                reasons.setdefault(str(outputs["error"]), []).append(name)
        said += [
            f"- {runtime} fails on {', '.join(failed)}: {_plain(reason)}"
            for reason, failed in reasons.items()
        ]
    said += [
        f"- {name}: {one['status']}: {_plain(one['said'])}"
        for name, one in results.items()
        if name not in run
    ]
    heads = [f"{name} ({_versions(one['versions'])})" for name, one in run.items()]
    table = _table(["largest difference", *heads], rows)
    return "\n".join([*table, *([""] if said else []), *said])


def _versions(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _plain(text: str) -> str:
    """One line that no table or list takes for its own marks."""
    return "`" + text.replace("`", "'").replace("|", "/")[:240] + "`"


def _cell(result: Mapping[str, Any] | None) -> str:
    if result is None:
        return ""
    return "ok" if result["status"] == RAN else str(result["status"])


def _worst(results: Iterable[Mapping[str, Any]], *, exact: bool) -> str:
    found = [largest(one["artifacts"], exact=exact) for one in results if "artifacts" in one]
    return _figure(max(found)) if found else ""


def _figure(difference: float) -> str:
    return f"{difference:.0e}" if difference else "0"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [
        f"| {' | '.join(header)} |",
        f"|{'---|' * len(header)}",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def series(version: str) -> str:
    """Return the first two numbers of a version, as text."""
    return ".".join(version.split(".")[:2])


def order(version: str) -> tuple[int, ...]:
    """Return the numbers of a version, to sort by."""
    return tuple(int(part) for part in re.findall(r"\d+", version))


def _row_order(row: tuple[str, str]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return order(row[0]), order(row[1])


def write_document(name: str, content: str) -> None:
    """Put a generated part into the document."""
    text = DOCUMENT.read_text(encoding="utf-8")
    write_atomically(DOCUMENT, between_marks(text, name, content))


def main(argv: Sequence[str] | None = None) -> int:
    """Run, and write the document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--models", type=Path, help="artifacts with golden values (default: the bundled ones)"
    )
    parser.add_argument("--cache", type=Path, default=CACHE, help="default: %(default)s")
    parser.add_argument(
        "--others", action="store_true", help="run other implementations, not the matrix"
    )
    parser.add_argument("--processors", action="store_true", help="run another processor, emulated")
    parser.add_argument(
        "--newest", action="store_true", help="only print the newest Python that has onnxruntime"
    )
    parser.add_argument("--again", action="store_true", help="run what is known already, too")
    arguments = parser.parse_args(argv)
    try:
        if arguments.newest:
            print(newest_interpreter(interpreters()))
            return 0
        models = find_artifacts(arguments.models).resolve()
        if GOLDEN_KEY not in read_manifest(models).attachments:
            parser.error(f"{models} seals no golden values")
        if arguments.others:
            write_document("others", others_text(run_others(models, arguments.cache)))
            return 0
        if arguments.processors:
            write_document("processors", others_text(run_processors(models, arguments.cache)))
            return 0
        results = run_all(models, arguments.cache, again=arguments.again)
        write_document("matrix", matrix_text(results))
    except NotEmulatedError as error:
        print(f"portability: {error} The document stays as it is.", file=sys.stderr)
        return 0
    except AegisError as error:
        print(f"portability: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("portability: interrupted; what has run is kept, run again", file=sys.stderr)
        return 130
    return 1 if any(one["status"] in (OFF, FAILED) for one in results) else 0


if __name__ == "__main__":
    sys.exit(main())
