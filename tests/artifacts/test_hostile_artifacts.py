"""Whatever lies in a folder of artifacts: a typed error, in little time and memory.

Every folder is tried through every way in, by a child process under limits. Where a manifest is
forged, it is sealed again: its digest and every hash are right.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import TensorProto, helper, numpy_helper

import aegismatrix as am
from aegismatrix.artifacts.manifest import (
    ENGINE_NAME,
    FORECASTS_KEY,
    GOLDEN_KEY,
    MANIFEST_NAME,
    find_artifacts,
    read_manifest,
    render_manifest,
)
from aegismatrix.artifacts.operators import (
    ALLOWED_ML_OPS,
    ALLOWED_OPS,
    METADATA_KEY,
    ML_DOMAIN,
    MOST_NODES,
    check_content,
)
from aegismatrix.engine import model as runtime
from aegismatrix.engine.model import load_model, load_models
from aegismatrix.errors import (
    ArtifactRejectedError,
    ContractError,
    ForbiddenContentError,
    ModelFailedError,
)
from benchmarks import flips

if sys.platform == "win32":
    pytest.skip("limits, pipes and devices are those of POSIX", allow_module_level=True)

MEBIBYTES, SECONDS = 2_048, 60
PEAK_MEBIBYTES = 1_024
NAMES = ("trap", ENGINE_NAME)
ENGINE_GIVES = ("features", "implied_sigma", "trap")
TEN_GIGABYTES = 10 * 1000**3
NOBODY = 65534

Change = Callable[[Path], object]

BY_FILE = {"list_models": "ok", "aegismatrix verify": "exit 1", "aegismatrix models": "exit 0"}
BY_MANIFEST = {"aegismatrix verify": "exit 1", "aegismatrix models": "exit 2"}


def content_of(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / MANIFEST_NAME).read_bytes())
    del content["digest"]
    return content


def forge(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the manifest and seal it again."""
    content = content_of(folder)
    change(content)
    (folder / MANIFEST_NAME).write_bytes(render_manifest(content))


@pytest.fixture(scope="module")
def lean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled trap, and an engine that gives no more than it, sealed as a folder of their own.

    What an engine gives and no model beside it is sealed for is refused.
    """
    folder = Path(shutil.copytree(find_artifacts(), tmp_path_factory.mktemp("lean") / "models"))
    path = folder / f"{ENGINE_NAME}.onnx"
    engine = onnx.load(path)
    given = [one for one in engine.graph.output if one.name in ENGINE_GIVES]
    del engine.graph.output[:]
    engine.graph.output.extend(given)
    path.write_bytes(engine.SerializeToString())

    def keep(content: dict[str, Any]) -> None:
        content["artifacts"] = [one for one in content["artifacts"] if one["name"] in NAMES]
        del content[GOLDEN_KEY], content[FORECASTS_KEY]
        (sealed,) = (one for one in content["artifacts"] if one["name"] == ENGINE_NAME)
        sealed["outputs"] = [one for one in sealed["outputs"] if one["name"] in ENGINE_GIVES]
        sealed["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
        sealed["size_bytes"] = path.stat().st_size

    forge(folder, keep)
    beside = ("walkforward.npz", "MODEL_CARD.md")
    kept = {MANIFEST_NAME, *beside, *(f"{name}.onnx" for name in NAMES)}
    for file in folder.iterdir():
        if file.name not in kept:
            file.unlink()
    return folder


def tried(folders: list[Path], user: int | None = None) -> list[dict[str, str]]:
    """What every way into each folder said, by a child that ended well within its limits."""
    limits = [str(MEBIBYTES), str(SECONDS), str(os.getuid() if user is None else user)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.hostile_child", *limits, *map(str, folders)],
        capture_output=True,
        text=True,
        timeout=3 * SECONDS,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    tail = done.stderr[-2_000:]
    assert (done.returncode, len(lines)) == (0, len(folders)), (folders[len(lines)], tail)
    assert max(line["peak_mebibytes"] for line in lines) <= PEAK_MEBIBYTES
    return [line["said"] for line in lines]


def refusals(lean: Path, place: Path, changes: Mapping[str, Change]) -> dict[str, dict[str, str]]:
    """What every way into the lean folder says after each change."""
    folders = []
    for number, change in enumerate(changes.values()):
        folder = Path(shutil.copytree(lean, place / f"{number}"))
        change(folder)
        folders.append(folder)
    return dict(zip(changes, tried(folders), strict=True))


def by_file(kind: str) -> dict[str, str]:
    """The answers of every way where both files are refused and the manifest is not."""
    return {**BY_FILE, **dict.fromkeys(("verify", "load_models", "Engine"), kind)}


def by_manifest(kind: str) -> dict[str, str]:
    ways = ("list_models", "verify", "load_models", "Engine")
    return {**BY_MANIFEST, **dict.fromkeys(ways, kind)}


def both(change: Change) -> Change:
    """The change made to both artifacts."""

    def change_both(folder: Path) -> None:
        for name in NAMES:
            change(folder / f"{name}.onnx")

    return change_both


def instead(make: Change) -> Change:
    """Both artifacts replaced."""

    def replace(file: Path) -> None:
        file.unlink()
        make(file)

    return both(replace)


def manifest_instead(make: Change) -> Change:
    def replace(folder: Path) -> None:
        (folder / MANIFEST_NAME).unlink()
        make(folder / MANIFEST_NAME)

    return replace


def grown(file: Path, size: int = TEN_GIGABYTES) -> None:
    """A file of that size, which takes no room on the disk."""
    with file.open("ab") as opened:
        opened.truncate(size)


def cut(share: float) -> Change:
    return lambda file: os.truncate(file, int(share * file.stat().st_size))


def flipped(seed: int) -> Change:
    def flip(file: Path) -> None:
        data = bytearray(file.read_bytes())
        bit = random.Random(seed).randrange(8 * len(data))
        data[bit // 8] ^= 1 << bit % 8
        file.write_bytes(data)

    return flip


def swapped(folder: Path) -> None:
    one, other = (folder / f"{name}.onnx" for name in NAMES)
    kept = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(kept)


def renamed(folder: Path) -> None:
    for name in NAMES:
        (folder / f"{name}.onnx").rename(folder / f"{name}.bin")


def linked_to(target: str) -> Change:
    return lambda file: file.symlink_to(target)


def linked_to_a_pipe(file: Path) -> None:
    os.mkfifo(file.with_suffix(".pipe"))
    file.symlink_to(f"{file.stem}.pipe")


def test_a_folder_that_is_as_sealed_is_let_in_by_every_way(lean: Path) -> None:
    ok = dict.fromkeys(("list_models", "verify", "load_models", "Engine"), "ok")
    commands = dict.fromkeys(("aegismatrix verify", "aegismatrix models"), "exit 0")
    assert tried([lean]) == [{**ok, **commands}]


def test_files_that_are_not_as_sealed_are_refused_by_every_way(lean: Path, tmp_path: Path) -> None:
    chance = random.Random(1)
    kinds: dict[str, tuple[str, Change]] = {
        **{
            f"cut to {share:.0%}": ("ArtifactSizeError", both(cut(share)))
            for share in (0.0, 0.01, 0.25, 0.5, 0.75, 0.99)
        },
        "last byte gone": (
            "ArtifactSizeError",
            both(lambda file: os.truncate(file, file.stat().st_size - 1)),
        ),
        "ten gigabytes": ("ArtifactSizeError", both(grown)),
        **{f"bit flipped {n}": ("ArtifactHashError", both(flipped(n))) for n in range(8)},
        "empty": ("ArtifactSizeError", instead(Path.touch)),
        "random bytes": (
            "ArtifactHashError",
            both(lambda file: file.write_bytes(chance.randbytes(file.stat().st_size))),
        ),
        "swapped": ("ArtifactHashError", swapped),
    }
    said = refusals(lean, tmp_path, {name: change for name, (_, change) in kinds.items()})
    assert said == {name: by_file(kind) for name, (kind, _) in kinds.items()}


def test_what_is_no_regular_file_is_refused_and_no_pipe_is_waited_for(
    lean: Path, tmp_path: Path
) -> None:
    missing: dict[str, Change] = {
        "pipe": instead(os.mkfifo),
        "link to a pipe": instead(linked_to_a_pipe),
        "link to itself": instead(lambda file: file.symlink_to(file.name)),
        "link to nothing": instead(linked_to("nothing")),
        "link to its folder": instead(linked_to(".")),
        "folder": instead(Path.mkdir),
        **{
            f"link to {target}": instead(linked_to(target))
            for target in ("/dev/zero", "/dev/random", "/dev/stdin", "/dev/tty", "/proc/self/fd")
        },
    }
    others: dict[str, tuple[str, Change]] = {
        "link to what the kernel says": (
            "ArtifactSizeError",
            instead(linked_to("/proc/self/maps")),
        ),
        "link to what the kernel lacks": (
            "ArtifactSizeError",
            instead(linked_to("/proc/self/cmdline")),
        ),
        "link to another file": ("ArtifactSizeError", instead(linked_to("/etc/passwd"))),
        "link to the manifest": ("ArtifactSizeError", instead(linked_to(MANIFEST_NAME))),
    }
    expected = {name: by_file("MissingArtifactError") for name in missing}
    expected |= {name: by_file(kind) for name, (kind, _) in others.items()}
    changes = missing | {name: change for name, (_, change) in others.items()}
    said = refusals(lean, tmp_path, changes)
    assert said == expected


def test_a_renamed_artifact_is_missing(lean: Path, tmp_path: Path) -> None:
    said = refusals(lean, tmp_path, {"renamed": renamed})
    assert said == {"renamed": by_file("MissingArtifactError")}


def test_a_link_to_the_sealed_bytes_is_as_good_as_they_are(lean: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(lean, tmp_path / "models"))
    instead(lambda file: file.symlink_to(lean / file.name))(folder)
    (said,) = tried([folder])
    assert said["Engine"] == said["load_models"] == said["verify"] == "ok"


def nested(depth: int, opening: bytes = b"[", closing: bytes = b"]") -> bytes:
    return opening * depth + closing * depth


@pytest.mark.slow
def test_what_stands_in_the_manifests_place_is_refused_by_every_way(
    lean: Path, tmp_path: Path
) -> None:
    genuine = (lean / MANIFEST_NAME).read_bytes()
    chance = random.Random(2)
    written = {
        "empty": b"",
        "random bytes": chance.randbytes(100_000),
        "not UTF-8": genuine.replace(b'"nifty"', b'"\xff\xfe"'),
        "UTF-16": genuine.decode().encode("utf-16"),
        "cut in half": genuine[: len(genuine) // 2],
        "twice": genuine + genuine,
        "an artifact": (lean / "trap.onnx").read_bytes(),
        "deep lists": nested(4_000_000),
        "deep lists in a sealed form": b'{\n "digest": "",\n "x": ' + nested(50_000) + b"\n}\n",
        "deep objects": nested(1_000_000, b'{"a":', b"}"),
        "many lists": b"[" + b"[]," * 2_700_000 + b"[]]",
        "a long number": b'{"digest": ' + b"9" * 8_000_000 + b"}",
        "a long name": b'{"' + b"a" * 8_000_000 + b'": 1, "digest": ""}',
    }
    changes: dict[str, Change] = {
        name: manifest_instead(lambda file, data=data: file.write_bytes(data))  # type: ignore[misc]
        for name, data in written.items()
    }
    changes["ten gigabytes"] = lambda folder: grown(folder / MANIFEST_NAME)
    changes |= {f"bit flipped {n}": _flip_manifest(n) for n in range(8)}
    expected = {name: by_manifest("ManifestError") for name in changes}
    absent: dict[str, Change] = {
        "pipe": manifest_instead(os.mkfifo),
        "folder": manifest_instead(Path.mkdir),
        "link to itself": manifest_instead(lambda file: file.symlink_to(file.name)),
        "link to /dev/zero": manifest_instead(linked_to("/dev/zero")),
    }
    expected |= {name: by_manifest("ArtifactsNotFoundError") for name in absent}
    said = refusals(lean, tmp_path, changes | absent)
    assert said == expected


def _flip_manifest(seed: int) -> Change:
    return lambda folder: flipped(seed)(folder / MANIFEST_NAME)


def entry(**values: object) -> Callable[[dict[str, Any]], object]:
    """A forgery of the engine's entry."""
    return lambda content: content["artifacts"][-1].update(values)


def inside(key: str, place: int, **values: object) -> Callable[[dict[str, Any]], object]:
    return lambda content: content["artifacts"][-1][key][place].update(values)


def judged(**values: object) -> Callable[[dict[str, Any]], object]:
    return lambda content: content["artifacts"][0]["judgements"][0].update(values)


STEERING = "\x1b]0;owned\x07"
FORGERIES: dict[str, Callable[[dict[str, Any]], object]] = {
    **{
        f"file {name!a}": entry(file=name)
        for name in (
            *("../engine.onnx", "/etc/passwd", "sub/engine.onnx", "engine.onnx\0", "..", ".", ""),
            *("con", "CON.onnx", "nul", "com1.onnx", "lpt9", "C:engine.onnx", "engine.onnx:x"),
            *(
                "engine.onnx.",
                "engine.onnx ",
                "-engine.onnx",
                "\\\\host\\engine",
                "\u0435ngine.onnx",
            ),
            *("\ud800.onnx", "a" * 101, f"{STEERING}.onnx", "engine\n.onnx", "/dev/zero"),
        )
    },
    **{
        f"size {size!a}"[:40]: entry(size_bytes=size)
        for size in (0, -1, 2**27 + 1, 2**70, 1e300, 1e5, "107747", True, None, [0], {"a": 1})
    },
    **{
        f"sha256 {sha256!a}": entry(sha256=sha256)
        for sha256 in ("", "0" * 63, "0" * 65, "G" * 64, "A" * 64, None, 0, ["0" * 64])
    },
    **{
        f"look-back {bars!a}": entry(lookback_bars=bars)
        for bars in (0, -1, 1.5, "331", True, None, 2**60, 1e300, [331])
    },
    "rows 0": entry(rows=0),
    "name with a surrogate": entry(name="\ud800"),
    "name that steers a terminal": entry(name=STEERING),
    "version that steers a terminal": entry(version=STEERING),
    "question that steers a terminal": entry(question=STEERING),
    "kind that is a list": entry(kind=["engine"]),
    "shape that is a number": inside("inputs", 0, shape=5),
    "shape of lists": inside("inputs", 0, shape=[["T"]]),
    "negative shape": inside("outputs", 0, shape=["N", -1]),
    "minimum that is text": inside("inputs", 0, minimum="0"),
    "columns of numbers": inside("outputs", 0, columns=[1, 2]),
    "type that is a list": inside("outputs", 0, dtype=["float64"]),
    "features that are numbers": entry(features=[1]),
    "training of a garbage day": entry(
        training=[{"market": "x", "first": "soon", "last": "later", "rows": 1, "sha256": "0" * 64}]
    ),
    "training of no day": entry(
        training=[{"market": "x", "first": "NaT", "last": "NaT", "rows": 1, "sha256": "0" * 64}]
    ),
    "training with a key more": entry(training=[{"what": 1}]),
    "past without stretches": lambda content: content["artifacts"][0].update(
        kind="past", stretches=[]
    ),
    "stretches that fall": entry(stretches=[["2020-13-01", "2020-01-01"]]),
    "base rates that are text": entry(base_rates={"trap_5": "0.2"}),
    "base rates in a list": entry(base_rates=[0.2]),
    "judgement without a baseline": judged(skills={}),
    "judgement of an unknown baseline": judged(strongest="the moon"),
    "judgement of text": judged(
        skills={"x": {"skill": "1", "lower": 0, "upper": 1}}, strongest="x"
    ),
    "judgement that steers a terminal": judged(verdict=STEERING),
    "verdict that is none": judged(verdict="excellent"),
    "verdict that is a list": judged(verdict=["demonstrated"]),
    "chance of two": judged(p_value=2.0),
    "chance that is text": judged(corrected_p="0.001"),
    "half a window": judged(windows=40.5),
    "judgements that are text": entry(judgements=["demonstrated"]),
    "eleven hundred entries": lambda content: content["artifacts"].extend(
        {**content["artifacts"][0], "name": f"x{n}", "file": f"x{n}.onnx"} for n in range(1_100)
    ),
    "gigabytes of entries": lambda content: content["artifacts"].extend(
        {**content["artifacts"][0], "name": f"x{n}", "file": f"x{n}.onnx", "size_bytes": 2**26}
        for n in range(20)
    ),
    "an entry twice": lambda content: content["artifacts"].append(content["artifacts"][0]),
    "walk-forward outside": lambda content: content["walkforward"].update(file="../x.npz"),
    "walk-forward that is a device": lambda content: content["walkforward"].update(file="con"),
    "walk-forward of no size": lambda content: content["walkforward"].update(size_bytes=0),
    "walk-forward that is text": lambda content: content.update(walkforward="walkforward.npz"),
    "card outside": lambda content: content["card"].update(file="../card.md"),
    "card that is a device": lambda content: content["card"].update(file="nul"),
    "release below nothing": lambda content: content.update(release=-1),
    "release of text": lambda content: content.update(release="1"),
}


@pytest.mark.slow
def test_a_forged_manifest_that_says_what_none_may_say_is_refused_by_every_way(
    lean: Path, tmp_path: Path
) -> None:
    changes: dict[str, Change] = {
        name: lambda folder, change=change: forge(folder, change)  # type: ignore[misc]
        for name, change in FORGERIES.items()
    }
    said = refusals(lean, tmp_path, changes)
    assert said == {name: by_manifest("ManifestError") for name in changes}


def test_a_manifest_from_the_future_is_one_however_it_is_nested(lean: Path, tmp_path: Path) -> None:
    deep: list[object] = []
    for _ in range(900):
        deep = [deep]
    versions = (2, 10**400, "2" * 1_000_000, STEERING, 1.5, True, None, {"a": 1}, [1], deep)

    def from_the_future(version: object) -> Change:
        return lambda folder: forge(
            folder, lambda content: content.update(manifest_version=version)
        )

    changes = {f"{number}": from_the_future(version) for number, version in enumerate(versions)}
    said = refusals(lean, tmp_path, changes)
    assert said == {name: by_manifest("ManifestVersionError") for name in changes}


def test_a_digest_further_in_cannot_stand_for_the_one_that_is_read(
    lean: Path, tmp_path: Path
) -> None:
    """Else a forged manifest could call itself by the digest of the released one."""
    official = json.loads((lean / MANIFEST_NAME).read_bytes())["digest"]

    def spoof(shown: bytes) -> Change:
        def change(folder: Path) -> None:
            content = json.dumps(content_of(folder))[1:-1].encode()
            blank = b'{"digest": %s, "x": {\n "digest": ""\n}, %s}' % (shown, content)
            digest = hashlib.sha256(blank).hexdigest().encode()
            forged = blank.replace(b'\n "digest": ""', b'\n "digest": "%s"' % digest)
            (folder / MANIFEST_NAME).write_bytes(forged)

        return change

    changes = {"official": spoof(b'"%s"' % official.encode()), "deep": spoof(nested(900))}
    said = refusals(lean, tmp_path, changes)
    assert said == {name: by_manifest("ManifestError") for name in changes}


def test_folders_that_may_not_be_read_are_refused_and_those_that_may_not_be_written_are_not(
    lean: Path,
) -> None:
    # Root may read whatever is closed to it.
    user = NOBODY if os.getuid() == 0 else os.getuid()
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        folders = {
            name: Path(shutil.copytree(lean, Path(place) / name))
            for name in ("closed", "blind", "sealed off", "files", "read-only")
        }
        for folder in folders.values():
            folder.chmod(0o755)
            for file in folder.iterdir():
                file.chmod(0o444)
        folders["closed"].chmod(0o000)
        (folders["sealed off"] / MANIFEST_NAME).chmod(0o000)
        for name in NAMES:
            (folders["files"] / f"{name}.onnx").chmod(0o000)
        folders["blind"].chmod(0o311)
        folders["read-only"].chmod(0o555)
        try:
            said = dict(zip(folders, tried(list(folders.values()), user), strict=True))
        finally:
            for folder in folders.values():
                folder.chmod(0o755)
    assert said["closed"] == by_manifest("ArtifactsNotFoundError")
    assert said["sealed off"] == by_manifest("MissingArtifactError")
    assert said["files"] == by_file("MissingArtifactError")
    # What it holds can be opened by name, but what else is there cannot be told.
    assert said["blind"]["Engine"] == "ok"
    assert said["blind"]["verify"] == "MissingArtifactError"
    assert said["read-only"]["verify"] == said["read-only"]["Engine"] == "ok"


VECTOR = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, ["N"]) for name in ("x", "y")]


def graph_of(
    *nodes: onnx.NodeProto, weights: tuple[onnx.TensorProto, ...] = (), **options: Any
) -> onnx.ModelProto:
    """A model from x to y that is of the shipped form but for what it is given."""
    graph = helper.make_graph(list(nodes), "hostile", VECTOR[:1], VECTOR[1:], list(weights))
    options = {"ir_version": 8, "opset_imports": [helper.make_opsetid("", 18)], **options}
    model = helper.make_model(graph, **options)
    helper.set_model_props(model, {METADATA_KEY: json.dumps({"lookback_bars": 1, "rows": 1})})
    return model


def weight(name: str, values: object) -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(values), name)


def in_another_file(place: str) -> onnx.TensorProto:
    tensor = weight("w", [1.0])
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", place), ("offset", "0"), ("length", "8")):
        tensor.external_data.add(key=key, value=value)
    return tensor


ADD = helper.make_node("Add", ["x", "w"], ["y"])
IDENTITY = helper.make_node("Identity", ["x"], ["y"])


def loop_bomb() -> onnx.ModelProto:
    value = [helper.make_tensor_value_info("v", TensorProto.DOUBLE, ["N"])]
    counter = [
        helper.make_tensor_value_info("i", TensorProto.INT64, []),
        helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
    ]
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go_on"], ["still"]),
            helper.make_node("Add", ["v", "v"], ["more"]),
        ],
        "body",
        counter + value,
        [
            helper.make_tensor_value_info("still", TensorProto.BOOL, []),
            helper.make_tensor_value_info("more", TensorProto.DOUBLE, ["N"]),
        ],
    )
    return graph_of(
        helper.make_node("Loop", ["trips", "", "x"], ["y"], body=body),
        weights=(weight("trips", np.int64(2**62)),),
    )


def nested_branches(depth: int) -> onnx.ModelProto:
    node = helper.make_node("Identity", ["x"], ["y"])
    for _ in range(depth):
        inner = helper.make_graph([node], "g", [], VECTOR[1:])
        node = helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
    return graph_of(node, weights=(weight("c", True),))


def laughs(depth: int) -> onnx.ModelProto:
    """Functions of which each calls the one before it ten times."""
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("evil", 1)]
    functions = [
        helper.make_function(
            "evil", "f0", ["a"], ["b0"], [helper.make_node("Identity", ["a"], ["b0"])], opsets
        )
    ]
    for level in range(1, depth):
        calls = [
            helper.make_node(f"f{level - 1}", ["a"], [f"c{n}"], domain="evil") for n in range(10)
        ]
        last = helper.make_node("Identity", ["c9"], [f"b{level}"])
        functions.append(
            helper.make_function("evil", f"f{level}", ["a"], [f"b{level}"], [*calls, last], opsets)
        )
    call = helper.make_node(f"f{depth - 1}", ["x"], ["y"], domain="evil")
    return graph_of(call, opset_imports=opsets, functions=functions)


def chain(length: int) -> onnx.ModelProto:
    names = ["x", *(f"v{n}" for n in range(length - 1)), "y"]
    return graph_of(*(helper.make_node("Neg", [names[n]], [names[n + 1]]) for n in range(length)))


def foreign_domain() -> onnx.ModelProto:
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1)]
    return graph_of(
        helper.make_node("Gelu", ["x"], ["y"], domain="com.microsoft"), opset_imports=opsets
    )


def with_training() -> onnx.ModelProto:
    model = graph_of(IDENTITY)
    model.training_info.add()
    return model


def with_sparse_weights() -> onnx.ModelProto:
    model = graph_of(ADD)
    values = weight("w", [1.0])
    sparse = helper.make_sparse_tensor(values, weight("at", [[2**40]]), [2**41])
    model.graph.sparse_initializer.append(sparse)
    return model


def huge_without_bytes() -> onnx.ModelProto:
    tensor = TensorProto(name="w", data_type=TensorProto.DOUBLE, dims=[2**40])
    return graph_of(ADD, weights=(tensor,))


def of_skl2onnx(estimator: Any) -> onnx.ModelProto:
    """A model as anybody converts one."""
    from skl2onnx import to_onnx

    chance = np.random.default_rng(0)
    features = chance.normal(size=(50, 3))
    fitted = estimator.fit(features, (features[:, 0] > 0).astype(int))
    model: onnx.ModelProto = to_onnx(fitted, features)
    return model


def strangers() -> dict[str, onnx.ModelProto]:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression

    return {
        "logistic regression": of_skl2onnx(LogisticRegression()),
        "random forest": of_skl2onnx(RandomForestClassifier(5, random_state=0)),
    }


def of_tree(levels: int, last: int | None = None) -> onnx.ModelProto:
    """A chain of splits, each with a leaf; it ends in a leaf, or leads to another node."""
    splits, leaves = list(range(levels)), list(range(levels, 2 * levels + 1))
    onward = [*splits[1:], leaves[-1] if last is None else last]
    node = helper.make_node(
        "TreeEnsembleRegressor",
        ["x"],
        ["y"],
        domain="ai.onnx.ml",
        n_targets=1,
        nodes_treeids=[0] * (2 * levels + 1),
        nodes_nodeids=[*splits, *leaves],
        nodes_featureids=[0] * (2 * levels + 1),
        nodes_modes=["BRANCH_LEQ"] * levels + ["LEAF"] * (levels + 1),
        nodes_values=[0.0] * (2 * levels + 1),
        nodes_truenodeids=[*onward, *[0] * (levels + 1)],
        nodes_falsenodeids=[*leaves[:levels], *[0] * (levels + 1)],
        target_treeids=[0],
        target_nodeids=[leaves[0]],
        target_ids=[0],
        target_weights=[1.0],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    return graph_of(node, opset_imports=opsets)


def test_trees_of_as_many_levels_as_are_allowed_pass_the_walk() -> None:
    check_content(of_tree(900).SerializeToString(), "tree.onnx")


def forbidden() -> dict[str, onnx.ModelProto]:
    unlike = helper.make_node("RandomNormalLike", ["x"], ["y"])
    letters: list[Any] = [b"x"]
    of_strings = helper.make_tensor("w", TensorProto.STRING, [1], letters)
    constant = helper.make_node("Constant", [], ["w"], value=in_another_file("weights.bin"))
    located = weight("w", [1.0])
    located.external_data.add(key="location", value="weights.bin")
    return {
        "a tree too deep to open": of_tree(20_000),
        "a tree that holds its root": of_tree(3, last=0),
        "Loop bomb": loop_bomb(),
        "branches": nested_branches(3),
        "functions": laughs(30),
        "a foreign domain": foreign_domain(),
        "an operator that is not published": graph_of(unlike),
        "an unknown operator": graph_of(helper.make_node("Own", ["x"], ["y"])),
        "an operator that steers a terminal": graph_of(helper.make_node(STEERING, ["x"], ["y"])),
        **{
            f"weights in {place}": graph_of(ADD, weights=(in_another_file(place),))
            for place in ("../../../../etc/passwd", "/etc/passwd", "weights.bin", "/dev/zero", "")
        },
        "a constant in another file": graph_of(constant, ADD),
        "a location beside the values": graph_of(ADD, weights=(located,)),
        "sparse weights": with_sparse_weights(),
        "strings": graph_of(ADD, weights=(of_strings,)),
        "training": with_training(),
        "too many nodes": chain(MOST_NODES + 1),
        "another opset": graph_of(IDENTITY, opset_imports=[helper.make_opsetid("", 19)]),
        "another IR version": graph_of(IDENTITY, ir_version=10),
        **strangers(),
    }


def sealed_again(data: bytes) -> Change:
    """Both artifacts replaced by other bytes, whose hash and contract are sealed."""
    vector = {"dtype": "float64", "shape": ["N"], "unit": "none", "columns": []}
    limits = {"minimum": None, "maximum": None}
    seal = {
        "sha256": hashlib.sha256(data).hexdigest(),
        "size_bytes": len(data),
        "lookback_bars": 1,
        "rows": 1,
        "inputs": [{"name": "x", **vector, **limits}],
        "outputs": [{"name": "y", **vector, **limits}],
    }

    def change(folder: Path) -> None:
        both(lambda file: file.write_bytes(data))(folder)
        # The same bytes twice, sealed as two artifacts.
        forge(folder, lambda content: [one.update(seal) for one in content["artifacts"]])

    return change


@pytest.mark.slow
def test_a_sealed_graph_that_holds_what_none_may_hold_is_refused_by_every_way(
    lean: Path, tmp_path: Path
) -> None:
    models = forbidden()
    changes = {name: sealed_again(model.SerializeToString()) for name, model in models.items()}
    said = refusals(lean, tmp_path, changes)
    assert said == {name: by_file("ForbiddenContentError") for name in changes}


def varint(number: int) -> bytes:
    rest, last = divmod(number, 128)
    return (bytes([128 | last]) + varint(rest)) if rest else bytes([last])


def field(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def test_sealed_bytes_that_are_no_model_or_can_be_read_in_two_ways_are_refused_by_every_way(
    lean: Path, tmp_path: Path
) -> None:
    genuine = graph_of(IDENTITY).SerializeToString()
    graph = graph_of(IDENTITY).graph.SerializeToString()
    twice_named = field(1, b"x") + field(2, b"y") + field(4, b"Loop") + field(4, b"Identity")
    written = {
        "one byte": b"\x08",
        "zeros": bytes(100_000),
        "text": b"not a model\n" * 1_000,
        "no graph": b"\x08\x08",
        "two graphs": genuine + field(7, graph),
        "a graph that runs past the end": genuine + b"\x3a\xff\x7f",
        "a long number": genuine + b"\x08" + b"\x80" * 9 + b"\x00",
        "an endless number": genuine + b"\x08" + b"\xff" * 100_000,
        "a number longer than need be": genuine.replace(b"\x08\x08", b"\x08\x88\x00", 1),
        "two operators in a node": b"\x08\x08" + field(7, field(1, twice_named)),
        "no operator in a node": b"\x08\x08" + field(7, field(1, b"")),
        "a group": genuine + b"\x0b\x0c",
        "a field of number 0": genuine + b"\x02\x00",
    }
    malformed = by_file("ArtifactRejectedError")
    parts = {
        "an ORT file": b"\x20\0\0\0ORTM" + bytes(1_000),
        "random bytes": random.Random(3).randbytes(50_000),
        "an unknown field": genuine + field(99, b"x"),
        "the graph as a number": genuine + b"\x38\x01",
    }
    unlike = graph_of(helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT))
    opened = {
        "another contract than sealed": graph_of(
            helper.make_node("Shape", ["x"], ["y"])
        ).SerializeToString(),
        "weights without bytes": huge_without_bytes().SerializeToString(),
        "an undefined name": graph_of(ADD).SerializeToString(),
        "another type": unlike.SerializeToString(),
    }
    changes = {name: sealed_again(data) for name, data in (written | parts | opened).items()}
    said = refusals(lean, tmp_path, changes)
    expected = dict.fromkeys(written | opened, malformed)
    expected |= dict.fromkeys(parts, by_file("ForbiddenContentError"))
    assert said == expected


def gigabytes() -> dict[str, onnx.ModelProto]:
    """Graphs of allowed operators alone, which ask for terabytes once they run."""
    shape = weight("s", np.array([2**38]))
    zero, end, one = (
        weight(name, number) for name, number in (("a", 0.0), ("b", 1e13), ("c", 1.0))
    )
    total = helper.make_node("ReduceSum", ["z"], ["t"], keepdims=0)
    add = helper.make_node("Add", ["x", "t"], ["y"])
    return {
        "ConstantOfShape": graph_of(
            helper.make_node("ConstantOfShape", ["s"], ["z"], value=weight("v", [0.5])),
            *(total, add),
            weights=(shape,),
        ),
        "Expand": graph_of(
            helper.make_node("Expand", ["c", "s"], ["z"]), total, add, weights=(shape, one)
        ),
        "Range": graph_of(
            helper.make_node("Range", ["a", "b", "c"], ["z"]), total, add, weights=(zero, end, one)
        ),
    }


@pytest.mark.slow
def test_a_sealed_graph_that_would_allocate_terabytes_costs_nothing_until_it_runs(
    lean: Path, tmp_path: Path
) -> None:
    changes = {name: sealed_again(m.SerializeToString()) for name, m in gigabytes().items()}
    changes["as many nodes as are allowed"] = sealed_again(chain(MOST_NODES).SerializeToString())
    for name, answers in refusals(lean, tmp_path, changes).items():
        assert answers["verify"] == answers["load_models"] == "ok", name
        # It keeps the contract that was sealed, but that is not an engine's.
        assert answers["Engine"] == "ArtifactRejectedError", name


RUN = """
import resource, sys
import numpy as np
import aegismatrix as am
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
try:
    am.load_models(sys.argv[1])["trap"].run(x=np.ones(3))
except am.AegisError as error:
    print(type(error).__name__)
"""


@pytest.mark.parametrize("name", list(gigabytes()))
def test_a_graph_that_asks_for_more_memory_than_there_is_fails_with_a_typed_error(
    lean: Path, tmp_path: Path, name: str
) -> None:
    folder = Path(shutil.copytree(lean, tmp_path / "models"))
    sealed_again(gigabytes()[name].SerializeToString())(folder)
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert done.stdout.strip() == ModelFailedError.__name__, done.stderr[-2_000:]


def test_a_sealed_look_back_that_is_not_the_graphs_own_is_refused(
    lean: Path, tmp_path: Path
) -> None:
    """Given fewer bars than its graph takes, onnxruntime ends the process instead of raising."""
    lies = {f"look-back {bars}": {"lookback_bars": bars} for bars in (1, 10, 330, 332, 2**50)}
    lies |= {f"rows {rows}": {"rows": rows} for rows in (1, 59, 61)}
    changes: dict[str, Change] = {
        name: lambda folder, lie=lie: forge(folder, entry(**lie))  # type: ignore[misc]
        for name, lie in lies.items()
    }
    said = refusals(lean, tmp_path, changes)
    expected = {**by_file("ArtifactRejectedError"), "load_models": "ok"}
    assert said == dict.fromkeys(changes, expected)


@pytest.mark.parametrize("stamp", [None, "", "[]", "{}", '{"rows": 1}', "[" * 100_000])
def test_a_graph_that_does_not_say_what_it_is_is_refused(
    lean: Path, tmp_path: Path, stamp: str | None
) -> None:
    folder = Path(shutil.copytree(lean, tmp_path / "models"))
    model = graph_of(IDENTITY)
    del model.metadata_props[:]
    if stamp is not None:
        helper.set_model_props(model, {METADATA_KEY: stamp})
    sealed_again(model.SerializeToString())(folder)
    with pytest.raises(ArtifactRejectedError, match="of itself"):
        load_models(folder)


def test_an_output_of_another_shape_than_sealed_is_never_handed_on(
    lean: Path, tmp_path: Path
) -> None:
    shapes = {
        "of no rows": np.array([0, 0]),
        "of another width": np.array([0, 2]),
    }
    for name, start in shapes.items():
        folder = Path(shutil.copytree(lean, tmp_path / name))
        model = graph_of(
            helper.make_node("Slice", ["x", "a", "b"], ["y"]),
            weights=(weight("a", start[:1]), weight("b", start[1:])),
        )
        if name == "of another width":
            del model.graph.output[0].type.tensor_type.shape.dim[:]
            model.graph.output[0].type.tensor_type.shape.dim.add(dim_value=3)
        sealed_again(model.SerializeToString())(folder)
        if name == "of another width":
            forge(
                folder,
                lambda content: [
                    one["outputs"][0].update(shape=[3]) for one in content["artifacts"]
                ],
            )
        with pytest.raises(ContractError, match="came out with the shape"):
            load_models(folder)["trap"].run(x=np.ones(5))


def operators_of(graph: onnx.GraphProto) -> Iterator[tuple[str, str]]:
    for node in graph.node:
        yield node.domain, node.op_type
        for attribute in node.attribute:
            for inner in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
                yield "a subgraph", inner.name
                yield from operators_of(inner)


def test_what_the_walk_lets_pass_another_parser_reads_as_allowed_too(lean: Path) -> None:
    """Damaged bytes may still be a model; then Google's parser must see nothing forbidden in it."""
    allowed = {("", name) for name in ALLOWED_OPS} | {(ML_DOMAIN, name) for name in ALLOWED_ML_OPS}
    sources = [(lean / "trap.onnx").read_bytes(), loop_bomb().SerializeToString()]
    sources += [nested_branches(2).SerializeToString(), laughs(3).SerializeToString()]
    sources += [graph_of(ADD, weights=(in_another_file("w"),)).SerializeToString()]
    chance = random.Random(20241231)
    passed = refused = undecoded = 0
    for turn in range(6_000):
        data = bytearray(sources[turn % len(sources)])
        for _ in range(chance.randrange(1, 4)):
            place = chance.randrange(len(data))
            if chance.random() < 0.5:
                data[place] ^= 1 << chance.randrange(8)
            else:
                data[place : place + chance.randrange(2)] = chance.randbytes(chance.randrange(3))
        try:
            check_content(bytes(data), "damaged")
        except ArtifactRejectedError:
            refused += 1
            continue
        try:
            model = onnx.load_from_string(bytes(data))
        except DecodeError:
            undecoded += 1
            continue
        passed += 1
        assert set(operators_of(model.graph)) <= allowed
        assert not model.functions
        for tensor in model.graph.initializer:
            assert tensor.data_location == TensorProto.DEFAULT
            assert not tensor.external_data
    assert passed > 100
    assert refused > 1_000
    assert passed + refused + undecoded == turn + 1


def test_a_forbidden_part_is_named(lean: Path) -> None:
    for model, found in (
        (loop_bomb(), "a subgraph"),
        (foreign_domain(), "opset com.microsoft 1"),
        (graph_of(helper.make_node("Erf", ["x"], ["y"])), "the operator ai.onnx.Erf"),
        (graph_of(ADD, weights=(in_another_file("w"),)), "external data"),
        (chain(MOST_NODES + 1), f"more than {MOST_NODES} nodes"),
    ):
        with pytest.raises(ForbiddenContentError) as raised:
            check_content(model.SerializeToString(), "x.onnx")
        assert raised.value.found == found
        assert raised.value.path == "x.onnx"
        assert found in str(raised.value)


COMMAND = (sys.executable, "-m", "aegismatrix", "verify")


@pytest.mark.parametrize("name", ["pipe", "surrogate", "future", "loop"])
def test_the_command_ends_with_a_finding_and_no_traceback(
    lean: Path, tmp_path: Path, name: str
) -> None:
    folder = Path(shutil.copytree(lean, tmp_path / "models"))
    changes: dict[str, Change] = {
        "pipe": instead(os.mkfifo),
        "surrogate": lambda folder: forge(folder, entry(name="\ud800")),
        "future": lambda folder: forge(folder, lambda content: content.update(manifest_version=9)),
        "loop": sealed_again(loop_bomb().SerializeToString()),
    }
    changes[name](folder)
    done = subprocess.run(
        [*COMMAND, str(folder)], capture_output=True, text=True, check=False, timeout=SECONDS
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert "FAIL " in done.stdout


def test_the_benchmark_of_flips_counts_what_is_refused_and_what_is_overlooked(
    lean: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime.Model, "from_bytes", lambda spec, data, path, threads=1: spec)
    # Of a stub an engine has no contract to check.
    monkeypatch.setattr(am, "Engine", lambda folder: load_model(read_manifest(folder), "engine"))
    folder = Path(shutil.copytree(lean, tmp_path / "models"))
    tally = flips.run(folder, 40, seed=1)
    assert tally.is_clean()
    assert tally.flips.total() == tally.refused_by_all == 40
    assert min(tally.flips.values()) >= 1
    assert set(tally.flips) == {file.name for file in lean.iterdir()}
    assert flips.sealed_files(read_manifest(folder))["walkforward.npz"] == {"verify"}

    monkeypatch.setattr(am, "verify", lambda folder: [])
    tally = flips.run(folder, 40, seed=1)
    assert not tally.is_clean()
    assert tally.refused_by_all == 0
    assert {
        kinds[flips.OVERLOOKED] > 0 for (_, way), kinds in tally.refused.items() if way == "verify"
    } == {True}
