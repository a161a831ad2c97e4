"""Folders of artifacts that a test may change and seal again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from aegismatrix_factory.release.golden import GOLDEN_NAME, golden_of
from aegismatrix_factory.sealing import sealed_entry

from aegismatrix.artifacts.forecasts import (
    FORECASTS_NAME,
    PROBABILITY_STEPS,
    SealedForecasts,
    WalkForward,
    bar_checks,
    in_steps,
    render_forecasts,
)
from aegismatrix.artifacts.manifest import (
    FORECASTS_KEY,
    GOLDEN_KEY,
    MANIFEST_NAME,
    find_artifacts,
    read_manifest,
    render_manifest,
)
from aegismatrix.engine.engine import DISTANCES, HORIZONS_DAYS
from aegismatrix.market.bars import Bars


def seal_golden(folder: Path, data: bytes) -> None:
    """Put golden values beside the artifacts of a folder."""
    (folder / GOLDEN_NAME).write_bytes(data)
    content = {**read_manifest(folder).content, GOLDEN_KEY: sealed_entry(GOLDEN_NAME, data)}
    (folder / MANIFEST_NAME).write_bytes(render_manifest(content))


def change_golden(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change what the golden values of a folder say, and seal them again."""
    content = json.loads((folder / GOLDEN_NAME).read_bytes())
    change(content)
    seal_golden(folder, json.dumps(content).encode())


def drop_golden(folder: Path) -> None:
    """Leave a folder as folders were before there were golden values."""
    content = {**read_manifest(folder).content}
    if content.pop(GOLDEN_KEY, None) is not None:
        (folder / GOLDEN_NAME).unlink()
        (folder / MANIFEST_NAME).write_bytes(render_manifest(content))


def copy_with_golden(place: Path) -> Path:
    """Copy the bundled artifacts; if they seal no golden values, seal what they say here."""
    folder = Path(shutil.copytree(find_artifacts(), place))
    manifest = read_manifest(folder)
    if GOLDEN_KEY not in manifest.attachments:
        seal_golden(folder, golden_of(manifest))
    return folder


def drop_model(folder: Path, name: str) -> None:
    """Take one artifact out of a folder, and seal the rest again; what is fused stays fused."""
    content = {**read_manifest(folder).content}
    content["artifacts"] = [one for one in content["artifacts"] if one["name"] != name]
    (folder / f"{name}.onnx").unlink()
    (folder / MANIFEST_NAME).write_bytes(render_manifest(content))
    if GOLDEN_KEY in content:
        change_golden(folder, lambda values: values["cases"].pop(name))


def seal_file(folder: Path, key: str, name: str) -> None:
    """Seal a file of a folder beside the models, as it is."""
    entry = sealed_entry(name, (folder / name).read_bytes())
    content = {**read_manifest(folder).content, key: entry}
    (folder / MANIFEST_NAME).write_bytes(render_manifest(content))


def drop_file(folder: Path, key: str) -> None:
    """Take a file out that is sealed beside the models, and seal the rest again."""
    content = {**read_manifest(folder).content}
    (folder / content.pop(key)["file"]).unlink()
    (folder / MANIFEST_NAME).write_bytes(render_manifest(content))


def change_entry(folder: Path, name: str, change: Callable[[dict[str, Any]], object]) -> None:
    """Change what the manifest says of one artifact, and seal it again."""
    content = json.loads((folder / MANIFEST_NAME).read_bytes())
    for entry in content["artifacts"]:
        if entry["name"] == name:
            change(entry)
    (folder / MANIFEST_NAME).write_bytes(render_manifest(content))


def copy_with_walk(
    place: Path, bars: Bars, rows: slice, models: Sequence[str], gap: int | None = None
) -> Path:
    """Copy the bundled artifacts beside a made-up walk-forward of chance numbers over some bars.

    Nothing is said of the day numbered `gap`.
    """
    folder = Path(shutil.copytree(find_artifacts(), place))
    random, dates = np.random.default_rng(3), bars.dates[rows]
    manifest, heads = read_manifest(folder), {}
    for name in models:
        (output,) = manifest.model(name).outputs
        is_surface = len(output.shape) == 4
        cells = (len(HORIZONS_DAYS), len(DISTANCES)) if is_surface else ()
        values = random.uniform(0.0, 1.0, (len(dates), len(output.columns), *cells))
        if gap is not None:
            values[gap] = np.nan
        heads[name] = SealedForecasts(
            output.columns, PROBABILITY_STEPS, in_steps(values, PROBABILITY_STEPS)
        )
    walked = WalkForward(
        "made up",
        dates,
        bar_checks(bars.high[rows], bars.low[rows], bars.close[rows], bars.iv[rows]),
        tuple(map(float, HORIZONS_DAYS)),
        DISTANCES,
        heads,
    )
    (folder / FORECASTS_NAME).write_bytes(render_forecasts(walked))
    seal_file(folder, FORECASTS_KEY, FORECASTS_NAME)
    return folder
