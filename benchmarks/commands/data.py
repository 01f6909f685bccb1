"""``crosscheck data``: what would be read from a file or folder, before anything is trained on it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.commands.common import AGREE
from model_spec.names import printable
from model_spec.verdict import json_text

if TYPE_CHECKING:
    from benchmarks.experiments import Data
    from benchmarks.tables import Table

_IMAGES_OF_A_CLASS = 8
_MOST_CLASSES_SHOWN = 20


def run(options: argparse.Namespace) -> int:
    """Run the command; return its exit code."""
    from benchmarks import console, experiments
    from benchmarks.tables import Table

    data = experiments.load_data(options.data)
    if options.picture:
        _write_picture(options.picture, data)
    if options.json:
        print(json_text(_facts(data)))
        return AGREE
    parts: list[Sequence[str]] = [
        [name, str(len(y)), " x ".join(map(str, x.shape[1:])), f"{x.min():.4g}", f"{x.max():.4g}"]
        for name, (x, y) in (("train", data.train), ("test", data.test))
    ]
    counts = [] if data.is_regression else _counts(data)
    rows: list[Sequence[str]] = [
        [str(label), name, str(train), str(test)] for label, (name, train, test) in enumerate(counts)
    ]
    more = len(rows) - _MOST_CLASSES_SHOWN
    console.show(
        Table(["part", "rows", "shape of one", "least", "largest"], parts, printable(data.name)),
        _values(data)
        if data.is_regression
        else Table(["class", "name", "train", "test"], rows[:_MOST_CLASSES_SHOWN], "classes"),
        *([f"  ... and {more} more"] if more > 0 else []),
        *(f"note: {note}" for note in data.notes),
        *([f"picture: {options.picture}"] if options.picture else []),
        "next: crosscheck compare "
        f"{'FILE.toml' if data.is_regression else 'mlp'} --data {printable(data.name)}"
        f"{f', a network that ends with Dense({data.classes}): docs/own_data.md' if data.is_regression else ''}",
    )
    return AGREE


def _values(data: Data) -> Table:
    """The values to predict, a row a target."""
    from benchmarks.tables import Table

    y = data.train[1]
    rows: list[Sequence[str]] = [
        [str(at), *(f"{figure:.4g}" for figure in _of_values(y[:, at]))] for at in range(y.shape[1])
    ]
    return Table(["target", "least", "mean", "largest", "deviation"], rows[:_MOST_CLASSES_SHOWN], "values to predict")


def _of_values(y: Any) -> tuple[float, float, float, float]:
    return float(y.min()), float(y.mean()), float(y.max()), float(y.std())


def _counts(data: Data) -> list[tuple[str, int, int]]:
    """(name, rows for training, rows for testing) of each class."""
    train, test = (np.bincount(y, minlength=data.classes) for _, y in (data.train, data.test))
    names = [printable(name) for name in data.class_names] or [""] * data.classes
    return [(name, int(a), int(b)) for name, a, b in zip(names, train, test, strict=False)]


def _facts(data: Data) -> dict[str, Any]:
    facts: dict[str, Any] = {"data": data.name, "input_shape": list(data.input_shape), "notes": list(data.notes)}
    for name, (x, y) in (("train", data.train), ("test", data.test)):
        facts[name] = {"rows": len(y), "least": float(x.min()), "largest": float(x.max())}
    if data.is_regression:
        names = ("least", "mean", "largest", "deviation")
        facts["targets"] = [dict(zip(names, _of_values(y), strict=True)) for y in data.train[1].T]
        return facts
    facts["classes"] = [{"name": name, "train": train, "test": test} for name, train, test in _counts(data)]
    return facts


def _write_picture(path: Path, data: Data) -> None:
    """Some images of each class, a class a row, in one picture file."""
    from benchmarks.pictures import picture_bytes
    from benchmarks.plots.images import mosaic
    from model_spec.whole_files import whole_file

    x, y = data.train
    if x.ndim != 4 or x.shape[-1] not in (1, 3) or data.is_regression:
        raise ValueError(
            f"inputs of shape {data.input_shape} are no images of 1 or 3 channels in classes; leave out --picture"
        )
    tiles = np.full((data.classes, _IMAGES_OF_A_CLASS, *x.shape[1:]), np.nan)
    for label in range(data.classes):
        some = x[np.flatnonzero(y == label)[:_IMAGES_OF_A_CLASS]]
        tiles[label, : len(some)] = some
    # (classes, images, h, w, c) -> (classes * images, h, w), or (classes * images, h, w, 3)
    tiles = tiles.reshape(-1, *(x.shape[1:] if x.shape[-1] == 3 else x.shape[1:3]))
    image = mosaic(tiles, _IMAGES_OF_A_CLASS)
    low, high = float(x.min()), float(x.max())
    shades = np.nan_to_num((image - low) / ((high - low) or 1.0) * 255, nan=255.0)
    with whole_file(path) as file:
        file.write(picture_bytes(np.rint(shades).astype(np.uint8), path.suffix))
